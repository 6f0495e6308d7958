//! What the spec wants, all expressions evaluated as far as that goes before an apply. Pure data.
//!
//! Invariant: an attribute whose value holds an unknown or a secret also has its [`Deferred`] form.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::address::part::Part;
use crate::approval::rules::Rules;
use crate::diagnostic::Span;
use crate::digest::Digest;
use crate::expression::{Deferred, Expr};
use crate::migration::Migration;
use crate::migration::range::SchemaNeeds;
use crate::release::gates::Gates;
use crate::release::image::{Images, Pinning};
use crate::spec::Door;
use crate::step::Check;
use crate::value::{Object, Value};
use crate::world::{Binding, Budget, RehearsalSettings};

/// The resolved spec of one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The project's name, from `switchback.hcl`.
    pub project: String,
    /// The environment's own settings.
    pub environment: EnvironmentSettings,
    /// Resources by address, `config` blocks expanded into their parameters.
    pub resources: BTreeMap<Address, DesiredResource>,
    /// Databases by address.
    pub databases: BTreeMap<Address, DesiredDatabase>,
    /// What is asked of what was applied, by address.
    pub checks: Vec<Check>,
    /// Outputs of the environment by name.
    pub outputs: BTreeMap<String, DesiredOutput>,
    /// Digest of everything that was read: spec, modules, migrations and open variables. Secret variables
    /// do not enter.
    pub spec_digest: Digest,
    /// How the images of its containers are named, once that is known.
    pub images: Images,
}

/// The `environment` block, or what its absence means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentSettings {
    /// Its name: that of the file.
    pub name: String,
    /// The environment that comes before it in promotion.
    pub after: Option<String>,
    /// Whether only releases get in, and questions are asked.
    pub protected: bool,
    /// Whether `up` is allowed: as said, else unless `after` or `protected` is set.
    pub allow_up: bool,
    /// The ways in: `source`, else the checkout, or releases when `protected`.
    pub doors: BTreeSet<Door>,
    /// What a release has to wait for before it gets in.
    pub gates: Gates,
    /// Which images are named by their content.
    pub pinning: Pinning,
    /// The Git branch from whose checkouts it is planned and applied; any where there is none.
    pub branch: Option<String>,
    /// The rule by which a release gets in by itself, if there is one.
    pub auto_promote: Option<Expr>,
    /// How many signatures each class has to give that does not say so itself.
    pub approvals: u32,
    /// What it can bear of a change.
    pub budget: Budget,
    /// Who may sign, and what has to be signed, if the spec says anything of that.
    pub rules: Option<Rules>,
}

/// One resource instance.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredResource {
    /// Its kind.
    pub kind: String,
    /// Its provider and how that is reached.
    pub binding: Binding,
    /// The given attributes, defaults filled in, converted to the kind's types; computed ones absent.
    /// Secrets are real values, marked.
    pub object: Object,
    /// Attributes whose value holds unknowns or secrets, as expressions over resources and secrets.
    pub deferred: BTreeMap<String, Deferred>,
    /// What it refers to, directly or through locals, module inputs and outputs, and `depends_on`:
    /// resources and databases, expanded to instances.
    pub needs: BTreeSet<Address>,
    /// The schema versions it works with, by database: `needs_schema`. The databases are among its needs.
    pub needs_schema: SchemaNeeds,
    /// The `lifecycle` block.
    pub lifecycle: Lifecycle,
    /// Where it stands.
    pub span: Span,
    /// Where its attributes stand.
    pub attribute_spans: BTreeMap<String, Span>,
}

/// The `lifecycle` block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// A replacement is made before the old one goes.
    pub create_before_destroy: bool,
    /// A plan that would remove it is refused.
    pub prevent_destroy: bool,
    /// Attributes whose difference is left alone.
    pub ignore_changes: Vec<String>,
}

/// A `database` block: a schema that this spec owns.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredDatabase {
    /// How it is reached (provider `postgres`): host, port, dbname, user, tls, `set_role`, password.
    pub binding: Binding,
    /// The migrations up to `target`, by version.
    pub migrations: Vec<Migration>,
    /// Longest wait for one lock, in milliseconds.
    pub lock_timeout_milliseconds: u64,
    /// Where and with what its migrations are rehearsed.
    pub rehearsal: RehearsalSettings,
    /// How the server is reached that they are rehearsed on, if the spec names one.
    pub rehearsal_server: Option<Binding>,
    /// What it can bear of a change, where that differs from its environment.
    pub budget: Budget,
    /// What it refers to.
    pub needs: BTreeSet<Address>,
    /// Where it stands.
    pub span: Span,
}

/// An `output` of the environment.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredOutput {
    /// Its value, as far as known.
    pub value: Value,
    /// Its expression, where the value holds unknowns or secrets.
    pub deferred: Option<Deferred>,
}

/// What becomes of what is recorded: not what is wanted, but how the ledger gets there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refactoring {
    /// `moved` blocks, seen from the environment's spec.
    pub moved: Vec<Moved>,
    /// `removed` blocks, seen from the environment's spec.
    pub removed: Vec<Removed>,
    /// `import` blocks by what they import.
    pub imports: BTreeMap<Address, Import>,
}

/// A `moved` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// What it was called.
    pub from: Part,
    /// What it is called.
    pub to: Part,
    /// Where it stands.
    pub span: Span,
}

/// A `removed` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// What is no longer in the spec.
    pub from: Part,
    /// Whether it goes from the world as well.
    pub destroy: bool,
    /// Where it stands.
    pub span: Span,
}

/// An `import` block.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// By which the world knows the thing.
    pub id: String,
    /// What is asked for: the attributes that the id tells, and what else the spec says openly.
    pub query: Object,
    /// Where the id stands.
    pub span: Span,
}
