//! Where among a database's migrations each step may stand, and where it does. Pure.
//!
//! Invariant: a place is a number of migrations that are done before; no step stands before one that it waits for, so
//! that what is added here never makes a circle. The cost is linear in steps and waits.

use std::collections::{BTreeSet, VecDeque};

use super::refusal::{Refusals, Reversed};
use super::{By, Cause, Phases, Schema, Side, Tenure, Which};
use crate::address::Address;
use crate::diagnostic::Diagnostic;
use crate::migration::range::SchemaRange;
use crate::plan::draft::{Draft, brings, is_migration, is_only_recorded};
use crate::step::Action;

/// A lowest or highest place, and why.
#[derive(Clone, Copy, Debug)]
struct Bound {
    at: usize,
    cause: Option<Cause>,
}

/// The places of one database.
struct Places<'a> {
    phases: &'a Phases,
    database: &'a Address,
    schema: &'a Schema,
    /// The lowest and the highest place that each step's own revisions ask for.
    lowest: Vec<Bound>,
    highest: Vec<Bound>,
    /// The place in the chain, from one, of each migration.
    chain: Vec<Option<usize>>,
    /// Which steps stand as early as they may.
    early: BTreeSet<usize>,
    /// What more than one revision runs of while the plan is carried out.
    overlapping: BTreeSet<&'a Address>,
}

/// Lets steps and migrations wait for each other.
pub(super) fn arrange(phases: &Phases, database: &Address, drafts: &mut [Draft]) -> Vec<Diagnostic> {
    let Some(schema) = phases.schemas.get(database) else {
        return Vec::new();
    };
    let mut refusals = Refusals { phases, database, schema, drafts, found: Vec::new() };
    let mut places = Places::new(phases, database, schema, drafts.len());
    for index in 0..phases.tenures.len() {
        places.bound(index, &mut refusals);
    }
    let order = topological(drafts);
    let (lowest, highest) = places.spread(drafts, &order);
    let mut told = BTreeSet::new();
    for step in &order {
        let (lowest, highest) = (lowest[*step], highest[*step]);
        if let (Some(early), Some(late)) = (lowest.cause, highest.cause)
            && lowest.at > highest.at
            && told.insert((early, late))
        {
            refusals.no_order(early, late, Reversed::No);
        }
    }
    if !phases.is_way_back && told.is_empty() {
        places.judge_way_back(drafts, &order, &mut refusals);
    }
    let found = refusals.found;
    if found.is_empty() {
        places.wait(drafts, &order, &lowest);
    }
    found
}

impl<'a> Places<'a> {
    fn new(phases: &'a Phases, database: &'a Address, schema: &'a Schema, count: usize) -> Self {
        let mut chain = vec![None; count];
        for (place, step) in (1..).zip(&schema.chain) {
            chain[*step] = Some(place);
        }
        let lowest = vec![Bound { at: 0, cause: None }; count];
        let highest = vec![Bound { at: schema.chain.len(), cause: None }; count];
        let mut seen = BTreeSet::new();
        let addresses = phases.tenures.iter().map(|tenure| &tenure.address);
        let overlapping = addresses.filter(|address| !seen.insert(*address)).collect();
        Self { phases, database, schema, lowest, highest, chain, early: BTreeSet::new(), overlapping }
    }

    /// What one revision asks for.
    fn bound(&mut self, index: usize, refusals: &mut Refusals<'_>) {
        let tenure = &self.phases.tenures[index];
        let Some(range) = tenure.ranges.get(self.database) else {
            return;
        };
        let last = self.schema.chain.len();
        if tenure.from.is_none() && tenure.until.is_none() {
            return self.throughout(index, *range, refusals);
        }
        if let Some(step) = tenure.until {
            // What is outside already is not kept there.
            if let Some(after) = self.leaves(*range).filter(|_| self.is_inside(*range, 0)) {
                let cause = Cause { tenure: index, migration: after, by: By::Range };
                lower(&mut self.highest[step], after, cause);
            }
        }
        if let Some(step) = tenure.from {
            if !self.is_inside(*range, last) {
                return refusals.ends_outside(index, *range);
            }
            let before = (0..last).rev().find(|place| !self.is_inside(*range, *place));
            if let Some(before) = before {
                let cause = Cause { tenure: index, migration: before, by: By::Range };
                raise(&mut self.lowest[step], before + 1, cause);
            }
            if self.phases.is_way_back && (range.is_some() || self.schema.sides.iter().any(Option::is_some)) {
                self.early.insert(step);
            }
        }
        self.sides(index, tenure, refusals.drafts);
    }

    /// What the phases of migrations ask of the steps of a rollout. Of several releases at once one may take away what an
    /// earlier revision used, and a later one add what the next one needs: where no earlier revision runs, nothing
    /// has to wait for the end of one.
    fn sides(&mut self, index: usize, tenure: &Tenure, drafts: &[Draft]) {
        let cause = |migration| Cause { tenure: index, migration, by: By::Phase };
        let first_after = self.schema.sides.iter().position(|side| *side == Some(Side::After));
        let last_before = self.schema.sides.iter().rposition(|side| *side == Some(Side::Before));
        let is_first = self.is_first(tenure, drafts);
        for step in [tenure.from, tenure.until].into_iter().flatten() {
            if let Some(after) = first_after.filter(|after| !is_first || last_before < Some(*after)) {
                lower(&mut self.highest[step], after, cause(after));
            }
        }
        if let (Some(step), Some(before)) = (tenure.from, last_before) {
            raise(&mut self.lowest[step], before + 1, cause(before));
        }
    }

    /// Whether it is made by this plan, and nothing that it replaces runs.
    fn is_first(&self, tenure: &Tenure, drafts: &[Draft]) -> bool {
        let is_made = tenure.from.is_some_and(|step| matches!(drafts[step].action, Action::Create { .. }));
        is_made && !self.overlapping.contains(&tenure.address)
    }

    /// What runs all the time works with every schema on the way.
    fn throughout(&self, index: usize, range: Option<SchemaRange>, refusals: &mut Refusals<'_>) {
        let last = self.schema.chain.len();
        let which = self.phases.tenures[index].which;
        if !self.is_inside(range, 0) {
            // What is neither targeted nor planned is as it was before.
            let is_planned = which == Which::Stays && self.phases.tenures[index].span.is_some();
            if is_planned && !self.is_inside(range, last) {
                refusals.ends_outside(index, range);
            }
            return;
        }
        if let Some(migration) = self.leaves(range) {
            return refusals.leaves(index, range, migration);
        }
        let after = self.schema.sides.iter().position(|side| *side == Some(Side::After));
        if let (Which::Unseen(_), Some(migration)) = (which, after) {
            refusals.leaves(index, range, migration);
        }
    }

    fn is_inside(&self, range: Option<SchemaRange>, place: usize) -> bool {
        range.is_none_or(|range| range.holds(self.schema.levels[place]))
    }

    /// The first migration after which the schema is outside of the range.
    fn leaves(&self, range: Option<SchemaRange>) -> Option<usize> {
        (0..self.schema.chain.len()).find(|migration| !self.is_inside(range, migration + 1))
    }

    /// Who waits for a step stands no earlier than it, and whom it waits for stands no later.
    fn spread(&self, drafts: &[Draft], order: &[usize]) -> (Vec<Bound>, Vec<Bound>) {
        let (mut lowest, mut highest) = (self.lowest.clone(), self.highest.clone());
        for step in order.iter().filter(|step| self.chain[**step].is_none()) {
            for before in &drafts[*step].after {
                let bound = match self.chain[*before] {
                    Some(at) => Bound { at, cause: None },
                    None => lowest[*before],
                };
                if bound.at > lowest[*step].at {
                    lowest[*step] = bound;
                }
            }
        }
        for step in order.iter().rev() {
            let bound = match self.chain[*step] {
                Some(place) => Bound { at: place - 1, cause: None },
                None => highest[*step],
            };
            for before in drafts[*step].after.iter().filter(|before| self.chain[**before].is_none()) {
                if bound.at < highest[*before].at {
                    highest[*before] = bound;
                }
            }
        }
        (lowest, highest)
    }

    /// On the way back the same rollouts come one after the other as on the way there, and the migrations the other way
    /// round: what one rollout needs before it must then not be needed by an earlier one after it.
    fn judge_way_back(&self, drafts: &[Draft], order: &[usize], refusals: &mut Refusals<'_>) {
        let is_rollout = |step: usize| matches!(drafts[step].action, Action::Update { .. });
        let mut highest = self.highest.clone();
        for step in order.iter().copied().filter(|step| is_rollout(*step)) {
            let earlier = drafts[step].after.iter().copied().filter(|before| is_rollout(*before));
            for before in earlier.filter(|before| drafts[step].needs.contains(&drafts[*before].address)) {
                if highest[before].at < highest[step].at {
                    highest[step] = highest[before];
                }
            }
            let lowest = self.lowest[step];
            if let (Some(early), Some(late), true) = (lowest.cause, highest[step].cause, lowest.at > highest[step].at) {
                refusals.no_order(early, late, Reversed::Yes);
            }
        }
    }

    /// Gives each step its place by letting it wait for the migration before it, and the next one for it where that
    /// must not come earlier.
    fn wait(&self, drafts: &mut [Draft], order: &[usize], lowest: &[Bound]) {
        let mut places: Vec<usize> = self.highest.iter().map(|bound| bound.at).collect();
        for step in order.iter().rev() {
            let step = *step;
            if self.early.contains(&step) {
                places[step] = places[step].min(lowest[step].at);
            }
            places[step] = places[step].max(lowest[step].at);
            let place = self.chain[step].map_or(places[step], |place| place - 1);
            for before in &drafts[step].after {
                places[*before] = places[*before].min(place);
            }
        }
        for step in order.iter().copied().filter(|step| self.chain[*step].is_none()) {
            let place = places[step].checked_sub(1).filter(|_| self.uses(drafts, step));
            let before = place.map(|place| self.schema.chain[place]);
            drafts[step].after.extend(before);
            // On a way back services return before anything else of the schema goes.
            let limit = if self.early.contains(&step) { places[step] } else { self.highest[step].at };
            if let Some(after) = self.schema.chain.get(limit) {
                drafts[*after].after.insert(step);
            }
        }
    }

    /// Whether a step brings something that needs the database; of a chain of migrations the first one.
    fn uses(&self, drafts: &[Draft], step: usize) -> bool {
        let draft = &drafts[step];
        let is_own = |before: &usize| is_migration(&drafts[*before]) && drafts[*before].address == draft.address;
        let follows_its_own = is_migration(draft) && draft.after.iter().any(is_own);
        let brings = brings(&draft.action) && !is_only_recorded(&draft.action);
        brings && !follows_its_own && draft.needs.contains(self.database)
    }
}

fn raise(bound: &mut Bound, at: usize, cause: Cause) {
    if at > bound.at {
        *bound = Bound { at, cause: Some(cause) };
    }
}

fn lower(bound: &mut Bound, at: usize, cause: Cause) {
    if at < bound.at {
        *bound = Bound { at, cause: Some(cause) };
    }
}

/// Each step after those that it waits for; steps that wait for each other in a circle are left out.
fn topological(drafts: &[Draft]) -> Vec<usize> {
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); drafts.len()];
    let mut waiting = vec![0_usize; drafts.len()];
    for (step, draft) in drafts.iter().enumerate() {
        waiting[step] = draft.after.len();
        draft.after.iter().for_each(|before| followers[*before].push(step));
    }
    let mut ready: VecDeque<usize> = (0..drafts.len()).filter(|step| waiting[*step] == 0).collect();
    let mut order = Vec::with_capacity(drafts.len());
    while let Some(step) = ready.pop_front() {
        order.push(step);
        for follower in &followers[step] {
            waiting[*follower] -= 1;
            if waiting[*follower] == 0 {
                ready.push_back(*follower);
            }
        }
    }
    order
}
