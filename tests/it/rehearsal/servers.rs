//! Throw-away servers: gone with whoever started them, and out of each other's way.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use switchback::migration::certificate::Verdict;
use switchback::provider::postgres::rehearsal::Rehearser;
use switchback::world::Rehearsals as _;

use super::{certificates, job, migration};
use crate::stack::{self, Quiet};

/// Set for the copy of this test program that is killed: where it says that its server runs.
const VICTIM: &str = "SWITCHBACK_IT_VICTIM";

/// The folders of the throw-away servers that a process has: the locks that it holds open.
fn folders_of(process: u32) -> Vec<PathBuf> {
    let links = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().filter_map(Result::ok);
    let opened = links.filter_map(|link| std::fs::read_link(link.path()).ok());
    let is_lock =
        |path: &PathBuf| path.to_string_lossy().contains("switchback-rehearsal-") && path.extension().is_some();
    opened.filter(is_lock).map(|path| path.with_extension("")).collect()
}

/// The processes whose command line names a folder.
fn processes_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).map(|entry| entry.path());
    let names = |path: &PathBuf| {
        let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&*folder.to_string_lossy())
    };
    entries.filter(names).collect()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(180), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// No test of its own: the program that the next one kills in the middle of a rehearsal.
#[tokio::test(flavor = "multi_thread")]
async fn the_victim() {
    if std::env::var_os(VICTIM).is_none() {
        return;
    }
    let sleeping = job(&[], &[migration(1, "select pg_sleep(600)", Some("select 1"))]);
    certificates(&sleeping).await;
}

#[test]
fn a_killed_rehearsal_leaves_no_server_behind() {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "rehearsal::servers::the_victim"])
        .env(VICTIM, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let number = victim.id();
    wait_until("the victim has a server", || {
        folders_of(number).first().is_some_and(|folder| folder.join("data/postmaster.pid").exists())
    });
    let folder = folders_of(number).remove(0);
    assert!(!processes_in(&folder).is_empty());
    victim.kill().unwrap();
    victim.wait().unwrap();
    wait_until("the server ends with its owner", || processes_in(&folder).is_empty() && !folder.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_even_the_guard_left_goes_at_the_next_start() {
    let owner = Rehearser::new(stack::places().cache);
    let lazy = job(&[], &[migration(1, "create table t ()", Some("drop table t"))]);
    let before = folders_of(std::process::id());
    assert_eq!(owner.rehearse(&lazy, &Quiet).await.unwrap()[0].verdict, Verdict::Exact);
    let is_new = |folder: &PathBuf| !before.contains(folder) && folder.join("data").exists();
    // Others start servers at the same time: that of this owner is the one that ends with it.
    let candidates: Vec<PathBuf> = folders_of(std::process::id()).into_iter().filter(is_new).collect();
    drop(owner);
    assert!(candidates.iter().any(|folder| !folder.exists()), "{candidates:?}");
    // A server whose owner and guard are dead: nobody holds its lock.
    let name = format!("switchback-rehearsal-{}", stack::unique("stale"));
    let stale = Path::new("/tmp").join(&name);
    let place = if rustix_is_root() { stale } else { std::env::temp_dir().join(&name) };
    std::fs::create_dir_all(place.join("data")).unwrap();
    std::fs::write(place.with_extension("lock"), "").unwrap();
    let next = Rehearser::new(stack::places().cache);
    assert_eq!(next.rehearse(&lazy, &Quiet).await.unwrap()[0].verdict, Verdict::Exact);
    assert!(!place.exists() && !place.with_extension("lock").exists(), "{place:?}");
}

fn rustix_is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_do_not_see_each_other() {
    // The same role, and the same names, with other contents.
    let of = |column: &str| {
        let up = format!(
            "create role it_same; create table t ({column} int); grant select on t to it_same; select pg_sleep(0.2)"
        );
        job(&[], &[migration(1, &up, Some("drop table t; drop role it_same"))])
    };
    let (one, two) = (of("a"), of("b"));
    let (one, two) = tokio::join!(certificates(&one), certificates(&two));
    assert_eq!([&one[0].verdict, &two[0].verdict], [&Verdict::Exact, &Verdict::Exact]);
    // A role that is left behind is not there for the next one either.
    let left = job(&[], &[migration(1, "create role it_left", Some("select 1"))]);
    for _ in 0..2 {
        assert_eq!(certificates(&left).await[0].verdict.detail(), "role it_left: left behind");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_not_to_be_had_is_said() {
    let mut job = job(&[], &[migration(1, "select 1", Some("select 1"))]);
    job.settings.version = Some(9);
    let found = certificates(&job).await.remove(0);
    let why = "PostgreSQL 9 is not installed, and there is no pinned package of that version".to_owned();
    assert_eq!((found.verdict, found.server.as_str()), (Verdict::NotRehearsed { why }, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pinned_version_rehearses() {
    // Each is a download of some megabytes, once.
    let versions: &[u32] =
        if std::env::var_os("SWITCHBACK_TEST_LONG").is_some() { &[13, 14, 15, 16, 17, 18] } else { &[15] };
    for version in versions {
        let steps = [
            migration(2, "alter table app.parent add b int not null default 7", Some("alter table app.parent drop b")),
            migration(3, "alter table app.orders alter note drop not null", Some("select 1")),
        ];
        let mut job = job(&[super::downs::BASE], &steps);
        job.settings.version = Some(*version);
        let found = certificates(&job).await;
        assert!(found[0].server.starts_with(&format!("{version}.")), "{found:?}");
        assert_eq!(found[0].verdict, Verdict::Exact, "{version}");
        assert!(
            found[1].verdict.detail().contains("column note: NOT NULL missing"),
            "{version}: {:?}",
            found[1].verdict
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_is_quick_and_three_hundred_are_too() {
    let text = |number: i64| {
        migration(
            number,
            &format!(
                "create table t{number} (id bigint primary key, a text not null default 'x'); create index t{number}_a on t{number} (a)"
            ),
            Some(&format!("drop table t{number}")),
        )
    };
    let one = job(&[], &[text(1)]);
    certificates(&one).await;
    let started = Instant::now();
    assert_eq!(certificates(&one).await[0].verdict, Verdict::Exact);
    let warm = started.elapsed();
    let count = if std::env::var_os("SWITCHBACK_TEST_LONG").is_some() { 300 } else { 30 };
    let steps: Vec<_> = (1..=count).map(text).collect();
    let started = Instant::now();
    let found = certificates(&job(&[], &steps)).await;
    assert!(found.len() == steps.len() && found.iter().all(|found| found.verdict == Verdict::Exact));
    // How long it takes is a matter of the machine: `benches/bench.sh rehearsal` measures it.
    println!("one migration, warm: {warm:?}; {count}: {:?}", started.elapsed());
}
