//! What tests found of an environment: the fact that its ledger records, and that a gate asks for. Pure data.
//!
//! Invariant: whoever did not run all tests of an environment records nothing, so that a record speaks of all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::ReleaseId;
use crate::digest::Digest;

/// All tests of an environment, run once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// The apply whose state was tested.
    pub run: u64,
    /// The newest run of the ledger then: a way back to that apply is one more.
    pub upon: u64,
    /// The release that was in force, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseId>,
    /// The files of tests by name, with the digests of their texts.
    pub files: BTreeMap<String, Digest>,
    /// How each came out, in order.
    pub runs: Vec<TestedRun>,
}

/// One `run` of a file of tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestedRun {
    /// The file's name: `smoke` of `tests/smoke.test.hcl`.
    pub file: String,
    /// The run's name.
    pub name: String,
    /// How it came out.
    pub result: TestResult,
    /// How long it took.
    pub milliseconds: u64,
    /// Why it did not pass, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How a run of tests came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestResult {
    /// All that it says holds.
    Passed,
    /// Something does not hold.
    Failed,
    /// It cannot be told.
    Errored,
}

impl TestResult {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errored => "cannot be told",
        }
    }
}

impl Tested {
    /// Whether there are runs, and all of them passed.
    pub fn passed(&self) -> bool {
        !self.runs.is_empty() && self.runs.iter().all(|run| run.result == TestResult::Passed)
    }

    /// Why this is not what a gate asks for; nothing where it is. Of no names, all that there is is asked for.
    pub fn lacks(&self, names: &BTreeSet<String>) -> Option<String> {
        let bad: Vec<String> = self
            .runs
            .iter()
            .filter(|run| run.result != TestResult::Passed && (names.is_empty() || names.contains(&run.file)))
            .map(|run| format!("{}/{} {}", run.file, run.name, run.result.word()))
            .collect();
        if !bad.is_empty() {
            return Some(bad.join(", "));
        }
        let absent = |name: &&String| !self.runs.iter().any(|run| run.file == **name);
        let absent: Vec<&str> = names.iter().filter(absent).map(String::as_str).collect();
        match (absent.is_empty(), self.runs.is_empty()) {
            (false, _) => Some(format!("{} had no run among them", absent.join(", "))),
            (true, true) => Some("there was no run".to_owned()),
            (true, false) => None,
        }
    }

    /// How many passed, failed and could not be told, in words.
    pub fn counts(&self) -> String {
        counts(self.runs.iter().map(|run| run.result))
    }
}

/// How many passed, failed and could not be told, in words.
pub fn counts(results: impl Iterator<Item = TestResult>) -> String {
    let (mut passed, mut failed, mut errored) = (0, 0, 0);
    for result in results {
        match result {
            TestResult::Passed => passed += 1,
            TestResult::Failed => failed += 1,
            TestResult::Errored => errored += 1,
        }
    }
    let parts = [(passed, "passed"), (failed, "failed"), (errored, "cannot be told")];
    let parts: Vec<String> = parts
        .iter()
        .enumerate()
        .filter(|(index, (count, _))| *index == 0 || *count > 0)
        .map(|(_, (count, word))| format!("{count} {word}"))
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tested(results: &[(&str, TestResult)]) -> Tested {
        let run = |(file, result): &(&str, TestResult)| TestedRun {
            file: (*file).to_owned(),
            name: "r".to_owned(),
            result: *result,
            milliseconds: 1,
            why: None,
        };
        Tested { run: 1, upon: 1, release: None, files: BTreeMap::new(), runs: results.iter().map(run).collect() }
    }

    #[test]
    fn nothing_is_no_pass_and_neither_is_what_cannot_be_told() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
        let (all, smoke) = (names(&[]), names(&["smoke"]));
        assert!(!tested(&[]).passed() && tested(&[]).lacks(&all).is_some());
        let good = tested(&[("smoke", TestResult::Passed)]);
        assert!(good.passed() && good.lacks(&all).is_none() && good.lacks(&smoke).is_none());
        assert!(good.lacks(&names(&["smoke", "load"])).unwrap().contains("load had no run"));
        let mixed = tested(&[("smoke", TestResult::Passed), ("load", TestResult::Errored)]);
        assert!(!mixed.passed() && mixed.lacks(&smoke).is_none());
        assert_eq!(mixed.lacks(&all).unwrap(), "load/r cannot be told");
        assert_eq!(mixed.counts(), "1 passed, 1 cannot be told");
    }
}
