//! Brakes for statements that run outside of a transaction: what they lock only for a moment is seen while they wait.
//! Talks to the server, to a throw-away one only.
//!
//! Invariant: brakes are released one after the other, and never wait for anything themselves, so that nobody deadlocks.

use tokio_postgres::{Client, Error};

use super::super::quoting;
use super::state::Names;
use crate::migration::statements::{Statement, TokenSort};

/// Sessions that a statement has to wait for, in the order of their release.
pub struct Brakes(Vec<Client>);

impl Brakes {
    /// Puts them on. The sessions are idle.
    ///
    /// The first one makes the statement wait for its first lock. The second one holds a snapshot, and reads the
    /// tables: concurrent work waits for both. The last one reads the partitions, for what becomes of those.
    ///
    /// # Errors
    /// As the server says.
    pub async fn on(sessions: [Client; 3], names: &Names, statement: &Statement) -> Result<Self, Error> {
        let tables = tables(names, statement);
        let begin = "begin isolation level repeatable read; select 1";
        for session in &sessions {
            session.batch_execute(begin).await?;
        }
        let [first, reading, parts] = &sessions;
        for (name, partition) in tables {
            first.batch_execute(&format!("lock table only {name} in share update exclusive mode")).await?;
            let reader = if partition { parts } else { reading };
            reader.batch_execute(&format!("lock table only {name} in access share mode")).await?;
        }
        Ok(Self(sessions.into_iter().rev().collect()))
    }

    /// Releases the next one; whether there was one.
    ///
    /// # Errors
    /// As the server says.
    pub async fn release(&mut self) -> Result<bool, Error> {
        match self.0.pop() {
            Some(session) => session.batch_execute("rollback").await.map(|()| true),
            None => Ok(false),
        }
    }
}

/// The tables that a statement names, or whose index it names, and whether each is a partition.
fn tables(names: &Names, statement: &Statement) -> Vec<(String, bool)> {
    let says = |whole: &str| {
        let bare = whole.rsplit_once('.').map_or(whole, |(_, bare)| bare).trim_matches('"');
        statement.tokens.iter().any(|token| token.sort != TokenSort::Sign && token.text == bare)
    };
    let mut oids: Vec<i64> = Vec::new();
    for (oid, known) in names.iter().filter(|(_, known)| says(&known.name)) {
        match known.kind.as_str() {
            "r" | "p" => oids.push(*oid),
            "i" | "I" => oids.extend(known.table),
            _ => {}
        }
    }
    oids.sort_unstable();
    oids.dedup();
    let table = |oid: &i64| names.get(oid).filter(|known| known.kind != "m");
    oids.iter().filter_map(table).map(|known| (quoting::written(&known.name), known.partition)).collect()
}
