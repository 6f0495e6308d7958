//! Partitions and inheritance: joined and left. Pure.
//!
//! Invariant: that a partition's rows fit is either proved by one of its checks, or they are all read.

use super::super::cursor::Cursor;
use super::super::observation::LockMode::{AccessExclusive, AccessShare, ShareUpdateExclusive};
use super::super::statements::Token;
use super::action::{Action, fits};
use super::catalog::ConstraintKind;
use super::columns::is_never_null;
use super::foresight::{Foresight, NotPredicted, Said, unknown};
use super::{expression, naming};

/// The actions about partitions and inheritance; whether it is one.
///
/// # Errors
/// When it cannot be known.
pub fn alter(sight: &mut Foresight<'_>, action: &Action<'_>) -> Result<bool, NotPredicted> {
    let mut cursor = Cursor::of(action.tokens);
    let mut named = |sight: &Foresight<'_>, words: usize| {
        cursor.skip(words);
        let written = cursor.name().unwrap_or_default();
        sight
            .catalog
            .find(&written)
            .map(str::to_owned)
            .ok_or_else(|| NotPredicted(format!("there is no relation {written}")))
    };
    if fits("attach partition *", action.tokens) {
        let part = named(sight, 2)?;
        attach(sight, action.table, &part, cursor.rest())?;
    } else if fits("detach partition *", action.tokens) {
        let part = named(sight, 2)?;
        detach(sight, action.table, &part, cursor.peeks("concurrently"))?;
    } else if fits("inherit *", action.tokens) {
        let parent = named(sight, 1)?;
        sight.lock(action.table, AccessExclusive);
        sight.lock(&parent, ShareUpdateExclusive);
    } else if fits("no inherit *", action.tokens) {
        let parent = named(sight, 2)?;
        sight.lock(action.table, AccessExclusive);
        sight.lock(&parent, AccessShare);
    } else if fits("of *", action.tokens) {
        let of = named(sight, 1)?;
        sight.lock(action.table, AccessExclusive);
        sight.lock(&of, AccessShare);
    } else {
        return Ok(false);
    }
    Ok(true)
}

fn attach(sight: &mut Foresight<'_>, root: &str, part: &str, bound: &[Token]) -> Said {
    sight.lock(root, ShareUpdateExclusive);
    sight.lock_family(part, AccessExclusive);
    if sight.relation(root).constraints.values().any(|found| found.references.is_some())
        || sight.catalog.references_to(root).next().is_some()
    {
        return unknown("a foreign key of a partitioned table");
    }
    match bounds_are_proved(sight, root, part, bound) {
        Proof::Given => {}
        Proof::Missing => sight.scan_family(part),
        Proof::Unclear => return unknown(format!("whether a check of {part} proves the bounds")),
    }
    if let Some(default) = sight.catalog.default_of(root) {
        sight.lock(default, AccessExclusive);
        if sight.relation(default).constraints.values().any(|found| found.kind == ConstraintKind::Check) {
            return unknown(format!("whether a check of {default} proves that no row of it belongs there"));
        }
        sight.scan(default);
    }
    let indexes: Vec<(&str, &super::catalog::Index)> = sight.catalog.indexes(root).collect();
    for (name, index) in indexes {
        sight.lock(name, ShareUpdateExclusive);
        let fitting =
            sight.catalog.indexes(part).find(|(_, own)| own.columns == index.columns && own.unique == index.unique);
        let is_primary = sight
            .relation(root)
            .constraints
            .values()
            .any(|found| found.kind == ConstraintKind::PrimaryKey && found.index.as_deref() == Some(name));
        if fitting.is_none() {
            let columns: Vec<String> = index.columns.iter().cloned().collect();
            let (columns, ending) = if is_primary { (Vec::new(), "pkey") } else { (columns, "idx") };
            sight.build(part, &naming::index_name(sight.catalog, part, &columns, ending));
        }
    }
    Ok(())
}

enum Proof {
    Given,
    Missing,
    Unclear,
}

/// Whether a check of the partition says what its bounds say.
fn bounds_are_proved(sight: &Foresight<'_>, root: &str, part: &str, bound: &[Token]) -> Proof {
    let checks: Vec<_> =
        sight.relation(part).constraints.values().filter(|found| found.kind == ConstraintKind::Check).collect();
    if checks.is_empty() {
        return Proof::Missing;
    }
    let [column] = sight.relation(root).partition_key.as_slice() else {
        return Proof::Unclear;
    };
    let Some(wanted) = wanted(column, bound) else {
        return Proof::Unclear;
    };
    let mut said = Vec::new();
    for check in checks.iter().filter(|check| check.validated && check.enforced) {
        let Ok(tokens) = expression::expression(&check.expression) else {
            return Proof::Unclear;
        };
        said.extend(expression::conjunction(&tokens).into_iter().map(|part| joined(&part)));
    }
    let all = wanted.iter().all(|part| said.contains(part));
    match (all && is_never_null(sight, part, column), said.iter().any(|part| part.contains(column.as_str()))) {
        (true, _) => Proof::Given,
        (false, true) => Proof::Unclear,
        (false, false) => Proof::Missing,
    }
}

/// The conditions that the bounds come to: of a range over one column, or of one value of a list.
fn wanted(column: &str, bound: &[Token]) -> Option<Vec<String>> {
    let mut cursor = Cursor::of(bound);
    if !(cursor.word("for") && cursor.word("values")) {
        return None;
    }
    let one = |cursor: &mut Cursor<'_>| {
        let mut arguments = cursor.arguments()?;
        (arguments.len() == 1).then(|| arguments.remove(0)).map(|value| joined(&value))
    };
    if cursor.word("in") {
        return Some(vec![format!("{column} = {}", one(&mut cursor)?)]);
    }
    let from = if cursor.word("from") { one(&mut cursor)? } else { return None };
    let to = if cursor.word("to") { one(&mut cursor)? } else { return None };
    Some(vec![format!("{column} >= {from}"), format!("{column} < {to}")])
}

fn joined(tokens: &[Token]) -> String {
    tokens.iter().map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ").replace("> =", ">=")
}

fn detach(sight: &mut Foresight<'_>, root: &str, part: &str, concurrently: bool) -> Said {
    if concurrently {
        sight.since(14, "DETACH PARTITION CONCURRENTLY")?;
        sight.lock(root, ShareUpdateExclusive);
        sight.lock(part, AccessExclusive);
        sight.found.outside = true;
        return Ok(());
    }
    sight.lock(root, AccessExclusive);
    sight.lock(part, if sight.version < 14 { ShareUpdateExclusive } else { AccessExclusive });
    if let Some(default) = sight.catalog.default_of(root) {
        sight.lock(default, AccessExclusive);
    }
    let has_parent = |index: &str| !sight.relation(index).parents.is_empty();
    let attached: Vec<&str> =
        sight.catalog.indexes(part).map(|(name, _)| name).filter(|name| has_parent(name)).collect();
    attached.into_iter().for_each(|name| sight.lock(name, AccessExclusive));
    if sight.relation(part).constraints.values().any(|found| found.references.is_some()) {
        return unknown("a foreign key of a partitioned table");
    }
    Ok(())
}
