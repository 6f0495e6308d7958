//! What of a change set has to be signed, as what and why. Pure.
//!
//! Invariant: the rules are those that were applied last; a spec's own count only where none ever were.

use std::collections::BTreeMap;

use super::cover;
use super::part;
use crate::approval::class::{Class, Part};
use crate::approval::rules::{Requirement, Rules};
use crate::digest::Digest;
use crate::kind::Kinds;
use crate::ledger::{Run, RunResult, State};
use crate::review::grounds::Grounds;
use crate::step::{ChangeSet, Edit, Operation, Standing, Step};

/// What is judged.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The change set.
    pub change_set: &'a ChangeSet,
    /// What is known of it besides.
    pub grounds: &'a Grounds,
    /// What the ledger says.
    pub state: &'a State,
    /// The table of kinds.
    pub kinds: &'a Kinds,
    /// What is asked for beside the rules: a budget that says so.
    pub demands: &'a [Demand],
}

/// A signature that something else than the rules asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// As what.
    pub class: Class,
    /// Of which part.
    pub part: Part,
    /// Why.
    pub why: String,
}

/// Where the rules come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// They were applied.
    Applied,
    /// They stand in the spec that is planned, for none were ever applied.
    UnderReview,
}

/// Signatures that are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// As what.
    pub class: Class,
    /// Of which part.
    pub part: Part,
    /// The digest of that; nothing before the chain has a name.
    pub digest: Option<Digest>,
    /// Why.
    pub why: String,
    /// How many, and whose.
    pub requirement: Requirement,
}

/// The rules that count, if any do.
pub fn rules<'a>(state: &'a State, change_set: &'a ChangeSet) -> Option<(&'a Rules, Source)> {
    let applied = state.signatures.rules.as_ref().map(|rules| (rules, Source::Applied));
    applied.or_else(|| change_set.approval_rules.as_deref().map(|rules| (rules, Source::UnderReview)))
}

/// The parts of a change set that it has, with their digests.
pub fn parts(case: Case<'_>) -> BTreeMap<Part, Option<Digest>> {
    let chain = case.state.chain.as_ref().map(|chain| chain.id.as_str());
    let of_steps = part::split(&case.change_set.steps, case.kinds);
    let digest = |(part, steps): (Part, Vec<&Step>)| {
        (part, chain.map(|chain| cover::of_steps(case.change_set, case.grounds, chain, part, &steps)))
    };
    let mut parts: BTreeMap<Part, Option<Digest>> = of_steps.into_iter().map(digest).collect();
    if change_of_rules(case).is_some() {
        let before = (case.state.signatures.rules.as_ref(), case.state.standing(), case.state.gates());
        let set = case.change_set;
        let after = (set.approval_rules.as_deref(), set.standing, &set.gates);
        parts.insert(Part::Rules, chain.map(|chain| cover::of_rules(case.change_set, chain, before, after)));
    }
    parts.insert(Part::Whole, chain.map(|chain| cover::of_all(case.change_set, case.grounds, chain)));
    parts
}

/// Everything that has to be signed.
pub fn needs(case: Case<'_>) -> Vec<Need> {
    let nothing = Rules::default();
    let rules = rules(case.state, case.change_set).map_or(&nothing, |(rules, _)| rules);
    let (asks, destroys) = (!rules.asks_for_nothing(), destroys(case));
    if is_free(case) || (!asks && case.demands.is_empty()) {
        return Vec::new();
    }
    let mut needs = Needs { rules, parts: parts(case), found: Vec::new() };
    let steps = part::split(&case.change_set.steps, case.kinds);
    for (part, steps) in &steps {
        needs.of_part(*part, steps);
    }
    if asks && change_of_rules(case).is_some() {
        needs.add(Class::Owner, Part::Rules, "who may sign, or what is asked of those who change it, changes");
    }
    if asks && destroys {
        needs.add(Class::Owner, Part::Whole, "it counts as destroying the environment");
    }
    for demand in case.demands {
        needs.add(demand.class, demand.part, &demand.why);
    }
    needs.found.sort_by_key(|need| (need.part, need.class));
    needs.found
}

/// Whether it is never signed: a change of the ledger alone; and what was approved may be taken back, as long as that
/// loses nothing.
pub fn is_free(case: Case<'_>) -> bool {
    match case.change_set.operation {
        Operation::Apply | Operation::Destroy => false,
        Operation::Rollback { .. } => !destroys(case) && case.change_set.irreversible().next().is_none(),
        Operation::Edit(_) => true,
    }
}

struct Needs<'a> {
    rules: &'a Rules,
    parts: BTreeMap<Part, Option<Digest>>,
    found: Vec<Need>,
}

impl Needs<'_> {
    fn of_part(&mut self, part: Part, steps: &[&Step]) {
        let losing: Vec<String> =
            steps.iter().filter(|step| !step.inverse.is_reversible()).map(|step| step.id.to_string()).collect();
        let rules = self.rules;
        for (class, requirement) in &rules.required {
            let is_named = requirement.parts.contains(&part);
            let is_for_it = requirement.parts.is_empty() && part.class() == *class;
            let loses = *class == Class::DataLoss && !losing.is_empty() && (requirement.parts.is_empty() || is_named);
            if loses {
                let steps = if losing.len() == 1 { "step" } else { "steps" };
                self.add(*class, part, &format!("{steps} {} cannot be taken back without a loss", losing.join(", ")));
            } else if *class != Class::DataLoss && (is_named || is_for_it) {
                self.add(*class, part, what_changes(part));
            }
        }
    }

    fn add(&mut self, class: Class, part: Part, why: &str) {
        if let Some(known) = self.found.iter_mut().find(|need| need.class == class && need.part == part) {
            known.why += &format!("; {why}");
            return;
        }
        let requirement = self.rules.required.get(&class).cloned().unwrap_or_else(|| Requirement::of(1));
        let digest = self.parts.get(&part).copied().flatten();
        self.found.push(Need { class, part, digest, why: why.to_owned(), requirement });
    }
}

fn what_changes(part: Part) -> &'static str {
    match part {
        Part::Database => "databases change",
        Part::Infrastructure => "infrastructure changes",
        Part::Configuration => "configuration changes",
        Part::Rules => "the rules change",
        Part::Whole => "something changes",
    }
}

/// What a change set changes of the rules that were applied, and of what the environment asks of those who change it;
/// nothing where it changes neither, or no rules were ever applied.
pub fn change_of_rules(case: Case<'_>) -> Option<Vec<String>> {
    let before = case.state.signatures.rules.as_ref()?;
    if case.change_set.operation != Operation::Apply {
        return None;
    }
    let nothing = Rules::default();
    let mut lines = before.difference(case.change_set.approval_rules.as_deref().unwrap_or(&nothing));
    lines.extend(standing_lines(case.state.standing(), case.change_set.standing));
    lines.extend(case.state.gates().difference(&case.change_set.gates));
    (!lines.is_empty()).then_some(lines)
}

fn standing_lines(before: Standing, after: Standing) -> Vec<String> {
    let mut lines = Vec::new();
    if before.protected != after.protected {
        lines.push(format!("~ protected: {} -> {}", before.protected, after.protected));
    }
    if before.holds != after.holds {
        lines.push(format!("~ a rollback holds what it takes back: {} -> {}", before.holds, after.holds));
    }
    lines
}

/// Whether it counts as destroying the environment.
pub fn destroys(case: Case<'_>) -> bool {
    match case.change_set.operation {
        Operation::Destroy => true,
        Operation::Rollback { to } => case.state.standing().protected && is_below_the_ground(case.state, to),
        Operation::Apply | Operation::Edit(_) => false,
    }
}

/// Whether a way back goes below where the environment was taken over from elsewhere, or before its first run; what
/// never became whole may be taken back.
fn is_below_the_ground(state: &State, to: u64) -> bool {
    let is_adoption = |run: &&Run| match run.change_set.operation {
        Operation::Edit(Edit::Adopt | Edit::Baseline) => true,
        Operation::Apply
        | Operation::Destroy
        | Operation::Rollback { .. }
        | Operation::Edit(Edit::Import | Edit::Move | Edit::Remove | Edit::Rebless | Edit::Skip) => false,
    };
    let is_whole = |run: &&Run| matches!(run.ended, Some((RunResult::Complete, _))) && !run.taken_back;
    let since = state.runs.iter().filter(|run| run.number > to).filter(is_whole);
    since.clone().any(|run| is_adoption(&run)) || (to == 0 && since.clone().next().is_some())
}
