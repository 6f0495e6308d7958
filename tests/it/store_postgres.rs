//! The ledger in PostgreSQL, on real servers: the suite of all stores, and what a server in particular can suffer.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use switchback::digest::Digest;
use switchback::ledger::record::Sequence;
use switchback::ledger::{Actor, Body, LeaseTerms, Ledger, Project, Store, StoreError};
use switchback::store::{Keys, Place, make_place, open_with};
use switchback::world::Clock;
use tokio_postgres::Client;

use crate::audit::{self, audit_catches};
use crate::postgres::session;
use crate::postgres_server::{PASSWORD, Server};
use crate::stack::{shared, unique};
use crate::store::{chain, conforms};

/// A place for ledgers in a database of its own.
struct Table {
    /// With the password, for looking at it from beside.
    admin: String,
    /// Without.
    url: String,
    keys: Keys,
    made: Place,
}

impl Table {
    /// In a new database of the shared server.
    async fn new(prefix: &str) -> Self {
        let admin = tokio::task::spawn_blocking({
            let prefix = prefix.to_owned();
            move || shared().new_database(&prefix)
        });
        Self::at(admin.await.unwrap()).await
    }

    async fn at(admin: String) -> Self {
        let (url, password) = split(&admin);
        let keys = Keys { postgres_password: Some(password) };
        let made = make_place(&url, Path::new("/"), &keys).await.unwrap();
        Self { admin, url, keys, made }
    }

    fn open(&self) -> Arc<dyn Store> {
        open_with(&self.url, Path::new("/"), "dev", &self.keys).unwrap()
    }

    /// A session beside, as the superuser.
    async fn admin(&self) -> Client {
        session(&self.admin).await
    }
}

/// The URL without its password, and the password.
fn split(url: &str) -> (String, String) {
    let (login, place) = url.rsplit_once('@').unwrap();
    let (user, password) = login.rsplit_once(':').unwrap();
    (format!("{user}@{place}"), password.to_owned())
}

fn held(name: &str) -> Body {
    Body::Held { spec_digest: Digest::of_bytes(name.as_bytes()), run: None, reason: format!("because of {name}") }
}

async fn append(ledger: &mut Ledger, names: &[&str]) -> Result<(), StoreError> {
    ledger.append(jiff::Timestamp::UNIX_EPOCH, names.iter().map(|name| held(name)).collect()).await
}

#[tokio::test]
async fn a_table_conforms() {
    let table = Table::new("conforms").await;
    conforms(&|| table.open()).await;
    // Another environment in the same table is another chain.
    let other = open_with(&table.url, Path::new("/"), "prod", &table.keys).unwrap();
    assert_eq!(other.read(0).await, Ok(Vec::new()));
}

#[tokio::test]
async fn the_place_is_made_once_and_shows_no_password() {
    let table = Table::new("place").await;
    assert_eq!(table.made.made.len(), 3, "{:?}", table.made);
    let password = table.keys.postgres_password.clone().unwrap();
    assert!(!format!("{:?} {}", table.made, table.open().url()).contains(&password));
    let url = table.open().url();
    assert!(url.contains("schema=switchback_ledger"), "{url}");
    let again = make_place(&table.url, Path::new("/"), &table.keys).await.unwrap();
    assert_eq!(again.made, Vec::<String>::new());
    let elsewhere = open_with(&format!("{}?schema=nowhere", table.url), Path::new("/"), "dev", &table.keys).unwrap();
    let error = elsewhere.read(0).await.unwrap_err().to_string();
    assert!(error.contains("there is no table nowhere.records") && error.contains("init --ledger"), "{error}");
}

#[tokio::test]
async fn two_who_make_the_place_at_once_do_not_disturb_each_other() {
    let admin = tokio::task::spawn_blocking(|| shared().new_database("twice")).await.unwrap();
    let (url, password) = split(&admin);
    let keys = Keys { postgres_password: Some(password) };
    let make = || make_place(&url, Path::new("/"), &keys);
    let (a, b, c) = tokio::join!(make(), make(), make());
    let made: usize = [a, b, c].into_iter().map(|place| place.unwrap().made.len()).sum();
    assert_eq!(made, 3);
}

#[tokio::test]
async fn a_password_file_beside_the_project_opens_it() {
    let table = Table::new("file").await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), table.keys.postgres_password.as_ref().unwrap()).unwrap();
    let url = format!("{}?password_file=secret", table.url);
    let store = open_with(&url, folder.path(), "dev", &Keys::default()).unwrap();
    assert_eq!(store.read(0).await, Ok(Vec::new()));
}

#[tokio::test]
async fn rows_can_only_be_added() {
    let table = Table::new("only").await;
    append(&mut Ledger::open(table.open()).await.unwrap(), &["a", "b"]).await.unwrap();
    let admin = table.admin().await;
    for statement in [
        "update switchback_ledger.records set record = 'x'",
        "delete from switchback_ledger.records where sequence = 2",
        "delete from switchback_ledger.records where false",
        "truncate switchback_ledger.records",
        "set session_replication_role = replica; delete from switchback_ledger.records",
    ] {
        let error = admin.batch_execute(statement).await.expect_err(statement);
        let said = error.as_db_error().unwrap().message().to_owned();
        assert!(said.contains("a ledger is append-only"), "{statement}: {said}");
    }
    assert_eq!(table.open().read(0).await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_least_rights_that_are_printed_suffice_and_are_the_least() {
    let table = Table::new("rights").await;
    let admin = table.admin().await;
    let (planner, applier) = (unique("planner"), unique("applier"));
    for role in [&planner, &applier] {
        admin.batch_execute(&format!("create role {role} login password 'pw'")).await.unwrap();
    }
    admin.batch_execute(&table.made.planning_rights.replace("TO planner", &format!("TO {planner}"))).await.unwrap();
    admin.batch_execute(&table.made.applying_rights.replace("TO applier", &format!("TO {applier}"))).await.unwrap();
    let (_, place) = table.url.rsplit_once('@').unwrap();
    let keys = Keys { postgres_password: Some("pw".to_owned()) };
    let of = |role: &str| open_with(&format!("postgres://{role}@{place}"), Path::new("/"), "dev", &keys).unwrap();

    let mut applying = Ledger::open(of(&applier)).await.unwrap();
    append(&mut applying, &["a"]).await.unwrap();
    let planning = of(&planner);
    assert_eq!(planning.read(0).await.unwrap().len(), 1);
    assert!(planning.age().await.unwrap().is_some());
    let mut refused = Ledger::open(planning).await.unwrap();
    let error = append(&mut refused, &["b"]).await.unwrap_err().to_string();
    assert!(error.contains("permission denied"), "{error}");

    let (_, host) = place.split_once(':').unwrap();
    let beside = session(&format!("postgres://{applier}:pw@127.0.0.1:{host}")).await;
    let forged = "insert into switchback_ledger.records (environment, sequence, record, at) values ('dev', 2, '', now() + '1 day')";
    for statement in [forged, "delete from switchback_ledger.records", "drop table switchback_ledger.records"] {
        let error = beside.batch_execute(statement).await.expect_err(statement);
        assert_eq!(error.code().unwrap().code(), "42501", "{statement}: {error}");
    }
    // Where all of it is there, nobody needs a right to make it.
    let url = format!("postgres://{applier}@{place}");
    assert!(make_place(&url, Path::new("/"), &keys).await.unwrap().made.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_writers_at_once_each_batch_is_whole_and_in_one_place() {
    let table = Arc::new(Table::new("eight").await);
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let table = Arc::clone(&table);
            tokio::spawn(async move {
                let mut ledger = Ledger::open(table.open()).await.unwrap();
                let mut written = 0;
                while written < 10 {
                    let name = format!("{writer} {written}");
                    match append(&mut ledger, &[&name, "c", "d"]).await {
                        Ok(()) => written += 1,
                        Err(StoreError::Overtaken { .. }) => ledger.refresh().await.unwrap(),
                        Err(other) => panic!("{other}"),
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no writer fails");
    }
    let ledger = Ledger::open(table.open()).await.expect("the chain is whole");
    assert_eq!(ledger.last(), 8 * 10 * 3);
    let records = table.open().read(0).await.unwrap();
    let tail = |at: usize| matches!(&records[at].body, Body::Held { reason, .. } if reason.ends_with("of d"));
    assert!((0..records.len()).all(|at| tail(at) == (at % 3 == 2)), "no batch is torn by another");
}

/// A clock of one process: only for its own deadline.
struct Here(Instant);

impl Clock for Here {
    fn now(&self) -> jiff::Timestamp {
        // Hours off, as clocks of hosts are.
        jiff::Timestamp::UNIX_EPOCH
    }

    fn uptime(&self) -> Duration {
        self.0.elapsed()
    }
}

fn terms(name: &str, length: Duration) -> LeaseTerms {
    LeaseTerms {
        actor: Actor { name: name.into(), host: "here".into(), tool: "0".into(), process: 1, commit: None },
        purpose: "a test".into(),
        length,
        life: None,
        is_dead: |_, _| false,
        clock: Arc::new(Here(Instant::now())),
    }
}

#[tokio::test]
async fn a_lease_is_over_by_the_clock_of_the_database() {
    let table = Table::new("lease").await;
    let project = Project { project: "shop".into(), environment: "dev".into() };
    let mut first = Ledger::open(table.open()).await.unwrap();
    first.take_lease(&terms("first", Duration::from_secs(600)), &project).await.unwrap();
    let mut second = Ledger::open(table.open()).await.unwrap();
    let refused = second.take_lease(&terms("second", Duration::from_secs(5)), &project).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Leased { holder, .. } if holder.contains("first on here")), "{refused}");
    let (last, age) = table.open().age().await.unwrap().unwrap();
    assert!(last == first.last() && age < Duration::from_secs(60), "{last} {age:?}");

    // Eleven minutes pass in the database: what counts is its clock against its own notes.
    let admin = table.admin().await;
    let pass = "alter table switchback_ledger.records disable trigger append_only; \
                update switchback_ledger.records set at = at - interval '11 minutes'; \
                alter table switchback_ledger.records enable always trigger append_only";
    admin.batch_execute(pass).await.unwrap();
    second.take_lease(&terms("second", Duration::from_secs(5)), &project).await.expect("it is over");
    let lost = append(&mut first, &["a"]).await.unwrap_err();
    assert!(matches!(&lost, StoreError::Lost { by, .. } if by.contains("second on here")), "{lost}");
}

/// In front of a server: hands everything on, and swallows the answers to the next inserts, as a line does that breaks.
struct Line {
    port: u16,
    swallow: Arc<AtomicU32>,
}

impl Line {
    fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let swallow = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&swallow);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let upstream = TcpStream::connect(("127.0.0.1", server)).unwrap();
                let inserting = Arc::new(AtomicU32::new(0));
                let pump = |mut from: TcpStream,
                            mut to: TcpStream,
                            hears: fn(&[u8], &AtomicU32, &AtomicU32) -> bool| {
                    let (count, inserting) = (Arc::clone(&count), Arc::clone(&inserting));
                    std::thread::spawn(move || {
                        let mut buffer = [0; 1 << 16];
                        while let Ok(length @ 1..) = from.read(&mut buffer) {
                            if !hears(&buffer[..length], &count, &inserting) || to.write_all(&buffer[..length]).is_err()
                            {
                                break;
                            }
                        }
                        let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
                    });
                };
                pump(client.try_clone().unwrap(), upstream.try_clone().unwrap(), |bytes, _, inserting| {
                    if bytes.windows(12).any(|window| window == b"insert into ") {
                        inserting.store(1, Ordering::SeqCst);
                    }
                    true
                });
                pump(upstream, client, |_, count, inserting| {
                    let is_answer = inserting.swap(0, Ordering::SeqCst) == 1;
                    let less = |left: u32| left.checked_sub(1);
                    !(is_answer && count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok())
                });
            }
        });
        Self { port, swallow }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_settled_by_asking() {
    let table = Table::new("lost").await;
    let (place, database) = table.url.rsplit_once('/').unwrap();
    let (login, port) = place.rsplit_once(':').unwrap();
    let line = Line::to(port.parse().unwrap());
    let url = format!("{login}:{}/{database}", line.port);
    let open = || open_with(&url, Path::new("/"), "dev", &table.keys).unwrap();
    let store = open();
    let records = chain(1, 9, Digest::of_bytes(b""));
    store.append(0, &records[..1]).await.unwrap();
    for lost in [1, 2, 3] {
        let last = (2 * lost - 1) as usize;
        line.swallow.store(lost, Ordering::SeqCst);
        store.append(last as Sequence, &records[last..last + 2]).await.expect("it stands, and is found");
        assert_eq!(line.swallow.load(Ordering::SeqCst), 0, "answers were lost");
    }
    assert_eq!(table.open().read(0).await.unwrap(), records[..7], "nothing stands twice");
    // A lost answer hides nothing: who was first is first.
    table.open().append(7, &records[7..8]).await.unwrap();
    line.swallow.store(1, Ordering::SeqCst);
    let mut other = records[7].clone();
    other.time = jiff::Timestamp::MAX;
    let overtaken = store.append(7, &[other]).await.unwrap_err();
    assert!(matches!(overtaken, StoreError::Overtaken { expected: 7, found: 8, .. }), "{overtaken}");
    assert_eq!(line.swallow.load(Ordering::SeqCst), 0, "an answer was lost");
    assert_eq!(table.open().read(0).await.unwrap(), records[..8]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_loses_no_record_and_doubles_none() {
    let server = tokio::task::spawn_blocking(|| Server::start(&[], |_| ())).await.unwrap();
    let table = Table::at(server.url("postgres")).await;
    assert_eq!(table.keys.postgres_password.as_deref(), Some(PASSWORD));
    let mut ledger = Ledger::open(table.open()).await.unwrap();
    let restarting = tokio::task::spawn_blocking(move || {
        for _ in 0..2 {
            std::thread::sleep(Duration::from_millis(200));
            server.restart("immediate");
        }
        server
    });
    let mut count = 0;
    while !restarting.is_finished() || count < 20 {
        append(&mut ledger, &["a", "b"]).await.expect("it waits for the server");
        count += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let server = restarting.await.unwrap();
    assert_eq!(Ledger::open(table.open()).await.unwrap().last(), 2 * count);
    drop(server);
    let (since, gone) = (Instant::now(), open_with(&table.url, Path::new("/"), "dev", &table.keys).unwrap());
    let error = gone.read(0).await.unwrap_err().to_string();
    assert!(error.contains("read the ledger") && error.contains("check that the server runs"), "{error}");
    assert!(since.elapsed() < Duration::from_secs(10), "who was never there is not waited for");
}

#[async_trait]
impl audit::Place for Table {
    fn open(&self) -> Arc<dyn Store> {
        Self::open(self)
    }

    async fn put(&self, records: &[(Sequence, String)]) {
        let admin = self.admin().await;
        let free =
            "alter table switchback_ledger.records disable trigger append_only; delete from switchback_ledger.records";
        admin.batch_execute(free).await.unwrap();
        for (sequence, text) in records {
            let insert = "insert into switchback_ledger.records values ('dev', $1, $2)";
            admin.execute(insert, &[&i64::try_from(*sequence).unwrap(), text]).await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_intruder_in_the_database_is_noticed() {
    audit_catches(&Table::new("intruder").await).await;
}

#[tokio::test]
async fn a_newer_record_is_refused_by_name() {
    let table = Table::new("newer").await;
    let text = r#"{"format":9,"sequence":1,"previous":"00","body":{"record":"dreamt","actor":{"tool":"7.1.0"}}}"#;
    audit::Place::put(&table, &[(1, text.to_owned())]).await;
    let error = table.open().read(0).await.unwrap_err();
    assert!(matches!(&error, StoreError::Newer { found: 9, tool, .. } if tool == "7.1.0 or newer"), "{error}");
}
