//! The statements of `cases.txt`.

use switchback::migration::statements::{Script, Statement};

/// What the statements run on.
pub const FIXTURE: &str = include_str!("fixture.sql");
const CASES: &str = include_str!("cases.txt");

/// A statement, and what it needs.
#[derive(Clone, Debug)]
pub struct Case {
    /// The heading it stands below.
    pub group: String,
    /// The versions of the server that have it.
    pub versions: std::ops::RangeInclusive<u32>,
    /// Whether the server refuses it.
    pub refused: bool,
    /// What runs first.
    pub setup: Option<String>,
    /// The statement.
    pub sql: String,
}

impl Case {
    /// As `cases.txt` has it, without what is said about versions.
    pub fn label_without_versions(&self) -> String {
        self.setup.as_ref().map_or_else(|| self.sql.clone(), |setup| format!("{setup} >> {}", self.sql))
    }

    /// As `cases.txt` has it.
    pub fn label(&self) -> String {
        let refused = if self.refused { "! " } else { "" };
        let versions = match (*self.versions.start(), *self.versions.end()) {
            (13, 18) => String::new(),
            (from, 18) => format!("[{from}-] "),
            (13, to) => format!("[-{to}] "),
            (from, to) => format!("[{from}-{to}] "),
        };
        format!("{versions}{refused}{}", self.label_without_versions())
    }

    /// Whether it leaves something behind, and so needs a database of its own.
    pub fn needs_its_own(&self) -> bool {
        self.setup.is_some() || statement_of(&self.sql).refuses_transaction().is_some()
    }
}

/// A text of one statement, taken apart.
pub fn statement_of(sql: &str) -> Statement {
    let script = Script::parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert_eq!(script.statements.len(), 1, "{sql}");
    script.statements.into_iter().next().unwrap()
}

/// All of them.
pub fn all() -> Vec<Case> {
    let mut group = String::new();
    let mut found = Vec::new();
    for line in CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(heading) = line.strip_prefix("== ") {
            heading.clone_into(&mut group);
            continue;
        }
        found.push(read(&group, line));
    }
    found
}

fn read(group: &str, line: &str) -> Case {
    let (versions, rest) = match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((versions, rest)) => {
            let (from, to) = versions.split_once('-').unwrap();
            (from.parse().unwrap_or(13)..=to.parse().unwrap_or(18), rest)
        }
        None => (13..=18, line),
    };
    let (refused, rest) = match rest.strip_prefix("! ") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (setup, sql) = match rest.split_once(" >> ") {
        Some((setup, sql)) => (Some(setup.to_owned()), sql),
        None => (None, rest),
    };
    Case { group: group.to_owned(), versions, refused, setup, sql: sql.to_owned() }
}
