//! Which release of an environment may go on to the next, and why not. Pure.
//!
//! Invariant: only what an environment verified, and has neither taken back nor held since, leaves it.

pub mod auto;
pub mod compare;

use jiff::Timestamp;

use crate::digest::Digest;
use crate::ledger::{Run, RunResult, State};
use crate::release::ReleaseId;
use crate::spec::{Door, EnvironmentBlock};
use crate::step::Operation;

/// Which release is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// The one that is in force.
    InForce,
    /// The one whose name begins like this.
    Named(&'a str),
    /// The one that a Git tag was made for.
    Tagged(&'a str),
}

/// A release that may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The release.
    pub id: ReleaseId,
    /// The run that was verified.
    pub run: u64,
    /// When.
    pub at: Timestamp,
}

/// Why a release does not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing was ever applied there.
    #[error("nothing was ever applied to {environment}")]
    Nothing {
        /// The environment.
        environment: String,
    },
    /// A run is not over.
    #[error("run {run} of {environment} is unfinished")]
    Unfinished {
        /// The environment.
        environment: String,
        /// The run.
        run: u64,
    },
    /// What is in force was not verified.
    #[error("run {run} of {environment} is not verified")]
    Unverified {
        /// The environment.
        environment: String,
        /// The run.
        run: u64,
    },
    /// What is in force was verified against the ledger alone, so no spec is known that says the same.
    #[error("run {run} of {environment} was verified against the ledger alone, not against a spec")]
    WithoutSpec {
        /// The environment.
        environment: String,
        /// The run.
        run: u64,
    },
    /// What is in force is no release.
    #[error("no release was made of what {environment} verified in run {run}")]
    NoRelease {
        /// The environment.
        environment: String,
        /// The run.
        run: u64,
    },
    /// There is no such release.
    #[error("{environment} knows no release `{name}`")]
    Unknown {
        /// The environment.
        environment: String,
        /// As it was typed.
        name: String,
    },
    /// There is no such tag.
    #[error("no tag `{tag}` was made for a release in {environment}")]
    NoTag {
        /// The environment.
        environment: String,
        /// The tag.
        tag: String,
    },
    /// There are several.
    #[error("`{name}` may be any of {}", .known.join(", "))]
    Several {
        /// As it was typed.
        name: String,
        /// Those that it may be.
        known: Vec<String>,
    },
    /// It is known there, and never was in force.
    #[error("release {release} was never applied to {environment}")]
    NeverApplied {
        /// The environment.
        environment: String,
        /// The release.
        release: String,
    },
    /// It was taken back.
    #[error("release {release} was taken back in {environment}: run {run} is no longer in force")]
    TakenBack {
        /// The environment.
        environment: String,
        /// The release.
        release: String,
        /// The run that had brought it.
        run: u64,
    },
    /// It is held.
    #[error("release {release} is held in {environment}: {reason}")]
    Held {
        /// The environment.
        environment: String,
        /// The release.
        release: String,
        /// Why.
        reason: String,
    },
    /// The next environment takes no releases at all.
    #[error("{environment} takes no releases: its `source` names only the checkout")]
    Closed {
        /// The environment.
        environment: String,
    },
    /// The next environment takes releases from elsewhere, and this one comes at no time before that.
    #[error("{environment} takes releases from {after}, not from {from}: {environment} comes after {after}")]
    Elsewhere {
        /// The environment.
        environment: String,
        /// Where its releases come from.
        after: String,
        /// Where this one was to come from.
        from: String,
    },
    /// The next environment takes releases from elsewhere, and this one comes before that.
    #[error("{environment} takes releases from {after}, not from {from}: a stage would be skipped")]
    Skipped {
        /// The environment.
        environment: String,
        /// Where its releases come from.
        after: String,
        /// Where this one was to come from.
        from: String,
    },
    /// The next environment does not say where its releases come from.
    #[error("{environment} does not say which environment it comes after")]
    Nowhere {
        /// The environment.
        environment: String,
    },
    /// The way leads in the other direction.
    #[error("{from} comes after {environment}: releases go from {environment} to {from}, not back")]
    Backwards {
        /// The environment.
        environment: String,
        /// Where this one was to come from.
        from: String,
    },
}

/// Whether a way leads from one environment to another. `before` are the environments that lie before either of them, by
/// their `after`, the nearest first.
///
/// # Errors
/// Why it does not.
pub fn way(from: (&str, &[String]), to: (&str, &EnvironmentBlock, &[String])) -> Result<(), Refused> {
    let ((from, before_from), (name, to, before_to)) = (from, to);
    let environment = name.to_owned();
    let takes = to.source.as_ref().map_or(to.protected, |doors| doors.contains(&Door::Release));
    let later = || before_from.iter().any(|before| before == name);
    match &to.after {
        after if after.as_deref() != Some(from) && later() => {
            Err(Refused::Backwards { environment, from: from.to_owned() })
        }
        None => Err(Refused::Nowhere { environment }),
        Some(after) if after != from => {
            let (after, is_earlier) = (after.clone(), before_to.iter().any(|before| before == from));
            let from = from.to_owned();
            Err(match is_earlier {
                true => Refused::Skipped { environment, after, from },
                false => Refused::Elsewhere { environment, after, from },
            })
        }
        Some(_) if !takes => Err(Refused::Closed { environment }),
        Some(_) => Ok(()),
    }
}

/// The run whose state was verified and is in force, and the spec that it was verified against, so that a release can
/// be made of them. The spec may be a later one than the run's, if it wants the same.
///
/// # Errors
/// Why there is none.
pub fn verified_now<'a>(environment: &str, state: &'a State) -> Result<(&'a Run, Digest), Refused> {
    let newest = settled(environment, state)?;
    let unverified = || Refused::Unverified { environment: environment.to_owned(), run: newest.number };
    let verified = state.verified.as_ref().filter(|verified| verified.run >= newest.number).ok_or_else(unverified)?;
    let blind = || Refused::WithoutSpec { environment: environment.to_owned(), run: newest.number };
    let digest = verified.spec_digest.ok_or_else(blind)?;
    Ok((state.apply_in_force().ok_or_else(unverified)?, digest))
}

/// The newest run, which is over.
fn settled<'a>(environment: &str, state: &'a State) -> Result<&'a Run, Refused> {
    let environment = environment.to_owned();
    match state.newest_with_effect() {
        None => Err(Refused::Nothing { environment }),
        Some(newest) if newest.ended.is_none() => Err(Refused::Unfinished { environment, run: newest.number }),
        Some(newest) => Ok(newest),
    }
}

/// The release that may leave an environment.
///
/// # Errors
/// Why none may.
pub fn leaving(environment: &str, state: &State, wanted: Wanted<'_>) -> Result<Verified, Refused> {
    let name = || environment.to_owned();
    let id = match wanted {
        Wanted::InForce => return in_force(environment, state),
        Wanted::Tagged(tag) => {
            let none = || Refused::NoTag { environment: name(), tag: tag.to_owned() };
            state.releases.tags.get(tag).ok_or_else(none)?.what.release
        }
        Wanted::Named(typed) => match state.releases.named(typed).as_slice() {
            [one] => *one,
            [] => return Err(Refused::Unknown { environment: name(), name: typed.to_owned() }),
            several => {
                let known = several.iter().map(ReleaseId::short).collect();
                return Err(Refused::Several { name: typed.to_owned(), known });
            }
        },
    };
    judged(environment, state, id)
}

fn in_force(environment: &str, state: &State) -> Result<Verified, Refused> {
    settled(environment, state)?;
    match state.release_in_force() {
        Some(id) => judged(environment, state, id),
        None => {
            let run = verified_now(environment, state)?.0.number;
            Err(Refused::NoRelease { environment: environment.to_owned(), run })
        }
    }
}

/// Whether a release was verified in an environment, and still counts there.
///
/// # Errors
/// Why it does not.
pub fn judged(environment: &str, state: &State, id: ReleaseId) -> Result<Verified, Refused> {
    let (environment, release) = (environment.to_owned(), id.short());
    let brought: Vec<_> =
        state.runs.iter().filter(|run| run.change_set.operation == Operation::Apply && state.ran(run, id)).collect();
    let held = brought.iter().filter_map(|run| state.holds.get(&run.change_set.spec_digest?)).next();
    if let Some(hold) = held {
        return Err(Refused::Held { environment, release, reason: hold.reason.clone() });
    }
    let whole = |run: &Run| matches!(run.ended, Some((RunResult::Complete, _)));
    let standing = brought.iter().rev().find(|run| whole(run) && !run.taken_back);
    match (standing, brought.last()) {
        (Some(run), _) if run.verified => {
            Ok(Verified { id, run: run.number, at: run.verified_at.unwrap_or(run.begun) })
        }
        (Some(run), _) => Err(Refused::Unverified { environment, run: run.number }),
        (None, Some(run)) if run.taken_back => Err(Refused::TakenBack { environment, release, run: run.number }),
        (None, Some(run)) => Err(Refused::Unverified { environment, run: run.number }),
        (None, None) => Err(Refused::NeverApplied { environment, release }),
    }
}
