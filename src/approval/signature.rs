//! Signatures in OpenSSH's form (`ssh-keygen -Y sign`): whether one is right, and whose. Pure.
//!
//! Invariant: what comes back as a key has signed exactly these bytes, in our namespace.

use ssh_key::{Algorithm, HashAlg, PublicKey, Signature, SshSig};

use super::key::{Key, NotAKey};
use super::message::NAMESPACE;

/// Longest signature that is looked at, in bytes: one by RSA of 16,384 bits has less than 7,000.
const LONGEST: usize = 16_384;

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is no signature.
    #[error("it is no signature as `ssh-keygen -Y sign` makes it: {0}")]
    Unreadable(String),
    /// It was made for something else.
    #[error("it was made for the namespace `{0}`, not for `{NAMESPACE}`")]
    Namespace(String),
    /// By a key that may not sign.
    #[error("{0}")]
    Key(NotAKey),
    /// With something that is not safe any more.
    #[error("it was made with `{0}`, which is not taken")]
    Algorithm(String),
    /// Nobody touched the security key.
    #[error("nobody touched the security key")]
    Untouched,
    /// It is not over this.
    #[error("it is not the signature of this content by the key that it names")]
    Forged,
}

/// Whose signature of this message it is.
///
/// # Errors
/// When it is none.
pub fn check(armoured: &str, message: &[u8]) -> Result<Key, Wrong> {
    let signature = read(armoured)?;
    if signature.namespace() != NAMESPACE {
        return Err(Wrong::Namespace(signature.namespace().to_owned()));
    }
    let key = Key::of(signature.public_key()).map_err(Wrong::Key)?;
    let (blob, algorithm) = (signature.signature_bytes(), signature.algorithm());
    match algorithm {
        // With SHA-1, which nobody should rely on any more.
        Algorithm::Rsa { hash: None } => return Err(Wrong::Algorithm("ssh-rsa".to_owned())),
        // Flags and a counter are the last five bytes; the lowest flag says that a person was there.
        Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => {
            let flags = blob.len().checked_sub(5).and_then(|at| blob.get(at)).copied().unwrap_or_default();
            if flags & 1 == 0 {
                return Err(Wrong::Untouched);
            }
        }
        _ => {}
    }
    let public = PublicKey::new(signature.public_key().clone(), "");
    public.verify(NAMESPACE, message, &signature).map_err(|_| Wrong::Forged)?;
    Ok(key)
}

/// The key that a signature names, whether or not it is right.
///
/// # Errors
/// When it is no signature, or by a key that may not sign.
pub fn named_key(armoured: &str) -> Result<Key, Wrong> {
    Key::of(read(armoured)?.public_key()).map_err(Wrong::Key)
}

fn read(armoured: &str) -> Result<SshSig, Wrong> {
    if armoured.len() > LONGEST {
        return Err(Wrong::Unreadable(format!("it has {} bytes", armoured.len())));
    }
    SshSig::from_pem(armoured.trim()).map_err(|error| Wrong::Unreadable(error.to_string()))
}

/// The bytes that a key signs for a message: for agents, which are given no more than these.
///
/// # Errors
/// When they cannot be put together.
pub fn to_be_signed(message: &[u8]) -> Result<Vec<u8>, Wrong> {
    SshSig::signed_data(NAMESPACE, HashAlg::Sha512, message).map_err(|error| Wrong::Unreadable(error.to_string()))
}

/// The armoured signature that an agent's answer is for a key.
///
/// # Errors
/// When it is no answer of such a key.
pub fn armoured(key: &Key, answer: &[u8]) -> Result<String, Wrong> {
    let unreadable = |error: ssh_key::Error| Wrong::Unreadable(error.to_string());
    let signature = Signature::try_from(answer).map_err(unreadable)?;
    let data = key.data().ok_or_else(|| Wrong::Unreadable("its key cannot be read".to_owned()))?;
    let signature = SshSig::new(data, NAMESPACE, HashAlg::Sha512, signature).map_err(unreadable)?;
    signature.to_pem(ssh_key::LineEnding::LF).map_err(unreadable)
}
