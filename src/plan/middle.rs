//! What comes first about a migration that was left in the middle. Pure.
//!
//! Invariant: what was done is neither done again nor forgotten: it is gone on with where the text is still wanted, and
//! taken back where that is certain; otherwise nothing is planned, and it is said why.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::migration::class::{going_on, taking_back};
use crate::migration::position::{Partial, Position};
use crate::migration::{Direction, Migration};

/// One migration to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Leg {
    /// Which way.
    pub direction: Direction,
    /// The migration.
    pub migration: Arc<Migration>,
    /// How much of it is there.
    pub from: Position,
}

impl Leg {
    /// All of a migration.
    pub fn whole(direction: Direction, migration: &Arc<Migration>) -> Self {
        Self { direction, migration: Arc::clone(migration), from: Position::default() }
    }
}

/// What comes first; takes it out of what is to be run afterwards.
///
/// # Errors
/// Why it can only be finished as it was begun.
pub fn first(
    partial: &Partial,
    wanted: &BTreeMap<i64, Arc<Migration>>,
    down: &mut Vec<Arc<Migration>>,
    up: &mut Vec<Arc<Migration>>,
) -> Result<Leg, String> {
    let version = partial.migration.version;
    let is_it = |migration: &Arc<Migration>| migration.version == version;
    let same = |one: &&Arc<Migration>| {
        let text = |migration: &Migration| migration.text(partial.direction).map(str::to_owned);
        one.name == partial.migration.name && text(one) == text(&partial.migration) && one.up == partial.migration.up
    };
    let goes_on = wanted.get(&version).filter(same);
    let begun = Arc::new(partial.migration.clone());
    let leg = match (partial.direction, goes_on) {
        (Direction::Up, Some(migration)) => Ok((Direction::Up, Arc::clone(migration), partial.position.clone())),
        (Direction::Up, None) => taking_back(&begun, &partial.position, &[])
            .map(|_| (Direction::Down, Arc::clone(&begun), partial.position.clone())),
        (Direction::Down, goes_on) => {
            let undone = partial.position.statements;
            let there = goes_on.and_then(|migration| {
                let there = going_on(migration, undone, &partial.from, &[]).ok()?;
                Some((Direction::Up, Arc::clone(migration), there))
            });
            Ok(there.unwrap_or_else(|| (Direction::Down, Arc::clone(&begun), partial.from.clone())))
        }
    };
    let (direction, migration, from) = leg?;
    down.retain(|migration| !is_it(migration));
    match (direction, wanted.get(&version)) {
        (Direction::Up, _) => up.retain(|migration| !is_it(migration)),
        (Direction::Down, Some(wanted)) if !up.iter().any(is_it) => {
            up.push(Arc::clone(wanted));
            up.sort_by_key(|migration| migration.version);
        }
        (Direction::Down, _) => {}
    }
    Ok(Leg { direction, migration, from })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: &str = "create table a (); create table b (); create index concurrently i on c (d)";
    const DOWN: &str = "drop index concurrently i; drop table b; drop table a";

    fn of(partial: &Partial, wanted: &[&Migration]) -> Result<(Leg, usize), String> {
        let wanted = wanted.iter().map(|one| (one.version, Arc::new((*one).clone()))).collect::<BTreeMap<_, _>>();
        let (mut down, mut up) = (Vec::new(), wanted.values().cloned().collect::<Vec<_>>());
        let leg = first(partial, &wanted, &mut down, &mut up)?;
        assert_eq!(down, []);
        Ok((leg, up.len()))
    }

    fn left(direction: Direction, statements: usize, down: &str) -> Partial {
        let migration = Migration::plain(3, "three", UP, Some(down));
        Partial { migration, direction, position: Position::after(statements), from: Position::default() }
    }

    #[test]
    fn what_is_still_wanted_goes_on() {
        let partial = left(Direction::Up, 2, DOWN);
        let (leg, rest) = of(&partial, &[&partial.migration]).unwrap();
        assert_eq!((leg.direction, leg.from, rest), (Direction::Up, Position::after(2), 0));
        let partial = left(Direction::Down, 1, DOWN);
        let (leg, rest) = of(&partial, &[&partial.migration]).unwrap();
        assert_eq!((leg.direction, leg.from, rest), (Direction::Up, Position::after(2), 0));
    }

    #[test]
    fn what_is_not_is_taken_back() {
        let partial = left(Direction::Up, 2, DOWN);
        assert_eq!(of(&partial, &[]).unwrap().0.direction, Direction::Down);
        let altered = Migration { up: "select 1".to_owned(), ..partial.migration.clone() };
        let (leg, rest) = of(&partial, &[&altered]).unwrap();
        assert_eq!((leg.direction, leg.migration.up.as_str(), rest), (Direction::Down, UP, 1));
        let partial = left(Direction::Down, 1, DOWN);
        let (leg, _) = of(&partial, &[]).unwrap();
        assert_eq!((leg.direction, leg.from), (Direction::Down, Position::default()));
    }

    #[test]
    fn what_cannot_be_turned_is_finished_first() {
        let why = of(&left(Direction::Up, 2, "drop table b, a; drop index i"), &[]).unwrap_err();
        assert!(why.contains("is certain to take back just"), "{why}");
        // The way back is finished, and then the whole way is gone anew.
        let odd = left(Direction::Down, 1, "drop table b, a; drop index i");
        let (leg, rest) = of(&odd, &[&odd.migration]).unwrap();
        assert_eq!((leg.direction, rest), (Direction::Down, 1));
    }
}
