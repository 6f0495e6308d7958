//! What an apply of a plan would be refused for, told when it is planned. Says.
//!
//! Invariant: the same judges speak as at the apply. Gates and signatures are not told here: they may open until then,
//! and the review lists them.

use super::budget;
use super::refused;
use super::session::{Resolved, Session};
use super::unproved::{self, Accepting};
use crate::ledger::State;
use crate::migration::certificate::Verdict;
use crate::migration::{Direction, Migration};
use crate::rehearse;
use crate::review::grounds::Grounds;
use crate::review::text::Role;
use crate::review::words::harmless;
use crate::step::{ChangeSet, Step};

/// Says which ways back in the folders are not those that the ledger would take: a corrected file alone changes nothing.
pub fn changed_ways_back(session: &Session, state: &State, resolved: &Resolved) {
    for (address, wanted) in &resolved.desired.databases {
        let Some(recorded) = state.things.databases.get(address) else { continue };
        for migration in &wanted.migrations {
            let known = recorded.applied.get(&migration.version);
            let is_other = known.is_some_and(|known| known.down != migration.down && known.up == migration.up);
            if is_other && migration.down.is_some() && !migration.derived {
                let (label, environment) = (migration.label(), &resolved.desired.environment.name);
                let words = format!(
                    "the way back of {label} is another one in its folder than the ledger holds, and would take"
                );
                session.terminal.say_as(Role::Warning, &words);
                let line =
                    session.command(&format!("migrate rebless {environment} {} --reason WHY", migration.version));
                session.terminal.say(&format!("  to take that of the folder: {line}"));
            }
        }
    }
}

/// Says it; gives whether an apply would get as far as the gates. `words` are the command as it would be typed.
pub fn foretell(session: &Session, change_set: &ChangeSet, grounds: &Grounds, words: &str) -> bool {
    let refusals = [
        refused::refuse(change_set, &grounds.findings),
        unproved::refuse(session, &Accepting::default(), change_set, &grounds.evidence, words),
        budget::refuse(change_set, grounds),
    ];
    let mut passes = true;
    for failure in refusals.into_iter().filter_map(Result::err) {
        passes = false;
        let why = failure.summary.trim_end_matches("; nothing was done");
        session.terminal.say_as(Role::Danger, &format!("an apply of this is refused: {}", harmless(why)));
        for line in &failure.causes {
            session.terminal.say(&format!("  {}", harmless(line)));
        }
    }
    let fails = does_not_run(change_set, grounds);
    if !fails.is_empty() {
        session.terminal.say_as(Role::Danger, "an apply of this will fail:");
        fails.iter().for_each(|line| session.terminal.say(&format!("  {}", harmless(line))));
    }
    passes && fails.is_empty()
}

/// The migrations whose way up was rehearsed and fails: where it runs nothing may be as it was there, so it is told only.
fn does_not_run(change_set: &ChangeSet, grounds: &Grounds) -> Vec<String> {
    let line = |(step, direction, migration): (&Step, Direction, &Migration)| {
        let certificate = grounds.evidence.of(&step.address, migration.version)?;
        match &certificate.verdict {
            Verdict::Fails { direction: Direction::Up, error } if direction == Direction::Up => {
                Some(format!("step {} {}: it was rehearsed and fails: {error}", step.id, step.title()))
            }
            _ => None,
        }
    };
    rehearse::migrations(change_set).filter_map(line).collect()
}
