//! Sealing: a secret becomes a keyed digest, by which only its holder can tell whether it changed. Pure.
//!
//! Invariant: what comes out of [`Value::seal`] holds no sensitive value, only sealed ones.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{Data, Object, Value};
use crate::digest::Digest;

/// The random key of one ledger chain, 32 bytes; it lies in the chain's first record.
///
/// It protects plans and logs; whoever reads the ledger could test guesses with it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealKey(Digest);

/// A withheld secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sealed {
    /// The keyed digest, or nothing while there is no chain yet that could hold a key (a first plan).
    pub digest: Option<Digest>,
}

impl SealKey {
    /// Makes a key of 32 random bytes.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(Digest::from_raw(bytes))
    }

    fn digest(&self, value: &Value) -> Digest {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.0.to_string().as_bytes()).expect("HMAC takes keys of any length");
        mac.update(value.reveal().to_json_text().as_bytes());
        Digest::from_raw(mac.finalize().into_bytes().into())
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SealKey(withheld)")
    }
}

impl Value {
    /// The value with every secret in it replaced by its keyed digest; `None` while there is no key yet.
    #[must_use]
    pub fn seal(&self, key: Option<&SealKey>) -> Self {
        if !self.is_sensitive() {
            return self.clone();
        }
        if self.marks.sensitive && !matches!(self.data, Data::Sealed(_)) {
            let known = self.is_known() && !contains_sealed(self);
            let digest = key.filter(|_| known).map(|key| key.digest(self));
            return Self::sealed(Sealed { digest });
        }
        match &self.data {
            Data::Sealed(_) => self.clone(),
            Data::List(element, items) => {
                Self::list(element.clone(), items.iter().map(|item| item.seal(key)).collect())
            }
            Data::Set(element, items) => Self::set(element.clone(), items.iter().map(|item| item.seal(key)).collect()),
            Data::Tuple(items) => Self::tuple(items.iter().map(|item| item.seal(key)).collect()),
            Data::Map(element, entries) => {
                Self::map(element.clone(), entries.iter().map(|(name, item)| (name.clone(), item.seal(key))))
            }
            Data::Object(entries) => Self::object(entries.iter().map(|(name, item)| (name.clone(), item.seal(key)))),
            Data::Null(_) | Data::Bool(_) | Data::Number(_) | Data::String(_) | Data::Unknown(_) => self.clone(),
        }
    }
}

fn contains_sealed(value: &Value) -> bool {
    let mut found = false;
    value.visit(&mut |inner| found |= matches!(inner.data, Data::Sealed(_)));
    found
}

/// Seals every attribute.
#[must_use]
pub fn seal_object(object: &Object, key: Option<&SealKey>) -> Object {
    object.iter().map(|(name, value)| (name.clone(), value.seal(key))).collect()
}
