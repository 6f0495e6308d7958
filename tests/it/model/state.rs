//! The state of the model: small, copied, and brought to one form.
//!
//! Invariant: two states with the same key can do the same; what cannot matter any more is struck, and the two
//! processes have no names.

use super::rules::{Chain, LENGTH, Rules};
use super::{Broken, Config};

/// A record, as far as it matters. A lease is told by its number; 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    Leased { over: u8 },
    Work { lease: u8, id: u8 },
    Renewed { lease: u8 },
    Released { lease: u8 },
    Unlocked,
}

/// Something that is to be appended.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub expected: u8,
    pub entry: Entry,
    /// Ticks since it was asked for.
    pub since: u8,
    /// Whether it was appended, once it has arrived.
    pub answer: Option<bool>,
}

/// A lease as its holder sees it.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub number: u8,
    /// Ticks since what renewed it last was asked for.
    pub since: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flight {
    #[default]
    No,
    /// Past its check.
    Checked,
    /// For at most so many ticks more.
    Flying(u8),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Migration {
    #[default]
    No,
    /// It has raised the row and works.
    Open,
    /// It has seen its own number in the row, and holds the row.
    Seen,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    /// It has read the chain as it is, and has not judged yet.
    pub has_read: bool,
    pub held: Option<Held>,
    /// How many records the holder knows of.
    pub known: u8,
    pub request: Option<Request>,
    /// A request whose answer nobody waits for any more.
    pub ghost: Option<Request>,
    /// What was not answered for, and is to be written again.
    pub unanswered: Option<Entry>,
    pub flight: Flight,
    pub migration: Migration,
    /// The lease that these were checked under.
    pub under: u8,
    pub works: u8,
    pub renewals: u8,
    pub effects: u8,
    pub migrations: u8,
    pub losses: u8,
}

/// Everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Model {
    pub chain: Chain,
    /// Ticks since the newest record, on the store's clock.
    pub age: u8,
    pub unlocks: u8,
    /// The number in the database's row.
    pub row: u8,
    pub processes: [Process; 2],
}

/// Every bit of a state.
pub type Key = [u64; 3];

/// Puts small numbers side by side.
struct Bits(u64);

impl Bits {
    fn put(&mut self, value: u8, width: u32) {
        debug_assert!(u32::from(value) < 1 << width, "{value} has no room in {width} bits");
        self.0 = self.0 << width | u64::from(value);
    }

    fn entry(&mut self, entry: Option<Entry>) {
        let (kind, lease, id) = match entry {
            None => (0, 0, 0),
            Some(Entry::Leased { over }) => (1, over, 0),
            Some(Entry::Work { lease, id }) => (2, lease, id),
            Some(Entry::Renewed { lease }) => (3, lease, 0),
            Some(Entry::Released { lease }) => (4, lease, 0),
            Some(Entry::Unlocked) => (5, 0, 0),
        };
        self.put(kind << 4 | lease << 1 | id, 7);
    }
}

impl Process {
    /// Whether it does nothing in the world.
    pub fn is_at_rest(&self) -> bool {
        (self.flight, self.migration) == (Flight::No, Migration::No)
    }

    /// Its lease, unless it is giving it back.
    pub fn working(&self) -> Option<Held> {
        let is_leaving = |request: Request| matches!(request.entry, Entry::Released { .. });
        self.held.filter(|_| !self.request.is_some_and(is_leaving))
    }

    /// What cannot matter any more is struck.
    fn strike(&mut self, length: u8, config: &Config) {
        let is_compared = config.broken != Some(Broken::NoCompare);
        if self.held.is_none() {
            (self.known, self.unanswered) = (0, None);
        }
        if self.is_at_rest() {
            self.under = 0;
        }
        // What expects a shorter chain is refused whenever it arrives.
        let is_late = |request: &Request| is_compared && request.expected < length;
        self.ghost = self.ghost.filter(|ghost| !is_late(ghost)).map(|ghost| Request { since: 0, ..ghost });
        if let Some(request) = &mut self.request {
            if request.answer.is_none() && is_late(request) {
                request.answer = Some(false);
            }
            if matches!(request.entry, Entry::Released { .. }) {
                request.since = 0;
            }
        }
        // Whoever asked for the lease and was too late asks again.
        let is_refused = |request: &Request| {
            matches!(request.entry, Entry::Leased { .. }) && request.answer == Some(false) && self.held.is_none()
        };
        self.request = self.request.filter(|request| !is_refused(request));
    }

    fn key(&self) -> u64 {
        let mut bits = Bits(0);
        bits.put(u8::from(self.has_read), 1);
        bits.put(self.held.map_or(0, |held| held.number << 2 | held.since), 5);
        bits.put(self.known, 3);
        bits.entry(self.request.map(|request| request.entry));
        let answer = |request: Request| request.answer.map_or(0, |answer| 1 + u8::from(answer));
        bits.put(self.request.map_or(0, |request| request.expected << 4 | request.since << 2 | answer(request)), 7);
        bits.entry(self.ghost.map(|ghost| ghost.entry));
        bits.put(self.ghost.map_or(0, |ghost| ghost.expected), 3);
        bits.entry(self.unanswered);
        let flight = match self.flight {
            Flight::No => 0,
            Flight::Checked => 1,
            Flight::Flying(left) => 2 + left,
        };
        bits.put(flight, 3);
        bits.put(self.migration as u8, 2);
        bits.put(self.under, 3);
        for count in [self.works, self.renewals, self.effects, self.migrations, self.losses] {
            bits.put(count, 2);
        }
        bits.0
    }
}

impl Model {
    /// Brings it to its one form. Gives its key, and whether the processes changed places.
    pub fn settle(&mut self, rules: &Rules, config: &Config) -> (Key, bool) {
        let length = rules.len(self.chain);
        if rules.lease(self.chain) == 0 {
            self.age = 0;
        }
        for process in &mut self.processes {
            process.strike(length, config);
        }
        let [mut first, mut second] = [self.processes[0].key(), self.processes[1].key()];
        let is_swapped = first > second;
        if is_swapped {
            self.processes.swap(0, 1);
            (first, second) = (second, first);
        }
        let rest = u64::from(self.chain) << 16 | u64::from(self.age) << 12 | u64::from(self.unlocks) << 8;
        ([first, second, rest | u64::from(self.row)], is_swapped)
    }

    /// A record reaches the end of the chain.
    pub fn push(&mut self, entry: Entry, rules: &mut Rules) {
        self.chain = rules.push(self.chain, entry);
        self.age = 0;
        // What was read of a shorter chain is judged by nothing: it is read again.
        for process in &mut self.processes {
            process.has_read = false;
        }
    }

    /// All clocks go on; nothing, if something has to land first.
    pub fn later(mut self) -> Option<Self> {
        let on = |time: u8| (time + 1).min(LENGTH);
        self.age = on(self.age);
        for process in &mut self.processes {
            if let Some(request) = &mut process.request {
                request.since = on(request.since);
            }
            if let Some(held) = &mut process.held {
                held.since = on(held.since);
            }
            if let Flight::Flying(left) = &mut process.flight {
                *left = left.checked_sub(1)?;
            }
        }
        Some(self)
    }
}
