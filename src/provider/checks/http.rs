//! `http`: an address of the web answers as it should, and fast enough. Asks the network.
//!
//! Invariant: a certificate is checked, except on this very machine where that is asked for; a secret is never sent over
//! an open line that leaves this machine.

#[cfg(feature = "cli")]
mod exchange;

use async_trait::async_trait;

use super::{Asks, no_length};
use crate::kind::{Attribute, CheckKind, Mistake, Reaches};
use crate::value::{Object, Type, Value};
use crate::world::{Probe, Seen};

/// The most requests that one try sends.
const MOST_SAMPLES: i64 = 1_000;

/// What is slower by less is not slower, in milliseconds.
const LEAST_MILLISECONDS: u64 = 10;

/// The kind.
pub struct Http;

fn attributes() -> Vec<Attribute> {
    let map = || Type::map(Type::String);
    vec![
        Attribute::required("url", Type::String, "What is asked for, with `http://` or `https://`."),
        Attribute::optional("method", Type::String, "The method.").default("GET"),
        Attribute::optional("headers", map(), "Headers that are sent."),
        Attribute::optional("body", Type::String, "The body that is sent."),
        Attribute::optional("status", Type::Number, "The wanted status; a redirection is not followed.").default(200),
        Attribute::optional("contains", Type::String, "A text that the body of the answer contains."),
        Attribute::optional("matches", Type::String, "A regular expression that the body of the answer matches."),
        Attribute::optional("response_headers", map(), "Headers of the answer, with exactly these values."),
        Attribute::optional(
            "samples",
            Type::Number,
            "How many requests one try sends, one after the other; each has to be answered as wanted.",
        )
        .default(1),
        Attribute::optional(
            "latency",
            Type::String,
            "The longest time that an answer may take, from connecting to the end of its body.",
        ),
        Attribute::optional("percentile", Type::Number, "How many of a hundred answers `latency` holds for.")
            .default(95),
        Attribute::optional(
            "slower_than_before",
            Type::String,
            "By how much the latency may be more than it was before the first effect, like `20%`.",
        ),
        Attribute::optional("timeout", Type::String, "How long one request may take.").default("10s"),
        Attribute::optional("insecure", Type::Bool, "Whether any certificate will do; only on this very machine.")
            .default(false),
    ]
}

fn mistake(attribute: &str, text: impl Into<String>, help: &str) -> Mistake {
    Mistake { attribute: Some(attribute.to_owned()), text: text.into(), help: help.to_owned() }
}

fn mistakes(object: &Object) -> Vec<Mistake> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let number = |name: &str| object.get(name).and_then(Value::as_i64);
    let mut found: Vec<Mistake> = ["latency", "timeout"].iter().filter_map(|name| no_length(object, name)).collect();
    if let Some(url) = text("url") {
        found.extend(bad_url(url, object));
    }
    if let Some(error) = text("matches").and_then(|pattern| regex::Regex::new(pattern).err()) {
        let line = error.to_string().lines().last().unwrap_or_default().to_owned();
        found.push(mistake("matches", format!("it is no regular expression: {line}"), "mend the expression"));
    }
    if text("slower_than_before").is_some_and(|text| percent(text).is_none()) {
        let help = "write by how much it may be slower, like `slower_than_before = \"20%\"`";
        found.push(mistake("slower_than_before", "`slower_than_before` is no part of a hundred", help));
    }
    if number("status").is_some_and(|status| !(100..600).contains(&status)) {
        found.push(mistake("status", "there is no such status", "a status is a number from 100 to 599"));
    }
    if number("samples").is_some_and(|samples| !(1..=MOST_SAMPLES).contains(&samples)) {
        found.push(mistake("samples", "`samples` is out of bounds", "send 1 to 1000 requests"));
    }
    if number("percentile").is_some_and(|percentile| !(1..=100).contains(&percentile)) {
        found.push(mistake("percentile", "there is no such percentile", "write a whole number from 1 to 100"));
    }
    found
}

fn bad_url(url: &str, object: &Object) -> Option<Mistake> {
    let Some((scheme, host)) = scheme_and_host(url) else {
        let help = "write it like `https://shop.example.com/health`";
        return Some(mistake("url", format!("`{url}` is not the URL of a page"), help));
    };
    let is_elsewhere = !is_loopback(host);
    if object.get("insecure").and_then(Value::as_bool) == Some(true) && is_elsewhere {
        let help = "leave `insecure` out: a certificate that nobody checks proves nothing";
        return Some(mistake("insecure", format!("{host} is not this machine"), help));
    }
    let secrets = ["headers", "body"].into_iter().find(|name| object.get(*name).is_some_and(Value::is_sensitive));
    secrets.filter(|_| scheme == "http" && is_elsewhere).map(|name| {
        mistake(name, format!("`{name}` holds a secret, and the line to {host} is open"), "ask over `https://`")
    })
}

/// `20%`.
fn percent(text: &str) -> Option<u64> {
    text.trim().strip_suffix('%')?.trim().parse().ok().filter(|percent| *percent <= 1_000)
}

/// The longest latency that is not slower than before, in milliseconds: a few of them are no difference.
#[cfg_attr(all(not(feature = "cli"), not(test)), expect(dead_code, reason = "only the calls need it, and tests"))]
fn longest(before: u64, percent: u64) -> u64 {
    before + (before.saturating_mul(percent) / 100).max(LEAST_MILLISECONDS)
}

/// The scheme and the host, if it is a URL that can be asked.
fn scheme_and_host(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
    let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match place.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => place.split(':').next().unwrap_or_default(),
    };
    let is_host = |letter: char| letter.is_ascii_alphanumeric() || "-._:".contains(letter);
    let is_sound = !host.is_empty() && host.chars().all(is_host) && !place.contains('@');
    (is_sound && !url.chars().any(char::is_whitespace)).then_some((scheme, host))
}

fn is_loopback(host: &str) -> bool {
    let is_address = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    is_address || host == "localhost"
}

/// The time that so many of a hundred answers stayed within.
#[cfg_attr(all(not(feature = "cli"), not(test)), expect(dead_code, reason = "only the calls need it, and tests"))]
fn percentile(sorted: &[std::time::Duration], percent: usize) -> std::time::Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[async_trait]
impl Asks for Http {
    fn kind(&self) -> CheckKind {
        CheckKind {
            name: "http",
            summary: "An address of the web answers with the wanted status, headers and body, and fast enough.",
            attributes: attributes(),
            reaches: Reaches::Directly,
            once: false,
            compares: Some("slower_than_before"),
            rights: &[],
            mistakes,
        }
    }

    #[cfg(feature = "cli")]
    async fn ask(&self, probe: &Probe) -> Seen {
        exchange::ask(probe).await
    }

    #[cfg(not(feature = "cli"))]
    async fn ask(&self, _probe: &Probe) -> Seen {
        Seen::hopeless("this build asks nothing over HTTP; use one with the feature `cli`")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn told(pairs: &[(&str, Value)]) -> Vec<String> {
        let object = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        mistakes(&object).into_iter().filter_map(|mistake| mistake.attribute).collect()
    }

    #[test]
    fn what_cannot_be_asked_or_must_not_be_is_told_before() {
        let url = |url: &str| ("url", Value::from(url));
        for good in ["http://localhost:80/", "https://a.example/x?y=1", "http://[::1]:8080", "http://10.0.0.1/"] {
            assert!(told(&[url(good)]).is_empty(), "{good}");
        }
        for bad in ["", "shop.example", "ftp://a", "http://", "http://a b/", "http://user:word@a/"] {
            assert_eq!(told(&[url(bad)]), ["url"], "{bad}");
        }
        let insecure = ("insecure", Value::from(true));
        assert!(told(&[url("https://127.0.0.1:8443/"), insecure.clone()]).is_empty());
        assert_eq!(told(&[url("https://127.0.0.1.example/"), insecure]), ["insecure"]);
        let secret = ("body", Value::from("word").sensitive());
        assert_eq!(told(&[url("http://shop.example/"), secret.clone()]), ["body"]);
        assert!(told(&[url("https://shop.example/"), secret.clone()]).is_empty());
        assert!(told(&[url("http://localhost/"), secret]).is_empty());
        let numbers = [("samples", Value::from(0)), ("percentile", Value::from(101)), ("status", Value::from(7))];
        assert_eq!(told(&numbers), ["status", "samples", "percentile"]);
        assert_eq!(told(&[("matches", Value::from("(")), ("latency", Value::from("3"))]), ["latency", "matches"]);
    }

    #[test]
    fn slower_is_what_is_more_than_a_part_of_before() {
        assert_eq!((percent("20%"), percent(" 0 % "), percent("20"), percent("-5%")), (Some(20), Some(0), None, None));
        assert_eq!((longest(200, 20), longest(200, 0), longest(3, 50)), (240, 210, 13));
        assert_eq!(told(&[("slower_than_before", Value::from("fast"))]), ["slower_than_before"]);
    }

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let times: Vec<Duration> = (1..=20).map(Duration::from_millis).collect();
        for (percent, wanted) in [(1, 1), (50, 10), (95, 19), (96, 20), (100, 20)] {
            assert_eq!(percentile(&times, percent), Duration::from_millis(wanted), "{percent}");
        }
        assert_eq!(percentile(&times[..1], 95), Duration::from_millis(1));
    }
}
