//! The names in an expression, found without evaluating it, and whether they exist. Pure.
//!
//! Invariant: each name that does not exist is reported once per place, evaluated or not, and never when it may
//! stand in a file that does not parse.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Span};
use crate::expression::{Expr, Node, PathWord, Reference};
use crate::kind::Kinds;
use crate::spec::suggest::{did_you_mean, listed};
use crate::spec::{Module, Spec};

/// A name in an expression.
#[derive(Clone, Copy)]
pub(super) struct Named<'e> {
    /// The name.
    pub reference: &'e Reference,
    /// Of a module: which of its outputs, when one is picked.
    pub member: Option<&'e str>,
    /// Where it stands.
    pub span: Span,
}

/// Calls `look` with every name in an expression.
pub(super) fn each_name<'e>(expr: &'e Expr, look: &mut dyn FnMut(Named<'e>)) {
    match &expr.node {
        Node::Reference(reference) => look(Named { reference, member: None, span: expr.span }),
        Node::Attribute(source, name) => match &source.node {
            Node::Reference(reference @ Reference::Module(_)) => {
                look(Named { reference, member: Some(name), span: expr.span });
            }
            Node::Index(inner, key) if matches!(inner.node, Node::Reference(Reference::Module(_))) => {
                if let Node::Reference(reference) = &inner.node {
                    look(Named { reference, member: Some(name), span: expr.span });
                }
                each_name(key, look);
            }
            _ => each_name(source, look),
        },
        node => node.parts(&mut |part| each_name(part, look)),
    }
}

/// Where an expression stands, for the names that not every place has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    /// Nothing is repeated here.
    Plain,
    /// A block with `count`.
    Count,
    /// A block with `for_each`.
    ForEach,
    /// The default of a variable: nothing may be named.
    Constant,
    /// The validation of this variable: nothing else may be named.
    Validation,
}

/// Knows which names there are in one module.
pub(super) struct Checker<'a> {
    pub spec: &'a Spec,
    pub kinds: &'a Kinds,
    pub module: &'a Module,
    pub builtins: &'a [String],
    /// Whether a name of `local_stack` may be unknown now.
    pub local_stack: LocalStackNames,
}

/// What is known of the local stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LocalStackNames {
    /// It runs; its names are among the builtins.
    Known,
    /// It does not run, which is a mistake.
    Missing,
    /// It does not run, and nobody minds: nothing will be planned.
    Assumed,
}

impl Checker<'_> {
    /// What is wrong with a name, if anything.
    pub fn check(&self, named: Named<'_>, within: Within) -> Option<Diagnostic> {
        if let Some(diagnostic) = self.misplaced(named, within) {
            return Some(diagnostic.at(named.span));
        }
        match named.reference {
            Reference::Variable(name) => self.missing(
                "variable",
                &format!("var.{name}"),
                name,
                self.module.variables.keys(),
                format!("declare it with `variable \"{name}\" {{}}`"),
            ),
            Reference::Local(name) => self.missing(
                "local value",
                &format!("local.{name}"),
                name,
                self.module.locals.keys(),
                format!("declare it with `locals {{ {name} = … }}`"),
            ),
            Reference::Module(name) => self.module_name(name, named.member),
            Reference::Block { word, name } => self.block(word, name),
            Reference::Builtin(name) => self.builtin(name),
            Reference::Path(PathWord::Cwd) => Some(
                Diagnostic::error("there is no such name")
                    .detail("`path.cwd` differs from machine to machine, so a plan must not depend on it")
                    .help("write `path.module` or `path.root`"),
            ),
            Reference::Path(PathWord::Module | PathWord::Root)
            | Reference::EachKey
            | Reference::EachValue
            | Reference::CountIndex
            | Reference::Bound(_)
            | Reference::Instance(_)
            | Reference::AllInstances(_)
            | Reference::Secret(_)
            | Reference::Cell(_) => None,
        }
        .map(|diagnostic| diagnostic.at(named.span))
    }

    fn misplaced(&self, named: Named<'_>, within: Within) -> Option<Diagnostic> {
        let wrong = |what: &str, help: &str| {
            Some(Diagnostic::error("a name has no meaning here").detail(what.to_owned()).help(help.to_owned()))
        };
        match (named.reference, within) {
            (Reference::Bound(_), _) => None,
            (_, Within::Constant) => wrong(
                "a default is a plain value: it names nothing",
                "write a value, or use `locals` for what is computed",
            ),
            (Reference::EachKey | Reference::EachValue, Within::ForEach) | (Reference::CountIndex, Within::Count) => {
                None
            }
            (Reference::EachKey | Reference::EachValue, _) => wrong(
                "`each` exists in blocks with `for_each` only",
                "give the block a `for_each`, or name the value itself",
            ),
            (Reference::CountIndex, _) => wrong(
                "`count.index` exists in blocks with `count` only",
                "give the block a `count`, or name the value itself",
            ),
            _ => None,
        }
    }

    /// A diagnostic when a name is not among those of its sort.
    fn missing<'n>(
        &self,
        what: &str,
        written: &str,
        name: &str,
        mut names: impl Iterator<Item = &'n Arc<str>> + Clone,
        otherwise: String,
    ) -> Option<Diagnostic> {
        if names.clone().any(|known| &**known == name) || self.module.may_declare(name) {
            return None;
        }
        Some(
            Diagnostic::error(format!("there is no such {what}"))
                .detail(format!("`{written}` is not declared"))
                .help(did_you_mean(name, names.by_ref().map(|known| &**known), otherwise)),
        )
    }

    fn module_name(&self, name: &Arc<str>, member: Option<&str>) -> Option<Diagnostic> {
        let Some(call) = self.module.calls.get(name) else {
            return self.missing(
                "module",
                &format!("module.{name}"),
                name,
                self.module.calls.keys(),
                format!("declare it with `module \"{name}\" {{ source = \"../modules/{name}\" }}`"),
            );
        };
        let inner = &self.spec.modules[call.module?];
        let member = member?;
        if inner.outputs.contains_key(member) || inner.may_declare(member) {
            return None;
        }
        let names = || inner.outputs.keys().map(|known| &**known);
        let otherwise = match inner.outputs.is_empty() {
            true => "the module has no outputs".to_owned(),
            false => format!("its outputs are {}", listed(names())),
        };
        Some(
            Diagnostic::error("a module has no such output")
                .detail(format!("`module.{name}` has no output `{member}`"))
                .help(did_you_mean(member, names(), otherwise)),
        )
    }

    fn block(&self, word: &Arc<str>, name: &Arc<str>) -> Option<Diagnostic> {
        let written = format!("{word}.{name}");
        match &**word {
            "database" => self.missing(
                "database",
                &written,
                name,
                self.module.databases.keys(),
                format!("declare it with `database \"{name}\" {{ … }}`"),
            ),
            "config" => self.missing(
                "config block",
                &written,
                name,
                self.module.configs.keys(),
                format!("declare it with `config \"{name}\" {{ … }}`"),
            ),
            word if word.starts_with("data.") => Some(
                Diagnostic::error("data sources are not built yet")
                    .detail(format!("`{written}` cannot be read by this version"))
                    .help("hand the value in as a variable"),
            ),
            _ => self.resource(word, name, &written),
        }
    }

    fn resource(&self, word: &Arc<str>, name: &Arc<str>, written: &str) -> Option<Diagnostic> {
        let known = self.module.resources.contains_key(&(word.clone(), name.clone()));
        let is_kind = |kind: &str| self.kinds.get(kind).is_some();
        // A block of this name whose kind there is not was told already, and may be the one that is meant.
        let meant = || self.module.resources.keys().any(|(kind, of_name)| of_name == name && !is_kind(kind));
        if known || self.module.may_declare(name) || meant() {
            return None;
        }
        let declared = || self.module.resources.keys().filter(|(kind, _)| is_kind(kind));
        let same_kind = || declared().filter(|(kind, _)| kind == word).map(|(_, name)| &**name);
        let roots =
            ["var", "local", "module", "each", "count", "path", "environment", "local_stack", "database", "config"];
        let kinds = declared().map(|(kind, _)| &**kind);
        let help = match same_kind().next() {
            Some(_) => did_you_mean(name, same_kind(), format!("declared are {}", listed(same_kind()))),
            None => did_you_mean(
                word,
                roots.into_iter().chain(kinds),
                format!("declare it with `resource \"{word}\" \"{name}\" {{ … }}`"),
            ),
        };
        Some(Diagnostic::error("there is no such resource").detail(format!("`{written}` is not declared")).help(help))
    }

    fn builtin(&self, name: &str) -> Option<Diagnostic> {
        if self.builtins.iter().any(|known| known == name) {
            return None;
        }
        if name.starts_with("local_stack.") {
            return match self.local_stack {
                LocalStackNames::Assumed => None,
                LocalStackNames::Missing => Some(
                    Diagnostic::error("the local stack does not run")
                        .detail(format!("`{name}` is known only while it runs"))
                        .help("run `switchback local up`"),
                ),
                LocalStackNames::Known => Some(self.no_builtin(name, "local_stack.")),
            };
        }
        if name == "terraform.workspace" {
            return Some(
                Diagnostic::error("there is no such name")
                    .detail("there are no workspaces here")
                    .help("did you mean `environment.name`?"),
            );
        }
        if name.contains('.') || name == "self" {
            return Some(self.no_builtin(name, ""));
        }
        Some(Diagnostic::error("a lone word is no value").detail(format!("`{name}` stands for nothing")).help(format!(
            "write `\"{name}\"` for a text, `var.{name}` for a variable, `local.{name}` for a local value"
        )))
    }

    fn no_builtin(&self, name: &str, prefix: &str) -> Diagnostic {
        let names = || self.builtins.iter().map(String::as_str).filter(|known| known.starts_with(prefix));
        Diagnostic::error("there is no such name").detail(format!("`{name}` does not exist")).help(did_you_mean(
            name,
            names(),
            format!("there are {}", listed(names())),
        ))
    }
}
