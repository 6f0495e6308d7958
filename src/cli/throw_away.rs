//! A throw-away environment for tests: applied on a local stack of its own, tested there, and gone. An edge.
//!
//! Invariant: nothing of the spec reaches anything but that stack, and however we end, it ends too.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::door;
use super::exit::Exit;
use super::failure::Failure;
use super::session::Session;
use super::spec::{self, Missing};
use super::terminal::When;
use crate::expression::Deferred;
use crate::local::{self, LocalStack};
use crate::resolve::desired::Desired;
use crate::review::text::Role;
use crate::store::disk::DiskFiles;
use crate::value::Value;
use crate::world::Binding;

/// A local stack that lives as long as we do.
struct Stack<'a> {
    session: &'a Session,
    supervisor: Child,
    folder: PathBuf,
    facts: LocalStack,
}

/// Makes a throw-away copy of an environment, runs these words of `test` there, and removes it. Gives how the tests ended.
///
/// # Errors
/// When the environment does not allow `up`, its spec reaches something else, or it cannot be applied.
pub fn test(session: &Session, environment: &str, words: &[String]) -> Result<Exit, Failure> {
    door::refuse_up(session, environment)?;
    let stack = Stack::start(session)?;
    let others = stack.others(environment)?;
    if !others.is_empty() {
        let mut failure = Failure::new(
            Exit::Unconfirmed,
            format!("a throw-away {environment} would reach what is no part of it; nothing was applied"),
        );
        failure.causes = others;
        return Err(failure.help("name the local stack in its providers, as in `endpoint = local_stack.aws_endpoint`"));
    }
    session.terminal.say(&format!("a throw-away {environment} is made, for these tests only"));
    let applied = stack.run(&["up", environment, "--no-progress", "--tell-nobody"], Stdio::null())?;
    if applied != 0 {
        return Err(Failure::failed(format!(
            "the throw-away {environment} could not be applied (exit {applied}); nothing was tested"
        ))
        .help("what went wrong stands above; what was made is gone again"));
    }
    let mut typed = vec!["test", environment, "--no-record"];
    typed.extend(words.iter().map(String::as_str));
    let code = stack.run(&typed, Stdio::inherit())?;
    let exit = Exit::ALL.into_iter().find(|exit| i32::from(exit.code()) == code);
    exit.ok_or_else(|| Failure::failed("the tests ended by themselves; what was made is gone again"))
}

impl<'a> Stack<'a> {
    fn start(session: &'a Session) -> Result<Self, Failure> {
        let broken = |why: String| Failure::failed(format!("no local stack can be started for the tests: {why}"));
        let began = session.world.clock.now().as_millisecond();
        let folder = PathBuf::from("/tmp").join(format!("switchback-test-{}-{began}", std::process::id()));
        let mut command = Command::new(program()?);
        command.args(["local", "serve-until-eof"]).arg(&folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        // Ctrl-C is for us: it ends when we have ended.
        command.process_group(0);
        let mut supervisor = command.spawn().map_err(|error| broken(error.to_string()))?;
        let mut line = String::new();
        if let Some(output) = supervisor.stdout.take() {
            BufReader::new(output).read_line(&mut line).map_err(|error| broken(error.to_string()))?;
        }
        match serde_json::from_str::<LocalStack>(&line) {
            Ok(facts) => Ok(Self { session, supervisor, folder, facts }),
            Err(_) => {
                let ended = supervisor.wait().map_err(|error| broken(error.to_string()))?;
                Err(broken(format!("it ended ({ended})")).help("see what it lacks:  switchback doctor"))
            }
        }
    }

    /// Runs this very program with the same flags, where the local stack is this one and the ledger lies beside it.
    fn run(&self, words: &[&str], output: Stdio) -> Result<i32, Failure> {
        let globals = &self.session.globals;
        let mut command = Command::new(program()?);
        command.args(words).current_dir(&self.session.folder).stdin(Stdio::null()).stdout(output);
        command.arg("--ledger").arg(format!("file:{}", self.folder.join("ledger").display()));
        command.env("SWITCHBACK_LOCAL_STACK", &self.folder);
        for given in &globals.variables {
            command.arg("--var").arg(format!("{}={}", given.name, given.value));
        }
        for file in &globals.variable_files {
            command.arg("--var-file").arg(file);
        }
        if globals.json && words.first() == Some(&"test") {
            command.arg("--json");
        }
        command.args(match globals.color {
            When::Auto => [].as_slice(),
            When::Always => &["--color", "always"],
            When::Never => &["--color", "never"],
        });
        let ended =
            command.status().map_err(|error| Failure::failed(format!("this very program cannot be run: {error}")))?;
        Ok(ended.code().unwrap_or(-1))
    }

    /// What the spec reaches that is no part of this stack, a line each.
    fn others(&self, environment: &str) -> Result<Vec<String>, Failure> {
        let session = self.session;
        let project = session.need_project()?;
        let mut inputs = spec::inputs(session, &project, Missing::Refuse)?;
        inputs.local_stack = local::facts(&self.folder).map(Value::object);
        let place = (&*project, environment);
        let (resolved, diagnostics, sources) = spec::resolve_files(session, place, &inputs, &DiskFiles)?;
        let resolved = resolved.ok_or_else(|| Failure::mistakes(diagnostics, &sources))?;
        let mut others = Vec::new();
        for (what, binding) in bindings(&resolved.desired) {
            let why = self.reaches_another(binding).map(|why| format!("{what}: {why}"));
            others.extend(why.filter(|why| !others.contains(why)));
        }
        Ok(others)
    }

    /// Why a binding may lead elsewhere.
    fn reaches_another(&self, binding: &Binding) -> Option<String> {
        let is = |name: &str, wanted: &str| binding.settings.get(name).and_then(Value::as_str) == Some(wanted);
        match &*binding.provider {
            "terraform" => None,
            "aws" if is("endpoint", &self.facts.aws_endpoint) => None,
            "aws" => Some("its AWS is not the one of the local stack".to_owned()),
            "postgres" => {
                let port = binding.settings.get("port").and_then(Value::as_i64);
                let is_ours =
                    is("host", &self.facts.postgres_host) && port == Some(i64::from(self.facts.postgres_port));
                // Where it is known only after a step, it is a database that this very spec makes.
                let made = binding.deferred.get("url").is_some_and(made_by_itself);
                let tunnel = binding.settings.keys().chain(binding.deferred.keys()).any(|name| name.contains("tunnel"));
                let is_plain = (is_ours && !binding.deferred.contains_key("host"))
                    || (made && !binding.settings.contains_key("host"));
                (!is_plain || tunnel).then(|| "its PostgreSQL is not the one of the local stack".to_owned())
            }
            other => Some(format!("nobody knows where the provider `{other}` leads")),
        }
    }
}

/// Whether a value comes from databases that the spec makes, and from nothing else.
fn made_by_itself(url: &Deferred) -> bool {
    let references = url.references();
    url.secrets().is_empty()
        && !references.is_empty()
        && references.iter().all(|address| &*address.word == "postgres_database")
}

/// Everything that is reached, and by what.
fn bindings(desired: &Desired) -> Vec<(String, &Binding)> {
    let resources = desired.resources.iter().map(|(address, thing)| (address.to_string(), &thing.binding));
    let databases = desired.databases.iter().flat_map(|(address, database)| {
        let server = database.rehearsal_server.as_ref().map(|server| (format!("rehearsals of {address}"), server));
        std::iter::once((address.to_string(), &database.binding)).chain(server)
    });
    let checks = desired.checks.iter();
    let checks = checks.filter_map(|check| Some((check.address.to_string(), check.binding.as_ref()?)));
    resources.chain(databases).chain(checks).collect()
}

fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| Failure::failed(format!("this very program cannot be found: {error}")))
}

impl Drop for Stack<'_> {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let ended = self.supervisor.wait();
        let is_gone = ended.is_ok_and(|ended| ended.success()) && !Path::exists(&self.folder);
        if !is_gone {
            let folder = self.folder.display();
            self.session.terminal.say_as(
                Role::Warning,
                &format!(
                    "the throw-away stack in {folder} is left; remove it:  switchback local down --wipe -C {folder}"
                ),
            );
        }
    }
}
