//! `switchback rehearse`: proves the migrations of a plan both ways, and prints what came out.

use serde::Serialize;

use crate::cli::arguments::Subject;
use crate::cli::certified::{self, Certified};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::images;
use crate::cli::plan_file::PlanFile;
use crate::cli::planning::{self, Proofs, Proved};
use crate::cli::session::Session;
use crate::cli::spec::{self, Brought};
use crate::cli::subject::Typed;
use crate::cli::terminal::View;
use crate::ledger::State;
use crate::plan::Options;
use crate::rehearse::{Effort, migrations};
use crate::review::TargetView;
use crate::review::grounds::Grounds;
use crate::review::text::Paint;
use crate::step::ChangeSet;

const AFTER_HELP: &str = "\
Examples:
  switchback rehearse dev             the pending migrations of dev
  switchback rehearse s.plan.json     those of a saved plan
  switchback rehearse dev --fresh     once more, whatever was proved before
  switchback rehearse dev --json      the certificates with every lock of every statement

Each migration goes its way, back, and its way again on a throw-away PostgreSQL that was brought
to the schema of the database; the database itself is only read. A server is taken from the
`rehearsal` block of the spec, else one that is installed here is started and removed again
(Debian: `apt-get install postgresql`). What was proved is kept, so that it costs nothing the
next time. Exit code 1 if a way back restores something else, fails or is missing; 9 if a
migration could not be rehearsed.";

/// Prove migrations both ways on a throw-away PostgreSQL
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Rehearse again what was proved before
    #[arg(long)]
    fresh: bool,
}

/// What was proved of the migrations of a change set.
#[derive(Serialize)]
struct Rehearsed {
    environment: String,
    result: Exit,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    targets: Vec<TargetView>,
    migrations: Vec<Certified>,
}

impl View for Rehearsed {
    fn text(&self, paint: &dyn Paint) -> String {
        if self.migrations.is_empty() {
            return format!("no migration is pending in {}\n", self.environment);
        }
        certified::text(&self.targets, &self.migrations, paint)
    }
}

/// Runs the verb.
///
/// # Errors
/// When the spec has mistakes, or the world or ledger cannot be read.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let effort = if arguments.fresh { Effort::Anew } else { Effort::Rehearse };
    let Proved { change_set, grounds, .. } = match Typed::read(session, &arguments.subject)? {
        Typed::Plan(file) => of_plan(session, *file, effort)?,
        Typed::Environment(environment) => {
            let resolved = session.resolve(&environment)?;
            let ledger = session.ledger(&environment)?;
            let resolved = images::pin_as_recorded(&session.kinds, ledger.state(), resolved);
            let options = Options::default();
            let proofs = Proofs::From(effort);
            session.wait(planning::plan(session, &ledger, &resolved, &options, proofs))?
        }
    };
    let rehearsed = rehearsed(&change_set, &grounds);
    session.terminal.show(&rehearsed);
    Ok(rehearsed.result)
}

/// The migrations of a saved plan, on the databases as they are now.
fn of_plan(session: &Session, file: PlanFile, effort: Effort) -> Result<Proved<ChangeSet>, Failure> {
    let change_set = file.change_set;
    let parcel = file.promotion.as_ref().map(|promotion| promotion.parcel.clone());
    let brought = Brought { carried: change_set.release.as_deref(), parcel, images: Some(&change_set.images) };
    let resolved = spec::checkout(session, &change_set.environment, change_set.spec_digest, brought);
    let ledger = session.ledger(&change_set.environment)?;
    let state: &State = ledger.state();
    let secrets = match &resolved {
        Some(resolved) => resolved.secrets.clone(),
        None => spec::secrets(session, state, Some(&change_set))?,
    };
    let desired = resolved.as_ref().map(|resolved| &resolved.desired);
    let grounds = session.wait(planning::prove(session, &ledger, desired, &change_set, &*secrets, effort))?;
    Ok(Proved { change_set, grounds, databases: std::collections::BTreeMap::new() })
}

fn rehearsed(change_set: &ChangeSet, grounds: &Grounds) -> Rehearsed {
    let Grounds { evidence, targets, .. } = grounds;
    let found: Vec<Certified> = migrations(change_set)
        .filter_map(|(step, direction, migration)| {
            let certificate = evidence.of(&step.address, migration.version)?.clone();
            let foretold = targets.foretold(&step.address, migration.version).cloned();
            let (database, title) = (Some(step.address.to_string()), step.title());
            let (step, version) = (Some(step.id), migration.version);
            Some(Certified { step, database, title, version, direction, certificate, foretold })
        })
        .collect();
    let (environment, result) = (change_set.environment.clone(), certified::result(&found));
    Rehearsed { environment, result, targets: TargetView::all(targets), migrations: found }
}
