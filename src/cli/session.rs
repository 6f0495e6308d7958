//! What every verb works with: the folder, the project, the ledger, the world, the actor. An edge.
//!
//! Invariant: a session asks nothing of the world and writes nothing before a verb does.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::arguments::Globals;
use super::clock::SystemClock;
use super::commit;
use super::environment::{self, Name};
use super::failure::{self, Failure};
use super::secrets::EdgeSecrets;
use super::terminal::Terminal;
use crate::diagnostic::{Diagnostics, Sources};
use crate::kind::Kinds;
use crate::ledger::Actor;
#[cfg(feature = "postgres")]
use crate::local::Places;
use crate::notice::receiver::Receiver;
use crate::provider::table;
use crate::release::Carried;
use crate::release::parcel::Parcel;
use crate::release::promotion::Promotion;
use crate::resolve::desired::{Desired, Refactoring};
use crate::rules::judging::Settings;
use crate::rules::policy::Policy;
use crate::secret::Secrets;
use crate::spec;
use crate::store::disk::DiskFiles;
use crate::suggest::{listed, nearest};
use crate::value::Value;
use crate::world::{Databases, Rehearsals, World};

/// How often those in the background have a turn before a wait ends; a session needs two to be closed.
const GOODBYES: usize = 8;

/// The name of the project's file.
pub const PROJECT_FILE: &str = "switchback.hcl";

/// Where the ledger lies when nobody says.
pub const DEFAULT_LEDGER: &str = "file:.switchback/ledger";

/// What every verb works with.
pub struct Session {
    /// Flags of every verb.
    pub globals: Globals,
    /// Where things are printed.
    pub terminal: Terminal,
    /// The folder that typed paths are relative to.
    pub folder: PathBuf,
    /// The table of kinds.
    pub kinds: Kinds,
    /// The world.
    pub world: World,
    /// Who does it.
    pub actor: Actor,
    runtime: tokio::runtime::Runtime,
}

/// The resolved spec of an environment, and what belongs to it.
pub struct Resolved {
    /// What the spec wants.
    pub desired: Desired,
    /// What becomes of what is recorded.
    pub refactoring: Refactoring,
    /// The texts, for later mistakes.
    pub sources: Sources,
    /// What rules go by.
    pub rules: Settings,
    /// What the house asks of every change.
    pub policies: Vec<Policy>,
    /// The values of the variables that travel with a release.
    pub released: BTreeMap<String, Value>,
    /// The release that it was resolved with, if it was with one.
    pub parcel: Option<Parcel>,
    /// What the change set says of that.
    pub carried: Option<Carried>,
    /// Who is told what happens.
    pub receivers: Vec<Receiver>,
    /// What is known of a release that is to get in.
    pub promotion: Option<Box<Promotion>>,
    /// Whether its images are named by their content, as far as that goes.
    pub pinned: bool,
    /// The secrets that the spec and its variables gave, and those that the edge can read.
    pub secrets: Arc<dyn Secrets>,
}

impl Session {
    /// Finds out where and who we are.
    ///
    /// # Errors
    /// When the folder is not there.
    pub fn begin(globals: Globals, terminal: Terminal) -> Result<Self, Failure> {
        let folder = working_folder(globals.directory.as_deref())?;
        // One thread: between two, every answer of a server wakes one more, which costs more than what is asked.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::failed(format!("the asynchronous runtime cannot be started: {error}")))?;
        let actor = actor(&folder);
        let world = World {
            providers: table::providers(&nearest_project(&folder).unwrap_or_else(|| folder.clone())),
            databases: databases(),
            rehearsals: rehearsals(),
            checks: Some(Arc::new(crate::provider::checks::Asker::default())),
            clock: Arc::new(SystemClock),
        };
        Ok(Self { globals, terminal, folder, kinds: table::kinds(), world, actor, runtime })
    }

    /// Waits for an asynchronous stage.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(async {
            let output = future.await;
            // Sessions that were let go say good-bye: until the next wait, and there may be a person to wait for in
            // between, nothing goes on in the background.
            for _ in 0..GOODBYES {
                tokio::task::yield_now().await;
            }
            output
        })
    }

    /// Ends it at once: a name that somebody is still being asked for holds nobody up.
    pub fn end(self) {
        self.runtime.shutdown_background();
    }

    /// A command to type next, with what leads it to the same ledger and folder.
    pub fn command(&self, words: &str) -> String {
        let mut command = format!("switchback {words}");
        if let Some(directory) = &self.globals.directory {
            command += &format!(" -C {}", quoted(&directory.display().to_string()));
        }
        if let Some(ledger) = &self.globals.ledger {
            command += &format!(" --ledger {}", quoted(ledger));
        }
        command
    }

    /// A path as typed, made absolute.
    pub fn path(&self, typed: &Path) -> PathBuf {
        self.folder.join(typed)
    }

    /// The nearest folder upward that holds a project.
    pub fn project(&self) -> Option<PathBuf> {
        nearest_project(&self.folder)
    }

    /// What paths in a spec begin at: the project's folder, or the one that we are in.
    pub fn root(&self) -> PathBuf {
        self.project().unwrap_or_else(|| self.folder.clone())
    }

    /// Secrets that nobody but the edge can read.
    pub fn edge_secrets(&self) -> EdgeSecrets {
        EdgeSecrets::below(self.root())
    }

    /// The project, which has to be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn need_project(&self) -> Result<PathBuf, Failure> {
        self.project().ok_or_else(|| {
            Failure::usage(format!("there is no project here: no {PROJECT_FILE} in {} or above", self.folder.display()))
                .help("name the project's folder with `-C DIR`, or begin one with `switchback init`")
        })
    }

    /// The project, and in it the spec of an environment.
    ///
    /// # Errors
    /// When there is no project, or it has no such environment.
    pub fn need_environment(&self, environment: &str) -> Result<PathBuf, Failure> {
        checked_name(environment)?;
        let project = self.need_project()?;
        match spec::is_environment(&DiskFiles, &project, environment) {
            true => Ok(project),
            false => Err(unknown_environment(environment, &spec::environments(&DiskFiles, &project))),
        }
    }

    /// Says warnings.
    pub fn warn(&self, diagnostics: &Diagnostics, sources: &Sources) {
        if !diagnostics.is_empty() {
            self.terminal.talk(&self.terminal.with_coloured_words(&failure::rendered(diagnostics, sources)));
        }
    }
}

fn nearest_project(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|folder| folder.join(PROJECT_FILE).is_file()).map(Path::to_owned)
}

/// The runner of migrations, if this build has it.
fn databases() -> Option<Arc<dyn Databases>> {
    #[cfg(feature = "postgres")]
    let databases: Option<Arc<dyn Databases>> = Some(Arc::new(crate::provider::postgres::Migrator::default()));
    #[cfg(not(feature = "postgres"))]
    let databases = None;
    databases
}

/// Who rehearses migrations, if this build can.
fn rehearsals() -> Option<Arc<dyn Rehearsals>> {
    #[cfg(feature = "postgres")]
    let rehearsals: Option<Arc<dyn Rehearsals>> = {
        let folder = |name| environment::read(name).map(PathBuf::from);
        let places = Places::usual(folder(Name::CacheHome).as_deref(), folder(Name::Home).as_deref());
        Some(Arc::new(crate::provider::postgres::rehearsal::Rehearser::new(places.cache)))
    };
    #[cfg(not(feature = "postgres"))]
    let rehearsals = None;
    rehearsals
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_alphanumeric() || "-_./:@=+,%".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Refuses names that could lead out of the ledger's place.
///
/// # Errors
/// When the name is not made of letters, digits, `_` and `-`.
pub fn checked_name(environment: &str) -> Result<(), Failure> {
    let fits = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '-';
    if !environment.is_empty() && environment.chars().all(fits) {
        return Ok(());
    }
    let failure = Failure::usage(format!("`{environment}` is no name of an environment"))
        .help("a name is made of letters, digits, `_` and `-`");
    Err(match environment.ends_with(super::plan_file::ENDING) {
        true => failure.help("if a saved plan is meant: there is no such file"),
        false => failure,
    })
}

/// Nobody knows an environment; `known` are those that the project has.
pub fn unknown_environment(environment: &str, known: &[String]) -> Failure {
    let names = || known.iter().map(String::as_str);
    let failure = Failure::usage(format!("there is no environment `{environment}`"));
    let failure = match nearest(environment, names()) {
        Some(name) => failure.help(format!("did you mean `{name}`?")),
        None => failure,
    };
    match known.is_empty() {
        true => failure.help(format!("the project has none; write its spec into environments/{environment}.hcl")),
        false => failure.help(format!(
            "the project has {}; another one is written into environments/{environment}.hcl",
            listed(names())
        )),
    }
}

fn working_folder(typed: Option<&Path>) -> Result<PathBuf, Failure> {
    #[expect(clippy::disallowed_methods, reason = "the command line is where the working folder is asked for")]
    let current = std::env::current_dir()
        .map_err(|error| Failure::failed(format!("the working folder cannot be found: {error}")))?;
    let Some(typed) = typed else {
        return Ok(current);
    };
    let folder = current.join(typed);
    folder
        .canonicalize()
        .ok()
        .filter(|folder| folder.is_dir())
        .ok_or_else(|| Failure::usage(format!("there is no folder {}", folder.display())).help("give `-C` a folder"))
}

fn actor(folder: &Path) -> Actor {
    let ci = [
        (Name::GithubActor, Some(Name::GithubRunId), "GitHub Actions"),
        (Name::GitlabUser, Some(Name::GitlabJob), "GitLab CI"),
        (Name::BuildkiteCreator, None, "Buildkite"),
        (Name::CircleUser, None, "CircleCI"),
        (Name::JenkinsUser, None, "Jenkins"),
    ]
    .into_iter()
    .find_map(|(user, run, service)| {
        let user = environment::read(user)?;
        Some(match run.and_then(environment::read) {
            Some(run) => format!("{user} ({service}, run {run})"),
            None => format!("{user} ({service})"),
        })
    });
    let name = ci.or_else(|| environment::read(Name::User)).or_else(|| environment::read(Name::Logname));
    Actor {
        name: name.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw())),
        host: host(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
        commit: commit::of(folder),
    }
}

fn host() -> String {
    #[expect(clippy::disallowed_methods, reason = "the edge asks the system for the host's name")]
    let system =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    let name = system.ok().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    name.or_else(|| environment::read(Name::Hostname)).unwrap_or_else(|| "unknown".to_owned())
}
