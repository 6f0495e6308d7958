//! ECR: which images lie there. Pure.
//!
//! Invariant: an image of another registry is never taken for one of ECR.

use crate::release::image::Name;

/// Where an image lies in ECR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The account whose registry it is.
    pub account: &'a str,
    /// The region.
    pub region: &'a str,
    /// The repository.
    pub repository: &'a str,
    /// The tag, or the digest (`sha256:…`).
    pub label: &'a str,
}

/// Where an image lies, if that is in ECR: `ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG`.
pub fn place(image: &str) -> Option<Place<'_>> {
    let by_digest = image.rsplit_once('@');
    let name = Name::of_registry(by_digest.map_or(image, |(name, _)| name))?;
    let (account, region) = registry(name.host)?;
    let label = by_digest.map_or(name.tag, |(_, digest)| digest);
    Some(Place { account, region, repository: name.path, label })
}

/// Account and region of a registry's host, by any of its names.
fn registry(host: &str) -> Option<(&str, &str)> {
    let (account, rest) = host.split_once('.')?;
    let region =
        ["dkr.ecr.", "dkr.ecr-fips.", "dkr-ecr.", "dkr-ecr-fips."].iter().find_map(|head| rest.strip_prefix(head))?;
    let ends = [".amazonaws.com", ".amazonaws.com.cn", ".on.aws", ".on.amazonwebservices.com.cn"];
    let region = ends.iter().find_map(|end| region.strip_suffix(end))?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    (is_account && !region.is_empty() && !region.contains('.')).then_some((account, region))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_ecr_are_told_from_others() {
        let image = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/shop/web:1.4";
        let found = place(image).unwrap();
        assert_eq!((found.account, found.region), ("111111111111", "eu-central-1"));
        assert_eq!((found.repository, found.label), ("shop/web", "1.4"));
        assert_eq!(place("111111111111.dkr.ecr.us-east-1.amazonaws.com/web@sha256:ab").unwrap().label, "sha256:ab");
        assert_eq!(place("111111111111.dkr-ecr.us-east-1.on.aws/web").unwrap().label, "latest");
        for other in [
            "public.ecr.aws/nginx/nginx:1",
            "shop/web:1.0.0",
            "111111111111.dkr.ecr.us-east-1.amazonaws.com.example.org/web:1",
            "1.dkr.ecr.us-east-1.amazonaws.com/web:1",
            "ghcr.io/a/b:1",
        ] {
            assert_eq!(place(other), None, "{other}");
        }
    }
}
