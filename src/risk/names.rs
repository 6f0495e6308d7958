//! What relations are called, and which are empty, while the texts of a plan run one after the other. Pure.
//!
//! Invariant: a relation that no text is known to make, and that the target does not have, is unknown, never empty.

use std::collections::{BTreeMap, BTreeSet};

use super::statement::behind;
use crate::migration::cursor::Cursor;
use crate::migration::statements::Statement;

/// What earlier texts of the plan did to names.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Relations that they made, as written.
    made: BTreeSet<String>,
    /// Those among them that they also filled, as written.
    filled: BTreeSet<String>,
    /// Relations that have another name now, as written, and what the target calls them.
    called: BTreeMap<String, String>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stands {
    /// For what the target calls so.
    For(String),
    /// For what the plan makes, and leaves empty.
    Made,
    /// For what the plan makes and fills with who knows how much.
    Filled,
}

impl Names {
    /// What a whole name stands for.
    pub fn stands(&self, name: &str) -> Stands {
        let is = |written: &&String| is_same(written, name);
        if self.filled.iter().any(|written| is(&written)) {
            return Stands::Filled;
        }
        if self.made.iter().any(|written| is(&written)) {
            return Stands::Made;
        }
        match self.called.iter().find(|(written, _)| is(written)) {
            Some((_, earlier)) => Stands::For(earlier.clone()),
            None => Stands::For(name.to_owned()),
        }
    }

    /// Whether the plan makes what is written so, and leaves it empty.
    pub fn is_made(&self, written: &str) -> bool {
        let is = |made: &&String| is_same(made, written) || is_same(written, made);
        self.made.iter().any(|made| is(&made)) && !self.filled.iter().any(|made| is(&made))
    }

    /// A statement has run. `known` are the names of the relations that it locked.
    pub fn after<'a>(&mut self, statement: &Statement, known: impl Iterator<Item = &'a String>) {
        if let Some(made) = name_behind(statement, &MAKE).filter(|_| !is_temporary(statement)) {
            let filled =
                statement.tokens.iter().any(|token| token.is("select") || token.is("execute") || token.is("values"));
            if filled {
                self.filled.insert(made.clone());
            }
            self.called.retain(|written, _| !is_same(written, &made));
            self.made.insert(made);
        }
        if let Some(written) = name_behind(statement, &FILL) {
            let made = self.made.iter().find(|made| is_same(made, &written) || is_same(&written, made)).cloned();
            // A few rows that stand in the text are as good as none.
            let is_few = statement.starts_with(&["insert"]) && !statement.tokens.iter().any(|token| token.is("select"));
            self.filled.extend(made.filter(|_| !is_few));
        }
        if let Some((from, to)) = renamed(statement) {
            self.rename(&from, &to, known);
        }
    }

    fn rename<'a>(&mut self, from: &str, to: &str, mut known: impl Iterator<Item = &'a String>) {
        let whole = known.find(|name| is_same(from, name)).cloned();
        let made = self.made.iter().find(|made| is_same(made, from) || is_same(from, made)).cloned();
        if let Some(made) = made {
            if self.filled.remove(&made) {
                self.filled.insert(to.to_owned());
            }
            self.made.remove(&made);
            self.made.insert(to.to_owned());
            return;
        }
        let Some(whole) = whole else { return };
        let Stands::For(earlier) = self.stands(&whole) else { return };
        self.called.retain(|written, _| !is_same(written, &whole));
        let schema = whole.rsplit_once('.').map(|(schema, _)| format!("{schema}.")).unwrap_or_default();
        let to = if to.contains('.') { to.to_owned() } else { format!("{schema}{to}") };
        self.called.insert(to, earlier);
    }
}

/// How statements begin that make a relation that holds rows.
const MAKE: [&str; 3] = [
    "create [global] [local] [unlogged] table [if] [not] [exists]",
    "create materialized view [if] [not] [exists]",
    "create foreign table [if] [not] [exists]",
];
/// How statements begin that fill one.
const FILL: [&str; 4] = ["insert into", "copy", "merge into [only]", "refresh materialized view [concurrently]"];
/// How statements begin that give one another name.
const RENAME: [&str; 3] =
    ["alter table [if] [exists] [only]", "alter materialized view [if] [exists]", "alter foreign table [if] [exists]"];

fn is_temporary(statement: &Statement) -> bool {
    statement.tokens.iter().take(4).any(|token| token.is("temporary") || token.is("temp"))
}

/// The name behind one of these beginnings, and what follows it.
fn named_behind<'a>(statement: &'a Statement, beginnings: &[&str]) -> Option<(String, Cursor<'a>)> {
    let mut cursor = beginnings.iter().find_map(|words| behind(words, statement))?;
    Some((cursor.name()?, cursor))
}

fn name_behind(statement: &Statement, beginnings: &[&str]) -> Option<String> {
    named_behind(statement, beginnings).map(|(name, _)| name)
}

/// The earlier and the later name.
fn renamed(statement: &Statement) -> Option<(String, String)> {
    let (from, rest) = named_behind(statement, &RENAME)?;
    let mut cursor = rest;
    if cursor.word("rename") && cursor.word("to") {
        return Some((from, cursor.name()?));
    }
    let mut cursor = rest;
    if cursor.word("set") && cursor.word("schema") {
        let last = from.rsplit_once('.').map_or(from.as_str(), |(_, last)| last);
        let to = format!("{}.{last}", cursor.name()?);
        return Some((from.clone(), to));
    }
    None
}

/// Whether what is written, with or without a schema, may be what has this whole name.
pub fn is_same(written: &str, whole: &str) -> bool {
    written == whole || whole.strip_suffix(written).is_some_and(|schema| schema.ends_with('.') && !schema.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::statements::Script;

    fn after(text: &str) -> Names {
        let known = ["public.orders".to_owned(), "app.Old".to_owned()];
        let mut names = Names::default();
        for statement in Script::parse(text).unwrap().statements {
            names.after(&statement, known.iter());
        }
        names
    }

    #[test]
    fn what_the_plan_makes_is_empty_until_it_fills_it() {
        let names =
            after("create table if not exists t (id int); create table app.u as select 1; insert into t values (1)");
        assert_eq!(names.stands("public.t"), Stands::Made);
        assert_eq!(names.stands("app.u"), Stands::Filled);
        assert_eq!(names.stands("public.orders"), Stands::For("public.orders".to_owned()));
        assert_eq!(after("create table t (id int); insert into public.t select 1").stands("public.t"), Stands::Filled);
        assert_eq!(after("create temp table t (id int)").stands("public.t"), Stands::For("public.t".to_owned()));
    }

    #[test]
    fn what_is_renamed_is_as_large_as_it_was() {
        let names = after("alter table orders rename to sales; create table orders (id int)");
        assert_eq!(names.stands("public.sales"), Stands::For("public.orders".to_owned()));
        assert_eq!(names.stands("public.orders"), Stands::Made, "the new one is another");
        let names = after("alter table orders set schema app");
        assert_eq!(names.stands("app.orders"), Stands::For("public.orders".to_owned()));
        let names = after("create table a (id int); insert into a select 1; alter table a rename to b");
        assert_eq!(names.stands("public.b"), Stands::Filled);
        let names = after("alter table orders rename column a to b");
        assert_eq!(names.stands("public.orders"), Stands::For("public.orders".to_owned()));
    }
}
