//! What the calls of all AWS kinds have in common: the shape of the work, and how an effect is settled by comparing.
//!
//! Invariant: settling only reads; it answers with what the world holds, never with what is likely.

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use super::canonical::differences;
use super::clients::Clients;
use super::failure::Failure;
use super::tags::{self, Tags};
use crate::kind::{Attribute, Kind, Mode};
use crate::value::{Object, Value};
use crate::world::{Effect, Progress, Query, Settlement};

/// A thing as the world has it.
pub(super) struct Found {
    /// Its attributes.
    pub object: Object,
    /// The token of the effect that made it, from its tags.
    pub token: Option<String>,
}

/// One effect at work.
pub(super) struct Work<'a> {
    /// The way to AWS.
    pub clients: &'a Clients,
    /// The kind, with its rules.
    pub kind: &'a Kind,
    /// The effect.
    pub effect: &'a Effect,
    /// Who hears how it gets on.
    pub progress: &'a dyn Progress,
}

/// Nobody hears.
pub(super) struct Silence;

impl Progress for Silence {
    fn say(&self, _message: &str) {}
}

/// The calls of one kind.
#[async_trait]
pub(super) trait Calls: Send + Sync {
    /// Reads many: one answer per query, in order.
    async fn read(&self, clients: &Clients, queries: &[&Query]) -> Vec<Result<Option<Found>, Failure>>;

    /// Makes it, or refuses when it exists; what the same effect made already counts as made.
    async fn create(&self, work: &Work<'_>, after: &Object) -> Result<Object, Failure>;

    /// Changes it in place.
    async fn update(&self, work: &Work<'_>, before: &Object, after: &Object) -> Result<Object, Failure>;

    /// Removes it; what is gone is removed.
    async fn delete(&self, work: &Work<'_>, before: &Object) -> Result<(), Failure>;

    /// Why a secret that is withheld in an earlier object cannot be had from the world again.
    async fn recallable(&self, _clients: &Clients, _earlier: &Object) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    /// Whether a removal leaves it where it is, because the spec said so.
    fn keeps(&self, before: &Object) -> bool {
        before.get("skip_destroy").and_then(Value::as_bool) == Some(true)
    }

    /// What became of a creation.
    async fn settle_create(&self, work: &Work<'_>, after: &Object) -> Result<Settlement, Failure> {
        let Some(found) = read_one(self, work, after).await? else { return Ok(Settlement::NotDone) };
        // Tags are put on in the same call that creates, so another token means that somebody else made it.
        if found.token.as_deref() != Some(work.effect.token.as_str()) {
            return Ok(Settlement::NotDone);
        }
        Ok(settled(work.kind, after, found.object))
    }

    /// What became of a change.
    async fn settle_update(&self, work: &Work<'_>, before: &Object, after: &Object) -> Result<Settlement, Failure> {
        match read_one(self, work, before).await? {
            Some(found) => Ok(compare(work.kind, before, after, found.object)),
            None => Ok(Settlement::Doubt("it is gone, although it was to be changed".to_owned())),
        }
    }

    /// What became of a removal.
    async fn settle_delete(&self, work: &Work<'_>, before: &Object) -> Result<Settlement, Failure> {
        match read_one(self, work, before).await? {
            None => Ok(Settlement::Done(Object::new())),
            Some(_) => Ok(Settlement::NotDone),
        }
    }
}

/// Reads one thing that is known by this object.
pub(super) async fn read_one<C: Calls + ?Sized>(
    calls: &C,
    work: &Work<'_>,
    object: &Object,
) -> Result<Option<Found>, Failure> {
    let query = Query { address: work.effect.address.clone(), kind: work.effect.kind.clone(), object: object.clone() };
    let mut answers = calls.read(work.clients, &[&query]).await;
    answers.pop().unwrap_or(Ok(None))
}

/// Reads a thing that has just been made or changed; that it is missing is a failure to be settled.
pub(super) async fn read_made<C: Calls + ?Sized>(
    calls: &C,
    work: &Work<'_>,
    object: &Object,
) -> Result<Object, Failure> {
    let found = read_one(calls, work, object).await.map_err(Failure::after_an_effect)?;
    found.map(|found| found.object).ok_or_else(|| {
        let tried = work.clients.tried("aws: reading back", &work.effect.address.to_string());
        let help = "run again: the effect is settled by asking";
        Failure::refused(tried, "it was made, but it is not there", help).after_an_effect()
    })
}

/// The refusal to make what exists already.
pub(super) fn exists_already(work: &Work<'_>, operation: &str, name: &str, code: &str) -> Failure {
    let help = format!(
        "take it up with `switchback import {} {} {name}`, or give {} another name",
        work.effect.environment, work.effect.address, work.effect.address
    );
    let cause = format!("{code}: {name} exists already, and this effect did not make it");
    Failure::refused(work.clients.tried(operation, name), cause, help)
}

/// The attributes by which a state of the world is told from another: those that the world gives back.
fn telling(kind: &Kind) -> impl Iterator<Item = &Attribute> {
    kind.attributes
        .iter()
        .filter(|attribute| !attribute.write_only && !attribute.volatile && attribute.mode != Mode::Computed)
}

/// The telling attributes that differ. Where the left side is silent about what the world may choose, and where a
/// side is sealed, nothing differs.
fn different(kind: &Kind, wanted: &Object, found: &Object) -> Vec<&'static str> {
    let silent = |name: &str| {
        let is_sealed = |object: &Object| object.get(name).is_some_and(contains_sealed);
        let free = kind.attribute(name).is_some_and(|attribute| attribute.mode == Mode::OptionalComputed);
        (free && wanted.get(name).is_none_or(Value::is_null)) || is_sealed(wanted) || is_sealed(found)
    };
    let normalise = |name: &str, value: &Value| kind.rules.normalise(name, value);
    differences(&kind.attributes, &normalise, wanted, found)
        .filter(|name| telling(kind).any(|attribute| attribute.name == *name) && !silent(name))
        .collect()
}

/// Whether a secret lies inside that is withheld.
pub(super) fn contains_sealed(value: &Value) -> bool {
    value.holds_sealed()
}

/// Refuses an effect that needs a secret which is withheld and which the world does not keep.
pub(super) fn refuse_sealed(work: &Work<'_>, after: &Object) -> Result<(), Failure> {
    let sealed = after.iter().find(|(_, value)| contains_sealed(value));
    let Some((name, _)) = sealed else { return Ok(()) };
    let tried = work.clients.tried("aws: preparing", &work.effect.address.to_string());
    let cause = format!("the earlier value of `{name}` is a secret that is kept nowhere");
    let help =
        "go back to another run with `rollback ENV --to SEQ`, then give the secret again in the spec and apply it";
    Err(Failure::refused(tried, cause, help))
}

/// The refusal to change what only a person gives.
pub(super) fn never_written(work: &Work<'_>) -> Failure {
    let tried = work.clients.tried("aws: changing", &work.effect.address.to_string());
    let help = "a person puts it into its store; plan again then";
    Failure::refused(tried, "its value is given by a person, and never written", help)
}

/// What was made, held against what was to be made.
pub(super) fn settled(kind: &Kind, after: &Object, found: Object) -> Settlement {
    let missing = different(kind, after, &found);
    match missing.is_empty() {
        true => Settlement::Done(found),
        false => Settlement::Stands(found, format!("only a part was made: {} is not as planned", list(&missing))),
    }
}

/// What is there, held against both sides of a change.
pub(super) fn compare(kind: &Kind, before: &Object, after: &Object, found: Object) -> Settlement {
    let changed = different(kind, after, before);
    let open: Vec<_> = different(kind, after, &found).into_iter().filter(|name| changed.contains(name)).collect();
    let begun: Vec<_> = different(kind, before, &found).into_iter().filter(|name| changed.contains(name)).collect();
    let foreign: Vec<_> = open.iter().filter(|name| begun.contains(name)).copied().collect();
    if open.is_empty() {
        Settlement::Done(found)
    } else if begun.is_empty() {
        Settlement::NotDone
    } else if foreign.is_empty() {
        let why = format!("only a part was changed: {} is as before, {} as planned", list(&open), list(&begun));
        Settlement::Stands(found, why)
    } else {
        let seen: Vec<String> =
            foreign.iter().filter_map(|name| Some(format!("{name} = {}", found.get(*name)?))).collect();
        Settlement::Doubt(format!("neither as before nor as planned: {}", seen.join(", ")))
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The tags for a creation: the user's and our own.
pub(super) fn tags_for(effect: &Effect, after: &Object) -> Tags {
    let mut all = tags::of(after);
    all.insert(tags::ENVIRONMENT.to_owned(), tag_text(&effect.environment));
    all.insert(tags::ADDRESS.to_owned(), tag_text(&effect.address.to_string()));
    all.insert(tags::TOKEN.to_owned(), effect.token.clone());
    all
}

/// Values of tags hold at most 256 characters and not all of them: `module.a["b"]` becomes `module.a.b.`.
fn tag_text(text: &str) -> String {
    let good = |letter: char| letter.is_alphanumeric() || " _.:/=+-@".contains(letter);
    let mut shown = String::new();
    for letter in text.chars().filter(|letter| *letter != '"') {
        let letter = if good(letter) { letter } else { '.' };
        if !(letter == '.' && shown.ends_with('.')) {
            shown.push(letter);
        }
    }
    shown.chars().take(256).collect()
}

/// Tags as ECS has them.
pub(super) fn tags_json(all: &Tags) -> Json {
    all.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

/// Tags from ECS.
pub(super) fn tags_from_json(json: Option<&Json>) -> Tags {
    let items = json.and_then(Json::as_array).into_iter().flatten();
    items
        .filter_map(|item| {
            let value = item.get("value").and_then(Json::as_str).unwrap_or_default();
            Some((item.get("key")?.as_str()?.to_owned(), value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Sealed;

    fn kind() -> Kind {
        super::super::cloudwatch_log_group::kind()
    }

    fn group(days: i64, key: &str) -> Object {
        Object::from([
            ("name".to_owned(), "/shop".into()),
            ("retention_in_days".to_owned(), days.into()),
            ("kms_key_id".to_owned(), key.into()),
        ])
    }

    #[test]
    fn a_change_is_settled_by_both_of_its_sides() {
        let (before, after) = (group(7, "a"), group(30, "b"));
        assert_eq!(compare(&kind(), &before, &after, before.clone()), Settlement::NotDone);
        assert_eq!(compare(&kind(), &before, &after, after.clone()), Settlement::Done(after.clone()));
        let half = group(30, "a");
        assert!(matches!(compare(&kind(), &before, &after, half), Settlement::Stands(_, why) if why.contains("kms")));
        let foreign = group(14, "b");
        assert!(matches!(compare(&kind(), &before, &after, foreign), Settlement::Doubt(why) if why.contains("14")));
    }

    #[test]
    fn what_is_sealed_cannot_differ() {
        let mut sealed = group(7, "a");
        sealed.insert("kms_key_id".to_owned(), Value::sealed(Sealed { digest: None }));
        assert_eq!(different(&kind(), &sealed, &group(7, "b")), Vec::<&str>::new());
        assert_eq!(different(&kind(), &sealed, &group(8, "b")), ["retention_in_days"]);
    }

    #[test]
    fn addresses_fit_into_tags() {
        assert_eq!(tag_text("module.web[\"eu\"].aws_ecs_service.web"), "module.web.eu.aws_ecs_service.web");
    }
}
