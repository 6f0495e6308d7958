//! What a shell offers, asked of a real bash that has read what `completions bash` prints.

use std::path::Path;
use std::process::Command;

use super::Bench;

/// What bash offers for the last word of a line.
fn offered(bench: &Bench, line: &str) -> Vec<String> {
    let script = "source ./script; IFS=' ' read -ra COMP_WORDS <<< \"$1\"; [[ $1 == *' ' ]] && COMP_WORDS+=('')\n\
                  COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )); COMP_TYPE=9\n\
                  function=$(complete -p switchback | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n\
                  $function switchback \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"\n\
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    let binary = Path::new(env!("CARGO_BIN_EXE_switchback")).parent().unwrap();
    let mut command = Command::new("bash");
    command.args(["--norc", "-c", script, "bash", line]).current_dir(bench.path()).env_clear();
    command.env("PATH", format!("{}:/usr/bin:/bin", binary.display())).env("HOME", bench.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    let mut found: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    found.retain(|word| !word.is_empty());
    found.sort();
    found
}

fn bench() -> Bench {
    let bench = Bench::with_spec("environment \"dev\" {}\n");
    bench.write("environments/staging.hcl", "environment \"staging\" {\n  after = \"dev\"\n}\n");
    bench.write("environments/split/one.hcl", "environment \"split\" {}\n");
    bench.write("next.plan.json", "{}\n");
    bench.write("script", &bench.expect(0, "completions bash").out);
    bench
}

#[test]
fn bash_offers_verbs_flags_and_the_environments_of_the_project() {
    let bench = bench();
    assert_eq!(offered(&bench, "switchback roll"), ["rollback"]);
    assert_eq!(offered(&bench, "switchback plan s"), ["split", "staging"]);
    assert_eq!(offered(&bench, "switchback status d"), ["dev"]);
    assert_eq!(offered(&bench, "switchback promote dev st"), ["staging"]);
    assert_eq!(offered(&bench, "switchback diff --without-schema dev st"), ["staging"]);
    assert_eq!(offered(&bench, "switchback release create d"), ["dev"]);
    assert_eq!(offered(&bench, "switchback release list --env s"), ["split", "staging"]);
    assert_eq!(offered(&bench, "switchback approve n"), ["next.plan.json"]);
    assert_eq!(offered(&bench, "switchback plan dev --detailed"), ["--detailed-exitcode"]);
    assert_eq!(offered(&bench, "switchback plan dev --as run"), ["runbook"]);
    let all = offered(&bench, "switchback apply ");
    assert!(["dev", "staging", "split"].iter().all(|name| all.contains(&(*name).to_owned())), "{all:?}");
    // A part of the ledger is no environment.
    assert_eq!(offered(&bench, "switchback state dev mv s"), Vec::<String>::new());
}

#[test]
fn what_is_hidden_is_not_offered_even_where_nothing_else_fits() {
    let bench = bench();
    assert_eq!(offered(&bench, "switchback plan dev --tell"), Vec::<String>::new());
    assert_eq!(offered(&bench, "switchback --tell"), Vec::<String>::new());
    assert_eq!(offered(&bench, "switchback local re"), Vec::<String>::new());
    let flags = offered(&bench, "switchback plan dev --");
    assert!(flags.contains(&"--json".to_owned()) && !flags.contains(&"--tell-nobody".to_owned()), "{flags:?}");
}

#[test]
fn environments_are_those_of_the_folder_that_is_worked_in() {
    let bench = bench();
    bench.write("other/switchback.hcl", "project \"other\" {}\n");
    bench.write("other/environments/elsewhere.hcl", "environment \"elsewhere\" {}\n");
    assert_eq!(offered(&bench, "switchback -C other plan e"), ["elsewhere"]);
    assert_eq!(offered(&bench, "switchback -C other plan d"), Vec::<String>::new());
    let empty = Bench::new();
    empty.write("script", &bench.read("script"));
    assert_eq!(offered(&empty, "switchback status d"), Vec::<String>::new());
    assert_eq!(offered(&empty, "switchback stat"), ["state", "status"]);
}

#[test]
fn every_shell_gets_a_script_that_asks_this_program() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        bench.expect(0, &format!("completions {shell}")).has("SWITCHBACK_COMPLETE").has("switchback");
    }
    // zsh and fish hand over the line in the same way; what is printed is what they show.
    let bench = self::bench();
    let asked = |shell: &str, words: &[&str]| {
        let mut command = bench.command("--");
        command.args(words).env("SWITCHBACK_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", "2").env("_CLAP_IFS", "\n");
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    for shell in ["zsh", "fish"] {
        let said = asked(shell, &["switchback", "plan", "s"]);
        assert!(said.contains("split") && said.contains("staging") && !said.contains("dev"), "{shell}: {said}");
    }
}
