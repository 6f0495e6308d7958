//! Estimates against what an environment or a database can bear. Pure.
//!
//! Invariant: what is not known is not judged; a way back that is above a limit is told of, and refuses nothing.

use serde::{Deserialize, Serialize};

use super::words::about;
use super::{Cost, Risk, Risks};
use crate::rehearse::target::Along;
use crate::step::StepId;
use crate::world::bytes_in_words;
pub use crate::world::{Above, Budget, Limit, Quantity};

/// A limit that an estimate is above.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exceeded {
    /// Which limit.
    pub budget: Quantity,
    /// The step.
    pub step: StepId,
    /// Whether it is the way that is planned, or the one back from there.
    pub way: Along,
    /// What is estimated, in seconds or bytes.
    pub value: f64,
    /// The limit, in seconds or bytes.
    pub limit: f64,
    /// The class of whoever has to sign it; nothing where it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
}

/// What both ways of a step are above.
pub fn judge(step: StepId, risk: &Risk, budget: &Budget) -> Vec<Exceeded> {
    let ways = [(Along::Forth, &risk.forth), (Along::Back, &risk.back)];
    let judged = ways.into_iter().flat_map(|(way, cost)| budget.0.iter().map(move |limit| (way, cost, limit)));
    let exceeded = |(way, cost, (quantity, limit)): (Along, &Cost, (&Quantity, &Limit))| {
        let value = estimated(cost, *quantity)?;
        let class = match &limit.above {
            Above::Refused => None,
            Above::Signed(class) => Some(class.clone()),
        };
        // Limits on time are kept in milliseconds, estimates are in seconds.
        let most = limit.value as f64 / if quantity.is_bytes() { 1.0 } else { 1000.0 };
        (value > most).then_some(Exceeded { budget: *quantity, step, way, value, limit: most, class })
    };
    judged.filter_map(exceeded).collect()
}

fn estimated(cost: &Cost, quantity: Quantity) -> Option<f64> {
    match quantity {
        Quantity::MaxBlockedWrites => cost.blocked_writes,
        Quantity::MaxBlockedReads => cost.blocked_reads,
        Quantity::MaxDisk => cost.disk_bytes.map(|bytes| bytes as f64),
        Quantity::MaxWal => cost.wal_bytes.map(|bytes| bytes as f64),
        Quantity::MaxLag => cost.lag_seconds,
    }
}

impl Exceeded {
    /// Whether the plan is refused for it.
    pub fn refuses(&self) -> bool {
        self.way == Along::Forth && self.class.is_none()
    }

    /// The class of whoever has to sign the plan for it.
    pub fn class_needed(&self) -> Option<&str> {
        self.class.as_deref().filter(|_| self.way == Along::Forth)
    }

    /// `max_blocked_writes is 2 s, about 40 s are estimated`.
    pub fn words(&self) -> String {
        let said = |value: f64| match self.budget.is_bytes() {
            true => bytes_in_words(super::arithmetic::whole(value)),
            false => about(value),
        };
        format!("{} is {}, {} is estimated {}", self.budget.word(), said(self.limit), said(self.value), self.way.word())
    }
}

impl Risks {
    /// All limits that estimates are above, in the order of the steps.
    pub fn exceeded(&self) -> impl Iterator<Item = &Exceeded> {
        self.0.values().flat_map(|risk| &risk.exceeded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn budget(above: &Above) -> Budget {
        let limit = |value| Limit { value, above: above.clone() };
        Budget(BTreeMap::from([
            (Quantity::MaxBlockedWrites, limit(2_000)),
            (Quantity::MaxDisk, limit(1_000_000_000)),
            (Quantity::MaxLag, limit(5_000)),
        ]))
    }

    #[test]
    fn what_is_above_a_limit_is_found_on_both_ways_and_refuses_on_one() {
        let forth = Cost { blocked_writes: Some(2.0), disk_bytes: Some(2_300_000_000), ..Cost::default() };
        let back = Cost { blocked_writes: Some(40.0), blocked_reads: Some(99.0), ..Cost::default() };
        let risk = Risk { forth, back, ..Risk::default() };
        let found = judge(StepId(3), &risk, &budget(&Above::Refused));
        let told: Vec<String> = found.iter().map(Exceeded::words).collect();
        assert_eq!(
            told,
            ["max_disk is 1 GB, 2.3 GB is estimated forth", "max_blocked_writes is 2 s, 40 s is estimated back"]
        );
        assert_eq!(found.iter().map(Exceeded::refuses).collect::<Vec<_>>(), [true, false]);
        let signed = judge(StepId(3), &risk, &budget(&Above::Signed("dba".to_owned())));
        assert_eq!(signed.iter().map(Exceeded::class_needed).collect::<Vec<_>>(), [Some("dba"), None]);
        assert!(signed.iter().all(|one| !one.refuses()));
        assert!(judge(StepId(3), &risk, &Budget::default()).is_empty());
        assert!(judge(StepId(3), &Risk::default(), &budget(&Above::Refused)).is_empty(), "nothing is known");
    }
}
