//! The runner is killed in a promotion and in an automatic way back; another one, in an empty folder and with the ledger's
//! URL alone, carries on.

use rustix::process::Signal;
use serde_json::json;

use super::{NEW, OLD, Repository, by_itself, is_whole};
use crate::shop::project::Project;
use crate::shop::world::snapshot;

/// Another machine: nothing of the project is there, only what a service account has in its environment.
fn elsewhere(repository: &Repository) -> (Project, String) {
    let status = repository.shop.ok(&["status", "staging", "--json"]).json();
    let url = status["ledger"]["url"].as_str().expect("the ledger is somewhere").to_owned();
    let known = repository.shop.command(&[]);
    let mut empty = Project::empty("elsewhere");
    for (name, value) in known.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?))) {
        empty.set(name, value);
    }
    (empty, url)
}

/// dev and staging have the first release; the sources are those of the first one.
fn first_is_in_staging(prefix: &str) -> Repository {
    let repository = Repository::new(prefix);
    repository.commit("the shop");
    let first = repository.made();
    repository.staged(&first, "v1.0.0");
    repository
}

/// The same, and dev also has the second one.
fn second_is_in_dev(prefix: &str) -> Repository {
    let repository = first_is_in_staging(prefix);
    repository.second();
    repository.made();
    repository
}

/// Begins to promote to staging and is killed while its call that rolls the web service is answered.
fn killed_while_it_promotes(repository: &Repository) {
    let service = format!("{}-web", repository.shop.place("staging").name);
    let delay = json!({"operation": "ecs.UpdateService", "containing": service, "after": 30});
    repository.shop.stack().delay(&delay);
    let mut child = repository.shop.start(&["promote", "dev", "staging", "--auto-approve"]);
    let start = std::time::Instant::now();
    while repository.shop.stack().delayed("ecs.UpdateService", &service) == 0 {
        assert!(start.elapsed().as_secs() < 120 && child.try_wait().unwrap().is_none(), "the call never came");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_promotion_is_finished_elsewhere() {
    let repository = second_is_in_dev("promoted");
    killed_while_it_promotes(&repository);
    let unfinished = repository.types(1, "promote staging prod --auto-approve");
    assert!(unfinished.err.contains("staging"), "{}", unfinished.err);
    let (elsewhere, url) = elsewhere(&repository);
    assert!(elsewhere.ok(&["status", "staging", "--ledger", &url]).out.contains("resume staging"));
    let said = elsewhere.ok(&["resume", "staging", "--auto-approve", "--ledger", &url]);
    assert!((said.err.clone() + &said.out).contains("verified"), "{}{}", said.out, said.err);
    let staging = snapshot(&repository.shop.place("staging"));
    is_whole(&staging);
    assert!(staging.schema.contains("display_name") && !staging.schema.contains("fullname"), "{}", staging.schema);
    // It counts as verified there, so it goes on.
    assert!(repository.types(0, "promote dev staging").err.contains("nothing to do"));
    assert!(repository.types(0, "promote staging prod --auto-approve").err.contains("verified"));
    assert_eq!(snapshot(&repository.shop.place("prod")).services.len(), 2);
}

#[test]
fn a_promotion_is_taken_back_elsewhere() {
    let repository = second_is_in_dev("unpromoted");
    let before = snapshot(&repository.shop.place("staging"));
    is_whole(&before);
    killed_while_it_promotes(&repository);
    let (elsewhere, url) = elsewhere(&repository);
    let words =
        ["rollback", "staging", "--last", "--with-schema", "--accept-loss", "all", "--auto-approve", "--ledger"];
    let said = elsewhere.ok(&[words.as_slice(), &[&url]].concat());
    assert!((said.err.clone() + &said.out).contains("verified"), "{}{}", said.out, said.err);
    assert_eq!(snapshot(&repository.shop.place("staging")), before);
    repository.types(8, "promote dev staging --auto-approve");
}

#[test]
fn an_automatic_way_back_is_finished_elsewhere() {
    // Nothing takes itself back that would lose something, so this release brings an image alone.
    let repository = first_is_in_staging("backwards");
    let main = std::fs::read_to_string(repository.shop.path("modules/shop/main.hcl")).unwrap();
    repository.shop.write("modules/shop/main.hcl", &(main + &by_itself::doubt("staging")));
    repository.shop.edit("environments/dev.hcl", OLD, NEW);
    repository.commit("another image");
    repository.made();
    let staging = repository.shop.place("staging");
    let before = snapshot(&staging);
    is_whole(&before);
    let mut running = repository.shop.follow(&["promote", "dev", "staging", "--auto-approve", "--no-progress"]);
    running.wait_for("taking back what it did");
    running.wait_for("aws_ecs_service.this: started");
    running.send(Signal::KILL);
    let (said, _) = running.end();
    assert_eq!(said.code, -1, "it was killed: {}", said.err);
    assert_ne!(snapshot(&staging), before, "it was killed in the middle");
    let (elsewhere, url) = elsewhere(&repository);
    let said = elsewhere.run(&["resume", "staging", "--auto-approve", "--ledger", &url]);
    assert!([0, 12].contains(&said.code), "{}{}", said.out, said.err);
    assert_eq!(snapshot(&staging), before);
    assert!(repository.types(8, "promote dev staging --auto-approve").err.contains("verify.sells failed"));
}
