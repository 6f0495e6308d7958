//! What is known of a release that is about to get into an environment. Plain data.
//!
//! Invariant: whoever carries it out later finds all of it in the saved plan, the release itself included.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::gates::{Gates, Verdict};
use super::parcel::Parcel;
use crate::address::Address;
use crate::world::Parity;

/// A release on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Promotion {
    /// The release, with its texts.
    pub parcel: Parcel,
    /// When the environment before verified it.
    pub verified: Timestamp,
    /// What the environment asks of it.
    pub gates: Gates,
    /// What the gates said when it was planned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Verdict>,
    /// What will be otherwise than in the environment before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// What the environment lacks that the one before has, or the other way round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
    /// What the databases of the environment before were like when it was verified there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub databases: BTreeMap<Address, Parity>,
}
