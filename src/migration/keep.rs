//! Keeping what a migration takes away: texts that set aside instead of dropping, give back, and drop at last. Pure.
//!
//! Invariant: what is set aside keeps its values and its place among the columns, and binds nobody who writes from then
//! on: what would bind them is noted in the database itself at that moment, and comes back with it.

mod taking;
mod names;
mod column;
mod table;

use std::collections::BTreeSet;

use super::derive::{self, Answers, Derivation, question};
use super::statements::{Script, Statement};
use super::{Kept, Migration};

pub use taking::Taking;

/// Why what a migration takes away cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// The text is not understood.
    #[error("the text is not understood as SQL: {0}")]
    NotSql(String),
    /// A statement drops a column beside something else.
    #[error("line {line}: `{statement}` drops a column beside something else")]
    Mixed {
        /// The line of the statement.
        line: usize,
        /// The statement.
        statement: String,
    },
    /// A statement beside what is taken away has no way back that could be derived.
    #[error("line {line}: {why}")]
    NoWayBack {
        /// The line of the statement.
        line: usize,
        /// Why.
        why: String,
    },
    /// It runs outside of a transaction.
    #[error("it runs outside of a transaction, and setting aside must happen as a whole or not at all")]
    Outside,
}

impl NotKept {
    /// How to mend it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NotSql(_) => "correct the file",
            Self::Mixed { .. } => "drop the column by a statement of its own",
            Self::NoWayBack { .. } | Self::Outside => {
                "put what is dropped into a migration of its own, or let it go with `-- switchback: keep 0s`"
            }
        }
    }
}

/// What a text takes away that can be kept, in the order of its statements. Of a text that is not understood nothing is
/// known.
pub fn takings(sql: &str) -> Vec<Taking> {
    let script = Script::parse(sql).unwrap_or_default();
    script.statements.iter().flat_map(|statement| taking::of(statement).unwrap_or_default()).collect()
}

/// Whether a text takes away anything that can, or should, be kept.
pub fn concerns(sql: &str) -> bool {
    let script = Script::parse(sql).unwrap_or_default();
    is_mixed(&script)
        || script.statements.iter().any(|statement| taking::of(statement).is_ok_and(|found| !found.is_empty()))
}

/// What runs in the place of a migration so that what it takes away is kept; nothing, when it takes nothing away, or
/// only what is new: of these tables, which are made shortly before.
///
/// # Errors
/// Why it cannot be kept.
pub fn kept(migration: &Migration, new: &BTreeSet<String>) -> Result<Option<Kept>, NotKept> {
    let script = Script::parse(&migration.up).map_err(|error| NotKept::NotSql(error.to_string()))?;
    if takings(&migration.up).iter().all(|taking| new.contains(taking.table())) && !is_mixed(&script) {
        return Ok(None);
    }
    if !migration.transaction {
        return Err(NotKept::Outside);
    }
    let mut texts = Texts::default();
    for statement in &script.statements {
        texts.add(migration.version, statement)?;
    }
    Ok(Some(texts.finish(&script)))
}

fn is_mixed(script: &Script) -> bool {
    script.statements.iter().any(|statement| taking::of(statement).is_err())
}

/// The tables that a text makes.
pub fn made(sql: &str) -> BTreeSet<String> {
    let script = Script::parse(sql).unwrap_or_default();
    script.statements.iter().filter_map(taking::made).collect()
}

#[derive(Default)]
struct Texts {
    up: Vec<String>,
    down: Vec<String>,
    purge: Vec<String>,
    what: Vec<String>,
}

impl Texts {
    fn add(&mut self, version: i64, statement: &Statement) -> Result<(), NotKept> {
        let mixed = || NotKept::Mixed { line: statement.line, statement: statement.excerpt() };
        let takings = taking::of(statement).map_err(|taking::Mixed| mixed())?;
        if takings.is_empty() {
            self.up.push(statement.text.clone());
            return self.take_back(statement);
        }
        let together: Vec<String> = takings.iter().map(|taking| taking.table().to_owned()).collect();
        for taking in &takings {
            let place = names::Place { version, number: self.what.len() + 1 };
            let parts = match taking {
                Taking::Column(taken) => column::parts(taken, place),
                Taking::Table(taken) => table::parts(taken, place, &together),
            };
            self.up.push(parts.up);
            self.down.push(parts.down);
            self.purge.push(parts.purge);
            self.what.push(taking.to_string());
        }
        Ok(())
    }

    /// A statement that takes nothing away is taken back as its kind allows.
    fn take_back(&mut self, statement: &Statement) -> Result<(), NotKept> {
        let line = statement.line;
        match derive::inverse_of(statement, &Answers::default()) {
            Derivation::Whole(sql) if sql.is_empty() => Ok(()),
            Derivation::Whole(sql) => {
                self.down.push(sql);
                Ok(())
            }
            Derivation::Asks(questions) => {
                let asked: Vec<String> = questions.iter().map(question::Question::to_string).collect();
                let why = format!("`{}` is beside it, and needs {}", statement.excerpt(), asked.join(", "));
                Err(NotKept::NoWayBack { line, why })
            }
            Derivation::None(why) => Err(NotKept::NoWayBack { line, why }),
        }
    }

    fn finish(mut self, script: &Script) -> Kept {
        self.down.reverse();
        let headers = script.comments.iter().filter(|comment| comment.header);
        let header: String = headers.map(|comment| format!("{}\n", comment.text)).collect();
        let text = |statements: Vec<String>| statements.iter().map(|text| format!("{text};\n")).collect::<String>();
        Kept { up: header + &text(self.up), down: text(self.down), purge: text(self.purge), what: self.what }
    }
}

#[cfg(test)]
mod tests;
