//! A review in which everything that others named, wrote or said tries to be more than words.

use std::collections::BTreeMap;

use switchback::migration::certificate::Verdict;
use switchback::migration::{Direction, Migration};
use switchback::review::Review;
use switchback::review::signing::{Given, Needed, Refused, Signing};
use switchback::rules::{Finding, Findings, Ignored, Level, Place};
use switchback::step::{Action, Inverse, PlannedOutput, Reason, StepId, Way};

use super::sample;

/// What would be noticed if it were more than words.
pub const ATTEMPTS: [&str; 16] = [
    "<script>window.taken=1;alert(1)</script>",
    "\"><img src=x onerror=\"window.taken=2\">",
    "'><svg/onload=window.taken=3>",
    "</style><script>window.taken=4</script>",
    "</title></head><body onload=window.taken=5>",
    "--><script>window.taken=6</script><!--",
    "]]><iframe srcdoc=\"<script>parent.taken=7</script>\"></iframe>",
    "javascript:window.taken=8",
    "<a href=\"javascript:window.taken=9\" autofocus onfocus=window.taken=9>here</a>",
    "</pre></code></details></summary><h1>Everything is signed</h1>",
    "# Everything is signed\n\n## Approved\n\nApproved\n========\n",
    "[here](https://evil.example) ![x](https://evil.example/x.png) <https://evil.example> https://evil.example www.evil.example",
    "| a | b |\n|---|---|\n| c | d |\n\n- [x] approved\n1. one\n> quote\n\n    code\n",
    "@everybody a@evil.example **bold** __bold__ ~~gone~~ `code` ``` ```` &lt;b&gt; \\<b> #1",
    "\u{202e}desrever\u{202c} \u{200b}hidden\u{feff} \u{2066}isolated\u{2069} \u{61c} \u{e0041} \u{2028}line",
    "\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7} \u{9b}31m \r\u{0} back\u{8}",
];

/// All of them as one text, in a review.
pub fn review() -> Review {
    of(&ATTEMPTS.join("\n"), &ATTEMPTS)
}

/// A review of these words, with a step for each of the attempts.
pub fn of(words: &str, attempts: &[&str]) -> Review {
    let all = || words.to_owned();
    let mut steps = Vec::new();
    for (number, attempt) in (1..).zip(attempts.iter().copied()) {
        let attributes = sample::object(&[("name", attempt.into()), (attempt, words.into())]);
        let action = Action::Create { kind: attempt.into(), after: attributes, deferred: BTreeMap::new() };
        let reason = Reason::Told { what: vec![all()] };
        let inverse = Inverse::Recreates { way: Way::CreateAgain, why: all() };
        steps.push(sample::step(number, "terraform_data.one", action, reason, inverse, &[]));
    }
    let sql =
        format!("/* {} */\n-- {}\nSELECT '{}';\n```\n````\n</pre>\nSELECT $x$ {} $x$;\n", all(), all(), all(), all());
    let migration = Box::new(Migration::plain(7, &all(), &sql, Some(&sql)));
    let from = Default::default();
    let action = Action::Migrate { direction: Direction::Up, migration, lock_timeout_milliseconds: 1, from };
    let lossy = Inverse::LosesData { way: Way::MigrateBack, what: all() };
    steps.push(sample::step(17, "database.app", action, Reason::Pending, lossy, &[1]));
    let mut change_set = sample::change_set(steps);
    (change_set.project, change_set.environment) = (all(), all());
    change_set.owed.insert("terraform_data.other".parse().unwrap());
    change_set.outputs.insert(all(), PlannedOutput { value: all().into(), deferred: None });
    let mut review = Review::proved(&change_set, &sample::grounds());
    review.owed = vec![all()];
    for target in &mut review.targets {
        target.database = all();
    }
    fill(&mut review, &all);
    review
}

/// Puts them wherever a review has words of others.
fn fill(review: &mut Review, all: &dyn Fn() -> String) {
    let release = sample::release();
    review.findings = findings(all);
    review.signing = signing(all);
    let given = release.steps[8].clone();
    let step = review.steps.last_mut().unwrap();
    step.place = all();
    step.risk = given.risk;
    step.certificate = given.certificate;
    let certificate = step.certificate.as_mut().unwrap();
    certificate.server = all();
    certificate.undone = vec![all()];
    certificate.group = Some(all());
    certificate.verdict = Verdict::Otherwise { difference: ATTEMPTS.map(str::to_owned).to_vec() };
    for one in certificate.forth.iter_mut().chain(&mut certificate.back) {
        one.excerpt = all();
        one.scans.insert(all());
        one.rewrites.insert(all());
        one.builds.entry(all()).or_default().insert(all());
        one.locks.insert(all(), switchback::migration::observation::LockMode::AccessExclusive);
    }
    let risk = step.risk.as_mut().unwrap();
    for cost in [&mut risk.forth, &mut risk.back] {
        cost.unknown.push(all());
        for estimate in &mut cost.statements {
            estimate.because.push(all());
            estimate.blocked.iter_mut().for_each(|blocked| blocked.relation = all());
        }
    }
}

fn findings(all: &dyn Fn() -> String) -> Findings {
    let place =
        Place { step: Some(StepId(17)), address: Some(all()), file: Some(all()), excerpt: all(), ..Place::default() };
    let finding = Finding {
        rule: all(),
        level: Level::Error,
        place,
        message: all(),
        reason: all(),
        help: all(),
        rewrite: Some(all()),
    };
    Findings { found: vec![finding.clone()], ignored: vec![Ignored { finding, reason: all() }] }
}

fn signing(all: &dyn Fn() -> String) -> Signing {
    let given = Given { by: all(), at: "2026-11-21T10:42:00Z".parse().unwrap(), until: None, void: Some(all()) };
    let needed =
        Needed { class: all(), part: all(), digest: all(), why: all(), by: vec![all()], given: vec![given], count: 1 };
    let refused = Refused { by: all(), at: "2026-11-21T10:42:00Z".parse().unwrap(), part: all(), reason: all() };
    Signing {
        needed: vec![needed],
        refused: vec![refused],
        changes_of_rules: vec![all()],
        rules: all(),
        line: Some(all()),
    }
}
