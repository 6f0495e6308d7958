//! Files of tests: `tests/NAME.test.hcl`, text → [`TestFile`]. Pure: every text comes through [`Files`].
//!
//! Invariant: a run that says nothing is a mistake, never a pass.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::body::{self, Attribute, Block, Body};
use super::gather::is_name;
use super::settings::{Plain, Shape};
use super::{Named, Verify, mask, verify_block};
use crate::diagnostic::{Diagnostic, Diagnostics, SourceId, Sources, Span};
use crate::digest::Digest;
use crate::expression::{Expr, Node, Reference};
use crate::files::Files;
use crate::kind::Kinds;
use crate::suggest::{did_you_mean, listed, nearest};

/// The folder of the tests.
pub const FOLDER: &str = "tests";

pub use super::paths::TEST_ENDING as ENDING;

/// A file of tests, not read yet.
#[derive(Clone, Debug)]
pub struct TestText {
    /// Its path, relative to the project.
    pub path: PathBuf,
    /// Its name: `smoke` of `tests/smoke.test.hcl`.
    pub name: String,
    /// The digest of its text.
    pub digest: Digest,
    text: String,
}

/// A file of tests.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// The environments that it is for, each with its place; all where there are none.
    pub environments: Vec<(String, Span)>,
    /// The values of variables for its plans.
    pub variables: Vec<Attribute>,
    /// Its runs, in order.
    pub runs: Vec<TestBlock>,
}

/// A `run` block.
#[derive(Clone, Debug)]
pub struct TestBlock {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is named.
    pub span: Span,
    /// What it looks at.
    pub looks_at: LooksAt,
    /// The values of variables for its plan.
    pub variables: Vec<Attribute>,
    /// What has to be true.
    pub asserts: Vec<Assertion>,
    /// What is asked of the world.
    pub verifies: Named<Verify>,
    /// What has to be refused.
    pub refused: Vec<(Refusable, Span)>,
}

/// What the spec may refuse the value of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusable {
    /// `var.NAME`.
    Variable(Arc<str>),
    /// `module.NAME.INPUT`.
    Input(Arc<str>, Arc<str>),
}

impl std::fmt::Display for Refusable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable(name) => write!(formatter, "var.{name}"),
            Self::Input(module, name) => write!(formatter, "module.{module}.{name}"),
        }
    }
}

impl Refusable {
    fn of(expr: &Expr) -> Option<Self> {
        match &expr.node {
            Node::Reference(Reference::Variable(name)) => Some(Self::Variable(name.clone())),
            Node::Attribute(source, name) => match &source.node {
                Node::Reference(Reference::Module(module)) => Some(Self::Input(module.clone(), name.clone())),
                _ => None,
            },
            _ => None,
        }
    }
}

/// What a run looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LooksAt {
    /// `command = plan`: what the spec wants, without any world.
    Plan,
    /// `command = verify`: the environment as it stands.
    World,
}

impl LooksAt {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::World => "verify",
        }
    }
}

/// An `assert` block.
#[derive(Clone, Debug)]
pub struct Assertion {
    /// What has to be true.
    pub condition: Expr,
    /// What is said when it is not.
    pub message: Expr,
}

impl TestFile {
    /// Whether it is for an environment.
    pub fn is_for(&self, environment: &str) -> bool {
        self.environments.is_empty() || self.environments.iter().any(|(name, _)| name == environment)
    }
}

/// The files of tests of a project, by name.
///
/// # Errors
/// The path of one that cannot be read, and why.
pub fn test_texts(files: &dyn Files, folder: &Path) -> Result<Vec<TestText>, (PathBuf, String)> {
    let mut texts = Vec::new();
    for path in files.list(&folder.join(FOLDER)).unwrap_or_default() {
        let Some(file) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(name) = file.strip_suffix(ENDING).filter(|name| !name.is_empty()) else { continue };
        let short = Path::new(FOLDER).join(file);
        let bytes = files.read(&path).map_err(|error| (short.clone(), error.to_string()))?;
        let digest = Digest::of_bytes(&bytes);
        let text = String::from_utf8(bytes).map_err(|_| (short.clone(), "it is not UTF-8 text".to_owned()))?;
        let text = text.replace('\u{feff}', "   ");
        texts.push(TestText { path: short, name: name.to_owned(), digest, text });
    }
    texts.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(texts)
}

/// The files that `requires_tests` names and that are not there: nothing would open that gate.
pub fn missing_files(spec: &super::Spec, files: &dyn Files, folder: &Path) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let Some(block) = &spec.settings else { return diagnostics };
    let paths = files.list(&folder.join(FOLDER)).unwrap_or_default();
    let name = |path: &PathBuf| Some(path.file_name()?.to_str()?.strip_suffix(ENDING)?.to_owned());
    let known: BTreeSet<String> = paths.iter().filter_map(name).filter(|name| !name.is_empty()).collect();
    for missing in block.gates.tests.iter().flatten().filter(|name| !known.contains(*name)) {
        let there = match known.is_empty() {
            true => format!("write it: there is no file of tests in `{FOLDER}/`"),
            false => format!("there are {}", listed(known.iter().map(String::as_str))),
        };
        let diagnostic = Diagnostic::warning("a gate asks for tests that are not there")
            .at(block.tests_at)
            .detail(format!("`requires_tests` names `{missing}`, and there is no `{FOLDER}/{missing}{ENDING}`"));
        let near = nearest(missing, known.iter().map(String::as_str));
        diagnostics.push(match near {
            Some(near) => diagnostic.help(format!("did you mean `{near}`? {there}")),
            None => diagnostic.help(there),
        });
    }
    diagnostics
}

impl TestText {
    /// Reads it, and puts its text beside those of the spec. `environments` are those of the project. Nothing where it
    /// does not parse.
    pub fn read(
        &self,
        sources: &mut Sources,
        kinds: &Kinds,
        environments: &[String],
        diagnostics: &mut Diagnostics,
    ) -> Option<TestFile> {
        let source = SourceId(u32::try_from(sources.files().count()).expect("fewer than 2^32 files"));
        let body = match body::read(&self.text, source, diagnostics) {
            Ok(body) => body,
            Err(mistake) => {
                sources.add(&self.path, mask::blot_unparsed(&self.text));
                diagnostics.push(*mistake);
                return None;
            }
        };
        sources.add(&self.path, mask::blot(&self.text, &mask::places(&body, kinds)));
        let start = Span { source, start: 0, end: 0 };
        Some(Reader { kinds, diagnostics }.file(body, start, environments))
    }
}

struct Reader<'a> {
    kinds: &'a Kinds,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn file(&mut self, body: Body, start: Span, environments: &[String]) -> TestFile {
        let whole = Block { word: "file".into(), labels: Vec::new(), header: start, body };
        let attributes = &["environments"];
        let shape = Shape { what: "a file of tests", attributes, blocks: &["run", "variables"], required: &[] };
        shape.check(&whole, self.diagnostics);
        let meant = self.environments(&whole.body, environments);
        let variables = self.variables(&whole.body);
        let mut runs: Vec<TestBlock> = Vec::new();
        for block in whole.body.blocks.iter().filter(|block| &*block.word == "run") {
            let Some(run) = self.run(block.clone(), &variables) else { continue };
            match runs.iter().any(|other| other.name == run.name) {
                true => self.diagnostics.push(
                    Diagnostic::error("two runs of a file have one name")
                        .at(run.span)
                        .detail(format!("`{}` is there already", run.name))
                        .help("give one of them another name"),
                ),
                false => runs.push(run),
            }
        }
        if !whole.body.blocks.iter().any(|block| &*block.word == "run") {
            self.diagnostics.push(
                Diagnostic::error("a file of tests has no run")
                    .at(start)
                    .detail("it would pass without having looked at anything")
                    .help("write `run \"NAME\" { … }`, or remove the file"),
            );
        }
        TestFile { environments: meant, variables, runs }
    }

    fn environments(&mut self, body: &Body, known: &[String]) -> Vec<(String, Span)> {
        let Some(span) = body.expr("environments").map(|expr| expr.span) else { return Vec::new() };
        let names = Plain { body, diagnostics: self.diagnostics }.texts("environments").unwrap_or_default();
        for name in names.iter().filter(|name| !known.contains(name)) {
            self.diagnostics.push(
                Diagnostic::error("there is no such environment")
                    .at(span)
                    .detail(format!("the project has no `{name}`"))
                    .help(did_you_mean(name, known.iter().map(String::as_str), "name one of its environments")),
            );
        }
        names.into_iter().map(|name| (name, span)).collect()
    }

    /// What all `variables` blocks of a body say.
    fn variables(&mut self, body: &Body) -> Vec<Attribute> {
        let mut found: Vec<Attribute> = Vec::new();
        for block in body.blocks("variables") {
            if let Some((_, label)) = block.labels.first() {
                self.labels(*label, "`variables` takes none", "variables { NAME = … }");
            }
            for nested in &block.body.blocks {
                self.diagnostics.push(
                    Diagnostic::error("there is no such block here")
                        .at(nested.header)
                        .detail("a `variables` block holds values only")
                        .help(format!("write `{} = …`", nested.word)),
                );
            }
            found.extend(block.body.attributes.iter().cloned());
        }
        found
    }

    fn labels(&mut self, at: Span, detail: &str, form: &str) {
        self.diagnostics.push(
            Diagnostic::error("a block has the wrong number of labels")
                .at(at)
                .detail(detail)
                .help(format!("write `{form}`")),
        );
    }

    fn run(&mut self, block: Block, of_file: &[Attribute]) -> Option<TestBlock> {
        let shape = Shape {
            what: "a `run` block",
            attributes: &["command", "expect_failures"],
            blocks: &["variables", "assert", "verify"],
            required: &[],
        };
        shape.check(&block, self.diagnostics);
        if block.labels.len() != 1 || !is_name(block.label(0)) {
            self.labels(
                block.label_span(0),
                "the label is the run's name: letters, digits, `_` and `-`",
                "run \"NAME\" { … }",
            );
            return None;
        }
        let looks_at = self.looks_at(&block.body);
        let run = TestBlock {
            name: block.label(0).into(),
            span: block.header,
            looks_at: looks_at.unwrap_or(LooksAt::World),
            variables: self.variables(&block.body),
            asserts: block.body.blocks("assert").filter_map(|assert| self.assert(assert)).collect(),
            verifies: self.verifies(&block.body),
            refused: self.refused(&block.body),
        };
        if looks_at.is_some() {
            self.refuse_senseless(&run, &block.body, of_file);
        }
        Some(run)
    }

    fn looks_at(&mut self, body: &Body) -> Option<LooksAt> {
        let Some(expr) = body.expr("command") else { return Some(LooksAt::World) };
        let word = match &expr.node {
            Node::Reference(Reference::Builtin(word)) => Some(word.to_string()),
            _ => super::settings::text(expr),
        };
        let found = [LooksAt::Plan, LooksAt::World].into_iter().find(|one| word.as_deref() == Some(one.word()));
        if found.is_none() {
            let named = word.map_or_else(|| "this".to_owned(), |word| format!("`{word}`"));
            self.diagnostics.push(
                Diagnostic::error("a run of tests cannot do that")
                    .at(expr.span)
                    .detail(format!("{named} is neither `plan` nor `verify`: tests change nothing"))
                    .help(
                        "write `command = plan` for what the spec wants, or `command = verify` for the environment as it stands",
                    ),
            );
        }
        found
    }

    fn assert(&mut self, block: &Block) -> Option<Assertion> {
        let attributes = &["condition", "error_message"];
        let shape = Shape { what: "an `assert` block", attributes, blocks: &[], required: attributes };
        shape.check(block, self.diagnostics);
        if let Some((_, label)) = block.labels.first() {
            self.labels(*label, "`assert` takes none", "assert { condition = … }");
        }
        let (condition, message) = (block.body.expr("condition")?, block.body.expr("error_message")?);
        Some(Assertion { condition: condition.clone(), message: message.clone() })
    }

    fn verifies(&mut self, body: &Body) -> Named<Verify> {
        let mut found: Named<Verify> = Named::new();
        for block in body.blocks("verify") {
            if block.labels.len() != 1 || !is_name(block.label(0)) {
                self.labels(block.label_span(0), "the label says what is asked", "verify \"NAME\" { … }");
                continue;
            }
            let name: Arc<str> = block.label(0).into();
            let verify = verify_block::verify(block.clone(), self.diagnostics);
            self.refuse_unfit(&verify, block);
            if found.insert(name.clone(), verify).is_some() {
                self.diagnostics.push(
                    Diagnostic::error("two checks of a run have one name")
                        .at(block.label_span(0))
                        .detail(format!("`{name}` is there already"))
                        .help("give one of them another name"),
                );
            }
        }
        found
    }

    /// What a `verify` block of the spec may say, and one of a test may not.
    fn refuse_unfit(&mut self, verify: &Verify, block: &Block) {
        for name in ["when", "on_failure", "parks_after", "depends_on"] {
            let Some(attribute) = block.body.attribute(name) else { continue };
            self.diagnostics.push(
                Diagnostic::error("this has no meaning in a test")
                    .at(attribute.name_span)
                    .detail(format!("`{name}` is about a run that changes something; a test asks at once"))
                    .help(format!("remove `{name}`")),
            );
        }
        let asks = verify.asks.as_ref();
        if let Some(asks) = asks.filter(|asks| self.kinds.check(&asks.kind).is_some_and(|kind| kind.once)) {
            self.diagnostics.push(
                Diagnostic::error("a test changes nothing")
                    .at(asks.span)
                    .detail(format!("`{}` has an effect", asks.kind))
                    .help("write it into a `verify` block of the spec: it is asked when that is applied"),
            );
        }
    }

    fn refused(&mut self, body: &Body) -> Vec<(Refusable, Span)> {
        let Some(expr) = body.expr("expect_failures") else { return Vec::new() };
        let mut found = Vec::new();
        let items = match &expr.node {
            Node::Tuple(items) => items.as_slice(),
            _ => std::slice::from_ref(expr),
        };
        for item in items {
            match Refusable::of(item) {
                Some(refusable) => found.push((refusable, item.span)),
                None => self.diagnostics.push(
                    Diagnostic::error("`expect_failures` takes a list of variables")
                        .at(item.span)
                        .detail(
                            "what can be expected is that the value of a variable, or of a module's input, is refused",
                        )
                        .help("write like `expect_failures = [var.image]` or `[module.web.image]`, without quotes"),
                ),
            }
        }
        found
    }

    /// Runs that look at nothing, or hold what has no meaning for what they look at.
    fn refuse_senseless(&mut self, run: &TestBlock, body: &Body, of_file: &[Attribute]) {
        let mut mistake = |summary: &str, at: Span, detail: String, help: &str| {
            self.diagnostics.push(Diagnostic::error(summary).at(at).detail(detail).help(help));
        };
        let says_something = body.blocks.iter().any(|block| matches!(&*block.word, "assert" | "verify"))
            || body.expr("expect_failures").is_some();
        if !says_something {
            mistake(
                "a run of tests says nothing",
                run.span,
                format!("`{}` would pass without having looked at anything", run.name),
                "write an `assert { … }` or a `verify \"NAME\" { … }` into it",
            );
        }
        match run.looks_at {
            LooksAt::World => {
                let given = run.variables.first().or(of_file.first());
                if let Some(given) = given {
                    mistake(
                        "an environment that stands takes no values",
                        given.name_span,
                        format!("`{}` looks at what was applied, with the values of then", run.name),
                        "remove them, or write `command = plan`; put runs of the two sorts into files of their own",
                    );
                }
                if let Some((_, span)) = run.refused.first() {
                    mistake(
                        "an environment that stands refuses nothing",
                        *span,
                        format!("`{}` looks at what was applied", run.name),
                        "write `command = plan`",
                    );
                }
            }
            LooksAt::Plan => {
                if let Some((name, verify)) = run.verifies.first() {
                    mistake(
                        "a plan has no world that could be asked",
                        verify.span,
                        format!("`{name}` asks the world, and `{}` looks at a plan", run.name),
                        "put it into a run with `command = verify`",
                    );
                }
                if let Some((_, span)) = run.refused.first().filter(|_| !run.asserts.is_empty()) {
                    mistake(
                        "a plan that is refused has no values",
                        *span,
                        format!("`{}` expects a failure, and asserts something of the plan", run.name),
                        "make two runs of it",
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> String {
        let kinds = Kinds::new([], []);
        let text = TestText {
            path: "tests/a.test.hcl".into(),
            name: "a".to_owned(),
            digest: Digest::of_bytes(text.as_bytes()),
            text: text.to_owned(),
        };
        let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
        text.read(&mut sources, &kinds, &["dev".to_owned()], &mut diagnostics);
        diagnostics.0.iter().map(|one| one.render(&sources)).collect()
    }

    #[test]
    fn a_good_file_is_read_without_a_word() {
        let good = "environments = [\"dev\"]\nrun \"a\" {\n  assert {\n    condition     = output.x == 1\n    \
                    error_message = \"no\"\n  }\n}\nrun \"b\" {\n  verify \"up\" {\n    tcp {}\n  }\n}\n";
        assert_eq!(mistakes(good), "");
        let plan = "variables {\n  x = 1\n}\nrun \"a\" {\n  command         = plan\n  expect_failures = [var.x]\n}\n";
        assert_eq!(mistakes(plan), "");
    }

    #[test]
    fn what_says_nothing_or_has_no_meaning_is_refused() {
        let assert = "  assert {\n    condition = true\n    error_message = \"\"\n  }\n";
        for (text, word) in [
            (String::new(), "a file of tests has no run"),
            ("run \"a\" {}\n".to_owned(), "a run of tests says nothing"),
            (format!("run \"a\" {{\n{assert}}}\nrun \"a\" {{\n{assert}}}\n"), "two runs of a file have one name"),
            (format!("run {{\n{assert}}}\n"), "wrong number of labels"),
            (format!("run \"a\" {{\n  command = apply\n{assert}}}\n"), "neither `plan` nor `verify`"),
            (format!("run \"a\" {{\n  variables {{\n x = 1\n }}\n{assert}}}\n"), "takes no values"),
            (format!("variables {{\n x = 1\n}}\nrun \"a\" {{\n{assert}}}\n"), "takes no values"),
            (format!("run \"a\" {{\n  asert {{}}\n{assert}}}\n"), "did you mean `assert`?"),
            (format!("environments = [\"deev\"]\nrun \"a\" {{\n{assert}}}\n"), "did you mean `dev`?"),
            ("run \"a\" {\n  assert {\n    condition = true\n  }\n}\n".to_owned(), "needs `error_message`"),
            ("run \"a\" {\n  verify \"up\" {\n when = \"after\"\n tcp {}\n}\n}\n".to_owned(), "no meaning in a test"),
            (
                "run \"a\" {\n command = plan\n verify \"up\" {\n tcp {}\n}\n}\n".to_owned(),
                "no world that could be asked",
            ),
            ("run \"a\" {\n command = plan\n expect_failures = [1]\n}\n".to_owned(), "takes a list of variables"),
        ] {
            assert!(mistakes(&text).contains(word), "`{word}` is missing for {text}:\n{}", mistakes(&text));
        }
    }
}
