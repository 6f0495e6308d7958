//! The calls of `aws_ssm_parameter`.
//!
//! Invariant: reading a thousand parameters takes a hundred calls: ten values per call, and descriptions are only asked
//! for where the version is not the one that is recorded. Their tags are not read: SSM lists those one by one.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_ssm::types::{
    Parameter, ParameterMetadata, ParameterStringFilter, ParameterTier, ParameterType, ResourceTypeForTagging, Tag,
};
use aws_smithy_types::date_time::Format;
use futures_util::future::join_all;

use super::rules::content;
use crate::provider::aws::clients::Clients;
use crate::provider::aws::failure::Failure;
use crate::provider::aws::generated;
use crate::provider::aws::shared::{
    Calls, Found, Work, compare, contains_sealed, exists_already, read_one, refuse_sealed, settled, tags_for,
};
use crate::provider::aws::tags::{self, Tags};
use crate::value::{Data, Object, Type, Value};
use crate::world::{Query, Settlement};

/// How many values SSM gives at once.
const VALUES: usize = 10;
/// How many descriptions SSM gives at once.
const DESCRIPTIONS: usize = 50;

/// The calls.
pub(in crate::provider::aws) struct Parameters;

#[async_trait]
impl Calls for Parameters {
    async fn read(&self, clients: &Clients, queries: &[&Query]) -> Vec<Result<Option<Found>, Failure>> {
        let names: Vec<String> = unique(queries.iter().filter_map(|query| text(&query.object, "name")));
        let values = gather(join_all(names.chunks(VALUES).map(|batch| values(clients, batch))).await);
        let fresh = queries.iter().filter(|query| {
            let value = text(&query.object, "name").and_then(|name| values.get(name));
            matches!(value, Some(Ok(Some(value))) if !is_recorded(&query.object, value))
        });
        let fresh = unique(fresh.filter_map(|query| text(&query.object, "name")));
        let batches = fresh.chunks(DESCRIPTIONS).map(|batch| descriptions(clients, batch));
        let descriptions = gather(join_all(batches).await);
        queries.iter().map(|query| answer(&query.object, &values, &descriptions)).collect()
    }

    async fn recallable(&self, clients: &Clients, earlier: &Object) -> Result<Option<String>, Failure> {
        if !["value", "insecure_value"].iter().any(|name| earlier.get(*name).is_some_and(contains_sealed)) {
            return Ok(None);
        }
        let name = text(earlier, "name").unwrap_or_default();
        let Some(version) = earlier.get("version").and_then(Value::as_i64) else {
            return Ok(Some(format!("the ledger does not say which version of {name} had it")));
        };
        Ok(match history(clients, name, version).await? {
            None => Some(format!("SSM does not keep version {version} of {name} any more")),
            Some(time) if is_another(earlier, Some(&time)) => {
                Some(format!("{name} was made again since, and its version {version} is another one"))
            }
            Some(_) => None,
        })
    }

    async fn create(&self, work: &Work<'_>, after: &Object) -> Result<Object, Failure> {
        let after = &generated::opened(after, "value", "version");
        refuse_sealed(work, after)?;
        let name = text(after, "name").unwrap_or_default();
        let tags = Some(tags_for(work.effect, after));
        match put(work, after, false, tags).await {
            Ok(()) => {}
            Err(failure) if failure.is(&["ParameterAlreadyExists"]) => {
                if list_tags(work.clients, name).await?.get(tags::TOKEN) != Some(&work.effect.token) {
                    return Err(exists_already(work, "ssm:PutParameter", name, "ParameterAlreadyExists"));
                }
            }
            Err(failure) => return Err(failure),
        }
        read_made(self, work, after).await
    }

    async fn update(&self, work: &Work<'_>, before: &Object, after: &Object) -> Result<Object, Failure> {
        let after = &generated::opened(after, "value", "version");
        let puts = is_put_needed(work, before, after);
        let recalled = if puts { recall(work, &still_there(before, after)).await? } else { after.clone() };
        if puts {
            refuse_sealed(work, &recalled)?;
        }
        // What an earlier try left of them is not known, so they are looked at wherever there are any.
        let tagged = [before, after].iter().any(|side| !tags::of(side).is_empty());
        if tagged {
            change_tags(work, after).await?;
        }
        if puts {
            let sent = put(work, &recalled, true, None).await;
            sent.map_err(|failure| if tagged { failure.after_an_effect() } else { failure })?;
        }
        read_made(self, work, &recalled).await
    }

    async fn delete(&self, work: &Work<'_>, before: &Object) -> Result<(), Failure> {
        let name = text(before, "name").unwrap_or_default();
        let call = work.clients.ssm.delete_parameter().name(name).send();
        match work.clients.call("ssm:DeleteParameter", name, call).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is(&["ParameterNotFound"]) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn settle_create(&self, work: &Work<'_>, after: &Object) -> Result<Settlement, Failure> {
        let Some(found) = read_one(self, work, &unrecorded(after)).await? else { return Ok(Settlement::NotDone) };
        let name = text(after, "name").unwrap_or_default();
        if list_tags(work.clients, name).await?.get(tags::TOKEN) != Some(&work.effect.token) {
            return Ok(Settlement::NotDone);
        }
        Ok(settled(work.kind, after, found.object))
    }

    async fn settle_update(&self, work: &Work<'_>, before: &Object, after: &Object) -> Result<Settlement, Failure> {
        let after = &generated::opened(after, "value", "version");
        let Some(found) = read_one(self, work, &unrecorded(before)).await? else {
            return Ok(Settlement::Doubt("it is gone, although it was to be changed".to_owned()));
        };
        let there = found.object.clone();
        let put = settle_put(work, before, after, found.object);
        let (earlier, planned) = (tags::of(before), tags::of(after));
        if earlier == planned {
            return Ok(put);
        }
        // Tags go first, in calls of their own.
        let all = list_tags(work.clients, text(after, "name").unwrap_or_default()).await?;
        let own: Tags = all.into_iter().filter(|(name, _)| !tags::is_reserved(name)).collect();
        let puts = is_put_needed(work, before, after);
        Ok(match put {
            Settlement::Done(object) if own == planned => Settlement::Done(object),
            Settlement::Done(_) if own == earlier && !puts => Settlement::NotDone,
            Settlement::NotDone if own == earlier => Settlement::NotDone,
            Settlement::NotDone | Settlement::Done(_) => {
                Settlement::Stands(there, "only a part was changed: its tags, or some of them".to_owned())
            }
            other @ (Settlement::Stands(..) | Settlement::GoesOn(..) | Settlement::Doubt(_)) => other,
        })
    }
}

/// What became of a put.
fn settle_put(work: &Work<'_>, before: &Object, after: &Object, found: Object) -> Settlement {
    // Where values are withheld, the version tells: each put makes the next one.
    let withheld =
        content(after).is_none() || [before, after].iter().any(|side| content(side).is_some_and(contains_sealed));
    let version = |object: &Object| object.get("version").and_then(Value::as_i64);
    if withheld && is_put_needed(work, before, after) && version(before).is_some() {
        return match version(&found) == version(before) {
            true => Settlement::NotDone,
            false => settled(work.kind, after, found),
        };
    }
    compare(work.kind, before, after, found)
}

fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// The object without what says which version it is, so that everything is read.
fn unrecorded(object: &Object) -> Object {
    let mut object = object.clone();
    object.remove("last_modified");
    object
}

/// Names with what was answered about them.
type Named<T> = BTreeMap<String, Result<Option<T>, Failure>>;

fn gather<T>(batches: Vec<Named<T>>) -> Named<T> {
    batches.into_iter().flatten().collect()
}

async fn values(clients: &Clients, names: &[String]) -> Named<Parameter> {
    let call = clients.ssm.get_parameters().set_names(Some(names.to_vec())).with_decryption(true).send();
    let answer = clients.call("ssm:GetParameters", &subject(names), call).await;
    let found = answer.map(|answer| answer.parameters.unwrap_or_default());
    spread(names, &found, Parameter::name)
}

async fn descriptions(clients: &Clients, names: &[String]) -> Named<ParameterMetadata> {
    let filter = ParameterStringFilter::builder().key("Name").option("Equals").set_values(Some(names.to_vec())).build();
    let found = match filter {
        Ok(filter) => describe_all(clients, names, &filter).await,
        Err(_) => Ok(Vec::new()),
    };
    spread(names, &found, ParameterMetadata::name)
}

/// Descriptions of parameters, one answer per name, in order.
pub(in crate::provider::aws) async fn described(
    clients: &Clients,
    names: &[String],
) -> Vec<Result<Option<ParameterMetadata>, Failure>> {
    let all = unique(names.iter().map(String::as_str));
    let found = gather(join_all(all.chunks(DESCRIPTIONS).map(|batch| descriptions(clients, batch))).await);
    names.iter().map(|name| found.get(name).cloned().unwrap_or(Ok(None))).collect()
}

async fn describe_all(
    clients: &Clients,
    names: &[String],
    filter: &ParameterStringFilter,
) -> Result<Vec<ParameterMetadata>, Failure> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let size = i32::try_from(DESCRIPTIONS).unwrap_or(i32::MAX);
        let request = clients.ssm.describe_parameters().parameter_filters(filter.clone()).max_results(size);
        let call = request.set_next_token(token).send();
        let page = clients.call("ssm:DescribeParameters", &subject(names), call).await?;
        found.extend(page.parameters.unwrap_or_default());
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() || found.len() >= names.len() {
            return Ok(found);
        }
    }
}

fn subject(names: &[String]) -> String {
    match names {
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        [] => String::new(),
    }
}

fn spread<T: Clone>(
    names: &[String],
    found: &Result<Vec<T>, Failure>,
    name_of: impl Fn(&T) -> Option<&str>,
) -> Named<T> {
    let answer = |name: &String| match found {
        Ok(found) => Ok(found.iter().find(|item| name_of(item) == Some(name.as_str())).cloned()),
        Err(failure) => Err(failure.clone()),
    };
    names.iter().map(|name| (name.clone(), answer(name))).collect()
}

/// Whether a record is of just this version: then its description, tier, key and pattern are as recorded, too, for
/// nothing but a put changes them, and every put makes a version.
fn is_recorded(known: &Object, value: &Parameter) -> bool {
    let same_version = known.get("version").and_then(Value::as_i64) == Some(value.version());
    same_version && text(known, "last_modified").is_some_and(|time| Some(time) == modified(value).as_deref())
}

fn modified(value: &Parameter) -> Option<String> {
    value.last_modified_date().and_then(|time| time.fmt(Format::DateTime).ok())
}

fn answer(
    known: &Object,
    values: &Named<Parameter>,
    descriptions: &Named<ParameterMetadata>,
) -> Result<Option<Found>, Failure> {
    let Some(name) = text(known, "name") else { return Ok(None) };
    let value = match values.get(name) {
        Some(Ok(Some(value))) => value,
        Some(Err(failure)) => return Err(failure.clone()),
        Some(Ok(None)) | None => return Ok(None),
    };
    let mut object = value_part(name, known, value);
    if is_recorded(known, value) {
        for attribute in ["description", "tier", "key_id", "allowed_pattern"] {
            object.insert(attribute.to_owned(), known.get(attribute).cloned().unwrap_or_else(null));
        }
    } else {
        match descriptions.get(name) {
            Some(Ok(Some(metadata))) => object.extend(described_part(known, metadata)),
            Some(Err(failure)) => return Err(failure.clone()),
            // It went between the two calls.
            Some(Ok(None)) | None => return Ok(None),
        }
    }
    Ok(Some(Found { object, token: None }))
}

fn null() -> Value {
    Data::Null(Type::String).into()
}

fn optional(text: Option<&str>) -> Value {
    text.filter(|text| !text.is_empty()).map_or_else(null, Value::from)
}

fn value_part(name: &str, known: &Object, value: &Parameter) -> Object {
    let ty = value.r#type().map_or("String", ParameterType::as_str);
    let content = optional(value.value());
    let content = if ty == "SecureString" { content.sensitive() } else { content };
    let is_insecure = known.get("insecure_value").is_some_and(|value| !value.is_null());
    Object::from([
        ("name".to_owned(), name.into()),
        ("id".to_owned(), name.into()),
        ("type".to_owned(), ty.into()),
        ("insecure_value".to_owned(), if is_insecure { content.clone() } else { null() }),
        ("value".to_owned(), content),
        ("data_type".to_owned(), optional(value.data_type())),
        ("arn".to_owned(), optional(value.arn())),
        ("version".to_owned(), value.version().into()),
        ("last_modified".to_owned(), optional(modified(value).as_deref())),
    ])
}

fn described_part(known: &Object, metadata: &ParameterMetadata) -> Object {
    let tier = match text(known, "tier") {
        // SSM answers with the tier that it chose.
        Some("Intelligent-Tiering") => Some("Intelligent-Tiering"),
        _ => metadata.tier().map(ParameterTier::as_str),
    };
    Object::from([
        ("description".to_owned(), optional(metadata.description())),
        ("tier".to_owned(), optional(tier)),
        ("key_id".to_owned(), optional(metadata.key_id())),
        ("allowed_pattern".to_owned(), optional(metadata.allowed_pattern())),
    ])
}

/// Puts a first or a further version.
async fn put(work: &Work<'_>, after: &Object, overwrite: bool, tags: Option<Tags>) -> Result<(), Failure> {
    let name = text(after, "name").unwrap_or_default();
    let value = content(after).map_or_else(|| made(after), Value::reveal);
    let secure = text(after, "type") == Some("SecureString");
    // A further version would keep the description of the one before.
    let described = |name: &str| text(after, name).map(str::to_owned).or(overwrite.then(String::new));
    let tags = tags.map(|tags| tags.into_iter().filter_map(|(key, value)| tag(&key, &value)).collect());
    let call = work
        .clients
        .ssm
        .put_parameter()
        .name(name)
        .set_value(value.as_str().map(str::to_owned))
        .set_type(text(after, "type").map(ParameterType::from))
        .set_description(described("description"))
        .set_allowed_pattern(described("allowed_pattern"))
        .set_tier(text(after, "tier").map(ParameterTier::from))
        .set_data_type(text(after, "data_type").map(str::to_owned))
        .set_key_id(text(after, "key_id").filter(|_| secure).map(str::to_owned))
        .overwrite(overwrite)
        .set_tags(tags)
        .send();
    // The value may have been recalled, so that nobody but us knows that it is a secret.
    let sent = work.clients.call("ssm:PutParameter", name, call).await;
    sent.map(|_| ()).map_err(|failure| failure.without_secrets_of(after))
}

/// A generated value, of the system's randomness.
fn made(after: &Object) -> Value {
    generated::make(after, &mut |bytes| getrandom::fill(bytes).expect("the system has random bytes")).into()
}

/// A withheld value of which no version is told is the one that is there: a generated one that is not renewed.
fn still_there(before: &Object, after: &Object) -> Object {
    let mut after = after.clone();
    if content(&after).is_some_and(contains_sealed) && !after.contains_key("version") {
        after.extend(before.get("value").map(|value| ("value".to_owned(), value.clone())));
    }
    after
}

/// Whether anything differs that a put changes; where a value is withheld, it may.
fn is_put_needed(work: &Work<'_>, before: &Object, after: &Object) -> bool {
    let form = |object: &Object, name: &str| {
        object.get(name).map_or_else(Value::null, |value| work.kind.rules.normalise(name, &value.reveal()))
    };
    let value = |object: &Object| content(object).map(Value::reveal);
    // A secret that is withheld under no key cannot be told from another one.
    let keyless = |value: &Value| matches!(value.data(), Data::Sealed(sealed) if sealed.digest.is_none());
    let silent = |name: &str| ["tier", "data_type", "key_id"].contains(&name) && form(after, name).is_null();
    value(before) != value(after)
        || value(after).is_some_and(|value| keyless(&value))
        || ["type", "description", "tier", "data_type", "key_id", "allowed_pattern"]
            .iter()
            .any(|name| form(before, name) != form(after, name) && !silent(name))
}

fn tag(key: &str, value: &str) -> Option<Tag> {
    Tag::builder().key(key).value(value).build().ok()
}

async fn list_tags(clients: &Clients, name: &str) -> Result<Tags, Failure> {
    let request = clients.ssm.list_tags_for_resource().resource_type(ResourceTypeForTagging::Parameter);
    let call = request.resource_id(name).send();
    let answer = clients.call("ssm:ListTagsForResource", name, call).await?;
    let tags = answer.tag_list.unwrap_or_default();
    Ok(tags.into_iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())
}

async fn change_tags(work: &Work<'_>, after: &Object) -> Result<(), Failure> {
    let name = text(after, "name").unwrap_or_default();
    let (set, removed) = tags::change(&list_tags(work.clients, name).await?, &tags::of(after));
    let ssm = &work.clients.ssm;
    if !set.is_empty() {
        let set: Vec<Tag> = set.iter().filter_map(|(key, value)| tag(key, value)).collect();
        let request = ssm.add_tags_to_resource().resource_type(ResourceTypeForTagging::Parameter);
        let call = request.resource_id(name).set_tags(Some(set)).send();
        work.clients.call("ssm:AddTagsToResource", name, call).await?;
    }
    if !removed.is_empty() {
        let request = ssm.remove_tags_from_resource().resource_type(ResourceTypeForTagging::Parameter);
        let call = request.resource_id(name).set_tag_keys(Some(removed)).send();
        let sent = work.clients.call("ssm:RemoveTagsFromResource", name, call).await;
        sent.map_err(Failure::after_an_effect)?;
    }
    Ok(())
}

/// Gets a value that is withheld from the version that had it.
async fn recall(work: &Work<'_>, after: &Object) -> Result<Object, Failure> {
    let mut after = after.clone();
    let withheld = |object: &Object, name: &str| object.get(name).is_some_and(contains_sealed);
    let Some(attribute) = ["value", "insecure_value"].into_iter().find(|name| withheld(&after, name)) else {
        return Ok(after);
    };
    let name = text(&after, "name").unwrap_or_default();
    let Some(version) = after.get("version").and_then(Value::as_i64) else { return Ok(after) };
    let call = work.clients.ssm.get_parameter().name(format!("{name}:{version}")).with_decryption(true).send();
    let answer = match work.clients.call("ssm:GetParameter", &format!("{name}:{version}"), call).await {
        Ok(answer) => answer,
        Err(failure) if failure.is(&["ParameterVersionNotFound", "ParameterNotFound"]) => {
            let tried = work.clients.tried("ssm:GetParameter", &format!("{name}:{version}"));
            let cause = format!("version {version}, which has the earlier secret, is not kept any more");
            let help = "SSM keeps the last 100 versions; give the secret again in the spec and apply it";
            return Err(Failure::refused(tried, cause, help));
        }
        Err(failure) => return Err(failure),
    };
    if is_another(&after, answer.parameter().and_then(modified).as_deref()) {
        let tried = work.clients.tried("ssm:GetParameter", &format!("{name}:{version}"));
        let cause = format!("the parameter was made again since, and its version {version} is not the earlier one");
        return Err(Failure::refused(tried, cause, "give the secret again in the spec and apply it"));
    }
    let value = answer.parameter().and_then(Parameter::value).map(|value| Value::from(value).sensitive());
    after.extend(value.map(|value| (attribute.to_owned(), value)));
    Ok(after)
}

/// When a version was put, if it is kept; nothing is decrypted.
async fn history(clients: &Clients, name: &str, version: i64) -> Result<Option<String>, Failure> {
    let mut token = None;
    loop {
        let request = clients.ssm.get_parameter_history().name(name).with_decryption(false).max_results(50);
        let page = match clients.call("ssm:GetParameterHistory", name, request.set_next_token(token).send()).await {
            Ok(page) => page,
            Err(failure) if failure.is(&["ParameterNotFound"]) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        if let Some(found) = page.parameters().iter().find(|kept| kept.version() == version) {
            let time = found.last_modified_date().and_then(|time| time.fmt(Format::DateTime).ok());
            return Ok(Some(time.unwrap_or_default()));
        }
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(None);
        }
    }
}

/// Whether a version was put at another time than the recorded one of the same number.
fn is_another(recorded: &Object, time: Option<&str>) -> bool {
    text(recorded, "last_modified").is_some_and(|recorded| Some(recorded) != time)
}

/// Reads what was just put, with everything about it.
async fn read_made(calls: &Parameters, work: &Work<'_>, after: &Object) -> Result<Object, Failure> {
    crate::provider::aws::shared::read_made(calls, work, &unrecorded(after)).await
}
