//! The session that one migration after the other runs in, and what is remembered of its database meanwhile. Talks to the
//! server.
//!
//! Invariant: nothing that a migration told its session is left for the next one; what is remembered is used only while
//! its marks are still as they were.

use futures_util::FutureExt as _;
use tokio_postgres::{Client, SimpleQueryRow};

use super::super::connection::{application_of, open_for};
use super::super::errors::world_error;
use super::super::history::{self, Extent, Table};
use super::super::reuse::{self, first_row};
use super::super::settings::Target;
use super::super::{pooler, quoting};
use super::locks;
use super::progress::Book;
use crate::migration::layout::Layout;
use crate::world::WorldError;

/// A session, and what is remembered.
pub struct Opened {
    /// The session.
    pub client: Client,
    /// What is remembered.
    pub memory: Memory,
}

/// What is remembered of a session and its database.
pub struct Memory {
    /// The server's process behind the session.
    pub process: i32,
    target: Target,
    /// The settings that the session was opened with.
    settings: String,
    /// Whether a migration ran in it before.
    is_used: bool,
    /// The history table without its rows, and its mark.
    known: Option<(Mark, Table)>,
    /// What was seen to hold when the session was taken up again.
    seen: Seen,
}

/// The two tables as they are found by name, by their numbers; none where there is none.
type Mark = [Option<String>; 2];

/// What a session knows already that was taken up again.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// It has the turn of its database.
    has_turn: bool,
    /// The history table is the one that is known, and ends below this version.
    ends_below: Option<i64>,
}

impl Opened {
    /// Opens a session for the effect with this token.
    ///
    /// # Errors
    /// As the server says, or when a proxy stands between.
    pub async fn anew(target: &Target, token: &str, tried: &str) -> Result<Self, WorldError> {
        let client = open_for(target, token).await?;
        pooler::refuse(&client, target).await?;
        let failed = |error| world_error(tried, &error);
        let settings = reuse::settings(&client).await.map_err(failed)?;
        let row = client.query_one("select pg_catalog.pg_backend_pid()", &[]).await.map_err(failed)?;
        let memory = Memory {
            process: row.get(0),
            target: target.clone(),
            settings,
            is_used: false,
            known: None,
            seen: Seen::default(),
        };
        Ok(Self { client, memory })
    }

    /// The same session for the next effect, if it is as good as a new one: nothing is left in it. All that is asked is
    /// sent at once and answered in that order, so that what is said of the history counts if the turn was had.
    pub async fn again(mut self, target: &Target, token: &str, layout: Layout, version: i64) -> Option<Self> {
        if self.memory.target != *target || self.client.is_closed() {
            return None;
        }
        let (name, role) = (application_of(token), target.set_role.as_deref());
        let (client, memory) = (&self.client, &self.memory);
        let (tidied, is_as_new, has_turn, ends_below) = tokio::join!(
            reuse::tidy(client),
            reuse::welcome(client, Some(&name), role, &memory.settings),
            locks::try_turn(client),
            memory.ends_below(client, layout, version),
        );
        tidied.ok()?;
        let (is_as_new, has_turn) = (is_as_new.ok()?, has_turn.ok()?);
        self.memory.is_used = true;
        self.memory.seen = Seen { has_turn, ends_below: (has_turn && ends_below).then_some(version) };
        is_as_new.then_some(self)
    }

    /// Takes away what the migration left in its session, and with it the turn, and waits for no answer:
    /// [`Opened::again`] does it once more, and hears whether it went well.
    pub fn left(self) -> Self {
        // The question is on its way once it was begun; its answer finds nobody.
        let _answer = reuse::tidy(&self.client).now_or_never();
        self
    }

    /// Whether the session has the turn already.
    pub fn has_turn(&self) -> bool {
        self.memory.seen.has_turn
    }

    /// The history: what there is of this version and of later ones. Only who has the turn asks.
    ///
    /// # Errors
    /// As the server says, or when the table is not that tool's.
    pub async fn history(&mut self, layout: Layout, version: i64) -> Result<Table, WorldError> {
        if let Some((_, table)) = &self.memory.known
            && self.memory.seen.ends_below == Some(version)
            && table.layout == layout
        {
            return Ok(table.clone());
        }
        self.memory.known = None;
        let table = history::find_from(&self.client, layout, Extent::From(version)).await?;
        if self.memory.is_used && layout == Layout::Refinery && table.exists {
            let mark = first_row(&self.client, &format!("select {}", mark_of(&table))).await;
            let mark = mark.map_err(|error| world_error("look at the history table", &error))?;
            let mark = mark.as_ref().map(read_mark);
            let mut known = table.clone();
            known.rows.clear();
            self.memory.known = mark.map(|mark| (mark, known));
        }
        Ok(table)
    }
}

impl Memory {
    /// Whether the history table is the one that is known, with no row of this version or a later one.
    async fn ends_below(&self, client: &Client, layout: Layout, version: i64) -> bool {
        let Some((mark, table)) = self.known.as_ref().filter(|(_, table)| table.layout == layout) else {
            return false;
        };
        let question = format!("select {}, max(version) from {}", mark_of(table), table.name());
        // Whatever goes wrong here is told by whoever looks closely.
        let answer = first_row(client, &question).await.ok().flatten();
        answer.is_some_and(|row| {
            let newest = row.get(2).map_or(Ok(i64::MIN), str::parse);
            read_mark(&row) == *mark && newest.is_ok_and(|newest: i64| newest < version)
        })
    }
}

/// Two columns that say which table is found as the history, and which for migrations left in the middle beside it.
fn mark_of(table: &Table) -> String {
    let beside = Book::of(&table.schema, table.has_progress).name;
    let regclass = |name: &str| format!("pg_catalog.to_regclass({})::pg_catalog.oid", quoting::literal(name));
    format!("{}, {}", regclass(table.layout.table()), regclass(&beside))
}

fn read_mark(row: &SimpleQueryRow) -> Mark {
    [0, 1].map(|column| row.get(column).map(str::to_owned))
}
