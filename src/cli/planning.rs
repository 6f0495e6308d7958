//! Planning as the verbs need it: observe, plan, and say what went wrong. Reads the world.
//!
//! Invariant: nothing here writes to the world or the ledger.

use std::collections::{BTreeMap, BTreeSet};

use super::failure::Failure;
use super::session::{Resolved, Session, quoted};
use crate::address::Address;
use crate::diagnostic::{Diagnostics, Sources};
use crate::ledger::{Ledger, State};
use crate::migration::certificate::Evidence;
use crate::observe::{self, Observed, Subject};
use crate::plan::moves::Before;
use crate::plan::told::{self, Telling};
use crate::plan::{self, Inputs, Options, refactor};
use crate::resolve::desired::Import;
use crate::resolve::secrets::RevealedSecrets;
use crate::rollback::{self, owed::leave_out};
use crate::secret::Secrets;
use crate::step::{ChangeSet, Edit, Standing};
use crate::value::Object;
use crate::world::{History, WorldError};

/// The way to what the spec wants.
///
/// # Errors
/// When the world cannot be read, or the plan is refused.
pub async fn plan(
    session: &Session,
    ledger: &Ledger,
    resolved: &Resolved,
    options: &Options,
) -> Result<ChangeSet, Failure> {
    let things = &ledger.state().things;
    let secrets = &*resolved.secrets;
    let refactoring = &resolved.refactoring;
    let subject = Subject::of(Some(&resolved.desired), things, &session.kinds).and_imports(
        &resolved.desired,
        &refactoring.imports,
        things,
    );
    let observed = look(session, &subject, secrets).await?;
    let inputs = Inputs {
        state: ledger.state(),
        observed: &observed,
        kinds: &session.kinds,
        secrets,
        evidence: &Evidence::default(),
    };
    let options = Options { refactoring: refactoring.clone(), ..options.clone() };
    let (change_set, diagnostics) = plan::plan(&resolved.desired, inputs, &options);
    judge(session, change_set, diagnostics, &resolved.sources)
}

/// The way to nothing.
///
/// # Errors
/// As [`plan()`].
pub async fn destroy(session: &Session, ledger: &Ledger, secrets: &dyn Secrets) -> Result<ChangeSet, Failure> {
    let subject = Subject::of(None, &ledger.state().things, &session.kinds);
    let observed = look(session, &subject, secrets).await?;
    let inputs = Inputs {
        state: ledger.state(),
        observed: &observed,
        kinds: &session.kinds,
        secrets,
        evidence: &Evidence::default(),
    };
    let (change_set, diagnostics) = plan::destroy(inputs);
    judge(session, change_set, diagnostics, &Sources::default())
}

/// The way back to the state right after a run. What is skipped is neither looked at nor touched, and whatever comes
/// after it is owed as well.
///
/// # Errors
/// As [`plan()`], or when the ledger cannot be read, or does not know what is skipped.
pub async fn back(
    session: &Session,
    ledger: &Ledger,
    to: u64,
    skipped: &BTreeSet<Address>,
    secrets: &dyn Secrets,
) -> Result<ChangeSet, Failure> {
    let then = ledger.things_after(to).await?;
    let now = &ledger.state().things;
    let is_known = |address: &Address| {
        [&then, now]
            .iter()
            .any(|things| things.resources.contains_key(address) || things.databases.contains_key(address))
    };
    if let Some(unknown) = skipped.iter().find(|address| !is_known(address)) {
        return Err(Failure::usage(format!("`{unknown}` is nothing that the ledger knows; nothing was done"))
            .help("`switchback status ENV` and the review say what there is"));
    }
    let subject = Subject::of(None, now, &session.kinds).and_back_to(&then, now);
    let subject = subject.and_forgotten_since(&then, now).without(skipped);
    let (mut observed, errors) = observe::observe(&session.world, &session.kinds, secrets, &subject).await;
    let mut owed = skipped.clone();
    let (change_set, diagnostics) = loop {
        let inputs = Inputs {
            state: ledger.state(),
            observed: &observed,
            kinds: &session.kinds,
            secrets,
            evidence: &Evidence::default(),
        };
        let (change_set, diagnostics) = rollback::rollback(&then, to, inputs);
        let change_set = leave_out(change_set, &owed);
        if change_set.owed == owed {
            break (change_set, diagnostics);
        }
        // What is owed is planned as if it had not been looked at, so that the same plan comes out another time.
        owed.clone_from(&change_set.owed);
        observed.forget(&owed);
    };
    let missing: Vec<&(Address, WorldError)> = errors.iter().filter(|(address, _)| !owed.contains(address)).collect();
    if !missing.is_empty() {
        return Err(unreachable(session, &change_set, to, &missing));
    }
    judge(session, change_set, diagnostics, &Sources::default())
}

/// What is in the way of a way back, and that it can be left out.
fn unreachable(session: &Session, change_set: &ChangeSet, to: u64, missing: &[&(Address, WorldError)]) -> Failure {
    let errors = missing.iter().map(|(address, error)| (address.to_string(), error));
    let failure = Failure::world("the world could not be read; nothing was done", errors);
    let all = change_set.owed.iter().chain(missing.iter().map(|(address, _)| address));
    let all: BTreeSet<String> = all.map(|address| quoted(&address.to_string())).collect();
    let all: Vec<String> = all.into_iter().collect();
    let words = format!("rollback {} --to {to} --skip {}", change_set.environment, all.join(" "));
    failure.help(format!("to take back the rest, and owe these: {}", session.command(&words)))
}

/// The way back as far as the ledger alone can tell: as if the world were as it records it.
///
/// # Errors
/// When the ledger cannot be read, or there is no way back.
pub async fn back_on_paper(
    session: &Session,
    ledger: &Ledger,
    state: &State,
    to: u64,
    secrets: &dyn Secrets,
) -> Result<ChangeSet, Failure> {
    let then = ledger.things_after(to).await?;
    let observed = Observed::as_recorded(&state.things);
    let inputs = Inputs { state, observed: &observed, kinds: &session.kinds, secrets, evidence: &Evidence::default() };
    let (change_set, diagnostics) = rollback::rollback(&then, to, inputs);
    judge_quietly(change_set, diagnostics)
}

/// The way back as the world is now; says nothing.
///
/// # Errors
/// As [`back()`].
pub async fn back_quietly(
    session: &Session,
    ledger: &Ledger,
    state: &State,
    to: u64,
    secrets: &dyn Secrets,
) -> Result<ChangeSet, Failure> {
    let then = ledger.things_after(to).await?;
    let subject = Subject::of(None, &state.things, &session.kinds).and_back_to(&then, &state.things);
    let subject = subject.and_forgotten_since(&then, &state.things);
    let observed = look(session, &subject, secrets).await?;
    let inputs = Inputs { state, observed: &observed, kinds: &session.kinds, secrets, evidence: &Evidence::default() };
    let (change_set, diagnostics) = rollback::rollback(&then, to, inputs);
    judge_quietly(change_set, diagnostics)
}

/// A change of the ledger alone: new names, and what is forgotten. Nobody is asked.
pub fn edit(
    session: &Session,
    ledger: &Ledger,
    edit: Edit,
    renames: BTreeMap<Address, Address>,
    forget: &BTreeSet<Address>,
) -> Result<ChangeSet, Failure> {
    let observed = Observed::default();
    let secrets = RevealedSecrets::default();
    let inputs = Inputs {
        state: ledger.state(),
        observed: &observed,
        kinds: &session.kinds,
        secrets: &secrets,
        evidence: &Evidence::default(),
    };
    let before = Before { renames, ..Before::default() };
    let (change_set, diagnostics) = refactor::edit(edit, &before, forget, inputs);
    judge(session, change_set, diagnostics, &Sources::default())
}

/// One thing of the spec is taken up as it is; and in what the next plan would change it.
///
/// # Errors
/// When it is not there, or cannot be looked at.
pub async fn import(
    session: &Session,
    ledger: &Ledger,
    resolved: &Resolved,
    address: &Address,
    (id, query): (&str, Object),
) -> Result<(ChangeSet, Vec<String>), Failure> {
    let things = &ledger.state().things;
    let secrets = &*resolved.secrets;
    let span = resolved.desired.resources[address].span;
    let imports = BTreeMap::from([(address.clone(), Import { id: id.to_owned(), query, span })]);
    let subject = Subject::of(None, things, &session.kinds).and_imports(&resolved.desired, &imports, things);
    let observed = look(session, &subject.only(address), secrets).await?;
    let inputs = Inputs {
        state: ledger.state(),
        observed: &observed,
        kinds: &session.kinds,
        secrets,
        evidence: &Evidence::default(),
    };
    let (change_set, differing, diagnostics) = refactor::import(&resolved.desired, address, id, inputs);
    Ok((judge(session, change_set, diagnostics, &resolved.sources)?, differing))
}

/// What somebody says of a database's history is recorded; `spec` gives project and standing of a first run.
pub fn tell(
    session: &Session,
    ledger: &Ledger,
    resolved: &Resolved,
    (edit, address, telling): (Edit, &Address, &Telling),
) -> Result<ChangeSet, Failure> {
    let observed = Observed::default();
    let inputs = Inputs {
        state: ledger.state(),
        observed: &observed,
        kinds: &session.kinds,
        secrets: &*resolved.secrets,
        evidence: &Evidence::default(),
    };
    let settings = &resolved.desired.environment;
    let standing = Standing { protected: settings.protected, holds: !settings.allow_up };
    let names = (&*resolved.desired.project, &*settings.name, standing);
    let (change_set, diagnostics) = told::tell(edit, address, telling, names, inputs);
    judge(session, change_set, diagnostics, &resolved.sources)
}

/// The history of one database of the spec, as its table has it.
///
/// # Errors
/// When it cannot be looked at, or is not there.
pub async fn history(
    session: &Session,
    ledger: &Ledger,
    resolved: &Resolved,
    address: &Address,
) -> Result<History, Failure> {
    let things = &ledger.state().things;
    let subject = Subject::of(Some(&resolved.desired), things, &session.kinds).only_database(address);
    let mut observed = look(session, &subject, &*resolved.secrets).await?;
    let none = || {
        Failure::failed(format!("`{address}` is not there yet; nothing was done"))
            .help("what it lives in is made by the next apply, or is not known before")
    };
    observed.databases.remove(address).flatten().ok_or_else(none)
}

async fn look(session: &Session, subject: &Subject, secrets: &dyn Secrets) -> Result<Observed, Failure> {
    let (observed, errors) = observe::observe(&session.world, &session.kinds, secrets, subject).await;
    if errors.is_empty() {
        return Ok(observed);
    }
    let errors = errors.iter().map(|(address, error)| (address.to_string(), error));
    Err(Failure::world("the world could not be read; nothing was done", errors))
}

fn judge(
    session: &Session,
    change_set: ChangeSet,
    diagnostics: Diagnostics,
    sources: &Sources,
) -> Result<ChangeSet, Failure> {
    if !diagnostics.has_errors() {
        session.warn(&diagnostics, sources);
        return Ok(change_set);
    }
    let mut failure = Failure::mistakes(diagnostics, sources);
    failure.summary = "the plan is refused; nothing was done".to_owned();
    Err(failure)
}

fn judge_quietly(change_set: ChangeSet, diagnostics: Diagnostics) -> Result<ChangeSet, Failure> {
    match diagnostics.has_errors() {
        true => Err(Failure::mistakes(diagnostics, &Sources::default())),
        false => Ok(change_set),
    }
}
