//! What enters the dependency tree: each dependency has its reason, and `deny.toml` holds without cargo-deny.
//!
//! Invariant: the licences come from `cargo metadata` for the machine's own target, the names and sources of
//! all targets from `Cargo.lock`; nothing is downloaded beyond what a build needs.

use std::process::Command;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

static QUOTED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#""([^"]*)""#).expect("the pattern is right"));

/// The dependencies of a manifest that have no reason in a comment beside them.
fn without_reason(manifest: &str) -> Vec<String> {
    let mut in_dependencies = false;
    let mut found = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.trim_end_matches(']').ends_with("dependencies");
        } else if in_dependencies && !line.trim_start().starts_with('#') && line.contains('=') {
            let reason =
                QUOTED.replace_all(line, "").split_once('#').map_or(0, |(_, reason)| reason.split_whitespace().count());
            if reason < 1 {
                found.push(line.to_owned());
            }
        }
    }
    found
}

/// The strings of the list `key = [ … ]` in a section of `deny.toml`; of tables only those after `field =`.
fn list(deny: &str, section: &str, key: &str, field: Option<&str>) -> Vec<String> {
    let body = deny.split(&format!("\n[{section}]\n")).nth(1).unwrap_or_else(|| panic!("deny.toml has no [{section}]"));
    let body = body.split("\n[").next().unwrap_or_default();
    let from = body.find(&format!("\n{key} = [")).or_else(|| body.starts_with(&format!("{key} = [")).then_some(0));
    let rest = &body[from.unwrap_or_else(|| panic!("[{section}] has no {key}"))..];
    let inside = rest.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("", |(inside, _)| inside);
    let pattern = field
        .map_or(QUOTED.clone(), |field| Regex::new(&format!(r#"{field} = "([^"]*)""#)).expect("the pattern is right"));
    pattern.captures_iter(inside).map(|found| found[1].to_owned()).collect()
}

/// Whether the licence expression can be met with these licences (SPDX; `/` is the old way to say `OR`).
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "+WITH+");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any_of(&words, &mut at, allowed);
    met && at == words.len()
}

fn any_of(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = all_of(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all_of(words, at, allowed);
    }
    met
}

fn all_of(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed);
    }
    met
}

fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let word = words.get(*at).copied().unwrap_or_default();
    *at += 1;
    if word != "(" {
        return allowed.iter().any(|licence| *licence == word.replace("+WITH+", " WITH "));
    }
    let met = any_of(words, at, allowed);
    *at += 1;
    met
}

/// What is wrong with the packages of a `Cargo.lock`.
fn refused(lock: &str, deny: &str) -> Vec<String> {
    let banned = list(deny, "bans", "deny", Some("crate"));
    let registries = list(deny, "sources", "allow-registry", None);
    let registry = |source: &str| registries.iter().any(|allowed| source == format!("registry+{allowed}"));
    let mut found = Vec::new();
    for package in lock.split("[[package]]").skip(1) {
        let field = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")));
            line.map(|value| value.trim_matches('"').to_owned())
        };
        let name = field("name").unwrap_or_default();
        if banned.contains(&name) {
            found.push(format!("{name} is banned, deny.toml says why"));
        }
        found.extend(
            field("source").filter(|source| !registry(source)).map(|source| format!("{name} comes from {source}")),
        );
    }
    found
}

#[test]
fn each_dependency_has_its_reason_beside_it() {
    super::none("a dependency has its reason beside it in Cargo.toml:", &without_reason(&super::text("Cargo.toml")));
    let bad = "[package]\nname = \"x\"\n[dependencies]\na = \"1\" # why it is here\nb = { git = \"https://x/#y\" }\n# c\n[dev-dependencies]\nd = \"1\" #\n";
    assert_eq!(without_reason(bad), ["b = { git = \"https://x/#y\" }", "d = \"1\" #"]);
}

#[test]
fn no_banned_package_and_no_foreign_source() {
    let deny = super::text("deny.toml");
    super::none("the dependency tree holds what deny.toml refuses:", &refused(&super::text("Cargo.lock"), &deny));
    let bad = "[[package]]\nname = \"openssl-sys\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n\n\
               [[package]]\nname = \"mine\"\n\n[[package]]\nname = \"b\"\nsource = \"git+https://example.com/b#1\"\n";
    assert_eq!(
        refused(bad, &deny),
        ["openssl-sys is banned, deny.toml says why", "b comes from git+https://example.com/b#1"]
    );
}

#[test]
fn every_licence_is_allowed() {
    let host = Command::new(env!("CARGO")).args(["-vV"]).output().expect("cargo runs");
    let host = String::from_utf8_lossy(&host.stdout).into_owned();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo says its host");
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", host])
        .current_dir(super::root())
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    assert!(packages.len() > 100, "only {} packages", packages.len());
    let allowed = list(&super::text("deny.toml"), "licenses", "allow", None);
    let refused = packages.iter().filter_map(|package| {
        let licence = package["license"].as_str().unwrap_or("none");
        (!is_allowed(licence, &allowed)).then(|| format!("{}: {licence}", package["name"].as_str().unwrap_or_default()))
    });
    super::none("deny.toml does not allow these licences:", &refused.collect::<Vec<_>>());
}

#[test]
fn licence_expressions_are_read_as_spdx_reads_them() {
    let allowed: Vec<String> = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for good in
        ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(GPL-3.0 OR MIT) AND ISC", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(is_allowed(good, &allowed), "{good}");
    }
    for bad in ["", "none", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "(GPL-3.0 OR MIT) AND BSL-1.0", "MIT MIT"] {
        assert!(!is_allowed(bad, &allowed), "{bad}");
    }
}
