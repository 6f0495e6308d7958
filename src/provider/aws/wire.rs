//! Between our attributes and the JSON of AWS's requests and answers, by one table that is read both ways. Pure.
//!
//! Invariant: what an answer holds under a mapped member arrives, and what is not mapped is left alone; nothing is
//! guessed from names that the table or the rule of `theirs` does not give.

use serde_json::{Map, Value as Json};

use crate::kind::{Attribute, Shape};
use crate::value::{Data, Object, Type, Value};

/// Where an attribute lies on the wire, and in which form.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The attribute.
    pub ours: &'static str,
    /// The member, or a path of members with dots.
    pub theirs: &'static str,
    /// Its form.
    pub form: Form,
}

/// How a value is written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As its type says; a single block is an object, repeated ones are an array.
    Plain,
    /// A truth written `ENABLED` or `DISABLED`.
    Switch,
    /// A map written as `[{name, value}]`.
    Pairs,
    /// A map written as `[{key, value}]`.
    Tags,
    /// A block of which there is one, which is an array nevertheless.
    Array,
}

/// A line of a table.
pub const fn member(ours: &'static str, theirs: &'static str) -> Member {
    Member { ours, theirs, form: Form::Plain }
}

/// A line of a table for an unusual form.
pub const fn formed(ours: &'static str, theirs: &'static str, form: Form) -> Member {
    Member { ours, theirs, form }
}

/// Attributes of nested blocks whose member is not simply the name in camel case.
const NESTED: &[Member] = &[
    formed("assign_public_ip", "assignPublicIp", Form::Switch),
    formed("properties", "properties", Form::Pairs),
    member("client_alias", "clientAliases"),
    member("configure_at_launch", "configuredAtLaunch"),
    member("elb_name", "loadBalancerName"),
    member("fsx_windows_file_server_volume_configuration", "fsxWindowsFileServerVolumeConfiguration"),
    member("host_path", "host.sourcePath"),
    member("s3_bucket_encryption_enabled", "s3EncryptionEnabled"),
    member("secret_option", "secretOptions"),
    member("service", "services"),
    member("size_in_gib", "sizeInGiB"),
];

/// The member of an attribute of a nested block.
fn nested(attribute: &'static str) -> (String, Form) {
    match NESTED.iter().find(|member| member.ours == attribute) {
        Some(member) => (member.theirs.to_owned(), member.form),
        None => (camel(attribute), Form::Plain),
    }
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut text = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        text.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    text
}

/// The members of the attributes that hold something and that `wanted` names.
pub fn request(
    attributes: &[Attribute],
    members: &[Member],
    object: &Object,
    wanted: &dyn Fn(&str) -> bool,
) -> Map<String, Json> {
    let mut body = Map::new();
    for member in members.iter().filter(|member| wanted(member.ours)) {
        let attribute = attributes.iter().find(|attribute| attribute.name == member.ours);
        let value = object.get(member.ours).filter(|value| !is_nothing(value));
        if let (Some(attribute), Some(value)) = (attribute, value)
            && let Some(json) = to_json(&attribute.shape, member.form, value)
        {
            place(&mut body, member.theirs, json);
        }
    }
    body
}

/// Null or empty: what AWS answers with where nothing was said, and refuses to be told in some places.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.items() == Some(&[]) || value.entries().is_some_and(std::collections::BTreeMap::is_empty)
}

/// Puts a value at a path of members, making objects on the way.
pub fn place(body: &mut Map<String, Json>, path: &str, json: Json) {
    match path.split_once('.') {
        None => {
            body.insert(path.to_owned(), json);
        }
        Some((first, rest)) => {
            let inner = body.entry(first).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(inner) = inner {
                place(inner, rest, json);
            }
        }
    }
}

/// What lies at a path of members.
pub fn look<'a>(body: &'a Json, path: &str) -> Option<&'a Json> {
    path.split('.').try_fold(body, |inner, name| inner.get(name)).filter(|found| !found.is_null())
}

fn to_json(shape: &Shape, form: Form, value: &Value) -> Option<Json> {
    match shape {
        Shape::Value(_) => scalar_to_json(form, value),
        Shape::Blocks { attributes, maximum, .. } => {
            let mut blocks = value.items()?.iter().map(|block| Json::Object(block_to_json(attributes, block)));
            match maximum {
                Some(1) if form != Form::Array => blocks.next(),
                _ => Some(blocks.collect()),
            }
        }
    }
}

fn scalar_to_json(form: Form, value: &Value) -> Option<Json> {
    let pairs = |key: &str| {
        let entries = value.entries().into_iter().flatten();
        Some(entries.map(|(name, item)| serde_json::json!({key: &**name, "value": item.as_str()})).collect())
    };
    match form {
        Form::Plain | Form::Array => serde_json::from_str(&value.reveal().to_json_text()).ok(),
        Form::Switch => value.as_bool().map(|on| Json::from(if on { "ENABLED" } else { "DISABLED" })),
        Form::Pairs => pairs("name"),
        Form::Tags => pairs("key"),
    }
}

fn block_to_json(attributes: &[Attribute], block: &Value) -> Map<String, Json> {
    let mut body = Map::new();
    for attribute in attributes {
        let given = block.get(attribute.name).filter(|value| !value.is_null()).or(attribute.default.as_ref());
        let (path, form) = nested(attribute.name);
        if let Some(json) = given.and_then(|value| to_json(&attribute.shape, form, value)) {
            place(&mut body, &path, json);
        }
    }
    body
}

/// The attributes that an answer holds, each with its type; those that it does not hold are null.
pub fn answer(attributes: &[Attribute], members: &[Member], body: &Json) -> Object {
    let mut object = Object::new();
    for member in members {
        if let Some(attribute) = attributes.iter().find(|attribute| attribute.name == member.ours) {
            let value = from_json(&attribute.shape, member.form, look(body, member.theirs));
            object.insert(member.ours.to_owned(), value);
        }
    }
    object
}

fn from_json(shape: &Shape, form: Form, json: Option<&Json>) -> Value {
    match shape {
        Shape::Value(ty) => scalar_from_json(ty, form, json),
        Shape::Blocks { attributes, unordered, .. } => {
            let elements: &[Json] = match json {
                Some(Json::Array(items)) => items,
                Some(object @ Json::Object(members)) if !members.is_empty() => std::slice::from_ref(object),
                _ => &[],
            };
            let blocks = elements.iter().map(|element| block_from_json(attributes, element)).collect();
            let element = Type::object(attributes.iter().map(|attribute| (attribute.name, attribute.shape.ty())));
            if *unordered { Value::set(element, blocks) } else { Value::list(element, blocks) }
        }
    }
}

fn block_from_json(attributes: &[Attribute], json: &Json) -> Value {
    Value::object(attributes.iter().map(|attribute| {
        let (path, form) = nested(attribute.name);
        (attribute.name, from_json(&attribute.shape, form, look(json, &path)))
    }))
}

fn scalar_from_json(ty: &Type, form: Form, json: Option<&Json>) -> Value {
    let pairs = |key: &str| {
        let items = json.and_then(Json::as_array).into_iter().flatten();
        let pairs: Vec<(String, Value)> = items
            .filter_map(|item| {
                let name = item.get(key)?.as_str()?.to_owned();
                Some((name, Value::from(item.get("value").and_then(Json::as_str).unwrap_or_default())))
            })
            .collect();
        if pairs.is_empty() { null(ty) } else { Value::map(Type::String, pairs) }
    };
    match form {
        Form::Plain | Form::Array => json.map_or_else(|| null(ty), |json| typed(ty, json)),
        Form::Switch => json.map_or_else(|| null(ty), |json| Value::from(json.as_str() == Some("ENABLED"))),
        Form::Pairs => pairs("name"),
        Form::Tags => pairs("key"),
    }
}

fn null(ty: &Type) -> Value {
    Data::Null(ty.clone()).into()
}

/// A JSON value as this type; what does not fit, and an empty string, is null.
fn typed(ty: &Type, json: &Json) -> Value {
    let value = match (ty, json) {
        (Type::String, Json::String(text)) if text.is_empty() => None,
        (Type::String, Json::String(text)) => Some(Value::from(text.as_str())),
        (Type::String, Json::Number(number)) => Some(number.to_string().into()),
        (Type::Number, Json::Number(number)) => {
            number.to_string().parse::<crate::number::Number>().ok().map(Value::from)
        }
        (Type::Number, Json::String(text)) => text.parse::<crate::number::Number>().ok().map(Value::from),
        (Type::Bool, Json::Bool(truth)) => Some((*truth).into()),
        (Type::List(element), Json::Array(items)) => {
            Some(Value::list((**element).clone(), items.iter().map(|item| typed(element, item)).collect()))
        }
        (Type::Set(element), Json::Array(items)) => {
            Some(Value::set((**element).clone(), items.iter().map(|item| typed(element, item)).collect()))
        }
        (Type::Map(element), Json::Object(members)) => Some(Value::map(
            (**element).clone(),
            members.iter().map(|(name, item)| (name.as_str(), typed(element, item))),
        )),
        _ => None,
    };
    value.unwrap_or_else(|| null(ty))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes() -> Vec<Attribute> {
        vec![
            Attribute::optional("desired_count", Type::Number, ""),
            Attribute::optional("maximum", Type::Number, ""),
            Attribute::block(
                "network",
                vec![
                    Attribute::required("subnets", Type::set(Type::String), ""),
                    Attribute::optional("assign_public_ip", Type::Bool, "").default(false),
                    Attribute::optional("host_path", Type::String, ""),
                ],
                "",
            ),
            Attribute::optional("tags", Type::map(Type::String), ""),
        ]
    }

    const MEMBERS: &[Member] = &[
        member("desired_count", "desiredCount"),
        member("maximum", "deployment.maximum"),
        member("network", "network.awsvpc"),
        formed("tags", "tags", Form::Tags),
    ];

    #[test]
    fn what_goes_out_comes_back() {
        let network = Value::object([
            ("subnets", Value::set(Type::String, vec!["b".into(), "a".into()])),
            ("assign_public_ip", true.into()),
            ("host_path", "/x".into()),
        ]);
        let object = Object::from([
            ("desired_count".to_owned(), Value::from(2_i64)),
            ("maximum".to_owned(), Value::from(200_i64)),
            ("network".to_owned(), Value::list(network.ty(), vec![network])),
            ("tags".to_owned(), Value::map(Type::String, [("a", Value::from("b"))])),
        ]);
        let body = Json::Object(request(&attributes(), MEMBERS, &object, &|_| true));
        let expected = serde_json::json!({
            "desiredCount": 2,
            "deployment": {"maximum": 200},
            "network": {"awsvpc": {"subnets": ["a", "b"], "assignPublicIp": "ENABLED", "host": {"sourcePath": "/x"}}},
            "tags": [{"key": "a", "value": "b"}],
        });
        assert_eq!(body, expected);
        assert_eq!(answer(&attributes(), MEMBERS, &body), object);
    }

    #[test]
    fn what_is_absent_is_null_and_what_is_not_asked_for_is_not_sent() {
        let object = answer(&attributes(), MEMBERS, &serde_json::json!({"network": {}, "tags": []}));
        assert!(object["desired_count"].is_null() && object["tags"].is_null());
        assert_eq!(object["network"].items().map(<[Value]>::len), Some(0));
        let full = Object::from([("desired_count".to_owned(), Value::from(2_i64))]);
        assert!(request(&attributes(), MEMBERS, &full, &|name| name == "tags").is_empty());
    }
}
