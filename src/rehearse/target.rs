//! What the targets of a plan say about themselves: how large the relations are, who waits, who takes long, which
//! replicas lag; and what their catalogs foretell of migrations that were not rehearsed. Asks, read-only.
//!
//! Invariant: what a target does not say costs a line, never a plan; nothing of it is part of a change set or of a
//! certificate, for it is another thing a minute later.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::work::Work;
use super::{is_missing, known_objects, reason};
use crate::address::Address;
use crate::ledger::Things;
use crate::migration::certificate::{Certificate, Evidence};
use crate::migration::observation::Observation;
use crate::migration::predict::Foreseen;
use crate::migration::{Direction, Migration};
use crate::observe::{Known, connect};
use crate::secret::Secrets;
use crate::world::{Clock, Connection, Databases, Size, TargetFacts, WorldError};

/// How long one target is asked.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the targets of a plan say, by database. One that is not there yet is not among them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Targets(pub BTreeMap<Address, Target>);

/// What one target says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// When it was asked, to the second.
    pub at: Timestamp,
    /// What it said.
    #[serde(flatten)]
    pub answer: Answer,
    /// What its catalogs foretell of migrations that were not rehearsed, by version.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub foretold: BTreeMap<i64, Foretold>,
}

/// What a target said, or why it did not.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each database of a plan, and it is nearly always the large one"
)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It said this.
    Facts(TargetFacts),
    /// It could not be read, and why.
    Unreadable(String),
}

/// What is foretold of one migration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Foretold {
    /// Of its statements on the way that is planned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forth: Vec<Observation>,
    /// Of those on the way back from there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub back: Vec<Observation>,
    /// Of which nothing is, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Untold>,
}

/// A statement of which nothing is foretold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untold {
    /// On which way it is: `forth` or `back`.
    pub way: Along,
    /// Its number in the text, from one.
    pub statement: usize,
    /// Why.
    pub why: String,
}

/// The way that is planned, or the one back from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Along {
    /// The one that is planned.
    Forth,
    /// The one back from there.
    Back,
}

impl Along {
    /// As people read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Forth => "forth",
            Self::Back => "back",
        }
    }
}

impl Targets {
    /// Whether nobody was asked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Leaves out what the catalogs said of each statement.
    pub fn forget_catalogs(&mut self) {
        let foretold = self.0.values_mut().flat_map(|target| target.foretold.values_mut());
        for foretold in foretold {
            foretold.forth.iter_mut().chain(&mut foretold.back).for_each(|seen| seen.before = None);
        }
    }

    /// What is foretold of a migration.
    pub fn foretold(&self, database: &Address, version: i64) -> Option<&Foretold> {
        self.0.get(database)?.foretold.get(&version)
    }
}

impl Target {
    /// How large its relations are, as far as it said.
    pub fn sizes(&self) -> Option<&BTreeMap<String, Size>> {
        match &self.answer {
            Answer::Facts(facts) => Some(&facts.sizes),
            Answer::Unreadable(_) => None,
        }
    }
}

/// Whoever is asked, and with what.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// Who reads databases.
    pub databases: &'a dyn Databases,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Where secrets of connections come from.
    pub secrets: &'a dyn Secrets,
}

/// Asks every target that is there about itself, and about what the certificates say that is locked, written and read.
pub async fn ask(work: &[Work], evidence: &Evidence, things: &Things, asking: Asking<'_>) -> Targets {
    let mut targets = Targets::default();
    let objects = known_objects(things);
    let known = Known { objects: &objects, secrets: asking.secrets };
    for work in work {
        if let Some(target) = one(work, evidence, &known, asking).await {
            targets.0.insert(work.address.clone(), target);
        }
    }
    targets
}

async fn one(work: &Work, evidence: &Evidence, known: &Known<'_>, asking: Asking<'_>) -> Option<Target> {
    let now = asking.clock.now();
    let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let unreadable = |why: String| Some(Target { at, answer: Answer::Unreadable(why), foretold: BTreeMap::new() });
    let connection = match work.target.as_ref().map(|target| connect(target, known)) {
        Some(Ok(Some(connection))) => connection,
        Some(Ok(None)) | None => return None,
        Some(Err(error)) => return unreadable(reason(&error)),
    };
    match tokio::time::timeout(PATIENCE, say(work, evidence, asking.databases, &connection)).await {
        Ok(Ok(Some((facts, foretold)))) => Some(Target { at, answer: Answer::Facts(facts), foretold }),
        Ok(Ok(None)) => None,
        Ok(Err(error)) => unreadable(reason(&error)),
        Err(_) => unreadable(format!("it did not answer within {} s", PATIENCE.as_secs())),
    }
}

async fn say(
    work: &Work,
    evidence: &Evidence,
    databases: &dyn Databases,
    connection: &Connection,
) -> Result<Option<(TargetFacts, BTreeMap<i64, Foretold>)>, WorldError> {
    let certificate = |migration: &Migration| evidence.of(&work.address, migration.version);
    let is_unproved = |migration: &Migration| certificate(migration).is_none_or(is_missing);
    let unproved: Vec<_> = work.steps.iter().filter(|(_, migration)| is_unproved(migration)).collect();
    let foretold = foretell(&unproved, databases, connection).await?;
    let proved = work.steps.iter().filter_map(|(_, migration)| certificate(migration)).flat_map(of_certificate);
    let foreseen = foretold.values().flat_map(|foretold| foretold.forth.iter().chain(&foretold.back));
    let copied = work.steps.iter().filter_map(|(_, migration)| migration.kept.as_ref()).flat_map(|kept| &kept.copied);
    let relations: BTreeSet<String> = proved.chain(foreseen).flat_map(relations).chain(copied).cloned().collect();
    Ok(databases.facts(connection, &relations).await?.map(|facts| (facts, foretold)))
}

fn of_certificate(certificate: &Certificate) -> impl Iterator<Item = &Observation> {
    certificate.forth.iter().chain(&certificate.back)
}

/// All relations that something is said of.
fn relations(observation: &Observation) -> impl Iterator<Item = &String> {
    let heavy = observation.rewrites.iter().chain(&observation.scans).chain(observation.builds.keys());
    observation.locks.keys().chain(heavy)
}

async fn foretell(
    steps: &[&(Direction, std::sync::Arc<Migration>)],
    databases: &dyn Databases,
    connection: &Connection,
) -> Result<BTreeMap<i64, Foretold>, WorldError> {
    let mut texts = Vec::new();
    let mut places = Vec::new();
    for (direction, migration) in steps {
        for (way, direction) in [(Along::Forth, *direction), (Along::Back, direction.other())] {
            if let Some(text) = migration.text(direction) {
                texts.push(text);
                places.push((migration.version, way));
            }
        }
    }
    let mut found: BTreeMap<i64, Foretold> = BTreeMap::new();
    if texts.is_empty() {
        return Ok(found);
    }
    let told = databases.foresee(connection, &texts).await?;
    for ((version, way), statements) in places.into_iter().zip(told) {
        found.entry(version).or_default().take(way, statements);
    }
    Ok(found)
}

impl Foretold {
    fn take(&mut self, way: Along, statements: Vec<Foreseen>) {
        for (foreseen, statement) in statements.into_iter().zip(1..) {
            match (foreseen, way) {
                (Ok(observation), Along::Forth) => self.forth.push(observation),
                (Ok(observation), Along::Back) => self.back.push(observation),
                (Err(why), _) => self.unknown.push(Untold { way, statement, why: why.to_string() }),
            }
        }
    }
}

#[cfg(test)]
mod tests;
