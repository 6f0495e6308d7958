//! Who signs: a private key in a file, or one that an `ssh-agent` has. An edge.
//!
//! Invariant: a private key and its passphrase are in no error, log or debug output.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rsa::BigUint;
use rsa::pkcs1v15::SigningKey;
use rsa::sha2::Sha512;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use ssh_key::private::{KeypairData, RsaKeypair};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, Signature, SshSig};

use super::agent::Agent;
use super::environment::{self, Name};
use super::failure::Failure;
use super::session::Session;
use crate::approval::key::Key;
use crate::approval::message::NAMESPACE;

/// The files that are looked for in `~/.ssh` when no key is named, as `ssh` does.
const USUAL: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// Somebody who can sign.
pub enum Signer {
    /// With a private key.
    File(Box<PrivateKey>, Key),
    /// By an agent.
    Agent(Key),
    /// By `ssh-keygen`, which reads this file: what `ssh-key` does not understand, as numbers of curves that begin with a
    /// nought (a quarter of the keys of P-521).
    Program(PathBuf, Key),
}

impl Signer {
    /// Its public key.
    pub fn key(&self) -> &Key {
        match self {
            Self::File(_, key) | Self::Agent(key) | Self::Program(_, key) => key,
        }
    }

    /// Signs a text; the signature is armoured, as `ssh-keygen -Y sign` writes it.
    ///
    /// # Errors
    /// When the agent declines, or the key cannot sign.
    pub fn sign(&self, text: &str) -> Result<String, Failure> {
        match self {
            Self::Agent(key) => {
                let mut agent = Agent::connect().map_err(|error| Failure::failed(error.to_string()))?;
                agent.sign(key, text.as_bytes()).map_err(|error| Failure::failed(error.to_string()))
            }
            Self::Program(path, _) => {
                let arguments = ["-q", "-Y", "sign", "-n", NAMESPACE, "-f"];
                ssh_keygen(&arguments, path, text).map_err(|why| {
                    Failure::failed(format!("`ssh-keygen -Y sign` does not sign with {}: {why}", path.display()))
                        .help("add the key to an agent: `ssh-add FILE`")
                })
            }
            Self::File(private, _) => {
                let signed = match private.key_data() {
                    KeypairData::Rsa(pair) => by_rsa(pair, text.as_bytes()),
                    // The enum is another crate's and may grow.
                    _ => private.sign(NAMESPACE, HashAlg::Sha512, text.as_bytes()),
                };
                signed.and_then(|signature| signature.to_pem(LineEnding::LF)).map_err(|error| {
                    Failure::failed(format!("the key cannot sign: {error}"))
                        .help("a security key signs through an ssh-agent, or by `ssh-keygen -Y sign`")
                })
            }
        }
    }
}

/// Lets OpenSSH's own program work with a key; it asks for a passphrase by itself, on the terminal. Gives what it says.
fn ssh_keygen(arguments: &[&str], file: &Path, text: &str) -> Result<String, String> {
    let mut command = Command::new("ssh-keygen");
    command.args(arguments).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("it cannot be started: {error}"))?;
    if let Some(mut talk) = child.stdin.take() {
        // Who has failed already reads nothing, and says why below.
        let _ = talk.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// What is not understood here is left to OpenSSH's own program, if that understands it.
fn by_program(path: &Path, error: &ssh_key::Error) -> Result<Signer, Failure> {
    let public = ssh_keygen(&["-y", "-f"], path, "");
    let key = public.and_then(|text| Key::parse(&text).map_err(|error| error.to_string()));
    key.map(|key| Signer::Program(path.to_owned(), key)).map_err(|why| {
        Failure::usage(format!("the key {} is not understood: {error}", path.display()))
            .cause(format!("ssh-keygen: {why}"))
            .help("`ssh-keygen -p -f FILE` writes an older form anew in that of OpenSSH")
    })
}

/// Signs with an RSA key. `ssh-key` would put it together of the first prime twice.
fn by_rsa(pair: &RsaKeypair, message: &[u8]) -> Result<SshSig, ssh_key::Error> {
    let (public, private) = (&pair.public, &pair.private);
    let primes = vec![BigUint::try_from(&private.p)?, BigUint::try_from(&private.q)?];
    let (n, e, d) = (BigUint::try_from(&public.n)?, BigUint::try_from(&public.e)?, BigUint::try_from(&private.d)?);
    let key = rsa::RsaPrivateKey::from_components(n, e, d, primes).map_err(|_| ssh_key::Error::Crypto)?;
    let bytes = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, message)?;
    let signed = SigningKey::<Sha512>::new(key).try_sign(&bytes).map_err(|_| ssh_key::Error::Crypto)?;
    let algorithm = Algorithm::Rsa { hash: Some(HashAlg::Sha512) };
    let signature = Signature::new(algorithm, signed.to_vec())?;
    SshSig::new(KeyData::Rsa(public.clone()), NAMESPACE, HashAlg::Sha512, signature)
}

/// The signer that is meant: by the file of a key, or else the first of the agent's and of the usual files that
/// `may_sign`.
///
/// # Errors
/// When there is none, or its passphrase is wrong or cannot be asked for.
pub fn find(session: &Session, file: Option<&Path>, may_sign: impl Fn(&Key) -> bool) -> Result<Signer, Failure> {
    if let Some(file) = file {
        return of_file(session, &session.path(file));
    }
    let of_agent = Agent::connect().and_then(|mut agent| agent.keys());
    let of_agent = match of_agent {
        Ok(keys) => keys.into_iter().map(|(key, _)| key).find(|key| may_sign(key)),
        Err(error) => {
            tracing::debug!(%error, "no key of an agent");
            None
        }
    };
    if let Some(key) = of_agent {
        return Ok(Signer::Agent(key));
    }
    let home = environment::read(Name::Home).map(PathBuf::from);
    for name in USUAL {
        let Some(path) = home.as_ref().map(|home| home.join(".ssh").join(name)) else { continue };
        let public = read(&path.with_extension("pub")).ok().and_then(|text| Key::parse(&text).ok());
        if public.is_some_and(|key| may_sign(&key)) {
            return of_file(session, &path);
        }
    }
    Err(Failure::usage("no key is at hand that may sign this; nothing was done")
        .help("name one with `--key FILE`, or add it to the agent: `ssh-add FILE`")
        .help("or sign with plain OpenSSH: `approve --help` shows how"))
}

/// The key of a file: a private one, or a public one whose private half an agent has, or a file beside it.
fn of_file(session: &Session, path: &Path) -> Result<Signer, Failure> {
    let shown = path.display();
    let text = read(path).map_err(|error| Failure::usage(format!("the key {shown} cannot be read: {error}")))?;
    if !text.contains("PRIVATE KEY") {
        let key = Key::parse(&text).map_err(|error| Failure::usage(format!("{shown}: {error}")))?;
        let of_agent = Agent::connect().and_then(|mut agent| agent.keys());
        if of_agent.as_ref().is_ok_and(|keys| keys.iter().any(|(known, _)| *known == key)) {
            return Ok(Signer::Agent(key));
        }
        let beside = path.with_extension("");
        if path.extension().is_some_and(|end| end == "pub") && beside.is_file() {
            return of_file(session, &beside);
        }
        let why = of_agent.err().map_or("the ssh-agent does not have it".to_owned(), |error| error.to_string());
        return Err(Failure::usage(format!("{shown} is a public key, and its private half is not at hand"))
            .cause(why)
            .help("add it to the agent: `ssh-add FILE`"));
    }
    let private = match PrivateKey::from_openssh(&text) {
        Ok(private) => private,
        Err(error) => return by_program(path, &error),
    };
    let key = Key::of(private.public_key().key_data()).map_err(|error| Failure::usage(format!("{shown}: {error}")))?;
    if !private.is_encrypted() {
        return Ok(Signer::File(Box::new(private), key));
    }
    let of_agent = Agent::connect().and_then(|mut agent| agent.keys()).unwrap_or_default();
    if of_agent.iter().any(|(known, _)| *known == key) {
        return Ok(Signer::Agent(key));
    }
    let Some(passphrase) = session.terminal.ask_secret(&format!("Passphrase of {shown}:")) else {
        return Err(Failure::usage(format!("{shown} has a passphrase, and there is no terminal to ask for it"))
            .help("add it to the agent first: `ssh-add FILE`"));
    };
    match private.decrypt(passphrase.as_bytes()) {
        Ok(private) => Ok(Signer::File(Box::new(private), key)),
        Err(ssh_key::Error::Crypto) => Err(Failure::usage(format!("this is not the passphrase of {shown}"))),
        // It was opened, and what is in it is not understood.
        Err(_) => Ok(Signer::Program(path.to_owned(), key)),
    }
}

/// The text of a key.
#[expect(clippy::disallowed_methods, reason = "keys are named on the command line")]
fn read(path: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}
