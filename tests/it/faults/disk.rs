//! A disk that is full, or read-only. It is a small one of the test's own, which only its processes see.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{can_only_be_looked_at, ends_half_way, eventually, puts, shop_with_big};
use crate::shop::project::Project;
use crate::shop::world::{assert_nothing_is_left, everything};

/// A disk in memory, mounted in a space of mounts of its own: it is gone with the process that holds that.
struct Disk {
    folder: tempfile::TempDir,
    holder: Child,
    entering: Vec<String>,
}

impl Disk {
    /// As root without more, as anybody in a user namespace.
    fn new(size: &str) -> Self {
        Self::held(size, &[])
            .or_else(|as_root| Self::held(size, &["--user", "--map-root-user"]).map_err(|other| as_root + &other))
            .unwrap_or_else(|why| panic!("a disk of its own needs root or user namespaces, and here is neither: {why}"))
    }

    fn held(size: &str, user: &[&str]) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let script = format!("mount -t tmpfs -o size={size},mode=700 tmpfs {path} && echo ready && read line");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]).args(user).args(["sh", "-c", &script]);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut holder = spawned.map_err(|error| format!("unshare: {error}; "))?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line != "ready\n" {
            let output = holder.wait_with_output().unwrap();
            return Err(format!("{}; ", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let mut entering: Vec<String> = vec!["nsenter".into(), "--target".into(), holder.id().to_string()];
        entering.push("--mount".into());
        if !user.is_empty() {
            entering.extend(["--user".into(), "--preserve-credentials".into()]);
        }
        Ok(Self { folder, holder, entering })
    }

    /// A shop whose ledger lies on this disk, and whose program sees it.
    fn keeps_ledger_of(&self, shop: &mut Project) {
        // What could not be written is tried again while the lease lasts.
        shop.set("SWITCHBACK_LEASE", "15s");
        shop.set("SWITCHBACK_LEDGER", &format!("file:{}", self.path().join("ledger").display()));
        let mut words: Vec<&str> = self.entering.iter().map(String::as_str).collect();
        let folder = format!("--wd={}", shop.path("").display());
        words.extend([folder.as_str(), "--"]);
        shop.wrap(&words);
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The same folder as seen from outside.
    fn seen(&self) -> PathBuf {
        let path = self.path().strip_prefix("/").unwrap();
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(path)
    }

    /// Fills every free block.
    fn fill(&self) {
        let mut filler = std::fs::File::create(self.seen().join("filler")).unwrap();
        let error = loop {
            if let Err(error) = filler.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
    }

    /// Makes room again.
    fn empty(&self) {
        std::fs::remove_file(self.seen().join("filler")).unwrap();
    }

    /// Mounts it again, `ro` or `rw`; refused while somebody is just writing.
    fn remount(&self, how: &str) {
        eventually(&format!("the remount as {how}"), || {
            let mut command = Command::new(&self.entering[0]);
            command.args(&self.entering[1..]).args(["mount", "-o", &format!("remount,{how}")]).arg(self.path());
            command.stderr(Stdio::null()).status().unwrap().success()
        });
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

const FULL: &str = "No space left on device";
const READ_ONLY: &str = "Read-only file system";
const APPLY: &[&str] = &["apply", "dev", "--auto-approve", "--no-progress"];
const TO_NOTHING: &[&str] = &["rollback", "dev", "--to", "0", "--accept-loss", "all", "--auto-approve"];

#[test]
fn a_disk_that_is_full_from_the_beginning_lets_nothing_begin() {
    let disk = Disk::new("2m");
    let mut shop = Project::shop("full");
    disk.keeps_ledger_of(&mut shop);
    disk.fill();
    let said = shop.exits(1, APPLY);
    assert!(said.err.contains(FULL) && said.err.contains("has room"), "{}", said.err);
    assert_eq!(everything(&shop), Vec::<String>::new());
    disk.empty();
    shop.ok(APPLY);
    shop.ok(TO_NOTHING);
}

#[test]
fn a_disk_that_is_full_at_an_outcome_forgets_nothing_and_the_run_is_finished() {
    let disk = Disk::new("2m");
    let (mut shop, proxy) = shop_with_big("full");
    disk.keeps_ledger_of(&mut shop);
    let mut running = shop.follow(APPLY);
    proxy.wait();
    // Everything on this side of the point of no return comes to its end first: only one outcome is missing.
    running.wait_for("V8__sync_display_name: done in");
    eventually("that the other outcomes are recorded", || {
        let status = shop.ok(&["status", "dev", "--json"]).json();
        status["unfinished"]["in_doubt"] == 1
    });
    disk.fill();
    proxy.release();
    let (said, _) = running.end();
    ends_half_way(&said, FULL);
    assert_eq!((puts(&shop, "big"), puts(&shop, "after")), (1, 0), "what could not be recorded is not followed");
    can_only_be_looked_at(&shop, FULL);
    disk.empty();
    shop.ok(&["resume", "dev", "--auto-approve"]);
    assert_eq!((puts(&shop, "big"), puts(&shop, "after")), (1, 1), "the world was asked; nothing was done twice");
    shop.ok(&["plan", "dev", "--detailed-exitcode"]);
    shop.ok(TO_NOTHING);
    assert_nothing_is_left(&shop);
}

#[test]
fn a_disk_that_becomes_read_only_in_mid_apply_forgets_nothing_and_the_run_is_taken_back() {
    let disk = Disk::new("2m");
    let (mut shop, proxy) = shop_with_big("readonly");
    disk.keeps_ledger_of(&mut shop);
    let running = shop.follow(APPLY);
    proxy.wait();
    disk.remount("ro");
    proxy.release();
    let (said, _) = running.end();
    ends_half_way(&said, READ_ONLY);
    can_only_be_looked_at(&shop, READ_ONLY);
    disk.remount("rw");
    shop.ok(TO_NOTHING);
    assert_nothing_is_left(&shop);
}
