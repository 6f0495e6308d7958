//! All that can be checked of a module without evaluating anything: names, kinds, attributes, inputs. Pure.
//!
//! Invariant: a module is checked once, however often it is called, and also where `count = 0` would never
//! evaluate it.

use std::collections::BTreeMap;

use super::names::{Checker, LocalStackNames, Named, Within, each_name};
use super::schema::{Given, given, spoken};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::expression::{Expr, Node, Reference};
use crate::kind::{Kind, Kinds, Mode, Reaches};
use crate::migration::range::SchemaRange;
use crate::spec::suggest::{did_you_mean, listed};
use crate::spec::{Asks, Call, Module, Repeat, Resource, Spec, Target, Verify};

/// A module, its blocks held against their kinds.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// By index of the resource.
    pub resources: Vec<PreparedResource>,
    /// By index of the `provider` block.
    pub providers: Vec<Vec<Given>>,
    /// By index of the `verify` block; nothing where what is asked is wrong.
    pub verifies: Vec<Option<PreparedVerify>>,
}

/// What a `verify` block asks, held against its kind.
#[derive(Debug)]
pub(super) struct PreparedVerify {
    /// The kind of check.
    pub kind: &'static str,
    /// How it reaches what it asks.
    pub reaches: Reaches,
    /// The attributes that are given.
    pub given: Vec<Given>,
    /// Which of the spec's `database` blocks it names.
    pub database: Option<usize>,
}

/// A resource block, held against its kind.
#[derive(Debug, Default)]
pub(super) struct PreparedResource {
    /// The attributes that are given.
    pub given: Vec<Given>,
    /// Which of the spec's `provider` blocks reaches it.
    pub provider: Option<usize>,
    /// Whether something is wrong that would make its value misleading.
    pub broken: bool,
}

/// What the checks need to know.
pub(super) struct Surroundings<'a> {
    pub spec: &'a Spec,
    pub kinds: &'a Kinds,
    pub builtins: &'a [String],
    pub local_stack: LocalStackNames,
}

/// Checks every module.
pub(super) fn prepare(around: &Surroundings<'_>, diagnostics: &mut Diagnostics) -> Vec<Prepared> {
    let modules = around.spec.modules.iter();
    modules.map(|module| Preparer { around, module, diagnostics: &mut *diagnostics }.module()).collect()
}

struct Preparer<'a> {
    around: &'a Surroundings<'a>,
    module: &'a Module,
    diagnostics: &'a mut Diagnostics,
}

impl Preparer<'_> {
    fn module(&mut self) -> Prepared {
        let module = self.module;
        for variable in module.variables.values() {
            variable.default.iter().for_each(|expr| self.names(expr, Within::Constant));
            for validation in &variable.validations {
                self.names(&validation.condition, Within::Validation);
                self.names(&validation.message, Within::Validation);
            }
        }
        module.locals.values().for_each(|local| self.names(&local.expr, Within::Plain));
        for output in module.outputs.values() {
            self.names(&output.value, Within::Plain);
            self.targets(&output.depends_on);
        }
        for (name, call) in &module.calls {
            self.call(name, call);
        }
        for database in module.databases.values() {
            database.attributes().for_each(|setting| self.names(&setting.expr, Within::Plain));
            self.targets(&database.depends_on);
        }
        for config in module.configs.values() {
            config.attributes().for_each(|setting| self.names(&setting.expr, Within::Plain));
            self.targets(&config.depends_on);
        }
        module.imports.iter().for_each(|import| self.names(&import.id, Within::Plain));
        let resources = module.resources.iter().map(|((kind, _), resource)| self.resource(kind, resource)).collect();
        let providers = (0..module.providers.len()).map(|index| self.provider(index)).collect();
        let verifies = module.verifies.values().map(|verify| self.verify(verify)).collect();
        Prepared { resources, providers, verifies }
    }

    fn verify(&mut self, verify: &Verify) -> Option<PreparedVerify> {
        verify.settings.iter().for_each(|setting| self.names(&setting.expr, Within::Plain));
        self.targets(&verify.depends_on);
        let asks = verify.asks.as_ref()?;
        let Some(kind) = self.around.kinds.check(&asks.kind) else {
            let names = || self.around.kinds.checks().map(|kind| kind.name);
            self.diagnostics.push(
                Diagnostic::error("there is no such check")
                    .at(asks.span)
                    .detail(format!("nothing that is asked is called `{}`", asks.kind))
                    .help(did_you_mean(&asks.kind, names(), format!("checks are {}", listed(names())))),
            );
            return None;
        };
        let before = self.diagnostics.0.len();
        let what = format!("`{}`", kind.name);
        let given = given(&what, &kind.attributes, &asks.body, asks.span, self.diagnostics);
        given.iter().for_each(|given| self.names(&given.expr, Within::Plain));
        let database = self.asked_database(asks, kind.reaches);
        let is_sound = self.diagnostics.0.len() == before;
        is_sound.then_some(PreparedVerify { kind: kind.name, reaches: kind.reaches, given, database })
    }

    /// The database that a check asks; it is one of the environment's.
    fn asked_database(&mut self, asks: &Asks, reaches: Reaches) -> Option<usize> {
        let mistake = match (&asks.database, reaches) {
            (Some((name, span)), Reaches::Database) => {
                let is_there = self.database_is_there(name, *span);
                return self.around.spec.modules[0].databases.get_index_of(name).filter(|_| is_there);
            }
            (None, Reaches::Database) => Diagnostic::error("a required attribute is missing")
                .at(asks.span)
                .detail(format!("`{}` needs `database`", asks.kind))
                .help("add `database = database.NAME`"),
            (Some((_, span)), Reaches::Directly | Reaches::Provider(_)) => {
                Diagnostic::error("there is no such attribute")
                    .at(*span)
                    .detail(format!("`{}` asks no database", asks.kind))
                    .help("remove `database`, or ask with `sql`")
            }
            (None, Reaches::Directly | Reaches::Provider(_)) => return None,
        };
        self.diagnostics.push(mistake);
        None
    }

    fn names(&mut self, expr: &Expr, within: Within) {
        each_name(expr, &mut |named| self.name(named, within));
    }

    fn name(&mut self, named: Named<'_>, within: Within) {
        let around = self.around;
        let checker = Checker {
            spec: around.spec,
            kinds: around.kinds,
            module: self.module,
            builtins: around.builtins,
            local_stack: around.local_stack,
        };
        self.diagnostics.0.extend(checker.check(named, within));
    }

    fn targets(&mut self, targets: &[Target]) {
        for target in targets {
            match target.reference() {
                Reference::Block { word, name } if &**word == "database" => {
                    self.database_is_there(name, target.expr.span);
                }
                reference => self.name(Named { reference, member: None, span: target.expr.span }, Within::Plain),
            }
        }
    }

    /// Whether there is such a database; it is one of the environment's, also where a module names it.
    fn database_is_there(&mut self, name: &str, span: Span) -> bool {
        let known = &self.around.spec.modules[0];
        let is_there = known.databases.contains_key(name) || known.may_declare(name);
        if !is_there {
            let names = known.databases.keys().map(|name| &**name);
            let otherwise = format!("declare it with `database \"{name}\" {{ … }}`");
            self.diagnostics.push(
                Diagnostic::error("there is no such database")
                    .at(span)
                    .detail(format!("`database.{name}` is not declared"))
                    .help(did_you_mean(name, names, otherwise)),
            );
        }
        is_there
    }

    /// The expression of a repetition, and where the block's own expressions stand.
    fn repeat(&mut self, repeat: &Repeat) -> Within {
        match repeat {
            Repeat::Once => Within::Plain,
            Repeat::Count(expr) => {
                self.names(expr, Within::Plain);
                Within::Count
            }
            Repeat::ForEach(expr) => {
                self.names(expr, Within::Plain);
                Within::ForEach
            }
        }
    }

    fn call(&mut self, name: &str, call: &Call) {
        let within = self.repeat(&call.repeat);
        call.inputs.iter().for_each(|input| self.names(&input.expr, within));
        self.targets(&call.depends_on);
        let Some(inner) = call.module.map(|module| &self.around.spec.modules[module]) else {
            return;
        };
        for input in &call.inputs {
            if !inner.variables.contains_key(&input.name) && !inner.may_declare(&input.name) {
                let names = || inner.variables.keys().map(|known| &**known);
                let otherwise = match inner.variables.is_empty() {
                    true => "the module takes no inputs; remove it".to_owned(),
                    false => format!("its inputs are {}", listed(names())),
                };
                self.diagnostics.push(
                    Diagnostic::error("a module has no such input")
                        .at(input.name_span)
                        .detail(format!("`module.{name}` declares no variable `{}`", input.name))
                        .help(did_you_mean(&input.name, names(), otherwise)),
                );
            }
        }
        for (variable, declared) in &inner.variables {
            if declared.default.is_none() && !call.inputs.iter().any(|input| input.name == *variable) {
                self.diagnostics.push(
                    Diagnostic::error("a module's input is missing")
                        .at(call.span)
                        .detail(format!("`module.{name}` needs `{variable}`, which has no default"))
                        .help(format!("add `{variable} = …`")),
                );
            }
        }
    }

    fn resource(&mut self, word: &str, resource: &Resource) -> PreparedResource {
        let within = self.repeat(&resource.repeat);
        self.targets(&resource.depends_on);
        for need in &resource.needs_schema {
            self.database_is_there(&need.database, need.span);
        }
        let Some(kind) = self.around.kinds.get(word) else {
            self.unknown_kind(word, resource, within);
            return PreparedResource { broken: true, ..PreparedResource::default() };
        };
        self.schema_needs(kind, resource);
        let before = self.diagnostics.0.len();
        let what = spoken(kind);
        let given = given(&what, &kind.attributes, &resource.body, resource.span, self.diagnostics);
        given.iter().for_each(|given| self.names(&given.expr, within));
        self.ignored(kind, resource);
        let provider = self.provider_of(kind, resource);
        let broken = self.diagnostics.0.len() > before;
        PreparedResource { given, provider, broken }
    }

    /// A range stands on what runs, and holds a version.
    fn schema_needs(&mut self, kind: &Kind, resource: &Resource) {
        if let Some(need) = resource.needs_schema.first().filter(|_| kind.rules.has_revisions()) {
            self.diagnostics.push(
                Diagnostic::error("a revision runs nothing by itself")
                    .at(need.span)
                    .detail(format!("`needs_schema` stands on a `{}`, of which several are there at once", kind.name))
                    .help("write it on the service that runs the revision"),
            );
        }
        let mut ranges: BTreeMap<&str, SchemaRange> = BTreeMap::new();
        for need in &resource.needs_schema {
            let range = ranges.entry(&need.database).or_default();
            *range = range.and(need.range);
            if range.is_empty() {
                self.diagnostics.push(
                    Diagnostic::error("`needs_schema` holds no version")
                        .at(need.span)
                        .detail(format!("no version of `database.{}` is {range}", need.database))
                        .help("let the ranges of one database overlap"),
                );
            }
        }
    }

    fn unknown_kind(&mut self, word: &str, resource: &Resource, within: Within) {
        let names = || self.around.kinds.iter().map(|kind| kind.name);
        let otherwise = format!("kinds are {}", listed(names()));
        self.diagnostics.push(
            Diagnostic::error("there is no such kind of resource")
                .at(resource.kind_span)
                .detail(format!("`{word}` is not known to this version"))
                .help(did_you_mean(word, names(), otherwise)),
        );
        resource.body.attributes.iter().for_each(|attribute| self.names(&attribute.expr, within));
    }

    fn ignored(&mut self, kind: &Kind, resource: &Resource) {
        for (name, span) in &resource.lifecycle.ignore_changes {
            if &**name != "all" && kind.attribute(name).is_none_or(|attribute| attribute.mode == Mode::Computed) {
                let names = kind.attributes.iter().filter(|attribute| attribute.mode != Mode::Computed);
                let names = names.map(|attribute| attribute.name);
                self.diagnostics.push(
                    Diagnostic::error("there is no such attribute")
                        .at(*span)
                        .detail(format!("{} has no attribute `{name}` that could be left alone", spoken(kind)))
                        .help(did_you_mean(name, names, "name an attribute of the resource, or `all`")),
                );
            }
        }
    }

    fn provider_of(&mut self, kind: &Kind, resource: &Resource) -> Option<usize> {
        let root = &self.around.spec.modules[0];
        let find = |alias: Option<&str>| {
            root.providers.iter().position(|block| &*block.name == kind.provider && block.alias.as_deref() == alias)
        };
        let Some(expr) = &resource.provider else {
            return find(None);
        };
        match &expr.node {
            Node::Reference(Reference::Builtin(word)) if &**word == kind.provider => find(None),
            Node::Reference(Reference::Block { word, name }) if &**word == kind.provider => {
                let found = find(Some(name));
                if found.is_none() && !root.may_declare(name) {
                    self.no_provider(
                        expr.span,
                        kind,
                        &format!("no `provider \"{word}\"` block has `alias = \"{name}\"`"),
                    );
                }
                found
            }
            _ => {
                self.no_provider(
                    expr.span,
                    kind,
                    &format!("`{}` belongs to the provider `{}`", kind.name, kind.provider),
                );
                None
            }
        }
    }

    fn no_provider(&mut self, span: Span, kind: &Kind, detail: &str) {
        let root = &self.around.spec.modules[0];
        let aliases = root.providers.iter().filter(|block| &*block.name == kind.provider);
        let known: Vec<String> =
            aliases.filter_map(|block| Some(format!("{}.{}", block.name, block.alias.as_ref()?))).collect();
        let help = match known.is_empty() {
            true => format!("add `provider \"{}\" {{ alias = \"…\" }}` to the environment's spec", kind.provider),
            false => format!("declared are {}", listed(known.iter().map(String::as_str))),
        };
        self.diagnostics.push(Diagnostic::error("there is no such provider").at(span).detail(detail).help(help));
    }

    fn provider(&mut self, index: usize) -> Vec<Given> {
        let block = &self.module.providers[index];
        let Some(schema) = self.around.kinds.provider(&block.name) else {
            let names = || self.around.kinds.providers().map(|provider| provider.name);
            self.diagnostics.push(
                Diagnostic::error("there is no such provider")
                    .at(block.span)
                    .detail(format!("`{}` is not known to this version", block.name))
                    .help(did_you_mean(&block.name, names(), format!("providers are {}", listed(names())))),
            );
            return Vec::new();
        };
        let what = format!("provider `{}`", block.name);
        let found = given(&what, &schema.attributes, &block.body, block.span, self.diagnostics);
        found.iter().for_each(|given| self.names(&given.expr, Within::Plain));
        found
    }
}
