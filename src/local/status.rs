//! What of the stack runs. An edge (it asks processes and ports).
//!
//! Invariant: it starts and changes nothing.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::memory::Memory;
use super::process::Identity;
use super::{LocalError, LocalStack, POSTGRES_USER, emulator, relay, stack, wire};

/// What of a stack runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Whether the folder has a stack, and all of it runs.
    pub state: StackState,
    /// Its parts, in the order in which they are started.
    pub parts: Vec<Part>,
    /// Its facts; `None` when the folder never had one.
    pub stack: Option<LocalStack>,
}

/// The state of a whole stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StackState {
    /// `local up` was never called here, or `--wipe` removed it.
    Absent,
    /// No part runs.
    Stopped,
    /// Every part runs and answers.
    Running,
    /// Some part does not run or answer, or lost what it held.
    Broken,
}

/// One part of a stack.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// `emulator`, `relay`, `postgres`.
    pub name: &'static str,
    /// How it is.
    pub state: PartState,
    /// Its process, when it runs.
    pub pid: Option<i32>,
    /// Its loopback port.
    pub port: u16,
    /// Its log.
    pub log: PathBuf,
}

/// The state of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartState {
    /// It does not run.
    Stopped,
    /// It runs and answers.
    Running,
    /// It runs and does not answer.
    Silent,
    /// It runs and does not have what it had.
    LostState,
}

/// Looks at the stack of a project folder.
///
/// # Errors
/// When what the folder remembers cannot be read.
pub fn status(project: &Path) -> Result<Status, LocalError> {
    let Some(memory) = Memory::load(project)? else {
        return Ok(Status { state: StackState::Absent, parts: Vec::new(), stack: None });
    };
    let ports = memory.ports;
    let part = |name, process: &Option<Identity>, port, ask: &dyn Fn() -> PartState| {
        let running = process.as_ref().filter(|process| process.is_alive());
        let state = if running.is_some() { ask() } else { PartState::Stopped };
        Part { name, state, pid: running.map(|process| process.pid), port, log: memory.log(name) }
    };
    let answers = |answers: bool| if answers { PartState::Running } else { PartState::Silent };
    let parts = vec![
        part("emulator", &memory.processes.emulator, ports.emulator, &|| look_at_emulator(&memory)),
        part("relay", &memory.processes.relay, ports.relay, &|| answers(relay::version(ports.relay).is_some())),
        part("postgres", &memory.processes.postgres, ports.postgres, &|| {
            answers(wire::postgres_answers(ports.postgres, POSTGRES_USER))
        }),
    ];
    let all = |state| parts.iter().all(|part| part.state == state);
    let state = match () {
        () if all(PartState::Running) => StackState::Running,
        () if all(PartState::Stopped) => StackState::Stopped,
        () => StackState::Broken,
    };
    Ok(Status { state, parts, stack: Some(stack::describe(&memory, Vec::new())) })
}

fn look_at_emulator(memory: &Memory) -> PartState {
    match emulator::mark(memory.ports.emulator) {
        Err(_) => PartState::Silent,
        Ok(Some(mark)) if memory.generations.contains(&mark) => PartState::Running,
        // Not marked yet: `up` is at it right now.
        Ok(_) if memory.generations.is_empty() => PartState::Running,
        Ok(_) => PartState::LostState,
    }
}
