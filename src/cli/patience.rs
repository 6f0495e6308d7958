//! How a process waits for a lease that another one holds: each pause is longer than the one before, and no two
//! processes ask in step. Pure.
//!
//! Invariant: the last pause ends exactly when the patience does, so that the lease is asked for once more then.

use std::time::Duration;

/// The first pause.
const SHORTEST: Duration = Duration::from_millis(200);

/// What a pause grows to: a lease is taken at most this long after it was given back.
const LONGEST: Duration = Duration::from_secs(2);

/// The pauses of one who waits.
#[derive(Debug)]
pub struct Patience {
    limit: Duration,
    next: Duration,
    /// What the lengths of the pauses are drawn from; no secret.
    seed: u64,
}

impl Patience {
    /// Waits this long; who waits is told by a number of its own.
    pub fn new(limit: Duration, who: u32) -> Self {
        Self { limit, next: SHORTEST, seed: u64::from(who).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    /// How long to wait before asking again, after having waited this long; nothing when that is enough.
    pub fn pause(&mut self, waited: Duration) -> Option<Duration> {
        let left = self.limit.checked_sub(waited).filter(|left| !left.is_zero())?;
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        // Between three and four quarters of the full length.
        let quarter = self.next / 4;
        let pause = self.next - quarter.mul_f64((self.seed >> 40) as f64 / f64::from(1 << 24));
        self.next = (self.next * 3 / 2).min(LONGEST);
        Some(pause.min(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When one asks, in milliseconds after the first time.
    fn asked(limit: Duration, who: u32) -> Vec<u128> {
        let mut patience = Patience::new(limit, who);
        let mut waited = Duration::ZERO;
        let mut asked = Vec::new();
        while let Some(pause) = patience.pause(waited) {
            waited += pause;
            asked.push(waited.as_millis());
        }
        asked
    }

    #[test]
    fn the_last_time_is_exactly_when_the_patience_ends() {
        for limit in [1, 199, 200, 1_000, 2_500, 60_000] {
            assert_eq!(asked(Duration::from_millis(limit), 7).last(), Some(&u128::from(limit)));
        }
        assert_eq!(asked(Duration::ZERO, 7), Vec::<u128>::new());
    }

    #[test]
    fn pauses_grow_to_two_seconds_and_no_further() {
        let asked = asked(Duration::from_secs(600), 7);
        let pauses: Vec<u128> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(asked[0] >= 149 && asked[0] <= 200, "{asked:?}");
        assert!(pauses.iter().all(|pause| *pause <= 2_001), "{pauses:?}");
        assert!(pauses[10..pauses.len() - 1].iter().all(|pause| *pause >= 1_499), "{pauses:?}");
        assert!((300..=410).contains(&asked.len()), "{}", asked.len());
    }

    #[test]
    fn no_two_ask_in_step() {
        let (one, other) = (asked(Duration::from_secs(60), 4_711), asked(Duration::from_secs(60), 4_712));
        let together = one.iter().filter(|at| other.contains(at)).count();
        assert!(together <= 2, "{one:?}\n{other:?}");
    }
}
