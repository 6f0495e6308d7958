//! Proposes the migration between two schemas, and tries it both ways. Talks to servers.
//!
//! Invariant: the fingerprint is the judge; a database that a schema comes from is only read.

use tokio_postgres::Client;

use super::super::connection::{open, target as read_target};
use super::super::definitions;
use super::super::errors::{refused, world_error};
use super::super::fingerprint::{Fingerprint, Taker};
use super::super::quoting;
use super::difference::difference;
use super::dump;
use super::sandbox::limit;
use super::servers::Lease;
use super::surroundings::Surroundings;
use super::way::{Broken, Stage, Way};
use crate::migration::Direction;
use crate::migration::difference::{self, Change};
use crate::migration::said::Said;
use crate::migration::statements::Script;
use crate::world::{Progress, Proposal, ProposalJob, SchemaSource, Trial, WorldError};

/// So many roles that nobody named are made, one after the other.
const ROLES: usize = 50;

/// Proposes it.
///
/// # Errors
/// When one of the schemas cannot be made, or a server fails.
pub async fn propose(lease: &mut Lease, job: &ProposalJob, progress: &dyn Progress) -> Result<Proposal, WorldError> {
    let surroundings = Surroundings::none();
    surroundings.make(lease, &job.settings.roles).await?;
    let mut bench = Bench { lease, surroundings, job, remarks: Vec::new() };
    progress.say("making the schema that is there");
    let present = bench.make(&job.present).await?;
    progress.say("making the schema that is wanted");
    let wanted = bench.make(&job.wanted).await?;
    let (first, wanted) = (look(bench.lease, &present).await?, look(bench.lease, &wanted).await?);
    let (before, aim) = (first.fingerprint().await?, wanted.fingerprint().await?);
    let found = definitions::read(&first.client).await?;
    let change = difference::difference(&found, &definitions::read(&wanted.client).await?);
    let server = bench.lease.version.clone();
    let right = || Trial::Right { orders: Vec::new() };
    let told = difference(&aim, &before);
    let remarks = bench.remarks;
    if told.is_none() {
        let (up, down, unsaid) = (String::new(), String::new(), Vec::new());
        return Ok(Proposal { server, is_same: true, up, down, forth: right(), back: right(), unsaid, remarks });
    }
    progress.say("trying the way there and back");
    let mut stage = Stage::at(bench.surroundings.stage(bench.lease, &present), limit(&job.settings));
    let up = change.text();
    let forth = attempt(&mut stage, &up, &first, &aim).await?;
    let mut unsaid = change.unsaid;
    let (mut down, mut back) = (String::new(), right());
    if !matches!(forth, Trial::Fails { .. }) {
        let Change { statements, unsaid: also } =
            difference::difference(&definitions::read(&first.client).await?, &found);
        down = Change { statements, unsaid: Vec::new() }.text();
        unsaid.extend(also.into_iter().map(|line| format!("on the way back, {line}")));
        back = attempt(&mut stage, &down, &first, &before).await?;
    }
    stage.leave();
    let mut told = std::collections::BTreeSet::new();
    unsaid.retain(|line| told.insert(line.clone()));
    Ok(Proposal { server, is_same: false, up, down, forth, back, unsaid, remarks })
}

/// Runs a text as a migration, and looks at what it leads to.
async fn attempt(stage: &mut Stage, text: &str, sight: &Sight, aim: &Fingerprint) -> Result<Trial, WorldError> {
    match stage.run(Way { text, said: &Said::default(), has_rows: false }, None).await {
        Ok(_) => {}
        Err(Broken::World(error)) => return Err(error),
        Err(Broken::Fails { error, .. } | Broken::Endless { why: error }) => return Ok(Trial::Fails { error }),
    }
    let found = difference(aim, &sight.fingerprint().await?);
    Ok(match found.things.is_empty() {
        true => Trial::Right { orders: found.orders },
        false => Trial::Otherwise { difference: found.lines() },
    })
}

/// A session that looks at a database.
struct Sight {
    client: Client,
    taker: Taker,
}

async fn look(lease: &Lease, database: &str) -> Result<Sight, WorldError> {
    let client = open(&lease.login.with_dbname(database)).await?;
    let taker = Taker::of(&client).await?;
    Ok(Sight { client, taker })
}

impl Sight {
    async fn fingerprint(&self) -> Result<Fingerprint, WorldError> {
        self.taker.take(&self.client).await
    }
}

/// Makes schemas.
struct Bench<'a> {
    lease: &'a mut Lease,
    surroundings: Surroundings,
    job: &'a ProposalJob,
    remarks: Vec<String>,
}

/// Why a schema cannot be made.
struct Stuck {
    what: String,
    error: String,
    code: Option<String>,
}

impl Bench<'_> {
    /// A database with this schema. Roles that it names and nobody has are made on the way.
    async fn make(&mut self, source: &SchemaSource) -> Result<String, WorldError> {
        let texts = self.texts(source).await?;
        for _ in 0..ROLES {
            let database = self.surroundings.new_database(self.lease).await?;
            self.extend(&database).await?;
            let stuck = match self.run(&database, &texts).await? {
                Ok(()) => return Ok(database),
                Err(stuck) => stuck,
            };
            let Some(role) = missing_role(&stuck) else { return Err(self.cannot(stuck)) };
            let statement = format!("create role {}", quoting::name(&role));
            let made = self.lease.admin.batch_execute(&statement).await;
            made.map_err(|error| world_error(format!("make the role {role} for the proposal"), &error))?;
            self.remarks.push(format!("role {role} was made on the throw-away server, because it is named"));
        }
        Err(refused("make the schema", format!("it names more than {ROLES} roles"), "name them with `--roles`"))
    }

    fn cannot(&self, stuck: Stuck) -> WorldError {
        let help = "the texts have to run on an empty database of that version; `--extensions` are made first";
        refused(format!("make the schema of {} on PostgreSQL {}", stuck.what, self.lease.version), stuck.error, help)
    }

    async fn extend(&self, database: &str) -> Result<(), WorldError> {
        let client = open(&self.lease.login.with_dbname(database)).await?;
        for extension in &self.job.settings.extensions {
            let statement = format!("create extension if not exists {} cascade", quoting::name(extension));
            let made = client.batch_execute(&statement).await;
            made.map_err(|error| world_error(format!("make the extension {extension}"), &error))?;
        }
        Ok(())
    }

    /// What has to be run, and what each text is called.
    async fn texts(&mut self, source: &SchemaSource) -> Result<Vec<(String, String, Said)>, WorldError> {
        Ok(match source {
            SchemaSource::Migrations(all) => all
                .iter()
                .map(|one| (one.label(), one.text(Direction::Up).unwrap_or_default().to_owned(), one.said.clone()))
                .collect(),
            SchemaSource::Text { name, sql } => {
                let sql = self.without_owners(name, sql)?;
                vec![(name.clone(), sql, Said::default())]
            }
            SchemaSource::Database(connection) => {
                let target = read_target(&connection.settings)?;
                let tried = || format!("copy the schema of {target}");
                let dumped = dump::schema(&target, self.lease.major, self.lease.programs()).await;
                let sql = dumped.map_err(|why| refused(tried(), why, "install a `pg_dump` of that version"))?;
                let sql = self.without_owners(&target.to_string(), &sql)?;
                vec![(target.to_string(), sql, Said::default())]
            }
        })
    }

    /// Whoever runs a migration owns what it makes: who owns it elsewhere is not compared. What only `psql` understands
    /// is left out of a dump as well.
    fn without_owners(&mut self, name: &str, sql: &str) -> Result<String, WorldError> {
        let is_restriction = |line: &&str| line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ");
        let plain: Vec<&str> = sql.lines().filter(|line| !is_restriction(line)).collect();
        let plain = plain.join("\n");
        let script = Script::parse(&plain).map_err(|error| {
            let help = "give SQL that makes the schema, such as `pg_dump --schema-only` writes it";
            refused(format!("read {name}"), format!("it is not understood as SQL: {error}"), help)
        })?;
        let is_owner = |statement: &crate::migration::statements::Statement| {
            let words = statement.tokens.windows(2);
            statement.tokens.first().is_some_and(|first| first.is("alter"))
                && words.into_iter().any(|pair| pair[0].is("owner") && pair[1].is("to"))
        };
        let others: Vec<&str> = script
            .statements
            .iter()
            .filter(|one| !is_owner(one))
            .map(|one| one.text.trim_end().trim_end_matches(';'))
            .collect();
        let owners = script.statements.len() - others.len();
        if owners > 0 {
            self.remarks.push(format!(
                "owners are not compared, for whoever runs a migration owns what it makes: {owners} OWNER TO of {name} passed over"
            ));
        }
        Ok(others.iter().map(|text| format!("{text};\n")).collect())
    }

    async fn run(&self, database: &str, texts: &[(String, String, Said)]) -> Result<Result<(), Stuck>, WorldError> {
        let mut stage = Stage::at(self.surroundings.stage(self.lease, database), limit(&self.job.settings));
        for (what, text, said) in texts {
            match stage.replay(Way { text, said, has_rows: false }).await {
                Ok(()) => {}
                Err(Broken::World(error)) => return Err(error),
                Err(Broken::Fails { error, code, .. }) => return Ok(Err(Stuck { what: what.clone(), error, code })),
                Err(Broken::Endless { why }) => return Ok(Err(Stuck { what: what.clone(), error: why, code: None })),
            }
        }
        Ok(Ok(()))
    }
}

/// The role that is named and missing.
fn missing_role(stuck: &Stuck) -> Option<String> {
    let is_missing = stuck.code.as_deref() == Some("42704");
    let (_, rest) = stuck.error.split_once("role \"").filter(|_| is_missing)?;
    let (role, rest) = rest.split_once('"')?;
    rest.trim_start().starts_with("does not exist").then(|| role.to_owned())
}
