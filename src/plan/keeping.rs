//! Keeping what migrations take away, and dropping at last what was kept long enough. Pure.
//!
//! Invariant: what is to be kept and cannot be is a mistake, never a plain drop; a purge comes after everything else of
//! its database.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::database::{Work, draft};
use super::{DatabaseGoal, Planner};
use crate::address::Address;
use crate::diagnostic::Diagnostic;
use crate::ledger::state::DatabaseState;
use crate::migration::{Migration, keep};
use crate::step::{Action, Inverse, Operation, Reason};

impl Planner<'_> {
    /// What is run forward, with texts in the place of its own where what it takes away is to be kept.
    pub(super) fn keep(
        &mut self,
        address: &Address,
        goal: &DatabaseGoal,
        up: &[Arc<Migration>],
        recorded: Option<&DatabaseState>,
    ) -> Vec<Arc<Migration>> {
        let mut new = BTreeSet::new();
        let mut wanted = Vec::with_capacity(up.len());
        for migration in up {
            let aside = recorded.and_then(|recorded| recorded.aside.get(&migration.version));
            wanted.push(match (aside, migration.said.keep_seconds) {
                (Some(aside), _) => self.given_back(address, goal, migration, aside),
                (None, Some(1..)) if migration.kept.is_none() => self.kept(address, goal, migration, &new),
                (None, Some(_) | None) => Arc::clone(migration),
            });
            new.extend(keep::made(&migration.up));
        }
        wanted
    }

    fn kept(
        &mut self,
        address: &Address,
        goal: &DatabaseGoal,
        migration: &Arc<Migration>,
        new: &BTreeSet<String>,
    ) -> Arc<Migration> {
        match keep::kept(migration, new) {
            Ok(None) => Arc::clone(migration),
            Ok(Some(kept)) => Arc::new(Migration { kept: Some(Box::new(kept)), ..Migration::clone(migration) }),
            Err(why) => {
                self.mistakes.push(
                    Diagnostic::error("what a migration takes away cannot be kept")
                        .at(goal.span)
                        .detail(format!("`{address}`: {}: {why}", migration.label()))
                        .help(why.help()),
                );
                Arc::clone(migration)
            }
        }
    }

    /// What an earlier way back set aside comes back when its migration is run again.
    fn given_back(
        &mut self,
        address: &Address,
        goal: &DatabaseGoal,
        migration: &Arc<Migration>,
        aside: &Migration,
    ) -> Arc<Migration> {
        if aside.up != migration.up {
            let label = migration.label();
            self.mistakes.push(
                Diagnostic::error("a migration was altered while what it had added is kept")
                    .at(goal.span)
                    .detail(format!(
                        "`{address}`: {label} was taken back, what it had added is set aside, and its text is another now"
                    ))
                    .help("restore the file as it was, and put the change into a new migration; or give it another version"),
            );
            return Arc::clone(migration);
        }
        Arc::new(Migration { kept: aside.kept.clone(), ..Migration::clone(migration) })
    }

    /// A way back that would drop what was written since sets it aside, where that is to be kept, and the database stays.
    pub(super) fn keep_back(&self, migration: &Arc<Migration>, loses: bool) -> Option<Arc<Migration>> {
        let keeps = loses && !matches!(self.operation, Operation::Destroy);
        migration.said.keep_seconds.filter(|seconds| keeps && *seconds > 0)?;
        let kept = keep::kept_on_the_way_back(migration)?;
        Some(Arc::new(Migration { kept: Some(Box::new(kept)), ..Migration::clone(migration) }))
    }

    /// What was kept long enough is dropped, after everything else.
    pub(super) fn push_purges(&mut self, work: &Work<'_>, recorded: Option<&DatabaseState>) {
        let (Some(recorded), Some(now), Operation::Apply) = (recorded, self.inputs.observed.now, self.operation) else {
            return;
        };
        let mut last = self.drafts.iter().rposition(|draft| draft.address == *work.address);
        for (version, keeping) in recorded.kept.iter().filter(|(_, keeping)| keeping.until <= now) {
            let known = recorded.applied.get(version).or_else(|| recorded.aside.get(version));
            let Some(migration) = known.filter(|migration| migration.kept.is_some()) else {
                continue;
            };
            if self.is_given_back(work.address, *version) {
                continue;
            }
            let what = migration.kept.as_ref().map(|kept| kept.what.join(", ")).unwrap_or_default();
            let action = Action::Purge {
                migration: Box::new(Migration::clone(migration)),
                lock_timeout_milliseconds: work.lock_timeout_milliseconds,
            };
            let why = format!("what was kept is dropped: {what}");
            let reason = Reason::KeptLongEnough { until: keeping.until };
            let mut draft = draft(work, action, reason, Inverse::Impossible { why });
            draft.after.extend(last);
            last = Some(self.drafts.len());
            self.drafts.push(draft);
        }
    }

    /// Whether this plan runs the migration the way on which what was kept comes back.
    fn is_given_back(&self, address: &Address, version: i64) -> bool {
        self.drafts.iter().any(|draft| {
            draft.address == *address
                && matches!(&draft.action, Action::Migrate { migration, .. } if migration.version == version)
        })
    }
}
