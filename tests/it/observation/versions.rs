//! Every version does as is predicted of it: the one that is installed, and with `SWITCHBACK_TEST_LONG` all from 13 to 18,
//! on throw-away servers. The programs of versions that are not installed are fetched.

use switchback::provider::postgres::rehearsal::ThrowAway;
use switchback::provider::postgres::settings::{Host, Password, Target};

use super::differential::{assert_agreement, compare};
use crate::stack::{self, Quiet};

/// How a throw-away server is reached.
pub fn url_of(target: &Target) -> String {
    let Host::Socket(folder) = &target.host else { panic!("a server of our own listens on a socket") };
    let password = match &target.password {
        Password::Given(password) => format!(":{password}"),
        Password::Absent | Password::File(_) | Password::Iam { .. } => String::new(),
    };
    let (user, folder) = (&target.user, folder.replace('/', "%2F"));
    format!("postgres://{user}{password}@{folder}:{}/{}", target.port, target.dbname)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_is_predicted_as_it_is_observed() {
    let installed = compare(&stack::shared().postgres_url()).await;
    assert_agreement(&installed);
    if std::env::var_os("SWITCHBACK_TEST_LONG").is_none() {
        return;
    }
    for major in (13..=18).filter(|major| *major != installed.0) {
        let server = ThrowAway::start(stack::places().cache, major, &Quiet).await.unwrap();
        let done = compare(&url_of(server.login())).await;
        assert_eq!(done.0, major);
        assert_agreement(&done);
    }
}
