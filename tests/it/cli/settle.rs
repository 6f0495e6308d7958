//! A person's word for a step of which nobody knows what became of it.

use std::net::TcpListener;

use rustix::process::Signal;

use super::Bench;
use super::unfinished::{hanging_in, signal, spec};
use crate::stack::{shared, unique};

/// A run whose second step is in doubt, at an endpoint that is gone.
fn doubtful() -> Bench {
    doubtful_at(TcpListener::bind("127.0.0.1:0").unwrap(), STEP, |text| text)
}

/// The same at this address, which nobody listens at afterwards, with a spec that is a little other.
pub fn doubtful_at(silent: TcpListener, step: &str, change: impl Fn(String) -> String) -> Bench {
    let address = silent.local_addr().unwrap();
    let bench = Bench::with_spec(&change(spec(&format!("http://{address}"), "one")));
    let (mut child, _talk) = hanging_in(&bench, step);
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    drop(silent);
    bench.expect(13, "resume dev --auto-approve").has(&format!("settle dev {step} --as"));
    bench
}

/// The step in doubt.
pub const STEP: &str = "aws_ecs_task_definition.second";

#[test]
fn not_done_opens_the_way_back_and_is_recorded_with_who_and_why() {
    let bench = doubtful();
    bench.expect(3, &format!("settle dev {STEP} --as done")).has("--reason");
    bench.expect(3, &format!("settle dev {STEP} --as perhaps --reason x"));
    bench.expect(1, "settle dev terraform_data.first --as done --reason x").has("is not in doubt").has(STEP);
    bench.expect(1, &format!("settle dev {STEP} --as done --step 9 --reason x")).has("is not in doubt");
    let said = bench.json(0, &format!("settle dev {STEP} --as not-done --reason console"));
    assert_eq!((&said["step"], &said["word"], &said["still_in_doubt"]), (&2.into(), &"not_done".into(), &0.into()));
    assert!(said["world"].as_str().unwrap().contains("cannot be asked"), "{said}");
    let ledger = bench.read(".switchback/ledger/dev.jsonl");
    assert!(ledger.contains("\"by\":\"person\"") && ledger.contains("\"reason\":\"console\""), "{ledger}");
    let status = bench.json(0, "status dev --offline");
    assert_eq!((&status["unfinished"]["in_doubt"], &status["unfinished"]["failed"]), (&0.into(), &1.into()));
    bench.expect(0, "rollback dev --last --auto-approve").has("run 2, rollback of dev: complete");
    bench.expect(1, &format!("settle dev {STEP} --as done --reason x")).has("no run of dev is unfinished");
}

#[test]
fn done_counts_with_what_was_planned_where_nothing_can_be_read() {
    let bench = doubtful();
    bench
        .expect(0, &format!("settle dev {STEP} --as done --reason seen"))
        .has("counts as done")
        .has("nobody could read arn")
        .has("resume dev");
    let status = bench.json(0, "status dev --offline");
    assert_eq!((&status["resources"], &status["unfinished"]["done"]), (&2.into(), &2.into()), "{status}");
    // The third step goes on from there. What has no name but the one that the world gives is looked for in vain.
    bench
        .expect(11, "resume dev --auto-approve")
        .has("3 done, 0 failed")
        .has("would still change aws_ecs_task_definition");
}

/// Two steps in doubt at the real endpoint: the world can be asked, and a word against it is refused.
#[test]
fn a_word_against_what_the_world_clearly_says_is_refused() {
    let (endpoint, name) = (shared().aws_endpoint(), unique("settle"));
    let text =
        |url: &str| spec(url, "one").replace("family                = \"second\"", &format!("family = \"{name}\""));
    let proxy = crate::shop::proxy::Proxy::start(endpoint, "RegisterTaskDefinition", crate::shop::proxy::Hold::After);
    let bench = Bench::with_spec(&text(&proxy.url));
    let mut child = bench
        .command("apply dev --auto-approve")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    proxy.wait();
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    // The answer was held, so it was done and nobody heard; only a look tells.
    let status = bench.json(0, "status dev");
    let doubt = &status["unfinished"]["doubts"][0];
    assert_eq!((&doubt["looked"], &doubt["now"]), (&true.into(), &"it is as planned".into()), "{status}");
    assert_eq!((&status["way_back"]["open"], &status["way_back"]["judged_by"]), (&true.into(), &"world".into()));
    let refused = bench.expect(1, &format!("settle dev {STEP} --as not-done --reason no"));
    refused.has("the world says: it was done").has("nothing was recorded").has("resume dev");
    bench.expect(0, &format!("settle dev {STEP} --as done --reason yes")).has("it says so, too");
    bench.expect(0, "resume dev --auto-approve").has("3 done").has("verified");
    bench.expect(0, "rollback dev --to 0 --accept-loss all --auto-approve");
}
