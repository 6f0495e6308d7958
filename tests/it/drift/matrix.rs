//! Changes out of band, each made by hand at the endpoint or in the database: all of them are told with the right class and
//! address, and nothing else is.

use std::collections::BTreeSet;

use serde_json::json;

use super::bench::{Bench, Told, line};

/// Ten things of infrastructure, ten of configuration; one of each is looked at and left alone.
const SPEC: &str = r#"
resource "aws_ecs_cluster" "main" {
  name = var.name
}

resource "aws_ecs_cluster" "watched" {
  name = "${var.name}-watched"

  setting {
    name  = "containerInsights"
    value = "disabled"
  }
}

resource "aws_ecs_task_definition" "app" {
  for_each = toset(["app", "lost", "labelled"])

  family                = "${var.name}-${each.key}"
  container_definitions = jsonencode([{ name = "app", image = "shop/app:1", essential = true, memory = 64 }])
  tags                  = { team = "shop" }
}

resource "aws_ecs_service" "app" {
  for_each = toset(["counted", "labelled", "rolled", "gone", "calm"])

  name            = "${var.name}-${each.key}"
  cluster         = aws_ecs_cluster.main.arn
  task_definition = aws_ecs_task_definition.app["app"].arn
  desired_count   = 1
  tags            = { team = "shop" }
}

resource "aws_cloudwatch_log_group" "app" {
  for_each = toset(["kept", "gone", "labelled", "calm"])

  name              = "/${var.name}/${each.key}"
  retention_in_days = 7
  tags              = { team = "shop" }
}

variable "secret" {
  type      = string
  default   = "the-first-secret"
  sensitive = true
}

config "app" {
  store  = "ssm"
  prefix = "/${var.name}"
  values = { LEVEL = "debug", GONE = "x", RETYPED = "x", SECRET = var.secret, AGAIN = "x", CALM = "x" }
}

resource "aws_ssm_parameter" "app" {
  for_each = toset(["lost", "described", "patterned", "tiered"])

  name        = "/${var.name}/${each.key}"
  type        = "String"
  value       = "abc"
  description = "as it was"
  tier        = "Standard"
}

resource "aws_ssm_parameter" "list" {
  name  = "/${var.name}/list"
  type  = "StringList"
  value = "a,b"
}
"#;

const MIGRATIONS: [(&str, &str); 3] = [
    (
        "V1__tables.sql",
        "CREATE TABLE customers (id int PRIMARY KEY, name text, city text, state text DEFAULT 'new', age int, \
         CONSTRAINT grown_up CHECK (age > 17));\n\
         CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers (id), total int);\n\
         CREATE INDEX orders_by_customer ON orders (customer);\n",
    ),
    (
        "V2__logic.sql",
        "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n + n';\n\
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;\n\
         CREATE TRIGGER noted BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION note();\n\
         CREATE VIEW totals AS SELECT customer, sum(total) AS total FROM orders GROUP BY customer;\n",
    ),
    ("V3__calm.sql", "CREATE TABLE calm (id int);\n"),
];

fn infrastructure(bench: &Bench) -> Vec<Told> {
    let (cluster, app) = (&bench.project.name, bench.name("app"));
    let service = |name: &str| json!({"cluster": cluster, "service": bench.name(name)});
    let update = |name: &str, changes: serde_json::Value| {
        let mut body = service(name);
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        bench.call("ecs", "UpdateService", &body);
    };
    update("counted", json!({"desiredCount": 3}));
    let containers = json!([{"name": "app", "image": "shop/app:2", "essential": true, "memory": 64}]);
    bench.call("ecs", "RegisterTaskDefinition", &json!({"family": app, "containerDefinitions": containers}));
    update("rolled", json!({"taskDefinition": app}));
    update("gone", json!({"desiredCount": 0}));
    let mut gone = service("gone");
    gone["force"] = true.into();
    bench.call("ecs", "DeleteService", &gone);
    let arn = |operation: &str, body: serde_json::Value, path: &str| {
        bench.call("ecs", operation, &body).pointer(path).and_then(|arn| Some(arn.as_str()?.to_owned())).unwrap()
    };
    let labelled = json!({"cluster": cluster, "services": [bench.name("labelled")]});
    let labelled = arn("DescribeServices", labelled, "/services/0/serviceArn");
    let tags = json!([{"key": "owner", "value": "somebody"}]);
    bench.call("ecs", "TagResource", &json!({"resourceArn": labelled, "tags": tags}));
    let revision = json!({"taskDefinition": bench.name("labelled")});
    let revision = arn("DescribeTaskDefinition", revision, "/taskDefinition/taskDefinitionArn");
    bench.call("ecs", "TagResource", &json!({"resourceArn": revision, "tags": tags}));
    bench.call("ecs", "DeregisterTaskDefinition", &json!({"taskDefinition": format!("{}:1", bench.name("lost"))}));
    let settings = json!([{"name": "containerInsights", "value": "enabled"}]);
    bench.call("ecs", "UpdateClusterSettings", &json!({"cluster": bench.name("watched"), "settings": settings}));
    let group = |name: &str| format!("/{cluster}/{name}");
    bench.call("logs", "PutRetentionPolicy", &json!({"logGroupName": group("kept"), "retentionInDays": 30}));
    bench.call("logs", "DeleteLogGroup", &json!({"logGroupName": group("gone")}));
    bench.call("logs", "TagLogGroup", &json!({"logGroupName": group("labelled"), "tags": {"owner": "somebody"}}));
    let told = |address: &str, what: &str| line("out-of-band", "infrastructure", address, "", what);
    vec![
        told("aws_ecs_service.app[\"counted\"]", "changed"),
        told("aws_ecs_service.app[\"rolled\"]", "changed"),
        told("aws_ecs_service.app[\"gone\"]", "missing"),
        told("aws_ecs_service.app[\"labelled\"]", "changed"),
        told("aws_ecs_task_definition.app[\"labelled\"]", "changed"),
        told("aws_ecs_task_definition.app[\"lost\"]", "missing"),
        told("aws_ecs_cluster.watched", "changed"),
        told("aws_cloudwatch_log_group.app[\"kept\"]", "changed"),
        told("aws_cloudwatch_log_group.app[\"gone\"]", "missing"),
        told("aws_cloudwatch_log_group.app[\"labelled\"]", "changed"),
    ]
}

fn configuration(bench: &Bench) -> Vec<Told> {
    let name = |key: &str| format!("/{}/{key}", bench.project.name);
    let delete = |key: &str| bench.call("ssm", "DeleteParameter", &json!({"Name": name(key)}));
    bench.put("LEVEL", &json!({"Value": "trace", "Type": "String"}));
    delete("GONE");
    bench.put("RETYPED", &json!({"Value": "x", "Type": "StringList"}));
    bench.put("SECRET", &json!({"Value": "the-second-secret", "Type": "SecureString"}));
    delete("AGAIN");
    let again = json!({"Name": name("AGAIN"), "Value": "y", "Type": "String"});
    bench.call("ssm", "PutParameter", &again);
    delete("lost");
    let same = json!({"Value": "abc", "Type": "String", "Description": "as it was"});
    let put = |key: &str, member: &str, value: &str| {
        let mut body = same.clone();
        body[member] = value.into();
        bench.put(key, &body);
    };
    put("described", "Description", "as somebody says");
    put("patterned", "AllowedPattern", "^[a-z]+$");
    put("tiered", "Tier", "Advanced");
    bench.put("list", &json!({"Value": "a,b,c", "Type": "StringList"}));
    let told = |address: &str, what: &str| line("out-of-band", "configuration", address, "", what);
    vec![
        told("config.app[\"LEVEL\"]", "changed"),
        told("config.app[\"GONE\"]", "missing"),
        told("config.app[\"RETYPED\"]", "changed"),
        told("config.app[\"SECRET\"]", "changed"),
        told("config.app[\"AGAIN\"]", "changed"),
        told("aws_ssm_parameter.app[\"lost\"]", "missing"),
        told("aws_ssm_parameter.app[\"described\"]", "changed"),
        told("aws_ssm_parameter.app[\"patterned\"]", "changed"),
        told("aws_ssm_parameter.app[\"tiered\"]", "changed"),
        told("aws_ssm_parameter.list", "changed"),
    ]
}

fn schema(bench: &Bench) -> Vec<Told> {
    let changes = [
        ("ALTER TABLE customers ADD COLUMN nick text", "table public.customers: column nick", "extra"),
        ("ALTER TABLE customers DROP COLUMN city", "table public.customers: column city", "missing"),
        ("DROP INDEX orders_by_customer", "table public.orders: index orders_by_customer", "missing"),
        (
            "CREATE INDEX customers_by_name ON customers (name)",
            "table public.customers: index customers_by_name",
            "extra",
        ),
        ("ALTER TABLE customers DROP CONSTRAINT grown_up", "table public.customers: constraint grown_up", "missing"),
        ("ALTER TABLE customers ALTER COLUMN age TYPE bigint", "table public.customers: column age", "changed"),
        (
            "ALTER TABLE customers ALTER COLUMN state SET DEFAULT 'old'",
            "table public.customers: column state",
            "changed",
        ),
        (
            "CREATE OR REPLACE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 3 * n'",
            "function public.twice(integer)",
            "changed",
        ),
        (
            "CREATE OR REPLACE VIEW totals AS SELECT customer, max(total)::bigint AS total FROM orders GROUP BY customer",
            "view public.totals",
            "changed",
        ),
        ("DROP TRIGGER noted ON orders", "table public.orders: trigger noted", "missing"),
        ("CREATE TABLE notes (id int, words text)", "table public.notes", "extra"),
        ("GRANT SELECT ON orders TO PUBLIC", "table public.orders", "changed"),
        ("UPDATE refinery_schema_history SET checksum = '1' WHERE version = 2", "row of history V2__logic", "changed"),
        (
            "INSERT INTO refinery_schema_history SELECT 9, 'by_hand', applied_on, checksum FROM refinery_schema_history LIMIT 1",
            "row of history V9__by_hand",
            "extra",
        ),
    ];
    let told = |(statement, object, what): (&str, &str, &str)| {
        bench.sql(statement);
        line("out-of-band", "schema", "database.app", object, what)
    };
    changes.into_iter().map(told).collect()
}

#[test]
fn every_change_out_of_band_is_told_with_its_class_and_address_and_nothing_else_is() {
    let bench = Bench::new("drifts", SPEC, &MIGRATIONS);
    bench.project.ok(&["apply", "dev", "--auto-approve"]);
    let (nothing, said) = bench.drift(0);
    assert_eq!(nothing, BTreeSet::new());
    assert_eq!(said.json()["unseen"], json!([]));
    assert!(bench.project.ok(&["drift", "dev"]).out.contains("everything is as it was applied"));
    let records = bench.project.bytes_below(".switchback");

    let told = [infrastructure(&bench), configuration(&bench), schema(&bench)];
    for (told, least) in told.iter().zip([10, 10, 10]) {
        assert!(told.len() >= least);
    }
    let expected: BTreeSet<Told> = told.into_iter().flatten().collect();
    let (found, said) = bench.drift(11);
    let (missing, more): (Vec<_>, Vec<_>) =
        (expected.difference(&found).collect(), found.difference(&expected).collect());
    assert!(missing.is_empty() && more.is_empty(), "not told: {missing:#?}\ntold in vain: {more:#?}\n{}", said.err);

    let text = bench.project.exits(11, &["drift", "dev"]);
    for words in [
        "drift of dev: 34 out of band",
        "~ desired_count: 1 -> 3",
        "~ value: \"debug\" -> \"trace\"",
        "~ value: (sensitive value) -> (sensitive value)",
        "column age was changed (schema)",
        "~ type: \"integer\" -> \"bigint\"",
        "next: switchback plan dev",
    ] {
        assert!(text.out.contains(words), "`{words}` is not in\n{}", text.out);
    }
    for said in [&text.out, &text.err, &said.out] {
        assert!(!said.contains("the-first-secret") && !said.contains("the-second-secret"), "{said}");
    }
    assert_eq!(bench.project.bytes_below(".switchback"), records, "the ledger is not written");
    // Without the objects of schemas, their histories are still compared.
    let brief = bench.project.exits(11, &["drift", "dev", "--without-schema", "--json"]).json();
    let objects = brief["departures"].as_array().unwrap().iter().filter(|one| one["area"] == "schema").count();
    assert_eq!((objects, &brief["out_of_band"]), (2, &json!(22)), "{brief}");
}
