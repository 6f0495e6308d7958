//! Runs a migration statement by statement: each commit says how far the migration has got. Talks to the server.
//!
//! Invariant: at every moment the database alone tells which statements are done; the last commit takes that away and
//! writes the history row.

use std::time::Instant;

use super::super::errors::{is_refusal, nothing, refused, unknown, world_error};
use super::job::Piece;
use super::progress::{Before, Row};
use super::session::{Failure, Part, Session, Waiting};
use super::tally::Done;
use super::traces::{self, Verdict};
use super::written::Lock;
use crate::migration::addition::Addition;
use crate::migration::outside::Outside;
use crate::migration::position::Position;
use crate::migration::said::When;
use crate::world::{EffectError, Trace, WorldError};

impl Session<'_> {
    /// Runs what is left of a migration whose statements are committed one by one.
    ///
    /// # Errors
    /// Of the statement that failed; its trace is unknown once something is committed.
    pub(super) async fn step_through(&mut self, closing: &[&str]) -> Result<(), EffectError> {
        self.book.make(&self.client).await.map_err(nothing)?;
        self.recover().await?;
        let count = self.job.pieces.len();
        while self.start.row.position.statements < count {
            let number = self.start.row.position.statements;
            let last = (number + 1 == count).then_some(closing);
            let job = self.job;
            let filling = job.filling.as_ref().filter(|filling| filling.number == number);
            let stepped = match job.pieces[number].outside.clone() {
                None if filling.is_some() => self.step_in_batches(number, last).await,
                None => self.step_inside(number, last).await,
                Some(outside) => self.step_outside(number, &outside, last).await,
            };
            stepped.map_err(|error| self.told(error))?;
            if last.is_some() {
                return Ok(());
            }
            self.progress.advanced(&self.start.row.position);
        }
        // Everything is done but its end.
        self.close(closing).await.map_err(|error| self.told(error))
    }

    /// Goes on where one that was committed statement by statement was left, in one transaction.
    pub(super) async fn rest_together(&mut self, closing: &[&str]) -> Result<(), EffectError> {
        self.recover().await?;
        let first = self.start.row.position.statements;
        let remove = self.book.remove(self.start.row.migration.version);
        let mut parts = if first == 0 { self.asked(When::Before) } else { Vec::new() };
        parts.extend((first..self.job.pieces.len()).map(Part::Statement));
        parts.extend(self.asked(When::After));
        parts.extend(closing.iter().map(|query| Part::Ours(query)));
        parts.push(Part::Ours(&remove));
        self.persist(&parts).await
    }

    /// What the session of the interrupted run was told is told again, and a statement that was under way in it is
    /// settled.
    async fn recover(&mut self) -> Result<(), EffectError> {
        let done = self.start.row.position.statements;
        for piece in self.job.pieces.iter().take(done).filter(|piece| piece.is_setting()) {
            let said = self.client.batch_execute(&piece.statement.text).await;
            said.map_err(|error| nothing(world_error(&self.tried, &error)))?;
        }
        let Some(before) = self.start.row.under_way.clone() else {
            return Ok(());
        };
        let milliseconds = self.job.lock_timeout.as_millis().max(1) * self.patience.concurrent_factor;
        let limited = self.client.batch_execute(&format!("set lock_timeout = {milliseconds}")).await;
        limited.map_err(|error| unknown(world_error(&self.tried, &error)))?;
        let outside = self.job.pieces.get(done).and_then(|piece| piece.outside.clone()).unwrap_or(Outside::Untold);
        let verdict = self.during(traces::settle(&self.client, &outside, &before, self.progress)).await;
        let verdict = verdict.map_err(|error| unknown(world_error(&self.tried, &error)))?;
        let position = match verdict {
            Verdict::Done => Position::after(done + 1),
            Verdict::NotDone => self.start.row.position.clone(),
            Verdict::Untold => return Err(unknown(untold(&self.tried, &self.job.pieces, done))),
        };
        let advance = self.book.advance(self.start.row.migration.version, &position);
        self.persist(&[Part::Ours(&advance)]).await.map_err(as_unknown)?;
        (self.start.row.position, self.start.row.under_way) = (position, None);
        Ok(())
    }

    /// A statement in a transaction of its own, in which it is counted.
    async fn step_inside(&mut self, number: usize, closing: Option<&[&str]>) -> Result<(), EffectError> {
        let next = Position::after(number + 1);
        let written = self.written(&next);
        let mut parts = if number == 0 { self.asked(When::Before) } else { Vec::new() };
        parts.push(Part::Statement(number));
        match closing {
            None => parts.push(Part::Ours(&written)),
            Some(closing) => {
                parts.extend(self.asked(When::After));
                parts.extend(closing.iter().map(|query| Part::Ours(query)));
                parts.push(Part::Ours(&written));
            }
        }
        self.persist(&parts).await?;
        self.stands(next);
        Ok(())
    }

    /// What counts a statement in its own commit: at the end nothing is in the middle any more.
    pub(super) fn written(&self, next: &Position) -> String {
        let version = self.start.row.migration.version;
        match (next.statements == self.job.pieces.len(), self.start.is_written) {
            (true, _) => self.book.remove(version),
            (false, true) => self.book.advance(version, next),
            (false, false) => {
                self.book.write(&Row { position: next.clone(), under_way: None, ..self.start.row.clone() })
            }
        }
    }

    /// A statement outside of any transaction: it is noted beforehand, and counted afterwards.
    async fn step_outside(
        &mut self,
        number: usize,
        outside: &Outside,
        closing: Option<&[&str]>,
    ) -> Result<(), EffectError> {
        let before = self.bracket(number, outside).await?;
        let mut waiting = Waiting::of(self.patience);
        loop {
            let started = Instant::now();
            let result = match waiting.is_first() {
                true => self.outside(number, outside, &before).await,
                false => self.outside_again(number, outside, &before).await,
            };
            match self.judge(&mut waiting, started, result).await {
                Ok(Some(done)) => {
                    self.done.extend(done);
                    break;
                }
                Ok(None) => {}
                Err(error) if error.trace == Trace::Nothing => return Err(self.forget(error).await),
                Err(error) => return Err(error),
            }
        }
        // What ran cannot be taken back any more: until it is counted, its outcome has to be asked for.
        match closing {
            Some(closing) => {
                let advance = self.book.advance(self.start.row.migration.version, &Position::after(number + 1));
                if self.job.assertions.iter().any(|one| one.when == When::After) {
                    // An assertion that fails does not undo it.
                    self.persist(&[Part::Ours(&advance)]).await.map_err(as_unknown)?;
                    self.stands(Position::after(number + 1));
                }
                self.close(closing).await.map_err(as_unknown)
            }
            None => {
                let next = Position::after(number + 1);
                let advance = self.book.advance(self.start.row.migration.version, &next);
                self.persist(&[Part::Ours(&advance)]).await.map_err(as_unknown)?;
                self.stands(next);
                Ok(())
            }
        }
    }

    /// Notes that a statement is about to run outside of a transaction, and what was there before it.
    async fn bracket(&mut self, number: usize, outside: &Outside) -> Result<Before, EffectError> {
        let looked = self.during(traces::before(&self.client, outside, self.progress)).await;
        let before = looked.map_err(|error| self.certain("", 1, &error).at(self.job, number).error)?;
        let version = self.start.row.migration.version;
        let note = match self.start.is_written {
            true => self.book.bracket(version, &before),
            false => self.book.write(&Row { under_way: Some(before.clone()), ..self.start.row.clone() }),
        };
        let mut parts = if number == 0 { self.asked(When::Before) } else { Vec::new() };
        parts.push(Part::Ours(&note));
        self.persist(&parts).await?;
        self.start.row.under_way = Some(before.clone());
        self.start.is_written = true;
        Ok(before)
    }

    /// One more try: what the last one may have left is told and taken away first.
    async fn outside_again(&self, number: usize, outside: &Outside, before: &Before) -> Result<Vec<Done>, Failure> {
        match self.during(traces::settle(&self.client, outside, before, self.progress)).await {
            Ok(Verdict::Done) => self.assert_done(outside).await.map(|()| Vec::new()),
            Ok(Verdict::NotDone | Verdict::Untold) => self.outside(number, outside, before).await,
            Err(error) => {
                let mut failure = self.certain("", 1, &error).at(self.job, number);
                failure.error = unknown(failure.error.error);
                Err(failure)
            }
        }
    }

    /// One try of a statement outside of a transaction.
    async fn outside(&self, number: usize, outside: &Outside, before: &Before) -> Result<Vec<Done>, Failure> {
        self.in_time()?;
        self.guard.still_ours(&self.client).await.map_err(|closed| self.closed(closed))?;
        self.spare(&self.spared_by(number), Lock::Impossible).await?;
        // A concurrent build waits for old transactions without standing in anybody's way.
        let milliseconds = self.job.lock_timeout.as_millis().max(1) * self.patience.concurrent_factor;
        let limited = self.client.batch_execute(&format!("set lock_timeout = {milliseconds}")).await;
        limited.map_err(|error| self.certain("", 1, &error))?;
        let piece = &self.job.pieces[number];
        let (text, line) = (&piece.statement.text, piece.statement.line);
        self.progress.called("postgresql:migrate");
        let ran = self.during(super::tally::run(&self.client, text, 0, &[piece.writes])).await;
        let error = match ran {
            Ok(done) => return self.assert_done(outside).await.map(|()| done),
            Err(error) => error,
        };
        let mut failure = self.certain(text, line, &error).at(self.job, number);
        // Whoever was refused looks at once what was left, and takes it away.
        let left_nothing = is_refusal(&error) && {
            let found = self.during(traces::settle(&self.client, outside, before, self.progress)).await;
            matches!(found, Ok(Verdict::NotDone))
        };
        if !left_nothing {
            failure.error = unknown(failure.error.error);
        }
        Err(failure)
    }

    /// Whether the statement did what it says, and under a lease that is still in force: else its outcome has to be
    /// asked for by whoever has the lease.
    async fn assert_done(&self, outside: &Outside) -> Result<(), Failure> {
        let unheard = |error| Failure::of(unknown(error));
        let ours = self.guard.still_ours(&self.client).await;
        ours.map_err(|closed| unheard(closed.into_world(&self.tried)))?;
        traces::assert_done(&self.client, outside, &self.tried).await.map_err(unheard)
    }

    /// The end: what must be true afterwards, the history row, and nothing is in the middle any more.
    pub(super) async fn close(&mut self, closing: &[&str]) -> Result<(), EffectError> {
        let remove = self.book.remove(self.start.row.migration.version);
        let mut parts = self.asked(When::After);
        parts.extend(closing.iter().map(|query| Part::Ours(query)));
        parts.push(Part::Ours(&remove));
        self.persist(&parts).await?;
        self.start.is_written = false;
        Ok(())
    }

    /// A statement failed that left nothing: it is not under way any more, and if it was the first one, neither is the
    /// migration.
    async fn forget(&mut self, error: EffectError) -> EffectError {
        let row = &self.start.row;
        let (version, at_start) = (row.migration.version, self.is_at_start());
        let note = match at_start {
            true => self.book.remove(version),
            false => self.book.advance(version, &row.position),
        };
        match self.persist(&[Part::Ours(&note)]).await {
            Ok(()) => {
                self.start.row.under_way = None;
                self.start.is_written = !at_start;
                error
            }
            Err(_) => as_unknown(error),
        }
    }

    /// Whether nothing was committed of this direction, nor of the other.
    fn is_at_start(&self) -> bool {
        self.start.row.position.is_start() && self.start.row.from.is_start() && !self.start.history_stays
    }

    pub(super) fn stands(&mut self, position: Position) {
        (self.start.row.position, self.start.row.under_way) = (position, None);
        self.start.is_written = true;
    }

    /// Once something is committed, what became of the migration has to be asked for.
    fn told(&self, mut error: EffectError) -> EffectError {
        if !self.start.is_written {
            return error;
        }
        let row = &self.start.row;
        let left = self.job.pieces.len() - row.position.statements.min(self.job.pieces.len());
        error.error.help = Some(match left {
            0 => "every statement is done; `resume` ends it, `rollback` takes it back".to_owned(),
            _ => format!(
                "{} statements are done, {left} are not: `resume` goes on with {}, `rollback` takes back what is done",
                row.position.statements,
                self.job.place(row.position.statements)
            ),
        });
        as_unknown(error)
    }

    /// Of what nobody had written to, that which a statement takes away.
    pub(super) fn spared_by(&self, number: usize) -> Vec<Addition> {
        self.job.spared_by(number)
    }
}

fn as_unknown(mut error: EffectError) -> EffectError {
    error.trace = Trace::Unknown;
    error
}

/// What no catalog tells.
pub(super) fn untold(tried: &str, pieces: &[Piece], number: usize) -> WorldError {
    let statement = pieces.get(number).map(|piece| piece.statement.excerpt()).unwrap_or_default();
    refused(
        tried,
        format!("`{statement}` runs outside of a transaction, and nothing tells whether it ran"),
        "look at it yourself, and bring it to where it was before or to where it is done",
    )
}
