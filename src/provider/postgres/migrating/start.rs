//! Where a migration begins: at its first statement, or where it was left. Pure.
//!
//! Invariant: nothing that is done is done again, and nothing that is not there is taken back.

use super::super::errors::refused;
use super::job::Job;
use super::progress::{Row, digest};
use crate::migration::Direction;
use crate::migration::class::{going_on, taking_back};
use crate::migration::position::Position;
use crate::world::{MigrationEffect, WorldError};

/// Where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The row as it has to be written first.
    pub row: Row,
    /// Whether that is what the database has already.
    pub is_written: bool,
    /// Whether anything was left in the middle: there is a row, which goes at the end.
    pub was_left: bool,
    /// Whether the history needs no change at the end: the migration was only taken back, or applied, in part.
    pub history_stays: bool,
}

/// Where it begins, given the row of what was left in the middle, and whether the history has the migration.
///
/// # Errors
/// When something else was left in the middle, or more or less of this than was planned with.
pub fn start(effect: &MigrationEffect, job: &Job, found: Option<&Row>, is_applied: bool) -> Result<Start, WorldError> {
    let (migration, direction) = (&effect.migration, effect.direction);
    let row = |position, from| Row {
        chain: effect.fence.chain().to_owned(),
        migration: migration.clone(),
        direction,
        position,
        from,
        under_way: None,
    };
    let history_stays = is_applied == (direction == Direction::Up);
    let Some(found) = found else {
        if !effect.from.is_start() {
            let help = "plan again: it was finished or taken back meanwhile";
            return Err(refused(&job.tried, "it is not in the middle any more", help));
        }
        let row = row(Position::default(), Position::default());
        return Ok(Start { row, is_written: false, was_left: false, history_stays });
    };
    let left = || describe(found);
    if found.migration.version != migration.version || found.migration.name != migration.name {
        let help = "finish that one first, or take it back: `resume` or `rollback`";
        return Err(refused(&job.tried, left(), help));
    }
    if found.digest() != digest(migration, found.direction) {
        let help = "put the text back as it was and go on, or take back what was done: `rollback`";
        return Err(refused(&job.tried, format!("{}, with another text", left()), help));
    }
    if found.direction == direction {
        return Ok(Start { row: found.clone(), is_written: true, was_left: true, history_stays });
    }
    let finish = |why: String| {
        let help = "finish it first (`resume`), then go the other way";
        refused(&job.tried, format!("{}, and {why}", left()), help)
    };
    let row = match direction {
        Direction::Up => {
            let there = going_on(migration, found.position.statements, &found.from, &[]).map_err(finish)?;
            row(there, Position::default())
        }
        Direction::Down => {
            if effect.from != found.position {
                let help = "plan again: the way back depends on how far it has got";
                return Err(refused(&job.tried, format!("{}, which is not what was planned with", left()), help));
            }
            let first = taking_back(migration, &found.position, &[]).map_err(finish)?;
            row(Position::after(first), found.position.clone())
        }
    };
    Ok(Start { row, is_written: false, was_left: true, history_stays })
}

/// `V3__index was left in the middle: 2 statements of the way up are done`.
pub fn describe(row: &Row) -> String {
    let (label, done) = (row.migration.label(), row.position.statements);
    let way = match row.direction {
        Direction::Up => "up",
        Direction::Down => "back",
    };
    format!("{label} was left in the middle: {done} statements of the way {way} are done")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::migration::Migration;
    use crate::world::{Content, Fence};

    const UP: &str = "-- switchback: transaction off\ncreate table a (); vacuum; create index concurrently i on b (c)";
    const DOWN: &str = "drop index i; drop table a";

    fn begin(
        direction: Direction,
        from: usize,
        left: Option<(Direction, usize)>,
        is_applied: bool,
    ) -> Result<Start, String> {
        let effect = MigrationEffect {
            token: String::new(),
            fence: Fence::open(),
            direction,
            migration: Migration::plain(1, "one", UP, Some(DOWN)),
            lock_timeout: Duration::from_secs(1),
            content: Content::Goes,
            from: Position::after(from),
        };
        let job = Job::read(&effect, "here").unwrap();
        let left = left.map(|(direction, statements)| Row {
            chain: String::new(),
            migration: effect.migration.clone(),
            direction,
            position: Position::after(statements),
            from: Position::default(),
            under_way: None,
        });
        start(&effect, &job, left.as_ref(), is_applied).map_err(|error| error.cause)
    }

    #[test]
    fn it_begins_where_it_was_left() {
        let at = |start: Start| (start.row.position.statements, start.is_written, start.was_left, start.history_stays);
        let fresh = begin(Direction::Up, 0, None, false).unwrap();
        assert_eq!(at(fresh), (0, false, false, false));
        let on = begin(Direction::Up, 0, Some((Direction::Up, 2)), false).unwrap();
        assert_eq!(at(on), (2, true, true, false));
        // The history does not have what was done in part only, and keeps what was taken back in part only.
        let back = begin(Direction::Down, 2, Some((Direction::Up, 2)), false).unwrap();
        assert_eq!((back.row.from.clone(), at(back)), (Position::after(2), (1, false, true, true)));
        let again = begin(Direction::Up, 0, Some((Direction::Down, 1)), true).unwrap();
        assert_eq!(at(again), (2, false, true, true));
        let undone = begin(Direction::Up, 0, Some((Direction::Down, 2)), true).unwrap();
        assert_eq!(at(undone), (0, false, true, true));
    }

    #[test]
    fn what_was_planned_otherwise_is_refused() {
        let moved = begin(Direction::Down, 1, Some((Direction::Up, 2)), false).unwrap_err();
        assert!(moved.contains("not what was planned with"), "{moved}");
        let over = begin(Direction::Down, 1, None, true).unwrap_err();
        assert!(over.contains("not in the middle any more"), "{over}");
    }
}
