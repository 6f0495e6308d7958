//! The same on every version from 13 to 18, on throw-away servers. Only with `SWITCHBACK_TEST_LONG`: the programs of the
//! versions that are not installed are fetched.

use switchback::provider::postgres::rehearsal::ThrowAway;
use switchback::provider::postgres::settings::{Host, Target};

use super::differential::{assert_agreement, compare};
use crate::postgres::in_database;
use crate::stack::{self, Quiet};

fn url_of(target: &Target) -> String {
    let Host::Socket(folder) = &target.host else { panic!("a server of our own listens on a socket") };
    let place = format!("{}:{}", folder.replace('/', "%2F"), target.port);
    in_database(&format!("postgres://{}@{place}/", target.user), &target.dbname)
}

/// The versions: one that is installed, or all.
fn versions() -> Vec<u32> {
    if std::env::var_os("SWITCHBACK_TEST_LONG").is_some() { vec![13, 14, 16, 17, 18] } else { Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_does_as_is_predicted_of_it() {
    let mut compared = Vec::new();
    for major in versions() {
        let server = ThrowAway::start(stack::places().cache, major, &Quiet).await.unwrap();
        let done = compare(&url_of(server.login())).await;
        assert_eq!(done.0, major);
        assert_agreement(&done);
        compared.push(format!("{major}: {}", done.1));
    }
    println!("statements that were predicted as observed, by version: {compared:?}");
    assert_eq!(compared.len(), versions().len());
}
