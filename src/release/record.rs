//! What a ledger records of releases. Pure data.
//!
//! Invariant: a text that the chain has already is not recorded again.

use serde::{Deserialize, Serialize};

use super::parcel::Texts;
use super::{Release, ReleaseId};

/// Something about a release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It was made from what a run had brought and verified.
    Made {
        /// The release.
        release: Box<Release>,
        /// Those of its texts that the chain did not have.
        texts: Texts,
        /// The run.
        run: u64,
    },
    /// It was brought here from another environment, to be applied.
    Brought {
        /// The release.
        release: Box<Release>,
        /// Those of its texts that the chain did not have.
        texts: Texts,
        /// From where.
        from: String,
    },
    /// Somebody accepts it, as it runs here.
    Accepted {
        /// The release.
        release: ReleaseId,
        /// As what: `uat`.
        #[serde(rename = "as")]
        role: String,
        /// What they have to say of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A Git tag was made for it.
    Tagged {
        /// The release.
        release: ReleaseId,
        /// The tag.
        tag: String,
        /// The commit that it names.
        commit: String,
        /// The hash of the tag itself.
        object: String,
    },
}
