//! Receivers that are down, slow, broken or elsewhere: no run fails or waits for long, and what is owed comes later.

use std::time::{Duration, Instant};

use super::{messages, notify, thing, topics, untold};
use crate::verification::Bench;
use crate::verification::server::Reply::{self, Close, Late, Never, Status};
use crate::verification::server::Server;

#[test]
fn no_receiver_fails_a_run_or_holds_it_up_and_all_is_told_later() {
    let troubles: [(&str, Reply, &str); 5] = [
        ("is slow", Late(Duration::from_secs(8)), "no answer within 700 ms"),
        ("never answers", Never, "no answer within 700 ms"),
        ("fails", Status(500, "secret of the receiver"), "it answers 500"),
        ("is elsewhere", Status(302, ""), "it answers 302, and a redirection is not followed"),
        ("closes", Close, "no whole answer"),
    ];
    for (what, reply, seen) in troubles {
        let server = Server::new(&[reply]);
        let bench = Bench::new(&format!("{}{}", thing("one"), notify(&server, "  timeout = \"700ms\"")));
        let begun = Instant::now();
        let said = bench.expect(0, "apply dev --auto-approve");
        assert!(begun.elapsed() < Duration::from_secs(6), "{what}: {:?}", begun.elapsed());
        said.has("1 message did not reach ops (applied)").has(seen).has("verified: planning again is empty");
        assert!(!said.talk.contains("secret of the receiver"), "{what}: {}", said.talk);
        bench.expect(0, "status dev").has("not told    1 message");
        assert_eq!(untold(&bench), 1, "{what}");
        let first = messages(&server);
        server.says(&[Status(204, "")]);
        bench.expect(0, "apply dev --auto-approve");
        let second = messages(&server);
        assert_eq!(second.len(), first.len() + 1, "{what}");
        assert_eq!((&second[0].id, &second[0].text), (&second[1].id, &second[1].text), "{what}");
        assert_eq!(untold(&bench), 0, "{what}");
    }
}

#[test]
fn a_receiver_that_is_down_stands_in_nobody_elses_way() {
    let (down, up) = (Server::down(), Server::new(&[]));
    let other = notify(&up, "").replace("\"ops\"", "\"other\"");
    let bench = Bench::new(&format!("{}{}{other}", thing("one"), notify(&down, "")));
    bench.expect(0, "apply dev --auto-approve").has("did not reach ops").has("cannot be reached");
    assert_eq!(topics(&up), ["applied"]);
    for round in 2..=3 {
        bench.write("environments/dev.hcl", &format!("{}{}{other}", thing(&round.to_string()), notify(&down, "")));
        bench.expect(0, "apply dev --auto-approve").has(&format!("{round} messages did not reach ops (applied)"));
    }
    assert_eq!(topics(&up), ["applied", "applied", "applied"]);
    // The receiver moves; what it is owed moves with it, oldest first.
    let moved = Server::new(&[]);
    bench.write("environments/dev.hcl", &format!("{}{}{other}", thing("3"), notify(&moved, "")));
    bench.expect(0, "apply dev --auto-approve");
    let runs: Vec<_> = messages(&moved).iter().map(|message| message.body["data"]["run"].clone()).collect();
    assert_eq!(runs, [1, 2, 3]);
    // Who is not named any more is owed nothing.
    bench.write("environments/dev.hcl", &format!("{}{}", thing("4"), notify(&down, "")));
    bench.expect(0, "apply dev --auto-approve");
    assert_eq!((untold(&bench), topics(&up).len()), (1, 3));
    bench.write("environments/dev.hcl", &thing("4"));
    bench.expect(0, "apply dev --auto-approve");
    assert_eq!(untold(&bench), 0);
}

#[test]
fn without_the_key_nothing_is_sent_and_it_is_owed() {
    let server = Server::new(&[]);
    let bench =
        Bench::new(&format!("{}{}", thing("one"), notify(&server, "  secret_from = \"env:KEY_THAT_IS_NOT_SET\"")));
    bench.expect(0, "apply dev --auto-approve").has("set the environment variable KEY_THAT_IS_NOT_SET");
    assert!(server.asked().is_empty());
    assert_eq!(untold(&bench), 1);
}
