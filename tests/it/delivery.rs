//! The shop on its way from dev over staging to prod and back: by releases, promotions, signatures and tags, while an
//! old and a new client query production; looked at by raw calls, `psql` and `pg_dump`.

mod by_itself;
mod killed;
mod pipeline;
mod story;

use std::process::{Command, Stdio};

use crate::repository::{VARIABLES, begin, commit};
use serde_json::json;

use crate::shop::project::{Project, Said};
use crate::shop::world::Snapshot;

/// The migrations that the first release does not have.
const LATER: [&str; 5] = [
    "V7__add_display_name",
    "V8__sync_display_name",
    "V9__backfill_display_name",
    "V10__require_display_name",
    "V11__drop_fullname",
];

const OLD: &str = "shop/web:1.0.0";
const NEW: &str = "shop/web:2.0.0";

/// The shop in a repository of its own, with three environments on the local stack.
struct Repository {
    shop: Project,
    /// The images of the two releases, as dev's file names them.
    named: [String; 2],
    /// The same, as they run.
    run: [&'static str; 2],
}

impl Repository {
    /// The first release's sources, committed.
    fn new(prefix: &str) -> Self {
        let mut shop = Project::shop(prefix).with_three_places();
        let stack = shop.stack();
        let url = format!("postgres://127.0.0.1:{}/postgres", stack.facts().postgres_port);
        let password = crate::stack::read(stack.postgres_password_file());
        for (name, value) in [
            ("SWITCHBACK_VAR_account", "000000000000"),
            ("SWITCHBACK_VAR_region", &stack.facts().region),
            ("SWITCHBACK_VAR_endpoint", stack.aws_endpoint()),
            ("SWITCHBACK_VAR_subnets", "[\"subnet-0a1b2c3d\"]"),
            ("SWITCHBACK_VAR_postgres_url", &url),
            ("SWITCHBACK_VAR_postgres_password", password.trim()),
            ("SWITCHBACK_VAR_database_password", "a-database-password"),
            ("SWITCHBACK_VAR_session_key", "a-session-key"),
            ("USER", "tester"),
        ] {
            shop.set(name, value);
        }
        // The program calls git as well.
        VARIABLES.iter().for_each(|(name, value)| shop.set(name, value));
        for name in LATER {
            for end in [".sql", ".down.sql"] {
                let from = format!("migrations/shop/{name}{end}");
                let text = std::fs::read_to_string(shop.path(&from)).unwrap();
                shop.write(&format!("later/{name}{end}"), &text);
                std::fs::remove_file(shop.path(&from)).unwrap();
            }
        }
        let service = "resource \"aws_ecs_service\" \"this\" {\n";
        let needs = format!("{service}  needs_schema    = database.app.between(6, 10)\n");
        shop.edit("modules/web_service/main.hcl", service, &needs);
        signs_with_a_key(&shop);
        shop.write(".gitignore", ".switchback/\nkeys/\nlater/\n*.plan.json\n");
        let repository = Self { shop, named: [OLD, NEW].map(str::to_owned), run: [OLD, NEW] };
        begin(&repository.shop.path(""));
        repository
    }

    /// The same with the images in a registry of the endpoint, where what they run is named by its content.
    fn in_a_registry(mut self) -> Self {
        let name = format!("shop/{}", self.shop.name);
        let made = self.shop.stack().aws(&["ecr", "create-repository", "--repository-name", &name]);
        let registry = made["repository"]["repositoryUri"].as_str().unwrap().to_owned();
        for (release, tag) in ["1.0.0", "2.0.0"].into_iter().enumerate() {
            self.named[release] = format!("{registry}:{tag}");
            self.run[release] = format!("{registry}@{}", self.push(tag, tag)).leak();
        }
        self.shop.edit("environments/dev.hcl", OLD, &self.named[0]);
        self
    }

    /// Pushes an image of this content as this tag; its digest.
    fn push(&self, tag: &str, content: &str) -> String {
        let name = format!("shop/{}", self.shop.name);
        let manifest = format!(r#"{{"schemaVersion": 2, "config": {{"digest": "{content}"}}, "layers": []}}"#);
        let words = ["ecr", "put-image", "--repository-name", &name, "--image-tag", tag, "--image-manifest", &manifest];
        self.shop.stack().aws(&words)["image"]["imageId"]["imageDigest"].as_str().unwrap().to_owned()
    }

    fn commit(&self, message: &str) {
        commit(&self.shop.path(""), message);
    }

    /// Runs words as they are typed.
    #[track_caller]
    fn types(&self, code: i32, words: &str) -> Said {
        let said = self.shop.exits(code, &words.split(' ').collect::<Vec<_>>());
        Said { err: said.err.clone() + &said.out, ..said }
    }

    /// The sources of the second release: another image, the new column, the old one gone; committed.
    fn second(&self) {
        self.shop.edit("environments/dev.hcl", &self.named[0], &self.named[1]);
        self.shop.edit("modules/web_service/main.hcl", "between(6, 10)", "between(8, 11)");
        self.shop.edit("modules/shop/main.hcl", "rotation = \"1\"", "rotation = \"2\"");
        for name in LATER {
            for end in [".sql", ".down.sql"] {
                let (kept, used) = (format!("later/{name}{end}"), format!("migrations/shop/{name}{end}"));
                std::fs::copy(self.shop.path(kept), self.shop.path(used)).unwrap();
            }
        }
        self.commit("customers.fullname becomes customers.display_name");
    }

    /// The public half of a person's key.
    fn key(&self, name: &str) -> String {
        let file = self.shop.path(format!("keys/{name}"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&file).stdin(Stdio::null());
        assert!(keygen.status().unwrap().success(), "ssh-keygen makes a key");
        crate::stack::read(&file.with_extension("pub")).trim().to_owned()
    }

    /// prod wants every migration signed by Dora, the DBA, and a release that was accepted; committed.
    fn prod_is_careful(&self) {
        let block = format!(
            "  protected = true\n  accept    = [\"uat\"]\n\n  approver \"dora\" {{\n    key     = \"{}\"\n    classes = \
             [\"dba\", \"owner\"]\n  }}\n\n  approval \"dba\" {{}}\n",
            self.key("dora")
        );
        self.shop.edit("environments/prod.hcl", "  protected = true\n", &block);
        self.commit("prod is careful");
    }

    /// Applies dev from the checkout and makes the release; its name.
    fn made(&self) -> String {
        assert!(self.types(0, "apply dev --auto-approve").err.contains("verified"));
        let release = self.types(0, "release create dev --json");
        let start = release.out.find('{').expect("an object");
        let object: serde_json::Value = serde_json::from_str(&release.out[start..]).unwrap();
        object["id"].as_str().unwrap().to_owned()
    }

    /// From dev to staging, seen by somebody, and tagged.
    fn staged(&self, release: &str, tag: &str) {
        assert!(self.types(0, "promote dev staging --auto-approve").err.contains("verified"));
        self.types(0, &format!("release accept {release} --in staging --as uat --note seen"));
        self.types(0, &format!("release tag {release} {tag}"));
    }

    /// What CI does when a tag is pushed, with the signature that it waits for.
    fn to_prod(&self, tag: &str) -> Said {
        self.types(0, &format!("promote staging prod --tag {tag} --out p.plan.json"));
        self.types(9, "apply p.plan.json");
        self.types(0, "approve p.plan.json --key keys/dora");
        self.types(0, "apply p.plan.json")
    }
}

impl Repository {
    /// Takes a place back whole, having looked at what is lost.
    fn goes_back(&self, place: &str, to: &str) {
        let said = self.types(9, &format!("rollback {place} {to} --with-schema --auto-approve"));
        let (_, typed) = said.err.split_once("to accept these losses: switchback ").expect("what to type is said");
        let typed = typed.lines().next().unwrap_or_default();
        assert!(typed.contains("--with-schema --accept-loss "), "{typed}");
        let said = match place {
            // What the way back loses was not signed with the way forth.
            "prod" => {
                let said = self.types(9, &format!("{typed} --auto-approve"));
                assert!(
                    said.err.contains("signatures are missing") && said.err.contains("dora may sign"),
                    "{}",
                    said.err
                );
                self.types(0, &format!("{typed} --out back.plan.json"));
                self.types(0, "approve back.plan.json --key keys/dora");
                self.types(0, "apply back.plan.json")
            }
            _ => self.types(0, &format!("{typed} --auto-approve")),
        };
        assert!(said.err.contains("verified"), "{place}: {}", said.err);
    }
}

/// Each place has a key of its own, made there; the services read the version that they were deployed with.
fn signs_with_a_key(shop: &Project) {
    let main = std::fs::read_to_string(shop.path("modules/shop/main.hcl")).unwrap();
    let keys = "\nconfig \"keys\" {\n  store  = \"secretsmanager\"\n  prefix = \"${var.name}/keys\"\n\n  key \"SIGNING_KEY\" {\n    \
                rotation = \"1\"\n\n    generated {\n      length = 32\n    }\n  }\n}\n";
    shop.write("modules/shop/main.hcl", &(main + keys));
    let region = "  region        = var.region\n";
    let signing = format!("{region}  signing_key   = config.keys[\"SIGNING_KEY\"].value_from\n");
    shop.edit("modules/shop/main.hcl", region, &signing);
    let variables = std::fs::read_to_string(shop.path("modules/web_service/variables.hcl")).unwrap();
    shop.write(
        "modules/web_service/variables.hcl",
        &(variables + "\nvariable \"signing_key\" {\n  type = string\n}\n"),
    );
    let ports = "    portMappings =";
    let secrets = format!("    secrets      = [{{ name = \"SIGNING_KEY\", valueFrom = var.signing_key }}]\n{ports}");
    shop.edit("modules/web_service/main.hcl", ports, &secrets);
    let definitions = "  container_definitions    =";
    let role = format!("  execution_role_arn       = \"arn:aws:iam::000000000000:role/exec\"\n{definitions}");
    shop.edit("modules/web_service/main.hcl", definitions, &role);
}

/// The key that whoever asks for no version gets, and the one that the web service was deployed with; asked as ECS asks.
fn signing_keys(place: &Project) -> [String; 2] {
    let asked = |service: &str, operation: &str, body: serde_json::Value| {
        let (status, answer) = place.stack().call(service, operation, &body);
        assert_eq!(status, 200, "{operation}: {answer}");
        answer
    };
    let value = |body: serde_json::Value| {
        let secret = asked("secretsmanager", "GetSecretValue", body);
        secret["SecretString"].as_str().expect("it has a value").to_owned()
    };
    let name = format!("{}-web", place.name);
    let service = asked("ecs", "DescribeServices", json!({"cluster": place.name, "services": [name]}));
    let revision = json!({"taskDefinition": service["services"][0]["taskDefinition"]});
    let revision = asked("ecs", "DescribeTaskDefinition", revision);
    let from = revision["taskDefinition"]["containerDefinitions"][0]["secrets"][0]["valueFrom"].as_str().unwrap();
    let (arn, version) = from.split_once(":::").expect("the version is pinned");
    [
        value(json!({"SecretId": format!("{}/keys/SIGNING_KEY", place.name)})),
        value(json!({"SecretId": arn, "VersionId": version})),
    ]
}

/// All that a shop consists of is there; a look at the wrong place would compare nothing with nothing.
#[track_caller]
fn is_whole(seen: &Snapshot) {
    assert_eq!((seen.clusters.len(), seen.services.len(), seen.parameters.len()), (1, 2, 4), "{seen:#?}");
    assert!(seen.schema.contains("customers") && !seen.rows.is_empty() && !seen.role.is_empty(), "{seen:#?}");
}

/// These words stand in a text, one after the other.
#[track_caller]
fn in_order(text: &str, words: &[&str]) {
    let mut from = 0;
    for word in words {
        let found = text[from..].find(word);
        from += found.unwrap_or_else(|| panic!("`{word}` does not come after those before it in {words:?}:\n{text}"));
    }
}
