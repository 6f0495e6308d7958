//! What the rules have to say, and what to do instead. Pure.
//!
//! Invariant: what somebody silenced is shown with the reason; nothing is left out.

use super::markup::{Anchor, Element, Markup, element, of_class};
use super::pieces::{self, badge, code, link, of_level};
use super::sql;
use crate::review::{Review, words};
use crate::rules::{Finding, Level, Place};
use crate::step::StepId;

/// The part about findings, if there are any.
pub fn part(review: &Review) -> Option<Element> {
    if review.findings.is_empty() {
        return None;
    }
    let found = review.findings.found.iter().zip(1..).map(|(finding, number)| one(finding, number));
    let section = pieces::section("findings", "Findings").with(of_class("p", "lead", counts(review)));
    Some(section.with_all(found).with(ignored(review)))
}

/// How many there are of each level.
pub fn counts(review: &Review) -> String {
    let count = |level: Level| (review.findings.count(level), level);
    let parts: Vec<String> = Level::ALL
        .into_iter()
        .rev()
        .map(count)
        .filter(|(count, _)| *count > 0)
        .map(|(count, level)| words::counted(count, level.word()))
        .collect();
    let mut text = if parts.is_empty() { "None that stands".to_owned() } else { parts.join(", ") };
    if !review.findings.ignored.is_empty() {
        text += &format!("; {} silenced with a reason", review.findings.ignored.len());
    }
    text
}

/// Those of a step, each as a line that leads to it.
pub fn of_step(review: &Review, step: StepId) -> Vec<Element> {
    let all = review.findings.found.iter().zip(1..).filter(|(finding, _)| finding.place.step == Some(step));
    all.map(|(finding, number)| {
        let (tone, sign) = of_level(finding.level);
        let link = element("a").to(Anchor::One("finding", number)).with(pieces::prose(&finding.message));
        element("li").with(badge(tone, sign, finding.level.word())).with(" ").with(link)
    })
    .collect()
}

fn one(finding: &Finding, number: usize) -> Element {
    let (tone, sign) = of_level(finding.level);
    let title = element("h3").with(badge(tone, sign, finding.level.word())).with(" ").with(of_class(
        "span",
        "message",
        pieces::prose(&finding.message),
    ));
    let class = match finding.level {
        Level::Error => "card finding bad",
        Level::Warning => "card finding warn",
        Level::Note => "card finding info",
    };
    of_class("article", class, title)
        .at(Anchor::One("finding", number))
        .with(of_class("p", "place", place(&finding.place)).with(" · rule ").with(code(&finding.rule)))
        .with(said("Why", &finding.reason))
        .with(said("Instead", &finding.help))
        .with(finding.rewrite.as_deref().map(rewrite))
}

fn said(what: &'static str, text: &str) -> Option<Element> {
    (!text.is_empty()).then(|| {
        of_class("p", "said", of_class("span", "label", what)).with(" ").with(of_class("span", "", pieces::prose(text)))
    })
}

fn rewrite(text: &str) -> Element {
    let lines = sql::lines(text.trim_end()).into_iter().zip(1..).map(|(line, number): (Markup, usize)| {
        of_class("span", "line", line).with("\n").attribute("data-line", number.to_string())
    });
    let text = of_class("pre", "code", element("code").with_all(lines));
    of_class("div", "rewrite", of_class("p", "label", "A safer way to the same end")).with(text)
}

/// Where it is, as much as is known.
fn place(place: &Place) -> Markup {
    let mut parts: Vec<Markup> = Vec::new();
    if let Some(step) = place.step {
        let number = usize::try_from(step.0).unwrap_or(usize::MAX);
        parts.push(link(number, format!("step {step}")).into());
    }
    let version = place.version.map(|version| format!(" version {version}"));
    parts.extend(place.address.as_ref().map(|address| Markup::from(code(address)).with(version.clone())));
    if let Some(file) = &place.file {
        let line = place.line.map(|line| format!(":{line}")).unwrap_or_default();
        parts.push(code(format!("{file}{line}")).into());
    } else {
        parts.extend(place.line.map(|line| Markup::from(format!("line {line}"))));
    }
    parts.extend(place.way.map(|way| Markup::from(format!("on the way {}", way.word()))));
    parts.extend(place.statement.map(|statement| Markup::from(format!("statement {statement}"))));
    if !place.excerpt.is_empty() {
        parts.push(code(&place.excerpt).into());
    }
    let mut all = Markup::new();
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            all.push(" · ");
        }
        all.push(part);
    }
    all
}

fn ignored(review: &Review) -> Option<Element> {
    let ignored = &review.findings.ignored;
    let list = ignored.iter().map(|one| {
        let head = of_class("p", "strong", pieces::prose(&one.finding.message));
        let place = of_class("p", "place", place(&one.finding.place)).with(" · rule ").with(code(&one.finding.rule));
        element("li").with(head).with(place).with(said("Silenced because", &one.reason))
    });
    let head = element("summary").with(format!("{} silenced with a reason", words::counted(ignored.len(), "finding")));
    let list = of_class("ul", "ignored", "").with_all(list);
    (!ignored.is_empty()).then(|| of_class("details", "card", head).with(list))
}
