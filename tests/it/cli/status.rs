//! What `status` says of the way back is what the rollback itself says.

use std::net::TcpListener;

use super::Bench;
use super::settle::{STEP, doubtful_at};
use crate::stack::shared;

/// A project whose one migration makes a table, which a way back would drop.
fn with_table(settings: &str) -> Bench {
    let stack = shared();
    let url = stack.new_database("status");
    let (head, host) = url.rsplit_once('@').unwrap();
    let user = head.rsplit_once(':').map_or(head, |(user, _)| user);
    let bench = Bench::with_spec(&format!(
        "environment \"dev\" {{\n{settings}\n}}\n\nresource \"terraform_data\" \"first\" {{}}\n\n\
         database \"app\" {{\n  url = \"{user}@{host}\"\n  password_file = \"{}\"\n  migrations = \"../migrations\"\n}}\n",
        stack.postgres_password_file().display()
    ));
    bench.write("migrations/V1__make.sql", "CREATE TABLE made (id int);\n");
    bench.write("migrations/V1__make.down.sql", "DROP TABLE made;\n");
    bench.write("migrations/V2__drop.sql", "ALTER TABLE made DROP COLUMN id;\n");
    bench.write("migrations/V2__drop.down.sql", "ALTER TABLE made ADD COLUMN id int;\n");
    bench.expect(0, "apply dev --auto-approve").has("verified");
    // What is in the table goes with it.
    stack.psql(&url, "INSERT INTO made DEFAULT VALUES");
    bench
}

/// What a rollback says that it loses: its own step numbers.
fn losses(bench: &Bench) -> Vec<u64> {
    let said = bench.run("rollback dev --last --auto-approve");
    let steps = said.talk.lines().filter_map(|line| line.strip_prefix("  step ")?.split(' ').next()?.parse().ok());
    // The review lists them, and so does the refusal.
    let steps: std::collections::BTreeSet<u64> = steps.collect();
    assert!(said.code == 9 || said.code == 0, "{}{}", said.out, said.talk);
    steps.into_iter().collect()
}

#[test]
fn the_losses_of_the_way_back_are_numbered_as_the_rollback_numbers_them() {
    let bench = with_table("");
    // What the rollback proves is known from then on to whoever asks the world; the ledger alone proves nothing.
    let lost = losses(&bench);
    for (words, by) in [("status dev", "world"), ("status dev --offline", "ledger")] {
        let back = bench.json(0, words)["way_back"].clone();
        assert_eq!(
            (&back["open"], &back["judged_by"], &back["steps"]),
            (&true.into(), &by.into(), &3.into()),
            "{back}"
        );
        let listed: Vec<u64> =
            back["losses"].as_array().unwrap().iter().map(|loss| loss["step"].as_u64().unwrap()).collect();
        let known: Vec<u64> = listed.iter().copied().filter(|step| by == "world" || lost.contains(step)).collect();
        assert_eq!(known, lost, "{back}");
        assert!(!lost.is_empty(), "{back}");
        assert!(back["milliseconds"].as_i64().unwrap() > 0 && back["unmeasured"] == 0, "{back}");
    }
    bench.expect(0, "status dev").has("is open (3 steps, about").has("would lose:");
    let said = bench.expect(0, "status dev --offline");
    said.has("judged by the ledger alone: `--offline` was given").has("is open (3 steps, about").has("and may lose:");
    said.has("not known   what is in `database.").has("not known   whether others changed or removed any of ");
    assert_eq!(bench.json(0, "status dev")["way_back"].get("unknown"), None, "the world was asked");
}

#[test]
fn where_the_environment_is_protected_every_loss_is_named() {
    let bench = with_table("  protected = true\n  source = [\"checkout\"]");
    let steps = losses(&bench);
    assert!(!steps.is_empty());
    let said = bench.expect(9, "rollback dev --last --accept-loss all --auto-approve");
    said.has("dev is protected").has("rollback dev --last --accept-loss");
    bench.expect(9, "rollback dev --last --out back.plan.json").has("--accept-loss");
    let named: Vec<String> = steps.iter().map(ToString::to_string).collect();
    let words = format!("rollback dev --last --accept-loss {} --auto-approve", named.join(" "));
    bench.expect(0, &words).has("verified");
}

#[test]
fn a_saved_way_back_is_judged_again_when_it_is_applied() {
    let bench = with_table("");
    bench.expect(0, "rollback dev --last --accept-loss all --out back.plan.json").has("saved as back.plan.json");
    bench.write("migrations/V3__more.sql", "ALTER TABLE made ADD COLUMN more int;\n");
    bench.write("migrations/V3__more.down.sql", "ALTER TABLE made DROP COLUMN more;\n");
    bench.expect(0, "apply dev --auto-approve").has("V3__more");
    bench.expect(5, "apply back.plan.json").has("another one by now").has("--out FILE");
    bench.expect(0, "rollback dev --to 0 --accept-loss all --out back.plan.json");
    bench.expect(0, "apply back.plan.json").has("rollback of dev: complete").has("verified");
}

#[test]
fn a_doubt_is_shown_from_its_three_sides_and_status_never_fails() {
    let bench = doubtful_at(TcpListener::bind("127.0.0.1:0").unwrap(), STEP, |text| text);
    let status = bench.json(0, "status dev");
    let doubt = &status["unfinished"]["doubts"][0];
    assert_eq!((&doubt["step"], &doubt["looked"]), (&2.into(), &false.into()), "{status}");
    assert!(doubt["now"].as_str().unwrap().contains("cannot be asked"), "{doubt}");
    let side = doubt["sides"].as_array().unwrap().iter().find(|side| side["path"] == "family").expect("a side");
    assert_eq!((&side["after"], side["before"].is_null(), side["now"].is_null()), (&"second".into(), true, true));
    assert_eq!(status["way_back"]["in_doubt"], 1, "{status}");
    let said = bench.expect(0, "status dev --offline");
    said.has("family: before (none), after \"second\", now (not known)").has("what is in doubt is settled first");
    said.has("settle dev aws_ecs_task_definition.second --as done|not-done");
    said.has("not known   what became of step 2 aws_ecs_task_definition.second");
}
