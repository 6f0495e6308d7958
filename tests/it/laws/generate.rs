//! Generated specs: a few things of three kinds that link to each other, and changes of them.

use std::collections::{BTreeMap, BTreeSet};

use switchback::address::Address;
use switchback::diagnostic::{SourceId, Span};
use switchback::digest::Digest;
use switchback::expression::Deferred;
use switchback::resolve::desired::{Desired, DesiredResource, EnvironmentSettings, Lifecycle};
use switchback::value::{Object, Type, Unknown, Value};
use switchback::world::Binding;

/// A small generator of numbers (xorshift), so that a seed is enough to have a case again.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// One resource of a spec.
#[derive(Clone, Debug)]
pub struct Node {
    pub name: String,
    kind: u64,
    pub size: i64,
    pub link: Option<u64>,
    create_first: bool,
}

impl Node {
    pub fn kind(&self) -> &'static str {
        ["fake_thing", "fake_revision", "fake_store"][self.kind as usize]
    }
}

/// A spec: nodes by number; a node links only to nodes of smaller number, so there are no circles.
#[derive(Clone, Debug)]
pub struct Spec {
    pub nodes: BTreeMap<u64, Node>,
    generation: u64,
}

impl Spec {
    pub fn generate(random: &mut Random) -> Self {
        let mut spec = Self { nodes: BTreeMap::new(), generation: 0 };
        for number in 0..2 + random.below(6) {
            spec.add(number, random);
        }
        spec
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    fn add(&mut self, number: u64, random: &mut Random) {
        let node = Node {
            name: format!("n{number}-{}", self.generation),
            kind: random.below(3),
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

    /// A few changes: sizes, links, names (a replacement), removals, additions.
    pub fn mutate(&mut self, random: &mut Random) {
        self.generation += 1;
        let generation = self.generation;
        for number in self.nodes.keys().copied().collect::<Vec<_>>() {
            match random.below(7) {
                0 | 1 => self.nodes.get_mut(&number).unwrap().size += 7,
                2 => self.nodes.get_mut(&number).unwrap().name = format!("n{number}-{generation}"),
                3 => {
                    let link = self.link(number, random);
                    self.nodes.get_mut(&number).unwrap().link = link;
                }
                4 => {
                    self.nodes.remove(&number);
                    for node in self.nodes.values_mut().filter(|node| node.link == Some(number)) {
                        node.link = None;
                    }
                }
                _ => {}
            }
        }
        let next = self.nodes.keys().next_back().map_or(0, |last| last + 1);
        for number in next..next + random.below(3) {
            self.add(number, random);
        }
    }

    fn address(&self, number: u64) -> Address {
        Address::root(self.nodes[&number].kind(), &format!("r{number}"))
    }

    pub fn desired(&self) -> Desired {
        let resources = self.nodes.keys().map(|number| (self.address(*number), self.resource(*number))).collect();
        Desired {
            project: "laws".into(),
            environment: EnvironmentSettings {
                name: "test".into(),
                after: None,
                protected: false,
                allow_up: true,
                doors: BTreeSet::new(),
                approvals: 0,
            },
            resources,
            databases: BTreeMap::new(),
            outputs: BTreeMap::new(),
            spec_digest: Digest::of_bytes(format!("{self:?}").as_bytes()),
        }
    }

    fn resource(&self, number: u64) -> DesiredResource {
        let node = &self.nodes[&number];
        let mut object =
            Object::from([("name".to_owned(), node.name.as_str().into()), ("size".to_owned(), node.size.into())]);
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
            binding: Binding { provider: "fake".into(), ..Binding::default() },
            object,
            deferred,
            needs,
            needs_schema: BTreeMap::new(),
            lifecycle: Lifecycle { create_before_destroy: node.create_first, ..Lifecycle::default() },
            span: Span { source: SourceId(0), start: 0, end: 0 },
            attribute_spans: BTreeMap::new(),
        }
    }
}
