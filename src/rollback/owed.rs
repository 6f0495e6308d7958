//! A way back that leaves out what cannot be reached. Pure.
//!
//! Invariant: of an address either every step is left out or none; no step stays that waits for one that is left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::step::{ChangeSet, StepId};

/// Leaves out the steps of these addresses and all that come after them; what is left out is owed.
#[must_use]
pub fn leave_out(mut change_set: ChangeSet, skipped: &BTreeSet<Address>) -> ChangeSet {
    let mut owed = skipped.clone();
    let mut left_out: BTreeSet<StepId> = BTreeSet::new();
    loop {
        let before = (owed.len(), left_out.len());
        for step in &change_set.steps {
            let waits = step.after.iter().any(|before| left_out.contains(before));
            if waits || owed.contains(&step.address) {
                left_out.insert(step.id);
                owed.insert(step.address.clone());
            }
        }
        if before == (owed.len(), left_out.len()) {
            break;
        }
    }
    change_set.steps.retain(|step| !left_out.contains(&step.id));
    let numbers: BTreeMap<StepId, StepId> =
        change_set.steps.iter().map(|step| step.id).zip((1..).map(StepId)).collect();
    for step in &mut change_set.steps {
        step.id = numbers[&step.id];
        step.after = step.after.iter().map(|before| numbers[before]).collect();
    }
    let point = change_set.irreversible().next().map(|step| step.id);
    change_set.point_of_no_return = point;
    change_set.owed = owed;
    change_set
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of these addresses, each after those.
    fn change_set(steps: &[(&str, &[u32])]) -> ChangeSet {
        let mut change_set = crate::review::tests::sample();
        let like = change_set.steps[0].clone();
        let step = |(index, (name, after)): (u32, &(&str, &[u32]))| {
            let mut step = like.clone();
            step.id = StepId(index);
            step.address = Address::root("thing", name);
            step.after = after.iter().copied().map(StepId).collect();
            step
        };
        change_set.steps = (1..).zip(steps).map(step).collect();
        change_set
    }

    fn left(steps: &[(&str, &[u32])], skipped: &str) -> (Vec<String>, Vec<String>, Vec<Vec<u32>>) {
        let skipped = BTreeSet::from([Address::root("thing", skipped)]);
        let left = leave_out(change_set(steps), &skipped);
        let after = left.steps.iter().map(|step| step.after.iter().map(|id| id.0).collect()).collect();
        for (number, step) in (1..).zip(&left.steps) {
            assert_eq!(step.id, StepId(number), "the numbers have no holes");
        }
        let name = |address: &Address| address.name.to_string();
        (left.steps.iter().map(|step| name(&step.address)).collect(), left.owed.iter().map(name).collect(), after)
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_comes_after_is_owed_too_and_the_rest_is_numbered_anew() {
        let steps: &[(&str, &[u32])] = &[("a", &[]), ("b", &[]), ("c", &[1]), ("d", &[2]), ("e", &[3]), ("f", &[2, 4])];
        assert_eq!(left(steps, "a"), (words("b d f"), words("a c e"), vec![vec![], vec![1], vec![1, 2]]));
        assert_eq!(left(steps, "f"), (words("a b c d e"), words("f"), vec![vec![], vec![], vec![1], vec![2], vec![3]]));
    }

    #[test]
    fn of_an_address_either_all_steps_are_left_out_or_none() {
        // The second step of `b` waits for `a`, so its first is left out as well, and with it what waits for that.
        let steps: &[(&str, &[u32])] = &[("b", &[]), ("a", &[]), ("c", &[1]), ("b", &[1, 2]), ("d", &[])];
        assert_eq!(left(steps, "a"), (words("d"), words("a b c"), vec![vec![]]));
    }
}
