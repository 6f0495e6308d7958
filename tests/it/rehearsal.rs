//! Rehearsals: forth, back and forth again on throw-away servers, and what is certified of it.

mod downs;
mod seeded;
mod servers;
mod targets;
mod verdicts;

use std::sync::{Arc, OnceLock};

use switchback::migration::certificate::Certificate;
use switchback::migration::{Direction, Migration};
use switchback::provider::postgres::rehearsal::Rehearser;
use switchback::world::{RehearsalJob, RehearsalSettings, Rehearsals as _};

use crate::stack::{self, Quiet};

/// The rehearser that tests share; its servers go with the process.
pub fn rehearser() -> &'static Rehearser {
    static SHARED: OnceLock<Rehearser> = OnceLock::new();
    SHARED.get_or_init(|| Rehearser::new(stack::places().cache))
}

/// A migration as it is in a job.
pub fn migration(version: i64, up: &str, down: Option<&str>) -> Arc<Migration> {
    let transaction = !up.contains("transaction off");
    Arc::new(Migration { transaction, ..Migration::plain(version, "it", up, down) })
}

/// A job without a target: some applied texts, and migrations to go up.
pub fn job(applied: &[&str], steps: &[Arc<Migration>]) -> RehearsalJob {
    RehearsalJob {
        settings: RehearsalSettings {
            // The version that Debian has is the one that is always there.
            version: Some(15),
            roles: ["reader", "writer", "keeper"].map(str::to_owned).to_vec(),
            ..RehearsalSettings::default()
        },
        server: None,
        target: None,
        applied: (1..).zip(applied).map(|(version, text)| migration(version, text, None)).collect(),
        adopted: false,
        steps: steps.iter().map(|step| (Direction::Up, step.clone())).collect(),
    }
}

/// What comes out.
pub async fn certificates(job: &RehearsalJob) -> Vec<Certificate> {
    rehearser().rehearse(job, &Quiet).await.unwrap()
}
