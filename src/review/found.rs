//! What rules have to say, as text. The same for a review and for the verb that applies rules to a folder. Pure.
//!
//! Invariant: each finding names its rule, so that the reference and the spec know it.

use super::paint::{Paint, Role};
use super::words::{counted, harmless};
use crate::rehearse::target::Along;
use crate::rules::{Finding, Findings, Level, Place};

/// The role of a level.
pub fn role(level: Level) -> Role {
    match level {
        Level::Note => Role::Faint,
        Level::Warning => Role::Warning,
        Level::Error => Role::Danger,
    }
}

/// Where it is: `migrations/app/V3__add.sql:4`.
pub fn place(place: &Place) -> String {
    let way = if place.way == Some(Along::Back) { "way back, " } else { "" };
    let at = match (&place.file, place.version, &place.address) {
        (Some(file), _, _) => file.clone(),
        (None, Some(version), _) => format!("version {version}"),
        (None, None, Some(address)) => address.clone(),
        (None, None, None) => String::new(),
    };
    let line = place.line.map(|line| if place.file.is_some() { format!(":{line}") } else { format!(" line {line}") });
    format!("{way}{at}{}", line.unwrap_or_default())
}

/// A finding in lines, each behind the same space.
pub fn text(finding: &Finding, space: &str, paint: &dyn Paint) -> String {
    let Finding { rule, level, message, reason, help, rewrite, .. } = finding;
    let head = format!("{}: {} [{rule}]", level.word(), harmless(message));
    let mut text = format!("{space}{}\n", paint.paint(role(*level), &head));
    text += &format!("{space}  {}\n", paint.paint(Role::Faint, &format!("at {}", harmless(&place(&finding.place)))));
    if *level == Level::Note {
        return text;
    }
    if !reason.is_empty() {
        text += &format!("{space}  {}\n", harmless(reason));
    }
    if !help.is_empty() {
        text += &format!("{space}  help: {}\n", harmless(help));
    }
    for line in rewrite.iter().flat_map(|rewrite| rewrite.trim_end().lines()) {
        text += &format!("{space}  > {}\n", harmless(line));
    }
    text
}

/// How many there are of each level: `1 error, 2 warnings`; empty where there is nothing.
pub fn tally(findings: &Findings) -> String {
    let count = |level: &Level| match findings.count(*level) {
        0 => None,
        count => Some(counted(count, level.word())),
    };
    let mut parts: Vec<String> = Level::ALL.iter().rev().filter_map(count).collect();
    if !findings.ignored.is_empty() {
        parts.push(format!("{} silenced", findings.ignored.len()));
    }
    parts.join(", ")
}

/// The findings of a review in short: how many, what is silenced and why, and those that are about no step.
pub fn summary(findings: &Findings, paint: &dyn Paint) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let heaviest = findings.found.iter().map(|finding| finding.level).max();
    let head = format!("rules: {}", tally(findings));
    let mut text = format!("\n{}\n", paint.paint(heaviest.map_or(Role::Faint, role), &head));
    for finding in findings.found.iter().filter(|finding| finding.place.step.is_none()) {
        text += &self::text(finding, "  ", paint);
    }
    for ignored in &findings.ignored {
        let (rule, at) = (&ignored.finding.rule, place(&ignored.finding.place));
        text += &format!("  silenced: {rule} at {}: {}\n", harmless(&at), harmless(&ignored.reason));
    }
    text
}
