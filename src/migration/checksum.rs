//! refinery's checksums, for the tables of both of its builds. Pure.
//!
//! Invariant: equal to refinery's own, bit for bit: SipHash 1-3 with zero keys over the name, the version (in four
//! bytes, or in eight for the build with `int8-versions`) and the text, as Rust's `Hash` feeds them.

use std::hash::{Hash, Hasher as _};

use siphasher::sip::SipHasher13;

use super::Migration;

/// The checksum that refinery writes for a migration; `wide` is its build with `int8-versions`.
///
/// A version that does not fit into four bytes has only the wide checksum, whatever was asked for: no narrow
/// table can hold it.
pub fn checksum(migration: &Migration, wide: bool) -> u64 {
    let mut hasher = SipHasher13::new();
    migration.name.hash(&mut hasher);
    match i32::try_from(migration.version) {
        Ok(version) if !wide => version.hash(&mut hasher),
        Ok(_) | Err(_) => migration.version.hash(&mut hasher),
    }
    migration.up.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migration(version: i64, name: &str, up: &str) -> Migration {
        Migration::plain(version, name, up, None)
    }

    #[test]
    fn narrow_checksums_are_those_of_refinery_itself() {
        for (version, name, up) in [
            (1, "a", ""),
            (12, "create_users", "CREATE TABLE users (id int);\r\n-- ü"),
            (i64::from(i32::MAX), "größe", "select 1"),
        ] {
            let theirs = refinery_core::Migration::unapplied(&format!("V{version}__{name}"), up).unwrap();
            assert_eq!(checksum(&migration(version, name, up), false), theirs.checksum());
        }
    }

    #[test]
    fn wide_checksums_feed_eight_bytes() {
        // What a build of refinery with `int8-versions` wrote for this migration; see tests/it/postgres_refinery.rs.
        let one = migration(1, "initial", "CREATE TABLE persons (id int, name varchar(255), city varchar(255));");
        let mut hasher = SipHasher13::new();
        hasher.write(b"initial\xff");
        hasher.write(&1_i64.to_ne_bytes());
        hasher.write(one.up.as_bytes());
        hasher.write_u8(0xff);
        assert_eq!(checksum(&one, true), hasher.finish());
        assert_ne!(checksum(&one, true), checksum(&one, false));
    }

    #[test]
    fn a_long_version_has_only_the_wide_checksum() {
        let long = migration(20_260_101_120_000, "a", "select 1");
        assert_eq!(checksum(&long, false), checksum(&long, true));
    }
}
