//! How what was asked came out, as people and `--json` get it. Pure.
//!
//! Invariant: it is made from the ledger's own record, and a check that was not asked says so.

use serde::Serialize;

use super::terminal::{indented, shown_time};
use crate::ledger::Run;
use crate::review::text::{Paint, Role};
use crate::review::words::{self, harmless};
use crate::step::{CheckResult, OnFailedCheck, When};

/// One check of a run.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// Its name.
    pub check: String,
    /// When it is asked.
    pub when: When,
    /// How it came out; nothing when it was not asked, or not to its end.
    pub result: Option<CheckResult>,
    /// What was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saw: Option<String>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// How often it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tries: Option<u32>,
    /// How long that took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
    /// What follows when it fails.
    pub on_failure: OnFailedCheck,
}

impl CheckReport {
    /// All checks of a run, in their order.
    pub fn all(run: &Run) -> Vec<Self> {
        let one = |check: &crate::step::Check| {
            let state = run.checks.get(&check.address);
            Self {
                check: check.address.to_string(),
                when: check.when,
                result: state.map(|state| state.result),
                saw: state.map(|state| state.saw.clone()),
                at: state.map(|state| shown_time(state.at)),
                tries: state.map(|state| state.tries),
                milliseconds: state.map(|state| state.milliseconds),
                on_failure: check.on_failure,
            }
        };
        let in_order = When::ALL.iter().flat_map(|when| run.change_set.checks_at(*when));
        in_order.chain(run.change_set.told_checks()).map(one).collect()
    }

    /// Whether it failed, and something follows from that.
    pub fn has_failed(&self) -> bool {
        self.result == Some(CheckResult::Failed) && !self.is_told()
    }

    /// Whether it is only told.
    pub fn is_told(&self) -> bool {
        self.on_failure == OnFailedCheck::Tell
    }

    /// It in lines.
    pub fn text(&self, paint: &dyn Paint) -> String {
        let (word, role) = match self.result {
            Some(CheckResult::Passed) => ("passed", Role::Added),
            Some(CheckResult::Failed) => ("failed", Role::Danger),
            Some(CheckResult::LeftOut) => ("left out", Role::Faint),
            Some(CheckResult::CalledOff) => ("called off", Role::Warning),
            None => ("not asked", Role::Faint),
        };
        let took = self.milliseconds.filter(|_| self.tries.is_some_and(|tries| tries > 0)).map(|milliseconds| {
            let tries = words::counted(self.tries.unwrap_or_default() as usize, "try").replace("trys", "tries");
            format!("  {tries} in {}", words::duration(std::time::Duration::from_millis(milliseconds)))
        });
        let when = if self.is_told() { "after the way back" } else { self.when.meaning() };
        let name = harmless(&self.check);
        let head = paint.paint(role, &format!("{word:<9}"));
        let mut text = format!("  {head} {name}, {when}{}\n", took.unwrap_or_default());
        if let Some(saw) = self.saw.as_ref().filter(|saw| !saw.is_empty()) {
            text += &indented(saw);
        }
        text
    }
}
