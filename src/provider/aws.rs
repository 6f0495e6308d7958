//! AWS: ECS, logs, Secrets Manager and SSM. Each kind has its pure `rules` and, behind the feature `aws`, its `calls`.
//!
//! Invariant: the pure half knows AWS's JSON but no SDK; every call goes through `clients`, every error through
//! `failure`.

pub mod settings;
pub mod wire;
pub mod canonical;
pub mod tags;
pub mod period;
pub mod generated;
pub mod registry;
#[cfg(feature = "aws")]
mod watch;
#[cfg(feature = "aws")]
pub(crate) mod failure;
#[cfg(feature = "aws")]
pub(crate) mod reach;
#[cfg(feature = "aws")]
pub(crate) mod database_token;
#[cfg(feature = "aws")]
pub(crate) mod stored;
#[cfg(feature = "aws")]
mod clients;
#[cfg(feature = "aws")]
mod digests;
#[cfg(feature = "aws")]
mod exchange;
#[cfg(feature = "aws")]
mod shared;
pub(crate) mod alarms;
pub mod cloudwatch_log_group;
pub mod ecs_cluster;
pub mod ecs_service;
pub mod ecs_task_definition;
pub mod secretsmanager_secret;
pub mod secretsmanager_given_secret;
pub mod ssm_parameter;
pub mod ssm_given_parameter;
#[cfg(feature = "aws")]
pub mod carrier;
#[cfg(feature = "aws")]
pub(crate) mod one_task;
#[cfg(feature = "aws")]
pub(crate) mod steady;
