//! A server with the fixture in a template, and rooms on it for statements to be run in.

use switchback::migration::observation::Observation;
use switchback::migration::predict::catalog::Catalog;
use switchback::provider::postgres::observation::observer::{Observer, Within};
use switchback::provider::postgres::observation::view;
use switchback::provider::postgres::settings::Target;
use tokio_postgres::Client;

use super::case::{Case, FIXTURE, statement_of};
use crate::postgres::{connection, in_database, session};
use crate::stack;

/// A server with the fixture in a template.
pub struct Bench {
    url: String,
    pub version: u32,
    template: String,
    /// One database for everything that is rolled back.
    shared: Room,
    /// What is there before a statement that needs no setup.
    catalog: Catalog,
}

/// A database, a session in it, and an observer of that.
struct Room {
    name: String,
    url: String,
    client: Client,
    observer: Observer,
}

impl Room {
    async fn open(url: String, name: String) -> Self {
        let client = session(&url).await;
        client.batch_execute("set timezone = 'UTC'").await.unwrap();
        let target = Target::read(&connection(&url).settings).unwrap();
        let observer = Observer::of(&target, &client).await.unwrap();
        Self { name, url, client, observer }
    }

    /// What a prediction knows in this session.
    async fn view(&self) -> Catalog {
        let zone: String = self.client.query_one("show timezone", &[]).await.unwrap().get(0);
        let beside = session(&self.url).await;
        beside.batch_execute(&format!("set timezone = '{zone}'")).await.unwrap();
        view::read(&beside).await.unwrap()
    }
}

impl Bench {
    pub async fn new(url: &str) -> Self {
        let admin = session(url).await;
        let row = admin.query_one("select current_setting('server_version_num')::int4 / 10000", &[]).await.unwrap();
        let version = u32::try_from(row.get::<_, i32>(0)).unwrap();
        let template = stack::unique("observed");
        admin.batch_execute(&format!("create database {template}")).await.unwrap();
        let fixture = FIXTURE.replace("observed_role", &format!("role_{template}"));
        session(&in_database(url, &template)).await.batch_execute(&fixture).await.unwrap();
        let shared = copy(&admin, url, &template, format!("{template}_shared")).await;
        let catalog = shared.view().await;
        Self { url: url.to_owned(), version, template, shared, catalog }
    }

    /// The statement of a case. A role is of the whole server: each bench has one of its own.
    pub fn sql(&self, case: &Case) -> String {
        case.sql.replace("observed_role", &format!("role_{}", self.template))
    }

    /// Runs a case and tells what was observed, and what was there before.
    pub async fn observe(&mut self, case: &Case) -> (Result<Observation, String>, Catalog) {
        let statement = statement_of(&self.sql(case));
        if !case.needs_its_own() {
            let Room { client, observer, .. } = &mut self.shared;
            client.batch_execute("begin").await.unwrap();
            let found = observer.run(client, 1, &statement, Within::Transaction).await;
            client.batch_execute("rollback").await.unwrap();
            return (found.map_err(|missed| format!("{missed:?}")), self.catalog.clone());
        }
        let mut room = self.room(case).await;
        let catalog = room.view().await;
        let found = room.observer.run(&room.client, 1, &statement, Within::Itself).await;
        self.leave(room).await;
        (found.map_err(|missed| format!("{missed:?}")), catalog)
    }

    /// What is there before a case.
    pub async fn catalog(&self, case: &Case) -> Catalog {
        if case.setup.is_none() {
            return self.catalog.clone();
        }
        let room = self.room(case).await;
        let catalog = room.view().await;
        self.leave(room).await;
        catalog
    }

    async fn room(&self, case: &Case) -> Room {
        let admin = session(&self.url).await;
        let room = copy(&admin, &self.url, &self.template, stack::unique("observing")).await;
        if let Some(setup) = &case.setup {
            room.client.batch_execute(setup).await.unwrap_or_else(|error| panic!("{setup}: {error:?}"));
        }
        room
    }

    async fn leave(&self, room: Room) {
        let name = room.name.clone();
        drop(room);
        session(&self.url).await.batch_execute(&format!("drop database {name} with (force)")).await.unwrap();
    }

    /// Leaves nothing behind.
    pub async fn end(self) {
        let Self { url, template, shared, .. } = self;
        let names = [shared.name.clone(), template.clone()];
        drop(shared);
        let admin = session(&url).await;
        for name in names {
            admin.batch_execute(&format!("drop database {name} with (force)")).await.unwrap();
        }
        admin.batch_execute(&format!("drop role role_{template}")).await.unwrap();
    }
}

async fn copy(admin: &Client, url: &str, template: &str, name: String) -> Room {
    admin.batch_execute(&format!("create database {name} template {template}")).await.unwrap();
    Room::open(in_database(url, &name), name).await
}
