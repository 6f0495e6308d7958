//! Asking the world about single steps, without carrying anything out.
//!
//! Invariant: what asks here records nothing.

use super::session::Session;
use crate::apply::{Executor, Retries, Silent, StopSignal};
use crate::secret::Secrets;

/// What asks about steps, and never carries one out.
pub fn asker<'a>(session: &'a Session, secrets: &'a dyn Secrets) -> Executor<'a> {
    Executor {
        world: &session.world,
        kinds: &session.kinds,
        secrets,
        listener: &Silent,
        concurrency: 1,
        stop: StopSignal::default(),
        retries: Retries::none(),
    }
}
