//! A release with the texts of its files, and the door through which a spec reads them. Pure.
//!
//! Invariant: of a folder that a release has anything of, nothing comes from anywhere else.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Release;
use crate::digest::Digest;
use crate::files::Files;

/// The texts of files, by their digests.
pub type Texts = BTreeMap<Digest, Arc<str>>;

/// A release and its texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parcel {
    /// The release.
    pub release: Release,
    /// The texts of all of its files.
    pub texts: Texts,
}

impl Parcel {
    /// Whether every text is there and is what its name says.
    pub fn is_whole(&self) -> bool {
        let is_right =
            |digest: &Digest| self.texts.get(digest).is_some_and(|text| Digest::of_bytes(text.as_bytes()) == *digest);
        self.release.files.values().all(is_right)
    }

    /// The text of a file.
    fn text(&self, path: &str) -> Option<&Arc<str>> {
        self.texts.get(self.release.files.get(path)?)
    }

    /// Whether a file is of a folder that the release has.
    fn has_unit(&self, path: &str) -> bool {
        self.release.files.keys().any(|known| unit(known) == unit(path))
    }
}

/// Whether a file stays where it is: the project's file, and the environments' specs.
pub fn stays(path: &str) -> bool {
    path == "switchback.hcl" || path == "environments" || path.starts_with("environments/")
}

/// What travels as one: a module, a folder of migrations; a file that lies in none.
pub fn unit(path: &str) -> &str {
    let second = path.match_indices('/').nth(1).map(|(at, _)| at);
    second.map_or(path, |end| &path[..end])
}

/// A path inside the project, with `/` between its parts; nothing when it leads out.
pub fn inside(project: &Path, path: &Path) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for component in path.strip_prefix(project).ok()?.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

/// The files of a project: what travels from the release, all else from the place.
pub struct ParcelFiles<'a> {
    /// The release.
    pub parcel: &'a Parcel,
    /// The project's folder.
    pub project: &'a Path,
    /// The files of the place.
    pub place: &'a dyn Files,
}

impl Files for ParcelFiles<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match inside(self.project, path).filter(|path| !stays(path)) {
            Some(short) if self.parcel.has_unit(&short) => self
                .parcel
                .text(&short)
                .map(|text| text.as_bytes().to_vec())
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the release has no such file")),
            Some(_) | None => self.place.read(path),
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let Some(short) = inside(self.project, folder).filter(|path| !stays(path)) else {
            return self.place.list(folder);
        };
        let head = format!("{short}/");
        let mut below = self.parcel.release.files.keys().filter_map(|path| path.strip_prefix(&head)).peekable();
        if below.peek().is_some() {
            return Ok(below.filter(|name| !name.contains('/')).map(|name| folder.join(name)).collect());
        }
        match self.parcel.has_unit(&short) {
            true => Err(io::Error::new(io::ErrorKind::NotFound, "the release has no such folder")),
            false => self.place.list(folder),
        }
    }

    fn folders(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        self.place.folders(folder)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A place where every file says that it is of the place.
    struct Place;

    impl Files for Place {
        fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
            Ok(b"place".to_vec())
        }

        fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
            Ok(vec![folder.join("place.hcl")])
        }
    }

    fn parcel(files: &[(&str, &str)]) -> Parcel {
        let texts = files.iter().map(|(_, text)| (Digest::of_bytes(text.as_bytes()), Arc::from(*text))).collect();
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), Digest::of_bytes(text.as_bytes()))).collect();
        let release = Release {
            format: super::super::FORMAT,
            project: "shop".to_owned(),
            environment: "dev".to_owned(),
            spec_digest: Digest::of_bytes(b""),
            commit: None,
            files,
            variables: BTreeMap::new(),
            images: BTreeSet::new(),
            pinned: BTreeMap::new(),
            migrations: BTreeMap::new(),
            configuration: BTreeMap::new(),
        };
        Parcel { release, texts }
    }

    #[test]
    fn what_travels_is_of_the_release_and_all_else_of_the_place() {
        let parcel = parcel(&[("modules/web/main.hcl", "released"), ("migrations/app/V1__a.sql", "one")]);
        assert!(parcel.is_whole());
        let files = ParcelFiles { parcel: &parcel, project: Path::new("/p"), place: &Place };
        let read = |path: &str| files.read(Path::new(path)).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(read("/p/modules/web/main.hcl").unwrap(), "released");
        assert_eq!(read("/p/environments/../modules/web/main.hcl").unwrap(), "released");
        assert!(read("/p/modules/web/templates/other.json").is_err(), "the module is the release's, and has none");
        for of_place in ["/p/environments/prod.hcl", "/p/switchback.hcl", "/p/modules/waf/main.hcl", "/elsewhere"] {
            assert_eq!(read(of_place).unwrap(), "place", "{of_place}");
        }
        let list = |folder: &str| files.list(Path::new(folder)).unwrap();
        assert_eq!(list("/p/migrations/app"), [Path::new("/p/migrations/app/V1__a.sql")]);
        assert_eq!(list("/p/modules/waf"), [Path::new("/p/modules/waf/place.hcl")]);
        assert_eq!(list("/p/environments"), [Path::new("/p/environments/place.hcl")]);
        assert!(files.list(Path::new("/p/modules/web/more")).is_err());
    }

    #[test]
    fn a_text_that_is_not_what_its_name_says_is_seen() {
        let mut parcel = parcel(&[("modules/web/main.hcl", "released")]);
        for text in parcel.texts.values_mut() {
            *text = "altered".into();
        }
        assert!(!parcel.is_whole());
        parcel.texts.clear();
        assert!(!parcel.is_whole());
    }
}
