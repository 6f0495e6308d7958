//! Mistakes in what a user wrote, with place, cause and mend. Pure.
//!
//! Invariant: a stage gathers all of its mistakes; none stops at the first.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

/// Which file of a [`Sources`] a span lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// A range of bytes in one source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// The texts that were read, by id.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

/// One text that was read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The path as a user would type it.
    pub path: PathBuf,
    /// The whole text.
    pub text: Arc<str>,
}

/// A line and column, both counted from one; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Line, from one.
    pub line: usize,
    /// Column in characters, from one.
    pub column: usize,
}

impl Sources {
    /// Adds a text and names it.
    pub fn add(&mut self, path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> SourceId {
        let id = SourceId(u32::try_from(self.files.len()).expect("fewer than 2^32 files"));
        self.files.push(SourceFile { path: path.into(), text: text.into() });
        id
    }

    /// The file with this id.
    pub fn file(&self, id: SourceId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// All files, in the order they were added.
    pub fn files(&self) -> impl Iterator<Item = (SourceId, &SourceFile)> {
        (0..).map(SourceId).zip(&self.files)
    }

    /// The file with this path, if it was read.
    pub fn find(&self, path: &Path) -> Option<SourceId> {
        self.files().find(|(_, file)| file.path == path).map(|(id, _)| id)
    }

    /// Line and column where a span starts.
    pub fn place(&self, span: Span) -> Place {
        place_in(&self.file(span.source).text, span.start as usize)
    }
}

fn place_in(text: &str, start: usize) -> Place {
    let before = &text[..floor_boundary(text, start)];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Place { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// How grave a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing can be done until it is mended.
    Error,
    /// Worth knowing; work goes on.
    Warning,
}

/// One mistake: a fixed lower-case summary, the cause in the user's words, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// A fixed, lower-case sentence without a full stop.
    pub summary: String,
    /// What is wrong just here, with the user's words in backticks.
    pub detail: Option<String>,
    /// Where.
    pub span: Option<Span>,
    /// Where, if that is in a text which is not among the sources; it is shown in the place of the span.
    pub elsewhere: Option<Box<Elsewhere>>,
    /// How to mend it.
    pub help: Option<String>,
}

/// A place in a text that is not among the sources, with the line that it lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The path as a user would type it.
    pub path: PathBuf,
    /// Where it begins.
    pub place: Place,
    /// The whole line.
    pub line: String,
    /// How many characters of it are meant.
    pub length: usize,
}

impl Elsewhere {
    /// A range of bytes of a text.
    pub fn of(path: impl Into<PathBuf>, text: &str, range: std::ops::Range<usize>) -> Self {
        let start = floor_boundary(text, range.start);
        let end = floor_boundary(text, range.end.max(start));
        let place = place_in(text, start);
        let length = text[start..end].lines().next().unwrap_or_default().chars().count().max(1);
        let line = text.lines().nth(place.line - 1).unwrap_or_default().to_owned();
        Self { path: path.into(), place, line, length }
    }

    /// A line of a text, counted from one, without the space before it.
    pub fn line(path: impl Into<PathBuf>, text: &str, line: usize) -> Self {
        let whole = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let bare = whole.trim();
        let before = whole.chars().take_while(|letter| letter.is_whitespace()).count();
        let place = Place { line: line.max(1), column: before + 1 };
        Self { path: path.into(), place, line: whole.to_owned(), length: bare.chars().count().max(1) }
    }

    /// The same with its path as seen from a folder.
    #[must_use]
    pub fn below(self, folder: &Path) -> Self {
        let path = self.path.strip_prefix(folder).map(Path::to_owned).unwrap_or(self.path);
        Self { path, ..self }
    }

    /// The line with the spot marked.
    fn excerpt(&self) -> String {
        let Self { path, place, line, length } = self;
        let margin = place.line.to_string().len();
        let blank: String =
            line.chars().take(place.column - 1).map(|character| if character == '\t' { '\t' } else { ' ' }).collect();
        format!(
            "{:margin$}--> {}:{}:{}\n{:margin$} |\n{} | {line}\n{:margin$} | {blank}{}\n",
            "",
            path.display(),
            place.line,
            place.column,
            "",
            place.line,
            "",
            "^".repeat(*length),
        )
    }
}

impl Diagnostic {
    /// An error without a place yet.
    pub fn error(summary: impl Into<String>) -> Self {
        let (detail, span, elsewhere, help) = (None, None, None, None);
        Self { severity: Severity::Error, summary: summary.into(), detail, span, elsewhere, help }
    }

    /// A warning without a place yet.
    pub fn warning(summary: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(summary) }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, span: impl Into<Option<Span>>) -> Self {
        self.span = span.into();
        self
    }

    /// Says where, in a text that is not among the sources.
    #[must_use]
    pub fn elsewhere(mut self, elsewhere: impl Into<Option<Elsewhere>>) -> Self {
        self.elsewhere = elsewhere.into().map(Box::new);
        self
    }

    /// Says what exactly is wrong.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The human view: summary, place, the source line with the spot marked, cause, mend. No colour.
    pub fn render(&self, sources: &Sources) -> String {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut text = format!("{word}: {}\n", self.summary);
        if let Some(shown) = self.shown_at(sources) {
            text += &shown.excerpt();
        }
        if let Some(detail) = &self.detail {
            for line in detail.lines() {
                text += &format!("  {line}\n");
            }
        }
        if let Some(help) = &self.help {
            text += &format!("  help: {}\n", help.replace('\n', "\n        "));
        }
        text
    }

    fn shown_at(&self, sources: &Sources) -> Option<Elsewhere> {
        let of_span = |span: Span| {
            let file = sources.file(span.source);
            Elsewhere::of(&file.path, &file.text, span.start as usize..span.end as usize)
        };
        self.elsewhere.as_deref().cloned().or_else(|| self.span.map(of_span))
    }

    /// The same facts for `--json`.
    pub fn view(&self, sources: &Sources) -> DiagnosticView {
        let shown = self.shown_at(sources);
        DiagnosticView {
            severity: self.severity,
            summary: self.summary.clone(),
            detail: self.detail.clone(),
            help: self.help.clone(),
            file: shown.as_ref().map(|shown| shown.path.display().to_string()),
            place: shown.map(|shown| shown.place),
        }
    }
}

/// A diagnostic as `--json` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct DiagnosticView {
    /// Error or warning.
    pub severity: Severity,
    /// The fixed sentence.
    pub summary: String,
    /// The cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The mend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line and column.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// All mistakes of a stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds those of another stage.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether work must stop.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In order of place, each once.
    pub fn sort(&mut self) {
        self.0.sort_by_key(|diagnostic| diagnostic.span);
        self.0.dedup();
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}
