//! Why a verb did not do what it was asked, in the form that people and `--json` get. Pure.
//!
//! Invariant: every failure has an exit code of the table, says what was tried, and what to do next.

use serde::Serialize;

use super::exit::Exit;
use crate::diagnostic::{DiagnosticView, Diagnostics, Severity, Sources};
use crate::ledger::StoreError;
use crate::local::LocalError;
use crate::review::words::harmless;
use crate::world::{ErrorClass, WorldError};

/// Where the pages are that helps name.
pub const PAGES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs");

/// A failure. Boxed, so that results which may hold one stay small.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Failure(Box<Facts>);

/// The facts of a failure.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    /// How the process ends.
    pub exit: Exit,
    /// What went wrong, in one line.
    pub summary: String,
    /// The causes, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
    /// The mistakes in the spec.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<DiagnosticView>,
    /// The mistakes as people read them.
    #[serde(skip)]
    pub rendered: String,
}

impl std::ops::Deref for Failure {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

impl std::ops::DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut Facts {
        &mut self.0
    }
}

impl Failure {
    /// A failure with this exit code.
    pub fn new(exit: Exit, summary: impl Into<String>) -> Self {
        Self(Box::new(Facts {
            exit,
            summary: summary.into(),
            causes: Vec::new(),
            help: Vec::new(),
            diagnostics: Vec::new(),
            rendered: String::new(),
        }))
    }

    /// Something was typed wrongly.
    pub fn usage(summary: impl Into<String>) -> Self {
        Self::new(Exit::Usage, summary)
    }

    /// Nothing was changed.
    pub fn failed(summary: impl Into<String>) -> Self {
        Self::new(Exit::Failed, summary)
    }

    /// The mistakes of a spec.
    pub fn mistakes(mut diagnostics: Diagnostics, sources: &Sources) -> Self {
        diagnostics.sort();
        let errors = diagnostics.0.iter().filter(|one| one.severity == Severity::Error).count();
        let count = crate::review::words::counted(errors, "mistake");
        let mut failure = Self::new(Exit::Spec, format!("the spec has {count}; nothing was done"));
        failure.rendered = rendered(&diagnostics, sources);
        failure.diagnostics = diagnostics.0.iter().map(|diagnostic| diagnostic.view(sources)).collect();
        failure
    }

    /// Adds a cause.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Errors of the world under one summary, each once with all that it is about, and with its own help. Expired
    /// credentials wait, all else fails.
    pub fn world<'a>(summary: impl Into<String>, errors: impl IntoIterator<Item = (String, &'a WorldError)>) -> Self {
        let mut failure = Self::failed(summary);
        let mut expired = true;
        let mut causes: Vec<(String, Vec<String>)> = Vec::new();
        for (who, error) in errors {
            let text = error.to_string();
            match causes.iter_mut().find(|(other, _)| *other == text) {
                Some((_, things)) => things.push(who),
                None => causes.push((text, vec![who])),
            }
            expired &= error.class == ErrorClass::Expired;
            if let Some(help) = error.help.as_ref().filter(|help| !failure.help.contains(help)) {
                failure.help.push(help.clone());
            }
        }
        failure.causes = causes.into_iter().map(|(error, things)| format!("{}: {error}", together(&things))).collect();
        if expired && !failure.causes.is_empty() {
            failure.exit = Exit::Parked;
        }
        failure
    }

    /// The failure as text, with a line feed at its end. No colour.
    pub fn text(&self) -> String {
        let mut text = self.rendered.clone();
        text += &format!("error: {}\n", harmless(&self.summary));
        for cause in &self.causes {
            text += &format!("  {}\n", harmless(cause).replace('\n', "\n  "));
        }
        for help in &self.help {
            text += &format!("  help: {}\n", help.replace('\n', "\n        "));
        }
        // A folder of one's own does not have them.
        if text.contains("docs/") && text.contains(".md") && !text.contains(PAGES) {
            text += &format!("  docs/ is at {PAGES}\n");
        }
        text
    }
}

/// What one error is about: `25 things (a, b, c and 22 more)`.
fn together(things: &[String]) -> String {
    match things {
        [one] => one.clone(),
        [first, second, third, _, rest @ ..] => {
            format!("{} things ({first}, {second}, {third} and {} more)", things.len(), rest.len() + 1)
        }
        few => format!("{} things ({})", few.len(), few.join(", ")),
    }
}

/// Diagnostics as people read them, with an empty line after each.
pub fn rendered(diagnostics: &Diagnostics, sources: &Sources) -> String {
    diagnostics.0.iter().map(|diagnostic| format!("{}\n", harmless(&diagnostic.render(sources)))).collect()
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Leased { .. } => Self::new(Exit::Leased, error.to_string())
                .help("wait for it to end, or give `--lock-timeout 5m` to wait here"),
            StoreError::Lost { .. } => Self::new(Exit::Leased, error.to_string())
                .help("nothing more was sent; `status` says how far it came, and whoever has the lease goes on"),
            StoreError::Overtaken { .. } => {
                Self::new(Exit::Stale, error.to_string()).help("nothing was changed; plan again")
            }
            StoreError::Damaged { .. } | StoreError::Contradiction { .. } => {
                Self::failed(error.to_string()).help("restore the ledger from a backup; do not edit it by hand")
            }
            StoreError::Newer { .. } => Self::failed(error.to_string()),
            StoreError::Storage { .. } => Self::failed(error.to_string())
                .help("see that the ledger's place is there, may be written and has room"),
        }
    }
}

impl From<LocalError> for Failure {
    fn from(error: LocalError) -> Self {
        Self::failed(error.to_string()).help(error.help())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_error_of_many_things_is_told_once() {
        let error = |cause: &str| WorldError {
            tried: "sts:GetCallerIdentity".to_owned(),
            cause: cause.to_owned(),
            help: Some("switchback local up".to_owned()),
            class: ErrorClass::Unreachable,
        };
        let (refused, other) = (error("connection refused"), error("no route"));
        let things = ["a", "b", "c", "d", "e"].map(|name| (name.to_owned(), &refused));
        let failure = Failure::world("unread", things.into_iter().chain([("f".to_owned(), &other)]));
        assert_eq!(failure.causes, [format!("5 things (a, b, c and 2 more): {refused}"), format!("f: {other}")]);
        assert_eq!(failure.help, ["switchback local up"]);
        let few = Failure::world("unread", [("a".to_owned(), &refused), ("b".to_owned(), &refused)]);
        assert_eq!(few.causes, [format!("2 things (a, b): {refused}")]);
    }
}
