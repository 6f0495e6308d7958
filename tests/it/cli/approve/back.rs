//! Ways back: what was signed may be taken back, a loss needs more, and destroying needs an owner.

use super::super::Bench;
use super::super::unfinished;
use super::covers::with_database;
use super::{ALICE, CAROL, INFRASTRUCTURE, OTTO, applied, spec};

const GLASS: &str = "  approval \"dba\" {}\n  approval \"data-loss\" {}\n  approval \"infrastructure\" {}\n  break_glass = [\"otto\"]\n";

#[test]
fn what_was_signed_is_taken_back_exactly_without_another_signature() {
    let bench = applied();
    bench.approve("alice", "dev");
    bench.expect(0, "apply dev --auto-approve").has("run 2, apply of dev: complete");
    bench
        .expect(0, "rollback dev --last --auto-approve")
        .has("run 3, rollback of dev: complete")
        .has("verified")
        .has_not("Signatures");
}

#[test]
fn a_loss_needs_signatures_or_that_somebody_listed_breaks_the_glass() {
    let (bench, url) = with_database("approve_glass", GLASS);
    bench.approve("alice", "dev");
    bench.expect(0, "apply dev --auto-approve").has("complete");
    bench.write("migrations/V2__more.sql", "create table b (id int primary key);\n");
    bench.write("migrations/V2__more.down.sql", "drop table b;\n");
    bench.approve("alice", "dev");
    bench.expect(0, "apply dev --auto-approve").has("complete");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        crate::postgres::session(&url).await.batch_execute("insert into b values (1)").await.unwrap();
    });
    bench.expect(9, "rollback dev --last --auto-approve").has("--accept-loss 1");
    let back = "rollback dev --last --accept-loss 1 --auto-approve";
    let said = bench.expect(9, back);
    said.has("signatures are missing; nothing was done").has("data-loss for database").has("--break-glass WHY");
    bench.expect(9, &format!("{back} --break-glass now")).has("`tester` is no approver");
    bench.run_as("alice", 9, &format!("{back} --break-glass now")).has("alice is not among those who may").has("otto");
    let said = bench.run_as("otto", 0, &format!("{back} --break-glass outage"));
    said.has("the glass is broken by otto, which is recorded: outage").has("verified");
    for words in ["history dev", "status dev"] {
        bench.expect(0, words).has("the glass was broken for run 3").has("by otto: outage");
    }
    let history = bench.json(0, "history dev");
    let broken = &history["runs"][2]["broken_glass"];
    assert_eq!((&broken["by"], &broken["reason"]), (&"otto".into(), &"outage".into()), "{history}");
    assert!(broken["lost"][0].as_str().unwrap().contains("database.app"), "{history}");
    assert_eq!(bench.json(0, "status dev")["broken_glass"][0]["run"], 3);
    bench.expect(0, "history dev --verify").has("is whole");
    // Instead of breaking it, the way back can be saved and signed.
    let (other, url) = with_database("approve_glass_signed", GLASS);
    other.approve("alice", "dev");
    other.expect(0, "apply dev --auto-approve").has("complete");
    runtime.block_on(async {
        crate::postgres::session(&url).await.batch_execute("insert into a values (1)").await.unwrap();
    });
    other.expect(0, "rollback dev --to 0 --accept-loss all --out back.plan.json").has("data-loss for database");
    other.expect(9, "apply back.plan.json").has("signatures are missing");
    other.approve("alice", "back.plan.json").has("it has every signature");
    other.expect(0, "apply back.plan.json").has("verified");
}

#[test]
fn destroying_needs_an_owner_and_so_does_going_below_the_ground_of_a_protected_environment() {
    let protected =
        format!("  protected = true\n  source = [\"checkout\"]\n{INFRASTRUCTURE}  break_glass = [\"alice\"]\n");
    let bench = Bench::with_spec("");
    let approvers = bench.approvers(&[ALICE, CAROL, OTTO]);
    bench.write("environments/dev.hcl", &spec(&approvers, &protected, "one"));
    bench.approve("alice", "dev");
    bench.expect(0, "apply dev --auto-approve").has("complete");
    bench.expect(9, "destroy dev --auto-approve").has("dev is protected: it is not destroyed");
    let said = bench.expect(9, "rollback dev --to 0 --auto-approve");
    said.has("owner for whole").has("it counts as destroying the environment").has("otto may sign");
    bench.run_as("alice", 9, "rollback dev --to 0 --auto-approve --break-glass now").has("needs its signatures");
    bench.expect(9, "rollback dev --last --auto-approve").has("owner for whole");
    // Where nothing is protected, everything can be destroyed, which an owner signs.
    let bench = applied();
    let said = bench.expect(9, "destroy dev --auto-approve");
    said.has("owner for whole").has("it counts as destroying the environment").has("infrastructure for infrastructure");
    bench.expect(0, "destroy dev --out gone.plan.json").has("owner for whole");
    bench.approve("alice", "gone.plan.json");
    bench.expect(9, "apply gone.plan.json").has("owner for whole");
    bench.approve("otto", "gone.plan.json").has("it has every signature");
    bench.expect(0, "apply gone.plan.json").has("complete");
    // The rules outlive what they protected.
    bench.expect(9, "apply dev --auto-approve").has("by the rules as last applied");
    // Without protection, going back to nothing is a way back like any other.
    let bench = applied();
    bench.expect(0, "rollback dev --to 0 --auto-approve").has("verified");
}

#[test]
fn an_unfinished_run_goes_on_unless_it_was_rejected_since() {
    let nowhere = unfinished::nowhere();
    let bench = Bench::with_spec("");
    let rules = format!("{}{INFRASTRUCTURE}", bench.approvers(&[ALICE, OTTO]));
    let text = unfinished::spec(&nowhere, "one");
    let text = text.replace("environment \"dev\" {}", &format!("environment \"dev\" {{\n{rules}}}"));
    bench.write("environments/dev.hcl", &text);
    bench.expect(0, "plan dev --out p.plan.json");
    bench.expect(9, "apply p.plan.json");
    bench.approve("alice", "p.plan.json");
    bench.expect(6, "apply p.plan.json").has("1 done, 1 failed, 1 skipped");
    bench.expect(6, "resume dev --auto-approve").has("1 failed");
    bench.run_as("alice", 0, "reject p.plan.json --reason wrong");
    for words in ["resume dev --auto-approve", "apply p.plan.json", "apply dev --auto-approve"] {
        bench
            .expect(9, words)
            .has("run 1 must not go on")
            .has("was rejected by alice: wrong")
            .has("rollback dev --last");
    }
    bench.expect(0, "rollback dev --last --auto-approve").has("verified");
    bench.expect(0, "history dev --verify").has("is whole");
    // A failure that is taken back at once needs no second signature.
    let other = Bench::with_spec("");
    let rules = format!("{}{INFRASTRUCTURE}", other.approvers(&[ALICE, OTTO]));
    let text = unfinished::spec(&nowhere, "one");
    other.write(
        "environments/dev.hcl",
        &text.replace("environment \"dev\" {}", &format!("environment \"dev\" {{\n{rules}}}")),
    );
    other.approve("alice", "dev");
    other.expect(12, "apply dev --auto-approve --on-failure=rollback");
}
