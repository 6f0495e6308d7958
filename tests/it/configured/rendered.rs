//! Each format, read back by those who read such files: a shell, Python's parsers, and the rules of `.properties` written
//! down a second time.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

use super::project;

/// Keys with values that are easily broken.
fn values() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("PLAIN", "info"),
        ("EMPTY", ""),
        ("LINES", "one\ntwo\n\nfour\n"),
        ("QUOTES", r#"a "double" 'single' `back` \ slash \n"#),
        ("EQUALS", "a=b=c"),
        ("HASH", "#no comment # none"),
        ("UNICODE", "Grüße, 世界 🦀"),
        ("SPACES", "  before and after  "),
        ("DOLLAR", "$HOME ${HOME} $(id) %{if}"),
        ("COLON", "key: value"),
        ("DASH", "- item"),
        ("BANG", "!important"),
        ("YES", "yes"),
        ("NUMBER", "007"),
        ("TAB", "\ta\tb\r\n"),
        ("STAR", "*anchor &ref {a} [b] ~ | > @"),
        ("NULL", "null"),
    ])
}

fn spec() -> String {
    let text = |value: &str| {
        let json = serde_json::to_string(value).unwrap();
        json.replace("${", "$${").replace("%{", "%%{")
    };
    let values: String = values().iter().map(|(key, value)| format!("    {key} = {}\n", text(value))).collect();
    let blocks = ["env", "json", "yaml", "properties"].map(|format| {
        format!(
            "config \"{format}\" {{\n  store  = \"file\"\n  path   = \"out/all.{format}\"\n  format = \"{format}\"\n  \
             values = local.all\n}}\n"
        )
    });
    format!("locals {{\n  all = {{\n{values}  }}\n}}\n{}", blocks.concat())
}

/// What Python makes of a file.
fn python(folder: &std::path::Path, program: &str) -> BTreeMap<String, String> {
    let output = Command::new("python3").current_dir(folder).args(["-c", program]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: Json = serde_json::from_slice(&output.stdout).unwrap();
    json.as_object().unwrap().iter().map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
}

/// `java.util.Properties`, as its documentation says: lines with a backslash at their end go on, the first `=`, `:` or space
/// that has no backslash ends the key, and escapes are taken back.
const PROPERTIES: &str = r#"
import json
def taken(text):
    out, rest = '', iter(text)
    for letter in rest:
        if letter != '\\':
            out += letter
            continue
        letter = next(rest)
        if letter == 'u':
            out += chr(int(''.join(next(rest) for _ in range(4)), 16))
        else:
            out += {'t': '\t', 'n': '\n', 'r': '\r', 'f': '\f'}.get(letter, letter)
    return out.encode('utf-16', 'surrogatepass').decode('utf-16')
found = {}
for line in open('out/all.properties', encoding='latin-1', newline='\n').read().split('\n'):
    line = line.lstrip(' \t\f')
    if not line or line[0] in '#!':
        continue
    at = 0
    while at < len(line) and line[at] not in '=: \t':
        at += 2 if line[at] == '\\' else 1
    key, rest = line[:at], line[at:].lstrip(' \t')
    if rest[:1] in ('=', ':'):
        rest = rest[1:].lstrip(' \t')
    found[taken(key)] = taken(rest)
print(json.dumps(found))
"#;

#[test]
fn whoever_reads_a_file_gets_what_was_given() {
    let project = project("formats", &spec());
    project.ok(&["apply", "dev", "--auto-approve"]);
    project.exits(0, &["plan", "dev", "--detailed-exitcode"]);
    let wanted: BTreeMap<String, String> =
        values().into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();

    let folder = project.path(".");
    let names: Vec<&str> = values().into_keys().collect();
    let print = "import json, os; print(json.dumps({k: os.environ[k] for k in os.environ['NAMES'].split(' ')}))";
    let shell = Command::new("sh")
        .current_dir(&folder)
        .args(["-c", &format!("set -a; . ./out/all.env; exec python3 -c \"{print}\"")])
        .env("NAMES", names.join(" "))
        .output()
        .unwrap();
    assert!(shell.status.success(), "{}", String::from_utf8_lossy(&shell.stderr));
    assert_eq!(serde_json::from_slice::<BTreeMap<String, String>>(&shell.stdout).unwrap(), wanted);

    let json: BTreeMap<String, String> =
        serde_json::from_slice(&std::fs::read(project.path("out/all.json")).unwrap()).unwrap();
    assert_eq!(json, wanted);
    assert_eq!(python(&folder, PROPERTIES), wanted);
    let mut console =
        project.command(&["console", "dev", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    console.stdin.take().unwrap().write_all(b"yamldecode(file(\"out/all.yaml\"))").unwrap();
    let yaml = console.wait_with_output().unwrap();
    assert_eq!(serde_json::from_slice::<BTreeMap<String, String>>(&yaml.stdout).unwrap(), wanted);
}
