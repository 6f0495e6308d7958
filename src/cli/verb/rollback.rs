//! `switchback rollback`: back to an earlier state, from the ledger alone.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;

use crate::address::Address;
use crate::cli::arguments::{OfDatabase, address};
use crate::cli::carry::{self, Aim, Hold, Intention, Work};
use crate::cli::confirm::{Consent, confirm};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::gate::{self, Asking, Pass};
use crate::cli::last::{Last, last};
use crate::cli::on_failure;
use crate::cli::outlook;
use crate::cli::plan_file::PlanFile;
use crate::cli::planning::{self, Further, Proofs, Proved};
use crate::cli::report::Report;
use crate::cli::session::{Session, quoted};
use crate::cli::showing::{show, talk_review};
use crate::cli::spec;
use crate::cli::unproved::Rehearsing;
use crate::cli::verb::apply::outputs_stand;
use crate::cli::wanting;
use crate::digest::Digest;
use crate::gate::demand::{self, Case};
use crate::ledger::State;
use crate::review::grounds::Grounds;
use crate::review::text::Role;
use crate::review::words::harmless;
use crate::review::{Loss, Review};
use crate::rollback::Depth;
use crate::step::{ChangeSet, Operation, StepId};

const AFTER_HELP: &str = "\
Examples:
  switchback rollback prod --last                        take back the newest apply in force
  switchback rollback prod --to 7                        to the state right after run 7
  switchback rollback prod --to 5e1f0c                   to a release that ran there before
  switchback rollback dev --to 0 --accept-loss all       to before the first, whatever is lost
  switchback rollback prod --last --accept-loss 3 4 --auto-approve
  switchback rollback prod --last --out back.plan.json   only save it
  switchback rollback prod --to 7 --with-schema          the schema as well, whoever works with it
  switchback rollback prod --to 7 --skip aws_ecs_service.web
                                                         all but what cannot be reached

`history` numbers the runs. Neither the new nor the old source is needed: with `--ledger URL`,
not even a project. A way back that would lose data is refused (exit 9) until each loss, named
by its step, is accepted; `all` accepts every one that is listed, but not where the environment
is protected. What is skipped stays owed (exit 6), and `status` lists it until it is taken back.
Where all services that come back work with the schema as it is (`needs_schema`), it stays, and
`--with-schema` goes on.
Where signatures are asked for, what was signed may be taken back as long as nothing is lost; a
loss needs signatures of its own (`--out`, then `approve`), or `--break-glass WHY` by somebody
whom the rules list.
A saved way back is judged once more when it is applied. Migrations are rehearsed both ways where
that can be done within a minute; what is not rehearsed is shown, and never in the way.";

/// Take an environment back to an earlier state
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
#[command(group(clap::ArgGroup::new("goal").args(["last", "to"]).required(true)))]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
    /// Take back the newest apply that is still in force
    #[arg(long)]
    last: bool,
    /// Back to the state right after this run, 0 is before the first; or to this release
    #[arg(long, value_name = "SEQ|RELEASE")]
    to: Option<Goal>,
    /// Steps whose loss is accepted, by their numbers, or `all`
    #[arg(long, value_name = "STEP", num_args = 1.., value_delimiter = ',')]
    accept_loss: Vec<Accepted>,
    /// Take the schema back as well where what comes back would work with it as it is
    #[arg(long)]
    with_schema: bool,
    /// Leave these as they are, and whatever comes after them; they are owed
    #[arg(long, value_name = "ADDRESS", num_args = 1.., value_parser = address)]
    skip: Vec<Address>,
    /// Go back at a loss without the signatures that it needs, and why; only for those whom `break_glass` lists
    #[arg(long, value_name = "WHY", conflicts_with = "out")]
    break_glass: Option<String>,
    /// Only save the way back as a plan
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    auto_approve: bool,
    #[command(flatten)]
    rehearsing: Rehearsing,
}

/// Where somebody wants to be back.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Goal {
    /// Right after this run.
    Run(u64),
    /// Where this release was in force.
    Release(String),
}

impl FromStr for Goal {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Release(text.to_owned()), Self::Run))
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Run(run) => run.fmt(formatter),
            Self::Release(name) => name.fmt(formatter),
        }
    }
}

impl Arguments {
    /// Back to the state right after a run.
    pub fn to_run(
        environment: &str,
        run: u64,
        out: Option<PathBuf>,
        auto_approve: bool,
        rehearsing: Rehearsing,
    ) -> Self {
        Self {
            environment: environment.to_owned(),
            last: false,
            to: Some(Goal::Run(run)),
            accept_loss: Vec::new(),
            with_schema: false,
            skip: Vec::new(),
            break_glass: None,
            out,
            auto_approve,
            rehearsing,
        }
    }
}

/// A loss that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accepted {
    All,
    Step(u32),
}

impl FromStr for Accepted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            number => number
                .parse()
                .map(Self::Step)
                .map_err(|_| format!("`{number}` is neither the number of a step nor `all`")),
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// When there is nothing to take back, a loss is not accepted, or nothing was begun.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let environment = &arguments.environment;
    let consent = Consent::of(arguments.auto_approve && arguments.out.is_none());
    session.known_ledger(environment)?;
    let mut hold = Hold::open(session, Intention { environment, project: None, verb: "rollback" }, consent)?;
    let secrets = spec::secrets_at_hand(session, environment, hold.ledger.state())?;
    let Some(to) = goal(arguments, hold.ledger.state())? else {
        session.terminal.say("there is nothing to take back");
        if let Last::Automatic { back, further } = last(hold.ledger.state()) {
            let words = session.command(&format!("rollback {environment} --to {further}"));
            session.terminal.say(&format!("run {back} took back what had failed; to go back further: {words}"));
        }
        session.terminal.show(&Report::nothing(environment, Operation::Rollback { to: 0 }, hold.ledger.state()));
        return Ok(Exit::Done);
    };
    // Where a rollback to the same place was begun already, finishing that is the way.
    if is_under_way(hold.ledger.state(), to, arguments) && arguments.skip.is_empty() && arguments.out.is_none() {
        confirm(&session.terminal, consent, "A rollback to there is unfinished. Finish it?")?;
        return go(session, &mut hold, Work::Resume, &Aim::Ledger(&*secrets));
    }
    carry::settle(session, &mut hold, &*secrets)?;
    let skipped: BTreeSet<Address> = arguments.skip.iter().cloned().collect();
    let proofs = Proofs::From(arguments.rehearsing.effort());
    let depth = if arguments.with_schema { Depth::WithSchema } else { Depth::AsNeeded };
    let proved = hold.wait(planning::back(session, &hold.ledger, (to, depth), &skipped, &*secrets, proofs))?;
    let Proved { change_set, grounds, .. } = proved;
    let review = Review::proved(&change_set, &grounds);
    let further = hold.wait(planning::further(session, &hold.ledger, (to, &change_set), &skipped, &*secrets))?;
    if change_set.steps.is_empty() && !change_set.owed.is_empty() {
        let words = "there is nothing to take back but what is skipped, or comes after it; nothing was done";
        return Err(Failure::failed(words).help("take it back when it can be reached again"));
    }
    if let Some(out) = &arguments.out {
        show(session, &change_set, &review, None, &OfDatabase::default())?;
        tell_time(session, &hold, &change_set);
        tell_schema(session, to, &hold, further.as_ref());
        refuse_losses(arguments, session, &change_set)?;
        PlanFile::new(change_set, grounds).by(&session.actor).pinned(&session.root()).write(&session.path(out))?;
        session.terminal.say(&format!(
            "saved as {0}; type next: {1}",
            out.display(),
            session.command(&format!("apply {}", out.display()))
        ));
        return Ok(Exit::Done);
    }
    // With `--last` a run stands in force: that it is taken back is recorded even if nothing is left to do for it.
    let is_there = !arguments.last && outputs_stand(&change_set, &hold);
    if change_set.steps.is_empty() && is_there && hold.ledger.state().unfinished().is_none() {
        if !hold.ledger.state().owed.is_empty() {
            carry::nothing_is_owed(session, &mut hold, &change_set)?;
            session.terminal.say("what was owed is as it was before; nothing is owed any more");
        }
        tell_schema(session, to, &hold, further.as_ref());
        session.terminal.show(&Report::nothing(environment, change_set.operation, hold.ledger.state()));
        return Ok(Exit::Done);
    }
    talk_review(session, &review);
    tell_time(session, &hold, &change_set);
    tell_schema(session, to, &hold, further.as_ref());
    refuse_losses(arguments, session, &change_set)?;
    let pass = leave(arguments, session, &mut hold, (&change_set, &grounds))?;
    confirm(&session.terminal, consent, &question(session, hold.ledger.state(), &change_set, &grounds))?;
    let digest = change_set.digest();
    let work = Work::Begin(Box::new(change_set), digest, pass);
    go(session, &mut hold, work, &Aim::Ledger(&*secrets))
}

/// Goes, and tells what is held from then on.
fn go(session: &Session, hold: &mut Hold<'_>, work: Work, aim: &Aim<'_>) -> Result<Exit, Failure> {
    let known: BTreeSet<Digest> = hold.ledger.state().holds.keys().copied().collect();
    let report = carry::carry_out(session, hold, work, aim)?;
    session.terminal.show(&report);
    on_failure::tell_holds(session, hold, &known);
    Ok(report.result)
}

/// Leave to go back: nothing is lost, it is signed, or the glass is broken, which is said loudly.
fn leave(
    arguments: &Arguments,
    session: &Session,
    hold: &mut Hold<'_>,
    (change_set, grounds): (&ChangeSet, &Grounds),
) -> Result<Pass, Failure> {
    let (author, break_glass) = (Some(&*session.actor.name), arguments.break_glass.as_deref());
    let asking = Asking { change_set, grounds, author, file: None, break_glass };
    let pass = gate::pass(session, hold.ledger.state(), asking)
        .inspect_err(|_| wanting::approval_wanted(session, hold, asking, None))?;
    if let Some(broken) = pass.admission().and_then(|admission| admission.broken.as_ref()) {
        let words = format!("the glass is broken by {}, which is recorded: {}", broken.by, harmless(&broken.reason));
        session.terminal.say_as(Role::Danger, &words);
    }
    Ok(pass)
}

fn question(session: &Session, state: &State, change_set: &ChangeSet, grounds: &Grounds) -> String {
    let environment = &change_set.environment;
    let case = Case { change_set, grounds, state, kinds: &session.kinds, demands: &[] };
    match demand::destroys(case) {
        true => format!("Take {environment} back? It counts as destroying it."),
        false => format!("Take {environment} back?"),
    }
}

/// How long it takes, if each step takes as long as it took the last time.
fn tell_time(session: &Session, hold: &Hold<'_>, back: &ChangeSet) {
    session.terminal.say(&format!("the way back takes {}", outlook::expected(hold.ledger.state(), back)));
}

/// What of schemas stays, and how to go on.
fn tell_schema(session: &Session, to: u64, hold: &Hold<'_>, further: Option<&Further>) {
    let Some(Further { left, whole }) = further else { return };
    for (database, labels) in left {
        session.terminal.say(&format!("{database} keeps {}: what comes back works with it", labels.join(", ")));
    }
    match whole {
        Ok(whole) => {
            let words = format!("rollback {} --to {to} --with-schema", whole.environment);
            let (long, words) = (outlook::expected(hold.ledger.state(), whole), session.command(&words));
            session.terminal.say(&format!("with the schema it takes {long}: {words}"));
        }
        Err(failure) => session.terminal.say(&format!("the schema cannot be taken back: {}", failure.summary)),
    }
}

/// The run whose state is wanted back; nothing when nothing is in force.
fn goal(arguments: &Arguments, state: &State) -> Result<Option<u64>, Failure> {
    if let Some(goal) = &arguments.to {
        let newest = state.runs.last().map_or(0, |run| run.number);
        let to = match goal {
            Goal::Run(run) => *run,
            Goal::Release(name) => run_of_release(&arguments.environment, state, name)?,
        };
        if to > newest {
            return Err(Failure::usage(format!("there is no run {to}; the newest is {newest}"))
                .help("`switchback history ENV` lists the runs"));
        }
        return Ok((newest > 0).then_some(to));
    }
    Ok(match last(state) {
        Last::To { to, .. } => Some(to),
        Last::Nothing | Last::Automatic { .. } => None,
    })
}

/// The newest run after which a release was in force.
fn run_of_release(environment: &str, state: &State, name: &str) -> Result<u64, Failure> {
    let list = format!("`switchback release list {environment}` lists those that are known");
    // A tag is recorded where it was made, and by the run that it brought a release with.
    let mut carried = state.runs.iter().rev().filter_map(|run| run.change_set.release.as_deref());
    let mut by_tag =
        || carried.find(|carried| carried.from.as_ref().is_some_and(|from| from.tag.as_deref() == Some(name)));
    let id = match state.releases.named(name).as_slice() {
        [one] => *one,
        [] if let Some(brought) = by_tag() => brought.id,
        [] => {
            let words = format!("`{name}` is neither the number of a run nor a release of {environment}");
            return Err(Failure::usage(words).help(list));
        }
        _ => return Err(Failure::usage(format!("`{name}` may be any of several releases")).help(list)),
    };
    let run = state.run_with(id).ok_or_else(|| {
        Failure::failed(format!("release {} was never in force in {environment}, or was taken back", id.short()))
            .help(list)
    })?;
    Ok(run.number)
}

fn is_under_way(state: &State, to: u64, arguments: &Arguments) -> bool {
    state.unfinished().is_some_and(|run| {
        let change_set = &run.change_set;
        change_set.operation == Operation::Rollback { to } && change_set.with_schema == arguments.with_schema
    })
}

fn refuse_losses(arguments: &Arguments, session: &Session, change_set: &ChangeSet) -> Result<(), Failure> {
    let all = arguments.accept_loss.contains(&Accepted::All);
    if all && !change_set.standing.protected {
        return Ok(());
    }
    let accepted: BTreeSet<StepId> = arguments
        .accept_loss
        .iter()
        .filter_map(|accepted| match accepted {
            Accepted::All => None,
            Accepted::Step(id) => Some(StepId(*id)),
        })
        .collect();
    let losses: Vec<Loss> =
        change_set.irreversible().filter(|step| !accepted.contains(&step.id)).map(Loss::of).collect();
    if losses.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(Exit::Unconfirmed, "the way back loses what cannot be had again; nothing was done");
    if all {
        let words = "is protected: `--accept-loss all` is not taken there, each loss is accepted by its step";
        failure = failure.cause(format!("{} {words}", arguments.environment));
    }
    for loss in &losses {
        failure = failure.cause(format!("step {} {}: {}, {}", loss.step, loss.title, loss.class, loss.why));
    }
    let named = accepted.iter().filter(|id| change_set.step(**id).is_some());
    let ids: BTreeSet<StepId> = named.copied().chain(losses.iter().map(|loss| loss.step)).collect();
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let goal = arguments.to.as_ref().map_or("--last".to_owned(), |to| format!("--to {to}"));
    let schema = if arguments.with_schema { " --with-schema" } else { "" };
    let mut words = format!("rollback {} {goal}{schema} --accept-loss {}", arguments.environment, ids.join(" "));
    if !arguments.skip.is_empty() {
        let skip: Vec<String> = arguments.skip.iter().map(|address| quoted(&address.to_string())).collect();
        words += &format!(" --skip {}", skip.join(" "));
    }
    Err(failure.help(format!("to accept these losses: {}", session.command(&words))))
}
