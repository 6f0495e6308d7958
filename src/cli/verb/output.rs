//! `switchback output`: the outputs of an environment, as the newest run recorded them. Read-only.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::terminal::View;
use crate::review::text::Paint;
use crate::review::words::harmless;

const AFTER_HELP: &str = "\
Examples:
  switchback output dev              every output
  switchback output dev url          one, a string without quotes, for scripts
  switchback output dev url --json   one as JSON

The ledger keeps no secrets: a sensitive output reads `(sensitive value)`, and cannot be had by
name.";

/// Show the outputs of an environment
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
    /// One output
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

#[derive(Serialize)]
struct Outputs(BTreeMap<String, serde_json::Value>);

impl View for Outputs {
    fn text(&self, _paint: &dyn Paint) -> String {
        self.0.iter().map(|(name, value)| format!("{name} = {}\n", harmless(&value.to_string()))).collect()
    }
}

/// Runs the verb.
///
/// # Errors
/// When there is no such output, or it is a secret.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let environment = &arguments.environment;
    let ledger = session.known_ledger(environment)?;
    let outputs = &ledger.state().things.outputs;
    let Some(name) = &arguments.name else {
        let shown = outputs.iter().map(|(name, value)| (name.clone(), value.to_shown_json()));
        session.terminal.show(&Outputs(shown.collect()));
        return Ok(Exit::Done);
    };
    let value = outputs.get(name).ok_or_else(|| {
        let known: Vec<&str> = outputs.keys().map(String::as_str).collect();
        let failure = Failure::failed(format!("{environment} has no output `{name}`"));
        match known.is_empty() {
            true => failure.help("it has none; outputs are recorded when an apply is complete"),
            false => failure.help(format!("it has {}", known.join(", "))),
        }
    })?;
    if value.is_sensitive() {
        return Err(Failure::failed(format!("the output `{name}` is sensitive, and the ledger keeps no secrets"))
            .help("read it from where it comes from"));
    }
    match (session.terminal.json, value.as_str()) {
        (false, Some(text)) => session.terminal.data(&format!("{text}\n")),
        _ => session.terminal.json(&value.to_shown_json()),
    }
    Ok(Exit::Done)
}
