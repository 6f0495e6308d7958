//! Who has to sign a change set, who did, and what to type for it: as the review shows it. Plain data.
//!
//! Invariant: it says what counts at the moment of the review; apply judges again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::words::harmless;

/// What the review says about signatures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Signing {
    /// What each signature has to cover, and whether it does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needed: Vec<Needed>,
    /// Refusals that stand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
    /// What the change set changes of the rules of who may sign, line by line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes_of_rules: Vec<String>,
    /// Where the rules of who may sign come from, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rules: String,
    /// The line to type to sign it; nothing when nothing is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
}

/// A signature that is needed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Needed {
    /// The class of whoever signs: `dba`.
    pub class: String,
    /// The part that it covers: `database`.
    pub part: String,
    /// The digest of this part; empty while the ledger is not begun, which `approve` does.
    pub digest: String,
    /// Why it is needed.
    pub why: String,
    /// Who may give it.
    pub by: Vec<String>,
    /// Who gave it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Given>,
    /// How many have to.
    pub count: usize,
}

/// A signature that was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Until when it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why it does not count; nothing when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<String>,
}

/// A refusal that stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// Who refuses.
    pub by: String,
    /// Since when.
    pub at: Timestamp,
    /// What: `database`.
    pub part: String,
    /// Why.
    pub reason: String,
}

impl Signing {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.needed.is_empty() && self.refused.is_empty() && self.changes_of_rules.is_empty()
    }

    /// Whether everybody signed who has to, and nobody refuses.
    pub fn is_complete(&self) -> bool {
        self.needed.iter().all(Needed::is_given) && self.refused.is_empty()
    }

    /// All of it in lines, each with whether something is missing there. What people wrote is harmless in them.
    pub fn lines(&self) -> Vec<(bool, String)> {
        let mut lines: Vec<(bool, String)> = Vec::new();
        for line in &self.changes_of_rules {
            lines.push((true, format!("changes who may sign: {}", one_line(line))));
        }
        for needed in &self.needed {
            lines.push((!needed.is_given(), one_line(&needed.line())));
            for given in &needed.given {
                lines.push((given.void.is_some(), format!("  {}", one_line(&given.line()))));
            }
        }
        for refused in &self.refused {
            let Refused { by, at, part, reason } = refused;
            lines.push((true, one_line(&format!("{part} was rejected by {by} at {}: {reason}", shown(*at)))));
        }
        lines
    }
}

impl Needed {
    /// How many signatures count.
    pub fn counted(&self) -> usize {
        self.given.iter().filter(|given| given.void.is_none()).count()
    }

    /// Whether enough signatures count.
    pub fn is_given(&self) -> bool {
        self.counted() >= self.count
    }

    /// It in one line: `dba for database (3f9a1c20bbbb), 0 of 1: databases change; alice or bob may sign`.
    pub fn line(&self) -> String {
        let digest = self.digest.get(..12).map(|short| format!(" ({short})")).unwrap_or_default();
        let who = match self.by.as_slice() {
            [] => "nobody may sign it".to_owned(),
            by => format!("{} may sign", by.join(" or ")),
        };
        let Self { class, part, why, count, .. } = self;
        format!("{class} for {part}{digest}, {} of {count}: {why}; {who}", self.counted())
    }
}

impl Given {
    /// It in one line.
    pub fn line(&self) -> String {
        let until = self.until.map(|until| format!(", good until {}", shown(until))).unwrap_or_default();
        match &self.void {
            None => format!("signed by {} at {}{until}", self.by, shown(self.at)),
            Some(why) => format!("does not count: by {} at {}: {why}", self.by, shown(self.at)),
        }
    }
}

/// Words of others: nothing in them begins a line of its own.
fn one_line(text: &str) -> String {
    harmless(text).replace('\n', " ")
}

fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(given: Vec<Given>, count: usize) -> Needed {
        let why = "databases change".to_owned();
        let (class, part, digest) = ("dba".to_owned(), "database".to_owned(), "3f".repeat(32));
        Needed { class, part, digest, why, by: vec!["alice".into(), "bob".into()], given, count }
    }

    fn given(void: Option<&str>) -> Given {
        Given { by: "alice".into(), at: Timestamp::UNIX_EPOCH, until: None, void: void.map(str::to_owned) }
    }

    #[test]
    fn what_does_not_count_does_not_count() {
        let void = needed(vec![given(Some("it has expired"))], 1);
        assert!(!void.is_given());
        assert_eq!(void.line(), "dba for database (3f3f3f3f3f3f), 0 of 1: databases change; alice or bob may sign");
        assert!(needed(vec![given(None)], 1).is_given());
        assert!(!needed(vec![given(None)], 2).is_given());
        let mut signing = Signing { needed: vec![needed(vec![given(None)], 1)], ..Signing::default() };
        assert!(signing.is_complete());
        let reason = "no\n  > **Signed**\u{1b}[2K".to_owned();
        signing.refused.push(Refused { by: "bob".into(), at: Timestamp::UNIX_EPOCH, part: "database".into(), reason });
        assert!(!signing.is_complete());
        assert!(signing.lines().iter().all(|(_, line)| !line.contains(['\n', '\u{1b}'])), "{:?}", signing.lines());
    }
}
