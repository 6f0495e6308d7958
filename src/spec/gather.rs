//! The blocks of a file, each brought to its place in a [`Module`]. Pure.
//!
//! Invariant: of two blocks with one name the first stays and the second is reported.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use indexmap::map::Entry;

use super::body::{Attribute, Block, Body};
use super::{
    EnvironmentBlock, Module, blocks, config_block, notify_block, paths, policy, project, refactor, rule, said_at,
    verify_block,
};
use crate::diagnostic::{Diagnostic, Diagnostics, Sources, Span};
use crate::suggest::{did_you_mean, listed};

/// A folder that a `module` block names.
pub(super) struct Source {
    /// The name of the call.
    pub call: Arc<str>,
    /// The folder, relative to the project.
    pub folder: PathBuf,
    /// Where it is named.
    pub span: Span,
}

/// Fills a [`Module`] from its files.
pub(super) struct Gatherer<'a> {
    pub sources: &'a Sources,
    pub environment: &'a str,
    pub file_folder: &'a Path,
    pub is_root: bool,
    pub settings: &'a mut Option<EnvironmentBlock>,
    pub module: &'a mut Module,
    pub wanted: &'a mut Vec<Source>,
    pub diagnostics: &'a mut Diagnostics,
}

/// The blocks there are.
const BLOCKS: [&str; 16] = [
    "environment",
    "variable",
    "locals",
    "module",
    "resource",
    "output",
    "provider",
    "database",
    "config",
    "moved",
    "removed",
    "import",
    "rule",
    "policy",
    "notify",
    "verify",
];

/// Words of the language that have no meaning yet.
const LATER: [&str; 3] = ["data", "check", "ephemeral"];

impl Gatherer<'_> {
    /// Takes the blocks of a file.
    pub fn file(&mut self, body: &mut Body) {
        for attribute in &body.attributes {
            self.diagnostics.push(
                Diagnostic::error("an attribute stands outside of every block")
                    .at(attribute.name_span)
                    .detail(format!("`{}` belongs to nothing here", attribute.name))
                    .help("put it into `locals { … }`, or into the block it belongs to"),
            );
        }
        for block in std::mem::take(&mut body.blocks) {
            self.block(block);
        }
    }

    fn block(&mut self, block: Block) {
        match &*block.word {
            "environment" if self.is_root => self.environment(&block),
            "provider" if self.is_root => {
                if self.labels(&block, &["NAME"])
                    && let Some(read) = blocks::provider(block, self.diagnostics)
                {
                    self.provider(read);
                }
            }
            "database" if self.is_root => {
                if self.labels(&block, &["NAME"]) {
                    let name = block.labels[0].0.clone();
                    let read = blocks::database(block, self.file_folder, self.diagnostics);
                    insert(&mut self.module.databases, name, read, "database", self.sources, self.diagnostics);
                }
            }
            "import" if self.is_root => {
                if self.labels(&block, &[]) {
                    self.module.imports.extend(refactor::import(block, self.diagnostics));
                }
            }
            "rule" | "policy" | "notify" if self.is_root => self.asked_of_changes(&block),
            "environment" | "provider" | "database" | "import" | "rule" | "policy" | "notify" => self.root_only(&block),
            "moved" => {
                if self.labels(&block, &[]) {
                    self.module.moved.extend(refactor::moved(block, self.diagnostics));
                }
            }
            "removed" => {
                if self.labels(&block, &[]) {
                    self.module.removed.extend(refactor::removed(block, self.diagnostics));
                }
            }
            "variable" => {
                if self.labels(&block, &["NAME"]) {
                    let name = block.labels[0].0.clone();
                    let read = blocks::variable(&block, self.diagnostics);
                    insert(&mut self.module.variables, name, read, "variable", self.sources, self.diagnostics);
                }
            }
            "locals" => self.locals(block),
            "output" => {
                if self.labels(&block, &["NAME"]) {
                    let name = block.labels[0].0.clone();
                    if let Some(read) = blocks::output(block, self.diagnostics) {
                        insert(&mut self.module.outputs, name, read, "output", self.sources, self.diagnostics);
                    }
                }
            }
            "module" => self.call(block),
            "resource" => self.resource(block),
            "config" => {
                if self.labels(&block, &["NAME"]) {
                    let name = block.labels[0].0.clone();
                    let read = config_block::read(block, self.diagnostics);
                    insert(&mut self.module.configs, name, read, "config", self.sources, self.diagnostics);
                }
            }
            "verify" => {
                if self.labels(&block, &["NAME"]) {
                    let name = block.labels[0].0.clone();
                    let read = verify_block::verify(block, self.diagnostics);
                    insert(&mut self.module.verifies, name, read, "verify block", self.sources, self.diagnostics);
                }
            }
            _ => self.unknown(&block),
        }
    }

    fn unknown(&mut self, block: &Block) {
        let word = &*block.word;
        let diagnostic = match word {
            word if LATER.contains(&word) => Diagnostic::error("this block is not built yet")
                .detail(format!("`{word}` is a word of the language, but this version cannot do it"))
                .help("remove the block, or wait for a version that has it"),
            "project" => Diagnostic::error("this block belongs into the project's file")
                .detail("`project` stands in `switchback.hcl`")
                .help("move it there"),
            "terraform" => Diagnostic::error("there is no such block")
                .detail("`terraform` has no meaning here")
                .help("versions and the ledger are set by the `project` block in `switchback.hcl`"),
            word => Diagnostic::error("there is no such block")
                .detail(format!("nothing is called `{word}`"))
                .help(did_you_mean(word, BLOCKS, format!("blocks are {}", listed(BLOCKS)))),
        };
        self.diagnostics.push(diagnostic.at(block.header));
        self.not_understood(block);
    }

    /// What such a block was to declare is not missed elsewhere: its own mistake has been told.
    fn not_understood(&mut self, block: &Block) {
        let labels = block.labels.iter().map(|(text, _)| text.to_string());
        let names = block.body.attributes.iter().map(|attribute| attribute.name.to_string());
        self.module.unparsed_words.get_or_insert_default().extend(labels.chain(names));
    }

    /// What is asked of every change: levels of rules, policies of the house.
    fn asked_of_changes(&mut self, block: &Block) {
        if !self.labels(block, &["NAME"]) {
            return;
        }
        match &*block.word {
            "rule" => self.module.rules.extend(rule::rule(block, self.diagnostics)),
            "notify" => self.notify(block),
            _ => self.module.policies.extend(policy::policy(block, self.diagnostics)),
        }
    }

    fn notify(&mut self, block: &Block) {
        let Some(read) = notify_block::notify(block, self.diagnostics) else { return };
        let is_same = |other: &super::NotifyBlock| other.receiver.name == read.receiver.name;
        if self.module.notifies.iter().any(is_same) {
            self.diagnostics.push(
                Diagnostic::error("there are two receivers of this name")
                    .at(block.header)
                    .detail(format!("`{}` is named twice", read.receiver.name))
                    .help("give one of them another name"),
            );
            return;
        }
        self.module.notifies.push(read);
    }

    fn root_only(&mut self, block: &Block) {
        self.diagnostics.push(
            Diagnostic::error("this block does not belong into a module")
                .at(block.header)
                .detail(format!("`{}` stands in the spec of an environment only", block.word))
                .help("move it to the files of the environment, and hand values in as inputs"),
        );
        self.not_understood(block);
    }

    /// Whether a block has the labels it should have, and they are names.
    fn labels(&mut self, block: &Block, wanted: &[&str]) -> bool {
        if block.labels.len() != wanted.len() {
            let example: String = wanted.iter().map(|label| format!(" \"{label}\"")).collect();
            self.diagnostics.push(
                Diagnostic::error("a block has the wrong number of labels")
                    .at(block.header)
                    .detail(format!("`{}` takes {}, {} given", block.word, wanted.len(), block.labels.len()))
                    .help(format!("write `{}{example} {{ … }}`", block.word)),
            );
            self.not_understood(block);
            return false;
        }
        let mut good = true;
        for (text, span) in &block.labels {
            if !is_name(text) {
                good = false;
                self.diagnostics.push(
                    Diagnostic::error("a label is no name")
                        .at(*span)
                        .detail(format!("`{text}` could not be referred to"))
                        .help("a name begins with a letter or `_` and goes on with letters, digits, `_` and `-`"),
                );
            }
        }
        good
    }

    fn environment(&mut self, block: &Block) {
        let read = project::environment(block, self.environment, self.diagnostics);
        match &self.settings {
            None => *self.settings = Some(read),
            Some(first) => self.diagnostics.push(
                Diagnostic::error("there are two `environment` blocks")
                    .at(read.span)
                    .detail(format!("the first is at {}", said_at(self.sources, first.span)))
                    .help("remove one of them"),
            ),
        }
    }

    fn provider(&mut self, read: super::ProviderBlock) {
        let same = |other: &&super::ProviderBlock| other.name == read.name && other.alias == read.alias;
        match self.module.providers.iter().find(same) {
            Some(first) => self.diagnostics.push(
                Diagnostic::error("a provider is set twice")
                    .at(read.span)
                    .detail(format!("`{}` is set at {} already", read.name, said_at(self.sources, first.span)))
                    .help("remove one of the blocks, or give one an `alias`"),
            ),
            None => self.module.providers.push(read),
        }
    }

    fn locals(&mut self, block: Block) {
        if let Some((_, span)) = block.labels.first() {
            self.diagnostics.push(
                Diagnostic::error("a block has the wrong number of labels")
                    .at(*span)
                    .detail("`locals` takes none")
                    .help("write `locals { … }`"),
            );
        }
        for nested in &block.body.blocks {
            self.diagnostics.push(
                Diagnostic::error("there is no such block here")
                    .at(nested.header)
                    .detail(format!("`locals` holds values, and `{}` is a block", nested.word))
                    .help(format!("write `{} = …`", nested.word)),
            );
        }
        for attribute in block.body.attributes {
            let name = attribute.name.clone();
            insert::<Arc<str>, Attribute>(
                &mut self.module.locals,
                name,
                attribute,
                "local",
                self.sources,
                self.diagnostics,
            );
        }
    }

    fn call(&mut self, block: Block) {
        if !self.labels(&block, &["NAME"]) {
            return;
        }
        let name = block.labels[0].0.clone();
        let (read, source) = blocks::call(block, self.diagnostics);
        let is_new = insert(&mut self.module.calls, name.clone(), read, "module", self.sources, self.diagnostics);
        let Some((path, span)) = source.filter(|_| is_new) else {
            return;
        };
        let is_local = path.starts_with("./") || path.starts_with("../") || path == "." || path == "..";
        let folder = is_local.then(|| paths::normal(&self.file_folder.join(&path))).flatten();
        match folder {
            Some(folder) => self.wanted.push(Source { call: name, folder, span }),
            None => self.diagnostics.push(bad_source(&path, is_local).at(span)),
        }
    }

    fn resource(&mut self, block: Block) {
        if !self.labels(&block, &["KIND", "NAME"]) {
            return;
        }
        let key = (block.labels[0].0.clone(), block.labels[1].0.clone());
        let read = blocks::resource(block, self.diagnostics);
        insert(&mut self.module.resources, key, read, "resource", self.sources, self.diagnostics);
    }
}

fn bad_source(path: &str, is_local: bool) -> Diagnostic {
    match is_local {
        true => Diagnostic::error("a module lies outside of the project")
            .detail(format!("`{path}` leads out of the project's folder, where no other machine may have it"))
            .help("copy the module into `modules/`"),
        false => Diagnostic::error("a module's source is not a local path")
            .detail(format!("`{path}` is not the path of a folder; registries and repositories are not built yet"))
            .help("copy the module into `modules/NAME` and write `source = \"../modules/NAME\"`"),
    }
}

pub(super) fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '-')
}

/// How a table's key reads in a message.
trait Spoken {
    fn spoken(&self) -> String;
}

impl Spoken for Arc<str> {
    fn spoken(&self) -> String {
        self.to_string()
    }
}

impl Spoken for (Arc<str>, Arc<str>) {
    fn spoken(&self) -> String {
        format!("{}.{}", self.0, self.1)
    }
}

/// Where a declared thing stands.
trait Placed {
    fn span(&self) -> Span;
}

macro_rules! placed {
    ($($name:ident),*) => {$(
        impl Placed for super::$name {
            fn span(&self) -> Span {
                self.span
            }
        }
    )*};
}

placed!(Variable, Output, Call, Resource, Database, Config, Verify);

impl Placed for Attribute {
    fn span(&self) -> Span {
        self.name_span
    }
}

/// Puts a thing into its table; whether it was new.
fn insert<K: Spoken + std::hash::Hash + Eq, T: Placed>(
    table: &mut IndexMap<K, T>,
    key: K,
    thing: T,
    what: &str,
    sources: &Sources,
    diagnostics: &mut Diagnostics,
) -> bool {
    let span = thing.span();
    match table.entry(key) {
        Entry::Vacant(free) => {
            free.insert(thing);
            true
        }
        Entry::Occupied(taken) => {
            diagnostics.push(
                Diagnostic::error(format!("a {what} is declared twice"))
                    .at(span)
                    .detail(format!(
                        "`{}` is declared at {} already",
                        taken.key().spoken(),
                        said_at(sources, taken.get().span())
                    ))
                    .help("give one of them another name, or remove it"),
            );
            false
        }
    }
}
