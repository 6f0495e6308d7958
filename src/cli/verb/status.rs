//! `switchback status`: what is there, what is unfinished, and whether the way back is open. Read-only.

use serde::Serialize;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::report::indented;
use crate::cli::session::Session;
use crate::cli::terminal::View;
use crate::digest::Digest;
use crate::ledger::{Ledger, Run, State, StepState};
use crate::review::Loss;
use crate::review::text::{Paint, Role};
use crate::review::words::{counted, harmless};
use crate::step::{Operation, Step};

const AFTER_HELP: &str = "\
Examples:
  switchback status prod                          what is there, and what is unfinished
  switchback status prod --json                   the same facts for a script
  switchback status prod --ledger file:/srv/shop  from anywhere: needs no project

Reads only the ledger; `plan` asks the world.";

/// Show what is there and what is unfinished
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
}

#[derive(Serialize)]
struct Status {
    environment: String,
    project: Option<String>,
    ledger: LedgerFacts,
    resources: usize,
    databases: Vec<Database>,
    newest_run: Option<Newest>,
    unfinished: Option<Unfinished>,
    way_back: Option<WayBack>,
    next: Vec<String>,
}

#[derive(Serialize)]
struct LedgerFacts {
    /// Its absolute URL.
    url: String,
    chain: Option<String>,
    records: usize,
    head: Option<Digest>,
}

#[derive(Serialize)]
struct Database {
    address: String,
    version: Option<i64>,
    migrations: usize,
}

#[derive(Serialize)]
struct Newest {
    run: u64,
    operation: Operation,
    begun: String,
    actor: String,
    result: &'static str,
    verified: bool,
}

#[derive(Serialize)]
struct Unfinished {
    run: u64,
    waits_for: Option<String>,
    done: usize,
    failed: usize,
    in_doubt: usize,
    not_done: usize,
    steps: Vec<StepStatus>,
}

#[derive(Serialize)]
struct StepStatus {
    step: u32,
    action: &'static str,
    title: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// What taking the newest run in force back would do.
#[derive(Serialize)]
struct WayBack {
    run: u64,
    steps: usize,
    losses: Vec<Loss>,
}

/// Runs the verb.
///
/// # Errors
/// When the ledger cannot be read, or nobody knows the environment.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let ledger = session.known_ledger(&arguments.environment)?;
    session.terminal.show(&status(&arguments.environment, &ledger, session));
    Ok(Exit::Done)
}

fn status(environment: &str, ledger: &Ledger, session: &Session) -> Status {
    let state = ledger.state();
    let databases = state.things.databases.iter().map(|(address, database)| Database {
        address: address.to_string(),
        version: database.applied.keys().last().copied(),
        migrations: database.applied.len(),
    });
    let command = |words: &str| session.command(&format!("{words} {environment}"));
    let back = || format!("{} --last", command("rollback"));
    let next = match (state.unfinished(), state.runs.last()) {
        (Some(_), _) => vec![command("resume"), back()],
        (None, None) => vec![command("plan")],
        (None, Some(run)) if !run.verified && run.done_count() > 0 => vec![command("resume")],
        (None, Some(_)) => Vec::new(),
    };
    Status {
        environment: environment.to_owned(),
        project: state.chain.as_ref().map(|chain| chain.project.clone()),
        ledger: LedgerFacts {
            url: ledger.url(),
            chain: state.chain.as_ref().map(|chain| chain.id.clone()),
            records: usize::try_from(ledger.last()).unwrap_or(usize::MAX),
            head: (ledger.last() > 0).then(|| ledger.head()),
        },
        resources: state.things.resources.len(),
        databases: databases.collect(),
        newest_run: state.runs.last().map(Newest::of),
        unfinished: state.unfinished().map(Unfinished::of),
        way_back: way_back(state),
        next,
    }
}

impl Newest {
    fn of(run: &Run) -> Self {
        Self {
            run: run.number,
            operation: run.change_set.operation,
            begun: run.begun.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            actor: format!("{} on {}", run.actor.name, run.actor.host),
            result: super::history::result(run),
            verified: run.verified,
        }
    }
}

impl Unfinished {
    fn of(run: &Run) -> Self {
        let steps: Vec<StepStatus> = run.change_set.steps.iter().map(|step| StepStatus::of(run, step)).collect();
        let count = |state: &str| steps.iter().filter(|step| step.state == state).count();
        Self {
            run: run.number,
            waits_for: run.parked.clone(),
            done: count(DONE),
            failed: count(FAILED),
            in_doubt: count(IN_DOUBT),
            not_done: count(NOT_DONE),
            steps,
        }
    }
}

const DONE: &str = "done";
const FAILED: &str = "failed";
const IN_DOUBT: &str = "in doubt";
const NOT_DONE: &str = "not done";

impl StepStatus {
    fn of(run: &Run, step: &Step) -> Self {
        let (word, why) = match run.steps.get(&step.id) {
            Some(StepState::Done { .. }) => (DONE, None),
            Some(StepState::Failed { error, .. }) => (FAILED, error.as_ref().map(ToString::to_string)),
            Some(StepState::Stood(_, error)) => (FAILED, Some(format!("{error}; what it made stands"))),
            Some(StepState::Doubted(_, error)) => (IN_DOUBT, Some(error.to_string())),
            Some(StepState::Intended(_)) if run.parked.is_some() => {
                (IN_DOUBT, Some("it was begun and goes on; `resume` asks the world how far it is".to_owned()))
            }
            Some(StepState::Intended(_)) => {
                (IN_DOUBT, Some("it was begun and nobody heard its end; the next command asks the world".to_owned()))
            }
            None => (NOT_DONE, None),
        };
        Self { step: step.id.0, action: step.action.verb(), title: step.title(), state: word, why }
    }
}

/// What is lost is told by the inverses of the steps that have, or may have, had their effect.
fn way_back(state: &State) -> Option<WayBack> {
    let run = state.unfinished().or_else(|| state.newest_in_force())?;
    if matches!(run.change_set.operation, Operation::Rollback { .. }) {
        return None;
    }
    let had_effect = |step: &&Step| {
        matches!(
            run.steps.get(&step.id),
            Some(StepState::Done { .. } | StepState::Stood(..) | StepState::Intended(_) | StepState::Doubted(..))
        )
    };
    let steps: Vec<&Step> = run.change_set.steps.iter().filter(had_effect).collect();
    let losses = steps.iter().filter(|step| !step.inverse.is_reversible()).map(|step| Loss::of(step)).collect();
    Some(WayBack { run: run.number, steps: steps.len(), losses })
}

impl View for Status {
    fn text(&self, paint: &dyn Paint) -> String {
        let project = self.project.as_deref().map(|name| format!(" of project {name}")).unwrap_or_default();
        let mut text = format!("{}\n", paint.paint(Role::Heading, &format!("{}{project}", self.environment)));
        let head = self.ledger.head.map(|head| format!(", head {}", head.short())).unwrap_or_default();
        text += &format!("  ledger      {} ({}{head})\n", self.ledger.url, counted(self.ledger.records, "record"));
        let Some(newest) = &self.newest_run else {
            return text + "  nothing was ever applied\n" + &self.next_lines(paint);
        };
        text += &format!("  resources   {}\n", self.resources);
        for database in &self.databases {
            let version = database.version.map_or("no migration".to_owned(), |version| format!("V{version}"));
            text += &format!(
                "  database    {} at {version} ({})\n",
                database.address,
                counted(database.migrations, "migration")
            );
        }
        let verified = if newest.verified { "verified" } else { "not verified" };
        text += &format!(
            "  newest run  {} ({}), {}, {verified}, begun {} by {}\n",
            newest.run,
            super::history::operation(newest.operation),
            newest.result,
            newest.begun,
            harmless(&newest.actor)
        );
        if let Some(unfinished) = &self.unfinished {
            text += &unfinished.text(paint);
        }
        if let Some(back) = &self.way_back {
            text += &back.text(paint);
        }
        text + &self.next_lines(paint)
    }
}

impl Status {
    fn next_lines(&self, paint: &dyn Paint) -> String {
        if self.next.is_empty() {
            return String::new();
        }
        let commands: String = self.next.iter().map(|command| format!("  {command}\n")).collect();
        format!("{}\n{commands}", paint.paint(Role::Heading, "type next:"))
    }
}

impl Unfinished {
    fn text(&self, paint: &dyn Paint) -> String {
        let head = format!(
            "run {} is unfinished: {} done, {} failed, {} in doubt, {} not done",
            self.run, self.done, self.failed, self.in_doubt, self.not_done
        );
        let mut text = format!("{}\n", paint.paint(Role::Warning, &head));
        if let Some(reason) = &self.waits_for {
            text += &format!("  waits for {}\n", harmless(reason));
        }
        for step in &self.steps {
            let role = match step.state {
                DONE => Role::Added,
                NOT_DONE => Role::Faint,
                _ => Role::Danger,
            };
            let state = paint.paint(role, &format!("{:<8}", step.state));
            text += &format!("  {state} {:>3} {} {}\n", step.step, step.action, harmless(&step.title));
            if let Some(why) = &step.why {
                text += &indented(why);
            }
        }
        text
    }
}

impl WayBack {
    fn text(&self, paint: &dyn Paint) -> String {
        if self.losses.is_empty() {
            return format!(
                "  way back    open: run {} can be taken back ({})\n",
                self.run,
                counted(self.steps, "step")
            );
        }
        let head = format!(
            "run {} ({}) has steps without a way back; `rollback` shows all that is lost before it asks:",
            self.run,
            counted(self.steps, "step")
        );
        let mut text = format!("{}\n", paint.paint(Role::Danger, &head));
        for loss in &self.losses {
            text +=
                &format!("  step {} {}: {}, {}\n", loss.step, harmless(&loss.title), loss.class, harmless(&loss.why));
        }
        text
    }
}
