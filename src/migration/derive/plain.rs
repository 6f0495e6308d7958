//! Statements that change no schema, and those that never can be taken back. Pure.
//!
//! Invariant: whatever may write a row is never said to change nothing.

use super::super::statements::Statement;

/// Whether a statement leaves schema and data as they are.
pub fn changes_nothing(statement: &Statement) -> bool {
    const NOTHING: [&[&str]; 14] = [
        &["set"],
        &["reset"],
        &["show"],
        &["lock"],
        &["analyze"],
        &["vacuum"],
        &["reindex"],
        &["checkpoint"],
        &["savepoint"],
        &["release"],
        &["discard"],
        &["create", "temp"],
        &["create", "temporary"],
        &["explain"],
    ];
    NOTHING.iter().any(|words| statement.starts_with(words))
}

/// Why a statement cannot be taken back, whatever the catalog says.
pub fn never(statement: &Statement) -> Option<&'static str> {
    const WRITES: [&str; 8] = ["insert", "update", "delete", "merge", "truncate", "copy", "with", "select"];
    if WRITES.iter().any(|word| statement.starts_with(&[word])) {
        return Some("may write rows, and what they were is not kept");
    }
    if ["do", "call", "execute", "prepare", "declare"].iter().any(|word| statement.starts_with(&[word])) {
        return Some("does what its code says, which cannot be read back");
    }
    if statement.starts_with(&["alter", "system"]) || statement.starts_with(&["alter", "database"]) {
        return Some("is about the server, not about this schema");
    }
    let about_roles = ["role", "user", "group", "database", "tablespace"];
    let first = ["create", "alter", "drop"];
    if first.iter().any(|first| about_roles.iter().any(|second| statement.starts_with(&[first, second]))) {
        return Some("is about the server, not about this schema");
    }
    None
}
