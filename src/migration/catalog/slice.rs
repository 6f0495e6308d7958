//! The part of a catalog that a statement is about. Pure.
//!
//! Invariant: what is in a slice is there as a whole; what a statement may touch beside what it names (families, partners by
//! foreign key, indexes, views) is among it.

use std::collections::BTreeSet;

use super::{Catalog, Relation};
use crate::migration::statements::{Statement, TokenSort};

/// How many relations a slice holds at most: more than that nobody names.
const MOST: usize = 400;

/// The names in a statement: every word that may be one.
pub fn names(statement: &Statement) -> BTreeSet<&str> {
    let is_name = |sort: TokenSort| sort != TokenSort::Sign;
    statement.tokens.iter().filter(|token| is_name(token.sort)).map(|token| token.text.as_str()).collect()
}

/// Whether anything that a catalog says matters for a statement.
pub fn matters(statement: &Statement) -> bool {
    const FIRST: [&str; 11] =
        ["create", "alter", "drop", "truncate", "update", "delete", "reindex", "cluster", "vacuum", "refresh", "lock"];
    const NOTHING: [&str; 12] = [
        "function",
        "procedure",
        "schema",
        "extension",
        "role",
        "user",
        "database",
        "policy",
        "cast",
        "operator",
        "event",
        "comment",
    ];
    let second = statement.tokens.get(1);
    FIRST.iter().any(|word| statement.starts_with(&[word]))
        && !second.is_some_and(|token| NOTHING.iter().any(|word| token.is(word)))
}

impl Catalog {
    /// What of it a statement is about.
    #[must_use]
    pub fn slice(&self, statement: &Statement) -> Self {
        let said = names(statement);
        let domains: BTreeSet<&String> =
            self.domains.keys().filter(|name| said.contains(bare(name).as_str())).collect();
        let mut found: BTreeSet<&str> = BTreeSet::new();
        for (name, relation) in self.relations.iter().filter(|(name, _)| said.contains(bare(name).as_str())) {
            self.near(name, relation, &mut found);
        }
        for domain in &domains {
            found.extend(self.users_of_domain(domain));
        }
        let relations = self.relations.iter().filter(|(name, relation)| {
            let table = relation.index.as_ref().map(|index| index.table.as_str());
            found.contains(name.as_str()) || table.is_some_and(|table| found.contains(table))
        });
        let relations: std::collections::BTreeMap<_, _> =
            relations.take(MOST).map(|(name, relation)| (name.clone(), relation.clone())).collect();
        let used =
            |name: &str| relations.values().any(|one| one.columns.values().any(|column| column.type_name == name));
        let domains = self.domains.iter().filter(|(name, _)| domains.contains(name) || used(name));
        Self {
            domains: domains.map(|(name, domain)| (name.clone(), domain.clone())).collect(),
            relations,
            search_path: self.search_path.clone(),
            utc: self.utc,
            ..Self::default()
        }
    }

    /// A relation and what is near to it: its table, partners, parents and all that is below one of these.
    fn near<'a>(&'a self, name: &'a str, relation: &'a Relation, found: &mut BTreeSet<&'a str>) {
        let table = relation.index.as_ref().map_or(name, |index| index.table.as_str());
        let Some(relation) = self.relations.get(table) else { return };
        let out =
            relation.constraints.values().filter_map(|one| one.references.as_ref().map(|(other, _)| other.as_str()));
        let into = self.references_to(table).map(|(other, ..)| other);
        let parents = relation.parents.iter().map(String::as_str);
        let views = relation.seen_by.keys().map(String::as_str);
        for other in out.chain(into).chain(parents).chain(views).chain([table, name]) {
            found.extend(self.family(other));
        }
    }
}

/// A name without its schema and quotes.
fn bare(name: &str) -> String {
    let mut quoted = false;
    let mut start = 0;
    for (at, letter) in name.char_indices() {
        quoted ^= letter == '"';
        if letter == '.' && !quoted {
            start = at + 1;
        }
    }
    let last = &name[start..];
    match last.strip_prefix('"').and_then(|inside| inside.strip_suffix('"')) {
        Some(inside) => inside.replace("\"\"", "\""),
        None => last.to_owned(),
    }
}
