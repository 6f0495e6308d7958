//! Files as a run leaves them, and what is refused.
#![expect(clippy::disallowed_methods, reason = "tests look at files by other means than ours")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::address::Address;
use crate::value::SealKey;
use crate::world::Fence;

struct Silent;

impl Progress for Silent {
    fn say(&self, _message: &str) {}
}

fn file(name: &str, content: &str, mode: &str) -> Object {
    Object::from([
        ("filename".to_owned(), name.into()),
        (CONTENT.to_owned(), content.into()),
        ("file_permission".to_owned(), mode.into()),
    ])
}

fn effect(change: EffectChange) -> Effect {
    Effect {
        token: "t".to_owned(),
        fence: Fence::open(),
        environment: "dev".to_owned(),
        address: Address::root("config", "web"),
        kind: "local_file".to_owned(),
        change,
    }
}

fn connection() -> Connection {
    Connection { provider: "local".into(), alias: None, settings: Object::new() }
}

async fn done(files: &LocalFiles, change: EffectChange) -> Result<Object, String> {
    files.carry_out(&connection(), &effect(change), &Silent).await.map_err(|error| error.to_string())
}

async fn seen(files: &LocalFiles, object: &Object) -> Result<Option<Object>, String> {
    let query =
        Query { address: Address::root("config", "web"), kind: "local_file".to_owned(), object: object.clone() };
    files.observe(&connection(), &[query]).await.remove(0).map_err(|error| error.to_string())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_is_made_changed_and_removed_with_the_folders_made_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = LocalFiles::below(folder.path());
    fs::create_dir(folder.path().join("rendered")).unwrap();
    let first = file("rendered/a/b/web.env", "A=1\n", "0640");
    let path = folder.path().join("rendered/a/b/web.env");
    assert_eq!(seen(&files, &first).await, Ok(None));
    let made = done(&files, EffectChange::Create { after: first.clone() }).await.unwrap();
    assert_eq!((fs::read_to_string(&path).unwrap().as_str(), made["folders_made"].as_i64()), ("A=1\n", Some(2)));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
    assert_eq!(seen(&files, &made).await, Ok(Some(made.clone())));
    let again = done(&files, EffectChange::Create { after: first }).await.unwrap_err();
    assert!(again.contains("there is a file already"), "{again}");

    let second = file("rendered/a/b/web.env", "A=2\n", "0600");
    let changed = done(&files, EffectChange::Update { before: made, after: second }).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "A=2\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(names(path.parent().unwrap()), ["web.env"], "nothing is left beside");

    fs::write(folder.path().join("rendered/a/foreign"), "x").unwrap();
    done(&files, EffectChange::Delete { before: changed.clone() }).await.unwrap();
    assert_eq!(names(&folder.path().join("rendered/a")), ["foreign"], "what is somebody else's stays");
    done(&files, EffectChange::Delete { before: changed }).await.unwrap();
}

#[tokio::test]
async fn what_somebody_changed_meanwhile_stays() {
    let folder = tempfile::tempdir().unwrap();
    let files = LocalFiles::below(folder.path());
    let path = folder.path().join("web.env");
    let made = done(&files, EffectChange::Create { after: file("web.env", "A=1\n", "0644") }).await.unwrap();
    fs::write(&path, "by hand\n").unwrap();
    let after = file("web.env", "A=2\n", "0644");
    let update = EffectChange::Update { before: made.clone(), after };
    assert!(done(&files, update.clone()).await.unwrap_err().contains("somebody changed the file"));
    assert!(done(&files, EffectChange::Delete { before: made }).await.unwrap_err().contains("somebody changed"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "by hand\n");
    let asked = files.settle(&connection(), &effect(update)).await.unwrap();
    assert!(matches!(asked, Settlement::Doubt(_)), "{asked:?}");
}

#[tokio::test]
async fn links_and_folders_in_the_way_are_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let files = LocalFiles::below(folder.path());
    fs::write(elsewhere.path().join("victim"), "mine").unwrap();
    symlink(elsewhere.path().join("victim"), folder.path().join("web.env")).unwrap();
    symlink(elsewhere.path(), folder.path().join("linked")).unwrap();
    fs::create_dir(folder.path().join("taken")).unwrap();
    fs::write(folder.path().join("plain"), "x").unwrap();
    for (name, why) in [
        ("web.env", "is a link"),
        ("linked/victim", "is a link"),
        ("taken", "a folder is in the way"),
        ("plain/web.env", "is no folder"),
        ("../outside", "goes out of its way"),
        ("/none/such/folder/web.env", "is not there"),
    ] {
        let refused = done(&files, EffectChange::Create { after: file(name, "new", "0644") }).await.unwrap_err();
        assert!(refused.contains(why), "{name}: {refused}");
    }
    assert_eq!(fs::read_to_string(elsewhere.path().join("victim")).unwrap(), "mine");
    assert_eq!(names(elsewhere.path()), ["victim"]);
    // Whoever gives an absolute path says where it is.
    let absolute = folder.path().join("linked/absolute").display().to_string();
    done(&files, EffectChange::Create { after: file(&absolute, "x", "0644") }).await.unwrap();
    assert_eq!(names(elsewhere.path()), ["absolute", "victim"]);
}

#[tokio::test]
async fn a_cut_write_is_settled_by_what_is_there_and_leaves_nothing_beside() {
    let folder = tempfile::tempdir().unwrap();
    let files = LocalFiles::below(folder.path());
    let before = done(&files, EffectChange::Create { after: file("web.env", "A=1\n", "0600") }).await.unwrap();
    let update = EffectChange::Update { before: before.clone(), after: file("web.env", "A=2\n", "0600") };
    let beside = folder.path().join(".web.env.switchback");
    fs::write(&beside, "A=").unwrap();
    assert_eq!(files.settle(&connection(), &effect(update.clone())).await, Ok(Settlement::NotDone));
    assert!(!beside.exists(), "what was cut may hold a secret");
    fs::write(&beside, "A=").unwrap();
    let changed = done(&files, update.clone()).await.unwrap();
    assert!(!beside.exists());
    assert_eq!(files.settle(&connection(), &effect(update.clone())).await, Ok(Settlement::Done(changed.clone())));
    assert_eq!(done(&files, update).await, Ok(changed), "a second try changes nothing");
    let create = EffectChange::Create { after: file("none.env", "A=1\n", "0600") };
    assert_eq!(files.settle(&connection(), &effect(create)).await, Ok(Settlement::NotDone));
}

#[tokio::test]
async fn a_text_that_is_withheld_is_not_written_and_a_secret_one_is_found_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let files = LocalFiles::below(folder.path());
    let mut secret = file("web.env", "", "0600");
    secret.insert(CONTENT.to_owned(), Value::from("A=hunter2\n").sensitive());
    let made = done(&files, EffectChange::Create { after: secret.clone() }).await.unwrap();
    assert!(made[CONTENT].is_sensitive());
    let mut withheld = secret.clone();
    let sealed = Value::from("A=hunter1\n").sensitive().seal(Some(&SealKey::from_random([1; 32])));
    withheld.insert(CONTENT.to_owned(), sealed);
    assert!(seen(&files, &withheld).await.unwrap().unwrap()[CONTENT].is_sensitive());
    let refused = done(&files, EffectChange::Update { before: made, after: withheld }).await.unwrap_err();
    assert!(refused.contains("kept nowhere") && !refused.contains("hunter"), "{refused}");
}
