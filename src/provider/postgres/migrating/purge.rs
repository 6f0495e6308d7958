//! Drops at last what a migration took away and what was kept since. Talks to the server.
//!
//! Invariant: it is one transaction that can be run again at any time, and never touches the history.

use std::time::Instant;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::super::connection::{open, open_for, target};
use super::super::errors::{has_code, nothing, refused, unknown, world_error};
use super::super::fence::Guard;
use super::super::{orphans, transaction};
use super::locks;
use super::patience::Patience;
use crate::value::{Object, Value};
use crate::world::{Connection, EffectError, MigrationEffect, Progress, Settlement, WorldError};

fn tried(effect: &MigrationEffect, place: &str) -> String {
    format!("purge what {} took away at {place}", effect.migration.label())
}

/// Runs the text that drops.
///
/// # Errors
/// As the server says, with what is known about its trace.
pub async fn run(
    connection: &Connection,
    effect: &MigrationEffect,
    patience: Patience,
    progress: &dyn Progress,
) -> Result<Object, EffectError> {
    let target = target(&connection.settings).map_err(nothing)?;
    let tried = tried(effect, &target.to_string());
    let Some(kept) = &effect.migration.kept else {
        return Err(nothing(refused(tried, "nothing of it is kept", "plan again")));
    };
    let started = Instant::now();
    let client = open_for(&target, &effect.token).await.map_err(nothing)?;
    let guard = Guard::take_over(&client, &target, &effect.fence, &tried, progress).await.map_err(nothing)?;
    locks::take_turn(&client, patience.turn, progress).await.map_err(nothing)?;
    guard.sit_down(&client, &tried).await.map_err(nothing)?;
    progress.called("postgresql:purge");
    let mut pause = patience.first_pause;
    let mut attempt = 1;
    loop {
        guard.in_time(&tried).map_err(nothing)?;
        match once(&client, &guard, effect, &kept.purge, &tried).await {
            Ok(()) => break,
            Err((failed, true)) if attempt < patience.lock_attempts => {
                progress.say(&format!("{tried}: try {attempt} got no lock: {}", failed.error.cause));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(patience.longest_pause);
                attempt += 1;
            }
            Err((failed, _)) => {
                locks::give_turn_back(&client).await;
                return Err(failed);
            }
        }
    }
    locks::give_turn_back(&client).await;
    let took = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
    Ok(Object::from([("duration_ms".to_owned(), Value::from(took))]))
}

/// One try; when it fails, whether that was for a lock.
async fn once(
    client: &Client,
    guard: &Guard,
    effect: &MigrationEffect,
    text: &str,
    tried: &str,
) -> Result<(), (EffectError, bool)> {
    let begin = format!("begin; set local lock_timeout = {}", effect.lock_timeout.as_millis().max(1));
    for sql in [&begin, text] {
        if let Err(error) = client.batch_execute(sql).await {
            transaction::roll_back(client).await;
            let waits = has_code(&error, &SqlState::LOCK_NOT_AVAILABLE);
            return Err((nothing(world_error(tried, &error)), waits));
        }
    }
    if let Err(closed) = guard.lock(client).await {
        transaction::roll_back(client).await;
        return Err((nothing(closed.into_world(tried)), false));
    }
    transaction::commit(client).await.map_err(|(error, certain)| {
        let error = world_error(tried, &error);
        (if certain { nothing(error) } else { unknown(error) }, false)
    })
}

/// Once nothing is under way any more: whether anything of it is left, all of which goes at once.
///
/// # Errors
/// As the server says.
pub async fn settle(connection: &Connection, effect: &MigrationEffect) -> Result<Settlement, WorldError> {
    let target = target(&connection.settings)?;
    let client = open(&target).await?;
    orphans::end(&client, &effect.token).await?;
    let prefix = format!("switchback_kept_{}_", effect.migration.version);
    let statement = "select exists (select from pg_catalog.pg_namespace n where pg_catalog.starts_with(n.nspname::text, $1)) \
                     or exists (select from pg_catalog.pg_attribute a where pg_catalog.starts_with(a.attname::text, $1) \
                     and not a.attisdropped)";
    let row = client.query_one(statement, &[&prefix]).await;
    let row = row.map_err(|error| world_error(tried(effect, &target.to_string()), &error))?;
    Ok(if row.get(0) { Settlement::NotDone } else { Settlement::Done(Object::new()) })
}
