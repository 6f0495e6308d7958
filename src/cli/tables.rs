//! The kinds and providers of this build.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kind::Kinds;
use crate::world::{Databases, Provider};

/// The table of kinds.
pub fn kinds() -> Kinds {
    Kinds::new([], [])
}

/// The providers by name.
pub fn providers() -> BTreeMap<String, Arc<dyn Provider>> {
    BTreeMap::new()
}

/// The runner of migrations.
pub fn databases() -> Option<Arc<dyn Databases>> {
    None
}
