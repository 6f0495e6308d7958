//! The objects of a schema: those that its applied migrations make beside those that are there. Pure.
//!
//! Invariant: an object is told by its sort and name, with every fact that differs.

use super::{Area, Departure, What};
use crate::address::Address;
use crate::review::difference::{Difference, Shown};
use crate::world::{FactChange, SchemaChange, SchemaDifference};

/// The objects that are not as the migrations make them.
pub fn departures(address: &Address, differences: &[SchemaDifference]) -> Vec<Departure> {
    let one = |difference: &SchemaDifference| {
        let what = match &difference.change {
            SchemaChange::Missing => What::Missing,
            SchemaChange::Extra => What::Extra,
            SchemaChange::Changed { .. } | SchemaChange::Reordered { .. } => What::Changed,
        };
        let departure = Departure::out_of_band(Area::Schema, address, what).of(difference.object());
        departure.by(facts(&difference.change))
    };
    differences.iter().map(one).collect()
}

/// Fact by fact.
pub fn facts(change: &SchemaChange) -> Vec<Difference> {
    let shown = |text: &String| Shown::Known(text.as_str().into());
    let of = |change: &FactChange| Difference {
        path: change.fact.clone(),
        before: change.was.as_ref().map(shown),
        after: change.is.as_ref().map(shown),
    };
    match change {
        SchemaChange::Missing | SchemaChange::Extra => Vec::new(),
        SchemaChange::Changed { facts } => facts.iter().map(of).collect(),
        SchemaChange::Reordered { was, is } => vec![Difference {
            path: "order of columns".to_owned(),
            before: Some(shown(&was.join(", "))),
            after: Some(shown(&is.join(", "))),
        }],
    }
}
