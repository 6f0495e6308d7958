//! The refusal of a change that costs more than its environment can bear. Pure.
//!
//! Invariant: what is above a limit goes forward only if the limit names a class; the gate sees that somebody of it
//! signed.

use super::failure::Failure;
use crate::review::grounds::Grounds;
use crate::risk::budget::Exceeded;
use crate::step::{ChangeSet, Operation};

/// Refuses a change set that goes forward above a limit.
///
/// # Errors
/// With exit code 1 where a limit refuses.
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
    if refused.is_empty() {
        return Ok(());
    }
    let failure = Failure::failed("the change is above the budget; nothing was done");
    Err(told(&refused, failure)
        .help("the estimates and what they rest on: `switchback plan ENV --json`, at `risk` of the step")
        .help(
            "make it lighter, or change the limit in the `budget` block; `above = \"dba\"` lets somebody sign for it",
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::class::{Class, Part};
    use crate::cli::exit::Exit;
    use crate::rehearse::target::Along;
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

        let signed = grounds(Along::Forth, Some("dba"));
        assert!(refuse(&change_set, &signed).is_ok(), "that is asked for at the gate");
        let demands = crate::cli::gate::demands(&signed);
        assert_eq!((demands.len(), demands[0].class, demands[0].part), (1, Class::Dba, Part::Database));
        assert!(demands[0].why.starts_with("step 5: max_blocked_writes is 2 s"), "{demands:?}");
        assert!(crate::cli::gate::demands(&grounds(Along::Back, Some("dba"))).is_empty());
    }
}
