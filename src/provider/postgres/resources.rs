//! The provider itself: reads and changes roles and databases. Talks to the server.
//!
//! Invariant: each call opens a session of its own and leaves none behind; many things are read in one.

use async_trait::async_trait;
use tokio_postgres::Client;

use super::connection::{open, open_for, target};
use super::errors::{nothing, refused, world_error};
use super::fence::ARRIVAL;
use super::settings::Target;
use super::{database, orphans, role};
use crate::value::{Object, Value};
use crate::world::{Connection, Effect, EffectChange, EffectError, Progress, Provider, Query, Settlement, WorldError};

/// The provider `postgres`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Postgres;

#[async_trait]
impl Provider for Postgres {
    async fn check(&self, connection: &Connection) -> Result<Object, WorldError> {
        let target = target(&connection.settings)?;
        let client = open(&target).await?;
        let statement = "select current_setting('server_version'), current_user::text, pg_is_in_recovery()";
        let row = client.query_one(statement, &[]).await;
        let row = row.map_err(|error| world_error(format!("look at {target}"), &error))?;
        Ok(Object::from([
            ("server_version".to_owned(), Value::from(row.get::<_, String>(0))),
            ("current_user".to_owned(), Value::from(row.get::<_, String>(1))),
            ("read_only".to_owned(), Value::from(row.get::<_, bool>(2))),
        ]))
    }

    async fn observe(&self, connection: &Connection, queries: &[Query]) -> Vec<Result<Option<Object>, WorldError>> {
        match observe(connection, queries).await {
            Ok(found) => found,
            Err(error) => queries.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn carry_out(
        &self,
        connection: &Connection,
        effect: &Effect,
        progress: &dyn Progress,
    ) -> Result<Object, EffectError> {
        let target = target(&connection.settings).map_err(nothing)?;
        let client = open_for(&target, &effect.token).await.map_err(nothing)?;
        progress.called(operation(effect));
        match effect.kind.as_str() {
            "postgres_role" => role::calls::carry_out(&client, &target, effect).await,
            "postgres_database" => database::calls::carry_out(&client, &target, effect, progress).await,
            other => Err(nothing(no_kind(other))),
        }
    }

    async fn settle(&self, connection: &Connection, effect: &Effect) -> Result<Settlement, WorldError> {
        let target = target(&connection.settings)?;
        let client = open(&target).await?;
        // The session of a later holder bears the same token.
        effect.fence.check("ask what became of a PostgreSQL role or database", ARRIVAL)?;
        orphans::end(&client, &effect.token).await?;
        match effect.kind.as_str() {
            "postgres_role" => role::calls::settle(&client, effect).await,
            "postgres_database" => database::calls::settle(&client, &target, effect).await,
            other => Err(no_kind(other)),
        }
    }
}

async fn observe(
    connection: &Connection,
    queries: &[Query],
) -> Result<Vec<Result<Option<Object>, WorldError>>, WorldError> {
    let target = target(&connection.settings)?;
    let client = open(&target).await?;
    let roles = found(&client, &target, queries, "postgres_role").await?;
    let databases = found(&client, &target, queries, "postgres_database").await?;
    let answer = |query: &Query| {
        let among = match query.kind.as_str() {
            "postgres_role" => &roles,
            "postgres_database" => &databases,
            other => return Err(no_kind(other)),
        };
        let name = query.object.get("name").and_then(Value::as_str);
        Ok(among.iter().find(|thing| thing.get("name").and_then(Value::as_str) == name && name.is_some()).cloned())
    };
    Ok(queries.iter().map(answer).collect())
}

async fn found(client: &Client, target: &Target, queries: &[Query], kind: &str) -> Result<Vec<Object>, WorldError> {
    let names: Vec<&str> = queries
        .iter()
        .filter(|query| query.kind == kind)
        .filter_map(|query| query.object.get("name").and_then(Value::as_str))
        .collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let things = match kind {
        "postgres_role" => role::calls::read(client, &names).await?,
        _ => database::calls::read(client, target, &names).await?,
    };
    Ok(things.into_iter().map(|thing| thing.object).collect())
}

/// What is sent, for the ledger.
fn operation(effect: &Effect) -> &'static str {
    let is_role = effect.kind == "postgres_role";
    match &effect.change {
        EffectChange::Create { .. } if is_role => "postgresql:CREATE ROLE",
        EffectChange::Create { .. } => "postgresql:CREATE DATABASE",
        EffectChange::Update { .. } if is_role => "postgresql:ALTER ROLE",
        EffectChange::Update { .. } => "postgresql:ALTER DATABASE",
        EffectChange::Delete { .. } if is_role => "postgresql:DROP ROLE",
        EffectChange::Delete { .. } => "postgresql:DROP DATABASE",
    }
}

fn no_kind(kind: &str) -> WorldError {
    refused("use the provider postgres", format!("it has no kind `{kind}`"), "update switchback")
}
