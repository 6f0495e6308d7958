//! Ways back that meet what cannot be had again: revisions that are gone, secrets that nobody keeps.

use super::Bench;
use crate::stack::{shared, unique};

/// A URL without its password, as a spec must have it.
fn open(url: &str) -> String {
    let (head, host) = url.rsplit_once('@').expect("it has a user");
    let user = head.rsplit_once(':').map_or(head, |(user, _)| user);
    format!("{user}@{host}")
}

fn aws(spec: &str) -> Bench {
    let endpoint = shared().aws_endpoint();
    let name = unique("back");
    let provider = format!("provider \"aws\" {{\n  region   = \"eu-west-1\"\n  endpoint = \"{endpoint}\"\n}}\n");
    Bench::with_spec(&format!("environment \"dev\" {{}}\n{provider}{}", spec.replace("NAME", &name)))
}

#[test]
fn outputs_name_the_revision_that_a_way_back_made_anew() {
    let bench = aws(r#"
variable "image" { type = string }

resource "aws_ecs_task_definition" "web" {
  family                = "NAME"
  container_definitions = jsonencode([{ name = "web", image = var.image }])
}

output "web" {
  value = { arns = { web = aws_ecs_task_definition.web.arn }, image = var.image }
}
"#);
    let arn = || bench.json(0, "output dev")["web"]["arns"]["web"].as_str().unwrap().to_owned();
    bench.expect(0, "up dev --var image=shop:1");
    bench.expect(0, "up dev --var image=shop:2");
    let second = arn();
    bench.expect(0, "rollback dev --last --auto-approve");
    bench.expect(0, "rollback dev --to 2 --auto-approve");
    let third = arn();
    assert!(second.ends_with(":2") && third.ends_with(":3"), "{second} {third}");
    bench.expect(0, "rollback dev --to 0 --accept-loss all --auto-approve");
}

#[test]
fn a_secret_that_went_with_its_parameter_is_left_out_and_told() {
    let bench = aws(r#"
variable "key" {
  type      = string
  sensitive = true
}

resource "aws_ssm_parameter" "open" {
  name  = "/NAME/open"
  type  = "String"
  value = "open"
}

resource "aws_ssm_parameter" "secret" {
  name  = "/NAME/secret"
  type  = "SecureString"
  value = var.key
}
"#);
    bench.expect(0, "up dev --var key=hunter2-hunter2");
    bench.expect(0, "destroy dev --auto-approve --var key=hunter2-hunter2");
    let said = bench.expect(0, "rollback dev --last --accept-loss all --auto-approve");
    said.has("`value` of `aws_ssm_parameter.secret` was a secret")
        .has("left out")
        .has("1 done, 0 failed")
        .has("verified");
    bench.expect(0, "plan dev --var key=hunter2-hunter2").has("1 to create").has_not("aws_ssm_parameter.open");
    bench.expect(0, "rollback dev --to 0 --accept-loss all --auto-approve");
}

/// A spec with a secret parameter.
fn secret() -> &'static str {
    r#"
variable "key" {
  type      = string
  sensitive = true
}

resource "aws_ssm_parameter" "secret" {
  name  = "/NAME/secret"
  type  = "SecureString"
  value = var.key
}
"#
}

#[test]
fn the_version_of_a_parameter_that_comes_back_is_not_promised() {
    let bench = aws(secret());
    bench.expect(0, "up dev --var key=first-secret");
    bench.expect(0, "up dev --var key=second-secret");
    bench
        .expect(0, "rollback dev --last --out back.plan.json")
        .has("version: 2 -> (known after apply)")
        .has_not("2 -> 1");
    bench.expect(0, "apply back.plan.json").has("verified");
    bench.expect(0, "plan dev --detailed-exitcode --var key=first-secret").has("nothing to do");
    bench.expect(0, "rollback dev --to 0 --accept-loss all --auto-approve");
}

#[test]
fn a_secret_that_went_with_its_versions_is_a_loss_to_be_accepted_although_the_name_is_there_again() {
    let bench = aws(secret());
    let spec = bench.read("environments/dev.hcl");
    bench.expect(0, "up dev --var key=first-secret");
    let (without, _) = spec.split_once("resource ").expect("there is one");
    bench.write("environments/dev.hcl", without);
    bench.expect(0, "up dev --var key=first-secret");
    bench.write("environments/dev.hcl", &spec);
    bench.expect(0, "up dev --var key=third-secret");
    // Its version is 1 again, and another one.
    bench
        .expect(9, "rollback dev --to 1 --auto-approve")
        .has("loses data")
        .has("was made again since, and its version 1 is another one")
        .has("--accept-loss 1");
    bench.expect(0, "rollback dev --to 1 --auto-approve --accept-loss 1").has("verified");
    bench.expect(0, "plan dev --detailed-exitcode --var key=third-secret").has("nothing to do");
    bench.expect(0, "rollback dev --to 0 --accept-loss all --auto-approve");
}

#[test]
fn what_can_only_be_struck_out_is_struck_out_so_that_the_next_way_back_goes_further() {
    let stack = shared();
    let mut bench = Bench::with_spec(&format!(
        r#"
environment "dev" {{}}

provider "postgres" {{
  url      = "{}"
  password = var.server
}}

variable "server" {{
  type      = string
  sensitive = true
}}

variable "key" {{
  type      = string
  sensitive = true
}}

resource "postgres_role" "app" {{
  name     = "{}"
  password = var.key
}}
"#,
        open(&stack.postgres_url()),
        unique("back")
    ));
    bench.set("SWITCHBACK_VAR_server", crate::stack::read(stack.postgres_password_file()).trim());
    bench.expect(0, "up dev --var key=first-password");
    bench.expect(0, "up dev --var key=second-password");
    bench.expect(9, "rollback dev --last --auto-approve").has("nobody keeps").has("loses data").has("--accept-loss 1");
    bench
        .expect(0, "rollback dev --last --accept-loss 1 --auto-approve")
        .has("stays as it is now")
        .has("run 3, rollback of dev: complete");
    bench.expect(0, "rollback dev --last --accept-loss all --auto-approve").has("delete postgres_role.app");
    bench.expect(0, "rollback dev --last --auto-approve").has("nothing to take back");
}

#[test]
fn a_database_that_was_forgotten_is_looked_at_again_on_the_way_back() {
    let stack = shared();
    let url = open(&stack.new_database("back"));
    let spec = "environment \"dev\" {}\nresource \"terraform_data\" \"a\" {}\n";
    let database = format!(
        "database \"app\" {{\n  url = \"{url}\"\n  password_file = \"{}\"\n  migrations = \"../migrations\"\n}}\n",
        stack.postgres_password_file().display()
    );
    let bench = Bench::with_spec(&format!("{spec}{database}"));
    bench.write("migrations/V1__make.sql", "CREATE TABLE made (id int);\n");
    bench.write("migrations/V1__make.down.sql", "DROP TABLE made;\n");
    bench.expect(0, "up dev").has("V1__make");
    bench.write("environments/dev.hcl", spec);
    bench.expect(0, "up dev").has("forget database.app");
    bench.expect(0, "rollback dev --last --auto-approve").has_not("V1__make").has("0 failed");
    bench.write("environments/dev.hcl", &format!("{spec}{database}"));
    bench.expect(0, "plan dev --detailed-exitcode").has("nothing to do");
    // What was there before the ledger knew the database stays, and is in nobody's way.
    bench.write("migrations/V2__more.sql", "CREATE TABLE more (id int);\n");
    bench.write("migrations/V2__more.down.sql", "DROP TABLE more;\n");
    bench.expect(0, "up dev").has("V2__more");
    bench
        .expect(0, "rollback dev --last --accept-loss all --auto-approve")
        .has("V2__more")
        .has_not("V1__make")
        .has("verified");
}
