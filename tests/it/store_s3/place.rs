//! A bucket of its own on the shared stack, and what a person with other tools does in it.

use std::time::Duration;

use serde_json::{Value, json};
use switchback::store::s3::{self, Patience, S3Store};

use crate::stack::{self, Stack};

/// A place for ledgers.
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// The ledger's URL.
    pub url: String,
}

/// Time limits for tests that wait for them.
pub fn quick() -> Patience {
    Patience {
        attempt: Duration::from_millis(700),
        whole: Duration::from_secs(20),
        tries: 4,
        pause: Duration::from_millis(20),
    }
}

impl Place {
    /// A URL without a bucket.
    pub fn nowhere(prefix: &str) -> Self {
        let facts = stack::shared().facts();
        let bucket = stack::unique(&format!("ledger-{prefix}")).replace('_', "-");
        let url = format!("s3://{bucket}/ledgers?region={}&endpoint={}", facts.region, facts.aws_endpoint);
        Self { bucket, url }
    }

    /// A bucket that somebody else made.
    pub fn bare(prefix: &str) -> Self {
        let place = Self::nowhere(prefix);
        let region = &stack::shared().facts().region;
        let body = format!(
            "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        );
        let (status, said) = place.raw("PUT", "", &body);
        assert_eq!(status, 200, "{said}");
        place
    }

    /// A place that `init` made.
    pub fn new(prefix: &str) -> Self {
        let place = Self::nowhere(prefix);
        super::run(s3::make_place(&place.url)).expect("the place is made");
        place
    }

    /// Opens the chain of `dev`, as another process would.
    pub fn open(&self) -> S3Store {
        S3Store::new(&self.url, "dev").expect("the URL is right").with_patience(Patience {
            attempt: Duration::from_secs(10),
            pause: Duration::from_millis(20),
            ..Patience::default()
        })
    }

    fn stack(&self) -> &'static Stack {
        stack::shared()
    }

    fn raw(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let facts = self.stack().facts();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/{}/s3/aws4_request, SignedHeaders=host, Signature=0",
            facts.access_key, facts.region
        );
        let headers = [("authorization", authorization.as_str())];
        self.stack().raw(method, &format!("/{}{path}", self.bucket), &headers, body)
    }

    /// The content of an object.
    pub fn get(&self, key: &str) -> String {
        let (status, body) = self.raw("GET", &format!("/{key}"), "");
        assert_eq!(status, 200, "{key}: {body}");
        body
    }

    /// Writes an object, as nobody should.
    pub fn put(&self, key: &str, body: &str) {
        assert_eq!(self.raw("PUT", &format!("/{key}"), body).0, 200, "{key}");
    }

    /// Removes an object.
    pub fn delete(&self, key: &str) {
        assert!(self.raw("DELETE", &format!("/{key}"), "").0 < 300, "{key}");
    }

    /// What the bucket has for a setting.
    pub fn setting(&self, name: &str) -> String {
        self.raw("GET", &format!("?{name}"), "").1
    }

    /// The keys with a prefix.
    pub fn list(&self, prefix: &str) -> Vec<String> {
        let (status, body) = self.raw("GET", &format!("?list-type=2&prefix={prefix}"), "");
        assert_eq!(status, 200, "{body}");
        assert!(body.contains("<IsTruncated>false"), "too many for one page");
        body.split("<Key>").skip(1).filter_map(|rest| Some(rest.split_once("</Key>")?.0.to_owned())).collect()
    }

    /// How many calls there were to this bucket.
    pub fn requests(&self) -> u64 {
        self.stack().calls(&self.bucket)["total"].as_u64().expect("a count")
    }

    /// Orders a fault of a write in this bucket, unless the order says otherwise.
    pub fn fault(&self, order: &Value) {
        let mut whole = json!({ "operation": "s3.PutObject", "containing": self.bucket });
        whole.as_object_mut().unwrap().extend(order.as_object().unwrap().clone());
        self.stack().fault(&whole);
    }

    /// Takes back what was ordered here.
    pub fn heal(&self) {
        self.stack().heal(&self.bucket);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The stack is shared: no order outlives its test.
        self.stack().heal(&self.bucket);
    }
}
