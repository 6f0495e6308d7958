//! The calls of `aws_secretsmanager_given_secret`.
//!
//! Invariant: there is one call, and it reads no value.

use async_trait::async_trait;
use futures_util::future::join_all;

use crate::provider::aws::clients::Clients;
use crate::provider::aws::failure::Failure;
use crate::provider::aws::secretsmanager_secret::calls::{current_version, describe};
use crate::provider::aws::secretsmanager_secret::rules::value_from;
use crate::provider::aws::shared::{Calls, Found, Work, never_written};
use crate::value::{Object, Value};
use crate::world::Query;

/// The calls.
pub(in crate::provider::aws) struct GivenSecrets;

#[async_trait]
impl Calls for GivenSecrets {
    async fn read(&self, clients: &Clients, queries: &[&Query]) -> Vec<Result<Option<Found>, Failure>> {
        join_all(queries.iter().map(|query| read(clients, &query.object))).await
    }

    async fn create(&self, work: &Work<'_>, _after: &Object) -> Result<Object, Failure> {
        Err(never_written(work))
    }

    async fn update(&self, work: &Work<'_>, _before: &Object, _after: &Object) -> Result<Object, Failure> {
        Err(never_written(work))
    }

    async fn delete(&self, work: &Work<'_>, _before: &Object) -> Result<(), Failure> {
        Err(never_written(work))
    }
}

async fn read(clients: &Clients, known: &Object) -> Result<Option<Found>, Failure> {
    let Some(name) = known.get("name").and_then(Value::as_str) else { return Ok(None) };
    let described = describe(clients, name).await?.filter(|described| described.deleted_date().is_none());
    // One that was made without a value has nothing that a service could read.
    let Some((described, version)) = described.and_then(|one| current_version(&one).map(|version| (one, version)))
    else {
        return Ok(None);
    };
    let arn = described.arn().unwrap_or_default();
    let object = Object::from([
        ("name".to_owned(), name.into()),
        ("arn".to_owned(), arn.into()),
        ("id".to_owned(), arn.into()),
        ("value_from".to_owned(), value_from(arn, &version).into()),
        ("version_id".to_owned(), version.into()),
    ]);
    Ok(Some(Found { object, token: None }))
}
