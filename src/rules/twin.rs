//! The way to another name or type of a column on which every program that runs goes on working, as SQL. Pure.
//!
//! Invariant: a program that names only the old column and one that names only the new one both read what either wrote, from
//! the end of the first part to the beginning of the last.

use super::remedy::{bare, joined, not_null, qualified};
use crate::migration::catalog::{Column, Relation};

/// The page that tells the whole way.
pub const PAGE: &str = "docs/expand-contract.md";

/// Where the parts stand that are a migration of their own.
const APART: &str = "each part is a migration of its own";

/// A column, and the one that is to take its place.
pub struct Twin<'a> {
    /// The table as written.
    pub table: &'a str,
    /// The column that is there.
    pub old: &'a str,
    /// The column that comes.
    pub new: &'a str,
    /// The type of the one that comes.
    pub type_name: String,
    /// What is there.
    pub column: &'a Column,
}

impl<'a> Twin<'a> {
    /// Nothing where the column makes its values itself, or is not known.
    pub fn of(relation: Option<&'a Relation>, table: &'a str, old: &'a str, new: &'a str) -> Option<Self> {
        let column = relation?.columns.get(old)?;
        let is_plain =
            column.generated.is_none() && column.default.as_ref().is_none_or(|text| !text.contains("nextval("));
        (is_plain && !column.type_name.is_empty()).then(|| Self {
            table,
            old,
            new,
            type_name: written_type(column),
            column,
        })
    }

    /// Another name: the programs of the one release know the old column, those of the next one the new column.
    pub fn renamed(&self) -> String {
        let Self { table, old, new, .. } = self;
        let mut last = vec!["-- switchback: phase contract".to_owned()];
        last.extend(self.without_trigger());
        last.extend(
            self.column
                .default
                .iter()
                .map(|text| format!("alter table {table} alter column {new} set default {text};")),
        );
        last.push(format!("alter table {table} drop column {old};"));
        let parts = [
            vec![format!("-- {PAGE} has the story; {APART}")],
            vec![format!("-- 1. before the programs that know {new}: both columns, kept the same by a trigger")],
            self.added(),
            self.kept_the_same(&format!(
                "  if (tg_op = 'INSERT' and new.{new} is not null)\n     \
                 or (tg_op = 'UPDATE' and new.{new} is distinct from old.{new}) then\n    \
                 new.{old} := new.{new};\n  else\n    new.{new} := new.{old};\n  end if;"
            )),
            vec!["-- 2. the rows that are there already".to_owned()],
            self.filled(),
            vec![format!("-- 3. after the last program that knows {old}")],
            last,
        ];
        lines(&parts)
    }

    /// Another type: the programs know one name all the time, and the two columns change places in a moment.
    pub fn retyped(&self) -> String {
        let Self { table, old, new, .. } = self;
        let mut last = vec!["-- switchback: phase contract".to_owned()];
        last.push(
            "-- switchback: ignore rename-column: it takes the place of the old one in the same transaction".to_owned(),
        );
        last.extend(self.without_trigger());
        last.push(format!("alter table {table} drop column {old};"));
        last.push(format!("alter table {table} rename column {new} to {old};"));
        last.extend(
            self.column
                .default
                .iter()
                .map(|text| format!("alter table {table} alter column {old} set default {text};")),
        );
        let parts = [
            vec![format!("-- {PAGE} has the story; {APART}")],
            vec!["-- 1. a second column, kept the same by a trigger".to_owned()],
            self.added(),
            self.kept_the_same(&format!("  new.{new} := new.{old};")),
            vec!["-- 2. the rows that are there already".to_owned()],
            self.filled(),
            vec!["-- 3. the two change places, in one short transaction".to_owned()],
            last,
        ];
        lines(&parts)
    }

    fn added(&self) -> Vec<String> {
        let Self { table, old, new, type_name, .. } = self;
        vec![
            format!("alter table {table} add column {new} {type_name};"),
            format!("-- what hangs on {old} (indexes, constraints, views) is made for {new} here as well"),
        ]
    }

    /// The name of the trigger.
    fn trigger(&self) -> String {
        joined(&[bare(self.table), self.old, self.new])
    }

    fn kept_the_same(&self, how: &str) -> Vec<String> {
        let (table, trigger) = (self.table, self.trigger());
        let function = qualified(table, &trigger);
        vec![
            format!("create function {function}() returns trigger language plpgsql as $$"),
            "begin".to_owned(),
            how.to_owned(),
            "  return new;".to_owned(),
            "end".to_owned(),
            "$$;".to_owned(),
            format!("create trigger {trigger} before insert or update on {table}"),
            format!("  for each row execute function {function}();"),
        ]
    }

    fn filled(&self) -> Vec<String> {
        let Self { table, old, new, .. } = self;
        let mut all = vec![
            format!("-- of a large table in batches: `-- switchback: backfill {table} by KEY batch 1000`"),
            format!("update {table} set {new} = {old} where {new} is distinct from {old};"),
        ];
        if self.column.not_null {
            all.extend(not_null(table, new).into_iter().map(|text| format!("{text};")));
        }
        all
    }

    fn without_trigger(&self) -> Vec<String> {
        let (table, trigger) = (self.table, self.trigger());
        vec![format!("drop trigger {trigger} on {table};"), format!("drop function {}();", qualified(table, &trigger))]
    }
}

fn lines(parts: &[Vec<String>]) -> String {
    let mut text = parts.concat().join("\n");
    text.push('\n');
    text
}

/// A type as it is written, its modifiers where they belong.
fn written_type(column: &Column) -> String {
    let name = column.type_name.as_str();
    if column.modifiers.is_empty() {
        return name.to_owned();
    }
    let numbers: Vec<String> = column.modifiers.iter().map(ToString::to_string).collect();
    let numbers = format!("({})", numbers.join(", "));
    // `timestamp(3) without time zone`, `character varying(20)[]`.
    let is_time = name.starts_with("timestamp ") || name.starts_with("time ");
    let place = if is_time { name.find(' ') } else { name.find('[') };
    let (head, tail) = name.split_at(place.unwrap_or(name.len()));
    format!("{head}{numbers}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_written_with_its_modifiers_where_they_belong() {
        let written = |name: &str, modifiers: &[i64]| {
            written_type(&Column { type_name: name.to_owned(), modifiers: modifiers.to_vec(), ..Column::default() })
        };
        assert_eq!(written("text", &[]), "text");
        assert_eq!(written("character varying", &[50]), "character varying(50)");
        assert_eq!(written("numeric[]", &[10, 2]), "numeric(10, 2)[]");
        assert_eq!(written("timestamp without time zone", &[3]), "timestamp(3) without time zone");
    }

    #[test]
    fn names_that_need_quotes_keep_them() {
        let column = Column { type_name: "text".to_owned(), ..Column::default() };
        let twin =
            Twin { table: "app.\"Odd\"", old: "\"A b\"", new: "c", type_name: "text".to_owned(), column: &column };
        let text = twin.renamed();
        assert!(text.contains("create function app.\"Odd_A b_c\"() returns trigger"), "{text}");
        assert!(text.contains("alter table app.\"Odd\" drop column \"A b\";"), "{text}");
    }
}
