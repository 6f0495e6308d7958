//! YAML → values: block and flow collections, all five scalar styles, anchors, aliases, merge keys. Pure.
//!
//! Invariant: what is not understood is refused with its line, never guessed; aliases cannot blow up.

use std::collections::HashMap;

use super::yaml_scalar::{self, Tag};
use super::{FunctionError, Outcome};
use crate::value::{Type, Value};

/// Reads one document.
pub(super) fn document(text: &str) -> Outcome {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let mut reader = Reader { text: &text, at: 0, depth: 0, anchors: HashMap::new(), nodes: 0 };
    reader.directives()?;
    let value = reader.node(-1, Place::Block)?;
    let Some(value) = value else {
        return Err(FunctionError::at(0, "this YAML holds no document"));
    };
    reader.gap()?;
    if reader.marker("...") {
        reader.at += 3;
        reader.gap()?;
    }
    if reader.marker("---") {
        return Err(reader.refuse("only one document can be read"));
    }
    if reader.at < reader.text.len() {
        return Err(reader.refuse("this does not belong to what stands before it; look at the indentation"));
    }
    Ok(value)
}

/// The most values that one document may come to, aliases counted each time.
const MOST_NODES: usize = 1_000_000;

/// How deep collections may lie in each other.
const DEEPEST: u32 = 100;

/// Where a node stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In lines and indentation.
    Block,
    /// The value of a key: a sequence may stand in the key's own column.
    ValueOfKey,
    /// Within brackets.
    Flow,
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: u32,
    anchors: HashMap<String, (Value, usize)>,
    nodes: usize,
}

/// What a scalar was written as.
struct Scalar {
    text: String,
    plain: bool,
}

impl<'t> Reader<'t> {
    fn refuse(&self, cause: &str) -> FunctionError {
        let line = self.text[..self.at.min(self.text.len())].matches('\n').count() + 1;
        FunctionError::at(0, format!("this is not YAML that can be read: {cause}, in line {line}"))
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn column(&self) -> isize {
        let start = self.text[..self.at].rfind('\n').map_or(0, |at| at + 1);
        isize::try_from(self.at - start).unwrap_or(isize::MAX)
    }

    fn spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    /// `---` or `...` in the first column.
    fn marker(&self, marker: &str) -> bool {
        self.column() == 0
            && self
                .rest()
                .strip_prefix(marker)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n']))
    }

    fn directives(&mut self) -> Result<(), FunctionError> {
        self.gap()?;
        while self.column() == 0 && self.rest().starts_with('%') {
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
            self.gap()?;
        }
        if self.marker("---") {
            self.at += 3;
        }
        Ok(())
    }

    /// Skips blank lines and comments up to the next thing.
    fn gap(&mut self) -> Result<(), FunctionError> {
        loop {
            let line_start = self.column() == 0;
            let before = self.at;
            self.spaces();
            let separated = line_start || self.at > before || self.text[..self.at].ends_with([' ', '\t', '\n']);
            match self.peek() {
                Some('#') if separated => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                Some('\n') => self.at += 1,
                Some(_) if line_start && self.text[before..self.at].contains('\t') => {
                    return Err(self.refuse("lines are indented with spaces, not with tabs"));
                }
                _ => return Ok(()),
            }
        }
    }

    fn count(&mut self, nodes: usize) -> Result<(), FunctionError> {
        self.nodes += nodes;
        if self.nodes > MOST_NODES { Err(self.refuse("it comes to too many values")) } else { Ok(()) }
    }

    /// A value indented more than `indent`; nothing where there is none.
    fn node(&mut self, indent: isize, place: Place) -> Result<Option<Value>, FunctionError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.refuse("it is nested too deep"));
        }
        let node = self.node_with_properties(indent, place);
        self.depth -= 1;
        node
    }

    fn node_with_properties(&mut self, indent: isize, place: Place) -> Result<Option<Value>, FunctionError> {
        let from = self.at;
        let (mut tag, mut anchor) = (None, None);
        self.gap()?;
        // Properties of a key that stands here belong to the key: only those before a line break, or before a
        // value in the same line, are the node's own.
        let start = self.at;
        while let Some(letter) = self.peek().filter(|letter| "!&".contains(*letter)) {
            if !self.belongs(indent, place) {
                return Ok(None);
            }
            let word = self.word();
            match letter {
                '!' if tag.is_none() => {
                    let meant = Tag::parse(&word);
                    tag = Some(meant.ok_or_else(|| self.refuse(&format!("the tag `{word}` means nothing")))?);
                }
                '&' if anchor.is_none() => anchor = Some(word[1..].to_owned()),
                _ => return Err(self.refuse("a value has one tag and one anchor")),
            }
            self.gap()?;
        }
        let key_owns_them = self.at > start
            && place != Place::Flow
            && self.text[start..self.at].matches('\n').count() == 0
            && self.key_follows();
        if key_owns_them {
            self.at = start;
            (tag, anchor) = (None, None);
        }
        let nodes_before = self.nodes;
        let same_line = !self.text[from..self.at].contains('\n');
        let value = self.bare(indent, place, tag, same_line)?;
        if let (Some(anchor), Some(value)) = (anchor, &value) {
            self.anchors.insert(anchor, (value.clone(), self.nodes - nodes_before));
        }
        Ok(value)
    }

    /// Whether what stands here is far enough in.
    fn belongs(&self, indent: isize, place: Place) -> bool {
        place == Place::Flow || self.column() > indent
    }

    fn word(&mut self) -> String {
        let end = self.rest().find([' ', '\t', '\n', ',', ']', '}']).unwrap_or(self.rest().len());
        let word = self.rest()[..end].to_owned();
        self.at += end;
        word
    }

    fn bare(
        &mut self,
        indent: isize,
        place: Place,
        tag: Option<Tag>,
        same_line: bool,
    ) -> Result<Option<Value>, FunctionError> {
        self.count(1)?;
        let absent = |tag: Option<Tag>| Ok(tag.map(|tag| yaml_scalar::tagged(tag, "")).transpose()?.flatten());
        let sequence_here = place == Place::ValueOfKey && self.column() == indent && self.dash();
        if self.at >= self.text.len() || self.marker("---") || self.marker("...") {
            return absent(tag);
        }
        if !sequence_here && !self.belongs(indent, place) {
            return absent(tag);
        }
        let letter = self.peek().unwrap_or('\n');
        if place != Place::Flow && self.dash() {
            if same_line && place == Place::ValueOfKey {
                return Err(self.refuse("a list starts in a line of its own"));
            }
            return self.sequence().map(Some);
        }
        if place != Place::Flow && self.key_follows() {
            if same_line && place == Place::ValueOfKey {
                return Err(self.refuse("a key cannot stand behind another key in one line"));
            }
            return self.mapping().map(Some);
        }
        match letter {
            '[' => self.flow_sequence().map(Some),
            '{' => self.flow_mapping().map(Some),
            '*' => self.alias().map(Some),
            '|' | '>' if place != Place::Flow => {
                let text = self.block_scalar(indent)?;
                self.scalar(&Scalar { text, plain: false }, tag).map(Some)
            }
            ',' | ']' | '}' if place == Place::Flow => absent(tag),
            _ => {
                let scalar = self.flow_scalar(indent, place)?;
                self.scalar(&scalar, tag).map(Some)
            }
        }
    }

    fn scalar(&self, scalar: &Scalar, tag: Option<Tag>) -> Outcome {
        let value = match tag {
            None if scalar.plain => Some(yaml_scalar::plain(&scalar.text)?),
            Some(Tag::Binary) => yaml_scalar::tagged(Tag::Binary, &scalar.text)?,
            // What stands in quotes is a text already.
            Some(tag) if scalar.plain => yaml_scalar::tagged(tag, &scalar.text)?,
            Some(_) => Some(super::normalised(scalar.text.clone())),
            None => Some(super::normalised(scalar.text.clone())),
        };
        value.ok_or_else(|| self.refuse("this value does not fit its tag"))
    }

    fn dash(&self) -> bool {
        self.rest().strip_prefix('-').is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n']))
    }

    /// Whether a key and its colon stand here, in one line.
    fn key_follows(&self) -> bool {
        let line = self.rest().split('\n').next().unwrap_or_default();
        let mut rest = line;
        while rest.starts_with(['!', '&']) {
            let end = rest.find([' ', '\t']).unwrap_or(rest.len());
            rest = rest[end..].trim_start();
        }
        let after = match rest.chars().next() {
            Some('?') if rest[1..].starts_with([' ', '\t']) || rest.len() == 1 => return true,
            Some(quote @ ('"' | '\'')) => match closing_quote(rest, quote) {
                Some(end) => &rest[end..],
                None => return false,
            },
            Some('[' | '{' | '#' | '|' | '>' | '@' | '`' | '%') => return false,
            _ => match plain_end(rest, false) {
                0 => return rest.starts_with(':') && colon(rest, false),
                end => &rest[end..],
            },
        };
        let after = after.trim_start_matches([' ', '\t']);
        after.starts_with(':') && colon(after, false)
    }

    fn sequence(&mut self) -> Outcome {
        let column = self.column();
        let mut items = Vec::new();
        while self.column() == column && self.at < self.text.len() && self.dash() && !self.marker("---") {
            self.at += 1;
            items.push(self.node(column, Place::Block)?.unwrap_or_else(Value::null));
            self.gap()?;
        }
        self.check_end(column)?;
        Ok(Value::tuple(items))
    }

    fn mapping(&mut self) -> Outcome {
        let column = self.column();
        let mut entries = Entries::default();
        while self.column() == column && self.at < self.text.len() && !self.marker("---") && !self.marker("...") {
            if !self.key_follows() || self.rest().starts_with("? ") {
                return Err(self.refuse("`key: value` is needed here"));
            }
            let key = self.key()?;
            self.spaces();
            self.at += 1;
            let value = self.node(column, Place::ValueOfKey)?.unwrap_or_else(Value::null);
            self.add(&mut entries, key, value)?;
            self.gap()?;
        }
        self.check_end(column)?;
        Ok(entries.finish())
    }

    fn check_end(&self, column: isize) -> Result<(), FunctionError> {
        if self.at < self.text.len() && self.column() > column {
            return Err(self.refuse("this line is indented too far"));
        }
        Ok(())
    }

    fn key(&mut self) -> Result<Scalar, FunctionError> {
        if let Some('!' | '&') = self.peek() {
            return Err(self.refuse("keys have no tags and anchors here"));
        }
        if self.peek() == Some('*') {
            let value = self.alias()?;
            return Ok(Scalar { text: self.text_of(&value)?, plain: false });
        }
        self.one_line_scalar(false)
    }

    fn text_of(&self, key: &Value) -> Result<String, FunctionError> {
        let text = key.convert(&Type::String).ok().and_then(|text| text.as_str().map(str::to_owned));
        text.ok_or_else(|| self.refuse("a key must be a text"))
    }

    fn add(&self, entries: &mut Entries, key: Scalar, value: Value) -> Result<(), FunctionError> {
        if key.plain && key.text == "<<" {
            return entries.merge(&value).ok_or_else(|| self.refuse("`<<` takes a mapping, or a list of them"));
        }
        // A key is what its scalar means, as a text: `yes:` is the key `true`.
        let key = match key.plain {
            true => self.text_of(&yaml_scalar::plain(&key.text)?)?,
            false => key.text,
        };
        entries.0.push((key, value));
        Ok(())
    }

    fn alias(&mut self) -> Outcome {
        let word = self.word();
        let found = self.anchors.get(word.trim_start_matches('*').trim_end_matches(':')).cloned();
        let (value, nodes) = found.ok_or_else(|| self.refuse(&format!("there is no anchor for `{word}` before it")))?;
        self.count(nodes)?;
        Ok(value)
    }

    fn flow_sequence(&mut self) -> Outcome {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.gap()?;
            if self.peek() == Some(']') {
                self.at += 1;
                return Ok(Value::tuple(items));
            }
            let item = self.node(-1, Place::Flow)?.ok_or_else(|| self.refuse("an element is missing"))?;
            self.gap()?;
            if self.peek() == Some(':') {
                // A lone pair in a list is a mapping of its own.
                self.at += 1;
                let key = self.text_of(&item)?;
                items.push(Value::object([(key, self.node(-1, Place::Flow)?.unwrap_or_else(Value::null))]));
            } else {
                items.push(item);
            }
            self.comma(']')?;
        }
    }

    fn flow_mapping(&mut self) -> Outcome {
        self.at += 1;
        let mut entries = Entries::default();
        loop {
            self.gap()?;
            if self.peek() == Some('}') {
                self.at += 1;
                return Ok(entries.finish());
            }
            let key = self.one_line_scalar(true)?;
            self.gap()?;
            let value = match self.peek() {
                Some(':') => {
                    self.at += 1;
                    self.node(-1, Place::Flow)?
                }
                _ => None,
            };
            self.add(&mut entries, key, value.unwrap_or_else(Value::null))?;
            self.gap()?;
            self.comma('}')?;
        }
    }

    fn comma(&mut self, end: char) -> Result<(), FunctionError> {
        match self.peek() {
            Some(',') => self.at += 1,
            Some(letter) if letter == end => {}
            _ => return Err(self.refuse(&format!("`,` or `{end}` is needed"))),
        }
        Ok(())
    }

    fn one_line_scalar(&mut self, flow: bool) -> Result<Scalar, FunctionError> {
        match self.peek() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            _ => {
                let end = plain_end(self.rest(), flow);
                let text = self.rest()[..end].trim_end_matches([' ', '\t']).to_owned();
                if text.is_empty() && !self.rest().starts_with(':') {
                    return Err(self.refuse("a key is needed"));
                }
                self.at += end;
                Ok(Scalar { text, plain: true })
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Scalar, FunctionError> {
        let end = closing_quote(self.rest(), quote).ok_or_else(|| self.refuse("a quote has no end"))?;
        let inside = &self.rest()[1..end - 1];
        let text = match quote {
            '\'' => yaml_scalar::fold(&inside.replace("''", "'")),
            _ => yaml_scalar::unescape(inside).ok_or_else(|| self.refuse("an escape in this text means nothing"))?,
        };
        self.at += end;
        Ok(Scalar { text, plain: false })
    }

    /// A quoted or plain scalar, which may go on in lines that are indented more than `indent`.
    fn flow_scalar(&mut self, indent: isize, place: Place) -> Result<Scalar, FunctionError> {
        match self.peek() {
            Some(quote @ ('"' | '\'')) => return self.quoted(quote),
            Some('@' | '`' | '%') => return Err(self.refuse("a text cannot start with this sign; put it in quotes")),
            _ => {}
        }
        let flow = place == Place::Flow;
        let mut text = String::new();
        let mut breaks = 0;
        loop {
            let end = plain_end(self.rest(), flow);
            let line = self.rest()[..end].trim_end_matches([' ', '\t']);
            if !text.is_empty() {
                text.push_str(&if breaks > 1 { "\n".repeat(breaks - 1) } else { " ".to_owned() });
            }
            text.push_str(line);
            self.at += end;
            let (before, comment) = (self.at, self.rest().trim_start_matches([' ', '\t']).starts_with('#'));
            if colon(self.rest(), flow) && self.rest().starts_with(':') && !flow {
                return Err(self.refuse("a colon stands where no key can be; put the text in quotes"));
            }
            let gap = self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\n']).len();
            breaks = self.rest()[..gap].matches('\n').count();
            self.at += gap;
            let goes_on = breaks > 0
                && !comment
                && self.at < self.text.len()
                && (flow || self.column() > indent)
                && !self.rest().starts_with('#')
                && !self.marker("---")
                && !self.marker("...")
                && plain_end(self.rest(), flow) > 0;
            if !goes_on {
                self.at = before;
                return Ok(Scalar { text, plain: true });
            }
        }
    }

    /// `|` and `>`.
    fn block_scalar(&mut self, indent: isize) -> Result<String, FunctionError> {
        let header_end = self.rest().find('\n').unwrap_or(self.rest().len());
        let header = self.rest()[..header_end].split(" #").next().unwrap_or_default().trim_end();
        let folded = header.starts_with('>');
        let (mut keep, mut strip, mut given) = (false, false, None);
        for letter in header[1..].chars() {
            match letter {
                '+' => keep = true,
                '-' => strip = true,
                '1'..='9' => given = letter.to_digit(10),
                _ => return Err(self.refuse("behind `|` and `>` stand `+`, `-` and a digit only")),
            }
        }
        self.at += (header_end + 1).min(self.rest().len());
        let base = usize::try_from(indent.max(0)).unwrap_or(0);
        let mut margin = given.map(|given| base + given as usize);
        let mut lines: Vec<&str> = Vec::new();
        while self.at < self.text.len() {
            let line = self.rest().split('\n').next().unwrap_or_default();
            let indentation = line.len() - line.trim_start_matches(' ').len();
            let blank = line.trim_matches(' ').is_empty();
            if !blank && margin.is_none() {
                margin = Some(indentation);
            }
            let wanted = margin.unwrap_or(usize::MAX);
            let outside = isize::try_from(indentation).unwrap_or(isize::MAX) <= indent;
            if !blank && (indentation < wanted || outside || self.marker("---") || self.marker("...")) {
                break;
            }
            lines.push(line.get(wanted.min(line.len())..).unwrap_or_default());
            self.at = (self.at + line.len() + 1).min(self.text.len());
        }
        Ok(yaml_scalar::block(&lines, folded, keep, strip))
    }
}

/// Entries in order; a later one replaces an earlier one, merged or not.
#[derive(Default)]
struct Entries(Vec<(String, Value)>);

impl Entries {
    fn merge(&mut self, value: &Value) -> Option<()> {
        if let Some(entries) = value.entries() {
            self.0.extend(entries.iter().map(|(key, value)| (key.to_string(), value.clone())));
            return Some(());
        }
        value.items()?.iter().try_for_each(|item| item.entries().and_then(|_| self.merge(item)))
    }

    fn finish(self) -> Value {
        Value::object(self.0)
    }
}

/// Whether a colon here ends a key.
fn colon(rest: &str, flow: bool) -> bool {
    rest.strip_prefix(':').is_some_and(|after| {
        after.is_empty()
            || after.starts_with([' ', '\t', '\n'])
            || (flow && after.starts_with([',', '[', ']', '{', '}']))
    })
}

/// Where a plain scalar ends in its line.
fn plain_end(rest: &str, flow: bool) -> usize {
    let mut blank_before = true;
    for (at, letter) in rest.char_indices() {
        let ends = match letter {
            '\n' => true,
            '#' => blank_before,
            ':' => colon(&rest[at..], flow),
            ',' | '[' | ']' | '{' | '}' => flow,
            _ => false,
        };
        if ends {
            return at;
        }
        blank_before = letter == ' ' || letter == '\t';
    }
    rest.len()
}

/// One past the quote that closes the text starting here.
fn closing_quote(rest: &str, quote: char) -> Option<usize> {
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if quote == '"' && letter == '\\' {
            letters.next();
        } else if letter == quote {
            if quote == '\'' && letters.peek().is_some_and(|(_, next)| *next == '\'') {
                letters.next();
            } else {
                return Some(at + 1);
            }
        }
    }
    None
}
