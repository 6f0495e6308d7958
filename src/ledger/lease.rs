//! The lease: who may write, and until when. Taken, renewed and lost through the chain itself.
//!
//! Invariant: a lease is called over by the store's clock alone, or because its holder is known to be dead; never by
//! comparing the clocks of two hosts.

use std::sync::Arc;
use std::time::Duration;

use super::line::Held;
use super::record::{Actor, Body, Life, Sequence};
use super::state::Lease;
use super::{Ledger, StoreError};
use crate::value::SealKey;
use crate::world::{Clock, Fence};

/// How a lease is taken.
#[derive(Clone)]
pub struct LeaseTerms {
    /// Who takes it.
    pub actor: Actor,
    /// What for: `apply of dev`.
    pub purpose: String,
    /// How long it holds without a sign of life.
    pub length: Duration,
    /// What tells others on the same machine whether we are alive.
    pub life: Option<Life>,
    /// Whether a holder is known to be dead: only what runs on the very machine can know.
    pub is_dead: fn(&Actor, &Life) -> bool,
    /// The clock that our own deadline is read on.
    pub clock: Arc<dyn Clock>,
}

/// What a chain that is not begun yet is begun for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The project's name.
    pub project: String,
    /// The environment's name.
    pub environment: String,
}

/// Whether a lease may be taken. The one rule; the model of the protocol checks it with every interleaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nobody holds it.
    Free,
    /// Its holder gave no sign of life for its whole length, or is dead.
    Over(Sequence),
    /// It is held for at least so long.
    Held(Duration),
}

/// Judges by the store's clock: `age` is the time since the newest record.
///
/// The newest record may be another's; then the lease is called over later than it could be, never earlier.
pub fn claim(lease: Option<&Lease>, age: Duration, is_dead: bool) -> Claim {
    match lease {
        None => Claim::Free,
        Some(lease) if is_dead || age >= lease.length => Claim::Over(lease.number),
        Some(lease) => Claim::Held(lease.length - age),
    }
}

/// The first record of a chain.
pub fn founding(project: &Project) -> Body {
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).expect("the machine gives random bytes");
    Body::Founded {
        chain: uuid::Uuid::new_v4().to_string(),
        project: project.project.clone(),
        environment: project.environment.clone(),
        seal_key: SealKey::from_random(random),
    }
}

impl Ledger {
    /// Takes the lease; begins the chain, if it is not begun.
    ///
    /// # Errors
    /// When another run holds it ([`StoreError::Leased`]), or the store fails.
    pub async fn take_lease(&mut self, terms: &LeaseTerms, project: &Project) -> Result<(), StoreError> {
        loop {
            self.refresh().await?;
            let (over, left) = match self.judge(terms).await? {
                None => continue,
                Some((Claim::Held(left), _)) => return Err(self.held_by_another(left)),
                Some((Claim::Free, left)) => (None, left),
                Some((Claim::Over(number), left)) => (Some(number), left),
            };
            let mut bodies = Vec::new();
            if self.state().chain.is_none() {
                bodies.push(founding(project));
            }
            bodies.push(Body::Leased {
                actor: terms.actor.clone(),
                purpose: terms.purpose.clone(),
                milliseconds: u64::try_from(terms.length.as_millis()).unwrap_or(u64::MAX),
                nonce: uuid::Uuid::new_v4().simple().to_string(),
                life: terms.life.clone(),
                over,
            });
            let asked = terms.clock.uptime();
            match self.append(terms.clock.now(), bodies).await {
                Ok(()) => {
                    self.held(terms, (asked, left)).await;
                    return Ok(());
                }
                // Somebody was quicker; perhaps it was only the holder's sign of life.
                Err(StoreError::Overtaken { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Says also how long the lease still is by its length. Nothing when the chain has grown meanwhile, so that the
    /// age is not that of what was read.
    async fn judge(&self, terms: &LeaseTerms) -> Result<Option<(Claim, Option<Duration>)>, StoreError> {
        let Some(lease) = &self.state().lease else {
            return Ok(Some((Claim::Free, None)));
        };
        let is_dead = lease.life.as_ref().is_some_and(|life| (terms.is_dead)(&lease.actor, life));
        let Some((last, age)) = self.store().age().await? else {
            return Ok(None);
        };
        // Who is known to be dead before that may have sent something a moment ago.
        let left = lease.length.saturating_sub(age);
        Ok((last == self.last()).then(|| (claim(Some(lease), age, is_dead), Some(left))))
    }

    async fn held(&mut self, terms: &LeaseTerms, (asked, left): (Duration, Option<Duration>)) {
        let chain = self.state().chain.as_ref().map(|chain| chain.id.clone()).unwrap_or_default();
        let holder = terms.actor.to_string();
        let clock = Arc::clone(&terms.clock);
        let times = (asked, left);
        let fence = Fence::after(&chain, self.last(), &holder, times, terms.length, Arc::clone(&clock));
        self.line.hold(Some(Held { fence, clock }), asked).await;
    }

    fn held_by_another(&self, left: Duration) -> StoreError {
        let holder = self.state().lease.as_ref().map(|lease| describe(lease, Some(left))).unwrap_or_default();
        StoreError::Leased { url: self.url(), holder }
    }

    /// The fence of the lease that is held; an open one without.
    pub async fn fence(&self) -> Fence {
        self.line.fence().await.unwrap_or_else(Fence::open)
    }

    /// Gives the lease back, if it is held.
    ///
    /// # Errors
    /// When the store fails; then it runs out by itself.
    pub async fn release(&mut self, time: jiff::Timestamp) -> Result<(), StoreError> {
        match self.line.fence().await {
            Some(_) => self.append(time, vec![Body::Released]).await,
            None => Ok(()),
        }
    }

    /// What renews the lease for as long as it is awaited, beside the work. Never ends.
    pub fn keeper(&self) -> impl Future<Output = ()> + Send + use<> {
        let line = Arc::clone(&self.line);
        async move { line.keep().await }
    }
}

/// Who, where, what for, since when and until when.
pub fn describe(lease: &Lease, left: Option<Duration>) -> String {
    let since = lease.since.strftime("%Y-%m-%dT%H:%M:%SZ");
    let until = match left {
        Some(left) => format!("until it gives no sign of life for {} s more", left.as_millis().div_ceil(1_000)),
        None => format!("for {} s after its last sign of life", lease.length.as_secs()),
    };
    format!("{}, for {}, since {since}, {until}", lease.actor, lease.purpose)
}

#[cfg(test)]
mod tests;
