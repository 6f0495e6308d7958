//! What estimates need beside the plan: how fast servers work here, and what the databases can bear. Asks whoever
//! rehearses, and a folder of what was measured before.
//!
//! Invariant: it is measured only where something is large, and where a rehearsal may be made; else the usual rates count,
//! and the review says so.

use std::collections::BTreeMap;

use super::evidence::Folder;
use super::progress::Lines;
use super::session::Session;
use crate::address::Address;
use crate::migration::certificate::Evidence;
use crate::rehearse::Effort;
use crate::rehearse::key::major;
use crate::rehearse::target::{Answer, Targets};
use crate::resolve::desired::Desired;
use crate::risk::{self, Basis, Risks};
use crate::step::ChangeSet;
use crate::world::{Budget, Progress as _, Rates};

/// How fast servers work here, and what databases can bear.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pricing {
    /// By major version.
    rates: BTreeMap<u32, Rates>,
    /// By database.
    budgets: BTreeMap<Address, Budget>,
}

impl Pricing {
    /// For what these targets said; `desired` is the spec, where there is one.
    pub async fn of(session: &Session, desired: Option<&Desired>, targets: &Targets, effort: Option<Effort>) -> Self {
        let budget = |desired: &Desired| {
            let environment = &desired.environment.budget;
            let of = |(address, database): (&Address, &crate::resolve::desired::DesiredDatabase)| {
                (address.clone(), database.budget.within(environment))
            };
            desired.databases.iter().map(of).collect()
        };
        let mut pricing = Self { rates: BTreeMap::new(), budgets: desired.map(budget).unwrap_or_default() };
        for target in targets.0.values() {
            let Answer::Facts(facts) = &target.answer else { continue };
            let Some(major) = major(&facts.server).filter(|_| risk::is_large(facts)) else { continue };
            if !pricing.rates.contains_key(&major)
                && let Some(rates) = rates(session, major, effort).await
            {
                pricing.rates.insert(major, rates);
            }
        }
        pricing
    }

    /// What the migrations of a change set are estimated to cost.
    pub fn risks(&self, change_set: &ChangeSet, evidence: &Evidence, targets: &Targets) -> Risks {
        risk::estimates(change_set, Basis { evidence, targets, rates: &self.rates, budgets: &self.budgets })
    }
}

async fn rates(session: &Session, major: u32, effort: Option<Effort>) -> Option<Rates> {
    let folder = Folder::of_the_user();
    let kept = folder.rates(major);
    let may_measure = match effort {
        Some(Effort::Rehearse) => kept.is_none(),
        Some(Effort::Anew) => true,
        Some(Effort::Known | Effort::Declined) | None => false,
    };
    let Some(rehearsals) = session.world.rehearsals.as_ref().filter(|_| may_measure) else { return kept };
    let progress = Lines(&session.terminal);
    progress.say(&format!("measuring how fast PostgreSQL {major} works on this machine, once"));
    match rehearsals.calibrate(Some(major), &progress).await {
        Ok(Some(rates)) if rates.is_sound() => {
            let rates = folder.with_disk(rates);
            folder.keep_rates(major, &rates);
            Some(rates)
        }
        Ok(_) => kept,
        Err(error) => {
            tracing::info!(%error, "how fast a server works here is not known; usual rates are taken");
            kept
        }
    }
}
