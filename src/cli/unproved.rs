//! What may be typed about rehearsals, and the refusal of what was not rehearsed. Pure.
//!
//! Invariant: no migration goes forward that was not rehearsed, unless a person named its step.

use std::convert::Infallible;
use std::str::FromStr;

use super::exit::Exit;
use super::failure::Failure;
use super::session::{Session, quoted};
use crate::migration::certificate::Evidence;
use crate::rehearse::{Effort, unproved};
use crate::step::{Action, ChangeSet, Operation, Step};

/// Whether migrations are rehearsed.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Rehearsing {
    /// Do not rehearse migrations
    #[arg(long)]
    pub no_rehearsal: bool,
}

impl Rehearsing {
    /// How much is asked for.
    pub fn effort(self) -> Effort {
        if self.no_rehearsal { Effort::Declined } else { Effort::Rehearse }
    }
}

/// Which steps may run although they were not rehearsed.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Accepting {
    /// Steps that may run without having been rehearsed, by number or title, or `all`
    #[arg(long, value_name = "STEP", num_args = 1.., value_delimiter = ',')]
    pub accept_unproved: Vec<Accepted>,
}

/// A step that is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// All of them.
    All,
    /// The one with this number.
    Step(u32),
    /// The one with this title, or the migration with this label.
    Titled(String),
}

impl FromStr for Accepted {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match (text, text.parse()) {
            ("all", _) => Self::All,
            (_, Ok(number)) => Self::Step(number),
            (title, Err(_)) => Self::Titled(title.to_owned()),
        })
    }
}

impl Accepted {
    fn names(&self, step: &Step, is_protected: bool) -> bool {
        match self {
            Self::All => !is_protected,
            Self::Step(number) => step.id.0 == *number,
            Self::Titled(title) => {
                let label = match &step.action {
                    Action::Migrate { migration, .. } => migration.label(),
                    _ => String::new(),
                };
                *title == step.title() || *title == label
            }
        }
    }
}

/// Refuses a change set that goes forward with what was not rehearsed, unless that is accepted. `words` are the
/// command as it was typed.
///
/// # Errors
/// When a migration was not rehearsed and its step is not named.
pub fn refuse(
    session: &Session,
    accepting: &Accepting,
    change_set: &ChangeSet,
    evidence: &Evidence,
    words: &str,
) -> Result<(), Failure> {
    match change_set.operation {
        Operation::Apply => {}
        // A way back must not depend on a server that may be missing just then; what is destroyed needs no proof.
        Operation::Destroy | Operation::Rollback { .. } | Operation::Edit(_) => return Ok(()),
    }
    let is_protected = change_set.standing.protected;
    let all = &accepting.accept_unproved;
    let is_accepted = |step: &Step| all.iter().any(|accepted| accepted.names(step, is_protected));
    let found = unproved(change_set, evidence);
    let missing: Vec<_> = found.iter().filter(|(step, _)| !is_accepted(step)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let summary = "migrations were not proved by a rehearsal; nothing was done";
    let mut failure = Failure::new(Exit::Unconfirmed, summary);
    if is_protected && all.contains(&Accepted::All) {
        let words = "is protected: `--accept-unproved all` is not taken there, each step is accepted by itself";
        failure = failure.cause(format!("{} {words}", change_set.environment));
    }
    for (step, why) in &missing {
        failure = failure.cause(format!("step {} {}: {why}", step.id, step.title()));
    }
    let ids: Vec<String> = found.iter().map(|(step, _)| step.id.to_string()).collect();
    let accept = session.command(&format!("{words} --accept-unproved {}", ids.join(" ")));
    Err(failure
        .help("`switchback rehearse --help` says what a rehearsal needs")
        .help(format!("to run them unproved all the same: {accept}")))
}

/// A word as it was typed, for commands to type next.
pub fn typed(verb: &str, subject: &str) -> String {
    format!("{verb} {}", quoted(subject))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_named_by_number_title_or_label() {
        let change_set = crate::review::tests::sample();
        let step = change_set.steps.last().unwrap();
        for (text, is_named) in [
            ("5", true),
            ("4", false),
            ("database.app V7__drop_email", true),
            ("V7__drop_email", true),
            ("V8__drop_email", false),
            ("all", true),
        ] {
            let accepted: Accepted = text.parse().unwrap();
            assert_eq!(accepted.names(step, false), is_named, "{text}");
        }
        assert!(!Accepted::All.names(step, true), "where it is protected each step is named");
    }
}
