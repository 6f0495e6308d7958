//! The session that migrations run in, as refinery drives it: a newtype over the client that implements refinery's
//! asynchronous traits. Talks to the server.
//!
//! Invariant: what refinery hands over together (the text and its history row) is one transaction, tried again as a
//! whole when a lock was not to be had in time; or, of a migration that is committed statement by statement, the row
//! goes with the last of them.

use std::time::{Duration, Instant};

use refinery_core::traits::r#async::{AsyncMigrate, AsyncQuery, AsyncTransaction};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::super::errors::{has_code, line_in, nothing, refused, unknown, world_error};
use super::super::fence::{Closed, Guard};
use super::super::transaction::{commit, roll_back};
use super::assertion;
use super::job::{Job, Mode};
use super::patience::Patience;
use super::progress::Book;
use super::start::Start;
use super::tally::{self, Done};
use super::watcher::Watcher;
use super::written::{self, Lock};
use crate::migration::addition::Addition;
use crate::migration::said::{Assertion, When};
use crate::world::{EffectError, ErrorClass, Progress};

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
    /// Where it begins.
    pub start: Start,
    /// What says how far it has got.
    pub book: Book,
    /// What says whether our lease is in force.
    pub guard: Guard,
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
pub(super) struct Failure {
    pub(super) error: EffectError,
    pub(super) is_lock_timeout: bool,
}

/// A part of a transaction.
pub(super) enum Part<'q> {
    /// The migration's whole text.
    Text,
    /// One of its statements.
    Statement(usize),
    /// What must be true.
    Ask(&'q Assertion),
    /// What we write beside it.
    Ours(&'q str),
}

impl AsyncTransaction for Session<'_> {
    type Error = EffectError;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(
        &'a mut self,
        queries: T,
    ) -> Result<usize, EffectError> {
        // refinery hands over the text of the file; what runs in its place when something is kept is ours to know.
        let job = self.job;
        let queries: Vec<&str> =
            queries.map(|query| if query == job.file { job.text.as_str() } else { query }).collect();
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

impl<'a> Session<'a> {
    /// Runs what refinery hands over; the migration's text as its mode says.
    ///
    /// # Errors
    /// Of the last try.
    pub async fn run(&mut self, queries: &[&str]) -> Result<(), EffectError> {
        match queries {
            [first, closing @ ..] if *first == self.job.text => self.migrate(closing).await,
            all => {
                let parts: Vec<Part<'_>> = all.iter().map(|query| Part::Ours(query)).collect();
                self.persist(&parts).await
            }
        }
    }

    /// Runs the migration's text; `closing` is what is written together with its end.
    ///
    /// # Errors
    /// Of the last try; its trace is unknown once something is committed.
    pub async fn migrate(&mut self, closing: &[&str]) -> Result<(), EffectError> {
        let job = self.job;
        match job.mode {
            Mode::Apart => self.step_through(closing).await,
            Mode::Together if !self.start.was_left => {
                let mut parts: Vec<Part<'_>> = self.asked(When::Before);
                parts.push(Part::Text);
                parts.extend(self.asked(When::After));
                parts.extend(closing.iter().map(|query| Part::Ours(query)));
                self.persist(&parts).await
            }
            Mode::Together => self.rest_together(closing).await,
        }
    }

    /// What must be true then.
    pub(super) fn asked(&self, when: When) -> Vec<Part<'a>> {
        let job = self.job;
        job.assertions.iter().filter(|one| one.when == when).map(Part::Ask).collect()
    }

    /// One transaction, tried again when a lock was not to be had.
    pub(super) async fn persist(&mut self, parts: &[Part<'_>]) -> Result<(), EffectError> {
        let mut patience = Waiting::of(self.patience);
        loop {
            let started = Instant::now();
            let result = self.together(parts).await;
            if let Some(done) = self.judge(&mut patience, started, result).await? {
                self.done.extend(done);
                return Ok(());
            }
        }
    }

    /// What a try came to: what it did, its error, or nothing when it is to be tried again, after a pause. This is the
    /// one place where whoever gets no lock is patient.
    pub(super) async fn judge<T>(
        &mut self,
        waiting: &mut Waiting,
        started: Instant,
        result: Result<T, Failure>,
    ) -> Result<Option<T>, EffectError> {
        let (blocked, blocker) = self.watcher.take();
        let mut failure = match result {
            Ok(done) => {
                self.waited += blocked;
                return Ok(Some(done));
            }
            Err(failure) => failure,
        };
        if !failure.is_lock_timeout {
            self.waited += blocked;
            return Err(failure.error);
        }
        let by = blocker.unwrap_or_else(|| "a session that was gone before it could be named".to_owned());
        self.waited += started.elapsed();
        let attempt = waiting.attempt;
        if attempt >= self.patience.lock_attempts {
            let error = &mut failure.error.error;
            error.cause = format!(
                "no lock within {} ms in {attempt} tries, held by {by}: {}",
                self.job.lock_timeout.as_millis(),
                error.cause
            );
            // Nobody needs to be patient once more.
            error.class = ErrorClass::Refused;
            return Err(failure.error);
        }
        self.progress.say(&format!("{}: try {attempt} got no lock, held by {by}", self.tried));
        tokio::time::sleep(waiting.pause).await;
        self.waited += waiting.pause;
        waiting.pause = (waiting.pause * 2).min(self.patience.longest_pause);
        waiting.attempt += 1;
        Ok(None)
    }

    /// One transaction. What needs no answer in between is sent at once: what begins it with the migration's text, and,
    /// where no lease is asked about before the commit, the commit with the last that we write.
    async fn together(&self, parts: &[Part<'_>]) -> Result<Vec<Done>, Failure> {
        self.in_time()?;
        let milliseconds = self.job.lock_timeout.as_millis().max(1);
        let begin = format!("begin; set local lock_timeout = {milliseconds}; ");
        let (last, parts) = match parts {
            [parts @ .., Part::Ours(last)] if self.guard.is_open() => (Some(*last), parts),
            parts => (None, parts),
        };
        let result = match parts {
            [Part::Text, rest @ ..] if self.job.spared.is_empty() => {
                self.take_all(self.send_all(&begin, &self.job.text, &self.job.writes(), 1).await, rest).await
            }
            parts => {
                let begun = self.client.batch_execute(&begin).await.map_err(|error| self.certain("", 1, &error));
                self.take_all(begun.map(|()| Vec::new()), parts).await
            }
        };
        let held = match result.and_then(|done| self.in_time().map(|()| done)) {
            Ok(done) => self.guard.lock(&self.client).await.map_err(|closed| self.closed(closed)).map(|()| done),
            Err(failure) => Err(failure),
        };
        let done = match held {
            Ok(done) => done,
            Err(failure) => {
                roll_back(&self.client).await;
                return Err(failure);
            }
        };
        // Deferred constraints may wait for locks as well.
        self.during(self.end(last)).await?;
        Ok(done)
    }

    /// The other parts, if the first went well.
    async fn take_all(&self, first: Result<Vec<Done>, Failure>, rest: &[Part<'_>]) -> Result<Vec<Done>, Failure> {
        let mut done = first?;
        for part in rest {
            done.extend(self.take(part).await?);
        }
        Ok(done)
    }

    /// Commits, with a last statement of ours; what follows one that failed is a rollback.
    async fn end(&self, last: Option<&str>) -> Result<(), Failure> {
        let write = async {
            match last {
                Some(last) => self.client.batch_execute(last).await,
                None => Ok(()),
            }
        };
        let (written, committed) = tokio::join!(write, commit(&self.client));
        let refused = match (written, committed) {
            (Ok(()), Ok(())) => return Ok(()),
            // What the server said to the write itself, it said before it could come to the commit.
            (Err(error), _) => (error.as_db_error().is_some(), error),
            (Ok(()), Err((error, certain))) => (certain, error),
        };
        Err(match refused {
            (true, error) => self.certain("", 1, &error),
            (false, error) => Failure { error: unknown(world_error(&self.tried, &error)), is_lock_timeout: false },
        })
    }

    /// One part of a transaction.
    async fn take(&self, part: &Part<'_>) -> Result<Vec<Done>, Failure> {
        match part {
            Part::Text => {
                self.spare(&self.job.spared, Lock::Taken).await?;
                self.send(&self.job.text, &self.job.writes(), 1).await
            }
            Part::Statement(number) => {
                self.spare(&self.spared_by(*number), Lock::Taken).await?;
                let piece = &self.job.pieces[*number];
                let sent = self.send(&piece.statement.text, &[piece.writes], piece.statement.line).await;
                sent.map_err(|failure| failure.at(self.job, *number))
            }
            Part::Ask(assertion) => {
                let answer = self.during(assertion::ask(&self.client, assertion)).await;
                match answer.map_err(|error| self.certain("", 1, &error))? {
                    None => Ok(Vec::new()),
                    Some(why) => Err(Failure::of(nothing(refused(&self.tried, why, assertion::HELP)))),
                }
            }
            Part::Ours(query) => {
                let sent = self.during(self.client.batch_execute(query)).await;
                sent.map(|()| Vec::new()).map_err(|error| self.certain("", 1, &error))
            }
        }
    }

    /// Sends what the migration itself says; what it does is counted.
    pub(super) async fn send(&self, text: &str, writes: &[bool], line: usize) -> Result<Vec<Done>, Failure> {
        self.send_all("", text, writes, line).await
    }

    /// As [`Session::send`], with statements of ours, in one line, before it.
    async fn send_all(&self, ours: &str, text: &str, writes: &[bool], line: usize) -> Result<Vec<Done>, Failure> {
        self.progress.called("postgresql:migrate");
        let (whole, count) = (format!("{ours}{text}"), ours.matches(';').count());
        let ran = self.during(tally::run(&self.client, &whole, count, writes)).await;
        ran.map_err(|error| self.certain(&whole, line, &error))
    }

    /// What nobody had written to when the way back was planned is taken away only if that is still so.
    pub(super) async fn spare(&self, spared: &[Addition], lock: Lock) -> Result<(), Failure> {
        if spared.is_empty() {
            return Ok(());
        }
        let found = self.during(written::objection(&self.client, spared, lock)).await;
        match found.map_err(|error| self.certain("", 1, &error))? {
            None => Ok(()),
            Some(why) => {
                let help = "plan the way back again: what would be lost is shown, and has to be accepted";
                Err(Failure::of(nothing(refused(&self.tried, why, help))))
            }
        }
    }

    /// Nothing is sent that could arrive after the lease.
    pub(super) fn in_time(&self) -> Result<(), Failure> {
        self.guard.in_time(&self.tried).map_err(|error| Failure::of(nothing(error)))
    }

    pub(super) fn closed(&self, closed: Closed) -> Failure {
        match closed {
            Closed::Error(error) => self.certain("", 1, &error),
            Closed::Fenced(error) => Failure::of(nothing(error)),
        }
    }

    /// Does the work, and tells meanwhile who is in the way.
    pub(super) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        self.watcher.during(work, |blocker| self.progress.say(&format!("{}: waiting for {blocker}", self.tried))).await
    }

    /// A failure that certainly left nothing behind; the text begins on this line of the file.
    pub(super) fn certain(&self, text: &str, first: usize, error: &Error) -> Failure {
        let mut found = world_error(&self.tried, error);
        if let Some(line) = line_in(text, error) {
            found.cause = format!("line {}: {}", first + line - 1, found.cause);
        }
        found.help = found.help.or_else(|| Some("nothing was changed: correct the file, then plan again; the corrected way back of what is applied is recorded by `migrate rebless`".to_owned()));
        Failure { error: nothing(found), is_lock_timeout: has_code(error, &SqlState::LOCK_NOT_AVAILABLE) }
    }
}

/// How often it was tried, and how long the next pause is.
pub(super) struct Waiting {
    attempt: u32,
    pause: Duration,
}

impl Waiting {
    pub(super) fn of(patience: Patience) -> Self {
        Self { attempt: 1, pause: patience.first_pause }
    }

    /// Whether nothing was tried yet.
    pub(super) fn is_first(&self) -> bool {
        self.attempt == 1
    }
}

impl Failure {
    /// One that is no matter of locks.
    pub(super) fn of(error: EffectError) -> Self {
        Self { error, is_lock_timeout: false }
    }

    /// With the statement that failed.
    pub(super) fn at(mut self, job: &Job, number: usize) -> Self {
        let cause = &mut self.error.error.cause;
        let line = job.pieces.get(number).map_or(0, |piece| piece.statement.line);
        let place = if cause.starts_with("line ") { String::new() } else { format!("line {line}: ") };
        *cause = format!("{}, {place}{cause}", job.place(number));
        self
    }
}
