//! What tests ask of an environment that stands: outside of any run, and recorded by nobody here. Reads.
//!
//! Invariant: nothing is begun by it, and no secret that a check is asked with is in what is told of it.

use std::time::Duration;

use super::Executor;
use super::checking::End;
use super::prepare::{Outcomes, Sight};
use super::probing::Matter;
use crate::diagnostic::Diagnostics;
use crate::expression::Deferred;
use crate::ledger::{Ledger, State};
use crate::resolve::evaluate::evaluate_deferred;
use crate::secret::Secrets;
use crate::step::{Check, CheckResult};
use crate::value::Value;
use crate::world::Fence;

/// How a check came out that belongs to no run.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Whether it was as it should be, for as long as it should be.
    pub passed: bool,
    /// What was seen, in one line.
    pub saw: String,
    /// How often it was asked.
    pub tries: u32,
    /// How long that took.
    pub took: Duration,
}

impl Executor<'_> {
    /// Asks one check of what the ledger says is there. Nothing when it was asked to stop, or nothing is there.
    pub async fn ask_aside(&self, ledger: &Ledger, check: &Check) -> Option<Answer> {
        let state = ledger.state();
        let outcomes = Outcomes::of(&state.things);
        let chain = state.chain.as_ref().map(|chain| chain.id.clone()).unwrap_or_default();
        let run = state.runs.last()?;
        let matter =
            Matter { chain: &chain, run, outcomes: &outcomes, seal_key: state.seal_key(), fence: Fence::open() };
        match self.ask_one(check, self.probe(check, &matter), None).await {
            End::Asked(asked) => Some(Answer {
                passed: asked.result == CheckResult::Passed,
                saw: asked.seen.words,
                tries: asked.tries,
                took: asked.took,
            }),
            End::Parked(_) | End::Stopped => None,
        }
    }
}

/// The value of an expression over what the ledger says is there.
///
/// # Errors
/// Its mistakes, without places.
pub fn recorded_value(
    state: &State,
    secrets: &dyn Secrets,
    now: jiff::Timestamp,
    expression: &Deferred,
) -> Result<Value, Diagnostics> {
    let outcomes = Outcomes::of(&state.things);
    evaluate_deferred(expression, &Sight { outcomes: &outcomes, secrets, seal_key: state.seal_key(), now })
}
