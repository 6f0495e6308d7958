//! Whether what has to be signed is signed: every signature of the ledger, held against the plan. Pure.
//!
//! Invariant: a signature that does not count says why; none counts that was not checked over its exact message.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::demand::{self, Case, Need, Source};
use crate::approval::class::{Class, Part};
use crate::approval::key::Key;
use crate::approval::message::{self, Message};
use crate::approval::record::{Approval, Rejection, Signed};
use crate::approval::rules::{Approver, Rules};
use crate::approval::signature;
use crate::digest::Digest;
use crate::ledger::signatures::Recorded;
use crate::ledger::{Run, Sequence, State};
use crate::review::signing::{Given, Needed, Refused, Signing};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// For the review.
    pub signing: Signing,
    /// What was signed, for the ledger.
    pub signed: Vec<Signed>,
}

/// What signatures are held against.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The project.
    pub project: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// What the ledger says.
    pub state: &'a State,
    /// The rules that count.
    pub rules: &'a Rules,
    /// Those of the spec under review, where others count.
    pub under_review: Option<&'a Rules>,
    /// The time.
    pub now: Timestamp,
}

impl<'a> Ground<'a> {
    /// What a change set's signatures are held against, if there are rules.
    pub fn of(case: Case<'a>, now: Timestamp) -> Option<Self> {
        let (rules, source) = demand::rules(case.state, case.change_set)?;
        let under_review = match source {
            Source::Applied => case.change_set.approval_rules.as_deref(),
            Source::UnderReview => None,
        };
        let (project, environment) = (&*case.change_set.project, &*case.change_set.environment);
        Some(Self { project, environment, state: case.state, rules, under_review, now })
    }

    /// What somebody signs for this who signs it now.
    pub fn message(&self, class: Class, part: Part, digest: Digest, until: Option<Timestamp>) -> Option<Message<'a>> {
        let rejected = self.state.signatures.rejected(part, digest, Sequence::MAX).map(|one| one.sequence);
        self.message_after(class, part, digest, until, rejected)
    }

    fn message_after(
        &self,
        class: Class,
        part: Part,
        digest: Digest,
        until: Option<Timestamp>,
        rejected: Option<Sequence>,
    ) -> Option<Message<'a>> {
        let chain = &*self.state.chain.as_ref()?.id;
        let (project, environment) = (self.project, self.environment);
        Some(Message { project, environment, chain, class, part, digest, until, rejected })
    }

    /// Whose signature this is, as far as that can be told without knowing what it is needed for.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn examine(&self, recorded: &Recorded<Approval>) -> Result<(&'a str, &'a Approver), String> {
        let Approval { class, part, digest, until, rejected, signature, .. } = &recorded.what;
        let before = self.state.signatures.rejected(*part, *digest, recorded.sequence);
        if before.map(|one| one.sequence) != *rejected {
            return Err(match before {
                Some(one) => format!("it was signed before the rejection in record {}", one.sequence),
                None => "it speaks of a rejection that there is not".to_owned(),
            });
        }
        let message = self.message_after(*class, *part, *digest, *until, *rejected);
        let message = message.ok_or_else(|| "the ledger is not begun".to_owned())?;
        let key = signature::check(signature, message.text().as_bytes()).map_err(|wrong| wrong.to_string())?;
        let (name, approver) = self.owner_of(&key)?;
        if !approver.classes.contains(class) {
            return Err(format!("{name} may not sign as {}", class.word()));
        }
        if let Some(until) = until.filter(|until| *until <= self.now) {
            return Err(format!("it has expired: it was good until {until}"));
        }
        Ok((name, approver))
    }

    /// Whose key this is.
    ///
    /// # Errors
    /// When it is nobody's who may sign here.
    pub fn owner_of(&self, key: &Key) -> Result<(&'a str, &'a Approver), String> {
        self.rules.owner_of(key).ok_or_else(|| {
            let fingerprint = key.fingerprint();
            match self.under_review.and_then(|rules| rules.owner_of(key)) {
                Some((name, _)) => format!(
                    "only the spec under review names {name} ({fingerprint}); the rules that were applied last do not"
                ),
                None => format!("the key {fingerprint} is nobody's who may sign here"),
            }
        })
    }

    /// The rejection of this that stands: nobody who may lift it has signed the same since.
    pub fn rejection(&self, part: Part, digest: Digest) -> Option<&'a Recorded<Rejection>> {
        let rejected = self.state.signatures.rejected(part, digest, Sequence::MAX)?;
        let by = &*rejected.what.by;
        let lifts = |given: &&Recorded<Approval>| {
            let is_later = given.sequence > rejected.sequence && given.what.part == part && given.what.digest == digest;
            let who = if is_later { self.examine(given).ok() } else { None };
            who.is_some_and(|(name, approver)| approver.is(name, by) || approver.classes.contains(&Class::Owner))
        };
        let lifted = self.state.signatures.approvals.iter().rev().any(|given| lifts(&given));
        (!lifted).then_some(rejected)
    }
}

/// Holds every signature against a change set. `author` is whoever made the plan.
pub fn judge(case: Case<'_>, author: Option<&str>, now: Timestamp) -> Verdict {
    let needs = demand::needs(case);
    let mut verdict = Verdict::default();
    verdict.signing.changes_of_rules = demand::change_of_rules(case).unwrap_or_default();
    let ground = Ground::of(case, now).filter(|ground| !ground.rules.asks_for_nothing() || !needs.is_empty());
    let Some(ground) = ground.filter(|_| !demand::is_free(case)) else {
        if !needs.is_empty() {
            verdict.signing.needed = needs.iter().map(|need| needed(need, &Rules::default(), Vec::new())).collect();
            verdict.signing.rules = "no rules say who may sign".to_owned();
        }
        return verdict;
    };
    verdict.signing.refused = refused(&ground, case);
    if !verdict.signing.is_empty() || !needs.is_empty() {
        verdict.signing.rules = match demand::rules(case.state, case.change_set) {
            Some((_, Source::UnderReview)) => {
                "no rules were ever applied here: those of the spec under review count, this once".to_owned()
            }
            Some((_, Source::Applied)) | None => "by the rules as last applied".to_owned(),
        };
    }
    for need in &needs {
        let given = given(&ground, need, author, newest_run(case.state));
        let by: Vec<String> = given.iter().filter(|one| one.void.is_none()).map(|one| one.by.clone()).collect();
        if let Some(digest) = need.digest.filter(|_| !by.is_empty()) {
            verdict.signed.push(Signed { class: need.class, part: need.part, digest, by });
        }
        verdict.signing.needed.push(needed(need, ground.rules, given));
    }
    verdict
}

/// Rejections of any part that stand.
fn refused(ground: &Ground<'_>, case: Case<'_>) -> Vec<Refused> {
    if ground.state.signatures.rejections.is_empty() {
        return Vec::new();
    }
    let parts = demand::parts(case).into_iter().filter_map(|(part, digest)| Some((part, digest?)));
    let standing = parts.filter_map(|(part, digest)| Some((part, ground.rejection(part, digest)?)));
    let told = standing.map(|(part, rejected)| Refused {
        by: rejected.what.by.clone(),
        at: rejected.time,
        part: part.word().to_owned(),
        reason: rejected.what.reason.clone(),
    });
    told.collect()
}

/// What was signed before this is told only where it is about the same content.
fn newest_run(state: &State) -> Sequence {
    state.runs.last().map_or(0, |run: &Run| run.begun_at)
}

fn needed(need: &Need, rules: &Rules, given: Vec<Given>) -> Needed {
    Needed {
        class: need.class.word().to_owned(),
        part: need.part.word().to_owned(),
        digest: need.digest.map(|digest| digest.to_string()).unwrap_or_default(),
        why: need.why.clone(),
        by: rules.may_sign(need.class).map(str::to_owned).collect(),
        given,
        count: usize::try_from(need.requirement.count).unwrap_or(usize::MAX),
    }
}

/// The signatures that speak of this need, each with why it does not count. A person counts once: by the newest
/// signature that does.
fn given(ground: &Ground<'_>, need: &Need, author: Option<&str>, since: Sequence) -> Vec<Given> {
    let mut found: BTreeMap<String, Given> = BTreeMap::new();
    let mut void = Vec::new();
    for recorded in &ground.state.signatures.approvals {
        let approval = &recorded.what;
        let is_same = Some(approval.digest) == need.digest;
        if approval.part != need.part || !(is_same || recorded.sequence > since) {
            continue;
        }
        let about = |by: &str, why: Option<String>| Given {
            by: by.to_owned(),
            at: recorded.time,
            until: approval.until,
            void: why,
        };
        match counts(ground, need, recorded, author) {
            Ok(name) => drop(found.insert(name.to_owned(), about(name, None))),
            Err(Some(why)) => void.push(about(&approval.by, Some(why))),
            Err(None) => {}
        }
    }
    found.into_values().chain(void).collect()
}

/// Why a signature would not count for a need, if it were recorded.
pub fn refusal(ground: &Ground<'_>, need: &Need, given: &Recorded<Approval>, author: Option<&str>) -> Option<String> {
    let otherwise = || format!("it is not for {}", need.class.word());
    counts(ground, need, given, author).err().map(|why| why.unwrap_or_else(otherwise))
}

/// Whose signature counts for a need; else why not, or nothing where it was never meant for it.
fn counts<'a>(
    ground: &Ground<'a>,
    need: &Need,
    recorded: &Recorded<Approval>,
    author: Option<&str>,
) -> Result<&'a str, Option<String>> {
    let approval = &recorded.what;
    if approval.class != need.class {
        return Err(None);
    }
    if Some(approval.digest) != need.digest {
        let short = approval.digest.short();
        return Err(Some(format!("it covers another content: {short}, and what is to be signed has changed since")));
    }
    let (name, approver) = ground.examine(recorded).map_err(Some)?;
    let requirement = &need.requirement;
    if let Some(seconds) = requirement.expires_seconds {
        let latest = message::until(recorded.time, seconds);
        match (approval.until, latest) {
            (None, _) => return Err(Some("it never expires, and the rules want that it does".to_owned())),
            (Some(until), Some(latest)) if until > latest => {
                return Err(Some(format!("it is good until {until}, longer than the rules allow ({latest})")));
            }
            (Some(_), Some(_) | None) => {}
        }
    }
    if requirement.not_the_author {
        match author {
            None => return Err(Some("the plan does not say who made it, and its author must not sign".to_owned())),
            Some(author) if approver.is(name, author) => {
                return Err(Some(format!("{name} made the plan, and its author must not sign")));
            }
            Some(_) => {}
        }
    }
    Ok(name)
}

/// What stands in the way of going on with an unfinished run: it was not let in, or what it carries out was rejected
/// since. The rules are those from before it.
///
/// # Errors
/// What stands in the way.
pub fn judge_unfinished(case: Case<'_>, run: &Run, now: Timestamp) -> Result<(), Vec<String>> {
    let needs = demand::needs(case);
    let Some(ground) = Ground::of(case, now).filter(|_| !needs.is_empty()) else {
        return Ok(());
    };
    let admission = case.state.signatures.admissions.get(&run.number).map(|recorded| &recorded.what);
    let admission = admission.filter(|admission| admission.change_set == run.change_set.digest());
    let Some(admission) = admission else {
        return Err(vec![format!("run {} was begun without the signatures that it needs", run.number)]);
    };
    let mut causes = Vec::new();
    let is_signed = |need: &Need| admission.signed.iter().any(|one| (one.class, one.part) == (need.class, need.part));
    for need in needs.iter().filter(|need| admission.broken.is_none() && !is_signed(need)) {
        causes.push(format!("run {} was begun without {} for {}", run.number, need.class.word(), need.part.word()));
    }
    for signed in &admission.signed {
        if let Some(rejected) = ground.rejection(signed.part, signed.digest) {
            causes.push(refused_words(signed.part.word(), &rejected.what.by, &rejected.what.reason));
        }
    }
    causes.dedup();
    if causes.is_empty() { Ok(()) } else { Err(causes) }
}

/// That a part is refused, in words.
pub fn refused_words(part: &str, by: &str, reason: &str) -> String {
    format!("{part} was rejected by {by}: {reason}")
}
