//! The pure half of `postgres_database`. Pure.
//!
//! Invariant: removing a database always loses data, whatever it held.

use crate::approval::class::Part;
use crate::kind::{Asked, Attribute, By, Change, Judgement, Kind, LateCall, Mistake, PerChange, Rights, Rules};
use crate::provider::postgres::names;
use crate::value::{Object, Type, Value};

/// The kind.
pub fn kind() -> Kind {
    let locale = |name, documentation| Attribute::optional_computed(name, Type::String, documentation).replaces();
    Kind {
        name: "postgres_database",
        provider: "postgres",
        summary: "A database of a PostgreSQL server. Its schema is owned by a `database` block.",
        attributes: vec![
            Attribute::required("name", Type::String, "Its name, at most 63 bytes; another name is another database.")
                .replaces(),
            Attribute::optional_computed("owner", Type::String, "The role that owns it; who creates it when absent."),
            locale("encoding", "Its encoding, as in `UTF8`; the template's when absent."),
            locale("lc_collate", "Its collation, as in `C.UTF-8`; the template's when absent."),
            locale("lc_ctype", "Its character classes, as in `C.UTF-8`; the template's when absent."),
            Attribute::optional("template", Type::String, "The database it is copied from.")
                .default("template0")
                .replaces()
                .write_only(),
            Attribute::optional(
                "connection_limit",
                Type::Number,
                "How many connections it may have at once; -1 for any number.",
            )
            .default(-1_i64),
            Attribute::computed(
                "url",
                Type::String,
                "Where it is: `postgres://host:port/name`, without user and password.",
            ),
            Attribute::computed("oid", Type::Number, "The number by which the server's catalogs know it."),
        ],
        late: PerChange {
            create: LateCall::UniqueName("the server has one database of a name"),
            update: LateCall::Nothing(
                "it sets owner and limit as its step planned them: what a resumed run has set already; after a way back, the next plan shows it",
            ),
            delete: LateCall::Precondition(
                "the server refuses while anybody is connected; a database that was made again meanwhile and has no sessions yet is removed",
            ),
        },
        asked: PerChange {
            create: Asked::by(By::Catalog),
            update: Asked::by(By::Catalog),
            delete: Asked::by(By::Name),
        },
        rules: Box::new(DatabaseRules),
    }
}

struct DatabaseRules;

impl Rules for DatabaseRules {
    fn part(&self) -> Part {
        Part::Database
    }

    fn check(&self, desired: &Object) -> Vec<Mistake> {
        let mut mistakes = names::check(desired, "name", "database");
        mistakes.extend(names::check(desired, "owner", "role"));
        if let Some(name @ ("template0" | "template1" | "postgres")) = desired.get("name").and_then(Value::as_str) {
            let text = format!("`{name}` is one of the server's own databases");
            mistakes.push(names::mistake("name", text, "choose another name"));
        }
        mistakes.extend(names::check_limit(desired));
        mistakes
    }

    fn normalise(&self, attribute: &str, value: &Value) -> Value {
        match (attribute, value.as_str()) {
            ("encoding", Some(text)) => {
                let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
                Value::from(plain.to_ascii_uppercase()).mark(value.marks())
            }
            _ => value.clone(),
        }
    }

    fn rights(&self) -> Rights {
        Rights { reads: &[], writes: &["CREATEDB"] }
    }

    fn identity(&self, object: &Object) -> Option<String> {
        object.get("name").and_then(Value::as_str).map(|name| format!("database {name}"))
    }

    fn import(&self, id: &str) -> Result<Object, String> {
        match id.is_empty() || id.len() > 63 {
            true => Err(format!("`{id}` is not a name of a database; the id is its name")),
            false => Ok(Object::from([("name".to_owned(), id.into())])),
        }
    }

    fn judge(&self, change: Change<'_>) -> Judgement {
        match change {
            Change::Create(_) | Change::Update(..) => Judgement::Exact,
            Change::Delete(before) => {
                let name = before.get("name").and_then(Value::as_str).unwrap_or("(unknown)");
                Judgement::LosesData(format!("every row of database {name}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_goes_takes_its_rows_along() {
        let shop = Object::from([("name".to_owned(), Value::from("shop"))]);
        assert_eq!(DatabaseRules.judge(Change::Create(&shop)), Judgement::Exact);
        assert_eq!(
            DatabaseRules.judge(Change::Delete(&shop)),
            Judgement::LosesData("every row of database shop".to_owned())
        );
        assert_eq!(DatabaseRules.identity(&shop).as_deref(), Some("database shop"));
    }

    #[test]
    fn encodings_have_many_spellings() {
        let same = |text: &str| DatabaseRules.normalise("encoding", &Value::from(text));
        assert_eq!(same("utf-8"), same("UTF8"));
        assert_ne!(same("LATIN1"), same("UTF8"));
    }

    #[test]
    fn the_servers_own_databases_are_left_alone() {
        let own = Object::from([("name".to_owned(), Value::from("template1"))]);
        assert_eq!(DatabaseRules.check(&own).len(), 1);
        let long = Object::from([("name".to_owned(), Value::from("x".repeat(64)))]);
        assert_eq!(DatabaseRules.check(&long).len(), 1);
    }
}
