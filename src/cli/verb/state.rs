//! `switchback state`: what the ledger records, under which names; renaming and forgetting, as runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::address::Address;
use crate::address::part::Part;
use crate::cli::carry::{self, Aim, Hold, Intention, Work};
use crate::cli::confirm::{Consent, confirm};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::gate::Pass;
use crate::cli::session::Session;
use crate::cli::showing::talk_review;
use crate::cli::terminal::View;
use crate::cli::{planning, spec};
use crate::ledger::{State, Things};
use crate::review::Review;
use crate::review::text::{Paint, Role};
use crate::review::words::{self, counted, harmless};
use crate::spec::suggest::{listed, nearest};
use crate::step::Edit;

const AFTER_HELP: &str = "\
Examples:
  switchback state dev list                     every address that the ledger records
  switchback state dev list module.web          only what is in that module
  switchback state dev show aws_ecs_service.web all that is recorded of it, without secrets
  switchback state dev mv aws_ssm_parameter.a aws_ssm_parameter.b
                                                record it under another address
  switchback state dev rm module.old            forget it; it stays in the world
  switchback rollback dev --last                take back an `mv` or `rm`

Neither `mv` nor `rm` changes the world. Both are runs that `history` shows; both ask first.";

/// List, show, rename or forget what the ledger records
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
    #[command(subcommand)]
    what: What,
}

/// What to do with it.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the addresses that are recorded
    List {
        /// Only those that begin with this
        #[arg(value_name = "PREFIX", default_value = "", hide_default_value = true)]
        prefix: String,
    },
    /// Show all that is recorded of one thing; secrets are never shown
    Show {
        /// Its address
        #[arg(value_name = "ADDRESS", value_parser = crate::cli::arguments::address)]
        address: Address,
    },
    /// Record a thing, all instances of a block or a module under another address
    Mv {
        /// What it is called
        #[arg(value_name = "FROM", value_parser = part)]
        from: Part,
        /// What it shall be called
        #[arg(value_name = "TO", value_parser = part)]
        to: Part,
        /// Do not ask
        #[arg(long)]
        auto_approve: bool,
    },
    /// Forget a thing, all instances of a block or a module; the world is not touched
    Rm {
        /// Its address
        #[arg(value_name = "ADDRESS", value_parser = part)]
        address: Part,
        /// Do not ask
        #[arg(long)]
        auto_approve: bool,
    },
}

fn part(text: &str) -> Result<Part, String> {
    text.parse().map_err(|error: crate::address::NotAnAddress| error.to_string())
}

/// Runs the verb.
///
/// # Errors
/// When nothing like that is recorded, or nothing was begun.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let environment = &arguments.environment;
    match &arguments.what {
        What::List { prefix } => {
            let ledger = session.known_ledger(environment)?;
            session.terminal.show(&list(&ledger.state().things, prefix));
            Ok(Exit::Done)
        }
        What::Show { address } => {
            let ledger = session.known_ledger(environment)?;
            session.terminal.show(&show(&ledger.state().things, address)?);
            Ok(Exit::Done)
        }
        What::Mv { from, to, auto_approve } => {
            let question = format!("Call {from} {to} from now on?");
            edit(session, (environment, &question), Consent::of(*auto_approve), Edit::Move, |state| {
                renames(from, to, &state.things).map(|renames| (renames, BTreeSet::new()))
            })
        }
        What::Rm { address, auto_approve } => {
            let question = format!("Forget {address} and leave it where it is?");
            edit(session, (environment, &question), Consent::of(*auto_approve), Edit::Remove, |state| {
                held(address, &state.things).map(|forget| (BTreeMap::new(), forget))
            })
        }
    }
}

type Edits = (BTreeMap<Address, Address>, BTreeSet<Address>);

/// Plans, shows, asks and carries out a change of the ledger alone.
fn edit(
    session: &Session,
    (environment, question): (&str, &str),
    consent: Consent,
    what: Edit,
    edits: impl FnOnce(&State) -> Result<Edits, Failure>,
) -> Result<Exit, Failure> {
    session.known_ledger(environment)?;
    let mut hold = Hold::open(session, Intention { environment, project: None, verb: "state" }, consent)?;
    if let Some(run) = hold.ledger.state().unfinished() {
        return Err(carry::unfinished(session, environment, run.number));
    }
    let (renames, forget) = edits(hold.ledger.state())?;
    let change_set = planning::edit(session, &hold.ledger, what, renames, &forget)?;
    let secrets = spec::secrets(session, hold.ledger.state(), None)?;
    talk_review(session, &Review::of(&change_set));
    confirm(&session.terminal, consent, question)?;
    let (digest, pass) = (change_set.digest(), Pass::of_edit(&change_set));
    let work = Work::Begin(Box::new(change_set), digest, pass);
    let report = carry::carry_out(session, &mut hold, work, &Aim::Ledger(&*secrets))?;
    session.terminal.show(&report);
    Ok(report.result)
}

fn recorded(things: &Things) -> impl Iterator<Item = &Address> {
    things.resources.keys().chain(things.databases.keys())
}

/// The new names of what belongs to `from`.
fn renames(from: &Part, to: &Part, things: &Things) -> Result<BTreeMap<Address, Address>, Failure> {
    let renamed = |address: &Address| Some((address.clone(), from.renamed(to, address)?));
    let renames: BTreeMap<Address, Address> = recorded(things).filter_map(renamed).collect();
    if renames.is_empty() {
        if from.block.is_some() != to.block.is_some() {
            return Err(Failure::usage(format!("`{from}` cannot become `{to}`: one is a module, the other is not")));
        }
        return Err(not_recorded(from, things));
    }
    let word = |part: &Part| part.block.as_ref().map(|block| block.word.clone());
    let is_parameter = |part: &Part| matches!(word(part).as_deref(), Some("config" | "aws_ssm_parameter"));
    if word(from) != word(to) && !(is_parameter(from) && is_parameter(to)) {
        return Err(Failure::usage(format!("`{from}` cannot become `{to}`: they are of two kinds")));
    }
    let taken = renames.values().find(|new| recorded(things).any(|address| address == *new));
    match taken {
        Some(taken) => Err(Failure::failed(format!("`{taken}` is recorded already; nothing was done"))
            .help("choose another address, or move or forget that one first")),
        None => Ok(renames),
    }
}

/// What belongs to an address.
fn held(address: &Part, things: &Things) -> Result<BTreeSet<Address>, Failure> {
    let held: BTreeSet<Address> = recorded(things).filter(|one| address.holds(one)).cloned().collect();
    if held.is_empty() { Err(not_recorded(address, things)) } else { Ok(held) }
}

fn not_recorded(what: &dyn std::fmt::Display, things: &Things) -> Failure {
    let what = what.to_string();
    let names: Vec<String> = recorded(things).map(ToString::to_string).collect();
    let failure = Failure::failed(format!("the ledger has no `{what}`; nothing was done"));
    let near = nearest(&what, names.iter().map(String::as_str)).map(str::to_owned);
    let same_name = || {
        let last = what.rsplit('.').next().unwrap_or(&what);
        names.iter().find(|name| name.rsplit('.').next() == Some(last)).cloned()
    };
    match near.or_else(same_name) {
        Some(name) => failure.help(format!("did you mean `{name}`?")),
        None if names.is_empty() => failure.help("it records nothing at all"),
        None if names.len() <= 5 => failure.help(format!("it has {}", listed(names.iter().map(String::as_str)))),
        None => failure.help("`switchback state ENV list` lists what it has"),
    }
}

#[derive(Serialize)]
struct List(Vec<Line>);

#[derive(Serialize)]
struct Line {
    address: String,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

fn list(things: &Things, prefix: &str) -> List {
    let id = |object: &crate::value::Object| {
        ["id", "arn", "name"].iter().find_map(|name| object.get(*name)?.as_str().map(str::to_owned))
    };
    let resources = things.resources.iter().map(|(address, resource)| Line {
        address: address.to_string(),
        kind: resource.kind.clone(),
        id: id(&resource.object),
    });
    let databases = things.databases.keys().map(|address| Line {
        address: address.to_string(),
        kind: "database".to_owned(),
        id: None,
    });
    List(resources.chain(databases).filter(|line| line.address.starts_with(prefix)).collect())
}

impl View for List {
    fn text(&self, _paint: &dyn Paint) -> String {
        self.0.iter().map(|line| format!("{}\n", harmless(&line.address))).collect()
    }
}

#[derive(Serialize)]
struct Shown {
    address: String,
    kind: String,
    place: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    migrations: Vec<String>,
    /// How many earlier revisions are still there.
    earlier: usize,
    needs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_by_run: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    imported: Option<Imported>,
}

#[derive(Serialize)]
struct Imported {
    run: u64,
    id: String,
}

fn show(things: &Things, address: &Address) -> Result<Shown, Failure> {
    let needs = |needs: &BTreeSet<Address>| needs.iter().map(ToString::to_string).collect();
    if let Some(resource) = things.resources.get(address) {
        let attributes = resource.object.iter().filter(|(_, value)| !value.is_null());
        let imported = resource.adopted.as_ref();
        return Ok(Shown {
            address: address.to_string(),
            kind: resource.kind.clone(),
            place: words::place(&resource.binding),
            attributes: attributes.map(|(name, value)| (name.clone(), value.to_shown_json())).collect(),
            migrations: Vec::new(),
            earlier: resource.earlier.len(),
            needs: needs(&resource.needs),
            changed_by_run: Some(resource.run),
            imported: imported.map(|adopted| Imported { run: adopted.run, id: adopted.id.clone() }),
        });
    }
    let database = things.databases.get(address).ok_or_else(|| not_recorded(address, things))?;
    Ok(Shown {
        address: address.to_string(),
        kind: "database".to_owned(),
        place: words::place(&database.binding),
        attributes: BTreeMap::new(),
        migrations: database.applied.values().map(|migration| migration.label()).collect(),
        earlier: 0,
        needs: needs(&database.needs),
        changed_by_run: None,
        imported: None,
    })
}

impl View for Shown {
    fn text(&self, paint: &dyn Paint) -> String {
        let mut text = format!("{}\n", paint.paint(Role::Heading, &harmless(&self.address)));
        text += &format!("  in {}\n", harmless(&self.place));
        if let Some(run) = self.changed_by_run {
            text += &format!("  last changed by run {run}\n");
        }
        if let Some(imported) = &self.imported {
            text += &format!("  imported in run {} as {}\n", imported.run, harmless(&imported.id));
        }
        for (name, value) in &self.attributes {
            text += &format!("    {name} = {}\n", harmless(&value.to_string()));
        }
        for migration in &self.migrations {
            text += &format!("    {}\n", harmless(migration));
        }
        if self.earlier > 0 {
            text += &format!("  {} still there\n", counted(self.earlier, "earlier revision"));
        }
        for need in &self.needs {
            text += &format!("  needs {}\n", harmless(need));
        }
        text
    }
}
