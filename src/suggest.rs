//! Near names for messages: "did you mean". Pure.
//!
//! Invariant: a suggestion is always one of the names that were offered.

/// The offered name that is nearest to a mistyped one, if any is near enough.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    names
        .into_iter()
        .filter(|name| *name != word)
        .map(|name| (distance(word, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// "did you mean `x`?", or else what is said in its place.
pub fn did_you_mean<'a>(word: &str, names: impl IntoIterator<Item = &'a str>, otherwise: impl Into<String>) -> String {
    nearest(word, names).map_or_else(|| otherwise.into(), |name| format!("did you mean `{name}`?"))
}

/// Names in backticks with commas, for "one of …".
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// How many letters have to be put in, left out, changed or swapped.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=right.len()).collect()];
    for (at, letter) in left.iter().enumerate() {
        let mut row = vec![at + 1];
        for (other_at, other) in right.iter().enumerate() {
            let change = rows[at][other_at] + usize::from(letter != other);
            let mut best = change.min(rows[at][other_at + 1] + 1).min(row[other_at] + 1);
            if at > 0 && other_at > 0 && *letter == right[other_at - 1] && left[at - 1] == *other {
                best = best.min(rows[at - 1][other_at - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        assert_eq!(nearest("regoin", ["region", "profile"]), Some("region"));
        assert_eq!(nearest("retention_days", ["retention_in_days", "name"]), Some("retention_in_days"));
        assert_eq!(nearest("xyz", ["region", "profile"]), None);
        assert_eq!(did_you_mean("nam", ["name"], "no"), "did you mean `name`?");
        assert_eq!(listed(["a", "b"]), "`a`, `b`");
    }
}
