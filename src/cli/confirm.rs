//! Questions before something is changed. An edge.
//!
//! Invariant: where nobody can answer, nothing is asked and nothing is done.

use super::exit::Exit;
use super::failure::Failure;
use super::terminal::Terminal;

/// Who says yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// `--auto-approve` was typed.
    Given,
    /// A person is asked.
    Asked,
}

impl Consent {
    /// As typed.
    pub fn of(auto_approve: bool) -> Self {
        if auto_approve { Self::Given } else { Self::Asked }
    }
}

/// Gets a yes.
///
/// # Errors
/// When the answer is no, or nobody is there to answer.
pub fn confirm(terminal: &Terminal, consent: Consent, question: &str) -> Result<(), Failure> {
    if consent == Consent::Given {
        return Ok(());
    }
    match terminal.ask(question) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new(Exit::Unconfirmed, "not confirmed; nothing was done")),
        None => Err(Failure::new(
            Exit::Unconfirmed,
            "this asks for a confirmation, and there is no terminal to ask on; nothing was done",
        )
        .help("type the same with `--auto-approve`")),
    }
}
