//! The calls of `aws_cloudwatch_log_group`.
//!
//! Invariant: a group is made with its tags in one call; its retention is a call of its own, and until that is done the
//! creation is not.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::types::{LogGroup, LogGroupClass};
use futures_util::future::join_all;

use crate::provider::aws::clients::Clients;
use crate::provider::aws::failure::Failure;
use crate::provider::aws::shared::{Calls, Found, Work, exists_already, read_made, read_one, refuse_sealed, tags_for};
use crate::provider::aws::tags;
use crate::value::{Data, Object, Type, Value};
use crate::world::Query;

/// The calls.
pub(in crate::provider::aws) struct LogGroups;

#[async_trait]
impl Calls for LogGroups {
    async fn read(&self, clients: &Clients, queries: &[&Query]) -> Vec<Result<Option<Found>, Failure>> {
        join_all(queries.iter().map(|query| async move {
            match text(&query.object, "name") {
                Some(name) => read_group(clients, name).await,
                None => Ok(None),
            }
        }))
        .await
    }

    async fn create(&self, work: &Work<'_>, after: &Object) -> Result<Object, Failure> {
        refuse_sealed(work, after)?;
        let name = text(after, "name").unwrap_or_default();
        let class = text(after, "log_group_class").map(LogGroupClass::from);
        let call = work
            .clients
            .logs
            .create_log_group()
            .log_group_name(name)
            .set_log_group_class(class)
            .set_kms_key_id(text(after, "kms_key_id").map(str::to_owned))
            .set_tags(Some(tags_for(work.effect, after).into_iter().collect()))
            .send();
        if let Err(failure) = work.clients.call("logs:CreateLogGroup", name, call).await {
            let ours = failure.is(&["ResourceAlreadyExistsException"])
                && read_one(self, work, after)
                    .await?
                    .is_some_and(|found| found.token == Some(work.effect.token.clone()));
            if failure.is(&["ResourceAlreadyExistsException"]) && !ours {
                return Err(exists_already(work, "logs:CreateLogGroup", name, "ResourceAlreadyExistsException"));
            }
            if !ours {
                return Err(failure);
            }
        }
        if days(after) > 0 {
            put_retention(work, name, days(after)).await.map_err(Failure::after_an_effect)?;
        }
        read_made(self, work, after).await
    }

    async fn update(&self, work: &Work<'_>, before: &Object, after: &Object) -> Result<Object, Failure> {
        refuse_sealed(work, after)?;
        let name = text(after, "name").unwrap_or_default();
        let logs = &work.clients.logs;
        if days(before) != days(after) {
            put_retention(work, name, days(after)).await?;
        }
        let (old_key, key) = (text(before, "kms_key_id"), text(after, "kms_key_id"));
        if old_key != key {
            let done = match key {
                Some(key) => {
                    let call = logs.associate_kms_key().log_group_name(name).kms_key_id(key).send();
                    work.clients.call("logs:AssociateKmsKey", name, call).await.map(|_| ())
                }
                None => {
                    let call = logs.disassociate_kms_key().log_group_name(name).send();
                    work.clients.call("logs:DisassociateKmsKey", name, call).await.map(|_| ())
                }
            };
            done.map_err(Failure::after_an_effect)?;
        }
        change_tags(work, name, before, after).await.map_err(Failure::after_an_effect)?;
        read_made(self, work, after).await
    }

    async fn delete(&self, work: &Work<'_>, before: &Object) -> Result<(), Failure> {
        let name = text(before, "name").unwrap_or_default();
        let call = work.clients.logs.delete_log_group().log_group_name(name).send();
        match work.clients.call("logs:DeleteLogGroup", name, call).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is(&["ResourceNotFoundException"]) => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// 0 is for ever.
fn days(object: &Object) -> i32 {
    let days = object.get("retention_in_days").and_then(Value::as_i64).unwrap_or_default();
    i32::try_from(days).unwrap_or_default()
}

async fn put_retention(work: &Work<'_>, name: &str, days: i32) -> Result<(), Failure> {
    let logs = &work.clients.logs;
    if days == 0 {
        let call = logs.delete_retention_policy().log_group_name(name).send();
        return work.clients.call("logs:DeleteRetentionPolicy", name, call).await.map(|_| ());
    }
    let call = logs.put_retention_policy().log_group_name(name).retention_in_days(days).send();
    work.clients.call("logs:PutRetentionPolicy", name, call).await.map(|_| ())
}

async fn change_tags(work: &Work<'_>, name: &str, before: &Object, after: &Object) -> Result<(), Failure> {
    let (set, removed) = tags::change(&tags::of(before), &tags::of(after));
    if set.is_empty() && removed.is_empty() {
        return Ok(());
    }
    let Some(group) = find(work.clients, name).await? else { return Ok(()) };
    let arn = bare_arn(&group);
    if !set.is_empty() {
        let set: HashMap<String, String> = set.into_iter().collect();
        let call = work.clients.logs.tag_resource().resource_arn(&arn).set_tags(Some(set)).send();
        work.clients.call("logs:TagResource", name, call).await?;
    }
    if !removed.is_empty() {
        let call = work.clients.logs.untag_resource().resource_arn(&arn).set_tag_keys(Some(removed)).send();
        work.clients.call("logs:UntagResource", name, call).await?;
    }
    Ok(())
}

/// The group with exactly this name: it sorts before every other one that starts with it.
async fn find(clients: &Clients, name: &str) -> Result<Option<LogGroup>, Failure> {
    let call = clients.logs.describe_log_groups().log_group_name_prefix(name).limit(1).send();
    let answer = clients.call("logs:DescribeLogGroups", name, call).await?;
    Ok(answer.log_groups.unwrap_or_default().into_iter().find(|group| group.log_group_name() == Some(name)))
}

/// The ARN without the `:*` that stands for its streams.
fn bare_arn(group: &LogGroup) -> String {
    let arn = group.log_group_arn().or(group.arn()).unwrap_or_default();
    arn.strip_suffix(":*").unwrap_or(arn).to_owned()
}

async fn read_group(clients: &Clients, name: &str) -> Result<Option<Found>, Failure> {
    let Some(group) = find(clients, name).await? else { return Ok(None) };
    let arn = bare_arn(&group);
    let call = clients.logs.list_tags_for_resource().resource_arn(&arn).send();
    let all = match clients.call("logs:ListTagsForResource", name, call).await {
        Ok(answer) => answer.tags.unwrap_or_default().into_iter().collect(),
        // It went between the two calls.
        Err(failure) if failure.is(&["ResourceNotFoundException"]) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let (tags, token) = tags::split(&all);
    let class = group.log_group_class().map_or("STANDARD", LogGroupClass::as_str);
    let object = Object::from([
        ("name".to_owned(), name.into()),
        ("retention_in_days".to_owned(), i64::from(group.retention_in_days().unwrap_or_default()).into()),
        ("kms_key_id".to_owned(), group.kms_key_id().map_or_else(|| Data::Null(Type::String).into(), Value::from)),
        ("log_group_class".to_owned(), class.into()),
        ("tags".to_owned(), tags),
        ("arn".to_owned(), arn.into()),
        ("id".to_owned(), name.into()),
    ]);
    Ok(Some(Found { object, token }))
}
