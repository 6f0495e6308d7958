//! SIGKILL in the middle, each time in a step of another kind: then it is finished, or taken back.

use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use super::project::Project;
use super::proxy::{Hold, Proxy};
use super::world::{assert_nothing_is_left, snapshot};

/// How a killed apply ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// `apply` again finishes it.
    Finished,
    /// `rollback` undoes it.
    TakenBack,
}

/// Kills an apply while one call is held, and lets it end.
fn killed_in(operation: &str, hold: Hold, end: End) {
    let shop = Project::shop("killed");
    let proxy = Proxy::start(shop.stack().aws_endpoint(), operation, hold);
    shop.edit("environments/dev.hcl", "endpoint = local_stack.aws_endpoint", &format!("endpoint = \"{}\"", proxy.url));
    let mut child = shop.start(&["apply", "dev", "--auto-approve"]);
    proxy.wait();
    child.kill().unwrap();
    child.wait().unwrap();
    // The same place again, without the hold: the ledger's endpoint is that of the proxy.
    ends(&shop, end);
}

/// Kills an apply when it says that it is at a step, and lets it end.
fn killed_at(shop: &Project, line: &str, end: End) {
    let mut child = shop.start(&["apply", "dev", "--auto-approve", "--no-progress"]);
    let said = BufReader::new(child.stderr.take().unwrap());
    let mut heard = String::new();
    let found = said.lines().map_while(Result::ok).any(|said| {
        heard.push_str(&said);
        heard.push('\n');
        said.contains(line) && said.ends_with(": started")
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(found, "`{line}` was never said:\n{heard}");
    ends(shop, end);
}

fn ends(shop: &Project, end: End) {
    let status = shop.run(&["status", "dev"]);
    for word in ["done", "not done", "in doubt"] {
        assert!(status.out.contains(word), "status does not say what is {word}:\n{}\n{}", status.out, status.err);
    }
    match end {
        End::Finished => {
            shop.ok(&["apply", "dev", "--auto-approve"]);
            shop.ok(&["plan", "dev", "--detailed-exitcode"]);
            let there = snapshot(shop);
            assert_eq!((there.clusters.len(), there.services.len(), there.log_groups.len()), (1, 2, 1));
            assert_eq!(there.revisions.len(), 2, "no duplicates: {:?}", there.revisions);
            assert_eq!(there.parameters.len(), 4);
        }
        End::TakenBack => {
            shop.ok(&["rollback", "dev", "--last", "--accept-loss", "all", "--auto-approve"]);
            assert_nothing_is_left(shop);
        }
    }
}

/// What was sent before the kill arrives after it, when the way back has long begun.
#[test]
fn a_call_that_arrives_after_its_sender_died_leaves_nothing() {
    let mut shop = Project::shop("killed");
    // A call is under way for a third of it at most.
    shop.set("SWITCHBACK_LEASE", "18s");
    let proxy = Proxy::start(shop.stack().aws_endpoint(), "CreateCluster", Hold::Before);
    shop.edit("environments/dev.hcl", "endpoint = local_stack.aws_endpoint", &format!("endpoint = \"{}\"", proxy.url));
    let mut child = shop.start(&["apply", "dev", "--auto-approve"]);
    proxy.wait();
    child.kill().unwrap();
    child.wait().unwrap();
    proxy.release_after(Duration::from_secs(3));
    let said = shop.ok(&["rollback", "dev", "--last", "--accept-loss", "all", "--auto-approve", "--no-progress"]);
    assert!(said.err.contains("aws_ecs_cluster.main: not done so far"), "{}", said.err);
    assert_nothing_is_left(&shop);
}

macro_rules! killed {
    ($($name:ident: $operation:literal, $hold:ident, $end:ident;)*) => {
        $(#[test]
        fn $name() {
            killed_in($operation, Hold::$hold, End::$end);
        })*
    };
}

killed! {
    before_a_cluster_then_finished: "CreateCluster", Before, Finished;
    after_a_cluster_then_taken_back: "CreateCluster", After, TakenBack;
    after_a_log_group_then_finished: "CreateLogGroup", After, Finished;
    before_a_log_group_then_taken_back: "CreateLogGroup", Before, TakenBack;
    after_a_parameter_then_finished: "PutParameter", After, Finished;
    after_a_parameter_then_taken_back: "PutParameter", After, TakenBack;
    after_a_task_definition_then_finished: "RegisterTaskDefinition", After, Finished;
    after_a_task_definition_then_taken_back: "RegisterTaskDefinition", After, TakenBack;
    after_a_service_then_finished: "CreateService", After, Finished;
    after_a_service_then_taken_back: "CreateService", After, TakenBack;
}

/// A migration that takes its time, so that the kill comes while it runs.
fn slow_migration(shop: &Project) {
    shop.write(
        "migrations/shop/V80__slow.sql",
        "CREATE TABLE slow (id int);\nSELECT pg_sleep(3);\nINSERT INTO slow VALUES (1);\n",
    );
    shop.write("migrations/shop/V80__slow.down.sql", "DROP TABLE slow;\n");
}

#[test]
fn within_a_migration_then_finished() {
    let shop = Project::shop("killed");
    slow_migration(&shop);
    killed_at(&shop, "V80__slow", End::Finished);
    assert_eq!(shop.stack().psql(&shop.database_url(), "SELECT count(*) FROM slow"), "1");
}

#[test]
fn within_a_migration_then_taken_back() {
    let shop = Project::shop("killed");
    slow_migration(&shop);
    killed_at(&shop, "V80__slow", End::TakenBack);
}

#[test]
fn at_a_role_then_taken_back() {
    killed_at(&Project::shop("killed"), "postgres_role.owner", End::TakenBack);
}

#[test]
fn at_a_database_then_finished() {
    killed_at(&Project::shop("killed"), "postgres_database.this", End::Finished);
}

#[test]
fn while_a_rollout_waits_then_finished() {
    killed_at(&Project::shop("killed"), "aws_ecs_service.this", End::Finished);
}

#[test]
fn while_a_rollout_waits_then_taken_back() {
    killed_at(&Project::shop("killed"), "aws_ecs_service.this", End::TakenBack);
}
