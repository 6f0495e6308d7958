//! Where the ledger of a test lies. The same tests run over all stores; what differs between them is only here.
//!
//! Invariant: every place is new, so that no test sees the records of another.

/// The stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// A folder.
    File,
}

/// A place for the ledger of one environment.
pub struct LedgerPlace {
    /// What `--ledger` takes.
    pub url: String,
    /// What the program needs in its environment beside the URL.
    pub variables: Vec<(String, String)>,
    /// Removed with the place.
    _folder: Option<tempfile::TempDir>,
}

impl LedgerPlace {
    /// A new place in a store.
    pub fn new(kind: StoreKind) -> Self {
        match kind {
            StoreKind::File => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("file:{}", folder.path().join("ledger").display());
                Self { url, variables: Vec::new(), _folder: Some(folder) }
            }
        }
    }
}

/// Makes a test of a function that takes a [`StoreKind`], for every store.
macro_rules! on_every_store {
    ($($name:ident;)*) => {
        mod file {
            $(#[test]
            fn $name() {
                super::$name(crate::place::StoreKind::File);
            })*
        }
    };
}

pub(crate) use on_every_store;

/// Whether the same tests are to run with larger counts.
pub fn is_long() -> bool {
    std::env::var_os("SWITCHBACK_TEST_LONG").is_some()
}

/// Where random moments come from: another one each time, unless `SWITCHBACK_TEST_SEED` gives one that was printed.
pub fn seed() -> u64 {
    match std::env::var("SWITCHBACK_TEST_SEED") {
        Ok(seed) => seed.parse().expect("a seed is a number"),
        Err(_) => {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            since.as_secs() * 1_000 + u64::from(since.subsec_millis())
        }
    }
}
