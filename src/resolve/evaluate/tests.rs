//! Tests of the evaluator: mistakes, unknowns, secrets, closing, hostile input. Pure.
//!
//! Invariant: the world they ask is a few lines of this file.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::address::{Address, InstanceKey};
use crate::diagnostic::SourceId;
use crate::expression::Deferred;
use crate::secret::{SecretError, SecretReference};
use crate::spec::expression_from_text;
use crate::value::{Data, Unknown};

/// `var.*` by name; `thing.u` waits for its apply, `thing.many` has instances; `var.secret` is one.
struct World {
    variables: BTreeMap<&'static str, Value>,
    /// How often the value of all instances was asked for.
    whole: Cell<usize>,
}

fn waiting(name: &str, ty: Type) -> Value {
    Value::unknown(Unknown { waits_for: vec![Address::root("thing", name)], not_null: true, ..Unknown::of(ty) })
}

impl World {
    fn new() -> Self {
        let variables = BTreeMap::from([
            ("name", Value::from("alpha")),
            ("secret", Value::from("hunter2").sensitive()),
            ("path", Value::from("greeting.tftpl")),
        ]);
        Self { variables, whole: Cell::new(0) }
    }

    fn evaluate(&self, text: &str) -> Result<Value, Diagnostics> {
        evaluate(&expression_from_text(text, SourceId(0))?, self)
    }

    fn value(&self, text: &str) -> Value {
        self.evaluate(text).unwrap_or_else(|mistakes| panic!("`{text}`: {mistakes:?}"))
    }

    fn mistakes(&self, text: &str) -> Vec<String> {
        let mistakes = self.evaluate(text).expect_err("it has mistakes");
        assert!(mistakes.0.iter().all(|mistake| mistake.span.is_some()), "{text}: each has a place");
        mistakes.0.into_iter().map(|mistake| mistake.detail.unwrap_or(mistake.summary)).collect()
    }

    fn close(&self, text: &str) -> Deferred {
        let expr = expression_from_text(text, SourceId(0)).expect("it parses");
        let closed = close(&expr, self).unwrap_or_else(|mistakes| panic!("`{text}`: {mistakes:?}"));
        let stored = serde_json::to_string(&Deferred::new(Vec::new(), closed)).expect("it can be stored");
        assert!(!stored.contains("hunter2"), "{stored}");
        serde_json::from_str(&stored).expect("it can be read")
    }
}

struct Greeting;

impl crate::files::Files for Greeting {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        match path.ends_with("greeting.tftpl") {
            true => Ok(b"Hello ${who}\n%{ for p in ports ~}\n${p};\n%{ endfor ~}\n".to_vec()),
            false => Err(std::io::ErrorKind::NotFound.into()),
        }
    }

    fn list(&self, _: &Path) -> std::io::Result<Vec<std::path::PathBuf>> {
        Ok(vec!["greeting.tftpl".into()])
    }
}

impl Scope for World {
    fn reference(&self, reference: &Reference, span: Span) -> Result<Value, Diagnostic> {
        let found = match reference {
            Reference::Variable(name) => self.variables.get(&**name).cloned(),
            Reference::Block { name, .. } if &**name == "u" => {
                Some(Value::object([("id", waiting("u", Type::String)), ("name", "n".into())]))
            }
            Reference::Block { name, .. } if &**name == "many" => {
                self.whole.set(self.whole.get() + 1);
                Some(Value::object([("a", Value::object([("id", Value::from("id-a"))]))]))
            }
            _ => None,
        };
        found.ok_or_else(|| Diagnostic::error("there is no such name").at(span))
    }

    fn instance(&self, block: &Reference, key: &InstanceKey, _: Span) -> Option<Result<Value, Diagnostic>> {
        match (block, key) {
            (Reference::Block { name, .. }, InstanceKey::Key(key)) if &**name == "many" => {
                Some(Ok(Value::object([("id", Value::from(format!("id-{key}")))])))
            }
            _ => None,
        }
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { files: Some(&Greeting), folder: Path::new("/project"), home: None, planned_at: None, now: None }
    }
}

impl ClosingScope for World {
    fn close(&self, reference: &Reference, _: Span) -> Result<Expr, Diagnostic> {
        Ok(Expr::reference(match reference {
            Reference::Variable(name) => Reference::Secret(SecretReference::Variable { name: name.to_string() }),
            Reference::Block { word, name } => Reference::Instance(Address::root(word, name)),
            other => panic!("{other:?} is known"),
        }))
    }

    fn literal_secret(&self, span: Span) -> SecretReference {
        SecretReference::Literal { file: "a.hcl".into(), start: span.start, instance: String::new() }
    }
}

/// After the apply.
struct Applied;

impl Lookup for Applied {
    fn instance(&self, address: &Address) -> Option<Value> {
        (&*address.name == "u").then(|| Value::object([("id", Value::from("i-1")), ("name", "n".into())]))
    }

    fn all_instances(&self, _: &Address) -> Option<Value> {
        None
    }

    fn secret(&self, secret: &SecretReference) -> Result<Value, SecretError> {
        match secret {
            SecretReference::Variable { .. } => Ok("hunter2".into()),
            SecretReference::Literal { .. } => Ok("written".into()),
            other => Err(SecretError { reference: Box::new(other.clone()), cause: "not here".into() }),
        }
    }
}

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let world = World::new();
    assert_eq!(world.mistakes("[1 + \"x\", upper([1]), {}.a, \"${null}-\"]").len(), 4);
    assert_eq!(world.mistakes("{ a = 1 / 0, b = [][0] }").len(), 2);
    assert_eq!(world.mistakes("uper(\"a\")"), ["`uper` does not exist"]);
    assert_eq!(world.mistakes("{ name = 1 }.nam"), ["there is no attribute `nam` here"]);
}

#[test]
fn a_name_that_does_not_exist_is_a_mistake_wherever_it_stands() {
    let world = World::new();
    for text in ["try(var.nope, 1)", "can(var.nope)", "true ? 1 : var.nope", "try(nofn(1), 1)"] {
        assert_eq!(world.mistakes(text).len(), 1, "{text}");
    }
    assert_eq!(world.value("try({}.a, 1)"), 1.into());
}

#[test]
fn one_instance_is_asked_for_by_its_key() {
    let world = World::new();
    assert_eq!(world.value("thing.many[\"z\"].id"), "id-z".into());
    assert_eq!(world.value("thing.many[var.name].id"), "id-alpha".into());
    assert_eq!(world.whole.get(), 0);
    assert_eq!(world.value("[for k, v in thing.many : v.id]"), Value::tuple(vec!["id-a".into()]));
    assert_eq!(world.whole.get(), 1);
}

#[test]
fn an_unknown_says_what_it_waits_for_and_what_is_known_of_it() {
    let world = World::new();
    let text = world.value("\"x-${thing.u.id}-y\"");
    let Data::Unknown(unknown) = text.data() else { panic!("{text}") };
    assert_eq!(unknown.prefix.as_deref(), Some("x-"));
    assert_eq!(unknown.ty, Type::String);
    assert!(unknown.not_null);
    assert_eq!(unknown.waits_for, [Address::root("thing", "u")]);
    for text in [
        "upper(thing.u.id)",
        "[for x in [thing.u.id] : x if x != \"\"]",
        "{ (thing.u.id) = 1 }",
        "jsonencode([thing.u.id])",
    ] {
        assert_eq!(world.value(text).waits_for(), [Address::root("thing", "u")], "{text}");
    }
}

#[test]
fn what_a_secret_touches_is_secret() {
    let world = World::new();
    for text in [
        "\"a-${var.secret}\"",
        "upper(var.secret)",
        "jsonencode({ a = [var.secret] })",
        "var.secret == \"x\"",
        "length(var.secret)",
        "var.secret == \"x\" ? 1 : 2",
        "{ (var.secret) = 1 }",
        "toset([var.secret])",
        "[for x in [1] : x if var.secret != \"\"]",
        "format(\"%s\", var.secret)",
        "join(\",\", [var.secret])",
        "substr(var.secret, 0, 1)",
        "merge({ a = 1 }, { b = var.secret })",
        "templatefile(var.path, { who = var.secret, ports = [] })",
        "try(var.secret, 1)",
        "[var.secret][0]",
        "{ a = var.secret }.a",
        "{ hunter2 = 1 }[var.secret]",
        "concat([var.secret], [])",
        "coalesce(null, var.secret)",
        "regex(\".*\", var.secret)",
        "\"%{ for x in [var.secret] }${x}%{ endfor }\"",
        "\"%{ if var.secret == \"x\" }a%{ endif }\"",
        "[for x in [var.secret] : x][*]",
        "zipmap([\"a\"], [var.secret])",
        "thing.many[var.secret]",
    ] {
        let value = world.value(text);
        assert!(value.is_sensitive(), "{text} gives {value}");
        assert!(!format!("{value:?}").contains("hunter2"), "{text}");
    }
    assert!(!world.value("nonsensitive(upper(var.secret))").is_sensitive());
}

#[test]
fn no_mistake_shows_a_secret() {
    let world = World::new();
    for text in [
        "var.secret + 1",
        "tonumber(var.secret)",
        "{}[var.secret]",
        "[1][var.secret]",
        "file(var.secret)",
        "lookup({}, var.secret)",
        "parseint(var.secret, 10)",
        "jsondecode(var.secret)",
        "formatdate(\"YYYY\", var.secret)",
        "regex(\"^$\", var.secret)",
        "regex(var.secret, 1) + {}",
        "{ for x in [var.secret, var.secret] : x => 1 }",
        "var.secret.a",
        "templatefile(var.secret, {})",
        "cidrhost(var.secret, 1)",
        "base64decode(var.secret)",
        "format(var.secret, 1)",
        "timeadd(var.secret, \"1h\")",
    ] {
        let mistakes = format!("{:?}", world.evaluate(text).expect_err(text));
        assert!(!mistakes.contains("hunter2"), "{text}: {mistakes}");
    }
}

#[test]
fn what_is_closed_needs_no_spec_and_comes_to_the_same() {
    let world = World::new();
    for (text, wanted) in [
        ("\"${var.name}-${thing.u.id}\"", Value::from("alpha-i-1")),
        ("thing.u.id", "i-1".into()),
        ("[for x in [thing.u.id, var.name] : upper(x)]", Value::tuple(vec!["I-1".into(), "ALPHA".into()])),
        ("true ? thing.u.id : [][0]", "i-1".into()),
        ("templatefile(var.path, { who = thing.u.id, ports = [1, 2] })", "Hello i-1\n1;\n2;\n".into()),
        ("format(\"%s-%s\", var.secret, thing.u.id)", Value::from("hunter2-i-1").sensitive()),
        ("sensitive(\"written here\")", Value::from("written").sensitive()),
        ("{ a = thing.u.id, b = sensitive(\"x\") }.b", Value::from("written").sensitive()),
        ("thing.u.id == \"i-1\" ? 1 : 2", 1.into()),
    ] {
        let deferred = world.close(text);
        assert_eq!(evaluate_deferred(&deferred, &Applied).expect(text), wanted, "{text}");
    }
    let deferred = world.close("\"${var.name}-${thing.u.id}-${var.secret}\"");
    assert_eq!(deferred.references(), [Address::root("thing", "u")]);
    assert_eq!(deferred.secrets(), [SecretReference::Variable { name: "secret".into() }]);
}

#[test]
fn closing_refuses_files_that_are_not_known() {
    let world = World::new();
    let expr = expression_from_text("file(thing.u.id)", SourceId(0)).expect("it parses");
    assert!(close(&expr, &world).is_err());
}

#[test]
fn shared_parts_are_evaluated_once() {
    struct Counting(Cell<usize>);
    impl Lookup for Counting {
        fn instance(&self, _: &Address) -> Option<Value> {
            self.0.set(self.0.get() + 1);
            Some(Value::object([("id", Value::from("x"))]))
        }
        fn all_instances(&self, _: &Address) -> Option<Value> {
            None
        }
        fn secret(&self, secret: &SecretReference) -> Result<Value, SecretError> {
            Err(SecretError { reference: Box::new(secret.clone()), cause: "none".into() })
        }
    }
    // Each cell names the one before twice: 2^60 evaluations if nothing were kept.
    let mut cells = vec![Deferred::attribute(Address::root("thing", "u"), "id").root];
    for index in 0..60 {
        let before = || Expr::reference(Reference::Cell(index));
        cells.push(Expr::nowhere(Node::Binary(
            crate::expression::BinaryOperator::Equal,
            Box::new(before()),
            Box::new(before()),
        )));
    }
    let root = Expr::reference(Reference::Cell(60));
    let counting = Counting(Cell::new(0));
    let value = evaluate_deferred(&Deferred::new(cells, root), &counting).expect("it has a value");
    assert_eq!((value, counting.0.get()), (true.into(), 1));
}

#[test]
fn what_is_not_applied_yet_stays_unknown() {
    let deferred = Deferred::attribute(Address::root("thing", "later"), "id");
    let value = evaluate_deferred(&deferred, &Applied).expect("it has a value");
    assert_eq!(value.waits_for(), [Address::root("thing", "later")]);
}

#[test]
fn nothing_makes_the_evaluator_panic_or_run_away() {
    let world = World::new();
    let long = format!("{}1", "1 + ".repeat(100));
    let deep = format!("{}1{}", "[".repeat(60), "]".repeat(60));
    let texts = [
        "1e9999 * 1e9999",
        "9223372036854775807 + 1",
        "-9223372036854775807 - 2",
        "-9223372036854775808 % -1",
        "-9223372036854775808 / -1",
        "abs(-9223372036854775808)",
        "pow(10, 100000)",
        "pow(2, 4096)",
        "pow(0, -1)",
        "log(0, 0)",
        "range(0, 1e9999, 1e-9999)",
        "range(1e18)",
        "indent(1e9999, \"a\\nb\")",
        "indent(9223372036854775807, \"a\\nb\")",
        "substr(\"abc\", -9223372036854775808, 9223372036854775807)",
        "substr(\"abc\", 9223372036854775807, 1)",
        "format(\"%99999999999d\", 1)",
        "format(\"%.9999f\", 1)",
        "format(\"%[0]s\", 1)",
        "format(\"%[99999999999999999999]s\", 1)",
        "format(\"%\", 1)",
        "format(\"%5\", 1)",
        "format(\"%e\", 1e9999)",
        "format(\"%g\", 1e-9999)",
        "format(\"%x\", 1e9999)",
        "parseint(\"\", 10)",
        "parseint(\"-\", 10)",
        "parseint(\"é\", 62)",
        "chunklist([1], 9223372036854775807)",
        "element([1], 9223372036854775807)",
        "slice([1], 9223372036854775807, 0)",
        "cidrhost(\"::/0\", -1)",
        "cidrhost(\"0.0.0.0/0\", 1e9999)",
        "cidrsubnet(\"::/0\", 128, 1e30)",
        "cidrsubnet(\"::/0\", 4294967295, 0)",
        "cidrsubnets(\"::/0\", 128, 128)",
        "cidrsubnets(\"0.0.0.0/0\", 1, 1, 1)",
        "cidrnetmask(\"1.2.3.4/0\")",
        "timeadd(\"9999-12-31T23:59:59Z\", \"9999999h\")",
        "timeadd(\"2020-01-01T00:00:00Z\", \"1e5h\")",
        "timeadd(\"2020-01-01T00:00:00Z\", \"99999999999999999999999h\")",
        "formatdate(\"é\", \"2020-01-01T00:00:00Z\")",
        "formatdate(\"YYYY\", \"é020-01-01T00:00:00Z\")",
        "formatdate(\"YYYY\", \"2020-01-01T00:00:00+99:99\")",
        "regex(\"(((((a{100}){100}){100}){100}){100})\", \"a\")",
        "regex(\"[\", \"a\")",
        "replace(\"aaa\", \"\", \"b\")",
        "jsondecode(\"\\\"\\\\\")",
        "jsondecode(\"1e999999\")",
        "csvdecode(\"\\\"\")",
        "base64decode(\"é\")",
        "setproduct(range(1000), range(1000), range(1000), range(1000))",
        "fileset(\".\", \"[\")",
        "fileset(\".\", \"{\")",
        "templatefile(var.path, {})",
        "templatefile(var.path, null)",
        "strrev(\"\\u0301\")",
        "title(\"ß\")",
        "textdecodebase64(\"YQ==\", \"UTF-16LE\")",
        "uuidv5(\"é\", \"\")",
        "merge([]...)",
        "max([]...)",
        "try()",
        "can()",
        "zipmap([null], [1])",
        "transpose({ a = [null] })",
        "sort([null])",
        "join(\",\", [null])",
        "sum([])",
        "yamlencode({ a = [[], {}, [[1]], { b = [{ c = 1 }] }] })",
        "flatten([[[[[[1]]]]]])",
        "one(null)",
        "length(1)",
        "[for k, v in \"a\" : k]",
        "\"a\"[*].b",
        "null[*]",
        "{}[*]",
        "1[0]",
        "\"\"[0]",
        "[1][1e9999]",
        "[1][-1]",
        "[1][0.5]",
        long.as_str(),
        deep.as_str(),
    ];
    for text in texts {
        // A value or a mistake; what matters is that it comes back.
        let _ = world.evaluate(text);
    }
    let nested = (0..2_000).fold(Expr::literal(1_i64), |inner, _| {
        Expr::nowhere(Node::Unary(crate::expression::UnaryOperator::Negate, Box::new(inner)))
    });
    assert!(evaluate(&nested, &world).is_err());
    let decoded = format!("jsondecode(\"{}\")", "[".repeat(100_000));
    assert!(world.evaluate(&decoded).is_err());
}
