//! The crash sweep: a run dies at every point, what recovers it dies again, and again. Nothing is left out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::case::{Case, Scene};
use super::generate::{Random, Spec};
use super::place::{Deed, End, Place, Process, Way, runtime};
use super::{is_long, workers};

/// How many cuts are made at each level below the first; at the first it is all of them.
#[derive(Clone, Copy)]
struct Depth {
    second: usize,
    third: usize,
}

struct Sweep<'a> {
    scene: &'a Scene,
    deeds: &'a [Deed],
    depth: Depth,
    cuts: &'a AtomicU64,
    /// What is being played, for when it panics.
    now: &'a Mutex<Vec<Process>>,
}

impl Sweep<'_> {
    /// Lets a place be recovered whole in both ways, and each of these be cut; further down in one of the two.
    async fn recover(&self, place: &Place, lives: &[Process], random: &mut Random) -> Result<(), String> {
        let ways = [Way::Resume, Way::Back];
        let (ways, most) = match lives.len() {
            1 => (&ways[..], self.depth.second),
            level => {
                let at = random.below(2) as usize;
                (&ways[at..=at], if level == 2 { self.depth.third } else { 0 })
            }
        };
        for way in ways {
            self.cut(place, *way, lives, most, random).await?;
        }
        Ok(())
    }

    /// Plays a process whole, then cut at so many of its points.
    async fn cut(
        &self,
        place: &Place,
        way: Way,
        lives: &[Process],
        most: usize,
        random: &mut Random,
    ) -> Result<(), String> {
        let faults = if random.below(4) == 0 && lives.len() < 2 { 1 + random.below(1 << 20) } else { 0 };
        let width = [1, 4][random.below(2) as usize];
        let whole = Process { width, is_hidden: random.below(2) == 0, ..Process::plain(way) };
        let points = {
            let place = place.fork();
            self.play(&place, whole, lives).await?;
            place.points()
        };
        let chosen: Vec<usize> = match most >= points {
            true => (0..points).collect(),
            false => (0..most).map(|_| random.below(points as u64) as usize).collect(),
        };
        for at in chosen {
            let place = place.fork();
            let process = Process { cut: Some(at), faults, ..whole };
            self.cuts.fetch_add(1, Ordering::Relaxed);
            let end = self.play(&place, process, lives).await?;
            if end != End::Whole {
                let lives: Vec<Process> = lives.iter().copied().chain([process]).collect();
                Box::pin(self.recover(&place, &lives, random)).await?;
            }
        }
        Ok(())
    }

    async fn play(&self, place: &Place, process: Process, lives: &[Process]) -> Result<End, String> {
        *self.now.lock().unwrap() = lives.iter().copied().chain([process]).collect();
        self.scene.play(place, process).await
    }

    fn case(&self) -> Case {
        Case { deeds: self.deeds.to_vec(), lives: self.now.lock().unwrap().clone() }
    }
}

/// What was done before, and what is begun: applies, a destroy, ways back, from nothing and from later states.
fn deeds(random: &mut Random, seed: u64) -> Vec<Deed> {
    let first = Spec::generate(random);
    let mut second = first.clone();
    second.mutate(random);
    let mut third = second.clone();
    third.mutate(random);
    let (first, second, third) = (Deed::Apply(first), Deed::Apply(second), Deed::Apply(third));
    match seed % 6 {
        0 => vec![first],
        1 | 2 => vec![first, second],
        3 => vec![first, second, Deed::Destroy],
        4 => vec![first, second, third, Deed::Back(1)],
        _ => vec![first, second.clone(), Deed::Back(1), Deed::Destroy, second],
    }
}

/// One seed's case with all its cuts.
fn sweep(seed: u64, depth: Depth, cuts: &AtomicU64) {
    let mut random = Random::new(seed);
    let deeds = deeds(&mut random, seed);
    let now = Mutex::default();
    let result = catch_unwind(AssertUnwindSafe(|| {
        runtime().block_on(async {
            let scene = Scene::set(&deeds).await.map_err(|why| (why, Vec::new()))?;
            let sweep = Sweep { scene: &scene, deeds: &deeds, depth, cuts, now: &now };
            let result = sweep.cut(&scene.start, Way::Begin, &[], usize::MAX, &mut random).await;
            result.map_err(|why| (why, sweep.case().lives))
        })
    }));
    let lives = match result {
        Ok(Ok(())) => return,
        Ok(Err((why, lives))) => {
            eprintln_once(&why);
            lives
        }
        Err(_) => now.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone(),
    };
    Case { deeds, lives }.report(seed);
}

#[expect(clippy::print_stderr, reason = "what was found first is told before it shrinks")]
fn eprintln_once(why: &str) {
    eprintln!("found: {why}");
}

/// Apply, destroy and rollback die at every ledger write (before it, torn, after it) and before and after every effect;
/// then they are resumed, or taken back; and these are cut as well.
#[test]
fn a_run_can_die_anywhere_and_is_finished_or_taken_back() {
    let (seeds, depth) = match is_long() {
        true => (1..=60, Depth { second: 6, third: 1 }),
        false => (1..=6, Depth { second: 1, third: 1 }),
    };
    let (cuts, begun) = (AtomicU64::new(0), std::time::Instant::now());
    workers(seeds.clone(), |seed| sweep(seed, depth, &cuts));
    let cuts = cuts.into_inner();
    println!("{cuts} cuts with seeds {seeds:?} in {:.0} s", begun.elapsed().as_secs_f64());
    assert!(cuts > if is_long() { 20_000 } else { 500 }, "only {cuts} cuts were made");
}
