//! `migration "12" { … }` in a `database` block: what is said about how one migration runs. Pure.
//!
//! Invariant: a block with a mistake is still read as far as it goes.

use super::body::Block;
use super::settings::{Plain, Shape};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::migration::directives::assertion_of;
use crate::migration::length::{milliseconds, timeout_milliseconds};
use crate::migration::said::{Assertion, Backfill, Phase, Said, When};
use crate::migration::spoken::Spoken;
use crate::suggest::did_you_mean;

/// A `migration` block.
#[derive(Clone, Debug)]
pub struct MigrationBlock {
    /// The version it is about.
    pub version: i64,
    /// Where its header stands.
    pub span: Span,
    /// What it says.
    pub spoken: Spoken,
}

/// Reads the blocks of a database, each version once.
pub(super) fn read_all(blocks: &[Block], diagnostics: &mut Diagnostics) -> Vec<MigrationBlock> {
    let mut found: Vec<MigrationBlock> = Vec::new();
    for block in blocks.iter().filter(|block| &*block.word == "migration") {
        let Some(read) = read(block, diagnostics) else { continue };
        if found.iter().any(|first| first.version == read.version) {
            diagnostics.push(
                Diagnostic::error("a migration has two blocks")
                    .at(read.span)
                    .detail(format!("`migration \"{}\"` is written twice", read.version))
                    .help("put all that is said about it into one block"),
            );
            continue;
        }
        found.push(read);
    }
    found
}

fn read(block: &Block, diagnostics: &mut Diagnostics) -> Option<MigrationBlock> {
    let shape = Shape {
        what: "a `migration` block",
        attributes: &["transaction", "lock_timeout", "phase", "group", "keep", "assert_before", "assert_after"],
        blocks: &["backfill"],
        required: &[],
    };
    shape.check(block, diagnostics);
    let version = (block.labels.len() == 1).then(|| block.label(0).parse::<i64>().ok()).flatten();
    let Some(version) = version.filter(|version| *version >= 0) else {
        diagnostics.push(
            Diagnostic::error("a `migration` block names a version")
                .at(block.header)
                .detail("its one label is the number of the migration")
                .help("write like `migration \"12\" { … }`"),
        );
        return None;
    };
    let backfill = block.body.blocks("backfill").next().and_then(|nested| read_backfill(nested, diagnostics));
    let mut assertions = read_assertions(block, "assert_before", When::Before, diagnostics);
    assertions.extend(read_assertions(block, "assert_after", When::After, diagnostics));
    let mut plain = Plain { body: &block.body, diagnostics };
    let transaction = plain.truth("transaction");
    let group = plain.text("group");
    let (timeout, kept, phase) = (plain.text("lock_timeout"), plain.text("keep"), plain.text("phase"));
    let kept = length(block, "keep", "14d", kept, milliseconds, diagnostics);
    let said = Said {
        lock_timeout_milliseconds: length(block, "lock_timeout", "2s", timeout, timeout_milliseconds, diagnostics),
        phase: phase.and_then(|phase| read_phase(block, &phase, diagnostics)),
        group,
        keep_seconds: kept.map(|kept| kept / 1_000),
        backfill,
        assertions,
    };
    Some(MigrationBlock { version, span: block.header, spoken: Spoken { transaction, said } })
}

fn place(block: &Block, name: &str) -> Span {
    block.body.expr(name).map_or(block.header, |expr| expr.span)
}

fn length(
    block: &Block,
    name: &str,
    like: &str,
    text: Option<String>,
    read: impl Fn(&str) -> Option<u64>,
    diagnostics: &mut Diagnostics,
) -> Option<u64> {
    let text = text?;
    let found = read(&text).filter(|milliseconds| *milliseconds > 0);
    if found.is_none() {
        diagnostics.push(
            Diagnostic::error("this is not a length of time")
                .at(place(block, name))
                .detail(format!("`{name}` takes a number and a unit, `{text}` is none"))
                .help(format!("write like `\"{like}\"`, with `ms`, `s`, `m`, `h`, `d` or `w`")),
        );
    }
    found
}

fn read_phase(block: &Block, text: &str, diagnostics: &mut Diagnostics) -> Option<Phase> {
    match text {
        "expand" => Some(Phase::Expand),
        "contract" => Some(Phase::Contract),
        _ => {
            let otherwise = "write `phase = \"expand\"` or `phase = \"contract\"`";
            diagnostics.push(
                Diagnostic::error("there is no such phase")
                    .at(place(block, "phase"))
                    .detail(format!("`{text}` is not known"))
                    .help(did_you_mean(text, ["expand", "contract"], otherwise)),
            );
            None
        }
    }
}

/// One query or a list of them.
fn read_assertions(block: &Block, name: &str, when: When, diagnostics: &mut Diagnostics) -> Vec<Assertion> {
    let Some(expr) = block.body.expr(name) else {
        return Vec::new();
    };
    let texts = match super::settings::text(expr) {
        Some(text) => vec![text],
        None => Plain { body: &block.body, diagnostics }.texts(name).unwrap_or_default(),
    };
    let mut found = Vec::new();
    for text in texts {
        match assertion_of(when, &text, 0) {
            Ok(assertion) => found.push(assertion),
            Err(problem) => diagnostics.push(
                Diagnostic::error("this is not an assertion")
                    .at(expr.span)
                    .detail(problem.text)
                    .help(format!("write one query that gives `true` or `false`, like `{name} = \"SELECT …\"`")),
            ),
        }
    }
    found
}

fn read_backfill(block: &Block, diagnostics: &mut Diagnostics) -> Option<Backfill> {
    let shape = Shape {
        what: "a `backfill` block",
        attributes: &["table", "key", "batch", "pause"],
        blocks: &[],
        required: &["table", "key"],
    };
    shape.check(block, diagnostics);
    let mut plain = Plain { body: &block.body, diagnostics };
    let (table, key, batch, pause) =
        (plain.text("table"), plain.text("key"), plain.count("batch"), plain.text("pause"));
    let pause = length(block, "pause", "50ms", pause, milliseconds, diagnostics);
    if batch == Some(0) {
        diagnostics.push(
            Diagnostic::error("a batch holds rows")
                .at(place(block, "batch"))
                .detail("`batch` is at least 1")
                .help("write like `batch = 1000`"),
        );
    }
    Some(Backfill {
        table: table?,
        key: key?,
        batch: u64::from(batch.unwrap_or(1_000)),
        pause_milliseconds: pause.unwrap_or_default(),
    })
}
