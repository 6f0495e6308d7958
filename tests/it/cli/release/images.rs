//! Images by their content: what a tag stood for when it was planned is what runs, here and in the next environment.

use crate::cli::Bench;
use crate::stack::{self, Stack};

const MODULE: &str = r#"
variable "name" {
  type = string
}

variable "image" {
  type = string
}

resource "aws_ssm_parameter" "level" {
  name  = "/${var.name}/level"
  type  = "String"
  value = "info"
}

resource "aws_ecs_task_definition" "web" {
  family = var.name
  container_definitions = jsonencode([{
    name    = "web"
    image   = var.image
    memory  = 128
    secrets = [{ name = "LEVEL", valueFrom = aws_ssm_parameter.level.arn }]
  }])
}
"#;

/// The shop's one repository, and a project that runs its image.
struct Shop {
    bench: Bench,
    stack: &'static Stack,
    repository: String,
    name: String,
    /// `registry/repository`.
    uri: String,
}

impl Shop {
    fn new(settings: &str) -> Self {
        let stack = stack::shared();
        let name = stack::unique("images").replace('_', "-");
        let repository = format!("shop/{name}");
        let made = stack.aws(&["ecr", "create-repository", "--repository-name", &repository]);
        let uri = made["repository"]["repositoryUri"].as_str().unwrap().to_owned();
        let mut bench = Bench::new();
        bench.set("SWITCHBACK_LOCAL_STACK", &stack.facts().project.display().to_string());
        bench.set("AWS_EC2_METADATA_DISABLED", "true");
        bench.write("switchback.hcl", "project \"shop\" {}\n");
        bench.write("modules/web/main.hcl", MODULE);
        let shop = Self { bench, stack, repository, name, uri };
        shop.spec("dev", settings, &format!("{}:1.4", shop.uri));
        shop.spec("staging", "  after  = \"dev\"\n  source = [\"release\"]\n", "unused:1");
        shop
    }

    fn spec(&self, environment: &str, settings: &str, image: &str) {
        let name = &self.name;
        let text = format!(
            r#"
environment "{environment}" {{
{settings}}}

provider "aws" {{
  region   = local_stack.region
  endpoint = local_stack.aws_endpoint
}}

variable "image" {{
  type     = string
  default  = "{image}"
  released = true
}}

module "web" {{
  source = "../modules/web"
  name   = "{name}-{environment}"
  image  = var.image
}}
"#
        );
        self.bench.write(&format!("environments/{environment}.hcl"), &text);
    }

    /// Pushes a manifest as this tag; its digest.
    fn push(&self, tag: &str, content: &str) -> String {
        let manifest = format!(r#"{{"schemaVersion": 2, "config": {{"digest": "{content}"}}, "layers": []}}"#);
        let words = [
            "ecr",
            "put-image",
            "--repository-name",
            &self.repository,
            "--image-tag",
            tag,
            "--image-manifest",
            &manifest,
        ];
        self.stack.aws(&words)["image"]["imageId"]["imageDigest"].as_str().unwrap().to_owned()
    }

    /// What ECS says that the containers of the newest revision run.
    fn runs(&self, environment: &str) -> String {
        let family = format!("{}-{environment}", self.name);
        let found = self.stack.aws(&["ecs", "describe-task-definition", "--task-definition", &family]);
        found["taskDefinition"]["containerDefinitions"][0]["image"].as_str().unwrap().to_owned()
    }

    /// How often the registry was asked for images of this repository.
    fn asked(&self) -> u64 {
        self.stack.calls(&self.repository)["operations"]["ecr.DescribeImages"].as_u64().unwrap_or_default()
    }
}

#[test]
fn a_tag_is_asked_once_pinned_and_carried_to_the_next_environment_although_it_moves() {
    let shop = Shop::new("");
    let bench = &shop.bench;
    bench.expect(1, "plan dev").has("does not exist").has("push the image before it is planned");
    let first = shop.push("1.4", "one");
    let before = shop.asked();
    let plan = bench.expect(0, "plan dev --out p.plan.json");
    plan.has(&format!("image {}:1.4 → {first}", shop.uri));
    assert_eq!(shop.asked(), before + 1, "the registry is asked once");
    // The tag moves between plan and apply: nothing changes, and nobody is asked.
    let second = shop.push("1.4", "two");
    assert_ne!(first, second);
    bench.expect(0, "apply p.plan.json").has("verified");
    assert_eq!(shop.runs("dev"), format!("{}@{first}", shop.uri), "its text was known only when it was applied");
    assert_eq!(shop.asked(), before + 1, "an apply does not ask");
    // A tag that was pinned is kept: only another text is a change.
    bench.expect(0, "plan dev --detailed-exitcode").has("nothing to do");
    bench.expect(0, "drift dev");
    assert_eq!(shop.asked(), before + 1);

    let id = bench.json(0, "release create dev")["id"].as_str().unwrap().to_owned();
    let shown = bench.json(0, &format!("release show {id}"));
    assert_eq!(shown["images"][0]["image"], format!("{}@{first}", shop.uri), "{shown}");
    let said = bench.expect(0, "promote dev staging --auto-approve");
    said.has(&format!("image {}:1.4 → {first}", shop.uri)).has("verified");
    assert_eq!(shop.runs("staging"), format!("{}@{first}", shop.uri), "the digest has travelled, not the tag");
    assert_eq!(shop.asked(), before + 1, "what a release has is not asked for again");
    bench.expect(0, "plan staging --detailed-exitcode").has("nothing to do");

    // Another tag is another text.
    shop.spec("dev", "", &format!("{}:1.5", shop.uri));
    let third = shop.push("1.5", "three");
    bench.expect(0, "apply dev --auto-approve").has(&format!("→ {third}")).has("verified");
    assert_eq!(shop.runs("dev"), format!("{}@{third}", shop.uri));
    bench.expect(0, "rollback dev --last --auto-approve").has("verified");
    assert_eq!(shop.runs("dev"), format!("{}@{first}", shop.uri));
}

#[test]
fn a_tag_is_followed_where_the_environment_says_so() {
    let shop = Shop::new("  follow_tags = true\n");
    let bench = &shop.bench;
    let first = shop.push("1.4", "one");
    bench.expect(0, "apply dev --auto-approve").has("verified");
    let one = bench.json(0, "release create dev")["id"].as_str().unwrap().to_owned();
    bench.expect(0, "plan dev --detailed-exitcode").has("nothing to do");
    let second = shop.push("1.4", "two");
    bench.expect(2, "plan dev --detailed-exitcode").has(&format!("→ {second}"));
    bench.expect(0, "apply dev --auto-approve").has("verified");
    assert_eq!(shop.runs("dev"), format!("{}@{second}", shop.uri));
    // The same files with another image are another release, and the first goes on as it was.
    let two = bench.json(0, "release create dev")["id"].as_str().unwrap().to_owned();
    assert_ne!(one, two);
    bench.expect(0, &format!("promote dev staging --release {one} --auto-approve")).has(&first).has("verified");
    assert_eq!(shop.runs("staging"), format!("{}@{first}", shop.uri));
}

#[test]
fn an_image_that_cannot_be_pinned_is_refused_where_all_have_to_be() {
    let shop = Shop::new("");
    let bench = &shop.bench;
    shop.spec("dev", "", "shop/web:1.0.0");
    bench.expect(0, "plan dev");
    shop.spec("dev", "  pin_images = \"required\"\n", "shop/web:1.0.0");
    let said = bench.expect(4, "plan dev");
    said.has("dev takes only images that are named by their content").has("shop/web:1.0.0: its registry is not asked");
    bench.expect(4, "apply dev --auto-approve").has("nothing was done");
    shop.spec("dev", "  pin_images = \"required\"\n", &format!("shop/web@sha256:{}", "a".repeat(64)));
    bench.expect(0, "plan dev");
    shop.spec("dev", "  pin_images = \"off\"\n", &format!("{}:1.4", shop.uri));
    let before = shop.asked();
    bench.expect(0, "plan dev").has_not("→ sha256");
    assert_eq!(shop.asked(), before);
    shop.spec("dev", "  pin_images = \"offf\"\n", "unused:1");
    bench.expect(4, "validate dev").has("images are not pinned like that").has("off");
    shop.spec("dev", "  pin_images = \"off\"\n  follow_tags = true\n", "unused:1");
    bench.expect(4, "validate dev").has("no tag is followed where no image is pinned");
}
