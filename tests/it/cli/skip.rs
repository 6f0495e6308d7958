//! A way back that leaves out what cannot be reached, and what it owes from then on.

use std::io::copy;
use std::net::{SocketAddr, TcpListener, TcpStream};

use super::Bench;
use super::settle::doubtful_at;
use crate::stack::shared;

/// A complete run whose second resource lies at an endpoint that is gone.
fn half_reachable(address: SocketAddr) -> Bench {
    let bench = doubtful_at(TcpListener::bind(address).unwrap(), "aws_cloudwatch_log_group.second", |text| {
        let (head, tail) = text.split_once("resource \"aws_ecs_task_definition\"").unwrap();
        let tail = &tail[tail.find("resource").unwrap()..];
        let name = crate::stack::unique("skip");
        let group = format!(
            "resource \"aws_cloudwatch_log_group\" \"second\" {{\n  name = \"{name}-${{terraform_data.first.output}}\"\n}}\n\n"
        );
        format!("{head}{group}{tail}").replace("aws_ecs_task_definition", "aws_cloudwatch_log_group")
    });
    bench.expect(0, "settle dev aws_cloudwatch_log_group.second --as done --reason seen");
    bench.expect(6, "resume dev --auto-approve").has("3 done, 0 failed").has("not verified");
    bench
}

/// Lets the endpoint come back: whatever is sent there goes to the relay.
pub fn come_back(address: SocketAddr) {
    let listener = TcpListener::bind(address).unwrap();
    let relay = shared().aws_endpoint().strip_prefix("http://").unwrap().to_owned();
    std::thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let far = TcpStream::connect(&relay).unwrap();
            let (mut there, mut back) = ((near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near));
            std::thread::spawn(move || copy(&mut there.0, &mut there.1));
            std::thread::spawn(move || copy(&mut back.0, &mut back.1));
        }
    });
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn what_is_skipped_is_owed_until_it_can_be_reached_again() {
    let address = free_address();
    let bench = half_reachable(address);
    let said = bench.expect(1, "rollback dev --last --auto-approve");
    said.has("the world could not be read").has("rollback dev --to 0 --skip aws_cloudwatch_log_group.second");
    bench
        .expect(3, "rollback dev --last --skip terraform_data.none --auto-approve")
        .has("nothing that the ledger knows");
    // What comes after the step that is left out is left out as well: the first resource goes only after the second.
    let words = "rollback dev --last --skip aws_cloudwatch_log_group.second --auto-approve";
    let report = bench.json(6, words);
    assert_eq!(report["owed"], serde_json::json!(["aws_cloudwatch_log_group.second", "terraform_data.first"]));
    assert_eq!(report["done"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(
        (&report["verified"], &report["next"][0]),
        (&serde_json::Value::Null, &"switchback rollback dev --to 0".into())
    );
    let status = bench.json(0, "status dev");
    let owed: Vec<&str> =
        status["owed"].as_array().unwrap().iter().map(|owed| owed["address"].as_str().unwrap()).collect();
    assert_eq!(owed, ["aws_cloudwatch_log_group.second", "terraform_data.first"]);
    bench.expect(0, "status dev").has("owed        terraform_data.first by run 2").has("rollback dev --to 0");
    // It is never called whole, and going on means going on with what is owed.
    bench.expect(6, "resume dev --auto-approve").has("owed").has("rollback dev --to 0");
    bench.expect(1, "rollback dev --last --auto-approve").has("--skip");
    bench.expect(1, words).has("nothing to take back but what is skipped");
    come_back(address);
    bench.expect(0, "rollback dev --last --auto-approve").has("verified").has("forget aws_cloudwatch_log_group.second");
    let status = bench.json(0, "status dev");
    assert_eq!((&status["owed"], &status["resources"]), (&serde_json::json!([]), &0.into()), "{status}");
}

#[test]
fn a_saved_way_back_with_something_left_out_is_judged_again_and_applied() {
    let bench = half_reachable(free_address());
    let skip = "--skip aws_cloudwatch_log_group.second";
    bench.expect(0, &format!("rollback dev --last {skip} --out back.plan.json")).has("left as it is, and owed");
    bench.expect(0, "show back.plan.json").has("owed: aws_cloudwatch_log_group.second, terraform_data.first");
    bench.expect(6, "apply back.plan.json").has("done, but for what is owed").has("rollback dev --to 0");
    bench.expect(6, "apply back.plan.json").has("already applied as run 2").has("owed");
}
