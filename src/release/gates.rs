//! What a release has to wait for before it gets into an environment: soak, windows, acceptances. Pure.
//!
//! Invariant: whoever is in a hurry shortens soak and windows only; an acceptance is never skipped.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::tested::Tested;

/// What an environment asks of a release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gates {
    /// How long the environment before must have run it since it was verified there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak_seconds: Option<u64>,
    /// When changes may be made; at any time where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// As what it has to be accepted in the environment before.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub accept: BTreeSet<String>,
    /// Which files of tests have to have passed in the environment before; of no names, all that there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<BTreeSet<String>>,
    /// Who may bring it, by the names of shells and CI; anybody where there is none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub actors: BTreeSet<String>,
}

impl Gates {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether something is asked of releases, beside who brings them.
    pub fn ask_of_releases(&self) -> bool {
        self.soak_seconds.is_some() || !self.windows.is_empty() || !self.accept.is_empty() || self.tests.is_some()
    }

    /// What is asked of a change that brings no release: who makes it; and when, if it changes the gates themselves.
    pub fn of_the_place(&self, changes_gates: bool) -> Self {
        let windows = if changes_gates { self.windows.clone() } else { Vec::new() };
        Self { windows, actors: self.actors.clone(), ..Self::default() }
    }

    /// What is otherwise than in others, line by line.
    pub fn difference(&self, other: &Self) -> Vec<String> {
        let soak = |gates: &Self| gates.soak_seconds.map_or_else(|| "none".to_owned(), words_of);
        let set = |words: Vec<String>| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
        let windows = |gates: &Self| set(gates.windows.iter().map(ToString::to_string).collect());
        let names = |names: &BTreeSet<String>| set(names.iter().cloned().collect());
        let tests = |gates: &Self| match &gates.tests {
            None => "none".to_owned(),
            Some(all) if all.is_empty() => "all".to_owned(),
            Some(some) => names(some),
        };
        let rows = [
            ("soak", soak(self), soak(other)),
            ("windows", windows(self), windows(other)),
            ("accept", names(&self.accept), names(&other.accept)),
            ("requires_tests", tests(self), tests(other)),
            ("actors", names(&self.actors), names(&other.actors)),
        ];
        let differing = rows.into_iter().filter(|(_, before, after)| before != after);
        differing.map(|(name, before, after)| format!("~ {name}: {before} -> {after}")).collect()
    }
}

/// Days and hours in which changes may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Which days, Monday first.
    days: [bool; 7],
    /// From this minute of the day.
    from: u16,
    /// Before this one.
    until: u16,
    /// The zone of the clock, as it is called.
    pub zone: String,
    /// As it was written.
    written: String,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Window {
    /// Whether a point in time is in it.
    pub fn holds(&self, at: Timestamp, zone: TimeZone) -> bool {
        let local = at.to_zoned(zone);
        let day = usize::try_from(local.weekday().to_monday_zero_offset()).expect("seven days count from zero");
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        self.days[day] && (self.from..self.until).contains(&minute)
    }
}

impl FromStr for Window {
    type Err = String;

    /// `mon-thu 09:00-16:00 Europe/Berlin`, `sat,sun 00:00-24:00 UTC`.
    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write it as `mon-thu 09:00-16:00 Europe/Berlin`: days, hours, zone";
        let words: Vec<&str> = text.split_whitespace().collect();
        let [days, hours, zone] = words.as_slice() else {
            return Err(format!("`{text}` is no window; {form}"));
        };
        let (from, until) = hours.split_once('-').ok_or_else(|| format!("`{hours}` are no hours; {form}"))?;
        let minute = |text: &str| minute(text).ok_or_else(|| format!("`{text}` is no time of day; {form}"));
        let (from, until) = (minute(from)?, minute(until)?);
        if from >= until {
            return Err(format!("`{hours}` ends before it begins; write two windows, one for each day"));
        }
        let days = of_days(days).ok_or_else(|| format!("`{days}` are no days; {form}"))?;
        Ok(Self { days, from, until, zone: (*zone).to_owned(), written: words.join(" ") })
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let minute = hours * 60 + minutes;
    (hours <= 24 && minutes < 60 && minute <= 24 * 60).then_some(minute)
}

fn of_days(text: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    let number = |name: &str| DAYS.iter().position(|day| name.eq_ignore_ascii_case(day));
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        let mut day = first;
        loop {
            days[day] = true;
            if day == last {
                break;
            }
            day = (day + 1) % 7;
        }
    }
    Some(days)
}

impl fmt::Display for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}

impl Serialize for Window {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What gates are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// When the environment before verified it.
    pub verified: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// As what it was accepted there.
    pub accepted: &'a BTreeSet<String>,
    /// What the newest run of all tests there found of it, and when.
    pub tested: Option<(&'a Tested, Timestamp)>,
    /// Why soak and windows do not count, if somebody says so.
    pub expedited: Option<&'a str>,
    /// Who wants to do it.
    pub actor: &'a str,
}

/// What one gate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether it is open.
    pub open: bool,
    /// Why, or since when.
    pub words: String,
}

/// Judges all gates. A zone that the machine does not know closes its window.
pub fn judge(gates: &Gates, facts: Facts<'_>, zone: impl Fn(&str) -> Option<TimeZone>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let hurried = |words: String| match facts.expedited {
        Some(reason) => Verdict { open: true, words: format!("{words}; expedited: {reason}") },
        None => Verdict { open: false, words },
    };
    if let Some(seconds) = gates.soak_seconds {
        let soak = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        let until = facts.verified.checked_add(soak).unwrap_or(Timestamp::MAX);
        let long = words_of(seconds);
        verdicts.push(match facts.now >= until {
            true => Verdict { open: true, words: format!("soak: it has run for {long} since it was verified") },
            false => hurried(format!("soak: it has to run for {long} before, which is over at {}", shown(until))),
        });
    }
    if !gates.windows.is_empty() {
        let is_in = |window: &&Window| zone(&window.zone).is_some_and(|zone| window.holds(facts.now, zone));
        verdicts.push(match gates.windows.iter().find(is_in) {
            Some(window) => Verdict { open: true, words: format!("window: {window}") },
            None => {
                let all: Vec<String> = gates.windows.iter().map(ToString::to_string).collect();
                let unknown = gates.windows.iter().find(|window| zone(&window.zone).is_none());
                let unknown = unknown.map(|window| format!(" (this machine does not know the zone {})", window.zone));
                let words = format!("window: changes are made {}{}", all.join(" or "), unknown.unwrap_or_default());
                hurried(format!("{words}; now it is {}", shown(facts.now)))
            }
        });
    }
    for role in &gates.accept {
        let open = facts.accepted.contains(role);
        let words = if open { format!("accepted as {role}") } else { format!("it was not accepted as {role}") };
        verdicts.push(Verdict { open, words });
    }
    verdicts.extend(gates.tests.as_ref().map(|names| of_tests(names, facts.tested)));
    if !gates.actors.is_empty() {
        // `ada (GitHub Actions, run 7)` is `ada`.
        let bare = facts.actor.split_once(" (").map_or(facts.actor, |(bare, _)| bare);
        let open = [facts.actor, bare].into_iter().any(|name| gates.actors.contains(name));
        let actor = facts.actor;
        let all: Vec<&str> = gates.actors.iter().map(String::as_str).collect();
        let words = match open {
            true => format!("actor: {actor} may"),
            false => format!("actor: `{actor}` is none of those who may: {}", all.join(", ")),
        };
        verdicts.push(Verdict { open, words });
    }
    verdicts
}

fn of_tests(names: &BTreeSet<String>, tested: Option<(&Tested, Timestamp)>) -> Verdict {
    let Some((tested, at)) = tested else {
        let words = "tests: none are recorded of it since it was applied there last".to_owned();
        return Verdict { open: false, words };
    };
    match tested.lacks(names) {
        None => Verdict { open: true, words: format!("tests: {} at {}", tested.counts(), shown(at)) },
        Some(why) => Verdict { open: false, words: format!("tests: those at {} are no pass: {why}", shown(at)) },
    }
}

fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn words_of(seconds: u64) -> String {
    match seconds {
        hours if hours >= 3600 && hours % 3600 == 0 => format!("{} h", hours / 3600),
        minutes if minutes >= 60 && minutes % 60 == 0 => format!("{} min", minutes / 60),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_is_days_and_hours_of_a_zone() {
        let window: Window = "mon-thu 09:00-16:00 UTC".parse().unwrap();
        // 2026-11-23 is a Monday.
        for (time, inside) in [
            ("2026-11-23T09:00:00Z", true),
            ("2026-11-23T08:59:59Z", false),
            ("2026-11-26T15:59:59Z", true),
            ("2026-11-26T16:00:00Z", false),
            ("2026-11-27T12:00:00Z", false),
        ] {
            assert_eq!(window.holds(at(time), TimeZone::UTC), inside, "{time}");
        }
        let east = TimeZone::fixed(jiff::tz::offset(2));
        assert!(
            window.holds(at("2026-11-23T07:00:00Z"), east.clone()) && !window.holds(at("2026-11-23T14:30:00Z"), east)
        );
        let weekend: Window = "fri-mon 00:00-24:00 UTC".parse().unwrap();
        assert!(weekend.holds(at("2026-11-22T23:59:00Z"), TimeZone::UTC));
        assert!(!weekend.holds(at("2026-11-24T00:00:00Z"), TimeZone::UTC));
        for wrong in
            ["", "mon 09:00-16:00", "moon 9:00-10:00 UTC", "mon 16:00-09:00 UTC", "mon 9-16 UTC", "mon 09:00-25:00 UTC"]
        {
            assert!(wrong.parse::<Window>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn haste_opens_soak_and_windows_but_no_acceptance() {
        let gates = Gates {
            soak_seconds: Some(3600),
            windows: vec!["mon 09:00-10:00 UTC".parse().unwrap()],
            accept: BTreeSet::from(["uat".to_owned()]),
            actors: BTreeSet::new(),
            tests: None,
        };
        let nobody = BTreeSet::new();
        let facts = Facts {
            verified: at("2026-11-23T10:00:00Z"),
            now: at("2026-11-23T10:30:00Z"),
            accepted: &nobody,
            tested: None,
            expedited: None,
            actor: "ada",
        };
        let open = |facts: Facts<'_>| {
            judge(&gates, facts, |_| Some(TimeZone::UTC)).iter().map(|one| one.open).collect::<Vec<_>>()
        };
        assert_eq!(open(facts), [false, false, false]);
        assert_eq!(open(Facts { expedited: Some("a hole in the wall"), ..facts }), [true, true, false]);
        let later = Facts { now: at("2026-11-30T09:00:00Z"), accepted: &gates.accept, ..facts };
        assert_eq!(open(later), [true, true, true]);
        let unknown = judge(&gates, later, |_| None);
        assert!(!unknown[1].open && unknown[1].words.contains("does not know the zone UTC"));
    }

    #[test]
    fn only_those_who_are_named_may_and_a_change_of_gates_is_told() {
        let gates = Gates { actors: BTreeSet::from(["ada".to_owned()]), ..Gates::default() };
        let nobody = BTreeSet::new();
        let facts = |actor| Facts {
            verified: at("2026-11-23T10:00:00Z"),
            now: at("2026-11-23T10:30:00Z"),
            accepted: &nobody,
            tested: None,
            expedited: Some("in haste"),
            actor,
        };
        for (actor, may) in [("ada", true), ("ada (GitHub Actions, run 7)", true), ("eve", false), ("eve (ada)", false)]
        {
            assert_eq!(judge(&gates, facts(actor), |_| None)[0].open, may, "{actor}");
        }
        assert!(gates.of_the_place(true) == gates && !gates.ask_of_releases());
        let soaked = Gates { soak_seconds: Some(86_400), ..gates.clone() };
        assert_eq!(soaked.difference(&gates), ["~ soak: 24 h -> none"]);
        assert!(gates.difference(&gates).is_empty());
    }
}
