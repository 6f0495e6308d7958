//! Running tests: which runs there are, each looked at with the spec or the environment that stands. An edge.
//!
//! Invariant: nothing is changed but the ledger, by one record of all tests of an environment.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::carry::Hold;
use super::door;
use super::exit::Exit;
use super::failure::{self, Failure};
use super::images::pin_as_recorded;
use super::session::{Resolved, Session};
use super::spec::{self as specs, Missing};
use crate::apply::{Answer, Executor, Retries, Silent, StopSignal, recorded_value};
use crate::diagnostic::{Diagnostic, DiagnosticView, Diagnostics, Sources, Span};
use crate::digest::Digest;
use crate::files::Files;
use crate::ledger::{Body, State};
use crate::release::parcel::{Parcel, ParcelFiles};
use crate::release::tested::{TestResult, Tested, TestedRun};
use crate::resolve::inputs::Inputs;
use crate::review::words::{counted, harmless};
use crate::spec::test_file::{self, LooksAt, TestBlock, TestFile, TestText};
use crate::store::disk::DiskFiles;
use crate::testing::judge::{self, Bench, Found};
use crate::testing::subject::{self, Ground, Known, Stands};

/// The longest reason that is recorded, in characters.
const LONGEST: usize = 300;

/// A file of tests for who has none: it holds for every environment.
pub const EXAMPLE: &str = r#"run "it_answers" {
  verify "up" {
    http {
      url = "http://localhost:8080/"
    }
  }
}"#;

/// The files of tests of a project.
pub struct Tests {
    project: PathBuf,
    environments: Vec<String>,
    texts: Vec<TestText>,
    files: Vec<TestFile>,
}

/// One run for one environment.
#[derive(Clone, Copy)]
pub struct Chosen<'a> {
    /// The environment.
    pub environment: &'a str,
    /// Which file.
    file: usize,
    /// Which of its runs.
    run: usize,
}

/// How a run came out.
pub struct Outcome {
    /// The environment.
    pub environment: String,
    /// The file's name.
    pub file: String,
    /// Its path.
    pub path: String,
    /// The run's name.
    pub name: String,
    /// What it looked at.
    pub looks_at: LooksAt,
    /// How it came out.
    pub result: TestResult,
    /// How long it took.
    pub milliseconds: u64,
    /// What does not hold, or why that cannot be told.
    pub diagnostics: Vec<DiagnosticView>,
    /// The same as people read it.
    pub rendered: String,
    /// The same in one line.
    pub why: Option<String>,
}

/// An environment that stands, and what its tests need to know of it.
pub struct Standing {
    /// The apply whose state stands.
    pub run: u64,
    /// The newest run.
    pub upon: u64,
    inputs: Inputs,
    parcel: Option<Parcel>,
}

impl Tests {
    /// Reads the files of tests of the project.
    ///
    /// # Errors
    /// With all of their mistakes, or when there are none.
    pub fn read(session: &Session, project: &Path) -> Result<Self, Failure> {
        let texts = test_file::test_texts(&DiskFiles, project)
            .map_err(|(path, why)| Failure::new(Exit::Spec, format!("{} cannot be read: {why}", path.display())))?;
        if texts.is_empty() {
            let folder = project.join(test_file::FOLDER).join(format!("NAME{}", test_file::ENDING));
            return Err(Failure::usage(format!("the project has no tests: no {}", folder.display()))
                .help(format!("write one, as tests/first.test.hcl:\n{EXAMPLE}"))
                .help("docs/testing.md says what a test can look at"));
        }
        let environments = specs::environments(project);
        let (mut sources, mut mistakes) = (Sources::default(), Diagnostics::default());
        let read = |text: &TestText| text.read(&mut sources, &session.kinds, &environments, &mut mistakes);
        let files: Vec<TestFile> = texts.iter().filter_map(read).collect();
        if mistakes.has_errors() {
            return Err(of_tests(mistakes, &sources));
        }
        Ok(Self { project: project.to_owned(), environments, texts, files })
    }

    /// The runs that are meant: of one environment all, else those of every environment that need no world. A filter is
    /// the name of a file, of a run, or both as `FILE/RUN`.
    ///
    /// # Errors
    /// When there are none.
    pub fn choose<'a>(&'a self, environment: Option<&'a str>, filters: &[String]) -> Result<Vec<Chosen<'a>>, Failure> {
        let meant: Vec<&str> = match environment {
            Some(environment) => vec![environment],
            None => self.environments.iter().map(String::as_str).collect(),
        };
        let mut all = Vec::new();
        for environment_of in meant {
            for (index, file) in self.files.iter().enumerate().filter(|(_, file)| file.is_for(environment_of)) {
                let runs = file.runs.iter().enumerate();
                let runs = runs.filter(|(_, run)| environment.is_some() || run.looks_at == LooksAt::Plan);
                all.extend(runs.map(|(run, _)| Chosen { environment: environment_of, file: index, run }));
            }
        }
        if all.is_empty() {
            return Err(match environment {
                Some(environment) => Failure::usage(format!("the project has no tests for {environment}"))
                    .help("a file is for all environments, or for those that its `environments` names"),
                None => Failure::usage("no test looks at a plan, and all others need an environment that stands")
                    .help("name it, as in `switchback test dev`, or write runs with `command = plan`"),
            });
        }
        let names: Vec<String> = all.iter().map(|chosen| self.full_name(*chosen)).collect();
        if let Some(nothing) = filters.iter().find(|filter| !names.iter().any(|name| matches_filter(name, filter))) {
            let mut known = names;
            known.dedup();
            return Err(Failure::usage(format!("no test is called `{nothing}`"))
                .help(format!("there are {}", known.join(", "))));
        }
        let is_meant = |chosen: &Chosen<'_>| {
            let name = self.full_name(*chosen);
            filters.is_empty() || filters.iter().any(|filter| matches_filter(&name, filter))
        };
        Ok(all.into_iter().filter(is_meant).collect())
    }

    fn full_name(&self, chosen: Chosen<'_>) -> String {
        format!("{}/{}", self.texts[chosen.file].name, self.files[chosen.file].runs[chosen.run].name)
    }

    /// The digests of the files that runs are of.
    fn digests(&self, chosen: &[Chosen<'_>]) -> std::collections::BTreeMap<String, Digest> {
        let texts = chosen.iter().map(|chosen| &self.texts[chosen.file]);
        texts.map(|text| (text.name.clone(), text.digest)).collect()
    }

    /// Runs those that were chosen, one after the other. Nothing when it was asked to stop.
    pub async fn run(
        &self,
        session: &Session,
        (chosen, stop): (&[Chosen<'_>], &StopSignal),
        stands: Option<(&Standing, &Hold<'_>)>,
    ) -> Result<Option<Vec<Outcome>>, Failure> {
        let plain = specs::inputs(session, &self.project, Missing::Assume)?;
        let mut outcomes = Vec::new();
        for one in chosen {
            if stop.is_raised() {
                return Ok(None);
            }
            let begun = session.world.clock.uptime();
            let Some((found, sources)) = self.one(session, *one, (&plain, stands), stop).await else { return Ok(None) };
            let took = session.world.clock.uptime().saturating_sub(begun);
            outcomes.push(self.outcome(*one, found, &sources, took));
        }
        Ok(Some(outcomes))
    }

    /// Runs one. Nothing when it was asked to stop.
    async fn one(
        &self,
        session: &Session,
        chosen: Chosen<'_>,
        (plain, stands): (&Inputs, Option<(&Standing, &Hold<'_>)>),
        stop: &StopSignal,
    ) -> Option<(Vec<Found>, Sources)> {
        let parcel = stands.and_then(|(standing, _)| standing.parcel.as_ref());
        let of_parcel = parcel.map(|parcel| ParcelFiles { parcel, project: &self.project, place: &DiskFiles });
        let files: &dyn Files = of_parcel.as_ref().map_or(&DiskFiles as &dyn Files, |files| files);
        let (mut spec, mut mistakes) = crate::spec::load(files, &self.project, chosen.environment, &session.kinds);
        let text = &self.texts[chosen.file];
        let file = text.read(&mut spec.sources, &session.kinds, &self.environments, &mut mistakes)?;
        let run = &file.runs[chosen.run];
        let sources = spec.sources.clone();
        if mistakes.has_errors() {
            return Some((vec![Found::Untold(mistakes)], sources));
        }
        let inputs = match (run.looks_at, stands) {
            (LooksAt::World, Some((standing, _))) => standing.inputs.clone(),
            (LooksAt::World | LooksAt::Plan, _) => match subject::given(&spec, &file, run) {
                Ok(tried) => {
                    let released = parcel.map(|parcel| parcel.release.variables.clone()).unwrap_or_default();
                    Inputs { tried, released, ..plain.clone() }
                }
                Err(mistakes) => return Some((vec![Found::Untold(mistakes)], sources)),
            },
        };
        let ground = Ground { inputs: &inputs, kinds: &session.kinds, files, folder: &self.project };
        let stands = stands.filter(|_| run.looks_at == LooksAt::World);
        let state = stands.map(|(_, hold)| hold.ledger.state());
        let now = session.world.clock.now();
        let later = |deferred: &crate::expression::Deferred, secrets: &crate::resolve::secrets::RevealedSecrets| {
            let secrets = secrets.clone().or_else(Arc::new(session.edge_secrets()));
            let nothing = State::default();
            recorded_value(state.unwrap_or(&nothing), &secrets, now, deferred)
        };
        let there = state.map(|state| Stands { things: &state.things, later: &later });
        let known = match (subject::look(&mut spec, run, there.as_ref(), &ground), run.refused.is_empty()) {
            (Ok(known), true) => known,
            (Ok(_), false) => return Some((vec![judge::refused(&spec, run, &Diagnostics::default())], sources)),
            (Err(mistakes), false) => return Some((vec![judge::refused(&spec, run, &mistakes)], sources)),
            (Err(mistakes), true) => return Some((vec![Found::Untold(mistakes)], sources)),
        };
        let folder = spec.modules.first().map(|root| self.project.join(&root.folder)).unwrap_or_default();
        let bench = Bench { known: &known, sources: &sources, files, folder: &folder, now, looks_at: run.looks_at };
        let mut found: Vec<Found> = run.asserts.iter().map(|assertion| bench.judge(assertion)).collect();
        if let Some((_, hold)) = stands {
            found.extend(asked(session, hold, (run, &known), stop).await?);
        }
        Some((found, sources))
    }

    fn outcome(&self, chosen: Chosen<'_>, found: Vec<Found>, sources: &Sources, took: Duration) -> Outcome {
        let mut result = TestResult::Passed;
        let mut diagnostics = Diagnostics::default();
        for one in found {
            match one {
                Found::Holds => {}
                Found::Fails(why) => {
                    result = if result == TestResult::Errored { result } else { TestResult::Failed };
                    diagnostics.push(why);
                }
                Found::Untold(why) => {
                    result = TestResult::Errored;
                    diagnostics.extend(why);
                }
            }
        }
        if result == TestResult::Passed {
            diagnostics = Diagnostics::default();
        }
        let (text, run) = (&self.texts[chosen.file], &self.files[chosen.file].runs[chosen.run]);
        Outcome {
            environment: chosen.environment.to_owned(),
            file: text.name.clone(),
            path: text.path.display().to_string(),
            name: run.name.to_string(),
            looks_at: run.looks_at,
            result,
            milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            why: diagnostics.0.first().map(one_line),
            rendered: failure::rendered(&diagnostics, sources),
            diagnostics: diagnostics.0.iter().map(|one| one.view(sources)).collect(),
        }
    }
}

/// `FILE/RUN` is meant by the name of either, with or without the ending of the file, and by both.
fn matches_filter(name: &str, filter: &str) -> bool {
    let (file, run) = name.split_once('/').unwrap_or((name, ""));
    let typed = filter.strip_prefix("tests/").unwrap_or(filter);
    let typed = typed.strip_suffix(test_file::ENDING).unwrap_or(typed);
    typed == file || typed == run || typed == name
}

fn one_line(diagnostic: &Diagnostic) -> String {
    let detail = diagnostic.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
    let line: Vec<String> = format!("{}{detail}", diagnostic.summary).lines().map(str::to_owned).collect();
    let line = harmless(&line.join("; "));
    match line.chars().count() > LONGEST {
        true => line.chars().take(LONGEST).chain(['…']).collect(),
        false => line,
    }
}

/// Asks all that a run asks of the world, one after the other. Nothing when it was asked to stop.
async fn asked(
    session: &Session,
    hold: &Hold<'_>,
    (run, known): (&TestBlock, &Known),
    stop: &StopSignal,
) -> Option<Vec<Found>> {
    let secrets = known.secrets.clone().or_else(Arc::new(session.edge_secrets()));
    let executor = Executor {
        world: &session.world,
        kinds: &session.kinds,
        secrets: &secrets,
        listener: &Silent,
        concurrency: 1,
        stop: stop.clone(),
        retries: Retries::default(),
    };
    let mut found = Vec::new();
    for (name, check) in &known.checks {
        let at = run.verifies.get(name).map_or(run.span, |verify| verify.span);
        let Answer { passed, saw, tries, took } = executor.ask_aside(&hold.ledger, check).await?;
        found.push(match passed {
            true => Found::Holds,
            false => Found::Fails(failed_check((name, at), &saw, tries, took)),
        });
    }
    Some(found)
}

fn failed_check((name, at): (&str, Span), saw: &str, tries: u32, took: Duration) -> Diagnostic {
    let tries = counted(tries as usize, "try").replace("trys", "tries");
    Diagnostic::error("what is asked is not as it should be")
        .at(at)
        .detail(format!("`{name}`: {saw}\n{tries} in {:.1} s", took.as_secs_f64()))
}

/// The mistakes of files of tests.
pub fn of_tests(mistakes: Diagnostics, sources: &Sources) -> Failure {
    let mut failure = Failure::mistakes(mistakes, sources);
    failure.summary = failure.summary.replace("the spec has", "the tests have");
    failure
}

/// The mistakes of the files of tests that are for an environment, and those of what they name there. Nothing is asked.
pub fn mistakes(session: &Session, project: &Path, environment: &str) -> Result<(Diagnostics, Sources), Failure> {
    let (mut found, mut sources) = (Diagnostics::default(), Sources::default());
    let texts = test_file::test_texts(&DiskFiles, project)
        .map_err(|(path, why)| Failure::new(Exit::Spec, format!("{} cannot be read: {why}", path.display())))?;
    let environments = specs::environments(project);
    let plain = specs::inputs(session, project, Missing::Assume)?;
    let (spec, _known) = crate::spec::load(&DiskFiles, project, environment, &session.kinds);
    sources.clone_from(&spec.sources);
    let ground = Ground { inputs: &plain, kinds: &session.kinds, files: &DiskFiles, folder: project };
    for text in &texts {
        let mut mistakes = Diagnostics::default();
        let mut whole = crate::spec::Spec { sources: sources.clone(), ..spec.clone() };
        let file = text.read(&mut whole.sources, &session.kinds, &environments, &mut mistakes);
        sources.clone_from(&whole.sources);
        let is_sound = !mistakes.has_errors();
        found.extend(mistakes);
        let Some(file) = file.filter(|file| is_sound && file.is_for(environment)) else { continue };
        for run in &file.runs {
            let given = subject::given(&whole, &file, run);
            let looked = given.and_then(|_| subject::look(&mut whole.clone(), run, None, &ground));
            // What is wrong with the spec itself was said of that already.
            let of_test = |one: &Diagnostic| one.span.is_some_and(|span| sources.file(span.source).path == text.path);
            found.0.extend(looked.err().into_iter().flat_map(|mistakes| mistakes.0).filter(of_test));
        }
    }
    found.sort();
    Ok((found, sources))
}

impl Standing {
    /// What stands in an environment, and that the checkout is what was applied there.
    ///
    /// # Errors
    /// When nothing stands, a run is unfinished, or the checkout is another one.
    pub fn of(session: &Session, environment: &str, state: &State) -> Result<Self, Failure> {
        let Some(newest) = state.newest_with_effect() else {
            return Err(Failure::failed(format!("nothing was ever applied to {environment}, so nothing stands there"))
                .help(format!("apply it first:  {}", session.command(&format!("apply {environment}"))))
                .help("runs with `command = plan` need no environment:  switchback test"));
        };
        if newest.ended.is_none() {
            return Err(Failure::failed(format!(
                "run {} of {environment} is not at its end; nothing was asked",
                newest.number
            ))
            .help(session.command(&format!("resume {environment}"))));
        }
        let Some(apply) = state.apply_in_force() else {
            return Err(Failure::failed(format!("{environment} was removed, so nothing stands there")));
        };
        let verified = state.verified.as_ref().filter(|verified| verified.run >= newest.number);
        let applied = [verified.and_then(|verified| verified.spec_digest), apply.change_set.spec_digest];
        let stands = |resolved: &Resolved| applied.contains(&Some(resolved.desired.spec_digest));
        let pinned = |resolved| pin_as_recorded(&session.kinds, state, resolved);
        let resolved = match (session.resolve(environment).map(pinned), door::in_force(state)) {
            (Ok(resolved), _) if stands(&resolved) => resolved,
            // What was promoted stands there, also where the checkout may get in as well.
            (here, Some((parcel, carried))) => {
                let released = session.resolve_over(environment, parcel, carried).map(pinned);
                released.ok().filter(|resolved| stands(resolved)).map_or(here, Ok)?
            }
            (here, None) => here?,
        };
        if !stands(&resolved) {
            return Err(other(session, environment, &resolved, apply.change_set.spec_digest));
        }
        let mut inputs = specs::inputs(session, &session.need_project()?, Missing::Refuse)?;
        if let Some(parcel) = &resolved.parcel {
            inputs.released.clone_from(&parcel.release.variables);
        }
        Ok(Self { run: apply.number, upon: newest.number, inputs, parcel: resolved.parcel })
    }
}

fn other(session: &Session, environment: &str, resolved: &Resolved, applied: Option<Digest>) -> Failure {
    let (here, applied) =
        (resolved.desired.spec_digest.short(), applied.map(|digest| digest.short()).unwrap_or_default());
    Failure::failed(format!("the checkout is not what {environment} runs; nothing was asked"))
        .cause(format!("applied was the spec {applied}, here is {here}"))
        .help("check out the commit that was applied, and give the same variables (`--var`, `--var-file`)")
        .help(format!("or apply what is here first: {}", session.command(&format!("apply {environment}"))))
}

/// Records what all tests of an environment found, if nobody has written since they began.
///
/// # Errors
/// When somebody has, or the ledger cannot be written.
pub fn record(
    session: &Session,
    hold: &mut Hold<'_>,
    standing: &Standing,
    (tests, chosen, outcomes): (&Tests, &[Chosen<'_>], &[Outcome]),
) -> Result<(), Failure> {
    let one = |outcome: &Outcome| TestedRun {
        file: outcome.file.clone(),
        name: outcome.name.clone(),
        result: outcome.result,
        milliseconds: outcome.milliseconds,
        why: outcome.why.clone(),
    };
    hold.secure().map_err(|mut failure| {
        if failure.exit == Exit::Stale {
            failure.summary = "the environment has changed while it was tested; nothing was recorded".to_owned();
            failure.help = vec!["type the same again".to_owned()];
        }
        failure
    })?;
    let tested = Tested {
        run: standing.run,
        upon: standing.upon,
        release: hold.ledger.state().release_in_force(),
        files: tests.digests(chosen),
        runs: outcomes.iter().map(one).collect(),
    };
    let body = Body::Tested { actor: session.actor.clone(), tested: Box::new(tested) };
    Ok(session.wait(hold.ledger.append(session.world.clock.now(), vec![body]))?)
}
