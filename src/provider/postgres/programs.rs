//! PostgreSQL's own programs on this machine: where they are, of which version, and as whom they run. An edge.
//!
//! Invariant: a server never runs as root: root's runs as `nobody`, which has an entry in every `passwd` (`initdb`
//! insists on one).

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The user and group that root's server runs as.
const NOBODY: u32 = 65534;

/// A folder with `postgres` and `initdb`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// The folder.
    pub folder: PathBuf,
    /// `15.18`.
    pub version: String,
    /// `15`.
    pub major: u32,
}

/// A program could not be started, or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{program}` failed: {cause}")]
pub struct ProgramError {
    /// The program with its first arguments.
    pub program: String,
    /// Its exit and the end of what it said.
    pub cause: String,
}

impl Programs {
    /// What a folder holds; nothing unless both programs are there and run.
    pub fn of(folder: &Path) -> Option<Self> {
        if !folder.join("initdb").exists() {
            return None;
        }
        let mut ask = Command::new(folder.join("postgres"));
        ask.arg("--version");
        // postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
        let version = version_of(&run(ask).ok()?)?;
        let major = version.split('.').next()?.parse().ok()?;
        Some(Self { folder: folder.to_owned(), version, major })
    }
}

/// The version in the answer to `--version`: `15.18`.
pub fn version_of(answer: &str) -> Option<String> {
    let word = answer.split_ascii_whitespace().nth(2)?;
    Some(word.chars().take_while(|letter| letter.is_ascii_digit() || *letter == '.').collect())
}

/// Folders where the programs of an installed PostgreSQL may be, newest version first.
pub fn installed() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/usr/lib/postgresql").map(|entries| entries.filter_map(Result::ok).collect());
    let mut found: Vec<PathBuf> = entries.unwrap_or_else(|_| Vec::new()).iter().map(std::fs::DirEntry::path).collect();
    let number = |folder: &PathBuf| folder.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    found.sort_by_key(|folder| std::cmp::Reverse(number(folder).unwrap_or_default()));
    for folder in &mut found {
        folder.push("bin");
    }
    let mut ask = Command::new("pg_config");
    ask.arg("--bindir");
    if let Ok(folder) = run(ask) {
        found.push(PathBuf::from(folder.trim()));
    }
    found
}

/// Runs a program to its end and gives what it wrote to standard output.
///
/// # Errors
/// When it does not start, or fails.
pub fn run(mut command: Command) -> Result<String, ProgramError> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| failure(&command, &error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    let end = lines[lines.len().saturating_sub(12)..].join("\n");
    Err(failure(&command, &format!("{}\n{end}", output.status)))
}

/// That a program did not do what it was started for.
pub fn failure(command: &Command, cause: &str) -> ProgramError {
    let arguments = command.get_args().take(3).map(|argument| format!(" {}", argument.to_string_lossy()));
    let program = format!("{}{}", command.get_program().to_string_lossy(), arguments.collect::<String>());
    ProgramError { program, cause: cause.trim().to_owned() }
}

/// A command as the server's user, with an environment and a folder that it can use.
pub fn as_server(mut command: Command, folder: &Path) -> Command {
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
    command.current_dir(folder);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Hands a file or folder over to the server's user, for nobody else to read.
///
/// # Errors
/// As the operating system says.
pub fn give_away(path: &Path) -> std::io::Result<()> {
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    if is_root() {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY))?;
    }
    Ok(())
}

/// Whether we run as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Random letters that nobody can guess: a password, or a name that is taken by nobody else.
pub fn random_word(bytes: usize) -> String {
    let mut random = vec![0_u8; bytes];
    getrandom::fill(&mut random).expect("the system has random bytes");
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_words_differ() {
        let (one, two) = (random_word(24), random_word(24));
        assert_eq!(one.len(), 48);
        assert_ne!(one, two);
    }

    #[test]
    fn a_version_is_read_from_what_the_program_says() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(version_of(debian).as_deref(), Some("15.18"));
        assert_eq!(version_of("pg_dump (PostgreSQL) 18beta1").as_deref(), Some("18"));
        assert_eq!(version_of("nothing"), None);
    }

    #[test]
    fn a_folder_without_programs_holds_none() {
        assert_eq!(Programs::of(tempfile::tempdir().unwrap().path()), None);
    }

    #[test]
    fn a_failing_program_says_why() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo broken >&2; exit 3"]);
        let error = run(command).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("broken"), "{error}");
    }
}
