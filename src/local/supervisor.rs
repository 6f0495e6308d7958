//! A stack that lives as long as whoever asked for it: for tests. An edge.
//!
//! Invariant: however the asker ends, its end of the pipe closes, and then everything is stopped and removed.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc;

use super::{Data, LocalError, Options, disk, stack};
use crate::world::Progress;

/// Starts a stack for a folder (made when it is not there), writes its facts to `output` as one line of JSON, and stops
/// and removes it, the folder too if it was made here, as soon as `input` ends or a signal asks to.
///
/// # Errors
/// When the stack does not start, or cannot be stopped.
pub fn serve_until_eof(
    folder: &Path,
    options: &Options,
    input: impl Read + Send + 'static,
    output: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<(), LocalError> {
    let is_new = !folder.exists();
    disk::make_folder(folder)?;
    let end = watch(input)?;
    let served = stack::up(folder, options, progress).and_then(|stack| {
        let line = serde_json::to_string(&stack).expect("plain data");
        let told = writeln!(output, "{line}").and_then(|()| output.flush());
        told.map_err(LocalError::disk("write the facts of the stack to", Path::new("standard output")))?;
        // Either sender counts; both gone cannot be, as the reader of the input always sends.
        let _ = end.recv();
        Ok(())
    });
    let stopped = stack::down(folder, &options.places, Data::Wipe, progress);
    if is_new && stopped.is_ok() {
        disk::remove_folder(folder)?;
    }
    served.and(stopped.map(drop))
}

/// Hears of the end of the input, or of a signal.
fn watch(mut input: impl Read + Send + 'static) -> Result<mpsc::Receiver<()>, LocalError> {
    let (send, receive) = mpsc::channel();
    let from_signals = send.clone();
    std::thread::spawn(move || {
        let mut rest = [0_u8; 1024];
        while matches!(input.read(&mut rest), Ok(1..)) {}
        // The receiver is gone only when the stack is coming down already.
        let _ = send.send(());
    });
    let (ready, is_ready) = mpsc::channel();
    std::thread::spawn(move || {
        let waited = wait_for_signal(&ready);
        if waited.is_ok() {
            let _ = from_signals.send(());
        }
        drop(ready.send(waited));
    });
    is_ready
        .recv()
        .unwrap_or_else(|_| Err(std::io::Error::other("the thread ended")))
        .map_err(|error| LocalError::Relay { action: "listen to signals".to_owned(), cause: error.to_string() })?;
    Ok(receive)
}

/// Says when it listens, and returns when one of the signals that ask to end has come.
fn wait_for_signal(ready: &mpsc::Sender<std::io::Result<()>>) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let _ = ready.send(Ok(()));
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {}
        }
        Ok(())
    })
}
