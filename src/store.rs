//! The stores that a ledger can lie in, by URL. An edge: this is where ledgers touch disks and servers.
//!
//! Invariant: every store passes the same conformance suite (`tests/it/store.rs`).

pub mod disk;
pub mod file;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "aws")]
pub mod s3;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ledger::{Store, StoreError};

/// What opens a store beside its URL, which holds no secret.
#[derive(Clone, Default)]
pub struct Keys {
    /// The password for `postgres:` URLs that name no file with it.
    pub postgres_password: Option<String>,
}

/// A place for ledgers, made or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What was made, a line each; nothing when all of it was there.
    pub made: Vec<String>,
    /// The least rights for an identity that plans.
    pub planning_rights: String,
    /// The least rights for an identity that applies.
    pub applying_rights: String,
}

/// Opens the chain of an environment at a ledger URL that needs no key. A relative `file:` URL is taken from `base`.
///
/// # Errors
/// When the URL is of no store that this build knows.
pub fn open(url: &str, base: &Path, environment: &str) -> Result<Arc<dyn Store>, StoreError> {
    open_with(url, base, environment, &Keys::default())
}

/// Opens the chain of an environment at a ledger URL. A relative `file:` URL is taken from `base`.
///
/// # Errors
/// When the URL is of no store that this build knows, or says too little or too much.
#[cfg_attr(not(feature = "postgres"), expect(unused_variables, reason = "only a server asks for a key"))]
pub fn open_with(url: &str, base: &Path, environment: &str, keys: &Keys) -> Result<Arc<dyn Store>, StoreError> {
    match Scheme::of(url)? {
        Scheme::File(path) => Ok(Arc::new(file::FileStore::new(&folder(path, base), environment))),
        #[cfg(feature = "aws")]
        Scheme::S3 => Ok(Arc::new(s3::S3Store::new(url, environment)?)),
        #[cfg(feature = "postgres")]
        Scheme::Postgres => Ok(Arc::new(postgres::PostgresStore::new(url, base, environment, keys)?)),
    }
}

/// Makes what a ledger URL names, as far as it is not there, and says which rights are needed in it. Whatever is there
/// stays as it is.
///
/// # Errors
/// When the URL is of no store that this build knows, or the place cannot be made.
#[cfg_attr(not(feature = "postgres"), expect(unused_variables, reason = "only a server asks for a key"))]
pub async fn make_place(url: &str, base: &Path, keys: &Keys) -> Result<Place, StoreError> {
    match Scheme::of(url)? {
        Scheme::File(path) => file::make_place(&folder(path, base)),
        #[cfg(feature = "aws")]
        Scheme::S3 => s3::make_place(url).await,
        #[cfg(feature = "postgres")]
        Scheme::Postgres => postgres::place::make(url, base, keys).await,
    }
}

/// Which store a URL is of: one line per store.
enum Scheme<'a> {
    File(&'a str),
    #[cfg(feature = "aws")]
    S3,
    #[cfg(feature = "postgres")]
    Postgres,
}

impl<'a> Scheme<'a> {
    fn of(url: &'a str) -> Result<Self, StoreError> {
        let refuse = |cause: &str| {
            Err(StoreError::Storage { tried: format!("open the ledger `{}`", withheld(url)), cause: cause.to_owned() })
        };
        let (scheme, rest) = url.split_once(':').unwrap_or_default();
        match scheme {
            "file" => Ok(Self::File(rest)),
            #[cfg(feature = "aws")]
            "s3" => Ok(Self::S3),
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => Ok(Self::Postgres),
            #[cfg(not(feature = "aws"))]
            "s3" => refuse("this build knows no S3; install switchback with its feature `aws`"),
            #[cfg(not(feature = "postgres"))]
            "postgres" | "postgresql" => {
                refuse("this build knows no PostgreSQL; install switchback with its feature `postgres`")
            }
            _ => refuse("a ledger's URL begins with `file:`, `s3:` or `postgres:`, as in `file:.switchback/ledger`"),
        }
    }
}

/// A URL as it may be shown: without what stands where a password would.
fn withheld(url: &str) -> String {
    let Some((head, place)) = url.rsplit_once('@') else {
        return url.to_owned();
    };
    let begin = head.find("://").map_or(0, |at| at + 3);
    match head[begin..].find(':') {
        Some(colon) => format!("{}:(withheld)@{place}", &head[..begin + colon]),
        None => url.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_no_store_is_refused_without_its_password() {
        for url in ["mysql://me:hush@h/d", "me:hush@h", "postgre://me:hu@sh@h"] {
            let error = open(url, Path::new("/"), "dev").err().unwrap().to_string();
            assert!(error.contains("a ledger's URL begins with") && !error.contains("hu"), "{error}");
        }
    }
}
