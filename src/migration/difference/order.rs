//! The order in which things can be made. Pure.
//!
//! Invariant: what a thing needs comes before it, unless they need each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::schema::{Class, Id, Schema};

/// All things of a schema in the order in which they can be made. What is `made_whole` is a table that is made together
/// with its columns, and needs what they need.
pub fn order(schema: &Schema, made_whole: &dyn Fn(&Id) -> bool) -> Vec<Id> {
    let mut needs: BTreeMap<&Id, BTreeSet<&Id>> = BTreeMap::new();
    for item in schema.items.values() {
        let own = item.needs.iter().chain(item.parent.as_ref().filter(|_| item.id.class != Class::Sequence));
        needs.entry(&item.id).or_default().extend(own.filter(|need| **need != item.id && schema.has(need)));
        let table = item.parent.as_ref().filter(|parent| item.id.class == Class::Column && made_whole(parent));
        if let Some(table) = table {
            let is_other = |need: &&Id| {
                **need != *table && schema.items.get(*need).is_some_and(|other| other.parent.as_ref() != Some(table))
            };
            needs.entry(table).or_default().extend(item.needs.iter().filter(is_other));
        }
    }
    let mut needed_by: BTreeMap<&Id, Vec<&Id>> = BTreeMap::new();
    for (id, needs) in &needs {
        needs.iter().for_each(|need| needed_by.entry(*need).or_default().push(*id));
    }
    let key = |id: &Id| (id.class, schema.items[id].place, id.clone());
    let mut waiting: BTreeMap<_, usize> = needs.iter().map(|(id, needs)| (key(id), needs.len())).collect();
    let mut ready: BTreeSet<_> = waiting.iter().filter(|(_, count)| **count == 0).map(|(key, _)| key.clone()).collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    // A circle is cut where its first member is.
    while let Some(next) = ready.pop_first().or_else(|| waiting.keys().next().cloned()) {
        waiting.remove(&next);
        for dependent in needed_by.get(&next.2).into_iter().flatten() {
            let dependent = key(dependent);
            if let Some(count) = waiting.get_mut(&dependent) {
                *count -= 1;
                if *count == 0 {
                    ready.insert(dependent);
                }
            }
        }
        ordered.push(next.2);
    }
    ordered
}
