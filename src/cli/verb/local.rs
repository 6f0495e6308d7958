//! `switchback local`: the local stack, an AWS endpoint and a PostgreSQL on this machine.

mod wiping;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::cli::environment::{self, Name};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::progress::Lines;
use crate::cli::session::Session;
use crate::cli::terminal::View;
use crate::local::{self, Data, LocalStack, LostState, Options, Places, StackState, Status};
use crate::review::text::{Paint, Role};
use crate::review::words;
use wiping::{Kept, Ledgers};

const AFTER_HELP: &str = "\
Examples:
  switchback local up            start both, wait until they answer, say where they are
  switchback local status        what runs, with ports and logs
  ENDPOINT=$(switchback local status --endpoint)   the AWS endpoint's URL alone, for a shell
  switchback local down          stop exactly what `up` started; the data stay
  switchback local down --wipe   remove the data too, and the ledgers of what was in it

No account, no container and no server of your own is needed; everything listens on loopback.";

/// The local stack: an AWS endpoint and a PostgreSQL on this machine
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

/// What to do with it.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// Start it and wait until it answers; a second start is harmless
    Up {
        /// Go on although the AWS endpoint lost what it held
        #[arg(long)]
        accept_lost_state: bool,
        /// Install the AWS command line, too, and say where it is
        #[arg(long)]
        with_awscli: bool,
        /// How long a rollout of a service is played, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
        rollout_seconds: f64,
        /// A folder with `postgres` and `initdb`
        #[arg(long, value_name = "DIR")]
        postgres: Option<PathBuf>,
    },
    /// Stop exactly what `up` started
    Down {
        /// Remove the data too, and the ledgers that record nothing but what was in it
        #[arg(long)]
        wipe: bool,
    },
    /// Say what runs, and where
    Status {
        /// Print the URL of the AWS endpoint and nothing else
        #[arg(long)]
        endpoint: bool,
    },
    /// The relay in front of the AWS endpoint; `up` starts it
    #[command(hide = true)]
    Relay {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        upstream: SocketAddr,
        #[arg(long)]
        state: PathBuf,
        #[arg(long, default_value_t = 2.0)]
        rollout_seconds: f64,
    },
    /// A stack that lives as long as its stdin is open
    #[command(hide = true)]
    ServeUntilEof {
        folder: PathBuf,
        #[arg(long, default_value_t = 2.0)]
        rollout_seconds: f64,
        #[arg(long)]
        postgres: Option<PathBuf>,
    },
}

/// The usual places of the stack, for this user.
pub fn places() -> Places {
    let folder = |name| environment::read(name).map(PathBuf::from);
    Places::usual(folder(Name::CacheHome).as_deref(), folder(Name::Home).as_deref())
}

/// Runs the verb.
///
/// # Errors
/// When something is missing, does not start or does not stop.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let progress = Lines(&session.terminal);
    match &arguments.what {
        What::Up { accept_lost_state, with_awscli, rollout_seconds, postgres } => {
            let mut options = options(session, *rollout_seconds, postgres.as_deref())?;
            if *accept_lost_state {
                options.lost_state = LostState::Accept;
            }
            let stack = local::up(&folder(session), &options, &progress)?;
            let awscli = match with_awscli {
                true => Some(local::ensure_awscli(&options.places, &progress)?),
                false => None,
            };
            session.terminal.show(&Up { stack, awscli });
        }
        What::Down { wipe } => {
            session.terminal.show(&down(session, *wipe, &progress)?);
        }
        What::Status { endpoint: true } => session.terminal.show(&endpoint(session)?),
        What::Status { endpoint: false } => {
            session.terminal.show(&Facts(local::status(&folder(session))?));
        }
        What::Relay { listen, upstream, state, rollout_seconds } => {
            let options = local::relay::Options {
                listen: *listen,
                upstream: *upstream,
                state: session.path(state),
                rollout_seconds: *rollout_seconds,
                clock: Arc::clone(&session.world.clock),
            };
            local::relay::run(&options)?;
        }
        What::ServeUntilEof { folder, rollout_seconds, postgres } => {
            let options = options(session, *rollout_seconds, postgres.as_deref())?;
            let mut output = std::io::stdout();
            local::serve_until_eof(&session.path(folder), &options, std::io::stdin(), &mut output, &progress)?;
        }
    }
    Ok(Exit::Done)
}

/// Stops it; with its data, the ledgers go that speak of nothing else.
fn down(session: &Session, wipe: bool, progress: &Lines<'_>) -> Result<Down, Failure> {
    let folder = folder(session);
    if !wipe {
        let stopped = local::down(&folder, &places(), Data::Keep, progress)?;
        return Ok(Down { stopped, data: Left::Kept, ledgers: Ledgers::default() });
    }
    let ledgers = match local::status(&folder) {
        Ok(Status { stack: None, .. }) => None,
        Ok(Status { stack, .. }) => Some(Ledgers::of(session, &folder, stack.as_ref())?),
        // What it remembers is damaged; then the ledgers themselves have to say that it was here.
        Err(_) => Some(Ledgers::of(session, &folder, None)?),
    };
    let stopped = local::down(&folder, &places(), Data::Wipe, progress)?;
    if let Some(ledgers) = &ledgers {
        local::forget_ledgers(&folder, &ledgers.removed)?;
    }
    let data = if ledgers.is_some() { Left::Removed } else { Left::Nothing };
    Ok(Down { stopped, data, ledgers: ledgers.unwrap_or_default() })
}

/// The AWS endpoint of a stack that answers: a shell goes on with it at once.
fn endpoint(session: &Session) -> Result<Endpoint, Failure> {
    let status = local::status(&folder(session))?;
    match (status.state, status.stack) {
        (StackState::Running, Some(stack)) => Ok(Endpoint { aws_endpoint: stack.aws_endpoint }),
        (state, _) => {
            let how = if state == StackState::Absent {
                "there is none here".to_owned()
            } else {
                format!("it is {}", word(&state))
            };
            Err(Failure::failed(format!("the local stack does not answer: {how}"))
                .help(format!("start it:  {}", session.command("local up"))))
        }
    }
}

#[derive(Serialize)]
struct Endpoint {
    aws_endpoint: String,
}

impl View for Endpoint {
    fn text(&self, _paint: &dyn Paint) -> String {
        format!("{}\n", self.aws_endpoint)
    }
}

/// The project's folder, or this one.
fn folder(session: &Session) -> PathBuf {
    session.project().unwrap_or_else(|| session.folder.clone())
}

fn options(session: &Session, rollout_seconds: f64, postgres: Option<&Path>) -> Result<Options, Failure> {
    let executable = std::env::current_exe()
        .map_err(|error| Failure::failed(format!("this very program cannot be found: {error}")))?;
    Ok(Options {
        places: places(),
        clock: Arc::clone(&session.world.clock),
        executable,
        rollout_seconds,
        lost_state: LostState::Refuse,
        postgres_binaries: postgres.map(|folder| session.path(folder)),
    })
}

#[derive(Serialize)]
struct Up {
    #[serde(flatten)]
    stack: LocalStack,
    #[serde(skip_serializing_if = "Option::is_none")]
    awscli: Option<PathBuf>,
}

impl View for Up {
    fn text(&self, paint: &dyn Paint) -> String {
        let started = match self.stack.started.is_empty() {
            true => "ran already".to_owned(),
            false => format!("started {}", self.stack.started.join(", ")),
        };
        let mut text = format!("{} ({started})\n", paint.paint(Role::Heading, "the local stack answers"));
        text += &where_it_is(&self.stack);
        if let Some(awscli) = &self.awscli {
            text += &format!("  aws command   {}\n", awscli.display());
        }
        text
    }
}

fn where_it_is(stack: &LocalStack) -> String {
    format!(
        "  AWS endpoint  {} (region {}, access key {}, secret key {})\n  PostgreSQL    {} (password in {})\n  data          {}\n",
        stack.aws_endpoint,
        stack.region,
        stack.access_key,
        stack.secret_key,
        stack.postgres_url,
        stack.postgres_password_file.display(),
        stack.data_folder.display()
    )
}

/// What became of the data.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Left {
    /// They are there at the next `up`.
    Kept,
    /// They are gone.
    Removed,
    /// There never was a stack here.
    Nothing,
}

#[derive(Serialize)]
struct Down {
    stopped: Vec<String>,
    data: Left,
    ledgers: Ledgers,
}

impl View for Down {
    fn text(&self, _paint: &dyn Paint) -> String {
        let stopped = match self.stopped.is_empty() {
            true => "nothing was running".to_owned(),
            false => format!("stopped {}", self.stopped.join(", ")),
        };
        let Ledgers { removed, kept } = &self.ledgers;
        let data = match (self.data, removed.len()) {
            (Left::Nothing, _) => return "this folder has no local stack; there was nothing to remove\n".to_owned(),
            (Left::Kept, _) => "its data stay".to_owned(),
            (Left::Removed, 0) => "its data are removed".to_owned(),
            (Left::Removed, count) => {
                let names: Vec<String> = removed.iter().cloned().collect();
                let ledgers = if count == 1 { "the ledger" } else { "the ledgers" };
                format!("its data are removed, and {ledgers} of {} with them", words::listed(&names))
            }
        };
        let mut text = format!("{stopped}; {data}\n");
        for Kept { environment, why } in kept {
            text += &format!("the ledger of {environment} stays: {}\n", words::harmless(why));
        }
        text
    }
}

#[derive(Serialize)]
struct Facts(Status);

impl View for Facts {
    fn text(&self, paint: &dyn Paint) -> String {
        let Some(stack) = &self.0.stack else {
            return "this folder has no local stack; `switchback local up` starts one\n".to_owned();
        };
        let mut text =
            format!("{}\n", paint.paint(Role::Heading, &format!("the local stack is {}", word(&self.0.state))));
        for part in &self.0.parts {
            let process = part.pid.map(|pid| format!("process {pid}, ")).unwrap_or_default();
            text += &format!(
                "  {:<10} {:<10} {process}port {}, log {}\n",
                part.name,
                word(&part.state),
                part.port,
                part.log.display()
            );
        }
        text + &where_it_is(stack)
    }
}

/// The word by which the JSON calls a state.
fn word<T: Serialize>(state: &T) -> String {
    let json = serde_json::to_value(state).unwrap_or_default();
    json.as_str().unwrap_or_default().replace('_', " ")
}
