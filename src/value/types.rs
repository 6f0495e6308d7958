//! Types of the spec language. Pure.
//!
//! Invariant: the JSON of a type is Terraform's (`"string"`, `["list","string"]`, `["object",{…}]`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Type {
    /// Any type (Terraform calls a value of it "dynamic").
    Any,
    /// `bool`.
    Bool,
    /// `number`.
    Number,
    /// `string`.
    String,
    /// `list(T)`.
    List(Arc<Type>),
    /// `set(T)`.
    Set(Arc<Type>),
    /// `map(T)`.
    Map(Arc<Type>),
    /// `tuple([T, …])`.
    Tuple(Arc<[Type]>),
    /// `object({ name = T, … })`.
    Object(Arc<BTreeMap<Arc<str>, Field>>),
}

/// An attribute of an object type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field {
    /// Its type.
    pub ty: Type,
    /// Whether it may be left out, as in `optional(string)`.
    pub optional: bool,
}

impl Type {
    /// `list(element)`.
    pub fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    /// `set(element)`.
    pub fn set(element: Self) -> Self {
        Self::Set(Arc::new(element))
    }

    /// `map(element)`.
    pub fn map(element: Self) -> Self {
        Self::Map(Arc::new(element))
    }

    /// An object type whose attributes are all required.
    pub fn object<K: Into<Arc<str>>>(fields: impl IntoIterator<Item = (K, Self)>) -> Self {
        let fields = fields.into_iter().map(|(name, ty)| (name.into(), Field { ty, optional: false }));
        Self::Object(Arc::new(fields.collect()))
    }
}

/// As one writes it in a `type = …` argument.
impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("any"),
            Self::Bool => formatter.write_str("bool"),
            Self::Number => formatter.write_str("number"),
            Self::String => formatter.write_str("string"),
            Self::List(element) => write!(formatter, "list({element})"),
            Self::Set(element) => write!(formatter, "set({element})"),
            Self::Map(element) => write!(formatter, "map({element})"),
            Self::Tuple(elements) => {
                formatter.write_str("tuple([")?;
                for (index, element) in elements.iter().enumerate() {
                    write!(formatter, "{}{element}", if index == 0 { "" } else { ", " })?;
                }
                formatter.write_str("])")
            }
            Self::Object(fields) => {
                formatter.write_str("object({")?;
                for (index, (name, field)) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    match field.optional {
                        true => write!(formatter, "{comma}{name} = optional({})", field.ty)?,
                        false => write!(formatter, "{comma}{name} = {}", field.ty)?,
                    }
                }
                formatter.write_str("})")
            }
        }
    }
}

/// The JSON form.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Wire {
    Word(Word),
    Of(Of, Type),
    Tuple(TupleWord, Vec<Type>),
    Object(ObjectWord, BTreeMap<Arc<str>, Type>),
    Optional(ObjectWord, BTreeMap<Arc<str>, Type>, Vec<Arc<str>>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Dynamic,
    Bool,
    Number,
    String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Of {
    List,
    Set,
    Map,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TupleWord {
    Tuple,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ObjectWord {
    Object,
}

impl Serialize for Type {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wire = match self {
            Self::Any => Wire::Word(Word::Dynamic),
            Self::Bool => Wire::Word(Word::Bool),
            Self::Number => Wire::Word(Word::Number),
            Self::String => Wire::Word(Word::String),
            Self::List(element) => Wire::Of(Of::List, (**element).clone()),
            Self::Set(element) => Wire::Of(Of::Set, (**element).clone()),
            Self::Map(element) => Wire::Of(Of::Map, (**element).clone()),
            Self::Tuple(elements) => Wire::Tuple(TupleWord::Tuple, elements.to_vec()),
            Self::Object(fields) => {
                let types = fields.iter().map(|(name, field)| (name.clone(), field.ty.clone())).collect();
                let optional: Vec<Arc<str>> =
                    fields.iter().filter(|(_, field)| field.optional).map(|(name, _)| name.clone()).collect();
                match optional.is_empty() {
                    true => Wire::Object(ObjectWord::Object, types),
                    false => Wire::Optional(ObjectWord::Object, types, optional),
                }
            }
        };
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Type {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Wire::deserialize(deserializer)? {
            Wire::Word(Word::Dynamic) => Self::Any,
            Wire::Word(Word::Bool) => Self::Bool,
            Wire::Word(Word::Number) => Self::Number,
            Wire::Word(Word::String) => Self::String,
            Wire::Of(Of::List, element) => Self::list(element),
            Wire::Of(Of::Set, element) => Self::set(element),
            Wire::Of(Of::Map, element) => Self::map(element),
            Wire::Tuple(TupleWord::Tuple, elements) => Self::Tuple(elements.into()),
            Wire::Object(ObjectWord::Object, types) => Self::object(types),
            Wire::Optional(ObjectWord::Object, types, optional) => Self::Object(Arc::new(
                types
                    .into_iter()
                    .map(|(name, ty)| {
                        let optional = optional.contains(&name);
                        (name, Field { ty, optional })
                    })
                    .collect(),
            )),
        })
    }
}
