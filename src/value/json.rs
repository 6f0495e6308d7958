//! Values as JSON: one form to store (tagged, so that types come back) and one to show. Pure.
//!
//! Invariant: the stored form of an unsealed sensitive value does not exist; serialising one is an error.

use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::{Error as _, SerializeMap as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Data, Sealed, Type, Unknown, Value};
use crate::number::Number;

/// Stored form. Plain JSON stands for tuples, objects, strings, truths, machine integers and null; all else
/// is an object with one key that starts with `$`. A user's key that starts with `$` gets one more.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.marks.sensitive && !matches!(self.data, Data::Sealed(_)) {
            return Err(S::Error::custom(
                "bug: a secret reached a place where it would be stored; it must be sealed first",
            ));
        }
        match &self.data {
            Data::Null(Type::Any) => serializer.serialize_unit(),
            Data::Null(ty) => tagged(serializer, "$null", ty),
            Data::Bool(truth) => serializer.serialize_bool(*truth),
            Data::Number(number) => match number.to_i64() {
                Some(integer) => serializer.serialize_i64(integer),
                None => tagged(serializer, "$number", &number.to_string()),
            },
            Data::String(text) => serializer.serialize_str(text),
            Data::Tuple(items) => serializer.collect_seq(items.iter()),
            Data::List(element, items) => tagged(serializer, "$list", &(element, items.iter().collect::<Vec<_>>())),
            Data::Set(element, items) => tagged(serializer, "$set", &(element, items.iter().collect::<Vec<_>>())),
            Data::Map(element, entries) => tagged(serializer, "$map", &(element, Plain(entries))),
            Data::Object(entries) => Plain(entries).serialize(serializer),
            Data::Unknown(unknown) => tagged(serializer, "$unknown", &**unknown),
            Data::Sealed(sealed) => tagged(serializer, "$sealed", &sealed.digest),
        }
    }
}

struct Plain<'a>(&'a super::Entries);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0.iter() {
            match key.starts_with('$') {
                true => map.serialize_entry(&format!("${key}"), value)?,
                false => map.serialize_entry(&**key, value)?,
            }
        }
        map.end()
    }
}

fn tagged<S: Serializer, T: Serialize + ?Sized>(serializer: S, tag: &str, inner: &T) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(tag, inner)?;
    map.end()
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(serde_json::Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

fn read(json: serde_json::Value) -> Result<Value, serde_json::Error> {
    use serde_json::Value as Json;
    Ok(match json {
        Json::Null => Value::null(),
        Json::Bool(truth) => truth.into(),
        Json::Number(number) => number.to_string().parse::<Number>().map_err(refuse)?.into(),
        Json::String(text) => text.into(),
        Json::Array(items) => Value::tuple(read_all(items)?),
        Json::Object(mut object) => {
            if object.len() == 1
                && let Some(tag) =
                    object.keys().next().filter(|key| key.starts_with('$') && !key.starts_with("$$")).cloned()
            {
                let inner = object.remove(&tag).unwrap_or_default();
                return read_tagged(&tag, inner);
            }
            Value::object(read_entries(object)?)
        }
    })
}

fn refuse(cause: impl std::fmt::Display) -> serde_json::Error {
    <serde_json::Error as serde::de::Error>::custom(cause)
}

fn read_tagged(tag: &str, inner: serde_json::Value) -> Result<Value, serde_json::Error> {
    use serde_json::from_value;
    Ok(match tag {
        "$null" => Data::Null(from_value(inner)?).into(),
        "$number" => from_value::<String>(inner)?.parse::<Number>().map_err(refuse)?.into(),
        "$list" => {
            let (element, items): (Type, Vec<serde_json::Value>) = from_value(inner)?;
            Value::list(element, read_all(items)?)
        }
        "$set" => {
            let (element, items): (Type, Vec<serde_json::Value>) = from_value(inner)?;
            Value::set(element, read_all(items)?)
        }
        "$map" => {
            let (element, entries): (Type, serde_json::Map<String, serde_json::Value>) = from_value(inner)?;
            Value::map(element, read_entries(entries)?)
        }
        "$unknown" => Value::unknown(from_value::<Unknown>(inner)?),
        "$sealed" => Value::sealed(Sealed { digest: from_value(inner)? }),
        other => return Err(refuse(format!("a stored value has the unknown tag `{other}`"))),
    })
}

fn read_all(items: Vec<serde_json::Value>) -> Result<Vec<Value>, serde_json::Error> {
    items.into_iter().map(read).collect()
}

fn read_entries(
    entries: serde_json::Map<String, serde_json::Value>,
) -> Result<Vec<(Arc<str>, Value)>, serde_json::Error> {
    entries
        .into_iter()
        .map(|(key, item)| {
            let key = key.strip_prefix('$').map_or(key.as_str(), |rest| rest).into();
            Ok((key, read(item)?))
        })
        .collect()
}

impl Value {
    /// Plain JSON to show; secrets read `(sensitive value)`, unknowns `(known after apply)`.
    pub fn to_shown_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        if self.marks.sensitive {
            return Json::from("(sensitive value)");
        }
        match &self.data {
            Data::Null(_) => Json::Null,
            Data::Bool(truth) => Json::from(*truth),
            Data::Number(number) => match number.to_i64() {
                Some(integer) => Json::from(integer),
                None => serde_json::from_str(&number.to_string()).unwrap_or_else(|_| Json::from(number.to_string())),
            },
            Data::String(text) => Json::from(&**text),
            Data::List(_, items) | Data::Set(_, items) | Data::Tuple(items) => {
                items.iter().map(Self::to_shown_json).collect()
            }
            Data::Map(_, entries) | Data::Object(entries) => {
                entries.iter().map(|(key, item)| (key.to_string(), item.to_shown_json())).collect()
            }
            Data::Unknown(_) => Json::from("(known after apply)"),
            Data::Sealed(_) => Json::from("(sensitive value)"),
        }
    }

    /// Exact, compact JSON text of a known value without its types, keys sorted (what `jsonencode` gives,
    /// but without its escapes of `<`, `>` and `&`). Unknown parts read null.
    pub fn to_json_text(&self) -> String {
        let mut text = String::new();
        self.write_json(&mut text);
        text
    }

    fn write_json(&self, text: &mut String) {
        let comma = |text: &mut String, index: usize| {
            if index > 0 {
                text.push(',');
            }
        };
        match &self.data {
            Data::Null(_) | Data::Unknown(_) | Data::Sealed(_) => text.push_str("null"),
            Data::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
            Data::Number(number) => text.push_str(&number.to_string()),
            Data::String(string) => text.push_str(&serde_json::Value::from(&**string).to_string()),
            Data::List(_, items) | Data::Set(_, items) | Data::Tuple(items) => {
                text.push('[');
                for (index, item) in items.iter().enumerate() {
                    comma(text, index);
                    item.write_json(text);
                }
                text.push(']');
            }
            Data::Map(_, entries) | Data::Object(entries) => {
                text.push('{');
                for (index, (key, item)) in entries.iter().enumerate() {
                    comma(text, index);
                    text.push_str(&serde_json::Value::from(&**key).to_string());
                    text.push(':');
                    item.write_json(text);
                }
                text.push('}');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(value: &Value) -> Value {
        serde_json::from_str(&serde_json::to_string(value).expect("stores")).expect("reads")
    }

    #[test]
    fn what_is_stored_comes_back_with_its_types() {
        let value = Value::object([
            ("null", Data::Null(Type::String).into()),
            ("big", "123456789012345678901234567890.5".parse::<Number>().expect("a number").into()),
            ("list", Value::strings(["a", "b"])),
            ("set", Value::set(Type::Number, vec![2.into(), 1.into(), 2.into()])),
            ("map", Value::map(Type::Bool, [("$list", true.into())])),
            ("$null", "a user's own key".into()),
            ("unknown", Value::unknown(Unknown { prefix: Some("arn:".into()), ..Unknown::of(Type::String) })),
            ("sealed", Value::sealed(Sealed { digest: None })),
        ]);
        assert_eq!(round_trip(&value), value);
        let single = Value::object([("$null", Value::from("a user's own key"))]);
        assert_eq!(round_trip(&single), single);
    }

    #[test]
    fn a_secret_cannot_be_stored_unsealed_at_any_depth() {
        let secret = Value::object([("a", Value::tuple(vec![Value::from("hunter2").sensitive()]))]);
        assert!(serde_json::to_string(&secret).is_err());
        assert!(!format!("{secret:?}{secret}{}", secret.to_shown_json()).contains("hunter2"));
        let key = super::super::SealKey::from_random([7; 32]);
        let sealed = serde_json::to_string(&secret.seal(Some(&key))).expect("sealed values can be stored");
        assert!(!sealed.contains("hunter2"));
        assert_eq!(secret.seal(Some(&key)), secret.seal(Some(&key)));
    }
}
