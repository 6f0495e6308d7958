//! Planning as the verbs need it: observe, plan, rehearse, plan again, and say what went wrong. Reads the world.
//!
//! Invariant: nothing here writes to the world or the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::evidence::Folder;
use super::failure::Failure;
use super::gate;
use super::policies;
use super::pricing::Pricing;
use super::progress::Lines;
use super::session::{Resolved, Session, quoted};
use crate::address::Address;
use crate::diagnostic::{Diagnostics, Sources};
use crate::ledger::{Ledger, State, Things};
use crate::migration::certificate::Evidence;
use crate::observe::{self, Observed, Subject};
use crate::plan::moves::Before;
use crate::plan::told::{self, Telling};
use crate::plan::{self, Inputs, Options, refactor};
use crate::promote::compare;
use crate::rehearse::target::{self, Targets};
use crate::rehearse::{self, Asked, Effort, work};
use crate::resolve::desired::{Desired, DesiredDatabase, Import};
use crate::resolve::secrets::RevealedSecrets;
use crate::review::grounds::Grounds;
use crate::rollback::schema::left_applied;
use crate::rollback::{self, Depth, owed::leave_out};
use crate::rules;
use crate::rules::judging::{Settings, judge as judge_rules};
use crate::rules::policy::Policy;
use crate::secret::Secrets;
use crate::step::{ChangeSet, Edit, Operation, Standing};
use crate::value::Object;
use crate::world::{History, Parity, WorldError};

/// How long the rehearsal of one database may take before a way back, which must not wait for it.
const PATIENCE_BEFORE_A_WAY_BACK: Duration = Duration::from_secs(60);

/// A change set, and what was proved of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proved<T> {
    /// The change set.
    pub change_set: T,
    /// What its review rests on.
    pub grounds: Grounds,
    /// What the databases are like, as far as they said.
    pub databases: BTreeMap<Address, Parity>,
}

/// Where what is proved of a change set comes from.
#[derive(Clone, Copy, Debug)]
pub enum Proofs<'a> {
    /// It is not asked for: only what the plan would change is of interest.
    Unasked,
    /// From rehearsals, or what earlier ones left.
    From(Effort),
    /// It is at hand.
    Given(&'a Evidence),
}

impl Proofs<'_> {
    /// How much is asked for; nothing where nothing is.
    fn effort(self) -> Option<Effort> {
        match self {
            Self::From(effort) => Some(effort),
            Self::Unasked | Self::Given(_) => None,
        }
    }
}

/// The way to what the spec wants.
///
/// # Errors
/// When the world cannot be read, or the plan is refused.
pub async fn plan(
    session: &Session,
    ledger: &Ledger,
    resolved: &Resolved,
    options: &Options,
    proofs: Proofs<'_>,
) -> Result<Proved<ChangeSet>, Failure> {
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
    let ground = Ground { things, observed: &observed, databases: &resolved.desired.databases, secrets };
    let planned = |inputs: Inputs<'_>| plan::plan(&resolved.desired, inputs, &options);
    let ((change_set, diagnostics), evidence) = twice(session, inputs, ground, proofs, planned).await;
    let mut change_set = judge(session, change_set, diagnostics, &resolved.sources)?;
    change_set.release = resolved.carried.clone().map(Box::new);
    let targets = targets_of(session, &change_set, ground, &evidence, proofs).await;
    let pricing = Pricing::of(session, Some(&resolved.desired), &targets, proofs.effort()).await;
    let judges = Judges { rules: &resolved.rules, policies: resolved.policies.clone(), pricing };
    let grounds = grounds((session, ledger), &change_set, (evidence, targets), judges);
    let databases = observed.parity();
    let promotion = resolved.promotion.clone().map(|mut promotion| {
        let from = resolved.carried.as_ref().and_then(|carried| carried.from.as_ref());
        let from = from.map(|from| (from.environment.as_str(), &promotion.databases));
        let gaps = from.map(|from| compare::parity(from, &databases, &resolved.desired.databases));
        promotion.gaps.extend(gaps.unwrap_or_default());
        promotion
    });
    Ok(Proved { grounds: Grounds { promotion, ..grounds }, change_set, databases })
}

/// What rehearsals rest on, beside the plan.
#[derive(Clone, Copy)]
struct Ground<'a> {
    things: &'a Things,
    observed: &'a Observed,
    databases: &'a BTreeMap<Address, DesiredDatabase>,
    secrets: &'a dyn Secrets,
}

/// Plans, rehearses what that would run, and plans again with what was proved: classes, order and point of no return
/// follow from it.
async fn twice(
    session: &Session,
    inputs: Inputs<'_>,
    ground: Ground<'_>,
    proofs: Proofs<'_>,
    plan: impl Fn(Inputs<'_>) -> (ChangeSet, Diagnostics),
) -> ((ChangeSet, Diagnostics), Evidence) {
    let evidence = match proofs {
        Proofs::Unasked => Evidence::default(),
        Proofs::Given(evidence) => evidence.clone(),
        Proofs::From(effort) => {
            let (first, diagnostics) = plan(inputs);
            if diagnostics.has_errors() {
                return ((first, diagnostics), Evidence::default());
            }
            let evidence = evidence_of(session, &first, ground, effort).await;
            if evidence.is_empty() {
                return ((first, diagnostics), evidence);
            }
            evidence
        }
    };
    (plan(Inputs { evidence: &evidence, ..inputs }), evidence)
}

async fn evidence_of(session: &Session, change_set: &ChangeSet, ground: Ground<'_>, effort: Effort) -> Evidence {
    let work = work::of(change_set, ground.things, ground.observed, ground.databases);
    if work.is_empty() {
        return Evidence::default();
    }
    let goes_back = matches!(change_set.operation, Operation::Rollback { .. } | Operation::Destroy);
    let asked = Asked {
        world: &session.world,
        secrets: ground.secrets,
        shelf: &Folder::of_the_user(),
        effort,
        patience: goes_back.then_some(PATIENCE_BEFORE_A_WAY_BACK),
        progress: &Lines(&session.terminal),
    };
    rehearse::rehearse(&work, ground.things, asked).await
}

/// What the databases say whose schema a change set changes, where proofs are asked for.
async fn targets_of(
    session: &Session,
    change_set: &ChangeSet,
    ground: Ground<'_>,
    evidence: &Evidence,
    proofs: Proofs<'_>,
) -> Targets {
    let world = &session.world;
    match (proofs, &world.databases) {
        (Proofs::From(_), Some(databases)) => {
            let work = work::of(change_set, ground.things, ground.observed, ground.databases);
            let asking = target::Asking { databases: &**databases, clock: &*world.clock, secrets: ground.secrets };
            target::ask(&work, evidence, ground.things, asking).await
        }
        (Proofs::From(_) | Proofs::Unasked | Proofs::Given(_), _) => Targets::default(),
    }
}

/// What is proved of a saved change set, and what its databases say: they are looked at once more, nothing else.
///
/// # Errors
/// When a database cannot be looked at.
pub async fn prove(
    session: &Session,
    ledger: &Ledger,
    desired: Option<&Desired>,
    change_set: &ChangeSet,
    secrets: &dyn Secrets,
    effort: Effort,
) -> Result<Grounds, Failure> {
    let things = &ledger.state().things;
    let subject = Subject::of(desired, things, &session.kinds).databases_only();
    let observed = look(session, &subject, secrets).await?;
    let nothing = BTreeMap::new();
    let databases = desired.map_or(&nothing, |desired| &desired.databases);
    let ground = Ground { things, observed: &observed, databases, secrets };
    let evidence = evidence_of(session, change_set, ground, effort).await;
    let targets = targets_of(session, change_set, ground, &evidence, Proofs::From(effort)).await;
    let pricing = Pricing::of(session, desired, &targets, Some(effort)).await;
    let judges = Judges { rules: &Settings::default(), policies: Vec::new(), pricing };
    Ok(grounds((session, ledger), change_set, (evidence, targets), judges))
}

/// Whoever has something to say about a change set.
struct Judges<'a> {
    rules: &'a Settings,
    policies: Vec<Policy>,
    pricing: Pricing,
}

/// What a review rests on. Signatures come last: they cover the rest.
fn grounds(
    (session, ledger): (&Session, &Ledger),
    change_set: &ChangeSet,
    (mut evidence, mut targets): (Evidence, Targets),
    judges: Judges<'_>,
) -> Grounds {
    let risks = judges.pricing.risks(change_set, &evidence, &targets);
    let findings = judge_rules(&rules::rules(), change_set, &evidence, &targets, judges.rules);
    // Only rules look at catalogs; nobody reads them in a review or saves them in a plan.
    evidence.forget_catalogs();
    targets.forget_catalogs();
    let mut grounds = Grounds { evidence, targets, risks, findings, ..Grounds::default() };
    policies::ask(session, judges.policies, change_set, &mut grounds);
    let author = Some(&*session.actor.name);
    let asking = gate::Asking { change_set, grounds: &grounds, author, file: None, break_glass: None };
    grounds.signing = gate::signing(session, ledger.state(), asking);
    grounds
}

/// The way to nothing.
///
/// # Errors
/// As [`plan()`].
pub async fn destroy(
    session: &Session,
    ledger: &Ledger,
    secrets: &dyn Secrets,
    proofs: Proofs<'_>,
) -> Result<Proved<ChangeSet>, Failure> {
    let subject = Subject::of(None, &ledger.state().things, &session.kinds);
    let observed = look(session, &subject, secrets).await?;
    let inputs = Inputs {
        state: ledger.state(),
        observed: &observed,
        kinds: &session.kinds,
        secrets,
        evidence: &Evidence::default(),
    };
    let nothing = BTreeMap::new();
    let ground = Ground { things: &ledger.state().things, observed: &observed, databases: &nothing, secrets };
    let ((change_set, diagnostics), evidence) = twice(session, inputs, ground, proofs, plan::destroy).await;
    let change_set = judge(session, change_set, diagnostics, &Sources::default())?;
    let targets = targets_of(session, &change_set, ground, &evidence, proofs).await;
    let pricing = Pricing::of(session, None, &targets, proofs.effort()).await;
    let policies = policies::at_hand(session, &change_set.environment);
    let judges = Judges { rules: &Settings::default(), policies, pricing };
    let grounds = grounds((session, ledger), &change_set, (evidence, targets), judges);
    Ok(Proved { grounds, change_set, databases: observed.parity() })
}

/// The way back to the state right after a run. What is skipped is neither looked at nor touched, and whatever comes
/// after it is owed as well.
///
/// # Errors
/// As [`plan()`], or when the ledger cannot be read, or does not know what is skipped.
pub async fn back(
    session: &Session,
    ledger: &Ledger,
    (to, depth): (u64, Depth),
    skipped: &BTreeSet<Address>,
    secrets: &dyn Secrets,
    proofs: Proofs<'_>,
) -> Result<Proved<ChangeSet>, Failure> {
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
    let nothing = BTreeMap::new();
    let ((change_set, diagnostics), evidence) = loop {
        let inputs = Inputs {
            state: ledger.state(),
            observed: &observed,
            kinds: &session.kinds,
            secrets,
            evidence: &Evidence::default(),
        };
        let planned = |inputs: Inputs<'_>| {
            let (change_set, diagnostics) = rollback::rollback_to(&then, to, depth, inputs);
            (leave_out(change_set, &owed), diagnostics)
        };
        let (change_set, _) = planned(inputs);
        if change_set.owed == owed {
            let ground = Ground { things: now, observed: &observed, databases: &nothing, secrets };
            break twice(session, inputs, ground, proofs, planned).await;
        }
        // What is owed is planned as if it had not been looked at, so that the same plan comes out another time.
        owed.clone_from(&change_set.owed);
        observed.forget(&owed);
    };
    let missing: Vec<&(Address, WorldError)> = errors.iter().filter(|(address, _)| !owed.contains(address)).collect();
    if !missing.is_empty() {
        return Err(unreachable(session, &change_set, to, &missing));
    }
    let change_set = judge(session, change_set, diagnostics, &Sources::default())?;
    let ground = Ground { things: now, observed: &observed, databases: &nothing, secrets };
    let targets = match proofs {
        // It is taken at once, without a review: nobody waits for what nobody reads.
        Proofs::From(Effort::Known) => Targets::default(),
        Proofs::From(_) | Proofs::Unasked | Proofs::Given(_) => {
            targets_of(session, &change_set, ground, &evidence, proofs).await
        }
    };
    let pricing = Pricing::of(session, None, &targets, proofs.effort()).await;
    let judges = Judges { rules: &Settings::default(), policies: Vec::new(), pricing };
    let grounds = grounds((session, ledger), &change_set, (evidence, targets), judges);
    Ok(Proved { grounds, change_set, databases: observed.parity() })
}

/// What a way back leaves of each schema, and the way that takes that back as well; nothing where it leaves nothing.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn further(
    session: &Session,
    ledger: &Ledger,
    (to, back): (u64, &ChangeSet),
    skipped: &BTreeSet<Address>,
    secrets: &dyn Secrets,
) -> Result<Option<Further>, Failure> {
    let then = ledger.things_after(to).await?;
    let left = left_applied(&then, &ledger.state().things, back);
    if left.is_empty() || back.with_schema {
        return Ok(None);
    }
    let whole = self::back(session, ledger, (to, Depth::WithSchema), skipped, secrets, Proofs::Unasked).await;
    Ok(Some(Further { left, whole: whole.map(|whole| Box::new(whole.change_set)) }))
}

/// What of schemas is left by a way back that goes as far as it is needed.
pub struct Further {
    /// The migrations that stay, by database.
    pub left: BTreeMap<Address, Vec<String>>,
    /// The way back that takes them back as well, if there is one.
    pub whole: Result<Box<ChangeSet>, Failure>,
}

/// What is in the way of a way back, and that it can be left out.
fn unreachable(session: &Session, change_set: &ChangeSet, to: u64, missing: &[&(Address, WorldError)]) -> Failure {
    let errors = missing.iter().map(|(address, error)| (address.to_string(), error));
    let failure = Failure::world("the world could not be read; nothing was done", errors);
    let all = change_set.owed.iter().chain(missing.iter().map(|(address, _)| address));
    let all: BTreeSet<String> = all.map(|address| quoted(&address.to_string())).collect();
    let all: Vec<String> = all.into_iter().collect();
    let schema = if change_set.with_schema { " --with-schema" } else { "" };
    let words = format!("rollback {} --to {to}{schema} --skip {}", change_set.environment, all.join(" "));
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

/// The way back as the world is now, with what earlier rehearsals proved; says nothing.
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
    let nothing = BTreeMap::new();
    let ground = Ground { things: &state.things, observed: &observed, databases: &nothing, secrets };
    let planned = |inputs: Inputs<'_>| rollback::rollback(&then, to, inputs);
    let proofs = Proofs::From(Effort::Known);
    let ((change_set, diagnostics), _) = twice(session, inputs, ground, proofs, planned).await;
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
