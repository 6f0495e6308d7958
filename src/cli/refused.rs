//! The refusal of what rules call an error. Pure.
//!
//! Invariant: a way back is never refused: what surely breaks may be what it takes back.

use super::failure::Failure;
use crate::review::found::place;
use crate::rules::{Findings, Level};
use crate::step::{ChangeSet, Operation};

/// Refuses a change set that goes forward and has errors.
///
/// # Errors
/// When a rule calls something of it an error that nobody silenced.
pub fn refuse(change_set: &ChangeSet, findings: &Findings) -> Result<(), Failure> {
    match change_set.operation {
        Operation::Apply => {}
        Operation::Destroy | Operation::Rollback { .. } | Operation::Edit(_) => return Ok(()),
    }
    let errors: Vec<_> = findings.found.iter().filter(|finding| finding.level == Level::Error).collect();
    let Some(first) = errors.first() else { return Ok(()) };
    let mut failure = Failure::failed("rules refuse this change; nothing was done");
    for finding in &errors {
        let (rule, at) = (&finding.rule, place(&finding.place));
        failure = failure.cause(format!("{rule} at {at}: {}", finding.message));
        if !finding.help.is_empty() {
            failure = failure.help(finding.help.clone());
        }
    }
    let rule = &first.rule;
    Err(failure.help(format!(
        "where it does not count: `-- switchback: ignore {rule}: the reason` before the statement, or `rule \"{rule}\" {{ \
         level = \"warning\" }}` in the spec"
    )))
}
