//! `switchback.hcl`, and the `environment` block. Pure.
//!
//! Invariant: both hold plain values only, so that they can be read without evaluating anything.

use std::collections::BTreeSet;

use super::approval_blocks;
use super::body::{Block, Body};
use super::policy::policy;
use super::rule::rule;
use super::settings::{Plain, Shape};
use super::{
    Door, EnvironmentBlock, NotifyBlock, PolicyBlock, Project, auto_promote, budget_block, gates, images, notify_block,
};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::suggest::did_you_mean;

/// Reads the project's file.
pub(super) fn project(body: &Body, file: Span, diagnostics: &mut Diagnostics) -> Project {
    refuse_others(body, diagnostics);
    let mut blocks = body.blocks("project");
    let Some(block) = blocks.next() else {
        diagnostics.push(
            Diagnostic::error("the project has no name")
                .at(file)
                .detail("`switchback.hcl` has no `project` block")
                .help("add `project \"NAME\" {}`"),
        );
        return Project::default();
    };
    if let Some(second) = blocks.next() {
        diagnostics.push(
            Diagnostic::error("there are two `project` blocks")
                .at(second.header)
                .detail("a project has one name")
                .help("remove one of them"),
        );
    }
    if block.labels.len() != 1 {
        diagnostics.push(
            Diagnostic::error("a `project` block has one label")
                .at(block.header)
                .detail("the label is the project's name")
                .help("write `project \"NAME\" { … }`"),
        );
    }
    let shape = Shape {
        what: "a `project` block",
        attributes: &["required_version", "ledger", "lease"],
        blocks: &[],
        required: &[],
    };
    shape.check(block, diagnostics);
    let mut plain = Plain { body: &block.body, diagnostics };
    let project = Project {
        name: block.label(0).into(),
        ledger: plain.text("ledger"),
        lease: plain.text("lease"),
        required_version: plain.text("required_version"),
        rules: Vec::new(),
        policies: Vec::new(),
        notifies: Vec::new(),
    };
    let rules = body.blocks("rule").filter(|block| block.labels.len() == 1);
    let project = Project { rules: rules.filter_map(|block| rule(block, diagnostics)).collect(), ..project };
    let policies = policies(body, diagnostics);
    let notifies = notifies(body, diagnostics);
    let project = Project { policies, notifies, ..project };
    if let (Some(range), Some(expr)) = (&project.required_version, block.body.expr("required_version")) {
        diagnostics.0.extend(check_version(range, expr.span));
    }
    project
}

/// Blocks that stand elsewhere.
fn refuse_others(body: &Body, diagnostics: &mut Diagnostics) {
    for block in body.blocks.iter().filter(|block| !matches!(&*block.word, "project" | "rule" | "policy" | "notify")) {
        diagnostics.push(
            Diagnostic::error("this block does not belong into the project's file")
                .at(block.header)
                .detail(format!(
                    "`switchback.hcl` holds one `project` block, `rule`, `policy` and `notify` blocks, and here stands `{}`",
                    block.word
                ))
                .help(did_you_mean(
                    &block.word,
                    ["project", "rule", "policy", "notify"],
                    "move it to a file of `environments/` or `modules/`",
                )),
        );
    }
}

/// The `policy` blocks, each with its one label.
fn policies(body: &Body, diagnostics: &mut Diagnostics) -> Vec<PolicyBlock> {
    let mut found = Vec::new();
    for block in body.blocks("policy") {
        match block.labels.len() {
            1 => found.extend(policy(block, diagnostics)),
            _ => diagnostics.push(
                Diagnostic::error("a `policy` block has one label")
                    .at(block.header)
                    .detail("the label is the policy's name")
                    .help("write `policy \"NAME\" { … }`"),
            ),
        }
    }
    found
}

/// The `notify` blocks, each with its one label.
fn notifies(body: &Body, diagnostics: &mut Diagnostics) -> Vec<NotifyBlock> {
    let mut found = Vec::new();
    for block in body.blocks("notify") {
        match block.labels.len() {
            1 if found.iter().any(|other: &NotifyBlock| other.receiver.name == block.label(0)) => diagnostics.push(
                Diagnostic::error("there are two receivers of this name")
                    .at(block.header)
                    .detail(format!("`{}` is named twice", block.label(0)))
                    .help("give one of them another name"),
            ),
            1 => found.extend(notify_block::notify(block, diagnostics)),
            _ => diagnostics.push(
                Diagnostic::error("a `notify` block has one label")
                    .at(block.header)
                    .detail("the label is the receiver's name")
                    .help("write `notify \"NAME\" { … }`"),
            ),
        }
    }
    found
}

type Version = (u64, u64, u64);

fn version(text: &str) -> Option<Version> {
    let mut parts = text.trim().split('.').map(str::parse);
    let mut next = || parts.next().unwrap_or(Ok(0)).ok();
    Some((next()?, next()?, next()?))
}

fn check_version(range: &str, span: Span) -> Option<Diagnostic> {
    let ours = env!("CARGO_PKG_VERSION");
    let here = version(ours.split('-').next().unwrap_or(ours)).expect("Cargo's versions have three numbers");
    for part in range.split(',') {
        let part = part.trim();
        let digits = part.find(|letter: char| letter.is_ascii_digit()).unwrap_or(part.len());
        let (operator, wanted) = part.split_at(digits);
        let fits = version(wanted).and_then(|wanted| fits(operator.trim(), here, wanted, part.matches('.').count()));
        match fits {
            Some(true) => {}
            Some(false) => {
                return Some(
                    Diagnostic::error("this version of switchback does not fit the project")
                        .at(span)
                        .detail(format!("the project asks for `{range}`, this is {ours}"))
                        .help("install a version in that range, or change `required_version`"),
                );
            }
            None => {
                return Some(
                    Diagnostic::error("this is not a range of versions")
                        .at(span)
                        .detail(format!("`{part}` is not understood"))
                        .help("write like `>= 0.1`, `~> 0.1.2` or `>= 0.1, < 1.0`"),
                );
            }
        }
    }
    None
}

fn fits(operator: &str, here: Version, wanted: Version, dots: usize) -> Option<bool> {
    Some(match operator {
        "" | "=" => here == wanted,
        "!=" => here != wanted,
        ">" => here > wanted,
        ">=" => here >= wanted,
        "<" => here < wanted,
        "<=" => here <= wanted,
        "~>" if dots >= 2 => here >= wanted && (here.0, here.1) == (wanted.0, wanted.1),
        "~>" => here >= wanted && here.0 == wanted.0,
        _ => return None,
    })
}

/// Reads the `environment` block.
pub(super) fn environment(block: &Block, name: &str, diagnostics: &mut Diagnostics) -> EnvironmentBlock {
    if block.labels.len() != 1 || block.label(0) != name {
        diagnostics.push(
            Diagnostic::error("an environment is called like its file")
                .at(block.label_span(0))
                .detail(format!("this file is the spec of `{name}`"))
                .help(format!("write `environment \"{name}\" {{ … }}`")),
        );
    }
    let shape = Shape {
        what: "an `environment` block",
        attributes: &[
            "after",
            "protected",
            "allow_up",
            "source",
            "approvals",
            "break_glass",
            "soak",
            "windows",
            "accept",
            "requires_tests",
            "actors",
            "pin_images",
            "follow_tags",
            "branch",
        ],
        blocks: &["approver", "approval", "budget", "auto_promote"],
        required: &[],
    };
    shape.check(block, diagnostics);
    let budget = budget_block::read(&block.body, diagnostics);
    let gates = gates::read(&block.body, diagnostics);
    let rule = auto_promote::read(&block.body, diagnostics);
    let pinning = images::read(&block.body, diagnostics);
    let mut plain = Plain { body: &block.body, diagnostics };
    let read = EnvironmentBlock {
        span: block.header,
        after: plain.text("after"),
        protected: plain.truth("protected").unwrap_or(false),
        allow_up: plain.truth("allow_up"),
        source: None,
        gates,
        tests_at: block.body.expr("requires_tests").map(|expr| expr.span),
        pinning,
        branch: plain.text("branch"),
        auto_promote: rule,
        approvals: plain.count("approvals").unwrap_or(0),
        budget,
        rules: None,
    };
    let source = plain.texts("source");
    let source = source.map(|words| doors(&words, block, diagnostics));
    let rules = approval_blocks::rules(block, read.approvals, diagnostics);
    EnvironmentBlock { source, rules, ..read }
}

fn doors(words: &[String], block: &Block, diagnostics: &mut Diagnostics) -> BTreeSet<Door> {
    let mut doors = BTreeSet::new();
    for word in words {
        match word.as_str() {
            "checkout" => drop(doors.insert(Door::Checkout)),
            "release" => drop(doors.insert(Door::Release)),
            other => diagnostics.push(
                Diagnostic::error("there is no such door into an environment")
                    .at(block.body.expr("source").map(|expr| expr.span))
                    .detail(format!("`{other}` is neither `checkout` nor `release`"))
                    .help(did_you_mean(other, ["checkout", "release"], "write `checkout`, `release` or both")),
            ),
        }
    }
    doors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_fit_or_do_not() {
        let here = (0, 3, 2);
        let fit = |text: &str| {
            let digits = text.find(|letter: char| letter.is_ascii_digit()).unwrap();
            let (operator, wanted) = text.split_at(digits);
            fits(operator.trim(), here, version(wanted).unwrap(), text.matches('.').count()).unwrap()
        };
        assert!(fit(">= 0.1") && fit("~> 0.3.1") && fit("~> 0.3") && fit("< 1.0") && fit("0.3.2"));
        assert!(!fit(">= 0.4") && !fit("~> 0.2.9") && !fit("!= 0.3.2") && !fit("> 0.3.2"));
    }
}
