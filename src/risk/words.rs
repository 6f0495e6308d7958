//! Estimates in words. Pure.
//!
//! Invariant: what is not known is said beside what is.

use super::{Blocked, Cost, Risk};
use crate::world::bytes_in_words;

/// Below this many seconds a wait is none that anybody notices.
const NOTICED_SECONDS: f64 = 0.01;

/// A length of time as people say it: `250 ms`, `40 s`, `3 min`, `2.5 h`.
pub fn about(seconds: f64) -> String {
    let said = |number: f64, unit: &str| {
        if number < 9.95 && (number.fract() * 10.0).round() > 0.0 && unit != "ms" {
            format!("{number:.1} {unit}")
        } else {
            format!("{number:.0} {unit}")
        }
    };
    match seconds {
        ..0.0005 => "less than 1 ms".to_owned(),
        ..0.9995 => said(seconds * 1000.0, "ms"),
        ..120.0 => said(seconds, "s"),
        ..7200.0 => said(seconds / 60.0, "min"),
        _ => said(seconds / 3600.0, "h"),
    }
}

impl Cost {
    /// Whether nothing is said at all: there is no such way.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// `keeps writers of public.orders waiting for about 40 s, readers for 40 s; 2.3 GB of disk; 1.1 GB of log`.
    pub fn words(&self) -> String {
        let least = if self.unknown.is_empty() { "about" } else { "at least" };
        let mut parts = Vec::new();
        match (self.longest(|one| one.lock.blocks_writers()), self.longest(|one| one.lock.blocks_readers())) {
            (Some(writers), readers) => {
                let mut part = format!(
                    "keeps writers of {} waiting for {least} {}",
                    writers.relation,
                    about(self.blocked_writes.unwrap_or(writers.seconds))
                );
                if let Some(readers) = readers {
                    let seconds = about(self.blocked_reads.unwrap_or(readers.seconds));
                    part += &match readers.relation == writers.relation {
                        true => format!(", readers {seconds}"),
                        false => format!(", readers of {} {seconds}", readers.relation),
                    };
                }
                parts.push(part);
            }
            (None, _) => parts.push("nobody waits for longer than a moment".to_owned()),
        }
        match self.seconds {
            Some(seconds) => parts.push(format!("takes {}", about(seconds))),
            None => parts.push("how long it takes is not known".to_owned()),
        }
        let sizes = [(self.disk_bytes, "of disk"), (self.wal_bytes, "of log")];
        let sizes = sizes
            .into_iter()
            .filter_map(|(bytes, of)| bytes.filter(|bytes| *bytes >= 1_000_000).map(|bytes| (bytes, of)));
        let least = if self.seconds.is_none() { "at least " } else { "" };
        parts.extend(sizes.map(|(bytes, of)| format!("{least}{} {of}", bytes_in_words(bytes))));
        if let Some(lag) = self.lag_seconds.filter(|lag| *lag >= NOTICED_SECONDS) {
            parts.push(format!("replicas fall behind by {}", about(lag)));
        }
        parts.join("; ")
    }

    /// Who waits longest among those.
    fn longest(&self, is_meant: impl Fn(&Blocked) -> bool) -> Option<&Blocked> {
        let all = self.statements.iter().flat_map(|statement| &statement.blocked);
        let noticed = all.filter(|one| is_meant(one) && one.seconds >= NOTICED_SECONDS);
        noticed.max_by(|one, other| one.seconds.total_cmp(&other.seconds))
    }
}

impl Risk {
    /// With what rates it was estimated.
    pub fn rates_in_words(&self) -> String {
        match self.measured_on.as_str() {
            "" => "by usual rates: none were measured here".to_owned(),
            server => format!("by rates measured here on PostgreSQL {server}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::observation::LockMode;
    use crate::risk::Estimate;

    #[test]
    fn lengths_of_time() {
        let said = [0.0, 0.02, 0.25, 1.0, 2.54, 40.4, 119.0, 180.0, 9000.0, 360_000.0].map(about);
        assert_eq!(
            said,
            ["less than 1 ms", "20 ms", "250 ms", "1 s", "2.5 s", "40 s", "119 s", "3 min", "2.5 h", "100 h"]
        );
    }

    #[test]
    fn one_line_says_who_waits_and_what_is_needed() {
        let blocked = |relation: &str, lock, seconds| Blocked {
            relation: relation.to_owned(),
            lock,
            seconds,
            readers: None,
            writers: None,
        };
        let heavy = Estimate {
            statement: 1,
            blocked: vec![
                blocked("public.orders", LockMode::AccessExclusive, 40.0),
                blocked("public.users", LockMode::ShareRowExclusive, 3.0),
            ],
            ..Estimate::default()
        };
        let cost = Cost {
            seconds: Some(41.0),
            blocked_writes: Some(40.0),
            blocked_reads: Some(40.0),
            disk_bytes: Some(2_300_000_000),
            wal_bytes: Some(1_100_000_000),
            statements: vec![heavy],
            ..Cost::default()
        };
        assert_eq!(
            cost.words(),
            "keeps writers of public.orders waiting for about 40 s, readers 40 s; takes 41 s; 2.3 GB of disk; 1.1 GB of log"
        );
        let unsure = Cost { unknown: vec!["statement 2".to_owned()], seconds: None, lag_seconds: Some(3.0), ..cost };
        assert!(unsure.words().contains("waiting for at least 40 s, readers 40 s; how long it takes is not known"));
        assert!(unsure.words().ends_with("; replicas fall behind by 3 s"));
        let quick = Cost { seconds: Some(0.004), disk_bytes: Some(8192), ..Cost::default() };
        assert_eq!(quick.words(), "nobody waits for longer than a moment; takes 4 ms");
    }
}
