//! Spec × variables × modules → [`desired::Desired`]. Pure.
//!
//! Invariant: all mistakes are gathered; nothing follows from a name whose own mistake is reported.

pub mod desired;
pub mod functions;
pub mod evaluate;
pub mod conform;
pub mod console;
pub mod images;
pub mod secrets;
pub mod inputs;

mod cells;
mod circles;
mod config;
mod config_file;
mod config_keys;
mod database;
mod defaults;
mod engine;
mod expand;
mod graph;
mod ground;
mod here;
mod identities;
mod names;
mod prepare;
mod provider;
mod reading;
mod refactor;
mod rehearsal;
mod resource;
mod schema;
mod secret_form;
mod settings;
#[cfg(test)]
mod tests;
mod url;
mod variables;
mod verify;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostics;
use crate::digest::Digest;
use crate::expression::{Expr, Node};
use crate::files::Files;
use crate::kind::Kinds;
use crate::secret::SecretReference;
use crate::spec::Spec;
use crate::value::Value;
use desired::{Desired, Refactoring};
use engine::Engine;
use evaluate::Surroundings;
use graph::{Graph, Item};
use ground::Ground;
use inputs::{Inputs, Missing};
use names::LocalStackNames;
use reading::Recorder;
pub use refactor::query as import_query;
use secrets::RevealedSecrets;

/// What a spec comes to.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What it wants.
    pub desired: Desired,
    /// The secrets that it and its variables gave.
    pub secrets: RevealedSecrets,
    /// What becomes of what is recorded.
    pub refactoring: Refactoring,
    /// The values of the variables that travel with a release.
    pub released: BTreeMap<String, Value>,
}

/// Evaluates a spec. There is no result when anything is wrong, here or already in the reading of the spec
/// (whose diagnostics are its own).
///
/// `files` and `folder` are those the spec was read with.
pub fn resolve(
    spec: &Spec,
    inputs: &Inputs,
    kinds: &Kinds,
    files: &dyn Files,
    folder: &Path,
) -> (Option<Resolved>, Diagnostics) {
    let recorder = Recorder::new(files, folder);
    let (made, mut diagnostics) = with_engine(spec, inputs, kinds, &recorder, folder, |engine| {
        engine.run();
        engine.validate_all();
        engine.report_circles();
        engine.check_identities();
        let refactoring = engine.refactoring();
        let open = open_variables(engine);
        (std::mem::take(&mut engine.made), open, refactoring)
    });
    diagnostics.extend(settings::check(spec));
    diagnostics.sort();
    let (made, open_variables, refactoring) = made;
    if diagnostics.has_errors() || !spec.sound {
        return (None, diagnostics);
    }
    let mut read = spec.read.clone();
    read.extend(recorder.into_read());
    let desired = Desired {
        project: spec.project.name.to_string(),
        environment: settings::environment(spec),
        resources: made.resources,
        databases: made.databases,
        checks: made.checks.into_values().collect(),
        outputs: made.outputs,
        spec_digest: spec_digest(&read, &open_variables),
        images: crate::release::image::Images::default(),
    };
    let travels = |name: &str| {
        let root = spec.modules.first();
        root.and_then(|root| root.variables.get(name)).is_some_and(|variable| variable.released)
    };
    let released = open_variables.into_iter().filter(|(name, _)| travels(name)).collect();
    (Some(Resolved { desired, secrets: made.revealed, refactoring, released }), diagnostics)
}

/// Checks the names and blocks of a spec, and gives an engine to work with.
fn with_engine<T>(
    spec: &Spec,
    inputs: &Inputs,
    kinds: &Kinds,
    files: &dyn Files,
    folder: &Path,
    work: impl FnOnce(&mut Engine<'_>) -> T,
) -> (T, Diagnostics) {
    let builtins = builtins(spec, inputs);
    let names: Vec<String> = builtins.keys().cloned().collect();
    let local_stack = match (&inputs.local_stack, inputs.missing) {
        (Some(_), _) => LocalStackNames::Known,
        (None, Missing::Refuse) => LocalStackNames::Missing,
        (None, Missing::Assume) => LocalStackNames::Assumed,
    };
    let mut diagnostics = Diagnostics::default();
    let around = prepare::Surroundings { spec, kinds, builtins: &names, local_stack };
    let prepared = prepare::prepare(&around, &mut diagnostics);
    let graph = Graph::new(spec, &prepared);
    let surroundings = Surroundings {
        files: Some(files),
        folder,
        home: inputs.home.as_deref(),
        planned_at: inputs.planned_at,
        now: None,
    };
    let ground = Ground::new(spec, &graph, surroundings, builtins);
    let mut engine = Engine::new(ground, inputs, kinds, &prepared);
    let done = work(&mut engine);
    diagnostics.extend(std::mem::take(&mut engine.diagnostics));
    (done, diagnostics)
}

/// Dotted names of ours and what they stand for.
fn builtins(spec: &Spec, inputs: &Inputs) -> BTreeMap<String, Value> {
    let mut builtins = BTreeMap::from([("environment.name".to_owned(), Value::string(spec.environment.clone()))]);
    let stack = inputs.local_stack.as_ref().and_then(Value::entries);
    for (name, value) in stack.into_iter().flatten() {
        builtins.insert(format!("local_stack.{name}"), value.clone());
    }
    builtins
}

/// The values of root variables that are no secrets.
fn open_variables(engine: &Engine<'_>) -> BTreeMap<String, Value> {
    let variables = engine.ground.spec.modules.first().into_iter().flat_map(|root| root.variables.iter().enumerate());
    let value = |(index, (name, _)): (usize, (&std::sync::Arc<str>, &crate::spec::Variable))| {
        let node = engine.ground.graph.node(engine.ground.spec, 0, Item::Variable(index));
        let value = &engine.ground.state.cells[node].first()?.value;
        (!value.is_sensitive()).then(|| (name.to_string(), value.clone()))
    };
    variables.filter_map(value).collect()
}

fn spec_digest(read: &BTreeMap<PathBuf, Digest>, variables: &BTreeMap<String, Value>) -> Digest {
    let read: BTreeMap<String, Digest> =
        read.iter().map(|(path, digest)| (path.to_string_lossy().replace('\\', "/"), *digest)).collect();
    Digest::of_json(&(read, variables))
}

/// Whether an expression is written `null`.
fn is_null_literal(expr: &Expr) -> bool {
    matches!(&expr.node, Node::Literal(value) if value.is_null())
}

/// Whether a reference to a secret is one that a later run without the checkout cannot have.
pub fn needs_checkout(reference: &SecretReference) -> bool {
    matches!(reference, SecretReference::Literal { .. })
}
