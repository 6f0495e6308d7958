//! Which apply and which release are in force, and since when something is verified. Pure.
//!
//! Invariant: which release is in force follows from the runs alone.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::record::RunResult;
use super::signatures::Recorded;
use super::state::{Hold, Run, State};
use crate::digest::Digest;
use crate::release::ReleaseId;
use crate::release::tested::Tested;
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

    /// The release that a hold is about, as people call it: its name, and the tags that it has.
    pub fn release_held(&self, spec: &Digest, hold: &Hold) -> Option<String> {
        let is_it = |run: &&Run| match hold.run {
            Some(number) => run.number == number,
            None => run.change_set.spec_digest == Some(*spec),
        };
        let id = self.runs.iter().rev().find(is_it).and_then(|run| self.release_of(run))?;
        let names: String = self.tags_of(id).iter().map(|name| format!(", {name}")).collect();
        Some(format!("release {}{names}", id.short()))
    }

    /// The tags of a release: those that were made here, and those by which it was brought.
    pub fn tags_of(&self, id: ReleaseId) -> BTreeSet<String> {
        let tags = self.releases.tags.iter().filter(|(_, tag)| tag.what.release == id).map(|(name, _)| name.clone());
        let carried = self.runs.iter().filter_map(|run| run.change_set.release.as_ref()).filter(|one| one.id == id);
        tags.chain(carried.filter_map(|carried| carried.from.as_ref()?.tag.clone())).collect()
    }

    /// The environment that a release was brought from last.
    pub fn brought_from(&self, id: ReleaseId) -> Option<&str> {
        let carried = self.runs.iter().rev().filter_map(|run| run.change_set.release.as_ref());
        carried.filter(|one| one.id == id).find_map(|one| Some(one.from.as_ref()?.environment.as_str()))
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

    /// What tests found of the state that an apply left: the newest of that. Where that state is in force, what was found
    /// before the newest run does not count.
    pub fn tested_after(&self, run: u64) -> Option<&Recorded<Tested>> {
        let stands = self.apply_in_force().is_some_and(|apply| apply.number == run);
        let upon = self.newest_with_effect().filter(|_| stands).map(|newest| newest.number);
        let newest = self.tested.iter().rev().find(|tested| tested.what.run == run)?;
        Some(newest).filter(|tested| upon.is_none_or(|upon| tested.what.upon == upon))
    }

    /// The newest run that had an effect, or is to have one.
    pub fn newest_with_effect(&self) -> Option<&Run> {
        self.runs.iter().rev().find(|run| !matches!(run.ended, Some((RunResult::WithoutEffect, _))))
    }
}
