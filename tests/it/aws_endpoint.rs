//! What the AWS tests have in common: connections, effects, and an endpoint that plays what no emulator plays.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value as Json;
use switchback::address::Address;
use switchback::kind::{Attribute, Kind};
use switchback::provider::table;
use switchback::value::{Object, Type, Value};
use switchback::world::{
    Connection, Effect, EffectChange, EffectError, Progress, Provider, Query, Settlement, WorldError,
};
use tokio::net::{TcpListener, TcpStream};

/// One call as it came in.
pub struct Call {
    /// `UpdateService`; for STS, whose calls are forms, the form.
    pub operation: String,
    /// The body, null for STS.
    pub body: Json,
}

/// What is answered.
pub enum Reply {
    /// A status and a body.
    Json(u16, Json),
    /// STS says that the credentials are of this account.
    Account(String),
    /// What the stack answers.
    Forward,
    /// The stack does it, but nobody hears of it.
    ForwardAndHangUp,
    /// Nothing: the connection breaks.
    HangUp,
    /// Nothing, ever.
    Silence,
}

type Script = Arc<dyn Fn(&Call) -> Reply + Send + Sync>;

/// An endpoint with a script, perhaps in front of the stack.
pub struct Endpoint {
    /// Its URL.
    pub url: String,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    /// Starts one; it ends with the runtime of the test.
    pub async fn start(script: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (script, calls): (Script, _) = (Arc::new(script), Arc::new(Mutex::new(Vec::new())));
        let seen = calls.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), seen.clone()));
            }
        });
        Self { url, calls }
    }

    /// How often each operation was called.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.calls.lock().expect("no test panics while it holds it").iter() {
            *counts.entry(call.clone()).or_default() += 1;
        }
        counts
    }
}

async fn serve(stream: TcpStream, script: Script, calls: Arc<Mutex<Vec<String>>>) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let (script, calls) = (script.clone(), calls.clone());
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
            let operation = target.map_or_else(
                || String::from_utf8_lossy(&body).into_owned(),
                |target| target.rsplit('.').next().unwrap_or_default().to_owned(),
            );
            calls.lock().expect("no test panics while it holds it").push(operation.clone());
            let call = Call { operation, body: serde_json::from_slice(&body).unwrap_or_default() };
            match script(&call) {
                Reply::Json(status, json) => Ok(json_response(status, &json)),
                Reply::Account(account) => Ok(identity_response(&account)),
                Reply::Forward => forward(head, body).await,
                Reply::ForwardAndHangUp => {
                    forward(head, body).await?;
                    Err("the answer is lost".to_owned())
                }
                Reply::HangUp => Err("the connection breaks".to_owned()),
                Reply::Silence => std::future::pending().await,
            }
        }
    });
    // An error here is one that the script asked for.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

fn json_response(status: u16, json: &Json) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amzn-requestid", "request-1")
        .body(Full::from(json.to_string()))
        .expect("a plain response")
}

fn identity_response(account: &str) -> Response<Full<Bytes>> {
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::{account}:root</Arn><UserId>{account}</UserId><Account>{account}</Account>\
         </GetCallerIdentityResult></GetCallerIdentityResponse>"
    );
    let response = Response::builder().status(200).header("content-type", "text/xml");
    response.body(Full::from(body)).expect("a plain response")
}

async fn forward(head: hyper::http::request::Parts, body: Bytes) -> Result<Response<Full<Bytes>>, String> {
    let failed = |error: &dyn std::error::Error| error.to_string();
    let place = crate::stack::shared().aws_endpoint();
    let place = place.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let stream = TcpStream::connect(&place).await.map_err(|error| failed(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    tokio::spawn(connection);
    let response = sender
        .send_request(Request::from_parts(head, Full::<Bytes>::from(body)))
        .await
        .map_err(|error| failed(&error))?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| failed(&error))?.to_bytes();
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = head.status;
    for name in ["content-type", "x-amzn-requestid", "date"] {
        if let Some(value) = head.headers.get(name) {
            answer.headers_mut().insert(hyper::http::HeaderName::from_static(name), value.clone());
        }
    }
    Ok(answer)
}

/// A provider, where it leads, and who does something there.
pub struct Bench {
    provider: Arc<dyn Provider>,
    /// Where it leads.
    pub connection: Connection,
    lines: Lines,
}

/// Remembers what was said, and what was sent.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>, Mutex<Vec<String>>);

impl Progress for Lines {
    fn say(&self, message: &str) {
        self.0.lock().expect("no test panics while it holds it").push(message.to_owned());
    }

    fn called(&self, operation: &str) {
        self.1.lock().expect("no test panics while it holds it").push(operation.to_owned());
    }
}

impl Bench {
    /// A bench at the shared stack.
    pub fn at_stack() -> Self {
        Self::at(crate::stack::shared().aws_endpoint(), &[])
    }

    /// A bench at another endpoint, with further settings.
    pub fn at(endpoint: &str, settings: &[(&str, Value)]) -> Self {
        let mut all = Object::from([
            ("region".to_owned(), "eu-west-1".into()),
            ("endpoint".to_owned(), endpoint.into()),
            ("access_key".to_owned(), "test".into()),
            ("secret_key".to_owned(), Value::from("test").sensitive()),
        ]);
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let provider = table::providers(std::path::Path::new("/")).remove("aws").expect("the feature is on");
        let connection = Connection { provider: "aws".to_owned(), alias: None, settings: all };
        Self { provider, connection, lines: Lines::default() }
    }

    /// What was said so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.0.lock().expect("no test panics while it holds it").clone()
    }

    /// What was sent so far, as the ledger has it.
    pub fn called(&self) -> Vec<String> {
        self.lines.1.lock().expect("no test panics while it holds it").clone()
    }

    /// Why earlier secrets cannot be had again.
    pub async fn recallable(&self, kind: &str, object: &Object) -> Option<String> {
        let query = Query { address: address(kind), kind: kind.to_owned(), object: object.clone() };
        let mut answers = self.provider.recallable(&self.connection, &[query]).await;
        answers.pop().expect("one answer per query").expect("it can be asked")
    }

    /// Checks the connection.
    pub async fn check(&self) -> Result<Object, WorldError> {
        self.provider.check(&self.connection).await
    }

    /// Observes one thing.
    pub async fn observe(&self, kind: &str, object: &Object) -> Option<Object> {
        let mut answers = self.observe_all(kind, std::slice::from_ref(object)).await;
        answers.pop().expect("one answer per query").expect("it can be observed")
    }

    /// Observes many things of a kind.
    pub async fn observe_all(&self, kind: &str, objects: &[Object]) -> Vec<Result<Option<Object>, WorldError>> {
        let query = |object: &Object| Query { address: address(kind), kind: kind.to_owned(), object: object.clone() };
        let queries: Vec<Query> = objects.iter().map(query).collect();
        self.provider.observe(&self.connection, &queries).await
    }

    /// Carries out an effect.
    pub async fn carry_out(&self, effect: &Effect) -> Result<Object, EffectError> {
        self.provider.carry_out(&self.connection, effect, &self.lines).await
    }

    /// Carries out a creation that succeeds.
    pub async fn create(&self, kind: &str, after: &Object) -> Object {
        self.carry_out(&create(kind, after)).await.expect("it is created")
    }

    /// Settles an effect.
    pub async fn settle(&self, effect: &Effect) -> Settlement {
        self.provider.settle(&self.connection, effect).await.expect("it can be settled")
    }
}

/// The address of the thing under test.
pub fn address(kind: &str) -> Address {
    Address::root(kind, "under_test")
}

/// A word that no other test uses.
pub fn unique(word: &str) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{word}-{}", &random[..10])
}

/// An effect with a token of its own.
pub fn effect(kind: &str, change: EffectChange) -> Effect {
    Effect {
        token: uuid::Uuid::new_v4().simple().to_string(),
        fence: switchback::world::Fence::open(),
        environment: "test".to_owned(),
        address: address(kind),
        kind: kind.to_owned(),
        change,
    }
}

/// A creation.
pub fn create(kind: &str, after: &Object) -> Effect {
    effect(kind, EffectChange::Create { after: after.clone() })
}

/// A change.
pub fn update(kind: &str, before: &Object, after: &Object) -> Effect {
    effect(kind, EffectChange::Update { before: before.clone(), after: after.clone() })
}

/// A removal.
pub fn delete(kind: &str, before: &Object) -> Effect {
    effect(kind, EffectChange::Delete { before: before.clone() })
}

/// The kind with this name.
pub fn with_kind<T>(name: &str, look: impl FnOnce(&Kind) -> T) -> T {
    look(table::kinds().get(name).expect("it is in the table"))
}

/// An object as the spec gives it: defaults filled in, secrets marked.
pub fn desired(kind: &str, given: &[(&str, Value)]) -> Object {
    with_kind(kind, |kind| {
        let default = |attribute: &Attribute| Some((attribute.name.to_owned(), attribute.default.clone()?));
        let mut object: Object = kind.attributes.iter().filter_map(default).collect();
        object.extend(given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        kind.mark_secrets(object)
    })
}

/// A block.
pub fn block(members: &[(&'static str, Value)]) -> Value {
    let block = Value::object(members.iter().cloned());
    Value::list(block.ty(), vec![block])
}

/// Tags.
pub fn tags(pairs: &[(&'static str, &str)]) -> Value {
    Value::map(Type::String, pairs.iter().map(|(name, value)| (*name, Value::from(*value))))
}
