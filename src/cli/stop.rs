//! Ctrl-C and SIGTERM become requests to stop. An edge.
//!
//! Invariant: the first request lets steps in flight finish and be recorded; the second leaves them in doubt.

use super::terminal::Terminal;
use crate::apply::StopSignal;
use crate::review::text::Role;

/// Listens from now on; dropping the handle ends it. Must be called within the runtime.
pub fn listen(terminal: &Terminal) -> (StopSignal, Listening) {
    let signal = StopSignal::default();
    let raised = signal.clone();
    let terminal = terminal.clone();
    let task = tokio::spawn(async move {
        let mut times = 0_u32;
        while next().await {
            times += 1;
            terminal.say_as(
                Role::Warning,
                match times {
                    1 => "stopping: no new step starts, those under way finish and are recorded (again: leave them in doubt)",
                    2 => "stopping now: what is under way is left in doubt; `resume` or `rollback` settles it",
                    _ => "already stopping",
                },
            );
            raised.raise();
        }
    });
    (signal, Listening(task))
}

/// Ends the listening when it is dropped.
pub struct Listening(tokio::task::JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(unix)]
async fn next() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return false;
    };
    tokio::select! {
        heard = interrupt.recv() => heard.is_some(),
        heard = terminate.recv() => heard.is_some(),
    }
}

#[cfg(not(unix))]
async fn next() -> bool {
    tokio::signal::ctrl_c().await.is_ok()
}
