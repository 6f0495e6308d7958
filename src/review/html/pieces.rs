//! Small things that stand in many places of the page: signs, badges, links to steps. Pure.
//!
//! Invariant: a colour never says anything that a word beside it does not say as well.

use jiff::Timestamp;

use super::facts::number;
use super::markup::{Anchor, Element, Markup, element, of_class};
use crate::migration::said::Phase;
use crate::review::StepView;
use crate::rules::Level;

/// How something is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Neither.
    Plain,
    /// Worth knowing.
    Note,
    /// Worth a second look.
    Warn,
    /// Something is lost, refused, or makes everybody wait.
    Bad,
}

impl Tone {
    /// Its class in the style sheet, for a badge.
    pub fn badge(self) -> &'static str {
        match self {
            Self::Good => "badge good",
            Self::Plain => "badge plain",
            Self::Note => "badge info",
            Self::Warn => "badge warn",
            Self::Bad => "badge bad",
        }
    }

    /// Its class in the style sheet, for a box.
    pub fn frame(self) -> &'static str {
        match self {
            Self::Good => "frame good",
            Self::Plain => "frame plain",
            Self::Note => "frame info",
            Self::Warn => "frame warn",
            Self::Bad => "frame bad",
        }
    }
}

/// A sign beside words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A lock.
    Lock,
    /// A tick.
    Tick,
    /// A triangle with a mark.
    Alarm,
    /// A circle with a cross.
    Stop,
    /// A circle with an i.
    Note,
    /// An arrow that turns back.
    Back,
    /// A clock.
    Clock,
    /// A pen.
    Pen,
}

/// The signs, drawn once and used everywhere.
pub const SIGNS: &str = concat!(
    r#"<svg class="signs" width="0" height="0" aria-hidden="true" focusable="false"><defs>"#,
    r#"<symbol id="sign-lock" viewBox="0 0 16 16"><rect x="3" y="7" width="10" height="7" rx="1.5"/><path d="M5.5 7V5a2.5 2.5 0 0 1 5 0v2"/></symbol>"#,
    r#"<symbol id="sign-tick" viewBox="0 0 16 16"><path d="M3 8.5 6.5 12 13 4.5"/></symbol>"#,
    r#"<symbol id="sign-alarm" viewBox="0 0 16 16"><path d="M8 2 14.5 13.5h-13Z"/><path d="M8 6.5v3.2M8 11.6v.2"/></symbol>"#,
    r#"<symbol id="sign-stop" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6"/><path d="m5.8 5.8 4.4 4.4m0-4.4-4.4 4.4"/></symbol>"#,
    r#"<symbol id="sign-note" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6"/><path d="M8 7.4v3.6M8 5v.2"/></symbol>"#,
    r#"<symbol id="sign-back" viewBox="0 0 16 16"><path d="M6 3 2.5 6.5 6 10"/><path d="M2.5 6.5H10a3.2 3.2 0 0 1 0 6.5H6"/></symbol>"#,
    r#"<symbol id="sign-clock" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6"/><path d="M8 4.5V8l2.4 1.6"/></symbol>"#,
    r#"<symbol id="sign-pen" viewBox="0 0 16 16"><path d="m3 13 .8-3L10.6 3.200a1.5 1.5 0 0 1 2.200 2.200L6 12.200Z"/></symbol>"#,
    "</defs></svg>"
);

/// A sign.
pub fn sign(sign: Sign) -> Markup {
    Markup::fixed(match sign {
        Sign::Lock => r##"<svg class="sign" aria-hidden="true"><use href="#sign-lock"/></svg>"##,
        Sign::Tick => r##"<svg class="sign" aria-hidden="true"><use href="#sign-tick"/></svg>"##,
        Sign::Alarm => r##"<svg class="sign" aria-hidden="true"><use href="#sign-alarm"/></svg>"##,
        Sign::Stop => r##"<svg class="sign" aria-hidden="true"><use href="#sign-stop"/></svg>"##,
        Sign::Note => r##"<svg class="sign" aria-hidden="true"><use href="#sign-note"/></svg>"##,
        Sign::Back => r##"<svg class="sign" aria-hidden="true"><use href="#sign-back"/></svg>"##,
        Sign::Clock => r##"<svg class="sign" aria-hidden="true"><use href="#sign-clock"/></svg>"##,
        Sign::Pen => r##"<svg class="sign" aria-hidden="true"><use href="#sign-pen"/></svg>"##,
    })
}

/// The sign of a tone.
pub fn sign_of(tone: Tone) -> Sign {
    match tone {
        Tone::Good => Sign::Tick,
        Tone::Plain | Tone::Note => Sign::Note,
        Tone::Warn => Sign::Alarm,
        Tone::Bad => Sign::Stop,
    }
}

/// A few words in a box, with a sign.
pub fn badge(tone: Tone, with: Sign, words: impl Into<Markup>) -> Element {
    of_class("span", tone.badge(), sign(with)).with(of_class("span", "words", words))
}

/// The class of a step's way back.
pub fn way_back(step: &StepView) -> Element {
    let (tone, with) = match step.inverse.class {
        "exact" => (Tone::Good, Sign::Back),
        "recreates" => (Tone::Note, Sign::Back),
        _ => (Tone::Bad, Sign::Stop),
    };
    badge(tone, with, way_back_words(step.inverse.class))
}

/// The class of a way back, as people read it who see it for the first time.
pub fn way_back_words(class: &str) -> &'static str {
    match class {
        "exact" => "way back: exact",
        "recreates" => "way back: makes it again",
        "loses data" => "way back: loses data",
        _ => "no way back",
    }
}

/// The phase of a migration.
pub fn phase(phase: Phase) -> Element {
    match phase {
        Phase::Expand => of_class("span", "badge plain", "expand"),
        Phase::Contract => of_class("span", "badge plain", "contract"),
    }
}

/// The tone and the sign of a finding's level.
pub fn of_level(level: Level) -> (Tone, Sign) {
    match level {
        Level::Note => (Tone::Note, Sign::Note),
        Level::Warning => (Tone::Warn, Sign::Alarm),
        Level::Error => (Tone::Bad, Sign::Stop),
    }
}

/// A link to a step, with these words.
pub fn link(step: usize, words: impl Into<Markup>) -> Element {
    element("a").to(Anchor::One("step", step)).with(words)
}

/// A link to a step by its number.
pub fn step_link(step: &StepView) -> Element {
    link(number(step), format!("step {}", step.id))
}

/// Something that stands in code.
pub fn code(text: impl Into<Markup>) -> Element {
    element("code").with(text)
}

/// Words in which names stand between backticks, as sentences of this program have them: those become code.
pub fn prose(text: &str) -> Markup {
    let mut all = Markup::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('`') {
        match after.split_once('`').filter(|(name, _)| !name.is_empty()) {
            Some((name, behind)) => {
                all.push(before);
                all.push(code(name));
                rest = behind;
            }
            None => {
                all.push(before);
                all.push("`");
                rest = after;
            }
        }
    }
    all.with(rest)
}

/// A point in time, to the minute.
pub fn moment(at: Timestamp) -> Element {
    let words = at.strftime("%-d %b %Y, %H:%M UTC").to_string();
    element("time").attribute("datetime", at.to_string()).with(words)
}

/// A sentence that starts as sentences do.
pub fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// A button that only a browser that runs the page's script shows.
pub fn button(deed: &'static str, words: &'static str) -> Element {
    element("button").attribute("type", "button").attribute("data-deed", deed).flag("hidden").with(words)
}

/// A heading with its section's start: `<section>` that is named by its heading.
pub fn section(part: &'static str, heading: &'static str) -> Element {
    let named = Anchor::Heading(part);
    let title = element("h2").at(named).with(heading);
    element("section").at(Anchor::Part(part)).attribute("aria-labelledby", named.to_string()).with(title)
}
