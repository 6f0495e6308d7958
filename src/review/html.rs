//! The review as a page for a browser: one file, for somebody who has never seen the change. Pure.
//!
//! Invariant: the page asks nobody for anything. Its policy lets a browser run the one script and use the one style
//! sheet that stand here, by their digests, and nothing else; without the script everything can be read.

mod drawing;
mod facts;
mod findings;
mod markup;
mod pieces;
mod quantity;
mod signatures;
mod sql;
mod statements;
mod step;
mod summary;
mod timeline;

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use super::{Review, proof, words};
use markup::{Anchor, Element, Markup, element, of_class};
use pieces::{Tone, code};

/// How it looks.
const STYLE: &str = include_str!("html/page.css");

/// What a browser does beside showing it: unfold, fold, copy, print whole.
const SCRIPT: &str = include_str!("html/page.js");

/// The review as a page, with a line feed at its end.
pub fn render(review: &Review) -> String {
    let mut page = Markup::fixed("<!doctype html>\n");
    page.push(element("html").attribute("lang", "en").with(head(review)).with(body(review)));
    page.into_string() + "\n"
}

fn head(review: &Review) -> Element {
    let meta =
        |name: &'static str, content: &str| element("meta").attribute("name", name).attribute("content", content);
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        digest(STYLE),
        digest(SCRIPT)
    );
    let policy = element("meta").attribute("http-equiv", "Content-Security-Policy").attribute("content", policy);
    element("head")
        .with(element("meta").attribute("charset", "utf-8"))
        .with(policy)
        .with(meta("viewport", "width=device-width, initial-scale=1"))
        .with(meta("color-scheme", "light dark"))
        .with(meta("referrer", "no-referrer"))
        .with(meta("robots", "noindex"))
        .with(meta("switchback-change-set", &review.digest.to_string()))
        .with(element("title").with(format!("{} · {}", words::heading(review), review.digest.short())))
        .with(Markup::fixed(r#"<link rel="icon" href="data:,">"#))
        .with(element("style").with(Markup::fixed(STYLE)))
}

/// The digest of something that stands in the page, as a policy names it.
fn digest(text: &str) -> String {
    format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text)))
}

fn body(review: &Review) -> Element {
    let parts: Vec<(&'static str, &'static str, Element)> = parts(review);
    let contents =
        parts.iter().map(|(part, name, _)| element("li").with(element("a").to(Anchor::Part(part)).with(*name)));
    let contents = element("nav").attribute("aria-label", "Contents").with(element("ul").with_all(contents));
    let skip = of_class("a", "skip", "Skip to the summary").to(Anchor::Part("summary"));
    let main = element("main").at(Anchor::Part("main")).with_all(parts.into_iter().map(|(_, _, part)| part));
    let frame = of_class("div", "page", contents).with(main);
    element("body")
        .with(skip)
        .with(Markup::fixed(pieces::SIGNS))
        .with(title(review))
        .with(frame)
        .with(foot(review))
        .with(element("script").with(Markup::fixed(SCRIPT)))
}

fn parts(review: &Review) -> Vec<(&'static str, &'static str, Element)> {
    if review.is_empty() {
        return vec![("summary", "Summary", nothing(review))];
    }
    let all = [
        ("summary", "Summary", Some(summary::part(review))),
        ("findings", "Findings", findings::part(review)),
        ("timeline", "Order", Some(timeline::part(review))),
        ("order", "Drawing", drawing::part(review)),
        ("steps", "Every step", Some(step::all(review))),
        ("databases", "Databases", databases(review)),
        ("checks", "Checks", checks(review)),
        ("signatures", "Signatures", Some(signatures::part(review))),
        ("outputs", "Outputs", outputs(review)),
    ];
    all.into_iter().filter_map(|(part, name, inside)| Some((part, name, inside?))).collect()
}

fn nothing(review: &Review) -> Element {
    let words = "Nothing to do: things, migrations and outputs are as the spec says.";
    let digest = of_class("p", "digest", "Change set ").with(code(review.digest.to_string()));
    pieces::section("summary", "In short").with(of_class("p", Tone::Good.frame(), words)).with(digest)
}

fn title(review: &Review) -> Element {
    let places = review.places.iter().map(|place| element("li").with(place));
    let places = of_class("ul", "places", "").attribute("aria-label", "Where it happens").with_all(places);
    of_class("header", "masthead", of_class("p", "eyebrow", "Switchback review"))
        .with(element("h1").with(words::heading(review)))
        .with((!review.places.is_empty()).then_some(places))
}

fn databases(review: &Review) -> Option<Element> {
    if review.targets.is_empty() {
        return None;
    }
    let lines = review.targets.iter().flat_map(super::TargetView::lines).map(|line| {
        let class = match line.weight {
            proof::Weight::Light => "",
            proof::Weight::Middle => "warn",
            proof::Weight::Heavy => "bad",
        };
        of_class("li", class, pieces::prose(line.text.trim_start()))
    });
    let words = "What they said of themselves when this was planned; they were only read.";
    let section = pieces::section("databases", "The databases");
    Some(section.with(of_class("p", "lead", words)).with(of_class("ul", "said", "").with_all(lines)))
}

fn checks(review: &Review) -> Option<Element> {
    if review.checks.is_empty() {
        return None;
    }
    let all = review.checks.iter().map(|check| {
        let course = element("dd").with(code(&check.question)).with(of_class("p", "quiet", check.course()));
        of_class("div", "output", element("dt").with(code(&check.check))).with(course)
    });
    let words = "What is asked of the world before, between and after the steps.";
    let section = pieces::section("checks", "Checks").with(of_class("p", "lead", words));
    Some(section.with(element("dl").with_all(all)))
}

fn outputs(review: &Review) -> Option<Element> {
    if review.outputs.is_empty() {
        return None;
    }
    let all = review.outputs.iter().map(|output| {
        let value = element("dd").with(step::value(&output.value));
        of_class("div", "output", element("dt").with(code(&output.name))).with(value)
    });
    Some(pieces::section("outputs", "Outputs afterwards").with(element("dl").with_all(all)))
}

fn foot(review: &Review) -> Element {
    let words = format!("Written by Switchback {}, form {} of the review. ", env!("CARGO_PKG_VERSION"), review.format);
    element("footer")
        .with(element("p").with(words).with("Change set ").with(code(review.digest.to_string())).with("."))
        .with(
            element("p")
                .with("This page is one file: it asks nobody for anything, and says the same as the other forms."),
        )
}
