//! The ledger in a local folder: one file per environment, one line per batch. An edge.
//!
//! Invariant: a batch is one line, written with one call and synced before anybody relies on it; a line
//! without its end is a torn tail, which readers pass over and the next writer cuts under the lock.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::ledger::record::{Record, Sequence};
use crate::ledger::text::{self, Reader};
use crate::ledger::{Store, StoreError};
use crate::store::Place;

/// The store behind `file:` URLs.
pub struct FileStore {
    folder: PathBuf,
    chain: PathBuf,
    probe: PathBuf,
    known: Mutex<Known>,
    syncs: AtomicU64,
}

/// How much of the file this process has seen: whole lines only.
#[derive(Clone, Copy, Default)]
struct Known {
    bytes: u64,
    last: Sequence,
}

impl FileStore {
    /// The chain of one environment in a folder, which need not exist yet.
    pub fn new(folder: &Path, environment: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            chain: folder.join(format!("{environment}.jsonl")),
            probe: folder.join(format!("{environment}.clock")),
            known: Mutex::default(),
            syncs: AtomicU64::new(0),
        }
    }

    /// How often a file or folder was synced, for measuring.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    fn storage(&self, tried: &str, path: &Path, cause: &std::io::Error) -> StoreError {
        StoreError::Storage { tried: format!("{tried} {}", path.display()), cause: cause.to_string() }
    }

    fn sync(&self, file: &File) -> std::io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        file.sync_data()
    }

    /// Now, as the file system tells it: on a share this is the server's clock, not ours.
    fn file_time(&self) -> std::io::Result<SystemTime> {
        let mut probe = private(OpenOptions::new().write(true).create(true).truncate(true)).open(&self.probe)?;
        probe.write_all(b"the age of the ledger's newest record is told against this file's time\n")?;
        probe.metadata()?.modified()
    }

    /// Makes the folder; the names of new folders are as durable as what will be in them.
    fn make_folder(&self) -> Result<(), StoreError> {
        let refuse = |cause| self.storage("make the folder", &self.folder, &cause);
        let missing: Vec<&Path> = self.folder.ancestors().take_while(|folder| !folder.is_dir()).collect();
        std::fs::create_dir_all(&self.folder).map_err(refuse)?;
        missing.iter().rev().filter_map(|folder| folder.parent()).try_for_each(|parent| self.sync_folder(parent))
    }

    fn sync_folder(&self, folder: &Path) -> Result<(), StoreError> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|cause| self.storage("sync the folder", folder, &cause))
    }

    fn open_for_append(&self) -> Result<File, StoreError> {
        let refuse = |cause| self.storage("open", &self.chain, &cause);
        if let Ok(file) = OpenOptions::new().read(true).write(true).open(&self.chain) {
            return Ok(file);
        }
        self.make_folder()?;
        let file = private(OpenOptions::new().read(true).write(true).create(true).truncate(false))
            .open(&self.chain)
            .map_err(refuse)?;
        // The file's name must be as durable as what will be in it.
        self.sync_folder(&self.folder)?;
        Ok(file)
    }

    /// Reads the whole lines behind `known`, and says where they end.
    fn read_lines(&self, file: &mut File, known: Known) -> Result<(Vec<Record>, Known), StoreError> {
        let refuse = |cause: std::io::Error| self.storage("read", &self.chain, &cause);
        file.seek(SeekFrom::Start(known.bytes)).map_err(refuse)?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let mut parser = Reader::new(&self.url(), known.last);
        let (mut records, mut now, mut line) = (Vec::new(), known, Vec::new());
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line).map_err(refuse)?;
            if length == 0 || line.last() != Some(&b'\n') {
                return Ok((records, now));
            }
            records.extend(parser.batch(&line)?);
            now.bytes += length as u64;
            now.last = records.last().map_or(now.last, |record: &Record| record.sequence);
        }
    }

    fn append_locked(
        &self,
        file: &mut File,
        expected: Sequence,
        line: &[u8],
        last: Sequence,
    ) -> Result<(), StoreError> {
        let mut known = *self.known.lock().expect("no reader panics");
        let length = file.metadata().map_err(|cause| self.storage("look at", &self.chain, &cause))?.len();
        if length != known.bytes || known.last != expected {
            (_, known) = self.read_lines(file, if length < known.bytes { Known::default() } else { known })?;
        }
        if known.last != expected {
            return Err(StoreError::Overtaken { url: self.url(), expected, found: known.last });
        }
        if let Err(cause) = self.write_line(file, known.bytes, line) {
            // Half a line must not stay; where even that fails, it is a torn tail, which is passed over.
            let _ = file.set_len(known.bytes);
            let cause = std::io::Error::other(format!("{cause}; nothing was recorded"));
            return Err(self.storage("append to", &self.chain, &cause));
        }
        *self.known.lock().expect("no reader panics") = Known { bytes: known.bytes + line.len() as u64, last };
        Ok(())
    }

    fn write_line(&self, file: &mut File, at: u64, line: &[u8]) -> std::io::Result<()> {
        // Cuts a torn tail, if there is one; only here, under the lock.
        if file.metadata()?.len() != at {
            file.set_len(at)?;
        }
        file.seek(SeekFrom::Start(at))?;
        file.write_all(line)?;
        self.sync(file)
    }
}

/// Makes the folder of ledgers.
///
/// # Errors
/// When it cannot be made.
pub fn make_place(folder: &Path) -> Result<Place, StoreError> {
    let store = FileStore::new(folder, "");
    let mut made = Vec::new();
    if !folder.is_dir() {
        store.make_folder()?;
        made.push(format!("folder {}", folder.display()));
    }
    let folder = folder.display();
    Ok(Place {
        made,
        planning_rights: format!("enter and list the folder {folder}, and read the files in it\n"),
        applying_rights: format!("the same, and make files in the folder {folder} and write those that are in it\n"),
    })
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

#[async_trait]
impl Store for FileStore {
    fn url(&self) -> String {
        format!("file:{}", self.folder.display())
    }

    async fn read(&self, after: Sequence) -> Result<Vec<Record>, StoreError> {
        let mut file = match File::open(&self.chain) {
            Ok(file) => file,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(self.storage("open", &self.chain, &cause)),
        };
        let (mut records, known) = self.read_lines(&mut file, Known::default())?;
        *self.known.lock().expect("no writer panics") = known;
        records.retain(|record| record.sequence > after);
        Ok(records)
    }

    async fn append(&self, expected: Sequence, records: &[Record]) -> Result<(), StoreError> {
        let Some(last) = records.last().map(|record| record.sequence) else {
            return Ok(());
        };
        let mut line = serde_json::to_vec(records).expect("records hold only sealed, serialisable data");
        line.push(b'\n');
        let mut file = self.open_for_append()?;
        file.lock().map_err(|cause| self.storage("lock", &self.chain, &cause))?;
        let result = self.append_locked(&mut file, expected, &line, last);
        let _ = file.unlock();
        result
    }

    async fn texts(&self) -> Result<Vec<String>, StoreError> {
        #[expect(clippy::disallowed_methods, reason = "this is the edge through which a ledger's file is read")]
        let bytes = match std::fs::read(&self.chain) {
            Ok(bytes) => bytes,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(self.storage("read", &self.chain, &cause)),
        };
        let all = String::from_utf8_lossy(&bytes);
        // Behind the last line feed there is at most a torn tail, which was never a record.
        let whole = all.rfind('\n').map_or("", |end| &all[..end]);
        Ok(whole.lines().flat_map(text::split).map(str::to_owned).collect())
    }

    async fn age(&self) -> Result<Option<(Sequence, Duration)>, StoreError> {
        let Some(last) = self.read(0).await?.last().map(|record| record.sequence) else {
            return Ok(None);
        };
        let refuse = |cause| self.storage("read the age of", &self.chain, &cause);
        let appended = std::fs::metadata(&self.chain).and_then(|facts| facts.modified()).map_err(refuse)?;
        let now = self.file_time().map_err(refuse)?;
        Ok(Some((last, now.duration_since(appended).unwrap_or_default())))
    }
}
