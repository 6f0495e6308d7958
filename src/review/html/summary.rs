//! The first screen: the answers to what a person asks who has never seen the change. Pure.
//!
//! Invariant: each answer stands there in words, and leads to where it is told in full.

use std::collections::BTreeSet;

use super::facts::{self, Total, Wait, who_is_expected, who_waits};
use super::markup::{Anchor, Element, Markup, element, of_class};
use super::pieces::{self, Sign, Tone, badge, capital, code, link, prose, sign, sign_of, step_link};
use super::{findings, quantity, signatures};
use crate::migration::certificate::Verdict;
use crate::rehearse::target::Along;
use crate::review::{Review, StepView, words};
use crate::rules::Level;
use crate::step::{Edit, Operation};

/// How many that wait are named before the rest is folded.
const WAITS: usize = 6;

/// What is said of replicas.
const REPLICAS: &str = "Replicas fall behind";

/// How many of what changes are named.
const NAMED: usize = 8;

/// How many are named although they are short.
const LEAST: usize = 2;

/// Below how many seconds a wait is short.
const SHORT: f64 = 0.1;

/// The part with the answers.
pub fn part(review: &Review) -> Element {
    let forth = facts::total(review, Along::Forth);
    let back = facts::total(review, Along::Back);
    let answers = of_class("div", "answers", what(review))
        .with(lost(review))
        .with((forth.migrations > 0).then(|| locks(review)))
        .with(way_back(review, &back))
        .with(signed(review));
    let section = pieces::section("summary", "In short").with(verdict(review));
    let section = section.with(answers);
    if forth.migrations == 0 {
        return section;
    }
    section.with(figures(&forth))
}

/// Whether it can be applied as it stands.
fn verdict(review: &Review) -> Element {
    let errors = review.findings.count(Level::Error);
    let (tone, words) = if errors > 0 {
        let are = if errors == 1 { "is" } else { "are" };
        (Tone::Bad, format!("It is refused as it stands: there {are} {}.", words::counted(errors, "error")))
    } else if let Some(exceeded) = exceeded(review) {
        (Tone::Bad, format!("It is refused as it stands, for it is above the budget: {exceeded}."))
    } else if !review.signing.is_empty() && !review.signing.is_complete() {
        (Tone::Warn, format!("{}.", signatures::standing(review)))
    } else if let Some(point) = &review.point_of_no_return {
        (Tone::Warn, format!("Ready to run. From step {} on, not everything in it can be taken back.", point.step))
    } else {
        (Tone::Good, "Ready to run, and everything in it can be taken back.".to_owned())
    };
    let words = of_class("strong", "", words);
    of_class("p", tone.frame(), sign(sign_of(tone))).with(" ").with(words)
}

/// The first limit above which it is refused.
fn exceeded(review: &Review) -> Option<String> {
    let risks = review.steps.iter().filter_map(|step| step.risk.as_ref());
    let refusing = risks.flat_map(|risk| &risk.exceeded).find(|one| one.refuses())?;
    Some(format!("step {}: {}", refusing.step, refusing.words()))
}

fn answer(question: &'static str, headline: impl Into<Markup>) -> Element {
    of_class("div", "card answer", element("h3").with(question)).with(of_class("p", "headline", headline))
}

fn what(review: &Review) -> Element {
    let more = [
        (review.steps.len(), "step"),
        (review.steps.iter().filter(|step| step.kind.is_some()).count(), "step on resources"),
        (review.summary.migrate + review.summary.migrate_back, "migration"),
    ];
    let more: Vec<String> =
        more.into_iter().filter(|(count, _)| *count > 0).map(|(count, noun)| counted(count, noun)).collect();
    let counts = words::counts(&review.summary);
    let databases: BTreeSet<&str> =
        review.steps.iter().filter(|step| step.migration.is_some()).map(|step| &*step.address).collect();
    let databases = databases.into_iter().map(|name| {
        let of = review.steps.iter().filter(|step| step.address == name);
        let all: Vec<&str> = of.filter_map(|step| Some(&*step.migration.as_ref()?.name)).collect();
        named(Markup::from("Schema of ").with(code(name)).with(": "), &all)
    });
    let things: Vec<&str> = review.steps.iter().filter(|step| step.kind.is_some()).map(|step| &*step.address).collect();
    let things = (!things.is_empty()).then(|| named("Resources: ".into(), &things));
    let found = (!review.findings.is_empty()).then(|| {
        of_class("p", "", "Findings: ").with(element("a").to(Anchor::Part("findings")).with(findings::counts(review)))
    });
    let release = review.brought();
    let release = release.map(|line| of_class("p", "quiet", line.text));
    answer("What changes?", capital(&counts))
        .with_all(release)
        .with(of_class("p", "quiet", more.join(", ")))
        .with_all(databases)
        .with(things)
        .with(found)
}

/// The first of them by name, and how many more there are.
fn named(head: Markup, all: &[&str]) -> Element {
    let shown = all
        .iter()
        .take(NAMED)
        .enumerate()
        .map(|(place, name)| Markup::from(if place == 0 { "" } else { ", " }).with(code(*name)));
    let rest = all.len().saturating_sub(NAMED);
    let rest = (rest > 0).then(|| format!(" and {rest} more"));
    of_class("p", "", head).with_all(shown).with(rest)
}

fn counted(count: usize, noun: &str) -> String {
    match noun {
        "step on resources" if count == 1 => "1 of them on a resource".to_owned(),
        "step on resources" => format!("{count} of them on resources"),
        _ => words::counted(count, noun),
    }
}

/// Who waits for what, and for how long.
fn locks(review: &Review) -> Element {
    let waits = facts::waits(review, Along::Forth);
    let blind = review.steps.iter().filter(|step| step.migration.is_some());
    let blind: Vec<_> = blind.filter(|step| facts::observations(step, Along::Forth).is_none()).collect();
    let longest = waits.iter().filter_map(|wait| wait.seconds).reduce(f64::max);
    let headline = match (waits.is_empty(), longest) {
        (true, _) if blind.is_empty() => "No lock keeps anybody who reads or writes waiting".to_owned(),
        (true, _) => "It is not known whether anybody has to wait".to_owned(),
        (false, Some(longest)) => {
            let relations: BTreeSet<&str> = waits.iter().map(|wait| wait.relation).collect();
            let relations = words::counted(relations.len(), "relation");
            format!("{relations} locked against others, for {} at most", quantity::about(longest))
        }
        (false, None) => {
            let relations: BTreeSet<&str> = waits.iter().map(|wait| wait.relation).collect();
            let relations = words::counted(relations.len(), "relation");
            format!("{relations} locked against others; for how long was not estimated")
        }
    };
    let long = waits.iter().filter(|wait| wait.seconds.is_none_or(|seconds| seconds >= SHORT)).count();
    let (shown, folded) = waits.split_at(waits.len().min(long.clamp(LEAST, WAITS)));
    let mut card = answer("What locks, and for how long?", headline).flag("data-wide");
    if !shown.is_empty() {
        card = card.with(of_class("ul", "waits", "").with_all(shown.iter().map(wait)));
    }
    if !folded.is_empty() {
        let head =
            element("summary").with(format!("{}, none of them longer", words::counted(folded.len(), "more lock")));
        card = card
            .with(element("details").with(head).with(of_class("ul", "waits", "").with_all(folded.iter().map(wait))));
    }
    if !blind.is_empty() {
        let links = blind.iter().take(12).map(|step| Markup::from(" ").with(step_link(step)));
        let words =
            format!("Of {} nothing is known, because it was not rehearsed:", words::counted(blind.len(), "migration"));
        card = card.with(of_class("p", "quiet", words).with_all(links));
    }
    card
}

fn wait(wait: &Wait<'_>) -> Element {
    let tone = match (wait.seconds, wait.lock.blocks_readers()) {
        (Some(seconds), _) if seconds < 0.1 => Tone::Plain,
        (Some(seconds), _) if seconds < 1.0 => Tone::Warn,
        (Some(_), _) | (None, true) => Tone::Bad,
        (None, false) => Tone::Warn,
    };
    let long = match wait.seconds {
        Some(seconds) => quantity::about(seconds),
        None => "not estimated".to_owned(),
    };
    let size = wait.size.map(|size| format!(" ({})", size.words()));
    let name = of_class("span", "relation", code(wait.relation)).with(of_class("span", "quiet", size));
    let mut about = vec![who_waits(wait.lock).to_owned()];
    about.extend(who_is_expected(wait.lock, wait.readers, wait.writers).map(|count| format!("about {count}")));
    about.extend(wait.deeds.iter().map(|deed| (*deed).to_owned()));
    let source = match (&wait.source, wait.seconds) {
        (None, _) => "estimated".to_owned(),
        (Some(source), None) => source.words(),
        (Some(source), Some(_)) => format!("lock {}; time estimated from sizes, once it has the lock", source.words()),
    };
    let about = of_class("span", "about", capital(&about.join(", "))).with(of_class("span", "source", source));
    element("li")
        .with(of_class("span", "long", badge(tone, Sign::Clock, long)))
        .with(of_class("span", "which", name).with(of_class("span", "lock", wait.lock.sql_name())))
        .with(about)
        .with(of_class("span", "where", step_link(wait.step)))
}

fn lost(review: &Review) -> Element {
    let Some(point) = &review.point_of_no_return else {
        let words = match review.steps.iter().filter(|step| step.inverse.class == "recreates").count() {
            0 => "Nothing: everything comes back as it was".to_owned(),
            1 => "Nothing; one thing comes back as another with the same content".to_owned(),
            count => format!("Nothing; {count} things come back as others with the same content"),
        };
        return answer("What is lost?", words).with(kept(review)).with(undone(review));
    };
    let lose = match (point.losses.len(), point.losses.iter().all(|loss| loss.class == "loses data")) {
        (1, true) => "loses data",
        (_, true) => "lose data",
        (1, false) => "loses data or cannot be taken back",
        (_, false) => "lose data or cannot be taken back",
    };
    let headline = format!("{} {lose}", words::counted(point.losses.len(), "step"));
    let (shown, folded) = point.losses.split_at(point.losses.len().min(4));
    let one = |loss: &crate::review::Loss| {
        let step = usize::try_from(loss.step.0).unwrap_or(usize::MAX);
        let class = badge(Tone::Bad, Sign::Stop, loss.class);
        let title = of_class("strong", "", link(step, loss.title.clone()));
        element("li").with(class).with(" ").with(title).with(of_class(
            "span",
            "why",
            Markup::from(" ").with(prose(&loss.why)),
        ))
    };
    let rest = element("summary").with(format!("and {} more", folded.len()));
    let rest = element("details").with(rest).with(of_class("ul", "losses", "").with_all(folded.iter().map(one)));
    let step = usize::try_from(point.step.0).unwrap_or(usize::MAX);
    answer("What is lost?", headline)
        .with(of_class("ul", "losses", "").with_all(shown.iter().map(one)))
        .with((!folded.is_empty()).then_some(rest))
        .with(of_class("p", "", "Point of no return: ").with(link(step, format!("step {}", point.step))))
        .with(kept(review))
        .with(undone(review))
}

/// What is set aside instead of dropped.
fn kept(review: &Review) -> Markup {
    let kept = review.steps.iter().filter_map(|step| Some((step, step.migration.as_ref()?.kept.as_ref()?)));
    kept.map(|(step, kept)| of_class("p", "quiet", capital(&kept.heading())).with(" ").with(step_link(step))).collect()
}

/// What is written later, and would be undone by the way back.
fn undone(review: &Review) -> Option<Element> {
    let of = |step: &StepView| step.certificate.as_ref().map(|one| one.undone.clone()).unwrap_or_default();
    let undone: BTreeSet<String> = review.steps.iter().flat_map(of).collect();
    let names = undone.iter().cloned().collect::<Vec<_>>().join(", ");
    let words = format!("The way back removes what is written after this: {names}.");
    (!undone.is_empty()).then(|| of_class("p", "quiet", words))
}

fn way_back(review: &Review, back: &Total) -> Element {
    let headline = match &review.point_of_no_return {
        None => "From any point, all of it".to_owned(),
        Some(point) if point.steps_before == 0 => "Not as it was: see what is lost".to_owned(),
        Some(point) => format!("All of it until step {} begins; from then on, all but what is lost", point.step),
    };
    let mut card = answer("How do we go back?", headline);
    if matches!(review.operation, Operation::Apply | Operation::Edit(Edit::Import)) {
        let command = format!("switchback rollback {} --last", review.environment);
        card = card.with(of_class("p", "typed", "Type ").with(code(command)));
    }
    if back.migrations > 0 && back.is_estimated() {
        let mut parts = Vec::new();
        if back.untimed < back.migrations {
            parts.push(format!("The migrations take {} back", quantity::about(back.seconds)));
        }
        if back.untimed > 0 {
            parts.push(format!("of {} it is not known", back.untimed));
        }
        if let Some((seconds, step)) = back.writes {
            let who = if back.reads == back.writes { "readers and writers" } else { "writers" };
            parts.push(format!("{who} wait up to {} (step {step})", quantity::time(seconds)));
        }
        card = card.with(of_class("p", "", format!("{}.", parts.join("; "))));
    } else if back.migrations > 0 {
        card = card.with(of_class("p", "quiet", "How long the way back takes was not estimated."));
    }
    let unproved = review.steps.iter().filter(|step| step.migration.is_some() && step.certificate.is_none()).count();
    let proved = back.migrations - unproved;
    if proved > 0 {
        let exact = |step: &&StepView| step.certificate.as_ref().is_some_and(|one| one.verdict == Verdict::Exact);
        let words = format!(
            "{proved} of {} rehearsed there and back on a throw-away server, {} of them exactly.",
            words::counted(back.migrations, "migration"),
            review.steps.iter().filter(exact).count()
        );
        card = card.with(of_class("p", "quiet", words));
    }
    if !review.owed.is_empty() {
        let words = format!("Left as it is, and owed: {}", review.owed.join(", "));
        card = card.with(of_class("p", Tone::Warn.frame(), words));
    }
    card
}

fn signed(review: &Review) -> Element {
    let mut card = answer("Who signed exactly this?", signatures::standing(review));
    let given = review.signing.needed.iter().flat_map(|needed| needed.given.iter().map(move |given| (needed, given)));
    let lines: Vec<Element> = given
        .map(|(needed, given)| {
            let (tone, with) = if given.void.is_none() { (Tone::Good, Sign::Tick) } else { (Tone::Bad, Sign::Stop) };
            let words = if given.void.is_none() { "signed" } else { "does not count" };
            let what = Markup::from(format!(" {} as {}, ", given.by, needed.class)).with(pieces::moment(given.at));
            element("li").with(badge(tone, with, words)).with(what)
        })
        .collect();
    card = card.with(match lines.is_empty() {
        true => of_class("p", "quiet", "Signed so far: nobody"),
        false => of_class("ul", "losses", "").with_all(lines),
    });
    let more =
        if review.signing.line.is_some() { "All signatures, and the line to type" } else { "All about signatures" };
    let digest = of_class("p", "digest", "Change set ").with(code(review.digest.short()));
    card.with(digest).with(of_class("p", "", element("a").to(Anchor::Part("signatures")).with(more)))
}

/// What it costs, in numbers.
fn figures(total: &Total) -> Element {
    let step = |found: Option<(f64, usize)>| {
        found.map(|(seconds, step)| match seconds {
            seconds if seconds < 0.001 => ("not at all".to_owned(), None),
            seconds => (quantity::time(seconds), Some(link(step, format!("step {step}")))),
        })
    };
    let plain = |text: Option<String>| text.map(|text| (text, None));
    let known = total.untimed < total.migrations;
    let least = |text: String| if total.untimed > 0 { format!("at least {text}") } else { text };
    let all = [
        ("Writers wait up to", step(total.writes)),
        ("Readers wait up to", step(total.reads)),
        ("All migrations take", plain(known.then(|| least(quantity::time(total.seconds))))),
        ("Disk for a while", plain(total.disk_bytes.map(quantity::size).map(least))),
        ("Log written", plain(total.wal_bytes.map(quantity::size).map(least))),
        (REPLICAS, plain(total.lag_seconds.map(quantity::time).map(least))),
    ];
    let figures = all.into_iter().map(|(name, value)| {
        let (value, link) = match value {
            Some((value, link)) => (of_class("span", "", value), link),
            // Whoever was asked what it costs has told of its replicas.
            None if name == REPLICAS && total.is_estimated() => {
                (of_class("span", "quiet", "no replica is known"), None)
            }
            None => (of_class("span", "quiet", "not known"), None),
        };
        let inside = of_class("dd", "", value).with(link.map(|link| of_class("span", "where", link)));
        of_class("div", "figure", of_class("dt", "", name)).with(inside)
    });
    let list = of_class("dl", "figures", "").with_all(figures);
    let mut part = of_class("div", "estimates", of_class("h3", "", "Estimated for this environment")).with(list);
    if total.untimed > 0 {
        let words = format!("The time of {} is not known.", words::counted(total.untimed, "migration"));
        part = part.with(of_class("p", "quiet", words));
    }
    if !total.unknown.is_empty() {
        let lines = total
            .unknown
            .iter()
            .map(|(step, why)| element("li").with(link(*step, format!("step {step}"))).with(": ").with(prose(why)));
        let head = element("summary").with(format!("{} not known", words::counted(total.unknown.len(), "thing")));
        part = part.with(element("details").with(head).with(of_class("ul", "", "").with_all(lines)));
    }
    part
}
