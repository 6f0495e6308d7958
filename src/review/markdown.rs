//! The review as a comment on a pull request. Pure.
//!
//! Invariant: it is never longer than [`LIMIT`] bytes; what is left out is said, and where all of it is.

use super::found;
use super::text::difference_line;
use super::words::{self, harmless};
use super::{PointOfNoReturn, Review, StepView};
use crate::rules::Level;

/// Longest text in bytes; the forges take 65,536 characters.
pub const LIMIT: usize = 64_000;

/// How many lines about signatures there are at most where not everything can be told.
const SIGNING_LINES: usize = 30;

/// How much is told, from all to the least.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// The table, every difference and all SQL.
    Everything,
    /// Without the SQL.
    WithoutSql,
    /// The table only.
    Table,
    /// So many rows of the table.
    Rows(usize),
}

/// The review as Markdown, with a line feed at its end.
pub fn render(review: &Review) -> String {
    let mut detail = Detail::Everything;
    loop {
        let text = render_with(review, detail);
        if text.len() <= LIMIT {
            return text;
        }
        detail = match detail {
            Detail::Everything => Detail::WithoutSql,
            Detail::WithoutSql => Detail::Table,
            Detail::Table => Detail::Rows(review.steps.len() / 2),
            Detail::Rows(0) => return shortest(review),
            Detail::Rows(rows) => Detail::Rows(rows / 2),
        };
    }
}

fn shortest(review: &Review) -> String {
    format!("### Switchback\n\n**{}**\n\nThe review is too long for a comment.\n", words::counts(&review.summary))
}

fn render_with(review: &Review, detail: Detail) -> String {
    let mut text = format!("### {}\n\n", escaped(&words::heading(review)));
    if review.is_empty() {
        text += "**nothing to do**: the world, the ledger and the spec agree\n\n";
        text += &signing(review, detail);
        return format!("{}\n", text.trim_end());
    }
    text += &format!("**{}**\n\n", words::counts(&review.summary));
    if let Some(point) = &review.point_of_no_return {
        text += &losses(point, detail);
    }
    if !review.owed.is_empty() {
        text += &format!("> **Left as it is, and owed:** {}\n\n", escaped(&review.owed.join(", ")));
    }
    let said: String = review.targets.iter().flat_map(super::TargetView::lines).map(|line| line.text + "\n").collect();
    if !said.is_empty() && !matches!(detail, Detail::Rows(_)) {
        text += &fenced("", &harmless(&said));
        text.push('\n');
    }
    text += &findings(review, detail);
    text += &signing(review, detail);
    text += &table(review, detail);
    match detail {
        Detail::Everything | Detail::WithoutSql => {
            for step in &review.steps {
                text += &details(review, step, detail);
            }
            text += &outputs(review);
        }
        Detail::Table | Detail::Rows(_) => {}
    }
    if detail != Detail::Everything {
        text += "\nToo long for a comment: what is left out is in `switchback show PLANFILE` (`--as json` for all of it).\n";
    }
    text += &format!("\nchange set `{}`\n", review.digest.short());
    text
}

/// Who has to sign, who did, and what to type.
fn signing(review: &Review, detail: Detail) -> String {
    let signing = &review.signing;
    if signing.is_empty() {
        return String::new();
    }
    let state = if signing.is_complete() { "Signed" } else { "Signatures are missing" };
    let rules = if signing.rules.is_empty() { String::new() } else { format!(" ({})", escaped(&signing.rules)) };
    let mut text = format!("> **{state}**{rules}\n");
    let lines = signing.lines();
    let most = if detail == Detail::Everything { lines.len() } else { SIGNING_LINES.min(lines.len()) };
    for (_, line) in &lines[..most] {
        text += &format!("> - {}\n", escaped(line.trim_start()));
    }
    if most < lines.len() {
        text += &format!("> - and {} more\n", lines.len() - most);
    }
    if let Some(line) = &signing.line {
        text += &format!(">\n> To sign it, type: {}\n", code(line));
    }
    text + "\n"
}

fn losses(point: &PointOfNoReturn, detail: Detail) -> String {
    let mut text = format!(
        "> **Point of no return: step {}.** From there on, not everything can be taken back. Lost on the way back:\n",
        point.step
    );
    let shown = if let Detail::Rows(rows) = detail { rows } else { point.losses.len() };
    for loss in point.losses.iter().take(shown) {
        text += &format!("> - step {} {}: {}, {}\n", loss.step, code(&loss.title), loss.class, escaped(&loss.why));
    }
    if shown < point.losses.len() {
        text += &format!("> - and {} more\n", point.losses.len() - shown);
    }
    text + "\n"
}

/// What the rules have to say, one line each; notes are counted only.
fn findings(review: &Review, detail: Detail) -> String {
    let tally = found::tally(&review.findings);
    if tally.is_empty() {
        return String::new();
    }
    let mut text = format!("**Rules:** {tally}\n\n");
    let most = match detail {
        Detail::Everything | Detail::WithoutSql => 50,
        Detail::Table => 20,
        Detail::Rows(rows) => rows.min(10),
    };
    let heavy: Vec<_> = review.findings.found.iter().filter(|finding| finding.level > Level::Note).collect();
    for finding in heavy.iter().take(most) {
        let (word, message) = (finding.level.word(), escaped(&finding.message));
        text += &format!("- {word} {} {message} ({})\n", code(&finding.rule), code(&found::place(&finding.place)));
    }
    if heavy.len() > most {
        text += &format!("- and {} more\n", heavy.len() - most);
    }
    text + if heavy.is_empty() { "" } else { "\n" }
}

fn table(review: &Review, detail: Detail) -> String {
    let mut text = "| # | action | what | why | way back |\n|--:|---|---|---|---|\n".to_owned();
    let shown = if let Detail::Rows(rows) = detail { rows } else { review.steps.len() };
    for step in review.steps.iter().take(shown) {
        let lost = if step.inverse.reversible { "" } else { "⚠ " };
        text += &format!(
            "| {} | {} | {} | {} | {lost}{} |\n",
            step.id,
            step.action,
            code(&step.title),
            escaped(&step.because),
            step.inverse.class
        );
    }
    if shown < review.steps.len() {
        text += &format!("\n… and {} more steps\n", review.steps.len() - shown);
    }
    text
}

fn details(review: &Review, step: &StepView, detail: Detail) -> String {
    let mut inside = String::new();
    let differences = &step.changes.attributes;
    if !differences.is_empty() && !matches!(step.action, "delete" | "retire") {
        let lines: String = differences
            .iter()
            .map(|difference| {
                let (sign, line) = difference_line(difference);
                let sign = if sign == '~' { '!' } else { sign };
                format!("{sign} {line}\n")
            })
            .collect();
        inside += &fenced("diff", &lines);
    }
    if step.changes.unchanged > 0 {
        inside += &format!("{} not shown\n", words::counted(step.changes.unchanged, "unchanged attribute"));
    }
    if step.migration.as_ref().is_some_and(|migration| migration.derived) {
        inside += "the way back is derived from its statements\n\n";
    }
    if let Some(kept) = step.migration.as_ref().and_then(|migration| migration.kept.as_ref()) {
        inside += &format!("{}\n\n", escaped(&kept.heading()));
        kept.sizes().iter().for_each(|line| inside += &format!("{}\n\n", escaped(line)));
    }
    if let Some(migration) = step.migration.as_ref().filter(|_| detail == Detail::Everything) {
        inside += &fenced("sql", &format!("{}\n", harmless(migration.sql.trim_end())));
    }
    let lines: String = review.lines_of(step).iter().map(|line| format!("{}\n", harmless(&line.text))).collect();
    if !lines.is_empty() {
        inside += &fenced("", &lines);
    }
    if let Some(why) = &step.inverse.why {
        inside += &format!("\nWay back: {}, {}\n", step.inverse.class, escaped(why));
    }
    if inside.is_empty() {
        return String::new();
    }
    let summary = format!("{}. {} <code>{}</code>", step.id, step.action, html(&step.title));
    format!("\n<details><summary>{summary}</summary>\n\n{inside}\n</details>\n")
}

fn outputs(review: &Review) -> String {
    if review.outputs.is_empty() {
        return String::new();
    }
    let lines: String = review
        .outputs
        .iter()
        .map(|output| format!("{} = {}\n", harmless(&output.name), harmless(&output.value.to_string())))
        .collect();
    format!("\n<details><summary>Outputs afterwards</summary>\n\n{}\n</details>\n", fenced("", &lines))
}

/// A fenced block whose fence is longer than any run of backticks inside.
fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{language}\n{text}{end}{fence}\n")
}

/// Words of others as code in running text. Between the tags Markdown still counts, so they are escaped.
fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// Words of others in a line of HTML, where Markdown does not count.
fn html(text: &str) -> String {
    harmless(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', " ")
}

/// What makes a link or a mention of a person out of bare words: it is cut by a comment, which is no word.
const CUT: &str = "<!-- -->";

/// Words of others in running text, on one line: nothing in them is Markdown, HTML, a link or a mention of a person.
fn escaped(text: &str) -> String {
    let mut shown = String::new();
    let harmless = harmless(text);
    for (at, character) in harmless.char_indices() {
        match character {
            '&' => shown += "&amp;",
            '<' => shown += "&lt;",
            '>' => shown += "&gt;",
            '|' => shown += "&#124;",
            '\n' => shown.push(' '),
            '@' => shown += &format!("&#64;{CUT}"),
            ':' if harmless[at..].starts_with("://") => shown += &format!(":{CUT}"),
            '.' if is_www(&harmless[..at]) => shown += &format!("{CUT}."),
            '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '!' | '~' => {
                shown.push('\\');
                shown.push(character);
            }
            other => shown.push(other),
        }
    }
    shown
}

fn is_www(text: &str) -> bool {
    let end = text.len().saturating_sub(3);
    text.get(end..).is_some_and(|word| word.eq_ignore_ascii_case("www"))
}
