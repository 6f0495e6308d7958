//! What takes back `ALTER TABLE`. Pure.
//!
//! Invariant: the actions of one statement are taken back in the reverse order, each by a statement of its own.

use super::super::cursor::{Cursor, split};
use super::super::statements::Token;
use super::column::{self, Table};
use super::names::{identifier, last, quoted};
use super::question::{Object, Question, RelationAspect, Wish};
use super::signature::reset;

type Derived = Result<Option<Vec<String>>, String>;

/// What takes an `ALTER TABLE` back; nothing when it is not recognised.
///
/// # Errors
/// Why there is nothing.
pub fn inverse(mut cursor: Cursor<'_>, wish: &mut Wish<'_>) -> Derived {
    let foreign = if cursor.word("foreign") { "FOREIGN " } else { "" };
    cursor.word("table");
    if cursor.peeks("all") {
        return Ok(None);
    }
    let may_be_absent = cursor.word("if") && cursor.word("exists");
    let only = if cursor.word("only") { "ONLY " } else { "" };
    let Some(name) = cursor.name() else { return Ok(None) };
    cursor.word("*");
    if may_be_absent && !wish.is_there(Object::new("table", name.clone())) {
        return Ok(Some(Vec::new()));
    }
    let table = Table { alter: format!("ALTER {foreign}TABLE {only}{}", quoted(&name)), name };
    if cursor.word("rename") {
        return Ok(renamed(cursor, &table, &format!("ALTER {foreign}TABLE {only}")));
    }
    let mut ahead = cursor;
    if ahead.word("set") && ahead.word("schema") {
        return moved(ahead, &table.name, "table", &format!("ALTER {foreign}TABLE"), wish);
    }
    let mut back = Vec::new();
    for action in split(cursor.rest()).into_iter().rev() {
        match action_of(Cursor::of(action), &table, wish)? {
            Some(statements) => back.extend(statements),
            None => return Ok(None),
        }
    }
    Ok(Some(back))
}

/// What takes a renaming back: of the whole, of a column, or of a constraint.
fn renamed(mut cursor: Cursor<'_>, table: &Table, alter: &str) -> Option<Vec<String>> {
    if cursor.word("to") {
        let to = cursor.name()?;
        return Some(vec![renamed_whole(alter.trim_end(), &table.name, &to)]);
    }
    let part = if cursor.word("constraint") { "CONSTRAINT" } else { "COLUMN" };
    cursor.word("column");
    let from = cursor.part()?;
    let to = if cursor.word("to") { cursor.part()? } else { return None };
    Some(vec![format!("{} RENAME {part} {} TO {}", table.alter, quoted(&to), quoted(&from))])
}

/// What renames a thing back that was renamed as a whole.
pub fn renamed_whole(alter: &str, from: &str, to: &str) -> String {
    let schema = super::names::schema(from);
    format!("{alter} {schema}{} RENAME TO {}", quoted(to), identifier(&last(from)))
}

/// What moves a thing back into the schema where it was.
///
/// # Errors
/// Why it is not known.
pub fn moved(mut cursor: Cursor<'_>, name: &str, class: &'static str, alter: &str, wish: &mut Wish<'_>) -> Derived {
    let Some(to) = cursor.name() else { return Ok(None) };
    let schema = wish.restore(Question::Schema(Object::new(class, name)))?;
    Ok(Some(vec![format!("{alter} {}.{} SET SCHEMA {schema}", quoted(&to), identifier(&last(name)))]))
}

fn relation(wish: &mut Wish<'_>, name: &str, aspect: RelationAspect) -> Result<Vec<String>, String> {
    Ok(vec![wish.restore(Question::Relation { name: name.to_owned(), aspect })?])
}

/// What takes one action back; nothing when it is not recognised.
fn action_of(mut cursor: Cursor<'_>, table: &Table, wish: &mut Wish<'_>) -> Derived {
    let (name, alter) = (&table.name, &table.alter);
    if cursor.word("add") {
        return added(cursor, table, wish);
    }
    if cursor.word("drop") {
        return dropped(cursor, table, wish);
    }
    if cursor.word("alter") {
        if cursor.word("constraint") {
            let Some(constraint) = cursor.name() else { return Ok(None) };
            return again(&constraint, table, wish);
        }
        cursor.word("column");
        let Some(column) = cursor.name() else { return Ok(None) };
        return column::altered(cursor, table, &column, wish);
    }
    if cursor.word("validate") && cursor.word("constraint") {
        let Some(constraint) = cursor.name() else { return Ok(None) };
        return again(&constraint, table, wish);
    }
    if cursor.word("owner") {
        return Ok(Some(vec![wish.restore(Question::Owner(Object::new("table", name.clone())))?]));
    }
    if cursor.word("attach") && cursor.word("partition") {
        return Ok(cursor.name().map(|part| vec![format!("{alter} DETACH PARTITION {}", quoted(&part))]));
    }
    if cursor.word("detach") && cursor.word("partition") {
        let Some(part) = cursor.name() else { return Ok(None) };
        let bound = wish.restore(Question::Relation { name: part.clone(), aspect: RelationAspect::Bound })?;
        return Ok(Some(vec![format!("{alter} ATTACH PARTITION {} {bound}", quoted(&part))]));
    }
    if cursor.word("inherit") {
        return Ok(cursor.name().map(|parent| vec![format!("{alter} NO INHERIT {}", quoted(&parent))]));
    }
    let mut ahead = cursor;
    if ahead.word("no") && ahead.word("inherit") {
        return Ok(ahead.name().map(|parent| vec![format!("{alter} INHERIT {}", quoted(&parent))]));
    }
    let Some(aspect) = aspect_of(cursor) else { return Ok(None) };
    let mut back = relation(wish, name, aspect)?;
    if aspect == RelationAspect::Options {
        back.insert(0, reset(alter, cursor.rest()));
    }
    if aspect == RelationAspect::Firing && cursor.rest().last().is_some_and(|token| token.is("all")) {
        // Those of foreign keys as well, which nobody names.
        back.insert(0, format!("{alter} ENABLE TRIGGER ALL"));
    }
    Ok(Some(back))
}

/// What an action is about that sets something of the whole table.
fn aspect_of(mut cursor: Cursor<'_>) -> Option<RelationAspect> {
    for word in ["enable", "disable", "force", "no"] {
        if cursor.word(word) {
            cursor.word("force");
            let row = cursor.word("row");
            cursor.word("always");
            cursor.word("replica");
            return match row {
                true => Some(RelationAspect::RowSecurity),
                false => (cursor.word("trigger") || cursor.word("rule")).then_some(RelationAspect::Firing),
            };
        }
    }
    if cursor.word("replica") {
        return cursor.word("identity").then_some(RelationAspect::ReplicaIdentity);
    }
    if cursor.word("cluster") {
        return Some(RelationAspect::Cluster);
    }
    let sets = cursor.word("set");
    if !sets && !cursor.word("reset") {
        return None;
    }
    if cursor.peeks("(") {
        return Some(RelationAspect::Options);
    }
    if cursor.word("without") {
        return cursor.word("cluster").then_some(RelationAspect::Cluster);
    }
    if cursor.word("logged") || cursor.word("unlogged") {
        return Some(RelationAspect::Persistence);
    }
    cursor.word("tablespace").then_some(RelationAspect::Tablespace)
}

fn added(mut cursor: Cursor<'_>, table: &Table, wish: &mut Wish<'_>) -> Derived {
    let alter = &table.alter;
    if cursor.word("constraint") {
        let Some(name) = cursor.name() else { return Ok(None) };
        if uses_an_index(cursor.rest()) {
            return Err("the constraint takes an index over, which would go with it".to_owned());
        }
        let mut back = vec![format!("{alter} DROP CONSTRAINT {}", quoted(&name))];
        back.extend(primary_key_columns(cursor, table, wish)?);
        return Ok(Some(back));
    }
    const UNNAMED: [&str; 5] = ["primary", "unique", "check", "foreign", "exclude"];
    if UNNAMED.iter().any(|word| cursor.peeks(word)) {
        if uses_an_index(cursor.rest()) {
            return Err("the constraint takes an index over, which would go with it".to_owned());
        }
        let Some(name) = given_name(cursor, table) else {
            return Err("the constraint has no name by which it could be dropped; give it one".to_owned());
        };
        let mut back = vec![format!("{alter} DROP CONSTRAINT {}", identifier(&name))];
        back.extend(primary_key_columns(cursor, table, wish)?);
        return Ok(Some(back));
    }
    cursor.word("column");
    let asks = cursor.word("if") && cursor.word("not") && cursor.word("exists");
    let Some(column) = cursor.name() else { return Ok(None) };
    if asks && wish.is_there(column::object(&table.name, &column)) {
        return Ok(Some(Vec::new()));
    }
    Ok(Some(vec![format!("{alter} DROP COLUMN {}", quoted(&column))]))
}

fn uses_an_index(tokens: &[Token]) -> bool {
    tokens.windows(2).any(|pair| pair[0].is("using") && pair[1].is("index"))
}

/// The columns in the next parentheses, if they are plain names.
fn listed(mut cursor: Cursor<'_>) -> Option<Vec<String>> {
    let at = cursor.rest().iter().position(|token| token.is("("))?;
    cursor.skip(at);
    cursor.arguments()?.iter().map(|part| if let [one] = &part[..] { Some(one.text.clone()) } else { None }).collect()
}

/// A primary key makes its columns not null, and its end leaves them so.
fn primary_key_columns(mut cursor: Cursor<'_>, table: &Table, wish: &mut Wish<'_>) -> Result<Vec<String>, String> {
    if !cursor.word("primary") {
        return Ok(Vec::new());
    }
    let columns = listed(cursor).unwrap_or_default();
    columns.iter().map(|name| column::nullability(table, &identifier(name), wish)).collect()
}

/// The name that the server gives to a constraint that has none.
fn given_name(mut cursor: Cursor<'_>, table: &Table) -> Option<String> {
    let table = last(&table.name);
    let columns = |of: Cursor<'_>| listed(of).map(|columns| columns.join("_"));
    let name = if cursor.peeks("primary") {
        format!("{table}_pkey")
    } else if cursor.peeks("unique") {
        format!("{table}_{}_key", columns(cursor)?)
    } else if cursor.word("foreign") {
        format!("{table}_{}_fkey", columns(cursor)?)
    } else {
        return None;
    };
    // Longer ones are cut in a way of their own.
    (name.len() <= 63).then_some(name)
}

fn dropped(mut cursor: Cursor<'_>, table: &Table, wish: &mut Wish<'_>) -> Derived {
    let cascades = cursor.rest().last().is_some_and(|token| token.is("cascade"));
    if cursor.word("constraint") {
        let _ = cursor.word("if") && cursor.word("exists");
        let Some(name) = cursor.name() else { return Ok(None) };
        if cascades {
            return Err(
                "CASCADE takes away what it does not name; drop each thing by a statement of its own".to_owned()
            );
        }
        let object = Object::new("table constraint", format!("{}.{name}", table.name));
        return Ok(Some(vec![wish.restore(Question::Definition(object))?]));
    }
    cursor.word("column");
    let may_be_absent = cursor.word("if") && cursor.word("exists");
    let Some(column) = cursor.name() else { return Ok(None) };
    let object = column::object(&table.name, &column);
    if may_be_absent && !wish.is_there(object) {
        return Ok(Some(Vec::new()));
    }
    Err(format!("column {column} is not made again: its values go with it; with `keep` they would stay"))
}

/// A constraint that is changed or validated in place is made again as it was.
fn again(constraint: &str, table: &Table, wish: &mut Wish<'_>) -> Derived {
    let object = Object::new("table constraint", format!("{}.{constraint}", table.name));
    let made = wish.restore(Question::Definition(object))?;
    Ok(Some(vec![format!("{} DROP CONSTRAINT {}", table.alter, quoted(constraint)), made]))
}
