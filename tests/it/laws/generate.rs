//! Generated specs: a few things of three kinds that link to each other, a schema, and changes of them. Each has a
//! short text, so that a failing case can be pasted into a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use switchback::address::Address;
use switchback::diagnostic::{SourceId, Span};
use switchback::digest::Digest;
use switchback::expression::Deferred;
use switchback::migration::Migration;
use switchback::resolve::desired::{Desired, DesiredDatabase, DesiredResource, EnvironmentSettings, Lifecycle};
use switchback::value::{Object, Type, Unknown, Value};
use switchback::world::Binding;

/// A small generator of numbers (xorshift), so that a seed is enough to have a case again.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        random.below(2);
        random
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % limit
    }
}

/// One resource of a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    number: u64,
    /// A later one is another name: a replacement.
    naming: u64,
    kind: usize,
    pub size: i64,
    pub link: Option<u64>,
    create_first: bool,
}

const KINDS: [&str; 3] = ["fake_thing", "fake_revision", "fake_store"];

impl Node {
    pub fn kind(&self) -> &'static str {
        KINDS[self.kind]
    }

    pub fn name(&self) -> String {
        format!("n{}-{}", self.number, self.naming)
    }
}

/// A spec: nodes by number; a node links only to nodes of smaller number, so there are no circles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    pub nodes: BTreeMap<u64, Node>,
    /// How many migrations the schema has; none, and there is no database.
    pub migrations: u64,
    /// The node that the database lives in, if there is one.
    home: Option<u64>,
    generation: u64,
}

impl Spec {
    pub fn generate(random: &mut Random) -> Self {
        let mut spec = Self::default();
        for number in 0..2 + random.below(5) {
            spec.add(number, random);
        }
        if random.below(2) == 0 {
            spec.migrations = 1 + random.below(3);
            spec.home = spec.any(random);
        }
        spec
    }

    fn any(&self, random: &mut Random) -> Option<u64> {
        let stable: Vec<u64> = self.nodes.values().filter(|node| node.kind != 1).map(|node| node.number).collect();
        (!stable.is_empty()).then(|| stable[random.below(stable.len() as u64) as usize])
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    fn add(&mut self, number: u64, random: &mut Random) {
        let node = Node {
            number,
            naming: self.generation,
            kind: random.below(3) as usize,
            size: random.below(5) as i64,
            link: self.link(number, random),
            create_first: random.below(2) == 0,
        };
        self.nodes.insert(number, node);
    }

    fn link(&self, number: u64, random: &mut Random) -> Option<u64> {
        let smaller: Vec<u64> = self.nodes.keys().copied().filter(|other| *other < number).collect();
        (!smaller.is_empty() && random.below(3) > 0).then(|| smaller[random.below(smaller.len() as u64) as usize])
    }

    pub fn remove(&mut self, number: u64) {
        self.nodes.remove(&number);
        for node in self.nodes.values_mut().filter(|node| node.link == Some(number)) {
            node.link = None;
        }
        self.home = self.home.filter(|home| *home != number);
    }

    /// A few changes: sizes, links, names (a replacement), removals, additions, migrations.
    pub fn mutate(&mut self, random: &mut Random) {
        self.generation += 1;
        let generation = self.generation;
        for number in self.nodes.keys().copied().collect::<Vec<_>>() {
            match random.below(7) {
                0 | 1 => self.nodes.get_mut(&number).unwrap().size += 7,
                2 => self.nodes.get_mut(&number).unwrap().naming = generation,
                3 => {
                    let link = self.link(number, random);
                    self.nodes.get_mut(&number).unwrap().link = link;
                }
                4 => self.remove(number),
                _ => {}
            }
        }
        let next = self.nodes.keys().next_back().map_or(0, |last| last + 1);
        for number in next..next + random.below(3) {
            self.add(number, random);
        }
        if self.migrations > 0 {
            self.migrations += random.below(3);
        }
    }

    /// Simpler specs, for shrinking.
    pub fn simpler(&self) -> Vec<Self> {
        let mut simpler = Vec::new();
        for number in self.nodes.keys() {
            let mut without = self.clone();
            without.remove(*number);
            simpler.push(without);
        }
        for number in self.nodes.keys() {
            let mut plain = self.clone();
            let node = plain.nodes.get_mut(number).unwrap();
            (node.link, node.create_first) = (None, false);
            if node.size < 7 {
                node.size = 0;
            }
            simpler.push(plain);
        }
        if self.migrations > 0 {
            simpler.push(Self { migrations: self.migrations - 1, home: self.home, ..self.clone() });
            simpler.push(Self { home: None, ..self.clone() });
        }
        simpler.retain(|spec| spec != self);
        simpler
    }

    fn address(&self, number: u64) -> Address {
        Address::root(self.nodes[&number].kind(), &format!("r{number}"))
    }

    pub fn desired(&self) -> Desired {
        let resources = self.nodes.keys().map(|number| (self.address(*number), self.resource(*number))).collect();
        let databases = (self.migrations > 0).then(|| (Address::root("fake_schema", "db"), self.database()));
        Desired {
            project: "laws".into(),
            environment: EnvironmentSettings {
                name: "test".into(),
                after: None,
                protected: false,
                allow_up: true,
                gates: Default::default(),
                pinning: Default::default(),
                branch: None,
                auto_promote: None,
                doors: BTreeSet::new(),
                approvals: 0,
                budget: Default::default(),
                rules: None,
            },
            resources,
            databases: databases.into_iter().collect(),
            checks: Vec::new(),
            outputs: BTreeMap::new(),
            spec_digest: Digest::of_bytes(self.to_string().as_bytes()),
            images: Default::default(),
        }
    }

    fn database(&self) -> DesiredDatabase {
        DesiredDatabase {
            binding: fake(),
            migrations: (1..=self.migrations as i64).map(migration).collect(),
            lock_timeout_milliseconds: 1_000,
            rehearsal: Default::default(),
            rehearsal_server: None,
            budget: Default::default(),
            needs: self.home.iter().map(|home| self.address(*home)).collect(),
            span: nowhere(),
        }
    }

    fn resource(&self, number: u64) -> DesiredResource {
        let node = &self.nodes[&number];
        let mut object =
            Object::from([("name".to_owned(), node.name().as_str().into()), ("size".to_owned(), node.size.into())]);
        let mut deferred = BTreeMap::new();
        let mut needs = BTreeSet::new();
        if let Some(other) = node.link {
            let other = self.address(other);
            let unknown = Unknown { waits_for: vec![other.clone()], ..Unknown::of(Type::String) };
            object.insert("link".to_owned(), Value::unknown(unknown));
            deferred.insert("link".to_owned(), Deferred::attribute(other.clone(), "id"));
            needs.insert(other);
        }
        DesiredResource {
            kind: node.kind().to_owned(),
            binding: fake(),
            object,
            deferred,
            needs,
            needs_schema: BTreeMap::new(),
            lifecycle: Lifecycle { create_before_destroy: node.create_first, ..Lifecycle::default() },
            span: nowhere(),
            attribute_spans: BTreeMap::new(),
        }
    }
}

fn fake() -> Binding {
    Binding { provider: "fake".into(), ..Binding::default() }
}

fn nowhere() -> Span {
    Span { source: SourceId(0), start: 0, end: 0 }
}

/// Every second one is additive; the others fill what they add, so that their way back is not proved.
fn migration(version: i64) -> Migration {
    let mut up = format!("CREATE TABLE t{version} (a integer);\n");
    if version % 2 == 0 {
        up += &format!("INSERT INTO t{version} VALUES (1);\n");
    }
    let down = Some(format!("DROP TABLE t{version};\n"));
    Migration::plain(version, &format!("t{version}"), &up, down.as_deref())
}

/// `0t3 1r2>0! 2s9=4 m2@0`: number, kind, size, link, created first, later name; migrations and where.
impl fmt::Display for Spec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        for node in self.nodes.values() {
            let mut word = format!("{}{}{}", node.number, ["t", "r", "s"][node.kind], node.size);
            if let Some(link) = node.link {
                word += &format!(">{link}");
            }
            if node.create_first {
                word += "!";
            }
            if node.naming > 0 {
                word += &format!("={}", node.naming);
            }
            words.push(word);
        }
        if self.migrations > 0 {
            let home = self.home.map(|home| format!("@{home}")).unwrap_or_default();
            words.push(format!("m{}{home}", self.migrations));
        }
        formatter.write_str(&words.join(" "))
    }
}

impl FromStr for Spec {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| text.parse::<u64>().expect("a number");
        let mut spec = Self::default();
        for word in text.split_whitespace() {
            if let Some(rest) = word.strip_prefix('m') {
                let (count, home) = rest.split_once('@').map_or((rest, None), |(count, home)| (count, Some(home)));
                (spec.migrations, spec.home) = (number(count), home.map(number));
                continue;
            }
            let (word, naming) = word.split_once('=').map_or((word, 0), |(word, naming)| (word, number(naming)));
            let create_first = word.ends_with('!');
            let word = word.trim_end_matches('!');
            let (word, link) = word.split_once('>').map_or((word, None), |(word, link)| (word, Some(number(link))));
            let at = word.find(['t', 'r', 's']).expect("a kind");
            let kind = ["t", "r", "s"].iter().position(|kind| word[at..].starts_with(kind)).expect("a kind");
            let size = word[at + 1..].parse().expect("a size");
            let node = Node { number: number(&word[..at]), naming, kind, size, link, create_first };
            spec.generation = spec.generation.max(naming);
            spec.nodes.insert(node.number, node);
        }
        Ok(spec)
    }
}

#[test]
fn a_spec_is_its_text() {
    for seed in 1..100 {
        let mut random = Random::new(seed);
        let mut spec = Spec::generate(&mut random);
        spec.mutate(&mut random);
        let read: Spec = spec.to_string().parse().unwrap();
        assert_eq!((&read.nodes, read.migrations, read.home), (&spec.nodes, spec.migrations, spec.home), "{spec}");
    }
}
