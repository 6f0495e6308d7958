//! The shop with its ledger in S3: up, a change, the way back, and who did it.

use super::project::Project;
use super::world::{assert_nothing_is_left, snapshot};

#[test]
fn the_shop_lives_with_its_ledger_in_s3() {
    let mut shop = Project::shop("s3");
    let facts = shop.stack().facts();
    let url = format!("s3://{}-ledgers/shop?region={}&endpoint={}", shop.name, facts.region, facts.aws_endpoint);
    let refused = shop.exits(1, &["up", "dev", "--ledger", &url]);
    assert!(refused.err.contains("NoSuchBucket") && refused.err.contains("init --ledger"), "{}", refused.err);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(switchback::store::s3::make_place(&url)).expect("the place is made");
    shop.ok(&["up", "dev", "--ledger", &url]);
    assert!(!shop.path(".switchback/ledger").exists(), "nothing lies here");
    let before = snapshot(&shop);

    shop.set("SWITCHBACK_LEDGER", &url);
    shop.edit("environments/dev.hcl", "default     = \"debug\"", "default     = \"info\"");
    shop.ok(&["up", "dev"]);
    assert_ne!(snapshot(&shop), before);
    shop.ok(&["rollback", "dev", "--last", "--auto-approve"]);
    assert_eq!(snapshot(&shop), before);

    let history = shop.ok(&["history", "dev", "--json"]).json();
    let runs = history["runs"].as_array().map_or(0, Vec::len);
    assert_eq!(runs, 3, "{history}");
    let objects = shop.stack().aws(&["s3api", "list-objects-v2", "--bucket", &format!("{}-ledgers", shop.name)]);
    let keys: Vec<&str> =
        objects["Contents"].as_array().unwrap().iter().filter_map(|object| object["Key"].as_str()).collect();
    assert!(keys.contains(&"shop/dev/records/00000000000000000001.json"), "{keys:?}");
    assert!(keys.iter().any(|key| key.starts_with("shop/dev/segments/1/")), "{keys:?}");
    no_secret_lies_in(&shop, &keys);

    shop.ok(&["rollback", "dev", "--to", "0", "--accept-loss", "all", "--auto-approve"]);
    assert_nothing_is_left(&shop);
}

fn no_secret_lies_in(shop: &Project, keys: &[&str]) {
    let (bucket, folder) = (format!("s3://{}-ledgers", shop.name), shop.path("objects").display().to_string());
    shop.stack().aws(&["s3", "cp", "--recursive", "--only-show-errors", &bucket, &folder]);
    let objects = shop.bytes_below("objects");
    assert_eq!(objects.len(), keys.len());
    for (path, bytes) in objects {
        let text = String::from_utf8(bytes).expect("it is JSON");
        let has = |secret: &str| text.contains(secret);
        assert!(!has("dev-only-session-key") && !has("dev-only-database-password"), "{}", path.display());
    }
}
