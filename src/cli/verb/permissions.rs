//! `switchback permissions`: the least rights to plan an environment, and to apply it. Read-only.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use crate::address::Address;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::terminal::View;
use crate::ledger::Things;
use crate::migration::layout::Layout;
use crate::observe::{Known, connect};
use crate::resolve::desired::Desired;
use crate::review::text::{Paint, Role};
use crate::review::words::harmless;
use crate::secret::Secrets;
use crate::value::{Object, Value};
use crate::world::Binding;

const AFTER_HELP: &str = "\
Examples:
  switchback permissions prod                     a policy of IAM and grants, for both
  switchback permissions prod --json              the same for a script
  switchback permissions prod --planner ci_reads --applier ci_writes
                                                  with these roles of PostgreSQL

Planning is everything that only looks: `plan`, `drift`, `diff`, `status`. The rights follow from
the kinds that the spec and the ledger have. Those to the ledger: `switchback init --ledger URL`.";

/// Print the least rights to plan an environment, and to apply it
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
    /// The role of PostgreSQL that plans
    #[arg(long, value_name = "ROLE", default_value = "switchback_plan")]
    planner: String,
    /// The role of PostgreSQL that applies
    #[arg(long, value_name = "ROLE", default_value = "switchback_apply")]
    applier: String,
}

#[derive(Serialize)]
struct Permissions {
    environment: String,
    planning: Rights,
    applying: Rights,
}

/// What one of the two needs.
#[derive(Serialize)]
struct Rights {
    /// The role of PostgreSQL.
    role: String,
    /// The actions of IAM.
    actions: BTreeSet<&'static str>,
    /// The options of the role (`CREATEROLE`).
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    options: BTreeSet<&'static str>,
    /// Grants, by database.
    databases: Vec<Grants>,
}

/// The grants in one database, to be run by whoever owns it.
#[derive(Serialize)]
struct Grants {
    address: String,
    sql: String,
}

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Plans,
    Applies,
}

/// Runs the verb.
///
/// # Errors
/// When the ledger cannot be read, the spec has mistakes, or nobody knows the environment.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let environment = &arguments.environment;
    let ledger = session.known_ledger(environment)?;
    let things = &ledger.state().things;
    let resolved = match session.project() {
        Some(_) => Some(session.resolve(environment)?),
        None => None,
    };
    let desired = resolved.as_ref().map(|resolved| &resolved.desired);
    let recorded = things.resources.values().map(|recorded| &*recorded.kind);
    let wanted = desired.into_iter().flat_map(|desired| desired.resources.values().map(|wanted| &*wanted.kind));
    let kinds: BTreeSet<&str> = recorded.chain(wanted).collect();
    let secrets = resolved.as_ref().map(|resolved| &*resolved.secrets);
    let databases = databases(desired, things, secrets.unwrap_or(&session.edge_secrets()));
    let rights = |who: Who, role: &str| {
        let mut rights = Rights {
            role: role.to_owned(),
            actions: BTreeSet::new(),
            options: BTreeSet::new(),
            databases: databases
                .iter()
                .map(|(address, database)| Grants { address: address.to_string(), sql: database.grants(who, role) })
                .collect(),
        };
        for kind in kinds.iter().filter_map(|name| session.kinds.get(name)) {
            let of_kind = kind.rules.rights();
            let needed = of_kind.reads.iter().chain(of_kind.writes.iter().filter(|_| who == Who::Applies));
            // Actions have their service before them; options of a role are words alone.
            for right in needed {
                let takes = if right.contains(':') { &mut rights.actions } else { &mut rights.options };
                takes.insert(*right);
            }
        }
        // What is asked is asked by whoever applies.
        let checks = desired.into_iter().flat_map(|desired| &desired.checks).filter(|_| who == Who::Applies);
        let kinds = checks.filter_map(|check| session.kinds.check(&check.kind));
        rights.actions.extend(kinds.flat_map(|kind| kind.rights));
        rights
    };
    session.terminal.show(&Permissions {
        environment: environment.clone(),
        planning: rights(Who::Plans, &arguments.planner),
        applying: rights(Who::Applies, &arguments.applier),
    });
    Ok(Exit::Done)
}

/// A database whose schema is owned.
struct Database {
    name: Option<String>,
    layout: Layout,
}

fn databases(desired: Option<&Desired>, things: &Things, secrets: &dyn Secrets) -> BTreeMap<Address, Database> {
    let objects: BTreeMap<Address, Object> =
        things.resources.iter().map(|(address, resource)| (address.clone(), resource.object.clone())).collect();
    let known = Known { objects: &objects, secrets };
    let of = |binding: &Binding| {
        // Only the name is of interest: where it is not known, it is left to whoever reads.
        let settings =
            connect(binding, &known).ok().flatten().map_or_else(|| binding.settings.clone(), |one| one.settings);
        Database { name: name_in(&settings), layout: Layout::of(&binding.settings).unwrap_or_default() }
    };
    let recorded = things.databases.iter().map(|(address, database)| (address, &database.binding));
    let wanted = desired.into_iter().flat_map(|desired| desired.databases.iter());
    let all = recorded.chain(wanted.map(|(address, database)| (address, &database.binding)));
    all.map(|(address, binding)| (address.clone(), of(binding))).collect()
}

fn name_in(settings: &Object) -> Option<String> {
    let text = |name: &str| settings.get(name).filter(|value| value.is_known()).map(Value::reveal);
    if let Some(name) = text("dbname").as_ref().and_then(Value::as_str) {
        return Some(name.to_owned());
    }
    let url = text("url")?;
    let (_, name) = url.as_str()?.split_once("://")?.1.split_once('/')?;
    Some(name.split('?').next().unwrap_or(name).to_owned())
}

impl Database {
    /// The tables that Switchback keeps beside the schema are made by the first apply, so they are looked for.
    fn grants(&self, who: Who, role: &str) -> String {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let (to, history) = (quoted(role), self.layout.table());
        let name = self.name.as_deref().map_or_else(|| "DATABASE".to_owned(), quoted);
        let mut sql = format!("grant connect on database {name} to {to};\n");
        let (tables, rights) = match who {
            Who::Plans => (vec![history, "switchback_progress", "switchback_texts"], "select"),
            Who::Applies => {
                let tables = vec![history, "switchback_progress", "switchback_texts", "switchback_fence"];
                (tables, "select, insert, update, delete")
            }
        };
        let list: Vec<String> = tables.iter().map(|table| format!("'{table}'")).collect();
        let literal = role.replace('\'', "''");
        let _infallible = write!(
            sql,
            "do $$ declare kept text; begin\n  foreach kept in array array[{}] loop\n    \
             if to_regclass(kept) is not null then\n      \
             execute format('grant {rights} on %s to %I', to_regclass(kept), '{literal}');\n    \
             end if;\n  end loop;\nend $$;\n",
            list.join(", ")
        );
        sql
    }
}

impl View for Permissions {
    fn text(&self, paint: &dyn Paint) -> String {
        let mut text = String::new();
        for (who, rights) in [("plans", &self.planning), ("applies", &self.applying)] {
            let heading = format!("the least rights of who {who} {}", self.environment);
            text += &format!("{}:\n", paint.paint(Role::Heading, &heading));
            if !rights.actions.is_empty() {
                let statement = serde_json::json!({"Effect": "Allow", "Action": rights.actions, "Resource": "*"});
                let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [statement]});
                let policy = serde_json::to_string_pretty(&policy).expect("plain data");
                text += &format!("\npolicy of IAM\n{}\n", indented(&policy));
            }
            if !rights.options.is_empty() {
                let options: Vec<&str> = rights.options.iter().copied().collect();
                text += &format!("\nrole {} of PostgreSQL: {}\n", harmless(&rights.role), options.join(", "));
            }
            for grants in &rights.databases {
                text += &format!("\n{}, as its owner\n{}\n", harmless(&grants.address), indented(&grants.sql));
            }
            text.push('\n');
        }
        text += "Who applies also has to own the database and what migrations alter, or be a member of who does (`set_role`).\n";
        text + "`Resource` is everything: narrow it to what is yours. `iam:PassRole` is for the roles that tasks have.\n"
    }
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = harmless(text).lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}
