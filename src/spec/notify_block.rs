//! `notify "NAME" { … }`: who is told what happens to an environment. Pure.
//!
//! Invariant: no secret stands in it; what is one is named by the variable or the file that holds it.

use std::collections::BTreeSet;

use super::body::Block;
use super::settings::{Plain, Shape};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::migration::length::milliseconds;
use crate::notice::Topic;
use crate::notice::receiver::{DEFAULT_MILLISECONDS, Form, MOST_MILLISECONDS, Receiver, Target};
use crate::secret::SecretReference;
use crate::suggest::{did_you_mean, listed};

/// A `notify` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyBlock {
    /// Whom it names.
    pub receiver: Receiver,
    /// The environments that it is for; all when there are none.
    pub environments: Vec<String>,
}

const ATTRIBUTES: [&str; 7] = ["type", "url", "url_from", "secret_from", "events", "timeout", "environments"];

/// Reads a block with its one label; nothing where it has a mistake.
pub(super) fn notify(block: &Block, diagnostics: &mut Diagnostics) -> Option<NotifyBlock> {
    let before = diagnostics.0.len();
    let shape = Shape { what: "a `notify` block", attributes: &ATTRIBUTES, blocks: &[], required: &[] };
    shape.check(block, diagnostics);
    let mut reading = Reading { block, diagnostics };
    let form = reading.form();
    let target = reading.target();
    let secret = reading.secret(form);
    let topics = reading.topics();
    let milliseconds = reading.timeout();
    let environments = reading.plain().texts("environments").unwrap_or_default();
    let (target, is_sound) = (target?, diagnostics.0.len() == before);
    let receiver = Receiver { name: block.label(0).to_owned(), form, target, secret, topics, milliseconds };
    is_sound.then_some(NotifyBlock { receiver, environments })
}

/// The receivers of an environment: those of its own blocks, and those of the project that it does not name itself.
pub fn receivers(own: &[NotifyBlock], projects: &[NotifyBlock], environment: &str) -> Vec<Receiver> {
    let is_meant = |block: &&NotifyBlock| {
        block.environments.is_empty() || block.environments.iter().any(|name| name == environment)
    };
    let is_replaced = |block: &&NotifyBlock| own.iter().any(|other| other.receiver.name == block.receiver.name);
    let of_project = projects.iter().filter(is_meant).filter(|block| !is_replaced(block));
    let mut found: Vec<Receiver> =
        own.iter().filter(is_meant).chain(of_project).map(|block| block.receiver.clone()).collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

struct Reading<'a> {
    block: &'a Block,
    diagnostics: &'a mut Diagnostics,
}

impl Reading<'_> {
    fn plain(&mut self) -> Plain<'_> {
        Plain { body: &self.block.body, diagnostics: self.diagnostics }
    }

    fn wrong(&mut self, attribute: &str, summary: &str, detail: String, help: impl Into<String>) {
        let span = self.block.body.expr(attribute).map_or(self.block.header, |expr| expr.span);
        self.diagnostics.push(Diagnostic::error(summary).at(span).detail(detail).help(help));
    }

    fn form(&mut self) -> Form {
        let Some(word) = self.plain().text("type") else { return Form::Webhook };
        let words = Form::ALL.map(Form::word);
        Form::ALL.into_iter().find(|form| form.word() == word).unwrap_or_else(|| {
            let help = did_you_mean(&word, words, "write `webhook` or `slack`");
            self.wrong("type", "there is no such type of receiver", format!("`{word}` is none"), help);
            Form::Webhook
        })
    }

    fn target(&mut self) -> Option<Target> {
        let (url, from) = (self.plain().text("url"), self.reference("url_from"));
        match (url, from) {
            (Some(url), None) if is_url(&url) => Some(Target::Url(url)),
            (Some(_), None) => {
                let detail = "it is recorded as it stands, so it may hold no password".to_owned();
                let help = "write `https://HOST/PATH`; a URL that is a secret goes into `url_from = \"env:NAME\"`";
                self.wrong("url", "this is not the URL of a receiver", detail, help);
                None
            }
            (None, Some(reference)) => Some(Target::From(reference)),
            (None, None) if self.block.body.expr("url").or(self.block.body.expr("url_from")).is_some() => None,
            (given, _) => {
                let detail = match given {
                    Some(_) => "`url` and `url_from` are both given".to_owned(),
                    None => "neither `url` nor `url_from` is given".to_owned(),
                };
                let help = "give one: `url = \"https://…\"`, or `url_from = \"env:NAME\"` where it is a secret";
                self.wrong("url_from", "a receiver has one URL", detail, help);
                None
            }
        }
    }

    fn secret(&mut self, form: Form) -> Option<SecretReference> {
        let reference = self.reference("secret_from");
        if reference.is_some() && form == Form::Slack {
            let detail = "Slack looks at no signature: its URL is the secret".to_owned();
            self.wrong("secret_from", "a message to Slack is not signed", detail, "remove it");
        }
        reference
    }

    /// `env:NAME` or `file:/PATH`.
    fn reference(&mut self, name: &str) -> Option<SecretReference> {
        let text = self.plain().text(name)?;
        let is_name =
            |name: &str| !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        match text.split_once(':') {
            Some(("env", name)) if is_name(name) => Some(SecretReference::Environment { name: name.to_owned() }),
            Some(("file", path)) if path.starts_with('/') => Some(SecretReference::File { path: path.to_owned() }),
            // What stands there may be the secret itself.
            _ => {
                let detail = format!("`{name}` says where the secret comes from");
                self.wrong(name, "a secret is named, not written", detail, "write `env:NAME` or `file:/PATH`");
                None
            }
        }
    }

    fn topics(&mut self) -> BTreeSet<Topic> {
        let Some(words) = self.plain().texts("events") else {
            return Topic::ALL.into_iter().filter(|topic| *topic != Topic::Planned).collect();
        };
        let all = Topic::ALL.map(Topic::word);
        let mut topics = BTreeSet::new();
        for word in words {
            match Topic::of(&word) {
                Some(topic) => drop(topics.insert(topic)),
                None => {
                    let help = did_you_mean(&word, all, format!("there are {}", listed(all.iter().copied())));
                    self.wrong("events", "there is no such event", format!("`{word}` is none"), help);
                }
            }
        }
        topics
    }

    fn timeout(&mut self) -> u64 {
        let Some(text) = self.plain().text("timeout") else { return DEFAULT_MILLISECONDS };
        match milliseconds(&text).filter(|given| (1..=MOST_MILLISECONDS).contains(given)) {
            Some(given) => given,
            None => {
                let detail = format!("`{text}` is no length of time up to 30 seconds");
                self.wrong("timeout", "this is not how long a receiver can be given", detail, "write it like `\"5s\"`");
                DEFAULT_MILLISECONDS
            }
        }
    }
}

/// Whether messages can be sent there, and nothing in it is a password.
fn is_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let place = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    !place.is_empty()
        && !place.contains('@')
        && !url.chars().any(|letter| letter.is_whitespace() || letter.is_control())
}
