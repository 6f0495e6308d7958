//! Estimates of a change set: both ways, from what was seen and what was said.

use std::collections::BTreeSet;

use super::*;
use crate::migration::observation::LockMode;
use crate::migration::position::Position;
use crate::rehearse::not_rehearsed;
use crate::rehearse::target::Untold;
use crate::step::{Fingerprint, Inverse, Operation, Reason, Standing, Step, StepId, Way};
use crate::world::{Above, Binding, Limit, Measure, Quantity};

fn database() -> Address {
    Address::root("database", "app")
}

fn migrate(id: u32, up: &str, down: Option<&str>) -> Step {
    Step {
        id: StepId(id),
        address: database(),
        binding: Binding::default(),
        action: Action::Migrate {
            direction: Direction::Up,
            migration: Box::new(Migration::plain(i64::from(id), "m", up, down)),
            lock_timeout_milliseconds: 3000,
            from: Position::default(),
        },
        reason: Reason::Pending,
        inverse: Inverse::Exact { way: Way::Delete },
        after: BTreeSet::new(),
        rests_on: BTreeMap::new(),
        found: Fingerprint::Unasked,
        needs: BTreeSet::new(),
        needs_schema: BTreeMap::new(),
        ahead: BTreeSet::new(),
    }
}

fn change_set(steps: Vec<Step>) -> ChangeSet {
    ChangeSet {
        approval_rules: None,
        format: crate::step::FORMAT,
        project: "p".to_owned(),
        environment: "e".to_owned(),
        operation: Operation::Apply,
        chain: None,
        spec_digest: None,
        steps,
        point_of_no_return: None,
        checks: Vec::new(),
        outputs: BTreeMap::new(),
        standing: Standing::default(),
        owed: BTreeSet::new(),
        with_schema: false,
        release: None,
        images: Default::default(),
        gates: Default::default(),
        origins: BTreeMap::new(),
    }
}

/// `public.orders` locked as a whole, and read or not.
fn locked(is_read: bool) -> Observation {
    let orders = "public.orders".to_owned();
    let scans = if is_read { BTreeSet::from([orders.clone()]) } else { BTreeSet::new() };
    let locks = BTreeMap::from([(orders, LockMode::AccessExclusive)]);
    Observation { statement: 1, locks, scans, ..Observation::default() }
}

fn said(answer: Answer, foretold: BTreeMap<i64, Foretold>) -> Targets {
    let at = "2026-11-21T10:00:00Z".parse().unwrap();
    Targets(BTreeMap::from([(database(), Target { at, answer, foretold })]))
}

/// `public.orders` has ten million rows.
fn facts() -> TargetFacts {
    let measure = Measure { rows: Some(10_000_000), ..Measure::default() };
    let measures = BTreeMap::from([("public.orders".to_owned(), measure)]);
    TargetFacts { server: "15.18".to_owned(), measures, ..TargetFacts::default() }
}

fn evidence(forth: Observation, back: Observation) -> Evidence {
    let certificate =
        Certificate { verdict: Verdict::Exact, forth: vec![forth], back: vec![back], ..not_rehearsed("") };
    Evidence(BTreeMap::from([(database(), BTreeMap::from([(1, certificate)]))]))
}

/// A row is read in a microsecond, on PostgreSQL 15.
fn rates() -> BTreeMap<u32, Rates> {
    let rates = Rates { server: "15.18".to_owned(), statement: 0.0, sync: 0.0, scan_row: 1e-6, ..Rates::default() };
    BTreeMap::from([(15, rates)])
}

fn risk(evidence: &Evidence, targets: &Targets, budget: &Budget) -> Risk {
    let steps =
        vec![migrate(1, "alter table orders alter a drop not null", Some("alter table orders alter a set not null"))];
    let budgets = BTreeMap::from([(database(), budget.clone())]);
    let rates = rates();
    let basis = Basis { evidence, targets, rates: &rates, budgets: &budgets };
    estimates(&change_set(steps), basis).of(StepId(1)).unwrap().clone()
}

#[test]
fn the_way_back_is_estimated_and_judged_as_the_way_forth() {
    let evidence = evidence(locked(false), locked(true));
    let limit = Limit { value: 2_000, above: Above::Refused };
    let budget = Budget(BTreeMap::from([(Quantity::MaxBlockedReads, limit)]));
    let risk = risk(&evidence, &said(Answer::Facts(facts()), BTreeMap::new()), &budget);
    assert_eq!((risk.forth.seconds, risk.forth.blocked_writes), (Some(0.0), Some(0.0)));
    assert_eq!((risk.back.seconds, risk.back.blocked_reads), (Some(10.0), Some(10.0)));
    assert_eq!(risk.measured_on, "15.18");
    let [exceeded] = risk.exceeded.as_slice() else { panic!("{risk:?}") };
    assert_eq!((exceeded.way, exceeded.value, exceeded.refuses()), (Along::Back, 10.0, false));
}

#[test]
fn what_was_not_rehearsed_is_estimated_by_what_is_foretold() {
    let unknown = vec![Untold { way: Along::Back, statement: 1, why: "no rule".to_owned() }];
    let foretold = Foretold { forth: vec![locked(true)], back: Vec::new(), unknown };
    let targets = said(Answer::Facts(facts()), BTreeMap::from([(1, foretold)]));
    let risk = risk(&Evidence::default(), &targets, &Budget::default());
    assert_eq!(risk.forth.seconds, Some(10.0));
    assert_eq!(
        (risk.back.seconds, risk.back.unknown.as_slice()),
        (None, ["statement 1: what it does: no rule".to_owned()].as_slice())
    );
}

#[test]
fn a_target_that_cannot_be_read_gives_no_numbers() {
    let targets = said(Answer::Unreadable("permission denied".to_owned()), BTreeMap::new());
    let risk = risk(&evidence(locked(true), locked(true)), &targets, &Budget::default());
    assert_eq!((risk.forth.seconds, risk.forth.blocked_writes, risk.forth.disk_bytes), (None, None, None));
    assert_eq!(risk.forth.unknown, ["how large anything is: the target could not be read: permission denied"]);
    assert_eq!(risk.back, risk.forth);
}

#[test]
fn rates_are_those_of_the_servers_version() {
    let evidence = evidence(locked(true), locked(true));
    let newer = TargetFacts { server: "16.2".to_owned(), ..facts() };
    let risk = risk(&evidence, &said(Answer::Facts(newer), BTreeMap::new()), &Budget::default());
    assert_eq!(
        (risk.measured_on.as_str(), risk.rates_in_words().as_str()),
        ("", "by usual rates: none were measured here")
    );
    assert_eq!(risk.forth.seconds, Some(1.0), "ten million rows at 0.1 microseconds, and a few milliseconds");
}

#[test]
fn what_is_saved_comes_back() {
    let targets = said(Answer::Facts(facts()), BTreeMap::new());
    let risk = risk(&evidence(locked(true), locked(true)), &targets, &Budget::default());
    let text = serde_json::to_string(&risk).unwrap();
    assert_eq!(serde_json::from_str::<Risk>(&text).unwrap(), risk);
    assert_eq!(serde_json::from_str::<Risk>("{}").unwrap(), Risk::default());
    let old = r#"{"server":"15.18","sizes":{"public.users":{"rows":3,"bytes":8192}}}"#;
    let old: TargetFacts = serde_json::from_str(old).unwrap();
    assert!(old.measures.is_empty() && !is_large(&old));
    assert_eq!(
        serde_json::to_string(&old).unwrap(),
        r#"{"server":"15.18","sizes":{"public.users":{"rows":3,"bytes":8192}}}"#
    );
}
