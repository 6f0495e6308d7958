//! Many parameters at once: looking at them costs calls by the batch, not by the piece.

use super::project::Project;

#[test]
fn observing_a_thousand_parameters_takes_at_most_110_calls() {
    let shop = Project::shop("many");
    let spec = r#"
provider "aws" {
  region   = local_stack.region
  endpoint = local_stack.aws_endpoint
}
variable "name" { type = string }
resource "aws_ssm_parameter" "many" {
  count = 1000
  name  = "/${var.name}/p${count.index}"
  type  = "String"
  value = "value ${count.index}"
}
"#;
    shop.write("environments/dev.hcl", spec);
    shop.ok(&["apply", "dev", "--auto-approve", "--no-progress"]);
    let count = || shop.stack().calls(&shop.name)["total"].as_u64().expect("the relay counts");
    let before = count();
    assert!(before >= 1000, "the relay saw every parameter being put: {before}");
    shop.ok(&["plan", "dev", "--detailed-exitcode"]);
    let calls = count() - before;
    println!("{calls} calls");
    assert!((100..=110).contains(&calls), "{calls} calls");
}
