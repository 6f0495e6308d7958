//! What is handed in from outside: variables and the local stack. Pure.
//!
//! Invariant: the text of a variable is never part of a message; it may be a secret.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::defaults;
use super::evaluate::{Scope, Surroundings, evaluate};
use super::names::each_name;
use crate::diagnostic::{Diagnostic, Diagnostics, SourceId, Span};
use crate::expression::{Expr, Reference};
use crate::secret::SecretReference;
use crate::spec::body::{self, Body};
use crate::spec::suggest::did_you_mean;
use crate::spec::{Module, Variable, expression_from_text};
use crate::value::{Type, Unknown, Value};

/// The prefix of environment variables that set variables.
pub const ENVIRONMENT_PREFIX: &str = "SWITCHBACK_VAR_";

/// What is handed in from outside.
#[derive(Clone, Default)]
pub struct Inputs {
    /// `SWITCHBACK_VAR_*`: names without the prefix, and texts. One that no variable has is nothing.
    pub environment: Vec<(String, String)>,
    /// `--var-file`, in order; a later one wins.
    pub files: Vec<VariableFile>,
    /// `--var K=V`, in order; a later one wins.
    pub arguments: Vec<(String, String)>,
    /// What variables with `released = true` have in the release that is applied; it wins over all else.
    pub released: BTreeMap<String, Value>,
    /// What a test gives in the place of all else.
    pub tried: BTreeMap<String, Value>,
    /// What `local_stack` stands for: an object, while the local stack runs.
    pub local_stack: Option<Value>,
    /// What is done about variables without a value.
    pub missing: Missing,
    /// The project's folder as an absolute path, for secrets in files.
    pub folder: PathBuf,
    /// What `~` stands for.
    pub home: Option<PathBuf>,
    /// When planning started.
    pub planned_at: Option<jiff::Timestamp>,
}

/// A `--var-file`.
#[derive(Clone)]
pub struct VariableFile {
    /// Its path, for messages.
    pub path: PathBuf,
    /// Its text: `name = value` in HCL, or a JSON object when the path ends in `.json`.
    pub text: String,
}

/// What is done about variables without a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// It is a mistake.
    #[default]
    Refuse,
    /// It is an unknown value; for `validate`, which plans nothing.
    Assume,
}

/// Where a value came from, for messages.
fn origin(text: &str) -> String {
    format!("it was given by {text}")
}

/// An expression that somebody handed in, not evaluated yet.
enum Handed {
    /// A text that is a string as it stands, or an expression, as the variable's type says.
    Text(String),
    /// An expression in a file.
    Expr(Expr),
    /// A value in a JSON file.
    Value(Value),
}

/// Who handed it in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// An environment variable, which may be there for whatever is built: not a word about this one run.
    Environment,
    /// A file or a flag of this run.
    Typed,
    /// The release.
    Release,
}

struct Assignment {
    place: Place,
    name: String,
    handed: Handed,
    origin: String,
}

/// The values of the spec's own variables, in the order of their declaration; nothing where there is none, for
/// which a diagnostic stands.
pub(super) fn values(module: &Module, inputs: &Inputs, diagnostics: &mut Diagnostics) -> Vec<Option<Value>> {
    let mut given: BTreeMap<String, Assignment> = BTreeMap::new();
    for (name, text) in &inputs.environment {
        let origin = origin(&format!("{ENVIRONMENT_PREFIX}{name}"));
        let handed = Handed::Text(text.clone());
        put(&mut given, Assignment { place: Place::Environment, name: name.clone(), handed, origin });
    }
    for file in &inputs.files {
        for assignment in read_file(file, diagnostics) {
            check_name(module, &assignment, diagnostics);
            put(&mut given, assignment);
        }
    }
    for (name, text) in &inputs.arguments {
        let assignment = Assignment {
            place: Place::Typed,
            name: name.clone(),
            handed: Handed::Text(text.clone()),
            origin: origin("`--var`"),
        };
        check_name(module, &assignment, diagnostics);
        put(&mut given, assignment);
    }
    for (name, variable) in module.variables.iter().filter(|(_, variable)| variable.released) {
        let Some(value) = inputs.released.get(&**name) else { continue };
        if let Some(typed) = given.get(&**name).filter(|given| given.place == Place::Typed) {
            diagnostics.push(
                Diagnostic::error("the value of this variable comes with the release")
                    .at(variable.span)
                    .detail(format!("`{name}` travels (`released = true`); {}", typed.origin))
                    .help("leave it out, or promote another release"),
            );
        }
        let origin = "it comes with the release".to_owned();
        let handed = Handed::Value(value.clone());
        put(&mut given, Assignment { place: Place::Release, name: name.to_string(), handed, origin });
    }
    for (name, value) in &inputs.tried {
        let (origin, handed) = ("a test gives it".to_owned(), Handed::Value(value.clone()));
        put(&mut given, Assignment { place: Place::Typed, name: name.clone(), handed, origin });
    }
    let variables = module.variables.iter();
    variables.map(|(name, variable)| value(name, variable, given.get(&**name), inputs, diagnostics)).collect()
}

fn put(given: &mut BTreeMap<String, Assignment>, assignment: Assignment) {
    given.insert(assignment.name.clone(), assignment);
}

fn check_name(module: &Module, assignment: &Assignment, diagnostics: &mut Diagnostics) {
    let name = assignment.name.as_str();
    if module.variables.contains_key(name) || module.may_declare(name) {
        return;
    }
    let names = module.variables.keys().map(|known| &**known);
    diagnostics.push(
        Diagnostic::error("there is no such variable")
            .detail(format!("`{name}` is not declared; {}", assignment.origin))
            .help(did_you_mean(name, names, format!("declare it with `variable \"{name}\" {{}}`, or leave it out"))),
    );
}

fn value(
    name: &Arc<str>,
    variable: &Variable,
    given: Option<&Assignment>,
    inputs: &Inputs,
    diagnostics: &mut Diagnostics,
) -> Option<Value> {
    let value = match given {
        Some(assignment) => match handed(variable, assignment) {
            Ok(value) => converted(name, variable, value, &assignment.origin, None, diagnostics)?,
            Err(cause) => {
                diagnostics.push(
                    Diagnostic::error("the value of a variable is not understood")
                        .at(variable.span)
                        .detail(format!("`{name}`: {cause}; {}", assignment.origin))
                        .help(format!("write it as in the spec: an expression of type `{}`", variable.ty.ty)),
                );
                return None;
            }
        },
        None => without_value(name, variable, inputs, diagnostics)?,
    };
    Some(if variable.sensitive { value.sensitive() } else { value })
}

fn without_value(name: &str, variable: &Variable, inputs: &Inputs, diagnostics: &mut Diagnostics) -> Option<Value> {
    match (&variable.default, inputs.missing) {
        (Some(default), _) => default_value(name, variable, default, diagnostics),
        (None, Missing::Assume) => Some(Value::unknown(Unknown::of(variable.ty.ty.clone()))),
        (None, Missing::Refuse) => {
            let how = match variable.sensitive {
                true => format!("set {ENVIRONMENT_PREFIX}{name}, or name a file with `--var-file`"),
                false => format!("give it with `--var {name}=…`, `--var-file` or {ENVIRONMENT_PREFIX}{name}"),
            };
            diagnostics.push(
                Diagnostic::error("a variable has no value")
                    .at(variable.span)
                    .detail(format!("`{name}` has no default and nobody gave it one"))
                    .help(how),
            );
            None
        }
    }
}

/// The default of a variable, in its type.
pub(super) fn default_value(
    name: &str,
    variable: &Variable,
    default: &Expr,
    diagnostics: &mut Diagnostics,
) -> Option<Value> {
    let mut names_something = false;
    each_name(default, &mut |named| names_something |= !matches!(named.reference, Reference::Bound(_)));
    if names_something {
        return None; // Reported among the names already.
    }
    match evaluate(default, &Nothing) {
        Ok(value) => converted(name, variable, value, "it is its default", default.place(), diagnostics),
        Err(mistakes) => {
            diagnostics.extend(mistakes);
            None
        }
    }
}

/// A value in the type of its variable, null replaced where the variable is not nullable.
pub(super) fn converted(
    name: &str,
    variable: &Variable,
    value: Value,
    origin: &str,
    span: Option<Span>,
    diagnostics: &mut Diagnostics,
) -> Option<Value> {
    if value.is_null() && !variable.nullable {
        let Some(default) = variable.default.as_ref().filter(|default| !super::is_null_literal(default)) else {
            diagnostics.push(
                Diagnostic::error("a variable must not be null")
                    .at(span.unwrap_or(variable.span))
                    .detail(format!("`{name}` is declared with `nullable = false`; {origin}"))
                    .help("give it a value, or leave it out where it has a default"),
            );
            return None;
        };
        return default_value(name, variable, default, diagnostics);
    }
    let filled = defaults::fill(&variable.ty.defaults, &value, &|expr| evaluate(expr, &Nothing).ok());
    match filled.convert(&variable.ty.ty) {
        Ok(value) => Some(value),
        Err(error) => {
            diagnostics.push(
                Diagnostic::error("a variable's value has the wrong type")
                    .at(span.unwrap_or(variable.span))
                    .detail(format!("`{name}` is of type `{}`: {error}; {origin}", variable.ty.ty))
                    .help(format!("give a value of type `{}`, or change `type`", variable.ty.ty)),
            );
            None
        }
    }
}

/// The value that was handed in. Errors do not show it.
fn handed(variable: &Variable, assignment: &Assignment) -> Result<Value, String> {
    let expr = match &assignment.handed {
        Handed::Value(value) => return Ok(value.clone()),
        Handed::Text(text) if matches!(variable.ty.ty, Type::String | Type::Any) => {
            return Ok(Value::string(text.as_str()));
        }
        Handed::Text(text) if matches!(variable.ty.ty, Type::Number | Type::Bool) => {
            return Ok(Value::string(text.trim()));
        }
        Handed::Text(text) => {
            let id = SourceId(u32::MAX);
            &expression_from_text(text, id).map_err(|_| "the text is not an expression of the language".to_owned())?
        }
        Handed::Expr(expr) => expr,
    };
    let mut named = None;
    each_name(expr, &mut |name| {
        if !matches!(name.reference, Reference::Bound(_)) {
            named.get_or_insert(());
        }
    });
    if named.is_some() {
        return Err("it names something, and a variable's value is a plain value".to_owned());
    }
    evaluate(expr, &Nothing).map_err(|_| "it has no value".to_owned())
}

fn read_file(file: &VariableFile, diagnostics: &mut Diagnostics) -> Vec<Assignment> {
    let path = file.path.display();
    let origin = origin(&format!("`{path}`"));
    let assignment =
        |name: &str, handed| Assignment { place: Place::Typed, name: name.to_owned(), handed, origin: origin.clone() };
    if file.path.extension().is_some_and(|extension| extension == "json") {
        return match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&file.text) {
            Ok(object) => {
                let named = object.into_iter();
                named.map(|(name, json)| assignment(&name, Handed::Value(plain_json(json)))).collect()
            }
            Err(error) => {
                let place = format!("`{path}` is not a JSON object (line {})", error.line());
                diagnostics.push(bad_file(place, "write `{ \"name\": value }`"));
                Vec::new()
            }
        };
    }
    let mut inner = Diagnostics::default();
    match body::read(&file.text, SourceId(u32::MAX), &mut inner) {
        Ok(Body { attributes, blocks }) => {
            if !blocks.is_empty() || inner.has_errors() {
                let what = format!("`{path}` holds more than plain values");
                diagnostics.push(bad_file(what, "a file of variables holds `name = value`, one per line"));
            }
            attributes.into_iter().map(|read| assignment(&read.name, Handed::Expr(read.expr))).collect()
        }
        Err(mistake) => {
            let start = mistake.span.map_or(0, |span| span.start as usize).min(file.text.len());
            let line = file.text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
            let place = format!("`{path}` does not parse at line {line}");
            diagnostics.push(bad_file(place, "a file of variables holds `name = value`, one per line"));
            Vec::new()
        }
    }
}

fn bad_file(detail: String, help: &str) -> Diagnostic {
    Diagnostic::error("a file of variables is not understood").detail(detail).help(help)
}

fn plain_json(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::null(),
        Json::Bool(truth) => truth.into(),
        Json::Number(number) => {
            number.to_string().parse::<crate::number::Number>().map_or_else(|_| Value::null(), Into::into)
        }
        Json::String(text) => text.into(),
        Json::Array(items) => Value::tuple(items.into_iter().map(plain_json).collect()),
        Json::Object(entries) => Value::object(entries.into_iter().map(|(key, item)| (key, plain_json(item)))),
    }
}

/// The secrets that the variables alone give: for applying a saved plan without its checkout. Texts are taken
/// as strings; `names` are the variables that the plan refers to.
pub fn secrets_from_variables<'n>(
    inputs: &Inputs,
    names: impl IntoIterator<Item = &'n str>,
    diagnostics: &mut Diagnostics,
) -> super::secrets::RevealedSecrets {
    let mut module = Module::default();
    for name in names {
        let variable = Variable {
            span: Expr::NOWHERE,
            ty: crate::spec::types::Constraint::any(),
            default: None,
            sensitive: true,
            released: false,
            nullable: true,
            validations: Vec::new(),
        };
        module.variables.insert(name.into(), variable);
    }
    let assumed = Inputs { missing: Missing::Assume, ..inputs.clone() };
    let mut unheard = Diagnostics::default();
    let values = values(&module, &assumed, &mut unheard);
    // A file or argument may set variables that this plan does not refer to.
    unheard.0.retain(|diagnostic| diagnostic.summary != "there is no such variable");
    unheard.0.iter_mut().for_each(|diagnostic| diagnostic.span = None);
    diagnostics.extend(unheard);
    let mut revealed = super::secrets::RevealedSecrets::new();
    for (name, value) in module.variables.keys().zip(values) {
        if let Some(value) = value.filter(Value::is_known) {
            revealed.insert(SecretReference::Variable { name: name.to_string() }, &value);
        }
    }
    revealed
}

/// A scope in which nothing has a name.
struct Nothing;

impl Scope for Nothing {
    fn reference(&self, _: &Reference, span: Span) -> Result<Value, Diagnostic> {
        Err(Diagnostic::error("a name has no meaning here").at(span).help("write a plain value"))
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { files: None, folder: std::path::Path::new(""), home: None, planned_at: None, now: None }
    }
}
