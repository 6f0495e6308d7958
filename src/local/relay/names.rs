//! Which names AWS takes. Pure.

use super::refusal::Refusal;

/// A name as ECS has them: letters, digits, `-` and `_`, up to 255.
fn is_ecs_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The name of a new cluster.
pub(super) fn check_cluster(name: &str) -> Result<(), Refusal> {
    if is_ecs_name(name) { Ok(()) } else { Err(Refusal::invalid("Cluster name contains invalid characters.")) }
}

/// The name of a new service.
pub(super) fn check_service(name: &str) -> Result<(), Refusal> {
    match name {
        "" => Err(Refusal::invalid("Service name should not be empty.")),
        name if is_ecs_name(name) => Ok(()),
        _ => Err(Refusal::invalid("Service name contains invalid characters.")),
    }
}

/// The family of a task definition.
pub(super) fn check_family(name: &str) -> Result<(), Refusal> {
    match name {
        "" => Err(Refusal::client("Family should not be null or empty.")),
        name if is_ecs_name(name) => Ok(()),
        _ => Err(Refusal::client("Family contains invalid characters.")),
    }
}

/// The name of a container in a task definition.
pub(super) fn check_container(name: &str) -> Result<(), Refusal> {
    if is_ecs_name(name) { Ok(()) } else { Err(Refusal::client("Container.name contains invalid characters.")) }
}

/// The name of a log group.
pub(super) fn check_log_group(name: &str) -> Result<(), Refusal> {
    let is_one = (1..=512).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/#-".contains(&byte));
    if is_one {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
    )))
}

/// The name of a parameter that is written.
pub(super) fn check_parameter(name: &str) -> Result<(), Refusal> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(Refusal::validation(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of \
             sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the \
             following 3 symbols .-_",
        ));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(Refusal::validation("Parameter name must be a fully qualified name."));
    }
    if name.len() > 1011 {
        return Err(Refusal::validation("Parameter name is too long: at most 1011 characters."));
    }
    if name.matches('/').count() > 15 {
        return Err(Refusal::new(
            "HierarchyLevelLimitExceededException",
            "Hierarchies can have a maximum of fifteen levels.",
        ));
    }
    if name.ends_with('/') || name.contains("//") {
        return Err(Refusal::validation("Parameter name must not have empty sub-paths."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_aws_takes() {
        check_cluster("shop-dev_1").unwrap();
        check_service(&"s".repeat(255)).unwrap();
        check_log_group("/ecs/shop.web#1").unwrap();
        for name in ["/shop/dev/LOG_LEVEL", "plain", "/a/b/c.d-e"] {
            check_parameter(name).unwrap();
        }
    }

    #[test]
    fn refuses_what_aws_refuses() {
        assert_eq!(check_cluster("a b").unwrap_err().code, "InvalidParameterException");
        assert_eq!(check_service(&"s".repeat(256)).unwrap_err().code, "InvalidParameterException");
        assert_eq!(check_family("a/b").unwrap_err().code, "ClientException");
        assert_eq!(check_container("é").unwrap_err().code, "ClientException");
        assert_eq!(check_log_group("a b").unwrap_err().code, "InvalidParameterException");
        for name in ["", "a/b", "/a b", "/a/", "/a//b"] {
            assert_eq!(check_parameter(name).unwrap_err().code, "ValidationException", "{name}");
        }
        let deep = "/x".repeat(16);
        assert_eq!(check_parameter(&deep).unwrap_err().code, "HierarchyLevelLimitExceededException");
    }
}
