//! The parts of a change set. Pure.
//!
//! Invariant: every step belongs to exactly one part, whatever it does.

use std::collections::BTreeMap;

use crate::approval::class::Part;
use crate::kind::Kinds;
use crate::step::{Action, Forgotten, Step};

/// The part that a step belongs to.
pub fn of_step(step: &Step, kinds: &Kinds) -> Part {
    match &step.action {
        Action::Migrate { .. } | Action::Purge { .. } | Action::TakeUp { known: Forgotten::Database { .. } } => {
            return Part::Database;
        }
        Action::Create { .. }
        | Action::Update { .. }
        | Action::Revise { .. }
        | Action::Return { .. }
        | Action::Retire { .. }
        | Action::Delete { .. }
        | Action::Forget { .. }
        | Action::Remember { .. }
        | Action::Import { .. }
        | Action::TakeUp { known: Forgotten::Thing { .. } }
        | Action::Move { .. } => {}
    }
    // What only the ledger is told of has no kind of its own; its address is that of a block.
    match &*step.address.word {
        "database" => Part::Database,
        "config" => Part::Configuration,
        word => {
            let kind = step.action.kind().unwrap_or(word);
            kinds.get(kind).map_or(Part::Infrastructure, |kind| kind.rules.part())
        }
    }
}

/// The parts of these steps, each with its steps in their order.
pub fn split<'a>(steps: &'a [Step], kinds: &Kinds) -> BTreeMap<Part, Vec<&'a Step>> {
    let mut parts: BTreeMap<Part, Vec<&Step>> = BTreeMap::new();
    for step in steps {
        parts.entry(of_step(step, kinds)).or_default().push(step);
    }
    parts
}
