//! What becomes of a thing that both schemas have. Pure.
//!
//! Invariant: what holds rows is never made again where something else would do.

use super::schema::{Class, Item};

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its definition stays.
    Stays,
    /// It is replaced where it stands.
    Replaced,
    /// It is dropped and made again.
    Again,
    /// It is an enum that gets labels.
    Labels,
    /// It is an enum that loses labels, or changes their order.
    Rebuilt,
    /// No statement is known for it, and why.
    Unsaid(String),
}

/// What becomes of it.
pub fn fate(present: &Item, wanted: &Item) -> Fate {
    let class = present.id.class;
    if class == Class::Enum {
        return match (present.labels == wanted.labels, is_within(&present.labels, &wanted.labels)) {
            (true, _) => Fate::Stays,
            (false, true) => Fate::Labels,
            (false, false) => Fate::Rebuilt,
        };
    }
    let is_stuck =
        present.facets.iter().any(|(name, facet)| facet.takes.is_none() && !wanted.facets.contains_key(name));
    if present.body == wanted.body {
        return if is_stuck && class.is_light() { Fate::Again } else { Fate::Stays };
    }
    match (class, &present.shape, &wanted.shape) {
        (Class::Table, ..) => {
            Fate::Unsaid("how it is partitioned, inherits or is stored cannot be altered in place".to_owned())
        }
        (Class::Extension, ..) => Fate::Unsaid("it is to be in another schema".to_owned()),
        (Class::View, Some(present), Some(wanted)) if wanted.starts_with(&**present) => Fate::Replaced,
        (Class::Function | Class::Procedure, Some(present), Some(wanted)) if present == wanted => Fate::Replaced,
        _ => Fate::Again,
    }
}

/// Whether all of these labels are in those, in the same order.
fn is_within(these: &[String], those: &[String]) -> bool {
    let mut those = those.iter();
    these.iter().all(|label| those.any(|other| other == label))
}

/// The statements that give an enum the labels that it lacks.
pub fn added_labels(present: &Item, wanted: &Item) -> Vec<String> {
    let literal = |label: &str| format!("'{}'", label.replace('\'', "''"));
    let mut found = Vec::new();
    let mut before: Option<&String> = None;
    for label in &wanted.labels {
        if !present.labels.contains(label) {
            let place = match (before, present.labels.first()) {
                (Some(before), _) => format!(" AFTER {}", literal(before)),
                (None, Some(first)) => format!(" BEFORE {}", literal(first)),
                (None, None) => String::new(),
            };
            found.push(format!("ALTER TYPE {} ADD VALUE {}{place}", wanted.id.name, literal(label)));
        }
        before = Some(label);
    }
    found
}
