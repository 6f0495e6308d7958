//! Gathers what `drift` compares: the world, the schemas that the ledger's migrations make, the plan of the spec. Reads
//! the world.
//!
//! Invariant: nothing here writes to the world or the ledger; what cannot be looked at is told, never passed over.

use std::collections::BTreeSet;

use super::progress::Lines;
use super::session::{Resolved, Session};
use crate::address::Address;
use crate::diagnostic::{Diagnostics, Severity};
use crate::drift::known::Known;
use crate::drift::resources::Sight;
use crate::drift::{Area, Departure, Report, Unseen, What, declared, history, resources, schema};
use crate::ledger::state::DatabaseState;
use crate::ledger::{Ledger, State, Things};
use crate::observe::{self, Known as Objects, Observed, Subject, connect};
use crate::rehearse::work;
use crate::secret::Secrets;
use crate::step::Action;
use crate::world::{Binding, Compared, Connection, RehearsalJob, SchemaSite, WorldError};

/// Whether schemas are compared object by object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schemas {
    /// They are.
    Compared,
    /// Only the histories of their migrations.
    LeftOut,
}

/// An environment as it is looked at.
pub struct View<'a> {
    /// Its ledger.
    pub ledger: &'a Ledger,
    /// Its spec, where there is one.
    pub resolved: Option<&'a Resolved>,
    /// Where secrets come from.
    pub secrets: &'a dyn Secrets,
}

impl View<'_> {
    /// Looks at everything that the ledger records and the spec names; and what could not be looked at.
    pub async fn look(&self, session: &Session) -> (Observed, Vec<Unseen>) {
        let things = &self.ledger.state().things;
        let desired = self.resolved.map(|resolved| &resolved.desired);
        let mut subject = Subject::of(desired, things, &session.kinds);
        if let Some(resolved) = self.resolved {
            subject = subject.and_imports(&resolved.desired, &resolved.refactoring.imports, things);
        }
        let (observed, errors) = observe::observe(&session.world, &session.kinds, self.secrets, &subject).await;
        let unseen = errors.iter().map(|(address, error)| unseen(self.area(session, address), address, error));
        (observed, unseen.collect())
    }

    fn area(&self, session: &Session, address: &Address) -> Area {
        let recorded = self.ledger.state().things.resources.get(address).map(|recorded| &*recorded.kind);
        let desired = || Some(&*self.resolved?.desired.resources.get(address)?.kind);
        recorded.or_else(desired).map_or(Area::Schema, |kind| Area::of(&session.kinds, kind))
    }

    /// How the spec reaches a database, or who applied last.
    fn binding<'b>(&'b self, address: &Address, recorded: &'b DatabaseState) -> &'b Binding {
        let desired = self.resolved.and_then(|resolved| resolved.desired.databases.get(address));
        desired.map_or(&recorded.binding, |desired| &desired.binding)
    }

    /// A database whose schema is compared.
    ///
    /// # Errors
    /// When a secret of the connection is not at hand; nothing, while it is not known where it is.
    pub fn site(&self, address: &Address, recorded: &DatabaseState) -> Result<Option<SchemaSite>, WorldError> {
        let objects = known_objects(&self.ledger.state().things);
        let known = Objects { objects: &objects, secrets: self.secrets };
        let connection = connect(self.binding(address, recorded), &known)?;
        // Only who it is counts, so secrets are not asked for.
        let Binding { provider, alias, settings, .. } = recorded.binding.clone();
        let migrated_by = Some(Connection { provider, alias, settings });
        Ok(connection.map(|connection| SchemaSite { connection, migrated_by }))
    }
}

/// The things of a ledger, as it records them.
pub fn known_objects(things: &Things) -> std::collections::BTreeMap<Address, crate::value::Object> {
    things.resources.iter().map(|(address, resource)| (address.clone(), resource.object.clone())).collect()
}

/// What could not be looked at.
pub fn unseen(area: Area, address: &Address, error: &WorldError) -> Unseen {
    Unseen { area, address: address.to_string(), why: error.to_string(), help: error.help.clone() }
}

/// Everything that is not as it should be.
pub async fn report(session: &Session, view: &View<'_>, schemas: Schemas) -> (Report, Diagnostics) {
    let state = view.ledger.state();
    let desired = view.resolved.map(|resolved| &resolved.desired);
    let known = Known { state, spec: desired.map(|desired| desired.spec_digest) };
    let (observed, unseen) = view.look(session).await;
    let mut report = Report { departures: known.of_the_ledger(), unseen };
    let sight = Sight { kinds: &session.kinds, known, desired, observed: &observed };
    report.departures.extend(resources::departures(sight));
    for (address, recorded) in &state.things.databases {
        let Some(found) = observed.databases.get(address) else { continue };
        report.departures.extend(history::departures(address, recorded, found.as_ref()));
        if schemas == Schemas::Compared && found.is_some() {
            compare_schema(session, view, (address, recorded), &mut report).await;
        }
    }
    let mut diagnostics = Diagnostics::default();
    if let Some(resolved) = view.resolved {
        let wish = declared::Wish {
            desired: &resolved.desired,
            refactoring: &resolved.refactoring,
            kinds: &session.kinds,
            secrets: &*resolved.secrets,
        };
        let (departures, said) = declared::departures(wish, known, &observed);
        report.departures.extend(departures);
        report.unseen.extend(refused(&said));
        diagnostics = said;
    }
    report.sort();
    (report, diagnostics)
}

/// What the spec asks for that no plan can be made of.
fn refused(diagnostics: &Diagnostics) -> impl Iterator<Item = Unseen> {
    let errors = diagnostics.0.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    errors.map(|diagnostic| Unseen {
        area: Area::Ledger,
        address: "spec".to_owned(),
        why: match &diagnostic.detail {
            Some(detail) => format!("{}: {detail}", diagnostic.summary),
            None => diagnostic.summary.clone(),
        },
        help: diagnostic.help.clone(),
    })
}

async fn compare_schema(
    session: &Session,
    view: &View<'_>,
    (address, recorded): (&Address, &DatabaseState),
    report: &mut Report,
) {
    if is_in_the_middle(view.ledger.state(), address, recorded) {
        let because =
            "a migration was left in the middle, so no texts make what is there; its objects are not compared";
        let departure = Departure::out_of_band(Area::Schema, address, What::Unfinished);
        return report.departures.push(departure.expected(Some(because.to_owned())));
    }
    let mut blind = |why: String, help: Option<String>| {
        report.unseen.push(Unseen { area: Area::Schema, address: address.to_string(), why, help });
    };
    let without = || Some("`--without-schema` compares everything else".to_owned());
    let site = match view.site(address, recorded) {
        Ok(Some(site)) => site,
        Ok(None) => return blind("it is not known where it is".to_owned(), None),
        Err(error) => return blind(error.to_string(), error.help),
    };
    let Some(rehearsals) = &session.world.rehearsals else {
        return blind("this build cannot compare schemas: it was made without the feature `postgres`".to_owned(), None);
    };
    let job = job(session, view, (address, recorded), site.connection);
    let migrated_by = site.migrated_by.as_ref();
    match rehearsals.departures(&job, migrated_by, &Lines(&session.terminal)).await {
        Ok(Compared::Told(told)) if told.is_empty() || recorded.told.is_plain() => {
            report.departures.extend(schema::departures(address, &told));
        }
        Ok(Compared::Told(_)) => {
            let why = "it was adopted, and what was there before its migrations is not known to the ledger";
            blind(why.to_owned(), without());
        }
        Ok(Compared::Untold(why)) => {
            blind(format!("the schema cannot be made again to compare with: {why}"), without());
        }
        Err(error) => blind(error.to_string(), error.help),
    }
}

/// Whether a migration was left in the middle, as the ledger says.
fn is_in_the_middle(state: &State, address: &Address, recorded: &DatabaseState) -> bool {
    let runs = state.unfinished().is_some_and(|run| {
        let mut open = run.open().chain(run.stood()).map(|(step, _)| step);
        open.any(|step| step.address == *address && matches!(step.action, Action::Migrate { .. }))
    });
    recorded.partial.is_some() || runs
}

fn job(
    session: &Session,
    view: &View<'_>,
    (address, recorded): (&Address, &DatabaseState),
    target: Connection,
) -> RehearsalJob {
    let desired = view.resolved.and_then(|resolved| resolved.desired.databases.get(address));
    let mut settings = desired.map(|desired| desired.rehearsal.clone()).unwrap_or_default();
    let resources = view.ledger.state().things.resources.values();
    let ours = resources.filter(|one| one.kind == "postgres_role" && session.kinds.get(&one.kind).is_some());
    let names: BTreeSet<String> = ours
        .filter_map(|one| one.object.get("name")?.as_str().map(str::to_owned))
        .filter(|name| !settings.roles.contains(name))
        .collect();
    settings.roles.extend(names);
    RehearsalJob {
        settings,
        server: None,
        target: Some(target),
        applied: work::standing(recorded),
        adopted: false,
        steps: Vec::new(),
    }
}
