//! The import law: a module names only modules above it in `src/lib.rs`; within a module there are no circles.
//!
//! Invariant: a path counts wherever it stands (`use`, an expression, a type, a macro), outside of test items.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::source::{Source, blank, line, sources};

static MODULE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^(?:pub(?:\([^)]*\))? )?mod (\w+);").expect("the pattern is right"));
static TOKEN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\w+|::|\S").expect("the pattern is right"));

/// The modules of the crate in the order of the law.
pub fn order(library: &str) -> Vec<String> {
    MODULE.captures_iter(&blank(library)).map(|found| found[1].to_owned()).collect()
}

/// A path in a source, made absolute: the segments below the crate's root.
#[derive(Debug)]
struct Named {
    line: usize,
    from: Vec<String>,
    path: Vec<String>,
    glob: bool,
}

type Token<'a> = (usize, &'a str);

/// Every path of a source that begins with `crate`, `super` or `self`.
fn named(source: &Source) -> Vec<Named> {
    let tokens: Vec<Token<'_>> = TOKEN.find_iter(&source.code).map(|token| (token.start(), token.as_str())).collect();
    let mut found = Vec::new();
    let mut module = source.module.clone();
    let mut depth = 0_usize;
    let mut inner: Vec<usize> = Vec::new();
    for (at, (offset, token)) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", |before| tokens[before].1);
        match *token {
            "{" => {
                depth += 1;
                if at >= 2 && tokens[at - 2].1 == "mod" {
                    module.push(before.to_owned());
                    inner.push(depth);
                }
            }
            "}" => {
                if inner.last() == Some(&depth) {
                    inner.pop();
                    module.pop();
                }
                depth = depth.saturating_sub(1);
            }
            "crate" | "super" | "self" if before != "::" && tokens.get(at + 1).is_some_and(|next| next.1 == "::") => {
                let mut leaves = Vec::new();
                leaves_of(&tokens, at, &mut Vec::new(), &mut leaves);
                let line = line(&source.code, *offset);
                found.extend(leaves.into_iter().map(|leaf| absolute(&module, leaf, line)));
            }
            "crate" if before == "use" => {
                let line = line(&source.code, *offset);
                found.push(Named { line, from: module.clone(), path: Vec::new(), glob: true });
            }
            _ => {}
        }
    }
    found
}

/// Gathers the leaves of a path or use tree; gives the position after it.
fn leaves_of(tokens: &[Token<'_>], mut at: usize, prefix: &mut Vec<String>, leaves: &mut Vec<Vec<String>>) -> usize {
    let kept = prefix.len();
    while let Some((_, token)) = tokens.get(at) {
        if *token == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|next| next.1 != "}") {
                at = if tokens[at].1 == "," { at + 1 } else { leaves_of(tokens, at, prefix, leaves).max(at + 1) };
            }
            at += 1;
            break;
        }
        prefix.push((*token).to_owned());
        at += 1;
        if tokens.get(at).is_none_or(|next| next.1 != "::") || tokens.get(at + 1).is_some_and(|next| next.1 == "<") {
            leaves.push(prefix.clone());
            break;
        }
        at += 1;
    }
    prefix.truncate(kept);
    // `as other` belongs to the leaf before it.
    if tokens.get(at).is_some_and(|next| next.1 == "as") { at + 2 } else { at }
}

/// The path as seen from the crate's root.
fn absolute(module: &[String], leaf: Vec<String>, line: usize) -> Named {
    let mut path: Vec<String> = Vec::new();
    let mut glob = false;
    for (position, segment) in leaf.into_iter().enumerate() {
        match segment.as_str() {
            "crate" => path.clear(),
            "self" if position == 0 => path = module.to_vec(),
            "super" => {
                if position == 0 {
                    path = module.to_vec();
                }
                path.pop();
            }
            "self" => {}
            "*" => glob = true,
            _ => path.push(segment),
        }
    }
    Named { line, from: module.to_vec(), path, glob }
}

/// All breaches of the law among these sources.
pub fn breaches(order: &[String], sources: &[Source]) -> Vec<String> {
    let rank = |name: &String| order.iter().position(|module| module == name);
    let mut breaches = Vec::new();
    let mut beside: BTreeMap<Vec<String>, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    let modules: BTreeSet<&Vec<String>> = sources.iter().map(|source| &source.module).collect();
    for source in sources.iter().filter(|source| !source.module.is_empty() && source.path != "src/main.rs") {
        let Some(own) = rank(&source.module[0]) else {
            breaches.push(format!("{}: src/lib.rs does not list `{}`", source.path, source.module[0]));
            continue;
        };
        for named in named(source) {
            let place = format!("{}:{}", source.path, named.line);
            match named.path.first() {
                None if named.glob => breaches.push(format!("{place}: takes in the whole crate root")),
                None => {}
                Some(top) => match rank(top) {
                    None => breaches.push(format!("{place}: names `{top}` at the crate root, which is no module")),
                    Some(other) if other > own => {
                        breaches.push(format!("{place}: `{}` names `{top}`, which stands below it", source.module[0]));
                    }
                    Some(_) => note_sibling(&named, &modules, &mut beside),
                },
            }
        }
    }
    breaches.dedup(); // one `use` line that names a module twice is one breach
    for (parent, edges) in &beside {
        breaches
            .extend(circle(edges).map(|names| format!("src/{}: a circle, {}", parent.join("/"), names.join(" -> "))));
    }
    breaches
}

/// Notes which child of a module names which other child of it.
fn note_sibling(
    named: &Named,
    modules: &BTreeSet<&Vec<String>>,
    beside: &mut BTreeMap<Vec<String>, BTreeMap<String, BTreeSet<String>>>,
) {
    let shared = named.from.iter().zip(&named.path).take_while(|(from, to)| from == to).count();
    let (Some(from), Some(to)) = (named.from.get(shared), named.path.get(shared)) else { return };
    let is_module = |name: &String| modules.contains(&[&named.path[..shared], std::slice::from_ref(name)].concat());
    if shared > 0 && is_module(from) && is_module(to) {
        beside.entry(named.path[..shared].to_vec()).or_default().entry(from.clone()).or_default().insert(to.clone());
    }
}

/// A circle of names, if there is one: what is left when all that name nothing are taken away, again and again.
fn circle(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut left: BTreeMap<&String, BTreeSet<&String>> =
        edges.iter().map(|(from, to)| (from, to.iter().collect())).collect();
    loop {
        let open: BTreeSet<&String> = left.keys().copied().collect();
        let before: usize = left.values().map(BTreeSet::len).sum();
        left.values_mut().for_each(|to| to.retain(|name| open.contains(name)));
        left.retain(|_, to| !to.is_empty());
        if left.is_empty() {
            return None;
        }
        if before == left.values().map(BTreeSet::len).sum::<usize>() {
            break;
        }
    }
    // Everyone left leads to someone left: walk until a name comes again.
    let mut walk = vec![*left.keys().next()?];
    loop {
        let next = *left[walk[walk.len() - 1]].first()?;
        let seen = walk.iter().position(|name| *name == next);
        walk.push(next);
        if let Some(start) = seen {
            return Some(walk[start..].iter().map(|name| (*name).clone()).collect());
        }
    }
}

#[test]
fn every_module_names_only_modules_above_it() {
    let order = order(&super::text("src/lib.rs"));
    assert!(order.len() > 10, "the mod lines of src/lib.rs were not found");
    super::none(
        "a module names only modules above it in src/lib.rs (ARCHITECTURE.md says why):",
        &breaches(&order, &sources()),
    );
}

#[test]
fn the_crate_root_holds_only_modules() {
    let rest = Regex::new(r"#!?\[[^\]]*\]").expect("the pattern is right");
    let code = blank(&super::text("src/lib.rs"));
    let code = MODULE.replace_all(&code, "");
    let code = rest.replace_all(&code, "");
    assert_eq!(code.trim(), "", "src/lib.rs holds more than mod lines: whoever names it would go round the law");
}

#[test]
fn a_forbidden_import_is_refused_wherever_it_hides() {
    let order: Vec<String> = ["value", "plan", "cli"].map(str::to_owned).into();
    let cases = [
        ("src/value.rs", "use crate::plan::Step;"),
        ("src/value.rs", "use crate::{value::V, plan};"),
        ("src/value.rs", "use crate::{\n    value::{V, W as U},\n    plan::{self, A},\n};"),
        ("src/value.rs", "fn f() -> u8 { crate::plan::count::<u8>() }"),
        ("src/value.rs", "use super::cli::run;"),
        ("src/value.rs", "use super::*;"),
        ("src/value.rs", "use crate as root;"),
        ("src/value.rs", "macro_rules! m { () => { $crate::cli::run() } }"),
        ("src/value.rs", "mod inner { fn f() { super::super::plan::f() } }"),
        ("src/value/json.rs", "use super::super::plan::Step;"),
        ("src/plan/order.rs", "type T = Vec<crate::cli::Verb>;"),
        ("src/plan.rs", "pub(in crate::cli) fn f() {}"),
        ("src/plan.rs", "mod inner { fn f() {} } use super::cli::run;"),
        ("src/plan.rs", "use crate::Shortcut;"),
        ("src/secret.rs", "fn f() {}"),
    ];
    for (path, text) in cases {
        let found = breaches(&order, &[Source::new(path, text)]);
        assert_eq!(found.len(), 1, "{path} with `{text}` gives {found:?}");
    }
}

#[test]
fn what_the_law_allows_is_allowed() {
    let order: Vec<String> = ["value", "plan", "cli"].map(str::to_owned).into();
    let good = [
        Source::new(
            "src/value.rs",
            "pub mod json;\n// use crate::cli;\npub use self::json::Json; pub use json::parse;",
        ),
        Source::new("src/value/json.rs", "use super::Value; fn f(this: &self::G) -> super::super::value::Value {}"),
        Source::new("src/plan.rs", "use crate::value::{self, json::{Json as J}, *}; const S: &str = \"crate::cli\";"),
        Source::new(
            "src/plan/order.rs",
            "use crate::plan::invert::A;\n#[cfg(test)]\nmod tests { use crate::cli::run; }",
        ),
        Source::new("src/plan/invert.rs", "use super::super::plan::Step; impl X { fn f(self) {} }"),
        Source::new("src/cli.rs", "use crate::{plan, value::Value}; mod inner { use super::super::value::V; }"),
    ];
    assert_eq!(breaches(&order, &good), Vec::<String>::new());
}

#[test]
fn a_circle_among_the_children_of_a_module_is_refused() {
    let order = ["plan".to_owned()];
    let sources = [
        Source::new("src/plan.rs", "mod a; mod b; mod c;"),
        Source::new("src/plan/a.rs", "use super::b::B;"),
        Source::new("src/plan/b.rs", "use crate::plan::c::C;"),
        Source::new("src/plan/c.rs", "fn f() { super::a::f() }"),
    ];
    assert_eq!(breaches(&order, &sources), ["src/plan: a circle, a -> b -> c -> a"]);
    assert_eq!(breaches(&order, &sources[..3]), Vec::<String>::new());
}

#[test]
fn one_line_added_to_the_real_sources_is_found() {
    let order = order(&super::text("src/lib.rs"));
    let (first, last) = (&order[0], &order[order.len() - 1]);
    let mut sources = sources();
    let path = format!("src/{first}.rs");
    let at = sources.iter().position(|source| source.path == path).expect("the first module has a file");
    sources[at] = Source::new(&path, &format!("{}\nuse crate::{last}::Anything;\n", sources[at].text));
    let found = breaches(&order, &sources);
    assert!(found.iter().any(|breach| breach.contains(&format!("`{first}` names `{last}`"))), "{found:?}");
}
