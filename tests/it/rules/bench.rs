//! A server with the tables of the examples in a template, and texts that run on copies of it, looked at as a rehearsal looks.

use std::collections::BTreeMap;

use switchback::migration::catalog::Catalog;
use switchback::migration::certificate::{Basis, Certificate, Verdict};
use switchback::migration::observation::{LockMode, Observation};
use switchback::migration::statements::Script;
use switchback::migration::{Direction, Migration, directives};
use switchback::provider::postgres::fingerprint_text;
use switchback::provider::postgres::observation::view;
use switchback::provider::postgres::rehearsal::observer::{Observer as _, Sent};
use switchback::provider::postgres::rehearsal::{Beside, ThrowAway};
use switchback::provider::postgres::settings::Target;
use switchback::rules::finding::Findings;
use switchback::rules::judging::{Job, Judge};
use switchback::rules::{Levels, Rule};
use switchback::world::TargetFacts;
use tokio_postgres::Client;

use crate::observation::versions::url_of;
use crate::postgres::{connection, in_database, session};
use crate::stack;

/// A server with the tables in a template.
pub struct Bench {
    url: String,
    template: String,
    admin: Client,
    _server: ThrowAway,
}

/// A throw-away server of the version of the shared one: it writes nothing to disk, so that databases come and go quickly.
pub async fn server() -> (ThrowAway, String) {
    let shared = session(&stack::shared().postgres_url()).await;
    let row = shared.query_one("select current_setting('server_version_num')::int4 / 10000", &[]).await.unwrap();
    let major = u32::try_from(row.get::<_, i32>(0)).unwrap();
    let server = ThrowAway::start(stack::places().cache, major, &stack::Quiet).await.unwrap();
    let url = url_of(server.login());
    (server, url)
}

/// What becomes of what a text leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its schema is compared.
    Compared,
    /// Nobody looks at it.
    Forgotten,
}

/// What running a text came to.
pub struct Ran {
    pub migration: Migration,
    pub seen: Vec<Observation>,
    /// The error of the statement that the server refused.
    pub refused: Option<String>,
    /// The schema behind it.
    pub fingerprint: String,
}

impl Bench {
    pub async fn new(tables: &str) -> Self {
        let (server, url) = server().await;
        let template = stack::unique("rules");
        let admin = session(&url).await;
        admin.batch_execute(&format!("create database {template}")).await.unwrap();
        session(&in_database(&url, &template)).await.batch_execute(tables).await.unwrap();
        let shared = format!("create database {template}_shared template {template}");
        admin.batch_execute(&shared).await.unwrap();
        Self { url, template, admin, _server: server }
    }

    /// Runs a text in a session that `before` was run in: on a copy of its own where what it leaves is of interest or `before`
    /// makes something, else in a transaction that is rolled back.
    pub async fn run(&self, before: &str, text: &str, ending: Ending) -> Ran {
        let script = Script::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let header = directives::header(&script);
        let is_shared = before.is_empty() && header.transaction && ending == Ending::Forgotten;
        let name = if is_shared { format!("{}_shared", self.template) } else { stack::unique("ruled") };
        let admin = &self.admin;
        if !is_shared {
            admin.batch_execute(&format!("create database {name} template {}", self.template)).await.unwrap();
        }
        let url = in_database(&self.url, &name);
        let client = session(&url).await;
        client.batch_execute(before).await.unwrap_or_else(|error| panic!("{before}: {error:?}"));
        if header.transaction {
            client.batch_execute("begin").await.unwrap();
        }
        let (seen, refused) = look_on(&client, &url, &script, !header.transaction).await;
        let is_kept = refused.is_none() && !is_shared;
        if header.transaction {
            client.batch_execute(if is_kept { "commit" } else { "rollback" }).await.unwrap();
        }
        let fingerprint = match ending {
            Ending::Compared => fingerprint_text(&connection(&url)).await.unwrap(),
            Ending::Forgotten => String::new(),
        };
        drop(client);
        if !is_shared {
            admin.batch_execute(&format!("drop database {name} with (force)")).await.unwrap();
        }
        let migration = Migration {
            transaction: header.transaction,
            said: header.said,
            ..Migration::plain(1, "example", text, None)
        };
        Ran { migration, seen, refused, fingerprint }
    }

    /// A session of a copy that stays until the server goes.
    pub async fn session_of_its_own(&self) -> Client {
        let name = stack::unique("ruled");
        self.admin.batch_execute(&format!("create database {name} template {}", self.template)).await.unwrap();
        session(&in_database(&self.url, &name)).await
    }

    /// All that the catalogs of the template say.
    pub async fn whole(&self) -> Catalog {
        view::read(&session(&in_database(&self.url, &self.template)).await).await.unwrap()
    }

    pub async fn end(self) {
        let admin = &self.admin;
        for name in [format!("{}_shared", self.template), self.template.clone()] {
            admin.batch_execute(&format!("drop database {name} with (force)")).await.unwrap();
        }
    }
}

/// Runs the statements of a text, and tells what each of them did, and what the server refused.
async fn look_on(client: &Client, url: &str, script: &Script, outside: bool) -> (Vec<Observation>, Option<String>) {
    let target = Target::read(&connection(url).settings).unwrap();
    let mut watch = Beside.watch(&target, client).await.unwrap();
    for (statement, number) in script.statements.iter().zip(1..) {
        let sent = Sent { number, statement, outside };
        watch.before(client, sent).await.unwrap();
        if let Err(error) = client.batch_execute(&statement.text).await {
            let told = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
            return (watch.end(), Some(told));
        }
        watch.after(client, sent).await.unwrap();
    }
    (watch.end(), None)
}

impl Ran {
    /// What the rules say of it.
    pub fn findings(&self, rules: &[Rule], target: Option<&TargetFacts>) -> Findings {
        let certificate = Certificate {
            key: switchback::digest::Digest::of_bytes(b""),
            server: "15.0".to_owned(),
            basis: Basis::Empty,
            verdict: Verdict::Exact,
            derived: None,
            group: None,
            undone: Vec::new(),
            forth: self.seen.clone(),
            back: Vec::new(),
        };
        let levels = Levels::default();
        let mut judge = Judge::new(rules, &levels);
        judge.migration(&Job {
            step: None,
            address: None,
            direction: Direction::Up,
            migration: &self.migration,
            certificate: Some(&certificate),
            foretold: None,
            target,
            folder: None,
        });
        judge.end()
    }

    /// The strongest lock under which any table is worked on as a whole, those of earlier statements that are still held
    /// among them.
    pub fn work(&self) -> Option<LockMode> {
        let mut held: BTreeMap<&str, LockMode> = BTreeMap::new();
        let mut strongest = None;
        for seen in &self.seen {
            if !self.migration.transaction {
                held.clear();
            }
            for (name, mode) in &seen.locks {
                let known = held.entry(name).or_insert(*mode);
                *known = (*known).max(*mode);
            }
            let worked = seen.rewrites.iter().chain(&seen.scans).chain(seen.builds.keys());
            strongest = strongest.max(worked.filter_map(|name| held.get(name.as_str()).copied()).max());
        }
        strongest
    }

    /// The strongest lock on a relation.
    pub fn lock(&self, relation: &str) -> Option<LockMode> {
        self.seen.iter().filter_map(|seen| seen.locks.get(relation).copied()).max()
    }
}
