//! Runs migrations, one at a time, with their history rows. Talks to the server.
//!
//! Invariant: refinery's own runner, given the same folder, finds exactly those migrations pending that we did not run.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use refinery::Runner;
use tokio_postgres::error::SqlState;

use super::super::connection::{open, target};
use super::super::errors::{nothing, refused, unknown};
use super::super::facts;
use super::super::fence::Guard;
use super::super::fingerprint;
use super::super::history::{self, Table};
use super::super::{parity, pooler};
use super::job::Job;
use super::memory::Opened;
use super::patience::Patience;
use super::progress::{Book, Row};
use super::session::Session;
use super::start::{Start, start};
use super::watcher::Watcher;
use super::{locks, purge, settle, tally, written};
use crate::digest::Digest;
use crate::migration::addition::{Addition, Written};
use crate::migration::layout::Layout;
use crate::migration::predict::Foreseen;
use crate::migration::{Direction, HistoryRow, Migration};
use crate::value::{Object, Value};
use crate::world::{
    Connection, Databases, EffectError, History, MigrationEffect, Progress, Series, Settlement, TargetFacts, WorldError,
};

/// The runner of migrations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Migrator {
    /// How long and how often it waits.
    pub patience: Patience,
}

#[async_trait]
impl Databases for Migrator {
    async fn history(&self, connection: &Connection) -> Result<Option<History>, WorldError> {
        let target = target(&connection.settings)?;
        let client = match open(&target).await {
            Ok(client) => client,
            Err(error) if is_missing_database(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        pooler::refuse(&client, &target).await?;
        let table = history::find(&client, history::layout(connection)?).await?;
        let partial = Book::of(&table.schema, table.has_progress).read(&client).await?.map(Row::partial);
        // It is there for comparing: that it could not be read is no reason to plan nothing.
        let parity = parity::read(&client).await.ok().map(Box::new);
        Ok(Some(History { partial, parity, ..table.into_history() }))
    }

    async fn layouts(&self, connection: &Connection) -> Result<Vec<Layout>, WorldError> {
        let client = open(&target(&connection.settings)?).await?;
        history::present(&client).await
    }

    async fn migrate(
        &self,
        connection: &Connection,
        effect: &MigrationEffect,
        progress: &dyn Progress,
    ) -> Result<Object, EffectError> {
        let opened = self.run(None, connection, effect, progress).await;
        let (facts, opened) = opened?;
        locks::give_turn_back(&opened.client).await;
        Ok(facts)
    }

    fn series(&self) -> Option<Box<dyn Series>> {
        Some(Box::new(InOneSession { migrator: *self, opened: None }))
    }

    async fn settle(&self, connection: &Connection, effect: &MigrationEffect) -> Result<Settlement, WorldError> {
        settle::settle(connection, effect, self.patience).await
    }

    async fn purge(
        &self,
        connection: &Connection,
        effect: &MigrationEffect,
        progress: &dyn Progress,
    ) -> Result<Object, EffectError> {
        purge::run(connection, effect, self.patience, progress).await
    }

    async fn settle_purge(&self, connection: &Connection, effect: &MigrationEffect) -> Result<Settlement, WorldError> {
        purge::settle(connection, effect).await
    }

    async fn written(&self, connection: &Connection, additions: &[Addition]) -> Result<Vec<Written>, WorldError> {
        written::look(&target(&connection.settings)?, additions).await
    }

    async fn fingerprint(&self, connection: &Connection) -> Result<Digest, WorldError> {
        Ok(fingerprint::fingerprint(connection).await?.digest())
    }

    async fn facts(
        &self,
        connection: &Connection,
        relations: &BTreeSet<String>,
    ) -> Result<Option<TargetFacts>, WorldError> {
        facts::read(&target(&connection.settings)?, relations).await.map(Some)
    }

    async fn foresee(&self, connection: &Connection, texts: &[&str]) -> Result<Vec<Vec<Foreseen>>, WorldError> {
        facts::foresee(&target(&connection.settings)?, texts).await
    }
}

impl Migrator {
    /// Runs a migration, in a session that another one has left if there is one. Gives facts and the session, which still
    /// has the turn.
    async fn run(
        self,
        left: Option<Opened>,
        connection: &Connection,
        effect: &MigrationEffect,
        progress: &dyn Progress,
    ) -> Result<(Object, Opened), EffectError> {
        let target = target(&connection.settings).map_err(nothing)?;
        let job = Job::read(effect, &target.to_string()).map_err(nothing)?;
        let layout = history::layout(connection).map_err(nothing)?;
        let started = Instant::now();
        let left = match left {
            Some(left) => left.again(&target, &effect.token, layout, effect.migration.version).await,
            None => None,
        };
        let mut opened = match left {
            Some(left) => left,
            None => Opened::anew(&target, &effect.token, &job.tried).await.map_err(nothing)?,
        };
        let client = &opened.client;
        let guard = Guard::take_over(client, &target, &effect.fence, &job.tried, progress).await.map_err(nothing)?;
        let waited = match opened.has_turn() {
            true => Duration::ZERO,
            false => locks::take_turn(client, self.patience.turn, progress).await.map_err(nothing)?,
        };
        guard.sit_down(client, &job.tried).await.map_err(nothing)?;
        let (table, book, begin) = begin(&mut opened, effect, &job, layout).await.map_err(nothing)?;
        let first = begin.row.position.statements;
        let Opened { client, memory } = opened;
        let mut session = Session {
            client,
            watcher: Watcher::start(&target, memory.process, job.lock_timeout),
            tried: job.tried.clone(),
            job: &job,
            start: begin,
            book,
            guard,
            patience: self.patience,
            progress,
            waited,
            done: Vec::new(),
        };
        if let Err(error) = run(&mut session, effect, table).await {
            locks::give_turn_back(&session.client).await;
            return Err(error);
        }
        let milliseconds = |time: Duration| Value::from(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        let mut facts = tally::facts(&session.done, first);
        facts.extend([
            ("duration_ms".to_owned(), milliseconds(started.elapsed())),
            ("lock_wait_ms".to_owned(), milliseconds(session.waited)),
            ("statements".to_owned(), Value::from(i64::try_from(job.pieces.len()).unwrap_or(i64::MAX))),
        ]);
        Ok((facts, Opened { client: session.client, memory }))
    }
}

/// Runs one migration after the other in one session, which is cleaned in between.
struct InOneSession {
    migrator: Migrator,
    opened: Option<Opened>,
}

#[async_trait]
impl Series for InOneSession {
    async fn migrate(
        &mut self,
        connection: &Connection,
        effect: &MigrationEffect,
        progress: &dyn Progress,
    ) -> Result<Object, EffectError> {
        let (facts, opened) = self.migrator.run(self.opened.take(), connection, effect, progress).await?;
        self.opened = Some(opened.left());
        Ok(facts)
    }
}

fn is_missing_database(error: &WorldError) -> bool {
    error.cause.contains(&format!("({})", SqlState::UNDEFINED_DATABASE.code()))
}

/// The history, and where the migration begins.
async fn begin(
    opened: &mut Opened,
    effect: &MigrationEffect,
    job: &Job,
    layout: Layout,
) -> Result<(Table, Book, Start), WorldError> {
    let mut table = opened.history(layout, effect.migration.version).await?;
    if !table.exists && layout == Layout::Refinery {
        table.wide = i32::try_from(effect.migration.version).is_err();
    }
    let book = Book::of(&table.schema, table.has_progress);
    let left = book.read(&opened.client).await?;
    check_turn(&table, effect, left.as_ref(), &job.tried)?;
    // What has no version has a row of each of its texts that ran.
    let is_its = |row: &&HistoryRow| !effect.migration.is_repeatable() || table.fits(row, &effect.migration);
    let is_applied = table.row(effect.migration.version).filter(is_its).is_some();
    let begin = start(effect, job, left.as_ref(), is_applied)?;
    Ok((table, book, begin))
}

async fn run(session: &mut Session<'_>, effect: &MigrationEffect, table: Table) -> Result<(), EffectError> {
    let migration = &effect.migration;
    match effect.direction {
        _ if session.start.history_stays => session.migrate(&[]).await,
        Direction::Up if table.exists || table.layout != Layout::Refinery => {
            session.migrate(&[&table.insert(migration)]).await
        }
        Direction::Up if table.wide => {
            session.run(&[&table.create_wide()]).await?;
            session.migrate(&[&table.insert(migration)]).await
        }
        Direction::Up => run_refinery(session, &table, migration).await,
        Direction::Down => session.migrate(&[&table.delete(migration)]).await,
    }
}

/// Lets refinery run the first migration: it makes its table as its build does, runs the text and writes the row.
async fn run_refinery(session: &mut Session<'_>, table: &Table, migration: &Migration) -> Result<(), EffectError> {
    let tried = session.tried.clone();
    let refuse = |error: &refinery::Error| match error.kind() {
        refinery::error::Kind::Connection(_, source) => match source.downcast_ref::<EffectError>() {
            Some(found) => found.clone(),
            None => unknown(refused(&tried, source.to_string(), "look at the history table")),
        },
        other => nothing(refused(&tried, format!("refinery: {other}"), "plan again: the history changed meanwhile")),
    };
    let ours = refinery::Migration::unapplied(&migration.label(), &migration.up).map_err(|error| refuse(&error))?;
    let mut runner = Runner::new(&[ours]).set_abort_divergent(true).set_abort_missing(true);
    runner.set_migration_table_name(table.name());
    let report = runner.run_async(session).await.map_err(|error| refuse(&error))?;
    match report.applied_migrations().len() {
        1 => Ok(()),
        count => Err(unknown(refused(
            tried,
            format!("refinery applied {count} migrations instead of one"),
            "look at the history table",
        ))),
    }
}

/// Whether it is this migration's turn. One that was left in the middle may be in the history or not.
fn check_turn(table: &Table, effect: &MigrationEffect, left: Option<&Row>, tried: &str) -> Result<(), WorldError> {
    let migration = &effect.migration;
    let (version, label) = (migration.version, migration.label());
    if migration.is_repeatable() {
        return check_repeatable(table, effect, tried);
    }
    if let Some(row) = table.row(version)
        && !table.fits(row, migration)
    {
        let sum = row.checksum.as_deref().unwrap_or("none");
        let cause = if row.name == table.layout.row_name(migration) {
            format!("{label} was applied with another text (checksum {sum} in the history)")
        } else {
            format!("version {} was applied under another name, `{}`", migration.version_text(), row.name)
        };
        let help = "put the old file back, and write what is new as a migration of its own; or accept the file as it is \
                    with `migrate rebless`";
        return Err(refused(tried, cause, help));
    }
    let last = table.newest();
    let applied = table.row(version).is_some();
    let spelled = |version: i64| {
        let row = table.row(version).and_then(|row| row.spelling.clone());
        row.unwrap_or_else(|| version.to_string())
    };
    match effect.direction {
        Direction::Up if applied && left.is_none() => {
            Err(refused(tried, format!("{label} is applied already"), "another runner was first: plan again"))
        }
        Direction::Up if last > Some(version) => {
            let last = spelled(last.unwrap_or_default());
            let cause = format!("version {last} is applied already, and versions go upwards");
            Err(refused(tried, cause, "give the migration a version above it, or leave it out with `migrate skip`"))
        }
        Direction::Up if table.layout == Layout::Refinery && !table.wide && i32::try_from(version).is_err() => {
            Err(refused(
                tried,
                format!("version {version} does not fit into {}, whose version column is int4", table.name()),
                "use versions up to 2147483647, or convert the table and its checksums to refinery's `int8-versions`",
            ))
        }
        Direction::Down if !applied && left.is_none() => {
            Err(refused(tried, format!("{label} is not applied"), "it was taken back already: plan again"))
        }
        Direction::Down if last > Some(version) => {
            let cause = format!("version {} was applied after it", spelled(last.unwrap_or_default()));
            Err(refused(tried, cause, "take back what came later first"))
        }
        Direction::Up | Direction::Down => Ok(()),
    }
}

/// What has no version runs whenever its text is not the one that ran last; its way back is the earlier text, forward.
fn check_repeatable(table: &Table, effect: &MigrationEffect, tried: &str) -> Result<(), WorldError> {
    let migration = &effect.migration;
    let label = migration.label();
    let ran = table.row(migration.version).is_some_and(|row| table.fits(row, migration));
    match effect.direction {
        Direction::Up if ran => {
            Err(refused(tried, format!("{label} is applied already"), "another runner was first: plan again"))
        }
        Direction::Up => Ok(()),
        Direction::Down => {
            let cause = format!("{label} has no version, so there is none to go back to");
            Err(refused(tried, cause, "run its earlier text instead"))
        }
    }
}
