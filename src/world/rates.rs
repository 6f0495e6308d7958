//! How fast a server works: what estimates multiply sizes with. Plain data.
//!
//! Invariant: rates that nobody measured say so.

use serde::{Deserialize, Serialize};

/// The version of the form, and of what is measured: others are measured anew.
pub const FORMAT: u32 = 2;

/// How fast a server works on data that lie in memory; every number is in seconds for one of what it counts.
///
/// They are measured with `fsync` off and without a log of what is written anew: how long writing that takes is
/// [`Rates::log_byte`], apart from the rest; and the disk is that of the machine, not of the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// The version of the server on which they were measured: `15.18`; empty when nobody measured.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub server: String,
    /// A statement that only changes the catalog.
    pub statement: f64,
    /// A row that is read and checked.
    pub scan_row: f64,
    /// A byte of the rows that are read.
    pub scan_byte: f64,
    /// A row that is written anew.
    pub rewrite_row: f64,
    /// A byte of the rows that are written anew.
    pub rewrite_byte: f64,
    /// A row that is written anew and for which a function is called that gives each row another value, on top of writing it.
    pub call_row: f64,
    /// One comparison of numbers while an index is built: there are rows × log2(rows).
    pub compare_number: f64,
    /// One comparison of texts.
    pub compare_text: f64,
    /// A row whose foreign key is looked up, on top of reading both tables.
    pub key_row: f64,
    /// A row that is changed, without indexes.
    pub update_row: f64,
    /// An entry of an index that a changed row needs.
    pub update_entry: f64,
    /// A byte of log, without the disk.
    pub log_byte: f64,
    /// A file or the log that is made durable: the end of a transaction, a new index.
    pub sync: f64,
    /// A byte that is made durable.
    pub disk_byte: f64,
}

impl Default for Rates {
    /// What a small machine of 2023 does: taken where nothing was measured.
    fn default() -> Self {
        Self {
            server: String::new(),
            statement: 1e-3,
            scan_row: 1e-7,
            scan_byte: 3e-10,
            rewrite_row: 6e-7,
            rewrite_byte: 2e-9,
            call_row: 1e-6,
            compare_number: 3e-8,
            compare_text: 8e-8,
            key_row: 4e-7,
            update_row: 1.5e-6,
            update_entry: 1.5e-6,
            log_byte: 3e-9,
            sync: 4e-3,
            disk_byte: 5e-9,
        }
    }
}

impl Rates {
    /// Whether they were measured.
    pub fn is_measured(&self) -> bool {
        !self.server.is_empty()
    }

    /// Whether every number can be multiplied with: finite, and not below zero.
    pub fn is_sound(&self) -> bool {
        let Self { server: _, statement, scan_row, scan_byte, rewrite_row, rewrite_byte, call_row, .. } = self;
        let Self { compare_number, compare_text, key_row, update_row, update_entry, log_byte, sync, disk_byte, .. } =
            self;
        let all = [
            statement,
            scan_row,
            scan_byte,
            rewrite_row,
            rewrite_byte,
            call_row,
            compare_number,
            compare_text,
            key_row,
            update_row,
            update_entry,
            log_byte,
            sync,
            disk_byte,
        ];
        all.iter().all(|rate| rate.is_finite() && **rate >= 0.0)
    }
}
