//! `switchback hold`: what must not be applied again by automation. Recorded.
//!
//! Invariant: a hold is set and lifted under the lease, and only with a reason.

use clap::ValueEnum;
use serde::Serialize;

use crate::cli::carry::{Hold, Intention};
use crate::cli::confirm::Consent;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::report::shown_time;
use crate::cli::session::{Session, quoted};
use crate::cli::terminal::View;
use crate::digest::Digest;
use crate::ledger::{Body, State};
use crate::review::text::Paint;
use crate::review::words::harmless;

const AFTER_HELP: &str = "\
Examples:
  switchback hold prod list                            what is held, since when and why
  switchback hold prod set --reason \"incident 42\"      hold the spec that is in force
  switchback hold prod lift 3f9a1c20 --reason \"fixed\"  let it be applied again

Where an environment does not allow `up`, a rollback holds what it took back, so that a CI does
not redo it: the same spec is refused (exit 8), anything newer goes through.";

/// What must not be applied again by automation
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
    /// What to do
    #[arg(value_name = "WHAT", value_enum)]
    what: What,
    /// The digest of a spec, or its beginning; else the one that is in force, or the only one that is held
    #[arg(value_name = "SPEC")]
    spec: Option<String>,
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// What to do about holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Show them
    List,
    /// Hold a spec
    Set,
    /// Lift a hold
    Lift,
}

#[derive(Serialize)]
struct Holds {
    environment: String,
    holds: Vec<HoldView>,
}

/// One hold.
#[derive(Clone, Debug, Serialize)]
pub struct HoldView {
    /// The spec.
    pub spec: Digest,
    /// The run that was taken back, if it was by a rollback.
    pub run: Option<u64>,
    /// The release that was taken back, and its tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Since when.
    pub since: String,
    /// Why.
    pub reason: String,
}

impl HoldView {
    /// All that an environment holds.
    pub fn all(state: &State) -> Vec<Self> {
        let holds = state.holds.iter();
        holds
            .map(|(spec, hold)| Self {
                spec: *spec,
                run: hold.run,
                release: state.release_held(spec, hold),
                since: shown_time(hold.since),
                reason: hold.reason.clone(),
            })
            .collect()
    }

    /// In one line.
    pub fn line(&self) -> String {
        let release = self.release.as_ref().map(|release| format!("  {release}")).unwrap_or_default();
        format!("{}{}  since {}: {}", self.spec.short(), harmless(&release), self.since, harmless(&self.reason))
    }
}

/// Runs the verb.
///
/// # Errors
/// When the spec or the reason is missing, or the ledger cannot be written.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let environment = &arguments.environment;
    let ledger = session.known_ledger(environment)?;
    if arguments.what != What::List {
        let reason = arguments.reason.clone().filter(|reason| !reason.trim().is_empty()).ok_or_else(|| {
            Failure::usage("a hold is set and lifted with `--reason TEXT`, which is recorded; nothing was done")
        })?;
        let intention = Intention { environment, project: None, verb: "hold" };
        let mut hold = Hold::open(session, intention, Consent::Given)?;
        hold.secure()?;
        match body(arguments, session, hold.ledger.state(), reason)? {
            Some(body) => {
                let lifted = lifted(hold.ledger.state(), &body);
                session.wait(hold.ledger.append(session.world.clock.now(), vec![body]))?;
                lifted.iter().for_each(|line| session.terminal.say(line));
            }
            None => session.terminal.say("there is nothing to lift"),
        }
        session.terminal.show(&Holds { environment: environment.clone(), holds: HoldView::all(hold.ledger.state()) });
        return Ok(Exit::Done);
    }
    session.terminal.show(&Holds { environment: environment.clone(), holds: HoldView::all(ledger.state()) });
    Ok(Exit::Done)
}

/// What is said of a hold that is lifted.
fn lifted(state: &State, body: &Body) -> Option<String> {
    let Body::Lifted { spec_digest, .. } = body else { return None };
    let hold = HoldView::all(state).into_iter().find(|hold| hold.spec == *spec_digest)?;
    Some(format!("lifted: {}", hold.line()))
}

/// What is to be recorded; nothing when nothing is held that could be lifted.
fn body(arguments: &Arguments, session: &Session, state: &State, reason: String) -> Result<Option<Body>, Failure> {
    let prefix = arguments.spec.as_deref();
    if arguments.what == What::Lift {
        if state.holds.is_empty() {
            return Ok(None);
        }
        let environment = &arguments.environment;
        let lift = |digest: &Digest| {
            let typed = format!("hold {environment} lift {} --reason {}", digest.short(), quoted(&reason));
            let hold = state.holds.get(digest).map(|hold| hold.reason.as_str()).unwrap_or_default();
            format!("{}   # {}", session.command(&typed), harmless(hold))
        };
        let spec_digest = chosen(prefix, state.holds.keys().copied().collect(), "held", &lift)?;
        return Ok(Some(Body::Lifted { spec_digest, reason }));
    }
    let Some(prefix) = prefix else {
        let in_force = state.spec_in_force().ok_or_else(|| {
            Failure::failed("no spec is in force that could be held; nothing was done").help("name one by its digest")
        })?;
        return Ok(Some(Body::Held { spec_digest: in_force, run: None, reason }));
    };
    let spec_digest = match prefix.parse::<Digest>() {
        Ok(digest) => digest,
        Err(_) => {
            let mut known: Vec<Digest> = state.runs.iter().filter_map(|run| run.change_set.spec_digest).collect();
            known.sort_unstable();
            known.dedup();
            let set = |digest: &Digest| {
                let environment = &arguments.environment;
                session.command(&format!("hold {environment} set {} --reason {}", digest.short(), quoted(&reason)))
            };
            chosen(Some(prefix), known, "ever applied", &set)?
        }
    };
    Ok(Some(Body::Held { spec_digest, run: None, reason }))
}

/// The one that begins like this, or the only one; `typed` is what names one of several.
fn chosen(
    prefix: Option<&str>,
    among: Vec<Digest>,
    which: &str,
    typed: &dyn Fn(&Digest) -> String,
) -> Result<Digest, Failure> {
    let fits = |digest: &Digest| prefix.is_none_or(|prefix| digest.to_string().starts_with(prefix));
    let found: Vec<Digest> = among.into_iter().filter(fits).collect();
    let named = prefix.map(|prefix| format!(" that begins with `{prefix}`")).unwrap_or_default();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(Failure::usage(format!("no spec is {which}{named}; nothing was done"))),
        several => {
            let names: Vec<String> = several.iter().map(Digest::short).collect();
            let summary = format!("more than one spec is {which}{named}: {}; nothing was done", names.join(", "));
            Err(several.iter().fold(Failure::usage(summary), |failure, digest| failure.help(typed(digest))))
        }
    }
}

impl View for Holds {
    fn text(&self, _paint: &dyn Paint) -> String {
        if self.holds.is_empty() {
            return format!("nothing is held in {}\n", self.environment);
        }
        self.holds.iter().map(|hold| format!("{}\n", hold.line())).collect()
    }
}
