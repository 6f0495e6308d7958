//! The laws of plan, apply and rollback, on generated worlds: a strict fake of the world, cut anywhere.

mod fake;
mod generate;

use std::sync::Arc;

use fake::{FakeWorld, Kinds3, NoSecrets};
use generate::{Random, Spec};
use switchback::apply::{Executor, Outcome, Retries, Silent, StopSignal};
use switchback::kind::Kinds;
use switchback::ledger::{Actor, Ledger, MemoryStore, Store};
use switchback::observe::{Subject, observe};
use switchback::plan::{Inputs, Options, plan};
use switchback::resolve::desired::Desired;
use switchback::rollback::rollback;
use switchback::step::{ChangeSet, Inverse};

/// One environment: a fake world and a ledger in memory, which may be cut.
struct Place {
    world: Arc<FakeWorld>,
    store: Arc<fake::CutStore>,
    kinds: Kinds,
}

impl Place {
    fn new() -> Self {
        let world = Arc::new(FakeWorld::default());
        let store = Arc::new(fake::CutStore::new(Arc::new(MemoryStore::default()), world.cuts()));
        Self { world, store, kinds: Kinds3::table() }
    }

    async fn ledger(&self) -> Ledger {
        let store: Arc<dyn Store> = Arc::<fake::CutStore>::clone(&self.store);
        Ledger::open(store).await.expect("the chain is whole")
    }

    async fn plan(&self, desired: &Desired) -> ChangeSet {
        let ledger = self.ledger().await;
        let subject = Subject::of(Some(desired), &ledger.state().things, &self.kinds);
        let (observed, errors) = observe(&self.world.world(), &self.kinds, &NoSecrets, &subject).await;
        assert_eq!(errors, []);
        let inputs = Inputs { state: ledger.state(), observed: &observed, kinds: &self.kinds, secrets: &NoSecrets };
        let (change_set, mistakes) = plan(desired, inputs, &Options::default());
        assert!(!mistakes.has_errors(), "{mistakes:?}");
        change_set
    }

    async fn plan_back(&self, to: u64) -> ChangeSet {
        let ledger = self.ledger().await;
        let then = ledger.things_after(to).await.expect("the run is there");
        let subject = Subject::of(None, &ledger.state().things, &self.kinds);
        let (observed, errors) = observe(&self.world.world(), &self.kinds, &NoSecrets, &subject).await;
        assert_eq!(errors, []);
        let inputs = Inputs { state: ledger.state(), observed: &observed, kinds: &self.kinds, secrets: &NoSecrets };
        let (change_set, mistakes) = rollback(&then, to, inputs);
        assert!(!mistakes.has_errors(), "{mistakes:?}");
        change_set
    }

    /// Carries out a change set; nothing when the process "died" at the armed cut.
    async fn run(&self, change_set: ChangeSet) -> Option<Outcome> {
        self.run_with(change_set, 4).await
    }

    async fn run_with(&self, change_set: ChangeSet, concurrency: usize) -> Option<Outcome> {
        let mut ledger = self.ledger().await;
        let world = self.world.world();
        let executor = Executor {
            world: &world,
            kinds: &self.kinds,
            secrets: &NoSecrets,
            listener: &Silent,
            concurrency,
            stop: StopSignal::default(),
            retries: Retries::none(),
        };
        let source = change_set.digest();
        let work = executor.apply(&mut ledger, change_set, source, actor());
        let cuts = self.world.cuts();
        tokio::select! {
            outcome = work => Some(outcome.expect("nothing stands in the way")),
            () = cuts.death() => None,
        }
    }

    /// Settles and goes on, or only settles.
    async fn recover(&self, go_on: bool) {
        let mut ledger = self.ledger().await;
        if ledger.state().unfinished().is_none() {
            return;
        }
        let world = self.world.world();
        let executor = Executor {
            world: &world,
            kinds: &self.kinds,
            secrets: &NoSecrets,
            listener: &Silent,
            concurrency: 4,
            stop: StopSignal::default(),
            retries: Retries::none(),
        };
        if go_on {
            let outcome = executor.resume(&mut ledger, actor()).await.expect("a run can be resumed");
            assert!(outcome.is_complete(), "{outcome:?}");
        } else {
            assert_eq!(executor.settle(&mut ledger).await.expect("a run can be settled"), []);
        }
    }

    /// Brings the world to a spec, whole.
    async fn reach(&self, desired: &Desired) -> u64 {
        let change_set = self.plan(desired).await;
        if change_set.steps.is_empty() {
            return self.ledger().await.state().runs.last().map_or(0, |run| run.number);
        }
        let steps = brief(&change_set);
        let outcome = self.run(change_set).await.expect("no cut is armed");
        assert!(outcome.is_complete(), "{outcome:?}\n{steps}");
        outcome.run
    }
}

/// A change set in a few lines, for messages.
fn brief(change_set: &ChangeSet) -> String {
    let line = |step: &switchback::step::Step| {
        let after: Vec<_> = step.after.iter().map(|id| id.0).collect();
        let needs: Vec<_> = step.needs.iter().map(ToString::to_string).collect();
        let object = step.action.after().or_else(|| step.action.before());
        format!(
            "{} {} {} {:?} after {after:?} needs {needs:?} {object:?}\n",
            step.id,
            step.action.verb(),
            step.title(),
            step.reason
        )
    };
    change_set.steps.iter().map(line).collect()
}

fn actor() -> Actor {
    Actor { name: "test".into(), host: "here".into(), tool: "0".into(), process: 1, commit: None }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

/// How many worlds are generated; the long mode of the development script has more.
fn cases() -> u64 {
    if std::env::var_os("SWITCHBACK_TEST_LONG").is_some() { 1000 } else { 40 }
}

#[test]
fn an_apply_reaches_what_is_desired_and_planning_again_is_empty() {
    runtime().block_on(async {
        for seed in 1..=cases() {
            let mut random = Random::new(seed);
            let place = Place::new();
            let mut spec = Spec::generate(&mut random);
            for round in 0..3 {
                let desired = spec.desired();
                place.reach(&desired).await;
                place.world.assert_is(&spec, &format!("seed {seed}, round {round}"));
                let again = place.plan(&desired).await;
                assert_eq!(again.steps.len(), 0, "seed {seed}, round {round}: {}", brief(&again));
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
            let (first, second) = (Place::new().plan(&spec.desired()).await, Place::new().plan(&spec.desired()).await);
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
            place.reach(&spec.desired()).await;
            spec.mutate(&mut random);
            let change_set = place.plan(&spec.desired()).await;
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

/// For every k: k steps are done, then the way back is taken.
#[test]
fn every_prefix_of_an_apply_can_be_taken_back() {
    runtime().block_on(async {
        for seed in 1..=cases() / 4 {
            let mut random = Random::new(seed);
            let first = Spec::generate(&mut random);
            let mut second = first.clone();
            second.mutate(&mut random);
            let mut steps = 1;
            let mut prefix = 0;
            while prefix < steps {
                let place = Place::new();
                let before_run = place.reach(&first.desired()).await;
                let start = place.world.snapshot();
                let change_set = place.plan(&second.desired()).await;
                steps = change_set.steps.len();
                let exact = change_set.steps.iter().all(|step| matches!(step.inverse, Inverse::Exact { .. }));
                place.world.cuts().fail_after_effects(prefix);
                if steps > 0 {
                    place.run_with(change_set, 1).await.expect("a refusal is no death");
                    place.world.cuts().disarm();
                    back(&place, before_run).await;
                    let now = place.world.snapshot();
                    if exact {
                        assert_eq!(now, start, "seed {seed}, prefix {prefix}");
                    }
                    place.world.assert_is(&first, &format!("seed {seed}, prefix {prefix}"));
                }
                prefix += 1;
            }
        }
    });
}

/// Apply dies at every ledger write, before and after it, and before and after every effect.
#[test]
fn apply_can_die_anywhere_and_is_finished_or_taken_back() {
    runtime().block_on(async {
        let mut cuts = 0;
        for seed in 1..=cases() / 8 {
            let mut random = Random::new(seed);
            let first = Spec::generate(&mut random);
            let mut second = first.clone();
            second.mutate(&mut random);
            for go_on in [true, false] {
                let mut at = 0;
                loop {
                    let place = Place::new();
                    let before_run = place.reach(&first.desired()).await;
                    let change_set = place.plan(&second.desired()).await;
                    if change_set.steps.is_empty() {
                        break;
                    }
                    place.world.cuts().die_at(at);
                    let survived = place.run(change_set).await.is_some();
                    place.world.cuts().disarm();
                    if survived {
                        break;
                    }
                    place.recover(go_on).await;
                    let what = format!("seed {seed}, cut {at}, go on {go_on}");
                    if go_on {
                        place.reach(&second.desired()).await;
                        place.world.assert_is(&second, &what);
                    } else {
                        back(&place, before_run).await;
                        place.world.assert_is(&first, &what);
                    }
                    at += 1;
                    cuts += 1;
                }
            }
        }
        assert!(cuts > 100, "only {cuts} cuts were tried");
        println!("{cuts} cuts");
    });
}

async fn back(place: &Place, to: u64) {
    let change_set = place.plan_back(to).await;
    if change_set.steps.is_empty() {
        return;
    }
    let steps = brief(&change_set);
    let outcome = place.run(change_set).await.expect("no cut is armed");
    assert!(outcome.is_complete(), "{outcome:?}\n{steps}");
    let again = place.plan_back(to).await;
    assert_eq!(again.steps.len(), 0, "the way back is not whole:\n{}\nit was:\n{steps}", brief(&again));
}

/// A need or a setting that changes nothing in the world is still remembered: the way back rests on it.
#[test]
fn what_is_only_said_otherwise_is_remembered_once() {
    runtime().block_on(async {
        let place = Place::new();
        let spec = Spec::generate(&mut Random::new(5));
        let mut desired = spec.desired();
        place.reach(&desired).await;
        let before = place.world.snapshot();
        let free = |address: &&switchback::address::Address| desired.resources[*address].needs.is_empty();
        let addresses: Vec<_> = desired.resources.keys().filter(free).take(2).cloned().collect();
        let [first, second] = &addresses[..] else { panic!("two things without needs") };
        let resource = desired.resources.get_mut(second).unwrap();
        resource.needs.insert(first.clone());
        resource.binding.settings.insert("profile".into(), "other".into());
        let change_set = place.plan(&desired).await;
        let titles: Vec<_> = change_set.steps.iter().map(|step| (step.action.verb(), &step.address)).collect();
        assert_eq!(titles, [("remember", second)], "{}", brief(&change_set));
        place.reach(&desired).await;
        assert_eq!(place.world.snapshot(), before, "the world is not touched");
        let ledger = place.ledger().await;
        let recorded = &ledger.state().things.resources[second];
        assert!(recorded.needs.contains(first) && recorded.binding.settings.contains_key("profile"));
        assert_eq!(place.plan(&desired).await.steps.len(), 0);
    });
}
