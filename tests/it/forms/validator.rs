//! A validator of JSON schemas (drafts 4 to 2020-12), for those keywords that our schemas and SARIF's have.
//!
//! Invariant: fails closed: a keyword that it does not know is a mistake of the schema, so that nothing is passed unseen.

use std::collections::BTreeSet;

use serde_json::Value;

/// Everything in which a document differs from what its schema says.
pub fn mistakes(schema: &Value, document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, schema, document, "$", &mut found);
    found
}

const SILENT: [&str; 9] =
    ["$schema", "$id", "id", "title", "description", "default", "definitions", "$defs", "$comment"];

fn check(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let rules = match schema {
        Value::Bool(true) => return,
        Value::Bool(false) => return found.push(format!("{at}: nothing may stand here")),
        Value::Object(rules) => rules,
        other => panic!("no schema: {other}"),
    };
    for (keyword, rule) in rules {
        match keyword.as_str() {
            silent if SILENT.contains(&silent) => {}
            "$ref" => {
                let place = rule.as_str().unwrap().strip_prefix('#').expect("a place in this schema");
                let target = root.pointer(place).unwrap_or_else(|| panic!("{rule} is not there"));
                check(root, target, value, at, found);
            }
            "type" => of_type(rule, value, at, found),
            "enum" if !rule.as_array().unwrap().contains(value) => {
                found.push(format!("{at}: {value} is none of {rule}"));
            }
            "const" if rule != value => found.push(format!("{at}: {value} is not {rule}")),
            "enum" | "const" => {}
            "anyOf" | "oneOf" => alternatives(root, keyword, rule, (value, at), found),
            "allOf" => rule.as_array().unwrap().iter().for_each(|one| check(root, one, value, at, found)),
            "required" | "properties" | "additionalProperties" | "propertyNames" => {
                of_object(root, keyword, rules, (value, at), found);
            }
            "items" | "minItems" | "uniqueItems" => of_array(root, keyword, rule, (value, at), found),
            "minimum" | "maximum" => {
                let Some(number) = value.as_f64() else { continue };
                let bound = rule.as_f64().unwrap();
                let is_good = if keyword == "minimum" { number >= bound } else { number <= bound };
                if !is_good {
                    found.push(format!("{at}: {number} against {keyword} {bound}"));
                }
            }
            "pattern" | "format" | "minLength" => of_text(keyword, rule, value, at, found),
            unknown => panic!("the validator does not know `{unknown}`"),
        }
    }
}

fn of_type(rule: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        other => panic!("the validator does not know type `{other}`"),
    };
    let fits = match rule {
        Value::Array(several) => several.iter().any(|one| is(one.as_str().unwrap())),
        one => is(one.as_str().unwrap()),
    };
    if !fits {
        found.push(format!("{at}: {value} is no {rule}"));
    }
}

fn alternatives(root: &Value, keyword: &str, rule: &Value, (value, at): (&Value, &str), found: &mut Vec<String>) {
    let tries: Vec<Vec<String>> = rule
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let mut found = Vec::new();
            check(root, one, value, at, &mut found);
            found
        })
        .collect();
    let fitting = tries.iter().filter(|found| found.is_empty()).count();
    if fitting == 0 {
        let closest = tries.into_iter().min_by_key(Vec::len).unwrap_or_default();
        found.push(format!("{at}: fits no alternative; the closest one: {}", closest.join("; ")));
    } else if fitting > 1 && keyword == "oneOf" {
        found.push(format!("{at}: fits {fitting} alternatives instead of one"));
    }
}

fn of_object(
    root: &Value,
    keyword: &str,
    rules: &serde_json::Map<String, Value>,
    (value, at): (&Value, &str),
    found: &mut Vec<String>,
) {
    let (Some(object), rule) = (value.as_object(), &rules[keyword]) else { return };
    let properties = rules.get("properties").and_then(Value::as_object);
    match keyword {
        "required" => {
            let names = rule.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
            names.filter(|name| !object.contains_key(*name)).for_each(|name| found.push(format!("{at}: no `{name}`")));
        }
        "properties" => {
            for (name, schema) in rule.as_object().unwrap() {
                if let Some(value) = object.get(name) {
                    check(root, schema, value, &format!("{at}.{name}"), found);
                }
            }
        }
        "propertyNames" => {
            object.keys().for_each(|name| check(root, rule, &Value::from(name.as_str()), &format!("{at} key"), found));
        }
        _ => {
            let others = object.iter().filter(|(name, _)| !properties.is_some_and(|known| known.contains_key(*name)));
            for (name, value) in others {
                check(root, rule, value, &format!("{at}.{name}"), found);
            }
        }
    }
}

fn of_array(root: &Value, keyword: &str, rule: &Value, (value, at): (&Value, &str), found: &mut Vec<String>) {
    let Some(items) = value.as_array() else { return };
    match keyword {
        "items" => {
            items.iter().enumerate().for_each(|(place, one)| check(root, rule, one, &format!("{at}[{place}]"), found));
        }
        "minItems" if (items.len() as u64) < rule.as_u64().unwrap() => {
            found.push(format!("{at}: {} items against at least {rule}", items.len()));
        }
        "uniqueItems" if rule == &Value::Bool(true) => {
            let different: BTreeSet<String> = items.iter().map(Value::to_string).collect();
            if different.len() < items.len() {
                found.push(format!("{at}: an item stands there twice"));
            }
        }
        _ => {}
    }
}

fn of_text(keyword: &str, rule: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(text) = value.as_str() else { return };
    let fits = match (keyword, rule) {
        ("pattern", rule) => regex::Regex::new(rule.as_str().unwrap()).unwrap().is_match(text),
        ("minLength", rule) => text.chars().count() as u64 >= rule.as_u64().unwrap(),
        (_, rule) => match rule.as_str().unwrap() {
            "uri" => regex::Regex::new(r"^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$").unwrap().is_match(text),
            "uri-reference" => {
                regex::Regex::new(r"^([!$&-;=?-Z_a-z~#\[\]@]|%[0-9A-Fa-f]{2})*$").unwrap().is_match(text)
            }
            "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
            other => panic!("the validator does not know format `{other}`"),
        },
    };
    if !fits {
        found.push(format!("{at}: {text:?} is not by {keyword} {rule}"));
    }
}

#[test]
fn what_is_wrong_is_found_and_what_is_right_is_not() {
    let schema = serde_json::json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {
            "a": {"type": ["integer", "null"], "minimum": 1},
            "b": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"$ref": "#/$defs/word"}},
            "c": {"oneOf": [{"const": 1}, {"type": "string", "format": "uri-reference"}]},
        },
        "$defs": {"word": {"type": "string", "pattern": "^[a-z]+$"}},
    });
    let wrong = |document: Value| mistakes(&schema, &document);
    assert_eq!(wrong(serde_json::json!({"a": null, "b": ["x"], "c": "a%20b"})), Vec::<String>::new());
    for (document, part) in [
        (serde_json::json!({}), "no `a`"),
        (serde_json::json!({"a": 0}), "minimum"),
        (serde_json::json!({"a": 1.5}), "is no"),
        (serde_json::json!({"a": 1, "d": 1}), "nothing may stand here"),
        (serde_json::json!({"a": 1, "b": []}), "at least"),
        (serde_json::json!({"a": 1, "b": ["x", "x"]}), "twice"),
        (serde_json::json!({"a": 1, "b": ["X"]}), "pattern"),
        (serde_json::json!({"a": 1, "c": "a b"}), "no alternative"),
    ] {
        assert!(wrong(document.clone()).iter().any(|mistake| mistake.contains(part)), "{document}: {part}");
    }
}
