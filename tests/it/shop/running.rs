//! A run of the program that is followed line by line, so that it can be hit at a chosen moment.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::project::Said;

/// How long a test waits for a line before it calls the run stuck.
const PATIENCE: Duration = Duration::from_secs(180);

/// When a run is hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Moment {
    /// As soon as it has said so many times that a step began or is done.
    Boundary(usize),
    /// So long after its start.
    After(Duration),
}

/// A running program.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    heard: String,
    boundaries: usize,
    out: JoinHandle<String>,
    since: Instant,
}

/// Whether a line says that a step began or is done: what was written before it is durable.
pub fn is_boundary(line: &str) -> bool {
    line.ends_with(": started") || is_done(line)
}

/// Whether a line says that a step is done.
pub fn is_done(line: &str) -> bool {
    line.contains(": done in ")
}

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        let since = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (tell, lines) = channel();
        let talk = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || talk.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let mut output = child.stdout.take().unwrap();
        let out = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = output.read_to_string(&mut text);
            text
        });
        Self { child, lines, heard: String::new(), boundaries: 0, out, since }
    }

    /// The next line, if it comes within this time; the error is whether nothing will come any more.
    fn hear(&mut self, within: Duration) -> Result<String, RecvTimeoutError> {
        let line = self.lines.recv_timeout(within)?;
        self.heard += &format!("{line}\n");
        self.boundaries += usize::from(is_boundary(&line));
        Ok(line)
    }

    /// Waits for a line; whether it came before the end.
    pub fn hears(&mut self, mut is_it: impl FnMut(&str) -> bool) -> bool {
        loop {
            match self.hear(PATIENCE) {
                Ok(line) if is_it(&line) => return true,
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => panic!("the run is stuck:\n{}", self.heard),
            }
        }
    }

    /// Waits for a line that must come.
    pub fn wait_for(&mut self, words: &str) {
        assert!(self.hears(|line| line.contains(words)), "`{words}` was never said:\n{}", self.heard);
    }

    /// Waits for a moment; whether it came before the end.
    pub fn reaches(&mut self, moment: Moment) -> bool {
        match moment {
            Moment::Boundary(number) => {
                self.boundaries >= number || {
                    let mut missing = number - self.boundaries;
                    self.hears(|line| {
                        missing -= usize::from(is_boundary(line));
                        missing == 0
                    })
                }
            }
            Moment::After(time) => loop {
                let left = time.saturating_sub(self.since.elapsed());
                match self.hear(left) {
                    Ok(_) => {}
                    Err(RecvTimeoutError::Timeout) => return true,
                    Err(RecvTimeoutError::Disconnected) => return false,
                }
            },
        }
    }

    /// Sends a signal; a program that has ended does not mind.
    pub fn send(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Waits for its end. The time since its start comes along.
    pub fn end(mut self) -> (Said, Duration) {
        while self.hears(|_| false) {}
        let status = self.child.wait().unwrap();
        let took = self.since.elapsed();
        let out = self.out.join().unwrap();
        (Said { code: status.code().unwrap_or(-1), out, err: self.heard }, took)
    }
}
