//! Runs of tests as JUnit's XML, which CI systems show as tests. Pure.
//!
//! Invariant: it is well-formed whatever stands in names and messages; what cannot be told is an error, never a pass.

use crate::release::tested::TestResult;
use crate::review::junit::escaped;

/// One run of a file.
#[derive(Clone, Debug)]
pub struct Case {
    /// The environment.
    pub environment: String,
    /// The file's name.
    pub file: String,
    /// The file's path.
    pub path: String,
    /// The run's name.
    pub name: String,
    /// How it came out.
    pub result: TestResult,
    /// How long it took.
    pub milliseconds: u64,
    /// Why it did not pass, in one line.
    pub why: String,
    /// The same with the lines of the source.
    pub told: String,
}

/// All runs as XML, with a line feed at its end: a suite for each file and environment.
pub fn render(project: &str, cases: &[Case]) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    text += &format!("<testsuites name=\"{}\" {}>\n", escaped(project), counts(cases.iter()));
    let mut suites: Vec<(&str, &str)> = Vec::new();
    for case in cases {
        let suite = (&*case.environment, &*case.file);
        if !suites.contains(&suite) {
            suites.push(suite);
        }
    }
    for (environment, file) in suites {
        let its = || cases.iter().filter(|case| case.environment == environment && case.file == file);
        let name = escaped(&format!("switchback.{project}.{environment}.{file}"));
        text += &format!("  <testsuite name=\"{name}\" {}>\n", counts(its()));
        its().for_each(|case| text += &of_case(case, &name));
        text += "  </testsuite>\n";
    }
    text + "</testsuites>\n"
}

fn counts<'a>(cases: impl Iterator<Item = &'a Case>) -> String {
    let (mut all, mut failed, mut errors, mut milliseconds) = (0, 0, 0, 0);
    for case in cases {
        all += 1;
        milliseconds += case.milliseconds;
        match case.result {
            TestResult::Passed => {}
            TestResult::Failed => failed += 1,
            TestResult::Errored => errors += 1,
        }
    }
    let time = seconds(milliseconds);
    format!("tests=\"{all}\" failures=\"{failed}\" errors=\"{errors}\" skipped=\"0\" time=\"{time}\"")
}

fn of_case(case: &Case, class: &str) -> String {
    let (name, path, time) = (escaped(&case.name), escaped(&case.path), seconds(case.milliseconds));
    let head = format!("    <testcase classname=\"{class}\" name=\"{name}\" file=\"{path}\" time=\"{time}\"");
    let (why, told) = (escaped(&case.why), escaped(&case.told));
    match case.result {
        TestResult::Passed => format!("{head}/>\n"),
        TestResult::Failed => {
            format!("{head}>\n      <failure type=\"failed\" message=\"{why}\">{told}</failure>\n    </testcase>\n")
        }
        TestResult::Errored => {
            format!("{head}>\n      <error type=\"errored\" message=\"{why}\">{told}</error>\n    </testcase>\n")
        }
    }
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}
