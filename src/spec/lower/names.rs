//! What the first words of a dotted name stand for. Pure.
//!
//! Invariant: a name that a `for` binds hides every other meaning of it.

use hcl_edit::expr::TraversalOperator;
use hcl_edit::{Decorated, Span as _};

use super::{Lowering, Roots, span_of};
use crate::diagnostic::{Diagnostic, Span};
use crate::expression::{Expr, Node, PathWord, Reference};

type Operators<'o> = std::slice::Iter<'o, Decorated<TraversalOperator>>;

/// Words whose second word is a name of ours.
const BUILTIN_ROOTS: [&str; 3] = ["terraform", "environment", "local_stack"];

impl Lowering<'_> {
    /// A first word and as many operators as belong to the name; the others stay in `operators`.
    pub(super) fn root(&mut self, root: &str, operators: &mut Operators<'_>, start: Span, whole: Span) -> Expr {
        if self.bound.iter().any(|name| &**name == root) || self.roots == Roots::Template {
            let name = self.name(root);
            return Expr { node: Node::Reference(Reference::Bound(name)), span: start };
        }
        match root {
            "var" => self.named(root, operators, whole, Reference::Variable),
            "local" => self.named(root, operators, whole, Reference::Local),
            "module" => self.named(root, operators, whole, Reference::Module),
            "path" => self.word(root, operators, whole, |word| {
                Some(Reference::Path(match word {
                    "module" => PathWord::Module,
                    "root" => PathWord::Root,
                    "cwd" => PathWord::Cwd,
                    _ => return None,
                }))
            }),
            "each" => self.word(root, operators, whole, |word| match word {
                "key" => Some(Reference::EachKey),
                "value" => Some(Reference::EachValue),
                _ => None,
            }),
            "count" => self.word(root, operators, whole, |word| (word == "index").then_some(Reference::CountIndex)),
            "data" => self.data(operators, whole),
            "self" => Expr { node: Node::Reference(Reference::Builtin(self.name(root))), span: start },
            _ if BUILTIN_ROOTS.contains(&root) => {
                let root = root.to_owned();
                self.named(&root.clone(), operators, whole, move |name| {
                    Reference::Builtin(format!("{root}.{name}").into())
                })
            }
            _ => self.block(root, operators, start),
        }
    }

    /// `root.name`, whatever the name is.
    fn named(
        &mut self,
        root: &str,
        operators: &mut Operators<'_>,
        whole: Span,
        reference: impl FnOnce(std::sync::Arc<str>) -> Reference,
    ) -> Expr {
        match self.next_name(operators) {
            Some((name, span)) => {
                let name = self.name(&name);
                Expr { node: Node::Reference(reference(name)), span: Span { end: span.end, ..whole } }
            }
            None => self.lone(root, operators, whole),
        }
    }

    /// `root.word` of a few words.
    fn word(
        &mut self,
        root: &str,
        operators: &mut Operators<'_>,
        whole: Span,
        reference: fn(&str) -> Option<Reference>,
    ) -> Expr {
        let Some((name, span)) = self.next_name(operators) else {
            return self.lone(root, operators, whole);
        };
        let span = Span { end: span.end, ..whole };
        match reference(&name) {
            Some(reference) => Expr { node: Node::Reference(reference), span },
            None => {
                *operators = [].iter();
                let words = match root {
                    "path" => "`path.module`, `path.root` and `path.cwd`",
                    "each" => "`each.key` and `each.value`",
                    _ => "`count.index`",
                };
                self.mistake(
                    span,
                    Diagnostic::error("there is no such name")
                        .detail(format!("`{root}.{name}` does not exist"))
                        .help(format!("there is {words}")),
                )
            }
        }
    }

    fn data(&mut self, operators: &mut Operators<'_>, whole: Span) -> Expr {
        let kind = self.next_name(operators);
        let name = kind.is_some().then(|| self.next_name(operators)).flatten();
        match (kind, name) {
            (Some((kind, _)), Some((name, span))) => {
                let (word, name) = (self.name(&format!("data.{kind}")), self.name(&name));
                let span = Span { end: span.end, ..whole };
                Expr { node: Node::Reference(Reference::Block { word, name }), span }
            }
            _ => self.lone("data.KIND", operators, whole),
        }
    }

    /// `word.name`, or a lone word.
    fn block(&mut self, root: &str, operators: &mut Operators<'_>, start: Span) -> Expr {
        let word = self.name(root);
        match self.next_name(operators) {
            Some((name, span)) => {
                let name = self.name(&name);
                let span = Span { end: span.end, ..start };
                Expr { node: Node::Reference(Reference::Block { word, name }), span }
            }
            None => Expr { node: Node::Reference(Reference::Builtin(word)), span: start },
        }
    }

    fn lone(&mut self, root: &str, operators: &mut Operators<'_>, whole: Span) -> Expr {
        *operators = [].iter();
        self.mistake(
            whole,
            Diagnostic::error("a name is incomplete")
                .detail(format!("`{root}` alone has no value"))
                .help(format!("write `{root}.NAME`")),
        )
    }

    fn next_name(&mut self, operators: &mut Operators<'_>) -> Option<(String, Span)> {
        let next = operators.as_slice().first()?;
        let TraversalOperator::GetAttr(name) = next.value() else {
            return None;
        };
        operators.next();
        Some((name.as_str().to_owned(), span_of(self.source, next.span().or_else(|| name.span()))))
    }
}
