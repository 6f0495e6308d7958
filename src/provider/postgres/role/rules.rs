//! The pure half of `postgres_role`. Pure.
//!
//! Invariant: whatever changes or removes a password loses data, because PostgreSQL keeps only a hash of it.

use jiff::Timestamp;

use crate::approval::class::Part;
use crate::kind::{
    Asked, Attribute, By, Change, Judgement, Kind, LateCall, Mistake, PerChange, Rights, Rules, Secrecy,
};
use crate::provider::postgres::names;
use crate::value::{Object, Type, Value};

/// The kind.
pub fn kind() -> Kind {
    let flag =
        |name, default: bool, documentation| Attribute::optional(name, Type::Bool, documentation).default(default);
    Kind {
        name: "postgres_role",
        provider: "postgres",
        summary: "A role of a PostgreSQL server: a user when it may log in, else a group.",
        attributes: vec![
            Attribute::required("name", Type::String, "Its name, at most 63 bytes; another name is another role.")
                .replaces(),
            flag("login", false, "Whether it may log in."),
            Attribute::optional("password", Type::String, "Its password; sent to the server as a SCRAM verifier only.")
                .secret(Secrecy::Secret)
                .write_only(),
            flag("superuser", false, "Whether no right is refused to it."),
            flag("createdb", false, "Whether it may create databases."),
            flag("createrole", false, "Whether it may create roles."),
            flag("inherit", true, "Whether it has the rights of the roles it is a member of without asking."),
            Attribute::optional(
                "connection_limit",
                Type::Number,
                "How many connections it may have at once; -1 for any number.",
            )
            .default(-1_i64),
            Attribute::optional(
                "valid_until",
                Type::String,
                "When its password expires, as in `2030-01-01T00:00:00Z`.",
            ),
            Attribute::computed("oid", Type::Number, "The number by which the server's catalogs know it."),
        ],
        late: PerChange {
            create: LateCall::UniqueName("the server has one role of a name"),
            update: LateCall::Nothing(
                "it sets the options as its step planned them: what a resumed run has set already; after a way back, the next plan shows it, a password excepted",
            ),
            delete: LateCall::Precondition(
                "the server refuses while the role owns anything or has a right to anything",
            ),
        },
        asked: PerChange {
            create: Asked::by(By::Catalog),
            update: Asked::by(By::Catalog),
            delete: Asked::by(By::Name),
        },
        rules: Box::new(RoleRules),
    }
}

struct RoleRules;

impl Rules for RoleRules {
    fn part(&self) -> Part {
        Part::Database
    }

    fn check(&self, desired: &Object) -> Vec<Mistake> {
        let mut mistakes = names::check(desired, "name", "role");
        if let Some(name) = desired.get("name").and_then(Value::as_str)
            && (name.starts_with("pg_") || ["public", "none"].contains(&name))
        {
            mistakes.push(names::mistake(
                "name",
                format!("`{name}` is reserved"),
                "choose a name that does not start with `pg_`",
            ));
        }
        mistakes.extend(names::check_limit(desired));
        if let Some(text) = desired.get("valid_until").and_then(Value::as_str)
            && text.parse::<Timestamp>().is_err()
            && text != "infinity"
        {
            let text = format!("`{text}` is not a time");
            mistakes.push(names::mistake("valid_until", text, "write it as `2030-01-01T00:00:00Z`"));
        }
        let holds = |name: &str| desired.get(name).is_some_and(|value| !value.is_null());
        if holds("valid_until") && !holds("password") {
            let text = "`valid_until` is when a password expires, and there is no `password`".to_owned();
            mistakes.push(names::mistake("valid_until", text, "give a password, or leave `valid_until` out"));
        }
        if desired.get("password").is_some_and(|value| value.reveal().as_str() == Some("")) {
            let text = "the password is empty, so that nobody could log in with it".to_owned();
            mistakes.push(names::mistake("password", text, "give a password, or leave the attribute out"));
        }
        mistakes
    }

    fn normalise(&self, attribute: &str, value: &Value) -> Value {
        match (attribute, value.as_str()) {
            ("valid_until", Some("infinity")) => Value::null(),
            ("valid_until", Some(text)) => match text.parse::<Timestamp>() {
                Ok(time) => Value::from(time.to_string()).mark(value.marks()),
                Err(_) => value.clone(),
            },
            _ => value.clone(),
        }
    }

    fn rights(&self) -> Rights {
        Rights { reads: &[], writes: &["CREATEROLE"] }
    }

    fn identity(&self, object: &Object) -> Option<String> {
        object.get("name").and_then(Value::as_str).map(|name| format!("role {name}"))
    }

    fn import(&self, id: &str) -> Result<Object, String> {
        match id.is_empty() || id.len() > 63 {
            true => Err(format!("`{id}` is not a name of a role; the id is its name")),
            false => Ok(Object::from([("name".to_owned(), id.into())])),
        }
    }

    fn judge(&self, change: Change<'_>) -> Judgement {
        match change {
            Change::Create(_) => Judgement::Exact,
            Change::Update(before, after) if changes_password(before, after) => {
                Judgement::LosesData(format!("the earlier password of role {}: {HASHED}", name(before)))
            }
            Change::Update(..) => Judgement::Exact,
            Change::Delete(before) if has_password(before) => Judgement::LosesData(format!(
                "the password of role {} ({HASHED}), and its memberships and grants",
                name(before)
            )),
            Change::Delete(before) => Judgement::Recreates(format!(
                "role {} comes back with another oid and without its memberships and grants",
                name(before)
            )),
        }
    }
}

const HASHED: &str = "PostgreSQL keeps only a hash";

/// Whether an update gives the role another password, or takes it away.
pub fn changes_password(before: &Object, after: &Object) -> bool {
    let none = Value::null();
    let password =
        |object: &'_ Object| object.get("password").filter(|value| !value.is_null()).unwrap_or(&none).reveal();
    let (before, after) = (password(before), password(after));
    let is_unsealed =
        |value: &Value| matches!(value.data(), crate::value::Data::Sealed(sealed) if sealed.digest.is_none());
    before != after || is_unsealed(&before)
}

fn has_password(object: &Object) -> bool {
    object.get("password").is_some_and(|password| !password.is_null())
}

fn name(object: &Object) -> &str {
    object.get("name").and_then(Value::as_str).unwrap_or("(unknown)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(pairs: &[(&str, Value)]) -> Object {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn passwords_are_what_cannot_come_back() {
        let rules = RoleRules;
        let with = |password: &str| object(&[("name", "app".into()), ("password", Value::from(password).sensitive())]);
        let without = object(&[("name", "app".into())]);
        assert_eq!(rules.judge(Change::Create(&with("a"))), Judgement::Exact);
        assert_eq!(rules.judge(Change::Update(&with("a"), &with("a"))), Judgement::Exact);
        assert!(matches!(rules.judge(Change::Update(&with("a"), &with("b"))), Judgement::LosesData(_)));
        assert!(matches!(rules.judge(Change::Update(&with("a"), &without)), Judgement::LosesData(_)));
        assert!(matches!(rules.judge(Change::Delete(&with("a"))), Judgement::LosesData(_)));
        assert!(matches!(rules.judge(Change::Delete(&without)), Judgement::Recreates(_)));
    }

    #[test]
    fn sealed_passwords_are_compared_by_digest_and_undigested_ones_never_equal() {
        let key = crate::value::SealKey::from_random([7; 32]);
        let sealed = |key: Option<&crate::value::SealKey>, text: &str| {
            object(&[("password", Value::from(text).sensitive().seal(key))])
        };
        assert!(!changes_password(&sealed(Some(&key), "a"), &sealed(Some(&key), "a")));
        assert!(changes_password(&sealed(Some(&key), "a"), &sealed(Some(&key), "b")));
        assert!(changes_password(&sealed(None, "a"), &sealed(None, "a")));
    }

    #[test]
    fn mistakes_are_found_and_times_compared_as_times() {
        let texts = |object: &Object| RoleRules.check(object).into_iter().map(|one| one.text).collect::<Vec<_>>();
        assert_eq!(texts(&object(&[("name", "app".into())])), [""; 0]);
        let bad = object(&[
            ("name", "pg_app".into()),
            ("connection_limit", Value::from(-2_i64)),
            ("valid_until", "tomorrow".into()),
        ]);
        assert_eq!(texts(&bad).len(), 4, "{:?}", texts(&bad));
        let same = |text: &str| RoleRules.normalise("valid_until", &Value::from(text));
        assert_eq!(same("2030-01-01T01:00:00+01:00"), same("2030-01-01T00:00:00Z"));
    }
}
