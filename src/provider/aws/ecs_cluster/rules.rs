//! The attributes and rules of `aws_ecs_cluster`. Pure.
//!
//! Invariant: a cluster is known by its name, and its ARN follows from the name, the account and the region.

use crate::kind::{Asked, Attribute, By, Change, Judgement, Kind, LateCall, Mistake, PerChange, Rights, Rules};
use crate::provider::aws::wire::{Member, member};
use crate::provider::aws::{canonical, tags};
use crate::value::{Object, Type, Value};

/// Where its attributes lie in requests and answers.
pub const MEMBERS: &[Member] = &[
    member("setting", "settings"),
    member("configuration", "configuration"),
    member("service_connect_defaults", "serviceConnectDefaults"),
];

/// The kind.
pub fn kind() -> Kind {
    Kind {
        name: "aws_ecs_cluster",
        provider: "aws",
        summary: "A cluster, in which ECS services and tasks run.",
        attributes: attributes(),
        late: PerChange {
            create: LateCall::UniqueName(
                "ECS answers with the cluster that is there; one that was taken back meanwhile is there again, empty, with the tags of its step, and the next apply that makes it refuses by name",
            ),
            update: LateCall::Nothing(
                "it sets the settings as its step planned them: what a resumed run has set already; after a way back, the next plan shows it",
            ),
            delete: LateCall::Precondition("ECS refuses while services, tasks or instances are in it"),
        },
        asked: PerChange { create: Asked::by(By::Tag), update: Asked::by(By::Comparison), delete: Asked::by(By::Name) },
        rules: Box::new(ClusterRules { attributes: attributes() }),
    }
}

/// Its attributes.
pub fn attributes() -> Vec<Attribute> {
    let mut setting = Attribute::blocks(
        "setting",
        vec![
            Attribute::required("name", Type::String, "The setting: `containerInsights`."),
            Attribute::required("value", Type::String, "`enabled`, `enhanced` or `disabled`."),
        ],
        "Settings of the cluster; absent: as the account has them.",
    )
    .unordered();
    setting.mode = crate::kind::Mode::OptionalComputed;
    vec![
        Attribute::required("name", Type::String, "Its name, unique in account and region.").replaces(),
        setting,
        configuration(),
        Attribute::block(
            "service_connect_defaults",
            vec![Attribute::required("namespace", Type::String, "The ARN of a Cloud Map namespace.")],
            "The default namespace of Service Connect.",
        ),
        tags::attribute(),
        Attribute::computed("arn", Type::String, "Its ARN."),
        Attribute::computed("id", Type::String, "Its ARN."),
    ]
}

fn configuration() -> Attribute {
    let log = Attribute::block(
        "log_configuration",
        vec![
            Attribute::optional("cloud_watch_encryption_enabled", Type::Bool, "Whether the logs are encrypted.")
                .default(false),
            Attribute::optional("cloud_watch_log_group_name", Type::String, "The log group."),
            Attribute::optional("s3_bucket_name", Type::String, "The bucket."),
            Attribute::optional("s3_bucket_encryption_enabled", Type::Bool, "Whether the objects are encrypted.")
                .default(false),
            Attribute::optional("s3_key_prefix", Type::String, "A folder in the bucket."),
        ],
        "Where sessions are logged, with `logging = \"OVERRIDE\"`.",
    );
    let execute = Attribute::block(
        "execute_command_configuration",
        vec![
            Attribute::optional("kms_key_id", Type::String, "The key that encrypts sessions."),
            log,
            Attribute::optional("logging", Type::String, "`NONE`, `DEFAULT` or `OVERRIDE`."),
        ],
        "How ECS Exec works.",
    );
    let storage = Attribute::block(
        "managed_storage_configuration",
        vec![
            Attribute::optional("fargate_ephemeral_storage_kms_key_id", Type::String, "The key for Fargate storage."),
            Attribute::optional("kms_key_id", Type::String, "The key for managed storage."),
        ],
        "How managed storage is encrypted.",
    );
    Attribute::block("configuration", vec![execute, storage], "How ECS Exec and managed storage work.")
}

/// The name in an ARN or name of a cluster.
pub fn cluster_name(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

struct ClusterRules {
    attributes: Vec<Attribute>,
}

impl Rules for ClusterRules {
    fn check(&self, desired: &Object) -> Vec<Mistake> {
        let mut mistakes = tags::check(desired);
        if let Some(name) = desired.get("name").and_then(Value::as_str) {
            let good = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
            if name.is_empty() || name.len() > 255 || !name.chars().all(good) {
                mistakes.push(Mistake {
                    attribute: Some("name".to_owned()),
                    text: format!("`{name}` is not a name for a cluster"),
                    help: "use up to 255 letters, digits, hyphens and underscores".to_owned(),
                });
            }
        }
        mistakes
    }

    fn complete(&self, planned: &mut Object, prior: Option<&Object>) {
        keep_names(planned, prior, "name", &["arn", "id"]);
    }

    fn normalise(&self, attribute: &str, value: &Value) -> Value {
        canonical::canonical(&self.attributes, attribute, value)
    }

    fn rights(&self) -> Rights {
        Rights {
            reads: &["ecs:DescribeClusters"],
            writes: &[
                "ecs:CreateCluster",
                "ecs:UpdateCluster",
                "ecs:DeleteCluster",
                "ecs:TagResource",
                "ecs:UntagResource",
            ],
        }
    }

    fn identity(&self, object: &Object) -> Option<String> {
        object.get("name")?.as_str().map(str::to_owned)
    }

    fn import(&self, id: &str) -> Result<Object, String> {
        let name = Object::from([("name".to_owned(), cluster_name(id).into())]);
        match self.check(&name).into_iter().next() {
            None => Ok(name),
            Some(mistake) => Err(format!("{}; the id is its name, or its ARN", mistake.text)),
        }
    }

    fn judge(&self, change: Change<'_>) -> Judgement {
        match change {
            Change::Create(_) | Change::Update(..) => Judgement::Exact,
            Change::Delete(_) => {
                Judgement::Recreates("the same name and ARN, but without the history of tasks and events".to_owned())
            }
        }
    }
}

/// Carries computed names over from the prior object when the name they follow from is the same.
pub fn keep_names(planned: &mut Object, prior: Option<&Object>, from: &str, names: &[&str]) {
    let Some(prior) = prior else { return };
    if prior.get(from).is_some_and(|value| Some(value) == planned.get(from)) {
        for name in names {
            if let Some(value) = prior.get(*name).filter(|value| value.is_known() && !value.is_null()) {
                planned.insert((*name).to_owned(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_stays_as_long_as_the_name_does() {
        let rules = kind().rules;
        let object = |name: &str| Object::from([("name".to_owned(), Value::from(name))]);
        let prior = Object::from([("name".to_owned(), "a".into()), ("arn".to_owned(), "arn:a".into())]);
        let (mut same, mut other) = (object("a"), object("b"));
        rules.complete(&mut same, Some(&prior));
        rules.complete(&mut other, Some(&prior));
        assert_eq!((same.get("arn"), other.get("arn")), (Some(&Value::from("arn:a")), None));
    }

    #[test]
    fn names_are_checked() {
        let rules = kind().rules;
        let mistakes = |name: &str| rules.check(&Object::from([("name".to_owned(), name.into())])).len();
        assert_eq!((mistakes("shop-dev"), mistakes("shop dev"), mistakes("")), (0, 1, 1));
    }
}
