//! Resource blocks → [`DesiredResource`]s. Pure.
//!
//! Invariant: what others see of a resource is its given attributes as they are, and everything that the world
//! gives as unknown.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::cells::{BlockState, Each, InstanceState};
use super::conform::conform;
use super::desired::{DesiredResource, Lifecycle};
use super::engine::{Engine, Evaluated};
use super::graph::Item;
use super::prepare::PreparedResource;
use super::schema::spoken;
use super::secret_form::secret_if;
use crate::address::Address;
use crate::diagnostic::{Diagnostic, Span};
use crate::expression::{Deferred, Expr};
use crate::kind::{Attribute, Kind, Mode, Secrecy};
use crate::migration::range::{SchemaNeeds, SchemaRange};
use crate::spec::Resource;
use crate::value::{Data, Object, Unknown, Value};
use crate::world::Binding;

/// A resource block in one instance of its module.
struct Block<'a> {
    kind: &'a Kind,
    resource: &'a Resource,
    prepared: &'a PreparedResource,
    /// Names of the kind's attributes, shared by all instances.
    names: Rc<[Arc<str>]>,
    site: usize,
    instance: usize,
    binding: Binding,
    /// What every instance needs.
    needs: BTreeSet<u32>,
    schema: SchemaNeeds,
}

/// The attributes of one instance.
#[derive(Default)]
pub(super) struct Attributes {
    pub object: Object,
    pub deferred: BTreeMap<String, Deferred>,
    pub needs: BTreeSet<u32>,
    pub spans: BTreeMap<String, Span>,
    pub poisoned: bool,
}

impl Engine<'_> {
    pub(super) fn resource(&mut self, node: usize, site: usize, instance: usize, index: usize) {
        let (spec, kinds, graph, prepared) = (self.ground.spec, self.kinds, self.ground.graph, self.prepared);
        let module = &spec.modules[graph.sites[site].module];
        let ((word, name), resource) = module.resources.get_index(index).expect("the item is of this module");
        let address = Address { module: self.path(site, instance), word: word.clone(), name: name.clone(), key: None };
        let prepared = &prepared[graph.sites[site].module].resources[index];
        let Some(kind) = kinds.get(word).filter(|_| !prepared.broken) else {
            // What is given is looked at all the same, for the mistakes in it.
            self.look_at(resource, prepared, site, instance, &address);
            self.ground.state.blocks[node].push(BlockState::poisoned(address));
            return;
        };
        let expansion = self.expand(&resource.repeat, site, instance, &address.to_string());
        let mut state = BlockState { poisoned: expansion.poisoned, ..BlockState::poisoned(address.clone()) };
        state.style = expansion.style;
        let block = self.block(kind, resource, prepared, site, instance);
        for each in &expansion.items {
            let address = address.with_key(each.key.clone());
            let made = self.instance(&block, &address, each);
            state.by_key.extend(each.key.clone().map(|key| (key, state.instances.len())));
            state.instances.push(made);
        }
        state.whole = OnceCell::new();
        self.ground.state.blocks[node].push(state);
    }

    fn look_at(
        &mut self,
        resource: &Resource,
        prepared: &PreparedResource,
        site: usize,
        instance: usize,
        address: &Address,
    ) {
        let expansion = self.expand(&resource.repeat, site, instance, &address.to_string());
        let Some(each) = expansion.items.first() else { return };
        for given in &prepared.given {
            self.evaluate(&given.expr, site, instance, Some(each), "");
        }
        if prepared.given.is_empty() {
            for attribute in &resource.body.attributes {
                self.evaluate(&attribute.expr, site, instance, Some(each), "");
            }
        }
    }

    fn block<'b>(
        &mut self,
        kind: &'b Kind,
        resource: &'b Resource,
        prepared: &'b PreparedResource,
        site: usize,
        instance: usize,
    ) -> Block<'b> {
        let mut needs: BTreeSet<u32> = (*self.ground.state.sites[site][instance].needs).clone();
        needs.extend(self.target_needs(&resource.depends_on, site, instance));
        let mut schema = SchemaNeeds::new();
        for need in &resource.needs_schema {
            let address = Address::root("database", &need.database);
            needs.insert(self.ground.state.id(&address));
            let range: &mut SchemaRange = schema.entry(address).or_default();
            *range = range.and(need.range);
        }
        let (binding, provider_needs) = self.binding(kind.provider, prepared.provider);
        needs.extend(provider_needs);
        let names = kind.attributes.iter().map(|attribute| attribute.name.into()).collect();
        Block { kind, resource, prepared, names, site, instance, binding, needs, schema }
    }

    /// How a provider is reached, and what that rests on.
    pub(super) fn binding(&self, provider: &str, block: Option<usize>) -> (Binding, BTreeSet<u32>) {
        let plain = Binding { provider: provider.to_owned(), ..Binding::default() };
        match block {
            Some(index) => {
                let node = self.ground.graph.node(self.ground.spec, 0, Item::Provider(index));
                self.providers.get(&node).cloned().unwrap_or((plain, BTreeSet::new()))
            }
            None => (plain, BTreeSet::new()),
        }
    }

    fn instance(&mut self, block: &Block<'_>, address: &Address, each: &Each) -> InstanceState {
        let id = self.ground.state.id(address);
        let context = address.to_string();
        let mut attributes = Attributes { needs: block.needs.clone(), ..Attributes::default() };
        let secret = secret_names(block, each, self);
        for given in &block.prepared.given {
            let attribute = &block.kind.attributes[given.attribute];
            let expr = secret_if(secret.contains(&attribute.name), &given.expr);
            let (evaluated, tracker) = self.evaluate(&expr, block.site, block.instance, Some(each), &context);
            let needs = tracker.narrowed(&evaluated.value, &self.ground.state.ids);
            attributes.needs.extend(needs);
            attributes.spans.insert(attribute.name.to_owned(), given.name_span);
            self.put(&mut attributes, attribute, evaluated, &given.expr);
        }
        attributes.needs.remove(&id);
        fill_in(block.kind, &mut attributes);
        attributes.object = block.kind.mark_secrets(std::mem::take(&mut attributes.object));
        if !attributes.poisoned {
            self.check(block, &attributes);
        }
        let value = seen(block, &attributes, address);
        let lifecycle = &block.resource.lifecycle;
        let desired = DesiredResource {
            kind: block.kind.name.to_owned(),
            binding: block.binding.clone(),
            object: attributes.object,
            deferred: attributes.deferred,
            needs: self.ground.state.addresses(&attributes.needs),
            needs_schema: block.schema.clone(),
            lifecycle: Lifecycle {
                create_before_destroy: lifecycle.create_before_destroy,
                prevent_destroy: lifecycle.prevent_destroy,
                ignore_changes: ignored(block.kind, lifecycle),
            },
            span: block.resource.span,
            attribute_spans: attributes.spans,
        };
        self.made.resources.insert(address.clone(), desired);
        InstanceState { id, value, closed: None, poisoned: attributes.poisoned }
    }

    /// Puts a value into its attribute, or says why it does not fit.
    pub(super) fn put(
        &mut self,
        attributes: &mut Attributes,
        attribute: &Attribute,
        evaluated: Evaluated,
        expr: &Expr,
    ) {
        attributes.poisoned |= evaluated.poisoned;
        if evaluated.value.is_null() {
            if attribute.mode == Mode::Required {
                attributes.poisoned = true;
                self.report(
                    Diagnostic::error("a required attribute is null")
                        .at(expr.place())
                        .detail(format!("`{}` needs a value", attribute.name))
                        .help(format!("give it one: {}", attribute.documentation)),
                );
            }
            return;
        }
        match conform(attribute, &evaluated.value) {
            Ok(value) => {
                if let Some(closed) = &evaluated.closed {
                    attributes.deferred.insert(attribute.name.to_owned(), self.deferred(closed));
                }
                attributes.object.insert(attribute.name.to_owned(), value);
            }
            Err(error) => {
                attributes.poisoned = true;
                self.report(
                    Diagnostic::error("an attribute's value has the wrong type")
                        .at(expr.place())
                        .detail(format!("`{}`: {error}", attribute.name))
                        .help(format!("give a value of type `{}`: {}", attribute.shape.ty(), attribute.documentation)),
                );
            }
        }
    }

    fn check(&mut self, block: &Block<'_>, attributes: &Attributes) {
        for mistake in block.kind.rules.check(&attributes.object) {
            let name = mistake.attribute.as_deref();
            let span = name.and_then(|name| attributes.spans.get(name)).copied().unwrap_or(block.resource.span);
            self.report(
                Diagnostic::error(format!("{} is not as it must be", spoken(block.kind)))
                    .at(span)
                    .detail(mistake.text)
                    .help(mistake.help),
            );
        }
    }
}

/// The attributes that are secrets in this instance, the deciding one evaluated first.
fn secret_names(block: &Block<'_>, each: &Each, engine: &mut Engine<'_>) -> BTreeSet<&'static str> {
    let mut secret = BTreeSet::new();
    for attribute in &block.kind.attributes {
        match attribute.secrecy {
            Secrecy::Open => {}
            Secrecy::Secret => drop(secret.insert(attribute.name)),
            Secrecy::When(other, value) => {
                let deciding =
                    block.prepared.given.iter().find(|given| block.kind.attributes[given.attribute].name == other);
                let decided = match deciding {
                    Some(given) => {
                        let (evaluated, _) = engine.evaluate(&given.expr, block.site, block.instance, Some(each), "");
                        // What is not known yet may turn out to make it a secret.
                        evaluated.value.as_str().is_none_or(|text| text == value)
                    }
                    None => {
                        let default = block.kind.attribute(other).and_then(|attribute| attribute.default.as_ref());
                        default.and_then(Value::as_str) == Some(value)
                    }
                };
                if decided {
                    secret.insert(attribute.name);
                }
            }
        }
    }
    secret
}

/// Fills in what absence means.
pub(super) fn fill_in(kind: &Kind, attributes: &mut Attributes) {
    for attribute in &kind.attributes {
        if let Some(default) = &attribute.default
            && !attributes.object.contains_key(attribute.name)
        {
            attributes.object.insert(attribute.name.to_owned(), default.clone());
        }
    }
}

fn ignored(kind: &Kind, lifecycle: &crate::spec::LifecycleBlock) -> Vec<String> {
    let names = &lifecycle.ignore_changes;
    if names.iter().any(|(name, _)| &**name == "all") {
        let settable = kind.attributes.iter().filter(|attribute| attribute.mode != Mode::Computed);
        return settable.map(|attribute| attribute.name.to_owned()).collect();
    }
    names.iter().map(|(name, _)| name.to_string()).collect()
}

/// What others see of an instance.
fn seen(block: &Block<'_>, attributes: &Attributes, address: &Address) -> Value {
    seen_object(block.kind, &block.names, &attributes.object, address)
}

/// What others see of an object of a kind: given attributes, null for absent ones, unknown for what the world
/// gives.
pub(super) fn seen_object(kind: &Kind, names: &[Arc<str>], object: &Object, address: &Address) -> Value {
    let entries = kind.attributes.iter().zip(names).map(|(attribute, name)| {
        let value = match (object.get(attribute.name), attribute.mode) {
            (Some(value), _) => value.clone(),
            (None, Mode::Required | Mode::Optional) => Data::Null(attribute.shape.ty()).into(),
            (None, Mode::Computed | Mode::OptionalComputed) => {
                Value::unknown(Unknown { waits_for: vec![address.clone()], ..Unknown::of(attribute.shape.ty()) })
            }
        };
        (name.clone(), value)
    });
    Value::object(entries)
}
