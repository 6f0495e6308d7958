//! Every event, at its receiver.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::{messages, notify, thing, topics, untold};
use crate::aws_endpoint::{Endpoint, Reply as Answer, unique};
use crate::shop::project::Project;
use crate::verification::Bench;
use crate::verification::server::Reply::Status;
use crate::verification::server::Server;
use crate::verification::taken_back::{second_version, spec};

const KEY: &str = "key-of-the-receiver-4711";

#[test]
fn an_apply_and_its_way_back_are_told_once_signed_and_without_values() {
    let (server, chat) = (Server::new(&[]), Server::new(&[]));
    let signed = "  secret_from = \"env:WEBHOOK_KEY\"\n  events = [\"planned\", \"applied\", \"rolled_back\"]";
    let spec = |input: &str| {
        let slack = "notify \"chat\" {\n  type = \"slack\"\n  url_from = \"env:SLACK_URL\"\n}\n";
        format!("{}{slack}{}", thing(input), notify(&server, signed))
    };
    let bench = Bench::new(&spec("value-of-the-thing-11"));
    let slack_url = format!("{}/hook", chat.url());
    let expect = |code: i32, words: &str| {
        let mut command = bench.command(words);
        let output = command.env("WEBHOOK_KEY", KEY).env("SLACK_URL", &slack_url).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words}: {text}");
        text
    };
    expect(0, "plan dev");
    assert_eq!(topics(&server), ["planned"]);
    assert!(chat.asked().is_empty(), "nobody hears of plans who did not ask for it");
    let mut said = expect(0, "apply dev --auto-approve");
    assert_eq!(topics(&server), ["planned", "applied"]);
    let applied = messages(&server)[1].clone();
    assert_eq!(applied.body["data"]["environment"], "dev");
    assert_eq!(applied.body["data"]["verified"], true, "{}", applied.text);
    assert_eq!(applied.body["data"]["steps"], json!({"all": 1, "done": 1, "failed": 0}));
    assert_eq!(applied.signature, Some(applied.signed_by(KEY)));
    assert_ne!(applied.signature, Some(applied.signed_by("another key")));
    said += &expect(0, "apply dev --auto-approve");
    assert_eq!(topics(&server).len(), 2, "nothing happened, so nothing is told");
    said += &expect(0, "rollback dev --last --auto-approve");
    assert_eq!(topics(&server), ["planned", "applied", "rolled_back"]);
    let told: Vec<_> = messages(&chat).into_iter().map(|message| message.body).collect();
    assert_eq!(told.len(), 2);
    assert!(told[0]["text"].as_str().unwrap().contains("shop dev: applied"), "{}", told[0]);
    assert_eq!(told[1]["blocks"][0]["type"], "section");
    let everything = server.asked().concat() + &chat.asked().concat() + &said + &bench.ledger();
    for secret in [KEY, "value-of-the-thing-11", "runner-secret-31", &*slack_url] {
        let where_it_may_be = if secret.starts_with("value") { server.asked().concat() } else { everything.clone() };
        assert!(!where_it_may_be.contains(secret), "{secret} is in {where_it_may_be}");
    }
    assert_eq!(untold(&bench), 0);
}

#[test]
fn a_failure_and_the_automatic_way_back_are_told_in_order() {
    let (server, page) = (Server::new(&[]), Server::new(&[Status(503, "secret-of-the-page-5")]));
    let check = format!(
        "verify \"up\" {{\n  within = \"200ms\"\n  interval = \"50ms\"\n  on_failure = \"rollback\"\n  http {{\n    url = \"{}/\"\n  }}\n}}\n",
        page.url()
    );
    let bench = Bench::new(&format!("{}{}{check}", thing("one"), notify(&server, "")));
    bench.expect(12, "apply dev --auto-approve");
    assert_eq!(topics(&server), ["failed", "rolled_back"]);
    let failed = &messages(&server)[0];
    assert_eq!(failed.body["data"]["details"], json!(["verify.up failed"]));
    assert!(!failed.text.contains("secret-of-the-page-5"), "what the world says is not passed on: {}", failed.text);
    assert_eq!(messages(&server)[1].body["data"]["run"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_is_told_once_for_one_reason() {
    let expired = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&expired);
    let endpoint =
        Endpoint::start(move |call| match call.operation == "CreateCluster" && seen.load(Ordering::SeqCst) {
            true => Answer::Json(400, json!({"__type": "ExpiredTokenException", "message": "token-text-9 expired"})),
            false => Answer::Forward,
        })
        .await;
    let (server, name) = (Server::new(&[]), unique("told"));
    let bench = Bench::new(&format!(
        "environment \"dev\" {{}}\nprovider \"aws\" {{\n  region = \"eu-west-1\"\n  endpoint = \"{}\"\n}}\n\
         resource \"aws_ecs_cluster\" \"main\" {{\n  name = \"{name}\"\n}}\n{}",
        endpoint.url,
        notify(&server, "")
    ));
    let expect = |code: i32, words: &str| {
        let mut command = bench.command(words);
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    };
    expect(10, "apply dev --auto-approve");
    expect(10, "resume dev --auto-approve");
    assert_eq!(topics(&server), ["parked"]);
    assert!(!server.asked().concat().contains("token-text-9"));
    expired.store(false, Ordering::SeqCst);
    expect(0, "resume dev --auto-approve");
    assert_eq!(topics(&server), ["parked", "applied"]);
    expect(0, "rollback dev --last --auto-approve");
}

#[test]
fn that_signatures_are_wanted_is_told_once_for_each_state_of_them() {
    let server = Server::new(&[]);
    let bench = Bench::new("");
    let key = bench.path("key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status().unwrap();
    assert!(made.success());
    let public = std::fs::read_to_string(bench.path("key.pub")).unwrap();
    let spec = format!(
        "environment \"dev\" {{\n  approver \"alice\" {{\n    key = \"{}\"\n    classes = [\"infrastructure\", \"owner\"]\n  }}\n\
         \n  approval \"infrastructure\" {{}}\n}}\nresource \"terraform_data\" \"it\" {{\n  input = \"one\"\n}}\n{}",
        public.trim(),
        notify(&server, "")
    );
    bench.write("environments/dev.hcl", &spec);
    bench.expect(0, "approve dev --key key");
    bench.expect(0, "apply dev --auto-approve");
    let before = topics(&server).len();
    bench.write("environments/dev.hcl", &spec.replace("\"one\"", "\"two\""));
    bench.expect(9, "apply dev --auto-approve");
    bench.expect(9, "apply dev --auto-approve");
    let wanted = &messages(&server)[before..];
    assert_eq!(wanted.len(), 1, "{wanted:?}");
    assert_eq!(wanted[0].topic(), "approval_wanted");
    let line = wanted[0].body["data"]["details"][0].as_str().unwrap();
    assert!(line.contains("infrastructure") && line.contains("0 of 1, alice may sign"), "{line}");
    // A saved plan says the same with the same id, although planning records nothing.
    let records = bench.ledger();
    bench.expect(0, "plan dev --out p.plan.json");
    assert_eq!(bench.ledger(), records);
    let again = messages(&server).last().unwrap().clone();
    assert_eq!((again.topic(), &again.id), ("approval_wanted", &wanted[0].id));
    bench.expect(0, "approve p.plan.json --key key");
    bench.expect(0, "apply p.plan.json");
    assert_eq!(messages(&server).last().unwrap().topic(), "applied");
}

#[test]
fn drift_is_told_with_an_id_that_follows_from_what_was_found() {
    let (server, project) = (Server::new(&[]), Project::empty("tolddrift"));
    let name = &project.name;
    let spec = format!(
        "environment \"dev\" {{}}\nprovider \"aws\" {{\n  region   = local_stack.region\n  endpoint = local_stack.aws_endpoint\n}}\n\
         resource \"aws_ssm_parameter\" \"level\" {{\n  name  = \"/{name}/level\"\n  type  = \"String\"\n  value = \"one\"\n}}\n{}",
        notify(&server, "  events = [\"drift\"]")
    );
    project.write("switchback.hcl", "project \"shop\" {}\n");
    project.write("environments/dev.hcl", &spec);
    project.ok(&["apply", "dev", "--auto-approve"]);
    project.ok(&["drift", "dev"]);
    assert!(server.asked().is_empty(), "nothing is out of band");
    let stack = project.stack();
    let put = |value: &str| {
        let parameter = format!("/{name}/level");
        stack.aws(&["ssm", "put-parameter", "--overwrite", "--name", &parameter, "--value", value]);
    };
    let records = || project.ok(&["history", "dev", "--export"]).out;
    let before = records();
    put("value-of-a-stranger-3");
    project.exits(11, &["drift", "dev"]);
    project.exits(11, &["drift", "dev"]);
    put("another");
    project.exits(11, &["drift", "dev"]);
    assert_eq!(records(), before, "drift is read-only");
    let told = messages(&server);
    let ids: Vec<&str> = told.iter().map(|message| &*message.id).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
    assert!(told[0].text.contains("aws_ssm_parameter.level") && !told[0].text.contains("value-of-a-stranger-3"));
}

#[test]
fn that_the_way_back_closes_is_told_before_the_step_that_closes_it() {
    let (server, page) = (Server::new(&[]), Server::new(&[Status(200, "well")]));
    let (project, _) = second_version("toldclosing", &page, "");
    project.write("migrations/V2__mail.sql", "update users set name = lower(name);\n");
    std::fs::remove_file(project.path("migrations/V2__mail.down.sql")).unwrap();
    project.write("environments/dev.hcl", &spec(&page, "two", &notify(&server, "")));
    project.ok(&["apply", "dev", "--auto-approve", "--no-progress"]);
    assert_eq!(topics(&server), ["way_back_closing", "applied"]);
    let told = &messages(&server)[0].body["data"];
    let summary = told["summary"].as_str().unwrap();
    assert!(summary.contains("steps that cannot be taken back") && summary.contains("run 2"), "{told}");
    assert!(told["details"].to_string().contains("V2__mail"), "{told}");
}
