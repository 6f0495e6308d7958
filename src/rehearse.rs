//! The migrations of a change set → what a rehearsal proved of them. Asks whoever rehearses, and a shelf of what was
//! proved before; changes nothing.
//!
//! Invariant: whatever cannot be rehearsed is certified as just that, with the reason; it never stops a plan.

pub mod key;
pub mod target;
pub mod work;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::Address;
use crate::digest::Digest;
use crate::ledger::Things;
use crate::migration::certificate::{Basis, Certificate, Evidence, Verdict};
use crate::migration::{Direction, Migration};
use crate::observe::{Known, connect};
use crate::secret::Secrets;
use crate::step::{Action, ChangeSet, Step};
use crate::value::{Object, Value};
use crate::world::{Binding, Connection, Progress, RehearsalJob, World, WorldError};
use key::Ground;
use work::Work;

/// Keeps certificates by what they are about.
pub trait Shelf: Send + Sync {
    /// The certificate that was kept under this key.
    fn find(&self, key: &Digest) -> Option<Certificate>;

    /// Keeps a certificate; that it cannot be kept does no harm.
    fn keep(&self, key: &Digest, certificate: &Certificate);
}

/// How much is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// What is on the shelf; of the rest there is no certificate.
    Known,
    /// What is not on the shelf is rehearsed.
    Rehearse,
    /// All is rehearsed, whatever is on the shelf.
    Anew,
    /// Nothing, for that was asked for.
    Declined,
}

/// Whoever is asked, and with what.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The world.
    pub world: &'a World,
    /// Where secrets of connections come from.
    pub secrets: &'a dyn Secrets,
    /// What was proved before.
    pub shelf: &'a dyn Shelf,
    /// How much is asked for.
    pub effort: Effort,
    /// How long the rehearsal of one database may take; for ever where nothing is said.
    pub patience: Option<Duration>,
    /// Hears how it gets on.
    pub progress: &'a dyn Progress,
}

/// The certificates of all migrations of a change set.
pub async fn rehearse(work: &[Work], things: &Things, asked: Asked<'_>) -> Evidence {
    let mut evidence = Evidence::default();
    let objects = known_objects(things);
    let known = Known { objects: &objects, secrets: asked.secrets };
    for work in work {
        let certificates = one_database(work, &known, asked).await;
        let versions = work.steps.iter().map(|(_, migration)| migration.version);
        let found: BTreeMap<i64, Certificate> =
            versions.zip(certificates).filter_map(|(version, found)| Some((version, found?))).collect();
        if !found.is_empty() {
            evidence.0.insert(work.address.clone(), found);
        }
    }
    evidence
}

/// What settings of connections may refer to.
fn known_objects(things: &Things) -> BTreeMap<Address, Object> {
    things.resources.iter().map(|(address, resource)| (address.clone(), resource.object.clone())).collect()
}

/// One answer for each step of a database, in their order.
async fn one_database(work: &Work, known: &Known<'_>, asked: Asked<'_>) -> Vec<Option<Certificate>> {
    let without = |why: &str| work.steps.iter().map(|_| Some(not_rehearsed(why))).collect();
    if asked.effort == Effort::Declined {
        return without("`--no-rehearsal` was given");
    }
    let reached = match reach(work, known, asked.world).await {
        Ok(reached) => reached,
        Err(_) if asked.effort == Effort::Known => return vec![None; work.steps.len()],
        Err(error) => return without(&reason(&error)),
    };
    let keys = key::of_steps(work, &reached.ground);
    if asked.effort != Effort::Anew {
        let found: Vec<_> = keys.iter().map(|keys| on_the_shelf(keys, asked.shelf)).collect();
        if asked.effort == Effort::Known || found.iter().all(Option::is_some) {
            return found;
        }
    }
    let Some(rehearsals) = &asked.world.rehearsals else {
        return without("this build cannot rehearse: it was made without the feature `postgres`");
    };
    let count = work.steps.len();
    let plural = if count == 1 { "" } else { "s" };
    asked.progress.say(&format!("rehearsing {count} migration{plural} of {}", work.address));
    let job = job(work, reached);
    let rehearsed = rehearsals.rehearse(&job, asked.progress);
    let answer = match asked.patience {
        None => rehearsed.await,
        Some(patience) => match tokio::time::timeout(patience, rehearsed).await {
            Ok(answer) => answer,
            Err(_) => return without(&format!("it was not done within {} s", patience.as_secs())),
        },
    };
    match answer {
        Ok(certificates) => taken(certificates, &keys, asked.shelf),
        Err(error) => without(&reason(&error)),
    }
}

/// What was kept under a step's own key, or what is as good.
fn on_the_shelf(keys: &key::Keys, shelf: &dyn Shelf) -> Option<Certificate> {
    if let Some(certificate) = shelf.find(&keys.own) {
        return Some(Certificate { key: keys.own, ..certificate });
    }
    // Up, down and up again were seen to lead to the same two schemas: so do down, up and down again.
    let twin = shelf.find(keys.twin.as_ref()?)?;
    let (forth, back) = (twin.back.clone(), twin.forth.clone());
    Some(Certificate { key: keys.own, forth, back, undone: Vec::new(), ..twin })
}

/// The answers of a rehearsal, put on the shelf where they hold another time as well.
fn taken(certificates: Vec<Certificate>, keys: &[key::Keys], shelf: &dyn Shelf) -> Vec<Option<Certificate>> {
    let mut answers = certificates.into_iter();
    let mut taken = Vec::with_capacity(keys.len());
    for keys in keys {
        let Some(certificate) = answers.next() else {
            taken.push(Some(not_rehearsed("the rehearsal gave no answer")));
            continue;
        };
        let certificate = Certificate { key: keys.own, ..certificate };
        // What this machine lacks today it may have tomorrow.
        if !is_missing(&certificate) {
            shelf.keep(&keys.own, &certificate);
            if let (Some(texts), Verdict::Exact) = (keys.texts(&certificate.server), &certificate.verdict) {
                shelf.keep(&texts, &certificate);
            }
        }
        taken.push(Some(certificate));
    }
    taken
}

/// A database as it can be asked, and what its certificates rest on.
struct Reached {
    target: Option<Connection>,
    server: Option<Connection>,
    ground: Ground,
}

async fn reach(work: &Work, known: &Known<'_>, world: &World) -> Result<Reached, WorldError> {
    let open = |binding: &Option<Binding>| match binding {
        Some(binding) => connect(binding, known),
        None => Ok(None),
    };
    let (target, server) = (open(&work.target)?, open(&work.server)?);
    let mut ground = Ground::default();
    if let Some(target) = &target {
        if let Some(provider) = world.providers.get(&target.provider) {
            let facts = provider.check(target).await?;
            ground.major = facts.get("server_version").and_then(Value::as_str).and_then(key::major);
        }
        if let Some(databases) = world.databases.as_ref().filter(|_| work.is_whole) {
            ground.schema = Some(databases.fingerprint(target).await?);
        }
    }
    Ok(Reached { target, server, ground })
}

fn job(work: &Work, reached: Reached) -> RehearsalJob {
    let mut settings = work.settings.clone();
    settings.version = settings.version.or(reached.ground.major);
    RehearsalJob {
        settings,
        server: reached.server,
        // A migration that was left in the middle has left a schema that no texts make.
        target: reached.target.filter(|_| work.is_whole),
        applied: work.applied.clone(),
        adopted: work.adopted,
        steps: work.steps.clone(),
    }
}

fn reason(error: &WorldError) -> String {
    match &error.help {
        Some(help) => format!("{error}; {help}"),
        None => error.to_string(),
    }
}

/// The certificate of what was not rehearsed.
pub fn not_rehearsed(why: &str) -> Certificate {
    Certificate {
        key: Digest::of_bytes(b""),
        server: String::new(),
        basis: Basis::Empty,
        verdict: Verdict::NotRehearsed { why: why.to_owned() },
        derived: None,
        group: None,
        undone: Vec::new(),
        forth: Vec::new(),
        back: Vec::new(),
    }
}

fn is_missing(certificate: &Certificate) -> bool {
    matches!(certificate.verdict, Verdict::NotRehearsed { .. })
}

/// The steps of a change set whose migrations were not rehearsed, with the reason.
pub fn unproved<'a>(change_set: &'a ChangeSet, evidence: &Evidence) -> Vec<(&'a Step, String)> {
    let mut found = Vec::new();
    for step in &change_set.steps {
        let Action::Migrate { migration, .. } = &step.action else { continue };
        match evidence.of(&step.address, migration.version).map(|certificate| &certificate.verdict) {
            None => found.push((step, "the plan has no certificate of it".to_owned())),
            Some(Verdict::NotRehearsed { why }) => found.push((step, why.clone())),
            // A way back that was written and does not run is a mistake; that there is none may be meant.
            Some(Verdict::Fails { direction: Direction::Down, error }) => {
                found.push((step, format!("its way back was rehearsed and fails: {error}")));
            }
            Some(_) => {}
        }
    }
    found
}

/// Which way and what, for the certificates of a change set in the order of its steps.
pub fn migrations(change_set: &ChangeSet) -> impl Iterator<Item = (&Step, Direction, &Migration)> {
    change_set.steps.iter().filter_map(|step| match &step.action {
        Action::Migrate { direction, migration, .. } => Some((step, *direction, &**migration)),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
