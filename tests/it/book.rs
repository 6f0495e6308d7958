//! The book is executed: the commands of its pages are typed in order, one shell for each page, in the home of somebody
//! who has nothing but this repository; what they print is compared with what the pages show.
//!
//! Invariant: a page says all that has to be typed. `UPDATE_DOCS=1 cargo test --test it book::` writes the outputs anew; in a
//! page that is being written, a line `@ WORDS` in an output wishes for the next line with these words.

mod page;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use page::{Page, shows};

use crate::repository::VARIABLES;

/// The pages that are executed, in the order of the book: each goes on where the one before has ended.
const PAGES: [&str; 8] = [
    "tutorial",
    "change-and-back",
    "hotfix",
    "pull-request",
    "reviewing-a-migration",
    "half-applied",
    "killed-runner",
    "fresh-environment",
];

/// Stands before what a block prints.
const BEGIN: char = '\u{1e}';

/// Stands before what a block ended with.
const END: char = '\u{1f}';

/// The home of a newcomer; what was started in it ends with it, however the test ends.
struct Home {
    folder: tempfile::TempDir,
    pages: PathBuf,
}

impl Home {
    fn shop(&self) -> PathBuf {
        self.folder.path().join("shop")
    }

    /// The program or a shell as the newcomer has it.
    fn command(&self, program: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_switchback")).parent().unwrap();
        let mut command = Command::new(program);
        let inherited = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let cache = inherited("XDG_CACHE_HOME").or_else(|| Some(inherited("HOME")?.join(".cache")));
        command.env_clear().stdin(Stdio::null()).current_dir(env!("CARGO_MANIFEST_DIR"));
        command.env("HOME", self.folder.path()).env("USER", "ada").env("LANG", "C.UTF-8").env("NO_COLOR", "1");
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", binary.display()));
        command.envs(cache.map(|folder| ("XDG_CACHE_HOME", folder))).envs(VARIABLES);
        command
    }

    /// Types all blocks of a page in one shell; what each printed.
    fn types(&self, name: &str, page: &Page) -> Vec<String> {
        let folder = self.folder.path().join(".typed").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut driver = "exec 2>&1\n".to_owned();
        for (number, block) in page.blocks.iter().enumerate() {
            let file = folder.join(format!("{number}.sh"));
            std::fs::write(&file, format!("{}\n", block.commands)).unwrap();
            driver += &format!("printf '{BEGIN}'\n. {}\nprintf '{END}%d\\n' $?\n", file.display());
        }
        let driver_file = folder.join("all.sh");
        std::fs::write(&driver_file, driver).unwrap();
        let output = self.command("bash").arg(&driver_file).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let text = text.replace(&self.folder.path().display().to_string(), "~");
        let printed: Vec<String> = text.split(BEGIN).skip(1).map(str::to_owned).collect();
        assert_eq!(printed.len(), page.blocks.len(), "{name}: the shell has ended early: {text}");
        printed
            .iter()
            .zip(&page.blocks)
            .map(|(said, block)| {
                let (said, code) = said.rsplit_once(END).expect("each block has an end");
                let at = format!("docs/book/{name}.md:{}", block.line);
                assert_eq!(code.trim(), "0", "{at}: {}\n{said}", block.commands);
                said.replace(&format!(" on {}", host()), " on vm")
            })
            .collect()
    }

    /// Types a page and compares it.
    fn executes(&self, name: &str) -> Vec<String> {
        let file = self.pages.join(format!("{name}.md"));
        let page = Page::read(&crate::stack::read(&file));
        assert!(!page.blocks.is_empty(), "{name} has nothing to type");
        let printed = self.types(name, &page);
        if std::env::var("UPDATE_DOCS").is_ok() {
            std::fs::write(&file, page.rewritten(&printed)).unwrap();
        }
        let page = Page::read(&crate::stack::read(&file));
        let mut wrong = Vec::new();
        for (block, said) in page.blocks.iter().zip(&printed) {
            let lines: Vec<String> = said.lines().map(str::to_owned).collect();
            if let Some(Err(missing)) = block.shown.as_ref().map(|shown| shows(shown, &lines)) {
                wrong.push(format!("docs/book/{name}.md:{}: not there: {missing}\n{said}", block.line));
            }
        }
        wrong
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let shop = self.shop();
        if shop.join(".switchback/local").exists() {
            let switchback = env!("CARGO_BIN_EXE_switchback");
            let ended = self.command(switchback).arg("-C").arg(&shop).args(["local", "down", "--wipe"]).output();
            assert!(
                ended.is_ok_and(|output| output.status.success()) || std::thread::panicking(),
                "it goes on running"
            );
        }
    }
}

fn host() -> String {
    let output = Command::new("uname").arg("-n").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn what_the_book_says_can_be_typed_and_is_what_is_said() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/book");
    let home = Home { folder: tempfile::tempdir().unwrap(), pages };
    let wrong: Vec<String> = PAGES.iter().flat_map(|name| home.executes(name)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
