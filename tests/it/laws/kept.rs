//! Cases that were found once, small.

use super::case::Case;

#[track_caller]
fn kept(text: &str) {
    let case: Case = text.parse().unwrap();
    if let Some(why) = case.failure() {
        panic!("{case}: {why}");
    }
}

#[test]
fn an_apply_from_nothing_that_dies_before_its_first_record() {
    kept("apply 0t0 | begin@0x1 resumex1");
    kept("apply 0t0 | begin@0x1 backx1");
}
