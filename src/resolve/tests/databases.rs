//! `database` blocks and `needs_schema`.

use super::stage::{Stage, needs, rendered};
use crate::address::Address;
use crate::resolve::desired::DesiredDatabase;
use crate::resolve::inputs::Missing;
use crate::secret::SecretReference;
use crate::value::Value;
use crate::world::RehearsalSettings;

const MIGRATIONS: [(&str, &str); 3] = [
    ("V1__create_users.sql", "CREATE TABLE users (id int);"),
    ("V1__create_users.down.sql", "DROP TABLE users;"),
    ("V2__add_email.sql", "ALTER TABLE users ADD COLUMN email text;"),
];

fn stage(body: &str) -> Stage {
    let spec = format!("database \"app\" {{\n  migrations = \"../migrations/app\"\n{body}\n}}\n");
    with_migrations(Stage::new(&spec))
}

fn with_migrations(stage: Stage) -> Stage {
    MIGRATIONS.iter().fold(stage, |stage, (name, text)| stage.file(&format!("migrations/app/{name}"), text))
}

fn app(stage: &Stage) -> DesiredDatabase {
    stage.desired().databases.remove(&Address::root("database", "app")).expect("it is declared")
}

fn setting(database: &DesiredDatabase, name: &str) -> Option<String> {
    database.binding.settings.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

#[test]
fn an_address_becomes_settings_and_migrations_are_read() {
    let database = app(&stage("url = \"postgres://me@db:5433/x?sslmode=require\"\nlock_timeout = \"500ms\""));
    assert_eq!(database.binding.provider, "postgres");
    assert_eq!(setting(&database, "host").as_deref(), Some("db"));
    assert_eq!(setting(&database, "port").as_deref(), Some("5433"));
    assert_eq!(setting(&database, "sslmode").as_deref(), Some("require"));
    assert_eq!(database.lock_timeout_milliseconds, 500);
    assert_eq!(database.migrations.len(), 2);
    assert!(database.migrations[0].down.is_some() && database.migrations[1].down.is_none());
    let first = app(&stage("url = \"postgres://me@db/x\"\ntarget = 1"));
    assert_eq!(first.migrations.len(), 1);
    assert_eq!(app(&stage("host = \"db\"\ntarget = \"latest\"")).migrations.len(), 2);
    assert_eq!(app(&stage("host = \"db\"\ntarget = 0")).migrations.len(), 0);
}

#[test]
fn a_password_is_a_reference() {
    let spec = "variable \"p\" {\n  sensitive = true\n  default = \"hunter2\"\n}\n";
    let stage = stage("host = \"db\"\npassword = var.p");
    let text = String::from_utf8(stage.files.0[&stage.folder.join("environments/dev.hcl")].clone()).unwrap();
    let database = app(&stage.file("environments/dev.hcl", &(spec.to_owned() + &text)));
    assert!(!database.binding.settings.contains_key("password"));
    assert_eq!(database.binding.deferred["password"].secrets(), [SecretReference::Variable { name: "p".into() }]);
    let mut stage = super::databases::stage("host = \"db\"\npassword_file = \"secret/db\"");
    stage.inputs.folder = "/projects/shop".into();
    let path = SecretReference::File { path: "/projects/shop/secret/db".into() };
    assert_eq!(app(&stage).binding.deferred["password"].secrets(), [path]);
    let literal = app(&super::databases::stage("host = \"db\"\npassword = \"hunter2\""));
    assert!(!serde_json::to_string(&literal.binding).unwrap().contains("hunter2"));
    assert!(!format!("{literal:?}").contains("hunter2"));
}

#[test]
fn a_database_of_the_same_plan_waits_for_it() {
    let spec = r#"
provider "postgres" {
  host     = "db"
  user     = "admin"
  password = sensitive("hunter2")
}
resource "postgres_database" "app" {
  name = "app"
}
"#;
    let stage = stage("url = postgres_database.app.url");
    let text = String::from_utf8(stage.files.0[&stage.folder.join("environments/dev.hcl")].clone()).unwrap();
    let stage = stage.file("environments/dev.hcl", &(spec.to_owned() + &text));
    let database = app(&stage);
    assert_eq!(database.needs.iter().map(ToString::to_string).collect::<Vec<_>>(), ["postgres_database.app"]);
    assert_eq!(database.binding.deferred["url"].references().len(), 1);
    assert_eq!(setting(&database, "user").as_deref(), Some("admin"), "it is on the provider's server");
    assert!(database.binding.deferred.contains_key("password"));
    assert!(!database.binding.settings.contains_key("host"));
}

#[test]
fn another_server_does_not_get_the_password_of_the_provider() {
    let spec = "provider \"postgres\" {\n  host = \"db\"\n  user = \"admin\"\n  password = sensitive(\"x\")\n}\n";
    let with = |body: &str| {
        let stage = stage(body);
        let text = String::from_utf8(stage.files.0[&stage.folder.join("environments/dev.hcl")].clone()).unwrap();
        app(&stage.file("environments/dev.hcl", &(spec.to_owned() + &text)))
    };
    assert!(!with("url = \"postgres://other/x\"").binding.deferred.contains_key("password"));
    assert!(with("url = \"postgres://db/x\"").binding.deferred.contains_key("password"));
    let inherited = with("dbname = \"x\"");
    assert_eq!(
        (setting(&inherited, "host").as_deref(), setting(&inherited, "dbname").as_deref()),
        (Some("db"), Some("x"))
    );
}

#[test]
fn what_is_only_assumed_is_no_mistake() {
    let spec = "provider \"postgres\" {\n  url = local_stack.postgres_url\n}\n";
    let stage = stage("url = local_stack.postgres_url\nuser = local_stack.user\nlock_timeout = var.wait");
    let text = String::from_utf8(stage.files.0[&stage.folder.join("environments/dev.hcl")].clone()).unwrap();
    let mut stage = stage.file("environments/dev.hcl", &format!("{spec}variable \"wait\" {{}}\n{text}"));
    assert_eq!(stage.mistakes().len(), 4);
    stage.inputs.missing = Missing::Assume;
    assert_eq!(app(&stage).migrations.len(), 2);
}

#[test]
fn needs_schema_is_a_need_of_the_database() {
    let stage = stage("host = \"db\"");
    let text = String::from_utf8(stage.files.0[&stage.folder.join("environments/dev.hcl")].clone()).unwrap();
    let spec = "resource \"aws_ecs_service\" \"web\" {\n  name = \"web\"\n  needs_schema = database.app.at_least(2)\n}\nresource \"terraform_data\" \"x\" {\n  input = database.app.host\n}\n";
    let stage = stage.file("environments/dev.hcl", &(text + spec));
    let service = stage.resource("aws_ecs_service.web");
    assert_eq!(needs(&service), ["database.app"]);
    assert_eq!(service.needs_schema[&Address::root("database", "app")].at_least, 2);
    let x = stage.resource("terraform_data.x");
    assert_eq!((x.object["input"].clone(), needs(&x)), (Value::from("db"), vec!["database.app".to_owned()]));
}

#[test]
fn needs_schema_is_a_range() {
    let with = |needs: &str, kind: &str, body: &str| {
        let stage = stage("host = \"db\"");
        let text = String::from_utf8(stage.files.0[&stage.folder.join("environments/dev.hcl")].clone()).unwrap();
        let block = format!("resource \"{kind}\" \"web\" {{\n  {body}\n  needs_schema = {needs}\n}}\n");
        stage.file("environments/dev.hcl", &(text + &block))
    };
    let range = |needs: &str| {
        let stage = with(needs, "aws_ecs_service", "name = \"web\"");
        stage.resource("aws_ecs_service.web").needs_schema[&Address::root("database", "app")].to_string()
    };
    assert_eq!(range("database.app.between(12, 17) # the old one"), "V12 to V17");
    assert_eq!(range("database.app.at_most(17)"), "V17 and earlier");
    // Versions as other tools number them, to the last digit.
    let times = range("database.app.between(20240131120000, 20240229235959)");
    assert_eq!(times, "V20240131120000 to V20240229235959");
    assert_eq!(range("database.app.at_least(20240131120000123)"), "V20240131120000123 and later");
    assert_eq!(range("[\n    database.app.at_least(3),\n    database.app.between(1,9),\n  ]"), "V3 to V9");
    for (needs, kind, body, summary) in [
        (
            "database.app.between(20240229235959, 20240131120000)",
            "aws_ecs_service",
            "name = \"web\"",
            "`needs_schema` holds no version",
        ),
        ("database.app.between(17, 12)", "aws_ecs_service", "name = \"web\"", "`needs_schema` holds no version"),
        (
            "[database.app.at_least(3), database.app.at_most(2)]",
            "aws_ecs_service",
            "name = \"web\"",
            "`needs_schema` holds no version",
        ),
        (
            "database.app.between(1)",
            "aws_ecs_service",
            "name = \"web\"",
            "`needs_schema` names a database and a version",
        ),
    ] {
        let said = with(needs, kind, body).mistakes();
        assert!(said.len() == 1 && said[0].ends_with(summary), "{needs}: {said:?}");
    }
}

#[test]
fn a_rehearsal_block_says_where_and_with_what() {
    assert_eq!(app(&stage("host = \"db\"")).rehearsal, RehearsalSettings::default());
    let block = "host = \"db\"\nrehearsal {\n  url = \"postgres://me@other:5433/postgres\"\n  version = 16\n  \
                 extensions = [\"citext\"]\n  roles = [\"app\", \"reader\"]\n  seed = \"../migrations/seed.sql\"\n  statement_timeout = \"90s\"\n}";
    let with_seed = |text: &str| stage(block).file("migrations/seed.sql", text);
    let first = with_seed("INSERT INTO users VALUES (1);");
    let database = app(&first);
    let wanted = RehearsalSettings {
        version: Some(16),
        extensions: vec!["citext".to_owned()],
        roles: vec!["app".to_owned(), "reader".to_owned()],
        seed: Some("INSERT INTO users VALUES (1);".to_owned()),
        sample: None,
        statement_timeout_milliseconds: Some(90_000),
    };
    assert_eq!(database.rehearsal, wanted);
    let server = database.rehearsal_server.expect("it is named");
    assert_eq!((&server.settings["host"], server.settings["port"].as_i64()), (&Value::from("other"), Some(5433)));
    assert!(database.needs.is_empty(), "a rehearsal orders nothing");
    let second = with_seed("INSERT INTO users VALUES (2);");
    assert_ne!(first.desired().spec_digest, second.desired().spec_digest, "the seed is part of the spec");
    let sampled = app(&stage("host = \"db\"\nrehearsal {\n  sample = 500\n}"));
    assert_eq!(sampled.rehearsal, RehearsalSettings { sample: Some(500), ..RehearsalSettings::default() });
}

#[test]
fn the_address_of_a_rehearsal_may_be_a_secret() {
    let spec = "variable \"u\" {\n  sensitive = true\n  default = \"postgres://me@other/postgres\"\n}\n";
    let stage = stage("host = \"db\"\nrehearsal {\n  url = var.u\n}");
    let text = String::from_utf8(stage.files.0[&stage.folder.join("environments/dev.hcl")].clone()).unwrap();
    let server = app(&stage.file("environments/dev.hcl", &(spec.to_owned() + &text))).rehearsal_server.unwrap();
    assert_eq!(server.deferred["url"].secrets(), [SecretReference::Variable { name: "u".into() }]);
    assert!(!serde_json::to_string(&server).unwrap().contains("other"));
}

#[test]
fn mistakes_of_a_rehearsal_have_their_mends() {
    for (block, summary) in [
        ("rehearsal {\n  version = 12\n}", "there is no such version of PostgreSQL to rehearse on"),
        ("rehearsal {\n  version = 15.5\n}", "there is no such version of PostgreSQL to rehearse on"),
        ("rehearsal {\n  version = \"new\"\n}", "a setting of a rehearsal is not usable"),
        ("rehearsal {\n  roles = [sensitive(\"x\")]\n}", "a setting of a rehearsal is not usable"),
        ("rehearsal {\n  extensions = [[\"citext\"]]\n}", "a setting of a rehearsal is not usable"),
        ("rehearsal {\n  sample = 0\n}", "a sample needs a number of rows"),
        ("rehearsal {\n  statement_timeout = \"0s\"\n}", "this is not a length of time"),
        ("rehearsal {\n  seed = \"../none.sql\"\n}", "the seed of a rehearsal is not usable"),
        ("rehearsal {\n  seed = \"../../../none.sql\"\n}", "a seed lies outside of the project"),
        ("rehearsal {\n  url = \"mysql://db/x\"\n}", "the url of a database is not usable"),
        ("rehearsal {\n  url = \"postgres://db/x\"\n}", "a database cannot be rehearsed on itself"),
        ("rehearsal {\n  verison = 15\n}", "there is no such attribute"),
        ("rehearsal {}\nrehearsal {}", "there are two `rehearsal` blocks"),
        ("rehersal {}", "there is no such block here"),
    ] {
        let play = stage(&format!("host = \"db\"\ndbname = \"x\"\n{block}")).play();
        assert_eq!(play.diagnostics.0.len(), 1, "{block}: {}", play.rendered());
        assert_eq!(play.diagnostics.0[0].summary, summary);
        assert!(play.diagnostics.0[0].help.is_some() && play.diagnostics.0[0].span.is_some());
    }
}

#[test]
fn mistakes_of_a_database_have_their_mends() {
    for (body, summary) in [
        ("", "a database does not say how it is reached"),
        ("url = \"postgres://me:hunter2@db/x\"", "the url of a database is not usable"),
        ("url = \"mysql://db/x\"", "the url of a database is not usable"),
        ("host = \"db\"\ntarget = 7", "there is no such migration"),
        ("host = \"db\"\nlock_timeout = \"soon\"", "this is not a length of time"),
        ("host = \"db\"\nsslmode = \"verify-ful\"", "there is no such sslmode"),
        ("host = \"db\"\nport = \"x\"", "an attribute's value has the wrong type"),
        ("host = \"db\"\npassword = \"x\"\npassword_file = \"y\"", "a database has two passwords"),
        ("host = \"db\"\nhots = \"y\"", "there is no such attribute"),
    ] {
        let stage = stage(body);
        let play = stage.play();
        assert_eq!(play.diagnostics.0.len(), 1, "{}", play.rendered());
        assert_eq!(play.diagnostics.0[0].summary, summary);
        assert!(play.diagnostics.0[0].help.is_some() && !play.rendered().contains("hunter2"));
    }
    let bad = stage("host = \"db\"").file("migrations/app/V3__x.sql", "CREATE TABLE (;");
    assert!(rendered(&bad).contains("migrations/app/V3__x.sql"), "{}", rendered(&bad));
    let none = Stage::new("database \"app\" {\n  host = \"db\"\n  migrations = \"../migrations/none\"\n}\n");
    assert_eq!(none.mistakes(), ["3: a migration is not usable"]);
}

#[test]
fn a_migration_block_says_how_one_runs() {
    let block = "migration \"2\" {\n  lock_timeout = \"2s\"\n  phase = \"expand\"\n  transaction = false\n  group = \"mail\"\n  keep = \"14d\"\n  assert_after = [\"SELECT true\"]\n}";
    let database = app(&stage(&format!("host = \"db\"\n{block}")));
    let second = &database.migrations[1];
    assert!(!second.transaction && database.migrations[0].transaction);
    assert_eq!(second.said.lock_timeout_milliseconds, Some(2_000));
    assert_eq!(second.said.phase, Some(crate::migration::said::Phase::Expand));
    assert_eq!((second.said.group.as_deref(), second.said.keep_seconds), (Some("mail"), Some(14 * 86_400)));
    assert_eq!(second.said.assertions[0].sql, "SELECT true");
    assert!(database.migrations[0].said.is_plain());
}

#[test]
fn a_migration_block_that_is_wrong_is_told_so() {
    for (block, part) in [
        ("migration \"7\" {\n}", "`database.app` has no migration 7"),
        ("migration \"x\" {\n}", "its one label is the number of the migration"),
        ("migration \"2\" {\n  lock_timout = \"2s\"\n}", "did you mean `lock_timeout`?"),
        ("migration \"2\" {\n  lock_timeout = \"2\"\n}", "`lock_timeout` takes a number and a unit"),
        ("migration \"2\" {\n  phase = \"extend\"\n}", "did you mean `expand`?"),
        ("migration \"2\" {\n}\nmigration \"2\" {\n}", "`migration \"2\"` is written twice"),
        ("migration \"2\" {\n  assert_before = \"DELETE FROM users\"\n}", "`DELETE FROM users` is not one query"),
        ("migration \"2\" {\n  backfill {\n    table = \"users\"\n    key = \"id\"\n  }\n}", "this file has 0"),
        ("migrations \"2\" {\n}", "did you mean `migration`?"),
    ] {
        let text = rendered(&stage(&format!("host = \"db\"\n{block}")));
        assert!(text.contains(part), "{block}: {text}");
    }
    let stage = stage("host = \"db\"\nmigration \"3\" {\n  transaction = true\n  group = \"b\"\n}");
    let index = "-- switchback: transaction off\n-- switchback: group a\ncreate index concurrently i on users (id);";
    let text = rendered(&stage.file("migrations/app/V3__index.sql", index));
    assert!(
        text.contains(
            "V3__index: line 1 says `transaction off`, the `migration` block of the spec says `transaction = true`"
        ),
        "{text}"
    );
    assert!(text.contains("line 2 says `group a`"), "{text}");
}

#[test]
fn a_budget_is_read_and_each_mistake_in_it_is_told() {
    use crate::world::{Above, Quantity};
    let budget = "budget {\n  max_blocked_writes = \"500ms\"\n  max_disk = \"1.5GB\"\n  above = \"dba\"\n}";
    let desired = stage(&format!("host = \"db\"\n{budget}")).desired();
    let found = &desired.databases[&Address::root("database", "app")].budget;
    let limit = |quantity| found.0.get(&quantity).map(|limit| (limit.value, limit.above.clone()));
    let dba = Above::Signed("dba".to_owned());
    assert_eq!(limit(Quantity::MaxBlockedWrites), Some((500, dba.clone())));
    assert_eq!(limit(Quantity::MaxDisk), Some((1_500_000_000, dba)));
    assert_eq!(limit(Quantity::MaxWal), None);
    assert!(desired.environment.budget.0.is_empty(), "it is the database's own");
    for (line, wanted) in [
        ("max_blocked_reads = \"2\"", "`max_blocked_reads` takes a number and a unit, `2` is none"),
        ("max_wal = \"2s\"", "write like `\"20GB\"`, with `kB`, `MB`, `GB`, `TB` or `MiB`, `GiB`, `TiB`"),
        ("max_lag = 5", "`max_lag` takes a plain string"),
        ("max_locks = \"2s\"", "a `budget` block has no attribute `max_locks`"),
        ("above = \"Any One\"", "this is no class of signatures"),
    ] {
        let shown = rendered(&stage(&format!("host = \"db\"\nbudget {{\n  {line}\n}}")));
        assert!(shown.contains(wanted), "{line}: {shown}");
    }
    let twice = rendered(&stage("host = \"db\"\nbudget {}\nbudget {}"));
    assert!(twice.contains("there are two `budget` blocks"), "{twice}");
}
