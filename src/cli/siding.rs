//! Gathers what `diff` compares: two environments as they are. Reads the world.
//!
//! Invariant: nothing here writes to the world or the ledgers; what cannot be looked at is told, never passed over.

use super::drifting::{Schemas, View, unseen};
use super::session::Session;
use crate::drift::sides::{Apart, Side, compare, schemas};
use crate::drift::{Area, Unseen};
use crate::observe::Observed;
use crate::world::{SchemaSite, WorldError};

/// What came of comparing two environments.
pub struct Compared {
    /// Everything in which they differ.
    pub apart: Vec<Apart>,
    /// What could not be looked at, by environment.
    pub unseen: Vec<(String, Unseen)>,
}

/// An environment of the two.
pub struct Place<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its ledger, spec and secrets.
    pub view: View<'a>,
}

/// Compares two environments.
pub async fn sides(session: &Session, left: &Place<'_>, right: &Place<'_>, how: Schemas) -> Compared {
    let ((one, blind), (other, also_blind)) = tokio::join!(left.view.look(session), right.view.look(session));
    let named = |place: &Place<'_>, unseen: Vec<Unseen>| -> Vec<(String, Unseen)> {
        unseen.into_iter().map(|unseen| (place.name.to_owned(), unseen)).collect()
    };
    let mut unseen = named(left, blind);
    unseen.extend(named(right, also_blind));
    let mut apart = compare(&session.kinds, side(left, &one), side(right, &other));
    if how == Schemas::Compared {
        compare_schemas(session, (left, &one), (right, &other), &mut apart, &mut unseen).await;
    }
    apart.sort_by(|one, other| {
        let key = |apart: &Apart| (apart.area, apart.address.clone(), apart.object.clone());
        key(one).cmp(&key(other))
    });
    Compared { apart, unseen }
}

fn side<'a>(place: &'a Place<'_>, observed: &'a Observed) -> Side<'a> {
    Side { name: place.name, things: &place.view.ledger.state().things, observed }
}

async fn compare_schemas(
    session: &Session,
    (left, one): (&Place<'_>, &Observed),
    (right, other): (&Place<'_>, &Observed),
    apart: &mut Vec<Apart>,
    blind: &mut Vec<(String, Unseen)>,
) {
    let Some(rehearsals) = &session.world.rehearsals else { return };
    let is_there = |observed: &Observed, address| matches!(observed.databases.get(address), Some(Some(_)));
    for (address, recorded) in &left.view.ledger.state().things.databases {
        let Some(counterpart) = right.view.ledger.state().things.databases.get(address) else { continue };
        if !is_there(one, address) || !is_there(other, address) {
            continue;
        }
        let mut site = |place: &Place<'_>, site: Result<Option<SchemaSite>, WorldError>| match site {
            Ok(site) => site,
            Err(error) => {
                blind.push((place.name.to_owned(), unseen(Area::Schema, address, &error)));
                None
            }
        };
        let sites = (site(left, left.view.site(address, recorded)), site(right, right.view.site(address, counterpart)));
        let (Some(here), Some(there)) = sites else { continue };
        match rehearsals.tell_apart(&here, &there).await {
            Ok(told) => apart.extend(schemas(address, &told, (left.name, right.name))),
            Err(error) => {
                blind.push((format!("{} and {}", left.name, right.name), unseen(Area::Schema, address, &error)));
            }
        }
    }
}
