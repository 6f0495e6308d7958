//! What is known of a migration, in lines: what a rehearsal proved or the catalogs foretell, and what the target says of
//! itself. The same for a terminal, a pull request and the verb `rehearse`. Pure.
//!
//! Invariant: a line says where it is from (observed, predicted, read); a statement that nobody waits for, and that reads
//! and writes no table as a whole, takes none.

use std::collections::{BTreeMap, BTreeSet};

use super::words::counted;
use crate::migration::Direction;
use crate::migration::certificate::{Basis, Certificate, Verdict};
use crate::migration::observation::Observation;
use crate::rehearse::target::{Along, Answer, Foretold, Target};
use crate::world::{Size, TargetFacts};

/// How large relations are, by name.
pub type Sizes = BTreeMap<String, Size>;

/// How many lines of a difference are shown.
const DIFFERENCES: usize = 12;

/// How many statements of one way are shown.
const STATEMENTS: usize = 6;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// As it should be.
    Light,
    /// Worth a second look.
    Middle,
    /// The way back is not what one may think.
    Heavy,
}

/// A line, and how much it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How much it matters.
    pub weight: Weight,
    /// The text.
    pub text: String,
}

impl Line {
    fn new(weight: Weight, text: String) -> Self {
        Self { weight, text }
    }
}

/// The lines of a certificate: what came out first. Lines that belong to the one before begin with two spaces. `sizes`
/// are those of the target.
pub fn lines(certificate: &Certificate, sizes: &Sizes) -> Vec<Line> {
    let weight = weight(&certificate.verdict);
    let mut lines = vec![Line { weight, text: head(certificate) }];
    if let Verdict::Reordered { difference } | Verdict::Otherwise { difference } = &certificate.verdict {
        lines.extend(difference.iter().take(DIFFERENCES).map(|text| Line { weight, text: format!("  {text}") }));
        if difference.len() > DIFFERENCES {
            let more = difference.len() - DIFFERENCES;
            lines.push(Line { weight, text: format!("  … {} more; all with `--json`", counted(more, "line")) });
        }
    }
    if !certificate.undone.is_empty() {
        let text = format!("what is written later would be undone: {}", certificate.undone.join(", "));
        lines.push(Line { weight: Weight::Light, text });
    }
    lines.extend(statements("observed", Along::Forth, &certificate.forth, sizes));
    lines.extend(statements("observed", Along::Back, &certificate.back, sizes));
    lines
}

/// The lines of what is foretold of a migration that was not rehearsed.
pub fn foretold(foretold: &Foretold, sizes: &Sizes) -> Vec<Line> {
    let mut lines = Vec::new();
    for (way, observations) in [(Along::Forth, &foretold.forth), (Along::Back, &foretold.back)] {
        lines.extend(statements("predicted", way, observations, sizes));
        let untold: Vec<_> = foretold.unknown.iter().filter(|one| one.way == way).collect();
        let shown = untold.iter().take(STATEMENTS).map(|one| {
            Line::new(Weight::Middle, format!("not predicted {}, statement {}: {}", way.word(), one.statement, one.why))
        });
        lines.extend(shown);
        if untold.len() > STATEMENTS {
            let more = counted(untold.len() - STATEMENTS, "statement");
            lines.push(Line::new(
                Weight::Middle,
                format!("not predicted {}: … {more} more; all with `--json`", way.word()),
            ));
        }
    }
    lines
}

/// The lines of what a target says of itself: first who it is and when it was asked.
pub fn target(database: &str, target: &Target) -> Vec<Line> {
    match &target.answer {
        Answer::Unreadable(why) => {
            let text = format!("{database} could not be asked about itself at {}: {why}", target.at);
            vec![Line::new(Weight::Middle, text)]
        }
        Answer::Facts(facts) => of_facts(database, target, facts),
    }
}

fn of_facts(database: &str, target: &Target, facts: &TargetFacts) -> Vec<Line> {
    let found = facts.lines();
    let quiet = if found.is_empty() { ": nobody waits, no transaction is long, no replica follows" } else { "" };
    let head = format!("{database}, PostgreSQL {}, read at {}{quiet}", facts.server, target.at);
    let mut lines = vec![Line::new(Weight::Light, head)];
    let weight = if facts.waiting.is_empty() && facts.long.is_empty() { Weight::Light } else { Weight::Middle };
    lines.extend(found.into_iter().map(|text| Line::new(weight, format!("  {text}"))));
    lines
}

/// How much an outcome matters.
pub fn weight(verdict: &Verdict) -> Weight {
    match verdict {
        Verdict::Exact => Weight::Light,
        Verdict::Reordered { .. } | Verdict::LosesData { .. } => Weight::Middle,
        Verdict::Otherwise { .. }
        | Verdict::Fails { .. }
        | Verdict::NoWayBack { .. }
        | Verdict::NotRehearsed { .. } => Weight::Heavy,
    }
}

fn head(certificate: &Certificate) -> String {
    let verdict = &certificate.verdict;
    let detail = match verdict {
        Verdict::Exact | Verdict::Reordered { .. } | Verdict::Otherwise { .. } => String::new(),
        Verdict::LosesData { .. } | Verdict::NoWayBack { .. } | Verdict::NotRehearsed { .. } => {
            format!(": {}", verdict.detail())
        }
        Verdict::Fails { direction: Direction::Up, error } => format!(" on the way up: {error}"),
        Verdict::Fails { direction: Direction::Down, error } => format!(" on the way down: {error}"),
    };
    if matches!(verdict, Verdict::NotRehearsed { .. }) {
        return format!("{}{detail}", verdict.word());
    }
    let derived = if certificate.derived.is_some() { ", way back derived" } else { "" };
    let group = certificate.group.as_ref().map(|group| format!(", as one with group {group}")).unwrap_or_default();
    let server =
        if certificate.server.is_empty() { String::new() } else { format!(" on PostgreSQL {}", certificate.server) };
    format!("rehearsed{server} with {}{derived}{group}: {}{detail}", basis(certificate.basis), verdict.word())
}

/// What was in the tables, in words.
pub fn basis(basis: Basis) -> String {
    match basis {
        Basis::Empty => "empty tables".to_owned(),
        Basis::Seeded { rows } => counted_rows(rows, "seeded"),
        Basis::Sampled { rows } => counted_rows(rows, "sampled"),
    }
}

fn counted_rows(rows: u64, how: &str) -> String {
    format!("{rows} {how} row{}", if rows == 1 { "" } else { "s" })
}

/// The statements of one way that somebody may have to wait for, and from where that is known.
fn statements(source: &str, way: Along, observations: &[Observation], sizes: &Sizes) -> Vec<Line> {
    let way = way.word();
    let told = |one| Some((one, told(one, sizes)?));
    let found: Vec<(&Observation, String)> = observations.iter().filter_map(told).collect();
    let shown = found.iter().take(STATEMENTS).map(|(one, told)| {
        let everybody = one.locks.values().any(|lock| lock.blocks_readers());
        let heavy = !one.rewrites.is_empty() || !one.scans.is_empty() || !one.builds.is_empty();
        let weight = if everybody && heavy { Weight::Middle } else { Weight::Light };
        Line::new(weight, format!("{source} {way}, line {}: {told}", one.line))
    });
    let mut lines: Vec<Line> = shown.collect();
    if found.len() > STATEMENTS {
        let more = counted(found.len() - STATEMENTS, "statement");
        lines.push(Line::new(Weight::Light, format!("{source} {way}: … {more} more; all with `--json`")));
    }
    lines
}

/// What one statement locks so that others wait, rewrites, scans and builds; nothing where that is nothing.
fn told(one: &Observation, sizes: &Sizes) -> Option<String> {
    let blocking = one.locks.iter().filter(|(_, lock)| lock.blocks_writers()).map(|(relation, _)| relation);
    let relations: BTreeSet<&String> =
        blocking.chain(&one.rewrites).chain(&one.scans).chain(one.builds.keys()).collect();
    let tell = |relation: &&String| {
        let mut words = vec![(*relation).clone()];
        words.extend(one.locks.get(*relation).map(|lock| lock.sql_name().to_owned()));
        let mut told = words.join(" ");
        if let Some(size) = sizes.get(*relation) {
            told += &format!(" ({})", size.words());
        }
        if one.rewrites.contains(*relation) {
            told += ", rewritten";
        }
        if one.scans.contains(*relation) {
            told += ", scanned";
        }
        if let Some(indexes) = one.builds.get(*relation) {
            let indexes: Vec<&str> = indexes.iter().map(String::as_str).collect();
            told += &format!(", builds {}", indexes.join(" and "));
        }
        told
    };
    let told: Vec<String> = relations.iter().map(tell).collect();
    (!told.is_empty()).then(|| told.join("; "))
}
