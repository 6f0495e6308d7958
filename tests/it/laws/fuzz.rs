//! One step from any state: walks of random operations with random refusals, each judged by what always holds.

use std::sync::atomic::{AtomicU64, Ordering};

use switchback::ledger::{RunResult, State};
use switchback::step::Operation;

use super::generate::{Random, Spec};
use super::place::{Deed, End, Place, Process, Way, runtime};
use super::{is_long, workers};

/// How many operations a walk has: later ones read longer chains.
const STEPS: u64 = 12;

/// Where a way back leads: to before what is unfinished, or to any state that was whole.
fn back_to(state: &State, random: &mut Random) -> u64 {
    if let Some(run) = state.unfinished() {
        return match run.change_set.operation {
            Operation::Rollback { to } => to,
            Operation::Apply | Operation::Destroy | Operation::Edit(_) => run.number - 1,
        };
    }
    let is_whole = |result| !matches!(result, Some((RunResult::TakenBack, _)));
    let whole: Vec<u64> = state.runs.iter().filter(|run| is_whole(run.ended)).map(|run| run.number).collect();
    match random.below(whole.len() as u64 + 1) as usize {
        0 => 0,
        at => whole[at - 1],
    }
}

/// What a `status` would say can be said.
fn facts(state: &State) -> Result<(), String> {
    let Some(run) = state.unfinished() else {
        return Ok(());
    };
    let open = run.open().count();
    let stood = run.stood().count();
    let told = run.done_count() + open + stood;
    if told > run.change_set.steps.len() || state.newest_in_force().is_some_and(|force| force.number > run.number) {
        return Err(format!("{told} of {} steps are told of", run.change_set.steps.len()));
    }
    Ok(())
}

/// One operation, and whether what is left can be brought to an end.
async fn step(place: &Place, spec: &mut Spec, random: &mut Random) -> Result<(), String> {
    let ledger = place.ledger().await?;
    let to = back_to(ledger.state(), random);
    if random.below(2) == 0 {
        spec.mutate(random);
    }
    let (way, deed) = match random.below(8) {
        0 => (Way::Begin, Deed::Destroy),
        1 => (Way::Back, Deed::Apply(spec.clone())),
        2 | 3 => (Way::Resume, Deed::Apply(spec.clone())),
        _ => (Way::Begin, Deed::Apply(spec.clone())),
    };
    let process = Process {
        way,
        cut: (random.below(3) == 0).then(|| random.below(40) as usize),
        is_hidden: random.below(4) == 0,
        faults: if random.below(3) > 0 { 1 + random.below(1 << 30) } else { 0 },
        width: [1, 4][random.below(2) as usize],
        most: None,
    };
    let told = format!("{process} {deed} to {to}");
    let end = place.live(process, &deed, to).await;
    let ledger = place.agree().await.map_err(|why| format!("{told}: {end:?}: {why}"))?;
    facts(ledger.state()).map_err(|why| format!("{told}: {why}"))?;
    if random.below(2) == 0 {
        converge(place, spec, to, random).await.map_err(|why| format!("{told}: {end:?}; then {why}"))?;
    }
    Ok(())
}

/// Beside the walk: what is unfinished is finished or taken back, and the spec is reached.
async fn converge(place: &Place, spec: &Spec, to: u64, random: &mut Random) -> Result<(), String> {
    let place = place.fork();
    place.world.ripen();
    let deed = Deed::Apply(spec.clone());
    let ledger = place.ledger().await?;
    if ledger.state().unfinished().is_some() {
        let way = [Way::Resume, Way::Back][random.below(2) as usize];
        let to = match ledger.state().unfinished().map(|run| (run.number, run.change_set.operation)) {
            Some((_, Operation::Rollback { to })) => to,
            Some((number, Operation::Apply | Operation::Destroy | Operation::Edit(_))) => number - 1,
            None => to,
        };
        match place.live(Process::plain(way), &deed, to).await {
            End::Whole => {}
            end => return Err(format!("{way:?} to {to}: {end:?}")),
        }
    }
    match place.live(Process::plain(Way::Begin), &deed, to).await {
        End::Whole => place.is_whole(&place.agree().await?, Some(spec)).await,
        end => Err(format!("{deed}: {end:?}")),
    }
}

/// From any state that a ledger can be in, any operation, with whatever goes wrong.
#[test]
fn one_step_from_any_state() {
    let seeds = if is_long() { 1..=3_000 } else { 1..=40 };
    let (cases, begun) = (AtomicU64::new(0), std::time::Instant::now());
    let work = |seed| {
        let mut random = Random::new(seed);
        let place = Place::new();
        let mut spec = Spec::generate(&mut random);
        runtime().block_on(async {
            for number in 0..STEPS {
                let result = step(&place, &mut spec, &mut random).await;
                result.unwrap_or_else(|why| panic!("seed {seed}, step {number}: {why}"));
                cases.fetch_add(1, Ordering::Relaxed);
            }
        });
    };
    workers(seeds.clone(), work);
    // What stood was forgotten when its next try was refused before it began.
    workers(150..=150, work);
    let cases = cases.into_inner();
    let rate = cases as f64 / begun.elapsed().as_secs_f64() * 60.0;
    println!("{cases} cases with seeds {seeds:?} and 150, {rate:.0} in a minute");
    assert_eq!(cases, (seeds.count() as u64 + 1) * STEPS);
}
