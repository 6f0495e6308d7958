//! `switchback unlock`: takes the lease away from whoever holds it. Recorded.
//!
//! Invariant: it takes away only the lease that was shown.

use serde::Serialize;

use crate::cli::confirm::{Consent, confirm};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::holder::Holder;
use crate::cli::session::Session;
use crate::cli::terminal::View;
use crate::ledger::{Body, Ledger, StoreError};
use crate::review::text::Paint;

const AFTER_HELP: &str = "\
Examples:
  switchback unlock prod --reason \"the runner's disk died\"
                          say who holds the lease and what it risks, ask, take it away
  switchback unlock prod --reason \"...\" --auto-approve
                          without the question

Seldom needed: a lease runs out by itself, and one whose process is gone is taken over at once.
If its holder is alive after all, it starts no further step and ends with exit 7; what it had
sent already may still arrive.";

/// Take the lease away from whoever holds it
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Do not ask
    #[arg(long)]
    auto_approve: bool,
}

#[derive(Serialize)]
struct Unlocked {
    environment: String,
    unlocked: bool,
    holder: Option<Holder>,
    next: Vec<String>,
}

/// Runs the verb.
///
/// # Errors
/// When nobody confirms it, or the ledger cannot be written.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let environment = &arguments.environment;
    let mut ledger = session.known_ledger(environment)?;
    let Some(holder) = Holder::of(session, &ledger) else {
        let next = Vec::new();
        session.terminal.show(&Unlocked { environment: environment.clone(), unlocked: false, holder: None, next });
        return Ok(Exit::Done);
    };
    let shown = ledger.state().lease.as_ref().map(|lease| lease.number);
    session.terminal.say(&format!("the lease of {environment} is held by {}", holder.line()));
    session.terminal.say(risk(&holder));
    let question = format!("Take the lease of {environment} away from {}?", holder.name);
    confirm(&session.terminal, Consent::of(arguments.auto_approve), &question)?;
    let unlocked = take_away(session, &mut ledger, shown, &arguments.reason)?;
    let next = vec![session.command(&format!("status {environment}"))];
    session.terminal.show(&Unlocked { environment: environment.clone(), unlocked, holder: Some(holder), next });
    Ok(Exit::Done)
}

fn risk(holder: &Holder) -> &'static str {
    match holder.is_over() {
        true => "this is not needed: whoever comes next takes it over",
        false => {
            "what it has sent already may still arrive after you take the lease away; it starts nothing more.\n\
             See that it is dead, or wait until its lease is over, if you can"
        }
    }
}

/// Takes away the lease that was shown; the holder's signs of life in between change nothing. Says whether it was
/// still held.
fn take_away(session: &Session, ledger: &mut Ledger, shown: Option<u64>, reason: &str) -> Result<bool, Failure> {
    loop {
        let actor = session.actor.clone();
        let body = Body::Unlocked { actor, reason: reason.to_owned() };
        match session.wait(ledger.append(session.world.clock.now(), vec![body])) {
            Ok(()) => return Ok(true),
            Err(StoreError::Overtaken { .. }) => session.wait(ledger.refresh())?,
            Err(error) => return Err(error.into()),
        }
        let held = ledger.state().lease.as_ref().map(|lease| lease.number);
        if held.is_none() {
            return Ok(false);
        }
        if held != shown {
            return Err(Failure::new(Exit::Leased, "somebody else has taken the lease meanwhile; nothing was done")
                .help("type the same again to see who"));
        }
    }
}

impl View for Unlocked {
    fn text(&self, _paint: &dyn Paint) -> String {
        let environment = &self.environment;
        match (&self.holder, self.unlocked) {
            (None, _) => format!("nobody holds the lease of {environment}\n"),
            (Some(_), true) => {
                format!("the lease of {environment} was taken away; type next: {}\n", self.next.join(", "))
            }
            (Some(_), false) => format!("the lease of {environment} was given back meanwhile\n"),
        }
    }
}
