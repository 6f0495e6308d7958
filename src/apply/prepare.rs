//! The last look before an effect: expressions are evaluated, and what the step rests on is seen again. Reads.
//!
//! Invariant: a step whose object, or an object whose value flowed into it, is not as it was when planned is
//! refused by name; a value that came out otherwise than promised changes no action.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::digest::Digest;
use crate::expression::Deferred;
use crate::kind::{Kind, Kinds, ProviderSchema};
use crate::ledger::Things;
use crate::ledger::state::{Intent, ResourceState};
use crate::migration::Direction;
use crate::migration::position::Position;
use crate::observe::sight::{as_value, first_words};
use crate::observe::{connect, mark_like};
use crate::plan::compare::Comparer;
use crate::resolve::evaluate::{Lookup, evaluate_deferred};
use crate::secret::{SecretError, SecretReference, Secrets};
use crate::step::{Action, Fingerprint, Step};
use crate::value::seal::seal_object;
use crate::value::{Data, Object, SealKey, Value};
use crate::world::{
    Binding, Connection, Content, Effect, EffectChange, ErrorClass, Fence, MigrationEffect, Query, World, WorldError,
};

/// What is about to be done.
#[derive(Clone, Debug)]
pub enum Work {
    /// A change of a thing.
    Thing(Box<Effect>),
    /// A migration.
    Migration(Box<MigrationEffect>),
    /// What a migration took away is dropped at last.
    Purge(Box<MigrationEffect>),
    /// Only the ledger changes; the thing is this.
    Nothing(Object),
}

/// A step whose values are all known, before the last look.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Where it works.
    pub connection: Connection,
    /// The idempotency token.
    pub token: String,
    /// What it shall be, secrets as real values.
    pub after: Option<Object>,
    /// The binding with its settings known, where the plan did not know them all.
    pub binding: Option<Binding>,
    /// What an earlier try left, which is brought to what was planned.
    pub stands: Option<Object>,
    /// What to look at right before the effect.
    pub looks: Vec<Look>,
}

/// One last look.
#[derive(Clone, Debug)]
pub struct Look {
    connection: Connection,
    query: Query,
    was: Fingerprint,
    is_own: bool,
}

/// A refusal before any effect.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Why.
    pub error: WorldError,
    /// Whether it is because something moved.
    pub stale: bool,
}

/// What preparing needs.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// The world.
    pub world: &'a World,
    /// The table of kinds.
    pub kinds: &'a Kinds,
}

/// The things as this run has left them, for expressions. Outcomes of this run are real values.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    objects: BTreeMap<Address, Value>,
    changed: BTreeSet<Address>,
    recorded: BTreeMap<Address, ResourceState>,
}

impl Outcomes {
    /// What the ledger records.
    pub fn of(things: &Things) -> Self {
        let objects = things.resources.iter();
        Self {
            objects: objects.map(|(address, resource)| (address.clone(), as_value(&resource.object))).collect(),
            changed: BTreeSet::new(),
            recorded: things.resources.clone(),
        }
    }

    /// A step of this run left this.
    pub fn insert(&mut self, address: Address, object: &Object) {
        self.changed.insert(address.clone());
        self.objects.insert(address, as_value(object));
    }

    /// A step of this run removed it.
    pub fn remove(&mut self, address: &Address) {
        self.changed.insert(address.clone());
        self.objects.remove(address);
    }

    /// The ledger took it up as it is.
    pub fn take_up(&mut self, address: Address, object: &Object) {
        self.objects.insert(address, as_value(object));
    }

    /// It is called otherwise.
    pub fn rename(&mut self, from: &Address, to: &Address) {
        if let Some(object) = self.objects.remove(from) {
            self.objects.insert(to.clone(), object);
        }
        if let Some(recorded) = self.recorded.remove(from) {
            self.recorded.insert(to.clone(), recorded);
        }
        if self.changed.remove(from) {
            self.changed.insert(to.clone());
        }
    }

    /// A step of an earlier try of this run changed it; what it left is what the ledger records.
    pub fn mark_changed(&mut self, address: &Address) {
        self.changed.insert(address.clone());
    }

    /// The thing as the ledger records it.
    pub fn recorded(&self, address: &Address) -> Option<&Object> {
        self.recorded.get(address).map(|recorded| &recorded.object)
    }

    fn is_changed(&self, address: &Address) -> bool {
        self.changed.contains(address)
    }
}

/// Outcomes and secrets together, as expressions see them.
pub struct Sight<'a> {
    /// The things.
    pub outcomes: &'a Outcomes,
    /// Where secrets come from.
    pub secrets: &'a dyn Secrets,
    /// The key that seals secrets.
    pub seal_key: Option<&'a SealKey>,
    /// Now.
    pub now: jiff::Timestamp,
}

impl Lookup for Sight<'_> {
    fn instance(&self, address: &Address) -> Option<Value> {
        self.outcomes.objects.get(address).cloned()
    }

    fn all_instances(&self, block: &Address) -> Option<Value> {
        let range = self.outcomes.objects.range(block..).take_while(|(address, _)| address.block() == *block);
        crate::observe::sight::gather(range.map(|(address, value)| (address, Some(value.clone()))))
    }

    fn secret(&self, secret: &SecretReference) -> Result<Value, SecretError> {
        self.secrets.reveal(secret)
    }

    fn now(&self) -> Option<jiff::Timestamp> {
        Some(self.now)
    }
}

/// The idempotency token of a step: the same for every try of it.
pub fn token(chain: &str, run: u64, step: &Step) -> String {
    Digest::of_bytes(format!("{chain}/{run}/{}", step.id).as_bytes()).to_string()[..32].to_owned()
}

fn refuse(step: &Step, cause: String, help: &str) -> Refusal {
    let error = WorldError {
        tried: format!("{} {}", step.action.verb(), step.title()),
        cause,
        help: Some(help.to_owned()),
        class: ErrorClass::Refused,
    };
    Refusal { error, stale: false }
}

fn moved(step: &Step, what: &Address, was: Fingerprint) -> Refusal {
    let cause = match was {
        Fingerprint::Absent => format!("`{what}` is there now, and was not when this was planned"),
        Fingerprint::Present(_) | Fingerprint::Unasked => format!("`{what}` has changed since this was planned"),
    };
    Refusal { stale: true, ..refuse(step, cause, "plan again, and look at what changed") }
}

impl Ground<'_> {
    /// Makes a step ready: its connection, its values, and what has to be looked at. Asks nobody.
    pub fn ready(&self, step: &Step, token: String, sight: &Sight<'_>) -> Result<Ready, Refusal> {
        if let Action::Forget { .. } | Action::Move { .. } = step.action {
            // Nobody is asked, so nothing needs to be known of how to ask.
            let Binding { provider, alias, settings, .. } = step.binding.clone();
            let connection = Connection { provider, alias, settings };
            return Ok(Ready { connection, token, after: None, binding: None, stands: None, looks: Vec::new() });
        }
        let connection = connect(&step.binding, sight).map_err(|error| Refusal { error, stale: false })?;
        let connection = connection.ok_or_else(|| {
            let waits: Vec<_> =
                step.binding.deferred.values().flat_map(Deferred::references).map(|a| a.to_string()).collect();
            refuse(step, format!("its provider waits for {}", waits.join(", ")), "plan again")
        })?;
        let binding = (!step.binding.deferred.is_empty()).then(|| known_binding(&step.binding, &connection));
        let after = match step.action.kind() {
            Some(kind) => self.complete(step, self.kind(step, kind)?, sight)?,
            None => None,
        };
        let looks = self.looks(step, sight, true)?;
        Ok(Ready { connection, token, after, binding, stands: None, looks })
    }

    /// Before anything is begun: the secrets that a step needs are at hand, and are those that it was planned with.
    pub fn secrets(&self, step: &Step, sight: &Sight<'_>) -> Result<(), Refusal> {
        let Some(kind) = step.action.kind() else {
            return Ok(());
        };
        let kind = self.kind(step, kind)?;
        for (name, deferred) in step.action.deferred().into_iter().flatten() {
            // What waits for a thing as well can only be said when that is there.
            let waits = !deferred.references().is_empty();
            match waits {
                true => at_hand(step, name, deferred, sight)?,
                false => evaluate(step, kind, name, deferred, sight).map(|_| ())?,
            }
        }
        Ok(())
    }

    /// What has to be looked at for a step; its own thing only if asked for.
    pub fn looks(&self, step: &Step, sight: &Sight<'_>, own: bool) -> Result<Vec<Look>, Refusal> {
        let mut looks = Vec::new();
        for (address, was) in &step.rests_on {
            looks.extend(self.look_at_other(address, *was, sight)?);
        }
        if step.action.before().is_none() {
            return Ok(looks);
        }
        let connection = connect(&step.binding, sight).map_err(|error| Refusal { error, stale: false })?;
        if let (Some(kind), Some(before), Some(connection), true) =
            (step.action.kind(), step.action.before(), connection, own)
        {
            let query = Query { address: step.address.clone(), kind: kind.to_owned(), object: before.clone() };
            let was = if sight.outcomes.is_changed(&step.address) { Fingerprint::Unasked } else { step.found };
            looks.push(Look { connection, query, was, is_own: true });
        }
        Ok(looks)
    }

    /// Adds to the binding that is recorded what its connection leads to, where its settings do not say it: a way back
    /// then needs nothing but the ledger, and notices credentials of another account. What cannot be asked is left out.
    pub async fn learn(&self, step: &Step, ready: &mut Ready) {
        let connection = &ready.connection;
        let makes = match step.action {
            Action::Create { .. } | Action::Update { .. } | Action::Revise { .. } | Action::Remember { .. } => true,
            Action::Import { .. } | Action::TakeUp { .. } => true,
            Action::Return { .. } | Action::Retire { .. } | Action::Delete { .. } => false,
            Action::Forget { .. } | Action::Migrate { .. } | Action::Purge { .. } | Action::Move { .. } => false,
        };
        let facts = self.kinds.provider(&connection.provider).into_iter().flat_map(ProviderSchema::facts);
        let missing: Vec<&str> = facts.filter(|fact| !connection.settings.contains_key(*fact)).collect();
        let Some(provider) = self.world.providers.get(&connection.provider).filter(|_| makes && !missing.is_empty())
        else {
            return;
        };
        let Ok(told) = provider.check(connection).await else {
            return;
        };
        let binding = ready.binding.get_or_insert_with(|| step.binding.clone());
        let known = missing.into_iter().filter_map(|fact| Some((fact.to_owned(), told.get(fact)?.clone())));
        binding.settings.extend(known);
    }

    fn kind(&self, step: &Step, name: &str) -> Result<&Kind, Refusal> {
        let unknown =
            || refuse(step, format!("this build does not know the kind `{name}`"), "use the build that planned it");
        self.kinds.get(name).ok_or_else(unknown)
    }

    fn look_at_other(&self, address: &Address, was: Fingerprint, sight: &Sight<'_>) -> Result<Option<Look>, Refusal> {
        let Some(recorded) = sight.outcomes.recorded.get(address).filter(|_| !sight.outcomes.is_changed(address))
        else {
            return Ok(None);
        };
        let connection = connect(&recorded.binding, sight).map_err(|error| Refusal { error, stale: false })?;
        Ok(connection.map(|connection| Look {
            connection,
            query: Query { address: address.clone(), kind: recorded.kind.clone(), object: recorded.object.clone() },
            was,
            is_own: false,
        }))
    }

    /// The wanted object with everything known that the plan promised.
    fn complete(&self, step: &Step, kind: &Kind, sight: &Sight<'_>) -> Result<Option<Object>, Refusal> {
        let Some(planned) = step.action.after() else {
            return Ok(None);
        };
        let mut after = planned.clone();
        for (name, deferred) in step.action.deferred().into_iter().flatten() {
            let value = evaluate(step, kind, name, deferred, sight)?;
            after.insert(name.clone(), value);
        }
        refuse_new_replacement(step, kind, &after)?;
        // What the world gives is unknown until it has given it.
        after.retain(|_, value| value.is_known() && !value.is_null());
        Ok(Some(kind.mark_secrets(after)))
    }

    /// The last look; gives what is there now of the step's own thing.
    pub async fn look(
        &self,
        step: &Step,
        looks: &[Look],
        seal_key: Option<&SealKey>,
    ) -> Result<Option<Object>, Refusal> {
        let mut own = None;
        for look in looks {
            let found = self.observe(&look.connection, std::slice::from_ref(&look.query)).await.pop();
            let found = found.ok_or_else(|| no_answer(step))?;
            let found = self.judge(step, look, found, seal_key)?;
            if look.is_own {
                own = Some(found.unwrap_or_else(|| look.query.object.clone()));
            }
        }
        Ok(own)
    }

    /// Many looks of many steps at once, batched where the service can.
    pub async fn look_at_all(&self, looks: &[(&Step, Look)], seal_key: Option<&SealKey>) -> Result<(), Refusal> {
        let mut groups: Vec<(&Connection, Vec<&(&Step, Look)>)> = Vec::new();
        for entry in looks {
            match groups.iter_mut().find(|(connection, _)| **connection == entry.1.connection) {
                Some((_, group)) => group.push(entry),
                None => groups.push((&entry.1.connection, vec![entry])),
            }
        }
        for (connection, group) in groups {
            let queries: Vec<Query> = group.iter().map(|(_, look)| look.query.clone()).collect();
            let answers = self.observe(connection, &queries).await;
            if answers.len() != group.len() {
                return Err(no_answer(group[0].0));
            }
            for ((step, look), found) in group.into_iter().zip(answers) {
                self.judge(step, look, found, seal_key)?;
            }
        }
        Ok(())
    }

    async fn observe(&self, connection: &Connection, queries: &[Query]) -> Vec<Result<Option<Object>, WorldError>> {
        match self.world.providers.get(&connection.provider) {
            Some(provider) => provider.observe(connection, queries).await,
            None => queries.iter().map(|_| Err(crate::observe::no_provider(&connection.provider))).collect(),
        }
    }

    /// Whether what was found is what was planned with.
    fn judge(
        &self,
        step: &Step,
        look: &Look,
        found: Result<Option<Object>, WorldError>,
        seal_key: Option<&SealKey>,
    ) -> Result<Option<Object>, Refusal> {
        let kind = self.kind(step, &look.query.kind)?;
        let found = found.map_err(|error| Refusal { error, stale: false })?;
        let found = found.map(|object| mark_like(self.kinds, kind.name, object, &look.query.object));
        let now = Comparer { kind, key: seal_key }.fingerprint(found.as_ref());
        if look.was != Fingerprint::Unasked && look.was != now {
            return Err(moved(step, &look.query.address, look.was));
        }
        Ok(found)
    }
}

fn no_answer(step: &Step) -> Refusal {
    refuse(step, "the provider gave no answer".to_owned(), "this is a bug: please report it")
}

const GIVE: &str = "plan again, or give what is missing";

fn at_hand(step: &Step, name: &str, deferred: &Deferred, sight: &Sight<'_>) -> Result<(), Refusal> {
    let missing = |error: SecretError| refuse(step, format!("`{name}`: {error}"), GIVE);
    deferred.secrets().into_iter().try_for_each(|secret| sight.secret(&secret).map(|_| ()).map_err(missing))
}

fn evaluate(step: &Step, kind: &Kind, name: &str, deferred: &Deferred, sight: &Sight<'_>) -> Result<Value, Refusal> {
    let fail = |cause: String| refuse(step, format!("`{name}`: {cause}"), GIVE);
    at_hand(step, name, deferred, sight)?;
    let value = evaluate_deferred(deferred, sight).map_err(|mistakes| fail(first_words(&mistakes)))?;
    if !value.is_known() {
        let waits: Vec<_> = value.waits_for().iter().map(ToString::to_string).collect();
        return Err(fail(format!("still not known; it waits for {}", waits.join(", "))));
    }
    let value = match kind.attribute(name) {
        Some(attribute) => value.convert(&attribute.shape.ty()).map_err(|error| fail(error.to_string()))?,
        None => value,
    };
    let promised = step.action.after().and_then(|after| after.get(name));
    if let Some(promised) = promised.filter(|promised| !keeps_promise(promised, &value, sight.seal_key)) {
        let cause = match promised.is_sensitive() {
            true => format!("`{name}` is a secret, and not the one that this was planned with"),
            false => format!("`{name}` came out otherwise than the plan promised"),
        };
        return Err(Refusal { stale: true, ..refuse(step, cause, "plan again") });
    }
    Ok(if promised.is_some_and(Value::is_sensitive) { value.sensitive() } else { value })
}

/// Whether a value is what the plan said of it: its refinements, or the digest of a secret.
fn keeps_promise(promised: &Value, value: &Value, seal_key: Option<&SealKey>) -> bool {
    match promised.data() {
        Data::Unknown(unknown) => {
            let starts = |prefix: &String| value.as_str().is_none_or(|text| text.starts_with(prefix));
            unknown.prefix.as_ref().is_none_or(starts) && !(unknown.not_null && value.is_null())
        }
        Data::Sealed(promised) => match (promised.digest, value.clone().sensitive().seal(seal_key).data()) {
            (Some(promised), Data::Sealed(now)) => now.digest == Some(promised),
            _ => true,
        },
        _ => true,
    }
}

/// A result that would change the action fails the step: nothing is replaced that was planned in place.
fn refuse_new_replacement(step: &Step, kind: &Kind, after: &Object) -> Result<(), Refusal> {
    let (Action::Update { before, .. }, Some(deferred)) = (&step.action, step.action.deferred()) else {
        return Ok(());
    };
    let comparer = Comparer { kind, key: None };
    let differing = comparer.differences(after, before, Some(before));
    match differing.iter().find(|attribute| attribute.replaces && deferred.contains_key(attribute.name)) {
        Some(attribute) => {
            let cause = format!("`{}` came out otherwise than planned, and cannot be changed in place", attribute.name);
            Err(refuse(step, cause, "plan again: it has to be replaced"))
        }
        None => Ok(()),
    }
}

fn known_binding(binding: &Binding, connection: &Connection) -> Binding {
    let open = |(name, value): (&String, &Value)| (!value.is_sensitive()).then(|| (name.clone(), value.clone()));
    let secret = |name: &String| connection.settings.get(name).is_none_or(Value::is_sensitive);
    Binding {
        provider: binding.provider.clone(),
        alias: binding.alias.clone(),
        settings: connection.settings.iter().filter_map(open).collect(),
        deferred: binding
            .deferred
            .iter()
            .filter(|(name, _)| secret(name))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
    }
}

/// The work of a step whose values are known, in an environment and under a lease; `before` is what the last look
/// found.
pub fn work((environment, fence): (&str, &Fence), step: &Step, ready: &Ready, before: Option<Object>) -> Work {
    let effect = |change| {
        Work::Thing(Box::new(Effect {
            token: ready.token.clone(),
            fence: fence.clone(),
            environment: environment.to_owned(),
            address: step.address.clone(),
            kind: step.action.kind().unwrap_or_default().to_owned(),
            change,
        }))
    };
    let before = || before.clone().or_else(|| step.action.before().cloned()).unwrap_or_default();
    let after = || ready.after.clone().unwrap_or_default();
    if let (Some(stands), Action::Create { .. } | Action::Revise { .. } | Action::Update { .. }) =
        (&ready.stands, &step.action)
    {
        return effect(EffectChange::Update { before: stands.clone(), after: after() });
    }
    match &step.action {
        Action::Forget { .. } | Action::Remember { .. } | Action::Move { .. } => Work::Nothing(Object::new()),
        Action::Import { .. } | Action::TakeUp { .. } => Work::Nothing(before()),
        Action::Migrate { direction, migration, lock_timeout_milliseconds, from } => {
            Work::Migration(Box::new(MigrationEffect {
                token: ready.token.clone(),
                fence: fence.clone(),
                direction: *direction,
                migration: migration.as_ref().clone(),
                lock_timeout: std::time::Duration::from_millis(*lock_timeout_milliseconds),
                content: match step.inverse.is_reversible() && !migration.keeps_on_the_way_back() {
                    true => Content::MustBeNone,
                    false => Content::Goes,
                },
                from: from.clone(),
            }))
        }
        Action::Purge { migration, lock_timeout_milliseconds } => Work::Purge(Box::new(MigrationEffect {
            token: ready.token.clone(),
            fence: fence.clone(),
            direction: Direction::Up,
            migration: migration.as_ref().clone(),
            lock_timeout: std::time::Duration::from_millis(*lock_timeout_milliseconds),
            content: Content::Goes,
            from: Position::default(),
        })),
        Action::Create { .. } | Action::Revise { .. } => effect(EffectChange::Create { after: after() }),
        Action::Update { .. } => effect(EffectChange::Update { before: before(), after: after() }),
        Action::Return { .. } | Action::Retire { .. } | Action::Delete { .. } => {
            effect(EffectChange::Delete { before: before() })
        }
    }
}

/// What an intent records: only what the plan does not say already.
pub fn intent(
    step: &Step,
    ready: &Ready,
    before: Option<&Object>,
    since: jiff::Timestamp,
    key: Option<&SealKey>,
) -> Intent {
    let beside = |object: Option<&Object>, planned: Option<&Object>| {
        object.map(|object| seal_object(object, key)).filter(|object| Some(object) != planned)
    };
    Intent {
        token: ready.token.clone(),
        since,
        before: beside(ready.stands.as_ref().or(before), step.action.before()),
        after: beside(ready.after.as_ref(), step.action.after()),
        binding: ready.binding.clone(),
        repairs: ready.stands.is_some(),
        position: Position::default(),
    }
}
