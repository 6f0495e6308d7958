//! Where a ledger lies in S3: `s3://BUCKET/PREFIX?region=…&endpoint=…&profile=…`. Pure.
//!
//! Invariant: a location holds no secret; one with a password in its endpoint is refused.

/// A bucket, the beginning of the keys in it, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The bucket.
    pub bucket: String,
    /// What every key begins with, without `/` at either end; may be empty.
    pub prefix: String,
    /// The region.
    pub region: Option<String>,
    /// The URL of an endpoint that is not AWS's own.
    pub endpoint: Option<String>,
    /// A profile of the AWS configuration.
    pub profile: Option<String>,
}

impl Location {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, and how it is written instead.
    pub fn parse(url: &str) -> Result<Self, String> {
        const FORM: &str = "write `s3://BUCKET/PREFIX?region=eu-central-1`";
        let rest = url.strip_prefix("s3://").ok_or_else(|| format!("it does not begin with `s3://`; {FORM}"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if !is_bucket(bucket) {
            return Err(format!(
                "`{bucket}` is no name of a bucket (3 to 63 small letters, digits, `-` and `.`); {FORM}"
            ));
        }
        let prefix = prefix.trim_matches('/').to_owned();
        let fits = |character: char| character.is_ascii_alphanumeric() || "-_./=+@".contains(character);
        let is_part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(fits);
        if !prefix.is_empty() && !prefix.split('/').all(is_part) {
            return Err(format!("the prefix `{prefix}` has a character or a part that no key should have"));
        }
        let mut location = Self { bucket: bucket.to_owned(), prefix, region: None, endpoint: None, profile: None };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}` has no value; {FORM}"))?;
            let value = decoded(value)?;
            let field = match name {
                "region" => &mut location.region,
                "endpoint" => &mut location.endpoint,
                "profile" => &mut location.profile,
                _ => return Err(format!("`{name}` is none of `region`, `endpoint` and `profile`; {FORM}")),
            };
            *field = Some(value).filter(|value| !value.is_empty());
        }
        location.refuse_endpoint()?;
        Ok(location)
    }

    fn refuse_endpoint(&self) -> Result<(), String> {
        let Some(endpoint) = &self.endpoint else {
            return Ok(());
        };
        let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
        match host {
            None => Err("the endpoint is no URL; write it like `endpoint=https://s3.example.com`".to_owned()),
            Some(host) if host.contains('@') => {
                Err("the endpoint has a name or password in it; give credentials by `profile` or AWS_ACCESS_KEY_ID"
                    .to_owned())
            }
            Some(_) => Ok(()),
        }
    }

    /// The same as a URL, which can be typed again.
    pub fn url(&self) -> String {
        let mut url = self.object_url(&self.prefix);
        let pairs = [("region", &self.region), ("endpoint", &self.endpoint), ("profile", &self.profile)];
        let given = pairs.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value)));
        for (index, (name, value)) in given.enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url += &format!("{name}={}", encoded(value));
        }
        url
    }

    /// The URL of one object, for people.
    pub fn object_url(&self, key: &str) -> String {
        match key {
            "" => format!("s3://{}", self.bucket),
            key => format!("s3://{}/{key}", self.bucket),
        }
    }

    /// The key of something below the prefix.
    pub fn key(&self, name: &str) -> String {
        match self.prefix.as_str() {
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        }
    }
}

fn is_bucket(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len()) && name.bytes().all(fits) && ends(bytes.first()) && ends(bytes.last())
}

fn encoded(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        match byte {
            b'%' | b'&' | b'#' | b'?' | b'=' | b'+' | 0..=b' ' | 127.. => text += &format!("%{byte:02X}"),
            byte => text.push(char::from(byte)),
        }
    }
    text
}

fn decoded(value: &str) -> Result<String, String> {
    let wrong = || format!("`{value}` has a `%` that two hexadecimal digits do not follow");
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).ok_or_else(wrong)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_written_back() {
        for url in [
            "s3://ledgers",
            "s3://ledgers/shop/web",
            "s3://my.ledgers/shop?region=eu-central-1",
            "s3://ledgers/shop?region=eu-central-1&endpoint=http://127.0.0.1:4566&profile=ci",
            "s3://ledgers/shop?profile=a%26b",
        ] {
            assert_eq!(Location::parse(url).unwrap().url(), url);
        }
        let location = Location::parse("s3://ledgers//shop/?endpoint=http%3A%2F%2Flocalhost").unwrap();
        assert_eq!((&*location.prefix, location.endpoint.as_deref()), ("shop", Some("http://localhost")));
        assert_eq!(location.key("dev/x"), "shop/dev/x");
        assert_eq!(Location::parse("s3://ledgers").unwrap().key("dev/x"), "dev/x");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, said) in [
            ("s3:ledgers", "does not begin"),
            ("s3://", "no name of a bucket"),
            ("s3://Ledgers/x", "no name of a bucket"),
            ("s3://ledgers/a/../b", "the prefix"),
            ("s3://ledgers/a?key=x", "`key` is none of"),
            ("s3://ledgers/a?region", "no value"),
            ("s3://ledgers/a?region=%4", "hexadecimal"),
            ("s3://ledgers/a?endpoint=host", "no URL"),
            ("s3://ledgers/a?endpoint=http://me:secret@host", "credentials"),
        ] {
            let error = Location::parse(url).unwrap_err();
            assert!(error.contains(said) && !error.contains("secret"), "{url}: {error}");
        }
    }
}
