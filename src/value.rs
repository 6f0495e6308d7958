//! Values of the spec language and of the world: the one type for desired, observed and recorded. Pure.
//!
//! Invariant: a sensitive value that was not sealed cannot be serialised or printed; it has to be sealed
//! (kept as a keyed digest) or left out first. This is what makes "secrets never rest" a property of the
//! type instead of a habit.

pub mod convert;
pub mod equality;
pub mod json;
pub mod seal;
pub mod types;
pub mod unify;
pub mod unknown;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use convert::ConversionError;
pub use equality::equal;
pub use seal::{SealKey, Sealed};
pub use types::Type;
pub use unknown::{marks_of, unknown_from};

use crate::address::Address;
use crate::number::Number;

/// The attributes of a thing by name. Absent and null mean the same to the planner.
pub type Object = BTreeMap<String, Value>;

/// A value with its marks.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    data: Data,
    marks: Marks,
}

/// What a value is, without its marks.
#[derive(Clone, PartialEq, Eq)]
pub enum Data {
    /// Nothing, of a type.
    Null(Type),
    /// `true` or `false`.
    Bool(bool),
    /// An exact number.
    Number(Number),
    /// A string, NFC.
    String(Arc<str>),
    /// A list of equal types; the type is that of its elements.
    List(Type, Arc<Sequence>),
    /// A set of equal types: sorted, each element once.
    Set(Type, Arc<Sequence>),
    /// A list whose elements have types of their own.
    Tuple(Arc<Sequence>),
    /// A map of equal types; the type is that of its elements.
    Map(Type, Arc<Entries>),
    /// A map whose elements have types of their own.
    Object(Arc<Entries>),
    /// Not known before something is applied.
    Unknown(Arc<Unknown>),
    /// A secret that is withheld: only whether it changed can be told.
    Sealed(Sealed),
}

/// Elements in order, with what is true of any of them at any depth.
#[derive(Clone, PartialEq, Eq)]
pub struct Sequence {
    items: Vec<Value>,
    summary: Summary,
}

/// Elements by key, with what is true of any of them at any depth.
#[derive(Clone, PartialEq, Eq)]
pub struct Entries {
    items: BTreeMap<Arc<str>, Value>,
    summary: Summary,
}

/// What holds somewhere inside a value, kept so that asking costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// An unknown lies inside.
    pub unknown: bool,
    /// A sensitive (or sealed) value lies inside.
    pub sensitive: bool,
    /// An ephemeral value lies inside.
    pub ephemeral: bool,
}

impl Summary {
    fn or(self, other: Self) -> Self {
        Self {
            unknown: self.unknown || other.unknown,
            sensitive: self.sensitive || other.sensitive,
            ephemeral: self.ephemeral || other.ephemeral,
        }
    }
}

/// What is said about a value beside what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Marks {
    /// Not to be shown or stored.
    pub sensitive: bool,
    /// Not to outlive the run.
    pub ephemeral: bool,
}

impl Marks {
    /// The mark of a secret.
    pub const SENSITIVE: Self = Self { sensitive: true, ephemeral: false };

    /// Both sets of marks.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { sensitive: self.sensitive || other.sensitive, ephemeral: self.ephemeral || other.ephemeral }
    }
}

/// What is already known about an unknown value.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Unknown {
    /// Its type, `any` when even that is open.
    pub ty: Type,
    /// It will not be null.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_null: bool,
    /// It will start with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// It will have between these many elements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<(u64, Option<u64>)>,
    /// The resources whose apply will tell it, in order, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<Address>,
}

impl Unknown {
    /// An unknown of a type that waits for nothing nameable.
    pub fn of(ty: Type) -> Self {
        Self { ty, not_null: false, prefix: None, length: None, waits_for: Vec::new() }
    }
}

impl From<Data> for Value {
    fn from(data: Data) -> Self {
        Self { data, marks: Marks::default() }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::string(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::string(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Data::Bool(truth).into()
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Data::Number(number.into()).into()
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Data::Number(number).into()
    }
}

/// Constructors.
impl Value {
    /// Null of no particular type.
    pub fn null() -> Self {
        Data::Null(Type::Any).into()
    }

    /// A string. Text from a spec must be NFC already (the parser and the functions see to it).
    pub fn string(text: impl Into<Arc<str>>) -> Self {
        Data::String(text.into()).into()
    }

    /// A list of elements that all have this type.
    pub fn list(element: Type, items: Vec<Self>) -> Self {
        Data::List(element, Sequence::new(items)).into()
    }

    /// A list of strings.
    pub fn strings<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::list(Type::String, items.into_iter().map(|item| Self::from(item.as_ref())).collect())
    }

    /// A set: sorts the elements and keeps each once.
    pub fn set(element: Type, mut items: Vec<Self>) -> Self {
        items.sort_by(Self::order);
        items.dedup();
        Data::Set(element, Sequence::new(items)).into()
    }

    /// A tuple.
    pub fn tuple(items: Vec<Self>) -> Self {
        Data::Tuple(Sequence::new(items)).into()
    }

    /// A map of elements that all have this type.
    pub fn map<K: Into<Arc<str>>>(element: Type, items: impl IntoIterator<Item = (K, Self)>) -> Self {
        Data::Map(element, Entries::new(items)).into()
    }

    /// An object.
    pub fn object<K: Into<Arc<str>>>(items: impl IntoIterator<Item = (K, Self)>) -> Self {
        Data::Object(Entries::new(items)).into()
    }

    /// An unknown value.
    pub fn unknown(unknown: Unknown) -> Self {
        Data::Unknown(Arc::new(unknown)).into()
    }

    /// A withheld secret.
    pub fn sealed(sealed: Sealed) -> Self {
        Self { data: Data::Sealed(sealed), marks: Marks::SENSITIVE }
    }
}

impl Sequence {
    fn new(items: Vec<Value>) -> Arc<Self> {
        let summary = items.iter().map(Value::summary).fold(Summary::default(), Summary::or);
        Arc::new(Self { items, summary })
    }
}

impl std::ops::Deref for Sequence {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.items
    }
}

impl Entries {
    fn new<K: Into<Arc<str>>>(items: impl IntoIterator<Item = (K, Value)>) -> Arc<Self> {
        let items: BTreeMap<Arc<str>, Value> = items.into_iter().map(|(key, value)| (key.into(), value)).collect();
        let summary = items.values().map(Value::summary).fold(Summary::default(), Summary::or);
        Arc::new(Self { items, summary })
    }
}

impl std::ops::Deref for Entries {
    type Target = BTreeMap<Arc<str>, Value>;

    fn deref(&self) -> &BTreeMap<Arc<str>, Value> {
        &self.items
    }
}

/// Questions.
impl Value {
    /// What it is, without its marks.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// What is said about it, at this node only.
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// What holds here or anywhere inside.
    pub fn summary(&self) -> Summary {
        let inside = match &self.data {
            Data::List(_, items) | Data::Set(_, items) | Data::Tuple(items) => items.summary,
            Data::Map(_, entries) | Data::Object(entries) => entries.summary,
            Data::Unknown(_) => Summary { unknown: true, ..Summary::default() },
            Data::Sealed(_) => Summary { sensitive: true, ..Summary::default() },
            Data::Null(_) | Data::Bool(_) | Data::Number(_) | Data::String(_) => Summary::default(),
        };
        inside.or(Summary { unknown: false, sensitive: self.marks.sensitive, ephemeral: self.marks.ephemeral })
    }

    /// Whether nothing inside is unknown.
    pub fn is_known(&self) -> bool {
        !self.summary().unknown
    }

    /// Whether anything inside must not be shown or stored.
    pub fn is_sensitive(&self) -> bool {
        self.summary().sensitive
    }

    /// Whether it is null (an unknown is not, as far as one can tell).
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Null(_))
    }

    /// As text, when it is a known string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::String(text) => Some(text),
            _ => None,
        }
    }

    /// As a truth, when it is a known one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.data {
            Data::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// As a number, when it is a known one.
    pub fn as_number(&self) -> Option<&Number> {
        match &self.data {
            Data::Number(number) => Some(number),
            _ => None,
        }
    }

    /// As a machine integer, when it is a known one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number().and_then(Number::to_i64)
    }

    /// The elements of a list, set or tuple.
    pub fn items(&self) -> Option<&[Self]> {
        match &self.data {
            Data::List(_, items) | Data::Set(_, items) | Data::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The elements of a map or object.
    pub fn entries(&self) -> Option<&BTreeMap<Arc<str>, Self>> {
        match &self.data {
            Data::Map(_, entries) | Data::Object(entries) => Some(entries),
            _ => None,
        }
    }

    /// One element of a map or object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?.get(key)
    }

    /// The resources it waits for, anywhere inside; in order, each once.
    pub fn waits_for(&self) -> Vec<Address> {
        let mut found = Vec::new();
        self.visit(&mut |value| {
            if let Data::Unknown(unknown) = &value.data {
                found.extend(unknown.waits_for.iter().cloned());
            }
        });
        found.sort();
        found.dedup();
        found
    }

    /// Whether a secret lies inside that is withheld.
    pub fn holds_sealed(&self) -> bool {
        let mut found = false;
        self.visit(&mut |inner| found |= matches!(inner.data(), Data::Sealed(_)));
        found
    }

    /// Calls `look` for this value and every one inside.
    pub fn visit(&self, look: &mut dyn FnMut(&Self)) {
        look(self);
        for item in self.items().into_iter().flatten() {
            item.visit(look);
        }
        for item in self.entries().into_iter().flat_map(BTreeMap::values) {
            item.visit(look);
        }
    }

    /// Its type.
    pub fn ty(&self) -> Type {
        match &self.data {
            Data::Null(ty) => ty.clone(),
            Data::Bool(_) => Type::Bool,
            Data::Number(_) => Type::Number,
            Data::String(_) => Type::String,
            Data::List(element, _) => Type::list(element.clone()),
            Data::Set(element, _) => Type::set(element.clone()),
            Data::Map(element, _) => Type::map(element.clone()),
            Data::Tuple(items) => Type::Tuple(items.iter().map(Self::ty).collect()),
            Data::Object(entries) => Type::object(entries.iter().map(|(name, value)| (name.clone(), value.ty()))),
            Data::Unknown(unknown) => unknown.ty.clone(),
            Data::Sealed(_) => Type::Any,
        }
    }

    /// A total order that puts equal values together; sets are kept in it. Strings by bytes, numbers by size.
    pub fn order(&self, other: &Self) -> std::cmp::Ordering {
        use std::cmp::Ordering;
        match (&self.data, &other.data) {
            (Data::Bool(left), Data::Bool(right)) => left.cmp(right),
            (Data::Number(left), Data::Number(right)) => left.cmp(right),
            (Data::String(left), Data::String(right)) => left.cmp(right),
            (Data::Sealed(left), Data::Sealed(right)) => left.cmp(right),
            (Data::Map(..) | Data::Object(_), Data::Map(..) | Data::Object(_)) => {
                let pairs = |value: &Self| {
                    value.entries().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect::<Vec<_>>()
                };
                let (left, right) = (pairs(self), pairs(other));
                for ((left_key, left), (right_key, right)) in left.iter().zip(&right) {
                    let order = left_key.cmp(right_key).then_with(|| left.order(right));
                    if order != Ordering::Equal {
                        return order;
                    }
                }
                left.len().cmp(&right.len())
            }
            _ => match (self.items(), other.items()) {
                (Some(left), Some(right)) => {
                    for (left, right) in left.iter().zip(right) {
                        let order = left.order(right);
                        if order != Ordering::Equal {
                            return order;
                        }
                    }
                    left.len().cmp(&right.len())
                }
                _ => self.rank().cmp(&other.rank()),
            },
        }
        .then_with(|| self.marks.cmp(&other.marks))
    }

    fn rank(&self) -> u8 {
        match self.data {
            Data::Bool(_) => 1,
            Data::Number(_) => 2,
            Data::String(_) => 3,
            Data::List(..) | Data::Set(..) | Data::Tuple(_) => 4,
            Data::Map(..) | Data::Object(_) => 5,
            // As in Terraform, what is not there comes after what is.
            Data::Null(_) => 6,
            Data::Unknown(_) => 7,
            Data::Sealed(_) => 8,
        }
    }
}

/// Changes, each giving a new value.
impl Value {
    /// The same value with these marks added at this node.
    #[must_use]
    pub fn mark(mut self, marks: Marks) -> Self {
        self.marks = self.marks.or(marks);
        self
    }

    /// The same value, marked as a secret.
    #[must_use]
    pub fn sensitive(self) -> Self {
        self.mark(Marks::SENSITIVE)
    }

    /// The same value without the marks of this node, and those marks.
    #[must_use]
    pub fn unmark(mut self) -> (Self, Marks) {
        let marks = std::mem::take(&mut self.marks);
        (self, marks)
    }

    /// Rebuilds the value from the inside out; `change` sees each node after its children were changed.
    #[must_use]
    pub fn rebuild(&self, change: &dyn Fn(Self) -> Self) -> Self {
        let all = |items: &Sequence| Sequence::new(items.iter().map(|item| item.rebuild(change)).collect());
        let each =
            |entries: &Entries| Entries::new(entries.iter().map(|(key, item)| (key.clone(), item.rebuild(change))));
        let data = match &self.data {
            Data::List(element, items) => Data::List(element.clone(), all(items)),
            Data::Tuple(items) => Data::Tuple(all(items)),
            Data::Set(element, items) => {
                let set = Self::set(element.clone(), items.iter().map(|item| item.rebuild(change)).collect());
                set.data
            }
            Data::Map(element, entries) => Data::Map(element.clone(), each(entries)),
            Data::Object(entries) => Data::Object(each(entries)),
            other => other.clone(),
        };
        change(Self { data, marks: self.marks })
    }

    /// The same value without any marks, at any depth. For code that is about to use a secret.
    #[must_use]
    pub fn reveal(&self) -> Self {
        if !self.summary().sensitive && !self.summary().ephemeral {
            return self.clone();
        }
        self.rebuild(&|value| Self { data: value.data, marks: Marks::default() })
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// One line, like the language writes it; secrets and unknowns are named, not shown.
impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.marks.sensitive || matches!(self.data, Data::Sealed(_)) {
            return formatter.write_str("(sensitive value)");
        }
        match &self.data {
            Data::Null(_) => formatter.write_str("null"),
            Data::Bool(truth) => write!(formatter, "{truth}"),
            Data::Number(number) => write!(formatter, "{number}"),
            Data::String(text) => write!(formatter, "{}", serde_json::Value::from(&**text)),
            Data::List(_, items) | Data::Set(_, items) | Data::Tuple(items) => {
                formatter.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(formatter, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                formatter.write_str("]")
            }
            Data::Map(_, entries) | Data::Object(entries) => {
                formatter.write_str("{")?;
                for (index, (key, item)) in entries.iter().enumerate() {
                    let key = serde_json::Value::from(&**key);
                    write!(formatter, "{}{key} = {item}", if index == 0 { " " } else { ", " })?;
                }
                formatter.write_str(if entries.is_empty() { "}" } else { " }" })
            }
            Data::Unknown(_) => formatter.write_str("(known after apply)"),
            Data::Sealed(_) => Ok(()),
        }
    }
}
