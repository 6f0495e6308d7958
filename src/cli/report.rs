//! How a run ended: what is done, failed, skipped, in doubt, and what to type next. Pure.
//!
//! Invariant: it is made from the ledger's own record of the run, so that what is reported is what is recorded.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::checks::CheckReport;
use super::exit::Exit;
use super::terminal::View;
pub use super::terminal::{indented, shown_time};
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
    /// Steps that go on in the world.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub under_way: Vec<StepReport>,
    /// Steps that were not begun.
    pub skipped: Vec<StepReport>,
    /// What was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckReport>,
    /// Whether what a failed step made stands.
    #[serde(skip)]
    pub stands: bool,
    /// Why the run waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// Who has the lease that this run lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    /// What was left as it was, because it could not be reached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owed: Vec<String>,
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
    /// When it was done, failed, or was begun if nobody knows more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What a step that was not begun waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl StepReport {
    fn of(step: &Step, at: Option<Timestamp>, error: Option<&WorldError>) -> Self {
        Self {
            step: step.id,
            action: step.action.verb(),
            title: step.title(),
            milliseconds: None,
            at: at.map(shown_time),
            waits_for: None,
            error: error.map(ToString::to_string),
            help: error.and_then(|error| error.help.clone()),
        }
    }
}

/// Why the run did not do everything, beside what its steps say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// What the plan rests on has moved.
    Stale,
    /// The lease was lost; who has it.
    Lost(String),
    /// Nothing but what the steps say.
    #[default]
    Steps,
}

/// What only the run itself knew, and the ledger does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Why it did not do everything.
    pub cause: Cause,
    /// Open steps that go on in the world.
    pub under_way: BTreeSet<StepId>,
}

impl Report {
    /// What the ledger says of a run.
    pub fn of(run: &Run, state: &State, ending: &Ending) -> Self {
        let mut report = Self::empty(&run.change_set.environment, run.change_set.operation, state);
        report.run = Some(run.number);
        report.waits_for.clone_from(&run.parked);
        report.checks = CheckReport::all(run);
        report.owed = run.change_set.owed.iter().map(ToString::to_string).collect();
        if let Cause::Lost(by) = &ending.cause {
            report.lost = Some(by.clone());
        }
        let mut last = run.begun;
        for step in &run.change_set.steps {
            match run.steps.get(&step.id) {
                Some(StepState::Done { since, until }) => {
                    last = last.max(*until);
                    let took = until.as_millisecond() - since.as_millisecond();
                    let done = StepReport::of(step, Some(*until), None);
                    report.done.push(StepReport { milliseconds: Some(took), ..done });
                }
                Some(StepState::Failed { at, error }) => {
                    last = last.max(*at);
                    report.failed.push(StepReport::of(step, Some(*at), error.as_ref()));
                }
                Some(StepState::Stood(intent, error)) => {
                    report.stands = true;
                    report.failed.push(StepReport::of(step, Some(intent.since), Some(error)));
                }
                Some(StepState::Doubted(intent, error)) => {
                    report.in_doubt.push(StepReport::of(step, Some(intent.since), Some(error)));
                }
                Some(StepState::Intended(intent)) => {
                    let list = match ending.under_way.contains(&step.id) {
                        true => &mut report.under_way,
                        false => &mut report.in_doubt,
                    };
                    list.push(StepReport::of(step, Some(intent.since), None));
                }
                None => {
                    let waits_for = Some(waits_for(run, step));
                    report.skipped.push(StepReport { waits_for, ..StepReport::of(step, None, None) });
                }
            }
        }
        report.milliseconds = last.as_millisecond() - run.begun.as_millisecond();
        report.end_with(exit_of(run, &report, &ending.cause));
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
            under_way: Vec::new(),
            skipped: Vec::new(),
            checks: Vec::new(),
            stands: false,
            waits_for: None,
            lost: None,
            owed: Vec::new(),
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

    /// Whether something that was asked is not as it should be.
    pub fn has_failed_checks(&self) -> bool {
        self.checks.iter().any(CheckReport::has_failed)
    }

    /// Whether any effect stands.
    pub fn has_effects(&self) -> bool {
        !self.done.is_empty() || self.stands
    }
}

fn exit_of(run: &Run, report: &Report, cause: &Cause) -> Exit {
    let complete = matches!(run.ended, Some((RunResult::Complete, _)));
    let has_effects = report.has_effects() || !report.under_way.is_empty();
    match cause {
        Cause::Lost(_) => Exit::Leased,
        _ if !report.in_doubt.is_empty() => Exit::Doubt,
        _ if complete && report.owed.is_empty() => Exit::Done,
        _ if complete => Exit::Unfinished,
        _ if report.waits_for.is_some() => Exit::Parked,
        _ if has_effects => Exit::Unfinished,
        Cause::Stale => Exit::Stale,
        Cause::Steps => Exit::Failed,
    }
}

/// What a step that was not begun waits for: the first step before it that did not get done, and is not itself only
/// waiting.
fn waits_for(run: &Run, step: &Step) -> String {
    let change_set = &run.change_set;
    let mut open: Vec<StepId> = step.after.iter().copied().collect();
    let mut seen: BTreeSet<StepId> = BTreeSet::new();
    while let Some(before) = open.pop() {
        if run.is_done(before) || !seen.insert(before) {
            continue;
        }
        let Some(waited) = change_set.step(before) else {
            continue;
        };
        if run.steps.contains_key(&before) {
            return format!("waits for step {before} {}", waited.title());
        }
        open.extend(&waited.after);
    }
    let point = change_set.point_of_no_return.filter(|point| step.id >= *point);
    let before_point = |earlier: &&Step| point.is_some_and(|point| earlier.id < point) && !run.is_done(earlier.id);
    match (change_set.steps.iter().find(before_point), &run.parked) {
        (Some(earlier), _) => {
            let (id, title) = (earlier.id, earlier.title());
            format!("lies behind the point of no return: waits for step {id} {title}")
        }
        (None, Some(_)) => "the run waits".to_owned(),
        (None, None) => "the run was stopped before it".to_owned(),
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
            Operation::Edit(Edit::Adopt) => "migrate adopt",
            Operation::Edit(Edit::Baseline) => "migrate baseline",
            Operation::Edit(Edit::Rebless) => "migrate rebless",
            Operation::Edit(Edit::Skip) => "migrate skip",
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
        self.under_way.iter().for_each(|step| text += &line("goes on", Role::Warning, step, paint));
        self.skipped.iter().take(DONE_LINES).for_each(|step| text += &line("skipped", Role::Faint, step, paint));
        self.checks.iter().for_each(|check| text += &check.text(paint));
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
            Exit::Leased => "stopped, because the lease was lost",
            Exit::Unfinished if !self.owed.is_empty() && self.skipped.is_empty() && self.failed.is_empty() => {
                "done, but for what is owed"
            }
            Exit::Unfinished if self.has_failed_checks() && self.skipped.is_empty() => "done, but a check failed",
            Exit::Unfinished if self.has_failed_checks() => "stopped half-way, because a check failed",
            Exit::Failed if self.has_failed_checks() => "a check failed, nothing was changed",
            Exit::Unfinished => "stopped half-way",
            Exit::Doubt => "in doubt",
            Exit::Parked => "waiting",
            Exit::Stale => "the plan is stale, nothing was done",
            Exit::TakenBack => "failed, and everything was taken back",
            Exit::Drift => "complete, but planning again is not empty",
            Exit::Failed | Exit::Changes | Exit::Usage | Exit::Spec | Exit::Held | Exit::Unconfirmed => {
                "failed, nothing was changed"
            }
        }
    }

    fn tail(&self, paint: &dyn Paint) -> String {
        let mut text = String::new();
        if let Some(reason) = &self.waits_for {
            text += &format!("waits for: {}\n", harmless(reason));
        }
        if let Some(by) = &self.lost {
            text += &format!("{}\n", paint.paint(Role::Danger, &format!("the lease was lost: {}", harmless(by))));
        }
        if !self.owed.is_empty() {
            text += &format!("{}\n", paint.paint(Role::Warning, "owed, because it could not be reached:"));
            self.owed.iter().for_each(|address| text += &format!("  {}\n", harmless(address)));
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
    let when = match (step.milliseconds, &step.at, word) {
        (Some(milliseconds), ..) => format!("  {}", took(milliseconds)),
        (None, Some(at), "failed") => format!("  at {at}"),
        (None, Some(at), _) => format!("  begun {at}"),
        (None, None, _) => String::new(),
    };
    let title = harmless(&step.title);
    let mut text =
        format!("  {} {:>3} {} {title}{when}\n", paint.paint(role, &format!("{word:<8}")), step.step.0, step.action);
    if let Some(reason) = &step.waits_for {
        text += &indented(reason);
    }
    if let Some(error) = &step.error {
        text += &indented(error);
    }
    if let Some(help) = &step.help {
        text += &indented(&format!("help: {help}"));
    }
    text
}

fn took(milliseconds: i64) -> String {
    words::duration(std::time::Duration::from_millis(milliseconds.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::digest::Digest;
    use crate::ledger::Actor;
    use crate::ledger::state::Intent;
    use crate::review::text::Plain;
    use crate::world::ErrorClass;

    fn run() -> Run {
        let actor = Actor { name: "a".into(), host: "b".into(), tool: "0".into(), process: 1, commit: None };
        let change_set = Arc::new(crate::review::tests::sample());
        Run::begun((1, Timestamp::UNIX_EPOCH), 1, actor, change_set, Digest::of_bytes(b"x"))
    }

    fn intent() -> Intent {
        let (token, since) = ("t".to_owned(), Timestamp::UNIX_EPOCH);
        Intent { token, since, before: None, after: None, binding: None, repairs: false, position: Default::default() }
    }

    #[test]
    fn what_goes_on_in_the_world_waits_and_is_no_doubt() {
        let mut run = run();
        run.parked = Some("a rollout".to_owned());
        run.steps.insert(StepId(1), StepState::Intended(intent()));
        let under_way = Ending { under_way: BTreeSet::from([StepId(1)]), ..Ending::default() };
        let waiting = Report::of(&run, &State::default(), &under_way);
        assert_eq!((waiting.result, waiting.under_way.len(), waiting.in_doubt.len()), (Exit::Parked, 1, 0));
        assert!(waiting.text(&Plain).contains("goes on "), "{}", waiting.text(&Plain));
        // The same step, if nobody knows that it goes on, is a doubt, and a doubt wins.
        let doubt = Report::of(&run, &State::default(), &Ending::default());
        assert_eq!((doubt.result, doubt.in_doubt.len()), (Exit::Doubt, 1));
        let second = StepState::Intended(intent());
        run.steps.insert(StepId(2), second);
        assert_eq!(Report::of(&run, &State::default(), &under_way).result, Exit::Doubt);
    }

    #[test]
    fn a_step_that_was_not_begun_names_the_first_one_that_it_waits_for() {
        let mut run = run();
        let error = WorldError { tried: "x".into(), cause: "y".into(), help: None, class: ErrorClass::Refused };
        run.steps.insert(StepId(1), StepState::Failed { at: Timestamp::UNIX_EPOCH, error: Some(error) });
        let report = Report::of(&run, &State::default(), &Ending::default());
        assert_eq!(report.result, Exit::Failed);
        assert!(!report.skipped.is_empty());
        for skipped in &report.skipped {
            let waits_for = skipped.waits_for.as_deref().expect("a reason");
            let follows = !run.change_set.step(skipped.step).expect("a step").after.is_empty();
            assert!(!follows || waits_for.contains("step 1 "), "{waits_for}");
        }
        assert!(report.skipped.iter().any(|one| one.waits_for.as_deref().is_some_and(|why| why.contains("step 1 "))));
        assert!(report.text(&Plain).contains("at 1970-01-01T00:00:00Z"));
    }

    #[test]
    fn a_lost_lease_ends_with_its_own_code_and_says_who_has_it() {
        let ending = Ending { cause: Cause::Lost("somebody".to_owned()), ..Ending::default() };
        let report = Report::of(&run(), &State::default(), &ending);
        assert_eq!(report.exit_code, 7);
        assert!(report.text(&Plain).contains("the lease was lost: somebody"));
    }
}
