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
    // From this line on, and not only when the task first has its turn.
    let mut requests = Requests::listen();
    let task = tokio::spawn(async move {
        let mut times = 0_u32;
        while requests.next().await {
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

/// Requests to stop, none of which is missed once this is made.
struct Requests {
    #[cfg(unix)]
    signals: Option<(tokio::signal::unix::Signal, tokio::signal::unix::Signal)>,
}

#[cfg(unix)]
impl Requests {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = signal(SignalKind::interrupt()).ok().zip(signal(SignalKind::terminate()).ok());
        Self { signals }
    }

    async fn next(&mut self) -> bool {
        let Some((interrupt, terminate)) = &mut self.signals else { return false };
        tokio::select! {
            heard = interrupt.recv() => heard.is_some(),
            heard = terminate.recv() => heard.is_some(),
        }
    }
}

#[cfg(not(unix))]
impl Requests {
    fn listen() -> Self {
        Self {}
    }

    async fn next(&mut self) -> bool {
        tokio::signal::ctrl_c().await.is_ok()
    }
}
