//! `history --verify`: whether the chain is what was once written. Read-only, offline.

use serde::Serialize;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::terminal::View;
use crate::digest::Digest;
use crate::ledger::verify::{self, Fault, Whole};
use crate::review::text::{Paint, Role};
use crate::review::words::{counted, harmless};

#[derive(Serialize)]
struct Verdict {
    environment: String,
    ledger: String,
    whole: bool,
    #[serde(flatten)]
    finding: Finding,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Finding {
    Whole(Whole),
    Broken(Fault),
}

/// Checks the chain of an environment, against a head that was noted elsewhere if there is one.
///
/// # Errors
/// When the ledger cannot be read, or nobody knows the environment.
pub fn show(session: &Session, environment: &str, noted: Option<Digest>) -> Result<Exit, Failure> {
    let store = session.store(environment)?;
    let found = session.wait(verify::examine(&*store, noted))?;
    if matches!(&found, Ok(whole) if whole.records == 0) {
        // A name that was mistyped is not a ledger without records.
        session.known_ledger(environment)?;
    }
    let exit = if found.is_ok() { Exit::Done } else { Exit::Failed };
    let whole = found.is_ok();
    let detail = found.as_ref().err().map(ToString::to_string);
    let finding = found.map_or_else(Finding::Broken, Finding::Whole);
    session.terminal.show(&Verdict {
        environment: environment.to_owned(),
        ledger: store.url(),
        whole,
        finding,
        detail,
    });
    Ok(exit)
}

impl View for Verdict {
    fn text(&self, paint: &dyn Paint) -> String {
        let Self { environment, ledger, .. } = self;
        match &self.finding {
            Finding::Broken(fault) => {
                let head =
                    format!("the ledger of {environment} is not what was written: {}", harmless(&fault.to_string()));
                let keep = "keep it as it is, restore it from a backup, and find out who could write there";
                format!("{}\n  {ledger}\nhelp: {keep}\n", paint.paint(Role::Danger, &head))
            }
            Finding::Whole(whole) => {
                let count = counted(usize::try_from(whole.records).unwrap_or(usize::MAX), "record");
                let mut text =
                    format!("the ledger of {environment} is whole: {count}, head {}\n  {ledger}\n", whole.head);
                text += &match &whole.noted {
                    Some(noted) if noted.after == 0 => "the noted head is that of its last record\n".to_owned(),
                    Some(noted) => format!(
                        "the noted head is that of record {}; {} came after it\n",
                        noted.record,
                        counted(usize::try_from(noted.after).unwrap_or(usize::MAX), "record")
                    ),
                    None => "that no record is missing at its end shows only against a head noted elsewhere: `--head HASH`\n".to_owned(),
                };
                text
            }
        }
    }
}
