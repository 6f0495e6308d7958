//! What each kind of check sees, through the program.

use std::time::Duration;

use super::server::Reply::{Late, Status};
use super::server::Server;
use super::{Bench, spec};

/// A project that asks only this.
fn asks(block: &str) -> Bench {
    Bench::new(&format!(
        "environment \"dev\" {{}}\nvariable \"token\" {{\n  type = string\n  sensitive = true\n}}\n\
         resource \"terraform_data\" \"it\" {{\n  input = \"one\"\n}}\n\
         verify \"it\" {{\n  tries = 1\n  interval = \"50ms\"\n  {block}\n}}\n"
    ))
}

fn saw(bench: &Bench, code: i32) -> String {
    bench.expect(code, "apply dev --auto-approve");
    bench.newest()["checks"][0]["saw"].as_str().unwrap().to_owned()
}

#[test]
fn an_answer_is_held_against_all_that_is_wanted_of_it() {
    let good = [
        "    contains = \"ell\"\n    matches = \"^w.ll$\"\n    response_headers = { x-shop = \"open\" }",
        "    method = \"POST\"\n    body = \"ask\"\n    headers = { x-who = terraform_data.it.output }",
    ];
    for inside in good {
        let server = Server::new(&[Status(200, "well")]);
        let bench = Bench::new(&spec(&server, "  tries = 1", inside));
        assert!(saw(&bench, 0).starts_with("status 200, in "), "{inside}");
        if inside.contains("POST") {
            let asked = server.asked().concat();
            // The value is known only after the apply.
            assert!(
                asked.starts_with("POST /health ") && asked.contains("x-who: one") && asked.ends_with("ask"),
                "{asked}"
            );
        }
    }
    let bad = [
        ("    status = 204", "status 200, wanted is 204, and says: well"),
        ("    contains = \"ill\"", "the body does not contain `ill`"),
        ("    matches = \"^ell\"", "the body does not match `^ell`"),
        ("    response_headers = { x-shop = \"shut\" }", "header x-shop is `open`, wanted is `shut`"),
        ("    response_headers = { x-door = \"shut\" }", "header x-door is not there"),
    ];
    for (inside, seen) in bad {
        let server = Server::new(&[Status(200, "well")]);
        let words = saw(&Bench::new(&spec(&server, "  tries = 1", inside)), 6);
        assert!(words.contains(seen), "{inside}: {words}");
    }
}

#[test]
fn latency_is_judged_by_its_percentile() {
    let late = || Late(Duration::from_millis(400));
    let quick = || Status(200, "well");
    for (percentile, code) in [(75, 0), (100, 6)] {
        let server = Server::new(&[quick(), late(), quick(), quick()]);
        let inside = format!("    samples = 4\n    latency = \"250ms\"\n    percentile = {percentile}");
        let bench = Bench::new(&spec(&server, "  tries = 1", &inside));
        let words = saw(&bench, code);
        assert!(words.contains(&format!("{percentile} of a hundred within")), "{words}");
        assert_eq!(server.asked().len(), 4);
    }
}

#[test]
fn a_port_is_open_or_not() {
    let server = Server::new(&[]);
    let block = |port: u16| format!("tcp {{\n    host = \"127.0.0.1\"\n    port = {port}\n  }}");
    assert!(saw(&asks(&block(server.port())), 0).contains("takes connections"));
    assert!(saw(&asks(&block(Server::down().port())), 6).contains("cannot be reached"));
}

#[test]
fn a_program_sees_nothing_but_what_is_given_and_tells_no_secret() {
    let command = |script: &str, more: &str| {
        format!("command {{\n    argv = [\"/bin/sh\", \"-c\", \"{script}\"]\n    timeout = \"2s\"\n{more}\n  }}")
    };
    assert_eq!(saw(&asks(&command("exit 0", "")), 0), "`/bin/sh` ended with 0");
    assert_eq!(saw(&asks(&command("exit 3", "    exit_code = 3")), 0), "`/bin/sh` ended with 3");
    let environment = "    environment = { TOKEN = var.token }";
    let bench = asks(&command("echo got $TOKEN and $SECRET_OF_THE_RUNNER, home $HOME; exit 1", environment));
    assert_eq!(saw(&bench, 6), "`/bin/sh` ended with 1, wanted 0: got (sensitive) and , home");
    let ledger = bench.ledger();
    assert!(!ledger.contains("token-of-the-shop") && !ledger.contains("runner-secret"), "{ledger}");
    let began = std::time::Instant::now();
    let words = saw(&asks(&command("sleep 77 & sleep 78", "")), 6);
    assert!(words.contains("did not end within 2000 ms, and was killed"), "{words}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let missing = asks("command {\n    argv = [\"/nowhere/program\"]\n  }");
    assert!(saw(&missing, 6).contains("cannot be run"));
}
