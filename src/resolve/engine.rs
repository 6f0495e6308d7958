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
use super::inputs::{self, Inputs};
use super::prepare::Prepared;
use super::secrets::RevealedSecrets;
use crate::address::{InstanceKey, ModulePath};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::expression::{Call as FunctionCall, Deferred, Expr, Node, Reference};
use crate::kind::Kinds;
use crate::resolve::desired::{DesiredDatabase, DesiredOutput, DesiredResource};
use crate::secret::SecretReference;
use crate::spec::Target;
use crate::value::{Data, Type, Unknown, Value};

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
                }
            }
        }
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
        let here = Here::new(&self.ground, site, instance, each, context.to_owned());
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

    fn root_variables(&mut self) {
        let mut diagnostics = Diagnostics::default();
        let values = inputs::values(&self.ground.spec.modules[0], self.inputs, &mut diagnostics);
        self.report_all(diagnostics);
        for (index, value) in values.into_iter().enumerate() {
            let node = self.ground.graph.node(self.ground.spec, 0, Item::Variable(index));
            let (name, variable) =
                self.ground.spec.modules[0].variables.get_index(index).expect("one value per variable");
            let reference = SecretReference::Variable { name: name.to_string() };
            let poisoned = value.is_none();
            let value = value.unwrap_or_else(|| Value::unknown(Unknown::of(Type::Any)));
            let closed = variable.sensitive.then(|| Expr::reference(Reference::Secret(reference.clone())));
            if variable.sensitive && value.is_known() {
                self.made.revealed.insert(reference, &value);
            }
            self.ground.state.cells[node].push(Cell { value, needs: Needs::default(), closed, poisoned });
        }
    }

    fn variable(&mut self, node: usize, site: usize, instance: usize, index: usize) {
        let spec = self.ground.spec;
        let Some((parent, call)) = self.ground.graph.sites[site].parent else {
            self.validate(node, 0, 0, index);
            return;
        };
        let module = &spec.modules[self.ground.graph.sites[site].module];
        let (name, variable) = module.variables.get_index(index).expect("the item is of this module");
        let outer = &spec.modules[self.ground.graph.sites[parent].module];
        let given = outer.calls[call].inputs.iter().find(|input| input.name == *name);
        let around = self.ground.state.sites[site][instance].clone();
        let context = format!("{}var.{name}", around.path);
        let (evaluated, needs) = match given {
            Some(input) => {
                let expr = secret_if(variable.sensitive, &input.expr);
                let (evaluated, tracker) = self.evaluate(&expr, parent, around.parent, around.each.as_ref(), &context);
                (evaluated, tracker.needs())
            }
            None => (self.defaulted(name, variable, site, instance, &context), Needs::default()),
        };
        let mut diagnostics = Diagnostics::default();
        let span = given.map(|input| input.expr.span);
        let origin = "it is an input of the module";
        let converted = match evaluated.poisoned {
            true => None,
            false => inputs::converted(name, variable, evaluated.value.clone(), origin, span, &mut diagnostics),
        };
        self.report_all(diagnostics);
        let evaluated = match converted {
            Some(value) => {
                let closed = evaluated.closed.map(|closed| in_type(closed, &evaluated.value, &variable.ty.ty));
                Evaluated { value, closed, poisoned: false }
            }
            None => Evaluated { poisoned: true, value: Value::unknown(Unknown::of(Type::Any)), closed: None },
        };
        let cell = self.cell(evaluated, needs);
        self.ground.state.cells[node].push(cell);
        self.validate(node, site, instance, index);
    }

    /// The default of a module's variable; a sensitive one is a secret literal.
    fn defaulted(
        &mut self,
        name: &str,
        variable: &crate::spec::Variable,
        site: usize,
        instance: usize,
        context: &str,
    ) -> Evaluated {
        let Some(default) = &variable.default else {
            return Evaluated { value: Value::unknown(Unknown::of(Type::Any)), closed: None, poisoned: true };
        };
        let mut diagnostics = Diagnostics::default();
        let value = inputs::default_value(name, variable, default, &mut diagnostics);
        self.report_all(diagnostics);
        match value {
            Some(_) if variable.sensitive => self.evaluate(&secret_if(true, default), site, instance, None, context).0,
            Some(value) => Evaluated { value, closed: None, poisoned: false },
            None => Evaluated { value: Value::unknown(Unknown::of(Type::Any)), closed: None, poisoned: true },
        }
    }

    fn validate(&mut self, node: usize, site: usize, instance: usize, index: usize) {
        let module = &self.ground.spec.modules[self.ground.graph.sites[site].module];
        let (name, variable) = module.variables.get_index(index).expect("the item is of this module");
        if self.ground.state.cells[node][instance].poisoned {
            return;
        }
        for validation in &variable.validations {
            let context = format!("{}var.{name}", self.path(site, instance));
            let (holds, _) = self.evaluate(&validation.condition, site, instance, None, &context);
            if holds.poisoned || !holds.value.is_known() || holds.value.reveal().as_bool() == Some(true) {
                continue;
            }
            let (message, _) = self.evaluate(&validation.message, site, instance, None, &context);
            let said = match message.value.is_sensitive() {
                true => "its message holds a secret".to_owned(),
                false => message.value.as_str().unwrap_or("its condition is not `true`").to_owned(),
            };
            let span = match self.ground.graph.sites[site].parent {
                Some((parent, call)) => {
                    let call = &self.ground.spec.modules[self.ground.graph.sites[parent].module].calls[call];
                    call.inputs.iter().find(|input| input.name == *name).map_or(call.span, |input| input.expr.span)
                }
                None => variable.span,
            };
            self.report(
                Diagnostic::error("a variable's value is not allowed")
                    .at(span)
                    .detail(format!("`{name}`: {said}"))
                    .help("give a value that its `validation` accepts"),
            );
        }
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
            let here = Here::new(&self.ground, site, instance, None, String::new());
            let outcome = evaluate(&target.expr, &here);
            let tracker = here.take_tracker();
            match outcome {
                Ok(_) => found.extend(tracker.needs().iter()),
                Err(mistakes) => self.report_all(mistakes),
            }
        }
        found
    }

    /// A mistake for each circle of names.
    pub fn report_circles(&mut self) {
        for circle in &self.ground.graph.circles {
            let way = self.ground.graph.way_around(circle);
            let names: Vec<String> = way.iter().map(|node| format!("`{}`", self.spoken(*node))).collect();
            let (site, item) = self.ground.graph.nodes[way[0]];
            let module = &self.ground.spec.modules[self.ground.graph.sites[site].module];
            let (summary, detail) = match way.len() {
                0..=2 => ("something refers to itself", format!("{} needs its own value", names[0])),
                _ => ("things refer to each other in a circle", names.join(" → ")),
            };
            self.report(
                Diagnostic::error(summary)
                    .at(place(module, item))
                    .detail(detail)
                    .help("leave out one of the references, or give the shared value a name in `locals`"),
            );
        }
    }

    fn spoken(&self, node: usize) -> String {
        let (site, item) = self.ground.graph.nodes[node];
        let mut prefix = String::new();
        let mut at = site;
        while let Some((parent, call)) = self.ground.graph.sites[at].parent {
            let calls = &self.ground.spec.modules[self.ground.graph.sites[parent].module].calls;
            prefix = format!("module.{}.{prefix}", calls.get_index(call).expect("a site has a call").0);
            at = parent;
        }
        let module = &self.ground.spec.modules[self.ground.graph.sites[site].module];
        prefix + &item_name(module, item)
    }
}

fn item_name(module: &crate::spec::Module, item: Item) -> String {
    let named = |word: &str, name: Option<&std::sync::Arc<str>>| format!("{word}.{}", name.map_or("", |name| name));
    match item {
        Item::Variable(index) => named("var", module.variables.get_index(index).map(|(name, _)| name)),
        Item::Local(index) => named("local", module.locals.get_index(index).map(|(name, _)| name)),
        Item::Output(index) => named("output", module.outputs.get_index(index).map(|(name, _)| name)),
        Item::Call(index) => named("module", module.calls.get_index(index).map(|(name, _)| name)),
        Item::Resource(index) => {
            module.resources.get_index(index).map_or_else(String::new, |((kind, name), _)| format!("{kind}.{name}"))
        }
        Item::Database(index) => named("database", module.databases.get_index(index).map(|(name, _)| name)),
        Item::Config(index) => named("config", module.configs.get_index(index).map(|(name, _)| name)),
        Item::Provider(index) => format!("provider.{}", module.providers[index].name),
    }
}

fn place(module: &crate::spec::Module, item: Item) -> Span {
    match item {
        Item::Variable(index) => module.variables[index].span,
        Item::Local(index) => module.locals[index].name_span,
        Item::Output(index) => module.outputs[index].span,
        Item::Call(index) => module.calls[index].span,
        Item::Resource(index) => module.resources[index].span,
        Item::Database(index) => module.databases[index].span,
        Item::Config(index) => module.configs[index].span,
        Item::Provider(index) => module.providers[index].span,
    }
}

/// The expression, as a secret when it is to be one.
pub(super) fn secret_if(secret: bool, expr: &Expr) -> Expr {
    if !secret {
        return expr.clone();
    }
    let call = FunctionCall { function: "sensitive".into(), arguments: vec![expr.clone()], expand_last: false };
    Expr { node: Node::Call(call), span: expr.span }
}

/// A closed form that comes out in a type, as far as functions can say so.
fn in_type(closed: Expr, value: &Value, ty: &Type) -> Expr {
    if value.ty() == *ty {
        return closed;
    }
    let function = match ty {
        Type::String => "tostring",
        Type::Number => "tonumber",
        Type::Bool => "tobool",
        Type::List(_) => "tolist",
        Type::Set(_) => "toset",
        Type::Map(_) => "tomap",
        Type::Any | Type::Tuple(_) | Type::Object(_) => return closed,
    };
    let call = FunctionCall { function: function.into(), arguments: vec![closed], expand_last: false };
    Expr::nowhere(Node::Call(call))
}

/// The value of the part of an expression that stands at a place.
fn literal_at(expr: &Expr, span: Span, here: &Here<'_>) -> Option<Value> {
    let mut found = None;
    expr.visit(&mut |part| {
        if found.is_none() && part.span == span {
            found = Some(part);
        }
    });
    evaluate(found?, here).ok()
}

/// The expression with each `sensitive(…)` that is not wholly known taken apart: what is known in it becomes a
/// secret of its own, since a closed form would show it.
fn secrets_apart(expr: &Expr, here: &Here<'_>) -> Expr {
    let rewritten = expr.rewrite::<std::convert::Infallible>(&mut |part| {
        let Node::Call(call) = &part.node else { return Ok(None) };
        let is_whole = |argument: &Expr| evaluate(argument, here).is_ok_and(|value| value.is_known());
        if &*call.function != "sensitive" || call.arguments.iter().all(is_whole) {
            return Ok(None);
        }
        let arguments = call.arguments.iter().map(|argument| leaves_secret(argument, here)).collect();
        let call = FunctionCall { arguments, ..call.clone() };
        Ok(Some(Expr { node: Node::Call(call), span: part.span }))
    });
    rewritten.unwrap_or_else(|never| match never {})
}

fn leaves_secret(expr: &Expr, here: &Here<'_>) -> Expr {
    let rewritten = expr.rewrite::<std::convert::Infallible>(&mut |part| {
        let is_leaf = match &part.node {
            Node::Literal(value) => matches!(value.data(), Data::String(_) | Data::Number(_)),
            Node::Reference(
                Reference::Variable(_) | Reference::Local(_) | Reference::EachKey | Reference::EachValue,
            ) => evaluate(part, here).is_ok_and(|value| value.is_known() && !value.is_sensitive()),
            _ => false,
        };
        Ok(is_leaf.then(|| secret_if(true, part)))
    });
    rewritten.unwrap_or_else(|never| match never {})
}

/// A secret that is marked as one by a function needs no function: it is one anyway.
fn plainly(closed: Expr) -> Expr {
    match &closed.node {
        Node::Call(call) if &*call.function == "sensitive" => match &call.arguments[..] {
            [only @ Expr { node: Node::Reference(Reference::Secret(_)), .. }] => only.clone(),
            _ => closed,
        },
        _ => closed,
    }
}
