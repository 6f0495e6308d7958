//! The images of a spec, named by their content: who is asked what a tag stands for, and who is not. An edge.
//!
//! Invariant: a registry is asked once for an image and plan, and never by what only carries out or compares.

use std::collections::BTreeMap;

use super::drifting::known_objects;
use super::exit::Exit;
use super::failure::Failure;
use super::session::{Resolved, Session};
use crate::kind::Kinds;
use crate::ledger::State;
use crate::observe::{Known as Objects, connect};
use crate::release::image::{self, Images, Known, Name, Pinned};
use crate::resolve::desired::Desired;
use crate::resolve::images::{self, Found};
use crate::world::{Binding, ErrorClass, WorldError};

/// Why an image stays as it is written that lies in no registry that can be asked.
const ELSEWHERE: &str = "its registry is not asked";

/// Names the images of a spec by their content: those of a release as it says, those that were pinned before as they
/// were, unless the environment follows its tags, and what is left as the registry says now.
///
/// # Errors
/// When an image is not there, its registry cannot be asked, or it has to be pinned and cannot be.
pub fn pin(session: &Session, state: &State, mut resolved: Resolved) -> Result<Resolved, Failure> {
    let pinning = resolved.desired.environment.pinning;
    if resolved.pinned || pinning.which == Pinned::Off {
        return Ok(resolved);
    }
    resolved.pinned = true;
    if let Some(begun) = begun(&resolved.desired, &session.kinds, state) {
        resolved.desired = begun;
        return Ok(resolved);
    }
    let found = images::found(&resolved.desired, &session.kinds);
    let brought = resolved.parcel.as_ref().map(|parcel| &parcel.release.pinned);
    let kept = state.apply_in_force().map(|run| &run.change_set.images.pinned).filter(|_| !pinning.follow);
    let mut named = Images::default();
    let mut asked: Vec<Asked> = Vec::new();
    for (written, binding) in &found.images {
        let known = [brought, kept].into_iter().flatten().find_map(|pinned| image::known(pinned, written));
        match (Name::of_registry(written), known) {
            _ if image::is_digest(written) => {}
            (_, Some(Known::Same(pinned))) => drop(named.pinned.insert(written.clone(), pinned)),
            (None, _) => drop(named.as_written.insert(written.clone(), ELSEWHERE.to_owned())),
            (Some(name), Some(Known::Elsewhere(digest))) => {
                asked.push(Asked { written: written.clone(), image: name.at(&digest), binding: binding.clone() });
            }
            (Some(_), None) => {
                asked.push(Asked { written: written.clone(), image: written.clone(), binding: binding.clone() });
            }
        }
    }
    ask(session, state, &resolved, &asked, &mut named)?;
    if pinning.which == Pinned::Required {
        refuse_others(session, &resolved.desired, &found, &named)?;
    }
    for address in &found.hidden {
        named.as_written.insert(format!("an image of {address}"), "it is known only when it is applied".to_owned());
    }
    images::pin(&mut resolved.desired, &session.kinds, named);
    Ok(resolved)
}

/// An image that the registry is asked for.
struct Asked {
    /// As it is written.
    written: String,
    /// What is asked for: the same, or a digest that another registry has.
    image: String,
    binding: Binding,
}

/// The spec as the unfinished run of it has pinned it: it is finished as it was begun.
fn begun(desired: &Desired, kinds: &Kinds, state: &State) -> Option<Desired> {
    let run = state.unfinished()?;
    let mut begun = desired.clone();
    images::pin(&mut begun, kinds, run.change_set.images.clone());
    (run.change_set.spec_digest == Some(begun.spec_digest)).then_some(begun)
}

/// Names the images as a change set does that was made of the spec; nobody is asked.
pub fn pin_as(kinds: &Kinds, images: &Images, mut resolved: Resolved) -> Resolved {
    let found = images::found(&resolved.desired, kinds).images;
    let mut images = images.clone();
    images.pinned.retain(|written, _| found.contains_key(written));
    images::pin(&mut resolved.desired, kinds, images);
    Resolved { pinned: true, ..resolved }
}

/// Names the images as the ledger knows them: those of the release that it was resolved with, else those that are in
/// force. Nobody is asked: what is new stays as it is written.
pub fn pin_as_recorded(kinds: &Kinds, state: &State, resolved: Resolved) -> Resolved {
    let in_force = state.apply_in_force().map(|run| run.change_set.images.clone()).unwrap_or_default();
    pin_as(kinds, &in_force, resolved)
}

/// Asks the registries, each image once, those of one connection together.
fn ask(
    session: &Session,
    state: &State,
    resolved: &Resolved,
    asked: &[Asked],
    named: &mut Images,
) -> Result<(), Failure> {
    let mut by_binding: Vec<(&Binding, Vec<&Asked>)> = Vec::new();
    for one in asked {
        match by_binding.iter_mut().find(|(binding, _)| **binding == one.binding) {
            Some((_, together)) => together.push(one),
            None => by_binding.push((&one.binding, vec![one])),
        }
    }
    let objects = known_objects(&state.things);
    let known = Objects { objects: &objects, secrets: &*resolved.secrets };
    let mut errors: BTreeMap<&str, WorldError> = BTreeMap::new();
    for (binding, together) in by_binding {
        let images: Vec<String> = together.iter().map(|one| one.image.clone()).collect();
        let answers = match (connect(binding, &known), session.world.providers.get(&binding.provider)) {
            (Ok(Some(connection)), Some(provider)) => session.wait(provider.digests(&connection, &images)),
            (Ok(_), None) => images.iter().map(|_| Ok(None)).collect(),
            (Ok(None), Some(_)) => images.iter().map(|_| Err(unknown_yet())).collect(),
            (Err(error), _) => images.iter().map(|_| Err(error.clone())).collect(),
        };
        for (one, answer) in together.into_iter().zip(answers) {
            match (answer, Name::of_registry(&one.written)) {
                (Ok(Some(digest)), Some(name)) => drop(named.pinned.insert(one.written.clone(), name.at(&digest))),
                (Ok(_), _) => drop(named.as_written.insert(one.written.clone(), ELSEWHERE.to_owned())),
                (Err(error), _) => drop(errors.insert(&one.image, error)),
            }
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    let errors = errors.iter().map(|(image, error)| ((*image).to_owned(), error));
    Err(Failure::world("what an image stands for could not be asked; nothing was done", errors))
}

fn unknown_yet() -> WorldError {
    WorldError {
        tried: "aws: asking for an image".to_owned(),
        cause: "a setting of its provider is known only when it is applied".to_owned(),
        help: Some("name the image by its digest, or set `pin_images = \"off\"`".to_owned()),
        class: ErrorClass::Refused,
    }
}

/// Refuses what is not named by its content.
fn refuse_others(session: &Session, desired: &Desired, found: &Found, named: &Images) -> Result<(), Failure> {
    let mut causes: Vec<String> = named.as_written.iter().map(|(image, why)| format!("{image}: {why}")).collect();
    causes.extend(found.hidden.iter().map(|address| format!("{address}: its image is known only when it is applied")));
    if causes.is_empty() {
        return Ok(());
    }
    let name = &desired.environment.name;
    let mut failure =
        Failure::new(Exit::Spec, format!("{name} takes only images that are named by their content; nothing was done"));
    failure.causes = causes;
    let again = session.command(&format!("plan {name}"));
    Err(failure.help(format!("write `REPOSITORY@sha256:…`, or push it to ECR, and type `{again}` again")))
}
