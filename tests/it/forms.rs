//! The forms of a review: each of them says what the others say, in the way that its readers ask for.

mod script;
mod scanner;
mod published;
mod validator;

use switchback::migration::certificate::Evidence;
use switchback::review::grounds::Grounds;
use switchback::rules::{Finding, Findings, Ignored, Level, Place};
use switchback::step::{ChangeSet, StepId};

/// Words that leave whatever they are put into, where that can be left.
const HOSTILE: &str = "a\"b'<c>&]]>\u{1}\u{1b}[31m\u{202e}\u{ffff}\n# d `e` \\u0041 --> ${f} %20";

/// A finding of this rule and level.
fn finding(rule: &str, level: Level, line: usize) -> Finding {
    Finding {
        rule: rule.to_owned(),
        level,
        place: Place {
            step: Some(StepId(1)),
            address: Some("database.app".to_owned()),
            version: Some(1),
            file: Some(format!("migrations/a b/V1__{HOSTILE}.sql")),
            line: Some(line),
            statement: Some(1),
            excerpt: HOSTILE.to_owned(),
            ..Place::default()
        },
        message: format!("it says {HOSTILE}"),
        reason: "everybody waits".to_owned(),
        help: HOSTILE.to_owned(),
        rewrite: Some(HOSTILE.to_owned()),
    }
}

/// A change set of one migration, with everything that a review can rest on, said in hostile words.
fn hostile() -> (ChangeSet, Grounds) {
    let text = serde_json::json!({
        "format": 2, "project": HOSTILE, "environment": HOSTILE, "operation": "apply",
        "steps": [{
            "id": 1, "address": "database.app", "binding": {"provider": "postgres"},
            "action": {"do": "migrate", "direction": "up", "lock_timeout_milliseconds": 3000, "migration": {
                "version": 1, "name": HOSTILE, "up": format!("-- {}\nselect 1", HOSTILE.replace('\n', "\n-- ")),
                "transaction": true,
            }},
            "reason": {"because": "pending"},
            "inverse": {"class": "impossible", "why": HOSTILE},
            "found": "unasked",
        }],
        "point_of_no_return": 1,
    });
    let change_set: ChangeSet = serde_json::from_value(text).unwrap();
    let mut certificate = switchback::rehearse::not_rehearsed(HOSTILE);
    certificate.server = "15.18".to_owned();
    let certificates = std::collections::BTreeMap::from([(1, certificate)]);
    let evidence = Evidence(std::collections::BTreeMap::from([("database.app".parse().unwrap(), certificates)]));
    let found = vec![
        finding("one-rule", Level::Error, 7),
        finding("other-rule", Level::Warning, 0),
        finding("one-rule", Level::Note, 9),
    ];
    let ignored = vec![Ignored { finding: finding("one-rule", Level::Error, 3), reason: HOSTILE.to_owned() }];
    let findings = Findings { found, ignored };
    (change_set, Grounds { evidence, findings, ..Grounds::default() })
}
