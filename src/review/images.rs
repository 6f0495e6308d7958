//! What a review says of images: what their tags stand for, and which stay as they are written. Pure.
//!
//! Invariant: what is said is what was asked when it was planned; nobody is asked again.

use serde::Serialize;

use super::proof::{Line, Weight};
use crate::release::image::Images;
use crate::step::ChangeSet;

/// An image of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImageView {
    /// As it is written.
    pub image: String,
    /// The same by its content, if it is named so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<String>,
    /// Why it is not, else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl ImageView {
    /// Those that a change set changes, or brings with a release.
    pub fn all(change_set: &ChangeSet) -> Vec<Self> {
        let Images { pinned, as_written } = &change_set.images;
        let steps = if pinned.is_empty() { String::new() } else { json(change_set) };
        let brings = change_set.release.as_ref().is_some_and(|carried| carried.from.is_some());
        let pinned = pinned.iter().filter(|(_, pinned)| brings || steps.contains(pinned.as_str()));
        let pinned =
            pinned.map(|(image, pinned)| Self { image: image.clone(), pinned: Some(pinned.clone()), why: None });
        let others = as_written.iter().filter(|_| brings);
        let others = others.map(|(image, why)| Self { image: image.clone(), pinned: None, why: Some(why.clone()) });
        pinned.chain(others).collect()
    }

    /// It in a line.
    pub fn line(&self) -> Line {
        let Self { image, pinned, why } = self;
        match (pinned, why) {
            (Some(pinned), _) => {
                let digest = pinned.rsplit_once('@').map_or(&**pinned, |(_, digest)| digest);
                Line { weight: Weight::Light, text: format!("image {image} → {digest}") }
            }
            (None, why) => {
                let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
                let text = format!("image {image} is a tag, no digest: what it names may change{why}");
                Line { weight: Weight::Middle, text }
            }
        }
    }
}

fn json(change_set: &ChangeSet) -> String {
    serde_json::to_string(&change_set.steps).expect("plain data is JSON")
}
