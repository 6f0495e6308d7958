//! The way to the server: what a URL says, one session, and how long to wait for a server that is away. An edge.
//!
//! Invariant: nothing waits without an end, and all of it together ends well before a usual lease does.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row};

use crate::ledger::StoreError;
use crate::provider::postgres::connection;
use crate::provider::postgres::errors::{is_refusal, world_error};
use crate::provider::postgres::settings::{self, Password, Target};
use crate::store::Keys;
use crate::world::{ErrorClass, WorldError};

/// The schema, when the URL names none.
pub const SCHEMA: &str = "switchback_ledger";

/// Where a password may stand.
const PASSWORD_HELP: &str = "set PGPASSWORD, or name a file with `password_file=PATH` in the URL";

/// Longest run of one statement, by the server.
const STATEMENT: Duration = Duration::from_secs(10);

/// Longest wait for an answer, by us: the server may be gone without a word.
const ANSWER: Duration = Duration::from_secs(15);

/// Longest wait for a connection, when the URL does not say.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a server that we have met may be away: long enough for a restart.
const AWAY: Duration = Duration::from_secs(20);

/// How long a server that we have never met may be away.
const NEVER_MET: Duration = Duration::from_secs(2);

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Parameters of a statement, with their types.
pub type Parameters<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// The server, and the session with it.
pub struct Reach {
    target: Target,
    schema: String,
    url: String,
    session: Mutex<Session>,
}

#[derive(Default)]
struct Session {
    client: Option<Client>,
    met: bool,
}

/// Why a statement has no answer.
pub enum Trouble {
    /// The server refuses it; nothing happened.
    Refused(Error),
    /// It was sent, and the answer did not come; it may have happened.
    Lost(WorldError),
    /// It was not sent.
    Unsent(WorldError),
}

/// How long one goes on trying.
pub struct Patience {
    since: Instant,
    pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { since: Instant::now(), pause: Duration::from_millis(50) }
    }
}

impl Reach {
    /// Reads a URL.
    ///
    /// # Errors
    /// When it says too little, or holds a password.
    pub fn read(url: &str, base: &Path, keys: &Keys) -> Result<Self, StoreError> {
        let refuse = |cause: &str, help: &str| StoreError::Storage {
            tried: "read the ledger's URL".to_owned(),
            cause: format!("{cause}; {help}"),
        };
        let (server, schema) = without_schema(url);
        let target = Target::read(&settings::settings_of_url(&server));
        let mut target = target.map_err(|error| refuse(&error.text, &error.help))?;
        let has_timeout = server.contains("connect_timeout=");
        match (&target.password, &keys.postgres_password) {
            (Password::Given(_), _) => {
                let cause = "a ledger's URL holds no password, for it is shown and written down";
                return Err(refuse(cause, PASSWORD_HELP));
            }
            (Password::Absent, Some(password)) => target.password = Password::Given(password.clone()),
            (Password::File(file), _) => {
                target.password = Password::File(base.join(file).to_string_lossy().into_owned());
            }
            (Password::Absent, None) | (Password::Iam { .. }, _) => {}
        }
        if !has_timeout {
            target.connect_timeout = CONNECT;
        }
        let url = shown(&target, &schema);
        Ok(Self { target, schema, url, session: Mutex::default() })
    }

    /// The schema of the table.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Where it leads, and as whom.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The URL, without a secret.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs a statement that changes nothing, and again when the server was away.
    ///
    /// # Errors
    /// When the server refuses, or stays away.
    pub async fn ask(&self, tried: &str, statement: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, StoreError> {
        let mut patience = Patience::default();
        loop {
            match self.once(statement, parameters).await {
                Ok(rows) => return Ok(rows),
                Err(trouble) if self.waits(&trouble, &mut patience).await => {}
                Err(trouble) => return Err(self.error(tried, trouble)),
            }
        }
    }

    /// Runs a statement once, as a transaction of its own.
    ///
    /// # Errors
    /// What became of it.
    pub async fn once(&self, statement: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Trouble> {
        let mut session = self.session.lock().await;
        if session.client.as_ref().is_none_or(Client::is_closed) {
            session.client = Some(self.open().await.map_err(Trouble::Unsent)?);
            session.met = true;
        }
        let client = session.client.as_ref().expect("it was opened");
        let answer = tokio::time::timeout(ANSWER, client.query_typed(statement, parameters)).await;
        let lost = match answer {
            Ok(Ok(rows)) => return Ok(rows),
            Ok(Err(error)) if is_refusal(&error) => return Err(Trouble::Refused(error)),
            Ok(Err(error)) => world_error("hear the server's answer", &error),
            Err(_) => WorldError {
                tried: "hear the server's answer".to_owned(),
                cause: format!("no answer within {} seconds", ANSWER.as_secs()),
                help: None,
                class: ErrorClass::Unreachable,
            },
        };
        session.client = None;
        Err(Trouble::Lost(lost))
    }

    /// A session whose commits are durable and whose statements end.
    ///
    /// # Errors
    /// As the way to the server or the server says.
    pub async fn open(&self) -> Result<Client, WorldError> {
        let client = connection::open_for(&self.target, "ledger").await?;
        let settings = format!(
            "set statement_timeout = {0}; set lock_timeout = {0}; set idle_in_transaction_session_timeout = {0}; \
             set default_transaction_isolation = 'read committed'; \
             select pg_catalog.set_config('synchronous_commit', 'on', false) \
             where pg_catalog.current_setting('synchronous_commit') in ('off', 'local')",
            STATEMENT.as_millis()
        );
        let prepared = tokio::time::timeout(ANSWER, client.batch_execute(&settings)).await;
        let tried = format!("open a session at {}", self.target);
        match prepared {
            Ok(Ok(())) => Ok(client),
            Ok(Err(error)) => Err(world_error(tried, &error)),
            Err(_) => {
                Err(WorldError { tried, cause: "no answer".to_owned(), help: None, class: ErrorClass::Unreachable })
            }
        }
    }

    /// Whether it makes sense to try again; if so, after a pause.
    pub async fn waits(&self, trouble: &Trouble, patience: &mut Patience) -> bool {
        let class = match trouble {
            Trouble::Refused(error) => world_error("", error).class,
            Trouble::Lost(_) => ErrorClass::Unreachable,
            Trouble::Unsent(error) => error.class,
        };
        let budget = if self.session.lock().await.met { AWAY } else { NEVER_MET };
        let passes = matches!(class, ErrorClass::Unreachable | ErrorClass::Transient);
        if !passes || patience.since.elapsed() + patience.pause >= budget {
            return false;
        }
        tokio::time::sleep(patience.pause).await;
        patience.pause = (patience.pause * 2).min(LONGEST_PAUSE);
        true
    }

    /// What to tell.
    pub fn error(&self, tried: &str, trouble: Trouble) -> StoreError {
        let error = match trouble {
            Trouble::Refused(error) if is_missing(&error) => WorldError {
                tried: String::new(),
                cause: format!("there is no table {}.records", self.schema),
                help: Some("make it with `switchback init --ledger URL`".to_owned()),
                class: ErrorClass::Refused,
            },
            Trouble::Refused(error) => world_error("", &error),
            Trouble::Unsent(error) if error.class == ErrorClass::Denied && self.target.password == Password::Absent => {
                WorldError { help: Some(PASSWORD_HELP.to_owned()), ..error }
            }
            Trouble::Lost(error) | Trouble::Unsent(error) => error,
        };
        let help = error.help.map(|help| format!(" ({help})")).unwrap_or_default();
        StoreError::Storage { tried: format!("{tried} {}", self.url), cause: format!("{}{help}", error.cause) }
    }
}

fn is_missing(error: &Error) -> bool {
    [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME].iter().any(|code| error.code() == Some(code))
}

/// The URL of the server alone, and the schema that it named.
fn without_schema(url: &str) -> (String, String) {
    let Some((place, query)) = url.split_once('?') else {
        return (url.to_owned(), SCHEMA.to_owned());
    };
    let (schema, rest): (Vec<&str>, Vec<&str>) = query.split('&').partition(|option| option.starts_with("schema="));
    let schema = schema.last().and_then(|option| option.strip_prefix("schema=")).filter(|name| !name.is_empty());
    let server = if rest.is_empty() { place.to_owned() } else { format!("{place}?{}", rest.join("&")) };
    (server, settings::decode(schema.unwrap_or(SCHEMA)).unwrap_or_default())
}

/// The whole URL without the password, so that it can be typed again.
fn shown(target: &Target, schema: &str) -> String {
    let url = target.url_of(&target.dbname);
    let user = settings::encode(&target.user);
    let mut url = url.replacen("postgres://", &format!("postgres://{user}@"), 1);
    let mut add = |name: &str, value: &str| {
        let sign = if url.contains('?') { '&' } else { '?' };
        url += &format!("{sign}{name}={}", settings::encode(value));
    };
    add("schema", schema);
    if let Password::File(file) = &target.password {
        add("password_file", file);
    }
    if let Some(role) = &target.set_role {
        add("set_role", role);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str, password: Option<&str>) -> Result<Reach, StoreError> {
        let keys = Keys { postgres_password: password.map(str::to_owned) };
        Reach::read(url, Path::new("/project"), &keys)
    }

    #[test]
    fn the_url_comes_back_without_its_password_and_leads_to_the_same_place() {
        for (url, shown) in [
            ("postgres://me@db:6543/shop", "postgres://me@db:6543/shop?schema=switchback_ledger"),
            (
                "postgresql://m%40e@db/shop?sslmode=require&schema=a%20b",
                "postgres://m%40e@db:5432/shop?sslmode=require&schema=a%20b",
            ),
            (
                "postgres://me@db/shop?password_file=secret&set_role=boss",
                "postgres://me@db:5432/shop?schema=switchback_ledger&password_file=%2Fproject%2Fsecret&set_role=boss",
            ),
            (
                "postgres://me@/shop?host=/run/pg",
                "postgres://me@/shop?host=%2Frun%2Fpg&port=5432&schema=switchback_ledger",
            ),
        ] {
            let reach = read(url, Some("hush")).unwrap();
            assert_eq!(reach.url(), shown);
            assert_eq!(read(shown, None).unwrap().url(), shown, "it can be typed again");
            assert!(!format!("{:?} {}", reach.target(), reach.url()).contains("hush"));
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, part) in [
            ("postgres://me:hush@db/shop", "holds no password"),
            ("postgres://db/shop", "no user is given"),
            ("postgres://me@db/shop?what=1", "`what`"),
        ] {
            let error = read(url, None).err().unwrap().to_string();
            assert!(error.contains(part) && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn all_waiting_together_ends_before_a_usual_lease() {
        assert!(AWAY + CONNECT + ANSWER < Duration::from_secs(60));
        assert!(STATEMENT < ANSWER);
    }
}
