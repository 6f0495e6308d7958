//! The history of a database's migrations: the rows of its table beside what the ledger applied. Pure.
//!
//! Invariant: every row that the ledger does not explain is told, and every migration of the ledger without its row.

use super::{Area, Departure, What};
use crate::address::Address;
use crate::ledger::state::DatabaseState;
use crate::migration::Migration;
use crate::plan::mismatch::{Line, Standing, compare};
use crate::review::difference::{Difference, Shown};
use crate::world::History;

/// The rows that are not as recorded; nothing is found where the database is gone.
pub fn departures(address: &Address, recorded: &DatabaseState, found: Option<&History>) -> Vec<Departure> {
    let Some(history) = found else {
        return vec![Departure::out_of_band(Area::Schema, address, What::Missing)];
    };
    let applied: Vec<Migration> = recorded.applied.values().map(|migration| Migration::clone(migration)).collect();
    let lines = compare(&applied, history, &recorded.applied, &recorded.told);
    let mut departures: Vec<Departure> = lines.iter().filter_map(|line| of_row(address, line)).collect();
    departures.extend(middle(address, recorded, history));
    departures
}

fn of_row(address: &Address, line: &Line) -> Option<Departure> {
    let (what, told) = match &line.standing {
        Standing::Applied | Standing::Skipped => return None,
        Standing::Pending | Standing::Late { .. } => (What::Missing, None),
        Standing::Missing => (What::Extra, None),
        Standing::Altered | Standing::PendingAgain => {
            (What::Changed, Some(("checksum", "that of the text that was applied", "another one")))
        }
        Standing::Renamed { from } => (What::Changed, Some(("name", &*line.label, &**from))),
    };
    let shown = |text: &str| Some(Shown::Known(text.into()));
    let told = told.map(|(path, was, is)| Difference { path: path.to_owned(), before: shown(was), after: shown(is) });
    let object = format!("row of history {}", line.label);
    Some(Departure::out_of_band(Area::Schema, address, what).of(object).by(told.into_iter().collect()))
}

/// A migration that the database says is in the middle, and the ledger does not, or the other way round.
fn middle(address: &Address, recorded: &DatabaseState, history: &History) -> Option<Departure> {
    let known = recorded.partial.as_deref().map(|partial| partial.migration.label());
    let found = history.partial.as_ref().map(|partial| partial.migration.label());
    let (label, what, because) = match (known, found) {
        (None, None) => return None,
        (Some(known), Some(found)) if known == found => {
            (found, What::Unfinished, Some("the ledger knows that it was left in the middle".to_owned()))
        }
        (_, Some(found)) => (found, What::Extra, None),
        (Some(known), None) => (known, What::Missing, None),
    };
    let departure = Departure::out_of_band(Area::Schema, address, what);
    Some(departure.of(format!("migration in the middle {label}")).expected(because))
}
