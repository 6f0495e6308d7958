//! Taking, renewing, losing and inheriting a lease, on a store whose clock is ours.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::ledger::{MemoryStore, Store};

struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn uptime(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

fn terms(name: &str, clock: &Arc<Hand>) -> LeaseTerms {
    let actor = Actor { name: name.into(), host: "here".into(), tool: "0".into(), process: 1, commit: None };
    let life = Some(Life { boot: name.into(), space: String::new(), started: 0 });
    let clock: Arc<dyn Clock> = Arc::<Hand>::clone(clock);
    let is_dead = |_: &Actor, life: &Life| life.boot == "dead";
    LeaseTerms { actor, purpose: "a test".into(), length: Duration::from_secs(10), life, is_dead, clock }
}

fn project() -> Project {
    Project { project: "shop".into(), environment: "dev".into() }
}

struct Place {
    store: Arc<MemoryStore>,
    clock: Arc<Hand>,
}

impl Place {
    fn new() -> Self {
        Self { store: Arc::default(), clock: Arc::new(Hand(AtomicU64::new(0))) }
    }

    async fn open(&self) -> Ledger {
        let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(&self.store);
        Ledger::open(store).await.expect("the chain is whole")
    }

    async fn take(&self, name: &str) -> Result<Ledger, StoreError> {
        let mut ledger = self.open().await;
        ledger.take_lease(&terms(name, &self.clock), &project()).await?;
        Ok(ledger)
    }

    fn pass(&self, seconds: u64) {
        self.store.pass(Duration::from_secs(seconds));
        self.clock.0.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(test);
}

fn hold() -> Vec<Body> {
    let spec_digest = crate::digest::Digest::of_bytes(b"spec");
    vec![Body::Held { spec_digest, run: None, reason: "a test".into() }]
}

#[test]
fn one_holder_at_a_time_who_is_named() {
    run(async {
        let place = Place::new();
        let mut first = place.take("first").await.expect("nobody holds it");
        let refused = place.take("second").await.err().expect("it is held").to_string();
        for part in ["first on here (process 1)", "a test", "1970-01-01", "10 s"] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
        first.release(jiff::Timestamp::UNIX_EPOCH).await.expect("given back");
        place.take("second").await.expect("it was given back");
    });
}

#[test]
fn whatever_the_holder_writes_renews_it_and_silence_ends_it_by_the_stores_clock() {
    run(async {
        let place = Place::new();
        let mut first = place.take("first").await.expect("nobody holds it");
        place.pass(9);
        first.append(jiff::Timestamp::UNIX_EPOCH, hold()).await.expect("it is held");
        place.pass(9);
        assert!(matches!(place.take("second").await, Err(StoreError::Leased { .. })));
        assert!(!first.fence().await.left().is_zero());
        place.pass(1);
        assert!(first.fence().await.left().is_zero(), "the holder counts as well");
        let fence = first.fence().await;
        let second = place.take("second").await.expect("it is over");
        assert!(second.fence().await.number() > fence.number());
        let lost = first.append(jiff::Timestamp::UNIX_EPOCH, hold()).await.expect_err("it was taken over");
        assert!(matches!(&lost, StoreError::Lost { by, .. } if by.contains("second on here")), "{lost}");
        fence.check("send", Duration::ZERO).expect_err("nothing more is sent");
    });
}

#[test]
fn a_lease_that_ran_out_unclaimed_is_still_the_holders() {
    run(async {
        let place = Place::new();
        let mut first = place.take("first").await.expect("nobody holds it");
        place.pass(60);
        first.append(jiff::Timestamp::UNIX_EPOCH, hold()).await.expect("nobody else came");
        first.fence().await.check("send", Duration::from_secs(9)).expect("it holds again");
    });
}

#[test]
fn a_dead_holder_is_not_waited_for() {
    run(async {
        let place = Place::new();
        drop(place.take("dead").await.expect("nobody holds it"));
        place.take("second").await.expect("at once");
    });
}

#[test]
fn who_does_not_hold_the_lease_cannot_write_and_changes_nothing() {
    run(async {
        let place = Place::new();
        let _held = place.take("first").await.expect("nobody holds it");
        let mut other = place.open().await;
        let error = other.append(jiff::Timestamp::UNIX_EPOCH, hold()).await.expect_err("it is held by the first");
        assert!(matches!(error, StoreError::Leased { .. }), "{error}");
        assert_eq!(place.open().await.last(), 2, "founded and leased");
    });
}

/// A store that writes, and does not answer, once.
#[derive(Default)]
struct Losing {
    inner: MemoryStore,
    loses: std::sync::atomic::AtomicBool,
}

#[async_trait::async_trait]
impl Store for Losing {
    fn url(&self) -> String {
        "losing:".to_owned()
    }

    async fn read(&self, after: Sequence) -> Result<Vec<crate::ledger::Record>, StoreError> {
        self.inner.read(after).await
    }

    async fn append(&self, expected: Sequence, records: &[crate::ledger::Record]) -> Result<(), StoreError> {
        self.inner.append(expected, records).await?;
        match self.loses.swap(false, Ordering::SeqCst) {
            true => Err(StoreError::Storage { tried: "append".into(), cause: "no answer".into() }),
            false => Ok(()),
        }
    }

    async fn age(&self) -> Result<Option<(Sequence, Duration)>, StoreError> {
        self.inner.age().await
    }
}

/// Between a lost answer and the next try the lease is renewed: the renewal finds our own record, and the lease is not
/// called lost; the next try finds that it has been written.
#[test]
fn a_renewal_between_a_lost_answer_and_the_next_try_does_no_harm() {
    for tried_again in [true, false] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let (losing, clock) = (Arc::new(Losing::default()), Arc::new(Hand(AtomicU64::new(0))));
            let store: Arc<dyn Store> = Arc::<Losing>::clone(&losing);
            let mut ledger = Ledger::open(Arc::clone(&store)).await.expect("the chain is whole");
            ledger.take_lease(&terms("first", &clock), &project()).await.expect("nobody holds it");
            losing.loses.store(true, Ordering::SeqCst);
            let time = jiff::Timestamp::UNIX_EPOCH;
            ledger.append(time, hold()).await.expect_err("no answer");
            clock.0.store(4_000, Ordering::SeqCst);
            let keeper = ledger.keeper();
            tokio::time::timeout(Duration::from_millis(20), keeper).await.expect_err("it never ends");
            assert_eq!(losing.inner.read(0).await.expect("it reads").len(), 4, "founded, leased, held, renewed");
            match tried_again {
                true => ledger.append(time, hold()).await.expect("it is there already"),
                false => ledger.release(time).await.expect("something else follows"),
            }
            let written = losing.inner.read(0).await.expect("it reads");
            let held = written.iter().filter(|record| matches!(record.body, Body::Held { .. })).count();
            assert_eq!(held, 1, "{written:?}");
            assert_eq!(ledger.state().holds.len(), 1, "and it is known");
            Ledger::open(store).await.expect("the chain is whole");
        });
    }
}

/// A record whose answer was lost is written again much later: the store counts from the first try, so we do as well.
#[test]
fn a_repetition_that_finds_its_record_there_renews_nothing() {
    run(async {
        let (losing, clock) = (Arc::new(Losing::default()), Arc::new(Hand(AtomicU64::new(0))));
        let store: Arc<dyn Store> = Arc::<Losing>::clone(&losing);
        let mut ledger = Ledger::open(store).await.expect("the chain is whole");
        ledger.take_lease(&terms("first", &clock), &project()).await.expect("nobody holds it");
        losing.loses.store(true, Ordering::SeqCst);
        let time = jiff::Timestamp::UNIX_EPOCH;
        ledger.append(time, hold()).await.expect_err("no answer");
        clock.0.store(9_000, Ordering::SeqCst);
        ledger.append(time, hold()).await.expect("it is there already");
        assert_eq!(ledger.fence().await.left(), Duration::from_secs(1), "it holds as long as it did");
        ledger.append(time, vec![Body::Renewed]).await.expect("it still holds");
        assert_eq!(ledger.fence().await.left(), Duration::from_secs(10), "what is new renews it");
    });
}
