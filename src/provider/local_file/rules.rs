//! The attributes and rules of `local_file`. Pure.
//!
//! Invariant: content that holds a secret is one; what is told of it in a review has each secret hidden.

use std::path::{Component, Path};

use crate::approval::class::Part;
use crate::kind::{Asked, Attribute, By, Change, Judgement, Kind, LateCall, Mistake, PerChange, ProviderSchema, Rules};
use crate::value::{Object, Type, Value};

/// The attribute with the text.
pub const CONTENT: &str = "content";
/// The mode of a file that holds a secret.
pub const SECRET_MODE: &str = "0600";
/// The mode of any other.
pub const OPEN_MODE: &str = "0644";

/// The provider of files: no settings.
pub fn schema() -> ProviderSchema {
    ProviderSchema { name: "local", summary: "The machine that applies: it has no settings.", attributes: Vec::new() }
}

/// The kind.
pub fn kind() -> Kind {
    Kind {
        name: "local_file",
        provider: "local",
        summary: "A file on the machine that applies.",
        attributes: attributes(),
        late: PerChange {
            create: LateCall::UniqueName("the file gets its name by a link, which fails where there is one"),
            update: LateCall::Precondition(
                "right before it takes the file's place, what is there is read and must be what the step was planned with",
            ),
            delete: LateCall::Precondition(
                "right before the removal, what is there is read and must be what the step was planned with",
            ),
        },
        asked: PerChange {
            create: Asked::by(By::Comparison),
            update: Asked::by(By::Comparison),
            delete: Asked::by(By::Name),
        },
        rules: Box::new(FileRules),
    }
}

fn attributes() -> Vec<Attribute> {
    vec![
        Attribute::required(
            "filename",
            Type::String,
            "Its path; one that is not absolute begins at the project's folder, and stays below it.",
        )
        .replaces(),
        Attribute::required(CONTENT, Type::String, "All of its text."),
        Attribute::required("file_permission", Type::String, "Its mode, in octal digits as in `0644`."),
        Attribute::optional("preview", Type::String, "Its text with each secret hidden, for reviews.")
            .volatile()
            .write_only(),
        Attribute::computed("id", Type::String, "Its path."),
        Attribute::computed("folders_made", Type::Number, "How many of the folders around it were made for it."),
    ]
}

struct FileRules;

impl Rules for FileRules {
    fn part(&self) -> Part {
        Part::Configuration
    }

    fn check(&self, desired: &Object) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        mistakes.extend(text(desired, "filename").and_then(|path| path_mistake("filename", path)));
        if let Some(mode) = text(desired, "file_permission")
            && mode_bits(mode).is_none()
        {
            mistakes.push(Mistake {
                attribute: Some("file_permission".to_owned()),
                text: format!("`{mode}` is no mode of a file"),
                help: "write three or four octal digits, as in `0640`; the owner must be able to read and write"
                    .to_owned(),
            });
        }
        mistakes
    }

    fn complete(&self, planned: &mut Object, prior: Option<&Object>) {
        if let Some(path) = planned.get("filename").cloned() {
            planned.insert("id".to_owned(), path);
        }
        if let Some(made) = prior.and_then(|prior| prior.get("folders_made")) {
            planned.insert("folders_made".to_owned(), made.clone());
        }
    }

    fn normalise(&self, attribute: &str, value: &Value) -> Value {
        match (attribute, value.as_str().and_then(mode_bits)) {
            ("file_permission", Some(bits)) => Value::from(mode_text(bits)),
            _ => value.clone(),
        }
    }

    fn identity(&self, object: &Object) -> Option<String> {
        text(object, "filename").map(str::to_owned)
    }

    fn import(&self, id: &str) -> Result<Object, String> {
        match path_mistake("filename", id) {
            None => Ok(Object::from([("filename".to_owned(), id.into())])),
            Some(mistake) => Err(format!("{}; the id is its path", mistake.text)),
        }
    }

    fn keeps_earlier(&self) -> bool {
        false
    }

    fn judge(&self, change: Change<'_>) -> Judgement {
        let earlier = match change {
            Change::Create(_) => None,
            Change::Update(before, after) => Some(before).filter(|_| before.get(CONTENT) != after.get(CONTENT)),
            Change::Delete(before) => Some(before),
        };
        match earlier.and_then(|before| before.get(CONTENT)).is_some_and(Value::is_sensitive) {
            true => Judgement::Recreates(
                "its earlier text is put together again from where its secrets come from, and stays out where one of them \
                 is another by then"
                    .to_owned(),
            ),
            false => Judgement::Exact,
        }
    }
}

fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// The bits of a mode that is written in octal digits; at least the owner reads and writes.
pub fn mode_bits(mode: &str) -> Option<u32> {
    let digits = (3..=4).contains(&mode.len()) && mode.chars().all(|letter| ('0'..='7').contains(&letter));
    let bits = u32::from_str_radix(mode, 8).ok().filter(|_| digits)?;
    (bits & 0o600 == 0o600 && bits <= 0o777).then_some(bits)
}

/// A mode as attributes have it.
pub fn mode_text(bits: u32) -> String {
    format!("{:04o}", bits & 0o7777)
}

/// What is wrong with a path, as far as it tells by itself.
pub fn path_mistake(attribute: &str, path: &str) -> Option<Mistake> {
    let wrong =
        |text: String, help: &str| Some(Mistake { attribute: Some(attribute.to_owned()), text, help: help.to_owned() });
    let inside = Path::new(path);
    if path.is_empty() || path.ends_with('/') || path.contains('\0') || inside.file_name().is_none() {
        return wrong(format!("`{path}` names no file"), "give the path of a file, as in `rendered/web.env`");
    }
    let is_plain = |part: Component<'_>| match part {
        Component::Normal(_) | Component::RootDir => true,
        Component::CurDir | Component::ParentDir | Component::Prefix(_) => false,
    };
    if !inside.components().all(is_plain) || path.contains("/./") || path.contains("//") {
        let help = "write it without `.` and `..`; what lies outside of the project's folder takes an absolute path";
        return wrong(format!("`{path}` goes out of its way"), help);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_where_they_are_written() {
        for good in ["web.env", "rendered/web.env", "/etc/shop/web.env", "a b/ü.yaml"] {
            assert_eq!(path_mistake("filename", good), None, "{good}");
        }
        for bad in ["", "/", "a/", "..", "../web.env", "a/../../web.env", "./web.env", "a/./b", "a//b", "/etc/../x"] {
            assert!(path_mistake("filename", bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn modes_are_octal_and_leave_the_owner_its_file() {
        assert_eq!((mode_bits("0640"), mode_bits("644")), (Some(0o640), Some(0o644)));
        for bad in ["", "rw", "0", "0440", "4755", "01644", "888"] {
            assert_eq!(mode_bits(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_held_a_secret_is_made_again_and_all_else_is_exact() {
        let rules = kind().rules;
        let open = Object::from([(CONTENT.to_owned(), "a".into())]);
        let secret = Object::from([(CONTENT.to_owned(), Value::from("b").sensitive())]);
        assert_eq!(rules.judge(Change::Update(&open, &secret)), Judgement::Exact);
        assert!(matches!(rules.judge(Change::Update(&secret, &open)), Judgement::Recreates(_)));
        assert!(matches!(rules.judge(Change::Delete(&secret)), Judgement::Recreates(_)));
        assert_eq!(rules.judge(Change::Delete(&open)), Judgement::Exact);
    }
}
