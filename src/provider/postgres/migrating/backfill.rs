//! Writes many rows in batches, in the order of a key, each batch a transaction of its own with its cursor. Talks to
//! the server.
//!
//! Invariant: a batch and the cursor behind it are committed together, so no finished batch is done again; and no batch
//! keeps its rows locked for longer than the limit, for the server itself ends the one that would.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use super::super::errors::{has_code, nothing, refused, unknown, world_error};
use super::super::fence::Guard;
use super::super::transaction::{commit, roll_back};
use super::progress::Row;
use super::rate::Rate;
use super::session::{Part, Session};
use super::tally::Done;
use crate::migration::batches::{Batches, Range};
use crate::migration::position::{Cursor, Position};
use crate::migration::said::{Backfill, When};
use crate::world::{EffectError, ErrorClass, Progress, WorldError};

/// How far a standby may be behind before the backfill waits for it.
const LAG: Duration = Duration::from_secs(10);
/// How often a standby is asked for.
const LAG_EVERY: Duration = Duration::from_secs(2);
const LAG_PAUSE: Duration = Duration::from_millis(500);
/// How often a batch of one row is tried that is not done within the limit.
const TRIES: u32 = 20;
const RETRY_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_RETRY_PAUSE: Duration = Duration::from_secs(5);
/// How often somebody hears how far it is.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// One statement that is done in batches.
pub struct Filling<'a> {
    /// The session.
    pub client: &'a Client,
    /// What is being done, for messages.
    pub tried: &'a str,
    /// The statement.
    pub batches: &'a Batches,
    /// How it is cut.
    pub said: &'a Backfill,
    /// How long one batch may keep its rows locked.
    pub limit: Duration,
    /// What says whether our lease is in force.
    pub guard: &'a Guard,
    /// Who hears about it, and who may want a pause.
    pub progress: &'a dyn Progress,
    /// The statement that writes the cursor, in the transaction of its batch.
    pub note: &'a (dyn Fn(&Cursor) -> String + Sync),
}

/// The table and the key, as the server knows them.
struct Ground {
    key_type: String,
    estimate: Option<u64>,
}

/// What a batch came to.
enum Batch {
    Done(Cursor),
    /// Nothing is left behind the cursor.
    End,
    /// It was not done within the limit, and left nothing.
    TooSlow(Error),
}

impl Filling<'_> {
    /// Does batch after batch until no row is left behind the cursor. `advanced` hears of each cursor that is committed.
    ///
    /// # Errors
    /// Of the batch that failed; with [`ErrorClass::Pending`] when a pause is wanted. What was done stays.
    pub async fn run(
        &self,
        mut cursor: Option<Cursor>,
        advanced: &(dyn Fn(&Cursor) + Sync),
    ) -> Result<Cursor, EffectError> {
        let ground = self.look().await?;
        let mut rate = Rate::start(cursor.as_ref().map_or(0, |cursor| cursor.rows), ground.estimate);
        let (mut rows, mut tries, mut pause) = (self.said.batch.max(1), 0, RETRY_PAUSE);
        let (mut told, mut asked): (Option<Instant>, Option<Instant>) = (None, None);
        loop {
            self.pause_if_wanted(cursor.as_ref())?;
            if asked.is_none_or(|asked| asked.elapsed() > LAG_EVERY) {
                self.wait_for_standbys(cursor.as_ref()).await?;
                asked = Some(Instant::now());
            }
            let begun = Instant::now();
            match self.batch(&ground, cursor.as_ref(), rows).await? {
                Batch::End => break,
                Batch::Done(done) => {
                    advanced(&done);
                    rate.reached(done.rows);
                    cursor = Some(done);
                    (tries, pause) = (0, RETRY_PAUSE);
                    if begun.elapsed() < self.limit / 4 {
                        rows = (rows * 2).min(self.said.batch.max(1));
                    }
                    if told.is_none_or(|told| told.elapsed() > SAY_EVERY) {
                        self.progress.say(&format!("{}: {}", self.batches.table(), rate.words()));
                        told = Some(Instant::now());
                    }
                    tokio::time::sleep(Duration::from_millis(self.said.pause_milliseconds)).await;
                }
                Batch::TooSlow(_) if rows > 1 => rows /= 2,
                Batch::TooSlow(error) => {
                    tries += 1;
                    if tries >= TRIES {
                        let mut found = world_error(self.tried, &error);
                        let limit = self.limit.as_millis();
                        found.cause =
                            format!("one row was not written within {limit} ms in {tries} tries: {}", found.cause);
                        found.class = ErrorClass::Transient;
                        return Err(unknown(found));
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_RETRY_PAUSE);
                }
            }
        }
        let end = cursor.unwrap_or_else(|| Cursor { key: String::new(), batches: 0, rows: 0 });
        self.progress.say(&format!("{}: {}", self.batches.table(), rate.total()));
        Ok(end)
    }

    fn pause_if_wanted(&self, cursor: Option<&Cursor>) -> Result<(), EffectError> {
        if !self.progress.wants_pause() {
            return Ok(());
        }
        let so_far = cursor.map_or(0, |cursor| cursor.rows);
        Err(unknown(WorldError {
            tried: self.tried.to_owned(),
            cause: format!("paused after {so_far} rows of {}", self.batches.table()),
            help: Some("`resume` goes on behind the last row that was done; `rollback` takes it back".to_owned()),
            class: ErrorClass::Pending,
        }))
    }

    /// The type of the key and how many rows there may be; a key that cannot order the batches is refused.
    async fn look(&self) -> Result<Ground, EffectError> {
        let (table, key) = (self.batches.table(), self.batches.key());
        let failed = |error: &Error| nothing(world_error(self.tried, error));
        let statement = "select pg_catalog.format_type(a.atttypid, a.atttypmod), c.reltuples::int8, \
                         a.attnotnull and exists (select from pg_catalog.pg_index i where i.indrelid = c.oid \
                         and i.indisunique and i.indisvalid and i.indnatts = 1 and i.indkey[0] = a.attnum \
                         and i.indpred is null) \
                         from pg_catalog.pg_class c join pg_catalog.pg_attribute a on a.attrelid = c.oid \
                         where c.oid = to_regclass($1) and a.attname = any (parse_ident($2)) and not a.attisdropped";
        let found = self.client.query_opt(statement, &[&table, &key]).await.map_err(|error| failed(&error))?;
        let help = "name a column that is NOT NULL and has a unique index of its own, as a primary key has";
        let Some(row) = found else {
            return Err(nothing(refused(self.tried, format!("there is no column `{key}` of `{table}`"), help)));
        };
        if !row.get::<_, bool>(2) {
            let cause = format!("`{key}` of `{table}` cannot order the batches: it may be null, or have a value twice");
            return Err(nothing(refused(self.tried, cause, help)));
        }
        Ok(Ground { key_type: row.get(0), estimate: u64::try_from(row.get::<_, i64>(1)).ok().filter(|rows| *rows > 0) })
    }

    async fn batch(&self, ground: &Ground, cursor: Option<&Cursor>, rows: u64) -> Result<Batch, EffectError> {
        self.guard.in_time(self.tried).map_err(nothing)?;
        let tried = self.transact(ground, cursor, rows).await;
        match tried {
            Ok(Some(done)) => {
                if let Err(closed) = self.guard.lock(self.client).await {
                    roll_back(self.client).await;
                    return Err(unknown(closed.into_world(self.tried)));
                }
                match commit(self.client).await {
                    Ok(()) => Ok(Batch::Done(done)),
                    // Deferred constraints are checked here.
                    Err((error, true)) if is_slow(&error) => Ok(Batch::TooSlow(error)),
                    Err((error, _)) => Err(unknown(world_error(self.tried, &error))),
                }
            }
            Ok(None) => {
                roll_back(self.client).await;
                Ok(Batch::End)
            }
            Err(error) => {
                roll_back(self.client).await;
                match is_slow(&error) {
                    true => Ok(Batch::TooSlow(error)),
                    // Earlier batches stand, so this is no failure without a trace.
                    false => Err(unknown(world_error(self.tried, &error))),
                }
            }
        }
    }

    /// Everything of a batch but its commit.
    async fn transact(&self, ground: &Ground, cursor: Option<&Cursor>, rows: u64) -> Result<Option<Cursor>, Error> {
        let Self { client, batches, .. } = self;
        let (after, of_type) = (cursor.map(|cursor| cursor.key.as_str()), ground.key_type.as_str());
        let limit = self.limit.as_millis().max(1);
        // Looking for the range locks nothing, so it may take its time.
        client.batch_execute("begin").await?;
        let bound = client.simple_query(&batches.bound(after, of_type, rows)).await?;
        let bound = bound.into_iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        let Some(key) = bound else { return Ok(None) };
        client
            .batch_execute(&format!("set local statement_timeout = {limit}; set local lock_timeout = {limit}"))
            .await?;
        let written = client.simple_query(&batches.batch(&Range { after, to: &key, of_type })).await?;
        let written = written.into_iter().find_map(|message| match message {
            SimpleQueryMessage::CommandComplete(count) => Some(count),
            _ => None,
        });
        let (so_far, before) = cursor.map_or((0, 0), |cursor| (cursor.rows, cursor.batches));
        let done = Cursor { key, batches: before + 1, rows: so_far + written.unwrap_or(0) };
        client.batch_execute(&(self.note)(&done)).await?;
        Ok(Some(done))
    }

    /// Waits while a standby is far behind. What cannot be seen is not waited for.
    async fn wait_for_standbys(&self, cursor: Option<&Cursor>) -> Result<(), EffectError> {
        let statement = "select coalesce(application_name, ''), extract(epoch from replay_lag)::float8 \
                         from pg_catalog.pg_stat_replication where replay_lag is not null order by replay_lag desc limit 1";
        let mut said: Option<Instant> = None;
        loop {
            let row = self.client.query_opt(statement, &[]).await;
            let row = row.map_err(|error| unknown(world_error(self.tried, &error)))?;
            let Some((standby, lag)) = row.map(|row| (row.get::<_, String>(0), row.get::<_, f64>(1))) else {
                return Ok(());
            };
            if lag <= LAG.as_secs_f64() {
                return Ok(());
            }
            if said.is_none_or(|said| said.elapsed() > SAY_EVERY * 5) {
                self.progress
                    .say(&format!("{}: waiting for standby `{standby}`, {lag:.0} s behind", self.batches.table()));
                said = Some(Instant::now());
            }
            self.pause_if_wanted(cursor)?;
            tokio::time::sleep(LAG_PAUSE).await;
        }
    }
}

impl Session<'_> {
    /// The statement that is done in batches, from where it was left.
    pub(super) async fn step_in_batches(&mut self, number: usize, closing: Option<&[&str]>) -> Result<(), EffectError> {
        let Some(cut) = &self.job.filling else { return Ok(()) };
        let left = self.start.row.position.cursor.clone();
        if number == 0 && left.is_none() {
            let asked = self.asked(When::Before);
            if !asked.is_empty() {
                self.persist(&asked).await?;
            }
        }
        let at = |cursor: &Cursor| Position { statements: number, cursor: Some(cursor.clone()) };
        let (book, row) = (self.book.clone(), Row { under_way: None, ..self.start.row.clone() });
        let reached: Mutex<Option<Cursor>> = Mutex::default();
        let is_written = self.start.is_written;
        let last = || reached.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let note = |cursor: &Cursor| match is_written || last().is_some() {
            true => book.advance(row.migration.version, &at(cursor)),
            false => book.write(&Row { position: at(cursor), ..row.clone() }),
        };
        let advanced = |cursor: &Cursor| {
            *reached.lock().unwrap_or_else(PoisonError::into_inner) = Some(cursor.clone());
            self.progress.advanced(&at(cursor));
        };
        self.progress.called("postgresql:migrate");
        let filling = Filling {
            client: &self.client,
            tried: &self.tried,
            batches: &cut.batches,
            said: &cut.said,
            limit: self.job.lock_timeout,
            guard: &self.guard,
            progress: self.progress,
            note: &note,
        };
        let begun = Instant::now();
        let end = filling.run(left.clone(), &advanced).await;
        if let Some(cursor) = last() {
            self.start.row.position = at(&cursor);
            self.start.is_written = true;
        }
        let rows = end?.rows - left.map_or(0, |left| left.rows);
        self.done.push(Done::of(begun.elapsed(), rows));
        let next = Position { statements: number + 1, cursor: None };
        match closing {
            Some(closing) => self.close(closing).await,
            None => {
                let written = self.written(&next);
                self.persist(&[Part::Ours(&written)]).await?;
                self.stands(next);
                Ok(())
            }
        }
    }
}

/// Whether the batch was ended because it took too long, or because it stood in others' way.
fn is_slow(error: &Error) -> bool {
    let codes = [SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED];
    codes.iter().any(|code| has_code(error, code))
}
