//! The fence: what keeps a run whose lease is over from sending anything. Pure, but for the clock that it is given.
//!
//! Invariant: the deadline is counted from before the lease was asked for, so it is never later than the one that
//! others see.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Clock, ErrorClass, WorldError};

/// The lease that effects are carried out under, as they see it. Clones share the deadline.
#[derive(Clone)]
pub struct Fence {
    chain: Arc<str>,
    number: u64,
    holder: Arc<str>,
    term: Option<Arc<Term>>,
}

/// Until when, in milliseconds of [`Clock::uptime`]; 0 when it was lost.
struct Term {
    clock: Arc<dyn Clock>,
    length: Duration,
    until: AtomicU64,
    /// When it was asked for.
    asked: Duration,
    /// When the lease before it was over, or would have been: what was sent under that has arrived by then.
    over: Option<Duration>,
}

impl Fence {
    /// A fence that never closes: for work that no other run can get in the way of, as in tests.
    pub fn open() -> Self {
        Self { chain: "".into(), number: 0, holder: "nobody".into(), term: None }
    }

    /// The fence of a lease that was asked for at this uptime.
    ///
    /// `number` grows with every lease of the chain; `holder` is for people.
    pub fn new(
        chain: &str,
        number: u64,
        holder: &str,
        asked: Duration,
        length: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::after(chain, number, holder, (asked, None), length, clock)
    }

    /// The fence of a lease that was asked for at this uptime, when the one before it is over, by its own length, so
    /// long after that: a lease outlives all that is sent under it.
    pub fn after(
        chain: &str,
        number: u64,
        holder: &str,
        (asked, left): (Duration, Option<Duration>),
        length: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let until = AtomicU64::new(milliseconds(asked + length));
        let term = Term { clock, length, until, asked, over: left.map(|left| asked + left) };
        Self { chain: chain.into(), number, holder: holder.into(), term: Some(Arc::new(term)) }
    }

    /// For how long something may still arrive that an earlier holder had sent, if that can be under way for so long.
    pub fn in_flight(&self, flight: Duration) -> Duration {
        self.term.as_ref().map_or(Duration::ZERO, |term| {
            let now = term.clock.uptime();
            let left = (term.asked + flight).saturating_sub(now);
            term.over.map_or(left, |over| left.min(over.saturating_sub(now)))
        })
    }

    /// The chain whose lease it is.
    pub fn chain(&self) -> &str {
        &self.chain
    }

    /// Its number: that of a later lease is higher.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Who holds the lease, for people.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// How long the lease is, if it ends at all.
    pub fn length(&self) -> Option<Duration> {
        self.term.as_ref().map(|term| term.length)
    }

    /// It was renewed by something that was asked for at this uptime.
    pub fn extend(&self, asked: Duration) {
        if let Some(term) = &self.term {
            term.until.store(milliseconds(asked + term.length), Ordering::SeqCst);
        }
    }

    /// It was lost.
    pub fn close(&self) {
        if let Some(term) = &self.term {
            term.until.store(0, Ordering::SeqCst);
        }
    }

    /// How long it still holds; nothing is left when it is over.
    pub fn left(&self) -> Duration {
        self.term.as_ref().map_or(Duration::MAX, |term| {
            let now = milliseconds(term.clock.uptime());
            Duration::from_millis(term.until.load(Ordering::SeqCst).saturating_sub(now))
        })
    }

    /// Asked right before something is sent that may take as long as `limit` to arrive.
    ///
    /// # Errors
    /// When the lease may be over by then; nothing must be sent.
    pub fn check(&self, tried: &str, limit: Duration) -> Result<(), WorldError> {
        let left = self.left();
        if left > limit {
            return Ok(());
        }
        let cause = match left.is_zero() {
            true => "the lease of this run is over, so nothing was sent".to_owned(),
            false => format!(
                "the lease of this run ends in {} ms, and what is sent may take {} ms to arrive; nothing was sent",
                left.as_millis(),
                limit.as_millis()
            ),
        };
        Err(WorldError {
            tried: tried.to_owned(),
            cause,
            help: Some("`status` says who holds the lease now; `resume` goes on when nobody does".to_owned()),
            class: ErrorClass::Fenced,
        })
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl PartialEq for Fence {
    fn eq(&self, other: &Self) -> bool {
        self.chain == other.chain && self.number == other.number
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Fence({} of {})", self.number, self.chain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now(&self) -> jiff::Timestamp {
            jiff::Timestamp::UNIX_EPOCH
        }

        fn uptime(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::SeqCst))
        }
    }

    #[test]
    fn nothing_is_sent_that_could_arrive_after_the_lease() {
        let clock = Arc::new(Hand(AtomicU64::new(1_000)));
        let shared: Arc<dyn Clock> = Arc::<Hand>::clone(&clock);
        let second = Duration::from_secs(1);
        let fence = Fence::new("chain", 7, "somebody", Duration::from_millis(500), 10 * second, shared);
        fence.check("send", 9 * second).expect("9.5 seconds are left");
        let refused = fence.check("send", 10 * second).expect_err("not as many as that");
        assert_eq!(refused.class, ErrorClass::Fenced);
        clock.0.store(10_500, Ordering::SeqCst);
        let over = fence.check("send", Duration::ZERO).expect_err("it is over");
        assert!(over.cause.contains("is over"), "{over}");
        fence.clone().extend(10 * second);
        fence.check("send", second).expect("a renewal is seen by every clone");
        fence.close();
        fence.check("send", Duration::ZERO).expect_err("it was lost");
        Fence::open().check("send", Duration::from_secs(1 << 40)).expect("it never closes");
    }
}
