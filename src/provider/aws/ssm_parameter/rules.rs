//! The attributes and rules of `aws_ssm_parameter`. Pure.
//!
//! Invariant: the value of a `SecureString` is a secret wherever it appears.

use crate::approval::class::Part;
use crate::kind::{
    Asked, Attribute, By, Change, Judgement, Kind, LateCall, Mistake, PerChange, Rights, Rules, Secrecy,
};
use crate::provider::aws::ecs_cluster::rules::keep_names;
use crate::provider::aws::{canonical, generated, tags};
use crate::value::{Object, Type, Value};

/// The kind.
pub fn kind() -> Kind {
    Kind {
        name: "aws_ssm_parameter",
        provider: "aws",
        summary: "A parameter in the Parameter Store of Systems Manager.",
        attributes: attributes(),
        late: PerChange {
            create: LateCall::UniqueName(
                "without `Overwrite`, SSM refuses when the parameter is there; one that was taken back meanwhile is there again, with the tags of its step, and the next apply that makes it refuses by name",
            ),
            update: LateCall::Nothing(
                "it puts the value that its step planned as one more version: what a resumed run has put already; after a way back, the next plan shows it",
            ),
            delete: LateCall::Nothing(
                "it removes the parameter of this name, also one that was made again meanwhile; the next plan makes it again",
            ),
        },
        asked: PerChange { create: Asked::by(By::Tag), update: Asked::by(By::Comparison), delete: Asked::by(By::Name) },
        rules: Box::new(ParameterRules { attributes: attributes() }),
    }
}

/// Its attributes.
pub fn attributes() -> Vec<Attribute> {
    let computed = Attribute::optional_computed;
    let [block, rotation] = generated::attributes();
    vec![
        Attribute::required("name", Type::String, "Its name, unique in account and region.").replaces(),
        Attribute::required("type", Type::String, "`String`, `StringList` or `SecureString`."),
        computed("value", Type::String, "Its value; a secret when the type is `SecureString`.")
            .secret(Secrecy::When("type", "SecureString")),
        block,
        rotation,
        Attribute::optional("insecure_value", Type::String, "Its value, never a secret; instead of `value`."),
        Attribute::optional("description", Type::String, "What it is for."),
        computed("tier", Type::String, "`Standard`, `Advanced` or `Intelligent-Tiering`."),
        computed("data_type", Type::String, "`text`, `aws:ec2:image` or `aws:ssm:integration`."),
        computed("key_id", Type::String, "The key that encrypts a `SecureString`."),
        Attribute::optional("allowed_pattern", Type::String, "A regular expression that values must match."),
        Attribute::optional("overwrite", Type::Bool, "Known from Terraform, and refused: see `import`.").write_only(),
        tags::attribute().write_only(),
        Attribute::computed("arn", Type::String, "Its ARN."),
        Attribute::computed("id", Type::String, "Its name."),
        Attribute::computed("version", Type::Number, "The version of the value, from one.").volatile(),
        Attribute::computed("last_modified", Type::String, "When this version was put.").volatile(),
    ]
}

/// The value that is put: `value`, else `insecure_value`.
pub fn content(object: &Object) -> Option<&Value> {
    ["value", "insecure_value"].iter().find_map(|name| object.get(*name).filter(|value| !value.is_null()))
}

struct ParameterRules {
    attributes: Vec<Attribute>,
}

impl Rules for ParameterRules {
    fn part(&self) -> Part {
        Part::Configuration
    }

    fn check(&self, desired: &Object) -> Vec<Mistake> {
        let mut mistakes = tags::check(desired);
        mistakes.extend(generated::check(desired));
        let made = generated::is_wanted(desired);
        let given = |name: &str| desired.get(name).is_some_and(|value| !value.is_null());
        let mut mistake = |attribute: &str, text: &str, help: &str| {
            let (text, help) = (text.to_owned(), help.to_owned());
            mistakes.push(Mistake { attribute: Some(attribute.to_owned()), text, help });
        };
        match (given("value"), given("insecure_value")) {
            (true, true) => mistake("insecure_value", "the value is given twice", "keep one of the two"),
            (true, false) | (false, true) if made => {
                mistake("generated", "the value is given, and is to be generated", "keep one of the two");
            }
            (false, false) if made => {}
            (false, false) => mistake("value", "there is no value", "give `value` or `insecure_value`"),
            (true, false) | (false, true) => {}
        }
        let text = |name: &str| desired.get(name).and_then(Value::as_str);
        if let Some(ty) = text("type")
            && !["String", "StringList", "SecureString"].contains(&ty)
        {
            let help = "use `String`, `StringList` or `SecureString`";
            mistake("type", &format!("there is no type `{ty}` of parameters"), help);
        }
        if let Some(tier) = text("tier")
            && !["Standard", "Advanced", "Intelligent-Tiering"].contains(&tier)
        {
            let help = "use `Standard`, `Advanced` or `Intelligent-Tiering`";
            mistake("tier", &format!("there is no tier `{tier}`"), help);
        }
        if made && text("type").is_some_and(|ty| ty != "SecureString") {
            mistake("generated", "a generated value is a secret", "set `type = \"SecureString\"`");
        }
        if text("type") == Some("SecureString") && given("insecure_value") {
            mistake("insecure_value", "a `SecureString` cannot be insecure", "give `value`");
        }
        if text("value").is_some_and(str::is_empty) || text("insecure_value").is_some_and(str::is_empty) {
            mistake("value", "SSM keeps no empty values", "leave the parameter out, or put a word for `none`");
        }
        if desired.get("overwrite").and_then(Value::as_bool) == Some(true) {
            let help = "take the existing parameter up with `switchback import`, or choose another name";
            mistake("overwrite", "what Switchback did not make is never overwritten", help);
        }
        mistakes.extend(name_mistake(text("name")));
        mistakes
    }

    fn complete(&self, planned: &mut Object, prior: Option<&Object>) {
        if let Some(name) = planned.get("name").cloned() {
            planned.insert("id".to_owned(), name);
        }
        keep_names(planned, prior, "name", &["arn"]);
        if generated::is_renewed(planned, prior, "value") {
            generated::leave_open(planned, "value", "version");
        }
    }

    fn normalise(&self, attribute: &str, value: &Value) -> Value {
        canonical::canonical(&self.attributes, attribute, value)
    }

    fn rights(&self) -> Rights {
        Rights {
            reads: &["ssm:GetParameters", "ssm:GetParameter", "ssm:GetParameterHistory", "ssm:DescribeParameters"],
            writes: &[
                "ssm:PutParameter",
                "ssm:DeleteParameter",
                "ssm:ListTagsForResource",
                "ssm:AddTagsToResource",
                "ssm:RemoveTagsFromResource",
            ],
        }
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

    fn only_anew(&self, before: &Object, after: &Object) -> Vec<&'static str> {
        match (text(before, "tier"), text(after, "tier")) {
            (Some("Advanced"), Some("Standard")) => vec!["tier"],
            _ => Vec::new(),
        }
    }

    fn judge(&self, change: Change<'_>) -> Judgement {
        match change {
            Change::Create(_) => Judgement::Exact,
            Change::Update(before, after) => match (text(before, "tier"), text(after, "tier")) {
                (Some("Standard"), Some("Advanced")) => Judgement::Impossible(
                    "its value comes back, its tier does not: SSM never makes an advanced parameter a standard one"
                        .to_owned(),
                ),
                _ => Judgement::Exact,
            },
            Change::Delete(before) if text(before, "type") == Some("SecureString") => {
                Judgement::LosesData("its value: SSM keeps no versions of a deleted parameter".to_owned())
            }
            // A user may have marked the value of an open type as a secret: then no value is kept to put back.
            Change::Delete(before) if content(before).is_some_and(Value::is_sensitive) => {
                Judgement::LosesData("its secret value: SSM keeps no versions of a deleted parameter".to_owned())
            }
            Change::Delete(_) => Judgement::Exact,
        }
    }
}

fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// What is wrong with the name of a parameter.
pub fn name_mistake(name: Option<&str>) -> Option<Mistake> {
    let name = name?;
    let good = |letter: char| letter.is_ascii_alphanumeric() || "_-/.".contains(letter);
    let bare = name.trim_start_matches('/').to_ascii_lowercase();
    let (text, help) = if name.is_empty() || name.len() > 1011 || !name.chars().all(good) {
        (format!("`{name}` is not a name for a parameter"), "use letters, digits and the characters `_ - . /`")
    } else if bare.starts_with("aws") || bare.starts_with("ssm") {
        (format!("`{name}` is reserved"), "use a name that starts neither with `aws` nor with `ssm`")
    } else if name.contains('/') && !name.starts_with('/') {
        (format!("`{name}` is a path without a slash at its start"), "write it as `/path/name`")
    } else {
        return None;
    };
    Some(Mistake { attribute: Some("name".to_owned()), text, help: help.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(ty: &str, value: &str) -> Object {
        Object::from([
            ("name".to_owned(), "/shop/level".into()),
            ("type".to_owned(), ty.into()),
            ("value".to_owned(), value.into()),
        ])
    }

    #[test]
    fn only_the_removal_of_a_secret_loses_something() {
        let rules = kind().rules;
        let (open, secret) = (parameter("String", "a"), parameter("SecureString", "a"));
        assert_eq!(rules.judge(Change::Delete(&open)), Judgement::Exact);
        assert!(matches!(rules.judge(Change::Delete(&secret)), Judgement::LosesData(_)));
        assert_eq!(rules.judge(Change::Update(&secret, &secret)), Judgement::Exact);
        let with_tier = |tier: &str| {
            let mut object = open.clone();
            object.insert("tier".to_owned(), tier.into());
            object
        };
        let change = (with_tier("Standard"), with_tier("Advanced"));
        assert!(matches!(rules.judge(Change::Update(&change.0, &change.1)), Judgement::Impossible(_)));
    }

    #[test]
    fn the_value_of_a_secure_string_is_a_secret() {
        let kind = kind();
        assert!(kind.mark_secrets(parameter("SecureString", "a"))["value"].is_sensitive());
        assert!(!kind.mark_secrets(parameter("String", "a"))["value"].is_sensitive());
    }

    #[test]
    fn mistakes_are_found_together() {
        let rules = kind().rules;
        assert_eq!(rules.check(&parameter("String", "a")), []);
        let mut wrong = parameter("Text", "");
        wrong.insert("insecure_value".to_owned(), "b".into());
        wrong.insert("overwrite".to_owned(), true.into());
        wrong.insert("name".to_owned(), "aws/x".into());
        assert_eq!(rules.check(&wrong).len(), 5);
    }
}
