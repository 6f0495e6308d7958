//! What can go wrong with the local stack, and what to do. Pure.
//!
//! Invariant: every error says what was tried, and its help what to type.

use std::path::{Path, PathBuf};

use crate::provider::postgres::programs::ProgramError;

/// Why the local stack did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A file or folder.
    #[error("cannot {action} {}: {source}", path.display())]
    Disk {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// `stack.json` cannot be understood.
    #[error("{} cannot be read: {cause}", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// `.switchback/local` was copied together with its folder.
    #[error("the local stack of this folder belongs to {}, from where it was copied", owner.display())]
    Copied {
        /// The folder it belongs to.
        owner: PathBuf,
        /// The folder asked about.
        here: PathBuf,
    },
    /// Another `local up` or `local down` is under way.
    #[error("another `local` command of this folder is still running after {seconds} s (lock {})", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Something is not installed.
    #[error("{what} is not installed: {cause}")]
    Missing {
        /// What.
        what: &'static str,
        /// What was looked for, where.
        cause: String,
        /// The Debian packages that bring it.
        packages: &'static str,
    },
    /// A program could not be started or failed.
    #[error("`{program}` failed: {cause}")]
    Program {
        /// The program with its first arguments.
        program: String,
        /// Its exit and the end of what it said.
        cause: String,
    },
    /// A part of the stack ended, or did not answer in time.
    #[error("{part} {trouble}; the end of {}:\n{tail}", log.display())]
    Silent {
        /// Which part.
        part: &'static str,
        /// What happened.
        trouble: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A remembered port is taken by somebody else.
    #[error("port {port}, which this folder uses for {part}, is taken by another program")]
    PortTaken {
        /// Which part.
        part: &'static str,
        /// The port.
        port: u16,
    },
    /// No free port was found.
    #[error("no three free loopback ports were found between {from} and {to}")]
    NoPorts {
        /// The first one tried.
        from: u16,
        /// The last one tried.
        to: u16,
    },
    /// The emulator does not have what it had.
    #[error("the local AWS endpoint lost its state: it was killed before it could save what it held")]
    StateLost,
    /// The PostgreSQL cluster was there and is not any more.
    #[error("the PostgreSQL data in {} are gone", path.display())]
    DataGone {
        /// Where they were.
        path: PathBuf,
    },
    /// A part did not stop.
    #[error("{part} (process {pid}) is still running {seconds} s after it was asked to stop")]
    StillRunning {
        /// Which part.
        part: &'static str,
        /// Its process.
        pid: i32,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The relay cannot work.
    #[error("the relay cannot {action}: {cause}")]
    Relay {
        /// What was tried.
        action: String,
        /// Why not.
        cause: String,
    },
}

impl LocalError {
    /// What to do about it, for a help line; may name commands to type.
    pub fn help(&self) -> String {
        match self {
            Self::Disk { path, .. } => {
                format!("check the rights on {} and the room on its disk", path.display())
            }
            Self::Memory { path, .. } => format!(
                "a newer version may have written it; if not, `switchback local down --wipe` or removing {} starts afresh",
                path.display()
            ),
            Self::Copied { here, .. } => format!(
                "remove {} (and the copied ledger, {}) to give this folder a stack of its own",
                here.join(".switchback/local").display(),
                here.join(".switchback/ledger").display()
            ),
            Self::Locked { .. } => "wait for it, or end it; the lock goes with the process".to_owned(),
            Self::Missing { packages, .. } => format!("type: {}", apt_line(packages)),
            Self::Program { .. } => "`switchback doctor` says what this machine lacks".to_owned(),
            Self::Silent { log, .. } => format!("the whole log is {}", log.display()),
            Self::PortTaken { port, .. } => {
                format!(
                    "`ss -ltnp 'sport = :{port}'` says by whom; end it, or `switchback local down --wipe` to choose ports anew"
                )
            }
            Self::NoPorts { .. } => "end some of the programs that listen on loopback".to_owned(),
            Self::StateLost => "`switchback local down --wipe` starts from nothing, without the ledgers of what was in it; \
                 `switchback local up --accept-lost-state` goes on with what is left, and planning shows the drift"
                .to_owned(),
            Self::DataGone { .. } => {
                "put them back, or `switchback local down --wipe` to start from nothing, without the ledgers of what was in it"
                    .to_owned()
            }
            Self::StillRunning { pid, .. } => {
                format!("look at it with `ps -fp {pid}`; run `switchback local down` again, it goes on waiting")
            }
            Self::Relay { .. } => "is the port free, and the state folder writable?".to_owned(),
        }
    }

    pub(super) fn disk<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| Self::Disk { action, path: path.to_owned(), source }
    }
}

impl From<ProgramError> for LocalError {
    fn from(error: ProgramError) -> Self {
        Self::Program { program: error.program, cause: error.cause }
    }
}

/// What root types to install Debian packages.
pub(super) fn apt_line(packages: &str) -> String {
    format!("apt-get install -y {packages}")
}
