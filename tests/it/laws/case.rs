//! A case of the crash sweep as data: what was done before, what is begun, and the processes that die or finish it.
//! A case has a text, is played from the text alone, and shrinks while it still fails.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;

use switchback::ledger::{Run, RunResult};

use super::generate::Spec;
use super::place::{Deed, End, Place, Process, Way, runtime};

/// A case: all deeds but the last are done whole; the last one is begun by the first process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub deeds: Vec<Deed>,
    pub lives: Vec<Process>,
}

/// Where a case begins.
pub struct Scene {
    pub start: Place,
    pub deed: Deed,
    /// The newest run before the deed.
    pub to: u64,
    /// What the world is before it and is to be after it; nothing for an empty world.
    before: Option<Spec>,
    after: Option<Spec>,
}

impl Scene {
    /// Does all deeds but the last one.
    pub async fn set(deeds: &[Deed]) -> Result<Self, String> {
        let (deed, earlier) = deeds.split_last().expect("a case has a deed");
        let start = Place::new();
        for deed in earlier {
            start.reach(deed).await.map_err(|why| format!("the start cannot be reached: {why}"))?;
        }
        let ledger = start.ledger().await?;
        let state = ledger.state();
        let to = state.runs.last().map_or(0, |run| run.number);
        let before = start.goal(state, to);
        let after = match deed {
            Deed::Apply(spec) => Some(spec.clone()),
            Deed::Destroy => None,
            Deed::Back(to) => start.goal(state, *to),
        };
        start.agree().await?;
        Ok(Self { start, deed: deed.clone(), to, before, after })
    }

    /// Plays one process and judges what it leaves.
    pub async fn play(&self, place: &Place, process: Process) -> Result<End, String> {
        if process.faults == 0 {
            place.world.ripen();
        }
        let end = place.live(process, &self.deed, self.to).await;
        let ledger = place.agree().await?;
        match (&end, process.cut, process.faults, process.most) {
            (End::Short(why), None, 0, None) => return Err(format!("{process} does not get there: {why}")),
            (End::Whole, ..) => {}
            (End::Died | End::Short(_), ..) => return Ok(end),
        }
        // A way back that had no effect, because the world refused it, leads nowhere.
        let had_effect = |run: &&Run| !matches!(run.ended, Some((RunResult::WithoutEffect, _)));
        let newest = ledger.state().runs.iter().rev().find(had_effect).filter(|run| run.number > self.to);
        let back = switchback::step::Operation::Rollback { to: self.to };
        let is_back = newest.is_some_and(|run| run.change_set.operation == back && self.deed != Deed::Back(self.to));
        let goal = match process.way {
            Way::Back => &self.before,
            Way::Begin | Way::Resume if is_back => &self.before,
            Way::Begin | Way::Resume => &self.after,
        };
        place.is_whole(&ledger, goal.as_ref()).await?;
        Ok(end)
    }
}

impl Case {
    async fn play(&self) -> Result<(), String> {
        let scene = Scene::set(&self.deeds).await?;
        for process in &self.lives {
            scene.play(&scene.start, *process).await?;
        }
        Ok(())
    }

    /// Why it fails, if it does. A panic is a failure, too.
    pub fn failure(&self) -> Option<String> {
        match catch_unwind(AssertUnwindSafe(|| runtime().block_on(self.play()))) {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(why),
            Err(panic) => Some(words(&panic)),
        }
    }

    /// The smallest case that is found to fail in the same manner.
    pub fn shrink(self) -> Self {
        let sort = |why: &str| why.split(|letter: char| !letter.is_alphabetic()).take(3).collect::<String>();
        let Some(wanted) = self.failure().map(|why| sort(&why)) else {
            return self;
        };
        let (mut smallest, mut tries) = (self, 0);
        'again: loop {
            for candidate in smallest.simpler() {
                tries += 1;
                if tries > 600 {
                    return smallest;
                }
                if candidate.failure().is_some_and(|why| sort(&why) == wanted) {
                    smallest = candidate;
                    continue 'again;
                }
            }
            return smallest;
        }
    }

    fn simpler(&self) -> Vec<Self> {
        let mut simpler = Vec::new();
        for at in 0..self.deeds.len() - 1 {
            let mut without = self.clone();
            without.deeds.remove(at);
            for deed in &mut without.deeds {
                if let Deed::Back(to) = deed {
                    *to -= u64::from(*to > at as u64);
                }
            }
            simpler.push(without);
        }
        for at in 1..self.lives.len().saturating_sub(1) {
            let mut without = self.clone();
            without.lives.remove(at);
            simpler.push(without);
        }
        for (at, deed) in self.deeds.iter().enumerate() {
            if let Deed::Apply(spec) = deed {
                let with = |spec| {
                    let mut case = self.clone();
                    case.deeds[at] = Deed::Apply(spec);
                    case
                };
                simpler.extend(spec.simpler().into_iter().map(with));
            }
        }
        for (at, process) in self.lives.iter().enumerate() {
            let cuts = process.cut.into_iter().flat_map(|cut| [Some(cut / 2), cut.checked_sub(1), None]);
            let with = cuts.map(|cut| Process { cut, ..*process });
            let plain = [Process { width: 1, ..*process }, Process { is_hidden: false, ..*process }];
            for process in with.chain(plain).chain([Process { faults: 0, ..*process }]) {
                let mut case = self.clone();
                case.lives[at] = process;
                simpler.push(case);
            }
        }
        simpler.retain(|case| case != self);
        simpler
    }

    /// Fails with the smallest case, ready to be pasted into `kept.rs`.
    pub fn report(self, seed: u64) -> ! {
        let first = self.to_string();
        let smallest = self.shrink();
        let why = smallest.failure().unwrap_or_else(|| "it does not fail when it is played once more".to_owned());
        panic!("seed {seed}: {why}\nfound as:\n    {first}\nkeep it as:\n    kept(\"{smallest}\");");
    }
}

pub fn words(panic: &Box<dyn std::any::Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_else(|| "a panic".into())
}

/// `apply 0t1 ; apply 0t2 | begin@3x4 resumex4`.
impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deeds: Vec<String> = self.deeds.iter().map(ToString::to_string).collect();
        let lives: Vec<String> = self.lives.iter().map(ToString::to_string).collect();
        write!(formatter, "{} | {}", deeds.join(" ; "), lives.join(" "))
    }
}

impl FromStr for Case {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (deeds, lives) = text.split_once(" | ").expect("deeds and lives");
        let deeds = deeds.split(" ; ").map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { deeds, lives: lives.split_whitespace().map(str::parse).collect::<Result<_, _>>()? })
    }
}

#[test]
fn a_case_is_its_text() {
    let text = "apply 0t1 1r2>0! m2@0 ; destroy ; back 1 | begin@3~+7x4%2 resume@1x1 backx4";
    assert_eq!(text.parse::<Case>().unwrap().to_string(), text);
}
