//! Processes of the stack: started to outlive us, recognised later, and stopped without hitting a stranger. An edge.
//!
//! Invariant: a signal goes only to a process whose start time and boot are those that were recorded; it is sent
//! through a descriptor of that process, so that a number that is reused in between is never hit.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use super::{LocalError, disk};
use crate::provider::postgres::programs;

/// Which process, beyond doubt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// Its number.
    pub pid: i32,
    /// When it started, in the kernel's ticks since boot.
    pub started: u64,
    /// Which boot.
    pub boot: String,
}

impl Identity {
    /// The process that has this number now.
    pub(super) fn of(pid: i32) -> Option<Self> {
        let (_, started) = stat(pid)?;
        Some(Self { pid, started, boot: boot()? })
    }

    /// Whether it runs. One that ended and was not waited for does not.
    pub(super) fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|(state, started)| started == self.started && !matches!(state, 'Z' | 'X'))
            && boot().as_deref() == Some(&self.boot)
    }

    /// Sends a signal, if it still is that process.
    pub(super) fn signal(&self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        // The descriptor is taken first and the identity checked after: from then on it cannot be another.
        if let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty())
            && self.is_alive()
        {
            // It may have ended by itself in between, which is what was wanted.
            let _ = pidfd_send_signal(descriptor, signal);
        }
    }

    /// Asks it to end and waits until it has.
    pub(super) fn stop(&self, part: &'static str, signal: Signal, patience: Duration) -> Result<(), LocalError> {
        self.signal(signal);
        self.wait_for_end(part, patience)
    }

    /// Waits until it has ended.
    pub(super) fn wait_for_end(&self, part: &'static str, patience: Duration) -> Result<(), LocalError> {
        let start = Instant::now();
        while self.is_alive() {
            if start.elapsed() > patience {
                return Err(LocalError::StillRunning { part, pid: self.pid, seconds: patience.as_secs() });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// State letter and start time of a process.
fn stat(pid: i32) -> Option<(char, u64)> {
    let text = disk::read(Path::new(&format!("/proc/{pid}/stat"))).ok()??;
    // The name, in parentheses, may hold anything, parentheses too; what follows the last one is regular.
    let mut fields = text[text.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// The kernel's name of this boot.
fn boot() -> Option<String> {
    Some(disk::read(Path::new("/proc/sys/kernel/random/boot_id")).ok()??.trim().to_owned())
}

/// Starts a program that goes on without us: its own process group (a Ctrl-C in our terminal is not meant for it),
/// nothing to read, its talk in a log.
pub(super) fn start_detached(mut command: Command, log: &Path) -> Result<Identity, LocalError> {
    use std::os::unix::process::CommandExt as _;
    let output = disk::open_log(log)?;
    let errors = output.try_clone().map_err(LocalError::disk("open", log))?;
    command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
    let child = command.spawn().map_err(|error| programs::failure(&command, &error.to_string()))?;
    let pid = i32::try_from(child.id()).expect("process numbers fit");
    Identity::of(pid).ok_or_else(|| programs::failure(&command, "it ended at once").into())
}

/// Runs a program to its end and gives what it wrote to standard output.
pub(super) fn run(command: Command) -> Result<String, LocalError> {
    Ok(programs::run(command)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(folder: &Path) -> Identity {
        let mut command = Command::new("sleep");
        command.arg("60");
        start_detached(command, &folder.join("log")).unwrap()
    }

    #[test]
    fn stops_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let sleeper = sleeper(folder.path());
        assert!(sleeper.is_alive());
        sleeper.stop("the sleeper", Signal::TERM, Duration::from_secs(5)).unwrap();
        assert!(!sleeper.is_alive());
    }

    #[test]
    fn a_reused_number_is_a_stranger() {
        let folder = tempfile::tempdir().unwrap();
        let real = sleeper(folder.path());
        let older = Identity { started: real.started - 1, ..real.clone() };
        let before_reboot = Identity { boot: "another".to_owned(), ..real.clone() };
        for stranger in [older, before_reboot] {
            assert!(!stranger.is_alive());
            stranger.stop("a stranger", Signal::KILL, Duration::ZERO).unwrap();
        }
        assert!(real.is_alive(), "the stranger was not hit");
        real.stop("the sleeper", Signal::KILL, Duration::from_secs(5)).unwrap();
    }
}
