//! The review as SARIF 2.1.0, for whatever shows findings beside the lines of files. Pure.
//!
//! Invariant: a result's fingerprint holds neither a line nor a step's number, so that what somebody has seen stays seen when
//! lines above it move.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::proof::{self, Weight};
use super::words::{self, harmless};
use super::{Loss, Review, StepView};
use crate::digest::Digest;
use crate::migration::certificate::{Certificate, Verdict};
use crate::rules::{Finding, Ignored, Level, Place};

/// The schema that it is valid by.
pub const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The name of our fingerprints: another number when what they are made of changes.
const FINGERPRINT: &str = "switchback/v1";

/// What a place in a file is relative to: the folder of the project.
const ROOT: &str = "SRCROOT";

/// What is told about one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rule {
    short: String,
    help: String,
    level: Option<Level>,
}

/// One thing to say, whatever said it.
struct Said {
    rule: String,
    about: Rule,
    level: Level,
    message: String,
    place: Place,
    rewrite: Option<String>,
    silenced: Option<String>,
}

/// The review as one SARIF document.
pub fn render(review: &Review) -> Value {
    let mut said: Vec<Said> = review.findings.found.iter().map(|finding| Said::of(finding, None)).collect();
    said.extend(review.findings.ignored.iter().map(Said::ignored));
    said.extend(review.steps.iter().filter_map(|step| certified(review, step)));
    let losses = review.point_of_no_return.iter().flat_map(|point| &point.losses);
    said.extend(losses.map(|loss| lost(review, loss)));
    let rules = rules(&said);
    let names: Vec<&String> = rules.keys().collect();
    let results: Vec<Value> = said
        .iter()
        .map(|one| result(review, one, names.iter().position(|name| **name == one.rule).unwrap_or_default()))
        .collect();
    let subject = format!("{}/{}", review.project, review.environment);
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "Switchback",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules.iter().map(|(name, rule)| described(name, rule)).collect::<Vec<_>>(),
            }},
            "automationDetails": {"id": harmless(&format!("switchback/{subject}/"))},
            "originalUriBaseIds": {ROOT: {"description": {"text": "The folder of the project."}}},
            "columnKind": "unicodeCodePoints",
            "properties": {
                "project": review.project,
                "environment": review.environment,
                "heading": harmless(&words::heading(review)),
                "changeSet": review.digest.to_string(),
            },
            "results": results,
        }],
    })
}

impl Said {
    fn of(finding: &Finding, silenced: Option<&str>) -> Self {
        let known = crate::rules::of_name(&finding.rule);
        let short = known.map_or_else(|| finding.rule.replace('-', " "), |rule| format!("{}.", rule.title));
        let help = known.map_or_else(|| finding.help.clone(), |rule| format!("{}. {}", rule.reason, finding.help));
        let about = Rule { short, help: help.trim_end().to_owned(), level: known.map(|rule| rule.level) };
        let reason = if finding.reason.is_empty() { String::new() } else { format!("\n{}", finding.reason) };
        let help = if finding.help.is_empty() { String::new() } else { format!("\n{}", finding.help) };
        Self {
            rule: finding.rule.clone(),
            about,
            level: finding.level,
            message: format!("{}{reason}{help}", finding.message),
            place: finding.place.clone(),
            rewrite: finding.rewrite.clone(),
            silenced: silenced.map(str::to_owned),
        }
    }

    fn ignored(ignored: &Ignored) -> Self {
        Self::of(&ignored.finding, Some(&ignored.reason))
    }
}

/// What a rehearsal has to say of a migration that did not come back exactly.
fn certified(review: &Review, step: &StepView) -> Option<Said> {
    let certificate = step.certificate.as_ref()?;
    let (rule, short, help) = verdict(&certificate.verdict)?;
    let level = match proof::weight(&certificate.verdict) {
        Weight::Light => Level::Note,
        Weight::Middle => Level::Warning,
        Weight::Heavy => Level::Error,
    };
    Some(Said {
        rule: format!("rehearsal-{rule}"),
        about: Rule { short: short.to_owned(), help: help.to_owned(), level: Some(level) },
        level,
        message: told(step, certificate),
        place: place_of(review, step),
        rewrite: None,
        silenced: None,
    })
}

fn told(step: &StepView, certificate: &Certificate) -> String {
    let verdict = &certificate.verdict;
    let detail = verdict.detail();
    let colon = if detail.is_empty() { "" } else { ": " };
    format!("{}: {}{colon}{detail}", step.title, verdict.word())
}

/// What a verdict that is no pass is called as a rule; nothing where it is one.
fn verdict(verdict: &Verdict) -> Option<(&'static str, &'static str, &'static str)> {
    match verdict {
        Verdict::Exact => None,
        Verdict::Reordered { .. } => Some((
            "reordered-columns",
            "The way back restores everything but the order of columns.",
            "See that nobody reads columns by their place (`SELECT *` into a record, `COPY` without a list of columns).",
        )),
        Verdict::Otherwise { .. } => Some((
            "restores-something-else",
            "The way back does not restore what was.",
            "Correct the way back until the rehearsal finds no difference.",
        )),
        Verdict::LosesData { .. } => Some((
            "loses-data",
            "The way back restores the schema, and not the data.",
            "Keep what is taken away for a while (`-- switchback: keep 30d`), or accept the loss one by one.",
        )),
        Verdict::Fails { .. } => Some((
            "fails",
            "A way of the migration fails on a throw-away server.",
            "Correct the text at the line that the message names.",
        )),
        Verdict::NoWayBack { .. } => Some((
            "no-way-back",
            "There is no way back.",
            "Write the file of the way back, or let `migrate derive` propose it.",
        )),
        Verdict::NotRehearsed { .. } => Some((
            "not-rehearsed",
            "The migration could not be rehearsed, which is no pass.",
            "Give the rehearsal what it lacks; `switchback rehearse` says what that is.",
        )),
    }
}

/// What is lost on the way back of a step.
fn lost(review: &Review, loss: &Loss) -> Said {
    let rule = format!("way-back-{}", loss.class.replace(' ', "-"));
    let short = format!("The way back of a step is called `{}`.", loss.class);
    let help = "Look at the point of no return in the review; what lies before it can all be taken back.".to_owned();
    let step = review.steps.iter().find(|step| step.id == loss.step);
    let place = step.map_or_else(Place::default, |step| place_of(review, step));
    Said {
        rule,
        about: Rule { short, help, level: Some(Level::Warning) },
        level: Level::Warning,
        message: format!("{}: {}, {}", loss.title, loss.class, loss.why),
        place,
        rewrite: None,
        silenced: None,
    }
}

/// Where a step's migration stands, as far as a finding has named its file.
fn place_of(review: &Review, step: &StepView) -> Place {
    let file = review.findings.of_step(step.id).find_map(|finding| finding.place.file.clone());
    Place {
        step: Some(step.id),
        address: Some(step.address.clone()),
        version: step.migration.as_ref().map(|migration| migration.version),
        line: file.as_ref().map(|_| 1),
        file,
        ..Place::default()
    }
}

/// The rules that something is said by. What one of them is about is told by the first that says it.
fn rules(said: &[Said]) -> BTreeMap<String, Rule> {
    let mut rules: BTreeMap<String, Rule> = BTreeMap::new();
    for one in said {
        let rule = rules.entry(one.rule.clone()).or_insert_with(|| one.about.clone());
        rule.level = rule.level.max(Some(one.level));
        if rule.help.is_empty() {
            rule.help.clone_from(&one.about.help);
        }
    }
    rules
}

fn described(name: &str, rule: &Rule) -> Value {
    let help = if rule.help.is_empty() { &rule.short } else { &rule.help };
    json!({
        "id": harmless(name),
        "name": camel(name),
        "shortDescription": {"text": harmless(&rule.short)},
        "help": {"text": harmless(help)},
        "defaultConfiguration": {"level": rule.level.unwrap_or(Level::Warning).word()},
    })
}

/// `AddNotNullColumn`, as SARIF asks of the names of rules.
fn camel(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

fn result(review: &Review, said: &Said, rule: usize) -> Value {
    let mut result = json!({
        "ruleId": harmless(&said.rule),
        "ruleIndex": rule,
        "level": said.level.word(),
        "message": {"text": harmless(&said.message)},
        "locations": [location(&said.place)],
        "partialFingerprints": {FINGERPRINT: fingerprint(review, said)},
    });
    let mut properties = serde_json::Map::new();
    if let Some(step) = said.place.step {
        properties.insert("step".to_owned(), json!(step));
    }
    if let Some(rewrite) = &said.rewrite {
        properties.insert("rewrite".to_owned(), json!(harmless(rewrite)));
    }
    if !properties.is_empty() {
        result["properties"] = properties.into();
    }
    if let Some(reason) = &said.silenced {
        result["suppressions"] = json!([{"kind": "inSource", "justification": harmless(reason)}]);
    }
    result
}

fn location(place: &Place) -> Value {
    let mut location = json!({});
    if let Some(file) = &place.file {
        let mut physical = json!({"artifactLocation": {"uri": uri(file), "uriBaseId": ROOT}});
        if let Some(line) = place.line.filter(|line| *line > 0) {
            physical["region"] = json!({"startLine": line});
            if !place.excerpt.is_empty() {
                physical["region"]["snippet"] = json!({"text": harmless(&place.excerpt)});
            }
        }
        location["physicalLocation"] = physical;
    }
    if let Some(address) = &place.address {
        let version = place.version.map(|version| format!(" version {version}")).unwrap_or_default();
        let name = harmless(&format!("{address}{version}"));
        location["logicalLocations"] = json!([{"fullyQualifiedName": name, "kind": "resource"}]);
    }
    location
}

/// The same for the same thing said about the same statement, wherever its line is.
fn fingerprint(review: &Review, said: &Said) -> String {
    let Place { address, version, way, statement: _, line: _, step: _, file: _, excerpt } = &said.place;
    Digest::of_json(&(&review.project, &said.rule, address, version, way, excerpt)).to_string()
}

/// A path as a relative reference: everything but letters, digits and a few signs is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.trim_start_matches("./").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' | b'~' => uri.push(char::from(byte)),
            other => uri += &format!("%{other:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_references_and_names_are_camels() {
        assert_eq!(uri("./migrations/a b/V1__ü%.sql"), "migrations/a%20b/V1__%C3%BC%25.sql");
        assert_eq!(camel("add-not-null.column_x"), "AddNotNullColumnX");
    }
}
