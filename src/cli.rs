//! The command line: thin verbs over the stages. An edge: terminal, environment variables, clock and signals are
//! touched here and nowhere else.
//!
//! Invariant: a verb ends with an [`exit::Exit`] of the public table, whatever happens but a bug.

pub mod aged;
pub mod agent;
pub mod arguments;
pub mod asking;
pub mod audit;
pub mod automation;
pub mod budget;
pub mod carry;
pub mod certified;
pub mod checks;
pub mod ci;
pub mod clock;
pub mod commit;
pub mod completing;
pub mod confirm;
pub mod door;
pub mod doubt;
pub mod drifting;
pub mod environment;
pub mod evidence;
pub mod exit;
pub mod expression;
pub mod failure;
pub mod foretold;
pub mod gate;
pub mod git;
pub mod grammar;
pub mod holder;
pub mod images;
pub mod last;
pub mod lease;
pub mod ledgers;
pub mod logging;
pub mod matter;
pub mod on_failure;
pub mod outlook;
pub mod patience;
pub mod plan_file;
pub mod planning;
pub mod policies;
pub mod pricing;
pub mod progress;
pub mod promotion;
pub mod rates;
pub mod refused;
pub mod releasing;
pub mod report;
pub mod secrets;
pub mod session;
pub mod showing;
pub mod siding;
pub mod signed;
pub mod signer;
pub mod spec;
pub mod stop;
pub mod subject;
pub mod telling;
pub mod terminal;
pub mod tested;
pub mod testing;
pub mod throw_away;
pub mod trace;
pub mod unproved;
pub mod usage;
pub mod verb;
pub mod wanting;
pub mod whole_file;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use exit::Exit;
use failure::Failure;
use grammar::{CommandLine, Verb};
use session::Session;
use terminal::Terminal;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let typed: Vec<std::ffi::OsString> = std::env::args_os().collect();
    if let Some(ended) = completing::answer(&typed, CommandLine::command) {
        return ended.into();
    }
    match CommandLine::try_parse_from(&typed) {
        Ok(command_line) => run(command_line).into(),
        Err(error) => usage::say(&error, &typed).into(),
    }
}

fn run(command_line: CommandLine) -> Exit {
    let CommandLine { globals, verb } = command_line;
    let terminal = Terminal::new(globals.color, globals.json, globals.no_progress);
    let ended = logging::start(globals.verbose, terminal.colour_talk)
        .and_then(|()| Session::begin(globals, terminal.clone()))
        .and_then(|session| {
            let ended = carry_out(verb, &session);
            session.end();
            ended
        });
    ended.unwrap_or_else(|failure| {
        terminal.fail(&failure);
        failure.exit
    })
}

fn carry_out(verb: Verb, session: &Session) -> Result<Exit, Failure> {
    match verb {
        Verb::Init(arguments) => verb::init::run(&arguments, session),
        Verb::Validate(arguments) => verb::validate::run(&arguments, session),
        Verb::Console(arguments) => verb::console::run(&arguments, session),
        Verb::Plan(arguments) => verb::plan::run(&arguments, session),
        Verb::Rehearse(arguments) => verb::rehearse::run(&arguments, session),
        Verb::Show(arguments) => verb::show::run(&arguments, session),
        Verb::Approve(arguments) => verb::approve::run(&arguments, session),
        Verb::Reject(arguments) => verb::reject::run(&arguments, session),
        Verb::Approvals(arguments) => verb::approvals::run(&arguments, session),
        Verb::Apply(arguments) => verb::apply::run(&arguments, session),
        Verb::Up(arguments) => verb::up::run(&arguments, session),
        Verb::Rollback(arguments) => verb::rollback::run(&arguments, session),
        Verb::Resume(arguments) => verb::resume::run(&arguments, session),
        Verb::Settle(arguments) => verb::settle::run(&arguments, session),
        Verb::Unlock(arguments) => verb::unlock::run(&arguments, session),
        Verb::Hold(arguments) => verb::hold::run(&arguments, session),
        Verb::Status(arguments) => verb::status::run(&arguments, session),
        Verb::History(arguments) => verb::history::run(&arguments, session),
        Verb::Drift(arguments) => verb::drift::run(&arguments, session),
        Verb::Diff(arguments) => verb::diff::run(&arguments, session),
        Verb::Permissions(arguments) => verb::permissions::run(&arguments, session),
        Verb::Output(arguments) => verb::output::run(&arguments, session),
        Verb::Migrate(arguments) => verb::migrate::run(&arguments, session),
        Verb::Test(arguments) => verb::test::run(&arguments, session),
        Verb::Release(arguments) => verb::release::run(&arguments, session),
        Verb::Promote(arguments) => verb::promote::run(&arguments, session),
        Verb::Import(arguments) => verb::import::run(&arguments, session),
        Verb::State(arguments) => verb::state::run(&arguments, session),
        Verb::Destroy(arguments) => verb::destroy::run(&arguments, session),
        Verb::Local(arguments) => verb::local::run(&arguments, session),
        Verb::Doctor(arguments) => verb::doctor::run(&arguments, session),
        Verb::Completions(arguments) => verb::completions::run(&arguments, session),
    }
}
