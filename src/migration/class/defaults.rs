//! The defaults of columns, as far as migrations tell them. Pure.
//!
//! Invariant: a default that is not certain is not known, and what is not known proves nothing.

use std::collections::BTreeMap;

use super::super::statements::Token;
use super::columns::ColumnDefault;
use super::deed::{Deed, Sort};

/// The defaults of columns, as far as the statements so far tell.
#[derive(Clone, Default)]
pub struct Defaults(BTreeMap<(String, String), Option<Vec<Token>>>);

impl Defaults {
    /// The exact inverse of the next deed, if it has one that is certain.
    pub fn inverse(&mut self, deed: &Deed) -> Option<Deed> {
        match deed {
            Deed::Create { sort, name, arguments, defaults } => {
                for (column, default) in defaults {
                    self.made(name, column, default);
                }
                Some(Deed::Drop { sort: *sort, name: name.clone(), arguments: arguments.clone() })
            }
            Deed::AddColumn { table, column, default } => {
                self.made(table, column, default);
                Some(Deed::DropColumn { table: table.clone(), column: column.clone() })
            }
            Deed::Rename { sort, from, to } => {
                self.renamed(*sort, from, to);
                Some(Deed::Rename { sort: *sort, from: to.clone(), to: from.clone() })
            }
            Deed::RenamePart { of, from, to } => {
                self.part_renamed(of, from, to);
                Some(Deed::RenamePart { of: of.clone(), from: to.clone(), to: from.clone() })
            }
            Deed::SetDefault { table, column, expression } => self.restore(table, column, Some(expression.clone())),
            Deed::DropDefault { table, column } => self.restore(table, column, None),
            Deed::Content => None,
            Deed::Drop { .. } | Deed::DropColumn { .. } | Deed::Other => {
                self.0.clear();
                None
            }
        }
    }

    fn made(&mut self, table: &str, column: &str, default: &ColumnDefault) {
        let key = (table.to_owned(), column.to_owned());
        match default {
            ColumnDefault::None => self.0.insert(key, None),
            ColumnDefault::Expression(expression) => self.0.insert(key, Some(expression.clone())),
            ColumnDefault::Unknown => self.0.remove(&key),
        };
    }

    fn renamed(&mut self, sort: Sort, from: &str, to: &str) {
        match sort {
            Sort::Schema => self.0.clear(),
            Sort::Table => {
                let known = std::mem::take(&mut self.0).into_iter();
                let name = |table: String| if table == from { to.to_owned() } else { table };
                self.0 = known.map(|((table, column), default)| ((name(table), column), default)).collect();
            }
            Sort::Index
            | Sort::View
            | Sort::MaterializedView
            | Sort::Function
            | Sort::Procedure
            | Sort::Type
            | Sort::Domain
            | Sort::Sequence
            | Sort::Extension
            | Sort::Trigger
            | Sort::Policy
            | Sort::Statistics => {}
        }
    }

    fn part_renamed(&mut self, of: &str, from: &str, to: &str) {
        if let Some(table) = of.strip_prefix("column of table ") {
            if let Some(default) = self.0.remove(&(table.to_owned(), from.to_owned())) {
                self.0.insert((table.to_owned(), to.to_owned()), default);
            }
        } else if of.starts_with("column of") {
            self.0.clear();
        }
    }

    /// What brings the earlier default back; nothing when these statements do not tell what it was.
    fn restore(&mut self, table: &str, column: &str, now: Option<Vec<Token>>) -> Option<Deed> {
        let (table, column) = (table.to_owned(), column.to_owned());
        match self.0.insert((table.clone(), column.clone()), now)? {
            Some(expression) => Some(Deed::SetDefault { table, column, expression }),
            None => Some(Deed::DropDefault { table, column }),
        }
    }
}
