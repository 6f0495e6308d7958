//! The folder of migrations that a project's spec names, for who names none. An edge.
//!
//! Invariant: nothing is guessed: one folder is taken, several are listed, and without any it is as without a project.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::place::{FolderArguments, shown};
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::expression::Node;
use crate::migration::layout::Layout;
use crate::spec::{self, Database};
use crate::store::disk::DiskFiles;

/// The folder that is meant: as typed, else the only one that the spec names, else `./migrations`.
///
/// # Errors
/// When the spec names several.
pub fn meant(session: &Session, typed: &FolderArguments, name: &str) -> Result<FolderArguments, Failure> {
    let Some(project) = session.project().filter(|_| !typed.is_named()) else { return Ok(typed.clone()) };
    let mut named = of_spec(session, &project).into_iter();
    let Some((folder, layout)) = named.next() else { return Ok(typed.clone()) };
    let others: Vec<PathBuf> = named.map(|(folder, _)| folder).collect();
    if others.is_empty() {
        return Ok(typed.with(project.join(folder), layout));
    }
    let all = std::iter::once(&folder).chain(&others);
    let mut failure = Failure::usage("the spec names several folders of migrations; nothing was written");
    for folder in all {
        let folder = shown(session, &project.join(folder));
        let command = session.command(&format!("migrate new {name} --dir {}", crate::cli::session::quoted(&folder)));
        failure = failure.cause(folder).help(command);
    }
    Err(failure)
}

/// Every folder that a `database` block of any environment names, with its layout where that is a plain word.
fn of_spec(session: &Session, project: &Path) -> BTreeMap<PathBuf, Option<Layout>> {
    let mut found = BTreeMap::new();
    for environment in spec::environments(&DiskFiles, project) {
        let (spec, _mistakes) = spec::load(&DiskFiles, project, &environment, &session.kinds);
        for database in spec.modules.iter().flat_map(|module| module.databases.values()) {
            if let Some((folder, _)) = &database.migrations {
                let layout = found.entry(folder.clone()).or_insert(None);
                *layout = layout.or(layout_of(database));
            }
        }
    }
    found
}

fn layout_of(database: &Database) -> Option<Layout> {
    let setting = database.settings.iter().find(|setting| &*setting.name == Layout::SETTING)?;
    match &setting.expr.node {
        Node::Literal(value) => value.as_str()?.parse().ok(),
        _ => None,
    }
}
