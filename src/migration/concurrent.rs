//! Statements that build or drop an index beside the running work. Pure.
//!
//! Invariant: an index that is named here is the one that the statement makes or drops, schema included.

use super::cursor::Cursor;
use super::statements::Statement;

/// What `CREATE INDEX CONCURRENTLY` or `DROP INDEX CONCURRENTLY` is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConcurrentIndex {
    /// The index, as `to_regclass` reads it.
    pub name: String,
    /// Whether it is made or dropped.
    pub work: Work,
}

/// Made or dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Made; with `IF NOT EXISTS` one that is there already is left alone.
    Make {
        /// Whether the statement says `IF NOT EXISTS`.
        if_not_exists: bool,
    },
    /// Dropped.
    Drop,
}

impl ConcurrentIndex {
    /// The index of a statement, if it names one.
    pub fn of(statement: &Statement) -> Option<Self> {
        let mut cursor = Cursor::of(&statement.tokens);
        if cursor.word("drop") {
            let concurrently = cursor.word("index") && cursor.word("concurrently");
            let _ = cursor.word("if") && cursor.word("exists");
            let name = concurrently.then(|| cursor.name()).flatten()?;
            return (!cursor.peeks(",")).then_some(Self { name, work: Work::Drop });
        }
        if !cursor.word("create") {
            return None;
        }
        cursor.word("unique");
        if !cursor.word("index") || !cursor.word("concurrently") {
            return None;
        }
        let if_not_exists = cursor.word("if") && cursor.word("not") && cursor.word("exists");
        if cursor.peeks("on") {
            return None;
        }
        let name = cursor.name()?;
        if !cursor.word("on") {
            return None;
        }
        cursor.word("only");
        let table = cursor.name()?;
        // An index lives in the schema of its table.
        let name = match table.rsplit_once('.') {
            Some((schema, _)) => format!("{schema}.{name}"),
            None => name,
        };
        Some(Self { name, work: Work::Make { if_not_exists } })
    }
}

#[cfg(test)]
mod tests {
    use super::super::statements::Script;
    use super::*;

    #[test]
    fn the_index_of_a_statement_is_found() {
        let make = |if_not_exists| Work::Make { if_not_exists };
        for (sql, wanted) in [
            ("create index concurrently i on t (a)", Some(("i", make(false)))),
            ("create unique index concurrently if not exists \"I\" on only app.t (a)", Some(("app.\"I\"", make(true)))),
            ("drop index concurrently if exists app.i", Some(("app.i", Work::Drop))),
            ("drop index concurrently i, j", None),
            ("create index concurrently on t (a)", None),
            ("create index i on t (a)", None),
            ("drop index i", None),
            ("vacuum t", None),
        ] {
            let found = ConcurrentIndex::of(&Script::parse(sql).unwrap().statements[0]);
            assert_eq!(found, wanted.map(|(name, work)| ConcurrentIndex { name: name.to_owned(), work }), "{sql}");
        }
    }
}
