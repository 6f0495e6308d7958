//! `switchback migrate`: migrations of any database from any folder, in the layout of five tools; and what is said of a
//! history that another tool has begun.

mod place;
mod rehearsal;
mod linting;
mod proposing;
mod own_folder;
mod making;
mod standing;
mod forward;
mod backward;
mod telling;
mod adopt;
mod baseline;
mod rebless;
mod skip;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;

const AFTER_HELP: &str = "\
Examples:
  switchback migrate rehearse --all                          does the whole folder go up and down?
  switchback migrate lint                                    what a DBA would say of the folder
  switchback migrate status --url postgres://me@localhost/shop --dir migrations
  switchback migrate new add_email --dir migrations          the next pair of files
  switchback migrate new catch_up --from-schema schema.sql   what leads to a wanted schema
  switchback migrate rehearse                                what is pending, on a copy of it
  switchback migrate up                                      with DATABASE_URL, in ./migrations
  switchback migrate down --last --layout flyway             one step back, after a question

On a database of an environment; `switchback rollback ENV --last` takes each of them back:
  switchback migrate adopt dev --dry-run                     every mismatch with the history table
  switchback migrate adopt dev                               record what another tool had applied
  switchback migrate baseline dev 12                         everything up to 12 counts as applied
  switchback migrate rebless dev 7 --reason 'a comment'      accept the altered text of 7
  switchback migrate skip dev 9 --reason 'ran by hand'       never run 9

Layouts: refinery, flyway, sqlx, golang-migrate, dbmate. That tool then finds nothing pending.";

/// Run migrations on any database, and take over what another tool has begun
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// Write the files of the next migration; with `--from-schema`, what leads to a wanted schema
    New(making::Arguments),
    /// Show what is applied, what is pending, and what does not fit
    Status(standing::Arguments),
    /// Prove migrations both ways on a throw-away PostgreSQL
    Rehearse(rehearsal::Arguments),
    /// Apply the rules of migrations to a folder
    Lint(linting::Arguments),
    /// Run what is pending
    Up(forward::Arguments),
    /// Take migrations back with their own files
    Down(backward::Arguments),
    /// Record in the ledger what another tool had applied
    Adopt(adopt::Arguments),
    /// Record in the ledger that everything up to a version counts as applied
    Baseline(baseline::Arguments),
    /// Record in the ledger that the altered text of an applied migration is accepted
    Rebless(rebless::Arguments),
    /// Record in the ledger that a version is never run
    Skip(skip::Arguments),
}

/// Runs the verb.
///
/// # Errors
/// As the verb within it says.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    match &arguments.what {
        What::New(arguments) => making::run(arguments, session),
        What::Status(arguments) => standing::run(arguments, session),
        What::Rehearse(arguments) => rehearsal::run(arguments, session),
        What::Lint(arguments) => linting::run(arguments, session),
        What::Up(arguments) => forward::run(arguments, session),
        What::Down(arguments) => backward::run(arguments, session),
        What::Adopt(arguments) => adopt::run(arguments, session),
        What::Baseline(arguments) => baseline::run(arguments, session),
        What::Rebless(arguments) => rebless::run(arguments, session),
        What::Skip(arguments) => skip::run(arguments, session),
    }
}
