//! A project with services, parameters and a schema, and a hand that changes them without Switchback.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::shop::project::{Project, Said};
use crate::stack;

/// Head of every spec: the endpoint and the database are variables, so that one spec serves several environments.
const PROVIDERS: &str = r#"
environment "ENVIRONMENT" {}

provider "aws" {
  region   = local_stack.region
  endpoint = local_stack.aws_endpoint
}

variable "name" {
  type = string
}
"#;

/// What `drift` said of one thing: class, area, address, object, how.
pub type Told = (String, String, String, String, String);

/// A project, and its database.
pub struct Bench {
    /// The project.
    pub project: Project,
    /// The superuser's URL of its database.
    pub database: String,
}

impl Bench {
    /// A project with one environment `dev`, whose spec has this behind its providers and before its database.
    pub fn new(prefix: &str, spec: &str, migrations: &[(&str, &str)]) -> Self {
        let project = Project::empty(prefix);
        let database = project.stack().new_database(prefix);
        project.write("switchback.hcl", "project \"drift\" {}\n");
        for (name, text) in migrations {
            project.write(&format!("migrations/{name}"), text);
        }
        let bench = Self { project, database };
        bench.environment("dev", spec, &bench.database);
        bench
    }

    /// Writes the spec of an environment.
    pub fn environment(&self, name: &str, spec: &str, database: &str) {
        let head = PROVIDERS.replace("ENVIRONMENT", name);
        self.project.write(&format!("environments/{name}.hcl"), &format!("{head}{spec}{}", block(database)));
    }

    /// Changes the spec of `dev`.
    pub fn edit(&self, from: &str, to: &str) {
        self.project.edit("environments/dev.hcl", from, to);
    }

    /// What a parameter, service or log group is called: the name of this project before it.
    pub fn name(&self, rest: &str) -> String {
        format!("{}-{rest}", self.project.name)
    }

    /// A call of the endpoint that must succeed.
    pub fn call(&self, service: &str, operation: &str, body: &Value) -> Value {
        let (status, answer) = self.project.stack().call(service, operation, body);
        assert_eq!(status, 200, "{operation} {body}: {answer}");
        answer
    }

    /// SQL by the superuser.
    pub fn sql(&self, statement: &str) -> String {
        self.project.stack().psql(&self.database, statement)
    }

    /// A parameter, written by hand.
    pub fn put(&self, key: &str, changes: &Value) {
        let mut body = json!({"Name": format!("/{}/{key}", self.project.name), "Overwrite": true});
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.call("ssm", "PutParameter", &body);
    }

    /// What `drift dev` says, and how it ends.
    pub fn drift(&self, code: i32) -> (BTreeSet<Told>, Said) {
        let said = self.project.exits(code, &["drift", "dev", "--json"]);
        let json = said.json();
        assert_eq!(json["exit_code"], code);
        let told = json["departures"].as_array().unwrap().iter().map(told);
        let all: Vec<Told> = told.collect();
        let once: BTreeSet<Told> = all.iter().cloned().collect();
        assert_eq!(all.len(), once.len(), "each thing is told once: {all:#?}");
        (once, said)
    }
}

fn block(database: &str) -> String {
    let (head, host) = database.rsplit_once('@').unwrap();
    let user = head.rsplit_once(':').map_or(head, |(user, _)| user);
    let password = stack::shared().postgres_password_file().display().to_string();
    format!(
        "\ndatabase \"app\" {{\n  url = \"{user}@{host}\"\n  password_file = \"{password}\"\n  migrations = \"../migrations\"\n}}\n"
    )
}

fn told(departure: &Value) -> Told {
    let text = |name: &str| departure[name].as_str().unwrap_or_default().to_owned();
    (text("class"), text("area"), text("address"), text("object"), text("what"))
}

/// One line of what is expected.
pub fn line(class: &str, area: &str, address: &str, object: &str, what: &str) -> Told {
    (class.to_owned(), area.to_owned(), address.to_owned(), object.to_owned(), what.to_owned())
}
