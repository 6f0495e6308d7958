//! The servers of a process, lent to one job at a time, and the databases that a job makes there. Talks to the server.
//!
//! Invariant: a server of our own is lent again only after it is as it was; of a server that the spec names, nothing is
//! touched but databases that we made, and those are dropped.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::super::connection::open;
use super::super::errors::{refused, world_error};
use super::super::programs::random_word;
use super::super::quoting;
use super::super::reuse::first_row;
use super::super::settings::Target;
use super::pinned;
use super::server::{BOOTSTRAP, Server};
use crate::world::{Progress, WorldError};

/// How the databases of rehearsals are called.
const PREFIX: &str = "switchback_rehearsal_";
/// Advisory locks under this number say that whoever made a database is alive: "Swrh".
const ALIVE: i32 = 0x5377_7268;

/// The servers that are running and not lent.
pub struct Servers {
    cache: PathBuf,
    idle: Mutex<Vec<Server>>,
}

/// A server, for one job alone where it is our own.
pub struct Lease {
    /// Our session, in a database that nothing happens to.
    pub admin: Client,
    /// How that is reached.
    pub login: Target,
    /// `15.18`.
    pub version: String,
    /// `15`.
    pub major: u32,
    own: Option<Server>,
    prefix: String,
    made: u32,
}

impl Servers {
    /// None yet. What can be made again is kept in a folder of the cache.
    pub fn new(cache: PathBuf) -> Self {
        Self { cache, idle: Mutex::new(Vec::new()) }
    }

    /// Lends a server of our own, of this major version or the newest that is at hand, with room for rows or without.
    ///
    /// # Errors
    /// In the inner result, why there is none of that version; in the outer one, why it does not start.
    pub async fn lend(
        &self,
        major: Option<u32>,
        with_rows: bool,
        progress: &dyn Progress,
    ) -> Result<Result<Lease, String>, WorldError> {
        let fits = |server: &Server| {
            major.is_none_or(|major| server.programs.major == major) && !(with_rows && server.in_memory)
        };
        let idle = {
            let mut idle = self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            idle.iter().position(fits).map(|place| idle.swap_remove(place))
        };
        if let Some(server) = idle
            && let Ok(lease) = Lease::of(server.login.clone(), Some(server)).await
        {
            return Ok(Ok(lease));
        }
        // A download may take long: where there are other threads, they take over what waits for this one.
        let look = || pinned::find(major, &self.cache, progress);
        let found = match tokio::runtime::Handle::current().runtime_flavor() {
            tokio::runtime::RuntimeFlavor::MultiThread => tokio::task::block_in_place(look),
            _ => look(),
        };
        let programs = match found {
            Ok(programs) => programs,
            Err(why) => return Ok(Err(why)),
        };
        let server = Server::start(programs, &self.cache, with_rows).await?;
        Ok(Ok(Lease::of(server.login.clone(), Some(server)).await?))
    }

    /// Takes a server back, and lends it again if it is as it was.
    pub async fn give_back(&self, lease: Lease) {
        if let Some(server) = lease.end().await {
            self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(server);
        }
    }
}

impl Lease {
    /// A server that the spec names.
    ///
    /// # Errors
    /// When it is not reached.
    pub async fn of_given(target: Target) -> Result<Self, WorldError> {
        Self::of(target, None).await
    }

    async fn of(login: Target, own: Option<Server>) -> Result<Self, WorldError> {
        let admin = open(&login).await?;
        let token = i32::from_str_radix(&random_word(4)[1..], 16).expect("seven hexadecimal digits fit");
        let failed = |error| world_error(format!("prepare rehearsals at {login}"), &error);
        let statement = "select pg_advisory_lock($1, $2), current_setting('server_version_num')::int, current_setting('server_version')";
        let row = admin.query_one(statement, &[&ALIVE, &token]).await.map_err(failed)?;
        let number: i32 = row.get(1);
        let version = row.get::<_, String>(2).split(' ').next().unwrap_or_default().to_owned();
        let lease = Self {
            admin,
            login,
            version,
            major: u32::try_from(number / 10_000).unwrap_or_default(),
            own,
            prefix: format!("{PREFIX}{token:07x}_"),
            made: 0,
        };
        if !lease.is_own() {
            lease.tidy().await?;
        }
        Ok(lease)
    }

    /// Whether nobody else uses the server.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Where the programs of the server are, if it is our own.
    pub fn programs(&self) -> Option<&std::path::Path> {
        self.own.as_ref().map(|server| server.programs.folder.as_path())
    }

    /// Drops the databases of rehearsals whose makers are dead.
    async fn tidy(&self) -> Result<(), WorldError> {
        let failed = |error| world_error(format!("drop the databases of earlier rehearsals at {}", self.login), &error);
        let statement =
            "select datname::text from pg_catalog.pg_database where datname ~ ('^' || $1 || '[0-9a-f]{7}_')";
        for row in self.admin.query(statement, &[&PREFIX]).await.map_err(failed)? {
            let name: String = row.get(0);
            let Ok(token) = i32::from_str_radix(&name[PREFIX.len()..PREFIX.len() + 7], 16) else { continue };
            let statement = "select pg_try_advisory_lock($1, $2)";
            if self.admin.query_one(statement, &[&ALIVE, &token]).await.map_err(failed)?.get(0) {
                self.drop_database(&name).await?;
                let statement = "select pg_advisory_unlock($1, $2)";
                self.admin.query_one(statement, &[&ALIVE, &token]).await.map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Makes a database; `options` stand behind its name.
    ///
    /// # Errors
    /// As the server says.
    pub async fn create_database(&mut self, options: &str) -> Result<String, WorldError> {
        self.made += 1;
        let name = format!("{}{}", self.prefix, self.made);
        let statement = format!("create database {name} {options}");
        let tried = format!("make a database for rehearsals at {}", self.login);
        let mut patience = 200;
        // A session that was closed may still be there for a moment, and then nothing is copied from its database.
        loop {
            match self.admin.batch_execute(&statement).await {
                Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) && patience > 0 => {
                    patience -= 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                made => return made.map(|()| name).map_err(|error| world_error(tried, &error)),
            }
        }
    }

    /// Waits a moment for those who have just left a database: the server itself looks only every tenth of a second
    /// whether they are gone.
    pub async fn see_off(&self, name: &str) {
        let statement =
            format!("select 1 from pg_catalog.pg_stat_activity where datname = {} limit 1", quoting::literal(name));
        for _ in 0..100 {
            // Whatever the server has to say against it, it says to the statement that comes next.
            let Ok(Some(_)) = first_row(&self.admin, &statement).await else { return };
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Drops a database, whoever is in it.
    ///
    /// # Errors
    /// As the server says.
    pub async fn drop_database(&self, name: &str) -> Result<(), WorldError> {
        self.see_off(name).await;
        let statement = format!("drop database if exists {} with (force)", quoting::name(name));
        let tried = format!("drop database {name} at {}", self.login);
        self.admin.batch_execute(&statement).await.map_err(|error| world_error(tried, &error))
    }

    /// Drops what was made; gives a server of our own that is as it was.
    async fn end(mut self) -> Option<Server> {
        let is_clean = self.clean().await;
        if let Err(error) = &is_clean {
            tracing::warn!(%error, "a server is not as it was before the rehearsal");
        }
        is_clean.ok().and(self.own.take())
    }

    async fn clean(&self) -> Result<(), WorldError> {
        let failed = |error| world_error(format!("tidy up at {}", self.login), &error);
        let statement = "select datname::text from pg_catalog.pg_database where starts_with(datname, $1)";
        for row in self.admin.query(statement, &[&self.prefix]).await.map_err(failed)? {
            self.drop_database(row.get(0)).await?;
        }
        if !self.is_own() {
            return Ok(());
        }
        let foreign =
            "select count(*) from pg_catalog.pg_database where datname not in ('postgres', 'template0', 'template1')";
        let settings = "select count(*) from pg_catalog.pg_file_settings where sourcefile ~ 'postgresql.auto.conf$'";
        let spaces = "select count(*) from pg_catalog.pg_tablespace where oid >= 16384";
        for statement in [foreign, settings, spaces] {
            if self.admin.query_one(statement, &[]).await.map_err(failed)?.get::<_, i64>(0) > 0 {
                return Err(refused(
                    "lend a server again",
                    "a migration changed the server as a whole",
                    "nothing to do",
                ));
            }
        }
        let statement =
            "select rolname::text, oid = 10 from pg_catalog.pg_roles where rolname !~ '^pg_' and rolname <> $1";
        let (mut others, mut bootstrap) = (Vec::new(), BOOTSTRAP.to_owned());
        for row in self.admin.query(statement, &[&self.login.user]).await.map_err(failed)? {
            match row.get(1) {
                true => bootstrap = row.get(0),
                false => others.push(quoting::name(row.get(0))),
            }
        }
        let mut statements = Vec::new();
        if !others.is_empty() {
            statements.push(format!("drop role {}", others.join(", ")));
        }
        if bootstrap != BOOTSTRAP {
            statements.push(format!("alter role {} rename to {BOOTSTRAP}", quoting::name(&bootstrap)));
        }
        statements.push(format!("alter role {BOOTSTRAP} reset all"));
        self.admin.batch_execute(&statements.join("; ")).await.map_err(failed)
    }
}
