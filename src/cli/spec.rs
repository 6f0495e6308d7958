//! The spec of an environment, read from disk and resolved with what was typed. An edge.
//!
//! Invariant: the ledger's URL is found also when the spec has mistakes, so that a way back is never blocked.

use std::path::Path;

use super::failure::Failure;
use super::session::{Resolved, Session};
use crate::diagnostic::{Diagnostics, Sources};
use crate::kind::Kinds;
use crate::spec;
use crate::store::disk::DiskFiles;

/// The project's environments.
pub fn environments(project: &Path) -> Vec<String> {
    spec::environments(&DiskFiles, project)
}

/// The ledger as the project's file names it.
pub fn ledger(project: &Path, environment: &str, kinds: &Kinds) -> Option<String> {
    let (spec, _mistakes) = spec::load(&DiskFiles, project, environment, kinds);
    spec.project.ledger
}
