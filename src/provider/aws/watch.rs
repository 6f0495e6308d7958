//! What watches over the calls of one effect: the lease before each attempt, how long one may take, and what was sent.
//!
//! Invariant: no attempt of a call that changes something is handed to the network unless the lease outlives it, be it
//! the first or one that the SDK makes by itself.

use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

use crate::world::{Fence, Progress, Trace, WorldError};

/// How long an attempt may take that changes something; less where the lease is short.
const CHANGE: Duration = Duration::from_secs(30);
/// How long an attempt may take that only reads.
const READ: Duration = Duration::from_secs(15);
/// The attempts of one call that changes something may together take this many times as long as one.
const ATTEMPTS: u32 = 3;
/// After this time without an answer it is said that one is waited for.
const SILENCE: Duration = Duration::from_secs(5);

tokio::task_local! {
    static WATCH: Arc<Watch>;
    static CALL: Call;
}

/// Why an attempt was given up by us.
#[derive(Debug, thiserror::Error)]
pub(super) enum Halt {
    /// The lease is over, or would be before the request must have arrived.
    #[error("{0}")]
    Fenced(WorldError),
    /// There was no answer in time.
    #[error("no answer within {:.1} s", .0.as_secs_f64())]
    Silent(Duration),
}

impl Halt {
    /// Finds one among the causes of an error.
    pub(super) fn within<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(halt) = error.downcast_ref() {
                return Some(halt);
            }
            next = error.source();
        }
        None
    }
}

/// Watches over one effect.
pub(super) struct Watch {
    fence: Fence,
    sent: AtomicBool,
    told: UnboundedSender<Told>,
}

enum Told {
    Sent(Arc<str>),
    Line(String),
}

/// One call, with all its attempts.
#[derive(Clone)]
struct Call {
    operation: Arc<str>,
    tried: Arc<str>,
    /// Who watches, if it changes something on behalf of an effect.
    watch: Option<Arc<Watch>>,
}

impl Watch {
    fn new(fence: &Fence) -> (Arc<Self>, UnboundedReceiver<Told>) {
        let (told, hears) = unbounded_channel();
        (Arc::new(Self { fence: fence.clone(), sent: AtomicBool::new(false), told }), hears)
    }

    fn limit(&self) -> Duration {
        limit(&self.fence)
    }
}

/// How long an attempt may take that changes something: three of them fit into the lease.
pub(super) fn limit(fence: &Fence) -> Duration {
    fence.length().map_or(CHANGE, |length| CHANGE.min(length / 3))
}

/// Does the work of an effect under its watch. `progress` hears what is sent and what is waited for. Gives with the
/// outcome whether anything was sent that may have left a trace.
pub(super) async fn over<T>(fence: &Fence, progress: &dyn Progress, work: impl Future<Output = T>) -> (T, Trace) {
    let (watch, mut hears) = Watch::new(fence);
    let tell = |told| match told {
        Told::Sent(operation) => progress.called(&operation),
        Told::Line(line) => progress.say(&line),
    };
    let mut work = pin!(WATCH.scope(Arc::clone(&watch), work));
    let outcome = loop {
        tokio::select! {
            biased;
            Some(told) = hears.recv() => tell(told),
            outcome = &mut work => break outcome,
        }
    };
    while let Ok(told) = hears.try_recv() {
        tell(told);
    }
    let trace = if watch.sent.load(Ordering::SeqCst) { Trace::Unknown } else { Trace::Nothing };
    (outcome, trace)
}

/// Awaits a call within its limits; nothing when its time is over. `tried` says what is tried, for people.
pub(super) async fn within_limits<T>(
    operation: &str,
    tried: &str,
    call: impl Future<Output = T>,
) -> Result<T, Duration> {
    let watch = WATCH.try_with(Arc::clone).ok();
    let told = watch.clone();
    let watch = watch.filter(|_| changes(operation));
    let limit = watch.as_ref().map(|watch| watch.limit() * ATTEMPTS);
    let mut call = pin!(CALL.scope(Call { operation: operation.into(), tried: tried.into(), watch }, call));
    tokio::select! {
        answer = &mut call => return Ok(answer),
        () = sleep(limit.map_or(SILENCE, |limit| SILENCE.min(limit))) => {}
    }
    if limit.is_none_or(|limit| limit > SILENCE) {
        let line = format!("{tried}: no answer for {} s yet", SILENCE.as_secs());
        match &told {
            // Who hears may be gone already; then nobody needs to know.
            Some(watch) => drop(watch.told.send(Told::Line(line))),
            None => tracing::warn!("{line}"),
        }
    }
    match limit {
        None => Ok(call.await),
        Some(limit) => timeout(limit.saturating_sub(SILENCE), call).await.map_err(|_| limit),
    }
}

/// Whether an operation changes something, by its name.
fn changes(operation: &str) -> bool {
    let name = operation.rsplit(':').next().unwrap_or(operation);
    !["Describe", "Get", "List"].iter().any(|reading| name.starts_with(reading))
}

/// A client of which each attempt goes through the watch of the effect that it is made for.
pub(super) fn guarded(client: SharedHttpClient) -> SharedHttpClient {
    http_client_fn(move |settings, components| {
        SharedHttpConnector::new(Guarded(client.http_connector(settings, components)))
    })
}

#[derive(Debug)]
struct Guarded(SharedHttpConnector);

impl HttpConnector for Guarded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // What the credential chain asks for is no call of ours.
        let Ok(call) = CALL.try_with(Clone::clone) else { return self.0.call(request) };
        let limit = match call.begin() {
            Ok(limit) => limit,
            Err(error) => return HttpConnectorFuture::ready(Err(given_up(Halt::Fenced(error)))),
        };
        let attempt = self.0.call(request);
        HttpConnectorFuture::new(async move {
            match timeout(limit, call.while_held(attempt)).await {
                Ok(answer) => answer,
                Err(_) => Err(given_up(Halt::Silent(limit))),
            }
        })
    }
}

/// Of a kind that the SDK does not try again: whoever lost the lease must not, and what hangs would hang again.
fn given_up(halt: Halt) -> ConnectorError {
    ConnectorError::other(halt.into(), None)
}

impl Call {
    /// Asked right before an attempt is sent; gives how long it may take.
    fn begin(&self) -> Result<Duration, WorldError> {
        let Some(watch) = &self.watch else { return Ok(READ) };
        let limit = watch.limit();
        watch.fence.check(&self.tried, limit)?;
        watch.sent.store(true, Ordering::SeqCst);
        // Who hears may be gone already; then nobody needs to know.
        drop(watch.told.send(Told::Sent(Arc::clone(&self.operation))));
        Ok(limit)
    }

    /// The attempt, given up as soon as the lease is over: a process that was stopped while it connected must not send
    /// when it goes on.
    async fn while_held(&self, attempt: HttpConnectorFuture) -> Result<HttpResponse, ConnectorError> {
        let mut attempt = pin!(attempt);
        poll_fn(|context| {
            if let Some(watch) = &self.watch
                && let Err(error) = watch.fence.check(&self.tried, Duration::ZERO)
            {
                return std::task::Poll::Ready(Err(given_up(Halt::Fenced(error))));
            }
            Pin::as_mut(&mut attempt).poll(context)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_reads_is_told_by_its_name() {
        for (operation, change) in [
            ("ecs:CreateService", true),
            ("ssm:PutParameter", true),
            ("logs:DeleteRetentionPolicy", true),
            ("ecs:DescribeServices", false),
            ("ssm:GetParameter", false),
            ("ecs:ListTaskDefinitions", false),
        ] {
            assert_eq!(changes(operation), change, "{operation}");
        }
    }

    #[test]
    fn a_halt_is_found_below_what_wraps_it() {
        let wrapped = given_up(Halt::Silent(Duration::from_secs(2)));
        assert!(matches!(Halt::within(&wrapped), Some(Halt::Silent(limit)) if limit.as_secs() == 2));
        assert!(Halt::within(&std::fmt::Error).is_none());
    }
}
