//! `switchback drift`: what is not as it was applied, and what is not applied yet. Read-only.

use std::sync::Arc;

use serde::Serialize;

use crate::cli::drifting::{self, Schemas};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::images;
use crate::cli::session::Session;
use crate::cli::spec;
use crate::cli::telling;
use crate::cli::terminal::View;
use crate::diagnostic::Sources;
use crate::drift::{Area, Class, Departure, Report, Unseen};
use crate::review::difference::Difference;
use crate::review::text::{Paint, Role, difference_line};
use crate::review::words::{counted, harmless};
use crate::secret::Secrets;

const AFTER_HELP: &str = "\
Examples:
  switchback drift prod                           what differs, and why; exit 11 if out of band
  switchback drift prod --json                    the same facts for a script
  switchback drift prod --without-schema          schemas by their histories only
  switchback drift prod --ledger s3://bucket/shop without a project: what is declared is not told

Read-only: it writes neither to the world nor to the ledger. A difference is `out of band` (the
world is not what the ledger recorded last), `declared but not applied` (the spec asks for it), or
`expected` (the ledger or the spec says why). For schemas the migrations that the ledger holds run
on a throw-away PostgreSQL, and every object is compared. A spec with mistakes is told, and what
was applied is compared all the same. Exit 0 when nothing is out of band; 1 when something could
not be looked at and nothing else was found.";

/// Show what is not as it was applied, and what is not applied yet
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
    /// Compare no schemas object by object, only the histories of their migrations
    #[arg(long)]
    without_schema: bool,
}

#[derive(Serialize)]
struct Drift {
    environment: String,
    #[serde(flatten)]
    report: Report,
    out_of_band: usize,
    declared: usize,
    expected: usize,
    exit_code: u8,
    next: Vec<String>,
}

/// Runs the verb.
///
/// # Errors
/// When the ledger cannot be read, the spec has mistakes, or nobody knows the environment.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let environment = &arguments.environment;
    let ledger = session.known_ledger(environment)?;
    let (resolved, mistakes) = match session.project().map(|_| session.resolve(environment)) {
        Some(Ok(resolved)) => (Some(images::pin_as_recorded(&session.kinds, ledger.state(), resolved)), None),
        // What was applied can be held against the world without the spec.
        Some(Err(failure)) if failure.exit == Exit::Spec && !ledger.state().runs.is_empty() => (None, Some(failure)),
        Some(Err(failure)) => return Err(failure),
        None => (None, None),
    };
    let secrets: Arc<dyn Secrets> = match &resolved {
        Some(resolved) => Arc::clone(&resolved.secrets),
        None => spec::secrets_at_hand(session, environment, ledger.state())?,
    };
    let schemas = if arguments.without_schema { Schemas::LeftOut } else { Schemas::Compared };
    let view = drifting::View { ledger: &ledger, resolved: resolved.as_ref(), secrets: &*secrets };
    let (mut report, diagnostics) = session.wait(drifting::report(session, &view, schemas));
    if let Some(failure) = &mistakes {
        session.terminal.say(failure.rendered.trim_end());
        report.unseen.push(undeclared(failure));
    }
    match &resolved {
        Some(resolved) => session.warn(&diagnostics, &resolved.sources),
        None => session.warn(&diagnostics, &Sources::default()),
    }
    let exit = match report.count(Class::OutOfBand) {
        0 if report.unseen.is_empty() => Exit::Done,
        0 => Exit::Failed,
        _ => Exit::Drift,
    };
    telling::drift(session, ledger.state(), resolved.as_ref(), environment, &report);
    session.terminal.show(&Drift::of(session, environment, report, exit));
    Ok(exit)
}

/// That the spec could not be asked what it declares.
fn undeclared(failure: &Failure) -> Unseen {
    let mistakes = failure.diagnostics.first().map_or(&*failure.summary, |first| &*first.summary);
    let why = format!("what is declared and not applied yet, for the spec has mistakes: {mistakes}");
    Unseen {
        area: Area::Ledger,
        address: "spec".to_owned(),
        why: failure.causes.iter().fold(why, |why, cause| format!("{why}\n{cause}")),
        help: failure.help.first().cloned(),
    }
}

impl Drift {
    fn of(session: &Session, environment: &str, report: Report, exit: Exit) -> Self {
        let (out_of_band, declared) = (report.count(Class::OutOfBand), report.count(Class::Declared));
        let expected = report.count(Class::Expected);
        let mut next = Vec::new();
        // A plan compares what was applied, so it has nothing to say of an object that somebody altered.
        let by_plan = |one: &Departure| match one.class {
            Class::OutOfBand => {
                let of_history = |object: &String| object.starts_with("row of history");
                one.area != Area::Schema || one.object.as_ref().is_none_or(of_history)
            }
            Class::Declared => true,
            Class::Expected => false,
        };
        if report.departures.iter().any(by_plan) {
            next.push(session.command(&format!("plan {environment}")));
        }
        let environment = environment.to_owned();
        Self { environment, report, out_of_band, declared, expected, exit_code: exit.code(), next }
    }
}

impl View for Drift {
    fn text(&self, paint: &dyn Paint) -> String {
        let counts =
            [(Class::OutOfBand, self.out_of_band), (Class::Declared, self.declared), (Class::Expected, self.expected)];
        let told: Vec<String> = counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(class, count)| format!("{count} {}", class.words()))
            .collect();
        let summary = match told.is_empty() {
            true if self.report.unseen.is_empty() => "everything is as it was applied".to_owned(),
            true => "nothing was found, and not everything could be looked at".to_owned(),
            false => told.join(", "),
        };
        let mut text =
            format!("{}: {summary}\n", paint.paint(Role::Heading, &format!("drift of {}", self.environment)));
        for class in Class::ALL {
            let of_class: Vec<&Departure> = self.report.departures.iter().filter(|one| one.class == class).collect();
            if !of_class.is_empty() {
                let heading = paint.paint(role(class), class.words());
                text += &format!("\n{heading}: {}\n", class.meaning());
                text += &of_class.into_iter().map(|one| departure(one, paint)).collect::<String>();
            }
        }
        let of_schema = |one: &Departure| one.class == Class::OutOfBand && one.area == Area::Schema;
        if self.report.departures.iter().any(of_schema) {
            text += "\na schema is mended by hand, or by a new migration: `plan` compares what was applied, not each object\n";
        }
        text += &unseen(&self.report.unseen, paint);
        if !self.next.is_empty() {
            text += &format!("\nnext: {}\n", self.next.join("\n      "));
        }
        text
    }
}

fn role(class: Class) -> Role {
    match class {
        Class::OutOfBand => Role::Danger,
        Class::Declared => Role::Warning,
        Class::Expected => Role::Faint,
    }
}

fn departure(departure: &Departure, paint: &dyn Paint) -> String {
    let mut text = format!("  {}", harmless(&departure.address));
    if let Some(object) = &departure.object {
        text += &format!(", {}", harmless(object));
    }
    text += &format!(" {} {}\n", departure.what.words(), paint.paint(Role::Faint, &format!("({})", departure.area)));
    text += &departure.differences.iter().map(|one| leaf(one, paint)).collect::<String>();
    if let Some(because) = &departure.because {
        text += &format!("      because {}\n", harmless(because));
    }
    text
}

/// One leaf that differs.
pub fn leaf(difference: &Difference, paint: &dyn Paint) -> String {
    let (sign, line) = difference_line(difference);
    let role = match sign {
        '+' => Role::Added,
        '-' => Role::Removed,
        _ => Role::Changed,
    };
    let sign = if sign == ' ' { '~' } else { sign };
    format!("      {}\n", paint.paint(role, &format!("{sign} {line}")))
}

/// What could not be looked at.
fn unseen(unseen: &[Unseen], paint: &dyn Paint) -> String {
    if unseen.is_empty() {
        return String::new();
    }
    let heading = paint.paint(Role::Danger, &format!("not looked at ({})", counted(unseen.len(), "thing")));
    let lines: String = unseen.iter().map(unseen_line).collect();
    format!("\n{heading}\n{lines}")
}

/// One thing that could not be looked at, and what to do.
pub fn unseen_line(unseen: &Unseen) -> String {
    let mut text = format!("  {} ({})\n", harmless(&unseen.address), unseen.area);
    text += &format!("      {}\n", harmless(&unseen.why).replace('\n', "\n      "));
    if let Some(help) = &unseen.help {
        text += &format!("      help: {}\n", harmless(help));
    }
    text
}
