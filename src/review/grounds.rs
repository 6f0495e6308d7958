//! What a review rests on, beside the change set. Plain data.
//!
//! Invariant: nothing of it is part of the change set: databases grow, rules are added, signatures come.

use super::signing::Signing;
use crate::migration::certificate::Evidence;
use crate::rehearse::target::Targets;
use crate::release::promotion::Promotion;
use crate::risk::Risks;
use crate::rules::Findings;
use crate::rules::policy::Policy;

/// What a review rests on, beside the change set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grounds {
    /// What rehearsals proved of its migrations.
    pub evidence: Evidence,
    /// What the databases say whose schema it changes.
    pub targets: Targets,
    /// What its migrations are estimated to cost there.
    pub risks: Risks,
    /// What the rules have to say.
    pub findings: Findings,
    /// What the house asks of it: whoever applies it later is asked again.
    pub policies: Vec<Policy>,
    /// What is known of the release that it brings from another environment.
    pub promotion: Option<Box<Promotion>>,
    /// Who has to sign it, and who did.
    pub signing: Signing,
}
