//! What differs between two texts of several lines. Pure.
//!
//! Invariant: lines that both have in the same order are not told.

use super::{Difference, Shown};
use crate::value::Value;

/// The most lines that are compared one by one.
const MOST: usize = 400;

/// Adds the lines that differ; whether the two are texts of lines, so that nothing else has to be said.
pub(super) fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<Difference>) -> bool {
    let (Some(before), Some(after)) = (before.as_str(), after.as_str()) else { return false };
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let is_one_line = |lines: &[&str]| lines.len() < 2;
    // Texts that differ in how their lines end have no line to tell.
    if (is_one_line(&old) && is_one_line(&new)) || old.len().max(new.len()) > MOST || old == new {
        return false;
    }
    let shown = |line: &str| Some(Shown::of(&line.into()));
    let at = |number: usize| format!("{path}[line {}]", number + 1);
    for (from, to) in parts(&old, &new) {
        for offset in 0..from.len().max(to.len()) {
            let (gone, made) = (from.clone().nth(offset), to.clone().nth(offset));
            let before = gone.and_then(|number| shown(old[number]));
            let after = made.and_then(|number| shown(new[number]));
            found.push(Difference { path: at(made.or(gone).unwrap_or_default()), before, after });
        }
    }
    true
}

type Range = std::ops::Range<usize>;

/// The stretches of both that are not common to them, after the longest common sequence.
fn parts(old: &[&str], new: &[&str]) -> Vec<(Range, Range)> {
    let width = new.len() + 1;
    let mut longest = vec![0_u32; (old.len() + 1) * width];
    for from in (0..old.len()).rev() {
        for to in (0..new.len()).rev() {
            longest[from * width + to] = match old[from] == new[to] {
                true => longest[(from + 1) * width + to + 1] + 1,
                false => longest[(from + 1) * width + to].max(longest[from * width + to + 1]),
            };
        }
    }
    let (mut from, mut to, mut parts) = (0, 0, Vec::new());
    while from < old.len() || to < new.len() {
        let (first, second) = (from, to);
        while (from < old.len() || to < new.len()) && (from == old.len() || to == new.len() || old[from] != new[to]) {
            let goes = to == new.len()
                || (from < old.len() && longest[(from + 1) * width + to] >= longest[from * width + to + 1]);
            match goes {
                true => from += 1,
                false => to += 1,
            }
        }
        if (from, to) != (first, second) {
            parts.push((first..from, second..to));
        }
        while from < old.len() && to < new.len() && old[from] == new[to] {
            (from, to) = (from + 1, to + 1);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &str, after: &str) -> Option<Vec<String>> {
        let mut found = Vec::new();
        let side = |shown: Option<Shown>| shown.map_or_else(|| "-".to_owned(), |shown| shown.to_string());
        compare("t", &before.into(), &after.into(), &mut found).then(|| {
            found.into_iter().map(|one| format!("{}: {} -> {}", one.path, side(one.before), side(one.after))).collect()
        })
    }

    #[test]
    fn only_lines_that_differ_are_told() {
        assert_eq!(told("a\nb\nc\n", "a\nB\nc\n").unwrap(), ["t[line 2]: \"b\" -> \"B\""]);
        assert_eq!(told("a\nc\n", "a\nb\nc\nd\n").unwrap(), ["t[line 2]: - -> \"b\"", "t[line 4]: - -> \"d\""]);
        assert_eq!(told("a\nb\nc\n", "c\n").unwrap(), ["t[line 1]: \"a\" -> -", "t[line 2]: \"b\" -> -"]);
        assert_eq!(told("one", "two"), None, "a word is shown whole");
        assert_eq!(told("a\nb\n", "a\nb"), None, "and so is what has no other lines");
    }
}
