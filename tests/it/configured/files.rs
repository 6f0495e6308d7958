//! `store = "file"`: made, changed, edited by hand, taken back, removed; and what is refused.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::project;
use crate::secrets::forms::assert_clean;
use crate::shop::project::Project;

const SPEC: &str = r#"
variable "level" {
  type    = string
  default = "info"
}

config "web" {
  store  = "file"
  path   = "rendered/web.env"
  format = "env"

  values = {
    LOG_LEVEL = var.level
    MAIL_KEY  = secret("environment:CONFIGURED_MAIL_KEY")
    WORKERS   = 4
  }
}

config "page" {
  store    = "file"
  path     = "rendered/web.conf"
  template = "web.conf.tmpl"
  values   = { level = var.level, hosts = ["a", "b"] }
  mode     = "0640"
}
"#;

const SECRET: &str = "first & key 'of' the $post=1";

fn read(project: &Project, path: &str) -> String {
    std::fs::read_to_string(project.path(path)).unwrap()
}

fn mode(project: &Project, path: &str) -> u32 {
    std::fs::metadata(project.path(path)).unwrap().permissions().mode() & 0o7777
}

fn files(prefix: &str) -> Project {
    let mut project = project(prefix, SPEC);
    project.write("web.conf.tmpl", "level ${level}\n%{ for host in hosts ~}\nhost ${host}\n%{ endfor ~}\n");
    project.set("CONFIGURED_MAIL_KEY", SECRET);
    project
}

fn env(level: &str, secret: &str) -> String {
    format!("LOG_LEVEL={level}\nMAIL_KEY='{}'\nWORKERS=4\n", secret.replace('\'', r"'\''"))
}

#[test]
fn files_are_rendered_compared_and_taken_back() {
    let mut project = files("files");
    let plan = project.exits(2, &["-vvv", "plan", "dev", "--detailed-exitcode", "--out", "f.plan.json"]);
    for shown in ["config.web", "MAIL_KEY='(sensitive)'", "LOG_LEVEL=info", "level info"] {
        assert!(plan.out.contains(shown), "`{shown}` in\n{}", plan.out);
    }
    project.ok(&["apply", "f.plan.json"]);
    assert_eq!(read(&project, "rendered/web.env"), env("info", SECRET));
    assert_eq!(read(&project, "rendered/web.conf"), "level info\nhost a\nhost b\n");
    assert_eq!((mode(&project, "rendered/web.env"), mode(&project, "rendered/web.conf")), (0o600, 0o640));
    project.exits(0, &["plan", "dev", "--detailed-exitcode"]);
    project.exits(0, &["drift", "dev"]);

    // A change is shown line by line, and taken back exactly, the secret from where it comes from.
    project.set("SWITCHBACK_VAR_level", "debug");
    let plan = project.exits(2, &["plan", "dev", "--detailed-exitcode"]).out;
    for shown in ["\"LOG_LEVEL=info\" -> \"LOG_LEVEL=debug\"", "\"level info\" -> \"level debug\""] {
        assert!(plan.contains(shown), "`{shown}` in\n{plan}");
    }
    assert!(!plan.contains("host a"), "what stays is not shown:\n{plan}");
    project.ok(&["apply", "dev", "--auto-approve"]);
    assert_eq!(read(&project, "rendered/web.env"), env("debug", SECRET));
    project.ok(&["rollback", "dev", "--last", "--auto-approve"]);
    assert_eq!(read(&project, "rendered/web.env"), env("info", SECRET));
    assert_eq!(read(&project, "rendered/web.conf"), "level info\nhost a\nhost b\n");
    project.set("SWITCHBACK_VAR_level", "info");
    project.exits(0, &["plan", "dev", "--detailed-exitcode"]);

    // Removed, and taken back with its text and mode.
    project.ok(&["destroy", "dev", "--auto-approve"]);
    assert!(!project.path("rendered").exists(), "the folder was made for them");
    project.ok(&["rollback", "dev", "--last", "--auto-approve"]);
    assert_eq!(read(&project, "rendered/web.env"), env("info", SECRET));
    assert_eq!((mode(&project, "rendered/web.env"), mode(&project, "rendered/web.conf")), (0o600, 0o640));

    std::fs::remove_file(project.path("rendered/web.env")).unwrap();
    for (path, bytes) in project.bytes_below(".") {
        assert_clean(SECRET, &path.display().to_string(), &bytes);
    }
    assert_clean(SECRET, "the talk", (plan + &project.run(&["-vvv", "plan", "dev"]).err).as_bytes());
}

#[test]
fn an_earlier_secret_that_is_gone_stays_out_of_the_way_back_and_that_is_told() {
    let mut project = files("lost");
    project.ok(&["apply", "dev", "--auto-approve"]);
    project.set("CONFIGURED_MAIL_KEY", "second key");
    project.set("SWITCHBACK_VAR_level", "debug");
    project.ok(&["apply", "dev", "--auto-approve"]);
    assert_eq!(read(&project, "rendered/web.env"), "LOG_LEVEL=debug\nMAIL_KEY='second key'\nWORKERS=4\n");
    let said = project.run(&["rollback", "dev", "--last", "--auto-approve"]);
    assert!(said.code != 0 && said.err.contains("it stays as it is now"), "{}\n{}", said.out, said.err);
    project.ok(&["rollback", "dev", "--last", "--auto-approve", "--accept-loss", "all"]);
    assert_eq!(read(&project, "rendered/web.env"), "LOG_LEVEL=debug\nMAIL_KEY='second key'\nWORKERS=4\n");
    assert_eq!(read(&project, "rendered/web.conf"), "level info\nhost a\nhost b\n", "the rest goes back");
}

#[test]
fn a_file_that_somebody_edits_or_removes_is_drift_and_is_mended() {
    let project = files("edited");
    project.ok(&["apply", "dev", "--auto-approve"]);
    project.write("rendered/web.conf", "level trace\nhost a\nhost b\n");
    project.write("rendered/web.env", &env("trace", SECRET));
    let said = project.exits(11, &["drift", "dev"]).out;
    assert!(said.contains("config.page") && said.contains("config.web") && said.contains("level trace"), "{said}");
    assert_clean(SECRET, "what drift says", said.as_bytes());
    project.ok(&["apply", "dev", "--auto-approve"]);
    assert_eq!(read(&project, "rendered/web.conf"), "level info\nhost a\nhost b\n");
    std::fs::set_permissions(project.path("rendered/web.env"), std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::remove_file(project.path("rendered/web.conf")).unwrap();
    let said = project.exits(11, &["drift", "dev"]).out;
    assert!(said.contains("config.page") && said.contains("0644"), "{said}");
    project.ok(&["apply", "dev", "--auto-approve"]);
    assert_eq!((read(&project, "rendered/web.env"), mode(&project, "rendered/web.env")), (env("info", SECRET), 0o600));
    assert_eq!(read(&project, "rendered/web.conf"), "level info\nhost a\nhost b\n");
}

#[test]
fn what_is_in_the_way_of_a_file_is_refused_and_stays() {
    let project = files("in-the-way");
    project.write("rendered/web.conf/mine", "x");
    let said = project.run(&["apply", "dev", "--auto-approve"]);
    assert!(said.code != 0 && said.err.contains("a folder is in the way"), "{}: {}", said.code, said.err);
    assert!(!project.path("rendered/web.env").exists(), "no effect");
    std::fs::remove_dir_all(project.path("rendered")).unwrap();

    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), project.path("rendered")).unwrap();
    let said = project.run(&["apply", "dev", "--auto-approve"]);
    assert!(said.code != 0 && said.err.contains("is a link, and is not followed"), "{}: {}", said.code, said.err);
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    std::fs::remove_file(project.path("rendered")).unwrap();

    project.write("rendered/web.conf", "somebody's");
    let said = project.run(&["apply", "dev", "--auto-approve"]);
    assert!(said.code != 0 && said.err.contains("exists already"), "{}: {}", said.code, said.err);
    assert_eq!(read(&project, "rendered/web.conf"), "somebody's");
}

#[test]
fn mistakes_in_a_file_block_are_told_with_their_lines() {
    let spec = r#"config "a" {
  store  = "file"
  path   = "../web.env"
  format = "env"
  values = { A = 1 }
}
config "b" {
  store  = "file"
  path   = "b.ini"
  format = "ini"
  prefix = "/x"
  values = {}
}
config "c" {
  store    = "file"
  path     = "c"
  format   = "env"
  template = "c.tmpl"
}
config "d" {
  store  = "file"
  format = "yaml"
  mode   = "rw"
  values = {}

  key "K" {
    generated {}
  }
}
config "e" {
  store  = "file"
  path   = "e"
  format = "env"
  values = { "a-b" = sensitive("hunter2") }
}
config "f" {
  store  = "ssm"
  prefix = "/f"
  values = {}
  mode   = "0600"
}
"#;
    let project = project("mistaken", spec);
    let said = project.exits(4, &["validate", "dev"]).err;
    for word in [
        "`../web.env` goes out of its way",
        "`ini` cannot be written",
        "`prefix` is no attribute of a `config` block in this store",
        "has `format` or `template`, and not both",
        "a `config` block whose store is `file` needs `path`",
        "`K` is generated, and has no place but the file",
        "`mode` is no attribute of a `config` block in this store",
    ] {
        assert!(said.contains(word), "`{word}` in\n{said}");
    }
    assert!(said.contains("`a-b` is no name of an environment variable"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}
