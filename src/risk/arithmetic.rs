//! Sizes times rates: how long a piece of work takes, what disk it needs, how much log it writes. Pure.
//!
//! Invariant: the formulas are those of `docs/risk.md`; a size that the server does not know is guessed upwards and said.

use super::statement::Key;
use crate::world::{Measure, Rates, ServerSettings, bytes_in_words, count_in_words};

/// Bytes of a row beside its values: its header, and its place on the page.
const ROW_HEADER: f64 = 28.0;
/// Bytes of an entry of an index beside its key: its header, and its place on the page.
const ENTRY_HEADER: f64 = 12.0;
/// How full the pages of an index are made.
const FILL: f64 = 0.9;
/// Bytes of a column of which nothing is known.
const COLUMN_BYTES: f64 = 16.0;
/// Bytes of a row of a table that nobody ever counted: so small that the guess is rather too many.
const GUESSED_ROW_BYTES: f64 = 64.0;
/// Rows of a referenced table whose keys are at hand in the caches of a processor: as many as are measured.
const KEYS_IN_CACHE: f64 = 10_000.0;
/// Bytes of log of a row that is written, beside the row.
const LOG_HEADER: f64 = 40.0;
/// What removing a row takes of what changing it takes.
const DELETE_PART: f64 = 0.6;
/// A table of this size is read by one more process, as `min_parallel_table_scan_size` has it; each further one takes three
/// times that.
const PARALLEL_BYTES: f64 = 8_388_608.0;
/// Memory that each process needs that sorts.
const PARALLEL_MEMORY: u64 = 33_554_432;
/// What each further process adds.
const PARALLEL_GAIN: f64 = 0.3;
/// An entry of an index that is longer than this is one of texts.
const NUMBER_ENTRY_BYTES: f64 = 26.0;

/// What a piece of work takes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Load {
    /// Seconds; nothing where that is not known.
    pub seconds: Option<f64>,
    /// Bytes of disk that are needed while it runs, or from then on.
    pub disk: f64,
    /// Bytes of log.
    pub log: f64,
    /// What the numbers rest on.
    pub because: Vec<String>,
    /// What is not known.
    pub unknown: Vec<String>,
}

impl Load {
    /// Both, one after the other.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.seconds = self.seconds.zip(other.seconds).map(|(one, other)| one + other);
        self.disk += other.disk;
        self.log += other.log;
        self.because.extend(other.because);
        self.unknown.extend(other.unknown);
        self
    }

    /// Work that takes no time.
    pub fn none() -> Self {
        Self { seconds: Some(0.0), ..Self::default() }
    }
}

/// A relation, and the server that works on it.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// What it is called.
    pub name: &'a str,
    /// How large it is.
    pub measure: &'a Measure,
    /// How fast it goes.
    pub rates: &'a Rates,
    /// What the target is set to.
    pub settings: &'a ServerSettings,
}

/// An index that is to be built.
pub enum Built<'a> {
    /// It is there, by this name, and is built again.
    Again(&'a str),
    /// It is new.
    New(&'a Key),
}

impl Ground<'_> {
    /// Its rows; guessed where nobody counted them.
    pub fn rows(&self) -> f64 {
        let measure = self.measure;
        measure.rows.map_or_else(|| measure.heap_bytes as f64 / GUESSED_ROW_BYTES, |rows| rows as f64)
    }

    /// `1.2 GB, about 3 million rows`.
    fn size(&self) -> String {
        let all = self.measure.heap_bytes + self.measure.toast_bytes;
        let rows = count_in_words(whole(self.rows()));
        match self.measure.rows {
            Some(_) => format!("{} is {}, about {rows} rows", self.name, bytes_in_words(all)),
            None => format!("{} is {}, its rows were never counted: taken for {rows}", self.name, bytes_in_words(all)),
        }
    }

    fn because(&self, done: &str) -> Vec<String> {
        vec![format!("{}: {done}", self.size())]
    }

    /// Bytes of its values in a row.
    fn width(&self) -> f64 {
        let measure = self.measure;
        if measure.all_columns && !measure.columns.is_empty() {
            return measure.columns.values().map(|column| f64::from(column.bytes)).sum();
        }
        (measure.heap_bytes as f64 / self.rows().max(1.0) - ROW_HEADER).max(0.0)
    }

    /// Bytes of its rows when they are written anew: without what is dead.
    fn written(&self) -> f64 {
        let bytes = self.rows() * (ROW_HEADER + self.width());
        bytes.min(self.measure.heap_bytes as f64) + self.measure.toast_bytes as f64
    }

    /// Whether what is written into a new file goes to the log as well.
    fn is_logged(&self) -> bool {
        self.settings.wal_level != "minimal"
    }

    fn read_seconds(&self) -> f64 {
        self.rows() * self.rates.scan_row + self.measure.heap_bytes as f64 * self.rates.scan_byte
    }

    /// It is read as a whole.
    pub fn scan(&self) -> Load {
        Load { seconds: Some(self.read_seconds()), because: self.because("read as a whole"), ..Load::default() }
    }

    /// Its rows are looked up in another table, of so many rows. The rate is that of a table which fits into the caches of
    /// a processor; each doubling beyond costs as much again (measured, see `docs/risk.md`).
    pub fn follow_keys(&self, referenced: f64) -> Load {
        let doublings = (referenced / KEYS_IN_CACHE).log2().max(0.0);
        let seconds = self.rows() * self.rates.key_row * (1.0 + doublings);
        Load { seconds: Some(seconds), because: self.because("its keys are looked up"), ..Load::default() }
    }

    /// For each of its rows a value is computed while it is written anew.
    pub fn call(&self) -> Load {
        let seconds = self.rows() * self.rates.call_row;
        Load { seconds: Some(seconds), because: self.because("a value is computed for each row"), ..Load::default() }
    }

    /// It is written anew, without its indexes.
    pub fn rewrite(&self) -> Load {
        let written = self.written();
        let log = if self.is_logged() { written + self.rows() * LOG_HEADER } else { 0.0 };
        let work = self.rows() * self.rates.rewrite_row + written * self.rates.rewrite_byte;
        // What is not logged has to be on disk at the end; so does the index of its long values, which is made anew.
        let direct = if self.is_logged() { 0.0 } else { written };
        let durable = (log + direct) * self.rates.disk_byte + self.rates.sync;
        Load {
            seconds: Some(work + log * self.rates.log_byte + durable),
            disk: written,
            log,
            because: self.because("written anew"),
            unknown: Vec::new(),
        }
    }

    /// An index of it is built; reading the table for it is counted apart.
    pub fn build(&self, index: &Built<'_>) -> Load {
        let (bytes, is_text, method) = self.index(index);
        let because = vec![format!("{}: an index of about {} is built", self.size(), bytes_in_words(whole(bytes)))];
        let log = if self.is_logged() { bytes } else { 0.0 };
        let load = Load { disk: bytes, log, because, ..Load::default() };
        if self.rows() < 1.0 {
            return Load { seconds: Some(0.0), ..load };
        }
        let compare = if is_text { self.rates.compare_text } else { self.rates.compare_number };
        let work = match method {
            "btree" | "hash" => self.rows() * self.rows().max(2.0).log2() * compare / self.sorters(),
            "brin" => 0.0,
            other => {
                let unknown = vec![format!("how long an index by {other} of {} takes", self.name)];
                return Load { unknown, ..load };
            }
        };
        // What does not fit into memory is sorted in files.
        let sorted = self.rows() * (ENTRY_HEADER + bytes / self.rows());
        let spills = self.settings.maintenance_bytes.is_some_and(|memory| sorted > memory as f64);
        let disk = if spills { load.disk + sorted } else { load.disk };
        // Its file is written past the server's memory, and is on disk before the statement ends.
        let durable = (log + bytes) * self.rates.disk_byte + self.rates.sync;
        Load { seconds: Some(work + log * self.rates.log_byte + durable), disk, ..load }
    }

    /// Bytes of an index, whether it is one of texts, and how it is made.
    fn index(&self, index: &Built<'_>) -> (f64, bool, &'static str) {
        match index {
            Built::Again(name) => {
                let known = self.measure.indexes.get(*name).cloned().unwrap_or_default();
                let is_text = known.bytes as f64 / self.rows().max(1.0) > NUMBER_ENTRY_BYTES;
                (known.bytes as f64, is_text, method(&known.method))
            }
            Built::New(key) => {
                let width = |column: &String| self.measure.columns.get(column).copied();
                let known: Vec<_> = key.columns.iter().map(width).collect();
                let bytes =
                    |known: &Option<crate::world::Width>| known.map_or(COLUMN_BYTES, |width| f64::from(width.bytes));
                let parts = key.computed.max(usize::from(key.columns.is_empty()));
                let key_bytes = known.iter().map(bytes).sum::<f64>() + parts as f64 * COLUMN_BYTES;
                let is_text = parts > 0 || known.iter().any(|width| width.is_none_or(|width| width.varies));
                // Keys begin at multiples of eight.
                let entry = ENTRY_HEADER + (key_bytes / 8.0).ceil() * 8.0;
                (self.rows() * entry / FILL, is_text, method(&key.method))
            }
        }
    }

    /// How much faster it goes because several processes sort.
    fn sorters(&self) -> f64 {
        let heap = self.measure.heap_bytes as f64;
        if heap < PARALLEL_BYTES {
            return 1.0;
        }
        let by_size = 1.0 + (heap / PARALLEL_BYTES).log(3.0).floor();
        let by_memory = self.settings.maintenance_bytes.map_or(1.0, |memory| (memory / PARALLEL_MEMORY) as f64 - 1.0);
        let allowed = f64::from(self.settings.maintenance_workers.unwrap_or(0));
        1.0 + PARALLEL_GAIN * by_size.min(by_memory).min(allowed).max(0.0)
    }

    /// Every row is changed: it stays behind, dead, and a new one is written, with new entries in the indexes.
    pub fn update(&self) -> Load {
        let (rows, row, entries) = (self.rows(), ROW_HEADER + self.width(), self.measure.indexes.len() as f64);
        let pages = self.full_pages() * (self.measure.heap_bytes + self.measure.index_bytes()) as f64;
        let log = rows * (row + LOG_HEADER) + rows * entries * (ENTRY_HEADER + LOG_HEADER) + pages;
        let work = rows * (self.rates.update_row + entries * self.rates.update_entry);
        Load {
            seconds: Some(work + pages * self.rates.log_byte + log * self.rates.disk_byte),
            disk: rows * row + self.measure.index_bytes() as f64,
            log,
            because: self.because("every row is changed"),
            unknown: Vec::new(),
        }
    }

    /// Every row is removed: it stays behind, dead.
    pub fn delete(&self) -> Load {
        let rows = self.rows();
        let pages = self.full_pages() * self.measure.heap_bytes as f64;
        let log = rows * LOG_HEADER * 1.5 + pages;
        let work = rows * self.rates.update_row * DELETE_PART;
        Load {
            seconds: Some(work + pages * self.rates.log_byte + log * self.rates.disk_byte),
            disk: 0.0,
            log,
            because: self.because("every row is removed"),
            unknown: Vec::new(),
        }
    }

    /// Whether a page goes to the log as a whole when it is changed for the first time since a checkpoint.
    fn full_pages(&self) -> f64 {
        if self.settings.full_page_writes.unwrap_or(true) { 1.0 } else { 0.0 }
    }
}

/// The methods that every server has.
fn method(name: &str) -> &'static str {
    const KNOWN: [&str; 6] = ["btree", "hash", "brin", "gin", "gist", "spgist"];
    match name {
        "" => "btree",
        _ => KNOWN.into_iter().find(|known| *known == name).unwrap_or("an extension"),
    }
}

/// A number of rows or bytes.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate, and never below zero")]
pub fn whole(estimate: f64) -> u64 {
    estimate.max(0.0).round() as u64
}

/// Three digits: more nobody reads, and what is saved comes back digit by digit.
pub fn rounded(estimate: f64) -> f64 {
    format!("{estimate:.2e}").parse().unwrap_or(0.0)
}

#[cfg(test)]
mod tests;
