//! What may be typed: the grammar of the command line, as typed and not yet judged. Pure.
//!
//! Invariant: every verb is one variant here and one file in `verb/`; a test compares the two.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::exit::Exit;
use super::terminal::When;
use super::verb;
use crate::address::Address;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "switchback",
    version,
    about = "Plans and applies one ordered, reversible change set across infrastructure, configuration and PostgreSQL schema.",
    after_help = "Begin with `switchback init`, then `switchback plan dev` and `switchback apply dev`.\n\
                  `switchback VERB --help` explains a verb with examples; `switchback --help` also lists the exit codes.",
    after_long_help = after_long_help(),
    max_term_width = 100,
    infer_long_args = false,
)]
pub struct CommandLine {
    /// Flags that every verb takes.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

fn after_long_help() -> String {
    format!(
        "A first tour:\n  \
           switchback init                      a new project in this folder\n  \
           switchback plan dev                  what would change, in which order, and the way back of each step\n  \
           switchback apply dev                 do it, after a question\n  \
           switchback status dev                what is there, what is unfinished\n  \
           switchback rollback dev --last       take the newest apply back\n\n\
         Exit codes:\n{}\n\
         Data goes to stdout, talk to stderr; `--json` gives the same facts for programs.",
        Exit::table()
    )
}

/// Flags that every verb takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Flags of every verb")]
pub struct Globals {
    /// Work as if started in this folder
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// The ledger's URL, as `file:/srv/ledgers/shop`; also `SWITCHBACK_LEDGER`
    #[arg(long, value_name = "URL", global = true)]
    pub ledger: Option<String>,
    /// Wait this long for another run to end, as `30s` or `5m`
    #[arg(long, value_name = "TIME", global = true, value_parser = duration)]
    #[arg(default_value = "0s", hide_default_value = true)]
    pub lock_timeout: Duration,
    /// Give the facts as JSON on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// When there is colour: `auto` (on a terminal, unless `NO_COLOR` is set), `always` or `never`
    #[arg(long, value_name = "WHEN", global = true, value_enum, default_value_t)]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    pub color: When,
    /// Log more: `-v` info, `-vv` debug, `-vvv` trace; also `SWITCHBACK_LOG`
    #[arg(short, long = "verbose", action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Plain lines instead of live progress
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// The value of a variable of the spec; also `SWITCHBACK_VAR_NAME`
    #[arg(long = "var", value_name = "NAME=VALUE", global = true, value_parser = assignment)]
    pub variables: Vec<Assignment>,
    /// A file with values of variables, `name = value` in each line
    #[arg(long = "var-file", value_name = "FILE", global = true)]
    pub variable_files: Vec<PathBuf>,
}

/// `NAME=VALUE`. Its value may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// The text.
    pub value: String,
}

impl std::fmt::Debug for Assignment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}=(withheld)", self.name)
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Begin a new project that plans at once
    Init(verb::init::Arguments),
    /// Check the spec without touching anything
    Validate(verb::validate::Arguments),
    /// Evaluate an expression of the spec language
    Console(verb::console::Arguments),
    /// Show what would change, in which order, and the way back of each step
    Plan(verb::plan::Arguments),
    /// Show a saved plan, or what the newest run carries out, again
    Show(verb::show::Arguments),
    /// Carry out a change set
    Apply(verb::apply::Arguments),
    /// Plan, apply and verify without questions, where the environment allows it
    Up(verb::up::Arguments),
    /// Take an environment back to an earlier state
    Rollback(verb::rollback::Arguments),
    /// Go on with a run that did not end
    Resume(verb::resume::Arguments),
    /// Show what is there and what is unfinished
    Status(verb::status::Arguments),
    /// List the runs of an environment
    History(verb::history::Arguments),
    /// Show the outputs of an environment
    Output(verb::output::Arguments),
    /// Remove everything of an environment
    Destroy(verb::destroy::Arguments),
    /// The local stack: an AWS endpoint and a PostgreSQL on this machine
    Local(verb::local::Arguments),
    /// Say what this machine and project lack
    Doctor(verb::doctor::Arguments),
    /// Print the completions for a shell
    Completions(verb::completions::Arguments),
}

/// An environment, or a saved change set in its place.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Subject {
    /// The environment, or a saved plan whose name ends in `.plan.json`
    #[arg(value_name = "ENV|PLANFILE")]
    pub environment: Option<String>,
    /// A saved plan of any name
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
}

/// The form of a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For a terminal.
    Text,
    /// For a comment on a pull request.
    Md,
    /// For programs.
    Json,
}

/// An address as typed.
pub fn address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|error: crate::address::NotAnAddress| error.to_string())
}

fn assignment(text: &str) -> Result<Assignment, String> {
    let (name, value) = text.split_once('=').ok_or("a variable is given as NAME=VALUE")?;
    let word = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if !word(name) {
        return Err("the name of a variable is made of letters, digits, `_` and `-`".to_owned());
    }
    Ok(Assignment { name: name.to_owned(), value: value.to_owned() })
}

/// A time as typed: `500ms`, `30s`, `5m`, `1h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let refuse = || format!("`{text}` is no time; write it as `500ms`, `30s`, `5m` or `1h`");
    let number: u64 = number.parse().map_err(|_| refuse())?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(refuse()),
    };
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_verb_has_its_file_and_teaches_with_an_example() {
        let mut verbs: Vec<String> =
            CommandLine::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
        verbs.sort();
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/verb");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().into_owned())
            .collect();
        files.sort();
        assert_eq!(verbs, files);
        for verb in CommandLine::command().get_subcommands() {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("switchback {}", verb.get_name())), "{} teaches nothing", verb.get_name());
            for line in help.lines() {
                assert!(line.chars().count() <= 98, "wraps on a usual terminal: {line}");
            }
        }
    }

    #[test]
    fn times_are_read_with_their_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        for wrong in ["", "5", "m", "5 m", "-1s", "99999999999999999999s", "18446744073709551615h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_value_of_a_variable_is_not_in_its_debug_form() {
        let assignment = assignment("password=hunter2=3").expect("an assignment");
        assert_eq!((assignment.name.as_str(), assignment.value.as_str()), ("password", "hunter2=3"));
        assert_eq!(format!("{assignment:?}"), "password=(withheld)");
    }
}
