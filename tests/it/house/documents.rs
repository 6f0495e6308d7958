//! What the documents say about the repository is true: paths, links, commands, the map of modules.
//!
//! Invariant: a document names a path in backticks or as a link, from the root of the repository; `NAME` in
//! capitals stands for any one name.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use super::layers::order;

static BACKTICKED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"`([^`\n]+)`").expect("the pattern is right"));
static PATH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\.?[\w.-]+(?:/[\w.-]+)+/?$|^[\w.-]+/$|^[\w.-]+\.(?:rs|toml|md|sh|hcl|lock)$|^LICENSE[\w-]*$")
        .expect("the pattern is right")
});
static LINK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\]\(([^)\s#]+)(?:#[^)]*)?\)").expect("the pattern is right"));
static ANCHOR: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\]\(([^)\s#]*)#([^)\s]+)\)").expect("the pattern is right"));
static ROW: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?m)^\| `src/(\w+)\.rs`").expect("the pattern is right"));
static COMMAND: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\./dev ([a-z]+)").expect("the pattern is right"));

/// The paths that a text names in backticks.
fn paths(text: &str) -> Vec<String> {
    let named = BACKTICKED.captures_iter(text).map(|found| found[1].to_owned());
    named.filter(|name| PATH.is_match(name)).collect()
}

/// Whether something is there; `NAME` and `NAME.rs` in capitals stand for any one name.
fn exists(folder: &Path, path: &str) -> bool {
    let (head, rest) = path.trim_end_matches('/').split_once('/').unwrap_or((path.trim_end_matches('/'), ""));
    let leads_on = |inner: &Path| if rest.is_empty() { inner.exists() } else { exists(inner, rest) };
    let (stem, extension) = head.split_once('.').unwrap_or((head, ""));
    if leads_on(&folder.join(head)) || stem.len() < 2 || !stem.chars().all(|c| c.is_ascii_uppercase()) {
        return leads_on(&folder.join(head));
    }
    let entries = folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    let fits =
        |inner: &PathBuf| inner.extension().unwrap_or_default() == extension && inner.is_dir() == extension.is_empty();
    entries.filter(fits).any(|inner| leads_on(&inner))
}

/// The Markdown files of the repository.
fn documents() -> Vec<(String, String)> {
    let documents = super::files().into_iter().filter(|path| path.ends_with(".md"));
    documents.map(|path| (path.clone(), super::text(&path))).collect()
}

/// The anchors of a document, as GitHub makes them of its headings.
fn anchors(text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut found: Vec<String> = Vec::new();
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        let Some(heading) = line.strip_prefix('#').filter(|_| !is_code) else { continue };
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let times = found.iter().filter(|known| **known == anchor).count();
        found.push(if times == 0 { anchor } else { format!("{anchor}-{times}") });
    }
    found
}

/// The pages of the book: everything that is written in `docs`, decisions apart.
fn pages() -> Vec<String> {
    let pages = super::files().into_iter().filter_map(|path| path.strip_prefix("docs/").map(str::to_owned));
    pages.filter(|page| page.ends_with(".md") && page != "README.md" && !page.starts_with("decisions/")).collect()
}

/// The `./dev` verbs that a script runs, in order, comments apart.
fn commands(script: &str) -> Vec<String> {
    let code = script.lines().filter(|line| !line.trim_start().starts_with('#'));
    code.flat_map(|line| COMMAND.captures_iter(line).map(|found| found[0].to_owned()).collect::<Vec<_>>()).collect()
}

/// The commands in the first fenced block of a document.
fn first_block(text: &str) -> Vec<String> {
    let block = text.split("```").nth(1).expect("the document has a fenced block");
    let lines = block.lines().skip(1).map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

/// The verbs of the development script.
fn verbs(script: &str) -> Vec<String> {
    let label = Regex::new(r"(?m)^    ([a-z]+)\) ").expect("the pattern is right");
    label.captures_iter(script).map(|found| found[1].to_owned()).collect()
}

#[test]
fn every_path_of_the_map_exists() {
    let named = paths(&super::text("ARCHITECTURE.md"));
    assert!(named.len() > 40, "only {} paths were found in ARCHITECTURE.md", named.len());
    let missing: Vec<String> = named.into_iter().filter(|path| !exists(super::root(), path)).collect();
    super::none("ARCHITECTURE.md names what is not there:", &missing);
}

#[test]
fn a_path_that_is_not_there_is_seen() {
    let text = "`src/lib.rs`, `src/nothing.rs`, `Cargo.toml`, `Nothing.toml`, `house/KIND`, `tests/KIND/house.rs`, `tests/it/VERB.rs`, `tests/it/VERB.hcl`, `a | b`, `x::y`";
    let named = paths(text);
    assert_eq!(
        named,
        [
            "src/lib.rs",
            "src/nothing.rs",
            "Cargo.toml",
            "Nothing.toml",
            "house/KIND",
            "tests/KIND/house.rs",
            "tests/it/VERB.rs",
            "tests/it/VERB.hcl"
        ]
    );
    let missing: Vec<_> = named.iter().filter(|path| !exists(super::root(), path)).collect();
    assert_eq!(missing, ["src/nothing.rs", "Nothing.toml", "house/KIND", "tests/it/VERB.hcl"]);
}

#[test]
fn the_map_lists_the_modules_in_the_order_of_the_law() {
    let map = super::text("ARCHITECTURE.md");
    let listed: Vec<String> = ROW.captures_iter(&map).map(|row| row[1].to_owned()).collect();
    assert_eq!(listed, order(&super::text("src/lib.rs")), "the table of ARCHITECTURE.md (left) and src/lib.rs (right)");
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut broken = Vec::new();
    for (path, text) in documents() {
        let folder = super::root().join(&path).parent().expect("a file has a folder").to_owned();
        let links = LINK.captures_iter(&text).map(|link| link[1].to_owned());
        let local = links.filter(|link| !link.contains("://") && !link.starts_with("mailto:"));
        broken.extend(local.filter(|link| !folder.join(link).exists()).map(|link| format!("{path}: {link}")));
    }
    super::none("a link leads nowhere:", &broken);
}

#[test]
fn every_anchor_of_a_link_is_a_heading() {
    let mut broken = Vec::new();
    for (path, text) in documents() {
        let folder = super::root().join(&path).parent().expect("a file has a folder").to_owned();
        for link in ANCHOR.captures_iter(&text).filter(|link| !link[1].contains("://")) {
            let file = if link[1].is_empty() { super::root().join(&path) } else { folder.join(&link[1]) };
            let target = std::fs::read_to_string(file).unwrap_or_default();
            if !anchors(&target).contains(&link[2].to_owned()) {
                broken.push(format!("{path}: {}#{}", &link[1], &link[2]));
            }
        }
    }
    super::none("a link leads to a heading that is not there:", &broken);
    assert_eq!(anchors("# A b, `c`!\n```\n# no\n```\n## A b c"), ["a-b-c", "a-b-c-1"]);
}

#[test]
fn every_page_of_the_book_is_in_one_list_of_its_contents() {
    let contents = super::text("docs/README.md");
    let (doors, lists) = contents.split_once("\n---\n").expect("the doors stand above the lists");
    let pages = pages();
    assert!(pages.len() > 30, "the pages were not found: {pages:?}");
    let times = |page: &String| lists.matches(&format!("({page})")).count();
    let wrong: Vec<String> =
        pages.iter().filter(|page| times(page) != 1).map(|page| format!("{page}: {} times", times(page))).collect();
    super::none("a page does not stand once in the lists of docs/README.md:", &wrong);
    for door in ["I run the pipeline", "I review migrations", "My team ships a service", "It is 3 am"] {
        assert!(doors.contains(&format!("## {door}\n")), "a door is missing: {door}");
    }
    assert!(super::text("README.md").contains("(docs/README.md)"), "README.md does not lead to the book");
}

#[test]
fn the_readme_and_ci_run_the_same_two_commands() {
    let readme = first_block(&super::text("README.md"));
    assert_eq!(readme, ["./dev up", "./dev test"], "the first block of README.md is its two commands");
    assert_eq!(commands(&super::text(".ci/run")), readme, "the commands of .ci/run");
    let workflow = super::text(".github/workflows/ci.yml");
    assert!(workflow.contains("bash .ci/run"), "the public workflow runs something else than .ci/run");
}

#[test]
fn the_development_script_has_every_verb_that_is_written_about() {
    let script = super::text("dev");
    let verbs = verbs(&script);
    assert!(verbs.len() > 4, "the verbs of ./dev were not found: {verbs:?}");
    let help =
        script.split_once("<<'HELP'").and_then(|(_, rest)| rest.split_once("\nHELP")).map_or("", |(help, _)| help);
    let mut wrong: Vec<String> = verbs
        .iter()
        .filter(|verb| !help.contains(&format!("\n  {verb} ")))
        .map(|verb| format!("./dev help: {verb}"))
        .collect();
    for (path, text) in documents() {
        let unknown =
            COMMAND.captures_iter(&text).map(|found| found[1].to_owned()).filter(|verb| !verbs.contains(verb));
        wrong.extend(unknown.map(|verb| format!("{path}: ./dev {verb}")));
    }
    super::none("a verb of ./dev is missing from its help, or a document names one that is not there:", &wrong);
}

#[test]
fn every_decision_is_in_the_list() {
    let list = super::text("docs/decisions/README.md");
    let pages = super::files().into_iter().filter_map(|path| path.strip_prefix("docs/decisions/").map(str::to_owned));
    let pages: Vec<String> = pages.filter(|page| page != "README.md").collect();
    assert!(pages.len() > 3, "the decisions were not found");
    let missing: Vec<String> = pages.into_iter().filter(|page| !list.contains(&format!("({page})"))).collect();
    super::none("docs/decisions/README.md does not list:", &missing);
}
