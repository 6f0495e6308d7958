//! Runs one text of a migration, statement by statement, as the runner would. Talks to the server.
//!
//! Invariant: every statement goes through [`send`], so that whoever looks on misses none and none goes on for ever.

use std::time::Duration;

use tokio_postgres::{Client, Error};

use super::super::connection::open;
use super::super::derive::{Derived, derive};
use super::super::errors::{line_in, world_error};
use super::super::reuse;
use super::super::settings::Target;
use super::super::transaction::{commit, roll_back};
use super::observer::{Observer, Sent, Watch};
use crate::migration::Migration;
use crate::migration::directives;
use crate::migration::length::shown;
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
    /// It was not done in time, and what became of it is not known.
    Endless {
        /// What took so long, and what to do about it.
        why: String,
    },
    /// It could not be tried.
    World(WorldError),
}

impl Broken {
    /// Whether the database is certainly as it was before.
    pub fn left_nothing(&self) -> bool {
        match self {
            Self::Fails { partly, .. } => !partly,
            Self::Endless { .. } | Self::World(_) => false,
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
    /// How long one statement may take.
    limit: Duration,
    opened: Option<Opened>,
}

/// A session, and who looks at it.
struct Opened {
    client: Client,
    /// What its role and database told it when it was opened.
    settings: String,
    watch: Option<Box<dyn Watch>>,
}

impl Stage {
    /// A session that is opened when it is first needed.
    pub fn at(target: Target, limit: Duration) -> Self {
        Self { target, limit, opened: None }
    }

    /// The same somewhere else.
    pub fn moved(&self, target: Target) -> Self {
        Self::at(target, self.limit)
    }

    /// Ends the session.
    pub fn leave(&mut self) {
        self.opened = None;
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
        let mut opened = self.fresh().await?;
        if let (Some(observer), None) = (observer, &opened.watch) {
            opened.watch = Some(observer.watch(&self.target, &opened.client).await?);
        }
        let Opened { client, watch, .. } = &mut opened;
        let watching = watch.as_deref_mut().filter(|_| observer.is_some());
        let ran = match transaction {
            true => together(client, &script, way, self.limit, watching).await,
            false => outside(client, &script, way, self.limit, watching).await,
        };
        let seen = opened.watch.as_mut().map(|watch| watch.end()).unwrap_or_default();
        self.keep(opened, &ran);
        ran.map(|()| seen)
    }

    /// Whoever is still at work is not asked for anything else.
    fn keep<T>(&mut self, opened: Opened, ran: &Result<T, Broken>) {
        if !matches!(ran, Err(Broken::Endless { .. })) {
            self.opened = Some(opened);
        }
    }

    /// The way back of a migration that would run next, derived from what is there now.
    ///
    /// # Errors
    /// When it cannot be tried.
    pub async fn derive(&mut self, migration: &Migration) -> Result<Derived, WorldError> {
        let opened = self.fresh().await?;
        let found = derive(&opened.client, migration).await;
        self.opened = Some(opened);
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
        let opened = self.fresh().await?;
        let ran = within(self.limit, "the text", opened.client.batch_execute(way.text)).await;
        let ran = ran.and_then(|ran| ran.map_err(|error| failed("", 1, way.text, &error, true)));
        self.keep(opened, &ran);
        ran
    }

    /// A session in which nothing is left of the text before.
    async fn fresh(&mut self) -> Result<Opened, WorldError> {
        if let Some(opened) = self.opened.take().filter(|opened| !opened.client.is_closed()) {
            let (client, role) = (&opened.client, self.target.set_role.as_deref());
            let as_new = async {
                client.batch_execute("rollback").await?;
                reuse::tidy(client).await?;
                reuse::welcome(client, None, role, &opened.settings).await
            };
            if as_new.await.unwrap_or(false) {
                return Ok(opened);
            }
        }
        let client = open(&self.target).await?;
        let settings = reuse::settings(&client).await.map_err(|error| world_error("rehearse", &error))?;
        Ok(Opened { client, settings, watch: None })
    }
}

/// What takes longer than that is not waited for.
async fn within<T>(limit: Duration, what: &str, work: impl Future<Output = T>) -> Result<T, Broken> {
    tokio::time::timeout(limit, work).await.map_err(|_| Broken::Endless {
        why: format!(
            "{what} was not done within {}; a longer `statement_timeout` in the `rehearsal` block lets it go on",
            shown(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX))
        ),
    })
}

fn read(text: &str) -> Result<Script, Broken> {
    Script::parse(text).map_err(|error| fails(format!("not understood as SQL: {error}"), None, false))
}

async fn together(
    client: &Client,
    script: &Script,
    way: Way<'_>,
    limit: Duration,
    mut watch: Option<&mut (dyn Watch + '_)>,
) -> Result<(), Broken> {
    client.batch_execute("begin").await.map_err(|error| world_error("rehearse", &error))?;
    let ran = async {
        assert(client, way, limit, When::Before).await?;
        for (place, statement) in script.statements.iter().enumerate() {
            let sent = Sent { number: place + 1, statement, outside: false };
            send(client, sent, limit, watch.as_deref_mut(), false).await?;
        }
        assert(client, way, limit, When::After).await
    };
    match ran.await {
        Ok(()) => {}
        Err(endless @ Broken::Endless { .. }) => return Err(endless),
        Err(broken) => {
            roll_back(client).await;
            return Err(broken);
        }
    }
    let committed = within(limit, "the commit", commit(client)).await?;
    committed.map_err(|(error, _)| failed("at the commit: ", 1, "", &error, false))
}

async fn outside(
    client: &Client,
    script: &Script,
    way: Way<'_>,
    limit: Duration,
    mut watch: Option<&mut (dyn Watch + '_)>,
) -> Result<(), Broken> {
    assert(client, way, limit, When::Before).await?;
    for (place, statement) in script.statements.iter().enumerate() {
        let sent = Sent { number: place + 1, statement, outside: true };
        send(client, sent, limit, watch.as_deref_mut(), place > 0).await?;
    }
    assert(client, way, limit, When::After).await
}

/// The one place from which the statements of migrations are sent.
async fn send(
    client: &Client,
    sent: Sent<'_>,
    limit: Duration,
    mut watch: Option<&mut (dyn Watch + '_)>,
    partly: bool,
) -> Result<(), Broken> {
    if let Some(watch) = watch.as_deref_mut() {
        watch.before(client, sent).await?;
    }
    let Statement { text, line, .. } = sent.statement;
    // A concurrent build that fails leaves its index behind.
    let partly = partly || sent.outside;
    let ran = within(limit, &format!("line {line}"), client.batch_execute(text)).await?;
    ran.map_err(|error| failed("", *line, text, &error, partly))?;
    match watch {
        Some(watch) => Ok(watch.after(client, sent).await?),
        None => Ok(()),
    }
}

/// What is asserted of the data is asked where there are data.
async fn assert(client: &Client, way: Way<'_>, limit: Duration, when: When) -> Result<(), Broken> {
    for assertion in way.said.assertions.iter().filter(|assertion| assertion.when == when && way.has_rows) {
        let what = format!("line {}: the assertion", assertion.line);
        let rows = within(limit, &what, client.query(&assertion.sql, &[])).await?;
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
