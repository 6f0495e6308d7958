//! A strict fake of the world: create only if absent, delete only if nobody needs it, update only if what is
//! there is what was expected, migrate only in order. It can refuse, lose answers, do half, go on by itself, and
//! "die" at any numbered point; and it counts what happened under each token.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use switchback::digest::Digest;
use switchback::kind::{
    Asked, Attribute, By, Change, Judgement, Kind, Kinds, LateCall, PerChange, ProviderSchema, Rules,
};
use switchback::migration::checksum::checksum;
use switchback::migration::{Direction, HistoryRow, Migration};
use switchback::secret::{SecretError, SecretReference, Secrets};
use switchback::value::{Object, Type, Value};
use switchback::world::{
    Connection, Databases, Effect, EffectChange, EffectError, ErrorClass, History, MigrationEffect, Progress, Provider,
    Query, Settlement, Trace, WorldError,
};

use super::gate::{Fault, Gate};
use super::generate::Spec;

/// Kinds of the fake: `fake_thing` changes in place (but not its name), `fake_revision` has immutable
/// revisions, `fake_store` holds data that a deletion loses.
pub struct Kinds3;

impl Kinds3 {
    pub fn table() -> Kinds {
        let attributes = || {
            vec![
                Attribute::required("name", Type::String, "its name").replaces(),
                Attribute::optional("size", Type::Number, "its size"),
                Attribute::optional("link", Type::String, "the id of another"),
                Attribute::computed("id", Type::String, "its id"),
            ]
        };
        let kind = |name, rules| Kind {
            name,
            provider: "fake",
            summary: "a fake",
            attributes: attributes(),
            late: PerChange::alike(LateCall::Token("each step has its own")),
            asked: PerChange::alike(Asked::by(By::Tag)),
            rules,
        };
        let mut revision = kind("fake_revision", Box::new(FakeRules::Revision) as Box<dyn Rules>);
        for attribute in &mut revision.attributes {
            attribute.replaces = true;
        }
        let kinds =
            [kind("fake_thing", Box::new(FakeRules::Thing)), revision, kind("fake_store", Box::new(FakeRules::Store))];
        Kinds::new(kinds, [ProviderSchema { name: "fake", summary: "a fake", attributes: Vec::new() }])
    }
}

enum FakeRules {
    Thing,
    Revision,
    Store,
}

impl Rules for FakeRules {
    fn identity(&self, object: &Object) -> Option<String> {
        match self {
            Self::Revision => None,
            Self::Thing | Self::Store => object.get("name")?.as_str().map(str::to_owned),
        }
    }

    fn judge(&self, change: Change<'_>) -> Judgement {
        match (self, change) {
            (Self::Store, Change::Delete(_)) => Judgement::LosesData("what it stores".into()),
            (Self::Revision, Change::Delete(_)) => Judgement::Recreates("another revision number".into()),
            (Self::Thing, Change::Delete(_)) => Judgement::Recreates("another id".into()),
            _ => Judgement::Exact,
        }
    }

    fn has_revisions(&self) -> bool {
        matches!(self, Self::Revision)
    }
}

/// No secrets here.
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn reveal(&self, reference: &SecretReference) -> Result<Value, SecretError> {
        Err(SecretError { reference: Box::new(reference.clone()), cause: "there are none".into() })
    }
}

/// The world, and the gate through which everything passes.
pub struct FakeWorld {
    things: Mutex<Things>,
    gate: Arc<Gate>,
}

/// What is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Things {
    /// By id: kind and object.
    pub by_id: BTreeMap<String, (String, Object)>,
    /// Applied migrations.
    pub schema: BTreeMap<i64, Migration>,
    /// What each token made.
    pub made: BTreeMap<String, String>,
    /// What is not good, and by which token it became so.
    not_good: BTreeMap<String, String>,
    /// What goes on by itself: for how many more questions.
    goes_on: BTreeMap<String, u32>,
    /// How often something was made or removed under a token; how often something changed, less what was not good.
    counts: BTreeMap<(String, &'static str), i32>,
    next: u64,
}

impl FakeWorld {
    pub fn new(things: Things, gate: Arc<Gate>) -> Self {
        Self { things: Mutex::new(things), gate }
    }

    /// Everything that is there, ids left as they are.
    pub fn things(&self) -> Things {
        self.things.lock().unwrap().clone()
    }

    /// Lets everything that goes on come to its end.
    pub fn ripen(&self) {
        self.things.lock().unwrap().goes_on.clear();
    }
}

/// Things by id, and applied migrations.
pub type Content<'a> = (&'a BTreeMap<String, (String, Object)>, &'a BTreeMap<i64, Migration>);

impl Things {
    /// What counts of it when two moments are compared.
    pub fn content(&self) -> Content<'_> {
        (&self.by_id, &self.schema)
    }

    /// What is there is what the spec wants, or nothing without one; of revisions, earlier ones may be there too.
    pub fn fit(&self, spec: Option<&Spec>) -> Result<(), String> {
        let mut found: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (kind, object) in self.by_id.values() {
            let name = object["name"].as_str().unwrap().to_owned();
            *found.entry((kind.clone(), name)).or_default() += 1;
        }
        for node in spec.into_iter().flat_map(Spec::nodes) {
            let key = (node.kind().to_owned(), node.name());
            let count = found.remove(&key).ok_or_else(|| format!("{key:?} is missing"))?;
            if count > 1 && node.kind() != "fake_revision" {
                return Err(format!("{key:?} is there {count} times"));
            }
            let link = node.link.map(|other| spec.unwrap().nodes[&other].name());
            let fits = self.by_id.values().any(|(kind, object)| {
                let links_to = object.get("link").and_then(Value::as_str).and_then(|id| self.by_id.get(id));
                kind == node.kind()
                    && object["name"].as_str() == Some(&node.name())
                    && object.get("size").and_then(Value::as_i64) == Some(node.size)
                    && links_to.map(|(_, other)| other["name"].as_str().unwrap().to_owned()) == link
            });
            if !fits {
                return Err(format!("{key:?} is not as desired: {:?}", self.by_id));
            }
        }
        found.retain(|(kind, _), _| spec.is_none() || kind != "fake_revision");
        if !found.is_empty() {
            return Err(format!("too much is there: {found:?}"));
        }
        let wanted = spec.map_or(0, |spec| spec.migrations);
        match self.schema.len() as u64 == wanted || spec.is_some_and(|spec| spec.migrations == 0) {
            true => Ok(()),
            false => Err(format!("{} migrations are applied, not {wanted}", self.schema.len())),
        }
    }

    /// Nothing happened twice under one token.
    pub fn once(&self) -> Result<(), String> {
        match self.counts.iter().find(|(_, count)| **count > 1) {
            Some(((token, what), count)) => Err(format!("{what} happened {count} times under {token}")),
            None => Ok(()),
        }
    }

    fn count(&mut self, token: &str, what: &'static str, by: i32) {
        *self.counts.entry((token.to_owned(), what)).or_default() += by;
    }
}

fn refused(cause: String) -> EffectError {
    failure(cause, ErrorClass::Refused, Trace::Nothing)
}

fn failure(cause: String, class: ErrorClass, trace: Trace) -> EffectError {
    EffectError { error: WorldError { tried: "fake".into(), cause, help: None, class }, trace }
}

fn id(object: &Object) -> &str {
    object.get("id").and_then(Value::as_str).unwrap_or_default()
}

fn name(effect: &Effect) -> &str {
    let (EffectChange::Create { after: object } | EffectChange::Update { after: object, .. }) = &effect.change else {
        return "";
    };
    object.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn is_same(one: &Object, other: &Object) -> bool {
    one.get("size") == other.get("size") && one.get("link") == other.get("link")
}

impl Things {
    fn find(&self, kind: &str, object: &Object) -> Option<&Object> {
        let by_id = self.by_id.get(id(object)).map(|(_, object)| object);
        by_id.or_else(|| {
            let same = |(other, found): &&(String, Object)| {
                other == kind && kind != "fake_revision" && found["name"] == object["name"]
            };
            self.by_id.values().find(same).map(|(_, object)| object)
        })
    }

    fn carry_out(&mut self, effect: &Effect) -> Result<Object, EffectError> {
        match &effect.change {
            EffectChange::Create { after } => {
                if let Some(found) = self.find(&effect.kind, after).filter(|_| effect.kind != "fake_revision") {
                    return Err(refused(format!("{found:?} exists")));
                }
                self.check_link(after)?;
                self.next += 1;
                let id = format!("id-{}", self.next);
                let mut object = after.clone();
                object.insert("id".into(), id.as_str().into());
                self.made.insert(effect.token.clone(), id.clone());
                self.count(&effect.token, "create", 1);
                self.by_id.insert(id, (effect.kind.clone(), object.clone()));
                Ok(object)
            }
            EffectChange::Update { before, after } => {
                self.check_link(after)?;
                let key = id(before).to_owned();
                let (_, found) = self.by_id.get_mut(&key).ok_or_else(|| refused("it is not there".into()))?;
                if !is_same(found, before) {
                    return Err(refused(format!("it is not as expected: {found:?} against {before:?}")));
                }
                let mut object = after.clone();
                object.insert("id".into(), key.as_str().into());
                found.clone_from(&object);
                self.not_good.remove(&key);
                self.count(&effect.token, "update", 1);
                Ok(object)
            }
            EffectChange::Delete { before } => {
                let key = id(before);
                // A revision only names what it links to, and holds nothing.
                let holds = |kind: &str, other: &Object| {
                    kind != "fake_revision" && other.get("link").and_then(Value::as_str) == Some(key)
                };
                if let Some((_, other)) = self.by_id.values().find(|(kind, other)| holds(kind, other)) {
                    return Err(refused(format!("{other:?} needs it")));
                }
                if self.by_id.remove(key).is_some() {
                    self.count(&effect.token, "delete", 1);
                }
                self.not_good.remove(key);
                Ok(Object::new())
            }
        }
    }

    fn check_link(&self, object: &Object) -> Result<(), EffectError> {
        match object.get("link").and_then(Value::as_str) {
            Some(link) if !self.by_id.contains_key(link) => {
                Err(refused(format!("it links to {link}, which is not there")))
            }
            _ => Ok(()),
        }
    }

    /// It happens, and then it goes wrong.
    fn spoil(&mut self, effect: &Effect, fault: Fault) -> Result<Object, EffectError> {
        let lost = || failure("the answer was lost".into(), ErrorClass::Transient, Trace::Unknown);
        let bad = || failure("what was made is not good".into(), ErrorClass::Refused, Trace::Unknown);
        let object = match (&effect.change, fault) {
            (EffectChange::Update { before, after }, Fault::Partial) if before.get("link") != after.get("link") => {
                let mut half = after.clone();
                half.remove("link");
                half.extend(before.get("link").map(|link| ("link".to_owned(), link.clone())));
                let change = EffectChange::Update { before: before.clone(), after: half };
                self.carry_out(&Effect { change, ..effect.clone() })?
            }
            _ => self.carry_out(effect)?,
        };
        match (&effect.change, fault) {
            (EffectChange::Delete { .. }, Fault::NotGood | Fault::Partial) | (_, Fault::AnswerLost) => Err(lost()),
            (_, Fault::Pending) => {
                self.goes_on.insert(effect.token.clone(), 3);
                Err(lost())
            }
            _ => {
                self.not_good.insert(id(&object).to_owned(), effect.token.clone());
                if matches!(effect.change, EffectChange::Update { .. }) {
                    self.count(&effect.token, "update", -1);
                }
                Err(bad())
            }
        }
    }

    fn settle(&self, effect: &Effect) -> Settlement {
        let judged = |object: &Object| match self.not_good.get(id(object)) {
            Some(token) if *token == effect.token => Settlement::Stands(object.clone(), "it is not good".into()),
            _ => Settlement::Done(object.clone()),
        };
        match &effect.change {
            EffectChange::Create { .. } => {
                let made = self.made.get(&effect.token).and_then(|id| self.by_id.get(id));
                made.map_or(Settlement::NotDone, |(_, object)| judged(object))
            }
            EffectChange::Update { before, after } => match self.by_id.get(id(before)) {
                Some((_, now)) if self.not_good.get(id(now)) == Some(&effect.token) || is_same(now, after) => {
                    judged(now)
                }
                Some((_, now)) if is_same(now, before) => Settlement::NotDone,
                now => Settlement::Doubt(format!("{now:?}")),
            },
            EffectChange::Delete { before } => match self.by_id.contains_key(id(before)) {
                true => Settlement::NotDone,
                false => Settlement::Done(Object::new()),
            },
        }
    }

    fn migrate(&mut self, effect: &MigrationEffect) -> Result<Object, EffectError> {
        let version = effect.migration.version;
        let newest = self.schema.keys().next_back().copied().unwrap_or(0);
        match effect.direction {
            Direction::Up if newest + 1 == version => self.schema.insert(version, effect.migration.clone()),
            Direction::Down if newest == version => self.schema.remove(&version),
            Direction::Up | Direction::Down => {
                return Err(refused(format!("V{version} does not follow V{newest} {:?}", effect.direction)));
            }
        };
        self.count(&effect.token, "migrate", 1);
        Ok(Object::new())
    }
}

fn without_effect(fault: Option<Fault>) -> Result<(), EffectError> {
    match fault {
        Some(Fault::Refused) => Err(refused("no more effects today".into())),
        Some(Fault::Throttled) => Err(failure("too many".into(), ErrorClass::Transient, Trace::Nothing)),
        Some(Fault::Expired) => Err(failure("credentials ran out".into(), ErrorClass::Expired, Trace::Nothing)),
        Some(Fault::RequestLost) => Err(failure("nobody answers".into(), ErrorClass::Transient, Trace::Unknown)),
        Some(Fault::AnswerLost | Fault::NotGood | Fault::Partial | Fault::Pending) | None => Ok(()),
    }
}

fn deaf() -> WorldError {
    failure("nobody answers".into(), ErrorClass::Unreachable, Trace::Nothing).error
}

#[async_trait]
impl Provider for FakeWorld {
    async fn check(&self, _connection: &Connection) -> Result<Object, WorldError> {
        Ok(Object::new())
    }

    async fn observe(&self, _connection: &Connection, queries: &[Query]) -> Vec<Result<Option<Object>, WorldError>> {
        if self.gate.is_deaf() {
            return queries.iter().map(|_| Err(deaf())).collect();
        }
        let things = self.things.lock().unwrap();
        queries.iter().map(|query| Ok(things.find(&query.kind, &query.object).cloned())).collect()
    }

    async fn carry_out(
        &self,
        _connection: &Connection,
        effect: &Effect,
        _: &dyn Progress,
    ) -> Result<Object, EffectError> {
        self.gate.pass().await;
        let fault = self.gate.fault(name(effect));
        without_effect(fault)?;
        let result = {
            let mut things = self.things.lock().unwrap();
            match fault {
                None => things.carry_out(effect),
                Some(fault) => things.spoil(effect, fault),
            }
        };
        self.gate.pass().await;
        result
    }

    async fn settle(&self, _connection: &Connection, effect: &Effect) -> Result<Settlement, WorldError> {
        if self.gate.is_deaf() {
            return Err(deaf());
        }
        let mut things = self.things.lock().unwrap();
        if let Some(left) = things.goes_on.get_mut(&effect.token).filter(|left| **left > 0) {
            *left -= 1;
            return Err(failure("it goes on".into(), ErrorClass::Pending, Trace::Nothing).error);
        }
        Ok(things.settle(effect))
    }
}

#[async_trait]
impl Databases for FakeWorld {
    async fn history(&self, _connection: &Connection) -> Result<Option<History>, WorldError> {
        if self.gate.is_deaf() {
            return Err(deaf());
        }
        let things = self.things.lock().unwrap();
        let row = |migration: &Migration| HistoryRow {
            version: migration.version,
            spelling: None,
            name: migration.name.clone(),
            checksum: Some(checksum(migration, false).to_string()),
        };
        Ok(Some(History { rows: things.schema.values().map(row).collect(), ..History::default() }))
    }

    async fn migrate(
        &self,
        _connection: &Connection,
        effect: &MigrationEffect,
        _: &dyn Progress,
    ) -> Result<Object, EffectError> {
        self.gate.pass().await;
        let fault = self.gate.fault(&effect.migration.name);
        without_effect(fault)?;
        let result = self.things.lock().unwrap().migrate(effect);
        self.gate.pass().await;
        match fault {
            Some(_) => result.and(Err(failure("the answer was lost".into(), ErrorClass::Transient, Trace::Unknown))),
            None => result,
        }
    }

    async fn settle(&self, _connection: &Connection, effect: &MigrationEffect) -> Result<Settlement, WorldError> {
        if self.gate.is_deaf() {
            return Err(deaf());
        }
        let is_there = self.things.lock().unwrap().schema.contains_key(&effect.migration.version);
        Ok(match is_there == (effect.direction == Direction::Up) {
            true => Settlement::Done(Object::new()),
            false => Settlement::NotDone,
        })
    }

    async fn fingerprint(&self, _connection: &Connection) -> Result<Digest, WorldError> {
        let versions: Vec<i64> = self.things.lock().unwrap().schema.keys().copied().collect();
        Ok(Digest::of_bytes(format!("{versions:?}").as_bytes()))
    }
}

/// A clock that is moved by hand.
#[derive(Default)]
pub struct Hand(std::sync::atomic::AtomicU64);

impl Hand {
    pub fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_millis() as u64, std::sync::atomic::Ordering::SeqCst);
    }
}

impl switchback::world::Clock for Hand {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn uptime(&self) -> Duration {
        Duration::from_millis(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}
