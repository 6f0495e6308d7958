-- Which row of a catalog needs which, and which stands for another, for PostgreSQL 13 to 18.
select 'needs', d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.refobjsubid, null::text from pg_catalog.pg_depend d
where d.deptype in ('n', 'a', 'i') and d.objid >= 16384
  -- That a sequence is owned by a column is no need of the sequence.
  and not (d.deptype = 'a' and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjsubid > 0 and d.refclassid = d.classid
    and exists (select from pg_catalog.pg_class c where c.oid = d.objid and c.relkind = 'S'))
union all
-- A table needs those that it inherits from.
select 'needs', 'pg_catalog.pg_class'::pg_catalog.regclass, i.inhrelid, 0, 'pg_catalog.pg_class'::pg_catalog.regclass, i.inhparent, 0, null from pg_catalog.pg_inherits i
union all
select 'is', 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 0, 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, 0, null
from pg_catalog.pg_type t join pg_catalog.pg_class c on c.oid = t.typrelid where c.relkind <> 'c' and t.oid >= 16384
union all
select 'is', 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, 0, 'pg_catalog.pg_type'::pg_catalog.regclass, c.reltype, 0, null from pg_catalog.pg_class c where c.relkind = 'c' and c.oid >= 16384
union all
select 'is', 'pg_catalog.pg_type'::pg_catalog.regclass, t.typarray, 0, 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 0, null from pg_catalog.pg_type t where t.oid >= 16384 and t.typarray <> 0
union all
select 'is', 'pg_catalog.pg_rewrite'::pg_catalog.regclass, w.oid, 0, 'pg_catalog.pg_class'::pg_catalog.regclass, w.ev_class, 0, null from pg_catalog.pg_rewrite w where w.rulename = '_RETURN' and w.oid >= 16384
union all
select 'is', 'pg_catalog.pg_attrdef'::pg_catalog.regclass, d.oid, 0, 'pg_catalog.pg_class'::pg_catalog.regclass, d.adrelid, d.adnum, null from pg_catalog.pg_attrdef d
union all
select 'is', 'pg_catalog.pg_class'::pg_catalog.regclass, k.conindid, 0, 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid, 0, null from pg_catalog.pg_constraint k where k.contype in ('p', 'u', 'x') and k.conindid <> 0
union all
select 'is', d.classid, d.objid, 0, d.refclassid, d.refobjid, d.refobjsubid, null from pg_catalog.pg_depend d
where d.deptype = 'i' and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refclassid = d.classid and exists (select from pg_catalog.pg_class c where c.oid = d.objid and c.relkind = 'S')
union all
select 'is', d.classid, d.objid, 0, d.refclassid, d.refobjid, 0, null from pg_catalog.pg_depend d where d.deptype = 'e'
union all
-- From 14 on a range has a multirange beside it.
select 'is', 'pg_catalog.pg_type'::pg_catalog.regclass, (pg_catalog.to_jsonb(g) ->> 'rngmultitypid')::oid, 0, 'pg_catalog.pg_type'::pg_catalog.regclass, g.rngtypid, 0, null
from pg_catalog.pg_range g where g.rngtypid >= 16384 and pg_catalog.to_jsonb(g) ->> 'rngmultitypid' is not null
union all
-- What is said of it.
select 'comment', d.classoid, d.objoid, d.objsubid, 0, 0, 0, d.description from pg_catalog.pg_description d where d.objoid >= 16384 or d.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
union all
select 'label', 'pg_catalog.pg_type'::pg_catalog.regclass, e.enumtypid, 0, 0, 0, 0, e.enumlabel from (select * from pg_catalog.pg_enum order by enumtypid, enumsortorder) e
