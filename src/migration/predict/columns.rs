//! Columns: added, dropped, made mandatory, generated. Pure.
//!
//! Invariant: a default that may differ from row to row writes the table anew; a constant never does.

use super::super::cursor::{Cursor, split};
use super::super::observation::LockMode::{AccessExclusive, ShareRowExclusive};
use super::super::statements::Token;
use super::action::{Action, fits};
use super::catalog::{ConstraintKind, Generated};
use super::foresight::{Foresight, NotPredicted, Said, unknown};
use super::type_name::TypeName;
use super::{expression, naming, tables};

/// The actions about columns; whether it is one.
///
/// # Errors
/// When it cannot be known.
pub fn alter(sight: &mut Foresight<'_>, action: &Action<'_>) -> Result<bool, NotPredicted> {
    const NOT_COLUMNS: [&str; 7] = ["constraint", "primary", "unique", "check", "foreign", "exclude", "not"];
    let mut cursor = Cursor::of(action.tokens);
    if cursor.word("add") {
        let explicit = cursor.word("column");
        if !explicit && NOT_COLUMNS.iter().any(|word| cursor.peeks(word)) {
            return Ok(false);
        }
        add(sight, action, cursor)?;
        return Ok(true);
    }
    if cursor.word("drop") {
        let explicit = cursor.word("column");
        if !explicit && cursor.peeks("constraint") {
            return Ok(false);
        }
        drop(sight, action, cursor)?;
        return Ok(true);
    }
    if fits("alter column * set not null", action.tokens) {
        set_not_null(sight, action, column_of(cursor));
    } else if fits("alter column * set expression", action.tokens) {
        sight.since(17, "SET EXPRESSION")?;
        set_expression(sight, action, &column_of(cursor));
    } else if fits("alter column * add generated", action.tokens) {
        sight.lock(action.table, AccessExclusive);
        if sight.version >= 17 {
            action.family.iter().for_each(|name| sight.lock(name, AccessExclusive));
        }
    } else if fits("alter column * drop identity", action.tokens) {
        sight.lock(action.table, AccessExclusive);
        lock_sequence(sight, action.table, &column_of(cursor), AccessExclusive);
    } else if ["generated", "increment", "start", "minvalue", "maxvalue", "cache", "cycle", "no"]
        .iter()
        .any(|word| fits(&format!("alter column * set {word}"), action.tokens))
        || fits("alter column * restart", action.tokens)
    {
        sight.lock(action.table, AccessExclusive);
        lock_sequence(sight, action.table, &column_of(cursor), ShareRowExclusive);
    } else {
        return Ok(false);
    }
    Ok(true)
}

fn column_of(mut cursor: Cursor<'_>) -> String {
    cursor.skip(1);
    cursor.word("column");
    cursor.part().unwrap_or_default()
}

fn lock_sequence(sight: &mut Foresight<'_>, table: &str, column: &str, mode: super::super::observation::LockMode) {
    let own = sight.catalog.sequences(table).filter(|(_, of)| *of == column);
    let own: Vec<&str> = own.map(|(name, _)| name).collect();
    own.into_iter().for_each(|name| sight.lock(name, mode));
}

fn add(sight: &mut Foresight<'_>, action: &Action<'_>, mut cursor: Cursor<'_>) -> Said {
    let lenient = cursor.word("if") && cursor.word("not") && cursor.word("exists");
    let column = cursor.part().unwrap_or_default();
    sight.lock(action.table, AccessExclusive);
    if lenient && sight.relation(action.table).columns.contains_key(&column) {
        return Ok(());
    }
    action.family.iter().for_each(|name| sight.lock(name, AccessExclusive));
    let definition = Definition::read(sight, cursor)?;
    if definition.rewrites {
        action.family.iter().for_each(|name| sight.rewrite(name));
    }
    if definition.scans {
        action.family.iter().for_each(|name| sight.scan(name));
    }
    expression::lock_sequences(sight, &definition.default);
    for name in action.family.iter().filter(|name| sight.catalog.holds_rows(name)) {
        if definition.primary {
            sight.build(name, &naming::index_name(sight.catalog, name, &[], "pkey"));
        }
        if definition.unique {
            sight.build(name, &naming::index_name(sight.catalog, name, std::slice::from_ref(&column), "key"));
        }
    }
    if let Some(other) = &definition.references {
        let other = sight.name(other)?;
        sight.lock_partner(other, ShareRowExclusive)?;
        // All values are null without a default, and null refers to nothing.
        if !definition.default.is_empty() {
            action.family.iter().for_each(|name| sight.scan(name));
            sight.scan(other);
        }
    }
    Ok(())
}

/// What matters of a column's definition.
#[derive(Default)]
struct Definition {
    rewrites: bool,
    scans: bool,
    primary: bool,
    unique: bool,
    references: Option<String>,
    default: Vec<Token>,
}

impl Definition {
    fn read(sight: &Foresight<'_>, mut cursor: Cursor<'_>) -> Result<Self, NotPredicted> {
        const SERIALS: [&str; 6] = ["serial", "bigserial", "smallserial", "serial4", "serial8", "serial2"];
        let mut found = Self::default();
        let serial = SERIALS.iter().any(|word| cursor.word(word));
        let mut is_domain = false;
        if !serial {
            let Some(type_name) = TypeName::read(&mut cursor, sight.catalog) else {
                return unknown("the type of the column is not understood");
            };
            is_domain = sight.catalog.is_constrained(&type_name.name);
        }
        let mut mandatory = false;
        let mut generated = None;
        for clause in clauses(cursor.rest()) {
            let mut clause = Cursor::of(clause);
            if clause.word("default") {
                found.default = clause.rest().to_vec();
            } else if clause.word("not") {
                mandatory = clause.word("null");
            } else if clause.word("primary") {
                found.primary = true;
            } else if clause.word("unique") {
                found.unique = true;
            } else if clause.word("check") {
                let enforced = !clause.rest().windows(2).any(|pair| pair[0].is("not") && pair[1].is("enforced"));
                found.scans |= enforced;
            } else if clause.word("references") {
                found.references = clause.name();
            } else if clause.word("generated") {
                generated = Some(kind_of_generated(sight.version, clause.rest()));
            }
        }
        let identity = matches!(generated, Some(None));
        let stored = matches!(generated, Some(Some(Generated::Stored)));
        let volatile = expression::is_volatile(sight, &found.default);
        found.rewrites = serial || is_domain || identity || stored || volatile;
        let has_value = !found.default.is_empty() || serial || identity || generated.is_some();
        // A row without a value would break it, so rows are looked for.
        found.scans |= (mandatory || found.primary) && !has_value;
        Ok(found)
    }
}

/// Identity is nothing; of the others, when they are computed.
fn kind_of_generated(version: u32, clause: &[Token]) -> Option<Generated> {
    if clause.iter().any(|token| token.is("identity")) {
        return None;
    }
    let says = |word: &str| clause.last().is_some_and(|token| token.is(word));
    let stored = says("stored") || (version < 18 && !says("virtual"));
    Some(if stored { Generated::Stored } else { Generated::Virtual })
}

/// The clauses of a column's definition, each from its first keyword to the next one.
fn clauses(tokens: &[Token]) -> Vec<&[Token]> {
    const BEGINS: [&str; 13] = [
        "default",
        "not",
        "null",
        "primary",
        "unique",
        "check",
        "references",
        "generated",
        "collate",
        "constraint",
        "storage",
        "compression",
        "deferrable",
    ];
    let mut starts = Vec::new();
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        // `generated by default`, `set null`, `not enforced` and `not valid` begin nothing.
        let before = at.checked_sub(1).map_or("", |before| tokens[before].text.as_str());
        let after = tokens.get(at + 1).map_or("", |after| after.text.as_str());
        let inside = matches!((before, token.text.as_str()), ("by" | "set", _) | ("not" | "is", "null"))
            || (token.is("not") && after != "null");
        if depth == 0 && !inside && BEGINS.iter().any(|word| token.is(word)) {
            starts.push(at);
        }
    }
    let ends = starts.iter().skip(1).copied().chain([tokens.len()]);
    starts.iter().zip(ends).map(|(start, end)| &tokens[*start..end]).collect()
}

fn drop(sight: &mut Foresight<'_>, action: &Action<'_>, mut cursor: Cursor<'_>) -> Said {
    let lenient = cursor.word("if") && cursor.word("exists");
    let column = cursor.part().unwrap_or_default();
    let cascade = cursor.word("cascade");
    sight.lock(action.table, AccessExclusive);
    if !sight.relation(action.table).columns.contains_key(&column) {
        return if lenient { Ok(()) } else { unknown(format!("there is no column {column} of {}", action.table)) };
    }
    for table in action.family.clone() {
        sight.lock(table, AccessExclusive);
        let relation = sight.relation(table);
        for (index, _) in sight.catalog.indexes(table).filter(|(_, index)| index.columns.contains(&column)) {
            sight.lock(index, AccessExclusive);
        }
        for constraint in relation.constraints.values().filter(|found| found.columns.contains(&column)) {
            if let Some((other, _)) = &constraint.references {
                sight.lock_partner(other, AccessExclusive)?;
            }
        }
        for (other, _, constraint) in sight.catalog.references_to(table) {
            if constraint.references.as_ref().is_some_and(|(_, columns)| columns.contains(&column)) {
                if !cascade {
                    return unknown(format!("the server refuses it: a foreign key of {other} depends on it"));
                }
                sight.lock_partner(other, AccessExclusive)?;
            }
        }
        lock_sequence(sight, table, &column, AccessExclusive);
        let views = relation.seen_by.iter().filter(|(_, columns)| columns.contains(&column));
        let names: std::collections::BTreeSet<String> = views.map(|(view, _)| view.clone()).collect();
        if !names.is_empty() && !cascade {
            return unknown("the server refuses it: a view depends on it");
        }
        tables::Drop { names, cascade }.apply(sight)?;
    }
    Ok(())
}

fn set_not_null(sight: &mut Foresight<'_>, action: &Action<'_>, column: String) {
    for table in &action.family {
        sight.lock(table, AccessExclusive);
        if !is_never_null(sight, table, &column) {
            sight.scan(table);
        }
    }
}

/// Whether the catalogs say that no row of the table is without this value.
pub fn is_never_null(sight: &Foresight<'_>, table: &str, column: &str) -> bool {
    let relation = sight.relation(table);
    let says = |part: &[Token]| {
        let mut cursor = Cursor::of(part);
        let named = cursor.part().is_some_and(|name| name == column);
        named && cursor.word("is") && cursor.word("not") && cursor.word("null") && cursor.at_end()
    };
    let proves = |text: &str| {
        let parts = expression::expression(text).map(|tokens| expression::conjunction(&tokens));
        parts.is_ok_and(|parts| parts.iter().any(|part| says(part)))
    };
    relation.columns.get(column).is_some_and(|column| column.not_null)
        || relation.constraints.values().any(|found| {
            found.kind == ConstraintKind::Check && found.validated && found.enforced && proves(&found.expression)
        })
}

fn set_expression(sight: &mut Foresight<'_>, action: &Action<'_>, column: &str) {
    for table in &action.family {
        sight.lock(table, AccessExclusive);
        let generated = sight.relation(table).columns.get(column).and_then(|column| column.generated);
        if generated == Some(Generated::Stored) {
            sight.rewrite(table);
        }
    }
}

/// The names in a list in parentheses.
pub fn names_in(cursor: &mut Cursor<'_>) -> Vec<String> {
    let arguments = cursor.arguments().unwrap_or_default();
    let all: Vec<Token> = arguments.into_iter().flat_map(|argument| argument.into_iter().take(1)).collect();
    split(&all).into_iter().flatten().filter_map(|token| Cursor::of(std::slice::from_ref(token)).part()).collect()
}
