//! What people and programs read: data on stdout, talk on stderr. The one place that prints. An edge.
//!
//! Invariant: a reader that goes away (`| head`) stops the printing, never the work.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write};

use serde::Serialize;

use super::environment::{self, Name};
use super::failure::Failure;
use crate::review::text::{Paint, Plain, Role};
use crate::review::words::harmless;

/// When there is colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum When {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A view: the same facts for people and, serialised, for programs.
pub trait View: Serialize {
    /// The text for people, with a line feed at its end.
    fn text(&self, paint: &dyn Paint) -> String;
}

/// Where things are printed.
#[derive(Clone, Debug)]
pub struct Terminal {
    /// Whether stdout gets JSON.
    pub json: bool,
    colour_out: bool,
    /// Whether talk is coloured.
    pub colour_talk: bool,
    /// Whether there is a person who can answer.
    pub interactive: bool,
    /// Whether progress may be drawn.
    pub live: bool,
}

/// Colours by role.
pub struct Ansi;

impl Paint for Ansi {
    fn paint(&self, role: Role, text: &str) -> String {
        use anstyle::{AnsiColor, Style};
        let style = match role {
            Role::Heading => Style::new().bold(),
            Role::Added => AnsiColor::Green.on_default(),
            Role::Removed => AnsiColor::Red.on_default(),
            Role::Changed => AnsiColor::Yellow.on_default(),
            Role::Faint => Style::new().dimmed(),
            Role::Warning => AnsiColor::Yellow.on_default().bold(),
            Role::Danger => AnsiColor::Red.on_default().bold(),
        };
        format!("{style}{text}{style:#}")
    }
}

impl Terminal {
    /// As the flags, the environment and the streams say.
    pub fn new(when: When, json: bool, no_progress: bool) -> Self {
        let dumb = environment::read(Name::Term).is_some_and(|term| term == "dumb");
        let plain = dumb || environment::read(Name::NoColour).is_some();
        let ci = environment::read(Name::Ci).is_some_and(|ci| ci != "false");
        let (out, talk) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let colour = |is_terminal: bool| match when {
            When::Always => true,
            When::Never => false,
            When::Auto => is_terminal && !plain,
        };
        Self {
            json,
            colour_out: colour(out) && !json,
            colour_talk: colour(talk),
            interactive: std::io::stdin().is_terminal() && talk,
            live: talk && !dumb && !ci && !no_progress,
        }
    }

    /// The colours of stdout.
    pub fn paint(&self) -> &'static dyn Paint {
        if self.colour_out { &Ansi } else { &Plain }
    }

    /// The colours of stderr.
    pub fn paint_talk(&self) -> &'static dyn Paint {
        if self.colour_talk { &Ansi } else { &Plain }
    }

    /// Data, to stdout.
    pub fn data(&self, text: &str) {
        // A reader that went away does not want to hear more; there is nobody to tell.
        let mut stdout = std::io::stdout().lock();
        let _gone = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }

    /// A view, to stdout, in the form that was asked for.
    pub fn show<V: View>(&self, view: &V) {
        match self.json {
            true => self.json(view),
            false => self.data(&view.text(self.paint())),
        }
    }

    /// JSON, to stdout.
    ///
    /// # Panics
    /// When the view holds an unsealed secret, which is a bug.
    pub fn json<T: Serialize + ?Sized>(&self, view: &T) {
        let mut text = serde_json::to_string_pretty(view).expect("views hold no secrets");
        text.push('\n');
        self.data(&text);
    }

    /// Talk, to stderr, as it is.
    pub fn talk(&self, text: &str) {
        let _gone = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// A line of talk.
    pub fn say(&self, line: &str) {
        self.talk(&format!("{line}\n"));
    }

    /// A line of talk in the colour of a role.
    pub fn say_as(&self, role: Role, line: &str) {
        self.say(&self.paint_talk().paint(role, line));
    }

    /// A failure: for people on stderr, with `--json` as data too.
    pub fn fail(&self, failure: &Failure) {
        self.fail_as_data(failure);
        self.talk(&self.with_coloured_words(&failure.text()));
    }

    /// The same, where clap has its own words for people.
    pub fn fail_in_words(&self, failure: &Failure, words: &clap::builder::StyledStr) {
        self.fail_as_data(failure);
        self.talk(&styled(words, self.colour_talk));
    }

    /// What clap says when it is asked for help or the version.
    pub fn help(&self, words: &clap::builder::StyledStr) {
        self.data(&styled(words, self.colour_out));
    }

    fn fail_as_data(&self, failure: &Failure) {
        #[derive(Serialize)]
        struct Failed<'a> {
            error: &'a Failure,
            exit_code: u8,
        }
        if self.json {
            self.json(&Failed { error: failure, exit_code: failure.exit.code() });
        }
    }

    /// Text whose lines begin with `error:` or `warning:` or `help:`, those words in their colours.
    pub fn with_coloured_words(&self, text: &str) -> String {
        let words = [("error:", Role::Danger), ("warning:", Role::Warning), ("help:", Role::Heading)];
        let line = |line: &str| {
            let found = words.iter().find(|(word, _)| line.trim_start().starts_with(word));
            match found {
                Some((word, role)) => format!("{}\n", line.replacen(word, &self.paint_talk().paint(*role, word), 1)),
                None => format!("{line}\n"),
            }
        };
        text.lines().map(line).collect()
    }

    /// Asks a person; `None` when there is none.
    pub fn ask(&self, question: &str) -> Option<bool> {
        if !self.interactive {
            return None;
        }
        self.talk(&format!("{} [y/N] ", self.paint_talk().paint(Role::Heading, question)));
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// Asks a person for something that is not shown while it is typed; `None` when there is none.
    pub fn ask_secret(&self, question: &str) -> Option<String> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        if !self.interactive {
            return None;
        }
        self.talk(&format!("{} ", self.paint_talk().paint(Role::Heading, question)));
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Flush, &silent).ok()?;
        let mut answer = String::new();
        let read = stdin.lock().read_line(&mut answer);
        let shown_again = tcsetattr(&stdin, OptionalActions::Now, &before);
        self.talk("\n");
        (read.is_ok() && shown_again.is_ok()).then(|| answer.trim_end_matches(['\n', '\r']).to_owned())
    }

    /// All of stdin.
    ///
    /// # Errors
    /// When it cannot be read or is not UTF-8.
    pub fn read_all(&self) -> Result<String, Failure> {
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .read_to_string(&mut text)
            .map_err(|error| Failure::usage(format!("stdin cannot be read: {error}")))?;
        Ok(text)
    }
}

fn styled(words: &clap::builder::StyledStr, colour: bool) -> String {
    if colour { words.ansi().to_string() } else { words.to_string() }
}

/// A time as people and programs read it.
pub fn shown_time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What is told of one step, below its line.
pub fn indented(text: &str) -> String {
    harmless(text).lines().map(|line| format!("           {}\n", line.trim_start())).collect()
}
