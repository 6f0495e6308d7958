//! The calls of `aws_ssm_given_parameter`.
//!
//! Invariant: there is one call, and it reads no value.

use async_trait::async_trait;

use crate::provider::aws::clients::Clients;
use crate::provider::aws::failure::Failure;
use crate::provider::aws::shared::{Calls, Found, Work, never_written};
use crate::provider::aws::ssm_parameter::calls::described;
use crate::value::{Object, Value};
use crate::world::Query;

/// The calls.
pub(in crate::provider::aws) struct GivenParameters;

#[async_trait]
impl Calls for GivenParameters {
    async fn read(&self, clients: &Clients, queries: &[&Query]) -> Vec<Result<Option<Found>, Failure>> {
        let name = |query: &&Query| query.object.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let names: Vec<String> = queries.iter().map(name).collect();
        let answers = described(clients, &names).await;
        let found = names.into_iter().zip(answers).map(|(name, answer)| {
            let Some(metadata) = answer? else { return Ok(None) };
            let arn = metadata.arn().map_or_else(Value::null, Value::from);
            let object = Object::from([
                ("id".to_owned(), name.as_str().into()),
                ("name".to_owned(), name.into()),
                ("arn".to_owned(), arn),
                ("version".to_owned(), metadata.version().into()),
            ]);
            Ok(Some(Found { object, token: None }))
        });
        found.collect()
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
