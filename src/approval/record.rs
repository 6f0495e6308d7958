//! What the ledger keeps of approvals. Plain data.
//!
//! Invariant: a signature is kept as it was made, so that anybody can check it with `ssh-keygen -Y verify`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::class::{Class, Part};
use crate::digest::Digest;

/// A signature, as it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who gave it, as the rules of that day called them. Who counts is told by the key.
    pub by: String,
    /// As what.
    pub class: Class,
    /// What it covers.
    pub part: Part,
    /// The digest of that.
    pub digest: Digest,
    /// Until when it is good, as it was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The record of the rejection that it comes after, as it was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<u64>,
    /// The signature in OpenSSH's armour.
    pub signature: String,
    /// What they had to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A refusal of one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Who refuses.
    pub by: String,
    /// What.
    pub part: Part,
    /// The digest of that.
    pub digest: Digest,
    /// Why.
    pub reason: String,
}

/// What let a run in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// The change set that was let in.
    pub change_set: Digest,
    /// What was signed, and by whom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed: Vec<Signed>,
    /// Whoever broke the glass, and why, where signatures were missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<BrokenGlass>,
}

/// A part that was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// As what.
    pub class: Class,
    /// The part.
    pub part: Part,
    /// Its digest.
    pub digest: Digest,
    /// By whom.
    pub by: Vec<String>,
}

/// Something was done without the signatures that it needs, by somebody who may do so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenGlass {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What was lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
}
