//! `switchback plan`: the change set and its review; never writes to world or ledger.

use std::path::PathBuf;

use crate::address::Address;
use crate::cli::arguments::{Form, OfDatabase, address};
use crate::cli::door;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::foretold::{changed_ways_back, foretell};
use crate::cli::gate::{self, Asking};
use crate::cli::images;
use crate::cli::plan_file::PlanFile;
use crate::cli::planning::{self, Proofs, Proved};
use crate::cli::session::Session;
use crate::cli::showing::show;
use crate::cli::telling;
use crate::cli::unproved::{self, Rehearsing};
use crate::plan::Options;
use crate::rehearse::Effort;
use crate::review::Review;
use crate::review::text::Role;
use crate::review::words;

const AFTER_HELP: &str = "\
Examples:
  switchback plan dev                             what would change, and the way back
  switchback plan staging --out s.plan.json       save it, for `switchback apply s.plan.json`
  switchback plan staging --as md > comment.md    a comment for a pull request
  switchback plan staging --as sarif > s.sarif    findings for a code scanner; `junit` for CI
  switchback plan staging --as sql > forth.sql    the script for `psql`; `sql-down` goes back
  switchback plan staging --detailed-exitcode     exit 2 if there are changes, else 0
  switchback plan dev --target database.app       only this and what it needs
  switchback plan dev --destroy                   how everything would be removed
  switchback plan dev --no-rehearsal              without proving migrations

Planning reads the world and the ledger and writes to neither. Migrations are rehearsed on a
throw-away PostgreSQL (`switchback rehearse --help`); what was proved once is not rehearsed again.";

/// Show what would change, in which order, and the way back of each step
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
    /// Save the plan; only you can read the file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The form of the review on stdout
    #[arg(long = "as", value_name = "FORM", value_enum)]
    form: Option<Form>,
    #[command(flatten)]
    of: OfDatabase,
    /// Plan to remove everything
    #[arg(long, conflicts_with_all = ["targets", "replace"])]
    destroy: bool,
    /// Only this and what it needs; may be repeated
    #[arg(long = "target", value_name = "ADDRESS", value_parser = address)]
    targets: Vec<Address>,
    /// Replace this even if nothing about it changes; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    replace: Vec<Address>,
    /// Exit with 2 if there are changes
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    rehearsing: Rehearsing,
}

/// Runs the verb.
///
/// # Errors
/// When the spec has mistakes, or the world or ledger cannot be read.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let environment = &arguments.environment;
    let resolved = session.resolve(environment)?;
    door::refuse_branch(session, &resolved.desired.environment)?;
    let ledger = session.ledger(environment)?;
    let resolved = if arguments.destroy { resolved } else { images::pin(session, ledger.state(), resolved)? };
    if let Some(run) = ledger.state().unfinished() {
        session.terminal.say_as(
            Role::Warning,
            &format!(
                "run {} is unfinished; an apply of this plan will be refused: `resume` or `rollback` it first",
                run.number
            ),
        );
    }
    if let Some(hold) = ledger.state().holds.get(&resolved.desired.spec_digest) {
        let words = format!("this spec is held, an apply of it will be refused: {}", words::harmless(&hold.reason));
        session.terminal.say_as(Role::Warning, &words);
    }
    for line in super::status::kept(ledger.state()) {
        session.terminal.say(&format!("kept: {line}"));
    }
    let proofs = Proofs::From(arguments.rehearsing.effort());
    let Proved { change_set, mut grounds, .. } = if arguments.destroy {
        session.wait(super::destroy::plan(session, &ledger, &resolved, Proofs::From(Effort::Known)))?
    } else {
        let (targets, replace) = (arguments.targets.clone(), arguments.replace.clone());
        let options = Options { targets, replace, ..Options::default() };
        session.wait(planning::plan(session, &ledger, &resolved, &options, proofs))?
    };
    let is_empty = change_set.steps.is_empty() && grounds.signing.changes_of_rules.is_empty();
    if let Some(out) = &arguments.out {
        let file = out.display().to_string();
        let author = Some(&*session.actor.name);
        let asking =
            Asking { change_set: &change_set, grounds: &grounds, author, file: Some(&file), break_glass: None };
        let signing = gate::signing(session, ledger.state(), asking);
        grounds.signing = signing;
    }
    show(session, &change_set, &Review::proved(&change_set, &grounds), arguments.form, &arguments.of)?;
    if !is_empty {
        telling::planned(session, ledger.state(), &resolved, (&change_set, &grounds));
    }
    changed_ways_back(session, ledger.state(), &resolved);
    let passes = foretell(session, &change_set, &grounds, &unproved::typed("apply", environment));
    if let Some(out) = &arguments.out {
        PlanFile::new(change_set, grounds).by(&session.actor).pinned(&session.root()).write(&session.path(out))?;
        let next = session.command(&format!("apply {}", out.display()));
        let next = if passes { format!("; type next: {next}") } else { String::new() };
        session.terminal.say(&format!("saved as {}{next}", out.display()));
    }
    Ok(if arguments.detailed_exitcode && !is_empty { Exit::Changes } else { Exit::Done })
}
