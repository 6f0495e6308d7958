//! Secrets of Secrets Manager from end to end: generated, rotated, promoted, rolled back. What a service would read is
//! asked of AWS without our code, and no form of any value is in anything that we write.

pub mod forms;

use serde_json::{Value as Json, json};

use self::forms::{assert_clean, assert_files_are_clean};
use crate::shop::project::Project;
use crate::verification::server::Server;

const MODULE: &str = r#"
variable "name" { type = string }
variable "rotation" { type = string }
variable "fault" { type = string }
variable "bake" { type = string }

config "web" {
  store  = "secretsmanager"
  prefix = "${var.name}/web"

  key "SESSION_KEY" {
    description = "Signs the sessions."
    rotation    = var.rotation

    generated {
      length     = 40
      characters = "printable"
    }
  }
}

config "page" {
  store  = "file"
  path   = "rendered/${var.name}.yaml"
  format = "yaml"
  values = { session_key = config.web["SESSION_KEY"].value_from }
}

verify "sound" {
  within      = "2s"
  holds_for   = var.bake
  parks_after = "0s"
  command {
    argv = ["/usr/bin/test", "!", "-e", var.fault]
  }
}

resource "aws_ecs_cluster" "main" {
  name = var.name
}

resource "aws_ecs_task_definition" "web" {
  family                   = var.name
  cpu                      = "256"
  memory                   = "512"
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  execution_role_arn       = "arn:aws:iam::000000000000:role/exec"

  container_definitions = jsonencode([{
    name      = "web"
    image     = "shop/web:1.0.0"
    essential = true
    secrets   = [{ name = "SESSION_KEY", valueFrom = config.web["SESSION_KEY"].value_from }]
  }])
}

resource "aws_ecs_service" "web" {
  name            = var.name
  cluster         = aws_ecs_cluster.main.arn
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 1
  launch_type     = "FARGATE"

  network_configuration {
    subnets = ["subnet-0a1b2c3d"]
  }
}
"#;

fn spec(environment: &str, settings: &str) -> String {
    format!(
        r#"
environment "{environment}" {{
{settings}}}

provider "aws" {{
  region   = local_stack.region
  endpoint = local_stack.aws_endpoint
}}

variable "name" {{ type = string }}
variable "rotation_{environment}" {{
  type    = string
  default = "1"
}}

variable "fault" {{
  type    = string
  default = "/nowhere"
}}

variable "bake" {{
  type    = string
  default = "0s"
}}

module "web" {{
  source   = "../modules/web"
  name     = "${{var.name}}-{environment}"
  rotation = var.rotation_{environment}
  fault    = var.fault
  bake     = var.bake
}}
"#
    )
}

fn project(prefix: &str) -> Project {
    let project = Project::empty(prefix);
    project.write("switchback.hcl", "project \"vault\" {\n  ledger = \"file:.switchback/ledger\"\n}\n");
    project.write("environments/dev.hcl", &spec("dev", ""));
    project.write("environments/staging.hcl", &spec("staging", "  after  = \"dev\"\n  source = [\"release\"]\n"));
    project.write("modules/web/main.hcl", MODULE);
    project
}

fn asked(project: &Project, service: &str, operation: &str, body: &Json) -> Json {
    let (status, answer) = project.stack().call(service, operation, body);
    assert_eq!(status, 200, "{operation}: {answer}");
    answer
}

/// What a task of the service would get: its revision's `valueFrom`, asked as ECS asks.
fn read_by_service(project: &Project, environment: &str) -> String {
    let name = format!("{}-{environment}", project.name);
    let service = asked(project, "ecs", "DescribeServices", &json!({"cluster": name, "services": [name]}));
    let revision = service["services"][0]["taskDefinition"].clone();
    let revision = asked(project, "ecs", "DescribeTaskDefinition", &json!({"taskDefinition": revision}));
    let from = revision["taskDefinition"]["containerDefinitions"][0]["secrets"][0]["valueFrom"].as_str().unwrap();
    let (arn, version) = from.split_once(":::").expect("the version is pinned");
    let secret = asked(project, "secretsmanager", "GetSecretValue", &json!({"SecretId": arn, "VersionId": version}));
    secret["SecretString"].as_str().expect("it has a value").to_owned()
}

/// What whoever asks for no version gets.
fn current(project: &Project, environment: &str) -> String {
    let id = format!("{}-{environment}/web/SESSION_KEY", project.name);
    let secret = asked(project, "secretsmanager", "GetSecretValue", &json!({"SecretId": id}));
    secret["SecretString"].as_str().expect("it has a value").to_owned()
}

/// What a service would read that finds the version in the rendered file.
fn read_by_file(project: &Project, environment: &str) -> String {
    let path = format!("rendered/{}-{environment}.yaml", project.name);
    let text = std::fs::read_to_string(project.path(path)).unwrap();
    let (arn, version) = text.trim().trim_matches('"').split_once(":::").expect("the version is pinned");
    let id = &arn[arn.find("arn:").unwrap()..];
    let body = json!({"SecretId": id, "VersionId": version.trim_end_matches('"')});
    asked(project, "secretsmanager", "GetSecretValue", &body)["SecretString"].as_str().unwrap().to_owned()
}

/// Those who are told, and those who follow: what they got is looked through as well.
struct Outside {
    hooks: Server,
    chat: Server,
    traces: Server,
}

impl Outside {
    /// Everything that happens in a project is told to them.
    fn of(project: &mut Project) -> Self {
        let outside = Self { hooks: Server::new(&[]), chat: Server::new(&[]), traces: Server::new(&[]) };
        let all = "events = [\"planned\", \"approval_wanted\", \"parked\", \"applied\", \"failed\", \"rolled_back\", \
                   \"way_back_closing\", \"drift\"]";
        let notify = format!(
            "notify \"ops\" {{\n  url = \"{}/hook\"\n  {all}\n}}\n\nnotify \"chat\" {{\n  type = \"slack\"\n  url = \
             \"{}/hook\"\n  {all}\n}}\n",
            outside.hooks.url(),
            outside.chat.url()
        );
        let head = std::fs::read_to_string(project.path("switchback.hcl")).unwrap();
        project.write("switchback.hcl", &format!("{head}\n{notify}"));
        project.set("OTEL_EXPORTER_OTLP_ENDPOINT", &outside.traces.url());
        outside
    }

    /// The topics that were told, and the names of the spans.
    fn heard(&self) -> (Vec<String>, Vec<String>) {
        let bodies = |server: &Server| -> Vec<Json> {
            let requests = server.asked();
            let body = |request: &String| serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
            requests.iter().map(body).collect()
        };
        let topics = bodies(&self.hooks).iter().map(|body| body["type"].as_str().unwrap().to_owned()).collect();
        let spans = bodies(&self.traces).into_iter().flat_map(|body| {
            body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().cloned().unwrap_or_default()
        });
        (topics, spans.map(|span| span["name"].as_str().unwrap().to_owned()).collect())
    }

    fn assert_clean(&self, secrets: &[&str]) {
        for (what, server) in
            [("a notification", &self.hooks), ("a chat message", &self.chat), ("a trace", &self.traces)]
        {
            let requests = server.asked();
            assert!(!requests.is_empty(), "{what} came");
            let all = requests.concat();
            secrets.iter().for_each(|secret| assert_clean(secret, what, all.as_bytes()));
        }
    }
}

/// Runs the program as loudly as it can; what it said is looked through later, when all values are known.
#[derive(Default)]
struct Heard(Vec<(String, Vec<u8>)>);

impl Heard {
    fn run(&mut self, project: &Project, code: i32, arguments: &str) -> String {
        let words: Vec<&str> = ["-vvv"].into_iter().chain(arguments.split(' ')).collect();
        let said = project.exits(code, &words);
        self.0.push((format!("the output of `{arguments}`"), said.out.clone().into_bytes()));
        self.0.push((format!("the talk of `{arguments}`"), said.err.into_bytes()));
        said.out
    }

    /// Every form of a saved plan.
    fn forms(&mut self, project: &Project, plan: &str) {
        for form in ["text", "md", "html", "json", "sarif", "junit", "runbook"] {
            self.run(project, 0, &format!("show {plan} --as {form}"));
        }
    }

    fn assert_clean(&self, project: &Project, secrets: &[&str]) {
        for secret in secrets {
            self.0.iter().for_each(|(what, bytes)| assert_clean(secret, what, bytes));
            assert_files_are_clean(secret, project);
        }
    }
}

#[test]
fn a_secret_is_generated_rotated_promoted_and_rolled_back() {
    let mut project = project("vault");
    let mut heard = Heard::default();
    let outside = Outside::of(&mut project);

    // Generated in its store, at apply.
    heard.run(&project, 2, "plan dev --detailed-exitcode --out first.plan.json");
    heard.forms(&project, "first.plan.json");
    heard.run(&project, 0, "apply first.plan.json");
    let first = read_by_service(&project, "dev");
    assert_eq!((first.chars().count(), current(&project, "dev")), (40, first.clone()));
    heard.run(&project, 0, "plan dev --detailed-exitcode");

    // Promoted: staging has a secret of its own.
    heard.run(&project, 0, "release create dev");
    heard.run(&project, 0, "promote dev staging --auto-approve");
    let promoted = read_by_service(&project, "staging");
    assert!(promoted != first && promoted.chars().count() == 40);
    heard.run(&project, 0, "diff dev staging --json");

    // Rotated: the service is rolled in the same plan.
    project.set("SWITCHBACK_VAR_rotation_dev", "2");
    let plan = heard.run(&project, 2, "plan dev --detailed-exitcode --json");
    assert!(plan.contains("aws_ecs_service.web"), "the service is rolled:\n{plan}");
    heard.run(&project, 0, "apply dev --auto-approve");
    let second = read_by_service(&project, "dev");
    assert_ne!(first, second);
    assert_eq!((current(&project, "dev"), read_by_file(&project, "dev")), (second.clone(), second.clone()));
    heard.run(&project, 0, "plan dev --detailed-exitcode");

    // Taken back: the earlier version, by reference.
    heard.run(&project, 0, "rollback dev --last --auto-approve --json");
    assert_eq!((read_by_service(&project, "dev"), current(&project, "dev")), (first.clone(), first.clone()));
    assert_eq!(read_by_file(&project, "dev"), first);
    project.set("SWITCHBACK_VAR_rotation_dev", "1");
    heard.run(&project, 0, "plan dev --detailed-exitcode");

    // Only the place's own secret turns, and turns back.
    project.set("SWITCHBACK_VAR_rotation_staging", "2");
    heard.run(&project, 0, "plan staging --out turn.plan.json");
    heard.forms(&project, "turn.plan.json");
    heard.run(&project, 0, "apply turn.plan.json");
    let turned = read_by_service(&project, "staging");
    assert_ne!(turned, promoted);
    assert_eq!((current(&project, "staging"), read_by_service(&project, "dev")), (turned.clone(), first.clone()));
    heard.run(&project, 0, "rollback staging --last --auto-approve");
    assert_eq!(
        (read_by_service(&project, "staging"), current(&project, "staging")),
        (promoted.clone(), promoted.clone())
    );

    // Rotated, and what is asked then does not hold: stopped and taken back by hand, and by itself.
    project.set("SWITCHBACK_VAR_rotation_dev", "3");
    project.set("SWITCHBACK_VAR_fault", "/usr/bin/test");
    heard.run(&project, 6, "apply dev --auto-approve");
    let third = current(&project, "dev");
    assert!(third != first && third != second && read_by_service(&project, "dev") == third);
    heard.run(&project, 0, "status dev");
    heard.run(&project, 0, "rollback dev --last --auto-approve");
    assert_eq!((read_by_service(&project, "dev"), current(&project, "dev")), (first.clone(), first.clone()));
    heard.run(&project, 12, "apply dev --auto-approve --on-failure=rollback");
    assert_eq!((read_by_service(&project, "dev"), current(&project, "dev")), (first.clone(), first.clone()));

    // Parked in a bake time, with the new version at work; and back from there.
    project.set("SWITCHBACK_VAR_fault", "/nowhere");
    project.set("SWITCHBACK_VAR_bake", "1h");
    heard.run(&project, 10, "apply dev --auto-approve");
    let fourth = current(&project, "dev");
    assert_eq!(read_by_service(&project, "dev"), fourth);
    heard.run(&project, 0, "status dev --json");
    heard.run(&project, 10, "resume dev --auto-approve");
    heard.run(&project, 0, "rollback dev --last --auto-approve");
    assert_eq!((read_by_service(&project, "dev"), current(&project, "dev")), (first.clone(), first.clone()));
    for (name, value) in [("rotation_dev", "1"), ("bake", "0s")] {
        project.set(&format!("SWITCHBACK_VAR_{name}"), value);
    }
    heard.run(&project, 0, "plan dev --detailed-exitcode");

    for looked in ["status dev --json", "history dev --json", "history staging", "drift dev --json"] {
        heard.run(&project, 0, looked);
    }
    let id = format!("{}-dev/web/SESSION_KEY", project.name);
    asked(&project, "secretsmanager", "PutSecretValue", &json!({"SecretId": id, "SecretString": "put by hand, 4711"}));
    heard.run(&project, 11, "drift dev");
    heard.run(&project, 2, "plan dev --detailed-exitcode --as md");

    let (topics, spans) = outside.heard();
    for topic in ["planned", "applied", "failed", "parked", "rolled_back", "drift"] {
        assert!(topics.iter().any(|told| told == topic), "{topic} was told: {topics:?}");
    }
    for span in ["apply dev", "rollback dev", "apply staging", "rollback staging"] {
        assert!(spans.iter().any(|name| name == span), "{span} was traced: {spans:?}");
    }
    assert!(spans.iter().any(|name| name.contains("config.web")), "the step of the secret was traced: {spans:?}");
    let secrets = [&*first, &second, &promoted, &turned, &third, &fourth, "put by hand, 4711"];
    outside.assert_clean(&secrets);
    heard.assert_clean(&project, &secrets);
}

#[test]
fn a_secret_that_is_told_or_traced_would_be_found() {
    let secret = "a \"secret\" that leaks";
    let mut project = project("vault");
    let outside = Outside::of(&mut project);
    let urls = [&outside.hooks, &outside.chat, &outside.traces].map(Server::url);
    let tell = |url: &str, text: &str| {
        let mut line = std::net::TcpStream::connect(url.trim_start_matches("http://")).unwrap();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: x\r\nx-note: {text}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
        );
        std::io::Write::write_all(&mut line, head.as_bytes()).unwrap();
        std::io::Read::read_to_end(&mut line, &mut Vec::new()).unwrap();
    };
    let is_found =
        || std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| outside.assert_clean(&[secret]))).is_err();
    for url in &urls {
        tell(url, "nothing");
    }
    assert!(!is_found());
    // In base64, inside a header.
    tell(&urls[2], "YSAic2VjcmV0IiB0aGF0IGxlYWtz");
    assert!(is_found(), "what is traced is looked through");
}

#[test]
fn a_removed_secret_comes_back_with_its_value() {
    let project = project("vault");
    project.ok(&["apply", "dev", "--auto-approve"]);
    let value = read_by_service(&project, "dev");
    project.ok(&["destroy", "dev", "--auto-approve"]);
    let id = format!("{}-dev/web/SESSION_KEY", project.name);
    let (status, _) = project.stack().call("secretsmanager", "GetSecretValue", &json!({"SecretId": id}));
    assert_eq!(status, 400, "it waits for its removal");
    project.ok(&["rollback", "dev", "--last", "--auto-approve", "--accept-loss", "all"]);
    assert_eq!((read_by_service(&project, "dev"), current(&project, "dev")), (value.clone(), value));
}

#[test]
fn what_somebody_changes_by_hand_is_drift() {
    let project = project("vault");
    project.ok(&["apply", "dev", "--auto-approve"]);
    let id = format!("{}-dev/web/SESSION_KEY", project.name);
    asked(&project, "secretsmanager", "PutSecretValue", &json!({"SecretId": id, "SecretString": "by hand"}));
    let said = project.exits(11, &["drift", "dev"]);
    assert!(said.out.contains("SESSION_KEY") && !said.out.contains("by hand"), "{}", said.out);
}

const BY_REFERENCE: &str = r#"
environment "dev" {}

provider "aws" {
  region   = local_stack.region
  endpoint = local_stack.aws_endpoint
}

variable "name" { type = string }

locals {
  here = { region = local_stack.region, endpoint = local_stack.aws_endpoint }
}

resource "aws_ecs_cluster" "main" {
  name = var.name
}

config "web" {
  store  = "ssm"
  prefix = "/${var.name}"
  values = {
    STRIPE_KEY = secret("secretsmanager:${var.name}/stripe", local.here)
    MAIL_KEY   = secret("environment:VAULT_MAIL_KEY")
    LEVEL      = "info"
  }
}
"#;

#[test]
fn what_only_a_person_can_give_is_listed_before_the_first_effect() {
    let mut project = Project::empty("person");
    project.write("switchback.hcl", "project \"vault\" {\n  ledger = \"file:.switchback/ledger\"\n}\n");
    project.write("environments/dev.hcl", BY_REFERENCE);
    let id = format!("{}/stripe", project.name);
    let said = project.exits(4, &["plan", "dev"]);
    for part in [
        "set the environment variable VAULT_MAIL_KEY".to_owned(),
        format!("aws secretsmanager create-secret --name {id} --secret-string file:///dev/stdin"),
    ] {
        assert!(said.err.contains(&part), "`{part}` in\n{}", said.err);
    }
    project.exits(4, &["apply", "dev", "--auto-approve"]);

    let body = json!({"Name": id, "SecretString": "a key of Stripe's", "ClientRequestToken": "0123456789abcdef0123456789abcdef"});
    asked(&project, "secretsmanager", "CreateSecret", &body);
    let bare = project.run(&["plan", "dev"]);
    assert!(bare.err.contains("VAULT_MAIL_KEY") && !bare.err.contains("create-secret"), "{}", bare.err);
    project.set("VAULT_MAIL_KEY", "a key of the post's");
    project.ok(&["plan", "dev", "--out", "s.plan.json"]);

    // Gone again before the apply: nothing was done.
    asked(&project, "secretsmanager", "DeleteSecret", &json!({"SecretId": id, "ForceDeleteWithoutRecovery": true}));
    let refused = project.run(&["apply", "s.plan.json"]);
    assert!(refused.code != 0 && refused.err.contains("create-secret"), "{}: {}", refused.code, refused.err);
    let clusters = asked(&project, "ecs", "DescribeClusters", &json!({"clusters": [project.name]}));
    assert_eq!(clusters["clusters"], json!([]), "no effect");

    asked(&project, "secretsmanager", "CreateSecret", &body);
    project.ok(&["apply", "s.plan.json"]);
    for (key, value) in [("STRIPE_KEY", "a key of Stripe's"), ("MAIL_KEY", "a key of the post's")] {
        let body = json!({"Name": format!("/{}/{key}", project.name), "WithDecryption": true});
        let answer = asked(&project, "ssm", "GetParameter", &body);
        assert_eq!(
            (&answer["Parameter"]["Value"], &answer["Parameter"]["Type"]),
            (&value.into(), &"SecureString".into())
        );
        assert_files_are_clean(value, &project);
    }
    project.exits(0, &["plan", "dev", "--detailed-exitcode"]);
}

#[test]
fn what_the_keys_must_be_is_told_with_its_line() {
    let project = Project::empty("keys");
    project.write("switchback.hcl", "project \"vault\" {\n  ledger = \"file:.switchback/ledger\"\n}\n");
    let spec = r#"environment "dev" {}

config "web" {
  store  = "ssm"
  prefix = "/shop"
  values = {
    LOG_LEVEL = "loud"
    WORKERS   = "many"
    API_URL   = "http://api"
    COLOUR    = "red"
    TOKEN     = sensitive("hunter2")
  }

  key "LOG_LEVEL" { allowed = ["debug", "info"] }
  key "WORKERS"   { type = number }
  key "API_URL"   { pattern = "https://.*" }
  key "TOKEN"     { pattern = "[0-9]+" }
  key "MISSING"   {}
  key "OPTIONAL"  { required = false }
}
"#;
    project.write("environments/dev.hcl", spec);
    let said = project.exits(4, &["validate", "dev"]);
    for (line, word) in [
        (7, "`loud` is not allowed"),
        (8, "`WORKERS` must be a number"),
        (9, "`http://api` does not look as it must"),
        (10, "there is no `key \"COLOUR\"` block"),
        (11, "its value (a secret) does not look as it must"),
        (18, "`MISSING` is required"),
    ] {
        assert!(said.err.contains(word), "`{word}` in\n{}", said.err);
        assert!(said.err.contains(&format!("dev.hcl:{line}:")), "line {line} in\n{}", said.err);
    }
    assert!(!said.err.contains("hunter2") && !said.err.contains("`OPTIONAL` is required"), "{}", said.err);
}
