-- What things have besides their definition, for PostgreSQL 13 to 18, as the statement that gives it and the one that
-- takes it: one row for each, by the address of the thing in the catalogs. What `within` says stands in the statement
-- that makes the thing as well. A fact that has no second statement is changed by the first one alone.
with
granted (catalog, object, part, spoken, grantee, grantor, privileges, is_grantable, is_default) as (
    select x.catalog, x.object, x.part, x.spoken, a.grantee, a.grantor,
        pg_catalog.string_agg(a.privilege_type || coalesce(' (' || x.columns || ')', ''), ', ' order by a.privilege_type), a.is_grantable, x.is_default
    from (
        select 'pg_catalog.pg_namespace'::pg_catalog.regclass::oid as catalog, n.oid as object, 0 as part, 'SCHEMA ' || n.oid::pg_catalog.regnamespace::text as spoken, null::text as columns, v.acl, v.is_default
        from pg_catalog.pg_namespace n, lateral (values (coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner)), false), (pg_catalog.acldefault('n', n.nspowner), true)) v (acl, is_default)
        union all
        select 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, 0, case when c.relkind = 'S' then 'SEQUENCE ' else 'TABLE ' end || c.oid::pg_catalog.regclass::text, null, v.acl, v.is_default
        from pg_catalog.pg_class c, lateral (select case when c.relkind = 'S' then pg_catalog.acldefault('s', c.relowner) else pg_catalog.acldefault('r', c.relowner) end as usual) u,
            lateral (values (coalesce(c.relacl, u.usual), false), (u.usual, true)) v (acl, is_default)
        where c.relkind in ('r', 'p', 'v', 'm', 'S')
        union all
        select 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, a.attnum, 'TABLE ' || c.oid::pg_catalog.regclass::text, pg_catalog.quote_ident(a.attname), a.attacl, false
        from pg_catalog.pg_class c join pg_catalog.pg_attribute a on a.attrelid = c.oid where c.relkind in ('r', 'p', 'v', 'm') and a.attacl is not null
        union all
        select 'pg_catalog.pg_proc'::pg_catalog.regclass, f.oid, 0, case when f.prokind = 'p' then 'PROCEDURE ' else 'FUNCTION ' end || f.oid::pg_catalog.regprocedure::text, null, v.acl, v.is_default
        from pg_catalog.pg_proc f, lateral (values (coalesce(f.proacl, pg_catalog.acldefault('f', f.proowner)), false), (pg_catalog.acldefault('f', f.proowner), true)) v (acl, is_default)
        where f.oid >= 16384
        union all
        select 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 0, 'TYPE ' || pg_catalog.format_type(t.oid, null), null, v.acl, v.is_default
        from pg_catalog.pg_type t, lateral (values (coalesce(t.typacl, pg_catalog.acldefault('T', t.typowner)), false), (pg_catalog.acldefault('T', t.typowner), true)) v (acl, is_default)
        where t.oid >= 16384 and t.typtype in ('d', 'e', 'c', 'r')
    ) x, pg_catalog.aclexplode(x.acl) a
    group by x.catalog, x.object, x.part, x.spoken, x.columns, a.grantee, a.grantor, a.is_grantable, x.is_default
),
privilege (catalog, object, part, spoken, grantee, role, present, usual) as (
    select g.catalog, g.object, g.part, g.spoken, g.grantee, case g.grantee when 0 then 'PUBLIC' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) end,
        pg_catalog.string_agg(pg_catalog.format('GRANT %s ON %s TO %s%s', g.privileges, g.spoken, case g.grantee when 0 then 'PUBLIC' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) end,
            case when g.is_grantable then ' WITH GRANT OPTION' else '' end), E';\n' order by g.is_grantable, g.privileges) filter (where not g.is_default),
        pg_catalog.string_agg(pg_catalog.format('GRANT %s ON %s TO %s%s', g.privileges, g.spoken, case g.grantee when 0 then 'PUBLIC' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) end,
            case when g.is_grantable then ' WITH GRANT OPTION' else '' end), E';\n' order by g.is_grantable, g.privileges) filter (where g.is_default)
    from granted g group by 1, 2, 3, 4, 5, 6
),
relation as (
    select c.*, c.oid::pg_catalog.regclass::text as name, 'ALTER ' || case c.relkind when 'v' then 'VIEW ' when 'm' then 'MATERIALIZED VIEW ' when 'S' then 'SEQUENCE ' else 'TABLE ' end || c.oid::pg_catalog.regclass::text as altered,
        'pg_catalog.pg_class'::pg_catalog.regclass::oid as catalog
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'S') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
),
attribute as (
    select a.*, r.catalog, r.oid as relation, r.altered || ' ALTER COLUMN ' || pg_catalog.quote_ident(a.attname) as spoken, r.name || '.' || pg_catalog.quote_ident(a.attname) as name
    from relation r join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped where r.relkind in ('r', 'p')
),
option (catalog, object, altered, sort, names, words) as (
    select r.catalog, r.oid, r.altered, 'options', pg_catalog.string_agg(pg_catalog.split_part(o, '=', 1), ', ' order by o), pg_catalog.string_agg(o, ', ' order by o)
    from relation r, pg_catalog.unnest(r.reloptions) o group by 1, 2, 3
    union all
    select r.catalog, r.oid, r.altered, 'toast options', pg_catalog.string_agg('toast.' || pg_catalog.split_part(o, '=', 1), ', ' order by o), pg_catalog.string_agg('toast.' || o, ', ' order by o)
    from relation r join pg_catalog.pg_class t on t.oid = r.reltoastrelid, pg_catalog.unnest(t.reloptions) o group by 1, 2, 3
),
facet (catalog, object, part, name, gives, takes, is_within) as (
    -- Privileges that are other than those of a new thing.
    select p.catalog, p.object, case when p.part > 0 and r.relkind not in ('r', 'p') then 0 else p.part end, 'grants to ' || p.role || case when p.part > 0 then ' ' || p.part else '' end,
        pg_catalog.concat_ws(E';\n', case when p.usual is not null then pg_catalog.format('REVOKE ALL ON %s FROM %s', p.spoken, p.role) end, p.present),
        pg_catalog.concat_ws(E';\n', case when p.part > 0 then pg_catalog.replace(pg_catalog.replace(p.present, 'GRANT ', 'REVOKE '), ' TO ' || p.role, ' FROM ' || p.role) else pg_catalog.format('REVOKE ALL ON %s FROM %s', p.spoken, p.role) end, p.usual), false
    from privilege p left join pg_catalog.pg_class r on r.oid = p.object and p.catalog = 'pg_catalog.pg_class'::pg_catalog.regclass
    where p.present is distinct from p.usual
    union all
    select o.catalog, o.object, 0, o.sort, o.altered || ' SET (' || o.words || ')', o.altered || ' RESET (' || o.names || ')', false from option o
    union all
    select r.catalog, r.oid, 0, 'persistence', r.altered || ' SET UNLOGGED', r.altered || ' SET LOGGED', false from relation r where r.relkind = 'r' and r.relpersistence = 'u'
    union all
    select r.catalog, r.oid, 0, 'row level security', r.altered || ' ENABLE ROW LEVEL SECURITY', r.altered || ' DISABLE ROW LEVEL SECURITY', false from relation r where r.relrowsecurity
    union all
    select r.catalog, r.oid, 0, 'row level security, forced', r.altered || ' FORCE ROW LEVEL SECURITY', r.altered || ' NO FORCE ROW LEVEL SECURITY', false from relation r where r.relforcerowsecurity
    union all
    select r.catalog, r.oid, 0, 'replica identity', r.altered || ' REPLICA IDENTITY ' || case r.relreplident when 'f' then 'FULL' else 'NOTHING' end, r.altered || ' REPLICA IDENTITY DEFAULT', false
    from relation r where r.relreplident in ('f', 'n') and r.relkind in ('r', 'p')
    union all
    select r.catalog, r.oid, 0, 'numbers', r.altered || ' ' || s.words, '', true
    from relation r join lateral (select pg_catalog.format('AS %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s', pg_catalog.format_type(s.seqtypid, null),
            s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache, case when s.seqcycle then ' CYCLE' else ' NO CYCLE' end) as words
        from pg_catalog.pg_sequence s where s.seqrelid = r.oid) s on true
    union all
    select r.catalog, r.oid, 0, 'owned by', r.altered || ' OWNED BY ' || k.refobjid::pg_catalog.regclass::text || '.' || pg_catalog.quote_ident(a.attname), r.altered || ' OWNED BY NONE', false
    from relation r join pg_catalog.pg_depend k on k.classid = r.catalog and k.objid = r.oid and k.refclassid = r.catalog and k.deptype = 'a'
    join pg_catalog.pg_attribute a on a.attrelid = k.refobjid and a.attnum = k.refobjsubid where r.relkind = 'S'
    union all
    select a.catalog, a.relation, a.attnum, 'type', a.spoken || ' TYPE ' || w.type || w.collation || ' USING ' || pg_catalog.quote_ident(a.attname) || '::' || w.type, '', true
    from attribute a join pg_catalog.pg_type t on t.oid = a.atttypid,
    lateral (select pg_catalog.format_type(a.atttypid, a.atttypmod) as type, case when a.attcollation <> t.typcollation then ' COLLATE ' || a.attcollation::pg_catalog.regcollation::text else '' end as collation) w
    -- What a column inherits is changed where it comes from.
    where a.attislocal or a.attinhcount = 0
    union all
    select a.catalog, a.relation, a.attnum, 'default', a.spoken || ' SET DEFAULT ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.spoken || ' DROP DEFAULT', true
    from attribute a join pg_catalog.pg_attrdef d on d.adrelid = a.relation and d.adnum = a.attnum where a.attgenerated = ''
    union all
    select a.catalog, a.relation, a.attnum, 'identity', a.spoken || ' ADD GENERATED ' || case a.attidentity when 'a' then 'ALWAYS' else 'BY DEFAULT' end || ' AS IDENTITY (SEQUENCE NAME ' || q.seqrelid::pg_catalog.regclass::text
            || pg_catalog.format(' START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s%s)', q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache, case when q.seqcycle then ' CYCLE' else '' end),
        a.spoken || ' DROP IDENTITY', true
    from attribute a join pg_catalog.pg_depend k on k.classid = a.catalog and k.refclassid = a.catalog and k.refobjid = a.relation and k.refobjsubid = a.attnum and k.deptype = 'i'
    join pg_catalog.pg_sequence q on q.seqrelid = k.objid where a.attidentity <> ''
    union all
    select a.catalog, a.relation, a.attnum, 'not null', a.spoken || ' SET NOT NULL', a.spoken || ' DROP NOT NULL', true from attribute a where a.attnotnull
    union all
    select a.catalog, a.relation, a.attnum, 'storage', a.spoken || ' SET STORAGE ' || w.word, a.spoken || ' SET STORAGE ' || w.usual, false
    from attribute a join pg_catalog.pg_type t on t.oid = a.atttypid, lateral (select
        case a.attstorage when 'p' then 'PLAIN' when 'e' then 'EXTERNAL' when 'm' then 'MAIN' else 'EXTENDED' end as word,
        case t.typstorage when 'p' then 'PLAIN' when 'e' then 'EXTERNAL' when 'm' then 'MAIN' else 'EXTENDED' end as usual) w
    where a.attstorage <> t.typstorage
    union all
    select a.catalog, a.relation, a.attnum, 'compression', a.spoken || ' SET COMPRESSION ' || case pg_catalog.to_jsonb(a) ->> 'attcompression' when 'p' then 'pglz' else 'lz4' end, a.spoken || ' SET COMPRESSION default', false
    from attribute a where coalesce(pg_catalog.to_jsonb(a) ->> 'attcompression', '') <> ''
    union all
    select a.catalog, a.relation, a.attnum, 'statistics target', a.spoken || ' SET STATISTICS ' || (pg_catalog.to_jsonb(a) ->> 'attstattarget'), a.spoken || ' SET STATISTICS -1', false
    from attribute a where coalesce(pg_catalog.to_jsonb(a) ->> 'attstattarget', '-1') <> '-1'
    union all
    select a.catalog, a.relation, a.attnum, 'options', a.spoken || ' SET (' || o.words || ')', a.spoken || ' RESET (' || o.names || ')', false
    from attribute a join lateral (select pg_catalog.string_agg(pg_catalog.split_part(o, '=', 1), ', ' order by o) as names, pg_catalog.string_agg(o, ', ' order by o) as words
        from pg_catalog.unnest(a.attoptions) o) o on o.words is not null
    union all
    -- Columns of views are no things of their own.
    select r.catalog, r.oid, 0, 'comment on ' || a.attname, 'COMMENT ON COLUMN ' || r.name || '.' || pg_catalog.quote_ident(a.attname) || ' IS ' || pg_catalog.quote_literal(d.description),
        'COMMENT ON COLUMN ' || r.name || '.' || pg_catalog.quote_ident(a.attname) || ' IS NULL', false
    from relation r join pg_catalog.pg_attribute a on a.attrelid = r.oid join pg_catalog.pg_description d on d.classoid = r.catalog and d.objoid = r.oid and d.objsubid = a.attnum
    where r.relkind in ('v', 'm')
    union all
    select 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 0, 'default', 'ALTER DOMAIN ' || pg_catalog.format_type(t.oid, null) || ' SET DEFAULT ' || t.typdefault, 'ALTER DOMAIN ' || pg_catalog.format_type(t.oid, null) || ' DROP DEFAULT', true
    from pg_catalog.pg_type t where t.typtype = 'd' and t.typdefault is not null
    union all
    select 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 0, 'not null', 'ALTER DOMAIN ' || pg_catalog.format_type(t.oid, null) || ' SET NOT NULL', 'ALTER DOMAIN ' || pg_catalog.format_type(t.oid, null) || ' DROP NOT NULL', true
    from pg_catalog.pg_type t where t.typtype = 'd' and t.typnotnull
    union all
    select 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid, 0, 'validity', case when k.contypid = 0 then 'ALTER TABLE ' || k.conrelid::pg_catalog.regclass::text else 'ALTER DOMAIN ' || pg_catalog.format_type(k.contypid, null) end
        || pg_catalog.format(' VALIDATE CONSTRAINT %I', k.conname), '', true
    from pg_catalog.pg_constraint k where k.convalidated and k.contype in ('c', 'f')
    union all
    select x.catalog, i.indexrelid, 0, 'clustered', x.altered || pg_catalog.format(' CLUSTER ON %I', c.relname), x.altered || ' SET WITHOUT CLUSTER', false
    from relation x join pg_catalog.pg_index i on i.indrelid = x.oid join pg_catalog.pg_class c on c.oid = i.indexrelid where i.indisclustered
    union all
    select x.catalog, i.indexrelid, 0, 'replica identity', x.altered || pg_catalog.format(' REPLICA IDENTITY USING INDEX %I', c.relname), x.altered || ' REPLICA IDENTITY DEFAULT', false
    from relation x join pg_catalog.pg_index i on i.indrelid = x.oid join pg_catalog.pg_class c on c.oid = i.indexrelid where i.indisreplident
    union all
    select 'pg_catalog.pg_trigger'::pg_catalog.regclass, t.oid, 0, 'firing', w.altered || case t.tgenabled when 'D' then ' DISABLE' when 'R' then ' ENABLE REPLICA' else ' ENABLE ALWAYS' end || pg_catalog.format(' TRIGGER %I', t.tgname),
        w.altered || pg_catalog.format(' ENABLE TRIGGER %I', t.tgname), false
    from pg_catalog.pg_trigger t, lateral (select 'ALTER TABLE ' || t.tgrelid::pg_catalog.regclass::text as altered) w where t.tgenabled <> 'O' and not t.tgisinternal
    union all
    select 'pg_catalog.pg_rewrite'::pg_catalog.regclass, t.oid, 0, 'firing', w.altered || case t.ev_enabled when 'D' then ' DISABLE' when 'R' then ' ENABLE REPLICA' else ' ENABLE ALWAYS' end || pg_catalog.format(' RULE %I', t.rulename),
        w.altered || pg_catalog.format(' ENABLE RULE %I', t.rulename), false
    from pg_catalog.pg_rewrite t, lateral (select 'ALTER TABLE ' || t.ev_class::pg_catalog.regclass::text as altered) w where t.ev_enabled <> 'O' and t.rulename <> '_RETURN'
    union all
    select 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, x.oid, 0, 'statistics target', n.altered || ' SET STATISTICS ' || (pg_catalog.to_jsonb(x) ->> 'stxstattarget'), n.altered || ' SET STATISTICS -1', false
    from pg_catalog.pg_statistic_ext x, lateral (select 'ALTER STATISTICS ' || x.stxnamespace::pg_catalog.regnamespace::text || '.' || pg_catalog.quote_ident(x.stxname) as altered) n
    where coalesce(pg_catalog.to_jsonb(x) ->> 'stxstattarget', '-1') <> '-1'
)
select catalog, object, part::int4, name, gives, takes, is_within from facet
