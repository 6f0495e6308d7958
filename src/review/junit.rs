//! The review as JUnit's XML, which CI systems show as tests. Pure.
//!
//! Invariant: it is well-formed whatever stands in names, comments and messages; what is refused or did not pass is a
//! failure, what is only worth a second look is skipped with its message and makes nothing red.

use super::words::{self, harmless};
use super::{Review, StepView};
use crate::migration::certificate::Verdict;
use crate::rules::{Finding, Level};

/// What became of a test case.
enum Outcome {
    Passed,
    /// A word and a text.
    Skipped(String, String),
    /// A word and a text.
    Failed(String, String),
}

/// One test case.
struct Case {
    class: String,
    name: String,
    file: Option<String>,
    outcome: Outcome,
    /// What is told beside it.
    told: String,
}

/// The review as XML, with a line feed at its end.
pub fn render(review: &Review) -> String {
    let subject = format!("{}.{}", review.project, review.environment);
    let steps: Vec<Case> = review.steps.iter().map(|step| of_step(review, step, &subject)).collect();
    let is_heavy = |finding: &&Finding| finding.level >= Level::Warning;
    let findings: Vec<Case> =
        review.findings.found.iter().filter(is_heavy).map(|finding| of_finding(finding, &subject)).collect();
    let suites = [("steps", steps), ("findings", findings)];
    let all = || suites.iter().flat_map(|(_, cases)| cases);
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    text += &format!("<testsuites name=\"{}\" {}>\n", escaped(&words::heading(review)), counts(all()));
    for (sort, cases) in &suites {
        let name = escaped(&format!("switchback.{subject}.{sort}"));
        text += &format!("  <testsuite name=\"{name}\" {}>\n", counts(cases.iter()));
        if *sort == "steps" {
            text += &format!(
                "    <properties>\n      <property name=\"change_set\" value=\"{}\"/>\n      <property name=\"summary\" \
                 value=\"{}\"/>\n    </properties>\n",
                review.digest,
                escaped(&words::counts(&review.summary))
            );
        }
        cases.iter().for_each(|case| text += &case.render());
        text += "  </testsuite>\n";
    }
    text + "</testsuites>\n"
}

fn counts<'a>(cases: impl Iterator<Item = &'a Case>) -> String {
    let (mut all, mut failed, mut skipped) = (0, 0, 0);
    for case in cases {
        all += 1;
        match case.outcome {
            Outcome::Passed => {}
            Outcome::Skipped(..) => skipped += 1,
            Outcome::Failed(..) => failed += 1,
        }
    }
    format!("tests=\"{all}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" time=\"0\"")
}

fn of_step(review: &Review, step: &StepView, subject: &str) -> Case {
    let lines: Vec<String> = review.lines_of(step).into_iter().map(|line| line.text).collect();
    let outcome = match (&step.certificate, &step.migration) {
        (Some(certificate), _) => {
            let verdict = &certificate.verdict;
            match is_pass(verdict) {
                true => Outcome::Passed,
                false => Outcome::Failed(verdict.word().to_owned(), proved(&lines, &verdict.detail())),
            }
        }
        (None, Some(_)) => Outcome::Skipped("no rehearsal".to_owned(), "nobody rehearsed this migration".to_owned()),
        (None, None) => Outcome::Passed,
    };
    let why = step.inverse.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    let mut told = format!("{}\nway back: {}{why}\n", step.because, step.inverse.class);
    lines.iter().for_each(|line| told += &format!("{line}\n"));
    Case {
        class: format!("switchback.{subject}.steps"),
        name: format!("{}. {} {}", step.id, step.action, step.title),
        file: review.findings.of_step(step.id).find_map(|finding| finding.place.file.clone()),
        outcome,
        told,
    }
}

/// Whether a rehearsal found that the way back restores what was; that columns change their places is told beside it.
fn is_pass(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Exact | Verdict::Reordered { .. } => true,
        Verdict::Otherwise { .. }
        | Verdict::LosesData { .. }
        | Verdict::Fails { .. }
        | Verdict::NoWayBack { .. }
        | Verdict::NotRehearsed { .. } => false,
    }
}

fn proved(lines: &[String], detail: &str) -> String {
    match lines.first() {
        Some(head) => head.clone(),
        None => detail.to_owned(),
    }
}

fn of_finding(finding: &Finding, subject: &str) -> Case {
    let place = &finding.place;
    let mut told = finding.message.clone();
    for (what, text) in [("why", &finding.reason), ("help", &finding.help), ("at", &place.excerpt)] {
        if !text.is_empty() {
            told += &format!("\n{what}: {text}");
        }
    }
    if let Some(rewrite) = &finding.rewrite {
        told += &format!("\ninstead:\n{rewrite}");
    }
    let outcome = match finding.level {
        Level::Error => Outcome::Failed(finding.rule.clone(), finding.message.clone()),
        Level::Warning | Level::Note => Outcome::Skipped(finding.rule.clone(), finding.message.clone()),
    };
    Case {
        class: format!("switchback.{subject}.findings"),
        name: format!("{} {}", finding.rule, whereabouts(finding)).trim_end().to_owned(),
        file: place.file.clone(),
        outcome,
        told,
    }
}

fn whereabouts(finding: &Finding) -> String {
    let place = &finding.place;
    let mut parts: Vec<String> = Vec::new();
    parts.extend(place.step.map(|step| format!("step {step}")));
    parts.extend(place.address.clone());
    parts.extend(place.version.map(|version| format!("version {version}")));
    parts.extend(place.way.map(|way| way.word().to_owned()));
    parts.extend(place.statement.map(|statement| format!("statement {statement}")));
    parts.extend(place.line.map(|line| format!("line {line}")));
    parts.join(" ")
}

impl Case {
    fn render(&self) -> String {
        let Self { class, name, file, outcome, told } = self;
        let file = file.as_ref().map(|file| format!(" file=\"{}\"", escaped(file))).unwrap_or_default();
        let (class, name) = (escaped(class), escaped(name));
        let mut text = format!("    <testcase classname=\"{class}\" name=\"{name}\"{file} time=\"0\">\n");
        match outcome {
            Outcome::Passed => {}
            Outcome::Skipped(word, message) => {
                text += &format!("      <skipped message=\"{}: {}\"/>\n", escaped(word), escaped(message));
            }
            Outcome::Failed(word, message) => {
                let (word, message) = (escaped(word), escaped(message));
                text += &format!("      <failure type=\"{word}\" message=\"{message}\">{}</failure>\n", escaped(told));
            }
        }
        if !told.is_empty() {
            text += &format!("      <system-out>{}</system-out>\n", escaped(told));
        }
        text + "    </testcase>\n"
    }
}

/// Text as it may stand between tags and in attributes: control characters are named, for XML cannot hold them at all.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in harmless(text).chars() {
        match character {
            '&' => shown += "&amp;",
            '<' => shown += "&lt;",
            '>' => shown += "&gt;",
            '"' => shown += "&quot;",
            '\'' => shown += "&#39;",
            '\n' => shown += "&#10;",
            '\t' => shown += "&#9;",
            '\u{fffe}' | '\u{ffff}' => shown.extend(character.escape_unicode()),
            other => shown.push(other),
        }
    }
    shown
}
