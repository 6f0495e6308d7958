//! The environment variables: the one place that reads any, and the table of all. An edge.
//!
//! Invariant: a variable that is not in the table is not read, except secrets that a spec names itself.

use std::collections::BTreeMap;

use super::failure::Failure;

/// The prefix of variables that give values to the spec's own `variable` blocks.
pub const VARIABLE_PREFIX: &str = "SWITCHBACK_VAR_";

/// A variable that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The ledger's URL.
    Ledger,
    /// How long a lease holds.
    Lease,
    /// The password of a ledger in PostgreSQL.
    PostgresPassword,
    /// The database that `migrate` works on.
    DatabaseUrl,
    /// Whose local stack a spec sees.
    LocalStack,
    /// Which logs are written.
    Log,
    /// No colour.
    NoColour,
    /// The sort of terminal.
    Term,
    /// The user in GitHub Actions.
    GithubActor,
    /// The run in GitHub Actions.
    GithubRunId,
    /// The commit in GitHub Actions.
    GithubSha,
    /// The branch or tag in GitHub Actions.
    GithubRef,
    /// The user in GitLab CI.
    GitlabUser,
    /// The job in GitLab CI.
    GitlabJob,
    /// The commit in GitLab CI.
    GitlabSha,
    /// The branch in GitLab CI.
    GitlabBranch,
    /// The user in Buildkite.
    BuildkiteCreator,
    /// The user in CircleCI.
    CircleUser,
    /// The user in Jenkins.
    JenkinsUser,
    /// Whether this is a CI.
    Ci,
    /// The user.
    User,
    /// The user, elsewhere.
    Logname,
    /// The host.
    Hostname,
    /// The home folder.
    Home,
    /// The cache folder.
    CacheHome,
    /// The socket of the `ssh-agent`.
    SshAuthSock,
    /// The identity that decrypts files.
    AgeIdentity,
    /// Where traces go.
    OtlpEndpoint,
    /// What is sent with them.
    OtlpHeaders,
    /// What we are called in them.
    OtelServiceName,
    /// The span that a run is a part of.
    TraceParent,
    /// The shell that asks what may be typed next.
    Complete,
}

impl Name {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 32] = [
        Self::Ledger,
        Self::Lease,
        Self::PostgresPassword,
        Self::DatabaseUrl,
        Self::LocalStack,
        Self::Log,
        Self::NoColour,
        Self::Term,
        Self::Ci,
        Self::GithubActor,
        Self::GithubRunId,
        Self::GithubSha,
        Self::GithubRef,
        Self::GitlabUser,
        Self::GitlabJob,
        Self::GitlabSha,
        Self::GitlabBranch,
        Self::BuildkiteCreator,
        Self::CircleUser,
        Self::JenkinsUser,
        Self::User,
        Self::Logname,
        Self::Hostname,
        Self::Home,
        Self::CacheHome,
        Self::SshAuthSock,
        Self::AgeIdentity,
        Self::OtlpEndpoint,
        Self::OtlpHeaders,
        Self::OtelServiceName,
        Self::TraceParent,
        Self::Complete,
    ];

    /// As it is spelled.
    pub fn spelling(self) -> &'static str {
        match self {
            Self::Ledger => "SWITCHBACK_LEDGER",
            Self::Lease => "SWITCHBACK_LEASE",
            Self::PostgresPassword => "PGPASSWORD",
            Self::DatabaseUrl => "DATABASE_URL",
            Self::LocalStack => "SWITCHBACK_LOCAL_STACK",
            Self::Log => "SWITCHBACK_LOG",
            Self::NoColour => "NO_COLOR",
            Self::Term => "TERM",
            Self::GithubActor => "GITHUB_ACTOR",
            Self::GithubRunId => "GITHUB_RUN_ID",
            Self::GithubSha => "GITHUB_SHA",
            Self::GithubRef => "GITHUB_REF",
            Self::GitlabUser => "GITLAB_USER_LOGIN",
            Self::GitlabJob => "CI_JOB_ID",
            Self::GitlabSha => "CI_COMMIT_SHA",
            Self::GitlabBranch => "CI_COMMIT_BRANCH",
            Self::BuildkiteCreator => "BUILDKITE_BUILD_CREATOR",
            Self::CircleUser => "CIRCLE_USERNAME",
            Self::JenkinsUser => "BUILD_USER_ID",
            Self::Ci => "CI",
            Self::User => "USER",
            Self::Logname => "LOGNAME",
            Self::Hostname => "HOSTNAME",
            Self::Home => "HOME",
            Self::CacheHome => "XDG_CACHE_HOME",
            Self::SshAuthSock => "SSH_AUTH_SOCK",
            Self::AgeIdentity => "SWITCHBACK_AGE_IDENTITY",
            Self::OtlpEndpoint => "OTEL_EXPORTER_OTLP_ENDPOINT",
            Self::OtlpHeaders => "OTEL_EXPORTER_OTLP_HEADERS",
            Self::OtelServiceName => "OTEL_SERVICE_NAME",
            Self::TraceParent => "TRACEPARENT",
            Self::Complete => "SWITCHBACK_COMPLETE",
        }
    }

    /// What it does.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ledger => "the ledger's URL, as with `--ledger` (which wins); wins over `switchback.hcl`",
            Self::Lease => {
                "how long a run's lease holds without a sign of life, as `90s` or `5m`; wins over `lease` of `switchback.hcl`; 2 minutes when neither says"
            }
            Self::PostgresPassword => {
                "the password of a ledger in PostgreSQL (`postgres://USER@HOST/DB`), where its URL names no `password_file`; and of the database of `migrate`, where its URL has none"
            }
            Self::DatabaseUrl => {
                "the database of `migrate status`, `up` and `down`, where `--url` does not say; never shown"
            }
            Self::LocalStack => {
                "the project folder whose local stack the spec sees as `local_stack`, when it is not this one's"
            }
            Self::Log => {
                "which logs go to stderr: `error`, `warn`, `info`, `debug` or `trace`; `-v` wins. Libraries never log below `error`"
            }
            Self::NoColour => "no colour when it is set and not empty; `--color` wins",
            Self::Term => "no colour and no live progress when it is `dumb`",
            Self::Ci => "no live progress when it is set and not `false`",
            Self::GithubActor => "who acts, in records of the ledger: the user of GitHub Actions",
            Self::GithubRunId => "the run of GitHub Actions, named beside the user",
            Self::GithubSha => {
                "the commit, in records of the ledger, where the project is in no checkout: of GitHub Actions"
            }
            Self::GithubRef => {
                "the branch, for an environment with `branch`, where only a commit is checked out: of GitHub Actions"
            }
            Self::GitlabUser => "who acts: the user of GitLab CI",
            Self::GitlabJob => "the job of GitLab CI, named beside the user",
            Self::GitlabSha => "the same, of GitLab CI",
            Self::GitlabBranch => "the branch, as `GITHUB_REF`: of GitLab CI",
            Self::BuildkiteCreator => "who acts: the user of Buildkite",
            Self::CircleUser => "who acts: the user of CircleCI",
            Self::JenkinsUser => "who acts: the user of Jenkins",
            Self::User => "who acts, when no CI says so",
            Self::Logname => "who acts, when `USER` is not set",
            Self::Hostname => "the host's name in records, when the system does not tell it",
            Self::Home => {
                "where `~/.cache` is, for the local stack and for what rehearsals proved; and the usual keys in `~/.ssh`"
            }
            Self::CacheHome => {
                "the cache folder of the local stack and of what rehearsals proved, instead of `~/.cache`"
            }
            Self::SshAuthSock => "the socket of the `ssh-agent` that `approve` signs with",
            Self::AgeIdentity => {
                "the path of the file with the identities that decrypt what `secret(\"age:…\")` names; read when it is needed, never shown"
            }
            Self::OtlpEndpoint => {
                "where a trace of each run is sent (OTLP as JSON over HTTP, to `/v1/traces` below it); none when it is not set"
            }
            Self::OtlpHeaders => "headers sent with it, as `name=value,other=value`; never shown",
            Self::OtelServiceName => "the name of the service in traces; `switchback` when it is not set",
            Self::TraceParent => "the span that a run's trace is a part of, as W3C Trace Context writes it",
            Self::Complete => {
                "the shell that asks what may be typed next; set by what `completions` prints, and nothing else is done then"
            }
        }
    }
}

/// Variables that libraries read by themselves: name and what for.
pub const READ_BY_LIBRARIES: [(&str, &str); 3] = [
    ("AWS_*", "credentials, profile, region and endpoints, as with every AWS SDK; settings in the spec win"),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "root certificates for TLS to PostgreSQL, instead of the system's"),
    (
        "PATH",
        "where the local stack looks for `python3` and PostgreSQL's programs, and `release` and `promote` for `git`",
    ),
];

/// The value of a variable; nothing when it is unset, empty, or not UTF-8.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads environment variables")]
pub fn read(name: Name) -> Option<String> {
    std::env::var(name.spelling()).ok().filter(|value| !value.is_empty())
}

/// A secret that the spec or the ledger names by its variable.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads environment variables")]
pub fn secret(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The values for the spec's `variable` blocks, by the name after [`VARIABLE_PREFIX`].
///
/// # Errors
/// When one is not UTF-8.
pub fn variables() -> Result<BTreeMap<String, String>, Failure> {
    let mut found = BTreeMap::new();
    for (name, value) in std::env::vars_os() {
        let Some(variable) = name.to_str().and_then(|name| name.strip_prefix(VARIABLE_PREFIX)) else {
            continue;
        };
        let value = value.into_string().map_err(|_| {
            Failure::usage(format!("the value of {VARIABLE_PREFIX}{variable} is not UTF-8 text"))
                .help("give it as UTF-8, or in a file with `--var-file`")
        })?;
        found.insert(variable.to_owned(), value);
    }
    Ok(found)
}

/// The page of the documentation.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Environment variables\n\n\
         Every environment variable that Switchback reads. What is typed as a flag wins over the environment.\n\n\
         | variable | what it does |\n|---|---|\n",
    );
    page += &format!(
        "| `{VARIABLE_PREFIX}NAME` | the value of `variable \"NAME\"` of the spec; `--var` and `--var-file` win |\n"
    );
    for name in Name::ALL {
        page += &format!("| `{}` | {} |\n", name.spelling(), name.meaning());
    }
    page += "\nA spec may name further variables that hold secrets; they are read when the secret is used.\n\n\
             ## Read by libraries\n\n| variable | what it does |\n|---|---|\n";
    for (name, meaning) in READ_BY_LIBRARIES {
        page += &format!("| `{name}` | {meaning} |\n");
    }
    page + "\nThis page is generated from `src/cli/environment.rs`; a test compares the two.\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_current() {
        let page = include_str!("../../docs/environment-variables.md");
        assert_eq!(page, markdown(), "write what is on the right into docs/environment-variables.md");
    }

    #[test]
    fn every_name_is_there_once() {
        let spellings: std::collections::BTreeSet<_> = Name::ALL.iter().map(|name| name.spelling()).collect();
        assert_eq!(spellings.len(), Name::ALL.len());
    }
}
