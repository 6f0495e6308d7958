//! Versions as other tools number them: a time of day, to the second or finer.

use super::*;

const OLD: &str = "web:1@20240131120000-20240229235959";
const NEW: &str = "web:2@20240229235959-20240301000000";
const APPLIED: &str = "20240131120000";

#[test]
fn times_order_as_numbers_do() {
    let now = things(OLD, APPLIED, &[]);
    let folder = format!("{APPLIED} 20240229235959 20240301000000");
    let expected = "V20240229235959 web<V20240229235959 V20240301000000<V20240229235959,web";
    assert_eq!(order(forward(&now, NEW, &folder)), expected);
    let back = order(back(&things(NEW, &folder, &[]), &now, Depth::WithSchema));
    assert_eq!(back, "-V20240301000000 web<-V20240301000000 -V20240229235959<-V20240301000000,web");
    // Finer than seconds, and nothing is lost in the last digit.
    let now = things("web:1@20240131120000123-20240131120000124", "20240131120000123", &[]);
    let new = "web:2@20240131120000124-20240131120000125";
    let order = order(forward(&now, new, "20240131120000123 20240131120000124 20240131120000125"));
    assert!(order.starts_with("V20240131120000124 web<V20240131120000124 V20240131120000125<"), "{order}");
}

#[test]
fn a_bad_order_is_told_with_them() {
    let now = things("web:1@20240131120000-20240131120000", APPLIED, &[]);
    let refused = forward(&now, "web:2@20240229235959-", &format!("{APPLIED} 20240229235959"));
    bad::is_refused(
        &refused,
        &[
            "works with V20240131120000 alone",
            "which will work with V20240229235959 and later",
            "split V20240229235959__",
        ],
    );
}
