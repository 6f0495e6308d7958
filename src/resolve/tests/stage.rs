//! A project in memory, and a small table of kinds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostics;
use crate::files::Files;
use crate::kind::{
    Asked, Attribute, By, Change, Judgement, Kind, Kinds, LateCall, Mistake, PerChange, ProviderSchema, Rules, Secrecy,
    Shape,
};
use crate::resolve::desired::{Desired, DesiredResource};
use crate::resolve::inputs::Inputs;
use crate::resolve::{Resolved, resolve};
use crate::spec::{Spec, load};
use crate::value::{Object, Type, Value};

/// Files in memory.
#[derive(Clone, Default)]
pub struct Memory(pub BTreeMap<PathBuf, Vec<u8>>);

impl Files for Memory {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }

    fn list(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        let found: Vec<PathBuf> = self.0.keys().filter(|path| path.parent() == Some(folder)).cloned().collect();
        if found.is_empty() { Err(std::io::ErrorKind::NotFound.into()) } else { Ok(found) }
    }
}

/// A project with the environment `dev`.
#[derive(Clone)]
pub struct Stage {
    pub files: Memory,
    pub inputs: Inputs,
    pub folder: PathBuf,
}

/// What came of a stage.
pub struct Play {
    pub spec: Spec,
    pub resolved: Option<Resolved>,
    pub diagnostics: Diagnostics,
}

impl Stage {
    /// The spec of `dev`.
    pub fn new(spec: &str) -> Self {
        let stage = Self { files: Memory::default(), inputs: Inputs::default(), folder: "/projects/shop".into() };
        stage.file("switchback.hcl", "project \"shop\" {}\n").file("environments/dev.hcl", spec)
    }

    /// With one file more.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.0.insert(self.folder.join(path), text.as_bytes().to_vec());
        self
    }

    /// Without a file.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        self.files.0.remove(&self.folder.join(path));
        self
    }

    /// With a `--var`.
    #[must_use]
    pub fn var(mut self, name: &str, text: &str) -> Self {
        self.inputs.arguments.push((name.into(), text.into()));
        self
    }

    pub fn play(&self) -> Play {
        let kinds = kinds();
        let (spec, mut diagnostics) = load(&self.files, &self.folder, "dev", &kinds);
        let (resolved, more) = resolve(&spec, &self.inputs, &kinds, &self.files, &self.folder);
        diagnostics.extend(more);
        diagnostics.sort();
        Play { spec, resolved, diagnostics }
    }

    /// What it wants, when it has no mistakes.
    pub fn desired(&self) -> Desired {
        let play = self.play();
        assert!(play.diagnostics.is_empty(), "{}", play.rendered());
        play.resolved.expect("no mistakes, so there is a result").desired
    }

    /// One resource.
    pub fn resource(&self, address: &str) -> DesiredResource {
        let desired = self.desired();
        let address = address.parse().unwrap();
        desired.resources.get(&address).cloned().unwrap_or_else(|| panic!("{address} is not among {desired:?}"))
    }

    /// The mistakes: summary and line of each.
    pub fn mistakes(&self) -> Vec<String> {
        let play = self.play();
        assert!(play.resolved.is_none() || play.diagnostics.is_empty());
        let said = play.diagnostics.0.iter().map(|diagnostic| {
            let line = diagnostic.span.map_or(0, |span| play.spec.sources.place(span).line);
            format!("{line}: {}", diagnostic.summary)
        });
        said.collect()
    }
}

impl Play {
    pub fn rendered(&self) -> String {
        self.diagnostics.0.iter().map(|diagnostic| diagnostic.render(&self.spec.sources)).collect()
    }
}

/// A wrapper that runs a stage with one wrong expression and gives the text shown.
pub fn rendered(stage: &Stage) -> String {
    stage.play().rendered()
}

pub fn needs(resource: &DesiredResource) -> Vec<String> {
    resource.needs.iter().map(ToString::to_string).collect()
}

pub fn text(resource: &DesiredResource, name: &str) -> String {
    resource.object.get(name).map_or_else(|| "absent".to_owned(), ToString::to_string)
}

/// The kinds of the tests.
pub fn kinds() -> Kinds {
    let provider = |name: &'static str, attributes| ProviderSchema { name, summary: "A provider.", attributes };
    Kinds::new(
        [data(), parameter(), service(), database()],
        [
            provider("terraform", Vec::new()),
            provider(
                "aws",
                vec![
                    Attribute::optional("region", Type::String, "The region."),
                    Attribute::optional("secret_key", Type::String, "The key.").secret(Secrecy::Secret),
                ],
            ),
            provider(
                "postgres",
                vec![
                    Attribute::optional("url", Type::String, "Its address."),
                    Attribute::optional("host", Type::String, "The host."),
                    Attribute::optional("user", Type::String, "The user."),
                    Attribute::optional("password", Type::String, "The password.").secret(Secrecy::Secret),
                ],
            ),
        ],
    )
}

struct Plain;

impl Rules for Plain {
    fn identity(&self, object: &Object) -> Option<String> {
        object.get("name").and_then(Value::as_str).map(str::to_owned)
    }

    fn judge(&self, _: Change<'_>) -> Judgement {
        Judgement::Exact
    }

    fn check(&self, desired: &Object) -> Vec<Mistake> {
        match desired.get("name").and_then(Value::as_str) {
            Some("bad name") => {
                vec![Mistake { attribute: Some("name".into()), text: "no spaces".into(), help: "use dashes".into() }]
            }
            _ => Vec::new(),
        }
    }
}

fn kind(name: &'static str, provider: &'static str, attributes: Vec<Attribute>) -> Kind {
    let late = PerChange::alike(LateCall::Token("each step has its own"));
    let asked = PerChange::alike(Asked::by(By::Tag));
    Kind { name, provider, summary: "A kind.", attributes, late, asked, rules: Box::new(Plain) }
}

fn data() -> Kind {
    kind(
        "terraform_data",
        "terraform",
        vec![
            Attribute::optional("input", Type::Any, "Anything."),
            Attribute::optional("triggers_replace", Type::Any, "Anything.").replaces(),
            Attribute::computed("id", Type::String, "Its name."),
            Attribute::computed("output", Type::Any, "What was put in."),
        ],
    )
}

fn parameter() -> Kind {
    kind(
        "aws_ssm_parameter",
        "aws",
        vec![
            Attribute::required("name", Type::String, "The name."),
            Attribute::required("type", Type::String, "Its type."),
            Attribute::required("value", Type::String, "The value.").secret(Secrecy::When("type", "SecureString")),
            Attribute::optional("tier", Type::String, "The tier.").default("Standard"),
            Attribute::computed("arn", Type::String, "Its ARN."),
            Attribute::computed("version", Type::Number, "Its version."),
        ],
    )
}

fn service() -> Kind {
    let mut load_balancer = Attribute::blocks(
        "load_balancer",
        vec![
            Attribute::required("port", Type::Number, "The port."),
            Attribute::optional("name", Type::String, "The name.").default("web"),
        ],
        "Where requests come from.",
    );
    if let Shape::Blocks { maximum, .. } = &mut load_balancer.shape {
        *maximum = Some(3);
    }
    kind(
        "aws_ecs_service",
        "aws",
        vec![
            Attribute::required("name", Type::String, "The name."),
            Attribute::optional("desired_count", Type::Number, "How many tasks.").default(1_i64),
            Attribute::optional_computed("launch_type", Type::String, "Where it runs."),
            Attribute::optional("tags", Type::map(Type::String), "Tags."),
            load_balancer,
            Attribute::computed("arn", Type::String, "Its ARN."),
        ],
    )
}

fn database() -> Kind {
    kind(
        "postgres_database",
        "postgres",
        vec![
            Attribute::required("name", Type::String, "The name."),
            Attribute::computed("url", Type::String, "Its address."),
        ],
    )
}
