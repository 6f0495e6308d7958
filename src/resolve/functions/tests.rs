//! Tests of the table of functions as a whole; results are the oracle's matter. Pure.
//!
//! Invariant: each walks the table itself, so that a new row is tested without being named here.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

fn surroundings() -> Surroundings<'static> {
    Surroundings { files: None, folder: Path::new("/project"), home: None, planned_at: None, now: None }
}

fn run(name: &str, values: &[Value]) -> Outcome {
    call(find(name).expect("it is in the table"), values, surroundings())
}

#[test]
fn every_row_has_a_name_of_its_own_and_lower_case() {
    let names: Vec<&str> = TABLE.iter().copied().flatten().map(|function| function.name).collect();
    let different: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(names.len(), different.len());
    assert!(names.len() > 90, "{}", names.len());
    assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())));
    assert!(SPECIAL_FORMS.iter().all(|form| !different.contains(form)));
    assert!(READING.iter().all(|name| different.contains(name) || SPECIAL_FORMS.contains(name)));
}

/// A null, an unknown and a secret in every place: none may panic, none may lose the mark.
#[test]
fn every_row_stands_null_unknown_and_secret_arguments() {
    for function in TABLE.iter().copied().flatten() {
        let count = function.parameters.len() + usize::from(function.variadic.is_some());
        let plain = |kind: Kind| match kind {
            Kind::Any | Kind::Text => Value::from("10"),
            Kind::Bool => true.into(),
            Kind::Number => 1.into(),
            Kind::List | Kind::Texts | Kind::Numbers | Kind::Set | Kind::TextSet => Value::tuple(vec!["1".into()]),
            Kind::Bools => Value::tuple(vec![true.into()]),
            Kind::TextLists => Value::object([("a", Value::tuple(vec!["b".into()]))]),
        };
        let kinds: Vec<Kind> = (0..count).filter_map(|index| function.parameter(index)).map(|p| p.kind).collect();
        for place in 0..count {
            for special in [
                Value::null(),
                Value::unknown(Unknown::of(Type::Any)),
                Value::unknown(Unknown::of(kinds[place].ty())),
                plain(kinds[place]).sensitive(),
                Value::tuple(vec![plain(kinds[place]).sensitive()]),
                Value::sealed(crate::value::Sealed { digest: None }),
                Value::object([("a", Value::unknown(Unknown::of(Type::Any)))]),
            ] {
                let mut values: Vec<Value> = kinds.iter().map(|kind| plain(*kind)).collect();
                values[place] = special.clone();
                let outcome = call(function, &values, surroundings());
                let told = ["nonsensitive", "issensitive"].contains(&function.name);
                if let Ok(value) = outcome
                    && special.marks().sensitive
                    && !told
                {
                    // `coalesce` takes the first of its arguments, and that is another one here.
                    let dropped = function.name == "coalesce" && place > 0;
                    assert!(value.is_sensitive() || dropped, "{}({values:?}) = {value}", function.name);
                }
            }
        }
    }
}

#[test]
fn a_call_that_does_not_fit_says_how_it_is_written() {
    let error = run("join", &[]).expect_err("too few");
    assert!(error.message.contains("join(separator, lists…)"), "{}", error.message);
    let error = run("upper", &[Value::null()]).expect_err("null");
    assert_eq!((error.argument, error.message.as_str()), (Some(0), "`string` must not be null"));
    assert_eq!(similar("uper"), Some("upper"));
}

#[test]
fn without_files_nothing_is_read() {
    for name in READING.into_iter().filter_map(find).filter(|function| function.name != "abspath") {
        let values = vec![Value::from("x"); name.parameters.len()];
        let error = call(name, &values, surroundings()).expect_err(name.name);
        assert!(error.message.contains("when planning"), "{}: {}", name.name, error.message);
    }
}

/// Results that were compared with Terraform's on the day they were written, beyond the oracle.
#[test]
fn results_are_terraforms() {
    let text = |name: &str, values: &[Value]| run(name, values).map(|value| value.to_json_text()).unwrap_or_default();
    let cases: [(&str, Vec<Value>, &str); 14] = [
        ("regexall", vec!["\\w+".into(), "ÀÉ ab".into()], r#"["ab"]"#),
        ("regex", vec!["[\\w[&-]+".into(), "x[&-y!".into()], r#""x[&-y""#),
        ("upper", vec!["straße".into()], r#""STRAßE""#),
        (
            "format",
            vec![
                "%v|%g|%.3g|%08.3f|%+d".into(),
                123_456_789.into(),
                100_000.into(),
                1_000_000.into(),
                1.into(),
                5.into(),
            ],
            r#""1.23456789e+08|100000|1e+06|0001.000|+5""#,
        ),
        ("formatdate", vec!["hh'h'mm ''".into(), "2018-01-02T23:12:01Z".into()], r#""23h12 '""#),
        ("timeadd", vec!["2018-01-02T23:12:01Z".into(), "h".into()], ""),
        ("jsondecode", vec!["01".into()], ""),
        ("yamlencode", vec![" a\nb".into()], "\"|2-\\n   a\\n  b\\n\""),
        ("yamlencode", vec!["a \nb".into()], "\"\\\"a \\\\nb\\\"\\n\""),
        (
            "cidrsubnets",
            vec!["10.1.0.0/16".into(), 4.into(), 8.into(), 4.into()],
            r#"["10.1.0.0/20","10.1.16.0/24","10.1.32.0/20"]"#,
        ),
        ("coalescelist", vec![Value::tuple(vec![1.into()]), Value::object::<&str>([])], ""),
        ("title", vec!["don't stop-me_now".into()], r#""Don'T Stop-Me_now""#),
        ("substr", vec!["hello".into(), (-2).into(), 1.into()], r#""l""#),
        ("parseint", vec!["Z".into(), 62.into()], "61"),
    ];
    for (name, values, wanted) in cases {
        assert_eq!(text(name, &values), wanted, "{name}({values:?})");
    }
}
