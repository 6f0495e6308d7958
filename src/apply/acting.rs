//! One effect: begun, tried again while its failure passes, asked about when nobody heard what became of it. Writes the
//! world.
//!
//! Invariant: every try of a step has the same token, and none is made before the world was asked about one that may
//! have had its effect.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::Executor;
use super::outcome::{Event, Listener, StopSignal};
use super::prepare::Work;
use super::settle;
use crate::migration::position::Position;
use crate::step::{Step, StepId};
use crate::value::Object;
use crate::world::{Connection, EffectError, ErrorClass, Fence, Progress, Settlement, Trace, WorldError};

impl Executor<'_> {
    /// The one place where a step that failed for the moment is tried again, with the same token.
    pub(super) async fn try_patiently(&self, telling: &Telling<'_>, connection: &Connection, work: &Work) -> Tried {
        let mut tries = 1;
        loop {
            let (error, answer) = match self.act(telling, connection, work).await {
                Ok(object) => return Tried::Over(Ok(object)),
                Err(EffectError { error, trace: Trace::Nothing }) => (error, None),
                // It was asked to pause, and said where: whoever resumes asks how far it is.
                Err(EffectError { error, trace: Trace::Unknown }) if error.class == ErrorClass::Pending => {
                    return Tried::Unheard(error.clone(), Err(error));
                }
                Err(EffectError { error, trace: Trace::Unknown }) => match self.ask_patiently(connection, work).await {
                    Ok(Settlement::NotDone) => (error, Some(Settlement::NotDone)),
                    // A migration goes on from where it has got.
                    Ok(answer @ Settlement::Stands(..)) if matches!(work, Work::Migration(_)) => (error, Some(answer)),
                    answer => return Tried::Unheard(error, answer),
                },
            };
            // What was reached a moment ago and is not now is being restarted; what never was is elsewhere.
            let was_lost = error.class == ErrorClass::Unreachable && tries > 1;
            let passes = error.class == ErrorClass::Transient || was_lost;
            let pause = self.retries.pause(tries).filter(|_| passes);
            let Some(pause) = pause.filter(|_| !self.stop.is_raised()) else {
                return match answer {
                    Some(answer) => Tried::Unheard(error, Ok(answer)),
                    None => Tried::Over(Err(error)),
                };
            };
            tries += 1;
            telling.say(&format!("{error}; try {tries} follows in {:.1} s", pause.as_secs_f64()));
            tokio::time::sleep(pause).await;
        }
    }

    /// Who loses the connection cannot ask at once either.
    async fn ask_patiently(&self, connection: &Connection, work: &Work) -> Result<Settlement, WorldError> {
        let mut tries = 1;
        loop {
            let answer = settle::ask_about(self, connection, work).await;
            let is_away = |error: &WorldError| matches!(error.class, ErrorClass::Transient | ErrorClass::Unreachable);
            let again = answer.as_ref().is_err_and(is_away) && !self.stop.is_raised();
            let Some(pause) = self.retries.pause(tries).filter(|_| again) else {
                return answer;
            };
            tries += 1;
            tokio::time::sleep(pause).await;
        }
    }

    async fn act(&self, telling: &Telling<'_>, connection: &Connection, work: &Work) -> Result<Object, EffectError> {
        let missing = |name: &str| EffectError { error: crate::observe::no_provider(name), trace: Trace::Nothing };
        let tried = || format!("{} {}", telling.step.action.verb(), telling.step.title());
        let held = |fence: &Fence| {
            let refuse = |error| EffectError { error, trace: Trace::Nothing };
            fence.check(&tried(), Duration::ZERO).map_err(refuse)
        };
        match work {
            Work::Nothing(object) => Ok(object.clone()),
            Work::Migration(effect) => match &self.world.databases {
                Some(databases) => {
                    held(&effect.fence)?;
                    databases.migrate(connection, effect, telling).await
                }
                None => Err(missing("postgres")),
            },
            Work::Purge(effect) => match &self.world.databases {
                Some(databases) => {
                    held(&effect.fence)?;
                    databases.purge(connection, effect, telling).await
                }
                None => Err(missing("postgres")),
            },
            Work::Thing(effect) => match self.world.providers.get(&connection.provider) {
                Some(provider) => {
                    held(&effect.fence)?;
                    provider.carry_out(connection, effect, telling).await
                }
                None => Err(missing(&connection.provider)),
            },
        }
    }
}

/// How the tries of one effect ended.
pub(super) enum Tried {
    /// It is known what became of it.
    Over(Result<Object, WorldError>),
    /// Nobody heard, and this is what the world said when it was asked.
    Unheard(WorldError, Result<Settlement, WorldError>),
}

/// Hears how a step gets on.
pub(super) struct Telling<'a> {
    pub(super) listener: &'a dyn Listener,
    pub(super) step: &'a Step,
    pub(super) calls: Mutex<Vec<String>>,
    pub(super) advanced: UnboundedSender<(StepId, Position)>,
    pub(super) stop: &'a StopSignal,
}

impl Progress for Telling<'_> {
    fn say(&self, message: &str) {
        self.listener.event(Event::Progress(self.step, message));
    }

    fn called(&self, operation: &str) {
        let mut calls = self.calls.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if calls.last().is_none_or(|last| last != operation) {
            calls.push(operation.to_owned());
        }
    }

    fn advanced(&self, position: &Position) {
        // Whoever does not listen any more needs no note: the database knows it as well.
        drop(self.advanced.send((self.step.id, position.clone())));
    }

    fn wants_pause(&self) -> bool {
        self.stop.is_raised()
    }
}
