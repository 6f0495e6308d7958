//! A store of bytes that a process can die in: before a batch is written, when only a part of its bytes is, and after.
//! It keeps the bytes that the store of files keeps, and reads each line once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use switchback::ledger::{Record, Sequence, Store, StoreError};

use super::gate::{Gate, StoreFault};

/// The bytes of one chain.
#[derive(Default)]
pub struct Chain(Arc<Mutex<Bytes>>);

#[derive(Clone, Default)]
struct Bytes {
    bytes: Vec<u8>,
    /// Where the last whole line ends.
    whole: usize,
    /// What the whole lines say.
    records: Vec<Record>,
    now: Duration,
    appended: Duration,
}

impl Bytes {
    /// What stands behind the last whole line is cut, as whoever holds the lock may.
    fn append(&mut self, line: &[u8]) {
        self.bytes.truncate(self.whole);
        self.bytes.extend_from_slice(line);
        let read: Vec<Record> = serde_json::from_slice(line).expect("what was written can be read");
        self.records.extend(read);
        self.whole = self.bytes.len();
        self.appended = self.now;
    }
}

impl Chain {
    pub fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().unwrap().clone())))
    }

    /// The store as a new process sees it.
    pub fn open(&self, gate: &Arc<Gate>) -> Arc<dyn Store> {
        Arc::new(CutStore { bytes: Arc::clone(&self.0), gate: Arc::clone(gate) })
    }

    /// Lets time pass on the store's clock.
    pub fn pass(&self, time: Duration) {
        self.0.lock().unwrap().now += time;
    }
}

struct CutStore {
    bytes: Arc<Mutex<Bytes>>,
    gate: Arc<Gate>,
}

impl CutStore {
    fn fails(&self) -> StoreError {
        StoreError::Storage { tried: "append".into(), cause: "the storage cannot be reached".into() }
    }

    /// A part of the line, at most all but its end.
    fn tear(&self, line: &[u8]) {
        let mut bytes = self.bytes.lock().unwrap();
        let whole = bytes.whole;
        bytes.bytes.truncate(whole);
        let length = [1, line.len() / 2, line.len() - 1][self.gate.passed() % 3];
        bytes.bytes.extend_from_slice(&line[..length]);
        bytes.appended = bytes.now;
    }
}

#[async_trait]
impl Store for CutStore {
    fn url(&self) -> String {
        "bytes:".to_owned()
    }

    async fn read(&self, after: Sequence) -> Result<Vec<Record>, StoreError> {
        let bytes = self.bytes.lock().unwrap();
        Ok(bytes.records[(after as usize).min(bytes.records.len())..].to_vec())
    }

    async fn append(&self, expected: Sequence, records: &[Record]) -> Result<(), StoreError> {
        let mut line = serde_json::to_vec(records).expect("records can be stored");
        line.push(b'\n');
        self.gate.pass().await;
        if self.gate.is_the_end() {
            self.tear(&line);
            self.gate.die().await;
        }
        let fault = self.gate.store_fault();
        if fault == Some(StoreFault::NotWritten) {
            return Err(self.fails());
        }
        {
            let mut bytes = self.bytes.lock().unwrap();
            let found = bytes.records.len() as Sequence;
            if found != expected {
                return Err(StoreError::Overtaken { url: self.url(), expected, found });
            }
            bytes.append(&line);
        }
        self.gate.pass().await;
        if fault == Some(StoreFault::AnswerLost) {
            return Err(self.fails());
        }
        Ok(())
    }

    async fn age(&self) -> Result<Option<(Sequence, Duration)>, StoreError> {
        let bytes = self.bytes.lock().unwrap();
        Ok(bytes.records.last().map(|last| (last.sequence, bytes.now.saturating_sub(bytes.appended))))
    }
}

/// The store of files keeps the very same bytes, reads past the same torn tail, and cuts it in the same way.
#[test]
fn it_is_the_store_of_files_in_memory() {
    use switchback::ledger::lease::founding;
    use switchback::ledger::{Project, Record};
    use switchback::store::file::FileStore;

    super::runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (file, path) = (FileStore::new(folder.path(), "chain"), folder.path().join("chain.jsonl"));
        let (chain, gate) = (Chain::default(), Arc::new(Gate::default()));
        let ours = chain.open(&gate);
        let body = founding(&Project { project: "laws".into(), environment: "test".into() });
        let mut previous = switchback::digest::Digest::of_bytes(b"");
        for sequence in 1..=3 {
            let time = jiff::Timestamp::UNIX_EPOCH;
            let record = Record { format: 2, sequence, previous, time, lease: None, body: body.clone() };
            previous = record.digest();
            let records = [record];
            let mut line = serde_json::to_vec(&records).unwrap();
            line.push(b'\n');
            CutStore { bytes: Arc::clone(&chain.0), gate: Arc::clone(&gate) }.tear(&line);
            std::fs::write(&path, &chain.0.lock().unwrap().bytes).unwrap();
            assert_eq!(file.read(0).await, ours.read(0).await, "the torn tail is passed over");
            file.append(sequence - 1, &records).await.unwrap();
            ours.append(sequence - 1, &records).await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), chain.0.lock().unwrap().bytes, "and cut");
            assert_eq!(file.read(sequence - 1).await, ours.read(sequence - 1).await);
        }
        assert!(matches!(ours.append(1, &ours.read(1).await.unwrap()).await, Err(StoreError::Overtaken { .. })));
    });
}
