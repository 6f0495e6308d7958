//! One statement over many rows, cut into batches by the order of a key. Pure.
//!
//! Invariant: the batches together write what the whole statement writes to the rows that were there: each says the
//! statement's own condition, and a range of keys that no other batch has.

use squawk_syntax::ast::{AstNode, Stmt, WhereClauseOrCurrentOf};
use squawk_syntax::{SourceFile, SyntaxNode};

use super::said::Backfill;

/// A statement that is ready to be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batches {
    /// Up to its condition.
    head: String,
    /// Its own condition.
    condition: Option<String>,
    /// The table, as written.
    table: String,
    /// By which the statement calls the table.
    alias: String,
    /// The key.
    key: String,
}

/// Keys behind the first one (if any), up to the second one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range<'a> {
    /// What is done already, as PostgreSQL writes it.
    pub after: Option<&'a str>,
    /// The last key of the batch.
    pub to: &'a str,
    /// The type of the key, as `format_type` gives it.
    pub of_type: &'a str,
}

impl Batches {
    /// Reads a statement.
    ///
    /// # Errors
    /// Why it cannot be cut.
    pub fn of(statement: &str, said: &Backfill) -> Result<Self, String> {
        let parsed = SourceFile::parse(statement);
        let mut statements = parsed.tree().stmts().filter(|one| !matches!(one, Stmt::EmptyStmt(_)));
        let (Some(first), None) = (statements.next(), statements.next()) else {
            return Err("a backfill is a file of one statement".to_owned());
        };
        let parts = match &first {
            Stmt::Update(update) => Parts {
                table: update.relation_name().map(|name| name.syntax().clone()),
                alias: update.alias().map(|alias| alias.syntax().clone()),
                condition: update.where_clause_or_current_of(),
                returning: update.returning_clause().map(|clause| clause.syntax().clone()),
                with: update.with_clause().map(|clause| clause.syntax().clone()),
            },
            Stmt::Delete(delete) => Parts {
                table: delete.relation_name().map(|name| name.syntax().clone()),
                alias: delete.alias().map(|alias| alias.syntax().clone()),
                condition: delete.where_clause_or_current_of(),
                returning: delete.returning_clause().map(|clause| clause.syntax().clone()),
                with: delete.with_clause().map(|clause| clause.syntax().clone()),
            },
            _ => return Err("only UPDATE and DELETE can be cut into batches".to_owned()),
        };
        parts.read(statement, first.syntax(), said)
    }

    /// The last key of the next batch of so many rows, as text, and how many rows there are up to it.
    pub fn bound(&self, after: Option<&str>, of_type: &str, rows: u64) -> String {
        let Self { table, key, .. } = self;
        let behind = match after {
            Some(after) => format!(" where {key} > {}", typed(after, of_type)),
            None => String::new(),
        };
        format!(
            "with part as (select {key} as k from {table}{behind} order by {key} limit {rows}) \
             select (select k::text from part order by k desc limit 1), (select count(*) from part)"
        )
    }

    /// The statement for the rows of one range.
    pub fn batch(&self, range: &Range<'_>) -> String {
        let Self { head, condition, alias, key, .. } = self;
        let own = condition.as_ref().map(|condition| format!("({condition}\n) and ")).unwrap_or_default();
        let behind = match range.after {
            Some(after) => format!("{alias}.{key} > {} and ", typed(after, range.of_type)),
            None => String::new(),
        };
        format!("{head}\nwhere {own}{behind}{alias}.{key} <= {}", typed(range.to, range.of_type))
    }

    /// The table, as written.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }
}

struct Parts {
    table: Option<SyntaxNode>,
    alias: Option<SyntaxNode>,
    condition: Option<WhereClauseOrCurrentOf>,
    returning: Option<SyntaxNode>,
    with: Option<SyntaxNode>,
}

impl Parts {
    fn read(self, statement: &str, whole: &SyntaxNode, said: &Backfill) -> Result<Batches, String> {
        let Some(table) = self.table else {
            return Err("the statement names no table".to_owned());
        };
        let table = table.text().to_string().trim().to_owned();
        if self.returning.is_some() {
            return Err("a statement with RETURNING cannot be cut into batches".to_owned());
        }
        if self.with.is_some() {
            return Err("a statement that begins with WITH would do that part once for each batch".to_owned());
        }
        let plain = table.trim_end_matches('*').trim();
        let only = plain.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("only")) && plain[4..].starts_with(' ');
        let name = if only { plain[4..].trim() } else { plain };
        if !same_name(name, &said.table) {
            return Err(format!("the backfill is of `{}`, and the statement writes to `{name}`", said.table));
        }
        let alias = match &self.alias {
            Some(alias) => alias.last_token().map(|token| token.text().to_owned()).unwrap_or_default(),
            None => last_part(name).to_owned(),
        };
        let end = usize::from(whole.text_range().end());
        let (head_end, condition) = match &self.condition {
            None => (end, None),
            Some(WhereClauseOrCurrentOf::WhereClause(clause)) => {
                let range = clause.syntax().text_range();
                let Some(expression) = clause.expr() else { return Err("its condition is empty".to_owned()) };
                (usize::from(range.start()), Some(expression.syntax().text().to_string()))
            }
            Some(_) => return Err("a statement with WHERE CURRENT OF cannot be cut into batches".to_owned()),
        };
        let start = usize::from(whole.text_range().start());
        let head = statement[start..head_end].trim().trim_end_matches(';').trim_end().to_owned();
        Ok(Batches { head, condition, table: plain.to_owned(), alias, key: said.key.clone() })
    }
}

/// The last part of a name that may have a schema before it.
fn last_part(name: &str) -> &str {
    let mut quoted = false;
    let mut start = 0;
    for (at, letter) in name.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '.' if !quoted => start = at + 1,
            _ => {}
        }
    }
    name[start..].trim()
}

/// PostgreSQL folds what is not quoted.
fn same_name(one: &str, other: &str) -> bool {
    let folded = |name: &str| match name.contains('"') {
        true => name.to_owned(),
        false => name.split_whitespace().collect::<String>().to_lowercase(),
    };
    folded(one) == folded(other)
}

fn typed(key: &str, of_type: &str) -> String {
    format!("'{}'::{of_type}", key.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(table: &str, key: &str) -> Backfill {
        Backfill { table: table.to_owned(), key: key.to_owned(), batch: 10, pause_milliseconds: 0 }
    }

    #[test]
    fn each_batch_says_the_condition_and_its_range() {
        let text = "-- old rows\nUPDATE app.customers AS c SET name = full -- both\n FROM x WHERE c.name IS NULL OR x.id = 1 -- why\n;";
        let batches = Batches::of(text, &said("app.Customers", "id")).unwrap();
        let range = Range { after: Some("7"), to: "1'7", of_type: "text" };
        assert_eq!(
            batches.batch(&range),
            "UPDATE app.customers AS c SET name = full -- both\n FROM x\nwhere (c.name IS NULL OR x.id = 1\n) and \
             c.id > '7'::text and c.id <= '1''7'::text"
        );
        assert_eq!(
            batches.bound(Some("7"), "bigint", 5),
            "with part as (select id as k from app.customers where id > '7'::bigint order by id limit 5) \
             select (select k::text from part order by k desc limit 1), (select count(*) from part)"
        );
        let first = Range { after: None, to: "3", of_type: "bigint" };
        let delete = Batches::of("delete from \"Old.Rows\"", &said("\"Old.Rows\"", "id")).unwrap();
        assert_eq!(delete.batch(&first), "delete from \"Old.Rows\"\nwhere \"Old.Rows\".id <= '3'::bigint");
    }

    #[test]
    fn what_cannot_be_cut_says_why() {
        for (text, part) in [
            ("update t set a = 1; update t set a = 2", "one statement"),
            ("", "one statement"),
            ("insert into t select 1", "only UPDATE and DELETE"),
            ("update other set a = 1", "writes to `other`"),
            ("update t set a = 1 returning a", "RETURNING"),
            ("with x as (select 1) update t set a = 1", "WITH"),
            ("update t set a = 1 where current of c", "CURRENT OF"),
        ] {
            let error = Batches::of(text, &said("t", "id")).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
