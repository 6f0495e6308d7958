//! The lease as a process takes it: for how long, and what tells others whether the process is alive. An edge.
//!
//! Invariant: a process is called dead only by the very machine it ran on, and never while it may be alive.

use std::time::Duration;

use super::environment::{self, Name};
use super::failure::Failure;
use super::session::Session;
use super::spec;
use crate::ledger::state::Lease;
use crate::ledger::{Actor, LeaseTerms, Life};

/// How long a lease holds without a sign of life, when nobody says.
pub const DEFAULT_LENGTH: Duration = Duration::from_secs(120);

/// The shortest that makes sense: a sign of life is written every third of it.
const SHORTEST: Duration = Duration::from_secs(1);

impl Session {
    /// How this process takes a lease for some work.
    ///
    /// # Errors
    /// When the length that was given is no duration.
    pub fn lease_terms(&self, purpose: &str) -> Result<LeaseTerms, Failure> {
        Ok(LeaseTerms {
            actor: self.actor.clone(),
            purpose: purpose.to_owned(),
            length: self.lease_length()?,
            life: life_of(std::process::id()),
            is_dead,
            clock: std::sync::Arc::clone(&self.world.clock),
        })
    }

    /// As the environment variable says, as the project says.
    ///
    /// # Errors
    /// When it is no duration, or too short.
    pub fn lease_length(&self) -> Result<Duration, Failure> {
        let typed = environment::read(Name::Lease);
        let written = || self.project().and_then(|project| spec::lease(&project, &self.kinds));
        let Some(text) = typed.or_else(written) else {
            return Ok(DEFAULT_LENGTH);
        };
        let length = super::arguments::duration(&text)
            .map_err(|error| Failure::usage(format!("the length of the lease, `{text}`: {error}")))?;
        match length < SHORTEST {
            true => Err(Failure::usage(format!("a lease of `{text}` is too short")).help("give at least `1s`")),
            false => Ok(length),
        }
    }
}

/// Whether the holder of a lease is known to be dead, so that nobody has to wait for it.
pub fn is_holder_dead(lease: &Lease) -> bool {
    lease.life.as_ref().is_some_and(|life| is_dead(&lease.actor, life))
}

/// What tells a process of this machine from every other one; nothing where the system does not say.
fn life_of(process: u32) -> Option<Life> {
    Some(Life { boot: boot()?, space: space()?, started: started(process)? })
}

/// Whether the process is known to be dead: it ran in this very start of this machine, in our own space of process
/// numbers, and its number is free or another's now.
fn is_dead(actor: &Actor, life: &Life) -> bool {
    let is_here = boot().as_ref() == Some(&life.boot) && space().as_ref() == Some(&life.space);
    is_here && started(actor.process) != Some(life.started)
}

#[expect(clippy::disallowed_methods, reason = "the edge asks the system about processes")]
fn boot() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

fn space() -> Option<String> {
    let name = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(name.to_string_lossy().into_owned())
}

/// When a process started, in ticks since the machine did. A zombie is dead.
#[expect(clippy::disallowed_methods, reason = "the edge asks the system about processes")]
fn started(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program stands in parentheses and may hold anything; state and numbers follow.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18)?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(process: u32) -> Actor {
        Actor { name: "test".into(), host: "here".into(), tool: "0".into(), process, commit: None }
    }

    #[test]
    fn only_a_process_of_this_machine_that_is_gone_is_dead() {
        let process = std::process::id();
        let life = life_of(process).expect("Linux says");
        assert!(!is_dead(&actor(process), &life), "we are alive");
        let other_start = Life { started: life.started + 1, ..life.clone() };
        assert!(is_dead(&actor(process), &other_start), "its number is another's now");
        let elsewhere = Life { boot: "another machine".into(), ..other_start.clone() };
        assert!(!is_dead(&actor(process), &elsewhere), "nobody here can know");
        let contained = Life { space: "pid:[1]".into(), ..other_start };
        assert!(!is_dead(&actor(process), &contained), "nobody here can know");
    }
}
