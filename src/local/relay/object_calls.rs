//! What a request to S3 asks, which has no name for it: method, path and query say it. Pure.
//!
//! Invariant: what is not known keeps the method as its name; it is passed on all the same.

use std::collections::BTreeMap;

use hyper::Method;
use hyper::header::HeaderMap;
use serde_json::Value;

/// The operation, as the SDKs name it.
pub(super) fn operation(method: &Method, path: &str, query: &str, headers: &HeaderMap) -> String {
    let asks = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
    let bucket = path.trim_matches('/');
    let found = match (method.as_str(), bucket.is_empty(), key.is_empty()) {
        ("GET", true, _) => Some("ListBuckets"),
        (_, true, _) => None,
        (method, false, true) => of_bucket(method, &asks),
        ("PUT", false, false) if headers.contains_key("x-amz-copy-source") => Some("CopyObject"),
        ("PUT", false, false) if asks("partNumber") => Some("UploadPart"),
        ("PUT", false, false) => Some("PutObject"),
        ("GET", false, false) => Some("GetObject"),
        ("HEAD", false, false) => Some("HeadObject"),
        ("DELETE", false, false) => Some("DeleteObject"),
        (_, false, false) => None,
    };
    found.map_or_else(|| method.to_string(), str::to_owned)
}

fn of_bucket(method: &str, asks: &dyn Fn(&str) -> bool) -> Option<&'static str> {
    let settings = [
        ("versioning", "GetBucketVersioning", "PutBucketVersioning"),
        ("encryption", "GetBucketEncryption", "PutBucketEncryption"),
        ("publicAccessBlock", "GetPublicAccessBlock", "PutPublicAccessBlock"),
        ("location", "GetBucketLocation", ""),
        ("versions", "ListObjectVersions", ""),
        ("list-type", "ListObjectsV2", ""),
    ];
    let setting = settings.into_iter().find(|(name, ..)| asks(name));
    match (method, setting) {
        ("GET", Some((_, get, _))) => Some(get),
        ("PUT", Some((_, _, put))) => Some(put).filter(|put| !put.is_empty()),
        ("GET", None) => Some("ListObjects"),
        ("PUT", None) => Some("CreateBucket"),
        ("HEAD", _) => Some("HeadBucket"),
        ("DELETE", None) => Some("DeleteBucket"),
        ("POST", None) if asks("delete") => Some("DeleteObjects"),
        _ => None,
    }
}

/// The prefix that a list is asked for, beside the path.
pub(super) fn names(query: &str, names: &mut BTreeMap<String, Value>, decoded: impl Fn(&str) -> String) {
    if let Some(prefix) = query.split('&').find_map(|pair| pair.strip_prefix("prefix=")) {
        names.insert("prefix".to_owned(), Value::from(decoded(prefix)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_names_of_the_sdks() {
        for (method, path, query, name) in [
            ("PUT", "/bucket/a/b.json", "", "PutObject"),
            ("PUT", "/bucket/a/b.json", "x-id=PutObject", "PutObject"),
            ("GET", "/bucket/a", "x-id=GetObject", "GetObject"),
            ("GET", "/bucket/", "list-type=2&prefix=a", "ListObjectsV2"),
            ("GET", "/bucket", "versioning", "GetBucketVersioning"),
            ("PUT", "/bucket/", "publicAccessBlock=", "PutPublicAccessBlock"),
            ("PUT", "/bucket", "", "CreateBucket"),
            ("HEAD", "/bucket", "", "HeadBucket"),
            ("GET", "/", "", "ListBuckets"),
            ("OPTIONS", "/bucket/a", "", "OPTIONS"),
        ] {
            let method = method.parse().unwrap();
            assert_eq!(operation(&method, path, query, &HeaderMap::new()), name, "{method} {path} {query}");
        }
    }
}
