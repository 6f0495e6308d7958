//! How a run ended: what is done, failed, skipped, in doubt, and what to type next. Pure.
//!
//! Invariant: it is made from the ledger's own record of the run, so that what is reported is what is recorded.

use std::collections::BTreeMap;

use serde::Serialize;

use super::exit::Exit;
use super::terminal::View;
use crate::digest::Digest;
use crate::ledger::{Ledger, Run, RunResult, State, StepState};
use crate::review::text::{Paint, Role};
use crate::review::words::{self, harmless};
use crate::step::{Edit, Operation, Step, StepId};
use crate::world::WorldError;

/// Longest list of done steps that is shown.
const DONE_LINES: usize = 40;

/// How a run ended.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The environment.
    pub environment: String,
    /// The number of the run; nothing when there was nothing to do.
    pub run: Option<u64>,
    /// What it was for.
    pub operation: Operation,
    /// How the process ends.
    pub result: Exit,
    /// The same as a number.
    pub exit_code: u8,
    /// Steps that are done.
    pub done: Vec<StepReport>,
    /// Steps that had no effect.
    pub failed: Vec<StepReport>,
    /// Steps that may have had an effect.
    pub in_doubt: Vec<StepReport>,
    /// Steps that were not begun.
    pub skipped: Vec<StepReport>,
    /// Whether what a failed step made stands.
    #[serde(skip)]
    pub stands: bool,
    /// Why the run waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// Whether planning again was empty; nothing when that was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// What planning again would still do, or why it could not be asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unverified: Vec<String>,
    /// From the first intent to the last outcome, in milliseconds.
    pub milliseconds: i64,
    /// The outputs of the environment.
    pub outputs: BTreeMap<String, serde_json::Value>,
    /// Where the ledger ends now, to be noted elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<LedgerEnd>,
    /// Commands to type next.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<String>,
}

/// Where a ledger ends: whoever noted it elsewhere can tell later whether records are missing at its end.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LedgerEnd {
    /// The last record.
    pub record: u64,
    /// Its digest.
    pub head: Digest,
}

/// One step.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    /// Its number.
    pub step: StepId,
    /// The verb of its action.
    pub action: &'static str,
    /// What people call it.
    pub title: String,
    /// How long it took, when it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<i64>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl StepReport {
    fn of(step: &Step, milliseconds: Option<i64>, error: Option<&WorldError>) -> Self {
        Self {
            step: step.id,
            action: step.action.verb(),
            title: step.title(),
            milliseconds,
            error: error.map(ToString::to_string),
            help: error.and_then(|error| error.help.clone()),
        }
    }
}

/// Why the steps that failed did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// What the plan rests on has moved.
    Stale,
    /// Anything else.
    Other,
}

impl Report {
    /// What the ledger says of a run.
    pub fn of(run: &Run, state: &State, cause: Cause) -> Self {
        let mut report = Self::empty(&run.change_set.environment, run.change_set.operation, state);
        report.run = Some(run.number);
        report.waits_for.clone_from(&run.parked);
        let begun = run.begun.as_millisecond();
        let mut last = begun;
        for step in &run.change_set.steps {
            match run.steps.get(&step.id) {
                Some(StepState::Done { since, until }) => {
                    last = last.max(until.as_millisecond());
                    let took = until.as_millisecond() - since.as_millisecond();
                    report.done.push(StepReport::of(step, Some(took), None));
                }
                Some(StepState::Failed { at, error }) => {
                    last = last.max(at.as_millisecond());
                    report.failed.push(StepReport::of(step, None, error.as_ref()));
                }
                Some(StepState::Stood(_, error)) => {
                    report.stands = true;
                    report.failed.push(StepReport::of(step, None, Some(error)));
                }
                Some(StepState::Doubted(_, error)) => report.in_doubt.push(StepReport::of(step, None, Some(error))),
                Some(StepState::Intended(_)) => report.in_doubt.push(StepReport::of(step, None, None)),
                None => report.skipped.push(StepReport::of(step, None, None)),
            }
        }
        report.milliseconds = last - begun;
        report.end_with(exit_of(run, &report, cause));
        report
    }

    /// Nothing was to be done.
    pub fn nothing(environment: &str, operation: Operation, state: &State) -> Self {
        Self::empty(environment, operation, state)
    }

    fn empty(environment: &str, operation: Operation, state: &State) -> Self {
        let outputs = state.things.outputs.iter();
        Self {
            environment: environment.to_owned(),
            run: None,
            operation,
            result: Exit::Done,
            exit_code: Exit::Done.code(),
            done: Vec::new(),
            failed: Vec::new(),
            in_doubt: Vec::new(),
            skipped: Vec::new(),
            stands: false,
            waits_for: None,
            verified: None,
            unverified: Vec::new(),
            milliseconds: 0,
            outputs: outputs.map(|(name, value)| (name.clone(), value.to_shown_json())).collect(),
            ledger: None,
            next: Vec::new(),
        }
    }

    /// Notes where the ledger ends.
    pub fn note(&mut self, ledger: &Ledger) {
        self.ledger = (ledger.last() > 0).then(|| LedgerEnd { record: ledger.last(), head: ledger.head() });
    }

    /// Sets how the process ends.
    pub fn end_with(&mut self, exit: Exit) {
        self.result = exit;
        self.exit_code = exit.code();
    }

    /// Whether any effect stands.
    pub fn has_effects(&self) -> bool {
        !self.done.is_empty() || self.stands
    }
}

fn exit_of(run: &Run, report: &Report, cause: Cause) -> Exit {
    let complete = matches!(run.ended, Some((RunResult::Complete, _)));
    match cause {
        _ if !report.in_doubt.is_empty() => Exit::Doubt,
        _ if complete => Exit::Done,
        _ if report.waits_for.is_some() => Exit::Parked,
        _ if report.has_effects() => Exit::Unfinished,
        Cause::Stale => Exit::Stale,
        Cause::Other => Exit::Failed,
    }
}

impl View for Report {
    fn text(&self, paint: &dyn Paint) -> String {
        let mut text = String::new();
        let Some(run) = self.run else {
            text += "nothing to do\n";
            return text + &self.tail(paint);
        };
        let what = match self.operation {
            Operation::Apply => "apply",
            Operation::Destroy => "destroy",
            Operation::Edit(Edit::Import) => "import",
            Operation::Edit(Edit::Move) => "state mv",
            Operation::Edit(Edit::Remove) => "state rm",
            Operation::Rollback { .. } => "rollback",
        };
        let head = format!("run {run}, {what} of {}: {}", self.environment, self.headline());
        let role = if self.result == Exit::Done { Role::Heading } else { Role::Danger };
        text += &format!("{}\n", paint.paint(role, &head));
        if self.done.len() <= DONE_LINES {
            self.done.iter().for_each(|step| text += &line("done", Role::Added, step, paint));
        }
        self.failed.iter().for_each(|step| text += &line("failed", Role::Danger, step, paint));
        self.in_doubt.iter().for_each(|step| text += &line("in doubt", Role::Danger, step, paint));
        self.skipped.iter().take(DONE_LINES).for_each(|step| text += &line("skipped", Role::Faint, step, paint));
        text += &format!(
            "{} done, {} failed, {} skipped, {} in doubt, in {}\n",
            self.done.len(),
            self.failed.len(),
            self.skipped.len(),
            self.in_doubt.len(),
            took(self.milliseconds)
        );
        text + &self.tail(paint)
    }
}

impl Report {
    fn headline(&self) -> &'static str {
        match self.result {
            Exit::Done => "complete",
            Exit::Unfinished => "stopped half-way",
            Exit::Doubt => "in doubt",
            Exit::Parked => "waiting",
            Exit::Stale => "the plan is stale, nothing was done",
            Exit::TakenBack => "failed, and everything was taken back",
            Exit::Drift => "complete, but planning again is not empty",
            Exit::Failed | Exit::Changes | Exit::Usage | Exit::Spec | Exit::Leased | Exit::Held | Exit::Unconfirmed => {
                "failed, nothing was changed"
            }
        }
    }

    fn tail(&self, paint: &dyn Paint) -> String {
        let mut text = String::new();
        if let Some(reason) = &self.waits_for {
            text += &format!("waits for: {}\n", harmless(reason));
        }
        match self.verified {
            Some(true) => text += "verified: planning again is empty\n",
            Some(false) => {
                text += &format!("{}\n", paint.paint(Role::Warning, "not verified:"));
                self.unverified.iter().for_each(|line| text += &format!("  {}\n", harmless(line)));
            }
            None => {}
        }
        if self.result == Exit::Done && !self.outputs.is_empty() {
            text += "outputs:\n";
            self.outputs
                .iter()
                .for_each(|(name, value)| text += &format!("  {name} = {}\n", harmless(&value.to_string())));
        }
        if let Some(end) = &self.ledger {
            text += &format!("ledger head: {} (record {})\n", end.head, end.record);
        }
        if !self.next.is_empty() {
            text += &format!("{}\n", paint.paint(Role::Heading, "type next:"));
            self.next.iter().for_each(|command| text += &format!("  {command}\n"));
        }
        text
    }
}

fn line(word: &str, role: Role, step: &StepReport, paint: &dyn Paint) -> String {
    let took = step.milliseconds.map(|milliseconds| format!("  {}", took(milliseconds))).unwrap_or_default();
    let title = harmless(&step.title);
    let mut text =
        format!("  {} {:>3} {} {title}{took}\n", paint.paint(role, &format!("{word:<8}")), step.step.0, step.action);
    if let Some(error) = &step.error {
        text += &indented(error);
    }
    if let Some(help) = &step.help {
        text += &indented(&format!("help: {help}"));
    }
    text
}

/// What is told of one step, below its line.
pub fn indented(text: &str) -> String {
    harmless(text).lines().map(|line| format!("           {}\n", line.trim_start())).collect()
}

fn took(milliseconds: i64) -> String {
    words::duration(std::time::Duration::from_millis(milliseconds.unsigned_abs()))
}
