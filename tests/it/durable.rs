//! What the file ledger says is written is on the disk: the real binary's own calls, as the kernel saw them.
//!
//! Invariant: between a write to the chain and whatever follows it stands a sync of the chain; a new name is synced in
//! its folder before anything is written under it.

use std::process::Command;

const SPEC: &str = r#"
environment "dev" {}
resource "terraform_data" "first" { input = "a" }
resource "terraform_data" "second" { input = terraform_data.first.id }
"#;

/// The calls of one `up`, as `strace` prints them: `process call(descriptor</path>, …) = result`.
fn calls() -> (String, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| std::fs::write(folder.path().join(path), text).expect("written");
    std::fs::create_dir(folder.path().join("environments")).expect("made");
    write("switchback.hcl", "project \"durable\" {\n  ledger = \"file:new/ledger\"\n}\n");
    write("environments/dev.hcl", SPEC);
    let trace = folder.path().join("trace");
    let status = Command::new("strace")
        .args(["-f", "-y", "-z", "-e", "trace=openat,mkdir,write,fsync,fdatasync", "-o"])
        .arg(&trace)
        .args([env!("CARGO_BIN_EXE_switchback"), "up", "dev"])
        .current_dir(folder.path())
        .env("NO_COLOR", "1")
        .output()
        .expect("strace is installed by `./dev setup`");
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    let text = std::fs::read_to_string(&trace).expect("the trace is there");
    let place = folder.path().display().to_string();
    let is_ours = |line: &&str| line.contains(&place) && !line.contains(" resumed>") && !line.contains("/trace");
    (place.clone(), text.lines().filter(is_ours).map(str::to_owned).collect())
}

#[test]
fn every_write_to_the_chain_is_synced_before_anything_else_happens_to_it() {
    let (place, calls) = calls();
    let is = |line: &String, call: &str, path: &str| line.contains(&format!("{call}(")) && line.contains(path);
    let chain: Vec<&String> =
        calls.iter().filter(|line| line.contains("dev.jsonl>") && !is(line, "openat", "")).collect();
    let writes: Vec<usize> = (0..chain.len()).filter(|at| is(chain[*at], "write", "")).collect();
    assert!(writes.len() > 6, "{calls:#?}");
    for at in writes {
        assert!(chain.get(at + 1).is_some_and(|line| is(line, "fdatasync", "")), "{:#?}", &chain[at..]);
    }
    let first = calls.iter().position(|line| is(line, "write", "dev.jsonl>")).expect("it is written");
    let made =
        calls.iter().position(|line| line.contains("dev.jsonl") && line.contains("O_CREAT")).expect("it is made");
    let synced = |from: usize, folder: &str| calls[from..first].iter().any(|line| is(line, "fsync", folder));
    assert!(synced(made, "/new/ledger>"), "the chain's name is durable: {:#?}", &calls[..=first]);
    assert!(synced(0, "/new>") && synced(0, &format!("{place}>")), "so are its folders': {:#?}", &calls[..=first]);
}
