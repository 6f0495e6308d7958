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
            Attribute::optional(
                "allowed_identities",
                Type::list(Type::String),
                "ARNs of the roles and users this may act as, `*` for any text; as anybody else nothing is read or done.",
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

/// The identities that are allowed, if any are named.
pub fn allowed_identities(settings: &Object) -> Vec<String> {
    let allowed = settings.get("allowed_identities").and_then(Value::items).into_iter().flatten();
    allowed.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether an identity, as STS tells it, is an allowed one. Whoever has assumed a role is that role, whatever the
/// session is called.
pub fn is_identity(allowed: &str, arn: &str) -> bool {
    let role = arn.replacen(":sts:", ":iam:", 1).replacen(":assumed-role/", ":role/", 1);
    let role = role.rsplit_once('/').map_or(&*role, |(role, _session)| role);
    let is_assumed = arn.contains(":assumed-role/");
    // Sessions do not tell the path of their role.
    let bare = match (is_assumed, allowed.split_once(":role/")) {
        (true, Some((head, path))) => format!("{head}:role/{}", path.rsplit('/').next().unwrap_or(path)),
        (true, None) | (false, _) => allowed.to_owned(),
    };
    matches(allowed, arn) || (is_assumed && matches(&bare, role))
}

/// Whether a text is as a pattern says, in which `*` is any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| matches(rest, &text[at..]))
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

    #[test]
    fn a_session_is_its_role_and_nobody_else() {
        let session = "arn:aws:sts::111111111111:assumed-role/deploy/run-7";
        for allowed in [
            "arn:aws:iam::111111111111:role/deploy",
            "arn:aws:iam::111111111111:role/teams/shop/deploy",
            "arn:aws:iam::111111111111:role/dep*",
            "arn:aws:sts::*:assumed-role/deploy/*",
        ] {
            assert!(is_identity(allowed, session), "{allowed}");
        }
        for other in [
            "arn:aws:iam::222222222222:role/deploy",
            "arn:aws:iam::111111111111:role/deployer",
            "arn:aws:iam::111111111111:user/deploy",
            "",
        ] {
            assert!(!is_identity(other, session), "{other}");
        }
        assert!(is_identity("arn:aws:iam::1:user/ada", "arn:aws:iam::1:user/ada"));
        assert!(!is_identity("arn:aws:iam::1:user/ada", "arn:aws:iam::1:user/adam"));
    }
}
