//! Which spec is in force, and what a rollback holds, so that automation does not redo it. Pure.
//!
//! Invariant: the spec that is in force after a rollback is never held by it.

use std::collections::BTreeSet;

use super::record::{Body, RunResult};
use super::state::{Run, State};
use crate::digest::Digest;
use crate::release::gates::Gates;
use crate::step::{OnFailedCheck, Operation, Standing};

impl State {
    /// Whether a run was begun in the midst of another, which it takes back: then the world is not whole before it is
    /// done, whether or not it has had an effect of its own.
    pub fn took_over(&self, run: u64) -> bool {
        let before = self.runs.iter().rev().find(|other| other.number < run);
        before.is_some_and(|before| matches!(before.ended, Some((RunResult::TakenBack, _))))
    }

    /// What the environment asks of those who change it, as last applied.
    pub fn standing(&self) -> Standing {
        self.runs.last().map(|run| run.change_set.standing).unwrap_or_default()
    }

    /// What a release has to wait for, and who may bring it, as last applied.
    pub fn gates(&self) -> &Gates {
        const NONE: &Gates = &Gates {
            soak_seconds: None,
            windows: Vec::new(),
            accept: BTreeSet::new(),
            tests: None,
            actors: BTreeSet::new(),
        };
        self.runs.last().map_or(NONE, |run| &run.change_set.gates)
    }

    /// The spec of the state right after a run; nothing before the first one, or where everything was removed.
    pub fn spec_after(&self, run: u64) -> Option<Digest> {
        let mut number = run;
        loop {
            let run = self.runs.get(usize::try_from(number).ok()?.checked_sub(1)?)?;
            number = match run.change_set.operation {
                // What had no effect left the state of the run before.
                _ if matches!(run.ended, Some((RunResult::WithoutEffect, _))) => number - 1,
                // What a spec wants does not change when the ledger learns names.
                Operation::Edit(_) => number - 1,
                Operation::Apply => return run.change_set.spec_digest,
                Operation::Destroy => return None,
                Operation::Rollback { to } => to,
            };
        }
    }

    /// The spec that was applied last and not taken back.
    pub fn spec_in_force(&self) -> Option<Digest> {
        self.spec_after(self.runs.last()?.number)
    }

    /// What a rollback that is complete holds and lifts: said in the same batch as its end.
    pub fn holds_of_rollback(&self, number: u64) -> Vec<Body> {
        let run = self.runs.last().filter(|run| run.number == number);
        let Some((holds, Operation::Rollback { to })) =
            run.map(|run| (run.change_set.standing.holds, run.change_set.operation))
        else {
            return Vec::new();
        };
        let in_force = self.spec_after(to);
        let mut held: Vec<Digest> = Vec::new();
        let mut bodies = Vec::new();
        for run in self.runs.iter().filter(|run| run.number > to && is_taken_back_now(run)) {
            let digest = run.change_set.spec_digest.filter(|digest| Some(*digest) != in_force);
            let digest = digest.filter(|digest| !held.contains(digest) && !self.holds.contains_key(digest));
            let failed = run.failed_checks().find(|(check, _)| check.on_failure == OnFailedCheck::Rollback);
            // What failed and goes back by itself would be done again by the next automation, wherever it is.
            if let Some(spec_digest) = digest.filter(|_| holds || failed.is_some()) {
                held.push(spec_digest);
                let reason = match failed {
                    Some((check, state)) => {
                        let (run, saw) = (run.number, &state.saw);
                        format!("{} failed in run {run}, which was taken back by run {number}: {saw}", check.address)
                    }
                    None => format!("run {} was taken back by run {number}", run.number),
                };
                bodies.push(Body::Held { spec_digest, run: Some(run.number), reason });
            }
        }
        if let Some(spec_digest) = in_force.filter(|digest| holds && self.holds.contains_key(digest)) {
            bodies.push(Body::Lifted { spec_digest, reason: format!("run {number} brought it back") });
        }
        bodies
    }
}

/// Whether a run is taken back by the rollback that is ending: it had an effect, and no other took it back before.
fn is_taken_back_now(run: &Run) -> bool {
    run.change_set.operation == Operation::Apply
        && !run.taken_back
        && !matches!(run.ended, Some((RunResult::WithoutEffect, _)))
}
