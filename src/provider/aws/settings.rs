//! The settings of a `provider "aws"` block. Pure.
//!
//! Invariant: a setting that is absent is left to AWS's own default chain (environment, profile, role).

use crate::kind::{Attribute, ProviderSchema, Secrecy};
use crate::value::{Object, Type, Value};

/// Calls are tried this often in all, unless `max_retries` says otherwise.
pub const DEFAULT_ATTEMPTS: u32 = 8;

/// The settings.
pub fn schema() -> ProviderSchema {
    ProviderSchema {
        name: "aws",
        summary: "Amazon Web Services, or an endpoint that speaks its protocols.",
        attributes: vec![
            Attribute::optional_computed(
                "region",
                Type::String,
                "The region; absent: as in the AWS CLI, and recorded with what is made there.",
            ),
            Attribute::optional("endpoint", Type::String, "The URL of an endpoint that stands in for all of AWS."),
            Attribute::optional("profile", Type::String, "A profile of the shared AWS configuration files."),
            Attribute::optional("access_key", Type::String, "An access key id; absent: the default credential chain."),
            Attribute::optional("secret_key", Type::String, "The secret of `access_key`.").secret(Secrecy::Secret),
            Attribute::optional("token", Type::String, "The session token of `access_key`, for temporary credentials.")
                .secret(Secrecy::Secret),
            Attribute::optional(
                "allowed_account_ids",
                Type::list(Type::String),
                "The accounts this may lead to; anywhere else nothing is done.",
            ),
            Attribute::optional("max_retries", Type::Number, "How often a call is tried again; absent: 7 times."),
            Attribute::computed("account", Type::String, "The account it leads to, recorded with what is made there."),
        ],
    }
}

/// The accounts that are right, if any are named: those allowed, and the one that was recorded.
pub fn right_accounts(settings: &Object) -> Vec<String> {
    let allowed = settings.get("allowed_account_ids").and_then(Value::items).into_iter().flatten();
    let recorded = settings.get("account");
    match recorded.and_then(Value::as_str) {
        // What was applied in one account must not be taken back in another, even if both are allowed.
        Some(account) => vec![account.to_owned()],
        None => allowed.filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_account_is_the_only_right_one() {
        let mut settings = Object::from([("allowed_account_ids".to_owned(), Value::strings(["1", "2"]))]);
        assert_eq!(right_accounts(&settings), ["1", "2"]);
        settings.insert("account".to_owned(), Value::from("2"));
        assert_eq!(right_accounts(&settings), ["2"]);
        assert!(right_accounts(&Object::new()).is_empty());
    }
}
