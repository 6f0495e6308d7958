//! The session that migrations run in, as refinery drives it: a newtype over the client that implements refinery's
//! asynchronous traits. Talks to the server.
//!
//! Invariant: the statements that refinery hands over together (the text and its history row) are one transaction,
//! tried again as a whole when a lock was not to be had in time.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use refinery_core::traits::r#async::{AsyncMigrate, AsyncQuery, AsyncTransaction};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::concurrent;
use super::connection::open;
use super::errors::{has_code, is_refusal, line_in, nothing, unknown, world_error};
use super::locks::blockers;
use super::runner::Patience;
use super::settings::Target;
use super::transaction::{commit, roll_back};
use crate::migration::concurrent::ConcurrentIndex;
use crate::world::{EffectError, Progress};

/// A session that runs migrations.
pub struct Session<'a> {
    /// The connection.
    pub client: Client,
    /// Its process at the server.
    pub process: i32,
    /// Where it leads, for watching it from outside.
    pub target: &'a Target,
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

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(&'a mut self, queries: T) -> Result<usize, EffectError> {
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
            let watcher = Watcher::new(self);
            let started = Instant::now();
            let result = match way {
                Way::Together(queries) => self.together(queries, &watcher).await,
                Way::Outside(query, index) => self.outside(query, *index, &watcher).await,
            };
            let (blocked, blocker) = watcher.seen();
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

    async fn together(&self, queries: &[&str], watcher: &Watcher<'_>) -> Result<(), Failure> {
        let milliseconds = self.lock_timeout.as_millis().max(1);
        let begin = format!("begin; set local lock_timeout = {milliseconds}");
        self.client.batch_execute(&begin).await.map_err(|error| self.certain("", &error))?;
        for query in queries {
            if let Err(error) = watcher.during(self.client.batch_execute(query)).await {
                roll_back(&self.client).await;
                return Err(self.certain(query, &error));
            }
        }
        // Deferred constraints may wait for locks as well.
        watcher.during(commit(&self.client)).await.map_err(|(error, certain)| match certain {
            true => self.certain("", &error),
            false => Failure { error: unknown(world_error(&self.tried, &error)), is_lock_timeout: false },
        })
    }

    async fn outside(&self, query: &str, index: Option<&ConcurrentIndex>, watcher: &Watcher<'_>) -> Result<(), Failure> {
        // A concurrent build waits for old transactions without standing in anybody's way.
        let milliseconds = self.lock_timeout.as_millis().max(1) * self.patience.concurrent_factor;
        let prepared = async {
            self.client.batch_execute(&format!("set lock_timeout = {milliseconds}")).await?;
            match index {
                Some(index) => concurrent::clear(&self.client, index, self.progress).await,
                None => Ok(()),
            }
        };
        prepared.await.map_err(|error| self.certain("", &error))?;
        let result = watcher.during(self.client.batch_execute(query)).await;
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
        let mut failure = self.certain(query, &error);
        if !traceless {
            failure.error = unknown(failure.error.error);
        }
        Err(failure)
    }

    /// A failure that certainly left nothing behind.
    fn certain(&self, query: &str, error: &Error) -> Failure {
        let mut found = world_error(&self.tried, error);
        if let Some(line) = line_in(query, error) {
            found.cause = format!("line {line}: {}", found.cause);
        }
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

/// Watches the session from another one while a statement runs, so that who is in the way can be named.
struct Watcher<'a> {
    target: &'a Target,
    process: i32,
    tried: String,
    interval: Duration,
    progress: &'a dyn Progress,
    seen: Mutex<(Duration, Option<String>)>,
}

impl<'a> Watcher<'a> {
    fn new(session: &Session<'a>) -> Self {
        Self {
            target: session.target,
            process: session.process,
            tried: session.tried.clone(),
            interval: (session.lock_timeout / 4).clamp(Duration::from_millis(10), Duration::from_millis(500)),
            progress: session.progress,
            seen: Mutex::new((Duration::ZERO, None)),
        }
    }

    async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = work => done,
            () = self.watch() => unreachable!("watching never ends by itself"),
        }
    }

    /// Never ends.
    async fn watch(&self) {
        tokio::time::sleep(self.interval).await;
        if let Ok(client) = open(self.target).await {
            let mut said: Option<Instant> = None;
            while let Ok(found) = blockers(&client, self.process).await {
                if let Some(blocker) = found {
                    if said.is_none_or(|said| said.elapsed() > Duration::from_secs(5)) {
                        self.progress.say(&format!("{}: waiting for {blocker}", self.tried));
                        said = Some(Instant::now());
                    }
                    let mut seen = self.seen.lock().expect("no holder of this lock panics");
                    *seen = (seen.0 + self.interval, Some(blocker));
                }
                tokio::time::sleep(self.interval).await;
            }
        }
        std::future::pending().await
    }

    fn seen(&self) -> (Duration, Option<String>) {
        self.seen.lock().expect("no holder of this lock panics").clone()
    }
}
