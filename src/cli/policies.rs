//! Policies of the house where a change is planned, and again where it is applied: who asks and when may differ. An edge.
//!
//! Invariant: a policy of a saved plan is asked again, and so is one that the checkout has by now.

use super::session::Session;
use crate::review::grounds::Grounds;
use crate::rules::policy::{self, Circumstances, Policy};
use crate::spec;
use crate::step::{ChangeSet, Operation};
use crate::store::disk::DiskFiles;

/// The policies that the checkout has for an environment; none where there is no checkout.
pub fn at_hand(session: &Session, environment: &str) -> Vec<Policy> {
    let Some(project) = session.project() else { return Vec::new() };
    let (spec, _mistakes) = spec::load(&DiskFiles, &project, environment, &session.kinds);
    policy::of_spec(&spec)
}

/// Asks the policies, and puts what they say into the grounds. A way back is not asked: it must not be in anybody's way.
pub fn ask(session: &Session, policies: Vec<Policy>, change_set: &ChangeSet, grounds: &mut Grounds) {
    for policy in policies {
        if !grounds.policies.contains(&policy) {
            grounds.policies.push(policy);
        }
    }
    policy::forget(&mut grounds.findings);
    match change_set.operation {
        Operation::Apply | Operation::Destroy => {}
        Operation::Rollback { .. } | Operation::Edit(_) => return,
    }
    let circumstances = Circumstances { actor: &session.actor.name, at: session.world.clock.now() };
    let said = policy::judge(&grounds.policies, change_set, &grounds.findings, &circumstances);
    let found = &mut grounds.findings.found;
    found.extend(said);
    // The heaviest first; those of steps stay in their order.
    found.sort_by_key(|finding| std::cmp::Reverse(finding.level));
}
