//! Kinds of checks: what may be given of each, and how it reaches what it asks. Pure.
//!
//! Invariant: a kind of check is described here and asked elsewhere; whoever reads the spec needs no client of anything.

use super::{Attribute, Mistake};
use crate::value::Object;

/// A kind of check: the word of the block inside of a `verify` block.
pub struct CheckKind {
    /// Its word in the spec, `http`.
    pub name: &'static str,
    /// One sentence for the reference.
    pub summary: &'static str,
    /// What may be given, in the order of the reference.
    pub attributes: Vec<Attribute>,
    /// How it reaches what it asks.
    pub reaches: Reaches,
    /// Whether asking has an effect that is wanted once: what has passed is not asked again in the same run.
    pub once: bool,
    /// The setting that wants a comparison with what was seen before the first effect, if there is one.
    pub compares: Option<&'static str>,
    /// What whoever asks must be allowed, as the access control of that world names it.
    pub rights: &'static [&'static str],
    /// Mistakes that the types alone do not show. Unknown parts count as right.
    pub mistakes: fn(&Object) -> Vec<Mistake>,
}

/// How a check reaches what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaches {
    /// By what is given.
    Directly,
    /// As migrations of a `database` block, which it names.
    Database,
    /// As the resources of this provider.
    Provider(&'static str),
}

impl CheckKind {
    /// The attribute with this name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }
}
