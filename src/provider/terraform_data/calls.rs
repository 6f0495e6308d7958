//! Carries out `terraform_data`: nothing outside the ledger is touched. Pure, although its trait is asynchronous.
//!
//! Invariant: the same effect gives the same object every time, its `id` included.

use async_trait::async_trait;
use uuid::Uuid;

use crate::value::{Object, Value};
use crate::world::{Connection, Effect, EffectChange, EffectError, Progress, Provider, Query, Settlement, WorldError};

/// The provider `terraform`.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuiltIn;

#[async_trait]
impl Provider for BuiltIn {
    async fn check(&self, _connection: &Connection) -> Result<Object, WorldError> {
        Ok(Object::new())
    }

    async fn observe(&self, _connection: &Connection, queries: &[Query]) -> Vec<Result<Option<Object>, WorldError>> {
        // Only a thing that was recorded has an `id`; what is merely wanted is not there yet.
        queries.iter().map(|query| Ok(known_id(&query.object).map(|_| query.object.clone()))).collect()
    }

    async fn carry_out(
        &self,
        _connection: &Connection,
        effect: &Effect,
        _progress: &dyn Progress,
    ) -> Result<Object, EffectError> {
        Ok(match &effect.change {
            EffectChange::Create { after } => {
                let id = known_id(after).cloned().unwrap_or_else(|| new_id(effect));
                applied(after, id)
            }
            EffectChange::Update { before, after } => {
                let id = known_id(before).cloned().unwrap_or_else(|| new_id(effect));
                applied(after, id)
            }
            EffectChange::Delete { .. } => Object::new(),
        })
    }

    async fn settle(&self, _connection: &Connection, _effect: &Effect) -> Result<Settlement, WorldError> {
        Ok(Settlement::NotDone)
    }
}

fn known_id(object: &Object) -> Option<&Value> {
    object.get("id").filter(|id| id.as_str().is_some())
}

/// A name that every try of the same effect arrives at.
fn new_id(effect: &Effect) -> Value {
    let seed = format!("{}/{}/{}", effect.environment, effect.address, effect.token);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, seed.as_bytes()).to_string().into()
}

fn applied(after: &Object, id: Value) -> Object {
    let mut object = after.clone();
    object.insert("output".to_owned(), after.get("input").cloned().unwrap_or_else(Value::null));
    object.insert("id".to_owned(), id);
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;

    struct Silent;

    impl Progress for Silent {
        fn say(&self, _message: &str) {}
    }

    fn effect(token: &str, change: EffectChange) -> Effect {
        Effect {
            token: token.to_owned(),
            fence: crate::world::Fence::open(),
            environment: "dev".to_owned(),
            address: Address::root("terraform_data", "a"),
            kind: "terraform_data".to_owned(),
            change,
        }
    }

    async fn carry_out(effect: &Effect) -> Object {
        let connection = Connection { provider: "terraform".into(), alias: None, settings: Object::new() };
        BuiltIn.carry_out(&connection, effect, &Silent).await.expect("it has no world that could refuse")
    }

    #[tokio::test]
    async fn a_second_try_makes_the_same_thing_and_another_step_another() {
        let after = Object::from([("input".to_owned(), Value::from("x"))]);
        let create = EffectChange::Create { after };
        let first = carry_out(&effect("one", create.clone())).await;
        assert_eq!(first, carry_out(&effect("one", create.clone())).await);
        assert_ne!(first["id"], carry_out(&effect("two", create)).await["id"]);
        assert_eq!(first["output"], Value::from("x"));
    }

    #[tokio::test]
    async fn an_update_keeps_the_id_and_a_removal_that_is_taken_back_does_too() {
        let made = carry_out(&effect("one", EffectChange::Create { after: Object::new() })).await;
        let after = Object::from([("input".to_owned(), Value::from(2_i64))]);
        let changed = carry_out(&effect("two", EffectChange::Update { before: made.clone(), after })).await;
        assert_eq!((&changed["id"], &changed["output"]), (&made["id"], &Value::from(2_i64)));
        let back = carry_out(&effect("three", EffectChange::Create { after: changed.clone() })).await;
        assert_eq!(back, changed);
    }

    #[tokio::test]
    async fn only_what_was_recorded_is_there() {
        let connection = Connection { provider: "terraform".into(), alias: None, settings: Object::new() };
        let made = carry_out(&effect("one", EffectChange::Create { after: Object::new() })).await;
        let query = |object: Object| Query {
            address: Address::root("terraform_data", "a"),
            kind: "terraform_data".to_owned(),
            object,
        };
        let answers = BuiltIn.observe(&connection, &[query(Object::new()), query(made.clone())]).await;
        assert_eq!(answers, [Ok(None), Ok(Some(made))]);
    }
}
