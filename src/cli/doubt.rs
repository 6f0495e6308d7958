//! A step in doubt: before, after and now side by side. Reads the world if it may.
//!
//! Invariant: the world is only looked at; nothing is recorded, and nobody's session is ended.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;

use super::asking::asker;
use super::report::shown_time;
use super::session::Session;
use crate::apply::Found;
use crate::ledger::state::Intent;
use crate::ledger::{Ledger, Run, StepState};
use crate::migration::Direction;
use crate::plan::compare::Comparer;
use crate::review::difference::{Shown, between};
use crate::review::words::harmless;
use crate::secret::Secrets;
use crate::step::{Action, Step, StepId};
use crate::value::Object;
use crate::value::seal::seal_object;

/// How long the world may take to answer one look.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A step in doubt.
#[derive(Clone, Debug, Serialize)]
pub struct Doubt {
    /// Its number.
    pub step: StepId,
    /// What people call it.
    pub title: String,
    /// When it was begun.
    pub since: String,
    /// What there is now, in words; or why nobody could look.
    pub now: String,
    /// Whether the world was looked at.
    pub looked: bool,
    /// What differs between before, after and now.
    pub sides: Vec<Side>,
    /// What will be found when it is settled, as far as a look can tell.
    #[serde(skip)]
    pub supposed: Supposed,
}

/// One attribute from its three sides; what is absent is null.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// The attribute, and the way into it.
    pub path: String,
    /// As it was.
    pub before: Option<Shown>,
    /// As it was to be.
    pub after: Option<Shown>,
    /// As it is; nothing when nobody could look.
    pub now: Option<Shown>,
}

/// What a look suggests.
#[derive(Clone, Debug, PartialEq)]
pub enum Supposed {
    /// It was done, and this is there.
    Done(Object),
    /// It was not done.
    NotDone,
    /// It cannot be told.
    Unknown,
}

/// Whether the world may be looked at, and with which secrets.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// Where secrets come from.
    pub secrets: &'a dyn Secrets,
    /// Why it is not looked at, if so.
    pub unasked: Option<&'a str>,
}

/// Everything in doubt about a run.
pub async fn doubts(session: &Session, ledger: &Ledger, run: &Run, look: &Look<'_>) -> Vec<Doubt> {
    let asker = asker(session, look.secrets);
    join_all(run.open().map(|(step, intent)| {
        let asker = &asker;
        async move {
            let found = match look.unasked {
                Some(why) => Err(why.to_owned()),
                None => {
                    let looking = tokio::time::timeout(PATIENCE, asker.look(ledger, step, intent)).await;
                    let found = looking.map_err(|_| format!("it did not answer within {} s", PATIENCE.as_secs()));
                    found.and_then(|found| found.map_err(|error| format!("it cannot be asked: {error}")))
                }
            };
            doubt(session, ledger, step, intent, found)
        }
    }))
    .await
}

fn doubt(session: &Session, ledger: &Ledger, step: &Step, intent: &Intent, found: Result<Found, String>) -> Doubt {
    let before = intent.before.as_ref().or(step.action.before());
    let after = intent.after.as_ref().or(step.action.after());
    let seal_key = ledger.state().seal_key();
    let looked = found.is_ok();
    let (now, sides, supposed) = match found {
        Err(why) => (why, sides(before, after, None), Supposed::Unknown),
        Ok(Found::Nothing) => ("it is about the ledger alone".to_owned(), Vec::new(), Supposed::Done(Object::new())),
        Ok(Found::Migration(is_there)) => migration(step, is_there),
        Ok(Found::Thing(found)) => {
            let likeness = likeness(session, ledger, step, before, after, found.as_ref());
            let supposed = likeness.suppose(step, found.as_ref().map(|object| seal_object(object, seal_key)));
            let known = |name: &String| before.into_iter().chain(after).any(|object| object.contains_key(name));
            let now = found.map(|mut object| {
                object.retain(|name, _| known(name));
                seal_object(&object, seal_key)
            });
            let mut sides = sides(before, after, Some(now.as_ref()));
            if likeness == Likeness::After {
                sides.retain(tells_something);
            }
            (likeness.words().to_owned(), sides, supposed)
        }
    };
    Doubt { step: step.id, title: step.title(), since: shown_time(intent.since), now, looked, sides, supposed }
}

fn migration(step: &Step, is_there: bool) -> (String, Vec<Side>, Supposed) {
    let words = match is_there {
        true => "the history of the database has it",
        false => "the history of the database does not have it",
    };
    let up = matches!(&step.action, Action::Migrate { direction: Direction::Up, .. });
    let text =
        |applied: bool| Some(Shown::Known(serde_json::Value::from(if applied { "applied" } else { "not applied" })));
    let side = Side { path: "history".to_owned(), before: text(!up), after: text(up), now: text(is_there) };
    let supposed = if up == is_there { Supposed::Done(Object::new()) } else { Supposed::NotDone };
    (words.to_owned(), vec![side], supposed)
}

/// What a thing is like now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Likeness {
    Absent,
    Before,
    After,
    Neither,
}

impl Likeness {
    fn words(self) -> &'static str {
        match self {
            Self::Absent => "it is not there",
            Self::Before => "it is as before",
            Self::After => "it is as planned",
            Self::Neither => "it is neither as before nor as planned",
        }
    }

    fn suppose(self, step: &Step, now: Option<Object>) -> Supposed {
        let is_new = matches!(step.action, Action::Create { .. });
        match (&step.action, self) {
            (Action::Create { .. } | Action::Revise { .. } | Action::Update { .. }, Self::After) => {
                Supposed::Done(now.unwrap_or_default())
            }
            (Action::Create { .. } | Action::Revise { .. } | Action::Update { .. }, Self::Before) => Supposed::NotDone,
            (_, Self::Absent) if is_new => Supposed::NotDone,
            (Action::Return { .. } | Action::Retire { .. } | Action::Delete { .. }, Self::Absent) => {
                Supposed::Done(Object::new())
            }
            (Action::Return { .. } | Action::Retire { .. } | Action::Delete { .. }, _) => Supposed::NotDone,
            _ => Supposed::Unknown,
        }
    }
}

fn likeness(
    session: &Session,
    ledger: &Ledger,
    step: &Step,
    before: Option<&Object>,
    after: Option<&Object>,
    now: Option<&Object>,
) -> Likeness {
    let Some(now) = now else {
        return Likeness::Absent;
    };
    let Some(kind) = step.action.kind().and_then(|kind| session.kinds.get(kind)) else {
        return Likeness::Neither;
    };
    let comparer = Comparer { kind, key: ledger.state().seal_key() };
    let is_like = |like: Option<&Object>| {
        let known = like.map(|like| {
            let known = like.iter().filter(|(_, value)| value.is_known());
            known.map(|(name, value)| (name.clone(), value.clone())).collect::<Object>()
        });
        known.is_some_and(|known| comparer.differences(&known, now, Some(&known)).is_empty())
    };
    match (is_like(after), is_like(before)) {
        (true, _) => Likeness::After,
        (false, true) => Likeness::Before,
        (false, false) => Likeness::Neither,
    }
}

/// The leaves in which the three sides are not all alike.
fn sides(before: Option<&Object>, after: Option<&Object>, now: Option<Option<&Object>>) -> Vec<Side> {
    let mut sides: BTreeMap<String, Side> = BTreeMap::new();
    for difference in between(before, after).attributes {
        let (path, now) = (difference.path, difference.before.clone().filter(|_| now.is_some()));
        sides.insert(path.clone(), Side { path, before: difference.before, after: difference.after, now });
    }
    for difference in now.map(|now| between(before, now).attributes).unwrap_or_default() {
        let (path, before, now) = (difference.path, difference.before, difference.after);
        let after = before.clone();
        sides.entry(path.clone()).or_insert(Side { path, before, after, now: None }).now = now;
    }
    sides.into_values().collect()
}

/// Of a thing that is as planned: what the plan says nothing of, and what is as it was, is a default of the world.
fn tells_something(side: &Side) -> bool {
    side.after.is_some() || side.now != side.before
}

impl Doubt {
    /// As a person reads it, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("begun {}; now: {}", self.since, harmless(&self.now))];
        let shown = |side: &Option<Shown>| side.as_ref().map_or("(none)".to_owned(), ToString::to_string);
        for side in &self.sides {
            let now = if self.looked { shown(&side.now) } else { "(not known)".to_owned() };
            let (before, after) = (shown(&side.before), shown(&side.after));
            lines.push(harmless(&format!("{}: before {before}, after {after}, now {now}", side.path)));
        }
        lines
    }
}

/// Whether a step is in doubt, and why, for its line; `waits` when its run is parked.
pub fn why(state: &StepState, waits: bool) -> Option<String> {
    match state {
        StepState::Doubted(_, error) => Some(error.to_string()),
        StepState::Intended(_) if waits => {
            Some("it was begun and goes on; `resume` asks the world how far it is".to_owned())
        }
        StepState::Intended(_) => {
            Some("it was begun and nobody heard its end; the next command asks the world".to_owned())
        }
        StepState::Done { .. } | StepState::Stood(..) | StepState::Failed { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_that_the_plan_does_not_speak_of_is_not_told_of_what_is_as_planned() {
        let object = |values: &[(&str, i64)]| -> Object {
            values.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
        };
        let before = object(&[("grace", 0), ("revision", 1), ("limit", 5)]);
        let after = object(&[("revision", 2)]);
        let now = object(&[("grace", 0), ("revision", 2)]);
        let mut all = sides(Some(&before), Some(&after), Some(Some(&now)));
        let paths = |sides: &[Side]| -> Vec<String> { sides.iter().map(|side| side.path.clone()).collect() };
        assert_eq!(paths(&all), ["grace", "limit", "revision"]);
        all.retain(tells_something);
        assert_eq!(paths(&all), ["limit", "revision"], "what was removed is told");
    }
}
