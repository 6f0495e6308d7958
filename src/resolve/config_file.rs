//! A `config` block whose store is a file → the file that it stands for. Pure.
//!
//! Invariant: a text that holds a secret is one, and so is closed as references; beside it goes what a review may show,
//! with each secret hidden.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cells::{BlockState, Style};
use super::config::{Block, one_of};
use super::config_keys;
use super::engine::{Engine, Evaluated};
use super::evaluate::evaluate;
use super::here::Here;
use super::resource::Attributes;
use super::secret_form::secret_if;
use crate::address::Address;
use crate::diagnostic::Diagnostic;
use crate::expression::{Call, Expr, Node};
use crate::spec::body::Attribute;
use crate::spec::suggest::{did_you_mean, listed};
use crate::value::{Data, Value};

/// What stands for a secret.
const HIDDEN: &str = "(sensitive)";
/// What stands for what is not known yet.
const LATER: &str = "(known after apply)";
/// How files can be written.
const FORMATS: [&str; 4] = ["env", "json", "properties", "yaml"];

/// How the text is made of the values.
enum Form {
    /// By a function of the language.
    Function(&'static str),
    /// By `jsonencode`, with a last line that ends.
    Json,
    /// From a template.
    Template(Expr),
}

impl Form {
    /// The expression of the text.
    fn text(&self, values: Expr) -> Expr {
        let span = values.span;
        let call = |function: &str, arguments: Vec<Expr>| {
            let call = Call { function: function.into(), arguments, expand_last: false };
            Expr { node: Node::Call(call), span }
        };
        match self {
            Self::Function(function) => call(function, vec![values]),
            Self::Json => {
                let parts = vec![call("jsonencode", vec![values]), Expr::literal("\n")];
                Expr { node: Node::Template(parts), span }
            }
            Self::Template(path) => call("templatefile", vec![path.clone(), values]),
        }
    }
}

impl Engine<'_> {
    /// The one file of a block.
    pub(super) fn config_file(&mut self, block: &Block<'_>, address: &Address, state: &mut BlockState) {
        state.style = Style::Once;
        state.poisoned = true;
        let context = address.to_string();
        let path = self.config_setting(block.config, "path", block.site, block.instance, &context);
        let mode = self.config_setting(block.config, "mode", block.site, block.instance, &context);
        if !self.may_be_a_file(block) {
            return;
        }
        let Some(form) = self.form(block, &context) else { return };
        let Some(values) = self.file_values(block, address) else { return };
        let Some((path, path_span)) = path else { return };
        let (evaluated, tracker) =
            self.evaluate(&form.text(values.clone()), block.site, block.instance, None, &context);
        let preview = self.preview(block, &form, &values, &evaluated);
        let usual = if evaluated.value.is_sensitive() { "0600" } else { "0644" };
        let mode = mode.map_or_else(|| usual.to_owned(), |(mode, _)| mode);
        let mut attributes = Attributes { needs: block.needs.clone(), ..Attributes::default() };
        attributes.needs.extend(tracker.narrowed(&evaluated.value, &self.ground.state.ids));
        let plainly = |value: Value| Evaluated { value, closed: None, poisoned: false };
        let place = Expr { span: path_span, ..Expr::literal(Value::null()) };
        self.put_setting(block, &mut attributes, "filename", plainly(path.into()), &place);
        self.put_setting(block, &mut attributes, "file_permission", plainly(mode.into()), &place);
        if let Some(preview) = preview {
            self.put_setting(block, &mut attributes, "preview", plainly(preview), &values);
        }
        self.put_setting(block, &mut attributes, "content", evaluated, &values);
        let names: Vec<Arc<str>> = block.kind.attributes.iter().map(|attribute| attribute.name.into()).collect();
        let id = self.ground.state.id(address);
        let made = self.finish_entry(block, address, &names, id, attributes);
        state.poisoned = made.poisoned;
        state.instances.push(made);
    }

    /// Whether path and keys are as a file can have them.
    fn may_be_a_file(&mut self, block: &Block<'_>) -> bool {
        let config = block.config;
        let mut is_right = true;
        if setting(block, "path").is_none() {
            is_right = false;
            self.report(
                Diagnostic::error("a required attribute is missing")
                    .at(config.span)
                    .detail("a `config` block whose store is `file` needs `path`")
                    .help("add `path = \"rendered/web.env\"`; it begins at the project's folder"),
            );
        }
        for (name, key) in config.keys.iter().filter(|(_, key)| key.generated.is_some() || key.manual) {
            is_right = false;
            let what = if key.manual { "given by a person" } else { "generated" };
            self.report(
                Diagnostic::error("a file keeps no secret of its own")
                    .at(key.span)
                    .detail(format!("`{name}` is {what}, and has no place but the file"))
                    .help("keep it in a `config` block of Secrets Manager or SSM, and refer to it with `secret(…)`"),
            );
        }
        is_right
    }

    /// How the file is written; one of the two is said.
    fn form(&mut self, block: &Block<'_>, context: &str) -> Option<Form> {
        let (format, template) = (setting(block, "format"), setting(block, "template"));
        let twice = match (format, template) {
            (None, Some(template)) => return Some(Form::Template(template.expr.clone())),
            (Some(_), None) => {
                let (format, span) =
                    self.config_setting(block.config, "format", block.site, block.instance, context)?;
                return match &*format {
                    "env" => Some(Form::Function("envencode")),
                    "properties" => Some(Form::Function("propertiesencode")),
                    "yaml" => Some(Form::Function("yamlencode")),
                    "json" => Some(Form::Json),
                    _ => {
                        let otherwise = format!("formats are {}", listed(FORMATS));
                        self.report(
                            Diagnostic::error("there is no such format")
                                .at(span)
                                .detail(format!("`{format}` cannot be written"))
                                .help(did_you_mean(&format, FORMATS, otherwise)),
                        );
                        None
                    }
                };
            }
            (Some(format), Some(_)) => Some(format.name_span),
            (None, None) => None,
        };
        self.report(
            Diagnostic::error("how the file is written is said once")
                .at(twice.unwrap_or(block.config.span))
                .detail("a `config` block whose store is `file` has `format` or `template`, and not both")
                .help(format!("write `format` ({}), or `template = \"web.conf.tmpl\"`", listed(FORMATS))),
        );
        None
    }

    /// The expression of all values, those marked as secrets whose keys say so.
    fn file_values(&mut self, block: &Block<'_>, address: &Address) -> Option<Expr> {
        let nothing = Expr { node: Node::Object(Vec::new()), span: block.config.span };
        let values = setting(block, "values").map_or(nothing, |values| values.expr.clone());
        let keys = self.keys_of(block, address, &values)?;
        let given: BTreeMap<Arc<str>, Expr> =
            keys.into_iter().map(|key| (key.clone(), one_of(&values, &key))).collect();
        for mistake in config_keys::check_names(block.config, &given) {
            self.report(mistake);
        }
        let context = address.to_string();
        for (name, expr) in &given {
            let Some(key) = block.config.keys.get(name) else { continue };
            let (evaluated, _) =
                self.evaluate(&secret_if(key.secret, expr), block.site, block.instance, None, &context);
            if let Some(mistake) = config_keys::check_value(name, key, &evaluated.value, expr.place()) {
                self.report(mistake);
            }
        }
        let is_secret = |name: &Arc<str>| block.config.keys.get(name).is_some_and(|key| key.secret);
        if !given.keys().any(is_secret) {
            return Some(values);
        }
        let pairs = given.iter().map(|(name, expr)| {
            let key = Expr { span: values.span, ..Expr::literal(Value::string(name.clone())) };
            (key, secret_if(is_secret(name), expr))
        });
        Some(Expr { node: Node::Object(pairs.collect()), span: values.span })
    }

    /// The text with each secret hidden, where it holds one and can be made so.
    fn preview(&mut self, block: &Block<'_>, form: &Form, values: &Expr, content: &Evaluated) -> Option<Value> {
        if !content.value.is_sensitive() || content.poisoned {
            return None;
        }
        let here = Here::new(&self.ground, block.site, block.instance, None, "");
        let shown = hidden(&evaluate(values, &here).ok()?);
        shown.entries()?;
        let values = Expr { span: values.span, ..Expr::literal(shown) };
        // A template may need a number where there is a word now.
        evaluate(&form.text(values), &here).ok().filter(|text| text.is_known() && !text.is_sensitive())
    }
}

fn setting<'a>(block: &Block<'a>, name: &str) -> Option<&'a Attribute> {
    block.config.settings.iter().find(|setting| &*setting.name == name)
}

/// The value as it may be shown.
fn hidden(value: &Value) -> Value {
    if value.marks().sensitive || matches!(value.data(), Data::Sealed(_)) {
        return HIDDEN.into();
    }
    if !value.is_known() && value.entries().is_none() && value.items().is_none() {
        return LATER.into();
    }
    match (value.entries(), value.items()) {
        (Some(entries), _) => Value::object(entries.iter().map(|(name, value)| (name.clone(), hidden(value)))),
        (None, Some(items)) => Value::tuple(items.iter().map(hidden).collect()),
        (None, None) => value.clone(),
    }
}
