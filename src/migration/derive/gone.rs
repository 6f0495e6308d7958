//! What takes back `DROP`. Pure.
//!
//! Invariant: nothing comes back by its definition alone that held rows, a position, or what an extension keeps.

use super::super::cursor::Cursor;
use super::names::quoted;
use super::question::{Answer, Object, Question, Wish};
use super::signature::types;

type Derived = Result<Option<Vec<String>>, String>;

/// Sorts of things whose definition is all that there is of them, as statements and as catalogs call them.
const DEFINED: [(&[&str], &str); 14] = [
    (&["materialized", "view"], "materialized view"),
    (&["view"], "view"),
    (&["index"], "index"),
    (&["function"], "function"),
    (&["procedure"], "procedure"),
    (&["routine"], "routine"),
    (&["trigger"], "trigger"),
    (&["policy"], "policy"),
    (&["rule"], "rule"),
    (&["type"], "type"),
    (&["domain"], "domain"),
    (&["statistics"], "statistics object"),
    (&["schema"], "schema"),
    (&["aggregate"], "aggregate"),
];

/// Sorts of things that hold something, and what that is.
const HOLDING: [(&str, &str); 4] = [
    ("table", "its rows go with it; with `keep` they would stay"),
    ("sequence", "its position goes with it"),
    ("extension", "what it holds goes with it"),
    ("foreign", "it belongs to another server"),
];

/// What takes a `DROP` back; nothing when it is not recognised.
///
/// # Errors
/// Why there is nothing.
pub fn inverse(mut cursor: Cursor<'_>, wish: &mut Wish<'_>) -> Derived {
    let cascades = cursor.rest().last().is_some_and(|token| token.is("cascade"));
    if let Some((class, why)) = HOLDING.into_iter().find(|(word, _)| cursor.word(word)) {
        return holding(cursor, wish, class, why);
    }
    let class = DEFINED.into_iter().find(|(words, _)| {
        let mut ahead = cursor;
        words.iter().all(|word| ahead.word(word))
    });
    let Some((words, class)) = class else { return Ok(None) };
    cursor.skip(words.len());
    let concurrently = class == "index" && cursor.word("concurrently");
    let _ = cursor.word("if") && cursor.word("exists");
    if cascades {
        return Err("CASCADE takes away what it does not name; drop each thing by a statement of its own".to_owned());
    }
    let mut found = Vec::new();
    loop {
        let Some(object) = object(&mut cursor, class) else { return Ok(None) };
        let made = wish.restore(Question::Definition(object))?;
        found.push(if concurrently { made.replacen("INDEX ", "INDEX CONCURRENTLY ", 1) } else { made });
        if !cursor.word(",") {
            break;
        }
    }
    found.reverse();
    Ok(Some(found))
}

fn object(cursor: &mut Cursor<'_>, class: &'static str) -> Option<Object> {
    let name = cursor.name()?;
    if matches!(class, "trigger" | "policy" | "rule") {
        let table = if cursor.word("on") { cursor.name()? } else { return None };
        return Some(Object::new(class, format!("{table}.{name}")));
    }
    let takes_arguments = matches!(class, "function" | "procedure" | "routine" | "aggregate");
    let arguments = match takes_arguments && cursor.peeks("(") {
        true => Some(types(&cursor.arguments()?)),
        false => None,
    };
    Some(Object { class, name, arguments })
}

fn holding(mut cursor: Cursor<'_>, wish: &mut Wish<'_>, class: &'static str, why: &str) -> Derived {
    if class == "foreign" {
        return Err(why.to_owned());
    }
    let may_be_absent = cursor.word("if") && cursor.word("exists");
    loop {
        let Some(name) = cursor.name() else { return Ok(None) };
        let object = Object::new(class, name.clone());
        let known =
            if may_be_absent { wish.ask(Question::Presence(object)) } else { Some(&Answer::Text(String::new())) };
        if let Some(Answer::Text(_) | Answer::Cannot(_)) = known {
            return Err(format!("{} is not made again: {why}", quoted(&name)));
        }
        if !cursor.word(",") {
            return Ok(Some(Vec::new()));
        }
    }
}
