//! `for` expressions. Pure.
//!
//! Invariant: when it is not known which elements stay, or under which keys, the whole result is unknown.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Evaluator, Failed, Outcome};
use crate::expression::{Expr, For};
use crate::value::{Data, Marks, Type, Value, convert::plain_name};
use crate::value::{marks_of, unknown_from};

/// What one element comes to.
enum Element {
    Dropped,
    Item(Value),
    Entry(Arc<str>, Value),
    /// Whether or where it stays is not known.
    Unknown,
}

impl Evaluator<'_> {
    pub(super) fn each(&mut self, each: &For) -> Outcome {
        let collection = self.value(&each.collection)?;
        let marks = collection.marks();
        let elements: Vec<(Value, Value)> = match collection.data() {
            Data::List(_, items) | Data::Tuple(items) => {
                (0_i64..).map(Value::from).zip(items.iter().cloned()).collect()
            }
            Data::Set(_, items) => items.iter().map(|item| (item.clone(), item.clone())).collect(),
            Data::Map(_, entries) | Data::Object(entries) => {
                entries.iter().map(|(key, item)| (Value::string(key.clone()), item.clone())).collect()
            }
            Data::Unknown(unknown) if !matches!(unknown.ty, Type::Bool | Type::Number | Type::String) => {
                return Ok(unknown_from(Type::Any, [&collection]));
            }
            Data::Sealed(_) => return Ok(unknown_from(Type::Any, [&collection])),
            Data::Null(_) | Data::Bool(_) | Data::Number(_) | Data::String(_) | Data::Unknown(_) => {
                let is = if collection.is_null() {
                    "null".to_owned()
                } else {
                    crate::value::convert::a(&plain_name(&collection.ty()))
                };
                return self.fail(each.collection.span, |diagnostic| {
                    diagnostic
                        .detail(format!("`for` goes through a list, set, map or object, this is {is}"))
                        .help("wrap a single value in brackets, or use `coalesce` for null")
                });
            }
        };
        let mut gathering = Gathering { marks, ..Gathering::default() };
        let mut failed = false;
        for (key, value) in elements {
            let outside = self.bound.len();
            if let Some(name) = &each.key {
                self.bound.push((name.clone(), key));
            }
            self.bound.push((each.value.clone(), value));
            let element = self.element(each, &mut gathering.marks);
            self.bound.truncate(outside);
            match element.and_then(|element| self.gather(&mut gathering, element, each)) {
                Ok(()) => {}
                Err(Failed) => {
                    failed = true;
                    // The same mistake in every element is told once.
                    break;
                }
            }
        }
        if failed { Err(Failed) } else { Ok(gathering.finish(each, &collection)) }
    }

    fn element(&mut self, each: &For, marks: &mut Marks) -> Result<Element, Failed> {
        if let Some(condition) = &each.condition {
            let decision = self.value(condition)?;
            let decision = self.operand(&decision, &Type::Bool, condition.span)?;
            *marks = marks.or(decision.marks());
            match decision.as_bool() {
                Some(true) => {}
                Some(false) => return Ok(Element::Dropped),
                None => {
                    self.known_element(each, marks)?;
                    return Ok(Element::Unknown);
                }
            }
        }
        self.known_element(each, marks)
    }

    fn known_element(&mut self, each: &For, marks: &mut Marks) -> Result<Element, Failed> {
        let Some(key_expr) = &each.key_expr else {
            return self.value(&each.value_expr).map(Element::Item);
        };
        let key = self.value(key_expr).and_then(|key| self.key(&key, key_expr.span));
        let value = self.value(&each.value_expr);
        let (key, value) = (key?, value?);
        // A secret key shows in which entries there are: the whole result is secret.
        *marks = marks.or(marks_of([&key]));
        Ok(match key.data() {
            Data::String(text) => Element::Entry(text.clone(), value),
            _ => Element::Unknown,
        })
    }

    fn gather(&mut self, gathering: &mut Gathering, element: Element, each: &For) -> Result<(), Failed> {
        match element {
            Element::Dropped => {}
            Element::Unknown => gathering.unknown = true,
            Element::Item(value) => gathering.items.push(value),
            Element::Entry(key, value) if each.grouping => gathering.groups.entry(key).or_default().push(value),
            Element::Entry(key, value) => {
                if gathering.groups.insert(key.clone(), vec![value]).is_some() {
                    let span = each.key_expr.as_ref().unwrap_or(&each.value_expr).span;
                    let shown = if marks_are_set(gathering.marks) {
                        "a secret key".to_owned()
                    } else {
                        format!("the key `{key}`")
                    };
                    return self.fail(span, |diagnostic| {
                        diagnostic
                            .detail(format!("{shown} comes up twice"))
                            .help("make keys different, or put `...` after the value to gather values of equal keys")
                    });
                }
            }
        }
        Ok(())
    }
}

fn marks_are_set(marks: Marks) -> bool {
    marks != Marks::default()
}

#[derive(Default)]
struct Gathering {
    items: Vec<Value>,
    groups: BTreeMap<Arc<str>, Vec<Value>>,
    marks: Marks,
    unknown: bool,
}

impl Gathering {
    fn finish(self, each: &For, collection: &Value) -> Value {
        let inside = self.groups.values().flatten().chain(&self.items);
        if self.unknown {
            return unknown_from(Type::Any, inside.chain([collection])).mark(self.marks);
        }
        let result = match (&each.key_expr, each.grouping) {
            (None, _) => Value::tuple(self.items),
            (Some(_), true) => Value::object(self.groups.into_iter().map(|(key, items)| (key, Value::tuple(items)))),
            (Some(_), false) => Value::object(
                self.groups.into_iter().filter_map(|(key, mut items)| items.pop().map(|item| (key, item))),
            ),
        };
        result.mark(self.marks)
    }
}

/// Whether an expression names anything that is bound outside of it.
pub(super) fn names_bound(expr: &Expr) -> bool {
    fn free(expr: &Expr, bound: &mut Vec<Arc<str>>) -> bool {
        use crate::expression::{Node, Reference};
        match &expr.node {
            Node::Reference(Reference::Bound(name)) => !bound.contains(name),
            Node::Splat(source, each) => {
                let outside = free(source, bound);
                bound.push(Reference::SPLAT.into());
                let inside = free(each, bound);
                bound.pop();
                outside || inside
            }
            Node::For(each) => {
                let outside = free(&each.collection, bound);
                let length = bound.len();
                bound.extend(each.key.iter().cloned().chain([each.value.clone()]));
                let mut inside = each.key_expr.iter().chain([&each.value_expr]).chain(&each.condition);
                let inside = inside.any(|part| free(part, bound));
                bound.truncate(length);
                outside || inside
            }
            node => {
                let mut found = false;
                node.parts(&mut |part| found = found || free(part, bound));
                found
            }
        }
    }
    free(expr, &mut Vec::new())
}
