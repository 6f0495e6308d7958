//! A model check of the lease: every interleaving of two processes, with answers that are lost, requests that arrive
//! late, and a person who unlocks. The rules are the real ones ([`claim`](switchback::ledger::lease::claim),
//! `State::fold`, [`Fence::check`](switchback::world::Fence::check)); breaking one of them is noticed.
//!
//! A process is paused wherever the clocks go on and it takes no step: so each of them may be, anywhere, for any time.
//!
//! What holds, and is checked in every state that can be reached:
//!
//! 1. Whatever is in the chain was written by the holder of that moment (`State::fold` takes it).
//! 2. A check of the fence that succeeds does so while the lease is held: never after a take-over.
//! 3. What was sent right after its check lands before a take-over. Where the process is stopped between the two it
//!    may land later, once: no second check succeeds.
//! 4. A record whose answer was lost stands in the chain once; one that was answered for stands there.
//! 5. A migration commits only while no later holder has raised the row of its database.
//! 6. A lease that is over is taken by whoever asks for it, whatever became of its holder.
//!
//! An unlock suspends 2 and 3: that is what it says it risks.

mod rules;
mod state;
mod steps;

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use rules::{LENGTH, Rules};
use state::{Key, Model};
use steps::{Step, Steps};

/// No search has more states; one that does fails.
const MOST_STATES: usize = 12_000_000;

/// What may happen, and how often, for each process.
#[derive(Clone, Copy, Debug, Default)]
struct Config {
    effects: u8,
    works: u8,
    renewals: u8,
    migrations: u8,
    /// Answers that are not waited for.
    losses: u8,
    /// By a person, at any time.
    unlocks: u8,
    /// How long the chain is when nobody begins anything new any more.
    records: u8,
    /// A process may be stopped between the check and the sending.
    stops_before_sending: bool,
    broken: Option<Broken>,
}

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
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
    /// A repetition that finds its record there counts as a sign of life of now.
    RenewedByRepetition,
    /// A migration commits without looking at the row.
    NoRowCheck,
    /// It looks, and does not hold the row until its commit.
    NoRowLock,
    /// No lease is ever over.
    NeverOver,
}

/// How the search went.
struct Found {
    states: usize,
    steps: usize,
    chains: usize,
    violation: Option<String>,
}

/// A state that was reached.
struct Reached {
    model: Model,
    from: u32,
    step: Step,
    /// Whether the processes changed places when it was brought to its one form.
    is_swapped: bool,
}

/// Keys are as good as random after one multiplication.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_ne_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93_u128;
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }

    fn write_usize(&mut self, _length: usize) {}
}

/// Visits every state, the nearest first; the shortest way to a violation is told.
fn search(config: &Config) -> Found {
    let mut rules = Rules::new(config.broken);
    let mut seen: HashSet<Key, BuildHasherDefault<KeyHasher>> = HashSet::default();
    let mut start = Model::default();
    let (key, is_swapped) = start.settle(&rules, config);
    seen.insert(key);
    let step = Step { name: "start", process: None };
    let mut reached = vec![Reached { model: start, from: 0, step, is_swapped }];
    let (mut at, mut taken, mut violation) = (0, 0, None);
    let mut steps = Steps { config, rules: &mut rules, next: Vec::new() };
    while at < reached.len() && violation.is_none() {
        let model = reached[at].model;
        if let Some(why) = stuck(&model, steps.rules) {
            violation = Some(format!("{why}, after {}", way(&reached, at, None)));
            break;
        }
        steps.find(&model);
        taken += steps.next.len();
        for (step, result) in &steps.next {
            let wrong = result.map_or_else(Some, |next| steps.rules.wrong(next.chain));
            let Ok(mut next) = result.and_then(|next| wrong.map_or(Ok(next), Err)) else {
                let why = wrong.unwrap_or_default();
                violation = Some(format!("{why}, after {}", way(&reached, at, Some(*step))));
                break;
            };
            let (key, is_swapped) = next.settle(steps.rules, config);
            if seen.insert(key) {
                reached.push(Reached { model: next, from: at as u32, step: *step, is_swapped });
            }
        }
        assert!(reached.len() <= MOST_STATES, "the search did not come to its end");
        at += 1;
    }
    Found { states: reached.len(), steps: taken, chains: rules.chains(), violation }
}

/// Whoever asks for a lease when its holder says nothing more gets it, once its length is over.
fn stuck(model: &Model, rules: &mut Rules) -> Option<&'static str> {
    let taken = (0..=LENGTH).find_map(|ticks| rules.asked(model.chain, (model.age + ticks).min(LENGTH)));
    match taken.map(|entry| rules.push(model.chain, entry)) {
        Some(chain) => rules.wrong(chain),
        None => Some("a lease that is over is never taken"),
    }
}

/// The steps from the start to here, by the names that the processes had at the start.
fn way(reached: &[Reached], end: usize, last: Option<Step>) -> String {
    let (mut way, mut at) = (Vec::new(), end);
    while at > 0 {
        way.push((reached[at].step, reached[at].is_swapped));
        at = reached[at].from as usize;
    }
    way.reverse();
    way.extend(last.map(|step| (step, false)));
    let mut is_swapped = false;
    let told = way.into_iter().map(|(step, swaps)| {
        let who = step.process.map(|second| if second != is_swapped { "B " } else { "A " });
        is_swapped ^= swaps;
        format!("{}{}", who.unwrap_or_default(), step.name)
    });
    told.collect::<Vec<_>>().join(", ")
}

#[track_caller]
#[expect(clippy::print_stdout, reason = "how many states there are is quoted")]
fn holds(name: &str, config: Config) {
    let begun = std::time::Instant::now();
    let Found { states, steps, chains, violation } = search(&config);
    let seconds = begun.elapsed().as_secs_f64();
    println!("{name}: all of {states} states, {steps} steps, {chains} chains, in {seconds:.1} s");
    assert_eq!(violation, None);
    assert!(states > 1_000, "only {states} states");
}

#[track_caller]
#[expect(clippy::print_stdout, reason = "the way to a violation is worth reading")]
fn is_refuted(config: Config, broken: Broken, by: &str) {
    let found = search(&Config { broken: Some(broken), ..config });
    let violation = found.violation.unwrap_or_else(|| panic!("{broken:?} goes unnoticed in {} states", found.states));
    println!("{broken:?}, {} states: {violation}", found.states);
    assert!(violation.contains(by), "{broken:?}: {violation}");
}

/// One more with `SWITCHBACK_TEST_LONG`.
fn more() -> u8 {
    u8::from(std::env::var_os("SWITCHBACK_TEST_LONG").is_some())
}

/// Effects of two processes: nothing is sent beside the holder.
fn effects() -> Config {
    Config { effects: 2, renewals: 1, records: 4 + more(), ..Config::default() }
}

/// Records whose answers are lost and whose requests come late.
fn records() -> Config {
    Config { works: 1, renewals: 1, losses: 1, records: 4 + more(), ..Config::default() }
}

/// Migrations of two processes.
fn migrations() -> Config {
    Config { migrations: 2, renewals: 1, records: 4 + more(), ..Config::default() }
}

#[test]
fn nothing_is_sent_beside_the_holder() {
    holds("effects", effects());
    holds("effects that are stopped before they are sent", Config { stops_before_sending: true, ..effects() });
}

#[test]
fn no_record_is_lost_or_doubled_and_a_lease_that_is_over_is_taken() {
    holds("records", records());
    holds("records and effects", Config { effects: 1, ..records() });
}

#[test]
fn a_person_may_unlock_and_the_chain_stays_whole() {
    holds("unlock", Config { unlocks: 1, works: 1, effects: 1, losses: 1, records: 4, ..Config::default() });
}

#[test]
fn a_stale_migration_does_not_commit() {
    holds("migrations", migrations());
    holds(
        "migrations and lost answers",
        Config { migrations: 1, works: 1, losses: 1, records: 3, ..Config::default() },
    );
}

#[test]
fn a_model_with_a_broken_rule_is_refuted() {
    is_refuted(effects(), Broken::DeadlineFromTheAnswer, "checked");
    is_refuted(effects(), Broken::NoFenceCheck, "checked");
    is_refuted(effects(), Broken::TakenEarly, "landed");
    is_refuted(effects(), Broken::LimitForgotten, "landed");
    is_refuted(records(), Broken::NoCompare, "not the holder");
    is_refuted(records(), Broken::WrittenAgain, "twice");
    is_refuted(Config { effects: 1, ..records() }, Broken::RenewedByRepetition, "checked");
    is_refuted(migrations(), Broken::NoRowCheck, "committed");
    is_refuted(migrations(), Broken::NoRowLock, "committed");
    is_refuted(records(), Broken::NeverOver, "is never taken");
}
