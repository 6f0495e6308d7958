//! What of a statement's text decides how long it takes, beside what it was seen to do. Pure.
//!
//! Invariant: a statement whose work cannot be told from its text is said to be unknown, never quick.

use crate::migration::cursor::{Cursor, split};
use crate::migration::statements::{Statement, Token, TokenSort};

/// What sort of work a statement is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It changes a schema: what it rewrites, builds and reads was seen.
    Schema,
    /// It only changes the catalog, or a few rows that stand in its text.
    Quick,
    /// It changes rows of a table: all of them, or who knows how many.
    Update {
        /// The table, as written.
        table: String,
        /// Whether it has no condition.
        all: bool,
    },
    /// It removes rows of a table: all of them, or who knows how many.
    Delete {
        /// The table, as written.
        table: String,
        /// Whether it has no condition.
        all: bool,
    },
    /// It reads tables, and clears up in them.
    Upkeep,
    /// Nobody can tell.
    Unknown(&'static str),
}

/// Tells what sort of work a statement is, from what stands behind its beginning.
type Telling = fn(&Statement, Cursor<'_>) -> Doing;

/// How statements begin, and what they are then. The first that fits counts; a word in brackets may be missing.
#[rustfmt::skip]
const BEGINNINGS: &[(&str, Telling)] = &[
    ("update [only]",             |_, cursor| changed(cursor, |table, all| Doing::Update { table, all })),
    ("delete from [only]",        |_, cursor| changed(cursor, |table, all| Doing::Delete { table, all })),
    ("insert into",               |statement, _| rows_of(statement)),
    ("truncate",                  |_, _| Doing::Quick),
    ("copy",                      |_, _| Doing::Unknown("how many rows are copied")),
    ("merge",                     |_, _| Doing::Unknown("how many rows it merges")),
    ("with",                      |_, _| Doing::Unknown("how long its query takes")),
    ("select",                    |statement, _| query(statement)),
    ("do",                        |_, _| Doing::Unknown("what its block does")),
    ("call",                      |_, _| Doing::Unknown("what the procedure does")),
    ("execute",                   |_, _| Doing::Unknown("what the prepared statement does")),
    ("refresh materialized view", |_, _| Doing::Unknown("how long the view's query takes")),
    ("create materialized view",  |statement, _| filled(statement)),
    ("create [unlogged] table",   |statement, _| filled(statement)),
    ("vacuum",                    |statement, _| upkeep(statement)),
    ("analyze",                   |_, _| Doing::Upkeep),
    ("create extension",          |_, _| Doing::Unknown("what the extension's script does")),
];

/// What sort of work a statement is.
pub fn doing(statement: &Statement) -> Doing {
    let found = BEGINNINGS.iter().find_map(|(words, of)| Some((behind(words, statement)?, of)));
    found.map_or(Doing::Schema, |(cursor, of)| of(statement, cursor))
}

/// The statement behind these words, if it begins with them.
pub fn behind<'a>(words: &str, statement: &'a Statement) -> Option<Cursor<'a>> {
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

fn says(statement: &Statement, word: &str) -> bool {
    statement.tokens.iter().any(|token| token.is(word))
}

fn changed(mut cursor: Cursor<'_>, of: impl Fn(String, bool) -> Doing) -> Doing {
    let Some(table) = cursor.name() else { return Doing::Unknown("which table it changes") };
    let computed = ["select", "from", "using"].iter().any(|word| cursor.rest().iter().any(|token| token.is(word)));
    if computed {
        return Doing::Unknown("how long its query takes, and how many rows it finds");
    }
    let all = !cursor.rest().iter().any(|token| token.is("where"));
    of(table, all)
}

fn rows_of(statement: &Statement) -> Doing {
    match says(statement, "select") {
        true => Doing::Unknown("how many rows its query gives"),
        false => Doing::Quick,
    }
}

/// Functions that only look at a number, or set one.
const PLAIN: [&str; 5] = ["setval", "set_config", "currval", "nextval", "now"];

fn query(statement: &Statement) -> Doing {
    let calls = |pair: &[Token]| pair[1].is("(") && !PLAIN.iter().any(|name| pair[0].is(name));
    match says(statement, "from") || statement.tokens.windows(2).any(calls) {
        true => Doing::Unknown("how long its query takes"),
        false => Doing::Quick,
    }
}

fn filled(statement: &Statement) -> Doing {
    let empty = statement.tokens.windows(2).any(|pair| pair[0].is("no") && pair[1].is("data"));
    let asks = ["select", "execute", "values"].iter().any(|word| says(statement, word));
    // `CHECK (a in (select …))` does not exist: a table with a query in it is made of that query.
    if asks && !empty { Doing::Unknown("how long its query takes, and how much it gives") } else { Doing::Schema }
}

fn upkeep(statement: &Statement) -> Doing {
    if says(statement, "full") { Doing::Schema } else { Doing::Upkeep }
}

/// The table that a statement of a schema is about, as written.
pub fn table(statement: &Statement) -> Option<String> {
    const TABLES: [&str; 6] = [
        "alter table [if] [exists] [only]",
        "alter materialized view [if] [exists]",
        "drop table [if] [exists]",
        "truncate [table] [only]",
        "comment on table",
        "lock [table] [only]",
    ];
    if let Some(mut cursor) = TABLES.iter().find_map(|words| behind(words, statement)) {
        return cursor.name();
    }
    let mut cursor = behind("create [unique] index [concurrently] [if] [not] [exists]", statement)?;
    if !cursor.peeks("on") {
        cursor.name();
    }
    if !cursor.word("on") {
        return None;
    }
    cursor.word("only");
    cursor.name()
}

/// Whether it looks up the rows of one table in another.
pub fn follows_keys(statement: &Statement, tables_read: usize) -> bool {
    says(statement, "references") || (says(statement, "validate") && tables_read > 1)
}

/// Whether a value is computed for each row that it writes anew: a default that is a call, or a number of a sequence.
pub fn computes(statement: &Statement) -> bool {
    const COUNTED: [&str; 6] = ["smallserial", "serial", "bigserial", "serial4", "serial8", "identity"];
    if behind("alter table", statement).is_none() || !says(statement, "add") {
        return false;
    }
    let calls = |tokens: &[Token]| {
        tokens.windows(2).any(|pair| pair[1].is("(") && matches!(pair[0].sort, TokenSort::Word | TokenSort::Quoted))
    };
    let default = statement.tokens.iter().position(|token| token.is("default"));
    COUNTED.iter().any(|word| says(statement, word))
        || default.is_some_and(|place| calls(&statement.tokens[place + 1..]))
}

/// What a new index is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// Its columns; one that is computed is none of them.
    pub columns: Vec<String>,
    /// How many parts are computed.
    pub computed: usize,
    /// How it is made: `btree`, `gin`.
    pub method: String,
}

/// What the index is made of that a statement makes: `CREATE INDEX`, or a constraint that it adds.
pub fn key(statement: &Statement) -> Key {
    let mut method = "btree".to_owned();
    let mut cursor = Cursor::of(&statement.tokens);
    let mut is_list_next = behind("create [unique] index", statement).is_some();
    let mut found = Key::default();
    while cursor.more() {
        if cursor.word("using") && !cursor.peeks("index") {
            method = cursor.part().unwrap_or_default();
            is_list_next = true;
        } else if cursor.word("key") || cursor.word("unique") || cursor.word("exclude") {
            is_list_next = true;
        } else if cursor.peeks("(") && is_list_next {
            for part in inside(&mut cursor) {
                match part.as_slice() {
                    [first, second, ..] if first.is("(") || second.is("(") => found.computed += 1,
                    tokens => match Cursor::of(tokens).part() {
                        Some(name) => found.columns.push(name),
                        None => found.computed += 1,
                    },
                }
            }
            break;
        } else {
            cursor.skip(1);
        }
    }
    Key { method, ..found }
}

/// The parts of a parenthesis.
fn inside(cursor: &mut Cursor<'_>) -> Vec<Vec<Token>> {
    let mut depth = 0_usize;
    let end = cursor.rest().iter().position(|token| {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth -= 1;
        }
        depth == 0
    });
    let Some(end) = end else { return Vec::new() };
    let parts = split(&cursor.rest()[1..end]);
    parts.into_iter().map(<[Token]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::statements::Script;

    fn one(text: &str) -> Statement {
        Script::parse(text).unwrap().statements.remove(0)
    }

    #[test]
    fn what_cannot_be_told_is_unknown() {
        let update = |all| Doing::Update { table: "orders".to_owned(), all };
        for (text, wanted) in [
            ("update orders set a = 1", update(true)),
            ("update only orders set a = b + 1 where id > 5", update(false)),
            ("delete from app.orders", Doing::Delete { table: "app.orders".to_owned(), all: true }),
            ("insert into t values (1), (2)", Doing::Quick),
            ("select setval('s', 5)", Doing::Quick),
            ("alter table t add c int", Doing::Schema),
            ("create table t (id int)", Doing::Schema),
            ("create materialized view m as select 1 with no data", Doing::Schema),
            ("vacuum full t", Doing::Schema),
            ("vacuum t", Doing::Upkeep),
            ("truncate t", Doing::Quick),
        ] {
            assert_eq!(doing(&one(text)), wanted, "{text}");
        }
        for text in [
            "update orders set a = (select 1)",
            "update orders o set a = x.a from x where x.id = o.id",
            "delete from orders using x where x.id = orders.id",
            "insert into t select * from u",
            "select refresh_everything()",
            "select * from t",
            "do $$ begin end $$",
            "call p()",
            "with x as (select 1) delete from t",
            "create table t as select * from u",
            "create materialized view m as select 1",
            "refresh materialized view m",
        ] {
            assert!(matches!(doing(&one(text)), Doing::Unknown(_)), "{text}: {:?}", doing(&one(text)));
        }
    }

    #[test]
    fn a_value_is_computed_for_each_row() {
        for text in [
            "alter table t add column a uuid default gen_random_uuid()",
            "alter table t add a text not null, add b timestamptz default \"now\" (1)",
            "alter table t add column a bigserial",
            "alter table t add a int generated always as identity",
        ] {
            assert!(computes(&one(text)), "{text}");
        }
        for text in [
            "alter table t alter column a type bigint",
            "alter table t add column a varchar(10) default 'none'",
            "alter table t alter a set default random()",
            "create table t (a uuid default gen_random_uuid())",
        ] {
            assert!(!computes(&one(text)), "{text}");
        }
    }

    #[test]
    fn what_an_index_is_made_of() {
        let of = |text: &str| {
            let Key { columns, computed, method } = key(&one(text));
            format!("{method} {} {computed}", columns.join(","))
        };
        assert_eq!(of("create index on t (a, b desc)"), "btree a,b 0");
        assert_eq!(of("create unique index concurrently i on app.t using hash (a)"), "hash a 0");
        assert_eq!(of("create index i on t (lower(a), (b + 1), c)"), "btree c 2");
        assert_eq!(of("alter table t add constraint u unique (a, b)"), "btree a,b 0");
        assert_eq!(of("alter table t add primary key (id)"), "btree id 0");
        assert_eq!(of("alter table t add constraint e exclude using gist (r with &&)"), "gist r 0");
    }

    #[test]
    fn the_table_that_it_is_about() {
        for (text, wanted) in [
            ("alter table if exists only app.t add c int", Some("app.t")),
            ("create index on t (a)", Some("t")),
            ("create unique index concurrently if not exists i on only app.t (a)", Some("app.t")),
            ("create view v as select 1", None),
        ] {
            assert_eq!(table(&one(text)).as_deref(), wanted, "{text}");
        }
    }
}
