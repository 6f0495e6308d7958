//! The names that the server gives to indexes that a statement does not name. Pure.
//!
//! Invariant: a name that is taken already gets the first number that makes it free.
//! <https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/commands/indexcmds.c> (`ChooseIndexName`).

use super::catalog::Catalog;

/// The longest name in bytes.
const LONGEST: usize = 63;

/// `orders_customer_id_idx`: of a table, columns and an ending, in the table's schema.
pub fn index_name(catalog: &Catalog, table: &str, columns: &[String], ending: &str) -> String {
    let (schema, bare) = table.rsplit_once('.').unwrap_or(("public", table));
    let middle = columns.iter().map(|column| plain(column)).collect::<Vec<_>>().join("_");
    for round in 0_u32.. {
        let ending = if round == 0 { ending.to_owned() } else { format!("{ending}{round}") };
        let name = joined(plain(bare), &middle, &ending);
        let whole = in_schema(schema, &name);
        if !catalog.relations.contains_key(&whole) {
            return whole;
        }
    }
    unreachable!("the numbers do not end before a name is free")
}

/// A name in the schema of a table, quoted where it must be.
pub fn beside(table: &str, written: &str) -> String {
    match table.rsplit_once('.') {
        Some((schema, _)) => format!("{schema}.{written}"),
        None => written.to_owned(),
    }
}

fn in_schema(schema: &str, name: &str) -> String {
    let simple = name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_' || letter.is_ascii_digit());
    if simple { format!("{schema}.{name}") } else { format!("{schema}.\"{}\"", name.replace('"', "\"\"")) }
}

fn plain(name: &str) -> &str {
    name.trim_matches('"')
}

/// The longer of the first two parts is cut until the whole fits.
fn joined(first: &str, second: &str, ending: &str) -> String {
    let (mut first, mut second) = (first.to_owned(), second.to_owned());
    let fixed = ending.len() + 1 + usize::from(!second.is_empty());
    while first.len() + second.len() + fixed > LONGEST {
        if first.len() > second.len() {
            first.pop()
        } else {
            second.pop()
        };
    }
    if second.is_empty() { format!("{first}_{ending}") } else { format!("{first}_{second}_{ending}") }
}
