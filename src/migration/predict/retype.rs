//! `ALTER COLUMN … TYPE`: whether the table is written anew, and what else is checked or built again. Pure.
//!
//! Invariant: a change that is not known to leave the rows as they are writes them anew.

use super::super::cursor::Cursor;
use super::super::observation::LockMode::AccessExclusive;
use super::super::statements::Token;
use super::action::{Action, fits};
use super::catalog::{Catalog, ConstraintKind};
use super::expression;
use super::foresight::{Foresight, NotPredicted, Said, unknown};
use super::type_name::{Change, TypeName};

/// What is asked for.
struct Retype<'a> {
    column: String,
    new: TypeName,
    collates: bool,
    using: &'a [Token],
}

/// The action, if it is one.
///
/// # Errors
/// When it cannot be known.
pub fn alter(sight: &mut Foresight<'_>, action: &Action<'_>) -> Result<bool, NotPredicted> {
    let plain = fits("alter column * type", action.tokens);
    if !plain && !fits("alter column * set data type", action.tokens) {
        return Ok(false);
    }
    let mut cursor = Cursor::of(action.tokens);
    cursor.skip(1);
    cursor.word("column");
    let column = cursor.part().unwrap_or_default();
    cursor.skip(if plain { 1 } else { 3 });
    let Some(new) = TypeName::read(&mut cursor, sight.catalog) else {
        return unknown("the new type is not understood");
    };
    let collates = cursor.word("collate") && cursor.name().is_some();
    let using = if cursor.word("using") { cursor.rest() } else { &[] };
    let retype = Retype { column, new, collates, using };
    for table in action.family.clone() {
        sight.lock(table, AccessExclusive);
        retype.apply(sight, table)?;
    }
    Ok(true)
}

impl Retype<'_> {
    fn apply(&self, sight: &mut Foresight<'_>, table: &str) -> Said {
        let relation = sight.relation(table);
        let Some(column) = relation.columns.get(&self.column) else {
            return unknown(format!("there is no column {} of {table}", self.column));
        };
        if let Some((view, _)) = relation.seen_by.iter().find(|(_, columns)| columns.contains(&self.column)) {
            return unknown(format!("the server refuses it: {view} uses the column"));
        }
        let old = TypeName::of_column(column);
        let change = self.change(&old, sight.catalog);
        if change == Change::Rewrite {
            sight.rewrite(table);
        }
        let rebuilds = self.collates || !old.keeps_indexes(&self.new, sight.catalog);
        for (name, index) in sight.catalog.indexes(table).filter(|(_, index)| index.columns.contains(&self.column)) {
            sight.lock(name, AccessExclusive);
            if sight.catalog.holds_rows(table) && (index.computed || rebuilds) {
                sight.build(table, name);
            }
        }
        self.check_again(sight, table, change)
    }

    /// What `USING` gives is a value of its own, unless it is the column itself, cast or not.
    fn change(&self, old: &TypeName, catalog: &Catalog) -> Change {
        let mut cursor = Cursor::of(self.using);
        let is_column = cursor.more() && cursor.part().is_some_and(|name| name == self.column);
        let casts_to_it = cursor.word("::") || (cursor.word(":") && cursor.word(":"));
        let ends_there = match casts_to_it {
            true => TypeName::read(&mut cursor, catalog).is_some_and(|name| name == self.new) && cursor.at_end(),
            false => cursor.at_end(),
        };
        if self.using.is_empty() || (is_column && ends_there) {
            old.change_to(&self.new, catalog)
        } else {
            Change::Rewrite
        }
    }

    /// Checks and foreign keys that name the column are made anew with it.
    fn check_again(&self, sight: &mut Foresight<'_>, table: &str, change: Change) -> Said {
        for constraint in sight.relation(table).constraints.values() {
            if let Some((other, _)) =
                constraint.references.as_ref().filter(|_| constraint.columns.contains(&self.column))
            {
                sight.lock_partner(other, AccessExclusive)?;
                if change == Change::Rewrite && constraint.validated {
                    sight.scan(table);
                    sight.scan(other);
                }
            }
            let is_check = constraint.kind == ConstraintKind::Check && constraint.validated;
            if is_check && self.is_in(&constraint.expression) {
                sight.scan(table);
            }
        }
        for (other, _, constraint) in sight.catalog.references_to(table) {
            let points_at_it =
                constraint.references.as_ref().is_some_and(|(_, columns)| columns.contains(&self.column));
            if points_at_it {
                sight.lock_partner(other, AccessExclusive)?;
                if change == Change::Rewrite && constraint.validated {
                    sight.scan(table);
                    sight.scan(other);
                }
            }
        }
        Ok(())
    }

    fn is_in(&self, text: &str) -> bool {
        expression::expression(text).is_ok_and(|tokens| {
            let is_it =
                |token: &Token| Cursor::of(std::slice::from_ref(token)).name().is_some_and(|name| name == self.column);
            tokens.iter().any(is_it)
        })
    }
}
