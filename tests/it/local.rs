//! The local stack: it comes up once, is recognised, stops in order, keeps or wipes its data, and says what it lost.

mod refusals;
mod rollouts;
mod wiping;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use switchback::local::{self, Data, LocalError, LostState, Options, PartState, StackState};
use switchback::world::{Clock, Progress};

use crate::stack::{self, Quiet, Stack, places, shared, unique};

struct Now;

impl Clock for Now {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn uptime(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

/// A project folder with a stack, which is gone at the end however the test ends.
struct Project {
    folder: PathBuf,
    options: Options,
}

impl Project {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(unique("switchback-project"));
        fs::create_dir_all(&folder).unwrap();
        let options = Options {
            places: places(),
            clock: Arc::new(Now),
            executable: env!("CARGO_BIN_EXE_switchback").into(),
            rollout_seconds: 0.5,
            lost_state: LostState::Refuse,
            postgres_binaries: None,
        };
        Self { folder, options }
    }

    fn up(&self) -> Result<local::LocalStack, LocalError> {
        local::up(&self.folder, &self.options, &Quiet)
    }

    fn down(&self, data: Data) -> Vec<String> {
        local::down(&self.folder, &self.options.places, data, &Quiet).unwrap()
    }

    fn state(&self) -> StackState {
        local::status(&self.folder).unwrap().state
    }

    fn pid(&self, part: &str) -> Option<i32> {
        local::status(&self.folder).unwrap().parts.into_iter().find(|one| one.name == part).unwrap().pid
    }

    /// The stack as tests talk to it; the supervisor's part is ours.
    fn client(&self) -> Stack {
        let mut facts = self.up().unwrap();
        facts.started.clear();
        Stack::of(facts)
    }

    fn signal(&self, part: &str, signal: &str) {
        let pid = self.pid(part).expect("it runs").to_string();
        let killed = std::process::Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(killed.success());
        wait_until("it has ended", || self.pid(part).is_none());
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let gone = local::down(&self.folder, &self.options.places, Data::Wipe, &Quiet);
        let _ = fs::remove_dir_all(&self.folder);
        assert!(std::thread::panicking() || gone.is_ok(), "{gone:?}");
    }
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(180), "{what}: not within 3 min");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn listens(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// The three ports of a stack: a relay's, the emulator's and PostgreSQL's.
fn ports(folder: &Path) -> Vec<u16> {
    local::status(folder).unwrap().parts.iter().map(|part| part.port).collect()
}

/// What `local status --endpoint` ends with and prints.
fn endpoint(project: &Project, more: &[&str]) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_switchback"));
    command.arg("-C").arg(&project.folder).args(["local", "status", "--endpoint"]).args(more);
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn it_comes_up_once_keeps_its_data_and_is_wiped() {
    let project = Project::new();
    assert_eq!(project.state(), StackState::Absent);
    assert_eq!(endpoint(&project, &[]), (Some(1), String::new()));
    assert!(local::facts(&project.folder).is_none());
    let first = project.up().unwrap();
    assert_eq!(first.started, ["emulator", "postgres", "relay"]);
    assert_eq!(project.state(), StackState::Running);
    let parts = |project: &Project| ["emulator", "relay", "postgres"].map(|part| project.pid(part).unwrap());
    let running = parts(&project);
    assert_eq!(project.up().unwrap().started, Vec::<String>::new(), "a second time starts nothing");
    assert_eq!(parts(&project), running);

    // A shell takes it as it is.
    assert_eq!(endpoint(&project, &[]), (Some(0), format!("{}\n", first.aws_endpoint)));
    let (code, said) = endpoint(&project, &["--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, said), (Some(0), json!({ "aws_endpoint": first.aws_endpoint })));

    let client = project.client();
    let url = client.postgres_url();
    let (status, _) = client.call("ssm", "PutParameter", &json!({ "Name": "/kept", "Value": "v", "Type": "String" }));
    assert_eq!(status, 200);
    client.psql(&url, "CREATE TABLE kept AS SELECT 1 AS one");
    let facts = local::facts(&project.folder).unwrap();
    assert_eq!(facts["aws_endpoint"].as_str(), Some(first.aws_endpoint.as_str()));
    assert_eq!(facts["postgres_port"].as_i64(), Some(i64::from(first.postgres_port)));

    assert_eq!(project.down(Data::Keep), ["the relay", "the AWS emulator", "PostgreSQL"]);
    assert_eq!(project.state(), StackState::Stopped);
    assert_eq!(endpoint(&project, &[]), (Some(1), String::new()), "nobody would answer");
    assert_eq!(project.down(Data::Keep), Vec::<String>::new(), "a second time stops nothing");
    assert_eq!(local::facts(&project.folder).unwrap(), facts, "facts need no running stack");
    let again = project.up().unwrap();
    assert_eq!((&again.aws_endpoint, &again.postgres_url), (&first.aws_endpoint, &first.postgres_url));
    let (_, kept) = client.call("ssm", "GetParameters", &json!({ "Names": ["/kept"] }));
    assert_eq!(kept["Parameters"][0]["Value"], "v");
    assert_eq!(client.psql(&url, "SELECT one FROM kept"), "1");

    let ledger = project.folder.join(".switchback/ledger");
    fs::create_dir_all(&ledger).unwrap();
    for name in ["dev.jsonl", "dev.lock", "staging.jsonl", "development.jsonl"] {
        fs::write(ledger.join(name), "").unwrap();
    }
    project.down(Data::Wipe);
    let known = local::ledgers(&project.folder).unwrap();
    assert_eq!(known.iter().map(String::as_str).collect::<Vec<_>>(), ["dev", "development", "staging"]);
    local::forget_ledgers(&project.folder, &["dev".to_owned()].into()).unwrap();
    assert!(!first.data_folder.exists() && !first.postgres_password_file.exists());
    let mut left: Vec<_> = fs::read_dir(&ledger).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["development.jsonl", "staging.jsonl"]);
    assert_eq!(project.state(), StackState::Absent);
}

#[test]
fn it_is_bound_to_loopback_and_its_settings_hold() {
    let stack = shared();
    let url = stack.postgres_url();
    let setting = |name: &str| stack.psql(&url, &format!("SHOW {name}"));
    assert_eq!(setting("listen_addresses"), "127.0.0.1");
    assert_eq!(setting("unix_socket_directories"), "");
    assert_eq!(setting("fsync"), "on");
    assert_eq!(setting("max_locks_per_transaction"), "256");
    assert_eq!(stack.psql(&url, "SELECT datcollate FROM pg_database WHERE datname = 'template1'"), "C.UTF-8");
    let wrong = url.replacen(":", ":wrong", 2).replacen("postgres:wrong//", "postgres://", 1);
    let refused = stack.try_psql(&wrong, "SELECT 1").unwrap_err();
    assert!(refused.contains("password authentication failed"), "{refused}");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&stack.postgres_password_file().metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    for (part, port) in ["emulator", "relay", "postgres"].iter().zip(ports(&stack.facts().project)) {
        let listeners = listeners_of(port);
        assert_eq!(listeners, ["0100007F"], "{part} listens on 127.0.0.1 and nothing else");
    }
}

/// The local addresses, in hexadecimal, that listen on a port: from the kernel's own tables.
fn listeners_of(port: u16) -> Vec<String> {
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in stack::read(Path::new(table)).lines().skip(1) {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let (local, _, state) = (fields.next().unwrap(), fields.next(), fields.next().unwrap());
            let (address, at) = local.split_once(':').unwrap();
            if state == "0A" && u16::from_str_radix(at, 16) == Ok(port) {
                found.push(address.to_owned());
            }
        }
    }
    found
}

#[test]
fn two_at_once_start_it_once() {
    let project = Project::new();
    let ups: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| project.up())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
    });
    let started: Vec<&String> = ups.iter().flat_map(|stack| &stack.started).collect();
    assert_eq!(started.len(), 3, "each part was started by one of them: {started:?}");
    assert_eq!(project.state(), StackState::Running);
}

#[test]
fn an_emulator_that_lost_its_state_is_reported() {
    let mut project = Project::new();
    let client = project.client();
    let put = |name: &str| {
        assert_eq!(client.call("ssm", "PutParameter", &json!({ "Name": name, "Value": "v", "Type": "String" })).0, 200);
    };
    put("/saved");
    project.down(Data::Keep);
    project.up().unwrap();
    put("/lost");
    project.signal("emulator", "-KILL");
    assert_eq!(project.state(), StackState::Broken);
    let error = project.up().unwrap_err();
    assert!(matches!(error, LocalError::StateLost), "{error}");
    assert!(error.help().contains("--wipe"), "{}", error.help());
    let error = project.up().unwrap_err();
    assert!(matches!(error, LocalError::StateLost), "it is not forgotten: {error}");
    project.options.lost_state = LostState::Accept;
    project.up().unwrap();
    let (_, left) = client.call("ssm", "GetParameters", &json!({ "Names": ["/saved", "/lost"] }));
    assert_eq!(left["InvalidParameters"], json!(["/lost"]), "what it had saved is still there");
    project.options.lost_state = LostState::Refuse;
    assert_eq!(project.up().unwrap().started, Vec::<String>::new());

    assert_eq!(client.raw("POST", "/_ministack/reset", &[], "").0, 200);
    let emulator = &local::status(&project.folder).unwrap().parts[0];
    assert_eq!((emulator.name, emulator.state), ("emulator", PartState::LostState));
    let error = project.up().unwrap_err();
    assert!(matches!(error, LocalError::StateLost), "{error}");
}

#[test]
fn the_relay_goes_on_where_it_was_stopped() {
    let project = Project::new();
    let client = project.client();
    client.order(&json!({ "seconds": 3600 }));
    rollouts::make_service(&client, "web", "web:1", &json!({}));
    project.signal("relay", "-KILL");
    assert_eq!(project.up().unwrap().started, ["relay"]);
    let (_, answer) = client.call("ecs", "DescribeServices", &json!({ "cluster": "web", "services": ["web"] }));
    assert_eq!(answer["services"][0]["deployments"][0]["rolloutState"], "IN_PROGRESS", "{answer}");
}

#[test]
fn a_taken_port_and_a_copied_folder_are_refused() {
    let project = Project::new();
    project.up().unwrap();
    let port = ports(&project.folder)[0];
    project.down(Data::Keep);
    let taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let error = project.up().unwrap_err();
    assert!(matches!(error, LocalError::PortTaken { port: named, .. } if named == port), "{error}");
    drop(taken);
    let copy = Project::new();
    fs::create_dir_all(copy.folder.join(".switchback/local")).unwrap();
    let file = ".switchback/local/stack.json";
    fs::copy(project.folder.join(file), copy.folder.join(file)).unwrap();
    let error = copy.up().unwrap_err();
    assert!(matches!(error, LocalError::Copied { .. }), "{error}");
    fs::remove_file(copy.folder.join(file)).unwrap();
}

#[test]
fn a_folder_can_be_moved_while_its_stack_runs() {
    let mut project = Project::new();
    let client = project.client();
    let put = json!({ "Name": "/moved", "Value": "v", "Type": "String" });
    assert_eq!(client.call("ssm", "PutParameter", &put).0, 200);
    let there = project.folder.with_extension("moved");
    fs::rename(&project.folder, &there).unwrap();
    project.folder = there;
    assert_eq!(project.up().unwrap().started, Vec::<String>::new());
    project.down(Data::Keep);
    assert_eq!(project.up().unwrap().started.len(), 3);
    let (_, kept) = client.call("ssm", "GetParameters", &json!({ "Names": ["/moved"] }));
    assert_eq!(kept["Parameters"][0]["Value"], "v");
}

#[test]
fn a_stack_whose_folder_forgot_it_is_cleaned_up() {
    let project = Project::new();
    let first = project.up().unwrap();
    let emulator = project.pid("emulator").unwrap();
    fs::remove_dir_all(project.folder.join(".switchback")).unwrap();
    let second = project.up().unwrap();
    assert_eq!(second.started.len(), 3);
    if second.data_folder.starts_with(&project.folder) {
        // Without a data folder of its own nothing was left that could tell.
        return;
    }
    assert!(!Path::new(&format!("/proc/{emulator}/exe")).exists(), "the forgotten one was stopped");
    assert_eq!(first.aws_endpoint, second.aws_endpoint, "its ports were free again");
}

#[test]
fn nothing_is_left_when_the_supervisors_input_closes() {
    let stack = Stack::start(0.5);
    let facts = stack.facts().clone();
    let ports = ports(&facts.project);
    assert!(ports.iter().all(|port| listens(*port)));
    assert_eq!(stack.psql(&stack.new_database("mine"), "SELECT 1"), "1");
    stack.call("ecs", "ListClusters", &json!({}));
    assert_eq!(stack.calls("")["total"], 1);
    stack.reset_calls();
    assert_eq!(stack.calls("")["total"], 0);
    stack.stop();
    assert!(!ports.iter().any(|port| listens(*port)));
    assert!(!facts.data_folder.exists() && !facts.project.exists());
}

#[test]
fn progress_says_what_takes_long() {
    struct Lines(Mutex<Vec<String>>);
    impl Progress for Lines {
        fn say(&self, message: &str) {
            self.0.lock().unwrap().push(message.to_owned());
        }
    }
    let project = Project::new();
    let lines = Lines(Mutex::default());
    local::up(&project.folder, &project.options, &lines).unwrap();
    let lines = lines.0.into_inner().unwrap();
    assert!(lines.iter().any(|line| line == "making a PostgreSQL cluster"), "{lines:?}");
}

#[test]
fn a_server_that_cannot_start_shows_the_end_of_its_log() {
    let project = Project::new();
    let data = project.up().unwrap().data_folder;
    project.down(Data::Keep);
    fs::write(data.join("postgres/postgresql.auto.conf"), "no_such_setting = 1\n").unwrap();
    let error = project.up().unwrap_err();
    assert!(error.to_string().contains("no_such_setting"), "{error}");
    assert!(error.help().contains("postgres.log"), "{}", error.help());
}
