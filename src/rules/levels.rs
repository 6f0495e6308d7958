//! How heavy rules weigh in a project and an environment, as `rule` blocks of the spec say. Pure.
//!
//! Invariant: a name that is no rule is a mistake, never passed over.

use std::collections::BTreeMap;

use super::finding::Level;
use super::rule::Rule;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::spec::{RuleBlock, RuleLevel, Spec};
use crate::suggest::did_you_mean;

/// The levels that were said, by the rule's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels(BTreeMap<String, RuleLevel>);

impl Levels {
    /// Those of a spec: what the environment says goes before what the project says.
    pub fn of(spec: &Spec, rules: &[Rule]) -> (Self, Diagnostics) {
        let environment = spec.modules.first().map(|module| module.rules.as_slice()).unwrap_or_default();
        Self::of_blocks(spec.project.rules.iter().chain(environment), rules)
    }

    /// Those of some blocks: a later one goes before an earlier one.
    pub fn of_blocks<'a>(blocks: impl IntoIterator<Item = &'a RuleBlock>, rules: &[Rule]) -> (Self, Diagnostics) {
        let mut levels = Self::default();
        let mut diagnostics = Diagnostics::default();
        for block in blocks {
            levels.take(block, rules, &mut diagnostics);
        }
        (levels, diagnostics)
    }

    fn take(&mut self, block: &RuleBlock, rules: &[Rule], diagnostics: &mut Diagnostics) {
        if rules.iter().any(|rule| rule.name == &*block.name) {
            self.0.insert(block.name.to_string(), block.level);
            return;
        }
        let names = rules.iter().map(|rule| rule.name);
        diagnostics.push(
            Diagnostic::error("there is no such rule")
                .at(block.span)
                .detail(format!("no rule is called `{}`", block.name))
                .help(did_you_mean(&block.name, names, "`docs/rules.md` lists them all")),
        );
    }

    /// The level of a rule; nothing where it is off.
    pub fn level(&self, rule: &Rule) -> Option<Level> {
        match self.0.get(rule.name) {
            None => Some(rule.level),
            Some(RuleLevel::Off) => None,
            Some(RuleLevel::Note) => Some(Level::Note),
            Some(RuleLevel::Warning) => Some(Level::Warning),
            Some(RuleLevel::Error) => Some(Level::Error),
        }
    }

    /// One more, as a test or a verb without a spec says it.
    #[must_use]
    pub fn and(mut self, name: &str, level: RuleLevel) -> Self {
        self.0.insert(name.to_owned(), level);
        self
    }
}
