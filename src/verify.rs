//! Planning again must be empty. Pure, but for the ledger's append.
//!
//! Invariant: only an empty plan is recorded as a verification.

use jiff::Timestamp;

use crate::ledger::{Body, Ledger, StoreError};
use crate::step::ChangeSet;

/// What planning again said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is left to do; it is recorded.
    Verified,
    /// These steps would still be taken, by their titles.
    Differs(Vec<String>),
}

/// Records a verification of the newest run, if the second plan is empty.
///
/// # Errors
/// When the ledger cannot be written.
pub async fn verify(ledger: &mut Ledger, again: &ChangeSet, time: Timestamp) -> Result<Verdict, StoreError> {
    if !again.steps.is_empty() {
        return Ok(Verdict::Differs(again.steps.iter().map(crate::step::Step::title).collect()));
    }
    if let Some(run) = ledger.state().runs.last().map(|run| run.number) {
        ledger.append(time, vec![Body::Verified { run, spec_digest: again.spec_digest }]).await?;
    }
    Ok(Verdict::Verified)
}
