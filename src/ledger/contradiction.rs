//! Why a chain cannot be folded: its records contradict each other. Pure data.
//!
//! Invariant: the record that does not fit is named.

use super::record::Sequence;
use crate::step::StepId;

/// Why a chain cannot be folded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// A record was written by somebody who does not hold the lease.
    #[error("record {sequence} was written {}, while {}", under_words(.under), held_words(.held))]
    NotTheHolder {
        /// The record.
        sequence: Sequence,
        /// The lease it was written under.
        under: Option<Sequence>,
        /// The lease that was held.
        held: Option<Sequence>,
    },
    /// A record speaks of a run that has not begun.
    #[error("record {sequence} speaks of run {run}, which has not begun")]
    NoSuchRun {
        /// The record.
        sequence: Sequence,
        /// The run.
        run: u64,
    },
    /// A record speaks of a step that its change set does not have, or that was not intended.
    #[error("record {sequence} speaks of step {step} of run {run}, which is not there or was not intended")]
    NoSuchStep {
        /// The record.
        sequence: Sequence,
        /// The run.
        run: u64,
        /// The step.
        step: StepId,
    },
}

fn under_words(under: &Option<Sequence>) -> String {
    under.map_or("without a lease".to_owned(), |number| format!("under lease {number}"))
}

fn held_words(held: &Option<Sequence>) -> String {
    held.map_or("nobody held the lease".to_owned(), |number| format!("lease {number} was held"))
}
