//! Where the ledger of a test lies. The same tests run over all stores; what differs between them is only here.
//!
//! Invariant: every place is new, so that no test sees the records of another.

use switchback::store::{Keys, make_place};

use crate::stack::{shared, unique};

/// The stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// A folder.
    File,
    /// A bucket of the local endpoint.
    S3,
    /// A table of the local PostgreSQL.
    Postgres,
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
    /// A new place in a store, made as `init` makes it.
    pub fn new(kind: StoreKind) -> Self {
        match kind {
            StoreKind::File => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("file:{}", folder.path().join("ledger").display());
                Self { url, variables: Vec::new(), _folder: Some(folder) }
            }
            StoreKind::S3 => Self::s3_at(shared().aws_endpoint()),
            StoreKind::Postgres => {
                let facts = shared().facts();
                Self::postgres_at(&format!("{}:{}", facts.postgres_host, facts.postgres_port))
            }
        }
    }

    /// A new bucket, reached by this endpoint.
    pub fn s3_at(endpoint: &str) -> Self {
        let bucket = unique("ledger").replace('_', "-");
        let url = |endpoint: &str| format!("s3://{bucket}/shops?region=eu-central-1&endpoint={endpoint}");
        made(&url(shared().aws_endpoint()));
        Self { url: url(endpoint), variables: Vec::new(), _folder: None }
    }

    /// A new database of the shared server, reached by this host and port.
    pub fn postgres_at(host: &str) -> Self {
        let facts = shared().facts();
        let database = unique("ledger");
        shared().psql(&shared().postgres_url(), &format!("CREATE DATABASE \"{database}\""));
        let file = facts.postgres_password_file.display();
        let url = |host: &str| format!("postgres://{}@{host}/{database}?password_file={file}", facts.postgres_user);
        made(&url(&format!("{}:{}", facts.postgres_host, facts.postgres_port)));
        Self { url: url(host), variables: Vec::new(), _folder: None }
    }
}

fn made(url: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let made = runtime.block_on(make_place(url, std::path::Path::new("/"), &Keys::default()));
    made.unwrap_or_else(|error| panic!("{url}: {error}"));
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

        mod s3 {
            $(#[test]
            fn $name() {
                super::$name(crate::place::StoreKind::S3);
            })*
        }

        mod postgres {
            $(#[test]
            fn $name() {
                super::$name(crate::place::StoreKind::Postgres);
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
