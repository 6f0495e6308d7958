//! Addresses → what is there. Reads the world, bounded and batched; changes nothing.
//!
//! Invariant: only what the ledger records, or what the spec names so clearly that it could be there
//! already, is asked for; a database whose server or database is not recorded yet is never dialled.

pub mod sight;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;

use crate::address::Address;
use crate::expression::Deferred;
use crate::kind::Kinds;
use crate::ledger::Things;
use crate::ledger::state::{DatabaseState, Gone};
use crate::migration::addition::{Addition, Written};
use crate::migration::class::additions;
use crate::migration::layout::Layout;
use crate::migration::{HistoryRow, Migration};
use crate::resolve::desired::{Desired, Import};
use crate::resolve::evaluate::{Lookup, evaluate_deferred};
use crate::secret::{SecretError, SecretReference, Secrets};
use crate::value::{Data, Object, Value};
use crate::world::{Binding, Connection, Databases, ErrorClass, History, Parity, Query, World, WorldError};

/// What was found. Secrets are real values, marked.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Current things: `None` was asked for and is absent; what is missing here was not asked for.
    pub objects: BTreeMap<Address, Option<Object>>,
    /// Earlier things of an address, as recorded and as found.
    pub earlier: BTreeMap<Address, Vec<(Object, Option<Object>)>>,
    /// Histories of databases: `None` when the database is absent.
    pub databases: BTreeMap<Address, Option<History>>,
    /// What is in the things that migrations added, where these are to be taken back.
    pub written: BTreeMap<Address, BTreeMap<Addition, Written>>,
    /// Why the secrets of what is wanted back cannot be had again, where they cannot.
    pub lost: BTreeMap<Address, String>,
    /// When this was, if the world was looked at.
    pub now: Option<jiff::Timestamp>,
}

impl Observed {
    /// As if everything were as the ledger records it: for a plan when the world cannot be asked.
    pub fn as_recorded(things: &Things) -> Self {
        let objects = things.resources.iter();
        let found = |object: &Object| (object.clone(), Some(object.clone()));
        let earlier = things.resources.iter().filter(|(_, resource)| !resource.earlier.is_empty());
        let history = |database: &DatabaseState| {
            let layout = Layout::of(&database.binding.settings).unwrap_or_default();
            let checksum = |migration: &Migration| layout.checksum(migration, true);
            let row = |migration: &Arc<Migration>| HistoryRow {
                version: migration.version,
                spelling: migration.spelling.clone(),
                name: layout.row_name(migration),
                checksum: migration.blessed.clone().or_else(|| Some(checksum(migration))),
            };
            let rows = database.applied.values().map(row).collect();
            let partial = database.partial.as_deref().cloned();
            Some(History { rows, wide: true, layout, partial, ..History::default() })
        };
        let databases = things.databases.iter();
        Self {
            objects: objects.map(|(address, resource)| (address.clone(), Some(resource.object.clone()))).collect(),
            earlier: earlier
                .map(|(address, resource)| (address.clone(), resource.earlier.iter().map(found).collect()))
                .collect(),
            databases: databases.map(|(address, database)| (address.clone(), history(database))).collect(),
            written: BTreeMap::new(),
            lost: BTreeMap::new(),
            now: None,
        }
    }

    /// What the databases are like, as far as they said.
    pub fn parity(&self) -> BTreeMap<Address, Parity> {
        let said = |history: &Option<History>| Some(history.as_ref()?.parity.as_deref()?.clone());
        let databases = self.databases.iter();
        databases.filter_map(|(address, history)| Some((address.clone(), said(history)?))).collect()
    }

    /// As if these had not been looked at.
    pub fn forget(&mut self, addresses: &BTreeSet<Address>) {
        self.objects.retain(|address, _| !addresses.contains(address));
        self.earlier.retain(|address, _| !addresses.contains(address));
        self.databases.retain(|address, _| !addresses.contains(address));
    }
}

/// What to look at.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    things: BTreeMap<Address, Look>,
    databases: BTreeMap<Address, Binding>,
    /// What the migrations of a database added that are to be taken back.
    added: BTreeMap<Address, Vec<Addition>>,
    /// Earlier states with withheld secrets that are wanted back.
    withheld: BTreeMap<Address, Look>,
    /// Objects by address, for the settings of bindings that refer to them.
    known: BTreeMap<Address, Object>,
}

#[derive(Clone, Debug)]
struct Look {
    binding: Binding,
    kind: String,
    object: Object,
    earlier: Vec<Object>,
}

impl Subject {
    /// What the ledger records and what the spec wants.
    pub fn of(desired: Option<&Desired>, things: &Things, kinds: &Kinds) -> Self {
        let mut subject = Self::default();
        for (address, resource) in &things.resources {
            subject.known.insert(address.clone(), resource.object.clone());
            let look = Look {
                binding: resource.binding.clone(),
                kind: resource.kind.clone(),
                object: resource.object.clone(),
                earlier: resource.earlier.clone(),
            };
            subject.things.insert(address.clone(), look);
        }
        for (address, database) in &things.databases {
            subject.databases.insert(address.clone(), database.binding.clone());
        }
        if let Some(desired) = desired {
            subject.add_desired(desired, things, kinds);
        }
        subject
    }

    /// What is wanted back: a database that the ledger has forgotten since, unless what it lives in is gone; secrets that
    /// are not those of now. And what goes for that: the things that migrations added.
    #[must_use]
    pub fn and_back_to(mut self, then: &Things, now: &Things) -> Self {
        for (address, database) in &then.databases {
            let is_gone = |need: &Address| then.resources.contains_key(need) && !now.resources.contains_key(need);
            if !database.needs.iter().any(is_gone) {
                self.databases.entry(address.clone()).or_insert_with(|| database.binding.clone());
            }
        }
        for (address, database) in &now.databases {
            let kept = then.databases.get(address).map(|then| &then.applied);
            let goes = |version: &i64| kept.is_none_or(|kept| !kept.contains_key(version));
            let first = database.applied.keys().find(|version| goes(version));
            let mut applied: Vec<_> = first.map_or_else(Vec::new, |first| {
                database.applied.range(first..).map(|(_, migration)| Arc::clone(migration)).collect()
            });
            // What was left in the middle is taken back as well.
            if let Some(partial) =
                database.partial.as_ref().filter(|one| !database.applied.contains_key(&one.migration.version))
            {
                applied.push(Arc::new(partial.migration.clone()));
            }
            if applied.is_empty() {
                continue;
            }
            self.added.insert(address.clone(), additions(&applied).into_iter().flatten().flatten().collect());
        }
        for (address, earlier) in &then.resources {
            let stays = now.resources.get(address).is_none_or(|now| now.object == earlier.object);
            if !stays && earlier.object.values().any(Value::holds_sealed) {
                let (binding, kind, object) = (earlier.binding.clone(), earlier.kind.clone(), earlier.object.clone());
                self.withheld.insert(address.clone(), Look { binding, kind, object, earlier: Vec::new() });
            }
        }
        self
    }

    /// What the ledger forgot after an earlier time: it may still be there, for a way back to take it up again.
    #[must_use]
    pub fn and_forgotten_since(mut self, then: &Things, now: &Things) -> Self {
        for (address, gone) in now.gone_since(then) {
            match gone {
                Gone::Forgotten(resource) => {
                    self.known.entry(address.clone()).or_insert_with(|| resource.object.clone());
                    self.things.entry(address.clone()).or_insert_with(|| Look {
                        binding: resource.binding.clone(),
                        kind: resource.kind.clone(),
                        object: resource.object.clone(),
                        earlier: resource.earlier.clone(),
                    });
                }
                Gone::Database(database) => {
                    // Without what it lives in there is nobody to ask.
                    let is_gone = |need: &Address| matches!(now.gone.get(need), Some(Gone::Deleted(_)));
                    if !database.needs.iter().any(is_gone) {
                        self.databases.entry(address.clone()).or_insert_with(|| database.binding.clone());
                    }
                }
                Gone::Deleted(_) | Gone::Emptied(_) => {}
            }
        }
        self
    }

    /// What is to be imported is asked for by its id.
    #[must_use]
    pub fn and_imports(mut self, desired: &Desired, imports: &BTreeMap<Address, Import>, things: &Things) -> Self {
        for (address, import) in imports {
            let Some(resource) = desired.resources.get(address) else { continue };
            if things.resources.contains_key(address) {
                continue;
            }
            let look = Look {
                binding: resource.binding.clone(),
                kind: resource.kind.clone(),
                object: import.query.clone(),
                earlier: Vec::new(),
            };
            self.things.insert(address.clone(), look);
        }
        self
    }

    /// Only this, and what is known of others.
    #[must_use]
    pub fn only(mut self, address: &Address) -> Self {
        self.things.retain(|other, _| other == address);
        self.databases.clear();
        self
    }

    /// Only the history of this database, and what is known of others.
    #[must_use]
    pub fn only_database(mut self, address: &Address) -> Self {
        self.things.clear();
        self.withheld.clear();
        self.added.clear();
        self.databases.retain(|other, _| other == address);
        self
    }

    /// Only the histories of databases.
    #[must_use]
    pub fn databases_only(mut self) -> Self {
        self.things.clear();
        self
    }

    /// All but these.
    #[must_use]
    pub fn without(mut self, addresses: &BTreeSet<Address>) -> Self {
        self.things.retain(|address, _| !addresses.contains(address));
        self.databases.retain(|address, _| !addresses.contains(address));
        self
    }

    fn add_desired(&mut self, desired: &Desired, things: &Things, kinds: &Kinds) {
        for (address, resource) in &desired.resources {
            // Who looks now need not be who applied last, and may have no way in but that of the spec.
            if let Some(look) = self.things.get_mut(address)
                && look.kind == resource.kind
                && leads_to_the_same(&resource.binding, &look.binding)
            {
                let recorded = std::mem::replace(&mut look.binding, resource.binding.clone());
                // What the record knows of the place and the spec leaves open still holds: its account first of all.
                for setting in PLACE {
                    if let (None, Some(known)) = (look.binding.settings.get(setting), recorded.settings.get(setting)) {
                        look.binding.settings.insert(setting.to_owned(), known.clone());
                    }
                }
            }
            let names_itself = kinds
                .get(&resource.kind)
                .is_some_and(|kind| kind.provider != "terraform" && kind.rules.identity(&resource.object).is_some());
            if names_itself && !self.things.contains_key(address) {
                let (binding, kind) = (resource.binding.clone(), resource.kind.clone());
                let look = Look { binding, kind, object: resource.object.clone(), earlier: Vec::new() };
                self.things.insert(address.clone(), look);
            }
        }
        for (address, database) in &desired.databases {
            let made_in_this_plan = database
                .needs
                .iter()
                .any(|need| desired.resources.contains_key(need) && !things.resources.contains_key(need));
            if made_in_this_plan {
                self.databases.remove(address);
            } else {
                self.databases.insert(address.clone(), database.binding.clone());
            }
        }
    }
}

/// Looks at everything. A thing that could not be looked at is named with the reason; the rest is found.
pub async fn observe(
    world: &World,
    kinds: &Kinds,
    secrets: &dyn Secrets,
    subject: &Subject,
) -> (Observed, Vec<(Address, WorldError)>) {
    let lookup = Known { objects: &subject.known, secrets };
    let mut groups: BTreeMap<String, Group<'_>> = BTreeMap::new();
    let mut observed = Observed { now: Some(world.clock.now()), ..Observed::default() };
    let mut errors = Vec::new();
    for (address, look) in &subject.things {
        let connection = match connect(&look.binding, &lookup) {
            Ok(Some(connection)) => connection,
            Ok(None) => continue,
            Err(error) => {
                errors.push((address.clone(), error));
                continue;
            }
        };
        let key = serde_json::to_string(&look.binding).expect("bindings hold no secrets");
        let group = groups.entry(key).or_insert_with(|| Group { connection, looks: Vec::new() });
        group.looks.push((address, look));
    }
    let answers = join_all(groups.values().map(|group| group.ask(world))).await;
    for (group, answers) in groups.values().zip(answers) {
        group.sort_answers(kinds, answers, &mut observed, &mut errors);
    }
    ask_for_secrets(world, subject, &lookup, &mut observed, &mut errors).await;
    observe_databases(world, subject, &lookup, &mut observed, &mut errors).await;
    (observed, errors)
}

/// The settings of a binding that say where it leads.
const PLACE: [&str; 5] = ["region", "endpoint", "account", "host", "port"];

/// Whether two bindings lead to the same place, whoever goes in; where that is not plain they are taken not to.
fn leads_to_the_same(wanted: &Binding, recorded: &Binding) -> bool {
    let is_same = |setting: &str| match (wanted.settings.get(setting), recorded.settings.get(setting)) {
        (Some(wanted), Some(recorded)) => wanted == recorded,
        (Some(_) | None, _) => true,
    };
    wanted.provider == recorded.provider
        && PLACE.into_iter().all(is_same)
        && wanted.deferred.values().all(|deferred| deferred.references().is_empty())
}

struct Group<'a> {
    connection: Connection,
    looks: Vec<(&'a Address, &'a Look)>,
}

impl Group<'_> {
    /// One query for the current thing of each address, then one for each earlier thing.
    async fn ask(&self, world: &World) -> Vec<Result<Option<Object>, WorldError>> {
        let query = |address: &Address, kind: &str, object: &Object| Query {
            address: address.clone(),
            kind: kind.to_owned(),
            object: object.clone(),
        };
        let mut queries: Vec<Query> =
            self.looks.iter().map(|(address, look)| query(address, &look.kind, &look.object)).collect();
        for (address, look) in &self.looks {
            queries.extend(look.earlier.iter().map(|object| query(address, &look.kind, object)));
        }
        match world.providers.get(&self.connection.provider) {
            Some(provider) => provider.observe(&self.connection, &queries).await,
            None => queries.iter().map(|_| Err(no_provider(&self.connection.provider))).collect(),
        }
    }

    fn sort_answers(
        &self,
        kinds: &Kinds,
        answers: Vec<Result<Option<Object>, WorldError>>,
        observed: &mut Observed,
        errors: &mut Vec<(Address, WorldError)>,
    ) {
        let mut answers = answers.into_iter();
        for (address, look) in &self.looks {
            match answers.next().expect("one answer per query") {
                Ok(found) => {
                    let found = found.map(|object| mark_like(kinds, &look.kind, object, &look.object));
                    observed.objects.insert((*address).clone(), found);
                }
                Err(error) => errors.push(((*address).clone(), error)),
            }
        }
        for (address, look) in &self.looks {
            for recorded in &look.earlier {
                match answers.next().expect("one answer per query") {
                    Ok(found) => {
                        let found = found.map(|object| mark_like(kinds, &look.kind, object, recorded));
                        observed.earlier.entry((*address).clone()).or_default().push((recorded.clone(), found));
                    }
                    Err(error) => errors.push(((*address).clone(), error)),
                }
            }
        }
    }
}

/// Whether the secrets that are wanted back can be had again.
async fn ask_for_secrets(
    world: &World,
    subject: &Subject,
    lookup: &dyn Lookup,
    observed: &mut Observed,
    errors: &mut Vec<(Address, WorldError)>,
) {
    for (address, look) in &subject.withheld {
        let connection = match connect(&look.binding, lookup) {
            Ok(Some(connection)) => connection,
            Ok(None) => continue,
            Err(error) => {
                errors.push((address.clone(), error));
                continue;
            }
        };
        let Some(provider) = world.providers.get(&connection.provider) else {
            errors.push((address.clone(), no_provider(&connection.provider)));
            continue;
        };
        let query = Query { address: address.clone(), kind: look.kind.clone(), object: look.object.clone() };
        match provider.recallable(&connection, std::slice::from_ref(&query)).await.pop() {
            Some(Ok(Some(why))) => {
                observed.lost.insert(address.clone(), why);
            }
            Some(Err(error)) => errors.push((address.clone(), error)),
            Some(Ok(None)) | None => {}
        }
    }
}

async fn observe_databases(
    world: &World,
    subject: &Subject,
    lookup: &dyn Lookup,
    observed: &mut Observed,
    errors: &mut Vec<(Address, WorldError)>,
) {
    for (address, binding) in &subject.databases {
        let Some(databases) = &world.databases else {
            errors.push((address.clone(), no_provider("postgres")));
            continue;
        };
        match connect(binding, lookup) {
            Ok(Some(connection)) => match databases.history(&connection).await {
                Ok(history) => {
                    if let Some(added) = subject.added.get(address).filter(|_| history.is_some()) {
                        observed.written.insert(address.clone(), look_into(&**databases, &connection, added).await);
                    }
                    observed.databases.insert(address.clone(), history);
                }
                Err(error) => errors.push((address.clone(), error)),
            },
            Ok(None) => {}
            Err(error) => errors.push((address.clone(), error)),
        }
    }
}

/// What cannot be looked into is not told, and judged as if something were in it.
async fn look_into(
    databases: &dyn Databases,
    connection: &Connection,
    added: &[Addition],
) -> BTreeMap<Addition, Written> {
    match databases.written(connection, added).await {
        Ok(found) => added.iter().cloned().zip(found).collect(),
        Err(error) => added.iter().map(|one| (one.clone(), Written::Untold(error.to_string()))).collect(),
    }
}

/// The error of a build without this provider.
pub fn no_provider(name: &str) -> WorldError {
    WorldError {
        tried: format!("use the provider `{name}`"),
        cause: "this build does not have it".to_owned(),
        help: Some(format!("build switchback with the feature `{name}`")),
        class: ErrorClass::Refused,
    }
}

/// An object with those attributes marked as secrets that its kind says are secret, or that are withheld or
/// marked in `like`.
#[must_use]
pub fn mark_like(kinds: &Kinds, kind: &str, mut object: Object, like: &Object) -> Object {
    for (name, value) in &mut object {
        if like.get(name).is_some_and(Value::is_sensitive) && !value.is_null() {
            *value = value.clone().sensitive();
        }
    }
    match kinds.get(kind) {
        Some(kind) => kind.mark_secrets(object),
        None => object,
    }
}

/// Completes a binding: `None` while one of its settings is not known yet.
///
/// # Errors
/// When a secret among its settings is not at hand, or an expression fails.
pub fn connect(binding: &Binding, lookup: &dyn Lookup) -> Result<Option<Connection>, WorldError> {
    let mut settings = binding.settings.clone();
    for (name, deferred) in &binding.deferred {
        let value = evaluate_setting(&binding.provider, name, deferred, lookup)?;
        if !value.is_known() {
            return Ok(None);
        }
        settings.insert(name.clone(), value);
    }
    Ok(Some(Connection { provider: binding.provider.clone(), alias: binding.alias.clone(), settings }))
}

fn evaluate_setting(provider: &str, name: &str, deferred: &Deferred, lookup: &dyn Lookup) -> Result<Value, WorldError> {
    let refuse = |cause: String, help: Option<String>| WorldError {
        tried: format!("complete the setting `{name}` of provider `{provider}`"),
        cause,
        help,
        class: ErrorClass::Denied,
    };
    for reference in deferred.secrets() {
        lookup.secret(&reference).map_err(|error| {
            refuse(error.to_string(), Some("give it in the same way as when it was planned".to_owned()))
        })?;
    }
    evaluate_deferred(deferred, lookup).map_err(|mistakes| refuse(sight::first_words(&mistakes), None))
}

/// Recorded or found objects as expressions see them.
pub struct Known<'a> {
    /// The objects.
    pub objects: &'a BTreeMap<Address, Object>,
    /// Where secrets come from.
    pub secrets: &'a dyn Secrets,
}

impl Lookup for Known<'_> {
    fn instance(&self, address: &Address) -> Option<Value> {
        self.objects.get(address).filter(|object| !holds_sealed(object)).map(sight::as_value)
    }

    fn all_instances(&self, block: &Address) -> Option<Value> {
        let keys: BTreeSet<&Address> = self.objects.keys().filter(|address| address.block() == *block).collect();
        sight::gather(keys.into_iter().map(|address| (address, self.instance(address))))
    }

    fn secret(&self, secret: &SecretReference) -> Result<Value, SecretError> {
        self.secrets.reveal(secret)
    }
}

fn holds_sealed(object: &Object) -> bool {
    object.values().all(|value| matches!(value.data(), Data::Sealed(_))) && !object.is_empty()
}
