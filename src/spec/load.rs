//! Which files a spec consists of, and reading them. Pure: every text comes through [`Files`].
//!
//! Invariant: every path is relative to the project, so that equal projects read equal on every machine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::body::{self, Body};
use super::gather::{Gatherer, Source};
use super::{Module, Project, Spec, mask, project, schema_need};
use crate::diagnostic::{Diagnostic, Diagnostics, SourceId, Sources, Span};
use crate::digest::Digest;
use crate::files::Files;
use crate::kind::Kinds;
use crate::suggest::did_you_mean;

/// The name of the project's file.
const PROJECT_FILE: &str = "switchback.hcl";

/// The folder of the environments.
const ENVIRONMENTS: &str = "environments";

/// Reads the project's file, the files of one environment, and every module that they call.
///
/// `folder` is the project's. The kinds say which attributes hold secrets, so that none is shown in the
/// excerpt of a diagnostic. The spec is there even when it has mistakes, for the next stage to look at the
/// rest.
pub fn load(files: &dyn Files, folder: &Path, environment: &str, kinds: &Kinds) -> (Spec, Diagnostics) {
    let mut loader = Loader::new(files, folder, kinds);
    let project = loader.project();
    let paths = loader.environment_files(environment);
    let mut spec = Spec {
        sources: Sources::default(),
        project,
        environment: environment.into(),
        settings: None,
        modules: Vec::new(),
        sound: false,
        read: BTreeMap::new(),
    };
    let module_folder = paths.first().and_then(|path| path.parent()).unwrap_or(Path::new(ENVIRONMENTS)).to_owned();
    loader.modules(&mut spec, module_folder, &paths);
    spec.sources = loader.sources;
    spec.read = loader.read;
    let mut diagnostics = loader.diagnostics;
    spec.sound = !diagnostics.has_errors();
    diagnostics.sort();
    (spec, diagnostics)
}

/// Reads the project's file alone, as far as it can be read.
pub fn load_project(files: &dyn Files, folder: &Path, kinds: &Kinds) -> Project {
    Loader::new(files, folder, kinds).project()
}

/// The names of the environments, sorted: single files, and folders of files.
pub fn environments(files: &dyn Files, folder: &Path) -> Vec<String> {
    let folder = folder.join(ENVIRONMENTS);
    let is_hcl = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "hcl");
    let single = files.list(&folder).unwrap_or_default().into_iter().filter(is_hcl);
    let has_hcl = |path: &PathBuf| files.list(path).unwrap_or_default().iter().any(is_hcl);
    let folders = files.folders(&folder).unwrap_or_default().into_iter().filter(has_hcl);
    let mut names: Vec<String> =
        single.chain(folders).filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    names.dedup();
    names
}

/// Whether there is a spec of an environment, however it is read.
pub fn is_environment(files: &dyn Files, folder: &Path, name: &str) -> bool {
    let place = folder.join(ENVIRONMENTS);
    let inside = files.list(&place.join(name)).unwrap_or_default();
    files.exists(&place.join(format!("{name}.hcl")))
        || inside.iter().any(|path| path.extension().is_some_and(|extension| extension == "hcl"))
}

struct Loader<'a> {
    files: &'a dyn Files,
    folder: &'a Path,
    kinds: &'a Kinds,
    sources: Sources,
    read: BTreeMap<PathBuf, Digest>,
    diagnostics: Diagnostics,
}

/// A file that was read: its tree, or the words in it when it does not parse.
enum Read {
    Body(Body),
    Unparsed(BTreeSet<String>),
    Missing,
}

impl<'a> Loader<'a> {
    fn new(files: &'a dyn Files, folder: &'a Path, kinds: &'a Kinds) -> Self {
        let (sources, read, diagnostics) = (Sources::default(), BTreeMap::new(), Diagnostics::default());
        Self { files, folder, kinds, sources, read, diagnostics }
    }

    fn project(&mut self) -> Project {
        let path = Path::new(PROJECT_FILE);
        if !self.files.exists(&self.folder.join(path)) {
            self.diagnostics.push(
                Diagnostic::error("this folder holds no project")
                    .detail(format!("there is no `{PROJECT_FILE}` in `{}`", self.folder.display()))
                    .help("name the project's folder with `-C DIR`, or begin one with `switchback init`"),
            );
            return Project::default();
        }
        let source = self.next_id();
        match self.read(path) {
            Read::Body(body) => project::project(&body, Span { source, start: 0, end: 0 }, &mut self.diagnostics),
            Read::Unparsed(_) | Read::Missing => Project::default(),
        }
    }

    /// `environments/NAME.hcl`, or what lies in `environments/NAME/`.
    fn environment_files(&mut self, name: &str) -> Vec<PathBuf> {
        let single = Path::new(ENVIRONMENTS).join(format!("{name}.hcl"));
        let inside = self.hcl_files(&Path::new(ENVIRONMENTS).join(name));
        match (self.files.exists(&self.folder.join(&single)), inside.is_empty()) {
            (true, true) => vec![single],
            (false, false) => inside,
            (true, false) => {
                self.diagnostics.push(
                    Diagnostic::error("an environment has either a file or a folder")
                        .detail(format!("there are `{}` and files in `{ENVIRONMENTS}/{name}/`", single.display()))
                        .help("keep one of them"),
                );
                vec![single]
            }
            (false, true) => {
                let known = environments(self.files, self.folder);
                let otherwise = match known.is_empty() {
                    true => format!("write its spec into `{}`", single.display()),
                    false => format!(
                        "write its spec into `{}`; there are {}",
                        single.display(),
                        crate::suggest::listed(known.iter().map(String::as_str))
                    ),
                };
                self.diagnostics.push(
                    Diagnostic::error("there is no such environment")
                        .detail(format!("neither `{}` nor a file in `{ENVIRONMENTS}/{name}/` exists", single.display()))
                        .help(did_you_mean(name, known.iter().map(String::as_str), otherwise)),
                );
                Vec::new()
            }
        }
    }

    fn hcl_files(&self, folder: &Path) -> Vec<PathBuf> {
        let found = self.files.list(&self.folder.join(folder)).unwrap_or_default();
        let mut paths: Vec<PathBuf> = found
            .iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "hcl"))
            .filter_map(|path| Some(folder.join(path.file_name()?)))
            .collect();
        paths.sort();
        paths
    }

    fn next_id(&self) -> SourceId {
        SourceId(u32::try_from(self.sources.files().count()).expect("fewer than 2^32 files"))
    }

    fn read(&mut self, path: &Path) -> Read {
        let bytes = match self.files.read(&self.folder.join(path)) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.diagnostics.push(
                    Diagnostic::error("a file cannot be read")
                        .detail(format!("`{}`: {error}", path.display()))
                        .help("see that the file is there and may be read"),
                );
                return Read::Missing;
            }
        };
        let source = self.next_id();
        let Ok(text) = String::from_utf8(bytes) else {
            self.sources.add(path, "");
            self.diagnostics.push(
                Diagnostic::error("a file is not UTF-8 text")
                    .at(Span { source, start: 0, end: 0 })
                    .detail(format!("`{}` holds bytes that are no text", path.display()))
                    .help("save the file in UTF-8"),
            );
            return Read::Missing;
        };
        // A byte order mark means nothing; its place stays, so that the places of all else do.
        let plain = text.replace('\u{feff}', "   ");
        let text = schema_need::rewrite(&plain);
        match body::read(&text, source, &mut self.diagnostics) {
            Ok(body) => {
                let places = mask::places(&body, self.kinds);
                let masked = mask::blot(&text, &places);
                // The digest stands in plans: nobody is to test guesses of a secret with it.
                self.read.insert(path.to_owned(), Digest::of_bytes(masked.as_bytes()));
                // What is shown is what was written.
                self.sources.add(path, mask::blot(&plain, &places));
                Read::Body(body)
            }
            Err(mistake) => {
                self.sources.add(path, mask::blot_unparsed(&plain));
                self.diagnostics.push(*mistake);
                Read::Unparsed(words(&text))
            }
        }
    }

    /// Reads the spec and then every module it calls, each folder once.
    fn modules(&mut self, spec: &mut Spec, folder: PathBuf, paths: &[PathBuf]) {
        let mut known: BTreeMap<PathBuf, usize> = BTreeMap::new();
        let mut waiting = VecDeque::from([(folder, paths.to_vec(), true)]);
        let mut found = 1;
        while let Some((folder, paths, is_root)) = waiting.pop_front() {
            let mut module = Module { folder, ..Module::default() };
            let mut wanted = Vec::new();
            for path in &paths {
                match self.read(path) {
                    Read::Body(mut body) => {
                        let mut gatherer = Gatherer {
                            sources: &self.sources,
                            environment: &spec.environment,
                            file_folder: path.parent().unwrap_or(Path::new("")),
                            is_root,
                            settings: &mut spec.settings,
                            module: &mut module,
                            wanted: &mut wanted,
                            diagnostics: &mut self.diagnostics,
                        };
                        gatherer.file(&mut body);
                    }
                    Read::Unparsed(words) => module.unparsed_words.get_or_insert_default().extend(words),
                    Read::Missing => module.unreadable = true,
                }
            }
            for Source { call, folder, span } in wanted {
                let next = match known.get(&folder) {
                    Some(&index) => Some(index),
                    None => {
                        let paths = self.hcl_files(&folder);
                        match paths.is_empty() {
                            true => {
                                self.diagnostics.push(no_module(&folder, span));
                                None
                            }
                            false => {
                                known.insert(folder.clone(), found);
                                waiting.push_back((folder, paths, false));
                                found += 1;
                                Some(found - 1)
                            }
                        }
                    }
                };
                module.calls.get_mut(&call).expect("it was just gathered").module = next;
            }
            spec.modules.push(module);
        }
        self.refuse_recursion(spec);
    }

    /// A module that calls itself, directly or through others, would have no end.
    fn refuse_recursion(&mut self, spec: &mut Spec) {
        let mut state = vec![Visit::New; spec.modules.len()];
        let mut cut = Vec::new();
        visit_calls(spec, 0, &mut state, &mut cut);
        for (module, call) in cut {
            let folder = spec.modules[module].folder.clone();
            let call = &mut spec.modules[module].calls[call];
            call.module = None;
            self.diagnostics.push(
                Diagnostic::error("a module calls itself")
                    .at(call.span)
                    .detail(format!(
                        "`{}` is called from within itself here, so it would have no end",
                        folder.display()
                    ))
                    .help("remove this call"),
            );
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Visit {
    New,
    Open,
    Done,
}

fn visit_calls(spec: &Spec, module: usize, state: &mut [Visit], cut: &mut Vec<(usize, usize)>) {
    state[module] = Visit::Open;
    for (index, call) in spec.modules[module].calls.values().enumerate() {
        match call.module.map(|next| (next, state[next])) {
            Some((next, Visit::New)) => visit_calls(spec, next, state, cut),
            Some((_, Visit::Open)) => cut.push((module, index)),
            Some((_, Visit::Done)) | None => {}
        }
    }
    state[module] = Visit::Done;
}

fn no_module(folder: &Path, span: Span) -> Diagnostic {
    Diagnostic::error("there is no such module")
        .at(span)
        .detail(format!("`{}` holds no `.hcl` file", folder.display()))
        .help("a `source` is the path of a folder, relative to the file that names it, like `../modules/web`")
}

/// Everything in a text that could be a name.
fn words(text: &str) -> BTreeSet<String> {
    text.split(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == '-'))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}
