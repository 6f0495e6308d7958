//! Watches a session from another one, so that whoever keeps it waiting can be named. Talks to the server.
//!
//! Invariant: a session that is never kept waiting for long is never watched: the second connection opens late.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::super::connection::open;
use super::super::settings::Target;
use super::locks::blockers;

const SAY_EVERY: Duration = Duration::from_secs(5);

/// Watches until it is dropped.
pub struct Watcher {
    seen: Arc<Mutex<Seen>>,
    interval: Duration,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    /// How long somebody was in the way.
    blocked: Duration,
    /// Who is in the way now.
    now: Option<String>,
    /// Who was last.
    last: Option<String>,
}

impl Watcher {
    /// Starts watching the session with this process id, at intervals that fit into the lock time-out.
    pub fn start(target: &Target, process: i32, lock_timeout: Duration) -> Self {
        let interval = (lock_timeout / 4).clamp(Duration::from_millis(10), Duration::from_millis(500));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let task = tokio::spawn(watch(target.clone(), process, interval, Arc::clone(&seen)));
        Self { seen, interval, task }
    }

    /// Does the work, and says meanwhile who is in the way.
    pub async fn during<T>(&self, work: impl Future<Output = T>, say: impl Fn(&str)) -> T {
        tokio::pin!(work);
        let mut said: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::time::sleep(self.interval) => {}
            }
            let now = self.seen.lock().expect("no holder of this lock panics").now.clone();
            if let Some(blocker) = now
                && said.is_none_or(|said| said.elapsed() > SAY_EVERY)
            {
                say(&blocker);
                said = Some(Instant::now());
            }
        }
    }

    /// How long somebody was in the way since this was asked last, and who was so last.
    pub fn take(&self) -> (Duration, Option<String>) {
        let mut seen = self.seen.lock().expect("no holder of this lock panics");
        (std::mem::take(&mut seen.blocked), seen.last.clone())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(target: Target, process: i32, interval: Duration, seen: Arc<Mutex<Seen>>) {
    tokio::time::sleep(interval).await;
    let Ok(client) = open(&target).await else {
        return;
    };
    while let Ok(found) = blockers(&client, process).await {
        {
            let mut seen = seen.lock().expect("no holder of this lock panics");
            if found.is_some() {
                seen.blocked += interval;
                seen.last.clone_from(&found);
            }
            seen.now = found;
        }
        tokio::time::sleep(interval).await;
    }
}
