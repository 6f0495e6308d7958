//! Pieces of safer rewrites that several rules share. Pure.
//!
//! Invariant: each piece leaves what the one statement would have left, names included.

use super::sight::Sight;
use crate::migration::catalog::Catalog;
use crate::migration::predict::naming::index_name;

/// A name without its schema.
pub fn bare(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, bare)| bare)
}

/// The name that the server gives to a constraint or index that has none.
pub fn given_name(sight: &Sight<'_>, table: &str, columns: &[String], ending: &str) -> String {
    let nothing = Catalog::default();
    let whole = index_name(sight.catalog().unwrap_or(&nothing), table, columns, ending);
    bare(&whole).to_owned()
}

/// A name made of others, in quotes where it needs them.
pub fn joined(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| name.trim_matches('"').replace("\"\"", "\"")).collect();
    let name = names.join("_");
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter == '_' || letter.is_ascii_digit();
    match name.chars().all(is_plain) {
        true => name,
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// A name in the schema that a table is written with.
pub fn qualified(table: &str, name: &str) -> String {
    table.rsplit_once('.').map_or_else(|| name.to_owned(), |(schema, _)| format!("{schema}.{name}"))
}

/// Lets a column have no null without reading the table under a lock: a check that is validated apart proves it.
pub fn not_null(table: &str, column: &str) -> Vec<String> {
    let name = joined(&[bare(table), bare(column), "is", "set"]);
    vec![
        format!("alter table {table} add constraint {name} check ({column} is not null) not valid"),
        format!("alter table {table} validate constraint {name}"),
        format!("alter table {table} alter column {column} set not null"),
        format!("alter table {table} drop constraint {name}"),
    ]
}

/// Fills a column, whose new rows are filled by its default already.
pub fn fill(table: &str, column: &str) -> String {
    format!(
        "-- of a large table in batches: a file of its own with `-- switchback: backfill {table} by KEY batch 1000`\n\
         update {table} set {column} = default where {column} is null"
    )
}

/// Those of these columns that may be null.
pub fn nullable(sight: &Sight<'_>, table: &str, key: &[String]) -> Vec<String> {
    let relation = sight.relation(table);
    let may = |column: &&String| relation.and_then(|one| one.columns.get(*column)).is_some_and(|one| !one.not_null);
    key.iter().filter(may).cloned().collect()
}
