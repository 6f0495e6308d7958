//! The local stack: an AWS endpoint and a real PostgreSQL on this machine, without an account or a container. An edge.
//!
//! Invariant: it stops only processes that it started itself (told apart by their start time), listens on loopback
//! only, and never touches Debian's own PostgreSQL cluster.
//!
//! `MiniStack` speaks the wire protocol of AWS; in front of it stands the strict [`relay`], which refuses what AWS
//! refuses. Everything about one project folder is remembered in its `.switchback/local/stack.json`: ports are
//! chosen once, since records of the ledger name endpoints.

mod disk;
mod doctor;
mod emulator;
mod error;
mod lock;
mod memory;
mod places;
mod postgres;
mod process;
pub mod relay;
mod stack;
mod status;
mod supervisor;
mod venv;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::value::{Object, Value};
use crate::world::{Clock, Progress};

pub use doctor::{Finding, Verdict, doctor};
pub use error::LocalError;
pub use places::Places;
pub use stack::{Data, down, forget_ledgers, ledgers, up};
pub use status::{Part, PartState, StackState, Status, status};
pub use supervisor::serve_until_eof;
pub use venv::ensure_awscli;

/// The region of the local AWS endpoint.
pub const REGION: &str = "eu-central-1";
/// The access key that the local AWS endpoint takes (it takes any).
pub const ACCESS_KEY: &str = "switchback";
/// The secret key that the local AWS endpoint takes (it takes any); not a secret.
pub const SECRET_KEY: &str = "local";
/// The PostgreSQL superuser.
pub const POSTGRES_USER: &str = "postgres";

/// How the stack is to be started.
#[derive(Clone)]
pub struct Options {
    /// Where things are kept outside the project.
    pub places: Places,
    /// The clock of the relay's log.
    pub clock: Arc<dyn Clock>,
    /// This very program, for starting the relay: `EXECUTABLE local relay --listen …`.
    pub executable: PathBuf,
    /// How long the relay plays a rollout.
    pub rollout_seconds: f64,
    /// What to do when the emulator lost its state.
    pub lost_state: LostState,
    /// A folder with `postgres` and `initdb`; `None` looks in the usual places.
    pub postgres_binaries: Option<PathBuf>,
}

/// What to do when the emulator lost its state (it was killed before it could save).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostState {
    /// Stop and say so.
    Refuse,
    /// Go on with what is left.
    Accept,
}

/// A stack that answers.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LocalStack {
    /// The project folder it belongs to.
    pub project: PathBuf,
    /// The folder of its data and logs.
    pub data_folder: PathBuf,
    /// The relay's URL: what an AWS client is pointed at.
    pub aws_endpoint: String,
    /// The region.
    pub region: String,
    /// Any will do; this one is meant.
    pub access_key: String,
    /// Any will do; this one is meant.
    pub secret_key: String,
    /// The superuser's URL, without the password.
    pub postgres_url: String,
    /// The host in it.
    pub postgres_host: String,
    /// The port in it.
    pub postgres_port: u16,
    /// The user in it.
    pub postgres_user: String,
    /// The file with the superuser's password.
    pub postgres_password_file: PathBuf,
    /// The folder of the server's programs.
    pub postgres_binaries: PathBuf,
    /// The parts that this call started; empty when all ran already.
    pub started: Vec<String>,
}

/// What a spec sees as `local_stack.*`, from `stack.json` and without starting anything; `None` when the project
/// never had a local stack.
pub fn facts(project: &Path) -> Option<Object> {
    let memory = memory::Memory::load(project).ok()??;
    let stack = stack::describe(&memory, Vec::new());
    let text = |text: &str| Value::string(text);
    Some(Object::from([
        ("aws_endpoint".to_owned(), text(&stack.aws_endpoint)),
        ("region".to_owned(), text(&stack.region)),
        ("access_key".to_owned(), text(&stack.access_key)),
        ("secret_key".to_owned(), text(&stack.secret_key)),
        ("postgres_url".to_owned(), text(&stack.postgres_url)),
        ("postgres_host".to_owned(), text(&stack.postgres_host)),
        ("postgres_port".to_owned(), Value::from(i64::from(stack.postgres_port))),
        ("postgres_user".to_owned(), text(&stack.postgres_user)),
        ("postgres_password_file".to_owned(), text(&stack.postgres_password_file.to_string_lossy())),
    ]))
}

/// Says a line to people.
fn say(progress: &dyn Progress, message: &str) {
    tracing::debug!("{message}");
    progress.say(message);
}
