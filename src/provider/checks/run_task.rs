//! `run_task`: a task of ECS that is run once ends well. Lets ECS run it, and asks.
//!
//! Invariant: one try of a check runs one task, whoever waits for it; it is ended when nobody waits for it any more.

use async_trait::async_trait;
use serde_json::{Map, Value as Json, json};

use super::{Asks, excerpt};
use crate::kind::{Attribute, CheckKind, Mistake, Reaches};
use crate::value::{Object, Type, Value};
use crate::world::{Probe, Seen};

/// What a task is told that is ended by us.
#[cfg(feature = "aws")]
const CALLED_OFF: &str = "switchback does not wait for it any more";

/// The kind.
#[derive(Default)]
pub struct RunTask {
    #[cfg(feature = "aws")]
    aws: crate::provider::aws::carrier::Aws,
}

fn attributes() -> Vec<Attribute> {
    let texts = || Type::list(Type::String);
    vec![
        Attribute::required("cluster", Type::String, "The cluster: its name or its ARN."),
        Attribute::required(
            "task_definition",
            Type::String,
            "The task definition: its ARN, or its family and revision.",
        ),
        Attribute::optional("container", Type::String, "The container that `command` and `environment` are for."),
        Attribute::optional("command", texts(), "What the container runs instead of its own command."),
        Attribute::optional(
            "environment",
            Type::map(Type::String),
            "What is added to the container's environment; ECS shows it to whoever may describe tasks.",
        ),
        Attribute::optional("launch_type", Type::String, "`FARGATE`, `EC2` or `EXTERNAL`."),
        Attribute::optional("subnets", texts(), "Where it runs, with the network mode `awsvpc`."),
        Attribute::optional("security_groups", texts(), "What its network interface is let through."),
        Attribute::optional("assign_public_ip", Type::Bool, "Whether it gets a public address.").default(false),
    ]
}

fn mistakes(object: &Object) -> Vec<Mistake> {
    let mistake = |attribute: &str, text: String, help: &str| Mistake {
        attribute: Some(attribute.to_owned()),
        text,
        help: help.to_owned(),
    };
    let is_given = |name: &str| object.get(name).is_some_and(|value| !value.is_null());
    let overrides = ["command", "environment"].into_iter().find(|name| is_given(name) && !is_given("container"));
    let overrides = overrides.map(|name| {
        let text = format!("`{name}` is for a container, and `container` is missing");
        mistake(name, text, "name it as the task definition does: `container = \"web\"`")
    });
    let launch = object.get("launch_type").and_then(Value::as_str);
    let launch = launch.filter(|launch| !matches!(*launch, "FARGATE" | "EC2" | "EXTERNAL")).map(|launch| {
        mistake("launch_type", format!("there is no launch type `{launch}`"), "it is `FARGATE`, `EC2` or `EXTERNAL`")
    });
    let groups = (is_given("security_groups") && !is_given("subnets")).then(|| {
        let text = "`security_groups` says nothing without `subnets`".to_owned();
        mistake("security_groups", text, "give the subnets as well")
    });
    overrides.into_iter().chain(launch).chain(groups).collect()
}

/// What ECS is asked to run.
fn request(probe: &Probe) -> Map<String, Json> {
    let text = |name: &str| super::text(probe, name);
    let mut body = Map::new();
    body.insert("taskDefinition".to_owned(), text("task_definition").unwrap_or_default().into());
    body.insert("count".to_owned(), 1.into());
    body.extend(text("launch_type").map(|launch| ("launchType".to_owned(), launch.into())));
    if let Some(container) = text("container") {
        let mut told = Map::from_iter([("name".to_owned(), Json::from(container))]);
        let command = super::texts(probe, "command");
        if !command.is_empty() {
            told.insert("command".to_owned(), json!(command));
        }
        let environment = super::entries(probe, "environment");
        if !environment.is_empty() {
            let pairs = environment.into_iter().map(|(name, value)| json!({"name": name, "value": value}));
            told.insert("environment".to_owned(), pairs.collect());
        }
        body.insert("overrides".to_owned(), json!({"containerOverrides": [told]}));
    }
    let subnets = super::texts(probe, "subnets");
    if !subnets.is_empty() {
        let public = probe.settings.get("assign_public_ip").map(Value::reveal).as_ref().and_then(Value::as_bool);
        let public = if public == Some(true) { "ENABLED" } else { "DISABLED" };
        let groups = super::texts(probe, "security_groups");
        let network = json!({"subnets": subnets, "securityGroups": groups, "assignPublicIp": public});
        body.insert("networkConfiguration".to_owned(), json!({"awsvpcConfiguration": network}));
    }
    body
}

#[async_trait]
impl Asks for RunTask {
    fn kind(&self) -> CheckKind {
        CheckKind {
            name: "run_task",
            summary: "A task of ECS that is run once ends with 0 in each of its essential containers.",
            attributes: attributes(),
            reaches: Reaches::Provider("aws"),
            once: true,
            compares: None,
            rights: &[
                "ecs:RunTask",
                "ecs:StopTask",
                "ecs:ListTasks",
                "ecs:DescribeTasks",
                "ecs:DescribeTaskDefinition",
                "iam:PassRole",
            ],
            mistakes,
        }
    }

    #[cfg(feature = "aws")]
    async fn ask(&self, probe: &Probe) -> Seen {
        use crate::world::ErrorClass;
        match self.follow(probe).await {
            Ok(seen) => seen,
            Err(error) if matches!(error.class, ErrorClass::Denied | ErrorClass::Expired | ErrorClass::Refused) => {
                Seen::hopeless(error.to_string())
            }
            Err(error) => Seen::fails(error.to_string()),
        }
    }

    #[cfg(feature = "aws")]
    async fn call_off(&self, probe: &Probe) -> Option<String> {
        use crate::provider::aws::one_task::{self, Order};
        let connection = probe.connection.as_ref()?;
        let cluster = super::text(probe, "cluster").unwrap_or_default();
        let order = Order { cluster: &cluster, token: &probe.token, fence: &probe.fence, request: Map::new() };
        match one_task::stop(&self.aws, connection, &order, CALLED_OFF).await {
            Ok(true) => Some("its task was ended, for nobody waits for it any more".to_owned()),
            Ok(false) => None,
            Err(error) => Some(format!("its task may still run: {error}")),
        }
    }

    #[cfg(not(feature = "aws"))]
    async fn ask(&self, probe: &Probe) -> Seen {
        // What it asks and says is made in every build, so that tests of the core read it.
        judge("", &Json::Object(request(probe)), &[]);
        Seen::hopeless("this build asks no AWS; use one with the feature `aws`")
    }
}

#[cfg(feature = "aws")]
impl RunTask {
    async fn follow(&self, probe: &Probe) -> Result<Seen, crate::world::WorldError> {
        use crate::provider::aws::one_task::{self, Order};
        let Some(connection) = &probe.connection else {
            return Ok(Seen::hopeless("it is not known how AWS is reached"));
        };
        let cluster = super::text(probe, "cluster").unwrap_or_default();
        let order = Order { cluster: &cluster, token: &probe.token, fence: &probe.fence, request: request(probe) };
        let arn = one_task::find_or_run(&self.aws, connection, &order).await?;
        let name = arn.rsplit('/').next().unwrap_or(&arn).to_owned();
        let Some(task) = one_task::look(&self.aws, connection, &cluster, &arn).await? else {
            return Ok(Seen::hopeless(format!("ECS does not know any more how the task {name} ended")));
        };
        let containers = match text(&task, "lastStatus") {
            "STOPPED" => one_task::containers(&self.aws, connection, text(&task, "taskDefinitionArn")).await?,
            _ => Vec::new(),
        };
        Ok(judge(&name, &task, &containers).fact("task", arn))
    }
}

/// What ECS says of a task, in words; `defined` are the containers of its definition.
fn judge(name: &str, task: &Json, defined: &[Json]) -> Seen {
    let status = text(task, "lastStatus");
    if status != "STOPPED" {
        return Seen::fails(format!("the task {name} is {}", status.to_lowercase()));
    }
    let is_essential = |container: &Json| {
        let definition = defined.iter().find(|one| text(one, "name") == text(container, "name"));
        definition.and_then(|one| one.get("essential")).and_then(Json::as_bool) != Some(false)
    };
    let containers = task.get("containers").and_then(Json::as_array).into_iter().flatten();
    let essential: Vec<&Json> = containers.filter(|container| is_essential(container)).collect();
    let bad: Vec<String> = essential.iter().filter_map(|container| trouble(container)).collect();
    let why = Some(excerpt(text(task, "stoppedReason"))).filter(|why| !why.is_empty());
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    let was_ended = matches!(text(task, "stopCode"), "UserInitiated" | "TaskFailedToStart" | "SpotInterruption");
    match (bad.is_empty(), was_ended || essential.is_empty()) {
        (true, false) => Seen::holds(format!("the task {name} ended well{why}")),
        (true, true) => Seen::hopeless(format!("the task {name} did not come to its own end{why}")),
        (false, _) => Seen::hopeless(format!("the task {name} failed: {}{why}", bad.join("; "))),
    }
}

/// Why a container did not end well.
fn trouble(container: &Json) -> Option<String> {
    let name = text(container, "name");
    let reason = Some(excerpt(text(container, "reason"))).filter(|reason| !reason.is_empty());
    let reason = reason.map(|reason| format!(", {reason}")).unwrap_or_default();
    match container.get("exitCode").and_then(Json::as_i64) {
        Some(0) => None,
        Some(code) => Some(format!("{name} ended with {code}{reason}")),
        None => Some(format!("{name} never ran to an end{reason}")),
    }
}

fn text<'a>(json: &'a Json, member: &str) -> &'a str {
    json.get(member).and_then(Json::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Reply;

    fn seen(task: &Json) -> (Reply, String) {
        let defined = [json!({"name": "web"}), json!({"name": "log", "essential": false})];
        let seen = judge("t1", task, &defined);
        (seen.reply, seen.words)
    }

    #[test]
    fn a_task_ends_well_when_each_essential_container_does() {
        let stopped = |web: Json, log: Json, code: &str| {
            json!({"lastStatus": "STOPPED", "stopCode": code, "stoppedReason": "Essential container in task exited",
                   "containers": [{"name": "web", "exitCode": web}, {"name": "log", "exitCode": log}]})
        };
        let exited = "EssentialContainerExited";
        let why = "(Essential container in task exited)";
        assert_eq!(seen(&stopped(json!(0), json!(1), exited)), (Reply::Holds, format!("the task t1 ended well {why}")));
        let failed = (Reply::Hopeless, format!("the task t1 failed: web ended with 3 {why}"));
        assert_eq!(seen(&stopped(json!(3), json!(0), exited)), failed);
        let never = (Reply::Hopeless, format!("the task t1 failed: web never ran to an end {why}"));
        assert_eq!(seen(&stopped(Json::Null, json!(0), "TaskFailedToStart")), never);
        assert_eq!(seen(&stopped(json!(0), json!(0), "UserInitiated")).0, Reply::Hopeless, "somebody has ended it");
        assert_eq!(seen(&json!({"lastStatus": "STOPPED"})).0, Reply::Hopeless, "nothing ran");
        assert_eq!(seen(&json!({"lastStatus": "PENDING"})), (Reply::Fails, "the task t1 is pending".to_owned()));
    }

    #[test]
    fn what_makes_no_sense_is_told_before() {
        let told = |names: &[(&str, Value)]| {
            let object = names.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            mistakes(&object).into_iter().filter_map(|mistake| mistake.attribute).collect::<Vec<_>>()
        };
        let texts = || Value::list(Type::String, vec![Value::from("a")]);
        assert_eq!(told(&[("command", texts())]), ["command"]);
        assert!(told(&[("command", texts()), ("container", "web".into()), ("launch_type", "EC2".into())]).is_empty());
        assert_eq!(told(&[("launch_type", "LAMBDA".into())]), ["launch_type"]);
        assert_eq!(told(&[("security_groups", texts())]), ["security_groups"]);
    }
}
