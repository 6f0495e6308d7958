//! The laws of plan, apply and rollback, on generated worlds: a strict fake of the world, cut anywhere.

mod case;
mod executor;
mod fake;
mod fuzz;
mod gate;
mod generate;
mod kept;
mod place;
mod prefix;
mod store;
mod sweep;

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};

use generate::{Random, Spec};
use place::{Deed, Place, brief, runtime};
use switchback::step::ChangeSet;

fn is_long() -> bool {
    std::env::var_os("SWITCHBACK_TEST_LONG").is_some()
}

/// How many worlds are generated; the long mode of the development script has more.
fn cases() -> u64 {
    if is_long() { 1000 } else { 40 }
}

/// Does the work of every seed, on two threads. The first failure ends it.
fn workers(seeds: RangeInclusive<u64>, work: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(*seeds.start());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed > *seeds.end() {
                            return;
                        }
                        let guard = Stopper(&next);
                        work(seed);
                        std::mem::forget(guard);
                    }
                })
            })
            .collect();
        for thread in threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

/// Lets nobody take another seed once a worker has panicked.
struct Stopper<'a>(&'a AtomicU64);

impl Drop for Stopper<'_> {
    fn drop(&mut self) {
        self.0.store(u64::MAX / 2, Ordering::Relaxed);
    }
}

async fn planned(place: &Place, spec: &Spec) -> ChangeSet {
    let ledger = place.ledger().await.unwrap();
    place.plan(ledger.state(), spec).await.unwrap()
}

#[test]
fn an_apply_reaches_what_is_desired_and_planning_again_is_empty() {
    runtime().block_on(async {
        for seed in 1..=cases() {
            let mut random = Random::new(seed);
            let place = Place::new();
            let mut spec = Spec::generate(&mut random);
            for round in 0..3 {
                let reached = place.reach(&Deed::Apply(spec.clone())).await;
                let whole = match place.agree().await {
                    Ok(ledger) => place.is_whole(&ledger, Some(&spec)).await,
                    Err(why) => Err(why),
                };
                let whole = reached.and(whole);
                whole.unwrap_or_else(|why| panic!("seed {seed}, round {round}: {why}"));
                spec.mutate(&mut random);
            }
        }
    });
}

#[test]
fn the_order_of_the_input_means_nothing_and_equal_inputs_have_equal_digests() {
    runtime().block_on(async {
        for seed in 1..=cases() {
            let spec = Spec::generate(&mut Random::new(seed));
            let (first, second) = (planned(&Place::new(), &spec).await, planned(&Place::new(), &spec).await);
            assert_eq!(first.digest(), second.digest());
            let text = serde_json::to_string(&first).expect("a change set can be stored");
            let read: ChangeSet = serde_json::from_str(&text).expect("and read");
            assert_eq!(read, first);
            assert_eq!(read.digest(), first.digest());
        }
    });
}

#[test]
fn every_step_comes_after_those_it_waits_for_and_what_is_lossy_comes_late() {
    runtime().block_on(async {
        for seed in 1..=cases() {
            let mut random = Random::new(seed);
            let place = Place::new();
            let mut spec = Spec::generate(&mut random);
            place.reach(&Deed::Apply(spec.clone())).await.unwrap();
            spec.mutate(&mut random);
            let change_set = planned(&place, &spec).await;
            for step in &change_set.steps {
                assert!(step.after.iter().all(|before| *before < step.id), "seed {seed}: {step:?}");
            }
            let Some(point) = change_set.point_of_no_return else {
                assert_eq!(change_set.irreversible().count(), 0);
                continue;
            };
            // Whatever stands behind the point waits, directly or not, for something lossy.
            let mut beyond = std::collections::BTreeSet::new();
            for step in change_set.steps.iter().filter(|step| step.id >= point) {
                let waits = step.after.iter().any(|before| beyond.contains(before));
                assert!(waits || !step.inverse.is_reversible(), "seed {seed}: step {} could come earlier", step.id);
                beyond.insert(step.id);
            }
        }
    });
}

/// A need or a setting that changes nothing in the world is still remembered: the way back rests on it.
#[test]
fn what_is_only_said_otherwise_is_remembered_once() {
    runtime().block_on(async {
        let place = Place::new();
        let spec: Spec = "0t1 1s2 2r3".parse().unwrap();
        place.reach(&Deed::Apply(spec.clone())).await.unwrap();
        let before = place.world.things();
        let ledger = place.ledger().await.unwrap();
        let mut desired = spec.desired();
        let addresses: Vec<_> = desired.resources.keys().take(2).cloned().collect();
        let [first, second] = &addresses[..] else { panic!("two things") };
        let resource = desired.resources.get_mut(second).unwrap();
        resource.needs.insert(first.clone());
        resource.binding.settings.insert("profile".into(), "other".into());
        let change_set = place.plan_desired(ledger.state(), &desired).await.unwrap();
        let titles: Vec<_> = change_set.steps.iter().map(|step| (step.action.verb(), &step.address)).collect();
        assert_eq!(titles, [("remember", second)], "{}", brief(&change_set));
        place.carry_out(change_set).await.unwrap();
        assert_eq!(place.world.things(), before, "the world is not touched");
        let ledger = place.ledger().await.unwrap();
        let recorded = &ledger.state().things.resources[second];
        assert!(recorded.needs.contains(first) && recorded.binding.settings.contains_key("profile"));
        assert_eq!(place.plan_desired(ledger.state(), &desired).await.unwrap().steps.len(), 0);
    });
}
