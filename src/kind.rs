//! Kinds of resources: what attributes they have, and the pure rules by which they change. Pure.
//!
//! Invariant: a kind's pure half is always compiled; only its calls stand behind a feature, in `provider`.

mod check;

pub use check::{CheckKind, Reaches};

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::approval::class::Part;
use crate::value::{Object, Type, Value};

/// A kind of resource.
pub struct Kind {
    /// Its name in the spec, `aws_ecs_service`.
    pub name: &'static str,
    /// Who carries it out: `aws`, `postgres`, `terraform`.
    pub provider: &'static str,
    /// One sentence for the reference.
    pub summary: &'static str,
    /// Its attributes, in the order of the reference.
    pub attributes: Vec<Attribute>,
    /// What makes a call harmless that lands although another run has taken over.
    pub late: PerChange<LateCall>,
    /// How it is asked what became of a call whose answer nobody heard.
    pub asked: PerChange<Asked>,
    /// Its rules.
    pub rules: Box<dyn Rules>,
}

/// Something for each sort of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerChange<T> {
    /// From nothing.
    pub create: T,
    /// In place.
    pub update: T,
    /// To nothing.
    pub delete: T,
}

impl<T: Copy> PerChange<T> {
    /// The same for each.
    pub fn alike(of: T) -> Self {
        Self { create: of, update: of, delete: of }
    }
}

/// What makes a call harmless that was sent in time and lands when another run has taken over already; each says it in
/// a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LateCall {
    /// The world knows the call again by its token.
    Token(&'static str),
    /// The world refuses it when what it rests on is not there.
    Precondition(&'static str),
    /// What it makes or removes has a name that is given once only.
    UniqueName(&'static str),
    /// Nothing does: says what happens then, and what shows it.
    Nothing(&'static str),
}

impl LateCall {
    /// In a word or two, for the reference.
    pub fn word(self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Precondition(_) => "precondition",
            Self::UniqueName(_) => "unique name",
            Self::Nothing(_) => "nothing",
        }
    }

    /// The sentence.
    pub fn why(self) -> &'static str {
        match self {
            Self::Token(why) | Self::Precondition(why) | Self::UniqueName(why) | Self::Nothing(why) => why,
        }
    }
}

/// How it is asked what became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// By what.
    pub by: By,
    /// In which case the world tells neither that it happened nor that it did not, so that a person has to look.
    pub except: Option<&'static str>,
}

impl Asked {
    /// Always by this.
    pub const fn by(by: By) -> Self {
        Self { by, except: None }
    }
}

/// What tells what became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The token of the step, in a tag that the same call puts on.
    Tag,
    /// Whether a thing of this name is there.
    Name,
    /// Both sides of the change, held against what is there.
    Comparison,
    /// The token of the step, in the server's catalog.
    Catalog,
    /// The ledger itself: there is no other world.
    Ledger,
}

impl By {
    /// For the reference.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tag => "its token, in a tag",
            Self::Name => "its name",
            Self::Comparison => "comparing with both sides",
            Self::Catalog => "its token, in a comment",
            Self::Ledger => "the ledger",
        }
    }
}

/// The settings of a `provider "NAME"` block.
pub struct ProviderSchema {
    /// `aws`, `postgres`, `terraform`.
    pub name: &'static str,
    /// One sentence for the reference.
    pub summary: &'static str,
    /// Its settings.
    pub attributes: Vec<Attribute>,
}

impl ProviderSchema {
    /// The settings that checking a connection tells: they are recorded with what is made there, so that a way back
    /// leads to the same place, and are no wish of the spec where that is silent.
    pub fn facts(&self) -> impl Iterator<Item = &'static str> + '_ {
        let told = self.attributes.iter();
        told.filter(|attribute| matches!(attribute.mode, Mode::Computed | Mode::OptionalComputed))
            .map(|attribute| attribute.name)
    }
}

/// How an attribute gets its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The spec must give it.
    Required,
    /// The spec may give it; absent means null (or the default).
    Optional,
    /// The world gives it.
    Computed,
    /// The spec may give it; absent means that what the world has is right.
    OptionalComputed,
}

/// When an attribute is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// Only when the spec marks it.
    Open,
    /// Always.
    Secret,
    /// When this other attribute has this value, as `value` of an SSM parameter of type `SecureString`.
    When(&'static str, &'static str),
}

/// One attribute, or one sort of nested block.
#[derive(Clone)]
pub struct Attribute {
    /// Its name, as Terraform's AWS provider has it.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Who gives it.
    pub mode: Mode,
    /// A change of it cannot be made in place: the thing is replaced.
    pub replaces: bool,
    /// Whether it is a secret.
    pub secrecy: Secrecy,
    /// The world changes it at will: never a difference.
    pub volatile: bool,
    /// The world does not give it back: compared with what was applied last, never with the world.
    pub write_only: bool,
    /// What absence means.
    pub default: Option<Value>,
    /// One sentence for the reference, with units.
    pub documentation: &'static str,
}

/// What an attribute holds.
#[derive(Clone)]
pub enum Shape {
    /// `name = value`.
    Value(Type),
    /// `name { … }`, repeated: its value is a list of objects (also where at most one is allowed, as in
    /// Terraform).
    Blocks {
        /// The attributes of the block.
        attributes: Vec<Attribute>,
        /// How many there must be.
        minimum: usize,
        /// How many there may be, `None` for any number.
        maximum: Option<usize>,
        /// Whether their order means nothing.
        unordered: bool,
    },
}

impl Shape {
    /// The type of the value that the planner sees.
    pub fn ty(&self) -> Type {
        match self {
            Self::Value(ty) => ty.clone(),
            Self::Blocks { attributes, unordered, .. } => {
                let block = Type::object(attributes.iter().map(|attribute| (attribute.name, attribute.shape.ty())));
                if *unordered { Type::set(block) } else { Type::list(block) }
            }
        }
    }
}

/// Constructors that read like the reference.
impl Attribute {
    fn new(name: &'static str, shape: Shape, mode: Mode, documentation: &'static str) -> Self {
        Self {
            name,
            shape,
            mode,
            replaces: false,
            secrecy: Secrecy::Open,
            volatile: false,
            write_only: false,
            default: None,
            documentation,
        }
    }

    /// The spec must give it.
    pub fn required(name: &'static str, ty: Type, documentation: &'static str) -> Self {
        Self::new(name, Shape::Value(ty), Mode::Required, documentation)
    }

    /// The spec may give it.
    pub fn optional(name: &'static str, ty: Type, documentation: &'static str) -> Self {
        Self::new(name, Shape::Value(ty), Mode::Optional, documentation)
    }

    /// The world gives it.
    pub fn computed(name: &'static str, ty: Type, documentation: &'static str) -> Self {
        Self::new(name, Shape::Value(ty), Mode::Computed, documentation)
    }

    /// The spec may give it, else the world does.
    pub fn optional_computed(name: &'static str, ty: Type, documentation: &'static str) -> Self {
        Self::new(name, Shape::Value(ty), Mode::OptionalComputed, documentation)
    }

    /// Nested blocks, any number of them, in order.
    pub fn blocks(name: &'static str, attributes: Vec<Self>, documentation: &'static str) -> Self {
        let shape = Shape::Blocks { attributes, minimum: 0, maximum: None, unordered: false };
        Self::new(name, shape, Mode::Optional, documentation)
    }

    /// At most one nested block.
    pub fn block(name: &'static str, attributes: Vec<Self>, documentation: &'static str) -> Self {
        let shape = Shape::Blocks { attributes, minimum: 0, maximum: Some(1), unordered: false };
        Self::new(name, shape, Mode::Optional, documentation)
    }

    /// A change of it replaces the thing.
    #[must_use]
    pub fn replaces(mut self) -> Self {
        self.replaces = true;
        self
    }

    /// It is a secret.
    #[must_use]
    pub fn secret(mut self, secrecy: Secrecy) -> Self {
        self.secrecy = secrecy;
        self
    }

    /// The world changes it at will.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// The world does not give it back.
    #[must_use]
    pub fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    /// What absence means.
    #[must_use]
    pub fn default(mut self, default: impl Into<Value>) -> Self {
        self.default = Some(default.into());
        self
    }

    /// The order of these blocks means nothing.
    #[must_use]
    pub fn unordered(mut self) -> Self {
        if let Shape::Blocks { unordered, .. } = &mut self.shape {
            *unordered = true;
        }
        self
    }
}

/// A mistake in the attributes of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The attribute, for the place in the source.
    pub attribute: Option<String>,
    /// What is wrong.
    pub text: String,
    /// How to mend it.
    pub help: String,
}

/// How well a change can be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Until the first write to what was added.
    Exact,
    /// What comes back is another thing with the same content; says what is different.
    Recreates(String),
    /// Says which data.
    LosesData(String),
    /// Says why.
    Impossible(String),
}

/// A change of one thing, as the rules see it. Objects may hold unknowns and sealed secrets.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// From nothing.
    Create(&'a Object),
    /// In place: before, after.
    Update(&'a Object, &'a Object),
    /// To nothing.
    Delete(&'a Object),
}

/// Whether a thing runs code of its own, and until when an earlier revision of it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// It runs nothing.
    Nothing,
    /// Once a change of it is done, only the new revision runs.
    UntilDone,
    /// An earlier revision may go on after a change is called done, for this reason.
    Longer(&'static str),
}

/// What whoever looks at things of a kind must be allowed, and whoever changes them besides, as the access control of
/// their world names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// For looking at them.
    pub reads: &'static [&'static str],
    /// For making, changing and removing them, beside looking.
    pub writes: &'static [&'static str],
}

/// The pure rules of a kind.
pub trait Rules: Send + Sync {
    /// Which part of a change a thing of this kind belongs to, for those who sign it.
    fn part(&self) -> Part {
        Part::Infrastructure
    }

    /// Mistakes that the types alone do not show. Unknown parts count as right.
    fn check(&self, _desired: &Object) -> Vec<Mistake> {
        Vec::new()
    }

    /// Fills in what can be told before the apply: computed attributes that follow from the given ones
    /// (a name's ARN does not, an `output` that mirrors `input` does). `prior` is the recorded object, whose
    /// computed attributes the planner has carried over already where nothing changes.
    fn complete(&self, _planned: &mut Object, _prior: Option<&Object>) {}

    /// The form in which two values of an attribute are compared (a JSON text without its spaces, a list
    /// whose order means nothing, sorted).
    fn normalise(&self, _attribute: &str, value: &Value) -> Value {
        value.clone()
    }

    /// The name by which the world knows the thing, when the given attributes tell it already (an SSM
    /// parameter's name; not a task definition's revision). Two resources of one provider connection with
    /// the same identity are a mistake.
    fn identity(&self, object: &Object) -> Option<String>;

    /// The attributes by which a thing is found that is known by this id only, as Terraform's provider has ids.
    ///
    /// # Errors
    /// What an id of this kind looks like, or why none can be imported.
    fn import(&self, _id: &str) -> Result<Object, String> {
        Err("things of this kind cannot be imported".to_owned())
    }

    /// How well a change can be taken back, and why not better.
    fn judge(&self, change: Change<'_>) -> Judgement;

    /// Whether a change makes a new immutable revision beside the earlier one, which stays usable until it
    /// is retired (task definitions).
    fn has_revisions(&self) -> bool {
        false
    }

    /// Whether a thing that was removed waits in the world, with all that was in it, for being asked for again (a secret in
    /// its recovery window).
    fn waits_when_removed(&self, _object: &Object) -> bool {
        false
    }

    /// Whether the world keeps earlier secrets of a thing, so that a way back takes them from there. Otherwise they are
    /// made again from what they were made of.
    fn keeps_earlier(&self) -> bool {
        true
    }

    /// The attributes whose change in just this direction the world refuses in place: a spec that asks for it has the thing
    /// replaced, and a way back leaves them as they are.
    fn only_anew(&self, _before: &Object, _after: &Object) -> Vec<&'static str> {
        Vec::new()
    }

    /// Of what only a person puts into the world, and is found there and never written: what they type for it.
    fn given_by_person(&self, _object: &Object) -> Option<String> {
        None
    }

    /// The attribute whose JSON text lists containers, each with the image that it runs, if the kind has one.
    fn containers(&self) -> Option<&'static str> {
        None
    }

    /// The least rights to look at things of this kind, and to change them.
    fn rights(&self) -> Rights {
        Rights::default()
    }

    /// Whether a thing with these attributes runs code of its own (a service): migrations are ordered around it.
    fn runs(&self, _object: &Object) -> Runs {
        Runs::Nothing
    }
}

impl Kind {
    /// The attribute with this name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The names of its secret attributes in this object.
    pub fn secret_attributes<'a>(&'a self, object: &'a Object) -> impl Iterator<Item = &'static str> + 'a {
        self.attributes
            .iter()
            .filter(|attribute| match attribute.secrecy {
                Secrecy::Open => false,
                Secrecy::Secret => true,
                Secrecy::When(other, value) => object.get(other).and_then(Value::as_str) == Some(value),
            })
            .map(|attribute| attribute.name)
    }

    /// The object with its secret attributes marked sensitive.
    #[must_use]
    pub fn mark_secrets(&self, mut object: Object) -> Object {
        let secret: Vec<_> = self.secret_attributes(&object).collect();
        for name in secret {
            if let Some(value) = object.remove(name) {
                object.insert(name.to_owned(), if value.is_null() { value } else { value.sensitive() });
            }
        }
        object
    }
}

/// The table of kinds and of their providers; the core gets it as an argument.
#[derive(Clone)]
pub struct Kinds {
    kinds: Arc<BTreeMap<&'static str, Kind>>,
    providers: Arc<BTreeMap<&'static str, ProviderSchema>>,
    checks: Arc<BTreeMap<&'static str, CheckKind>>,
}

impl Kinds {
    /// A table of these kinds and providers.
    ///
    /// # Panics
    /// When two have the same name or a kind's provider is missing, which is a bug in the table.
    pub fn new(kinds: impl IntoIterator<Item = Kind>, providers: impl IntoIterator<Item = ProviderSchema>) -> Self {
        let providers: BTreeMap<_, _> = providers.into_iter().map(|provider| (provider.name, provider)).collect();
        let mut table = BTreeMap::new();
        for kind in kinds {
            let name = kind.name;
            assert!(providers.contains_key(kind.provider), "the provider of {name} is missing");
            assert!(table.insert(name, kind).is_none(), "two kinds are called {name}");
        }
        Self { kinds: Arc::new(table), providers: Arc::new(providers), checks: Arc::default() }
    }

    /// The same table, with these kinds of checks.
    #[must_use]
    pub fn with_checks(self, checks: impl IntoIterator<Item = CheckKind>) -> Self {
        let checks = checks.into_iter().map(|check| (check.name, check)).collect();
        Self { checks: Arc::new(checks), ..self }
    }

    /// The kind of check with this name.
    pub fn check(&self, name: &str) -> Option<&CheckKind> {
        self.checks.get(name)
    }

    /// All kinds of checks, by name.
    pub fn checks(&self) -> impl Iterator<Item = &CheckKind> {
        self.checks.values()
    }

    /// The kind with this name.
    pub fn get(&self, name: &str) -> Option<&Kind> {
        self.kinds.get(name)
    }

    /// All kinds, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.values()
    }

    /// Whether a setting of a provider is one that checking a connection tells.
    pub fn is_fact(&self, provider: &str, setting: &str) -> bool {
        self.provider(provider).is_some_and(|schema| schema.facts().any(|fact| fact == setting))
    }

    /// The settings of a provider.
    pub fn provider(&self, name: &str) -> Option<&ProviderSchema> {
        self.providers.get(name)
    }

    /// All providers, by name.
    pub fn providers(&self) -> impl Iterator<Item = &ProviderSchema> {
        self.providers.values()
    }
}
