//! Logs behind `-v` and `SWITCHBACK_LOG`, to stderr. An edge.
//!
//! Invariant: no crate but ours logs below `error`: the bodies of SDKs may hold secrets.

use tracing_subscriber::EnvFilter;

use super::environment::{self, Name};
use super::failure::Failure;

/// Starts logging: `-v` is `info`, `-vv` `debug`, `-vvv` `trace` of our own crate.
///
/// # Errors
/// When `SWITCHBACK_LOG` is no level.
pub fn start(verbosity: u8, colour: bool) -> Result<(), Failure> {
    let level = match verbosity {
        0 => level_of_environment()?,
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter(level)))
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .finish();
    // A second start within one process (tests) keeps the first.
    let _already = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

fn filter(level: &str) -> String {
    // What they would warn of comes back as an error with its cause and mend; a warning beside it says less.
    format!("error,switchback={level}")
}

fn level_of_environment() -> Result<&'static str, Failure> {
    let Some(given) = environment::read(Name::Log) else {
        return Ok("warn");
    };
    ["error", "warn", "info", "debug", "trace"]
        .into_iter()
        .find(|level| *level == given.to_ascii_lowercase())
        .ok_or_else(|| {
            Failure::usage(format!("`{given}` in SWITCHBACK_LOG is no level of logging"))
                .help("use one of error, warn, info, debug, trace")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_crates_log_only_errors() {
        for level in ["warn", "info", "debug", "trace"] {
            assert_eq!(filter(level), format!("error,switchback={level}"));
        }
    }
}
