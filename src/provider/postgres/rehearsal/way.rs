//! Runs one text of a migration, statement by statement, as the runner would. Talks to the server.
//!
//! Invariant: every statement goes through [`send`], so that whoever looks on misses none.

use tokio_postgres::{Client, Error};

use super::super::connection::open;
use super::super::derive::{Derived, derive};
use super::super::errors::{line_in, world_error};
use super::super::quoting;
use super::super::settings::Target;
use super::super::transaction::{commit, roll_back};
use super::observer::{Observer, Sent, Watch};
use crate::migration::Migration;
use crate::migration::directives;
use crate::migration::observation::Observation;
use crate::migration::said::{Said, When};
use crate::migration::statements::{Script, Statement};
use crate::world::WorldError;

/// Why a text did not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The text itself is at fault.
    Fails {
        /// The error, with the line.
        error: String,
        /// The server's code, if it was the server.
        code: Option<String>,
        /// Whether statements before it are committed.
        partly: bool,
    },
    /// It could not be tried.
    World(WorldError),
}

impl Broken {
    /// Whether the database is certainly as it was before.
    pub fn left_nothing(&self) -> bool {
        match self {
            Self::Fails { partly, .. } => !partly,
            Self::World(_) => false,
        }
    }
}

impl From<WorldError> for Broken {
    fn from(error: WorldError) -> Self {
        Self::World(error)
    }
}

/// A text to be run.
#[derive(Clone, Copy)]
pub struct Way<'a> {
    /// The text.
    pub text: &'a str,
    /// What is said about the migration.
    pub said: &'a Said,
    /// Whether there are rows, so that assertions about the data can be asked.
    pub has_rows: bool,
}

/// The session that texts run in: one after the other, each as if it were new.
pub struct Stage {
    /// Where, as whom.
    pub target: Target,
    client: Option<Client>,
}

impl Stage {
    /// A session that is opened when it is first needed.
    pub fn at(target: Target) -> Self {
        Self { target, client: None }
    }

    /// Ends the session.
    pub fn leave(&mut self) {
        self.client = None;
    }

    /// Runs a text, and lets an observer look on.
    ///
    /// # Errors
    /// When it fails, or cannot be tried.
    pub async fn run(&mut self, way: Way<'_>, observer: Option<&dyn Observer>) -> Result<Vec<Observation>, Broken> {
        let script = read(way.text)?;
        let transaction = directives::check(&script)
            .map_err(|problems| {
                let texts: Vec<_> = problems.into_iter().map(|problem| problem.text).collect();
                fails(texts.join("; "), None, false)
            })?
            .transaction;
        let (client, mut watch) = match observer {
            Some(observer) => {
                let (client, watch) = observer.watch(&self.target).await?;
                (client, Some(watch))
            }
            None => (self.fresh().await?, None),
        };
        let watching = watch.as_deref_mut();
        let ran = match transaction {
            true => together(&client, &script, way, watching).await,
            false => outside(&client, &script, way, watching).await,
        };
        if watch.is_none() {
            self.client = Some(client);
        }
        ran.map(|()| watch.map(Watch::end).unwrap_or_default())
    }

    /// The way back of a migration that would run next, derived from what is there now.
    ///
    /// # Errors
    /// When it cannot be tried.
    pub async fn derive(&mut self, migration: &Migration) -> Result<Derived, WorldError> {
        let client = self.fresh().await?;
        let found = derive(&client, migration).await;
        self.client = Some(client);
        found.map_err(|error| world_error(format!("derive the way back of {}", migration.label()), &error))
    }

    /// Runs a text that is known to have run: whole, where we do not understand it.
    ///
    /// # Errors
    /// When it fails, or cannot be tried.
    pub async fn replay(&mut self, way: Way<'_>) -> Result<(), Broken> {
        let is_understood = Script::parse(way.text).is_ok_and(|script| directives::check(&script).is_ok());
        if is_understood {
            return self.run(Way { has_rows: false, ..way }, None).await.map(drop);
        }
        let client = self.fresh().await?;
        let ran = client.batch_execute(way.text).await;
        self.client = Some(client);
        ran.map_err(|error| failed("", 1, way.text, &error, true))
    }

    /// A session in which nothing is left of the text before.
    async fn fresh(&mut self) -> Result<Client, WorldError> {
        if let Some(client) = self.client.take().filter(|client| !client.is_closed()) {
            let role = self.target.set_role.as_deref().map(|role| format!("set role {}", quoting::name(role)));
            let reset = async {
                client.batch_execute("rollback").await?;
                client.batch_execute("discard all").await?;
                match &role {
                    Some(role) => client.batch_execute(role).await,
                    None => Ok(()),
                }
            };
            if reset.await.is_ok() {
                return Ok(client);
            }
        }
        open(&self.target).await
    }
}

fn read(text: &str) -> Result<Script, Broken> {
    Script::parse(text).map_err(|error| fails(format!("not understood as SQL: {error}"), None, false))
}

async fn together(
    client: &Client,
    script: &Script,
    way: Way<'_>,
    mut watch: Option<&mut (dyn Watch + '_)>,
) -> Result<(), Broken> {
    client.batch_execute("begin").await.map_err(|error| world_error("rehearse", &error))?;
    let ran = async {
        assert(client, way, When::Before).await?;
        for (place, statement) in script.statements.iter().enumerate() {
            let sent = Sent { number: place + 1, statement, outside: false };
            send(client, sent, watch.as_deref_mut(), false).await?;
        }
        assert(client, way, When::After).await
    };
    if let Err(broken) = ran.await {
        roll_back(client).await;
        return Err(broken);
    }
    commit(client).await.map_err(|(error, _)| failed("at the commit: ", 1, "", &error, false))
}

async fn outside(
    client: &Client,
    script: &Script,
    way: Way<'_>,
    mut watch: Option<&mut (dyn Watch + '_)>,
) -> Result<(), Broken> {
    assert(client, way, When::Before).await?;
    for (place, statement) in script.statements.iter().enumerate() {
        let sent = Sent { number: place + 1, statement, outside: true };
        send(client, sent, watch.as_deref_mut(), place > 0).await?;
    }
    assert(client, way, When::After).await
}

/// The one place from which the statements of migrations are sent.
async fn send(
    client: &Client,
    sent: Sent<'_>,
    mut watch: Option<&mut (dyn Watch + '_)>,
    partly: bool,
) -> Result<(), Broken> {
    if let Some(watch) = watch.as_deref_mut() {
        watch.before(client, sent).await?;
    }
    let Statement { text, line, .. } = sent.statement;
    // A concurrent build that fails leaves its index behind.
    let partly = partly || sent.outside;
    client.batch_execute(text).await.map_err(|error| failed("", *line, text, &error, partly))?;
    match watch {
        Some(watch) => Ok(watch.after(client, sent).await?),
        None => Ok(()),
    }
}

/// What is asserted of the data is asked where there are data.
async fn assert(client: &Client, way: Way<'_>, when: When) -> Result<(), Broken> {
    for assertion in way.said.assertions.iter().filter(|assertion| assertion.when == when && way.has_rows) {
        let rows = client.query(&assertion.sql, &[]).await;
        let rows = rows.map_err(|error| failed("the assertion: ", assertion.line, &assertion.sql, &error, false))?;
        let holds = rows.first().is_some_and(|row| row.try_get::<_, bool>(0).unwrap_or(false));
        if !holds {
            return Err(fails(format!("line {}: the assertion does not hold", assertion.line), None, false));
        }
    }
    Ok(())
}

fn fails(error: String, code: Option<String>, partly: bool) -> Broken {
    Broken::Fails { error, code, partly }
}

fn failed(place: &str, line: usize, text: &str, error: &Error, partly: bool) -> Broken {
    let line = line + line_in(text, error).map_or(0, |within| within - 1);
    let cause = world_error("rehearse", error).cause;
    let code = error.code().map(|code| code.code().to_owned());
    fails(
        if text.is_empty() { format!("{place}{cause}") } else { format!("{place}line {line}: {cause}") },
        code,
        partly,
    )
}
