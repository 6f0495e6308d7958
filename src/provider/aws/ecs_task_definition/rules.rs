//! The attributes and rules of `aws_ecs_task_definition`. Pure.
//!
//! Invariant: a revision never changes; every change of what it runs is a new revision beside the earlier ones.

use super::containers;
use crate::kind::{Asked, Attribute, By, Change, Judgement, Kind, LateCall, Mistake, PerChange, Rights, Rules};
use crate::provider::aws::ecs_cluster::rules::keep_names;
use crate::provider::aws::wire::{Member, member};
use crate::provider::aws::{canonical, tags};
use crate::value::{Data, Object, Type, Value};

/// Where its attributes lie in requests and answers; the containers travel as the text that was given.
pub const MEMBERS: &[Member] = &[
    member("family", "family"),
    member("cpu", "cpu"),
    member("memory", "memory"),
    member("network_mode", "networkMode"),
    member("requires_compatibilities", "requiresCompatibilities"),
    member("execution_role_arn", "executionRoleArn"),
    member("task_role_arn", "taskRoleArn"),
    member("ipc_mode", "ipcMode"),
    member("pid_mode", "pidMode"),
    member("volume", "volumes"),
    member("runtime_platform", "runtimePlatform"),
    member("ephemeral_storage", "ephemeralStorage"),
    member("placement_constraints", "placementConstraints"),
    member("proxy_configuration", "proxyConfiguration"),
    member("enable_fault_injection", "enableFaultInjection"),
];

/// The kind.
pub fn kind() -> Kind {
    Kind {
        name: "aws_ecs_task_definition",
        provider: "aws",
        summary: "What an ECS task runs; each change registers a new revision and leaves the earlier one usable.",
        attributes: attributes(),
        late: PerChange {
            create: LateCall::Nothing(
                "a registration has no token: it makes one more revision, which nothing uses, with the tags of its step",
            ),
            update: LateCall::Nothing(
                "it sets the tags as its step planned them: what a resumed run has set already; after a way back, the next plan shows it",
            ),
            delete: LateCall::UniqueName("the number of a revision is never given again"),
        },
        asked: PerChange { create: Asked::by(By::Tag), update: Asked::by(By::Comparison), delete: Asked::by(By::Name) },
        rules: Box::new(TaskDefinitionRules { attributes: attributes() }),
    }
}

/// Its attributes.
pub fn attributes() -> Vec<Attribute> {
    let text = |name, documentation| Attribute::optional(name, Type::String, documentation).replaces();
    vec![
        Attribute::required("family", Type::String, "The name that all its revisions share.").replaces(),
        Attribute::required("container_definitions", Type::String, "The containers, as JSON text.").replaces(),
        text("cpu", "CPU units of a task, as `256` or `.25 vCPU`."),
        text("memory", "Memory of a task in MiB, as `512` or `0.5 GB`."),
        Attribute::optional_computed("network_mode", Type::String, "`awsvpc`, `bridge`, `host` or `none`.").replaces(),
        Attribute::optional("requires_compatibilities", Type::set(Type::String), "`FARGATE`, `EC2`, `EXTERNAL`.")
            .replaces(),
        text("execution_role_arn", "The role that starts the task: pulls images, reads secrets, writes logs."),
        text("task_role_arn", "The role that the containers have."),
        text("ipc_mode", "`host`, `task` or `none`."),
        text("pid_mode", "`host` or `task`."),
        volume(),
        Attribute::block(
            "runtime_platform",
            vec![
                Attribute::optional("operating_system_family", Type::String, "As `LINUX`."),
                Attribute::optional("cpu_architecture", Type::String, "`X86_64` or `ARM64`."),
            ],
            "The machine that the images are made for.",
        )
        .replaces(),
        Attribute::block(
            "ephemeral_storage",
            vec![Attribute::required("size_in_gib", Type::Number, "Its size in GiB, 21 to 200.")],
            "The disk of a Fargate task.",
        )
        .replaces(),
        placement_constraints().replaces(),
        Attribute::block(
            "proxy_configuration",
            vec![
                Attribute::required("container_name", Type::String, "The container of the proxy."),
                Attribute::optional("properties", Type::map(Type::String), "Its network properties."),
                Attribute::optional("type", Type::String, "`APPMESH`.").default("APPMESH"),
            ],
            "An App Mesh proxy.",
        )
        .replaces(),
        Attribute::optional_computed("enable_fault_injection", Type::Bool, "Whether fault injection is accepted.")
            .replaces(),
        Attribute::optional("skip_destroy", Type::Bool, "Whether a removal leaves the revision active.")
            .default(false)
            .write_only(),
        Attribute::optional("track_latest", Type::Bool, "Has no effect: the revision that was applied is the one.")
            .default(false)
            .write_only(),
        tags::attribute(),
        Attribute::computed("arn", Type::String, "The ARN of the revision."),
        Attribute::computed("arn_without_revision", Type::String, "The ARN of the family."),
        Attribute::computed("revision", Type::Number, "The number of the revision."),
        Attribute::computed("id", Type::String, "The family."),
    ]
}

/// The `placement_constraints` block, which services have as well.
pub fn placement_constraints() -> Attribute {
    Attribute::blocks(
        "placement_constraints",
        vec![
            Attribute::required("type", Type::String, "`memberOf` or `distinctInstance`."),
            Attribute::optional("expression", Type::String, "A cluster query."),
        ],
        "On which instances tasks may be placed.",
    )
    .unordered()
}

fn volume() -> Attribute {
    let text = |name, documentation| Attribute::optional(name, Type::String, documentation);
    let docker = Attribute::block(
        "docker_volume_configuration",
        vec![
            Attribute::optional("autoprovision", Type::Bool, "Whether it is made when missing.").default(false),
            text("driver", "The driver.").default("local"),
            Attribute::optional("driver_opts", Type::map(Type::String), "Options of the driver."),
            Attribute::optional("labels", Type::map(Type::String), "Labels."),
            text("scope", "`task` or `shared`.").default("task"),
        ],
        "A Docker volume.",
    );
    let access = Attribute::block(
        "authorization_config",
        vec![text("access_point_id", "An access point."), text("iam", "`ENABLED` or `DISABLED`.")],
        "How access is granted.",
    );
    let efs = Attribute::block(
        "efs_volume_configuration",
        vec![
            Attribute::required("file_system_id", Type::String, "The file system."),
            text("root_directory", "The folder in it.").default("/"),
            text("transit_encryption", "`ENABLED` or `DISABLED`."),
            Attribute::optional("transit_encryption_port", Type::Number, "The port of the encrypted connection."),
            access,
        ],
        "An EFS file system.",
    );
    let domain = Attribute::block(
        "authorization_config",
        vec![
            Attribute::required("credentials_parameter", Type::String, "The ARN of the secret with credentials."),
            Attribute::required("domain", Type::String, "The domain."),
        ],
        "How access is granted.",
    );
    let fsx = Attribute::block(
        "fsx_windows_file_server_volume_configuration",
        vec![
            domain,
            Attribute::required("file_system_id", Type::String, "The file system."),
            Attribute::required("root_directory", Type::String, "The folder in it."),
        ],
        "An FSx file system.",
    );
    Attribute::blocks(
        "volume",
        vec![
            Attribute::required("name", Type::String, "The name by which containers mount it."),
            text("host_path", "A folder of the instance."),
            Attribute::optional("configure_at_launch", Type::Bool, "Whether the service says what it is.")
                .default(false),
            docker,
            efs,
            fsx,
        ],
        "Volumes that containers may mount.",
    )
    .unordered()
    .replaces()
}

struct TaskDefinitionRules {
    attributes: Vec<Attribute>,
}

impl Rules for TaskDefinitionRules {
    fn check(&self, desired: &Object) -> Vec<Mistake> {
        let mut mistakes = tags::check(desired);
        mistakes.extend(containers::check(desired));
        if let Some(family) = desired.get("family").and_then(Value::as_str) {
            let good = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
            if family.is_empty() || family.len() > 255 || !family.chars().all(good) {
                mistakes.push(Mistake {
                    attribute: Some("family".to_owned()),
                    text: format!("`{family}` is not a name for a family"),
                    help: "use up to 255 letters, digits, hyphens and underscores".to_owned(),
                });
            }
        }
        mistakes
    }

    fn complete(&self, planned: &mut Object, prior: Option<&Object>) {
        if let Some(family) = planned.get("family").cloned() {
            planned.insert("id".to_owned(), family);
        }
        keep_names(planned, prior, "family", &["arn_without_revision"]);
    }

    fn normalise(&self, attribute: &str, value: &Value) -> Value {
        match (attribute, value.data()) {
            ("container_definitions", Data::String(text)) => {
                Value::from(containers::canonical(text, None)).mark(value.marks())
            }
            ("cpu", Data::String(text)) => Value::from(units(text, "vcpu")).mark(value.marks()),
            ("memory", Data::String(text)) => Value::from(units(text, "gb")).mark(value.marks()),
            _ => canonical::canonical(&self.attributes, attribute, value),
        }
    }

    fn containers(&self) -> Option<&'static str> {
        Some("container_definitions")
    }

    fn rights(&self) -> Rights {
        Rights {
            // What a tag stands for is asked when it is planned.
            reads: &["ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions", "ecr:DescribeImages"],
            writes: &[
                "ecs:RegisterTaskDefinition",
                "ecs:DeregisterTaskDefinition",
                "ecs:TagResource",
                "ecs:UntagResource",
                "iam:PassRole",
            ],
        }
    }

    fn identity(&self, _object: &Object) -> Option<String> {
        None
    }

    fn import(&self, id: &str) -> Result<Object, String> {
        let (family, revision) = short_reference(id).rsplit_once(':').unwrap_or_default();
        match family.is_empty() || revision.parse::<u32>().is_err() {
            true => Err(format!("`{id}` is no revision; the id is its ARN, or `FAMILY:REVISION`, as `shop-web:7`")),
            false => Ok(Object::from([("arn".to_owned(), id.into()), ("family".to_owned(), family.into())])),
        }
    }

    fn judge(&self, change: Change<'_>) -> Judgement {
        match change {
            Change::Create(_) | Change::Update(..) => Judgement::Exact,
            Change::Delete(before) if before.get("skip_destroy").and_then(Value::as_bool) == Some(true) => {
                Judgement::Exact
            }
            Change::Delete(_) => Judgement::Recreates(
                "a new revision with the same content: an inactive revision can never be used again".to_owned(),
            ),
        }
    }

    fn has_revisions(&self) -> bool {
        true
    }
}

/// `1 vCPU` and `0.5 GB` as ECS writes them: in 1,024ths.
fn units(text: &str, unit: &str) -> String {
    let lower = text.trim().to_ascii_lowercase();
    let number = lower.strip_suffix(unit).and_then(|number| number.trim().parse::<f64>().ok());
    number.map_or_else(|| text.to_owned(), |number| format!("{:.0}", number * 1024.0))
}

/// `family:revision` of an ARN; a family with or without a revision stays as it is.
pub fn short_reference(reference: &str) -> &str {
    match reference.starts_with("arn:") {
        true => reference.rsplit('/').next().unwrap_or(reference),
        false => reference,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_compared_as_ecs_writes_them() {
        let rules = kind().rules;
        assert_eq!(rules.normalise("cpu", &".25 vCPU".into()), "256".into());
        assert_eq!(rules.normalise("memory", &"0.5 GB".into()), "512".into());
        assert_eq!(rules.normalise("memory", &"512".into()), "512".into());
    }

    #[test]
    fn references_are_shortened() {
        assert_eq!(short_reference("arn:aws:ecs:eu-west-1:1:task-definition/shop:7"), "shop:7");
        assert_eq!(short_reference("shop:7"), "shop:7");
    }

    #[test]
    fn a_removed_revision_comes_back_as_another() {
        assert!(matches!(kind().rules.judge(Change::Delete(&Object::new())), Judgement::Recreates(_)));
        assert!(kind().rules.has_revisions());
    }
}
