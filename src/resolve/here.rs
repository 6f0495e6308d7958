//! What names stand for at one place of the spec: in one instance of a module, maybe in one of a block. Pure.
//!
//! Invariant: whatever is asked for is noted, so that a value's needs are known exactly.

use std::cell::RefCell;

use super::cells::{BlockState, CallState, Cell, Each, InstanceState, Style, Tracker};
use super::evaluate::{ClosingScope, Scope, Surroundings};
use super::graph::{self, Item};
use super::ground::Ground;
use crate::address::InstanceKey;
use crate::diagnostic::{Diagnostic, Span};
use crate::expression::{Expr, Node, PathWord, Reference};
use crate::secret::SecretReference;
use crate::spec::suggest::nearest;
use crate::value::{Type, Unknown, Value};

/// A place of the spec.
pub(super) struct Here<'e> {
    ground: &'e Ground<'e>,
    site: usize,
    instance: usize,
    each: Option<&'e Each>,
    /// What stands here, to tell equal places of different instances apart.
    context: &'e str,
    tracker: RefCell<Tracker>,
    literals: RefCell<Vec<(Span, SecretReference)>>,
}

impl<'e> Here<'e> {
    /// A place in an instance of a site.
    pub fn new(ground: &'e Ground<'e>, site: usize, instance: usize, each: Option<&'e Each>, context: &'e str) -> Self {
        Self { ground, site, instance, each, context, tracker: RefCell::default(), literals: RefCell::default() }
    }

    /// What was touched since the last time.
    pub fn take_tracker(&self) -> Tracker {
        self.tracker.take()
    }

    /// Whether something with a mistake was touched.
    pub fn is_poisoned(&self) -> bool {
        self.tracker.borrow().poisoned
    }

    /// The secret literals that were asked for since the last time.
    pub fn take_literals(&self) -> Vec<(Span, SecretReference)> {
        self.literals.take()
    }

    fn poison(&self) -> Value {
        self.tracker.borrow_mut().poisoned = true;
        Value::unknown(Unknown::of(Type::Any))
    }

    fn node(&self, item: Item) -> usize {
        self.ground.graph.node(self.ground.spec, self.site, item)
    }

    fn cell(&self, item: Item) -> Option<&'e Cell> {
        self.cell_at(self.node(item), self.instance)
    }

    fn cell_at(&self, node: usize, instance: usize) -> Option<&'e Cell> {
        let cell = self.ground.state.cells[node].get(instance)?;
        let mut tracker = self.tracker.borrow_mut();
        tracker.all(&cell.needs);
        tracker.poisoned |= cell.poisoned;
        Some(cell)
    }

    fn module(&self) -> &'e crate::spec::Module {
        &self.ground.spec.modules[self.ground.graph.sites[self.site].module]
    }

    /// The variable or local that a reference names.
    fn named_cell(&self, reference: &Reference) -> Option<&'e Cell> {
        let module = self.module();
        match reference {
            Reference::Variable(name) => self.cell(Item::Variable(module.variables.get_index_of(name)?)),
            Reference::Local(name) => self.cell(Item::Local(module.locals.get_index_of(name)?)),
            _ => None,
        }
    }

    /// The block that a reference names; nothing when that has a mistake.
    fn block(&self, reference: &Reference) -> Option<&'e BlockState> {
        let Reference::Block { word, name } = reference else {
            return None;
        };
        let item = graph::block(self.module(), word, name)?;
        let block = self.ground.state.blocks[self.node(item)].get(self.instance)?;
        (!block.poisoned).then_some(block)
    }

    /// The instances of a module that a reference names, and its site.
    fn call(&self, reference: &Reference) -> Option<(usize, &'e CallState)> {
        let Reference::Module(name) = reference else {
            return None;
        };
        let index = self.module().calls.get_index_of(name)?;
        let site = *self.ground.graph.sites[self.site].children.get(&index)?;
        let call = self.ground.state.calls[self.node(Item::Call(index))].get(self.instance)?;
        (!call.poisoned).then_some((site, call))
    }

    fn output(&self, site: usize, instance: usize, name: &str) -> Option<&'e Cell> {
        let module = &self.ground.spec.modules[self.ground.graph.sites[site].module];
        let index = module.outputs.get_index_of(name)?;
        self.cell_at(self.ground.graph.node(self.ground.spec, site, Item::Output(index)), instance)
    }

    fn outputs(&self, site: usize) -> impl Iterator<Item = &'e std::sync::Arc<str>> {
        self.ground.spec.modules[self.ground.graph.sites[site].module].outputs.keys()
    }

    fn module_value(&self, site: usize, instance: usize) -> Value {
        let value = |name: &str| match self.output(site, instance, name) {
            Some(cell) => cell.value.clone(),
            None => self.poison(),
        };
        Value::object(self.outputs(site).map(|name| (name.clone(), value(name))))
    }

    fn module_closed(&self, site: usize, instance: usize) -> Expr {
        let closed = |name: &str| match self.output(site, instance, name) {
            Some(cell) => closed_of(cell),
            None => Expr::literal(self.poison()),
        };
        let pairs = self.outputs(site).map(|name| (Expr::literal(Value::string(name.clone())), closed(name)));
        Expr::nowhere(Node::Object(pairs.collect()))
    }

    /// All instances of a module, put together.
    fn all_of<T>(&self, call: &CallState, mut one: impl FnMut(usize) -> T) -> Vec<(Option<InstanceKey>, T)> {
        match call.style {
            Style::Once => call.instances.clone().map(|instance| (None, one(instance))).collect(),
            Style::Count | Style::ForEach => {
                call.by_key.iter().map(|(key, instance)| (Some(key.clone()), one(*instance))).collect()
            }
        }
    }

    fn builtin(&self, name: &str) -> Value {
        self.ground.builtins.get(name).cloned().unwrap_or_else(|| self.poison())
    }

    fn folder(&self, module: usize) -> Value {
        let folder = self.ground.spec.modules[module].folder.to_string_lossy().into_owned();
        Value::from(if folder.is_empty() { ".".to_owned() } else { folder })
    }

    fn no_instance(&self, written: &str, keys: &[&InstanceKey], key: &InstanceKey, span: Span) -> Diagnostic {
        let texts: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let wanted = key.to_string();
        let help = match (nearest(&wanted, texts.iter().map(String::as_str)), keys) {
            (_, []) => format!("`{written}` has no instances"),
            (Some(near), _) => format!("did you mean `{written}{near}`?"),
            (None, _) => {
                let shown: Vec<String> = texts.iter().take(8).map(|text| format!("`{text}`")).collect();
                let more = if texts.len() > shown.len() { ", …" } else { "" };
                format!("its instances are {}{more}", shown.join(", "))
            }
        };
        Diagnostic::error("there is no such instance")
            .at(span)
            .detail(format!("`{written}{key}` does not exist"))
            .help(help)
    }

    fn not_repeated(written: &str, span: Span) -> Diagnostic {
        Diagnostic::error("there is no such instance")
            .at(span)
            .detail(format!("`{written}` has neither `count` nor `for_each`"))
            .help("leave the key out")
    }

    /// The index of an instance of a block among them all.
    fn find(&self, block: &BlockState, key: &InstanceKey, span: Span) -> Result<usize, Diagnostic> {
        let written = format!("{}.{}", block.address.word, block.address.name);
        match (block.by_key.get(key), block.style) {
            (Some(index), _) => Ok(*index),
            (None, Style::Once) => Err(Self::not_repeated(&written, span)),
            (None, Style::Count | Style::ForEach) => {
                Err(self.no_instance(&written, &block.by_key.keys().collect::<Vec<_>>(), key, span))
            }
        }
    }

    fn find_call(&self, name: &str, call: &CallState, key: &InstanceKey, span: Span) -> Result<usize, Diagnostic> {
        let written = format!("module.{name}");
        match (call.by_key.get(key), call.style) {
            (Some(instance), _) => Ok(*instance),
            (None, Style::Once) => Err(Self::not_repeated(&written, span)),
            (None, Style::Count | Style::ForEach) => {
                Err(self.no_instance(&written, &call.by_key.keys().collect::<Vec<_>>(), key, span))
            }
        }
    }

    fn note(&self, instance: &InstanceState) {
        let mut tracker = self.tracker.borrow_mut();
        tracker.one(instance.id);
        tracker.poisoned |= instance.poisoned;
    }

    fn note_all(&self, block: &BlockState) {
        block.instances.iter().for_each(|instance| self.note(instance));
    }
}

/// The closed form of a name.
fn closed_of(cell: &Cell) -> Expr {
    cell.closed.clone().unwrap_or_else(|| Expr::literal(cell.value.clone()))
}

fn closed_instance(block: &BlockState, index: usize, key: Option<InstanceKey>) -> Expr {
    let instance = &block.instances[index];
    instance.closed.clone().unwrap_or_else(|| Expr::reference(Reference::Instance(block.address.with_key(key))))
}

impl Scope for Here<'_> {
    fn reference(&self, reference: &Reference, span: Span) -> Result<Value, Diagnostic> {
        Ok(match reference {
            Reference::Variable(_) | Reference::Local(_) => match self.named_cell(reference) {
                Some(cell) => cell.value.clone(),
                None => self.poison(),
            },
            Reference::Module(_) => match self.call(reference) {
                Some((site, call)) => {
                    let all = self.all_of(call, |instance| self.module_value(site, instance));
                    put_together(call.style, all)
                }
                None => self.poison(),
            },
            Reference::Block { .. } => match self.block(reference) {
                Some(block) => {
                    self.note_all(block);
                    block.whole()
                }
                None => self.poison(),
            },
            Reference::EachKey | Reference::EachValue | Reference::CountIndex => match self.each {
                Some(each) => {
                    if *reference == Reference::EachValue {
                        self.tracker.borrow_mut().all(&each.needs);
                        each.value.clone()
                    } else {
                        match &each.key {
                            Some(InstanceKey::Key(key)) => Value::string(key.clone()),
                            Some(InstanceKey::Index(_)) | None => each.value.clone(),
                        }
                    }
                }
                None => self.poison(),
            },
            Reference::Path(PathWord::Module) => self.folder(self.ground.graph.sites[self.site].module),
            Reference::Path(PathWord::Root) => self.folder(0),
            Reference::Path(PathWord::Cwd) => self.poison(),
            Reference::Builtin(name) => self.builtin(name),
            Reference::Bound(_)
            | Reference::Instance(_)
            | Reference::AllInstances(_)
            | Reference::Secret(_)
            | Reference::Cell(_) => {
                return Err(Diagnostic::error("a name has no meaning here").at(span).help("this is a bug; report it"));
            }
        })
    }

    fn instance(&self, block: &Reference, key: &InstanceKey, span: Span) -> Option<Result<Value, Diagnostic>> {
        match block {
            Reference::Module(name) => {
                let Some((site, call)) = self.call(block) else { return Some(Ok(self.poison())) };
                Some(self.find_call(name, call, key, span).map(|instance| self.module_value(site, instance)))
            }
            Reference::Block { .. } => {
                let Some(block) = self.block(block) else { return Some(Ok(self.poison())) };
                if block.style == Style::Once {
                    return None; // An object may well be indexed: `aws_x.y["name"]`.
                }
                Some(self.find(block, key, span).map(|index| {
                    self.note(&block.instances[index]);
                    block.instances[index].value.clone()
                }))
            }
            _ => None,
        }
    }

    fn member(
        &self,
        block: &Reference,
        key: Option<&InstanceKey>,
        name: &str,
        span: Span,
    ) -> Option<Result<Value, Diagnostic>> {
        let Reference::Module(module) = block else { return None };
        let Some((site, call)) = self.call(block) else { return Some(Ok(self.poison())) };
        let instance = match (key, call.style) {
            (None, Style::Once) => call.instances.start,
            (None, Style::Count | Style::ForEach) => return None,
            (Some(key), _) => match self.find_call(module, call, key, span) {
                Ok(instance) => instance,
                Err(mistake) => return Some(Err(mistake)),
            },
        };
        Some(Ok(match self.output(site, instance, name) {
            Some(cell) => cell.value.clone(),
            None => self.poison(),
        }))
    }

    fn surroundings(&self) -> Surroundings<'_> {
        self.ground.surroundings
    }
}

fn put_together(style: Style, all: Vec<(Option<InstanceKey>, Value)>) -> Value {
    match style {
        Style::Once => all.into_iter().next().map_or_else(Value::null, |(_, value)| value),
        Style::Count => Value::tuple(all.into_iter().map(|(_, value)| value).collect()),
        Style::ForEach => Value::object(all.into_iter().filter_map(|(key, value)| match key {
            Some(InstanceKey::Key(key)) => Some((key, value)),
            Some(InstanceKey::Index(_)) | None => None,
        })),
    }
}

impl ClosingScope for Here<'_> {
    fn close(&self, reference: &Reference, _span: Span) -> Result<Expr, Diagnostic> {
        Ok(match reference {
            Reference::Variable(_) | Reference::Local(_) => match self.named_cell(reference) {
                Some(cell) => closed_of(cell),
                None => Expr::literal(self.poison()),
            },
            Reference::Module(_) => match self.call(reference) {
                Some((site, call)) => {
                    let all = self.all_of(call, |instance| self.module_closed(site, instance));
                    let pairs = all.into_iter();
                    match call.style {
                        Style::Once => {
                            pairs.map(|(_, closed)| closed).next().unwrap_or_else(|| Expr::literal(Value::null()))
                        }
                        Style::Count => Expr::nowhere(Node::Tuple(pairs.map(|(_, closed)| closed).collect())),
                        Style::ForEach => Expr::nowhere(Node::Object(
                            pairs
                                .filter_map(|(key, closed)| match key {
                                    Some(InstanceKey::Key(key)) => Some((Expr::literal(Value::string(key)), closed)),
                                    Some(InstanceKey::Index(_)) | None => None,
                                })
                                .collect(),
                        )),
                    }
                }
                None => Expr::literal(self.poison()),
            },
            Reference::Block { .. } => match self.block(reference) {
                Some(block) => {
                    self.note_all(block);
                    match block.style {
                        Style::Once => closed_instance(block, 0, None),
                        Style::Count | Style::ForEach => {
                            Expr::reference(Reference::AllInstances(block.address.clone()))
                        }
                    }
                }
                None => Expr::literal(self.poison()),
            },
            Reference::EachValue => match self.each {
                Some(each) => {
                    self.tracker.borrow_mut().all(&each.needs);
                    each.closed.clone().unwrap_or_else(|| Expr::literal(each.value.clone()))
                }
                None => Expr::literal(self.poison()),
            },
            other => Expr::literal(self.reference(other, Expr::NOWHERE)?),
        })
    }

    fn close_instance(&self, block: &Reference, key: &InstanceKey, span: Span) -> Option<Result<Expr, Diagnostic>> {
        match block {
            Reference::Module(name) => {
                let Some((site, call)) = self.call(block) else { return Some(Ok(Expr::literal(self.poison()))) };
                Some(self.find_call(name, call, key, span).map(|instance| self.module_closed(site, instance)))
            }
            Reference::Block { .. } => {
                let Some(block) = self.block(block) else { return Some(Ok(Expr::literal(self.poison()))) };
                if block.style == Style::Once {
                    return None;
                }
                Some(self.find(block, key, span).map(|index| {
                    self.note(&block.instances[index]);
                    closed_instance(block, index, Some(key.clone()))
                }))
            }
            _ => None,
        }
    }

    fn close_member(
        &self,
        block: &Reference,
        key: Option<&InstanceKey>,
        name: &str,
        span: Span,
    ) -> Option<Result<Expr, Diagnostic>> {
        let Reference::Module(module) = block else { return None };
        let Some((site, call)) = self.call(block) else { return Some(Ok(Expr::literal(self.poison()))) };
        let instance = match (key, call.style) {
            (None, Style::Once) => call.instances.start,
            (None, Style::Count | Style::ForEach) => return None,
            (Some(key), _) => match self.find_call(module, call, key, span) {
                Ok(instance) => instance,
                Err(mistake) => return Some(Err(mistake)),
            },
        };
        Some(Ok(match self.output(site, instance, name) {
            Some(cell) => closed_of(cell),
            None => Expr::literal(self.poison()),
        }))
    }

    fn literal_secret(&self, span: Span) -> SecretReference {
        let reference = SecretReference::Literal {
            file: self.ground.spec.sources.file(span.source).path.display().to_string(),
            start: span.start,
            instance: self.context.to_owned(),
        };
        self.literals.borrow_mut().push((span, reference.clone()));
        reference
    }
}
