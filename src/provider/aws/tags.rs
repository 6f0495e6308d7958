//! Tags: those of the user, and our own that say which environment, address and effect made a thing. Pure.
//!
//! Invariant: our own tags are put on at creation and never shown as the user's.

use std::collections::BTreeMap;

use crate::kind::{Attribute, Mistake};
use crate::value::{Object, Type, Value};

/// What our own tags start with.
pub const PREFIX: &str = "switchback:";
/// The environment.
pub const ENVIRONMENT: &str = "switchback:environment";
/// The address.
pub const ADDRESS: &str = "switchback:address";
/// The token of the effect that made it, by which a creation is settled.
pub const TOKEN: &str = "switchback:token";

/// The attribute.
pub fn attribute() -> Attribute {
    Attribute::optional("tags", Type::map(Type::String), "Tags; those of Switchback itself are added and not shown.")
}

/// Tags by name.
pub type Tags = BTreeMap<String, String>;

/// The user's tags of an object.
pub fn of(object: &Object) -> Tags {
    let entries = object.get("tags").and_then(Value::entries).into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.to_string(), value.as_str()?.to_owned()))).collect()
}

/// What has to be set and what to be removed to get from one to the other.
pub fn change(before: &Tags, after: &Tags) -> (Tags, Vec<String>) {
    let set = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
    let removed = before.keys().filter(|name| !after.contains_key(*name) && !is_reserved(name));
    (set.map(|(name, value)| (name.clone(), value.clone())).collect(), removed.cloned().collect())
}

/// The user's part of tags as AWS gives them, as the attribute's value; and the token, if there is one.
pub fn split(all: &Tags) -> (Value, Option<String>) {
    let own = all.iter().filter(|(name, _)| !is_reserved(name));
    let own: Vec<(String, Value)> = own.map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let value = match own.is_empty() {
        true => crate::value::Data::Null(Type::map(Type::String)).into(),
        false => Value::map(Type::String, own),
    };
    (value, all.get(TOKEN).cloned())
}

/// Whether a name belongs to us or to AWS.
pub fn is_reserved(name: &str) -> bool {
    name.starts_with(PREFIX) || name.starts_with("aws:")
}

/// Mistakes in the user's tags.
pub fn check(object: &Object) -> Vec<Mistake> {
    let reserved = of(object).into_keys().filter(|name| is_reserved(name));
    reserved
        .map(|name| Mistake {
            attribute: Some("tags".to_owned()),
            text: format!("the tag `{name}` is reserved"),
            help: format!("use a name that starts neither with `{PREFIX}` nor with `aws:`"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn our_own_tags_are_neither_shown_nor_removed() {
        let all = tags(&[("team", "a"), (TOKEN, "t1"), (ENVIRONMENT, "dev"), ("aws:x", "y")]);
        let (own, token) = split(&all);
        assert_eq!((own, token), (Value::map(Type::String, [("team", Value::from("a"))]), Some("t1".to_owned())));
        let (set, removed) = change(&all, &tags(&[("team", "b")]));
        assert_eq!(set, tags(&[("team", "b")]));
        assert!(removed.is_empty());
        assert_eq!(change(&all, &tags(&[])).1, ["team"]);
    }

    #[test]
    fn reserved_names_are_mistakes() {
        let object = Object::from([("tags".to_owned(), Value::map(Type::String, [(TOKEN, Value::from("x"))]))]);
        assert_eq!(check(&object).len(), 1);
    }
}
