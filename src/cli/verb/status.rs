//! `switchback status`: what is there, what is unfinished, and whether the way back is open. Read-only.

use std::sync::Arc;

use serde::Serialize;

use super::hold::HoldView;
use crate::cli::checks::CheckReport;
use crate::cli::doubt::{self, Doubt, Look};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::holder::Holder;
use crate::cli::outlook::{self, WayBack};
use crate::cli::report::{indented, shown_time};
use crate::cli::session::Session;
use crate::cli::signed::Broken;
use crate::cli::terminal::View;
use crate::cli::{carry, door, spec};
use crate::digest::Digest;
use crate::ledger::state::DatabaseState;
use crate::ledger::{Ledger, Run, State, StepState};
use crate::migration::position::Partial;
use crate::migration::statements::{Script, Statement};
use crate::migration::{Direction, Keeping};
use crate::release::ReleaseId;
use crate::review::text::{Paint, Role};
use crate::review::words::{counted, harmless};
use crate::secret::Secrets;
use crate::step::{Action, Operation, Step};

const AFTER_HELP: &str = "\
Examples:
  switchback status prod                          what is there, and what is unfinished
  switchback status prod --json                   the same facts for a script
  switchback status prod --offline                from the ledger alone
  switchback status prod --ledger file:/srv/shop  from anywhere: needs no project

Read-only. The world is looked at for what is in doubt and for the way back; where it cannot be
asked, or with `--offline`, the ledger alone says what it knows.";

/// Show what is there and what is unfinished
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
    /// Do not ask the world
    #[arg(long)]
    offline: bool,
}

#[derive(Serialize)]
struct Status {
    environment: String,
    project: Option<String>,
    ledger: LedgerFacts,
    lease: Option<Holder>,
    holds: Vec<HoldView>,
    owed: Vec<OwedView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    broken_glass: Vec<Broken>,
    /// How many messages did not reach those who want them.
    #[serde(skip_serializing_if = "is_none")]
    untold: usize,
    /// The release that is in force, if what is there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<InForce>,
    resources: usize,
    databases: Vec<Database>,
    newest_run: Option<Newest>,
    unfinished: Option<Unfinished>,
    way_back: Option<WayBack>,
    next: Vec<String>,
}

/// Whether there is nothing to count.
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// The release that is in force.
#[derive(Serialize)]
struct InForce {
    id: ReleaseId,
    tags: Vec<String>,
    /// The environment that it was brought from; nothing where it was made here.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
}

impl InForce {
    fn of(state: &State) -> Option<Self> {
        let id = state.release_in_force()?;
        let from = state.brought_from(id).map(str::to_owned);
        Some(Self { id, tags: state.tags_of(id).into_iter().collect(), from })
    }

    fn line(&self) -> String {
        let tags: String = self.tags.iter().map(|tag| format!(", tag {tag}")).collect();
        let from = self.from.as_ref().map_or_else(|| "made here".to_owned(), |from| format!("from {from}"));
        harmless(&format!("{}{tags}, {from}", self.id.short()))
    }
}

/// What a way back left as it was.
#[derive(Serialize)]
struct OwedView {
    address: String,
    run: u64,
    since: String,
}

#[derive(Serialize)]
struct LedgerFacts {
    /// Its absolute URL.
    url: String,
    chain: Option<String>,
    records: usize,
    head: Option<Digest>,
}

#[derive(Serialize)]
struct Database {
    address: String,
    version: Option<i64>,
    /// The same as its layout writes it.
    #[serde(skip)]
    written: Option<String>,
    migrations: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kept: Vec<KeptView>,
    /// A migration that was left in the middle.
    #[serde(skip_serializing_if = "Option::is_none")]
    partial: Option<Middle>,
}

/// How far a migration has got that was left in the middle.
#[derive(Serialize)]
struct Middle {
    migration: String,
    direction: Direction,
    statements_done: usize,
    statements: usize,
    /// The statement that is not done, shortened.
    next: Option<String>,
}

impl Middle {
    fn of(partial: &Partial) -> Self {
        let text = partial.migration.text(partial.direction).unwrap_or_default();
        let statements = Script::parse(text).map(|script| script.statements).unwrap_or_default();
        Self {
            migration: partial.migration.label(),
            direction: partial.direction,
            statements_done: partial.position.statements,
            statements: statements.len(),
            next: statements.get(partial.position.statements).map(Statement::excerpt),
        }
    }

    fn line(&self) -> String {
        let way = match self.direction {
            Direction::Up => "of",
            Direction::Down => "of the way back of",
        };
        let next = self.next.as_ref().map(|next| format!(", next is `{}`", harmless(next))).unwrap_or_default();
        format!("{} of {} statements {way} {} are done{next}", self.statements_done, self.statements, self.migration)
    }
}

/// What is kept of what a migration took away.
#[derive(Serialize)]
struct KeptView {
    migration: String,
    what: Vec<String>,
    since: String,
    until: String,
}

#[derive(Serialize)]
struct Newest {
    run: u64,
    operation: Operation,
    begun: String,
    actor: String,
    result: &'static str,
    verified: bool,
    /// What was asked, and how it came out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<CheckReport>,
}

#[derive(Serialize)]
struct Unfinished {
    run: u64,
    waits_for: Option<String>,
    done: usize,
    failed: usize,
    in_doubt: usize,
    not_done: usize,
    steps: Vec<StepStatus>,
    /// What is in doubt, from its three sides.
    doubts: Vec<Doubt>,
}

#[derive(Serialize)]
struct StepStatus {
    step: u32,
    action: &'static str,
    title: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// When the ledger cannot be read, or nobody knows the environment.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let ledger = session.known_ledger(&arguments.environment)?;
    let secrets = spec::secrets_at_hand(session, &arguments.environment, ledger.state());
    // Whatever cannot be had for asking the world is no reason to say nothing.
    let (secrets, unasked): (Arc<dyn Secrets>, Option<String>) = match secrets {
        _ if arguments.offline => (Arc::new(session.edge_secrets()), Some("`--offline` was given".to_owned())),
        Ok(secrets) => (secrets, None),
        Err(failure) => (Arc::new(session.edge_secrets()), Some(failure.summary.clone())),
    };
    let look = Look { secrets: &*secrets, unasked: unasked.as_deref() };
    let (doubts, way_back) = session.wait(async {
        let doubts = match ledger.state().unfinished() {
            Some(run) => doubt::doubts(session, &ledger, run, &look).await,
            None => Vec::new(),
        };
        let way_back = outlook::way_back(session, &ledger, &doubts, &look).await;
        (doubts, way_back)
    });
    let mut status = status(&arguments.environment, &ledger, session);
    status.way_back = way_back;
    if let Some(unfinished) = &mut status.unfinished {
        unfinished.doubts = doubts;
    }
    session.terminal.show(&status);
    Ok(Exit::Done)
}

/// What the ledger alone says.
fn status(environment: &str, ledger: &Ledger, session: &Session) -> Status {
    let state = ledger.state();
    let databases = state.things.databases.iter().map(|(address, database)| {
        let newest = database.applied.values().rfind(|migration| !migration.is_repeatable());
        Database {
            address: address.to_string(),
            version: newest.map(|migration| migration.version),
            written: newest.map(|migration| migration.version_text()),
            migrations: database.applied.len(),
            kept: KeptView::all(database),
            partial: database.partial.as_deref().map(Middle::of),
        }
    });
    let command = |words: &str| session.command(&format!("{words} {environment}"));
    let back = || format!("{} --last", command("rollback"));
    let owed = carry::owed_command(session, state);
    let doubted = |run: &Run| {
        let doubted = run.open().filter(|(step, _)| matches!(run.steps.get(&step.id), Some(StepState::Doubted(..))));
        let words = |(step, _): (&Step, _)| carry::settle_command(session, environment, &step.address);
        doubted.map(words).collect::<Vec<_>>()
    };
    let next = match (state.unfinished(), state.runs.last()) {
        (Some(run), _) => vec![command("resume"), back()].into_iter().chain(doubted(run)).collect(),
        (None, None) => vec![match door::only_from(session, environment) {
            Some(from) => session.command(&format!("promote {from} {environment}")),
            None => command("plan"),
        }],
        (None, Some(_)) if owed.is_some() => owed.into_iter().collect(),
        (None, Some(run)) if !run.verified && run.done_count() > 0 => vec![command("resume")],
        (None, Some(_)) => Vec::new(),
    };
    let owed = state.owed.iter().map(|(address, owed)| OwedView {
        address: address.to_string(),
        run: owed.run,
        since: shown_time(owed.since),
    });
    Status {
        environment: environment.to_owned(),
        project: state.chain.as_ref().map(|chain| chain.project.clone()),
        ledger: LedgerFacts {
            url: ledger.url(),
            chain: state.chain.as_ref().map(|chain| chain.id.clone()),
            records: usize::try_from(ledger.last()).unwrap_or(usize::MAX),
            head: (ledger.last() > 0).then(|| ledger.head()),
        },
        lease: Holder::of(session, ledger),
        holds: HoldView::all(state),
        owed: owed.collect(),
        broken_glass: Broken::all(state),
        untold: state.outbox.owed_count(),
        release: InForce::of(state),
        resources: state.things.resources.len(),
        databases: databases.collect(),
        newest_run: state.runs.last().map(Newest::of),
        unfinished: state.unfinished().map(Unfinished::of),
        way_back: None,
        next,
    }
}

/// What is kept of what migrations took away, in lines for people.
pub fn kept(state: &State) -> Vec<String> {
    state.things.databases.values().flat_map(KeptView::all).map(|kept| kept.line()).collect()
}

impl KeptView {
    fn line(&self) -> String {
        format!("{} of {} until {}", harmless(&self.what.join(", ")), harmless(&self.migration), self.until)
    }

    fn all(database: &DatabaseState) -> Vec<Self> {
        let of = |(version, keeping): (&i64, &Keeping)| {
            let migration = database.applied.get(version).or_else(|| database.aside.get(version))?;
            let what = migration.kept.as_ref()?.what.clone();
            let (since, until) = (shown_time(keeping.since), shown_time(keeping.until));
            Some(Self { migration: migration.label(), what, since, until })
        };
        database.kept.iter().filter_map(of).collect()
    }
}

impl Newest {
    fn of(run: &Run) -> Self {
        Self {
            run: run.number,
            operation: run.change_set.operation,
            begun: shown_time(run.begun),
            actor: format!("{} on {}", run.actor.name, run.actor.host),
            result: super::history::result(run),
            verified: run.verified,
            checks: CheckReport::all(run),
        }
    }
}

impl Unfinished {
    fn of(run: &Run) -> Self {
        let steps: Vec<StepStatus> = run
            .change_set
            .steps
            .iter()
            .map(|step| StepStatus::of(step, run.steps.get(&step.id), run.parked.is_some()))
            .collect();
        let count = |state: &str| steps.iter().filter(|step| step.state == state).count();
        Self {
            run: run.number,
            waits_for: run.parked.clone(),
            done: count(DONE),
            failed: count(FAILED),
            in_doubt: count(IN_DOUBT),
            not_done: count(NOT_DONE),
            steps,
            doubts: Vec::new(),
        }
    }
}

const DONE: &str = "done";
const FAILED: &str = "failed";
const IN_DOUBT: &str = "in doubt";
const NOT_DONE: &str = "not done";

impl StepStatus {
    fn of(step: &Step, state: Option<&StepState>, waits: bool) -> Self {
        let (word, since, until, why) = match state {
            Some(StepState::Done { since, until }) => (DONE, Some(*since), Some(*until), None),
            Some(StepState::Failed { at, error }) => (FAILED, None, Some(*at), error.as_ref().map(ToString::to_string)),
            Some(StepState::Stood(intent, error)) => {
                let stands = match step.action {
                    Action::Migrate { .. } => "what is committed stands",
                    _ => "what it made stands",
                };
                (FAILED, Some(intent.since), None, Some(format!("{error}; {stands}")))
            }
            Some(state @ (StepState::Doubted(intent, _) | StepState::Intended(intent))) => {
                (IN_DOUBT, Some(intent.since), None, doubt::why(state, waits))
            }
            None => (NOT_DONE, None, None, None),
        };
        let (since, until) = (since.map(shown_time), until.map(shown_time));
        Self { step: step.id.0, action: step.action.verb(), title: step.title(), state: word, since, until, why }
    }
}

impl View for Status {
    fn text(&self, paint: &dyn Paint) -> String {
        let project = self.project.as_deref().map(|name| format!(" of project {name}")).unwrap_or_default();
        let mut text = format!("{}\n", paint.paint(Role::Heading, &format!("{}{project}", self.environment)));
        let head = self.ledger.head.map(|head| format!(", head {}", head.short())).unwrap_or_default();
        text += &format!("  ledger      {} ({}{head})\n", self.ledger.url, counted(self.ledger.records, "record"));
        if let Some(lease) = &self.lease {
            text += &format!("  lease       {}\n", lease.line());
        }
        for hold in &self.holds {
            text += &format!("  held        {}\n", hold.line());
        }
        let Some(newest) = &self.newest_run else {
            return text + "  nothing was ever applied\n" + &self.next_lines(paint);
        };
        if let Some(release) = &self.release {
            text += &format!("  release     {}\n", release.line());
        }
        text += &format!("  resources   {}\n", self.resources);
        for database in &self.databases {
            let version = database.written.as_ref().map_or("no migration".to_owned(), |version| format!("V{version}"));
            text += &format!(
                "  database    {} at {version} ({})\n",
                database.address,
                counted(database.migrations, "migration")
            );
            if let Some(partial) = &database.partial {
                text += &format!("{}\n", paint.paint(Role::Warning, &format!("  in the middle {}", partial.line())));
            }
            for kept in &database.kept {
                text += &format!("  kept        {}\n", kept.line());
            }
        }
        let verified = if newest.verified { "verified" } else { "not verified" };
        text += &format!(
            "  newest run  {} ({}), {}, {verified}, begun {} by {}\n",
            newest.run,
            super::history::operation(newest.operation),
            newest.result,
            newest.begun,
            harmless(&newest.actor)
        );
        // What failed comes before what was not asked because of that.
        let (asked, unasked): (Vec<_>, Vec<_>) =
            newest.checks.iter().partition(|check| check.result.is_some() || self.unfinished.is_none());
        asked.iter().for_each(|check| text += &check.text(paint));
        for owed in &self.owed {
            let line = format!("  owed        {} by run {}, since {}", harmless(&owed.address), owed.run, owed.since);
            text += &format!("{}\n", paint.paint(Role::Warning, &line));
        }
        if !is_none(&self.untold) {
            let line = format!(
                "  not told    {}; the next command that writes the ledger delivers",
                counted(self.untold, "message")
            );
            text += &format!("{}\n", paint.paint(Role::Warning, &line));
        }
        for broken in &self.broken_glass {
            text += &format!("{}\n", paint.paint(Role::Danger, &format!("  {}", broken.line())));
        }
        if let Some(unfinished) = &self.unfinished {
            text += &unfinished.text(paint);
        }
        unasked.iter().for_each(|check| text += &check.text(paint));
        if let Some(back) = &self.way_back {
            text += &back.text(paint);
        }
        text + &self.next_lines(paint)
    }
}

impl Status {
    fn next_lines(&self, paint: &dyn Paint) -> String {
        if self.next.is_empty() {
            return String::new();
        }
        let commands: String = self.next.iter().map(|command| format!("  {command}\n")).collect();
        format!("{}\n{commands}", paint.paint(Role::Heading, "type next:"))
    }
}

impl Unfinished {
    fn text(&self, paint: &dyn Paint) -> String {
        let head = format!(
            "run {} is unfinished: {} done, {} failed, {} in doubt, {} not done",
            self.run, self.done, self.failed, self.in_doubt, self.not_done
        );
        let mut text = format!("{}\n", paint.paint(Role::Warning, &head));
        if let Some(reason) = &self.waits_for {
            text += &format!("  waits for {}\n", harmless(reason));
        }
        for step in &self.steps {
            let role = match step.state {
                DONE => Role::Added,
                NOT_DONE => Role::Faint,
                _ => Role::Danger,
            };
            let state = paint.paint(role, &format!("{:<8}", step.state));
            let when = match (&step.until, &step.since) {
                (Some(until), _) => format!("  at {until}"),
                (None, Some(since)) => format!("  begun {since}"),
                (None, None) => String::new(),
            };
            text += &format!("  {state} {:>3} {} {}{when}\n", step.step, step.action, harmless(&step.title));
            if let Some(why) = &step.why {
                text += &indented(why);
            }
            if let Some(doubt) = self.doubts.iter().find(|doubt| doubt.step.0 == step.step) {
                doubt.lines().iter().for_each(|line| text += &indented(line));
            }
        }
        text
    }
}
