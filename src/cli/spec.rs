//! The spec of an environment, read from disk and resolved with what was typed. An edge.
//!
//! Invariant: the ledger's URL is found also when the spec has mistakes, so that a way back is never blocked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::door;
use super::environment::{self, Name};
use super::exit::Exit;
use super::failure::Failure;
use super::images;
use super::session::{Resolved, Session};
use crate::address::Address;
use crate::diagnostic::{Diagnostics, Sources};
use crate::digest::Digest;
use crate::expression::Deferred;
use crate::files::Files;
use crate::kind::Kinds;
use crate::ledger::State;
use crate::migration::layout::Layout;
use crate::release::Carried;
use crate::release::image::Images;
use crate::release::parcel::{Parcel, ParcelFiles};
use crate::resolve::desired::{Desired, DesiredDatabase};
use crate::resolve::inputs::{Inputs, VariableFile, secrets_from_variables};
use crate::rules::judging::Settings;
use crate::rules::{self, Levels};
use crate::secret::{SecretReference, Secrets};
use crate::step::ChangeSet;
use crate::store::disk::DiskFiles;
use crate::value::{Object, Value};
use crate::{local, resolve, spec};

pub use crate::resolve::inputs::Missing;

impl Session {
    /// The resolved spec of an environment, as the checkout and the release in force there say. Warnings are said.
    ///
    /// # Errors
    /// With all of its mistakes, or when the environment takes only releases and none is in force.
    pub fn resolve(&self, environment: &str) -> Result<Resolved, Failure> {
        let project = self.need_environment(environment)?;
        match door::running(self, &project, environment)? {
            Some((parcel, carried)) => {
                let release = carried.id;
                self.resolve_over(environment, parcel, carried).map_err(|failure| match failure.exit {
                    Exit::Spec => door::of_release(self, environment, release, failure),
                    _ => failure,
                })
            }
            None => self.resolve_with(environment, None),
        }
    }

    /// The same with a release: what travels comes from there, all else from the checkout.
    ///
    /// # Errors
    /// With all of its mistakes.
    pub fn resolve_over(&self, environment: &str, parcel: Parcel, carried: Carried) -> Result<Resolved, Failure> {
        let resolved = self.resolve_with(environment, Some(&parcel))?;
        Ok(Resolved { parcel: Some(parcel), carried: Some(carried), ..resolved })
    }

    fn resolve_with(&self, environment: &str, parcel: Option<&Parcel>) -> Result<Resolved, Failure> {
        let project = self.need_environment(environment)?;
        let (resolved, diagnostics, sources) = resolve_from(self, &project, environment, Missing::Refuse, parcel)?;
        match resolved {
            Some(resolved) if !diagnostics.has_errors() => {
                door::refuse_typed(self, &resolved.desired.environment)?;
                self.warn(&diagnostics, &sources);
                Ok(resolved)
            }
            _ => Err(Failure::mistakes(diagnostics, &sources)),
        }
    }
}

/// The project's environments.
pub fn environments(project: &Path) -> Vec<String> {
    spec::environments(&DiskFiles, project)
}

/// The ledger as the project's file names it.
pub fn ledger(project: &Path, kinds: &Kinds) -> Option<String> {
    spec::load_project(&DiskFiles, project, kinds).ledger
}

/// How long a lease holds, as the project's file says.
pub fn lease(project: &Path, kinds: &Kinds) -> Option<String> {
    spec::load_project(&DiskFiles, project, kinds).lease
}

/// Reads and resolves a spec. What comes back is `None` when it has errors; warnings may be there all the same.
///
/// # Errors
/// When what was typed cannot be read.
pub fn resolve(
    session: &Session,
    project: &Path,
    environment: &str,
    missing: Missing,
) -> Result<(Option<Resolved>, Diagnostics, Sources), Failure> {
    resolve_from(session, project, environment, missing, None)
}

/// The same; with a release, what travels comes from there.
///
/// # Errors
/// As [`resolve()`].
pub fn resolve_from(
    session: &Session,
    project: &Path,
    environment: &str,
    missing: Missing,
    parcel: Option<&Parcel>,
) -> Result<(Option<Resolved>, Diagnostics, Sources), Failure> {
    let mut inputs = inputs(session, project, missing)?;
    match parcel {
        None => resolve_files(session, (project, environment), &inputs, &DiskFiles),
        Some(parcel) => {
            inputs.released.clone_from(&parcel.release.variables);
            let files = ParcelFiles { parcel, project, place: &DiskFiles };
            resolve_files(session, (project, environment), &inputs, &files)
        }
    }
}

/// The same from given files and inputs.
///
/// # Errors
/// As [`resolve()`].
pub fn resolve_files(
    session: &Session,
    (project, environment): (&Path, &str),
    inputs: &Inputs,
    files: &dyn Files,
) -> Result<(Option<Resolved>, Diagnostics, Sources), Failure> {
    let (spec, mut diagnostics) = spec::load(files, project, environment, &session.kinds);
    let (resolved, more) = resolve::resolve(&spec, inputs, &session.kinds, files, project);
    diagnostics.extend(more);
    let (levels, unknown) = Levels::of(&spec, &rules::rules());
    diagnostics.extend(unknown);
    // Tests are those of the checkout, whatever release is looked at.
    diagnostics.extend(spec::test_file::missing_files(&spec, &DiskFiles, project));
    diagnostics.sort();
    let folders = resolved.as_ref().map(|resolved| folders(&spec, &resolved.desired)).unwrap_or_default();
    let policies = rules::policy::of_spec(&spec);
    let own = spec.modules.first().map(|module| &*module.notifies).unwrap_or_default();
    let receivers = match session.globals.tell_nobody {
        true => Vec::new(),
        false => spec::receivers(own, &spec.project.notifies, environment),
    };
    let sources = spec.sources;
    let resolved = resolved.filter(|_| !diagnostics.has_errors()).map(|resolved| Resolved {
        desired: resolved.desired,
        refactoring: resolved.refactoring,
        sources: sources.clone(),
        rules: Settings { levels, folders },
        policies,
        released: resolved.released,
        parcel: None,
        carried: None,
        receivers,
        promotion: None,
        pinned: false,
        secrets: Arc::new(resolved.secrets.or_else(Arc::new(session.edge_secrets()))),
    });
    Ok((resolved, diagnostics, sources))
}

/// Where the migrations of each database lie.
fn folders(spec: &spec::Spec, desired: &Desired) -> BTreeMap<Address, (String, Layout)> {
    let databases = spec.modules.first().map(|module| &module.databases);
    let of = |(address, wanted): (&Address, &DesiredDatabase)| {
        let name = address.to_string();
        let block = databases?.get(name.strip_prefix("database.")?)?;
        let folder = block.migrations.as_ref()?.0.display().to_string();
        Some((address.clone(), (folder, Layout::of(&wanted.binding.settings).unwrap_or_default())))
    };
    desired.databases.iter().filter_map(of).collect()
}

/// The spec, if the checkout, and the release that was brought with it, are those that a run was begun from.
pub fn checkout(
    session: &Session,
    environment: &str,
    digest: Option<Digest>,
    brought: Brought<'_>,
) -> Option<Resolved> {
    let (project, digest) = (session.project()?, digest?);
    let Brought { carried, parcel, images } = brought;
    if carried.is_some() && parcel.is_none() {
        return None;
    }
    let resolved = resolve_from(session, &project, environment, Missing::Refuse, parcel.as_ref());
    let (resolved, _mistakes, _) = resolved.ok()?;
    let resolved = images::pin_as(&session.kinds, images.unwrap_or(&Images::default()), resolved?);
    let resolved = Some(resolved).filter(|resolved| resolved.desired.spec_digest == digest)?;
    Some(Resolved { parcel, carried: carried.cloned(), ..resolved })
}

/// The release that a change set brings.
#[derive(Debug, Default)]
pub struct Brought<'a> {
    /// What the change set says of it.
    pub carried: Option<&'a Carried>,
    /// The release, if it is at hand.
    pub parcel: Option<Parcel>,
    /// How it names the images of its containers.
    pub images: Option<&'a Images>,
}

impl<'a> Brought<'a> {
    /// That of a change set, as far as the ledger knows it.
    pub fn of(change_set: Option<&'a ChangeSet>, state: &State) -> Self {
        let carried = change_set.and_then(|change_set| change_set.release.as_deref());
        let images = change_set.map(|change_set| &change_set.images);
        Self { carried, parcel: carried.and_then(|carried| state.releases.parcel(carried.id)), images }
    }
}

/// The secrets for going on with the newest run, or back from it: those of the checkout, if it is the one that the run
/// was begun from, and else what the ledger names.
///
/// # Errors
/// When what was given cannot be read.
pub fn secrets_at_hand(session: &Session, environment: &str, state: &State) -> Result<Arc<dyn Secrets>, Failure> {
    let digest = state.runs.iter().rev().find_map(|run| run.change_set.spec_digest);
    let newest = state.runs.iter().rev().find(|run| run.change_set.spec_digest.is_some());
    let brought = Brought::of(newest.map(|run| &*run.change_set), state);
    match checkout(session, environment, digest, brought) {
        Some(resolved) => Ok(resolved.secrets),
        None => secrets(session, state, None),
    }
}

/// Secrets without a spec: what was given for the variables that the ledger or a change set name, environment
/// variables and files.
///
/// # Errors
/// When what was given cannot be read.
pub fn secrets(session: &Session, state: &State, change_set: Option<&ChangeSet>) -> Result<Arc<dyn Secrets>, Failure> {
    let inputs = inputs(session, &session.folder, Missing::Assume)?;
    let names = secret_variables(state, change_set);
    let mut diagnostics = Diagnostics::default();
    let revealed = secrets_from_variables(&inputs, names.iter().map(String::as_str), &mut diagnostics);
    if diagnostics.has_errors() {
        let mut failure = Failure::mistakes(diagnostics, &Sources::default());
        failure.summary = "the values of variables are not understood; nothing was done".to_owned();
        return Err(failure);
    }
    Ok(Arc::new(revealed.or_else(Arc::new(session.edge_secrets()))))
}

/// The secret variables that any run, any thing or a change set refers to.
fn secret_variables(state: &State, change_set: Option<&ChangeSet>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut take = |deferred: &Deferred| {
        for secret in deferred.secrets() {
            if let SecretReference::Variable { name } = secret {
                names.insert(name);
            }
        }
    };
    let change_sets = state.runs.iter().map(|run| &*run.change_set).chain(change_set);
    for change_set in change_sets {
        for step in &change_set.steps {
            step.binding.deferred.values().for_each(&mut take);
            step.action.deferred().into_iter().flat_map(|deferred| deferred.values()).for_each(&mut take);
        }
        for check in &change_set.checks {
            let reached = check.binding.iter().flat_map(|binding| binding.deferred.values());
            check.deferred.values().chain(reached).for_each(&mut take);
        }
        change_set.outputs.values().filter_map(|output| output.deferred.as_ref()).for_each(&mut take);
    }
    state.things.resources.values().flat_map(|thing| thing.binding.deferred.values()).for_each(&mut take);
    state.things.databases.values().flat_map(|thing| thing.binding.deferred.values()).for_each(&mut take);
    names
}

/// What is handed in to the spec from outside.
///
/// # Errors
/// When a file of variables cannot be read.
pub fn inputs(session: &Session, project: &Path, missing: Missing) -> Result<Inputs, Failure> {
    let mut files = Vec::new();
    for typed in &session.globals.variable_files {
        #[expect(clippy::disallowed_methods, reason = "files of variables are named on the command line")]
        let text = std::fs::read_to_string(session.path(typed)).map_err(|error| {
            Failure::usage(format!("the file of variables {} cannot be read: {error}", typed.display()))
        })?;
        files.push(VariableFile { path: typed.clone(), text });
    }
    Ok(Inputs {
        environment: environment::variables()?.into_iter().collect(),
        files,
        arguments: session.globals.variables.iter().map(|given| (given.name.clone(), given.value.clone())).collect(),
        local_stack: local_stack(session, project).map(Value::object),
        missing,
        released: BTreeMap::new(),
        tried: BTreeMap::new(),
        folder: project.to_owned(),
        home: environment::read(Name::Home).map(PathBuf::from),
        planned_at: Some(session.world.clock.now()),
    })
}

/// The stack of this project, or of the one that the environment names.
fn local_stack(session: &Session, project: &Path) -> Option<Object> {
    match environment::read(Name::LocalStack) {
        Some(other) => local::facts(&session.path(Path::new(&other))),
        None => local::facts(project),
    }
}
