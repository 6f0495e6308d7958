//! The functions of the language: one declared table. Pure; files and time come in by [`Surroundings`].
//!
//! Invariant: a row says what it takes; null, unknown, secret and mistyped arguments are dealt with here, once,
//! and never in an implementation (except those that ask for it by their [`Policy`]).

mod address_block;
mod collection;
mod csv;
mod digest;
mod encode;
mod file;
mod format;
mod json;
mod lines;
mod number;
mod pattern;
mod regrouping;
mod set;
mod text;
mod time;
mod typing;
mod yaml;
mod yaml_read;
mod yaml_scalar;
mod yaml_write;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use unicode_normalization::UnicodeNormalization as _;

use crate::files::Files;
use crate::number::Number;
use crate::spec::suggest::nearest;
use crate::value::{Data, Type, Unknown, Value, marks_of, unknown_from};

/// The longest text and the most elements that a function may make.
pub const LARGEST: usize = 64 * 1024 * 1024;

/// What functions may use beside their arguments.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The door to files; none at apply and rollback, where no source is at hand.
    pub files: Option<&'a dyn Files>,
    /// What the paths given to `file` and its like are relative to: the project's folder.
    pub folder: &'a Path,
    /// What `~` stands for in `pathexpand`.
    pub home: Option<&'a Path>,
    /// When planning started, for `plantimestamp`.
    pub planned_at: Option<Timestamp>,
    /// The time of the apply; none while planning, when `timestamp` and `uuid` are not known.
    pub now: Option<Timestamp>,
}

/// One row of the table.
pub struct Function {
    /// The name.
    pub name: &'static str,
    /// The parameters that must be given.
    pub parameters: &'static [Parameter],
    /// The parameter that may be given any number of times after them.
    pub variadic: Option<Parameter>,
    /// How unknown and marked arguments are dealt with.
    pub policy: Policy,
    /// The type of a result that is not known yet.
    pub result: Kind,
    run: fn(&Arguments<'_>) -> Outcome,
}

/// One parameter.
#[derive(Clone, Copy)]
pub struct Parameter {
    /// Its name, for messages.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it may be null.
    pub nullable: bool,
}

/// Types of parameters and results.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anything.
    Any,
    /// `bool`.
    Bool,
    /// `number`.
    Number,
    /// `string`.
    Text,
    /// `list(any)`.
    List,
    /// `list(string)`.
    Texts,
    /// `list(bool)`.
    Bools,
    /// `list(number)`.
    Numbers,
    /// `set(any)`.
    Set,
    /// `set(string)`.
    TextSet,
    /// `map(list(string))`.
    TextLists,
}

/// How unknown and marked arguments are dealt with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// An unknown anywhere makes the result unknown; marks from anywhere come on the result.
    Plain,
    /// Only an argument that is itself unknown makes the result unknown; what lies inside passes through with
    /// its own marks.
    Structure,
    /// The implementation sees everything.
    Raw,
}

/// Why a function has no result.
#[derive(Clone, Debug)]
pub struct FunctionError {
    /// Which argument is to blame.
    pub argument: Option<usize>,
    /// What is wrong; never shows a secret, since implementations of [`Policy::Plain`] see them.
    pub message: String,
}

/// What an implementation gives.
pub type Outcome = Result<Value, FunctionError>;

/// The arguments of one call, converted to the parameters' types.
pub struct Arguments<'a> {
    values: Vec<Value>,
    /// What functions may use beside.
    pub surroundings: Surroundings<'a>,
    /// Whether any argument is a secret, so that messages must not show them.
    pub secret: bool,
}

const fn parameter(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, nullable: false }
}

const fn nullable(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, nullable: true }
}

const fn row(
    name: &'static str,
    parameters: &'static [Parameter],
    result: Kind,
    run: fn(&Arguments<'_>) -> Outcome,
) -> Function {
    Function { name, parameters, variadic: None, policy: Policy::Plain, result, run }
}

impl Function {
    const fn variadic(mut self, parameter: Parameter) -> Self {
        self.variadic = Some(parameter);
        self
    }

    const fn structure(mut self) -> Self {
        self.policy = Policy::Structure;
        self
    }

    const fn raw(mut self) -> Self {
        self.policy = Policy::Raw;
        self
    }

    /// How it is written: `join(separator, lists…)`.
    pub fn signature(&self) -> String {
        let mut names: Vec<String> = self.parameters.iter().map(|parameter| parameter.name.to_owned()).collect();
        names.extend(self.variadic.map(|parameter| format!("{}…", parameter.name)));
        format!("{}({})", self.name, names.join(", "))
    }

    fn parameter(&self, index: usize) -> Option<Parameter> {
        self.parameters.get(index).copied().or(self.variadic)
    }
}

/// The whole table.
pub static TABLE: &[&[Function]] = &[
    address_block::ROWS,
    collection::ROWS,
    csv::ROWS,
    digest::ROWS,
    encode::ROWS,
    file::ROWS,
    format::ROWS,
    json::ROWS,
    lines::ROWS,
    number::ROWS,
    pattern::ROWS,
    regrouping::ROWS,
    set::ROWS,
    text::ROWS,
    time::ROWS,
    typing::ROWS,
    yaml::ROWS,
];

/// Names that the evaluator deals with itself, since they do not evaluate all of their arguments first.
pub const SPECIAL_FORMS: [&str; 5] = ["try", "can", "templatefile", "templatestring", "type"];

/// Functions that read files, and so must be evaluated while the source is at hand.
pub const READING: [&str; 12] = [
    "file",
    "fileexists",
    "fileset",
    "filebase64",
    "filebase64sha256",
    "filebase64sha512",
    "filemd5",
    "filesha1",
    "filesha256",
    "filesha512",
    "templatefile",
    "abspath",
];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Function>> =
    LazyLock::new(|| TABLE.iter().copied().flatten().map(|function| (function.name, function)).collect());

/// The function with this name.
pub fn find(name: &str) -> Option<&'static Function> {
    BY_NAME.get(name).copied()
}

/// The name nearest to one that does not exist.
pub fn similar(name: &str) -> Option<&'static str> {
    nearest(name, BY_NAME.keys().copied().chain(SPECIAL_FORMS))
}

/// Calls a function.
///
/// # Errors
/// When the arguments do not fit, or the function has no result for them.
pub fn call(function: &Function, values: &[Value], surroundings: Surroundings<'_>) -> Outcome {
    check_count(function, values.len())?;
    let mut converted = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let parameter = function.parameter(index).ok_or_else(|| FunctionError::whole("too many arguments"))?;
        converted.push(fit(value, parameter, index)?);
    }
    let secret = converted.iter().any(Value::is_sensitive);
    match function.policy {
        Policy::Raw => (function.run)(&Arguments { values: converted, surroundings, secret }),
        Policy::Plain => {
            if converted.iter().any(|value| !value.is_known() || contains_sealed(value)) {
                return Ok(not_known(function, &converted));
            }
            let marks = marks_of(&converted);
            if marks != crate::value::Marks::default() {
                converted = converted.iter().map(Value::reveal).collect();
            }
            let result = (function.run)(&Arguments { values: converted, surroundings, secret })?;
            Ok(result.mark(marks))
        }
        Policy::Structure => {
            if converted.iter().any(|value| matches!(value.data(), Data::Unknown(_) | Data::Sealed(_))) {
                return Ok(not_known(function, &converted));
            }
            let marks = converted.iter().fold(crate::value::Marks::default(), |marks, value| marks.or(value.marks()));
            let converted = converted.into_iter().map(|value| value.unmark().0).collect();
            let result = (function.run)(&Arguments { values: converted, surroundings, secret })?;
            Ok(result.mark(marks))
        }
    }
}

fn check_count(function: &Function, given: usize) -> Result<(), FunctionError> {
    let wanted = function.parameters.len();
    if given < wanted || (given > wanted && function.variadic.is_none()) {
        let at_least = if function.variadic.is_some() { "at least " } else { "" };
        return Err(FunctionError::whole(format!(
            "it takes {at_least}{wanted} arguments, these are {given}; it is written `{}`",
            function.signature()
        )));
    }
    Ok(())
}

fn fit(value: &Value, parameter: Parameter, index: usize) -> Outcome {
    if value.is_null() && !parameter.nullable {
        return Err(FunctionError::at(index, format!("`{}` must not be null", parameter.name)));
    }
    value
        .convert(&parameter.kind.ty())
        .map_err(|error| FunctionError::at(index, format!("`{}`: {error}", parameter.name)))
}

fn contains_sealed(value: &Value) -> bool {
    let mut found = false;
    if value.is_sensitive() {
        value.visit(&mut |inner| found |= matches!(inner.data(), Data::Sealed(_)));
    }
    found
}

fn not_known(function: &Function, values: &[Value]) -> Value {
    let unknown = unknown_from(function.result.ty(), values);
    match (unknown.data(), function.result) {
        (Data::Unknown(inner), kind) if kind != Kind::Any => {
            Value::unknown(Unknown { not_null: true, ..(**inner).clone() }).mark(unknown.marks())
        }
        _ => unknown,
    }
}

impl Kind {
    /// The type.
    pub fn ty(self) -> Type {
        match self {
            Self::Any => Type::Any,
            Self::Bool => Type::Bool,
            Self::Number => Type::Number,
            Self::Text => Type::String,
            Self::List => Type::list(Type::Any),
            Self::Texts => Type::list(Type::String),
            Self::Bools => Type::list(Type::Bool),
            Self::Numbers => Type::list(Type::Number),
            Self::Set => Type::set(Type::Any),
            Self::TextSet => Type::set(Type::String),
            Self::TextLists => Type::map(Type::list(Type::String)),
        }
    }
}

impl FunctionError {
    /// About no argument in particular.
    pub fn whole(message: impl Into<String>) -> Self {
        Self { argument: None, message: message.into() }
    }

    /// About one argument.
    pub fn at(argument: usize, message: impl Into<String>) -> Self {
        Self { argument: Some(argument), message: message.into() }
    }
}

impl Arguments<'_> {
    fn all(&self) -> &[Value] {
        &self.values
    }

    fn value(&self, index: usize) -> &Value {
        &self.values[index]
    }

    fn given(&self, index: usize) -> Option<&Value> {
        self.values.get(index)
    }

    fn text(&self, index: usize) -> &str {
        self.values[index].as_str().unwrap_or_default()
    }

    fn number(&self, index: usize) -> Number {
        self.values[index].as_number().cloned().unwrap_or_else(|| 0.into())
    }

    /// A whole number that fits a machine.
    fn integer(&self, index: usize) -> Result<i64, FunctionError> {
        self.values[index].as_i64().ok_or_else(|| FunctionError::at(index, "a whole number is needed"))
    }

    /// The elements of a list, set or tuple.
    fn items(&self, index: usize) -> Result<&[Value], FunctionError> {
        self.values[index].items().ok_or_else(|| FunctionError::at(index, self.not_a("list, set or tuple", index)))
    }

    /// The elements of a list or tuple, which have an order.
    fn ordered(&self, index: usize) -> Result<&[Value], FunctionError> {
        match self.values[index].data() {
            Data::List(_, items) | Data::Tuple(items) => Ok(items),
            _ => Err(FunctionError::at(index, self.not_a("list or tuple", index))),
        }
    }

    /// The elements of a map or object.
    fn entries(&self, index: usize) -> Result<&BTreeMap<Arc<str>, Value>, FunctionError> {
        self.values[index].entries().ok_or_else(|| FunctionError::at(index, self.not_a("map or object", index)))
    }

    fn not_a(&self, wanted: &str, index: usize) -> String {
        use crate::value::convert::{a, plain_name};
        format!("{} is needed, this is {}", a(wanted), a(&plain_name(&self.values[index].ty())))
    }
}

/// A text in the one form that equal texts share.
pub fn normalised(text: String) -> Value {
    match text.is_ascii() {
        true => Value::string(text),
        false => Value::string(text.nfc().collect::<String>()),
    }
}

#[cfg(test)]
mod tests;
