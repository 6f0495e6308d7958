//! Making a release: which files travel, and what is known of what was verified. An edge.
//!
//! Invariant: what is captured gives, by itself, the very spec that was verified, or no release is made.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::carry::Hold;
use super::failure::Failure;
use super::git;
use super::images::pin_as_recorded;
use super::session::{Resolved, Session};
use super::spec::{self, Missing};
use crate::digest::Digest;
use crate::files::Files;
use crate::ledger::{Body, State};
use crate::migration::Migration;
use crate::release::parcel::{Parcel, ParcelFiles, Texts, inside, stays, unit};
use crate::release::record::Event;
use crate::release::{FORMAT, Image, Release};
use crate::spec::literal_secrets;
use crate::store::disk::DiskFiles;

/// How large a release may be, in bytes: it lies in the ledger.
const LARGEST: usize = 8 << 20;

/// Makes the release of a checkout whose spec was verified.
///
/// # Errors
/// When the checkout is another one, or something of it cannot travel.
pub fn make(session: &Session, environment: &str, state: &State, verified: Digest) -> Result<Parcel, Failure> {
    let project = session.need_project()?;
    let inputs = spec::inputs(session, &project, Missing::Refuse)?;
    let noting = Noting { files: &DiskFiles, noted: Mutex::default() };
    let (resolved, diagnostics, sources) = spec::resolve_files(session, (&project, environment), &inputs, &noting)?;
    let resolved = resolved.ok_or_else(|| Failure::mistakes(diagnostics, &sources))?;
    let pinned = |resolved| pin_as_recorded(&session.kinds, state, resolved);
    let resolved = pinned(resolved);
    if resolved.desired.spec_digest != verified {
        return Err(other(environment, &resolved, verified));
    }
    let noted = noting.noted.into_inner().expect("nobody panics while holding it");
    let (files, texts) = capture(session, &project, &noted)?;
    let release = describe(&project, environment, state, &resolved, files);
    let parcel = Parcel { release, texts };
    // By what was captured alone: a file that changed in the meantime, or that was not captured, shows here.
    let captured = ParcelFiles { parcel: &parcel, project: &project, place: &DiskFiles };
    let (again, _, _) = spec::resolve_files(session, (&project, environment), &inputs, &captured)?;
    match again.is_some_and(|again| pinned(again).desired.spec_digest == verified) {
        true => Ok(parcel),
        false => Err(other(environment, &resolved, verified)),
    }
}

fn other(environment: &str, resolved: &Resolved, verified: Digest) -> Failure {
    let here = resolved.desired.spec_digest;
    Failure::failed(format!("the checkout is not what {environment} has verified; no release was made"))
        .cause(format!("verified was the spec {}, here is {}", verified.short(), here.short()))
        .help("check out the commit that was applied, and give the same variables (`--var`, `--var-file`)")
        .help(format!("or apply what is here first: switchback apply {environment}"))
}

/// What is known of what was verified.
fn describe(
    project: &Path,
    environment: &str,
    state: &State,
    resolved: &Resolved,
    files: BTreeMap<String, Digest>,
) -> Release {
    let desired = &resolved.desired;
    let labels = |database: &crate::resolve::desired::DesiredDatabase| {
        database.migrations.iter().map(Migration::label).collect::<Vec<_>>()
    };
    Release {
        format: FORMAT,
        project: desired.project.clone(),
        environment: environment.to_owned(),
        spec_digest: desired.spec_digest,
        commit: git::commit(project),
        files,
        variables: resolved.released.clone(),
        images: images(state.things.resources.iter().map(|(address, thing)| (address.to_string(), &thing.object))),
        pinned: desired.images.pinned.clone(),
        migrations: desired
            .databases
            .iter()
            .map(|(address, database)| (address.to_string(), labels(database)))
            .collect(),
        configuration: configuration(desired.resources.keys().map(ToString::to_string)),
    }
}

/// What containers run, as far as it is known.
pub fn images<'a>(things: impl Iterator<Item = (String, &'a crate::value::Object)>) -> BTreeSet<Image> {
    let mut found = BTreeSet::new();
    for (address, object) in things {
        let text = object.get("container_definitions").filter(|value| !value.is_sensitive());
        let read = text.and_then(|value| serde_json::from_str::<Vec<Container>>(value.as_str()?).ok());
        for container in read.unwrap_or_default() {
            found.insert(Image { address: address.clone(), container: container.name, image: container.image });
        }
    }
    found
}

#[derive(serde::Deserialize)]
struct Container {
    #[serde(default)]
    name: String,
    #[serde(default)]
    image: String,
}

/// The keys of `config` blocks, by block: `config.web["LOG_LEVEL"]`.
pub fn configuration(addresses: impl Iterator<Item = String>) -> BTreeMap<String, BTreeSet<String>> {
    let mut blocks: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for address in addresses {
        let Some((block, key)) = address.strip_suffix("\"]").and_then(|address| address.split_once("[\"")) else {
            continue;
        };
        if block.starts_with("config.") || block.contains(".config.") {
            blocks.entry(block.to_owned()).or_default().insert(key.to_owned());
        }
    }
    blocks
}

/// A door to files that notes what passes.
struct Noting<'a> {
    files: &'a dyn Files,
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    read: BTreeSet<PathBuf>,
    listed: BTreeSet<PathBuf>,
}

impl Files for Noting<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let bytes = self.files.read(path)?;
        self.noted.lock().expect("nobody panics while holding it").read.insert(path.to_owned());
        Ok(bytes)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let found = self.files.list(folder)?;
        self.noted.lock().expect("nobody panics while holding it").listed.insert(folder.to_owned());
        Ok(found)
    }
}

/// The texts of the files that travel: each module and folder of migrations as a whole, and what else was read.
fn capture(session: &Session, project: &Path, noted: &Noted) -> Result<(BTreeMap<String, Digest>, Texts), Failure> {
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    let mut whole: BTreeSet<String> = BTreeSet::new();
    for path in &noted.read {
        let short = travelling(project, path)?;
        let Some(short) = short else { continue };
        if unit(&short) != short {
            whole.insert(unit(&short).to_owned());
        }
        wanted.insert(short);
    }
    for folder in &noted.listed {
        if travelling(project, folder)?.is_some() {
            let inside_it = DiskFiles.list(folder).unwrap_or_default();
            wanted.extend(inside_it.iter().filter_map(|path| inside(project, path)));
        }
    }
    whole.iter().for_each(|folder| walk(project, &project.join(folder), &mut wanted));
    let mut captured = (BTreeMap::new(), Texts::new());
    let mut size = 0;
    for path in wanted {
        let bytes = DiskFiles.read(&project.join(&path)).map_err(|error| {
            Failure::failed(format!("{path} cannot be read; no release was made")).cause(error.to_string())
        })?;
        size += bytes.len();
        // What is no text is read by nothing that a spec knows; where it was, the spec cannot be had again, which shows.
        let Ok(text) = String::from_utf8(bytes) else { continue };
        if path.ends_with(".hcl") && literal_secrets(&text, &session.kinds) {
            return Err(Failure::failed(format!(
                "{path} holds a literal secret, which must not travel; no release was made"
            ))
            .help("name it by reference: a `sensitive` variable, a parameter, a secret of the store"));
        }
        if size > LARGEST {
            return Err(Failure::failed("what would travel is larger than 8 MiB; no release was made")
                .cause(format!("with {path} it has {size} bytes"))
                .help("move large files out of the folders of modules and migrations"));
        }
        let digest = Digest::of_bytes(text.as_bytes());
        captured.0.insert(path, digest);
        captured.1.insert(digest, Arc::from(text));
    }
    Ok(captured)
}

/// A path that travels, relative to the project; nothing for what stays.
///
/// # Errors
/// When it lies outside of the project.
fn travelling(project: &Path, path: &Path) -> Result<Option<String>, Failure> {
    let short = inside(project, path).ok_or_else(|| {
        Failure::failed(format!(
            "{} lies outside of the project, so it cannot travel; no release was made",
            path.display()
        ))
        .help("move it into the project's folder")
    })?;
    Ok(Some(short).filter(|short| !stays(short)))
}

/// Every file below a folder, but for hidden ones.
fn walk(project: &Path, folder: &Path, into: &mut BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        match path.is_dir() {
            true => walk(project, &path, into),
            false => into.extend(inside(project, &path)),
        }
    }
}

/// Puts a release that was brought from elsewhere into the ledger, if it is not there.
///
/// # Errors
/// When the ledger cannot be written.
pub fn deposit(session: &Session, hold: &mut Hold<'_>, parcel: &Parcel, from: &str) -> Result<(), Failure> {
    let releases = &hold.ledger.state().releases;
    if releases.parcel(parcel.release.id()).is_some() {
        return Ok(());
    }
    let texts = releases.missing(parcel);
    let event = Event::Brought { release: Box::new(parcel.release.clone()), texts, from: from.to_owned() };
    hold.secure()?;
    record(session, hold, event)
}

/// Records something about a release.
///
/// # Errors
/// When the ledger cannot be written.
pub fn record(session: &Session, hold: &mut Hold<'_>, event: Event) -> Result<(), Failure> {
    let body = Body::OfRelease { actor: session.actor.clone(), event: Box::new(event) };
    Ok(session.wait(hold.ledger.append(session.world.clock.now(), vec![body]))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_their_blocks() {
        let addresses = ["config.web[\"A\"]", "config.web[\"B\"]", "module.x.config.y[\"C\"]", "aws_ssm_parameter.p"];
        let found = configuration(addresses.iter().map(ToString::to_string));
        let keys: Vec<(String, usize)> = found.into_iter().map(|(block, keys)| (block, keys.len())).collect();
        assert_eq!(keys, [("config.web".to_owned(), 2), ("module.x.config.y".to_owned(), 1)]);
    }
}
