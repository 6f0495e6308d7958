//! `count` and `for_each`: which instances there are. Pure.
//!
//! Invariant: an expansion is evaluated once per block, and its keys are known and open.

use std::rc::Rc;

use super::cells::{Each, Expansion, Needs, Style};
use super::engine::{Engine, Evaluated};
use crate::address::InstanceKey;
use crate::diagnostic::Diagnostic;
use crate::expression::{Expr, Node, Reference};
use crate::spec::Repeat;
use crate::value::{Data, Type, Value};

/// More instances than anybody means.
const MOST: i64 = 100_000;

impl Engine<'_> {
    /// The instances of a block.
    pub(super) fn expand(&mut self, repeat: &Repeat, site: usize, instance: usize, context: &str) -> Expansion {
        match repeat {
            Repeat::Once => {
                let item = Each { key: None, value: Value::null(), closed: None, needs: Needs::default() };
                Expansion { style: Style::Once, items: vec![item], poisoned: false }
            }
            Repeat::Count(expr) => {
                let (evaluated, _) = self.evaluate(expr, site, instance, None, context);
                let count = if evaluated.poisoned { None } else { self.count(expr, &evaluated.value) };
                let item = |index: u64| Each {
                    key: Some(InstanceKey::Index(index)),
                    value: i64::try_from(index).unwrap_or(i64::MAX).into(),
                    closed: None,
                    needs: Needs::default(),
                };
                let items = (0..count.unwrap_or(0)).map(item).collect();
                Expansion { style: Style::Count, items, poisoned: count.is_none() }
            }
            Repeat::ForEach(expr) => {
                let (evaluated, tracker) = self.evaluate(expr, site, instance, None, context);
                let items = match evaluated.poisoned {
                    true => None,
                    false => self.for_each(expr, evaluated, &tracker.needs()),
                };
                let poisoned = items.is_none();
                Expansion { style: Style::ForEach, items: items.unwrap_or_default(), poisoned }
            }
        }
    }

    fn bad_repeat(&mut self, expr: &Expr, summary: &str, detail: String, help: String) {
        self.report(Diagnostic::error(summary).at(expr.place()).detail(detail).help(help));
    }

    /// Reports a number or set of instances that is a secret or not known.
    fn is_usable(&mut self, expr: &Expr, value: &Value, word: &str) -> bool {
        if value.is_sensitive() {
            let detail = format!("`{word}` is sensitive, and the addresses of instances are shown to everybody");
            let help = "wrap what is no secret in `nonsensitive(…)`, or take the keys from something open".to_owned();
            self.bad_repeat(expr, "the instances of a block are a secret", detail, help);
            return false;
        }
        if value.is_known() {
            return true;
        }
        if self.is_assumed(value) {
            return false;
        }
        let waits: Vec<String> = value.waits_for().iter().take(3).map(|address| format!("`{address}`")).collect();
        let cause = match waits.is_empty() {
            true => "its value".to_owned(),
            false => waits.join(", "),
        };
        let detail = format!("`{word}` depends on {cause}, which is known only after it is applied");
        let help = match word {
            "count" => "count something that the spec itself knows, such as a variable or a local value",
            _ => {
                "take the keys from what the spec itself knows, and put what is not known yet into the values of a map"
            }
        };
        self.bad_repeat(expr, "the instances of a block are not known yet", detail, help.to_owned());
        false
    }

    fn count(&mut self, expr: &Expr, value: &Value) -> Option<u64> {
        if !self.is_usable(expr, value, "count") {
            return None;
        }
        let number = value.convert(&Type::Number).ok().and_then(|number| number.as_i64());
        match number {
            Some(number @ 0..=MOST) => u64::try_from(number).ok(),
            _ => {
                let detail = format!("`count` is {value}, and it must be a whole number from 0 to {MOST}");
                let help = "write a number, or something like `length(var.names)`".to_owned();
                self.bad_repeat(expr, "a `count` is not a number of instances", detail, help);
                None
            }
        }
    }

    fn for_each(&mut self, expr: &Expr, evaluated: Evaluated, needs: &Needs) -> Option<Vec<Each>> {
        let value = evaluated.value;
        let open = value.marks().sensitive.then_some(&value);
        match value.data() {
            Data::Map(_, entries) | Data::Object(entries) if open.is_none() => {
                let closed = evaluated.closed.map(|closed| self.share(closed));
                let items = entries.iter().map(|(key, item)| {
                    let plain = item.is_known() && !item.is_sensitive();
                    let closed = closed.as_ref().filter(|_| !plain).map(|closed| element(closed, key));
                    let needs = self.needs_of(closed.as_ref(), item, needs);
                    Each { key: Some(InstanceKey::Key(key.clone())), value: item.clone(), closed, needs }
                });
                Some(items.collect())
            }
            Data::Set(..) => {
                if !self.is_usable(expr, &value, "for_each") {
                    return None;
                }
                let mut items = Vec::new();
                for item in value.items().unwrap_or_default() {
                    let Some(key) = item.convert(&Type::String).ok().filter(|key| key.as_str().is_some()) else {
                        let detail = format!("`for_each` is a set, and {item} in it is no string");
                        let help = "use a set of strings, or a map".to_owned();
                        self.bad_repeat(expr, "a `for_each` cannot give keys", detail, help);
                        return None;
                    };
                    let key_text = key.as_str().expect("it was filtered").into();
                    let key = Some(InstanceKey::Key(key_text));
                    items.push(Each { key, value: item.clone(), closed: None, needs: Needs::default() });
                }
                Some(items)
            }
            _ => {
                if self.is_usable(expr, &value, "for_each") {
                    let is = crate::value::convert::plain_name(&value.ty());
                    let is = if value.is_null() { "null".to_owned() } else { is };
                    let help = match value.items() {
                        Some(_) => "wrap it in `toset(…)`; each element then is a key",
                        None => "write a map, or a set of strings",
                    };
                    let detail = format!("`for_each` takes a map or a set of strings, and this is: {is}");
                    self.bad_repeat(expr, "a `for_each` cannot give keys", detail, help.to_owned());
                }
                None
            }
        }
    }

    /// What one element of a `for_each` rests on: of a block that is gone through as it stands, the one
    /// instance; otherwise what the element waits for, or all when it waits for nothing and all are few.
    fn needs_of(&self, closed: Option<&Expr>, item: &Value, all: &Needs) -> Needs {
        let id = |address: &crate::address::Address| self.ground.state.ids.get(address).copied();
        if let Some(Expr { node: Node::Reference(Reference::Instance(address)), .. }) = closed {
            return Rc::new(id(address).into_iter().collect());
        }
        if all.len() <= 1 {
            return all.clone();
        }
        match item.is_known() {
            true if all.len() <= super::cells::WIDEST => all.clone(),
            _ => Rc::new(item.waits_for().iter().filter_map(id).collect()),
        }
    }
}

/// The closed form of one element of what has this closed form.
fn element(closed: &Expr, key: &std::sync::Arc<str>) -> Expr {
    match &closed.node {
        Node::Reference(Reference::AllInstances(block)) => {
            Expr::reference(Reference::Instance(block.with_key(Some(InstanceKey::Key(key.clone())))))
        }
        _ => {
            let key = Expr::literal(Value::string(key.clone()));
            Expr::nowhere(Node::Index(Box::new(closed.clone()), Box::new(key)))
        }
    }
}
