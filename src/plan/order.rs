//! The order of steps: what each waits for, and the point of no return as late as can be. Pure.
//!
//! Invariant: linear in steps and needs (but for a logarithm), deterministic, and no step comes before one
//! that it waits for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

pub use super::draft::Draft;
use super::draft::{brings, is_migration, is_only_recorded};
use super::phases::Phases;
use crate::address::Address;
use crate::diagnostic::Diagnostic;
use crate::step::{Action, Step, StepId};

/// Why there is no order.
#[derive(Clone, Debug)]
pub enum NoOrder {
    /// Steps wait for each other.
    Circle(Vec<Address>),
    /// Something that runs would meet a schema that it does not work with.
    Schema(Vec<Diagnostic>),
}

/// Gives each draft its place and number.
///
/// # Errors
/// When steps wait for each other in a circle, or something that runs would meet a schema that it does not work with.
pub(super) fn order(mut drafts: Vec<Draft>, phases: &Phases) -> Result<(Vec<Step>, Option<StepId>), NoOrder> {
    wire(&mut drafts, phases);
    let refused = phases.arrange(&mut drafts);
    if !refused.is_empty() {
        return Err(NoOrder::Schema(refused));
    }
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); drafts.len()];
    for (index, draft) in drafts.iter().enumerate() {
        for before in &draft.after {
            followers[*before].push(index);
        }
    }
    let beyond = beyond(&drafts, &followers);
    let places = sort(&drafts, &followers, &beyond)?;
    let mut number = vec![StepId(0); drafts.len()];
    for (place, index) in (1..).zip(&places) {
        number[*index] = StepId(place);
    }
    let mut drafts: Vec<Option<Draft>> = drafts.into_iter().map(Some).collect();
    let steps: Vec<Step> = places
        .iter()
        .map(|index| {
            let draft = drafts[*index].take().expect("each draft has one place");
            finish(draft, number[*index], &number)
        })
        .collect();
    let point_of_no_return = steps.iter().find(|step| !step.inverse.is_reversible()).map(|step| step.id);
    Ok((steps, point_of_no_return))
}

fn finish(draft: Draft, id: StepId, number: &[StepId]) -> Step {
    Step {
        id,
        address: draft.address,
        binding: draft.binding,
        action: draft.action,
        reason: draft.reason,
        inverse: draft.inverse,
        after: draft.after.iter().map(|index| number[*index]).collect(),
        rests_on: draft.rests_on,
        found: draft.found,
        needs: draft.needs,
        needs_schema: draft.needs_schema,
        ahead: draft.ahead,
    }
}

/// The steps of each address, as indices.
struct Places {
    bringing: BTreeMap<Address, Vec<usize>>,
    removing: BTreeMap<Address, Vec<usize>>,
}

/// Adds the waits that follow from needs, but for those of schemas that are ordered around what runs.
fn wire(drafts: &mut [Draft], phases: &Phases) {
    let mut places = Places { bringing: BTreeMap::new(), removing: BTreeMap::new() };
    for (index, draft) in drafts.iter().enumerate() {
        let side = if brings(&draft.action) { &mut places.bringing } else { &mut places.removing };
        side.entry(draft.address.clone()).or_default().push(index);
    }
    let halves = first_halves(drafts, &places);
    for index in 0..drafts.len() {
        let draft = &drafts[index];
        if is_only_recorded(&draft.action) {
            continue;
        }
        let (mut waits, mut keeps_waiting) = (Vec::new(), Vec::new());
        let is_own = |before: &usize| is_migration(&drafts[*before]) && drafts[*before].address == draft.address;
        let follows_its_own = draft.after.iter().any(is_own);
        if brings(&draft.action) && !(is_migration(draft) && follows_its_own) {
            // What it will need is brought first; of a chain of migrations the last one is enough.
            let usual = draft.needs.iter().filter(|need| !phases.arranges(need));
            let brought = usual.filter_map(|need| places.bringing.get(need)?.last());
            waits.extend(brought.copied().filter(|other| *other != index));
        }
        // What it needed until now, or needs no longer, goes only after it.
        let removed = draft.needed.union(&draft.needs).filter_map(|need| places.removing.get(need));
        keeps_waiting.extend(removed.flatten().copied().filter(|other| *other != index));
        // What is brought in order to be left there does not go: it needs what will be there, as when it is brought.
        let own = |before: &usize| places.bringing.get(&draft.address).is_some_and(|own| own.contains(before));
        let is_left = matches!(draft.action, Action::Forget { .. }) && draft.after.iter().any(own);
        let will_need = brings(&draft.action) || is_left;
        drafts[index].after.extend(waits);
        for other in keeps_waiting {
            // A thing that is deleted to be made again is deleted before what will need it is brought.
            if !(will_need && halves.contains(&other)) {
                drafts[other].after.insert(index);
            }
        }
    }
}

/// The removals that are the first half of a replacement: something is made under the address afterwards.
fn first_halves(drafts: &[Draft], places: &Places) -> BTreeSet<usize> {
    let mut halves = BTreeSet::new();
    for (address, removing) in &places.removing {
        let Some(bringing) = places.bringing.get(address) else { continue };
        let goes = |index: &&usize| matches!(drafts[**index].action, Action::Delete { .. } | Action::Forget { .. });
        halves.extend(removing.iter().filter(goes).copied());
        // Earlier things go before the current one does.
        let (mut open, mut seen) = (bringing.clone(), BTreeSet::new());
        while let Some(index) = open.pop() {
            let own = drafts[index].after.iter().copied().filter(|before| removing.contains(before));
            open.extend(own.filter(|before| seen.insert(*before)));
        }
        halves.extend(seen);
    }
    halves
}

/// The steps that cannot be taken back, and all that wait for one of them.
fn beyond(drafts: &[Draft], followers: &[Vec<usize>]) -> Vec<bool> {
    let mut beyond = vec![false; drafts.len()];
    let mut open: Vec<usize> = (0..drafts.len()).filter(|index| !drafts[*index].inverse.is_reversible()).collect();
    while let Some(index) = open.pop() {
        if !std::mem::replace(&mut beyond[index], true) {
            open.extend(&followers[index]);
        }
    }
    beyond
}

/// Topological order; of the steps that could come next, those on this side of the point of no return come
/// first, then bringing before removing, then by address and version.
fn sort(drafts: &[Draft], followers: &[Vec<usize>], beyond: &[bool]) -> Result<Vec<usize>, NoOrder> {
    let rank = rank(drafts);
    let key = |index: usize| Reverse((beyond[index], !brings(&drafts[index].action), rank[index], index));
    let mut waiting: Vec<usize> = drafts.iter().map(|draft| draft.after.len()).collect();
    let mut ready: BinaryHeap<_> = (0..drafts.len()).filter(|index| waiting[*index] == 0).map(key).collect();
    let mut places = Vec::with_capacity(drafts.len());
    while let Some(Reverse((.., index))) = ready.pop() {
        places.push(index);
        for follower in &followers[index] {
            waiting[*follower] -= 1;
            if waiting[*follower] == 0 {
                ready.push(key(*follower));
            }
        }
    }
    if places.len() == drafts.len() {
        return Ok(places);
    }
    let stuck = (0..drafts.len()).filter(|index| waiting[*index] > 0);
    Err(NoOrder::Circle(stuck.map(|index| drafts[index].address.clone()).collect()))
}

/// The place of each draft by address and version, so that the order of the input means nothing.
fn rank(drafts: &[Draft]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..drafts.len()).collect();
    order.sort_by_cached_key(|index| {
        let draft = &drafts[*index];
        let version = match &draft.action {
            Action::Migrate { migration, .. } | Action::Purge { migration, .. } => migration.version,
            _ => 0,
        };
        (draft.address.clone(), version, draft.action.verb())
    });
    let mut rank = vec![0; drafts.len()];
    for (place, index) in order.into_iter().enumerate() {
        rank[index] = place;
    }
    rank
}
