//! The rules of `aws_ecs_service`. Pure.
//!
//! Invariant: two references to the same cluster or revision, by name or by ARN, are equal.

use super::attributes::attributes;
use crate::kind::{Asked, By, Change, Judgement, Kind, LateCall, Mistake, PerChange, Rights, Rules, Runs};
use crate::provider::aws::ecs_cluster::rules::{cluster_name, keep_names};
use crate::provider::aws::ecs_task_definition::rules::short_reference;
use crate::provider::aws::{canonical, period, tags};
use crate::value::{Data, Object, Value};

/// The kind.
pub fn kind() -> Kind {
    Kind {
        name: "aws_ecs_service",
        provider: "aws",
        summary: "Keeps tasks of a revision running; a change waits until ECS calls its rollout completed or failed.",
        attributes: attributes(),
        late: PerChange {
            create: LateCall::Token("`clientToken` is that of the step, the same for every try of it"),
            update: LateCall::Nothing(
                "it sets what its step planned: what a resumed run has set already; after a way back ECS refuses a revision that was deregistered, and all else is shown by the next plan",
            ),
            delete: LateCall::Nothing(
                "it removes the service of this name, also one that was made again meanwhile; the next plan makes it again",
            ),
        },
        asked: PerChange {
            create: Asked::by(By::Tag),
            update: Asked {
                by: By::Comparison,
                except: Some(
                    "nothing changes but `service_connect_configuration`, `triggers` or `force_new_deployment`, which ECS does not show",
                ),
            },
            delete: Asked::by(By::Name),
        },
        rules: Box::new(ServiceRules { attributes: attributes() }),
    }
}

struct ServiceRules {
    attributes: Vec<crate::kind::Attribute>,
}

impl Rules for ServiceRules {
    fn check(&self, desired: &Object) -> Vec<Mistake> {
        let mut mistakes = tags::check(desired);
        mistakes.extend(period::check(desired));
        let mut mistake = |attribute: &str, text: String, help: &str| {
            mistakes.push(Mistake { attribute: Some(attribute.to_owned()), text, help: help.to_owned() });
        };
        let given = |name: &str| desired.get(name).is_some_and(|value| !value.is_null() && value.items() != Some(&[]));
        let text = |name: &str| desired.get(name).and_then(Value::as_str);
        let number = |name: &str| desired.get(name).and_then(Value::as_i64);
        if let Some(name) = text("name") {
            let good = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
            if name.is_empty() || name.len() > 255 || !name.chars().all(good) {
                let help = "use up to 255 letters, digits, hyphens and underscores";
                mistake("name", format!("`{name}` is not a name for a service"), help);
            }
        }
        if given("launch_type") && given("capacity_provider_strategy") {
            let text = "`launch_type` and `capacity_provider_strategy` exclude each other".to_owned();
            mistake("launch_type", text, "keep one of the two");
        }
        if number("desired_count").is_some_and(|count| count < 0) {
            mistake("desired_count", "a negative number of tasks".to_owned(), "use 0 or more");
        }
        if let (Some(minimum), Some(maximum)) =
            (number("deployment_minimum_healthy_percent"), number("deployment_maximum_percent"))
            && minimum >= maximum
        {
            let text = format!("with {minimum} % at least and {maximum} % at most no task can be replaced");
            mistake("deployment_maximum_percent", text, "make the maximum larger than the minimum");
        }
        if text("launch_type") == Some("FARGATE") && !given("network_configuration") && !given_unknown(desired) {
            let help = "add a `network_configuration` block with subnets";
            mistake("launch_type", "a Fargate service has no network".to_owned(), help);
        }
        mistakes
    }

    fn complete(&self, planned: &mut Object, prior: Option<&Object>) {
        let cluster = |object: &Object| object.get("cluster").map(|value| self.normalise("cluster", value));
        if prior.is_some_and(|prior| cluster(prior) == cluster(planned)) {
            keep_names(planned, prior, "name", &["arn", "id"]);
        }
    }

    fn normalise(&self, attribute: &str, value: &Value) -> Value {
        match (attribute, value.data()) {
            ("cluster", Data::String(text)) => Value::from(cluster_name(text)).mark(value.marks()),
            ("task_definition", Data::String(text)) => Value::from(short_reference(text)).mark(value.marks()),
            ("propagate_tags", Data::String(text)) if &**text == "NONE" => Value::null(),
            ("desired_count" | "health_check_grace_period_seconds", Data::Number(_)) if value.as_i64() == Some(0) => {
                Value::null()
            }
            ("deployment_circuit_breaker" | "alarms", _) if canonical::is_switched_off(value) => Value::null(),
            ("deployment_controller", _) => {
                let form = canonical::canonical(&self.attributes, attribute, value);
                let is_ecs = |block: &Value| block.get("type").and_then(Value::as_str) == Some("ECS");
                let default = form.items().is_some_and(|blocks| blocks.iter().all(is_ecs));
                if default { Value::null() } else { form }
            }
            ("ordered_placement_strategy", _) => {
                let form = canonical::canonical(&self.attributes, attribute, value);
                form.rebuild(&|inner| if inner.as_str() == Some("host") { "instanceId".into() } else { inner })
            }
            _ => canonical::canonical(&self.attributes, attribute, value),
        }
    }

    fn rights(&self) -> Rights {
        Rights {
            reads: &["ecs:DescribeServices"],
            writes: &[
                "ecs:CreateService",
                "ecs:UpdateService",
                "ecs:DeleteService",
                "ecs:TagResource",
                "ecs:UntagResource",
                "iam:PassRole",
            ],
        }
    }

    fn identity(&self, object: &Object) -> Option<String> {
        let name = object.get("name")?.as_str()?;
        match object.get("cluster").filter(|cluster| !cluster.is_null()) {
            None => Some(format!("default/{name}")),
            Some(cluster) => cluster.as_str().map(|cluster| format!("{}/{name}", cluster_name(cluster))),
        }
    }

    fn import(&self, id: &str) -> Result<Object, String> {
        // An ARN of a service ends with the same two names.
        let path = if id.starts_with("arn:") { id.split_once('/').map_or(id, |(_, path)| path) } else { id };
        match path.split('/').collect::<Vec<_>>()[..] {
            [cluster, name] if !cluster.is_empty() && !name.is_empty() => {
                Ok(Object::from([("cluster".to_owned(), cluster.into()), ("name".to_owned(), name.into())]))
            }
            _ => Err(format!("`{id}` is not the id of a service; it is `CLUSTER/NAME`, as `shop/web`")),
        }
    }

    fn judge(&self, change: Change<'_>) -> Judgement {
        match change {
            Change::Create(_) | Change::Update(..) => Judgement::Exact,
            Change::Delete(_) => Judgement::Recreates(
                "the same service under the same name and ARN, with new tasks and without its events".to_owned(),
            ),
        }
    }

    fn runs(&self, object: &Object) -> Runs {
        let controller = object.get("deployment_controller");
        let is_ecs = controller.is_none_or(|block| self.normalise("deployment_controller", block).is_null());
        match object.get("wait_for_steady_state").and_then(Value::as_bool) {
            Some(false) => Runs::Longer("`wait_for_steady_state` is false, so that nobody waits for its rollout"),
            Some(true) | None if !is_ecs => Runs::Longer("its deployment controller is not ECS's own"),
            Some(true) | None => Runs::UntilDone,
        }
    }
}

fn given_unknown(desired: &Object) -> bool {
    desired.get("network_configuration").is_some_and(|value| !value.is_known())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(name: &str, value: impl Into<Value>) -> Value {
        kind().rules.normalise(name, &value.into())
    }

    fn block(entries: &[(&str, Value)]) -> Value {
        Value::tuple(vec![Value::object(entries.iter().cloned())])
    }

    #[test]
    fn references_by_name_and_by_arn_are_equal() {
        assert_eq!(form("cluster", "arn:aws:ecs:eu-west-1:1:cluster/shop"), form("cluster", "shop"));
        assert_eq!(
            form("task_definition", "arn:aws:ecs:eu-west-1:1:task-definition/web:7"),
            form("task_definition", "web:7")
        );
        assert_ne!(form("task_definition", "web:7"), form("task_definition", "web:8"));
    }

    #[test]
    fn what_ecs_answers_where_nothing_was_said_is_no_difference() {
        let off = block(&[("enable", false.into()), ("rollback", false.into())]);
        let on = block(&[("enable", true.into()), ("rollback", false.into())]);
        assert!(form("deployment_circuit_breaker", off).is_null());
        assert!(!form("deployment_circuit_breaker", on).is_null());
        assert!(form("deployment_controller", block(&[("type", "ECS".into())])).is_null());
        assert!(!form("deployment_controller", block(&[("type", "CODE_DEPLOY".into())])).is_null());
        assert!(form("propagate_tags", "NONE").is_null());
        assert!(form("desired_count", 0_i64).is_null());
        assert!(!form("desired_count", 1_i64).is_null());
    }

    #[test]
    fn the_identity_names_the_cluster() {
        let mut object = Object::from([("name".to_owned(), Value::from("web"))]);
        assert_eq!(kind().rules.identity(&object).as_deref(), Some("default/web"));
        object.insert("cluster".to_owned(), "arn:aws:ecs:eu-west-1:1:cluster/shop".into());
        assert_eq!(kind().rules.identity(&object).as_deref(), Some("shop/web"));
    }

    #[test]
    fn contradictions_are_mistakes() {
        let object = Object::from([
            ("name".to_owned(), Value::from("we b")),
            ("launch_type".to_owned(), "FARGATE".into()),
            ("capacity_provider_strategy".to_owned(), block(&[("capacity_provider", "FARGATE_SPOT".into())])),
            ("deployment_minimum_healthy_percent".to_owned(), 100_i64.into()),
            ("deployment_maximum_percent".to_owned(), 100_i64.into()),
            ("timeouts".to_owned(), block(&[("create", "soon".into())])),
        ]);
        assert_eq!(kind().rules.check(&object).len(), 5);
    }

    #[test]
    fn an_unwatched_rollout_is_known_to_be_one() {
        let with = |entries: &[(&str, Value)]| {
            let entries = entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            kind().rules.runs(&entries.collect())
        };
        assert_eq!(with(&[]), Runs::UntilDone);
        assert_eq!(with(&[("wait_for_steady_state", true.into())]), Runs::UntilDone);
        assert!(
            matches!(with(&[("wait_for_steady_state", false.into())]), Runs::Longer(why) if why.contains("wait_for"))
        );
        let external = block(&[("type", "EXTERNAL".into())]);
        assert!(matches!(with(&[("deployment_controller", external)]), Runs::Longer(_)));
    }
}
