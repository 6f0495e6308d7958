//! `config` blocks → the parameters that they stand for. Pure.
//!
//! Invariant: a value that is a secret becomes a parameter of type `SecureString`, any other one of type
//! `String`.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::cells::{BlockState, InstanceState, Style};
use super::desired::{DesiredResource, Lifecycle};
use super::engine::{Engine, Evaluated};
use super::resource::{Attributes, fill_in, seen_object};
use crate::address::{Address, InstanceKey};
use crate::diagnostic::{Diagnostic, Span};
use crate::expression::{Expr, Node};
use crate::kind::Kind;
use crate::spec::Config;
use crate::spec::suggest::{did_you_mean, listed};
use crate::value::Value;

/// The kind that a value becomes.
const PARAMETER: &str = "aws_ssm_parameter";

/// A `config` block in one instance of its module.
struct Block<'a> {
    kind: &'a Kind,
    span: Span,
    prefix: String,
    site: usize,
    instance: usize,
    needs: BTreeSet<u32>,
}

impl Engine<'_> {
    pub(super) fn config(&mut self, node: usize, site: usize, instance: usize, index: usize) {
        let (spec, kinds) = (self.ground.spec, self.kinds);
        let module = &spec.modules[self.ground.graph.sites[site].module];
        let (name, config) = module.configs.get_index(index).expect("the item is of this module");
        let path = self.path(site, instance);
        let address = Address { module: path, word: "config".into(), name: name.clone(), key: None };
        let mut state = BlockState::poisoned(address.clone());
        state.style = Style::ForEach;
        let Some(kind) = kinds.get(PARAMETER) else {
            self.report(
                Diagnostic::error("there is no store for configuration")
                    .at(config.span)
                    .detail(format!("this program was built without `{PARAMETER}`"))
                    .help("use a build with the feature `aws`"),
            );
            self.ground.state.blocks[node].push(state);
            return;
        };
        let prefix = self.config_prefix(config, site, instance, &address);
        let mut needs: BTreeSet<u32> = (*self.ground.state.sites[site][instance].needs).clone();
        needs.extend(self.target_needs(&config.depends_on, site, instance));
        let values = config.settings.iter().find(|setting| &*setting.name == "values").map(|setting| &setting.expr);
        if let (Some(prefix), Some(values)) = (prefix, values) {
            let block = Block { kind, span: config.span, prefix, site, instance, needs };
            state.poisoned = false;
            self.entries(&block, &address, values, &mut state);
        }
        state.whole = OnceCell::new();
        self.ground.state.blocks[node].push(state);
    }

    /// The prefix, when store and prefix are as they must be.
    fn config_prefix(&mut self, config: &Config, site: usize, instance: usize, address: &Address) -> Option<String> {
        let context = address.to_string();
        let known = |engine: &mut Self, name: &str| {
            let setting = config.settings.iter().find(|setting| &*setting.name == name)?;
            let (evaluated, _) = engine.evaluate(&setting.expr, site, instance, None, &context);
            if evaluated.poisoned || engine.is_assumed(&evaluated.value) {
                return None;
            }
            let text = evaluated.value.as_str().filter(|_| !evaluated.value.is_sensitive()).map(str::to_owned);
            if text.is_none() {
                engine.report(
                    Diagnostic::error("where configuration is kept must be known")
                        .at(setting.expr.span)
                        .detail(format!("`{name}` takes a string that is known now and no secret"))
                        .help(format!("write `{name}` as a text, or from variables and local values")),
                );
            }
            Some((text?, setting.expr.span))
        };
        let store = known(self, "store");
        let prefix = known(self, "prefix");
        let (store, span) = store?;
        if store != "ssm" {
            let (summary, help) = match store.as_str() {
                "secretsmanager" | "file" => ("this store is not built yet", "write `store = \"ssm\"`".to_owned()),
                other => {
                    let stores = ["ssm", "secretsmanager", "file"];
                    let otherwise = format!("stores are {}", listed(stores));
                    ("there is no such store", did_you_mean(other, stores, otherwise))
                }
            };
            self.report(Diagnostic::error(summary).at(span).detail(format!("`{store}` cannot be used")).help(help));
            return None;
        }
        let (prefix, span) = prefix?;
        if !prefix.starts_with('/') || prefix.ends_with('/') {
            self.report(
                Diagnostic::error("a prefix is not the path of parameters")
                    .at(span)
                    .detail(format!("`{prefix}` must begin with `/` and not end with it"))
                    .help(format!("write `\"/{}\"`", prefix.trim_matches('/'))),
            );
            return None;
        }
        Some(prefix)
    }

    /// One parameter for each key of `values`.
    fn entries(&mut self, block: &Block<'_>, address: &Address, values: &Expr, state: &mut BlockState) {
        let (whole, tracker) = self.evaluate(values, block.site, block.instance, None, &address.to_string());
        drop(tracker);
        if whole.poisoned || (whole.value.entries().is_none() && self.is_assumed(&whole.value)) {
            state.poisoned = true;
            return;
        }
        let keys: Vec<Arc<str>> = match whole.value.entries().filter(|_| !whole.value.marks().sensitive) {
            Some(entries) => entries.keys().cloned().collect(),
            None => {
                state.poisoned = true;
                self.report(
                    Diagnostic::error("the keys of configuration must be known")
                        .at(values.place())
                        .detail("`values` takes a map or an object whose keys are known now and no secrets")
                        .help("write `values = { KEY = value }`; a value may be secret, or known later"),
                );
                return;
            }
        };
        let names: Vec<Arc<str>> = block.kind.attributes.iter().map(|attribute| attribute.name.into()).collect();
        for key in keys {
            let address = address.with_key(Some(InstanceKey::Key(key.clone())));
            let made = self.entry(block, &address, &names, &key, &one_of(values, &key));
            if let Some(made) = made {
                state.by_key.insert(InstanceKey::Key(key), state.instances.len());
                state.instances.push(made);
            }
        }
    }

    /// One parameter; nothing where the value is null.
    fn entry(
        &mut self,
        block: &Block<'_>,
        address: &Address,
        names: &[Arc<str>],
        key: &str,
        expr: &Expr,
    ) -> Option<InstanceState> {
        let id = self.ground.state.id(address);
        let (evaluated, tracker) = self.evaluate(expr, block.site, block.instance, None, &address.to_string());
        if evaluated.value.is_null() {
            return None;
        }
        let mut attributes = Attributes { needs: block.needs.clone(), ..Attributes::default() };
        attributes.needs.extend(tracker.narrowed(&evaluated.value, &self.ground.state.ids));
        let ty = if evaluated.value.is_sensitive() { "SecureString" } else { "String" };
        let plain = |value: Value| Evaluated { value, closed: None, poisoned: false };
        let settings = [
            ("name", plain(format!("{}/{key}", block.prefix).into())),
            ("type", plain(ty.into())),
            ("value", evaluated),
        ];
        for (name, evaluated) in settings {
            if let Some(attribute) = block.kind.attribute(name) {
                self.put(&mut attributes, attribute, evaluated, expr);
                attributes.spans.insert(name.to_owned(), expr.place().unwrap_or(block.span));
            }
        }
        let provider = self.ground.spec.modules[0]
            .providers
            .iter()
            .position(|provider| &*provider.name == block.kind.provider && provider.alias.is_none());
        let (binding, provider_needs) = self.binding(block.kind.provider, provider);
        attributes.needs.extend(provider_needs);
        fill_in(block.kind, &mut attributes);
        attributes.object = block.kind.mark_secrets(std::mem::take(&mut attributes.object));
        let value = seen_object(block.kind, names, &attributes.object, address);
        let desired = DesiredResource {
            kind: block.kind.name.to_owned(),
            binding,
            object: attributes.object,
            deferred: attributes.deferred,
            needs: self.ground.state.addresses(&attributes.needs),
            needs_schema: BTreeMap::new(),
            lifecycle: Lifecycle::default(),
            span: block.span,
            attribute_spans: attributes.spans,
        };
        self.made.resources.insert(address.clone(), desired);
        Some(InstanceState { id, value, closed: None, poisoned: attributes.poisoned })
    }
}

/// The expression of one element: where it is written out, that; otherwise an index.
fn one_of(values: &Expr, key: &Arc<str>) -> Expr {
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
