//! The one door to folders of migrations. Pure: files are read through [`crate::files::Files`].
//!
//! Invariant: whatever is wrong with a folder becomes a mistake of the `database` block that names it.

pub(super) use crate::migration::folder::load;
