//! refinery's own runner agrees with ours: both of its builds, each on a table of its own kind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use switchback::migration::checksum::checksum;
use switchback::provider::postgres::Migrator;
use switchback::world::Databases as _;

use crate::postgres::{connection, down, session, up};
use crate::postgres_shop::{folder, shop};
use crate::stack;

/// The programs, built once: separate calls of Cargo, so that the features of the two builds stay apart.
static PROGRAMS: LazyLock<(PathBuf, PathBuf)> = LazyLock::new(|| (build("narrow"), build("wide")));

fn build(kind: &str) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refinery").join(kind);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("refinery");
    let done = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--quiet", "--manifest-path"])
        .arg(package.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    target.join("debug").join(format!("refinery-{kind}"))
}

fn refinery(program: &Path, mode: &str, url: &str, rest: &[&str]) -> Output {
    Command::new(program).arg(mode).arg(folder()).arg(url).args(rest).output().unwrap()
}

/// refinery itself, in its usual build, on a folder.
pub fn narrow(mode: &str, folder: &Path, url: &str, rest: &[&str]) -> Output {
    Command::new(&PROGRAMS.0).arg(mode).arg(folder).arg(url).args(rest).output().unwrap()
}

fn pending(program: &Path, url: &str) -> (Option<i32>, String) {
    let output = refinery(program, "pending", url, &[]);
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (
        output.status.code(),
        if output.status.success() {
            text
        } else {
            format!("{text} {}", String::from_utf8_lossy(&output.stderr)).trim().to_owned()
        },
    )
}

#[tokio::test]
async fn the_narrow_build_finds_nothing_pending_after_ours() {
    let (narrow, _) = &*PROGRAMS;
    let url = stack::shared().new_database("refinery_narrow");
    let migrations = shop();
    let (last, first) = migrations.split_last().unwrap();
    for migration in first {
        up(&url, migration).await;
    }
    assert_eq!(pending(narrow, &url), (Some(3), "1".to_owned()));
    up(&url, last).await;
    assert_eq!(pending(narrow, &url), (Some(0), "0".to_owned()));
    down(&url, last).await;
    assert_eq!(pending(narrow, &url), (Some(3), "1".to_owned()));
    up(&url, last).await;
    assert_eq!(pending(narrow, &url), (Some(0), "0".to_owned()));
    // That it looks at checksums at all:
    let tampering = "update refinery_schema_history set checksum = '1' where version = 3";
    session(&url).await.batch_execute(tampering).await.unwrap();
    let (code, text) = pending(narrow, &url);
    assert!(code == Some(1) && text.contains("DivergentVersion"), "{code:?} {text}");
}

#[tokio::test]
async fn the_wide_build_makes_the_table_and_ours_goes_on() {
    let (narrow, wide) = &*PROGRAMS;
    let url = stack::shared().new_database("refinery_wide");
    let migrations = shop();
    let output = refinery(wide, "apply", &url, &["4"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let ours: Vec<_> = migrations[..4]
        .iter()
        .map(|migration| format!("{} {}", migration.label(), checksum(migration, true)))
        .collect();
    assert_eq!(theirs, ours.join("\n"), "the wide checksums are refinery's own");
    let history = Migrator::default().history(&connection(&url)).await.unwrap().unwrap();
    assert!(history.wide && history.rows.len() == 4);
    for migration in &migrations[4..] {
        up(&url, migration).await;
    }
    assert_eq!(pending(wide, &url), (Some(0), "0".to_owned()));
    let (code, _) = pending(narrow, &url);
    assert_ne!(code, Some(0), "the narrow build cannot even read a wide table");
}

#[tokio::test]
async fn the_narrow_build_makes_the_table_and_ours_takes_its_work_back() {
    let (narrow, _) = &*PROGRAMS;
    let url = stack::shared().new_database("refinery_first");
    let migrations = shop();
    assert!(refinery(narrow, "apply", &url, &["4"]).status.success());
    for migration in migrations[..4].iter().rev() {
        down(&url, migration).await;
    }
    let history = Migrator::default().history(&connection(&url)).await.unwrap().unwrap();
    assert!(!history.wide && history.rows.is_empty());
    assert!(refinery(narrow, "apply", &url, &["4"]).status.success());
}
