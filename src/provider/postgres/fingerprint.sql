-- Everything that tells one schema from another, for PostgreSQL 13 to 18: one row for each thing (what sort of thing,
-- what it belongs to, its name) with its facts. A fact that is a list is a set, but for the labels of an enum.
-- Columns of the catalogs that not every version has are read through to_jsonb. Comments are read where they are: a call
-- of obj_description for each thing takes half of the time. $1 are tables that are not looked at.
with
space as (
    select n.* from pg_catalog.pg_namespace n
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
),
member as (
    select d.classid, d.objid from pg_catalog.pg_depend d where d.deptype = 'e'
),
hidden as (
    select c.oid from pg_catalog.pg_class c where c.relname = any ($1::text[]) and c.relkind in ('r', 'p')
),
relation as (
    select c.*, pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(c.relname) as name,
        case c.relkind when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view' when 'm' then 'materialized view'
            when 'S' then 'sequence' when 'f' then 'foreign table' when 'c' then 'composite type' end as sort
    from pg_catalog.pg_class c
    join space s on s.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f', 'c')
      and c.oid not in (select oid from hidden)
      -- The sequence of a hidden table's column goes with it.
      and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid
            and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and c.relkind = 'S' and d.deptype in ('a', 'i') and d.refobjid in (select oid from hidden))
      and not exists (select from member m where m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and m.objid = c.oid)
),
thing (sort, place, name, facts) as (
    select 'database', null::text, 'itself', pg_catalog.jsonb_build_object(
        'owner', pg_catalog.pg_get_userbyid(b.datdba),
        'grants', (select pg_catalog.jsonb_agg(g::text order by g::text collate "C") from pg_catalog.unnest(coalesce(b.datacl, pg_catalog.acldefault('d', b.datdba))) g),
        'connection limit', nullif(b.datconnlimit, -1),
        'comment', pg_catalog.shobj_description(b.oid, 'pg_database'))
    from pg_catalog.pg_database b where b.datname = pg_catalog.current_database()
    union all
    select 'schema', null, pg_catalog.quote_ident(s.nspname), pg_catalog.jsonb_build_object(
        'owner', pg_catalog.pg_get_userbyid(s.nspowner),
        'grants', (select pg_catalog.jsonb_agg(g::text order by g::text collate "C") from pg_catalog.unnest(coalesce(s.nspacl, pg_catalog.acldefault('n', s.nspowner))) g),
        'comment', (select said.description from pg_catalog.pg_description said where said.objoid = s.oid and said.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass and said.objsubid = 0))
    from space s
    where not exists (select from member m where m.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass and m.objid = s.oid)
    union all
    select r.sort, null, r.name, pg_catalog.jsonb_build_object(
        'persistence', case r.relpersistence when 'u' then 'unlogged' end,
        'owner', pg_catalog.pg_get_userbyid(r.relowner),
        'grants', (select pg_catalog.jsonb_agg(g::text order by g::text collate "C")
            from pg_catalog.unnest(coalesce(r.relacl, case when r.relkind in ('r', 'p', 'v', 'm', 'f') then pg_catalog.acldefault('r', r.relowner) when r.relkind = 'S' then pg_catalog.acldefault('s', r.relowner) end)) g),
        'options', (select pg_catalog.jsonb_agg(o order by o collate "C") from pg_catalog.unnest(r.reloptions) o),
        'toast options', (select pg_catalog.jsonb_agg(o order by o collate "C") from pg_catalog.pg_class t, pg_catalog.unnest(t.reloptions) o where t.oid = r.reltoastrelid),
        'access method', (select a.amname from pg_catalog.pg_am a where a.oid = r.relam),
        'tablespace', (select t.spcname from pg_catalog.pg_tablespace t where t.oid = r.reltablespace),
        'row level security', case when r.relrowsecurity then 'enabled' end,
        'forced row level security', case when r.relforcerowsecurity then 'enabled' end,
        'replica identity', case when r.relkind in ('r', 'p') then case r.relreplident when 'f' then 'full' when 'n' then 'nothing' when 'i' then 'an index' end end,
        'of type', case when r.reloftype <> 0 then pg_catalog.format_type(r.reloftype, null) end,
        'partition key', case when r.relkind = 'p' then pg_catalog.pg_get_partkeydef(r.oid) end,
        'partition bound', pg_catalog.pg_get_expr(r.relpartbound, r.oid),
        'parents', (select pg_catalog.string_agg(i.inhparent::pg_catalog.regclass::text, ', ' order by i.inhseqno) from pg_catalog.pg_inherits i where i.inhrelid = r.oid),
        'detaching', (select true from pg_catalog.pg_inherits i where i.inhrelid = r.oid and pg_catalog.to_jsonb(i) ->> 'inhdetachpending' = 'true'),
        'definition', case when r.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(r.oid) end,
        'populated', case when r.relkind = 'm' then r.relispopulated end,
        'foreign server', (select s.srvname || ' ' || coalesce(f.ftoptions::text, '') from pg_catalog.pg_foreign_table f join pg_catalog.pg_foreign_server s on s.oid = f.ftserver where f.ftrelid = r.oid),
        -- DISABLE TRIGGER ALL turns the server's own ones off as well, which check foreign keys.
        'internal triggers', (select pg_catalog.string_agg(pg_catalog.quote_ident(k.conname) || ' ' || t.tgenabled::text, ', ' order by k.conname, t.tgtype, t.tgenabled)
            from pg_catalog.pg_trigger t join pg_catalog.pg_constraint k on k.oid = t.tgconstraint where t.tgrelid = r.oid and t.tgisinternal and t.tgenabled <> 'O'),
        'security label', (select pg_catalog.string_agg(l.provider || ' ' || l.label, ', ' order by l.provider) from pg_catalog.pg_seclabel l where l.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and l.objoid = r.oid),
        'comment', (select said.description from pg_catalog.pg_description said where said.objoid = r.oid and said.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and said.objsubid = 0))
    from relation r
    union all
    select 'column', r.sort || ' ' || r.name, pg_catalog.quote_ident(a.attname), pg_catalog.jsonb_build_object(
        'position', a.place,
        'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
        'collation', case when a.attcollation <> t.typcollation then a.attcollation::pg_catalog.regcollation::text end,
        'NOT NULL', case when a.attnotnull then true end,
        'DEFAULT', case when a.attgenerated = '' then pg_catalog.pg_get_expr(d.adbin, d.adrelid) end,
        'generated', case when a.attgenerated <> '' then case a.attgenerated when 's' then 'stored ' else 'virtual ' end || pg_catalog.pg_get_expr(d.adbin, d.adrelid) end,
        'identity', case a.attidentity when 'a' then 'always' when 'd' then 'by default' end,
        'storage', case a.attstorage when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' when 'x' then 'extended' end,
        'compression', nullif(pg_catalog.to_jsonb(a) ->> 'attcompression', ''),
        'statistics target', nullif(a.attstattarget, -1)::text,
        'options', (select pg_catalog.jsonb_agg(o order by o collate "C") from pg_catalog.unnest(a.attoptions) o where o !~ '^pg_attver='),
        'foreign options', a.attfdwoptions::text,
        'grants', (select pg_catalog.jsonb_agg(g::text order by g::text collate "C") from pg_catalog.unnest(a.attacl) g),
        'inherited', nullif(a.attislocal::text || '/' || a.attinhcount::text, 'true/0'),
        'comment', (select said.description from pg_catalog.pg_description said where said.objoid = r.oid and said.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and said.objsubid = a.attnum))
    from relation r
    join lateral (
        select b.*, pg_catalog.row_number() over (order by b.attnum) as place
        from pg_catalog.pg_attribute b where b.attrelid = r.oid and b.attnum > 0 and not b.attisdropped
    ) a on true
    left join pg_catalog.pg_type t on t.oid = a.atttypid
    left join pg_catalog.pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
    where r.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
    union all
    select 'constraint', coalesce(r.sort || ' ' || r.name, 'domain ' || pg_catalog.format_type(c.contypid, null)), pg_catalog.quote_ident(c.conname), pg_catalog.jsonb_build_object(
        'kind', case c.contype when 'c' then 'check' when 'f' then 'foreign key' when 'p' then 'primary key' when 'u' then 'unique' when 'x' then 'exclusion' when 't' then 'trigger' when 'n' then 'not null' end,
        'definition', pg_catalog.pg_get_constraintdef(c.oid),
        'validity', case when not c.convalidated then 'not valid' end,
        'enforcement', case when pg_catalog.to_jsonb(c) ->> 'conenforced' = 'false' then 'not enforced' end,
        'deferrability', case when c.condeferrable then case when c.condeferred then 'initially deferred' else 'deferrable' end end,
        'inherited', nullif(c.conislocal::text || '/' || c.coninhcount::text || '/' || c.connoinherit::text, case when c.contype in ('p', 'u', 'x', 'f') then 'true/0/true' else 'true/0/false' end),
        'comment', (select said.description from pg_catalog.pg_description said where said.objoid = c.oid and said.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass and said.objsubid = 0))
    from pg_catalog.pg_constraint c
    join space s on s.oid = c.connamespace
    left join relation r on r.oid = c.conrelid
    where (c.conrelid = 0 or r.oid is not null) and (c.contypid = 0 or not exists (
        select from member m where m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and m.objid = c.contypid))
    union all
    select 'index', r.sort || ' ' || r.name, pg_catalog.quote_ident(x.relname), pg_catalog.jsonb_build_object(
        'definition', pg_catalog.pg_get_indexdef(i.indexrelid),
        'method', (select a.amname from pg_catalog.pg_am a where a.oid = x.relam),
        'validity', case when not i.indisvalid then 'INVALID' end, 'readiness', case when not i.indisready then 'not ready' end, 'liveness', case when not i.indislive then 'not live' end,
        'clustered', case when i.indisclustered then true end, 'replica identity', case when i.indisreplident then true end,
        'deferrable', case when not i.indimmediate then true end, 'primary', case when i.indisprimary then true end,
        'parents', (select pg_catalog.string_agg(h.inhparent::pg_catalog.regclass::text, ', ' order by h.inhseqno) from pg_catalog.pg_inherits h where h.inhrelid = i.indexrelid),
        'tablespace', (select t.spcname from pg_catalog.pg_tablespace t where t.oid = x.reltablespace),
        'options', (select pg_catalog.jsonb_agg(o order by o collate "C") from pg_catalog.unnest(x.reloptions) o),
        'statistics target', (select pg_catalog.string_agg(a.attnum || '=' || a.attstattarget, ', ' order by a.attnum)
            from pg_catalog.pg_attribute a where a.attrelid = i.indexrelid and a.attstattarget <> -1),
        'comment', (select said.description from pg_catalog.pg_description said where said.objoid = i.indexrelid and said.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and said.objsubid = 0))
    from relation r join pg_catalog.pg_index i on i.indrelid = r.oid join pg_catalog.pg_class x on x.oid = i.indexrelid
    union all
    select 'trigger', r.sort || ' ' || r.name, pg_catalog.quote_ident(t.tgname), pg_catalog.jsonb_build_object(
        'definition', pg_catalog.pg_get_triggerdef(t.oid),
        'firing', case t.tgenabled when 'D' then 'disabled' when 'R' then 'on replicas' when 'A' then 'always' else 'enabled' end,
        'comment', (select said.description from pg_catalog.pg_description said where said.objoid = t.oid and said.classoid = 'pg_catalog.pg_trigger'::pg_catalog.regclass and said.objsubid = 0))
    from pg_catalog.pg_trigger t join relation r on r.oid = t.tgrelid where not t.tgisinternal
    union all
    select 'rule', r.sort || ' ' || r.name, pg_catalog.quote_ident(w.rulename), pg_catalog.jsonb_build_object(
        'definition', pg_catalog.pg_get_ruledef(w.oid),
        'firing', case w.ev_enabled when 'D' then 'disabled' when 'R' then 'on replicas' when 'A' then 'always' else 'enabled' end,
        'comment', (select said.description from pg_catalog.pg_description said where said.objoid = w.oid and said.classoid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and said.objsubid = 0))
    from pg_catalog.pg_rewrite w join relation r on r.oid = w.ev_class where w.rulename <> '_RETURN'
    union all
    select 'policy', r.sort || ' ' || r.name, pg_catalog.quote_ident(p.polname), pg_catalog.jsonb_build_object(
        'command', case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
        'kind', case when p.polpermissive then 'permissive' else 'restrictive' end,
        'roles', (select pg_catalog.jsonb_agg(n order by n) from (select case when o = 0 then 'public' else pg_catalog.pg_get_userbyid(o)::text end collate "C" as n from pg_catalog.unnest(p.polroles) o) as names),
        'USING', pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'WITH CHECK', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid),
        'comment', (select said.description from pg_catalog.pg_description said where said.objoid = p.oid and said.classoid = 'pg_catalog.pg_policy'::pg_catalog.regclass and said.objsubid = 0))
    from pg_catalog.pg_policy p join relation r on r.oid = p.polrelid
    union all
    select case f.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end, null, f.oid::pg_catalog.regprocedure::text, pg_catalog.jsonb_build_object(
        'owner', pg_catalog.pg_get_userbyid(f.proowner),
        'grants', (select pg_catalog.jsonb_agg(g::text order by g::text collate "C") from pg_catalog.unnest(coalesce(f.proacl, pg_catalog.acldefault('f', f.proowner))) g),
        'definition', case when f.prokind <> 'a' then pg_catalog.pg_get_functiondef(f.oid) end,
        'aggregate', case when f.prokind = 'a' then pg_catalog.pg_get_function_result(f.oid) || ' ' ||
            (select pg_catalog.row_to_json(a)::text from (select g.aggtransfn::text, g.aggfinalfn::text, g.aggcombinefn::text, g.aggserialfn::text, g.aggdeserialfn::text, g.aggmtransfn::text, g.aggminvtransfn::text,
                g.aggmfinalfn::text, g.aggsortop::pg_catalog.regoperator::text, g.aggtranstype::pg_catalog.regtype::text, g.agginitval, g.aggkind, g.aggnumdirectargs from pg_catalog.pg_aggregate g where g.aggfnoid = f.oid) a) end,
        'depends on extensions', (select pg_catalog.string_agg(e.extname, ', ' order by e.extname) from pg_catalog.pg_depend d join pg_catalog.pg_extension e on e.oid = d.refobjid
            where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = f.oid and d.deptype = 'x'),
        'comment', (select said.description from pg_catalog.pg_description said where said.objoid = f.oid and said.classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass and said.objsubid = 0))
    from pg_catalog.pg_proc f join space s on s.oid = f.pronamespace
    where not exists (select from member m where m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and m.objid = f.oid)
    union all
    select case t.typtype when 'd' then 'domain' when 'e' then 'enum' when 'c' then 'composite type' else 'type' end, null,
        case t.typtype when 'c' then pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(t.typname) else pg_catalog.format_type(t.oid, null) end, pg_catalog.jsonb_build_object(
        'kind', t.typtype,
        'owner', pg_catalog.pg_get_userbyid(t.typowner),
        'grants', (select pg_catalog.jsonb_agg(g::text order by g::text collate "C") from pg_catalog.unnest(coalesce(t.typacl, pg_catalog.acldefault('T', t.typowner))) g),
        'labels', (select pg_catalog.jsonb_agg(e.enumlabel order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid),
        'base type', case when t.typtype = 'd' then pg_catalog.format_type(t.typbasetype, t.typtypmod) end,
        'NOT NULL', case when t.typtype = 'd' and t.typnotnull then true end,
        'DEFAULT', t.typdefault,
        'collation', case when t.typtype = 'd' and t.typcollation <> 0 then t.typcollation::pg_catalog.regcollation::text end,
        'range', (select pg_catalog.concat_ws(' ', pg_catalog.format_type(g.rngsubtype, null), g.rngcollation::pg_catalog.regcollation::text, g.rngcanonical::text, g.rngsubdiff::text) from pg_catalog.pg_range g where g.rngtypid = t.oid),
        'base functions', case when t.typtype = 'b' then pg_catalog.concat_ws(',', t.typinput::text, t.typoutput::text, t.typlen, t.typstorage, t.typcategory) end,
        'comment', (select said.description from pg_catalog.pg_description said where said.objoid = t.oid and said.classoid = 'pg_catalog.pg_type'::pg_catalog.regclass and said.objsubid = 0))
    from pg_catalog.pg_type t join space s on s.oid = t.typnamespace
    left join pg_catalog.pg_class c on c.oid = t.typrelid
    where (t.typrelid = 0 or c.relkind = 'c')
      and not exists (select from pg_catalog.pg_type e where e.typarray = t.oid)
      and not exists (select from member m where m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and m.objid = t.oid)
    union all
    select 'sequence', null, r.name, pg_catalog.jsonb_build_object(
        'type', pg_catalog.format_type(q.seqtypid, null),
        'start', q.seqstart, 'increment', q.seqincrement, 'minimum', q.seqmin, 'maximum', q.seqmax, 'cache', q.seqcache, 'cycle', case when q.seqcycle then true end,
        'owned by', (select pg_catalog.string_agg(d.refobjid::pg_catalog.regclass::text || '.' || pg_catalog.quote_ident(a.attname) || case d.deptype when 'i' then ' (identity)' else '' end, ', ')
            from pg_catalog.pg_depend d join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
            where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = r.oid and d.refobjsubid > 0 and d.deptype in ('a', 'i')))
    from relation r join pg_catalog.pg_sequence q on q.seqrelid = r.oid
    union all
    select 'extension', null, pg_catalog.quote_ident(e.extname), pg_catalog.jsonb_build_object('version', e.extversion, 'schema', n.nspname, 'comment', (select said.description from pg_catalog.pg_description said where said.objoid = e.oid and said.classoid = 'pg_catalog.pg_extension'::pg_catalog.regclass and said.objsubid = 0))
    from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace
    union all
    select 'statistics object', null, pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(x.stxname), pg_catalog.jsonb_build_object(
        'definition', pg_catalog.pg_get_statisticsobjdef(x.oid), 'owner', pg_catalog.pg_get_userbyid(x.stxowner),
        'statistics target', nullif(pg_catalog.to_jsonb(x) ->> 'stxstattarget', '-1'), 'comment', (select said.description from pg_catalog.pg_description said where said.objoid = x.oid and said.classoid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass and said.objsubid = 0))
    from pg_catalog.pg_statistic_ext x join space s on s.oid = x.stxnamespace
    union all
    select 'default privileges', null, pg_catalog.concat_ws(' ', 'of', pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(d.defaclrole)), 'in ' || pg_catalog.quote_ident(n.nspname), 'on',
            case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types' when 'n' then 'schemas' else d.defaclobjtype::text end),
        pg_catalog.jsonb_build_object('grants', (select pg_catalog.jsonb_agg(g::text order by g::text collate "C") from pg_catalog.unnest(d.defaclacl) g))
    from pg_catalog.pg_default_acl d left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace
    union all
    select 'setting', null, 'of ' || coalesce(pg_catalog.quote_ident(r.rolname), 'any role') || ' in this database', pg_catalog.jsonb_build_object(
        'values', (select pg_catalog.jsonb_agg(c order by c collate "C") from pg_catalog.unnest(x.setconfig) c))
    from pg_catalog.pg_db_role_setting x left join pg_catalog.pg_roles r on r.oid = x.setrole
    where x.setdatabase = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
    union all
    select 'event trigger', null, pg_catalog.quote_ident(e.evtname), pg_catalog.jsonb_build_object('event', e.evtevent, 'function', e.evtfoid::pg_catalog.regprocedure::text, 'firing', e.evtenabled, 'tags', e.evttags::text,
        'owner', pg_catalog.pg_get_userbyid(e.evtowner), 'comment', (select said.description from pg_catalog.pg_description said where said.objoid = e.oid and said.classoid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass and said.objsubid = 0))
    from pg_catalog.pg_event_trigger e
    union all
    select 'publication', null, pg_catalog.quote_ident(p.pubname), pg_catalog.jsonb_build_object('owner', pg_catalog.pg_get_userbyid(p.pubowner), 'options', (pg_catalog.to_jsonb(p) - 'oid' - 'pubowner' - 'pubname')::text,
        'tables', (select pg_catalog.jsonb_agg(w order by w) from (select pg_catalog.concat_ws(' ', pg_catalog.quote_ident(t.schemaname) || '.' || pg_catalog.quote_ident(t.tablename),
            '(' || (pg_catalog.to_jsonb(t) ->> 'attnames') || ')', 'where ' || (pg_catalog.to_jsonb(t) ->> 'rowfilter')) collate "C" as w
            from pg_catalog.pg_publication_tables t where t.pubname = p.pubname and not t.tablename = any ($1::text[])) as tables),
        'comment', (select said.description from pg_catalog.pg_description said where said.objoid = p.oid and said.classoid = 'pg_catalog.pg_publication'::pg_catalog.regclass and said.objsubid = 0))
    from pg_catalog.pg_publication p
    union all
    select 'operator', null, o.oid::pg_catalog.regoperator::text, pg_catalog.jsonb_build_object('function', o.oprcode::text, 'result', o.oprresult::pg_catalog.regtype::text, 'commutator', o.oprcom::pg_catalog.regoper::text,
        'negator', o.oprnegate::pg_catalog.regoper::text, 'restriction', o.oprrest::text, 'join', o.oprjoin::text, 'merges', o.oprcanmerge, 'hashes', o.oprcanhash,
        'owner', pg_catalog.pg_get_userbyid(o.oprowner), 'comment', (select said.description from pg_catalog.pg_description said where said.objoid = o.oid and said.classoid = 'pg_catalog.pg_operator'::pg_catalog.regclass and said.objsubid = 0))
    from pg_catalog.pg_operator o join space s on s.oid = o.oprnamespace
    where not exists (select from member m where m.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass and m.objid = o.oid)
    union all
    select 'operator class', null, pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(o.opcname) || ' using ' || a.amname, pg_catalog.jsonb_build_object(
        'type', pg_catalog.format_type(o.opcintype, null), 'default', o.opcdefault, 'family', f.opfname,
        'members', (select pg_catalog.jsonb_agg(w order by w) from (
            select (p.amopstrategy || ' ' || p.amopopr::pg_catalog.regoperator::text) collate "C" as w from pg_catalog.pg_amop p where p.amopfamily = o.opcfamily and p.amoplefttype = o.opcintype
            union all select (p.amprocnum || ' ' || p.amproc::pg_catalog.regprocedure::text) collate "C" from pg_catalog.pg_amproc p where p.amprocfamily = o.opcfamily and p.amproclefttype = o.opcintype) as members),
        'owner', pg_catalog.pg_get_userbyid(o.opcowner), 'comment', (select said.description from pg_catalog.pg_description said where said.objoid = o.oid and said.classoid = 'pg_catalog.pg_opclass'::pg_catalog.regclass and said.objsubid = 0))
    from pg_catalog.pg_opclass o join space s on s.oid = o.opcnamespace join pg_catalog.pg_am a on a.oid = o.opcmethod join pg_catalog.pg_opfamily f on f.oid = o.opcfamily
    where not exists (select from member m where m.classid = 'pg_catalog.pg_opclass'::pg_catalog.regclass and m.objid = o.oid)
    union all
    select 'operator family', null, pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(f.opfname) || ' using ' || a.amname, pg_catalog.jsonb_build_object('owner', pg_catalog.pg_get_userbyid(f.opfowner))
    from pg_catalog.pg_opfamily f join space s on s.oid = f.opfnamespace join pg_catalog.pg_am a on a.oid = f.opfmethod
    where not exists (select from member m where m.classid = 'pg_catalog.pg_opfamily'::pg_catalog.regclass and m.objid = f.oid)
    union all
    select 'cast', null, pg_catalog.format_type(c.castsource, null) || ' to ' || pg_catalog.format_type(c.casttarget, null), pg_catalog.jsonb_build_object(
        'function', c.castfunc::pg_catalog.regprocedure::text, 'context', c.castcontext, 'method', c.castmethod, 'comment', (select said.description from pg_catalog.pg_description said where said.objoid = c.oid and said.classoid = 'pg_catalog.pg_cast'::pg_catalog.regclass and said.objsubid = 0))
    from pg_catalog.pg_cast c
    where c.oid >= 16384 and not exists (select from member m where m.classid = 'pg_catalog.pg_cast'::pg_catalog.regclass and m.objid = c.oid)
    union all
    select 'collation', null, pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(c.collname), pg_catalog.jsonb_build_object(
        'definition', (pg_catalog.to_jsonb(c) - 'oid' - 'collname' - 'collnamespace' - 'collowner' - 'collversion')::text, 'owner', pg_catalog.pg_get_userbyid(c.collowner), 'comment', (select said.description from pg_catalog.pg_description said where said.objoid = c.oid and said.classoid = 'pg_catalog.pg_collation'::pg_catalog.regclass and said.objsubid = 0))
    from pg_catalog.pg_collation c join space s on s.oid = c.collnamespace
    where not exists (select from member m where m.classid = 'pg_catalog.pg_collation'::pg_catalog.regclass and m.objid = c.oid)
    union all
    select 'conversion', null, pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(c.conname), pg_catalog.jsonb_build_object(
        'function', c.conproc::text, 'from', c.conforencoding, 'to', c.contoencoding, 'default', c.condefault, 'owner', pg_catalog.pg_get_userbyid(c.conowner))
    from pg_catalog.pg_conversion c join space s on s.oid = c.connamespace
    union all
    select 'text search configuration', null, pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(t.cfgname), pg_catalog.jsonb_build_object('owner', pg_catalog.pg_get_userbyid(t.cfgowner),
        'parser', (select p.prsname from pg_catalog.pg_ts_parser p where p.oid = t.cfgparser),
        'mappings', (select pg_catalog.string_agg(m.maptokentype || ':' || m.mapdict::pg_catalog.regdictionary::text, ', ' order by m.maptokentype, m.mapseqno) from pg_catalog.pg_ts_config_map m where m.mapcfg = t.oid),
        'comment', (select said.description from pg_catalog.pg_description said where said.objoid = t.oid and said.classoid = 'pg_catalog.pg_ts_config'::pg_catalog.regclass and said.objsubid = 0))
    from pg_catalog.pg_ts_config t join space s on s.oid = t.cfgnamespace
    union all
    select 'text search dictionary', null, pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(t.dictname), pg_catalog.jsonb_build_object('owner', pg_catalog.pg_get_userbyid(t.dictowner), 'options', t.dictinitoption,
        'template', (select p.tmplname from pg_catalog.pg_ts_template p where p.oid = t.dicttemplate), 'comment', (select said.description from pg_catalog.pg_description said where said.objoid = t.oid and said.classoid = 'pg_catalog.pg_ts_dict'::pg_catalog.regclass and said.objsubid = 0))
    from pg_catalog.pg_ts_dict t join space s on s.oid = t.dictnamespace
    where not exists (select from member m where m.classid = 'pg_catalog.pg_ts_dict'::pg_catalog.regclass and m.objid = t.oid)
    union all
    select 'foreign data wrapper', null, pg_catalog.quote_ident(w.fdwname), pg_catalog.jsonb_build_object('owner', pg_catalog.pg_get_userbyid(w.fdwowner), 'options', w.fdwoptions::text, 'grants', w.fdwacl::text)
    from pg_catalog.pg_foreign_data_wrapper w
    where not exists (select from member m where m.classid = 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass and m.objid = w.oid)
    union all
    select 'foreign server', null, pg_catalog.quote_ident(f.srvname), pg_catalog.jsonb_build_object('wrapper', w.fdwname, 'type', f.srvtype, 'version', f.srvversion, 'options', f.srvoptions::text,
        'owner', pg_catalog.pg_get_userbyid(f.srvowner), 'grants', f.srvacl::text, 'comment', (select said.description from pg_catalog.pg_description said where said.objoid = f.oid and said.classoid = 'pg_catalog.pg_foreign_server'::pg_catalog.regclass and said.objsubid = 0),
        'users', (select pg_catalog.string_agg(u.usename, ', ' order by u.usename) from pg_catalog.pg_user_mappings u where u.srvid = f.oid))
    from pg_catalog.pg_foreign_server f join pg_catalog.pg_foreign_data_wrapper w on w.oid = f.srvfdw
    union all
    select 'language', null, pg_catalog.quote_ident(l.lanname), pg_catalog.jsonb_build_object('owner', pg_catalog.pg_get_userbyid(l.lanowner), 'trusted', l.lanpltrusted,
        'grants', (select pg_catalog.jsonb_agg(g::text order by g::text collate "C") from pg_catalog.unnest(coalesce(l.lanacl, pg_catalog.acldefault('l', l.lanowner))) g))
    from pg_catalog.pg_language l where l.lanispl
    union all
    select 'access method', null, pg_catalog.quote_ident(a.amname), pg_catalog.jsonb_build_object('handler', a.amhandler::text, 'kind', a.amtype)
    from pg_catalog.pg_am a where a.oid >= 16384 and not exists (select from member m where m.classid = 'pg_catalog.pg_am'::pg_catalog.regclass and m.objid = a.oid)
    union all
    select 'transform', null, 'for ' || pg_catalog.format_type(t.trftype, null) || ' in ' || l.lanname, pg_catalog.jsonb_build_object('from', t.trffromsql::text, 'to', t.trftosql::text)
    from pg_catalog.pg_transform t join pg_catalog.pg_language l on l.oid = t.trflang
    where not exists (select from member m where m.classid = 'pg_catalog.pg_transform'::pg_catalog.regclass and m.objid = t.oid)
)
select t.sort, t.place, t.name, pg_catalog.jsonb_strip_nulls(t.facts)::text from thing t order by t.sort collate "C", t.place collate "C", t.name collate "C"
