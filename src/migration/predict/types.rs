//! Types, domains and schemas. Pure.
//!
//! Invariant: a rule that a domain gets is checked in every table with a column of it.

use std::collections::BTreeSet;

use super::super::cursor::Cursor;
use super::super::observation::LockMode::{AccessExclusive, Share};
use super::action::fits;
use super::catalog::RelationKind;
use super::foresight::{Foresight, Said, unknown};
use super::tables;

/// `ALTER DOMAIN …`, behind those words.
///
/// # Errors
/// When it is not there.
pub fn alter_domain(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let written = cursor.name().unwrap_or_default();
    let Some((name, domain)) = sight.catalog.complete(&sight.catalog.domains, &written) else {
        return unknown(format!("there is no domain {written}"));
    };
    let rest = cursor.rest();
    let unread = rest.windows(2).any(|pair| pair[0].is("not") && pair[1].is("valid"));
    let validates = fits("validate constraint *", rest) && {
        cursor.skip(2);
        domain.pending.contains(&cursor.part().unwrap_or_default())
    };
    if validates || fits("set not null", rest) || (fits("add", rest) && !unread) {
        for table in sight.catalog.users_of_domain(name) {
            sight.lock(table, Share);
            sight.scan(table);
        }
    }
    Ok(())
}

/// `ALTER TYPE …`, behind those words. Only a composite type is a relation.
///
/// # Errors
/// When it cannot be known.
pub fn alter_type(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let written = cursor.name().unwrap_or_default();
    let Some(name) = sight.catalog.find(&written) else {
        return Ok(());
    };
    if sight.relation(name).kind != RelationKind::Composite || fits("set schema *", cursor.rest()) {
        return Ok(());
    }
    sight.lock(name, AccessExclusive);
    if cursor.rest().iter().any(|token| token.is("cascade")) {
        let is_of = |relation: &super::catalog::Relation| relation.of_type.as_deref() == Some(name);
        let typed = sight.catalog.relations.iter().filter(|(_, relation)| is_of(relation));
        for (table, _) in typed {
            sight.lock_family(table, AccessExclusive);
            if fits("alter attribute", cursor.rest()) {
                return unknown("the tables of a type whose attribute changes its type");
            }
        }
    }
    Ok(())
}

/// `DROP TYPE …` and `DROP DOMAIN …`, behind those words.
///
/// # Errors
/// When it takes along what is not known.
pub fn drop(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    if cursor.rest().last().is_some_and(|token| token.is("cascade")) {
        return unknown("what falls with a type");
    }
    let _ = cursor.word("if") && cursor.word("exists");
    while let Some(written) = cursor.name() {
        if let Some(name) = sight.catalog.find(&written) {
            sight.lock(name, AccessExclusive);
        }
        if !cursor.word(",") {
            break;
        }
    }
    Ok(())
}

/// `DROP SCHEMA …`, behind those words.
///
/// # Errors
/// When it takes along what is not known.
pub fn drop_schema(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let cascade = cursor.rest().last().is_some_and(|token| token.is("cascade"));
    let _ = cursor.word("if") && cursor.word("exists");
    let mut schemas = BTreeSet::new();
    while let Some(schema) = cursor.part() {
        schemas.insert(schema);
        if !cursor.word(",") {
            break;
        }
    }
    if !cascade {
        return Ok(());
    }
    let is_inside = |name: &str| {
        schemas.iter().any(|schema| name.strip_prefix(schema.as_str()).is_some_and(|rest| rest.starts_with('.')))
    };
    let outside = sight.catalog.relations.iter().filter(|(name, _)| !is_inside(name));
    for (name, relation) in outside {
        let types = relation.columns.values().map(|column| column.type_name.as_str());
        let functions = relation.triggers.values().map(String::as_str);
        if types.chain(functions).any(is_inside) {
            return unknown(format!("{name} uses a type or function of the schema"));
        }
    }
    let names = sight.catalog.relations.keys().filter(|name| is_inside(name)).cloned().collect();
    tables::Drop { names, cascade }.apply(sight)
}
