//! `moved`, `removed` and `import` blocks, seen from the environment's spec. Pure.
//!
//! Invariant: what they say does not contradict itself or the spec; whether the ledger fits is the planner's matter.

use std::collections::BTreeMap;

use super::desired::{Import, Moved, Refactoring, Removed};
use super::engine::Engine;
use crate::address::Address;
use crate::address::part::Part;
use crate::diagnostic::{Diagnostic, Span};
use crate::kind::Kind;
use crate::spec::suggest::nearest;
use crate::spec::{Addressed, ImportBlock};
use crate::value::{Object, Value};

impl Engine<'_> {
    /// What becomes of what is recorded.
    pub(super) fn refactoring(&mut self) -> Refactoring {
        let mut refactoring = Refactoring::default();
        for site in 0..self.ground.graph.sites.len() {
            let module = &self.ground.spec.modules[self.ground.graph.sites[site].module];
            let instances = self.ground.state.sites.get(site).map_or(0, Vec::len);
            for instance in 0..instances {
                let path = self.path(site, instance);
                refactoring.moved.extend(module.moved.iter().map(|block| Moved {
                    from: block.from.part.within(&path),
                    to: block.to.part.within(&path),
                    span: block.span,
                }));
                refactoring.removed.extend(module.removed.iter().map(|block| Removed {
                    from: block.from.part.within(&path),
                    destroy: block.destroy,
                    span: block.from.span,
                }));
            }
            module.moved.iter().for_each(|block| self.check_ends(&block.from, &block.to));
        }
        self.check_moves(&refactoring.moved);
        self.check_removals(&refactoring.removed);
        if let Some(root) = self.ground.spec.modules.first() {
            refactoring.imports = self.imports(&root.imports);
        }
        refactoring
    }

    fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.made.resources.keys().chain(self.made.databases.keys())
    }

    /// Both ends are of the same sort.
    fn check_ends(&mut self, from: &Addressed, to: &Addressed) {
        let what = |part: &Part| if part.block.is_some() { "one thing or block" } else { "a module" };
        let detail = match (&from.part.block, &to.part.block) {
            (Some(_), None) | (None, Some(_)) => {
                format!("`{}` is {}, and `{}` is {}", from.part, what(&from.part), to.part, what(&to.part))
            }
            _ if from.part == to.part => format!("`{}` would become itself", from.part),
            (Some(old), Some(new)) if old.word != new.word && !is_parameter(&old.word, &new.word) => {
                format!("`{}` is a `{}`, and `{}` is a `{}`", from.part, old.word, to.part, new.word)
            }
            _ => return,
        };
        self.report(
            Diagnostic::error("a `moved` block leads nowhere")
                .at(to.span)
                .detail(detail)
                .help("name two blocks of one kind, two instances, or two modules"),
        );
    }

    fn check_moves(&mut self, moved: &[Moved]) {
        let mut froms: BTreeMap<&Part, &Part> = BTreeMap::new();
        let mut tos: BTreeMap<&Part, &Part> = BTreeMap::new();
        let mut mistakes = Vec::new();
        for one in moved {
            match froms.insert(&one.from, &one.to) {
                Some(other) if *other != one.to => mistakes.push(twice(
                    one.span,
                    format!("`{}` would become `{other}` and `{}`", one.from, one.to),
                    "keep the one that was meant",
                )),
                Some(_) => mistakes.push(twice(one.span, format!("`{}` is moved already", one.from), "remove one")),
                None => {}
            }
            if let Some(other) = tos.insert(&one.to, &one.from).filter(|other| **other != one.from) {
                mistakes.push(twice(
                    one.span,
                    format!("`{other}` and `{}` would both become `{}`", one.from, one.to),
                    "give each a name of its own; a chain goes through the name in the middle",
                ));
            }
            let declared = self.addresses().find(|address| one.from.renamed(&one.to, address).is_some());
            if let Some(declared) = declared {
                mistakes.push(
                    Diagnostic::error("what was moved is still declared")
                        .at(one.span)
                        .detail(format!("`{declared}` is in the spec, and is called `{}` by now", one.to))
                        .help("give the new block another name, or remove the `moved` block"),
                );
            }
            if runs_in_a_circle(moved, one) {
                mistakes.push(
                    Diagnostic::error("`moved` blocks lead in a circle")
                        .at(one.span)
                        .detail(format!("from `{}` one comes back to where one was", one.from))
                        .help("remove one of them"),
                );
            }
        }
        mistakes.into_iter().for_each(|mistake| self.report(mistake));
    }

    fn check_removals(&mut self, removed: &[Removed]) {
        let mut mistakes = Vec::new();
        for one in removed {
            if let Some(declared) = self.addresses().find(|address| one.from.holds(address)) {
                mistakes.push(
                    Diagnostic::error("what was removed is still declared")
                        .at(one.span)
                        .detail(format!("`{declared}` is in the spec"))
                        .help("remove it from the spec, or remove the `removed` block"),
                );
            }
        }
        mistakes.into_iter().for_each(|mistake| self.report(mistake));
    }

    fn imports(&mut self, blocks: &[ImportBlock]) -> BTreeMap<Address, Import> {
        let mut imports: BTreeMap<Address, Import> = BTreeMap::new();
        let mut taken: BTreeMap<(String, String, Option<String>), Address> = BTreeMap::new();
        for block in blocks {
            let Some(id) = self.import_id(block) else { continue };
            let Some(address) = self.importable(&block.to) else { continue };
            let resource = &self.made.resources[&address];
            let Some(kind) = self.kinds.get(&resource.kind) else { continue };
            let span = block.id.span;
            let query = match query(kind, &id, &resource.object) {
                Ok(query) => query,
                Err(why) => {
                    self.report(
                        Diagnostic::error("an id does not fit its kind")
                            .at(span)
                            .detail(why)
                            .help(format!("give the id of the {} that becomes `{address}`", kind.name)),
                    );
                    continue;
                }
            };
            let same = (resource.kind.clone(), id.clone(), resource.binding.alias.clone());
            let other = taken.insert(same, address.clone());
            let other = other.or_else(|| imports.contains_key(&address).then(|| address.clone()));
            if let Some(other) = other {
                self.report(
                    Diagnostic::error("something is imported twice")
                        .at(block.span)
                        .detail(format!("`{id}` as `{address}`, and `{other}` already"))
                        .help("remove one of the blocks"),
                );
                continue;
            }
            imports.insert(address, Import { id, query, span });
        }
        imports
    }

    fn import_id(&mut self, block: &ImportBlock) -> Option<String> {
        let (evaluated, _) = self.evaluate(&block.id, 0, 0, None, "import");
        if evaluated.poisoned || self.is_assumed(&evaluated.value) {
            return None;
        }
        let text = evaluated.value.as_str().filter(|_| !evaluated.value.is_sensitive()).map(str::to_owned);
        if text.is_none() {
            self.report(
                Diagnostic::error("the id of an import must be known")
                    .at(block.id.place())
                    .detail("`id` takes a string that is known now and no secret")
                    .help("write it as a text, or from variables and local values"),
            );
        }
        text
    }

    /// The resource that an import becomes.
    fn importable(&mut self, to: &Addressed) -> Option<Address> {
        let text = to.part.to_string();
        let address = text.parse::<Address>().ok();
        if let Some(address) = address.clone().filter(|address| self.made.resources.contains_key(address)) {
            return Some(address);
        }
        let names: Vec<String> = self.made.resources.keys().map(ToString::to_string).collect();
        let instance = address.as_ref().and_then(|address| names.iter().find(|name| is_instance_of(name, address)));
        let (detail, help) = match (&address, instance) {
            (None, _) => (format!("`{text}` is a whole module"), "name one resource in it".to_owned()),
            (Some(address), _) if &*address.word == "database" => (
                format!("`{text}` is a schema, which is known by its history table"),
                "import the `postgres_database` it lies in, if that has to be".to_owned(),
            ),
            (Some(_), Some(instance)) => {
                (format!("`{text}` has several instances"), format!("name one of them, as `{instance}`"))
            }
            (Some(_), None) => (
                format!("`{text}` is not in the spec"),
                nearest(&text, names.iter().map(String::as_str)).map_or_else(
                    || "declare the resource first, as it shall be".to_owned(),
                    |name| format!("did you mean `{name}`?"),
                ),
            ),
        };
        self.report(Diagnostic::error("there is nothing to import into").at(to.span).detail(detail).help(help));
        None
    }
}

fn is_instance_of(name: &str, address: &Address) -> bool {
    name.parse::<Address>().is_ok_and(|name| address.key.is_none() && name.block() == *address)
}

/// A `config` block keeps its values in parameters, so that one may become the other.
fn is_parameter(old: &str, new: &str) -> bool {
    let is_one = |word: &str| word == "config" || word == "aws_ssm_parameter";
    is_one(old) && is_one(new)
}

fn twice(span: Span, detail: String, help: &str) -> Diagnostic {
    Diagnostic::error("`moved` blocks contradict each other").at(span).detail(detail).help(help)
}

fn runs_in_a_circle(moved: &[Moved], one: &Moved) -> bool {
    let Some(mut now) = sample(&one.to) else { return false };
    for _ in 0..=moved.len() {
        let next = moved.iter().find_map(|other| other.from.renamed(&other.to, &now).filter(|next| *next != now));
        match next {
            Some(next) => now = next,
            None => return false,
        }
    }
    true
}

/// An address that belongs to a part.
fn sample(part: &Part) -> Option<Address> {
    let text = if part.block.is_some() { part.to_string() } else { format!("{part}.any.thing") };
    text.parse().ok()
}

/// What is asked for to find a thing by its id: the id's attributes, and what else the spec says openly, so that the
/// answer has the spec's words where both mean the same.
pub fn query(kind: &Kind, id: &str, wanted: &Object) -> Result<Object, String> {
    let open = |(name, value): &(&String, &Value)| {
        value.is_known() && !value.is_sensitive() && kind.attribute(name).is_some_and(|attribute| !attribute.write_only)
    };
    let mut query: Object = wanted.iter().filter(open).map(|(name, value)| (name.clone(), value.clone())).collect();
    query.extend(kind.rules.import(id)?);
    Ok(query)
}
