//! What a kind says of how it may be changed beyond its attributes: values that only a person gives, and changes that the
//! world takes in one direction only. Pure.
//!
//! Invariant: what a person gives is imported or asked for, and never made.

use super::{Goal, Planner};
use crate::address::Address;
use crate::diagnostic::Diagnostic;
use crate::kind::Kind;
use crate::step::Operation;
use crate::value::Object;

impl Planner<'_> {
    /// Takes up what a person gave, or says what they have to type; whether that is all that is to be done.
    pub(super) fn plan_given(&mut self, address: &Address, kind: &Kind, goal: &Goal, wanted: &Object) -> bool {
        let Some(command) = kind.rules.given_by_person(&goal.object) else { return false };
        let found = self.inputs.observed.objects.get(address).and_then(Option::as_ref);
        let is_recorded = self.inputs.state.things.resources.contains_key(address);
        match found {
            None if self.asked(address) => {
                self.mistakes.push(
                    Diagnostic::error("a value that only a person can give is not there")
                        .at(goal.span)
                        .detail(format!("`{address}` is expected in its store, and never written by Switchback"))
                        .help(format!("whoever knows it types `{command}`, and gives it on standard input")),
                );
                true
            }
            Some(found) if !is_recorded && goal.import.is_none() => {
                let (id, found) = (kind.rules.identity(&goal.object).unwrap_or_default(), found.clone());
                let goal = Goal { import: Some((id, goal.span)), ..goal.clone() };
                self.import(address, kind, &goal, wanted.clone(), Some(found));
                true
            }
            None | Some(_) => false,
        }
    }

    /// What only another thing can have. A way back leaves it as it is found.
    pub(super) fn only_anew(&self, kind: &Kind, found: &Object, wanted: &mut Object) -> Vec<String> {
        let only_anew = kind.rules.only_anew(found, wanted);
        if !matches!(self.operation, Operation::Rollback { .. }) {
            return only_anew.into_iter().map(str::to_owned).collect();
        }
        for name in only_anew {
            wanted.extend(found.get(name).map(|value| (name.to_owned(), value.clone())));
        }
        Vec::new()
    }
}
