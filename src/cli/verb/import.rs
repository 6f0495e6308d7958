//! `switchback import`: takes a thing into the ledger that is there already; the world is not touched.

use crate::address::Address;
use crate::cli::arguments::address;
use crate::cli::carry::{self, Aim, Hold, Intention, Work};
use crate::cli::confirm::{Consent, confirm};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::gate::Pass;
use crate::cli::planning;
use crate::cli::session::{Resolved, Session};
use crate::cli::showing::talk_review;
use crate::resolve::import_query;
use crate::review::Review;
use crate::spec::suggest::{listed, nearest};
use crate::value::Object;

const AFTER_HELP: &str = "\
Examples:
  switchback import dev aws_ssm_parameter.level /shop/level
  switchback import dev 'aws_ecs_service.web[\"eu\"]' shop/web
  switchback import dev aws_ecs_task_definition.web shop-web:7
  switchback import dev postgres_role.app shop_app --auto-approve
  switchback rollback dev --last                  forget it again; it stays where it is

The resource has to be in the spec: that says its kind and where it is. Nothing is changed; the
next plan brings it to what the spec says. An `import` block does the same within a plan.";

/// Take a thing into the ledger that is there already
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
    /// The resource in the spec that it becomes
    #[arg(value_name = "ADDRESS", value_parser = address)]
    address: Address,
    /// By which the world knows it, as Terraform's provider has ids
    #[arg(value_name = "ID")]
    id: String,
    /// Do not ask
    #[arg(long)]
    auto_approve: bool,
}

/// Runs the verb.
///
/// # Errors
/// When the spec does not have it, the ledger has it already, it is not there, or nothing was begun.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let Arguments { environment, address, id, auto_approve } = arguments;
    let consent = Consent::of(*auto_approve);
    let resolved = session.resolve(environment)?;
    let query = query(session, &resolved, address, id)?;
    let project = Some(&*resolved.desired.project);
    let mut hold = Hold::open(session, Intention { environment, project, verb: "import" }, consent)?;
    if let Some(run) = hold.ledger.state().unfinished() {
        return Err(carry::unfinished(session, environment, run.number));
    }
    if hold.ledger.state().things.resources.contains_key(address) {
        return Err(Failure::failed(format!("`{address}` is recorded already; nothing was done"))
            .help(format!("`{}` shows it", session.command(&format!("state {environment} show {address}")))));
    }
    let (change_set, differing) =
        hold.wait(planning::import(session, &hold.ledger, &resolved, address, (id, query)))?;
    talk_review(session, &Review::of(&change_set));
    match differing.is_empty() {
        true => session.terminal.say("it is as the spec says: the next plan will not change it"),
        false => session.terminal.say(&format!("the next plan will change {}", differing.join(", "))),
    }
    confirm(&session.terminal, consent, &format!("Take `{id}` into the ledger of {environment}?"))?;
    let (digest, pass) = (change_set.digest(), Pass::of_edit(&change_set));
    let aim = Aim::Ledger(&*resolved.secrets);
    let report = carry::carry_out(session, &mut hold, Work::Begin(Box::new(change_set), digest, pass), &aim)?;
    session.terminal.show(&report);
    Ok(report.result)
}

/// What is asked for, if the spec has the resource and the id fits its kind.
fn query(session: &Session, resolved: &Resolved, address: &Address, id: &str) -> Result<Object, Failure> {
    let resources = &resolved.desired.resources;
    let Some(resource) = resources.get(address) else {
        return Err(unknown(resolved, address));
    };
    let kind = session.kinds.get(&resource.kind).expect("the spec was resolved with the same kinds");
    import_query(kind, id, &resource.object)
        .map_err(|why| Failure::usage(why).help(format!("`{address}` is a {}", kind.name)))
}

fn unknown(resolved: &Resolved, address: &Address) -> Failure {
    let failure = Failure::usage(format!("the spec has no `{address}`"));
    if &*address.word == "database" {
        return failure.help("a schema is not imported: its history table says what was applied");
    }
    let names: Vec<String> = resolved.desired.resources.keys().map(ToString::to_string).collect();
    let instances = resolved.desired.resources.keys().filter(|one| address.key.is_none() && one.block() == *address);
    let instances: Vec<String> = instances.map(ToString::to_string).collect();
    if !instances.is_empty() {
        return failure.help(format!("name one of its instances: {}", listed(instances.iter().map(String::as_str))));
    }
    match nearest(&address.to_string(), names.iter().map(String::as_str)) {
        Some(name) => failure.help(format!("did you mean `{name}`?")),
        None => failure.help("declare the resource first, as it shall be"),
    }
}
