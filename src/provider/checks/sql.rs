//! `sql`: a query of a database says true. Asks the database.
//!
//! Invariant: it is one statement in a transaction that may not write and is rolled back, with a limit of time.

use async_trait::async_trait;

use super::{Asks, no_length};
use crate::kind::{Attribute, CheckKind, Mistake, Reaches};
use crate::value::{Object, Type, Value};
use crate::world::{Probe, Seen};

/// The kind.
pub struct Sql;

fn mistakes(object: &Object) -> Vec<Mistake> {
    let is_empty = object.get("query").and_then(Value::as_str).is_some_and(|query| query.trim().is_empty());
    let empty = is_empty.then(|| Mistake {
        attribute: Some("query".to_owned()),
        text: "`query` asks nothing".to_owned(),
        help: "write a query that gives one row with a boolean: `select count(*) > 0 from orders`".to_owned(),
    });
    empty.into_iter().chain(no_length(object, "statement_timeout")).collect()
}

#[async_trait]
impl Asks for Sql {
    fn kind(&self) -> CheckKind {
        CheckKind {
            name: "sql",
            summary: "A query gives one row whose first column is true. It runs in a transaction that may not write, as the user of the migrations.",
            attributes: vec![
                Attribute::required("query", Type::String, "One statement."),
                Attribute::optional("statement_timeout", Type::String, "How long the query may take.").default("5s"),
            ],
            reaches: Reaches::Database,
            once: false,
            compares: None,
            rights: &[],
            mistakes,
        }
    }

    #[cfg(feature = "postgres")]
    async fn ask(&self, probe: &Probe) -> Seen {
        use crate::provider::postgres::asserting;
        let Some(connection) = &probe.connection else {
            return Seen::hopeless("it is not known how the database is reached");
        };
        let query = super::text(probe, "query").unwrap_or_default();
        let limit = super::time_limit(probe, "statement_timeout");
        match asserting::ask(&connection.settings, &query, limit).await {
            Ok(words) => Seen::holds(words),
            Err(refusal) if refusal.lasts => Seen::hopeless(refusal.words),
            Err(refusal) => Seen::fails(refusal.words),
        }
    }

    #[cfg(not(feature = "postgres"))]
    async fn ask(&self, _probe: &Probe) -> Seen {
        Seen::hopeless("this build asks no database; use one with the feature `postgres`")
    }
}
