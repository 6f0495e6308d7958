//! Generated changes, and the ways to other times in between: whatever was done, any time is reached from any other.
//!
//! Invariant: whatever is generated is told by its seed.

use std::collections::{BTreeMap, BTreeSet};

use switchback::address::Address;
use switchback::resolve::desired::{Import, Moved, Refactoring, Removed};
use switchback::step::Edit;
use switchback::value::{Object, Value};

use super::{NOWHERE, Node, Place, Spec, address, block_on};

/// A small generator of numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

fn cases() -> u64 {
    if std::env::var_os("SWITCHBACK_TEST_LONG").is_some() { 5000 } else { 150 }
}

/// How often one goes to another time: back, and from there again, back or forth.
const HOPS: usize = 2;

/// What becomes of the addresses and the names of what was let go.
#[derive(Clone, Copy, Debug, PartialEq)]
enum LetGo {
    /// Nothing else is called so, and it is imported under its own address only.
    KeepsItsAddress,
    /// Other things take the address, and it is imported under any.
    IsLikeAllElse,
}

/// One change of the spec or of the ledger alone.
async fn change(place: &Place, spec: &mut Spec, random: &mut Random, round: usize, let_go: LetGo) {
    spec.refactoring = Refactoring::default();
    let recorded: Vec<Address> = spec.nodes.keys().cloned().collect();
    let forgotten = match let_go {
        LetGo::KeepsItsAddress => place.forgotten().await,
        LetGo::IsLikeAllElse => BTreeMap::new(),
    };
    let pick = |random: &mut Random| recorded.get(random.below(recorded.len().max(1))).cloned();
    let free = address(["a", "b", "c", "d", "e[0]", "e[\"k\"]"][random.below(6)]);
    match (random.below(8), pick(random)) {
        (0, Some(one)) => spec.nodes.get_mut(&one).unwrap().size += 1,
        (1 | 2, Some(one)) if !spec.nodes.contains_key(&free) && !forgotten.contains_key(&free) => {
            let node = spec.nodes.remove(&one).unwrap();
            spec.nodes.insert(free.clone(), node);
            for node in spec.nodes.values_mut().filter(|node| node.link.as_ref() == Some(&one)) {
                node.link = Some(free.clone());
            }
            if random.below(2) == 0 {
                let part = |address: &Address| address.to_string().parse().unwrap();
                spec.refactoring.moved.push(Moved { from: part(&one), to: part(&free), span: NOWHERE });
            } else {
                let change_set = place.plan_edit(Edit::Move, &[(one, free)], &[]).await;
                assert!(place.run(change_set).await.is_complete());
            }
        }
        (3 | 4, Some(one)) if !is_needed(spec, &one) => {
            let is_held = is_held(place, spec, &one);
            spec.nodes.remove(&one);
            match random.below(3) {
                // What others hold on to cannot go, only be let go.
                0 if !is_held => {}
                1 => {
                    let from = one.to_string().parse().unwrap();
                    spec.refactoring.removed.push(Removed { from, destroy: false, span: NOWHERE });
                }
                _ => {
                    let change_set = place.plan_edit(Edit::Remove, &[], &[one]).await;
                    assert!(place.run(change_set).await.is_complete());
                }
            }
        }
        (5 | 6, _) if !spec.nodes.contains_key(&free) => {
            // Whatever is there and belongs to nobody: made by others, or let go by us under just this address.
            let mut own: BTreeSet<String> = spec.nodes.values().map(|node| node.name.clone()).collect();
            own.extend(forgotten.iter().filter(|(address, _)| **address != free).map(|(_, name)| name.clone()));
            let here = forgotten.get(&free);
            let world = place.world.snapshot();
            let strange: Vec<_> = world
                .iter()
                .filter(|(name, thing)| {
                    !own.contains(*name) && !thing.contains_key("link") && here.is_none_or(|here| here == *name)
                })
                .collect();
            if let Some((name, thing)) = strange.get(random.below(strange.len().max(1))) {
                let size = thing["size"].as_i64().unwrap() + random.below(2) as i64;
                spec.nodes.insert(free.clone(), Node { name: (*name).clone(), size, link: None });
                let query = Object::from([("name".to_owned(), name.as_str().into())]);
                spec.refactoring.imports.insert(free, Import { id: (*name).clone(), query, span: NOWHERE });
            }
        }
        (_, other) if !spec.nodes.contains_key(&free) && !forgotten.contains_key(&free) => {
            let link = other.filter(|_| random.below(2) == 0);
            spec.nodes.insert(free, Node { name: format!("n{round}"), size: 1, link });
        }
        _ => {}
    }
}

fn is_needed(spec: &Spec, address: &Address) -> bool {
    spec.nodes.values().any(|node| node.link.as_ref() == Some(address))
}

/// Whether something that was let go still links to it: then the world does not let it go, and rightly so.
fn is_held(place: &Place, spec: &Spec, address: &Address) -> bool {
    let name = spec.nodes[address].name.as_str();
    let id = format!("id-{name}");
    place.world.snapshot().values().any(|thing| thing.get("link").and_then(Value::as_str) == Some(&*id))
}

#[test]
fn whatever_was_moved_let_go_or_imported_the_way_back_gives_the_very_same() {
    block_on(async {
        let mut taken_back = 0;
        let found = [284, 308, 341, 454, 501, 598, 1341, 2077];
        for seed in (1..=cases()).chain(found) {
            taken_back += there_and_back(seed).await;
        }
        assert!(taken_back > 200, "only {taken_back} steps back were tried");
    });
}

/// Some changes, and then to other times and again to others. Says how many steps that took.
async fn there_and_back(seed: u64) -> usize {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let place = Place::new();
    place.world.make("strange1", 1);
    place.world.make("strange2", 2);
    let mut spec = Spec::default();
    let mut told = vec![(0, place.recorded().await, place.world.snapshot())];
    for round in 0..2 + random.below(8) {
        change(&place, &mut spec, &mut random, round, LetGo::KeepsItsAddress).await;
        let what = format!("seed {seed}, round {round}: {spec:?}");
        place.reach(&spec, &what).await;
        let run = place.newest().await;
        told.retain(|(other, ..)| *other != run);
        told.push((run, place.recorded().await, place.world.snapshot()));
    }
    let mut taken_back = 0;
    for _ in 0..HOPS {
        let (to, recorded, world) = &told[random.below(told.len())];
        let steps = place.back(*to, &format!("seed {seed}, to {to} of {:#?}", place.story().await)).await;
        let what = format!("seed {seed}, at {to} of {:#?}", place.story().await);
        assert_eq!(&place.world.snapshot(), world, "the world: {what}");
        assert_eq!(&place.recorded().await, recorded, "the ledger: {what}");
        taken_back += steps.len();
    }
    taken_back
}

#[test]
fn from_any_state_whatever_it_was_any_other_is_reached() {
    block_on(async {
        let mut steps = 0;
        for seed in 1..=cases() {
            steps += wander(seed).await;
        }
        assert!(steps > 200, "only {steps} steps back were tried");
    });
}

/// Changes, and ways to other times in between, from which one goes on. Says how many steps those took.
async fn wander(seed: u64) -> usize {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let place = Place::new();
    place.world.make("strange1", 1);
    place.world.make("strange2", 2);
    let mut spec = Spec::default();
    let mut told = vec![(0, place.recorded().await, place.world.snapshot(), spec.clone())];
    let mut taken_back = 0;
    for round in 0..4 + random.below(10) {
        let (times, is_back) = (told.len(), random.below(3) == 0);
        let what = format!("seed {seed}, round {round}");
        if is_back {
            let (to, recorded, world, earlier) = &told[random.below(times)];
            taken_back += place.back(*to, &format!("{what}, to {to} of {:#?}", place.story().await)).await.len();
            let what = format!("{what}, at {to} of {:#?}", place.story().await);
            assert_eq!(&place.world.snapshot(), world, "the world: {what}");
            assert_eq!(&place.recorded().await, recorded, "the ledger: {what}");
            spec = earlier.clone();
        } else {
            change(&place, &mut spec, &mut random, round, LetGo::IsLikeAllElse).await;
            place.reach(&spec, &format!("{what}: {spec:?}: {:#?}", place.story().await)).await;
        }
        let run = place.newest().await;
        told.retain(|(other, ..)| *other != run);
        told.push((run, place.recorded().await, place.world.snapshot(), spec.clone()));
    }
    taken_back
}
