//! What a person is told about a step in doubt: the world's word, and what is there now. Reads.
//!
//! Invariant: nothing is recorded here.

use super::Executor;
use super::prepare::{Outcomes, Sight};
use super::settle;
use crate::ledger::Ledger;
use crate::ledger::state::Intent;
use crate::observe::{connect, mark_like, no_provider};
use crate::step::{Action, Step};
use crate::value::Object;
use crate::world::{Connection, ErrorClass, Query, Settlement, WorldError};

/// What is there now.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// The thing, if there is one.
    Thing(Option<Object>),
    /// Whether the history of the database has the migration.
    Migration(bool),
    /// The step is about the ledger alone.
    Nothing,
}

impl Executor<'_> {
    /// Asks the world what became of one open step of the unfinished run, as settling does.
    ///
    /// # Errors
    /// When the world cannot be asked.
    pub async fn ask(&self, ledger: &Ledger, step: &Step, intent: &Intent) -> Result<Settlement, WorldError> {
        let state = ledger.state();
        let outcomes = Outcomes::of(&state.things);
        let fence = ledger.fence().await;
        let environment = state.chain.as_ref().map(|chain| chain.environment.clone()).unwrap_or_default();
        settle::ask(self, state.seal_key(), (&environment, &fence), &outcomes, step, intent).await
    }

    /// Looks at what is there now where an open step was to have its effect. Changes nothing, ends nobody's session.
    /// What has no name of its own, until the world gives it one, is known by the token of its making alone.
    ///
    /// # Errors
    /// When the world cannot be asked.
    pub async fn look(&self, ledger: &Ledger, step: &Step, intent: &Intent) -> Result<Found, WorldError> {
        let Some(kind) = step.action.kind() else {
            return self.look_at_history(ledger, step, intent).await;
        };
        let after = intent.after.as_ref().or(step.action.after());
        let is_nameless = |after| self.kinds.get(kind).is_some_and(|kind| kind.rules.identity(after).is_none());
        if is_made(&step.action) && after.is_some_and(is_nameless) {
            return self.look_by_token(ledger, step, intent).await;
        }
        let connection = self.connection(ledger, step, intent)?;
        let like = known_by(step, intent);
        let query = Query { address: step.address.clone(), kind: kind.to_owned(), object: like.clone() };
        let Some(provider) = self.world.providers.get(&connection.provider) else {
            return Err(no_provider(&connection.provider));
        };
        let found = provider.observe(&connection, &[query]).await.pop();
        let found = found.unwrap_or_else(|| Err(no_provider(&connection.provider)))?;
        Ok(Found::Thing(found.map(|object| mark_like(self.kinds, kind, object, &like))))
    }

    async fn look_by_token(&self, ledger: &Ledger, step: &Step, intent: &Intent) -> Result<Found, WorldError> {
        match self.ask(ledger, step, intent).await? {
            Settlement::Done(object) | Settlement::Stands(object, _) | Settlement::GoesOn(object, _) => {
                Ok(Found::Thing(Some(object)))
            }
            Settlement::NotDone => Ok(Found::Thing(None)),
            Settlement::Doubt(now) => Err(WorldError {
                tried: format!("look at {}", step.title()),
                cause: format!("it is neither as before nor as planned: {now}"),
                help: None,
                class: ErrorClass::Refused,
            }),
        }
    }

    async fn look_at_history(&self, ledger: &Ledger, step: &Step, intent: &Intent) -> Result<Found, WorldError> {
        let Action::Migrate { migration, .. } = &step.action else {
            return Ok(Found::Nothing);
        };
        let Some(databases) = &self.world.databases else {
            return Err(no_provider("postgres"));
        };
        let history = databases.history(&self.connection(ledger, step, intent)?).await?;
        let has = |history: crate::world::History| history.rows.iter().any(|row| row.version == migration.version);
        Ok(Found::Migration(history.is_some_and(has)))
    }

    fn connection(&self, ledger: &Ledger, step: &Step, intent: &Intent) -> Result<Connection, WorldError> {
        let state = ledger.state();
        let outcomes = Outcomes::of(&state.things);
        let now = self.world.clock.now();
        let sight = Sight { outcomes: &outcomes, secrets: self.secrets, seal_key: state.seal_key(), now };
        let binding = intent.binding.as_ref().unwrap_or(&step.binding);
        connect(binding, &sight)?.ok_or_else(|| WorldError {
            tried: format!("look at {}", step.title()),
            cause: "a setting of its provider is not known".to_owned(),
            help: None,
            class: ErrorClass::Refused,
        })
    }
}

/// What is known of the thing: as it was where it was changed or removed, as planned where it was made.
fn known_by(step: &Step, intent: &Intent) -> Object {
    let before = intent.before.clone().or_else(|| step.action.before().cloned());
    let after = intent.after.clone().or_else(|| step.action.after().cloned());
    let (first, second) = if is_made(&step.action) { (after, before) } else { (before, after) };
    let mut known = first.or(second).unwrap_or_default();
    known.retain(|_, value| value.is_known() && !value.is_null());
    known
}

fn is_made(action: &Action) -> bool {
    matches!(action, Action::Create { .. } | Action::Revise { .. })
}
