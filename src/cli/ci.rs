//! The files that a CI runs Switchback with: those of `ci/` of this repository, as `init --ci` writes them. Pure.
//!
//! Invariant: what is written is what lies in `ci/`, byte for byte; a test runs the commands of each.

use clap::ValueEnum;

/// A CI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ci {
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
}

impl Ci {
    /// Its files, each with its path in a repository.
    pub fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Github => &[
                (".github/switchback/deploy.sh", include_str!("../../ci/github/deploy.sh")),
                (".github/workflows/switchback-apply.yml", include_str!("../../ci/github/switchback-apply.yml")),
                (".github/workflows/switchback-drift.yml", include_str!("../../ci/github/switchback-drift.yml")),
                (".github/workflows/switchback-plan.yml", include_str!("../../ci/github/switchback-plan.yml")),
                (".github/workflows/switchback-promote.yml", include_str!("../../ci/github/switchback-promote.yml")),
                (".github/workflows/switchback-resume.yml", include_str!("../../ci/github/switchback-resume.yml")),
            ],
            Self::Gitlab => &[
                (".gitlab/deploy.sh", include_str!("../../ci/gitlab/deploy.sh")),
                (".gitlab/switchback.gitlab-ci.yml", include_str!("../../ci/gitlab/switchback.gitlab-ci.yml")),
            ],
        }
    }

    /// What is left to do by hand.
    pub fn left_to_do(self) -> &'static str {
        match self {
            Self::Github => {
                "set the variables AWS_REGION, SWITCHBACK_PLAN_ROLE, SWITCHBACK_APPLY_ROLE and SWITCHBACK_PROMOTE_ROLE of the repository"
            }
            Self::Gitlab => "take it in: `include: { local: .gitlab/switchback.gitlab-ci.yml }` in `.gitlab-ci.yml`",
        }
    }
}
