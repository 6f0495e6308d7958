//! What takes back `CREATE`. Pure.
//!
//! Invariant: a thing that may have been there before is asked for; it is dropped only if it was not.

use super::super::cursor::Cursor;
use super::names::{identifier, quoted, schema};
use super::question::{Answer, Object, Question, Wish};
use super::signature::types;

/// What may stand between `CREATE` and the sort of thing.
#[derive(Clone, Copy, Debug, Default)]
struct Manner {
    replaces: bool,
}

type Derived = Result<Option<Vec<String>>, String>;

/// What takes a `CREATE` back; nothing when it is not recognised.
///
/// # Errors
/// Why there is nothing.
pub fn inverse(mut cursor: Cursor<'_>, wish: &mut Wish<'_>) -> Derived {
    let replaces = cursor.word("or") && cursor.word("replace");
    let manner = Manner { replaces };
    for word in ["unlogged", "unique", "constraint", "recursive", "trusted", "procedural", "global", "local"] {
        cursor.word(word);
    }
    if cursor.word("temp") || cursor.word("temporary") {
        return Ok(Some(Vec::new()));
    }
    if cursor.word("materialized") {
        return if cursor.word("view") { simple(cursor, wish, "materialized view") } else { Ok(None) };
    }
    if cursor.word("foreign") {
        return if cursor.word("table") { simple(cursor, wish, "foreign table") } else { Ok(None) };
    }
    const SIMPLE: [&str; 8] =
        ["table", "sequence", "type", "domain", "statistics", "extension", "collation", "publication"];
    if let Some(class) = SIMPLE.into_iter().find(|word| cursor.word(word)) {
        return simple(cursor, wish, class);
    }
    if cursor.word("schema") {
        return made_schema(cursor, wish);
    }
    if cursor.word("index") {
        return index(cursor, wish);
    }
    if cursor.word("view") {
        return view(cursor, wish, manner);
    }
    if let Some(class) = ["function", "procedure", "aggregate"].into_iter().find(|word| cursor.word(word)) {
        return function(cursor, wish, manner, class);
    }
    if let Some(class) = ["trigger", "policy", "rule"].into_iter().find(|word| cursor.word(word)) {
        return on_table(cursor, wish, manner, class);
    }
    Ok(None)
}

fn may_be_there(cursor: &mut Cursor<'_>) -> bool {
    cursor.word("if") && cursor.word("not") && cursor.word("exists")
}

fn simple(mut cursor: Cursor<'_>, wish: &mut Wish<'_>, class: &'static str) -> Derived {
    let asks = may_be_there(&mut cursor);
    if class == "statistics" && cursor.peeks("on") {
        return Err("it has no name by which it could be dropped; give it one".to_owned());
    }
    let Some(name) = cursor.name() else { return Ok(None) };
    let object = Object::new(if class == "statistics" { "statistics object" } else { class }, name.clone());
    if asks && wish.is_there(object) {
        return Ok(Some(Vec::new()));
    }
    Ok(Some(vec![format!("DROP {} {}", class.to_uppercase(), quoted(&name))]))
}

fn made_schema(mut cursor: Cursor<'_>, wish: &mut Wish<'_>) -> Derived {
    let asks = may_be_there(&mut cursor);
    let name = if cursor.word("authorization") {
        cursor.name()
    } else {
        let name = cursor.name();
        let _ = cursor.word("authorization") && cursor.name().is_some();
        name
    };
    let Some(name) = name else { return Ok(None) };
    if cursor.more() {
        return Err("things inside of it are made as well; write a statement for each".to_owned());
    }
    if asks && wish.is_there(Object::new("schema", name.clone())) {
        return Ok(Some(Vec::new()));
    }
    Ok(Some(vec![format!("DROP SCHEMA {}", quoted(&name))]))
}

fn index(mut cursor: Cursor<'_>, wish: &mut Wish<'_>) -> Derived {
    let concurrently = if cursor.word("concurrently") { "CONCURRENTLY " } else { "" };
    let asks = may_be_there(&mut cursor);
    if cursor.peeks("on") {
        return Err("it has no name by which it could be dropped; give it one".to_owned());
    }
    let Some(name) = cursor.name() else { return Ok(None) };
    if !cursor.word("on") {
        return Ok(None);
    }
    cursor.word("only");
    let Some(table) = cursor.name() else { return Ok(None) };
    // An index lives in the schema of its table.
    let full = format!("{}{}", schema(&table), quoted(&name));
    if asks && wish.is_there(Object::new("index", full.clone())) {
        return Ok(Some(Vec::new()));
    }
    Ok(Some(vec![format!("DROP INDEX {concurrently}{full}")]))
}

fn view(mut cursor: Cursor<'_>, wish: &mut Wish<'_>, manner: Manner) -> Derived {
    let Some(name) = cursor.name() else { return Ok(None) };
    let dropped = format!("DROP VIEW {}", quoted(&name));
    Ok(Some(vec![replaced(wish, manner, Object::new("view", name), dropped)?]))
}

/// What was replaced comes back, and what was not there goes.
fn replaced(wish: &mut Wish<'_>, manner: Manner, object: Object, dropped: String) -> Result<String, String> {
    if !manner.replaces {
        return Ok(dropped);
    }
    match wish.ask(Question::Definition(object)) {
        Some(Answer::Text(text)) if text.starts_with("CREATE OR REPLACE") => Ok(text.clone()),
        Some(Answer::Text(text)) => Ok(format!("{dropped};\n{text}")),
        Some(Answer::Cannot(why)) => Err(why.clone()),
        Some(Answer::Absent) | None => Ok(dropped),
    }
}

fn function(mut cursor: Cursor<'_>, wish: &mut Wish<'_>, manner: Manner, class: &'static str) -> Derived {
    let Some(name) = cursor.name() else { return Ok(None) };
    let Some(arguments) = cursor.arguments() else { return Ok(None) };
    let types = types(&arguments);
    let dropped = format!("DROP {} {}({})", class.to_uppercase(), quoted(&name), types.join(", "));
    let object = Object { class, name, arguments: Some(types) };
    Ok(Some(vec![replaced(wish, manner, object, dropped)?]))
}

fn on_table(mut cursor: Cursor<'_>, wish: &mut Wish<'_>, manner: Manner, class: &'static str) -> Derived {
    let Some(name) = cursor.name() else { return Ok(None) };
    // `CREATE RULE n AS ON UPDATE TO t`, the others: `… ON t`.
    let word = if class == "rule" { "to" } else { "on" };
    let Some(at) = cursor.rest().iter().position(|token| token.is(word)) else { return Ok(None) };
    cursor.skip(at + 1);
    let Some(table) = cursor.name() else { return Ok(None) };
    let dropped = format!("DROP {} {} ON {}", class.to_uppercase(), quoted(&name), quoted(&table));
    let object = Object::new(class, format!("{table}.{}", as_written(&name)));
    Ok(Some(vec![replaced(wish, manner, object, dropped)?]))
}

/// A name as a part behind another one.
fn as_written(name: &str) -> String {
    if name.contains('"') { name.to_owned() } else { identifier(name) }
}
