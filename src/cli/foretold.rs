//! What an apply of a plan would be refused for, told when it is planned. Says.
//!
//! Invariant: the same judges speak as at the apply. Gates and signatures are not told here: they may open until then,
//! and the review lists them.

use super::budget;
use super::refused;
use super::session::Session;
use super::unproved::{self, Accepting};
use crate::review::grounds::Grounds;
use crate::review::text::Role;
use crate::review::words::harmless;
use crate::step::ChangeSet;

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
    passes
}
