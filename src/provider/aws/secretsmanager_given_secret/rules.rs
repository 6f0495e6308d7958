//! The attributes and rules of `aws_secretsmanager_given_secret`. Pure.
//!
//! Invariant: nothing of it is ever a change in the world.

use crate::approval::class::Part;
use crate::kind::{Asked, Attribute, By, Change, Judgement, Kind, LateCall, Mistake, PerChange, Rights, Rules};
use crate::provider::aws::secretsmanager_secret::rules::name_mistake;
use crate::value::{Object, Type, Value};

/// The kind.
pub fn kind() -> Kind {
    Kind {
        name: "aws_secretsmanager_given_secret",
        provider: "aws",
        summary: "A secret in Secrets Manager whose value a person gives: it is found there, and never written.",
        attributes: vec![
            Attribute::required("name", Type::String, "Its name, unique in account and region.").replaces(),
            Attribute::optional(
                "kms_key_id",
                Type::String,
                "The key that encrypts it, for the command that a person types.",
            )
            .volatile()
            .write_only(),
            Attribute::computed("arn", Type::String, "Its ARN."),
            Attribute::computed("id", Type::String, "Its ARN."),
            Attribute::computed("version_id", Type::String, "The version of its current value."),
            Attribute::computed(
                "value_from",
                Type::String,
                "ARN and version, as `valueFrom` of a container takes them: another value makes another revision.",
            ),
        ],
        late: PerChange::alike(LateCall::Precondition("nothing is ever sent")),
        asked: PerChange::alike(Asked::by(By::Name)),
        rules: Box::new(GivenRules),
    }
}

struct GivenRules;

impl Rules for GivenRules {
    fn part(&self) -> Part {
        Part::Configuration
    }

    fn check(&self, desired: &Object) -> Vec<Mistake> {
        desired.get("name").and_then(Value::as_str).and_then(name_mistake).into_iter().collect()
    }

    fn rights(&self) -> Rights {
        Rights { reads: &["secretsmanager:DescribeSecret"], writes: &[] }
    }

    fn identity(&self, object: &Object) -> Option<String> {
        object.get("name")?.as_str().map(str::to_owned)
    }

    fn import(&self, id: &str) -> Result<Object, String> {
        match name_mistake(id) {
            None => Ok(Object::from([("name".to_owned(), id.into())])),
            Some(mistake) => Err(format!("{}; the id is its name", mistake.text)),
        }
    }

    fn given_by_person(&self, object: &Object) -> Option<String> {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let key = text("kms_key_id").map(|key| format!(" --kms-key-id {key}")).unwrap_or_default();
        let name = text("name").unwrap_or_default();
        Some(format!("aws secretsmanager create-secret --name {name}{key} --secret-string file:///dev/stdin"))
    }

    fn judge(&self, _change: Change<'_>) -> Judgement {
        Judgement::Exact
    }
}
