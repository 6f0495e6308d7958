//! Secrets of files that are encrypted with `age`: read at the moment of use, and never written. An edge.
//!
//! Invariant: what was decrypted leaves as one value only; no message shows any of it.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use age::armor::ArmoredReader;
use age::{DecryptError, Decryptor, Identity, IdentityFile};

use super::environment::{self, Name};
use super::failure::Failure;
use crate::digest::Digest;
use crate::expression::Deferred;
use crate::secret::SecretReference;
use crate::step::ChangeSet;

/// The largest text that is decrypted.
const LARGEST: u64 = 1024 * 1024;

/// A value of an encrypted file: that of a key, or the whole text, trimmed.
///
/// # Errors
/// Why it cannot be had, and what to do.
pub fn value(path: &Path, key: Option<&str>) -> Result<String, String> {
    let bytes = read(path)?;
    let text = decrypted(&bytes, path, &identities()?)?;
    let Some(key) = key else { return Ok(text.trim().to_owned()) };
    let mut all = match text.trim_start().starts_with('{') {
        true => of_json(&text),
        false => assignments(&text),
    }
    .map_err(|why| format!("what is in {} is not understood: {why}", path.display()))?;
    all.remove(key).ok_or_else(|| {
        format!(
            "{} has no key `{key}`; decrypt it with `age -d`, add `{key}=…`, and encrypt it again for the same recipients",
            path.display()
        )
    })
}

#[expect(clippy::disallowed_methods, reason = "this is the edge that reads encrypted files")]
fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("there is no file {}", path.display()),
        _ => format!("{}: {error}", path.display()),
    })
}

/// The identities that this process may use.
fn identities() -> Result<Vec<Box<dyn Identity>>, String> {
    let variable = Name::AgeIdentity.spelling();
    let path = environment::read(Name::AgeIdentity)
        .ok_or_else(|| format!("set {variable} to the path of the file with your `age` identity"))?;
    let broken = |why: String| {
        format!("the identity {path}, as {variable} says, cannot be used: {why}; `age-keygen -o FILE` makes one")
    };
    let file = IdentityFile::from_file(path.clone()).map_err(|error| broken(error.kind().to_string()))?;
    let all = file.into_identities().map_err(|_| broken("it holds no identity".to_owned()))?;
    match all.is_empty() {
        true => Err(broken("it holds no identity".to_owned())),
        false => Ok(all),
    }
}

fn decrypted(bytes: &[u8], path: &Path, identities: &[Box<dyn Identity>]) -> Result<String, String> {
    let path = path.display();
    let why = |error: DecryptError| match error {
        DecryptError::NoMatchingKeys | DecryptError::KeyDecryptionFailed => format!(
            "{path} is not encrypted for the identity that {} names; encrypt it again with its recipient added, or name \
             another identity",
            Name::AgeIdentity.spelling()
        ),
        DecryptError::DecryptionFailed
        | DecryptError::ExcessiveWork { .. }
        | DecryptError::InvalidHeader
        | DecryptError::InvalidMac
        | DecryptError::Io(_)
        | DecryptError::UnknownFormat => {
            format!("{path} is no whole `age` file; take it from where it was whole (`git checkout -- {path}`)")
        }
    };
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(bytes)).map_err(why)?;
    let plain = decryptor.decrypt(identities.iter().map(|identity| &**identity)).map_err(why)?;
    let mut text = String::new();
    let taken = plain.take(LARGEST + 1).read_to_string(&mut text);
    match taken {
        Ok(_) if u64::try_from(text.len()).is_ok_and(|length| length <= LARGEST) => Ok(text),
        Ok(_) => Err(format!("{path} holds more than a mebibyte; secrets are short")),
        Err(error) => Err(why(DecryptError::Io(error))),
    }
}

fn of_json(text: &str) -> Result<BTreeMap<String, String>, String> {
    let json: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|error| format!("no JSON object, in line {}", error.line()))?;
    let word = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(json.into_iter().map(|(key, value)| (key, word(value))).collect())
}

/// Lines of `KEY=value` as a shell reads them: quotes, backslashes and comments, but nothing that is replaced.
fn assignments(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    let mut rest = text;
    while let Some(start) = rest.find(|letter: char| !letter.is_whitespace()) {
        rest = &rest[start..];
        let line = 1 + text[..text.len() - rest.len()].matches('\n').count();
        if rest.starts_with('#') {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let after = rest.strip_prefix("export ").unwrap_or(rest);
        let (key, value) = after.split_once('=').ok_or_else(|| format!("line {line} is no `KEY=value`"))?;
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
        if key.is_empty() || !key.chars().all(is_name) {
            return Err(format!("line {line} is no `KEY=value`"));
        }
        let (value, after) = word(value).ok_or_else(|| format!("quotes that begin in line {line} do not end"))?;
        let (end, after) = after.split_once('\n').unwrap_or((after, ""));
        if !end.trim().is_empty() && !end.trim_start().starts_with('#') {
            return Err(format!("in line {line} there is more behind the value; put it in quotes"));
        }
        found.insert(key.to_owned(), value);
        rest = after;
    }
    Ok(found)
}

/// One word of a shell, and what comes after it; nothing when its quotes do not end.
fn word(text: &str) -> Option<(String, &str)> {
    let mut word = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        rest = match letter {
            letter if letter.is_whitespace() => return Some((word, rest)),
            '\'' => {
                let (inside, after) = after.split_once('\'')?;
                word.push_str(inside);
                after
            }
            '"' => double_quoted(after, &mut word)?,
            '\\' => {
                let next = after.chars().next()?;
                word.push(next);
                &after[next.len_utf8()..]
            }
            other => {
                word.push(other);
                after
            }
        };
    }
    Some((word, rest))
}

fn double_quoted<'t>(text: &'t str, word: &mut String) -> Option<&'t str> {
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some(&text[at + 1..]),
            '\\' => match letters.next()?.1 {
                next @ ('"' | '\\' | '$' | '`') => word.push(next),
                '\n' => {}
                next => word.extend(['\\', next]),
            },
            other => word.push(other),
        }
    }
    None
}

/// The digests of the encrypted files that a change set refers to, by path.
pub fn pins(change_set: &ChangeSet, folder: &Path) -> BTreeMap<String, Digest> {
    let steps = change_set.steps.iter();
    let deferred = steps.flat_map(|step| {
        let given = step.action.deferred().into_iter().flat_map(BTreeMap::values);
        given.chain(step.binding.deferred.values())
    });
    let paths = deferred.flat_map(Deferred::secrets).filter_map(|reference| match reference {
        SecretReference::Age { path, .. } => Some(path),
        SecretReference::Variable { .. }
        | SecretReference::Literal { .. }
        | SecretReference::Environment { .. }
        | SecretReference::File { .. }
        | SecretReference::Stored(_) => None,
    });
    let digest = |path: &String| read(&folder.join(path)).ok().map(|bytes| Digest::of_bytes(&bytes));
    paths.filter_map(|path| digest(&path).map(|digest| (path, digest))).collect()
}

/// Refuses a plan whose encrypted files are other ones by now.
///
/// # Errors
/// With all of them.
pub fn refuse_changed(pins: &BTreeMap<String, Digest>, folder: &Path) -> Result<(), Failure> {
    let is_same =
        |path: &str, digest: &Digest| read(&folder.join(path)).is_ok_and(|bytes| Digest::of_bytes(&bytes) == *digest);
    let changed: Vec<String> =
        pins.iter().filter(|(path, digest)| !is_same(path, digest)).map(|(path, _)| path.clone()).collect();
    match changed.is_empty() {
        true => Ok(()),
        false => Err(Failure::failed(format!("the plan was made with another {}", changed.join(", another ")))
            .cause("an encrypted file has changed since, or is gone; nothing was done")
            .help("make a new plan with `plan ENV --out FILE`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_a_shell_reads_them() {
        let text = "# keys\nexport A=plain\nB='it'\\''s $HOME\nnext' # why\n\nC=\"a \\\"b\\\" \\$x \\n\"\nD=\nE=a\\ b";
        let found = assignments(text).unwrap();
        let wanted = [("A", "plain"), ("B", "it's $HOME\nnext"), ("C", "a \"b\" $x \\n"), ("D", ""), ("E", "a b")];
        let wanted: BTreeMap<String, String> =
            wanted.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn what_is_not_understood_names_its_line_and_shows_nothing_of_it() {
        for (text, why) in [
            ("A=1\nhunter2\n", "line 2 is no `KEY=value`"),
            ("A=hunter two\n", "line 1 there is more"),
            ("A=1\n\nB='hunter\n", "line 3 do not end"),
            ("hunter 2=1", "line 1 is no"),
        ] {
            let said = assignments(text).unwrap_err();
            assert!(said.contains(why) && !said.contains("hunter"), "{said}");
        }
        assert!(!of_json("{\"a\": hunter2}").unwrap_err().contains("hunter"));
    }
}
