//! Migrations and rollouts in an order in which nothing that runs meets a schema that it does not work with. Pure.
//!
//! Invariant: while a rollout is under way the revision that goes and the one that comes both run; a schema is ordered
//! around what runs only where a phase or a range says something about it, and as everything else where none does.

mod arrange;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::{Goal, Goals, Planner};
use crate::address::Address;
use crate::diagnostic::{Diagnostic, Span};
use crate::kind::{Kind, Runs};
use crate::ledger::state::ResourceState;
use crate::migration::range::{SchemaNeeds, SchemaRange};
use crate::migration::said::Phase;
use crate::migration::{Direction, Migration};
use crate::step::{Action, Beside, Operation};
use crate::value::Object;

/// The migrations of a plan, and what runs while they do.
#[derive(Debug, Default)]
pub(super) struct Phases {
    schemas: BTreeMap<Address, Schema>,
    tenures: Vec<Tenure>,
    /// The databases of which a phase or a range says something.
    arranged: BTreeSet<Address>,
    is_way_back: bool,
}

/// One database's migrations.
#[derive(Debug)]
struct Schema {
    /// The drafts that run them, one after the other.
    chain: Vec<usize>,
    /// The level before the first, and after each of them.
    levels: Vec<i64>,
    /// On which side of a rollout each belongs, as far as that is said.
    sides: Vec<Option<Side>>,
}

/// On which side of a rollout a migration belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// One revision of something, and from when until when it runs: from before the plan until after it, unless a step
/// says otherwise.
#[derive(Debug)]
struct Tenure {
    address: Address,
    which: Which,
    /// By database; none is known where it only uses that.
    ranges: BTreeMap<Address, Option<SchemaRange>>,
    from: Option<usize>,
    until: Option<usize>,
    span: Option<Span>,
}

/// Which revision it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// The one that the plan brings.
    Planned,
    /// The one that runs and goes.
    Goes,
    /// The one that runs and stays as it is.
    Stays,
    /// The one that runs, goes, and nobody sees when.
    Unseen(&'static str),
    /// An earlier one, whose successor did not come up or did not replace it yet.
    Earlier,
}

/// Why a step may not stand earlier, or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cause {
    /// Whose revision it is, by index.
    tenure: usize,
    /// The migration that has to be on its other side, by its place in the chain.
    migration: usize,
    /// What says so.
    by: By,
}

/// What says on which side a migration has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    /// The revision's range.
    Range,
    /// The migration's phase.
    Phase,
}

impl Phases {
    /// Notes a database's migrations: what is applied before, and the drafts, in their order.
    pub fn note(
        &mut self,
        database: &Address,
        applied: impl Iterator<Item = i64>,
        chain: Vec<usize>,
        drafts: &[Draft],
    ) {
        let mut applied: BTreeSet<i64> = applied.collect();
        let level = |applied: &BTreeSet<i64>| applied.last().copied().unwrap_or(0);
        let mut levels = vec![level(&applied)];
        let mut sides = Vec::with_capacity(chain.len());
        for (direction, migration) in chain.iter().filter_map(|draft| migration_of(&drafts[*draft])) {
            match direction {
                Direction::Up => applied.insert(migration.version),
                Direction::Down => applied.remove(&migration.version),
            };
            levels.push(level(&applied));
            sides.push(side(direction, migration));
        }
        self.schemas.insert(database.clone(), Schema { chain, levels, sides });
    }

    /// Whether a database's migrations are ordered around what runs.
    pub fn arranges(&self, database: &Address) -> bool {
        self.arranged.contains(database)
    }

    /// Lets the drafts wait for each other as phases and ranges ask for; says what cannot be.
    pub fn arrange(&self, drafts: &mut [Draft]) -> Vec<Diagnostic> {
        let mut mistakes = Vec::new();
        for database in &self.arranged {
            mistakes.extend(arrange::arrange(self, database, drafts));
        }
        mistakes
    }
}

fn migration_of(draft: &Draft) -> Option<(Direction, &Migration)> {
    match &draft.action {
        Action::Migrate { direction, migration, .. } => Some((*direction, migration)),
        _ => None,
    }
}

/// A way back mirrors the way there.
fn side(direction: Direction, migration: &Migration) -> Option<Side> {
    Some(match (migration.said.phase?, direction) {
        (Phase::Expand, Direction::Up) | (Phase::Contract, Direction::Down) => Side::Before,
        (Phase::Contract, Direction::Up) | (Phase::Expand, Direction::Down) => Side::After,
    })
}

impl Planner<'_> {
    /// Notes what runs while the plan is carried out.
    pub(super) fn note_tenures(&mut self, goals: &Goals) {
        self.phases.is_way_back = matches!(self.operation, Operation::Rollback { .. });
        let recorded = &self.inputs.state.things.resources;
        let needs = goals.things.values().map(|goal| &goal.needs_schema);
        let has_ranges = needs.chain(recorded.values().map(|one| &one.needs_schema)).any(|needs| !needs.is_empty());
        let has_phases = self.phases.schemas.values().any(|schema| schema.sides.iter().any(Option::is_some));
        if !has_ranges && !has_phases {
            return;
        }
        let mut own: BTreeMap<&Address, Vec<usize>> = BTreeMap::new();
        for (index, draft) in self.drafts.iter().enumerate() {
            own.entry(&draft.address).or_default().push(index);
        }
        let own = |address: &Address| own.get(address).map_or(&[][..], Vec::as_slice);
        let mut tenures = Vec::new();
        for (address, one) in recorded {
            tenures.extend(self.of_recorded(address, one, goals.things.get(address), own(address)));
        }
        for (address, goal) in &goals.things {
            tenures.extend(self.of_goal(address, goal, own(address)));
        }
        tenures.retain(|tenure| !tenure.ranges.is_empty());
        let with_range = tenures.iter().flat_map(|tenure| &tenure.ranges).filter(|(_, range)| range.is_some());
        let mut arranged: BTreeSet<Address> = with_range.map(|(database, _)| database.clone()).collect();
        let with_phase = self.phases.schemas.iter().filter(|(_, schema)| schema.sides.iter().any(Option::is_some));
        arranged.extend(with_phase.map(|(database, _)| database.clone()));
        (self.phases.tenures, self.phases.arranged) = (tenures, arranged);
    }

    /// The revision that is recorded, and those that may run beside it.
    fn of_recorded(
        &self,
        address: &Address,
        recorded: &ResourceState,
        goal: Option<&Goal>,
        own: &[usize],
    ) -> Vec<Tenure> {
        let kind = self.inputs.kinds.get(&recorded.kind).filter(|kind| !kind.rules.has_revisions());
        let is_gone = self.inputs.observed.objects.get(address) == Some(&None);
        let Some(kind) = kind.filter(|_| !is_gone) else {
            return Vec::new();
        };
        let end = self.end(own);
        let (which, until) = match (&end, goal.map(|goal| kind.rules.runs(&goal.object))) {
            (None, _) => (Which::Stays, None),
            (Some(End::Changed(_)), Some(Runs::Longer(why))) => (Which::Unseen(why), None),
            (Some(End::Changed(step) | End::Removed(step)), _) => (Which::Goes, Some(*step)),
            // It is set aside and nothing removes it.
            (Some(End::SetAside(step)), _) => (Which::Goes, *step),
        };
        let (needs, needs_schema) = match goal.filter(|_| which == Which::Stays) {
            Some(goal) => (&goal.needs, &goal.needs_schema),
            None => (&recorded.needs, &recorded.needs_schema),
        };
        let ranges = self.ranges(kind, &recorded.object, needs, needs_schema);
        let span = goal.and_then(|goal| goal.span);
        let mut tenures = vec![Tenure { address: address.clone(), which, ranges, from: None, until, span }];
        for beside in &recorded.beside {
            if let Some(until) = self.end_of(beside, recorded, end.as_ref(), own) {
                let ranges = self.known(&beside.needs_schema);
                let which = Which::Earlier;
                tenures.push(Tenure { address: address.clone(), which, ranges, from: None, until, span });
            }
        }
        tenures
    }

    /// The step after which an earlier revision does not run any more, if there is one; nothing where the revision
    /// becomes the planned one.
    fn end_of(
        &self,
        beside: &Beside,
        recorded: &ResourceState,
        end: Option<&End>,
        own: &[usize],
    ) -> Option<Option<usize>> {
        for step in own {
            match &self.drafts[*step].action {
                Action::Retire { before, .. } if *before == beside.object => return Some(Some(*step)),
                Action::Return { after, .. } if *after == beside.object => return None,
                _ => {}
            }
        }
        let is_set_aside = recorded.earlier.contains(&beside.object);
        // A new rollout replaces whatever the service still runs.
        Some(match end.filter(|_| !is_set_aside) {
            Some(End::Changed(step) | End::Removed(step)) => Some(*step),
            Some(End::SetAside(step)) => *step,
            None => None,
        })
    }

    /// The step that ends what runs under an address.
    fn end(&self, own: &[usize]) -> Option<End> {
        own.iter().find_map(|step| match &self.drafts[*step].action {
            Action::Update { .. } => Some(End::Changed(*step)),
            Action::Delete { .. } | Action::Return { .. } => Some(End::Removed(*step)),
            Action::Revise { before, .. } => {
                let retires = |step: &&usize| matches!(&self.drafts[**step].action, Action::Retire { before: retired, .. } if retired == before);
                Some(End::SetAside(own.iter().find(retires).copied()))
            }
            Action::Create { .. }
            | Action::Retire { .. }
            | Action::Forget { .. }
            | Action::Remember { .. }
            | Action::Import { .. }
            | Action::TakeUp { .. }
            | Action::Move { .. }
            | Action::Migrate { .. }
            | Action::Purge { .. } => None,
        })
    }

    /// The revision that the plan brings, unless what runs stays.
    fn of_goal(&self, address: &Address, goal: &Goal, own: &[usize]) -> Option<Tenure> {
        let kind = self.inputs.kinds.get(&goal.kind).filter(|kind| !kind.rules.has_revisions())?;
        let mut from = None;
        let mut is_there = false;
        for step in own {
            match &self.drafts[*step].action {
                Action::Create { .. } | Action::Update { .. } | Action::Revise { .. } => from = Some(*step),
                Action::Return { .. } | Action::Import { .. } => is_there = true,
                Action::Retire { .. }
                | Action::Delete { .. }
                | Action::Forget { .. }
                | Action::Remember { .. }
                | Action::TakeUp { .. }
                | Action::Move { .. }
                | Action::Migrate { .. }
                | Action::Purge { .. } => {}
            }
        }
        if from.is_none() && !is_there {
            return None;
        }
        let which = if from.is_some() { Which::Planned } else { Which::Stays };
        let ranges = self.ranges(kind, &goal.object, &goal.needs, &goal.needs_schema);
        Some(Tenure { address: address.clone(), which, ranges, from, until: None, span: goal.span })
    }

    /// What is known of the databases that something uses.
    fn ranges(
        &self,
        kind: &Kind,
        object: &Object,
        needs: &BTreeSet<Address>,
        needs_schema: &SchemaNeeds,
    ) -> BTreeMap<Address, Option<SchemaRange>> {
        let mut ranges = self.known(needs_schema);
        if kind.rules.runs(object) != Runs::Nothing {
            for database in needs.iter().filter(|need| self.phases.schemas.contains_key(need)) {
                ranges.entry(database.clone()).or_default();
            }
        }
        ranges
    }

    fn known(&self, needs_schema: &SchemaNeeds) -> BTreeMap<Address, Option<SchemaRange>> {
        let planned = needs_schema.iter().filter(|(database, _)| self.phases.schemas.contains_key(database));
        planned.map(|(database, range)| (database.clone(), Some(*range))).collect()
    }
}

/// How what runs comes to its end.
enum End {
    /// It is changed in place by this step.
    Changed(usize),
    /// It is removed by this step.
    Removed(usize),
    /// Something new is made beside it, and this step removes it, if one does.
    SetAside(Option<usize>),
}
