//! Values that nobody has to think of: how a `generated` block reads, and how it becomes a text. Pure: whoever wants a
//! text gives the random bytes.
//!
//! Invariant: every letter is as likely as every other one of its alphabet.

use crate::kind::{Attribute, Mistake};
use crate::value::{Data, Object, Type, Unknown, Value};

/// How long a value is when nothing is said.
const LENGTH: i64 = 32;
/// The shortest and the longest.
const LENGTHS: std::ops::RangeInclusive<i64> = 8..=4096;
/// What a value may be made of, by name.
const ALPHABETS: [(&str, &str); 3] = [
    ("alphanumeric", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
    ("hex", "0123456789abcdef"),
    ("printable", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&()*+,-./:;<=>?@[]^_{|}~"),
];

/// The block and what renews it.
pub fn attributes() -> [Attribute; 2] {
    let inner = vec![
        Attribute::optional("length", Type::Number, "How many letters, 8 to 4096; 32 if left out.").default(LENGTH),
        Attribute::optional("characters", Type::String, "`alphanumeric` (if left out), `hex` or `printable`.")
            .default("alphanumeric"),
    ];
    [
        Attribute::block(
            "generated",
            inner,
            "The value is made when it is applied, and lies nowhere but in its store.",
        )
        .write_only(),
        Attribute::optional("rotation", Type::String, "Any text; another one makes another generated value.")
            .write_only(),
    ]
}

/// Whether the value is to be made.
pub fn is_wanted(object: &Object) -> bool {
    object.get("generated").and_then(Value::items).is_some_and(|blocks| !blocks.is_empty())
}

/// Mistakes in block and rotation.
pub fn check(object: &Object) -> Vec<Mistake> {
    let mistake = |attribute: &str, text: String, help: &str| Mistake {
        attribute: Some(attribute.to_owned()),
        text,
        help: help.to_owned(),
    };
    let mut mistakes = Vec::new();
    let length = setting(object, "length").and_then(|value| value.as_i64());
    if let Some(length) = length.filter(|length| !LENGTHS.contains(length)) {
        mistakes.push(mistake("generated", format!("a value cannot be {length} letters long"), "use 8 to 4096"));
    }
    let characters = setting(object, "characters").and_then(|value| value.as_str().map(str::to_owned));
    if let Some(name) = characters.filter(|name| ALPHABETS.iter().all(|(known, _)| known != name)) {
        let help = "use `alphanumeric`, `hex` or `printable`";
        mistakes.push(mistake("generated", format!("there are no `{name}` characters"), help));
    }
    if !is_wanted(object) && object.get("rotation").is_some_and(|value| !value.is_null()) {
        let help = "add `generated {}`, or change the value itself";
        mistakes.push(mistake("rotation", "only a generated value is made anew".to_owned(), help));
    }
    mistakes
}

/// Whether a planned change of this object makes a new value. A value that is planned already and is not the one that
/// is there is an earlier one, to which a way back leads.
pub fn is_renewed(planned: &Object, prior: Option<&Object>, value: &str) -> bool {
    let given = |object: &Object, name: &str| object.get(name).filter(|value| !value.is_null()).cloned();
    let there = prior.and_then(|prior| given(prior, value));
    match (given(planned, value).filter(Value::is_known), prior) {
        _ if !is_wanted(planned) => false,
        (Some(wanted), _) if there.as_ref().map(Value::reveal) != Some(wanted.reveal()) => false,
        (Some(_), Some(prior)) => {
            form(planned) != form(prior) || given(planned, "rotation") != given(prior, "rotation")
        }
        (Some(_), None) | (None, _) => true,
    }
}

/// Leaves the value open where it will be made; `waits` is an attribute that waits for the thing already.
pub fn leave_open(planned: &mut Object, value: &str, waits: &str) {
    let waits_for = planned.get(waits).map(Value::waits_for).unwrap_or_default();
    let unknown = Unknown { waits_for, not_null: true, ..Unknown::of(Type::String) };
    planned.insert(value.to_owned(), Value::unknown(unknown).sensitive());
}

/// The object as it is carried out: a value that the plan left open was withheld there without a digest, and goes.
/// Where `told` says which version is meant, it is an earlier value, and stays.
pub fn opened(after: &Object, value: &str, told: &str) -> Object {
    let mut after = after.clone();
    let is_told = after.get(told).is_some_and(|told| told.is_known() && !told.is_null());
    let is_open = |value: &Value| matches!(value.data(), Data::Sealed(sealed) if sealed.digest.is_none());
    if is_wanted(&after) && !is_told && after.get(value).is_some_and(is_open) {
        after.remove(value);
    }
    after
}

/// A value made of random bytes, which are asked for as often as they are needed.
pub fn make(object: &Object, random: &mut dyn FnMut(&mut [u8])) -> String {
    let (length, characters) = form(object).unwrap_or((LENGTH, "alphanumeric".to_owned()));
    let alphabet =
        ALPHABETS.iter().find(|(name, _)| *name == characters).map_or(ALPHABETS[0].1, |(_, letters)| letters);
    let letters = alphabet.as_bytes();
    // Bytes past the last whole round of the alphabet would favour its first letters.
    let fair = 256 - 256 % letters.len();
    let wanted = usize::try_from(length).unwrap_or_default();
    let mut made = String::with_capacity(wanted);
    let mut bytes = [0_u8; 64];
    while made.len() < wanted {
        random(&mut bytes);
        let fair = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
        made.extend(fair.take(wanted - made.len()).map(|byte| char::from(letters[byte % letters.len()])));
    }
    made
}

fn setting(object: &Object, name: &str) -> Option<Value> {
    let block = object.get("generated")?.items()?.first()?.clone();
    let entries = block.entries()?;
    entries.get(name).filter(|value| !value.is_null()).cloned()
}

/// Length and characters, what is left out filled in.
fn form(object: &Object) -> Option<(i64, String)> {
    is_wanted(object).then(|| {
        let length = setting(object, "length").and_then(|value| value.as_i64()).unwrap_or(LENGTH);
        let characters = setting(object, "characters").and_then(|value| value.as_str().map(str::to_owned));
        (length, characters.unwrap_or_else(|| "alphanumeric".to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generated(length: i64, characters: &str, rotation: &str) -> Object {
        let block = Value::object([("length", Value::from(length)), ("characters", characters.into())]);
        Object::from([
            ("generated".to_owned(), Value::tuple(vec![block])),
            ("rotation".to_owned(), rotation.into()),
            ("secret_string".to_owned(), Value::from("there").sensitive()),
        ])
    }

    #[test]
    fn a_value_has_the_length_and_the_letters_that_are_asked_for() {
        let mut next = 0_u8;
        let mut count =
            |bytes: &mut [u8]| bytes.iter_mut().for_each(|byte| (*byte, next) = (next, next.wrapping_add(1)));
        let made = make(&generated(100, "hex", "1"), &mut count);
        assert_eq!(made.len(), 100);
        assert!(made.starts_with("0123456789abcdef0123"), "{made}");
        // 256 is no multiple of 62: 248 to 255 are left out, so the alphabet starts again without a jump.
        let made = make(&generated(300, "alphanumeric", "1"), &mut |bytes| {
            bytes.iter_mut().enumerate().for_each(|(at, byte)| *byte = 192 + u8::try_from(at).unwrap());
        });
        assert_eq!(made.len(), 300);
        assert!(!made.chars().any(|letter| !letter.is_ascii_alphanumeric()));
        assert_eq!(make(&Object::new(), &mut count).len(), 32);
    }

    #[test]
    fn another_rotation_or_another_form_makes_another_value() {
        let now = generated(32, "hex", "1");
        let mut open = now.clone();
        open.remove("secret_string");
        assert!(is_renewed(&open, None, "secret_string"));
        assert!(!is_renewed(&now, Some(&now), "secret_string"));
        assert!(is_renewed(&generated(32, "hex", "2"), Some(&now), "secret_string"));
        assert!(is_renewed(&generated(33, "hex", "1"), Some(&now), "secret_string"));
        let mut given = now.clone();
        given.remove("generated");
        assert!(is_renewed(&now, Some(&given), "secret_string") && !is_renewed(&given, Some(&now), "secret_string"));
        let mut earlier = generated(32, "hex", "0");
        earlier.insert("secret_string".to_owned(), Value::from("earlier").sensitive());
        assert!(!is_renewed(&earlier, Some(&now), "secret_string"), "a way back makes nothing");
        assert!(!is_renewed(&earlier, None, "secret_string"), "nor where it was removed");
    }

    #[test]
    fn what_a_plan_left_open_is_made() {
        let mut planned = generated(32, "hex", "2");
        leave_open(&mut planned, "secret_string", "version_id");
        let planned = crate::value::seal::seal_object(&planned, None);
        assert!(!opened(&planned, "secret_string", "version_id").contains_key("secret_string"));
        let mut earlier = planned.clone();
        earlier.insert("version_id".to_owned(), "v1".into());
        assert!(opened(&earlier, "secret_string", "version_id").contains_key("secret_string"));
        let given = generated(32, "hex", "2");
        assert_eq!(opened(&given, "secret_string", "version_id"), given);
    }

    #[test]
    fn mistakes_are_told() {
        assert_eq!(check(&generated(32, "hex", "1")), []);
        assert_eq!(check(&generated(7, "digits", "1")).len(), 2);
        assert_eq!(check(&Object::from([("rotation".to_owned(), "1".into())])).len(), 1);
    }
}
