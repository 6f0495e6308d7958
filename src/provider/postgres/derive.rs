//! Ways back that no file has: what their derivation needs to know of a catalog. Talks to the server.
//!
//! Invariant: whoever derives leaves nothing behind: it happens in a transaction that is rolled back.

mod place;
mod column;
mod relation;
mod grants;
mod definition;

use std::sync::LazyLock;

use regex::Regex;
use tokio_postgres::{Client, Error};

use super::transaction::roll_back;
use crate::migration::Migration;
use crate::migration::derive::{self, Answer, Answers, Back, Derivation, Question};
use crate::migration::statements::{Script, Statement};

/// The way back of a migration, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Derived {
    /// Its text.
    Whole(String),
    /// Why there is none.
    None(String),
}

/// Derives the way back of a migration in a session on a throw-away server, where everything before it is applied. No
/// transaction is open before it, and none after it.
///
/// # Errors
/// As the server says about the questions. That the migration itself fails is no error, but a reason.
pub async fn derive(client: &Client, migration: &Migration) -> Result<Derived, Error> {
    let script = match Script::parse(&migration.up) {
        Ok(script) => script,
        Err(error) => return Ok(Derived::None(derive::not_understood(error))),
    };
    client.batch_execute("begin").await?;
    let found = backs(client, &script.statements).await;
    roll_back(client).await;
    let found = match found {
        Err(error) if error.as_db_error().is_some() => {
            let cause = error.as_db_error().map(|error| error.message().to_owned()).unwrap_or_default();
            return Ok(Derived::None(format!("the catalog could not be asked: {cause}")));
        }
        found => found?,
    };
    Ok(match found {
        Ok(backs) => Derived::Whole(derive::text(&backs, migration.transaction && !refuses_transaction(&backs))),
        Err(why) => Derived::None(why),
    })
}

fn refuses_transaction(backs: &[Back]) -> bool {
    backs.iter().any(|back| {
        let script = Script::parse(&back.sql).unwrap_or_default();
        script.statements.iter().any(|statement| statement.refuses_transaction().is_some())
    })
}

async fn backs(client: &Client, statements: &[Statement]) -> Result<Result<Vec<Back>, String>, Error> {
    let mut backs = Vec::with_capacity(statements.len());
    for (number, statement) in (1..).zip(statements) {
        let mut answers = Answers::new();
        let sql = loop {
            match derive::inverse_of(statement, &answers) {
                Derivation::Whole(sql) => break sql,
                Derivation::Asks(questions) => answers.extend(answer(client, &questions).await?),
                Derivation::None(why) => return Ok(Err(format!("line {}: {why}", statement.line))),
            }
        };
        backs.push(Back { statement: number, line: statement.line, sql });
        if let Some(text) = in_transaction(statement)
            && let Err(error) = client.batch_execute(&text).await
        {
            let cause = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
            return Ok(Err(format!("line {}: it fails: {cause}", statement.line)));
        }
    }
    Ok(Ok(backs))
}

/// A statement as it does the same in a transaction; nothing, when it changes nothing that a later one rests on.
fn in_transaction(statement: &Statement) -> Option<String> {
    static CONCURRENTLY: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i)\bconcurrently\b").expect("the expression is a constant"));
    match statement.refuses_transaction() {
        None => Some(statement.text.clone()),
        Some(_) if statement.tokens.iter().any(|token| token.is("concurrently")) => {
            Some(CONCURRENTLY.replace(&statement.text, "").into_owned())
        }
        Some(_) => None,
    }
}

/// Answers questions about the catalog as the session sees it.
///
/// # Errors
/// As the server says.
pub async fn answer(client: &Client, questions: &[Question]) -> Result<Answers, Error> {
    let mut answers = Answers::new();
    for question in questions {
        answers.insert(question.clone(), of(client, question).await?);
    }
    Ok(answers)
}

async fn of(client: &Client, question: &Question) -> Result<Answer, Error> {
    match question {
        Question::Presence(object) => Ok(match place::find(client, object).await? {
            Some(_) => Answer::Text(String::new()),
            None => Answer::Absent,
        }),
        Question::Definition(object) => definition::of(client, object).await,
        Question::Comment(object) => place::comment(client, object).await,
        Question::Owner(object) => place::owner(client, object).await,
        Question::Schema(object) => place::home(client, object).await,
        Question::Grants { on, roles } => grants::of(client, on, roles).await,
        Question::Column { table, column, aspect } => column::of(client, table, column, *aspect).await,
        Question::Relation { name, aspect } => relation::of(client, name, *aspect).await,
    }
}
