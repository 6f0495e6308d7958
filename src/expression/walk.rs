//! Going through an expression: its parts, and changed copies of it. Pure.
//!
//! Invariant: parts are seen in the order in which they are written.

use super::{Call, Expr, For, Node};

impl<C> Node<C> {
    /// Calls `look` with each direct part.
    pub fn parts<'a>(&'a self, look: &mut dyn FnMut(&'a C)) {
        match self {
            Self::Literal(_) | Self::Reference(_) => {}
            Self::Template(parts) | Self::Tuple(parts) => parts.iter().for_each(look),
            Self::Object(pairs) => {
                for (key, value) in pairs {
                    look(key);
                    look(value);
                }
            }
            Self::Join(inner) | Self::Attribute(inner, _) | Self::Unary(_, inner) => look(inner),
            Self::Index(left, right) | Self::Splat(left, right) | Self::Binary(_, left, right) => {
                look(left);
                look(right);
            }
            Self::Conditional(condition, yes, no) => {
                look(condition);
                look(yes);
                look(no);
            }
            Self::Call(call) => call.arguments.iter().for_each(look),
            Self::For(each) => {
                look(&each.collection);
                each.key_expr.iter().for_each(&mut *look);
                look(&each.value_expr);
                each.condition.iter().for_each(look);
            }
        }
    }

    /// The same node with each direct part replaced.
    ///
    /// # Errors
    /// The first that `change` gives.
    pub fn try_map<D, E>(&self, change: &mut dyn FnMut(&C) -> Result<D, E>) -> Result<Node<D>, E> {
        let mut boxed = |part: &C| change(part).map(Box::new);
        Ok(match self {
            Self::Literal(value) => Node::Literal(value.clone()),
            Self::Reference(reference) => Node::Reference(reference.clone()),
            Self::Join(inner) => Node::Join(boxed(inner)?),
            Self::Attribute(inner, name) => Node::Attribute(boxed(inner)?, name.clone()),
            Self::Unary(operator, inner) => Node::Unary(*operator, boxed(inner)?),
            Self::Index(left, right) => Node::Index(boxed(left)?, boxed(right)?),
            Self::Splat(left, right) => Node::Splat(boxed(left)?, boxed(right)?),
            Self::Binary(operator, left, right) => Node::Binary(*operator, boxed(left)?, boxed(right)?),
            Self::Conditional(condition, yes, no) => Node::Conditional(boxed(condition)?, boxed(yes)?, boxed(no)?),
            Self::Template(parts) => Node::Template(parts.iter().map(change).collect::<Result<_, _>>()?),
            Self::Tuple(parts) => Node::Tuple(parts.iter().map(change).collect::<Result<_, _>>()?),
            Self::Object(pairs) => Node::Object(
                pairs.iter().map(|(key, value)| Ok((change(key)?, change(value)?))).collect::<Result<_, _>>()?,
            ),
            Self::Call(call) => Node::Call(Call {
                function: call.function.clone(),
                arguments: call.arguments.iter().map(change).collect::<Result<_, _>>()?,
                expand_last: call.expand_last,
            }),
            Self::For(each) => Node::For(Box::new(For {
                key: each.key.clone(),
                value: each.value.clone(),
                collection: change(&each.collection)?,
                key_expr: each.key_expr.as_ref().map(&mut *change).transpose()?,
                value_expr: change(&each.value_expr)?,
                condition: each.condition.as_ref().map(&mut *change).transpose()?,
                grouping: each.grouping,
            })),
        })
    }
}

impl Expr {
    /// Calls `look` for this expression and every one inside, outermost first.
    pub fn visit<'a>(&'a self, look: &mut dyn FnMut(&'a Self)) {
        look(self);
        self.node.parts(&mut |part| part.visit(look));
    }

    /// A copy in which every part for which `change` has something is replaced by it, outermost first; what
    /// was put in is not looked at again.
    ///
    /// # Errors
    /// The first that `change` gives.
    pub fn rewrite<E>(&self, change: &mut dyn FnMut(&Self) -> Result<Option<Self>, E>) -> Result<Self, E> {
        match change(self)? {
            Some(other) => Ok(other),
            None => Ok(Self { node: self.node.try_map(&mut |part| part.rewrite(change))?, span: self.span }),
        }
    }
}
