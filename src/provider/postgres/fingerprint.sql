-- Everything that tells one schema from another, one line per fact, for PostgreSQL 13 to 18.
-- Columns of the catalogs that not every version has are read through to_jsonb.
with
space as (
    select n.* from pg_catalog.pg_namespace n
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
),
member as (
    select d.classid, d.objid from pg_catalog.pg_depend d where d.deptype = 'e'
),
hidden as (
    select c.oid from pg_catalog.pg_class c where c.relname in ('refinery_schema_history', 'flyway_schema_history', '_sqlx_migrations', 'schema_migrations', 'switchback_texts', 'switchback_fence') and c.relkind in ('r', 'p')
),
relation as (
    select c.*, pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(c.relname) as name
    from pg_catalog.pg_class c
    join space s on s.oid = c.relnamespace
    left join pg_catalog.pg_index i on i.indexrelid = c.oid
    where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f', 'c', 'i', 'I')
      and c.oid not in (select oid from hidden)
      and coalesce(i.indrelid, 0) not in (select oid from hidden)
      and not exists (select from member m where m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and m.objid = coalesce(i.indrelid, c.oid))
),
line (text) as (
    select pg_catalog.concat_ws(' | ', 'schema', s.nspname, 'owner ' || pg_catalog.pg_get_userbyid(s.nspowner),
        'grants ' || (select pg_catalog.string_agg(g::text, ',' order by g::text collate "C") from pg_catalog.unnest(coalesce(s.nspacl, pg_catalog.acldefault('n', s.nspowner))) g),
        'comment ' || pg_catalog.obj_description(s.oid, 'pg_namespace'))
    from space s
    where not exists (select from member m where m.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass and m.objid = s.oid)
    union all
    select pg_catalog.concat_ws(' | ', 'relation', r.name, r.relkind, 'persistence ' || r.relpersistence::text,
        'owner ' || pg_catalog.pg_get_userbyid(r.relowner),
        'grants ' || (select pg_catalog.string_agg(g::text, ',' order by g::text collate "C")
            from pg_catalog.unnest(coalesce(r.relacl, case when r.relkind in ('r', 'p', 'v', 'm', 'f') then pg_catalog.acldefault('r', r.relowner) when r.relkind = 'S' then pg_catalog.acldefault('s', r.relowner) end)) g),
        'options ' || (select pg_catalog.string_agg(o, ',' order by o collate "C") from pg_catalog.unnest(r.reloptions) o),
        'toast ' || (select pg_catalog.string_agg(o, ',' order by o collate "C") from pg_catalog.pg_class t, pg_catalog.unnest(t.reloptions) o where t.oid = r.reltoastrelid),
        'access ' || (select a.amname from pg_catalog.pg_am a where a.oid = r.relam),
        'tablespace ' || (select t.spcname from pg_catalog.pg_tablespace t where t.oid = r.reltablespace),
        'row security ' || nullif(r.relrowsecurity::text || '/' || r.relforcerowsecurity::text, 'false/false'),
        'replica identity ' || case when r.relkind in ('r', 'p') then nullif(r.relreplident::text, 'd') end,
        'of ' || case when r.reloftype <> 0 then pg_catalog.format_type(r.reloftype, null) end,
        'partitioned ' || case when r.relkind = 'p' then pg_catalog.pg_get_partkeydef(r.oid) end,
        'bound ' || pg_catalog.pg_get_expr(r.relpartbound, r.oid),
        'parents ' || (select pg_catalog.string_agg(i.inhparent::pg_catalog.regclass::text, ',' order by i.inhseqno) from pg_catalog.pg_inherits i where i.inhrelid = r.oid),
        'definition ' || case when r.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(r.oid) end,
        'populated ' || case when r.relkind = 'm' then r.relispopulated::text end,
        'server ' || (select s.srvname || ' ' || coalesce(f.ftoptions::text, '') from pg_catalog.pg_foreign_table f join pg_catalog.pg_foreign_server s on s.oid = f.ftserver where f.ftrelid = r.oid),
        'comment ' || pg_catalog.obj_description(r.oid, 'pg_class'))
    from relation r
    union all
    select pg_catalog.concat_ws(' | ', 'column', r.name, pg_catalog.lpad(a.place::text, 4, '0'), pg_catalog.quote_ident(a.attname),
        pg_catalog.format_type(a.atttypid, a.atttypmod),
        'collation ' || case when a.attcollation <> t.typcollation then a.attcollation::pg_catalog.regcollation::text end,
        case when a.attnotnull then 'not null' end,
        case when a.attgenerated <> '' then 'generated ' || a.attgenerated::text || ' ' else 'default ' end || pg_catalog.pg_get_expr(d.adbin, d.adrelid),
        'identity ' || nullif(a.attidentity::text, ''),
        'storage ' || a.attstorage::text,
        'compression ' || nullif(pg_catalog.to_jsonb(a) ->> 'attcompression', ''),
        'statistics ' || nullif(pg_catalog.to_jsonb(a) ->> 'attstattarget', '-1'),
        'options ' || (select pg_catalog.string_agg(o, ',' order by o collate "C") from pg_catalog.unnest(a.attoptions) o where o !~ '^pg_attver='),
        'foreign options ' || a.attfdwoptions::text,
        'grants ' || (select pg_catalog.string_agg(g::text, ',' order by g::text collate "C") from pg_catalog.unnest(a.attacl) g),
        'inherited ' || nullif(a.attislocal::text || '/' || a.attinhcount::text, 'true/0'),
        'comment ' || pg_catalog.col_description(r.oid, a.attnum))
    from relation r
    join lateral (
        select b.*, pg_catalog.row_number() over (order by b.attnum) as place
        from pg_catalog.pg_attribute b where b.attrelid = r.oid and b.attnum > 0 and not b.attisdropped
    ) a on true
    left join pg_catalog.pg_type t on t.oid = a.atttypid
    left join pg_catalog.pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
    where r.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
    union all
    select pg_catalog.concat_ws(' | ', 'constraint', coalesce(r.name, pg_catalog.format_type(c.contypid, null)), pg_catalog.quote_ident(c.conname), c.contype,
        pg_catalog.pg_get_constraintdef(c.oid), case when not c.convalidated then 'not valid' end,
        'enforced ' || (pg_catalog.to_jsonb(c) ->> 'conenforced'),
        'deferrable ' || nullif(c.condeferrable::text || '/' || c.condeferred::text, 'false/false'),
        'inherited ' || nullif(c.conislocal::text || '/' || c.coninhcount::text || '/' || c.connoinherit::text, 'true/0/false'),
        'comment ' || pg_catalog.obj_description(c.oid, 'pg_constraint'))
    from pg_catalog.pg_constraint c
    join space s on s.oid = c.connamespace
    left join relation r on r.oid = c.conrelid
    where (c.conrelid = 0 or r.oid is not null) and (c.contypid = 0 or not exists (
        select from member m where m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and m.objid = c.contypid))
    union all
    select pg_catalog.concat_ws(' | ', 'index', r.name, pg_catalog.pg_get_indexdef(i.indexrelid),
        case when i.indisvalid then 'valid' else 'INVALID' end, case when not i.indisready then 'not ready' end, case when not i.indislive then 'not live' end,
        case when i.indisclustered then 'clustered' end, case when i.indisreplident then 'replica identity' end,
        case when not i.indimmediate then 'deferrable' end, case when i.indisprimary then 'primary' end,
        'statistics ' || (select pg_catalog.string_agg(a.attnum || '=' || (pg_catalog.to_jsonb(a) ->> 'attstattarget'), ',' order by a.attnum)
            from pg_catalog.pg_attribute a where a.attrelid = i.indexrelid and coalesce(pg_catalog.to_jsonb(a) ->> 'attstattarget', '-1') <> '-1'))
    from relation r join pg_catalog.pg_index i on i.indexrelid = r.oid
    union all
    select pg_catalog.concat_ws(' | ', 'trigger', r.name, pg_catalog.quote_ident(t.tgname), pg_catalog.pg_get_triggerdef(t.oid), 'enabled ' || t.tgenabled::text,
        'comment ' || pg_catalog.obj_description(t.oid, 'pg_trigger'))
    from pg_catalog.pg_trigger t join relation r on r.oid = t.tgrelid where not t.tgisinternal
    union all
    select pg_catalog.concat_ws(' | ', 'rule', r.name, pg_catalog.quote_ident(w.rulename), pg_catalog.pg_get_ruledef(w.oid), 'enabled ' || w.ev_enabled::text,
        'comment ' || pg_catalog.obj_description(w.oid, 'pg_rewrite'))
    from pg_catalog.pg_rewrite w join relation r on r.oid = w.ev_class where w.rulename <> '_RETURN'
    union all
    select pg_catalog.concat_ws(' | ', 'policy', r.name, pg_catalog.quote_ident(p.polname), p.polcmd, 'permissive ' || p.polpermissive::text,
        'roles ' || (select pg_catalog.string_agg(case when o = 0 then 'public' else pg_catalog.pg_get_userbyid(o)::text end, ',' order by o) from pg_catalog.unnest(p.polroles) o),
        'using ' || pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid),
        'comment ' || pg_catalog.obj_description(p.oid, 'pg_policy'))
    from pg_catalog.pg_policy p join relation r on r.oid = p.polrelid
    union all
    select pg_catalog.concat_ws(' | ', 'function', f.oid::pg_catalog.regprocedure::text, f.prokind, 'owner ' || pg_catalog.pg_get_userbyid(f.proowner),
        'grants ' || (select pg_catalog.string_agg(g::text, ',' order by g::text collate "C") from pg_catalog.unnest(coalesce(f.proacl, pg_catalog.acldefault('f', f.proowner))) g),
        'definition ' || case when f.prokind <> 'a' then pg_catalog.pg_get_functiondef(f.oid) end,
        'aggregate ' || case when f.prokind = 'a' then pg_catalog.pg_get_function_result(f.oid) || ' ' ||
            (select pg_catalog.row_to_json(a)::text from (select g.aggtransfn::text, g.aggfinalfn::text, g.aggcombinefn::text, g.aggtranstype::pg_catalog.regtype::text, g.agginitval, g.aggkind, g.aggnumdirectargs from pg_catalog.pg_aggregate g where g.aggfnoid = f.oid) a) end,
        'comment ' || pg_catalog.obj_description(f.oid, 'pg_proc'))
    from pg_catalog.pg_proc f join space s on s.oid = f.pronamespace
    where not exists (select from member m where m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and m.objid = f.oid)
    union all
    select pg_catalog.concat_ws(' | ', 'type', pg_catalog.format_type(t.oid, null), t.typtype, 'owner ' || pg_catalog.pg_get_userbyid(t.typowner),
        'grants ' || (select pg_catalog.string_agg(g::text, ',' order by g::text collate "C") from pg_catalog.unnest(coalesce(t.typacl, pg_catalog.acldefault('T', t.typowner))) g),
        'labels ' || (select pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ',' order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid),
        'base ' || case when t.typtype = 'd' then pg_catalog.format_type(t.typbasetype, t.typtypmod) || case when t.typnotnull then ' not null' else '' end
            || coalesce(' default ' || t.typdefault, '') || ' collation ' || t.typcollation::pg_catalog.regcollation::text end,
        'range ' || (select pg_catalog.format_type(g.rngsubtype, null) || ' ' || g.rngcollation::pg_catalog.regcollation::text || ' ' || g.rngcanonical::text || ' ' || g.rngsubdiff::text from pg_catalog.pg_range g where g.rngtypid = t.oid),
        'base functions ' || case when t.typtype = 'b' then pg_catalog.concat_ws(',', t.typinput::text, t.typoutput::text, t.typlen, t.typstorage, t.typcategory) end,
        'comment ' || pg_catalog.obj_description(t.oid, 'pg_type'))
    from pg_catalog.pg_type t join space s on s.oid = t.typnamespace
    left join pg_catalog.pg_class c on c.oid = t.typrelid
    where (t.typrelid = 0 or c.relkind = 'c')
      and not exists (select from pg_catalog.pg_type e where e.typarray = t.oid)
      and not exists (select from member m where m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and m.objid = t.oid)
    union all
    select pg_catalog.concat_ws(' | ', 'sequence', r.name, pg_catalog.format_type(q.seqtypid, null),
        'start ' || q.seqstart, 'increment ' || q.seqincrement, 'minimum ' || q.seqmin, 'maximum ' || q.seqmax, 'cache ' || q.seqcache, 'cycle ' || q.seqcycle::text,
        'owned by ' || (select pg_catalog.string_agg(d.refobjid::pg_catalog.regclass::text || '.' || pg_catalog.quote_ident(a.attname) || ' ' || d.deptype::text, ',')
            from pg_catalog.pg_depend d join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
            where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = r.oid and d.refobjsubid > 0 and d.deptype in ('a', 'i')))
    from relation r join pg_catalog.pg_sequence q on q.seqrelid = r.oid
    union all
    select pg_catalog.concat_ws(' | ', 'extension', e.extname, e.extversion, 'schema ' || n.nspname, 'comment ' || pg_catalog.obj_description(e.oid, 'pg_extension'))
    from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace
    union all
    select pg_catalog.concat_ws(' | ', 'statistics', s.nspname || '.' || x.stxname, pg_catalog.pg_get_statisticsobjdef(x.oid), 'owner ' || pg_catalog.pg_get_userbyid(x.stxowner),
        'target ' || nullif(pg_catalog.to_jsonb(x) ->> 'stxstattarget', '-1'), 'comment ' || pg_catalog.obj_description(x.oid, 'pg_statistic_ext'))
    from pg_catalog.pg_statistic_ext x join space s on s.oid = x.stxnamespace
    union all
    select pg_catalog.concat_ws(' | ', 'default grants', pg_catalog.pg_get_userbyid(d.defaclrole), coalesce(n.nspname, '(any)'), d.defaclobjtype,
        (select pg_catalog.string_agg(g::text, ',' order by g::text collate "C") from pg_catalog.unnest(d.defaclacl) g))
    from pg_catalog.pg_default_acl d left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace
    union all
    select pg_catalog.concat_ws(' | ', 'setting', coalesce(pg_catalog.quote_ident(r.rolname), '(any role)'),
        (select pg_catalog.string_agg(c, ',' order by c collate "C") from pg_catalog.unnest(x.setconfig) c))
    from pg_catalog.pg_db_role_setting x left join pg_catalog.pg_roles r on r.oid = x.setrole
    where x.setdatabase = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
    union all
    select pg_catalog.concat_ws(' | ', 'event trigger', e.evtname, e.evtevent, e.evtfoid::pg_catalog.regprocedure::text, 'enabled ' || e.evtenabled::text, e.evttags::text, 'owner ' || pg_catalog.pg_get_userbyid(e.evtowner))
    from pg_catalog.pg_event_trigger e
    union all
    select pg_catalog.concat_ws(' | ', 'publication', p.pubname, 'owner ' || pg_catalog.pg_get_userbyid(p.pubowner), (pg_catalog.to_jsonb(p) - 'oid' - 'pubowner')::text,
        'tables ' || (select pg_catalog.string_agg(t.schemaname || '.' || t.tablename, ',' order by t.schemaname, t.tablename) from pg_catalog.pg_publication_tables t where t.pubname = p.pubname))
    from pg_catalog.pg_publication p
    union all
    select pg_catalog.concat_ws(' | ', 'operator', o.oid::pg_catalog.regoperator::text, o.oprcode::text, o.oprresult::pg_catalog.regtype::text, o.oprcom::pg_catalog.regoper::text, o.oprnegate::pg_catalog.regoper::text, o.oprrest::text, o.oprjoin::text)
    from pg_catalog.pg_operator o join space s on s.oid = o.oprnamespace
    where not exists (select from member m where m.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass and m.objid = o.oid)
    union all
    select pg_catalog.concat_ws(' | ', 'operator class', s.nspname || '.' || o.opcname, a.amname, pg_catalog.format_type(o.opcintype, null), 'default ' || o.opcdefault::text, f.opfname)
    from pg_catalog.pg_opclass o join space s on s.oid = o.opcnamespace join pg_catalog.pg_am a on a.oid = o.opcmethod join pg_catalog.pg_opfamily f on f.oid = o.opcfamily
    where not exists (select from member m where m.classid = 'pg_catalog.pg_opclass'::pg_catalog.regclass and m.objid = o.oid)
    union all
    select pg_catalog.concat_ws(' | ', 'cast', pg_catalog.format_type(c.castsource, null), pg_catalog.format_type(c.casttarget, null), c.castfunc::pg_catalog.regprocedure::text, c.castcontext, c.castmethod)
    from pg_catalog.pg_cast c
    where c.oid >= 16384 and not exists (select from member m where m.classid = 'pg_catalog.pg_cast'::pg_catalog.regclass and m.objid = c.oid)
    union all
    select pg_catalog.concat_ws(' | ', 'collation', s.nspname || '.' || c.collname, (pg_catalog.to_jsonb(c) - 'oid' - 'collnamespace' - 'collowner' - 'collversion')::text, 'owner ' || pg_catalog.pg_get_userbyid(c.collowner))
    from pg_catalog.pg_collation c join space s on s.oid = c.collnamespace
    where not exists (select from member m where m.classid = 'pg_catalog.pg_collation'::pg_catalog.regclass and m.objid = c.oid)
    union all
    select pg_catalog.concat_ws(' | ', 'text search configuration', s.nspname || '.' || t.cfgname, 'owner ' || pg_catalog.pg_get_userbyid(t.cfgowner),
        (select pg_catalog.string_agg(m.maptokentype || ':' || m.mapdict::pg_catalog.regdictionary::text, ',' order by m.maptokentype, m.mapseqno) from pg_catalog.pg_ts_config_map m where m.mapcfg = t.oid))
    from pg_catalog.pg_ts_config t join space s on s.oid = t.cfgnamespace
    union all
    select pg_catalog.concat_ws(' | ', 'text search dictionary', s.nspname || '.' || t.dictname, 'owner ' || pg_catalog.pg_get_userbyid(t.dictowner), t.dictinitoption)
    from pg_catalog.pg_ts_dict t join space s on s.oid = t.dictnamespace
    where not exists (select from member m where m.classid = 'pg_catalog.pg_ts_dict'::pg_catalog.regclass and m.objid = t.oid)
    union all
    select pg_catalog.concat_ws(' | ', 'foreign server', f.srvname, w.fdwname, f.srvtype, f.srvversion, 'owner ' || pg_catalog.pg_get_userbyid(f.srvowner), f.srvacl::text)
    from pg_catalog.pg_foreign_server f join pg_catalog.pg_foreign_data_wrapper w on w.oid = f.srvfdw
)
select l.text from line l order by l.text collate "C"
