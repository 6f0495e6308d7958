//! Every prefix of every change set is taken back, and what was called exact is compared with its ids.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use switchback::address::Address;
use switchback::ledger::State;
use switchback::step::{Inverse, Step};
use switchback::value::{Object, Value};

use super::case::Scene;
use super::fake::Things;
use super::generate::{Random, Spec};
use super::place::{Deed, End, Place, Process, Way, id, runtime};
use super::{is_long, workers};

/// The things of one address as they are, what they link to named by its address.
fn of_address(address: &Address, state: &State, things: &Things) -> Vec<(String, Option<Object>, Option<Address>)> {
    let Some(resource) = state.things.resources.get(address) else {
        return Vec::new();
    };
    let whose: BTreeMap<&str, &Address> = state
        .things
        .resources
        .iter()
        .flat_map(|(address, resource)| {
            resource.earlier.iter().chain([&resource.object]).map(move |object| (id(object), address))
        })
        .collect();
    let seen = |object: &Object| {
        let mut found = things.by_id.get(id(object)).map(|(_, object)| object.clone());
        let link = found.as_mut().and_then(|found| found.remove("link"));
        let link = link.as_ref().and_then(Value::as_str).and_then(|link| whose.get(link));
        (id(object).to_owned(), found, link.map(|address| Address::clone(address)))
    };
    resource.earlier.iter().chain([&resource.object]).map(seen).collect()
}

/// Nothing that was called exact is not.
async fn judge(scene: &Scene, place: &Place, done: &[Step]) -> Result<u64, String> {
    let (before, now) = (scene.start.world.things(), place.world.things());
    let (ledger_before, ledger_now) = (scene.start.ledger().await?, place.ledger().await?);
    let is_exact = |step: &&Step| matches!(step.inverse, Inverse::Exact { .. });
    if done.iter().all(|step| is_exact(&step)) && now.content() != before.content() {
        return Err(format!("all of it was called exact: {:?} became {:?}", before.content(), now.content()));
    }
    let mut exact = 0;
    for step in done.iter().filter(is_exact) {
        let address = &step.address;
        if done.iter().any(|other| other.address == *address && !is_exact(&other)) {
            continue;
        }
        let then = of_address(address, ledger_before.state(), &before);
        let now = of_address(address, ledger_now.state(), &now);
        if then != now {
            return Err(format!("{} {} was called exact: {then:?} became {now:?}", step.action.verb(), step.title()));
        }
        exact += 1;
    }
    Ok(exact)
}

async fn prefixes(scene: &Scene, counts: &[AtomicU64; 2]) -> Result<(), String> {
    for most in 0.. {
        let place = scene.start.fork();
        let some = Process { most: Some(most), width: 1, ..Process::plain(Way::Begin) };
        let end = scene.play(&place, some).await?;
        let ledger = place.ledger().await?;
        let run = ledger.state().runs.last().filter(|run| run.number > scene.to);
        let done: Vec<Step> = run.map_or(Vec::new(), |run| {
            run.change_set.steps.iter().filter(|step| run.is_done(step.id)).cloned().collect()
        });
        scene.play(&place, Process::plain(Way::Back)).await.map_err(|why| format!("after {most}: {why}"))?;
        let exact = judge(scene, &place, &done).await.map_err(|why| format!("after {most}: {why}"))?;
        counts[0].fetch_add(1, Ordering::Relaxed);
        counts[1].fetch_add(exact, Ordering::Relaxed);
        if end == End::Whole {
            return Ok(());
        }
    }
    Ok(())
}

/// For every k: k effects are carried out, then the way back is taken.
#[test]
fn every_prefix_can_be_taken_back_and_exact_is_exact() {
    let seeds = if is_long() { 1..=600 } else { 1..=16 };
    let counts = [AtomicU64::new(0), AtomicU64::new(0)];
    let work = |seed| {
        let mut random = Random::new(seed);
        let first = Spec::generate(&mut random);
        let mut second = first.clone();
        second.mutate(&mut random);
        let deeds = match seed % 4 {
            0 => vec![Deed::Apply(first.clone())],
            1 | 2 => vec![Deed::Apply(first.clone()), Deed::Apply(second)],
            _ => vec![Deed::Apply(first.clone()), Deed::Apply(second), Deed::Back(1)],
        };
        let result = runtime().block_on(async {
            let scene = Scene::set(&deeds).await?;
            prefixes(&scene, &counts).await
        });
        let told: Vec<String> = deeds.iter().map(ToString::to_string).collect();
        result.unwrap_or_else(|why| panic!("seed {seed}: {why}\n{}", told.join(" ; ")));
    };
    workers(seeds.clone(), work);
    // What holds on to a revision whose own hold comes back as another.
    workers(350..=350, work);
    let [prefixes, exact] = counts.map(AtomicU64::into_inner);
    println!("{prefixes} prefixes with seeds {seeds:?}, {exact} exact steps compared");
    assert!(prefixes > 50 && exact > 50, "{prefixes} prefixes, {exact} exact steps");
}
