//! The stores that a ledger can lie in, by URL. An edge: this is where ledgers touch disks.
//!
//! Invariant: every store passes the same conformance suite (`tests/it/store.rs`).

pub mod disk;
pub mod file;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ledger::{Store, StoreError};

/// Opens the chain of an environment at a ledger URL. A relative `file:` URL is taken from `base`.
///
/// # Errors
/// When the URL is of no store that this build knows.
pub fn open(url: &str, base: &Path, environment: &str) -> Result<Arc<dyn Store>, StoreError> {
    match url.strip_prefix("file:") {
        Some(path) => Ok(Arc::new(file::FileStore::new(&folder(path, base), environment))),
        None => Err(StoreError::Storage {
            tried: format!("open the ledger `{url}`"),
            cause: "a ledger's URL begins with `file:`, as in `file:.switchback/ledger`".to_owned(),
        }),
    }
}

fn folder(path: &str, base: &Path) -> PathBuf {
    // `file:///var/lib/x` and `file:/var/lib/x` are the same folder.
    let path = path.strip_prefix("//").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let joined = base.join(path);
    // The URL in messages and in `status` is to be absolute and without `./` and `../`.
    let mut clean = PathBuf::new();
    for component in joined.components() {
        match component {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}
