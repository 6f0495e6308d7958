//! Last applied × desired × observed → a change set. Pure.
//!
//! Invariant: every change of the world that Switchback ever makes was planned here: apply, destroy and
//! rollback differ only in their goals.

mod checks;
pub mod compare;
pub mod database;
mod draft;
mod keeping;
mod exact;
mod given;
pub mod group;
mod left_over;
pub mod lookup;
mod middle;
pub mod mismatch;
pub mod moves;
pub mod order;
mod phases;
mod place;
pub mod told;
pub mod refactor;
pub mod thing;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::expression::Deferred;
use crate::kind::Kinds;
use crate::ledger::State;
use crate::migration::Migration;
use crate::migration::certificate::Evidence;
use crate::migration::range::SchemaNeeds;
use crate::migration::told::Told;
use crate::observe::Observed;
use crate::release::image::Images;
use crate::resolve::desired::{Desired, DesiredOutput, Lifecycle, Refactoring};
use crate::secret::Secrets;
use crate::step::{ChangeSet, FORMAT, Operation, PlannedOutput, Standing};
use crate::value::Object;
use crate::world::Binding;
use lookup::Planned;
use moves::{Before, View};
use order::{Draft, NoOrder};
use phases::Phases;

/// What the user asked for beside the spec.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only these and what they need; all when empty.
    pub targets: Vec<Address>,
    /// These are replaced even if nothing about them changes.
    pub replace: Vec<Address>,
    /// What becomes of what is recorded: `moved`, `removed` and `import` blocks.
    pub refactoring: Refactoring,
}

/// A state to be reached: the spec's, nothing, or an earlier one of the ledger.
#[derive(Clone, Debug, Default)]
pub struct Goals {
    /// Resources.
    pub things: BTreeMap<Address, Goal>,
    /// Databases.
    pub databases: BTreeMap<Address, DatabaseGoal>,
    /// Recorded things without a goal that are forgotten and stay where they are.
    pub let_go: BTreeSet<Address>,
    /// Things that are brought to their goal, and then forgotten: they were there before us.
    pub released: BTreeSet<Address>,
}

/// A resource to be reached.
#[derive(Clone, Debug)]
pub struct Goal {
    /// Its kind.
    pub kind: String,
    /// Where it shall be.
    pub binding: Binding,
    /// The attributes that are wanted; computed ones absent.
    pub object: Object,
    /// Expressions of those that hold unknowns or secrets.
    pub deferred: BTreeMap<String, Deferred>,
    /// What it will need.
    pub needs: BTreeSet<Address>,
    /// The schema versions that it will work with.
    pub needs_schema: SchemaNeeds,
    /// The `lifecycle` block.
    pub lifecycle: Lifecycle,
    /// The whole recorded object, on a way back: it may still be there as an earlier revision.
    pub recorded: Option<Object>,
    /// By which it is imported, if it is there and not recorded; where that is asked for.
    pub import: Option<(String, Option<Span>)>,
    /// What cannot be reached of it, on a way back: secrets that nobody keeps.
    pub lost: Option<String>,
    /// Where it stands in the spec.
    pub span: Option<Span>,
}

/// A schema to be reached.
#[derive(Clone, Debug)]
pub struct DatabaseGoal {
    /// How the database is reached.
    pub binding: Binding,
    /// The migrations that shall be applied, by version.
    pub migrations: BTreeMap<i64, Arc<Migration>>,
    /// Longest wait for one lock, in milliseconds.
    pub lock_timeout_milliseconds: u64,
    /// Applied versions that stay on a way back, whatever the migrations are.
    pub ahead: BTreeSet<i64>,
    /// What it will need.
    pub needs: BTreeSet<Address>,
    /// What was told of its history then, on a way back; else what is told now stays.
    pub told: Option<Told>,
    /// Where it stands in the spec.
    pub span: Option<Span>,
}

/// Everything that a plan is made from.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The fold of the ledger.
    pub state: &'a State,
    /// What was found.
    pub observed: &'a Observed,
    /// The table of kinds.
    pub kinds: &'a Kinds,
    /// Where secrets come from; they are compared and then sealed.
    pub secrets: &'a dyn Secrets,
    /// What rehearsals proved; it can only lower how well a migration can be taken back.
    pub evidence: &'a Evidence,
}

impl Goals {
    /// What the spec wants.
    pub fn of(desired: &Desired) -> Self {
        let things = desired.resources.iter().map(|(address, resource)| {
            let goal = Goal {
                kind: resource.kind.clone(),
                binding: resource.binding.clone(),
                object: resource.object.clone(),
                deferred: resource.deferred.clone(),
                needs: resource.needs.clone(),
                needs_schema: resource.needs_schema.clone(),
                lifecycle: resource.lifecycle.clone(),
                recorded: None,
                import: None,
                lost: None,
                span: Some(resource.span),
            };
            (address.clone(), goal)
        });
        let databases = desired.databases.iter().map(|(address, database)| {
            let migrations = database.migrations.iter();
            let goal = DatabaseGoal {
                binding: database.binding.clone(),
                migrations: migrations.map(|migration| (migration.version, Arc::new(migration.clone()))).collect(),
                lock_timeout_milliseconds: database.lock_timeout_milliseconds,
                ahead: BTreeSet::new(),
                needs: database.needs.clone(),
                told: None,
                span: Some(database.span),
            };
            (address.clone(), goal)
        });
        Self { things: things.collect(), databases: databases.collect(), ..Self::default() }
    }
}

/// Plans the way to what the spec wants.
pub fn plan(desired: &Desired, inputs: Inputs<'_>, options: &Options) -> (ChangeSet, Diagnostics) {
    let mut goals = Goals::of(desired);
    let mut mistakes = Diagnostics::default();
    let mut renames = refactor::renames(&options.refactoring.moved, &goals, inputs.state, &mut mistakes);
    let only = (!options.targets.is_empty()).then(|| targets(&goals, inputs.state, &options.targets, &mut mistakes));
    if let Some(only) = &only {
        goals.things.retain(|address, _| only.contains(address));
        goals.databases.retain(|address, _| only.contains(address));
        renames.retain(|_, to| only.contains(to));
    }
    let before = Before { renames, ..Before::default() };
    let mut view = (!before.is_empty()).then(|| View::of(inputs.state, inputs.observed, &before, Operation::Apply));
    let (drafts, first) = view.as_mut().map(View::take_drafts).unwrap_or_default();
    let inputs = match &view {
        Some(view) => Inputs { state: &view.state, observed: &view.observed, ..inputs },
        None => inputs,
    };
    refactor::apply(&options.refactoring, &mut goals, inputs.state);
    let targeted = only.clone();
    let mut planner = Planner::new(inputs, Operation::Apply, &options.replace, only);
    planner.environment = Some(&desired.environment.name);
    planner.drafts = drafts;
    planner.first = first;
    planner.plan(&goals);
    planner.mistakes.extend(mistakes);
    let outputs = planner.outputs(&desired.outputs);
    let settings = &desired.environment;
    let standing = Standing { protected: settings.protected, holds: !settings.allow_up };
    let (mut change_set, mistakes) =
        planner.finish(desired.project.clone(), settings.name.clone(), Some(desired.spec_digest), outputs, standing);
    change_set.approval_rules = settings.rules.clone().map(Box::new);
    change_set.gates = settings.gates.clone();
    change_set.images = desired.images.clone();
    change_set.checks = checks::planned(&desired.checks, inputs.state, targeted.as_ref());
    (change_set, mistakes)
}

/// Plans the way to nothing.
pub fn destroy(inputs: Inputs<'_>) -> (ChangeSet, Diagnostics) {
    to_goals(&Goals::default(), Operation::Destroy, inputs)
}

/// Plans the way to some goals of a ledger that has a chain.
pub fn to_goals(goals: &Goals, operation: Operation, inputs: Inputs<'_>) -> (ChangeSet, Diagnostics) {
    to_goals_from(View::default(), goals, operation, inputs)
}

/// Plans the way to some goals after what is taken up and renamed; `inputs` see the ledger and the world as they are
/// then.
pub fn to_goals_from(
    mut view: View,
    goals: &Goals,
    operation: Operation,
    inputs: Inputs<'_>,
) -> (ChangeSet, Diagnostics) {
    let chain = inputs.state.chain.as_ref();
    let (project, environment) =
        chain.map(|chain| (chain.project.clone(), chain.environment.clone())).unwrap_or_default();
    let mut planner = Planner::new(inputs, operation, &[], None);
    (planner.drafts, planner.first) = view.take_drafts();
    planner.plan(goals);
    planner.finish(project, environment, None, BTreeMap::new(), inputs.state.standing())
}

/// The targets and all they need; a target without its key means all its instances.
fn targets(goals: &Goals, state: &State, targets: &[Address], mistakes: &mut Diagnostics) -> BTreeSet<Address> {
    let known = || {
        goals
            .things
            .keys()
            .chain(goals.databases.keys())
            .chain(state.things.resources.keys())
            .chain(state.things.databases.keys())
    };
    let mut chosen = BTreeSet::new();
    let mut open = VecDeque::new();
    for target in targets {
        let found: Vec<_> =
            known().filter(|address| *address == target || address.block() == *target).cloned().collect();
        if found.is_empty() {
            mistakes.push(
                Diagnostic::error("there is no such target")
                    .detail(format!("`{target}` is neither in the spec nor in the ledger"))
                    .help("`switchback status ENV` lists what is there"),
            );
        }
        open.extend(found);
    }
    while let Some(address) = open.pop_front() {
        let goal = goals.things.get(&address).map(|goal| &goal.needs);
        let needs = goal.or_else(|| goals.databases.get(&address).map(|goal| &goal.needs));
        if chosen.insert(address.clone()) {
            open.extend(needs.into_iter().flatten().cloned());
        }
    }
    chosen
}

/// A plan in the making.
pub(crate) struct Planner<'a> {
    inputs: Inputs<'a>,
    operation: Operation,
    /// The environment, where a spec says it.
    environment: Option<&'a str>,
    replace: &'a [Address],
    only: Option<BTreeSet<Address>>,
    /// What the recorded things need.
    needed: BTreeSet<&'a Address>,
    planned: Planned<'a>,
    drafts: Vec<Draft>,
    /// Which step comes before all others under an address: it gives the name.
    first: BTreeMap<Address, usize>,
    /// What is forgotten where it is.
    let_go: BTreeSet<Address>,
    /// What runs meanwhile.
    phases: Phases,
    mistakes: Diagnostics,
}

impl<'a> Planner<'a> {
    fn new(inputs: Inputs<'a>, operation: Operation, replace: &'a [Address], only: Option<BTreeSet<Address>>) -> Self {
        let planned = Planned::new(inputs.secrets);
        let needed = inputs.state.things.resources.values().flat_map(|recorded| &recorded.needs).collect();
        Self {
            inputs,
            operation,
            environment: None,
            replace,
            only,
            needed,
            planned,
            drafts: Vec::new(),
            first: BTreeMap::new(),
            let_go: BTreeSet::new(),
            phases: Phases::default(),
            mistakes: Diagnostics::default(),
        }
    }

    fn plan(&mut self, goals: &Goals) {
        self.refuse_twins(goals);
        self.let_go.clone_from(&goals.let_go);
        let named = self.drafts.len();
        for address in by_needs(goals) {
            if let Some(goal) = goals.things.get(address) {
                self.plan_thing(address, goal);
            } else if let Some(goal) = goals.databases.get(address) {
                self.plan_database(address, goal);
            }
        }
        let state = self.inputs.state;
        let chosen = |address: &Address, only: &Option<BTreeSet<Address>>| {
            only.as_ref().is_none_or(|only| only.contains(address))
        };
        for (address, recorded) in &state.things.resources {
            if !goals.things.contains_key(address) && chosen(address, &self.only) {
                self.remove_thing(address, recorded);
            }
        }
        for (address, recorded) in &state.things.databases {
            if !goals.databases.contains_key(address) && chosen(address, &self.only) {
                self.remove_database(address, recorded);
            }
        }
        for address in &goals.released {
            if let Some(goal) = goals.things.get(address) {
                self.release(address, goal, named);
            }
        }
        self.note_tenures(goals);
        // Nothing is done under a name before it is given.
        for draft in &mut self.drafts[named..] {
            draft.after.extend(self.first.get(&draft.address));
        }
    }

    /// Two resources that the world would take for one are a mistake.
    fn refuse_twins(&mut self, goals: &Goals) {
        let mut seen: BTreeMap<(String, &str, String), &Address> = BTreeMap::new();
        for (address, goal) in &goals.things {
            let Some(identity) = self.inputs.kinds.get(&goal.kind).and_then(|kind| kind.rules.identity(&goal.object))
            else {
                continue;
            };
            let place = serde_json::to_string(&goal.binding).expect("bindings hold no secrets");
            if let Some(other) = seen.insert((place, &goal.kind, identity.clone()), address) {
                self.mistakes.push(
                    Diagnostic::error("two resources are the same thing")
                        .at(goal.span)
                        .detail(format!("`{other}` and `{address}` are both the {} `{identity}`", goal.kind))
                        .help("give one of them another name, or remove it"),
                );
            }
        }
    }

    fn outputs(&self, outputs: &BTreeMap<String, DesiredOutput>) -> BTreeMap<String, PlannedOutput> {
        let key = self.inputs.state.seal_key();
        let plan_one = |output: &DesiredOutput| {
            let value = match &output.deferred {
                Some(deferred) if !output.value.is_known() => {
                    crate::resolve::evaluate::evaluate_deferred(deferred, &self.planned)
                        .unwrap_or_else(|_| output.value.clone())
                }
                _ => output.value.clone(),
            };
            let deferred = output.deferred.clone().filter(|_| !value.is_known() || value.is_sensitive());
            PlannedOutput { value: value.seal(key), deferred }
        };
        outputs.iter().map(|(name, output)| (name.clone(), plan_one(output))).collect()
    }

    fn finish(
        mut self,
        project: String,
        environment: String,
        spec_digest: Option<crate::digest::Digest>,
        outputs: BTreeMap<String, PlannedOutput>,
        standing: Standing,
    ) -> (ChangeSet, Diagnostics) {
        exact::judge_together(&mut self.drafts, self.inputs.kinds);
        let (steps, point_of_no_return) = order::order(self.drafts, &self.phases).unwrap_or_else(|why| {
            self.mistakes.extend(Diagnostics(match why {
                NoOrder::Circle(stuck) => vec![refuse_circle(&stuck)],
                NoOrder::Schema(refused) => refused,
            }));
            (Vec::new(), None)
        });
        let chain = self.inputs.state.chain.as_ref().map(|chain| chain.id.clone());
        let change_set = ChangeSet {
            format: FORMAT,
            project,
            environment,
            operation: self.operation,
            chain,
            spec_digest,
            steps,
            point_of_no_return,
            checks: Vec::new(),
            outputs,
            standing,
            // As last applied; only a spec says otherwise.
            approval_rules: self.inputs.state.signatures.rules.clone().map(Box::new),
            owed: BTreeSet::new(),
            with_schema: false,
            release: None,
            images: Images::default(),
            gates: self.inputs.state.gates().clone(),
            origins: BTreeMap::new(),
        };
        (change_set, self.mistakes)
    }
}

fn refuse_circle(stuck: &[Address]) -> Diagnostic {
    let names: Vec<_> = stuck.iter().map(ToString::to_string).collect();
    Diagnostic::error("steps wait for each other in a circle")
        .detail(names.join(", "))
        .help("break the circle: apply it in two plans, or set `create_before_destroy`")
}

/// The addresses of all goals, each after those it needs. Needs that lead nowhere, or in a circle (which the
/// resolver has refused), do not hold anything up.
fn by_needs(goals: &Goals) -> Vec<&Address> {
    let needs_of = |address: &Address| {
        let thing = goals.things.get(address).map(|goal| &goal.needs);
        thing.or_else(|| goals.databases.get(address).map(|goal| &goal.needs)).into_iter().flatten()
    };
    let all: Vec<&Address> = goals.things.keys().chain(goals.databases.keys()).collect();
    let index: BTreeMap<&Address, usize> = all.iter().copied().zip(0..).collect();
    let mut waiting = vec![0_usize; all.len()];
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); all.len()];
    for (place, address) in all.iter().enumerate() {
        for need in needs_of(address).filter_map(|need| index.get(need)) {
            waiting[place] += 1;
            followers[*need].push(place);
        }
    }
    let mut ready: VecDeque<usize> = (0..all.len()).filter(|place| waiting[*place] == 0).collect();
    let mut sorted = Vec::with_capacity(all.len());
    while let Some(place) = ready.pop_front() {
        sorted.push(all[place]);
        for follower in &followers[place] {
            waiting[*follower] -= 1;
            if waiting[*follower] == 0 {
                ready.push_back(*follower);
            }
        }
    }
    sorted.extend((0..all.len()).filter(|place| waiting[*place] > 0).map(|place| all[place]));
    sorted
}
