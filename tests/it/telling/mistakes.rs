//! What may stand in a `notify` block, and whom it is for.

use super::{notify, thing, topics};
use crate::verification::Bench;
use crate::verification::server::Server;

#[test]
fn mistakes_are_told_where_they_stand_and_no_secret_is_repeated() {
    let cases = [
        ("", "a receiver has one URL"),
        ("url = \"https://a.example/\"\nurl_from = \"env:A\"", "a receiver has one URL"),
        ("url = \"https://user:word@a.example/\"", "this is not the URL of a receiver"),
        ("url = \"ftp://a.example/\"", "this is not the URL of a receiver"),
        ("url = \"https://a.example/\"\ntype = \"slak\"", "did you mean `slack`?"),
        ("url = \"https://a.example/\"\nevents = [\"aplied\"]", "did you mean `applied`?"),
        ("url = \"https://a.example/\"\ntimeout = \"2m\"", "up to 30 seconds"),
        ("url = \"https://a.example/\"\nsecret_from = \"hunter2\"", "a secret is named, not written"),
        ("type = \"slack\"\nurl_from = \"env:A\"\nsecret_from = \"env:B\"", "a message to Slack is not signed"),
        ("url = \"https://a.example/\"\nsecret = \"x\"", "there is no such attribute"),
    ];
    for (inside, wanted) in cases {
        for in_project in [false, true] {
            let block = format!("notify \"ops\" {{\n{inside}\n}}\n");
            let bench = Bench::new(&format!("{}{}", thing("one"), if in_project { "" } else { &block }));
            if in_project {
                bench.write("switchback.hcl", &format!("project \"shop\" {{}}\n{block}"));
            }
            bench.expect(4, "plan dev").has(wanted);
        }
    }
    let twice = "notify \"ops\" {\n  url = \"https://a.example/\"\n}\n".repeat(2);
    Bench::new(&format!("{}{twice}", thing("one"))).expect(4, "plan dev").has("there are two receivers of this name");
}

#[test]
fn a_receiver_of_the_project_is_for_the_environments_it_names_unless_they_name_their_own() {
    let (projects, own) = (Server::new(&[]), Server::new(&[]));
    let bench = Bench::new(&thing("one"));
    let write = |environments: &str| {
        bench.write("switchback.hcl", &format!("project \"shop\" {{}}\n{}", notify(&projects, environments)));
    };
    write("  environments = [\"prod\"]");
    bench.expect(0, "apply dev --auto-approve");
    assert!(projects.asked().is_empty());
    write("");
    bench.write("environments/dev.hcl", &thing("two"));
    bench.expect(0, "apply dev --auto-approve");
    assert_eq!(topics(&projects), ["applied"]);
    bench.write("environments/dev.hcl", &format!("{}{}", thing("three"), notify(&own, "")));
    bench.expect(0, "apply dev --auto-approve");
    assert_eq!((topics(&projects).len(), topics(&own).len()), (1, 1));
}
