//! Approvals as typed: who may sign, what a signature covers, and that nothing else opens the gate.
//!
//! Invariant: every refusal is tried on a copy of one ledger in which the right signature opens the gate.

#[cfg(feature = "postgres")]
mod back;
#[cfg(feature = "postgres")]
mod covers;
mod keys;
mod refused;

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Bench, Said};

const LEDGER: &str = ".switchback/ledger/dev.jsonl";

/// Somebody of the rules.
#[derive(Clone, Copy)]
struct Person {
    name: &'static str,
    classes: &'static str,
}

const ALICE: Person = Person { name: "alice", classes: r#""infrastructure", "dba", "data-loss""# };
const CAROL: Person = Person { name: "carol", classes: r#""config""# };
const OTTO: Person = Person { name: "otto", classes: r#""owner""# };

impl Bench {
    /// A new key in `keys/NAME`, without a passphrase; gives its public half.
    pub(super) fn key(&self, name: &str) -> String {
        self.key_of(name, &["-t", "ed25519", "-N", ""])
    }

    fn key_of(&self, name: &str, arguments: &[&str]) -> String {
        let file = self.path().join("keys").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        if !file.is_file() {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-C", name]).args(arguments).arg("-f").arg(&file).stdin(Stdio::null());
            assert!(keygen.status().unwrap().success(), "ssh-keygen makes a key");
        }
        self.read(&format!("keys/{name}.pub")).trim().to_owned()
    }

    /// Signs a text as plain OpenSSH does.
    fn signed(&self, name: &str, namespace: &str, text: &str) -> String {
        let file = self.path().join("message.txt");
        let _none = std::fs::remove_file(self.path().join("message.txt.sig"));
        std::fs::write(&file, text).unwrap();
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(self.path().join("keys").join(name)).arg(&file);
        let output = keygen.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.read("message.txt.sig")
    }

    /// `approver` blocks for these people.
    fn approvers(&self, people: &[Person]) -> String {
        let block = |person: &Person| {
            let Person { name, classes } = person;
            format!("  approver \"{name}\" {{\n    key     = \"{}\"\n    classes = [{classes}]\n  }}\n", self.key(name))
        };
        people.iter().map(block).collect()
    }

    /// Types a command as somebody else.
    fn run_as(&self, user: &str, code: i32, words: &str) -> Said {
        let said = Said::of(self.command(words).env("USER", user).output().unwrap());
        assert_eq!(said.code, code, "switchback {words}\n{}{}", said.out, said.talk);
        said
    }

    pub(super) fn approve(&self, name: &str, subject: &str) -> Said {
        self.expect(0, &format!("approve {subject} --key keys/{name}"))
    }
}

/// An environment in which this has to be signed, with one resource.
fn spec(approvers: &str, more: &str, input: &str) -> String {
    format!(
        "environment \"dev\" {{\n{approvers}{more}}}\nresource \"terraform_data\" \"first\" {{\n  input = \"{input}\"\n}}\n"
    )
}

const INFRASTRUCTURE: &str = "  approval \"infrastructure\" {\n    expires = \"7d\"\n  }\n";

/// An environment in which infrastructure has to be signed, applied once.
fn applied() -> Bench {
    let bench = Bench::with_spec("");
    let approvers = bench.approvers(&[ALICE, CAROL, OTTO]);
    bench.write("environments/dev.hcl", &spec(&approvers, INFRASTRUCTURE, "one"));
    bench.approve("alice", "dev");
    bench.expect(0, "apply dev --auto-approve").has("run 1, apply of dev: complete");
    bench.write("environments/dev.hcl", &spec(&approvers, INFRASTRUCTURE, "two"));
    bench
}

/// Everything below a folder of the ledger, so that it can be put back.
fn ledger(bench: &Bench) -> String {
    bench.read(LEDGER)
}

#[test]
fn an_apply_waits_for_a_signature_and_one_by_plain_openssh_counts() {
    let bench = Bench::with_spec("");
    let approvers = bench.approvers(&[ALICE, CAROL, OTTO]);
    bench.write("environments/dev.hcl", &spec(&approvers, INFRASTRUCTURE, "one"));
    let said = bench.expect(0, "plan dev --out p.plan.json");
    said.has("infrastructure for infrastructure, 0 of 1: infrastructure changes; alice may sign");
    said.has("no rules were ever applied here: those of the spec under review count");
    said.has("to sign it, type: switchback approve p.plan.json");
    assert!(!Path::new(&bench.path().join(LEDGER)).exists(), "planning writes nothing");
    for words in ["apply p.plan.json", "apply dev --auto-approve", "up dev"] {
        let said = bench.expect(9, words);
        said.has("signatures are missing; nothing was done").has("alice may sign").has("switchback approve");
    }
    assert_eq!(bench.json(0, "status dev")["resources"], 0);
    bench.expect(3, "approve p.plan.json").has("no key is at hand that may sign this").has("ssh-add");
    let text = bench.expect(0, "approve p.plan.json --print").out;
    assert!(text.starts_with("switchback approval 1\nproject: \"shop\"\nenvironment: \"dev\"\nchain: "), "{text}");
    assert_eq!(bench.expect(0, "show p.plan.json --to-sign infrastructure").out, text);
    bench.write("p.sig", &bench.signed("alice", "switchback", &text));
    let said = bench.expect(0, "approve p.plan.json --signature p.sig --comment seen");
    said.has("signed by alice as infrastructure for infrastructure").has("it has every signature that it needs");
    bench.expect(0, "show p.plan.json").has("1 of 1").has("signed by alice at").has_not("to sign it");
    bench.expect(0, "show p.plan.json --as md").has("> **Signed**").has("signed by alice at");
    let shown = bench.json(0, "show p.plan.json");
    assert_eq!(shown["signing"]["needed"][0]["given"][0]["by"], "alice", "{shown}");
    let listed = bench.json(0, "approvals p.plan.json");
    assert_eq!((&listed["complete"], &listed["signing"]["needed"][0]["count"]), (&true.into(), &1.into()), "{listed}");
    bench.expect(0, "apply p.plan.json").has("run 1, apply of dev: complete");
    bench.expect(0, "history dev --verify").has("is whole");
    bench.expect(0, "history dev").has("signed by alice as infrastructure for infrastructure").has("approved by alice");
    assert_eq!(bench.json(0, "history dev")["runs"][0]["signed"][0], "alice as infrastructure for infrastructure");
    assert_eq!(bench.json(0, "history dev")["signatures"][0]["comment"], "seen");
    // What is in the ledger can be checked by anybody with plain OpenSSH.
    let export = bench.expect(0, "history dev --export").out;
    let line = export.lines().find(|line| line.contains("\"approved\"")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    bench.write("kept.sig", line["body"]["approval"]["signature"].as_str().unwrap());
    bench.write("allowed", &format!("alice {}\n", bench.key("alice")));
    bench.write("text.txt", &text);
    let mut verify = Command::new("ssh-keygen");
    verify.current_dir(bench.path()).args(["-Y", "verify", "-f", "allowed", "-I", "alice", "-n", "switchback", "-s"]);
    let text = std::fs::File::open(bench.path().join("text.txt")).unwrap();
    assert!(verify.arg("kept.sig").stdin(text).status().unwrap().success());
}

#[test]
fn two_signatures_are_of_two_people() {
    let bench = Bench::with_spec("");
    let bob = Person { name: "bob", classes: r#""infrastructure""# };
    let approvers = bench.approvers(&[ALICE, bob, OTTO]);
    let more = "  approval \"infrastructure\" {\n    count = 2\n  }\n";
    bench.write("environments/dev.hcl", &spec(&approvers, more, "one"));
    bench.approve("alice", "dev");
    bench.approve("alice", "dev");
    bench.expect(9, "apply dev --auto-approve").has("1 of 2");
    bench.approve("bob", "dev").has("2 of 2");
    bench.expect(0, "apply dev --auto-approve").has("complete");
}

#[test]
fn a_number_alone_asks_for_the_class_of_each_part() {
    let bench = Bench::with_spec("");
    let approvers = bench.approvers(&[ALICE, OTTO]);
    bench.write("environments/dev.hcl", &spec(&approvers, "  approvals = 1\n", "one"));
    bench.expect(4, "plan dev").has("more signatures are asked for than there are people who may give them");
    let dora = Person { name: "dora", classes: r#""dba", "config", "infrastructure""# };
    let approvers = bench.approvers(&[ALICE, CAROL, OTTO, dora]);
    bench.write("environments/dev.hcl", &spec(&approvers, "  approvals = 1\n", "one"));
    bench.expect(9, "apply dev --auto-approve").has("alice or dora may sign");
    bench.approve("dora", "dev");
    bench.expect(0, "apply dev --auto-approve").has("complete");
}

#[test]
fn mistakes_in_the_rules_have_their_mends() {
    let bench = Bench::with_spec("");
    let alice = bench.key("alice");
    let owner = bench.approvers(&[OTTO]);
    for (block, said) in [
        ("approval \"boss\" {}", "there is no such class of approval"),
        ("approval \"dba\" {}", "more signatures are asked for than there are people who may give them"),
        ("approval \"owner\" {\n expires = \"5m\"\n}", "this is no time that a signature can be good for"),
        ("approval \"owner\" {\n parts = [\"databases\"]\n}", "did you mean `database`?"),
        ("approval \"owner\" {}\napproval \"owner\" {}", "this is said twice"),
        ("approval \"owner\" {\n count = 0\n}", "no signature is asked for"),
        ("approver \"eve\" {\n classes = [\"dba\"]\n}", "an approver has no key"),
        ("approver \"eve\" {\n key = \"ssh-ed25519 AAAA\"\n classes = [\"dba\"]\n}", "this key cannot sign"),
        ("break_glass = [\"alicia\"]", "there is no such approver"),
    ] {
        bench.write("environments/dev.hcl", &format!("environment \"dev\" {{\n{owner}{block}\n}}\n"));
        bench.expect(4, "validate dev").has(said);
    }
    let twice = |name: &str| format!("approver \"{name}\" {{\n key = \"{alice}\"\n classes = [\"dba\"]\n}}\n");
    let both = twice("alice") + &twice("eve");
    bench.write("environments/dev.hcl", &format!("environment \"dev\" {{\n{owner}{both}\n}}\n"));
    bench.expect(4, "validate dev").has("two people have one key");
    bench.write(
        "environments/dev.hcl",
        &format!("environment \"dev\" {{\n{}approval \"dba\" {{}}\n}}\n", twice("alice")),
    );
    bench.expect(4, "validate dev").has("nobody is the owner");
}

/// Types a command with an agent's socket.
fn with_agent(bench: &Bench, socket: &Path, code: i32, words: &str) -> Said {
    let said = Said::of(bench.command(words).env("SSH_AUTH_SOCK", socket).output().unwrap());
    assert_eq!(said.code, code, "switchback {words}\n{}{}", said.out, said.talk);
    said
}
