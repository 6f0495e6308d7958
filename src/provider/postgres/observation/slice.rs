//! Reads what the catalogs say of the relations that a statement names, in the session that runs it. Talks to the server.
//!
//! Invariant: one question of the system's catalogs by name, which locks and reads no table of a user, and leaves nothing in
//! the session. It asks as cheaply as can be: it is asked before each statement of a rehearsal.

use tokio_postgres::{Client, Error};

use super::super::quoting;
use super::super::reuse::first_row;
use super::state::OF_USERS;
use crate::migration::catalog::Catalog;
use crate::migration::catalog::slice::names;
use crate::migration::statements::Statement;

/// How a name is written.
const PART: &str = "case when $ !~ '[^a-z0-9_]' then $::text else '\"' || replace($, '\"', '\"\"') || '\"' end";

/// The oids of the relations: those that are named, or have a column of a domain that is; their tables; their partners by
/// foreign key, parents and views; what is below any of these; and the indexes of all.
const NEAR: &str = "with recursive seed(oid) as (\
    select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
    where c.relname = any($names) and c.relkind in ('r', 'p', 'm', 'v', 'i', 'I', 'S', 'f') and $users $domains), \
    own(oid) as (select oid from seed union select indrelid from pg_catalog.pg_index where indexrelid in (select oid from seed)), \
    near(oid) as (select oid from own \
    union select confrelid from pg_catalog.pg_constraint where contype = 'f' and conrelid in (select oid from own) \
    union select conrelid from pg_catalog.pg_constraint where contype = 'f' and confrelid in (select oid from own) \
    union select inhparent from pg_catalog.pg_inherits where inhrelid in (select oid from own) \
    union select r.ev_class from pg_catalog.pg_depend d join pg_catalog.pg_rewrite r on r.oid = d.objid \
    where d.classid = 'pg_catalog.pg_rewrite'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass \
    and d.refobjid in (select oid from own)), \
    below(oid) as (select oid from near union select i.inhrelid from pg_catalog.pg_inherits i join below b on i.inhparent = b.oid), \
    every(oid) as (select oid from (select oid from below \
    union select indexrelid from pg_catalog.pg_index where indrelid in (select oid from below)) as e limit 400), \
    named as materialized (select c.*, $class as whole, n.nspname from every e join pg_catalog.pg_class c on c.oid = e.oid \
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace where $users)";

/// A domain that is named: its tables change with it.
const DOMAINS: &str = "union select a.attrelid from pg_catalog.pg_type t \
    join pg_catalog.pg_attribute a on a.atttypid = t.oid and a.attnum > 0 and not a.attisdropped \
    join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p', 'm') \
    where t.typtype = 'd' and t.typname = any($names)";

const COLUMNS: &str = "(select jsonb_object_agg(a.attname, jsonb_build_object('type_name', $type, 'modifiers', $modifiers, \
    'not_null', a.attnotnull and not exists (select from pg_catalog.pg_constraint k where k.conrelid = a.attrelid \
    and k.contype = 'n' and not k.convalidated and k.conkey = array[a.attnum]), \
    'generated', case a.attgenerated when 's' then 'stored' when 'v' then 'virtual' end, \
    'default', (select pg_catalog.pg_get_expr(f.adbin, f.adrelid) from pg_catalog.pg_attrdef f \
    where f.adrelid = a.attrelid and f.adnum = a.attnum and a.attgenerated = ''))) \
    from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid \
    join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace \
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'm', 'v', 'f'))";

/// The name of a type; of an array of a user's type, that type's.
const TYPE: &str = "case when tn.nspname = 'pg_catalog' then pg_catalog.format_type(t.oid, null) \
    when t.typelem <> 0 and t.typlen = -1 and t.typname like '\\_%' then $schema || '.' || $element || '[]' \
    else $schema || '.' || $typname end";

const MODIFIERS: &str = "case when a.atttypmod < 0 then '[]'::jsonb \
    when a.atttypid in (1043, 1042, 1015, 1014) then jsonb_build_array(a.atttypmod - 4) \
    when a.atttypid in (1700, 1231) then jsonb_build_array(((a.atttypmod - 4) >> 16) & 65535, \
    case when ((a.atttypmod - 4) & 2047) >= 1024 then ((a.atttypmod - 4) & 2047) - 2048 else (a.atttypmod - 4) & 2047 end) \
    else jsonb_build_array(a.atttypmod) end";

const CONSTRAINTS: &str = "(select jsonb_object_agg(k.conname, jsonb_build_object('kind', case k.contype when 'c' then 'check' \
    when 'n' then 'not_null' when 'f' then 'foreign_key' when 'p' then 'primary_key' when 'u' then 'unique' else 'exclude' end, \
    'columns', (select jsonb_agg(a.attname) from pg_catalog.pg_attribute a where a.attrelid = k.conrelid and a.attnum = any(k.conkey)), \
    'validated', k.convalidated, 'enforced', coalesce((to_jsonb(k) ->> 'conenforced')::bool, true), \
    'expression', pg_catalog.pg_get_expr(k.conbin, k.conrelid), \
    'references', case when k.contype = 'f' then jsonb_build_array((select m.whole from named m where m.oid = k.confrelid), \
    (select jsonb_agg(a.attname) from pg_catalog.pg_attribute a where a.attrelid = k.confrelid and a.attnum = any(k.confkey))) end, \
    'index', case when k.contype <> 'f' then (select m.whole from named m where m.oid = k.conindid) end)) \
    from pg_catalog.pg_constraint k where k.conrelid = c.oid and k.contype in ('c', 'n', 'f', 'p', 'u', 'x') \
    and (k.contype <> 'f' or k.confrelid in (select oid from named)))";

const INDEX: &str = "(select jsonb_build_object('table', (select m.whole from named m where m.oid = i.indrelid), \
    'columns', (select coalesce(jsonb_agg(a.attname), '[]') from pg_catalog.pg_attribute a where a.attrelid = i.indrelid and a.attnum > 0 \
    and (a.attnum = any(i.indkey::int2[]) or exists (select from pg_catalog.pg_depend d \
    where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = i.indexrelid \
    and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = i.indrelid and d.refobjsubid = a.attnum))), \
    'computed', i.indexprs is not null or i.indpred is not null, 'unique', i.indisunique, 'valid', i.indisvalid, \
    'keys', (select jsonb_agg(coalesce(a.attname, '') order by u.ord) from unnest(i.indkey::int2[]) with ordinality as u(num, ord) \
    left join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = u.num where u.ord <= i.indnkeyatts)) \
    from pg_catalog.pg_index i where i.indexrelid = c.oid and i.indrelid in (select oid from named))";

const REST: &str = "'parents', (select jsonb_agg(m.whole) from pg_catalog.pg_inherits i join named m on m.oid = i.inhparent where i.inhrelid = c.oid), \
    'children', (select jsonb_agg(m.whole) from pg_catalog.pg_inherits i join named m on m.oid = i.inhrelid where i.inhparent = c.oid), \
    'default_partition', exists (select from pg_catalog.pg_partitioned_table p where p.partdefid = c.oid), \
    'partition_key', (select jsonb_agg(coalesce(a.attname, '') order by u.ord) from pg_catalog.pg_partitioned_table p, \
    unnest(p.partattrs::int2[]) with ordinality as u(num, ord) left join pg_catalog.pg_attribute a \
    on a.attrelid = c.oid and a.attnum = u.num where p.partrelid = c.oid), \
    'seen_by', (select jsonb_object_agg(s.whole, s.columns) from (select m.whole, coalesce(jsonb_agg(distinct a.attname) \
    filter (where a.attname is not null), '[]') as columns from pg_catalog.pg_depend d join pg_catalog.pg_rewrite r on r.oid = d.objid \
    join named m on m.oid = r.ev_class and m.oid <> d.refobjid and m.relkind in ('v', 'm') \
    left join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid and a.attnum > 0 \
    where d.classid = 'pg_catalog.pg_rewrite'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = c.oid \
    group by m.whole) s)";

const DOMAIN: &str = "(select jsonb_object_agg($schema || '.' || $typname, jsonb_build_object( \
    'base', pg_catalog.format_type(t.typbasetype, null), 'constrained', t.typnotnull or exists (select from pg_catalog.pg_constraint k \
    where k.contypid = t.oid), 'pending', (select coalesce(jsonb_agg(k.conname), '[]') from pg_catalog.pg_constraint k \
    where k.contypid = t.oid and not k.convalidated))) from pg_catalog.pg_type t join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace \
    where t.typtype = 'd' and tn.nspname not in ('pg_catalog', 'information_schema') and (t.typname = any($names) \
    or t.oid in (select a.atttypid from pg_catalog.pg_attribute a where a.attrelid in (select oid from named))))";

/// What is said of the relations that a statement names.
///
/// # Errors
/// As the server says.
pub async fn read(session: &Client, statement: &Statement) -> Result<Option<Catalog>, Error> {
    let row = first_row(session, &question(statement)).await?;
    Ok(row.and_then(|row| row.get(0).and_then(|text| serde_json::from_str(text).ok())))
}

fn question(statement: &Statement) -> String {
    let said: Vec<String> = names(statement).into_iter().map(quoting::literal).collect();
    let part = |expression: &str| PART.replace('$', expression);
    let types = |text: &str| {
        text.replace("$schema", &part("tn.nspname"))
            .replace("$element", &part("substr(t.typname, 2)"))
            .replace("$typname", &part("t.typname"))
    };
    let near = NEAR.replace("$class", &format!("{} || '.' || {}", part("n.nspname"), part("c.relname")));
    let columns = COLUMNS.replace("$type", &types(TYPE)).replace("$modifiers", MODIFIERS);
    let names_domain = ["alter", "drop", "create"].iter().any(|word| statement.starts_with(&[word, "domain"]));
    let text = format!(
        "{near} select jsonb_strip_nulls(jsonb_build_object('search_path', to_jsonb(pg_catalog.current_schemas(false)), \
         'utc', pg_catalog.current_setting('TimeZone') in ('UTC', 'Etc/UTC', 'GMT', 'Etc/GMT', 'UCT', 'Zulu', 'Universal'), \
         'relations', (select jsonb_object_agg(c.whole, jsonb_build_object('kind', case c.relkind when 'r' then 'table' \
         when 'p' then 'partitioned' when 'i' then 'index' when 'I' then 'partitioned_index' when 'v' then 'view' \
         when 'm' then 'materialized_view' when 'S' then 'sequence' when 'f' then 'foreign' else 'composite' end, \
         'unlogged', c.relpersistence = 'u', 'columns', {columns}, 'constraints', {CONSTRAINTS}, 'index', {INDEX}, {REST})) \
         from named c), 'domains', {}))::text",
        types(DOMAIN)
    );
    text.replace("$domains", if names_domain { DOMAINS } else { "" })
        .replace("$users", OF_USERS)
        .replace("$names", &format!("array[{}]::name[]", said.join(", ")))
}
