//! Talks with an `ssh-agent`: which keys it has, and that it signs with one. An edge.
//!
//! Invariant: the agent is asked to sign exactly the bytes of one message in our namespace, and nothing leaves it but the
//! signature. <https://datatracker.ietf.org/doc/html/draft-miller-ssh-agent>

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use super::environment::{self, Name};
use crate::approval::key::Key;
use crate::approval::signature;

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// That an RSA key signs with SHA-512.
const RSA_SHA2_512: u32 = 4;

/// Longest answer that is read, in bytes.
const LONGEST: usize = 1 << 20;

/// Why an agent did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Nobody names one.
    #[error("there is no ssh-agent here: SSH_AUTH_SOCK is not set")]
    None,
    /// It does not answer.
    #[error("the ssh-agent cannot be asked: {0}")]
    Unreachable(#[from] std::io::Error),
    /// It says no: the key is not there, or a person declined.
    #[error("the ssh-agent declines to sign with {0}")]
    Declined(String),
    /// It says something that is not understood.
    #[error("the ssh-agent gives an answer that is not understood")]
    Garbled,
    /// What it signed is no signature.
    #[error("the ssh-agent gives no signature: {0}")]
    NoSignature(#[from] signature::Wrong),
}

/// A connection with an agent.
pub struct Agent {
    stream: UnixStream,
}

impl Agent {
    /// The one that the environment names.
    ///
    /// # Errors
    /// When there is none.
    pub fn connect() -> Result<Self, AgentError> {
        let path = environment::read(Name::SshAuthSock).ok_or(AgentError::None)?;
        Ok(Self { stream: UnixStream::connect(path)? })
    }

    /// The keys it has that may sign for us; what else it has is left out.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn keys(&mut self) -> Result<Vec<(Key, Vec<u8>)>, AgentError> {
        let answer = self.ask(&[REQUEST_IDENTITIES])?;
        let mut rest = Reading(answer.strip_prefix(&[IDENTITIES_ANSWER]).ok_or(AgentError::Garbled)?);
        let count = rest.number()?;
        let mut keys = Vec::new();
        for _ in 0..count {
            let (blob, _comment) = (rest.text()?, rest.text()?);
            let known = ssh_key::PublicKey::from_bytes(blob).ok().and_then(|key| Key::of(key.key_data()).ok());
            keys.extend(known.map(|key| (key, blob.to_vec())));
        }
        Ok(keys)
    }

    /// Signs a message with one of its keys; the signature is armoured.
    ///
    /// # Errors
    /// When it has no such key, or declines.
    pub fn sign(&mut self, key: &Key, message: &[u8]) -> Result<String, AgentError> {
        let declined = || AgentError::Declined(key.fingerprint());
        let blob = self.keys()?.into_iter().find(|(known, _)| known == key).map(|(_, blob)| blob);
        let mut request = vec![SIGN_REQUEST];
        put(&mut request, &blob.ok_or_else(declined)?);
        put(&mut request, &signature::to_be_signed(message)?);
        request.extend(RSA_SHA2_512.to_be_bytes());
        let answer = self.ask(&request)?;
        let mut rest = Reading(answer.strip_prefix(&[SIGN_RESPONSE]).ok_or_else(declined)?);
        Ok(signature::armoured(key, rest.text()?)?)
    }

    fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, AgentError> {
        let mut framed = Vec::with_capacity(request.len() + 4);
        put(&mut framed, request);
        self.stream.write_all(&framed)?;
        let mut length = [0_u8; 4];
        self.stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| AgentError::Garbled)?;
        if length == 0 || length > LONGEST {
            return Err(AgentError::Garbled);
        }
        let mut answer = vec![0_u8; length];
        self.stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}

/// A text with its length before it.
fn put(into: &mut Vec<u8>, text: &[u8]) {
    let length = u32::try_from(text.len()).expect("what is signed is short");
    into.extend(length.to_be_bytes());
    into.extend(text);
}

/// What is left of an answer.
struct Reading<'a>(&'a [u8]);

impl<'a> Reading<'a> {
    fn number(&mut self) -> Result<u32, AgentError> {
        let (number, rest) = self.0.split_first_chunk::<4>().ok_or(AgentError::Garbled)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*number))
    }

    fn text(&mut self) -> Result<&'a [u8], AgentError> {
        let length = usize::try_from(self.number()?).map_err(|_| AgentError::Garbled)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(AgentError::Garbled)?;
        self.0 = rest;
        Ok(text)
    }
}
