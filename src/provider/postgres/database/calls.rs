//! The calls of `postgres_database`. Talks to the server.
//!
//! Invariant: nobody else's session is ever ended to get a database dropped.
//!
//! A call that arrives after its lease: a second database of the name cannot be made; one that was made again since
//! (its oid tells) is not dropped; a change sets what it sets, and its tag tells whose it was.

use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::rules;
use crate::provider::postgres::connection::APPLICATION;
use crate::provider::postgres::errors::{has_code, is_refusal, nothing, refused, unknown, world_error};
use crate::provider::postgres::fence::ARRIVAL;
use crate::provider::postgres::settings::Target;
use crate::provider::postgres::thing::{Thing, agrees, name_of};
use crate::provider::postgres::{quoting, tag, transaction};
use crate::value::{Object, Value};
use crate::world::{Effect, EffectChange, EffectError, Progress, Settlement, WorldError};

/// Reads databases by name.
///
/// # Errors
/// As the server says.
pub async fn read(client: &Client, target: &Target, names: &[&str]) -> Result<Vec<Thing>, WorldError> {
    // A `DROP DATABASE` that was cut short leaves a limit of -2 (since 15.4): nobody changed it, and only another drop
    // ends it. Whoever dials it hears from the server what it is.
    let statement = "select datname::text, oid::int8, pg_get_userbyid(datdba)::text, pg_encoding_to_char(encoding)::text, \
                     datcollate::text, datctype::text, (case datconnlimit when -2 then -1 else datconnlimit end)::int8, shobj_description(oid, 'pg_database') \
                     from pg_database where datname = any($1)";
    let rows = client.query(statement, &[&names]).await.map_err(|error| world_error("read databases", &error))?;
    let thing = |row: &tokio_postgres::Row| {
        let text = |at: usize| Value::from(row.get::<_, String>(at));
        let name: String = row.get(0);
        let object = Object::from([
            ("url".to_owned(), Value::from(target.url_of(&name))),
            ("name".to_owned(), Value::from(name)),
            ("oid".to_owned(), Value::from(row.get::<_, i64>(1))),
            ("owner".to_owned(), text(2)),
            ("encoding".to_owned(), text(3)),
            ("lc_collate".to_owned(), text(4)),
            ("lc_ctype".to_owned(), text(5)),
            ("connection_limit".to_owned(), Value::from(row.get::<_, i64>(6))),
        ]);
        Thing { object, comment: row.get(7) }
    };
    Ok(rows.iter().map(thing).collect())
}

/// Carries out one change.
///
/// # Errors
/// As the server says, with whether it left a trace.
pub async fn carry_out(
    client: &Client,
    target: &Target,
    effect: &Effect,
    progress: &dyn Progress,
) -> Result<Object, EffectError> {
    let after = match &effect.change {
        EffectChange::Create { after } => {
            create(client, target, effect, after).await?;
            after
        }
        EffectChange::Update { before, after } => {
            update(client, target, effect, before, after).await?;
            after
        }
        EffectChange::Delete { before } => return drop_it(client, target, effect, before, progress).await,
    };
    let name = name_of(after).map_err(unknown)?;
    let found = read(client, target, &[name]).await.map_err(unknown)?.into_iter().next();
    let found =
        found.ok_or_else(|| unknown(refused(format!("read database {name} back"), "it is gone", "plan again")))?;
    Ok(with_template(found.object, after))
}

fn with_template(mut object: Object, after: &Object) -> Object {
    if let Some(template) = after.get("template") {
        object.insert("template".to_owned(), template.clone());
    }
    object
}

async fn create(client: &Client, target: &Target, effect: &Effect, after: &Object) -> Result<(), EffectError> {
    let name = name_of(after).map_err(nothing)?;
    let tried = format!("create database {name} at {target}");
    effect.fence.check(&tried, ARRIVAL).map_err(nothing)?;
    client.batch_execute(&create_statement(name, after)).await.map_err(|error| {
        let found = world_error(&tried, &error);
        if is_refusal(&error) { nothing(found) } else { unknown(found) }
    })?;
    write_comment(client, name, effect).await;
    Ok(())
}

fn create_statement(name: &str, after: &Object) -> String {
    let mut text = format!("create database {}", quoting::name(name));
    let given = |attribute: &str| after.get(attribute).and_then(Value::as_str);
    if let Some(owner) = given("owner") {
        text += &format!(" owner {}", quoting::name(owner));
    }
    text += &format!(" template {}", quoting::name(given("template").unwrap_or("template0")));
    for (attribute, word) in [("encoding", "encoding"), ("lc_collate", "lc_collate"), ("lc_ctype", "lc_ctype")] {
        if let Some(value) = given(attribute) {
            text += &format!(" {word} {}", quoting::literal(value));
        }
    }
    if let Some(limit) = after.get("connection_limit").and_then(Value::as_i64).filter(|limit| *limit != -1) {
        text += &format!(" connection limit {limit}");
    }
    text
}

/// The tag only helps to recognise the database after a crash; a user who may create but not comment does without.
async fn write_comment(client: &Client, name: &str, effect: &Effect) {
    if let Err(error) = client.batch_execute(&comment(name, effect)).await {
        tracing::warn!(%error, database = name, "the database could not be tagged");
    }
}

fn comment(name: &str, effect: &Effect) -> String {
    format!("comment on database {} is {}", quoting::name(name), quoting::literal(&tag::comment(effect)))
}

async fn update(
    client: &Client,
    target: &Target,
    effect: &Effect,
    before: &Object,
    after: &Object,
) -> Result<(), EffectError> {
    let name = name_of(after).map_err(nothing)?;
    // The comment first: whoever gives the database away may not comment on it any more.
    let mut statements = vec![comment(name, effect)];
    let limit = |object: &Object| object.get("connection_limit").and_then(Value::as_i64).unwrap_or(-1);
    if limit(after) != limit(before) {
        statements.push(format!("alter database {} connection limit {}", quoting::name(name), limit(after)));
    }
    let owner = after.get("owner").filter(|owner| Some(*owner) != before.get("owner")).and_then(Value::as_str);
    if let Some(owner) = owner {
        statements.push(format!("alter database {} owner to {}", quoting::name(name), quoting::name(owner)));
    }
    let tried = format!("change database {name} at {target}");
    effect.fence.check(&tried, ARRIVAL).map_err(nothing)?;
    transaction::run(client, &tried, &statements, None).await
}

const DROP_TRIES: u32 = 20;
const DROP_PAUSE: Duration = Duration::from_millis(250);

async fn drop_it(
    client: &Client,
    target: &Target,
    effect: &Effect,
    before: &Object,
    progress: &dyn Progress,
) -> Result<Object, EffectError> {
    let name = name_of(before).map_err(nothing)?;
    let tried = format!("drop database {name} at {target}");
    if target.dbname == name {
        let cause = "the connection is to the database itself";
        return Err(nothing(refused(
            tried,
            cause,
            "set `dbname` of the provider to another database, such as `postgres`",
        )));
    }
    let statement = format!("drop database if exists {}", quoting::name(name));
    let found = read(client, target, &[name]).await.map_err(nothing)?.into_iter().next();
    if let Some(found) = found.filter(|found| !same_oid(before, found)) {
        let cause = format!("another database is there now: {}", describe(&found));
        return Err(nothing(refused(tried, cause, "plan again")));
    }
    for _ in 0..DROP_TRIES {
        effect.fence.check(&tried, ARRIVAL).map_err(nothing)?;
        end_our_sessions(client, name, &tried, progress).await?;
        match client.batch_execute(&statement).await {
            Ok(()) => return Ok(Object::new()),
            Err(error) if has_code(&error, &SqlState::OBJECT_IN_USE) => tokio::time::sleep(DROP_PAUSE).await,
            Err(error) if is_refusal(&error) => return Err(nothing(world_error(tried, &error))),
            Err(error) => return Err(unknown(world_error(tried, &error))),
        }
    }
    let cause = "sessions keep coming to the database";
    Err(nothing(refused(tried, cause, "stop what connects to it, then try again")))
}

/// Ends sessions of ours that linger in the database; refuses when there are others.
async fn end_our_sessions(
    client: &Client,
    name: &str,
    tried: &str,
    progress: &dyn Progress,
) -> Result<(), EffectError> {
    let statement = "select pid, coalesce(usename::text, '?'), application_name, \
                     coalesce(client_addr::text, 'local'), coalesce(state, '?') \
                     from pg_stat_activity where datname = $1 and pid <> pg_backend_pid() \
                     and backend_type = 'client backend' order by pid";
    let rows = client.query(statement, &[&name]).await.map_err(|error| nothing(world_error(tried, &error)))?;
    let is_ours = |row: &&tokio_postgres::Row| {
        let application = row.get::<_, Option<String>>(2).unwrap_or_default();
        application == APPLICATION || application.starts_with(&format!("{APPLICATION} "))
    };
    let (ours, others): (Vec<_>, Vec<_>) = rows.iter().partition(is_ours);
    if !others.is_empty() {
        let list = others.iter().map(|row| {
            let (pid, user, application, from, state) = (
                row.get::<_, i32>(0),
                row.get::<_, String>(1),
                row.get::<_, Option<String>>(2).unwrap_or_default(),
                row.get::<_, String>(3),
                row.get::<_, String>(4),
            );
            format!("process {pid} of user {user}, application `{application}`, from {from}, {state}")
        });
        let cause = format!("others are connected to it: {}", list.collect::<Vec<_>>().join("; "));
        return Err(nothing(refused(
            tried,
            cause,
            "let them disconnect, or end them with pg_terminate_backend, then try again",
        )));
    }
    for row in ours {
        let pid: i32 = row.get(0);
        progress.say(&format!("ending our own session {pid} in database {name}"));
        let ended = client.execute("select pg_terminate_backend($1)", &[&pid]).await;
        ended.map_err(|error| nothing(world_error(tried, &error)))?;
    }
    Ok(())
}

/// Asks what became of a change.
///
/// # Errors
/// As the server says.
pub async fn settle(client: &Client, target: &Target, effect: &Effect) -> Result<Settlement, WorldError> {
    let name = match &effect.change {
        EffectChange::Create { after } | EffectChange::Update { after, .. } => name_of(after)?,
        EffectChange::Delete { before } => name_of(before)?,
    };
    let found = read(client, target, &[name]).await?.into_iter().next();
    let Some(found) = found else {
        return Ok(match effect.change {
            EffectChange::Create { .. } => Settlement::NotDone,
            EffectChange::Update { .. } => Settlement::Doubt(format!("database {name} is gone")),
            EffectChange::Delete { .. } => Settlement::Done(Object::new()),
        });
    };
    let tagged = tag::is_of(found.comment.as_deref(), effect);
    Ok(match &effect.change {
        EffectChange::Create { after } | EffectChange::Update { after, .. } if tagged => {
            Settlement::Done(with_template(found.object, after))
        }
        // CREATE DATABASE cannot be in one transaction with its tag: a crash between the two leaves it without.
        EffectChange::Create { after } if found.comment.is_none() && agrees(&rules::kind(), &found.object, after) => {
            write_comment(client, name, effect).await;
            Settlement::Done(with_template(found.object, after))
        }
        EffectChange::Update { before, .. } if agrees(&rules::kind(), &found.object, before) => Settlement::NotDone,
        EffectChange::Create { .. } | EffectChange::Update { .. } => {
            Settlement::Doubt(format!("database {name} is there, but not as this step makes it: {}", describe(&found)))
        }
        EffectChange::Delete { before } if same_oid(before, &found) => Settlement::NotDone,
        EffectChange::Delete { .. } => {
            Settlement::Doubt(format!("another database {name} is there now: {}", describe(&found)))
        }
    })
}

fn same_oid(before: &Object, found: &Thing) -> bool {
    before.get("oid").is_none_or(|oid| Some(oid) == found.object.get("oid"))
}

fn describe(found: &Thing) -> String {
    let attributes: Vec<_> = found.object.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    format!("{}; comment: {}", attributes.join(", "), found.comment.as_deref().unwrap_or("none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_made_with_what_was_given() {
        let object = Object::from([
            ("name".to_owned(), Value::from("sh\"op")),
            ("owner".to_owned(), Value::from("app")),
            ("encoding".to_owned(), Value::from("UTF8")),
            ("connection_limit".to_owned(), Value::from(5_i64)),
        ]);
        assert_eq!(
            create_statement("sh\"op", &object),
            "create database \"sh\"\"op\" owner \"app\" template \"template0\" encoding 'UTF8' connection limit 5"
        );
    }
}
