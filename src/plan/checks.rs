//! Which of the spec's checks belong to a plan. Pure.
//!
//! Invariant: a check is left out only where what it refers to is not there, or not meant, and then it says so.

use std::collections::BTreeSet;

use crate::address::Address;
use crate::ledger::State;
use crate::step::{Check, When};

/// The checks of a plan: all of them, or those of what is targeted. What is asked before the first effect and refers to
/// something that only this plan makes is left out when it is its turn.
pub(super) fn planned(checks: &[Check], state: &State, targeted: Option<&BTreeSet<Address>>) -> Vec<Check> {
    let is_there = |address: &Address| {
        state.things.resources.contains_key(address) || state.things.databases.contains_key(address)
    };
    let is_meant = |check: &&Check| {
        let meant = |need: &Address| targeted.is_none_or(|only| only.contains(need)) || is_there(need);
        check.needs.iter().all(meant)
    };
    let one = |check: &Check| {
        let missing = check.needs.iter().filter(|need| check.when == When::Before && !is_there(need));
        Check { not_yet: missing.cloned().collect(), ..check.clone() }
    };
    checks.iter().filter(is_meant).map(one).collect()
}
