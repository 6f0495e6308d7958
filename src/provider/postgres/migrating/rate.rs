//! How fast a backfill is, and how long it may still take, in words. Pure but for the clock of this process.
//!
//! Invariant: an estimate is called one; without one nothing is said about what remains.

use std::time::{Duration, Instant};

/// Rows over time.
pub struct Rate {
    begun: Instant,
    /// Rows that were done before.
    before: u64,
    now: u64,
    /// How many there may be in all.
    estimate: Option<u64>,
}

impl Rate {
    /// From now on.
    pub fn start(before: u64, estimate: Option<u64>) -> Self {
        Self { begun: Instant::now(), before, now: before, estimate }
    }

    /// So many rows are done.
    pub fn reached(&mut self, rows: u64) {
        self.now = rows;
    }

    /// A bar where there is an estimate, rows, rate and remaining time.
    pub fn words(&self) -> String {
        words(self.now, self.now - self.before, self.begun.elapsed(), self.estimate)
    }

    /// What it came to.
    pub fn total(&self) -> String {
        format!("{} rows written in {:.1} s", self.now, self.begun.elapsed().as_secs_f64())
    }
}

fn words(done: u64, lately: u64, time: Duration, estimate: Option<u64>) -> String {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = lately.saturating_mul(1_000) / milliseconds;
    // The catalog's estimate may be old: what is done is never more than all.
    let Some(all) = estimate.map(|all| all.max(done)).filter(|all| *all > 0) else {
        return format!("{done} rows, {rate} rows/s");
    };
    const WIDTH: u64 = 20;
    let filled = done * WIDTH / all;
    let bar: String = (0..WIDTH).map(|place| if place < filled { '#' } else { '.' }).collect();
    let left = match (all - done).checked_div(rate) {
        Some(seconds) => format!(", about {seconds} s left"),
        None => String::new(),
    };
    format!("[{bar}] {done} of about {all} rows ({} %), {rate} rows/s{left}", done * 100 / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_rate_and_remaining_time() {
        let second = Duration::from_secs(1);
        assert_eq!(
            words(50, 50, 2 * second, Some(100)),
            "[##########..........] 50 of about 100 rows (50 %), 25 rows/s, about 2 s left"
        );
        assert_eq!(words(7, 0, second, None), "7 rows, 0 rows/s");
        assert_eq!(words(7, 0, second, Some(3)), "[####################] 7 of about 7 rows (100 %), 0 rows/s");
    }
}
