//! What takes too long to wait for parks: own exit code, the lease given back, and `resume` asks how far it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::Bench;
use crate::aws_endpoint::{Endpoint, Reply, unique};
use crate::stack::Stack;

/// The last record of the ledger.
fn last_record(bench: &Bench) -> serde_json::Value {
    let text = bench.read(".switchback/ledger/dev.jsonl");
    serde_json::from_str(text.lines().last().expect("there is a record")).unwrap()
}

fn assert_lease_is_free(bench: &Bench) {
    let last = last_record(bench);
    assert!(last.to_string().contains("\"released\""), "the lease is given back: {last}");
}

fn service(endpoint: &str, name: &str, image: &str) -> String {
    format!(
        r#"
environment "dev" {{}}

provider "aws" {{
  region   = "eu-west-1"
  endpoint = "{endpoint}"
}}

resource "aws_ecs_cluster" "main" {{
  name = "{name}"
}}

resource "aws_ecs_task_definition" "web" {{
  family                = "{name}"
  container_definitions = jsonencode([{{ name = "web", image = "{image}" }}])
}}

resource "aws_ecs_service" "web" {{
  name            = "{name}"
  cluster         = aws_ecs_cluster.main.arn
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 1

  timeouts {{
    create = "1s"
    update = "1s"
    delete = "20s"
  }}
}}

resource "terraform_data" "after" {{
  input = aws_ecs_service.web.arn
}}
"#
    )
}

#[test]
fn a_rollout_that_goes_on_parks_and_is_never_done_twice() {
    let stack = Stack::start(8.0);
    let name = unique("slow");
    let bench = Bench::with_spec(&service(stack.aws_endpoint(), &name, "shop:1"));
    let said = bench.expect(10, "up dev");
    said.has("run 1, apply of dev: waiting").has("waits for: aws_ecs_service.web: not done within 1 s");
    said.has("switchback resume dev").has_not("rollback dev --last");
    assert_lease_is_free(&bench);
    let status = bench.expect(0, "status dev");
    status.has("waits for aws_ecs_service.web").has("`resume` asks the world how far it is").has("not done");
    bench.expect(10, "resume dev --auto-approve").has("waits for: aws_ecs_service.web");
    assert_lease_is_free(&bench);
    std::thread::sleep(Duration::from_secs(8));
    bench.expect(0, "resume dev --auto-approve").has("verified");
    let operations = || stack.calls(&name)["operations"].clone();
    assert_eq!((&operations()["ecs.CreateService"], &operations()["ecs.UpdateService"]), (&json!(1), &json!(null)));

    // Whoever wants to go back need not wait for it to end.
    bench.write("environments/dev.hcl", &service(stack.aws_endpoint(), &name, "shop:2"));
    bench.expect(10, "up dev").has("rollout of");
    stack.order(&json!({"seconds": 0.2}));
    bench.expect(0, "rollback dev --last --accept-loss all --auto-approve").has("verified");
    assert_eq!((&operations()["ecs.CreateService"], &operations()["ecs.UpdateService"]), (&json!(1), &json!(2)));
    bench.write("environments/dev.hcl", &service(stack.aws_endpoint(), &name, "shop:1"));
    bench.expect(0, "plan dev --detailed-exitcode").has("nothing to do");
    stack.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_credentials_park_and_give_the_lease_back() {
    let expired = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&expired);
    let endpoint =
        Endpoint::start(move |call| match call.operation == "CreateCluster" && seen.load(Ordering::SeqCst) {
            true => Reply::Json(400, json!({"__type": "ExpiredTokenException", "message": "the token has expired"})),
            false => Reply::Forward,
        })
        .await;
    let name = unique("expired");
    let spec = format!(
        "environment \"dev\" {{}}\nprovider \"aws\" {{\n  region = \"eu-west-1\"\n  endpoint = \"{}\"\n}}\n\
         resource \"aws_ecs_cluster\" \"main\" {{\n  name = \"{name}\"\n}}\n",
        endpoint.url
    );
    let bench = Bench::with_spec(&spec);
    bench.expect(10, "up dev").has("waits for: ExpiredTokenException").has("switchback resume dev");
    assert_lease_is_free(&bench);
    bench.expect(0, "status dev").has("waits for ExpiredTokenException");
    bench.expect(10, "resume dev --auto-approve").has("waits for: ExpiredTokenException");
    assert_lease_is_free(&bench);
    expired.store(false, Ordering::SeqCst);
    bench.expect(0, "resume dev --auto-approve").has("verified");
    bench.expect(0, "rollback dev --last --auto-approve --accept-loss all");
}
