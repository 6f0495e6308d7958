//! What is said of a command line that could not be read: by clap for people, as our own failures for programs. An edge.
//!
//! Invariant: with `--json` on the line, stdout holds one document, as with every other failure.

use std::ffi::OsString;

use clap::error::ErrorKind;

use super::exit::Exit;
use super::failure::Failure;
use super::terminal::{Terminal, When};

/// Says it, and how the process ends: help and versions are data and no failure.
pub fn say(error: &clap::Error, typed: &[OsString]) -> Exit {
    let words: Vec<_> = typed.iter().map(|word| word.to_string_lossy()).take_while(|word| *word != "--").collect();
    let words: Vec<&str> = words.iter().map(|word| &**word).collect();
    if !error.use_stderr() {
        Terminal::new(colour(&words), false, true).help(&error.render());
        return Exit::Done;
    }
    let terminal = Terminal::new(colour(&words), words.contains(&"--json"), true);
    terminal.fail_in_words(&failure(error), &error.render());
    // A usage error never ends with 2, which means changes.
    Exit::Usage
}

/// What `--color` says on a command line that could not be read.
fn colour(words: &[&str]) -> When {
    let says = |value: &str| {
        words.contains(&format!("--color={value}").as_str()) || words.windows(2).any(|pair| pair == ["--color", value])
    };
    match (says("always"), says("never")) {
        (true, _) => When::Always,
        (_, true) => When::Never,
        (false, false) => When::Auto,
    }
}

/// The parts of clap's text: what is wrong, what is listed below it, and what may be typed instead.
fn failure(error: &clap::Error) -> Failure {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::usage("a command is missing").help("`--help` lists what may be typed");
    }
    let text = error.render().to_string();
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let mut failure = Failure::usage(first.strip_prefix("error: ").unwrap_or(first).trim_end_matches(':'));
    for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(tip) = line.strip_prefix("tip: ") {
            failure = failure.help(tip);
        } else if let Some(usage) = line.strip_prefix("Usage: ") {
            failure = failure.help(format!("usage: {usage}"));
        } else if !line.starts_with("For more information") {
            failure = failure.cause(line);
        }
    }
    failure
}
