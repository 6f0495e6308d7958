//! What a statement will lock, rewrite and scan, told from its text and the catalogs: `docs/locks.md` as code. Pure.
//!
//! Invariant: it agrees with what is observed on every version from 13 to 18 (`tests/it/observation`), or it says
//! that it does not know, and why.

pub mod foresight;
mod type_name;
pub mod naming;
mod action;
mod expression;
mod tables;
mod columns;
mod retype;
mod constraints;
mod partitions;
mod alter;
mod indexes;
mod views;
mod types;
mod sequences;
mod guards;
mod upkeep;
mod rows;

pub use super::catalog;
use super::cursor::Cursor;
use super::observation::{LockMode, Observation};
use super::statements::{Script, Statement};
use catalog::Catalog;
use foresight::{Foresight, NotPredicted, Said, unknown};

/// What is foreseen of a statement, or why nothing is.
pub type Foreseen = Result<Observation, NotPredicted>;

type Rule = fn(&mut Foresight<'_>, Cursor<'_>) -> Said;

/// Nothing that was there is locked.
fn nothing(_sight: &mut Foresight<'_>, _cursor: Cursor<'_>) -> Said {
    Ok(())
}

/// How statements begin, and who says what they do. The first one that fits counts; a word in brackets may be missing.
#[rustfmt::skip]
const RULES: &[(&str, Rule)] = &[
    ("create [global] [local] temporary table", nothing),
    ("create [global] [local] temp table",      nothing),
    ("create [unlogged] table",                 tables::create),
    ("drop table",                              tables::drop),
    ("truncate",                                tables::truncate),
    ("alter table",                             alter::alter),
    ("alter materialized view",                 alter::alter),
    ("create [unique] index",                   indexes::create),
    ("drop index",                              indexes::drop),
    ("alter index",                             indexes::alter),
    ("reindex",                                 indexes::reindex),
    ("create statistics",                       indexes::create_statistics),
    ("drop statistics",                         indexes::drop_statistics),
    ("alter statistics",                        nothing),
    ("create [or] [replace] view",              views::create),
    ("create materialized view",                views::create_materialized),
    ("refresh materialized view",               views::refresh),
    ("alter view",                              views::alter),
    ("drop view",                               tables::drop),
    ("drop materialized view",                  tables::drop),
    ("create [or] [replace] function",          views::create_function),
    ("create [or] [replace] procedure",         views::create_function),
    ("alter function",                          nothing),
    ("alter procedure",                         nothing),
    ("drop function",                           views::drop_function),
    ("drop procedure",                          views::drop_function),
    ("create type",                             nothing),
    ("create domain",                           nothing),
    ("alter domain",                            types::alter_domain),
    ("alter type",                              types::alter_type),
    ("drop type",                               types::drop),
    ("drop domain",                             types::drop),
    ("create sequence",                         sequences::create),
    ("alter sequence",                          sequences::alter),
    ("drop sequence",                           tables::drop),
    ("create [or] [replace] trigger",           guards::create_trigger),
    ("create constraint trigger",               guards::create_trigger),
    ("alter trigger",                           guards::change),
    ("drop trigger",                            guards::drop),
    ("create [or] [replace] rule",              guards::create_rule),
    ("alter rule",                              guards::change),
    ("drop rule",                               guards::drop),
    ("create policy",                           guards::change),
    ("alter policy",                            guards::change),
    ("drop policy",                             guards::drop),
    ("create event trigger",                    nothing),
    ("vacuum",                                  upkeep::vacuum),
    ("analyze",                                 upkeep::analyze),
    ("cluster",                                 upkeep::cluster),
    ("comment on",                              upkeep::comment),
    ("grant",                                   upkeep::grant),
    ("revoke",                                  upkeep::grant),
    ("create publication",                      upkeep::publication),
    ("alter publication",                       upkeep::publication),
    ("drop publication",                        nothing),
    ("lock",                                    upkeep::lock),
    ("drop schema",                             types::drop_schema),
    ("alter schema",                            nothing),
    ("create extension",                        nothing),
    ("create role",                             nothing),
    ("alter role",                              nothing),
    ("alter default privileges",                nothing),
    ("set",                                     nothing),
    ("reset",                                   nothing),
    ("select",                                  rows::select),
    ("insert into",                             rows::insert),
    ("update",                                  rows::write),
    ("delete from",                             rows::write),
];

/// What the statement will do to the relations that are there, on a server of this major version.
///
/// # Errors
/// Why that is not known.
pub fn predict(
    statement: &Statement,
    number: usize,
    catalog: &Catalog,
    version: u32,
) -> Result<Observation, NotPredicted> {
    let mut sight = Foresight::new(catalog, version);
    apply(&mut sight, statement)?;
    let is_index = |name: &str| catalog.relation(name).is_some_and(|relation| relation.index.is_some());
    let mut found = sight.found;
    // Whoever looks at a table looks into its indexes: that much stands in nobody's way.
    found.locks.retain(|name, mode| *mode >= LockMode::ShareUpdateExclusive || !is_index(name));
    Ok(Observation { statement: number, line: statement.line, excerpt: statement.excerpt(), ..found })
}

/// What each statement of a text will do to what is there now. What an earlier one of them changes is not taken into
/// account: a statement about a relation that only comes to be says so.
pub fn predict_text(text: &str, catalog: &Catalog, version: u32) -> Vec<Foreseen> {
    match Script::parse(text) {
        Ok(script) => {
            let numbered = script.statements.iter().zip(1..);
            numbered.map(|(statement, number)| predict(statement, number, catalog, version)).collect()
        }
        Err(error) => vec![unknown(format!("not understood as SQL: {error}"))],
    }
}

fn apply(sight: &mut Foresight<'_>, statement: &Statement) -> Said {
    let found = RULES.iter().find_map(|(words, rule)| Some((behind(words, statement)?, rule, words)));
    if let Some((cursor, rule, words)) = found {
        if words.contains("[or]") && words.ends_with("trigger") && statement.starts_with(&["create", "or"]) {
            sight.since(14, "CREATE OR REPLACE TRIGGER")?;
        }
        return rule(sight, cursor);
    }
    if statement.starts_with(&["create", "schema"]) {
        let parts = statement.tokens.iter().filter(|token| token.is("create")).count();
        return if parts == 1 { Ok(()) } else { unknown("a schema that is made with things in it") };
    }
    unknown("no rule is known for this statement")
}

/// The statement behind the words of a rule, if it begins with them.
fn behind<'a>(words: &str, statement: &'a Statement) -> Option<Cursor<'a>> {
    let mut cursor = Cursor::of(&statement.tokens);
    for word in words.split(' ') {
        match word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
            Some(word) => {
                cursor.word(word);
            }
            None if cursor.word(word) => {}
            None => return None,
        }
    }
    Some(cursor)
}
