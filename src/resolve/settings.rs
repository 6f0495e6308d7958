//! The `environment` block, or what its absence means. Pure.
//!
//! Invariant: a spec without the block is a plain one: everything is allowed, nothing is promoted.

use std::collections::BTreeSet;

use super::desired::EnvironmentSettings;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::release::gates::Gates;
use crate::release::image::Pinning;
use crate::spec::{Door, Spec};
use crate::world::Budget;

pub(super) fn environment(spec: &Spec) -> EnvironmentSettings {
    let name = spec.environment.to_string();
    let Some(block) = &spec.settings else {
        return EnvironmentSettings {
            name,
            after: None,
            protected: false,
            allow_up: true,
            doors: BTreeSet::from([Door::Checkout]),
            gates: Gates::default(),
            pinning: Pinning::default(),
            branch: None,
            auto_promote: None,
            approvals: 0,
            budget: Budget::default(),
            rules: None,
        };
    };
    let implied = if block.protected { Door::Release } else { Door::Checkout };
    EnvironmentSettings {
        name,
        after: block.after.clone(),
        protected: block.protected,
        allow_up: block.allow_up.unwrap_or(block.after.is_none() && !block.protected),
        doors: block.source.clone().unwrap_or_else(|| BTreeSet::from([implied])),
        gates: block.gates.clone(),
        pinning: block.pinning,
        branch: block.branch.clone(),
        auto_promote: block.auto_promote.clone(),
        approvals: block.approvals,
        budget: block.budget.clone(),
        rules: block.rules.clone(),
    }
}

/// Settings that contradict each other.
pub(super) fn check(spec: &Spec) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let Some(block) = &spec.settings else {
        return diagnostics;
    };
    if block.after.as_deref() == Some(&*spec.environment) {
        diagnostics.push(
            Diagnostic::error("an environment comes after itself")
                .at(block.span)
                .detail(format!("`after` of `{0}` is `{0}`", spec.environment))
                .help("name the environment whose releases this one takes"),
        );
    }
    if block.allow_up == Some(true) && block.protected {
        diagnostics.push(
            Diagnostic::error("a protected environment cannot allow `up`")
                .at(block.span)
                .detail("`up` asks no questions, and `protected` wants them asked")
                .help("remove `allow_up = true` or `protected = true`"),
        );
    }
    if block.gates.ask_of_releases() && block.after.is_none() {
        diagnostics.push(
            Diagnostic::error("nothing comes through these gates")
                .at(block.span)
                .detail("`soak`, `windows`, `accept` and `requires_tests` are asked of releases, and without `after` none comes")
                .help("name the environment whose releases this one takes with `after`, or remove them"),
        );
    }
    if block.auto_promote.is_some() && block.after.is_none() {
        diagnostics.push(
            Diagnostic::error("nothing is promoted to this environment")
                .at(block.span)
                .detail("`auto_promote` is a rule for releases, and without `after` none comes")
                .help("name the environment whose releases this one takes with `after`, or remove it"),
        );
    }
    if block.source.as_ref().is_some_and(BTreeSet::is_empty) {
        diagnostics.push(
            Diagnostic::error("an environment has no door")
                .at(block.span)
                .detail("`source` is empty, so nothing could ever be applied")
                .help("write `source = [\"checkout\"]`, `[\"release\"]` or both, or leave it out"),
        );
    }
    diagnostics
}
