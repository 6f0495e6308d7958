//! Two environments side by side: what differs is told, what only follows from the name is not, and no secret is shown.

use serde_json::{Value, json};

use super::bench::Bench;

const SPEC: &str = r#"
resource "aws_ecs_cluster" "main" {
  name = "${var.name}-ENV"
}

resource "aws_ecs_task_definition" "app" {
  family                = "${var.name}-ENV-app"
  container_definitions = jsonencode([{ name = "app", image = "shop/app:1", essential = true, memory = 64 }])
}

resource "aws_ecs_service" "app" {
  name            = "${var.name}-ENV-app"
  cluster         = aws_ecs_cluster.main.arn
  task_definition = aws_ecs_task_definition.app.arn
  desired_count   = 1
}

config "app" {
  store  = "ssm"
  prefix = "/${var.name}/ENV"
  values = { LEVEL = "debug", SAME = "x", HOST = "ENV.shop.test", TOKEN = sensitive("same-secret-text"), KEY = sensitive("first-secret-text") }
}
"#;

fn of<'a>(diff: &'a Value, address: &str) -> Vec<&'a Value> {
    let all = diff["differences"].as_array().unwrap().iter();
    all.filter(|one| one["address"] == address).collect()
}

#[test]
fn two_environments_stand_side_by_side_and_no_secret_is_shown() {
    let first = ("V1__make.sql", "CREATE TABLE made (id int PRIMARY KEY, note text);\n");
    let bench = Bench::new("sides", &SPEC.replace("ENV", "dev"), &[first]);
    let other = bench.project.stack().new_database("sides_qa");
    let qa = SPEC.replace("ENV", "qa");
    bench.environment("qa", &qa, &other);
    bench.project.ok(&["apply", "dev", "--auto-approve"]);
    bench.project.ok(&["apply", "qa", "--auto-approve"]);
    let same = bench.project.ok(&["diff", "dev", "qa", "--detailed-exitcode"]);
    assert!(same.out.contains("dev beside qa: no difference"), "{}", same.out);

    let qa = qa
        .replace("\"debug\"", "\"info\"")
        .replace("first-secret-text", "second-secret-text")
        .replace("SAME = \"x\", ", "")
        .replace("desired_count   = 1", "desired_count   = 2")
        .replace("shop/app:1", "shop/app:2");
    bench.environment(
        "qa",
        &format!("{qa}\nresource \"aws_cloudwatch_log_group\" \"more\" {{\n  name = \"/${{var.name}}/more\"\n}}\n"),
        &other,
    );
    bench.project.write("migrations/V2__more.sql", "ALTER TABLE made ADD COLUMN more int;\n");
    bench.project.ok(&["apply", "qa", "--auto-approve"]);
    let records = bench.project.bytes_below(".switchback");
    let said = bench.project.exits(2, &["diff", "dev", "qa", "--json", "--detailed-exitcode"]);
    let diff = said.json();
    let expected = [
        ("config.app[\"LEVEL\"]", json!({"how": "differs"})),
        ("config.app[\"SAME\"]", json!({"how": "only_in", "environment": "dev"})),
        ("config.app[\"KEY\"]", json!({"how": "differs"})),
        ("aws_ecs_service.app", json!({"how": "differs"})),
        ("aws_ecs_task_definition.app", json!({"how": "differs"})),
        ("aws_cloudwatch_log_group.more", json!({"how": "only_in", "environment": "qa"})),
    ];
    for (address, how) in &expected {
        let [one] = of(&diff, address)[..] else { panic!("{address} in {diff:#}") };
        for (name, value) in how.as_object().unwrap() {
            assert_eq!(&one[name], value, "{one}");
        }
    }
    let schema: Vec<&str> = of(&diff, "database.app").iter().filter_map(|one| one["object"].as_str()).collect();
    assert_eq!(schema, ["migration V2__more", "table public.made: column more"], "{diff:#}");
    assert_eq!(diff["differences"].as_array().unwrap().len(), expected.len() + 2, "{diff:#}");
    let level = &of(&diff, "config.app[\"LEVEL\"]")[0]["differences"];
    assert_eq!(*level, json!([{"path": "value", "before": "debug", "after": "info"}]));
    let service = &of(&diff, "aws_ecs_service.app")[0]["differences"];
    assert_eq!(service.as_array().unwrap().len(), 1, "only the count differs, not the names: {service}");

    let text = bench.project.ok(&["diff", "dev", "qa"]);
    for words in [
        "configuration (dev -> qa)",
        "~ value: \"debug\" -> \"info\"",
        "config.app[\"SAME\"]: only in dev",
        "~ value: (sensitive value) -> (sensitive value)",
        "migration V2__more: only in qa",
        "column more: only in qa",
    ] {
        assert!(text.out.contains(words), "`{words}` is not in\n{}", text.out);
    }
    for said in [&said.out, &said.err, &text.out, &text.err] {
        assert!(!said.contains("secret-text"), "{said}");
    }
    assert_eq!(bench.project.bytes_below(".switchback"), records, "the ledgers are not written");
    bench.project.exits(3, &["diff", "dev", "dev"]);
    bench.project.exits(3, &["diff", "dev", "nowhere"]);
}

#[test]
fn drift_names_of_a_declared_change_what_the_plan_names() {
    let bench =
        Bench::new("asplanned", &SPEC.replace("ENV", "dev"), &[("V1__make.sql", "CREATE TABLE made (id int);\n")]);
    bench.project.ok(&["apply", "dev", "--auto-approve"]);
    bench.edit("shop/app:1", "shop/app:2");
    let said = bench.project.ok(&["drift", "dev", "--without-schema"]).out;
    let (_, service) = said.split_once("aws_ecs_service.app is to be changed").unwrap();
    let told: Vec<&str> =
        service.lines().skip(1).take_while(|line| line.starts_with("      ")).map(str::trim).collect();
    assert_eq!(told.len(), 1, "{said}");
    assert!(told[0].starts_with("~ task_definition: ") && told[0].ends_with("-> (known after apply)"), "{said}");
    assert!(said.contains("~ container_definitions[\"app\"].image: \"shop/app:1\" -> \"shop/app:2\""), "{said}");
}
