//! SARIF and JUnit, for programs that know nothing of us.

use serde_json::Value;
use switchback::digest::Digest;
use switchback::review::{Review, junit, sarif};

use super::{HOSTILE, hostile, validator};

const SCHEMA: &str = include_str!("../formats/sarif/sarif-schema-2.1.0.json");

fn schema() -> Value {
    let digest = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e";
    assert!(Digest::of_bytes(SCHEMA.as_bytes()).to_string().ends_with(digest), "the schema is not the official one");
    serde_json::from_str(SCHEMA).unwrap()
}

fn document() -> Value {
    let (change_set, grounds) = hostile();
    sarif::render(&Review::proved(&change_set, &grounds))
}

#[test]
fn the_official_schema_accepts_what_we_say() {
    let (schema, document) = (schema(), document());
    assert_eq!(validator::mistakes(&schema, &document), Vec::<String>::new());
    // And it would say if something were wrong.
    let mut wrong = document.clone();
    wrong["runs"][0]["results"][0]["level"] = "heavy".into();
    assert!(!validator::mistakes(&schema, &wrong).is_empty());
    let mut wrong = document;
    wrong["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0.into();
    assert!(!validator::mistakes(&schema, &wrong).is_empty());
}

#[test]
fn every_finding_certificate_and_loss_is_a_result() {
    let document = document();
    let run = &document["runs"][0];
    let results: Vec<(&str, &str)> = run["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| (result["ruleId"].as_str().unwrap(), result["level"].as_str().unwrap()))
        .collect();
    assert_eq!(
        results,
        [
            ("one-rule", "error"),
            ("other-rule", "warning"),
            ("one-rule", "note"),
            ("one-rule", "error"),
            ("rehearsal-not-rehearsed", "error"),
            ("way-back-impossible", "warning"),
        ]
    );
    assert!(run["results"][3]["suppressions"][0]["justification"].is_string(), "what is silenced says why");
    assert!(run["results"][0].get("suppressions").is_none());
    let place = &run["results"][0]["locations"][0]["physicalLocation"];
    assert!(place["artifactLocation"]["uri"].as_str().unwrap().starts_with("migrations/a%20b/V1__a%22b"), "{place}");
    assert_eq!(place["region"]["startLine"], 7);
    assert!(run["results"][1]["locations"][0]["physicalLocation"].get("region").is_none(), "there is no line 0");
    // Each result names the rule that it is of, and each rule has a help.
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(!rule["help"]["text"].as_str().unwrap().is_empty());
    }
}

#[test]
fn a_fingerprint_stays_when_lines_above_it_move() {
    let (mut change_set, mut grounds) = hostile();
    let prints = |document: &Value| -> Vec<Value> {
        let results = document["runs"][0]["results"].as_array().unwrap().iter();
        results.map(|result| result["partialFingerprints"]["switchback/v1"].clone()).collect()
    };
    let before = prints(&sarif::render(&Review::proved(&change_set, &grounds)));
    for finding in &mut grounds.findings.found {
        finding.place.line = Some(1000);
        finding.place.statement = Some(9);
    }
    change_set.spec_digest = Some(Digest::of_bytes(b"another"));
    let after = prints(&sarif::render(&Review::proved(&change_set, &grounds)));
    assert_eq!(before, after);
    grounds.findings.found[0].place.excerpt = "another statement".to_owned();
    let other = prints(&sarif::render(&Review::proved(&change_set, &grounds)));
    assert_ne!(before[0], other[0]);
}

/// Reads XML as strictly as a parser that knows nothing but elements, attributes and the five entities: the names of its
/// elements in order, or what is wrong.
fn elements(xml: &str) -> Result<Vec<String>, String> {
    if let Some(wrong) = xml.chars().find(|letter| {
        letter.is_control() && !matches!(letter, '\n' | '\t') || matches!(letter, '\u{fffe}' | '\u{ffff}')
    }) {
        return Err(format!("{wrong:?} may not stand in XML"));
    }
    let entity = regex::Regex::new("&(amp|lt|gt|quot|#[0-9]+);").unwrap();
    let tag = regex::Regex::new(r#"^<(/?)([a-z-]+)((?: [a-z_]+="[^"<]*")*)(/?)>"#).unwrap();
    let mut rest = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").ok_or("no head")?;
    let (mut open, mut names) = (Vec::new(), Vec::new());
    while let Some(start) = rest.find('<') {
        let (text, there) = rest.split_at(start);
        if entity.replace_all(text, "").contains(['&', '>']) {
            return Err(format!("{text:?}"));
        }
        let found = tag.captures(there).ok_or_else(|| format!("no tag: {}", &there[..there.len().min(60)]))?;
        if entity.replace_all(&found[3], "").contains('&') {
            return Err(found[0].to_owned());
        }
        let name = found[2].to_owned();
        match (&found[1], &found[4]) {
            ("/", _) if open.pop() != Some(name.clone()) => return Err(format!("`{name}` is not open")),
            ("/", _) => {}
            (_, "/") => names.push(name),
            _ => {
                open.push(name.clone());
                names.push(name);
            }
        }
        rest = &there[found[0].len()..];
    }
    if open.is_empty() { Ok(names) } else { Err(format!("open: {open:?}")) }
}

#[test]
fn the_xml_is_well_formed_whatever_stands_in_it() {
    let (change_set, grounds) = hostile();
    let xml = junit::render(&Review::proved(&change_set, &grounds));
    let names = elements(&xml).unwrap_or_else(|error| panic!("{error}:\n{xml}"));
    let count = |name: &str| names.iter().filter(|found| *found == name).count();
    // A migration and two findings; the note is none.
    assert_eq!((count("testsuite"), count("testcase")), (2, 3), "{xml}");
    assert_eq!((count("failure"), count("skipped")), (2, 1), "{xml}");
    assert!(xml.contains("tests=\"3\" failures=\"2\" errors=\"0\" skipped=\"1\""), "{xml}");
    assert!(xml.contains("type=\"not rehearsed\"") && xml.contains("type=\"one-rule\""), "{xml}");
    assert!(elements(&format!("{}<a>{HOSTILE}</a>", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")).is_err());
}
