//! Values that only a person gives, and what is said of a store besides: tier and key.

use serde_json::json;

use super::{asked, project};
use crate::shop::project::Project;

const GIVEN: &str = r#"
config "web" {
  store      = "secretsmanager"
  prefix     = "${var.name}/web"
  kms_key_id = "alias/shop"

  key "STRIPE_KEY" {
    manual = true
  }
}

config "mail" {
  store  = "ssm"
  prefix = "/${var.name}"
  tier   = "Advanced"
  key_id = "alias/shop"

  values = { LEVEL = "info" }

  key "LEVEL" {}

  key "MAIL_KEY" {
    manual = true
  }
}

resource "aws_ecs_cluster" "main" {
  name = var.name
}

resource "aws_ecs_task_definition" "web" {
  family                   = var.name
  cpu                      = "256"
  memory                   = "512"
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  execution_role_arn       = "arn:aws:iam::000000000000:role/exec"

  container_definitions = jsonencode([{
    name      = "web"
    image     = "shop/web:1.0.0"
    essential = true
    secrets = [
      { name = "STRIPE_KEY", valueFrom = config.web["STRIPE_KEY"].value_from },
      { name = "MAIL_KEY", valueFrom = config.mail["MAIL_KEY"].arn },
    ]
  }])
}
"#;

fn value_from(project: &Project) -> String {
    let revision = asked(project, "ecs", "DescribeTaskDefinition", &json!({"taskDefinition": project.name}));
    let secrets = &revision["taskDefinition"]["containerDefinitions"][0]["secrets"];
    let stripe = secrets.as_array().unwrap().iter().find(|secret| secret["name"] == "STRIPE_KEY").unwrap();
    stripe["valueFrom"].as_str().unwrap().to_owned()
}

#[test]
fn what_a_person_gives_is_asked_for_at_once_pinned_and_never_written() {
    let project = project("given", GIVEN);
    let stripe = format!("{}/web/STRIPE_KEY", project.name);
    let mail = format!("/{}/MAIL_KEY", project.name);
    let commands = [
        format!(
            "aws secretsmanager create-secret --name {stripe} --kms-key-id alias/shop --secret-string file:///dev/stdin"
        ),
        format!(
            "aws ssm put-parameter --type SecureString --name {mail} --tier Advanced --key-id alias/shop --value \
             file:///dev/stdin"
        ),
    ];
    for words in [&["plan", "dev"][..], &["apply", "dev", "--auto-approve"]] {
        let said = project.exits(4, words).err;
        commands.iter().for_each(|command| assert!(said.contains(command), "`{command}` in\n{said}"));
    }
    let clusters = asked(&project, "ecs", "DescribeClusters", &json!({"clusters": [project.name]}));
    assert_eq!(clusters["clusters"], json!([]), "no effect");

    let put = |operation: &str, token: char, value: &str| {
        let name = if operation == "CreateSecret" { "Name" } else { "SecretId" };
        let body = json!({name: stripe, "SecretString": value, "ClientRequestToken": token.to_string().repeat(32)});
        asked(&project, "secretsmanager", operation, &body)["VersionId"].as_str().unwrap().to_owned()
    };
    let first = put("CreateSecret", 'a', "first");
    let said = project.exits(4, &["plan", "dev"]).err;
    assert!(said.contains(&commands[1]) && !said.contains(&commands[0]), "only what is missing:\n{said}");
    asked(&project, "ssm", "PutParameter", &json!({"Name": mail, "Value": "m", "Type": "SecureString"}));
    project.ok(&["apply", "dev", "--auto-approve"]);
    assert!(value_from(&project).ends_with(&format!(":::{first}")), "{}", value_from(&project));
    project.exits(0, &["plan", "dev", "--detailed-exitcode"]);
    project.exits(0, &["drift", "dev"]);

    // Another value of theirs makes another revision, and the way back leads to the earlier version.
    let second = put("PutSecretValue", 'b', "second");
    assert_ne!(first, second);
    let plan = project.exits(2, &["plan", "dev", "--detailed-exitcode"]).out;
    assert!(plan.contains("aws_ecs_task_definition.web") && !plan.contains("update       config."), "{plan}");
    project.ok(&["apply", "dev", "--auto-approve"]);
    assert!(value_from(&project).ends_with(&second));
    project.exits(0, &["plan", "dev", "--detailed-exitcode"]);
    project.ok(&["rollback", "dev", "--last", "--auto-approve"]);
    assert!(value_from(&project).ends_with(&first), "{}", value_from(&project));
    let kept = asked(&project, "secretsmanager", "GetSecretValue", &json!({"SecretId": stripe}));
    assert_eq!(kept["SecretString"], "second", "what a person gave stays the current value");
    project.ok(&["apply", "dev", "--auto-approve"]);
    assert!(value_from(&project).ends_with(&second));

    // Nothing of it is ours to remove.
    project.ok(&["destroy", "dev", "--auto-approve"]);
    let kept = asked(&project, "secretsmanager", "GetSecretValue", &json!({"SecretId": stripe}));
    assert_eq!(kept["SecretString"], "second");
    let kept = asked(&project, "ssm", "GetParameter", &json!({"Name": mail, "WithDecryption": true}));
    assert_eq!((&kept["Parameter"]["Value"], &kept["Parameter"]["Version"]), (&"m".into(), &1.into()));
}

fn tier(project: &Project, key: &str) -> (String, String) {
    let filter = json!([{"Key": "Name", "Option": "Equals", "Values": [format!("/{}/{key}", project.name)]}]);
    let found = asked(project, "ssm", "DescribeParameters", &json!({"ParameterFilters": filter}));
    let text = |name: &str| found["Parameters"][0][name].as_str().unwrap_or_default().to_owned();
    (text("Tier"), text("KeyId"))
}

fn tiered(said: &str) -> String {
    format!(
        "config \"app\" {{\n  store  = \"ssm\"\n  prefix = \"/${{var.name}}\"\n{said}  values = {{\n    OPEN   = \"a\"\n    \
         SECRET = secret(\"environment:CONFIGURED_SECRET\")\n  }}\n}}\n"
    )
}

#[test]
fn tier_and_key_reach_the_store_and_a_tier_only_goes_up_in_place() {
    let mut project = project("tiers", &tiered(""));
    project.set("CONFIGURED_SECRET", "word of the secret");
    let spec = std::fs::read_to_string(project.path("environments/dev.hcl")).unwrap();
    let say = |said: &str| project.write("environments/dev.hcl", &spec.replace(&tiered(""), &tiered(said)));
    project.ok(&["apply", "dev", "--auto-approve"]);
    assert_eq!(tier(&project, "OPEN").0, "Standard");

    say("  tier   = \"Advanced\"\n  key_id = \"alias/shop\"\n");
    let plan = project.exits(2, &["plan", "dev", "--detailed-exitcode"]).out;
    assert!(plan.contains("tier") && plan.contains("its tier does not"), "the way back is told:\n{plan}");
    project.ok(&["apply", "dev", "--auto-approve"]);
    assert_eq!(
        (tier(&project, "OPEN").0, tier(&project, "SECRET")),
        ("Advanced".into(), ("Advanced".into(), "alias/shop".into()))
    );
    project.exits(0, &["plan", "dev", "--detailed-exitcode"]);

    // Back: the values are as they were, the tier stays; the relay refuses to take it down.
    project.ok(&["rollback", "dev", "--last", "--auto-approve", "--accept-loss", "all"]);
    assert_eq!(tier(&project, "OPEN").0, "Advanced");
    let body = json!({"Name": format!("/{}/OPEN", project.name), "Value": "a", "Type": "String", "Tier": "Standard", "Overwrite": true});
    let (status, answer) = project.stack().call("ssm", "PutParameter", &body);
    assert!(status == 400 && answer.to_string().contains("downgrade"), "{status}: {answer}");

    // Down by the spec: only another parameter can have it.
    say("  tier   = \"Standard\"\n");
    let plan = project.exits(2, &["plan", "dev", "--detailed-exitcode"]).out;
    assert!(plan.contains("delete") && plan.contains("create"), "{plan}");
    project.ok(&["apply", "dev", "--auto-approve"]);
    assert_eq!((tier(&project, "OPEN").0, tier(&project, "SECRET").0), ("Standard".into(), "Standard".into()));
    project.exits(0, &["plan", "dev", "--detailed-exitcode"]);
}
