//! All integration tests in one binary: one link, one local stack.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(clippy::disallowed_methods, reason = "tests read and write real files, as a user does")]

mod house;
mod laws;
mod oracle;
mod store;
