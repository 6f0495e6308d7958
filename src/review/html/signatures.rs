//! Who has to sign, who did, and what to type for it. Pure.
//!
//! Invariant: a signature that does not count is never counted, and says why.

use super::markup::{Element, Markup, element, of_class};
use super::pieces::{self, Sign, Tone, badge, code};
use crate::review::Review;
use crate::review::signing::{Given, Needed, Refused};

/// The part about signatures.
pub fn part(review: &Review) -> Element {
    let signing = &review.signing;
    let section = pieces::section("signatures", "Signatures");
    if signing.is_empty() {
        return section.with(of_class("p", "lead", "Nobody has to sign this change set.")).with(exactly(review));
    }
    let needed = signing.needed.iter().map(one);
    let refused = signing.refused.iter().map(refusal);
    let rules = (!signing.rules.is_empty()).then(|| of_class("p", "quiet", pieces::prose(&signing.rules)));
    section
        .with(of_class("p", "lead", standing(review)))
        .with(rules)
        .with((!signing.changes_of_rules.is_empty()).then(|| changes(&signing.changes_of_rules)))
        .with(of_class("div", "needed", "").with_all(refused).with_all(needed))
        .with(signing.line.as_ref().map(line))
        .with(exactly(review))
}

/// What it changes of the rules of who may sign.
fn changes(lines: &[String]) -> Element {
    let lines = lines.iter().map(|line| element("li").with(code(line)));
    let title = element("h3").with(badge(Tone::Warn, Sign::Pen, "changes")).with(" Who may sign changes with it");
    of_class("article", "card", title).with(of_class("ul", "given", "").with_all(lines))
}

/// Somebody who does not want it.
fn refusal(refused: &Refused) -> Element {
    let title = element("h3")
        .with(badge(Tone::Bad, Sign::Stop, "refused"))
        .with(" ")
        .with(format!("{} refuses the {} part", refused.by, refused.part));
    let since = Markup::from("since ").with(pieces::moment(refused.at));
    of_class("article", "card", title)
        .with(of_class("p", "", pieces::prose(&refused.reason)))
        .with(of_class("p", "quiet", since))
}

/// How it stands with the signatures, in a few words.
pub fn standing(review: &Review) -> String {
    let signing = &review.signing;
    let missing: Vec<&Needed> = signing.needed.iter().filter(|needed| !needed.is_given()).collect();
    if let Some(refused) = signing.refused.first() {
        return format!("Refused by {}", refused.by);
    }
    match (signing.is_empty(), missing.as_slice()) {
        (true, _) => "Nobody has to sign".to_owned(),
        (false, []) => "Everybody signed who has to".to_owned(),
        (false, missing) => {
            let one = |needed: &&Needed| {
                let given = needed.given.iter().filter(|given| given.void.is_none()).count();
                format!("{} as {} for the {} part", needed.count.saturating_sub(given), needed.class, needed.part)
            };
            let words: Vec<String> = missing.iter().map(one).collect();
            format!("Signatures still missing: {}", words.join("; "))
        }
    }
}

fn line(line: &String) -> Element {
    let text = of_class("pre", "code command", code(line));
    let copy = pieces::button("copy", "Copy");
    of_class("div", "type", of_class("p", "label", "To sign it, type")).with(text).with(copy)
}

/// What exactly is signed.
fn exactly(review: &Review) -> Element {
    of_class("p", "digest", "This page shows the change set ").with(code(review.digest.to_string())).with(
        pieces::prose(
            ". A signature covers one part of it, by the digest of that part: when the part changes, it has to be signed \
             again. Compare the digests with what `switchback show` prints for your plan.",
        ),
    )
}

fn one(needed: &Needed) -> Element {
    let counting = needed.given.iter().filter(|given| given.void.is_none()).count();
    let state = match needed.is_given() {
        true => badge(Tone::Good, Sign::Tick, "signed"),
        false => badge(Tone::Warn, Sign::Pen, format!("{counting} of {} signed", needed.count)),
    };
    let title = element("h3").with(state).with(" ").with(format!("{} signs the {} part", needed.class, needed.part));
    let may = match needed.by.as_slice() {
        [] => "Nobody may give it".to_owned(),
        names => format!("May be given by {}", names.join(", ")),
    };
    let given = needed.given.iter().map(signature);
    let given = (!needed.given.is_empty()).then(|| of_class("ul", "given", "").with_all(given));
    of_class("article", "card", title)
        .with(of_class("p", "", pieces::prose(&needed.why)))
        .with(given)
        .with(of_class("p", "quiet", may))
        .with(of_class("p", "digest", "Digest of this part: ").with(code(&needed.digest)))
}

fn signature(given: &Given) -> Element {
    let state = match given.void {
        None => badge(Tone::Good, Sign::Tick, "counts"),
        Some(_) => badge(Tone::Bad, Sign::Stop, "does not count"),
    };
    let until = given.until.map(|until| Markup::from(", counts until ").with(pieces::moment(until)));
    let words =
        Markup::from(of_class("strong", "", given.by.clone())).with(", ").with(pieces::moment(given.at)).with(until);
    let why = given.void.as_ref().map(|why| of_class("p", "quiet", pieces::prose(why)));
    element("li").with(state).with(" ").with(words).with(why)
}
