//! The calls of `postgres_role`. Talks to the server.
//!
//! Invariant: a role and its tag are made or changed in one transaction, so that the tag tells what happened.
//!
//! A call that arrives after its lease: a second role of the name cannot be made; one that was made again since (its
//! oid tells) is not dropped; a change sets what it sets, and its tag tells whose it was.

use postgres_protocol::password::scram_sha_256;
use tokio_postgres::Client;

use super::rules;
use crate::provider::postgres::errors::{nothing, refused, world_error};
use crate::provider::postgres::fence::ARRIVAL;
use crate::provider::postgres::settings::Target;
use crate::provider::postgres::thing::{Thing, agrees, name_of};
use crate::provider::postgres::{quoting, tag, transaction};
use crate::value::{Data, Object, Value};
use crate::world::{Effect, EffectChange, EffectError, Settlement, WorldError};

/// Reads roles by name.
///
/// # Errors
/// As the server says.
pub async fn read(client: &Client, names: &[&str]) -> Result<Vec<Thing>, WorldError> {
    let statement = "select rolname::text, oid::int8, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolinherit, \
                     rolconnlimit::int8, shobj_description(oid, 'pg_authid'), \
                     case when isfinite(rolvaliduntil) then \
                     to_char(rolvaliduntil at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') end \
                     from pg_roles where rolname = any($1)";
    let rows = client.query(statement, &[&names]).await.map_err(|error| world_error("read roles", &error))?;
    let thing = |row: &tokio_postgres::Row| {
        let flag = |at: usize| Value::from(row.get::<_, bool>(at));
        let object = Object::from([
            ("name".to_owned(), Value::from(row.get::<_, String>(0))),
            ("oid".to_owned(), Value::from(row.get::<_, i64>(1))),
            ("login".to_owned(), flag(2)),
            ("superuser".to_owned(), flag(3)),
            ("createdb".to_owned(), flag(4)),
            ("createrole".to_owned(), flag(5)),
            ("inherit".to_owned(), flag(6)),
            ("connection_limit".to_owned(), Value::from(row.get::<_, i64>(7))),
            ("valid_until".to_owned(), row.get::<_, Option<String>>(9).map_or(Value::null(), Value::from)),
        ]);
        let object = match object.get("valid_until") {
            Some(time) => {
                let time = rules::kind().rules.normalise("valid_until", time);
                Object::from_iter(
                    object
                        .into_iter()
                        .filter(|(name, _)| name != "valid_until")
                        .chain([("valid_until".to_owned(), time)]),
                )
            }
            None => object,
        };
        Thing { object, comment: row.get(8) }
    };
    Ok(rows.iter().map(thing).collect())
}

/// Carries out one change.
///
/// # Errors
/// As the server says, with whether it left a trace.
pub async fn carry_out(client: &Client, target: &Target, effect: &Effect) -> Result<Object, EffectError> {
    let (statements, tried, after) = match &effect.change {
        EffectChange::Create { after } => {
            let name = name_of(after).map_err(nothing)?;
            let create = format!("create role {}{}", quoting::name(name), options(None, after).map_err(nothing)?);
            (vec![create, comment(name, effect)], format!("create role {name} at {target}"), Some(after))
        }
        EffectChange::Update { before, after } => {
            let name = name_of(after).map_err(nothing)?;
            let options = options(Some(before), after).map_err(nothing)?;
            let mut statements = vec![comment(name, effect)];
            if !options.is_empty() {
                statements.insert(0, format!("alter role {}{options}", quoting::name(name)));
            }
            (statements, format!("change role {name} at {target}"), Some(after))
        }
        EffectChange::Delete { before } => {
            let name = name_of(before).map_err(nothing)?;
            let drop = format!("drop role if exists {}", quoting::name(name));
            (vec![drop], format!("drop role {name} at {target}"), None)
        }
    };
    if let EffectChange::Delete { before } = &effect.change {
        refuse_another(client, before, &tried).await.map_err(nothing)?;
    }
    effect.fence.check(&tried, ARRIVAL).map_err(nothing)?;
    transaction::run(client, &tried, &statements, None).await.map_err(|mut failed| {
        if failed.error.cause.contains("(2BP01)") {
            failed.error.help = Some(
                "the role still owns things or has grants: drop them first, or run REASSIGN OWNED and DROP OWNED in each database that is named"
                    .to_owned(),
            );
        }
        failed
    })?;
    match after {
        Some(after) => outcome(client, after).await.map_err(crate::provider::postgres::errors::unknown),
        None => Ok(Object::new()),
    }
}

/// A role of the same name that is not the one that was recorded stays.
async fn refuse_another(client: &Client, before: &Object, tried: &str) -> Result<(), WorldError> {
    match read(client, &[name_of(before)?]).await?.first() {
        Some(found) if !same_oid(before, found) => {
            Err(refused(tried, format!("another role is there now: {}", describe(found)), "plan again"))
        }
        Some(_) | None => Ok(()),
    }
}

async fn outcome(client: &Client, after: &Object) -> Result<Object, WorldError> {
    let name = name_of(after)?;
    let found = read(client, &[name]).await?.into_iter().next();
    let found = found.ok_or_else(|| refused(format!("read role {name} back"), "it is gone", "plan again"))?;
    Ok(with_password(found.object, after))
}

fn with_password(mut object: Object, after: &Object) -> Object {
    if let Some(password) = after.get("password") {
        object.insert("password".to_owned(), password.clone());
    }
    object
}

/// Asks what became of a change.
///
/// # Errors
/// As the server says.
pub async fn settle(client: &Client, effect: &Effect) -> Result<Settlement, WorldError> {
    let name = match &effect.change {
        EffectChange::Create { after } | EffectChange::Update { after, .. } => name_of(after)?,
        EffectChange::Delete { before } => name_of(before)?,
    };
    let found = read(client, &[name]).await?.into_iter().next();
    Ok(match (&effect.change, found) {
        (EffectChange::Create { .. }, None) => Settlement::NotDone,
        (EffectChange::Create { after } | EffectChange::Update { after, .. }, Some(found))
            if tag::is_of(found.comment.as_deref(), effect) =>
        {
            Settlement::Done(with_password(found.object, after))
        }
        (EffectChange::Update { before, .. }, Some(found)) if agrees(&rules::kind(), &found.object, before) => {
            Settlement::NotDone
        }
        (EffectChange::Create { .. } | EffectChange::Update { .. }, Some(found)) => {
            Settlement::Doubt(format!("role {name} is there, but not as this step makes it: {}", describe(&found)))
        }
        (EffectChange::Update { .. }, None) => Settlement::Doubt(format!("role {name} is gone")),
        (EffectChange::Delete { .. }, None) => Settlement::Done(Object::new()),
        (EffectChange::Delete { before }, Some(found)) if same_oid(before, &found) => Settlement::NotDone,
        (EffectChange::Delete { .. }, Some(found)) => {
            Settlement::Doubt(format!("another role {name} is there now: {}", describe(&found)))
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

fn comment(name: &str, effect: &Effect) -> String {
    format!("comment on role {} is {}", quoting::name(name), quoting::literal(&tag::comment(effect)))
}

/// The options that change, each with a space before it. Rights that stay as they are are not mentioned: only a
/// superuser may even repeat some of them.
fn options(before: Option<&Object>, after: &Object) -> Result<String, WorldError> {
    const FLAGS: [(&str, &str, bool); 5] = [
        ("login", "login", false),
        ("superuser", "superuser", false),
        ("createdb", "createdb", false),
        ("createrole", "createrole", false),
        ("inherit", "inherit", true),
    ];
    let mut text = String::new();
    for (attribute, word, default) in FLAGS {
        let flag = |object: &Object| object.get(attribute).and_then(Value::as_bool).unwrap_or(default);
        if flag(after) != before.map_or(default, flag) {
            text += if flag(after) { " " } else { " no" };
            text += word;
        }
    }
    let limit = |object: &Object| object.get("connection_limit").and_then(Value::as_i64).unwrap_or(-1);
    if limit(after) != before.map_or(-1, limit) {
        text += &format!(" connection limit {}", limit(after));
    }
    let until = |object: &Object| object.get("valid_until").and_then(Value::as_str).unwrap_or("infinity").to_owned();
    if until(after) != before.map_or("infinity".to_owned(), until) {
        text += &format!(" valid until {}", quoting::literal(&until(after)));
    }
    if rules::changes_password(before.unwrap_or(&Object::new()), after) {
        text += &password(after)?;
    }
    Ok(text)
}

fn password(after: &Object) -> Result<String, WorldError> {
    let Some(value) = after.get("password").filter(|value| !value.is_null()).map(Value::reveal) else {
        return Ok(" password null".to_owned());
    };
    match value.data() {
        Data::String(text) => Ok(format!(" password {}", quoting::literal(&scram_sha_256(text.as_bytes())))),
        _ => Err(refused(
            format!("set the password of role {}", name_of(after)?),
            "the earlier password is not at hand: PostgreSQL keeps only a hash of it",
            "give the role a password in the spec and apply, or leave the password out of what is taken back",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(pairs: &[(&str, Value)]) -> Object {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn only_what_changes_is_mentioned() {
        let plain = object(&[("name", "a".into())]);
        let more = object(&[("name", "a".into()), ("login", true.into()), ("connection_limit", Value::from(3_i64))]);
        assert_eq!(options(None, &plain).unwrap(), "");
        assert_eq!(options(None, &more).unwrap(), " login connection limit 3");
        assert_eq!(options(Some(&more), &plain).unwrap(), " nologin connection limit -1");
        assert_eq!(options(Some(&more), &more).unwrap(), "");
    }

    #[test]
    fn a_password_leaves_only_as_a_verifier() {
        let with = object(&[("name", "a".into()), ("password", Value::from("hush-hush").sensitive())]);
        let text = options(None, &with).unwrap();
        assert!(text.starts_with(" password 'SCRAM-SHA-256$4096:"), "{text}");
        assert!(!text.contains("hush"));
        let none = object(&[("name", "a".into())]);
        assert_eq!(options(Some(&with), &none).unwrap(), " password null");
    }

    #[test]
    fn an_earlier_password_is_refused_unless_it_stays() {
        let key = crate::value::SealKey::from_random([1; 32]);
        let sealed =
            |text: &str| object(&[("name", "a".into()), ("password", Value::from(text).sensitive().seal(Some(&key)))]);
        assert_eq!(options(Some(&sealed("x")), &sealed("x")).unwrap(), "");
        assert!(options(Some(&sealed("x")), &sealed("y")).unwrap_err().cause.contains("not at hand"));
    }
}
