//! What verbs have in common of what may be typed, as typed and not yet judged. Pure.
//!
//! Invariant: the value of a variable, which may be a secret, is in no debug output.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::terminal::When;
use crate::address::Address;

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
    /// Nobody is told what happens: what is applied is thrown away again
    #[arg(long, global = true, hide = true)]
    pub tell_nobody: bool,
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
    /// A page for a browser, in one file.
    Html,
    /// For programs.
    Json,
    /// Findings, rehearsals that are no pass and losses as SARIF 2.1.0, for what shows them beside lines of files.
    Sarif,
    /// Steps and findings as JUnit's XML, for what shows tests.
    Junit,
    /// What will happen, how to watch it, and how to take it back, also by hand.
    Runbook,
    /// The migrations as a script for `psql`.
    Sql,
    /// The script that takes them back.
    SqlDown,
}

/// The database that a script is of.
#[derive(Clone, Debug, Default, Args)]
pub struct OfDatabase {
    /// With `--as sql` and `sql-down`: the database, where the plan migrates several
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub database: Option<Address>,
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
    use super::*;

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
