//! The attributes and rules of `aws_ssm_given_parameter`. Pure.
//!
//! Invariant: nothing of it is ever a change in the world.

use crate::approval::class::Part;
use crate::kind::{Asked, Attribute, By, Change, Judgement, Kind, LateCall, Mistake, PerChange, Rights, Rules};
use crate::provider::aws::ssm_parameter::rules::name_mistake;
use crate::value::{Object, Type, Value};

/// The kind.
pub fn kind() -> Kind {
    let for_the_command =
        |name, documentation| Attribute::optional(name, Type::String, documentation).volatile().write_only();
    Kind {
        name: "aws_ssm_given_parameter",
        provider: "aws",
        summary: "A parameter of Systems Manager whose value a person gives: it is found there, and never written.",
        attributes: vec![
            Attribute::required("name", Type::String, "Its name, unique in account and region.").replaces(),
            for_the_command("tier", "Its tier, for the command that a person types."),
            for_the_command("key_id", "The key that encrypts it, for the command that a person types."),
            Attribute::computed("arn", Type::String, "Its ARN."),
            Attribute::computed("id", Type::String, "Its name."),
            Attribute::computed("version", Type::Number, "The version of its value."),
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
        name_mistake(desired.get("name").and_then(Value::as_str)).into_iter().collect()
    }

    fn rights(&self) -> Rights {
        Rights { reads: &["ssm:DescribeParameters"], writes: &[] }
    }

    fn identity(&self, object: &Object) -> Option<String> {
        object.get("name")?.as_str().map(str::to_owned)
    }

    fn import(&self, id: &str) -> Result<Object, String> {
        match name_mistake(Some(id)) {
            None => Ok(Object::from([("name".to_owned(), id.into())])),
            Some(mistake) => Err(format!("{}; the id is its name", mistake.text)),
        }
    }

    fn given_by_person(&self, object: &Object) -> Option<String> {
        let said = |name: &str, option: &str| {
            let said = object.get(name).and_then(Value::as_str);
            said.map(|said| format!(" --{option} {said}")).unwrap_or_default()
        };
        let more = said("tier", "tier") + &said("key_id", "key-id");
        let name = object.get("name").and_then(Value::as_str).unwrap_or_default();
        Some(format!("aws ssm put-parameter --type SecureString --name {name}{more} --value file:///dev/stdin"))
    }

    fn judge(&self, _change: Change<'_>) -> Judgement {
        Judgement::Exact
    }
}
