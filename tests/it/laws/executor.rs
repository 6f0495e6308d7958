//! What an executor does when the ledger's storage or its lease fails under it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use switchback::apply::{ApplyError, Event, Executor, Listener, Outcome, Retries, StopSignal};
use switchback::kind::Kinds;
use switchback::ledger::{
    Body, LeaseTerms, Ledger, MemoryStore, Project, Record, Sequence, StepState, Store, StoreError,
};
use switchback::migration::certificate::Evidence;
use switchback::observe::{Subject, observe};
use switchback::plan::{Inputs, Options, plan};
use switchback::step::{ChangeSet, Step};
use switchback::world::{ErrorClass, World};

use super::fake::{FakeWorld, Hand, Kinds3, NoSecrets, Things};
use super::gate::Gate;
use super::generate::Spec;
use super::place::{actor, runtime};

const LEASE: Duration = Duration::from_secs(10);

/// A store that fails when an outcome is to be written, so many times; with the record written or not.
#[derive(Default)]
struct Failing {
    inner: MemoryStore,
    left: AtomicU64,
    writes_all_the_same: bool,
    /// Time passes on the holder's clock with each failure.
    clock: Arc<Hand>,
    passes: Duration,
}

#[async_trait]
impl Store for Failing {
    fn url(&self) -> String {
        "failing:".into()
    }

    async fn read(&self, after: Sequence) -> Result<Vec<Record>, StoreError> {
        self.inner.read(after).await
    }

    async fn append(&self, expected: Sequence, records: &[Record]) -> Result<(), StoreError> {
        let is_outcome = records.iter().any(|record| matches!(record.body, Body::Done { .. }));
        if is_outcome && self.left.load(Ordering::SeqCst) > 0 {
            self.left.fetch_sub(1, Ordering::SeqCst);
            self.clock.pass(self.passes);
            if self.writes_all_the_same {
                self.inner.append(expected, records).await?;
            }
            return Err(StoreError::Storage { tried: "append".into(), cause: "it cannot be reached".into() });
        }
        self.inner.append(expected, records).await
    }

    async fn age(&self) -> Result<Option<(Sequence, Duration)>, StoreError> {
        self.inner.age().await
    }
}

/// Notes what began, and lets something happen then.
#[derive(Default)]
struct Notes<'a> {
    begun: Mutex<Vec<String>>,
    at_start: Option<&'a (dyn Fn() + Send + Sync)>,
}

impl Listener for Notes<'_> {
    fn event(&self, event: Event<'_>) {
        if let Event::Started(step) = event {
            self.begun.lock().unwrap().push(step.title());
            if let Some(happens) = self.at_start {
                happens();
            }
        }
    }
}

struct Bench {
    fake: Arc<FakeWorld>,
    gate: Arc<Gate>,
    clock: Arc<Hand>,
    kinds: Kinds,
}

impl Bench {
    fn new() -> Self {
        let gate = Arc::new(Gate::default());
        let fake = Arc::new(FakeWorld::new(Things::default(), Arc::clone(&gate)));
        Self { fake, gate, clock: Arc::default(), kinds: Kinds3::table() }
    }

    fn world(&self) -> World {
        let provider: Arc<dyn switchback::world::Provider> = Arc::<FakeWorld>::clone(&self.fake);
        World {
            providers: BTreeMap::from([("fake".to_owned(), provider)]),
            databases: Some(Arc::<FakeWorld>::clone(&self.fake)),
            rehearsals: None,
            checks: None,
            clock: Arc::<Hand>::clone(&self.clock),
        }
    }

    async fn lease(&self, store: &Arc<dyn Store>) -> Ledger {
        let mut ledger = Ledger::open(Arc::clone(store)).await.unwrap();
        let terms = LeaseTerms {
            actor: actor(),
            purpose: "a test".into(),
            length: LEASE,
            life: None,
            is_dead: |_, _| false,
            clock: Arc::<Hand>::clone(&self.clock),
        };
        let project = Project { project: "laws".into(), environment: "test".into() };
        ledger.take_lease(&terms, &project).await.unwrap();
        ledger
    }

    async fn plan(&self, ledger: &Ledger, spec: &str) -> ChangeSet {
        let desired = spec.parse::<Spec>().unwrap().desired();
        let subject = Subject::of(Some(&desired), &ledger.state().things, &self.kinds);
        let (observed, _) = observe(&self.world(), &self.kinds, &NoSecrets, &subject).await;
        let inputs = Inputs {
            state: ledger.state(),
            observed: &observed,
            kinds: &self.kinds,
            secrets: &NoSecrets,
            evidence: &Evidence::default(),
        };
        plan(&desired, inputs, &Options::default()).0
    }

    async fn apply(
        &self,
        ledger: &mut Ledger,
        spec: &str,
        width: usize,
        listener: &dyn Listener,
    ) -> Result<Outcome, ApplyError> {
        let change_set = self.plan(ledger, spec).await;
        let digest = change_set.digest();
        let world = self.world();
        self.executor(&world, width, listener).apply(ledger, change_set, digest, actor()).await
    }

    fn executor<'a>(&'a self, world: &'a World, width: usize, listener: &'a dyn Listener) -> Executor<'a> {
        let pause = Duration::from_millis(1);
        Executor {
            world,
            kinds: &self.kinds,
            secrets: &NoSecrets,
            listener,
            concurrency: width,
            stop: StopSignal::default(),
            retries: Retries { tries: 3, first_pause: pause, longest_pause: pause },
        }
    }
}

fn once_each(records: &[Record]) -> bool {
    let done: Vec<_> = records
        .iter()
        .filter_map(|record| match &record.body {
            Body::Done { step, .. } => Some(*step),
            _ => None,
        })
        .collect();
    done.len() == done.iter().collect::<std::collections::BTreeSet<_>>().len()
}

/// Unreachable exactly at the outcomes, written or not: each is written once in the end, and the run goes on.
#[test]
fn an_outcome_that_cannot_be_written_is_kept_and_written_once() {
    for writes_all_the_same in [false, true] {
        runtime().block_on(async {
            let bench = Bench::new();
            let clock = Arc::clone(&bench.clock);
            let failing = Failing { left: AtomicU64::new(7), writes_all_the_same, clock, ..Failing::default() };
            let store: Arc<dyn Store> = Arc::new(failing);
            let mut ledger = bench.lease(&store).await;
            let outcome = bench.apply(&mut ledger, "0t1 1t2>0 2s3>1", 4, &Notes::default()).await.unwrap();
            assert!(outcome.is_complete(), "{outcome:?}");
            let records = store.read(0).await.unwrap();
            assert!(once_each(&records), "{records:?}");
            let again = Ledger::open(Arc::clone(&store)).await.unwrap();
            assert_eq!(again.state().things, ledger.state().things, "what is in memory is what was written");
            assert_eq!(again.last(), ledger.last());
        });
    }
}

/// It stays unreachable for longer than the lease: the run ends, nothing more begins, and whoever resumes is told by
/// the world what was done.
#[test]
fn an_outcome_that_is_never_written_is_settled_by_whoever_resumes() {
    runtime().block_on(async {
        let bench = Bench::new();
        let (clock, passes) = (Arc::clone(&bench.clock), Duration::from_secs(4));
        let failing = Arc::new(Failing { left: AtomicU64::new(100), clock, passes, ..Failing::default() });
        let store: Arc<dyn Store> = Arc::<Failing>::clone(&failing);
        let mut ledger = bench.lease(&store).await;
        let notes = Notes::default();
        let error = bench.apply(&mut ledger, "0t1 1t2>0", 4, &notes).await.expect_err("it cannot be reached");
        assert!(matches!(error, ApplyError::Ledger(StoreError::Storage { .. })), "{error}");
        assert_eq!(notes.begun.lock().unwrap().len(), 1, "nothing begins that cannot be recorded");
        assert!(failing.left.load(Ordering::SeqCst) > 90, "it does not go on for ever");
        failing.left.store(0, Ordering::SeqCst);
        failing.inner.pass(LEASE);
        let mut ledger = bench.lease(&store).await;
        let world = bench.world();
        let outcome = bench.executor(&world, 4, &Notes::default()).resume(&mut ledger, actor()).await.unwrap();
        assert!(outcome.is_complete(), "{outcome:?}");
        bench.fake.things().once().unwrap();
        bench.fake.things().fit(Some(&"0t1 1t2>0".parse().unwrap())).unwrap();
    });
}

/// A step that fails stops what waits for it; the others finish.
#[test]
fn a_failure_stops_only_what_depends_on_it() {
    runtime().block_on(async {
        let bench = Bench::new();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let mut ledger = bench.lease(&store).await;
        let gate = Arc::clone(&bench.gate);
        gate.arm(None, 0, None);
        gate.refuse("n1-0");
        let outcome = bench.apply(&mut ledger, "0t1 1t2 2t3>1 3t4>0 4t5>2", 1, &Notes::default()).await.unwrap();
        let run = ledger.state().unfinished().expect("it is unfinished");
        let titles = |ids: Vec<switchback::step::StepId>| -> Vec<String> {
            ids.into_iter().map(|id| run.change_set.step(id).map(Step::title).unwrap()).collect()
        };
        assert_eq!(titles(outcome.done.clone()), ["fake_thing.r0", "fake_thing.r3"]);
        assert_eq!(titles(outcome.failed.iter().map(|failure| failure.step).collect()), ["fake_thing.r1"]);
        assert_eq!(titles(outcome.skipped.clone()), ["fake_thing.r2", "fake_thing.r4"]);
    });
}

/// The lease runs out while a step is about to be sent: it is not sent, and nothing more starts.
#[test]
fn nothing_is_sent_when_the_lease_is_over_and_nothing_more_starts() {
    runtime().block_on(async {
        let bench = Bench::new();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let mut ledger = bench.lease(&store).await;
        let clock = Arc::clone(&bench.clock);
        let sleeps = move || clock.pass(LEASE);
        let notes = Notes { at_start: Some(&sleeps), ..Notes::default() };
        let outcome = bench.apply(&mut ledger, "0t1 1t2 2t3", 1, &notes).await.unwrap();
        assert_eq!(bench.fake.things(), Things::default(), "nothing was sent");
        assert_eq!(notes.begun.lock().unwrap().len(), 1, "nothing more started");
        let classes: Vec<_> = outcome.failed.iter().map(|failure| failure.error.class).collect();
        assert_eq!((classes, outcome.skipped.len()), (vec![ErrorClass::Fenced], 2));
    });
}

/// What goes on in the world parks the run, is not begun beside itself by a resume, and is done when the world says so.
#[test]
fn what_goes_on_is_waited_for_and_not_begun_twice() {
    runtime().block_on(async {
        let bench = Bench::new();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let mut ledger = bench.lease(&store).await;
        bench.gate.go_on("n0-0");
        let notes = Notes::default();
        let outcome = bench.apply(&mut ledger, "0t1 1t2>0 2t3", 1, &notes).await.unwrap();
        assert!(outcome.parked.is_some(), "{outcome:?}");
        assert_eq!(*notes.begun.lock().unwrap(), ["fake_thing.r0", "fake_thing.r2"], "the rest is done meanwhile");
        let world = bench.world();
        let notes = Notes::default();
        let outcome = bench.executor(&world, 1, &notes).resume(&mut ledger, actor()).await.unwrap();
        assert!(outcome.parked.is_some(), "{outcome:?}");
        assert!(notes.begun.lock().unwrap().is_empty(), "it is not begun beside itself");
        let run = ledger.state().unfinished().unwrap();
        assert!(run.parked.is_some() && matches!(run.steps.values().next(), Some(StepState::Intended(_))));
        bench.fake.ripen();
        let outcome = bench.executor(&world, 1, &Notes::default()).resume(&mut ledger, actor()).await.unwrap();
        assert!(outcome.is_complete(), "{outcome:?}");
        bench.fake.things().once().unwrap();
    });
}
