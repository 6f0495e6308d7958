//! The statements that lead from one schema to another. Pure.
//!
//! Invariant: what no statement is known for is named, and a rename is never guessed; whether the statements are right
//! is for a server to say.

pub mod schema;
mod order;
mod kept;
mod leaving;
mod altering;

use std::collections::BTreeSet;

use kept::{Fate, fate};
use leaving::Leaving;
use order::order;
use schema::{COLUMNS, Class, Id, Item, Schema};

/// A statement, and what a person should know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What to know.
    pub notes: Vec<String>,
    /// The statement.
    pub sql: String,
}

/// What leads from one schema to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The statements, in their order.
    pub statements: Vec<Statement>,
    /// What differs and has no statement, and why.
    pub unsaid: Vec<String>,
}

impl Statement {
    fn plain(sql: impl Into<String>) -> Self {
        Self { notes: Vec::new(), sql: sql.into() }
    }

    fn noted(note: impl Into<String>, sql: impl Into<String>) -> Self {
        Self { notes: vec![note.into()], sql: sql.into() }
    }
}

impl Change {
    /// The text of a migration.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for statement in self.statements.iter().filter(|statement| !statement.sql.trim().is_empty()) {
            for note in &statement.notes {
                text += &format!("-- {note}\n");
            }
            text += &format!("{};\n", statement.sql.trim_end().trim_end_matches(';'));
        }
        text
    }
}

/// What leads from the present schema to the wanted one.
pub fn difference(present: &Schema, wanted: &Schema) -> Change {
    let leaving = Leaving::of(present, wanted);
    let mut change = Change { statements: Vec::new(), unsaid: leaving.unsaid.clone() };
    let made: BTreeSet<&Id> =
        wanted.items.keys().filter(|id| !present.has(id) || leaving.early.contains(*id)).collect();
    if made.iter().any(|id| matches!(id.class, Class::Function | Class::Procedure)) {
        let note = "a function may name what is made only after it";
        change.statements.push(Statement::noted(note, "SET LOCAL check_function_bodies = off"));
    }
    let backward: Vec<Id> = order(present, &|_| false).into_iter().rev().collect();
    for id in backward.iter().filter(|id| leaving.early.contains(*id)) {
        change.statements.extend(leaving.drop_of(id));
    }
    let mut late = Vec::new();
    for id in order(wanted, &|table| made.contains(table)) {
        let item = &wanted.items[&id];
        match (made.contains(&id), present.items.get(&id)) {
            (false, Some(before)) => kept(&mut change, &mut late, (present, before), (wanted, item)),
            (true, _) | (false, None) => new(&mut change, &mut late, wanted, item, &made),
        }
    }
    change.statements.extend(late);
    for id in backward.iter().filter(|id| leaving.late.contains(*id)) {
        change.statements.extend(leaving.drop_of(id));
    }
    change
}

/// Makes a thing, with all that it has.
fn new(change: &mut Change, late: &mut Vec<Statement>, wanted: &Schema, item: &Item, made: &BTreeSet<&Id>) {
    let parent = item.parent.as_ref();
    match item.id.class {
        Class::Table => change.statements.push(Statement::plain(table(wanted, item))),
        Class::Column if parent.is_some_and(|table| made.contains(table)) || item.made.is_empty() => {}
        Class::Column => {
            let table = parent.map(|table| table.name.as_str()).unwrap_or_default();
            let sql = format!("ALTER TABLE {table} ADD COLUMN {}", item.made);
            let is_hard = item.facets.contains_key("not null")
                && !["default", "identity"].iter().any(|facet| item.facets.contains_key(*facet))
                && item.body.is_empty();
            change.statements.push(match is_hard {
                true => Statement::noted("fails where the table has rows: give it a default, or fill it first", sql),
                false => Statement::plain(sql),
            });
        }
        _ => change.statements.push(Statement::plain(match item.made.strip_prefix("CREATE OR REPLACE ") {
            Some(rest) => format!("CREATE {rest}"),
            None => item.made.clone(),
        })),
    }
    for (name, facet) in item.facets.iter().filter(|(_, facet)| !facet.is_within) {
        let statement = Statement::plain(&*facet.gives);
        if name == altering::OWNED_BY { late.push(statement) } else { change.statements.push(statement) }
    }
}

/// The text that makes a table with its columns.
fn table(wanted: &Schema, item: &Item) -> String {
    let columns: Vec<String> = wanted
        .columns(&item.id)
        .iter()
        .filter(|column| !column.made.is_empty())
        .map(|column| format!("\n    {}", column.made))
        .collect();
    let end = if columns.is_empty() { "" } else { "\n" };
    item.made.replace(COLUMNS, &format!("{}{end}", columns.join(",")))
}

/// Alters what both schemas have.
fn kept(
    change: &mut Change,
    late: &mut Vec<Statement>,
    (present, before): (&Schema, &Item),
    (wanted, after): (&Schema, &Item),
) {
    match fate(before, after) {
        Fate::Stays | Fate::Again | Fate::Unsaid(_) => {}
        Fate::Replaced => change.statements.push(Statement::plain(replaced(&after.made))),
        Fate::Labels => {
            let note = "a new label cannot be used in the transaction that adds it";
            let added = kept::added_labels(before, after).into_iter().map(|sql| Statement::noted(note, sql));
            change.statements.extend(added);
        }
        Fate::Rebuilt => altering::rebuilt(change, late, (present, before), (wanted, after)),
    }
    altering::facets(change, late, before, after);
}

/// The statement that makes a view or function, so that it replaces the one that is there.
fn replaced(made: &str) -> String {
    match made.strip_prefix("CREATE VIEW ") {
        Some(rest) => format!("CREATE OR REPLACE VIEW {rest}"),
        None => made.to_owned(),
    }
}

#[cfg(test)]
mod tests;
