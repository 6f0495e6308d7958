//! Releases as a chain knows them: made here or brought here, accepted, tagged. Pure.
//!
//! Invariant: a release that is only brought changes nothing; a text is kept once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::record::{Actor, Record};
use super::signatures::Recorded;
use crate::release::parcel::{Parcel, Texts};
use crate::release::record::Event;
use crate::release::{Release, ReleaseId};

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
