//! `switchback migrate status`: a folder beside the history of a database.

use serde::Serialize;

use super::place::{Place, PlaceArguments};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::terminal::View;
use crate::plan::mismatch::{Line, Standing};
use crate::review::text::{Paint, Role};
use crate::review::words::harmless;

/// Show what is applied, what is pending, and what does not fit
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// Exit with 2 if something is pending, with 11 if something does not fit
    #[arg(long)]
    detailed_exitcode: bool,
}

/// How migrations stand.
#[derive(Serialize)]
pub struct Status {
    /// The database.
    pub database: String,
    /// The layout.
    pub layout: &'static str,
    /// Each migration.
    pub migrations: Vec<Line>,
    /// How many will run.
    pub pending: usize,
    /// How many do not fit.
    pub mismatches: usize,
}

impl Status {
    /// Of these lines.
    pub fn of(database: String, layout: &'static str, migrations: Vec<Line>) -> Self {
        let is_pending = |line: &&Line| matches!(line.standing, Standing::Pending | Standing::PendingAgain);
        let pending = migrations.iter().filter(is_pending).count();
        let mismatches = migrations.iter().filter(|line| line.mistake().is_some()).count();
        Self { database, layout, migrations, pending, mismatches }
    }
}

impl View for Status {
    fn text(&self, paint: &dyn Paint) -> String {
        let mut text = format!("{} in {}'s layout\n", harmless(&self.database), self.layout);
        for line in &self.migrations {
            let (role, word) = match &line.standing {
                Standing::Applied => (Role::Faint, "applied"),
                Standing::Pending => (Role::Heading, "pending"),
                Standing::PendingAgain => (Role::Heading, "pending, its text changed"),
                Standing::Skipped => (Role::Faint, "left out"),
                Standing::Altered => (Role::Danger, "altered"),
                Standing::Renamed { .. } => (Role::Danger, "renamed"),
                Standing::Late { .. } => (Role::Danger, "late"),
                Standing::Missing => (Role::Danger, "without a file"),
            };
            let is_one_way = !line.way_back && matches!(line.standing, Standing::Pending | Standing::PendingAgain);
            let back = if is_one_way { "  (no file for its way back)" } else { "" };
            text += &paint.paint(role, &format!("  {:<14} {}{back}", word, harmless(&line.label)));
            text.push('\n');
        }
        for (what, mend, verb) in self.migrations.iter().filter_map(Line::mistake) {
            text += &format!("error: {}\nhelp: {mend}; or, in an environment, `migrate {verb}`\n", harmless(&what));
        }
        text + &match (self.pending, self.mismatches) {
            (0, 0) => "nothing is pending\n".to_owned(),
            (pending, 0) => {
                let (rehearse, up) =
                    ("`switchback migrate rehearse` proves both ways", "`switchback migrate up` runs them");
                format!("{pending} pending; {rehearse}, {up}\n")
            }
            (pending, 1) => format!("{pending} pending; one line has to be mended first\n"),
            (pending, mismatches) => format!("{pending} pending; {mismatches} lines have to be mended first\n"),
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// When the database or the folder cannot be read.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let place = Place::open(session, &arguments.place)?;
    let lines = place.lines(&place.history(session)?);
    let status = Status::of(place.shown.clone(), place.layout.name(), lines);
    session.terminal.show(&status);
    Ok(match (arguments.detailed_exitcode, status.mismatches, status.pending) {
        (false, ..) | (true, 0, 0) => Exit::Done,
        (true, 0, _) => Exit::Changes,
        (true, ..) => Exit::Drift,
    })
}
