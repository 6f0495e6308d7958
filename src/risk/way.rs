//! What running one text costs: statement by statement, and what is kept locked until the end of its transaction. Pure.
//!
//! Invariant: a lock that a statement takes is held until its transaction ends, so whoever waits for it waits for all
//! statements that follow there.

use std::collections::BTreeMap;

use super::arithmetic::{Built, Ground, Load, rounded, whole};
use super::names::{Names, Stands, is_same};
use super::statement::{self, Doing};
use super::{Blocked, Cost, Estimate};
use crate::migration::observation::{LockMode, Observation};
use crate::migration::statements::Statement;
use crate::world::{Measure, Rates, TargetFacts, Traffic};

/// How many times a migration is tried when a lock is not to be had within its `lock_timeout`.
pub const LOCK_TRIES: u32 = 8;
/// Bytes of log that a replica replays in a second: one process does it alone.
const REPLAYED_BYTES: f64 = 80_000_000.0;

/// A statement, and what is known of what it does.
pub struct Planned<'a> {
    /// It.
    pub statement: &'a Statement,
    /// What it was seen to do, or will do by the catalogs; or why that is not known.
    pub seen: Result<&'a Observation, String>,
}

/// Where a text runs.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// What the target says.
    pub facts: &'a TargetFacts,
    /// How fast it goes.
    pub rates: &'a Rates,
    /// Whether all statements run in one transaction.
    pub transaction: bool,
    /// Longest wait for one lock, in milliseconds.
    pub lock_timeout_milliseconds: u64,
}

/// A lock that keeps somebody waiting.
struct Lock {
    /// What the relation is called by then.
    relation: String,
    /// What the target calls it.
    there: String,
    mode: LockMode,
}

/// One statement's part.
struct Part {
    load: Load,
    /// Locks that keep somebody waiting.
    locks: Vec<Lock>,
    /// The transaction that it is in.
    transaction: usize,
}

/// What a text costs. `names` are told what it does to them.
pub fn cost(text: &[Planned<'_>], place: Place<'_>, names: &mut Names) -> Cost {
    let transactions = transactions(text, place.transaction);
    let mut parts = Vec::new();
    let mut now = names.clone();
    for (at, planned) in text.iter().enumerate() {
        let transaction = transactions[at];
        if at > 0 && transactions[at - 1] != transaction {
            // Whoever looks on calls relations as they were called before the transaction.
            *names = now.clone();
        }
        let sight = Sight { place, start: names, now: &now };
        let mut part = sight.part(planned, transaction);
        if transactions.get(at + 1) != Some(&transaction) {
            // Its locks are held until it is durable.
            part.load.seconds = part.load.seconds.map(|seconds| seconds + place.rates.sync);
        }
        parts.push(part);
        now.after(planned.statement, place.facts.sizes.keys());
    }
    *names = now;
    let mut cost = sum(&parts, place.facts);
    cost.unknown.extend(waits(&parts, place));
    cost.unknown.dedup();
    cost
}

/// The transaction of each statement, by a number.
fn transactions(text: &[Planned<'_>], one: bool) -> Vec<usize> {
    let (mut number, mut inside) = (0, one);
    let mut found = Vec::new();
    for planned in text {
        let starts = |words: &[&str]| planned.statement.starts_with(words);
        let begins = planned.statement.controls_transaction() && (starts(&["begin"]) || starts(&["start"]));
        if !one && (begins || !inside) {
            number += 1;
        }
        found.push(number);
        if !one && planned.statement.controls_transaction() {
            inside = begins;
        }
    }
    found
}

/// What is known when a statement is looked at.
struct Sight<'a> {
    place: Place<'a>,
    /// Names as they were before the transaction: as observations have them.
    start: &'a Names,
    /// Names as they are right now: as the text has them.
    now: &'a Names,
}

/// A relation as an estimate needs it.
enum Known<'a> {
    /// It is there, and this large.
    There(&'a Measure),
    /// The plan makes it, and nobody else uses it yet.
    Empty,
    /// Nobody knows.
    Unknown(String),
}

impl<'a> Sight<'a> {
    fn part(&self, planned: &Planned<'_>, transaction: usize) -> Part {
        let doing = statement::doing(planned.statement);
        let seen = match (&planned.seen, &doing) {
            (Ok(seen), _) => *seen,
            (Err(_), Doing::Quick) => return self.quick(transaction),
            (Err(why), _) => {
                let about = statement::table(planned.statement);
                if about.is_some_and(|table| self.now.is_made(&table)) {
                    return self.quick(transaction);
                }
                let load = Load { unknown: vec![format!("what it does: {why}")], ..Load::default() };
                return Part { load, locks: Vec::new(), transaction };
            }
        };
        let locks = seen.locks.iter().filter(|(_, mode)| mode.blocks_writers());
        let lock = |(name, mode): (&String, &LockMode)| {
            Some(Lock { relation: name.clone(), there: self.used(name)?, mode: *mode })
        };
        let locks = locks.filter_map(lock).collect();
        let load = self.floor().and(self.load(&doing, planned.statement, seen));
        Part { load, locks, transaction }
    }

    /// What every statement takes.
    fn floor(&self) -> Load {
        Load { seconds: Some(self.place.rates.statement), ..Load::default() }
    }

    fn quick(&self, transaction: usize) -> Part {
        Part { load: self.floor(), locks: Vec::new(), transaction }
    }

    /// What the target calls a relation that somebody else may use: one that is there already, and no index or sequence.
    fn used(&self, name: &str) -> Option<String> {
        let facts = self.place.facts;
        match self.start.stands(name) {
            Stands::Made | Stands::Filled => None,
            Stands::For(there) => {
                (facts.measures.contains_key(&there) || !facts.sizes.contains_key(&there)).then_some(there)
            }
        }
    }

    fn known(&self, name: &str) -> Known<'a> {
        match self.start.stands(name) {
            Stands::Made => Known::Empty,
            Stands::Filled => Known::Unknown(format!("how much the plan writes into {name}")),
            Stands::For(there) => match self.place.facts.measures.get(&there) {
                Some(measure) => Known::There(measure),
                None => Known::Unknown(format!("how large {name} is: the target has no such table yet")),
            },
        }
    }

    fn load<'b>(&'b self, doing: &Doing, statement: &Statement, seen: &'b Observation) -> Load {
        match doing {
            Doing::Quick => Load::none(),
            Doing::Schema => self.schema(statement, seen),
            Doing::Upkeep => {
                let mut load = self.scans(seen.scans.iter().chain(seen.locks.keys()));
                load.unknown.push("how much there is to clear up".to_owned());
                load
            }
            Doing::Update { table, all } => self.rows(table, *all, seen, Ground::update),
            Doing::Delete { table, all } => self.rows(table, *all, seen, Ground::delete),
            Doing::Unknown(why) => {
                let scans = self.scans(seen.scans.iter());
                let unknown = scans.unknown.into_iter().chain([(*why).to_owned()]).collect();
                Load { seconds: None, unknown, ..scans }
            }
        }
    }

    /// Tables that are read as a whole.
    fn scans<'b>(&'b self, tables: impl Iterator<Item = &'b String>) -> Load {
        tables.fold(Load::none(), |load, table| load.and(self.on(table, Ground::scan)))
    }

    /// Work on a relation, if it is known how large it is.
    fn on<'b>(&'b self, name: &'b str, work: impl Fn(&Ground<'b>) -> Load) -> Load {
        let Place { facts, rates, .. } = self.place;
        match self.known(name) {
            Known::There(measure) => work(&Ground { name, measure, rates, settings: &facts.settings }),
            Known::Empty => Load::none(),
            Known::Unknown(why) => Load { unknown: vec![why], ..Load::default() },
        }
    }

    /// How many rows a table has, where that is known.
    fn count(&self, name: &str) -> Option<f64> {
        let Place { facts, rates, .. } = self.place;
        match self.known(name) {
            Known::There(measure) => Some(Ground { name, measure, rates, settings: &facts.settings }.rows()),
            Known::Empty | Known::Unknown(_) => None,
        }
    }

    fn rows<'b>(&'b self, written: &str, all: bool, seen: &'b Observation, work: fn(&Ground<'b>) -> Load) -> Load {
        let Some(table) = seen.locks.keys().find(|name| is_same(written, name)) else {
            // Whoever looks on does not see what the transaction itself has made.
            return match self.now.is_made(written) {
                true => Load::none(),
                false => Load { unknown: vec![format!("how many rows of {written} there are")], ..Load::default() },
            };
        };
        // With the table, its partitions are locked: those that hold rows are worked on.
        let heaps = seen.locks.iter().filter(|(_, lock)| **lock == LockMode::RowExclusive).map(|(name, _)| name);
        let heaps = heaps.filter(|name| *name == table || seen.scans.contains(*name));
        let most = heaps.fold(Load::none(), |load, name| load.and(self.on(name, work)));
        if all {
            return most;
        }
        let most = most.seconds.map(|seconds| format!(": all of them would take {}", super::words::about(seconds)));
        let unknown = vec![format!("how many rows of {table} its condition finds{}", most.unwrap_or_default())];
        Load { unknown, ..Load::default() }
    }

    /// What a statement does that changes a schema.
    fn schema<'b>(&'b self, statement: &Statement, seen: &'b Observation) -> Load {
        let mut load = Load::none();
        for table in &seen.rewrites {
            load = load.and(self.on(table, Ground::rewrite));
            if statement::computes(statement) {
                load = load.and(self.on(table, Ground::call));
            }
        }
        let key = statement::key(statement);
        for (table, indexes) in &seen.builds {
            if !seen.rewrites.contains(table) {
                // Without a lock that keeps writers out the table is read twice.
                let times = if seen.outside { 2 } else { 1 };
                load = (0..times).fold(load, |load, _| load.and(self.on(table, Ground::scan)));
            }
            for index in indexes {
                let work = |ground: &Ground<'_>| match ground.measure.indexes.contains_key(index) {
                    true => ground.build(&Built::Again(index)),
                    false => ground.build(&Built::New(&key)),
                };
                load = load.and(self.on(table, work));
            }
        }
        let read: Vec<&String> = seen
            .scans
            .iter()
            .filter(|table| !seen.rewrites.contains(*table) && !seen.builds.contains_key(*table))
            .collect();
        load = load.and(self.scans(read.iter().copied()));
        if statement::follows_keys(statement, seen.scans.len()) && !seen.scans.is_empty() {
            let written = statement::table(statement);
            let child = seen.scans.iter().find(|name| written.as_ref().is_some_and(|written| is_same(written, name)));
            let others = seen.scans.iter().filter(|name| Some(*name) != child);
            let referenced = others.filter_map(|name| self.count(name)).fold(0.0, f64::max);
            load = child.map_or(load.clone(), |child| {
                load.and(self.on(child, |ground: &Ground<'_>| ground.follow_keys(referenced)))
            });
        }
        load
    }
}

/// Adds up: what is locked, until its transaction ends.
fn sum(parts: &[Part], facts: &TargetFacts) -> Cost {
    let mut cost = Cost::default();
    // Since when writers and readers of a relation wait, and in which transaction.
    let mut held: BTreeMap<&str, (usize, LockMode)> = BTreeMap::new();
    let (mut writes, mut reads) = (0.0_f64, 0.0_f64);
    let (mut disk, mut log) = (0.0, 0.0);
    for (at, part) in parts.iter().enumerate() {
        held.retain(|_, (transaction, _)| *transaction == part.transaction);
        let rest = parts[at..].iter().take_while(|other| other.transaction == part.transaction);
        let seconds: f64 = rest.filter_map(|other| other.load.seconds).sum();
        let mut blocked = Vec::new();
        for lock in &part.locks {
            let before = held.get(lock.relation.as_str()).map(|(_, mode)| *mode);
            let adds = |before: LockMode| lock.mode.blocks_readers() && !before.blocks_readers();
            if before.is_some_and(|before| !adds(before)) {
                continue;
            }
            held.insert(&lock.relation, (part.transaction, lock.mode));
            writes = writes.max(if before.is_none() { seconds } else { 0.0 });
            reads = reads.max(if lock.mode.blocks_readers() { seconds } else { 0.0 });
            blocked.push(lock.who_waits(seconds, facts));
        }
        disk += part.load.disk;
        log += part.load.log;
        let statement = at + 1;
        let mut because = part.load.because.clone();
        because.extend(part.locks.iter().filter_map(|lock| lock.traffic(facts)));
        because.dedup();
        cost.unknown.extend(part.load.unknown.iter().map(|why| format!("statement {statement}: {why}")));
        cost.statements.push(Estimate { statement, seconds: part.load.seconds.map(rounded), blocked, because });
    }
    cost.seconds = parts.iter().map(|part| part.load.seconds).sum::<Option<f64>>().map(rounded);
    cost.blocked_writes = Some(rounded(writes));
    cost.blocked_reads = Some(rounded(reads));
    // Where a statement cannot be told, what the others need is the least; nothing at all would be no number.
    let least = |amount: f64| (cost.seconds.is_some() || amount > 0.0).then_some(amount);
    cost.disk_bytes = least(disk).map(|disk| whole(rounded(disk)));
    cost.wal_bytes = least(log).map(|log| whole(rounded(log)));
    cost.lag_seconds = lag(log, facts);
    cost
}

impl Lock {
    /// Who waits for it for so many seconds.
    fn who_waits(&self, seconds: f64, facts: &TargetFacts) -> Blocked {
        let traffic = facts.measures.get(&self.there).and_then(|measure| measure.traffic);
        let expected = |rate: f64| rounded(rate * seconds);
        let keeps = |traffic: Traffic| if self.mode.blocks_readers() { traffic.reads_per_second } else { 0.0 };
        let readers = traffic.map(|traffic| expected(keeps(traffic)));
        let writers = traffic.map(|traffic| expected(traffic.writes_per_second));
        Blocked { relation: self.relation.clone(), lock: self.mode, seconds: rounded(seconds), readers, writers }
    }

    /// What the relation's traffic is, in words.
    fn traffic(&self, facts: &TargetFacts) -> Option<String> {
        let Traffic { reads_per_second, writes_per_second, since } = facts.measures.get(&self.there)?.traffic?;
        let relation = &self.relation;
        let since = since.words();
        Some(format!(
            "{relation} has {reads_per_second} reads and {writes_per_second} written rows in a second, {since}"
        ))
    }
}

/// How far replicas fall behind: what they are behind already, and the time to replay the log.
fn lag(log: f64, facts: &TargetFacts) -> Option<f64> {
    let behind = facts.replicas.iter().map(|replica| {
        let bytes = replica.lag_bytes.unwrap_or(0) as f64;
        replica.lag_seconds.unwrap_or(0.0).max(bytes / REPLAYED_BYTES)
    });
    behind.reduce(f64::max).map(|behind| rounded(behind + log / REPLAYED_BYTES))
}

/// What nobody can foretell of the wait for the locks themselves.
fn waits(parts: &[Part], place: Place<'_>) -> Vec<String> {
    let Some(oldest) = place.facts.long.first() else { return Vec::new() };
    let Some(Lock { relation, mode, .. }) = parts.iter().flat_map(|part| &part.locks).max_by_key(|lock| lock.mode)
    else {
        return Vec::new();
    };
    let who = if mode.blocks_readers() { "readers and writers" } else { "writers" };
    let timeout = super::words::about(place.lock_timeout_milliseconds as f64 / 1000.0);
    vec![format!(
        "how long it waits for its locks: process {} has had a transaction open for {:.0} s; if that uses {relation}, each of \
         {LOCK_TRIES} tries waits for {timeout}, and {who} queue behind it meanwhile",
        oldest.process, oldest.seconds
    )]
}

#[cfg(test)]
mod tests;
