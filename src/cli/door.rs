//! The doors into an environment: the checkout, releases, or both; and what a protected one does not take. An edge.
//!
//! Invariant: where only releases get in, what travels never comes from the checkout.

use std::path::Path;

use super::commit;
use super::exit::Exit;
use super::failure::Failure;
use super::session::Session;
use crate::ledger::State;
use crate::release::parcel::Parcel;
use crate::release::{Carried, ReleaseId};
use crate::resolve::desired::EnvironmentSettings;
use crate::spec::{self, Door, EnvironmentBlock};
use crate::store::disk::DiskFiles;

/// The release over which the place's own values are planned: that which is in force, where only releases get in.
/// Nothing where the checkout may.
///
/// # Errors
/// When only releases get in and none is in force.
pub fn running(session: &Session, project: &Path, environment: &str) -> Result<Option<(Parcel, Carried)>, Failure> {
    let (spec, _mistakes) = spec::load(&DiskFiles, project, environment, &session.kinds);
    let Some(block) = spec.settings.as_ref().filter(|block| is_closed(block)) else { return Ok(None) };
    let ledger = session.ledger(environment)?;
    in_force(ledger.state()).map(Some).ok_or_else(|| {
        let after = block.after.as_deref().unwrap_or("FROM");
        Failure::failed(format!("{environment} takes only releases, and none is in force there; nothing was done"))
            .help(format!("bring one:  {}", session.command(&format!("promote {after} {environment}"))))
    })
}

/// Mistakes of a place's own files over the release that is in force: whose modules they were read with, and how newer
/// ones get there.
pub fn of_release(session: &Session, environment: &str, release: ReleaseId, failure: Failure) -> Failure {
    let from = only_from(session, environment).unwrap_or_else(|| "FROM".to_owned());
    let bring = session.command(&format!("promote {from} {environment}"));
    failure
        .cause(format!(
            "{environment} takes only releases: its files were read over the modules and variables of release {}, which \
             is in force there",
            release.short()
        ))
        .help(format!("if they are ahead of that release, bring the one that they wait for: {bring}"))
}

/// Whether the checkout does not get in.
fn is_closed(block: &EnvironmentBlock) -> bool {
    block.source.as_ref().map_or(block.protected, |doors| !doors.contains(&Door::Checkout))
}

/// The environment that a place takes its releases from, where it takes nothing else; as far as the spec can be read.
pub fn only_from(session: &Session, environment: &str) -> Option<String> {
    let project = session.project()?;
    let (spec, _mistakes) = spec::load(&DiskFiles, &project, environment, &session.kinds);
    spec.settings.filter(is_closed)?.after
}

/// The release that is in force, as it stands in the ledger.
pub fn in_force(state: &State) -> Option<(Parcel, Carried)> {
    let id = state.release_in_force()?;
    Some((state.releases.parcel(id)?, Carried { id, from: None }))
}

/// `up` asks nobody, so it is only for environments that allow it.
///
/// # Errors
/// When this one does not.
pub fn refuse_up(session: &Session, environment: &str) -> Result<(), Failure> {
    let project = session.need_environment(environment)?;
    let (spec, _mistakes) = spec::load(&DiskFiles, &project, environment, &session.kinds);
    let Some(block) = &spec.settings else { return Ok(()) };
    if block.allow_up.unwrap_or(block.after.is_none() && !block.protected) {
        return Ok(());
    }
    let why = match (block.protected, &block.after) {
        (true, _) => "it is protected".to_owned(),
        (false, Some(after)) => format!("it comes after {after}"),
        (false, None) => "it sets `allow_up = false`".to_owned(),
    };
    let help = match block.after.as_deref().filter(|_| is_closed(block)) {
        Some(from) => format!("it takes only releases:  {}", session.command(&format!("promote {from} {environment}"))),
        None => format!("type `{}`, which asks", session.command(&format!("apply {environment}"))),
    };
    Err(Failure::new(Exit::Unconfirmed, format!("`up` is not allowed for {environment}: {why}")).help(help))
}

/// A protected environment takes its values from its own files only, where everybody can read them later.
///
/// # Errors
/// When a value was typed.
pub fn refuse_typed(session: &Session, settings: &EnvironmentSettings) -> Result<(), Failure> {
    let Some(typed) = session.globals.variables.first().filter(|_| settings.protected) else { return Ok(()) };
    let name = &settings.name;
    Err(Failure::usage(format!("{name} is protected: it takes no `--var {}=…`; nothing was done", typed.name)).help(
        format!("write it into environments/{name}.hcl, a file for `--var-file`, or SWITCHBACK_VAR_{}", typed.name),
    ))
}

/// An environment that is bound to a Git branch is planned and applied from a checkout of that branch only.
///
/// # Errors
/// When the checkout is of another branch, or of none.
pub fn refuse_branch(session: &Session, settings: &EnvironmentSettings) -> Result<(), Failure> {
    let (Some(branch), name) = (&settings.branch, &settings.name) else { return Ok(()) };
    let refused = |why: String| {
        let help = format!("check it out, and type the same again: git switch {branch}");
        Err(Failure::failed(format!("{name} belongs to the branch `{branch}`, and {why}; nothing was done")).help(help))
    };
    match commit::branch_of(&session.need_project()?) {
        Some(here) if here == *branch => Ok(()),
        Some(here) => refused(format!("this checkout is of `{here}`")),
        None => refused("this is no checkout of a branch".to_owned()),
    }
}

/// A protected environment is not destroyed.
///
/// # Errors
/// When it is protected, by its spec or as last applied.
pub fn refuse_destroy(settings: &EnvironmentSettings, state: &State) -> Result<(), Failure> {
    if !settings.protected && !state.standing().protected {
        return Ok(());
    }
    let name = &settings.name;
    Err(Failure::new(Exit::Unconfirmed, format!("{name} is protected: it is not destroyed; nothing was done"))
        .help("take `protected` out of its spec and apply that first, which needs the signatures that it asks for"))
}
