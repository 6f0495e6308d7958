//! What the spec asks for and no apply has done: the plan that would be made if the world were exactly as recorded. Pure.
//!
//! Invariant: nothing that somebody changed in the world is told here, so that no difference is told twice.

use super::known::Known;
use super::{Area, Class, Departure, What};
use crate::diagnostic::Diagnostics;
use crate::kind::Kinds;
use crate::migration::certificate::Evidence;
use crate::observe::Observed;
use crate::plan::{Inputs, Options, plan};
use crate::resolve::desired::{Desired, Refactoring};
use crate::review::changes;
use crate::review::difference::{Difference, Shown};
use crate::secret::Secrets;
use crate::step::{Action, Reason, Step};
use crate::value::{Object, SealKey};

/// What a plan would be made from.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    /// The spec.
    pub desired: &'a Desired,
    /// What becomes of what is recorded.
    pub refactoring: &'a Refactoring,
    /// The table of kinds.
    pub kinds: &'a Kinds,
    /// Where secrets come from.
    pub secrets: &'a dyn Secrets,
}

/// What is asked for and not done, and what of it cannot be planned.
pub fn departures(wish: Wish<'_>, known: Known<'_>, observed: &Observed) -> (Vec<Departure>, Diagnostics) {
    let recorded = as_recorded(wish, known, observed);
    let evidence = Evidence::default();
    let inputs = Inputs {
        state: known.state,
        observed: &recorded,
        kinds: wish.kinds,
        secrets: wish.secrets,
        evidence: &evidence,
    };
    let options = Options { refactoring: wish.refactoring.clone(), ..Options::default() };
    let (change_set, diagnostics) = plan(wish.desired, inputs, &options);
    let of = |step: &Step| departure(wish.kinds, step).map(|one| one.expected(known.not_yet(&step.address)));
    (change_set.steps.iter().filter_map(of).collect(), diagnostics)
}

/// The world as the ledger has it. Secrets that are what they were are at hand, for others may be made of them; what is
/// to be imported is what it is.
fn as_recorded(wish: Wish<'_>, known: Known<'_>, observed: &Observed) -> Observed {
    let things = &known.state.things;
    let mut recorded = Observed::as_recorded(things);
    recorded.now = observed.now;
    for (address, found) in &observed.objects {
        match (recorded.objects.get_mut(address), found) {
            (Some(Some(object)), Some(found)) => unseal(object, found, known.state.seal_key()),
            (None, found) if wish.refactoring.imports.contains_key(address) => {
                recorded.objects.insert(address.clone(), found.clone());
            }
            (Some(_) | None, _) => {}
        }
    }
    recorded
}

fn unseal(recorded: &mut Object, found: &Object, key: Option<&SealKey>) {
    for (name, value) in recorded.iter_mut().filter(|(_, value)| value.holds_sealed()) {
        if let Some(found) = found.get(name).filter(|found| found.seal(key) == *value) {
            *value = found.clone();
        }
    }
}

fn departure(kinds: &Kinds, step: &Step) -> Option<Departure> {
    let (what, object, differences) = match &step.action {
        Action::Create { .. } => match step.reason {
            // The second half of what is told as a change already.
            Reason::Replaced { .. } | Reason::ReplaceAsked => return None,
            _ => (What::ToMake, None, Vec::new()),
        },
        Action::Update { .. } | Action::Revise { .. } | Action::Return { .. } => (What::ToChange, None, leaves(step)),
        Action::Delete { .. } => match &step.reason {
            Reason::Replaced { attributes } => {
                (What::ToChange, None, attributes.iter().map(|name| named(name)).collect())
            }
            _ => (What::ToRemove, None, Vec::new()),
        },
        // What goes from the world after something else took its place is no wish of its own.
        Action::Retire { .. } | Action::Purge { .. } => return None,
        Action::Migrate { direction, migration, .. } => {
            let way = match direction {
                crate::migration::Direction::Up => "migration",
                crate::migration::Direction::Down => "way back of migration",
            };
            (What::ToRun, Some(format!("{way} {}", migration.label())), Vec::new())
        }
        // Who reads now need not be who applied last.
        Action::Remember { what } if what.iter().all(|what| what == "how it is reached") => return None,
        Action::Remember { what } => (What::ToRecord, None, what.iter().map(|name| named(name)).collect()),
        Action::Forget { .. } | Action::Import { .. } | Action::TakeUp { .. } | Action::Move { .. } => {
            (What::ToRecord, None, Vec::new())
        }
    };
    let area = match step.action.kind() {
        Some(kind) => Area::of(kinds, kind),
        None if matches!(step.action, Action::Migrate { .. }) => Area::Schema,
        None => Area::Ledger,
    };
    let address = step.address.to_string();
    Some(Departure { class: Class::Declared, area, address, object, what, because: None, differences })
}

fn named(name: &str) -> Difference {
    Difference { path: name.to_owned(), before: None, after: None }
}

/// What the review of the plan shows, without what only the world computes; of what the spec itself says otherwise, also
/// what is known only after the apply.
fn leaves(step: &Step) -> Vec<Difference> {
    let asked = match &step.reason {
        Reason::Changed { attributes, .. } | Reason::Replaced { attributes } => attributes.as_slice(),
        _ => &[],
    };
    let is_asked = |one: &Difference| asked.iter().any(|name| name == one.attribute());
    let mut told = changes(step).attributes;
    told.retain(|one| one.after != Some(Shown::KnownAfterApply) || is_asked(one));
    told
}
