//! Records as the text that is stored: read, and told apart from what a newer version wrote. Pure.
//!
//! Invariant: what a newer version wrote is refused with the version to install; it is never half understood.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::StoreError;
use super::record::{self, Body, Record, Sequence};

/// Reads the stored texts of one chain, in order.
pub struct Reader {
    url: String,
    last: Sequence,
    /// The tool of each lease, for naming the version that wrote a record.
    tools: BTreeMap<Sequence, String>,
}

/// What records of every version have.
#[derive(Deserialize)]
struct Loose {
    format: u32,
    #[serde(default)]
    sequence: Sequence,
    #[serde(default)]
    lease: Option<Sequence>,
    #[serde(default)]
    body: serde_json::Value,
}

impl Reader {
    /// For the records after this one of the chain at a URL.
    pub fn new(url: &str, after: Sequence) -> Self {
        Self { url: url.to_owned(), last: after, tools: BTreeMap::new() }
    }

    /// Reads one record.
    ///
    /// # Errors
    /// When it is newer than this build, or no record.
    pub fn record(&mut self, text: &str) -> Result<Record, StoreError> {
        let read = serde_json::from_str::<Record>(text);
        let mut records = self.judged(text, read.map(|record| vec![record]))?;
        Ok(records.remove(0))
    }

    /// Reads a batch that is stored as one JSON array.
    ///
    /// # Errors
    /// When a record of it is newer than this build, or it is no batch.
    pub fn batch(&mut self, line: &[u8]) -> Result<Vec<Record>, StoreError> {
        let read = serde_json::from_slice::<Vec<Record>>(line);
        match read {
            Ok(records) if records.iter().all(|record| record.format <= record::FORMAT) => {
                self.note(&records);
                Ok(records)
            }
            read => self.judged(&String::from_utf8_lossy(line), read),
        }
    }

    fn judged(&mut self, text: &str, read: serde_json::Result<Vec<Record>>) -> Result<Vec<Record>, StoreError> {
        match (read, self.newer(text)) {
            (_, Some(newer)) => Err(newer),
            (Ok(records), None) => {
                self.note(&records);
                Ok(records)
            }
            (Err(cause), None) => Err(StoreError::Damaged {
                url: self.url.clone(),
                cause: format!("what follows record {} cannot be read: {cause}", self.last),
            }),
        }
    }

    fn note(&mut self, records: &[Record]) {
        for record in records {
            self.last = record.sequence;
            if let Body::Leased { actor, .. } = &record.body {
                self.tools.insert(record.sequence, actor.tool.clone());
            }
        }
    }

    /// The first record of a newer version, and which version wrote it, as far as it or its lease says.
    fn newer(&self, text: &str) -> Option<StoreError> {
        let mut tools = self.tools.clone();
        for piece in split(text) {
            let Ok(loose) = serde_json::from_str::<Loose>(piece) else {
                continue;
            };
            let own = loose.body.pointer("/actor/tool").and_then(serde_json::Value::as_str).map(str::to_owned);
            if let Some(tool) = &own {
                tools.insert(loose.sequence, tool.clone());
            }
            if loose.format > record::FORMAT {
                let of_lease = || loose.lease.and_then(|lease| tools.get(&lease).cloned());
                let tool = match own.or_else(of_lease) {
                    Some(tool) => format!("{tool} or newer"),
                    None => format!("in a version newer than {}", env!("CARGO_PKG_VERSION")),
                };
                let (url, found, known) = (self.url.clone(), loose.format, record::FORMAT);
                return Some(StoreError::Newer { url, found, known, tool });
            }
        }
        None
    }
}

/// The records of a stored batch (a JSON array), byte for byte. Whatever is no array is given as one piece.
pub fn split(line: &str) -> Vec<&str> {
    let line = line.trim();
    let Some(inner) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return vec![line];
    };
    let (mut pieces, mut begun, mut depth) = (Vec::new(), 0, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                pieces.push(inner[begun..at].trim());
                begun = at + 1;
            }
            _ => {}
        }
    }
    let rest = inner[begun..].trim();
    if !(rest.is_empty() && pieces.is_empty()) {
        pieces.push(rest);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_split_where_its_records_end() {
        assert_eq!(split(r#"[{"a":[1,2]},{"b":"],\"{"} , 3]"#), [r#"{"a":[1,2]}"#, r#"{"b":"],\"{"}"#, "3"]);
        assert_eq!(split("[]"), Vec::<&str>::new());
        assert_eq!(split("nonsense, or\n"), ["nonsense, or"]);
        assert_eq!(split(r#"[{"a":1}"#), [r#"[{"a":1}"#]);
    }

    #[test]
    fn a_newer_record_names_the_version_that_wrote_it_or_its_lease() {
        let said = |text: &str| Reader::new("file:x", 3).batch(text.as_bytes()).unwrap_err().to_string();
        let own = said(r#"[{"format":9,"sequence":4,"body":{"record":"dreamt","actor":{"tool":"7.1.0","dna":1}}}]"#);
        assert!(own.ends_with("install switchback 7.1.0 or newer"), "{own}");
        let lease = r#"{"format":9,"sequence":4,"body":{"actor":{"tool":"7.2.0"}}}"#;
        let under = said(&format!(r#"[{lease},{{"format":9,"sequence":5,"lease":4,"body":7}}]"#));
        assert!(under.ends_with("install switchback 7.2.0 or newer"), "{under}");
        let unknown = said(r#"[{"format":9,"record":"dreamt"}]"#);
        assert!(unknown.contains("has a record of format 9, this build reads up to 5"), "{unknown}");
        assert!(unknown.ends_with("install switchback in a version newer than 0.1.0"), "{unknown}");
    }

    #[test]
    fn a_record_under_an_older_lease_names_that_lease_s_version() {
        let mut reader = Reader::new("file:x", 0);
        let previous = "0".repeat(64);
        let leased = format!(
            r#"{{"format":2,"sequence":1,"previous":"{previous}","time":"2026-01-01T00:00:00Z","body":{{"record":"leased",
            "actor":{{"name":"a","host":"b","tool":"6.0.0","process":1}},"purpose":"p","milliseconds":1,"nonce":"n"}}}}"#
        );
        assert_eq!(reader.record(&leased).unwrap().sequence, 1);
        let newer = reader.record(r#"{"format":9,"sequence":2,"lease":1}"#).unwrap_err().to_string();
        assert!(newer.ends_with("install switchback 6.0.0 or newer"), "{newer}");
        let damaged = reader.record("{}").unwrap_err().to_string();
        assert!(damaged.contains("what follows record 1 cannot be read"), "{damaged}");
    }
}
