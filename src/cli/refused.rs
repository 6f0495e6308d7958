//! The refusal of what rules call an error. Pure.
//!
//! Invariant: a way back is never refused: what surely breaks may be what it takes back.

use super::failure::Failure;
use crate::review::found::place;
use crate::rules::{Finding, Findings, Level, policy};
use crate::step::{ChangeSet, Operation};

/// Refuses a change set that goes forward and has errors.
///
/// # Errors
/// When a rule calls something of it an error that nobody silenced.
pub fn refuse(change_set: &ChangeSet, findings: &Findings) -> Result<(), Failure> {
    let is_policy = |rule: &str| rule.starts_with(policy::PREFIX);
    let counts = |finding: &&Finding| match change_set.operation {
        Operation::Apply => true,
        // Everything goes, so rules say nothing; the house may have something to say.
        Operation::Destroy => is_policy(&finding.rule),
        Operation::Rollback { .. } | Operation::Edit(_) => false,
    };
    let heavy = findings.found.iter().filter(|finding| finding.level == Level::Error);
    let errors: Vec<&Finding> = heavy.filter(counts).collect();
    if errors.is_empty() {
        return Ok(());
    }
    let summary = match errors.iter().all(|finding| is_policy(&finding.rule)) {
        true => "a policy of the house refuses this change; nothing was done",
        false => "rules refuse this change; nothing was done",
    };
    let mut failure = Failure::failed(summary);
    for finding in &errors {
        let (rule, at) = (&finding.rule, place(&finding.place));
        let at = if at.is_empty() { at } else { format!(" at {at}") };
        failure = failure.cause(format!("{rule}{at}: {}", finding.message));
        if !finding.help.is_empty() {
            failure = failure.help(finding.help.clone());
        }
    }
    let Some(first) = errors.iter().find(|finding| !is_policy(&finding.rule)) else { return Err(failure) };
    let rule = &first.rule;
    Err(failure.help(format!(
        "where it does not count: `-- switchback: ignore {rule}: the reason` before the statement, or `rule \"{rule}\" {{ \
         level = \"warning\" }}` in the spec"
    )))
}
