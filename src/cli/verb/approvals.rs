//! `switchback approvals`: who has to sign a change set, and who did. Read-only.

use serde::Serialize;

use crate::cli::arguments::Subject;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::matter::{Begin, Matter};
use crate::cli::session::Session;
use crate::cli::terminal::View;
use crate::digest::Digest;
use crate::review::signing::Signing;
use crate::review::text::{Paint, Role};
use crate::review::words::harmless;

const AFTER_HELP: &str = "\
Examples:
  switchback approvals p.plan.json        what is needed, given, void and why, of a saved plan
  switchback approvals prod               the same of what a plan of prod would be now
  switchback approvals p.plan.json --json for a script

Asks nobody but the ledger, of a saved plan; of an environment it plans first.";

/// Show who has to sign a change set, and who did
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    subject: Subject,
}

/// Who has to sign, and who did.
#[derive(Serialize)]
pub struct Approvals {
    environment: String,
    change_set: Digest,
    complete: bool,
    signing: Signing,
}

impl Approvals {
    /// Of what is at hand.
    pub fn of(matter: &Matter) -> Self {
        let (change_set, signing) = (&matter.change_set, matter.grounds.signing.clone());
        let (environment, complete) = (change_set.environment.clone(), signing.is_complete());
        Self { environment, change_set: change_set.digest(), complete, signing }
    }
}

/// Runs the verb.
///
/// # Errors
/// When the plan cannot be read or made, or the ledger cannot be read.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let (mut matter, hold) = Matter::open(session, &arguments.subject, "approvals", Begin::Never)?;
    matter.refresh(session, &hold);
    session.terminal.show(&Approvals::of(&matter));
    Ok(Exit::Done)
}

impl View for Approvals {
    fn text(&self, paint: &dyn Paint) -> String {
        let Self { environment, change_set, complete, signing } = self;
        let mut text = format!("change set {} for {environment}\n", change_set.short());
        for (is_missing, line) in signing.lines() {
            let role = if is_missing { Role::Warning } else { Role::Faint };
            text += &format!("  {}\n", paint.paint(role, &line));
        }
        if !signing.rules.is_empty() {
            text += &format!("  {}\n", signing.rules);
        }
        text += match (signing.needed.is_empty() && signing.refused.is_empty(), complete) {
            (true, _) => "nobody has to sign it\n",
            (false, true) => "it has every signature that it needs\n",
            (false, false) => "it is not signed yet\n",
        };
        if let Some(line) = &signing.line {
            text += &format!("to sign it, type: {}\n", harmless(line));
        }
        text
    }
}
