//! A model check of the lease: every interleaving of two processes, one of which may be paused anywhere, with answers
//! that are lost, requests that arrive late, and a person who unlocks. The rules are the real ones ([`claim`],
//! `State::fold`, [`Fence::check`](switchback::world::Fence::check)); breaking one of them is noticed.
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
mod steps;

use std::collections::{HashMap, HashSet, VecDeque};

use rules::{Broken, Config, Folds, Model};

/// How the search went.
#[derive(Debug)]
struct Found {
    states: usize,
    violation: Option<String>,
}

/// Visits every state, the nearest first; the shortest way to a violation is told.
fn search(config: Config) -> Found {
    let mut folds = Folds::default();
    let start = Model::start(&config);
    let mut seen: HashSet<Model> = HashSet::from([start.clone()]);
    let mut came_from: HashMap<Model, (Model, String)> = HashMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(model) = open.pop_front() {
        for (step, result) in model.steps(&config, &mut folds) {
            let violation = match &result {
                Ok(next) => next.violation(&config, &mut folds),
                Err(why) => Some(why.clone()),
            };
            if let Some(violation) = violation {
                let way = way(&came_from, &model);
                return Found { states: seen.len(), violation: Some(format!("{violation}, after {way} {step}")) };
            }
            let next = result.expect("no violation");
            if seen.insert(next.clone()) {
                came_from.insert(next.clone(), (model.clone(), step));
                open.push_back(next);
            }
        }
    }
    if config.is_live {
        for model in &seen {
            if let Some(why) = model.is_stuck(&config, &mut folds) {
                let way = way(&came_from, model);
                return Found { states: seen.len(), violation: Some(format!("{why}, after {way}")) };
            }
        }
    }
    Found { states: seen.len(), violation: None }
}

fn way(came_from: &HashMap<Model, (Model, String)>, end: &Model) -> String {
    let (mut way, mut at) = (Vec::new(), end);
    while let Some((earlier, step)) = came_from.get(at) {
        way.push(step.as_str());
        at = earlier;
    }
    way.reverse();
    way.join(" ")
}

#[track_caller]
#[expect(clippy::print_stdout, reason = "how many states there are is quoted")]
fn holds(name: &str, config: Config) {
    let begun = std::time::Instant::now();
    let found = search(config);
    println!("{name}: {} states in {:.1} s", found.states, begun.elapsed().as_secs_f64());
    assert_eq!(found.violation, None);
    assert!(found.states > 1_000, "only {} states", found.states);
}

#[track_caller]
fn is_refuted(config: Config, broken: Broken, by: &str) {
    let found = search(Config { broken: Some(broken), ..config });
    let violation = found.violation.unwrap_or_else(|| panic!("{broken:?} goes unnoticed in {} states", found.states));
    assert!(violation.contains(by), "{broken:?}: {violation}");
}

/// Effects of two processes, one paused: nothing is sent beside the holder.
fn effects() -> Config {
    Config { effects: 1, pauses: 1, longest: 3, ..Config::default() }
}

/// Records whose answers are lost and whose requests come late.
fn records() -> Config {
    Config { works: 1, renewals: 1, losses: 1, longest: 4, ..Config::default() }
}

/// Migrations of two processes, one paused.
fn migrations() -> Config {
    Config { migrations: 1, pauses: 1, longest: 3, ..Config::default() }
}

#[test]
fn nothing_is_sent_beside_the_holder() {
    holds("effects", effects());
    holds("effects that are stopped before they are sent", Config { stops_before_sending: true, ..effects() });
}

#[test]
fn no_record_is_lost_or_doubled_and_a_lease_that_is_over_is_taken() {
    holds("records", Config { is_live: true, ..records() });
    holds("records beside a pause", Config { pauses: 1, renewals: 0, is_live: true, ..records() });
}

#[test]
fn a_person_may_unlock_and_the_chain_stays_whole() {
    holds("unlock", Config { unlocks: 1, works: 1, effects: 1, pauses: 1, longest: 4, ..Config::default() });
}

#[test]
fn a_stale_migration_does_not_commit() {
    holds("migrations", migrations());
}

#[test]
fn a_model_with_a_broken_rule_is_refuted() {
    is_refuted(effects(), Broken::DeadlineFromTheAnswer, "checked");
    is_refuted(effects(), Broken::NoFenceCheck, "checked");
    is_refuted(effects(), Broken::TakenEarly, "landed");
    is_refuted(effects(), Broken::LimitForgotten, "landed");
    is_refuted(records(), Broken::NoCompare, "not the holder");
    is_refuted(records(), Broken::WrittenAgain, "twice");
    is_refuted(migrations(), Broken::NoRowCheck, "committed");
    is_refuted(migrations(), Broken::NoRowLock, "committed");
    is_refuted(Config { is_live: true, ..records() }, Broken::NeverOver, "is never taken");
}
