//! What a signature covers, as a digest. Pure.
//!
//! Invariant: equal parts have equal digests, whatever else is in the plan and whenever it was made; sizes enter by their
//! power of ten, times and estimates not at all.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::approval::class::Part;
use crate::approval::rules::Rules;
use crate::digest::Digest;
use crate::migration::certificate::{Basis, Certificate, Verdict};
use crate::migration::observation::Observation;
use crate::rehearse::key::major;
use crate::rehearse::target::{Along, Answer, Foretold};
use crate::release::ReleaseId;
use crate::release::gates::Gates;
use crate::review::grounds::Grounds;
use crate::rules::finding::Place;
use crate::rules::{Finding, Level};
use crate::step::{Action, ChangeSet, Check, Operation, Standing, Step, StepId};

/// The version of the form that is digested: another one makes every signature void.
const FORM: u32 = 1;

/// Relations with fewer rows than this are all of one size: they grow past a power of ten every day.
const FEW_ROWS: u64 = 1_000;

/// Those with fewer bytes.
const FEW_BYTES: u64 = 1_000_000;

#[derive(Serialize)]
struct Covered<'a> {
    form: u32,
    project: &'a str,
    environment: &'a str,
    chain: &'a str,
    operation: Operation,
    part: Part,
    steps: Vec<Step>,
    evidence: Vec<Proof<'a>>,
    sizes: BTreeMap<String, BTreeMap<&'a str, SizeClass>>,
    findings: BTreeSet<String>,
    /// What is asked of it: whoever signs a part signs how it is checked as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
    /// The release that it brings: whoever signs a part signs what it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<ReleaseId>,
}

/// What was proved of a migration, without what another run of the same rehearsal says otherwise.
#[derive(Serialize)]
struct Proof<'a> {
    step: StepId,
    certificate: Option<Proved<'a>>,
    foretold: Option<&'a Foretold>,
}

#[derive(Serialize)]
struct Proved<'a> {
    server: Option<u32>,
    basis: (&'static str, u32),
    verdict: &'a Verdict,
    derived: Option<&'a str>,
    group: Option<&'a str>,
    undone: &'a [String],
    forth: &'a [Observation],
    back: &'a [Observation],
}

/// The size of a relation, by the powers of ten of its rows and bytes; nothing where rows were never counted.
#[derive(Serialize)]
struct SizeClass {
    rows: Option<u32>,
    bytes: u32,
}

#[derive(Serialize)]
struct FindingKey<'a> {
    rule: &'a str,
    level: Level,
    address: Option<&'a str>,
    version: Option<i64>,
    way: Option<Along>,
    statement: Option<usize>,
    line: Option<usize>,
    excerpt: &'a str,
    ignored: Option<&'a str>,
}

/// The digest of the steps of one part, and of all that is said of them.
pub fn of_steps(change_set: &ChangeSet, grounds: &Grounds, chain: &str, part: Part, steps: &[&Step]) -> Digest {
    let places: BTreeMap<StepId, StepId> = (1..).map(StepId).zip(steps).map(|(place, step)| (step.id, place)).collect();
    let addresses: BTreeSet<String> = steps.iter().map(|step| step.address.to_string()).collect();
    let is_about = |place: &Place| match (place.step, &place.address) {
        (Some(step), _) => places.contains_key(&step),
        (None, Some(address)) => addresses.contains(address),
        (None, None) => false,
    };
    Digest::of_json(&Covered {
        form: FORM,
        project: &change_set.project,
        environment: &change_set.environment,
        chain,
        operation: change_set.operation,
        part,
        steps: steps.iter().map(|step| placed(step, &places)).collect(),
        evidence: steps.iter().filter_map(|step| proof(step, places[&step.id], grounds)).collect(),
        sizes: sizes(grounds, &addresses),
        findings: findings(grounds, is_about),
        // What is left out because it is not there yet is no wish of anybody.
        checks: change_set.checks.iter().map(|one| Check { not_yet: BTreeSet::new(), ..one.clone() }).collect(),
        release: change_set.release.as_ref().filter(|carried| carried.from.is_some()).map(|carried| carried.id),
    })
}

/// The digest of a whole change set, and of all that is said of it.
pub fn of_all(change_set: &ChangeSet, grounds: &Grounds, chain: &str) -> Digest {
    let steps: Vec<&Step> = change_set.steps.iter().collect();
    let addresses: BTreeSet<String> = steps.iter().map(|step| step.address.to_string()).collect();
    let evidence: Vec<Proof<'_>> = steps.iter().filter_map(|step| proof(step, step.id, grounds)).collect();
    let said = (evidence, sizes(grounds, &addresses), findings(grounds, |_| true));
    Digest::of_json(&(FORM, Part::Whole, chain, change_set.digest(), said))
}

/// The digest of a change of the rules themselves.
pub fn of_rules(
    change_set: &ChangeSet,
    chain: &str,
    before: (Option<&Rules>, Standing, &Gates),
    after: (Option<&Rules>, Standing, &Gates),
) -> Digest {
    let (project, environment) = (&change_set.project, &change_set.environment);
    Digest::of_json(&(FORM, Part::Rules, project, environment, chain, before, after))
}

/// A step with numbers that count within its part: an unrelated step elsewhere changes none of them.
fn placed(step: &Step, places: &BTreeMap<StepId, StepId>) -> Step {
    let after = step.after.iter().filter_map(|id| places.get(id).copied()).collect();
    Step { id: places[&step.id], after, ..step.clone() }
}

fn proof<'a>(step: &Step, place: StepId, grounds: &'a Grounds) -> Option<Proof<'a>> {
    let Action::Migrate { migration, .. } = &step.action else { return None };
    let certificate = grounds.evidence.of(&step.address, migration.version).map(proved);
    let foretold = grounds.targets.foretold(&step.address, migration.version);
    Some(Proof { step: place, certificate, foretold })
}

fn proved(certificate: &Certificate) -> Proved<'_> {
    Proved {
        server: major(&certificate.server),
        basis: match certificate.basis {
            Basis::Empty => ("empty", 0),
            Basis::Seeded { rows } => ("seeded", power_of_ten(rows)),
            Basis::Sampled { rows } => ("sampled", power_of_ten(rows)),
        },
        verdict: &certificate.verdict,
        derived: certificate.derived.as_deref(),
        group: certificate.group.as_deref(),
        undone: &certificate.undone,
        forth: &certificate.forth,
        back: &certificate.back,
    }
}

fn sizes<'a>(grounds: &'a Grounds, addresses: &BTreeSet<String>) -> BTreeMap<String, BTreeMap<&'a str, SizeClass>> {
    let of_ours = grounds.targets.0.iter().map(|(address, target)| (address.to_string(), target));
    let mut sizes = BTreeMap::new();
    for (address, target) in of_ours.filter(|(address, _)| addresses.contains(address)) {
        if let Answer::Facts(facts) = &target.answer {
            let class = |rows: Option<u64>, bytes: u64| SizeClass {
                rows: rows.map(|rows| power_of_ten(rows.max(FEW_ROWS))),
                bytes: power_of_ten(bytes.max(FEW_BYTES)),
            };
            let known = facts.sizes.iter().map(|(name, size)| (name.as_str(), class(size.rows, size.bytes)));
            sizes.insert(address, known.collect());
        }
    }
    sizes
}

fn findings(grounds: &Grounds, is_about: impl Fn(&Place) -> bool) -> BTreeSet<String> {
    let found = grounds.findings.found.iter().map(|finding| (finding, None));
    let ignored = grounds.findings.ignored.iter().map(|ignored| (&ignored.finding, Some(ignored.reason.as_str())));
    let all = found.chain(ignored).filter(|(finding, _)| is_about(&finding.place));
    all.map(|(finding, reason)| finding_key(finding, reason)).collect()
}

/// What a finding says without numbers that are others a minute later.
fn finding_key(finding: &Finding, ignored: Option<&str>) -> String {
    let place = &finding.place;
    let key = FindingKey {
        rule: &finding.rule,
        level: finding.level,
        address: place.address.as_deref(),
        version: place.version,
        way: place.way,
        statement: place.statement,
        line: place.line,
        excerpt: &place.excerpt,
        ignored,
    };
    serde_json::to_string(&key).expect("plain data is JSON")
}

/// How many digits a number has.
fn power_of_ten(number: u64) -> u32 {
    number.checked_ilog10().map_or(0, |power| power + 1)
}
