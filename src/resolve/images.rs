//! The images that a spec's containers run, and the spec with them named by their content. Pure.
//!
//! Invariant: what a container runs is named the same way whether its text is known when it is planned or only when it
//! is applied; the digest of the spec covers what its tags stand for.

use std::collections::{BTreeMap, BTreeSet};

use super::desired::Desired;
use super::evaluate::{Lookup, evaluate_deferred};
use crate::address::Address;
use crate::digest::Digest;
use crate::expression::{Call, Deferred, Expr, Node};
use crate::kind::{Kinds, Shape};
use crate::release::image::{Images, pattern, replacement};
use crate::secret::{SecretError, SecretReference};
use crate::value::{Object, Type, Value};
use crate::world::Binding;

/// What stands for a text that is known only when it is applied, while images are looked for.
const LATER: &str = "known-when-applied";

/// The images of a spec.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What containers run, each with a provider that may know its registry.
    pub images: BTreeMap<String, Binding>,
    /// The things that run an image that is not known before they are applied.
    pub hidden: BTreeSet<Address>,
}

/// Finds the images of a spec.
pub fn found(desired: &Desired, kinds: &Kinds) -> Found {
    let mut found = Found::default();
    for (address, resource) in &desired.resources {
        let Some(attribute) = containers(kinds, &resource.kind) else { continue };
        let Some(value) = resource.object.get(attribute).filter(|value| !value.is_null()) else { continue };
        let later = Later { desired, kinds };
        let read = match (value.as_str().filter(|_| !value.is_sensitive()), resource.deferred.get(attribute)) {
            (Some(text), _) => images(text),
            (None, Some(deferred)) => later.images(deferred),
            (None, None) => None,
        };
        let (known, hidden): (Vec<_>, Vec<_>) =
            read.iter().flatten().cloned().partition(|image| !image.contains(LATER));
        if read.is_none() || !hidden.is_empty() {
            found.hidden.insert(address.clone());
        }
        found.images.extend(known.into_iter().map(|image| (image, resource.binding.clone())));
    }
    found
}

/// The attribute of a kind that lists containers.
fn containers(kinds: &Kinds, kind: &str) -> Option<&'static str> {
    kinds.get(kind)?.rules.containers()
}

/// What the containers of a text run; nothing where it is none.
fn images(text: &str) -> Option<BTreeSet<String>> {
    #[derive(serde::Deserialize)]
    struct Container {
        #[serde(default)]
        image: String,
    }
    let read: Vec<Container> = serde_json::from_str(text).ok()?;
    Some(read.into_iter().map(|container| container.image).filter(|image| !image.is_empty()).collect())
}

/// A world in which everything is there already, with a word in the place of what is not known yet: secrets never
/// enter.
struct Later<'a> {
    desired: &'a Desired,
    kinds: &'a Kinds,
}

impl Later<'_> {
    fn images(&self, deferred: &Deferred) -> Option<BTreeSet<String>> {
        images(evaluate_deferred(deferred, self).ok()?.reveal().as_str()?)
    }
}

impl Lookup for Later<'_> {
    fn instance(&self, address: &Address) -> Option<Value> {
        let resource = self.desired.resources.get(address)?;
        let kind = self.kinds.get(&resource.kind)?;
        let member = |attribute: &crate::kind::Attribute| {
            let given = resource.object.get(attribute.name).filter(|value| value.is_known() && !value.is_sensitive());
            let is_text = matches!(&attribute.shape, Shape::Value(Type::String));
            let value = given.filter(|value| !value.is_null()).cloned();
            let value = value.or_else(|| is_text.then(|| Value::from(LATER)));
            (attribute.name, value.unwrap_or_else(Value::null))
        };
        Some(Value::object(kind.attributes.iter().map(member)))
    }

    fn all_instances(&self, _block: &Address) -> Option<Value> {
        None
    }

    fn secret(&self, _secret: &SecretReference) -> Result<Value, SecretError> {
        Ok(Value::from(LATER))
    }
}

/// A world in which nothing is there yet.
struct Nothing;

impl Lookup for Nothing {
    fn instance(&self, _address: &Address) -> Option<Value> {
        None
    }

    fn all_instances(&self, _block: &Address) -> Option<Value> {
        None
    }

    fn secret(&self, secret: &SecretReference) -> Result<Value, SecretError> {
        Err(SecretError { reference: Box::new(secret.clone()), cause: "it is not asked for".to_owned() })
    }
}

/// Names the images of a spec by their content, as they were pinned.
pub fn pin(desired: &mut Desired, kinds: &Kinds, images: Images) {
    for resource in desired.resources.values_mut().filter(|_| !images.pinned.is_empty()) {
        if let Some(attribute) = containers(kinds, &resource.kind) {
            name_in(&mut resource.object, &mut resource.deferred, attribute, &images);
        }
    }
    if !images.pinned.is_empty() {
        // What is wanted is another thing when a tag stands for something else: holds and verifications go by this.
        desired.spec_digest = Digest::of_json(&(desired.spec_digest, &images.pinned));
    }
    desired.images = images;
}

fn name_in(object: &mut Object, deferred: &mut BTreeMap<String, Deferred>, attribute: &str, images: &Images) {
    let named_later = deferred.get(attribute).map(|deferred| wrapped(deferred, images));
    let Some(value) = object.get(attribute) else { return };
    let text = value.reveal().as_str().map(|text| Value::from(images.named_in(text)).mark(value.marks()));
    let unknown = || named_later.as_ref().and_then(|named| evaluate_deferred(named, &Nothing).ok());
    if let Some(named) = text.or_else(unknown) {
        object.insert(attribute.to_owned(), named);
    }
    if let Some(named) = named_later {
        deferred.insert(attribute.to_owned(), named);
    }
}

/// An expression whose value has its images named by their content. The language's own `replace` does it, so that
/// whoever evaluates it later needs to know nothing of images.
fn wrapped(deferred: &Deferred, images: &Images) -> Deferred {
    let mut root = deferred.root.clone();
    for (written, pinned) in &images.pinned {
        let (from, to) = (format!("/{}/", pattern(written)), replacement(pinned));
        let arguments = vec![root, Expr::literal(from), Expr::literal(to)];
        root = Expr::nowhere(Node::Call(Call { function: "replace".into(), arguments, expand_last: false }));
    }
    Deferred { root, ..deferred.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::Reference;
    use crate::value::Type;

    const WRITTEN: &str = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/web:1.4";

    fn pinned() -> Images {
        let digest = format!("{}@sha256:{}", WRITTEN.trim_end_matches(":1.4"), "a".repeat(64));
        Images { pinned: BTreeMap::from([(WRITTEN.to_owned(), digest)]), ..Images::default() }
    }

    /// `jsonencode([{ image = "${cell}:1.4", arn = KIND.x.arn }])`
    fn deferred() -> Deferred {
        let cell = Expr::literal(WRITTEN.trim_end_matches(":1.4"));
        let parts = vec![Expr::reference(Reference::Cell(0)), Expr::literal(":1.4")];
        let address: Address = "aws_ssm_parameter.x".parse().unwrap();
        let arn = Expr::nowhere(Node::Attribute(Box::new(Expr::reference(Reference::Instance(address))), "arn".into()));
        let container = Expr::nowhere(Node::Object(vec![
            (Expr::literal("image"), Expr::nowhere(Node::Template(parts))),
            (Expr::literal("arn"), arn),
        ]));
        let list = Expr::nowhere(Node::Tuple(vec![container]));
        let call = Call { function: "jsonencode".into(), arguments: vec![list], expand_last: false };
        Deferred::new(vec![cell], Expr::nowhere(Node::Call(call)))
    }

    /// A world in which everything is there.
    struct There;

    impl Lookup for There {
        fn instance(&self, _: &Address) -> Option<Value> {
            Some(Value::object([("arn", Value::from("arn:x"))]))
        }

        fn all_instances(&self, _: &Address) -> Option<Value> {
            None
        }

        fn secret(&self, secret: &SecretReference) -> Result<Value, SecretError> {
            Nothing.secret(secret)
        }
    }

    #[test]
    fn an_image_in_a_text_that_is_not_known_yet_is_found_and_named_when_it_is() {
        let deferred = deferred();
        let mut object = Object::from([("c".to_owned(), Value::unknown(crate::value::Unknown::of(Type::String)))]);
        let mut later = BTreeMap::from([("c".to_owned(), deferred.clone())]);
        name_in(&mut object, &mut later, "c", &pinned());
        assert!(!object["c"].is_known());
        let text = evaluate_deferred(&later["c"], &There).unwrap();
        let before = evaluate_deferred(&deferred, &There).unwrap();
        assert_eq!(text.as_str().unwrap(), pinned().named_in(before.as_str().unwrap()));
        assert!(text.as_str().unwrap().contains("web@sha256:aaaa"), "{text}");
    }
}
