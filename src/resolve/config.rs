//! `config` blocks → the parameters, secrets or files that they stand for. Pure.
//!
//! Invariant: a value that is a secret, or lies in a store of secrets, is a secret wherever it goes.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::cells::{BlockState, InstanceState, Style};
use super::config_keys::{self, Store};
use super::desired::{DesiredResource, Lifecycle};
use super::engine::{Engine, Evaluated};
use super::resource::{Attributes, fill_in, seen_object};
use super::secret_form::secret_if;
use crate::address::{Address, InstanceKey};
use crate::diagnostic::{Diagnostic, Span};
use crate::expression::{Expr, Node};
use crate::kind::Kind;
use crate::spec::Config;
use crate::spec::config_block::Key;
use crate::spec::suggest::{did_you_mean, listed};
use crate::value::Value;

/// A `config` block in one instance of its module.
#[derive(Clone)]
pub(super) struct Block<'a> {
    pub config: &'a Config,
    store: Store,
    pub kind: &'a Kind,
    prefix: String,
    pub site: usize,
    pub instance: usize,
    pub needs: BTreeSet<u32>,
}

impl Engine<'_> {
    pub(super) fn config(&mut self, node: usize, site: usize, instance: usize, index: usize) {
        let spec = self.ground.spec;
        let module = &spec.modules[self.ground.graph.sites[site].module];
        let (name, config) = module.configs.get_index(index).expect("the item is of this module");
        let path = self.path(site, instance);
        let address = Address { module: path, word: "config".into(), name: name.clone(), key: None };
        let mut state = BlockState::poisoned(address.clone());
        state.style = Style::ForEach;
        if let Some(block) = self.config_block(config, site, instance, &address) {
            state.poisoned = false;
            match block.store {
                Store::Parameters | Store::Secrets => self.entries(&block, &address, &mut state),
                Store::File => self.config_file(&block, &address, &mut state),
            }
        }
        state.whole = OnceCell::new();
        self.ground.state.blocks[node].push(state);
    }

    /// The block, when store and prefix are as they must be.
    fn config_block<'b>(
        &mut self,
        config: &'b Config,
        site: usize,
        instance: usize,
        address: &Address,
    ) -> Option<Block<'b>>
    where
        Self: 'b,
    {
        let context = address.to_string();
        let (store, span) = self.config_setting(config, "store", site, instance, &context)?;
        let Some(store) = Store::of(&store) else {
            let otherwise = format!("stores are {}", listed(Store::NAMES));
            self.report(
                Diagnostic::error("there is no such store")
                    .at(span)
                    .detail(format!("`{store}` cannot be used"))
                    .help(did_you_mean(&store, Store::NAMES, otherwise)),
            );
            return None;
        };
        config_keys::misplaced(store, &config.settings).for_each(|mistake| self.report(mistake));
        let prefix = match store {
            Store::Parameters | Store::Secrets => self.prefix(config, store, site, instance, &context)?,
            Store::File => String::new(),
        };
        let Some(kind) = self.kinds.get(store.kind()) else {
            self.report(
                Diagnostic::error("there is no store for configuration")
                    .at(config.span)
                    .detail(format!("this program was built without `{}`", store.kind()))
                    .help("use a build with the feature `aws`"),
            );
            return None;
        };
        let mut needs: BTreeSet<u32> = (*self.ground.state.sites[site][instance].needs).clone();
        needs.extend(self.target_needs(&config.depends_on, site, instance));
        Some(Block { config, store, kind, prefix, site, instance, needs })
    }

    /// What the names of a block's keys begin with.
    fn prefix(&mut self, config: &Config, store: Store, site: usize, instance: usize, context: &str) -> Option<String> {
        if config.settings.iter().all(|setting| &*setting.name != "prefix") {
            self.report(
                Diagnostic::error("a required attribute is missing")
                    .at(config.span)
                    .detail("a `config` block needs `prefix`")
                    .help("add `prefix = …`"),
            );
        }
        let (prefix, span) = self.config_setting(config, "prefix", site, instance, context)?;
        if let Err((detail, help)) = store.check_prefix(&prefix) {
            self.report(Diagnostic::error("a prefix is not as its store has them").at(span).detail(detail).help(help));
            return None;
        }
        Some(prefix)
    }

    /// A setting that must be known, with its place.
    pub(super) fn config_setting(
        &mut self,
        config: &Config,
        name: &str,
        site: usize,
        instance: usize,
        context: &str,
    ) -> Option<(String, Span)> {
        let setting = config.settings.iter().find(|setting| &*setting.name == name)?;
        let (evaluated, _) = self.evaluate(&setting.expr, site, instance, None, context);
        if evaluated.poisoned || self.is_assumed(&evaluated.value) {
            return None;
        }
        let text = evaluated.value.as_str().filter(|_| !evaluated.value.is_sensitive()).map(str::to_owned);
        if text.is_none() {
            self.report(
                Diagnostic::error("where configuration is kept must be known")
                    .at(setting.expr.span)
                    .detail(format!("`{name}` takes a string that is known now and no secret"))
                    .help(format!("write `{name}` as a text, or from variables and local values")),
            );
        }
        Some((text?, setting.expr.span))
    }

    /// One thing for each key of `values`, and for each that is generated.
    fn entries(&mut self, block: &Block<'_>, address: &Address, state: &mut BlockState) {
        let values = block.config.settings.iter().find(|setting| &*setting.name == "values");
        let mut given: BTreeMap<Arc<str>, Expr> = BTreeMap::new();
        if let Some(values) = values.map(|setting| &setting.expr) {
            let Some(keys) = self.keys_of(block, address, values) else {
                state.poisoned = true;
                return;
            };
            given.extend(keys.into_iter().map(|key| (key.clone(), one_of(values, &key))));
        }
        for mistake in config_keys::check_names(block.config, &given) {
            self.report(mistake);
        }
        for (name, key) in &block.config.keys {
            if (key.generated.is_some() || key.manual) && !given.contains_key(name) {
                given.insert(name.clone(), Expr { span: key.span, ..Expr::literal(Value::null()) });
            }
        }
        let names: Vec<Arc<str>> = block.kind.attributes.iter().map(|attribute| attribute.name.into()).collect();
        for (key, expr) in given {
            let address = address.with_key(Some(InstanceKey::Key(key.clone())));
            let is_given_by_hand = block.config.keys.get(&key).is_some_and(|key| key.manual);
            let made = match is_given_by_hand {
                true => self.given_by_hand(block, &address, &key, &expr),
                false => self.entry(block, &address, &names, &key, &expr),
            };
            if let Some(made) = made {
                state.by_key.insert(InstanceKey::Key(key), state.instances.len());
                state.instances.push(made);
            }
        }
    }

    /// A key whose value a person puts into the store: only its name is known here.
    fn given_by_hand(
        &mut self,
        block: &Block<'_>,
        address: &Address,
        name: &str,
        expr: &Expr,
    ) -> Option<InstanceState> {
        let key = block.config.keys.get(name)?;
        let (evaluated, _) = self.evaluate(expr, block.site, block.instance, None, &address.to_string());
        if let Some(mistake) = config_keys::check_value(name, key, &evaluated.value, expr.place()) {
            self.report(mistake);
        }
        let kind = block.store.kind_of_given().and_then(|kind| self.kinds.get(kind))?;
        let block = &Block { kind, ..block.clone() };
        let names: Vec<Arc<str>> = kind.attributes.iter().map(|attribute| attribute.name.into()).collect();
        let mut attributes = Attributes { needs: block.needs.clone(), ..Attributes::default() };
        let place = Expr { span: key.span, ..Expr::literal(Value::null()) };
        let full = Evaluated { value: format!("{}/{name}", block.prefix).into(), closed: None, poisoned: false };
        self.put_setting(block, &mut attributes, "name", full, &place);
        self.keys_of_store(block, &mut attributes, true, &address.to_string());
        let id = self.ground.state.id(address);
        Some(self.finish_entry(block, address, &names, id, attributes))
    }

    /// What a block says of all of its keys: the tier, the key that encrypts.
    fn keys_of_store(&mut self, block: &Block<'_>, attributes: &mut Attributes, secret: bool, context: &str) {
        for setting in &block.config.settings {
            let is_said = match &*setting.name {
                "tier" | "kms_key_id" => true,
                "key_id" => secret,
                _ => false,
            };
            if is_said && block.store.takes().contains(&&*setting.name) {
                let (said, tracker) = self.evaluate(&setting.expr, block.site, block.instance, None, context);
                attributes.needs.extend(tracker.narrowed(&said.value, &self.ground.state.ids));
                self.put_setting(block, attributes, &setting.name, said, &setting.expr);
            }
        }
    }

    pub(super) fn keys_of(&mut self, block: &Block<'_>, address: &Address, values: &Expr) -> Option<Vec<Arc<str>>> {
        let (whole, tracker) = self.evaluate(values, block.site, block.instance, None, &address.to_string());
        drop(tracker);
        if whole.poisoned || (whole.value.entries().is_none() && self.is_assumed(&whole.value)) {
            return None;
        }
        let keys = whole.value.entries().filter(|_| !whole.value.marks().sensitive);
        if keys.is_none() {
            self.report(
                Diagnostic::error("the keys of configuration must be known")
                    .at(values.place())
                    .detail("`values` takes a map or an object whose keys are known now and no secrets")
                    .help("write `values = { KEY = value }`; a value may be secret, or known later"),
            );
        }
        Some(keys?.keys().cloned().collect())
    }

    /// One thing in the store; nothing where the value is null and nothing is generated.
    fn entry(
        &mut self,
        block: &Block<'_>,
        address: &Address,
        names: &[Arc<str>],
        name: &str,
        expr: &Expr,
    ) -> Option<InstanceState> {
        let id = self.ground.state.id(address);
        let key = block.config.keys.get(name);
        let context = address.to_string();
        let secret = block.store.is_secret() || key.is_some_and(|key| key.secret);
        let expr = &secret_if(secret, expr);
        let (evaluated, tracker) = self.evaluate(expr, block.site, block.instance, None, &context);
        let is_null = evaluated.value.is_null();
        let generated = key.and_then(|key| key.generated.as_ref());
        if let Some(mistake) = key.and_then(|key| config_keys::check_value(name, key, &evaluated.value, expr.place())) {
            self.report(mistake);
        }
        if is_null && generated.is_none() {
            return None;
        }
        let mut attributes = Attributes { needs: block.needs.clone(), ..Attributes::default() };
        attributes.needs.extend(tracker.narrowed(&evaluated.value, &self.ground.state.ids));
        let is_secret = secret || evaluated.value.is_sensitive();
        let mut settings = block.store.settings(&block.prefix, name, is_secret, key);
        settings.extend(generated.map(|how| ("generated", Value::tuple(vec![config_keys::as_block(how)]))));
        for (name, value) in settings {
            self.put_setting(block, &mut attributes, name, Evaluated { value, closed: None, poisoned: false }, expr);
        }
        self.keys_of_store(block, &mut attributes, is_secret, &context);
        if let Some(rotation) = key.and_then(|key: &Key| key.rotation.as_ref()) {
            let (turned, tracker) = self.evaluate(&rotation.expr, block.site, block.instance, None, &context);
            attributes.needs.extend(tracker.narrowed(&turned.value, &self.ground.state.ids));
            self.put_setting(block, &mut attributes, "rotation", turned, &rotation.expr);
        }
        if !is_null {
            self.put_setting(block, &mut attributes, block.store.value(), evaluated, expr);
        }
        Some(self.finish_entry(block, address, names, id, attributes))
    }

    pub(super) fn put_setting(
        &mut self,
        block: &Block<'_>,
        attributes: &mut Attributes,
        name: &str,
        evaluated: Evaluated,
        expr: &Expr,
    ) {
        if let Some(attribute) = block.kind.attribute(name) {
            self.put(attributes, attribute, evaluated, expr);
            attributes.spans.insert(name.to_owned(), expr.place().unwrap_or(block.config.span));
        }
    }

    pub(super) fn finish_entry(
        &mut self,
        block: &Block<'_>,
        address: &Address,
        names: &[Arc<str>],
        id: u32,
        mut attributes: Attributes,
    ) -> InstanceState {
        let provider = self.ground.spec.modules[0]
            .providers
            .iter()
            .position(|provider| &*provider.name == block.kind.provider && provider.alias.is_none());
        let (binding, provider_needs) = self.binding(block.kind.provider, provider);
        attributes.needs.extend(provider_needs);
        fill_in(block.kind, &mut attributes);
        attributes.object = block.kind.mark_secrets(std::mem::take(&mut attributes.object));
        if !attributes.poisoned {
            self.check_entry(block, &attributes);
        }
        let value = seen_object(block.kind, names, &attributes.object, address);
        let desired = DesiredResource {
            kind: block.kind.name.to_owned(),
            binding,
            object: attributes.object,
            deferred: attributes.deferred,
            needs: self.ground.state.addresses(&attributes.needs),
            needs_schema: BTreeMap::new(),
            lifecycle: Lifecycle::default(),
            span: block.config.span,
            attribute_spans: attributes.spans,
        };
        self.made.resources.insert(address.clone(), desired);
        InstanceState { id, value, closed: None, poisoned: attributes.poisoned }
    }

    fn check_entry(&mut self, block: &Block<'_>, attributes: &Attributes) {
        for mistake in block.kind.rules.check(&attributes.object) {
            let span = mistake.attribute.as_deref().and_then(|name| attributes.spans.get(name)).copied();
            self.report(
                Diagnostic::error("a key of configuration is not as its store takes it")
                    .at(span.unwrap_or(block.config.span))
                    .detail(mistake.text)
                    .help(mistake.help),
            );
        }
    }
}

/// The expression of one element: where it is written out, that; otherwise an index.
pub(super) fn one_of(values: &Expr, key: &Arc<str>) -> Expr {
    if let Node::Object(pairs) = &values.node {
        let written = pairs.iter().rev().find(|(name, _)| match &name.node {
            Node::Literal(name) => name.as_str() == Some(key),
            _ => false,
        });
        if let Some((_, value)) = written {
            return value.clone();
        }
    }
    let key = Expr { span: values.span, ..Expr::literal(Value::string(key.clone())) };
    Expr { node: Node::Index(Box::new(values.clone()), Box::new(key)), span: values.span }
}
