//! The whole way, twice, and back by hand from each place: nobody's query fails, and what was before is there again.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;

use serde_json::json;

use super::{Repository, in_order, is_whole, signing_keys};
use crate::shop::clients::{Asked, Stop, live, overlaps};
use crate::shop::project::Project;
use crate::shop::world::{Snapshot, snapshot};

/// For how many seconds the old revision runs on beside the new one, in each rollout.
const DRAIN_SECONDS: f64 = 2.0;

/// How often each of two revisions got an answer, at least, while both ran.
const TOGETHER: usize = 4;

const PLACES: [&str; 3] = ["dev", "staging", "prod"];

/// Rows of before the second release, which every way back has to bring back as they were.
const ROWS: &str =
    "INSERT INTO customers (email, fullname) VALUES ('ada@example.org', 'Ada'), ('eve@example.org', 'Eve')";

/// What is there of a place; of the customers only those of before, for clients write theirs all the time.
fn seen(place: &Project, column: &str) -> Snapshot {
    let mut seen = snapshot(place);
    is_whole(&seen);
    let own = format!("SELECT email, {column}, created_at FROM customers WHERE email !~ '-[0-9]+@' ORDER BY 1");
    let others = seen.rows.lines().filter(|line| !line.contains("customers"));
    seen.rows = others.collect::<Vec<_>>().join("\n") + &place.stack().psql(&place.database_url(), &own);
    seen.schema = without_order(&seen.schema);
    seen
}

/// A schema in which the order of a table's columns does not count: what is dropped comes back at the end, as is said.
fn without_order(schema: &str) -> String {
    let mut lines: Vec<&str> = schema.lines().map(|line| line.trim_end_matches(',')).collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
fn a_release_goes_to_prod_by_its_tag_and_back_and_no_query_fails() {
    let repository = Repository::new("story").in_a_registry();
    let [old, new] = repository.run;
    repository.prod_is_careful();
    let prod = repository.shop.place("prod");
    let service = format!("{}-web", prod.name);
    repository.shop.stack().order(&json!({"drain": {"service": service, "seconds": DRAIN_SECONDS}}));
    let first = repository.made();
    repository.staged(&first, "v1.0.0");
    repository.to_prod("v1.0.0");
    for place in PLACES.map(|name| repository.shop.place(name)) {
        place.stack().psql(&place.database_url(), ROWS);
    }
    let before = PLACES.map(|name| seen(&repository.shop.place(name), "fullname"));
    let keys_before = keys(&repository);

    let is_over = AtomicBool::new(false);
    let (tell, told) = channel();
    std::thread::scope(|scope| {
        let _stop = Stop(&is_over);
        for (image, column) in [(old, "fullname"), (new, "display_name")] {
            let (prod, is_over, tell) = (&prod, &is_over, tell.clone());
            scope.spawn(move || live(prod, image, column, is_over, &tell));
        }
        there(&repository);
        let after = PLACES.map(|name| seen(&repository.shop.place(name), "display_name"));
        let keys_after = keys(&repository);
        assert!(keys_before.iter().zip(&keys_after).all(|(before, after)| before != after), "each was rotated");
        told_by_history(&repository, &first);
        // Back by hand, each place by itself, the last one first; then once more the whole way.
        for (name, before) in PLACES.iter().zip(&before).rev() {
            repository.goes_back(name, if *name == "dev" { "--last" } else { "--to v1.0.0" });
            similar(&seen(&repository.shop.place(name), "fullname"), before, name);
        }
        assert_eq!(keys(&repository), keys_before, "each is the earlier one again");
        // It is held where it was taken back, and comes again when somebody lets it.
        repository.types(8, "promote staging prod --tag v2.0.0 --auto-approve");
        for name in PLACES {
            repository.types(0, &format!("hold {name} lift --reason mended"));
        }
        assert!(repository.types(0, "apply dev --auto-approve").err.contains("verified"));
        repository.types(0, "release create dev");
        assert!(repository.types(0, "promote dev staging --auto-approve").err.contains("verified"));
        repository.types(0, "promote staging prod --tag v2.0.0 --out p.plan.json");
        repository.types(0, "approve p.plan.json --key keys/dora");
        repository.types(0, "apply p.plan.json");
        for (name, after) in PLACES.iter().zip(&after) {
            similar(&seen(&repository.shop.place(name), "display_name"), after, name);
        }
    });
    drop(tell);
    let asked: Vec<Asked> = told.iter().collect();
    let failed: Vec<&Asked> = asked.iter().filter(|asked| asked.failure.is_some()).collect();
    assert!(failed.is_empty(), "{} of {}: {failed:?}", failed.len(), asked.len());
    let overlaps = overlaps(&asked, (old, new));
    let enough = overlaps.iter().filter(|(old, new)| old.min(new) >= &TOGETHER).count();
    assert_eq!(enough, 3, "there were three rollouts in prod; answers while both revisions ran: {overlaps:?}");
}

/// The key of each place, which its service reads as well; no two are the same.
fn keys(repository: &Repository) -> [String; 3] {
    let keys = PLACES.map(|name| signing_keys(&repository.shop.place(name)));
    assert!(keys.iter().all(|[current, read]| current == read), "a service reads what is current");
    let keys = keys.map(|[current, _]| current);
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2], "each place has its own");
    keys
}

/// The same world, but that a revision which was made again has another number.
#[track_caller]
fn similar(now: &Snapshot, before: &Snapshot, place: &str) {
    let plain = |snapshot: &Snapshot| {
        let text = format!("{snapshot:#?}");
        let mut parts = text.split("task-definition/");
        let mut plain = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (family, rest) = part.split_once(':').unwrap_or((part, ""));
            plain += &format!("{family}:N{}", rest.trim_start_matches(|digit: char| digit.is_ascii_digit()));
        }
        plain
    };
    assert_eq!(plain(now), plain(before), "{place}");
}

/// The second release on its way: expand, rollout, contract in each place.
fn there(repository: &Repository) {
    repository.second();
    let second = repository.made();
    // Not before it is in staging, and not before somebody has seen it there.
    let skipped = repository.types(1, "promote dev prod --auto-approve");
    assert!(skipped.err.contains("a stage would be skipped"), "{}", skipped.err);
    assert!(repository.types(0, "promote dev staging --auto-approve").err.contains("verified"));
    let unseen = repository.types(9, "promote staging prod --auto-approve");
    assert!(unseen.err.contains("it was not accepted as uat"), "{}", unseen.err);
    repository.types(0, &format!("release accept {second} --in staging --as uat --note seen"));
    repository.types(0, &format!("release tag {second} v2.0.0"));
    // What was verified is what runs, wherever the tag of the image points to by then.
    repository.push("2.0.0", "another");
    let said = repository.to_prod("v2.0.0");
    repository.push("2.0.0", "2.0.0");
    in_order(
        &said.err,
        &[
            "V10__require_display_name: done",
            "aws_ecs_service.this: started",
            "aws_ecs_service.this: done",
            "V11__drop_fullname: started",
        ],
    );
    assert!(said.err.contains("verified"), "{}", said.err);
    // A plan of prod from the checkout changes the place's own values only.
    let nothing = repository.types(0, "plan prod");
    assert!(nothing.err.contains("nothing to do") && nothing.err.contains("over release"), "{}", nothing.err);
}

/// Who brought what, from where, by which tag.
fn told_by_history(repository: &Repository, first: &str) {
    let told = repository.types(0, "history prod").err;
    let first = &first[..12];
    in_order(&told, &[&format!("release {first}, from run"), "of staging, by tag v1.0.0", "of staging, by tag v2.0.0"]);
    in_order(&repository.types(0, "history staging").err, &["of dev", "accepted as uat", "of dev"]);
    repository.types(0, "history prod --verify");
}
