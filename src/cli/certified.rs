//! What rehearsals proved of migrations, as every verb that rehearses prints it and ends with it. Pure.
//!
//! Invariant: what was not rehearsed is never a pass.

use serde::Serialize;

use super::exit::Exit;
use crate::migration::Direction;
use crate::migration::certificate::{Certificate, Verdict};
use crate::rehearse::target::Foretold;
use crate::review::text::{Paint, Role, role_of};
use crate::review::words::{counted, harmless};
use crate::review::{self, TargetView};
use crate::step::StepId;

/// What was proved of one migration.
#[derive(Serialize)]
pub struct Certified {
    /// Its step, where it is one of a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// The database's address, where it is one of an environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// What it is called.
    pub title: String,
    /// Its version.
    pub version: i64,
    /// Which way it goes.
    pub direction: Direction,
    /// What came out.
    pub certificate: Certificate,
    /// What is predicted of it, where it was not rehearsed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foretold: Option<Foretold>,
}

/// All of it for people: what the databases say about themselves, and each migration with its certificate.
pub fn text(targets: &[TargetView], all: &[Certified], paint: &dyn Paint) -> String {
    let mut text = String::new();
    for line in targets.iter().flat_map(TargetView::lines) {
        text += &format!("{}\n", paint.paint(role_of(line.weight), &harmless(&line.text)));
    }
    for one in all {
        let sign = match one.direction {
            Direction::Up => ">",
            Direction::Down => "<",
        };
        let head = paint.paint(Role::Changed, &format!("{sign} {}", harmless(&one.title)));
        text += &match one.step {
            Some(step) => format!("{:>4}  {head}\n", step.0),
            None => format!("  {head}\n"),
        };
        let database = one.database.as_deref().unwrap_or_default();
        for line in review::lines(targets, database, Some(&one.certificate), one.foretold.as_ref()) {
            text += &format!("      {}\n", paint.paint(role_of(line.weight), &harmless(&line.text)));
        }
    }
    text
}

/// How many came out how, in one line: `3 migrations: 2 exact, 1 fails`.
pub fn tally(all: &[Certified]) -> String {
    let mut words: Vec<(&str, usize)> = Vec::new();
    for word in all.iter().map(|one| one.certificate.verdict.word()) {
        match words.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => words.push((word, 1)),
        }
    }
    let words: Vec<String> = words.iter().map(|(word, count)| format!("{count} {word}")).collect();
    format!("{}: {}", counted(all.len(), "migration"), words.join(", "))
}

/// The worst that came out; what is known to lose data is shown, and is no failure of a rehearsal.
pub fn result(all: &[Certified]) -> Exit {
    let of = |one: &Certified| match one.certificate.verdict {
        Verdict::Exact | Verdict::Reordered { .. } | Verdict::LosesData { .. } => Exit::Done,
        Verdict::NotRehearsed { .. } => Exit::Unconfirmed,
        Verdict::Otherwise { .. } | Verdict::Fails { .. } | Verdict::NoWayBack { .. } => Exit::Failed,
    };
    let all: Vec<Exit> = all.iter().map(of).collect();
    let worst = [Exit::Failed, Exit::Unconfirmed].into_iter().find(|exit| all.contains(exit));
    worst.unwrap_or(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearse::not_rehearsed;

    fn of(verdicts: &[Verdict]) -> Vec<Certified> {
        let certified = |verdict: &Verdict| Certified {
            step: None,
            database: None,
            title: "V1__it".to_owned(),
            version: 1,
            direction: Direction::Up,
            certificate: Certificate { verdict: verdict.clone(), ..not_rehearsed("") },
            foretold: None,
        };
        verdicts.iter().map(certified).collect()
    }

    #[test]
    fn the_worst_decides_and_all_are_counted() {
        let fails = Verdict::Fails { direction: Direction::Down, error: "line 1: no".to_owned() };
        let not = Verdict::NotRehearsed { why: "no server".to_owned() };
        assert_eq!(result(&of(&[])), Exit::Done);
        assert_eq!(result(&of(&[Verdict::Exact, not.clone()])), Exit::Unconfirmed);
        let all = of(&[Verdict::Exact, not, fails, Verdict::Exact]);
        assert_eq!(result(&all), Exit::Failed);
        assert_eq!(tally(&all), "4 migrations: 2 exact, 1 not rehearsed, 1 fails");
    }
}
