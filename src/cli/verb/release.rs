//! `switchback release`: releases of what was verified: made, shown, accepted and tagged.

use serde::Serialize;

use crate::cli::carry::{Hold, Intention};
use crate::cli::confirm::Consent;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::promotion::refused;
use crate::cli::report::shown_time;
use crate::cli::session::Session;
use crate::cli::terminal::View;
use crate::cli::tested::TestsView;
use crate::cli::{git, releasing, spec};
use crate::ledger::State;
use crate::promote;
use crate::release::record::Event;
use crate::release::{Image, Release, ReleaseId};
use crate::review::text::{Paint, Role};
use crate::review::words::{counted, harmless};
use crate::spec as specs;
use crate::store::disk::DiskFiles;

const AFTER_HELP: &str = "\
Examples:
  switchback release create dev              from what dev applied and verified last
  switchback release list dev                the releases that dev's ledger knows
  switchback release show 5e1f0c             what is in one: files, images, migrations, values
  switchback release accept 5e1f0c --in staging --as uat --note \"seen by Ada\"
  switchback release tag 5e1f0c v1.4.0       the Git tag, after staging has verified it
  switchback release tag staging v1.4.0      the same of the release that staging runs
  switchback promote dev staging             and on to the next environment

A release is immutable: its name is the digest of all that is in it. It lies in the ledger of
the environment that made it, and is copied into that of each to which it is promoted.";

/// Make, show, accept and tag releases of what was verified
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// Make a release of what an environment applied last and verified
    Create {
        /// The environment
        #[arg(value_name = "ENV")]
        environment: String,
    },
    /// List the releases that the ledger of an environment knows
    List {
        /// The environment
        #[arg(value_name = "ENV")]
        environment: String,
    },
    /// Show what is in a release, and where it is
    Show {
        /// The release, as much of its name as is needed, its tag, or the environment that runs it
        #[arg(value_name = "RELEASE")]
        release: String,
        /// The environment whose ledger is read; else the first of the project that knows it
        #[arg(long = "env", value_name = "ENV")]
        environment: Option<String>,
    },
    /// Record that somebody accepts a release, as it runs in an environment
    Accept {
        /// The release, or the environment that runs it
        #[arg(value_name = "RELEASE")]
        release: String,
        /// The environment in which it was looked at
        #[arg(long = "in", value_name = "ENV")]
        environment: String,
        /// As what, as `uat`: what `accept` of the next environment asks for
        #[arg(long = "as", value_name = "ROLE")]
        role: String,
        /// What there is to say of it
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Make the Git tag of a release that was verified
    Tag {
        /// The release, or the environment that runs it
        #[arg(value_name = "RELEASE")]
        release: String,
        /// The tag, as `v1.4.0`
        #[arg(value_name = "TAG")]
        tag: String,
        /// The environment that has verified it; else the last one of the project that did
        #[arg(long = "in", value_name = "ENV")]
        environment: Option<String>,
    },
}

/// Runs the verb.
///
/// # Errors
/// When there is no such release, a gate is closed, or the ledger cannot be written.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    match &arguments.what {
        What::Create { environment } => create(session, environment)?,
        What::List { environment } => {
            let ledger = session.known_ledger(environment)?;
            let mut list = List::of(environment, ledger.state());
            let tags = tags(session);
            list.releases.iter_mut().for_each(|release| release.also_tagged(&tags));
            session.terminal.show(&list);
        }
        What::Show { release, environment } => {
            let (environment, id) = find(session, release, environment.as_deref())?;
            let ledger = session.known_ledger(&environment)?;
            let mut release = ReleaseView::of(&environment, ledger.state(), id);
            release.also_tagged(&tags(session));
            session.terminal.show(&release);
        }
        What::Accept { release, environment, role, note } => {
            accept(session, (environment, release), role, note.as_deref())?;
        }
        What::Tag { release, tag, environment } => make_tag(session, release, tag, environment.as_deref())?,
    }
    Ok(Exit::Done)
}

fn create(session: &Session, environment: &str) -> Result<(), Failure> {
    session.known_ledger(environment)?;
    let mut hold = Hold::open(session, Intention { environment, project: None, verb: "release" }, Consent::Given)?;
    let state = hold.ledger.state();
    let (run, digest) = promote::verified_now(environment, state).map_err(|why| refused(session, environment, why))?;
    let number = run.number;
    let is_made = |id: &ReleaseId| state.releases.known.get(id).is_some_and(|known| known.spec_digest == digest);
    let is_brought = run.change_set.release.is_some();
    let already = |id: ReleaseId| {
        session.terminal.say(&format!("run {number} of {environment} is release {} already", id.short()));
        session.terminal.show(&ReleaseView::of(environment, state, id));
    };
    let is_dirty = |release: &Release| release.commit.as_ref().is_some_and(|commit| commit.dirty);
    // What was made of it before it was committed cannot be tagged: it is made once more of the commit.
    let is_final = |id: &ReleaseId| !state.releases.known.get(id).is_some_and(|known| is_dirty(known));
    let known = state.release_of(run).filter(|id| is_brought || is_made(id));
    if let Some(id) = known.filter(|id| is_brought || is_final(id)) {
        already(id);
        return Ok(());
    }
    let digests = [Some(digest), run.change_set.spec_digest];
    if let Some(hold) = digests.iter().flatten().find_map(|digest| state.holds.get(digest)) {
        let words = format!("what {environment} runs is held: {}; no release was made", harmless(&hold.reason));
        return Err(Failure::new(Exit::Held, words));
    }
    let parcel = releasing::make(session, environment, state, digest)?;
    let id = parcel.release.id();
    if let Some(known) = known.filter(|known| *known == id || is_dirty(&parcel.release)) {
        already(known);
        return Ok(());
    }
    let texts = state.releases.missing(&parcel);
    if is_dirty(&parcel.release) {
        session.terminal.say_as(Role::Warning, "the checkout has changes that are not committed: it cannot be tagged");
    }
    releasing::record(session, &mut hold, Event::Made { release: Box::new(parcel.release), texts, run: number })?;
    session.terminal.show(&ReleaseView::of(environment, hold.ledger.state(), id));
    Ok(())
}

/// The environment whose ledger knows a release, and its whole name.
fn find(session: &Session, name: &str, environment: Option<&str>) -> Result<(String, ReleaseId), Failure> {
    let among = match environment {
        Some(environment) => vec![environment.to_owned()],
        None => in_order(session)?,
    };
    for environment in &among {
        let ledger = session.ledger(environment)?;
        match ledger.state().releases.named(name).as_slice() {
            [] => {}
            [one] => return Ok((environment.clone(), *one)),
            several => {
                let known = several.iter().map(ReleaseId::short).collect();
                let several = promote::Refused::Several { name: name.to_owned(), known };
                return Err(refused(session, environment, several));
            }
        }
    }
    // Last of all, for a release or a tag may be called like an environment.
    if spec::environments(&session.need_project()?).iter().any(|known| known == name)
        && let Some(runs) = session.ledger(name)?.state().release_in_force()
    {
        return find(session, &runs.0.to_string(), environment.or(Some(name)));
    }
    let environment = environment.map_or_else(|| "no environment".to_owned(), str::to_owned);
    let from = among.first().cloned().unwrap_or_default();
    Err(refused(session, &from, promote::Refused::Unknown { environment, name: name.to_owned() }))
}

/// The tags that the ledgers of the project know, as far as they can be read: a tag is recorded where it was made.
fn tags(session: &Session) -> Vec<(String, ReleaseId)> {
    let Some(project) = session.project() else { return Vec::new() };
    let ledgers = spec::environments(&project).into_iter().filter_map(|name| session.ledger(&name).ok());
    let of = |ledger: crate::ledger::Ledger| {
        let tags = ledger.state().releases.tags.iter();
        tags.map(|(name, tag)| (name.clone(), tag.what.release)).collect::<Vec<_>>()
    };
    ledgers.flat_map(of).collect()
}

/// The project's environments in the order of promotion, as far as they say one.
fn in_order(session: &Session) -> Result<Vec<String>, Failure> {
    let project = session.need_project()?;
    let mut left: Vec<(String, Option<String>)> = spec::environments(&project)
        .into_iter()
        .map(|name| {
            let (spec, _mistakes) = specs::load(&DiskFiles, &project, &name, &session.kinds);
            (name, spec.settings.and_then(|block| block.after))
        })
        .collect();
    let mut ordered: Vec<String> = Vec::new();
    while !left.is_empty() {
        let ready = |(_, after): &(String, Option<String>)| after.as_ref().is_none_or(|after| ordered.contains(after));
        // What comes after itself, or after nothing that is there, comes as it is written.
        let next = left.iter().position(ready).unwrap_or(0);
        ordered.push(left.remove(next).0);
    }
    Ok(ordered)
}

fn accept(session: &Session, (environment, name): (&str, &str), role: &str, note: Option<&str>) -> Result<(), Failure> {
    let (_, id) = find(session, name, Some(environment))?;
    let mut hold = Hold::open(session, Intention { environment, project: None, verb: "release" }, Consent::Given)?;
    let state = hold.ledger.state();
    promote::judged(environment, state, id).map_err(|why| refused(session, environment, why))?;
    if state.release_in_force() != Some(id) {
        return Err(Failure::failed(format!(
            "release {} is not what {environment} runs; nothing was recorded",
            id.short()
        ))
        .help("what is accepted is what was looked at"));
    }
    let event = Event::Accepted { release: id, role: role.to_owned(), note: note.map(str::to_owned) };
    releasing::record(session, &mut hold, event)?;
    session.terminal.show(&ReleaseView::of(environment, hold.ledger.state(), id));
    Ok(())
}

/// The last environment that has verified a release, and why the others did not count.
fn verified_in(session: &Session, id: ReleaseId) -> Result<String, Failure> {
    let mut why = None;
    for environment in in_order(session)?.into_iter().rev() {
        let ledger = session.ledger(&environment)?;
        if !ledger.state().releases.known.contains_key(&id) {
            continue;
        }
        match promote::judged(&environment, ledger.state(), id) {
            Ok(_) => return Ok(environment),
            // What the last stage took back must not be tagged because an earlier one is content.
            Err(refusal) => why = why.or(Some(refused(session, &environment, refusal))),
        }
        if why.is_some() {
            break;
        }
    }
    Err(why.unwrap_or_else(|| Failure::usage(format!("no environment knows release {}", id.short()))))
}

fn make_tag(session: &Session, name: &str, tag: &str, environment: Option<&str>) -> Result<(), Failure> {
    let (known, id) = find(session, name, environment)?;
    let environment = match environment {
        Some(environment) => environment.to_owned(),
        None => verified_in(session, id)?,
    };
    let (project, environment) = (session.need_project()?, &*environment);
    let mut hold = Hold::open(session, Intention { environment, project: None, verb: "release" }, Consent::Given)?;
    let state = hold.ledger.state();
    promote::judged(environment, state, id).map_err(|why| refused(session, environment, why))?;
    let release = state.releases.known.get(&id).cloned();
    let release = release.ok_or_else(|| Failure::failed(format!("only {known} knows release {}", id.short())))?;
    let no_tag = |why: String| Failure::failed(format!("{why}; no tag was made"));
    let Some(commit) = release.commit.as_ref() else {
        return Err(no_tag(format!("release {} was made outside of a Git repository", id.short())));
    };
    if commit.dirty {
        return Err(no_tag(format!("release {} was made with changes that were not committed", id.short()))
            .help(format!("commit them, then  {}", session.command(&format!("release create {environment}")))));
    }
    if let Some(earlier) = state.releases.tags.get(tag) {
        return match earlier.what.release == id {
            true => Err(no_tag(format!("`{tag}` was made for release {} already", id.short()))),
            false => Err(no_tag(format!("`{tag}` stands for release {} already", earlier.what.release.short()))),
        };
    }
    let message = format!("Release {}\n\nVerified in {environment}.", id.0);
    let object = git::tag(&project, tag, &commit.hash, &message)?;
    let event = Event::Tagged { release: id, tag: tag.to_owned(), commit: commit.hash.clone(), object };
    releasing::record(session, &mut hold, event)?;
    session.terminal.say(&format!("tagged; to share it: git push origin {tag}"));
    session.terminal.show(&ReleaseView::of(environment, hold.ledger.state(), id));
    Ok(())
}

/// The releases that a ledger knows.
#[derive(Serialize)]
struct List {
    environment: String,
    releases: Vec<ReleaseView>,
}

impl List {
    fn of(environment: &str, state: &State) -> Self {
        let mut releases: Vec<ReleaseView> =
            state.releases.known.keys().map(|id| ReleaseView::of(environment, state, *id)).collect();
        releases.sort_by(|one, other| one.run.cmp(&other.run).then_with(|| one.id.cmp(&other.id)));
        Self { environment: environment.to_owned(), releases }
    }
}

impl View for List {
    fn text(&self, _paint: &dyn Paint) -> String {
        if self.releases.is_empty() {
            return format!("{} knows no release\n", self.environment);
        }
        self.releases.iter().map(ReleaseView::line).collect()
    }
}

/// A release as one environment knows it.
#[derive(Serialize)]
struct ReleaseView {
    id: ReleaseId,
    /// The ledger that says so.
    in_environment: String,
    /// The run that brought it there.
    run: Option<u64>,
    /// Whether it may go on from there.
    verified: bool,
    /// Why it may not.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    in_force: bool,
    accepted: Vec<Accepted>,
    /// What the newest run of all tests found of it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    tested: Option<TestsView>,
    tags: Vec<String>,
    #[serde(flatten)]
    release: Release,
}

#[derive(Serialize)]
struct Accepted {
    #[serde(rename = "as")]
    role: String,
    by: String,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl ReleaseView {
    fn of(environment: &str, state: &State, id: ReleaseId) -> Self {
        let release = state.releases.known.get(&id).expect("it was found there").as_ref().clone();
        let judged = promote::judged(environment, state, id);
        let accepted = state.releases.accepted.iter().filter(|accepted| accepted.what.release == id);
        Self {
            id,
            in_environment: environment.to_owned(),
            run: state.run_with(id).map(|run| run.number),
            verified: judged.is_ok(),
            refused: judged.as_ref().err().map(ToString::to_string),
            in_force: state.release_in_force() == Some(id),
            accepted: accepted
                .map(|one| Accepted {
                    role: one.what.role.clone(),
                    by: one.actor.name.clone(),
                    at: shown_time(one.time),
                    note: one.what.note.clone(),
                })
                .collect(),
            tested: judged.ok().and_then(|verified| state.tested_after(verified.run)).map(TestsView::of),
            tags: state.tags_of(id).into_iter().collect(),
            release,
        }
    }

    /// With the tags that other ledgers know of it.
    fn also_tagged(&mut self, tags: &[(String, ReleaseId)]) {
        let more = tags.iter().filter(|(_, id)| *id == self.id).map(|(name, _)| name.clone());
        self.tags.extend(more);
        self.tags.sort();
        self.tags.dedup();
    }

    fn line(&self) -> String {
        let mut parts = vec![format!("from {}", self.release.environment)];
        parts.extend(self.release.commit.as_ref().map(|commit| format!("commit {commit}")));
        parts.extend(self.tags.iter().map(|tag| format!("tag {tag}")));
        parts.extend(self.in_force.then(|| format!("in force in {}", self.in_environment)));
        parts.push(match &self.refused {
            None => format!("verified in {}", self.in_environment),
            Some(why) => why.clone(),
        });
        format!("{}  {}\n", self.id.short(), harmless(&parts.join("; ")))
    }
}

impl View for ReleaseView {
    fn text(&self, paint: &dyn Paint) -> String {
        let mut text = format!("{} {}\n", paint.paint(Role::Heading, "release"), self.line().trim_end());
        let mut row = |name: &str, value: &str| text += &format!("  {name:<12} {}\n", harmless(value));
        row("name", &self.id.to_string());
        row("spec", &self.release.spec_digest.short());
        row("files", &counted(self.release.files.len(), "file"));
        for Image { address, container, image } in &self.release.images {
            row("image", &format!("{image}  ({address}, container {container})"));
        }
        for (name, value) in &self.release.variables {
            row("variable", &format!("{name} = {}", serde_json::to_string(value).unwrap_or_default()));
        }
        for (database, labels) in &self.release.migrations {
            let newest = labels.last().map(|label| format!(", up to {label}")).unwrap_or_default();
            row("migrations", &format!("{database}: {}{newest}", labels.len()));
        }
        for one in &self.accepted {
            let note = one.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
            row("accepted", &format!("as {} by {} at {}{note}", one.role, one.by, one.at));
        }
        if let Some(tested) = &self.tested {
            row("tested", tested.line().trim_start_matches("tests: "));
        }
        text
    }
}
