//! `stack.json`: what one project folder remembers of its local stack. An edge (it reads and writes that file).
//!
//! Invariant: ports are chosen once and stay, since records of the ledger name endpoints.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::process::Identity;
use super::{LocalError, Places, disk, wire};
use crate::digest::Digest;

/// The format that this version writes and the newest that it reads.
const FORMAT: u32 = 1;
const FIRST_PORT: u16 = 20_000;
/// Below the range from which Linux takes the ports of outgoing connections.
const LAST_PORT: u16 = 32_000;

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// The format.
    pub format: u32,
    /// Which stack, so that a copy is told from a move.
    pub id: String,
    /// The folder it belongs to.
    pub project: PathBuf,
    /// Where its data lie.
    pub data: DataFolder,
    /// Its ports.
    pub ports: Ports,
    /// The marks that the emulator may hold; more than one while the mark is being changed, none at first.
    #[serde(default)]
    pub generations: Vec<String>,
    /// Whether a PostgreSQL cluster was made; when it is gone then, it is not quietly made anew.
    #[serde(default)]
    pub has_cluster: bool,
    /// What was started.
    #[serde(default)]
    pub processes: Processes,
    /// The server's programs.
    #[serde(default)]
    pub postgres_binaries: PathBuf,
}

/// Where data lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DataFolder {
    /// In the project folder; moves with it.
    InProject,
    /// In a folder of its own.
    At(PathBuf),
}

/// The loopback ports of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ports {
    /// Of the relay: the AWS endpoint.
    pub relay: u16,
    /// Of the emulator behind it.
    pub emulator: u16,
    /// Of PostgreSQL.
    pub postgres: u16,
}

/// The processes of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Processes {
    /// The relay.
    pub relay: Option<Identity>,
    /// The emulator.
    pub emulator: Option<Identity>,
    /// The PostgreSQL server.
    pub postgres: Option<Identity>,
}

/// The folder of the stack in a project folder.
pub(super) fn folder(project: &Path) -> PathBuf {
    project.join(".switchback/local")
}

fn file(project: &Path) -> PathBuf {
    folder(project).join("stack.json")
}

/// The copy of `stack.json` beside data outside the project, for when the project's is gone.
fn copy_beside(data: &Path) -> PathBuf {
    data.join("owner.json")
}

impl Memory {
    /// A new one, with ports that are free now; the first choice depends on the folder only.
    pub(super) fn new(project: &Path, places: &Places) -> Result<Self, LocalError> {
        let data = match &places.data {
            Some(_) => DataFolder::At(places.data_of(project)),
            None => DataFolder::InProject,
        };
        Ok(Self {
            format: FORMAT,
            id: uuid::Uuid::new_v4().to_string(),
            project: project.to_owned(),
            data,
            ports: Ports::choose(project)?,
            generations: Vec::new(),
            has_cluster: false,
            processes: Processes::default(),
            postgres_binaries: PathBuf::new(),
        })
    }

    /// What a project folder remembers. A folder that was moved is followed, a copied one is refused.
    pub(super) fn load(project: &Path) -> Result<Option<Self>, LocalError> {
        let project = canonical(project)?;
        let Some(mut memory) = read(&file(&project))? else { return Ok(None) };
        if memory.project != project {
            let owner = read(&file(&memory.project)).ok().flatten();
            if owner.is_some_and(|owner| owner.id == memory.id) {
                return Err(LocalError::Copied { owner: memory.project, here: project });
            }
            memory.project = project;
        }
        Ok(Some(memory))
    }

    /// What is remembered beside data whose project forgot them.
    pub(super) fn load_beside(data: &Path) -> Result<Option<Self>, LocalError> {
        read(&copy_beside(data))
    }

    /// Remembers it.
    pub(super) fn save(&self) -> Result<(), LocalError> {
        let text = serde_json::to_string_pretty(self).expect("plain data") + "\n";
        disk::make_folder(&folder(&self.project))?;
        if let DataFolder::At(data) = &self.data {
            disk::make_folder(data)?;
            disk::replace(&copy_beside(data), &text, 0o644)?;
        }
        disk::replace(&file(&self.project), &text, 0o644)
    }

    /// The folder of data and logs.
    pub(super) fn data_folder(&self) -> PathBuf {
        match &self.data {
            DataFolder::InProject => folder(&self.project).join("data"),
            DataFolder::At(folder) => folder.clone(),
        }
    }

    /// The file with the superuser's password.
    pub(super) fn password_file(&self) -> PathBuf {
        folder(&self.project).join("postgres.password")
    }

    /// The log of a part.
    pub(super) fn log(&self, part: &str) -> PathBuf {
        self.data_folder().join(format!("{part}.log"))
    }
}

fn read(path: &Path) -> Result<Option<Memory>, LocalError> {
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    let refuse = |cause: String| LocalError::Memory { path: path.to_owned(), cause };
    let Some(text) = disk::read(path)? else { return Ok(None) };
    let Versioned { format } = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
    if format > FORMAT {
        return Err(refuse(format!("it has format {format}, this version knows formats up to {FORMAT}")));
    }
    serde_json::from_str(&text).map(Some).map_err(|error| refuse(error.to_string()))
}

/// A folder's one true path.
pub(super) fn canonical(project: &Path) -> Result<PathBuf, LocalError> {
    project.canonicalize().map_err(LocalError::disk("find the folder", project))
}

impl Ports {
    fn choose(project: &Path) -> Result<Self, LocalError> {
        let seed = Digest::of_bytes(project.as_os_str().as_encoded_bytes()).to_string();
        let seed = u32::from_str_radix(&seed[..6], 16).expect("hexadecimal digits");
        let places = u32::from((LAST_PORT - FIRST_PORT) / 3);
        (0..places)
            .map(|attempt| (seed + attempt) % places)
            .map(|place| FIRST_PORT + 3 * u16::try_from(place).expect("below the number of places"))
            .find(|first| (0..3).all(|offset| wire::is_free(first + offset)))
            .map(|first| Self { relay: first, emulator: first + 1, postgres: first + 2 })
            .ok_or(LocalError::NoPorts { from: FIRST_PORT, to: LAST_PORT })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(folder: &Path) -> Places {
        Places { cache: folder.join("cache"), data: Some(folder.join("data")) }
    }

    fn project(folder: &Path, name: &str) -> PathBuf {
        let project = folder.join(name);
        std::fs::create_dir_all(&project).unwrap();
        project.canonicalize().unwrap()
    }

    #[test]
    fn what_is_saved_is_loaded_and_follows_a_move() {
        let folder = tempfile::tempdir().unwrap();
        let here = project(folder.path(), "shop");
        let memory = Memory::new(&here, &places(folder.path())).unwrap();
        memory.save().unwrap();
        assert_eq!(Memory::load(&here).unwrap().as_ref(), Some(&memory));
        assert_eq!(Memory::load_beside(&memory.data_folder()).unwrap().as_ref(), Some(&memory));
        let there = folder.path().canonicalize().unwrap().join("moved");
        std::fs::rename(&here, &there).unwrap();
        let moved = Memory::load(&there).unwrap().unwrap();
        assert_eq!((moved.project, moved.ports, moved.data), (there, memory.ports, memory.data));
    }

    #[test]
    fn a_copy_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let here = project(folder.path(), "shop");
        Memory::new(&here, &places(folder.path())).unwrap().save().unwrap();
        let there = project(folder.path(), "copy");
        std::fs::create_dir_all(super::folder(&there)).unwrap();
        std::fs::copy(file(&here), file(&there)).unwrap();
        let error = Memory::load(&there).unwrap_err();
        assert!(matches!(&error, LocalError::Copied { owner, .. } if *owner == here), "{error}");
        assert!(error.help().contains(".switchback/local"), "{}", error.help());
    }

    #[test]
    fn a_newer_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let here = project(folder.path(), "shop");
        std::fs::create_dir_all(super::folder(&here)).unwrap();
        disk::replace(&file(&here), r#"{"format": 2, "something": "new"}"#, 0o644).unwrap();
        let error = Memory::load(&here).unwrap_err().to_string();
        assert!(error.contains("format 2"), "{error}");
    }

    #[test]
    fn an_old_file_is_still_read() {
        let text =
            r#"{"format":1,"id":"i","project":"/p","data":{"at":"/d"},"ports":{"relay":1,"emulator":2,"postgres":3}}"#;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stack.json");
        disk::replace(&path, text, 0o644).unwrap();
        let memory = read(&path).unwrap().unwrap();
        assert_eq!(memory.data_folder(), Path::new("/d"));
        assert!(memory.generations.is_empty());
    }

    #[test]
    fn ports_depend_on_the_folder_and_avoid_those_in_use() {
        let path = Path::new("/somewhere/unlikely");
        let first = Ports::choose(path).unwrap();
        assert_eq!(Ports::choose(path).unwrap(), first);
        let _taken = std::net::TcpListener::bind(("127.0.0.1", first.emulator)).unwrap();
        assert_ne!(Ports::choose(path).unwrap(), first);
    }
}
