//! Secrets never rest: not in a plan, the ledger, a log, an error, or any output, in any common form.

use super::project::Project;

/// Not to be found anywhere, in any form: with characters that every encoding changes.
const SECRET: &str = "S3cr\"et/Wörd&<of>+the shop=%42\\x";

/// The forms in which a secret could hide.
fn forms() -> Vec<(&'static str, Vec<u8>)> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    let percent: String = SECRET
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02X}") })
        .collect();
    let json = serde_json::to_string(SECRET).unwrap();
    let escaped = json.trim_matches('"').to_owned();
    let terraform = escaped.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let double = serde_json::to_string(&escaped).unwrap().trim_matches('"').to_owned();
    let hash = switchback::digest::Digest::of_bytes(SECRET.as_bytes()).to_string();
    let hash_of_json = switchback::digest::Digest::of_bytes(json.as_bytes()).to_string();
    let hexadecimal: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    let text = [
        ("plain", SECRET.to_owned()),
        ("base64", STANDARD.encode(SECRET)),
        ("base64 without padding", STANDARD_NO_PAD.encode(SECRET)),
        ("base64 for URLs", URL_SAFE.encode(SECRET)),
        ("base64 for URLs without padding", URL_SAFE_NO_PAD.encode(SECRET)),
        ("percent-encoded", percent.clone()),
        ("percent-encoded in lower case", percent.to_lowercase()),
        ("JSON-escaped", escaped),
        ("JSON-escaped as Terraform does", terraform),
        ("JSON-escaped twice", double),
        ("hexadecimal", hexadecimal),
        ("SHA-256", hash),
        ("SHA-256 of its JSON", hash_of_json),
    ];
    text.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()
}

fn assert_clean(what: &str, bytes: &[u8]) {
    for (name, form) in forms() {
        assert!(!bytes.windows(form.len()).any(|window| window == form), "the secret is in {what}, {name}");
    }
}

fn run(shop: &Project, code: i32, arguments: &[&str]) {
    let mut all = vec!["-vvv"];
    all.extend(arguments);
    let said = shop.exits(code, &all);
    assert_clean(&format!("the output of {arguments:?}"), said.out.as_bytes());
    assert_clean(&format!("the talk of {arguments:?}"), said.err.as_bytes());
}

fn assert_files_are_clean(shop: &Project) {
    let files = shop.bytes_below(".");
    assert!(files.iter().any(|(path, _)| path.ends_with("dev.jsonl")));
    for (path, bytes) in files {
        assert_clean(&path.display().to_string(), &bytes);
    }
}

#[test]
fn a_secret_is_nowhere() {
    let mut shop = Project::shop("secret");
    shop.set("SWITCHBACK_VAR_session_key", SECRET);
    shop.set("SWITCHBACK_VAR_database_password", SECRET);
    let output = "\noutput \"key\" {\n  value     = var.session_key\n  sensitive = true\n}\n\nresource \"terraform_data\" \"secret\" {\n  input = { key = var.session_key, encoded = base64encode(var.session_key) }\n}\n";
    let spec = std::fs::read_to_string(shop.path("environments/dev.hcl")).unwrap() + output;
    shop.write("environments/dev.hcl", &spec);

    run(&shop, 2, &["plan", "dev", "--detailed-exitcode", "--out", "first.plan.json"]);
    run(&shop, 0, &["plan", "dev", "--json"]);
    run(&shop, 0, &["show", "first.plan.json"]);
    run(&shop, 0, &["show", "first.plan.json", "--as", "md"]);
    run(&shop, 0, &["apply", "first.plan.json"]);
    assert_files_are_clean(&shop);
    for arguments in [
        &["status", "dev", "--json"][..],
        &["history", "dev", "--json"],
        &["output", "dev", "--json"],
        &["output", "dev"],
    ] {
        run(&shop, 0, arguments);
    }
    run(&shop, 0, &["plan", "dev", "--detailed-exitcode"]);

    // It is where it belongs, and a change of it is seen without being shown.
    let name = format!("/{}/web/SESSION_KEY", shop.name);
    let body = serde_json::json!({"Name": name, "WithDecryption": true});
    let (_, answer) = shop.stack().call("ssm", "GetParameter", &body);
    assert_eq!(answer["Parameter"]["Value"], SECRET);
    shop.set("SWITCHBACK_VAR_session_key", "another key");
    run(&shop, 2, &["plan", "dev", "--detailed-exitcode", "--out", "second.plan.json"]);
    run(&shop, 0, &["apply", "second.plan.json"]);
    assert_files_are_clean(&shop);

    // The earlier value comes back by reference, without anybody giving it again.
    shop.set("SWITCHBACK_VAR_session_key", "a third key");
    run(&shop, 0, &["rollback", "dev", "--last", "--accept-loss", "all", "--auto-approve", "--json"]);
    let (_, answer) = shop.stack().call("ssm", "GetParameter", &body);
    assert_eq!(answer["Parameter"]["Value"], SECRET);
    assert_files_are_clean(&shop);
}

#[test]
fn an_error_about_a_secret_does_not_show_it() {
    let mut shop = Project::shop("error");
    shop.set("SWITCHBACK_VAR_session_key", SECRET);
    let faulty = "\nresource \"aws_ssm_parameter\" \"faulty\" {\n  name  = \"/faulty\"\n  type  = var.session_key\n  value = tonumber(var.session_key)\n}\n";
    let spec = std::fs::read_to_string(shop.path("environments/dev.hcl")).unwrap() + faulty;
    shop.write("environments/dev.hcl", &spec);
    run(&shop, 4, &["plan", "dev"]);
    run(&shop, 4, &["validate", "dev", "--json"]);
}
