//! The oracle corpus: expressions and what Terraform makes of them (`tests/oracle/README.md`).
//!
//! Every row has to agree, except those listed here with their reason; a listed row that agrees is a failure as
//! well, so that the lists only shrink.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use switchback::address::{Address, InstanceKey};
use switchback::diagnostic::{Diagnostic, SourceId, Span};
use switchback::expression::{Call, Expr, Node, PathWord, Reference};
use switchback::files::Files;
use switchback::resolve::console::{answer, display_type};
use switchback::resolve::evaluate::{Scope, Surroundings, evaluate};
use switchback::spec::expression_from_text;
use switchback::value::{Data, Type, Unknown, Value, types::Field};

mod differences;

use differences::{DELIBERATE, NOT_YET};

#[derive(serde::Deserialize)]
struct Row {
    id: String,
    expr: String,
    mode: String,
    ok: bool,
    display: Option<String>,
    #[serde(rename = "type")]
    ty: Option<String>,
    json_text: Option<String>,
}

struct Disk;

impl Files for Disk {
    #[expect(clippy::disallowed_methods, reason = "the test is the edge that reads files")]
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn list(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        children(folder, Path::is_file)
    }

    fn folders(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        children(folder, Path::is_dir)
    }
}

fn children(folder: &Path, wanted: fn(&Path) -> bool) -> std::io::Result<Vec<PathBuf>> {
    let mut paths =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| wanted(path));
    paths.sort();
    Ok(paths)
}

/// The names of `context/context.tf`.
struct Context {
    folder: PathBuf,
    variables: BTreeMap<&'static str, Value>,
    locals: BTreeMap<&'static str, Value>,
    resources: BTreeMap<&'static str, Value>,
    planning: bool,
}

fn literal(text: &str) -> Value {
    let context = Context::empty();
    let expr = expression_from_text(text, SourceId(0)).expect("the context parses");
    evaluate(&expr, &context).expect("the context evaluates")
}

fn object_type(fields: &[(&str, Type, bool)]) -> Type {
    let fields =
        fields.iter().map(|(name, ty, optional)| ((*name).into(), Field { ty: ty.clone(), optional: *optional }));
    Type::Object(std::sync::Arc::new(fields.collect()))
}

fn typed(text: &str, ty: &Type) -> Value {
    literal(text).convert(ty).expect("the context converts")
}

fn resource(name: &str, input: &str) -> Value {
    let address = Address::root("terraform_data", name);
    let unknown =
        |ty: Type, not_null| Value::unknown(Unknown { not_null, waits_for: vec![address.clone()], ..Unknown::of(ty) });
    let input = literal(input);
    Value::object([
        ("id", unknown(Type::String, true)),
        ("output", unknown(input.ty(), false)),
        ("input", input),
        ("triggers_replace", Value::null()),
    ])
}

impl Context {
    fn empty() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/context");
        let (variables, locals, resources) = Default::default();
        Self { folder, variables, locals, resources, planning: false }
    }

    fn full(planning: bool) -> Self {
        let texts = Type::list(Type::String);
        let nested = object_type(&[("on", Type::Bool, true), ("list", texts.clone(), true)]);
        let object = object_type(&[
            ("id", Type::String, false),
            ("size", Type::Number, true),
            ("label", Type::String, true),
            ("nested", nested, true),
        ]);
        let user =
            object_type(&[("name", Type::String, false), ("roles", texts.clone(), false), ("age", Type::Number, true)]);
        let users = r#"[{ name = "ann", roles = ["admin", "dev"], age = 41 }, { name = "bob", roles = ["dev"] }, { name = "cyd", roles = [] }]"#;
        let variables = BTreeMap::from([
            ("name", literal("\"alpha\"")),
            ("count_n", literal("3")),
            ("enabled", literal("true")),
            ("zones", typed(r#"["a", "b", "c"]"#, &texts)),
            ("ports", typed("[443, 80, 80]", &Type::set(Type::Number))),
            ("tags", typed(r#"{ team = "core", env = "dev", cost = 12 }"#, &Type::map(Type::String))),
            ("obj", typed(r#"{ id = "x1", size = 10, label = null, nested = { on = false, list = ["d"] } }"#, &object)),
            ("users", typed(users, &Type::list(user))),
            ("maybe", Data::Null(Type::String).into()),
            ("secret", Value::from("s3cr3t").sensitive()),
            ("anything", literal(r#"{ a = [1, "two", true], b = null }"#)),
        ]);
        let locals = BTreeMap::from([
            (
                "servers",
                literal(
                    r#"{ web = { ip = "10.0.0.1", ports = [80, 443] }, db = { ip = "10.0.0.2", ports = [5432] } }"#,
                ),
            ),
            ("empty_list", literal("[]")),
            ("empty_map", literal("{}")),
            ("nested", literal("[[1, 2], [3], []]")),
            ("tuple_mixed", literal(r#"[1, "two", true, null]"#)),
        ]);
        let resources = BTreeMap::from([
            ("u", resource("u", r#"{ name = "n", size = 2 }"#)),
            ("c", Value::tuple(vec![resource("c", "\"c0\""), resource("c", "\"c1\"")])),
            ("f", Value::object([("a", resource("f", "1")), ("b", resource("f", "2"))])),
        ]);
        Self { variables, locals, resources, planning, ..Self::empty() }
    }
}

impl Scope for Context {
    fn reference(&self, reference: &Reference, span: Span) -> Result<Value, Diagnostic> {
        let found = match reference {
            Reference::Variable(name) => self.variables.get(&**name).cloned(),
            Reference::Local(name) => self.locals.get(&**name).cloned(),
            Reference::Block { word, name } if &**word == "terraform_data" => self.resources.get(&**name).cloned(),
            Reference::Path(PathWord::Module | PathWord::Root) => Some(".".into()),
            Reference::Path(PathWord::Cwd) => Some(self.folder.display().to_string().into()),
            Reference::Builtin(name) if &**name == "terraform.workspace" => Some("default".into()),
            _ => None,
        };
        found.ok_or_else(|| Diagnostic::error("there is no such name").detail(format!("{reference:?}")).at(span))
    }

    fn instance(&self, block: &Reference, key: &InstanceKey, span: Span) -> Option<Result<Value, Diagnostic>> {
        let all = self.reference(block, span).ok()?;
        let found = match key {
            InstanceKey::Index(index) => all.items()?.get(usize::try_from(*index).ok()?).cloned(),
            InstanceKey::Key(key) => all.get(key).cloned(),
        };
        Some(found.ok_or_else(|| Diagnostic::error("there is no such instance").at(span)))
    }

    fn surroundings(&self) -> Surroundings<'_> {
        let now = (!self.planning).then(|| "2026-11-21T12:00:00Z".parse().expect("a timestamp"));
        Surroundings { files: Some(&Disk), folder: &self.folder, home: Some(Path::new("/root")), planned_at: None, now }
    }
}

/// What is different in a row; nothing when it agrees.
fn difference(row: &Row, context: &Context) -> Option<String> {
    let expr = match expression_from_text(&row.expr, SourceId(0)) {
        Ok(expr) => expr,
        Err(mistakes) if row.ok => return Some(format!("does not parse: {:?}", mistakes.0)),
        Err(_) => return None,
    };
    let shown = match (answer(&expr, context), row.ok) {
        (Ok(shown), true) => shown,
        (Ok(shown), false) => return Some(format!("is an error there, here it is {shown}")),
        (Err(mistakes), true) => return Some(format!("has no value: {:?}", mistakes.0)),
        (Err(mistakes), false) => return mistakes.0.is_empty().then(|| "fails without saying why".to_owned()),
    };
    let wanted = row.display.as_deref().unwrap_or_default();
    if shown != wanted {
        return Some(format!("is shown as\n{shown}\ninstead of\n{wanted}"));
    }
    let ty = evaluate(&expr, context).map_or_else(|_| "type".to_owned(), |value| display_type(&value.ty()));
    if row.ty.as_ref().is_some_and(|wanted| *wanted != ty) {
        return Some(format!("is of type {ty} instead of {}", row.ty.as_deref().unwrap_or_default()));
    }
    let call = Call { function: "jsonencode".into(), arguments: vec![expr], expand_last: false };
    let wanted = row.json_text.as_deref()?;
    let encoded = match evaluate(&Expr::nowhere(Node::Call(call)), context) {
        Ok(encoded) => encoded,
        Err(mistakes) => return Some(format!("cannot be encoded: {:?}", mistakes.0)),
    };
    (encoded.as_str() != Some(wanted)).then(|| format!("encodes as {encoded} instead of {wanted}"))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test is the edge that reads files")]
fn expressions_agree_with_terraform() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/expressions.jsonl");
    let text = std::fs::read_to_string(path).expect("the corpus is there");
    let rows: Vec<Row> = text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
    assert_eq!(rows.len(), 812);
    let listed: BTreeSet<&str> = DELIBERATE.iter().chain(NOT_YET).flat_map(|(_, ids)| ids.iter().copied()).collect();
    let (eval, plan) = (Context::full(false), Context::full(true));
    let (mut wrong, mut obsolete) = (Vec::new(), Vec::new());
    for row in &rows {
        let context = if row.mode == "plan" { &plan } else { &eval };
        match (difference(row, context), listed.contains(row.id.as_str())) {
            (Some(difference), false) => wrong.push(format!("{} `{}` {difference}", row.id, row.expr)),
            (None, true) => obsolete.push(row.id.as_str()),
            (Some(_), true) | (None, false) => {}
        }
    }
    assert!(wrong.is_empty(), "{} rows differ from Terraform:\n{}", wrong.len(), wrong.join("\n"));
    assert!(obsolete.is_empty(), "these rows agree now, take them off their list: {obsolete:?}");
    let ids: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    assert!(listed.is_subset(&ids), "a listed row does not exist");
}
