//! What is locked until the end of its transaction, by hand: `orders` is read in 10 s, `users` in 3 s, and nothing else takes
//! time.

use std::collections::BTreeSet;

use super::*;
use crate::migration::observation::LockMode::{AccessExclusive, RowExclusive, Share};
use crate::migration::statements::Script;
use crate::world::{LongTransaction, Replica, Since, Size};

fn rates() -> Rates {
    let nothing = Rates { statement: 0.0, scan_byte: 0.0, compare_number: 0.0, compare_text: 0.0, ..Rates::default() };
    let nothing = Rates { sync: 0.0, disk_byte: 0.0, ..nothing };
    Rates { scan_row: 1e-6, log_byte: 0.0, update_row: 2e-6, update_entry: 0.0, ..nothing }
}

fn facts() -> TargetFacts {
    let since = Since::Reset { seconds: 3600.0 };
    let traffic = Traffic { reads_per_second: 100.0, writes_per_second: 5.0, since };
    let measure = |rows| Measure { rows: Some(rows), traffic: Some(traffic), ..Measure::default() };
    let names = ["public.orders", "public.users", "public.orders_pkey"];
    TargetFacts {
        sizes: names.iter().map(|name| ((*name).to_owned(), Size { rows: None, bytes: 1 })).collect(),
        measures: BTreeMap::from([
            ("public.orders".to_owned(), measure(10_000_000)),
            ("public.users".to_owned(), measure(3_000_000)),
        ]),
        ..TargetFacts::default()
    }
}

/// What is seen of a statement: `orders AX scan`.
fn seen(number: usize, words: &str) -> Observation {
    let mut found = Observation { statement: number, ..Observation::default() };
    for one in words.split(", ").filter(|one| !one.is_empty()) {
        let mut words = one.split(' ');
        let table = format!("public.{}", words.next().unwrap());
        for word in words {
            let lock = |mode| (table.clone(), mode);
            match word {
                "AX" => found.locks.extend([lock(AccessExclusive)]),
                "S" => found.locks.extend([lock(Share)]),
                "RX" => found.locks.extend([lock(RowExclusive)]),
                "scan" => drop(found.scans.insert(table.clone())),
                "build" => drop(found.builds.insert(table.clone(), BTreeSet::from(["public.i".to_owned()]))),
                other => panic!("{other}"),
            }
        }
    }
    found
}

fn cost_of(text: &str, seen_words: &[&str], transaction: bool, facts: &TargetFacts, names: &mut Names) -> Cost {
    cost_at(text, seen_words, transaction, facts, names, &rates())
}

fn cost_at(
    text: &str,
    seen_words: &[&str],
    transaction: bool,
    facts: &TargetFacts,
    names: &mut Names,
    rates: &Rates,
) -> Cost {
    let script = Script::parse(text).unwrap();
    assert_eq!(script.statements.len(), seen_words.len(), "one for each statement");
    let observations: Vec<Observation> = (1..).zip(seen_words).map(|(number, words)| seen(number, words)).collect();
    let planned = script.statements.iter().zip(&observations);
    let planned: Vec<Planned<'_>> = planned.map(|(statement, seen)| Planned { statement, seen: Ok(seen) }).collect();
    let place = Place { facts, rates, transaction, lock_timeout_milliseconds: 3000 };
    cost(&planned, place, names)
}

/// Relation, seconds, readers and writers of all that is blocked, statement by statement.
fn blocked(cost: &Cost) -> Vec<(usize, &str, f64, f64, f64)> {
    let of = |one: &Blocked| (one.seconds, one.readers.unwrap(), one.writers.unwrap());
    let all = cost.statements.iter().flat_map(|found| found.blocked.iter().map(|one| (found.statement, one)));
    all.map(|(statement, one)| (statement, &*one.relation, of(one).0, of(one).1, of(one).2)).collect()
}

const THREE: &str =
    "alter table orders add check (a > 0); alter table users add check (b > 0); alter table users add c int";
const THREE_SEEN: [&str; 3] = ["orders AX scan, orders_pkey AX", "users AX scan", "users AX"];

#[test]
fn a_lock_is_held_until_its_transaction_ends() {
    let cost = cost_of(THREE, &THREE_SEEN, true, &facts(), &mut Names::default());
    assert_eq!(
        blocked(&cost),
        [(1, "public.orders", 13.0, 1300.0, 65.0), (2, "public.users", 3.0, 300.0, 15.0)],
        "the third one adds nothing to what the second one holds, and an index is no table"
    );
    assert_eq!((cost.seconds, cost.blocked_writes, cost.blocked_reads), (Some(13.0), Some(13.0), Some(13.0)));
    assert!(cost.unknown.is_empty() && cost.lag_seconds.is_none(), "{cost:?}");
}

#[test]
fn outside_of_a_transaction_it_ends_with_its_statement() {
    let cost = cost_of(THREE, &THREE_SEEN, false, &facts(), &mut Names::default());
    let found: Vec<_> = blocked(&cost).into_iter().map(|(statement, _, seconds, ..)| (statement, seconds)).collect();
    assert_eq!(found, [(1, 10.0), (2, 3.0), (3, 0.0)]);
    assert_eq!((cost.seconds, cost.blocked_writes), (Some(13.0), Some(10.0)));
    // One that the text itself begins is one.
    let text = format!("begin; {THREE}; commit; alter table orders add d int");
    let seen = ["", THREE_SEEN[0], THREE_SEEN[1], THREE_SEEN[2], "", "orders AX"];
    let cost = cost_of(&text, &seen, false, &facts(), &mut Names::default());
    let found: Vec<_> = blocked(&cost).into_iter().map(|(statement, _, seconds, ..)| (statement, seconds)).collect();
    assert_eq!(found, [(2, 13.0), (3, 3.0), (6, 0.0)]);
}

#[test]
fn a_transaction_is_made_durable_once() {
    let rates = Rates { sync: 0.5, statement: 0.25, ..rates() };
    let seconds = |transaction| {
        let cost = cost_at(THREE, &THREE_SEEN, transaction, &facts(), &mut Names::default(), &rates);
        (cost.seconds, cost.blocked_writes)
    };
    assert_eq!(seconds(true), (Some(14.2), Some(14.2)), "13 + 3 × 0.25 + 0.5, three digits of it");
    assert_eq!(seconds(false), (Some(15.2), Some(10.8)), "13 + 3 × 0.75; 10 + 0.75");
}

#[test]
fn a_stronger_lock_keeps_readers_out_from_then_on() {
    let text = "create index i on orders (a); alter table orders add c int; alter table users add check (b > 0)";
    let cost =
        cost_of(text, &["orders S scan build", "orders AX", "users AX scan"], true, &facts(), &mut Names::default());
    assert_eq!(
        blocked(&cost),
        [
            (1, "public.orders", 13.0, 0.0, 65.0),
            (2, "public.orders", 3.0, 300.0, 15.0),
            (3, "public.users", 3.0, 300.0, 15.0)
        ]
    );
    assert_eq!((cost.blocked_writes, cost.blocked_reads), (Some(13.0), Some(3.0)));
}

#[test]
fn what_cannot_be_estimated_is_unknown_and_never_zero() {
    let text = "alter table orders add check (a > 0); do $$ begin end $$; update users set b = 1 where b = 2";
    let cost = cost_of(text, &["orders AX scan", "", "users RX scan"], true, &facts(), &mut Names::default());
    assert_eq!((cost.seconds, cost.blocked_writes), (None, Some(10.0)), "at least that");
    let sizes = |cost: &Cost| (cost.disk_bytes, cost.wal_bytes, cost.lag_seconds);
    assert_eq!(sizes(&cost), (None, None, None), "an update of who knows how many rows is not one of none");
    assert_eq!(
        cost.unknown,
        [
            "statement 2: what its block does",
            "statement 3: how many rows of public.users its condition finds: all of them would take 6 s"
        ]
    );
    let known = cost_of("update users set b = 1", &["users RX scan"], true, &facts(), &mut Names::default());
    assert_eq!((known.seconds, known.unknown.len()), (Some(6.0), 0));
    // A table that neither the target nor the plan knows.
    let lost = cost_of("alter table lost add check (a > 0)", &["lost AX scan"], true, &facts(), &mut Names::default());
    assert_eq!(lost.unknown, ["statement 1: how large public.lost is: the target has no such table yet"]);
}

#[test]
fn names_and_empty_tables_are_followed_through_the_plan() {
    let mut names = Names::default();
    let made = "alter table orders rename to sales; create table orders (id int); create index on orders (id)";
    // Within the transaction they are still called as before; what it makes itself is not seen.
    cost_of(made, &["orders AX", "", ""], true, &facts(), &mut names);
    let later = "alter table sales add check (a > 0); alter table orders add check (id > 0); update orders set id = 1";
    let cost = cost_of(later, &["sales AX scan", "orders AX scan", "orders RX scan"], true, &facts(), &mut names);
    assert_eq!(blocked(&cost), [(1, "public.sales", 10.0, 1000.0, 50.0)]);
    assert_eq!((cost.seconds, cost.unknown.len()), (Some(10.0), 0));
}

#[test]
fn the_wait_for_the_lock_itself_is_said() {
    let long = LongTransaction {
        process: 7,
        user: String::new(),
        application: String::new(),
        seconds: 340.0,
        query: String::new(),
    };
    let replicas = vec![Replica { name: "two".to_owned(), lag_bytes: Some(80_000_000), lag_seconds: None }];
    let facts = TargetFacts { long: vec![long], replicas, ..facts() };
    let cost = cost_of(THREE, &THREE_SEEN, true, &facts, &mut Names::default());
    assert_eq!(
        cost.unknown,
        [
            "how long it waits for its locks: process 7 has had a transaction open for 340 s; if that uses public.users, each of 8 \
          tries waits for 3 s, and readers and writers queue behind it meanwhile"
        ]
    );
    assert_eq!(cost.lag_seconds, Some(1.0), "80 MB at 80 MB/s");
    let nobody = cost_of("create view v as select 1", &[""], true, &facts, &mut Names::default());
    assert!(nobody.unknown.is_empty(), "it locks nothing that is used");
}
