//! Must show 2: over every kind of statement, what does the work of a whole table under a lock that keeps writers waiting is
//! flagged, and nothing quick is called heavy; beside it what squawk's linter says.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use squawk_linter::Linter;
use squawk_syntax::SourceFile;
use switchback::migration::Direction;
use switchback::migration::Migration;
use switchback::migration::catalog::slice::matters;
use switchback::migration::certificate::{Basis, Certificate, Verdict};
use switchback::migration::observation::{LockMode, Observation};
use switchback::provider::postgres::rehearsal::ThrowAway;
use switchback::rules::judging::{Job, Judge};
use switchback::rules::rule::{Check, Sort};
use switchback::rules::{Levels, Rule, rules};

use super::bench::server;
use crate::docs::current;
use crate::observation::bench::Bench;
use crate::observation::case;
use crate::observation::versions::url_of;
use crate::stack;

/// How heavy a statement is, by what was seen of it alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// A whole table is worked on while those who write to it wait.
    Heavy,
    /// A whole table is worked on, and nobody waits.
    Beside,
    /// No table is worked on as a whole.
    Quick,
}

fn weight(seen: &Observation) -> Weight {
    let worked: BTreeSet<&String> = seen.rewrites.iter().chain(&seen.scans).chain(seen.builds.keys()).collect();
    let blocks = |name: &&&String| seen.locks.get(**name).is_some_and(|mode| *mode >= LockMode::Share);
    // What is emptied only gets a new file.
    match (worked.is_empty() || seen.excerpt.starts_with("truncate"), worked.iter().any(|name| blocks(&name))) {
        (true, _) => Weight::Quick,
        (false, true) => Weight::Heavy,
        (false, false) => Weight::Beside,
    }
}

/// The names of our rules that speak of work on whole tables, and find something.
fn ours(rules: &[Rule], migration: &Migration, seen: &Observation, version: u32) -> Vec<String> {
    let certificate = Certificate {
        key: switchback::digest::Digest::of_bytes(b""),
        server: format!("{version}.0"),
        basis: Basis::Empty,
        verdict: Verdict::Exact,
        derived: None,
        group: None,
        undone: Vec::new(),
        forth: vec![seen.clone()],
        back: Vec::new(),
    };
    let levels = Levels::default();
    let mut judge = Judge::new(rules, &levels);
    judge.migration(&Job {
        step: None,
        address: None,
        direction: Direction::Up,
        migration,
        certificate: Some(&certificate),
        foretold: None,
        target: None,
        folder: None,
    });
    let is_work = |name: &str| {
        rules.iter().any(|rule| rule.name == name && matches!(rule.check, Check::Statement(Sort::Work | Sort::Rest, _)))
    };
    let found = judge.end().found.into_iter();
    found.filter(|finding| is_work(&finding.rule)).map(|finding| finding.rule).collect()
}

/// What squawk's linter says of the same text: nothing is set, nothing is left out, as it runs where nobody says otherwise.
fn theirs(sql: &str) -> Vec<String> {
    let mut linter = Linter::with_default_rules();
    let found = linter.lint(&SourceFile::parse(sql), sql);
    found.into_iter().map(|violation| violation.code.to_string()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Their rules that do not speak of locks or work on tables: style, types, and settings that a runner makes.
const STYLE: [&str; 8] = [
    "prefer-robust-stmts",
    "require-lock-timeout",
    "require-statement-timeout",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-text-field",
    "prefer-timestamptz",
];

/// What all kinds of statements of one server came to.
#[derive(Default)]
struct Tally {
    heavy: usize,
    quick: usize,
    /// Those of the heavy ones that squawk flags.
    squawk_heavy: usize,
    /// Those of the quick ones that squawk flags.
    squawk_quick: usize,
    /// Heavy ones that we do not flag.
    missed: Vec<String>,
    /// Quick ones that we do.
    false_alarms: Vec<String>,
    /// The heavy ones as lines of a table.
    table: String,
}

impl Tally {
    fn check(&self, version: u32) {
        let Self { heavy, quick, .. } = self;
        assert!(self.missed.is_empty(), "{version}: of {heavy} not flagged: {:#?}", self.missed);
        assert!(self.false_alarms.is_empty(), "{version}: quick ones that are called heavy: {:#?}", self.false_alarms);
        assert!(*heavy >= 52 && *quick >= 150, "{version}: {heavy} heavy kinds, {quick} quick ones");
    }
}

/// Runs every kind that this server has, and judges it.
async fn tally(rules: &[Rule], url: &str) -> (u32, Tally) {
    let mut bench = Bench::new(url).await;
    let mut tally = Tally::default();
    let version = bench.version;
    for case in case::all().into_iter().filter(|case| !case.refused && case.versions.contains(&version)) {
        let sql = bench.sql(&case);
        let (observed, catalog) = bench.observe(&case).await;
        let mut seen = observed.unwrap_or_else(|error| panic!("{}: {error}", case.label()));
        let statement = case::statement_of(&sql);
        seen.before = matters(&statement).then(|| Box::new(catalog.slice(&statement)));
        let outside = statement.refuses_transaction().is_some();
        let migration = Migration { transaction: !outside, ..Migration::plain(1, "case", &sql, None) };
        let found = ours(rules, &migration, &seen, version);
        let other: Vec<String> = theirs(&sql).into_iter().filter(|name| !STYLE.contains(&name.as_str())).collect();
        match weight(&seen) {
            Weight::Heavy => {
                tally.heavy += 1;
                tally.squawk_heavy += usize::from(!other.is_empty());
                if found.is_empty() {
                    tally.missed.push(case.label());
                }
                let _ = writeln!(
                    tally.table,
                    "| `{}` | {} | {} |",
                    case.label_without_versions().replace('|', "\\|"),
                    found.join(", "),
                    if other.is_empty() { "-".to_owned() } else { other.join(", ") }
                );
            }
            Weight::Quick => {
                tally.quick += 1;
                tally.squawk_quick += usize::from(!other.is_empty());
                if !found.is_empty() {
                    tally.false_alarms.push(format!("{}: {found:?}", case.label()));
                }
            }
            Weight::Beside => {}
        }
    }
    bench.end().await;
    (version, tally)
}

/// On the version that is installed, and with `SWITCHBACK_TEST_LONG` on all from 13 to 18.
#[tokio::test(flavor = "multi_thread")]
async fn all_heavy_kinds_are_flagged_and_no_quick_one_is() {
    let rules = rules();
    let (_server, url) = server().await;
    let (installed, seen) = tally(&rules, &url).await;
    seen.check(installed);
    current("rules-compared.md", &page(&seen));
    if std::env::var_os("SWITCHBACK_TEST_LONG").is_none() {
        return;
    }
    for major in (13..=18).filter(|major| *major != installed) {
        let server = ThrowAway::start(stack::places().cache, major, &stack::Quiet).await.unwrap();
        let (version, seen) = tally(&rules, &url_of(server.login())).await;
        assert_eq!(version, major);
        eprintln!("PostgreSQL {version}: {} heavy kinds, {} quick ones", seen.heavy, seen.quick);
        seen.check(version);
    }
}

fn page(seen: &Tally) -> String {
    let Tally { heavy, quick, squawk_heavy: theirs, squawk_quick: theirs_quick, missed, table, .. } = seen;
    let ours = heavy - missed.len();
    format!(
        "# Rules compared\n\nGenerated by a test: `UPDATE_DOCS=1 cargo test --test it rules::`.\n\n\
         Every kind of statement of [locks.md](locks.md) that the installed PostgreSQL has ran on the tables there. *Heavy* is \
         one that was seen to\nread, write anew or index a whole table under a lock for which its writers wait; *quick* is one \
         that was seen to do none of this.\nBeside our rules about work on tables stands squawk's linter 2.68.0 as it comes, \
         its rules about style and settings left\nout: {}.\nIt reads one text and knows neither the catalog nor sizes; \
         that it names a statement here does not say that it names the work.\n\n\
         | | switchback | squawk |\n|---|--:|--:|\n\
         | heavy kinds that are flagged, of {heavy} | {ours} | {theirs} |\n\
         | quick kinds that are flagged, of {quick} | 0 | {theirs_quick} |\n\n\
         ## The heavy kinds\n\n| statement | switchback | squawk |\n|---|---|---|\n{table}",
        STYLE.map(|name| format!("`{name}`")).join(", ")
    )
}
