//! Where things are, and how they are reached: what of it is said otherwise than recorded. Pure.
//!
//! Invariant: what checking a connection told (its account, its region) is no wish, so its absence from the spec, or from
//! a record of an earlier version, is no difference.

use std::collections::BTreeSet;

use crate::address::Address;
use crate::expression::Deferred;
use crate::kind::Kinds;
use crate::value::Value;
use crate::world::Binding;

/// What of needs and binding differs from what is recorded: a way back must find the world as it is reached now.
pub(super) fn said_otherwise(
    kinds: &Kinds,
    (needs, binding): (&BTreeSet<Address>, &Binding),
    (recorded_needs, recorded): (&BTreeSet<Address>, &Binding),
) -> Vec<String> {
    let is_known = |name: &String| recorded.settings.contains_key(name);
    let is_same_setting = |(name, value): (&String, &Value)| recorded.settings.get(name) == Some(value);
    // A setting that came out of an expression is recorded by its value, a secret by its expression.
    let is_same_deferred =
        |(name, deferred): (&String, &Deferred)| is_known(name) || recorded.deferred.get(name) == Some(deferred);
    let is_wanted = |name: &String| {
        let is_given = binding.settings.contains_key(name) || binding.deferred.contains_key(name);
        is_given || kinds.is_fact(&recorded.provider, name)
    };
    let is_same_binding = binding.provider == recorded.provider
        && binding.alias == recorded.alias
        && binding.settings.iter().all(is_same_setting)
        && binding.deferred.iter().all(is_same_deferred)
        && recorded.settings.keys().chain(recorded.deferred.keys()).all(is_wanted);
    let mut what = Vec::new();
    if needs != recorded_needs {
        what.push("what it needs".to_owned());
    }
    if !is_same_binding {
        what.push("how it is reached".to_owned());
    }
    what
}

/// Whether two bindings lead to different places; how one gets in (profile, keys, user) is no place.
pub(super) fn moved(wanted: &Binding, recorded: &Binding) -> bool {
    const PLACE: [&str; 5] = ["region", "endpoint", "account", "host", "port"];
    wanted.provider != recorded.provider
        || PLACE.iter().any(|setting| match (wanted.settings.get(*setting), recorded.settings.get(*setting)) {
            (Some(wanted), Some(recorded)) => wanted != recorded,
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Attribute, ProviderSchema};
    use crate::value::Type;

    fn binding(settings: &[(&str, &str)]) -> Binding {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
        Binding { provider: "cloud".to_owned(), settings: settings.collect(), ..Binding::default() }
    }

    #[test]
    fn what_was_told_is_no_wish() {
        let attributes = vec![
            Attribute::optional("endpoint", Type::String, "Where."),
            Attribute::optional_computed("region", Type::String, "Where."),
            Attribute::computed("account", Type::String, "Whose."),
        ];
        let kinds = Kinds::new([], [ProviderSchema { name: "cloud", summary: "A cloud.", attributes }]);
        let says = |wanted: &Binding, recorded: &Binding| {
            said_otherwise(&kinds, (&BTreeSet::new(), wanted), (&BTreeSet::new(), recorded))
        };
        let spec = binding(&[("endpoint", "e")]);
        let told = binding(&[("endpoint", "e"), ("region", "r"), ("account", "1")]);
        assert!(says(&spec, &told).is_empty(), "the spec is silent about it");
        assert!(says(&spec, &spec).is_empty(), "a record of an earlier version has none of it");
        assert!(says(&binding(&[("endpoint", "e"), ("region", "r")]), &told).is_empty());
        assert!(!moved(&spec, &told));
        assert!(!says(&binding(&[("endpoint", "e"), ("region", "other")]), &told).is_empty());
        assert!(!says(&binding(&[]), &told).is_empty(), "an endpoint is a wish");
        assert!(moved(&binding(&[("region", "other")]), &told));
    }
}
