//! What is to be rehearsed for a change set: one piece of work for each database with migrations to run. Pure.
//!
//! Invariant: it rests on the ledger, on what was observed and on the change set alone; a rollback needs no spec.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::address::Address;
use crate::ledger::Things;
use crate::ledger::state::DatabaseState;
use crate::migration::{Direction, Migration};
use crate::observe::Observed;
use crate::resolve::desired::DesiredDatabase;
use crate::step::{Action, ChangeSet, Step};
use crate::value::Value;
use crate::world::{Binding, History, RehearsalSettings};

/// The migrations of one database that are to be rehearsed.
#[derive(Clone, Debug)]
pub struct Work {
    /// The database.
    pub address: Address,
    /// What the spec says, or nothing at all.
    pub settings: RehearsalSettings,
    /// The server that the spec names.
    pub server: Option<Binding>,
    /// The database itself, unless the plan makes it.
    pub target: Option<Binding>,
    /// What is applied, in its order.
    pub applied: Vec<Arc<Migration>>,
    /// Whether the target's history is not explained by the ledger.
    pub adopted: bool,
    /// Whether no migration was left in the middle.
    pub is_whole: bool,
    /// What is to be rehearsed, one after the other.
    pub steps: Vec<(Direction, Arc<Migration>)>,
}

/// The work that a change set gives. `desired` are the databases of the spec, where there is one.
pub fn of(
    change_set: &ChangeSet,
    things: &Things,
    observed: &Observed,
    desired: &BTreeMap<Address, DesiredDatabase>,
) -> Vec<Work> {
    let mut found: Vec<Work> = Vec::new();
    for step in &change_set.steps {
        let Action::Migrate { direction, migration, from, .. } = &step.action else { continue };
        let place = found.iter().position(|work| work.address == step.address).unwrap_or_else(|| {
            found.push(begin(step, change_set, things, observed, desired.get(&step.address)));
            found.len() - 1
        });
        let work = &mut found[place];
        work.is_whole &= from.is_start();
        work.steps.push((*direction, Arc::new(Migration::clone(migration))));
    }
    let roles = roles(change_set, things);
    for work in &mut found {
        // Only those that are named, so that others may be called anything without another rehearsal.
        let texts: Vec<&Migration> =
            work.applied.iter().chain(work.steps.iter().map(|(_, one)| one)).map(|one| &**one).collect();
        let names = |role: &&String| {
            texts.iter().any(|one| one.up.contains(*role) || one.down.as_ref().is_some_and(|down| down.contains(*role)))
        };
        let named: Vec<String> = roles.iter().filter(names).cloned().collect();
        let missing = named.into_iter().filter(|role| !work.settings.roles.contains(role)).collect::<Vec<_>>();
        work.settings.roles.extend(missing);
    }
    found
}

/// The roles of the server that are ours: those that the ledger knows, and those that the change set makes.
fn roles(change_set: &ChangeSet, things: &Things) -> BTreeSet<String> {
    let made = change_set.steps.iter().filter(|step| step.action.kind() == Some("postgres_role"));
    let made = made.filter_map(|step| step.action.after());
    let known = things.resources.values().filter(|known| known.kind == "postgres_role").map(|known| &known.object);
    let names = made.chain(known).filter_map(|object| object.get("name").and_then(Value::as_str));
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn begin(
    step: &Step,
    change_set: &ChangeSet,
    things: &Things,
    observed: &Observed,
    desired: Option<&DesiredDatabase>,
) -> Work {
    let address = earlier_name(&step.address, change_set);
    let known = things.databases.get(&address).map(|database| database.applied.clone()).unwrap_or_default();
    let history = match observed.databases.get(&address) {
        Some(Some(history)) if !is_made_here(step, change_set) => Some(history),
        _ => None,
    };
    let (applied, adopted) = match history {
        Some(history) => {
            let aside = things.databases.get(&address).map(|database| &database.aside);
            let (mut applied, adopted) = applied(history, &known, desired);
            applied.extend(aside.into_iter().flat_map(BTreeMap::values).map(|aside| Arc::new(there_and_aside(aside))));
            applied.sort_by_key(|migration| migration.version);
            (applied, adopted)
        }
        None => (Vec::new(), false),
    };
    Work {
        address: step.address.clone(),
        settings: desired.map(|desired| desired.rehearsal.clone()).unwrap_or_default(),
        server: desired.and_then(|desired| desired.rehearsal_server.clone()),
        target: history.map(|_| step.binding.clone()),
        applied,
        adopted,
        is_whole: history.is_none_or(|history| history.partial.is_none()),
        steps: Vec::new(),
    }
}

/// The migrations whose things are in a database, as the ledger knows it: those that are applied, and those that were
/// taken back and left aside what they had added.
pub fn standing(database: &DatabaseState) -> Vec<Arc<Migration>> {
    let aside = database.aside.values().map(|aside| Arc::new(there_and_aside(aside)));
    let mut standing: Vec<Arc<Migration>> = database.applied.values().cloned().chain(aside).collect();
    standing.sort_by_key(|migration| migration.version);
    standing
}

/// What was run and taken back, and left what it had added aside: as one text.
fn there_and_aside(aside: &Migration) -> Migration {
    let set_aside = aside.text(Direction::Down).unwrap_or_default();
    let up = format!("{}\n;\n{set_aside}", aside.up);
    Migration { up, down: None, kept: None, ..aside.clone() }
}

/// The address under which the ledger still knows what the change set renames.
fn earlier_name(address: &Address, change_set: &ChangeSet) -> Address {
    let renames = change_set.steps.iter().filter(|step| step.address == *address);
    let mut from =
        renames.filter_map(|step| if let Action::Move { from, .. } = &step.action { Some(from) } else { None });
    from.next_back().unwrap_or(address).clone()
}

/// Whether the change set makes, or makes again, what a database lives in.
fn is_made_here(step: &Step, change_set: &ChangeSet) -> bool {
    change_set.steps.iter().any(|other| {
        step.needs.contains(&other.address)
            && other.action.kind() == Some("postgres_database")
            && matches!(other.action, Action::Create { .. } | Action::Revise { .. } | Action::Delete { .. })
    })
}

/// What is applied, as the history says; and whether the ledger does not explain all of it.
fn applied(
    history: &History,
    known: &BTreeMap<i64, Arc<Migration>>,
    desired: Option<&DesiredDatabase>,
) -> (Vec<Arc<Migration>>, bool) {
    let files = desired.map(|desired| desired.migrations.as_slice()).unwrap_or_default();
    let versions: BTreeSet<i64> = history.rows.iter().map(|row| row.version).collect();
    let adopted = versions.iter().any(|version| !known.contains_key(version));
    let text = |version: &i64| {
        let file = || files.iter().find(|file| file.version == *version).map(|file| Arc::new(file.clone()));
        known.get(version).cloned().or_else(file)
    };
    (versions.iter().filter_map(text).collect(), adopted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::HistoryRow;
    use crate::step::{Fingerprint, Inverse, Operation, Reason, Standing, StepId, Way};

    fn address() -> Address {
        Address::root("database", "app")
    }

    fn migration(version: i64) -> Migration {
        Migration::plain(version, "m", "create table t ()", Some("drop table t"))
    }

    fn step(id: u32, address: Address, action: Action, needs: BTreeSet<Address>) -> Step {
        Step {
            id: StepId(id),
            address,
            binding: Binding { provider: "postgres".to_owned(), ..Binding::default() },
            action,
            reason: Reason::New,
            inverse: Inverse::Exact { way: Way::Delete },
            after: BTreeSet::new(),
            rests_on: BTreeMap::new(),
            found: Fingerprint::Unasked,
            needs,
            needs_schema: BTreeMap::new(),
            ahead: BTreeSet::new(),
        }
    }

    fn migrate(version: i64) -> Action {
        Action::Migrate {
            direction: Direction::Up,
            migration: Box::new(migration(version)),
            lock_timeout_milliseconds: 1,
            from: crate::migration::position::Position::default(),
        }
    }

    fn change_set(steps: Vec<Step>) -> ChangeSet {
        ChangeSet {
            format: crate::step::FORMAT,
            project: "p".to_owned(),
            environment: "e".to_owned(),
            operation: Operation::Apply,
            chain: None,
            spec_digest: None,
            steps,
            point_of_no_return: None,
            checks: Vec::new(),
            outputs: BTreeMap::new(),
            standing: Standing::default(),
            approval_rules: None,
            owed: BTreeSet::new(),
            with_schema: false,
            release: None,
            images: Default::default(),
            gates: Default::default(),
            origins: BTreeMap::new(),
        }
    }

    fn pending(version: i64) -> ChangeSet {
        change_set(vec![step(1, address(), migrate(version), BTreeSet::new())])
    }

    /// A ledger that knows these versions, and a history that has those.
    fn found(known: &[i64], rows: &[i64]) -> (Things, Observed) {
        let mut things = Things::default();
        let state = crate::ledger::state::DatabaseState {
            binding: Binding::default(),
            applied: known.iter().map(|version| (*version, Arc::new(migration(*version)))).collect(),
            needs: BTreeSet::new(),
            lock_timeout_milliseconds: 1,
            ahead: BTreeSet::new(),
            partial: None,
            kept: BTreeMap::new(),
            aside: BTreeMap::new(),
            born: crate::step::Birth::default(),
            told: crate::migration::told::Told::default(),
        };
        things.databases.insert(address(), state);
        let row =
            |version: &i64| HistoryRow { version: *version, spelling: None, name: "m".to_owned(), checksum: None };
        let history = History { rows: rows.iter().map(row).collect(), ..History::default() };
        let observed = Observed { databases: BTreeMap::from([(address(), Some(history))]), ..Observed::default() };
        (things, observed)
    }

    fn only(change_set: &ChangeSet, (things, observed): &(Things, Observed)) -> Work {
        let mut work = of(change_set, things, observed, &BTreeMap::new());
        assert_eq!(work.len(), 1);
        work.remove(0)
    }

    fn versions(work: &Work) -> Vec<i64> {
        work.applied.iter().map(|migration| migration.version).collect()
    }

    #[test]
    fn what_the_ledger_explains_is_replayed_and_what_it_does_not_is_adopted() {
        let explained = only(&pending(3), &found(&[1, 2], &[1, 2]));
        assert_eq!((versions(&explained), explained.adopted), (vec![1, 2], false));
        assert!(explained.target.is_some() && explained.is_whole);
        let adopted = only(&pending(3), &found(&[2], &[1, 2]));
        assert_eq!((versions(&adopted), adopted.adopted), (vec![2], true));
        let less = only(&pending(3), &found(&[1, 2], &[1]));
        assert_eq!((versions(&less), less.adopted), (vec![1], false), "the history says what is applied");
    }

    #[test]
    fn a_database_that_the_plan_makes_has_no_target_and_nothing_applied() {
        let home = Address::root("postgres_database", "app");
        let create =
            Action::Create { kind: "postgres_database".to_owned(), after: BTreeMap::new(), deferred: BTreeMap::new() };
        let steps = vec![
            step(1, home.clone(), create, BTreeSet::new()),
            step(2, address(), migrate(1), BTreeSet::from([home])),
            step(3, address(), migrate(2), BTreeSet::new()),
        ];
        let made = only(&change_set(steps), &found(&[1], &[1]));
        assert!(made.target.is_none() && made.applied.is_empty() && !made.adopted);
        assert_eq!(made.steps.len(), 2);
    }

    #[test]
    fn roles_of_ours_that_the_migrations_name_are_made_for_the_rehearsal() {
        let role = |id: u32, name: &str| {
            let after = BTreeMap::from([("name".to_owned(), Value::from(name))]);
            let create = Action::Create { kind: "postgres_role".to_owned(), after, deferred: BTreeMap::new() };
            step(id, Address::root("postgres_role", name), create, BTreeSet::new())
        };
        let mut grants = migrate(1);
        if let Action::Migrate { migration, .. } = &mut grants {
            migration.up = "create table t (); grant select on t to reader".to_owned();
        }
        let steps = vec![role(1, "reader"), role(2, "other"), step(3, address(), grants, BTreeSet::new())];
        assert_eq!(only(&change_set(steps), &found(&[], &[])).settings.roles, ["reader"]);
    }

    #[test]
    fn a_migration_left_in_the_middle_leaves_no_schema_to_compare() {
        let mut broken = pending(2);
        if let Action::Migrate { from, .. } = &mut broken.steps[0].action {
            from.statements = 1;
        }
        assert!(!only(&broken, &found(&[1], &[1])).is_whole);
    }

    #[test]
    fn what_is_renamed_is_known_by_its_earlier_name() {
        let new = Address::root("database", "shop");
        let rename = Action::Move { from: address(), needed_by: BTreeSet::new() };
        let steps =
            vec![step(1, new.clone(), rename, BTreeSet::new()), step(2, new.clone(), migrate(2), BTreeSet::new())];
        let work = only(&change_set(steps), &found(&[1], &[1]));
        assert_eq!((work.address.clone(), versions(&work)), (new, vec![1]));
    }
}
