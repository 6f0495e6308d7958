//! The provider `aws`: finds the calls of a kind, keeps one set of clients per connection, words answers as the record
//! has them.
//!
//! Invariant: no secret of an effect leaves in an error, and no effect is begun while a secret of it is withheld;
//! nothing is asked or done in an account that is not allowed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::sync::Mutex;

use super::clients::Clients;
use super::failure::{Failure, withhold};
use super::shared::{Calls, Silence, Work, contains_sealed};
use super::{
    cloudwatch_log_group, digests, ecs_cluster, ecs_service, ecs_task_definition, registry,
    secretsmanager_given_secret, secretsmanager_secret, settings, ssm_given_parameter, ssm_parameter, watch,
};
use crate::kind::Kind;
use crate::value::{Object, Value};
use crate::world::{
    Connection, Effect, EffectChange, EffectError, ErrorClass, Fence, Progress, Provider, Query, Settlement, Trace,
    WorldError,
};

/// The provider.
pub struct Aws {
    kinds: BTreeMap<&'static str, (Kind, &'static dyn Calls)>,
    opened: Mutex<Vec<(Connection, Arc<Clients>)>>,
}

impl Default for Aws {
    fn default() -> Self {
        let table: [(Kind, &'static dyn Calls); 8] = [
            (cloudwatch_log_group::kind(), &cloudwatch_log_group::calls::LogGroups),
            (ecs_cluster::kind(), &ecs_cluster::calls::Clusters),
            (ecs_service::kind(), &ecs_service::calls::Services),
            (ecs_task_definition::kind(), &ecs_task_definition::calls::TaskDefinitions),
            (secretsmanager_secret::kind(), &secretsmanager_secret::calls::Secrets),
            (ssm_parameter::kind(), &ssm_parameter::calls::Parameters),
            (secretsmanager_given_secret::kind(), &secretsmanager_given_secret::calls::GivenSecrets),
            (ssm_given_parameter::kind(), &ssm_given_parameter::calls::GivenParameters),
        ];
        let kinds = table.into_iter().map(|(kind, calls)| (kind.name, (kind, calls))).collect();
        Self { kinds, opened: Mutex::default() }
    }
}

impl Aws {
    /// The clients of a connection, whose account was checked.
    pub(super) async fn clients(&self, connection: &Connection) -> Result<Arc<Clients>, WorldError> {
        let mut opened = self.opened.lock().await;
        if let Some((_, clients)) = opened.iter().find(|(known, _)| known == connection) {
            return Ok(clients.clone());
        }
        let clients = Arc::new(Clients::open(connection).await?);
        // Everything that is read or done comes through here, so nothing happens in an account that is not the right one.
        let named = |names: Vec<String>| !names.is_empty();
        if named(settings::right_accounts(&connection.settings))
            || named(settings::allowed_identities(&connection.settings))
        {
            clients.check(connection).await?;
        }
        opened.push((connection.clone(), clients.clone()));
        Ok(clients)
    }

    fn calls(&self, kind: &str) -> Result<(&Kind, &'static dyn Calls), WorldError> {
        let found = self.kinds.get(kind).map(|(kind, calls)| (kind, *calls));
        found.ok_or_else(|| WorldError {
            tried: format!("aws: finding the kind {kind}"),
            cause: "this build does not know it".to_owned(),
            help: Some("use the version of Switchback that wrote the record".to_owned()),
            class: ErrorClass::Refused,
        })
    }

    async fn observe_kind(&self, clients: &Clients, name: &str, queries: &[&Query]) -> Vec<Answer> {
        let (kind, calls) = match self.calls(name) {
            Ok(found) => found,
            Err(error) => return queries.iter().map(|_| Err(error.clone())).collect(),
        };
        let answers = calls.read(clients, queries).await;
        let worded = answers.into_iter().zip(queries).map(|(answer, query)| match answer {
            Ok(found) => Ok(found.map(|found| worded(kind, &query.object, found.object))),
            Err(failure) => Err(withhold(failure.into(), &query.object)),
        });
        worded.collect()
    }
}

type Answer = Result<Option<Object>, WorldError>;

#[async_trait]
impl Provider for Aws {
    fn flight(&self, fence: &Fence) -> Duration {
        watch::limit(fence)
    }

    async fn check(&self, connection: &Connection) -> Result<Object, WorldError> {
        self.clients(connection).await?.check(connection).await
    }

    async fn observe(&self, connection: &Connection, queries: &[Query]) -> Vec<Answer> {
        let clients = match self.clients(connection).await {
            Ok(clients) => clients,
            Err(error) => return queries.iter().map(|_| Err(error.clone())).collect(),
        };
        let mut by_kind: BTreeMap<&str, (Vec<usize>, Vec<&Query>)> = BTreeMap::new();
        for (index, query) in queries.iter().enumerate() {
            let (places, of_kind) = by_kind.entry(&query.kind).or_default();
            places.push(index);
            of_kind.push(query);
        }
        let asked = by_kind.iter().map(|(kind, (_, of_kind))| self.observe_kind(&clients, kind, of_kind));
        let answered = join_all(asked).await;
        let mut answers: Vec<Answer> = queries.iter().map(|_| Ok(None)).collect();
        for ((places, _), of_kind) in by_kind.values().zip(answered) {
            for (place, answer) in places.iter().zip(of_kind) {
                answers[*place] = answer;
            }
        }
        answers
    }

    async fn recallable(&self, connection: &Connection, queries: &[Query]) -> Vec<Result<Option<String>, WorldError>> {
        let clients = match self.clients(connection).await {
            Ok(clients) => clients,
            Err(error) => return queries.iter().map(|_| Err(error.clone())).collect(),
        };
        let clients = &*clients;
        let asked = queries.iter().map(|query| async move {
            let (_, calls) = self.calls(&query.kind)?;
            Ok(calls.recallable(clients, &query.object).await?)
        });
        join_all(asked).await
    }

    async fn digests(&self, connection: &Connection, images: &[String]) -> Vec<Result<Option<String>, WorldError>> {
        // Nobody is asked for what cannot lie there.
        if images.iter().all(|image| registry::place(image).is_none()) {
            return images.iter().map(|_| Ok(None)).collect();
        }
        match self.clients(connection).await {
            Ok(clients) => digests::ask(&clients, images).await,
            Err(error) => images.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn carry_out(
        &self,
        connection: &Connection,
        effect: &Effect,
        progress: &dyn Progress,
    ) -> Result<Object, EffectError> {
        let unsent = |error| EffectError { error, trace: Trace::Nothing };
        let clients = self.clients(connection).await.map_err(unsent)?;
        let (kind, calls) = self.calls(&effect.kind).map_err(unsent)?;
        let work = Work { clients: &clients, kind, effect, progress };
        let (outcome, sent) = watch::over(&effect.fence, progress, change(calls, &work)).await;
        outcome.map_err(|failure| {
            let EffectError { error, trace } = failure.into();
            let trace = if error.class == ErrorClass::Fenced { sent } else { trace };
            EffectError { error: withhold(error, object_of(effect)), trace }
        })
    }

    async fn settle(&self, connection: &Connection, effect: &Effect) -> Result<Settlement, WorldError> {
        let clients = self.clients(connection).await?;
        let (kind, calls) = self.calls(&effect.kind)?;
        let work = Work { clients: &clients, kind, effect, progress: &Silence };
        let settlement = match &effect.change {
            EffectChange::Create { after } => calls.settle_create(&work, after).await,
            EffectChange::Update { before, after } => calls.settle_update(&work, before, after).await,
            EffectChange::Delete { before } if calls.keeps(before) => Ok(Settlement::Done(Object::new())),
            EffectChange::Delete { before } => calls.settle_delete(&work, before).await,
        };
        let known = object_of(effect);
        match settlement.map_err(|failure| withhold(failure.into(), known))? {
            Settlement::Done(found) if found.is_empty() => Ok(Settlement::Done(found)),
            Settlement::Done(found) => Ok(Settlement::Done(worded(kind, known, found))),
            Settlement::Stands(found, why) => Ok(Settlement::Stands(worded(kind, known, found), why)),
            Settlement::GoesOn(found, why) if found.is_empty() => Ok(Settlement::GoesOn(found, why)),
            Settlement::GoesOn(found, why) => Ok(Settlement::GoesOn(worded(kind, known, found), why)),
            other @ (Settlement::NotDone | Settlement::Doubt(_)) => Ok(other),
        }
    }
}

async fn change(calls: &dyn Calls, work: &Work<'_>) -> Result<Object, Failure> {
    let kind = work.kind;
    match &work.effect.change {
        EffectChange::Create { after } => calls.create(work, after).await.map(|made| worded(kind, after, made)),
        EffectChange::Update { before, after } => {
            calls.update(work, before, after).await.map(|made| worded(kind, after, made))
        }
        EffectChange::Delete { before } if calls.keeps(before) => Ok(Object::new()),
        EffectChange::Delete { before } => calls.delete(work, before).await.map(|()| Object::new()),
    }
}

fn object_of(effect: &Effect) -> &Object {
    match &effect.change {
        EffectChange::Create { after } | EffectChange::Update { after, .. } => after,
        EffectChange::Delete { before } => before,
    }
}

/// What was found, in the words of what is known where both mean the same; with what the world does not give back,
/// and with every secret marked.
fn worded(kind: &Kind, known: &Object, mut found: Object) -> Object {
    for attribute in &kind.attributes {
        let Some(given) = known.get(attribute.name).filter(|value| !value.is_null() && value.is_known()) else {
            continue;
        };
        if attribute.write_only {
            found.insert(attribute.name.to_owned(), given.clone());
            continue;
        }
        let Some(seen) = found.get(attribute.name) else { continue };
        let form = |value: &Value| kind.rules.normalise(attribute.name, &value.reveal());
        let value = match form(given) == form(seen) && !contains_sealed(given) {
            true => given.clone(),
            false if given.is_sensitive() && !seen.is_null() => seen.clone().sensitive(),
            false => continue,
        };
        found.insert(attribute.name.to_owned(), value);
    }
    kind.mark_secrets(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_worded_as_the_record_is_and_secrets_are_marked() {
        let kind = ssm_parameter::kind();
        let known = Object::from([
            ("value".to_owned(), Value::from("a").sensitive()),
            ("tags".to_owned(), Value::map(crate::value::Type::String, [("a", Value::from("b"))])),
        ]);
        let found = Object::from([("type".to_owned(), "String".into()), ("value".to_owned(), "b".into())]);
        let shown = worded(&kind, &known, found);
        assert!(shown["value"].is_sensitive());
        assert_eq!(shown["tags"], known["tags"]);
        let secure = Object::from([("type".to_owned(), "SecureString".into()), ("value".to_owned(), "b".into())]);
        assert!(worded(&kind, &Object::new(), secure)["value"].is_sensitive());
    }
}
