//! Segments: reading many batches is few requests, and they are copies: without them nothing is lost.

use switchback::ledger::Store;

use super::place::Place;
use super::{append_singly, is_long, run};

const SEGMENTS: &str = "ledgers/dev/segments/";

#[test]
fn many_batches_are_read_with_few_requests_right_after_one_long_run() {
    let place = Place::new("many");
    // 10,000 as the issue has it; 333 would be 333 requests too.
    let (count, most) = if is_long() { (10_000, 50) } else { (333, 15) };
    run(async {
        let records = append_singly(&place.open(), &[], count).await;
        let (before, reader) = (place.requests(), place.open());
        assert_eq!(reader.read(0).await.expect("whole"), records);
        let asked = place.requests() - before;
        assert!(asked <= most, "{asked} requests for {count} batches");
        eprintln!("{count} batches of one record were read with {asked} requests");

        let before = place.requests();
        assert_eq!(reader.read(count).await, Ok(vec![]));
        assert!(reader.age().await.expect("a clock").is_some_and(|(last, _)| last == count));
        assert_eq!(place.requests() - before, 2, "what is new, and how old it is, is one request each");
    });
}

#[test]
fn without_segments_and_with_damaged_ones_nothing_is_lost_and_writers_make_them_again() {
    let place = Place::new("caches");
    let mut records = run(append_singly(&place.open(), &[], 127));
    let segments = place.list(SEGMENTS);
    assert_eq!(segments.len(), 13, "twelve tens and a hundred: {segments:?}");

    let hundred = segments.iter().find(|key| key.contains("/2/")).expect("a hundred");
    let whole = place.get(hundred);
    let other = &place.get(segments.iter().find(|key| key.contains("/1/")).unwrap());
    let edited = whole.replacen("\"host\":\"here\"", "\"host\":\"elsewhere\"", 1);
    for damaged in ["", "nonsense", &whole[..whole.len() - 9], &edited, other] {
        place.put(hundred, damaged);
        assert_eq!(run(place.open().read(0)).as_ref(), Ok(&records), "{}", &damaged[..damaged.len().min(80)]);
    }
    run(async {
        let store = place.open();
        assert_eq!(store.read(0).await.as_ref(), Ok(&records));
        let more = append_singly(&store, &records, 1).await;
        records.extend(more);
    });
    assert_eq!(place.get(hundred), whole, "the next writer mends it");

    for key in place.list(SEGMENTS) {
        place.delete(&key);
    }
    run(async {
        let store = place.open();
        assert_eq!(store.read(0).await.as_ref(), Ok(&records), "they are copies");
        let more = append_singly(&store, &records, 4).await;
        records.extend(more);
        assert_eq!(place.open().read(0).await.as_ref(), Ok(&records));
    });
    let again = place.list(SEGMENTS);
    assert!(again.iter().any(|key| key.contains("/2/")) && again.len() < 13, "one of a hundred at once: {again:?}");
    assert_eq!(run(place.open().originals()).as_ref(), Ok(&records));
}

#[test]
fn a_segment_that_cannot_be_written_fails_no_append() {
    let place = Place::new("unwritten");
    let order = serde_json::json!({
        "containing": format!("{}/{SEGMENTS}", place.bucket), "answer": 403, "times": 1000,
    });
    place.fault(&order);
    let store = place.open();
    let mut records = run(append_singly(&store, &[], 12));
    assert_eq!(place.list(SEGMENTS), Vec::<String>::new());
    place.heal();
    records.extend(run(append_singly(&store, &records, 1)));
    assert_eq!(place.list(SEGMENTS).len(), 1, "it is made up for");
    assert_eq!(run(place.open().read(0)), Ok(records));
}

#[test]
fn batches_of_many_records_and_of_other_writers_are_in_segments_too() {
    let place = Place::new("mixed");
    let records = crate::store::chain(1, 90, switchback::digest::Digest::of_bytes(b""));
    run(async {
        let stores = [place.open(), place.open()];
        for (index, batch) in records.chunks(3).enumerate() {
            let store = &stores[index / 4 % 2];
            // As a run does: it looks before it writes.
            store.read(batch[0].sequence - 1).await.expect("whole");
            store.append(batch[0].sequence - 1, batch).await.expect("appended");
        }
        assert_eq!(place.open().read(0).await.as_ref(), Ok(&records));
        assert_eq!(place.open().read(44).await.as_deref(), Ok(&records[44..]), "from the middle of a batch");
    });
    assert_eq!(place.list(SEGMENTS).len(), 3, "{:?}", place.list(SEGMENTS));
}
