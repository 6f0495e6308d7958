//! The names of types in statements, and what it takes to turn one into another. Pure.
//!
//! Invariant: a pair of types that is not known to be stored alike counts as not alike.

use super::super::cursor::Cursor;
use super::super::statements::{Token, TokenSort};
use super::catalog::{Catalog, Column};

/// A type as the catalogs name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeName {
    /// Without modifiers.
    pub name: String,
    /// Length; precision and scale.
    pub modifiers: Vec<i64>,
}

/// What becomes of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// They stay as they are.
    None,
    /// They are written anew.
    Rewrite,
}

/// Names that stand for others.
const ALIASES: &[(&str, &str)] = &[
    ("int", "integer"),
    ("int4", "integer"),
    ("int8", "bigint"),
    ("int2", "smallint"),
    ("varchar", "character varying"),
    ("char", "character"),
    ("bpchar", "character"),
    ("decimal", "numeric"),
    ("dec", "numeric"),
    ("bool", "boolean"),
    ("float", "double precision"),
    ("float8", "double precision"),
    ("float4", "real"),
    ("timestamptz", "timestamp with time zone"),
    ("timetz", "time with time zone"),
    ("timestamp", "timestamp without time zone"),
    ("time", "time without time zone"),
    ("varbit", "bit varying"),
];

/// Names of more than one word, longest first.
const PHRASES: &[&str] = &["double precision", "character varying", "national character varying", "bit varying"];

/// Stored alike, and sorted alike in an index.
const ALIKE_IN_INDEX: &[(&str, &str)] = &[("character varying", "text"), ("cidr", "inet")];

impl TypeName {
    /// Reads a type from where the cursor stands.
    pub fn read(cursor: &mut Cursor<'_>, catalog: &Catalog) -> Option<Self> {
        cursor.word("setof");
        let phrase = PHRASES.iter().find(|phrase| {
            let words = phrase.split(' ');
            words.enumerate().all(|(at, word)| cursor.rest().get(at).is_some_and(|token| token.is(word)))
        });
        let mut name = match phrase {
            Some(phrase) => {
                cursor.skip(phrase.split(' ').count());
                phrase.trim_start_matches("national ").to_owned()
            }
            None => cursor.name()?,
        };
        let modifiers = modifiers(cursor);
        if name == "timestamp" || name == "time" {
            let with = cursor.peeks("with");
            if with || cursor.peeks("without") {
                cursor.skip(3);
            }
            name = format!("{name} {} time zone", if with { "with" } else { "without" });
        }
        let name = name.strip_prefix("pg_catalog.").map_or(name.clone(), str::to_owned);
        let mut name = match ALIASES.iter().find(|(alias, _)| *alias == name) {
            Some((_, name)) => (*name).to_owned(),
            None => complete(&name, catalog),
        };
        while cursor.word("[") {
            while cursor.more() && !cursor.word("]") {
                cursor.skip(1);
            }
            if !name.ends_with("[]") {
                name += "[]";
            }
        }
        if name == "character" && modifiers.is_empty() {
            return Some(Self { name, modifiers: vec![1] });
        }
        let modifiers = with_scale(&name, modifiers);
        Some(Self { name, modifiers })
    }

    /// That of a column.
    pub fn of_column(column: &Column) -> Self {
        Self { name: column.type_name.clone(), modifiers: column.modifiers.clone() }
    }

    /// What the values have to go through to be of another type, without `USING`.
    pub fn change_to(&self, new: &Self, catalog: &Catalog) -> Change {
        if self == new {
            return Change::None;
        }
        if let Some(domain) = catalog.domains.get(&new.name) {
            if catalog.is_constrained(&new.name) {
                return Change::Rewrite;
            }
            return self.change_to(&Self { name: domain.base.clone(), modifiers: domain.modifiers.clone() }, catalog);
        }
        if let Some(domain) = catalog.domains.get(&self.name) {
            return Self { name: domain.base.clone(), modifiers: domain.modifiers.clone() }.change_to(new, catalog);
        }
        if self.name == new.name {
            return self.change_of_modifiers(new);
        }
        const TIMES: [&str; 2] = ["timestamp without time zone", "timestamp with time zone"];
        let alike = match TIMES.contains(&self.name.as_str()) && TIMES.contains(&new.name.as_str()) {
            true => catalog.utc,
            false => catalog.coercible.contains(&(self.name.clone(), new.name.clone())),
        };
        if alike && new.modifiers.is_empty() { Change::None } else { Change::Rewrite }
    }

    fn change_of_modifiers(&self, new: &Self) -> Change {
        let wider = match (self.name.as_str(), self.modifiers.as_slice(), new.modifiers.as_slice()) {
            ("character" | "bit", ..) => false,
            (_, _, []) => true,
            ("character varying" | "bit varying", [old], [new]) => new >= old,
            ("numeric", [old, old_scale], [new, scale]) => new >= old && scale == old_scale,
            (name, old, [new]) if name.starts_with("time") => *new >= old.first().copied().unwrap_or(6),
            _ => false,
        };
        if wider { Change::None } else { Change::Rewrite }
    }

    /// Whether an index on it stays as it is.
    pub fn keeps_indexes(&self, new: &Self, catalog: &Catalog) -> bool {
        let base = |name: &TypeName| {
            let mut name = name.name.clone();
            while let Some(domain) = catalog.domains.get(&name) {
                name.clone_from(&domain.base);
            }
            name
        };
        let (old, new) = (base(self), base(new));
        let pair = |(one, other): &(&str, &str)| (old == *one && new == *other) || (old == *other && new == *one);
        old == new || ALIKE_IN_INDEX.iter().any(pair)
    }
}

/// Numbers in parentheses.
fn modifiers(cursor: &mut Cursor<'_>) -> Vec<i64> {
    let number = |argument: &Vec<Token>| match argument.as_slice() {
        [token] if token.sort == TokenSort::Sign => token.text.parse().ok(),
        _ => None,
    };
    cursor.arguments().map(|arguments| arguments.iter().filter_map(number).collect()).unwrap_or_default()
}

/// `numeric(10)` is `numeric(10, 0)`.
fn with_scale(name: &str, mut modifiers: Vec<i64>) -> Vec<i64> {
    if name == "numeric" && modifiers.len() == 1 {
        modifiers.push(0);
    }
    modifiers
}

fn complete(name: &str, catalog: &Catalog) -> String {
    let known = catalog.complete(&catalog.domains, name).map(|(name, _)| name);
    if let Some(name) = known.or_else(|| catalog.find(name)) {
        return name.to_owned();
    }
    let ends = format!(".{name}");
    let of_columns = catalog.relations.values().flat_map(|relation| relation.columns.values());
    let of_casts = catalog.coercible.iter().flat_map(|(from, to)| [from, to]);
    let mut named = of_columns.map(|column| &column.type_name).chain(of_casts);
    named.find(|known| *known == name || known.ends_with(&ends)).cloned().unwrap_or_else(|| name.to_owned())
}
