//! `switchback reject`: refuses a change set, or a part of it. Recorded.
//!
//! Invariant: what is refused is exactly this content; a change of it is another one.

use crate::approval::class::Part;
use crate::approval::record::Rejection;
use crate::cli::arguments::Subject;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::gate;
use crate::cli::matter::{Begin, Matter};
use crate::cli::session::Session;
use crate::cli::verb::approvals::Approvals;
use crate::gate::demand;
use crate::ledger::Body;

const AFTER_HELP: &str = "\
Examples:
  switchback reject p.plan.json --reason \"locks orders at noon\"
  switchback reject p.plan.json --part database --reason \"no way back\"
  switchback reject prod --reason \"not today\"

Whoever may sign may refuse; so may anybody who can write the ledger. An apply of what was
refused ends with exit 9 until the same person, or an owner, signs it again; signatures from
before do not lift it. What is planned otherwise is another change, and has to be signed anew.";

/// Refuse a change set
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Only this part: database, infrastructure, configuration or rules
    #[arg(long = "part", value_name = "PART", value_parser = part)]
    parts: Vec<Part>,
}

/// A part as typed.
pub fn part(text: &str) -> Result<Part, String> {
    Part::of(text).ok_or_else(|| format!("`{text}` is none of {}", Part::ALL.map(Part::word).join(", ")))
}

/// Runs the verb.
///
/// # Errors
/// When nobody has to sign here, there is no such part, or the ledger cannot be written.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    if arguments.reason.trim().is_empty() {
        return Err(Failure::usage("a rejection takes a reason, which is recorded; nothing was done"));
    }
    let (mut matter, mut hold) = Matter::open(session, &arguments.subject, "reject", Begin::IfNeeded)?;
    let case = gate::case(session, hold.ledger.state(), matter.asking(), &[]);
    let rules = demand::rules(case.state, case.change_set).map(|(rules, _)| rules.clone());
    let Some(rules) = rules.filter(|rules| !rules.asks_for_nothing()) else {
        return Err(Failure::usage("nobody has to sign here, so nothing can be rejected; nothing was done")
            .help("`docs/approvals.md` shows how an environment asks for signatures"));
    };
    let known = demand::parts(case);
    let is_meant = |part: &Part| match arguments.parts.as_slice() {
        [] => *part != Part::Whole || demand::destroys(case),
        parts => parts.contains(part),
    };
    let by = rules.person(&session.actor.name).unwrap_or(&session.actor.name).to_owned();
    let refuse = |(part, digest)| {
        let rejection = Rejection { by: by.clone(), part, digest, reason: arguments.reason.clone() };
        Body::Rejected { actor: session.actor.clone(), rejection: Box::new(rejection) }
    };
    let refused = known.into_iter().filter(|(part, _)| is_meant(part));
    let bodies: Vec<Body> = refused.filter_map(|(part, digest)| Some(refuse((part, digest?)))).collect();
    if bodies.is_empty() {
        return Err(Failure::usage("there is nothing of that in the change set; nothing was done"));
    }
    hold.secure()?;
    session.wait(hold.ledger.append(session.world.clock.now(), bodies))?;
    matter.refresh(session, &hold);
    session.terminal.show(&Approvals::of(&matter));
    Ok(Exit::Done)
}
