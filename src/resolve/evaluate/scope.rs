//! What the evaluator asks of those who know names. Pure (traits).
//!
//! Invariant: the evaluator learns of the world only through these.

use jiff::Timestamp;

use crate::address::{Address, InstanceKey};
use crate::diagnostic::{Diagnostic, Span};
use crate::expression::{Expr, Reference};
use crate::resolve::functions::Surroundings;
use crate::secret::{SecretError, SecretReference};
use crate::value::Value;

/// Knows what names stand for.
///
/// A name whose own mistake was reported already gives an unknown value of type `any`, so that nothing
/// follows from it.
pub trait Scope {
    /// The value of a name; never asked for a [`Reference::Bound`]. A block with `count` gives a tuple of its
    /// instances, with `for_each` an object of them.
    ///
    /// # Errors
    /// When there is no such name here, with the nearest ones that there are.
    fn reference(&self, reference: &Reference, span: Span) -> Result<Value, Diagnostic>;

    /// One instance of a [`Reference::Block`], [`Reference::Module`] or [`Reference::AllInstances`], so that
    /// `web["eu"]` does not build the value of all instances. Nothing: ask for all and index that.
    fn instance(&self, block: &Reference, key: &InstanceKey, span: Span) -> Option<Result<Value, Diagnostic>> {
        let _ = (block, key, span);
        None
    }

    /// One attribute of a block or module, or of one instance of it (`module.web.url`,
    /// `module.web["eu"].url`), so that not all outputs are evaluated. Nothing: ask for the whole.
    fn member(
        &self,
        block: &Reference,
        key: Option<&InstanceKey>,
        name: &str,
        span: Span,
    ) -> Option<Result<Value, Diagnostic>> {
        let _ = (block, key, name, span);
        None
    }

    /// What functions may use.
    fn surroundings(&self) -> Surroundings<'_>;
}

/// A [`Scope`] that can also say what is left of a name in closed form. Asked only for names whose value holds
/// an unknown or a secret; what is known and open becomes a literal by itself.
pub trait ClosingScope: Scope {
    /// The closed form of a name: an [`Reference::Instance`], [`Reference::AllInstances`],
    /// [`Reference::Secret`], or a [`Reference::Cell`] that the scope keeps for a local, variable or output.
    ///
    /// # Errors
    /// When there is none.
    fn close(&self, reference: &Reference, span: Span) -> Result<Expr, Diagnostic>;

    /// The closed form of one instance, see [`Scope::instance`].
    fn close_instance(&self, block: &Reference, key: &InstanceKey, span: Span) -> Option<Result<Expr, Diagnostic>> {
        let _ = (block, key, span);
        None
    }

    /// The closed form of one attribute, see [`Scope::member`].
    fn close_member(
        &self,
        block: &Reference,
        key: Option<&InstanceKey>,
        name: &str,
        span: Span,
    ) -> Option<Result<Expr, Diagnostic>> {
        let _ = (block, key, name, span);
        None
    }

    /// How to have a literal of a `sensitive(…)` again that stands here.
    fn literal_secret(&self, span: Span) -> SecretReference;
}

/// Knows what a closed expression refers to.
pub trait Lookup {
    /// The object of one instance; nothing while it is not there yet: its value is then unknown.
    fn instance(&self, address: &Address) -> Option<Value>;

    /// All instances of a block, as a tuple (`count`) or an object (`for_each`); nothing: unknown.
    fn all_instances(&self, block: &Address) -> Option<Value>;

    /// A secret, marked sensitive.
    ///
    /// # Errors
    /// When its source does not have it.
    fn secret(&self, secret: &SecretReference) -> Result<Value, SecretError>;

    /// The time of the apply, for `timestamp` and `uuid`; none while planning.
    fn now(&self) -> Option<Timestamp> {
        None
    }
}
