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
use crate::migration::{Direction, Migration, keep};
use crate::step::{Action, Inverse, Operation, Reason};

impl Planner<'_> {
    /// What is run forward, with texts in the place of its own where what it takes away is to be kept.
    pub(super) fn keep(
        &mut self,
        address: &Address,
        goal: &DatabaseGoal,
        up: &[Arc<Migration>],
    ) -> Vec<Arc<Migration>> {
        let mut new = BTreeSet::new();
        let mut wanted = Vec::with_capacity(up.len());
        for migration in up {
            wanted.push(match migration.said.keep_seconds {
                Some(1..) if migration.kept.is_none() => self.kept(address, goal, migration, &new),
                Some(_) | None => Arc::clone(migration),
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

    /// What was kept long enough is dropped, after everything else.
    pub(super) fn push_purges(&mut self, work: &Work<'_>, recorded: Option<&DatabaseState>) {
        let (Some(recorded), Some(now), Operation::Apply) = (recorded, self.inputs.observed.now, self.operation) else {
            return;
        };
        let mut last = self.drafts.iter().rposition(|draft| draft.address == *work.address);
        for (version, keeping) in recorded.kept.iter().filter(|(_, keeping)| keeping.until <= now) {
            let Some(migration) = recorded.applied.get(version).filter(|migration| migration.kept.is_some()) else {
                continue;
            };
            if self.is_taken_back(work.address, *version) {
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

    fn is_taken_back(&self, address: &Address, version: i64) -> bool {
        self.drafts.iter().any(|draft| {
            draft.address == *address
                && matches!(&draft.action, Action::Migrate { direction: Direction::Down, migration, .. } if migration.version == version)
        })
    }
}
