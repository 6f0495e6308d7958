//! Conditionals, templates, objects: what is put together of parts. Pure.
//!
//! Invariant: the type of a conditional does not depend on which branch is taken.

use std::sync::Arc;

use super::{Evaluator, Failed, Outcome};
use crate::diagnostic::Span;
use crate::expression::Expr;
use crate::value::unknown::{not_null, refine};
use crate::value::{Data, Type, Value, convert::plain_name, unify::unify};
use crate::value::{equal, marks_of, unknown_from};

impl Evaluator<'_> {
    pub(super) fn conditional(&mut self, condition: &Expr, yes: &Expr, no: &Expr, span: Span) -> Outcome {
        let decision = self.value(condition)?;
        let decision = self.operand(&decision, &Type::Bool, condition.span)?;
        let (first, second) = match decision.as_bool() {
            Some(true) => (Some(self.value(yes)?), self.attempt(|this| this.value(no))),
            Some(false) => (self.attempt(|this| this.value(yes)), Some(self.value(no)?)),
            None => {
                let (first, second) = (self.value(yes), self.value(no));
                (Some(first?), Some(second?))
            }
        };
        // Which branch was taken tells something of a secret in the other one.
        let marks =
            [&first, &second].into_iter().flatten().fold(decision.marks(), |marks, value| marks.or(value.marks()));
        let types: Vec<Type> = [&first, &second].into_iter().flatten().map(Value::ty).collect();
        let Some(ty) = unify(&types) else {
            let name = |value: &Option<Value>| plain_name(&value.as_ref().map_or(Type::Any, Value::ty));
            let detail = format!(
                "the two results of this conditional are of different types: {} and {}",
                name(&first),
                name(&second)
            );
            return self.fail(span, |diagnostic| {
                diagnostic.detail(detail).help("make them one type, with `tostring`, `tolist` and their like")
            });
        };
        let result = match (decision.as_bool(), first, second) {
            (Some(true), Some(chosen), _) | (Some(false), _, Some(chosen)) => {
                self.convert(&chosen, &ty, "a result does not fit", span)?
            }
            (None, Some(first), Some(second)) => {
                let first = self.convert(&first, &ty, "a result does not fit", yes.span)?;
                let second = self.convert(&second, &ty, "a result does not fit", no.span)?;
                undecided(&decision, &first, &second, ty)
            }
            _ => return Err(Failed),
        };
        Ok(result.mark(marks))
    }

    pub(super) fn template(&mut self, parts: &[Expr]) -> Outcome {
        let values = self.all(parts)?;
        let mut texts = Vec::with_capacity(values.len());
        let mut failed = false;
        for (value, part) in values.iter().zip(parts) {
            match self.text(value, part.span) {
                Ok(text) => texts.push(text),
                Err(Failed) => failed = true,
            }
        }
        if failed { Err(Failed) } else { Ok(concatenate(&texts)) }
    }

    fn text(&mut self, value: &Value, span: Span) -> Outcome {
        if value.is_null() {
            return self.fail(span, |diagnostic| {
                diagnostic
                    .detail("null cannot be put into a text")
                    .help("use `coalesce` to give a text instead of null")
            });
        }
        if matches!(value.data(), Data::Bool(_) | Data::Number(_) | Data::String(_)) || value.ty() == Type::Any {
            return self.convert(value, &Type::String, "this cannot be put into a text", span);
        }
        match value.convert(&Type::String) {
            Ok(text) => Ok(text),
            Err(_) => self.fail(span, |diagnostic| {
                let is = crate::value::convert::a(&plain_name(&value.ty()));
                diagnostic.detail(format!("{is} cannot be put into a text")).help("use `join` or `jsonencode`")
            }),
        }
    }

    pub(super) fn join(&mut self, inner: &Expr) -> Outcome {
        let value = self.value(inner)?;
        let Some(items) = value.items() else {
            return Ok(not_null(&unknown_from(Type::String, [&value])));
        };
        let texts = items.iter().map(|item| self.text(item, inner.span)).collect::<Result<Vec<_>, _>>()?;
        Ok(concatenate(&texts).mark(value.marks()))
    }

    pub(super) fn object(&mut self, pairs: &[(Expr, Expr)]) -> Outcome {
        let mut entries: Vec<(Arc<str>, Value)> = Vec::with_capacity(pairs.len());
        let mut keys = Vec::new();
        let (mut failed, mut unknown) = (false, false);
        for (key_expr, value_expr) in pairs {
            let key = self.value(key_expr).and_then(|key| self.key(&key, key_expr.span));
            let value = self.value(value_expr);
            match (key, value) {
                (Ok(key), Ok(value)) => match key.data() {
                    Data::String(text) => {
                        entries.push((text.clone(), value));
                        if key.is_sensitive() {
                            keys.push(key);
                        }
                    }
                    _ => {
                        unknown = true;
                        keys.push(key);
                        keys.push(value);
                    }
                },
                _ => failed = true,
            }
        }
        if failed {
            return Err(Failed);
        }
        if unknown {
            return Ok(unknown_from(Type::Any, keys.iter().chain(entries.iter().map(|(_, value)| value))));
        }
        Ok(Value::object(entries).mark(marks_of(&keys)))
    }

    /// A value as the key of an object: a string, or an unknown.
    pub(super) fn key(&mut self, key: &Value, span: Span) -> Outcome {
        if key.is_null() {
            return self.fail(span, |diagnostic| {
                diagnostic.detail("a key cannot be null").help("leave such entries out with `if k != null`")
            });
        }
        self.convert(key, &Type::String, "this cannot be a key", span)
    }
}

fn concatenate(texts: &[Value]) -> Value {
    let marks = marks_of(texts);
    let mut known = String::new();
    for text in texts {
        match text.data() {
            Data::String(text) => known.push_str(text),
            Data::Unknown(unknown) => {
                known.push_str(unknown.prefix.as_deref().unwrap_or_default());
                let prefix = (!known.is_empty()).then_some(known);
                return refine(&unknown_from(Type::String, texts), |unknown| {
                    unknown.not_null = true;
                    unknown.prefix = prefix;
                });
            }
            _ => return not_null(&unknown_from(Type::String, texts)),
        }
    }
    crate::resolve::functions::normalised(known).mark(marks)
}

/// What can be said of a conditional whose condition is not known.
fn undecided(decision: &Value, first: &Value, second: &Value, ty: Type) -> Value {
    if first.is_known() && second.is_known() && equal(first, second) == Some(true) {
        return first.clone().mark(marks_of([decision, first, second]));
    }
    let sure = |value: &Value| match value.data() {
        Data::Null(_) => false,
        Data::Unknown(unknown) => unknown.not_null,
        _ => true,
    };
    let length = |value: &Value| {
        let count =
            value.items().map(<[Value]>::len).or_else(|| value.entries().map(std::collections::BTreeMap::len))?;
        u64::try_from(count).ok()
    };
    let is_collection = matches!(ty, Type::List(_) | Type::Map(_));
    let lengths = length(first).zip(length(second)).filter(|_| is_collection);
    let prefix = first.as_str().zip(second.as_str()).map(|(first, second)| {
        first
            .chars()
            .zip(second.chars())
            .take_while(|(one, other)| one == other)
            .map(|(one, _)| one)
            .collect::<String>()
    });
    refine(&unknown_from(ty, [decision, first, second]), |unknown| {
        unknown.not_null = sure(first) && sure(second);
        unknown.length = lengths.map(|(one, other)| (one.min(other), Some(one.max(other))));
        unknown.prefix = prefix.filter(|prefix| !prefix.is_empty());
    })
}
