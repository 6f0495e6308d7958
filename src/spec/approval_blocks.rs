//! `approver` and `approval` blocks of an environment: who may sign what, and what has to be signed. Pure.
//!
//! Invariant: rules that nobody could ever meet are a mistake here, not a surprise at apply.

use std::collections::{BTreeMap, BTreeSet};

use super::body::Block;
use super::settings::{Plain, Shape};
use crate::approval::class::{Class, Part};
use crate::approval::key::Key;
use crate::approval::rules::{Approver, Requirement, Rules};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::migration::length::milliseconds;
use crate::suggest::did_you_mean;

/// The shortest time that a signature may be good for, in milliseconds.
const SHORTEST: u64 = 3_600_000;

/// The longest.
const LONGEST: u64 = 366 * 86_400_000;

/// Reads them from an `environment` block. Nothing where it says nothing of signatures.
pub(super) fn rules(block: &Block, approvals: u32, diagnostics: &mut Diagnostics) -> Option<Rules> {
    let glass = Plain { body: &block.body, diagnostics }.texts("break_glass");
    let says_nothing = glass.is_none() && approvals == 0;
    if says_nothing && block.body.blocks("approver").next().is_none() && block.body.blocks("approval").next().is_none()
    {
        return None;
    }
    let mut rules = Rules { break_glass: glass.into_iter().flatten().collect(), ..Rules::default() };
    for approver in block.body.blocks("approver") {
        if let Some(name) = label(approver, "an `approver` block", "NAME", diagnostics) {
            let read = read_approver(approver, diagnostics);
            if rules.approvers.insert(name.clone(), read).is_some() {
                twice(approver.header, "approver", &name, diagnostics);
            }
        }
    }
    for approval in block.body.blocks("approval") {
        let Some(name) = label(approval, "an `approval` block", "CLASS", diagnostics) else { continue };
        let Some(class) = class_of(&name, approval.label_span(0), diagnostics) else { continue };
        let requirement = read_requirement(approval, approvals, diagnostics);
        if rules.required.insert(class, requirement).is_some() {
            twice(approval.header, "approval", &name, diagnostics);
        }
    }
    // A number alone asks for the class of each part that is changed.
    if approvals > 0 && rules.required.is_empty() {
        rules.required.extend(Part::OF_STEPS.map(|part| (part.class(), Requirement::of(approvals))));
    }
    check(block, &rules, diagnostics);
    Some(rules)
}

fn label(block: &Block, what: &str, name: &str, diagnostics: &mut Diagnostics) -> Option<String> {
    if block.labels.len() == 1 && !block.label(0).is_empty() {
        return Some(block.label(0).to_owned());
    }
    diagnostics.push(
        Diagnostic::error("this block has one label")
            .at(block.header)
            .detail(format!("{what} has one label, which is not empty"))
            .help(format!("write `{} \"{name}\" {{ … }}`", block.word)),
    );
    None
}

fn twice(at: Span, word: &str, name: &str, diagnostics: &mut Diagnostics) {
    diagnostics.push(
        Diagnostic::error("this is said twice")
            .at(at)
            .detail(format!("there is an `{word}` block for `{name}` before"))
            .help("join the two"),
    );
}

fn class_of(word: &str, at: Span, diagnostics: &mut Diagnostics) -> Option<Class> {
    let class = Class::of(word);
    if class.is_none() {
        let words = Class::ALL.map(Class::word);
        diagnostics.push(
            Diagnostic::error("there is no such class of approval")
                .at(at)
                .detail(format!("`{word}` is none of {}", words.join(", ")))
                .help(did_you_mean(word, words, "write one of them")),
        );
    }
    class
}

fn read_approver(block: &Block, diagnostics: &mut Diagnostics) -> Approver {
    let shape = Shape {
        what: "an `approver` block",
        attributes: &["key", "keys", "classes", "actors"],
        blocks: &[],
        required: &["classes"],
    };
    shape.check(block, diagnostics);
    let mut plain = Plain { body: &block.body, diagnostics };
    let (one, many) = (plain.text("key"), plain.texts("keys"));
    let (words, actors) = (plain.texts("classes"), plain.texts("actors"));
    let span = |name: &str| block.body.expr(name).map_or(block.header, |expr| expr.span);
    let at = if one.is_some() { span("key") } else { span("keys") };
    let mut keys = BTreeSet::new();
    for text in one.into_iter().chain(many.into_iter().flatten()) {
        match Key::parse(&text) {
            Ok(key) => drop(keys.insert(key)),
            Err(error) => diagnostics.push(
                Diagnostic::error("this key cannot sign")
                    .at(at)
                    .detail(error.to_string())
                    .help("give what stands in a `.pub` file, like `ssh-ed25519 AAAA…`"),
            ),
        }
    }
    if block.body.expr("key").is_none() && block.body.expr("keys").is_none() {
        diagnostics.push(
            Diagnostic::error("an approver has no key")
                .at(block.header)
                .detail(format!("`{}` could sign nothing", block.label(0)))
                .help("add `key = \"ssh-ed25519 AAAA…\"`, as it stands in their `.pub` file"),
        );
    }
    let at = span("classes");
    let classes = words.into_iter().flatten().filter_map(|word| class_of(&word, at, diagnostics)).collect();
    Approver { keys, classes, actors: actors.into_iter().flatten().collect() }
}

fn read_requirement(block: &Block, approvals: u32, diagnostics: &mut Diagnostics) -> Requirement {
    let shape = Shape {
        what: "an `approval` block",
        attributes: &["count", "not_the_author", "expires", "parts"],
        blocks: &[],
        required: &[],
    };
    shape.check(block, diagnostics);
    let mut plain = Plain { body: &block.body, diagnostics };
    let count = plain.count("count").unwrap_or(approvals.max(1));
    let not_the_author = plain.truth("not_the_author").unwrap_or(false);
    let (expires, words) = (plain.text("expires"), plain.texts("parts"));
    let span = |name: &str| block.body.expr(name).map_or(block.header, |expr| expr.span);
    let expires_seconds = expires.and_then(|text| {
        let found = milliseconds(&text).filter(|length| (SHORTEST..=LONGEST).contains(length));
        if found.is_none() {
            diagnostics.push(
                Diagnostic::error("this is no time that a signature can be good for")
                    .at(span("expires"))
                    .detail(format!("`{text}` is not a time from one hour to 366 days"))
                    .help("write like `expires = \"7d\"` or `\"12h\"`"),
            );
        }
        found.map(|length| length / 1_000)
    });
    let mut parts = BTreeSet::new();
    for word in words.into_iter().flatten() {
        match Part::of(&word) {
            Some(part) => drop(parts.insert(part)),
            None => diagnostics.push(
                Diagnostic::error("there is no such part of a change")
                    .at(span("parts"))
                    .detail(format!("`{word}` is none of {}", Part::ALL.map(Part::word).join(", ")))
                    .help(did_you_mean(&word, Part::ALL.map(Part::word), "write one of them")),
            ),
        }
    }
    Requirement { count, not_the_author, expires_seconds, parts }
}

/// What nobody could meet, or two people could meet as one.
fn check(block: &Block, rules: &Rules, diagnostics: &mut Diagnostics) {
    for (class, requirement) in &rules.required {
        let may = rules.may_sign(*class).count();
        let wanted = usize::try_from(requirement.count).unwrap_or(usize::MAX);
        if wanted == 0 {
            diagnostics.push(
                Diagnostic::error("no signature is asked for")
                    .at(block.header)
                    .detail(format!("`count` of `{}` is 0", class.word()))
                    .help("leave the `approval` block out, or ask for one"),
            );
        } else if may < wanted {
            diagnostics.push(
                Diagnostic::error("more signatures are asked for than there are people who may give them")
                    .at(block.header)
                    .detail(format!("{wanted} of class `{}`, which {may} may sign", class.word()))
                    .help(format!("add an `approver` block with `classes = [\"{}\"]`, or ask for less", class.word())),
            );
        }
    }
    if !rules.required.is_empty() && rules.may_sign(Class::Owner).next().is_none() {
        diagnostics.push(
            Diagnostic::error("nobody is the owner")
                .at(block.header)
                .detail("where signatures are asked for, somebody has to sign a change of these rules")
                .help("give an approver `classes = [\"owner\"]`"),
        );
    }
    let mut whose: BTreeMap<&Key, &str> = BTreeMap::new();
    for (name, approver) in &rules.approvers {
        for key in &approver.keys {
            if let Some(other) = whose.insert(key, name) {
                diagnostics.push(
                    Diagnostic::error("two people have one key")
                        .at(block.header)
                        .detail(format!("`{other}` and `{name}` both have {}", key.fingerprint()))
                        .help("a signature has to tell who gave it: remove the key from one of them"),
                );
            }
        }
    }
    for name in rules.break_glass.iter().filter(|name| !rules.approvers.contains_key(*name)) {
        diagnostics.push(
            Diagnostic::error("there is no such approver")
                .at(block.body.expr("break_glass").map_or(block.header, |expr| expr.span))
                .detail(format!("`break_glass` names `{name}`, of whom no `approver` block speaks"))
                .help(did_you_mean(name, rules.approvers.keys().map(String::as_str), "add an `approver` block")),
        );
    }
}
