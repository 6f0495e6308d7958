//! What makes a thing again that has nothing but its definition. Talks to the server.
//!
//! Invariant: comment, owner and grants come with it, and every name with its schema.

use tokio_postgres::{Client, Error};

use super::super::quoting::literal;
use super::place::{Place, find, spoken, whole, words};
use super::{grants, relation};
use crate::migration::derive::{Answer, Object, identifier, last, quoted};

/// What makes it again.
///
/// # Errors
/// As the server says.
pub async fn of(client: &Client, object: &Object) -> Result<Answer, Error> {
    let Some(place) = find(client, object).await? else { return Ok(Answer::Absent) };
    let dress = dress(client, object, place).await?;
    let path = relation::leave_path(client).await?;
    let made = made(client, object, place).await;
    relation::take_path(client, &path).await?;
    Ok(match made? {
        Made::Again(text) => Answer::Text([text].into_iter().chain(dress).collect::<Vec<_>>().join(";\n")),
        Made::Replaced(text) => Answer::Text(text),
        Made::Not(why) => Answer::Cannot(why),
    })
}

enum Made {
    /// By this; comment, owner and grants follow.
    Again(String),
    /// In place, where these stay.
    Replaced(String),
    /// Not at all.
    Not(String),
}

/// Comment, owner and grants.
async fn dress(client: &Client, object: &Object, place: Place) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    if let Some(words) = words(client, place).await? {
        found.push(format!("COMMENT ON {} IS {}", spoken(object), literal(&words)));
    }
    if matches!(
        object.class,
        "view" | "materialized view" | "type" | "domain" | "schema" | "statistics object" | "function" | "procedure"
    ) {
        if let Answer::Text(text) = super::place::owner(client, object).await? {
            found.push(text);
        }
        found.push(grants::all(client, object).await?);
    }
    if matches!(object.class, "view" | "materialized view") {
        let statement = "select a.attname::text, d.description from pg_catalog.pg_description d \
                         join pg_catalog.pg_attribute a on a.attrelid = d.objoid and a.attnum = d.objsubid \
                         where d.classoid = $1 and d.objoid = $2 and d.objsubid > 0 order by a.attnum";
        for row in client.query(statement, &[&place.class, &place.object]).await? {
            let (column, words) = (identifier(&row.get::<_, String>(0)), literal(&row.get::<_, String>(1)));
            found.push(format!("COMMENT ON COLUMN {}.{column} IS {words}", quoted(&object.name)));
        }
    }
    found.retain(|text| !text.is_empty());
    Ok(found)
}

async fn one(client: &Client, statement: &str, place: Place) -> Result<Option<String>, Error> {
    Ok(client.query_opt(statement, &[&place.object]).await?.and_then(|row| row.get(0)))
}

fn again(text: Option<String>) -> Made {
    match text {
        Some(text) => Made::Again(text.trim_end().trim_end_matches(';').to_owned()),
        None => Made::Not("its definition cannot be read back".to_owned()),
    }
}

async fn made(client: &Client, object: &Object, place: Place) -> Result<Made, Error> {
    let name = quoted(&object.name);
    Ok(match object.class {
        "view" => view(client, &name, place).await?,
        "materialized view" => materialized_view(client, &name, place).await?,
        "index" => index(client, place).await?,
        "function" | "procedure" | "routine" => function(client, place).await?,
        "table constraint" => {
            let statement = "select pg_catalog.pg_get_constraintdef(oid) from pg_catalog.pg_constraint where oid = $1";
            let made = one(client, statement, place).await?;
            let (table, part) = (whole(&object.name), identifier(&last(&object.name)));
            again(made.map(|definition| format!("ALTER TABLE {table} ADD CONSTRAINT {part} {definition}")))
        }
        "domain constraint" => {
            let statement = "select pg_catalog.pg_get_constraintdef(oid) from pg_catalog.pg_constraint where oid = $1";
            let made = one(client, statement, place).await?;
            let (domain, part) = (whole(&object.name), identifier(&last(&object.name)));
            again(made.map(|definition| format!("ALTER DOMAIN {domain} ADD CONSTRAINT {part} {definition}")))
        }
        "trigger" => {
            let statement = "select pg_catalog.pg_get_triggerdef(oid) || case tgenabled when 'O' then '' else \
                pg_catalog.format(E';\\nALTER TABLE %s %s TRIGGER %I', tgrelid::regclass, \
                case tgenabled when 'D' then 'DISABLE' when 'A' then 'ENABLE ALWAYS' else 'ENABLE REPLICA' end, tgname) end \
                from pg_catalog.pg_trigger where oid = $1";
            again(one(client, statement, place).await?)
        }
        "rule" => again(one(client, "select pg_catalog.pg_get_ruledef($1)", place).await?),
        "policy" => again(one(client, POLICY, place).await?),
        "statistics object" => {
            let statement = "select pg_catalog.pg_get_statisticsobjdef(oid) || case coalesce(pg_catalog.to_jsonb(s) ->> 'stxstattarget', '-1') \
                when '-1' then '' else pg_catalog.format(E';\\nALTER STATISTICS %I.%I SET STATISTICS %s', \
                stxnamespace::regnamespace, stxname, pg_catalog.to_jsonb(s) ->> 'stxstattarget') end \
                from pg_catalog.pg_statistic_ext s where oid = $1";
            again(one(client, statement, place).await?)
        }
        "type" => again(one(client, TYPE, place).await?),
        "domain" => again(one(client, DOMAIN, place).await?),
        "schema" => again(Some(format!("CREATE SCHEMA {name}"))),
        other => Made::Not(format!("the definition of a {other} is not read back")),
    })
}

const POLICY: &str = "select pg_catalog.format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname, p.polrelid::regclass, \
    case when p.polpermissive then 'PERMISSIVE' else 'RESTRICTIVE' end, \
    case p.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' when 'w' then 'UPDATE' when 'd' then 'DELETE' else 'ALL' end, \
    (select pg_catalog.string_agg(case o when 0 then 'PUBLIC' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(o)) end, ', ') \
        from pg_catalog.unnest(p.polroles) o), \
    ' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', \
    ' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')') from pg_catalog.pg_policy p where p.oid = $1";

const TYPE: &str = "select case t.typtype when 'e' then pg_catalog.format('CREATE TYPE %s AS ENUM (%s)', t.oid::regtype, \
        (select pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' order by e.enumsortorder) \
         from pg_catalog.pg_enum e where e.enumtypid = t.oid)) \
    when 'c' then pg_catalog.format('CREATE TYPE %s AS (%s)', t.oid::regtype, \
        (select pg_catalog.string_agg(pg_catalog.format('%I %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)) || \
            case when a.attcollation <> y.typcollation then ' COLLATE ' || a.attcollation::regcollation else '' end, ', ' order by a.attnum) \
         from pg_catalog.pg_attribute a join pg_catalog.pg_type y on y.oid = a.atttypid \
         where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped)) end \
    from pg_catalog.pg_type t where t.oid = $1";

const DOMAIN: &str = "select pg_catalog.format('CREATE DOMAIN %s AS %s%s%s', t.oid::regtype, pg_catalog.format_type(t.typbasetype, t.typtypmod), \
        coalesce(' DEFAULT ' || t.typdefault, ''), case when t.typnotnull then ' NOT NULL' else '' end) || \
    coalesce((select pg_catalog.string_agg(pg_catalog.format(E';\\nALTER DOMAIN %s ADD CONSTRAINT %I %s', t.oid::regtype, k.conname, \
        pg_catalog.pg_get_constraintdef(k.oid)), '' order by k.conname) from pg_catalog.pg_constraint k \
        where k.contypid = t.oid and k.contype = 'c'), '') \
    from pg_catalog.pg_type t where t.oid = $1 and t.typtype = 'd'";

/// A view on which something else rests can only be replaced in place.
async fn view(client: &Client, name: &str, place: Place) -> Result<Made, Error> {
    let statement = "select pg_catalog.pg_get_viewdef(c.oid), pg_catalog.array_to_string(c.reloptions, ', '), \
        exists (select from pg_catalog.pg_depend d left join pg_catalog.pg_rewrite w \
            on d.classid = 'pg_catalog.pg_rewrite'::regclass and w.oid = d.objid \
            where d.refobjid = c.oid and d.deptype = 'n' and w.ev_class is distinct from c.oid) \
        or exists (select from pg_catalog.pg_trigger g where g.tgrelid = c.oid) \
        or exists (select from pg_catalog.pg_rewrite w where w.ev_class = c.oid and w.rulename <> '_RETURN') \
        from pg_catalog.pg_class c where c.oid = $1";
    let Some(row) = client.query_opt(statement, &[&place.object]).await? else {
        return Ok(Made::Not("it is no view".to_owned()));
    };
    let definition: String = row.get(0);
    let options: Option<String> = row.get(1);
    let options = options.map(|options| format!(" WITH ({options})")).unwrap_or_default();
    let text = format!("VIEW {name}{options} AS\n{}", definition.trim_end().trim_end_matches(';'));
    Ok(match row.get(2) {
        true => Made::Replaced(format!("CREATE OR REPLACE {text}")),
        false => Made::Again(format!("CREATE {text}")),
    })
}

async fn materialized_view(client: &Client, name: &str, place: Place) -> Result<Made, Error> {
    let statement = "select pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), E'; \\n'), c.relispopulated, \
        (select pg_catalog.string_agg(E';\\n' || pg_catalog.pg_get_indexdef(i.indexrelid), '' order by i.indexrelid) \
         from pg_catalog.pg_index i where i.indrelid = c.oid), pg_catalog.array_to_string(c.reloptions, ', ') \
        from pg_catalog.pg_class c where c.oid = $1";
    let row = client.query_one(statement, &[&place.object]).await?;
    let data = if row.get(1) { "WITH DATA" } else { "WITH NO DATA" };
    let indexes = row.get::<_, Option<String>>(2).unwrap_or_default();
    let options = row.get::<_, Option<String>>(3).map(|options| format!(" WITH ({options})")).unwrap_or_default();
    let definition: String = row.get(0);
    Ok(Made::Again(format!("CREATE MATERIALIZED VIEW {name}{options} AS\n{definition}\n{data}{indexes}")))
}

async fn index(client: &Client, place: Place) -> Result<Made, Error> {
    let statement = "select pg_catalog.pg_get_indexdef(i.indexrelid) || \
        case when i.indisclustered then pg_catalog.format(E';\\nALTER TABLE %s CLUSTER ON %I', i.indrelid::regclass, c.relname) else '' end || \
        case when i.indisreplident then pg_catalog.format(E';\\nALTER TABLE %s REPLICA IDENTITY USING INDEX %I', i.indrelid::regclass, c.relname) else '' end || \
        coalesce((select pg_catalog.string_agg(pg_catalog.format(E';\\nALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', \
            i.indexrelid::regclass, a.attnum, pg_catalog.to_jsonb(a) ->> 'attstattarget'), '' order by a.attnum) from pg_catalog.pg_attribute a \
            where a.attrelid = i.indexrelid and coalesce(pg_catalog.to_jsonb(a) ->> 'attstattarget', '-1') <> '-1'), '') \
        from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid where i.indexrelid = $1";
    Ok(again(one(client, statement, place).await?))
}

async fn function(client: &Client, place: Place) -> Result<Made, Error> {
    let statement =
        "select pg_catalog.pg_get_functiondef(oid) from pg_catalog.pg_proc where oid = $1 and prokind <> 'a'";
    Ok(match one(client, statement, place).await? {
        Some(text) => again(Some(text)),
        None => Made::Not("an aggregate cannot be read back".to_owned()),
    })
}
