//! The stores that a ledger can lie in, by URL. An edge: this is where ledgers touch disks.
//!
//! Invariant: every store passes the same conformance suite (`tests/it/store.rs`).

pub mod disk;
pub mod file;
#[cfg(feature = "aws")]
pub mod s3;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ledger::{Store, StoreError};

/// A place for ledgers, made or found.
pub struct Place {
    /// What was made, a line each; nothing when all of it was there.
    pub made: Vec<String>,
    /// The least rights for an identity that plans.
    pub planning_rights: String,
    /// The least rights for an identity that applies.
    pub applying_rights: String,
}

/// Opens the chain of an environment at a ledger URL. A relative `file:` URL is taken from `base`.
///
/// # Errors
/// When the URL is of no store that this build knows.
pub fn open(url: &str, base: &Path, environment: &str) -> Result<Arc<dyn Store>, StoreError> {
    if let Some(path) = url.strip_prefix("file:") {
        return Ok(Arc::new(file::FileStore::new(&folder(path, base), environment)));
    }
    if url.starts_with("s3:") {
        return open_s3(url, environment);
    }
    Err(StoreError::Storage {
        tried: format!("open the ledger `{url}`"),
        cause: "a ledger's URL begins with `file:` or `s3:`, as in `file:.switchback/ledger`".to_owned(),
    })
}

#[cfg(feature = "aws")]
fn open_s3(url: &str, environment: &str) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(s3::S3Store::new(url, environment)?))
}

#[cfg(not(feature = "aws"))]
fn open_s3(url: &str, _environment: &str) -> Result<Arc<dyn Store>, StoreError> {
    Err(StoreError::Storage {
        tried: format!("open the ledger `{url}`"),
        cause: "this build knows no S3; install switchback with its feature `aws`".to_owned(),
    })
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
