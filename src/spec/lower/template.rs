//! Templates: their literals with `~` and the indentation of `<<-` taken away, and their directives as
//! conditionals and joins. Pure.
//!
//! Invariant: a heredoc is cut into lines before anything is trimmed, as Terraform does it, so `~` reaches no
//! further than its own line there.

use std::ops::Range;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use hcl_edit::template::{Directive, Element, ForDirective, HeredocTemplate, IfDirective, Strip, Template};

use super::{Lowering, normalise, span_of};
use crate::diagnostic::Span;
use crate::expression::{Expr, For, Node};
use crate::value::Value;

/// A template in one flat row, so that neighbours can be trimmed whatever they are nested in.
enum Piece<'t> {
    Text(String, Range<usize>),
    Interpolation(&'t Expression),
    If(&'t Expression),
    Else,
    EndIf,
    For(&'t ForDirective),
    EndFor,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// A literal is one text, within one line.
    Quoted,
    /// A literal is one text.
    Whole,
    /// A literal is one text per line.
    Lines,
}

struct Flattening<'t, 's> {
    source: &'s str,
    cut: Cut,
    pieces: Vec<Piece<'t>>,
    /// The next literal loses its leading white space.
    trim_next: bool,
}

impl<'t> Flattening<'t, '_> {
    fn elements(&mut self, elements: impl Iterator<Item = &'t Element>) {
        for element in elements {
            match element {
                Element::Literal(literal) => self.literal(literal, literal.span().unwrap_or_default()),
                Element::Interpolation(interpolation) => {
                    self.mark(Piece::Interpolation(&interpolation.expr), interpolation.strip);
                }
                Element::Directive(directive) => match &**directive {
                    Directive::If(directive) => self.condition(directive),
                    Directive::For(directive) => {
                        self.mark(Piece::For(directive), directive.for_expr.strip);
                        self.elements(directive.for_expr.template.iter());
                        self.mark(Piece::EndFor, directive.endfor_expr.strip);
                    }
                },
            }
        }
    }

    fn condition(&mut self, directive: &'t IfDirective) {
        self.mark(Piece::If(&directive.if_expr.cond_expr), directive.if_expr.strip);
        self.elements(directive.if_expr.template.iter());
        if let Some(otherwise) = &directive.else_expr {
            self.mark(Piece::Else, otherwise.strip);
            self.elements(otherwise.template.iter());
        }
        self.mark(Piece::EndIf, directive.endif_expr.strip);
    }

    fn mark(&mut self, piece: Piece<'t>, strip: Strip) {
        if strip.strip_start()
            && let Some(Piece::Text(text, _)) = self.pieces.last_mut()
        {
            text.truncate(text.trim_end().len());
        }
        self.trim_next = strip.strip_end();
        self.pieces.push(piece);
    }

    fn literal(&mut self, parsed: &str, range: Range<usize>) {
        // The parser has taken indentation away by rules of its own: start again from the source.
        let raw = (self.cut == Cut::Lines).then(|| self.source.get(range.clone())).flatten();
        let text = raw.map_or_else(|| parsed.to_owned(), |raw| raw.replace("$${", "${").replace("%%{", "%{"));
        match self.cut {
            Cut::Quoted | Cut::Whole => self.text(&text, range),
            Cut::Lines => text.split_inclusive('\n').for_each(|line| self.text(line, range.clone())),
        }
    }

    fn text(&mut self, text: &str, range: Range<usize>) {
        let trimmed = if std::mem::take(&mut self.trim_next) { text.trim_start() } else { text };
        self.pieces.push(Piece::Text(trimmed.to_owned(), range));
    }

    /// Takes away the indentation that all lines share; blank lines do not count.
    fn dedent(&mut self) {
        let mut smallest = usize::MAX;
        let mut starts = Vec::new();
        let mut at_line_start = true;
        for (index, piece) in self.pieces.iter().enumerate() {
            let mut indentation = 0;
            if let Piece::Text(text, _) = piece {
                let blank = text.trim_start().is_empty() && text.ends_with('\n');
                indentation = if blank { usize::MAX } else { text.chars().take_while(|c| c.is_whitespace()).count() };
                if at_line_start && !blank {
                    starts.push(index);
                }
            }
            if at_line_start {
                smallest = smallest.min(indentation);
            }
            at_line_start = matches!(piece, Piece::Text(text, _) if text.ends_with('\n'));
        }
        for index in starts {
            if let Some(Piece::Text(text, _)) = self.pieces.get_mut(index) {
                *text = text.chars().skip(smallest).collect();
            }
        }
    }
}

impl Lowering<'_> {
    pub(super) fn quoted_template<'t>(&mut self, elements: impl Iterator<Item = &'t Element>, span: Span) -> Expr {
        self.flat(elements, Cut::Quoted, false, span)
    }

    pub(super) fn heredoc(&mut self, heredoc: &HeredocTemplate, span: Span) -> Expr {
        let start = self.text.get(span.start as usize..).unwrap_or_default();
        self.flat(heredoc.template.iter(), Cut::Lines, start.starts_with("<<-"), span)
    }

    pub(super) fn file_template(&mut self, template: &Template, whole: Range<usize>) -> Expr {
        self.flat(template.iter(), Cut::Whole, false, span_of(self.source, Some(whole)))
    }

    fn flat<'t>(&mut self, elements: impl Iterator<Item = &'t Element>, cut: Cut, dedent: bool, span: Span) -> Expr {
        let mut flattening = Flattening { source: self.text, cut, pieces: Vec::new(), trim_next: false };
        flattening.elements(elements);
        if cut == Cut::Quoted {
            let texts = flattening.pieces.iter().filter_map(|piece| match piece {
                Piece::Text(_, range) => Some(span_of(self.source, Some(range.clone()))),
                _ => None,
            });
            texts.collect::<Vec<_>>().into_iter().for_each(|span| self.one_line(span));
        }
        if dedent {
            flattening.dedent();
        }
        let pieces = flattening.pieces;
        let mut rest = pieces.iter();
        let (mut parts, _) = self.parts_until(&mut rest);
        // `"${x}"` is x itself, of whatever type.
        if let [Piece::Interpolation(_)] = &pieces[..]
            && let Some(only) = parts.pop()
        {
            return Expr { span, ..only };
        }
        Expr { node: join_literals(parts), span }
    }

    /// The parts up to the directive that ends them, which is taken as well.
    fn parts_until<'p, 't: 'p>(
        &mut self,
        pieces: &mut std::slice::Iter<'p, Piece<'t>>,
    ) -> (Vec<Expr>, Option<&'p Piece<'t>>) {
        let mut parts = Vec::new();
        while let Some(piece) = pieces.next() {
            match piece {
                Piece::Text(text, range) => {
                    let span = span_of(self.source, Some(range.clone()));
                    parts.push(Expr { node: Node::Literal(Value::string(text.as_str())), span });
                }
                Piece::Interpolation(expression) => parts.push(self.expression(expression)),
                Piece::If(condition) => {
                    let condition = self.expression(condition);
                    let span = condition.span;
                    let (yes, end) = self.parts_until(pieces);
                    let no = match end {
                        Some(Piece::Else) => self.parts_until(pieces).0,
                        _ => Vec::new(),
                    };
                    let branch = |parts| Box::new(Expr { node: join_literals(parts), span });
                    parts.push(Expr { node: Node::Conditional(Box::new(condition), branch(yes), branch(no)), span });
                }
                Piece::For(directive) => parts.push(self.template_for(directive, pieces)),
                Piece::Else | Piece::EndIf | Piece::EndFor => return (parts, Some(piece)),
            }
        }
        (parts, None)
    }

    fn template_for<'p, 't: 'p>(
        &mut self,
        directive: &ForDirective,
        pieces: &mut std::slice::Iter<'p, Piece<'t>>,
    ) -> Expr {
        let intro = &directive.for_expr;
        let collection = self.expression(&intro.collection_expr);
        let span = collection.span;
        let key = intro.key_var.as_ref().map(|name| self.name(name.as_str()));
        let value: Arc<str> = self.name(intro.value_var.as_str());
        let outside = self.bind(key.iter().chain([&value]));
        let (body, _) = self.parts_until(pieces);
        self.bound.truncate(outside);
        let value_expr = Expr { node: join_literals(body), span };
        let each = For { key, value, collection, key_expr: None, value_expr, condition: None, grouping: false };
        let each = Expr { node: Node::For(Box::new(each)), span };
        Expr { node: Node::Join(Box::new(each)), span }
    }
}

/// One literal where all parts are; else a template whose neighbouring literals are one.
fn join_literals(parts: Vec<Expr>) -> Node {
    let mut joined: Vec<Expr> = Vec::with_capacity(parts.len());
    let mut pending: Option<(String, Span)> = None;
    for part in parts {
        let text = if let Node::Literal(value) = &part.node { value.as_str() } else { None };
        match (text, &mut pending) {
            (Some(text), Some((before, _))) => before.push_str(text),
            (Some(text), None) => pending = Some((text.to_owned(), part.span)),
            (None, _) => {
                joined.extend(pending.take().map(literal));
                joined.push(part);
            }
        }
    }
    match (joined.is_empty(), pending) {
        (true, pending) => Node::Literal(Value::string(normalise(&pending.map(|(text, _)| text).unwrap_or_default()))),
        (false, pending) => {
            joined.extend(pending.map(literal));
            Node::Template(joined)
        }
    }
}

fn literal((text, span): (String, Span)) -> Expr {
    Expr { node: Node::Literal(Value::string(normalise(&text))), span }
}
