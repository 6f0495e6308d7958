//! A strict fake of the world: create only if absent, delete only if nobody needs it, update only if what is
//! there is what was expected. It can refuse, and it can "die" at any numbered point.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use switchback::kind::{
    Asked, Attribute, By, Change, Judgement, Kind, Kinds, LateCall, PerChange, ProviderSchema, Rules,
};
use switchback::ledger::{Record, Sequence, Store, StoreError};
use switchback::secret::{SecretError, SecretReference, Secrets};
use switchback::value::{Object, Type, Value};
use switchback::world::{
    Clock, Connection, Effect, EffectChange, EffectError, ErrorClass, Progress, Provider, Query, Settlement, Trace,
    World, WorldError,
};

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
        Err(SecretError { reference: reference.clone(), cause: "there are none".into() })
    }
}

/// Numbered points at which the process may die, and effects that may be refused.
#[derive(Default)]
pub struct Cuts {
    state: Mutex<CutState>,
    death: tokio::sync::Notify,
}

#[derive(Default)]
struct CutState {
    passed: usize,
    die_at: Option<usize>,
    effects: usize,
    fail_after: Option<usize>,
}

impl Cuts {
    pub fn die_at(&self, at: usize) {
        *self.state.lock().unwrap() = CutState { die_at: Some(at), ..CutState::default() };
    }

    pub fn fail_after_effects(&self, count: usize) {
        *self.state.lock().unwrap() = CutState { fail_after: Some(count), ..CutState::default() };
    }

    pub fn disarm(&self) {
        *self.state.lock().unwrap() = CutState::default();
    }

    /// Ends when the process has died.
    pub async fn death(&self) {
        self.death.notified().await;
    }

    /// One point; never comes back if the process dies here.
    async fn pass(&self) {
        let dies = {
            let mut state = self.state.lock().unwrap();
            state.passed += 1;
            state.die_at.is_some_and(|at| state.passed > at).then_some(state.passed)
        };
        if let Some(passed) = dies {
            // Only the first one to die tells it; the others die with it.
            if self.state.lock().unwrap().die_at.is_some_and(|at| passed == at + 1) {
                self.death.notify_one();
            }
            std::future::pending::<()>().await;
        }
    }

    fn refuses(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        state.effects += 1;
        state.fail_after.is_some_and(|count| state.effects > count)
    }
}

/// What is there: by kind and id.
#[derive(Default)]
pub struct FakeWorld {
    things: Mutex<Things>,
    cuts: Arc<Cuts>,
}

#[derive(Default)]
struct Things {
    by_id: BTreeMap<String, (String, Object)>,
    tokens: BTreeMap<String, String>,
    next: u64,
}

impl FakeWorld {
    pub fn cuts(&self) -> Arc<Cuts> {
        Arc::clone(&self.cuts)
    }

    pub fn world(self: &Arc<Self>) -> World {
        let provider: Arc<dyn Provider> = Arc::<Self>::clone(self);
        World {
            providers: BTreeMap::from([("fake".to_owned(), provider)]),
            databases: None,
            clock: Arc::new(FakeClock),
        }
    }

    /// Everything that is there, ids left as they are.
    pub fn snapshot(&self) -> BTreeMap<String, (String, Object)> {
        self.things.lock().unwrap().by_id.clone()
    }

    /// What is there is what the spec wants; of revisions, earlier ones may be there too.
    pub fn assert_is(&self, spec: &Spec, what: &str) {
        let things = self.things.lock().unwrap();
        let mut found: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (kind, object) in things.by_id.values() {
            let name = object["name"].as_str().unwrap().to_owned();
            *found.entry((kind.clone(), name)).or_default() += 1;
        }
        for node in spec.nodes() {
            let key = (node.kind().to_owned(), node.name.clone());
            let count = found.remove(&key).unwrap_or_else(|| panic!("{what}: {key:?} is missing"));
            assert!(count == 1 || node.kind() == "fake_revision", "{what}: {key:?} is there {count} times");
            let link = node.link.map(|other| spec.nodes[&other].name.clone());
            let fits = things.by_id.values().any(|(kind, object)| {
                let links_to = object.get("link").and_then(Value::as_str).and_then(|id| things.by_id.get(id));
                kind == node.kind()
                    && object["name"].as_str() == Some(&node.name)
                    && object.get("size").and_then(Value::as_i64) == Some(node.size)
                    && links_to.map(|(_, other)| other["name"].as_str().unwrap().to_owned()) == link
            });
            assert!(fits, "{what}: {key:?} is not as desired: {:?}", things.by_id);
        }
        found.retain(|(kind, _), _| kind != "fake_revision");
        assert!(found.is_empty(), "{what}: too much is there: {found:?}");
    }
}

struct FakeClock;

impl Clock for FakeClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn uptime(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

fn refused(cause: String) -> EffectError {
    let error = WorldError { tried: "fake".into(), cause, help: None, class: ErrorClass::Refused };
    EffectError { error, trace: Trace::Nothing }
}

fn id(object: &Object) -> &str {
    object.get("id").and_then(Value::as_str).unwrap_or_default()
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
                self.tokens.insert(effect.token.clone(), id.clone());
                self.by_id.insert(id, (effect.kind.clone(), object.clone()));
                Ok(object)
            }
            EffectChange::Update { before, after } => {
                self.check_link(after)?;
                let key = id(before).to_owned();
                let (_, found) = self.by_id.get_mut(&key).ok_or_else(|| refused("it is not there".into()))?;
                if found.get("size") != before.get("size") || found.get("link") != before.get("link") {
                    return Err(refused(format!("it is not as expected: {found:?} against {before:?}")));
                }
                let mut object = after.clone();
                object.insert("id".into(), key.as_str().into());
                found.clone_from(&object);
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
                self.by_id.remove(key);
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
}

#[async_trait]
impl Provider for FakeWorld {
    async fn check(&self, _connection: &Connection) -> Result<Object, WorldError> {
        Ok(Object::new())
    }

    async fn observe(&self, _connection: &Connection, queries: &[Query]) -> Vec<Result<Option<Object>, WorldError>> {
        let things = self.things.lock().unwrap();
        queries.iter().map(|query| Ok(things.find(&query.kind, &query.object).cloned())).collect()
    }

    async fn carry_out(
        &self,
        _connection: &Connection,
        effect: &Effect,
        _: &dyn Progress,
    ) -> Result<Object, EffectError> {
        self.cuts.pass().await;
        if self.cuts.refuses() {
            return Err(refused("no more effects today".into()));
        }
        let result = self.things.lock().unwrap().carry_out(effect);
        self.cuts.pass().await;
        result
    }

    async fn settle(&self, _connection: &Connection, effect: &Effect) -> Result<Settlement, WorldError> {
        let things = self.things.lock().unwrap();
        let by_token = things.tokens.get(&effect.token).and_then(|id| things.by_id.get(id));
        Ok(match &effect.change {
            EffectChange::Create { .. } => {
                by_token.map_or(Settlement::NotDone, |(_, object)| Settlement::Done(object.clone()))
            }
            EffectChange::Update { before, after } => match things.by_id.get(id(before)) {
                Some((_, now)) if now.get("size") == after.get("size") && now.get("link") == after.get("link") => {
                    Settlement::Done(now.clone())
                }
                Some((_, now)) if now.get("size") == before.get("size") && now.get("link") == before.get("link") => {
                    Settlement::NotDone
                }
                now => Settlement::Doubt(format!("{now:?}")),
            },
            EffectChange::Delete { before } => match things.by_id.contains_key(id(before)) {
                true => Settlement::NotDone,
                false => Settlement::Done(Object::new()),
            },
        })
    }
}

/// A store that the process may die in: before a batch is durable, and after.
pub struct CutStore {
    inner: Arc<dyn Store>,
    cuts: Arc<Cuts>,
}

impl CutStore {
    pub fn new(inner: Arc<dyn Store>, cuts: Arc<Cuts>) -> Self {
        Self { inner, cuts }
    }
}

#[async_trait]
impl Store for CutStore {
    fn url(&self) -> String {
        self.inner.url()
    }

    async fn read(&self, after: Sequence) -> Result<Vec<Record>, StoreError> {
        self.inner.read(after).await
    }

    async fn append(&self, expected: Sequence, records: &[Record]) -> Result<(), StoreError> {
        self.cuts.pass().await;
        self.inner.append(expected, records).await?;
        self.cuts.pass().await;
        Ok(())
    }

    async fn age(&self) -> Result<Option<(Sequence, std::time::Duration)>, StoreError> {
        self.inner.age().await
    }
}
