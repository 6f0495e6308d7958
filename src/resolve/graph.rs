//! What depends on what, by the names in expressions: the order in which things are evaluated. Pure.
//!
//! Invariant: in [`Graph::order`] a thing stands after everything it names, except where they name each other
//! in a circle; those are in no order and in [`Graph::circles`].

use std::collections::HashMap;
use std::sync::Arc;

use super::names::{Named, each_name};
use super::prepare::{Prepared, PreparedVerify};
use crate::expression::{Expr, Reference};
use crate::kind::Reaches;
use crate::spec::{Module, ProviderBlock, Repeat, Spec, Target};

/// A module where it is called: the path of `module` blocks, their instances not yet told apart.
#[derive(Debug)]
pub(super) struct Site {
    /// Which of [`Spec::modules`].
    pub module: usize,
    /// The site it is called from, and the index of the call there.
    pub parent: Option<(usize, usize)>,
    /// The sites of its own calls, by index of the call.
    pub children: HashMap<usize, usize>,
    /// Its first node.
    pub first: usize,
}

/// What a node stands for, by its index in the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Item {
    Variable(usize),
    Local(usize),
    Output(usize),
    /// The instances of a `module` block.
    Call(usize),
    Resource(usize),
    Database(usize),
    Config(usize),
    Provider(usize),
    Verify(usize),
}

/// Sites, nodes and the order of these.
#[derive(Debug)]
pub(super) struct Graph {
    pub sites: Vec<Site>,
    /// Each node's site and item.
    pub nodes: Vec<(usize, Item)>,
    /// What each node needs to be evaluated before.
    pub edges: Vec<Vec<usize>>,
    /// The nodes, each after those it needs.
    pub order: Vec<usize>,
    /// Nodes that need each other.
    pub circles: Vec<Vec<usize>>,
}

impl Graph {
    /// The graph of a spec.
    pub fn new(spec: &Spec, prepared: &[Prepared]) -> Self {
        let mut graph =
            Self { sites: Vec::new(), nodes: Vec::new(), edges: Vec::new(), order: Vec::new(), circles: Vec::new() };
        graph.add_site(spec, 0, None);
        graph.edges = (0..graph.nodes.len()).map(|node| graph.needed(spec, prepared, node)).collect();
        graph.sort();
        graph
    }

    fn add_site(&mut self, spec: &Spec, module: usize, parent: Option<(usize, usize)>) -> usize {
        let site = self.sites.len();
        self.sites.push(Site { module, parent, children: HashMap::new(), first: self.nodes.len() });
        let content = &spec.modules[module];
        self.nodes.extend(items(content).map(|item| (site, item)));
        for (index, call) in content.calls.values().enumerate() {
            if let Some(module) = call.module {
                let child = self.add_site(spec, module, Some((site, index)));
                self.sites[site].children.insert(index, child);
            }
        }
        site
    }

    /// The node of an item.
    pub fn node(&self, spec: &Spec, site: usize, item: Item) -> usize {
        self.sites[site].first + offset(&spec.modules[self.sites[site].module], item)
    }

    fn needed(&self, spec: &Spec, prepared: &[Prepared], node: usize) -> Vec<usize> {
        let (site, item) = self.nodes[node];
        let module = &spec.modules[self.sites[site].module];
        let mut found = Vec::new();
        if let Some((parent, call)) = self.sites[site].parent {
            found.push(self.node(spec, parent, Item::Call(call)));
        }
        match (item, self.sites[site].parent) {
            (Item::Variable(index), Some((parent, call))) => {
                let name = module.variables.get_index(index).expect("the item is of this module").0;
                let outer = &spec.modules[self.sites[parent].module];
                let inputs = &outer.calls[call].inputs;
                for input in inputs.iter().filter(|input| input.name == *name) {
                    self.names_of(spec, parent, &input.expr, &mut found);
                }
            }
            (Item::Variable(_), None) => {}
            _ => {
                let prepared = &prepared[self.sites[site].module];
                let mut look = |expr: &Expr| self.names_of(spec, site, expr, &mut found);
                each_expr(module, prepared, item, &mut look);
                for target in targets(module, item) {
                    self.target(spec, site, target, &mut found);
                }
                if let Item::Resource(index) = item {
                    self.of_resource(spec, site, index, prepared, &mut found);
                }
                if let Item::Verify(index) = item {
                    let asked = prepared.verifies[index].as_ref();
                    found.extend(asked.and_then(|asked| self.asked(spec, asked)));
                }
                if let Item::Database(_) = item {
                    let is_its = |block: &ProviderBlock| &*block.name == "postgres" && block.alias.is_none();
                    let block = module.providers.iter().position(is_its);
                    found.extend(block.map(|block| self.node(spec, site, Item::Provider(block))));
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// What a check is reached by.
    fn asked(&self, spec: &Spec, asked: &PreparedVerify) -> Option<usize> {
        let root = &spec.modules[0];
        match asked.reaches {
            Reaches::Directly => None,
            Reaches::Database => asked.database.map(|database| self.node(spec, 0, Item::Database(database))),
            Reaches::Provider(name) => {
                let is_its = |block: &ProviderBlock| &*block.name == name && block.alias.is_none();
                root.providers.iter().position(is_its).map(|block| self.node(spec, 0, Item::Provider(block)))
            }
        }
    }

    /// A resource also needs its provider's block and the databases of `needs_schema`.
    fn of_resource(&self, spec: &Spec, site: usize, index: usize, prepared: &Prepared, found: &mut Vec<usize>) {
        let root = &spec.modules[0];
        if let Some(provider) = prepared.resources[index].provider {
            found.push(self.node(spec, 0, Item::Provider(provider)));
        }
        let module = &spec.modules[self.sites[site].module];
        for need in &module.resources[index].needs_schema {
            if let Some(database) = root.databases.get_index_of(&need.database) {
                found.push(self.node(spec, 0, Item::Database(database)));
            }
        }
    }

    fn names_of(&self, spec: &Spec, site: usize, expr: &Expr, found: &mut Vec<usize>) {
        each_name(expr, &mut |named| self.name(spec, site, named, found));
    }

    fn name(&self, spec: &Spec, site: usize, named: Named<'_>, found: &mut Vec<usize>) {
        let module = &spec.modules[self.sites[site].module];
        let item = match named.reference {
            Reference::Variable(name) => module.variables.get_index_of(name).map(Item::Variable),
            Reference::Local(name) => module.locals.get_index_of(name).map(Item::Local),
            Reference::Block { word, name } => block(module, word, name),
            Reference::Module(name) => {
                let Some(call) = module.calls.get_index_of(name) else { return };
                found.push(self.node(spec, site, Item::Call(call)));
                let Some(&child) = self.sites[site].children.get(&call) else { return };
                let outputs = &spec.modules[self.sites[child].module].outputs;
                match named.member.map(|member| outputs.get_index_of(member)) {
                    Some(output) => found.extend(output.map(|output| self.node(spec, child, Item::Output(output)))),
                    None => found.extend((0..outputs.len()).map(|output| self.node(spec, child, Item::Output(output)))),
                }
                return;
            }
            Reference::EachKey
            | Reference::EachValue
            | Reference::CountIndex
            | Reference::Path(_)
            | Reference::Builtin(_)
            | Reference::Bound(_)
            | Reference::Instance(_)
            | Reference::AllInstances(_)
            | Reference::Secret(_)
            | Reference::Cell(_) => None,
        };
        found.extend(item.map(|item| self.node(spec, site, item)));
    }

    fn target(&self, spec: &Spec, site: usize, target: &Target, found: &mut Vec<usize>) {
        let module = &spec.modules[self.sites[site].module];
        match target.reference() {
            Reference::Module(name) => {
                if let Some(call) = module.calls.get_index_of(name) {
                    found.push(self.node(spec, site, Item::Call(call)));
                    if let Some(&child) = self.sites[site].children.get(&call) {
                        self.blocks_inside(spec, child, found);
                    }
                }
            }
            // A database is one of the environment's, whichever module waits for it.
            Reference::Block { word, name } if &**word == "database" => {
                found.extend(block(&spec.modules[0], word, name).map(|item| self.node(spec, 0, item)));
            }
            Reference::Block { word, name } => {
                found.extend(block(module, word, name).map(|item| self.node(spec, site, item)));
            }
            _ => {}
        }
    }

    /// Every resource and the like in a site and below it.
    pub fn blocks_inside(&self, spec: &Spec, site: usize, found: &mut Vec<usize>) {
        let module = &spec.modules[self.sites[site].module];
        let of_blocks = |item: &Item| matches!(item, Item::Resource(_) | Item::Database(_) | Item::Config(_));
        found.extend(items(module).filter(of_blocks).map(|item| self.node(spec, site, item)));
        for &child in self.sites[site].children.values() {
            self.blocks_inside(spec, child, found);
        }
    }

    /// Tarjan's components, without recursion: chains are as long as specs are.
    fn sort(&mut self) {
        const NEW: usize = usize::MAX;
        let count = self.nodes.len();
        let (mut index, mut low) = (vec![NEW; count], vec![NEW; count]);
        let mut on_stack = vec![false; count];
        let (mut stack, mut next) = (Vec::new(), 0);
        for start in 0..count {
            if index[start] != NEW {
                continue;
            }
            let mut path = vec![(start, 0)];
            while let Some((node, at)) = path.pop() {
                if at == 0 {
                    (index[node], low[node]) = (next, next);
                    next += 1;
                    stack.push(node);
                    on_stack[node] = true;
                }
                if let Some(&target) = self.edges[node].get(at) {
                    path.push((node, at + 1));
                    if index[target] == NEW {
                        path.push((target, 0));
                    } else if on_stack[target] {
                        low[node] = low[node].min(index[target]);
                    }
                    continue;
                }
                if let Some((parent, _)) = path.last() {
                    low[*parent] = low[*parent].min(low[node]);
                }
                if low[node] == index[node] {
                    let from = stack.iter().rposition(|member| *member == node).expect("a root is on the stack");
                    let component = stack.split_off(from);
                    component.iter().for_each(|member| on_stack[*member] = false);
                    self.settle(component);
                }
            }
        }
    }

    fn settle(&mut self, mut component: Vec<usize>) {
        let first = component[0];
        if component.len() == 1 && !self.edges[first].contains(&first) {
            self.order.push(first);
        } else {
            component.sort_unstable();
            self.circles.push(component);
        }
    }

    /// One way around a circle, beginning and ending with its first node.
    pub fn way_around(&self, circle: &[usize]) -> Vec<usize> {
        let start = circle[0];
        let mut before: HashMap<usize, usize> = HashMap::new();
        let mut waiting = std::collections::VecDeque::from([start]);
        while let Some(node) = waiting.pop_front() {
            for &target in self.edges[node].iter().filter(|target| circle.binary_search(target).is_ok()) {
                if target == start {
                    let mut way = vec![start, node];
                    while *way.last().expect("it holds two") != start {
                        way.push(before[way.last().expect("it holds two")]);
                    }
                    way.reverse();
                    return way;
                }
                before.entry(target).or_insert_with(|| {
                    waiting.push_back(target);
                    node
                });
            }
        }
        circle.to_vec()
    }
}

/// The block that a reference names.
pub(super) fn block(module: &Module, word: &Arc<str>, name: &Arc<str>) -> Option<Item> {
    match &**word {
        "database" => module.databases.get_index_of(name).map(Item::Database),
        "config" => module.configs.get_index_of(name).map(Item::Config),
        _ => module.resources.get_index_of(&(word.clone(), name.clone())).map(Item::Resource),
    }
}

fn items(module: &Module) -> impl Iterator<Item = Item> + use<> {
    let indices = |count: usize, item: fn(usize) -> Item| (0..count).map(item);
    indices(module.variables.len(), Item::Variable)
        .chain(indices(module.locals.len(), Item::Local))
        .chain(indices(module.outputs.len(), Item::Output))
        .chain(indices(module.calls.len(), Item::Call))
        .chain(indices(module.resources.len(), Item::Resource))
        .chain(indices(module.databases.len(), Item::Database))
        .chain(indices(module.configs.len(), Item::Config))
        .chain(indices(module.providers.len(), Item::Provider))
        .chain(indices(module.verifies.len(), Item::Verify))
}

fn offset(module: &Module, item: Item) -> usize {
    let lengths = [
        module.variables.len(),
        module.locals.len(),
        module.outputs.len(),
        module.calls.len(),
        module.resources.len(),
        module.databases.len(),
        module.configs.len(),
        module.providers.len(),
    ];
    let (table, index) = match item {
        Item::Variable(index) => (0, index),
        Item::Local(index) => (1, index),
        Item::Output(index) => (2, index),
        Item::Call(index) => (3, index),
        Item::Resource(index) => (4, index),
        Item::Database(index) => (5, index),
        Item::Config(index) => (6, index),
        Item::Provider(index) => (7, index),
        Item::Verify(index) => (8, index),
    };
    lengths[..table].iter().sum::<usize>() + index
}

fn repeat_expr(repeat: &Repeat) -> Option<&Expr> {
    match repeat {
        Repeat::Once => None,
        Repeat::Count(expr) | Repeat::ForEach(expr) => Some(expr),
    }
}

/// The expressions of an item; a variable has none of its own.
pub(super) fn each_expr<'a>(module: &'a Module, prepared: &'a Prepared, item: Item, look: &mut dyn FnMut(&'a Expr)) {
    match item {
        Item::Variable(_) => {}
        Item::Local(index) => look(&module.locals[index].expr),
        Item::Output(index) => look(&module.outputs[index].value),
        Item::Call(index) => repeat_expr(&module.calls[index].repeat).into_iter().for_each(look),
        Item::Resource(index) => {
            repeat_expr(&module.resources[index].repeat).into_iter().for_each(&mut *look);
            prepared.resources[index].given.iter().for_each(|given| look(&given.expr));
        }
        Item::Database(index) => module.databases[index].attributes().for_each(|setting| look(&setting.expr)),
        Item::Config(index) => module.configs[index].settings.iter().for_each(|setting| look(&setting.expr)),
        Item::Provider(index) => prepared.providers[index].iter().for_each(|given| look(&given.expr)),
        Item::Verify(index) => {
            module.verifies[index].settings.iter().for_each(|setting| look(&setting.expr));
            let given = prepared.verifies[index].iter().flat_map(|asked| &asked.given);
            given.for_each(|given| look(&given.expr));
        }
    }
}

/// The `depends_on` of an item.
pub(super) fn targets(module: &Module, item: Item) -> &[Target] {
    match item {
        Item::Variable(_) | Item::Local(_) | Item::Provider(_) => &[],
        Item::Output(index) => &module.outputs[index].depends_on,
        Item::Call(index) => &module.calls[index].depends_on,
        Item::Resource(index) => &module.resources[index].depends_on,
        Item::Database(index) => &module.databases[index].depends_on,
        Item::Config(index) => &module.configs[index].depends_on,
        Item::Verify(index) => &module.verifies[index].depends_on,
    }
}
