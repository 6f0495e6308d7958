//! `local_file`: a file on the machine that applies, which `config` blocks with `store = "file"` render.
//!
//! Invariant: a reader sees the earlier file or the new one, never a part of it; nothing is followed or replaced that is
//! no file of ours.

pub mod rules;
mod disk;
mod place;
pub mod calls;

pub use calls::LocalFiles;
pub use rules::{kind, schema};
