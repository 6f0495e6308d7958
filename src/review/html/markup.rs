//! HTML that is put together so that words of others cannot become markup. Pure.
//!
//! Invariant: text and the values of attributes enter escaped, whatever they are; names of elements and attributes, and
//! what is taken as it is, are written in this program. A link leads to a place in the page, and nowhere else.

use std::fmt;

use crate::review::words::harmless;

/// A piece of HTML.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Markup(String);

/// An element that is being put together.
#[derive(Clone, Debug)]
pub struct Element {
    name: &'static str,
    open: String,
    inside: String,
}

/// A place in the page that can be linked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// A part of the page.
    Part(&'static str),
    /// The heading of a part.
    Heading(&'static str),
    /// One of many of a sort.
    One(&'static str, usize),
}

/// Elements that have no inside.
const VOID: [&str; 2] = ["meta", "link"];

/// Attributes that a browser would act on: they have methods of their own, or no place here.
const ACTING: [&str; 6] = ["href", "src", "style", "action", "srcdoc", "id"];

impl Markup {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// HTML that this program wrote itself.
    pub fn fixed(markup: &'static str) -> Self {
        Self(markup.to_owned())
    }

    /// Adds something behind it.
    pub fn push(&mut self, more: impl Into<Self>) {
        self.0 += &more.into().0;
    }

    /// It, and something behind it.
    #[must_use]
    pub fn with(mut self, more: impl Into<Self>) -> Self {
        self.push(more);
        self
    }

    /// Whether it is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As text.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// A new element.
pub fn element(name: &'static str) -> Element {
    Element { name, open: format!("<{name}"), inside: String::new() }
}

/// An element with a class, if it has one, and something in it.
pub fn of_class(name: &'static str, class: &'static str, inside: impl Into<Markup>) -> Element {
    let element = element(name);
    let element = if class.is_empty() { element } else { element.class(class) };
    element.with(inside)
}

impl Element {
    /// Sets its class.
    #[must_use]
    pub fn class(self, class: &'static str) -> Self {
        self.attribute("class", class)
    }

    /// Sets an attribute that a browser does not act on.
    ///
    /// # Panics
    /// When a browser would: that is a bug.
    #[must_use]
    pub fn attribute(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        assert!(!ACTING.contains(&name) && !name.starts_with("on"), "`{name}` is no attribute for any value");
        self.open += &format!(" {name}=\"{}\"", escaped(value.as_ref()));
        self
    }

    /// Sets an attribute that has no value.
    #[must_use]
    pub fn flag(mut self, name: &'static str) -> Self {
        self.open += &format!(" {name}");
        self
    }

    /// Sets an attribute that has no value, if so.
    #[must_use]
    pub fn flag_if(self, is_set: bool, name: &'static str) -> Self {
        if is_set { self.flag(name) } else { self }
    }

    /// Makes it a place that can be linked to.
    #[must_use]
    pub fn at(mut self, anchor: Anchor) -> Self {
        self.open += &format!(" id=\"{anchor}\"");
        self
    }

    /// Lets it lead to a place in the page.
    #[must_use]
    pub fn to(mut self, anchor: Anchor) -> Self {
        self.open += &format!(" href=\"#{anchor}\"");
        self
    }

    /// Puts something into it, behind what is there.
    #[must_use]
    pub fn with(mut self, more: impl Into<Markup>) -> Self {
        self.inside += &more.into().0;
        self
    }

    /// Puts each of them into it.
    #[must_use]
    pub fn with_all<T: Into<Markup>>(mut self, all: impl IntoIterator<Item = T>) -> Self {
        for one in all {
            self.inside += &one.into().0;
        }
        self
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part(name) => formatter.write_str(name),
            Self::Heading(part) => write!(formatter, "{part}-heading"),
            Self::One(name, number) => write!(formatter, "{name}-{number}"),
        }
    }
}

impl From<Element> for Markup {
    fn from(element: Element) -> Self {
        let Element { name, mut open, inside } = element;
        open.push('>');
        if !VOID.contains(&name) {
            open += &inside;
            open += &format!("</{name}>");
        }
        Self(open)
    }
}

impl From<&str> for Markup {
    fn from(text: &str) -> Self {
        Self(escaped(text))
    }
}

impl From<String> for Markup {
    fn from(text: String) -> Self {
        Self(escaped(&text))
    }
}

impl From<&String> for Markup {
    fn from(text: &String) -> Self {
        Self(escaped(text))
    }
}

impl<T: Into<Self>> From<Option<T>> for Markup {
    fn from(some: Option<T>) -> Self {
        some.map(Into::into).unwrap_or_default()
    }
}

impl<T: Into<Self>> FromIterator<T> for Markup {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        all.into_iter().fold(Self::new(), Self::with)
    }
}

fn escaped(text: &str) -> String {
    let text = harmless(text);
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => shown += "&amp;",
            '<' => shown += "&lt;",
            '>' => shown += "&gt;",
            '"' => shown += "&quot;",
            '\'' => shown += "&#39;",
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_stay_words() {
        let evil = "</p><script>a('&')</script>\u{202e}\u{1b}[31m\" onload=\"b";
        let page: Markup = of_class("p", "note", evil).attribute("title", evil).at(Anchor::One("step", 3)).into();
        let shown =
            "&lt;/p&gt;&lt;script&gt;a(&#39;&amp;&#39;)&lt;/script&gt;\\u{202e}\\u{1b}[31m&quot; onload=&quot;b";
        assert_eq!(page.into_string(), format!("<p class=\"note\" title=\"{shown}\" id=\"step-3\">{shown}</p>"));
    }

    #[test]
    fn parts_stand_in_their_order_and_nothing_is_nothing() {
        let list = element("ul").with_all(["a", "b"].map(|text| element("li").with(text))).with(None::<&str>);
        let page = Markup::new().with(element("meta").attribute("name", "x")).with(list);
        assert_eq!(page.into_string(), "<meta name=\"x\"><ul><li>a</li><li>b</li></ul>");
        assert!(Markup::from_iter([""; 3]).is_empty());
    }

    #[test]
    #[should_panic(expected = "is no attribute for any value")]
    fn what_a_browser_acts_on_is_no_attribute_for_words() {
        let _ = element("a").attribute("href", "javascript:alert(1)");
    }
}
