//! Public keys of those who sign, as OpenSSH writes them. Pure.
//!
//! Invariant: two texts of one key are one [`Key`]: the comment is no part of it.

use serde::{Deserialize, Serialize};
use ssh_key::public::KeyData;
use ssh_key::{HashAlg, PublicKey};

/// The shortest RSA key that may sign, in bits.
const RSA_BITS: usize = 2048;

/// A public key: `ssh-ed25519 AAAA…`, without a comment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

/// Why a text is no key that may sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// It is not understood.
    #[error("it is no public key as `ssh-keygen` writes it (`ssh-ed25519 AAAA…`): {0}")]
    Unreadable(String),
    /// It is of a sort that is not taken.
    #[error("a key of the sort `{0}` is not taken: use ed25519, ecdsa, rsa or a security key")]
    Sort(String),
    /// It is too weak.
    #[error("an RSA key of {0} bits is too short: {RSA_BITS} or more are taken")]
    Short(usize),
}

impl Key {
    /// The key that is written so; a comment after it is left out.
    ///
    /// # Errors
    /// When it is none that may sign.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let key = PublicKey::from_openssh(text.trim()).map_err(|error| NotAKey::Unreadable(error.to_string()))?;
        Self::of(key.key_data())
    }

    /// The same from what it is made of.
    ///
    /// # Errors
    /// When it is of a sort that may not sign.
    pub fn of(data: &KeyData) -> Result<Self, NotAKey> {
        match data {
            KeyData::Ed25519(_) | KeyData::Ecdsa(_) | KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => {}
            KeyData::Rsa(rsa) => {
                let bits = rsa.n.as_positive_bytes().map_or(0, |bytes| bytes.len() * 8);
                if bits < RSA_BITS {
                    return Err(NotAKey::Short(bits));
                }
            }
            // The enum is another crate's and may grow.
            _ => return Err(NotAKey::Sort(data.algorithm().to_string())),
        }
        let text = PublicKey::new(data.clone(), "").to_openssh();
        Ok(Self(text.map_err(|error| NotAKey::Unreadable(error.to_string()))?.trim().to_owned()))
    }

    /// As OpenSSH writes it.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What it is made of.
    pub(super) fn data(&self) -> Option<KeyData> {
        PublicKey::from_openssh(&self.0).ok().map(|key| key.key_data().clone())
    }

    /// Its fingerprint, as `ssh-keygen -l` prints it: `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        self.data().map(|data| data.fingerprint(HashAlg::Sha256).to_string()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    #[test]
    fn a_comment_is_no_part_of_a_key() {
        let key = Key::parse(ALICE).unwrap();
        assert_eq!(Key::parse(&format!("{ALICE} alice@example\n")).unwrap(), key);
        assert_eq!(key.text(), ALICE);
        assert!(key.fingerprint().starts_with("SHA256:"));
    }

    #[test]
    fn what_is_no_key_or_too_weak_is_refused() {
        assert!(matches!(Key::parse("ssh-ed25519 nonsense"), Err(NotAKey::Unreadable(_))));
        let dsa = "ssh-dss AAAAB3NzaC1kc3MAAACBANw9iSUO2UYhFMssjUgW46URqv8bBrDgHeF8HLBOWBvKuXF2Rx2J/XyhgX48SOLMuv0hcPaejlyLarabnF9F2V4dkpPpZSJ+7luHmxEjNxwhsdtg8UteXAWkeCzrQ6MvRJZHcDBjYh56KGvslbFnJsGLXlI4PQCyl6awNImwYGilAAAAFQCJGBU3hZf+QtP9Jh/nbfNlhFu7hwAAAIBHObOQioQVRm3HsVb7mOy3FVKhcLoLO3qoG9gTkd4KeuehtFAC3+rckiX7xSCnE/5BBKdL7VP9WRXac2Nlr9Pwl3e7zPut96wrCHt/TZX6vkfXKkbpUIj5zSqfvyNrWKaYJkfzwAQwrXNS1Hol676Ud/DDEn2oatdEhkS3beWHXAAAAIBgQqaz/YYTRMshzMzYcZ4lqgvgmA55y6v0h39e8HH2A5dwNS6sPUw2jyna+le0dceNRJifFld1J+WYM0vmquSr11DDavgEidOSaXwfMvPPPJqLmbzdtT16N+Gij9U9STQTHPQcQ3xnNNHgQAStzZJbhLOVbDDDo5BO7LMUALDfSA==";
        assert!(matches!(Key::parse(dsa), Err(NotAKey::Sort(_))));
    }
}
