//! `yamlencode` and `yamldecode`. Pure.
//!
//! Invariant: what `yamlencode` writes, `yamldecode` reads back.

use super::{Function, Kind, nullable, parameter, row, yaml_read, yaml_write};

pub(super) static ROWS: &[Function] = &[
    row("yamldecode", &[parameter("text", Kind::Text)], Kind::Any, |a| yaml_read::document(a.text(0))),
    row("yamlencode", &[nullable("value", Kind::Any)], Kind::Text, |a| Ok(yaml_write::document(a.value(0)).into())),
];

#[cfg(test)]
mod tests {
    use super::{yaml_read, yaml_write};
    use crate::value::Value;

    fn json(text: &str) -> Option<String> {
        yaml_read::document(text).ok().map(|value| value.to_json_text())
    }

    /// Each pair was given to Terraform's `yamldecode` as well.
    #[test]
    fn yaml_reads_as_in_terraform() {
        for (text, wanted) in [
            ("a: 012\nb: 0x1F\nc: 1_000\nd: .5\ne: yes", r#"{"a":12,"b":31,"c":"1_000","d":0.5,"e":true}"#),
            ("a: |\n  x\n   y\n\n  z\n", r#"{"a":"x\n y\n\nz\n"}"#),
            ("a: >-\n  x\n    y\n  z\n", r#"{"a":"x\n  y\nz"}"#),
            ("- - 1\n  - 2\n- a: b\n  c:\n  - d", r#"[[1,2],{"a":"b","c":["d"]}]"#),
            ("a: &x {c: 1}\nb:\n  <<: *x\n  d: 2", r#"{"a":{"c":1},"b":{"c":1,"d":2}}"#),
            ("a: 'x\n  y'\nb: \"p\\\n  q\"", r#"{"a":"x y","b":"pq"}"#),
            ("a: 2001-12-14t21:59:43.10-05:00", r#"{"a":"2001-12-14T21:59:43-05:00"}"#),
            ("[a: 1, {b: }]", r#"[{"a":1},{"b":null}]"#),
            ("a: http://x.y/z # c", r#"{"a":"http://x.y/z"}"#),
        ] {
            assert_eq!(json(text).as_deref(), Some(wanted), "{text}");
        }
        for text in
            ["a: b: c", "a: [1", "a: 'x", "\ta: 1", "a: *x", "a: 1\n b: 2", "", "---\na: 1\n---\nb: 2", "a: !foo x"]
        {
            assert_eq!(json(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let value = Value::object([
            (
                "list",
                Value::tuple(vec![1.into(), Value::tuple(vec![]), Value::tuple(vec![Value::tuple(vec!["x".into()])])]),
            ),
            ("lines", "a\n  b\n\nc\n\n".into()),
            ("odd", " leading\nand trailing \n".into()),
            (
                "words",
                Value::tuple(["yes", "1", "null", "~", "a: b", "#", "- x", "\t\u{7}\"", ""].map(Value::from).to_vec()),
            ),
            (
                "map",
                Value::object([(
                    "x y",
                    Value::object([("z", Value::null()), ("w", Value::object([("v", 1.5_f64.to_string().into())]))]),
                )]),
            ),
        ]);
        let text = yaml_write::document(&value);
        let read = yaml_read::document(&text).unwrap_or_else(|error| panic!("{}\n{text}", error.message));
        assert_eq!(read.to_json_text(), value.to_json_text(), "{text}");
    }

    #[test]
    fn aliases_cannot_blow_up() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", before.trim_end_matches(", ")));
        }
        assert_eq!(json(&text), None);
        assert_eq!(json(&"[".repeat(100_000)), None);
        assert_eq!(json(&"- ".repeat(100_000)), None);
    }
}
