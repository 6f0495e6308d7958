//! Planning as the verbs need it: observe, plan, and say what went wrong. Reads the world.
//!
//! Invariant: nothing here writes to the world or the ledger.

use std::collections::{BTreeMap, BTreeSet};

use super::failure::Failure;
use super::session::{Resolved, Session};
use crate::address::Address;
use crate::diagnostic::{Diagnostics, Sources};
use crate::ledger::Ledger;
use crate::observe::{self, Observed, Subject};
use crate::plan::moves::Before;
use crate::plan::{self, Inputs, Options, refactor};
use crate::resolve::desired::Import;
use crate::resolve::secrets::RevealedSecrets;
use crate::rollback;
use crate::secret::Secrets;
use crate::step::{ChangeSet, Edit};
use crate::value::Object;

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
    let inputs = Inputs { state: ledger.state(), observed: &observed, kinds: &session.kinds, secrets };
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
    let inputs = Inputs { state: ledger.state(), observed: &observed, kinds: &session.kinds, secrets };
    let (change_set, diagnostics) = plan::destroy(inputs);
    judge(session, change_set, diagnostics, &Sources::default())
}

/// The way back to the state right after a run.
///
/// # Errors
/// As [`plan()`], or when the ledger cannot be read.
pub async fn back(session: &Session, ledger: &Ledger, to: u64, secrets: &dyn Secrets) -> Result<ChangeSet, Failure> {
    let then = ledger.things_after(to).await?;
    let now = &ledger.state().things;
    let subject = Subject::of(None, now, &session.kinds).and_back_to(&then, now).and_forgotten_since(&then, now);
    let observed = look(session, &subject, secrets).await?;
    let inputs = Inputs { state: ledger.state(), observed: &observed, kinds: &session.kinds, secrets };
    let (change_set, diagnostics) = rollback::rollback(&then, to, inputs);
    judge(session, change_set, diagnostics, &Sources::default())
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
    let inputs = Inputs { state: ledger.state(), observed: &observed, kinds: &session.kinds, secrets: &secrets };
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
    let inputs = Inputs { state: ledger.state(), observed: &observed, kinds: &session.kinds, secrets };
    let (change_set, differing, diagnostics) = refactor::import(&resolved.desired, address, id, inputs);
    Ok((judge(session, change_set, diagnostics, &resolved.sources)?, differing))
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
    if diagnostics.has_errors() {
        let mut failure = Failure::mistakes(diagnostics, sources);
        failure.summary = "the plan is refused; nothing was done".to_owned();
        return Err(failure);
    }
    session.warn(&diagnostics, sources);
    Ok(change_set)
}
