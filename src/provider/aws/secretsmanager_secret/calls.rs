//! The calls of `aws_secretsmanager_secret`.
//!
//! Invariant: an earlier value is never read to be put again: `AWSCURRENT` goes back to its version, as the world keeps it.

use async_trait::async_trait;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::Tag;
use futures_util::future::join_all;

use super::rules::{VALUE, value_from, window_days};
use super::versions::{self, Stages};
use crate::provider::aws::clients::Clients;
use crate::provider::aws::failure::Failure;
use crate::provider::aws::generated;
use crate::provider::aws::shared::{
    Calls, Found, Work, compare, contains_sealed, exists_already, read_made, read_one, refuse_sealed, settled, tags_for,
};
use crate::provider::aws::tags::{self, Tags};
use crate::value::{Data, Object, Type, Value};
use crate::world::{Query, Settlement};

/// A tag of ours on what was removed and waits for its end.
const REMOVED: &str = "switchback:removed";

/// The calls.
pub(in crate::provider::aws) struct Secrets;

/// What is to be current after a change.
enum Wanted {
    /// What is current already.
    Same,
    /// A version that is kept.
    Version(String),
    /// A value that is put.
    Value(String),
}

#[async_trait]
impl Calls for Secrets {
    async fn read(&self, clients: &Clients, queries: &[&Query]) -> Vec<Result<Option<Found>, Failure>> {
        join_all(queries.iter().map(|query| read_secret(clients, &query.object))).await
    }

    async fn recallable(&self, clients: &Clients, earlier: &Object) -> Result<Option<String>, Failure> {
        if !earlier.get(VALUE).is_some_and(contains_sealed) {
            return Ok(None);
        }
        let name = text(earlier, "name").unwrap_or_default();
        let Some(version) = text(earlier, "version_id") else {
            return Ok(Some(format!("the ledger does not say which version of {name} had it")));
        };
        let Some(described) = describe(clients, name).await? else {
            return Ok(Some(format!("{name} is gone, with all of its versions")));
        };
        Ok(match described.arn() != text(earlier, "arn") {
            true => Some(format!("{name} was made again since, and its earlier versions are gone")),
            false if !versions::stages(&described).contains_key(version) => {
                Some(format!("Secrets Manager does not keep version {version} of {name} any more"))
            }
            false => None,
        })
    }

    async fn create(&self, work: &Work<'_>, after: &Object) -> Result<Object, Failure> {
        let after = &generated::opened(after, VALUE, "version_id");
        let name = text(after, "name").unwrap_or_default();
        if let Some(described) = describe(work.clients, name).await? {
            let own = all_tags(&described);
            if described.deleted_date().is_some() || is_being_restored(work, after, &own) {
                restore(work, after, &described).await?;
                return read_made(self, work, after).await;
            }
            if own.get(tags::TOKEN) != Some(&work.effect.token) {
                return Err(exists_already(work, "secretsmanager:CreateSecret", name, "ResourceExistsException"));
            }
            return read_made(self, work, after).await;
        }
        refuse_sealed(work, after)?;
        make(work, after).await?;
        read_made(self, work, after).await
    }

    async fn update(&self, work: &Work<'_>, before: &Object, after: &Object) -> Result<Object, Failure> {
        let after = &generated::opened(after, VALUE, "version_id");
        let name = text(after, "name").unwrap_or_default();
        let wanted = wanted(before, after);
        let described = there(work, name).await?;
        let stages = versions::stages(&described);
        refuse_missing(work, name, &wanted, &stages)?;
        let begun = describe_otherwise(work, before, after, &all_tags(&described)).await?;
        let done = make_wanted(work, name, &stages, wanted, text(before, "version_id")).await;
        done.map_err(|failure| if begun { failure.after_an_effect() } else { failure })?;
        read_made(self, work, after).await
    }

    async fn delete(&self, work: &Work<'_>, before: &Object) -> Result<(), Failure> {
        let name = text(before, "name").unwrap_or_default();
        let request = work.clients.secrets.delete_secret().secret_id(name);
        let request = match window_days(before) {
            0 => request.force_delete_without_recovery(true),
            days => {
                // Who restores it and is cut in the middle knows it again by this.
                let removed = Tags::from([(REMOVED.to_owned(), work.effect.token.clone())]);
                match change_tags(work, name, removed, Vec::new()).await {
                    Ok(()) => request.recovery_window_in_days(days),
                    Err(failure) if failure.is(&["ResourceNotFoundException"]) => return Ok(()),
                    Err(failure) if failure.is(&["InvalidRequestException"]) && is_leaving(work, name).await? => {
                        return Ok(());
                    }
                    Err(failure) => return Err(failure),
                }
            }
        };
        match work.clients.call("secretsmanager:DeleteSecret", name, request.send()).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is(&["ResourceNotFoundException"]) => Ok(()),
            // It waits for its removal already.
            Err(failure) if failure.is(&["InvalidRequestException"]) && is_leaving(work, name).await? => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn settle_create(&self, work: &Work<'_>, after: &Object) -> Result<Settlement, Failure> {
        let Some(found) = read_one(self, work, after).await? else { return Ok(Settlement::NotDone) };
        if found.token.as_deref() == Some(work.effect.token.as_str()) {
            return Ok(settled(work.kind, after, found.object));
        }
        Ok(Settlement::NotDone)
    }

    async fn settle_update(&self, work: &Work<'_>, before: &Object, after: &Object) -> Result<Settlement, Failure> {
        let after = &generated::opened(after, VALUE, "version_id");
        let Some(found) = read_one(self, work, before).await? else {
            return Ok(Settlement::Doubt("it is gone, although it was to be changed".to_owned()));
        };
        let current = text(&found.object, "version_id").unwrap_or_default();
        let earlier = text(before, "version_id").unwrap_or_default();
        let target = match wanted(before, after) {
            Wanted::Same => return Ok(compare(work.kind, &valueless(before), &valueless(after), found.object)),
            Wanted::Version(version) => version,
            Wanted::Value(_) => work.effect.token.clone(),
        };
        // The version goes last, so that all is done once it is there.
        if current == target {
            return Ok(Settlement::Done(found.object));
        }
        if current != earlier {
            return Ok(Settlement::Doubt(format!(
                "its current version is {current}, neither the earlier nor the planned one"
            )));
        }
        Ok(match compare(work.kind, &valueless(before), &valueless(after), found.object.clone()) {
            Settlement::Done(_) if !differ(before, after) => Settlement::NotDone,
            Settlement::Done(object) => {
                Settlement::Stands(object, "only a part was changed: its value is as before".to_owned())
            }
            other @ (Settlement::Stands(..) | Settlement::GoesOn(..) | Settlement::NotDone | Settlement::Doubt(_)) => {
                other
            }
        })
    }
}

fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

fn null() -> Value {
    Data::Null(Type::String).into()
}

fn optional(text: Option<&str>) -> Value {
    text.filter(|text| !text.is_empty()).map_or_else(null, Value::from)
}

/// An object without what only its versions tell.
fn valueless(object: &Object) -> Object {
    let mut object = object.clone();
    object.remove(VALUE);
    object
}

/// Whether anything beside the value changes.
fn differ(before: &Object, after: &Object) -> bool {
    let key = text(after, "kms_key_id").is_some_and(|key| Some(key) != text(before, "kms_key_id"));
    key || text(before, "description") != text(after, "description") || tags::of(before) != tags::of(after)
}

/// What is to be current: a withheld value is told by its version, an open one by itself, none is made.
fn wanted(before: &Object, after: &Object) -> Wanted {
    let given = after.get(VALUE).filter(|value| !value.is_null());
    match given {
        Some(value) if contains_sealed(value) => match text(after, "version_id") {
            Some(version) if Some(version) != text(before, "version_id") => Wanted::Version(version.to_owned()),
            Some(_) | None => Wanted::Same,
        },
        Some(value) if before.get(VALUE).map(Value::reveal) == Some(value.reveal()) => Wanted::Same,
        Some(value) => Wanted::Value(value.reveal().as_str().unwrap_or_default().to_owned()),
        None => Wanted::Value(made(after)),
    }
}

/// A generated value, of the system's randomness.
fn made(after: &Object) -> String {
    generated::make(after, &mut |bytes| getrandom::fill(bytes).expect("the system has random bytes"))
}

/// The version of the current value of a described secret, if it has one.
pub(in crate::provider::aws) fn current_version(described: &DescribeSecretOutput) -> Option<String> {
    versions::current(&versions::stages(described)).map(str::to_owned)
}

/// What is known of a secret without its value.
pub(in crate::provider::aws) async fn describe(
    clients: &Clients,
    name: &str,
) -> Result<Option<DescribeSecretOutput>, Failure> {
    let call = clients.secrets.describe_secret().secret_id(name).send();
    match clients.call("secretsmanager:DescribeSecret", name, call).await {
        Ok(described) => Ok(Some(described)),
        Err(failure) if failure.is(&["ResourceNotFoundException"]) => Ok(None),
        Err(failure) => Err(failure),
    }
}

async fn there(work: &Work<'_>, name: &str) -> Result<DescribeSecretOutput, Failure> {
    let described = describe(work.clients, name).await?.filter(|described| described.deleted_date().is_none());
    described.ok_or_else(|| {
        let tried = work.clients.tried("secretsmanager:DescribeSecret", name);
        Failure::refused(tried, "it is gone, although it was to be changed", "plan again: it has to be made")
    })
}

async fn is_leaving(work: &Work<'_>, name: &str) -> Result<bool, Failure> {
    Ok(describe(work.clients, name).await?.is_none_or(|described| described.deleted_date().is_some()))
}

fn all_tags(described: &DescribeSecretOutput) -> Tags {
    let tags = described.tags().iter();
    tags.filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))).collect()
}

async fn read_secret(clients: &Clients, known: &Object) -> Result<Option<Found>, Failure> {
    let Some(name) = text(known, "name") else { return Ok(None) };
    let Some(described) = describe(clients, name).await? else { return Ok(None) };
    // One that waits for its removal is gone for whoever reads it.
    if described.deleted_date().is_some() {
        return Ok(None);
    }
    let call = clients.secrets.get_secret_value().secret_id(name).version_stage(versions::CURRENT).send();
    let (value, version) = match clients.call("secretsmanager:GetSecretValue", name, call).await {
        Ok(answer) => (answer.secret_string, answer.version_id),
        // Somebody made it without a value, or it went between the two calls.
        Err(failure) if failure.is(&["ResourceNotFoundException", "InvalidRequestException"]) => (None, None),
        Err(failure) => return Err(failure),
    };
    let (tags, token) = tags::split(&all_tags(&described));
    let arn = described.arn().unwrap_or_default();
    let pinned = version.as_deref().map(|version| value_from(arn, version));
    let object = Object::from([
        ("name".to_owned(), described.name().unwrap_or(name).into()),
        ("description".to_owned(), optional(described.description())),
        ("kms_key_id".to_owned(), optional(described.kms_key_id())),
        (VALUE.to_owned(), optional(value.as_deref()).sensitive()),
        ("tags".to_owned(), tags),
        ("arn".to_owned(), arn.into()),
        ("id".to_owned(), arn.into()),
        ("version_id".to_owned(), optional(version.as_deref())),
        ("value_from".to_owned(), optional(pinned.as_deref())),
    ]);
    Ok(Some(Found { object, token }))
}

fn listed(tags: Tags) -> Vec<Tag> {
    tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

async fn make(work: &Work<'_>, after: &Object) -> Result<(), Failure> {
    let name = text(after, "name").unwrap_or_default();
    let given = after.get(VALUE).map(Value::reveal);
    let value = given.as_ref().and_then(Value::as_str).map_or_else(|| made(after), str::to_owned);
    let call = work
        .clients
        .secrets
        .create_secret()
        .name(name)
        .client_request_token(&work.effect.token)
        .secret_string(value)
        .set_description(text(after, "description").map(str::to_owned))
        .set_kms_key_id(text(after, "kms_key_id").map(str::to_owned))
        .set_tags(Some(listed(tags_for(work.effect, after))))
        .send();
    work.clients.call("secretsmanager:CreateSecret", name, call).await.map(|_| ())
}

/// Takes a removed secret back, when this address of this environment made it: with its versions, the wanted one current.
async fn restore(work: &Work<'_>, after: &Object, described: &DescribeSecretOutput) -> Result<(), Failure> {
    let name = text(after, "name").unwrap_or_default();
    let (own, ours) = (all_tags(described), tags_for(work.effect, after));
    if !has_owner(&own, &ours) {
        let tried = work.clients.tried("secretsmanager:CreateSecret", name);
        let cause = "a secret of this name waits for its removal, and this address did not make it";
        let help = "wait until it is gone, or choose another name";
        return Err(Failure::refused(tried, cause, help));
    }
    let stages = versions::stages(described);
    let current = versions::current(&stages).map(str::to_owned);
    let before = current.iter().map(|version| ("version_id".to_owned(), version.as_str().into())).collect();
    let wanted = wanted(&before, after);
    refuse_missing(work, name, &wanted, &stages)?;
    if described.deleted_date().is_some() {
        let call = work.clients.secrets.restore_secret().secret_id(name).send();
        work.clients.call("secretsmanager:RestoreSecret", name, call).await?;
    }
    let rest = async {
        make_wanted(work, name, &stages, wanted, current.as_deref()).await?;
        set_description(work, name, after).await?;
        // Our tags go last: by them it is known that all of this was done.
        let (set, mut removed) = tags::change(&own, &ours);
        removed.push(REMOVED.to_owned());
        change_tags(work, name, set, removed).await
    };
    rest.await.map_err(Failure::after_an_effect)
}

/// Whether the same address of the same environment made it.
fn has_owner(own: &Tags, ours: &Tags) -> bool {
    [tags::ENVIRONMENT, tags::ADDRESS].iter().all(|tag| own.contains_key(*tag) && own.get(*tag) == ours.get(*tag))
}

/// Whether a removed secret was taken back by a run that did not get to its tags.
fn is_being_restored(work: &Work<'_>, after: &Object, own: &Tags) -> bool {
    own.contains_key(REMOVED) && has_owner(own, &tags_for(work.effect, after))
}

fn refuse_missing(work: &Work<'_>, name: &str, wanted: &Wanted, stages: &Stages) -> Result<(), Failure> {
    match wanted {
        Wanted::Version(version) if !stages.contains_key(version) => {
            let tried = work.clients.tried("secretsmanager:UpdateSecretVersionStage", name);
            let cause = format!("version {version}, which has the earlier secret, is not kept any more");
            Err(Failure::refused(tried, cause, "give the secret again in the spec and apply it"))
        }
        Wanted::Version(_) | Wanted::Value(_) | Wanted::Same => Ok(()),
    }
}

async fn make_wanted(
    work: &Work<'_>,
    name: &str,
    stages: &Stages,
    wanted: Wanted,
    current: Option<&str>,
) -> Result<(), Failure> {
    match wanted {
        Wanted::Same => Ok(()),
        Wanted::Version(version) => versions::make_current(work, name, stages, (current, &version)).await,
        Wanted::Value(value) => {
            let version = versions::put(work, name, stages, &value).await?;
            let moved = versions::make_current(work, name, stages, (current, &version)).await;
            moved.map_err(Failure::after_an_effect)?;
            versions::let_go(work, name).await.map_err(Failure::after_an_effect)
        }
    }
}

/// Description, key and tags; says whether anything was sent.
async fn describe_otherwise(work: &Work<'_>, before: &Object, after: &Object, own: &Tags) -> Result<bool, Failure> {
    let name = text(after, "name").unwrap_or_default();
    let mut sent = false;
    let key = text(after, "kms_key_id").is_some_and(|key| Some(key) != text(before, "kms_key_id"));
    if key || text(before, "description") != text(after, "description") {
        set_description(work, name, after).await?;
        sent = true;
    }
    let (set, removed) = tags::change(own, &tags::of(after));
    sent |= !set.is_empty() || !removed.is_empty();
    change_tags(work, name, set, removed).await.map_err(Failure::after_an_effect)?;
    Ok(sent)
}

async fn set_description(work: &Work<'_>, name: &str, after: &Object) -> Result<(), Failure> {
    let request = work.clients.secrets.update_secret().secret_id(name);
    let request = request.description(text(after, "description").unwrap_or_default());
    let call = request.set_kms_key_id(text(after, "kms_key_id").map(str::to_owned)).send();
    work.clients.call("secretsmanager:UpdateSecret", name, call).await.map(|_| ())
}

async fn change_tags(work: &Work<'_>, name: &str, set: Tags, removed: Vec<String>) -> Result<(), Failure> {
    let secrets = &work.clients.secrets;
    if !set.is_empty() {
        let call = secrets.tag_resource().secret_id(name).set_tags(Some(listed(set))).send();
        work.clients.call("secretsmanager:TagResource", name, call).await?;
    }
    if !removed.is_empty() {
        let call = secrets.untag_resource().secret_id(name).set_tag_keys(Some(removed)).send();
        let sent = work.clients.call("secretsmanager:UntagResource", name, call).await;
        sent.map_err(Failure::after_an_effect)?;
    }
    Ok(())
}
