//! What tests found of an environment, as people and `--json` get it from the ledger. Pure.
//!
//! Invariant: it is made from the ledger's own record.

use serde::Serialize;

use super::terminal::shown_time;
use crate::ledger::State;
use crate::ledger::signatures::Recorded;
use crate::release::tested::{TestResult, Tested};

/// All tests, run once.
#[derive(Clone, Debug, Serialize)]
pub struct TestsView {
    passed: bool,
    by: String,
    at: String,
    /// The record.
    record: u64,
    #[serde(flatten)]
    tested: Tested,
}

impl TestsView {
    /// Those of one record.
    pub fn of(recorded: &Recorded<Tested>) -> Self {
        Self {
            passed: recorded.what.passed(),
            by: recorded.actor.name.clone(),
            at: shown_time(recorded.time),
            record: recorded.sequence,
            tested: recorded.what.clone(),
        }
    }

    /// Those of the state that a run left, oldest first.
    pub fn all(state: &State, run: u64) -> Vec<Self> {
        state.tested.iter().filter(|tested| tested.what.run == run).map(Self::of).collect()
    }

    /// It in a line.
    pub fn line(&self) -> String {
        let bad = |run: &&crate::release::tested::TestedRun| run.result != TestResult::Passed;
        let bad: Vec<String> =
            self.tested.runs.iter().filter(bad).map(|run| format!("{}/{}", run.file, run.name)).collect();
        let bad = if bad.is_empty() { String::new() } else { format!(" ({})", bad.join(", ")) };
        format!("tests: {}{bad}, by {} at {}", self.tested.counts(), self.by, self.at)
    }
}
