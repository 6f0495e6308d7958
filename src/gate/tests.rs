//! What is covered, and what has to be signed. Pure.
//!
//! Invariant: each digest is compared with one of a plan that differs in just one thing.

use std::collections::BTreeMap;

use super::cover;
use super::demand::{self, Case};
use super::part;
use crate::approval::class::{Class, Part};
use crate::approval::rules::{Requirement, Rules};
use crate::digest::Digest;
use crate::kind::Kinds;
use crate::ledger::State;
use crate::migration::certificate::Evidence;
use crate::rehearse::target::Answer;
use crate::review::grounds::Grounds;
use crate::review::tests::{sample, targets};
use crate::rules::{Finding, Level, Place};
use crate::step::{ChangeSet, Operation, StepId};

fn kinds() -> Kinds {
    Kinds::new(Vec::new(), [])
}

fn grounds() -> Grounds {
    let certificates = BTreeMap::from([(7, crate::rehearse::not_rehearsed("no server"))]);
    let evidence = Evidence(BTreeMap::from([("database.app".parse().unwrap(), certificates)]));
    Grounds { evidence, targets: targets(), ..Grounds::default() }
}

fn digest(change_set: &ChangeSet, grounds: &Grounds, of: Part) -> Digest {
    let parts = part::split(&change_set.steps, &kinds());
    cover::of_steps(change_set, grounds, "chain", of, &parts[&of])
}

/// The same with one more step before all others.
fn with_another_before(mut change_set: ChangeSet) -> ChangeSet {
    let mut first = change_set.steps[0].clone();
    first.address = "terraform_data.another".parse().unwrap();
    for step in &mut change_set.steps {
        step.id = StepId(step.id.0 + 1);
        step.after = step.after.iter().map(|id| StepId(id.0 + 1)).collect();
    }
    change_set.steps.insert(0, first);
    change_set
}

#[test]
fn what_is_elsewhere_in_the_plan_is_no_matter() {
    let (plan, grounds) = (sample(), grounds());
    let other = with_another_before(plan.clone());
    assert_eq!(digest(&plan, &grounds, Part::Database), digest(&other, &grounds, Part::Database));
    assert_ne!(digest(&plan, &grounds, Part::Infrastructure), digest(&other, &grounds, Part::Infrastructure));
    assert_ne!(cover::of_all(&plan, &grounds, "chain"), cover::of_all(&other, &grounds, "chain"));
}

#[test]
fn every_thing_within_a_part_matters() {
    let (plan, known) = (sample(), grounds());
    let whole = digest(&plan, &known, Part::Infrastructure);
    let changes: [fn(&mut ChangeSet); 6] = [
        |plan| plan.steps[0].inverse = plan.steps[2].inverse.clone(),
        |plan| plan.steps[0].action = plan.steps[3].action.clone(),
        |plan| plan.steps[1].after = [StepId(3)].into(),
        |plan| plan.steps.swap(0, 1),
        |plan| plan.environment = "prod".into(),
        |plan| plan.operation = Operation::Destroy,
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut other = plan.clone();
        change(&mut other);
        assert_ne!(digest(&other, &known, Part::Infrastructure), whole, "change {at}");
    }
    let parts = part::split(&plan.steps, &kinds());
    let elsewhere = cover::of_steps(&plan, &known, "other", Part::Infrastructure, &parts[&Part::Infrastructure]);
    assert_ne!(elsewhere, whole, "another ledger");
}

#[test]
fn evidence_findings_and_size_classes_matter_and_noise_does_not() {
    let (plan, known) = (sample(), grounds());
    let whole = digest(&plan, &known, Part::Database);
    let mut proved = known.clone();
    for certificate in proved.evidence.0.values_mut().flat_map(BTreeMap::values_mut) {
        certificate.undone.push("a row".into());
    }
    assert_ne!(digest(&plan, &proved, Part::Database), whole);
    let place = Place { step: Some(StepId(5)), ..Place::default() };
    let finding = Finding {
        rule: "a-rule".into(),
        level: Level::Warning,
        place,
        message: "3 million rows".into(),
        reason: String::new(),
        help: String::new(),
        rewrite: None,
    };
    let with = |finding: Finding| {
        let mut known = known.clone();
        known.findings.found.push(finding);
        digest(&plan, &known, Part::Database)
    };
    let found = with(finding.clone());
    assert_ne!(found, whole);
    assert_eq!(with(Finding { message: "4 million rows".into(), ..finding.clone() }), found);
    assert_ne!(with(Finding { level: Level::Note, ..finding.clone() }), found);
    let elsewhere = Place { step: Some(StepId(1)), ..Place::default() };
    assert_eq!(with(Finding { place: elsewhere, ..finding }), whole, "it is about another part");
    let sized = |change: fn(u64) -> u64| {
        let mut known = known.clone();
        for target in known.targets.0.values_mut() {
            target.at = jiff::Timestamp::UNIX_EPOCH;
            if let Answer::Facts(facts) = &mut target.answer {
                assert!(!facts.sizes.is_empty());
                facts.sizes.values_mut().for_each(|size| size.bytes = change(size.bytes.max(2_000_000)));
            }
        }
        digest(&plan, &known, Part::Database)
    };
    assert_eq!(sized(|bytes| bytes), sized(|bytes| bytes + 1));
    assert_ne!(sized(|bytes| bytes), sized(|bytes| bytes * 10));
}

fn needs(rules: Rules, change: impl FnOnce(&mut ChangeSet)) -> Vec<(Class, Part)> {
    let mut change_set = sample();
    change_set.approval_rules = Some(Box::new(rules));
    change(&mut change_set);
    let (grounds, state) = (grounds(), State::default());
    let case = Case { change_set: &change_set, grounds: &grounds, state: &state, kinds: &kinds(), demands: &[] };
    demand::needs(case).into_iter().map(|need| (need.class, need.part)).collect()
}

fn rules(classes: &[Class]) -> Rules {
    let required = classes.iter().map(|class| (*class, Requirement::of(1))).collect();
    Rules { required, ..Rules::default() }
}

#[test]
fn only_what_is_asked_for_is_needed() {
    assert!(needs(Rules::default(), |_| {}).is_empty());
    assert_eq!(needs(rules(&[Class::Dba]), |_| {}), [(Class::Dba, Part::Database)]);
    assert!(needs(rules(&[Class::Config]), |_| {}).is_empty(), "no configuration changes");
    assert_eq!(
        needs(rules(&[Class::Dba, Class::DataLoss, Class::Infrastructure]), |_| {}),
        [
            (Class::Dba, Part::Database),
            (Class::DataLoss, Part::Database),
            (Class::Infrastructure, Part::Infrastructure)
        ]
    );
    let named = Requirement { parts: [Part::Database, Part::Infrastructure].into(), ..Requirement::of(1) };
    let mut both = rules(&[]);
    both.required.insert(Class::Infrastructure, named);
    assert_eq!(
        needs(both, |_| {}),
        [(Class::Infrastructure, Part::Database), (Class::Infrastructure, Part::Infrastructure)]
    );
}

#[test]
fn destroying_needs_an_owner_beside_everything_else_and_a_free_way_back_nobody() {
    let found = needs(rules(&[Class::Dba]), |plan| plan.operation = Operation::Destroy);
    assert_eq!(found, [(Class::Dba, Part::Database), (Class::Owner, Part::Whole)]);
    let back = |plan: &mut ChangeSet| plan.operation = Operation::Rollback { to: 1 };
    assert_eq!(needs(rules(&[Class::Dba]), back), [(Class::Dba, Part::Database)], "it loses data");
    let free = |plan: &mut ChangeSet| {
        plan.operation = Operation::Rollback { to: 1 };
        plan.steps.pop();
    };
    assert!(needs(rules(&[Class::Dba, Class::Infrastructure]), free).is_empty());
}
