//! Two resources that would be one and the same thing in the world. Pure.
//!
//! Invariant: only what is known now is compared.

use std::collections::HashMap;

use super::engine::Engine;
use crate::diagnostic::Diagnostic;

impl Engine<'_> {
    /// Reports resources of one kind and provider connection that have the same identity.
    pub(super) fn check_identities(&mut self) {
        let mut seen: HashMap<(String, Option<String>, String), String> = HashMap::new();
        let mut mistakes = Vec::new();
        for (address, resource) in &self.made.resources {
            let Some(kind) = self.kinds.get(&resource.kind) else { continue };
            let Some(identity) = kind.rules.identity(&resource.object) else { continue };
            let key = (resource.kind.clone(), resource.binding.alias.clone(), identity);
            match seen.get(&key) {
                Some(first) => mistakes.push(
                    Diagnostic::error("two resources are the same thing")
                        .at(resource.span)
                        .detail(format!("`{address}` and `{first}` both are the {} `{}`", key.0, key.2))
                        .help("give them different names, or remove one of them"),
                ),
                None => drop(seen.insert(key, address.to_string())),
            }
        }
        mistakes.into_iter().for_each(|mistake| self.report(mistake));
    }
}
