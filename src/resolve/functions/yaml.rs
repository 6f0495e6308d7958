//! `yamlencode` and `yamldecode`. Pure.
//!
//! Invariant: what `yamlencode` writes, `yamldecode` reads back.

use super::{Function, Kind, nullable, row, yaml_write};

pub(super) static ROWS: &[Function] =
    &[row("yamlencode", &[nullable("value", Kind::Any)], Kind::Text, |a| Ok(yaml_write::document(a.value(0)).into()))];
