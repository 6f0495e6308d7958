//! Moving, letting go and importing: the way back gives the very same state, and a world that nobody touched without
//! need.
//!
//! Invariant: whatever is generated is told by its seed.

mod again;
mod fake;
mod law;

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
                gates: Default::default(),
                pinning: Default::default(),
                branch: None,
                auto_promote: None,
                doors: BTreeSet::new(),
                approvals: 0,
                budget: Default::default(),
                rules: None,
            },
            resources: self.nodes.iter().map(|(address, node)| (address.clone(), resource(node))).collect(),
            databases: BTreeMap::new(),
            checks: Vec::new(),
            outputs: BTreeMap::new(),
            spec_digest: Digest::of_bytes(format!("{:?}", self.nodes).as_bytes()),
            images: Default::default(),
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
