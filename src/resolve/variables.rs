//! Variables, of the spec itself and of modules. Pure.
//!
//! Invariant: the value of a variable has its type and meets its validations, or a diagnostic stands for it.

use super::cells::{Cell, Needs};
use super::engine::{Engine, Evaluated};
use super::graph::Item;
use super::inputs;
use super::secret_form::secret_if;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::{Call, Expr, Node, Reference};
use crate::secret::SecretReference;
use crate::value::{Type, Unknown, Value};

impl Engine<'_> {
    /// Takes over what was handed in.
    pub(super) fn root_variables(&mut self) {
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

    /// One variable in one instance of its module.
    pub(super) fn variable(&mut self, node: usize, site: usize, instance: usize, index: usize) {
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
    let call = Call { function: function.into(), arguments: vec![closed], expand_last: false };
    Expr::nowhere(Node::Call(call))
}
