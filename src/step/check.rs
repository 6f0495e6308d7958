//! Checks of a change set: what is asked, when, and what follows when it fails. Pure data.
//!
//! Invariant: a check holds everything that asking it needs except secrets, as a step does.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Action, ChangeSet, Step, StepId};
use crate::address::Address;
use crate::expression::Deferred;
use crate::migration::said::Phase;
use crate::migration::{Direction, length};
use crate::value::Object;
use crate::world::Binding;

/// A `verify` block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Its name: `verify.web_up`, `module.shop.verify.web_up`.
    pub address: Address,
    /// The kind of check.
    pub kind: String,
    /// When it is asked.
    pub when: When,
    /// What follows when it fails.
    pub on_failure: OnFailedCheck,
    /// How long it may take to be as it should be, in milliseconds.
    pub within_milliseconds: u64,
    /// The pause between two tries, in milliseconds.
    pub interval_milliseconds: u64,
    /// How often it is asked at most until it is as it should be; nothing: as often as the time allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<u32>,
    /// How long it has to stay as it should be, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub holds_for_milliseconds: u64,
    /// How long a runner waits while it holds, in milliseconds; then the run parks. Nothing: to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parks_after_milliseconds: Option<u64>,
    /// What is asked: settings that are known and no secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: Object,
    /// Settings that are secret, or known only when it is asked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deferred: BTreeMap<String, Deferred>,
    /// How that is reached which it asks, where its settings do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// What it refers to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub needs: BTreeSet<Address>,
    /// Of one that is asked before the first effect: what it refers to and is not there yet. Then it is left out.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub not_yet: BTreeSet<Address>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// When a check is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Before the first effect.
    Before,
    /// When everything is done but the contract phase, and before that.
    Between,
    /// When everything is done, and before that counts as done.
    After,
}

/// What follows when a check fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailedCheck {
    /// The run stops; what was done stands.
    Stop,
    /// What was done is taken back.
    Rollback,
    /// It is told. No spec says this: so is what is asked after a way back.
    Tell,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// It was as it should be, for as long as it should be.
    Passed,
    /// It was not.
    Failed,
    /// It was not asked: what it refers to was not there yet.
    LeftOut,
    /// What it had begun was ended before it came out, because another one had failed.
    CalledOff,
}

impl When {
    /// All of them, in their order.
    pub const ALL: [Self; 3] = [Self::Before, Self::Between, Self::After];

    /// As the spec writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Between => "between",
            Self::After => "after",
        }
    }

    /// What it means, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Before => "before the first effect",
            Self::Between => "before the contract phase",
            Self::After => "when all is done",
        }
    }
}

impl OnFailedCheck {
    /// Those that a spec can say.
    pub const ALL: [Self; 2] = [Self::Stop, Self::Rollback];

    /// As the spec writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Rollback => "rollback",
            Self::Tell => "tell",
        }
    }

    /// What follows, for people.
    pub fn meaning(self, when: When) -> &'static str {
        match (self, when) {
            (Self::Tell, _) => "it is told",
            (Self::Stop | Self::Rollback, When::Before) => "nothing is done",
            (Self::Stop, When::Between | When::After) => "the run stops",
            (Self::Rollback, When::Between | When::After) => "what was done is taken back",
        }
    }
}

impl CheckResult {
    /// In a word or two.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::LeftOut => "left out",
            Self::CalledOff => "called off",
        }
    }
}

impl Check {
    /// What is asked, in one line.
    pub fn question(&self) -> String {
        let open = self.settings.iter().map(|(name, value)| format!("{name} = {}", value.to_shown_json()));
        let later = self.deferred.iter().map(|(name, deferred)| match deferred.secrets().is_empty() {
            true => format!("{name} known when it is asked"),
            false => format!("{name} secret"),
        });
        let database = self.binding.as_ref().filter(|binding| binding.provider == "postgres");
        let whose = database.and_then(|_| self.needs.iter().find(|need| &*need.word == "database"));
        let whose = whose.map(|database| format!(" of {database}")).unwrap_or_default();
        format!("{}{whose}: {}", self.kind, open.chain(later).collect::<Vec<_>>().join(", "))
    }

    /// How long, how often, in one line.
    pub fn patience(&self) -> String {
        let tries = self.tries.map(|tries| format!(", at most {tries} tries")).unwrap_or_default();
        let holds = match self.holds_for_milliseconds {
            0 => String::new(),
            holds => format!(", and to hold for {}", length::shown(holds)),
        };
        let parks = self.parks_after_milliseconds.map(|after| format!(" (parks after {})", length::shown(after)));
        let holds = holds + &parks.unwrap_or_default();
        let (within, interval) = (length::shown(self.within_milliseconds), length::shown(self.interval_milliseconds));
        format!("within {within}, every {interval}{tries}{holds}")
    }

    /// Whether it asks the same, whatever is there already.
    pub fn is_same(&self, other: &Self) -> bool {
        let plain = |check: &Self| Self { not_yet: BTreeSet::new(), ..check.clone() };
        plain(self) == plain(other)
    }
}

impl ChangeSet {
    /// What is asked then, and may fail the run.
    pub fn checks_at(&self, when: When) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(move |check| check.when == when && check.on_failure != OnFailedCheck::Tell)
    }

    /// What is asked when all is over, and only told.
    pub fn told_checks(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.on_failure == OnFailedCheck::Tell)
    }

    /// Whether it asks the same as another one.
    pub fn asks_as(&self, other: &Self) -> bool {
        self.checks.len() == other.checks.len()
            && self.checks.iter().zip(&other.checks).all(|(one, other)| one.is_same(other))
    }

    /// The contract phase: migrations of that phase and what drops for good, and whatever waits for them. It begins when
    /// all else is done.
    pub fn contract_phase(&self) -> BTreeSet<StepId> {
        let mut found: BTreeSet<StepId> = BTreeSet::new();
        for step in &self.steps {
            // Nothing starts behind the point of no return before all that lies before it is done.
            let point = self.point_of_no_return.filter(|point| step.id >= *point);
            let waits_at_point = point.is_some_and(|point| found.first().is_some_and(|first| *first < point));
            let waits = step.after.iter().any(|before| found.contains(before));
            if contracts(step) || waits_at_point || waits {
                found.insert(step.id);
            }
        }
        found
    }
}

fn contracts(step: &Step) -> bool {
    match &step.action {
        Action::Migrate { direction: Direction::Up, migration, .. } => migration.said.phase == Some(Phase::Contract),
        Action::Purge { .. } => true,
        Action::Migrate { direction: Direction::Down, .. }
        | Action::Create { .. }
        | Action::Update { .. }
        | Action::Revise { .. }
        | Action::Return { .. }
        | Action::Retire { .. }
        | Action::Delete { .. }
        | Action::Forget { .. }
        | Action::Remember { .. }
        | Action::Import { .. }
        | Action::TakeUp { .. }
        | Action::Move { .. } => false,
    }
}
