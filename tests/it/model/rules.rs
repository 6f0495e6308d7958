//! The state of the model, and the real rules by which it is judged.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use switchback::digest::Digest;
pub use switchback::ledger::lease::Claim;
use switchback::ledger::lease::claim;
use switchback::ledger::state::Lease;
use switchback::ledger::{Actor, Body, Record, State};
use switchback::world::{Clock, Fence};

/// The length of a lease, in ticks.
pub const LENGTH: u8 = 2;
/// How long what was sent may take to arrive.
pub const LIMIT: u8 = 1;
/// Times beyond this are all the same.
pub const LONG: u8 = LENGTH + 1;

/// What may happen, and how often, for each process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Config {
    pub effects: u8,
    pub works: u8,
    pub renewals: u8,
    pub migrations: u8,
    /// Answers that are not waited for.
    pub losses: u8,
    /// Pauses of the first process.
    pub pauses: u8,
    pub unlocks: u8,
    /// The longest chain: then nobody begins anything new.
    pub longest: usize,
    /// A process may be stopped between the check and the sending.
    pub stops_before_sending: bool,
    /// Whether a lease that is over has to be taken.
    pub is_live: bool,
    pub broken: Option<Broken>,
}

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The deadline counts from when the lease was answered for, not from when it was asked for.
    DeadlineFromTheAnswer,
    /// Nobody looks at the fence.
    NoFenceCheck,
    /// A lease is called over one tick too early.
    TakenEarly,
    /// The check forgets how long a request may take.
    LimitForgotten,
    /// The store appends whatever was expected.
    NoCompare,
    /// What was not answered for is written as if it were new.
    WrittenAgain,
    /// A migration commits without looking at the row.
    NoRowCheck,
    /// It looks, and does not hold the row until its commit.
    NoRowLock,
    /// No lease is ever over.
    NeverOver,
}

/// A record, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    Leased { process: u8, over: Option<u8> },
    Work { lease: u8, process: u8, id: u8 },
    Renewed { lease: u8 },
    Released { lease: u8 },
    Unlocked,
}

/// Something that is to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    pub expected: u8,
    pub entry: Entry,
    /// Ticks since it was asked for.
    pub since: u8,
    /// Whether it was appended, once it has arrived.
    pub answer: Option<bool>,
}

/// A lease as its holder sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    pub number: u8,
    /// Ticks since what renewed it last was asked for.
    pub since: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flight {
    No,
    /// Past its check.
    Checked,
    /// For at most so many ticks more.
    Flying(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Migration {
    No,
    /// It has raised the row and works.
    Open,
    /// It has seen its own number in the row.
    Seen,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Process {
    pub is_paused: bool,
    /// How many records it has read.
    pub known: u8,
    /// It has read, and has not judged yet.
    pub has_read: bool,
    pub held: Option<Held>,
    pub request: Option<Request>,
    /// A request whose answer nobody waits for any more.
    pub ghost: Option<Request>,
    /// What was not answered for, and is to be written again.
    pub unanswered: Option<Entry>,
    pub flight: Flight,
    /// The lease that it was checked under.
    pub flight_of: u8,
    pub migration: Migration,
    /// Records that were answered for, as bits.
    pub answered: u8,
    pub works: u8,
    pub renewals: u8,
    pub effects: u8,
    pub migrations: u8,
    pub losses: u8,
}

impl Default for Flight {
    fn default() -> Self {
        Self::No
    }
}

impl Default for Migration {
    fn default() -> Self {
        Self::No
    }
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Model {
    pub chain: Vec<Entry>,
    /// Ticks since the newest record, on the store's clock.
    pub age: u8,
    pub processes: [Process; 2],
    pub pauses: u8,
    pub unlocks: u8,
    /// The number in the database's row, and who holds the row.
    pub row: u8,
    pub row_held: Option<u8>,
}

/// What the real fold says of chains.
#[derive(Default)]
pub struct Folds(HashMap<Vec<Entry>, Result<Option<Lease>, String>>);

impl Folds {
    /// The lease after these records.
    pub fn lease(&mut self, chain: &[Entry]) -> Result<Option<Lease>, String> {
        if let Some(known) = self.0.get(chain) {
            return known.clone();
        }
        let folded = fold(chain);
        self.0.insert(chain.to_vec(), folded.clone());
        folded
    }

    /// The number of the lease that is held.
    pub fn number(&mut self, chain: &[Entry]) -> Option<u8> {
        self.lease(chain).ok().flatten().map(|lease| lease.number as u8)
    }
}

fn fold(chain: &[Entry]) -> Result<Option<Lease>, String> {
    let mut state = State::default();
    for (sequence, entry) in (1..).zip(chain) {
        let actor = Actor { name: "one".into(), host: "here".into(), tool: "0".into(), process: 1, commit: None };
        let (lease, body) = match *entry {
            Entry::Leased { process, over } => {
                let body = Body::Leased {
                    actor: Actor { process: u32::from(process), ..actor },
                    purpose: String::new(),
                    milliseconds: u64::from(LENGTH) * 1_000,
                    nonce: String::new(),
                    life: None,
                    over: over.map(u64::from),
                };
                (None, body)
            }
            Entry::Work { lease, process, id } => {
                let spec_digest = Digest::of_bytes(&[process, id]);
                (Some(lease), Body::Held { spec_digest, run: None, reason: String::new() })
            }
            Entry::Renewed { lease } => (Some(lease), Body::Renewed),
            Entry::Released { lease } => (Some(lease), Body::Released),
            Entry::Unlocked => (None, Body::Unlocked { actor, reason: String::new() }),
        };
        let record = Record {
            format: 2,
            sequence,
            previous: Digest::of_bytes(b""),
            time: jiff::Timestamp::UNIX_EPOCH,
            lease: lease.map(u64::from),
            body,
        };
        state.fold(&record).map_err(|error| format!("somebody wrote who was not the holder: {error}"))?;
    }
    Ok(state.lease)
}

/// The real rule of who may take a lease.
pub fn judge(lease: Option<&Lease>, age: u8, broken: Option<Broken>) -> Claim {
    let early = u8::from(broken == Some(Broken::TakenEarly));
    match broken {
        Some(Broken::NeverOver) if lease.is_some() => Claim::Held(Duration::from_secs(1)),
        _ => claim(lease, Duration::from_secs(u64::from(age + early)), false),
    }
}

struct Hand(u8);

impl Clock for Hand {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(u64::from(self.0))
    }
}

/// The real fence of a lease whose newest record was asked for so many ticks ago.
pub fn may_send(held: Held, broken: Option<Broken>) -> bool {
    let limit = if broken == Some(Broken::LimitForgotten) { 0 } else { LIMIT };
    let length = Duration::from_secs(u64::from(LENGTH));
    let clock = Arc::new(Hand(held.since));
    let fence = Fence::new("chain", u64::from(held.number), "one", Duration::ZERO, length, clock);
    broken == Some(Broken::NoFenceCheck) || fence.check("send", Duration::from_secs(u64::from(limit))).is_ok()
}
