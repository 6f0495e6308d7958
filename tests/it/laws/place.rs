//! One environment with its world, and what a process does in it: every verb as the command line does it, under a
//! lease, cut anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use switchback::apply::{Executor, Outcome, Retries, Silent, StopSignal};
use switchback::diagnostic::Diagnostics;
use switchback::digest::Digest;
use switchback::kind::Kinds;
use switchback::ledger::{Actor, LeaseTerms, Ledger, Life, Project, RunResult, State, Store};
use switchback::migration::certificate::Evidence;
use switchback::observe::{Observed, Subject, observe};
use switchback::plan::{Inputs, Options, destroy, plan};
use switchback::resolve::desired::Desired;
use switchback::rollback::rollback;
use switchback::step::{ChangeSet, Operation, Step};
use switchback::value::{Object, Value};
use switchback::verify::{Verdict, verify};
use switchback::world::{Clock, World};

use super::fake::{FakeWorld, Hand, Kinds3, NoSecrets, Things};
use super::gate::Gate;
use super::generate::Spec;
use super::store::Chain;

const LEASE: Duration = Duration::from_secs(10);

/// One environment: a fake world and a ledger in a file.
pub struct Place {
    pub world: Arc<FakeWorld>,
    pub gate: Arc<Gate>,
    pub chain: Chain,
    pub kinds: Kinds,
    clock: Arc<Hand>,
    specs: Mutex<BTreeMap<Digest, Spec>>,
    /// How many points the newest process passed.
    points: AtomicUsize,
}

/// What is asked of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    Apply(Spec),
    Destroy,
    /// Back to the state after this run.
    Back(u64),
}

/// How a process comes to a deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It begins it; what is unfinished stands in its way.
    Begin,
    /// It finishes what is unfinished, or begins it once more.
    Resume,
    /// It takes back what was done since.
    Back,
}

/// One process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    pub way: Way,
    /// The point at which it dies.
    pub cut: Option<usize>,
    /// Nobody can know that it is dead: its lease has to run out.
    pub is_hidden: bool,
    /// The seed of what goes wrong, 0 for nothing.
    pub faults: u64,
    /// How many steps run at once.
    pub width: usize,
    /// How many effects the world carries out, where it refuses the rest.
    pub most: Option<usize>,
}

impl Process {
    pub fn plain(way: Way) -> Self {
        Self { way, cut: None, is_hidden: false, faults: 0, width: 4, most: None }
    }
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Died,
    /// Nothing is left to do.
    Whole,
    /// It did not get to its goal, and says why.
    Short(String),
}

impl Place {
    pub fn new() -> Self {
        Self::with(Things::default(), Chain::default(), BTreeMap::new())
    }

    fn with(things: Things, chain: Chain, specs: BTreeMap<Digest, Spec>) -> Self {
        let gate = Arc::new(Gate::default());
        let world = Arc::new(FakeWorld::new(things, Arc::clone(&gate)));
        Self {
            world,
            gate,
            chain,
            kinds: Kinds3::table(),
            clock: Arc::default(),
            specs: Mutex::new(specs),
            points: AtomicUsize::new(0),
        }
    }

    /// The same world and the same chain once more.
    pub fn fork(&self) -> Self {
        let copy = Self::with(self.world.things(), self.chain.fork(), self.specs.lock().unwrap().clone());
        copy.clock.pass(self.clock.uptime());
        copy
    }

    /// How many points the newest process passed.
    pub fn points(&self) -> usize {
        self.points.load(Ordering::SeqCst)
    }

    /// The ledger as a new process reads it.
    pub async fn ledger(&self) -> Result<Ledger, String> {
        let store: Arc<dyn Store> = self.chain.open(&self.gate);
        Ledger::open(store).await.map_err(|error| error.to_string())
    }

    fn world(&self) -> World {
        let provider: Arc<dyn switchback::world::Provider> = Arc::<FakeWorld>::clone(&self.world);
        World {
            providers: BTreeMap::from([("fake".to_owned(), provider)]),
            databases: Some(Arc::<FakeWorld>::clone(&self.world)),
            rehearsals: None,
            checks: None,
            clock: Arc::<Hand>::clone(&self.clock),
        }
    }

    async fn look(&self, subject: &Subject) -> Result<Observed, String> {
        let (observed, errors) = observe(&self.world(), &self.kinds, &NoSecrets, subject).await;
        match errors.first() {
            None => Ok(observed),
            Some((address, error)) => Err(format!("{address} cannot be seen: {error}")),
        }
    }

    pub async fn plan(&self, state: &State, spec: &Spec) -> Result<ChangeSet, String> {
        let desired = spec.desired();
        self.specs.lock().unwrap().insert(desired.spec_digest, spec.clone());
        self.plan_desired(state, &desired).await
    }

    pub async fn plan_desired(&self, state: &State, desired: &Desired) -> Result<ChangeSet, String> {
        let observed = self.look(&Subject::of(Some(desired), &state.things, &self.kinds)).await?;
        let inputs = Inputs {
            state,
            observed: &observed,
            kinds: &self.kinds,
            secrets: &NoSecrets,
            evidence: &Evidence::default(),
        };
        whole(plan(desired, inputs, &Options::default()))
    }

    async fn plan_nothing(&self, state: &State) -> Result<ChangeSet, String> {
        let observed = self.look(&Subject::of(None, &state.things, &self.kinds)).await?;
        whole(destroy(Inputs {
            state,
            observed: &observed,
            kinds: &self.kinds,
            secrets: &NoSecrets,
            evidence: &Evidence::default(),
        }))
    }

    pub async fn plan_back(&self, ledger: &Ledger, to: u64) -> Result<ChangeSet, String> {
        let then = ledger.things_after(to).await.map_err(|error| error.to_string())?;
        let state = ledger.state();
        let subject = Subject::of(None, &state.things, &self.kinds).and_back_to(&then, &state.things);
        let observed = self.look(&subject).await?;
        whole(rollback(
            &then,
            to,
            Inputs {
                state,
                observed: &observed,
                kinds: &self.kinds,
                secrets: &NoSecrets,
                evidence: &Evidence::default(),
            },
        ))
    }

    async fn plan_deed(&self, ledger: &Ledger, deed: &Deed) -> Result<ChangeSet, String> {
        match deed {
            Deed::Apply(spec) => self.plan(ledger.state(), spec).await,
            Deed::Destroy => self.plan_nothing(ledger.state()).await,
            Deed::Back(to) => self.plan_back(ledger, *to).await,
        }
    }

    /// What the world is to be after a run; nothing for an empty world.
    pub fn goal(&self, state: &State, number: u64) -> Option<Spec> {
        let run = state.runs.iter().find(|run| run.number == number)?;
        if matches!(run.ended, Some((RunResult::WithoutEffect, _))) {
            return self.goal(state, number - 1);
        }
        match run.change_set.operation {
            Operation::Apply => {
                let digest = run.change_set.spec_digest.expect("an apply has a spec");
                self.specs.lock().unwrap().get(&digest).cloned()
            }
            Operation::Destroy => None,
            Operation::Edit(_) => self.goal(state, number - 1),
            Operation::Rollback { to } => self.goal(state, to),
        }
    }

    /// One process from its beginning to its end; `back_to` is where a way back leads.
    pub async fn live(&self, process: Process, deed: &Deed, back_to: u64) -> End {
        self.clock.pass(Duration::from_secs(1));
        self.gate.arm(process.cut, process.faults, process.most);
        let end = tokio::select! {
            biased;
            end = self.act(process, deed, back_to) => match end {
                Ok(()) => End::Whole,
                Err(why) => End::Short(why),
            },
            () = self.gate.death() => End::Died,
        };
        self.points.store(self.gate.passed(), Ordering::SeqCst);
        self.gate.arm(None, 0, None);
        end
    }

    async fn act(&self, process: Process, deed: &Deed, back_to: u64) -> Result<(), String> {
        let mut ledger = self.ledger().await?;
        self.take_lease(&mut ledger, process).await?;
        let result = self.act_under_lease(&mut ledger, process, deed, back_to).await;
        let given_back = ledger.release(self.clock.now()).await.map_err(|error| error.to_string());
        result.and(given_back)
    }

    async fn take_lease(&self, ledger: &mut Ledger, process: Process) -> Result<(), String> {
        let boot = if process.is_hidden { "elsewhere" } else { "here" };
        let terms = LeaseTerms {
            actor: actor(),
            purpose: "a test".into(),
            length: LEASE,
            life: Some(Life { boot: boot.into(), space: String::new(), started: 0 }),
            is_dead: |_, life| life.boot == "here",
            clock: Arc::<Hand>::clone(&self.clock),
        };
        let project = Project { project: "laws".into(), environment: "test".into() };
        match ledger.take_lease(&terms, &project).await {
            Err(switchback::ledger::StoreError::Leased { .. }) => {
                self.chain.pass(LEASE);
                self.clock.pass(LEASE);
                ledger.take_lease(&terms, &project).await.map_err(|error| error.to_string())
            }
            result => result.map_err(|error| error.to_string()),
        }
    }

    async fn act_under_lease(
        &self,
        ledger: &mut Ledger,
        process: Process,
        deed: &Deed,
        back_to: u64,
    ) -> Result<(), String> {
        let unfinished = ledger.state().unfinished().map(|run| run.change_set.operation);
        let is_under_way = unfinished == Some(Operation::Rollback { to: back_to });
        match process.way {
            Way::Begin => self.begin(ledger, process, deed).await,
            Way::Resume if unfinished.is_none() => self.begin(ledger, process, deed).await,
            Way::Back if !is_under_way => {
                let world = self.world();
                let executor = self.executor(&world, process.width);
                let doubts = executor.settle(ledger).await.map_err(|error| error.to_string())?;
                match doubts.first() {
                    Some(doubt) => Err(doubt.error.to_string()),
                    None => self.begin(ledger, process, &Deed::Back(back_to)).await,
                }
            }
            Way::Resume | Way::Back => {
                let world = self.world();
                let executor = self.executor(&world, process.width);
                let outcome = executor.resume(ledger, actor()).await.map_err(|error| error.to_string())?;
                self.end(ledger, &outcome).await
            }
        }
    }

    async fn begin(&self, ledger: &mut Ledger, process: Process, deed: &Deed) -> Result<(), String> {
        let change_set = self.plan_deed(ledger, deed).await?;
        if change_set.steps.is_empty() && ledger.state().unfinished().is_none() {
            return Ok(());
        }
        let world = self.world();
        let executor = self.executor(&world, process.width);
        let digest = change_set.digest();
        let outcome = executor.apply(ledger, change_set, digest, actor()).await.map_err(|error| error.to_string())?;
        self.end(ledger, &outcome).await
    }

    /// Carries out one change set whole.
    pub async fn carry_out(&self, change_set: ChangeSet) -> Result<(), String> {
        let mut ledger = self.ledger().await?;
        let world = self.world();
        let digest = change_set.digest();
        let outcome = self.executor(&world, 4).apply(&mut ledger, change_set, digest, actor()).await;
        outcome.map_err(|error| error.to_string()).and_then(|outcome| match outcome.is_complete() {
            true => Ok(()),
            false => Err(format!("{outcome:?}")),
        })
    }

    fn executor<'a>(&'a self, world: &'a World, width: usize) -> Executor<'a> {
        Executor {
            world,
            kinds: &self.kinds,
            secrets: &NoSecrets,
            listener: &Silent,
            concurrency: width,
            stop: StopSignal::default(),
            retries: Retries::none(),
        }
    }

    /// What is complete is verified: planning again is empty.
    async fn end(&self, ledger: &mut Ledger, outcome: &Outcome) -> Result<(), String> {
        if !outcome.is_complete() {
            return Err(format!("{outcome:?}"));
        }
        let run = ledger.state().runs.last().expect("it was run");
        let (number, is_apply) = (run.number, run.change_set.operation == Operation::Apply);
        let again = match self.goal(ledger.state(), number).filter(|_| is_apply) {
            Some(spec) => self.plan(ledger.state(), &spec).await?,
            None => self.plan_back(ledger, number).await?,
        };
        match verify(ledger, &again, Default::default(), self.clock.now()).await {
            Ok(Verdict::Verified) => Ok(()),
            Ok(Verdict::Differs(_) | Verdict::Elsewhere(_)) => Err(format!("not whole: {}", brief(&again))),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Does a deed without any cut or fault; gives the number of the newest run.
    pub async fn reach(&self, deed: &Deed) -> Result<u64, String> {
        match self.live(Process::plain(Way::Begin), deed, 0).await {
            End::Whole => {}
            end => return Err(format!("{end:?}")),
        }
        let ledger = self.ledger().await?;
        Ok(ledger.state().runs.last().map_or(0, |run| run.number))
    }

    /// What always holds: the chain is whole, nothing happened twice, and what the ledger records as done is what is
    /// there; what is there and not recorded is what an open step may have made.
    pub async fn agree(&self) -> Result<Ledger, String> {
        let ledger = self.ledger().await?;
        let things = self.world.things();
        things.once()?;
        let state = ledger.state();
        let open: Vec<&Step> =
            state.unfinished().into_iter().flat_map(|run| run.open().map(|(step, _)| step)).collect();
        let tokens: BTreeSet<&String> =
            state.unfinished().into_iter().flat_map(|run| run.open().map(|(_, intent)| &intent.token)).collect();
        let is_open = |address: &switchback::address::Address| open.iter().any(|step| step.address == *address);
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for (address, resource) in &state.things.resources {
            for object in resource.earlier.iter().chain([&resource.object]) {
                known.insert(id(object));
                let found = things.by_id.get(id(object)).map(|(_, object)| object);
                if !is_open(address) && found != Some(object) {
                    return Err(format!("`{address}` is recorded as {object:?}, and is {found:?}"));
                }
            }
        }
        let made = things.made.iter().filter(|(token, _)| tokens.contains(token)).map(|(_, id)| id.as_str());
        known.extend(made);
        if let Some((orphan, object)) = things.by_id.iter().find(|(id, _)| !known.contains(id.as_str())) {
            return Err(format!("{orphan} is an orphan: {object:?}"));
        }
        for (address, database) in &state.things.databases {
            let recorded: Vec<_> = database.applied.keys().collect();
            if !is_open(address) && recorded != things.schema.keys().collect::<Vec<_>>() {
                return Err(format!("`{address}` is recorded at {recorded:?}, and is at {:?}", things.schema.keys()));
            }
        }
        Ok(ledger)
    }

    /// The world is as this spec has it, no lease is left, nothing is unfinished, and planning again is empty.
    pub async fn is_whole(&self, ledger: &Ledger, goal: Option<&Spec>) -> Result<(), String> {
        self.world.things().fit(goal)?;
        let state = ledger.state();
        if state.unfinished().is_some() || state.lease.is_some() {
            return Err("something is unfinished, or a lease is left".to_owned());
        }
        if let Some(spec) = goal {
            let again = self.plan(state, spec).await?;
            if !again.steps.is_empty() {
                return Err(format!("planning again is not empty: {}", brief(&again)));
            }
        }
        Ok(())
    }
}

fn whole((change_set, mistakes): (ChangeSet, Diagnostics)) -> Result<ChangeSet, String> {
    if mistakes.has_errors() { Err(format!("{mistakes:?}")) } else { Ok(change_set) }
}

pub fn id(object: &Object) -> &str {
    object.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// A change set in a few lines, for messages.
pub fn brief(change_set: &ChangeSet) -> String {
    let line = |step: &Step| {
        let after: Vec<_> = step.after.iter().map(|id| id.0).collect();
        let needs: Vec<_> = step.needs.iter().map(ToString::to_string).collect();
        let object = step.action.after().or_else(|| step.action.before());
        format!(
            "{} {} {} {:?} after {after:?} needs {needs:?} {object:?}\n",
            step.id,
            step.action.verb(),
            step.title(),
            step.reason
        )
    };
    change_set.steps.iter().map(line).collect()
}

pub fn actor() -> Actor {
    Actor { name: "test".into(), host: "here".into(), tool: "0".into(), process: 1, commit: None }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

/// `apply 0t3 1r2>0`, `destroy`, `back 1`.
impl fmt::Display for Deed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply(spec) => write!(formatter, "apply {spec}"),
            Self::Destroy => formatter.write_str("destroy"),
            Self::Back(to) => write!(formatter, "back {to}"),
        }
    }
}

impl FromStr for Deed {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        Ok(match verb {
            "apply" => Self::Apply(rest.parse()?),
            "destroy" => Self::Destroy,
            "back" => Self::Back(rest.trim().parse().expect("a number")),
            other => panic!("`{other}` is no deed"),
        })
    }
}

/// `begin@17~+5x1%3`: cut at 17, hidden, faults of seed 5, one step at once, three effects at most.
impl fmt::Display for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.way {
            Way::Begin => "begin",
            Way::Resume => "resume",
            Way::Back => "back",
        })?;
        if let Some(cut) = self.cut {
            write!(formatter, "@{cut}")?;
        }
        if self.is_hidden {
            formatter.write_str("~")?;
        }
        if self.faults > 0 {
            write!(formatter, "+{}", self.faults)?;
        }
        write!(formatter, "x{}", self.width)?;
        self.most.map_or(Ok(()), |most| write!(formatter, "%{most}"))
    }
}

impl FromStr for Process {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (text, most) = text.split_once('%').map_or((text, None), |(text, most)| (text, Some(most)));
        let (text, width) = text.split_once('x').expect("a width");
        let (text, faults) = text.split_once('+').unwrap_or((text, "0"));
        let (text, is_hidden) = text.strip_suffix('~').map_or((text, false), |text| (text, true));
        let (way, cut) = text.split_once('@').map_or((text, None), |(way, cut)| (way, Some(cut)));
        let way = match way {
            "begin" => Way::Begin,
            "resume" => Way::Resume,
            "back" => Way::Back,
            other => panic!("`{other}` is no way"),
        };
        let number = |text: &str| text.parse().expect("a number");
        let (faults, width) = (faults.parse().expect("a seed"), number(width));
        Ok(Self { way, cut: cut.map(number), is_hidden, faults, width, most: most.map(number) })
    }
}
