//! The migrations of a change set as one script for `psql`, forward or back, with everything that the runner writes beside
//! them. Pure.
//!
//! Invariant: the script does what the runner does, in the same transactions and with the same rows of the history, or it is
//! refused; nothing is left out in silence.

mod blocks;
mod line;
mod apart;

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::history::unseen::{SCHEMA, Unseen};
use super::super::quoting;
use super::job::{Job, Mode};
use super::locks;
use crate::address::Address;
use crate::migration::layout::Layout;
use crate::migration::said::When;
use crate::migration::{Direction, Migration};
use crate::review::words::{self, harmless};
use crate::step::{Action, ChangeSet, Step};
use crate::world::{Content, Fence, MigrationEffect};

/// The first version of psql that reads all of it.
const PSQL: &str = "14";

/// Which way the script goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As planned.
    Forth,
    /// Back from there.
    Back,
}

/// Why there is no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{summary}")]
pub struct NoScript {
    /// What is the matter.
    pub summary: String,
    /// One cause for each step that is in the way.
    pub causes: Vec<String>,
    /// What to do.
    pub help: String,
}

impl NoScript {
    fn new(summary: impl Into<String>, help: impl Into<String>) -> Self {
        Self { summary: summary.into(), causes: Vec::new(), help: help.into() }
    }
}

/// The databases whose schema a change set changes, in the order of the steps.
pub fn databases(change_set: &ChangeSet) -> Vec<&Address> {
    let mut seen = BTreeSet::new();
    let of_schema = change_set.steps.iter().filter(|step| is_of_schema(step));
    of_schema.map(|step| &step.address).filter(|address| seen.insert(*address)).collect()
}

fn is_of_schema(step: &Step) -> bool {
    matches!(step.action, Action::Migrate { .. } | Action::Purge { .. })
}

/// The script of one database: of the one that the change set migrates, or of this one among several.
///
/// # Errors
/// When there are several and none is named, or a step does what no script can.
pub fn write(change_set: &ChangeSet, way: Way, database: Option<&Address>) -> Result<String, NoScript> {
    let databases = databases(change_set);
    let address = match (database, databases.as_slice()) {
        (Some(wanted), all) if all.contains(&wanted) => wanted,
        (Some(wanted), all) => {
            let there = listed(all);
            return Err(NoScript::new(
                format!("the plan migrates nothing of `{wanted}`"),
                format!("it migrates {there}"),
            ));
        }
        (None, [one]) => one,
        (None, []) => {
            return Err(NoScript::new(
                "the plan has no migration, so there is no script",
                "`--as text` shows what it does; a script is made of the migrations alone",
            ));
        }
        (None, several) => {
            return Err(NoScript::new(
                format!("the plan migrates {} databases, and a script is for one", several.len()),
                format!("say which with `--database ADDRESS`: {}", listed(several)),
            ));
        }
    };
    let steps: Vec<&Step> = match way {
        Way::Forth => change_set.steps.iter().filter(|step| step.address == *address && is_of_schema(step)).collect(),
        Way::Back => {
            change_set.steps.iter().rev().filter(|step| step.address == *address && is_of_schema(step)).collect()
        }
    };
    let mut script = Script::new(change_set, way, address, &steps)?;
    script.head(&steps);
    let mut causes = Vec::new();
    for step in &steps {
        if let Err(why) = script.step(step) {
            causes.push(format!("step {} {}: {why}", step.id, harmless(&step.title())));
        }
    }
    if !causes.is_empty() {
        let word = match way {
            Way::Forth => "as planned",
            Way::Back => "back from there",
        };
        let summary = format!("there is no script that goes {word}");
        return Err(NoScript {
            causes,
            ..NoScript::new(summary, "`switchback apply` and `rollback` do what a script cannot")
        });
    }
    Ok(script.end())
}

fn listed(addresses: &[&Address]) -> String {
    match addresses {
        [] => "no database".to_owned(),
        some => some.iter().map(|address| format!("`{address}`")).collect::<Vec<_>>().join(", "),
    }
}

/// A script that is being written.
struct Script<'a> {
    change_set: &'a ChangeSet,
    way: Way,
    address: &'a Address,
    unseen: Unseen,
    /// The database's name where it is known.
    dbname: String,
    set_role: Option<String>,
    /// Whether a version is among them that a narrow table cannot hold.
    needs_wide: bool,
    text: String,
}

impl<'a> Script<'a> {
    fn new(change_set: &'a ChangeSet, way: Way, address: &'a Address, steps: &[&Step]) -> Result<Self, NoScript> {
        let settings = steps.first().map(|step| &step.binding.settings);
        let layout = settings.map_or(Ok(Layout::default()), Layout::of);
        let layout = layout
            .map_err(|error| NoScript::new(error.to_string(), "use the version of switchback that planned it"))?;
        let text = |name: &str| settings.and_then(|settings| settings.get(name)?.as_str().map(str::to_owned));
        let needs_wide = steps.iter().filter_map(|step| migration(step)).any(|one| i32::try_from(one.version).is_err());
        let set_role = text("set_role").filter(|role| !role.is_empty());
        let dbname = text("dbname").unwrap_or_default();
        Ok(Self { change_set, way, address, unseen: Unseen(layout), dbname, set_role, needs_wide, text: String::new() })
    }

    /// A line of our own.
    fn line(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }

    /// A comment: whatever stands in it stays on its line.
    fn comment(&mut self, text: &str) {
        let text = harmless(text).replace('\n', " ");
        self.line(format!("-- {text}").trim_end());
    }

    /// A statement of our own.
    fn statement(&mut self, statement: &str) {
        self.line(&format!("{statement};"));
    }

    fn head(&mut self, steps: &[&Step]) {
        let ChangeSet { project, environment, .. } = self.change_set;
        let way = match self.way {
            Way::Forth => "as planned",
            Way::Back => "back from there: what the script of `--as sql` did is taken back",
        };
        self.comment(&format!("{} of {environment} of project {project}, {way}", self.address));
        self.comment(&format!("change set {}", self.change_set.digest()));
        self.comment("");
        let place = if self.dbname.is_empty() { "that database".to_owned() } else { format!("{:?}", self.dbname) };
        self.comment(&format!("Run it with psql {PSQL} or newer, connected to {place}: psql -X -f THIS_FILE"));
        self.comment(&format!("\\connect {place}"));
        self.comment("");
        self.comment("It does what `switchback apply` does, but for this: it takes no lease and writes no ledger (see");
        self.comment("that no run is under way), and where a lock is not to be had it stops instead of trying again.");
        for (step, what) in self.omitted() {
            self.comment(&format!("not in this script: step {step}, {what}"));
        }
        for step in steps.iter().filter(|step| !step.inverse.is_reversible()) {
            let why = step.inverse.why().unwrap_or_default();
            self.comment(&format!("step {} {}: {}, {why}", step.id, step.title(), step.inverse.class()));
        }
        self.line("");
        for setting in ["ON_ERROR_STOP on", "AUTOCOMMIT on", "ON_ERROR_ROLLBACK off", "SINGLELINE off"] {
            self.line(&format!("\\set {setting}"));
        }
    }

    /// Steps that no script of this database does.
    fn omitted(&self) -> Vec<(u32, String)> {
        let is_other = |step: &&Step| !(step.address == *self.address && is_of_schema(step));
        let other = self.change_set.steps.iter().filter(is_other);
        other.map(|step| (step.id.0, format!("{} {}", step.action.verb(), step.title()))).collect()
    }

    /// One step, in a session that is as good as a new one.
    fn step(&mut self, step: &Step) -> Result<(), String> {
        let migration = migration(step).ok_or("it is no migration")?;
        self.line("");
        self.comment(&format!("---- step {}: {} ----", step.id, words::because(step)));
        match (&step.action, self.way) {
            (Action::Purge { lock_timeout_milliseconds, .. }, Way::Forth) => {
                self.session();
                self.purge(migration, *lock_timeout_milliseconds)
            }
            (Action::Purge { .. }, Way::Back) => Err("what was dropped at last cannot be brought back".to_owned()),
            (Action::Migrate { direction, lock_timeout_milliseconds, from, .. }, way) => {
                if !from.is_start() {
                    return Err(
                        "it was left in the middle, and only a run can go on: `resume` or `rollback`".to_owned()
                    );
                }
                let direction = match way {
                    Way::Forth => *direction,
                    Way::Back => direction.other(),
                };
                let is_kept = step.inverse.is_reversible() && !migration.keeps_on_the_way_back();
                let effect = MigrationEffect {
                    token: String::new(),
                    fence: Fence::open(),
                    direction,
                    migration: migration.clone(),
                    lock_timeout: Duration::from_millis(*lock_timeout_milliseconds),
                    content: if is_kept { Content::MustBeNone } else { Content::Goes },
                    from: from.clone(),
                };
                if direction == Direction::Down && migration.is_repeatable() {
                    return Err("it has no version to go back to: run its earlier text instead".to_owned());
                }
                let job = Job::read(&effect, &self.address.to_string()).map_err(|error| error.cause)?;
                line::check(&job)?;
                self.session();
                self.migrate(migration, direction, &job)
            }
            _ => Err("it is no migration".to_owned()),
        }
    }

    /// What a new session of the runner has: nothing of the one before, the role, the place of the history, the turn.
    fn session(&mut self) {
        self.statement("discard all");
        self.line("\\encoding UTF8");
        if let Some(role) = self.set_role.clone() {
            self.statement(&format!("set role {}", quoting::name(&role)));
        }
        self.statement(&blocks::turn(locks::KEY));
        let table = self.unseen.0.table();
        self.line(&blocks::look(table, SCHEMA));
        self.statement(&blocks::nobody_in_the_middle());
    }

    /// Everything of one migration.
    fn migrate(&mut self, migration: &Migration, direction: Direction, job: &Job) -> Result<(), String> {
        if direction == Direction::Up {
            self.make_history();
        } else if let Some(create) = self.unseen.create_texts() {
            self.statement(&create);
        }
        match job.mode {
            Mode::Together => {
                self.begin(job.lock_timeout);
                self.check_turn(migration, direction);
                self.asked(job, When::Before);
                self.spare(&job.spared, true);
                self.theirs(&job.text);
                self.asked(job, When::After);
                self.close_history(migration, direction);
                self.statement("commit");
                Ok(())
            }
            Mode::Apart => self.apart(migration, direction, job),
        }
    }

    /// The history table, made as the tool makes it.
    fn make_history(&mut self) {
        if let Some(create) = self.unseen.create(self.needs_wide) {
            self.line("\\if :switchback_there");
            self.line("\\else");
            self.statement(&create);
            self.line(&format!("\\set switchback_wide {}", self.needs_wide));
            self.line("\\endif");
        }
    }

    fn begin(&mut self, lock_timeout: Duration) {
        self.statement(&format!("begin; set local lock_timeout = {}", lock_timeout.as_millis().max(1)));
    }

    /// The text of the migration, as it stands.
    fn theirs(&mut self, text: &str) {
        self.line(text.trim_end());
        // What ends in a comment ends before this.
        self.line(";");
    }

    /// Whether it is this migration's turn.
    fn check_turn(&mut self, migration: &Migration, direction: Direction) {
        if let Some((is_there, is_later)) = self.unseen.standing(migration) {
            let block = blocks::standing(&blocks::Standing {
                label: &migration.label(),
                direction,
                is_there: &is_there,
                is_later: &is_later,
                is_dirty: self.unseen.is_dirty(),
            });
            self.statement(&block);
        }
    }

    fn asked(&mut self, job: &Job, when: When) {
        for assertion in job.assertions.iter().filter(|one| one.when == when) {
            self.statement(&blocks::assertion(assertion));
        }
    }

    fn spare(&mut self, spared: &[crate::migration::addition::Addition], locks: bool) {
        for addition in spared {
            for statement in blocks::spared(addition, locks) {
                self.statement(&statement);
            }
        }
    }

    /// The row of the history comes or goes.
    fn close_history(&mut self, migration: &Migration, direction: Direction) {
        match (direction, self.unseen.0) {
            (Direction::Down, _) => self.statement(&self.unseen.delete(migration)),
            (Direction::Up, Layout::Refinery) => {
                self.line("\\if :switchback_wide");
                self.statement(&self.unseen.insert(migration, true));
                self.line("\\else");
                self.statement(&self.unseen.insert(migration, false));
                self.line("\\endif");
            }
            (Direction::Up, _) => self.statement(&self.unseen.insert(migration, false)),
        }
    }

    fn purge(&mut self, migration: &Migration, lock_timeout_milliseconds: u64) -> Result<(), String> {
        let kept = migration.kept.as_ref().ok_or("nothing of it is kept")?;
        line::check_text(&kept.purge)?;
        self.begin(Duration::from_millis(lock_timeout_milliseconds));
        self.theirs(&kept.purge);
        self.statement("commit");
        Ok(())
    }

    fn end(mut self) -> String {
        self.line("");
        self.statement(&format!("select pg_catalog.pg_advisory_unlock({})", locks::KEY));
        self.text
    }
}

fn migration(step: &Step) -> Option<&Migration> {
    match &step.action {
        Action::Migrate { migration, .. } | Action::Purge { migration, .. } => Some(migration),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
