//! Tells people: what the ledger owes them, under its lease; and what read-only verbs have to say, as far as it goes. An
//! edge.
//!
//! Invariant: nothing here fails a command, or holds it up for longer than the receivers are given; what was delivered is
//! recorded only after it was.

use std::collections::BTreeSet;

use super::session::{Resolved, Session};
use crate::digest::Digest;
use crate::drift::{Class, Report};
use crate::ledger::state::outbox::{self, Outbox};
use crate::ledger::{Body, Ledger, State};
use crate::notice::receiver::{Delivery, Receiver};
use crate::notice::{Counts, Notice, Place, Topic};
use crate::review::grounds::Grounds;
use crate::review::signing::Signing;
use crate::review::text::Role;
use crate::step::ChangeSet;

mod post;

/// Receivers, each with what it is told.
type Letters<'a> = Vec<(&'a Receiver, Vec<Notice>)>;

/// Records who is told from now on, if that is not what is recorded.
///
/// # Errors
/// When the ledger cannot be written.
pub async fn note_receivers(
    session: &Session,
    ledger: &mut Ledger,
    receivers: &[Receiver],
) -> Result<(), crate::ledger::StoreError> {
    if ledger.state().outbox.receivers == receivers {
        return Ok(());
    }
    ledger.append(session.world.clock.now(), vec![Body::Receivers { receivers: receivers.to_vec() }]).await
}

/// Says that a run is about to begin that cannot be taken back as a whole, before it does. Gives what was delivered: it
/// is recorded when the run has begun.
pub async fn ahead(session: &Session, state: &State, change_set: &ChangeSet) -> BTreeSet<Delivery> {
    let now = session.world.clock.now();
    let Some(notice) = Outbox::about_to_begin(state, change_set, &session.actor, now) else {
        return BTreeSet::new();
    };
    let (delivered, _) = post::all(session, letters(&state.outbox.receivers, &notice)).await;
    delivered
}

/// Delivers what is owed, and records that. The lease has to be held.
pub async fn deliver(session: &Session, ledger: &mut Ledger, ahead: &BTreeSet<Delivery>) {
    let state = ledger.state();
    let outbox = &state.outbox;
    let left = outbox.left_by_its_runner(state, session.world.clock.now());
    let is_told = |receiver: &Receiver, notice: &Notice| {
        ahead.contains(&Delivery { id: notice.id.clone(), to: receiver.name.clone() })
    };
    let mut recorded: Vec<Delivery> = Vec::new();
    let mut letters: Letters<'_> = Vec::new();
    for receiver in &outbox.receivers {
        let (told, owed): (Vec<&Notice>, Vec<&Notice>) =
            outbox.owed_to(receiver).partition(|notice| is_told(receiver, notice));
        recorded.extend(told.iter().map(|notice| Delivery { id: notice.id.clone(), to: receiver.name.clone() }));
        let last = left.iter().filter(|notice| receiver.hears(notice.topic));
        let owed: Vec<Notice> = owed.into_iter().chain(last).cloned().collect();
        if !owed.is_empty() {
            letters.push((receiver, owed));
        }
    }
    let (delivered, troubles) = post::all(session, letters).await;
    recorded.extend(delivered);
    for trouble in troubles {
        session
            .terminal
            .say_as(Role::Warning, &format!("{trouble}; the next command that writes the ledger tries again"));
    }
    if recorded.is_empty() {
        return;
    }
    let body = Body::Told { deliveries: recorded };
    if let Err(error) = ledger.append(session.world.clock.now(), vec![body]).await {
        tracing::warn!(%error, "what was told could not be recorded; it is told again, with the same ids");
    }
}

/// Says that a plan was made, and what signatures it waits for when it was saved. Best effort: planning records nothing.
pub fn planned(session: &Session, state: &State, resolved: &Resolved, (change_set, grounds): (&ChangeSet, &Grounds)) {
    let now = session.world.clock.now();
    let place = place(state, &change_set.project, &change_set.environment);
    let digest = change_set.digest();
    let all = change_set.steps.len();
    let lost = change_set.irreversible().count();
    let summary = match lost {
        0 => format!("{all} steps are planned, all of them can be taken back"),
        _ => format!("{all} steps are planned, {lost} of them cannot be taken back"),
    };
    let mut notice = Notice::new(Topic::Planned, now, place, &digest, summary);
    notice.details = change_set
        .steps
        .iter()
        .map(|step| format!("step {}: {} {}", step.id, step.action.verb(), step.title()))
        .collect();
    notice.next = format!("switchback plan {}", change_set.environment);
    notice.steps = Some(Counts { all, done: 0, failed: 0 });
    let missing = missing(&grounds.signing);
    let wanted = (!missing.is_empty()).then(|| outbox::wanted(place, now, (&digest, &missing)));
    for mut notice in std::iter::once(notice).chain(wanted) {
        notice.change_set = Some(digest);
        notice.actor = Some(session.actor.name.clone());
        notice.release = change_set.release.as_ref().map(|carried| carried.id.short());
        best_effort(session, &resolved.receivers, &notice);
    }
}

/// Says what is out of band. Drift is read-only, so the id follows from what was found: the same drift has the same id.
pub fn drift(session: &Session, state: &State, resolved: Option<&Resolved>, environment: &str, report: &Report) {
    let found: Vec<String> = report
        .departures
        .iter()
        .filter(|one| one.class == Class::OutOfBand)
        .map(|one| match &one.object {
            Some(object) => format!("{}, {object} {}", one.address, one.what.words()),
            None => format!("{} {}", one.address, one.what.words()),
        })
        .collect();
    if found.is_empty() {
        return;
    }
    let project = resolved.map_or("", |resolved| &*resolved.desired.project);
    let place = place(state, project, environment);
    // Values only enter by their digest: another value is another drift.
    let differences = Digest::of_json(&report.departures.iter().map(|one| &one.differences).collect::<Vec<_>>());
    let summary = format!("{environment} is not as it was applied: {} out of band", found.len());
    let mut notice = Notice::new(Topic::Drift, session.world.clock.now(), place, &(&found, differences), summary);
    notice.details = found;
    notice.next = format!("switchback drift {environment}");
    let receivers = resolved.map_or(&state.outbox.receivers, |resolved| &resolved.receivers);
    best_effort(session, receivers, &notice);
}

fn best_effort(session: &Session, receivers: &[Receiver], notice: &Notice) {
    let (_, troubles) = session.wait(post::all(session, letters(receivers, notice)));
    for trouble in troubles {
        session.terminal.say_as(Role::Warning, &trouble);
    }
}

fn letters<'a>(receivers: &'a [Receiver], notice: &Notice) -> Letters<'a> {
    receivers.iter().filter(|one| one.hears(notice.topic)).map(|one| (one, vec![notice.clone()])).collect()
}

fn place<'a>(state: &'a State, project: &'a str, environment: &'a str) -> Place<'a> {
    outbox::place(state).unwrap_or(Place { chain: "", project, environment })
}

/// What is missing, a line each; no words of others.
pub fn missing(signing: &Signing) -> Vec<String> {
    let open = signing.needed.iter().filter(|needed| !needed.is_given());
    let lines = open.map(|needed| {
        let who = if needed.by.is_empty() { "nobody".to_owned() } else { needed.by.join(" or ") };
        let digest = needed.digest.get(..12).map(|short| format!(" ({short})")).unwrap_or_default();
        format!(
            "{} for {}{digest}: {} of {}, {who} may sign",
            needed.class,
            needed.part,
            needed.counted(),
            needed.count
        )
    });
    let refused = signing.refused.iter().map(|refused| format!("{} was rejected by {}", refused.part, refused.by));
    lines.chain(refused).collect()
}
