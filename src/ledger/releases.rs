//! Releases as a chain knows them: made here or brought here, accepted, tagged, and which one is in force. Pure.
//!
//! Invariant: which release is in force follows from the runs alone; what is only brought changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::record::{Actor, Record, RunResult};
use super::signatures::Recorded;
use super::state::{Run, State};
use crate::release::parcel::{Parcel, Texts};
use crate::release::record::Event;
use crate::release::{Release, ReleaseId};
use crate::step::Operation;

/// What a chain says of releases.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Releases {
    /// Every release that is known, by its name.
    pub known: BTreeMap<ReleaseId, Arc<Release>>,
    /// Those that were made here, oldest first, with the run that had been verified.
    pub made: Vec<Recorded<(ReleaseId, u64)>>,
    /// Acceptances, oldest first.
    pub accepted: Vec<Recorded<Acceptance>>,
    /// Git tags by name; of one name the newest counts.
    pub tags: BTreeMap<String, Recorded<Tag>>,
    texts: Texts,
}

/// That somebody accepts a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// The release.
    pub release: ReleaseId,
    /// As what.
    pub role: String,
    /// What they say of it.
    pub note: Option<String>,
}

/// A Git tag that was made for a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The release.
    pub release: ReleaseId,
    /// The commit.
    pub commit: String,
    /// The hash of the tag itself.
    pub object: String,
}

impl Releases {
    /// Takes one more record into account, if it is about releases.
    pub(super) fn take(&mut self, record: &Record, actor: &Actor, event: &Event) {
        match event {
            Event::Made { release, texts, run } => {
                let id = self.know(release, texts);
                self.made.push(Recorded::of(record, actor, &(id, *run)));
            }
            Event::Brought { release, texts, .. } => drop(self.know(release, texts)),
            Event::Accepted { release, role, note } => {
                let acceptance = Acceptance { release: *release, role: role.clone(), note: note.clone() };
                self.accepted.push(Recorded::of(record, actor, &acceptance));
            }
            Event::Tagged { release, tag, commit, object } => {
                let made = Tag { release: *release, commit: commit.clone(), object: object.clone() };
                self.tags.insert(tag.clone(), Recorded::of(record, actor, &made));
            }
        }
    }

    fn know(&mut self, release: &Release, texts: &Texts) -> ReleaseId {
        self.texts.extend(texts.iter().map(|(digest, text)| (*digest, Arc::clone(text))));
        let id = release.id();
        self.known.entry(id).or_insert_with(|| Arc::new(release.clone()));
        id
    }

    /// A release with all its texts; nothing when it is not known, or one of its texts is not.
    pub fn parcel(&self, id: ReleaseId) -> Option<Parcel> {
        let release = self.known.get(&id)?;
        let text = |digest: &crate::digest::Digest| Some((*digest, Arc::clone(self.texts.get(digest)?)));
        let texts = release.files.values().map(text).collect::<Option<Texts>>()?;
        Some(Parcel { release: (**release).clone(), texts })
    }

    /// The texts of a parcel that the chain does not have.
    pub fn missing(&self, parcel: &Parcel) -> Texts {
        let new = parcel.texts.iter().filter(|(digest, _)| !self.texts.contains_key(digest));
        new.map(|(digest, text)| (*digest, Arc::clone(text))).collect()
    }

    /// The release that was made of what a run had brought.
    pub fn made_of(&self, run: u64) -> Option<ReleaseId> {
        self.made.iter().rev().find(|made| made.what.1 == run).map(|made| made.what.0)
    }

    /// The known releases whose name begins like this, or that a tag of this name stands for.
    pub fn named(&self, name: &str) -> Vec<ReleaseId> {
        if let Some(tag) = self.tags.get(name) {
            return vec![tag.what.release];
        }
        self.known.keys().copied().filter(|id| id.to_string().starts_with(name)).collect()
    }

    /// As what a release was accepted.
    pub fn roles(&self, id: ReleaseId) -> std::collections::BTreeSet<String> {
        let of_it = self.accepted.iter().filter(|accepted| accepted.what.release == id);
        of_it.map(|accepted| accepted.what.role.clone()).collect()
    }
}

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
