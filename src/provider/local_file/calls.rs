//! Carries out `local_file`. An edge.
//!
//! Invariant: a file that is not as the step was planned with stays as it is.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::disk::{self, Found};
use super::place::{Place, Unfit};
use super::rules::{self, CONTENT};
use crate::value::{Object, Value};
use crate::world::{
    Connection, Effect, EffectChange, EffectError, ErrorClass, Progress, Provider, Query, Settlement, Trace, WorldError,
};

/// Longer than any of these writes takes.
const FLIGHT: Duration = Duration::from_secs(1);

/// The provider `local`.
#[derive(Debug)]
pub struct LocalFiles {
    folder: PathBuf,
    /// The folders that this process made: what else is made in them counts them as its own, too.
    made: Mutex<BTreeSet<PathBuf>>,
}

impl LocalFiles {
    /// Files whose paths begin at this folder, the project's, where they are not absolute.
    pub fn below(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), made: Mutex::default() }
    }

    /// How many of the innermost folders around a file this process made.
    fn note_folders(&self, place: &Place) -> i64 {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.extend(place.missing.iter().cloned());
        let own = place.folder.ancestors().take_while(|folder| made.contains(*folder)).count();
        i64::try_from(own).unwrap_or(0)
    }

    fn look(&self, object: &Object) -> Result<(Place, Option<Found>), WorldError> {
        let name = text(object, "filename");
        let place = Place::of(&self.folder, name).map_err(|unfit| refused(format!("look at {name}"), unfit))?;
        let found = disk::read(&place).map_err(|error| failed(format!("read {name}"), &error))?;
        Ok((place, found))
    }

    fn create(&self, effect: &Effect, after: &Object) -> Result<Object, EffectError> {
        let tried = format!("make {}", text(after, "filename"));
        let wanted = wanted(&tried, after).map_err(unsent)?;
        let (place, found) = self.look(after).map_err(unsent)?;
        if found.is_some() {
            return Err(unsent(exists(&tried, effect)));
        }
        let absolute = Path::new(text(after, "filename")).is_absolute();
        if absolute && !place.missing.is_empty() {
            let cause = format!("the folder {} is not there", place.folder.display());
            let help = "make it; only folders below the project's are made".to_owned();
            return Err(unsent(refused(tried, Unfit { cause, help, denied: false })));
        }
        effect.fence.check(&tried, FLIGHT).map_err(unsent)?;
        disk::make_folders(&place).map_err(|error| unsent(failed(tried.clone(), &error)))?;
        disk::write_beside(&place, &wanted).map_err(|error| unsent(failed(tried.clone(), &error)))?;
        disk::become_new(&place).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => unsent(exists(&tried, effect)),
            _ => EffectError { error: failed(tried.clone(), &error), trace: Trace::Unknown },
        })?;
        let mut made = worded(after, wanted);
        made.insert("folders_made".to_owned(), self.note_folders(&place).into());
        Ok(made)
    }

    fn update(&self, effect: &Effect, before: &Object, after: &Object) -> Result<Object, EffectError> {
        let tried = format!("change {}", text(after, "filename"));
        let wanted = wanted(&tried, after).map_err(unsent)?;
        let (place, found) = self.look(after).map_err(unsent)?;
        let after = &with_folders(after, before);
        if found.as_ref() == Some(&wanted) {
            disk::clear_beside(&place).map_err(|error| unsent(failed(tried, &error)))?;
            return Ok(worded(after, wanted));
        }
        as_planned(&tried, before, found.as_ref()).map_err(unsent)?;
        effect.fence.check(&tried, FLIGHT).map_err(unsent)?;
        disk::write_beside(&place, &wanted).map_err(|error| unsent(failed(tried.clone(), &error)))?;
        let (_, found) = self.look(after).map_err(unsent)?;
        as_planned(&tried, before, found.as_ref()).map_err(unsent)?;
        disk::become_next(&place)
            .map_err(|error| EffectError { error: failed(tried, &error), trace: Trace::Unknown })?;
        Ok(worded(after, wanted))
    }

    fn delete(&self, effect: &Effect, before: &Object) -> Result<Object, EffectError> {
        let tried = format!("remove {}", text(before, "filename"));
        let (place, found) = self.look(before).map_err(unsent)?;
        if found.is_some() {
            as_planned(&tried, before, found.as_ref()).map_err(unsent)?;
        }
        effect.fence.check(&tried, FLIGHT).map_err(unsent)?;
        let unknown = |error: io::Error| EffectError { error: failed(tried.clone(), &error), trace: Trace::Unknown };
        if place.missing.is_empty() {
            disk::clear_beside(&place).map_err(unknown)?;
            let folders =
                before.get("folders_made").and_then(Value::as_i64).and_then(|made| usize::try_from(made).ok());
            disk::remove(&place, folders.unwrap_or(0)).map_err(unknown)?;
        }
        Ok(Object::new())
    }

    fn ask(&self, effect: &Effect) -> Result<Settlement, WorldError> {
        let (before, after) = match &effect.change {
            EffectChange::Create { after } => (None, after),
            EffectChange::Update { before, after } => (Some(before), after),
            EffectChange::Delete { before } => {
                let (_, found) = self.look(before)?;
                return Ok(found.map_or(Settlement::Done(Object::new()), |_| Settlement::NotDone));
            }
        };
        let tried = format!("ask what became of {}", text(after, "filename"));
        let wanted = wanted(&tried, after)?;
        let (place, found) = self.look(after)?;
        if place.missing.is_empty() {
            // What was cut while it was written is of no use to anybody, and may hold a secret.
            disk::clear_beside(&place).map_err(|error| failed(tried, &error))?;
        }
        Ok(match (found, before) {
            (Some(found), _) if found == wanted => {
                let made = before.map_or_else(|| after.clone(), |before| with_folders(after, before));
                Settlement::Done(worded(&made, found))
            }
            (_, None) => Settlement::NotDone,
            (None, Some(_)) => Settlement::Doubt("it is gone, although it was to be changed".to_owned()),
            (Some(found), Some(before)) => match is_as(before, &found) {
                true => Settlement::NotDone,
                false => Settlement::Doubt("its text is neither as before nor as planned".to_owned()),
            },
        })
    }
}

#[async_trait]
impl Provider for LocalFiles {
    async fn check(&self, _connection: &Connection) -> Result<Object, WorldError> {
        Ok(Object::new())
    }

    async fn observe(&self, _connection: &Connection, queries: &[Query]) -> Vec<Result<Option<Object>, WorldError>> {
        let look = |query: &Query| {
            let (_, found) = self.look(&query.object)?;
            Ok(found.map(|found| worded(&query.object, found)))
        };
        queries.iter().map(look).collect()
    }

    async fn carry_out(
        &self,
        _connection: &Connection,
        effect: &Effect,
        _progress: &dyn Progress,
    ) -> Result<Object, EffectError> {
        match &effect.change {
            EffectChange::Create { after } => self.create(effect, after),
            EffectChange::Update { before, after } => self.update(effect, before, after),
            EffectChange::Delete { before } => self.delete(effect, before),
        }
    }

    async fn settle(&self, _connection: &Connection, effect: &Effect) -> Result<Settlement, WorldError> {
        self.ask(effect)
    }
}

fn text<'a>(object: &'a Object, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// What the file shall be.
fn wanted(tried: &str, after: &Object) -> Result<Found, WorldError> {
    let content = after.get(CONTENT).map(Value::reveal);
    let text_wanted = content.as_ref().and_then(Value::as_str);
    let mode = rules::mode_bits(text(after, "file_permission"));
    match (text_wanted, mode) {
        (Some(text), Some(mode)) => Ok(Found { text: text.to_owned(), mode }),
        (None, _) => Err(refused(
            tried.to_owned(),
            Unfit {
                cause: "the earlier text holds a secret, and is kept nowhere".to_owned(),
                help: "apply the spec again, with the secret given again".to_owned(),
                denied: false,
            },
        )),
        (_, None) => Err(refused(
            tried.to_owned(),
            Unfit {
                cause: "its mode is none".to_owned(),
                help: "write `file_permission` as in `0644`".to_owned(),
                denied: false,
            },
        )),
    }
}

/// Whether a file is as an object says; what is withheld may be.
fn is_as(object: &Object, found: &Found) -> bool {
    let content = object.get(CONTENT).map(Value::reveal);
    let same_text = content.as_ref().and_then(Value::as_str).is_none_or(|text| text == found.text);
    same_text && rules::mode_bits(text(object, "file_permission")).is_none_or(|mode| mode == found.mode)
}

fn as_planned(tried: &str, before: &Object, found: Option<&Found>) -> Result<(), WorldError> {
    let cause = match found {
        Some(found) if is_as(before, found) => return Ok(()),
        Some(_) => "somebody changed the file since this was planned",
        None => "somebody removed the file since this was planned",
    };
    let help = "plan again, and look at what changed".to_owned();
    Err(refused(tried.to_owned(), Unfit { cause: cause.to_owned(), help, denied: false }))
}

fn with_folders(after: &Object, before: &Object) -> Object {
    let mut after = after.clone();
    after.extend(before.get("folders_made").map(|made| ("folders_made".to_owned(), made.clone())));
    after
}

/// What is there, in the words of what is known; a text that was to be a secret is one.
fn worded(known: &Object, found: Found) -> Object {
    let secret = known.get(CONTENT).is_some_and(|value| value.is_sensitive() || value.holds_sealed());
    let content = Value::from(found.text);
    let mode = match rules::mode_bits(text(known, "file_permission")) {
        Some(mode) if mode == found.mode => text(known, "file_permission").to_owned(),
        Some(_) | None => rules::mode_text(found.mode),
    };
    let name = text(known, "filename");
    let mut object = Object::from([
        ("filename".to_owned(), name.into()),
        ("id".to_owned(), name.into()),
        (CONTENT.to_owned(), if secret { content.sensitive() } else { content }),
        ("file_permission".to_owned(), mode.into()),
    ]);
    for kept in ["preview", "folders_made"] {
        object.extend(known.get(kept).filter(|value| value.is_known()).map(|value| (kept.to_owned(), value.clone())));
    }
    object
}

fn unsent(error: WorldError) -> EffectError {
    EffectError { error, trace: Trace::Nothing }
}

fn exists(tried: &str, effect: &Effect) -> WorldError {
    let cause = "there is a file already, which this effect did not make".to_owned();
    let help = format!(
        "take it up with `switchback import {} {} PATH`, remove it, or give {} another path",
        effect.environment, effect.address, effect.address
    );
    refused(tried.to_owned(), Unfit { cause, help, denied: false })
}

fn refused(tried: String, unfit: Unfit) -> WorldError {
    let class = if unfit.denied { ErrorClass::Denied } else { ErrorClass::Refused };
    WorldError { tried, cause: unfit.cause, help: Some(unfit.help), class }
}

fn failed(tried: String, error: &io::Error) -> WorldError {
    let (class, help) = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            (ErrorClass::Denied, "see who owns the folder, and whom the program runs as")
        }
        _ => (ErrorClass::Refused, "see that the disk is there, writable and not full, and try again"),
    };
    WorldError { tried, cause: error.to_string(), help: Some(help.to_owned()), class }
}

#[cfg(test)]
mod tests;
