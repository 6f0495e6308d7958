//! A fresh environment, from nothing and back to nothing.

use super::project::Project;
use super::world::{assert_nothing_is_left, snapshot};

#[test]
fn dev_comes_up_is_seen_by_others_goes_to_nothing_and_comes_up_again() {
    let shop = Project::shop("fresh");
    shop.ok(&["up", "dev"]);

    let again = shop.ok(&["plan", "dev", "--detailed-exitcode"]);
    assert!((again.out + &again.err).to_lowercase().contains("nothing to do"));
    is_seen_by_the_aws_cli(&shop);
    is_seen_by_psql(&shop);
    let up = snapshot(&shop);
    // The tests that the repository ships hold of what stands, and change nothing.
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shop.test.hcl");
    shop.write("tests/shop.test.hcl", &crate::stack::read(std::path::Path::new(tests)));
    let tested = shop.ok(&["test", "dev"]);
    assert!(tested.out.contains("4 runs: 4 passed"), "{}", tested.out);
    assert_eq!(snapshot(&shop), up, "a test does nothing");

    let refused = shop.exits(9, &["rollback", "dev", "--to", "0", "--auto-approve"]);
    for loss in ["postgres_database.this", "aws_cloudwatch_log_group.shop", "SESSION_KEY"] {
        assert!(refused.err.contains(loss) || refused.out.contains(loss), "{loss}:\n{}\n{}", refused.out, refused.err);
    }
    assert_eq!(snapshot(&shop), up, "a refused rollback does nothing");

    shop.ok(&["rollback", "dev", "--to", "0", "--accept-loss", "all", "--auto-approve"]);
    assert_nothing_is_left(&shop);

    shop.ok(&["up", "dev"]);
    shop.ok(&["plan", "dev", "--detailed-exitcode"]);
    let second = snapshot(&shop);
    assert_eq!((&second.schema, &second.rows, &second.parameters), (&up.schema, &up.rows, &up.parameters));
}

fn is_seen_by_the_aws_cli(shop: &Project) {
    let (stack, name) = (shop.stack(), &shop.name);
    let cluster = stack.aws(&["ecs", "describe-clusters", "--clusters", name]);
    assert_eq!(cluster["clusters"][0]["status"], "ACTIVE");
    let services = [format!("{name}-web"), format!("{name}-worker")];
    let found = stack.aws(&["ecs", "describe-services", "--cluster", name, "--services", &services[0], &services[1]]);
    for service in found["services"].as_array().unwrap() {
        assert_eq!((&service["status"], &service["runningCount"]), (&"ACTIVE".into(), &1.into()), "{service}");
        assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
        assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
    }
    let parameter = stack.aws(&["ssm", "get-parameter", "--name", &format!("/{name}/web/LOG_LEVEL")]);
    assert_eq!(parameter["Parameter"]["Value"], "debug");
    let secret = format!("/{name}/web/SESSION_KEY");
    let secret = stack.aws(&["ssm", "get-parameter", "--with-decryption", "--name", &secret]);
    assert_eq!(
        (&secret["Parameter"]["Type"], &secret["Parameter"]["Value"]),
        (&"SecureString".into(), &"dev-only-session-key".into())
    );
    let groups = stack.aws(&["logs", "describe-log-groups", "--log-group-name-prefix", &format!("/{name}/")]);
    assert_eq!(groups["logGroups"][0]["retentionInDays"], 7);
}

fn is_seen_by_psql(shop: &Project) {
    let files = std::fs::read_dir(shop.path("migrations/shop")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let count = names.filter(|name| name.ends_with(".sql") && !name.ends_with(".down.sql")).count();
    assert!(count >= 8, "{count} migrations");
    let applied = shop.stack().psql(&shop.database_url(), "SELECT count(*) FROM refinery_schema_history");
    assert_eq!(applied, count.to_string());
    let sql = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()";
    assert_eq!(shop.stack().psql(&shop.database_url(), sql), shop.database());
    let login = shop.stack().facts();
    let url = format!(
        "postgres://{role}:dev-only-database-password@{}:{}/{role}",
        login.postgres_host,
        login.postgres_port,
        role = shop.database()
    );
    assert_eq!(shop.stack().psql(&url, "SELECT 1"), "1", "the role can log in");
}
