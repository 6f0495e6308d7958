//! A page whose commands are run: its `sh` blocks are typed in order, and the block without a name right below one is what
//! they print. Pure.
//!
//! Invariant: what differs from run to run (times, names made of digests, ports) is no difference; every other letter is.

use std::sync::LazyLock;

use regex::Regex;

/// A line that stands for any number of lines, none included; at the end of a line, for the rest of it.
const MORE: &str = "…";

/// Begins a line that wishes for the next one that contains the words after it; [`Page::rewritten`] fulfils it.
const WISH: &str = "@ ";

/// One block of commands, and what it prints.
#[derive(Debug, PartialEq)]
pub struct Block {
    /// The commands.
    pub commands: String,
    /// The lines that are shown, if any are.
    pub shown: Option<Vec<String>>,
    /// The line of the page on which the commands begin.
    pub line: usize,
    /// The lines of the page between which the output stands.
    output: (usize, usize),
}

/// A page, cut.
pub struct Page {
    lines: Vec<String>,
    /// Its blocks, in order.
    pub blocks: Vec<Block>,
}

impl Page {
    /// Cuts a page.
    pub fn read(text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let end = |from: usize| (from..lines.len()).find(|at| lines[*at] == "```").expect("a block has an end");
        let (mut blocks, mut at) = (Vec::new(), 0);
        while at < lines.len() {
            if !lines[at].starts_with("```") {
                at += 1;
                continue;
            }
            let (is_typed, begin, stop) = (lines[at] == "```sh", at + 1, end(at + 1));
            at = stop + 1;
            if !is_typed {
                continue;
            }
            let next = (at..lines.len()).find(|at| !lines[*at].is_empty()).unwrap_or(at);
            let output = match lines.get(next).is_some_and(|line| line == "```") {
                true => Some((next + 1, end(next + 1))),
                false => None,
            };
            if let Some((_, stop)) = output {
                at = stop + 1;
            }
            blocks.push(Block {
                commands: lines[begin..stop].join("\n"),
                shown: output.map(|(from, to)| lines[from..to].to_vec()),
                line: begin + 1,
                output: output.unwrap_or((begin, begin)),
            });
        }
        Self { lines, blocks }
    }

    /// The page with what the blocks printed now: of each output the lines that were shown, or all where one is gone.
    pub fn rewritten(&self, printed: &[String]) -> String {
        let mut lines = self.lines.clone();
        for (block, text) in self.blocks.iter().zip(printed).rev() {
            let Some(shown) = &block.shown else { continue };
            let all: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.splice(block.output.0..block.output.1, chosen(shown, &all).unwrap_or(all));
        }
        lines.join("\n") + "\n"
    }
}

/// The lines of a text that were shown, and [`MORE`] where some are left out.
fn chosen(shown: &[String], all: &[String]) -> Option<Vec<String>> {
    let (mut chosen, mut from) = (Vec::new(), 0);
    for line in shown.iter().filter(|line| *line != MORE) {
        let found = (from..all.len()).find(|at| match line.strip_prefix(WISH) {
            Some(words) => all[*at].contains(words),
            None => is_same(line, &all[*at]),
        })?;
        if found > from {
            chosen.push(MORE.to_owned());
        }
        chosen.push(match line.strip_suffix(MORE) {
            Some(head) => all[found].chars().take(head.chars().count()).collect::<String>() + MORE,
            None => all[found].clone(),
        });
        from = found + 1;
    }
    if from < all.len() {
        chosen.push(MORE.to_owned());
    }
    Some(chosen)
}

/// What differs from run to run, and what stands for it.
static VARIES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        (r"\bAAAA[A-Za-z0-9+/=]{20,}", "KEY"),
        (r"\bSHA256:[A-Za-z0-9+/]{20,}", "KEY"),
        (r"\b[0-9a-f]{7,64}\b", "NAME"),
        (r"\b(127\.0\.0\.1:|port |process |record )\d+", "$1 N"),
        (r"\b\d+(\.\d+)? (ms|s|min|records)\b", "N"),
        (r"\b\d+ tr(y|ies)\b", "N tries"),
        (r" +", " "),
    ]
    .map(|(pattern, word)| (Regex::new(pattern).expect("the pattern is right"), word))
    .into()
});

fn plain(line: &str) -> String {
    let mut plain = line.trim_end().to_owned();
    for (pattern, word) in &*VARIES {
        plain = pattern.replace_all(&plain, *word).into_owned();
    }
    plain
}

/// Whether a line is what is shown, but for what varies.
fn is_same(shown: &str, line: &str) -> bool {
    match shown.strip_suffix(MORE) {
        // Cut before it is made plain, for the cut may go through a name.
        Some(head) => {
            let there: String = line.chars().take(head.chars().count()).collect();
            plain(&there) == plain(head) || plain(line).starts_with(&plain(head))
        }
        None => plain(shown) == plain(line),
    }
}

/// Whether lines are what is shown; the error is the line that is not there.
pub fn shows(shown: &[String], all: &[String]) -> Result<(), String> {
    let parts: Vec<&[String]> = shown.split(|line| line == MORE).collect();
    let mut from = 0;
    for (number, part) in parts.iter().enumerate() {
        let fits =
            |at: &usize| all[*at..].len() >= part.len() && part.iter().zip(&all[*at..]).all(|(a, b)| is_same(a, b));
        let (is_first, is_last) = (number == 0, number + 1 == parts.len());
        let at = match (is_first, is_last) {
            (true, _) => Some(0).filter(fits),
            (false, true) => all.len().checked_sub(part.len()).filter(|at| *at >= from).filter(fits),
            (false, false) => (from..=all.len()).find(fits),
        };
        let missing = || part.first().cloned().unwrap_or_else(|| "the end".to_owned());
        from = at.ok_or_else(missing)? + part.len();
    }
    match from == all.len() || parts.len() > 1 {
        true => Ok(()),
        false => Err(format!("nothing of `{}`", all[from])),
    }
}

#[test]
fn a_page_is_cut_compared_and_written_anew() {
    let text = "# A\n\n```sh\none\ntwo\n```\n\n```\n…\ntook 5 ms, run 0a1b2c3d\n…\n```\n\n```text\nno\n```\n\n```sh\nthree\n```\n\nmore\n";
    let page = Page::read(text);
    let commands: Vec<&str> = page.blocks.iter().map(|block| block.commands.as_str()).collect();
    assert_eq!(commands, ["one\ntwo", "three"]);
    assert_eq!(page.blocks[1].shown, None);
    let lines = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
    let shown = page.blocks[0].shown.as_deref().unwrap();
    assert_eq!(shows(shown, &lines("a\ntook 7.1 s, run 1a1b2c3d\nb")), Ok(()));
    assert!(shows(shown, &lines("a\ntook 7.1 s, run x\nb")).is_err());
    assert!(shows(&lines("a"), &lines("a\nb")).is_err() && shows(&lines("a"), &lines("b")).is_err());
    assert!(shows(&lines("a\n…\nc"), &lines("a\nb\nc\nd")).is_err());
    assert_eq!(shows(&lines("a\n…\nc"), &lines("a\nc")), Ok(()));
    assert_eq!(shows(&lines("wor…"), &lines("words")), Ok(()));
    let printed = ["z\ntook 9 ms, run 1a1b2c3d".to_owned(), "any".to_owned()];
    let anew = page.rewritten(&printed);
    assert_eq!(anew, text.replace("took 5 ms, run 0a1b2c3d\n…", "took 9 ms, run 1a1b2c3d"));
    assert_eq!(chosen(&lines("@ took"), &lines(&printed[0])), Some(lines("…\ntook 9 ms, run 1a1b2c3d")));
}
