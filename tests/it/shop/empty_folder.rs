//! The way back from nowhere: only the binary and the ledger's URL.

use super::project::Project;
use super::world::{assert_nothing_is_left, snapshot};

#[test]
fn a_rollback_needs_neither_spec_nor_migrations() {
    let shop = Project::shop("nowhere");
    shop.ok(&["up", "dev"]);
    let status = shop.ok(&["status", "dev", "--json"]).json();
    let url = find(&status, "ledger").expect("status names the ledger's URL");
    assert!(url.starts_with("file:/"), "{url}");

    let elsewhere = Project::empty("elsewhere");
    let said = elsewhere.ok(&["status", "dev", "--ledger", &url]);
    assert!(said.out.contains("dev"), "{}", said.out);
    assert_ne!(snapshot(&shop).clusters.len(), 0);
    elsewhere.exits(9, &["rollback", "dev", "--last", "--auto-approve", "--ledger", &url]);
    elsewhere.ok(&["rollback", "dev", "--last", "--accept-loss", "all", "--auto-approve", "--ledger", &url]);
    assert_nothing_is_left(&shop);
    let files = std::fs::read_dir(elsewhere.path(".")).unwrap().count();
    assert_eq!(files, 0, "the empty folder is still empty");
}

/// The first string under a name, at any depth.
fn find(json: &serde_json::Value, name: &str) -> Option<String> {
    match json {
        serde_json::Value::Object(object) => object
            .get(name)
            .and_then(|value| value.as_str().map(str::to_owned).or_else(|| find(value, "url")))
            .or_else(|| object.values().find_map(|value| find(value, name))),
        serde_json::Value::Array(items) => items.iter().find_map(|item| find(item, name)),
        _ => None,
    }
}
