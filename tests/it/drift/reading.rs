//! Whoever only looks writes nothing: with a role of the database that may not write, behind a guard that refuses every
//! call that writes, and with a ledger on a read-only mount.

use std::process::Command;

use serde_json::json;

use super::bench::Bench;
use super::guard::Guard;
use crate::stack;

const SPEC: &str = r#"
resource "aws_ecs_cluster" "main" {
  name = var.name
}

resource "aws_ecs_task_definition" "app" {
  family                = "${var.name}-app"
  container_definitions = jsonencode([{ name = "app", image = "shop/app:1", essential = true, memory = 64 }])
}

resource "aws_ecs_service" "app" {
  name            = "${var.name}-app"
  cluster         = aws_ecs_cluster.main.arn
  task_definition = aws_ecs_task_definition.app.arn
  desired_count   = 1
}

resource "aws_cloudwatch_log_group" "app" {
  name = "/${var.name}/app"
}

variable "secret" {
  type      = string
  default   = "the-only-secret"
  sensitive = true
}

config "app" {
  store  = "ssm"
  prefix = "/${var.name}"
  values = { LEVEL = "debug", SECRET = var.secret }
}

provider "postgres" {
  url           = local_stack.postgres_url
  user          = var.user
  password_file = var.password_file
}

resource "postgres_role" "app" {
  name = replace("${var.name}-app", "-", "_")
}

variable "user" {
  type = string
}

variable "password_file" {
  type = string
}
"#;

/// A project of two environments, reached through a guard, as whoever the variables say.
fn applied(guard: &Guard) -> Bench {
    let migrations = [
        ("V1__make.sql", "CREATE TABLE made (id int PRIMARY KEY, note text);\n"),
        ("V2__index.sql", "-- switchback: transaction off\nCREATE INDEX CONCURRENTLY made_by_note ON made (note);\n"),
    ];
    let mut bench = Bench::new("reading", SPEC, &migrations);
    let stack = stack::shared();
    bench.project.set("SWITCHBACK_VAR_user", &stack.facts().postgres_user);
    bench.project.set("SWITCHBACK_VAR_password_file", &stack.postgres_password_file().display().to_string());
    let other = stack.new_database("reading_qa");
    let qa = SPEC.replace("${var.name}", "${var.name}-qa").replace("name = var.name", "name = \"${var.name}-qa\"");
    bench.environment("qa", &qa.replace("\"debug\"", "\"info\""), &other);
    for name in ["dev", "qa"] {
        let path = format!("environments/{name}.hcl");
        bench.project.edit(&path, "local_stack.aws_endpoint", &format!("\"{}\"", guard.url));
        let user = &stack.facts().postgres_user;
        let head = format!("url = \"postgres://{user}@");
        bench.project.edit(&path, &head, "user = var.user\n  url = \"postgres://");
        let file = format!("\"{}\"", stack.postgres_password_file().display());
        bench.project.edit(&path, &file, "var.password_file");
        // What is printed for whoever applies is enough for that.
        guard.allow(&permissions(&bench, name, "applying").0);
        bench.project.ok(&["apply", name, "--auto-approve"]);
    }
    may_only_read(&bench, "dev", &bench.database);
    may_only_read(&bench, "qa", &other);
    bench
}

const READER: &str = "it_drift_reader";

/// What `permissions` says of an environment, for one of the two.
fn permissions(bench: &Bench, environment: &str, who: &str) -> (Vec<String>, Vec<String>) {
    let said = bench.project.ok(&["permissions", environment, "--planner", READER, "--json"]).json();
    let texts = |name: &str| -> Vec<String> {
        said[who][name].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let sql = said[who]["databases"].as_array().unwrap().iter().map(|one| one["sql"].as_str().unwrap().to_owned());
    (texts("actions"), sql.collect())
}

/// The role has just what `permissions` prints for whoever plans.
fn may_only_read(bench: &Bench, environment: &str, database: &str) {
    let stack = stack::shared();
    let name = database.rsplit_once('/').unwrap().1;
    let role = format!(
        "DO $$ BEGIN CREATE ROLE {READER} LOGIN PASSWORD 'it-reads'; EXCEPTION WHEN duplicate_object THEN NULL; END $$; \
         REVOKE ALL ON DATABASE \"{name}\" FROM PUBLIC"
    );
    stack.psql(database, &role);
    let (_, sql) = permissions(bench, environment, "planning");
    assert_eq!(sql.len(), 1);
    stack.psql(database, &sql[0]);
}

/// From now on the program runs where the folder with the ledger cannot be written, whoever it is.
fn with_a_read_only_ledger(bench: &mut Bench) {
    let folder = bench.project.path(".switchback").display().to_string();
    let script = format!("mount --bind {folder} {folder} && mount -o remount,bind,ro {folder} && exec \"$@\"");
    let user: &[&str] = match is_root() {
        true => &[],
        false => &["--user", "--map-root-user"],
    };
    let mut words = vec!["unshare", "--mount", "--propagation", "private"];
    words.extend(user);
    words.extend(["sh", "-c", &script, "sh"]);
    bench.project.wrap(&words);
    let write =
        Command::new(words[0]).args(&words[1..]).args(["touch", &format!("{folder}/written")]).output().unwrap();
    assert!(!write.status.success() && !bench.project.path(".switchback/written").exists(), "it can be written");
}

fn is_root() -> bool {
    let said = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8_lossy(&said.stdout).trim() == "0"
}

#[test]
fn looking_needs_no_right_to_write_anywhere() {
    let stack = stack::shared();
    let guard = Guard::start(stack.aws_endpoint());
    let mut bench = applied(&guard);
    bench.project.write("reads", "it-reads");
    bench.project.set("SWITCHBACK_VAR_user", READER);
    let file = bench.project.path("reads").display().to_string();
    bench.project.set("SWITCHBACK_VAR_password_file", &file);
    // Something to plan and something to find, so that there is reason to write.
    bench.project.write("migrations/V3__more.sql", "ALTER TABLE made ADD COLUMN more int;\n");
    bench.edit("shop/app:1", "shop/app:2");
    bench.sql("CREATE TABLE extra (id int)");
    with_a_read_only_ledger(&mut bench);
    let (actions, _) = permissions(&bench, "dev", "planning");
    for action in &actions {
        let (_, operation) = action.split_once(':').unwrap();
        assert!(["Describe", "Get", "List"].iter().any(|begin| operation.starts_with(begin)), "{action} writes");
    }
    guard.allow(&actions);
    let rows = bench.sql("SELECT * FROM refinery_schema_history ORDER BY 1");

    let plan = bench.project.exits(2, &["plan", "dev", "--detailed-exitcode", "--out", "s.plan.json"]);
    assert!(plan.out.contains("V3__more") && plan.out.contains("shop/app:2"), "{}", plan.out);
    let drift = bench.project.exits(11, &["drift", "dev", "--json"]).json();
    assert_eq!((&drift["out_of_band"], &drift["unseen"]), (&json!(1), &json!([])), "{drift:#}");
    assert_eq!(drift["departures"][0]["object"], "table public.extra");
    let diff = bench.project.exits(2, &["diff", "dev", "qa", "--json", "--detailed-exitcode"]).json();
    assert_eq!(diff["unseen"], json!(null), "{diff:#}");
    for words in [
        &["status", "dev"][..],
        &["history", "dev"],
        &["history", "dev", "--verify"],
        &["show", "dev"],
        &["show", "s.plan.json"],
        &["output", "dev"],
        &["approvals", "dev"],
        &["permissions", "dev"],
    ] {
        bench.project.ok(words);
    }
    assert_eq!(guard.refused(), Vec::<String>::new(), "a call that writes was tried");
    let seen = guard.seen();
    for operation in ["DescribeServices", "DescribeClusters", "DescribeTaskDefinition", "DescribeLogGroups"] {
        assert!(seen.iter().any(|one| one == operation), "the guard saw nothing of {operation}: {seen:?}");
    }
    // The guard means it: whoever writes is refused.
    let refused = bench.project.run(&["apply", "dev", "--auto-approve"]);
    assert_ne!(refused.code, 0, "{}", refused.out);
    assert_eq!(bench.sql("SELECT * FROM refinery_schema_history ORDER BY 1"), rows);
    let may = "SELECT has_table_privilege('it_drift_reader', 'made', 'SELECT')";
    assert_eq!(bench.sql(may), "f", "the reader cannot even read the data");
}
