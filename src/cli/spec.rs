//! The spec of an environment, read from disk and resolved with what was typed. An edge.
//!
//! Invariant: the ledger's URL is found also when the spec has mistakes, so that a way back is never blocked.

use std::path::Path;

use super::failure::Failure;
use super::session::{Resolved, Session};
use crate::diagnostic::{Diagnostics, Sources};
use crate::kind::Kinds;
use crate::value::Value;

/// What is done about variables without a value.
#[derive(Clone, Copy)]
pub enum Missing {
    Refuse,
    Assume,
}

/// The project's environments.
pub fn environments(project: &Path) -> Vec<String> {
    Vec::new()
}

/// The ledger as the project's file names it.
pub fn ledger(project: &Path, environment: &str, kinds: &Kinds) -> Option<String> {
    None
}

/// Reads and resolves.
pub fn resolve(
    session: &Session,
    project: &Path,
    environment: &str,
    missing: Missing,
) -> Result<(Option<Resolved>, Diagnostics, Sources), Failure> {
    Err(Failure::failed("not there yet"))
}

/// Evaluates.
pub fn evaluate(session: &Session, environment: Option<&str>, text: &str) -> Result<Value, Failure> {
    Err(Failure::failed("not there yet"))
}
