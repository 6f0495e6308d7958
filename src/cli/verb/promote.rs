//! `switchback promote`: plans the next environment with exactly what one has verified.

use std::path::PathBuf;

use super::apply::{Wish, apply_spec};
use super::rollback;
use crate::cli::automation;
use crate::cli::confirm::Consent;
use crate::cli::door;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::foretold::foretell;
use crate::cli::gate::{self, Asking};
use crate::cli::git;
use crate::cli::images;
use crate::cli::on_failure::OnFailure;
use crate::cli::plan_file::PlanFile;
use crate::cli::planning::{self, Proofs, Proved};
use crate::cli::promotion::{self, ledger_of, refused};
use crate::cli::session::{Resolved, Session};
use crate::cli::showing::show;
use crate::cli::telling;
use crate::cli::unproved::{self, Accepting, Rehearsing};
use crate::ledger::State;
use crate::plan::Options;
use crate::promote::{self, Verified, Wanted};
use crate::release::{Carried, Source};
use crate::review::Review;
use crate::review::words::harmless;
use crate::spec;
use crate::store::disk::DiskFiles;

const AFTER_HELP: &str = "\
Examples:
  switchback promote dev staging                  what dev has verified, reviewed, asked, applied
  switchback promote dev staging --auto-approve   without the question, as in a CI
  switchback promote staging prod --tag v1.4.0 --out p.plan.json
                                                  only save it: `approve` and `apply` it then
  switchback promote staging prod --release 5e1f0c…   a certain release
  switchback promote staging prod --expedite \"CVE-2026-1\"
                                                  soak and windows do not count; it is recorded
  switchback promote dev staging --auto           on a schedule: what is in force in dev, if the
                                                  rule of staging (`auto_promote`) lets it in

Modules, migrations and the values of `released` variables come from the release; the spec of
the environment and its other values from this checkout. Only what FROM verified, and has not
taken back or held since, goes on; a release that TO ran before is a way back, and says so.";

/// Bring to the next environment what one has verified
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment that has verified it
    #[arg(value_name = "FROM")]
    from: String,
    /// The environment that it goes to
    #[arg(value_name = "TO")]
    to: String,
    /// The release, if not the one in force in FROM
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
    /// The release that this Git tag was made for (`release tag`); it must not have been moved
    #[arg(long, value_name = "TAG", conflicts_with = "release")]
    tag: Option<String>,
    /// The ledger of FROM, if it lies elsewhere; it is only read
    #[arg(long, value_name = "URL")]
    from_ledger: Option<String>,
    /// Why soak and windows do not count; nothing else is shortened
    #[arg(long, value_name = "REASON")]
    expedite: Option<String>,
    /// Only save it as a plan
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    auto_approve: bool,
    /// Only if the rule of TO lets it in (`auto_promote`) and no gate is closed; else nothing is done, which is no
    /// failure
    #[arg(long, conflicts_with_all = ["release", "tag", "expedite", "out"])]
    auto: bool,
    /// What to do when a step fails
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    on_failure: OnFailure,
    #[command(flatten)]
    rehearsing: Rehearsing,
    #[command(flatten)]
    accepting: Accepting,
}

/// Runs the verb.
///
/// # Errors
/// When the release may not go on, or nothing was begun.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let Arguments { from, to, .. } = arguments;
    if arguments.expedite.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
        return Err(Failure::usage("`--expedite` takes a reason, which is recorded; nothing was done"));
    }
    let before = ledger_of(session, from, arguments.from_ledger.as_deref())?;
    refuse_way(session, from, to)?;
    let wanted = match (&arguments.release, &arguments.tag) {
        (Some(release), _) => Wanted::Named(release),
        (None, Some(tag)) => Wanted::Tagged(tag),
        (None, None) => Wanted::InForce,
    };
    if let Some(tag) = &arguments.tag {
        refuse_moved(session, from, before.state(), tag)?;
    }
    let there = session.ledger(to)?;
    let leaving = promote::leaving(from, before.state(), wanted);
    if arguments.auto
        && let Some(why) = automation::waits(session, to, (from, before.state(), there.state()), &leaving)?
    {
        session.terminal.say(&format!("nothing is promoted to {to}: {why}"));
        return Ok(Exit::Done);
    }
    let verified = leaving.map_err(|why| refused(session, from, why))?;
    if let Some(run) = earlier(there.state(), verified) {
        return go_back(arguments, session, verified, run);
    }
    let upon = there.state().runs.last().map_or(0, |run| run.number);
    let resolved = resolve(arguments, session, (&before.url(), before.state()), (verified, upon), there.state())?;
    let closed = resolved.promotion.iter().flat_map(|promotion| &promotion.verdicts).find(|verdict| !verdict.open);
    if let Some(closed) = closed.filter(|_| arguments.auto) {
        session.terminal.say(&format!("nothing is promoted to {to}: {}", closed.words));
        return Ok(Exit::Done);
    }
    match &arguments.out {
        Some(out) => save(arguments, session, &resolved, out),
        None => {
            let wish = Wish {
                verb: "promote",
                consent: Consent::of(arguments.auto_approve || arguments.auto),
                on_failure: arguments.on_failure,
                rehearsing: arguments.rehearsing,
                accepting: &arguments.accepting,
            };
            let report = apply_spec(session, resolved, wish)?;
            session.terminal.show(&report);
            Ok(report.result)
        }
    }
}

/// Refuses a way that does not lead from one to the other.
fn refuse_way(session: &Session, from: &str, to: &str) -> Result<(), Failure> {
    let project = session.need_environment(to)?;
    let (spec, mistakes) = spec::load(&DiskFiles, &project, to, &session.kinds);
    match &spec.settings {
        Some(block) => {
            let before = |name| promotion::before(session, &project, name);
            let way = promote::way((from, &before(from)), (to, block, &before(to)));
            way.map_err(|why| refused(session, from, why))
        }
        None if mistakes.has_errors() => Err(Failure::mistakes(mistakes, &spec.sources)),
        None => {
            let nowhere = promote::Refused::Nowhere { environment: to.to_owned() };
            Err(refused(session, from, nowhere))
        }
    }
}

/// Refuses a tag that is not, in this repository, what was made for the release.
fn refuse_moved(session: &Session, from: &str, state: &State, tag: &str) -> Result<(), Failure> {
    let Some(made) = state.releases.tags.get(tag) else { return Ok(()) };
    let project = session.need_project()?;
    let made = &made.what;
    let fetch = "fetch it as it is: `git fetch --tags --force`";
    let Some((object, commit)) = git::tag_of(&project, tag) else {
        return Err(Failure::failed(format!("this repository has no tag `{tag}`; nothing was done")).help(fetch));
    };
    if commit != made.commit {
        return Err(Failure::failed(format!("the tag `{tag}` was moved; nothing was done"))
            .cause(format!("{from} recorded it at commit {}, here it is at {commit}", made.commit))
            .help("a tag that was released is not moved: make a new release, and a new tag for it"));
    }
    match object == made.object {
        true => Ok(()),
        false => Err(Failure::failed(format!("the tag `{tag}` was altered; nothing was done"))
            .cause(format!("{from} recorded the tag {}, here it is {object}", made.object))
            .help(fetch)),
    }
}

/// The run at which an environment ran this release before, if another one is in force there now.
fn earlier(there: &State, verified: Verified) -> Option<u64> {
    if there.release_in_force() == Some(verified.id) {
        return None;
    }
    there.run_with(verified.id).map(|run| run.number)
}

/// A release that ran there before is gone back to, from the ledger alone.
fn go_back(arguments: &Arguments, session: &Session, verified: Verified, run: u64) -> Result<Exit, Failure> {
    let to = &arguments.to;
    let release = verified.id.short();
    session.terminal.say(&format!(
        "{to} ran release {release} before: this is a way back, to the state right after run {run}, the values of {to} included"
    ));
    let back =
        rollback::Arguments::to_run(to, run, arguments.out.clone(), arguments.auto_approve, arguments.rehearsing);
    rollback::run(&back, session)
}

/// The spec of the environment with the release, and what is known of that.
fn resolve(
    arguments: &Arguments,
    session: &Session,
    (url, before): (&str, &State),
    (verified, upon): (Verified, u64),
    there: &State,
) -> Result<Resolved, Failure> {
    let Arguments { from, to, .. } = arguments;
    let parcel = before.releases.parcel(verified.id).filter(crate::release::parcel::Parcel::is_whole);
    let parcel = parcel.ok_or_else(|| {
        Failure::failed(format!(
            "release {} is not whole in the ledger of {from}; nothing was done",
            verified.id.short()
        ))
        .help(format!("check the ledger:  {}", session.command(&format!("history {from} --verify"))))
    })?;
    let source = Source {
        environment: from.clone(),
        ledger: url.to_owned(),
        run: verified.run,
        upon,
        tag: arguments.tag.clone(),
        expedited: arguments.expedite.clone(),
    };
    let carried = Carried { id: verified.id, from: Some(source) };
    let resolved = session.resolve_over(to, parcel, carried)?;
    door::refuse_branch(session, &resolved.desired.environment)?;
    let resolved = images::pin(session, there, resolved)?;
    let promotion = promotion::describe(session, &resolved, (before, there), verified).map(Box::new);
    Ok(Resolved { promotion, ..resolved })
}

fn save(arguments: &Arguments, session: &Session, resolved: &Resolved, out: &std::path::Path) -> Result<Exit, Failure> {
    let ledger = session.ledger(&arguments.to)?;
    let (options, proofs) = (Options::default(), Proofs::From(arguments.rehearsing.effort()));
    let proved = session.wait(planning::plan(session, &ledger, resolved, &options, proofs))?;
    let Proved { change_set, mut grounds, .. } = proved;
    let (file, author) = (out.display().to_string(), Some(&*session.actor.name));
    let asking = Asking { change_set: &change_set, grounds: &grounds, author, file: Some(&file), break_glass: None };
    grounds.signing = gate::signing(session, ledger.state(), asking);
    show(session, &change_set, &Review::proved(&change_set, &grounds), None, &Default::default())?;
    if !change_set.steps.is_empty() {
        telling::planned(session, ledger.state(), resolved, (&change_set, &grounds));
    }
    let passes = foretell(session, &change_set, &grounds, &unproved::typed("apply", &file));
    PlanFile::new(change_set, grounds).by(&session.actor).pinned(&session.root()).write(&session.path(out))?;
    let next = session.command(&format!("apply {file}"));
    let verdicts = resolved.promotion.iter().flat_map(|promotion| &promotion.verdicts);
    let closed: Vec<&str> = verdicts.filter(|verdict| !verdict.open).map(|verdict| &*verdict.words).collect();
    let next = match (passes, closed.len()) {
        (false, _) => String::new(),
        (true, 0) => format!("; type next: {next}"),
        (true, 1) => format!("; when the gate is open: {next}"),
        (true, _) => format!("; when the gates are open: {next}"),
    };
    session.terminal.say(&format!("saved as {file}{next}"));
    closed.iter().for_each(|words| session.terminal.say(&format!("  closed: {}", harmless(words))));
    Ok(Exit::Done)
}
