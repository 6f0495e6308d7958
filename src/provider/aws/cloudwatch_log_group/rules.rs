//! The attributes and rules of `aws_cloudwatch_log_group`. Pure.
//!
//! Invariant: a log group is known by its name; its events are data, which no way back brings again.

use crate::kind::{Asked, Attribute, By, Change, Judgement, Kind, LateCall, Mistake, PerChange, Rights, Rules};
use crate::provider::aws::ecs_cluster::rules::keep_names;
use crate::provider::aws::{canonical, tags};
use crate::value::{Object, Type, Value};

/// The days that CloudWatch Logs knows; 0 is for ever.
const RETENTIONS: [i64; 23] =
    [0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// The kind.
pub fn kind() -> Kind {
    Kind {
        name: "aws_cloudwatch_log_group",
        provider: "aws",
        summary: "A group of log streams in CloudWatch Logs.",
        attributes: attributes(),
        late: PerChange {
            create: LateCall::UniqueName(
                "a group of this name is made once; one that was taken back meanwhile is there again, empty, with the tags of its step, and the next apply that makes it refuses by name",
            ),
            update: LateCall::Nothing(
                "it sets retention, key or tags as its step planned them: what a resumed run has set already; after a way back, the next plan shows it",
            ),
            delete: LateCall::Nothing(
                "it removes the group of this name, also one that was made again meanwhile; the next plan makes it again, without its events",
            ),
        },
        asked: PerChange { create: Asked::by(By::Tag), update: Asked::by(By::Comparison), delete: Asked::by(By::Name) },
        rules: Box::new(LogGroupRules { attributes: attributes() }),
    }
}

/// Its attributes.
pub fn attributes() -> Vec<Attribute> {
    vec![
        Attribute::required("name", Type::String, "Its name, unique in account and region.").replaces(),
        Attribute::optional("retention_in_days", Type::Number, "After how many days events go; 0: never.")
            .default(0_i64),
        Attribute::optional("kms_key_id", Type::String, "The ARN of the key that encrypts it."),
        Attribute::optional("log_group_class", Type::String, "`STANDARD`, `INFREQUENT_ACCESS` or `DELIVERY`.")
            .default("STANDARD")
            .replaces(),
        Attribute::optional("skip_destroy", Type::Bool, "Whether a removal leaves it where it is.")
            .default(false)
            .write_only(),
        tags::attribute(),
        Attribute::computed("arn", Type::String, "Its ARN, without `:*`."),
        Attribute::computed("id", Type::String, "Its name."),
    ]
}

struct LogGroupRules {
    attributes: Vec<Attribute>,
}

impl Rules for LogGroupRules {
    fn check(&self, desired: &Object) -> Vec<Mistake> {
        let mut mistakes = tags::check(desired);
        let text = |name: &str| desired.get(name).and_then(Value::as_str);
        let mut mistake = |attribute: &str, text: String, help: &str| {
            mistakes.push(Mistake { attribute: Some(attribute.to_owned()), text, help: help.to_owned() });
        };
        if let Some(name) = text("name") {
            let good = |letter: char| letter.is_ascii_alphanumeric() || "_-/.#".contains(letter);
            if name.is_empty() || name.len() > 512 || !name.chars().all(good) {
                let help = "use up to 512 letters, digits and the characters `_ - / . #`";
                mistake("name", format!("`{name}` is not a name for a log group"), help);
            }
        }
        if let Some(days) = desired.get("retention_in_days").and_then(Value::as_number)
            && !days.to_i64().is_some_and(|days| RETENTIONS.contains(&days))
        {
            let days = format!("CloudWatch Logs cannot keep events for {days} days");
            mistake("retention_in_days", days, "use 0 (for ever), 1, 3, 5, 7, 14, 30, 60, 90, … 3653");
        }
        if let Some(class) = text("log_group_class")
            && !["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"].contains(&class)
        {
            let help = "use `STANDARD`, `INFREQUENT_ACCESS` or `DELIVERY`";
            mistake("log_group_class", format!("there is no class `{class}` of log groups"), help);
        }
        mistakes
    }

    fn complete(&self, planned: &mut Object, prior: Option<&Object>) {
        if let Some(name) = planned.get("name").cloned() {
            planned.insert("id".to_owned(), name);
        }
        keep_names(planned, prior, "name", &["arn"]);
    }

    fn normalise(&self, attribute: &str, value: &Value) -> Value {
        canonical::canonical(&self.attributes, attribute, value)
    }

    fn rights(&self) -> Rights {
        Rights {
            reads: &["logs:DescribeLogGroups", "logs:ListTagsForResource"],
            writes: &[
                "logs:CreateLogGroup",
                "logs:DeleteLogGroup",
                "logs:PutRetentionPolicy",
                "logs:DeleteRetentionPolicy",
                "logs:AssociateKmsKey",
                "logs:DisassociateKmsKey",
                "logs:TagResource",
                "logs:UntagResource",
            ],
        }
    }

    fn identity(&self, object: &Object) -> Option<String> {
        object.get("name")?.as_str().map(str::to_owned)
    }

    fn import(&self, id: &str) -> Result<Object, String> {
        match self.check(&Object::from([("name".to_owned(), id.into())])).into_iter().next() {
            None => Ok(Object::from([("name".to_owned(), id.into())])),
            Some(mistake) => Err(format!("{}; the id is its name", mistake.text)),
        }
    }

    fn judge(&self, change: Change<'_>) -> Judgement {
        match change {
            Change::Create(_) => Judgement::Exact,
            Change::Update(before, after) => judge_update(before, after),
            Change::Delete(before) if before.get("skip_destroy").and_then(Value::as_bool) == Some(true) => {
                Judgement::Exact
            }
            Change::Delete(before) => Judgement::LosesData(format!("the log events of {}", name(before))),
        }
    }
}

fn judge_update(before: &Object, after: &Object) -> Judgement {
    let days = |object: &Object| match object.get("retention_in_days").and_then(Value::as_i64) {
        None | Some(0) => i64::MAX,
        Some(days) => days,
    };
    match days(after) < days(before) {
        true => {
            Judgement::LosesData(format!("the log events of {} that are older than {} days", name(before), days(after)))
        }
        false => Judgement::Exact,
    }
}

fn name(object: &Object) -> String {
    object.get("name").and_then(Value::as_str).unwrap_or("the log group").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(days: i64) -> Object {
        Object::from([("name".to_owned(), "/shop".into()), ("retention_in_days".to_owned(), days.into())])
    }

    #[test]
    fn keeping_events_longer_is_exact_and_removing_the_group_is_not() {
        let rules = kind().rules;
        assert_eq!(rules.judge(Change::Update(&group(7), &group(30))), Judgement::Exact);
        assert!(matches!(rules.judge(Change::Delete(&group(7))), Judgement::LosesData(what) if what.contains("/shop")));
    }

    #[test]
    fn odd_retentions_are_mistakes() {
        let rules = kind().rules;
        assert_eq!(rules.check(&group(14)), []);
        assert_eq!(rules.check(&group(0)), []);
        assert_eq!(rules.check(&group(15)).len(), 1);
    }
}
