//! The fingerprint of a schema: everything that its catalogs say, thing by thing. Talks to the server.
//!
//! Invariant: two databases with the same fingerprint cannot be told apart by their schema; an empty answer is an
//! error, never a fingerprint.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use regex::Regex;
use serde_json::Value as Json;
use tokio_postgres::{Client, Statement};

use super::connection::{open, target};
use super::errors::{refused, world_error};
use super::fence;
use crate::digest::Digest;
use crate::world::{Connection, WorldError};

const QUERY: &str = include_str!("fingerprint.sql");

/// Tables that are no part of the schema: what runners of migrations keep about themselves.
pub const HIDDEN: &[&str] = &[
    "refinery_schema_history",
    fence::TABLE,
    "switchback_progress",
    "switchback_texts",
    "flyway_schema_history",
    "_sqlx_migrations",
    "schema_migrations",
];

/// Under an empty search path every name comes out with its schema, whoever asks.
const SETTINGS: &str = "begin isolation level repeatable read read only; set local search_path = ''; \
    set local timezone = 'UTC'; set local datestyle = 'ISO'; set local intervalstyle = 'postgres'; \
    set local extra_float_digits = 1; set local quote_all_identifiers = off; set local bytea_output = 'hex'; \
    set local jit = off; set local row_security = on";

/// What tells one thing from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing {
    /// What sort of thing: `table`, `column`, `index`.
    pub sort: String,
    /// What it belongs to: `table app.orders`.
    pub place: Option<String>,
    /// Its name.
    pub name: String,
}

/// The facts of a thing: `NOT NULL`, `DEFAULT`, `owner`.
pub type Facts = BTreeMap<String, Json>;

/// Everything that the catalogs say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// Thing by thing.
    pub things: BTreeMap<Thing, Arc<Facts>>,
}

/// Takes fingerprints over one session: the query is planned once, and what is said in the same words is read once.
pub struct Taker {
    statement: Statement,
    /// What was read the last time, by its words.
    read: Mutex<HashMap<String, Arc<Facts>>>,
}

impl Fingerprint {
    /// One line for each thing.
    pub fn text(&self) -> String {
        let lines: Vec<String> = self.things.iter().map(|(thing, facts)| line(thing, facts)).collect();
        lines.join("\n")
    }

    /// The digest of the lines.
    pub fn digest(&self) -> Digest {
        Digest::of_bytes(self.text().as_bytes())
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(formatter, "{place}: {} {}", self.sort, self.name),
            None => write!(formatter, "{} {}", self.sort, self.name),
        }
    }
}

impl Taker {
    /// Has the query planned.
    ///
    /// # Errors
    /// As the server says.
    pub async fn of(client: &Client) -> Result<Self, WorldError> {
        let failed = |error| world_error("fingerprint the schema", &error);
        // Planning takes as long as asking, and no parameter would change the plan.
        client.batch_execute("set plan_cache_mode = force_generic_plan").await.map_err(failed)?;
        Ok(Self { statement: client.prepare(QUERY).await.map_err(failed)?, read: Mutex::default() })
    }

    /// Takes the fingerprint of the database that the session, the same one, is in.
    ///
    /// # Errors
    /// As the server says, or when there is nothing to see.
    pub async fn take(&self, client: &Client) -> Result<Fingerprint, WorldError> {
        let tried = "fingerprint the schema";
        let failed = |error| world_error(tried, &error);
        client.batch_execute(SETTINGS).await.map_err(failed)?;
        let rows = client.query(&self.statement, &[&HIDDEN]).await.map_err(failed)?;
        client.batch_execute("commit").await.map_err(failed)?;
        let mut fingerprint = Fingerprint::default();
        let mut earlier = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let mut read = HashMap::with_capacity(rows.len());
        for row in &rows {
            let thing = Thing { sort: row.get(0), place: row.get(1), name: row.get(2) };
            let words: &str = row.get(3);
            let facts = match earlier.get(words).or_else(|| read.get(words)) {
                Some(facts) => Arc::clone(facts),
                None => Arc::new(
                    serde_json::from_str(&plain(words))
                        .map_err(|error| refused(tried, format!("{thing}: {error}"), "report this, with the object"))?,
                ),
            };
            read.insert(words.to_owned(), Arc::clone(&facts));
            match fingerprint.things.entry(thing) {
                Entry::Vacant(free) => drop(free.insert(facts)),
                // A sequence comes in two rows: as a relation, and with its numbers.
                Entry::Occupied(mut taken) => Arc::make_mut(taken.get_mut()).extend((*facts).clone()),
            }
        }
        *earlier = read;
        if fingerprint.things.is_empty() {
            let help = "check that the user may read the catalogs";
            return Err(refused(tried, "the catalogs show nothing at all, which cannot be", help));
        }
        Ok(fingerprint)
    }
}

/// The fingerprint of a database.
///
/// # Errors
/// As the server says, or when there is nothing to see.
pub async fn fingerprint(connection: &Connection) -> Result<Fingerprint, WorldError> {
    let target = target(&connection.settings)?;
    let client = open(&target).await?;
    let told = |mut error: WorldError| {
        error.tried = format!("fingerprint the schema at {target}");
        error
    };
    Taker::of(&client).await.map_err(told)?.take(&client).await.map_err(told)
}

/// The lines of a database's fingerprint, for showing what differs.
///
/// # Errors
/// As the server says, or when there is nothing to see.
pub async fn fingerprint_text(connection: &Connection) -> Result<String, WorldError> {
    Ok(fingerprint(connection).await?.text())
}

fn line(thing: &Thing, facts: &Facts) -> String {
    let mut parts = vec![thing.sort.clone()];
    parts.extend(thing.place.clone());
    parts.push(thing.name.clone());
    parts.extend(facts.iter().map(|(name, value)| match value {
        Json::String(text) => format!("{name} {text}"),
        other => format!("{name} {other}"),
    }));
    parts.join(" | ")
}

/// The server writes `x in ('a', 'b')` over a varchar in another way once it has read its own writing: the cast of the
/// whole list becomes one of each member. They mean the same, and are told here the same way.
fn plain(text: &str) -> std::borrow::Cow<'_, str> {
    static LIST: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\(ARRAY\[((?:'(?:[^']|'')*'::character varying(?:, )?)+)\]\)::text\[\]")
            .expect("the expression is a constant")
    });
    static MEMBER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"('(?:[^']|'')*'::character varying)").expect("the expression is a constant"));
    if !text.contains(")::text[]") {
        return text.into();
    }
    LIST.replace_all(text, |found: &regex::Captures<'_>| {
        format!("ARRAY[{}]", MEMBER.replace_all(&found[1], "(${1})::text"))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_list_is_told_the_same_way_before_and_after_the_server_has_read_it() {
        let before = "CHECK (((s)::text = ANY ((ARRAY['a'::character varying, 'b''c'::character varying])::text[])))";
        let after =
            "CHECK (((s)::text = ANY (ARRAY[('a'::character varying)::text, ('b''c'::character varying)::text])))";
        assert_eq!(super::plain(before), after);
        assert_eq!(super::plain(after), after);
        assert_eq!(super::plain("(ARRAY[x])::text[]"), "(ARRAY[x])::text[]");
    }
}
