//! The arithmetic, by hand: a million rows of 100 bytes each, with one index of 24 MB, and rates that are easy to multiply.

use std::collections::BTreeMap;

use super::*;
use crate::world::{IndexSize, Width};

fn rates() -> Rates {
    Rates {
        statement: 0.0,
        scan_row: 1e-6,
        scan_byte: 1e-9,
        rewrite_row: 1e-5,
        rewrite_byte: 1e-8,
        compare_number: 1e-7,
        compare_text: 1e-6,
        call_row: 3e-6,
        key_row: 1e-5,
        update_row: 1e-5,
        update_entry: 2e-5,
        log_byte: 1e-9,
        sync: 0.0,
        disk_byte: 0.0,
        ..Rates::default()
    }
}

fn orders() -> Measure {
    let column = |name: &str, bytes, varies| (name.to_owned(), Width { bytes, varies });
    Measure {
        heap_bytes: 100_000_000,
        rows: Some(1_000_000),
        columns: BTreeMap::from([column("id", 4, false), column("name", 68, true)]),
        all_columns: true,
        indexes: BTreeMap::from([(
            "public.orders_pkey".to_owned(),
            IndexSize { bytes: 24_000_000, method: "btree".to_owned() },
        )]),
        ..Measure::default()
    }
}

fn settings(wal_level: &str) -> ServerSettings {
    ServerSettings { wal_level: wal_level.to_owned(), ..ServerSettings::default() }
}

fn key(columns: &[&str], method: &str) -> Key {
    Key { columns: columns.iter().map(|&name| name.to_owned()).collect(), computed: 0, method: method.to_owned() }
}

#[track_caller]
fn is(load: &Load, seconds: f64, disk: f64, log: f64) {
    let found = [load.seconds.expect("it is known"), load.disk, load.log];
    for (found, wanted) in found.into_iter().zip([seconds, disk, log]) {
        assert!((found - wanted).abs() <= wanted * 1e-4, "{found} is not {wanted}: {load:?}");
    }
}

#[test]
fn sizes_times_rates() {
    let (measure, rates) = (orders(), rates());
    let (replica, minimal) = (settings("replica"), settings("minimal"));
    let ground = |settings| Ground { name: "public.orders", measure: &measure, rates: &rates, settings };
    let on = ground(&replica);
    is(&on.scan(), 1.1, 0.0, 0.0);
    is(&on.follow_keys(10_000.0), 10.0, 0.0, 0.0);
    is(&on.follow_keys(0.0), 10.0, 0.0, 0.0);
    // Six doublings.
    is(&on.follow_keys(640_000.0), 70.0, 0.0, 0.0);
    is(&on.call(), 3.0, 0.0, 0.0);
    is(&on.rewrite(), 11.14, 1e8, 1.4e8);
    is(&ground(&minimal).rewrite(), 11.0, 1e8, 0.0);
    // 1,000,000 × log2(1,000,000) = 19,931,569 comparisons.
    is(&on.build(&Built::Again("public.orders_pkey")), 1.993_157 + 0.024, 24e6, 24e6);
    // (12 + 72) / 0.9 bytes for an entry of 68.
    is(&on.build(&Built::New(&key(&["name"], "btree"))), 19.931_57 + 0.093_333, 93_333_333.0, 93_333_333.0);
    is(&on.build(&Built::New(&key(&["id"], "btree"))), 1.993_157 + 0.022_222, 22_222_222.0, 22_222_222.0);
    is(&on.update(), 30.124, 124e6, 316e6);
    is(&on.delete(), 6.1, 0.0, 160e6);
    let unlike = ServerSettings { full_page_writes: Some(false), ..settings("replica") };
    is(&ground(&unlike).update(), 30.0, 124e6, 192e6);
    assert_eq!(on.scan().because, ["public.orders is 100 MB, about 1 million rows: read as a whole"]);
}

#[test]
fn what_has_to_be_on_disk_takes_the_disks_time() {
    let (measure, rates) = (orders(), Rates { sync: 0.01, disk_byte: 1e-8, ..rates() });
    let (replica, minimal) = (settings("replica"), settings("minimal"));
    let ground = |settings| Ground { name: "public.orders", measure: &measure, rates: &rates, settings };
    let on = ground(&replica);
    is(&on.scan(), 1.1, 0.0, 0.0);
    is(&on.rewrite(), 11.14 + 1.4 + 0.01, 1e8, 1.4e8);
    is(&ground(&minimal).rewrite(), 11.0 + 1.0 + 0.01, 1e8, 0.0);
    is(&on.build(&Built::Again("public.orders_pkey")), 2.017_157 + 0.48 + 0.01, 24e6, 24e6);
    is(&on.update(), 30.124 + 3.16, 124e6, 316e6);
    is(&on.delete(), 6.1 + 1.6, 0.0, 160e6);
}

#[test]
fn sorting_uses_several_processes_and_files_where_memory_is_short() {
    let (measure, rates) = (orders(), rates());
    let of = |maintenance, workers| ServerSettings {
        maintenance_bytes: Some(maintenance),
        maintenance_workers: Some(workers),
        ..settings("minimal")
    };
    let build = |settings: &ServerSettings| {
        let ground = Ground { name: "public.orders", measure: &measure, rates: &rates, settings };
        ground.build(&Built::Again("public.orders_pkey"))
    };
    is(&build(&of(134_217_728, 2)), 1.993_157 / 1.6, 24e6, 0.0);
    is(&build(&of(134_217_728, 0)), 1.993_157, 24e6, 0.0);
    // One process has 64 MB, and another one would have less than 32.
    is(&build(&of(67_108_863, 2)), 1.993_157, 24e6, 0.0);
    is(&build(&of(16_000_000, 2)), 1.993_157, 60e6, 0.0);
}

#[test]
fn what_is_not_known_is_guessed_upwards_or_said() {
    let (rates, settings) = (rates(), settings("replica"));
    let ground = |measure| Ground { name: "t", measure, rates: &rates, settings: &settings };
    let uncounted = Measure { rows: None, heap_bytes: 64_000_000, ..Measure::default() };
    is(&ground(&uncounted).scan(), 1.064, 0.0, 0.0);
    assert_eq!(
        ground(&uncounted).scan().because,
        ["t is 64 MB, its rows were never counted: taken for 1 million: read as a whole"]
    );
    let measure = orders();
    let gin = ground(&measure).build(&Built::New(&key(&["name"], "gin")));
    assert_eq!((gin.seconds, gin.unknown), (None, vec!["how long an index by gin of t takes".to_owned()]));
    let empty = Measure::empty();
    is(&ground(&empty).rewrite().and(ground(&empty).build(&Built::New(&key(&["id"], "btree")))), 0.0, 0.0, 0.0);
    let both = gin_and_scan(&ground(&measure));
    assert_eq!(both.seconds, None, "what is not known makes the sum unknown");
}

fn gin_and_scan(ground: &Ground<'_>) -> Load {
    ground.scan().and(ground.build(&Built::New(&key(&["name"], "gin"))))
}
