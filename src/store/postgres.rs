//! The ledger in a table of a PostgreSQL database: one row per record, the record as its exact text. An edge.
//!
//! Invariant: a batch is one statement, which either stands whole behind the record that was expected, or not at all;
//! when its answer is lost, the table is asked.

pub mod place;
mod reach;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use crate::ledger::record::{Record, Sequence};
use crate::ledger::text::Reader;
use crate::ledger::{Store, StoreError};
use crate::provider::postgres::quoting;
use reach::{Patience, Reach, Trouble};

/// How many records are read at once, so that no statement runs into its time limit for the length of a chain.
const PAGE: i64 = 5_000;

/// The store behind `postgres:` URLs.
pub struct PostgresStore {
    reach: Reach,
    table: String,
    environment: String,
}

impl PostgresStore {
    /// The chain of one environment. Nothing is dialled before something is asked.
    ///
    /// # Errors
    /// When the URL says too little, or holds a password.
    pub fn new(url: &str, base: &Path, environment: &str, keys: &super::Keys) -> Result<Self, StoreError> {
        let reach = Reach::read(url, base, keys)?;
        let table = format!("{}.records", quoting::name(reach.schema()));
        Ok(Self { reach, table, environment: environment.to_owned() })
    }

    /// The rows after a sequence: its place in the chain, and the text of the record.
    async fn rows(&self, after: Sequence) -> Result<Vec<(Sequence, String)>, StoreError> {
        let statement = format!(
            "select sequence, record from {} where environment = $1 and sequence > $2 order by sequence limit {PAGE}",
            self.table
        );
        let mut rows = Vec::new();
        let mut last = signed(after);
        loop {
            let parameters: reach::Parameters<'_> = &[(&self.environment, Type::TEXT), (&last, Type::INT8)];
            let page = self.reach.ask("read the ledger", &statement, parameters).await?;
            let is_last = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            for row in page {
                last = row.get(0);
                rows.push((unsigned(last), row.get(1)));
            }
            if is_last {
                return Ok(rows);
            }
        }
    }

    /// Inserts behind `expected`, and says which record was the last one before.
    fn insert(&self) -> String {
        let table = &self.table;
        format!(
            "with known as (select coalesce(max(sequence), 0) as last from {table} where environment = $1), \
             added as (insert into {table} (environment, sequence, record) \
             select $1, $2 + given.place, given.text from unnest($3) with ordinality as given (text, place), known \
             where known.last = $2 returning 1) \
             select known.last, (select count(*) from added) from known"
        )
    }

    /// Somebody stands where we wanted to write: perhaps we do, and the answer was lost.
    async fn overtaken(
        &self,
        expected: Sequence,
        last: Sequence,
        texts: &[String],
        lost: Answer,
    ) -> Result<(), StoreError> {
        let found = self.rows(expected).await?;
        let is_ours = found.len() >= texts.len() && found.iter().zip(texts).all(|((_, found), ours)| found == ours);
        if lost == Answer::Lost && is_ours {
            return Ok(());
        }
        let found = found.last().map_or(last, |(sequence, _)| *sequence);
        Err(StoreError::Overtaken { url: self.url(), expected, found })
    }
}

/// Whether every try of an append so far was answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Heard,
    Lost,
}

fn signed(sequence: Sequence) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

fn unsigned(sequence: i64) -> Sequence {
    Sequence::try_from(sequence).unwrap_or_default()
}

#[async_trait]
impl Store for PostgresStore {
    fn url(&self) -> String {
        self.reach.url().to_owned()
    }

    async fn read(&self, after: Sequence) -> Result<Vec<Record>, StoreError> {
        let mut reader = Reader::new(self.reach.url(), after);
        let mut records = Vec::new();
        for (sequence, text) in self.rows(after).await? {
            let record = reader.record(&text)?;
            if record.sequence != sequence {
                let cause = format!("record {} stands in the place of record {sequence}", record.sequence);
                return Err(StoreError::Damaged { url: self.url(), cause });
            }
            records.push(record);
        }
        Ok(records)
    }

    async fn append(&self, expected: Sequence, records: &[Record]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let text =
            |record: &Record| serde_json::to_string(record).expect("records hold only sealed, serialisable data");
        let texts: Vec<String> = records.iter().map(text).collect();
        let (statement, behind) = (self.insert(), signed(expected));
        let parameters: reach::Parameters<'_> =
            &[(&self.environment, Type::TEXT), (&behind, Type::INT8), (&texts, Type::TEXT_ARRAY)];
        let mut patience = Patience::default();
        let mut answer = Answer::Heard;
        loop {
            let trouble = match self.reach.once(&statement, parameters).await {
                Ok(rows) => {
                    let row = rows.first().expect("the statement gives one row");
                    let (last, added): (i64, i64) = (row.get(0), row.get(1));
                    return match added {
                        0 => self.overtaken(expected, unsigned(last), &texts, answer).await,
                        _ => Ok(()),
                    };
                }
                Err(Trouble::Refused(error)) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                    return self.overtaken(expected, expected, &texts, answer).await;
                }
                Err(trouble) => trouble,
            };
            if matches!(trouble, Trouble::Lost(_)) {
                answer = Answer::Lost;
            }
            if !self.reach.waits(&trouble, &mut patience).await {
                let error = self.reach.error("append to the ledger", trouble);
                return Err(match answer {
                    Answer::Heard => error,
                    Answer::Lost => unknown(error),
                });
            }
        }
    }

    async fn age(&self) -> Result<Option<(Sequence, Duration)>, StoreError> {
        let statement = format!(
            "select sequence, extract(epoch from clock_timestamp() - at)::float8 from {} where environment = $1 \
             order by sequence desc limit 1",
            self.table
        );
        let rows = self.reach.ask("read the ledger's age", &statement, &[(&self.environment, Type::TEXT)]).await?;
        Ok(rows.first().map(|row| {
            let (last, age): (i64, f64) = (row.get(0), row.get(1));
            (unsigned(last), Duration::try_from_secs_f64(age).unwrap_or_default())
        }))
    }

    async fn texts(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.rows(0).await?.into_iter().map(|(_, text)| text).collect())
    }
}

/// The storage refuses, and what was sent may stand all the same.
fn unknown(error: StoreError) -> StoreError {
    match error {
        StoreError::Storage { tried, cause } => {
            StoreError::Storage { tried, cause: format!("{cause}; whether it was recorded is not known") }
        }
        other => other,
    }
}
