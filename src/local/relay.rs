//! The strict relay in front of the AWS emulator: it refuses what AWS refuses, plays rollouts instead of instant
//! success, and logs and counts every call. An edge, and a process of its own.
//!
//! Invariant: bodies and values of calls are passed on, never kept: the log holds operations and names only.

mod book;
mod call;
mod clusters;
mod control;
mod delays;
mod faults;
mod images;
mod journal;
mod limits;
mod names;
mod parameters;
mod object_calls;
mod refusal;
mod rollout;
mod secrets;
mod services;
mod task_definitions;
mod tasks;
mod upstream;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};

use self::book::Book;
use self::call::Call;
use self::delays::Delays;
use self::faults::{Answer, Fault, Faults};
use self::journal::Journal;
use self::refusal::Refusal;
use self::upstream::Upstream;
use super::{LocalError, disk, wire};
use crate::world::Clock;

/// The largest body that is taken or passed back.
const MOST_BYTES: usize = 64 << 20;
/// The most connections at once; more wait.
const MOST_CONNECTIONS: usize = 256;

/// How the relay is to run.
#[derive(Clone)]
pub struct Options {
    /// Where to listen; loopback only.
    pub listen: SocketAddr,
    /// Where the emulator listens; loopback only.
    pub upstream: SocketAddr,
    /// The folder of the relay's state and log.
    pub state: PathBuf,
    /// How long a rollout takes.
    pub rollout_seconds: f64,
    /// The time, for the log and the rollouts.
    pub clock: Arc<dyn Clock>,
}

/// What every connection shares.
struct Relay {
    upstream: Upstream,
    journal: Journal,
    book: Book,
    delays: Delays,
    faults: Faults,
    clock: Arc<dyn Clock>,
    /// Held from a check to the change that it allowed, so that no other change comes in between.
    gate: Mutex<()>,
}

/// Listens and relays until the process is asked to end (SIGTERM or SIGINT).
///
/// # Errors
/// When an address is not loopback, the port is taken, or the state folder cannot be used.
pub fn run(options: &Options) -> Result<(), LocalError> {
    // A thread of its own: the caller may already be inside a runtime.
    std::thread::scope(|scope| scope.spawn(|| run_here(options)).join())
        .unwrap_or_else(|_| Err(trouble("go on", "it panicked")))
}

/// The version of the relay that answers at a port.
pub(super) fn version(port: u16) -> Option<String> {
    let (status, body) = wire::http(port, "GET", control::HEALTH, &[], "").ok()?;
    let health: serde_json::Value = serde_json::from_str(&body).ok()?;
    (status == 200).then(|| health.get("version")?.as_str().map(str::to_owned)).flatten()
}

fn trouble(action: &str, cause: &(impl std::fmt::Display + ?Sized)) -> LocalError {
    LocalError::Relay { action: action.to_owned(), cause: cause.to_string() }
}

fn run_here(options: &Options) -> Result<(), LocalError> {
    for address in [options.listen, options.upstream] {
        if !address.ip().is_loopback() {
            return Err(trouble(&format!("use {address}"), "it is for loopback addresses only"));
        }
    }
    disk::make_folder(&options.state)?;
    let relay = Arc::new(Relay {
        upstream: Upstream::new(options.upstream),
        journal: Journal::open(&options.state.join("calls.jsonl"))?,
        book: Book::open(&options.state.join("relay.json"), options.rollout_seconds)?,
        delays: Delays::default(),
        faults: Faults::default(),
        clock: options.clock.clone(),
        gate: Mutex::new(()),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| trouble("start", &error))?;
    runtime.block_on(async {
        let listener = TcpListener::bind(options.listen)
            .await
            .map_err(|error| trouble(&format!("listen on {}", options.listen), &error))?;
        tracing::info!("the relay listens on {}", options.listen);
        tokio::select! {
            () = accept(listener, relay) => Ok(()),
            ended = wait_for_end() => ended.map_err(|error| trouble("listen to signals", &error)),
        }
    })
}

async fn wait_for_end() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn accept(listener: TcpListener, relay: Arc<Relay>) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let place = room.clone().acquire_owned().await.expect("the semaphore is never closed");
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: give others time to end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let relay = relay.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                let relay = relay.clone();
                async move { relay.handle(request).await }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(300))
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!("a connection ended early: {error}");
            }
            drop(place);
        });
    }
}

/// The connection is to break, by order.
#[derive(Debug, thiserror::Error)]
#[error("ordered by a test")]
struct Dropped;

impl Relay {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
        let (parts, body) = request.into_parts();
        let body = match Limited::new(body, MOST_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return Ok(Refusal::too_large(MOST_BYTES).response()),
        };
        if parts.uri.path().starts_with(control::PREFIX) {
            return Ok(control::answer(&self, &parts, &body));
        }
        let call = match Call::parse(&parts, &body) {
            Ok(call) => call,
            Err(refusal) => {
                self.note(None, &Err(refusal.clone()), Duration::ZERO);
                return Ok(refusal.response());
            }
        };
        let delay = self.delays.of(&call);
        if let Some(delay) = &delay {
            self.delays.before(delay).await;
        }
        let fault = self.faults.of(&call);
        let service = call.service.clone();
        let answered = match fault.as_ref().and_then(|fault| self.refused_by(fault, &call)) {
            Some(refused) => refused,
            None => self.clone().carry_out(call, Request::from_parts(parts, body), fault.as_ref()).await,
        };
        let response = match fault {
            Some(fault) => Self::after(&fault, &service, answered).await,
            None => Ok(answered),
        };
        if let Some(delay) = &delay {
            self.delays.after(delay).await;
        }
        response
    }

    /// The answer to a call that by order is not carried out.
    fn refused_by(&self, fault: &Fault, call: &Call) -> Option<Response<Full<Bytes>>> {
        let status = match fault.answer() {
            Answer::Error(status) => status,
            Answer::Drop => 503,
            Answer::SuccessThenError(_) | Answer::SuccessThenDrop | Answer::Slow | Answer::Unconditional => {
                return None;
            }
        };
        let refusal = fault.refusal(&call.service, status);
        self.note(Some(call.clone()), &Err(refusal.clone()), Duration::ZERO);
        Some(refusal.response_of(&call.service))
    }

    /// What the client gets in the place of an answer.
    async fn after(
        fault: &Fault,
        service: &str,
        answered: Response<Full<Bytes>>,
    ) -> Result<Response<Full<Bytes>>, Dropped> {
        match fault.answer() {
            Answer::Drop | Answer::SuccessThenDrop => Err(Dropped),
            Answer::SuccessThenError(status) if answered.status().is_success() => {
                Ok(fault.refusal(service, status).response_of(service))
            }
            Answer::Slow => {
                tokio::time::sleep(fault.pause()).await;
                Ok(answered)
            }
            Answer::Error(_) | Answer::SuccessThenError(_) | Answer::Unconditional => Ok(answered),
        }
    }

    async fn carry_out(
        self: Arc<Self>,
        call: Call,
        mut request: Request<Bytes>,
        fault: Option<&Fault>,
    ) -> Response<Full<Bytes>> {
        if fault.is_some_and(|fault| fault.answer() == Answer::Unconditional) {
            request.headers_mut().remove(hyper::header::IF_NONE_MATCH);
            request.headers_mut().remove(hyper::header::IF_MATCH);
        }
        // From here on it is finished even if the client goes away: half a change would be remembered.
        let answering = tokio::spawn(async move {
            let (started, service) = (tokio::time::Instant::now(), call.service.clone());
            let answered = self.answer(&call, request).await;
            self.note(Some(call), &answered, started.elapsed());
            answered.unwrap_or_else(|refusal| refusal.response_of(&service))
        });
        answering.await.unwrap_or_else(|error| Refusal::unreachable(&error).response())
    }

    /// Writes a call into the log.
    fn note(&self, call: Option<Call>, answered: &Result<Response<Full<Bytes>>, Refusal>, took: Duration) {
        let (status, refused) = match answered {
            Ok(response) => (response.status(), None),
            Err(refusal) => (refusal.status, Some(refusal.code.clone())),
        };
        let unknown = || ("unknown".to_owned(), "unknown".to_owned(), std::collections::BTreeMap::new());
        let (service, operation, names) = call.map_or_else(unknown, |call| (call.service, call.operation, call.names));
        self.journal.add(journal::Entry {
            time: self.clock.now(),
            service,
            operation,
            names,
            status: status.as_u16(),
            refused,
            milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        });
    }

    async fn answer(&self, call: &Call, request: Request<Bytes>) -> Result<Response<Full<Bytes>>, Refusal> {
        limits::check(call)?;
        if call.service == "secretsmanager" {
            secrets::check(call)?;
            match call.operation.as_str() {
                "CreateSecret" => return secrets::create(self, call).await,
                "PutSecretValue" => return secrets::put(self, call).await,
                _ => {}
            }
        }
        if call.service == "ssm" && call.operation == "PutParameter" {
            return parameters::put(self, call, request).await;
        }
        if call.service == "ecr" {
            return images::answer(self, call, request).await;
        }
        if call.service != "ecs" {
            return self.upstream.forward(request).await;
        }
        match call.operation.as_str() {
            "CreateService" => services::create(self, call).await,
            "UpdateService" => services::update(self, call).await,
            "DeleteService" => services::delete(self, call).await,
            "DescribeServices" => services::describe(self, call).await,
            "CreateCluster" => clusters::create(self, call).await,
            "DeleteCluster" => {
                let _gate = self.gate.lock().await;
                tasks::end_those_due(self, call).await?;
                clusters::delete(self, call).await
            }
            "DescribeClusters" => clusters::describe(self, call).await,
            "RunTask" | "StartTask" => tasks::run(self, call).await,
            "DescribeTasks" | "ListTasks" => tasks::look(self, call).await,
            "RegisterTaskDefinition" | "DeregisterTaskDefinition" => task_definitions::change(self, call).await,
            "DescribeTaskDefinition" => task_definitions::describe(self, call).await,
            _ => self.upstream.forward(request).await,
        }
    }

    /// Now, in milliseconds.
    fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}
