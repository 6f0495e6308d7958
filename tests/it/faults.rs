//! What the ledger lies in, and what is changed, breaks in mid-apply: no step is forgotten, the message says what to
//! type, and typing it ends well.
#![expect(clippy::print_stdout, reason = "how it ended is told in the test's own output")]

mod disk;
mod ledger;
mod target;

use std::time::Duration;

use crate::shop::project::{Project, Said};
use crate::shop::proxy::{Hold, Proxy};

/// A parameter whose record is longer than whatever room a full disk has left in the last block of a file; and one
/// that follows it.
const BIG: &str = r#"
resource "aws_ssm_parameter" "big" {
  name  = "/${var.name}/big"
  type  = "String"
  value = join("", [for number in range(400) : "0123456789"])
}

resource "aws_ssm_parameter" "after_big" {
  name  = "/${var.name}/after"
  type  = "String"
  value = aws_ssm_parameter.big.name
}
"#;

/// A shop with the big parameter, whose call is held at the proxy.
fn shop_with_big(prefix: &str) -> (Project, Proxy) {
    let shop = Project::shop(prefix);
    let proxy = Proxy::start_for(shop.stack().aws_endpoint(), "PutParameter", "/big", Hold::After);
    let spec = std::fs::read_to_string(shop.path("environments/dev.hcl")).unwrap();
    shop.write("environments/dev.hcl", &(spec + BIG));
    shop.edit("environments/dev.hcl", "endpoint = local_stack.aws_endpoint", &format!("endpoint = \"{}\"", proxy.url));
    (shop, proxy)
}

/// The end of an apply that could not write its ledger: not a good one, and it says why and what to type.
fn ends_half_way(said: &Said, why: &str) {
    println!("{why}: exit {}", said.code);
    assert!([6, 13].contains(&said.code), "exit {}\n{}\n{}", said.code, said.out, said.err);
    assert!(said.err.contains(why) && said.err.contains("has room"), "`{why}`:\n{}", said.err);
    for next in ["resume dev", "rollback dev --last"] {
        assert!(said.out.contains(next), "`{next}`:\n{}\n{}", said.out, said.err);
    }
}

/// What is still possible while the ledger cannot be written: to look. What needs to write says why it does not.
fn can_only_be_looked_at(shop: &Project, why: &str) {
    let status = shop.ok(&["status", "dev"]);
    assert!(status.out.contains("unfinished") && status.out.contains("resume dev"), "{}", status.out);
    // What it writes first may still find room in the last block of the file.
    let refused = shop.run(&["resume", "dev", "--auto-approve"]);
    assert!([1, 13].contains(&refused.code), "exit {}\n{}\n{}", refused.code, refused.out, refused.err);
    assert!(refused.err.contains(why) && refused.err.contains("has room"), "{}", refused.err);
}

/// How often the endpoint was asked to put a parameter.
fn puts(shop: &Project, name: &str) -> u64 {
    let calls = shop.stack().calls(&format!("/{}/{name}", shop.name));
    calls["operations"]["ssm.PutParameter"].as_u64().unwrap_or_default()
}

/// Tries until it succeeds.
fn eventually(what: &str, mut tried: impl FnMut() -> bool) {
    for _ in 0..200 {
        if tried() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what} did not succeed within ten seconds");
}
