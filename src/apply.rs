//! A change set × the world → an outcome. Writes.
//!
//! Invariant: intent is durable before an effect, outcome after it; apply decides nothing, it obeys the
//! change set, and stops at a step whose ground has moved.

mod acting;
mod asking;
mod checking;
mod course;
mod doubt;
mod executor;
mod outcome;
mod patience;
mod prepare;
mod probing;
mod settle;
mod writing;

pub use asking::{Answer, recorded_value};
pub use doubt::Found;
pub use executor::Executor;
pub use outcome::{ApplyError, Event, Failure, Listener, Outcome, Retries, Silent, StopSignal};
