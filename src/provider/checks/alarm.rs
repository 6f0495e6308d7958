//! `alarm`: alarms of CloudWatch are in OK. Asks AWS.
//!
//! Invariant: an alarm that is not there is not in OK; one that left OK in a bake time is noticed, whoever looked then.

use async_trait::async_trait;

use super::Asks;
use crate::kind::{Attribute, CheckKind, Mistake, Reaches};
use crate::provider::aws::alarms::Sighting;
use crate::value::{Object, Type, Value};
use crate::world::{Probe, Seen};

/// The most alarms that one check asks for.
const MOST: usize = 100;

/// How many alarms are told.
const TOLD: usize = 3;

/// The kind.
#[derive(Default)]
pub struct Alarm {
    #[cfg(feature = "aws")]
    aws: crate::provider::aws::carrier::Aws,
}

fn mistakes(object: &Object) -> Vec<Mistake> {
    let mistake = |attribute: &str, text: &str, help: &str| Mistake {
        attribute: Some(attribute.to_owned()),
        text: text.to_owned(),
        help: help.to_owned(),
    };
    let count = object.get("names").and_then(Value::items).map(<[Value]>::len);
    let names = count.filter(|count| !(1..=MOST).contains(count)).map(|_| {
        mistake("names", "`names` has to name 1 to 100 alarms", "write their names or ARNs: `names = [\"web-5xx\"]`")
    });
    let word = object.get("insufficient_data").and_then(Value::as_str);
    let word = word.filter(|word| !matches!(*word, "ok" | "not_ok")).map(|word| {
        let text = format!("`insufficient_data` cannot be `{word}`");
        mistake("insufficient_data", &text, "it is `ok` or `not_ok`")
    });
    names.into_iter().chain(word).collect()
}

#[async_trait]
impl Asks for Alarm {
    fn kind(&self) -> CheckKind {
        CheckKind {
            name: "alarm",
            summary: "Alarms of CloudWatch, metric or composite, are in OK.",
            attributes: vec![
                Attribute::required("names", Type::list(Type::String), "The alarms: their names or their ARNs."),
                Attribute::optional(
                    "insufficient_data",
                    Type::String,
                    "What `INSUFFICIENT_DATA` counts as: `ok`, `not_ok`.",
                )
                .default("not_ok"),
            ],
            reaches: Reaches::Provider("aws"),
            once: false,
            compares: None,
            rights: &["cloudwatch:DescribeAlarms"],
            mistakes,
        }
    }

    #[cfg(feature = "aws")]
    async fn ask(&self, probe: &Probe) -> Seen {
        use crate::provider::aws::alarms;
        use crate::world::ErrorClass;
        let Some(connection) = &probe.connection else {
            return Seen::hopeless("it is not known how AWS is reached");
        };
        let wanted = super::texts(probe, "names");
        let names: Vec<String> = wanted.iter().map(|wanted| name_of(wanted).to_owned()).collect();
        match alarms::look(&self.aws, connection, &names).await {
            Ok(found) => judge(&wanted, &found, is_lenient(probe), probe.holds_since),
            Err(error) if matches!(error.class, ErrorClass::Denied | ErrorClass::Expired) => {
                Seen::hopeless(error.to_string())
            }
            Err(error) => Seen::fails(error.to_string()),
        }
    }

    #[cfg(not(feature = "aws"))]
    async fn ask(&self, probe: &Probe) -> Seen {
        // What it says is judged in every build, so that tests of the core read it.
        judge(&super::texts(probe, "names"), &[], is_lenient(probe), probe.holds_since);
        Seen::hopeless("this build asks no AWS; use one with the feature `aws`")
    }
}

fn is_lenient(probe: &Probe) -> bool {
    super::text(probe, "insufficient_data").as_deref() == Some("ok")
}

/// The name of an alarm that is given by its name or its ARN.
fn name_of(wanted: &str) -> &str {
    match wanted.starts_with("arn:") {
        true => wanted.split_once(":alarm:").map_or(wanted, |(_, name)| name),
        false => wanted,
    }
}

/// What CloudWatch says of alarms, in words.
fn judge(wanted: &[String], found: &[Sighting], is_lenient: bool, holds_since: Option<jiff::Timestamp>) -> Seen {
    let mut troubles: Vec<String> = Vec::new();
    for wanted in wanted {
        let is_it = |alarm: &&Sighting| alarm.arn == *wanted || (!wanted.starts_with("arn:") && alarm.name == *wanted);
        let Some(alarm) = found.iter().find(is_it) else {
            troubles.push(format!("there is no alarm {wanted}"));
            continue;
        };
        let left = holds_since.zip(alarm.changed).is_some_and(|(since, changed)| changed > since);
        match alarm.state.as_str() {
            "OK" if left && !is_lenient => {
                let again = alarm.changed.map(|at| at.strftime("%H:%M:%SZ").to_string()).unwrap_or_default();
                troubles.push(format!("{} was not in OK meanwhile: it is again since {again}", alarm.name));
            }
            "OK" => {}
            "INSUFFICIENT_DATA" if is_lenient => {}
            state => troubles.push(format!("{} is in {state}: {}", alarm.name, super::excerpt(&alarm.reason))),
        }
    }
    let (count, bad) = (i64::try_from(wanted.len()).unwrap_or(i64::MAX), troubles.len());
    let more = if bad > TOLD { format!("; and {} more", bad - TOLD) } else { String::new() };
    troubles.truncate(TOLD);
    let seen = match (troubles.is_empty(), wanted) {
        (true, [one]) => Seen::holds(format!("{} is in OK", name_of(one))),
        (true, _) => Seen::holds(format!("{count} alarms are in OK")),
        (false, _) => Seen::fails(format!("{}{more}", troubles.join("; "))),
    };
    seen.fact("alarms", count).fact("not_ok", i64::try_from(bad).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Reply;

    fn alarm(name: &str, state: &str, changed: i64) -> Sighting {
        Sighting {
            name: name.to_owned(),
            arn: format!("arn:aws:cloudwatch:eu-central-1:1:alarm:{name}"),
            state: state.to_owned(),
            reason: "Threshold Crossed".to_owned(),
            changed: jiff::Timestamp::from_second(changed).ok(),
        }
    }

    fn seen(wanted: &[&str], found: &[Sighting], lenient: bool) -> (Reply, String) {
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        let since = jiff::Timestamp::from_second(1_000).ok();
        let seen = judge(&wanted, found, lenient, since);
        (seen.reply, seen.words)
    }

    #[test]
    fn alarms_are_in_ok_or_it_is_told_why_not() {
        let found =
            [alarm("a", "OK", 1), alarm("b", "ALARM", 1), alarm("c", "INSUFFICIENT_DATA", 1), alarm("d", "OK", 1_001)];
        assert_eq!(seen(&["a"], &found, false), (Reply::Holds, "a is in OK".to_owned()));
        let arn = "arn:aws:cloudwatch:eu-central-1:1:alarm:a";
        assert_eq!(seen(&[arn], &found, false), (Reply::Holds, "a is in OK".to_owned()));
        assert_eq!(seen(&[&arn.replace(":1:", ":2:")], &found, false).0, Reply::Fails, "an alarm of another account");
        assert_eq!(seen(&["a", "b"], &found, false), (Reply::Fails, "b is in ALARM: Threshold Crossed".to_owned()));
        assert_eq!(seen(&["x"], &found, false), (Reply::Fails, "there is no alarm x".to_owned()));
        assert_eq!(seen(&["a", "c"], &found, false).0, Reply::Fails);
        assert_eq!(seen(&["a", "c"], &found, true), (Reply::Holds, "2 alarms are in OK".to_owned()));
        let words = "d was not in OK meanwhile: it is again since 00:16:41Z".to_owned();
        assert_eq!(seen(&["d"], &found, false), (Reply::Fails, words), "nobody looked when it was not");
        let many: Vec<String> = (0..5).map(|at| format!("n{at}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(seen(&many, &[], false).1.ends_with("n2; and 2 more"));
    }

    #[test]
    fn what_cannot_be_asked_is_told_before() {
        let told = |names: usize, word: &str| {
            let names = Value::list(Type::String, vec![Value::from("a"); names]);
            let object =
                Object::from([("names".to_owned(), names), ("insufficient_data".to_owned(), Value::from(word))]);
            mistakes(&object).into_iter().filter_map(|mistake| mistake.attribute).collect::<Vec<_>>()
        };
        assert!(told(1, "ok").is_empty() && told(100, "not_ok").is_empty());
        assert_eq!((told(0, "ok"), told(101, "ok")), (vec!["names".to_owned()], vec!["names".to_owned()]));
        assert_eq!(told(1, "missing"), ["insufficient_data"]);
    }
}
