//! An old and a new revision query the database all the time, from expand over rollout to contract and the whole way
//! back: not one query fails while the endpoint says that their revision runs, and in each rollout both run for a while.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use serde_json::json;

use super::clients::{Asked, Stop, live, overlaps, runs};
use super::project::Project;

/// The migrations that the old release does not have.
const LATER: [&str; 5] = [
    "V7__add_display_name",
    "V8__sync_display_name",
    "V9__backfill_display_name",
    "V10__require_display_name",
    "V11__drop_fullname",
];

/// For how many seconds the old revision runs on beside the new one, in each rollout.
const DRAIN_SECONDS: f64 = 2.0;

/// How often each of two revisions got an answer, at least, while both ran.
const TOGETHER: usize = 4;

const OLD: &str = "shop/web:1.0.0";
const NEW: &str = "shop/web:2.0.0";

/// The shop before the new release.
fn old_release() -> Project {
    let shop = Project::shop("rolling");
    for name in LATER {
        for end in [".sql", ".down.sql"] {
            let (from, to) = (format!("migrations/shop/{name}{end}"), format!("later/{name}{end}"));
            shop.write(&to, &std::fs::read_to_string(shop.path(&from)).unwrap());
            std::fs::remove_file(shop.path(&from)).unwrap();
        }
    }
    let service = "resource \"aws_ecs_service\" \"this\" {\n";
    let needs = format!("{service}  needs_schema    = database.app.between(6, 10)\n");
    shop.edit("modules/web_service/main.hcl", service, &needs);
    shop
}

/// From the old release to the new one, or back.
fn release(shop: &Project, (from, to): (&str, &str), (range, new_range): (&str, &str)) {
    shop.edit("environments/dev.hcl", from, to);
    shop.edit("modules/web_service/main.hcl", range, new_range);
    for name in LATER {
        for end in [".sql", ".down.sql"] {
            let (kept, used) =
                (shop.path(format!("later/{name}{end}")), shop.path(format!("migrations/shop/{name}{end}")));
            match to == NEW {
                true => drop(std::fs::copy(kept, used).unwrap()),
                false => std::fs::remove_file(used).unwrap(),
            }
        }
    }
}

fn new_release(shop: &Project) {
    release(shop, (OLD, NEW), ("between(6, 10)", "between(8, 11)"));
}

fn columns(shop: &Project) -> String {
    let sql = "SELECT string_agg(column_name, ' ' ORDER BY column_name) FROM information_schema.columns WHERE table_name = 'customers'";
    shop.stack().psql(&shop.database_url(), sql)
}

fn wait_until(what: &str, is_it: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_it() {
        assert!(start.elapsed() < Duration::from_secs(180), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
fn in_order(text: &str, words: &[&str]) {
    let mut from = 0;
    for word in words {
        let found = text[from..].find(word);
        from += found.unwrap_or_else(|| panic!("`{word}` does not come after those before it in {words:?}:\n{text}"));
    }
}

#[test]
fn no_query_fails_from_expand_to_contract_and_back() {
    let shop = old_release();
    shop.stack().order(&json!({"drain": {"service": format!("{}-web", shop.name), "seconds": DRAIN_SECONDS}}));
    shop.ok(&["up", "dev"]);
    let is_over = AtomicBool::new(false);
    let (tell, told) = channel();
    std::thread::scope(|scope| {
        let _stop = Stop(&is_over);
        for (image, column) in [(OLD, "fullname"), (NEW, "display_name")] {
            let (shop, is_over, tell) = (&shop, &is_over, tell.clone());
            scope.spawn(move || live(shop, image, column, is_over, &tell));
        }
        there(&shop);
        back_without_the_schema(&shop);
        // The next release goes on from there, and everything goes back.
        new_release(&shop);
        shop.ok(&["up", "dev"]);
        assert_eq!(columns(&shop), "created_at display_name email id");
        let whole = ["rollback", "dev", "--to", "1", "--with-schema", "--accept-loss", "all", "--auto-approve"];
        let said = shop.ok(&whole);
        in_order(
            &said.err,
            &[
                "V11__drop_fullname: done",
                "aws_ecs_service.this: done",
                "V10__require_display_name: done",
                "V7__add_display_name: done",
            ],
        );
        assert_eq!(columns(&shop), "created_at email fullname id");
        wait_until("the old revision runs alone again", || runs(&shop, OLD) && !runs(&shop, NEW));
    });
    drop(tell);
    let asked: Vec<Asked> = told.iter().collect();
    let failed: Vec<&Asked> = asked.iter().filter(|asked| asked.failure.is_some()).collect();
    assert!(failed.is_empty(), "{} of {}: {failed:?}", failed.len(), asked.len());
    // Neither kept silent, through four rollouts, and in each of them both were answered while both ran.
    for image in [OLD, NEW] {
        let count = asked.iter().filter(|asked| asked.image == image).count();
        assert!(count > 30, "{image} asked only {count} times");
    }
    let overlaps = overlaps(&asked, (OLD, NEW));
    let enough = overlaps.iter().filter(|(old, new)| old.min(new) >= &TOGETHER).count();
    assert_eq!(enough, 4, "there were four rollouts; answers while both revisions ran: {overlaps:?}");
}

/// Expand, rollout, contract.
fn there(shop: &Project) {
    new_release(shop);
    let said = shop.ok(&["up", "dev"]);
    let order = [
        "V10__require_display_name: done",
        "aws_ecs_service.this: started",
        "aws_ecs_service.this: done",
        "V11__drop_fullname: started",
    ];
    in_order(&said.err, &order);
    assert_eq!(columns(shop), "created_at display_name email id");
    wait_until("the new revision runs alone", || runs(shop, NEW) && !runs(shop, OLD));
}

/// The services return first; what the old revision works with stays, and is no mistake afterwards.
fn back_without_the_schema(shop: &Project) {
    let said = shop.ok(&["rollback", "dev", "--last", "--accept-loss", "all", "--auto-approve"]);
    in_order(
        &said.err,
        &[
            "the way back takes about",
            "database.app keeps V7__add_display_name",
            "with the schema it takes about",
            "--to 1 --with-schema",
        ],
    );
    in_order(&said.err, &["V11__drop_fullname: done", "aws_ecs_service.this: started"]);
    assert!(!said.err.contains("V10__require_display_name: done"), "{}", said.err);
    assert_eq!(columns(shop), "created_at display_name email fullname id");
    release(shop, (NEW, OLD), ("between(8, 11)", "between(6, 10)"));
    shop.ok(&["plan", "dev", "--detailed-exitcode"]);
}
