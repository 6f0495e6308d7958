//! How fast servers work on this machine, kept beside the evidence. An edge.
//!
//! Invariant: what was measured on another machine, or of another version, is not found; a damaged entry counts as absent.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::evidence::{Folder, make_private};
use super::whole_file;
use crate::digest::Digest;
use crate::world::{RATES_FORMAT, Rates};

/// An entry: the rates and their digest, so that a damaged one is known.
#[derive(Serialize, Deserialize)]
struct Entry {
    format: u32,
    digest: Digest,
    rates: Rates,
}

/// What tells one machine from another: two that say the same work alike.
fn machine() -> String {
    #[expect(clippy::disallowed_methods, reason = "the machine is asked about itself at this edge")]
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find(|line| line.starts_with("model name")).unwrap_or_default();
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{} {} {count} {model}", std::env::consts::OS, std::env::consts::ARCH)
}

/// Bytes that are written at once to see how fast the disk is: more than the caches of most hide.
const BYTES: usize = 16 << 20;

/// How long it takes to make a little durable, and a byte of much.
fn measure(path: &Path) -> std::io::Result<(f64, f64)> {
    let mut file = File::create(path)?;
    let mut timed = |bytes: usize| {
        let begun = Instant::now();
        file.write_all(&vec![1; bytes])?;
        file.sync_data()?;
        std::io::Result::Ok(begun.elapsed().as_secs_f64())
    };
    let (first, second, third) = (timed(8192)?, timed(8192)?, timed(8192)?);
    let sync = first.min(second).min(third);
    let mut times = [timed(BYTES)?, timed(BYTES)?, timed(BYTES)?, timed(BYTES)?];
    // The best would be that of a cache, the worst that of somebody else's work.
    times.sort_by(f64::total_cmp);
    let byte = (times[1].midpoint(times[2]) - sync).max(0.0) / BYTES as f64;
    Ok((rounded(sync), rounded(byte)))
}

/// Three digits: what is kept comes back digit by digit.
fn rounded(seconds: f64) -> f64 {
    format!("{seconds:.2e}").parse().unwrap_or(0.0)
}

fn key(major: u32) -> Digest {
    Digest::of_json(&("rates", RATES_FORMAT, major, machine()))
}

impl Folder {
    /// What was measured here of a major version.
    pub fn rates(&self, major: u32) -> Option<Rates> {
        #[expect(clippy::disallowed_methods, reason = "rates are read by the command line itself")]
        let text = std::fs::read(self.path(&key(major))?).ok()?;
        let entry: Entry = serde_json::from_slice(&text).ok()?;
        let is_whole = entry.format == RATES_FORMAT && Digest::of_json(&entry.rates) == entry.digest;
        Some(entry.rates).filter(|rates| is_whole && rates.is_sound())
    }

    /// These rates with those of the disk that this folder lies on; the usual ones where it cannot be written.
    pub fn with_disk(&self, rates: Rates) -> Rates {
        let Some(path) = self.path(&key(0)).map(|path| path.with_extension("disk")) else { return rates };
        let measured = path.parent().map_or(Ok(()), make_private).and_then(|()| measure(&path));
        // It may not even have been made.
        let _ = std::fs::remove_file(&path);
        match measured {
            Ok((sync, disk_byte)) => Rates { sync, disk_byte, ..rates },
            Err(_) => rates,
        }
    }

    /// Keeps what was measured; that it cannot be kept does no harm.
    pub fn keep_rates(&self, major: u32, rates: &Rates) {
        let Some(path) = self.path(&key(major)) else { return };
        let entry = Entry { format: RATES_FORMAT, digest: Digest::of_json(rates), rates: rates.clone() };
        let text = serde_json::to_vec(&entry).expect("rates are plain data");
        let kept = path.parent().map_or(Ok(()), make_private).and_then(|()| whole_file::write(&path, &text));
        if let Err(error) = kept {
            tracing::info!(%error, path = %path.display(), "rates cannot be kept; they are measured again next time");
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make their own files")]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_found_by_version_and_only_whole() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Folder::at(folder.path());
        let rates = Rates { server: "15.18".to_owned(), scan_row: 1.23e-7, ..Rates::default() };
        assert_eq!(shelf.rates(15), None);
        shelf.keep_rates(15, &rates);
        assert_eq!(shelf.rates(15), Some(rates));
        assert_eq!(shelf.rates(16), None);
        let disk = shelf.with_disk(Rates::default());
        assert!(disk.sync > 0.0 && disk.sync < 10.0 && disk.is_sound(), "{disk:?}");
        let beside = Folder::at(std::path::Path::new("/dev/null/nowhere"));
        assert_eq!(beside.with_disk(Rates::default()), Rates::default());
        let path = shelf.path(&key(15)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("1.23e-7", "9.23e-7")).unwrap();
        assert_eq!(shelf.rates(15), None, "it was altered");
    }
}
