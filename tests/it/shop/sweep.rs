//! The crash sweep on the real thing: the shop's own applies, killed at every step boundary and at random moments of a
//! measured run; then finished, or taken back. Nothing is left over, nothing is there twice, nothing is in doubt.
//!
//! Few kills usually; with `SWITCHBACK_TEST_LONG` every boundary, and as many random moments, in both branches.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::project::{Project, Said};
use super::running::{Moment, Running, is_boundary};
use super::world::{Snapshot, assert_nothing_is_left, everything, snapshot};
use crate::place::{LedgerPlace, StoreKind, on_every_store};

on_every_store! {
    wherever_it_is_killed_it_ends_whole;
    a_holder_that_nobody_can_know_to_be_dead_is_waited_for;
}

/// How many shops live side by side.
const SIDE_BY_SIDE: usize = 4;

/// Lives of the short mode; each is killed four times on its way, and once or twice on its way out of that.
const LIVES: usize = 3;

const UP: &[&str] = &["up", "dev", "--no-progress"];
const RESUME: &[&str] = &["resume", "dev", "--auto-approve", "--no-progress"];

/// On a machine with too much to do the endpoint may take longer than a third of so short a lease for a call. The run
/// says so and what to type next, which is no end yet.
fn is_jammed(said: &Said) -> bool {
    said.code == 6 && said.err.contains("no answer within")
}

/// Random numbers, of which the seed is printed.
struct Random(u64);

impl Random {
    /// A number from 0 to 1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        f64::from(u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

/// A run that nobody disturbed.
struct Measured {
    /// How often it said that a step began or was done.
    boundaries: usize,
    took: Duration,
    /// What was there afterwards, without the shop's own names.
    left: String,
}

/// The shop made, and the shop changed.
struct Baseline {
    fresh: Measured,
    changed: Measured,
}

fn measure(kind: StoreKind) -> Baseline {
    let (shop, _place) = shop_at(kind);
    let fresh = measured(&shop);
    change(&shop);
    let changed = measured(&shop);
    Baseline { fresh, changed }
}

fn measured(shop: &Project) -> Measured {
    let (mut running, mut boundaries) = (shop.follow(UP), 0);
    while running.hears(is_boundary) {
        boundaries += 1;
    }
    let (said, took) = running.end();
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    Measured { boundaries, took, left: without_names(shop, &snapshot(shop)) }
}

fn shop_at(kind: StoreKind) -> (Project, LedgerPlace) {
    let mut shop = Project::shop("sweep");
    let place = LedgerPlace::new(kind);
    shop.keep_ledger_at(&place);
    // What was sent before a kill is waited for a third of it.
    shop.set("SWITCHBACK_LEASE", "15s");
    (shop, place)
}

/// The second change set: values, an image, a service more, a parameter less, migrations of three sorts.
fn change(shop: &Project) {
    shop.edit("environments/dev.hcl", "shop/web:1.0.0", "shop/web:1.1.0");
    shop.edit("environments/dev.hcl", "default     = \"debug\"", "default     = \"info\"");
    shop.edit("environments/dev.hcl", "log_days     = 7", "log_days     = 30");
    let worker = "worker = { command = [\"shop\", \"work\"], port = null, count = 1 }";
    let both = format!("{worker}\n    mailer = {{ command = [\"shop\", \"mail\"], port = null, count = 1 }}");
    shop.edit("modules/shop/main.hcl", worker, &both);
    let migrations = [
        ("V90__add_coupons", "CREATE TABLE coupons (code text PRIMARY KEY);\n", "DROP TABLE coupons;\n"),
        (
            "V91__loyalty",
            "ALTER TABLE customers ADD COLUMN loyalty integer;\n",
            "ALTER TABLE customers DROP COLUMN loyalty;\n",
        ),
        (
            "V92__index_skus",
            "-- switchback: transaction off\nCREATE INDEX CONCURRENTLY products_stock_idx ON products (stock);\n",
            "-- switchback: transaction off\nDROP INDEX CONCURRENTLY products_stock_idx;\n",
        ),
    ];
    for (name, up, down) in migrations {
        shop.write(&format!("migrations/shop/{name}.sql"), up);
        shop.write(&format!("migrations/shop/{name}.down.sql"), down);
    }
}

/// A snapshot as every shop has it: without its name, and without the numbers of revisions, which are never used again.
fn without_names(shop: &Project, snapshot: &Snapshot) -> String {
    let text = format!("{snapshot:#?}").replace(&shop.name, "NAME").replace(&shop.database(), "NAME");
    let mut parts = text.split("task-definition/");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (family, rest) = part.split_once(':').unwrap_or((part, ""));
        plain +=
            &format!("task-definition/{family}:N{}", rest.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    }
    plain
}

/// When to kill: half of them at boundaries, half at random moments, both spread over the whole of the run. In the long
/// mode each is there twice in a row, once for either branch.
fn moments(measured: &Measured, lives: usize, random: &mut Random) -> Vec<Moment> {
    let mut moments = Vec::new();
    let is_long = crate::place::is_long();
    let boundaries = if is_long { measured.boundaries.min(lives) } else { lives };
    for number in 0..boundaries {
        let place = (number as f64 + random.share()) / boundaries as f64;
        let place = if is_long { number } else { (place * measured.boundaries as f64) as usize };
        moments.push(Moment::Boundary(place.min(measured.boundaries - 1) + 1));
    }
    let rest = if is_long { lives - boundaries } else { lives };
    for number in 0..rest {
        moments.push(Moment::After(measured.took.mul_f64((number as f64 + random.share()) / rest as f64)));
    }
    match is_long {
        true => moments.iter().flat_map(|moment| [*moment, *moment]).collect(),
        // Neighbours are the two branches of one life: one at a boundary, the other not, and in the next life crosswise.
        false => (0..lives)
            .flat_map(|life| {
                let (one, other) = (moments[life], moments[lives + life]);
                if life % 2 == 0 { [one, other] } else { [other, one] }
            })
            .collect(),
    }
}

/// One shop, killed again and again.
struct Life<'a> {
    shop: Project,
    baseline: &'a Baseline,
    random: Random,
    kills: usize,
    story: String,
}

impl Life<'_> {
    /// Starts a run and kills it.
    fn kill(&mut self, arguments: &[&str], moment: Moment) {
        let mut running: Running = self.shop.follow(arguments);
        let came = running.reaches(moment);
        running.send(Signal::KILL);
        let (said, took) = running.end();
        let killed = said.code == -1;
        self.kills += usize::from(killed);
        let how = if killed { "killed" } else { "was over" };
        self.story += &format!("--- {arguments:?} {how} at {moment:?} (reached: {came}) after {took:?}\n{}", said.err);
        assert!(killed || said.code == 0 || is_jammed(&said), "exit {}\n{}\n{}", said.code, self.story, said.out);
    }

    /// Runs to the end, which must be a good one.
    fn ends_well(&mut self, arguments: &[&str]) {
        let mut said = self.shop.run(arguments);
        for _ in 0..3 {
            if !is_jammed(&said) {
                break;
            }
            self.story += &format!("--- {arguments:?} exit {}, jammed\n{}", said.code, said.err);
            said = self.shop.run(RESUME);
        }
        self.story += &format!("--- {arguments:?} exit {}\n{}", said.code, said.err);
        assert_eq!(said.code, 0, "{}\n{}", self.story, said.out);
    }

    /// The way out of a crash can be killed as well.
    fn ends_after_one_more_kill(&mut self, arguments: &[&str], of: Duration) {
        let moment = Moment::After(of.mul_f64(self.random.share()));
        self.kill(arguments, moment);
        self.ends_well(arguments);
    }

    fn is_finished(&mut self, killed: Moment, again: bool, measured: &Measured) {
        self.kill(UP, killed);
        match again {
            true => self.ends_after_one_more_kill(RESUME, measured.took),
            false => self.ends_well(RESUME),
        }
        // It was killed before its run began, or everything is there already.
        self.ends_well(UP);
        let left = without_names(&self.shop, &snapshot(&self.shop));
        assert_eq!(left, measured.left, "\n{}", self.story);
        self.is_verified();
    }

    fn is_taken_back(&mut self, killed: Moment, again: bool, to: u64, measured: &Measured) {
        self.kill(UP, killed);
        let to = to.to_string();
        let back = ["rollback", "dev", "--to", &to, "--accept-loss", "all", "--auto-approve", "--no-progress"];
        match again {
            true => self.ends_after_one_more_kill(&back, measured.took),
            false => self.ends_well(&back),
        }
        self.is_verified();
    }

    /// The ledger is whole, and nothing in it is open.
    fn is_verified(&mut self) {
        let status = self.shop.ok(&["status", "dev", "--json"]).json();
        assert!(status["unfinished"].is_null(), "{}\n{status:#}", self.story);
        self.shop.ok(&["history", "dev", "--json"]);
    }

    fn newest_run(&self) -> u64 {
        let status = self.shop.ok(&["status", "dev", "--json"]).json();
        status["newest_run"]["run"].as_u64().expect("there was a run")
    }

    fn live(&mut self, fresh: &[Moment], changed: &[Moment], odd: bool) {
        self.is_taken_back(fresh[0], odd, 0, &self.baseline.fresh);
        let Self { shop, story, .. } = &*self;
        assert_eq!(everything(shop), Vec::<String>::new(), "\n{story}");
        assert_nothing_is_left(shop);
        self.is_finished(fresh[1], !odd, &self.baseline.fresh);
        let (before, run) = (snapshot(&self.shop), self.newest_run());
        change(&self.shop);
        self.is_taken_back(changed[0], !odd, run, &self.baseline.changed);
        assert_eq!(snapshot(&self.shop), before, "\n{}", self.story);
        self.is_finished(changed[1], odd, &self.baseline.changed);
        let there = everything(&self.shop);
        // A cluster, a log group, four parameters, three services, their revisions and the two earlier ones that the way
        // back goes to, a database and its role.
        assert_eq!(there.len(), 1 + 1 + 4 + 3 + 5 + 2, "{there:#?}\n{}", self.story);
        self.ends_well(&["rollback", "dev", "--to", "0", "--accept-loss", "all", "--auto-approve"]);
        assert_nothing_is_left(&self.shop);
    }
}

#[expect(clippy::print_stdout, reason = "the seed and the counts are quoted")]
fn wherever_it_is_killed_it_ends_whole(kind: StoreKind) {
    let seed = crate::place::seed();
    let begun = Instant::now();
    let baseline = measure(kind);
    let lives = match crate::place::is_long() {
        true => baseline.fresh.boundaries.max(baseline.changed.boundaries) * 5 / 4,
        false => LIVES,
    };
    let mut random = Random(seed);
    let fresh = moments(&baseline.fresh, lives, &mut random);
    let changed = moments(&baseline.changed, lives, &mut random);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let kills = std::sync::atomic::AtomicUsize::new(0);
    let lead = || {
        loop {
            let life = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            if life >= lives {
                return;
            }
            let (shop, _place) = shop_at(kind);
            let random = Random(seed.wrapping_add(life as u64));
            let story = format!("seed {seed}, life {life}, {kind:?}\n");
            let mut one = Life { shop, baseline: &baseline, random, kills: 0, story };
            let both = 2 * life..2 * life + 2;
            one.live(&fresh[both.clone()], &changed[both], life % 2 == 1);
            kills.fetch_add(one.kills, std::sync::atomic::Ordering::SeqCst);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE.min(lives) {
            scope.spawn(lead);
        }
    });
    let kills = kills.into_inner();
    println!(
        "{kind:?}: seed {seed}, {lives} lives, {kills} kills in {:?}; measured: {} boundaries in {:?}, {} in {:?}",
        begun.elapsed(),
        baseline.fresh.boundaries,
        baseline.fresh.took,
        baseline.changed.boundaries,
        baseline.changed.took
    );
    assert!(kills >= if crate::place::is_long() { 100 } else { 10 }, "only {kills} kills");
}

/// Space of process numbers of its own, as in a container: nobody outside can know whether its holder is dead.
const CONTAINED: &[&str] = &["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"];

fn a_holder_that_nobody_can_know_to_be_dead_is_waited_for(kind: StoreKind) {
    let (mut shop, _place) = shop_at(kind);
    shop.set("SWITCHBACK_LEASE", "6s");
    // In there is one user, so no throw-away server can be started: the evidence is there already.
    shop.ok(&["plan", "dev"]);
    shop.wrap(CONTAINED);
    let mut running = shop.follow(UP);
    let comes_so_far = running.reaches(Moment::Boundary(6));
    running.send(Signal::KILL);
    let (killed, _) = running.end();
    assert!(comes_so_far, "{}", killed.err);
    assert_eq!(killed.code, -1, "{}", killed.err);
    let since = Instant::now();

    shop.wrap(&[]);
    let refused: Said = shop.exits(7, RESUME);
    for word in ["holds the lease", "sign of life", "--lock-timeout"] {
        assert!(refused.err.contains(word), "`{word}`:\n{}", refused.err);
    }
    shop.ok(&["resume", "dev", "--auto-approve", "--no-progress", "--lock-timeout", "60s"]);
    let waited = since.elapsed();
    assert!(waited > Duration::from_secs(4), "the lease was taken after {waited:?}, while it held");
    shop.ok(&["plan", "dev", "--detailed-exitcode"]);
    shop.ok(&["rollback", "dev", "--to", "0", "--accept-loss", "all", "--auto-approve"]);
    assert_nothing_is_left(&shop);
}
