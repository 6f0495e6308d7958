//! How long something is asked, and how often, until it is as it should be, and stays so. Pure.
//!
//! Invariant: a bake time is counted by the ledger's own times, so that it does not matter who waits.

use std::time::Duration;

use crate::step::{Check, CheckResult};
use crate::world::{Reply, Seen};

/// A check at its end.
pub(super) struct Asked {
    pub(super) result: CheckResult,
    pub(super) seen: Seen,
    pub(super) tries: u32,
    pub(super) took: Duration,
}

/// What follows from what was seen.
pub(super) enum Judged {
    /// It is over.
    Over(Asked),
    /// It is not as it should be yet, or has to stay so for longer.
    Waits,
    /// It is as it should be from now on, and has to stay so.
    Bakes,
    /// It has to stay as it should be for so long yet, and nobody waits here for that.
    Parks(Duration),
}

/// How long, and how often.
pub(super) struct Patience {
    begun: Duration,
    within: Duration,
    pub(super) interval: Duration,
    tries_left: Option<u32>,
    tries: u32,
    holds_for: Duration,
    parks_after: Option<Duration>,
    /// Since when it is seen here as it should be, by the uptime.
    holds_since: Option<Duration>,
    /// For how long it was so before that, as the ledger says.
    held_before: Option<Duration>,
}

impl Patience {
    /// From now on, by the uptime; it may have held for a while, as the ledger says.
    pub(super) fn of(check: &Check, begun: Duration, held_before: Option<Duration>) -> Self {
        Self {
            begun,
            within: Duration::from_millis(check.within_milliseconds),
            interval: Duration::from_millis(check.interval_milliseconds),
            tries_left: check.tries,
            tries: 0,
            holds_for: Duration::from_millis(check.holds_for_milliseconds),
            parks_after: check.parks_after_milliseconds.map(Duration::from_millis),
            holds_since: held_before.map(|_| begun),
            held_before,
        }
    }

    /// For how long it has held.
    fn held(&self, since: Duration, now: Duration) -> Duration {
        now.saturating_sub(since) + self.held_before.unwrap_or_default()
    }

    /// How long an answer may take that is asked for now.
    pub(super) fn left(&self, now: Duration) -> Duration {
        match self.holds_since {
            None => self.within.saturating_sub(now.saturating_sub(self.begun)),
            Some(since) => self.holds_for.saturating_sub(self.held(since, now)),
        }
    }

    /// What follows from what was seen.
    pub(super) fn judge(&mut self, seen: Seen, now: Duration) -> Judged {
        self.tries += 1;
        let took = now.saturating_sub(self.begun);
        match (seen.reply, self.holds_since) {
            (Reply::Holds, since) => {
                let begins = since.is_none();
                let since = *self.holds_since.insert(since.unwrap_or(now));
                let left = self.holds_for.saturating_sub(self.held(since, now));
                let is_enough = self.parks_after.is_some_and(|after| now.saturating_sub(since) >= after);
                match (left.is_zero(), begins) {
                    (true, _) => Judged::Over(self.end(CheckResult::Passed, seen, took)),
                    (false, true) => Judged::Bakes,
                    (false, false) if is_enough => Judged::Parks(left),
                    (false, false) => Judged::Waits,
                }
            }
            (Reply::Fails | Reply::Hopeless, Some(since)) => {
                let (held, wanted) = (self.held(since, now).as_secs_f64(), self.holds_for.as_secs_f64());
                let words = format!("it held for {held:.1} s of {wanted:.1} s, and then: {}", seen.words);
                Judged::Over(self.end(CheckResult::Failed, Seen { words, ..seen }, took))
            }
            (Reply::Hopeless, None) => Judged::Over(self.end(CheckResult::Failed, seen, took)),
            (Reply::Fails, None) => {
                self.tries_left = self.tries_left.map(|left| left.saturating_sub(1));
                match self.tries_left != Some(0) && took + self.interval < self.within {
                    true => Judged::Waits,
                    false => Judged::Over(self.end(CheckResult::Failed, seen, took)),
                }
            }
        }
    }

    pub(super) fn end(&self, result: CheckResult, seen: Seen, took: Duration) -> Asked {
        Asked { result, seen, tries: self.tries, took }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::address::Address;
    use crate::step::{OnFailedCheck, When};
    use crate::value::Object;

    fn check(within: u64, interval: u64, tries: Option<u32>, holds_for: u64) -> Check {
        Check {
            address: Address::root("verify", "up"),
            kind: "http".to_owned(),
            when: When::After,
            on_failure: OnFailedCheck::Stop,
            within_milliseconds: within,
            interval_milliseconds: interval,
            tries,
            holds_for_milliseconds: holds_for,
            parks_after_milliseconds: None,
            settings: Object::new(),
            deferred: std::collections::BTreeMap::new(),
            binding: None,
            needs: BTreeSet::new(),
            not_yet: BTreeSet::new(),
        }
    }

    /// What comes of answers, one each interval: how it came out, after how many tries, what was seen.
    enum End {
        Over(CheckResult, u32, String),
        Parked(Duration, u32),
        Open,
    }

    fn play_on(check: &Check, held_before: Option<Duration>, answers: &[Reply]) -> End {
        let mut patience = Patience::of(check, Duration::from_secs(100), held_before);
        let mut now = Duration::from_secs(100);
        for reply in answers {
            let seen = Seen { reply: *reply, words: format!("{reply:?}"), facts: Object::new() };
            match patience.judge(seen, now) {
                Judged::Over(asked) => return End::Over(asked.result, asked.tries, asked.seen.words),
                Judged::Parks(left) => return End::Parked(left, patience.tries),
                Judged::Waits | Judged::Bakes => now += patience.interval,
            }
        }
        End::Open
    }

    fn play(check: &Check, answers: &[Reply]) -> Option<(CheckResult, u32, String)> {
        match play_on(check, None, answers) {
            End::Over(result, tries, words) => Some((result, tries, words)),
            End::Parked(..) | End::Open => None,
        }
    }

    #[test]
    fn patience_ends_with_time_tries_or_what_does_not_last() {
        use Reply::{Fails, Holds, Hopeless};
        let passed = |tries| Some((CheckResult::Passed, tries, "Holds".to_owned()));
        let failed = |tries, words: &str| Some((CheckResult::Failed, tries, words.to_owned()));
        let plain = check(1_000, 100, None, 0);
        assert_eq!(play(&plain, &[Holds]), passed(1));
        assert_eq!(play(&plain, &[Fails, Fails, Holds]), passed(3), "what comes up in time is good");
        assert_eq!(play(&plain, &[Fails; 20]), failed(10, "Fails"), "the time is over");
        assert_eq!(play(&plain, &[Hopeless]), failed(1, "Hopeless"), "nobody waits for what cannot be");
        assert_eq!(play(&check(1_000, 100, Some(2), 0), &[Fails; 20]), failed(2, "Fails"), "the tries are used up");
        let lasting = check(1_000, 100, None, 300);
        assert_eq!(play(&lasting, &[Fails, Holds, Holds, Holds]), None, "it has not held long enough");
        assert_eq!(play(&lasting, &[Fails, Holds, Holds, Holds, Holds]), passed(5));
        let words = "it held for 0.2 s of 0.3 s, and then: Fails";
        assert_eq!(play(&lasting, &[Holds, Holds, Fails, Holds]), failed(3, words), "it does not last");
    }

    #[test]
    fn a_bake_time_goes_on_where_the_ledger_says_and_parks_when_nobody_waits() {
        use Reply::{Fails, Holds};
        let lasting = check(1_000, 100, None, 1_000);
        let held = Some(Duration::from_millis(900));
        let over = |end: End| match end {
            End::Over(result, tries, words) => (result, tries, words),
            End::Parked(..) | End::Open => panic!("it is not over"),
        };
        assert_eq!(over(play_on(&lasting, held, &[Holds, Holds])), (CheckResult::Passed, 2, "Holds".to_owned()));
        let words = "it held for 0.9 s of 1.0 s, and then: Fails".to_owned();
        assert_eq!(over(play_on(&lasting, held, &[Fails])), (CheckResult::Failed, 1, words), "it was good once");
        let long = Some(Duration::from_secs(3_600));
        assert_eq!(over(play_on(&lasting, long, &[Holds])).0, CheckResult::Passed, "its time was over meanwhile");
        let parking = Check { parks_after_milliseconds: Some(200), ..lasting };
        let parked = |end: End| match end {
            End::Parked(left, tries) => (left.as_millis(), tries),
            End::Over(..) | End::Open => panic!("it is not parked"),
        };
        assert_eq!(parked(play_on(&parking, None, &[Fails, Holds, Holds, Holds, Holds])), (800, 4));
        assert_eq!(parked(play_on(&parking, Some(Duration::from_millis(300)), &[Holds; 4])), (500, 3));
        assert_eq!(
            over(play_on(&parking, held, &[Holds; 4])).0,
            CheckResult::Passed,
            "what is nearly over is waited for"
        );
    }
}
