//! The migrations of a change set → what each is estimated to cost, both ways. Pure.
//!
//! Invariant: a database that said nothing about itself gets no numbers, but the reason; one that is not there yet, or was
//! not asked, gets nothing.

use std::collections::BTreeMap;

use super::budget::judge;
use super::names::Names;
use super::way::{Place, Planned, cost};
use super::{Cost, Risk, Risks};
use crate::address::Address;
use crate::migration::certificate::{Certificate, Evidence, Verdict};
use crate::migration::observation::Observation;
use crate::migration::statements::Script;
use crate::migration::{Direction, Migration};
use crate::rehearse::target::{Along, Answer, Foretold, Target, Targets};
use crate::step::{Action, ChangeSet};
use crate::world::{Budget, Rates, TargetFacts};

/// Relations above this size are worth knowing how fast the server works here, in bytes.
const LARGE_BYTES: u64 = 1_000_000;

/// What estimates rest on, beside the change set.
#[derive(Clone, Copy)]
pub struct Basis<'a> {
    /// What rehearsals saw its statements do.
    pub evidence: &'a Evidence,
    /// What the databases said.
    pub targets: &'a Targets,
    /// How fast a server of this version works here, by major version; the usual rates where there are none.
    pub rates: &'a BTreeMap<u32, Rates>,
    /// What the databases can bear.
    pub budgets: &'a BTreeMap<Address, Budget>,
}

/// Whether a target has relations in it that are so large that rates matter.
pub fn is_large(facts: &TargetFacts) -> bool {
    facts
        .measures
        .values()
        .any(|measure| measure.heap_bytes + measure.toast_bytes + measure.index_bytes() > LARGE_BYTES)
}

/// What the migrations of a change set are estimated to cost.
pub fn estimates(change_set: &ChangeSet, basis: Basis<'_>) -> Risks {
    let mut risks = Risks::default();
    let mut names: BTreeMap<&Address, Names> = BTreeMap::new();
    let nothing = Budget::default();
    for step in &change_set.steps {
        let Action::Migrate { direction, migration, lock_timeout_milliseconds, .. } = &step.action else { continue };
        let Some(target) = basis.targets.0.get(&step.address) else { continue };
        let names = names.entry(&step.address).or_default();
        let one = One {
            migration,
            direction: *direction,
            lock_timeout_milliseconds: *lock_timeout_milliseconds,
            certificate: basis.evidence.of(&step.address, migration.version).filter(|found| is_rehearsed(found)),
            foretold: target.foretold.get(&migration.version),
        };
        let mut risk = one.risk(target, basis.rates, names);
        let budget = basis.budgets.get(&step.address).unwrap_or(&nothing);
        risk.exceeded = judge(step.id, &risk, budget);
        risks.0.insert(step.id, risk);
    }
    risks
}

fn is_rehearsed(certificate: &Certificate) -> bool {
    !matches!(certificate.verdict, Verdict::NotRehearsed { .. })
}

/// One migration that is to be run.
struct One<'a> {
    migration: &'a Migration,
    direction: Direction,
    lock_timeout_milliseconds: u64,
    certificate: Option<&'a Certificate>,
    foretold: Option<&'a Foretold>,
}

impl One<'_> {
    fn risk(&self, target: &Target, rates: &BTreeMap<u32, Rates>, names: &mut Names) -> Risk {
        let facts = match &target.answer {
            Answer::Facts(facts) => facts,
            Answer::Unreadable(why) => {
                let unknown = vec![format!("how large anything is: the target could not be read: {why}")];
                let cost = Cost { unknown, ..Cost::default() };
                return Risk { forth: cost.clone(), back: cost, ..Risk::default() };
            }
        };
        let usual = Rates::default();
        let major = facts.server.split(['.', ' ']).next().and_then(|major| major.parse().ok());
        let rates = major.and_then(|major: u32| rates.get(&major)).unwrap_or(&usual);
        let place = Place {
            facts,
            rates,
            transaction: self.migration.transaction,
            lock_timeout_milliseconds: self.lock_timeout_milliseconds,
        };
        let forth = self.way(Along::Forth, place, names);
        // The way back begins where the way there ends; the next migration begins there, too.
        let back = self.way(Along::Back, place, &mut names.clone());
        Risk { forth, back, measured_on: rates.server.clone(), ..Risk::default() }
    }

    fn text(&self, way: Along) -> Option<&str> {
        let derived = self.certificate.and_then(|certificate| certificate.derived.as_deref());
        match way {
            Along::Forth => self.migration.text(self.direction),
            Along::Back => self.migration.text(self.direction.other()).or(derived),
        }
    }

    fn way(&self, way: Along, place: Place<'_>, names: &mut Names) -> Cost {
        let Some(text) = self.text(way) else { return Cost::default() };
        let script = match Script::parse(text) {
            Ok(script) => script,
            Err(error) => {
                let unknown = vec![format!("what it does: not understood as SQL: {error}")];
                return Cost { unknown, ..Cost::default() };
            }
        };
        let numbered = script.statements.iter().zip(1..);
        let planned = numbered.map(|(statement, number)| Planned { statement, seen: self.seen(way, number) });
        let planned: Vec<Planned<'_>> = planned.collect();
        let mut cost = cost(&planned, place, names);
        let said = &self.migration.said;
        let forward = (self.direction, way) == (Direction::Up, Along::Forth);
        if said.backfill.is_some() && forward {
            cost.seconds = None;
            cost.unknown.push("how long the backfill takes: it goes in batches, and pauses for others".to_owned());
        }
        if !said.assertions.is_empty() && forward {
            cost.seconds = None;
            cost.unknown.push("how long its assertions take".to_owned());
        }
        cost
    }

    /// What is known of a statement, by its number in the text.
    fn seen(&self, way: Along, number: usize) -> Result<&Observation, String> {
        let found = |all: &'_ [Observation]| all.iter().position(|one| one.statement == number);
        let all = match (self.certificate, self.foretold, way) {
            (Some(certificate), _, Along::Forth) => &certificate.forth,
            (Some(certificate), _, Along::Back) => &certificate.back,
            (None, Some(foretold), Along::Forth) => &foretold.forth,
            (None, Some(foretold), Along::Back) => &foretold.back,
            (None, None, _) => return Err("it was not rehearsed".to_owned()),
        };
        let untold = || {
            let untold = self.foretold.into_iter().flat_map(|foretold| &foretold.unknown);
            untold.filter(|one| one.way == way && one.statement == number).map(|one| one.why.clone()).next()
        };
        match found(all) {
            Some(at) => Ok(&all[at]),
            None => Err(untold().unwrap_or_else(|| "it was not seen to run".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;
