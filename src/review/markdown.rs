//! The review as a comment on a pull request. Pure.
//!
//! Invariant: it is never longer than [`LIMIT`] bytes; what is left out is said, and where all of it is.

use super::found;
use super::text::difference_line;
use super::words::{self, harmless};
use super::{Review, StepView};
use crate::rules::{Finding, Level};

/// Longest text in bytes; the forges take 65,536 characters.
pub const LIMIT: usize = 64_000;

/// What the last lines may take: the summary of what is left out, and the digest.
const FOOT: usize = 700;

/// How much of a step's details is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Every difference and all SQL.
    Everything,
    /// Without the SQL.
    WithoutSql,
}

/// A part of the comment that is made of pieces, none of which is ever cut.
struct Part {
    /// What stands before the first piece.
    head: String,
    pieces: Vec<String>,
    /// What stands behind the last piece.
    end: &'static str,
    /// What one of the pieces is, for the summary.
    noun: &'static str,
    /// How a line looks that says how many more there are.
    more: &'static str,
}

impl Part {
    /// All of it.
    fn whole(&self) -> String {
        match self.head.is_empty() && self.pieces.is_empty() {
            true => String::new(),
            false => format!("{}{}{}", self.head, self.pieces.concat(), self.end),
        }
    }

    /// As many of its pieces as fit, in their order, and how many do not.
    fn within(&self, room: usize) -> (String, usize) {
        let whole = self.whole();
        if whole.len() <= room {
            return (whole, 0);
        }
        let fixed = self.head.len() + self.end.len() + self.more.len() + 20;
        if fixed > room {
            return (String::new(), self.pieces.len());
        }
        let (mut text, mut left) = (self.head.clone(), 0);
        for piece in &self.pieces {
            match text.len() + piece.len() + fixed - self.head.len() <= room {
                true => text += piece,
                false => left += 1,
            }
        }
        if left > 0 {
            text += &self.more.replace("{}", &left.to_string());
        }
        (text + self.end, left)
    }
}

/// The review as Markdown, with a line feed at its end.
pub fn render(review: &Review) -> String {
    let head = format!("### {}\n\n", escaped(&words::heading(review)));
    if review.is_empty() {
        let text = head + "**nothing to do**: things, migrations and outputs are as the spec says\n\n";
        let text = text + &promotion(review).within(LIMIT / 2).0;
        return format!("{}\n", (text + &signing(review).within(LIMIT / 2).0).trim_end());
    }
    let head = format!("{head}**{}**\n\n", words::counts(&review.summary));
    let foot = format!("\nchange set `{}`\n", review.digest.short());
    // In the order of what matters, which is the order on the page: where not everything fits, each gets this
    // share, in percent, of the room that is left.
    let parts = [
        (failing(review), 30),
        (promotion(review), 20),
        (losses(review), 45),
        (owed(review), 20),
        (signing(review), 30),
        (findings(review), 85),
        (said(review), 30),
        (table(review), 75),
        (checks(review), 50),
    ];
    let all = details(review, Detail::Everything);
    let whole: String = parts.iter().map(|(part, _)| part).chain([&all, &outputs(review)]).map(Part::whole).collect();
    let text = format!("{head}{whole}{foot}");
    if text.len() <= LIMIT { text } else { summarised(review, &head, &parts, &foot) }
}

/// A comment that is being filled.
struct Page {
    text: String,
    room: usize,
    missing: Vec<String>,
}

impl Page {
    /// Puts as much of a part on it as fits into this share, in percent, of the room that is left.
    fn put(&mut self, part: &Part, share: usize) {
        let (shown, left) = part.within(self.room * share / 100);
        self.room -= shown.len();
        self.text += &shown;
        match (left, part.pieces.len()) {
            (0, _) => {}
            (_, 1) => self.missing.push(part.noun.to_owned()),
            (left, all) => self.missing.push(format!("{left} of {}", words::counted(all, part.noun))),
        }
    }
}

/// What matters most comes first where not everything fits: what is lost, what rules say, then the steps.
fn summarised(review: &Review, head: &str, parts: &[(Part, usize)], foot: &str) -> String {
    let room = LIMIT.saturating_sub(head.len() + foot.len() + FOOT);
    let mut page = Page { text: head.to_owned(), room, missing: Vec::new() };
    for (part, share) in parts {
        page.put(part, *share);
    }
    let all = details(review, Detail::Everything);
    if all.whole().len() <= page.room {
        page.put(&all, 100);
    } else {
        page.put(&details(review, Detail::WithoutSql), 100);
        let with_sql = review.steps.iter().filter(|step| step.migration.is_some()).count();
        page.missing.push(format!("the SQL of {}", words::counted(with_sql, "migration")));
    }
    page.put(&outputs(review), 100);
    let Page { text, missing, .. } = page;
    if missing.is_empty() {
        return text + foot;
    }
    let where_all = "All of it: `switchback show PLANFILE`, `--as html` or `--as json`.";
    format!("{text}\n**Not shown here**, for a comment is limited: {}. {where_all}\n{foot}", missing.join(", "))
}

/// What was rehearsed and does not run.
fn failing(review: &Review) -> Part {
    let line = |(step, error): (&super::StepView, &str)| {
        format!("> - step {} {}: {}\n", step.id, code(&step.title), escaped(error).replace('\n', " "))
    };
    let pieces: Vec<String> = review.failing().map(line).collect();
    let head = if pieces.is_empty() { "" } else { "> **It does not run.** Rehearsed, and failed on the way there:\n" };
    let end = if pieces.is_empty() { "" } else { "\n" };
    Part { head: head.to_owned(), pieces, end, noun: "migration that fails", more: "> - and {} more\n" }
}

fn losses(review: &Review) -> Part {
    let point = review.point_of_no_return.as_ref();
    let head = point.map(|point| {
        format!(
            "> **Point of no return: step {}.** From there on, not everything can be taken back. Lost on the way back:\n",
            point.step
        )
    });
    let line = |loss: &super::Loss| {
        let why = escaped(&loss.why).replace('\n', " ");
        format!("> - step {} {}: {}, {why}\n", loss.step, code(&loss.title), loss.class)
    };
    Part {
        head: head.unwrap_or_default(),
        pieces: point.iter().flat_map(|point| &point.losses).map(line).collect(),
        end: "\n",
        noun: "lost thing",
        more: "> - and {} more\n",
    }
}

/// Who has to sign, what to type for it, and who did.
fn signing(review: &Review) -> Part {
    let signing = &review.signing;
    let state = if signing.is_complete() { "Signed" } else { "Signatures are missing" };
    let rules = if signing.rules.is_empty() { String::new() } else { format!(" ({})", escaped(&signing.rules)) };
    let line = signing.line.as_ref().map(|line| format!("> To sign it, type: {}\n>\n", code(line)));
    let (head, end) = match signing.is_empty() {
        true => (String::new(), ""),
        false => (format!("> **{state}**{rules}\n>\n{}", line.unwrap_or_default()), "\n"),
    };
    let lines = if signing.is_empty() { Vec::new() } else { signing.lines() };
    let pieces = lines.iter().map(|(_, line)| format!("> - {}\n", escaped(line.trim_start()))).collect();
    Part { head, pieces, end, noun: "line about signatures", more: "> - and {} more\n" }
}

/// The release, and what is otherwise than where it comes from.
fn promotion(review: &Review) -> Part {
    let lines = review.brought();
    let pieces: Vec<String> = lines.map(|line| format!("> - {}\n", escaped(line.text.trim_start()))).collect();
    let end = if pieces.is_empty() { "" } else { "\n" };
    Part { head: String::new(), pieces, end, noun: "line about the release", more: "> - and {} more\n" }
}

/// What is asked, and when.
fn checks(review: &Review) -> Part {
    let line = |check: &super::checks::CheckView| {
        let (name, question, course) = (code(&check.check), code(&check.question), escaped(&check.course()));
        format!("- {name} {question}: {course}\n")
    };
    let head = if review.checks.is_empty() { String::new() } else { "\n**Checks**\n\n".to_owned() };
    let pieces: Vec<String> = review.checks.iter().map(line).collect();
    let end = if pieces.is_empty() { "" } else { "\n" };
    Part { head, pieces, end, noun: "check", more: "- and {} more\n" }
}

fn owed(review: &Review) -> Part {
    let line = format!("> **Left as it is, and owed:** {}\n\n", escaped(&review.owed.join(", ")));
    let pieces = if review.owed.is_empty() { Vec::new() } else { vec![line] };
    Part { head: String::new(), pieces, end: "", noun: "what is owed", more: "" }
}

/// What the targets say of themselves.
fn said(review: &Review) -> Part {
    let lines =
        |target: &super::TargetView| target.lines().into_iter().map(|line| line.text + "\n").collect::<String>();
    let all: String = review.targets.iter().map(lines).collect();
    let pieces = if all.is_empty() { Vec::new() } else { vec![fenced("", &harmless(&all)) + "\n"] };
    Part { head: String::new(), pieces, end: "", noun: "what the databases say", more: "" }
}

/// What the rules have to say, one line each, the heaviest first; notes are counted only.
fn findings(review: &Review) -> Part {
    let tally = found::tally(&review.findings);
    let heavy = review.findings.found.iter().filter(|finding| finding.level > Level::Note);
    let line = |finding: &Finding| {
        let (word, message) = (finding.level.word(), escaped(&finding.message).replace('\n', " "));
        format!("- {word} {} {message} ({})\n", code(&finding.rule), code(&found::place(&finding.place)))
    };
    let pieces: Vec<String> = heavy.map(line).collect();
    let head = if tally.is_empty() { String::new() } else { format!("**Rules:** {tally}\n\n") };
    let end = if pieces.is_empty() { "" } else { "\n" };
    Part { head, pieces, end, noun: "finding", more: "- and {} more\n" }
}

fn table(review: &Review) -> Part {
    let row = |step: &StepView| {
        let lost = if step.inverse.reversible { "" } else { "⚠ " };
        let (title, because) = (code(&step.title), escaped(&step.because).replace('\n', " "));
        format!("| {} | {} | {title} | {because} | {lost}{} |\n", step.id, step.action, step.inverse.class)
    };
    Part {
        head: "| # | action | what | why | way back |\n|--:|---|---|---|---|\n".to_owned(),
        pieces: review.steps.iter().map(row).collect(),
        end: "",
        noun: "step",
        more: "\n… and {} more steps\n",
    }
}

fn details(review: &Review, detail: Detail) -> Part {
    let pieces = review.steps.iter().map(|step| details_of(review, step, detail)).filter(|piece| !piece.is_empty());
    Part { head: String::new(), pieces: pieces.collect(), end: "", noun: "detail", more: "" }
}

fn details_of(review: &Review, step: &StepView, detail: Detail) -> String {
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

fn outputs(review: &Review) -> Part {
    let lines: String = review
        .outputs
        .iter()
        .map(|output| format!("{} = {}\n", harmless(&output.name), harmless(&output.value.to_string())))
        .collect();
    let text = format!("\n<details><summary>Outputs afterwards</summary>\n\n{}\n</details>\n", fenced("", &lines));
    let pieces = if lines.is_empty() { Vec::new() } else { vec![text] };
    Part { head: String::new(), pieces, end: "", noun: "the outputs", more: "" }
}

/// A fenced block whose fence is longer than any run of backticks inside.
pub(super) fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{language}\n{text}{end}{fence}\n")
}

/// Words of others as code in running text. Between the tags Markdown still counts, so they are escaped.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// Words of others in a line of HTML, where Markdown does not count.
fn html(text: &str) -> String {
    harmless(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', " ")
}

/// What makes a link or a mention of a person out of bare words: it is cut by a comment, which is no word.
const CUT: &str = "<!-- -->";

/// Words of others in running text, on one line: nothing in them is Markdown, HTML, a link or a mention of a person.
pub(super) fn escaped(text: &str) -> String {
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
