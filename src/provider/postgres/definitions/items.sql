-- Every thing of a schema that can be made, altered and dropped, for PostgreSQL 13 to 18: one row for each, with the
-- statement that makes it. Under an empty search path every name comes out with its schema. $1 are tables that are not
-- looked at. In the text that makes a table, chr(1) stands where its columns go.
with
space as (
    select n.* from pg_catalog.pg_namespace n where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
),
member as (
    select d.classid, d.objid from pg_catalog.pg_depend d where d.deptype = 'e'
),
hidden as (
    select c.oid from pg_catalog.pg_class c where c.relname = any ($1::text[]) and c.relkind in ('r', 'p')
),
relation as (
    select c.*, c.oid::pg_catalog.regclass::text as name,
        case c.relkind when 'r' then 'table' when 'p' then 'table' when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' end as class
    from pg_catalog.pg_class c join space s on s.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'S') and c.oid not in (select oid from hidden)
      -- The sequence of an identity column goes with the column, that of a hidden table with the table.
      and not exists (select from pg_catalog.pg_depend d where c.relkind = 'S' and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid
            and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
            and (d.deptype = 'i' or d.deptype = 'a' and d.refobjid in (select oid from hidden)))
      and not exists (select from member m where m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and m.objid = c.oid)
),
item (class, name, spoken, made, body, shape, dropped, parent, place, catalog, object, part) as (
    select 'schema', s.oid::pg_catalog.regnamespace::text, 'SCHEMA ' || s.oid::pg_catalog.regnamespace::text,
        'CREATE SCHEMA ' || s.oid::pg_catalog.regnamespace::text, '', null, 'DROP SCHEMA ' || s.oid::pg_catalog.regnamespace::text,
        null::text, 0, 'pg_catalog.pg_namespace'::pg_catalog.regclass::oid, s.oid, 0
    from space s where not exists (select from member m where m.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass and m.objid = s.oid)
    union all
    select 'extension', pg_catalog.quote_ident(e.extname), 'EXTENSION ' || pg_catalog.quote_ident(e.extname),
        pg_catalog.format('CREATE EXTENSION %I WITH SCHEMA %s', e.extname, e.extnamespace::pg_catalog.regnamespace), e.extnamespace::pg_catalog.regnamespace::text, null,
        pg_catalog.format('DROP EXTENSION %I', e.extname), null, 0, 'pg_catalog.pg_extension'::pg_catalog.regclass::oid, e.oid, 0
    from pg_catalog.pg_extension e
    union all
    -- A partition has its columns from its parent.
    select r.class, r.name, 'TABLE ' || r.name, t.made, t.made, null, 'DROP TABLE ' || r.name, null, 0, 'pg_catalog.pg_class'::pg_catalog.regclass::oid, r.oid, 0
    from relation r, lateral (select case
            when r.relispartition then 'CREATE TABLE ' || r.name || ' PARTITION OF ' || (select i.inhparent::pg_catalog.regclass::text from pg_catalog.pg_inherits i where i.inhrelid = r.oid)
                || ' ' || pg_catalog.pg_get_expr(r.relpartbound, r.oid)
            else 'CREATE TABLE ' || r.name || ' (' || pg_catalog.chr(1) || ')' || coalesce(' INHERITS (' || (
                select pg_catalog.string_agg(i.inhparent::pg_catalog.regclass::text, ', ' order by i.inhseqno) from pg_catalog.pg_inherits i where i.inhrelid = r.oid) || ')', '')
            end || case when r.relkind = 'p' then ' PARTITION BY ' || pg_catalog.pg_get_partkeydef(r.oid) else '' end
            || coalesce((select ' USING ' || pg_catalog.quote_ident(a.amname) from pg_catalog.pg_am a where a.oid = r.relam and a.amname <> 'heap'), '') as made) t
    where r.class = 'table'
    union all
    select 'column', r.name || '.' || pg_catalog.quote_ident(a.attname), 'COLUMN ' || r.name || '.' || pg_catalog.quote_ident(a.attname),
        case when a.attinhcount > 0 and not a.attislocal then '' else
            pg_catalog.quote_ident(a.attname) || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod)
            || case when a.attcollation <> t.typcollation then ' COLLATE ' || a.attcollation::pg_catalog.regcollation::text else '' end
            || case a.attgenerated when 's' then ' GENERATED ALWAYS AS (' || pg_catalog.pg_get_expr(d.adbin, d.adrelid) || ') STORED'
                when 'v' then ' GENERATED ALWAYS AS (' || pg_catalog.pg_get_expr(d.adbin, d.adrelid) || ') VIRTUAL' else coalesce(' DEFAULT ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') end
            || case when a.attidentity <> '' then ' ' || i.words else '' end
            || case when a.attnotnull then ' NOT NULL' else '' end end,
        case when a.attgenerated <> '' then a.attgenerated::text || pg_catalog.pg_get_expr(d.adbin, d.adrelid) else '' end, null,
        case when a.attislocal or a.attinhcount = 0 then 'ALTER TABLE ' || r.name || ' DROP COLUMN ' || pg_catalog.quote_ident(a.attname) else '' end, 'table ' || r.name, a.attnum, 'pg_catalog.pg_class'::pg_catalog.regclass::oid, r.oid, a.attnum::int
    from relation r join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type t on t.oid = a.atttypid
    left join pg_catalog.pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
    left join lateral (select 'GENERATED ' || case a.attidentity when 'a' then 'ALWAYS' else 'BY DEFAULT' end || ' AS IDENTITY'
            || case when c.relname = r.relname || '_' || a.attname || '_seq' and c.relnamespace = r.relnamespace and q.seqstart = 1 and q.seqincrement = 1 and q.seqmin = 1 and q.seqcache = 1 and not q.seqcycle
                and q.seqmax = case q.seqtypid when 'int2'::pg_catalog.regtype then 32767 when 'int4'::pg_catalog.regtype then 2147483647 else 9223372036854775807 end then ''
            else ' (SEQUENCE NAME ' || q.seqrelid::pg_catalog.regclass::text || pg_catalog.format(' START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s%s)',
                q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache, case when q.seqcycle then ' CYCLE' else '' end) end as words
        from pg_catalog.pg_depend k join pg_catalog.pg_sequence q on q.seqrelid = k.objid join pg_catalog.pg_class c on c.oid = k.objid
        where k.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and k.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and k.refobjid = r.oid and k.refobjsubid = a.attnum and k.deptype = 'i') i on true
    where r.class = 'table'
    union all
    select r.class, r.name, 'SEQUENCE ' || r.name, pg_catalog.format('CREATE SEQUENCE %s %s', r.name, q.words), '', null, 'DROP SEQUENCE ' || r.name,
        (select 'column ' || k.refobjid::pg_catalog.regclass::text || '.' || pg_catalog.quote_ident(a.attname) from pg_catalog.pg_depend k
            join pg_catalog.pg_attribute a on a.attrelid = k.refobjid and a.attnum = k.refobjsubid
            where k.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and k.objid = r.oid and k.refclassid = k.classid and k.deptype = 'a'),
        0, 'pg_catalog.pg_class'::pg_catalog.regclass::oid, r.oid, 0
    from relation r join lateral (select pg_catalog.concat_ws(' ', 'AS ' || pg_catalog.format_type(s.seqtypid, null), case when s.seqincrement <> 1 then 'INCREMENT BY ' || s.seqincrement end,
            case when s.seqmin <> 1 then 'MINVALUE ' || s.seqmin end,
            case when s.seqmax <> case s.seqtypid when 'int2'::pg_catalog.regtype then 32767 when 'int4'::pg_catalog.regtype then 2147483647 else 9223372036854775807 end then 'MAXVALUE ' || s.seqmax end,
            case when s.seqstart <> s.seqmin then 'START WITH ' || s.seqstart end, case when s.seqcache <> 1 then 'CACHE ' || s.seqcache end, case when s.seqcycle then 'CYCLE' end) as words
        from pg_catalog.pg_sequence s where s.seqrelid = r.oid) q on true
    where r.class = 'sequence'
    union all
    select r.class, r.name, pg_catalog.upper(r.class) || ' ' || r.name,
        'CREATE ' || pg_catalog.upper(r.class) || ' ' || r.name || ' AS' || E'\n' || pg_catalog.rtrim(pg_catalog.pg_get_viewdef(r.oid), E'; \n')
            || case when r.relkind = 'm' and not r.relispopulated then E'\nWITH NO DATA' else '' end,
        pg_catalog.pg_get_viewdef(r.oid) || r.relispopulated::text,
        case when r.relkind = 'v' then (select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname) || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod) || a.attcollation::text || ',', '' order by a.attnum)
            from pg_catalog.pg_attribute a where a.attrelid = r.oid and a.attnum > 0) end,
        'DROP ' || pg_catalog.upper(r.class) || ' ' || r.name, null, 0, 'pg_catalog.pg_class'::pg_catalog.regclass::oid, r.oid, 0
    from relation r where r.class in ('view', 'materialized view')
    union all
    select case when f.prokind = 'p' then 'procedure' else 'function' end, f.oid::pg_catalog.regprocedure::text,
        case when f.prokind = 'p' then 'PROCEDURE ' else 'FUNCTION ' end || f.oid::pg_catalog.regprocedure::text, pg_catalog.pg_get_functiondef(f.oid), pg_catalog.pg_get_functiondef(f.oid),
        f.prokind::text || coalesce(pg_catalog.pg_get_function_result(f.oid), '') || '|' || pg_catalog.pg_get_function_arguments(f.oid),
        'DROP ' || case when f.prokind = 'p' then 'PROCEDURE ' else 'FUNCTION ' end || f.oid::pg_catalog.regprocedure::text, null, 0, 'pg_catalog.pg_proc'::pg_catalog.regclass::oid, f.oid, 0
    from pg_catalog.pg_proc f join space s on s.oid = f.pronamespace
    -- What makes values of a range comes with its type.
    where f.prokind in ('f', 'p', 'w') and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = f.oid and d.deptype in ('e', 'i'))
    union all
    select case t.typtype when 'd' then 'domain' when 'e' then 'enum' else 'type' end, pg_catalog.format_type(t.oid, null),
        case t.typtype when 'd' then 'DOMAIN ' else 'TYPE ' end || pg_catalog.format_type(t.oid, null), w.made,
        case t.typtype when 'd' then pg_catalog.format_type(t.typbasetype, t.typtypmod) || t.typcollation::text when 'e' then '' else w.made end, null,
        'DROP ' || case t.typtype when 'd' then 'DOMAIN ' else 'TYPE ' end || pg_catalog.format_type(t.oid, null), null, 0, 'pg_catalog.pg_type'::pg_catalog.regclass::oid, t.oid, 0
    from pg_catalog.pg_type t join space s on s.oid = t.typnamespace left join pg_catalog.pg_class c on c.oid = t.typrelid
    join lateral (select case t.typtype
        when 'e' then pg_catalog.format('CREATE TYPE %s AS ENUM (%s)', pg_catalog.format_type(t.oid, null),
            (select pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid))
        when 'c' then pg_catalog.format('CREATE TYPE %s AS (%s)', pg_catalog.format_type(t.oid, null),
            (select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname) || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod)
                || case when a.attcollation <> y.typcollation then ' COLLATE ' || a.attcollation::pg_catalog.regcollation::text else '' end, ', ' order by a.attnum)
             from pg_catalog.pg_attribute a join pg_catalog.pg_type y on y.oid = a.atttypid where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped))
        when 'r' then pg_catalog.format('CREATE TYPE %s AS RANGE (SUBTYPE = %s)', pg_catalog.format_type(t.oid, null),
            (select pg_catalog.format_type(g.rngsubtype, null) from pg_catalog.pg_range g where g.rngtypid = t.oid))
        else pg_catalog.format('CREATE DOMAIN %s AS %s%s%s%s', pg_catalog.format_type(t.oid, null), pg_catalog.format_type(t.typbasetype, t.typtypmod),
            case when t.typcollation <> (select b.typcollation from pg_catalog.pg_type b where b.oid = t.typbasetype) then ' COLLATE ' || t.typcollation::pg_catalog.regcollation::text else '' end,
            coalesce(' DEFAULT ' || t.typdefault, ''), case when t.typnotnull then ' NOT NULL' else '' end) end as made) w on true
    where t.typtype in ('d', 'e', 'c', 'r') and (t.typrelid = 0 or c.relkind = 'c')
      and not exists (select from member m where m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and m.objid = t.oid)
    union all
    select case when k.contype = 'f' then 'foreign key' else 'constraint' end, h.on_what || '.' || pg_catalog.quote_ident(k.conname),
        pg_catalog.format('CONSTRAINT %I ON %s', k.conname, case when k.contypid <> 0 then 'DOMAIN ' else '' end || h.on_what),
        h.altered || pg_catalog.format(' ADD CONSTRAINT %I ', k.conname) || pg_catalog.pg_get_constraintdef(k.oid),
        pg_catalog.regexp_replace(pg_catalog.pg_get_constraintdef(k.oid), ' NOT VALID$', ''), null, h.altered || pg_catalog.format(' DROP CONSTRAINT %I', k.conname),
        case when k.contypid <> 0 then 'domain ' || h.on_what when k.contype <> 'f' or k.conrelid = k.confrelid then 'table ' || h.on_what end,
        0, 'pg_catalog.pg_constraint'::pg_catalog.regclass::oid, k.oid, 0
    from pg_catalog.pg_constraint k left join relation r on r.oid = k.conrelid
    left join (select y.oid, pg_catalog.format_type(y.oid, null) as name from pg_catalog.pg_type y join space s on s.oid = y.typnamespace
        where y.typtype = 'd' and not exists (select from member m where m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and m.objid = y.oid)) y on y.oid = k.contypid and k.contypid <> 0,
    lateral (select coalesce(y.name, r.name) as on_what, case when k.contypid <> 0 then 'ALTER DOMAIN ' || y.name else 'ALTER TABLE ' || r.name end as altered) h
    where k.contype in ('c', 'f', 'p', 'u', 'x') and (r.class = 'table' or y.name is not null) and k.conparentid = 0 and (k.conislocal or k.coninhcount = 0)
    union all
    select 'index', x.oid::pg_catalog.regclass::text, 'INDEX ' || x.oid::pg_catalog.regclass::text, d.made, d.made, null, 'DROP INDEX ' || x.oid::pg_catalog.regclass::text,
        r.class || ' ' || r.name, 0, 'pg_catalog.pg_class'::pg_catalog.regclass::oid, x.oid, 0
    from relation r join pg_catalog.pg_index i on i.indrelid = r.oid join pg_catalog.pg_class x on x.oid = i.indexrelid,
    lateral (select case when x.relkind = 'I' then pg_catalog.replace(pg_catalog.pg_get_indexdef(x.oid), ' ON ONLY ', ' ON ') else pg_catalog.pg_get_indexdef(x.oid) end as made) d
    where not exists (select from pg_catalog.pg_constraint k where k.conindid = x.oid and k.contype in ('p', 'u', 'x'))
      and not exists (select from pg_catalog.pg_inherits h where h.inhrelid = x.oid)
    union all
    select 'trigger', r.name || '.' || pg_catalog.quote_ident(t.tgname), pg_catalog.format('TRIGGER %I ON %s', t.tgname, r.name), pg_catalog.pg_get_triggerdef(t.oid), pg_catalog.pg_get_triggerdef(t.oid), null,
        pg_catalog.format('DROP TRIGGER %I ON %s', t.tgname, r.name), r.class || ' ' || r.name, 0, 'pg_catalog.pg_trigger'::pg_catalog.regclass::oid, t.oid, 0
    from pg_catalog.pg_trigger t join relation r on r.oid = t.tgrelid where not t.tgisinternal and t.tgparentid = 0
    union all
    select 'rule', r.name || '.' || pg_catalog.quote_ident(w.rulename), pg_catalog.format('RULE %I ON %s', w.rulename, r.name), pg_catalog.rtrim(pg_catalog.pg_get_ruledef(w.oid), ';'), pg_catalog.pg_get_ruledef(w.oid), null,
        pg_catalog.format('DROP RULE %I ON %s', w.rulename, r.name), r.class || ' ' || r.name, 0, 'pg_catalog.pg_rewrite'::pg_catalog.regclass::oid, w.oid, 0
    from pg_catalog.pg_rewrite w join relation r on r.oid = w.ev_class where w.rulename <> '_RETURN'
    union all
    select 'policy', r.name || '.' || pg_catalog.quote_ident(p.polname), pg_catalog.format('POLICY %I ON %s', p.polname, r.name), d.made, d.made, null,
        pg_catalog.format('DROP POLICY %I ON %s', p.polname, r.name), r.class || ' ' || r.name, 0, 'pg_catalog.pg_policy'::pg_catalog.regclass::oid, p.oid, 0
    from pg_catalog.pg_policy p join relation r on r.oid = p.polrelid,
    lateral (select pg_catalog.format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.polname, r.name, case when p.polpermissive then 'PERMISSIVE' else 'RESTRICTIVE' end,
            case p.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' when 'w' then 'UPDATE' when 'd' then 'DELETE' else 'ALL' end,
            (select pg_catalog.string_agg(case o when 0 then 'PUBLIC' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(o)) end, ', ' order by o) from pg_catalog.unnest(p.polroles) o))
        || coalesce(' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', '') || coalesce(' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')', '') as made) d
    union all
    select 'statistics', n.name, 'STATISTICS ' || n.name, pg_catalog.pg_get_statisticsobjdef(x.oid), pg_catalog.pg_get_statisticsobjdef(x.oid), null, 'DROP STATISTICS ' || n.name,
        r.class || ' ' || r.name, 0, 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass::oid, x.oid, 0
    from pg_catalog.pg_statistic_ext x join relation r on r.oid = x.stxrelid,
    lateral (select x.stxnamespace::pg_catalog.regnamespace::text || '.' || pg_catalog.quote_ident(x.stxname) as name) n
)
select class, name, spoken, made, body, shape, dropped, parent, place::int4, catalog, object, part from item order by place, class collate "C", name collate "C"
