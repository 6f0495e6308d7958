//! Somebody who can write into the bucket: what `history --verify` sees there.

use std::sync::Arc;

use async_trait::async_trait;
use switchback::ledger::Store;
use switchback::ledger::record::Sequence;

use super::place::Place;
use super::run;
use crate::audit::{self, audit_catches};

#[async_trait]
impl audit::Place for Place {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(Place::open(self))
    }

    async fn put(&self, records: &[(Sequence, String)]) {
        // Copies are gone first: what is read is what the intruder wrote.
        self.list("ledgers/dev/").iter().for_each(|key| self.delete(key));
        for (sequence, text) in records {
            let object = format!("{{\"writer\":\"intruder\",\"records\":[{text}]}}");
            Place::put(self, &format!("ledgers/dev/records/{sequence:020}.json"), &object);
        }
    }
}

#[test]
fn an_intruder_in_the_bucket_is_noticed() {
    run(audit_catches(&Place::new("intruder")));
}
