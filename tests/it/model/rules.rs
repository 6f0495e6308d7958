//! What the real rules say of chains, leases and checks; each is asked once for each thing that can be asked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use switchback::digest::Digest;
use switchback::ledger::lease::{Claim, claim};
use switchback::ledger::state::Lease;
use switchback::ledger::{Actor, Body, Record, State};
use switchback::world::{Clock, Fence};

use super::Broken;
use super::state::Entry;

/// The length of a lease, in ticks. Times beyond it are all the same.
pub const LENGTH: u8 = 2;
/// How long what was sent may take to arrive.
pub const LIMIT: u8 = 1;

/// A chain, by its place in [`Rules`].
pub type Chain = u16;

/// What is known of one chain.
struct Known {
    entries: Vec<Entry>,
    lease: Option<Lease>,
    /// Why it must not be.
    wrong: Option<&'static str>,
    is_unlocked: bool,
    claims: [Option<Claim>; LENGTH as usize + 1],
    longer: HashMap<Entry, Chain>,
}

/// The real rules, with what they said.
pub struct Rules {
    broken: Option<Broken>,
    chains: Vec<Known>,
    may_send: [Option<bool>; LENGTH as usize + 1],
}

impl Rules {
    /// The empty chain is the first.
    pub fn new(broken: Option<Broken>) -> Self {
        Self { broken, chains: vec![known(Vec::new())], may_send: [None; LENGTH as usize + 1] }
    }

    pub fn is_broken(&self, how: Broken) -> bool {
        self.broken == Some(how)
    }

    /// How many chains there were.
    pub fn chains(&self) -> usize {
        self.chains.len()
    }

    pub fn entries(&self, chain: Chain) -> &[Entry] {
        &self.chains[usize::from(chain)].entries
    }

    pub fn len(&self, chain: Chain) -> u8 {
        self.entries(chain).len() as u8
    }

    /// The number of the lease that is held; 0 when there is none.
    pub fn lease(&self, chain: Chain) -> u8 {
        self.chains[usize::from(chain)].lease.as_ref().map_or(0, |lease| lease.number as u8)
    }

    pub fn is_unlocked(&self, chain: Chain) -> bool {
        self.chains[usize::from(chain)].is_unlocked
    }

    /// Why a chain must not be.
    pub fn wrong(&self, chain: Chain) -> Option<&'static str> {
        self.chains[usize::from(chain)].wrong
    }

    /// The chain with one more record.
    pub fn push(&mut self, chain: Chain, entry: Entry) -> Chain {
        if let Some(longer) = self.chains[usize::from(chain)].longer.get(&entry) {
            return *longer;
        }
        let longer = Chain::try_from(self.chains.len()).expect("few chains");
        let entries = self.entries(chain).iter().copied().chain([entry]).collect();
        self.chains.push(known(entries));
        self.chains[usize::from(chain)].longer.insert(entry, longer);
        longer
    }

    /// The real rule of who may take a lease, at this age of the newest record.
    pub fn claim(&mut self, chain: Chain, age: u8) -> Claim {
        let never = self.is_broken(Broken::NeverOver);
        let early = u8::from(self.is_broken(Broken::TakenEarly));
        let Known { lease, claims, .. } = &mut self.chains[usize::from(chain)];
        *claims[usize::from(age)].get_or_insert_with(|| match lease {
            Some(_) if never => Claim::Held(Duration::from_secs(1)),
            _ => claim(lease.as_ref(), Duration::from_secs(u64::from(age + early)), false),
        })
    }

    /// The real check of a lease whose newest record was asked for so many ticks ago.
    pub fn may_send(&mut self, since: u8) -> bool {
        let limit = if self.is_broken(Broken::LimitForgotten) { 0 } else { LIMIT };
        let unchecked = self.is_broken(Broken::NoFenceCheck);
        *self.may_send[usize::from(since)].get_or_insert_with(|| {
            let length = Duration::from_secs(u64::from(LENGTH));
            let fence = Fence::new("chain", 1, "one", Duration::ZERO, length, Arc::new(Hand(since)));
            unchecked || fence.check("send", Duration::from_secs(u64::from(limit))).is_ok()
        })
    }

    /// The record that whoever asks now would write.
    pub fn asked(&mut self, chain: Chain, age: u8) -> Option<Entry> {
        match self.claim(chain, age) {
            Claim::Free => Some(Entry::Leased { over: 0 }),
            Claim::Over(number) => Some(Entry::Leased { over: number as u8 }),
            Claim::Held(_) => None,
        }
    }
}

fn known(entries: Vec<Entry>) -> Known {
    let folded = fold(&entries);
    let is_twice = |entry: &Entry| {
        matches!(entry, Entry::Work { .. }) && entries.iter().filter(|other| *other == entry).count() > 1
    };
    let wrong = match &folded {
        Err(_) => Some("somebody wrote and was not the holder"),
        Ok(_) if entries.iter().any(is_twice) => Some("a record stands in the chain twice"),
        Ok(_) => None,
    };
    let is_unlocked = entries.contains(&Entry::Unlocked);
    let lease = folded.ok().flatten();
    Known { entries, lease, wrong, is_unlocked, claims: Default::default(), longer: HashMap::new() }
}

/// The real fold.
fn fold(entries: &[Entry]) -> Result<Option<Lease>, switchback::ledger::state::FoldError> {
    let mut state = State::default();
    for (sequence, entry) in (1..).zip(entries) {
        let actor = Actor { name: "one".into(), host: "here".into(), tool: "0".into(), process: 1, commit: None };
        let (lease, body) = match *entry {
            Entry::Leased { over } => {
                let body = Body::Leased {
                    actor,
                    purpose: String::new(),
                    milliseconds: u64::from(LENGTH) * 1_000,
                    nonce: String::new(),
                    life: None,
                    over: (over > 0).then_some(u64::from(over)),
                };
                (0, body)
            }
            Entry::Work { lease, id } => {
                (lease, Body::Held { spec_digest: Digest::of_bytes(&[id]), run: None, reason: String::new() })
            }
            Entry::Renewed { lease } => (lease, Body::Renewed),
            Entry::Released { lease } => (lease, Body::Released),
            Entry::Unlocked => (0, Body::Unlocked { actor, reason: String::new() }),
        };
        let record = Record {
            format: 2,
            sequence,
            previous: Digest::of_bytes(b""),
            time: jiff::Timestamp::UNIX_EPOCH,
            lease: (lease > 0).then_some(u64::from(lease)),
            body,
        };
        state.fold(&record)?;
    }
    Ok(state.lease)
}

/// A clock that was set by hand.
struct Hand(u8);

impl Clock for Hand {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(u64::from(self.0))
    }
}
