//! Alarms of CloudWatch, as they are described. Plain data; the calls stand beside it.
//!
//! Invariant: a metric alarm and a composite one look the same here.

#[cfg(feature = "aws")]
mod calls;

#[cfg(feature = "aws")]
pub use calls::look;

/// An alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// `OK`, `ALARM`, `INSUFFICIENT_DATA`.
    pub state: String,
    /// Why, as CloudWatch says.
    pub reason: String,
    /// When the state changed last.
    pub changed: Option<jiff::Timestamp>,
}
