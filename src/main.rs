//! Provisional entry for the local stack alone; the command line takes its place.
#![expect(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods, reason = "the command line's place")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use switchback::local::{self, Data, LostState, Options, Places};
use switchback::world::{Clock, Progress};

struct Machine;

impl Clock for Machine {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

struct Lines;

impl Progress for Lines {
    fn say(&self, message: &str) {
        eprintln!("{message}");
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}\nhelp: {}", error.help());
            ExitCode::FAILURE
        }
    }
}

fn value<'a>(arguments: &[&'a str], name: &str) -> Option<&'a str> {
    let place = arguments.iter().position(|argument| *argument == name)?;
    arguments.get(place + 1).copied()
}

fn run(arguments: &[&str]) -> Result<(), local::LocalError> {
    let environment = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let places = Places::usual(environment("XDG_CACHE_HOME").as_deref(), environment("HOME").as_deref());
    let rollout_seconds =
        value(arguments, "--rollout-seconds").map_or(2.0, |seconds| seconds.parse().expect("seconds"));
    let has = |flag: &str| arguments.contains(&flag);
    let options = Options {
        places: places.clone(),
        clock: Arc::new(Machine),
        executable: std::env::current_exe().expect("Linux tells"),
        rollout_seconds,
        lost_state: if has("--accept-lost-state") { LostState::Accept } else { LostState::Refuse },
        postgres_binaries: None,
    };
    let here = value(arguments, "-C").unwrap_or(".");
    let project = Path::new(here);
    match arguments {
        ["local", "up", ..] => {
            if has("--with-awscli") {
                println!("{}", local::ensure_awscli(&places, &Lines)?.display());
            }
            println!("{:#?}", local::up(project, &options, &Lines)?);
        }
        ["local", "down", ..] => {
            let data = if has("--wipe") { Data::Wipe } else { Data::Keep };
            println!("stopped: {:?}", local::down(project, &places, data, &Lines)?);
        }
        ["local", "status", ..] => {
            println!("{}", serde_json::to_string_pretty(&local::status(project)?).expect("plain data"));
        }
        ["local", "relay", ..] => local::relay::run(&local::relay::Options {
            listen: value(arguments, "--listen").expect("--listen").parse().expect("an address"),
            upstream: value(arguments, "--upstream").expect("--upstream").parse().expect("an address"),
            state: value(arguments, "--state").expect("--state").into(),
            rollout_seconds,
            clock: Arc::new(Machine),
        })?,
        ["local", "serve-until-eof", folder, ..] => {
            local::serve_until_eof(Path::new(folder), &options, std::io::stdin(), &mut std::io::stdout(), &Lines)?;
        }
        ["doctor", ..] => {
            for finding in local::doctor(project, &places, None) {
                println!("{finding:?}");
            }
        }
        _ => eprintln!("local up|down|status|relay|serve-until-eof FOLDER · doctor"),
    }
    Ok(())
}
