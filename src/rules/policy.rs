//! Policies of the house: what must be true of every change, asked with the change set, who asks and when. Pure.
//!
//! Invariant: what cannot be told is a finding of its own: never a pass.

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::finding::{Finding, Findings, Level, Place};
use crate::diagnostic::{Diagnostic, Span};
use crate::expression::{Deferred, Expr, Reference};
use crate::resolve::evaluate::{Scope, Surroundings, evaluate};
use crate::spec::{PolicyBlock, RuleLevel, Spec};
use crate::step::{Action, ChangeSet, Edit, Operation, Step};
use crate::value::{Data, Object, Type, Unknown, Value};

/// What the rule of a policy's finding begins with.
pub const PREFIX: &str = "policy.";

/// A policy of the house, as a saved plan keeps it as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// What must be true.
    pub condition: Deferred,
    /// What is said where it is not.
    pub message: Deferred,
    /// How heavy that weighs.
    pub level: Level,
    /// Where it is asked at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Deferred>,
    /// The environments that it is for; all when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
}

/// Who asks, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circumstances<'a> {
    /// Who.
    pub actor: &'a str,
    /// When.
    pub at: Timestamp,
}

/// The policies of a spec: those of the project, then those of the environment.
pub fn of_spec(spec: &Spec) -> Vec<Policy> {
    let environment = spec.modules.first().map(|module| module.policies.as_slice()).unwrap_or_default();
    spec.project.policies.iter().chain(environment).map(Policy::of).collect()
}

impl Policy {
    fn of(block: &PolicyBlock) -> Self {
        let stored = |expr: &Expr| Deferred::new(Vec::new(), expr.clone());
        Self {
            name: block.name.to_string(),
            condition: stored(&block.condition),
            message: stored(&block.message),
            level: match block.level {
                RuleLevel::Off | RuleLevel::Note => Level::Note,
                RuleLevel::Warning => Level::Warning,
                RuleLevel::Error => Level::Error,
            },
            when: block.when.as_ref().map(stored),
            environments: block.environments.clone(),
        }
    }
}

/// What the policies have to say of a change set. What they said at another time is not looked at.
pub fn judge(
    policies: &[Policy],
    change_set: &ChangeSet,
    findings: &Findings,
    circumstances: &Circumstances<'_>,
) -> Vec<Finding> {
    let here = |policy: &&Policy| {
        let environments = &policy.environments;
        environments.is_empty() || environments.contains(&change_set.environment)
    };
    let asked: Vec<&Policy> = policies.iter().filter(here).collect();
    if asked.is_empty() {
        return Vec::new();
    }
    let plan = Plan { facts: facts(change_set, findings, circumstances), at: circumstances.at };
    asked.into_iter().filter_map(|policy| plan.ask(policy)).collect()
}

/// Findings without those of policies: they are asked anew by whoever applies.
pub fn forget(findings: &mut Findings) {
    findings.found.retain(|finding| !finding.rule.starts_with(PREFIX));
}

/// What a condition gave.
enum Answer {
    Holds,
    Fails,
    Untold(String),
}

/// What policies can name.
struct Plan {
    facts: Object,
    at: Timestamp,
}

impl Scope for Plan {
    fn reference(&self, reference: &Reference, span: Span) -> Result<Value, Diagnostic> {
        let found = match reference {
            Reference::Block { word, name } if &**word == "plan" => self.facts.get(&**name),
            _ => None,
        };
        found.cloned().ok_or_else(|| {
            Diagnostic::error("there is no such name in a policy")
                .at(span)
                .detail("a policy names `plan` and what it has")
                .help("`docs/policies.md` lists what there is")
        })
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { files: None, folder: Path::new("."), home: None, planned_at: Some(self.at), now: Some(self.at) }
    }
}

impl Plan {
    fn ask(&self, policy: &Policy) -> Option<Finding> {
        let finding = |message: String, reason: &str| Finding {
            rule: format!("{PREFIX}{}", policy.name),
            level: policy.level,
            place: Place::default(),
            message,
            reason: reason.to_owned(),
            help: format!("see `policy \"{}\"` in the spec, or ask who wrote it", policy.name),
            rewrite: None,
        };
        let cannot = |what: &str, why: String| {
            Some(finding(format!("{what} of the policy cannot be told: {why}"), "What cannot be told is no pass."))
        };
        if let Some(when) = &policy.when {
            match self.truth(when) {
                Answer::Holds => {}
                Answer::Fails => return None,
                Answer::Untold(why) => return cannot("`when`", why),
            }
        }
        match self.truth(&policy.condition) {
            Answer::Holds => None,
            Answer::Fails => Some(finding(self.words(policy), "")),
            Answer::Untold(why) => cannot("the condition", why),
        }
    }

    fn truth(&self, expr: &Deferred) -> Answer {
        let value = match evaluate(&expr.root, self) {
            Ok(value) => value,
            Err(mistakes) => {
                let why = mistakes.0.first().and_then(|one| one.detail.clone()).unwrap_or_default();
                return Answer::Untold(why);
            }
        };
        match (value.data(), value.as_bool()) {
            (Data::Unknown(_), _) => Answer::Untold("it depends on what is known only after the apply".to_owned()),
            (_, Some(true)) => Answer::Holds,
            (_, Some(false)) => Answer::Fails,
            (_, None) => Answer::Untold("it gives neither `true` nor `false`".to_owned()),
        }
    }

    fn words(&self, policy: &Policy) -> String {
        let said = evaluate(&policy.message.root, self).ok();
        let text = said.as_ref().filter(|value| !value.is_sensitive()).and_then(Value::as_str).map(str::to_owned);
        text.unwrap_or_else(|| format!("the policy `{}` does not hold; its message cannot be told", policy.name))
    }
}

fn text(text: impl Into<String>) -> Value {
    Value::from(text.into().as_str())
}

fn optional(value: Option<impl Into<String>>) -> Value {
    value.map_or_else(Value::null, text)
}

fn number(number: i64) -> Value {
    Value::from(number)
}

fn facts(change_set: &ChangeSet, findings: &Findings, circumstances: &Circumstances<'_>) -> Object {
    let steps = change_set.steps.iter().map(step).collect();
    let of_rules = findings.found.iter().filter(|finding| !finding.rule.starts_with(PREFIX));
    let losses = change_set.irreversible().map(loss).collect();
    let names = change_set.outputs.keys().map(text).collect();
    [
        ("project", text(&change_set.project)),
        ("environment", text(&change_set.environment)),
        ("operation", text(operation(change_set.operation))),
        ("actor", text(circumstances.actor)),
        ("at", moment(circumstances.at)),
        ("steps", Value::tuple(steps)),
        ("findings", Value::tuple(of_rules.map(finding).collect())),
        ("losses", Value::tuple(losses)),
        ("outputs", Value::tuple(names)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Apply => "apply",
        Operation::Destroy => "destroy",
        Operation::Rollback { .. } => "rollback",
        Operation::Edit(Edit::Import) => "import",
        Operation::Edit(_) => "edit",
    }
}

fn moment(at: Timestamp) -> Value {
    let there = at.to_zoned(TimeZone::UTC);
    Value::object([
        ("timestamp", text(at.to_string())),
        ("date", text(there.strftime("%Y-%m-%d").to_string())),
        ("weekday", text(there.strftime("%A").to_string().to_lowercase())),
        ("hour", number(there.hour().into())),
        ("minute", number(there.minute().into())),
    ])
}

fn step(step: &Step) -> Value {
    let version = match &step.action {
        Action::Migrate { migration, .. } | Action::Purge { migration, .. } => number(migration.version),
        _ => Value::null(),
    };
    Value::object([
        ("id", number(step.id.0.into())),
        ("action", text(step.action.verb())),
        ("kind", optional(step.action.kind())),
        ("address", text(step.address.to_string())),
        ("title", text(step.title())),
        ("provider", text(&step.binding.provider)),
        ("class", text(step.inverse.class())),
        ("why", optional(step.inverse.why())),
        ("version", version),
        ("before", object(step.action.before())),
        ("after", object(step.action.after())),
    ])
}

/// A thing; what is withheld in it cannot be told.
fn object(object: Option<&Object>) -> Value {
    let Some(object) = object else { return Value::null() };
    let open = |value: &Value| {
        value.rebuild(&|part| match part.data() {
            Data::Sealed(_) => Value::unknown(Unknown::of(Type::Any)),
            _ => part,
        })
    };
    Value::object(object.iter().map(|(name, value)| (name.as_str(), open(value))))
}

fn finding(finding: &Finding) -> Value {
    Value::object([
        ("rule", text(&finding.rule)),
        ("level", text(finding.level.word())),
        ("address", optional(finding.place.address.clone())),
        ("step", finding.place.step.map_or_else(Value::null, |step| number(step.0.into()))),
        ("message", text(&finding.message)),
    ])
}

fn loss(step: &Step) -> Value {
    Value::object([
        ("step", number(step.id.0.into())),
        ("address", text(step.address.to_string())),
        ("class", text(step.inverse.class())),
        ("why", text(step.inverse.why().unwrap_or_default())),
    ])
}
