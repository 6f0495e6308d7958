//! `switchback doctor`: what this machine and project lack.
//!
//! Invariant: it looks and changes nothing.

use serde::Serialize;

use super::local::places;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::spec;
use crate::cli::terminal::View;
use crate::ledger::Ledger;
use crate::local::{Finding, Verdict, doctor};
use crate::review::text::{Paint, Role};

const AFTER_HELP: &str = "\
Examples:
  switchback doctor          what is good, what is missing, and what to type
  switchback doctor --json   the same for a script

Exit code 1 if anything is bad.";

/// Say what this machine and project lack
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {}

#[derive(Serialize)]
struct Findings {
    tool: &'static str,
    findings: Vec<Finding>,
}

impl View for Findings {
    fn text(&self, paint: &dyn Paint) -> String {
        let mut text = format!("switchback {}\n", self.tool);
        for finding in &self.findings {
            let word = match finding.verdict {
                Verdict::Good => paint.paint(Role::Added, "good"),
                Verdict::Bad => paint.paint(Role::Danger, "bad "),
            };
            text += &format!("  {word}  {:<15} {}\n", finding.check, finding.detail);
            if let Some(help) = &finding.help {
                text += &format!("                        help: {help}\n");
            }
        }
        text
    }
}

/// Runs the verb.
///
/// # Errors
/// Never; what is bad is a finding.
pub fn run(_arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let mut findings = Vec::new();
    let folder = match session.project() {
        Some(project) => {
            findings.push(good("project", project.display().to_string()));
            for environment in spec::environments(&project) {
                findings.push(ledger(session, &environment));
            }
            project
        }
        None => {
            findings
                .push(good("project", format!("none in {}; `switchback init` begins one", session.folder.display())));
            session.folder.clone()
        }
    };
    findings.extend(doctor(&folder, &places(), None));
    let all_good = findings.iter().all(|finding| finding.verdict == Verdict::Good);
    session.terminal.show(&Findings { tool: env!("CARGO_PKG_VERSION"), findings });
    Ok(if all_good { Exit::Done } else { Exit::Failed })
}

fn ledger(session: &Session, environment: &str) -> Finding {
    let opened = session.store(environment).and_then(|store| {
        let ledger = session.wait(Ledger::open(store))?;
        Ok(format!("{environment}: the last record is {} in {}", ledger.last(), ledger.url()))
    });
    match opened {
        Ok(detail) => good("ledger", detail),
        Err(failure) => Finding {
            check: "ledger",
            verdict: Verdict::Bad,
            detail: format!("{environment}: {}", failure.summary),
            help: failure.help.first().cloned(),
        },
    }
}

fn good(check: &'static str, detail: String) -> Finding {
    Finding { check, verdict: Verdict::Good, detail, help: None }
}
