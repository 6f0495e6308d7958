//! A check of a change set to a question that can be asked: its values, and what must not be told of the answer. Pure.
//!
//! Invariant: no secret that a check is asked with is in what is recorded of it.

use std::time::Duration;

use super::Executor;
use super::course::Course;
use super::prepare::{Outcomes, Sight};
use crate::digest::Digest;
use crate::ledger::{Ledger, Run};
use crate::observe::connect;
use crate::observe::sight::first_words;
use crate::resolve::conform::conform;
use crate::resolve::evaluate::{Lookup as _, evaluate_deferred};
use crate::secret::SecretError;
use crate::step::{ChangeSet, Check, OnFailedCheck};
use crate::value::{Object, SealKey, Value};
use crate::world::{ErrorClass, Fence, Probe, Seen, WorldError};

/// The longest line that is recorded of what was seen, in characters.
const SEEN_CHARACTERS: usize = 400;

/// The shortest secret that is searched for in what was seen: shorter ones are in every text.
const SHORTEST_SECRET: usize = 4;

/// Of what checks are asked: what there is by now, and what the ledger knows of the run.
pub(super) struct Matter<'m> {
    pub(super) chain: &'m str,
    pub(super) run: &'m Run,
    pub(super) outcomes: &'m Outcomes,
    pub(super) seal_key: Option<&'m SealKey>,
    pub(super) fence: Fence,
}

impl<'m> Matter<'m> {
    /// Of a run under way.
    pub(super) fn of(course: &'m Course<'_>, run: &'m Run) -> Self {
        let (seal_key, fence) = (course.seal_key.as_ref(), course.fence.clone());
        Self { chain: &course.chain, run, outcomes: &course.outcomes, seal_key, fence }
    }
}

impl Executor<'_> {
    /// Before anything is begun or resumed: the secrets that are asked with are at hand. That they are not says nothing
    /// about what is asked, so it fails no check.
    ///
    /// # Errors
    /// When one is not.
    pub(super) fn refuse_without_secrets(&self, ledger: &Ledger, change_set: &ChangeSet) -> Result<(), WorldError> {
        let outcomes = Outcomes::of(&ledger.state().things);
        let (seal_key, now) = (ledger.state().seal_key(), self.world.clock.now());
        let sight = Sight { outcomes: &outcomes, secrets: self.secrets, seal_key, now };
        for check in change_set.checks.iter().filter(|check| check.on_failure != OnFailedCheck::Tell) {
            let reached = check.binding.iter().flat_map(|binding| &binding.deferred);
            for (name, deferred) in check.deferred.iter().chain(reached) {
                let missing = |error: SecretError| WorldError {
                    tried: format!("ask {}", check.address),
                    cause: format!("`{name}`: {error}"),
                    help: Some("give it again, the way it was given when this was planned".to_owned()),
                    class: ErrorClass::Denied,
                };
                deferred.secrets().iter().try_for_each(|secret| sight.secret(secret).map(|_| ()).map_err(missing))?;
            }
        }
        Ok(())
    }

    /// The question with all its values, or why it cannot be asked.
    pub(super) fn probe(&self, check: &Check, matter: &Matter<'_>) -> Result<Probe, Seen> {
        let now = self.world.clock.now();
        let sight = Sight { outcomes: matter.outcomes, secrets: self.secrets, seal_key: matter.seal_key, now };
        let kind = self.kinds.check(&check.kind).ok_or_else(|| {
            Seen::hopeless(format!("this build knows no check `{}`; use the one that planned it", check.kind))
        })?;
        let mut settings: Object = check.settings.clone();
        for (name, deferred) in &check.deferred {
            let value = evaluate_deferred(deferred, &sight)
                .map_err(|mistakes| Seen::hopeless(format!("`{name}` cannot be had: {}", first_words(&mistakes))))?;
            if !value.is_known() || value.holds_sealed() {
                let waits: Vec<String> = deferred.references().iter().map(ToString::to_string).collect();
                return Err(Seen::hopeless(format!("`{name}` is not known: it comes from {}", waits.join(", "))));
            }
            let value = match kind.attribute(name) {
                Some(attribute) => conform(attribute, &value)
                    .map_err(|error| Seen::hopeless(format!("`{name}` came out otherwise: {error}")))?,
                None => value,
            };
            settings.insert(name.clone(), value);
        }
        if let Some(mistake) = (kind.mistakes)(&settings).into_iter().next() {
            return Err(Seen::hopeless(format!("{}: {}", mistake.text, mistake.help)));
        }
        let connection = match &check.binding {
            None => None,
            Some(binding) => match connect(binding, &sight) {
                Ok(Some(connection)) => Some(connection),
                Ok(None) => return Err(Seen::hopeless("what it is reached by is not there yet")),
                Err(error) => return Err(Seen::hopeless(error.to_string())),
            },
        };
        let watch = matter.run.watches.get(&check.address).cloned().unwrap_or_default();
        let name = format!("{}/{}/{}/{}", matter.chain, matter.run.number, check.address, watch.failures);
        Ok(Probe {
            kind: check.kind.clone(),
            settings,
            connection,
            since: watch.holds_since.unwrap_or(now),
            holds_since: watch.holds_since,
            token: Digest::of_bytes(name.as_bytes()).to_string()[..32].to_owned(),
            fence: matter.fence.clone(),
            before: watch.before,
            patience: Duration::ZERO,
        })
    }
}

/// What was seen, short, without control characters, and without what was secret in the question.
pub(super) fn without_secrets(seen: Seen, probe: &Probe) -> Seen {
    let mut secrets: Vec<String> = Vec::new();
    let connection = probe.connection.iter().flat_map(|connection| connection.settings.values());
    for value in probe.settings.values().chain(connection).filter(|value| value.is_sensitive()) {
        value.reveal().visit(&mut |part| {
            secrets.extend(part.as_str().filter(|text| text.len() >= SHORTEST_SECRET).map(str::to_owned));
        });
    }
    // The longest first: one may be a part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let clean = |text: &str| {
        let hidden = secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "(sensitive)"));
        let line: String =
            hidden.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
        match line.chars().count() > SEEN_CHARACTERS {
            true => line.chars().take(SEEN_CHARACTERS).chain(['…']).collect(),
            false => line,
        }
    };
    let facts = seen.facts.iter().map(|(name, value)| match value.as_str() {
        Some(text) => (name.clone(), Value::from(clean(text))),
        None => (name.clone(), value.clone()),
    });
    Seen { reply: seen.reply, words: clean(&seen.words), facts: facts.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_short_and_holds_no_secret_of_the_question() {
        let settings = Object::from([
            ("body".to_owned(), Value::from("hunter22").sensitive()),
            ("url".to_owned(), Value::from("http://open")),
        ]);
        let (kind, since) = ("http".to_owned(), jiff::Timestamp::UNIX_EPOCH);
        let probe = Probe {
            kind,
            settings,
            connection: None,
            since,
            holds_since: None,
            token: String::new(),
            fence: Fence::open(),
            before: None,
            patience: Duration::ZERO,
        };
        let seen = Seen::fails(format!("http://open said hunter22\u{1b}[31m {}", "x".repeat(1_000)))
            .fact("excerpt", "key=hunter22;")
            .fact("status", 500);
        let shown = without_secrets(seen, &probe);
        assert!(shown.words.starts_with("http://open said (sensitive) [31m xxx"), "{}", shown.words);
        assert_eq!(shown.words.chars().count(), SEEN_CHARACTERS + 1);
        assert_eq!(shown.facts["excerpt"], Value::from("key=(sensitive);"));
        assert_eq!(shown.facts["status"], Value::from(500));
    }
}
