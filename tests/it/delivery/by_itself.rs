//! A release that does not do what it should is taken back by itself, in each place, and the place is as it was.

use super::{NEW, OLD, Repository, is_whole, signing_keys};
use crate::shop::world::snapshot;

/// Fails in the place that is called this way, and only with the second release.
pub fn doubt(place: &str) -> String {
    format!(
        "\nverify \"sells\" {{\n  on_failure = \"rollback\"\n  within     = \"1s\"\n  interval   = \"200ms\"\n\n  sql {{\n    \
         database = database.app\n    query    = \"select '${{var.name}}:${{var.image}}' not like '%-{place}:{NEW}'\"\n  \
         }}\n}}\n"
    )
}

#[test]
fn a_release_that_fails_in_a_place_is_taken_back_there_and_held() {
    let repository = Repository::new("itself");
    repository.commit("the shop");
    let first = repository.made();
    repository.staged(&first, "v1.0.0");
    assert!(repository.types(0, "promote staging prod --tag v1.0.0 --auto-approve").err.contains("verified"));
    let main = std::fs::read_to_string(repository.shop.path("modules/shop/main.hcl")).unwrap();
    // The second release makes another key, too.
    let main = main.replace("rotation = \"1\"", "rotation = \"2\"");
    for (place, words) in [
        ("dev", "apply dev --auto-approve"),
        ("staging", "promote dev staging --auto-approve"),
        ("prod", "promote staging prod --auto-approve"),
    ] {
        let here = repository.shop.place(place);
        let (before, keys) = (snapshot(&here), signing_keys(&here));
        is_whole(&before);
        repository.shop.write("modules/shop/main.hcl", &(main.clone() + &doubt(place)));
        if place == "dev" {
            repository.shop.edit("environments/dev.hcl", OLD, NEW);
        } else {
            repository.commit(place);
            repository.made();
            if place == "prod" {
                assert!(repository.types(0, "promote dev staging --auto-approve").err.contains("verified"));
            }
        }
        let said = repository.types(12, words);
        assert!(said.err.contains("verify.sells") && said.err.contains("taken back"), "{}", said.err);
        assert_eq!(snapshot(&here), before, "{place}");
        assert!(said.err.contains("SIGNING_KEY"), "it was rotated: {}", said.err);
        assert_eq!(signing_keys(&here), keys, "{place}: the earlier key is the current one, and is read");
        let held = repository.types(8, words);
        assert!(held.err.contains("held"), "{}", held.err);
        let told = repository.types(0, &format!("history {place}")).err;
        assert!(told.contains("taken back"), "{told}");
    }
}
