//! What the first screen says, gathered from all steps: who waits for what, and what it costs in all. Pure.
//!
//! Invariant: what is not known is counted as not known, never as nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::quantity;
use crate::migration::certificate::Verdict;
use crate::migration::observation::{LockMode, Observation};
use crate::rehearse::target::Along;
use crate::review::{Review, StepView};
use crate::risk::Cost;
use crate::world::Size;

/// From where it is known what a statement locks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A rehearsal saw it on a server of this version.
    Observed(String),
    /// The catalog of the target and the text foretell it.
    Foretold,
}

impl Source {
    /// As people read it, at the end of a claim.
    pub fn words(&self) -> String {
        match self {
            Self::Observed(server) if server.is_empty() => "observed in a rehearsal".to_owned(),
            Self::Observed(server) => format!("observed on PostgreSQL {server}"),
            Self::Foretold => "foretold from the target's catalog".to_owned(),
        }
    }
}

/// What is known of the statements of one way of a migration, and from where; nothing when nothing is.
pub fn observations(step: &StepView, along: Along) -> Option<(&[Observation], Source)> {
    let certificate = step.certificate.as_ref();
    let certificate = certificate.filter(|one| !matches!(one.verdict, Verdict::NotRehearsed { .. }));
    if let Some(certificate) = certificate {
        let seen = match along {
            Along::Forth => &certificate.forth,
            Along::Back => &certificate.back,
        };
        return Some((seen, Source::Observed(certificate.server.clone())));
    }
    let foretold = step.foretold.as_ref()?;
    let told = match along {
        Along::Forth => &foretold.forth,
        Along::Back => &foretold.back,
    };
    Some((told, Source::Foretold))
}

/// What one way of a migration is estimated to cost, if that was estimated.
pub fn cost(step: &StepView, along: Along) -> Option<&Cost> {
    step.risk.as_ref().map(|risk| match along {
        Along::Forth => &risk.forth,
        Along::Back => &risk.back,
    })
}

/// Somebody has to wait for a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait<'a> {
    /// For which.
    pub step: &'a StepView,
    /// Whoever wants this relation.
    pub relation: &'a str,
    /// The strongest lock that it takes on it.
    pub lock: LockMode,
    /// For how long, if that was estimated.
    pub seconds: Option<f64>,
    /// How many that read are expected in this time.
    pub readers: Option<f64>,
    /// How many rows are expected to be written in this time.
    pub writers: Option<f64>,
    /// How large the relation is at the target.
    pub size: Option<Size>,
    /// What is done to it meanwhile.
    pub deeds: BTreeSet<&'static str>,
    /// From where the lock is known; nothing when only an estimate names it.
    pub source: Option<Source>,
}

/// Everybody who has to wait on one way, the longest first; those of unknown length before those that are short.
pub fn waits(review: &Review, along: Along) -> Vec<Wait<'_>> {
    let mut found: Vec<Wait<'_>> = review.steps.iter().flat_map(|step| of_step(review, step, along)).collect();
    let weight = |wait: &Wait<'_>| {
        let unknown = if wait.deeds.is_empty() { 0.05 } else { f64::MAX };
        wait.seconds.unwrap_or(unknown)
    };
    found.sort_by(|one, other| {
        weight(other).total_cmp(&weight(one)).then(other.lock.cmp(&one.lock)).then(one.step.id.cmp(&other.step.id))
    });
    found
}

/// Everybody who has to wait for one way of one step, by relation.
pub fn of_step<'a>(review: &'a Review, step: &'a StepView, along: Along) -> Vec<Wait<'a>> {
    let mut found: BTreeMap<&str, Wait<'a>> = BTreeMap::new();
    let sizes = sizes(review, step);
    let fresh = |relation: &'a str, lock| Wait {
        step,
        relation,
        lock,
        seconds: None,
        readers: None,
        writers: None,
        size: sizes.and_then(|sizes| sizes.get(relation)).copied(),
        deeds: BTreeSet::new(),
        source: None,
    };
    if let Some((seen, source)) = observations(step, along) {
        for one in seen {
            for (relation, lock) in one.locks.iter().filter(|(_, lock)| lock.blocks_writers()) {
                let wait = found.entry(relation).or_insert_with(|| fresh(relation, *lock));
                wait.lock = wait.lock.max(*lock);
                wait.deeds.extend(deeds(one, relation));
                wait.source = Some(source.clone());
            }
        }
    }
    for estimate in cost(step, along).into_iter().flat_map(|cost| &cost.statements) {
        for blocked in estimate.blocked.iter().filter(|blocked| blocked.lock.blocks_writers()) {
            let wait = found.entry(&blocked.relation).or_insert_with(|| fresh(&blocked.relation, blocked.lock));
            wait.lock = wait.lock.max(blocked.lock);
            if wait.seconds.is_none_or(|seconds| seconds < blocked.seconds) {
                wait.seconds = Some(blocked.seconds);
                (wait.readers, wait.writers) = (blocked.readers, blocked.writers);
            }
        }
    }
    found.into_values().collect()
}

/// What a statement does to a relation as a whole.
pub fn deeds(one: &Observation, relation: &str) -> Vec<&'static str> {
    let all = [
        (one.rewrites.contains(relation), "written anew as a whole"),
        (one.scans.contains(relation), "read as a whole"),
        (one.builds.contains_key(relation), "an index is built"),
    ];
    all.into_iter().filter(|(is_done, _)| *is_done).map(|(_, deed)| deed).collect()
}

/// How large the relations of a step's database are.
pub fn sizes<'a>(review: &'a Review, step: &StepView) -> Option<&'a BTreeMap<String, Size>> {
    let target = review.targets.iter().find(|target| target.database == step.address)?;
    target.target.sizes()
}

/// Who has to wait for a lock, in words.
pub fn who_waits(lock: LockMode) -> &'static str {
    match (lock.blocks_readers(), lock.blocks_writers()) {
        (true, _) => "readers and writers wait",
        (false, true) => "writers wait",
        (false, false) => "nobody who reads or writes waits for this lock",
    }
}

/// How many are expected to wait for a lock, in words; nothing where that is not known, or hardly anybody is.
pub fn who_is_expected(lock: LockMode, readers: Option<f64>, writers: Option<f64>) -> Option<String> {
    let some = |count: Option<f64>| count.filter(|count| *count >= 1.0).map(quantity::expected);
    let readers = some(readers).filter(|_| lock.blocks_readers()).map(|count| format!("{count} statements that read"));
    let writers = some(writers).filter(|_| lock.blocks_writers()).map(|count| format!("{count} written rows"));
    let all: Vec<String> = [readers, writers].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join(" and "))
}

/// What all migrations cost on one way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Total {
    /// How many migrations there are.
    pub migrations: usize,
    /// Of how many of them the time is not known.
    pub untimed: usize,
    /// How long those take of which it is known.
    pub seconds: f64,
    /// The longest that somebody who writes waits, and the step.
    pub writes: Option<(f64, usize)>,
    /// The longest that somebody who reads waits, and the step.
    pub reads: Option<(f64, usize)>,
    /// The most disk that one of them needs for a while.
    pub disk_bytes: Option<u64>,
    /// All log that is written.
    pub wal_bytes: Option<u64>,
    /// How far replicas fall behind.
    pub lag_seconds: Option<f64>,
    /// What is not known, by step.
    pub unknown: Vec<(usize, String)>,
}

/// What all migrations of a review cost on one way.
pub fn total(review: &Review, along: Along) -> Total {
    let mut total = Total::default();
    for step in review.steps.iter().filter(|step| step.migration.is_some()) {
        total.add(step, cost(step, along));
    }
    total
}

impl Total {
    fn add(&mut self, step: &StepView, cost: Option<&Cost>) {
        let number = number(step);
        self.migrations += 1;
        let Some(cost) = cost else {
            self.untimed += 1;
            return;
        };
        match cost.seconds {
            Some(seconds) => self.seconds += seconds,
            None => self.untimed += 1,
        }
        let longer = |known: Option<(f64, usize)>, found: Option<f64>| match (known, found) {
            (Some((longest, _)), Some(seconds)) if seconds > longest => Some((seconds, number)),
            (None, Some(seconds)) => Some((seconds, number)),
            (known, _) => known,
        };
        self.writes = longer(self.writes, cost.blocked_writes);
        self.reads = longer(self.reads, cost.blocked_reads);
        self.disk_bytes = self.disk_bytes.max(cost.disk_bytes);
        if let Some(bytes) = cost.wal_bytes {
            self.wal_bytes = Some(self.wal_bytes.unwrap_or_default().saturating_add(bytes));
        }
        self.lag_seconds = [self.lag_seconds, cost.lag_seconds].into_iter().flatten().reduce(f64::max);
        self.unknown.extend(cost.unknown.iter().map(|why| (number, why.clone())));
    }

    /// Whether anything was estimated at all.
    pub fn is_estimated(&self) -> bool {
        self.untimed < self.migrations
            || self.writes.is_some()
            || self.reads.is_some()
            || self.disk_bytes.is_some()
            || self.wal_bytes.is_some()
    }
}

/// The number of a step.
pub fn number(step: &StepView) -> usize {
    usize::try_from(step.id.0).unwrap_or(usize::MAX)
}
