//! A database of our own with the target's schema: by running what was applied again, or from a dump. Talks to the server.
//!
//! Invariant: nothing is rehearsed in it unless its fingerprint is the target's.

use std::time::Duration;

use tokio_postgres::Client;

use super::super::connection::{open, target as read_target};
use super::super::errors::world_error;
use super::super::fingerprint::{Fingerprint, Taker};
use super::super::settings::Target;
use super::contents::{Contents, sample};
use super::difference::difference;
use super::dump;
use super::servers::Lease;
use super::surroundings::{Dress, Surroundings};
use super::way::{Broken, Stage, Way};
use crate::migration::Direction;
use crate::migration::certificate::Basis;
use crate::world::{RehearsalJob, RehearsalSettings, WorldError};

/// How long one statement may take where nothing is said: far longer than any that is worth waiting for in a plan.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(300);

/// Why nothing is rehearsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot be, for this reason.
    Not(String),
    /// The target cannot be read that must be, or the server has failed.
    World(WorldError),
}

impl From<WorldError> for Refusal {
    fn from(error: WorldError) -> Self {
        Self::World(error)
    }
}

/// The target: what is read of it.
pub struct Original {
    target: Target,
    client: Client,
    fingerprint: Fingerprint,
}

/// A database in which migrations are rehearsed.
pub struct Sandbox {
    /// Where it is.
    pub lease: Lease,
    /// What stands around it.
    pub surroundings: Surroundings,
    /// What is in the tables.
    pub basis: Basis,
    /// The session that migrations run in.
    pub stage: Stage,
    database: String,
    /// None while nobody may be in it.
    look: Option<Look>,
    /// A copy of it as it was at some step, to begin again from.
    copy: Option<(String, Dress)>,
}

/// The session that looks on it.
struct Look {
    client: Client,
    taker: Taker,
}

/// What can be told of it at some moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// The schema.
    pub fingerprint: Fingerprint,
    /// The rows.
    pub contents: Contents,
    /// The roles of the server, where it is our own.
    pub roles: Vec<String>,
}

impl Original {
    /// Reads the target of a job, if there is one.
    ///
    /// # Errors
    /// As the target says.
    pub async fn of(job: &RehearsalJob) -> Result<Option<(Self, Surroundings)>, WorldError> {
        let Some(connection) = &job.target else { return Ok(None) };
        let target = read_target(&connection.settings)?;
        let client = open(&target).await?;
        client
            .batch_execute("set default_transaction_read_only = on")
            .await
            .map_err(|error| world_error(format!("read {target}"), &error))?;
        let surroundings = Surroundings::of(&client, &target).await?;
        let fingerprint = Taker::of(&client).await?.take(&client).await?;
        Ok(Some((Self { target, client, fingerprint }, surroundings)))
    }

    /// Its schema.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

impl Sandbox {
    /// Makes it, on a server that was lent. Gives the server back with the reason when it cannot be made.
    ///
    /// # Errors
    /// Why not.
    pub async fn make(
        mut lease: Lease,
        job: &RehearsalJob,
        original: Option<&Original>,
        surroundings: Surroundings,
    ) -> Result<Self, Box<(Lease, Refusal)>> {
        match prepare(&mut lease, job, original, &surroundings).await {
            Ok((database, look, stage, basis)) => {
                Ok(Self { lease, surroundings, basis, stage, database, look: Some(look), copy: None })
            }
            Err(refusal) => Err(Box::new((lease, refusal))),
        }
    }

    /// What it looks like now.
    ///
    /// # Errors
    /// As the server says.
    pub async fn look(&self) -> Result<Sight, WorldError> {
        let Look { client, taker } = self.looking();
        let fingerprint = taker.take(client).await?;
        let contents = match self.basis {
            Basis::Empty => Contents::default(),
            Basis::Seeded { .. } | Basis::Sampled { .. } => Contents::of(client).await?,
        };
        let roles = match self.lease.is_own() {
            true => roles(client).await?,
            false => Vec::new(),
        };
        Ok(Sight { fingerprint, contents, roles })
    }

    fn looking(&self) -> &Look {
        self.look.as_ref().expect("whoever closes it to copy the database opens it again")
    }

    /// Whether rows are in it.
    pub fn has_rows(&self) -> bool {
        self.basis != Basis::Empty
    }

    /// Keeps a copy of it as it is now.
    ///
    /// # Errors
    /// As the server says.
    pub async fn keep(&mut self) -> Result<(), WorldError> {
        let dress = Dress::of(&self.looking().client).await?;
        if let Some((earlier, _)) = self.copy.take() {
            self.lease.drop_database(&earlier).await?;
        }
        self.leave();
        let copy = self.surroundings.copy_database(&mut self.lease, &self.database, &dress).await?;
        self.copy = Some((copy, dress));
        self.look = Some(look(&self.lease, &self.database).await?);
        Ok(())
    }

    /// Makes it what it was when the copy was kept. Gives false when there is no copy.
    ///
    /// # Errors
    /// As the server says.
    pub async fn begin_again(&mut self) -> Result<bool, WorldError> {
        let Some((copy, dress)) = self.copy.clone() else { return Ok(false) };
        self.leave();
        self.lease.drop_database(&self.database).await?;
        self.database = self.surroundings.copy_database(&mut self.lease, &copy, &dress).await?;
        self.stage = self.stage.moved(self.surroundings.stage(&self.lease, &self.database));
        self.look = Some(look(&self.lease, &self.database).await?);
        Ok(true)
    }

    /// Closes all sessions in it.
    fn leave(&mut self) {
        self.stage.leave();
        self.look = None;
    }

    /// Gives the server back, with nobody in the database.
    pub fn close(mut self) -> Lease {
        self.leave();
        self.lease
    }
}

async fn prepare(
    lease: &mut Lease,
    job: &RehearsalJob,
    original: Option<&Original>,
    surroundings: &Surroundings,
) -> Result<(String, Look, Stage, Basis), Refusal> {
    surroundings.make(lease, &job.settings.roles).await?;
    let replayed = match job.adopted {
        false => replay(lease, job, original, surroundings).await?,
        true => Err(None),
    };
    let database = match (replayed, original) {
        (Ok(database), _) => database,
        (Err(why), Some(original)) => match dumped(lease, job, original, surroundings).await? {
            Ok(database) => database,
            Err(also) => return Err(Refusal::Not(why.into_iter().chain([also]).collect::<Vec<_>>().join("; and "))),
        },
        (Err(why), None) => {
            let why = why.unwrap_or_else(|| "an adopted database has to be there to be copied".to_owned());
            return Err(Refusal::Not(why));
        }
    };
    let mut stage = Stage::at(surroundings.stage(lease, &database), limit(&job.settings));
    let look = look(lease, &database).await?;
    let basis = fill(job, original, &mut stage, &look).await?;
    Ok((database, look, stage, basis))
}

/// How long one statement may take.
pub fn limit(settings: &RehearsalSettings) -> Duration {
    settings.statement_timeout_milliseconds.map_or(STATEMENT_TIMEOUT, Duration::from_millis)
}

async fn look(lease: &Lease, database: &str) -> Result<Look, WorldError> {
    let client = open(&lease.login.with_dbname(database)).await?;
    let taker = Taker::of(&client).await?;
    Ok(Look { client, taker })
}

/// Runs what was applied again, and sees whether that gives the target's schema.
async fn replay(
    lease: &mut Lease,
    job: &RehearsalJob,
    original: Option<&Original>,
    surroundings: &Surroundings,
) -> Result<Result<String, Option<String>>, Refusal> {
    let database = match rerun(lease, job, surroundings).await? {
        Ok(database) => database,
        Err(why) => return Ok(Err(Some(why))),
    };
    let Some(original) = original else { return Ok(Ok(database)) };
    Ok(match compare(lease, &database, original).await? {
        None => Ok(database),
        Some(lines) => Err(Some(format!("the applied migrations alone do not give the target's schema: {lines}"))),
    })
}

/// A database in which what was applied has run again; or why it does not.
///
/// # Errors
/// When it cannot be run at all, or the server fails.
pub async fn rerun(
    lease: &mut Lease,
    job: &RehearsalJob,
    surroundings: &Surroundings,
) -> Result<Result<String, String>, Refusal> {
    let database = surroundings.new_database(lease).await?;
    if let Err(why) = extend(lease, job, &database).await? {
        return Err(Refusal::Not(why));
    }
    let mut stage = Stage::at(surroundings.stage(lease, &database), limit(&job.settings));
    for migration in &job.applied {
        let text = migration.text(Direction::Up).unwrap_or_default();
        match stage.replay(Way { text, said: &migration.said, has_rows: false }).await {
            Ok(()) => {}
            Err(Broken::World(error)) => return Err(error.into()),
            Err(Broken::Endless { why }) => {
                return Err(Refusal::Not(format!("{}, which is applied: {why}", migration.label())));
            }
            Err(Broken::Fails { error, code, .. }) => {
                let label = migration.label();
                let why = missing(&error, code.as_deref(), surroundings).unwrap_or(error);
                return Ok(Err(format!("{label}, which is applied, does not run again here: {why}")));
            }
        }
    }
    stage.leave();
    Ok(Ok(database))
}

/// Makes the extensions that the spec asks for.
async fn extend(lease: &Lease, job: &RehearsalJob, database: &str) -> Result<Result<(), String>, WorldError> {
    if job.settings.extensions.is_empty() {
        return Ok(Ok(()));
    }
    let client = open(&lease.login.with_dbname(database)).await?;
    for extension in &job.settings.extensions {
        let statement = format!("create extension if not exists {} cascade", super::super::quoting::name(extension));
        if let Err(error) = client.batch_execute(&statement).await {
            let cause = world_error("", &error).cause;
            return Ok(Err(format!("extension {extension} cannot be made on PostgreSQL {}: {cause}", lease.version)));
        }
    }
    Ok(Ok(()))
}

/// Copies the target's schema.
async fn dumped(
    lease: &mut Lease,
    job: &RehearsalJob,
    original: &Original,
    surroundings: &Surroundings,
) -> Result<Result<String, String>, Refusal> {
    let major = surroundings.major.unwrap_or(lease.major);
    let text = match dump::schema(&original.target, major, lease.programs()).await {
        Ok(text) => text,
        Err(why) => return Ok(Err(why)),
    };
    let database = surroundings.new_database(lease).await?;
    let client = open(&surroundings.bootstrap(lease, &database)).await?;
    let begin = if surroundings.has_public() { "" } else { "drop schema public;\n" };
    if let Err(error) = client.batch_execute(&format!("{begin}{text}")).await {
        let cause = world_error("", &error).cause;
        let code = error.code().map(tokio_postgres::error::SqlState::code);
        let why = missing(&cause, code, surroundings).unwrap_or(cause);
        return Ok(Err(format!("the target's schema cannot be made on PostgreSQL {}: {why}", lease.version)));
    }
    drop(client);
    if let Err(why) = extend(lease, job, &database).await? {
        return Ok(Err(why));
    }
    Ok(match compare(lease, &database, original).await? {
        None => Ok(database),
        Some(lines) => Err(format!("the copy by pg_dump is not the target's schema: {lines}")),
    })
}

/// What tells the copy from the target; nothing when it is one.
async fn compare(lease: &Lease, database: &str, original: &Original) -> Result<Option<String>, WorldError> {
    let look = look(lease, database).await?;
    let copy = look.taker.take(&look.client).await?;
    let difference = difference(&original.fingerprint, &copy);
    Ok((!difference.is_none()).then(|| difference.lines().join("; ")))
}

/// Puts rows into the tables.
async fn fill(
    job: &RehearsalJob,
    original: Option<&Original>,
    stage: &mut Stage,
    look: &Look,
) -> Result<Basis, Refusal> {
    let mut basis = Basis::Empty;
    if let (Some(rows), Some(original)) = (job.settings.sample, original) {
        let taken = sample(&original.client, &look.client, rows).await;
        taken.map_err(|error| Refusal::Not(error.to_string()))?;
        basis = Basis::Sampled { rows: 0 };
    }
    if let Some(seed) = &job.settings.seed {
        let said = crate::migration::said::Said::default();
        match stage.replay(Way { text: seed, said: &said, has_rows: false }).await {
            Ok(()) => {}
            Err(Broken::World(error)) => return Err(error.into()),
            Err(Broken::Endless { why }) => return Err(Refusal::Not(format!("the seed: {why}"))),
            Err(Broken::Fails { error, .. }) => return Err(Refusal::Not(format!("the seed fails: {error}"))),
        }
        if basis == Basis::Empty {
            basis = Basis::Seeded { rows: 0 };
        }
    }
    Ok(match basis {
        Basis::Empty => Basis::Empty,
        Basis::Seeded { .. } => Basis::Seeded { rows: Contents::of(&look.client).await?.rows() },
        Basis::Sampled { .. } => Basis::Sampled { rows: Contents::of(&look.client).await?.rows() },
    })
}

/// What a text needs that is not here, so that it tells nothing that it fails.
pub fn missing(error: &str, code: Option<&str>, surroundings: &Surroundings) -> Option<String> {
    let is_environment = match code {
        // Before 15 a missing extension is a file that cannot be opened.
        Some("58P01") => true,
        Some("0A000") => error.contains("extension") && error.contains("is not available"),
        Some("42704") => !surroundings.is_complete() && error.contains("role \""),
        // It ran out of room, in memory or on the disk.
        Some("53100" | "53200") => true,
        Some(_) | None => false,
    };
    is_environment.then(|| match code {
        Some("42704") => format!("{error}; name it in `roles`"),
        Some("53100" | "53200") => format!("{error}; the server for rehearsals has too little room"),
        Some(_) | None => format!("{error}; it is missing on the server for rehearsals"),
    })
}

async fn roles(client: &Client) -> Result<Vec<String>, WorldError> {
    let statement = "select concat_ws(' ', 'role', quote_ident(r.rolname), case when rolsuper then 'superuser' end, case when not rolinherit then 'noinherit' end, \
        case when rolcreaterole then 'createrole' end, case when rolcreatedb then 'createdb' end, case when rolcanlogin then 'login' end, \
        case when rolreplication then 'replication' end, case when rolbypassrls then 'bypassrls' end, 'connections ' || nullif(rolconnlimit, -1), \
        'settings ' || rolconfig::text, 'valid until ' || rolvaliduntil::text, 'comment ' || shobj_description(r.oid, 'pg_authid'), \
        'member of ' || (select string_agg(quote_ident(g.rolname) || case when m.admin_option then ' (admin)' else '' end, ', ' order by g.rolname) \
            from pg_catalog.pg_auth_members m join pg_catalog.pg_roles g on g.oid = m.roleid where m.member = r.oid)) \
        from pg_catalog.pg_roles r where rolname !~ '^pg_' order by 1";
    let rows = client.query(statement, &[]).await.map_err(|error| world_error("look at the roles", &error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_lacks_is_told_from_what_is_wrong_with_the_text() {
        let said = |error, code| missing(error, Some(code), &Surroundings::none());
        assert!(said("could not extend file: No space left on device", "53100").unwrap().contains("too little room"));
        assert!(said("extension \"x\" is not available", "0A000").unwrap().contains("missing on the server"));
        assert_eq!(said("syntax error", "42601"), None);
        assert_eq!(said("permission denied", "42501"), None);
    }
}
