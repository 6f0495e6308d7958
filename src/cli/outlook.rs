//! The way back as it looks now: open or not, how long it takes, and what it would lose.
//!
//! Invariant: it is planned by the same code as the rollback itself, so that both list the same steps. Losses are those
//! that it lists as well, and those that only its rehearsal can rule out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::doubt::{Doubt, Look, PATIENCE, Supposed};
use super::failure::Failure;
use super::last::{Last, last};
use super::planning;
use super::session::Session;
use crate::address::Address;
use crate::ledger::{Body, Ledger, Record, State, StepState, record};
use crate::review::Loss;
use crate::review::text::{Paint, Role};
use crate::review::words::{self, counted, harmless};
use crate::step::{Action, ChangeSet, Operation, Step, StepId};

/// What `rollback ENV --last` would do now.
#[derive(Clone, Debug, Serialize)]
pub struct WayBack {
    /// The run that is taken back.
    pub run: u64,
    /// The run whose state comes back; 0 is before the first.
    pub to: u64,
    /// Whether there is a way at all.
    pub open: bool,
    /// Why there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why_not: Vec<String>,
    /// `world`, or `ledger` when that was not asked.
    pub judged_by: &'static str,
    /// Why the world was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unasked: Option<String>,
    /// What only the world could tell, where that was not asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// How many steps it has.
    pub steps: usize,
    /// What it would lose, by the steps of the rollback.
    pub losses: Vec<Loss>,
    /// How long it takes, if each step takes as long as it took forward.
    pub milliseconds: i64,
    /// Steps of which nobody knows how long they take.
    pub unmeasured: usize,
    /// Steps in doubt, which are settled first.
    pub in_doubt: usize,
}

/// Plans the way back.
pub async fn way_back(session: &Session, ledger: &Ledger, doubts: &[Doubt], look: &Look<'_>) -> Option<WayBack> {
    let state = supposed(session, ledger, doubts);
    let Last::To { run, to } = last(&state) else {
        return None;
    };
    let is_rollback = |number: u64| {
        let found = state.runs.iter().find(|run| run.number == number);
        found.is_some_and(|run| matches!(run.change_set.operation, Operation::Rollback { .. }))
    };
    if is_rollback(run) {
        return None;
    }
    let asked = match look.unasked {
        Some(why) => Err(why.to_owned()),
        None => {
            let planned = planning::back_quietly(session, ledger, &state, to, look.secrets);
            match tokio::time::timeout(PATIENCE, planned).await {
                Ok(Ok(change_set)) => Ok(change_set),
                Ok(Err(failure)) => Err(first_words(&failure)),
                Err(_) => Err(format!("the world did not answer within {} s", PATIENCE.as_secs())),
            }
        }
    };
    let (planned, unasked) = match asked {
        Ok(change_set) => (Ok(change_set), None),
        Err(why) => (planning::back_on_paper(session, ledger, &state, to, look.secrets).await, Some(why)),
    };
    let judged_by = if unasked.is_some() { "ledger" } else { "world" };
    let in_doubt = doubts.len();
    let empty = WayBack {
        run,
        to,
        open: true,
        why_not: Vec::new(),
        judged_by,
        unasked,
        unknown: Vec::new(),
        steps: 0,
        losses: Vec::new(),
        milliseconds: 0,
        unmeasured: 0,
        in_doubt,
    };
    Some(match planned {
        Ok(change_set) => {
            let (milliseconds, unmeasured) = estimate(&state, &change_set);
            let losses = change_set.irreversible().map(Loss::of).collect();
            let unknown = if empty.unasked.is_some() { unknown(&change_set, doubts) } else { Vec::new() };
            WayBack { steps: change_set.steps.len(), losses, milliseconds, unmeasured, unknown, ..empty }
        }
        Err(failure) => {
            let mistakes = failure.diagnostics.iter().map(|one| match &one.detail {
                Some(detail) => format!("{}: {detail}", one.summary),
                None => one.summary.clone(),
            });
            WayBack { open: false, why_not: failure.causes.iter().cloned().chain(mistakes).collect(), ..empty }
        }
    })
}

/// What the ledger cannot know of a way back: what others did since, what is in a database, what became of a doubt.
fn unknown(back: &ChangeSet, doubts: &[Doubt]) -> Vec<String> {
    let is_migration = |step: &&Step| matches!(step.action, Action::Migrate { .. });
    let databases: BTreeSet<&Address> = back.steps.iter().filter(is_migration).map(|step| &step.address).collect();
    let things: BTreeSet<&Address> =
        back.steps.iter().filter(|step| !is_migration(step)).map(|step| &step.address).collect();
    let in_databases = databases.iter().map(|address| {
        format!("what is in `{address}`: the rows that its migrations would meet, and what a rehearsal proves of them")
    });
    let in_world = (!things.is_empty())
        .then(|| format!("whether others changed or removed any of {} since", counted(things.len(), "thing")));
    let in_doubt = doubts.iter().filter(|doubt| !doubt.looked);
    let in_doubt = in_doubt.map(|doubt| format!("what became of step {} {}", doubt.step, doubt.title));
    in_databases.chain(in_world).chain(in_doubt).collect()
}

fn first_words(failure: &Failure) -> String {
    let mistake = failure.diagnostics.first().map(|one| one.detail.clone().unwrap_or_else(|| one.summary.clone()));
    failure.causes.first().cloned().or(mistake).unwrap_or_else(|| failure.summary.clone())
}

/// The state as it will be once what is in doubt is settled, as far as a look can tell.
fn supposed(session: &Session, ledger: &Ledger, doubts: &[Doubt]) -> State {
    let mut state = ledger.state().clone();
    let Some(run) = state.unfinished().map(|run| run.number) else {
        return state;
    };
    for (sequence, doubt) in (ledger.last() + 1..).zip(doubts) {
        let (step, settled, calls) = (doubt.step, None, Vec::new());
        let body = match &doubt.supposed {
            Supposed::Done(object) => Body::Done { run, step, outcome: object.clone(), settled, calls },
            Supposed::NotDone => Body::Failed { run, step, error: None, settled, calls },
            Supposed::Unknown => continue,
        };
        let lease = state.lease.as_ref().map(|lease| lease.number);
        let (previous, time) = (ledger.head(), session.world.clock.now());
        let record = Record { format: record::FORMAT, sequence, previous, time, lease, body };
        let mut next = state.clone();
        // What does not fit is left in doubt; the rollback itself settles it.
        if next.fold(&record).is_ok() {
            state = next;
        }
    }
    state
}

/// How long a way back takes, in words.
pub fn expected(state: &State, back: &ChangeSet) -> String {
    let (milliseconds, unmeasured) = estimate(state, back);
    in_words(milliseconds, unmeasured)
}

fn in_words(milliseconds: i64, unmeasured: usize) -> String {
    let long = words::duration(Duration::from_millis(milliseconds.unsigned_abs()));
    match unmeasured {
        0 => format!("about {long}"),
        count => format!("about {long}, and {} that nobody has measured", counted(count, "step")),
    }
}

/// The longest chain of steps that wait for each other, each as long as it took forward the last time; and how many
/// were never measured.
fn estimate(state: &State, back: &ChangeSet) -> (i64, usize) {
    let mut took: BTreeMap<(&Address, Option<i64>), i64> = BTreeMap::new();
    for run in &state.runs {
        for step in &run.change_set.steps {
            if let Some(StepState::Done { since, until }) = run.steps.get(&step.id) {
                took.insert((&step.address, version(step)), until.as_millisecond() - since.as_millisecond());
            }
        }
    }
    let mut ends: BTreeMap<StepId, i64> = BTreeMap::new();
    let mut unmeasured = 0;
    for step in &back.steps {
        let begins = step.after.iter().filter_map(|before| ends.get(before)).max().copied().unwrap_or(0);
        let own = took.get(&(&step.address, version(step))).copied();
        unmeasured += usize::from(own.is_none());
        ends.insert(step.id, begins + own.unwrap_or(0));
    }
    (ends.into_values().max().unwrap_or(0), unmeasured)
}

fn version(step: &Step) -> Option<i64> {
    match &step.action {
        Action::Migrate { migration, .. } => Some(migration.version),
        _ => None,
    }
}

impl WayBack {
    /// As a person reads it.
    pub fn text(&self, paint: &dyn Paint) -> String {
        let (run, steps) = (self.run, counted(self.steps, "step"));
        let mut by = match &self.unasked {
            None => String::new(),
            Some(why) => format!("  judged by the ledger alone: {}\n", harmless(why)),
        };
        self.unknown.iter().for_each(|unknown| by += &format!("  not known   {}\n", harmless(unknown)));
        let doubt = match self.in_doubt {
            0 => String::new(),
            _ => "  what is in doubt is settled first\n".to_owned(),
        };
        if !self.open {
            let head = format!("run {run} cannot be taken back:");
            let mut text = format!("{}\n", paint.paint(Role::Danger, &head));
            self.why_not.iter().for_each(|why| text += &format!("  {}\n", harmless(why)));
            return text + &by;
        }
        let long = in_words(self.milliseconds, self.unmeasured);
        if self.losses.is_empty() {
            return format!("  way back    open: run {run} can be taken back ({steps}, {long})\n{by}{doubt}");
        }
        // The ledger alone can rule no loss out that depends on what is in a database.
        let would = if self.unasked.is_some() { "may" } else { "would" };
        let head = format!("the way back of run {run} is open ({steps}, {long}), and {would} lose:");
        let mut text = format!("{}\n", paint.paint(Role::Danger, &head));
        for loss in &self.losses {
            text +=
                &format!("  step {} {}: {}, {}\n", loss.step, harmless(&loss.title), loss.class, harmless(&loss.why));
        }
        text + &by + &doubt
    }
}
