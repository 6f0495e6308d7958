//! Type constraints: what `type = …` of a variable says. Pure.
//!
//! Invariant: a constraint that has a mistake reads as `any`, so that nothing follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::{Call, Expr, Node, Reference};
use crate::suggest::{did_you_mean, listed};
use crate::value::Type;
use crate::value::types::Field;

/// A type, and what the optional attributes of its objects are when they are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Constraint {
    /// The type.
    pub ty: Type,
    /// The defaults inside it.
    pub defaults: Defaults,
}

/// Defaults of `optional(type, default)`, in the shape of the type that holds them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Defaults {
    /// Of this object's own attributes.
    pub fields: BTreeMap<Arc<str>, Expr>,
    /// Inside attributes, by name.
    pub inside: BTreeMap<Arc<str>, Self>,
    /// Inside the elements of a collection.
    pub elements: Option<Box<Self>>,
}

impl Defaults {
    /// Whether there are none at any depth.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.inside.is_empty() && self.elements.is_none()
    }
}

impl Constraint {
    /// Anything.
    pub fn any() -> Self {
        Self { ty: Type::Any, defaults: Defaults::default() }
    }

    /// Reads a type expression.
    pub fn read(expr: &Expr, diagnostics: &mut Diagnostics) -> Self {
        match constraint(expr) {
            Ok(constraint) => constraint,
            Err(mistake) => {
                diagnostics.push(*mistake);
                Self::any()
            }
        }
    }
}

const SIMPLE: [&str; 4] = ["string", "number", "bool", "any"];
const COMPOUND: [&str; 5] = ["list", "set", "map", "object", "tuple"];

fn mistake(expr: &Expr, detail: String, help: String) -> Box<Diagnostic> {
    Box::new(Diagnostic::error("this is not a type").at(expr.place()).detail(detail).help(help))
}

fn constraint(expr: &Expr) -> Result<Constraint, Box<Diagnostic>> {
    match &expr.node {
        Node::Reference(Reference::Builtin(word)) => {
            let ty = match &**word {
                "string" => Type::String,
                "number" => Type::Number,
                "bool" => Type::Bool,
                "any" => Type::Any,
                other => return Err(unknown_word(expr, other)),
            };
            Ok(Constraint { ty, defaults: Defaults::default() })
        }
        Node::Call(call) => compound(expr, call),
        _ => Err(mistake(
            expr,
            "a type is a word such as `string`, or one like `list(string)`".into(),
            "write the type without quotes".into(),
        )),
    }
}

fn unknown_word(expr: &Expr, word: &str) -> Box<Diagnostic> {
    if COMPOUND.contains(&word) {
        let help = match word {
            "object" => "write `object({ name = string })`".to_owned(),
            "tuple" => "write `tuple([string, number])`".to_owned(),
            _ => format!("write `{word}(string)`, or `{word}(any)`"),
        };
        return mistake(expr, format!("`{word}` does not say what it holds"), help);
    }
    let names = || SIMPLE.into_iter().chain(COMPOUND);
    let otherwise = format!("types are {}", listed(names()));
    mistake(expr, format!("there is no type `{word}`"), did_you_mean(word, names(), otherwise))
}

fn compound(expr: &Expr, call: &Call) -> Result<Constraint, Box<Diagnostic>> {
    let word = &*call.function;
    if word == "optional" {
        let help = "write it inside `object({ … })`: `object({ name = optional(string) })`".into();
        return Err(mistake(expr, "`optional` is for the attributes of an object".into(), help));
    }
    if !COMPOUND.contains(&word) {
        return Err(unknown_word(expr, word));
    }
    let [argument] = &call.arguments[..] else {
        let detail = format!("`{word}` takes one argument, {} are given", call.arguments.len());
        return Err(mistake(expr, detail, format!("write `{word}(…)` with one type in it")));
    };
    match (word, &argument.node) {
        ("object", Node::Object(fields)) => object(fields),
        ("object", _) => Err(mistake(
            argument,
            "an object's attributes stand in braces".into(),
            "write `object({ name = string })`".into(),
        )),
        ("tuple", Node::Tuple(elements)) => {
            let elements = elements.iter().map(constraint).collect::<Result<Vec<_>, _>>()?;
            let ty = Type::Tuple(elements.into_iter().map(|element| element.ty).collect());
            Ok(Constraint { ty, defaults: Defaults::default() })
        }
        ("tuple", _) => {
            Err(mistake(argument, "a tuple's types stand in brackets".into(), "write `tuple([string, number])`".into()))
        }
        _ => {
            let element = constraint(argument)?;
            let ty = match word {
                "list" => Type::list(element.ty),
                "set" => Type::set(element.ty),
                _ => Type::map(element.ty),
            };
            let elements = (!element.defaults.is_empty()).then(|| Box::new(element.defaults));
            Ok(Constraint { ty, defaults: Defaults { elements, ..Defaults::default() } })
        }
    }
}

fn object(pairs: &[(Expr, Expr)]) -> Result<Constraint, Box<Diagnostic>> {
    let mut fields = BTreeMap::new();
    let mut defaults = Defaults::default();
    for (key, value) in pairs {
        let Some(name) = super::settings::text(key) else {
            return Err(mistake(
                key,
                "an attribute of an object type has a plain name".into(),
                "write `name = type`".into(),
            ));
        };
        let name: Arc<str> = name.into();
        let (inner, optional) = field(value)?;
        if let Some(default) = optional.and_then(Option::<&Expr>::cloned) {
            defaults.fields.insert(name.clone(), default);
        }
        if !inner.defaults.is_empty() {
            defaults.inside.insert(name.clone(), inner.defaults);
        }
        fields.insert(name, Field { ty: inner.ty, optional: optional.is_some() });
    }
    Ok(Constraint { ty: Type::Object(Arc::new(fields)), defaults })
}

/// The type of a field; whether it is optional, and then its default if it has one.
fn field(value: &Expr) -> Result<(Constraint, Option<Option<&Expr>>), Box<Diagnostic>> {
    match &value.node {
        Node::Call(call) if &*call.function == "optional" => match &call.arguments[..] {
            [ty] => Ok((constraint(ty)?, Some(None))),
            [ty, default] => Ok((constraint(ty)?, Some(Some(default)))),
            _ => Err(mistake(
                value,
                "`optional` takes a type and, if wanted, a default".into(),
                "write `optional(string)` or `optional(string, \"default\")`".into(),
            )),
        },
        _ => Ok((constraint(value)?, None)),
    }
}
