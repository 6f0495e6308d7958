//! One step of the review, with everything that is known of it. Pure.
//!
//! Invariant: what a person has to know before signing stands open; only what is long, or as everybody expects, is folded.

use super::facts::{self, number};
use super::markup::{Anchor, Element, Markup, element, of_class};
use super::pieces::{self, Sign, Tone, badge, capital, code, link, phase, prose, way_back};
use super::statements::way;
use super::{findings, quantity};
use crate::migration::certificate::{Certificate, Verdict};
use crate::rehearse::target::Along;
use crate::review::difference::{Difference, Shown};
use crate::review::proof::{Weight, weight};
use crate::review::{MigrationView, Review, StepView, words};
use crate::rules::Level;

/// Up to how many steps all migrations stand open.
const OPEN: usize = 40;

/// Up to how many steps all others do.
const ALL_OPEN: usize = 8;

/// Longest value that stands open, in characters.
const VALUE: usize = 400;

/// All steps.
pub fn all(review: &Review) -> Element {
    let tools = of_class("p", "tools", pieces::button("open", "Unfold all")).with(pieces::button("close", "Fold all"));
    let steps = review.steps.iter().map(|step| one(review, step));
    pieces::section("steps", "Every step").with(tools).with_all(steps)
}

/// How heavy the findings of a step weigh.
pub fn level(review: &Review, step: &StepView) -> Option<Level> {
    review.findings.of_step(step.id).map(|finding| finding.level).max()
}

/// How long others wait for a step, in a badge.
pub fn waiting(review: &Review, step: &StepView) -> Option<Element> {
    step.migration.as_ref()?;
    let cost = facts::cost(step, Along::Forth);
    let longest = |one: Option<f64>| one.filter(|seconds| *seconds >= 0.001);
    let (writes, reads) = cost.map_or((None, None), |cost| (longest(cost.blocked_writes), longest(cost.blocked_reads)));
    if let Some(seconds) = reads.or(writes) {
        let tone = match seconds {
            seconds if seconds >= 1.0 => Tone::Bad,
            seconds if seconds >= 0.1 => Tone::Warn,
            _ => Tone::Plain,
        };
        let who = if reads.is_some() { "blocks reads" } else { "blocks writes" };
        return Some(badge(tone, Sign::Lock, format!("{who} for {}", quantity::time(seconds))));
    }
    let waits = facts::of_step(review, step, Along::Forth);
    let strongest = waits.iter().max_by_key(|wait| wait.lock);
    match strongest {
        Some(wait) => {
            let tone = if wait.deeds.is_empty() { Tone::Note } else { Tone::Warn };
            Some(badge(tone, Sign::Lock, wait.lock.sql_name()))
        }
        None if facts::observations(step, Along::Forth).is_some() => {
            Some(badge(Tone::Good, Sign::Tick, "nobody waits"))
        }
        None => Some(badge(Tone::Warn, Sign::Alarm, "locks not known")),
    }
}

fn one(review: &Review, step: &StepView) -> Element {
    let migration = step.migration.as_ref();
    let is_plain = migration.is_none() && step.inverse.reversible && level(review, step).is_none();
    let is_open = review.steps.len() <= ALL_OPEN || (!is_plain && review.steps.len() <= OPEN);
    let title = element("h3")
        .with(of_class("span", "number", step.id.to_string()))
        .with(of_class("span", "verb", step.action))
        .with(" ")
        .with(of_class("span", "title", step.title.clone()));
    let mut tags = of_class("span", "tags", migration.and_then(|migration| migration.phase).map(phase));
    if let Some(level) = level(review, step) {
        let (tone, sign) = pieces::of_level(level);
        tags = tags.with(badge(tone, sign, level.word()));
    }
    tags = tags.with(waiting(review, step)).with(way_back(step));
    let head = of_class("summary", "head", title).with(tags);
    let class = if step.inverse.reversible { "step" } else { "step lost" };
    of_class("details", class, head).at(Anchor::One("step", number(step))).flag_if(is_open, "open").with(of_class(
        "div",
        "inside",
        inside(review, step),
    ))
}

fn inside(review: &Review, step: &StepView) -> Markup {
    let mut all = Markup::new();
    let because = of_class("p", "because", prose(&capital(&step.because))).with(". ").with(after(step));
    all.push(because);
    if review.places.len() > 1 {
        all.push(of_class("p", "quiet", format!("In {}.", step.place)));
    }
    let found: Vec<Element> = findings::of_step(review, step.id);
    if !found.is_empty() {
        all.push(of_class("ul", "found", "").with_all(found));
    }
    match &step.migration {
        Some(migration) => all.push(migration_of(review, step, migration)),
        None => {
            all.push(changes(step));
            all.push(back_of_thing(step));
        }
    }
    all
}

fn after(step: &StepView) -> Markup {
    if step.after.is_empty() {
        return Markup::new();
    }
    let shown = step.after.iter().take(12).map(|id| {
        let number = usize::try_from(id.0).unwrap_or(usize::MAX);
        Markup::new().with(" ").with(link(number, id.to_string()))
    });
    let mut all = Markup::from(if step.after.len() == 1 { "It waits for step" } else { "It waits for steps" });
    all.push(shown.collect::<Markup>());
    if step.after.len() > 12 {
        all.push(format!(" and {} more", step.after.len() - 12));
    }
    all.with(".")
}

fn migration_of(review: &Review, step: &StepView, migration: &MigrationView) -> Markup {
    let mut all = Markup::new();
    if !migration.transaction {
        let words = "runs outside of a transaction: if it is cut, what it did so far stands";
        all.push(of_class("p", "", badge(Tone::Warn, Sign::Alarm, words)));
    }
    if let Some(kept) = &migration.kept {
        let mut inside = Markup::new().with(of_class("p", "strong", capital(&kept.heading())));
        inside.push(kept.sizes().into_iter().map(|line| of_class("p", "", line)).collect::<Markup>());
        let notes = kept.notes.iter().map(|note| element("li").with(*note));
        inside.push(of_class("ul", "notes-of-kept", "").with_all(notes));
        all.push(of_class("div", Tone::Note.frame(), inside));
    }
    all.push(of_class("h4", "", "What runs"));
    all.push(way(review, step, Along::Forth, &migration.sql));
    all.push(of_class("h4", "", "What the rehearsal says"));
    all.push(certified(review, step));
    all.push(of_class("h4", "", "The way back"));
    all.push(back_of_migration(review, step, migration));
    all
}

fn certified(review: &Review, step: &StepView) -> Markup {
    let Some(certificate) = &step.certificate else {
        let words = "It was not rehearsed: whether the way back restores what was is not known.";
        return of_class("p", Tone::Warn.frame(), words).into();
    };
    let tone = match weight(&certificate.verdict) {
        Weight::Light => Tone::Good,
        Weight::Middle => Tone::Warn,
        Weight::Heavy => Tone::Bad,
    };
    let head = review.lines_of(step).into_iter().next().map(|line| prose(&capital(&line.text)));
    let verdict = badge(tone, pieces::sign_of(tone), certificate.verdict.word());
    let line = of_class("p", "verdict", verdict).with(" ").with(head);
    of_class("div", tone.frame(), line).with(difference(certificate)).with(undone(certificate)).into()
}

fn difference(certificate: &Certificate) -> Option<Element> {
    let (Verdict::Reordered { difference } | Verdict::Otherwise { difference }) = &certificate.verdict else {
        return None;
    };
    let line = |text: &String| {
        let class = match text.trim_start().chars().next() {
            Some('+') => "line added",
            Some('-') => "line removed",
            _ => "line",
        };
        of_class("span", class, text).with("\n")
    };
    let lines = of_class("pre", "code difference", element("code").with_all(difference.iter().map(line)));
    let head = format!("What differs after the way back: {}", words::counted(difference.len(), "line"));
    Some(element("details").flag_if(difference.len() <= 24, "open").with(element("summary").with(head)).with(lines))
}

fn undone(certificate: &Certificate) -> Option<Element> {
    let words = format!("The way back would undo what is written later to: {}", certificate.undone.join(", "));
    (!certificate.undone.is_empty()).then(|| of_class("p", "", words))
}

fn back_of_migration(review: &Review, step: &StepView, migration: &MigrationView) -> Markup {
    let mut all = Markup::new().with(class_of_way(step));
    if migration.derived {
        all.push(of_class("p", "quiet", "There is no file for the way back: it is derived from the statements."));
    }
    let derived = || step.certificate.as_ref().and_then(|certificate| certificate.derived.as_deref());
    let Some(text) = migration.sql_of_the_way_back.as_deref().or_else(derived) else {
        return all;
    };
    let lines = text.trim_end().lines().count();
    let mut head = format!("The SQL of the way back, {}", words::counted(lines, "line"));
    let waits = facts::of_step(review, step, Along::Back);
    if let Some(wait) = waits.iter().max_by_key(|wait| wait.lock) {
        head += &format!("; {} on {}", wait.lock.sql_name(), wait.relation);
    }
    if let Some(seconds) = facts::cost(step, Along::Back).and_then(|cost| cost.seconds) {
        head += &format!("; takes {}", quantity::about(seconds));
    }
    let text = way(review, step, Along::Back, text);
    all.push(of_class("details", "back", element("summary").with(head)).with(text));
    all
}

fn class_of_way(step: &StepView) -> Element {
    let inverse = &step.inverse;
    let mut words = String::new();
    if let Some(way) = inverse.way {
        words = format!("{}.", capital(way));
    }
    if let Some(why) = &inverse.why {
        words = format!("{words} {}.", capital(why)).trim_start().to_owned();
    }
    of_class("p", "way", way_back(step)).with(" ").with(prose(&words))
}

fn back_of_thing(step: &StepView) -> Element {
    class_of_way(step)
}

fn changes(step: &StepView) -> Markup {
    let mut all = Markup::new();
    let differences = &step.changes.attributes;
    if !differences.is_empty() && !matches!(step.action, "delete" | "retire") {
        all.push(of_class("ul", "changes", "").with_all(differences.iter().map(change)));
    }
    if step.changes.unchanged > 0 {
        let words = format!("{} not shown", words::counted(step.changes.unchanged, "unchanged attribute"));
        all.push(of_class("p", "quiet", words));
    }
    all
}

fn change(difference: &Difference) -> Element {
    let (class, word) = match (&difference.before, &difference.after) {
        (None, _) => ("added", "added"),
        (Some(_), None) => ("removed", "removed"),
        (Some(_), Some(_)) => ("changed", "changed"),
    };
    let mut values = of_class("span", "values", difference.before.as_ref().map(value));
    if difference.before.is_some() && difference.after.is_some() {
        values =
            values.with(of_class("span", "becomes", " → ").attribute("aria-label", "becomes").attribute("role", "img"));
    }
    values = values.with(difference.after.as_ref().map(value));
    of_class("li", class, of_class("span", "path", code(&difference.path)).with(of_class("span", "what", word)))
        .with(values)
}

/// A value as it may be shown, whole: a long one is folded.
pub fn value(value: &Shown) -> Markup {
    let text = match value {
        Shown::Known(serde_json::Value::String(text)) => format!("\"{text}\""),
        other => other.to_string(),
    };
    let count = text.chars().count();
    if count <= VALUE {
        return of_class("code", "value", text).into();
    }
    let start: String = text.chars().take(60).collect();
    let head = element("summary").with(code(format!("{start}…"))).with(format!(" {count} characters"));
    of_class("details", "long", head).with(of_class("pre", "code", code(text))).into()
}
