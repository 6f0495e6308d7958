//! The bounds of a partition as a check says them. Pure.
//!
//! Invariant: what is not understood whole is not said at all.

use super::reading::{behind, in_brackets};
use super::sight::Sight;
use crate::migration::cursor::split;
use crate::migration::statements::Token;

/// The bounds of a partition by one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    column: String,
    form: Form,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// `FROM … TO …`; an end that is open is absent.
    Range(Option<String>, Option<String>),
    /// `IN (…)`, without null.
    List(String),
}

impl Bounds {
    /// The bounds that stand in these words, of a table that is parted by one column.
    pub fn read(sight: &Sight<'_>, words: &[Token], key: &[String]) -> Option<Self> {
        let [column] = key else { return None };
        if column.is_empty() {
            return None;
        }
        let one = |inside: &[Token]| match split(inside).as_slice() {
            [end] => Some(sight.text(end)),
            _ => None,
        };
        if let Some(from) = behind(words, &["values", "from"]) {
            let to = behind(from, &["to"])?;
            let end =
                |text: String| (!["minvalue", "maxvalue"].contains(&text.to_lowercase().as_str())).then_some(text);
            let (from, to) = (end(one(in_brackets(from)?)?), end(one(in_brackets(to)?)?));
            return Some(Self { column: column.clone(), form: Form::Range(from, to) });
        }
        let list = in_brackets(behind(words, &["values", "in"])?)?;
        let has_null = list.iter().any(|token| token.is("null"));
        (!has_null).then(|| Self { column: column.clone(), form: Form::List(sight.text(list)) })
    }

    /// What is true of each row of the partition.
    pub fn inside(&self) -> String {
        let column = &self.column;
        let rest = match &self.form {
            Form::Range(from, to) => {
                let from = from.iter().map(|from| format!(" and {column} >= {from}"));
                from.chain(to.iter().map(|to| format!(" and {column} < {to}"))).collect()
            }
            Form::List(values) => format!(" and {column} in ({values})"),
        };
        format!("{column} is not null{rest}")
    }

    /// What is true of each row of another partition.
    pub fn outside(&self) -> String {
        let column = &self.column;
        let rest = match &self.form {
            Form::Range(from, to) => {
                let from = from.iter().map(|from| format!(" or {column} < {from}"));
                from.chain(to.iter().map(|to| format!(" or {column} >= {to}"))).collect()
            }
            Form::List(values) => format!(" or {column} not in ({values})"),
        };
        format!("{column} is null{rest}")
    }
}
