//! What does not open the gate: each refused with its reason, by `approve` and, where it got into the ledger all the
//! same, by `apply`.

use std::sync::Arc;

use switchback::approval::class::{Class, Part};
use switchback::approval::record::Approval;
use switchback::ledger::{Actor, Body, Ledger};
use switchback::store::file::FileStore;

use super::super::Bench;
use super::{ALICE, CAROL, INFRASTRUCTURE, LEDGER, OTTO, Person, applied, ledger, spec};

/// Appends records to the ledger as somebody who can write it would, past `approve`.
fn append(bench: &Bench, bodies: Vec<Body>) {
    let store = FileStore::new(&bench.path().join(".switchback/ledger"), "dev");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut ledger = Ledger::open(Arc::new(store)).await.unwrap();
        let second = i64::try_from(now()).unwrap();
        ledger.append(jiff::Timestamp::from_second(second).unwrap(), bodies).await.unwrap();
    });
}

fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

fn actor() -> Actor {
    Actor { name: "mallory".into(), host: "there".into(), tool: "0".into(), process: 1, commit: None }
}

fn line<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap()
}

/// What is recorded for a message that somebody signed.
fn approval(by: &str, text: &str, signature: &str) -> Approval {
    let until = line(text, "until");
    Approval {
        by: by.to_owned(),
        class: Class::of(line(text, "class")).unwrap(),
        part: Part::of(line(text, "part")).unwrap(),
        digest: line(text, "digest").parse().unwrap(),
        until: (until != "for good").then(|| until.parse().unwrap()),
        rejected: None,
        signature: signature.to_owned(),
        comment: None,
    }
}

/// Another character in the middle of a signature.
fn with_a_bit_flipped(signature: &str) -> String {
    let lines: Vec<&str> = signature.lines().collect();
    let at = lines.len() - 3;
    let (first, rest) = lines[at].split_at(20);
    let other = if rest.starts_with('A') { "B" } else { "A" };
    let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    changed[at] = format!("{first}{other}{}", &rest[1..]);
    changed.join("\n") + "\n"
}

/// A saved plan that alice has to sign, what she signs, and the ledger before.
fn waiting() -> (Bench, String, String) {
    let bench = applied();
    bench.key("mallory");
    bench.expect(0, "plan dev --out p.plan.json").has("0 of 1");
    let text = bench.expect(0, "approve p.plan.json --print").out;
    let before = ledger(&bench);
    (bench, text, before)
}

#[test]
fn what_gets_into_the_ledger_past_approve_does_not_open_the_gate() {
    let (bench, text, before) = waiting();
    let good = bench.signed("alice", "switchback", &text);
    let edited = |from: &str, to: &str| {
        assert!(text.contains(from), "{text}");
        text.replace(from, to)
    };
    let until = format!("until: {}", line(&text, "until"));
    let by = |name: &str, text: &str| approval(name, text, &bench.signed(name, "switchback", text));
    // Signed for something else, and recorded as if it were for this.
    let passed_off = |other: &str| Approval {
        signature: bench.signed("alice", "switchback", other),
        ..approval("alice", &text, "")
    };
    let other_digest = edited(line(&text, "digest"), &"0".repeat(64));
    let cases = [
        (
            "a bit flipped",
            approval("alice", &text, &with_a_bit_flipped(&good)),
            "it is not the signature of this content",
        ),
        ("another key", by("mallory", &text), "is nobody's who may sign here"),
        ("another's name", Approval { by: "alice".into(), ..by("mallory", &text) }, "is nobody's who may sign here"),
        (
            "another namespace",
            approval("alice", &text, &bench.signed("alice", "file", &text)),
            "it was made for the namespace `file`",
        ),
        (
            "expired",
            by("alice", &edited(&until, "until: 2020-01-01T00:00:00Z")),
            "it has expired: it was good until 2020-01-01",
        ),
        (
            "for ever",
            by("alice", &edited(&until, "until: for good")),
            "it never expires, and the rules want that it does",
        ),
        ("for long", by("alice", &edited(&until, "until: 2999-01-01T00:00:00Z")), "longer than the rules allow"),
        (
            "made younger",
            Approval { until: "2020-01-01T00:00:00Z".parse().ok(), ..approval("alice", &text, &good) },
            "it is not the signature of this content",
        ),
        ("the wrong class", by("carol", &text), "carol may not sign as infrastructure"),
        (
            "another class's",
            passed_off(&edited("class: infrastructure", "class: dba")),
            "it is not the signature of this content",
        ),
        (
            "another part's",
            passed_off(&edited("part: infrastructure", "part: database")),
            "it is not the signature of this content",
        ),
        ("another plan's", by("alice", &other_digest), "it covers another content: 000000000000"),
        ("passed off", passed_off(&other_digest), "it is not the signature of this content"),
        (
            "another environment's",
            passed_off(&edited("environment: \"dev\"", "environment: \"prod\"")),
            "it is not the signature of this content",
        ),
        (
            "another project's",
            passed_off(&edited("project: \"shop\"", "project: \"shed\"")),
            "it is not the signature of this content",
        ),
        (
            "another ledger's",
            passed_off(&edited(line(&text, "chain"), "c0ffee")),
            "it is not the signature of this content",
        ),
        ("no signature", approval("alice", &text, "trust me"), "it is no signature as `ssh-keygen -Y sign` makes it"),
        (
            "of a rejection",
            Approval { rejected: Some(3), ..approval("alice", &text, &good) },
            "it speaks of a rejection that there is not",
        ),
    ];
    for (name, approval, why) in cases {
        bench.write(LEDGER, &before);
        append(&bench, vec![Body::Approved { actor: actor(), approval: Box::new(approval) }]);
        let said = bench.expect(9, "apply p.plan.json");
        assert!(said.talk.contains(why), "{name}: {}", said.talk);
        said.has("signatures are missing; nothing was done").has("does not count");
        bench.expect(9, "apply dev --auto-approve").has(why);
        assert_eq!(bench.json(0, "status dev")["newest_run"]["run"], 1, "{name}");
    }
    // The same way, the right one opens it.
    bench.write(LEDGER, &before);
    append(&bench, vec![Body::Approved { actor: actor(), approval: Box::new(approval("alice", &text, &good)) }]);
    bench.expect(0, "apply p.plan.json").has("run 2, apply of dev: complete");
    bench.expect(0, "history dev --verify").has("is whole");
}

#[test]
fn approve_refuses_what_would_not_count_and_records_nothing() {
    let (bench, text, before) = waiting();
    let with = |signature: &str| {
        bench.write("p.sig", signature);
        bench.expect(9, "approve p.plan.json --signature p.sig")
    };
    with(&with_a_bit_flipped(&bench.signed("alice", "switchback", &text)))
        .has("not alice's signature of what is to be signed now");
    with(&bench.signed("mallory", "switchback", &text)).has("is nobody's who may sign here");
    with(&bench.signed("alice", "file", &text)).has("namespace `file`");
    with(&bench.signed("carol", "switchback", &text)).has("carol may not sign as infrastructure");
    with(&bench.signed("alice", "switchback", &text.replace("shop", "shed")))
        .has("not alice's signature")
        .has("--print");
    let yesterday = jiff::Timestamp::from_second(i64::try_from(now() / 86_400).unwrap() * 86_400).unwrap();
    let expired = text.replace(line(&text, "until"), &yesterday.to_string());
    with(&bench.signed("alice", "switchback", &expired)).has("it has expired");
    bench.expect(9, "approve p.plan.json --key keys/carol").has("carol may not sign as infrastructure");
    bench.expect(9, "approve p.plan.json --key keys/mallory").has("is nobody's who may sign here");
    bench.expect(3, "approve p.plan.json --key keys/none").has("cannot be read");
    assert_eq!(ledger(&bench), before);
    bench.write("p.sig", &bench.signed("alice", "switchback", &text));
    bench.expect(0, "approve p.plan.json --signature p.sig").has("it has every signature");
}

#[test]
fn the_author_of_a_plan_does_not_sign_it_where_the_rules_say_so() {
    let bench = Bench::with_spec("");
    let approvers = bench.approvers(&[ALICE, OTTO]).replacen("classes", "actors = [\"a.smith\"]\n    classes", 1);
    let more = "  approval \"infrastructure\" {\n    not_the_author = true\n  }\n";
    bench.write("environments/dev.hcl", &spec(&approvers, more, "one"));
    for author in ["alice", "a.smith"] {
        bench.run_as(author, 0, "plan dev --out p.plan.json");
        let said = bench.run_as("alice", 9, "approve p.plan.json --key keys/alice");
        said.has("alice made the plan, and its author must not sign");
    }
    // Nor is it enough that somebody else typed `approve`, or that it got into the ledger otherwise.
    let text = bench.expect(0, "approve p.plan.json --print").out;
    let signed = approval("alice", &text, &bench.signed("alice", "switchback", &text));
    append(&bench, vec![Body::Approved { actor: actor(), approval: Box::new(signed) }]);
    bench.expect(9, "apply p.plan.json").has("alice made the plan");
    bench.run_as("a.smith", 9, "apply dev --auto-approve").has("alice made the plan");
    // Who made it is part of the file.
    let file = bench.read("p.plan.json");
    bench.write("q.plan.json", &file.replacen("\"a.smith\"", "\"somebody\"", 1));
    bench.expect(1, "apply q.plan.json").has("was altered");
    bench.run_as("bob", 0, "plan dev --out p.plan.json").has("1 of 1");
    bench.run_as("alice", 0, "apply p.plan.json").has("complete");
}

#[test]
fn a_change_cannot_approve_itself() {
    let bench = applied();
    let mallory = Person { name: "mallory", classes: r#""infrastructure", "owner""# };
    let approvers = bench.approvers(&[ALICE, CAROL, OTTO, mallory]);
    bench.write("environments/dev.hcl", &spec(&approvers, INFRASTRUCTURE, "two"));
    let said = bench.expect(0, "plan dev --out p.plan.json");
    said.has("changes who may sign: + approver mallory").has("owner for rules").has("by the rules as last applied");
    bench.expect(9, "approve p.plan.json --key keys/mallory").has("only the spec under review names mallory");
    let text = bench.expect(0, "approve p.plan.json --print --class owner").out;
    let signed = approval("mallory", &text, &bench.signed("mallory", "switchback", &text));
    append(&bench, vec![Body::Approved { actor: actor(), approval: Box::new(signed) }]);
    bench.approve("alice", "p.plan.json");
    bench.expect(9, "apply p.plan.json").has("only the spec under review names mallory");
    bench.approve("otto", "p.plan.json").has("it has every signature");
    bench.expect(0, "apply p.plan.json").has("complete");
    // From now on she may.
    bench.write("environments/dev.hcl", &spec(&approvers, INFRASTRUCTURE, "three"));
    bench.approve("mallory", "dev");
    bench.expect(0, "apply dev --auto-approve").has("complete");
}

#[test]
fn rules_are_taken_away_only_by_an_owner_and_alone_they_are_a_run_of_no_steps() {
    let bench = applied();
    let bare = spec("", "", "one");
    bench.write("environments/dev.hcl", &bare);
    let said = bench.expect(0, "plan dev --out p.plan.json");
    said.has("nothing to do").has("- infrastructure has to sign: 1, good for 7d").has("owner for rules (");
    assert_eq!(bench.run("plan dev --detailed-exitcode").code, 2);
    for words in ["apply p.plan.json", "apply dev --auto-approve", "up dev"] {
        bench.expect(9, words).has("owner for rules");
    }
    bench.expect(9, "approve p.plan.json --key keys/alice").has("alice may not sign as owner");
    bench.approve("otto", "p.plan.json");
    bench.expect(0, "apply p.plan.json").has("run 2, apply of dev: complete");
    bench.expect(0, "plan dev --detailed-exitcode").has_not("Signatures");
    bench.write("environments/dev.hcl", &bare.replace("one", "two"));
    bench.expect(0, "apply dev --auto-approve").has("complete");
    bench.expect(0, "history dev --verify").has("is whole");
}

#[test]
fn what_was_rejected_stays_so_until_the_same_person_or_an_owner_signs_it_again() {
    let bench = applied();
    bench.expect(0, "plan dev --out p.plan.json");
    bench.approve("alice", "p.plan.json");
    let signed = ledger(&bench);
    let export = bench.expect(0, "history dev --export").out;
    let last = export.lines().rfind(|line| line.contains("\"approved\"")).unwrap();
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    let old: Approval = serde_json::from_value(last["body"]["approval"].clone()).unwrap();
    bench.run_as("alice", 0, "reject p.plan.json --reason noon").has("was rejected by alice");
    for words in ["apply p.plan.json", "apply dev --auto-approve"] {
        bench.expect(9, words).has("it was rejected; nothing was done").has("infrastructure was rejected by alice");
    }
    bench.expect(0, "show p.plan.json").has("was rejected by alice").has("noon");
    // The signature from before does not lift it, however often it is recorded.
    append(&bench, vec![Body::Approved { actor: actor(), approval: Box::new(old.clone()) }]);
    bench.expect(9, "apply p.plan.json").has("it was rejected");
    let again = Approval { rejected: Some(rejection(&bench)), ..old };
    append(&bench, vec![Body::Approved { actor: actor(), approval: Box::new(again) }]);
    bench.expect(9, "apply p.plan.json").has("it was rejected");
    // Somebody else does not lift it either.
    bench.expect(9, "approve p.plan.json --key keys/carol");
    let rejected = ledger(&bench);
    bench.approve("alice", "p.plan.json").has("it has every signature");
    bench.expect(0, "apply p.plan.json").has("complete");
    bench.write(LEDGER, &rejected);
    bench.approve("otto", "p.plan.json");
    bench.expect(0, "apply p.plan.json").has("complete");
    bench.expect(0, "history dev").has("rejected by alice: noon").has("approved by otto as owner");
    // What is planned otherwise was not rejected.
    bench.write(LEDGER, &signed);
    bench.run_as("alice", 0, "reject dev --reason noon");
    let text = bench.read("environments/dev.hcl").replace("\"two\"", "\"three\"");
    bench.write("environments/dev.hcl", &text);
    bench.approve("alice", "dev");
    bench.expect(0, "apply dev --auto-approve").has("complete");
}

/// The record of the newest rejection.
fn rejection(bench: &Bench) -> u64 {
    let history = bench.json(0, "history dev");
    let words = history["signatures"].as_array().unwrap();
    words.iter().rfind(|word| word["word"] == "rejected").unwrap()["record"].as_u64().unwrap()
}
