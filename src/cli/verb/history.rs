//! `switchback history`: the runs of an environment. Read-only.

use std::path::PathBuf;

use serde::Serialize;

use crate::address::Address;
use crate::cli::audit;
use crate::cli::checks::CheckReport;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::signed::{self, Broken, Word};
use crate::cli::terminal::View;
use crate::cli::tested::TestsView;
use crate::digest::Digest;
use crate::ledger::{Run, RunResult, State};
use crate::release::{ReleaseId, Source};
use crate::review::text::{Paint, Role};
use crate::review::words::{self, harmless};
use crate::review::{Review, Summary};
use crate::step::{CheckResult, Operation};

pub use crate::cli::audit::changes::operation;

const AFTER_HELP: &str = "\
Examples:
  switchback history prod                    every run: number, when, what, by whom, how it ended
  switchback history prod --json             the same for a script
  switchback history prod --address aws_ecs_service.web
                                             who last changed it, in which run, from which commit
  switchback history prod --verify           that no record was altered, lost or put elsewhere
  switchback history prod --verify --head 5e1f…   and none at the end: every apply prints its head
  switchback history prod --export audit.jsonl    every record as a line of JSON

The number is what `switchback rollback ENV --to N` takes: the state right after that run.";

/// List the runs of an environment, or check and export what the ledger says
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
    /// Check that no record was altered, lost or put elsewhere; asks nobody but the ledger
    #[arg(long, conflicts_with_all = ["export", "address"])]
    verify: bool,
    /// With `--verify`: a head that was noted elsewhere, so that records missing at the end show
    #[arg(long, value_name = "HASH", requires = "verify")]
    head: Option<Digest>,
    /// Write every record as a line of JSON, with actor, SQL text, times and API operations
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", conflicts_with = "address")]
    export: Option<PathBuf>,
    /// Which run, commit and person changed this thing last, and before
    #[arg(long, value_name = "ADDRESS")]
    address: Option<Address>,
}

#[derive(Serialize)]
struct History {
    environment: String,
    runs: Vec<RunView>,
    /// Signatures and refusals.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signatures: Vec<Word>,
}

#[derive(Serialize)]
struct RunView {
    run: u64,
    /// The sequence of the record with which it began.
    record: u64,
    begun: String,
    ended: Option<String>,
    operation: Operation,
    actor: String,
    /// The version of the tool.
    tool: String,
    /// The commit of the checkout.
    commit: Option<String>,
    result: &'static str,
    verified: bool,
    taken_back: bool,
    /// The release that it brought, or that was made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<OfRelease>,
    done: usize,
    summary: Summary,
    /// What was asked, and how it came out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<CheckReport>,
    /// What tests found of what it left, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tests: Vec<TestsView>,
    /// Who signed it, as what and which part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signed: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broken_glass: Option<Broken>,
}

/// Runs the verb.
///
/// # Errors
/// When the ledger cannot be read, or nobody knows the environment.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let environment = &arguments.environment;
    if arguments.verify {
        return audit::verdict::show(session, environment, arguments.head);
    }
    if let Some(file) = &arguments.export {
        return audit::export::write(session, environment, file);
    }
    if let Some(address) = &arguments.address {
        return audit::changes::show(session, environment, address);
    }
    let ledger = session.known_ledger(environment)?;
    let state = ledger.state();
    let runs = state.runs.iter().map(|run| RunView::of(run, state)).collect();
    let signatures = Word::all(state);
    session.terminal.show(&History { environment: arguments.environment.clone(), runs, signatures });
    Ok(Exit::Done)
}

/// The release of a run.
#[derive(Serialize)]
struct OfRelease {
    id: ReleaseId,
    /// Whether it was made of this run; else it was brought by it, or ran already.
    made: bool,
    #[serde(flatten)]
    source: Option<Source>,
    tags: Vec<String>,
    accepted: Vec<String>,
}

impl OfRelease {
    fn of(run: &Run, state: &State) -> Option<Self> {
        let id = state.release_of(run)?;
        let carried = run.change_set.release.as_ref();
        let tags = state.releases.tags.iter().filter(|(_, tag)| tag.what.release == id);
        Some(Self {
            id,
            made: carried.is_none(),
            source: carried.and_then(|carried| carried.from.clone()),
            tags: tags.map(|(name, _)| name.clone()).collect(),
            accepted: state.releases.roles(id).into_iter().collect(),
        })
    }

    fn line(&self) -> String {
        let mut line = format!("release {}", self.id.short());
        line += &match &self.source {
            _ if self.made => ", made of it".to_owned(),
            None => ", which ran already".to_owned(),
            Some(Source { environment, run, tag, expedited, .. }) => {
                let tag = tag.as_ref().map(|tag| format!(", by tag {tag}")).unwrap_or_default();
                let haste = expedited.as_ref().map(|why| format!("; expedited: {why}")).unwrap_or_default();
                format!(", from run {run} of {environment}{tag}{haste}")
            }
        };
        if !self.tags.is_empty() {
            line += &format!("; tagged {}", self.tags.join(", "));
        }
        if !self.accepted.is_empty() {
            line += &format!("; accepted as {}", self.accepted.join(", "));
        }
        line
    }
}

impl RunView {
    fn of(run: &Run, state: &State) -> Self {
        let time = |at: jiff::Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Self {
            run: run.number,
            record: run.begun_at,
            begun: time(run.begun),
            ended: run.ended.map(|(_, at)| time(at)),
            operation: run.change_set.operation,
            actor: format!("{} on {}", run.actor.name, run.actor.host),
            tool: run.actor.tool.clone(),
            commit: run.actor.commit.clone(),
            result: result(run),
            verified: run.verified,
            taken_back: run.taken_back,
            release: OfRelease::of(run, state),
            done: run.done_count(),
            summary: Review::of(&run.change_set).summary,
            checks: CheckReport::all(run),
            tests: TestsView::all(state, run.number),
            signed: signed::by_whom(state, run.number),
            broken_glass: Broken::of(state, run.number),
        }
    }
}

/// How a run ended, in words.
pub fn result(run: &Run) -> &'static str {
    match (run.ended, &run.parked) {
        _ if run.taken_back => "taken back",
        (Some((RunResult::Complete, _)), _) if !run.change_set.owed.is_empty() => "complete but for what is owed",
        (Some((RunResult::Complete, _)), _) => "complete",
        (Some((RunResult::TakenBack, _)), _) => "given up, taken back",
        (Some((RunResult::WithoutEffect, _)), _) => "failed without effect",
        (None, Some(_)) => "waiting",
        (None, None) => "unfinished",
    }
}

/// What was asked of a run: those that passed are counted, the others are told.
fn checks(checks: &[CheckReport], paint: &dyn Paint) -> String {
    let passed = checks.iter().filter(|check| check.result == Some(CheckResult::Passed)).count();
    let mut text = match passed {
        0 => String::new(),
        passed => format!("      {} passed\n", words::counted(passed, "check")),
    };
    let others = checks.iter().filter(|check| !matches!(check.result, None | Some(CheckResult::Passed)));
    for check in others {
        text += &check.text(paint).lines().map(|line| format!("    {line}\n")).collect::<String>();
    }
    text
}

impl View for History {
    fn text(&self, paint: &dyn Paint) -> String {
        if self.runs.is_empty() {
            return format!("nothing was ever applied to {}\n", self.environment);
        }
        let mut text = paint.paint(Role::Heading, " run  begun                 what           how it ended");
        text.push('\n');
        for run in &self.runs {
            let verified = if run.verified { ", verified" } else { "" };
            text += &format!(
                "{:>4}  {}  {:<13}  {}{verified}; {} of {} steps done; {}; by {}\n",
                run.run,
                run.begun,
                operation(run.operation),
                run.result,
                run.done,
                run.summary.steps,
                words::counts(&run.summary),
                harmless(&run.actor)
            );
            if let Some(release) = &run.release {
                text += &format!("      {}\n", harmless(&release.line()));
            }
            text += &checks(&run.checks, paint);
            for tests in &run.tests {
                text += &format!("      {}\n", harmless(&tests.line()));
            }
            for signed in &run.signed {
                text += &format!("      signed by {}\n", harmless(signed));
            }
            if let Some(broken) = &run.broken_glass {
                text += &format!("      {}\n", paint.paint(Role::Danger, &broken.line()));
            }
        }
        if !self.signatures.is_empty() {
            text += &format!("{}\n", paint.paint(Role::Heading, "signatures"));
            self.signatures.iter().for_each(|word| text += &format!("  {}\n", word.line()));
        }
        text
    }
}
