//! The exit codes: one public table. Pure.
//!
//! Invariant: a code that is in use keeps its meaning for ever; scripts rely on it.

use serde::Serialize;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Failed before any effect.
    Failed = 1,
    /// There are changes.
    Changes = 2,
    /// Typed wrongly.
    Usage = 3,
    /// The spec has mistakes.
    Spec = 4,
    /// The plan is stale.
    Stale = 5,
    /// Stopped half-way.
    Unfinished = 6,
    /// Another run holds the lease.
    Leased = 7,
    /// Held.
    Held = 8,
    /// An approval or a confirmation is missing.
    Unconfirmed = 9,
    /// Waiting.
    Parked = 10,
    /// Drift.
    Drift = 11,
    /// Failed, and everything was taken back.
    TakenBack = 12,
    /// In doubt.
    Doubt = 13,
}

impl Exit {
    /// The table, in order.
    pub const ALL: [Self; 14] = [
        Self::Done,
        Self::Failed,
        Self::Changes,
        Self::Usage,
        Self::Spec,
        Self::Stale,
        Self::Unfinished,
        Self::Leased,
        Self::Held,
        Self::Unconfirmed,
        Self::Parked,
        Self::Drift,
        Self::TakenBack,
        Self::Doubt,
    ];

    /// The number that the process ends with.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// One or two words for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Changes => "changes",
            Self::Usage => "usage",
            Self::Spec => "spec",
            Self::Stale => "stale",
            Self::Unfinished => "unfinished",
            Self::Leased => "leased",
            Self::Held => "held",
            Self::Unconfirmed => "unconfirmed",
            Self::Parked => "parked",
            Self::Drift => "drift",
            Self::TakenBack => "taken back",
            Self::Doubt => "doubt",
        }
    }

    /// What it means, in one line.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing to do",
            Self::Failed => "failed before anything was changed",
            Self::Changes => "there are changes (only with `--detailed-exitcode`)",
            Self::Usage => "the command was typed wrongly; nothing was done",
            Self::Spec => "the spec has mistakes; nothing was done",
            Self::Stale => "the plan is stale: what it rests on has moved; plan again",
            Self::Unfinished => "stopped half-way, some effects stand: `resume` or `rollback`",
            Self::Leased => "another run holds the lease of the environment; try later",
            Self::Held => "held: somebody said that this must not be done again",
            Self::Unconfirmed => "an approval or a confirmation is missing; nothing was done",
            Self::Parked => "waiting (parked): `resume` goes on when what it waits for is there",
            Self::Drift => "the world differs from what was applied",
            Self::TakenBack => "failed, and everything that was done was taken back",
            Self::Doubt => "in doubt: nobody knows whether a step had its effect, a person has to look",
        }
    }

    /// The whole table as text, one line each, as `--help` shows it.
    pub fn table() -> String {
        Self::ALL.iter().map(|exit| format!("  {:>2}  {}\n", exit.code(), exit.meaning())).collect()
    }

    /// The whole table as the documentation shows it.
    pub fn markdown() -> String {
        let mut page = String::from(
            "# Exit codes\n\n\
             What the process ends with. A failure before any effect is 1, effects that stand are 6, everything taken\n\
             back is 12; any doubt is 13, which wins. A usage error never ends with 2.\n\n\
             | code | name | meaning |\n|--:|---|---|\n",
        );
        for exit in Self::ALL {
            page += &format!("| {} | {} | {} |\n", exit.code(), exit.name(), exit.meaning());
        }
        page + "\nThis page is generated from `src/cli/exit.rs`; a test compares the two.\n"
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_public_table() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, (0..=13).collect::<Vec<u8>>());
        assert_eq!((Exit::Usage.code(), Exit::Changes.code(), Exit::Doubt.code()), (3, 2, 13));
    }

    #[test]
    fn the_page_is_current() {
        let page = include_str!("../../docs/exit-codes.md");
        assert_eq!(page, Exit::markdown(), "write what is on the right into docs/exit-codes.md");
    }
}
