//! Unknown means asked: what became of an effect whose outcome nobody heard. Reads the world.
//!
//! Invariant: a step is called done or not done only on the world's own word.

use super::Executor;
use super::prepare::{Outcomes, Ready, Sight, Work, work};
use crate::ledger::state::Intent;
use crate::observe::{connect, mark_like, no_provider};
use crate::step::Step;
use crate::value::SealKey;
use crate::world::{ErrorClass, Settlement, WorldError};

/// Asks what became of one intent.
pub(super) async fn ask(
    executor: &Executor<'_>,
    seal_key: Option<&SealKey>,
    environment: &str,
    outcomes: &Outcomes,
    step: &Step,
    intent: &Intent,
) -> Result<Settlement, WorldError> {
    let Executor { world, kinds, secrets, .. } = *executor;
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
    let ready = Ready { connection, token: intent.token.clone(), after, binding: None, looks: Vec::new() };
    match work(environment, step, &ready, before) {
        Work::Nothing => Ok(Settlement::Done(crate::value::Object::new())),
        Work::Migration(effect) => match &world.databases {
            Some(databases) => databases.settle(&ready.connection, &effect).await,
            None => Err(no_provider("postgres")),
        },
        Work::Thing(effect) => {
            let Some(provider) = world.providers.get(&ready.connection.provider) else {
                return Err(no_provider(&ready.connection.provider));
            };
            let settlement = provider.settle(&ready.connection, &effect).await?;
            Ok(match settlement {
                Settlement::Done(object) => {
                    let like = ready.after.as_ref().unwrap_or(&object).clone();
                    Settlement::Done(mark_like(kinds, &effect.kind, object, &like))
                }
                other => other,
            })
        }
    }
}
