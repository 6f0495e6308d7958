//! Rehearsals against one that only counts: what is asked for, what is kept, and what a plan makes of it. Pure.
//!
//! Invariant: nothing is rehearsed twice whose contents are the same, and nothing else is served in its place.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::work::Work;
use super::*;
use crate::migration::observation::Observation;
use crate::secret::{SecretError, SecretReference};
use crate::world::{Clock, RehearsalSettings, Rehearsals};

/// Certifies everything with one verdict, and counts.
#[derive(Default)]
struct Fake {
    jobs: Mutex<Vec<RehearsalJob>>,
    verdict: Mutex<Option<Verdict>>,
    answers: AtomicUsize,
}

#[async_trait::async_trait]
impl Rehearsals for Fake {
    async fn rehearse(&self, job: &RehearsalJob, _progress: &dyn Progress) -> Result<Vec<Certificate>, WorldError> {
        self.jobs.lock().unwrap().push(job.clone());
        self.answers.fetch_add(job.steps.len(), Ordering::Relaxed);
        let verdict = self.verdict.lock().unwrap().clone().unwrap_or(Verdict::Exact);
        let forth = vec![Observation { statement: 1, excerpt: "forth".to_owned(), ..Observation::default() }];
        let one = Certificate { server: "15.18".to_owned(), verdict, forth, ..not_rehearsed("") };
        Ok(vec![one; job.steps.len()])
    }
}

/// A shelf in memory.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<Digest, Certificate>>);

impl Shelf for Memory {
    fn find(&self, key: &Digest) -> Option<Certificate> {
        self.0.lock().unwrap().get(key).cloned()
    }

    fn keep(&self, key: &Digest, certificate: &Certificate) {
        self.0.lock().unwrap().insert(*key, certificate.clone());
    }
}

struct Nothing;

impl Secrets for Nothing {
    fn reveal(&self, _secret: &SecretReference) -> Result<Value, SecretError> {
        unreachable!("these connections hold no secrets")
    }
}

impl Progress for Nothing {
    fn say(&self, _message: &str) {}
}

impl Clock for Nothing {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }
}

#[derive(Default)]
struct Bench {
    fake: Arc<Fake>,
    shelf: Memory,
}

impl Bench {
    fn ask(&self, work: &Work, effort: Effort) -> Vec<Certificate> {
        let rehearsals: Arc<dyn Rehearsals> = self.fake.clone();
        let world = World {
            providers: BTreeMap::new(),
            databases: None,
            rehearsals: Some(rehearsals),
            checks: None,
            clock: Arc::new(Nothing),
        };
        let asked =
            Asked { world: &world, secrets: &Nothing, shelf: &self.shelf, effort, patience: None, progress: &Nothing };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let evidence = runtime.block_on(rehearse(std::slice::from_ref(work), &Things::default(), asked));
        evidence.0.into_values().flat_map(BTreeMap::into_values).collect()
    }

    fn rehearsed(&self) -> usize {
        self.fake.jobs.lock().unwrap().len()
    }
}

fn migration(version: i64) -> Arc<Migration> {
    let (up, down) = (format!("create table t{version} ()"), format!("drop table t{version}"));
    Arc::new(Migration::plain(version, "m", &up, Some(&down)))
}

fn work(applied: &[i64], steps: &[(Direction, i64)]) -> Work {
    Work {
        address: Address::root("database", "app"),
        settings: RehearsalSettings::default(),
        server: None,
        target: None,
        applied: applied.iter().map(|version| migration(*version)).collect(),
        adopted: false,
        is_whole: true,
        steps: steps.iter().map(|(direction, version)| (*direction, migration(*version))).collect(),
    }
}

#[test]
fn a_second_plan_costs_nothing_and_another_content_is_rehearsed() {
    let bench = Bench::default();
    let first = work(&[1], &[(Direction::Up, 2), (Direction::Up, 3)]);
    let found = bench.ask(&first, Effort::Rehearse);
    assert_eq!((found.len(), bench.rehearsed()), (2, 1));
    assert_ne!(found[0].key, found[1].key);
    assert_eq!(bench.ask(&first, Effort::Rehearse), found);
    assert_eq!(bench.ask(&first, Effort::Known), found);
    assert_eq!(bench.rehearsed(), 1, "the second plan is served from the shelf");
    assert_eq!(bench.ask(&first, Effort::Anew), found);
    assert_eq!(bench.rehearsed(), 2, "unless it is asked for anew");

    type Otherwise = (&'static str, fn(&mut Work));
    let others: [Otherwise; 7] = [
        ("the text", |work| Arc::make_mut(&mut work.steps[1].1).up += " -- other"),
        ("the way back", |work| Arc::make_mut(&mut work.steps[0].1).down = None),
        ("what is applied", |work| Arc::make_mut(&mut work.applied[0]).up += " -- other"),
        ("the settings", |work| work.settings.extensions.push("citext".to_owned())),
        ("the version", |work| work.settings.version = Some(17)),
        ("the server", |work| work.server = Some(Binding::default())),
        ("the seed", |work| work.settings.seed = Some("insert".to_owned())),
    ];
    for (count, (what, change)) in others.into_iter().enumerate() {
        let mut other = first.clone();
        change(&mut other);
        assert!(bench.ask(&other, Effort::Known).len() < 2, "{what}");
        bench.ask(&other, Effort::Rehearse);
        assert_eq!(bench.rehearsed(), 3 + count, "{what} makes another one");
    }
}

#[test]
fn each_effort_asks_for_as_much_as_it_says() {
    let bench = Bench::default();
    let work = work(&[], &[(Direction::Up, 1)]);
    assert_eq!(bench.ask(&work, Effort::Known), []);
    let declined = bench.ask(&work, Effort::Declined);
    assert_eq!(declined[0].verdict, Verdict::NotRehearsed { why: "`--no-rehearsal` was given".to_owned() });
    assert_eq!(bench.rehearsed(), 0);
}

#[test]
fn what_could_not_be_rehearsed_is_tried_again() {
    let bench = Bench::default();
    *bench.fake.verdict.lock().unwrap() = Some(Verdict::NotRehearsed { why: "no extension".to_owned() });
    let work = work(&[], &[(Direction::Up, 1)]);
    bench.ask(&work, Effort::Rehearse);
    assert_eq!(bench.ask(&work, Effort::Known), []);
    *bench.fake.verdict.lock().unwrap() = None;
    assert_eq!(bench.ask(&work, Effort::Rehearse)[0].verdict, Verdict::Exact);
    assert_eq!(bench.rehearsed(), 2);
}

#[test]
fn a_way_back_finds_the_proof_of_the_way_up_with_both_ways_exchanged() {
    let bench = Bench::default();
    bench.ask(&work(&[1], &[(Direction::Up, 2), (Direction::Up, 3)]), Effort::Rehearse);
    let back = work(&[1, 2, 3], &[(Direction::Down, 3), (Direction::Down, 2)]);
    let known = |work: &Work| {
        let ground = Ground { major: Some(15), schema: Some(Digest::of_bytes(b"as found")) };
        let keys = key::of_steps(work, &ground);
        keys.iter().map(|keys| on_the_shelf(keys, &bench.shelf)).collect::<Vec<_>>()
    };
    let found = known(&back);
    let first = found[0].as_ref().expect("it was proved on the way up");
    assert!(found[1].is_some() && first.forth.is_empty() && first.back[0].excerpt == "forth", "{first:?}");
    let mut other = back.clone();
    Arc::make_mut(&mut other.applied[0]).up += " -- other";
    assert_eq!(known(&other), [None, None], "on another schema it proves nothing");
    let mut adopted = back;
    adopted.adopted = true;
    assert_eq!(known(&adopted), [None, None], "nor where the ledger does not explain the schema");
}

#[test]
fn what_is_rehearsed_as_one_is_kept_as_one() {
    let group = |last: &str| {
        let mut work = work(&[], &[(Direction::Up, 1), (Direction::Up, 2), (Direction::Up, 3)]);
        for (_, member) in &mut work.steps[..2] {
            Arc::make_mut(member).said.group = Some("split".to_owned());
        }
        Arc::make_mut(&mut work.steps[1].1).down = Some(last.to_owned());
        key::of_steps(&work, &Ground { major: Some(15), schema: None })
    };
    let (one, other) = (group("drop table t2"), group("drop table t2 -- other"));
    assert_ne!(one[0].own, other[0].own, "the first of a group rests on the last");
    assert_eq!((one[0].texts("15.18"), one[1].texts("15.18")), (None, None), "and proves nothing alone");
    assert!(one[2].texts("15.18").is_some());
}

#[test]
fn the_order_in_which_texts_are_applied_makes_no_difference_to_what_lies_before() {
    let ground = Ground::default();
    let one = key::of_steps(&work(&[1, 2, 3], &[(Direction::Down, 3), (Direction::Up, 4)]), &ground);
    let other = key::of_steps(&work(&[2, 1], &[(Direction::Up, 4)]), &ground);
    assert_eq!(one[1].own, other[0].own);
    let keys: BTreeSet<Digest> =
        key::of_steps(&work(&[], &[(Direction::Up, 1), (Direction::Down, 1), (Direction::Up, 2)]), &ground)
            .into_iter()
            .map(|keys| keys.own)
            .collect();
    assert_eq!(keys.len(), 3);
}

/// A plan of migrations of a database that is there and has none, with this evidence.
fn planned(migrations: &[Migration], operation: crate::step::Operation, evidence: &Evidence) -> ChangeSet {
    use crate::plan::{DatabaseGoal, Goals, Inputs, to_goals};
    let address = Address::root("database", "app");
    let goal = DatabaseGoal {
        binding: Binding::default(),
        migrations: migrations.iter().map(|migration| (migration.version, Arc::new(migration.clone()))).collect(),
        lock_timeout_milliseconds: 1,
        ahead: BTreeSet::new(),
        needs: BTreeSet::new(),
        told: None,
        span: None,
    };
    let history = Some(crate::world::History::default());
    let observed = crate::observe::Observed {
        databases: BTreeMap::from([(address.clone(), history)]),
        ..crate::observe::Observed::default()
    };
    let goals = Goals { databases: BTreeMap::from([(address, goal)]), ..Goals::default() };
    let (state, kinds) = (crate::ledger::State::default(), crate::kind::Kinds::new([], []));
    let inputs = Inputs { state: &state, observed: &observed, kinds: &kinds, secrets: &Nothing, evidence };
    let (change_set, diagnostics) = to_goals(&goals, operation, inputs);
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    change_set
}

fn evidence(certificates: &[(i64, Certificate)]) -> Evidence {
    let certificates = certificates.iter().cloned().collect();
    Evidence(BTreeMap::from([(Address::root("database", "app"), certificates)]))
}

fn certified(verdict: Verdict) -> Certificate {
    Certificate { server: "15.18".to_owned(), verdict, ..not_rehearsed("") }
}

#[test]
fn classes_and_the_point_of_no_return_follow_from_what_was_proved() {
    use crate::step::{Operation, StepId};
    let migrations = [
        Migration::plain(1, "a", "create table t (a int)", Some("drop table t")),
        Migration::plain(
            2,
            "b",
            "alter table t add constraint c check (a > 0)",
            Some("alter table t drop constraint c"),
        ),
        Migration::plain(3, "c", "create table u ()", Some("drop table u")),
    ];
    let classes = |change_set: &ChangeSet| -> Vec<&'static str> {
        change_set.steps.iter().map(|step| step.inverse.class()).collect()
    };
    let read = planned(&migrations, Operation::Apply, &Evidence::default());
    assert_eq!((classes(&read), read.point_of_no_return), (vec!["exact", "loses data", "exact"], Some(StepId(2))));
    let exact: Vec<_> = (1..=3).map(|version| (version, certified(Verdict::Exact))).collect();
    let proved = planned(&migrations, Operation::Apply, &evidence(&exact));
    assert_eq!((classes(&proved), proved.point_of_no_return), (vec!["exact"; 3], None));
    let otherwise = certified(Verdict::Otherwise { difference: vec!["- grants".to_owned()] });
    let wrong =
        planned(&migrations, Operation::Apply, &evidence(&[exact[1].clone(), exact[2].clone(), (1, otherwise)]));
    assert_eq!((classes(&wrong), wrong.point_of_no_return), (vec!["impossible", "exact", "exact"], Some(StepId(1))));
    assert!(wrong.steps[0].inverse.why().is_some_and(|why| why.contains("restores something else: - grants")));
}

#[test]
fn what_was_not_rehearsed_is_in_the_way_forward_and_not_back() {
    use crate::step::Operation;
    let migrations = [Migration::plain(1, "a", "create table t (a int)", Some("drop table t"))];
    let missing = evidence(&[(1, not_rehearsed("no server"))]);
    let forward = planned(&migrations, Operation::Apply, &missing);
    assert_eq!(forward.steps[0].inverse.class(), "impossible");
    let refused = unproved(&forward, &missing);
    assert_eq!((refused.len(), refused[0].1.as_str()), (1, "no server"));
    assert_eq!(unproved(&forward, &Evidence::default()).len(), 1, "no certificate is no proof");
    assert!(unproved(&forward, &evidence(&[(1, certified(Verdict::Exact))])).is_empty());
    let back = planned(&migrations, Operation::Rollback { to: 0 }, &missing);
    assert_eq!(back.steps[0].inverse.class(), "exact");
}

#[test]
fn a_derived_way_back_is_that_of_the_step() {
    use crate::step::Operation;
    let migrations = [Migration::plain(1, "a", "create table t (a int)", None)];
    let read = planned(&migrations, Operation::Apply, &Evidence::default());
    assert_eq!(read.steps[0].inverse.class(), "impossible");
    let certificate = Certificate { derived: Some("drop table t".to_owned()), ..certified(Verdict::Exact) };
    let proved = planned(&migrations, Operation::Apply, &evidence(&[(1, certificate)]));
    let Action::Migrate { migration, .. } = &proved.steps[0].action else { panic!("it is a migration") };
    assert_eq!((migration.down.as_deref(), migration.derived), (Some("drop table t"), true));
    assert_eq!(proved.steps[0].inverse.class(), "exact");
    // The same key, whether or not the way back was derived already.
    let key = |migration: &Migration| {
        let work = Work { steps: vec![(Direction::Up, Arc::new(migration.clone()))], ..work(&[], &[]) };
        key::of_steps(&work, &Ground::default()).remove(0).own
    };
    assert_eq!(key(&migrations[0]), key(migration));
}
