//! One local stack for all tests of a run: an AWS endpoint behind the strict relay, and PostgreSQL.
//!
//! A supervisor process holds it; it ends, and removes everything, when this process does, however that happens.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use switchback::local::{self, LocalStack, Places};
use switchback::world::Progress;

/// The stack that tests share. Use names of your own in it.
pub fn shared() -> &'static Stack {
    static SHARED: OnceLock<Stack> = OnceLock::new();
    SHARED.get_or_init(|| Stack::start(1.0))
}

/// A running stack.
pub struct Stack {
    facts: LocalStack,
    password: String,
    supervisor: Option<Child>,
}

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A name that nobody else uses: `prefix_1234_5`.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}_{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// Says nothing.
pub struct Quiet;

impl Progress for Quiet {
    fn say(&self, _message: &str) {}
}

/// The folders outside projects, as the program would choose them.
pub fn places() -> Places {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    Places::usual(variable("XDG_CACHE_HOME").as_deref(), variable("HOME").as_deref())
}

/// Where the commands of this run keep what they proved: none rests on an earlier run, and each is proved once.
pub fn cache() -> &'static Path {
    static CACHE: OnceLock<PathBuf> = OnceLock::new();
    CACHE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("cache"));
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        folder
    })
}

/// The text of a file.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Stack {
    /// Starts a stack of its own, for tests that break it or count everything.
    ///
    /// # Panics
    /// When it does not start: a test that needs it must not be skipped.
    pub fn start(rollout_seconds: f64) -> Self {
        let folder = std::env::temp_dir().join(unique("switchback-it"));
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("supervisor")).with_extension("log");
        let errors = std::fs::File::create(&log).expect("the log can be made");
        let mut supervisor = Command::new(env!("CARGO_BIN_EXE_switchback"))
            .args(["local", "serve-until-eof"])
            .arg(&folder)
            .args(["--rollout-seconds", &rollout_seconds.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            // A Ctrl-C or a kill of the tests' process group must not hit it before it has cleaned up.
            .process_group(0)
            .spawn()
            .expect("the supervisor starts");
        let mut line = String::new();
        let output = supervisor.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("the supervisor's output can be read");
        let facts: LocalStack = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the local stack does not start ({error}):\n{line}{}", read(&log)));
        let mut stack = Self::of(facts);
        stack.supervisor = Some(supervisor);
        stack
    }

    /// A stack that somebody else holds.
    pub fn of(facts: LocalStack) -> Self {
        let password = read(&facts.postgres_password_file).trim().to_owned();
        Self { facts, password, supervisor: None }
    }

    /// Everything that the supervisor tells.
    pub fn facts(&self) -> &LocalStack {
        &self.facts
    }

    /// The relay's URL.
    pub fn aws_endpoint(&self) -> &str {
        &self.facts.aws_endpoint
    }

    /// The superuser's URL, with the password.
    pub fn postgres_url(&self) -> String {
        self.database_url("postgres")
    }

    /// The superuser's URL of a database, with the password.
    pub fn database_url(&self, database: &str) -> String {
        let LocalStack { postgres_user, postgres_host, postgres_port, .. } = &self.facts;
        format!("postgres://{postgres_user}:{}@{postgres_host}:{postgres_port}/{database}", self.password)
    }

    /// The file with the superuser's password.
    pub fn postgres_password_file(&self) -> &Path {
        &self.facts.postgres_password_file
    }

    /// Makes a database of its own and gives its URL, with the password.
    pub fn new_database(&self, prefix: &str) -> String {
        let name = unique(prefix);
        self.psql(&self.postgres_url(), &format!("CREATE DATABASE \"{name}\""));
        self.database_url(&name)
    }

    /// Runs SQL by `psql` and gives what it prints: rows by line, columns by `|`.
    ///
    /// # Panics
    /// When a statement fails.
    pub fn psql(&self, url: &str, sql: &str) -> String {
        self.try_psql(url, sql).unwrap_or_else(|error| panic!("psql {url} {sql}: {error}"))
    }

    /// Runs SQL by `psql`; the error is what it says.
    ///
    /// # Errors
    /// When a statement fails.
    pub fn try_psql(&self, url: &str, sql: &str) -> Result<String, String> {
        let mut command = Command::new(self.facts.postgres_binaries.join("psql"));
        command.args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-c", sql, url]);
        run(command)
    }

    /// Runs the AWS CLI against the endpoint and gives its answer.
    ///
    /// # Panics
    /// When it fails.
    pub fn aws(&self, arguments: &[&str]) -> Value {
        self.try_aws(arguments).unwrap_or_else(|error| panic!("aws {}: {error}", arguments.join(" ")))
    }

    /// Runs the AWS CLI against the endpoint; the error is what it says.
    ///
    /// # Errors
    /// When it fails.
    pub fn try_aws(&self, arguments: &[&str]) -> Result<Value, String> {
        static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
        let program = PROGRAM.get_or_init(|| local::ensure_awscli(&places(), &Quiet).expect("the AWS CLI installs"));
        let mut command = Command::new(program);
        command
            .args(["--endpoint-url", self.aws_endpoint(), "--output", "json"])
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", &self.facts.access_key)
            .env("AWS_SECRET_ACCESS_KEY", &self.facts.secret_key)
            .env("AWS_DEFAULT_REGION", &self.facts.region)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_PAGER", "");
        let said = run(command)?;
        if said.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&said).expect("it was asked for JSON")) }
    }

    /// What a shell needs in which somebody types `aws …` against the endpoint.
    pub fn aws_variables(&self) -> Vec<(&'static str, String)> {
        let program = local::ensure_awscli(&places(), &Quiet).expect("the AWS CLI installs");
        let folder = program.parent().expect("a program lies in a folder").display().to_string();
        vec![
            ("PATH", format!("{folder}:/usr/bin:/bin")),
            ("AWS_ENDPOINT_URL", self.aws_endpoint().to_owned()),
            ("AWS_ACCESS_KEY_ID", self.facts.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.facts.secret_key.clone()),
            ("AWS_DEFAULT_REGION", self.facts.region.clone()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_PAGER", String::new()),
        ]
    }

    /// How many calls the relay has had, by operation (`operations`), of those with `containing` in a name (empty: of
    /// all). Others use the shared stack too: count by a name of yours.
    pub fn calls(&self, containing: &str) -> Value {
        let (status, body) = self.raw("GET", &format!("/_switchback/calls?containing={containing}"), &[], "");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("the relay gives JSON")
    }

    /// Lets the relay count from zero; only for a stack of your own.
    pub fn reset_calls(&self) {
        assert_eq!(self.raw("DELETE", "/_switchback/calls", &[], "").0, 200);
    }

    /// Gives the relay an order: `{"fail": "SERVICE"}`, `{"seconds": 5}`.
    pub fn order(&self, order: &Value) {
        let (status, body) = self.raw("PUT", "/_switchback/rollout", &[], &order.to_string());
        assert_eq!(status, 200, "{body}");
    }

    /// Lets the next matching call wait, so that its client can be killed meanwhile: `{"operation":
    /// "ssm.PutParameter", "containing": NAME, "before": 30}` before it is passed on, `"after"` before it is answered.
    pub fn delay(&self, order: &Value) {
        let (status, body) = self.raw("PUT", "/_switchback/delays", &[], &order.to_string());
        assert_eq!(status, 200, "{body}");
    }

    /// How many calls of an operation wait right now because of a [`Stack::delay`] that asks for this text.
    pub fn delayed(&self, operation: &str, containing: &str) -> usize {
        let (_, body) = self.raw("GET", "/_switchback/delays", &[], "");
        let delays: Value = serde_json::from_str(&body).expect("the relay gives JSON");
        let waiting = delays["waiting"].as_array().expect("a list");
        waiting.iter().filter(|call| call["operation"] == operation && call["containing"] == containing).count()
    }

    /// Lets calls fail: `{"operation": "s3.PutObject", "containing": NAME, "answer": 503, "times": 2}`. An answer is a
    /// status, `drop`, `slow`, `unconditional`, `success-then-drop` or `success-then-412`.
    pub fn fault(&self, order: &Value) {
        let (status, body) = self.raw("PUT", "/_switchback/faults", &[], &order.to_string());
        assert_eq!(status, 200, "{body}");
    }

    /// Takes back the faults that were ordered for a name.
    pub fn heal(&self, containing: &str) {
        assert_eq!(self.raw("DELETE", &format!("/_switchback/faults?containing={containing}"), &[], "").0, 200);
    }

    /// How many faults for a name have not met a call yet.
    pub fn faults_left(&self, containing: &str) -> usize {
        let (_, body) = self.raw("GET", "/_switchback/faults", &[], "");
        let faults: Value = serde_json::from_str(&body).expect("the relay gives JSON");
        let named = |fault: &&Value| fault["containing"].as_str().is_some_and(|name| name.contains(containing));
        faults["orders"].as_array().expect("a list").iter().filter(named).count()
    }

    /// The relay's log of the calls with a text in a name.
    pub fn log(&self, containing: &str) -> Value {
        let (status, body) = self.raw("GET", &format!("/_switchback/log?containing={containing}"), &[], "");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("the relay gives JSON")
    }

    /// A call of a JSON service (`ecs`, `ssm`, `logs`) without any client: status and answer.
    pub fn call(&self, service: &str, operation: &str, body: &Value) -> (u16, Value) {
        let prefix = match service {
            "ecs" => "AmazonEC2ContainerServiceV20141113",
            "ssm" => "AmazonSSM",
            "logs" => "Logs_20140328",
            "tagging" => "ResourceGroupsTaggingAPI_20170126",
            _ => panic!("no such service: {service}"),
        };
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/{}/{service}/aws4_request, SignedHeaders=host, Signature=0",
            self.facts.access_key, self.facts.region
        );
        let target = format!("{prefix}.{operation}");
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", &target),
            ("authorization", &authorization),
        ];
        let (status, answer) = self.raw("POST", "/", &headers, &body.to_string());
        (status, serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}")))
    }

    /// One HTTP request to the relay: status and body.
    pub fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut answer = Vec::new();
        self.send(method, path, headers, body).read_to_end(&mut answer).expect("the relay answers");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").expect("it is HTTP");
        (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
    }

    /// Sends one HTTP request to the relay; the answer can be read from the connection.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let address = self.aws_endpoint().strip_prefix("http://").expect("it is http");
        let mut stream = TcpStream::connect(address).expect("the relay listens");
        let mut head = format!("{method} {path} HTTP/1.0\r\nhost: {address}\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).expect("the relay reads");
        stream
    }

    /// Ends it and waits until all of it is gone.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(mut supervisor) = self.supervisor.take() {
            drop(supervisor.stdin.take());
            let status = supervisor.wait().expect("the supervisor is ours");
            assert!(status.success() || std::thread::panicking(), "the supervisor: {status}");
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(mut command: Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
