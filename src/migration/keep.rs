//! Keeping what a migration takes away: texts that set aside instead of dropping, copy what is written over, give back,
//! and drop at last. Pure.
//!
//! Invariant: what is set aside keeps its values and its place among the columns, and binds nobody who writes from then
//! on: what would bind them is noted in the database itself at that moment, and comes back with it. What is copied is
//! copied in the transaction that writes over it, and never comes back over what others wrote since.

mod taking;
mod copying;
mod names;
mod column;
mod table;
mod rows;
mod retyped;

use std::collections::BTreeSet;

use super::derive::{self, Answers, Derivation, question};
use super::statements::{Script, Statement};
use super::{Direction, Kept, KeptWhen, Migration, directives};

use copying::Copying;
use taking::Taking;

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
                "put what is dropped or written over into a migration of its own, or let it go with `-- switchback: keep 0s`"
            }
        }
    }
}

/// Whether a text takes away anything that can, or should, be kept.
pub fn concerns(sql: &str) -> bool {
    let script = Script::parse(sql).unwrap_or_default();
    match works(&script, &BTreeSet::new(), Copies::Made) {
        Ok(works) => works.iter().any(|work| !matches!(work, Work::Plain)),
        Err(_) => true,
    }
}

/// What runs in the place of a migration so that what it takes away is kept; nothing, when it takes nothing away, or
/// only what is new: of these tables and columns, which are made shortly before.
///
/// # Errors
/// Why it cannot be kept.
pub fn kept(migration: &Migration, new: &BTreeSet<String>) -> Result<Option<Kept>, NotKept> {
    let script = Script::parse(&migration.up).map_err(|error| NotKept::NotSql(error.to_string()))?;
    // What is done in batches is committed in batches; no copy of it would be of one moment.
    let copies = if migration.said.backfill.is_some() { Copies::Never } else { Copies::Made };
    let works = works(&script, new, copies)?;
    let is_kept = |work: &Work| match work {
        Work::Aside(takings) => takings.iter().any(|taking| !new.contains(taking.table())),
        Work::Copied(_) => true,
        Work::Plain => false,
    };
    if !works.iter().any(is_kept) {
        return Ok(None);
    }
    // It is taken back by itself, whatever else the plan makes.
    let works = self::works(&script, &BTreeSet::new(), copies)?;
    if !migration.transaction {
        return Err(NotKept::Outside);
    }
    let sets_aside = works.iter().any(|work| matches!(work, Work::Aside(_)));
    match &migration.down {
        Some(down) if !sets_aside && !migration.derived && !writes_twice(&works) => {
            Texts::by_file(migration.version, &script, &works, down).map(Some)
        }
        Some(_) | None => Texts::by_statement(migration.version, &script, &works, &[]).map(Some),
    }
}

/// What sets aside what the way back of a migration would drop, for when it is run again; nothing, where it drops
/// nothing, or where not all of that can be kept.
pub fn kept_on_the_way_back(migration: &Migration) -> Option<Kept> {
    let down = migration.text(Direction::Down).filter(|_| migration.kept.is_none())?;
    let there = Migration { up: down.to_owned(), down: None, ..migration.clone() };
    let script = Script::parse(down).ok()?;
    let is_aside = |work: &Work| matches!(work, Work::Aside(_));
    let works = works(&script, &BTreeSet::new(), Copies::Never).ok().filter(|works| works.iter().any(is_aside))?;
    if !there.transaction || script.statements.iter().any(|statement| statement.refuses_transaction().is_some()) {
        return None;
    }
    let forth = Script::parse(&migration.up).ok()?;
    let kept = Texts::by_statement(there.version, &script, &works, &forth.statements).ok()?;
    Some(Kept { up: kept.down, down: kept.up, when: KeptWhen::Back, ..kept })
}

/// What one statement does that concerns keeping.
enum Work {
    /// Drops what can be set aside.
    Aside(Vec<Taking>),
    /// Writes over what can be copied first.
    Copied(Vec<Copying>),
    /// Nothing.
    Plain,
}

/// Whether anything is copied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copies {
    Made,
    Never,
}

fn works(script: &Script, new: &BTreeSet<String>, copies: Copies) -> Result<Vec<Work>, NotKept> {
    let mut new = new.clone();
    let mut works = Vec::with_capacity(script.statements.len());
    for statement in &script.statements {
        works.push(work(statement, &new, copies)?);
        new.extend(taking::made(statement));
    }
    Ok(works)
}

fn work(statement: &Statement, new: &BTreeSet<String>, copies: Copies) -> Result<Work, NotKept> {
    let line = statement.line;
    let takings =
        taking::of(statement).map_err(|taking::Mixed| NotKept::Mixed { line, statement: statement.excerpt() })?;
    if !takings.is_empty() {
        return Ok(Work::Aside(takings));
    }
    if copies == Copies::Never {
        return Ok(Work::Plain);
    }
    let copied = copying::of(statement, new)
        .map_err(|why| NotKept::NoWayBack { line, why: format!("`{}`: {why}", statement.excerpt()) })?;
    Ok(if copied.is_empty() { Work::Plain } else { Work::Copied(copied) })
}

/// Whether what was copied of a table may not be the last that is written of it.
fn writes_twice(works: &[Work]) -> bool {
    let mut seen = BTreeSet::new();
    works.iter().any(|work| match work {
        Work::Copied(copied) => {
            let tables: BTreeSet<&str> = copied.iter().flat_map(Copying::tables).collect();
            tables.into_iter().any(|table| !seen.insert(table))
        }
        Work::Aside(_) | Work::Plain => false,
    })
}

/// What a text makes: tables, and columns, as [`kept`] takes them for new.
pub fn made(sql: &str) -> BTreeSet<String> {
    let script = Script::parse(sql).unwrap_or_default();
    script.statements.iter().flat_map(taking::made).collect()
}

#[derive(Default)]
struct Texts {
    up: Vec<String>,
    /// What takes back each statement, the last one first in the end.
    down: Vec<String>,
    purge: Vec<String>,
    what: Vec<String>,
    copied: BTreeSet<String>,
}

impl Texts {
    /// The way back takes back each statement by itself; `forth` are those that these statements take back, if they do.
    fn by_statement(version: i64, script: &Script, works: &[Work], forth: &[Statement]) -> Result<Kept, NotKept> {
        let mut texts = Self::default();
        let mut new = BTreeSet::new();
        for (statement, work) in script.statements.iter().zip(works) {
            match work {
                Work::Aside(takings) => texts.set_aside(version, takings),
                Work::Copied(copied) => {
                    if copied.iter().any(|one| matches!(one, Copying::Type(retyped) if !retyped.alone)) {
                        let why = format!(
                            "`{}` gives a column another type beside something else, and there is no file that takes it back",
                            statement.excerpt()
                        );
                        return Err(NotKept::NoWayBack { line: statement.line, why });
                    }
                    for parts in texts.copy(version, statement, copied) {
                        texts.down.push(together([parts.prune, parts.undo, parts.restore]));
                    }
                }
                Work::Plain => {
                    texts.up.push(statement.text.clone());
                    if !writes_only_new(statement, &new) {
                        texts.take_back(statement, forth)?;
                    }
                }
            }
            new.extend(taking::made(statement));
        }
        texts.down.reverse();
        Ok(texts.finish(script, KeptWhen::There))
    }

    /// The way back runs its file between forgetting what must not come back and putting back what was copied.
    fn by_file(version: i64, script: &Script, works: &[Work], down: &str) -> Result<Kept, NotKept> {
        let back = Script::parse(down).map_err(|error| NotKept::NotSql(error.to_string()))?;
        let is_off = directives::check(&back).is_ok_and(|directives| !directives.transaction);
        if is_off || back.statements.iter().any(|statement| statement.refuses_transaction().is_some()) {
            return Err(NotKept::Outside);
        }
        let mut texts = Self::default();
        let (mut prune, mut restore) = (Vec::new(), Vec::new());
        for (statement, work) in script.statements.iter().zip(works) {
            match work {
                Work::Copied(copied) => {
                    for parts in texts.copy(version, statement, copied) {
                        prune.push(parts.prune);
                        restore.push(parts.restore);
                    }
                }
                Work::Aside(_) | Work::Plain => texts.up.push(statement.text.clone()),
            }
        }
        let statements = back.statements.iter().map(|statement| statement.text.clone());
        texts.down = prune.into_iter().rev().chain(statements).chain(restore.into_iter().rev()).collect();
        let kept = texts.finish(script, KeptWhen::ThereByFile);
        Ok(Kept { down: header(&back) + &kept.down, ..kept })
    }

    fn set_aside(&mut self, version: i64, takings: &[Taking]) {
        let together: Vec<String> = takings.iter().map(|taking| taking.table().to_owned()).collect();
        for taking in takings {
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
    }

    /// Runs a statement between the texts that copy what it writes over.
    fn copy(&mut self, version: i64, statement: &Statement, copied: &[Copying]) -> Vec<rows::Copied> {
        let mut all = Vec::with_capacity(copied.len());
        for copying in copied {
            let place = names::Place { version, number: self.what.len() + 1 };
            let parts = match copying {
                Copying::Rows(found) => rows::texts(found, place),
                Copying::Type(found) => retyped::texts(found, place),
            };
            self.up.push(parts.before.clone());
            self.purge.push(parts.purge.clone());
            self.what.push(copying.to_string());
            self.copied.extend(copying.tables().into_iter().map(str::to_owned));
            all.push(parts);
        }
        self.up.push(statement.text.clone());
        self.up.extend(all.iter().map(|parts| parts.after.clone()));
        all
    }

    /// A statement that takes nothing away is taken back as its kind allows.
    fn take_back(&mut self, statement: &Statement, forth: &[Statement]) -> Result<(), NotKept> {
        let line = statement.line;
        if let Some(made) = forth.iter().find(|made| is_inverse_of(statement, made)) {
            self.down.push(made.text.clone());
            return Ok(());
        }
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

    fn finish(self, script: &Script, when: KeptWhen) -> Kept {
        let text = |statements: Vec<String>| statements.iter().map(|text| format!("{text};\n")).collect::<String>();
        Kept {
            up: header(script) + &text(self.up),
            down: text(self.down),
            purge: text(self.purge),
            what: self.what,
            copied: self.copied.into_iter().collect(),
            when,
        }
    }
}

fn header(script: &Script) -> String {
    let headers = script.comments.iter().filter(|comment| comment.header);
    headers.map(|comment| format!("{}\n", comment.text)).collect()
}

/// Whether a statement is what would be derived to take another one back.
fn is_inverse_of(statement: &Statement, made: &Statement) -> bool {
    let Derivation::Whole(derived) = derive::inverse_of(made, &Answers::default()) else { return false };
    let words = |statement: &Statement| -> Vec<String> {
        let told =
            statement.tokens.iter().filter(|token| !["if", "exists", "restrict"].iter().any(|word| token.is(word)));
        told.map(|token| token.text.clone()).collect()
    };
    let derived = Script::parse(&derived).unwrap_or_default().statements;
    derived.len() == 1 && words(&derived[0]) == words(statement)
}

fn together(parts: [String; 3]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(";\n")
}

/// Whether all that a statement writes goes with what the same text made.
fn writes_only_new(statement: &Statement, new: &BTreeSet<String>) -> bool {
    let writes = ["update", "delete", "truncate"].iter().any(|word| statement.starts_with(&[word]));
    writes && copying::of(statement, new).is_ok_and(|copied| copied.is_empty())
}

#[cfg(test)]
mod tests;
