//! The table that says how far a migration has got that is not committed as one: `switchback_progress`. Talks to the
//! server.
//!
//! Invariant: a row is written in the same commit as the statement that it counts; of a statement that has none it says
//! beforehand that it is under way, and what was there. At most one row stands in a database.

use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

use super::super::errors::{refused, world_error};
use super::super::quoting;
use crate::digest::Digest;
use crate::migration::position::{Cursor, Partial, Position};
use crate::migration::{Direction, Migration};
use crate::world::{ErrorClass, WorldError};

/// The table's name.
pub const TABLE: &str = "switchback_progress";

/// The table, beside the history.
#[derive(Clone, Debug)]
pub struct Book {
    /// Its name with its schema.
    pub name: String,
    /// Whether it is there.
    pub exists: bool,
}

/// How far a migration has got.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The ledger that it was begun from.
    pub chain: String,
    /// The migration as it was begun, both texts.
    pub migration: Migration,
    /// Which way.
    pub direction: Direction,
    /// How far in the text of that direction; on the way back what was not there to be taken back counts as done.
    pub position: Position,
    /// On the way back: how much of the way there was done when it began; nothing means all of it.
    pub from: Position,
    /// The statement behind the position is under way outside of a transaction; what was there before it.
    pub under_way: Option<Before>,
}

/// What was there before a statement that runs outside of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Before {
    /// Whether what it makes or drops was there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub there: bool,
    /// Indexes that were there, by their numbers in the catalog.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<u32>,
}

impl Row {
    /// The digest of the text that runs.
    pub fn digest(&self) -> Digest {
        digest(&self.migration, self.direction)
    }

    /// What the history tells of it.
    pub fn partial(self) -> Partial {
        Partial { migration: self.migration, direction: self.direction, position: self.position, from: self.from }
    }
}

/// The digest of the text of this direction.
pub fn digest(migration: &Migration, direction: Direction) -> Digest {
    Digest::of_bytes(migration.text(direction).unwrap_or_default().as_bytes())
}

impl Book {
    /// In this schema.
    pub fn of(schema: &str, exists: bool) -> Self {
        Self { name: format!("{}.{TABLE}", quoting::name(schema)), exists }
    }

    /// The row, if a migration was left in the middle.
    ///
    /// # Errors
    /// As the server says, or when the row is not one of ours.
    pub async fn read(&self, client: &Client) -> Result<Option<Row>, WorldError> {
        if !self.exists {
            return Ok(None);
        }
        let tried = format!("read {}", self.name);
        let statement = format!(
            "select chain, migration, direction, statements, cursor, \"from\", under_way, text_digest from {} \
             order by version limit 1",
            self.name
        );
        let row = client.query_opt(&statement, &[]).await.map_err(|error| world_error(&tried, &error))?;
        row.map(|row| read(&row).map_err(|cause| refused(&tried, cause, "leave that table alone"))).transpose()
    }

    /// Makes the table, in a commit of its own.
    ///
    /// # Errors
    /// As the server says.
    pub async fn make(&mut self, client: &Client) -> Result<(), WorldError> {
        if self.exists {
            return Ok(());
        }
        let text = self.definition();
        client.batch_execute(&text).await.map_err(|error| {
            let mut error = world_error(format!("make {}", self.name), &error);
            if error.class == ErrorClass::Denied {
                error.help = Some(format!("grant CREATE on the schema, or make it as its owner: {text}"));
            }
            error
        })?;
        self.exists = true;
        Ok(())
    }

    /// What makes the table.
    pub fn definition(&self) -> String {
        format!(
            "create table if not exists {0} (version int8 primary key, name text not null, chain text not null, \
             direction text not null, text_digest text not null, statements int8 not null, cursor text, \
             \"from\" text, under_way text, migration text not null, since timestamptz not null default now()); \
             comment on table {0} is 'switchback: how far a migration has got that is not committed as one'",
            self.name
        )
    }

    /// Writes the whole row.
    pub fn write(&self, row: &Row) -> String {
        let from = if row.from.is_start() { "null".to_owned() } else { json(&row.from) };
        format!(
            "insert into {0} (version, name, chain, direction, text_digest, statements, cursor, \"from\", under_way, \
             migration) values ({1}, {2}, {3}, '{4}', '{5}', {6}, {7}, {8}, {9}, {10}) \
             on conflict (version) do update set (name, chain, direction, text_digest, statements, cursor, \"from\", \
             under_way, migration) = (excluded.name, excluded.chain, excluded.direction, excluded.text_digest, \
             excluded.statements, excluded.cursor, excluded.\"from\", excluded.under_way, excluded.migration)",
            self.name,
            row.migration.version,
            quoting::literal(&row.migration.name),
            quoting::literal(&row.chain),
            word(row.direction),
            row.digest(),
            row.position.statements,
            row.position.cursor.as_ref().map_or("null".to_owned(), json),
            from,
            row.under_way.as_ref().map_or("null".to_owned(), json),
            json(&row.migration),
        )
    }

    /// Counts on: the statement before this position is committed together with it.
    pub fn advance(&self, version: i64, position: &Position) -> String {
        let cursor = position.cursor.as_ref();
        let cursor = cursor.map_or("null".to_owned(), json);
        format!(
            "update {} set statements = {}, cursor = {cursor}, under_way = null where version = {version}",
            self.name, position.statements
        )
    }

    /// Notes that the next statement is under way outside of a transaction.
    pub fn bracket(&self, version: i64, before: &Before) -> String {
        format!("update {} set under_way = {} where version = {version}", self.name, json(before))
    }

    /// Nothing is in the middle any more.
    pub fn remove(&self, version: i64) -> String {
        format!("delete from {} where version = {version}", self.name)
    }
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}

fn read(row: &tokio_postgres::Row) -> Result<Row, String> {
    let text = |at: usize| row.get::<_, Option<String>>(at);
    let bad = |error: serde_json::Error| format!("its row is not one of ours: {error}");
    let migration: Migration = serde_json::from_str(&row.get::<_, String>(1)).map_err(bad)?;
    let direction = match row.get::<_, &str>(2) {
        "up" => Direction::Up,
        "down" => Direction::Down,
        other => return Err(format!("its row goes `{other}`")),
    };
    let statements = usize::try_from(row.get::<_, i64>(3)).map_err(|error| error.to_string())?;
    let cursor: Option<Cursor> = text(4).map(|text| serde_json::from_str(&text)).transpose().map_err(bad)?;
    let from: Option<Position> = text(5).map(|text| serde_json::from_str(&text)).transpose().map_err(bad)?;
    let under_way = text(6).map(|text| serde_json::from_str(&text)).transpose().map_err(bad)?;
    let found = Row {
        chain: row.get(0),
        migration,
        direction,
        position: Position { statements, cursor },
        from: from.unwrap_or_default(),
        under_way,
    };
    match found.digest().to_string() == row.get::<_, &str>(7) {
        true => Ok(found),
        false => Err("the text in its row is not the one that its digest is of".to_owned()),
    }
}

/// As a literal of SQL that holds JSON.
fn json<T: Serialize>(value: &T) -> String {
    let text = serde_json::to_string(value).expect("plain data with names for keys is always JSON");
    quoting::literal(&text)
}
