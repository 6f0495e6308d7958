//! Planning again must be empty. Pure, but for the ledger's append.
//!
//! Invariant: only an empty plan is recorded as a verification.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::address::Address;
use crate::ledger::{Body, Ledger, StoreError};
use crate::step::{ChangeSet, Step};
use crate::world::Parity;

/// What planning again said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is left to do; it is recorded.
    Verified,
    /// What was just applied would be changed again: these steps, by their titles.
    Differs(Vec<String>),
    /// What was just applied is as planned; something that it did not touch differs: these steps, by their titles.
    Elsewhere(Vec<String>),
}

/// Records a verification of the newest run, if the second plan is empty, and what the databases were like then.
///
/// # Errors
/// When the ledger cannot be written.
pub async fn verify(
    ledger: &mut Ledger,
    again: &ChangeSet,
    databases: BTreeMap<Address, Parity>,
    time: Timestamp,
) -> Result<Verdict, StoreError> {
    let Some(run) = ledger.state().runs.last() else {
        return Ok(Verdict::Verified);
    };
    if !again.steps.is_empty() {
        let touched: BTreeSet<&Address> = run.change_set.steps.iter().map(|step| &step.address).collect();
        let titles = again.steps.iter().map(Step::title).collect();
        let is_own = again.steps.iter().any(|step| touched.contains(&step.address));
        return Ok(if is_own { Verdict::Differs(titles) } else { Verdict::Elsewhere(titles) });
    }
    let run = run.number;
    ledger.append(time, vec![Body::Verified { run, spec_digest: again.spec_digest, databases }]).await?;
    Ok(Verdict::Verified)
}
