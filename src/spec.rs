//! Text → [`Spec`]: the project file, one environment's files and the modules they call. Pure: all texts come
//! through [`crate::files::Files`].
//!
//! Invariant: reading goes on after a mistake, and a name that may stand in a file that does not parse is
//! never reported as missing.

mod auto_promote;
pub mod body;
pub mod types;

mod budget_block;
pub mod config_block;
mod approval_blocks;
mod blocks;
mod gates;
mod images;
mod gather;
mod load;
mod lower;
mod mask;
mod migration_block;
mod notify_block;
mod paths;
mod policy;
mod project;
mod refactor;
mod repeat;
mod rule;
mod schema_need;
mod settings;
pub mod test_file;
mod unclosed;
mod verify_block;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;

// It was a part of this module; who names it here means the same.
pub use crate::suggest;
pub use load::{environments, is_environment, load, load_project};
pub use lower::{expression_from_text, template_from_text};
pub use mask::literal_secrets;
pub use migration_block::MigrationBlock;
pub use notify_block::{NotifyBlock, receivers};

use crate::address::part::Part;
use crate::approval::rules::Rules;
use crate::diagnostic::{Sources, Span};
use crate::digest::Digest;
use crate::expression::{Expr, Node, Reference};
use crate::migration::range::SchemaRange;
use crate::release::gates::Gates;
use crate::release::image::Pinning;
use crate::world::Budget;
use body::{Attribute, Body};

/// A named thing by its name, in the order of the source.
pub type Named<T> = IndexMap<Arc<str>, T>;

/// Everything that was read for one environment.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The texts, secrets masked: for showing the lines of diagnostics.
    pub sources: Sources,
    /// `switchback.hcl`.
    pub project: Project,
    /// The environment's name.
    pub environment: Arc<str>,
    /// Its `environment` block.
    pub settings: Option<EnvironmentBlock>,
    /// The spec itself first, then each folder that is called as a module, once.
    pub modules: Vec<Module>,
    /// Whether it was read without mistakes; otherwise it is looked at for more of them, and never used.
    pub sound: bool,
    /// Digest of each file that was read, by its path relative to the project.
    pub read: BTreeMap<PathBuf, Digest>,
}

/// `switchback.hcl`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    /// The label of the `project` block.
    pub name: Arc<str>,
    /// `ledger`, as written.
    pub ledger: Option<String>,
    /// `lease`, as written: how long a run's lease holds without a sign of life.
    pub lease: Option<String>,
    /// `required_version`, as written and already checked against this program.
    pub required_version: Option<String>,
    /// `rule` blocks.
    pub rules: Vec<RuleBlock>,
    /// `policy` blocks: they hold for every environment.
    pub policies: Vec<PolicyBlock>,
    /// `notify` blocks: they hold for every environment that does not name the receiver itself.
    pub notifies: Vec<NotifyBlock>,
}

/// A `policy` block: what the house asks of every change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyBlock {
    /// The policy's name.
    pub name: Arc<str>,
    /// Where it is named.
    pub span: Span,
    /// What must be true of the change.
    pub condition: Expr,
    /// What is said where it is not.
    pub message: Expr,
    /// How heavy that weighs.
    pub level: RuleLevel,
    /// Where it is asked at all; everywhere when nothing is said.
    pub when: Option<Expr>,
    /// The environments that it is for; all when there are none.
    pub environments: Vec<String>,
}

/// A `rule` block: how heavy a rule weighs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleBlock {
    /// The rule's name.
    pub name: Arc<str>,
    /// Where it is named.
    pub span: Span,
    /// What is said of it.
    pub level: RuleLevel,
}

/// How heavy a rule weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleLevel {
    /// It is not asked.
    Off,
    /// Worth knowing.
    Note,
    /// Worth a second look.
    Warning,
    /// It is refused.
    Error,
}

/// The `environment` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentBlock {
    /// Where it stands.
    pub span: Span,
    /// The environment that comes before it in promotion.
    pub after: Option<String>,
    /// Whether only releases get in, and questions are asked.
    pub protected: bool,
    /// What `allow_up` says, if it says anything.
    pub allow_up: Option<bool>,
    /// The doors, if it names them.
    pub source: Option<BTreeSet<Door>>,
    /// What a release has to wait for before it gets in.
    pub gates: Gates,
    /// Where it says which tests that are.
    pub tests_at: Option<Span>,
    /// Which images are named by their content.
    pub pinning: Pinning,
    /// The Git branch from whose checkouts it is planned and applied, if it names one.
    pub branch: Option<String>,
    /// `when` of the `auto_promote` block, if there is one.
    pub auto_promote: Option<Expr>,
    /// How many signatures each class has to give that does not say so itself.
    pub approvals: u32,
    /// What the environment can bear of a change: the `budget` block.
    pub budget: Budget,
    /// Who may sign, and what has to be signed, if anything is said of that.
    pub rules: Option<Rules>,
}

/// A way into an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// `plan`, `apply` and `up` build from the checkout.
    Checkout,
    /// `promote` builds from a release.
    Release,
}

/// The blocks of one folder.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// The folder, relative to the project.
    pub folder: PathBuf,
    /// The words of its files that do not parse, and of its blocks that are not understood: any of them may be a name that
    /// is declared there.
    pub unparsed_words: Option<BTreeSet<String>>,
    /// Whether a file could not even be read, so that any name may be declared there.
    pub unreadable: bool,
    /// `variable` blocks.
    pub variables: Named<Variable>,
    /// All that stands in `locals` blocks.
    pub locals: Named<Attribute>,
    /// `output` blocks.
    pub outputs: Named<Output>,
    /// `module` blocks.
    pub calls: Named<Call>,
    /// `resource` blocks by kind and name.
    pub resources: IndexMap<(Arc<str>, Arc<str>), Resource>,
    /// `provider` blocks; only the spec itself has any.
    pub providers: Vec<ProviderBlock>,
    /// `database` blocks; only the spec itself has any.
    pub databases: Named<Database>,
    /// `config` blocks.
    pub configs: Named<Config>,
    /// `verify` blocks.
    pub verifies: Named<Verify>,
    /// `moved` blocks.
    pub moved: Vec<MovedBlock>,
    /// `removed` blocks.
    pub removed: Vec<RemovedBlock>,
    /// `import` blocks; only the spec itself has any.
    pub imports: Vec<ImportBlock>,
    /// `rule` blocks; only the spec itself has any.
    pub rules: Vec<RuleBlock>,
    /// `policy` blocks; only the spec itself has any.
    pub policies: Vec<PolicyBlock>,
    /// `notify` blocks; only the spec itself has any.
    pub notifies: Vec<NotifyBlock>,
}

impl Module {
    /// Whether a name that is missing may stand in a file that does not parse.
    pub fn may_declare(&self, name: &str) -> bool {
        self.unreadable || self.unparsed_words.as_ref().is_some_and(|words| words.contains(name))
    }
}

/// A `variable` block.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Where its header stands.
    pub span: Span,
    /// Its type, with the defaults of optional attributes.
    pub ty: types::Constraint,
    /// The value when none is given.
    pub default: Option<Expr>,
    /// Whether its value is a secret.
    pub sensitive: bool,
    /// Whether its value travels with a release, and comes from there where one is applied.
    pub released: bool,
    /// Whether it may be null.
    pub nullable: bool,
    /// What must be true of it.
    pub validations: Vec<Validation>,
}

/// A `validation` block.
#[derive(Clone, Debug)]
pub struct Validation {
    /// What must be true.
    pub condition: Expr,
    /// What is said when it is not.
    pub message: Expr,
}

/// An `output` block.
#[derive(Clone, Debug)]
pub struct Output {
    /// Where its header stands.
    pub span: Span,
    /// What it gives.
    pub value: Expr,
    /// Whether that is a secret.
    pub sensitive: bool,
    /// What must be there before it is.
    pub depends_on: Vec<Target>,
}

/// `count`, `for_each` or neither.
#[derive(Clone, Debug, Default)]
pub enum Repeat {
    /// One instance without a key.
    #[default]
    Once,
    /// As many as this says.
    Count(Expr),
    /// One for each element of this.
    ForEach(Expr),
}

/// What `depends_on` names: a block, or one instance of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The expression as written: a reference, maybe with an index.
    pub expr: Expr,
}

impl Target {
    /// The block or module that is named.
    pub fn reference(&self) -> &Reference {
        match &self.expr.node {
            Node::Reference(reference) => reference,
            Node::Index(source, _) => match &source.node {
                Node::Reference(reference) => reference,
                _ => unreachable!("only a reference is read with an index"),
            },
            _ => unreachable!("only references and indexed references are read as targets"),
        }
    }
}

/// A `module` block.
#[derive(Clone, Debug)]
pub struct Call {
    /// Where its header stands.
    pub span: Span,
    /// Which of [`Spec::modules`]; none when its source was refused.
    pub module: Option<usize>,
    /// The inputs.
    pub inputs: Vec<Attribute>,
    /// How many.
    pub repeat: Repeat,
    /// What must be there before anything in it is.
    pub depends_on: Vec<Target>,
}

/// A `resource` block.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Where its header stands.
    pub span: Span,
    /// Where the kind stands.
    pub kind_span: Span,
    /// Attributes and nested blocks, without those that mean the same for every kind.
    pub body: Body,
    /// How many.
    pub repeat: Repeat,
    /// What must be there before it is.
    pub depends_on: Vec<Target>,
    /// `provider = NAME.ALIAS`.
    pub provider: Option<Expr>,
    /// `needs_schema`.
    pub needs_schema: Vec<SchemaNeed>,
    /// `lifecycle`.
    pub lifecycle: LifecycleBlock,
}

/// The `lifecycle` block of a resource.
#[derive(Clone, Debug, Default)]
pub struct LifecycleBlock {
    /// A replacement is made before the old one goes.
    pub create_before_destroy: bool,
    /// A plan that would remove it is refused.
    pub prevent_destroy: bool,
    /// Attributes whose difference is left alone, each with its place; `all` is all of them.
    pub ignore_changes: Vec<(Arc<str>, Span)>,
}

/// `needs_schema = database.NAME.at_least(N)`, `.at_most(N)`, `.between(N, M)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaNeed {
    /// The database's name.
    pub database: Arc<str>,
    /// The versions that will do.
    pub range: SchemaRange,
    /// Where it stands.
    pub span: Span,
}

/// A `provider` block.
#[derive(Clone, Debug)]
pub struct ProviderBlock {
    /// The provider.
    pub name: Arc<str>,
    /// Where its header stands.
    pub span: Span,
    /// `alias`.
    pub alias: Option<Arc<str>>,
    /// Its settings.
    pub body: Body,
}

/// A `database` block.
#[derive(Clone, Debug)]
pub struct Database {
    /// Where its header stands.
    pub span: Span,
    /// The folder of its migrations, relative to the project, and where it is named.
    pub migrations: Option<(PathBuf, Span)>,
    /// How it is reached, `target` and `lock_timeout`.
    pub settings: Vec<Attribute>,
    /// What is said about how single migrations run.
    pub said: Vec<MigrationBlock>,
    /// The `rehearsal` block.
    pub rehearsal: Option<RehearsalBlock>,
    /// The `budget` block.
    pub budget: Budget,
    /// What must be there before it is.
    pub depends_on: Vec<Target>,
}

/// A `rehearsal` block: where and with what migrations are rehearsed.
#[derive(Clone, Debug)]
pub struct RehearsalBlock {
    /// `url`, `version`, `extensions`, `roles`, `sample` and `statement_timeout`.
    pub settings: Vec<Attribute>,
    /// The file of SQL that fills the tables, relative to the project, and where it is named.
    pub seed: Option<(PathBuf, Span)>,
}

impl Database {
    /// Every attribute of it that holds an expression.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.settings.iter().chain(self.rehearsal.iter().flat_map(|rehearsal| &rehearsal.settings))
    }
}

/// A `config` block.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where its header stands.
    pub span: Span,
    /// `store`, `prefix` and `values`.
    pub settings: Vec<Attribute>,
    /// What must be there before it is.
    pub depends_on: Vec<Target>,
    /// What its `key` blocks say, by name.
    pub keys: Named<config_block::Key>,
}

/// A `verify` block.
#[derive(Clone, Debug)]
pub struct Verify {
    /// Where its header stands.
    pub span: Span,
    /// `when`, `on_failure`, `within`, `interval`, `tries` and `holds_for`.
    pub settings: Vec<Attribute>,
    /// What must be there before it can be asked.
    pub depends_on: Vec<Target>,
    /// What is asked; nothing where that is not said, which was reported.
    pub asks: Option<Asks>,
}

/// The block inside of a `verify` block: what is asked.
#[derive(Clone, Debug)]
pub struct Asks {
    /// The kind of check.
    pub kind: Arc<str>,
    /// Where its header stands.
    pub span: Span,
    /// What is given of it.
    pub body: Body,
    /// The `database` that it names, and where.
    pub database: Option<(Arc<str>, Span)>,
}

/// What a block names, relative to the module it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressed {
    /// That.
    pub part: Part,
    /// Where it is named.
    pub span: Span,
}

/// A `moved` block.
#[derive(Clone, Debug)]
pub struct MovedBlock {
    /// Where its header stands.
    pub span: Span,
    /// What it was called.
    pub from: Addressed,
    /// What it is called.
    pub to: Addressed,
}

/// A `removed` block.
#[derive(Clone, Debug)]
pub struct RemovedBlock {
    /// Where its header stands.
    pub span: Span,
    /// What is no longer in the spec.
    pub from: Addressed,
    /// Whether it goes from the world as well.
    pub destroy: bool,
}

/// An `import` block.
#[derive(Clone, Debug)]
pub struct ImportBlock {
    /// Where its header stands.
    pub span: Span,
    /// The resource that it becomes.
    pub to: Addressed,
    /// By which the world knows it.
    pub id: Expr,
}

/// Where a name is declared, for messages: `environments/dev.hcl:12`.
fn said_at(sources: &Sources, span: Span) -> String {
    format!("{}:{}", sources.file(span.source).path.display(), sources.place(span).line)
}
