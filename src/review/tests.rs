//! What reviews say, against small change sets made by hand.

use std::collections::{BTreeMap, BTreeSet};

use super::text::Plain;
use super::{Review, markdown, proof, text};
use crate::digest::Digest;
use crate::migration::certificate::{Basis, Certificate, Evidence, Verdict};
use crate::migration::observation::{LockMode, Observation};
use crate::migration::{Direction, Migration};
use crate::rehearse::target::{Along, Answer, Foretold, Target, Targets, Untold};
use crate::review::grounds::Grounds;
use crate::step::{Action, ChangeSet, Fingerprint, Inverse, Operation, PlannedOutput, Reason, Step, StepId, Way};
use crate::value::{Object, Sealed, Type, Unknown, Value};
use crate::world::{Binding, LongTransaction, Size, TargetFacts};

fn object(entries: &[(&str, Value)]) -> Object {
    entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn step(id: u32, address: &str, action: Action, reason: Reason, inverse: Inverse) -> Step {
    let provider = if address.starts_with("database") { "postgres" } else { "terraform" };
    Step {
        id: StepId(id),
        address: address.parse().expect("an address"),
        binding: Binding { provider: provider.to_owned(), ..Binding::default() },
        action,
        reason,
        inverse,
        after: (1..id).map(StepId).filter(|other| other.0 + 1 == id).collect(),
        rests_on: BTreeMap::new(),
        found: Fingerprint::Absent,
        needs: BTreeSet::new(),
        needs_schema: BTreeMap::new(),
        ahead: BTreeSet::new(),
    }
}

fn migration(sql: &str) -> Action {
    let migration = Box::new(Migration::plain(7, "drop_email", sql, None));
    Action::Migrate { direction: Direction::Up, migration, lock_timeout_milliseconds: 3000, from: Default::default() }
}

/// A change set with a creation, an update of a JSON text, a replacement, and a migration without a way back.
pub(crate) fn sample() -> ChangeSet {
    let kind = || "terraform_data".to_owned();
    let exact = |way| Inverse::Exact { way };
    let created = object(&[
        ("input", Value::from("a")),
        ("id", Value::unknown(Unknown::of(Type::String))),
        ("token", Value::sealed(Sealed { digest: None })),
    ]);
    let before = object(&[("input", r#"{"image":"a:1","cpu":1}"#.into()), ("id", "1".into())]);
    let after = object(&[("input", r#"{"image":"a:2","cpu":1}"#.into()), ("id", "1".into())]);
    let replaced = || Reason::Replaced { attributes: vec!["triggers_replace".into()] };
    let gone = object(&[("id", "2".into())]);
    let made = object(&[("id", Value::unknown(Unknown::of(Type::String)))]);
    let no_way = Inverse::Impossible { why: "column `email` of `users` is gone, and there is no down file".into() };
    let changed = Reason::Changed { attributes: vec!["input".into()], drifted: vec![] };
    let create = |after| Action::Create { kind: kind(), after, deferred: BTreeMap::new() };
    let update = Action::Update { kind: kind(), before, after, deferred: BTreeMap::new() };
    let delete = Action::Delete { kind: kind(), before: gone };
    let again = Inverse::Recreates { way: Way::CreateAgain, why: "its id is another one".into() };
    let steps = vec![
        step(1, "terraform_data.new", create(created), Reason::New, exact(Way::Delete)),
        step(2, "terraform_data.json", update, changed, exact(Way::UpdateBack)),
        step(3, "terraform_data.old", delete, replaced(), again),
        step(4, "terraform_data.old", create(made), replaced(), exact(Way::Delete)),
        step(5, "database.app", migration("ALTER TABLE users\n  DROP COLUMN email;\n"), Reason::Pending, no_way),
    ];
    let output = PlannedOutput { value: "https://shop".into(), deferred: None };
    ChangeSet {
        format: crate::step::FORMAT,
        project: "shop".into(),
        environment: "dev".into(),
        operation: Operation::Apply,
        chain: None,
        spec_digest: Some(Digest::of_bytes(b"spec")),
        steps,
        point_of_no_return: Some(StepId(5)),
        checks: Vec::new(),
        outputs: BTreeMap::from([("url".to_owned(), output)]),
        standing: crate::step::Standing::default(),
        approval_rules: None,
        owed: std::collections::BTreeSet::new(),
        with_schema: false,
        release: None,
        images: Default::default(),
        gates: Default::default(),
        origins: std::collections::BTreeMap::new(),
    }
}

#[test]
fn the_text_says_all_in_order() {
    let review = Review::of(&sample());
    let expected = format!(
        r#"Plan for dev of project shop
  in terraform
     postgres

   1  + create       terraform_data.new
      created because it is new in the spec
      + input: "a"
      + token: (sensitive value)
        known after apply: id
      way back: exact, remove it

   2  ~ update       terraform_data.json  (after 1)
      updated because input changed
      ~ input.image: "a:1" -> "a:2"
        1 unchanged attribute not shown
      way back: exact, change it back in place

   3  - delete       terraform_data.old  (after 2)
      replaced because triggers_replace is immutable
      way back: recreates, make it again (its id is another one)

   4  + create       terraform_data.old  (after 3)
      replaced because triggers_replace is immutable
        known after apply: id
      way back: exact, remove it

──── point of no return: from step 5 on, not everything can be taken back ────

   5  > migrate      database.app V7__drop_email  (after 4)
      migrated because it was not applied yet
      | ALTER TABLE users
      |   DROP COLUMN email;
      way back: impossible (column `email` of `users` is gone, and there is no down file)

Outputs afterwards
  url = "https://shop"

1 to create, 1 to update, 1 to replace, 1 migration to run
the first 4 steps can be taken back; lost on the way back:
  step 5 database.app V7__drop_email: impossible, column `email` of `users` is gone, and there is no down file
change set {}
"#,
        review.digest.short()
    );
    assert_eq!(text::render(&review, &Plain), expected);
}

#[test]
fn a_plan_of_nothing_says_so_plainly() {
    let nothing = ChangeSet { steps: vec![], point_of_no_return: None, ..sample() };
    let review = Review::of(&nothing);
    assert!(text::render(&review, &Plain).contains("nothing to do"));
    assert!(markdown::render(&review).contains("**nothing to do**"));
    assert_eq!(super::words::counts(&review.summary), "nothing to do");
}

#[test]
fn a_comment_never_outgrows_the_forge() {
    let mut large = sample();
    let long = format!("SELECT '{}';\n", "x".repeat(100)).repeat(2_000);
    for id in 6..3_000 {
        let action = migration(if id == 6 { &long } else { "SELECT 1;" });
        large.steps.push(step(id, "database.app", action, Reason::Pending, Inverse::Impossible { why: "no".into() }));
    }
    for count in [5, 6, 200, 2_999] {
        let some = ChangeSet { steps: large.steps[..count].to_vec(), ..large.clone() };
        let comment = markdown::render(&Review::of(&some));
        assert!(comment.len() <= markdown::LIMIT, "{count} steps: {} bytes", comment.len());
        assert!(comment.contains("Point of no return: step 5"), "{count} steps");
        assert!(comment.contains(&some.digest().short()), "{count} steps");
    }
}

/// A plan of so many steps: long SQL, losses, findings of each level, what the target says.
fn crowded(count: u32) -> Review {
    let mut large = sample();
    let mut findings = crate::rules::Findings::default();
    for id in 6..=count {
        let sql = format!("SELECT '{}';\n", "x".repeat(90)).repeat(1 + (id as usize % 40));
        let way_back = match id % 3 {
            0 => Inverse::Impossible { why: format!("table t{id} is gone, and nobody kept what was in it") },
            _ => Inverse::Exact { way: Way::MigrateBack },
        };
        large.steps.push(step(id, "database.app", migration(&sql), Reason::Pending, way_back));
        let level = crate::rules::Level::ALL[id as usize % 3];
        findings.found.push(crate::rules::Finding {
            rule: "some-rule".to_owned(),
            level,
            place: crate::rules::Place { step: Some(StepId(id)), version: Some(7), ..Default::default() },
            message: format!("finding {id} of level {}", level.word()),
            reason: String::new(),
            help: String::new(),
            rewrite: Some(sql),
        });
    }
    findings.found.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    Review::proved(&large, &Grounds { findings, targets: targets(), ..Grounds::default() })
}

#[test]
fn a_comment_on_five_hundred_steps_summarises_and_cuts_nothing() {
    let review = crowded(500);
    let comment = markdown::render(&review);
    assert!(comment.len() <= markdown::LIMIT && comment.chars().count() < 65_000, "{}", comment.len());
    assert!(comment.len() > markdown::LIMIT / 2, "there is room for more: {}", comment.len());
    // Losses and findings go before the table: all of these fit, so all of them are there.
    let losses = &review.point_of_no_return.as_ref().expect("a point").losses;
    for loss in losses {
        assert!(comment.contains(&format!("> - step {} ", loss.step)), "step {}", loss.step);
    }
    for finding in review.findings.found.iter().filter(|finding| finding.level > crate::rules::Level::Note) {
        assert!(comment.contains(&finding.message), "{}", finding.message);
    }
    // How many of what is not shown, and where it is.
    let rows = (1..=500).filter(|id| comment.contains(&format!("\n| {id} | "))).count();
    let said = comment.lines().find(|line| line.starts_with("**Not shown here**")).expect("the summary");
    assert!(rows < 500 && said.contains(&format!("{} of 500 steps", 500 - rows)), "{rows}: {said}");
    assert!(said.contains("the SQL of 496 migrations") && said.contains("switchback show PLANFILE"), "{said}");
    assert!(comment.contains(&format!("… and {} more steps", 500 - rows)));
    // Nothing is cut: what is opened is closed, each line of a list is one that the whole review has.
    for (open, close) in [("<details>", "</details>"), ("<code>", "</code>"), ("<summary>", "</summary>")] {
        assert_eq!(comment.matches(open).count(), comment.matches(close).count(), "{open}");
    }
    assert_eq!(comment.lines().filter(|line| line.starts_with("```")).count() % 2, 0);
    assert!(comment.ends_with(&format!("change set `{}`\n", review.digest.short())));
    for row in comment.lines().filter(|line| line.starts_with("| ")) {
        assert_eq!(row.matches(" | ").count(), 4, "{row}");
    }
}

#[test]
fn what_fits_is_not_summarised() {
    for count in [5, 20] {
        let comment = markdown::render(&crowded(count));
        assert!(!comment.contains("Not shown here") && comment.contains("```sql"), "{comment}");
    }
    let some = markdown::render(&crowded(60));
    assert!(some.contains("**Not shown here**") && some.contains("the SQL of"), "{}", &some[some.len() - 400..]);
    assert!(!some.contains("more steps"), "the table is whole before any SQL is shown");
}

#[test]
fn words_of_others_cannot_leave_their_place_in_a_comment_or_on_a_terminal() {
    let mut evil = sample();
    evil.steps[4].inverse = Inverse::Impossible { why: "@all | <img src=x> \u{1b}[31m\u{202e}".into() };
    evil.steps[4].action = migration("-- ```\n</details>\n\u{1b}]0;title\u{7}");
    let review = Review::of(&evil);
    let comment = markdown::render(&review);
    assert!(!comment.contains("<img") && !comment.contains("@all"), "{comment}");
    assert!(comment.contains("````sql\n-- ```"), "{comment}");
    for shown in [comment, text::render(&review, &Plain)] {
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown:?}");
    }
}

#[test]
fn a_database_that_the_plan_makes_has_nothing_to_lose_yet() {
    let words = "database.app is made by this plan: nothing is in it yet that could be lost";
    assert!(!text::render(&Review::of(&sample()), &Plain).contains(words), "it was there before");
    let mut new = sample();
    let Action::Create { kind, .. } = &mut new.steps[3].action else { panic!("it is made") };
    "postgres_database".clone_into(kind);
    let shown = text::render(&Review::of(&new), &Plain);
    assert!(shown.contains(words), "{shown}");
}

#[test]
fn the_json_holds_the_same_facts() {
    let json = serde_json::to_value(Review::of(&sample())).expect("a review is data");
    assert_eq!(json["summary"]["replace"], 1);
    assert_eq!(json["steps"][0]["changes"]["attributes"][2]["after"], "(sensitive value)");
    assert_eq!(json["steps"][4]["migration"]["sql"], "ALTER TABLE users\n  DROP COLUMN email;\n");
    assert_eq!(json["steps"][4]["inverse"]["reversible"], false);
    assert_eq!(json["point_of_no_return"]["losses"][0]["step"], 5);
}

#[test]
fn what_the_spec_leaves_to_the_world_is_not_shown_as_removed() {
    let shown = |attributes: &[&str]| {
        let (before, after) = (
            object(&[("given", "a".into()), ("left", "x".into()), ("gone", "y".into())]),
            object(&[("given", "b".into())]),
        );
        let action = Action::Update { kind: "k".into(), before, after, deferred: BTreeMap::new() };
        let attributes = attributes.iter().map(|name| (*name).to_owned()).collect();
        let way_back = Inverse::Exact { way: Way::UpdateBack };
        let mut change_set = sample();
        change_set.steps =
            vec![step(1, "k.one", action, Reason::Changed { attributes, drifted: Vec::new() }, way_back)];
        let changes = Review::of(&change_set).steps.remove(0).changes;
        (changes.attributes.into_iter().map(|one| one.path).collect::<Vec<_>>(), changes.unchanged)
    };
    assert_eq!(shown(&["given", "gone"]), (vec!["given".to_owned(), "gone".to_owned()], 1));
    assert_eq!(shown(&["given"]), (vec!["given".to_owned()], 2));
}

fn certified(verdict: Verdict) -> (Evidence, Vec<String>) {
    let locks = BTreeMap::from([
        ("public.users".to_owned(), LockMode::AccessExclusive),
        ("public.orders".to_owned(), LockMode::AccessShare),
    ]);
    let heavy = Observation {
        statement: 1,
        line: 3,
        locks,
        rewrites: BTreeSet::from(["public.users".to_owned()]),
        scans: BTreeSet::from(["public.users".to_owned()]),
        ..Observation::default()
    };
    let light = Observation { statement: 2, line: 9, ..Observation::default() };
    let certificate = Certificate {
        server: "15.18".to_owned(),
        basis: Basis::Seeded { rows: 12 },
        verdict,
        undone: vec!["users.points".to_owned()],
        forth: vec![heavy, light.clone()],
        back: vec![light],
        ..crate::rehearse::not_rehearsed("")
    };
    let lines = proof::lines(&certificate, targets().0.values().next().unwrap().sizes().unwrap());
    let lines = lines.into_iter().map(|line| line.text).collect();
    let certificates = BTreeMap::from([(7, certificate)]);
    (Evidence(BTreeMap::from([("database.app".parse().unwrap(), certificates)])), lines)
}

#[test]
fn a_certificate_takes_a_line_and_each_finding_one_more() {
    let (evidence, lines) = certified(Verdict::Exact);
    assert_eq!(
        lines,
        [
            "rehearsed on PostgreSQL 15.18 with 12 seeded rows: exact",
            "what is written later would be undone: users.points",
            "observed forth, line 3: public.users ACCESS EXCLUSIVE (1.2 GB, about 3 million rows), rewritten, scanned",
        ]
    );
    let review = Review::proved(&sample(), &grounds(evidence, targets()));
    let shown = text::render(&review, &Plain);
    let comment = markdown::render(&review);
    for line in &lines {
        assert!(shown.contains(&format!("      {line}\n")) && comment.contains(line), "{line}:\n{shown}\n{comment}");
    }
    let json = serde_json::to_value(&review).unwrap();
    let certificate = &json["steps"][4]["certificate"];
    assert_eq!((&certificate["verdict"]["verdict"], &certificate["server"]), (&"exact".into(), &"15.18".into()));
    assert_eq!(certificate["forth"][0]["locks"]["public.orders"], "access_share", "programs get all of it");
    assert!(json["steps"][0].get("certificate").is_none());
}

fn grounds(evidence: Evidence, targets: Targets) -> Grounds {
    Grounds { evidence, targets, ..Grounds::default() }
}

/// What the database of the sample says of itself.
pub fn targets() -> Targets {
    let long = LongTransaction {
        process: 7,
        user: "shop".to_owned(),
        application: "psql".to_owned(),
        seconds: 5.3,
        query: "select '…'".to_owned(),
    };
    let facts = TargetFacts {
        server: "15.18".to_owned(),
        sizes: BTreeMap::from([("public.users".to_owned(), Size { rows: Some(3_000_000), bytes: 1_234_000_000 })]),
        long: vec![long],
        ..TargetFacts::default()
    };
    saying(Answer::Facts(facts), Foretold::default())
}

fn saying(answer: Answer, foretold: Foretold) -> Targets {
    let at = "2026-11-21T10:00:00Z".parse().unwrap();
    let foretold = if foretold == Foretold::default() { BTreeMap::new() } else { BTreeMap::from([(7, foretold)]) };
    Targets(BTreeMap::from([("database.app".parse().unwrap(), Target { at, answer, foretold })]))
}

#[test]
fn what_the_target_says_stands_above_the_steps_with_its_time() {
    let review = Review::proved(&sample(), &grounds(Evidence::default(), targets()));
    let lines = [
        "database.app, PostgreSQL 15.18, read at 2026-11-21T10:00:00Z",
        "  process 7 of user shop, application `psql`, has had a transaction open for 5 s: `select '…'`",
    ];
    let (shown, comment) = (text::render(&review, &Plain), markdown::render(&review));
    assert!(shown.contains(&format!("  {}\n  {}\n\n   1", lines[0], lines[1])), "{shown}");
    assert!(comment.contains(&format!("```\n{}\n{}\n```", lines[0], lines[1])), "{comment}");
    let json = serde_json::to_value(&review).unwrap();
    let target = &json["targets"][0];
    assert_eq!((&target["database"], &target["facts"]["long"][0]["seconds"]), (&"database.app".into(), &5.3.into()));
    assert_eq!(target["facts"]["sizes"]["public.users"]["bytes"], 1_234_000_000);
    let said = |answer: Answer| {
        let review = Review::proved(&sample(), &grounds(Evidence::default(), saying(answer, Foretold::default())));
        text::render(&review, &Plain)
    };
    let quiet = said(Answer::Facts(TargetFacts { server: "13.23".to_owned(), ..TargetFacts::default() }));
    let words =
        "PostgreSQL 13.23, read at 2026-11-21T10:00:00Z: nobody waits, no transaction is long, no replica follows\n";
    assert!(quiet.contains(words), "{quiet}");
    let silent = said(Answer::Unreadable("permission denied".to_owned()));
    let words = "database.app could not be asked about itself at 2026-11-21T10:00:00Z: permission denied\n";
    assert!(silent.contains(words), "{silent}");
    assert_eq!(Review::of(&sample()).digest, review.digest, "what it says is no part of the change set");
}

#[test]
fn what_was_not_rehearsed_is_predicted_and_called_so() {
    let locks = BTreeMap::from([("public.users".to_owned(), LockMode::AccessExclusive)]);
    let forth = vec![Observation { statement: 2, line: 4, locks, ..Observation::default() }];
    let unknown = |way, statement| Untold { way, statement, why: "no rule is known for this statement".to_owned() };
    let unknown = (1..=8).map(|statement| unknown(Along::Back, statement)).chain([unknown(Along::Forth, 1)]).collect();
    let facts = targets().0.into_values().next().unwrap().answer;
    let targets = saying(facts, Foretold { forth, back: Vec::new(), unknown });
    let review = Review::proved(&sample(), &grounds(Evidence::default(), targets));
    let shown = text::render(&review, &Plain);
    for line in [
        "predicted forth, line 4: public.users ACCESS EXCLUSIVE (1.2 GB, about 3 million rows)",
        "not predicted forth, statement 1: no rule is known for this statement",
        "not predicted back, statement 6: no rule is known for this statement",
        "not predicted back: … 2 statements more; all with `--json`",
    ] {
        assert!(shown.contains(&format!("      {line}\n")), "{line}:\n{shown}");
    }
    assert!(!shown.contains("observed") && !shown.contains("statement 7"), "{shown}");
    let json = serde_json::to_value(&review).unwrap();
    assert_eq!(json["steps"][4]["foretold"]["forth"][0]["locks"]["public.users"], "access_exclusive");
    assert_eq!(json["steps"][4]["foretold"]["unknown"].as_array().map(Vec::len), Some(9));
    assert!(json["targets"][0].get("foretold").is_none(), "it stands at its step");
}

#[test]
fn a_long_difference_is_cut_and_says_so() {
    let difference: Vec<String> = (0..20).map(|line| format!("- column {line}")).collect();
    let (_, lines) = certified(Verdict::Otherwise { difference });
    assert!(lines[0].ends_with(": restores something else"), "{lines:?}");
    assert_eq!((lines[1].as_str(), lines[12].as_str()), ("  - column 0", "  - column 11"));
    assert_eq!(lines[13], "  … 8 lines more; all with `--json`");
    let (_, lines) = certified(Verdict::NotRehearsed { why: "no citext here".to_owned() });
    assert_eq!(lines[0], "not rehearsed: no citext here");
    let (_, lines) = certified(Verdict::Fails { direction: Direction::Down, error: "line 2: no".to_owned() });
    assert!(lines[0].ends_with(": fails on the way down: line 2: no"), "{lines:?}");
}
