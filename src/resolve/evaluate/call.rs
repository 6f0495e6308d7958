//! Function calls, and the forms that do not evaluate all of their arguments first. Pure.
//!
//! Invariant: a name that does not exist at all is a mistake even inside `try` and `can`.

use std::sync::Arc;

use super::{Evaluator, Failed, Outcome, secret_call};
use crate::diagnostic::Span;
use crate::expression::{Call, Expr, Node};
use crate::resolve::functions::{self, FunctionError};
use crate::spec::template_from_text;
use crate::value::{Data, Type, Value};
use crate::value::{marks_of, unknown_from};

impl Evaluator<'_> {
    pub(super) fn call(&mut self, call: &Call, span: Span) -> Outcome {
        match &*call.function {
            "try" => self.call_try(call, span),
            "can" => self.call_can(call, span),
            "templatefile" => self.template_file(call, span),
            "templatestring" => self.template_string(call, span),
            "secret" => self.secret(call, span),
            "type" => self.fail(span, |diagnostic| {
                diagnostic.detail("`type` has a value in `console` only, and there only as the whole expression")
            }),
            name => match functions::find(name) {
                Some(function) => {
                    let Some(values) = self.arguments(call)? else {
                        return Ok(unknown_from(function.result.ty(), [] as [&Value; 0]));
                    };
                    self.run(call, span, |surroundings| functions::call(function, &values, surroundings))
                }
                None => {
                    let mistake = unknown_function(name).at(span);
                    Err(self.undeclared(mistake))
                }
            },
        }
    }

    fn run(
        &mut self,
        call: &Call,
        span: Span,
        run: impl FnOnce(super::Surroundings<'_>) -> functions::Outcome,
    ) -> Outcome {
        let outcome = run(self.scope.surroundings());
        outcome.map_err(|FunctionError { argument, message }| {
            let blamed = argument.map(|index| index.min(call.arguments.len().saturating_sub(1)));
            let place = blamed.and_then(|index| call.arguments.get(index)).map_or(span, |argument| argument.span);
            let help = functions::find(&call.function).map(functions::Function::signature);
            self.report(
                crate::diagnostic::Diagnostic::error("a function has no result")
                    .at(place)
                    .detail(format!("`{}`: {message}", call.function))
                    .help(format!("it is written `{}`", help.unwrap_or_else(|| call.function.to_string()))),
            )
        })
    }

    /// The values of all arguments; nothing when the list of them is not known.
    fn arguments(&mut self, call: &Call) -> Result<Option<Vec<Value>>, Failed> {
        let mut values = self.all(&call.arguments)?;
        if !call.expand_last {
            return Ok(Some(values));
        }
        let Some(last) = values.pop() else {
            return Ok(Some(values));
        };
        let span = call.arguments.last().map_or(Expr::NOWHERE, |argument| argument.span);
        match (last.items(), last.data()) {
            (Some(items), _) => {
                let marks = last.marks();
                values.extend(items.iter().map(|item| item.clone().mark(marks)));
                Ok(Some(values))
            }
            (None, Data::Unknown(unknown))
                if !matches!(unknown.ty, Type::Bool | Type::Number | Type::String | Type::Map(_) | Type::Object(_)) =>
            {
                Ok(None)
            }
            _ => self.fail(span, |diagnostic| {
                diagnostic
                    .detail("`...` needs a list, a set or a tuple in front of it")
                    .help("put the value in brackets, or take `...` away")
            }),
        }
    }

    fn secret(&mut self, call: &Call, span: Span) -> Outcome {
        let values = self.all(&call.arguments)?;
        match secret_call::reference(&values, self.scope.surroundings()) {
            Ok(_) => Ok(secret_call::unknown()),
            Err((argument, why)) => {
                let place = call.arguments.get(argument).map_or(span, |argument| argument.span);
                self.fail(place, |diagnostic| {
                    diagnostic.detail(format!("`secret`: {why}")).help(
                        "it is written `secret(\"ssm:/shop/key\")`, or with `environment:`, `file:`, `age:`, `secretsmanager:`",
                    )
                })
            }
        }
    }

    fn call_try(&mut self, call: &Call, span: Span) -> Outcome {
        let Some((last, tries)) = call.arguments.split_last() else {
            return self.fail(span, |diagnostic| diagnostic.detail("`try` needs at least one expression"));
        };
        for argument in tries {
            match self.attempt(|this| this.value(argument)) {
                // Whether it will succeed is not known before its value is.
                Some(value) if !value.is_known() => return Ok(unknown_from(Type::Any, [&value])),
                Some(value) => return Ok(value),
                None => {}
            }
        }
        let value = self.value(last)?;
        Ok(if value.is_known() { value } else { unknown_from(Type::Any, [&value]) })
    }

    fn call_can(&mut self, call: &Call, span: Span) -> Outcome {
        let [argument] = &call.arguments[..] else {
            return self.fail(span, |diagnostic| {
                diagnostic.detail("`can` takes one expression").help("it is written `can(expression)`")
            });
        };
        Ok(match self.attempt(|this| this.value(argument)) {
            Some(value) if !value.is_known() => crate::value::unknown::not_null(&unknown_from(Type::Bool, [&value])),
            Some(value) => Value::from(true).mark(marks_of([&value])),
            None => false.into(),
        })
    }

    fn template_file(&mut self, call: &Call, span: Span) -> Outcome {
        let [path_expr, _] = &call.arguments[..] else {
            return self.fail(span, |diagnostic| {
                diagnostic
                    .detail("`templatefile` takes a path and the variables")
                    .help("it is written `templatefile(path, { name = value })`")
            });
        };
        let values = self.all(&call.arguments)?;
        let path = self.convert(&values[0], &Type::String, "this cannot be a path", path_expr.span)?;
        let file = functions::find("file");
        let text = self.run(call, path_expr.span, |surroundings| match file {
            Some(file) => functions::call(file, std::slice::from_ref(&path), surroundings),
            None => Err(FunctionError::whole("there is no function `file`")),
        })?;
        let name = path.as_str().map_or_else(|| "the template".to_owned(), |path| format!("`{path}`"));
        self.render(&text, &values[1], &name, call, span)
    }

    fn template_string(&mut self, call: &Call, span: Span) -> Outcome {
        let [text_expr, _] = &call.arguments[..] else {
            return self.fail(span, |diagnostic| {
                diagnostic
                    .detail("`templatestring` takes a text and the variables")
                    .help("it is written `templatestring(local.text, { name = value })`")
            });
        };
        // Stored expressions have the text itself there; written by hand it is a mistake in all likelihood.
        if matches!(text_expr.node, Node::Literal(_) | Node::Template(_)) && text_expr.place().is_some() {
            return self.fail(text_expr.span, |diagnostic| {
                diagnostic
                    .detail("`templatestring` is for a template that is somewhere else")
                    .help("write this template as it is, without `templatestring`")
            });
        }
        let values = self.all(&call.arguments)?;
        let text = self.operand(&values[0], &Type::String, text_expr.span)?;
        self.render(&text, &values[1], "the template", call, span)
    }

    fn render(&mut self, text: &Value, variables: &Value, name: &str, call: &Call, span: Span) -> Outcome {
        let Some(source) = text.as_str() else {
            return Ok(unknown_from(Type::String, [text, variables]));
        };
        let Some(entries) = variables.entries() else {
            if let Data::Unknown(_) = variables.data() {
                return Ok(unknown_from(Type::String, [text, variables]));
            }
            let place = call.arguments.last().map_or(span, |argument| argument.span);
            return self.fail(place, |diagnostic| {
                diagnostic.detail("the variables of a template are an object").help("write `{ name = value }`")
            });
        };
        let template = match template_from_text(source, Expr::NOWHERE.source) {
            Ok(template) => template,
            Err(mistakes) => return Err(self.inside_template(mistakes.0, source, name, span)),
        };
        let marks = text.marks().or(variables.marks());
        let given = entries.iter().map(|(key, value)| (key.clone(), value.clone()));
        let outside: Vec<(Arc<str>, Value)> = std::mem::replace(&mut self.bound, given.collect());
        let before = self.mistakes.len();
        let outcome = self.value(&template);
        self.bound = outside;
        match outcome {
            Ok(value) => Ok(value.mark(marks)),
            Err(Failed) => {
                let mistakes = self.mistakes.split_off(before.min(self.mistakes.len()));
                Err(self.inside_template(mistakes, source, name, span))
            }
        }
    }

    /// Mistakes inside a template are told at the call, with the line inside the template.
    fn inside_template(
        &mut self,
        mistakes: Vec<crate::diagnostic::Diagnostic>,
        source: &str,
        name: &str,
        span: Span,
    ) -> Failed {
        for mistake in mistakes {
            let line = mistake.span.filter(|span| *span != Expr::NOWHERE).map(|place| {
                let end = (place.start as usize).min(source.len());
                source.as_bytes()[..end].iter().filter(|byte| **byte == b'\n').count() + 1
            });
            let at = line.map_or_else(|| format!("in {name}: "), |line| format!("in line {line} of {name}: "));
            let detail = mistake.detail.clone().unwrap_or_else(|| mistake.summary.clone());
            self.report(crate::diagnostic::Diagnostic { span: Some(span), detail: Some(at + &detail), ..mistake });
        }
        Failed
    }
}

fn unknown_function(name: &str) -> crate::diagnostic::Diagnostic {
    let help = match functions::similar(name) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "the functions are Terraform's, by the same names".to_owned(),
    };
    crate::diagnostic::Diagnostic::error("there is no such function")
        .detail(format!("`{name}` does not exist"))
        .help(help)
}
