//! How far a migration has got that does not run in one transaction. Pure data.
//!
//! Invariant: what a position counts is committed; the row in the database that holds it was committed together with it.

use serde::{Deserialize, Serialize};

use super::{Direction, Migration};
use crate::value::{Object, Value};

/// How far a migration has got.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Statements that are done, from the first one of the text on.
    pub statements: usize,
    /// How far the statement behind them has got, where that is a backfill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}

/// How far a backfill has got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The highest key that is done, as PostgreSQL writes it.
    pub key: String,
    /// Batches that are done.
    pub batches: u64,
    /// Rows that were written.
    pub rows: u64,
}

impl Position {
    /// So many statements are done.
    pub fn after(statements: usize) -> Self {
        Self { statements, cursor: None }
    }

    /// As facts for the ledger's record of a step that was left in the middle.
    pub fn facts(&self) -> Object {
        let number = |number: u64| Value::from(i64::try_from(number).unwrap_or(i64::MAX));
        let mut facts = Object::from([("statements_done".to_owned(), number(self.statements as u64))]);
        if let Some(cursor) = &self.cursor {
            let cursor = Value::object([
                ("key", Value::from(cursor.key.as_str())),
                ("batches", number(cursor.batches)),
                ("rows", number(cursor.rows)),
            ]);
            facts.insert("cursor".to_owned(), cursor);
        }
        facts
    }

    /// The position that facts hold.
    pub fn of_facts(facts: &Object) -> Option<Self> {
        let number = |value: &Value| value.as_i64().and_then(|number| u64::try_from(number).ok());
        let statements = usize::try_from(number(facts.get("statements_done")?)?).ok()?;
        let cursor = facts.get("cursor").and_then(|cursor| {
            let count = |name: &str| cursor.get(name).and_then(number).unwrap_or_default();
            let key = cursor.get("key")?.as_str()?.to_owned();
            Some(Cursor { key, batches: count("batches"), rows: count("rows") })
        });
        Some(Self { statements, cursor })
    }

    /// Whether nothing is done yet.
    pub fn is_start(&self) -> bool {
        *self == Self::default()
    }
}

/// A migration that was left in the middle, as the database itself says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Partial {
    /// The migration, both texts, as it was begun.
    pub migration: Migration,
    /// Which way it was going.
    pub direction: Direction,
    /// How far it has got: counted in the text of that direction.
    pub position: Position,
    /// On the way back: how much of the way there was done when it began; nothing means all of it.
    #[serde(default, skip_serializing_if = "Position::is_start")]
    pub from: Position,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_from_its_facts() {
        let cursor = Cursor { key: "17".to_owned(), batches: 3, rows: 2_999 };
        for position in [Position::after(2), Position { statements: 0, cursor: Some(cursor) }] {
            assert_eq!(Position::of_facts(&position.facts()), Some(position));
        }
        assert_eq!(Position::of_facts(&Object::new()), None);
    }
}
