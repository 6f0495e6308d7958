//! What takes back `ALTER` of anything but a table. Pure.
//!
//! Invariant: what is changed in place and has a definition comes back by that definition.

use super::super::cursor::{Cursor, split};
use super::column::{self, Table};
use super::names::{identifier, last, quoted};
use super::question::{ColumnAspect, Object, Question, RelationAspect, Wish};
use super::signature::{reset, types};
use super::table::{moved, renamed_whole};

type Derived = Result<Option<Vec<String>>, String>;

/// Sorts of things as statements and as catalogs call them.
const SORTS: [(&[&str], &str); 12] = [
    (&["materialized", "view"], "materialized view"),
    (&["view"], "view"),
    (&["index"], "index"),
    (&["sequence"], "sequence"),
    (&["function"], "function"),
    (&["procedure"], "procedure"),
    (&["type"], "type"),
    (&["domain"], "domain"),
    (&["schema"], "schema"),
    (&["statistics"], "statistics object"),
    (&["trigger"], "trigger"),
    (&["policy"], "policy"),
];

/// A thing that is altered.
struct Altered {
    class: &'static str,
    name: String,
    arguments: Option<Vec<String>>,
    /// `ALTER MATERIALIZED VIEW`.
    alter: String,
}

impl Altered {
    fn object(&self) -> Object {
        Object { class: self.class, name: self.name.clone(), arguments: self.arguments.clone() }
    }

    /// Its arguments in parentheses, if it has any.
    fn signature(&self) -> String {
        self.arguments.as_ref().map(|types| format!("({})", types.join(", "))).unwrap_or_default()
    }
}

/// What takes an `ALTER` back; nothing when it is not recognised.
///
/// # Errors
/// Why there is nothing.
pub fn inverse(mut cursor: Cursor<'_>, wish: &mut Wish<'_>) -> Derived {
    let sort = SORTS.into_iter().find(|(words, _)| {
        let mut ahead = cursor;
        words.iter().all(|word| ahead.word(word))
    });
    let Some((words, class)) = sort else { return Ok(None) };
    cursor.skip(words.len());
    let may_be_absent = cursor.word("if") && cursor.word("exists");
    let Some(name) = cursor.name() else { return Ok(None) };
    let alter = format!("ALTER {}", words.join(" ").to_uppercase());
    if matches!(class, "trigger" | "policy") {
        return on_table(cursor, &alter, class, &name, wish);
    }
    let takes_arguments = matches!(class, "function" | "procedure") && cursor.peeks("(");
    let arguments = if takes_arguments { cursor.arguments().map(|arguments| types(&arguments)) } else { None };
    let thing = Altered { class, name, arguments, alter };
    if may_be_absent && !wish.is_there(thing.object()) {
        return Ok(Some(Vec::new()));
    }
    if cursor.word("rename") {
        return Ok(renamed(cursor, &thing));
    }
    let mut ahead = cursor;
    if ahead.word("set") && ahead.word("schema") && class != "schema" {
        if thing.arguments.is_some() {
            let Some(to) = ahead.name() else { return Ok(None) };
            let schema = wish.restore(Question::Schema(thing.object()))?;
            let now = format!("{}.{}{}", quoted(&to), identifier(&last(&thing.name)), thing.signature());
            return Ok(Some(vec![format!("{} {now} SET SCHEMA {schema}", thing.alter)]));
        }
        return moved(ahead, &thing.name, class, &thing.alter, wish);
    }
    let mut ahead = cursor;
    if ahead.word("owner") && ahead.word("to") {
        return Ok(Some(vec![wish.restore(Question::Owner(thing.object()))?]));
    }
    changed(cursor, &thing, wish)
}

fn on_table(mut cursor: Cursor<'_>, alter: &str, class: &'static str, name: &str, wish: &mut Wish<'_>) -> Derived {
    let table = if cursor.word("on") { cursor.name() } else { None };
    let Some(table) = table else { return Ok(None) };
    if cursor.word("rename") && cursor.word("to") {
        let to = cursor.name();
        return Ok(
            to.map(|to| vec![format!("{alter} {} ON {} RENAME TO {}", quoted(&to), quoted(&table), quoted(name))])
        );
    }
    let made = wish.restore(Question::Definition(Object::new(class, format!("{table}.{name}"))))?;
    Ok(Some(vec![format!("DROP {} {} ON {}", class.to_uppercase(), quoted(name), quoted(&table)), made]))
}

fn renamed(mut cursor: Cursor<'_>, thing: &Altered) -> Option<Vec<String>> {
    if cursor.word("to") {
        let to = cursor.name()?;
        if thing.arguments.is_some() {
            let schema = super::names::schema(&thing.name);
            let now = format!("{schema}{}{}", quoted(&to), thing.signature());
            return Some(vec![format!("{} {now} RENAME TO {}", thing.alter, identifier(&last(&thing.name)))]);
        }
        return Some(vec![renamed_whole(&thing.alter, &thing.name, &to)]);
    }
    let part = ["value", "attribute", "constraint", "column"].into_iter().find(|word| cursor.word(word));
    let part = part.unwrap_or("column");
    let from = cursor.part()?;
    let to = if cursor.word("to") { cursor.part()? } else { return None };
    let as_part = |text: &str| if part == "value" { text.to_owned() } else { quoted(text) };
    let of = format!("{} {} RENAME {}", thing.alter, quoted(&thing.name), part.to_uppercase());
    Some(vec![format!("{of} {} TO {}", as_part(&to), as_part(&from))])
}

fn changed(mut cursor: Cursor<'_>, thing: &Altered, wish: &mut Wish<'_>) -> Derived {
    let alter = format!("{} {}", thing.alter, quoted(&thing.name));
    let table = Table { name: thing.name.clone(), alter: alter.clone() };
    let mut relation = |aspect| {
        let question = Question::Relation { name: thing.name.clone(), aspect };
        wish.restore(question).map(|text| Some(vec![text]))
    };
    match thing.class {
        "sequence" if cursor.rest().iter().any(|token| token.is("restart")) => {
            Err("where it stood is not kept".to_owned())
        }
        "sequence" => relation(RelationAspect::Sequence),
        "function" | "procedure" => Ok(Some(vec![wish.restore(Question::Definition(thing.object()))?])),
        "type" => of_type(cursor, &alter),
        "domain" => of_domain(cursor, thing, &alter, wish),
        "index" | "view" | "materialized view" => {
            if cursor.word("alter") {
                cursor.word("column");
                if thing.class == "index" {
                    let place = cursor.rest().first().map(|token| token.text.clone()).unwrap_or_default();
                    let aspect = ColumnAspect::Statistics;
                    let question = Question::Column { table: thing.name.clone(), column: place, aspect };
                    return Ok(Some(vec![wish.restore(question)?]));
                }
                let Some(name) = cursor.name() else { return Ok(None) };
                return column::altered(cursor, &table, &name, wish);
            }
            let mut ahead = cursor;
            if (ahead.word("set") || ahead.word("reset")) && ahead.peeks("(") {
                let earlier = relation(RelationAspect::Options)?.unwrap_or_default();
                return Ok(Some([vec![reset(&alter, cursor.rest())], earlier].concat()));
            }
            match cursor.word("set") && cursor.word("tablespace") {
                true => relation(RelationAspect::Tablespace),
                false => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

fn of_type(mut cursor: Cursor<'_>, alter: &str) -> Derived {
    if cursor.word("add") && cursor.word("value") {
        return Err("a value of an enum cannot be removed".to_owned());
    }
    let mut back = Vec::new();
    for action in split(cursor.rest()) {
        let mut action = Cursor::of(action);
        action.word("add");
        let Some(name) = action.word("attribute").then(|| action.name()).flatten() else { return Ok(None) };
        back.push(format!("{alter} DROP ATTRIBUTE {}", quoted(&name)));
    }
    if cursor.peeks("drop") || cursor.peeks("alter") {
        return Err("what its attribute held goes with it".to_owned());
    }
    back.reverse();
    Ok(Some(back))
}

fn of_domain(mut cursor: Cursor<'_>, thing: &Altered, alter: &str, wish: &mut Wish<'_>) -> Derived {
    if cursor.word("add") {
        let name = if cursor.word("constraint") { cursor.name() } else { None };
        let unnamed = || "the constraint has no name by which it could be dropped; give it one".to_owned();
        return Ok(Some(vec![format!("{alter} DROP CONSTRAINT {}", quoted(&name.ok_or_else(unnamed)?))]));
    }
    let mut ahead = cursor;
    let named = (ahead.word("drop") || ahead.word("validate")) && ahead.word("constraint");
    if named {
        let _ = ahead.word("if") && ahead.word("exists");
        let Some(name) = ahead.name() else { return Ok(None) };
        let object = Object::new("domain constraint", format!("{}.{name}", thing.name));
        let made = wish.restore(Question::Definition(object))?;
        let dropped = format!("{alter} DROP CONSTRAINT {}", quoted(&name));
        return Ok(Some(if cursor.peeks("validate") { vec![dropped, made] } else { vec![made] }));
    }
    let is_set = (cursor.word("set") || cursor.word("drop")) && cursor.more();
    let aspect = match cursor.peeks("default") {
        true => ColumnAspect::Default,
        false => ColumnAspect::NotNull,
    };
    // A domain is asked about as a table without a column.
    let question = Question::Column { table: thing.name.clone(), column: String::new(), aspect };
    if is_set { Ok(Some(vec![wish.restore(question)?])) } else { Ok(None) }
}
