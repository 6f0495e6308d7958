//! The fence row: in each database that migrations run in stands, for each chain, which lease is in force there.
//! Talks to the server.
//!
//! Invariant: the number of a row only grows, and nothing of a run is committed unless the row, locked until the
//! commit, bears the run's own number.

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::connection::{APPLICATION, open};
use super::errors::{has_code, world_error};
use super::settings::Target;
use super::{history, quoting};
use crate::world::{ErrorClass, Fence, Progress, WorldError};

/// The table's name.
pub const TABLE: &str = "switchback_fence";

/// How long what is sent may take to arrive; the lease must last that long.
pub const ARRIVAL: Duration = Duration::from_millis(250);

/// How long raising the row may wait for whoever has it locked, before their session is ended.
const RAISING: Duration = Duration::from_secs(2);
/// How many times raising is tried.
const TRIES: u32 = 5;
/// How long the server may take to end a session.
const ENDING: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// What holds the row's number against this run's own.
pub struct Guard {
    fence: Fence,
    /// The table with its schema; none where the run has no lease, as in tests.
    table: Option<String>,
}

/// The row as found.
struct Row {
    number: i64,
    holder: String,
    seat: Option<Seat>,
}

/// The session that migrated last.
struct Seat {
    process: i32,
    since: Option<String>,
    number: i64,
}

/// Why the row does not let us go on.
pub enum Closed {
    /// The server says no.
    Error(Error),
    /// A later lease is in force.
    Fenced(WorldError),
}

impl Closed {
    /// As an error of the world.
    pub fn into_world(self, tried: &str) -> WorldError {
        match self {
            Self::Error(error) => world_error(tried, &error),
            Self::Fenced(error) => error,
        }
    }
}

impl Guard {
    /// Takes the row over before anything else is done: raises it to our number, then ends the session that a run
    /// with an earlier lease has left, and waits until it is gone.
    ///
    /// # Errors
    /// When the row is higher than ours (then nothing was sent), or that session cannot be ended.
    pub async fn take_over(
        client: &Client,
        target: &Target,
        fence: &Fence,
        tried: &str,
        progress: &dyn Progress,
    ) -> Result<Self, WorldError> {
        if fence.number() == 0 {
            return Ok(Self { fence: fence.clone(), table: None });
        }
        fence.check(tried, ARRIVAL)?;
        let place = history::place(client).await?;
        let table = format!("{}.{TABLE}", quoting::name(&place));
        let guard = Self { fence: fence.clone(), table: Some(table.clone()) };
        let failed = |error| world_error(format!("look at {table}"), &error);
        let before = match guard.read(client, &table).await {
            Err(error) if has_code(&error, &SqlState::UNDEFINED_TABLE) => {
                guard.make(client, &table).await?;
                None
            }
            found => found.map_err(failed)?,
        };
        if let Some(row) = &before {
            guard.refuse_higher(row.number, &row.holder, tried)?;
        }
        if before.as_ref().is_none_or(|row| row.number < guard.number()) {
            guard.raise(client, target, &table, progress).await?;
        }
        let Some(row) = guard.read(client, &table).await.map_err(failed)? else {
            return Err(gone(tried));
        };
        guard.refuse_higher(row.number, &row.holder, tried)?;
        let earlier = before.map(|row| row.holder).filter(|holder| *holder != row.holder);
        guard.end_stale(&row, earlier.as_deref(), target, progress).await?;
        Ok(guard)
    }

    /// Whether there is no lease, so that nothing is asked before a commit.
    pub fn is_open(&self) -> bool {
        self.table.is_none()
    }

    fn number(&self) -> i64 {
        i64::try_from(self.fence.number()).unwrap_or(i64::MAX)
    }

    /// Notes which session it is that migrates now, once it has the turn: whoever comes later knows what to end.
    ///
    /// # Errors
    /// When a later lease is in force.
    pub async fn sit_down(&self, client: &Client, tried: &str) -> Result<(), WorldError> {
        let Some(table) = &self.table else {
            return Ok(());
        };
        let statement = format!(
            "update {table} set backend = pg_backend_pid(), backend_number = number, since = \
             (select backend_start from pg_stat_activity where pid = pg_backend_pid()) where chain = $1 and number = $2"
        );
        let sat = client.execute(&statement, &[&self.fence.chain(), &self.number()]).await;
        match sat.map_err(|error| world_error(tried, &error))? {
            0 => self.still_ours(client).await.map_err(|closed| closed.into_world(tried)),
            _ => Ok(()),
        }
    }

    /// Asked right before something is sent.
    ///
    /// # Errors
    /// When the lease may be over before it arrives.
    pub fn in_time(&self, tried: &str) -> Result<(), WorldError> {
        self.fence.check(tried, ARRIVAL)
    }

    /// Whether the row bears our number now; nobody is kept from raising it.
    ///
    /// # Errors
    /// When it does not, or the server says no.
    pub async fn still_ours(&self, client: &Client) -> Result<(), Closed> {
        self.compare(client, "").await
    }

    /// Whether the row bears our number, and keeps it until the transaction ends.
    ///
    /// # Errors
    /// As [`Guard::still_ours`].
    pub async fn lock(&self, client: &Client) -> Result<(), Closed> {
        self.compare(client, " for share").await
    }

    async fn compare(&self, client: &Client, lock: &str) -> Result<(), Closed> {
        let Some(table) = &self.table else {
            return Ok(());
        };
        let tried = "compare the lease with the one that is in force in this database";
        let statement = format!("select number, holder from {table} where chain = $1{lock}");
        match client.query_opt(&statement, &[&self.fence.chain()]).await.map_err(Closed::Error)? {
            Some(row) if row.get::<_, i64>(0) == self.number() => Ok(()),
            Some(row) => {
                Err(Closed::Fenced(self.refuse_higher(row.get(0), row.get(1), tried).err().unwrap_or_else(|| {
                    // Lower than ours: somebody wrote into it by hand.
                    gone(tried)
                })))
            }
            None => Err(Closed::Fenced(gone(tried))),
        }
    }

    fn refuse_higher(&self, number: i64, holder: &str, tried: &str) -> Result<(), WorldError> {
        if number <= self.number() {
            return Ok(());
        }
        Err(WorldError {
            tried: tried.to_owned(),
            cause: format!(
                "lease {number}, which {holder} took, is in force in this database; lease {} of this run is over",
                self.number()
            ),
            help: Some(format!(
                "`status` says who holds the lease now; only if the ledger was restored from an older copy: delete the row of chain {} from {TABLE}",
                self.fence.chain()
            )),
            class: ErrorClass::Fenced,
        })
    }

    async fn make(&self, client: &Client, table: &str) -> Result<(), WorldError> {
        let text = format!(
            "create table if not exists {table} (chain text primary key, number bigint not null, holder text not null, \
             backend int, backend_number bigint, since timestamptz); \
             comment on table {table} is 'switchback: the lease under which each chain may migrate here'"
        );
        let Err(error) = client.batch_execute(&text).await else {
            return Ok(());
        };
        // Two that make it at once: one of them fails, and finds it.
        match self.read(client, table).await {
            Ok(_) => Ok(()),
            Err(_) => {
                let mut error = world_error(format!("make {table}"), &error);
                if error.class == ErrorClass::Denied {
                    error.help = Some(format!("grant CREATE on the schema, or make it as its owner: {text}"));
                }
                Err(error)
            }
        }
    }

    async fn read(&self, client: &Client, table: &str) -> Result<Option<Row>, Error> {
        let statement = format!(
            "select number, holder, backend, {}, backend_number from {table} where chain = $1",
            moment("since")
        );
        let row = client.query_opt(&statement, &[&self.fence.chain()]).await?;
        Ok(row.map(|row| {
            let seat = row.get::<_, Option<i32>>(2).zip(row.get::<_, Option<i64>>(4));
            let since = row.get(3);
            let seat = seat.map(|(process, number)| Seat { process, since, number });
            Row { number: row.get(0), holder: row.get(1), seat }
        }))
    }

    /// Raises the row, never lowers it. Whoever keeps it locked and has an earlier lease is ended.
    async fn raise(
        &self,
        client: &Client,
        target: &Target,
        table: &str,
        progress: &dyn Progress,
    ) -> Result<(), WorldError> {
        let text = format!(
            "begin; set local lock_timeout = {}; insert into {table} as f (chain, number, holder) values ({}, {}, {}) \
             on conflict (chain) do update set number = excluded.number, holder = excluded.holder \
             where f.number < excluded.number; commit",
            RAISING.as_millis(),
            quoting::literal(self.fence.chain()),
            self.number(),
            quoting::literal(self.fence.holder())
        );
        let tried = format!("raise the fence in {table}");
        let mut tries = 1;
        loop {
            let Err(error) = client.batch_execute(&text).await else {
                return Ok(());
            };
            if let Err(error) = client.batch_execute("rollback").await {
                tracing::debug!(%error, "raising the fence ended with its session");
            }
            if !has_code(&error, &SqlState::LOCK_NOT_AVAILABLE) || tries >= TRIES {
                return Err(world_error(tried, &error));
            }
            tries += 1;
            if let Some(row) = self.read(client, table).await.map_err(|error| world_error(&tried, &error))? {
                self.refuse_higher(row.number, &row.holder, &tried)?;
                self.end_stale(&row, Some(&row.holder), target, progress).await?;
            }
        }
    }

    /// Ends the session of an earlier lease, if it is still there.
    async fn end_stale(
        &self,
        row: &Row,
        holder: Option<&str>,
        target: &Target,
        progress: &dyn Progress,
    ) -> Result<(), WorldError> {
        let Some(seat) = row.seat.as_ref().filter(|seat| seat.number < self.number()) else {
            return Ok(());
        };
        // As who logged in: the role that is set may not even see the session.
        let client = open(&Target { set_role: None, ..target.clone() }).await?;
        let tried = format!("end session {} of an earlier run at {target}", seat.process);
        let failed = |error| world_error(&tried, &error);
        if !seat.is_there(&client).await.map_err(failed)? {
            return Ok(());
        }
        let whose = holder.map_or_else(String::new, |holder| format!(" of {holder}"));
        progress.say(&format!("ending session {}{whose}: its lease {} is over", seat.process, seat.number));
        progress.called("postgresql:pg_terminate_backend");
        if let Err(error) = client.execute("select pg_terminate_backend($1)", &[&seat.process]).await {
            let mut error = world_error(tried, &error);
            error.help = Some(format!(
                "type this as a superuser, or as a member of the role of that session: select pg_terminate_backend({});",
                seat.process
            ));
            return Err(error);
        }
        let started = Instant::now();
        while seat.is_there(&client).await.map_err(failed)? {
            if started.elapsed() > ENDING {
                return Err(WorldError {
                    cause: format!("it does not end within {} seconds", ENDING.as_secs()),
                    tried,
                    help: Some("end it at the server, then go on".to_owned()),
                    class: ErrorClass::Transient,
                });
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}

impl Seat {
    /// Whether the session is there. The number of a process may be another's by now: then its start differs.
    async fn is_there(&self, client: &Client) -> Result<bool, Error> {
        let statement = format!(
            "select 1 from pg_stat_activity where pid = $1 and datname = current_database() \
             and (application_name = '{APPLICATION}' or application_name like '{APPLICATION} %') \
             and ({0} is null or $2::text is null or {0} = $2)",
            moment("backend_start")
        );
        Ok(client.query_opt(&statement, &[&self.process, &self.since]).await?.is_some())
    }
}

/// A point in time as text that no setting changes.
fn moment(column: &str) -> String {
    format!("to_char({column} at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')")
}

fn gone(tried: &str) -> WorldError {
    WorldError {
        tried: tried.to_owned(),
        cause: format!("the row of this chain in {TABLE} was removed or lowered by hand"),
        help: Some("leave that table alone; `resume` writes the row again".to_owned()),
        class: ErrorClass::Refused,
    }
}
