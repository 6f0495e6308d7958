//! `switchback test`: whether what the spec wants, and what stands in an environment, is as tests say.

use clap::ValueEnum as _;
use serde::Serialize;

use crate::cli::carry::{Hold, Intention};
use crate::cli::confirm::Consent;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::spec::{self, Missing};
use crate::cli::stop;
use crate::cli::terminal::View;
use crate::cli::testing::{self, Chosen, Outcome, Standing, Tests};
use crate::cli::throw_away;
use crate::diagnostic::DiagnosticView;
use crate::release::ReleaseId;
use crate::release::tested::{TestResult, counts};
use crate::review::text::{Paint, Role};
use crate::review::words::{self, counted, harmless};
use crate::spec::load_project;
use crate::store::disk::DiskFiles;
use crate::testing::junit::{self, Case};

const AFTER_HELP: &str = "\
Examples:
  switchback test                        runs with `command = plan`: no world, no ledger
  switchback test dev                    all tests of dev, against what stands there; recorded
  switchback test dev --no-record        the same, and the ledger is only read
  switchback test dev --filter smoke     a file, a run, or FILE/RUN; never recorded
  switchback test dev --as junit > t.xml   for what shows tests; people read stderr
  switchback test dev --throw-away       against a copy on a local stack of its own, then removed

Tests lie in tests/*.test.hcl. They change nothing. Exit code 0 when all passed, 1 when one did
not or cannot be told, 3 when there is none, 4 when they have mistakes. What is recorded is what
`requires_tests` of the next environment asks for.";

/// Run tests, of a plan or against an environment as it stands
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment; without it only runs that look at a plan, of every environment
    #[arg(value_name = "ENV")]
    environment: Option<String>,
    /// Only these: the name of a file, of a run, or `FILE/RUN`; nothing is recorded then
    #[arg(long, value_name = "NAME")]
    filter: Vec<String>,
    /// Record nothing
    #[arg(long, requires = "environment")]
    no_record: bool,
    /// Not against the environment, but a copy of it on a local stack of its own, which is made for that and removed
    /// again; only where `up` is allowed, and where the spec reaches nothing but the local stack
    #[arg(long, requires = "environment")]
    throw_away: bool,
    /// The form of the report
    #[arg(long = "as", value_name = "FORM", value_enum)]
    form: Option<Form>,
}

impl Arguments {
    /// What of it is typed for a copy of the environment.
    fn again(&self) -> Vec<String> {
        let filters = self.filter.iter().flat_map(|filter| ["--filter".to_owned(), filter.clone()]);
        let form = self.form.and_then(|form| Some(form.to_possible_value()?.get_name().to_owned()));
        filters.chain(form.into_iter().flat_map(|form| ["--as".to_owned(), form])).collect()
    }
}

/// The form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
    /// JUnit's XML, for what shows tests.
    Junit,
}

/// Runs the verb.
///
/// # Errors
/// When there are no tests, they have mistakes, or what was found cannot be recorded.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let project = match &arguments.environment {
        Some(environment) => session.need_environment(environment)?,
        None => session.need_project()?,
    };
    let tests = Tests::read(session, &project)?;
    let chosen = tests.choose(arguments.environment.as_deref(), &arguments.filter)?;
    if let Some(environment) = arguments.environment.as_ref().filter(|_| arguments.throw_away) {
        return throw_away::test(session, environment, &arguments.again());
    }
    let mut report = Report::new(session, &project);
    let recorded = match &arguments.environment {
        None => {
            sound(session, &project, &chosen)?;
            report.take(asked(session, &tests, &chosen, None)?);
            Ok(())
        }
        Some(environment) => {
            session.known_ledger(environment)?;
            let intention = Intention { environment, project: None, verb: "test" };
            let mut hold = Hold::open(session, intention, Consent::Asked)?;
            let standing = Standing::of(session, environment, hold.ledger.state())?;
            let outcomes = asked(session, &tests, &chosen, Some((&standing, &hold)))?;
            report.against(environment, &standing, hold.ledger.state().release_in_force());
            let is_whole = arguments.filter.is_empty() && !arguments.no_record;
            let written = match is_whole {
                true => testing::record(session, &mut hold, &standing, (&tests, &chosen, &outcomes)),
                false => Ok(()),
            };
            report.recorded = is_whole && written.is_ok();
            report.take(outcomes);
            written
        }
    };
    report.show(session, arguments.form);
    recorded?;
    Ok(if report.passed { Exit::Done } else { Exit::Failed })
}

/// The specs of the environments that are planned have no mistakes of their own.
fn sound(session: &Session, project: &std::path::Path, chosen: &[Chosen<'_>]) -> Result<(), Failure> {
    let mut environments: Vec<&str> = chosen.iter().map(|chosen| chosen.environment).collect();
    environments.dedup();
    for environment in environments {
        let (_, diagnostics, sources) = spec::resolve(session, project, environment, Missing::Assume)?;
        if diagnostics.has_errors() {
            return Err(Failure::mistakes(diagnostics, &sources));
        }
    }
    Ok(())
}

fn asked(
    session: &Session,
    tests: &Tests,
    chosen: &[Chosen<'_>],
    stands: Option<(&Standing, &Hold<'_>)>,
) -> Result<Vec<Outcome>, Failure> {
    let outcomes = session.wait(async {
        let (stop, _listening) = stop::listen(&session.terminal);
        tests.run(session, (chosen, &stop), stands).await
    })?;
    outcomes.ok_or_else(|| Failure::failed("stopped; nothing was recorded"))
}

/// What tests found.
#[derive(Serialize)]
struct Report {
    project: String,
    /// The environment that they were run against.
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    /// The apply whose state stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<ReleaseId>,
    passed: bool,
    recorded: bool,
    tests: Vec<TestView>,
}

/// One run.
#[derive(Serialize)]
struct TestView {
    environment: String,
    file: String,
    path: String,
    name: String,
    command: &'static str,
    result: TestResult,
    milliseconds: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diagnostics: Vec<DiagnosticView>,
    #[serde(skip)]
    rendered: String,
    #[serde(skip)]
    why: String,
}

impl Report {
    fn new(session: &Session, project: &std::path::Path) -> Self {
        let project = load_project(&DiskFiles, project, &session.kinds).name.to_string();
        Self { project, environment: None, run: None, release: None, passed: false, recorded: false, tests: Vec::new() }
    }

    fn against(&mut self, environment: &str, standing: &Standing, release: Option<ReleaseId>) {
        (self.environment, self.run, self.release) = (Some(environment.to_owned()), Some(standing.run), release);
    }

    fn take(&mut self, outcomes: Vec<Outcome>) {
        let view = |outcome: Outcome| TestView {
            environment: outcome.environment,
            file: outcome.file,
            path: outcome.path,
            name: outcome.name,
            command: outcome.looks_at.word(),
            result: outcome.result,
            milliseconds: outcome.milliseconds,
            diagnostics: outcome.diagnostics,
            rendered: outcome.rendered,
            why: outcome.why.unwrap_or_default(),
        };
        self.tests = outcomes.into_iter().map(view).collect();
        self.passed = !self.tests.is_empty() && self.tests.iter().all(|test| test.result == TestResult::Passed);
    }

    fn show(&self, session: &Session, form: Option<Form>) {
        let terminal = &session.terminal;
        match form {
            None => terminal.show(self),
            Some(Form::Text) => terminal.data(&self.text(terminal.paint())),
            Some(Form::Json) => terminal.json(self),
            Some(Form::Junit) => {
                let case = |test: &TestView| Case {
                    environment: test.environment.clone(),
                    file: test.file.clone(),
                    path: test.path.clone(),
                    name: test.name.clone(),
                    result: test.result,
                    milliseconds: test.milliseconds,
                    why: test.why.clone(),
                    told: test.rendered.clone(),
                };
                let cases: Vec<Case> = self.tests.iter().map(case).collect();
                terminal.data(&junit::render(&self.project, &cases));
                terminal.talk(&self.text(terminal.paint_talk()));
            }
        }
    }
}

impl View for Report {
    fn text(&self, paint: &dyn Paint) -> String {
        let mut text = String::new();
        if let (Some(environment), Some(run)) = (&self.environment, self.run) {
            let release = self.release.map(|id| format!(", release {}", id.short())).unwrap_or_default();
            text +=
                &format!("{}\n", paint.paint(Role::Heading, &format!("{environment} as run {run} left it{release}")));
        }
        let mut head = String::new();
        for test in &self.tests {
            let of = match &self.environment {
                Some(_) => test.path.clone(),
                None => format!("{} ({})", test.path, test.environment),
            };
            if of != head {
                text += &format!("{}\n", harmless(&of));
                head = of;
            }
            let (mark, role) = match test.result {
                TestResult::Passed => ("✓", Role::Added),
                TestResult::Failed => ("✗", Role::Danger),
                TestResult::Errored => ("?", Role::Warning),
            };
            let took = words::duration(std::time::Duration::from_millis(test.milliseconds));
            text += &format!("  {} {}  {}\n", paint.paint(role, mark), test.name, paint.paint(Role::Faint, &took));
            text += &test
                .rendered
                .lines()
                .map(|line| format!("    {line}").trim_end().to_owned() + "\n")
                .collect::<String>();
        }
        let all = counted(self.tests.len(), "run");
        text += &format!("{all}: {}\n", counts(self.tests.iter().map(|test| test.result)));
        if let Some(environment) = self.environment.as_ref().filter(|_| self.recorded) {
            text += &format!("recorded in the ledger of {environment}\n");
        }
        text
    }
}
