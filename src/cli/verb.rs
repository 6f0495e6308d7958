//! The verbs, one file each: what may be typed, and what is done with it.
//!
//! Invariant: a verb decides nothing about the world; it asks the stages and shows what they say.

pub mod apply;
pub mod approvals;
pub mod approve;
pub mod completions;
pub mod console;
pub mod destroy;
pub mod diff;
pub mod doctor;
pub mod drift;
pub mod history;
pub mod hold;
pub mod import;
pub mod init;
pub mod local;
pub mod migrate;
pub mod output;
pub mod permissions;
pub mod plan;
pub mod promote;
pub mod rehearse;
pub mod reject;
pub mod release;
pub mod resume;
pub mod rollback;
pub mod settle;
pub mod show;
pub mod state;
pub mod status;
pub mod test;
pub mod unlock;
pub mod up;
pub mod validate;
