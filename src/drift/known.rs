//! What the ledger itself knows of why something is not as it should be: a run in the middle, what a way back owes, a
//! hold. Pure.
//!
//! Invariant: only what is recorded excuses a departure; nothing is guessed.

use crate::address::Address;
use crate::digest::Digest;
use crate::ledger::{Run, State, StepState};

use super::{Area, Class, Departure, What};

/// What is known of why.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The ledger.
    pub state: &'a State,
    /// The spec that is asked for.
    pub spec: Option<Digest>,
}

impl Known<'_> {
    /// Why a thing may be otherwise than recorded: a run began to change it and did not end.
    pub fn in_the_middle(&self, address: &Address) -> Option<String> {
        let run = self.state.unfinished()?;
        let is_open = |state: &StepState| match state {
            StepState::Intended(_) | StepState::Doubted(..) | StepState::Stood(..) => true,
            StepState::Done { .. } | StepState::Failed { .. } => false,
        };
        let open = run.steps.iter().filter(|(_, state)| is_open(state)).filter_map(|(id, _)| run.change_set.step(*id));
        let step = open.into_iter().find(|step| step.address == *address)?;
        Some(format!("run {} left step {} ({}) in the middle", run.number, step.id, step.title()))
    }

    /// Why something that is asked for may not be done yet: a run is about to do it, or the spec is held.
    pub fn not_yet(&self, address: &Address) -> Option<String> {
        if let Some(run) = self.state.unfinished()
            && run.change_set.steps.iter().any(|step| step.address == *address && !run.is_done(step.id))
        {
            return Some(format!("run {} {}", run.number, standing(run)));
        }
        let hold = self.state.holds.get(&self.spec?)?;
        Some(format!("this spec is held: {}", hold.reason))
    }

    /// What the ledger itself has to say: a run that did not end, and what a way back left as it was.
    pub fn of_the_ledger(&self) -> Vec<Departure> {
        let departure = |address: String, because: String| Departure {
            class: Class::Expected,
            area: Area::Ledger,
            address,
            object: None,
            what: What::Unfinished,
            because: Some(because),
            differences: Vec::new(),
        };
        let run = self.state.unfinished().map(|run| {
            let (done, all) = (run.done_count(), run.change_set.steps.len());
            departure(format!("run {}", run.number), format!("{done} of {all} steps are done; it {}", standing(run)))
        });
        let owed = self.state.owed.iter().map(|(address, owed)| {
            let because = format!("the way back of run {} could not reach it, and left it as it was", owed.run);
            departure(address.to_string(), because)
        });
        run.into_iter().chain(owed).collect()
    }
}

fn standing(run: &Run) -> String {
    match &run.parked {
        Some(reason) => format!("is parked: {reason}"),
        None => "did not end: `resume` or `rollback`".to_owned(),
    }
}
