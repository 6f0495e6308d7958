//! Releases: what was verified in one environment, ready to be planned for the next. Pure data.
//!
//! Invariant: a release never changes; whatever is in it enters its name.

pub mod gates;
pub mod image;
pub mod parcel;
pub mod promotion;
pub mod record;
pub mod tested;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::value::Value;

/// The version of the form of releases that this build writes.
pub const FORMAT: u32 = 1;

/// The name of a release: the digest of all that is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleaseId(pub Digest);

impl ReleaseId {
    /// Enough of it for people to tell two apart.
    pub fn short(&self) -> String {
        self.0.short()
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for ReleaseId {
    type Err = <Digest as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What was verified in an environment, as far as it travels to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// The version of this form.
    pub format: u32,
    /// The project.
    pub project: String,
    /// The environment that it was made from.
    pub environment: String,
    /// The spec that was verified there.
    pub spec_digest: Digest,
    /// The commit of the checkout, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// The files that travel, by path relative to the project: modules, migrations and what they read.
    pub files: BTreeMap<String, Digest>,
    /// The values of the variables that travel (`released = true`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, Value>,
    /// What its containers run.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub images: BTreeSet<Image>,
    /// What the tags of images stood for: by the image as it is written, the same by its content.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pinned: BTreeMap<String, String>,
    /// Its migrations, by database.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub migrations: BTreeMap<String, Vec<String>>,
    /// The keys of its `config` blocks, by block.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configuration: BTreeMap<String, BTreeSet<String>>,
}

impl Release {
    /// Its name.
    pub fn id(&self) -> ReleaseId {
        ReleaseId(Digest::of_json(self))
    }
}

/// A commit of the checkout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its hash.
    pub hash: String,
    /// Whether files differed from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dirty: bool,
}

impl fmt::Display for Commit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed = if self.dirty { ", with changes that are not committed" } else { "" };
        write!(formatter, "{}{changed}", self.hash.get(..12).unwrap_or(&self.hash))
    }
}

/// What one container runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Image {
    /// The thing that defines the container.
    pub address: String,
    /// The container.
    pub container: String,
    /// The image, as the container names it.
    pub image: String,
}

impl Image {
    /// Whether it is named by its content. A tag can be moved, so it is none.
    pub fn is_digest(&self) -> bool {
        image::is_digest(&self.image)
    }
}

/// What a change set says of the release that it brings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// The release.
    pub id: ReleaseId,
    /// Where it was promoted from; nothing where only the place's own values change over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Source>,
}

/// Where a release was promoted from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The environment that had verified it.
    pub environment: String,
    /// Its ledger.
    pub ledger: String,
    /// The run that was verified there.
    pub run: u64,
    /// The newest run of the environment that it goes to, when it was planned: what is brought once more, after it was
    /// taken back, is another change than the first time.
    #[serde(default)]
    pub upon: u64,
    /// The Git tag that it was named by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Why soak and windows do not count, if somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expedited: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_digest_is_taken_for_one() {
        let image = |image: &str| Image { address: String::new(), container: String::new(), image: image.to_owned() };
        assert!(image(&format!("shop/web@sha256:{}", "a".repeat(64))).is_digest());
        for other in ["shop/web", "shop/web:1.0.0", "shop/web@sha256:abc", "host:5000/shop/web"] {
            assert!(!image(other).is_digest(), "{other}");
        }
    }
}
