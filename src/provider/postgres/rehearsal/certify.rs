//! Forth, back, and forth again: what each step came to. Talks to the server.
//!
//! Invariant: what is exact was the same before and after, to the last fact; whatever is in doubt is not exact.

use std::sync::Arc;

use super::super::derive::Derived;
use super::difference::{Difference, additions, difference};
use super::observer::Observer;
use super::sandbox::{Sandbox, Sight, missing};
use super::way::{Broken, Way};
use crate::digest::Digest;
use crate::migration::certificate::{Certificate, Verdict};
use crate::migration::observation::Observation;
use crate::migration::{Direction, Migration};
use crate::world::{Progress, RehearsalJob, WorldError};

/// A step: which way first, and the migration.
type Step = (Direction, Arc<Migration>);

/// Certifies the steps of a job, one after the other.
pub struct Certifier<'a> {
    /// Where.
    pub sandbox: Sandbox,
    /// What.
    pub job: &'a RehearsalJob,
    /// Who looks on.
    pub observer: Option<&'a dyn Observer>,
    /// Who hears how far it is.
    pub progress: &'a dyn Progress,
}

/// What came of steps that are rehearsed as one.
struct Unit {
    verdicts: Vec<Verdict>,
    /// Whether the database is now as it is after going forth once.
    stands: bool,
    /// What that looks like, where nothing has happened since it was looked at.
    now: Option<Sight>,
    /// Whether nothing can follow it, and why.
    ends: Option<String>,
    undone: Vec<Vec<String>>,
    forth: Vec<Vec<Observation>>,
    back: Vec<Vec<Observation>>,
    /// Ways back that no file has.
    derived: Vec<Option<String>>,
    /// Why there is none, where no file has one either.
    underived: Vec<Option<String>>,
}

impl Certifier<'_> {
    /// One certificate for each step.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn certify(&mut self) -> Result<Vec<Certificate>, WorldError> {
        let steps = &self.job.steps;
        let mut certificates = Vec::with_capacity(steps.len());
        // What the copy that is kept does not have yet.
        let mut since = 0;
        let mut before = self.sandbox.look().await?;
        if steps.len() > 1 {
            self.sandbox.keep().await?;
        }
        while certificates.len() < steps.len() {
            let at = certificates.len();
            let members = &steps[at..at + unit_length(&steps[at..])];
            let end = at + members.len();
            let unit = self.unit(members, &before).await?;
            self.note(&mut certificates, members, &unit);
            if let Some(why) = &unit.ends {
                certificates.extend(steps[end..].iter().map(|_| self.not_rehearsed(why)));
                break;
            }
            if end == steps.len() {
                break;
            }
            if !unit.stands {
                self.stand_again(&steps[since..end]).await?;
                since = end;
            }
            before = match unit.now.filter(|_| unit.stands) {
                Some(now) => now,
                None => self.sandbox.look().await?,
            };
        }
        for (place, certificate) in certificates.iter_mut().enumerate() {
            certificate.key = key(self.job, place, &self.sandbox.lease.version);
        }
        Ok(certificates)
    }

    fn note(&self, certificates: &mut Vec<Certificate>, members: &[Step], unit: &Unit) {
        for (place, (_, migration)) in members.iter().enumerate() {
            certificates.push(Certificate {
                verdict: unit.verdicts[place].clone(),
                derived: unit.derived.get(place).cloned().flatten(),
                group: (members.len() > 1).then(|| migration.said.group.clone()).flatten(),
                undone: unit.undone.get(place).cloned().unwrap_or_default(),
                forth: unit.forth.get(place).cloned().unwrap_or_default(),
                back: unit.back.get(place).cloned().unwrap_or_default(),
                ..self.not_rehearsed("")
            });
        }
    }

    fn not_rehearsed(&self, why: &str) -> Certificate {
        Certificate { server: self.sandbox.lease.version.clone(), basis: self.sandbox.basis, ..not_rehearsed(why) }
    }

    /// Brings the database to where it would be had everything only gone forth.
    async fn stand_again(&mut self, steps: &[Step]) -> Result<(), WorldError> {
        if !self.sandbox.begin_again().await? {
            return Ok(());
        }
        for step in steps {
            // It ran before, in the same order from the same beginning.
            if let Err(broken) = self.go(step, step.0, None).await {
                let cause = format!("{}: {}", step.1.label(), explain(&broken));
                return Err(super::super::errors::refused("rehearse once more", cause, "rehearse it alone"));
            }
        }
        self.sandbox.keep().await
    }

    async fn go(
        &mut self,
        step: &Step,
        direction: Direction,
        observer: Option<&dyn Observer>,
    ) -> Result<Vec<Observation>, Broken> {
        let text = step.1.text(direction).unwrap_or_default();
        let has_rows = self.sandbox.has_rows();
        self.sandbox.stage.run(Way { text, said: &step.1.said, has_rows }, observer).await
    }

    /// Gives a step the way back that no file has, if one can be derived; else says why not.
    async fn derive(&mut self, step: &mut Step) -> Result<Option<String>, WorldError> {
        let (direction, migration) = step;
        if *direction == Direction::Down || migration.text(Direction::Down).is_some() {
            return Ok(None);
        }
        match self.sandbox.stage.derive(migration).await? {
            Derived::Whole(down) => {
                *migration = Arc::new(Migration { down: Some(down), derived: true, ..Migration::clone(migration) });
                Ok(None)
            }
            Derived::None(why) => Ok(Some(why)),
        }
    }

    /// Rehearses steps as one: all forth, all back, all forth again.
    async fn unit(&mut self, members: &[Step], before: &Sight) -> Result<Unit, WorldError> {
        let count = members.len();
        let mut unit = Unit::of(count);
        let mut forth = vec![before.clone()];
        let mut members = members.to_vec();
        for place in 0..count {
            let underived = self.derive(&mut members[place]).await?;
            unit.underived.push(underived);
            let members = &members[..];
            let step = &members[place];
            self.progress.say(&format!("rehearsing {}", step.1.label()));
            match self.go(step, step.0, self.observer).await {
                Ok(seen) => unit.forth.push(seen),
                Err(broken) => return self.stopped(unit, members, place, broken),
            }
            forth.push(self.sandbox.look().await?);
            unit.undone.push(additions(&forth[place].fingerprint, &forth[place + 1].fingerprint));
        }
        let members = &members[..];
        unit.derived = members.iter().map(|step| step.1.down.clone().filter(|_| step.1.derived)).collect();
        let underived = members.iter().zip(&unit.underived).find(|(step, _)| step.1.text(step.0.other()).is_none());
        if let Some((step, underived)) = underived {
            let label = step.1.label();
            let why = match underived {
                Some(why) => format!("there is no {label}.down.sql, and none can be derived: {why}"),
                None => format!("there is no {label}.down.sql"),
            };
            unit.verdicts = vec![Verdict::NoWayBack { why }; count];
            unit.now = forth.pop();
            return Ok(unit);
        }
        unit.stands = false;
        let mut back = vec![forth[count].clone()];
        for step in members.iter().rev() {
            match self.go(step, step.0.other(), self.observer).await {
                Ok(seen) => unit.back.insert(0, seen),
                Err(broken) => {
                    let verdict = self.verdict_of(&broken, step.0.other(), &in_group(members, step))?;
                    // Nothing of it stands, unless some of it was committed or others of the group are gone already.
                    unit.stands = back.len() == 1 && broken.left_nothing();
                    unit.verdicts = vec![verdict; count];
                    return Ok(unit);
                }
            }
            back.insert(0, self.sandbox.look().await?);
        }
        let mut again = Vec::with_capacity(count);
        for step in members {
            match self.go(step, step.0, None).await {
                Ok(_) => again.push(self.sandbox.look().await?),
                Err(broken) => {
                    let whole = restored(&forth[0], &back[0]);
                    let verdict = match whole {
                        Verdict::Otherwise { .. } | Verdict::Reordered { .. } => whole,
                        _ => self.verdict_of(&broken, step.0, "the second time")?,
                    };
                    unit.verdicts = vec![verdict; count];
                    return Ok(unit);
                }
            }
        }
        let whole = second(restored(&forth[0], &back[0]), &forth[count], &again[count - 1]);
        unit.stands = whole == Verdict::Exact;
        unit.verdicts = vec![whole; count];
        unit.now = again.pop();
        Ok(unit)
    }

    /// A step does not go forth: nothing that comes after it can be rehearsed.
    fn stopped(&self, mut unit: Unit, members: &[Step], place: usize, broken: Broken) -> Result<Unit, WorldError> {
        let (direction, migration) = &members[place];
        let verdict = self.verdict_of(&broken, *direction, "")?;
        let why = format!("{} before it could not be run here", migration.label());
        unit.verdicts = (0..members.len())
            .map(|other| match other.cmp(&place) {
                std::cmp::Ordering::Equal => verdict.clone(),
                std::cmp::Ordering::Less => {
                    Verdict::NotRehearsed { why: format!("{} of its group could not be run here", migration.label()) }
                }
                std::cmp::Ordering::Greater => Verdict::NotRehearsed { why: why.clone() },
            })
            .collect();
        unit.ends = Some(why);
        Ok(unit)
    }

    fn verdict_of(&self, broken: &Broken, direction: Direction, place: &str) -> Result<Verdict, WorldError> {
        match broken {
            Broken::World(error) => Err(error.clone()),
            Broken::Endless { why } => Ok(Verdict::NotRehearsed { why: why.clone() }),
            Broken::Fails { error, code, .. } => {
                let error = if place.is_empty() { error.clone() } else { format!("{place}: {error}") };
                Ok(match missing(&error, code.as_deref(), &self.sandbox.surroundings) {
                    Some(why) => Verdict::NotRehearsed { why },
                    None => Verdict::Fails { direction, error },
                })
            }
        }
    }
}

impl Unit {
    fn of(count: usize) -> Self {
        Self {
            verdicts: Vec::new(),
            stands: true,
            now: None,
            ends: None,
            undone: Vec::with_capacity(count),
            forth: Vec::with_capacity(count),
            back: Vec::with_capacity(count),
            derived: Vec::new(),
            underived: Vec::with_capacity(count),
        }
    }
}

/// A certificate of something that was not rehearsed at all.
pub fn not_rehearsed(why: &str) -> Certificate {
    Certificate {
        key: Digest::of_bytes(&[]),
        server: String::new(),
        basis: crate::migration::certificate::Basis::Empty,
        verdict: Verdict::NotRehearsed { why: why.to_owned() },
        derived: None,
        group: None,
        undone: Vec::new(),
        forth: Vec::new(),
        back: Vec::new(),
    }
}

/// What a certificate rests on: the server, the settings, and every text that was run up to and with its own unit.
pub fn key(job: &RehearsalJob, place: usize, server: &str) -> Digest {
    let steps = &job.steps;
    let mut end = 0;
    while end <= place && end < steps.len() {
        end += unit_length(&steps[end..]);
    }
    Digest::of_json(&("certificate 1", server, &job.settings, job.adopted, &job.applied, &steps[..end], place))
}

/// How many of the first steps are rehearsed as one: neighbours of one group that go the same way.
fn unit_length(steps: &[Step]) -> usize {
    let Some((direction, first)) = steps.first() else { return 0 };
    match &first.said.group {
        None => 1,
        Some(_) => {
            steps.iter().take_while(|step| step.0 == *direction && step.1.said.group == first.said.group).count()
        }
    }
}

fn in_group(members: &[Step], step: &Step) -> String {
    if members.len() > 1 { step.1.label() } else { String::new() }
}

fn explain(broken: &Broken) -> String {
    match broken {
        Broken::Fails { error, .. } => error.clone(),
        Broken::Endless { why } => why.clone(),
        Broken::World(error) => error.to_string(),
    }
}

/// What going forth and back came to.
fn restored(before: &Sight, after: &Sight) -> Verdict {
    let Difference { mut things, orders } = difference(&before.fingerprint, &after.fingerprint);
    let role = |these: &[String], those: &[String], word: &str| -> Vec<String> {
        these.iter().filter(|role| !those.contains(role)).map(|role| format!("{role}: {word}")).collect()
    };
    things.extend(role(&before.roles, &after.roles, "missing, or not as it was"));
    things.extend(role(&after.roles, &before.roles, "left behind"));
    let lost = before.contents.lost(&after.contents);
    if !things.is_empty() {
        things.extend(lost);
        return Verdict::Otherwise { difference: Difference { things, orders }.lines() };
    }
    match (lost.is_empty(), orders.is_empty()) {
        (false, _) => Verdict::LosesData { what: lost.into_iter().chain(orders).collect() },
        (true, false) => Verdict::Reordered { difference: orders },
        (true, true) => Verdict::Exact,
    }
}

/// Going forth again must give what it gave the first time.
fn second(verdict: Verdict, first: &Sight, again: &Sight) -> Verdict {
    let found = difference(&first.fingerprint, &again.fingerprint);
    let is_told = match verdict {
        Verdict::Exact => found.is_none(),
        Verdict::Reordered { .. } | Verdict::LosesData { .. } => found.things.is_empty(),
        _ => true,
    };
    if is_told {
        return verdict;
    }
    let lines = found.lines().into_iter().map(|line| format!("the second time forth: {line}"));
    Verdict::Otherwise { difference: lines.collect() }
}
