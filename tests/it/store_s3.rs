//! The ledger in S3, on a real endpoint: the suite of all stores, writers that race, leases by the store's clock, and
//! what an endpoint or a person can do to it.

mod faults;
mod intruder;
mod place;
mod segments;

use std::sync::Arc;
use std::time::{Duration, Instant};

use switchback::digest::Digest;
use switchback::ledger::{LeaseTerms, Ledger, Project, Record, Store, StoreError};
use switchback::store;
use switchback::store::s3::{self, S3Store};
use switchback::world::Clock;

use self::place::Place;
use crate::store::{actor, chain, conforms, held};

/// Runs a test that asks the network.
fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test)
}

/// Larger counts.
fn is_long() -> bool {
    std::env::var_os("SWITCHBACK_TEST_LONG").is_some()
}

/// Appends records one by one; gives them.
async fn append_singly(store: &S3Store, after: &[Record], count: u64) -> Vec<Record> {
    let (last, head) = after.last().map_or((0, Digest::of_bytes(b"")), |last| (last.sequence, last.digest()));
    let records = chain(last + 1, count, head);
    for record in &records {
        store.append(record.sequence - 1, std::slice::from_ref(record)).await.expect("appended");
    }
    records
}

struct Now(Instant);

impl Clock for Now {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn uptime(&self) -> Duration {
        self.0.elapsed()
    }
}

#[test]
fn it_conforms() {
    let place = Place::new("conforms");
    run(conforms(&|| Arc::new(place.open())));
    let url = place.url.clone();
    run(conforms(&|| store::open(&url, std::path::Path::new("/"), "other").expect("the URL is right")));
    assert_eq!(place.open().url(), place.url, "it can be typed again");
}

#[test]
fn of_eight_writers_at_once_each_batch_is_whole_and_in_one_place() {
    let place = Place::new("eight");
    let rounds = if is_long() { 30 } else { 5 };
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let place = &place;
            scope.spawn(move || run(write_against_others(place, writer, rounds)));
        }
    });
    let ledger = run(Ledger::open(Arc::new(place.open()))).expect("the chain is whole");
    assert_eq!(ledger.last(), 8 * rounds * 2);
    let records = run(place.open().read(0)).expect("whole");
    for (writer, round) in (0..8).flat_map(|writer| (0..rounds).map(move |round| (writer, round))) {
        let body = held(&format!("{writer} {round}"));
        assert_eq!(records.iter().filter(|record| record.body == body).count(), 1, "{writer} {round}");
    }
}

async fn write_against_others(place: &Place, writer: u64, rounds: u64) {
    let mut ledger = Ledger::open(Arc::new(place.open())).await.expect("whole at any time");
    let mut written = 0;
    while written < rounds {
        let bodies = vec![held(&format!("{writer} {written}")), held("c")];
        match ledger.append(jiff::Timestamp::UNIX_EPOCH, bodies).await {
            Ok(()) => written += 1,
            Err(StoreError::Overtaken { .. }) => ledger.refresh().await.expect("whole at any time"),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_lease_runs_out_by_the_clock_of_s3() {
    let place = Place::new("lease");
    let clock: Arc<dyn Clock> = Arc::new(Now(Instant::now()));
    let terms = LeaseTerms {
        actor: actor(),
        purpose: "a test".into(),
        length: Duration::from_secs(3),
        life: None,
        is_dead: |_, _| false,
        clock: Arc::clone(&clock),
    };
    let project = Project { project: "p".into(), environment: "dev".into() };
    run(async {
        let mut first = Ledger::open(Arc::new(place.open())).await.expect("empty");
        first.take_lease(&terms, &project).await.expect("nobody has it");
        let asked = clock.uptime();
        let mut second = Ledger::open(Arc::new(place.open())).await.expect("whole");
        let refused = second.take_lease(&terms, &project).await;
        assert!(matches!(refused, Err(StoreError::Leased { .. })), "{refused:?}");
        loop {
            match second.take_lease(&terms, &project).await {
                Ok(()) => break,
                Err(StoreError::Leased { .. }) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(other) => panic!("{other}"),
            }
            assert!(clock.uptime() - asked < Duration::from_secs(12), "it never runs out");
        }
        let waited = clock.uptime() - asked;
        assert!(waited >= Duration::from_millis(2_500), "it was taken while it held: after {waited:?}");
        let late = first.append(clock.now(), vec![held("late")]).await;
        assert!(matches!(late, Err(StoreError::Lost { .. })), "{late:?}");
        second.append(clock.now(), vec![held("in time")]).await.expect("the new holder writes");
    });
}

#[test]
fn the_age_is_never_more_than_it_is() {
    let place = Place::new("age");
    run(async {
        let store = place.open();
        assert_eq!(store.age().await, Ok(None));
        for sequence in 1..=8 {
            let begun = Instant::now();
            let records = store.read(0).await.expect("whole");
            append_singly(&store, &records, 1).await;
            tokio::time::sleep(Duration::from_millis(170 * sequence)).await;
            let (last, age) = place.open().age().await.expect("it has a clock").expect("there are records");
            assert_eq!(last, sequence);
            assert!(age <= begun.elapsed(), "{age:?} after {:?}", begun.elapsed());
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        let (_, age) = store.age().await.expect("it has a clock").expect("there are records");
        assert!(age >= Duration::from_secs(2), "time passes: {age:?}");
    });
}

#[test]
fn an_endpoint_that_ignores_conditions_is_declined_and_nothing_is_recorded() {
    let place = Place::bare("ignores");
    place.fault(&serde_json::json!({ "answer": "unconditional", "times": 1000 }));
    let refused = run(place.open().append(0, &chain(1, 1, Digest::of_bytes(b"")))).expect_err("declined").to_string();
    assert!(refused.contains("If-None-Match") && refused.contains("postgres:"), "{refused}");
    let refused = run(s3::make_place(&place.url)).expect_err("declined").to_string();
    assert!(refused.contains("If-None-Match"), "{refused}");
    assert_eq!(place.list("ledgers/dev/"), Vec::<String>::new());
    place.heal();
    run(place.open().append(0, &chain(1, 1, Digest::of_bytes(b"")))).expect("it is a good one");
}

#[test]
fn an_edited_key_a_newer_one_and_a_lost_one_are_named() {
    let place = Place::new("edited");
    let store = place.open();
    let records = run(append_singly(&store, &[], 25));
    let key = |sequence: u64| format!("ledgers/dev/records/{sequence:020}.json");
    let whole = place.get(&key(7));
    place.put(&key(7), &whole.replace("\"host\":\"here\"", "\"host\":\"elsewhere\""));
    run(async {
        assert_eq!(place.open().read(0).await.as_ref(), Ok(&records), "the segment is a copy of what it was");
        let seen = place.open().originals().await.expect("readable");
        assert_eq!(seen.iter().zip(&records).filter(|(seen, written)| seen != written).count(), 1);
        assert_ne!(seen[6], records[6], "whoever verifies sees it");
    });
    for (text, said) in [("nonsense", "cannot be read"), ("{\"writer\":\"x\",\"records\":[]}", "no record")] {
        place.put(&key(22), text);
        let error = run(place.open().read(0)).expect_err("refused");
        assert!(matches!(&error, StoreError::Damaged { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains(&format!("s3://{}/{}", place.bucket, key(22))) && error.contains(said), "{error}");
    }
    place.put(&key(22), r#"{"writer":"x","records":[{"format":99,"record":"dreamt"}]}"#);
    let error = run(place.open().read(0)).expect_err("refused");
    assert!(
        matches!(&error, StoreError::Newer { found: 99, known: switchback::ledger::record::FORMAT, url, .. } if url.ends_with(&key(22))),
        "{error}"
    );
    place.delete(&key(22));
    let error = run(place.open().read(0)).expect_err("refused").to_string();
    assert!(error.contains(&key(22)) && error.contains("lost"), "{error}");
}

#[test]
fn a_place_is_made_once_and_stays_as_it_is() {
    let place = Place::nowhere("made");
    let missing = run(place.open().read(0)).expect_err("no bucket").to_string();
    assert!(missing.contains("NoSuchBucket") && missing.contains("switchback init --ledger"), "{missing}");
    let made = run(s3::make_place(&place.url)).expect("made");
    assert!(made.made.iter().any(|line| line.contains("the bucket")), "{:?}", made.made);
    assert_eq!(run(s3::make_place(&place.url)).expect("there").made, Vec::<String>::new());
    assert!(place.setting("versioning").contains("<Status>Enabled</Status>"));
    assert!(place.setting("encryption").contains("AES256"));
    assert_eq!(place.setting("publicAccessBlock").matches(">true<").count(), 4);
    assert!(made.applying_rights.contains("s3:PutObject") && !made.planning_rights.contains("s3:PutObject"));
}

#[test]
fn errors_say_what_to_do() {
    let place = Place::new("errors");
    let read = |code: &str, status: u16| {
        place.heal();
        let answer = serde_json::json!({ "operation": "s3.ListObjectsV2", "answer": status, "code": code });
        place.fault(&answer);
        run(place.open().read(0)).expect_err("refused").to_string()
    };
    for (code, status, help) in [
        ("AccessDenied", 403, "grant the identity its rights"),
        ("ExpiredToken", 400, "renew the credentials"),
        ("InvalidAccessKeyId", 403, "give credentials"),
        ("NoSuchBucket", 404, "make the bucket"),
        ("PermanentRedirect", 400, "another region"),
    ] {
        let said = read(code, status);
        assert!(said.contains(code) && said.contains(help) && said.contains(&place.bucket), "{said}");
    }
    let nowhere = format!("s3://{}/ledgers?region=x&endpoint=http://127.0.0.1:9", place.bucket);
    let store = S3Store::new(&nowhere, "dev").expect("a URL").with_patience(place::quick());
    let said = run(store.append(0, &chain(1, 1, Digest::of_bytes(b"")))).expect_err("refused").to_string();
    assert!(said.contains("`endpoint=` and `region=`") && said.contains("127.0.0.1:9"), "{said}");
    let said = S3Store::new("s3://X", "dev").err().expect("no URL").to_string();
    assert!(said.contains("s3://BUCKET/PREFIX"), "{said}");
}
