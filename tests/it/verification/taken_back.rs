//! On the local stack: what is asked between expand and contract, and the automatic way back, after which the world is
//! what it was.

use rustix::process::Signal;
use serde_json::Value;

use super::server::Reply::Status;
use super::server::Server;
use crate::shop::project::Project;

/// A database, a parameter, and what is asked of them and of a server.
pub fn spec(server: &Server, level: &str, checks: &str) -> String {
    format!(
        r#"
environment "dev" {{}}
variable "name" {{ type = string }}
provider "aws" {{
  region   = local_stack.region
  endpoint = local_stack.aws_endpoint
}}
provider "postgres" {{
  url           = local_stack.postgres_url
  password_file = local_stack.postgres_password_file
}}
resource "postgres_database" "app" {{
  name = replace(var.name, "-", "_")
}}
database "app" {{
  url           = postgres_database.app.url
  user          = local_stack.postgres_user
  password_file = local_stack.postgres_password_file
  migrations    = "../migrations"
}}
resource "aws_ssm_parameter" "level" {{
  name       = "/${{var.name}}/level"
  type       = "String"
  value      = "{level}"
  depends_on = [database.app]
}}
locals {{ page = "{}/health" }}
{checks}
"#,
        server.url()
    )
}

/// What stands in the world: columns, rows of the history, the parameter with its version.
pub(super) fn world(project: &Project) -> String {
    let sql = "select table_name, column_name, data_type from information_schema.columns where table_schema = 'public' order by 1, 2; \
               select version, name from refinery_schema_history order by 1; select * from users order by 1";
    let stack = project.stack();
    let parameter = stack.aws(&["ssm", "get-parameter", "--name", &format!("/{}/level", project.name)]);
    format!("{}\n{}", stack.psql(&project.database_url(), sql), parameter["Parameter"]["Value"])
}

fn newest(project: &Project) -> Value {
    let runs = project.ok(&["history", "dev", "--json"]).json();
    runs["runs"].as_array().unwrap().last().unwrap().clone()
}

pub(super) const APPLY: [&str; 4] = ["apply", "dev", "--auto-approve", "--no-progress"];

/// A project whose first version is applied, and whose second one has an expand and a contract migration.
pub fn second_version(prefix: &str, server: &Server, checks: &str) -> (Project, String) {
    let project = Project::empty(prefix);
    project.write("switchback.hcl", "project \"shop\" {}\n");
    project.write(
        "migrations/V1__users.sql",
        "create table users (id int primary key, name text);\ninsert into users values (1, 'ada');\n",
    );
    project.write("migrations/V1__users.down.sql", "drop table users;\n");
    project.write("environments/dev.hcl", &spec(server, "one", ""));
    project.ok(&APPLY);
    let before = world(&project);
    project.write("migrations/V2__mail.sql", "-- switchback: phase expand\nalter table users add column mail text;\n");
    project.write("migrations/V2__mail.down.sql", "alter table users drop column mail;\n");
    project.write(
        "migrations/V3__tight.sql",
        "-- switchback: phase contract\nalter table users alter column name set not null;\n",
    );
    project.write("migrations/V3__tight.down.sql", "alter table users alter column name drop not null;\n");
    project.write("environments/dev.hcl", &spec(server, "two", checks));
    (project, before)
}

fn check(when: &str, on_failure: &str) -> String {
    format!(
        "verify \"up\" {{\n  when = \"{when}\"\n  on_failure = \"{on_failure}\"\n  tries = 1\n  http {{\n    url = local.page\n  }}\n}}\n"
    )
}

#[test]
fn the_contract_phase_waits_for_what_is_asked_before_it() {
    let server = Server::new(&[Status(500, "")]);
    let more = "verify \"mail\" {\n  when = \"between\"\n  sql {\n    database = database.app\n    \
                query = \"select count(*) = 0 from users where mail is not null\"\n  }\n}\n";
    let (project, before) = second_version("between", &server, &format!("{}{more}", check("between", "stop")));
    let review = project.ok(&["plan", "dev"]);
    assert!(review.out.contains("sql of database.app: query = "), "{}", review.out);
    let said = project.exits(6, &APPLY);
    assert!(said.out.contains("stopped half-way, because a check failed"), "{}", said.out);
    assert!(said.out.contains("switchback rollback dev --last"), "{}", said.out);
    let sql = "select string_agg(version::text, ',' order by version) from refinery_schema_history";
    assert_eq!(project.stack().psql(&project.database_url(), sql).trim(), "1,2", "expanded, not contracted");
    server.says(&[Status(200, "well")]);
    project.ok(&["resume", "dev", "--auto-approve", "--no-progress"]);
    assert_eq!(project.stack().psql(&project.database_url(), sql).trim(), "1,2,3");
    let run = newest(&project);
    let results: Vec<&str> =
        run["checks"].as_array().unwrap().iter().filter_map(|one| one["result"].as_str()).collect();
    assert_eq!((results.as_slice(), &run["verified"]), (&["passed", "passed"][..], &true.into()), "{run}");
    project.ok(&["rollback", "dev", "--last", "--auto-approve", "--no-progress"]);
    assert_eq!(world(&project), before);
}

#[test]
fn what_fails_takes_itself_back_and_is_held() {
    for when in ["before", "between", "after"] {
        let server = Server::new(&[Status(500, "no")]);
        let (project, before) = second_version(when, &server, &check(when, "rollback"));
        if when == "before" {
            let said = project.exits(1, &APPLY);
            assert!(said.out.contains("a check failed, nothing was changed"), "{}", said.out);
            assert_eq!((world(&project), newest(&project)["done"].as_u64()), (before, Some(0)));
            continue;
        }
        let said = project.exits(12, &APPLY);
        assert!(said.err.contains("verify.up failed in run 2; taking back what it did"), "{}", said.err);
        assert!(
            said.err.contains(" is held: verify.up failed in run 2, which was taken back by run 3: status 500"),
            "{}",
            said.err
        );
        assert!(said.out.contains("failed, and everything was taken back"), "{}", said.out);
        assert_eq!(world(&project), before, "{when}");
        let runs = project.ok(&["history", "dev", "--json"]).json();
        let results: Vec<&str> =
            runs["runs"].as_array().unwrap().iter().filter_map(|run| run["result"].as_str()).collect();
        assert_eq!(results, ["complete", "taken back", "complete"], "{when}: {runs}");
        // Nobody does it again by himself, and something newer goes through.
        let again = project.exits(8, &APPLY);
        assert!(again.err.contains("verify.up failed in run 2"), "{}", again.err);
        assert_eq!(world(&project), before, "{when}");
        server.says(&[Status(200, "well")]);
        project.edit("environments/dev.hcl", "\"two\"", "\"three\"");
        project.ok(&APPLY);
        assert!(world(&project).contains("three"));
    }
}

#[test]
fn an_automatic_way_back_that_is_killed_is_finished_and_held_all_the_same() {
    let server = Server::new(&[Status(500, "no")]);
    let (mut project, before) = second_version("killed-back", &server, &check("after", "rollback"));
    project.set("SWITCHBACK_LEASE", "2s");
    let mut running = project.follow(&APPLY);
    running.wait_for("taking back what it did");
    running.send(Signal::KILL);
    running.end();
    // Wherever it was: before the way back was begun the check is asked again, and later the way back goes on.
    let said = project.run(&["resume", "dev", "--auto-approve", "--no-progress", "--lock-timeout", "30s"]);
    assert!([0, 12].contains(&said.code), "{}\n{}", said.out, said.err);
    assert_eq!(world(&project), before);
    let again = project.exits(8, &APPLY);
    assert!(again.err.contains("verify.up failed in run 2"), "{}", again.err);
}

#[test]
fn a_query_cannot_write_and_a_mistake_in_it_is_not_waited_for() {
    let server = Server::new(&[]);
    let sql = |name: &str, query: &str| {
        format!(
            "verify \"{name}\" {{\n  when = \"before\"\n  within = \"100s\"\n  sql {{\n    database = database.app\n    query = \"{query}\"\n  }}\n}}\n"
        )
    };
    let (project, before) = second_version("asserted", &server, &sql("q", "delete from users returning true"));
    let cases = [
        ("delete from users returning true", "read-only transaction"),
        ("select true; delete from users", "multiple commands"),
        ("select nothing from nowhere", "does not exist"),
        ("select 1", "of type int4, wanted is boolean"),
    ];
    for (query, words) in cases {
        project.write("environments/dev.hcl", &spec(&server, "two", &sql("q", query)));
        let begun = std::time::Instant::now();
        let said = project.exits(1, &APPLY);
        assert!(said.out.contains(words), "{query}\n{}", said.out);
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{query}: nobody waits for that");
    }
    assert_eq!(world(&project), before);
}
