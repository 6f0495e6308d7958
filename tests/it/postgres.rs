//! What the tests of the provider `postgres` share: connections, effects, a listener, plain SQL beside our own code.

use std::sync::Mutex;
use std::time::Duration;

use switchback::migration::{Direction, Migration};
use switchback::provider::postgres::Migrator;
use switchback::provider::postgres::settings::settings_of_url;
use switchback::value::Object;
use switchback::world::{Connection, Content, Databases as _, EffectError, MigrationEffect, Progress};

/// Hears everything.
#[derive(Default)]
pub struct Heard(pub Mutex<Vec<String>>);

impl Progress for Heard {
    fn say(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

impl Heard {
    pub fn text(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

pub fn connection(url: &str) -> Connection {
    Connection { provider: "postgres".to_owned(), alias: None, settings: settings_of_url(url) }
}

/// The URL of another database on the same server.
pub fn in_database(url: &str, name: &str) -> String {
    let (place, _) = url.rsplit_once('/').unwrap();
    format!("{place}/{name}")
}

/// A plain session, beside our own code.
pub async fn session(url: &str) -> tokio_postgres::Client {
    let (client, driver) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(driver);
    client
}

/// One value of one row, as text.
pub async fn value(url: &str, query: &str) -> String {
    let client = session(url).await;
    let row = client.query_one(&format!("select ({query})::text"), &[]).await.unwrap();
    row.get::<_, Option<String>>(0).unwrap_or_default()
}

pub fn migration(version: i64, name: &str, up: &str, down: Option<&str>) -> Migration {
    let transaction = !up.contains("transaction off");
    Migration { transaction, ..Migration::plain(version, name, up, down) }
}

pub fn effect(migration: &Migration, direction: Direction, token: &str) -> MigrationEffect {
    MigrationEffect {
        token: token.to_owned(),
        fence: switchback::world::Fence::open(),
        direction,
        migration: migration.clone(),
        lock_timeout: Duration::from_millis(300),
        content: Content::Goes,
        from: Default::default(),
    }
}

pub async fn run(url: &str, migration: &Migration, direction: Direction) -> Result<Object, EffectError> {
    let effect = effect(migration, direction, "t0");
    Migrator::default().migrate(&connection(url), &effect, &Heard::default()).await
}

pub async fn up(url: &str, migration: &Migration) -> Object {
    run(url, migration, Direction::Up).await.unwrap()
}

pub async fn down(url: &str, migration: &Migration) -> Object {
    run(url, migration, Direction::Down).await.unwrap()
}
