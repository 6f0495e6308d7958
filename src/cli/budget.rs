//! The refusal of a change that costs more than its environment can bear. Pure.
//!
//! Invariant: what is above a limit goes forward only if the limit names a class, and somebody of it signed.

use super::exit::Exit;
use super::failure::Failure;
use crate::review::grounds::Grounds;
use crate::risk::budget::Exceeded;
use crate::step::{ChangeSet, Operation};

/// Refuses a change set that goes forward above a limit.
///
/// # Errors
/// With exit code 1 where the limit refuses; with 9 where a signature is missing.
pub fn refuse(change_set: &ChangeSet, grounds: &Grounds) -> Result<(), Failure> {
    match change_set.operation {
        Operation::Apply => {}
        // A way back is taken because something is wrong already.
        Operation::Destroy | Operation::Rollback { .. } | Operation::Edit(_) => return Ok(()),
    }
    let told = |found: &[&Exceeded], failure: Failure| {
        found.iter().fold(failure, |failure, one| {
            let title = change_set.step(one.step).map(crate::step::Step::title).unwrap_or_default();
            failure.cause(format!("step {} {title}: {}", one.step, one.words()))
        })
    };
    let refused: Vec<&Exceeded> = grounds.risks.exceeded().filter(|one| one.refuses()).collect();
    if !refused.is_empty() {
        let failure = Failure::failed("the change is above the budget; nothing was done");
        return Err(told(&refused, failure)
            .help("the estimates and what they rest on: `switchback plan ENV --json`, at `risk` of the step")
            .help("make it lighter, or change the limit in the `budget` block; `above = \"dba\"` lets somebody sign for it"));
    }
    let is_signed =
        |class: &str| grounds.signing.needed.iter().any(|needed| needed.class == class && needed.is_given());
    let unsigned: Vec<&Exceeded> =
        grounds.risks.exceeded().filter(|one| one.class_needed().is_some_and(|class| !is_signed(class))).collect();
    let Some(class) = unsigned.first().and_then(|one| one.class_needed()) else { return Ok(()) };
    let failure =
        Failure::new(Exit::Unconfirmed, "the change is above the budget, and nobody signed for that; nothing was done");
    Err(told(&unsigned, failure).help(format!("somebody of the class `{class}` has to approve it")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearse::target::Along;
    use crate::review::signing::{Given, Needed, Signing};
    use crate::risk::{Risk, Risks};
    use crate::step::StepId;
    use crate::world::Quantity;
    use std::collections::BTreeMap;

    fn grounds(way: Along, class: Option<&str>) -> Grounds {
        let exceeded = Exceeded {
            budget: Quantity::MaxBlockedWrites,
            step: StepId(5),
            way,
            value: 40.0,
            limit: 2.0,
            class: class.map(str::to_owned),
        };
        let risk = Risk { exceeded: vec![exceeded], ..Risk::default() };
        Grounds { risks: Risks(BTreeMap::from([(StepId(5), risk)])), ..Grounds::default() }
    }

    #[test]
    fn what_is_above_a_limit_is_refused_or_waits_for_a_signature() {
        let change_set = crate::review::tests::sample();
        let refused = refuse(&change_set, &grounds(Along::Forth, None)).unwrap_err();
        assert_eq!(
            (refused.exit, &*refused.summary),
            (Exit::Failed, "the change is above the budget; nothing was done")
        );
        assert!(
            refused.causes[0].ends_with(": max_blocked_writes is 2 s, 40 s is estimated forth"),
            "{:?}",
            refused.causes
        );
        assert!(refuse(&change_set, &grounds(Along::Back, None)).is_ok());
        assert!(refuse(&change_set, &Grounds::default()).is_ok());

        let mut signed = grounds(Along::Forth, Some("dba"));
        assert_eq!(refuse(&change_set, &signed).unwrap_err().exit, Exit::Unconfirmed);
        let given =
            Given { by: "ann".to_owned(), at: "2026-11-21T10:00:00Z".parse().unwrap(), until: None, void: None };
        let needed = |class: &str| Needed {
            class: class.to_owned(),
            part: "database".to_owned(),
            digest: String::new(),
            why: String::new(),
            by: Vec::new(),
            given: vec![given.clone()],
            count: 1,
        };
        signed.signing = Signing { needed: vec![needed("owner")], ..Signing::default() };
        assert_eq!(refuse(&change_set, &signed).unwrap_err().exit, Exit::Unconfirmed, "another class");
        signed.signing.needed.push(needed("dba"));
        assert!(refuse(&change_set, &signed).is_ok());
        signed.signing.needed[1].given[0].void = Some("expired".to_owned());
        assert!(refuse(&change_set, &signed).is_err());
    }
}
