//! `switchback migrate rehearse`: proves the migrations of a folder both ways on a throw-away PostgreSQL.
//!
//! Invariant: a database that is named is only read; with `--all` none is needed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::place::{FolderArguments, Place, Talk, connection, mismatched, world};
use crate::cli::certified::{self, Certified};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::terminal::View;
use crate::migration::layout::Layout;
use crate::migration::{Direction, Migration};
use crate::observe::no_provider;
use crate::plan::mismatch::Standing;
use crate::rehearse::key::major;
use crate::review::text::Paint;
use crate::review::words::{counted, harmless};
use crate::value::Value;
use crate::world::{RehearsalJob, RehearsalSettings};

const AFTER_HELP: &str = "\
Examples:
  switchback migrate rehearse --all                  every migration of ./migrations, from nothing
  switchback migrate rehearse --all --dir db --layout dbmate --roles app_reader
  switchback migrate rehearse --url postgres://me@localhost/shop      what is pending there
  switchback migrate rehearse --all --json           every lock of every statement

Each migration goes up, down, and up again on a PostgreSQL that is started for this and removed
again. The schema is compared before and after, to the last default, comment and grant:

  exact                     the way back restores what was
  reordered columns         all of it, but columns come back at the end
  restores something else   what differs is listed
  loses data                which
  fails                     which way, with the error and its line
  no way back               there is no file for it, and none can be derived
  not rehearsed             something is missing here, such as an extension: never a pass

Below it stands what each statement locks so that others wait, rewrites, scans or builds. With a
database, the copy is made of its schema; it is read and never written. PostgreSQL is found where
it is installed (Debian: `apt-get install postgresql`), else a pinned build is fetched.

Exit code 1 if a way back restores something else, fails or is missing; 9 if a migration could
not be rehearsed; 0 otherwise.";

/// Prove migrations both ways on a throw-away PostgreSQL
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    subject: Subject,
}

/// Which migrations, and on what server.
#[derive(clap::Args)]
pub struct Subject {
    /// The database whose pending migrations are meant, as `postgres://USER@HOST/DBNAME`; else `DATABASE_URL`
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    #[command(flatten)]
    pub folder: FolderArguments,
    /// Every migration of the folder, from an empty database; no other is needed
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    server: ServerArguments,
    /// SQL that fills the tables before the pending migrations, so that lost data is noticed
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    seed: Option<PathBuf>,
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may hold a password.
        formatter.debug_struct("Subject").field("folder", &self.folder).field("all", &self.all).finish_non_exhaustive()
    }
}

/// What the throw-away server has to be and to have.
#[derive(Debug, clap::Args)]
pub struct ServerArguments {
    /// The major version of the throw-away PostgreSQL; that of the database, else the newest one here
    #[arg(long, value_name = "MAJOR")]
    postgres: Option<u32>,
    /// Roles that the migrations name and that are made first
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    roles: Vec<String>,
    /// Extensions that must be there to begin with
    #[arg(long, value_name = "EXTENSION", value_delimiter = ',')]
    extensions: Vec<String>,
}

impl ServerArguments {
    /// As a rehearsal takes it; the version of a database that is named only for that is asked there.
    ///
    /// # Errors
    /// When that database is not reached.
    pub fn settings(&self, session: &Session, url: Option<&str>) -> Result<RehearsalSettings, Failure> {
        let version = match (self.postgres, url) {
            (Some(major), _) => Some(major),
            (None, Some(url)) => version_of(session, url)?,
            (None, None) => None,
        };
        let (extensions, roles) = (self.extensions.clone(), self.roles.clone());
        Ok(RehearsalSettings { version, extensions, roles, ..RehearsalSettings::default() })
    }
}

fn version_of(session: &Session, url: &str) -> Result<Option<u32>, Failure> {
    let (_, connection) = connection(url)?;
    let provider = session.world.providers.get(&connection.provider);
    let provider = provider.ok_or_else(|| world(&no_provider("postgres")))?;
    let facts = session.wait(provider.check(&connection)).map_err(|error| world(&error))?;
    Ok(facts.get("server_version").and_then(Value::as_str).and_then(major))
}

/// What was proved of a folder.
#[derive(Serialize)]
struct Rehearsed {
    /// The database; none where all of the folder was rehearsed from nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    layout: &'static str,
    result: Exit,
    migrations: Vec<Certified>,
    /// Ways back that were derived, and are in no file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unwritten: Vec<Unwritten>,
    /// Folders below an empty one that hold migrations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    below: Vec<String>,
}

/// A way back that was derived, and the file that it may be written into.
#[derive(Serialize)]
struct Unwritten {
    migration: String,
    file: String,
    text: String,
}

impl Unwritten {
    fn of(layout: Layout, migration: &Migration, certified: &Certified) -> Option<Self> {
        let text = certified.certificate.derived.clone().filter(|_| migration.down.is_none())?;
        let version = migration.version_text();
        let file = layout.file_name(&version, &migration.name.replace(' ', "_"), Direction::Down);
        Some(Self { migration: migration.label(), file, text })
    }

    fn lines(&self, is_one_file: bool) -> String {
        let Self { migration, file, text } = self;
        let place = if is_one_file { format!("`-- migrate:down` of {file}") } else { file.clone() };
        let (migration, place) = (harmless(migration), harmless(&place));
        let mut lines =
            format!("{migration}: no file takes it back, which `migrate down` needs; what was derived, for {place}:\n");
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            lines += &format!("    {}\n", harmless(line));
        }
        lines
    }
}

impl View for Rehearsed {
    fn text(&self, paint: &dyn Paint) -> String {
        match (self.migrations.is_empty(), &self.database) {
            (true, Some(database)) => format!("nothing is pending at {}\n", harmless(database)),
            (true, None) => {
                let other = |dir: &String| format!("{dir} has some: type the same with `--dir {dir}`\n");
                std::iter::once("the folder has no migration\n".to_owned())
                    .chain(self.below.iter().map(other))
                    .collect()
            }
            (false, _) => {
                let is_one_file = self.layout == Layout::Dbmate.name();
                let unwritten: String = self.unwritten.iter().map(|one| one.lines(is_one_file)).collect();
                let (text, tally) = (certified::text(&[], &self.migrations, paint), certified::tally(&self.migrations));
                format!("{text}{unwritten}{tally}\n")
            }
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// When folder and history do not fit, or the database cannot be read.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let subject = &arguments.subject;
    let (database, layout, job) = match subject.all {
        true => everything(subject, session)?,
        false => pending(subject, session)?,
    };
    let mut migrations = rehearsed(session, &job)?;
    // Only rules look at what the catalogs said.
    migrations.iter_mut().for_each(|one| one.certificate.forget_catalogs());
    let result = certified::result(&migrations);
    let pairs = job.steps.iter().zip(&migrations);
    let unwritten = pairs.filter_map(|((_, migration), one)| Unwritten::of(layout, migration, one)).collect();
    let below = if migrations.is_empty() { subject.folder.below(session) } else { Vec::new() };
    let layout = layout.name();
    session.terminal.show(&Rehearsed { database, layout, result, migrations, unwritten, below });
    Ok(result)
}

/// Carries a job out.
///
/// # Errors
/// When the target cannot be read, or this build cannot rehearse.
pub fn rehearsed(session: &Session, job: &RehearsalJob) -> Result<Vec<Certified>, Failure> {
    if job.steps.is_empty() {
        return Ok(Vec::new());
    }
    let Some(rehearsals) = &session.world.rehearsals else {
        return Err(world(&no_provider("postgres")));
    };
    session.terminal.say(&format!("rehearsing {}", counted(job.steps.len(), "migration")));
    let certificates = session.wait(rehearsals.rehearse(job, &Talk(session))).map_err(|error| world(&error))?;
    let of = |((direction, migration), certificate): (&(Direction, Arc<Migration>), _)| Certified {
        step: None,
        database: None,
        title: migration.label(),
        version: migration.version,
        direction: *direction,
        certificate,
        foretold: None,
    };
    Ok(job.steps.iter().zip(certificates).map(of).collect())
}

/// The database for people, the layout and the job.
pub type Task = (Option<String>, Layout, RehearsalJob);

/// The whole folder, from nothing.
///
/// # Errors
/// When the folder has mistakes.
pub fn everything(arguments: &Subject, session: &Session) -> Result<Task, Failure> {
    let (layout, folder) = arguments.folder.read(session, &[])?;
    let settings = arguments.server.settings(session, arguments.url.as_deref())?;
    let steps = steps(folder);
    Ok((
        None,
        layout,
        RehearsalJob { settings, server: None, target: None, applied: Vec::new(), adopted: false, steps },
    ))
}

/// What is pending in a database, on a copy of its schema.
///
/// # Errors
/// When folder and history do not fit, or the database cannot be read.
pub fn pending(arguments: &Subject, session: &Session) -> Result<Task, Failure> {
    let place =
        Place::at(session, arguments.url.as_deref(), &arguments.folder, Duration::ZERO).map_err(
            |failure| match failure.exit {
                Exit::Usage => failure.help("or `--all`: every migration of the folder, without any database"),
                _ => failure,
            },
        )?;
    let history = place.history(session)?;
    if let Some(partial) = &history.partial {
        let label = partial.migration.label();
        return Err(Failure::failed(format!("{label} was left in the middle; nothing was rehearsed"))
            .help("go on with `switchback migrate up` first: the schema between two of its statements is nobody's"));
    }
    let lines = place.lines(&history);
    if let Some(failure) = mismatched(&lines) {
        return Err(failure);
    }
    let mut settings = arguments.server.settings(session, None)?;
    settings.seed = arguments.seed.as_ref().map(|path| super::place::read(session, path)).transpose()?;
    let of = |wanted: &dyn Fn(&Standing) -> bool| -> Vec<Migration> {
        let lines = lines.iter().filter(|line| wanted(&line.standing));
        lines.filter_map(|line| place.migration(line.number).cloned()).collect()
    };
    let applied = of(&|standing| matches!(standing, Standing::Applied | Standing::PendingAgain));
    let steps = steps(of(&|standing| matches!(standing, Standing::Pending | Standing::PendingAgain)));
    let job = RehearsalJob {
        settings,
        server: None,
        target: Some(place.connection.clone()),
        // No ledger says that the folder explains the schema: it is copied as it is.
        adopted: !applied.is_empty(),
        applied: applied.into_iter().map(Arc::new).collect(),
        steps,
    };
    Ok((Some(place.shown), place.layout, job))
}

fn steps(migrations: Vec<Migration>) -> Vec<(Direction, Arc<Migration>)> {
    migrations.into_iter().map(|migration| (Direction::Up, Arc::new(migration))).collect()
}
