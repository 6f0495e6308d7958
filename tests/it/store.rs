//! What every ledger store must do, on the real thing; and what a file in particular can suffer.

use std::path::Path;
use std::sync::Arc;

use switchback::digest::Digest;
use switchback::ledger::record::{self, Sequence};
use switchback::ledger::{Actor, Body, Ledger, MemoryStore, Record, Store, StoreError};
use switchback::release::parcel::Texts;
use switchback::release::record::Event;
use switchback::release::tested::{TestResult, Tested, TestedRun};
use switchback::release::{Commit, Release};
use switchback::step::CheckResult;
use switchback::store::file::FileStore;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

/// Who does it.
pub fn actor() -> Actor {
    Actor { name: "test".into(), host: "here".into(), tool: "0".into(), process: 1, commit: None }
}

fn body(run: u64) -> Body {
    Body::Resumed { run, actor: actor() }
}

/// A record that says something.
pub fn held(name: &str) -> Body {
    Body::Held { spec_digest: Digest::of_bytes(name.as_bytes()), run: None, reason: format!("because of {name}") }
}

/// A chain of records that fit each other.
pub fn chain(from: Sequence, count: u64, mut previous: Digest) -> Vec<Record> {
    (from..from + count)
        .map(|sequence| {
            let time = jiff::Timestamp::UNIX_EPOCH;
            let body = body(sequence);
            let record = Record { format: record::FORMAT, sequence, previous, time, lease: None, body };
            previous = record.digest();
            record
        })
        .collect()
}

/// The conformance suite. `open` opens the same chain once more, as another process would.
pub async fn conforms(open: &dyn Fn() -> Arc<dyn Store>) {
    let store = open();
    assert_eq!(store.read(0).await, Ok(Vec::new()), "a chain begins empty");
    let first = chain(1, 3, Digest::of_bytes(b""));
    store.append(0, &first).await.expect("the first batch");
    assert_eq!(open().read(0).await.as_ref(), Ok(&first), "what was appended is there for everybody");
    assert_eq!(store.read(2).await.expect("a part").len(), 1);

    let late = store.append(2, &chain(3, 1, first[1].digest())).await;
    assert!(matches!(late, Err(StoreError::Overtaken { expected: 2, found: 3, .. })), "{late:?}");
    let early = open().append(7, &chain(8, 1, first[1].digest())).await;
    assert!(matches!(early, Err(StoreError::Overtaken { expected: 7, found: 3, .. })), "{early:?}");
    assert_eq!(open().read(0).await.as_ref(), Ok(&first), "who is refused has changed nothing");

    let other = open();
    other.append(3, &chain(4, 1, first[2].digest())).await.expect("another writer goes on");
    let overtaken = store.append(3, &chain(4, 1, first[2].digest())).await;
    assert!(matches!(overtaken, Err(StoreError::Overtaken { found: 4, .. })), "{overtaken:?}");

    let (last, age) = store.age().await.expect("the store has a clock").expect("there are records");
    assert!(last == 4 && age < std::time::Duration::from_secs(60), "{last} {age:?}");
    assert_eq!(other.originals().await, other.read(0).await);
    keeps_what_it_is_given(&*other).await;
}

/// Records with texts of others in them come back as they were, byte for byte.
async fn keeps_what_it_is_given(store: &dyn Store) {
    let before = store.read(0).await.expect("readable");
    let last = before.last().expect("there are records");
    let (mut sequence, mut previous) = (last.sequence, last.digest());
    let mut records = Vec::new();
    for body in of_releases_and_checks() {
        sequence += 1;
        let time = jiff::Timestamp::UNIX_EPOCH;
        let record = Record { format: record::FORMAT, sequence, previous, time, lease: None, body };
        previous = record.digest();
        records.push(record);
    }
    store.append(last.sequence, &records).await.expect("appended as one");
    assert_eq!(store.read(last.sequence).await.as_ref(), Ok(&records));
    let texts = store.texts().await.expect("the texts");
    for (record, text) in records.iter().zip(&texts[before.len()..]) {
        assert_eq!(Digest::of_bytes(text.as_bytes()), record.digest(), "{text}");
    }
}

/// What the ledger says of releases, and of what was asked of the world.
fn of_releases_and_checks() -> Vec<Body> {
    let text: Arc<str> = "line\n\u{0}\u{2028}\"ä\u{1F6B2}\\\r\n".into();
    let digest = Digest::of_bytes(text.as_bytes());
    let tag = "1.dkr.ecr.r.amazonaws.com/web:1".to_owned();
    let release = Release {
        format: switchback::release::FORMAT,
        project: "shop".to_owned(),
        environment: "dev".to_owned(),
        spec_digest: digest,
        commit: Some(Commit { hash: "a".repeat(40), dirty: true }),
        files: [("modules/web/ä b.hcl".to_owned(), digest)].into(),
        variables: [("image".to_owned(), "shop/web:1".into())].into(),
        images: std::collections::BTreeSet::new(),
        pinned: [(tag, "1.dkr.ecr.r.amazonaws.com/web@sha256:a".to_owned())].into(),
        migrations: std::collections::BTreeMap::new(),
        configuration: std::collections::BTreeMap::new(),
    };
    let (id, release) = (release.id(), Box::new(release));
    let texts: Texts = [(digest, text)].into();
    let events = [
        Event::Made { release: release.clone(), texts: texts.clone(), run: 1 },
        Event::Brought { release, texts, from: "dev".to_owned() },
        Event::Accepted { release: id, role: "uat".to_owned(), note: Some("ok\n—".to_owned()) },
        Event::Tagged { release: id, tag: "v1".to_owned(), commit: "b".repeat(40), object: "c".repeat(40) },
    ];
    let checked = Body::Checked {
        run: 1,
        check: "verify.up".parse().expect("an address"),
        result: CheckResult::Failed,
        saw: "503 \"busy\"".to_owned(),
        facts: [("status".to_owned(), 503_i64.into()), ("share".to_owned(), "0.1".into())].into(),
        tries: 3,
        milliseconds: 1500,
    };
    let of_release = |event| Body::OfRelease { actor: actor(), event: Box::new(event) };
    let tested = Body::Tested {
        actor: actor(),
        tested: Box::new(Tested {
            run: 1,
            upon: 2,
            release: Some(id),
            files: [("smoke".to_owned(), digest)].into(),
            runs: vec![TestedRun {
                file: "smoke".to_owned(),
                name: "says_\"ä\"".to_owned(),
                result: TestResult::Errored,
                milliseconds: 12,
                why: Some("no\n—".to_owned()),
            }],
        }),
    };
    events.into_iter().map(of_release).chain([checked, tested]).collect()
}

#[test]
fn every_store_conforms() {
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::default());
    runtime().block_on(conforms(&|| Arc::clone(&memory)));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep/ledger");
    runtime().block_on(conforms(&|| Arc::new(FileStore::new(&path, "dev"))));
}

#[test]
fn of_eight_writers_at_once_each_batch_is_whole_and_in_one_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_owned();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let path = path.clone();
            std::thread::spawn(move || {
                runtime().block_on(async {
                    let mut written = 0;
                    while written < 20 {
                        let mut ledger =
                            Ledger::open(Arc::new(FileStore::new(&path, "dev"))).await.expect("whole at any time");
                        match ledger
                            .append(jiff::Timestamp::UNIX_EPOCH, vec![held(&format!("{writer} {written}")), held("c")])
                            .await
                        {
                            Ok(()) => written += 1,
                            Err(StoreError::Overtaken { .. }) => {}
                            Err(other) => panic!("{other}"),
                        }
                    }
                });
            })
        })
        .collect();
    for writer in writers {
        writer.join().expect("no writer fails");
    }
    let ledger = runtime().block_on(Ledger::open(Arc::new(FileStore::new(&path, "dev")))).expect("the chain is whole");
    assert_eq!(ledger.last(), 8 * 20 * 2);
}

fn written(folder: &Path) -> Vec<u8> {
    runtime().block_on(async {
        let mut ledger = Ledger::open(Arc::new(FileStore::new(folder, "dev"))).await.expect("empty");
        for name in ["a", "c", "d"] {
            ledger.append(jiff::Timestamp::UNIX_EPOCH, vec![held(name), held("e")]).await.expect("appended");
        }
    });
    std::fs::read(folder.join("dev.jsonl")).expect("the chain is there")
}

#[test]
fn a_torn_tail_is_passed_over_by_readers_and_cut_by_the_next_writer() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = written(folder.path());
    let last_line = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("three lines") + 1;
    for cut in last_line..whole.len() {
        std::fs::write(folder.path().join("dev.jsonl"), &whole[..cut]).expect("torn");
        runtime().block_on(async {
            let open = || Arc::new(FileStore::new(folder.path(), "dev"));
            assert_eq!(Ledger::open(open()).await.expect("readable").last(), 4, "cut at {cut}");
            let after = std::fs::read(folder.path().join("dev.jsonl")).expect("there");
            assert_eq!(after.len(), cut, "a reader cuts nothing");
            let mut ledger = Ledger::open(open()).await.expect("readable");
            ledger.append(jiff::Timestamp::UNIX_EPOCH, vec![held("x")]).await.expect("the tail is cut");
            assert_eq!(Ledger::open(open()).await.expect("whole again").last(), 5);
        });
    }
}

#[test]
fn an_edited_a_dropped_and_a_swapped_record_are_noticed_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = String::from_utf8(written(folder.path())).expect("text");
    let lines: Vec<&str> = whole.lines().collect();
    let edited = whole.replacen("because of c", "because of z", 1);
    let dropped = [lines[0], lines[2]].join("\n") + "\n";
    let swapped = [lines[1], lines[0], lines[2]].join("\n") + "\n";
    let cases = [(edited, "record 4 does not follow record 3"), (dropped, "record 5"), (swapped, "record 3")];
    for (text, named) in cases {
        std::fs::write(folder.path().join("dev.jsonl"), text).expect("altered");
        let error = runtime().block_on(Ledger::open(Arc::new(FileStore::new(folder.path(), "dev")))).err();
        let error = error.expect("an altered chain is refused").to_string();
        assert!(error.contains("damaged") && error.contains(named), "{error}");
    }
}

#[test]
fn a_newer_format_is_refused_by_name_and_nonsense_is_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("dev.jsonl"), "[{\"format\":99,\"record\":\"dreamt\"}]\n").expect("written");
    let open =
        || runtime().block_on(Ledger::open(Arc::new(FileStore::new(folder.path(), "dev")))).err().expect("refused");
    assert!(matches!(open(), StoreError::Newer { found: 99, known: record::FORMAT, .. }), "{}", open());
    std::fs::write(folder.path().join("dev.jsonl"), "nonsense\n").expect("written");
    assert!(matches!(open(), StoreError::Damaged { .. }), "{}", open());
}

/// `/dev/full` accepts nothing: like a disk without room.
#[test]
fn a_full_disk_loses_nothing_and_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink("/dev/full", folder.path().join("dev.jsonl")).expect("a link");
    let store = FileStore::new(folder.path(), "dev");
    let error = runtime().block_on(store.append(0, &chain(1, 1, Digest::of_bytes(b"")))).expect_err("no room");
    let text = error.to_string();
    assert!(text.contains("append to") && text.contains("dev.jsonl"), "{text}");
}

#[test]
fn a_url_of_no_store_is_refused_with_what_to_write() {
    let open = |url: &str| switchback::store::open(url, Path::new("/"), "dev").err().expect("refused").to_string();
    assert!(open("ftp://x").contains("`file:`"), "{}", open("ftp://x"));
    let wrong = open("s3:bucket");
    #[cfg(feature = "aws")]
    assert!(wrong.contains("s3://BUCKET/PREFIX"), "{wrong}");
    #[cfg(not(feature = "aws"))]
    assert!(wrong.contains("feature `aws`"), "{wrong}");
}
