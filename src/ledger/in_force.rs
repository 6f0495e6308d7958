//! Which apply and which release are in force, and since when something is verified. Pure.
//!
//! Invariant: which release is in force follows from the runs alone.

use jiff::Timestamp;

use super::record::RunResult;
use super::state::{Run, State};
use crate::release::ReleaseId;
use crate::step::Operation;

impl Run {
    /// Planning again was empty: for a release it counts since when.
    pub(super) fn verify(&mut self, at: Timestamp) {
        self.verified = true;
        self.verified_at.get_or_insert(at);
    }
}

impl State {
    /// The apply whose state is that right after a run; nothing before the first one, or where everything was removed.
    fn apply_after(&self, run: u64) -> Option<&Run> {
        let mut number = run;
        loop {
            let run = self.runs.get(usize::try_from(number).ok()?.checked_sub(1)?)?;
            number = match run.change_set.operation {
                _ if matches!(run.ended, Some((RunResult::WithoutEffect, _))) => number - 1,
                Operation::Edit(_) => number - 1,
                Operation::Apply => return Some(run),
                Operation::Destroy => return None,
                Operation::Rollback { to } => to,
            };
        }
    }

    /// The apply that is in force.
    pub fn apply_in_force(&self) -> Option<&Run> {
        self.apply_after(self.runs.last()?.number)
    }

    /// The release of the state right after a run: the one that was brought, or made of what was.
    pub fn release_after(&self, run: u64) -> Option<ReleaseId> {
        self.release_of(self.apply_after(run)?)
    }

    /// The release that is in force.
    pub fn release_in_force(&self) -> Option<ReleaseId> {
        self.release_after(self.runs.last()?.number)
    }

    /// The release that a run brought, or that was made of it.
    pub fn release_of(&self, run: &Run) -> Option<ReleaseId> {
        let brought = run.change_set.release.as_ref().map(|carried| carried.id);
        brought.or_else(|| self.releases.made_of(run.number))
    }

    /// Whether a run brought a release, or it was made of that.
    pub fn ran(&self, run: &Run, id: ReleaseId) -> bool {
        let brought = run.change_set.release.as_ref().map(|carried| carried.id);
        brought.map_or_else(|| self.releases.made.iter().any(|made| made.what == (id, run.number)), |one| one == id)
    }

    /// The newest run after which a release was in force, carried out whole and not taken back since.
    pub fn run_with(&self, id: ReleaseId) -> Option<&Run> {
        let is_whole = |run: &&Run| !run.taken_back && matches!(run.ended, Some((RunResult::Complete, _)));
        let ran = |run: &Run| self.apply_after(run.number).is_some_and(|apply| self.ran(apply, id));
        self.runs.iter().rev().filter(is_whole).find(|run| ran(run))
    }

    /// The newest run that had an effect, or is to have one.
    pub fn newest_with_effect(&self) -> Option<&Run> {
        self.runs.iter().rev().find(|run| !matches!(run.ended, Some((RunResult::WithoutEffect, _))))
    }
}
