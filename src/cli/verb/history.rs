//! `switchback history`: the runs of an environment. Read-only.

use serde::Serialize;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::terminal::View;
use crate::ledger::{Run, RunResult};
use crate::review::text::{Paint, Role};
use crate::review::words::{self, harmless};
use crate::review::{Review, Summary};
use crate::step::{Edit, Operation};

const AFTER_HELP: &str = "\
Examples:
  switchback history prod         every run: number, when, what, by whom, how it ended
  switchback history prod --json  the same for a script

The number is what `switchback rollback ENV --to N` takes: the state right after that run.";

/// List the runs of an environment
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
}

#[derive(Serialize)]
struct History {
    environment: String,
    runs: Vec<RunView>,
}

#[derive(Serialize)]
struct RunView {
    run: u64,
    /// The sequence of the record with which it began.
    record: u64,
    begun: String,
    ended: Option<String>,
    operation: Operation,
    actor: String,
    result: &'static str,
    verified: bool,
    taken_back: bool,
    done: usize,
    summary: Summary,
}

/// Runs the verb.
///
/// # Errors
/// When the ledger cannot be read, or nobody knows the environment.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let ledger = session.known_ledger(&arguments.environment)?;
    let runs = ledger.state().runs.iter().map(RunView::of).collect();
    session.terminal.show(&History { environment: arguments.environment.clone(), runs });
    Ok(Exit::Done)
}

impl RunView {
    fn of(run: &Run) -> Self {
        let time = |at: jiff::Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Self {
            run: run.number,
            record: run.begun_at,
            begun: time(run.begun),
            ended: run.ended.map(|(_, at)| time(at)),
            operation: run.change_set.operation,
            actor: format!("{} on {}", run.actor.name, run.actor.host),
            result: result(run),
            verified: run.verified,
            taken_back: run.taken_back,
            done: run.done_count(),
            summary: Review::of(&run.change_set).summary,
        }
    }
}

/// How a run ended, in words.
pub fn result(run: &Run) -> &'static str {
    match (run.ended, &run.parked) {
        _ if run.taken_back => "taken back",
        (Some((RunResult::Complete, _)), _) => "complete",
        (Some((RunResult::TakenBack, _)), _) => "given up, taken back",
        (Some((RunResult::WithoutEffect, _)), _) => "failed without effect",
        (None, Some(_)) => "waiting",
        (None, None) => "unfinished",
    }
}

/// What a run was for, in words.
pub fn operation(operation: Operation) -> String {
    match operation {
        Operation::Apply => "apply".to_owned(),
        Operation::Destroy => "destroy".to_owned(),
        Operation::Edit(Edit::Import) => "import".to_owned(),
        Operation::Edit(Edit::Move) => "state mv".to_owned(),
        Operation::Edit(Edit::Remove) => "state rm".to_owned(),
        Operation::Rollback { to } => format!("rollback to {to}"),
    }
}

impl View for History {
    fn text(&self, paint: &dyn Paint) -> String {
        if self.runs.is_empty() {
            return format!("nothing was ever applied to {}\n", self.environment);
        }
        let mut text = paint.paint(Role::Heading, " run  begun                 what           how it ended");
        text.push('\n');
        for run in &self.runs {
            let verified = if run.verified { ", verified" } else { "" };
            text += &format!(
                "{:>4}  {}  {:<13}  {}{verified}; {} of {} steps done; {}; by {}\n",
                run.run,
                run.begun,
                operation(run.operation),
                run.result,
                run.done,
                run.summary.steps,
                words::counts(&run.summary),
                harmless(&run.actor)
            );
        }
        text
    }
}
