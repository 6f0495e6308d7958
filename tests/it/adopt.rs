//! Moving, letting go and importing: the way back gives the very same state, and a world that nobody touched without
//! need.
//!
//! Invariant: whatever is generated is told by its seed.

mod fake;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use switchback::address::Address;
use switchback::apply::{Executor, Outcome, Retries, Silent, StopSignal};
use switchback::diagnostic::{Diagnostics, SourceId, Span};
use switchback::digest::Digest;
use switchback::expression::Deferred;
use switchback::kind::Kinds;
use switchback::ledger::state::{Gone, ResourceState, Run};
use switchback::ledger::{Actor, Ledger, MemoryStore, Store, Things};
use switchback::migration::certificate::Evidence;
use switchback::observe::{Observed, Subject, observe};
use switchback::plan::moves::Before;
use switchback::plan::{Inputs, Options, plan, refactor};
use switchback::resolve::desired::{
    Desired, DesiredResource, EnvironmentSettings, Import, Lifecycle, Moved, Refactoring, Removed,
};
use switchback::rollback::rollback;
use switchback::step::{Action, Birth, ChangeSet, Edit, Forgotten, Step};
use switchback::value::{Object, Type, Unknown, Value};
use switchback::world::Binding;

use fake::{FakeWorld, NoSecrets, kinds};

const NOWHERE: Span = Span { source: SourceId(0), start: 0, end: 0 };

/// A resource of the spec.
#[derive(Clone, Debug)]
struct Node {
    name: String,
    size: i64,
    link: Option<Address>,
}

/// A spec: resources by address, and what becomes of what is recorded.
#[derive(Clone, Debug, Default)]
struct Spec {
    nodes: BTreeMap<Address, Node>,
    refactoring: Refactoring,
}

fn address(text: &str) -> Address {
    format!("fake_thing.{text}").parse().unwrap()
}

impl Spec {
    fn with(nodes: &[(&str, &str, i64)]) -> Self {
        let node = |(at, name, size): &(&str, &str, i64)| {
            (address(at), Node { name: (*name).to_owned(), size: *size, link: None })
        };
        Self { nodes: nodes.iter().map(node).collect(), refactoring: Refactoring::default() }
    }

    fn moving(mut self, from: &str, to: &str) -> Self {
        let part = |text: &str| format!("fake_thing.{text}").parse().unwrap();
        self.refactoring.moved.push(Moved { from: part(from), to: part(to), span: NOWHERE });
        self
    }

    fn leaving(mut self, from: &str) -> Self {
        let from = format!("fake_thing.{from}").parse().unwrap();
        self.refactoring.removed.push(Removed { from, destroy: false, span: NOWHERE });
        self
    }

    fn importing(mut self, to: &str, id: &str) -> Self {
        let query = Object::from([("name".to_owned(), id.into())]);
        self.refactoring.imports.insert(address(to), Import { id: id.into(), query, span: NOWHERE });
        self
    }

    fn desired(&self) -> Desired {
        Desired {
            project: "adopt".into(),
            environment: EnvironmentSettings {
                name: "test".into(),
                after: None,
                protected: false,
                allow_up: true,
                doors: BTreeSet::new(),
                approvals: 0,
            },
            resources: self.nodes.iter().map(|(address, node)| (address.clone(), resource(node))).collect(),
            databases: BTreeMap::new(),
            outputs: BTreeMap::new(),
            spec_digest: Digest::of_bytes(format!("{:?}", self.nodes).as_bytes()),
        }
    }
}

fn resource(node: &Node) -> DesiredResource {
    let mut object =
        Object::from([("name".to_owned(), node.name.as_str().into()), ("size".to_owned(), node.size.into())]);
    let mut deferred = BTreeMap::new();
    if let Some(other) = &node.link {
        let unknown = Unknown { waits_for: vec![other.clone()], ..Unknown::of(Type::String) };
        object.insert("link".to_owned(), Value::unknown(unknown));
        deferred.insert("link".to_owned(), Deferred::attribute(other.clone(), "id"));
    }
    DesiredResource {
        kind: "fake_thing".into(),
        binding: Binding { provider: "fake".into(), ..Binding::default() },
        object,
        deferred,
        needs: node.link.iter().cloned().collect(),
        needs_schema: BTreeMap::new(),
        lifecycle: Lifecycle::default(),
        span: NOWHERE,
        attribute_spans: BTreeMap::new(),
    }
}

/// One environment.
struct Place {
    world: Arc<FakeWorld>,
    store: Arc<MemoryStore>,
    kinds: Kinds,
}

impl Place {
    fn new() -> Self {
        Self { world: Arc::default(), store: Arc::default(), kinds: kinds() }
    }

    async fn ledger(&self) -> Ledger {
        let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(&self.store);
        Ledger::open(store).await.expect("the chain is whole")
    }

    async fn try_plan(&self, spec: &Spec) -> (ChangeSet, Diagnostics) {
        let (ledger, desired) = (self.ledger().await, spec.desired());
        let things = &ledger.state().things;
        let subject =
            Subject::of(Some(&desired), things, &self.kinds).and_imports(&desired, &spec.refactoring.imports, things);
        let (observed, errors) = observe(&self.world.world(), &self.kinds, &NoSecrets, &subject).await;
        assert_eq!(errors, []);
        let inputs = Inputs {
            state: ledger.state(),
            observed: &observed,
            kinds: &self.kinds,
            secrets: &NoSecrets,
            evidence: &Evidence::default(),
        };
        plan(&desired, inputs, &Options { refactoring: spec.refactoring.clone(), ..Options::default() })
    }

    async fn plan(&self, spec: &Spec) -> ChangeSet {
        let (change_set, mistakes) = self.try_plan(spec).await;
        assert!(!mistakes.has_errors(), "{mistakes:?}");
        change_set
    }

    async fn plan_back(&self, to: u64, what: &str) -> ChangeSet {
        let ledger = self.ledger().await;
        let then = ledger.things_after(to).await.expect("the run is there");
        let now = &ledger.state().things;
        let subject = Subject::of(None, now, &self.kinds).and_back_to(&then, now).and_forgotten_since(&then, now);
        let (observed, errors) = observe(&self.world.world(), &self.kinds, &NoSecrets, &subject).await;
        assert_eq!(errors, []);
        let inputs = Inputs {
            state: ledger.state(),
            observed: &observed,
            kinds: &self.kinds,
            secrets: &NoSecrets,
            evidence: &Evidence::default(),
        };
        let (change_set, mistakes) = rollback(&then, to, inputs);
        assert!(!mistakes.has_errors(), "{what}: {mistakes:?}\n{:#?}\n{:#?}", then.resources.keys(), now.gone);
        change_set
    }

    async fn plan_edit(&self, edit: Edit, renames: &[(Address, Address)], forget: &[Address]) -> ChangeSet {
        let ledger = self.ledger().await;
        let observed = Observed::default();
        let inputs = Inputs {
            state: ledger.state(),
            observed: &observed,
            kinds: &self.kinds,
            secrets: &NoSecrets,
            evidence: &Evidence::default(),
        };
        let before = Before { renames: renames.iter().cloned().collect(), ..Before::default() };
        let (change_set, mistakes) = refactor::edit(edit, &before, &forget.iter().cloned().collect(), inputs);
        assert!(!mistakes.has_errors(), "{mistakes:?}");
        change_set
    }

    async fn run(&self, change_set: ChangeSet) -> Outcome {
        let mut ledger = self.ledger().await;
        let world = self.world.world();
        let executor = Executor {
            world: &world,
            kinds: &self.kinds,
            secrets: &NoSecrets,
            listener: &Silent,
            concurrency: 3,
            stop: StopSignal::default(),
            retries: Retries::none(),
        };
        let actor = Actor { name: "test".into(), host: "here".into(), tool: "0".into(), process: 1, commit: None };
        let source = change_set.digest();
        executor.apply(&mut ledger, change_set, source, actor).await.expect("nothing stands in the way")
    }

    /// Brings the world to a spec; planning again is empty although the blocks stay.
    async fn reach(&self, spec: &Spec, what: &str) -> Vec<String> {
        let change_set = self.plan(spec).await;
        assert_eq!(change_set.digest(), self.plan(spec).await.digest(), "{what}: two plans of one spec differ");
        let steps = brief(&change_set);
        if !steps.is_empty() {
            let outcome = self.run(change_set).await;
            assert!(outcome.is_complete(), "{what}: {outcome:?}\n{steps:#?}");
        }
        let again = brief(&self.plan(spec).await);
        assert!(again.is_empty(), "{what}: planning again gives {again:#?} after {steps:#?}");
        steps
    }

    /// Goes back; planning that again is empty.
    async fn back(&self, to: u64, what: &str) -> Vec<String> {
        let change_set = self.plan_back(to, what).await;
        let steps = brief(&change_set);
        if !steps.is_empty() {
            let outcome = self.run(change_set).await;
            assert!(outcome.is_complete(), "{what}: {outcome:?}\n{steps:#?}");
        }
        let again = brief(&self.plan_back(to, what).await);
        assert!(again.is_empty(), "{what}: going back again gives {again:#?} after {steps:#?}");
        steps
    }

    async fn newest(&self) -> u64 {
        self.ledger().await.state().runs.last().map_or(0, |run| run.number)
    }

    /// Every run and what it did.
    async fn story(&self) -> Vec<String> {
        let ledger = self.ledger().await;
        let run = |run: &Run| {
            let named = |step: &Step| match &step.action {
                Action::Move { from, .. } => format!("move {from} to {}", step.address),
                _ => format!("{} {} {}", step.action.verb(), step.address, name_of(&step.action)),
            };
            let steps: Vec<String> = run.change_set.steps.iter().map(named).collect();
            format!("{} {:?}: {}", run.number, run.change_set.operation, steps.join("; "))
        };
        ledger.state().runs.iter().map(run).collect()
    }

    /// The names of what was let go, by the addresses that it had.
    async fn forgotten(&self) -> BTreeMap<Address, String> {
        let things = self.ledger().await.state().things.clone();
        let forgotten = things.gone.into_iter().filter_map(|(address, gone)| match gone {
            Gone::Forgotten(resource) => Some((address, resource.object["name"].as_str()?.to_owned())),
            Gone::Deleted(_) | Gone::Database(_) | Gone::Emptied(_) => None,
        });
        forgotten.collect()
    }

    /// What is recorded, without when it was recorded.
    async fn recorded(&self) -> BTreeMap<Address, ResourceState> {
        let things: Things = self.ledger().await.state().things.clone();
        let timeless = |(address, resource): (Address, ResourceState)| {
            (address, ResourceState { run: 0, born: Birth::default(), ..resource })
        };
        things.resources.into_iter().map(timeless).collect()
    }
}

/// What a step is about, in the world.
fn name_of(action: &Action) -> String {
    let object = match action {
        Action::Create { after, .. } => after,
        Action::Update { after, .. } => after,
        Action::Delete { before, .. } => before,
        Action::Import { object, .. } | Action::TakeUp { known: Forgotten::Thing { object, .. } } => object,
        _ => return String::new(),
    };
    format!("{}={}", object["name"].as_str().unwrap(), object["size"].as_i64().unwrap())
}

fn brief(change_set: &ChangeSet) -> Vec<String> {
    change_set.steps.iter().map(|step| format!("{} {}", step.action.verb(), step.title())).collect()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

#[test]
fn a_move_touches_nothing_and_its_way_back_moves_back() {
    block_on(async {
        let place = Place::new();
        let mut spec = Spec::with(&[("a", "n1", 1), ("user", "n2", 1)]);
        spec.nodes.get_mut(&address("user")).unwrap().link = Some(address("a"));
        place.reach(&spec, "first").await;
        let (start, world, effects) = (place.recorded().await, place.world.snapshot(), place.world.effects());
        let mut moved = Spec::with(&[("b[\"x\"]", "n1", 1), ("user", "n2", 1)]).moving("a", "b[\"x\"]");
        moved.nodes.get_mut(&address("user")).unwrap().link = Some(address("b[\"x\"]"));
        assert_eq!(place.reach(&moved, "moved").await, ["move fake_thing.b[\"x\"]"]);
        assert_eq!((place.world.snapshot(), place.world.effects()), (world, effects));
        assert!(place.recorded().await[&address("user")].needs.contains(&address("b[\"x\"]")));
        assert_eq!(place.back(1, "back").await, ["move fake_thing.a"]);
        assert_eq!((place.recorded().await, place.world.effects()), (start, effects));
    });
}

#[test]
fn a_move_and_a_change_are_two_steps_in_that_order() {
    block_on(async {
        let place = Place::new();
        place.reach(&Spec::with(&[("a", "n1", 1)]), "first").await;
        let chain = Spec::with(&[("c", "n1", 2)]).moving("a", "b").moving("b", "c");
        assert_eq!(place.reach(&chain, "chain").await, ["move fake_thing.c", "update fake_thing.c"]);
        let steps = place.back(1, "back").await;
        assert_eq!(steps, ["move fake_thing.a", "update fake_thing.a"]);
        assert_eq!(place.world.snapshot()["n1"]["size"].as_i64(), Some(1));
    });
}

#[test]
fn names_that_went_round_in_a_circle_come_back() {
    block_on(async {
        let place = Place::new();
        place.reach(&Spec::with(&[("a", "n1", 1), ("b", "n2", 2)]), "first").await;
        let start = place.recorded().await;
        for (from, to) in [("a", "t"), ("b", "a"), ("t", "b")] {
            let change_set = place.plan_edit(Edit::Move, &[(address(from), address(to))], &[]).await;
            assert!(place.run(change_set).await.is_complete());
        }
        assert_eq!(place.recorded().await[&address("a")].object["name"].as_str(), Some("n2"));
        let effects = place.world.effects();
        assert_eq!(place.back(1, "back").await.len(), 3, "one is set aside");
        assert_eq!((place.recorded().await, place.world.effects()), (start, effects));
    });
}

#[test]
fn what_is_let_go_stays_and_is_taken_up_again() {
    block_on(async {
        let place = Place::new();
        place.reach(&Spec::with(&[("a", "n1", 1), ("b", "n2", 2)]), "first").await;
        let (start, world, effects) = (place.recorded().await, place.world.snapshot(), place.world.effects());
        let steps = place.reach(&Spec::with(&[("b", "n2", 2)]).leaving("a"), "let go").await;
        assert_eq!(steps, ["forget fake_thing.a"]);
        assert_eq!(place.world.snapshot(), world);
        assert_eq!(place.back(1, "back").await, ["take up fake_thing.a"]);
        assert_eq!((place.recorded().await, place.world.effects()), (start, effects));
        // Where somebody removed it meanwhile, it is made again.
        place.reach(&Spec::with(&[("b", "n2", 2)]).leaving("a"), "let go again").await;
        place.world.remove("n1");
        assert_eq!(place.back(1, "back").await, ["create fake_thing.a"]);
    });
}

#[test]
fn an_import_is_taken_back_by_leaving_the_thing_as_it_was() {
    block_on(async {
        let place = Place::new();
        place.world.make("there", 7);
        let world = place.world.snapshot();
        let spec = Spec::with(&[("a", "there", 7)]).importing("a", "there");
        assert_eq!(place.reach(&spec, "as it is").await, ["import fake_thing.a"]);
        assert_eq!(place.world.effects(), 0);
        place.reach(&Spec::with(&[("a", "there", 9)]), "changed").await;
        place.reach(&Spec::with(&[]), "destroyed").await;
        assert!(place.world.snapshot().is_empty());
        let steps = place.back(0, "to before it").await;
        assert_eq!(steps, ["create fake_thing.a", "forget fake_thing.a"]);
        assert_eq!(place.world.snapshot(), world);
        place.back(2, "and forward again").await;
        assert_eq!(place.world.snapshot()["there"]["size"].as_i64(), Some(9));
        assert_eq!(place.recorded().await[&address("a")].adopted.as_ref().map(|adopted| adopted.run), Some(1));
        assert_eq!(
            place.back(0, "and back").await,
            ["take up fake_thing.a", "update fake_thing.a", "forget fake_thing.a"][1..]
        );
        assert_eq!(place.world.snapshot(), world);
    });
}

#[test]
fn what_was_there_before_us_is_made_again_though_its_address_is_anothers() {
    block_on(async {
        let place = Place::new();
        place.world.make("there", 7);
        place.reach(&Spec::with(&[("c", "n1", 1)]), "first").await;
        let (start, world) = (place.recorded().await, place.world.snapshot());
        place.reach(&Spec::with(&[("c", "n1", 1), ("d", "there", 7)]).importing("d", "there"), "import").await;
        let imported = place.recorded().await;
        place.reach(&Spec::with(&[("c", "n1", 1)]), "destroyed").await;
        place.reach(&Spec::with(&[("d", "n1", 1)]).moving("c", "d"), "its address is taken").await;
        place.back(1, "back").await;
        assert_eq!((place.recorded().await, place.world.snapshot()), (start, world.clone()));
        place.back(2, "and forward").await;
        assert_eq!((place.recorded().await, place.world.snapshot()), (imported, world));
    });
}

#[test]
fn what_was_there_before_us_is_not_replaced_by_what_had_its_address() {
    block_on(async {
        let place = Place::new();
        place.world.make("there", 7);
        place.reach(&Spec::with(&[("a", "n1", 1)]), "first").await;
        let (start, world) = (place.recorded().await, place.world.snapshot());
        place.reach(&Spec::with(&[]), "destroyed").await;
        place.reach(&Spec::with(&[("a", "there", 8)]).importing("a", "there"), "another thing").await;
        let steps = place.back(1, "back").await;
        assert!(!steps.iter().any(|step| step.starts_with("delete")), "{steps:?}");
        assert_eq!((place.recorded().await, place.world.snapshot()), (start, world));
    });
}

#[test]
fn an_import_and_a_change_are_two_steps_and_a_replacement_is_refused() {
    block_on(async {
        let place = Place::new();
        place.world.make("there", 7);
        let other = Spec::with(&[("a", "another", 7)]).importing("a", "there");
        let (_, mistakes) = place.try_plan(&other).await;
        assert!(mistakes.0.iter().any(|one| one.summary == "what is imported would be replaced at once"));
        let missing = Spec::with(&[("a", "gone", 7)]).importing("a", "gone");
        let (_, mistakes) = place.try_plan(&missing).await;
        assert!(mistakes.0.iter().any(|one| one.summary == "there is nothing to import"), "{mistakes:?}");
        let spec = Spec::with(&[("a", "there", 8)]).importing("a", "there");
        assert_eq!(place.reach(&spec, "import").await, ["import fake_thing.a", "update fake_thing.a"]);
        let steps = place.back(0, "back").await;
        assert_eq!(steps, ["update fake_thing.a", "forget fake_thing.a"]);
        assert_eq!(place.world.snapshot()["there"]["size"].as_i64(), Some(7));
    });
}

#[test]
fn two_things_never_get_one_address() {
    block_on(async {
        let place = Place::new();
        place.reach(&Spec::with(&[("a", "n1", 1), ("b", "n2", 2)]), "first").await;
        let (_, mistakes) = place.try_plan(&Spec::with(&[("b", "n2", 2)]).moving("a", "b")).await;
        let texts: Vec<_> = mistakes.0.iter().map(|one| one.detail.clone().unwrap_or_default()).collect();
        assert_eq!(texts, ["`fake_thing.a` would become `fake_thing.b`, which the ledger has already"]);
        let (_, mistakes) = place.try_plan(&Spec::with(&[("c", "n2", 2)]).moving("a", "c").moving("b", "c")).await;
        assert!(mistakes.0[0].detail.as_ref().unwrap().contains("both"), "{mistakes:?}");
    });
}

#[test]
fn what_was_imported_twice_is_one_thing_on_the_way_forth_as_well() {
    block_on(async {
        let place = Place::new();
        place.world.make("there", 7);
        place.reach(&Spec::with(&[("b", "there", 8)]).importing("b", "there"), "first").await;
        let (first, world) = (place.recorded().await, place.world.snapshot());
        place.reach(&Spec::default().leaving("b"), "let go").await;
        place.reach(&Spec::with(&[("b", "there", 8)]).importing("b", "there"), "second").await;
        let second = place.recorded().await;
        place.reach(&Spec::with(&[("c", "there", 8)]).moving("b", "c"), "renamed").await;
        place.reach(&Spec::default(), "removed").await;
        assert_eq!(place.back(1, "before it was let go").await, ["move fake_thing.b", "create fake_thing.b"]);
        assert_eq!((place.recorded().await, place.world.snapshot()), (first.clone(), world.clone()));
        // It was there and not ours: nothing of the second import is owed once more.
        assert_eq!(place.back(2, "forth to where it was let go").await, ["forget fake_thing.b"]);
        assert_eq!((place.recorded().await.len(), place.world.snapshot()), (0, world.clone()));
        place.back(3, "forth to the second import").await;
        assert_eq!((place.recorded().await, place.world.snapshot()), (second, world.clone()));
        place.back(1, "and back").await;
        assert_eq!((place.recorded().await, place.world.snapshot()), (first, world));
    });
}

#[test]
fn what_was_let_go_stays_known_though_its_address_is_anothers() {
    block_on(async {
        let place = Place::new();
        let mut spec = Spec::with(&[("a", "n1", 1), ("b", "n2", 2)]);
        spec.nodes.get_mut(&address("b")).unwrap().link = Some(address("a"));
        place.reach(&spec, "first").await;
        let (start, world) = (place.recorded().await, place.world.snapshot());
        place.reach(&Spec::with(&[("a", "n1", 1)]).leaving("b"), "let go").await;
        place.reach(&Spec::default().leaving("a"), "and what it needs").await;
        let all = Spec::with(&[("a", "n3", 3), ("b", "n4", 4)]);
        place.reach(&all, "both addresses are taken").await;
        let (last, later) = (place.recorded().await, place.world.snapshot());
        place.back(1, "back").await;
        assert_eq!((place.recorded().await, place.world.snapshot()), (start, world));
        place.back(4, "forth").await;
        assert_eq!((place.recorded().await, place.world.snapshot()), (last, later));
        place.back(0, "to before everything, each after what needs it").await;
        assert_eq!(place.world.snapshot(), BTreeMap::new());
    });
}

#[test]
fn what_is_taken_up_from_an_earlier_time_is_recorded_as_it_is_now() {
    block_on(async {
        let place = Place::new();
        place.world.make("there", 1);
        let spec = Spec::with(&[("a", "there", 2)]).importing("a", "there");
        place.reach(&spec, "imported and changed").await;
        let first = place.recorded().await;
        assert_eq!(place.back(0, "back").await, ["update fake_thing.a", "forget fake_thing.a"]);
        place.reach(&spec, "once more").await;
        assert_eq!(place.back(1, "the same").await, ["forget fake_thing.a", "take up fake_thing.a"]);
        assert_eq!(place.recorded().await, first);
    });
}

#[test]
fn what_was_left_to_others_is_made_again_though_another_thing_was_made_in_its_place() {
    block_on(async {
        let place = Place::new();
        place.reach(&Spec::with(&[("a", "n1", 1)]), "first").await;
        place.reach(&Spec::default(), "removed").await;
        place.reach(&Spec::with(&[("b", "n2", 2)]), "another").await;
        place.reach(&Spec::with(&[("a", "n2", 2)]).moving("b", "a"), "renamed").await;
        place.reach(&Spec::default().leaving("a"), "let go").await;
        let world = place.world.snapshot();
        place.back(1, "the first has its address").await;
        assert_eq!(place.world.snapshot().keys().collect::<Vec<_>>(), ["n1"]);
        place.back(5, "forth").await;
        assert_eq!((place.recorded().await.len(), place.world.snapshot()), (0, world));
    });
}

/// A small generator of numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

fn cases() -> u64 {
    if std::env::var_os("SWITCHBACK_TEST_LONG").is_some() { 5000 } else { 150 }
}

/// How often one goes to another time: back, and from there again, back or forth.
const HOPS: usize = 2;

/// What becomes of the addresses and the names of what was let go.
#[derive(Clone, Copy, Debug, PartialEq)]
enum LetGo {
    /// Nothing else is called so, and it is imported under its own address only.
    KeepsItsAddress,
    /// Other things take the address, and it is imported under any.
    IsLikeAllElse,
}

/// One change of the spec or of the ledger alone.
async fn change(place: &Place, spec: &mut Spec, random: &mut Random, round: usize, let_go: LetGo) {
    spec.refactoring = Refactoring::default();
    let recorded: Vec<Address> = spec.nodes.keys().cloned().collect();
    let forgotten = match let_go {
        LetGo::KeepsItsAddress => place.forgotten().await,
        LetGo::IsLikeAllElse => BTreeMap::new(),
    };
    let pick = |random: &mut Random| recorded.get(random.below(recorded.len().max(1))).cloned();
    let free = address(["a", "b", "c", "d", "e[0]", "e[\"k\"]"][random.below(6)]);
    match (random.below(8), pick(random)) {
        (0, Some(one)) => spec.nodes.get_mut(&one).unwrap().size += 1,
        (1 | 2, Some(one)) if !spec.nodes.contains_key(&free) && !forgotten.contains_key(&free) => {
            let node = spec.nodes.remove(&one).unwrap();
            spec.nodes.insert(free.clone(), node);
            for node in spec.nodes.values_mut().filter(|node| node.link.as_ref() == Some(&one)) {
                node.link = Some(free.clone());
            }
            if random.below(2) == 0 {
                let part = |address: &Address| address.to_string().parse().unwrap();
                spec.refactoring.moved.push(Moved { from: part(&one), to: part(&free), span: NOWHERE });
            } else {
                let change_set = place.plan_edit(Edit::Move, &[(one, free)], &[]).await;
                assert!(place.run(change_set).await.is_complete());
            }
        }
        (3 | 4, Some(one)) if !is_needed(spec, &one) => {
            let is_held = is_held(place, spec, &one);
            spec.nodes.remove(&one);
            match random.below(3) {
                // What others hold on to cannot go, only be let go.
                0 if !is_held => {}
                1 => {
                    let from = one.to_string().parse().unwrap();
                    spec.refactoring.removed.push(Removed { from, destroy: false, span: NOWHERE });
                }
                _ => {
                    let change_set = place.plan_edit(Edit::Remove, &[], &[one]).await;
                    assert!(place.run(change_set).await.is_complete());
                }
            }
        }
        (5 | 6, _) if !spec.nodes.contains_key(&free) => {
            // Whatever is there and belongs to nobody: made by others, or let go by us under just this address.
            let mut own: BTreeSet<String> = spec.nodes.values().map(|node| node.name.clone()).collect();
            own.extend(forgotten.iter().filter(|(address, _)| **address != free).map(|(_, name)| name.clone()));
            let here = forgotten.get(&free);
            let world = place.world.snapshot();
            let strange: Vec<_> = world
                .iter()
                .filter(|(name, thing)| {
                    !own.contains(*name) && !thing.contains_key("link") && here.is_none_or(|here| here == *name)
                })
                .collect();
            if let Some((name, thing)) = strange.get(random.below(strange.len().max(1))) {
                let size = thing["size"].as_i64().unwrap() + random.below(2) as i64;
                spec.nodes.insert(free.clone(), Node { name: (*name).clone(), size, link: None });
                let query = Object::from([("name".to_owned(), name.as_str().into())]);
                spec.refactoring.imports.insert(free, Import { id: (*name).clone(), query, span: NOWHERE });
            }
        }
        (_, other) if !spec.nodes.contains_key(&free) && !forgotten.contains_key(&free) => {
            let link = other.filter(|_| random.below(2) == 0);
            spec.nodes.insert(free, Node { name: format!("n{round}"), size: 1, link });
        }
        _ => {}
    }
}

fn is_needed(spec: &Spec, address: &Address) -> bool {
    spec.nodes.values().any(|node| node.link.as_ref() == Some(address))
}

/// Whether something that was let go still links to it: then the world does not let it go, and rightly so.
fn is_held(place: &Place, spec: &Spec, address: &Address) -> bool {
    let name = spec.nodes[address].name.as_str();
    let id = format!("id-{name}");
    place.world.snapshot().values().any(|thing| thing.get("link").and_then(Value::as_str) == Some(&*id))
}

#[test]
fn what_holds_on_although_it_was_let_go_keeps_a_thing_where_it_is() {
    block_on(async {
        let place = Place::new();
        let mut spec = Spec::with(&[("a", "n1", 1), ("b", "n2", 1)]);
        spec.nodes.get_mut(&address("b")).unwrap().link = Some(address("a"));
        place.reach(&spec, "first").await;
        let (start, world) = (place.recorded().await, place.world.snapshot());
        place.reach(&Spec::with(&[("a", "n1", 1)]).leaving("b"), "let go").await;
        let change_set = place.plan(&Spec::default()).await;
        assert_eq!(brief(&change_set), ["delete fake_thing.a"]);
        let outcome = place.run(change_set).await;
        assert!(outcome.done.is_empty() && outcome.failed[0].error.cause.contains("links to n1"), "{outcome:?}");
        assert_eq!(place.world.snapshot(), world);
        assert_eq!(place.back(1, "back").await, ["take up fake_thing.b"]);
        assert_eq!((place.recorded().await, place.world.snapshot()), (start, world));
    });
}

#[test]
fn whatever_was_moved_let_go_or_imported_the_way_back_gives_the_very_same() {
    block_on(async {
        let mut taken_back = 0;
        let found = [284, 308, 341, 454, 501, 598, 1341, 2077];
        for seed in (1..=cases()).chain(found) {
            taken_back += there_and_back(seed).await;
        }
        assert!(taken_back > 200, "only {taken_back} steps back were tried");
    });
}

/// Some changes, and then to other times and again to others. Says how many steps that took.
async fn there_and_back(seed: u64) -> usize {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let place = Place::new();
    place.world.make("strange1", 1);
    place.world.make("strange2", 2);
    let mut spec = Spec::default();
    let mut told = vec![(0, place.recorded().await, place.world.snapshot())];
    for round in 0..2 + random.below(8) {
        change(&place, &mut spec, &mut random, round, LetGo::KeepsItsAddress).await;
        let what = format!("seed {seed}, round {round}: {spec:?}");
        place.reach(&spec, &what).await;
        let run = place.newest().await;
        told.retain(|(other, ..)| *other != run);
        told.push((run, place.recorded().await, place.world.snapshot()));
    }
    let mut taken_back = 0;
    for _ in 0..HOPS {
        let (to, recorded, world) = &told[random.below(told.len())];
        let steps = place.back(*to, &format!("seed {seed}, to {to} of {:#?}", place.story().await)).await;
        let what = format!("seed {seed}, at {to} of {:#?}", place.story().await);
        assert_eq!(&place.world.snapshot(), world, "the world: {what}");
        assert_eq!(&place.recorded().await, recorded, "the ledger: {what}");
        taken_back += steps.len();
    }
    taken_back
}

#[test]
fn from_any_state_whatever_it_was_any_other_is_reached() {
    block_on(async {
        let mut steps = 0;
        for seed in 1..=cases() {
            steps += wander(seed).await;
        }
        assert!(steps > 200, "only {steps} steps back were tried");
    });
}

/// Changes, and ways to other times in between, from which one goes on. Says how many steps those took.
async fn wander(seed: u64) -> usize {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let place = Place::new();
    place.world.make("strange1", 1);
    place.world.make("strange2", 2);
    let mut spec = Spec::default();
    let mut told = vec![(0, place.recorded().await, place.world.snapshot(), spec.clone())];
    let mut taken_back = 0;
    for round in 0..4 + random.below(10) {
        let (times, is_back) = (told.len(), random.below(3) == 0);
        let what = format!("seed {seed}, round {round}");
        if is_back {
            let (to, recorded, world, earlier) = &told[random.below(times)];
            taken_back += place.back(*to, &format!("{what}, to {to} of {:#?}", place.story().await)).await.len();
            let what = format!("{what}, at {to} of {:#?}", place.story().await);
            assert_eq!(&place.world.snapshot(), world, "the world: {what}");
            assert_eq!(&place.recorded().await, recorded, "the ledger: {what}");
            spec = earlier.clone();
        } else {
            change(&place, &mut spec, &mut random, round, LetGo::IsLikeAllElse).await;
            place.reach(&spec, &format!("{what}: {spec:?}: {:#?}", place.story().await)).await;
        }
        let run = place.newest().await;
        told.retain(|(other, ..)| *other != run);
        told.push((run, place.recorded().await, place.world.snapshot(), spec.clone()));
    }
    taken_back
}
