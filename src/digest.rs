//! Digests: the names that content has. Pure.
//!
//! Invariant: a [`Digest`] is always SHA-256 over canonical bytes, so equal content has equal names on
//! every machine.

use std::fmt;
use std::io::Write as _;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of a serialisable thing: its compact JSON, whose maps must be ordered (they are
    /// `BTreeMap` or `IndexMap` throughout).
    ///
    /// # Panics
    /// When the thing refuses to be serialised, which for unsealed secrets is a bug on purpose.
    pub fn of_json<T: Serialize + ?Sized>(thing: &T) -> Self {
        // JSON comes in pieces of a few bytes; the hasher is faster with whole blocks.
        let mut hasher = std::io::BufWriter::with_capacity(1 << 14, HashWriter(Sha256::new()));
        serde_json::to_writer(&mut hasher, thing).expect("only sealed, serialisable data is digested");
        hasher.flush().expect("hashing does not fail");
        Self(hasher.into_parts().0.0.finalize().into())
    }

    /// The first twelve digits, enough for people to tell two digests apart.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }

    /// Wraps raw bytes, for keyed digests.
    pub fn from_raw(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

struct HashWriter(Sha256);

impl std::io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(formatter, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({})", self.short())
    }
}

/// Why a text is not a digest.
#[derive(Debug, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits, this is not one: `{0}`")]
pub struct NotADigest(String);

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let refuse = || NotADigest(text.to_owned());
        if text.len() != 64 || !text.is_ascii() {
            return Err(refuse());
        }
        let mut bytes = [0_u8; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| refuse())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
