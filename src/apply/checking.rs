//! What is asked before, between and after the steps: with patience, and recorded. Reads the world, writes the ledger.
//!
//! Invariant: a check passes only if it was as it should be for as long as it should be; no secret that it was asked
//! with is in what is recorded of it.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::Executor;
use super::course::Course;
use super::outcome::{ApplyError, Event};
use super::prepare::{Outcomes, Sight};
use crate::ledger::{Body, Ledger};
use crate::observe::connect;
use crate::observe::sight::first_words;
use crate::resolve::conform::conform;
use crate::resolve::evaluate::{Lookup as _, evaluate_deferred};
use crate::secret::SecretError;
use crate::step::{ChangeSet, Check, CheckResult, When};
use crate::value::{Object, Value};
use crate::world::{ErrorClass, Probe, Reply, Seen, WorldError};

/// The longest line that is recorded of what was seen, in characters.
const SEEN_CHARACTERS: usize = 400;

/// How long one answer may take at least, however little time is left.
const LEAST_PATIENCE: Duration = Duration::from_secs(2);

/// The shortest secret that is searched for in what was seen: shorter ones are in every text.
const SHORTEST_SECRET: usize = 4;

/// A check at its end.
struct Asked {
    result: CheckResult,
    seen: Seen,
    tries: u32,
    took: Duration,
}

impl Executor<'_> {
    /// Asks all that is asked then, side by side, and records how each came out. The first that fails ends it. Gives
    /// whether the run may go on.
    pub(super) async fn ask_all(
        &self,
        when: When,
        ledger: &mut Ledger,
        course: &mut Course<'_>,
    ) -> Result<bool, ApplyError> {
        let change_set = course.change_set;
        let mut open: BTreeSet<&_> = change_set.checks_at(when).map(|check| &check.address).collect();
        let mut asking = FuturesUnordered::new();
        for check in change_set.checks_at(when) {
            let probe = self.probe(check, course);
            asking.push(async move { (check, self.ask_one(check, probe).await) });
        }
        while let Some((check, asked)) = asking.next().await {
            let Some(asked) = asked else { break };
            self.listener.event(Event::Checked(check, asked.result, &asked.seen.words));
            let body = Body::Checked {
                run: course.number,
                check: check.address.clone(),
                result: asked.result,
                saw: asked.seen.words,
                facts: asked.seen.facts,
                tries: asked.tries,
                milliseconds: u64::try_from(asked.took.as_millis()).unwrap_or(u64::MAX),
            };
            ledger.append(self.world.clock.now(), vec![body]).await?;
            if asked.result == CheckResult::Failed {
                break;
            }
            open.remove(&check.address);
        }
        course.unpassed = open.into_iter().cloned().collect();
        Ok(course.unpassed.is_empty())
    }

    /// Before anything is begun or resumed: the secrets that are asked with are at hand. That they are not says nothing
    /// about what is asked, so it fails no check.
    ///
    /// # Errors
    /// When one is not.
    pub(super) fn refuse_without_secrets(&self, ledger: &Ledger, change_set: &ChangeSet) -> Result<(), WorldError> {
        let outcomes = Outcomes::of(&ledger.state().things);
        let (seal_key, now) = (ledger.state().seal_key(), self.world.clock.now());
        let sight = Sight { outcomes: &outcomes, secrets: self.secrets, seal_key, now };
        for check in &change_set.checks {
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
    fn probe(&self, check: &Check, course: &Course<'_>) -> Result<Probe, Seen> {
        let now = self.world.clock.now();
        let sight =
            Sight { outcomes: &course.outcomes, secrets: self.secrets, seal_key: course.seal_key.as_ref(), now };
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
        Ok(Probe { kind: check.kind.clone(), settings, connection, since: now, patience: Duration::ZERO })
    }

    /// Asks one check until it has been as it should be for long enough, or cannot be any more. Nothing when the run is
    /// asked to stop before.
    async fn ask_one(&self, check: &Check, probe: Result<Probe, Seen>) -> Option<Asked> {
        if check.when == When::Before && !check.not_yet.is_empty() {
            let missing: Vec<String> = check.not_yet.iter().map(ToString::to_string).collect();
            let seen = Seen::holds(format!("not there yet: {}", missing.join(", ")));
            return Some(Asked { result: CheckResult::LeftOut, seen, tries: 0, took: Duration::ZERO });
        }
        let mut patience = Patience::of(check, self.world.clock.uptime());
        self.listener.event(Event::Checking(check));
        let mut probe = match probe {
            Ok(probe) => probe,
            Err(seen) => return Some(patience.end(CheckResult::Failed, seen, Duration::ZERO)),
        };
        let mut said = String::new();
        loop {
            if self.stop.is_raised() {
                return None;
            }
            probe.patience = patience.left(self.world.clock.uptime()).max(LEAST_PATIENCE);
            let seen = tokio::select! {
                seen = self.ask_once(&probe) => seen,
                () = self.stop.changed() => return None,
            };
            let seen = without_secrets(seen, &probe);
            if seen.reply != Reply::Holds && seen.words != said {
                self.listener.event(Event::CheckWaits(check, &seen.words));
                said.clone_from(&seen.words);
            }
            let seen = match patience.judge(seen, self.world.clock.uptime()) {
                Ok(asked) => return Some(asked),
                Err(seen) => seen,
            };
            drop(seen);
            tokio::select! {
                () = tokio::time::sleep(patience.interval) => {}
                () = self.stop.changed() => {}
            }
        }
    }

    async fn ask_once(&self, probe: &Probe) -> Seen {
        let Some(checks) = &self.world.checks else {
            return Seen::hopeless("this build asks nothing of the world");
        };
        // Whoever answers keeps to the patience by himself; this is for who does not.
        let longest = probe.patience + LEAST_PATIENCE;
        match tokio::time::timeout(longest, checks.ask(probe)).await {
            Ok(seen) => seen,
            Err(_) => Seen::fails(format!("no answer within {:.1} s", longest.as_secs_f64())),
        }
    }
}

/// How long, and how often. Pure.
struct Patience {
    begun: Duration,
    within: Duration,
    interval: Duration,
    tries_left: Option<u32>,
    tries: u32,
    holds_for: Duration,
    /// Since when it is as it should be, by the uptime.
    holds_since: Option<Duration>,
}

impl Patience {
    fn of(check: &Check, begun: Duration) -> Self {
        Self {
            begun,
            within: Duration::from_millis(check.within_milliseconds),
            interval: Duration::from_millis(check.interval_milliseconds),
            tries_left: check.tries,
            tries: 0,
            holds_for: Duration::from_millis(check.holds_for_milliseconds),
            holds_since: None,
        }
    }

    /// How long an answer may take that is asked for now.
    fn left(&self, now: Duration) -> Duration {
        match self.holds_since {
            None => self.within.saturating_sub(now.saturating_sub(self.begun)),
            Some(since) => self.holds_for.saturating_sub(now.saturating_sub(since)),
        }
    }

    /// What follows from what was seen: the end, or nothing yet.
    fn judge(&mut self, seen: Seen, now: Duration) -> Result<Asked, Seen> {
        self.tries += 1;
        match (seen.reply, self.holds_since) {
            (Reply::Holds, since) => {
                let since = *self.holds_since.insert(since.unwrap_or(now));
                let held = now.saturating_sub(since);
                if held < self.holds_for {
                    return Err(seen);
                }
                Ok(self.end(CheckResult::Passed, seen, now.saturating_sub(self.begun)))
            }
            (Reply::Fails | Reply::Hopeless, Some(since)) => {
                let held = now.saturating_sub(since).as_secs_f64();
                let wanted = self.holds_for.as_secs_f64();
                let words = format!("it held for {held:.1} s of {wanted:.1} s, and then: {}", seen.words);
                Ok(self.end(CheckResult::Failed, Seen { words, ..seen }, now.saturating_sub(self.begun)))
            }
            (Reply::Hopeless, None) => Ok(self.end(CheckResult::Failed, seen, now.saturating_sub(self.begun))),
            (Reply::Fails, None) => {
                let took = now.saturating_sub(self.begun);
                self.tries_left = self.tries_left.map(|left| left.saturating_sub(1));
                if self.tries_left != Some(0) && took + self.interval < self.within {
                    return Err(seen);
                }
                Ok(self.end(CheckResult::Failed, seen, took))
            }
        }
    }

    fn end(&self, result: CheckResult, seen: Seen, took: Duration) -> Asked {
        Asked { result, seen, tries: self.tries, took }
    }
}

/// What was seen, short, without control characters, and without what was secret in the question.
fn without_secrets(seen: Seen, probe: &Probe) -> Seen {
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
    use crate::address::Address;
    use crate::step::OnFailedCheck;

    fn check(within: u64, interval: u64, tries: Option<u32>, holds_for: u64) -> Check {
        Check {
            address: Address::root("verify", "up"),
            kind: "http".to_owned(),
            when: When::After,
            on_failure: OnFailedCheck::Stop,
            within_milliseconds: within,
            interval_milliseconds: interval,
            tries,
            holds_for_milliseconds: holds_for,
            settings: Object::new(),
            deferred: std::collections::BTreeMap::new(),
            binding: None,
            needs: BTreeSet::new(),
            not_yet: BTreeSet::new(),
        }
    }

    /// Plays answers, one each interval: how it came out, and after how many tries.
    fn play(check: &Check, answers: &[Reply]) -> Option<(CheckResult, u32, String)> {
        let mut patience = Patience::of(check, Duration::from_secs(100));
        let mut now = Duration::from_secs(100);
        for reply in answers {
            let seen = Seen { reply: *reply, words: format!("{reply:?}"), facts: Object::new() };
            if let Ok(asked) = patience.judge(seen, now) {
                return Some((asked.result, asked.tries, asked.seen.words));
            }
            now += patience.interval;
        }
        None
    }

    #[test]
    fn patience_ends_with_time_tries_or_what_does_not_last() {
        use Reply::{Fails, Holds, Hopeless};
        let passed = |tries| Some((CheckResult::Passed, tries, "Holds".to_owned()));
        let failed = |tries, words: &str| Some((CheckResult::Failed, tries, words.to_owned()));
        let plain = check(1_000, 100, None, 0);
        assert_eq!(play(&plain, &[Holds]), passed(1));
        assert_eq!(play(&plain, &[Fails, Fails, Holds]), passed(3), "what comes up in time is good");
        assert_eq!(play(&plain, &[Fails; 20]), failed(10, "Fails"), "the time is over");
        assert_eq!(play(&plain, &[Hopeless]), failed(1, "Hopeless"), "nobody waits for what cannot be");
        assert_eq!(play(&check(1_000, 100, Some(2), 0), &[Fails; 20]), failed(2, "Fails"), "the tries are used up");
        let lasting = check(1_000, 100, None, 300);
        assert_eq!(play(&lasting, &[Fails, Holds, Holds, Holds]), None, "it has not held long enough");
        assert_eq!(play(&lasting, &[Fails, Holds, Holds, Holds, Holds]), passed(5));
        let words = "it held for 0.2 s of 0.3 s, and then: Fails";
        assert_eq!(play(&lasting, &[Holds, Holds, Fails, Holds]), failed(3, words), "it does not last");
    }

    #[test]
    fn what_was_seen_is_short_and_holds_no_secret_of_the_question() {
        let settings = Object::from([
            ("body".to_owned(), Value::from("hunter22").sensitive()),
            ("url".to_owned(), Value::from("http://open")),
        ]);
        let (kind, since) = ("http".to_owned(), jiff::Timestamp::UNIX_EPOCH);
        let probe = Probe { kind, settings, connection: None, since, patience: Duration::ZERO };
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
