//! The command line: thin verbs over the stages. An edge: terminal, environment variables, clock and signals are
//! touched here and nowhere else.
//!
//! Invariant: a verb ends with an [`exit::Exit`] of the public table, whatever happens but a bug.

pub mod arguments;
pub mod carry;
pub mod clock;
pub mod confirm;
pub mod environment;
pub mod exit;
pub mod expression;
pub mod failure;
pub mod logging;
pub mod plan_file;
pub mod planning;
pub mod progress;
pub mod report;
pub mod secrets;
pub mod session;
pub mod spec;
pub mod stop;
pub mod terminal;
pub mod verb;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{CommandLine, Form, Subject, Verb};
use exit::Exit;
use failure::Failure;
use plan_file::PlanFile;
use session::Session;
use terminal::{Terminal, When};

use crate::review::{self, Review};
use crate::step::ChangeSet;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let typed: Vec<std::ffi::OsString> = std::env::args_os().collect();
    match CommandLine::try_parse_from(&typed) {
        Ok(command_line) => run(command_line).into(),
        Err(error) => {
            terminal::print_usage(&error, colour_of(&typed));
            // A usage error never ends with 2, which means changes.
            if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
        }
    }
}

/// What `--color` says on a command line that could not be read.
fn colour_of(typed: &[std::ffi::OsString]) -> When {
    let words: Vec<_> = typed.iter().map(|word| word.to_string_lossy()).collect();
    let says = |value: &str| {
        words.iter().any(|word| *word == format!("--color={value}"))
            || words.windows(2).any(|pair| pair[0] == "--color" && pair[1] == value)
    };
    match (says("always"), says("never")) {
        (true, _) => When::Always,
        (_, true) => When::Never,
        (false, false) => When::Auto,
    }
}

fn run(command_line: CommandLine) -> Exit {
    let CommandLine { globals, verb } = command_line;
    let terminal = Terminal::new(globals.color, globals.json, globals.no_progress);
    let ended = logging::start(globals.verbose, terminal.colour_talk)
        .and_then(|()| Session::begin(globals, terminal.clone()))
        .and_then(|session| carry_out(verb, &session));
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
        Verb::Show(arguments) => verb::show::run(&arguments, session),
        Verb::Apply(arguments) => verb::apply::run(&arguments, session),
        Verb::Up(arguments) => verb::up::run(&arguments, session),
        Verb::Rollback(arguments) => verb::rollback::run(&arguments, session),
        Verb::Resume(arguments) => verb::resume::run(&arguments, session),
        Verb::Status(arguments) => verb::status::run(&arguments, session),
        Verb::History(arguments) => verb::history::run(&arguments, session),
        Verb::Output(arguments) => verb::output::run(&arguments, session),
        Verb::Destroy(arguments) => verb::destroy::run(&arguments, session),
        Verb::Local(arguments) => verb::local::run(&arguments, session),
        Verb::Doctor(arguments) => verb::doctor::run(&arguments, session),
        Verb::Completions(arguments) => verb::completions::run(&arguments, session),
    }
}

/// What stands in the place of an environment.
pub enum Typed {
    /// An environment.
    Environment(String),
    /// A saved change set.
    Plan(Box<PlanFile>),
}

impl Typed {
    /// Reads what was typed: a path that exists and ends in `.plan.json` is a plan.
    ///
    /// # Errors
    /// When the plan cannot be read, or it is no name of an environment.
    pub fn read(session: &Session, subject: &Subject) -> Result<Self, Failure> {
        let plan = |path: &std::path::Path| Ok(Self::Plan(Box::new(PlanFile::read(&session.path(path))?)));
        match (&subject.environment, &subject.plan) {
            (_, Some(path)) => plan(path),
            (Some(name), None) if name.ends_with(plan_file::ENDING) && session.path(name.as_ref()).is_file() => {
                plan(name.as_ref())
            }
            (Some(name), None) => session::checked_name(name).map(|()| Self::Environment(name.clone())),
            (None, None) => Err(Failure::usage("name an environment, or a saved plan with `--plan FILE`")),
        }
    }
}

/// The review of a change set, to stdout.
pub fn show_review(session: &Session, change_set: &ChangeSet, form: Option<Form>) {
    let terminal = &session.terminal;
    let review = Review::of(change_set);
    let form = form.unwrap_or(if terminal.json { Form::Json } else { Form::Text });
    match form {
        Form::Text => terminal.data(&review::text::render(&review, terminal.paint())),
        Form::Md => terminal.data(&review::markdown::render(&review)),
        Form::Json => terminal.json(&review),
    }
}

/// The review of a change set that is about to be carried out: stdout belongs to what becomes of it.
pub fn talk_review(session: &Session, change_set: &ChangeSet) {
    let review = Review::of(change_set);
    session.terminal.talk(&review::text::render(&review, session.terminal.paint_talk()));
}
