//! `switchback diff`: two environments side by side. Read-only.

use std::sync::Arc;

use serde::Serialize;

use super::drift::{leaf, unseen_line};
use crate::cli::drifting::{self, Schemas};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::images;
use crate::cli::session::{Resolved, Session};
use crate::cli::siding::{Place, sides};
use crate::cli::spec;
use crate::cli::terminal::View;
use crate::drift::sides::{Apart, How};
use crate::drift::{Area, Unseen};
use crate::ledger::Ledger;
use crate::review::text::{Paint, Role};
use crate::review::words::harmless;
use crate::secret::Secrets;

const AFTER_HELP: &str = "\
Examples:
  switchback diff staging prod                    configuration, infrastructure and schema
  switchback diff staging prod --json             the same facts for a script
  switchback diff staging prod --detailed-exitcode
                                                  exit 2 if they differ, else 0

Read-only. What is equal is left out, and so are names that only follow from the environment: its
own name in a text, and what the world calls its things (ARNs). Both environments are looked at as
they are. Secrets are compared in memory, and told as different only.";

/// Show two environments side by side
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// One environment
    #[arg(value_name = "ENV")]
    left: String,
    /// The other one
    #[arg(value_name = "ENV")]
    right: String,
    /// Compare no schemas object by object, only which migrations are applied
    #[arg(long)]
    without_schema: bool,
    /// Exit with 2 if they differ
    #[arg(long)]
    detailed_exitcode: bool,
}

#[derive(Serialize)]
struct Diff {
    left: String,
    right: String,
    differences: Vec<Apart>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unseen: Vec<NotSeen>,
}

#[derive(Serialize)]
struct NotSeen {
    environment: String,
    #[serde(flatten)]
    unseen: Unseen,
}

/// An environment, opened.
struct Opened {
    ledger: Ledger,
    resolved: Option<Resolved>,
    secrets: Arc<dyn Secrets>,
}

impl Opened {
    fn of(session: &Session, environment: &str) -> Result<Self, Failure> {
        let ledger = session.known_ledger(environment)?;
        // What is there can be compared without a spec, or with one that has mistakes.
        let read = |project: std::path::PathBuf| spec::resolve(session, &project, environment, spec::Missing::Refuse);
        let resolved = session.project().map(read).transpose()?.and_then(|(resolved, _, _)| resolved);
        let resolved = resolved.map(|resolved| images::pin_as_recorded(&session.kinds, ledger.state(), resolved));
        let secrets = match &resolved {
            Some(resolved) => Arc::clone(&resolved.secrets),
            None => spec::secrets_at_hand(session, environment, ledger.state())?,
        };
        Ok(Self { ledger, resolved, secrets })
    }

    fn place<'a>(&'a self, name: &'a str) -> Place<'a> {
        let view = drifting::View { ledger: &self.ledger, resolved: self.resolved.as_ref(), secrets: &*self.secrets };
        Place { name, view }
    }
}

/// Runs the verb.
///
/// # Errors
/// When a ledger cannot be read, or nobody knows one of the environments.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let Arguments { left, right, without_schema, detailed_exitcode } = arguments;
    if left == right {
        return Err(Failure::usage(format!("`{left}` is named twice")).help("name two environments"));
    }
    let (one, other) = (Opened::of(session, left)?, Opened::of(session, right)?);
    let schemas = if *without_schema { Schemas::LeftOut } else { Schemas::Compared };
    let compared = session.wait(sides(session, &one.place(left), &other.place(right), schemas));
    let unseen = compared.unseen.into_iter().map(|(environment, unseen)| NotSeen { environment, unseen });
    let diff = Diff { left: left.clone(), right: right.clone(), differences: compared.apart, unseen: unseen.collect() };
    session.terminal.show(&diff);
    Ok(match (diff.unseen.is_empty(), diff.differences.is_empty()) {
        (false, _) => Exit::Failed,
        (true, false) if *detailed_exitcode => Exit::Changes,
        (true, _) => Exit::Done,
    })
}

impl View for Diff {
    fn text(&self, paint: &dyn Paint) -> String {
        let heading = paint.paint(Role::Heading, &format!("{} beside {}", self.left, self.right));
        let summary = match self.differences.len() {
            0 if self.unseen.is_empty() => "no difference".to_owned(),
            0 => "no difference was found, and not everything could be looked at".to_owned(),
            1 => "1 difference".to_owned(),
            count => format!("{count} differences"),
        };
        let mut text = format!("{heading}: {summary}\n");
        for area in [Area::Configuration, Area::Infrastructure, Area::Schema] {
            let of_area: Vec<&Apart> = self.differences.iter().filter(|one| one.area == area).collect();
            if !of_area.is_empty() {
                text += &format!("\n{} ({} -> {})\n", paint.paint(Role::Heading, area.word()), self.left, self.right);
                text += &of_area.into_iter().map(|one| apart(one, paint)).collect::<String>();
            }
        }
        if !self.unseen.is_empty() {
            text += &format!("\n{}\n", paint.paint(Role::Danger, "not looked at"));
            let line = |one: &NotSeen| format!("  {}:\n{}", one.environment, unseen_line(&one.unseen));
            text += &self.unseen.iter().map(line).collect::<String>();
        }
        text
    }
}

fn apart(apart: &Apart, paint: &dyn Paint) -> String {
    let mut text = format!("  {}", harmless(&apart.address));
    if let Some(object) = &apart.object {
        text += &format!(", {}", harmless(object));
    }
    text += &match &apart.how {
        How::OnlyIn { environment } => format!(": only in {environment}\n"),
        How::Differs => ":\n".to_owned(),
    };
    text + &apart.differences.iter().map(|one| leaf(one, paint)).collect::<String>()
}
