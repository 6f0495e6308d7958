//! The session that migrations run in, as refinery drives it: a newtype over the client that implements refinery's
//! asynchronous traits. Talks to the server.
//!
//! Invariant: the statements that refinery hands over together (the text and its history row) are one transaction,
//! tried again as a whole when a lock was not to be had in time.

use std::time::{Duration, Instant};

use refinery_core::traits::r#async::{AsyncMigrate, AsyncQuery, AsyncTransaction};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::concurrent;
use super::errors::{has_code, is_refusal, line_in, nothing, unknown, world_error};
use super::patience::Patience;
use super::rows;
use super::transaction::{commit, roll_back};
use super::watcher::Watcher;
use crate::migration::concurrent::ConcurrentIndex;
use crate::world::{EffectError, Progress};

/// A session that runs migrations.
pub struct Session<'a> {
    /// The connection.
    pub client: Client,
    /// Sees from outside who keeps it waiting.
    pub watcher: Watcher,
    /// What is being done, for messages.
    pub tried: String,
    /// Whether statements run in a transaction.
    pub mode: Mode,
    /// Longest wait for one lock.
    pub lock_timeout: Duration,
    /// How often to try.
    pub patience: Patience,
    /// Who hears about waiting.
    pub progress: &'a dyn Progress,
    /// Time spent waiting for others so far.
    pub waited: Duration,
    /// How many rows the migration's own text touched.
    pub rows: u64,
}

/// How statements run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All of them in one transaction.
    Together,
    /// The first one outside of any transaction, then the others.
    Outside {
        /// The index that the first one makes or drops concurrently, if that is what it does.
        index: Option<ConcurrentIndex>,
    },
}

/// What one try came to.
struct Failure {
    error: EffectError,
    is_lock_timeout: bool,
}

impl AsyncTransaction for Session<'_> {
    type Error = EffectError;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(
        &'a mut self,
        queries: T,
    ) -> Result<usize, EffectError> {
        let queries: Vec<&str> = queries.collect();
        self.run(&queries).await?;
        Ok(queries.len())
    }
}

impl AsyncQuery<Vec<refinery::Migration>> for Session<'_> {
    async fn query(&mut self, query: &str) -> Result<Vec<refinery::Migration>, EffectError> {
        let read = AsyncQuery::<Vec<refinery::Migration>>::query(&mut self.client, query).await;
        read.map_err(|error| nothing(world_error(&self.tried, &error)))
    }
}

impl AsyncMigrate for Session<'_> {}

impl Session<'_> {
    /// Runs statements as the mode says, and tries again when a lock was not to be had.
    ///
    /// # Errors
    /// Of the last try.
    pub async fn run(&mut self, queries: &[&str]) -> Result<(), EffectError> {
        let mode = self.mode.clone();
        match (&mode, queries) {
            (Mode::Outside { index }, [first, rest @ ..]) if !rest.is_empty() => {
                self.persist(&Way::Outside(first, index.as_ref())).await?;
                // What ran cannot be taken back any more: until its row is written, its outcome has to be asked for.
                self.persist(&Way::Together(rest)).await.map_err(|failed| unknown(failed.error))
            }
            (Mode::Together | Mode::Outside { .. }, all) => self.persist(&Way::Together(all)).await,
        }
    }

    async fn persist(&mut self, way: &Way<'_>) -> Result<(), EffectError> {
        let mut pause = self.patience.first_pause;
        let mut attempt = 1;
        loop {
            let started = Instant::now();
            let result = match way {
                Way::Together(queries) => self.together(queries).await,
                Way::Outside(query, index) => self.outside(query, *index).await,
            };
            let (blocked, blocker) = self.watcher.take();
            let mut failure = match result {
                Ok(()) => {
                    self.waited += blocked;
                    return Ok(());
                }
                Err(failure) => failure,
            };
            if !failure.is_lock_timeout {
                self.waited += blocked;
                return Err(failure.error);
            }
            let by = blocker.unwrap_or_else(|| "a session that was gone before it could be named".to_owned());
            self.waited += started.elapsed();
            if attempt >= self.patience.lock_attempts {
                failure.error.error.cause = format!(
                    "no lock within {} ms in {attempt} tries, held by {by}: {}",
                    self.lock_timeout.as_millis(),
                    failure.error.error.cause
                );
                return Err(failure.error);
            }
            self.progress.say(&format!("{}: try {attempt} got no lock, held by {by}", self.tried));
            tokio::time::sleep(pause).await;
            self.waited += pause;
            pause = (pause * 2).min(self.patience.longest_pause);
            attempt += 1;
        }
    }

    async fn together(&mut self, queries: &[&str]) -> Result<(), Failure> {
        let milliseconds = self.lock_timeout.as_millis().max(1);
        let begin = format!("begin; set local lock_timeout = {milliseconds}");
        self.client.batch_execute(&begin).await.map_err(|error| self.certain("", &error))?;
        let mut touched = Vec::new();
        for query in queries {
            match self.during(rows::counted(&self.client, query)).await {
                Ok(rows) => touched.push(rows),
                Err(error) => {
                    roll_back(&self.client).await;
                    return Err(self.certain(query, &error));
                }
            }
        }
        // Deferred constraints may wait for locks as well.
        let committed = self.during(commit(&self.client)).await;
        if committed.is_ok() {
            // The row of the history comes last, and is nobody's business.
            self.rows += touched[..touched.len().saturating_sub(1)].iter().sum::<u64>();
        }
        committed.map_err(|(error, certain)| match certain {
            true => self.certain("", &error),
            false => Failure { error: unknown(world_error(&self.tried, &error)), is_lock_timeout: false },
        })
    }

    async fn outside(&mut self, query: &str, index: Option<&ConcurrentIndex>) -> Result<(), Failure> {
        // A concurrent build waits for old transactions without standing in anybody's way.
        let milliseconds = self.lock_timeout.as_millis().max(1) * self.patience.concurrent_factor;
        let prepared = async {
            self.client.batch_execute(&format!("set lock_timeout = {milliseconds}")).await?;
            match index {
                Some(index) => concurrent::clear(&self.client, index, self.progress).await,
                None => Ok(()),
            }
        };
        if let Err(error) = prepared.await {
            return Err(self.outside_failure(query, &error, concurrent::is_clean(&self.client, index).await));
        }
        let result = self.during(rows::counted(&self.client, query)).await.map(|rows| self.rows += rows);
        let Err(error) = result else {
            return match index {
                Some(index) => concurrent::assert_done(&self.client, index, &self.tried)
                    .await
                    .map_err(|error| Failure { error: unknown(error), is_lock_timeout: false }),
                None => Ok(()),
            };
        };
        let traceless = match index {
            _ if !is_refusal(&error) => false,
            Some(index) => concurrent::left_nothing(&self.client, index, self.progress).await,
            None => refuses_before_it_begins(&error),
        };
        Err(self.outside_failure(query, &error, traceless))
    }

    fn outside_failure(&self, query: &str, error: &Error, traceless: bool) -> Failure {
        let mut failure = self.certain(query, error);
        if !traceless {
            failure.error = unknown(failure.error.error);
        }
        failure
    }

    /// Does the work, and tells meanwhile who is in the way.
    async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        self.watcher.during(work, |blocker| self.progress.say(&format!("{}: waiting for {blocker}", self.tried))).await
    }

    /// A failure that certainly left nothing behind.
    fn certain(&self, query: &str, error: &Error) -> Failure {
        let mut found = world_error(&self.tried, error);
        if let Some(line) = line_in(query, error) {
            found.cause = format!("line {line}: {}", found.cause);
        }
        found.help = found.help.or_else(|| Some("nothing was changed: correct the file, then plan again".to_owned()));
        Failure { error: nothing(found), is_lock_timeout: has_code(error, &SqlState::LOCK_NOT_AVAILABLE) }
    }
}

/// Syntax errors, missing things and missing rights are found before a statement does anything.
fn refuses_before_it_begins(error: &Error) -> bool {
    error.code().is_some_and(|code| code.code().starts_with("42") || code.code().starts_with("0A"))
}

enum Way<'a> {
    Together(&'a [&'a str]),
    Outside(&'a str, Option<&'a ConcurrentIndex>),
}
