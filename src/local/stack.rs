//! Starting and stopping the stack of one project folder. An edge.
//!
//! Invariant: a process is recorded as soon as it runs, before anything is waited for, so that whatever happens next
//! `down` finds and stops it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::lock::Lock;
use super::memory::{self, DataFolder, Memory};
use super::process::{self, Identity};
use super::{
    ACCESS_KEY, LocalError, LocalStack, LostState, Options, POSTGRES_USER, Places, REGION, SECRET_KEY, disk, emulator,
    postgres, relay, say, wire,
};
use crate::world::Progress;

/// How long a part may take to answer.
const START_SECONDS: u64 = 180;
/// How long a part may take to end; the emulator saves what it holds.
const STOP_SECONDS: u64 = 120;
/// How long another `up` or `down` of the same folder is waited for; a first `up` installs packages.
const LOCK_SECONDS: u64 = 600;

/// Where ledgers lie in a project that names no other place.
const LEDGERS: &str = ".switchback/ledger";

/// What becomes of the data when the stack goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// They are there at the next `up`.
    Keep,
    /// They are removed.
    Wipe,
}

/// Starts what does not run yet and waits until everything answers. Doing it twice, or at the same time, is harmless.
///
/// # Errors
/// When something is missing, does not start, or the emulator lost its state.
pub fn up(project: &Path, options: &Options, progress: &dyn Progress) -> Result<LocalStack, LocalError> {
    let project = memory::canonical(project)?;
    let _lock = lock(&project, progress)?;
    let mut memory = match Memory::load(&project)? {
        Some(memory) => memory,
        None => start_afresh(&project, &options.places, progress)?,
    };
    memory.save()?;
    let folder = memory.data_folder();
    disk::make_folder(&folder)?;
    let mut started = Vec::new();
    if !is_alive(memory.processes.emulator.as_ref()) {
        refuse_taken("the AWS emulator", memory.ports.emulator)?;
        memory.processes.emulator = Some(emulator::start(&memory, &options.places, progress)?);
        memory.save()?;
        started.push("emulator".to_owned());
    }
    if !is_alive(memory.processes.postgres.as_ref()) {
        refuse_taken("PostgreSQL", memory.ports.postgres)?;
        memory.postgres_binaries = postgres::find(options.postgres_binaries.as_deref(), Some(&memory))?;
        postgres::prepare(&memory, progress)?;
        memory.has_cluster = true;
        memory.processes.postgres = Some(postgres::start(&memory)?);
        memory.save()?;
        started.push("postgres".to_owned());
    }
    wait_for("emulator", &memory, memory.processes.emulator.as_ref(), &|| emulator::answers(memory.ports.emulator))?;
    check_mark(&mut memory, options.lost_state, started.iter().any(|part| part == "emulator"), progress)?;
    start_relay(&mut memory, options, &mut started)?;
    let port = memory.ports.postgres;
    wait_for("postgres", &memory, memory.processes.postgres.as_ref(), &|| wire::postgres_answers(port, POSTGRES_USER))?;
    Ok(describe(&memory, started))
}

/// Stops exactly what `up` started, asking each to end in order; waits until it has.
///
/// # Errors
/// When something does not stop, or the data cannot be removed.
pub fn down(project: &Path, places: &Places, data: Data, progress: &dyn Progress) -> Result<Vec<String>, LocalError> {
    let project = memory::canonical(project)?;
    let folder = memory::folder(&project);
    if !folder.exists() {
        forget_orphan(&places.data_of(&project), progress)?;
        return Ok(Vec::new());
    }
    let _lock = lock(&project, progress)?;
    let memory = match (Memory::load(&project), data) {
        (Err(LocalError::Memory { .. }), Data::Wipe) => None,
        (memory, _) => memory?,
    };
    let stopped = match memory {
        Some(mut memory) => {
            let stopped = stop_all(&mut memory, progress)?;
            memory.save()?;
            if data == Data::Wipe {
                disk::remove_folder(&memory.data_folder())?;
            }
            stopped
        }
        None => Vec::new(),
    };
    if data == Data::Wipe {
        forget_orphan(&places.data_of(&project), progress)?;
        wipe_project(&project)?;
    }
    Ok(stopped)
}

/// Removes what `up` put into the project folder; the lock stays: somebody may wait for it.
fn wipe_project(project: &Path) -> Result<(), LocalError> {
    for path in disk::list(&memory::folder(project))? {
        match path.is_dir() {
            true => disk::remove_folder(&path)?,
            false if path.extension().is_some_and(|extension| extension == "lock") => {}
            false => disk::remove_file(&path)?,
        }
    }
    Ok(())
}

/// The environments that have a ledger in the usual folder of a project.
///
/// # Errors
/// When the folder cannot be listed.
pub fn ledgers(project: &Path) -> Result<BTreeSet<String>, LocalError> {
    let paths = disk::list(&project.join(LEDGERS))?;
    let chains = paths.iter().filter_map(|path| disk::file_name(path).strip_suffix(".jsonl").map(str::to_owned));
    Ok(chains.collect())
}

/// Removes ledgers from the usual folder of a project: those of environments whose things were in a stack that is gone.
///
/// # Errors
/// When a file cannot be removed.
pub fn forget_ledgers(project: &Path, environments: &BTreeSet<String>) -> Result<(), LocalError> {
    for path in disk::list(&project.join(LEDGERS))? {
        // `dev.jsonl`, `dev.lock`, `dev@…`, but not another environment whose name begins like it.
        let name = disk::file_name(&path);
        let environment = name.split(['.', '@']).next().unwrap_or_default();
        match (environments.contains(environment), path.is_dir()) {
            (true, true) => disk::remove_folder(&path)?,
            (true, false) => disk::remove_file(&path)?,
            (false, _) => {}
        }
    }
    Ok(())
}

fn stop_all(memory: &mut Memory, progress: &dyn Progress) -> Result<Vec<String>, LocalError> {
    let mut stopped = Vec::new();
    let patience = Duration::from_secs(STOP_SECONDS);
    // PostgreSQL takes SIGTERM as "wait until every client has gone"; SIGINT ends sessions and shuts down in order.
    let parts = [
        ("the relay", &mut memory.processes.relay, Signal::TERM),
        ("the AWS emulator", &mut memory.processes.emulator, Signal::TERM),
        ("PostgreSQL", &mut memory.processes.postgres, Signal::INT),
    ];
    // Those that take long get their signal first and are waited for together.
    let was_alive = parts.each_ref().map(|(_, process, signal)| {
        let process = process.as_ref().filter(|process| process.is_alive());
        process.map(|process| process.signal(*signal)).is_some()
    });
    for ((part, process, _), was_alive) in parts.into_iter().zip(was_alive) {
        if let Some(identity) = process
            && was_alive
        {
            say(progress, &format!("waiting for {part} to end"));
            identity.wait_for_end(part, patience)?;
            stopped.push(part.to_owned());
        }
        *process = None;
    }
    Ok(stopped)
}

fn lock(project: &Path, progress: &dyn Progress) -> Result<Lock, LocalError> {
    let folder = memory::folder(project);
    disk::make_folder(&folder)?;
    let waiting = || say(progress, "another `local` command of this folder is running, waiting for it");
    Lock::take(&folder.join("stack.lock"), Duration::from_secs(LOCK_SECONDS), &waiting)
}

/// A stack for a folder that remembers none. Data of an earlier one, whose `.switchback` was removed, are of no use
/// any more: their password and ledger are gone.
fn start_afresh(project: &Path, places: &Places, progress: &dyn Progress) -> Result<Memory, LocalError> {
    forget_orphan(&places.data_of(project), progress)?;
    Memory::new(project, places)
}

fn forget_orphan(data: &Path, progress: &dyn Progress) -> Result<(), LocalError> {
    if let Some(mut orphan) = Memory::load_beside(data)?
        && orphan.data == DataFolder::At(data.to_owned())
    {
        // A project that was moved still uses these data; it says so in its own file.
        let owner = Memory::load(&orphan.project).ok().flatten();
        if owner.is_some_and(|owner| owner.id == orphan.id) {
            return Ok(());
        }
        say(progress, &format!("removing what an earlier stack of this folder left in {}", data.display()));
        stop_all(&mut orphan, progress)?;
        disk::remove_folder(data)?;
    }
    Ok(())
}

fn is_alive(process: Option<&Identity>) -> bool {
    process.is_some_and(Identity::is_alive)
}

fn refuse_taken(part: &'static str, port: u16) -> Result<(), LocalError> {
    match wire::is_free(port) {
        true => Ok(()),
        false => Err(LocalError::PortTaken { part, port }),
    }
}

fn wait_for(
    part: &'static str,
    memory: &Memory,
    process: Option<&Identity>,
    answers: &dyn Fn() -> bool,
) -> Result<(), LocalError> {
    let log = memory.log(part);
    let silent = |trouble: String| {
        let tail = disk::tail(&log);
        LocalError::Silent { part, trouble, log: log.clone(), tail }
    };
    let start = Instant::now();
    while !answers() {
        if !is_alive(process) {
            return Err(silent("ended by itself".to_owned()));
        }
        if start.elapsed() > Duration::from_secs(START_SECONDS) {
            return Err(silent(format!("does not answer after {START_SECONDS} s")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Compares the emulator's mark with the remembered one and changes it when the emulator was started just now.
fn check_mark(
    memory: &mut Memory,
    lost_state: LostState,
    started_now: bool,
    progress: &dyn Progress,
) -> Result<(), LocalError> {
    let port = memory.ports.emulator;
    let trouble = |error: std::io::Error| LocalError::Silent {
        part: "emulator",
        trouble: format!("does not give its mark: {error}"),
        log: memory.log("emulator"),
        tail: disk::tail(&memory.log("emulator")),
    };
    let found = emulator::mark(port).map_err(trouble)?;
    let known = found.as_ref().is_some_and(|mark| memory.generations.contains(mark));
    let lost = !memory.generations.is_empty() && !known;
    if lost && lost_state == LostState::Refuse {
        if started_now && let Some(process) = memory.processes.emulator.take() {
            // Killed on purpose: ending in order it would save what it lost over what is left on disk.
            process.stop("the AWS emulator", Signal::KILL, Duration::from_secs(STOP_SECONDS))?;
            memory.save()?;
        }
        return Err(LocalError::StateLost);
    }
    if lost {
        say(progress, "the local AWS endpoint lost its state; going on with what is left, as asked");
    }
    if !started_now && known && memory.generations.len() == 1 {
        return Ok(());
    }
    let next = uuid::Uuid::new_v4().to_string();
    memory.generations = found.into_iter().chain([next.clone()]).collect();
    memory.save()?;
    emulator::set_mark(port, &next).map_err(|error| LocalError::Silent {
        part: "emulator",
        trouble: format!("does not take its mark: {error}"),
        log: memory.log("emulator"),
        tail: disk::tail(&memory.log("emulator")),
    })?;
    memory.generations = vec![next];
    memory.save()
}

fn start_relay(memory: &mut Memory, options: &Options, started: &mut Vec<String>) -> Result<(), LocalError> {
    let port = memory.ports.relay;
    if let Some(running) = memory.processes.relay.as_ref().filter(|process| process.is_alive()) {
        if relay::version(port).as_deref() == Some(env!("CARGO_PKG_VERSION")) {
            return Ok(());
        }
        // Another version's: its state is kept on disk, the new one goes on with it.
        running.stop("the relay", Signal::TERM, Duration::from_secs(STOP_SECONDS))?;
    }
    refuse_taken("the relay", port)?;
    let mut command = Command::new(&options.executable);
    command
        .args(["local", "relay", "--listen", &format!("127.0.0.1:{port}")])
        .args(["--upstream", &format!("127.0.0.1:{}", memory.ports.emulator)])
        // Relative to its folder, which may be moved while it runs.
        .args(["--state", "relay"])
        .args(["--rollout-seconds", &options.rollout_seconds.to_string()])
        .current_dir(memory.data_folder());
    memory.processes.relay = Some(process::start_detached(command, &memory.log("relay"))?);
    memory.save()?;
    started.push("relay".to_owned());
    wait_for("relay", memory, memory.processes.relay.as_ref(), &|| relay::version(port).is_some())
}

/// The facts of a stack.
pub(super) fn describe(memory: &Memory, started: Vec<String>) -> LocalStack {
    let port = memory.ports.postgres;
    LocalStack {
        project: memory.project.clone(),
        data_folder: memory.data_folder(),
        aws_endpoint: format!("http://127.0.0.1:{}", memory.ports.relay),
        region: REGION.to_owned(),
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        postgres_url: format!("postgres://{POSTGRES_USER}@127.0.0.1:{port}/postgres"),
        postgres_host: "127.0.0.1".to_owned(),
        postgres_port: port,
        postgres_user: POSTGRES_USER.to_owned(),
        postgres_password_file: memory.password_file(),
        postgres_binaries: memory.postgres_binaries.clone(),
        started,
    }
}
