//! `provider` blocks → bindings. Pure.
//!
//! Invariant: an open setting of a binding is known and no secret; all others are deferred.

use std::collections::{BTreeMap, BTreeSet};

use super::cells::Tracker;
use super::engine::{Engine, Evaluated};
use super::resource::Attributes;
use super::schema::Given;
use super::secret_form::secret_if;
use super::url;
use crate::diagnostic::{Diagnostic, Span};
use crate::expression::{Deferred, Expr};
use crate::kind::{ProviderSchema, Secrecy};
use crate::value::{Object, Value};
use crate::world::Binding;

/// The settings of a connection as they are gathered.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub open: Object,
    pub deferred: BTreeMap<String, Deferred>,
    pub needs: BTreeSet<u32>,
}

impl Settings {
    /// A known, open setting, in the place of whatever there was.
    pub fn open(&mut self, name: &str, value: Value) {
        self.deferred.remove(name);
        self.open.insert(name.to_owned(), value);
    }

    /// A setting that is secret or not known yet, in the place of whatever there was.
    pub fn deferred(&mut self, name: &str, deferred: Deferred) {
        self.open.remove(name);
        self.deferred.insert(name.to_owned(), deferred);
    }
}

impl Engine<'_> {
    pub(super) fn provider(&mut self, node: usize, index: usize) {
        let (spec, kinds, prepared) = (self.ground.spec, self.kinds, self.prepared);
        let block = &spec.modules[0].providers[index];
        let Some(schema) = kinds.provider(&block.name) else {
            return;
        };
        let mut attributes = Attributes::default();
        let mut settings = Settings::default();
        let context = format!("provider.{}.{}", block.name, block.alias.as_deref().unwrap_or_default());
        for given in &prepared[0].providers[index] {
            let attribute = &schema.attributes[given.attribute];
            let expr = secret_if(attribute.secrecy == Secrecy::Secret, &given.expr);
            let (evaluated, tracker) = self.evaluate(&expr, 0, 0, None, &context);
            settings.needs.extend(tracker.needs().iter());
            self.put(&mut attributes, attribute, evaluated, &given.expr);
        }
        for attribute in &schema.attributes {
            if let Some(default) = &attribute.default
                && !attributes.object.contains_key(attribute.name)
            {
                attributes.object.insert(attribute.name.to_owned(), default.clone());
            }
        }
        for (name, value) in attributes.object {
            match attributes.deferred.remove(&name) {
                Some(deferred) => settings.deferred(&name, deferred),
                None => settings.open(&name, value),
            }
        }
        if &*block.name == "postgres"
            && let Some(span) = url_span(schema, &prepared[0].providers[index])
        {
            self.split_url(&mut settings, span);
        }
        let alias = block.alias.as_ref().map(ToString::to_string);
        let binding =
            Binding { provider: block.name.to_string(), alias, settings: settings.open, deferred: settings.deferred };
        self.providers.insert(node, (binding, settings.needs));
    }

    /// A known `url` becomes the settings that it stands for, where those are not given themselves.
    fn split_url(&mut self, settings: &mut Settings, span: Span) {
        let Some(url) = settings.open.get("url").filter(|url| url.is_known()).cloned() else {
            return;
        };
        settings.open.remove("url");
        match url.as_str().map_or(Err(url::UrlError::NotAUrl), url::parse) {
            Ok(parts) => {
                for (name, value) in parts {
                    if !settings.open.contains_key(name) && !settings.deferred.contains_key(name) {
                        settings.open(name, value);
                    }
                }
            }
            Err(error) => self.bad_url(error, span),
        }
    }

    pub(super) fn bad_url(&mut self, error: url::UrlError, span: Span) {
        self.report(
            Diagnostic::error("the url of a database is not usable")
                .at(span)
                .detail(error.to_string())
                .help(error.help()),
        );
    }

    /// Evaluates one setting of a block of ours; what it rests on is added to the settings'.
    pub(super) fn setting(&mut self, expr: &Expr, secret: bool, context: &str, settings: &mut Settings) -> Evaluated {
        let (evaluated, tracker): (Evaluated, Tracker) = self.evaluate(&secret_if(secret, expr), 0, 0, None, context);
        settings.needs.extend(tracker.needs().iter());
        let poisoned = evaluated.poisoned || self.is_assumed(&evaluated.value);
        Evaluated { poisoned, ..evaluated }
    }
}

/// Where the `url` of a provider is given.
fn url_span(schema: &ProviderSchema, given: &[Given]) -> Option<Span> {
    given.iter().find(|given| schema.attributes[given.attribute].name == "url").map(|given| given.expr.span)
}
