//! A promotion, as the verbs need it: what is known of the release, and whether it may get in now. An edge.
//!
//! Invariant: the environment that a release comes from is only read, and asked again right before it gets in.

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::door;
use super::exit::Exit;
use super::failure::Failure;
use super::ledgers;
use super::releasing::{configuration, images};
use super::session::{Resolved, Session};
use crate::ledger::{Ledger, State};
use crate::promote::compare::{self, Pair};
use crate::promote::{self, Verified};
use crate::release::gates::{self, Facts, Gates, Verdict};
use crate::release::parcel::{stays, unit};
use crate::release::promotion::Promotion;
use crate::release::{ReleaseId, Source};
use crate::review::grounds::Grounds;
use crate::spec;
use crate::step::ChangeSet;
use crate::store::disk::DiskFiles;

/// The ledger of the environment that a release comes from.
///
/// # Errors
/// When it cannot be read, or nobody knows the environment.
pub fn ledger_of(session: &Session, environment: &str, url: Option<&str>) -> Result<Ledger, Failure> {
    match url {
        None => session.known_ledger(environment),
        Some(url) => {
            let store = crate::store::open_with(url, &session.folder, environment, &ledgers::keys())?;
            Ok(session.wait(Ledger::open(store))?)
        }
    }
}

/// Why a release does not go on, as the command line says it.
pub fn refused(session: &Session, from: &str, refused: promote::Refused) -> Failure {
    use promote::Refused as R;
    let exit = match &refused {
        R::Held { .. } => Exit::Held,
        R::Unknown { .. } | R::NoTag { .. } | R::Several { .. } => Exit::Usage,
        R::Nothing { .. }
        | R::Unfinished { .. }
        | R::Unverified { .. }
        | R::WithoutSpec { .. }
        | R::NoRelease { .. }
        | R::NeverApplied { .. }
        | R::TakenBack { .. }
        | R::Closed { .. }
        | R::Skipped { .. }
        | R::Elsewhere { .. }
        | R::Backwards { .. }
        | R::Nowhere { .. } => Exit::Failed,
    };
    let help = match &refused {
        R::Unfinished { .. } => session.command(&format!("resume {from}")),
        R::Unverified { .. } | R::Nothing { .. } => match door::only_from(session, from) {
            Some(before) => {
                format!("{from} takes only releases:  {}", session.command(&format!("promote {before} {from}")))
            }
            None => format!("an apply verifies what it did:  {}", session.command(&format!("apply {from}"))),
        },
        R::WithoutSpec { run, .. } => format!(
            "the spec was not at hand: this checkout, or the values of variables, were not those of run {run}\n\
             give the same ones (`--var`, `--var-file`), to this verb as well; that verifies, and changes nothing \
             that is as it should be:  {}",
            session.command(&format!("apply {from}"))
        ),
        R::NoRelease { .. } => format!("make one:  {}", session.command(&format!("release create {from}"))),
        R::Unknown { .. } | R::Several { .. } | R::NeverApplied { .. } | R::TakenBack { .. } => {
            format!("those that are known:  {}", session.command(&format!("release list {from}")))
        }
        R::NoTag { tag, .. } => {
            format!("make it:  {}", session.command(&format!("release tag RELEASE {tag} --in {from}")))
        }
        R::Held { .. } => format!("what is held is seen with  {}", session.command(&format!("hold {from} list"))),
        R::Closed { environment } => {
            format!("write `source = [\"release\"]` or both into `environment \"{environment}\"`")
        }
        R::Skipped { environment, after, .. } => {
            format!("promote it stage by stage:  {}", session.command(&format!("promote {after} {environment}")))
        }
        R::Elsewhere { environment, after, .. } => {
            format!("promote it from there:  {}", session.command(&format!("promote {after} {environment}")))
        }
        R::Backwards { environment, from } => {
            format!(
                "the other way:  {}\na way back in {environment} is `{}`",
                session.command(&format!("promote {environment} {from}")),
                session.command(&format!("rollback {environment} --last"))
            )
        }
        R::Nowhere { environment } => format!("write `after = \"{from}\"` into `environment \"{environment}\"`"),
    };
    Failure::new(exit, format!("{refused}; nothing was done")).help(help)
}

/// The environments that lie before one, by their `after`, the nearest first; as far as their specs can be read.
pub fn before(session: &Session, project: &Path, environment: &str) -> Vec<String> {
    let after_of = |name: &str| {
        let (spec, _mistakes) = spec::load(&DiskFiles, project, name, &session.kinds);
        spec.settings.and_then(|block| block.after)
    };
    let mut found: Vec<String> = Vec::new();
    while let Some(next) = after_of(found.last().map_or(environment, String::as_str)) {
        if found.contains(&next) {
            break;
        }
        found.push(next);
    }
    found
}

/// What is known of a release that is to get into an environment.
///
/// `there` is the ledger of the environment that it gets into: the gates that were applied last are the ones that count.
pub fn describe(
    session: &Session,
    resolved: &Resolved,
    (from, there): (&State, &State),
    verified: Verified,
) -> Option<Promotion> {
    let (parcel, source) = (resolved.parcel.clone()?, resolved.carried.as_ref()?.from.as_ref()?);
    let desired = &resolved.desired;
    let runs_it = from.release_in_force() == Some(verified.id);
    let things = runs_it.then_some(&from.things);
    let pair = Pair { from: (&source.environment, things), release: &parcel.release, to: desired };
    let wanted = desired.resources.iter().map(|(address, wanted)| (address.to_string(), &wanted.object));
    let images = images(wanted);
    let mut except = compare::except(pair, &images);
    except.extend(own(resolved));
    let keys = configuration(desired.resources.keys().map(ToString::to_string));
    let gaps = compare::gaps(pair, &keys);
    let gates = counting(there, &desired.environment.gates).clone();
    let verdicts = judge(session, &gates, from, verified, source.expedited.as_deref());
    let databases = from.verified.as_ref().filter(|_| runs_it).map(|seen| seen.databases.clone()).unwrap_or_default();
    Some(Promotion { parcel, verified: verified.at, gates, verdicts, except, gaps, databases })
}

/// What is of the place although it is no spec of an environment: modules that the release does not have.
fn own(resolved: &Resolved) -> Vec<String> {
    let Some(parcel) = &resolved.parcel else { return Vec::new() };
    let paths = resolved.sources.files().map(|(_, file)| file.path.display().to_string());
    let folders = resolved.rules.folders.values().map(|(folder, _)| folder.clone());
    let mut units: Vec<String> = paths
        .chain(folders)
        .filter(|path| !stays(path))
        .map(|path| unit(&path).to_owned())
        .filter(|unit_of| !parcel.release.files.keys().any(|known| unit(known) == unit_of))
        .collect();
    units.sort();
    units.dedup();
    units.into_iter().map(|unit| format!("{unit} is not in the release: it comes from this checkout")).collect()
}

fn judge(session: &Session, gates: &Gates, from: &State, release: Verified, expedited: Option<&str>) -> Vec<Verdict> {
    let Verified { id, run, at: verified } = release;
    let accepted = from.releases.roles(id);
    let tested = from.tested_after(run).map(|tested| (&tested.what, tested.time));
    let (actor, now) = (&session.actor.name, session.world.clock.now());
    let facts = Facts { verified, now, accepted: &accepted, tested, expedited, actor };
    gates::judge(gates, facts, zone)
}

/// A zone by its name, as this machine knows it.
fn zone(name: &str) -> Option<TimeZone> {
    match name {
        "UTC" | "Z" => Some(TimeZone::UTC),
        name => TimeZone::get(name).ok(),
    }
}

/// The gates that count: those that were applied last, so that no change opens its own gate; where none were, those of
/// the spec.
fn counting<'a>(there: &'a State, own: &'a Gates) -> &'a Gates {
    match there.gates().is_empty() {
        true => own,
        false => there.gates(),
    }
}

/// Refuses a change that may not get in now: a release that was taken back or is held where it comes from, or is
/// before a closed gate; anything else from somebody who may not, or that changes the gates while they are closed.
///
/// # Errors
/// Why.
pub fn refuse(session: &Session, there: &State, change_set: &ChangeSet, grounds: &Grounds) -> Result<(), Failure> {
    let gates = counting(there, &change_set.gates);
    let carried = change_set.release.as_ref().and_then(|carried| Some((carried.id, carried.from.as_ref()?)));
    let (Some(_), Some((id, source))) = (&grounds.promotion, carried) else {
        // Who asks for gates where there were none passes none of them; a person has to be one who may, though.
        let changes_gates = !there.gates().is_empty() && *there.gates() != change_set.gates;
        let gates = gates.of_the_place(changes_gates);
        let nothing = Verified { id: ReleaseId(change_set.digest()), run: 0, at: Timestamp::MIN };
        let verdicts = judge(session, &gates, there, nothing, None);
        return refuse_closed(change_set, verdicts);
    };
    let Source { environment: from, ledger, expedited, .. } = source;
    let ledger = ledger_of(session, from, Some(ledger)).map_err(|failure| {
        let why = format!(
            "{}: whether the release still counts in {from} cannot be asked; nothing was done",
            failure.summary
        );
        Failure::failed(why).help("see that the ledger that the plan names can be read from here")
    })?;
    let state = ledger.state();
    let verified = promote::judged(from, state, id).map_err(|why| refused(session, from, why))?;
    let verdicts = judge(session, gates, state, verified, expedited.as_deref());
    refuse_closed(change_set, verdicts).map_err(|mut failure| {
        let is_closed = |gates: Gates| {
            judge(session, &gates, state, verified, expedited.as_deref()).iter().any(|verdict| !verdict.open)
        };
        let Gates { soak_seconds, windows, accept, tests, .. } = gates.clone();
        if is_closed(Gates { tests, ..Gates::default() }) {
            let words = session.command(&format!("test {from}"));
            failure = failure.help(format!("tests are run and recorded with  {words}"));
        }
        if is_closed(Gates { accept, ..Gates::default() }) {
            let words = session.command(&format!("release accept {} --in {from} --as ROLE", id.short()));
            failure = failure.help(format!("an acceptance is recorded with  {words}"));
        }
        if is_closed(Gates { soak_seconds, windows, ..Gates::default() }) {
            failure = failure
                .help("in haste, soak and windows are shortened by `promote … --expedite REASON`, which is recorded");
        }
        failure
    })
}

fn refuse_closed(change_set: &ChangeSet, verdicts: Vec<Verdict>) -> Result<(), Failure> {
    let closed: Vec<Verdict> = verdicts.into_iter().filter(|verdict| !verdict.open).collect();
    if closed.is_empty() {
        return Ok(());
    }
    let to = &change_set.environment;
    let mut failure = Failure::new(Exit::Unconfirmed, format!("a gate of {to} is closed; nothing was done"));
    failure.causes = closed.into_iter().map(|verdict| verdict.words).collect();
    Err(failure.help("type the same again when it is open: the gates are those that were applied last"))
}
