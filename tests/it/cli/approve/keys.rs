//! Keys of every sort, in files and in a real `ssh-agent`.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::super::Bench;
use super::{INFRASTRUCTURE, OTTO, spec, with_agent};

/// An agent that ends with the test.
struct Agent {
    child: Child,
    folder: tempfile::TempDir,
}

impl Agent {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent");
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().unwrap();
        let begun = Instant::now();
        while !socket.exists() {
            assert!(begun.elapsed() < Duration::from_secs(180), "the agent does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, folder }
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("agent")
    }

    fn add(&self, bench: &Bench, name: &str) {
        let mut command = Command::new("ssh-add");
        command.arg("-q").arg(bench.path().join("keys").join(name)).env("SSH_AUTH_SOCK", self.socket());
        assert!(command.stdin(Stdio::null()).status().unwrap().success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// An environment in which the holder of this key signs infrastructure.
fn bench_of(arguments: &[&str]) -> Bench {
    let bench = Bench::with_spec("");
    let key = bench.key_of("alice", arguments);
    let alice = format!("  approver \"alice\" {{\n    key = \"{key}\"\n    classes = [\"infrastructure\"]\n  }}\n");
    let approvers = alice + &bench.approvers(&[OTTO]);
    bench.write("environments/dev.hcl", &spec(&approvers, INFRASTRUCTURE, "one"));
    bench
}

const SORTS: [&[&str]; 5] = [
    &["-t", "ed25519", "-N", ""],
    &["-t", "ecdsa", "-b", "256", "-N", ""],
    &["-t", "ecdsa", "-b", "384", "-N", ""],
    &["-t", "ecdsa", "-b", "521", "-N", ""],
    &["-t", "rsa", "-b", "2048", "-N", ""],
];

/// A quarter of the keys of P-521 have a number that is written with fewer bytes than the others.
#[test]
fn a_key_whose_number_is_short_signs_as_well() {
    let is_short = |bench: &Bench| {
        let text = std::fs::read_to_string(bench.path().join("keys/alice")).unwrap();
        ssh_key::PrivateKey::from_openssh(text).is_err()
    };
    let bench = (0..200).map(|_| bench_of(&["-t", "ecdsa", "-b", "521", "-N", ""])).find(is_short);
    let bench = bench.expect("one of four is short");
    bench.expect(0, "approve dev --key keys/alice").has("it has every signature that it needs");
}

#[test]
fn every_sort_of_key_signs_from_a_file_from_an_agent_and_by_plain_openssh() {
    let agent = Agent::start();
    for sort in SORTS {
        let bench = bench_of(sort);
        bench.expect(0, "approve dev --key keys/alice").has("it has every signature that it needs");
        let text = bench.expect(0, "approve dev --print").out;
        bench.write("p.sig", &bench.signed("alice", "switchback", &text));
        bench.expect(0, "approve dev --signature p.sig").has("signed by alice");
        agent.add(&bench, "alice");
        // Only the public half is there.
        std::fs::remove_file(bench.path().join("keys/alice")).unwrap();
        bench.expect(3, "approve dev --key keys/alice.pub").has("its private half is not at hand");
        with_agent(&bench, &agent.socket(), 0, "approve dev --key keys/alice.pub").has("signed by alice");
        with_agent(&bench, &agent.socket(), 0, "approve dev").has("signed by alice");
        bench.expect(0, "apply dev --auto-approve").has("complete");
    }
}

#[test]
fn a_passphrase_is_asked_for_on_a_terminal_only_and_an_agent_needs_none() {
    let bench = bench_of(&["-t", "ed25519", "-N", "correct horse"]);
    let said = bench.expect(3, "approve dev --key keys/alice");
    said.has("has a passphrase, and there is no terminal to ask for it").has("ssh-add FILE").has_not("horse");
    let agent = Agent::start();
    let ask = bench.path().join("ask.sh");
    std::fs::write(&ask, "#!/bin/sh\necho 'correct horse'\n").unwrap();
    std::fs::set_permissions(&ask, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let mut command = Command::new("ssh-add");
    command.arg("-q").arg(bench.path().join("keys/alice")).env("SSH_AUTH_SOCK", agent.socket());
    command.env("SSH_ASKPASS", &ask).env("SSH_ASKPASS_REQUIRE", "force").stdin(Stdio::null());
    assert!(command.status().unwrap().success());
    with_agent(&bench, &agent.socket(), 0, "approve dev --key keys/alice").has("signed by alice");
}

#[test]
fn a_short_rsa_key_is_refused_in_the_spec() {
    let bench = bench_of(&["-t", "rsa", "-b", "1024", "-N", ""]);
    bench.expect(4, "validate dev").has("an RSA key of 1024 bits is too short");
}
