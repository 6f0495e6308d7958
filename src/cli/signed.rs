//! What the ledger says of signatures, as `history` and `status` show it. Pure.
//!
//! Invariant: a glass that was broken is never left out.

use serde::Serialize;

use super::report::shown_time;
use crate::approval::record::Admission;
use crate::ledger::State;
use crate::ledger::signatures::Recorded;
use crate::review::words::harmless;

/// A signature or a refusal that was given.
#[derive(Clone, Debug, Serialize)]
pub struct Word {
    /// The record.
    pub record: u64,
    /// When.
    pub time: String,
    /// `approved` or `rejected`.
    pub word: &'static str,
    /// Who.
    pub by: String,
    /// As what; nothing of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<&'static str>,
    /// Which part.
    pub part: &'static str,
    /// The digest of that.
    pub digest: String,
    /// What they had to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// That a glass was broken.
#[derive(Clone, Debug, Serialize)]
pub struct Broken {
    /// For which run.
    pub run: u64,
    /// When.
    pub time: String,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What was lost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
}

impl Word {
    /// All of them, oldest first.
    pub fn all(state: &State) -> Vec<Self> {
        let approved = state.signatures.approvals.iter().map(|one| Self {
            record: one.sequence,
            time: shown_time(one.time),
            word: "approved",
            by: one.what.by.clone(),
            class: Some(one.what.class.word()),
            part: one.what.part.word(),
            digest: one.what.digest.to_string(),
            comment: one.what.comment.clone(),
        });
        let rejected = state.signatures.rejections.iter().map(|one| Self {
            record: one.sequence,
            time: shown_time(one.time),
            word: "rejected",
            by: one.what.by.clone(),
            class: None,
            part: one.what.part.word(),
            digest: one.what.digest.to_string(),
            comment: Some(one.what.reason.clone()),
        });
        let mut all: Vec<Self> = approved.chain(rejected).collect();
        all.sort_by_key(|word| word.record);
        all
    }

    /// In one line.
    pub fn line(&self) -> String {
        let class = self.class.map(|class| format!(" as {class}")).unwrap_or_default();
        let comment = self.comment.as_ref().map(|comment| format!(": {comment}")).unwrap_or_default();
        let Self { time, word, by, part, .. } = self;
        let line = format!("{time}  {part} ({}) {word} by {by}{class}{comment}", &self.digest[..12]);
        harmless(&line).replace('\n', " ")
    }
}

impl Broken {
    /// That of a run, if it was broken for it.
    pub fn of(state: &State, run: u64) -> Option<Self> {
        let admission = state.signatures.admissions.get(&run)?;
        let begun = state.runs.iter().find(|known| known.number == run)?;
        let Recorded { time, what: Admission { change_set, broken, .. }, .. } = admission;
        let broken = broken.as_ref().filter(|_| *change_set == begun.change_set.digest())?;
        let (by, reason, lost) = (broken.by.clone(), broken.reason.clone(), broken.lost.clone());
        Some(Self { run, time: shown_time(*time), by, reason, lost })
    }

    /// All of them, oldest first.
    pub fn all(state: &State) -> Vec<Self> {
        state.runs.iter().filter_map(|run| Self::of(state, run.number)).collect()
    }

    /// In one line.
    pub fn line(&self) -> String {
        let Self { run, time, by, reason, .. } = self;
        harmless(&format!("the glass was broken for run {run} at {time} by {by}: {reason}")).replace('\n', " ")
    }
}

/// Who signed for a run, in words: `alice as dba for database`.
pub fn by_whom(state: &State, run: u64) -> Vec<String> {
    let admission = state.signatures.admissions.get(&run);
    let signed = admission.into_iter().flat_map(|admission| &admission.what.signed);
    signed.map(|one| format!("{} as {} for {}", one.by.join(", "), one.class.word(), one.part.word())).collect()
}
