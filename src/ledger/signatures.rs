//! Who may sign, who did and who refused, as the chain says. Pure.
//!
//! Invariant: rules are those of the newest apply that was carried out whole; nothing that is only planned counts here.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::record::{Actor, Body, Record, Sequence};
use crate::approval::class::Part;
use crate::approval::record::{Admission, Approval, Rejection};
use crate::approval::rules::Rules;
use crate::digest::Digest;
use crate::step::{ChangeSet, Operation};

/// What a chain says of signatures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signatures {
    /// The rules as last applied; nothing where none ever were.
    pub rules: Option<Rules>,
    /// Every signature that was given, oldest first.
    pub approvals: Vec<Recorded<Approval>>,
    /// Every refusal, oldest first.
    pub rejections: Vec<Recorded<Rejection>>,
    /// What let runs in, by their number.
    pub admissions: BTreeMap<u64, Recorded<Admission>>,
}

/// Something that a record says, with the record's own facts.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded<T> {
    /// The record.
    pub sequence: Sequence,
    /// When it was written.
    pub time: Timestamp,
    /// Who wrote it.
    pub actor: Actor,
    /// What it says.
    pub what: T,
}

impl<T: Clone> Recorded<T> {
    /// What a record says.
    pub(super) fn of(record: &Record, actor: &Actor, what: &T) -> Self {
        Self { sequence: record.sequence, time: record.time, actor: actor.clone(), what: what.clone() }
    }
}

impl Signatures {
    /// Takes one more record into account, if it is about signatures.
    pub(super) fn take(&mut self, record: &Record) {
        if let Body::Approved { actor, approval } = &record.body {
            self.approvals.push(Recorded::of(record, actor, approval));
        } else if let Body::Rejected { actor, rejection } = &record.body {
            self.rejections.push(Recorded::of(record, actor, rejection));
        } else if let Body::Admitted { run, actor, admission } = &record.body {
            self.admissions.insert(*run, Recorded::of(record, actor, admission));
        }
    }

    /// A change set was carried out whole. What only a spec says, a way back or a destruction leaves as it is.
    pub(super) fn apply(&mut self, change_set: &ChangeSet) {
        match change_set.operation {
            Operation::Apply => self.rules = change_set.approval_rules.as_deref().cloned(),
            Operation::Destroy | Operation::Rollback { .. } | Operation::Edit(_) => {}
        }
    }

    /// The newest refusal of just this, before a record.
    pub fn rejected(&self, part: Part, digest: Digest, before: Sequence) -> Option<&Recorded<Rejection>> {
        let is_it =
            |one: &&Recorded<Rejection>| one.sequence < before && one.what.part == part && one.what.digest == digest;
        self.rejections.iter().rev().find(is_it)
    }
}
