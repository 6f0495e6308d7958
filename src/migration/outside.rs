//! Statements that run outside of a transaction: what tells, after an interruption, whether one of them had its
//! effect. Pure.
//!
//! Invariant: what no catalog shows and what is not certain to be repeatable is [`Outside::Untold`]; nobody guesses.

use super::concurrent::{ConcurrentIndex, Work};
use super::cursor::Cursor;
use super::statements::Statement;

/// By what one knows whether the statement had its effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outside {
    /// The index of this name is built; it is known by its validity.
    MakeIndex {
        /// As `to_regclass` reads it.
        index: String,
        /// Whether the statement leaves one alone that is there already.
        if_not_exists: bool,
    },
    /// An index without a name of its own is built on this table: it is known as the one that was not there before.
    MakeUnnamed {
        /// As `to_regclass` reads it.
        table: String,
    },
    /// The index of this name is dropped.
    DropIndex {
        /// As `to_regclass` reads it.
        index: String,
    },
    /// A partition is let go.
    Detach {
        /// The partitioned table.
        table: String,
        /// The partition.
        partition: String,
    },
    /// A database, tablespace or subscription of this name is made or dropped.
    Global {
        /// The catalog that lists it.
        list: Global,
        /// Its name, without quotes.
        name: String,
        /// Whether it is there afterwards.
        makes: bool,
    },
    /// Indexes are built anew: it is run again, after what an interruption left is dropped.
    Reindex,
    /// It may run twice.
    Repeatable,
    /// Nothing tells.
    Untold,
}

/// What lies outside of every database's own catalog, or is listed in one catalog by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Global {
    /// `pg_database`.
    Database,
    /// `pg_tablespace`.
    Tablespace,
    /// `pg_subscription`.
    Subscription,
}

impl Global {
    /// The query that tells whether one of this name (`$1`) is there.
    pub fn query(self) -> &'static str {
        match self {
            Self::Database => "select exists (select from pg_catalog.pg_database where datname = $1)",
            Self::Tablespace => "select exists (select from pg_catalog.pg_tablespace where spcname = $1)",
            Self::Subscription => {
                "select exists (select from pg_catalog.pg_subscription where subname = $1 and subdbid = \
                 (select oid from pg_catalog.pg_database where datname = current_database()))"
            }
        }
    }
}

impl Outside {
    /// By what one knows of this statement, which cannot run in a transaction.
    pub fn of(statement: &Statement) -> Self {
        if let Some(index) = ConcurrentIndex::of(statement) {
            return match index.work {
                Work::Make { if_not_exists } => Self::MakeIndex { index: index.name, if_not_exists },
                Work::Drop => Self::DropIndex { index: index.name },
            };
        }
        let starts = |words: &[&str]| statement.starts_with(words);
        if starts(&["vacuum"]) || starts(&["alter", "system"]) || starts(&["cluster"]) || starts(&["alter", "database"])
        {
            return Self::Repeatable;
        }
        if starts(&["reindex"]) {
            return Self::Reindex;
        }
        let mut cursor = Cursor::of(&statement.tokens);
        if cursor.word("alter") && cursor.word("table") {
            return detach(cursor).unwrap_or(Self::Untold);
        }
        let mut cursor = Cursor::of(&statement.tokens);
        let makes = cursor.word("create");
        if !makes && !cursor.word("drop") {
            return Self::Untold;
        }
        if makes && (cursor.peeks("unique") || cursor.peeks("index")) {
            return unnamed(cursor).unwrap_or(Self::Untold);
        }
        global(cursor, makes).unwrap_or(Self::Untold)
    }
}

fn unnamed(mut cursor: Cursor<'_>) -> Option<Outside> {
    cursor.word("unique");
    let begins = cursor.word("index") && cursor.word("concurrently") && cursor.word("on");
    cursor.word("only");
    begins.then(|| cursor.name()).flatten().map(|table| Outside::MakeUnnamed { table })
}

fn detach(mut cursor: Cursor<'_>) -> Option<Outside> {
    let _ = cursor.word("if") && cursor.word("exists");
    let table = cursor.name()?;
    let begins = cursor.word("detach") && cursor.word("partition");
    let partition = begins.then(|| cursor.name()).flatten()?;
    cursor.word("concurrently").then_some(Outside::Detach { table, partition })
}

fn global(mut cursor: Cursor<'_>, makes: bool) -> Option<Outside> {
    let list = if cursor.word("database") {
        Global::Database
    } else if cursor.word("tablespace") {
        Global::Tablespace
    } else if cursor.word("subscription") {
        Global::Subscription
    } else {
        return None;
    };
    let _ = cursor.word("if") && cursor.word("exists");
    let name = cursor.rest().first()?.text.clone();
    Some(Outside::Global { list, name, makes })
}

#[cfg(test)]
mod tests {
    use super::super::statements::Script;
    use super::*;

    #[test]
    fn each_statement_says_by_what_it_is_known() {
        let text = str::to_owned;
        let global = |list, name: &str, makes| Outside::Global { list, name: text(name), makes };
        for (sql, wanted) in [
            (
                "create unique index concurrently i on app.t (a)",
                Outside::MakeIndex { index: text("app.i"), if_not_exists: false },
            ),
            ("create index concurrently on only t (a)", Outside::MakeUnnamed { table: text("t") }),
            ("drop index concurrently if exists i", Outside::DropIndex { index: text("i") }),
            (
                "alter table t detach partition app.p concurrently",
                Outside::Detach { table: text("t"), partition: text("app.p") },
            ),
            ("reindex table concurrently t", Outside::Reindex),
            ("vacuum (analyze) t", Outside::Repeatable),
            ("alter system set work_mem = '4MB'", Outside::Repeatable),
            ("create database \"B\"", global(Global::Database, "B", true)),
            ("drop database if exists b", global(Global::Database, "b", false)),
            ("drop tablespace s", global(Global::Tablespace, "s", false)),
            ("drop subscription s", global(Global::Subscription, "s", false)),
            ("alter database d set tablespace s", Outside::Repeatable),
            ("drop index concurrently i, j", Outside::Untold),
        ] {
            let statement = &Script::parse(sql).unwrap().statements[0];
            assert!(statement.refuses_transaction().is_some(), "{sql}");
            assert_eq!(Outside::of(statement), wanted, "{sql}");
        }
    }
}
