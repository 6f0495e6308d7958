//! What statements lock, rewrite and read: every kind of `docs/locks.md` is predicted, run and observed, and both agree.
//!
//! Usually on the server that is installed; with `SWITCHBACK_TEST_LONG` on the other versions from 13 to 18 as well.

pub mod bench;
pub mod case;
mod differential;
mod document;
mod facts;
pub mod versions;
