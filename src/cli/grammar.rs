//! The grammar of the command line: the verbs, and the flags that all of them take. Pure.
//!
//! Invariant: every verb is one variant here and one file in `verb/`; a test compares the two.

use clap::{Parser, Subcommand};

use super::arguments::Globals;
use super::exit::Exit;
use super::failure::PAGES;
use super::verb;

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
           switchback plan dev                  what would change, and the way back of each step\n  \
           switchback apply dev                 do it, after a question\n  \
           switchback status dev                what is there, what is unfinished\n  \
           switchback rollback dev --last       take the newest apply back\n\n\
         Exit codes:\n{}\n\
         Data goes to stdout, talk to stderr; `--json` gives the same facts for programs.\n\n\
         The book: {PAGES}/README.md",
        Exit::table()
    )
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
    /// Prove migrations both ways on a throw-away PostgreSQL
    Rehearse(verb::rehearse::Arguments),
    /// Show a saved plan, or what the newest run carries out, again
    Show(verb::show::Arguments),
    /// Sign a change set
    Approve(verb::approve::Arguments),
    /// Refuse a change set
    Reject(verb::reject::Arguments),
    /// Show who has to sign a change set, and who did
    Approvals(verb::approvals::Arguments),
    /// Carry out a change set
    Apply(verb::apply::Arguments),
    /// Plan, apply and verify without questions, where the environment allows it
    Up(verb::up::Arguments),
    /// Take an environment back to an earlier state
    Rollback(verb::rollback::Arguments),
    /// Go on with a run that did not end
    Resume(verb::resume::Arguments),
    /// Say yourself what became of a step, where the world cannot be asked
    Settle(verb::settle::Arguments),
    /// Take the lease away from whoever holds it
    Unlock(verb::unlock::Arguments),
    /// What must not be applied again by automation
    Hold(verb::hold::Arguments),
    /// Show what is there and what is unfinished
    Status(verb::status::Arguments),
    /// List the runs of an environment
    History(verb::history::Arguments),
    /// Show what is not as it was applied, and what is not applied yet
    Drift(verb::drift::Arguments),
    /// Show two environments side by side
    Diff(verb::diff::Arguments),
    /// Print the least rights to plan an environment, and to apply it
    Permissions(verb::permissions::Arguments),
    /// Show the outputs of an environment
    Output(verb::output::Arguments),
    /// Run migrations on any database, and take over what another tool has begun
    Migrate(verb::migrate::Arguments),
    /// Run tests, of a plan or against an environment as it stands
    Test(verb::test::Arguments),
    /// Make, show, accept and tag releases of what was verified
    Release(verb::release::Arguments),
    /// Bring to the next environment what one has verified
    Promote(verb::promote::Arguments),
    /// Take a thing into the ledger that is there already
    Import(verb::import::Arguments),
    /// List, show, rename or forget what the ledger records
    State(verb::state::Arguments),
    /// Remove everything of an environment
    Destroy(verb::destroy::Arguments),
    /// The local stack: an AWS endpoint and a PostgreSQL on this machine
    Local(verb::local::Arguments),
    /// Say what this machine and project lack
    Doctor(verb::doctor::Arguments),
    /// Print the completions for a shell
    Completions(verb::completions::Arguments),
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
        // A verb with verbs of its own has a folder as well.
        files.dedup();
        assert_eq!(verbs, files);
        for verb in CommandLine::command().get_subcommands() {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("switchback {}", verb.get_name())), "{} teaches nothing", verb.get_name());
            for line in help.lines() {
                assert!(line.chars().count() <= 98, "wraps on a usual terminal: {line}");
            }
        }
    }
}
