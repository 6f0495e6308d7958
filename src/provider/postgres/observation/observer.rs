//! Tells from beside what each statement of a session does. Talks to the server.
//!
//! Invariant: relations that only the running transaction can see are left out: nobody waits for those.
//!
//! Of a statement that runs in a transaction everything is read before its end. Of one that cannot, the locks on tables
//! are sampled while brakes keep it waiting; those on indexes are too brief for that, and left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error};

use super::brakes::Brakes;
use super::state::{Held, Moment, Names, held, names};
use crate::migration::observation::{LockMode, Observation};
use crate::migration::statements::Statement;
use crate::provider::postgres::connection::open;
use crate::provider::postgres::errors::world_error;
use crate::provider::postgres::settings::Target;
use crate::world::WorldError;

/// The longest time for which a brake keeps a statement that does not wait.
const LONGEST_BRAKE: Duration = Duration::from_millis(500);
/// Between two looks at a statement's locks.
const PAUSE: Duration = Duration::from_millis(2);

/// Watches one session from another one.
pub struct Observer {
    target: Target,
    beside: Arc<Client>,
    process: i32,
    begun: Option<Begun>,
}

/// Where a statement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// In the transaction that the session is in; it goes on afterwards.
    Transaction,
    /// By itself: in a transaction of its own where that is possible, which is committed.
    Itself,
}

/// Why there is no observation.
#[derive(Debug, thiserror::Error)]
pub enum Missed {
    /// The statement failed.
    #[error("the statement failed: {0}")]
    Statement(Error),
    /// It ran or not; the observer failed.
    #[error(transparent)]
    Observer(#[from] WorldError),
}

/// How things were before a statement.
struct Begun {
    names: Names,
    before: Moment,
    way: Way,
}

/// How a statement is looked at.
enum Way {
    /// In a transaction, whether it is one of its own, with the locks that were held before.
    Inside { own: bool, held: Held },
    /// Outside: somebody samples.
    Outside(Sampling),
}

/// Somebody who samples, until told to stop.
struct Sampling {
    over: Arc<AtomicBool>,
    task: JoinHandle<Result<BTreeSet<(i64, LockMode)>, Error>>,
}

impl Drop for Sampling {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn failed(error: Error) -> WorldError {
    world_error("observe a statement", &error)
}

impl Observer {
    /// Opens a session beside this one, which is to be observed. Both are of the same database, which nobody else uses.
    ///
    /// # Errors
    /// As the way to the server or the server says.
    pub async fn of(target: &Target, session: &Client) -> Result<Self, WorldError> {
        // Whoever looks on needs the rights of the login, not those of the role that the text runs in.
        let target = Target { set_role: None, ..target.clone() };
        let beside = Arc::new(open(&target).await?);
        let process = session.query_one("select pg_catalog.pg_backend_pid()", &[]).await.map_err(failed)?.get(0);
        Ok(Self { target, beside, process, begun: None })
    }

    /// Gives up what was begun: its statement did not run to the end.
    pub fn forget(&mut self) {
        self.begun = None;
    }

    /// Runs a statement, the one with this number of its text, and tells what it did.
    ///
    /// # Errors
    /// When the statement fails, or cannot be observed.
    pub async fn run(
        &mut self,
        session: &Client,
        number: usize,
        statement: &Statement,
        within: Within,
    ) -> Result<Observation, Missed> {
        self.before(session, statement, within).await?;
        match session.batch_execute(&statement.text).await {
            Ok(()) => Ok(self.after(session, number, statement).await?),
            Err(error) => {
                if within == Within::Itself && session.batch_execute("rollback").await.is_err() {
                    tracing::debug!("the transaction ended with its session");
                }
                self.begun = None;
                Err(Missed::Statement(error))
            }
        }
    }

    /// Looks how things are before a statement, which is sent next; begins a transaction for one that runs by itself and
    /// may have one.
    ///
    /// # Errors
    /// As the server says.
    pub async fn before(&mut self, session: &Client, statement: &Statement, within: Within) -> Result<(), WorldError> {
        self.begun = None;
        let names = names(&self.beside).await.map_err(failed)?;
        if within == Within::Itself && statement.refuses_transaction().is_some() {
            let before = Moment::of(&self.beside).await.map_err(failed)?;
            let sampling = self.sample(&names, statement).await?;
            self.begun = Some(Begun { names, before, way: Way::Outside(sampling) });
            return Ok(());
        }
        let own = within == Within::Itself;
        if own {
            session.batch_execute("begin").await.map_err(failed)?;
        }
        let before = Moment::of(session).await.map_err(failed)?;
        let held = held(&self.beside, self.process).await.map_err(failed)?;
        self.begun = Some(Begun { names, before, way: Way::Inside { own, held } });
        Ok(())
    }

    /// Tells what the statement did that has just run; commits its transaction if it has one of its own.
    ///
    /// # Errors
    /// As the server says.
    pub async fn after(
        &mut self,
        session: &Client,
        number: usize,
        statement: &Statement,
    ) -> Result<Observation, WorldError> {
        let Begun { names, before, way } = self.begun.take().expect("`before` was called for this statement");
        let mut found = Observation {
            statement: number,
            line: statement.line,
            excerpt: statement.excerpt(),
            ..Observation::default()
        };
        match way {
            Way::Inside { own, held: held_before } => {
                let held_after = held(&self.beside, self.process).await.map_err(failed)?;
                let after = Moment::of(session).await.map_err(failed)?;
                if own {
                    session.batch_execute("commit").await.map_err(failed)?;
                }
                let taken = held_after.modes.difference(&held_before.modes).copied();
                found.locks = locks(&names, taken, true);
                // An emptied table has a new file, and nothing in it that could be read.
                let empties = statement.starts_with(&["truncate"]);
                files(&mut found, &names, &before, &after, empties);
                if !empties {
                    scans(&mut found, &names, &before, &after);
                }
            }
            Way::Outside(mut sampling) => {
                sampling.over.store(true, Ordering::Relaxed);
                let seen =
                    (&mut sampling.task).await.expect("nobody ends it, and it does not panic").map_err(failed)?;
                let after = Moment::of(&self.beside).await.map_err(failed)?;
                found.locks = locks(&names, seen, false);
                found.outside = true;
                files(&mut found, &names, &before, &after, false);
            }
        }
        Ok(found)
    }

    async fn sample(&self, names: &Names, statement: &Statement) -> Result<Sampling, WorldError> {
        let sessions = [open(&self.target).await?, open(&self.target).await?, open(&self.target).await?];
        let brakes = Brakes::on(sessions, names, statement).await.map_err(failed)?;
        let over = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(sample(Arc::clone(&self.beside), self.process, brakes, Arc::clone(&over)));
        Ok(Sampling { over, task })
    }
}

/// Gathers the locks of a session, and releases one brake after the other when it waits.
async fn sample(
    beside: Arc<Client>,
    process: i32,
    mut brakes: Brakes,
    over: Arc<AtomicBool>,
) -> Result<BTreeSet<(i64, LockMode)>, Error> {
    let mut seen = BTreeSet::new();
    let mut released = Instant::now();
    let mut waited = 0_u32;
    while !over.load(Ordering::Relaxed) {
        let Held { modes, waits } = held(&beside, process).await?;
        seen.extend(modes);
        // Seen waiting twice, it has asked for all that it can get before the next brake goes.
        waited = if waits { waited + 1 } else { 0 };
        if waited >= 2 || released.elapsed() > LONGEST_BRAKE {
            brakes.release().await?;
            (released, waited) = (Instant::now(), 0);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(seen)
}

/// The strongest of these locks on each relation. On an index, those that keep nobody waiting are left out: whoever looks
/// at a table looks into its indexes.
fn locks(
    names: &Names,
    taken: impl IntoIterator<Item = (i64, LockMode)>,
    with_indexes: bool,
) -> BTreeMap<String, LockMode> {
    let mut found = BTreeMap::new();
    for (oid, mode) in taken {
        let Some(known) = names.get(&oid) else { continue };
        if known.is_index() && (!with_indexes || mode < LockMode::ShareUpdateExclusive) {
            continue;
        }
        let strongest = found.entry(known.name.clone()).or_insert(mode);
        *strongest = mode.max(*strongest);
    }
    found
}

/// New files: of a table, it is written anew; of an index, it is built.
fn files(found: &mut Observation, names: &Names, before: &Moment, after: &Moment, empties: bool) {
    let old: BTreeSet<i64> = before.files.values().copied().collect();
    for (oid, file) in after.files.iter().filter(|(_, file)| !old.contains(file)) {
        if let Some((index, table)) = after.indexes.get(oid) {
            if let Some(table) = names.get(table).filter(|_| !empties) {
                found.builds.entry(table.name.clone()).or_default().insert(index.clone());
                found.scans.insert(table.name.clone());
            }
        } else if let Some(known) = names.get(oid).filter(|known| known.holds_rows()) {
            let had_one = before.files.get(oid).is_some_and(|before| before != file);
            if had_one {
                found.rewrites.insert(known.name.clone());
            }
            // A materialized view is filled from elsewhere; a table is written anew from its own rows.
            if had_one && !empties && known.kind == "r" {
                found.scans.insert(known.name.clone());
            }
        }
    }
}

/// Tables that the transaction read from their beginning; and both tables of a foreign key that was checked, however the
/// planner went about it: in empty tables it may not even look at the second one.
fn scans(found: &mut Observation, names: &Names, before: &Moment, after: &Moment) {
    let rows = |oid: &i64| names.get(oid).filter(|known| known.holds_rows()).map(|known| known.name.clone());
    found.scans.extend(after.scans.keys().filter(|oid| after.scanned_since(before, **oid)).filter_map(rows));
    for (_, (table, other)) in after.keys.iter().filter(|(oid, _)| !before.keys.contains_key(oid)) {
        if after.read_since(before, *table) && (after.read_since(before, *other) || before.bare.contains(other)) {
            found.scans.extend([table, other].into_iter().filter_map(rows));
        }
    }
}
