//! Asks what became of a migration whose outcome nobody heard of. Talks to the server.
//!
//! Invariant: nothing is concluded while the session of the interrupted run may still be at work.

use super::super::connection::{open, target};
use super::super::errors::world_error;
use super::super::fence::Guard;
use super::super::history::{self, Table};
use super::super::{orphans, transaction};
use super::concurrent::{self, State};
use super::job::{Job, Mode};
use super::locks;
use super::patience::Patience;
use crate::migration::concurrent::{ConcurrentIndex, Work};
use crate::migration::layout::Layout;
use crate::migration::{Direction, HistoryRow};
use crate::value::Object;
use crate::world::{Connection, MigrationEffect, Progress, Settlement, WorldError};

/// Settles one migration. One that ran outside of a transaction, and lacks only its history row, gets it now.
///
/// # Errors
/// As the server says.
pub async fn settle(
    connection: &Connection,
    effect: &MigrationEffect,
    patience: Patience,
) -> Result<Settlement, WorldError> {
    let target = target(&connection.settings)?;
    let job = Job::read(effect, &target.to_string())?;
    let client = open(&target).await?;
    let guard = Guard::take_over(&client, &target, &effect.fence, &job.tried, &Silence).await?;
    orphans::end(&client, &effect.token).await?;
    locks::take_turn(&client, patience.turn, &Silence).await?;
    guard.sit_down(&client, &job.tried).await?;
    let patient = format!("set lock_timeout = {}", effect.lock_timeout.as_millis().max(1) * patience.concurrent_factor);
    client.batch_execute(&patient).await.map_err(|error| world_error(&job.tried, &error))?;
    let table = history::find(&client, history::layout(connection)?).await?;
    let row = table.row(effect.migration.version);
    // What has no version may have run with another text before.
    let row = row.filter(|row| !effect.migration.is_repeatable() || table.fits(row, &effect.migration));
    if let Some(row) = row
        && !table.fits(row, &effect.migration)
    {
        return Ok(Settlement::Doubt(describe(row)));
    }
    let settled = match (&job.mode, effect.direction, row) {
        (_, Direction::Up, Some(_)) | (_, Direction::Down, None) => Settlement::Done(Object::new()),
        (Mode::Together, Direction::Up, None) | (Mode::Together, Direction::Down, Some(_)) => Settlement::NotDone,
        (Mode::Outside { index: Some(index) }, ..) => {
            let row = match effect.direction {
                Direction::Up => table.insert(&effect.migration),
                Direction::Down => table.delete(&effect.migration),
            };
            settle_index(&client, &guard, index, &table, row, &job.tried).await?
        }
        (Mode::Outside { index: None }, ..) => {
            let statement = job.outside().map(|statement| statement.excerpt()).unwrap_or_default();
            Settlement::Doubt(format!(
                "`{statement}` runs outside of a transaction, and the history does not say whether it ran"
            ))
        }
    };
    locks::give_turn_back(&client).await;
    Ok(settled)
}

async fn settle_index(
    client: &tokio_postgres::Client,
    guard: &Guard,
    index: &ConcurrentIndex,
    table: &Table,
    row: String,
    tried: &str,
) -> Result<Settlement, WorldError> {
    let failed = |error| world_error(tried, &error);
    guard.in_time(tried)?;
    let found = concurrent::state(client, index).await.map_err(failed)?;
    let done = match (index.work, found) {
        (Work::Make { if_not_exists: false }, State::Valid) | (Work::Drop, State::Absent) => true,
        (Work::Drop, State::Invalid) => {
            concurrent::finish_drop(client, index).await.map_err(failed)?;
            true
        }
        (Work::Make { if_not_exists: true }, State::Valid) => {
            // It may have been there before; then the statement has nothing to do, and can run again.
            false
        }
        (Work::Make { .. }, State::Invalid) => {
            concurrent::clear(client, index, &Silence).await.map_err(failed)?;
            false
        }
        (Work::Make { .. }, State::Absent) | (Work::Drop, State::Valid) => false,
    };
    if !done {
        return Ok(Settlement::NotDone);
    }
    let mut statements = Vec::new();
    if !table.exists && table.wide && table.layout == Layout::Refinery {
        statements.push(table.create_wide());
    }
    statements.push(row);
    match transaction::run(client, tried, &statements, Some(guard)).await {
        Ok(()) => Ok(Settlement::Done(Object::new())),
        Err(failed) => Err(failed.error),
    }
}

fn describe(row: &HistoryRow) -> String {
    let sum = row.checksum.as_deref().unwrap_or("none");
    format!("the history has version {} as `{}` with checksum {sum}", row.version, row.name)
}

struct Silence;

impl Progress for Silence {
    fn say(&self, message: &str) {
        tracing::debug!(message, "while settling");
    }
}
