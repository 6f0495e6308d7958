//! The session that migrations run in, as refinery drives it: a newtype over the client that implements refinery's
//! asynchronous traits. Talks to the server.
//!
//! Invariant: the statements that refinery hands over together (the text and its history row) are one transaction,
//! tried again as a whole when a lock was not to be had in time.

use std::time::{Duration, Instant};

use refinery_core::traits::r#async::{AsyncMigrate, AsyncQuery, AsyncTransaction};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::super::errors::{has_code, is_refusal, line_in, nothing, refused, unknown, world_error};
use super::super::fence::{Closed, Guard};
use super::super::transaction::{commit, roll_back};
use super::job::{Job, Mode};
use super::patience::Patience;
use super::tally::{self, Done};
use super::watcher::Watcher;
use super::written::Lock;
use super::{concurrent, written};
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
    /// What is run, and how.
    pub job: &'a Job,
    /// What says whether our lease is in force.
    pub guard: Guard,
    /// Longest wait for one lock.
    pub lock_timeout: Duration,
    /// How often to try.
    pub patience: Patience,
    /// Who hears about waiting.
    pub progress: &'a dyn Progress,
    /// Time spent waiting for others so far.
    pub waited: Duration,
    /// What each statement of the migration did.
    pub done: Vec<Done>,
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
        let job = self.job;
        match (&job.mode, queries) {
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
                Ok(done) => {
                    self.waited += blocked;
                    self.done.extend(done);
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

    async fn together(&self, queries: &[&str]) -> Result<Vec<Done>, Failure> {
        self.in_time()?;
        let milliseconds = self.lock_timeout.as_millis().max(1);
        let begin = format!("begin; set local lock_timeout = {milliseconds}");
        self.client.batch_execute(&begin).await.map_err(|error| self.certain("", &error))?;
        if queries.contains(&self.job.text.as_str())
            && let Err(failure) = self.spare(Lock::Taken).await
        {
            roll_back(&self.client).await;
            return Err(failure);
        }
        let mut done = Vec::new();
        for query in queries {
            match self.during(self.send(query)).await {
                Ok(did) => done.extend(did),
                Err(error) => {
                    roll_back(&self.client).await;
                    return Err(self.certain(query, &error));
                }
            }
        }
        let held = match self.in_time() {
            Ok(()) => self.guard.lock(&self.client).await.map_err(|closed| self.closed(closed)),
            late => late,
        };
        if let Err(failure) = held {
            roll_back(&self.client).await;
            return Err(failure);
        }
        // Deferred constraints may wait for locks as well.
        self.during(commit(&self.client)).await.map_err(|(error, certain)| match certain {
            true => self.certain("", &error),
            false => Failure { error: unknown(world_error(&self.tried, &error)), is_lock_timeout: false },
        })?;
        Ok(done)
    }

    async fn outside(&self, query: &str, index: Option<&ConcurrentIndex>) -> Result<Vec<Done>, Failure> {
        self.in_time()?;
        self.guard.still_ours(&self.client).await.map_err(|closed| self.closed(closed))?;
        self.spare(Lock::Impossible).await?;
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
        let error = match self.during(self.send(query)).await {
            Ok(done) => return self.assert_done(index).await.map(|()| done),
            Err(error) => error,
        };
        let traceless = match index {
            _ if !is_refusal(&error) => false,
            Some(index) => concurrent::left_nothing(&self.client, index, self.progress).await,
            None => refuses_before_it_begins(&error),
        };
        Err(self.outside_failure(query, &error, traceless))
    }

    /// Whether the statement did what it says, and under a lease that is still in force: else its outcome has to be
    /// asked for by whoever has the lease.
    async fn assert_done(&self, index: Option<&ConcurrentIndex>) -> Result<(), Failure> {
        let unheard = |error| Failure { error: unknown(error), is_lock_timeout: false };
        let ours = self.guard.still_ours(&self.client).await;
        ours.map_err(|closed| unheard(closed.into_world(&self.tried)))?;
        match index {
            Some(index) => concurrent::assert_done(&self.client, index, &self.tried).await.map_err(unheard),
            None => Ok(()),
        }
    }

    /// What nobody had written to when the way back was planned is taken away only if that is still so.
    async fn spare(&self, lock: Lock) -> Result<(), Failure> {
        if self.job.spared.is_empty() {
            return Ok(());
        }
        let found = self.during(written::objection(&self.client, &self.job.spared, lock)).await;
        match found.map_err(|error| self.certain("", &error))? {
            None => Ok(()),
            Some(why) => {
                let help = "plan the way back again: what would be lost is shown, and has to be accepted";
                Err(Failure { error: nothing(refused(&self.tried, why, help)), is_lock_timeout: false })
            }
        }
    }

    /// Sends a text. What the migration itself did is counted.
    async fn send(&self, query: &str) -> Result<Vec<Done>, Error> {
        if query != self.job.text {
            self.client.batch_execute(query).await?;
            return Ok(Vec::new());
        }
        self.progress.called("postgresql:migrate");
        tally::run(&self.client, query, &self.job.writes).await
    }

    /// Nothing is sent that could arrive after the lease.
    fn in_time(&self) -> Result<(), Failure> {
        let late = |error| Failure { error: nothing(error), is_lock_timeout: false };
        self.guard.in_time(&self.tried).map_err(late)
    }

    fn closed(&self, closed: Closed) -> Failure {
        match closed {
            Closed::Error(error) => self.certain("", &error),
            Closed::Fenced(error) => Failure { error: nothing(error), is_lock_timeout: false },
        }
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
