//! The compact form of expressions, and what of them is stored when a value is not known yet. Pure.
//!
//! Invariant: a [`Deferred`] is closed: it refers to nothing but resources (by address), secrets (by
//! reference), its own cells and its own `for` names, so that apply and rollback can evaluate it without
//! the spec.

mod stored;
mod walk;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::diagnostic::{SourceId, Span};
use crate::secret::SecretReference;
use crate::value::Value;

/// The version of the stored form that this program writes.
pub const FORMAT: u32 = 1;

/// An expression and where it stands. Two are equal when they say the same; where they stand does not count.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub node: Node,
    /// Where it stands; [`Expr::NOWHERE`] when it came out of a stored form.
    pub span: Span,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl Eq for Expr {}

/// What an expression is; `C` is what its parts are (the stored form has indices there).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Node<C = Expr> {
    /// A value as it stands.
    #[serde(rename = "v")]
    Literal(Value),
    /// The parts one after the other, as a string.
    #[serde(rename = "t")]
    Template(Vec<C>),
    /// The strings of a list one after the other: a `%{ for … }` of a template.
    #[serde(rename = "j")]
    Join(Box<C>),
    /// `[a, b]`.
    #[serde(rename = "l")]
    Tuple(Vec<C>),
    /// `{ a = b }`.
    #[serde(rename = "o")]
    Object(Vec<(C, C)>),
    /// A name.
    #[serde(rename = "r")]
    Reference(Reference),
    /// `a.name`.
    #[serde(rename = "a")]
    Attribute(Box<C>, Arc<str>),
    /// `a[b]`.
    #[serde(rename = "i")]
    Index(Box<C>, Box<C>),
    /// `a[*].b`: the source, and what is made of each element, in which [`Reference::SPLAT`] is bound.
    #[serde(rename = "s")]
    Splat(Box<C>, Box<C>),
    /// `-a`, `!a`.
    #[serde(rename = "u")]
    Unary(UnaryOperator, Box<C>),
    /// `a + b` and its like.
    #[serde(rename = "b")]
    Binary(BinaryOperator, Box<C>, Box<C>),
    /// `a ? b : c`.
    #[serde(rename = "c")]
    Conditional(Box<C>, Box<C>, Box<C>),
    /// `f(a, b...)`.
    #[serde(rename = "f")]
    Call(Call<C>),
    /// `[for …]`, `{for …}`.
    #[serde(rename = "e")]
    For(Box<For<C>>),
}

/// A function call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call<C = Expr> {
    /// The function's name.
    #[serde(rename = "n")]
    pub function: Arc<str>,
    /// The arguments.
    #[serde(rename = "a")]
    pub arguments: Vec<C>,
    /// Whether the last argument is a list of arguments (`...`).
    #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
    pub expand_last: bool,
}

/// A `for` expression; an object when it has a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "C: Deserialize<'de>"))]
pub struct For<C = Expr> {
    /// The name of the key, `k` of `for k, v in`.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    /// The name of the value.
    #[serde(rename = "v")]
    pub value: Arc<str>,
    /// What is gone through.
    #[serde(rename = "in")]
    pub collection: C,
    /// The key of each entry; none in a tuple.
    #[serde(rename = "ke", default, skip_serializing_if = "Option::is_none")]
    pub key_expr: Option<C>,
    /// Each element.
    #[serde(rename = "ve")]
    pub value_expr: C,
    /// Which elements stay.
    #[serde(rename = "if", default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<C>,
    /// Whether entries of equal keys are gathered in a tuple (`...`).
    #[serde(rename = "g", default, skip_serializing_if = "std::ops::Not::not")]
    pub grouping: bool,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reference {
    /// `var.name`.
    #[serde(rename = "var")]
    Variable(Arc<str>),
    /// `local.name`.
    #[serde(rename = "local")]
    Local(Arc<str>),
    /// `module.name`: its outputs; with `count` or `for_each` all its instances.
    #[serde(rename = "mod")]
    Module(Arc<str>),
    /// A block of the module at hand: `aws_ecs_service.web`, `database.app`, `data.KIND.NAME` (whose word is
    /// `data.KIND`).
    #[serde(rename = "block")]
    Block {
        /// The kind, or `database`, or `config`, or `data.KIND`.
        word: Arc<str>,
        /// The name.
        name: Arc<str>,
    },
    /// `each.key`.
    #[serde(rename = "ek")]
    EachKey,
    /// `each.value`.
    #[serde(rename = "ev")]
    EachValue,
    /// `count.index`.
    #[serde(rename = "ci")]
    CountIndex,
    /// `path.module` and its like.
    #[serde(rename = "path")]
    Path(PathWord),
    /// Any other dotted name of ours: `environment.name`, `local_stack.endpoint`, `terraform.workspace`, or
    /// `self.`; also a lone word that nothing knows, without a dot.
    #[serde(rename = "in")]
    Builtin(Arc<str>),
    /// A name that a `for` or a splat binds.
    #[serde(rename = "n")]
    Bound(Arc<str>),
    /// One instance of a resource, in closed expressions only.
    #[serde(rename = "at")]
    Instance(Address),
    /// All instances of a block that has `count` or `for_each`, in closed expressions only; the address has
    /// no key.
    #[serde(rename = "all")]
    AllInstances(Address),
    /// A secret, in closed expressions only.
    #[serde(rename = "sec")]
    Secret(SecretReference),
    /// A shared part of a [`Deferred`], in closed expressions only.
    #[serde(rename = "c")]
    Cell(u32),
}

impl Reference {
    /// The name that a splat binds; no `for` can bind it.
    pub const SPLAT: &'static str = "*";
}

/// Which path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PathWord {
    /// The folder of the module at hand.
    Module,
    /// The folder of the environment's spec.
    Root,
    /// The project's folder.
    Cwd,
}

/// Operators of one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnaryOperator {
    /// `-`
    #[serde(rename = "-")]
    Negate,
    /// `!`
    #[serde(rename = "!")]
    Not,
}

/// Operators of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BinaryOperator {
    /// `+`
    #[serde(rename = "+")]
    Add,
    /// `-`
    #[serde(rename = "-")]
    Subtract,
    /// `*`
    #[serde(rename = "*")]
    Multiply,
    /// `/`
    #[serde(rename = "/")]
    Divide,
    /// `%`
    #[serde(rename = "%")]
    Remainder,
    /// `==`
    #[serde(rename = "==")]
    Equal,
    /// `!=`
    #[serde(rename = "!=")]
    NotEqual,
    /// `<`
    #[serde(rename = "<")]
    Less,
    /// `<=`
    #[serde(rename = "<=")]
    LessOrEqual,
    /// `>`
    #[serde(rename = ">")]
    Greater,
    /// `>=`
    #[serde(rename = ">=")]
    GreaterOrEqual,
    /// `&&`
    #[serde(rename = "&&")]
    And,
    /// `||`
    #[serde(rename = "||")]
    Or,
}

impl Expr {
    /// The place of what was never written: stored forms, defaults.
    pub const NOWHERE: Span = Span { source: SourceId(u32::MAX), start: 0, end: 0 };

    /// An expression without a place.
    pub fn nowhere(node: Node) -> Self {
        Self { node, span: Self::NOWHERE }
    }

    /// A value as an expression.
    pub fn literal(value: impl Into<Value>) -> Self {
        Self::nowhere(Node::Literal(value.into()))
    }

    /// A name as an expression.
    pub fn reference(reference: Reference) -> Self {
        Self::nowhere(Node::Reference(reference))
    }

    /// The place, unless there is none.
    pub fn place(&self) -> Option<Span> {
        (self.span != Self::NOWHERE).then_some(self.span)
    }
}

/// An expression that waits for something: the outcome of a step, or a secret.
///
/// What several parts share (a local, a variable, a module's output) is a cell, evaluated at most once.
/// A cell may name cells of smaller index only, so there are no circles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deferred {
    /// Version of this form.
    pub format: u32,
    /// The shared parts.
    pub cells: Vec<Expr>,
    /// The expression itself.
    pub root: Expr,
}

impl Deferred {
    /// An expression in closed form with its shared parts.
    pub fn new(cells: Vec<Expr>, root: Expr) -> Self {
        Self { format: FORMAT, cells, root }
    }

    /// A lone reference to one attribute of one resource.
    pub fn attribute(address: Address, name: &str) -> Self {
        let source = Expr::reference(Reference::Instance(address));
        Self::new(Vec::new(), Expr::nowhere(Node::Attribute(Box::new(source), name.into())))
    }

    /// A lone secret.
    pub fn secret(secret: SecretReference) -> Self {
        Self::new(Vec::new(), Expr::reference(Reference::Secret(secret)))
    }

    /// The resources it refers to, in order, each once; a block all of whose instances are meant without key.
    pub fn references(&self) -> Vec<Address> {
        let mut found = self.collect(|reference| match reference {
            Reference::Instance(address) | Reference::AllInstances(address) => Some(address.clone()),
            _ => None,
        });
        found.sort();
        found.dedup();
        found
    }

    /// The secrets it refers to, in order, each once.
    pub fn secrets(&self) -> Vec<SecretReference> {
        let mut found = self.collect(|reference| match reference {
            Reference::Secret(secret) => Some(secret.clone()),
            _ => None,
        });
        found.sort();
        found.dedup();
        found
    }

    /// The same with resources under other addresses; those for which `name` has nothing stay.
    #[must_use]
    pub fn renamed(&self, name: &dyn Fn(&Address) -> Option<Address>) -> Self {
        let rename = |expr: &Expr| {
            let changed = expr.rewrite::<std::convert::Infallible>(&mut |part| {
                Ok(match &part.node {
                    Node::Reference(Reference::Instance(address)) => {
                        name(address).map(|address| Expr::reference(Reference::Instance(address)))
                    }
                    _ => None,
                })
            });
            changed.unwrap_or_else(|never| match never {})
        };
        Self { format: self.format, cells: self.cells.iter().map(rename).collect(), root: rename(&self.root) }
    }

    fn collect<T>(&self, pick: impl Fn(&Reference) -> Option<T>) -> Vec<T> {
        let mut found = Vec::new();
        for expr in self.cells.iter().chain([&self.root]) {
            expr.visit(&mut |part| {
                if let Node::Reference(reference) = &part.node {
                    found.extend(pick(reference));
                }
            });
        }
        found
    }
}
