//! Mistakes in `verify` blocks point at their line and say how to mend them.

use super::Bench;

#[test]
fn each_mistake_stands_at_its_place_with_help() {
    let cases: [(&str, &str, &str); 11] = [
        ("tries = 1", "asks nothing", "write what is asked inside"),
        (
            "http {\n    url = \"http://a/\"\n  }\n  tcp {\n    host = \"a\"\n    port = 1\n  }",
            "asks two things",
            "of its own",
        ),
        ("htpp {\n    url = \"http://a/\"\n  }", "there is no such check", "did you mean `http`?"),
        ("http {\n    uri = \"http://a/\"\n  }", "there is no such attribute", "did you mean `url`?"),
        ("http {\n    url = \"shop\"\n  }", "`http` is not as it must be", "https://shop.example.com/health"),
        ("when = \"afterwards\"\n  http {\n    url = \"http://a/\"\n  }", "`when` cannot be `afterwards`", "after"),
        ("on_failure = \"retry\"\n  http {\n    url = \"http://a/\"\n  }", "cannot be `retry`", "`stop`"),
        ("within = \"3\"\n  http {\n    url = \"http://a/\"\n  }", "no length of time", "30s"),
        ("sql {\n    query = \"select true\"\n  }", "`sql` needs `database`", "database = database.NAME"),
        (
            "sql {\n    query = \"select true\"\n    database = database.app\n  }",
            "there is no such database",
            "declare it",
        ),
        ("insecure = true\n  http {\n    url = \"https://a/\"\n  }", "has no attribute `insecure`", "it may have"),
    ];
    for (inside, words, help) in cases {
        let bench = Bench::new(&format!("environment \"dev\" {{}}\nverify \"it\" {{\n  {inside}\n}}\n"));
        let said = bench.expect(4, "validate dev");
        let words = words.replace("no length of time", "not a length of time");
        said.has(&words).has(help).has("environments/dev.hcl:");
    }
}

#[test]
fn a_module_asks_about_what_it_makes() {
    let bench = Bench::new(
        "environment \"dev\" {}\nmodule \"shop\" {\n  source = \"../modules/shop\"\n  for_each = toset([\"a\", \"b\"])\n  say = each.key\n}\n",
    );
    bench.write(
        "modules/shop/main.hcl",
        "variable \"say\" {\n  type = string\n}\nresource \"terraform_data\" \"it\" {\n  input = var.say\n}\n\
         verify \"said\" {\n  command {\n    argv = [\"/usr/bin/test\", terraform_data.it.output, \"=\", \"a\"]\n  }\n  tries = 1\n}\n",
    );
    bench.expect(0, "plan dev").has("module.shop[\"b\"].verify.said").has("argv known when it is asked");
    bench.expect(6, "apply dev --auto-approve");
    let run = bench.newest();
    let of =
        |name: &str| run["checks"].as_array().unwrap().iter().find(|check| check["check"] == name).unwrap().clone();
    assert_eq!(of("module.shop[\"b\"].verify.said")["result"], "failed", "{run}");
}

#[test]
fn the_page_has_every_kind_and_what_may_be_given_of_it() {
    let page = crate::stack::read(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verification.md"));
    for kind in switchback::provider::checks::kinds() {
        assert!(page.contains(&format!("### `{}`", kind.name)), "{}", kind.name);
        for attribute in &kind.attributes {
            assert!(page.contains(&format!("| `{}` |", attribute.name)), "{}.{}", kind.name, attribute.name);
        }
    }
}
