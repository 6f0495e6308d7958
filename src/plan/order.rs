//! The order of steps: what each waits for, and the point of no return as late as can be. Pure.
//!
//! Invariant: linear in steps and needs (but for a logarithm), deterministic, and no step comes before one
//! that it waits for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::address::Address;
use crate::step::{Action, Fingerprint, Inverse, Reason, Step, StepId};
use crate::world::Binding;

/// A step that has no number yet.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it changes.
    pub address: Address,
    /// Where that is.
    pub binding: Binding,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// The way back.
    pub inverse: Inverse,
    /// What it rests on.
    pub rests_on: BTreeMap<Address, Fingerprint>,
    /// The thing as found.
    pub found: Fingerprint,
    /// What the thing will need.
    pub needs: BTreeSet<Address>,
    /// What the thing needed until now.
    pub needed: BTreeSet<Address>,
    /// Drafts that it waits for, beside those that follow from needs.
    pub after: BTreeSet<usize>,
}

/// Whether a step brings something or takes something away; a step can be both for what depends on it.
fn brings(action: &Action) -> bool {
    match action {
        Action::Create { .. }
        | Action::Update { .. }
        | Action::Revise { .. }
        | Action::Remember { .. }
        | Action::Import { .. }
        | Action::TakeUp { .. }
        | Action::Move { .. }
        | Action::Migrate { .. } => true,
        Action::Return { .. }
        | Action::Retire { .. }
        | Action::Delete { .. }
        | Action::Forget { .. }
        | Action::Purge { .. } => false,
    }
}

/// Why there is no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circle(pub Vec<Address>);

/// Gives each draft its place and number.
///
/// # Errors
/// When steps wait for each other in a circle.
pub fn order(mut drafts: Vec<Draft>) -> Result<(Vec<Step>, Option<StepId>), Circle> {
    wire(&mut drafts);
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
    }
}

/// The steps of each address, as indices.
struct Places {
    bringing: BTreeMap<Address, Vec<usize>>,
    removing: BTreeMap<Address, Vec<usize>>,
}

/// Adds the waits that follow from needs.
fn wire(drafts: &mut [Draft]) {
    let mut places = Places { bringing: BTreeMap::new(), removing: BTreeMap::new() };
    for (index, draft) in drafts.iter().enumerate() {
        let side = if brings(&draft.action) { &mut places.bringing } else { &mut places.removing };
        side.entry(draft.address.clone()).or_default().push(index);
    }
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
            let brought = draft.needs.iter().filter_map(|need| places.bringing.get(need)?.last());
            waits.extend(brought.copied().filter(|other| *other != index));
        }
        // What it needed until now, or needs no longer, goes only after it.
        let removed = draft.needed.union(&draft.needs).filter_map(|need| places.removing.get(need));
        keeps_waiting.extend(removed.flatten().copied().filter(|other| *other != index));
        drafts[index].after.extend(waits);
        for other in keeps_waiting {
            // A thing that is deleted to be made again is deleted before what will need it is brought.
            if !(brings(&drafts[index].action) && is_first_half(&drafts[other], &places)) {
                drafts[other].after.insert(index);
            }
        }
    }
}

/// Whether a step gives a name or takes up what is there already: it needs nobody, and others wait for it.
fn is_only_recorded(action: &Action) -> bool {
    matches!(action, Action::Import { .. } | Action::TakeUp { .. } | Action::Move { .. })
}

fn is_migration(draft: &Draft) -> bool {
    matches!(draft.action, Action::Migrate { .. } | Action::Purge { .. })
}

/// Whether a removal is the first half of a replacement: something is made under the address afterwards.
fn is_first_half(draft: &Draft, places: &Places) -> bool {
    matches!(draft.action, Action::Delete { .. } | Action::Forget { .. })
        && places.bringing.contains_key(&draft.address)
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
fn sort(drafts: &[Draft], followers: &[Vec<usize>], beyond: &[bool]) -> Result<Vec<usize>, Circle> {
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
    Err(Circle(stuck.map(|index| drafts[index].address.clone()).collect()))
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
