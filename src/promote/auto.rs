//! Whether a release gets in by itself: what the rule of an environment says of it. Pure.
//!
//! Invariant: a rule that cannot be told never lets anything in.

use std::path::Path;

use jiff::Timestamp;

use super::Verified;
use crate::diagnostic::{Diagnostic, Span};
use crate::expression::{Expr, Reference};
use crate::ledger::State;
use crate::resolve::evaluate::{Scope, Surroundings, evaluate};
use crate::value::{Object, Value};

/// What a rule said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It gets in.
    Holds,
    /// It does not, yet.
    Fails,
    /// Nobody can tell.
    Untold(String),
}

/// Asks the rule.
pub fn ask(rule: &Expr, from: (&str, &State), verified: Verified, now: Timestamp) -> Said {
    let scope = Release { facts: facts(from, verified, now), now };
    match evaluate(rule, &scope) {
        Ok(value) => match value.as_bool() {
            Some(true) => Said::Holds,
            Some(false) => Said::Fails,
            None => Said::Untold("it gives neither `true` nor `false`".to_owned()),
        },
        Err(mistakes) => {
            let first = mistakes.0.first();
            Said::Untold(first.map(|one| one.detail.clone().unwrap_or(one.summary.clone())).unwrap_or_default())
        }
    }
}

fn facts((environment, state): (&str, &State), verified: Verified, now: Timestamp) -> Object {
    let soaked = now.duration_since(verified.at).as_hours();
    let accepted = state.releases.roles(verified.id);
    let tags = state.releases.tags.iter().filter(|(_, tag)| tag.what.release == verified.id);
    let texts = |texts: Vec<String>| Value::tuple(texts.iter().map(|text| Value::from(text.as_str())).collect());
    [
        ("id", Value::from(verified.id.to_string().as_str())),
        ("from", Value::from(environment)),
        ("soaked_hours", Value::from(soaked)),
        ("accepted", texts(accepted.into_iter().collect())),
        ("tags", texts(tags.map(|(name, _)| name.clone()).collect())),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// What a rule can name.
struct Release {
    facts: Object,
    now: Timestamp,
}

impl Scope for Release {
    fn reference(&self, reference: &Reference, span: Span) -> Result<Value, Diagnostic> {
        let found = match reference {
            Reference::Block { word, name } if &**word == "release" => self.facts.get(&**name),
            _ => None,
        };
        found.cloned().ok_or_else(|| {
            Diagnostic::error("there is no such name in `auto_promote`")
                .at(span)
                .detail("the rule names `release` and what it has")
                .help("`docs/releases.md` lists what there is")
        })
    }

    fn surroundings(&self) -> Surroundings<'_> {
        let now = Some(self.now);
        Surroundings { files: None, folder: Path::new("."), home: None, planned_at: now, now }
    }
}
