//! What a busy, slow or broken S3 does to appends and reads: no record is lost, and none is there twice.

use serde_json::{Value, json};
use switchback::digest::Digest;
use switchback::ledger::{Store, StoreError};
use switchback::store::s3::S3Store;

use super::place::{Place, quick};
use super::{append_singly, run};
use crate::store::chain;

fn records_of(place: &Place) -> String {
    format!("{}/ledgers/dev/records", place.bucket)
}

fn open(place: &Place) -> S3Store {
    place.open().with_patience(quick())
}

/// How often S3 was asked to write batches, and how often it did.
fn writes(place: &Place) -> (usize, usize) {
    let log: Value = crate::stack::shared().log(&records_of(place));
    let puts = log.as_array().unwrap().iter().filter(|entry| entry["operation"] == "PutObject");
    let (mut asked, mut done) = (0, 0);
    for entry in puts {
        asked += 1;
        done += usize::from(entry["status"] == 200);
    }
    (asked, done)
}

#[test]
fn an_append_gets_through_whatever_the_first_tries_meet() {
    let place = Place::new("writes");
    let mut records = run(append_singly(&open(&place), &[], 2));
    let cases = [
        (json!({ "answer": 500 }), 1),
        (json!({ "answer": 503, "times": 2 }), 2),
        (json!({ "answer": 409 }), 1),
        (json!({ "answer": "drop", "times": 2 }), 2),
        (json!({ "answer": "success-then-412" }), 0),
        (json!({ "answer": "success-then-500" }), 0),
        (json!({ "answer": "success-then-409" }), 0),
        (json!({ "answer": "success-then-drop" }), 0),
        (json!({ "answer": "slow", "seconds": 2 }), 0),
        // S3 asks us to come back, and says so although it has written.
        (json!({ "answer": "success-then-503", "times": 3 }), 0),
    ];
    for (order, vain) in cases {
        let mut whole = json!({ "containing": records_of(&place) });
        whole.as_object_mut().unwrap().extend(order.as_object().unwrap().clone());
        let before = writes(&place);
        place.fault(&whole);
        run(async {
            let store = open(&place);
            assert_eq!(store.read(0).await.as_ref(), Ok(&records), "{order}");
            records.extend(append_singly(&store, &records, 1).await);
        });
        place.heal();
        assert_eq!(run(open(&place).read(0)).as_ref(), Ok(&records), "{order}: once, and whole");
        let after = writes(&place);
        assert_eq!(after.1 - before.1, 1, "{order}: one write");
        assert_eq!(after.0 - before.0, vain + 1, "{order}: a write that got through is not tried again");
    }
}

#[test]
fn what_never_gets_through_is_an_error_and_nothing_is_recorded() {
    let place = Place::new("vain");
    let records = run(append_singly(&open(&place), &[], 2));
    for answer in [json!(500), json!(503), json!(409), json!("drop")] {
        place.fault(&json!({ "containing": records_of(&place), "answer": answer, "times": 1000 }));
        let store = open(&place);
        run(store.read(0)).expect("reading works");
        let next = chain(3, 1, records[1].digest());
        let error = run(store.append(2, &next)).expect_err("it never gets through");
        assert!(matches!(error, StoreError::Storage { .. }) && error.to_string().contains("s3:PutObject"), "{error}");
        place.heal();
        assert_eq!(run(open(&place).read(0)).as_ref(), Ok(&records), "{answer}");
    }
    run(append_singly(&open(&place), &records, 1));
}

#[test]
fn a_record_that_was_written_and_could_not_be_looked_at_is_not_written_again() {
    let place = Place::new("blind");
    let records = run(append_singly(&open(&place), &[], 1));
    let store = open(&place);
    run(store.read(0)).expect("whole");
    let unread = json!({ "operation": "s3.GetObject", "containing": records_of(&place), "answer": 500, "times": 1000 });
    place.fault(&unread);
    place.fault(&json!({ "containing": records_of(&place), "answer": "success-then-drop", "times": 1000 }));
    let next = chain(2, 1, records[0].digest());
    run(store.append(1, &next)).expect_err("nobody can know");
    place.heal();
    // Whoever tries again with other words is told that something stands there.
    let other = chain(2, 1, Digest::of_bytes(b"other"));
    let refused = run(store.append(1, &other));
    assert!(matches!(refused, Err(StoreError::Overtaken { expected: 1, found: 2, .. })), "{refused:?}");
    assert_eq!(run(open(&place).read(1)), Ok(next));
}

#[test]
fn reading_gets_through_and_is_whole() {
    let place = Place::new("reads");
    let records = run(append_singly(&open(&place), &[], 31));
    for operation in ["s3.GetObject", "s3.ListObjectsV2"] {
        for answer in [json!(500), json!(503), json!("drop"), json!("slow")] {
            let order = json!({ "operation": operation, "answer": answer, "times": 2, "seconds": 1.5 });
            place.fault(&order);
            assert_eq!(run(open(&place).read(0)).as_ref(), Ok(&records), "{order}");
            place.heal();
        }
    }
    place.fault(&json!({ "operation": "s3.ListObjectsV2", "answer": 503, "times": 1000 }));
    let error = run(open(&place).read(0)).expect_err("it never gets through").to_string();
    assert!(error.contains("s3:ListObjectsV2") && error.contains("try again"), "{error}");
}

#[test]
fn of_two_in_conflict_one_is_told_who_was_first() {
    let place = Place::new("conflict");
    let records = run(append_singly(&open(&place), &[], 1));
    let (one, two) = (open(&place), open(&place));
    run(async {
        one.read(0).await.expect("whole");
        two.read(0).await.expect("whole");
        // The first is told of a conflict, and while it waits the second writes.
        place.fault(&json!({ "containing": records_of(&place), "answer": 409 }));
        let (ours, theirs) = (chain(2, 1, records[0].digest()), chain(2, 2, records[0].digest()));
        let slow = one.append(1, &ours);
        let quick = async {
            while place.requests() == 0 || crate::stack::shared().faults_left(&place.bucket) > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            two.append(1, &theirs).await
        };
        let (slow, quick) = tokio::join!(slow, quick);
        let found = place.open().read(1).await.expect("whole");
        match (slow, quick) {
            (Err(StoreError::Overtaken { found: 3, .. }), Ok(())) => assert_eq!(found, theirs),
            (Ok(()), Err(StoreError::Overtaken { found: 2, .. })) => assert_eq!(found, ours),
            other => panic!("{other:?}"),
        }
    });
}
