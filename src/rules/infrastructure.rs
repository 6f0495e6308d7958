//! Rules about the steps of a change set: infrastructure and configuration. Pure.
//!
//! Invariant: each rule is one file of this folder and one line of [`RULES`]; its check is `Check::Steps`.

mod view;
mod replaced_stateful_resource;
mod deleted_stateful_resource;
mod secret_in_plain_parameter;
mod secret_in_plain_environment;
mod image_by_tag;
mod container_without_memory_limit;
mod privileged_container;
mod container_without_health_check;
mod one_role_for_task_and_start;
mod service_without_circuit_breaker;
mod service_stops_before_it_starts;
mod service_of_one_task;
mod tasks_with_public_addresses;
mod log_group_without_retention;
mod secure_parameter_without_key;
mod parameter_deleted_while_read;
mod role_with_all_rights;
mod way_back_makes_anew;

use super::rule::Rule;

/// All of them.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    replaced_stateful_resource::RULE,
    deleted_stateful_resource::RULE,
    secret_in_plain_parameter::RULE,
    secret_in_plain_environment::RULE,
    image_by_tag::RULE,
    container_without_memory_limit::RULE,
    privileged_container::RULE,
    container_without_health_check::RULE,
    one_role_for_task_and_start::RULE,
    service_without_circuit_breaker::RULE,
    service_stops_before_it_starts::RULE,
    service_of_one_task::RULE,
    tasks_with_public_addresses::RULE,
    log_group_without_retention::RULE,
    secure_parameter_without_key::RULE,
    parameter_deleted_while_read::RULE,
    role_with_all_rights::RULE,
    way_back_makes_anew::RULE,
];
