//! One way of a migration: its SQL, and beside each statement what it locks, for how long, and from where that is known.
//! Pure.
//!
//! Invariant: every line of the text is shown once and in order; of a statement of which nothing is known that is said.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Source, cost, deeds, observations, sizes, who_is_expected, who_waits};
use super::markup::{Markup, element, of_class};
use super::pieces::{Sign, Tone, badge, code, sign};
use super::{pieces, quantity, sql};
use crate::migration::observation::Observation;
use crate::migration::statements::Script;
use crate::rehearse::target::{Along, Untold};
use crate::review::{Review, StepView};
use crate::risk::{Cost, Estimate};
use crate::world::Size;

/// All that is known of one way.
struct Known<'a> {
    observations: BTreeMap<usize, &'a Observation>,
    source: Option<Source>,
    estimates: BTreeMap<usize, &'a Estimate>,
    untold: BTreeMap<usize, &'a Untold>,
    sizes: Option<&'a BTreeMap<String, Size>>,
}

/// A text with what is known of its statements, and what it costs as a whole.
pub fn way(review: &Review, step: &StepView, along: Along, text: &str) -> Markup {
    let seen = observations(step, along);
    let untold = step.foretold.iter().flat_map(|foretold| &foretold.unknown).filter(|one| one.way == along);
    let estimates = cost(step, along).into_iter().flat_map(|cost| &cost.statements);
    let known = Known {
        observations: seen.iter().flat_map(|(seen, _)| *seen).map(|one| (one.statement, one)).collect(),
        source: seen.as_ref().map(|(_, source)| source.clone()),
        estimates: estimates.map(|one| (one.statement, one)).collect(),
        untold: untold.map(|one| (one.statement, one)).collect(),
        sizes: sizes(review, step),
    };
    let mut all = Markup::new();
    all.push(cost(step, along).map(whole));
    all.push(blocks(text, &known));
    all
}

/// What a way costs as a whole.
fn whole(cost: &Cost) -> Markup {
    let time = |what: &str, seconds: Option<f64>| seconds.map(|seconds| format!("{what} {}", quantity::time(seconds)));
    let least = if cost.seconds.is_none() { "at least " } else { "" };
    let size = |what: &str, bytes: Option<u64>| bytes.map(|bytes| format!("{what} {least}{}", quantity::size(bytes)));
    let waiting = |who: &str, seconds: Option<f64>| match seconds {
        Some(0.0) => Some(format!("{who} do not wait")),
        seconds => time(&format!("{who} wait up to"), seconds),
    };
    let parts = [
        cost.seconds.map(|seconds| format!("takes {}", quantity::about(seconds))),
        waiting("writers", cost.blocked_writes),
        waiting("readers", cost.blocked_reads),
        size("disk for a while", cost.disk_bytes),
        size("log", cost.wal_bytes),
        time("replicas fall behind by", cost.lag_seconds),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let mut all = Markup::new();
    if !parts.is_empty() {
        let list = of_class("ul", "cost", "").with_all(parts.into_iter().map(|part| element("li").with(part)));
        all.push(of_class("div", "estimated", of_class("span", "label", "Estimated")).with(list));
    }
    all.push(cost.unknown.iter().map(|why| of_class("p", "quiet", format!("Not known: {why}"))).collect::<Markup>());
    all
}

/// The text in pieces, each with its notes; a piece starts with the comments that stand before its statement.
fn blocks(text: &str, known: &Known<'_>) -> Markup {
    let text = text.replace("\r\n", "\n");
    let written: Vec<&str> = text.trim_end().split('\n').collect();
    let lines = sql::lines(text.trim_end());
    let starts = starts(&text, &written, known);
    let mut blocks = of_class("div", "sql", "");
    let mut bounds: Vec<usize> = starts.keys().copied().collect();
    if bounds.first() != Some(&0) {
        bounds.insert(0, 0);
    }
    bounds.push(lines.len());
    for pair in bounds.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let statements = starts.get(&from).map_or(&[][..], Vec::as_slice);
        let code = lines[from..to].iter().zip(from + 1..).map(|(line, number)| {
            // The line feed keeps the text whole for those who copy it, or read it without a style sheet.
            let line = of_class("span", "line", line.clone()).with("\n");
            line.attribute("data-line", number.to_string())
        });
        let mut block = of_class("div", "block", of_class("pre", "code", element("code").with_all(code)));
        let notes: Markup = statements.iter().map(|statement| note(*statement, known)).collect();
        if !notes.is_empty() {
            block = block.with(of_class("div", "notes", notes));
        }
        blocks = blocks.with(block);
    }
    blocks.into()
}

/// By the line, from nought, at which a piece starts: the statements in it.
fn starts(text: &str, written: &[&str], known: &Known<'_>) -> BTreeMap<usize, Vec<usize>> {
    let parsed = Script::parse(text).map(|script| script.statements).unwrap_or_default();
    let parsed = parsed.iter().zip(1..).map(|(statement, number)| (number, statement.line));
    let seen = known.observations.values().map(|one| (one.statement, one.line));
    let lines: BTreeMap<usize, usize> = seen.chain(parsed).collect();
    let mut starts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut last: Option<usize> = None;
    for (statement, line) in lines {
        let line = line.saturating_sub(1).min(written.len().saturating_sub(1));
        // Two statements that start on one line stand together.
        let from = match last {
            Some(last) if line <= last => starts.keys().next_back().copied().unwrap_or_default(),
            None => 0,
            Some(last) => {
                let is_before = |line: &&&str| line.trim().is_empty() || line.trim_start().starts_with("--");
                let before = written[last + 1..line].iter().rev().take_while(is_before).count();
                let blank = written[line - before..line].iter().take_while(|line| line.trim().is_empty()).count();
                line - before + blank
            }
        };
        last = Some(last.map_or(line, |last| last.max(line)));
        starts.entry(from).or_default().push(statement);
    }
    starts
}

/// What is known of a statement.
fn note(statement: usize, known: &Known<'_>) -> Markup {
    let mut parts = Markup::new();
    if let Some(one) = known.observations.get(&statement) {
        parts.push(claims(one, known));
    } else if let Some(untold) = known.untold.get(&statement) {
        parts.push(badge(Tone::Warn, Sign::Alarm, "locks not known"));
        parts.push(of_class("p", "quiet", pieces::prose(&untold.why)));
    } else {
        parts.push(badge(Tone::Warn, Sign::Alarm, "locks not known"));
        parts.push(of_class("p", "quiet", "It was not rehearsed, and nothing is foretold of it."));
    }
    parts.push(known.estimates.get(&statement).map(|estimate| estimated(estimate)));
    of_class("div", "note", parts)
        .attribute("role", "group")
        .attribute("aria-label", format!("Statement {statement}"))
        .into()
}

fn claims(one: &Observation, known: &Known<'_>) -> Markup {
    let mut all = Markup::new();
    let relations: BTreeSet<&String> = one
        .locks
        .iter()
        .filter(|(_, lock)| lock.blocks_writers())
        .map(|(relation, _)| relation)
        .chain(&one.rewrites)
        .chain(&one.scans)
        .chain(one.builds.keys())
        .collect();
    for relation in &relations {
        all.push(claim(one, relation, known.sizes.and_then(|sizes| sizes.get(*relation)).copied()));
    }
    if relations.is_empty() {
        all.push(badge(Tone::Good, Sign::Tick, "nobody who reads or writes waits"));
    }
    let weak: Vec<String> = one
        .locks
        .iter()
        .filter(|(relation, _)| !relations.contains(relation))
        .map(|(relation, lock)| format!("{} on {relation}", lock.sql_name()))
        .collect();
    if !weak.is_empty() {
        all.push(of_class("p", "quiet", format!("Besides: {}", weak.join(", "))));
    }
    if one.outside {
        all.push(of_class("p", "quiet", "It runs outside of a transaction."));
    }
    let source = known.source.as_ref().map(|source| of_class("p", "source", source.words()));
    all.with(source)
}

/// What a statement does to one relation.
fn claim(one: &Observation, relation: &str, size: Option<Size>) -> Markup {
    let deeds = deeds(one, relation);
    let mut badges = Markup::new();
    if let Some(lock) = one.locks.get(relation).filter(|lock| lock.blocks_writers()) {
        let tone = if lock.blocks_readers() { Tone::Bad } else { Tone::Warn };
        badges.push(badge(tone, Sign::Lock, lock.sql_name()));
        badges.push(of_class("span", "who", who_waits(*lock)));
    } else if let Some(lock) = one.locks.get(relation) {
        badges.push(badge(Tone::Good, Sign::Lock, lock.sql_name()));
        badges.push(of_class("span", "who", who_waits(*lock)));
    }
    let mut about = Markup::new().with(code(relation));
    about.push(size.map(|size| format!(" ({})", size.words())));
    if !deeds.is_empty() {
        about.push(": ");
        about.push(of_class("strong", "deed", deeds.join(", ")));
    }
    if let Some(indexes) = one.builds.get(relation) {
        let names: Vec<&str> = indexes.iter().map(String::as_str).collect();
        about.push(format!(" ({})", names.join(", ")));
    }
    let about = of_class("p", "about", about);
    of_class("div", "claim", of_class("div", "badges", badges)).with(about).into()
}

fn estimated(estimate: &Estimate) -> Markup {
    let mut lines = Markup::new();
    for blocked in &estimate.blocked {
        let mut words = format!("{}: blocked for {}", blocked.relation, quantity::about(blocked.seconds));
        if let Some(waiting) = who_is_expected(blocked.lock, blocked.readers, blocked.writers) {
            words += &format!("; about {waiting} wait");
        }
        lines.push(element("li").with(words));
    }
    if estimate.blocked.is_empty() && estimate.seconds.is_none() {
        lines.push(element("li").with("how long is not known"));
    } else if let Some(seconds) = estimate.seconds {
        lines.push(element("li").with(format!("takes {}", quantity::about(seconds))));
    }
    let list = of_class("ul", "estimate", lines);
    let because = (!estimate.because.is_empty())
        .then(|| of_class("p", "source", pieces::prose(&format!("estimated: {}", estimate.because.join("; ")))));
    let head = of_class("div", "with-sign", sign(Sign::Clock)).with(list);
    Markup::from(head).with(because)
}
