//! `switchback settle`: a person's word for a step in doubt, where the world cannot say what became of it.
//!
//! Invariant: the world is asked first, and a word that contradicts what it clearly says is refused.

use std::collections::BTreeMap;

use clap::ValueEnum;
use serde::Serialize;

use crate::address::Address;
use crate::apply::Found;
use crate::cli::arguments::address;
use crate::cli::asking::asker;
use crate::cli::carry::{Hold, Intention};
use crate::cli::confirm::Consent;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::spec;
use crate::cli::terminal::View;
use crate::kind::Mode;
use crate::ledger::state::Intent;
use crate::ledger::{Body, Run, Settled};
use crate::review::text::{Paint, Role};
use crate::review::words::harmless;
use crate::secret::Secrets;
use crate::step::{Action, Step, StepId};
use crate::value::Object;
use crate::value::seal::seal_object;
use crate::world::{ErrorClass, Settlement, WorldError};

const AFTER_HELP: &str = "\
Examples:
  switchback settle prod aws_ecs_service.web --as done --reason \"seen in the console\"
  switchback settle prod database.app --step 7 --as not-done --reason \"psql says so\"

For a step of which nobody knows whether it had its effect (`status ENV` lists them). The world
is asked first: what it says clearly, `resume` and `rollback` take up by themselves, and a word
against it is refused. The word, who gave it and why are recorded.";

/// Say yourself what became of a step, where the world cannot be asked
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
    /// What the step changes
    #[arg(value_name = "ADDRESS", value_parser = address)]
    address: Address,
    /// What became of it
    #[arg(long = "as", value_name = "WORD", value_enum)]
    word: Word,
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The number of the step, where several of the address are in doubt
    #[arg(long, value_name = "N")]
    step: Option<u32>,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// It had its effect
    Done,
    /// It had none
    NotDone,
}

#[derive(Serialize)]
struct Given {
    environment: String,
    run: u64,
    step: StepId,
    title: String,
    word: Word,
    /// What the world says of it.
    world: String,
    /// What the world gave it that nobody could read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_known: Vec<String>,
    /// Steps that are still in doubt.
    still_in_doubt: usize,
    next: Vec<String>,
}

/// What the world says, and what would be recorded of a step that is called done.
struct Answer {
    world: String,
    outcome: Object,
}

/// Runs the verb.
///
/// # Errors
/// When nothing is in doubt there, the world says otherwise, or the ledger cannot be written.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let environment = &arguments.environment;
    session.known_ledger(environment)?;
    let mut hold = Hold::open(session, Intention { environment, project: None, verb: "settle" }, Consent::Given)?;
    hold.secure()?;
    let state = hold.ledger.state();
    let Some(run) = state.unfinished() else {
        return Err(Failure::failed(format!("no run of {environment} is unfinished, so nothing is in doubt")));
    };
    let (step, intent) = chosen(arguments, session, run)?;
    let (run, still_in_doubt) = (run.number, run.open().count() - 1);
    let secrets = spec::secrets_at_hand(session, environment, state)?;
    let answer = answer(arguments, session, &hold, &*secrets, &step, &intent)?;
    let settled = Some(Settled::Person { actor: session.actor.clone(), reason: arguments.reason.clone() });
    let (id, calls) = (step.id, Vec::new());
    let not_known = match arguments.word {
        Word::Done => not_known(session, &step, &answer.outcome),
        Word::NotDone => Vec::new(),
    };
    let body = match arguments.word {
        Word::Done => {
            let outcome = seal_object(&answer.outcome, state.seal_key());
            Body::Done { run, step: id, outcome, settled, calls }
        }
        Word::NotDone => Body::Failed { run, step: id, error: None, settled, calls },
    };
    session.wait(hold.ledger.append(session.world.clock.now(), vec![body]))?;
    session.terminal.show(&Given {
        environment: environment.clone(),
        run,
        step: id,
        title: step.title(),
        word: arguments.word,
        world: answer.world,
        not_known,
        still_in_doubt,
        next: vec![
            session.command(&format!("resume {environment}")),
            session.command(&format!("rollback {environment} --last")),
        ],
    });
    Ok(Exit::Done)
}

/// The step that is meant.
fn chosen(arguments: &Arguments, session: &Session, run: &Run) -> Result<(Step, Intent), Failure> {
    let open: Vec<(&Step, &Intent)> = run.open().collect();
    let is_meant = |(step, _): &&(&Step, &Intent)| {
        step.address == arguments.address && arguments.step.is_none_or(|number| step.id.0 == number)
    };
    let meant: Vec<&(&Step, &Intent)> = open.iter().filter(is_meant).collect();
    match meant.as_slice() {
        [(step, intent)] => Ok(((*step).clone(), (*intent).clone())),
        [] => {
            let what = arguments.step.map_or(String::new(), |number| format!("step {number} of "));
            let mut failure = Failure::failed(format!("{what}`{}` is not in doubt", arguments.address));
            failure.causes.extend(open.iter().map(|(step, _)| format!("step {} {} is", step.id, step.title())));
            Err(failure.help(session.command(&format!("status {}", arguments.environment))))
        }
        several => {
            let titles = several.iter().map(|(step, _)| format!("step {} {}", step.id, step.title()));
            let mut failure = Failure::usage(format!("several steps of `{}` are in doubt", arguments.address));
            failure.causes.extend(titles);
            Err(failure.help("name the one with `--step N`"))
        }
    }
}

/// Asks the world.
///
/// # Errors
/// When it clearly says otherwise.
fn answer(
    arguments: &Arguments,
    session: &Session,
    hold: &Hold<'_>,
    secrets: &dyn Secrets,
    step: &Step,
    intent: &Intent,
) -> Result<Answer, Failure> {
    let executor = asker(session, secrets);
    let (world, outcome) = match (hold.wait(executor.ask(&hold.ledger, step, intent)), arguments.word) {
        (Ok(Settlement::Done(object)), Word::Done) => ("it says so, too".to_owned(), object),
        (Ok(Settlement::NotDone), Word::NotDone) => ("it says so, too".to_owned(), Object::new()),
        (Ok(Settlement::Done(_)), Word::NotDone) => return Err(contradicted(arguments, session, step, "it was done")),
        (Ok(Settlement::NotDone), Word::Done) => return Err(contradicted(arguments, session, step, "it was not done")),
        (Ok(Settlement::Stands(_, why)), _) => {
            let says = format!("it was done, stands, and is not good: {why}");
            return Err(contradicted(arguments, session, step, &says));
        }
        (Ok(Settlement::GoesOn(_, why)), _) => {
            return Err(contradicted(arguments, session, step, &format!("it was begun and goes on: {why}")));
        }
        (Ok(Settlement::Doubt(now)), Word::NotDone) => {
            (format!("neither as before nor as planned: {now}"), Object::new())
        }
        (Ok(Settlement::Doubt(now)), Word::Done) => {
            let found = hold.wait(executor.look(&hold.ledger, step, intent));
            if let Ok(Found::Thing(None)) = found
                && makes(&step.action)
            {
                return Err(contradicted(arguments, session, step, "nothing is there"));
            }
            (format!("neither as before nor as planned: {now}"), outcome(step, intent, found))
        }
        (Err(error), Word::NotDone) => (unasked(&error), Object::new()),
        (Err(error), Word::Done) => {
            let found = hold.wait(executor.look(&hold.ledger, step, intent));
            (unasked(&error), outcome(step, intent, found))
        }
    };
    Ok(Answer { world, outcome })
}

fn unasked(error: &WorldError) -> String {
    match error.class {
        ErrorClass::Pending => format!("it goes on: {error}"),
        ErrorClass::Unreachable
        | ErrorClass::Denied
        | ErrorClass::Expired
        | ErrorClass::Transient
        | ErrorClass::Refused
        | ErrorClass::Fenced => format!("it cannot be asked: {error}"),
    }
}

fn contradicted(arguments: &Arguments, session: &Session, step: &Step, says: &str) -> Failure {
    let title = step.title();
    let word = match arguments.word {
        Word::Done => "done",
        Word::NotDone => "not done",
    };
    Failure::failed(format!("step {} {title} is not to be called {word}; nothing was recorded", step.id))
        .cause(format!("the world says: {says}"))
        .help(format!("{} takes the world's word", session.command(&format!("resume {}", arguments.environment))))
}

/// Whether something is there when it is done.
fn makes(action: &Action) -> bool {
    match action {
        Action::Create { .. } | Action::Update { .. } | Action::Revise { .. } => true,
        Action::Return { .. }
        | Action::Retire { .. }
        | Action::Delete { .. }
        | Action::Forget { .. }
        | Action::Remember { .. }
        | Action::Import { .. }
        | Action::TakeUp { .. }
        | Action::Move { .. }
        | Action::Migrate { .. }
        | Action::Purge { .. } => false,
    }
}

/// What the world gives to such a thing, and is not among what was found.
fn not_known(session: &Session, step: &Step, outcome: &Object) -> Vec<String> {
    let kind = step.action.kind().filter(|_| makes(&step.action)).and_then(|kind| session.kinds.get(kind));
    let attributes = kind.map(|kind| kind.attributes.iter()).into_iter().flatten();
    let given = attributes.filter(|attribute| attribute.mode == Mode::Computed && !attribute.volatile);
    given.map(|attribute| attribute.name.to_owned()).filter(|name| !outcome.contains_key(name)).collect()
}

/// What is recorded as there: what is found now, and what was planned where nothing can be read.
fn outcome(step: &Step, intent: &Intent, found: Result<Found, WorldError>) -> Object {
    if !makes(&step.action) {
        return Object::new();
    }
    let planned = intent.after.as_ref().or(step.action.after()).cloned().unwrap_or_default();
    let mut known: Object = planned.into_iter().filter(|(_, value)| value.is_known() && !value.is_null()).collect();
    if let Ok(Found::Thing(Some(object))) = found {
        known.extend(object.into_iter().collect::<BTreeMap<_, _>>());
    }
    known
}

impl View for Given {
    fn text(&self, paint: &dyn Paint) -> String {
        let word = match self.word {
            Word::Done => "done",
            Word::NotDone => "not done",
        };
        let mut text = format!("step {} {} counts as {word}\n", self.step, harmless(&self.title));
        text += &format!("  the world: {}\n", harmless(&self.world));
        if !self.not_known.is_empty() {
            let names = self.not_known.join(", ");
            text += &format!("  nobody could read {names}: a later plan may not find it, and make it anew\n");
        }
        if self.still_in_doubt > 0 {
            text += &format!("  still in doubt: {}\n", self.still_in_doubt);
        }
        text += &format!("{}\n", paint.paint(Role::Heading, "type next:"));
        self.next.iter().for_each(|command| text += &format!("  {command}\n"));
        text
    }
}
