//! Locks that go with the process that holds them. An edge.
//!
//! Invariant: a lock file is never removed, so that two processes cannot lock two different files of one name.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::LocalError;

/// Held until dropped.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "closing the file gives the lock back")] File);

impl Lock {
    /// Takes the lock, waiting for whoever holds it; `waiting` is called once when it has to wait.
    pub(super) fn take(path: &Path, patience: Duration, waiting: &dyn Fn()) -> Result<Self, LocalError> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(LocalError::disk("open the lock", path))?;
        let start = Instant::now();
        let mut said = false;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self(file)),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) if start.elapsed() < patience => {
                    if !said {
                        said = true;
                        waiting();
                    }
                    std::thread::sleep(Duration::from_millis(25));
                }
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                    return Err(LocalError::Locked { path: path.to_owned(), seconds: patience.as_secs() });
                }
                Err(error) => return Err(LocalError::disk("lock", path)(error.into())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::take(&path, Duration::ZERO, &|| {}).unwrap();
        let refused = Lock::take(&path, Duration::from_millis(60), &|| {}).unwrap_err();
        assert!(matches!(refused, LocalError::Locked { .. }), "{refused}");
        drop(first);
        Lock::take(&path, Duration::ZERO, &|| panic!("nobody holds it")).unwrap();
    }
}
