//! Flyway's layout: `V1.2__add_email.sql`, its way back `U1.2__add_email.sql`, and `R__views.sql`. Pure.
//!
//! Invariant: versions, descriptions and checksums are those that Flyway writes into `flyway_schema_history`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::Layout;
use super::cyclic::Cyclic;
use super::pairing::{self, File, Named, Style};
use super::version;
use crate::files::Files;
use crate::migration::folder::FolderMistake;
use crate::migration::{Direction, Migration};

/// Reads a folder.
pub fn load(files: &dyn Files, folder: &Path, off: &BTreeSet<i64>) -> (Vec<Migration>, Vec<FolderMistake>) {
    let style = Style { layout: Layout::Flyway, name, text: without_placeholders, same_name: false };
    pairing::load(&style, files, folder, off)
}

/// CRC-32 over the lines, without what ends them, as a signed number: Flyway's `ResolvedMigration.getChecksum`.
pub fn checksum(text: &str) -> i32 {
    let mut cyclic = Cyclic::new();
    // A carriage return before a line feed makes an empty line, which adds nothing.
    text.split(['\n', '\r']).for_each(|line| cyclic.take(line.as_bytes()));
    cyclic.value().cast_signed()
}

fn name(file: &str) -> File {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^([VU])(\d+(?:[._]\d+)*?)__(.+?)(\.undo)?\.sql$").expect("the expression is a constant")
    });
    static AGAIN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^R__(.+)\.sql$").expect("the expression is a constant"));
    if let Some(found) = AGAIN.captures(file) {
        return File::Repeatable(found[1].to_owned());
    }
    let Some(found) = NAME.captures(file) else {
        return bad_name(file);
    };
    let (typed, words) = (&found[2], &found[3]);
    let direction = if &found[1] == "V" { Direction::Up } else { Direction::Down };
    if direction == Direction::Up && (found.get(4).is_some() || words.ends_with(".down")) {
        let words = words.trim_end_matches(".down");
        return File::Wrong {
            text: format!("Flyway would run `{file}` as a migration of its own, and not as a way back"),
            help: format!("call it `U{typed}__{words}.sql`"),
        };
    }
    let Some(version) = version::number(typed) else {
        return File::Wrong {
            text: format!("version `{typed}` has too many or too large parts to be told from others"),
            help: "a version has room for six parts of two digits, or for a time stamp and one small part".to_owned(),
        };
    };
    let spelled = version::spelled(typed);
    File::Side(direction, Named { version, spelling: Some(spelled), name: words.to_owned() })
}

fn bad_name(file: &str) -> File {
    static LOOKS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^(?:([uvb]?)\s*(\d+(?:[._]\d+)*))?[_\-. ]*(.*?)(\.down|\.up|\.undo)?\.(sql|java|conf)$")
            .expect("the expression is a constant")
    });
    let Some(found) = LOOKS.captures(file) else { return File::Unmeant };
    let wrong = |text: String, help: String| File::Wrong { text, help };
    let ending = found[5].to_lowercase();
    let prefix = found.get(1).map_or("", |prefix| prefix.as_str()).to_uppercase();
    let version = found.get(2).map_or("", |version| version.as_str());
    if ending == "conf" && !file.to_lowercase().ends_with(".sql.conf") {
        return File::Unmeant;
    }
    if ending == "conf" {
        let help = "write what it says as `-- switchback:` lines into the script, and remove it".to_owned();
        return wrong(format!("`{file}` says how Flyway runs a script, and is not read"), help);
    }
    if ending == "java" {
        let help = "write it as SQL in a file that ends in `.sql`".to_owned();
        return wrong(format!("`{file}` is a migration in Java, which is not supported"), help);
    }
    if prefix == "B" && !version.is_empty() {
        let help = "keep the versioned migrations that it sums up, and move it out of the folder".to_owned();
        return wrong(format!("`{file}` is a baseline migration, which is not supported"), help);
    }
    let words: String = found[3].chars().map(|letter| if letter.is_alphanumeric() { letter } else { '_' }).collect();
    let words = if words.trim_matches('_').is_empty() { "what_it_does" } else { words.trim_matches('_') };
    let tail = found.get(4).map_or("", |tail| tail.as_str()).to_lowercase();
    let prefix = if prefix == "U" || tail == ".down" || tail == ".undo" { "U" } else { "V" };
    let version = if version.is_empty() { "1" } else { version };
    let text = format!("`{file}` is not the name of a migration, so it would never run");
    wrong(text, format!("call it `{prefix}{version}__{words}.sql`, or move it out of the folder"))
}

/// Flyway writes other words in the place of these before it runs a text.
fn without_placeholders(text: String) -> Result<String, (String, String)> {
    let Some(at) = text.find("${") else { return Ok(text) };
    let line = text[..at].matches('\n').count() + 1;
    let named: String = text[at..].chars().take_while(|letter| *letter != '}' && *letter != '\n').take(60).collect();
    Err((
        format!("line {line}: Flyway would replace `{named}}}`, which is not done here"),
        "write what it stands for, or set `placeholderReplacement` to false in Flyway and break the `${` in two"
            .to_owned(),
    ))
}
