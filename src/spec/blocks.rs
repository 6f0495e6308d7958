//! Each block of the language, read into its own type. Pure.
//!
//! Invariant: a block with a mistake is still read as far as it goes, so that its name exists for others.

use std::path::Path;
use std::sync::Arc;

use super::body::{Block, Body};
use super::repeat::{depends_on, repeat, take};
use super::settings::{Plain, Shape};
use super::types::Constraint;
use super::{
    Call, Database, LifecycleBlock, Output, ProviderBlock, RehearsalBlock, Resource, Validation, Variable,
    budget_block, migration_block, paths, schema_need, settings,
};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::expression::{Expr, Node, Reference};

/// Names that a `module` block uses itself, so that no input can have them.
const TAKEN: [&str; 8] = ["source", "version", "providers", "count", "for_each", "depends_on", "lifecycle", "locals"];

pub(super) fn variable(block: &Block, diagnostics: &mut Diagnostics) -> Variable {
    let shape = Shape {
        what: "a `variable` block",
        attributes: &["type", "default", "description", "sensitive", "nullable", "released"],
        blocks: &["validation"],
        required: &[],
    };
    shape.check(block, diagnostics);
    if TAKEN.contains(&block.label(0)) {
        diagnostics.push(
            Diagnostic::error("a variable cannot have this name")
                .at(block.label_span(0))
                .detail(format!("`{}` means something else in a `module` block", block.label(0)))
                .help("choose another name"),
        );
    }
    let ty = block.body.expr("type").map_or_else(Constraint::any, |expr| Constraint::read(expr, diagnostics));
    let validations = block.body.blocks("validation").filter_map(|nested| validation(nested, diagnostics)).collect();
    let mut plain = Plain { body: &block.body, diagnostics };
    plain.text("description");
    let (sensitive, released) = (plain.truth("sensitive").unwrap_or(false), plain.truth("released").unwrap_or(false));
    if sensitive && released {
        plain.diagnostics.push(
            Diagnostic::error("a secret does not travel")
                .at(block.header)
                .detail(format!("`{}` is `sensitive` and `released`; a release holds no secrets", block.label(0)))
                .help("remove `released`: each environment has its own secrets"),
        );
    }
    Variable {
        span: block.header,
        ty,
        default: block.body.expr("default").cloned(),
        sensitive,
        released,
        nullable: plain.truth("nullable").unwrap_or(true),
        validations,
    }
}

fn validation(block: &Block, diagnostics: &mut Diagnostics) -> Option<Validation> {
    let required = &["condition", "error_message"];
    Shape { what: "a `validation` block", attributes: required, blocks: &[], required }.check(block, diagnostics);
    Some(Validation {
        condition: block.body.expr("condition")?.clone(),
        message: block.body.expr("error_message")?.clone(),
    })
}

pub(super) fn output(mut block: Block, diagnostics: &mut Diagnostics) -> Option<Output> {
    let shape = Shape {
        what: "an `output` block",
        attributes: &["value", "sensitive", "description", "depends_on"],
        blocks: &[],
        required: &["value"],
    };
    shape.check(&block, diagnostics);
    let depends_on = depends_on(&mut block.body, diagnostics);
    let mut plain = Plain { body: &block.body, diagnostics };
    plain.text("description");
    let sensitive = plain.truth("sensitive").unwrap_or(false);
    Some(Output { span: block.header, value: block.body.expr("value")?.clone(), sensitive, depends_on })
}

/// The call, and the path it names.
pub(super) fn call(mut block: Block, diagnostics: &mut Diagnostics) -> (Call, Option<(String, Span)>) {
    for nested in &block.body.blocks {
        diagnostics.push(
            Diagnostic::error("there is no such block here")
                .at(nested.header)
                .detail(format!("a `module` block holds inputs, and `{}` is a block", nested.word))
                .help(format!("write `{} = …`", nested.word)),
        );
    }
    let source = source(&mut block, diagnostics);
    for later in ["version", "providers"] {
        if let Some(attribute) = take(&mut block.body, later) {
            diagnostics.push(
                Diagnostic::error("this attribute is not built yet")
                    .at(attribute.name_span)
                    .detail(format!("this version does not know `{later}` of a module"))
                    .help("remove it; resources of a module take the provider without an alias"),
            );
        }
    }
    let repeat = repeat(&mut block.body, diagnostics);
    let depends_on = depends_on(&mut block.body, diagnostics);
    let call = Call { span: block.header, module: None, inputs: block.body.attributes, repeat, depends_on };
    (call, source)
}

fn source(block: &mut Block, diagnostics: &mut Diagnostics) -> Option<(String, Span)> {
    let Some(attribute) = take(&mut block.body, "source") else {
        diagnostics.push(
            Diagnostic::error("a required attribute is missing")
                .at(block.header)
                .detail("a `module` block needs `source`")
                .help("add `source = \"../modules/NAME\"`, a path relative to this file"),
        );
        return None;
    };
    let text = settings::text(&attribute.expr);
    if text.is_none() {
        diagnostics.push(
            Diagnostic::error("a plain value is wanted here")
                .at(attribute.expr.span)
                .detail("`source` takes a plain string: modules are read before anything is evaluated")
                .help("write `source = \"../modules/NAME\"`"),
        );
    }
    text.map(|text| (text, attribute.expr.span))
}

pub(super) fn resource(mut block: Block, diagnostics: &mut Diagnostics) -> Resource {
    let repeat = repeat(&mut block.body, diagnostics);
    let depends_on = depends_on(&mut block.body, diagnostics);
    let provider = take(&mut block.body, "provider").map(|attribute| attribute.expr);
    let needs_schema = take(&mut block.body, "needs_schema")
        .map_or_else(Vec::new, |attribute| schema_need::read(&attribute.expr, diagnostics));
    let mut lifecycle = LifecycleBlock::default();
    let mut blocks = Vec::new();
    for nested in std::mem::take(&mut block.body.blocks) {
        match &*nested.word {
            "lifecycle" => lifecycle = read_lifecycle(nested, diagnostics),
            "provisioner" | "connection" => diagnostics.push(
                Diagnostic::error("this block is not built yet")
                    .at(nested.header)
                    .detail(format!("this version does not know `{}`", nested.word))
                    .help("remove it; what runs beside a resource cannot be taken back"),
            ),
            _ => blocks.push(nested),
        }
    }
    Resource {
        span: block.header,
        kind_span: block.label_span(0),
        body: Body { attributes: block.body.attributes, blocks },
        repeat,
        depends_on,
        provider,
        needs_schema,
        lifecycle,
    }
}

fn read_lifecycle(mut block: Block, diagnostics: &mut Diagnostics) -> LifecycleBlock {
    let ignore = take(&mut block.body, "ignore_changes");
    for later in ["precondition", "postcondition"] {
        for nested in block.body.blocks(later) {
            diagnostics.push(
                Diagnostic::error("this block is not built yet")
                    .at(nested.header)
                    .detail(format!("this version does not know `{later}`"))
                    .help("remove it, or use a `validation` of a variable"),
            );
        }
    }
    block.body.blocks.retain(|nested| !matches!(&*nested.word, "precondition" | "postcondition"));
    let shape = Shape {
        what: "a `lifecycle` block",
        attributes: &["create_before_destroy", "prevent_destroy", "ignore_changes"],
        blocks: &[],
        required: &[],
    };
    shape.check(&block, diagnostics);
    let mut plain = Plain { body: &block.body, diagnostics };
    LifecycleBlock {
        create_before_destroy: plain.truth("create_before_destroy").unwrap_or(false),
        prevent_destroy: plain.truth("prevent_destroy").unwrap_or(false),
        ignore_changes: ignore.map_or_else(Vec::new, |attribute| ignored(&attribute.expr, diagnostics)),
    }
}

fn ignored(expr: &Expr, diagnostics: &mut Diagnostics) -> Vec<(Arc<str>, Span)> {
    let items = match &expr.node {
        Node::Tuple(items) => items.as_slice(),
        _ => std::slice::from_ref(expr),
    };
    let mut names = Vec::new();
    for item in items {
        match &item.node {
            Node::Reference(Reference::Builtin(word)) if !word.contains('.') => names.push((word.clone(), item.span)),
            _ => match settings::text(item) {
                Some(text) => names.push((text.into(), item.span)),
                None => diagnostics.push(
                    Diagnostic::error("`ignore_changes` takes names of attributes")
                        .at(item.place())
                        .detail("only whole attributes can be left alone")
                        .help("write `ignore_changes = [desired_count]`, or `ignore_changes = all`"),
                ),
            },
        }
    }
    names
}

pub(super) fn provider(mut block: Block, diagnostics: &mut Diagnostics) -> Option<ProviderBlock> {
    let name = block.labels.first()?.0.clone();
    let alias = Plain { body: &block.body, diagnostics }.text("alias");
    take(&mut block.body, "alias");
    Some(ProviderBlock { name, span: block.header, alias: alias.map(Into::into), body: block.body })
}

pub(super) fn database(mut block: Block, folder: &Path, diagnostics: &mut Diagnostics) -> Database {
    let shape = Shape {
        what: "a `database` block",
        attributes: &[
            "url",
            "host",
            "port",
            "user",
            "dbname",
            "password",
            "password_file",
            "sslmode",
            "sslrootcert",
            "set_role",
            "tunnel",
            "aws_rds_iam_auth",
            "aws_rds_iam_region",
            "aws_rds_iam_profile",
            "migrations",
            "layout",
            "target",
            "lock_timeout",
            "keep",
            "depends_on",
        ],
        blocks: &["migration", "rehearsal", "budget"],
        required: &["migrations"],
    };
    shape.check(&block, diagnostics);
    let budget = budget_block::read(&block.body, diagnostics);
    let rehearsal = rehearsal(&mut block.body, folder, diagnostics);
    let depends_on = depends_on(&mut block.body, diagnostics);
    let path = Plain { body: &block.body, diagnostics }.text("migrations");
    let span = take(&mut block.body, "migrations").map_or(block.header, |attribute| attribute.expr.span);
    let normal = path.as_ref().map(|path| paths::normal(&folder.join(path)));
    if let (Some(None), Some(path)) = (&normal, &path) {
        diagnostics.push(
            Diagnostic::error("migrations lie outside of the project")
                .at(span)
                .detail(format!("`{path}` leads out of the project's folder"))
                .help("write a path relative to this file, like `../migrations/app`"),
        );
    }
    let migrations = normal.flatten().map(|path| (path, span));
    let said = migration_block::read_all(&block.body.blocks, diagnostics);
    Database { span: block.header, migrations, settings: block.body.attributes, said, rehearsal, budget, depends_on }
}

fn rehearsal(body: &mut Body, folder: &Path, diagnostics: &mut Diagnostics) -> Option<RehearsalBlock> {
    let (blocks, others) =
        std::mem::take(&mut body.blocks).into_iter().partition::<Vec<_>, _>(|nested| &*nested.word == "rehearsal");
    body.blocks = others;
    let mut blocks = blocks.into_iter();
    let mut block = blocks.next()?;
    for other in blocks {
        diagnostics.push(
            Diagnostic::error("there are two `rehearsal` blocks")
                .at(other.header)
                .detail("a database is rehearsed in one way")
                .help("remove one of them"),
        );
    }
    let shape = Shape {
        what: "a `rehearsal` block",
        attributes: &["url", "version", "extensions", "roles", "seed", "sample", "statement_timeout"],
        blocks: &[],
        required: &[],
    };
    shape.check(&block, diagnostics);
    let path = Plain { body: &block.body, diagnostics }.text("seed");
    let span = take(&mut block.body, "seed").map_or(block.header, |attribute| attribute.expr.span);
    let normal = path.as_ref().map(|path| paths::normal(&folder.join(path)));
    if let (Some(None), Some(path)) = (&normal, &path) {
        diagnostics.push(
            Diagnostic::error("a seed lies outside of the project")
                .at(span)
                .detail(format!("`{path}` leads out of the project's folder"))
                .help("write a path relative to this file, like `../migrations/app.seed.sql`"),
        );
    }
    Some(RehearsalBlock { settings: block.body.attributes, seed: normal.flatten().map(|path| (path, span)) })
}
