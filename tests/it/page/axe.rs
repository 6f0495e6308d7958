//! axe-core, which looks for what keeps people out of a page: fetched once from npm's registry, checked, kept.
//!
//! Invariant: nothing is run whose sha512 is not the one that is written here; what cannot be fetched fails the test.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use base64::Engine as _;
use sha2::{Digest as _, Sha512};

use crate::stack;

const VERSION: &str = "4.10.3";
const SHA512: &str = "Xm7bpRXnDSX2YE2YFfBk2FnF0ep6tmG7xPh8iHee8MIcrgq762Nkce856dYtJYLkuIoYZvGfTs/PbZhideTcEg==";

/// The script.
pub fn script() -> &'static str {
    static SCRIPT: OnceLock<String> = OnceLock::new();
    SCRIPT.get_or_init(|| {
        let folder = stack::places().cache.join("axe-core");
        let archive = folder.join(format!("{VERSION}.tgz"));
        if !is_right(&archive) {
            fetch(&folder, &archive);
        }
        let mut tar = Command::new("tar");
        let said = tar.arg("-xzOf").arg(&archive).arg("package/axe.min.js").output().expect("tar runs");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).expect("it is text")
    })
}

fn is_right(archive: &Path) -> bool {
    let sum = |bytes: Vec<u8>| base64::engine::general_purpose::STANDARD.encode(Sha512::digest(&bytes));
    std::fs::read(archive).is_ok_and(|bytes| sum(bytes) == SHA512)
}

fn fetch(folder: &Path, archive: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let beside = folder.join(stack::unique(".fetched"));
    let url = format!("https://registry.npmjs.org/axe-core/-/axe-core-{VERSION}.tgz");
    let mut curl = Command::new("curl");
    curl.args([
        "--fail",
        "--silent",
        "--show-error",
        "--location",
        "--proto",
        "=https",
        "--max-time",
        "300",
        "--output",
    ]);
    let said = curl.arg(&beside).arg(&url).output().expect("curl runs");
    assert!(said.status.success(), "{url} is not to be had: {}", String::from_utf8_lossy(&said.stderr));
    assert!(is_right(&beside), "{url} has not the sha512 {SHA512}");
    std::fs::rename(&beside, archive).unwrap();
}
