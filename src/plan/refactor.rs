//! What becomes of what is recorded: new names, what is let go, what is imported. Pure.
//!
//! Invariant: nothing here changes the world: a thing is called otherwise, forgotten or taken up as it is.

use std::collections::{BTreeMap, BTreeSet};

use super::moves::{Before, View};
use super::{Goal, Goals, Inputs, Planner};
use crate::address::Address;
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::kind::Kind;
use crate::ledger::State;
use crate::ledger::state::ResourceState;
use crate::resolve::desired::{Desired, Moved, Refactoring};
use crate::step::{Action, Birth, ChangeSet, Edit, Fingerprint, Inverse, Operation, PlannedOutput, Reason, Way};
use crate::value::{Object, Value};

/// What keeps a thing where it is although it goes from the spec or the ledger.
const LEFT: &str = "it stays where it is, and is left to others";

/// The new names of recorded things, by their recorded ones.
pub(super) fn renames(
    moved: &[Moved],
    goals: &Goals,
    state: &State,
    mistakes: &mut Diagnostics,
) -> BTreeMap<Address, Address> {
    let mut renames = BTreeMap::new();
    if moved.is_empty() {
        return renames;
    }
    let things = &state.things;
    let mut by_new: BTreeMap<Address, (&Address, Span)> = BTreeMap::new();
    for address in things.resources.keys().chain(things.databases.keys()) {
        let Some((to, span)) = follow(moved, address) else { continue };
        let other = by_new.get(&to).map(|(other, _)| (*other).clone());
        let taken = things.resources.contains_key(&to) || things.databases.contains_key(&to);
        let in_the_way = other.or_else(|| (taken && follow(moved, &to).is_none()).then(|| to.clone()));
        if let Some(other) = in_the_way {
            mistakes.push(in_the_way_mistake(address, &to, &other, span));
            continue;
        }
        let kind = things.resources.get(address).map(|resource| resource.kind.as_str());
        let wanted = goals.things.get(&to).map(|goal| goal.kind.as_str());
        if let (Some(kind), Some(wanted)) = (kind, wanted)
            && kind != wanted
        {
            mistakes.push(
                Diagnostic::error("a thing cannot be moved to another kind")
                    .at(span)
                    .detail(format!("`{address}` is a `{kind}`, and `{to}` is a `{wanted}`"))
                    .help("remove the `moved` block: the one goes and the other is made"),
            );
            continue;
        }
        by_new.insert(to.clone(), (address, span));
        renames.insert(address.clone(), to);
    }
    renames
}

fn in_the_way_mistake(address: &Address, to: &Address, other: &Address, span: Span) -> Diagnostic {
    let detail = match other == to {
        true => format!("`{address}` would become `{to}`, which the ledger has already"),
        false => format!("both `{other}` and `{address}` would become `{to}`"),
    };
    Diagnostic::error("two things would have one address")
        .at(span)
        .detail(detail)
        .help("move or forget one of them first: `switchback state ENV mv FROM TO`, `switchback state ENV rm ADDRESS`")
}

/// Where a chain of `moved` blocks leads to, and the last of them; circles have been refused.
pub fn follow(moved: &[Moved], address: &Address) -> Option<(Address, Span)> {
    let mut now = address.clone();
    let mut last = None;
    for _ in 0..=moved.len() {
        let next = moved.iter().find_map(|one| Some((one.from.renamed(&one.to, &now)?, one.span)));
        let Some((next, span)) = next.filter(|(next, _)| *next != now) else { break };
        now = next;
        last = Some(span);
    }
    last.filter(|_| now != *address).map(|span| (now, span))
}

/// What is let go, and what is imported, among the goals.
pub(super) fn apply(refactoring: &Refactoring, goals: &mut Goals, state: &State) {
    let things = &state.things;
    let kept: Vec<_> = refactoring.removed.iter().filter(|removed| !removed.destroy).collect();
    if !kept.is_empty() {
        let recorded = things.resources.keys().chain(things.databases.keys());
        let gone =
            recorded.filter(|address| !goals.things.contains_key(*address) && !goals.databases.contains_key(*address));
        let let_go = gone.filter(|address| kept.iter().any(|removed| removed.from.holds(address)));
        goals.let_go = let_go.cloned().collect();
    }
    for (address, import) in &refactoring.imports {
        if let Some(goal) = goals.things.get_mut(address) {
            goal.import = Some((import.id.clone(), Some(import.span)));
        }
    }
}

/// Plans a change of the ledger alone: new names, and what is forgotten.
pub fn edit(edit: Edit, before: &Before, forget: &BTreeSet<Address>, inputs: Inputs<'_>) -> (ChangeSet, Diagnostics) {
    let operation = Operation::Edit(edit);
    let mut view = View::of(inputs.state, inputs.observed, before, operation);
    let mut planner = Planner::new(inputs, operation, &[], None);
    (planner.drafts, planner.first) = view.take_drafts();
    planner.let_go.clone_from(forget);
    let things = &inputs.state.things;
    for address in forget {
        if let Some(recorded) = things.resources.get(address) {
            planner.forget(address, recorded);
        } else if let Some(recorded) = things.databases.get(address) {
            planner.remove_database(address, recorded);
        }
    }
    let chain = inputs.state.chain.as_ref();
    let (project, environment) =
        chain.map(|chain| (chain.project.clone(), chain.environment.clone())).unwrap_or_default();
    planner.finish(project, environment, None, outputs_stay(inputs.state), inputs.state.standing())
}

/// Plans that one thing of the spec is taken up as it is. Says as well in what the next plan would change it.
pub fn import(
    desired: &Desired,
    address: &Address,
    id: &str,
    inputs: Inputs<'_>,
) -> (ChangeSet, Vec<String>, Diagnostics) {
    let mut goals = Goals::of(desired);
    let mut goal = goals.things.remove(address).expect("only what the spec has is imported");
    goal.import = Some((id.to_owned(), None));
    let mut planner = Planner::new(inputs, Operation::Edit(Edit::Import), &[], None);
    for (other, recorded) in &inputs.state.things.resources {
        planner.planned.insert(other.clone(), crate::observe::sight::as_value(&recorded.object));
    }
    let differing = match inputs.kinds.get(&goal.kind) {
        Some(kind) => planner.import_only(address, kind, &goal),
        None => Vec::new(),
    };
    let state = inputs.state;
    let settings = &desired.environment;
    let first = crate::step::Standing { protected: settings.protected, holds: !settings.allow_up };
    let standing = if state.runs.is_empty() { first } else { state.standing() };
    let (project, environment) = (desired.project.clone(), settings.name.clone());
    let (change_set, mistakes) = planner.finish(project, environment, None, outputs_stay(state), standing);
    (change_set, differing, mistakes)
}

/// A change of the ledger alone leaves the outputs as they are.
pub(super) fn outputs_stay(state: &State) -> BTreeMap<String, PlannedOutput> {
    let outputs = state.things.outputs.iter();
    outputs.map(|(name, value)| (name.clone(), PlannedOutput { value: value.clone(), deferred: None })).collect()
}

impl Planner<'_> {
    /// What is there and nobody recorded is not overwritten.
    pub(super) fn refuse_existing(&mut self, address: &Address, kind: &Kind, goal: &Goal) {
        let identity = kind.rules.identity(&goal.object).unwrap_or_default();
        self.mistakes.push(
            Diagnostic::error("a resource exists already and is not in the ledger")
                .at(goal.span)
                .detail(format!(
                    "`{address}`: there is a {} `{identity}`, which this environment did not make",
                    kind.name
                ))
                .help(format!(
                    "take it into the ledger with an `import` block or `switchback import ENV {address} ID`, or give it \
                     another name"
                )),
        );
    }

    /// Takes a thing up as it is, and then brings it to what is wanted.
    pub(super) fn import(
        &mut self,
        address: &Address,
        kind: &Kind,
        goal: &Goal,
        wanted: Object,
        found: Option<Object>,
    ) {
        let Some((recorded, found)) = self.take_in(address, kind, goal, found) else { return };
        let at = self.drafts.len() - 1;
        self.change(address, kind, goal, wanted.clone(), &recorded, &found);
        let after = &mut self.drafts[at + 1..];
        after.iter_mut().for_each(|draft| draft.after.extend([at]));
        let replaces =
            |action: &Action| matches!(action, Action::Create { .. } | Action::Delete { .. } | Action::Retire { .. });
        if after.iter().any(|draft| replaces(&draft.action)) {
            self.drafts.truncate(at);
            let differing = self.differing(kind, &wanted, &recorded, &found, true);
            self.mistakes.push(
                Diagnostic::error("what is imported would be replaced at once")
                    .at(import_span(goal))
                    .detail(format!("`{address}`: {} cannot be changed in place", differing.join(", ")))
                    .help("write it into the spec as it is there, or import another thing"),
            );
        }
    }

    /// Takes a thing up as it is, and says in what it differs from what is wanted.
    fn import_only(&mut self, address: &Address, kind: &Kind, goal: &Goal) -> Vec<String> {
        let wanted = self.wanted(address, kind, goal);
        let found = self.inputs.observed.objects.get(address).cloned().flatten();
        match self.take_in(address, kind, goal, found) {
            Some((recorded, found)) => self.differing(kind, &wanted, &recorded, &found, false),
            None => Vec::new(),
        }
    }

    fn differing(
        &self,
        kind: &Kind,
        wanted: &Object,
        recorded: &ResourceState,
        found: &Object,
        only_immutable: bool,
    ) -> Vec<String> {
        let comparer = self.comparer(kind);
        let differing = comparer.differences(wanted, found, Some(&recorded.object));
        let named = differing.into_iter().filter(|attribute| attribute.replaces || !only_immutable);
        named.map(|attribute| format!("`{}`", attribute.name)).collect()
    }

    /// The step that takes a thing up.
    fn take_in(
        &mut self,
        address: &Address,
        kind: &Kind,
        goal: &Goal,
        found: Option<Object>,
    ) -> Option<(ResourceState, Object)> {
        let (id, span) = goal.import.clone().unwrap_or_default();
        let Some(found) = found else {
            let (summary, detail) = match self.asked(address) {
                true => ("there is nothing to import", format!("there is no {} `{id}`", kind.name)),
                false => (
                    "what is to be imported cannot be looked at yet",
                    format!("`{address}`: how its provider is reached is known only after an apply"),
                ),
            };
            let help = "see that the id, the region and the account are right, or remove the import: then it is made";
            self.mistakes.push(Diagnostic::error(summary).at(span.or(goal.span)).detail(detail).help(help));
            return None;
        };
        let mut found = secrets_like(kind, found, &goal.object);
        // What the world does not give back and nobody can change in place is taken as the spec has it.
        for attribute in kind.attributes.iter().filter(|attribute| attribute.write_only && attribute.replaces) {
            let wanted = goal.object.get(attribute.name).filter(|value| value.is_known());
            found.extend(wanted.map(|value| (attribute.name.to_owned(), value.clone())));
        }
        let object = self.seal(&found);
        let fingerprint = self.comparer(kind).fingerprint(Some(&found));
        let action = Action::Import { kind: kind.name.to_owned(), id, object };
        let inverse = Inverse::Exact { way: Way::LetGo };
        self.draft(address, goal, action, Reason::ImportAsked, inverse, fingerprint);
        let recorded = ResourceState {
            kind: kind.name.to_owned(),
            binding: goal.binding.clone(),
            object: found.clone(),
            earlier: Vec::new(),
            needs: goal.needs.clone(),
            needs_schema: goal.needs_schema.clone(),
            beside: Vec::new(),
            run: 0,
            adopted: None,
            born: Birth::default(),
            made_of: BTreeMap::new(),
        };
        Some((recorded, found))
    }

    /// Strikes a thing from the ledger; it stays where it is.
    pub(super) fn forget(&mut self, address: &Address, recorded: &ResourceState) {
        let (action, reason) = (Action::Forget { why: LEFT.to_owned() }, Reason::LetGo);
        let inverse = Inverse::Exact { way: Way::Remember };
        self.push(address, recorded, action, reason, inverse, Fingerprint::Unasked);
    }

    /// What was there before us is forgotten, once it is as it was: after all other steps of its address.
    pub(super) fn release(&mut self, address: &Address, goal: &Goal, named: usize) {
        let own = |(at, draft): (usize, &super::order::Draft)| (draft.address == *address).then_some(at);
        let after: Vec<usize> = self.drafts.iter().enumerate().skip(named).filter_map(own).collect();
        let why = "it was there before it was imported, and stays".to_owned();
        let inverse = Inverse::Exact { way: Way::Remember };
        self.draft(address, goal, Action::Forget { why }, Reason::TakenBack, inverse, Fingerprint::Unasked);
        if let Some(draft) = self.drafts.last_mut() {
            draft.after.extend(after);
        }
    }
}

fn import_span(goal: &Goal) -> Option<Span> {
    goal.import.as_ref().and_then(|(_, span)| *span).or(goal.span)
}

/// What the kind or the spec calls a secret is one.
fn secrets_like(kind: &Kind, mut found: Object, wanted: &Object) -> Object {
    for (name, value) in &mut found {
        if wanted.get(name).is_some_and(Value::is_sensitive) && !value.is_null() {
            *value = value.clone().sensitive();
        }
    }
    kind.mark_secrets(found)
}
