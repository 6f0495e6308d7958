//! `promote --auto`: whether a release gets in by itself now, or why it waits. An edge.
//!
//! Invariant: what waits is no failure; a rule that is missing or cannot be told is one.

use super::exit::Exit;
use super::failure::Failure;
use super::session::Session;
use crate::ledger::State;
use crate::promote::auto::{Said, ask};
use crate::promote::{Refused, Verified};
use crate::spec;
use crate::store::disk::DiskFiles;

/// Why nothing is promoted now; nothing when it is.
///
/// # Errors
/// When the environment has no rule, or its rule cannot be told.
pub fn waits(
    session: &Session,
    to: &str,
    (from, before, there): (&str, &State, &State),
    leaving: &Result<Verified, Refused>,
) -> Result<Option<String>, Failure> {
    let (spec, _mistakes) = spec::load(&DiskFiles, &session.need_project()?, to, &session.kinds);
    let Some(rule) = spec.settings.and_then(|block| block.auto_promote) else {
        return Err(Failure::new(Exit::Spec, format!("{to} has no rule for that; nothing was done"))
            .help(format!("write `auto_promote {{ when = … }}` into `environment \"{to}\"`")));
    };
    let verified = match leaving {
        Ok(verified) => *verified,
        Err(why) => return Ok(Some(why.to_string())),
    };
    let release = verified.id.short();
    if there.release_in_force() == Some(verified.id) {
        return Ok(Some(format!("it runs release {release} already")));
    }
    if let Some(run) = there.run_with(verified.id) {
        return Ok(Some(format!("it ran release {release} before, in run {}: a way back is a person's", run.number)));
    }
    if let Some(run) = there.unfinished() {
        return Ok(Some(format!("its run {} is unfinished", run.number)));
    }
    match ask(&rule, (from, before), verified, session.world.clock.now()) {
        Said::Holds => Ok(None),
        Said::Fails => Ok(Some(format!("its rule does not hold yet for release {release}"))),
        Said::Untold(why) => {
            Err(Failure::new(Exit::Spec, format!("the rule of {to} cannot be told: {why}; nothing was done"))
                .help("a rule gives `true` or `false`: `docs/releases.md` says what it can name"))
        }
    }
}
