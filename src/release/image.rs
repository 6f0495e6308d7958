//! Images of containers, and what their tags stood for when the registry was asked. Pure.
//!
//! Invariant: an image that is named by its content is never another one.

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// How the images of a change set are named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Images {
    /// By the image as it is written: the same, named by its content.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pinned: BTreeMap<String, String>,
    /// Those that stay as they are written although that is no digest, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub as_written: BTreeMap<String, String>,
}

/// Which images an environment has named by their content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pinning {
    /// Which.
    pub which: Pinned,
    /// Whether a tag that was pinned before is asked for again, so that it is followed when it moves.
    pub follow: bool,
}

/// Which images are named by their content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pinned {
    /// None: they stay as they are written.
    Off,
    /// Those of a registry that can be asked; the others stay as they are written.
    #[default]
    Ecr,
    /// All: what cannot be is refused.
    Required,
}

impl Images {
    /// Whether there is nothing to say of any.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A text of containers, with every pinned image named by its content.
    pub fn named_in(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (written, pinned) in &self.pinned {
            let Ok(pattern) = Regex::new(&pattern(written)) else { continue };
            text = pattern.replace_all(&text, replacement(pinned)).into_owned();
        }
        text
    }
}

/// What finds an image in a text of containers, in the language's regular expressions.
pub fn pattern(written: &str) -> String {
    format!("(\"image\"\\s*:\\s*)\"{}\"", regex::escape(written))
}

/// What is put in its place.
pub fn replacement(pinned: &str) -> String {
    format!("${{1}}\"{pinned}\"")
}

/// Whether an image is named by its content. A tag can be moved, so it is none.
pub fn is_digest(image: &str) -> bool {
    image.rsplit_once("@sha256:").is_some_and(|(_, digest)| digest.len() == 64)
}

/// An image with its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    /// The registry's host, with its port.
    pub host: &'a str,
    /// The repository within the registry.
    pub path: &'a str,
    /// The tag, `latest` where none is written.
    pub tag: &'a str,
}

impl<'a> Name<'a> {
    /// Reads `host/path:tag`, as far as it names a registry: nothing for `shop/web:1.0.0`, for what has a digest, and
    /// for what is no image.
    pub fn of_registry(image: &'a str) -> Option<Self> {
        let (host, rest) = image.split_once('/')?;
        let is_host = host.contains(['.', ':']) || host == "localhost";
        let (path, tag) = rest.split_once(':').unwrap_or((rest, "latest"));
        let good = |text: &str, more: &str| {
            !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
        };
        let whole = good(host, ".-:") && good(path, "._-/") && good(tag, "._-");
        (is_host && whole && !path.starts_with('/')).then_some(Self { host, path, tag })
    }

    /// The same by its content.
    pub fn at(&self, digest: &str) -> String {
        format!("{}/{}@{digest}", self.host, self.path)
    }
}

/// What is known of an image from where it was pinned before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// The very same image was.
    Same(String),
    /// The repository and tag of the same names in another registry were: the digest has to be here as well.
    Elsewhere(String),
}

/// Looks an image up among those that were pinned: as it is written, else by repository and tag in another registry.
pub fn known(pinned: &BTreeMap<String, String>, image: &str) -> Option<Known> {
    if let Some(same) = pinned.get(image) {
        return Some(Known::Same(same.clone()));
    }
    let name = Name::of_registry(image)?;
    let is_it = |other: &Name<'_>| (other.path, other.tag) == (name.path, name.tag);
    let mut digests =
        pinned.iter().filter(|(written, _)| Name::of_registry(written).is_some_and(|other| is_it(&other)));
    let digest = digests.next()?.1.rsplit_once('@')?.1;
    // Two registries that disagree on what the tag stands for say nothing of a third.
    digests.all(|(_, other)| other.ends_with(digest)).then(|| Known::Elsewhere(digest.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "111111111111.dkr.ecr.eu-central-1.amazonaws.com";

    fn digest(letter: &str) -> String {
        format!("sha256:{}", letter.repeat(64))
    }

    #[test]
    fn a_name_has_a_registry_or_is_none() {
        let image = format!("{HOST}/shop/web:1.4");
        let name = Name::of_registry(&image).unwrap();
        assert_eq!((name.host, name.path, name.tag), (HOST, "shop/web", "1.4"));
        assert_eq!(name.at(&digest("a")), format!("{HOST}/shop/web@{}", digest("a")));
        assert_eq!(Name::of_registry("localhost:5000/web").unwrap().tag, "latest");
        let pinned = format!("{HOST}/web@{}", digest("a"));
        for other in ["shop/web:1.0.0", "web", "https://example.org/x:1", "a.b/", "a.b/c d", &pinned] {
            assert_eq!(Name::of_registry(other), None, "{other}");
        }
    }

    #[test]
    fn only_the_image_of_a_container_is_named_anew() {
        let written = format!("{HOST}/web:1.4");
        let images = Images {
            pinned: BTreeMap::from([(written.clone(), format!("{HOST}/web@{}", digest("a")))]),
            ..Images::default()
        };
        let text = format!(r#"[{{"image" : "{written}", "environment": [{{"name": "X", "value": "{written}"}}]}}]"#);
        let named = images.named_in(&text);
        assert_eq!(named.matches(&written).count(), 1, "{named}");
        assert!(named.contains(&format!(r#""image" : "{HOST}/web@{}""#, digest("a"))), "{named}");
        // A dot of a pattern is a dot, and a longer tag another one.
        let others = format!(r#"[{{"image":"{HOST}/web:1x4"}},{{"image":"{written}.1"}}]"#);
        assert_eq!(images.named_in(&others), others);
    }

    #[test]
    fn the_same_tag_of_another_registry_has_the_same_content() {
        let mut pinned = BTreeMap::from([(format!("{HOST}/web:1.4"), format!("{HOST}/web@{}", digest("a")))]);
        let here = "222222222222.dkr.ecr.us-east-1.amazonaws.com/web:1.4";
        assert_eq!(known(&pinned, here), Some(Known::Elsewhere(digest("a"))));
        assert_eq!(known(&pinned, "222222222222.dkr.ecr.us-east-1.amazonaws.com/web:1.5"), None);
        assert!(matches!(known(&pinned, &format!("{HOST}/web:1.4")), Some(Known::Same(_))));
        pinned.insert("x.y/web:1.4".to_owned(), format!("x.y/web@{}", digest("b")));
        assert_eq!(known(&pinned, here), None, "two disagree");
    }
}
