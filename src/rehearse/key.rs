//! What a certificate is about, as a digest: equal contents have equal evidence. Pure.
//!
//! Invariant: everything that can change the outcome of a rehearsal enters: the texts applied before, the migration's
//! own, the settings, the server's major version, the schema as found, and the form of the evidence.

use serde::Serialize;

use super::work::Work;
use crate::digest::Digest;
use crate::migration::{Direction, Kept, Migration, said::Said};
use crate::world::RehearsalSettings;

/// The version of what is kept, of the fingerprint that is compared and of the rules of certifying: a newer one finds
/// nothing that an older one kept.
const FORMAT: u32 = 2;

/// What is found out about a database before its migrations are rehearsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ground {
    /// The major version of the target's server.
    pub major: Option<u32>,
    /// The fingerprint of the target's schema.
    pub schema: Option<Digest>,
}

/// Under what the certificate of one step is kept and found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The step itself.
    pub own: Digest,
    /// On a way down: the way up that it takes back, by the texts alone.
    pub twin: Option<Digest>,
    /// On a way up: the texts alone, but for the server.
    texts: Option<Texts>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Texts {
    format: u32,
    tool: &'static str,
    before: Digest,
    own: Digest,
}

#[derive(Serialize)]
struct OfServer<'a> {
    texts: &'a Texts,
    major: Option<u32>,
}

#[derive(Serialize)]
struct Own<'a> {
    texts: Texts,
    direction: Direction,
    /// The texts that are rehearsed together with it as one: of a group.
    group: Vec<Digest>,
    settings: &'a RehearsalSettings,
    /// Where on the way the rows are put in.
    rows_after: Option<usize>,
    server: Option<String>,
    adopted: bool,
    major: Option<u32>,
    schema: Option<Digest>,
}

/// All of a migration that a rehearsal runs.
#[derive(Serialize)]
struct Text<'a> {
    version: i64,
    up: &'a str,
    down: Option<&'a str>,
    transaction: bool,
    said: &'a Said,
    kept: Option<&'a Kept>,
}

impl Keys {
    /// Under what a way up is found by whoever takes it back, as it was rehearsed on this version of the server.
    pub fn texts(&self, server: &str) -> Option<Digest> {
        let texts = self.texts.as_ref()?;
        Some(Digest::of_json(&OfServer { texts, major: Some(major(server)?) }))
    }
}

/// The major version of a server: `15` of `15.18 (Debian 15.18-1)`.
pub fn major(version: &str) -> Option<u32> {
    version.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// The keys of all steps of a database.
pub fn of_steps(work: &Work, ground: &Ground) -> Vec<Keys> {
    let mut before = Chain::default();
    work.applied.iter().for_each(|migration| before.add(migration.version, text(migration)));
    let has_rows = work.settings.seed.is_some() || work.settings.sample.is_some();
    let rows_after = has_rows.then_some(work.applied.len());
    let server = work.server.as_ref().map(|server| serde_json::to_string(server).expect("bindings hold no secrets"));
    let major = work.settings.version.or(ground.major);
    let mut found = Vec::with_capacity(work.steps.len());
    for (place, (direction, migration)) in work.steps.iter().enumerate() {
        let group = group(work, place);
        let is_alone = group.is_empty() && !work.adopted && work.is_whole;
        let own_text = text(migration);
        let before_it = before.without(migration.version);
        let texts = Texts { format: FORMAT, tool: env!("CARGO_PKG_VERSION"), before: before_it, own: own_text };
        let own = Own {
            texts: texts.clone(),
            direction: *direction,
            group,
            settings: &work.settings,
            rows_after,
            server: server.clone(),
            adopted: work.adopted,
            major,
            schema: ground.schema,
        };
        let own = Digest::of_json(&own);
        let twin = ground.major.map(|major| Digest::of_json(&OfServer { texts: &texts, major: Some(major) }));
        found.push(match direction {
            Direction::Up => Keys { own, twin: None, texts: is_alone.then_some(texts) },
            Direction::Down => Keys { own, twin: twin.filter(|_| is_alone), texts: None },
        });
        match direction {
            Direction::Up => before.add(migration.version, own_text),
            Direction::Down => before.remove(migration.version),
        }
    }
    found
}

/// The texts of the neighbours that go the same way and are of the same group: its way back may be exact only together
/// with theirs.
fn group(work: &Work, place: usize) -> Vec<Digest> {
    let (direction, migration) = &work.steps[place];
    let Some(name) = &migration.said.group else {
        return Vec::new();
    };
    let is_member = |step: &&(Direction, std::sync::Arc<Migration>)| {
        step.0 == *direction && step.1.said.group.as_ref() == Some(name)
    };
    let before = work.steps[..place].iter().rev().take_while(is_member).count();
    work.steps[place - before..].iter().take_while(is_member).map(|(_, member)| text(member)).collect()
}

/// Applied texts in the order of their versions, each with the digest of all up to it: adding the newest and taking
/// it away costs the same however many there are.
#[derive(Default)]
struct Chain(Vec<(i64, Digest, Digest)>);

impl Chain {
    fn add(&mut self, version: i64, text: Digest) {
        let place = self.0.partition_point(|(other, ..)| *other < version);
        let later: Vec<(i64, Digest, Digest)> = self.0.drain(place..).filter(|(other, ..)| *other != version).collect();
        self.0.push((version, text, link(self.end(), text)));
        for (version, text, _) in later {
            self.0.push((version, text, link(self.end(), text)));
        }
    }

    fn remove(&mut self, version: i64) {
        let place = self.0.partition_point(|(other, ..)| *other < version);
        for (version, text, _) in self.0.split_off(place).into_iter().filter(|(other, ..)| *other != version) {
            self.0.push((version, text, link(self.end(), text)));
        }
    }

    fn end(&self) -> Option<Digest> {
        self.0.last().map(|(.., digest)| *digest)
    }

    /// The digest of all but this one.
    fn without(&self, version: i64) -> Digest {
        let place = self.0.partition_point(|(other, ..)| *other < version);
        let start = place.checked_sub(1).map(|before| self.0[before].2);
        let later = self.0[place..].iter().filter(|(other, ..)| *other != version);
        let end = later.fold(start, |digest, (_, text, _)| Some(link(digest, *text)));
        end.unwrap_or_else(|| Digest::of_bytes(b""))
    }
}

fn link(before: Option<Digest>, text: Digest) -> Digest {
    Digest::of_json(&(before, text))
}

fn text(migration: &Migration) -> Digest {
    Digest::of_json(&Text {
        version: migration.version,
        up: &migration.up,
        // A derived way back follows from the rest.
        down: migration.down.as_deref().filter(|_| !migration.derived),
        transaction: migration.transaction,
        said: &migration.said,
        kept: migration.kept.as_deref(),
    })
}
