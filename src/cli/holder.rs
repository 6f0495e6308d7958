//! Who holds the lease, as people and programs read it.
//!
//! Invariant: whether a lease is over is said by the store's own clock, or because its process is gone.

use std::time::Duration;

use serde::Serialize;

use super::lease;
use super::report::shown_time;
use super::session::Session;
use crate::ledger::Ledger;
use crate::review::words::{self, harmless};

/// Who holds the lease.
#[derive(Clone, Debug, Serialize)]
pub struct Holder {
    /// Who.
    pub name: String,
    /// On which machine.
    pub host: String,
    /// In which process there.
    pub process: u32,
    /// What for.
    pub purpose: String,
    /// Since when, by the holder's clock.
    pub since: String,
    /// How long ago the newest record was written, by the store's clock, in milliseconds; nothing when the store does
    /// not say.
    pub quiet_milliseconds: Option<u64>,
    /// How long the lease holds without a sign of life, in milliseconds.
    pub length_milliseconds: u64,
    /// `held`, `over`, or `dead`: its process, on this very machine, is gone.
    pub state: &'static str,
}

impl Holder {
    /// Who holds the lease of an environment, if anybody does or did not give it back.
    pub fn of(session: &Session, ledger: &Ledger) -> Option<Self> {
        let lease = ledger.state().lease.as_ref()?;
        let age = session.wait(ledger.store().age()).ok().flatten().map(|(_, age)| age);
        let state = match age {
            _ if lease::is_holder_dead(lease) => "dead",
            Some(age) if age >= lease.length => "over",
            Some(_) | None => "held",
        };
        Some(Self {
            name: lease.actor.name.clone(),
            host: lease.actor.host.clone(),
            process: lease.actor.process,
            purpose: lease.purpose.clone(),
            since: shown_time(lease.since),
            quiet_milliseconds: age.map(milliseconds),
            length_milliseconds: milliseconds(lease.length),
            state,
        })
    }

    /// Whether the next run takes it over without waiting.
    pub fn is_over(&self) -> bool {
        self.state != "held"
    }

    /// Who, where, what for, since when and until when, in one line.
    pub fn line(&self) -> String {
        let Self { name, host, process, purpose, since, .. } = self;
        let span = |milliseconds: u64| words::duration(Duration::from_millis(milliseconds));
        let until = match (self.state, self.quiet_milliseconds) {
            ("dead", _) => "that process is gone: the next run takes over at once".to_owned(),
            ("over", Some(quiet)) => format!("over: no sign of life for {}, the next run takes over", span(quiet)),
            (_, Some(quiet)) => {
                let left = self.length_milliseconds.saturating_sub(quiet);
                format!("last sign of life {} ago, over in {} without another", span(quiet), span(left))
            }
            (_, None) => format!("over {} after its last sign of life", span(self.length_milliseconds)),
        };
        harmless(&format!("{name} on {host} (process {process}), for {purpose}, since {since}; {until}"))
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
