//! Approvals: who may sign what, the message that is signed, and whether a signature is right. Pure.
//!
//! Invariant: a signature counts for exactly one message, and a message names everything that it is for.

pub mod class;
pub mod key;
pub mod message;
pub mod record;
pub mod rules;
pub mod signature;
