//! `a.b`, `a[b]`, `a[*].b`. Pure.
//!
//! Invariant: one instance of a block is asked for by its key; the value of all instances is built only where
//! all are meant.

use std::sync::Arc;

use super::{Evaluator, Failed, Outcome};
use crate::address::InstanceKey;
use crate::diagnostic::Span;
use crate::expression::{Expr, Node, Reference};
use crate::spec::suggest::nearest;
use crate::value::unknown::refine;
use crate::value::{Data, Type, Unknown, Value, convert::plain_name};
use crate::value::{marks_of, unknown_from};

/// A block that may have many instances.
fn block_of(expr: &Expr) -> Option<&Reference> {
    match &expr.node {
        Node::Reference(reference) => match reference {
            Reference::Block { .. } | Reference::Module(_) | Reference::AllInstances(_) => Some(reference),
            Reference::Variable(_)
            | Reference::Local(_)
            | Reference::EachKey
            | Reference::EachValue
            | Reference::CountIndex
            | Reference::Path(_)
            | Reference::Builtin(_)
            | Reference::Bound(_)
            | Reference::Instance(_)
            | Reference::Secret(_)
            | Reference::Cell(_) => None,
        },
        _ => None,
    }
}

/// A value as an instance key, when it is a known one.
pub(super) fn instance_key(key: &Value) -> Option<InstanceKey> {
    match key.data() {
        Data::String(text) => Some(InstanceKey::Key(text.clone())),
        Data::Number(number) => number.to_i64().and_then(|index| u64::try_from(index).ok()).map(InstanceKey::Index),
        _ => None,
    }
}

impl Evaluator<'_> {
    pub(super) fn attribute(&mut self, inner: &Expr, name: &Arc<str>, span: Span) -> Outcome {
        if let Some(block) = block_of(inner)
            && let Some(answer) = self.scope.member(block, None, name, span)
        {
            return answer.map_err(|mistake| self.report(mistake));
        }
        if let Node::Index(source, key_expr) = &inner.node
            && let Some(block) = block_of(source)
        {
            let key = self.value(key_expr)?;
            if let Some(instance) = instance_key(&key)
                && let Some(answer) = self.scope.member(block, Some(&instance), name, span)
            {
                return answer.map(|value| value.mark(key.marks())).map_err(|mistake| self.report(mistake));
            }
            let value = self.indexed_block(source, block, &key, inner.span, key_expr.span)?;
            return self.attribute_of(&value, name, span);
        }
        let value = self.value(inner)?;
        self.attribute_of(&value, name, span)
    }

    pub(super) fn index(&mut self, inner: &Expr, key_expr: &Expr) -> Outcome {
        if let Some(block) = block_of(inner) {
            let key = self.value(key_expr)?;
            return self.indexed_block(inner, block, &key, inner.span, key_expr.span);
        }
        let (source, key) = (self.value(inner), self.value(key_expr));
        self.index_of(&source?, &key?, inner.span, key_expr.span)
    }

    fn indexed_block(&mut self, inner: &Expr, block: &Reference, key: &Value, span: Span, key_span: Span) -> Outcome {
        if let Some(instance) = instance_key(key)
            && let Some(answer) = self.scope.instance(block, &instance, span)
        {
            return answer.map(|value| value.mark(key.marks())).map_err(|mistake| self.report(mistake));
        }
        let source = self.value(inner)?;
        self.index_of(&source, key, span, key_span)
    }

    pub(super) fn attribute_of(&mut self, value: &Value, name: &Arc<str>, span: Span) -> Outcome {
        let marks = value.marks();
        match value.data() {
            Data::Object(entries) | Data::Map(_, entries) => match entries.get(name) {
                Some(item) => Ok(item.clone().mark(marks)),
                None => {
                    let names: Vec<&str> = entries.keys().map(|key| &**key).collect();
                    self.no_such(name, &names, span)
                }
            },
            Data::Unknown(unknown) => match &unknown.ty {
                Type::Any => Ok(derived(unknown, Type::Any).mark(marks)),
                Type::Map(element) => Ok(derived(unknown, (**element).clone()).mark(marks)),
                Type::Object(fields) => match fields.get(name) {
                    Some(field) => Ok(derived(unknown, field.ty.clone()).mark(marks)),
                    None => {
                        let names: Vec<&str> = fields.keys().map(|key| &**key).collect();
                        self.no_such(name, &names, span)
                    }
                },
                Type::Bool | Type::Number | Type::String | Type::List(_) | Type::Set(_) | Type::Tuple(_) => {
                    self.no_attributes(value, name, span)
                }
            },
            Data::Sealed(_) => Ok(unknown_from(Type::Any, [value])),
            Data::Null(_) | Data::Bool(_) | Data::Number(_) | Data::String(_) => self.no_attributes(value, name, span),
            Data::List(..) | Data::Set(..) | Data::Tuple(_) => self.no_attributes(value, name, span),
        }
    }

    fn no_such<T>(&mut self, name: &str, names: &[&str], span: Span) -> Result<T, Failed> {
        self.fail(span, |diagnostic| {
            let help = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => "it has no attributes at all".to_owned(),
                None => format!("it has: {}", shorten(names)),
            };
            diagnostic.detail(format!("there is no attribute `{name}` here")).help(help)
        })
    }

    fn no_attributes<T>(&mut self, value: &Value, name: &str, span: Span) -> Result<T, Failed> {
        self.fail(span, |diagnostic| {
            let (is, help) = match value.ty() {
                _ if value.is_null() => ("null".to_owned(), "guard it with `try(…, null)`"),
                Type::List(_) | Type::Tuple(_) => {
                    (plain_name(&value.ty()), "take one element with `[0]`, or of all of them with `[*]`")
                }
                Type::Set(_) => ("set".to_owned(), "go through it with `for`, or turn it into a list with `tolist`"),
                ty => (plain_name(&ty), "only objects and maps have attributes"),
            };
            diagnostic.detail(format!("`.{name}` is asked of something that is {is}")).help(help)
        })
    }

    pub(super) fn index_of(&mut self, source: &Value, key: &Value, span: Span, key_span: Span) -> Outcome {
        let marks = source.marks().or(marks_of([key]));
        if key.is_null() {
            return self.fail(key_span, |diagnostic| {
                diagnostic.detail("an index cannot be null").help("use `coalesce` to give one")
            });
        }
        let found = match source.data() {
            Data::List(..) | Data::Tuple(_) => {
                let key = self.convert(key, &Type::Number, "this cannot be an index", key_span)?;
                let items = source.items().unwrap_or_default();
                match key.as_number() {
                    None => return Ok(unknown_from(element_type(source), [source, &key])),
                    Some(number) => {
                        let position = number.to_i64().and_then(|index| usize::try_from(index).ok());
                        match position.and_then(|index| items.get(index)) {
                            Some(item) => item.clone(),
                            None => return self.out_of_range(&number.to_string(), items.len(), key_span),
                        }
                    }
                }
            }
            Data::Map(..) | Data::Object(_) => {
                let key = self.convert(key, &Type::String, "this cannot be a key", key_span)?;
                let Some(text) = key.as_str() else {
                    return Ok(unknown_from(element_type(source), [source, &key]));
                };
                match source.get(text) {
                    Some(item) => item.clone(),
                    None => {
                        let names: Vec<&str> = source.entries().into_iter().flatten().map(|(key, _)| &**key).collect();
                        let text = if key.is_sensitive() { "(a secret)" } else { text };
                        return self.no_such(text, &names, key_span);
                    }
                }
            }
            Data::Unknown(unknown) => match &unknown.ty {
                Type::Any => unknown_from(Type::Any, [source, key]),
                Type::List(element) | Type::Map(element) => unknown_from((**element).clone(), [source, key]),
                Type::Tuple(_) | Type::Object(_) => self.index_unknown(unknown, key, key_span)?,
                Type::Bool | Type::Number | Type::String | Type::Set(_) => return self.no_index(source, span),
            },
            Data::Sealed(_) => unknown_from(Type::Any, [source]),
            Data::Null(_) | Data::Bool(_) | Data::Number(_) | Data::String(_) | Data::Set(..) => {
                return self.no_index(source, span);
            }
        };
        Ok(found.mark(marks))
    }

    fn index_unknown(&mut self, unknown: &Unknown, key: &Value, span: Span) -> Outcome {
        match (&unknown.ty, key.data()) {
            (Type::Object(fields), Data::String(name)) => match fields.get(name) {
                Some(field) => Ok(derived(unknown, field.ty.clone())),
                None => {
                    let names: Vec<&str> = fields.keys().map(|key| &**key).collect();
                    self.no_such(name, &names, span)
                }
            },
            (Type::Tuple(types), Data::Number(number)) => {
                let position = number.to_i64().and_then(|index| usize::try_from(index).ok());
                match position.and_then(|index| types.get(index)) {
                    Some(ty) => Ok(derived(unknown, ty.clone())),
                    None => self.out_of_range(&number.to_string(), types.len(), span),
                }
            }
            _ => Ok(derived(unknown, Type::Any)),
        }
    }

    fn out_of_range<T>(&mut self, index: &str, length: usize, span: Span) -> Result<T, Failed> {
        self.fail(span, |diagnostic| {
            let help = match length {
                0 => "it is empty: guard it with `try(…, null)`, or use `one(…)`".to_owned(),
                _ => format!("its elements are 0 to {}", length - 1),
            };
            diagnostic.detail(format!("there is no element {index}")).help(help)
        })
    }

    fn no_index<T>(&mut self, source: &Value, span: Span) -> Result<T, Failed> {
        self.fail(span, |diagnostic| {
            let help = match source.ty() {
                Type::Set(_) => "the elements of a set have no order: use `tolist(…)` or `one(…)`",
                _ => "only lists, tuples, maps and objects have elements",
            };
            let is =
                if source.is_null() { "null".to_owned() } else { crate::value::convert::a(&plain_name(&source.ty())) };
            diagnostic.detail(format!("this is {is} and has no elements by index")).help(help)
        })
    }

    pub(super) fn splat(&mut self, source_expr: &Expr, each: &Expr) -> Outcome {
        let source = self.value(source_expr)?;
        let marks = source.marks();
        let items: Vec<Value> = match source.data() {
            Data::Null(_) => return Ok(Value::tuple(Vec::new()).mark(marks)),
            Data::List(_, items) | Data::Set(_, items) | Data::Tuple(items) => items.to_vec(),
            Data::Unknown(unknown) => match &unknown.ty {
                Type::Any => return Ok(unknown_from(Type::Any, [&source])),
                Type::List(element) | Type::Set(element) => {
                    let element = derived(unknown, (**element).clone());
                    let made = self.with_element(element, each)?;
                    return Ok(unknown_from(Type::list(made.ty()), [&source]));
                }
                Type::Tuple(types) => types.iter().map(|ty| derived(unknown, ty.clone())).collect(),
                _ if unknown.not_null => vec![source.clone()],
                _ => return Ok(unknown_from(Type::Any, [&source])),
            },
            Data::Bool(_) | Data::Number(_) | Data::String(_) | Data::Map(..) | Data::Object(_) | Data::Sealed(_) => {
                vec![source.clone().unmark().0]
            }
        };
        let mut made = Vec::with_capacity(items.len());
        for item in items {
            made.push(self.with_element(item, each)?);
        }
        let uniform = made.iter().all(|item| item.ty() == made[0].ty());
        let result = match source.data() {
            Data::List(element, _) | Data::Set(element, _) if made.is_empty() => {
                let element = Value::unknown(Unknown::of(element.clone()));
                let ty = self.attempt(|this| this.with_element(element, each)).map_or(Type::Any, |made| made.ty());
                Value::list(ty, made)
            }
            Data::List(..) | Data::Set(..) if uniform => Value::list(made[0].ty(), made),
            _ => Value::tuple(made),
        };
        Ok(result.mark(marks))
    }

    fn with_element(&mut self, element: Value, each: &Expr) -> Outcome {
        self.bound.push((Reference::SPLAT.into(), element));
        let made = self.value(each);
        self.bound.pop();
        made
    }
}

/// The type that each element has, where all have one.
fn element_type(source: &Value) -> Type {
    match source.data() {
        Data::List(element, _) | Data::Map(element, _) => element.clone(),
        _ => Type::Any,
    }
}

/// A part of an unknown: waits for the same, and nothing else is known of it.
fn derived(unknown: &Unknown, ty: Type) -> Value {
    let whole = Value::unknown(Unknown { waits_for: unknown.waits_for.clone(), ..Unknown::of(ty) });
    refine(&whole, |_| {})
}

fn shorten(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(12).map(|name| format!("`{name}`")).collect();
    let rest = names.len().saturating_sub(12);
    if rest == 0 { shown.join(", ") } else { format!("{} and {rest} more", shown.join(", ")) }
}
