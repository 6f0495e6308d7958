//! Where in the catalogs a thing is that a statement names, and what hangs on every sort of thing: comment, owner,
//! schema. Talks to the server.
//!
//! Invariant: a name leads where it leads the session that asks, under its own search path.

use tokio_postgres::{Client, Error};

use super::super::quoting::literal;
use crate::migration::derive::{Answer, Object, identifier, last, quoted, schema};

/// A row of a catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The catalog.
    pub class: u32,
    /// The row.
    pub object: u32,
    /// The column of a relation, or 0.
    pub part: i32,
}

/// The whole that a part is of, quoted: of `app.t.c`, `"app"."t"`.
pub fn whole(name: &str) -> String {
    schema(name).trim_end_matches('.').to_owned()
}

/// Whether a class is one of relations.
pub fn is_relation(class: &str) -> bool {
    ["table", "view", "materialized view", "index", "sequence", "foreign table"].contains(&class)
}

/// Where it is; nothing when it is not there.
///
/// # Errors
/// As the server says.
pub async fn find(client: &Client, object: &Object) -> Result<Option<Place>, Error> {
    let name = quoted(&object.name);
    let (whole, part) = (whole(&object.name), last(&object.name));
    let by_name = |catalog: &str, function: &str| {
        format!("select '{catalog}', {function}($1)::oid, 0 where $2::text is not null")
    };
    let on_table = |catalog: &str, table: &str, name: &str| {
        format!("select '{catalog}', oid, 0 from pg_catalog.{catalog} where {table} = to_regclass($1) and {name} = $2")
    };
    let (statement, one, two) = match object.class {
        class if is_relation(class) => (by_name("pg_class", "to_regclass"), name, part),
        "table column" => (
            "select 'pg_class', a.attrelid, a.attnum::int4 from pg_catalog.pg_attribute a \
             where a.attrelid = to_regclass($1) and a.attname = $2 and not a.attisdropped"
                .to_owned(),
            whole,
            part,
        ),
        "function" | "procedure" | "routine" | "aggregate" => match &object.arguments {
            Some(types) => {
                (by_name("pg_proc", "to_regprocedure"), format!("{name}({})", types.join(",")), part)
            }
            None => (by_name("pg_proc", "to_regproc"), name, part),
        },
        "type" | "domain" => (by_name("pg_type", "to_regtype"), name, part),
        "schema" => (by_name("pg_namespace", "to_regnamespace"), name, part),
        "table constraint" => (on_table("pg_constraint", "conrelid", "conname"), whole, part),
        "domain constraint" => (
            "select 'pg_constraint', oid, 0 from pg_catalog.pg_constraint where contypid = to_regtype($1) and conname = $2"
                .to_owned(),
            whole,
            part,
        ),
        "trigger" => (on_table("pg_trigger", "tgrelid", "tgname"), whole, part),
        "policy" => (on_table("pg_policy", "polrelid", "polname"), whole, part),
        "rule" => (on_table("pg_rewrite", "ev_class", "rulename"), whole, part),
        "extension" => (named("pg_extension", "extname"), whole, part),
        "publication" => (named("pg_publication", "pubname"), whole, part),
        "event trigger" => (named("pg_event_trigger", "evtname"), whole, part),
        "statistics object" => (in_schema("pg_statistic_ext", "stx", "pg_statistics_obj_is_visible"), whole, part),
        "collation" => (in_schema("pg_collation", "coll", "pg_collation_is_visible"), whole, part),
        _ => return Ok(None),
    };
    let statement = format!(
        "select ('pg_catalog.' || f.catalog)::regclass::oid, f.oid, f.part from ({statement}) f (catalog, oid, part)"
    );
    let row = client.query_opt(&statement, &[&one, &two]).await?;
    Ok(row.and_then(|row| {
        let object = row.get::<_, Option<u32>>(1)?;
        Some(Place { class: row.get(0), object, part: row.get(2) })
    }))
}

fn named(catalog: &str, name: &str) -> String {
    format!("select '{catalog}', oid, 0 from pg_catalog.{catalog} where $1::text is not null and {name} = $2")
}

fn in_schema(catalog: &str, prefix: &str, is_visible: &str) -> String {
    format!(
        "select '{catalog}', oid, 0 from pg_catalog.{catalog} where {prefix}name = $2 \
         and case $1 when '' then pg_catalog.{is_visible}(oid) else {prefix}namespace = to_regnamespace($1)::oid end"
    )
}

/// How statements name it: `TABLE "t"`, `COLUMN "t"."c"`, `TRIGGER "g" ON "t"`.
pub fn spoken(object: &Object) -> String {
    let (whole, part) = (whole(&object.name), identifier(&last(&object.name)));
    match object.class {
        "table column" => format!("COLUMN {whole}.{part}"),
        "table constraint" => format!("CONSTRAINT {part} ON {whole}"),
        "domain constraint" => format!("CONSTRAINT {part} ON DOMAIN {whole}"),
        "trigger" | "policy" | "rule" => format!("{} {part} ON {whole}", object.class.to_uppercase()),
        "statistics object" => format!("STATISTICS {}", quoted(&object.name)),
        class => {
            let arguments = object.arguments.as_ref().map(|types| format!("({})", types.join(", ")));
            format!("{} {}{}", class.to_uppercase(), quoted(&object.name), arguments.unwrap_or_default())
        }
    }
}

/// What gives it the comment that it has.
///
/// # Errors
/// As the server says.
pub async fn comment(client: &Client, object: &Object) -> Result<Answer, Error> {
    let Some(place) = find(client, object).await? else { return Ok(Answer::Absent) };
    let words = words(client, place).await?.map_or_else(|| "NULL".to_owned(), |words| literal(&words));
    Ok(Answer::Text(format!("COMMENT ON {} IS {words}", spoken(object))))
}

/// Its comment.
///
/// # Errors
/// As the server says.
pub async fn words(client: &Client, place: Place) -> Result<Option<String>, Error> {
    let statement =
        "select description from pg_catalog.pg_description where classoid = $1 and objoid = $2 and objsubid = $3";
    let row = client.query_opt(statement, &[&place.class, &place.object, &place.part]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// The catalog of a class, and the prefix of its columns.
fn catalog(class: &str) -> Option<(&'static str, &'static str)> {
    match class {
        class if is_relation(class) => Some(("pg_class", "rel")),
        "function" | "procedure" | "routine" | "aggregate" => Some(("pg_proc", "pro")),
        "type" | "domain" => Some(("pg_type", "typ")),
        "schema" => Some(("pg_namespace", "nsp")),
        "statistics object" => Some(("pg_statistic_ext", "stx")),
        "collation" => Some(("pg_collation", "coll")),
        _ => None,
    }
}

/// What gives it the owner that it has.
///
/// # Errors
/// As the server says.
pub async fn owner(client: &Client, object: &Object) -> Result<Answer, Error> {
    let Some(place) = find(client, object).await? else { return Ok(Answer::Absent) };
    let Some((catalog, prefix)) = catalog(object.class) else {
        return Ok(Answer::Cannot(format!("the owner of a {} is not asked for", object.class)));
    };
    let statement =
        format!("select pg_catalog.pg_get_userbyid({prefix}owner)::text from pg_catalog.{catalog} where oid = $1");
    let owner: String = client.query_one(&statement, &[&place.object]).await?.get(0);
    Ok(Answer::Text(format!("ALTER {} OWNER TO {}", spoken(object), identifier(&owner))))
}

/// The name of its schema in double quotes.
///
/// # Errors
/// As the server says.
pub async fn home(client: &Client, object: &Object) -> Result<Answer, Error> {
    let (Some(place), Some((catalog, prefix))) = (find(client, object).await?, catalog(object.class)) else {
        return Ok(Answer::Absent);
    };
    let statement = format!(
        "select n.nspname::text from pg_catalog.{catalog} c join pg_catalog.pg_namespace n on n.oid = c.{prefix}namespace \
         where c.oid = $1"
    );
    let row = client.query_opt(&statement, &[&place.object]).await?;
    Ok(row.map_or(Answer::Absent, |row| Answer::Text(identifier(&row.get::<_, String>(0)))))
}
