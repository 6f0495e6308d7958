//! What is asked before, between and after the steps: with patience, and recorded. Reads the world, writes the ledger.
//!
//! Invariant: a check passes only if it was as it should be for as long as it should be; what one begins that is not
//! waited for is ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::Executor;
use super::course::Course;
use super::outcome::{ApplyError, Event};
use super::patience::{Asked, Judged, Patience};
use super::prepare::Outcomes;
use super::probing::{Matter, without_secrets};
use crate::address::Address;
use crate::ledger::{Body, Ledger};
use crate::step::{Check, CheckResult, When};
use crate::world::{Probe, Reply, Seen};

/// How long one answer may take at least, however little time is left.
const LEAST_PATIENCE: Duration = Duration::from_secs(2);

/// How long ending what a check has begun may take.
const CALLING_OFF: Duration = Duration::from_secs(60);

/// How long is looked at most at what will be compared.
const LOOKING: Duration = Duration::from_secs(20);

/// How asking one check ended.
pub(super) enum End {
    /// It came out.
    Asked(Asked),
    /// It has to hold for so long yet, and nobody waits here for that.
    Parked(Duration),
    /// The run is asked to stop.
    Stopped,
}

impl Executor<'_> {
    /// Asks all that is asked then, side by side, and records how each came out. The first that fails ends it. Gives
    /// whether the run may go on.
    pub(super) async fn ask_all(
        &self,
        when: When,
        ledger: &mut Ledger,
        course: &mut Course<'_>,
    ) -> Result<bool, ApplyError> {
        let (number, change_set) = (course.number, course.change_set);
        let run = ledger.state().runs.last().expect("a run is under way").clone();
        let has_passed = |check: &Check| {
            let once = self.kinds.check(&check.kind).is_some_and(|kind| kind.once);
            once && run.checks.get(&check.address).is_some_and(|state| state.result == CheckResult::Passed)
        };
        let asked: Vec<&Check> = change_set.checks_at(when).filter(|check| !has_passed(check)).collect();
        let matter = Matter::of(course, &run);
        let probes: BTreeMap<&Address, Result<Probe, Seen>> =
            asked.iter().map(|check| (&check.address, self.probe(check, &matter))).collect();
        let mut open: BTreeSet<&Address> = probes.keys().copied().collect();
        let (baking, mut bakes) = unbounded_channel();
        let mut asking = FuturesUnordered::new();
        for check in &asked {
            let (probe, baking) = (probes[&check.address].clone(), baking.clone());
            asking.push(async move { (*check, self.ask_one(check, probe, Some(&baking)).await) });
        }
        let (mut parked, mut has_failed) = (BTreeMap::new(), false);
        loop {
            let (check, end) = tokio::select! {
                biased;
                Some(check) = bakes.recv() => {
                    ledger.append(self.world.clock.now(), vec![Body::Bakes { run: number, check }]).await?;
                    continue;
                }
                next = asking.next() => match next {
                    Some(next) => next,
                    None => break,
                },
            };
            match end {
                End::Asked(asked) => {
                    has_failed = asked.result == CheckResult::Failed;
                    self.record(ledger, number, check, asked).await?;
                    if has_failed {
                        break;
                    }
                    open.remove(&check.address);
                }
                End::Parked(left) => drop(parked.insert(check.address.clone(), left)),
                End::Stopped => break,
            }
        }
        drop(asking);
        if has_failed {
            self.call_off(ledger, number, &asked, (&open, &probes)).await?;
        } else if !parked.is_empty() && !self.stop.is_raised() {
            course.parked = Some(self.waits_until(&parked));
        }
        course.unpassed = open.into_iter().cloned().collect();
        Ok(course.unpassed.is_empty())
    }

    /// Before the first effect: what will be compared is looked at once, and recorded. What cannot be looked at yet is
    /// not compared.
    pub(super) async fn measure(&self, ledger: &mut Ledger, course: &Course<'_>) -> Result<(), ApplyError> {
        let run = ledger.state().runs.last().expect("a run is under way").clone();
        let matter = Matter::of(course, &run);
        let mut measuring = FuturesUnordered::new();
        for check in course.change_set.checks.iter().filter(|check| check.when != When::Before) {
            let compares = self.kinds.check(&check.kind).and_then(|kind| kind.compares);
            let Some(setting) = compares.filter(|_| !run.watches.contains_key(&check.address)) else { continue };
            let Some(mut probe) = self.probe(check, &matter).ok().filter(|probe| probe.settings.contains_key(setting))
            else {
                continue;
            };
            probe.settings.remove(setting);
            probe.patience = Duration::from_millis(check.within_milliseconds).min(LOOKING);
            measuring.push(async move { (check, without_secrets(self.ask_once(&probe).await, &probe)) });
        }
        while let Some((check, seen)) = measuring.next().await {
            let (check, saw, facts) = (check.address.clone(), seen.words, seen.facts);
            let body = Body::Measured { run: course.number, check, saw, facts };
            ledger.append(self.world.clock.now(), vec![body]).await?;
        }
        Ok(())
    }

    /// When a run is over: what is only told is asked for a short while, and recorded. Nothing follows from it.
    pub(super) async fn tell(&self, ledger: &mut Ledger) -> Result<(), ApplyError> {
        let run = ledger.state().runs.last().expect("a run is over").clone();
        let outcomes = Outcomes::of(&ledger.state().things);
        let chain = ledger.state().chain.as_ref().map(|chain| chain.id.clone()).unwrap_or_default();
        let fence = ledger.fence().await;
        let seal_key = ledger.state().seal_key().cloned();
        let matter = Matter { chain: &chain, run: &run, outcomes: &outcomes, seal_key: seal_key.as_ref(), fence };
        let mut asking = FuturesUnordered::new();
        for check in run.change_set.told_checks() {
            let probe = self.probe(check, &matter);
            asking.push(async move {
                let asked = match probe {
                    Ok(probe) => match self.ask_one(check, Ok(probe), None).await {
                        End::Asked(asked) => asked,
                        End::Parked(_) | End::Stopped => return (check, None),
                    },
                    // What it was asked with is not at hand any more: that says nothing of what is there.
                    Err(seen) => Asked { result: CheckResult::LeftOut, seen, tries: 0, took: Duration::ZERO },
                };
                (check, Some(asked))
            });
        }
        let mut all = Vec::new();
        while let Some((check, asked)) = asking.next().await {
            all.extend(asked.map(|asked| (check, asked)));
        }
        drop(asking);
        for (check, asked) in all {
            self.record(ledger, run.number, check, asked).await?;
        }
        Ok(())
    }

    async fn record(&self, ledger: &mut Ledger, run: u64, check: &Check, asked: Asked) -> Result<(), ApplyError> {
        self.listener.event(Event::Checked(check, asked.result, &asked.seen.words));
        let body = Body::Checked {
            run,
            check: check.address.clone(),
            result: asked.result,
            saw: asked.seen.words,
            facts: asked.seen.facts,
            tries: asked.tries,
            milliseconds: u64::try_from(asked.took.as_millis()).unwrap_or(u64::MAX),
        };
        ledger.append(self.world.clock.now(), vec![body]).await?;
        Ok(())
    }

    /// One has failed: what the others had begun is ended, that one's too.
    async fn call_off(
        &self,
        ledger: &mut Ledger,
        run: u64,
        asked: &[&Check],
        (open, probes): (&BTreeSet<&Address>, &BTreeMap<&Address, Result<Probe, Seen>>),
    ) -> Result<(), ApplyError> {
        let Some(checks) = &self.world.checks else { return Ok(()) };
        for check in asked.iter().filter(|check| open.contains(&check.address)) {
            let once = self.kinds.check(&check.kind).is_some_and(|kind| kind.once);
            let Some(Ok(probe)) = probes.get(&check.address).filter(|_| once) else { continue };
            let ended = tokio::time::timeout(CALLING_OFF, checks.call_off(probe)).await;
            let words = ended.unwrap_or_else(|_| Some("what it had begun may still go on".to_owned()));
            let state = ledger.state().runs.last().and_then(|run| run.checks.get(&check.address));
            let Some(words) = words.filter(|_| state.is_none()) else { continue };
            let seen = without_secrets(Seen::fails(words), probe);
            let asked = Asked { result: CheckResult::CalledOff, seen, tries: 0, took: Duration::ZERO };
            self.record(ledger, run, check, asked).await?;
        }
        Ok(())
    }

    /// For what a run is parked.
    fn waits_until(&self, parked: &BTreeMap<Address, Duration>) -> String {
        let now = self.world.clock.now();
        let one = |(check, left): (&Address, &Duration)| {
            let until = jiff::SignedDuration::try_from(*left).ok().and_then(|left| now.checked_add(left).ok());
            let until = until.unwrap_or(jiff::Timestamp::MAX).strftime("%Y-%m-%dT%H:%M:%SZ");
            format!("{check} has to hold until {until}; `resume` asks it again")
        };
        parked.iter().map(one).collect::<Vec<_>>().join("; ")
    }

    /// Asks one check until it has been as it should be for long enough, or cannot be any more. Where nobody hears of
    /// its bake time there is none, and little patience.
    pub(super) async fn ask_one(
        &self,
        check: &Check,
        probe: Result<Probe, Seen>,
        baking: Option<&UnboundedSender<Address>>,
    ) -> End {
        if check.when == When::Before && !check.not_yet.is_empty() {
            let missing: Vec<String> = check.not_yet.iter().map(ToString::to_string).collect();
            let seen = Seen::holds(format!("not there yet: {}", missing.join(", ")));
            return End::Asked(Asked { result: CheckResult::LeftOut, seen, tries: 0, took: Duration::ZERO });
        }
        let held = |since: jiff::Timestamp| {
            Duration::try_from(self.world.clock.now().duration_since(since)).unwrap_or_default()
        };
        let held = probe.as_ref().ok().and_then(|probe| probe.holds_since).map(held);
        let mut patience = Patience::of(check, self.world.clock.uptime(), held);
        self.listener.event(Event::Checking(check));
        let mut probe = match probe {
            Ok(probe) => probe,
            Err(seen) => return End::Asked(patience.end(CheckResult::Failed, seen, Duration::ZERO)),
        };
        let mut said = String::new();
        loop {
            if self.stop.is_raised() {
                return End::Stopped;
            }
            probe.patience = patience.left(self.world.clock.uptime()).max(LEAST_PATIENCE);
            let seen = tokio::select! {
                seen = self.ask_once(&probe) => seen,
                () = self.stop.changed() => return End::Stopped,
            };
            let seen = without_secrets(seen, &probe);
            if seen.reply != Reply::Holds && seen.words != said {
                self.listener.event(Event::CheckWaits(check, &seen.words));
                said.clone_from(&seen.words);
            }
            match patience.judge(seen, self.world.clock.uptime()) {
                Judged::Over(asked) => return End::Asked(asked),
                Judged::Parks(left) => return End::Parked(left),
                Judged::Bakes => {
                    probe.holds_since = Some(self.world.clock.now());
                    // Whoever listens keeps it; nobody does at the end.
                    baking.map(|baking| baking.send(check.address.clone()).ok());
                }
                Judged::Waits => {}
            }
            tokio::select! {
                () = tokio::time::sleep(patience.interval) => {}
                () = self.stop.changed() => {}
            }
        }
    }

    async fn ask_once(&self, probe: &Probe) -> Seen {
        let Some(checks) = &self.world.checks else {
            return Seen::hopeless("this build asks nothing of the world");
        };
        // Whoever answers keeps to the patience by himself; this is for who does not.
        let longest = probe.patience + LEAST_PATIENCE;
        match tokio::time::timeout(longest, checks.ask(probe)).await {
            Ok(seen) => seen,
            Err(_) => Seen::fails(format!("no answer within {:.1} s", longest.as_secs_f64())),
        }
    }
}
