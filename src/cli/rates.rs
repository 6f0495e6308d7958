//! How fast servers work on this machine, kept beside the evidence. An edge.
//!
//! Invariant: what was measured on another machine, or of another version, is not found; a damaged entry counts as absent.

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
        let path = shelf.path(&key(15)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("1.23e-7", "9.23e-7")).unwrap();
        assert_eq!(shelf.rates(15), None, "it was altered");
    }
}
