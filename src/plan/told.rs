//! What somebody says of a database's history (`migrate adopt`, `baseline`, `rebless`, `skip`), and the way back from
//! that. Pure.
//!
//! Invariant: what is told changes the ledger alone; a way back tells again what was told before, and never takes back
//! in the database what another tool had done there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::database::{Work, draft};
use super::thing::remember;
use super::{DatabaseGoal, Inputs, Planner};
use crate::address::Address;
use crate::diagnostic::Diagnostics;
use crate::ledger::state::{DatabaseState, Gone};
use crate::migration::Migration;
use crate::migration::told::Told;
use crate::step::{Action, Birth, ChangeSet, Edit, Forgotten, Inverse, Operation, Reason, Standing, Way};
use crate::world::Binding;

/// What is recorded of a database from now on.
#[derive(Clone, Debug)]
pub struct Telling {
    /// How it is reached.
    pub binding: Binding,
    /// What it needs.
    pub needs: BTreeSet<Address>,
    /// Longest wait for one lock, in milliseconds.
    pub lock_timeout_milliseconds: u64,
    /// What is told, all of it.
    pub told: Told,
    /// What counts as applied, all of it.
    pub applied: BTreeMap<i64, Arc<Migration>>,
    /// What is new about that, for people.
    pub what: Vec<String>,
}

/// Plans that the ledger records what is told. Project, environment and standing are those of a ledger that has no run
/// yet.
pub fn tell(
    edit: Edit,
    address: &Address,
    telling: &Telling,
    (project, environment, standing): (&str, &str, Standing),
    inputs: Inputs<'_>,
) -> (ChangeSet, Diagnostics) {
    let mut planner = Planner::new(inputs, Operation::Edit(edit), &[], None);
    let work = Work {
        address,
        binding: &telling.binding,
        lock_timeout_milliseconds: telling.lock_timeout_milliseconds,
        needs: &telling.needs,
        needed: BTreeSet::new(),
        ahead: BTreeSet::new(),
    };
    let reason = Reason::Told { what: telling.what.clone() };
    planner.push_telling(&work, (&telling.told, &telling.applied), reason);
    let standing = if inputs.state.runs.is_empty() { standing } else { inputs.state.standing() };
    let outputs = super::refactor::outputs_stay(inputs.state);
    planner.finish(project.to_owned(), environment.to_owned(), None, outputs, standing)
}

impl Planner<'_> {
    fn push_telling(
        &mut self,
        work: &Work<'_>,
        (told, applied): (&Told, &BTreeMap<i64, Arc<Migration>>),
        reason: Reason,
    ) -> usize {
        let things = &self.inputs.state.things;
        let recorded = things.databases.get(work.address);
        // What is kept stays kept, as long as the migration that took it away is known.
        let mut kept = recorded.map(|recorded| recorded.kept.clone()).unwrap_or_default();
        let aside = recorded.map(|recorded| recorded.aside.clone()).unwrap_or_default();
        kept.retain(|version, _| applied.contains_key(version) || aside.contains_key(version));
        let born = match (recorded, things.gone.get(work.address)) {
            (Some(recorded), _) | (None, Some(Gone::Database(recorded) | Gone::Emptied(recorded))) => recorded.born,
            // A step's own birth is given when it is done.
            (None, Some(Gone::Deleted(_) | Gone::Forgotten(_)) | None) => Birth::default(),
        };
        let action = match applied.is_empty() && told.is_plain() {
            true => Action::Forget { why: "nothing of it is known any more".to_owned() },
            false => Action::TakeUp {
                known: Forgotten::Database {
                    applied: applied.values().map(|migration| Migration::clone(migration)).collect(),
                    lock_timeout_milliseconds: work.lock_timeout_milliseconds,
                    ahead: work.ahead.clone(),
                    kept,
                    aside: aside.values().map(|migration| Migration::clone(migration)).collect(),
                    born,
                    told: told.clone(),
                },
            },
        };
        self.drafts.push(draft(work, action, reason, Inverse::Exact { way: Way::Remember }));
        self.drafts.len() - 1
    }

    /// On a way back, what was told then is told again: what was adopted since is struck from the ledger and stays in
    /// the database, and a text that was accepted since is again the one before.
    pub(super) fn tell_as_then(
        &mut self,
        work: &Work<'_>,
        goal: &DatabaseGoal,
        applied: &BTreeMap<i64, Arc<Migration>>,
        recorded: Option<&DatabaseState>,
    ) -> Option<usize> {
        let then = goal.told.as_ref()?;
        let nothing = (BTreeMap::new(), Told::default());
        let (known, now) = recorded.map_or((&nothing.0, &nothing.1), |recorded| (&recorded.applied, &recorded.told));
        let mut all = known.clone();
        all.retain(|version, _| goal.migrations.contains_key(version) || !now.was_there(*version));
        for (version, earlier) in &goal.migrations {
            let is_there = applied.contains_key(version);
            let recorded = known.get(version).filter(|_| is_there && !earlier.is_repeatable());
            // What was accepted since may be the way back alone.
            let accepted_since = then.blessed.get(version) != now.blessed.get(version);
            let is_otherwise = recorded.is_some_and(|known| {
                known.up != earlier.up
                    || known.blessed != earlier.blessed
                    || (accepted_since && known.down != earlier.down)
            });
            let is_known_again = is_there && !known.contains_key(version) && then.was_there(*version);
            if is_otherwise || is_known_again {
                all.insert(*version, Arc::clone(earlier));
            }
        }
        let is_same = all == *known && then == now;
        (!is_same).then(|| self.push_telling(work, (then, &all), Reason::TakenBack))
    }

    /// The way back to before a database was known: what we ran is taken back, what was there before us stays.
    pub(super) fn take_all_back(&mut self, work: &Work<'_>, recorded: &DatabaseState, reason: Reason) {
        let applied: Vec<_> = recorded.applied.values().cloned().collect();
        let stays = |migration: &Arc<Migration>| {
            matches!(self.operation, Operation::Rollback { .. }) && recorded.told.was_there(migration.version)
        };
        let mut down: Vec<_> = applied.iter().rev().filter(|migration| !stays(migration)).cloned().collect();
        let history = self.inputs.observed.databases.get(work.address).and_then(Option::as_ref);
        let Ok(first) = self.first(work.address, history, &BTreeMap::new(), &mut down, &mut Vec::new()) else {
            return;
        };
        if first.is_none() && applied.is_empty() && recorded.told.is_plain() {
            return self.forget_what_is_not_there(work, reason);
        }
        if first.is_some() || (down.len() == applied.len() && recorded.told.is_plain()) {
            return self.push_migrations(work, &applied, first, (&down, &[]), None);
        }
        if down.is_empty() {
            let why = "its schema was there before, and stays; only the ledger forgets it".to_owned();
            let forget = draft(work, Action::Forget { why }, Reason::TakenBack, remember());
            self.drafts.push(forget);
            return;
        }
        let ours = down.iter().map(|migration| (migration.version, Arc::clone(migration))).collect();
        let retold = self.push_telling(work, (&Told::default(), &ours), Reason::TakenBack);
        self.push_migrations(work, &applied, None, (&down, &[]), Some(retold));
    }
}
