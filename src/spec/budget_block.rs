//! `budget { … }` in an `environment` or a `database` block: what it can bear of a change. Pure.
//!
//! Invariant: a limit with a mistake is reported and none; it is never taken for another one.

use std::collections::BTreeMap;

use super::body::{Block, Body};
use super::settings::{Plain, Shape};
use crate::approval::class::Class;
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::migration::length::milliseconds;
use crate::suggest::did_you_mean;
use crate::world::{Above, Budget, Limit, Quantity, bytes};

/// Reads the one `budget` block of a body, if there is one.
pub(super) fn read(body: &Body, diagnostics: &mut Diagnostics) -> Budget {
    let mut blocks = body.blocks("budget");
    let Some(block) = blocks.next() else { return Budget::default() };
    for other in blocks {
        diagnostics.push(
            Diagnostic::error("there are two `budget` blocks")
                .at(other.header)
                .detail("what can be borne is said in one place")
                .help("put all limits into one of them"),
        );
    }
    let shape = Shape {
        what: "a `budget` block",
        attributes: &["max_blocked_writes", "max_blocked_reads", "max_disk", "max_wal", "max_lag", "above"],
        blocks: &[],
        required: &[],
    };
    shape.check(block, diagnostics);
    let above = above(block, diagnostics);
    let mut limits = BTreeMap::new();
    for quantity in Quantity::ALL {
        let text = Plain { body: &block.body, diagnostics }.text(quantity.word());
        let Some(text) = text else { continue };
        match amount(quantity, &text) {
            Some(value) => drop(limits.insert(quantity, Limit { value, above: above.clone() })),
            None => diagnostics.push(no_amount(quantity, &text, place(block, quantity.word()))),
        }
    }
    Budget(limits)
}

fn place(block: &Block, name: &str) -> Span {
    block.body.expr(name).map_or(block.header, |expr| expr.span)
}

fn amount(quantity: Quantity, text: &str) -> Option<u64> {
    if quantity.is_bytes() { bytes(text) } else { milliseconds(text) }
}

fn no_amount(quantity: Quantity, text: &str, span: Span) -> Diagnostic {
    let (summary, like, units) = match quantity.is_bytes() {
        true => ("this is not a number of bytes", "20GB", "`kB`, `MB`, `GB`, `TB` or `MiB`, `GiB`, `TiB`"),
        false => ("this is not a length of time", "2s", "`ms`, `s`, `m`, `h`, `d` or `w`"),
    };
    Diagnostic::error(summary)
        .at(span)
        .detail(format!("`{}` takes a number and a unit, `{text}` is none", quantity.word()))
        .help(format!("write like `\"{like}\"`, with {units}"))
}

/// `above = "refuse"`, or the class of whoever has to sign.
fn above(block: &Block, diagnostics: &mut Diagnostics) -> Above {
    let Some(text) = (Plain { body: &block.body, diagnostics }).text("above") else { return Above::default() };
    match text.as_str() {
        "refuse" => Above::Refused,
        word if Class::of(word).is_some() => Above::Signed(text),
        word => {
            let words: Vec<&str> = ["refuse"].into_iter().chain(Class::ALL.map(Class::word)).collect();
            let help = "write `\"refuse\"`, or the class of whoever has to sign it, like `\"dba\"`";
            diagnostics.push(
                Diagnostic::error("this is no class of signatures")
                    .at(place(block, "above"))
                    .detail(format!("`above` says what becomes of a change that is above a limit, `{text}` does not"))
                    .help(did_you_mean(word, words, help)),
            );
            Above::default()
        }
    }
}
