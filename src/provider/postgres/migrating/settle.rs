//! Asks what became of a migration whose outcome nobody heard of. Talks to the server.
//!
//! Invariant: nothing is concluded while the session of the interrupted run may still be at work.

use tokio_postgres::Client;

use super::super::connection::{open, target};
use super::super::errors::world_error;
use super::super::fence::Guard;
use super::super::history::{self, Table};
use super::super::{orphans, transaction};
use super::job::Job;
use super::locks;
use super::patience::Patience;
use super::progress::{Book, Row};
use super::start::describe;
use super::stepwise::untold;
use super::traces::{self, Verdict};
use crate::migration::layout::Layout;
use crate::migration::outside::Outside;
use crate::migration::position::Position;
use crate::migration::said::When;
use crate::migration::{Direction, HistoryRow};
use crate::value::Object;
use crate::world::{Connection, MigrationEffect, Progress, Settlement, WorldError};

/// Settles one migration. A statement that was under way outside of a transaction is told by the catalogs; one that
/// lacks only its end gets it now.
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
    let patient = format!("set lock_timeout = {}", job.lock_timeout.as_millis().max(1) * patience.concurrent_factor);
    client.batch_execute(&patient).await.map_err(|error| world_error(&job.tried, &error))?;
    let table = history::find(&client, history::layout(connection)?).await?;
    let book = Book::of(&table.schema, table.has_progress);
    let place = Place { client: &client, guard: &guard, table: &table, book: &book, job: &job, effect };
    let settled = place.settle(book.read(&client).await?).await;
    locks::give_turn_back(&client).await;
    settled
}

/// What is asked, and where.
struct Place<'a> {
    client: &'a Client,
    guard: &'a Guard,
    table: &'a Table,
    book: &'a Book,
    job: &'a Job,
    effect: &'a MigrationEffect,
}

impl Place<'_> {
    async fn settle(&self, left: Option<Row>) -> Result<Settlement, WorldError> {
        let migration = &self.effect.migration;
        let history = self.table.row(migration.version);
        // What has no version may have run with another text before.
        let history = history.filter(|row| !migration.is_repeatable() || self.table.fits(row, migration));
        if let Some(row) = history
            && !self.table.fits(row, migration)
        {
            return Ok(Settlement::Doubt(describe_history(row)));
        }
        let ours = left.filter(|left| left.migration.version == migration.version);
        match (ours, self.effect.direction, history) {
            (Some(left), ..) => self.settle_left(left, history.is_some()).await,
            (None, Direction::Up, Some(_)) | (None, Direction::Down, None) => Ok(Settlement::Done(Object::new())),
            (None, Direction::Up, None) | (None, Direction::Down, Some(_)) => Ok(Settlement::NotDone),
        }
    }

    /// It was left in the middle.
    async fn settle_left(&self, mut left: Row, is_applied: bool) -> Result<Settlement, WorldError> {
        if left.direction != self.effect.direction {
            // This way was not begun.
            return Ok(Settlement::NotDone);
        }
        if left.digest() != super::progress::digest(&self.effect.migration, left.direction) {
            return Ok(Settlement::Doubt(format!("{}, with another text", describe(&left))));
        }
        if left.under_way.is_some() && !self.tell(&mut left).await? {
            return Ok(Settlement::Doubt(untold(&self.job.tried, &self.job.pieces, left.position.statements).cause));
        }
        let (done, count) = (left.position.statements, self.job.pieces.len());
        let is_up = left.direction == Direction::Up;
        if left.position.is_start() && left.from.is_start() && is_applied != is_up {
            self.write(vec![self.book.remove(left.migration.version)]).await?;
            return Ok(Settlement::NotDone);
        }
        let asks = self.job.assertions.iter().any(|one| one.when == When::After);
        if done >= count && !asks {
            self.end(&left, is_applied).await?;
            return Ok(Settlement::Done(Object::new()));
        }
        let why = match count.checked_sub(done) {
            Some(0) | None => "every statement is done, but not its end".to_owned(),
            Some(_) => format!("{} is not done", self.job.place(done)),
        };
        Ok(Settlement::Stands(left.position.facts(), why))
    }

    /// Asks the catalogs about the statement that was under way; whether they tell.
    async fn tell(&self, left: &mut Row) -> Result<bool, WorldError> {
        let Some(before) = left.under_way.take() else {
            return Ok(true);
        };
        let failed = |error| world_error(&self.job.tried, &error);
        self.guard.in_time(&self.job.tried)?;
        let done = left.position.statements;
        for piece in self.job.pieces.iter().take(done).filter(|piece| piece.is_setting()) {
            self.client.batch_execute(&piece.statement.text).await.map_err(failed)?;
        }
        let outside = self.job.pieces.get(done).and_then(|piece| piece.outside.clone()).unwrap_or(Outside::Untold);
        match traces::settle(self.client, &outside, &before, &Silence).await.map_err(failed)? {
            Verdict::Done => left.position = Position::after(done + 1),
            Verdict::NotDone => {}
            Verdict::Untold => return Ok(false),
        }
        self.write(vec![self.book.advance(left.migration.version, &left.position)]).await?;
        Ok(true)
    }

    /// The history row is written, and nothing is in the middle any more.
    async fn end(&self, left: &Row, is_applied: bool) -> Result<(), WorldError> {
        let mut statements = vec![self.book.remove(left.migration.version)];
        match (left.direction, is_applied) {
            (Direction::Up, false) => {
                if !self.table.exists && self.table.wide && self.table.layout == Layout::Refinery {
                    statements.push(self.table.create_wide());
                }
                statements.push(self.table.insert(&self.effect.migration));
            }
            (Direction::Down, true) => statements.push(self.table.delete(&self.effect.migration)),
            (Direction::Up, true) | (Direction::Down, false) => {}
        }
        self.write(statements).await
    }

    async fn write(&self, statements: Vec<String>) -> Result<(), WorldError> {
        let written = transaction::run(self.client, &self.job.tried, &statements, Some(self.guard)).await;
        written.map_err(|failed| failed.error)
    }
}

fn describe_history(row: &HistoryRow) -> String {
    let sum = row.checksum.as_deref().unwrap_or("none");
    format!("the history has version {} as `{}` with checksum {sum}", row.version, row.name)
}

struct Silence;

impl Progress for Silence {
    fn say(&self, message: &str) {
        tracing::debug!(message, "while settling");
    }
}
