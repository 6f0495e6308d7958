//! `switchback validate`: the spec's mistakes, without touching anything.

use serde::Serialize;

use crate::cli::exit::Exit;
use crate::cli::failure::{self, Failure};
use crate::cli::session::{Session, checked_name};
use crate::cli::spec;
use crate::cli::terminal::View;
use crate::cli::testing;
use crate::diagnostic::DiagnosticView;
use crate::review::text::{Paint, Role};
use crate::review::words::counted;

const AFTER_HELP: &str = "\
Examples:
  switchback validate          every environment of the project, and the tests
  switchback validate staging  one of them
  switchback validate --json   the mistakes with file, line and column, for an editor or a CI

All mistakes are found at once, each with its place and how to mend it. Exit code 4 if there
are any.";

/// Check the spec without touching anything
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment; all of the project without it
    #[arg(value_name = "ENV")]
    environment: Option<String>,
}

#[derive(Serialize)]
struct Validated {
    environments: Vec<Environment>,
}

#[derive(Serialize)]
struct Environment {
    environment: String,
    valid: bool,
    resources: usize,
    databases: usize,
    diagnostics: Vec<DiagnosticView>,
}

impl View for Validated {
    fn text(&self, paint: &dyn Paint) -> String {
        let one = |environment: &Environment| match environment.valid {
            true => format!(
                "{} {}: {}, {}\n",
                paint.paint(Role::Added, "valid  "),
                environment.environment,
                counted(environment.resources, "resource"),
                counted(environment.databases, "database")
            ),
            false => {
                let count = environment.diagnostics.len();
                let word = paint.paint(Role::Danger, "invalid");
                format!("{word} {}: {}\n", environment.environment, counted(count, "mistake"))
            }
        };
        self.environments.iter().map(one).collect()
    }
}

/// Runs the verb.
///
/// # Errors
/// When there is no project.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let (project, names) = match &arguments.environment {
        Some(name) => (session.need_environment(name)?, vec![name.clone()]),
        None => {
            let project = session.need_project()?;
            let names = spec::environments(&project);
            (project, names)
        }
    };
    if names.is_empty() {
        return Err(Failure::new(Exit::Spec, format!("the project in {} has no environment", project.display()))
            .help("write the spec of one into environments/NAME.hcl"));
    }
    let mut validated = Validated { environments: Vec::new() };
    let mut said: Vec<String> = Vec::new();
    for name in names {
        checked_name(&name)?;
        let (resolved, mut diagnostics, _) = spec::resolve(session, &project, &name, spec::Missing::Assume)?;
        let (of_tests, sources) = testing::mistakes(session, &project, &name)?;
        diagnostics.extend(of_tests);
        // What two environments share is said once.
        for diagnostic in &diagnostics.0 {
            let text = failure::rendered(&diagnostic.clone().into(), &sources);
            if !said.contains(&text) {
                session.terminal.talk(&session.terminal.with_coloured_words(&text));
                said.push(text);
            }
        }
        let count = |of: &dyn Fn(&crate::resolve::desired::Desired) -> usize| {
            resolved.as_ref().map_or(0, |resolved| of(&resolved.desired))
        };
        validated.environments.push(Environment {
            valid: !diagnostics.has_errors(),
            resources: count(&|desired| desired.resources.len()),
            databases: count(&|desired| desired.databases.len()),
            diagnostics: diagnostics.0.iter().map(|diagnostic| diagnostic.view(&sources)).collect(),
            environment: name,
        });
    }
    session.terminal.show(&validated);
    let all_valid = validated.environments.iter().all(|environment| environment.valid);
    Ok(if all_valid { Exit::Done } else { Exit::Spec })
}
