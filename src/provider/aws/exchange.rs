//! ECS by its own JSON: the body of a request is ours, the body of the answer is kept; all between is the SDK's
//! (endpoint, signature, retries, errors).
//!
//! Invariant: no member that ECS knows and the SDK's types do not is lost on the way, in either direction.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::Value as Json;

use super::clients::Clients;
use super::failure::Failure;

/// What ECS answered.
#[derive(Default)]
pub(super) struct Answer {
    /// The body.
    pub body: Json,
}

/// One request and its answer.
#[derive(Clone)]
pub(super) struct Exchange {
    request: Arc<str>,
    answer: Arc<Mutex<Option<Answer>>>,
}

/// Bodies may hold secrets, so none is printed.
impl std::fmt::Debug for Exchange {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Exchange(withheld)")
    }
}

impl Intercept for Exchange {
    fn name(&self) -> &'static str {
        "Exchange"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        request.headers_mut().insert("content-length", self.request.len().to_string());
        *request.body_mut() = SdkBody::from(&*self.request);
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let body = response.body().bytes().and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
        let answer = Answer { body };
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        Ok(())
    }
}

/// Sends a body of ours with one operation of the SDK.
pub(super) async fn exchange<T, E, F>(
    clients: &Clients,
    operation: &'static str,
    subject: &str,
    body: &Json,
    send: impl FnOnce(Exchange) -> F,
) -> Result<Answer, Failure>
where
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let exchange = Exchange { request: body.to_string().into(), answer: Arc::default() };
    clients.call(operation, subject, send(exchange.clone())).await?;
    Ok(exchange.answer.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default())
}
