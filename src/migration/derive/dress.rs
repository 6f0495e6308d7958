//! What takes back `COMMENT`, `GRANT` and `REVOKE`. Pure.
//!
//! Invariant: each brings back exactly what was there, whether or not the statement changed it.

use super::super::cursor::{Cursor, split};
use super::question::{Object, Question, Wish};
use super::signature::types;

type Derived = Result<Option<Vec<String>>, String>;

/// Sorts of things as statements and as catalogs call them.
const SORTS: [(&[&str], &str); 17] = [
    (&["materialized", "view"], "materialized view"),
    (&["foreign", "table"], "foreign table"),
    (&["event", "trigger"], "event trigger"),
    (&["table"], "table"),
    (&["view"], "view"),
    (&["index"], "index"),
    (&["sequence"], "sequence"),
    (&["column"], "table column"),
    (&["function"], "function"),
    (&["procedure"], "procedure"),
    (&["type"], "type"),
    (&["domain"], "domain"),
    (&["schema"], "schema"),
    (&["extension"], "extension"),
    (&["statistics"], "statistics object"),
    (&["aggregate"], "aggregate"),
    (&["publication"], "publication"),
];

/// Sorts of things that lie on a table.
const ON_TABLE: [(&str, &str); 4] =
    [("constraint", "table constraint"), ("trigger", "trigger"), ("policy", "policy"), ("rule", "rule")];

fn sort(cursor: &mut Cursor<'_>) -> Option<&'static str> {
    let (words, class) = SORTS.into_iter().find(|(words, _)| {
        let mut ahead = *cursor;
        words.iter().all(|word| ahead.word(word))
    })?;
    cursor.skip(words.len());
    Some(class)
}

fn named(cursor: &mut Cursor<'_>, class: &'static str) -> Option<Object> {
    let name = cursor.name()?;
    let takes_arguments = matches!(class, "function" | "procedure" | "aggregate") && cursor.peeks("(");
    let arguments = if takes_arguments { Some(types(&cursor.arguments()?)) } else { None };
    Some(Object { class, name, arguments })
}

/// What brings a comment back; nothing when it is not recognised.
///
/// # Errors
/// Why there is nothing.
pub fn comment(mut cursor: Cursor<'_>, wish: &mut Wish<'_>) -> Derived {
    if !cursor.word("on") {
        return Ok(None);
    }
    let object = match ON_TABLE.into_iter().find(|(word, _)| cursor.word(word)) {
        Some((_, class)) => {
            let Some(name) = cursor.name() else { return Ok(None) };
            let on_domain = cursor.word("on") && cursor.word("domain");
            let Some(table) = cursor.name() else { return Ok(None) };
            Some(Object::new(if on_domain { "domain constraint" } else { class }, format!("{table}.{name}")))
        }
        None => match sort(&mut cursor) {
            Some(class) => named(&mut cursor, class),
            None => None,
        },
    };
    object.map(|object| wish.restore(Question::Comment(object)).map(|text| vec![text])).transpose()
}

/// What brings grants back; nothing when it is not recognised.
///
/// # Errors
/// Why there is nothing.
pub fn grant(mut cursor: Cursor<'_>, wish: &mut Wish<'_>) -> Derived {
    let gives = cursor.word("grant");
    if !gives {
        cursor.word("revoke");
    }
    let Some(on) = cursor.rest().iter().position(|token| token.is("on")) else {
        return Err("membership of roles belongs to the server, not to this schema".to_owned());
    };
    cursor.skip(on + 1);
    if cursor.peeks("all") {
        return Err("it names no single thing; write one statement for each".to_owned());
    }
    let class = sort(&mut cursor).unwrap_or("table");
    let mut things = Vec::new();
    loop {
        let Some(object) = named(&mut cursor, class) else { return Ok(None) };
        things.push(object);
        if !cursor.word(",") {
            break;
        }
    }
    if !cursor.word(if gives { "to" } else { "from" }) {
        return Ok(None);
    }
    if cursor.rest().iter().any(|token| token.is("cascade")) {
        return Err("CASCADE takes away what it does not name".to_owned());
    }
    let mut roles = Vec::new();
    for part in split(cursor.rest()) {
        let mut part = Cursor::of(part);
        part.word("group");
        roles.extend(part.name());
    }
    let each = things.into_iter().map(|on| wish.restore(Question::Grants { on, roles: roles.clone() }));
    Ok(Some(each.collect::<Result<Vec<_>, _>>()?))
}
