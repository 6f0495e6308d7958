//! Every wrong way back is caught and named, and no right one is accused.

use std::collections::BTreeSet;

use switchback::migration::certificate::Verdict;

use super::downs::{BASE, cases};
use super::{certificates, job, migration};

#[test]
fn there_are_enough_kinds() {
    let kinds: BTreeSet<&str> = cases().map(|case| case.kind).collect();
    assert_eq!(kinds.len(), cases().count(), "two have the same name");
    assert!(kinds.len() >= 60, "only {}", kinds.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_way_back_is_caught_and_named() {
    let mut mistakes = Vec::new();
    for case in cases() {
        let job = job(&[BASE], &[migration(2, case.up, Some(case.wrong))]);
        let found = certificates(&job).await.remove(0).verdict;
        let text = found.detail();
        let is_named = case.named.iter().all(|part| text.contains(part));
        if !matches!(found, Verdict::Otherwise { .. }) || !is_named {
            mistakes.push(format!("{}: {} {text}", case.kind, found.word()));
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_right_way_back_is_accused() {
    let mut mistakes = Vec::new();
    for case in cases() {
        let job = job(&[BASE], &[migration(2, case.up, Some(case.right))]);
        let found = certificates(&job).await.remove(0).verdict;
        // A column that was dropped comes back at the end: nothing that a file could do about.
        let is_right = match case.kind {
            "comment of a column that comes back" => matches!(found, Verdict::Exact | Verdict::Reordered { .. }),
            _ => found == Verdict::Exact,
        };
        if !is_right {
            mistakes.push(format!("{}: {} {}", case.kind, found.word(), found.detail()));
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}
