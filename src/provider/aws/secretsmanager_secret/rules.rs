//! The attributes and rules of `aws_secretsmanager_secret`. Pure.
//!
//! Invariant: the value is a secret wherever it appears; an earlier value is named by its version only.

use crate::approval::class::Part;
use crate::kind::{
    Asked, Attribute, By, Change, Judgement, Kind, LateCall, Mistake, PerChange, Rights, Rules, Secrecy,
};
use crate::provider::aws::ecs_cluster::rules::keep_names;
use crate::provider::aws::{canonical, generated, tags};
use crate::value::{Object, Type, Value};

/// The attribute with the value.
pub const VALUE: &str = "secret_string";
/// How long a removed secret can be had back when nothing is said, in days.
pub const WINDOW_DAYS: i64 = 30;
/// The largest value.
const MOST_BYTES: usize = 65_536;

/// The kind.
pub fn kind() -> Kind {
    Kind {
        name: "aws_secretsmanager_secret",
        provider: "aws",
        summary: "A secret in Secrets Manager, with its current value.",
        attributes: attributes(),
        late: PerChange {
            create: LateCall::UniqueName(
                "Secrets Manager refuses a second secret of this name, also while one is waiting for its removal",
            ),
            update: LateCall::Precondition(
                "`AWSCURRENT` is only taken from the version that the step was planned with; a version put in vain carries no `AWSCURRENT`. Description, key and tags are set to what the step planned",
            ),
            delete: LateCall::Nothing(
                "it removes the secret of this name, also one that was made again meanwhile; the next plan shows it, and within the recovery window that restores it",
            ),
        },
        asked: PerChange { create: Asked::by(By::Tag), update: Asked::by(By::Comparison), delete: Asked::by(By::Name) },
        rules: Box::new(SecretRules { attributes: attributes() }),
    }
}

/// Its attributes.
pub fn attributes() -> Vec<Attribute> {
    let [block, rotation] = generated::attributes();
    vec![
        Attribute::required("name", Type::String, "Its name, unique in account and region.").replaces(),
        Attribute::optional("description", Type::String, "What it is for."),
        Attribute::optional_computed("kms_key_id", Type::String, "The key that encrypts it."),
        Attribute::optional_computed(VALUE, Type::String, "Its value; a secret. Instead of it: `generated`.")
            .secret(Secrecy::Secret),
        block,
        rotation,
        Attribute::optional(
            "recovery_window_in_days",
            Type::Number,
            "How long it can be had back after its removal: 7 to 30 days, or 0 for not at all.",
        )
        .default(WINDOW_DAYS)
        .write_only(),
        tags::attribute(),
        Attribute::computed("arn", Type::String, "Its ARN."),
        Attribute::computed("id", Type::String, "Its ARN."),
        Attribute::computed("version_id", Type::String, "The version of its current value.").volatile(),
        Attribute::computed(
            "value_from",
            Type::String,
            "ARN and version, as `valueFrom` of a container takes them: a task reads just this value, whatever comes after.",
        )
        .volatile(),
    ]
}

/// How a container names a version of a secret: no JSON key, no stage, this version.
pub fn value_from(arn: &str, version: &str) -> String {
    format!("{arn}:::{version}")
}

struct SecretRules {
    attributes: Vec<Attribute>,
}

impl Rules for SecretRules {
    fn part(&self) -> Part {
        Part::Configuration
    }

    fn check(&self, desired: &Object) -> Vec<Mistake> {
        let mut mistakes = tags::check(desired);
        mistakes.extend(generated::check(desired));
        let mut mistake = |attribute: &str, text: &str, help: &str| {
            let (text, help) = (text.to_owned(), help.to_owned());
            mistakes.push(Mistake { attribute: Some(attribute.to_owned()), text, help });
        };
        match (desired.get(VALUE).is_some_and(|value| !value.is_null()), generated::is_wanted(desired)) {
            (true, true) => mistake(VALUE, "the value is given, and is to be generated", "keep one of the two"),
            (false, false) => mistake(VALUE, "there is no value", "give `secret_string`, or add `generated {}`"),
            (true, false) | (false, true) => {}
        }
        let value = desired.get(VALUE).map(Value::reveal);
        match value.as_ref().and_then(Value::as_str).map(str::len) {
            Some(0) => mistake(VALUE, "Secrets Manager keeps no empty values", "leave the secret out"),
            Some(length) if length > MOST_BYTES => {
                mistake(VALUE, "the value is longer than 65536 bytes", "keep a reference to it instead");
            }
            Some(_) | None => {}
        }
        if let Some(days) = desired.get("recovery_window_in_days").and_then(Value::as_i64)
            && days != 0
            && !(7..=30).contains(&days)
        {
            mistake("recovery_window_in_days", "there is no such window", "use 7 to 30 days, or 0 for none");
        }
        mistakes.extend(desired.get("name").and_then(Value::as_str).and_then(name_mistake));
        mistakes
    }

    fn complete(&self, planned: &mut Object, prior: Option<&Object>) {
        keep_names(planned, prior, "name", &["arn", "id"]);
        if generated::is_renewed(planned, prior, VALUE) {
            generated::leave_open(planned, VALUE, "version_id");
            return;
        }
        // As long as the value is the same, so is its version.
        let value = |object: &Object| object.get(VALUE).filter(|value| value.is_known()).map(Value::reveal);
        if let Some(prior) = prior
            && value(planned).is_some()
            && value(planned) == value(prior)
        {
            for name in ["version_id", "value_from"] {
                if let Some(known) = prior.get(name).filter(|value| value.is_known() && !value.is_null()) {
                    planned.insert(name.to_owned(), known.clone());
                }
            }
        }
    }

    fn normalise(&self, attribute: &str, value: &Value) -> Value {
        canonical::canonical(&self.attributes, attribute, value)
    }

    fn rights(&self) -> Rights {
        Rights {
            reads: &["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
            writes: &[
                "secretsmanager:CreateSecret",
                "secretsmanager:UpdateSecret",
                "secretsmanager:PutSecretValue",
                "secretsmanager:ListSecretVersionIds",
                "secretsmanager:UpdateSecretVersionStage",
                "secretsmanager:DeleteSecret",
                "secretsmanager:RestoreSecret",
                "secretsmanager:TagResource",
                "secretsmanager:UntagResource",
            ],
        }
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

    fn waits_when_removed(&self, object: &Object) -> bool {
        window_days(object) > 0
    }

    fn judge(&self, change: Change<'_>) -> Judgement {
        match change {
            Change::Create(_) | Change::Update(..) => Judgement::Exact,
            Change::Delete(before) => match window_days(before) {
                0 => Judgement::LosesData("its values: it has no recovery window".to_owned()),
                _ => Judgement::Exact,
            },
        }
    }
}

/// How long a removed secret can be had back.
pub fn window_days(object: &Object) -> i64 {
    object.get("recovery_window_in_days").and_then(Value::as_i64).unwrap_or(WINDOW_DAYS)
}

/// What is wrong with the name of a secret.
pub fn name_mistake(name: &str) -> Option<Mistake> {
    let good = |letter: char| letter.is_ascii_alphanumeric() || "/_+=.@-".contains(letter);
    let text = match name {
        "" => "the name is empty".to_owned(),
        name if name.len() > 512 => "the name is longer than 512 letters".to_owned(),
        name if !name.chars().all(good) => format!("`{name}` is not a name for a secret"),
        _ => return None,
    };
    let help = "use up to 512 letters, digits and the characters `/ _ + = . @ -`".to_owned();
    Some(Mistake { attribute: Some("name".to_owned()), text, help })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Unknown;

    fn secret(value: &str) -> Object {
        Object::from([("name".to_owned(), "shop/key".into()), (VALUE.to_owned(), Value::from(value).sensitive())])
    }

    fn known(value: &str, version: &str) -> Object {
        let mut object = secret(value);
        object.insert("version_id".to_owned(), version.into());
        object.insert("value_from".to_owned(), value_from("arn:a", version).into());
        object
    }

    #[test]
    fn the_version_stays_as_long_as_the_value_does() {
        let rules = kind().rules;
        let open = || Value::unknown(Unknown::of(Type::String));
        let planned = |value: &str| {
            let mut object = secret(value);
            object.insert("version_id".to_owned(), open());
            object.insert("value_from".to_owned(), open());
            object
        };
        let (mut same, mut other) = (planned("a"), planned("b"));
        rules.complete(&mut same, Some(&known("a", "v1")));
        rules.complete(&mut other, Some(&known("a", "v1")));
        assert_eq!((&same["version_id"], &same["value_from"]), (&"v1".into(), &"arn:a:::v1".into()));
        assert!(!other["version_id"].is_known() && !other["value_from"].is_known());
    }

    #[test]
    fn a_rotation_leaves_the_value_open() {
        let rules = kind().rules;
        let generated = |rotation: &str| {
            let mut object = known("a", "v1");
            object.insert("generated".to_owned(), Value::tuple(vec![Value::object::<&str>([])]));
            object.insert("rotation".to_owned(), rotation.into());
            object
        };
        let (mut same, mut turned) = (generated("1"), generated("2"));
        rules.complete(&mut same, Some(&generated("1")));
        rules.complete(&mut turned, Some(&generated("1")));
        assert!(same[VALUE].is_known() && !turned[VALUE].is_known() && turned[VALUE].is_sensitive());
    }

    #[test]
    fn only_a_removal_without_a_window_loses_something() {
        let rules = kind().rules;
        let mut hasty = secret("a");
        hasty.insert("recovery_window_in_days".to_owned(), 0_i64.into());
        assert_eq!(rules.judge(Change::Delete(&secret("a"))), Judgement::Exact);
        assert!(rules.waits_when_removed(&secret("a")) && !rules.waits_when_removed(&hasty));
        assert!(matches!(rules.judge(Change::Delete(&hasty)), Judgement::LosesData(_)));
        assert_eq!(rules.judge(Change::Update(&hasty, &secret("b"))), Judgement::Exact);
    }

    #[test]
    fn mistakes_are_found_together() {
        let rules = kind().rules;
        assert_eq!(rules.check(&secret("a")), []);
        let mut wrong = secret("");
        wrong.insert("name".to_owned(), "a b".into());
        wrong.insert("recovery_window_in_days".to_owned(), 3_i64.into());
        wrong.insert("rotation".to_owned(), "1".into());
        assert_eq!(rules.check(&wrong).len(), 4);
    }
}
