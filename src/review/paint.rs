//! What pieces of text stand for, for those who colour them. Pure.
//!
//! Invariant: a text says the same without colour.

/// What a piece of text stands for, for those who colour it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A heading.
    Heading,
    /// Something is added.
    Added,
    /// Something goes.
    Removed,
    /// Something changes.
    Changed,
    /// Of less weight.
    Faint,
    /// Worth a second look.
    Warning,
    /// Something went wrong, or will be lost.
    Danger,
}

/// Colours text, or does not.
pub trait Paint {
    /// The text in the colour of its role.
    fn paint(&self, role: Role, text: &str) -> String;
}

/// No colour.
pub struct Plain;

impl Paint for Plain {
    fn paint(&self, _role: Role, text: &str) -> String {
        text.to_owned()
    }
}
