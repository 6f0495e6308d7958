//! Secrets of files that are encrypted with `age`, as its own library encrypts them.

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use serde_json::json;

use super::{asked, project};
use crate::secrets::forms::assert_files_are_clean;
use crate::shop::project::Project;

const SPEC: &str = r#"
config "web" {
  store  = "ssm"
  prefix = "/${var.name}"
  values = {
    STRIPE_KEY = secret("age:secrets/dev.age#STRIPE_KEY")
    WHOLE      = secret("age:secrets/whole.age")
  }
}
"#;

const KEY: &str = "a key of 'Stripe's' & $more";

fn encrypt(project: &Project, identity: &Identity, path: &str, text: &str) {
    let bytes = age::encrypt(&identity.to_public(), text.as_bytes()).unwrap();
    std::fs::create_dir_all(project.path("secrets")).unwrap();
    std::fs::write(project.path(path), bytes).unwrap();
}

fn stored(project: &Project, key: &str) -> String {
    let body = json!({"Name": format!("/{}/{key}", project.name), "WithDecryption": true});
    asked(project, "ssm", "GetParameter", &body)["Parameter"]["Value"].as_str().unwrap().to_owned()
}

#[test]
fn secrets_come_out_of_encrypted_files_and_rest_nowhere_else() {
    let mut project = project("aged", SPEC);
    let (identity, stranger) = (Identity::generate(), Identity::generate());
    let keys = tempfile::tempdir().unwrap();
    let place = |name: &str, identity: &Identity| {
        let path = keys.path().join(name);
        std::fs::write(&path, format!("# a key\n{}\n", identity.to_string().expose_secret())).unwrap();
        path.display().to_string()
    };
    let (own, other) = (place("own", &identity), place("other", &stranger));
    let text = |key: &str| format!("# of dev\nSTRIPE_KEY='{}'\nOTHER=x\n", key.replace('\'', r"'\''"));
    encrypt(&project, &identity, "secrets/dev.age", &text(KEY));
    let armoured = age::encrypt_and_armor(&identity.to_public(), b"the whole of it\n").unwrap();
    std::fs::write(project.path("secrets/whole.age"), armoured).unwrap();

    let refused = |project: &Project, why: &str| {
        let said = project.exits(4, &["plan", "dev"]).err;
        assert!(said.contains(why) && !said.contains(KEY), "`{why}` in\n{said}");
    };
    refused(&project, "set SWITCHBACK_AGE_IDENTITY to the path");
    project.set("SWITCHBACK_AGE_IDENTITY", "/none/such");
    refused(&project, "cannot be used");
    project.set("SWITCHBACK_AGE_IDENTITY", &other);
    refused(&project, "is not encrypted for the identity");
    project.set("SWITCHBACK_AGE_IDENTITY", &own);

    project.ok(&["-vvv", "plan", "dev", "--out", "a.plan.json"]);
    // A file that was encrypted anew is another one, even with the same text.
    encrypt(&project, &identity, "secrets/dev.age", &text(KEY));
    let said = project.run(&["apply", "a.plan.json"]);
    assert!(said.code != 0 && said.err.contains("made with another secrets/dev.age"), "{}: {}", said.code, said.err);
    project.ok(&["plan", "dev", "--out", "a.plan.json"]);
    project.ok(&["apply", "a.plan.json"]);
    assert_eq!(
        (stored(&project, "STRIPE_KEY"), stored(&project, "WHOLE")),
        (KEY.to_owned(), "the whole of it".to_owned())
    );
    project.exits(0, &["plan", "dev", "--detailed-exitcode"]);

    // Another value is a change; the earlier one comes back from its store.
    encrypt(&project, &identity, "secrets/dev.age", &text("second key"));
    project.exits(2, &["plan", "dev", "--detailed-exitcode"]);
    project.ok(&["apply", "dev", "--auto-approve"]);
    assert_eq!(stored(&project, "STRIPE_KEY"), "second key");
    project.ok(&["rollback", "dev", "--last", "--auto-approve"]);
    assert_eq!(stored(&project, "STRIPE_KEY"), KEY);

    encrypt(&project, &identity, "secrets/dev.age", "OTHER=x\n");
    refused(&project, "has no key `STRIPE_KEY`");
    let whole = std::fs::read(project.path("secrets/dev.age")).unwrap();
    std::fs::write(project.path("secrets/dev.age"), &whole[..whole.len() - 3]).unwrap();
    refused(&project, "is no whole `age` file");
    std::fs::write(project.path("secrets/dev.age"), "STRIPE_KEY=x").unwrap();
    refused(&project, "is no whole `age` file");
    std::fs::remove_file(project.path("secrets/dev.age")).unwrap();
    refused(&project, "there is no file");

    assert_files_are_clean(KEY, &project);
    assert_files_are_clean(identity.to_string().expose_secret(), &project);
}
