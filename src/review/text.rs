//! The review as text for a terminal, readable without colour. Pure.
//!
//! Invariant: colour only repeats what a sign or word says already.

use super::difference::{Difference, Shown};
use super::found;
pub use super::paint::{Paint, Plain, Role};
use super::proof::Weight;
use super::words::{self, harmless};
use super::{MigrationView, PointOfNoReturn, Review, StepView};
use crate::step::Operation;

/// Longest migration that is shown whole, in lines.
const SQL_LINES: usize = 80;

/// Longest value that is shown whole, in characters.
const VALUE_CHARACTERS: usize = 160;

/// The role of a line of a certificate.
pub fn role_of(weight: Weight) -> Role {
    match weight {
        Weight::Light => Role::Faint,
        Weight::Middle => Role::Warning,
        Weight::Heavy => Role::Danger,
    }
}

/// The review as text, with a line feed at its end.
pub fn render(review: &Review, paint: &dyn Paint) -> String {
    let mut text = format!("{}\n", paint.paint(Role::Heading, &words::heading(review)));
    if review.is_empty() {
        text += "nothing to do: things, migrations and outputs are as the spec says\n";
        text += &promotion(review, paint);
        text += &outputs(review, paint);
        text += &signing(review, paint);
        return text;
    }
    for (index, place) in review.places.iter().enumerate() {
        text += &format!("  {} {}\n", if index == 0 { "in" } else { "  " }, harmless(place));
    }
    text += &promotion(review, paint);
    for line in review.targets.iter().flat_map(super::TargetView::lines) {
        text += &format!("  {}\n", paint.paint(role_of(line.weight), &harmless(&line.text)));
    }
    for step in &review.steps {
        if let Some(point) = review.point_of_no_return.as_ref().filter(|point| point.step == step.id) {
            text += &rule(point, paint);
        }
        text += "\n";
        text += &one_step(review, step, paint);
    }
    text += &checks(review, paint);
    text += &found::summary(&review.findings, paint);
    text += &outputs(review, paint);
    if !review.owed.is_empty() {
        let left = format!("left as it is, and owed: {}", harmless(&review.owed.join(", ")));
        text += &format!("\n{}\n", paint.paint(Role::Warning, &left));
    }
    text += &format!("\n{}\n", paint.paint(Role::Heading, &words::counts(&review.summary)));
    text += &way_back(review, paint);
    text += &signing(review, paint);
    text += &paint.paint(Role::Faint, &format!("change set {}", review.digest.short()));
    text.push('\n');
    text
}

/// The release, and what is otherwise than where it comes from.
fn promotion(review: &Review, paint: &dyn Paint) -> String {
    let lines = review.brought();
    lines.map(|line| format!("  {}\n", paint.paint(role_of(line.weight), &harmless(&line.text)))).collect()
}

/// What is asked, and when.
fn checks(review: &Review, paint: &dyn Paint) -> String {
    if review.checks.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", paint.paint(Role::Heading, "Checks"));
    for check in &review.checks {
        text += &format!("  ? {}\n", check.head());
        text += &format!("    {}\n", paint.paint(Role::Faint, &check.course()));
    }
    text
}

/// Who has to sign, who did, and what to type.
fn signing(review: &Review, paint: &dyn Paint) -> String {
    let signing = &review.signing;
    if signing.is_empty() {
        return String::new();
    }
    let rules = if signing.rules.is_empty() { String::new() } else { format!(" ({})", signing.rules) };
    let mut text = format!("\n{}{rules}\n", paint.paint(Role::Heading, "Signatures"));
    for (is_missing, line) in signing.lines() {
        let role = if is_missing { Role::Warning } else { Role::Faint };
        text += &format!("  {}\n", paint.paint(role, &line));
    }
    if let Some(line) = &signing.line {
        text += &format!("  to sign it, type: {}\n", harmless(line));
    }
    text + "\n"
}

fn rule(point: &PointOfNoReturn, paint: &dyn Paint) -> String {
    let text =
        format!("\n──── point of no return: from step {} on, not everything can be taken back ────\n", point.step);
    paint.paint(Role::Danger, &text)
}

fn sign(action: &str) -> (&'static str, Role) {
    match action {
        "create" => ("+", Role::Added),
        "delete" | "retire" | "purge" => ("-", Role::Removed),
        "forget" | "remember" => (".", Role::Faint),
        "import" | "take up" => ("=", Role::Added),
        "move" => ("=", Role::Changed),
        "migrate" => (">", Role::Changed),
        "migrate back" | "return" => ("<", Role::Changed),
        _ => ("~", Role::Changed),
    }
}

fn one_step(review: &Review, step: &StepView, paint: &dyn Paint) -> String {
    let (sign, role) = sign(step.action);
    let after = match step.after.as_slice() {
        [] => String::new(),
        ids => {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            paint.paint(Role::Faint, &format!("  (after {})", ids.join(", ")))
        }
    };
    let head = paint.paint(role, &format!("{sign} {:<12} {}", step.action, harmless(&step.title)));
    let mut text = format!("{:>4}  {head}{after}\n", step.id.0);
    text += &format!("      {}\n", paint.paint(Role::Faint, &harmless(&step.because)));
    text += &changes(step, paint);
    if let Some(migration) = &step.migration {
        text += &sql(migration, paint);
    }
    for line in review.lines_of(step) {
        text += &format!("      {}\n", paint.paint(role_of(line.weight), &harmless(&line.text)));
    }
    for finding in review.findings.of_step(step.id) {
        text += &found::text(finding, "      ", paint);
    }
    let inverse = &step.inverse;
    let mut back = format!("way back: {}", inverse.class);
    if let Some(way) = inverse.way {
        back += &format!(", {way}");
    }
    if let Some(why) = &inverse.why {
        back += &format!(" ({})", harmless(why));
    }
    let role = if inverse.reversible { Role::Faint } else { Role::Danger };
    text += &format!("      {}\n", paint.paint(role, &back));
    text
}

fn changes(step: &StepView, paint: &dyn Paint) -> String {
    let mut text = String::new();
    let mut later = Vec::new();
    let gone = matches!(step.action, "delete" | "retire");
    for difference in step.changes.attributes.iter().filter(|_| !gone) {
        match difference {
            Difference { path, before: None, after: Some(Shown::KnownAfterApply) } => later.push(path.as_str()),
            difference => text += &one_change(difference, paint),
        }
    }
    if !later.is_empty() {
        text += &format!("        known after apply: {}\n", later.join(", "));
    }
    let unchanged = step.changes.unchanged;
    if unchanged > 0 {
        let line = format!("{} not shown", words::counted(unchanged, "unchanged attribute"));
        text += &format!("        {}\n", paint.paint(Role::Faint, &line));
    }
    text
}

/// One difference as a line: `~ image: "a" -> "b"`.
pub fn difference_line(difference: &Difference) -> (char, String) {
    let path = harmless(&difference.path);
    match (&difference.before, &difference.after) {
        (Some(before), Some(after)) => ('~', format!("{path}: {} -> {}", shown(before), shown(after))),
        (Some(before), None) => ('-', format!("{path}: {}", shown(before))),
        (None, Some(after)) => ('+', format!("{path}: {}", shown(after))),
        (None, None) => (' ', path),
    }
}

fn one_change(difference: &Difference, paint: &dyn Paint) -> String {
    let (sign, line) = difference_line(difference);
    let role = match sign {
        '+' => Role::Added,
        '-' => Role::Removed,
        _ => Role::Changed,
    };
    format!("      {}\n", paint.paint(role, &format!("{sign} {line}")))
}

fn shown(value: &Shown) -> String {
    let text = harmless(&value.to_string());
    let count = text.chars().count();
    if count <= VALUE_CHARACTERS {
        return text;
    }
    let start: String = text.chars().take(VALUE_CHARACTERS).collect();
    format!("{start}… ({count} characters; all with `--as json`)")
}

fn sql(migration: &MigrationView, paint: &dyn Paint) -> String {
    let mut text = String::new();
    if !migration.transaction {
        text += &format!("      {}\n", paint.paint(Role::Warning, "runs outside of a transaction"));
    }
    if migration.derived {
        text += &format!("      {}\n", paint.paint(Role::Faint, "the way back is derived from its statements"));
    }
    if let Some(kept) = &migration.kept {
        text += &format!("      {}\n", paint.paint(Role::Heading, &harmless(&kept.heading())));
        kept.sizes().iter().for_each(|line| text += &format!("      {}\n", harmless(line)));
        kept.notes.iter().for_each(|note| text += &format!("      {}\n", paint.paint(Role::Faint, note)));
    }
    let lines: Vec<&str> = migration.sql.trim_end().lines().collect();
    for line in lines.iter().take(SQL_LINES) {
        text += &format!("      | {}\n", harmless(line));
    }
    if lines.len() > SQL_LINES {
        text += &format!("      | … {} more lines; all with `--as json`\n", lines.len() - SQL_LINES);
    }
    text
}

fn outputs(review: &Review, paint: &dyn Paint) -> String {
    if review.outputs.is_empty() || review.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", paint.paint(Role::Heading, "Outputs afterwards"));
    for output in &review.outputs {
        text += &format!("  {} = {}\n", harmless(&output.name), shown(&output.value));
    }
    text
}

fn way_back(review: &Review, paint: &dyn Paint) -> String {
    let Some(point) = &review.point_of_no_return else {
        let recreated = review.steps.iter().filter(|step| step.inverse.class == "recreates").count();
        return match recreated {
            0 => "everything can be taken back exactly\n".to_owned(),
            count => format!("everything can be taken back; {count} of it as another thing with the same content\n"),
        };
    };
    let lost = match review.operation {
        Operation::Apply | Operation::Edit(_) => "lost on the way back:",
        Operation::Destroy | Operation::Rollback { .. } if point.steps_before > 0 => "gone for good after them:",
        Operation::Destroy | Operation::Rollback { .. } => "gone for good:",
    };
    let mut text = match point.steps_before {
        0 => format!("{lost}\n"),
        before => format!("the first {} can be taken back; {lost}\n", words::counted(before, "step")),
    };
    for loss in &point.losses {
        let line = format!("  step {} {}: {}, {}", loss.step, harmless(&loss.title), loss.class, harmless(&loss.why));
        text += &format!("{}\n", paint.paint(Role::Danger, &line));
    }
    let new: Vec<String> = review.databases_made_for(&point.losses).into_iter().map(harmless).collect();
    if !new.is_empty() {
        let (is, it) = if new.len() == 1 { ("is", "it") } else { ("are", "them") };
        text += &format!(
            "  {} {is} made by this plan: nothing is in {it} yet that could be lost; what is written there later could be\n",
            words::listed(&new)
        );
    }
    text
}
