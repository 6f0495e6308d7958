//! The things of a schema with the statements that make, alter and drop them, as the server itself writes them. Talks to
//! the server.
//!
//! Invariant: nothing here judges; what the queries do not know is found missing by the fingerprint.

use std::collections::BTreeMap;

use tokio_postgres::{Client, Row};

use super::errors::{refused, world_error};
use super::fingerprint::HIDDEN;
use super::quoting::literal;
use crate::migration::difference::schema::{Class, Facet, Id, Item, Schema};
use crate::world::WorldError;

const ITEMS: &str = include_str!("definitions/items.sql");
const FACETS: &str = include_str!("definitions/facets.sql");
const LINKS: &str = include_str!("definitions/links.sql");

/// As for a fingerprint: under an empty search path every name comes out with its schema.
const SETTINGS: &str = "begin isolation level repeatable read read only; set local search_path = ''; \
    set local timezone = 'UTC'; set local datestyle = 'ISO'; set local intervalstyle = 'postgres'; \
    set local extra_float_digits = 1; set local quote_all_identifiers = off; set local jit = off";

/// A row of a catalog, or a part of it: catalog, row, column.
type Place = (u32, u32, i32);

/// Where things are in the catalogs.
#[derive(Default)]
struct Places {
    ids: BTreeMap<Place, Id>,
    /// What stands for what: the row type for its table, the index for its constraint.
    aliases: BTreeMap<Place, Place>,
}

impl Places {
    /// The thing that a row stands for; a part that is none by itself is the whole.
    fn find(&self, place: Place) -> Option<&Id> {
        let (mut catalog, mut object, mut part) = place;
        // A row type leads to its table, an array to its members' type: never far.
        for _ in 0..4 {
            let exact = self.ids.get(&(catalog, object, part)).or_else(|| self.ids.get(&(catalog, object, 0)));
            if exact.is_some() {
                return exact;
            }
            (catalog, object, part) = *self.aliases.get(&(catalog, object, 0))?;
        }
        None
    }
}

/// Reads the schema of the database that the session is in.
///
/// # Errors
/// As the server says.
pub async fn read(client: &Client) -> Result<Schema, WorldError> {
    let failed = |error| world_error("read the definitions of the schema", &error);
    client.batch_execute(SETTINGS).await.map_err(failed)?;
    let items = client.query(ITEMS, &[&HIDDEN]).await.map_err(failed)?;
    let facets = client.query(FACETS, &[]).await.map_err(failed)?;
    let links = client.query(LINKS, &[]).await.map_err(failed)?;
    client.batch_execute("commit").await.map_err(failed)?;
    let mut schema = Schema::default();
    let mut places = Places::default();
    let mut spoken = BTreeMap::new();
    for row in &items {
        let (item, said) = item(row)?;
        places.ids.insert((row.get(9), row.get(10), row.get(11)), item.id.clone());
        spoken.insert(item.id.clone(), said);
        schema.items.insert(item.id.clone(), item);
    }
    for row in links.iter().filter(|row| row.get::<_, String>(0) == "is") {
        places.aliases.insert(place(row, 1), place(row, 4));
    }
    for row in &facets {
        add_facet(&mut schema, &places, row);
    }
    for row in &links {
        add_link(&mut schema, &places, &spoken, row);
    }
    Ok(schema)
}

fn place(row: &Row, at: usize) -> Place {
    (row.get(at), row.get(at + 1), row.get(at + 2))
}

fn item(row: &Row) -> Result<(Item, String), WorldError> {
    let (class, name): (String, String) = (row.get(0), row.get(1));
    let Some(class) = Class::named(&class) else {
        let help = "report this, with the object";
        return Err(refused("read the definitions of the schema", format!("{class} {name} is of no class"), help));
    };
    let parent: Option<String> = row.get(7);
    let item = Item {
        id: Id { class, name },
        made: row.get(3),
        body: row.get(4),
        shape: row.get(5),
        dropped: row.get(6),
        parent: parent.as_deref().and_then(Id::read),
        place: row.get(8),
        labels: Vec::new(),
        facets: BTreeMap::new(),
        needs: std::collections::BTreeSet::new(),
    };
    Ok((item, row.get(2)))
}

fn add_facet(schema: &mut Schema, places: &Places, row: &Row) {
    let at = place(row, 0);
    // Of what stands for something else, only the index of a constraint has facets of its own.
    let id = places.ids.get(&at).or_else(|| places.find(at).filter(|id| id.class == Class::Constraint));
    let Some(item) = id.cloned().and_then(|id| schema.items.get_mut(&id)) else { return };
    let takes: String = row.get(5);
    let facet =
        Facet { gives: row.get(4), takes: Some(takes).filter(|takes| !takes.is_empty()), is_within: row.get(6) };
    item.facets.insert(row.get(3), facet);
}

fn add_link(schema: &mut Schema, places: &Places, spoken: &BTreeMap<Id, String>, row: &Row) {
    let at = place(row, 1);
    let text: Option<String> = row.get(7);
    match (row.get::<_, String>(0).as_str(), text) {
        ("needs", _) => {
            let (Some(id), Some(need)) = (places.find(at), places.find(place(row, 4))) else { return };
            if id != need
                && let Some(item) = schema.items.get_mut(id)
            {
                item.needs.insert(need.clone());
            }
        }
        ("comment", Some(text)) => {
            // That of an extension comes with it; of the columns of views the facets know.
            let Some(id) = places.ids.get(&at).filter(|id| id.class != Class::Extension) else { return };
            let Some(item) = schema.items.get_mut(id) else { return };
            let on = &spoken[id];
            let facet = Facet {
                gives: format!("COMMENT ON {on} IS {}", literal(&text).trim_start()),
                takes: Some(format!("COMMENT ON {on} IS NULL")),
                is_within: false,
            };
            item.facets.insert("comment".to_owned(), facet);
        }
        ("label", Some(text)) => {
            if let Some(item) = places.ids.get(&at).cloned().and_then(|id| schema.items.get_mut(&id)) {
                item.labels.push(text);
            }
        }
        _ => {}
    }
}
