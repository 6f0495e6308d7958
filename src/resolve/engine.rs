//! Evaluates everything in the order of the graph. Pure.
//!
//! Invariant: each node is evaluated once per instance of its site, after everything that it names.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

use super::cells::{CallState, Cell, Each, Needs, SiteInstance, Style, Tracker};
use super::evaluate::{close, evaluate};
use super::graph::Item;
use super::ground::Ground;
use super::here::Here;
use super::inputs::{Inputs, Missing};
use super::prepare::Prepared;
use super::secret_form::{literal_at, plainly, secret_if, secrets_apart};
use super::secrets::RevealedSecrets;
use crate::address::{Address, InstanceKey, ModulePath};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::expression::{Deferred, Expr, Node, Reference};
use crate::kind::Kinds;
use crate::resolve::desired::{DesiredDatabase, DesiredOutput, DesiredResource};
use crate::secret::SecretReference;
use crate::spec::Target;
use crate::value::{Type, Unknown, Value};

/// What an expression came to.
#[derive(Clone, Debug)]
pub(super) struct Evaluated {
    pub value: Value,
    /// Its closed form, where the value holds an unknown or a secret.
    pub closed: Option<Expr>,
    pub poisoned: bool,
}

/// What is made of the spec.
#[derive(Default)]
pub(super) struct Made {
    pub resources: BTreeMap<crate::address::Address, DesiredResource>,
    pub databases: BTreeMap<crate::address::Address, DesiredDatabase>,
    pub checks: BTreeMap<crate::address::Address, crate::step::Check>,
    pub outputs: BTreeMap<String, DesiredOutput>,
    pub revealed: RevealedSecrets,
}

pub(super) struct Engine<'a> {
    pub ground: Ground<'a>,
    pub inputs: &'a Inputs,
    pub kinds: &'a Kinds,
    pub prepared: &'a [Prepared],
    /// How each `provider` block is reached and what that rests on, by node.
    pub providers: BTreeMap<usize, (crate::world::Binding, BTreeSet<u32>)>,
    pub made: Made,
    pub diagnostics: Diagnostics,
    /// Mistakes that were reported, by place and summary: one of a block with many instances counts once.
    reported: HashSet<(Option<Span>, String)>,
}

impl<'a> Engine<'a> {
    pub fn new(ground: Ground<'a>, inputs: &'a Inputs, kinds: &'a Kinds, prepared: &'a [Prepared]) -> Self {
        Self {
            ground,
            inputs,
            kinds,
            prepared,
            providers: BTreeMap::new(),
            made: Made::default(),
            diagnostics: Diagnostics::default(),
            reported: HashSet::new(),
        }
    }

    /// Evaluates every node.
    pub fn run(&mut self) {
        self.root_variables();
        for &node in &self.ground.graph.order {
            let (site, item) = self.ground.graph.nodes[node];
            for instance in 0..self.ground.state.sites[site].len() {
                match item {
                    Item::Variable(index) => self.variable(node, site, instance, index),
                    Item::Local(index) => self.local(node, site, instance, index),
                    Item::Output(index) => self.output(node, site, instance, index),
                    Item::Call(index) => self.call(node, site, instance, index),
                    Item::Resource(index) => self.resource(node, site, instance, index),
                    Item::Database(index) => self.database(node, site, instance, index),
                    Item::Config(index) => self.config(node, site, instance, index),
                    Item::Provider(index) => self.provider(node, index),
                    Item::Verify(index) => self.verify(site, instance, index),
                }
            }
        }
    }

    /// Whether a value is unknown only because a variable was left out, which nobody minds.
    pub fn is_assumed(&self, value: &Value) -> bool {
        self.inputs.missing == Missing::Assume && !value.is_known() && value.waits_for().is_empty()
    }

    /// Reports a mistake, unless the same was reported of another instance.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        if self.reported.insert((diagnostic.span, diagnostic.summary.clone())) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reports mistakes.
    pub fn report_all(&mut self, diagnostics: Diagnostics) {
        diagnostics.0.into_iter().for_each(|diagnostic| self.report(diagnostic));
    }

    /// The path of modules to an instance of a site.
    pub fn path(&self, site: usize, instance: usize) -> ModulePath {
        self.ground.state.sites[site][instance].path.clone()
    }

    /// Evaluates an expression, closes it where it is not plainly known, and keeps its secret literals.
    pub fn evaluate(
        &mut self,
        expr: &Expr,
        site: usize,
        instance: usize,
        each: Option<&Each>,
        context: &str,
    ) -> (Evaluated, Tracker) {
        let here = Here::new(&self.ground, site, instance, each, context);
        let mut literals: Vec<(SecretReference, Value)> = Vec::new();
        let outcome = evaluate(expr, &here).and_then(|value| {
            let is_plain = value.is_known() && !value.is_sensitive();
            if is_plain || here.is_poisoned() {
                return Ok((value, None));
            }
            let expr = &secrets_apart(expr, &here);
            let closed = close(expr, &here)?;
            for (span, reference) in here.take_literals() {
                literals.extend(literal_at(expr, span, &here).map(|value| (reference, value)));
            }
            Ok((value, Some(plainly(closed))))
        });
        let mut tracker = here.take_tracker();
        for (reference, value) in literals {
            self.made.revealed.insert(reference, &value);
        }
        match outcome {
            Ok((value, closed)) => {
                let poisoned = tracker.poisoned;
                (Evaluated { value, closed, poisoned }, tracker)
            }
            Err(mistakes) => {
                // What follows from a poisoned part is not the user's mistake.
                if !tracker.poisoned {
                    self.report_all(mistakes);
                }
                tracker.poisoned = true;
                (Evaluated { value: Value::unknown(Unknown::of(Type::Any)), closed: None, poisoned: true }, tracker)
            }
        }
    }

    /// A cell of an evaluated expression; its closed form is kept for others to refer to.
    pub fn cell(&mut self, evaluated: Evaluated, needs: Needs) -> Cell {
        let closed = evaluated.closed.map(|closed| self.share(closed));
        Cell { value: evaluated.value, needs, closed, poisoned: evaluated.poisoned }
    }

    /// Keeps a closed form for others, unless it is as short as a reference to it.
    pub fn share(&mut self, closed: Expr) -> Expr {
        if matches!(closed.node, Node::Reference(_)) {
            return closed;
        }
        let cell = u32::try_from(self.ground.state.closed.len()).expect("fewer than 2^32 names");
        self.ground.state.closed.push(closed);
        Expr::reference(Reference::Cell(cell))
    }

    /// A closed form with the shared parts that it reaches, numbered anew.
    pub fn deferred(&self, closed: &Expr) -> Deferred {
        let mut reached = BTreeSet::new();
        let mut waiting = vec![closed];
        while let Some(expr) = waiting.pop() {
            expr.visit(&mut |part| {
                if let Node::Reference(Reference::Cell(cell)) = &part.node
                    && reached.insert(*cell)
                {
                    waiting.push(&self.ground.state.closed[*cell as usize]);
                }
            });
        }
        let numbers: BTreeMap<u32, u32> = reached.iter().copied().zip(0..).collect();
        let renumber = |expr: &Expr| {
            let rewritten = expr.rewrite::<std::convert::Infallible>(&mut |part| {
                Ok(match &part.node {
                    Node::Reference(Reference::Cell(cell)) => Some(Expr::reference(Reference::Cell(numbers[cell]))),
                    _ => None,
                })
            });
            rewritten.unwrap_or_else(|never| match never {})
        };
        let cells = reached.iter().map(|cell| renumber(&self.ground.state.closed[*cell as usize])).collect();
        Deferred::new(cells, renumber(closed))
    }

    fn local(&mut self, node: usize, site: usize, instance: usize, index: usize) {
        let module = &self.ground.spec.modules[self.ground.graph.sites[site].module];
        let (name, local) = module.locals.get_index(index).expect("the item is of this module");
        let context = format!("{}local.{name}", self.path(site, instance));
        let (evaluated, tracker) = self.evaluate(&local.expr, site, instance, None, &context);
        let cell = self.cell(evaluated, tracker.needs());
        self.ground.state.cells[node].push(cell);
    }

    fn output(&mut self, node: usize, site: usize, instance: usize, index: usize) {
        let module = &self.ground.spec.modules[self.ground.graph.sites[site].module];
        let (name, output) = module.outputs.get_index(index).expect("the item is of this module");
        let context = format!("{}output.{name}", self.path(site, instance));
        let expr = secret_if(output.sensitive, &output.value);
        let (evaluated, mut tracker) = self.evaluate(&expr, site, instance, None, &context);
        for id in self.target_needs(&output.depends_on, site, instance) {
            tracker.one(id);
        }
        if site == 0 {
            if evaluated.value.is_sensitive() && !output.sensitive {
                self.report(
                    Diagnostic::error("an output would show a secret")
                        .at(output.value.place())
                        .detail(format!("`{name}` holds a sensitive value"))
                        .help("add `sensitive = true`, or leave the secret out"),
                );
            }
            let deferred = evaluated.closed.as_ref().map(|closed| self.deferred(closed));
            self.made.outputs.insert(name.to_string(), DesiredOutput { value: evaluated.value.clone(), deferred });
        }
        let cell = self.cell(evaluated, tracker.needs());
        self.ground.state.cells[node].push(cell);
    }

    fn call(&mut self, node: usize, site: usize, instance: usize, index: usize) {
        let spec = self.ground.spec;
        let module = &spec.modules[self.ground.graph.sites[site].module];
        let (name, call) = module.calls.get_index(index).expect("the item is of this module");
        let around = self.ground.state.sites[site][instance].clone();
        let context = format!("{}module.{name}", around.path);
        let expansion = self.expand(&call.repeat, site, instance, &context);
        let mut needs: BTreeSet<u32> = (*around.needs).clone();
        needs.extend(self.target_needs(&call.depends_on, site, instance));
        let needs: Needs = Rc::new(needs);
        let Some(&child) = self.ground.graph.sites[site].children.get(&index) else {
            let state = CallState { style: expansion.style, by_key: BTreeMap::new(), instances: 0..0, poisoned: true };
            self.ground.state.calls[node].push(state);
            return;
        };
        let first = self.ground.state.sites[child].len();
        let mut by_key: BTreeMap<InstanceKey, usize> = BTreeMap::new();
        for each in expansion.items {
            let key = each.key.clone();
            let at = self.ground.state.sites[child].len();
            by_key.extend(key.clone().map(|key| (key, at)));
            self.ground.state.sites[child].push(SiteInstance {
                path: around.path.child(name, key),
                parent: instance,
                each: (expansion.style != Style::Once).then_some(each),
                needs: needs.clone(),
            });
        }
        let instances = first..self.ground.state.sites[child].len();
        let state = CallState { style: expansion.style, by_key, instances, poisoned: expansion.poisoned };
        self.ground.state.calls[node].push(state);
    }

    /// The instances that `depends_on` names.
    pub fn target_needs(&mut self, targets: &[Target], site: usize, instance: usize) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        for target in targets {
            let reference = target.reference();
            if let Reference::Module(name) = reference {
                let module = &self.ground.spec.modules[self.ground.graph.sites[site].module];
                let call = module.calls.get_index_of(name);
                if let Some(child) = call.and_then(|call| self.ground.graph.sites[site].children.get(&call)) {
                    let mut nodes = Vec::new();
                    self.ground.graph.blocks_inside(self.ground.spec, *child, &mut nodes);
                    let blocks = nodes.iter().flat_map(|node| &self.ground.state.blocks[*node]);
                    found.extend(blocks.flat_map(|block| &block.instances).map(|instance| instance.id));
                }
                continue;
            }
            if let Reference::Block { word, name } = reference
                && &**word == "database"
            {
                found.insert(self.ground.state.id(&Address::root("database", name)));
                continue;
            }
            let here = Here::new(&self.ground, site, instance, None, "");
            let outcome = evaluate(&target.expr, &here);
            let tracker = here.take_tracker();
            match outcome {
                Ok(_) => found.extend(tracker.needs().iter()),
                Err(mistakes) => self.report_all(mistakes),
            }
        }
        found
    }
}
