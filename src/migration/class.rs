//! Judges how well a migration can be taken back: from its two texts, and from what a rehearsal proved. Pure.
//!
//! Invariant: nothing is called exact unless each statement of the one text is, in reverse order, the measured
//! inverse of one statement of the other, or a rehearsal showed it and nothing but the schema is at stake.

mod columns;
mod deed;
mod defaults;
mod content;
mod halves;
mod stake;
mod proof;

use std::collections::BTreeMap;
use std::sync::Arc;

use deed::{Deed, Sort, deeds};
use defaults::Defaults;

use super::addition::{Addition, Written};
use super::certificate::Certificate;
use super::{Direction, KeptWhen, Migration};
use crate::kind::Judgement;

pub use content::additions;
pub use halves::{going_on, taking_back};

/// How well this migration, run in this direction, can be taken back by running it in the other one.
pub fn judge(migration: &Migration, direction: Direction) -> Judgement {
    judge_among(migration, direction, &[])
}

/// The same, where it is known which migrations were run before it: they may tell what a default was.
pub fn judge_among(migration: &Migration, direction: Direction, earlier: &[Arc<Migration>]) -> Judgement {
    if direction == Direction::Up && is_by_construction(migration) {
        // By construction, until the first write to what it added.
        return Judgement::Exact;
    }
    match (direction, &migration.down) {
        (Direction::Up, None) => Judgement::Impossible(format!("no {}.down.sql", migration.label())),
        (Direction::Up, Some(down)) => match mirrored(&migration.up, down, earlier) {
            // Until the first write to what it added.
            Ok(_) => Judgement::Exact,
            Err(unproved) => Judgement::LosesData(unproved),
        },
        (Direction::Down, _) => judge_now(migration, earlier, &[], &BTreeMap::new()),
    }
}

/// Whether both of its texts are ours, made as each other's inverse.
fn is_by_construction(migration: &Migration) -> bool {
    migration.kept.as_ref().map_or(migration.derived, |kept| kept.when != KeptWhen::ThereByFile)
}

/// The same, after a rehearsal: the lower of what the texts imply and of what the certificate allows. What the texts
/// leave open is settled by it, as far as nothing but the schema is at stake, or rows were there to tell.
pub fn judge_rehearsed(migration: &Migration, earlier: &[Arc<Migration>], certificate: &Certificate) -> Judgement {
    let texts = match judge_among(migration, Direction::Up, earlier) {
        Judgement::LosesData(_) if proof::tells(certificate) => proof::settled(migration, Direction::Up, certificate),
        known => known,
    };
    proof::lower(texts, certificate.verdict.judgement())
}

/// How well a migration that is taken back can be run again, with what was found in what it added: `contents` are
/// its additions as [`additions`] gives them. What was not found out counts as written.
pub fn judge_now(
    migration: &Migration,
    earlier: &[Arc<Migration>],
    contents: &[Option<Addition>],
    found: &BTreeMap<Addition, Written>,
) -> Judgement {
    if migration.keeps_on_the_way_back() {
        // Whatever was written into it comes back when it is run again.
        return Judgement::Exact;
    }
    let known = match is_by_construction(migration) {
        true => deeds(&migration.up).map(|deeds| deeds.into_iter().map(|(deed, _)| deed).collect()),
        false => mirrored(&migration.up, migration.down.as_deref().unwrap_or_default(), earlier),
    };
    match known {
        Ok(deeds) => judge_contents(&deeds, contents, found),
        Err(unproved) => Judgement::LosesData(unproved),
    }
}

/// The same, after a rehearsal of the way down, up and down again.
pub fn judge_now_rehearsed(
    migration: &Migration,
    earlier: &[Arc<Migration>],
    contents: &[Option<Addition>],
    found: &BTreeMap<Addition, Written>,
    certificate: &Certificate,
) -> Judgement {
    let texts = judge_now(migration, earlier, contents, found);
    let is_known = || {
        is_by_construction(migration)
            || mirrored(&migration.up, migration.down.as_deref().unwrap_or_default(), earlier).is_ok()
    };
    let texts = if !proof::tells(certificate) || is_known() {
        texts
    } else {
        let made = deeds(&migration.up).unwrap_or_default().into_iter().map(|(deed, _)| deed).collect::<Vec<_>>();
        let settled = proof::lower(proof::settled(migration, Direction::Down, certificate), proof::gone(migration));
        proof::lower(settled, judge_contents(&made, contents, found))
    };
    proof::lower(texts, certificate.verdict.judgement())
}

/// What goes with the things that a migration made.
fn judge_contents(deeds: &[Deed], contents: &[Option<Addition>], found: &BTreeMap<Addition, Written>) -> Judgement {
    let mut contents = contents.iter();
    let (mut lost, mut anew) = (Vec::new(), Vec::new());
    for deed in deeds {
        let Some(content) = content::content(deed) else {
            anew.extend(remade(deed));
            continue;
        };
        let addition = contents.next().and_then(Option::as_ref);
        match addition.and_then(|addition| found.get(addition)) {
            Some(Written::Nothing) => {}
            Some(Written::Dressed) => anew.push(content.thing),
            Some(Written::Rows(count)) => lost.push(format!("{} ({count})", content.what)),
            Some(Written::Position) | None => lost.push(content.what),
            Some(Written::Untold(why)) => lost.push(format!("{} (not told: {why})", content.what)),
        }
    }
    match (lost.is_empty(), anew.is_empty()) {
        (false, _) => Judgement::LosesData(lost.join(", ")),
        (true, false) => {
            Judgement::Recreates(format!("made anew, without grants and comments given since: {}", anew.join(", ")))
        }
        (true, true) => Judgement::Exact,
    }
}

/// The deeds of `up`, if `down` undoes each of them, last one first; else what is not proved.
fn mirrored(up: &str, down: &str, earlier: &[Arc<Migration>]) -> Result<Vec<Deed>, String> {
    let done = deeds(up)?;
    let undone = deeds(down)?;
    let asks = |(deed, _): &(Deed, String)| matches!(deed, Deed::SetDefault { .. } | Deed::DropDefault { .. });
    let mut column_defaults = if done.iter().any(asks) { defaults_after(earlier) } else { Defaults::default() };
    let inverses: Vec<Option<Deed>> = done.iter().map(|(deed, _)| column_defaults.inverse(deed)).collect();
    let mut rest = undone.into_iter();
    for ((_, statement), inverse) in done.iter().zip(&inverses).rev() {
        let Some(inverse) = inverse else {
            return Err(format!("not proved: `{statement}` has no inverse that is known to be exact"));
        };
        match rest.next() {
            Some((found, _)) if found.undoes_as(inverse) => {}
            Some((_, found)) => {
                return Err(format!("not proved: `{found}` is not the inverse of `{statement}`"));
            }
            None => return Err(format!("not proved: nothing takes back `{statement}`")),
        }
    }
    match rest.next() {
        Some((_, found)) => Err(format!("not proved: `{found}` takes back nothing that was done")),
        None => Ok(done.into_iter().map(|(deed, _)| deed).collect()),
    }
}

/// The defaults that earlier migrations certainly left.
fn defaults_after(earlier: &[Arc<Migration>]) -> Defaults {
    let mut known = Defaults::default();
    for migration in earlier {
        match deeds(&migration.up) {
            Ok(deeds) => deeds.iter().for_each(|(deed, _)| drop(known.inverse(deed))),
            Err(_) => known = Defaults::default(),
        }
    }
    known
}

/// What comes back as another object of the same definition.
fn remade(deed: &Deed) -> Option<String> {
    let Deed::Create { sort, name, .. } = deed else {
        return None;
    };
    match sort {
        Sort::Index | Sort::Trigger | Sort::Policy | Sort::Statistics => None,
        Sort::Table
        | Sort::View
        | Sort::MaterializedView
        | Sort::Function
        | Sort::Procedure
        | Sort::Type
        | Sort::Domain
        | Sort::Schema
        | Sort::Sequence
        | Sort::Extension => Some(format!("{} {name}", sort.word())),
    }
}

#[cfg(test)]
mod tests;
