//! An intruder who can write where the ledger lies: what `history --verify` sees, in every store alike.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use switchback::digest::Digest;
use switchback::ledger::record::{Body, Sequence};
use switchback::ledger::text::split;
use switchback::ledger::verify::{Fault, Noted, examine};
use switchback::ledger::{Ledger, Store};
use switchback::store::file::FileStore;

/// Where a ledger lies, as an intruder sees it.
#[async_trait]
pub trait Place {
    /// Opens the chain of the environment `dev`, as another process would.
    fn open(&self) -> Arc<dyn Store>;

    /// Puts these in the place of all that is stored: at each place of the chain the text of a record.
    async fn put(&self, records: &[(Sequence, String)]);
}

fn held(name: &str) -> Body {
    Body::Held { spec_digest: Digest::of_bytes(name.as_bytes()), run: None, reason: format!("because of {name}") }
}

/// Alters the ledger in every way that one can think of, and asks each time. The place has to be empty.
pub async fn audit_catches(place: &dyn Place) {
    let mut ledger = Ledger::open(place.open()).await.expect("empty");
    for name in ["a", "b", "c"] {
        ledger.append(jiff::Timestamp::UNIX_EPOCH, vec![held(name), held("x")]).await.expect("appended");
    }
    let head = ledger.head();
    let texts = place.open().texts().await.expect("the texts");
    assert_eq!(texts.len(), 6);
    let whole: Vec<(Sequence, String)> = (1..).zip(texts.iter().cloned()).collect();
    let ask = async |records: &[(Sequence, String)], noted: Option<Digest>| {
        place.put(records).await;
        examine(&*place.open(), noted).await.expect("the place can be read")
    };
    let found = ask(&whole, Some(head)).await.expect("nothing is wrong");
    assert_eq!((found.records, found.head, found.noted), (6, head, Some(Noted { record: 6, after: 0 })));
    let early = ask(&whole, Some(Digest::of_bytes(texts[3].as_bytes()))).await.expect("nothing is wrong");
    assert_eq!(early.noted, Some(Noted { record: 4, after: 2 }));

    let edit = |at: usize, find: &str, put: &str| {
        let mut records = whole.clone();
        records[at].1 = records[at].1.replacen(find, put, 1);
        assert_ne!(records[at], whole[at], "the edit does something");
        records
    };
    for at in 0..5 {
        let fault = ask(&edit(at, "because", "instead"), None).await.expect_err("an edited record");
        assert!(matches!(fault, Fault::Altered { record, .. } if record == at as Sequence + 1), "{at}: {fault}");
    }
    let unseen = ask(&edit(2, "{\"format\"", "{\"extra\":1,\"format\""), None).await.expect_err("an added field");
    assert_eq!(unseen.record(), 3, "{unseen}");
    let last = ask(&edit(5, "because", "instead"), Some(head)).await.expect_err("an edited last record");
    assert!(matches!(last, Fault::Head { record: 6, .. }), "{last}");
    let broken = ask(&edit(3, "{\"format\"", "{format"), None).await.expect_err("a record that is none");
    assert!(matches!(broken, Fault::Unreadable { record: 4, .. }), "{broken}");

    for at in 0..5 {
        let mut records = whole.clone();
        records.remove(at);
        let fault = ask(&records, None).await.expect_err("a dropped record");
        let record = at as Sequence + 1;
        assert_eq!(fault, Fault::Missing { record, found: record + 1 });
    }
    for at in 0..5 {
        let mut records = whole.clone();
        let (one, other) = (records[at].1.clone(), records[at + 1].1.clone());
        (records[at].1, records[at + 1].1) = (other, one);
        let fault = ask(&records, None).await.expect_err("two swapped records");
        let record = at as Sequence + 1;
        assert_eq!(fault, Fault::Reordered { record, found: record + 1 });
    }
    for kept in [5, 3, 0] {
        ask(&whole[..kept], None).await.expect("a shortened chain is whole by itself");
        let fault = ask(&whole[..kept], Some(head)).await.expect_err("a shortened chain");
        assert_eq!(fault, Fault::Head { record: kept as Sequence, noted: head });
    }
    ask(&whole, Some(head)).await.expect("put back as it was");
    assert_eq!(Ledger::open(place.open()).await.expect("readable").last(), 6);
}

struct Folder(PathBuf);

#[async_trait]
impl Place for Folder {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(FileStore::new(&self.0, "dev"))
    }

    async fn put(&self, records: &[(Sequence, String)]) {
        let lines: String = records.iter().map(|(_, text)| format!("[{text}]\n")).collect();
        std::fs::write(self.0.join("dev.jsonl"), lines).expect("written");
    }
}

#[tokio::test]
async fn an_intruder_in_a_file_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    audit_catches(&Folder(folder.path().to_owned())).await;
}

/// A ledger of format 1, as version 0.1.0 wrote it.
#[tokio::test]
async fn an_older_ledger_is_whole_byte_for_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = include_str!("formats/ledger-1.jsonl");
    std::fs::write(folder.path().join("dev.jsonl"), text).expect("written");
    let store = FileStore::new(folder.path(), "dev");
    let whole = examine(&store, None).await.expect("readable").expect("whole");
    let last = text.lines().flat_map(split).last().expect("records");
    assert_eq!((whole.records, whole.head), (18, Digest::of_bytes(last.as_bytes())));
    let ledger = Ledger::open(Arc::new(store)).await.expect("read");
    assert_eq!((ledger.last(), ledger.head(), ledger.state().runs.len()), (18, whole.head, 3));
}

/// A copy that is read in the place of the records themselves, as a snapshot is.
struct Copied {
    records: Vec<switchback::ledger::Record>,
    original: Arc<dyn Store>,
}

#[async_trait]
impl Store for Copied {
    fn url(&self) -> String {
        "copied:".to_owned()
    }

    async fn read(&self, after: Sequence) -> Result<Vec<switchback::ledger::Record>, switchback::ledger::StoreError> {
        Ok(self.records.iter().filter(|record| record.sequence > after).cloned().collect())
    }

    async fn append(
        &self,
        expected: Sequence,
        records: &[switchback::ledger::Record],
    ) -> Result<(), switchback::ledger::StoreError> {
        self.original.append(expected, records).await
    }

    async fn age(&self) -> Result<Option<(Sequence, std::time::Duration)>, switchback::ledger::StoreError> {
        self.original.age().await
    }

    async fn originals(&self) -> Result<Vec<switchback::ledger::Record>, switchback::ledger::StoreError> {
        self.original.read(0).await
    }
}

#[tokio::test]
async fn a_copy_that_says_something_else_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let original: Arc<dyn Store> = Arc::new(FileStore::new(folder.path(), "dev"));
    let mut ledger = Ledger::open(Arc::clone(&original)).await.expect("empty");
    ledger.append(jiff::Timestamp::UNIX_EPOCH, vec![held("a"), held("b"), held("c")]).await.expect("appended");
    let mut copied = Copied { records: original.read(0).await.expect("read"), original };
    assert!(examine(&copied, None).await.expect("readable").is_ok());
    copied.records[1].body = held("something else");
    let fault = examine(&copied, None).await.expect("readable").expect_err("another copy");
    assert!(matches!(fault, Fault::Copy { record: 2, .. }), "{fault}");
}
