//! A database by its URL and a folder of migrations, without any environment.
//!
//! Invariant: the password is sensitive from the moment it is read, and in nothing that is shown.
//!
//! There is no ledger here, so there is no lease. What keeps two of these apart, and apart from runs of an environment,
//! is the runner itself: it takes the turn (an advisory lock of the database) for each migration, looks at the history
//! under it, and refuses what is not next; and the text and its row are one transaction. Who comes second finds that
//! the first was there, looks again and goes on with what is left.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::cli::environment::{self, Name};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::diagnostic::{Diagnostic, Diagnostics, Sources};
use crate::migration::layout::Layout;
use crate::migration::position::Position;
use crate::migration::told::Told;
use crate::migration::{Direction, Migration};
use crate::observe::no_provider;
use crate::plan::mismatch::{Line, compare};
use crate::provider::postgres::settings::Target;
use crate::store::disk::DiskFiles;
use crate::value::{Object, Value};
use crate::world::{
    Connection, Content, Databases, EffectError, Fence, History, MigrationEffect, Progress, Series, Trace, WorldError,
};

/// A folder, and its layout.
#[derive(Clone, Debug, clap::Args)]
pub struct FolderArguments {
    /// The folder of migrations; `./migrations` when it is not named
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Whose layout it has: refinery, flyway, sqlx, golang-migrate or dbmate
    #[arg(long, value_name = "LAYOUT", value_parser = layout)]
    layout: Option<Layout>,
}

/// A database, and a folder.
#[derive(clap::Args)]
pub struct PlaceArguments {
    /// The database, as `postgres://USER@HOST/DBNAME`; else `DATABASE_URL`
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    folder: FolderArguments,
    /// Longest wait for one lock, as `500ms` or `3s`
    #[arg(long, value_name = "TIME", value_parser = crate::cli::arguments::duration)]
    #[arg(default_value = "3s", hide_default_value = true)]
    lock_wait: Duration,
}

impl std::fmt::Debug for PlaceArguments {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may hold a password.
        formatter.debug_struct("PlaceArguments").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl PlaceArguments {
    /// How all of the folder is rehearsed.
    pub fn rehearse(&self) -> String {
        let dir = self.folder.dir.as_ref().map(|dir| dir.display().to_string());
        let dir = dir.map(|dir| format!(" --dir {}", crate::cli::session::quoted(&dir))).unwrap_or_default();
        let layout = self.folder.layout.map(|layout| format!(" --layout {layout}")).unwrap_or_default();
        format!("migrate rehearse --all{dir}{layout}")
    }
}

/// A database and a folder at hand.
pub struct Place {
    /// Without a password, for people.
    pub shown: String,
    /// The layout.
    pub layout: Layout,
    /// The folder's migrations, in the order in which they run.
    pub folder: Vec<Migration>,
    /// How the database is reached.
    pub connection: Connection,
    databases: Arc<dyn Databases>,
    lock_wait: Duration,
}

/// What a URL leads to, for people and to connect: the password may stand in the environment.
///
/// # Errors
/// When it is not usable.
pub fn connection(url: &str) -> Result<(String, Connection), Failure> {
    let mut settings = Object::from([("url".to_owned(), Value::from(url.to_owned()).sensitive())]);
    let target =
        Target::read(&settings).map_err(|error| Failure::usage(error.text.clone()).help(error.help.clone()))?;
    if target.password == crate::provider::postgres::settings::Password::Absent
        && let Some(password) = environment::read(Name::PostgresPassword)
    {
        settings.insert("password".to_owned(), Value::from(password).sensitive());
    }
    Ok((target.to_string(), Connection { provider: "postgres".to_owned(), alias: None, settings }))
}

fn layout(text: &str) -> Result<Layout, String> {
    text.parse().map_err(|error: crate::migration::layout::NoSuchLayout| error.to_string())
}

impl FolderArguments {
    /// Whether it was typed.
    pub fn is_named(&self) -> bool {
        self.dir.is_some()
    }

    /// Another folder, and its layout where none was typed.
    #[must_use]
    pub fn with(&self, folder: PathBuf, layout: Option<Layout>) -> Self {
        Self { dir: Some(folder), layout: self.layout.or(layout) }
    }

    fn folder(&self) -> &Path {
        self.dir.as_deref().unwrap_or(Path::new("migrations"))
    }

    /// The folder as it was named.
    pub fn shown(&self) -> String {
        self.folder().display().to_string()
    }

    /// The folder's path.
    pub fn path(&self, session: &Session) -> PathBuf {
        session.path(self.folder())
    }

    /// The folder's layout and its migrations, each file read once where that is possible. `tables` are the layouts whose
    /// history table the database has.
    ///
    /// # Errors
    /// When the layout cannot be told, or with all mistakes.
    pub fn read(&self, session: &Session, tables: &[Layout]) -> Result<(Layout, Vec<Migration>), Failure> {
        let (layout, found) = self.layout(session, tables)?;
        let found = found.map_or_else(|| self.load(session, layout), Ok)?;
        Ok((layout, found))
    }

    /// The folder's migrations in this layout.
    ///
    /// # Errors
    /// With all mistakes.
    fn load(&self, session: &Session, layout: Layout) -> Result<Vec<Migration>, Failure> {
        let (found, mistakes) = layout.load(&DiskFiles, &self.path(session));
        if mistakes.is_empty() {
            return Ok(found);
        }
        let count = crate::review::words::counted(mistakes.len(), "mistake");
        if !self.path(session).is_dir() {
            return Err(self.no_folder(session));
        }
        let mistakes: Vec<Diagnostic> = mistakes.into_iter().map(|one| one.diagnostic(&session.folder)).collect();
        let mut failure = Failure::mistakes(Diagnostics(mistakes), &Sources::default());
        failure.summary = format!("the folder has {count}, read as {layout}'s; nothing was done");
        Err(failure.help("where it is another tool's folder, say so: `--layout NAME`"))
    }

    /// What to type when there is no such folder: this one, or one below it, may be what is meant.
    fn no_folder(&self, session: &Session) -> Failure {
        let failure = Failure::usage(format!("there is no folder `{}` here; nothing was done", self.shown()));
        let here = &session.folder;
        let is_sql = |file: std::fs::DirEntry| file.path().extension().is_some_and(|extension| extension == "sql");
        let is_here = std::fs::read_dir(here).into_iter().flatten().flatten().any(is_sql);
        let own = is_here.then(|| ".".to_owned());
        let named: Vec<String> = own.into_iter().chain(below(session, here)).collect();
        match named.is_empty() {
            true => failure.help("say where the migrations are: `--dir DIR`"),
            false => named
                .into_iter()
                .fold(failure, |failure, dir| failure.help(format!("type the same with `--dir {dir}`"))),
        }
    }

    /// The folders below this one that hold migrations, as they are typed.
    pub fn below(&self, session: &Session) -> Vec<String> {
        below(session, &self.path(session))
    }

    /// The layout: as typed, else that of the only history table there is, else the only one whose names fit.
    ///
    /// # Errors
    /// When it cannot be told.
    fn layout(&self, session: &Session, tables: &[Layout]) -> Result<(Layout, Option<Vec<Migration>>), Failure> {
        if let Some(layout) = self.layout {
            return Ok((layout, None));
        }
        let which = |candidates: &[Layout], why: &str| {
            let names: Vec<&str> = candidates.iter().map(|layout| layout.name()).collect();
            Failure::usage(format!("{why}: {}", names.join(", "))).help("say which: `--layout NAME`")
        };
        match tables {
            [layout] => return Ok((*layout, None)),
            [] => {}
            several => return Err(which(several, "the database has the history tables of several tools")),
        }
        // Whoever says nothing and numbers plainly has the layout that the spec has when it says nothing; whether other
        // tools could read that folder as well need not be asked then.
        if let Some(found) = self.fitting(session, Layout::Refinery) {
            return Ok((Layout::Refinery, Some(found)));
        }
        let others = Layout::ALL.iter().filter(|layout| **layout != Layout::Refinery);
        let mut fitting: Vec<(Layout, Vec<Migration>)> =
            others.filter_map(|layout| Some((*layout, self.fitting(session, *layout)?))).collect();
        // Both ways in one file: any other tool would run them one after the other.
        let place = fitting.iter().position(|(layout, _)| fitting.len() == 1 || *layout == Layout::Dbmate);
        match place.map(|place| fitting.swap_remove(place)) {
            Some((layout, found)) => Ok((layout, Some(found))),
            None if fitting.is_empty() => Ok((Layout::default(), None)),
            None => {
                let names: Vec<Layout> = fitting.iter().map(|(layout, _)| *layout).collect();
                Err(which(&names, "the names of the files fit several tools"))
            }
        }
    }

    /// The folder's migrations, if there are any in this layout and nothing is wrong with them.
    fn fitting(&self, session: &Session, layout: Layout) -> Option<Vec<Migration>> {
        let (found, mistakes) = layout.load(&DiskFiles, &self.path(session));
        (mistakes.is_empty() && !found.is_empty()).then_some(found)
    }
}

impl Place {
    /// Finds the database and reads the folder.
    ///
    /// # Errors
    /// When the URL is not usable, the database is not reached, or the folder has mistakes.
    pub fn open(session: &Session, arguments: &PlaceArguments) -> Result<Self, Failure> {
        Self::at(session, arguments.url.as_deref(), &arguments.folder, arguments.lock_wait)
    }

    /// The same, of these parts.
    ///
    /// # Errors
    /// As [`Place::open`].
    pub fn at(
        session: &Session,
        url: Option<&str>,
        folder: &FolderArguments,
        lock_wait: Duration,
    ) -> Result<Self, Failure> {
        let typed = url.map(str::to_owned).or_else(|| environment::read(Name::DatabaseUrl)).ok_or_else(|| {
            Failure::usage("no database is named").help("type `--url postgres://USER@HOST/DBNAME`, or set DATABASE_URL")
        })?;
        let (shown, mut connection) = connection(&typed)?;
        let databases = session.world.databases.clone();
        let databases = databases.ok_or_else(|| world(&no_provider("postgres")))?;
        let tables = session.wait(databases.layouts(&connection)).map_err(|error| unreached(&error))?;
        let (layout, folder) = folder.read(session, &tables)?;
        connection.settings.insert(Layout::SETTING.to_owned(), Value::from(layout.name()));
        Ok(Self { shown, layout, folder, connection, databases, lock_wait })
    }

    /// The history.
    ///
    /// # Errors
    /// When it cannot be read, or there is no such database.
    pub fn history(&self, session: &Session) -> Result<History, Failure> {
        let found = session.wait(self.databases.history(&self.connection)).map_err(|error| world(&error))?;
        found.ok_or_else(|| Failure::failed(format!("there is no such database: {}", self.shown)))
    }

    /// How each migration stands.
    pub fn lines(&self, history: &History) -> Vec<Line> {
        compare(&self.folder, history, &Default::default(), &Told::default())
    }

    /// The migration with this number.
    pub fn migration(&self, number: i64) -> Option<&Migration> {
        self.folder.iter().find(|migration| migration.version == number)
    }

    /// The number of a version as typed.
    ///
    /// # Errors
    /// When the folder has none like it.
    pub fn number(&self, typed: &str) -> Result<i64, Failure> {
        number(self.layout, &self.folder, typed)
    }

    /// Whoever runs migrations that come right after one another.
    pub fn series(&self) -> Option<Box<dyn Series>> {
        self.databases.series()
    }

    /// Runs one migration, as one of a series where there is one.
    ///
    /// # Errors
    /// As the runner says.
    pub fn run(
        &self,
        session: &Session,
        series: Option<&mut Box<dyn Series>>,
        migration: &Migration,
        direction: Direction,
    ) -> Result<Object, EffectError> {
        let effect = MigrationEffect {
            token: format!("migrate{}", migration.version),
            // There is no ledger, and so no lease: see above.
            fence: Fence::open(),
            direction,
            migration: migration.clone(),
            lock_timeout: self.lock_wait,
            content: Content::Goes,
            from: Position::default(),
        };
        session.wait(async {
            match series {
                Some(series) => series.migrate(&self.connection, &effect, &Talk(session)).await,
                None => self.databases.migrate(&self.connection, &effect, &Talk(session)).await,
            }
        })
    }

    /// What is in the things that a migration added.
    pub fn written(
        &self,
        session: &Session,
        additions: &[crate::migration::addition::Addition],
    ) -> Vec<crate::migration::addition::Written> {
        session.wait(self.databases.written(&self.connection, additions)).unwrap_or_default()
    }
}

/// The number of a version as typed, which a folder must have.
///
/// # Errors
/// When it has none like it.
pub fn number(layout: Layout, folder: &[Migration], typed: &str) -> Result<i64, Failure> {
    let bare = typed.strip_prefix(['V', 'v']).unwrap_or(typed);
    let found = layout.number(bare).filter(|number| folder.iter().any(|one| one.version == *number));
    found.ok_or_else(|| {
        let last = folder.iter().rfind(|migration| !migration.is_repeatable()).map(Migration::version_text);
        let help = last.map_or("it has none at all".to_owned(), |last| format!("the newest one there is {last}"));
        Failure::usage(format!("the folder has no version `{typed}`")).help(help)
    })
}

/// An error of the world before anything was done.
pub fn world(error: &WorldError) -> Failure {
    let failure = Failure::failed(error.tried.clone()).cause(error.cause.clone());
    error.help.iter().fold(failure, |failure, help| failure.help(help.clone()))
}

/// The same of a database that a URL names: there is no spec that could hold a password.
fn unreached(error: &WorldError) -> Failure {
    let mut failure = world(error);
    if error.class == crate::world::ErrorClass::Denied {
        failure.help = vec![
            "give the password in the environment variable PGPASSWORD, or in the URL: `postgres://USER:PASSWORD@HOST/DBNAME`"
                .to_owned(),
        ];
    }
    failure
}

/// An error while something was done: what is known of it, and of what was done before.
pub fn stopped(error: &EffectError, done: usize) -> Failure {
    let mut failure = world(&error.error);
    failure.exit = match (error.trace, done) {
        (Trace::Unknown, _) => Exit::Doubt,
        (Trace::Nothing, 0) => Exit::Failed,
        (Trace::Nothing, _) => Exit::Unfinished,
    };
    match done {
        0 => failure,
        done => failure.help(format!("{} before it stand", crate::review::words::counted(done, "migration"))),
    }
}

/// A refusal because folder and history do not fit: every mismatch, each with its way on.
pub fn mismatched(lines: &[Line]) -> Option<Failure> {
    let mistakes: Vec<_> = lines.iter().filter_map(Line::mistake).collect();
    if mistakes.is_empty() {
        return None;
    }
    let mut failure = Failure::failed("the folder does not fit the history of the database; nothing was done");
    for (what, mend, verb) in &mistakes {
        failure = failure.cause(format!("{what}: {mend}; or, in an environment, `migrate {verb}`"));
    }
    Some(failure)
}

/// Says what is waited for.
pub struct Talk<'a>(pub &'a Session);

impl Progress for Talk<'_> {
    fn say(&self, message: &str) {
        self.0.terminal.say(message);
    }
}

/// The folders right below one that hold SQL files, in order.
pub fn with_files(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_sql = |file: &Path| file.extension().is_some_and(|extension| extension == "sql");
    let below = entries(folder).map(|entry| entry.path()).filter(|path| path.is_dir());
    let mut found: Vec<PathBuf> = below.filter(|path| entries(path).any(|file| is_sql(&file.path()))).collect();
    found.sort();
    found
}

fn below(session: &Session, folder: &Path) -> Vec<String> {
    with_files(folder).iter().map(|found| crate::cli::session::quoted(&shown(session, found))).collect()
}

/// A path as people see it.
pub fn shown(session: &Session, path: &Path) -> String {
    path.strip_prefix(&session.folder).unwrap_or(path).display().to_string()
}

/// The text of a file of the user's.
///
/// # Errors
/// When it cannot be read, or is not UTF-8.
pub fn read(session: &Session, typed: &Path) -> Result<String, Failure> {
    let path = session.path(typed);
    let failed = |why: String| Failure::usage(format!("{} cannot be read: {why}", shown(session, &path)));
    let bytes = crate::files::Files::read(&DiskFiles, &path).map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| failed("it is not UTF-8".to_owned()))
}
