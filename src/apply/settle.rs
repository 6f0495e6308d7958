//! Unknown means asked: what became of an effect whose outcome nobody heard. Reads the world.
//!
//! Invariant: a step is called done or not done only on the world's own word.

use std::time::Duration;

use super::Executor;
use super::outcome::Event;
use super::prepare::{Outcomes, Ready, Sight, Work, work};
use crate::ledger::state::Intent;
use crate::observe::{connect, mark_like, no_provider};
use crate::step::Step;
use crate::value::SealKey;
use crate::world::{Connection, EffectChange, ErrorClass, Fence, Settlement, WorldError};

/// What open steps are settled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Towards {
    /// To go on: what goes on in the world is left open, and waited for.
    End,
    /// To go back: what goes on in the world is taken as it stands now.
    Start,
}

/// Whether a run waits for what this says, instead of failing.
pub(super) fn parks(error: &WorldError) -> bool {
    matches!(error.class, ErrorClass::Expired | ErrorClass::Pending)
}

impl Towards {
    /// What an answer means for it.
    pub(super) fn read(self, step: &Step, answer: Settlement) -> Result<Settlement, WorldError> {
        match (self, answer) {
            (Self::End, Settlement::GoesOn(_, why)) => Err(goes_on(step, why)),
            // What drains is gone for whoever goes back.
            (Self::Start, Settlement::GoesOn(object, _)) if object.is_empty() => Ok(Settlement::Done(object)),
            (Self::Start, Settlement::GoesOn(object, why)) => Ok(Settlement::Stands(object, why)),
            (_, answer) => Ok(answer),
        }
    }
}

fn goes_on(step: &Step, why: String) -> WorldError {
    WorldError {
        tried: format!("{} {}", step.action.verb(), step.title()),
        cause: why,
        help: Some("`resume` asks again, and goes on when it is through; `rollback` takes it back".to_owned()),
        class: ErrorClass::Pending,
    }
}

/// How often it is looked whether somebody wants to stop.
const MOMENT: Duration = Duration::from_millis(100);

/// Asks what became of one intent. That it did not happen is believed only when what a dead run had sent cannot
/// arrive any more.
pub(super) async fn ask_for_good(
    executor: &Executor<'_>,
    seal_key: Option<&SealKey>,
    place: (&str, &Fence),
    outcomes: &Outcomes,
    (step, intent): (&Step, &Intent),
) -> Result<Settlement, WorldError> {
    let answer = ask(executor, seal_key, place, outcomes, step, intent).await;
    let (_, fence) = place;
    let provider = executor.world.providers.get(&step.binding.provider);
    let flight = provider.filter(|_| step.action.kind().is_some()).map_or(Duration::ZERO, |one| one.flight(fence));
    let left = || fence.in_flight(flight);
    if !matches!(answer, Ok(Settlement::NotDone)) || left().is_zero() {
        return answer;
    }
    let seconds = left().as_millis().div_ceil(1_000);
    let why = format!("not done so far; what the run that died had sent may still arrive, asked again in {seconds} s");
    executor.listener.event(Event::Progress(step, &why));
    while !left().is_zero() {
        if executor.stop.is_raised() {
            return Err(goes_on(step, why));
        }
        tokio::time::sleep(left().min(MOMENT)).await;
    }
    ask(executor, seal_key, place, outcomes, step, intent).await
}

/// Asks what became of one intent.
pub(super) async fn ask(
    executor: &Executor<'_>,
    seal_key: Option<&SealKey>,
    place: (&str, &Fence),
    outcomes: &Outcomes,
    step: &Step,
    intent: &Intent,
) -> Result<Settlement, WorldError> {
    let Executor { world, secrets, .. } = *executor;
    let sight = Sight { outcomes, secrets, seal_key, now: world.clock.now() };
    let binding = intent.binding.as_ref().unwrap_or(&step.binding);
    let connection = connect(binding, &sight)?.ok_or_else(|| WorldError {
        tried: format!("ask what became of {}", step.title()),
        cause: "a setting of its provider is not known".to_owned(),
        help: None,
        class: ErrorClass::Refused,
    })?;
    let after = intent.after.clone().or_else(|| step.action.after().cloned());
    let after = after.map(|mut after| {
        after.retain(|_, value| value.is_known() && !value.is_null());
        after
    });
    let before = intent.before.clone().or_else(|| step.action.before().cloned());
    let stands = before.clone().filter(|_| intent.repairs);
    let ready = Ready { connection, token: intent.token.clone(), after, binding: None, stands, looks: Vec::new() };
    ask_about(executor, &ready.connection, &work(place, step, &ready, before)).await
}

/// Asks what became of one piece of work.
pub(super) async fn ask_about(
    executor: &Executor<'_>,
    connection: &Connection,
    work: &Work,
) -> Result<Settlement, WorldError> {
    let Executor { world, kinds, .. } = *executor;
    let effect = match work {
        Work::Nothing(object) => return Ok(Settlement::Done(object.clone())),
        Work::Migration(effect) => {
            let Some(databases) = &world.databases else {
                return Err(no_provider("postgres"));
            };
            return databases.settle(connection, effect).await;
        }
        Work::Purge(effect) => {
            let Some(databases) = &world.databases else {
                return Err(no_provider("postgres"));
            };
            return databases.settle_purge(connection, effect).await;
        }
        Work::Thing(effect) => effect,
    };
    let Some(provider) = world.providers.get(&connection.provider) else {
        return Err(no_provider(&connection.provider));
    };
    let like = match &effect.change {
        EffectChange::Create { after } | EffectChange::Update { after, .. } => after,
        EffectChange::Delete { before } => before,
    };
    let marked = |object| mark_like(kinds, &effect.kind, object, like);
    Ok(match provider.settle(connection, effect).await? {
        Settlement::Done(object) => Settlement::Done(marked(object)),
        Settlement::Stands(object, why) => Settlement::Stands(marked(object), why),
        Settlement::GoesOn(object, why) => Settlement::GoesOn(marked(object), why),
        Settlement::NotDone => Settlement::NotDone,
        Settlement::Doubt(now) => Settlement::Doubt(now),
    })
}
