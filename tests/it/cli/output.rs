//! Streams, colour, JSON.

use std::io::Read as _;
use std::process::Stdio;

use super::{Bench, Said};

const ESCAPE: char = '\u{1b}';

#[test]
fn colour_is_for_terminals_unless_it_is_asked_for() {
    let mut bench = Bench::new();
    let coloured = |bench: &Bench, words: &str| {
        let said = bench.run(words);
        said.out.contains(ESCAPE) || said.talk.contains(ESCAPE)
    };
    for words in ["--help", "frobnicate", "status dev"] {
        assert!(!coloured(&bench, words), "a pipe is no terminal: {words}");
        assert!(!coloured(&bench, &format!("{words} --color=never")), "{words}");
        assert!(coloured(&bench, &format!("{words} --color=always")), "{words}");
        assert!(coloured(&bench, &format!("{words} --color always")), "{words}");
    }
    bench.set("NO_COLOR", "1");
    assert!(!coloured(&bench, "status dev"));
    assert!(coloured(&bench, "status dev --color always"), "a flag wins over the environment");
}

#[test]
fn json_is_never_coloured_and_a_failure_is_json_too() {
    let bench = Bench::new();
    let said = bench.expect(3, "status dev --json --color always");
    assert!(!said.out.contains(ESCAPE), "{}", said.out);
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["exit_code"], 3);
    assert_eq!(json["error"]["exit"], "usage");
    assert!(json["error"]["help"][0].as_str().unwrap().contains("--ledger"), "{json}");
    said.has("error:");
}

#[test]
fn what_is_typed_wrongly_is_json_like_every_other_failure() {
    let bench = Bench::new();
    let failed = |words: &str| -> serde_json::Value {
        let said = bench.expect(3, words);
        // People read what they always did.
        assert!(!said.talk.is_empty() && !said.out.contains(ESCAPE), "{words}: {}", said.talk);
        let json: serde_json::Value =
            serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{words}: {}", said.out));
        assert_eq!((&json["exit_code"], &json["error"]["exit"]), (&3.into(), &"usage".into()), "{words}: {json}");
        json["error"].clone()
    };
    let error = failed("plan dev --frobnicate --json");
    assert_eq!(error["summary"], "unexpected argument '--frobnicate' found");
    let error = failed("--json palan dev");
    assert_eq!(error["summary"], "unrecognized subcommand 'palan'");
    assert!(error["help"][0].as_str().unwrap().contains("'plan'"), "{error}");
    let error = failed("plan --json --color always");
    assert_eq!(error["summary"], "the following required arguments were not provided");
    assert_eq!(error["causes"], serde_json::json!(["<ENV>"]));
    assert!(error["help"][0].as_str().unwrap().starts_with("usage: switchback plan"), "{error}");
    for words in
        ["--json", "local --json", "apply dev --on-failure=explode --json", "status dev --lock-timeout 5 --json"]
    {
        assert!(!failed(words)["summary"].as_str().unwrap().is_empty());
    }
    // Behind `--` it is no flag.
    assert!(bench.expect(3, "plan -- dev more --json").out.is_empty());
    assert!(bench.expect(0, "plan --help --json").out.contains("Usage:"), "help is no failure");
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let bench = Bench::new();
    let mut child = bench.command("completions bash").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut talk = String::new();
    child.stderr.take().unwrap().read_to_string(&mut talk).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{talk}");
    assert_eq!(talk, "");
}

#[test]
fn a_command_works_in_the_folder_that_is_named() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path().join("My Shop")).unwrap();
    let output = bench.command("init -C").arg("My Shop").output().unwrap();
    let said = Said::of(output);
    assert_eq!(said.code, 0, "{}", said.talk);
    said.has("project my-shop").has("switchback plan dev -C 'My Shop'");
    assert!(bench.path().join("My Shop/switchback.hcl").is_file());
}

#[test]
fn init_never_overwrites() {
    let bench = Bench::new();
    bench.write("environments/dev.hcl", "# mine\n");
    bench.expect(1, "init").has("there is a project here already");
    assert_eq!(bench.read("environments/dev.hcl"), "# mine\n");
    assert!(!bench.path().join("switchback.hcl").exists());
}

#[test]
fn init_makes_the_place_of_a_ledger_that_is_named() {
    let bench = Bench::new();
    bench.expect(0, "init --ledger file:ledgers/shop");
    assert!(bench.path().join("ledgers/shop").is_dir());
    assert!(bench.read("switchback.hcl").contains("\"file:ledgers/shop\""));
    assert!(bench.read(".gitignore").contains(".switchback/"));
}

#[test]
fn the_files_of_a_ci_are_followed_by_what_is_left_to_do() {
    let bench = Bench::new();
    bench.expect(0, "init").has_not("left to do");
    let said = bench.expect(0, "init --ci github");
    said.has("left to do by hand:").has("AWS_REGION, SWITCHBACK_PLAN_ROLE").has("docs/ci.md").has_not("apply dev");
    assert!(bench.path().join(".github/workflows/switchback-plan.yml").exists());
}
