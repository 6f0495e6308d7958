//! Names that need each other in a circle. Pure.
//!
//! Invariant: one mistake for each circle, however long it is.

use std::sync::Arc;

use super::engine::Engine;
use super::graph::Item;
use crate::diagnostic::{Diagnostic, Span};
use crate::spec::Module;

impl Engine<'_> {
    /// A mistake for each circle of names.
    pub(super) fn report_circles(&mut self) {
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

fn item_name(module: &Module, item: Item) -> String {
    let named = |word: &str, name: Option<&Arc<str>>| format!("{word}.{}", name.map_or("", |name| name));
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
        Item::Verify(index) => named("verify", module.verifies.get_index(index).map(|(name, _)| name)),
        Item::Provider(index) => format!("provider.{}", module.providers[index].name),
    }
}

fn place(module: &Module, item: Item) -> Span {
    match item {
        Item::Variable(index) => module.variables[index].span,
        Item::Local(index) => module.locals[index].name_span,
        Item::Output(index) => module.outputs[index].span,
        Item::Call(index) => module.calls[index].span,
        Item::Resource(index) => module.resources[index].span,
        Item::Database(index) => module.databases[index].span,
        Item::Config(index) => module.configs[index].span,
        Item::Provider(index) => module.providers[index].span,
        Item::Verify(index) => module.verifies[index].span,
    }
}
