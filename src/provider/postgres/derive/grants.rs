//! What roles may do with a thing now, as the statements that make it so. Talks to the server.
//!
//! Invariant: a role that may do nothing comes out as a statement that takes everything from it.

use tokio_postgres::{Client, Error};

use super::place::{find, is_relation, spoken};
use crate::migration::derive::{Answer, Object, identifier, last};

/// How a role is written in statements.
fn role(name: &str) -> String {
    match name {
        "public" => "PUBLIC".to_owned(),
        "current_user" | "current_role" | "session_user" => name.to_uppercase(),
        other => identifier(&last(other)),
    }
}

/// The catalog, its column, and the letter of its default.
fn catalog(class: &str) -> Option<(&'static str, &'static str, &'static str)> {
    match class {
        "sequence" => Some(("pg_class", "rel", "s")),
        class if is_relation(class) => Some(("pg_class", "rel", "r")),
        "function" | "procedure" | "routine" | "aggregate" => Some(("pg_proc", "pro", "f")),
        "type" | "domain" => Some(("pg_type", "typ", "T")),
        "schema" => Some(("pg_namespace", "nsp", "n")),
        _ => None,
    }
}

/// What lets these roles do what they may do now.
///
/// # Errors
/// As the server says.
pub async fn of(client: &Client, on: &Object, roles: &[String]) -> Result<Answer, Error> {
    let Some(place) = find(client, on).await? else { return Ok(Answer::Absent) };
    let Some((catalog, prefix, letter)) = catalog(on.class) else {
        return Ok(Answer::Cannot(format!("grants on a {} are not asked for", on.class)));
    };
    let called = called(on);
    let mut statements = Vec::new();
    for name in roles {
        let role = role(name);
        statements.push(format!("REVOKE ALL ON {called} FROM {role}"));
        let who = match name.as_str() {
            "public" => "0::oid".to_owned(),
            "current_user" | "current_role" | "session_user" => format!("{name}::regrole::oid"),
            other => format!(
                "(select oid from pg_catalog.pg_roles where rolname = {})",
                super::super::quoting::literal(&last(other))
            ),
        };
        let statement = format!(
            "select pg_catalog.string_agg(x.privilege_type, ', ' order by x.privilege_type), x.is_grantable, null::text \
             from pg_catalog.{catalog} c, \
             pg_catalog.aclexplode(coalesce(c.{prefix}acl, pg_catalog.acldefault('{letter}', c.{prefix}owner))) x \
             where c.oid = $1 and x.grantee = {who} group by x.is_grantable"
        );
        let mut rows = client.query(&statement, &[&place.object]).await?;
        if catalog == "pg_class" {
            let statement = format!(
                "select pg_catalog.string_agg(x.privilege_type, ', ' order by x.privilege_type), x.is_grantable, \
                 pg_catalog.quote_ident(a.attname) from pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) x \
                 where a.attrelid = $1 and not a.attisdropped and x.grantee = {who} group by x.is_grantable, a.attname order by 3"
            );
            rows.extend(client.query(&statement, &[&place.object]).await?);
        }
        for row in rows {
            let mut privileges: String = row.get(0);
            if let Some(column) = row.get::<_, Option<String>>(2) {
                let each = privileges.split(", ").map(|privilege| format!("{privilege} ({column})"));
                privileges = each.collect::<Vec<_>>().join(", ");
            }
            let option = if row.get::<_, bool>(1) { " WITH GRANT OPTION" } else { "" };
            statements.push(format!("GRANT {privileges} ON {called} TO {role}{option}"));
        }
    }
    Ok(Answer::Text(statements.join(";\n")))
}

fn called(on: &Object) -> String {
    match on.class {
        "view" | "materialized view" | "foreign table" => {
            spoken(&Object { class: "table", name: on.name.clone(), arguments: None })
        }
        _ => spoken(on),
    }
}

/// What makes the grants of a thing that is made again what they are now; empty where they are those by default.
///
/// # Errors
/// As the server says.
pub async fn all(client: &Client, on: &Object) -> Result<String, Error> {
    let (Some(place), Some((catalog, prefix, _))) = (find(client, on).await?, catalog(on.class)) else {
        return Ok(String::new());
    };
    let statement = format!(
        "select distinct case x.grantee when 0 then 'public' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) end \
         from pg_catalog.{catalog} c, pg_catalog.aclexplode(c.{prefix}acl) x where c.oid = $1 \
         union select 'public' from pg_catalog.{catalog} c where c.oid = $1 and c.{prefix}acl is not null order by 1"
    );
    let rows = client.query(&statement, &[&place.object]).await?;
    let roles: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    match of(client, on, &roles).await? {
        Answer::Text(text) => Ok(text),
        Answer::Absent | Answer::Cannot(_) => Ok(String::new()),
    }
}
