//! What was found out is made durable, and is not forgotten when the storage fails. Writes the ledger.
//!
//! Invariant: a batch that was not answered for is tried again as it is, so that it stands in the chain once; nothing
//! is written before it.

use std::time::Duration;

use super::course::{Batch, Course};
use super::outcome::{ApplyError, Retries};
use crate::ledger::{Ledger, StoreError};
use crate::world::Clock;

/// The longest time that outcomes are kept while the storage fails, where no lease ends it before.
const LONGEST_SILENCE: Duration = Duration::from_secs(120);

/// Makes everything that is ready durable, as one batch. Gives the pause after which to come again, when the storage
/// fails and may still be waited for; what could not be written is kept.
///
/// # Errors
/// When the lease was lost, or the storage fails for too long.
pub(super) async fn write(
    ledger: &mut Ledger,
    course: &mut Course<'_>,
    clock: &dyn Clock,
    retries: Retries,
) -> Result<Option<Duration>, ApplyError> {
    loop {
        let batch = course.unwritten.take().or_else(|| next(course, clock));
        let Some(mut batch) = batch else {
            return Ok(None);
        };
        match ledger.append(batch.time, batch.bodies.clone()).await {
            Ok(()) => course.cleared.extend(batch.launches),
            Err(error) => {
                batch.tries += 1;
                let silence = clock.uptime().saturating_sub(batch.since);
                let lasts = !course.fence.left().is_zero() && silence < LONGEST_SILENCE;
                let pause = retries.patience(batch.tries).filter(|_| lasts);
                course.unwritten = Some(batch);
                return match (error, pause) {
                    (StoreError::Storage { .. }, Some(pause)) => Ok(Some(pause)),
                    (error, _) => Err(error.into()),
                };
            }
        }
    }
}

/// The effects of what could not be written never begin.
pub(super) fn give_up(course: &mut Course<'_>) {
    course.launches.clear();
    course.cleared.clear();
    if let Some(batch) = &mut course.unwritten {
        batch.launches.clear();
    }
}

fn next(course: &mut Course<'_>, clock: &dyn Clock) -> Option<Batch> {
    course.note_advances(clock.uptime());
    if course.records.is_empty() {
        return None;
    }
    let (bodies, launches) = (std::mem::take(&mut course.records), std::mem::take(&mut course.launches));
    Some(Batch { time: clock.now(), bodies, launches, tries: 0, since: clock.uptime() })
}
