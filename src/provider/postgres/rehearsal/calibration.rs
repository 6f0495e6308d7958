//! How fast a throw-away server works on this machine: measured on tables of its own, in about a second. Talks to the
//! server.
//!
//! Invariant: what is measured is the work alone, on rows that lie in memory: `fsync` is off there, and what is written
//! anew is not logged; how long a byte of log takes is measured by itself.

use std::time::Instant;

use tokio_postgres::Client;

use super::super::connection::open;
use super::super::errors::world_error;
use super::super::settings::Target;
use super::servers::Lease;
use crate::world::{Rates, WorldError};

/// Rows of the table with many short rows.
const ROWS: u32 = 40_000;
/// Its bytes of rows: header, two numbers, a text of 32 letters.
const ROW_BYTES: u32 = 68;
/// Rows of the table with few long rows.
const WIDE_ROWS: u32 = 4_000;
/// Its bytes of a row.
const WIDE_BYTES: u32 = 1_024;
/// Bytes of log that are written.
const LOG_BYTES: u32 = 16_000_000;

/// The tables. Numbers and texts are in no order, as they are in tables that are in use.
const TABLES: &str = "create table parent (id int primary key); \
     create table narrow (id int, k int, t text); create table wide (id int, t text); \
     insert into parent select g from generate_series(1, ROWS / 4) g; \
     insert into narrow select g, 1 + (g * 7919::int8) % (ROWS / 4), md5(g::text) from generate_series(1, ROWS) g; \
     insert into wide select g, repeat('x', 984) from generate_series(1, WIDE_ROWS) g; \
     analyze parent, narrow, wide; checkpoint";

/// A session that is measured.
struct Stopwatch {
    client: Client,
}

impl Stopwatch {
    /// How long a statement takes, in seconds: the best of so many times. `after` makes it possible again.
    async fn best(&self, times: u32, statement: &str, after: &str) -> Result<f64, tokio_postgres::Error> {
        let mut best = f64::INFINITY;
        for _ in 0..times {
            let begun = Instant::now();
            self.client.batch_execute(statement).await?;
            best = best.min(begun.elapsed().as_secs_f64());
            if !after.is_empty() {
                self.client.batch_execute(after).await?;
            }
        }
        Ok(best)
    }
}

/// Measures.
///
/// # Errors
/// As the server says.
pub async fn calibrate(lease: &mut Lease) -> Result<Rates, WorldError> {
    let database = lease.create_database("template template0 strategy file_copy").await;
    let database = match database {
        Ok(database) => database,
        // Servers before version 15 have but one strategy.
        Err(_) => lease.create_database("template template0").await?,
    };
    let client = open(&Target { dbname: database, ..lease.login.clone() }).await?;
    let server = lease.version.clone();
    measure(Stopwatch { client })
        .await
        .map(|rates| Rates { server, ..rates })
        .map_err(|error| world_error("measure how fast a throw-away server works", &error))
}

async fn measure(watch: Stopwatch) -> Result<Rates, tokio_postgres::Error> {
    let rows = f64::from(ROWS);
    let tables = TABLES.replace("WIDE_ROWS", &WIDE_ROWS.to_string()).replace("ROWS", &ROWS.to_string());
    // Each statement by itself, so that each is over before the next.
    for statement in tables.split(';') {
        watch.client.batch_execute(statement).await?;
    }
    let statement = watch.best(5, "alter table parent set (fillfactor = 90)", "alter table parent reset (fillfactor)");
    let statement = statement.await?;
    let work = |seconds: f64| (seconds - statement).max(1e-5);

    let check = "alter table narrow add constraint c check (k > 0)";
    let short = work(watch.best(3, check, "alter table narrow drop constraint c").await?);
    let check = "alter table wide add constraint c check (id > 0)";
    let long = work(watch.best(3, check, "alter table wide drop constraint c").await?);
    let (scan_row, scan_byte) = split(short, long);

    let again = "alter table narrow alter k type int using k + 0";
    let short = work(watch.best(2, again, "").await?);
    let again = "alter table wide alter id type int using id + 0";
    let long = work(watch.best(2, again, "").await?);
    let (rewrite_row, rewrite_byte) = split(short, long);

    let called = "alter table narrow add column called uuid default gen_random_uuid()";
    let called = work(watch.best(2, called, "alter table narrow drop column called").await?) - short;

    let comparisons = rows * rows.log2();
    let scanned = scan_row * rows + scan_byte * rows * f64::from(ROW_BYTES);
    let number = work(watch.best(2, "create index i on narrow (k)", "drop index i").await?) - scanned;
    let text = work(watch.best(2, "create index i on narrow (t)", "drop index i").await?) - scanned;

    let key = "alter table narrow add constraint f foreign key (k) references parent";
    let key = work(watch.best(2, key, "alter table narrow drop constraint f").await?) - scanned;

    let log = format!(
        "select pg_logical_emit_message(false, '', repeat('x', 100000)) from generate_series(1, {})",
        LOG_BYTES / 100_000
    );
    let log = work(watch.best(1, &log, "").await?);

    let bare = work(watch.best(1, "update narrow set k = k", "create index i on narrow (id)").await?);
    let indexed = work(watch.best(1, "update narrow set k = k", "").await?);
    let positive = |seconds: f64, count: f64| rounded(seconds.max(1e-5) / count);
    Ok(Rates {
        statement: rounded(statement),
        scan_row: rounded(scan_row),
        scan_byte: rounded(scan_byte),
        rewrite_row: rounded(rewrite_row),
        rewrite_byte: rounded(rewrite_byte),
        call_row: positive(called, rows),
        compare_number: positive(number, comparisons),
        compare_text: positive(text, comparisons),
        key_row: positive(key, rows),
        update_row: positive(bare, rows),
        update_entry: positive(indexed - bare, rows),
        log_byte: positive(log, f64::from(LOG_BYTES)),
        ..Rates::default()
    })
}

/// What of the time goes with the rows, and what with the bytes, from a table of many short rows and one of few long ones.
fn split(short: f64, long: f64) -> (f64, f64) {
    let (rows, bytes) = (f64::from(ROWS), f64::from(ROWS * ROW_BYTES));
    let (wide_rows, wide_bytes) = (f64::from(WIDE_ROWS), f64::from(WIDE_ROWS * WIDE_BYTES));
    let by_byte = (long - short * wide_rows / rows) / (wide_bytes - bytes * wide_rows / rows);
    // On a machine that does other things as well, one of the two may come out below zero.
    let by_byte = by_byte.clamp(0.0, short.min(long) / wide_bytes.max(bytes));
    let by_row = (short - by_byte * bytes) / rows;
    (by_row.max(1e-10), by_byte)
}

/// Three digits: more is not measured, and what is kept comes back digit by digit.
fn rounded(rate: f64) -> f64 {
    format!("{rate:.2e}").parse().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_bytes_are_told_apart() {
        let seconds = |rows: u32, bytes: u32| f64::from(rows) * 2e-7 + f64::from(rows * bytes) * 5e-10;
        let (row, byte) = split(seconds(ROWS, ROW_BYTES), seconds(WIDE_ROWS, WIDE_BYTES));
        assert!((row - 2e-7).abs() < 1e-12 && (byte - 5e-10).abs() < 1e-15, "{row} {byte}");
        // What cannot be is taken for the nearest that can.
        assert_eq!(split(1.0, 0.01).1, 0.0);
        assert!(split(0.01, 1.0).0 > 0.0);
    }
}
