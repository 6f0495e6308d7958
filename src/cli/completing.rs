//! What a shell offers while a command is typed: verbs, flags, and the environments of the project at hand. An edge.
//!
//! Invariant: nothing hidden is offered, and whatever is wrong with a project only makes the list shorter.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgGroup, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};

use super::environment::{self, Name};
use super::exit::Exit;
use super::plan_file;
use super::session::PROJECT_FILE;
use super::terminal::{Terminal, When};
use crate::spec;
use crate::store::disk::DiskFiles;

/// Answers a shell that asks what may be typed next; nothing when nobody asks.
pub fn answer(typed: &[OsString], grammar: fn() -> Command) -> Option<Exit> {
    environment::read(Name::Complete)?;
    let here = current_folder();
    let project = here.as_deref().map(|here| folder_of(typed, here));
    let asked = CompleteEnv::with_factory(|| visible(&grammar(), project.as_deref()))
        .var(Name::Complete.spelling())
        .try_complete(typed.iter().cloned(), here.as_deref());
    match asked {
        Ok(true) => Some(Exit::Done),
        Ok(false) => None,
        Err(error) => {
            Terminal::new(When::Auto, false, true).say(&format!("nothing can be offered: {error}"));
            Some(Exit::Failed)
        }
    }
}

/// What a shell has to read for that, once.
///
/// # Errors
/// When it cannot be written.
pub fn script(shell: Shell) -> std::io::Result<String> {
    let mut script = Vec::new();
    let name = shell.to_string();
    let adapter = Shells::builtins();
    let adapter = adapter.completer(&name).ok_or_else(|| std::io::Error::other(format!("{name} is not known")))?;
    adapter.write_registration(Name::Complete.spelling(), "switchback", "switchback", "switchback", &mut script)?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

#[expect(clippy::disallowed_methods, reason = "the command line is where the working folder is asked for")]
fn current_folder() -> Option<PathBuf> {
    std::env::current_dir().ok()
}

/// The folder that the line works in: `-C` counts while it is typed, too.
fn folder_of(typed: &[OsString], here: &Path) -> PathBuf {
    let line: Vec<&OsString> = typed.iter().skip_while(|word| *word != "--").collect();
    let named = line.windows(2).filter(|pair| pair[0] == "-C").map(|pair| pair[1]).next_back();
    named.map_or(here.to_owned(), |named| here.join(named))
}

/// The command line without what is hidden, and with the project's environments as values.
fn visible(command: &Command, folder: Option<&Path>) -> Command {
    let mut seen = Command::new(command.get_name().to_owned());
    if let Some(about) = command.get_about() {
        seen = seen.about(about.clone());
    }
    let hidden: Vec<_> = command.get_arguments().filter(|argument| argument.is_hide_set()).map(Arg::get_id).collect();
    let groups = command.get_groups().map(|group| {
        let members = group.get_args().filter(|member| !hidden.contains(member)).cloned();
        ArgGroup::new(group.get_id().clone()).args(members).multiple(true)
    });
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    // Elsewhere these words stand for a part of the ledger.
    let leads = command.get_name() == "promote";
    seen = seen.args(shown.map(|argument| with_values(argument, folder, leads))).groups(groups);
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    seen.subcommands(verbs.map(|verb| visible(verb, folder)))
}

/// An argument alone, without what it asks of others; those that name an environment offer them.
fn with_values(argument: &Arg, folder: Option<&Path>, leads: bool) -> Arg {
    let stands_for = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let stands_for = stands_for.filter(|word| leads || !matches!(word.as_str(), "FROM" | "TO"));
    let folder = folder.map(Path::to_owned);
    match stands_for.as_deref() {
        Some("ENV" | "FROM" | "TO") => {
            argument.clone().add(ArgValueCompleter::new(move |begun: &OsStr| environments(folder.as_deref(), begun)))
        }
        Some("ENV|PLANFILE") => argument.clone().add(ArgValueCompleter::new(move |begun: &OsStr| {
            let mut found = environments(folder.as_deref(), begun);
            found.extend(plans(begun));
            found
        })),
        _ => argument.clone(),
    }
}

fn environments(folder: Option<&Path>, begun: &OsStr) -> Vec<CompletionCandidate> {
    let project = folder.and_then(|folder| folder.ancestors().find(|folder| folder.join(PROJECT_FILE).is_file()));
    let names = project.map(|project| spec::environments(&DiskFiles, project)).unwrap_or_default();
    let begun = begun.to_string_lossy();
    names.into_iter().filter(|name| name.starts_with(&*begun)).map(CompletionCandidate::new).collect()
}

fn plans(begun: &OsStr) -> Vec<CompletionCandidate> {
    PathCompleter::file().filter(|path| path.to_string_lossy().ends_with(plan_file::ENDING)).complete(begun)
}
