//! A strict fake of a world in which things are known by their names: nothing is made twice, changed unless it is as
//! expected, or removed while another links to it. It counts what is done to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use switchback::kind::{
    Asked, Attribute, By, Change, Judgement, Kind, Kinds, LateCall, PerChange, ProviderSchema, Rules,
};
use switchback::secret::{SecretError, SecretReference, Secrets};
use switchback::value::{Object, Type, Value};
use switchback::world::{
    Clock, Connection, Effect, EffectChange, EffectError, ErrorClass, Progress, Provider, Query, Settlement, Trace,
    World, WorldError,
};

/// The one kind: `fake_thing`.
pub fn kinds() -> Kinds {
    let attributes = vec![
        Attribute::required("name", Type::String, "its name").replaces(),
        Attribute::optional("size", Type::Number, "its size"),
        Attribute::optional("link", Type::String, "the id of another"),
        Attribute::computed("id", Type::String, "its id"),
    ];
    let (late, asked) =
        (PerChange::alike(LateCall::Token("each step has its own")), PerChange::alike(Asked::by(By::Tag)));
    let rules = Box::new(Named);
    let kind = Kind { name: "fake_thing", provider: "fake", summary: "a fake", attributes, late, asked, rules };
    Kinds::new([kind], [ProviderSchema { name: "fake", summary: "a fake", attributes: Vec::new() }])
}

struct Named;

impl Rules for Named {
    fn identity(&self, object: &Object) -> Option<String> {
        object.get("name")?.as_str().map(str::to_owned)
    }

    fn import(&self, id: &str) -> Result<Object, String> {
        Ok(Object::from([("name".to_owned(), id.into())]))
    }

    fn judge(&self, _change: Change<'_>) -> Judgement {
        Judgement::Exact
    }
}

/// No secrets here.
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn reveal(&self, reference: &SecretReference) -> Result<Value, SecretError> {
        Err(SecretError { reference: Box::new(reference.clone()), cause: "there are none".into() })
    }
}

/// What is there, by name.
#[derive(Default)]
pub struct FakeWorld {
    things: Mutex<BTreeMap<String, Object>>,
    effects: Mutex<usize>,
}

impl FakeWorld {
    pub fn world(self: &Arc<Self>) -> World {
        let provider: Arc<dyn Provider> = Arc::<Self>::clone(self);
        World {
            providers: BTreeMap::from([("fake".to_owned(), provider)]),
            databases: None,
            rehearsals: None,
            checks: None,
            clock: Arc::new(FakeClock),
        }
    }

    pub fn snapshot(&self) -> BTreeMap<String, Object> {
        self.things.lock().unwrap().clone()
    }

    /// Somebody else makes a thing.
    pub fn make(&self, name: &str, size: i64) {
        let object = Object::from([("name".to_owned(), name.into()), ("size".to_owned(), size.into())]);
        self.things.lock().unwrap().insert(name.to_owned(), with_id(object, name));
    }

    /// Somebody else removes a thing.
    pub fn remove(&self, name: &str) {
        self.things.lock().unwrap().remove(name);
    }

    /// How often anything was done so far.
    pub fn effects(&self) -> usize {
        *self.effects.lock().unwrap()
    }

    fn carry_out(&self, effect: &Effect) -> Result<Object, EffectError> {
        *self.effects.lock().unwrap() += 1;
        let mut things = self.things.lock().unwrap();
        let link_of = |object: &Object| object.get("link").and_then(Value::as_str).map(str::to_owned);
        let linked = |things: &BTreeMap<String, Object>, object: &Object| {
            link_of(object).is_none_or(|link| things.values().any(|thing| thing["id"].as_str() == Some(&link)))
        };
        match &effect.change {
            EffectChange::Create { after } => {
                let name = name(after);
                if things.contains_key(&name) {
                    return Err(refused(format!("{name} exists")));
                }
                if !linked(&things, after) {
                    return Err(refused(format!("{name} links to nothing")));
                }
                let object = with_id(after.clone(), &name);
                things.insert(name, object.clone());
                Ok(object)
            }
            EffectChange::Update { before, after } => {
                let name = name(before);
                let found = things.get(&name).cloned().ok_or_else(|| refused(format!("{name} is not there")))?;
                if found.get("size") != before.get("size") || link_of(&found) != link_of(before) {
                    return Err(refused(format!("{name} is {found:?}, not {before:?}")));
                }
                if !linked(&things, after) {
                    return Err(refused(format!("{name} links to nothing")));
                }
                let object = with_id(after.clone(), &name);
                things.insert(name, object.clone());
                Ok(object)
            }
            EffectChange::Delete { before } => {
                let name = name(before);
                let id = format!("id-{name}");
                if let Some(other) = things.values().find(|thing| link_of(thing).as_deref() == Some(&*id)) {
                    return Err(refused(format!("{other:?} links to {name}")));
                }
                things.remove(&name);
                Ok(Object::new())
            }
        }
    }
}

fn name(object: &Object) -> String {
    object["name"].as_str().unwrap().to_owned()
}

fn with_id(mut object: Object, name: &str) -> Object {
    object.retain(|_, value| !value.is_null());
    object.insert("id".into(), format!("id-{name}").as_str().into());
    object
}

fn refused(cause: String) -> EffectError {
    let error = WorldError { tried: "fake".into(), cause, help: None, class: ErrorClass::Refused };
    EffectError { error, trace: Trace::Nothing }
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

#[async_trait]
impl Provider for FakeWorld {
    async fn check(&self, _connection: &Connection) -> Result<Object, WorldError> {
        Ok(Object::new())
    }

    async fn observe(&self, _connection: &Connection, queries: &[Query]) -> Vec<Result<Option<Object>, WorldError>> {
        let things = self.things.lock().unwrap();
        queries.iter().map(|query| Ok(things.get(&name(&query.object)).cloned())).collect()
    }

    async fn carry_out(
        &self,
        _connection: &Connection,
        effect: &Effect,
        _progress: &dyn Progress,
    ) -> Result<Object, EffectError> {
        self.carry_out(effect)
    }

    async fn settle(&self, _connection: &Connection, _effect: &Effect) -> Result<Settlement, WorldError> {
        Ok(Settlement::NotDone)
    }
}
