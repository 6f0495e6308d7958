//! The parser's expressions → our compact form. Pure.
//!
//! Invariant: whatever the parser takes is lowered; what means nothing here becomes a diagnostic and an
//! unknown value, so that one mistake is reported once.

mod names;
mod template;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::{self as parsed, Expression, TraversalOperator};
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use crate::diagnostic::{Diagnostic, Diagnostics, SourceId, Span};
use crate::expression::{BinaryOperator, Call, Expr, For, Node, Reference, UnaryOperator};
use crate::number::Number;
use crate::value::{Type, Unknown, Value};

/// Lowers one expression of a parsed file; `text` is that file's text.
pub fn lower(expression: &Expression, text: &str, source: SourceId, diagnostics: &mut Diagnostics) -> Expr {
    Lowering::new(text, source, Roots::Spec, diagnostics).expression(expression)
}

/// Reads a text that is one expression (a `--var`, all of `console`'s input).
///
/// # Errors
/// The syntax error, or names that mean nothing.
pub fn expression_from_text(text: &str, source: SourceId) -> Result<Expr, Diagnostics> {
    let parsed = hcl_edit::parser::parse_expr(text.trim_end())
        .map_err(|error| Diagnostics(vec![syntax_error("the expression does not parse", text, source, &error)]))?;
    let mut diagnostics = Diagnostics::default();
    let expr = lower(&parsed, text, source, &mut diagnostics);
    if diagnostics.has_errors() { Err(diagnostics) } else { Ok(expr) }
}

/// Reads a text that is a template (`templatefile`, `templatestring`), in which every name is one of the
/// variables that are given to it.
///
/// # Errors
/// The syntax error.
pub fn template_from_text(text: &str, source: SourceId) -> Result<Expr, Diagnostics> {
    let parsed = hcl_edit::parser::parse_template(text)
        .map_err(|error| Diagnostics(vec![syntax_error("the template does not parse", text, source, &error)]))?;
    let mut diagnostics = Diagnostics::default();
    let whole = 0..text.len();
    let expr = Lowering::new(text, source, Roots::Template, &mut diagnostics).file_template(&parsed, whole);
    if diagnostics.has_errors() { Err(diagnostics) } else { Ok(expr) }
}

fn syntax_error(summary: &str, text: &str, source: SourceId, error: &hcl_edit::parser::Error) -> Diagnostic {
    let mut offset = error.location().offset().min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let end = text[offset..].chars().next().map_or(offset, |letter| offset + letter.len_utf8());
    Diagnostic::error(summary)
        .at(span_of(source, Some(offset..end)))
        .detail(error.message().replace('\n', "; "))
        .help("mend the syntax here: a quote, a bracket, an operator")
}

fn span_of(source: SourceId, range: Option<Range<usize>>) -> Span {
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    range.map_or(Span { source, start: 0, end: 0 }, |range| Span {
        source,
        start: narrow(range.start),
        end: narrow(range.end),
    })
}

/// A text in the one form that equal texts share.
fn normalise(text: &str) -> Arc<str> {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => text.into(),
        IsNormalized::No | IsNormalized::Maybe => text.nfc().collect::<String>().into(),
    }
}

/// What a first word stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Roots {
    /// `var`, `local`, a kind, …
    Spec,
    /// A variable of the template, whatever it is.
    Template,
}

struct Lowering<'a> {
    text: &'a str,
    source: SourceId,
    roots: Roots,
    /// The names that the `for`s around bind, innermost last.
    bound: Vec<Arc<str>>,
    interned: HashSet<Arc<str>>,
    diagnostics: &'a mut Diagnostics,
}

impl<'a> Lowering<'a> {
    fn new(text: &'a str, source: SourceId, roots: Roots, diagnostics: &'a mut Diagnostics) -> Self {
        Self { text, source, roots, bound: Vec::new(), interned: HashSet::new(), diagnostics }
    }

    fn name(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.interned.get(text) {
            return known.clone();
        }
        let name: Arc<str> = normalise(text);
        self.interned.insert(name.clone());
        name
    }

    fn mistake(&mut self, span: Span, diagnostic: Diagnostic) -> Expr {
        self.diagnostics.push(diagnostic.at(span));
        Expr { node: Node::Literal(Value::unknown(Unknown::of(Type::Any))), span }
    }

    fn expression(&mut self, expression: &Expression) -> Expr {
        let span = span_of(self.source, expression.span());
        let node = match expression {
            Expression::Null(_) => Node::Literal(Value::null()),
            Expression::Bool(truth) => Node::Literal((**truth).into()),
            Expression::Number(_) => return self.number(span),
            Expression::String(text) => {
                self.one_line(span);
                Node::Literal(Value::string(normalise(text)))
            }
            Expression::Array(items) => Node::Tuple(items.iter().map(|item| self.expression(item)).collect()),
            Expression::Object(object) => self.object(object),
            Expression::StringTemplate(template) => {
                return self.quoted_template(template.iter(), span);
            }
            Expression::HeredocTemplate(heredoc) => return self.heredoc(heredoc, span),
            Expression::Parenthesis(inner) => return Expr { span, ..self.expression(inner.inner()) },
            Expression::Variable(name) => return self.root(name.as_str(), &mut [].iter(), span, span),
            Expression::Conditional(conditional) => Node::Conditional(
                Box::new(self.expression(&conditional.cond_expr)),
                Box::new(self.expression(&conditional.true_expr)),
                Box::new(self.expression(&conditional.false_expr)),
            ),
            Expression::FuncCall(call) => self.call(call),
            Expression::Traversal(traversal) => return self.traversal(traversal),
            Expression::UnaryOp(operation) => {
                let operator = match operation.operator.value() {
                    parsed::UnaryOperator::Neg => UnaryOperator::Negate,
                    parsed::UnaryOperator::Not => UnaryOperator::Not,
                };
                Node::Unary(operator, Box::new(self.expression(&operation.expr)))
            }
            Expression::BinaryOp(operation) => Node::Binary(
                binary(*operation.operator.value()),
                Box::new(self.expression(&operation.lhs_expr)),
                Box::new(self.expression(&operation.rhs_expr)),
            ),
            Expression::ForExpr(each) => self.each(each),
        };
        Expr { node, span }
    }

    /// The parser keeps 64 bits of a number; the text has all of it.
    fn number(&mut self, span: Span) -> Expr {
        let written = self.text.get(span.start as usize..span.end as usize).unwrap_or_default();
        let digits: String = written.chars().filter(|letter| !letter.is_whitespace()).collect();
        match digits.parse::<Number>() {
            Ok(number) => Expr { node: Node::Literal(number.into()), span },
            Err(_) => self.mistake(
                span,
                Diagnostic::error("a number is out of range")
                    .detail("numbers lie between 10^-10000 and 10^10000")
                    .help("write a smaller one, or a string"),
            ),
        }
    }

    /// The parser lets a text in quotes go on in the next line; nobody means that.
    fn one_line(&mut self, span: Span) {
        let written = self.text.get(span.start as usize..span.end as usize).unwrap_or_default();
        if written.contains('\n') {
            let mistake = Diagnostic::error("a text in quotes has no end in its line")
                .help("close the quote, write `\\n` for a line break, or use a heredoc: `<<-EOT`");
            self.diagnostics.push(mistake.at(Span { end: span.start + 1, ..span }));
        }
    }

    fn object(&mut self, object: &parsed::Object) -> Node {
        let mut pairs = Vec::with_capacity(object.len());
        for (key, value) in object.iter() {
            let key = match key {
                parsed::ObjectKey::Ident(name) => {
                    let span = span_of(self.source, name.span());
                    Expr { node: Node::Literal(Value::string(self.name(name.as_str()))), span }
                }
                parsed::ObjectKey::Expression(Expression::Variable(name)) => {
                    let span = span_of(self.source, name.span());
                    Expr { node: Node::Literal(Value::string(self.name(name.as_str()))), span }
                }
                parsed::ObjectKey::Expression(Expression::Traversal(traversal)) => {
                    let span = span_of(self.source, traversal.span());
                    self.mistake(
                        span,
                        Diagnostic::error("a key of an object is ambiguous")
                            .help("put an expression in parentheses, `(var.name) = …`, or a text in quotes"),
                    )
                }
                parsed::ObjectKey::Expression(key) => self.expression(key),
            };
            pairs.push((key, self.expression(value.expr())));
        }
        Node::Object(pairs)
    }

    fn call(&mut self, call: &parsed::FuncCall) -> Node {
        let mut function: String = call.name.namespace.iter().map(|part| format!("{}::", part.as_str())).collect();
        function.push_str(call.name.name.as_str());
        Node::Call(Call {
            function: self.name(function.strip_prefix("core::").unwrap_or(&function)),
            arguments: call.args.iter().map(|argument| self.expression(argument)).collect(),
            expand_last: call.args.expand_final(),
        })
    }

    fn each(&mut self, each: &parsed::ForExpr) -> Node {
        let collection = self.expression(&each.intro.collection_expr);
        let key = each.intro.key_var.as_ref().map(|name| self.name(name.as_str()));
        let value = self.name(each.intro.value_var.as_str());
        let outside = self.bind(key.iter().chain([&value]));
        let lowered = For {
            collection,
            key_expr: each.key_expr.as_ref().map(|key| self.expression(key)),
            value_expr: self.expression(&each.value_expr),
            condition: each.cond.as_ref().map(|condition| self.expression(&condition.expr)),
            grouping: each.grouping,
            key,
            value,
        };
        self.bound.truncate(outside);
        Node::For(Box::new(lowered))
    }

    /// Binds names; gives the length to which `bound` is to be cut afterwards.
    fn bind<'n>(&mut self, names: impl Iterator<Item = &'n Arc<str>>) -> usize {
        let outside = self.bound.len();
        self.bound.extend(names.cloned());
        outside
    }

    fn traversal(&mut self, traversal: &parsed::Traversal) -> Expr {
        let start = span_of(self.source, traversal.expr.span());
        let mut operators = traversal.operators.iter();
        let source = match &traversal.expr {
            Expression::Variable(name) => {
                let whole = span_of(self.source, traversal.span());
                self.root(name.as_str(), &mut operators, start, whole)
            }
            other => self.expression(other),
        };
        self.operators(source, operators.as_slice())
    }

    fn operators(&mut self, source: Expr, operators: &[hcl_edit::Decorated<TraversalOperator>]) -> Expr {
        let Some((operator, rest)) = operators.split_first() else {
            return source;
        };
        let end = span_of(self.source, operator.span()).end.max(source.span.end);
        let span = Span { end, ..source.span };
        let node = match operator.value() {
            TraversalOperator::GetAttr(name) => Node::Attribute(Box::new(source), self.name(name.as_str())),
            TraversalOperator::Index(key) => Node::Index(Box::new(source), Box::new(self.expression(key))),
            TraversalOperator::LegacyIndex(index) => {
                let key = Number::from(num_bigint_of(*index.value()));
                let at = span_of(self.source, index.span());
                Node::Index(Box::new(source), Box::new(Expr { node: Node::Literal(key.into()), span: at }))
            }
            TraversalOperator::AttrSplat(_) => {
                let is_attribute = |operator: &hcl_edit::Decorated<TraversalOperator>| {
                    matches!(operator.value(), TraversalOperator::GetAttr(_) | TraversalOperator::LegacyIndex(_))
                };
                let count = rest.iter().take_while(|operator| is_attribute(operator)).count();
                let (inside, after) = rest.split_at(count);
                let splat = self.splat(source, inside, span);
                return self.operators(splat, after);
            }
            TraversalOperator::FullSplat(_) => return self.splat(source, rest, span),
        };
        self.operators(Expr { node, span }, rest)
    }

    fn splat(&mut self, source: Expr, inside: &[hcl_edit::Decorated<TraversalOperator>], span: Span) -> Expr {
        let element = Expr { node: Node::Reference(Reference::Bound(self.name(Reference::SPLAT))), span };
        let each = self.operators(element, inside);
        let span = Span { end: each.span.end.max(span.end), ..span };
        Expr { node: Node::Splat(Box::new(source), Box::new(each)), span }
    }
}

fn num_bigint_of(index: u64) -> bigdecimal::num_bigint::BigInt {
    index.into()
}

fn binary(operator: parsed::BinaryOperator) -> BinaryOperator {
    use parsed::BinaryOperator as From;
    match operator {
        From::Eq => BinaryOperator::Equal,
        From::NotEq => BinaryOperator::NotEqual,
        From::LessEq => BinaryOperator::LessOrEqual,
        From::GreaterEq => BinaryOperator::GreaterOrEqual,
        From::Less => BinaryOperator::Less,
        From::Greater => BinaryOperator::Greater,
        From::Plus => BinaryOperator::Add,
        From::Minus => BinaryOperator::Subtract,
        From::Mul => BinaryOperator::Multiply,
        From::Div => BinaryOperator::Divide,
        From::Mod => BinaryOperator::Remainder,
        From::And => BinaryOperator::And,
        From::Or => BinaryOperator::Or,
    }
}
