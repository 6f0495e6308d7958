//! `verify` blocks → [`Check`]s. Pure.
//!
//! Invariant: an open setting of a check is known and no secret; all others are deferred, as in a binding.

use std::collections::BTreeSet;

use super::desired::DesiredDatabase;
use super::engine::Engine;
use super::resource::Attributes;
use super::secret_form::secret_if;
use crate::address::Address;
use crate::diagnostic::{Diagnostic, Span};
use crate::kind::{CheckKind, Reaches, Secrecy};
use crate::migration::length;
use crate::spec::Verify;
use crate::spec::body::Attribute;
use crate::step::{Check, OnFailedCheck, When};
use crate::suggest::{did_you_mean, listed};
use crate::value::{Type, Value};
use crate::world::Binding;

/// How long a check may take to be as it should be when nothing is said.
const WITHIN_MILLISECONDS: u64 = 60_000;

/// The pause between two tries when nothing is said.
const INTERVAL_MILLISECONDS: u64 = 1_000;

/// How long a runner waits in a bake time when nothing is said; then the run parks.
const PARKS_AFTER_MILLISECONDS: u64 = 30 * 60_000;

/// The shortest pause.
const SHORTEST_MILLISECONDS: u64 = 50;

/// A `verify` block in one instance of its module.
struct Block<'a> {
    verify: &'a Verify,
    address: Address,
    site: usize,
    instance: usize,
}

impl Engine<'_> {
    pub(super) fn verify(&mut self, site: usize, instance: usize, index: usize) {
        let (spec, kinds, prepared) = (self.ground.spec, self.kinds, self.prepared);
        let module_index = self.ground.graph.sites[site].module;
        let (name, verify) = spec.modules[module_index].verifies.get_index(index).expect("the item is of this module");
        let path = self.path(site, instance);
        let address = Address { module: path, word: "verify".into(), name: name.clone(), key: None };
        let block = Block { verify, address, site, instance };
        let Some(asked) = &prepared[module_index].verifies[index] else { return };
        let kind = kinds.check(asked.kind).expect("it was looked up before");
        let mut attributes = Attributes::default();
        attributes.needs.extend(self.ground.state.sites[site][instance].needs.iter());
        attributes.needs.extend(self.target_needs(&verify.depends_on, site, instance));
        for given in &asked.given {
            let attribute = &kind.attributes[given.attribute];
            let expr = secret_if(attribute.secrecy == Secrecy::Secret, &given.expr);
            let (evaluated, tracker) = self.evaluate(&expr, site, instance, None, &block.address.to_string());
            attributes.needs.extend(tracker.narrowed(&evaluated.value, &self.ground.state.ids));
            attributes.spans.insert(attribute.name.to_owned(), given.name_span);
            attributes.poisoned |= self.is_assumed(&evaluated.value);
            self.put(&mut attributes, attribute, evaluated, &given.expr);
        }
        for attribute in &kind.attributes {
            if let Some(default) =
                attribute.default.as_ref().filter(|_| !attributes.object.contains_key(attribute.name))
            {
                attributes.object.insert(attribute.name.to_owned(), default.clone());
            }
        }
        if !attributes.poisoned {
            self.check_what_is_asked(&block, kind, &attributes);
        }
        let database = asked.database.and_then(|at| spec.modules[0].databases.get_index(at));
        let database = database.map(|(name, _)| Address::root("database", name));
        self.finish_check(&block, asked.reaches, attributes, database);
    }

    fn check_what_is_asked(&mut self, block: &Block<'_>, kind: &CheckKind, attributes: &Attributes) {
        for mistake in (kind.mistakes)(&attributes.object) {
            let named = mistake.attribute.as_deref().and_then(|name| attributes.spans.get(name)).copied();
            let header = block.verify.asks.as_ref().map_or(block.verify.span, |asks| asks.span);
            self.report(
                Diagnostic::error(format!("`{}` is not as it must be", kind.name))
                    .at(named.unwrap_or(header))
                    .detail(mistake.text)
                    .help(mistake.help),
            );
        }
    }

    fn finish_check(
        &mut self,
        block: &Block<'_>,
        reaches: Reaches,
        mut attributes: Attributes,
        database: Option<Address>,
    ) {
        let mut needs: BTreeSet<Address> = self.ground.state.addresses(&attributes.needs);
        let binding = match reaches {
            Reaches::Directly => None,
            Reaches::Database => {
                let found: Option<&DesiredDatabase> = database.as_ref().and_then(|one| self.made.databases.get(one));
                found.map(|found| found.binding.clone())
            }
            Reaches::Provider(name) => {
                let is_its = |block: &crate::spec::ProviderBlock| &*block.name == name && block.alias.is_none();
                let at = self.ground.spec.modules[0].providers.iter().position(is_its);
                let (binding, provider_needs) = self.binding(name, at);
                needs.extend(self.ground.state.addresses(&provider_needs));
                Some::<Binding>(binding)
            }
        };
        needs.extend(database);
        let when = self.word(block, "when", When::ALL.map(|when| (when.word(), when)));
        let on_failure = self.word(block, "on_failure", OnFailedCheck::ALL.map(|what| (what.word(), what)));
        let within_milliseconds = self.length(block, "within", 0).unwrap_or(WITHIN_MILLISECONDS);
        let holds_for_milliseconds = self.length(block, "holds_for", 0).unwrap_or(0);
        let parks_after = self.length(block, "parks_after", 0).unwrap_or(PARKS_AFTER_MILLISECONDS);
        let check = Check {
            address: block.address.clone(),
            kind: block.verify.asks.as_ref().map_or_else(String::new, |asks| asks.kind.to_string()),
            when: when.unwrap_or(When::After),
            on_failure: on_failure.unwrap_or(OnFailedCheck::Stop),
            within_milliseconds,
            interval_milliseconds: self
                .length(block, "interval", SHORTEST_MILLISECONDS)
                .unwrap_or(INTERVAL_MILLISECONDS),
            tries: self.tries(block),
            holds_for_milliseconds,
            parks_after_milliseconds: (holds_for_milliseconds > parks_after).then_some(parks_after),
            settings: {
                attributes.object.retain(|name, value| !attributes.deferred.contains_key(name) && !value.is_null());
                attributes.object
            },
            deferred: attributes.deferred,
            binding,
            needs,
            not_yet: BTreeSet::new(),
        };
        self.made.checks.insert(block.address.clone(), check);
    }

    /// One setting that is known now and no secret; nothing when it is absent, null, or a mistake that was told.
    fn said(&mut self, block: &Block<'_>, name: &str, ty: &Type) -> Option<(Value, Span)> {
        let setting: &Attribute = block.verify.settings.iter().find(|setting| &*setting.name == name)?;
        let context = block.address.to_string();
        let (evaluated, _) = self.evaluate(&setting.expr, block.site, block.instance, None, &context);
        if evaluated.poisoned || self.is_assumed(&evaluated.value) || evaluated.value.is_null() {
            return None;
        }
        let problem = match evaluated.value.convert(ty) {
            Err(error) => format!("`{name}`: {error}"),
            Ok(value) if !value.is_known() => format!("`{name}` is not known before an apply"),
            Ok(value) if evaluated.closed.is_some() || value.is_sensitive() => format!("`{name}` is a secret"),
            Ok(value) => return Some((value, setting.expr.span)),
        };
        self.report(
            Diagnostic::error("a setting of a check is not usable")
                .at(setting.expr.span)
                .detail(problem)
                .help(format!("give a value of type `{ty}` that is known now and no secret")),
        );
        None
    }

    /// One of a few words.
    fn word<T: Copy, const N: usize>(
        &mut self,
        block: &Block<'_>,
        name: &str,
        words: [(&'static str, T); N],
    ) -> Option<T> {
        let (value, span) = self.said(block, name, &Type::String)?;
        let text = value.as_str().unwrap_or_default();
        if let Some((_, found)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*found);
        }
        let all = words.map(|(word, _)| word);
        self.report(
            Diagnostic::error("there is no such word here")
                .at(span)
                .detail(format!("`{name}` cannot be `{text}`"))
                .help(did_you_mean(text, all, format!("it is one of {}", listed(all)))),
        );
        None
    }

    fn length(&mut self, block: &Block<'_>, name: &str, least: u64) -> Option<u64> {
        let (value, span) = self.said(block, name, &Type::String)?;
        let parsed = value.as_str().and_then(length::milliseconds).filter(|milliseconds| *milliseconds >= least);
        if parsed.is_none() {
            let least = if least > 0 { format!(", at least {}", length::shown(least)) } else { String::new() };
            self.report(
                Diagnostic::error("this is not a length of time")
                    .at(span)
                    .detail(format!("`{name}` takes a number and a unit{least}"))
                    .help("write like `\"500ms\"`, `\"30s\"` or `\"5m\"`"),
            );
        }
        parsed
    }

    fn tries(&mut self, block: &Block<'_>) -> Option<u32> {
        let (value, span) = self.said(block, "tries", &Type::Number)?;
        let tries = value.as_i64().and_then(|tries| u32::try_from(tries).ok()).filter(|tries| *tries > 0);
        if tries.is_none() {
            self.report(
                Diagnostic::error("this is not a number of tries")
                    .at(span)
                    .detail("`tries` takes a whole number, from 1 on")
                    .help("write like `tries = 5`, or leave it out: then `within` alone says how long"),
            );
        }
        tries
    }
}
