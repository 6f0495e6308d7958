//! The attributes of `aws_ecs_service`, and where they lie in requests and answers. Pure.
//!
//! Invariant: every attribute that AWS gives back has a line in [`MEMBERS`]; the others are write-only or computed.

use crate::kind::{Attribute, Mode};
use crate::provider::aws::ecs_task_definition::rules::placement_constraints;
use crate::provider::aws::wire::{Form, Member, formed, member};
use crate::provider::aws::{period, tags};
use crate::value::Type;

/// Where the attributes lie in requests and answers.
pub const MEMBERS: &[Member] = &[
    member("name", "serviceName"),
    member("cluster", "clusterArn"),
    member("task_definition", "taskDefinition"),
    member("desired_count", "desiredCount"),
    member("launch_type", "launchType"),
    member("platform_version", "platformVersion"),
    member("scheduling_strategy", "schedulingStrategy"),
    member("deployment_minimum_healthy_percent", "deploymentConfiguration.minimumHealthyPercent"),
    member("deployment_maximum_percent", "deploymentConfiguration.maximumPercent"),
    member("deployment_circuit_breaker", "deploymentConfiguration.deploymentCircuitBreaker"),
    member("alarms", "deploymentConfiguration.alarms"),
    member("deployment_controller", "deploymentController"),
    member("network_configuration", "networkConfiguration.awsvpcConfiguration"),
    member("load_balancer", "loadBalancers"),
    formed("service_registries", "serviceRegistries", Form::Array),
    member("health_check_grace_period_seconds", "healthCheckGracePeriodSeconds"),
    member("enable_execute_command", "enableExecuteCommand"),
    member("enable_ecs_managed_tags", "enableECSManagedTags"),
    member("propagate_tags", "propagateTags"),
    member("capacity_provider_strategy", "capacityProviderStrategy"),
    member("ordered_placement_strategy", "placementStrategy"),
    member("placement_constraints", "placementConstraints"),
    member("availability_zone_rebalancing", "availabilityZoneRebalancing"),
    member("service_connect_configuration", "serviceConnectConfiguration"),
    member("iam_role", "roleArn"),
];

/// The attributes.
pub fn attributes() -> Vec<Attribute> {
    let mut all = plain();
    all.extend(deployment());
    all.extend(network());
    all.extend(placement());
    all.extend(conduct());
    all.push(tags::attribute());
    all.push(Attribute::computed("arn", Type::String, "Its ARN."));
    all.push(Attribute::computed("id", Type::String, "Its ARN."));
    all
}

fn plain() -> Vec<Attribute> {
    vec![
        Attribute::required("name", Type::String, "Its name, unique in its cluster.").replaces(),
        Attribute::optional("cluster", Type::String, "The name or ARN of its cluster; absent: `default`.")
            .default("default")
            .replaces(),
        Attribute::required("task_definition", Type::String, "The revision: its ARN, or `family:revision`."),
        Attribute::optional("desired_count", Type::Number, "How many tasks; absent: 0."),
        Attribute::optional_computed("launch_type", Type::String, "`FARGATE`, `EC2` or `EXTERNAL`.").replaces(),
        Attribute::optional_computed("platform_version", Type::String, "The Fargate platform, as `1.4.0`."),
        Attribute::optional("scheduling_strategy", Type::String, "`REPLICA` or `DAEMON`.")
            .default("REPLICA")
            .replaces(),
        Attribute::optional_computed("iam_role", Type::String, "The role for load balancers without `awsvpc`.")
            .replaces(),
        Attribute::optional("enable_execute_command", Type::Bool, "Whether ECS Exec works.").default(false),
        Attribute::optional("enable_ecs_managed_tags", Type::Bool, "Whether ECS tags the tasks.").default(false),
        Attribute::optional("propagate_tags", Type::String, "`SERVICE`, `TASK_DEFINITION` or `NONE`."),
        Attribute::optional_computed("availability_zone_rebalancing", Type::String, "`ENABLED` or `DISABLED`."),
    ]
}

fn deployment() -> Vec<Attribute> {
    let rollback = Attribute::required("rollback", Type::Bool, "Whether the last good deployment comes back.");
    vec![
        Attribute::optional("deployment_minimum_healthy_percent", Type::Number, "Tasks that keep running, in percent.")
            .default(100_i64),
        Attribute::optional("deployment_maximum_percent", Type::Number, "Tasks that may run, in percent.")
            .default(200_i64),
        Attribute::block(
            "deployment_circuit_breaker",
            vec![
                Attribute::required("enable", Type::Bool, "Whether a rollout that does not come up is failed."),
                rollback.clone(),
            ],
            "When a rollout is given up.",
        ),
        Attribute::block(
            "alarms",
            vec![
                Attribute::required("alarm_names", Type::set(Type::String), "The alarms."),
                Attribute::required("enable", Type::Bool, "Whether they are looked at."),
                rollback,
            ],
            "CloudWatch alarms that fail a rollout.",
        ),
        Attribute::block(
            "deployment_controller",
            vec![Attribute::optional("type", Type::String, "`ECS`, `CODE_DEPLOY` or `EXTERNAL`.").default("ECS")],
            "Who rolls out.",
        )
        .replaces(),
    ]
}

fn network() -> Vec<Attribute> {
    vec![
        Attribute::block(
            "network_configuration",
            vec![
                Attribute::required("subnets", Type::set(Type::String), "The subnets."),
                Attribute::optional("security_groups", Type::set(Type::String), "The security groups."),
                Attribute::optional("assign_public_ip", Type::Bool, "Whether tasks have public addresses.")
                    .default(false),
            ],
            "The network of tasks with `awsvpc`.",
        ),
        Attribute::blocks(
            "load_balancer",
            vec![
                Attribute::optional("target_group_arn", Type::String, "The target group."),
                Attribute::optional("elb_name", Type::String, "The name of a classic load balancer."),
                Attribute::required("container_name", Type::String, "The container."),
                Attribute::required("container_port", Type::Number, "Its port."),
            ],
            "Load balancers that lead to its tasks.",
        )
        .unordered(),
        Attribute::block(
            "service_registries",
            vec![
                Attribute::required("registry_arn", Type::String, "The Cloud Map service."),
                Attribute::optional("port", Type::Number, "The port for SRV records."),
                Attribute::optional("container_name", Type::String, "The container."),
                Attribute::optional("container_port", Type::Number, "Its port."),
            ],
            "Service discovery.",
        ),
        Attribute::optional(
            "health_check_grace_period_seconds",
            Type::Number,
            "How long failing health checks of a new task are ignored, in seconds.",
        ),
        service_connect(),
    ]
}

fn service_connect() -> Attribute {
    let alias = Attribute::blocks(
        "client_alias",
        vec![
            Attribute::optional("dns_name", Type::String, "The name that clients use."),
            Attribute::required("port", Type::Number, "The port that clients use."),
        ],
        "How clients reach it.",
    );
    let service = Attribute::blocks(
        "service",
        vec![
            alias,
            Attribute::optional("discovery_name", Type::String, "Its name in Cloud Map."),
            Attribute::optional("ingress_port_override", Type::Number, "The port of the proxy."),
            Attribute::required("port_name", Type::String, "The name of the port mapping."),
        ],
        "What is offered to others.",
    );
    let secret = Attribute::blocks(
        "secret_option",
        vec![
            Attribute::required("name", Type::String, "The option."),
            Attribute::required("value_from", Type::String, "The ARN of its secret."),
        ],
        "Options that are secrets.",
    );
    let log = Attribute::block(
        "log_configuration",
        vec![
            Attribute::required("log_driver", Type::String, "The log driver."),
            Attribute::optional("options", Type::map(Type::String), "Its options."),
            secret,
        ],
        "The log of the proxy.",
    );
    Attribute::block(
        "service_connect_configuration",
        vec![
            Attribute::required("enabled", Type::Bool, "Whether it is used."),
            Attribute::optional("namespace", Type::String, "The Cloud Map namespace."),
            service,
            log,
        ],
        "Service Connect.",
    )
    .write_only()
}

fn placement() -> Vec<Attribute> {
    let mut strategy = Attribute::blocks(
        "capacity_provider_strategy",
        vec![
            Attribute::optional("base", Type::Number, "How many tasks at least.").default(0_i64),
            Attribute::required("capacity_provider", Type::String, "The capacity provider."),
            Attribute::optional("weight", Type::Number, "Its share.").default(0_i64),
        ],
        "Where tasks run; instead of `launch_type`.",
    )
    .unordered();
    strategy.mode = Mode::OptionalComputed;
    vec![
        strategy,
        Attribute::blocks(
            "ordered_placement_strategy",
            vec![
                Attribute::required("type", Type::String, "`binpack`, `random` or `spread`."),
                Attribute::optional("field", Type::String, "By what, as `instanceId`."),
            ],
            "How tasks are placed, in this order.",
        ),
        placement_constraints(),
    ]
}

fn conduct() -> Vec<Attribute> {
    vec![
        Attribute::optional("wait_for_steady_state", Type::Bool, "Whether a change waits for its rollout.")
            .default(true)
            .write_only(),
        Attribute::optional("force_new_deployment", Type::Bool, "Whether every change rolls out again.")
            .default(false)
            .write_only(),
        Attribute::optional("triggers", Type::map(Type::String), "A change of it rolls out again.").write_only(),
        Attribute::optional("force_delete", Type::Bool, "Has no effect: tasks always stop with their service.")
            .default(false)
            .write_only(),
        period::attribute(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_that_can_be_read_lies_somewhere() {
        for attribute in attributes() {
            let mapped = MEMBERS.iter().any(|member| member.ours == attribute.name);
            let special = attribute.write_only || ["tags", "arn", "id"].contains(&attribute.name);
            assert!(mapped || special, "{} would never be observed", attribute.name);
        }
    }
}
