//! Why an order is refused, in words: what runs, its range, the migration, and how to mend it. Pure.
//!
//! Invariant: every refusal names a service, a range or a phase, and a migration or a version.

use super::{By, Cause, Phases, Schema, Side, Which, migration_of};
use crate::address::Address;
use crate::diagnostic::Diagnostic;
use crate::migration::Direction;
use crate::migration::range::SchemaRange;
use crate::plan::draft::Draft;

/// Whether it is the plan that has no order, or only the way back of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reversed {
    /// The plan.
    No,
    /// The way back.
    Yes,
}

/// What is refused of one database.
pub(super) struct Refusals<'a> {
    pub phases: &'a Phases,
    pub database: &'a Address,
    pub schema: &'a Schema,
    pub drafts: &'a [Draft],
    pub found: Vec<Diagnostic>,
}

impl Refusals<'_> {
    /// What runs all the time would meet the schema that a migration leaves.
    pub fn leaves(&mut self, index: usize, range: Option<SchemaRange>, migration: usize) {
        let tenure = &self.phases.tenures[index];
        let (service, label) = (&tenure.address, self.label(migration));
        let brings = self.brings(migration);
        let works = range.map_or_else(String::new, |range| format!(" works with {range} and"));
        let (detail, help) = match tenure.which {
            Which::Unseen(why) => (
                format!("`{service}`: {why}; the revision that it replaces{works} may still run; {label}{brings}"),
                format!("let it be waited for, or apply {label} in a later plan"),
            ),
            Which::Earlier => (
                format!(
                    "an earlier revision of `{service}`{works} may still run, for its rollout did not come to a good \
                     end; {label}{brings}"
                ),
                format!("finish that rollout first, or begin a new one; apply {label} in a later plan"),
            ),
            Which::Stays | Which::Goes | Which::Planned => (
                format!("`{service}`{works} goes on running; {label}{brings}"),
                format!(
                    "roll out a revision that works with it in the same plan, leave {label} to a later one, or widen \
                     `needs_schema` if it does work with it"
                ),
            ),
        };
        let summary = "something that runs would meet a schema that it does not work with";
        self.push(index, summary, detail, help);
    }

    /// What the plan brings, or leaves as it is, does not work with the schema in the end.
    pub fn ends_outside(&mut self, index: usize, range: Option<SchemaRange>) {
        let tenure = &self.phases.tenures[index];
        let Some(range) = range else { return };
        let level = self.schema.levels.last().copied().unwrap_or_default();
        let what = if tenure.which == Which::Planned { "the planned revision of " } else { "" };
        let (service, database) = (&tenure.address, self.database);
        let detail = format!("{what}`{service}` works with {range}, and `{database}` ends with V{level}");
        let last = self.schema.chain.len().checked_sub(1).map(|last| self.label(last));
        let help = match (level < range.at_least, last) {
            (true, _) => format!("add V{} to the folder, or raise `target`, or lower `needs_schema`", range.at_least),
            (false, Some(label)) => format!("leave {label} to a later release, or widen `needs_schema`"),
            (false, None) => format!(
                "widen `needs_schema` if it works with V{level}, or take the schema back: `switchback rollback ENV --to \
                 RUN --with-schema`"
            ),
        };
        self.push(index, "a revision does not work with the schema that this plan ends with", detail, help);
    }

    /// One migration has to come before a rollout, and another, or the same, after one.
    pub fn no_order(&mut self, early: Cause, late: Cause, reversed: Reversed) {
        let [before, after] = [early, late].map(|cause| self.phases.tenures[cause.tenure].address.clone());
        let mut detail = format!("{}; but {}", self.has_to_come_before(early), self.has_to_come_after(late));
        if before != after {
            let order = match reversed {
                Reversed::No => format!("; and `{after}` comes after `{before}`"),
                Reversed::Yes => {
                    format!("; and on the way back, too, `{before}` comes after `{after}`, which it needs")
                }
            };
            detail += &order;
        }
        let summary = match reversed {
            Reversed::No => "no order of migrations and rollouts suits all that runs",
            Reversed::Yes => "the way back would have no order that suits all that runs",
        };
        self.push(early.tenure, summary, detail, self.mend(early, late));
    }

    fn mend(&self, early: Cause, late: Cause) -> String {
        let [first, second] = [early, late].map(|cause| self.label(cause.migration));
        if self.phases.is_way_back {
            return "go forward instead: apply a revision that works with both".to_owned();
        }
        match (early.by, late.by) {
            (By::Phase, By::Phase) => format!("apply in two plans: first up to below {second}, then the rest"),
            (By::Range, By::Phase) => format!(
                "what a rollout needs is `phase expand`: say so of {second}, or split {first} into one migration that \
                 adds and a later one that takes away"
            ),
            (By::Range | By::Phase, By::Range) => format!(
                "split {first} into one migration that adds (`phase expand`) and a later one that takes away (`phase \
                 contract`); or widen `needs_schema` of the revision that runs, and apply that first"
            ),
        }
    }

    fn has_to_come_before(&self, cause: Cause) -> String {
        let (label, run) = (self.label(cause.migration), self.run(cause.migration));
        let service = &self.phases.tenures[cause.tenure].address;
        match (cause.by, self.range(cause)) {
            (By::Range, Some(range)) => {
                format!("{label} has to be {run} before `{service}` is rolled out, which will work with {range}")
            }
            (By::Range | By::Phase, _) => {
                format!("{label} is `phase {}`: {run} before `{service}` is rolled out", self.phase(cause))
            }
        }
    }

    fn has_to_come_after(&self, cause: Cause) -> String {
        let (label, run) = (self.label(cause.migration), self.run(cause.migration));
        let service = &self.phases.tenures[cause.tenure].address;
        match (cause.by, self.range(cause)) {
            (By::Range, Some(range)) => {
                format!("{label} may be {run} only after the revision of `{service}` is gone that works with {range}")
            }
            (By::Range | By::Phase, _) => {
                format!("{label} is `phase {}`: {run} after the rollout of `{service}`", self.phase(cause))
            }
        }
    }

    fn range(&self, cause: Cause) -> Option<SchemaRange> {
        self.phases.tenures[cause.tenure].ranges.get(self.database).copied().flatten()
    }

    fn direction(&self, migration: usize) -> Direction {
        migration_of(&self.drafts[self.schema.chain[migration]]).map_or(Direction::Up, |(direction, _)| direction)
    }

    fn phase(&self, cause: Cause) -> &'static str {
        match (self.schema.sides[cause.migration], self.direction(cause.migration)) {
            (Some(Side::Before) | None, Direction::Up) | (Some(Side::After), Direction::Down) => "expand",
            (Some(Side::After), Direction::Up) | (Some(Side::Before) | None, Direction::Down) => "contract",
        }
    }

    fn label(&self, migration: usize) -> String {
        migration_of(&self.drafts[self.schema.chain[migration]])
            .map(|(_, migration)| migration.label())
            .unwrap_or_default()
    }

    fn run(&self, migration: usize) -> &'static str {
        match self.direction(migration) {
            Direction::Up => "run",
            Direction::Down => "taken back",
        }
    }

    fn brings(&self, migration: usize) -> String {
        let (database, level) = (self.database, self.schema.levels[migration + 1]);
        match self.direction(migration) {
            Direction::Up => format!(" brings `{database}` to V{level}"),
            Direction::Down => format!(" goes, which takes `{database}` back to V{level}"),
        }
    }

    fn push(&mut self, index: usize, summary: &str, detail: String, help: String) {
        let span = self.phases.tenures[index].span;
        self.found.push(Diagnostic::error(summary).at(span).detail(detail).help(help));
    }
}
