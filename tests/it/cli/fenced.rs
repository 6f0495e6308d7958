//! A run that is stopped between its intent and its call, and goes on when another one has taken over.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::Bench;
use crate::aws_endpoint::{Endpoint, Reply, unique};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_that_slept_between_its_intent_and_its_call_sends_nothing_more() {
    let name = unique("slept");
    let bench = Bench::new();
    let ledger = bench.path().join(".switchback/ledger/dev.jsonl");
    let (tell, held) = channel();
    let (release, released) = channel::<()>();
    let (released, first, seen) = (Mutex::new(released), AtomicBool::new(true), ledger.clone());
    let endpoint = Endpoint::start(move |call| {
        let is_intended = || std::fs::read_to_string(&seen).unwrap_or_default().contains("\"intent\"");
        // Between the intent and the creation the cluster is looked for once more.
        if call.operation == "DescribeClusters" && is_intended() && first.swap(false, Ordering::SeqCst) {
            tell.send(()).unwrap();
            let wait = || released.lock().unwrap().recv_timeout(Duration::from_secs(60));
            tokio::task::block_in_place(wait).expect("it is released in time");
            return Reply::Json(200, json!({"clusters": [], "failures": []}));
        }
        Reply::Forward
    })
    .await;
    bench.write("switchback.hcl", "project \"shop\" {}\n");
    bench.write(
        "environments/dev.hcl",
        &format!(
            "environment \"dev\" {{}}\nprovider \"aws\" {{\n  region = \"eu-west-1\"\n  endpoint = \"{}\"\n}}\n\
             resource \"aws_ecs_cluster\" \"main\" {{\n  name = \"{name}\"\n}}\n\
             resource \"terraform_data\" \"after\" {{\n  input = aws_ecs_cluster.main.arn\n}}\n",
            endpoint.url
        ),
    );

    let mut command = bench.command("apply dev --auto-approve");
    let mut first =
        command.env("SWITCHBACK_LEASE", "2s").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    held.recv_timeout(Duration::from_secs(60)).expect("it is looked for between intent and creation");
    let process = Pid::from_raw(i32::try_from(first.id()).unwrap()).unwrap();
    kill_process(process, Signal::STOP).unwrap();
    assert!(!endpoint.counts().contains_key("CreateCluster"));

    // It is alive as far as anybody can tell, so its lease is waited for.
    bench.expect(7, "resume dev --auto-approve").has("holds the lease");
    bench.expect(0, "resume dev --auto-approve --lock-timeout 30s").has("waiting:").has("verified");
    assert_eq!(endpoint.counts()["CreateCluster"], 1);
    let records = bench.read(".switchback/ledger/dev.jsonl").lines().count();

    release.send(()).unwrap();
    // What it waits for is there before it goes on.
    tokio::time::sleep(Duration::from_millis(200)).await;
    kill_process(process, Signal::CONT).unwrap();
    let mut said = String::new();
    BufReader::new(first.stderr.take().unwrap()).lines().map_while(Result::ok).for_each(|line| said += &(line + "\n"));
    first.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    let code = first.wait().unwrap().code();
    assert_eq!(endpoint.counts()["CreateCluster"], 1, "it sends nothing more:\n{said}");
    assert_eq!(bench.read(".switchback/ledger/dev.jsonl").lines().count(), records, "and records nothing:\n{said}");
    assert_ne!(code, Some(0), "{said}");
    for words in ["ecs:CreateCluster", "so nothing was sent", "was lost", "has it for resume dev"] {
        assert!(said.contains(words), "`{words}` is missing in\n{said}");
    }
    bench.expect(0, "plan dev --detailed-exitcode").has("nothing to do");
    bench.expect(0, "rollback dev --last --auto-approve --accept-loss all");
}
