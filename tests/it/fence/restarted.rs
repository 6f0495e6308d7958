//! The server is restarted in the middle of a migration.

use std::io::{BufReader, Read as _};
use std::process::Child;

use crate::postgres_project::Bench;
use crate::postgres_server::Server;

const AFTER: [(&str, &str); 2] =
    [("V2__after.sql", "create table after (a int);\n"), ("V2__after.down.sql", "drop table after;\n")];

fn ends(mut child: Child, mut talk: BufReader<std::process::ChildStderr>) -> (i32, String) {
    let mut said = String::new();
    talk.read_to_string(&mut said).unwrap();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code().unwrap_or(-1), said)
}

const VERSIONS: &str = "select string_agg(version::text, ',' order by version) from refinery_schema_history";

#[test]
fn before_the_commit_the_same_apply_goes_on() {
    let server = Server::start(&[], |_| {});
    let slow = "create table slow (a int);\nselect pg_sleep(3);\ninsert into slow values (1);\n";
    let files = [("V1__slow.sql", slow), ("V1__slow.down.sql", "drop table slow;\n"), AFTER[0], AFTER[1]];
    let bench = Bench::at(server.url("postgres"), &server.password_file(), &files);
    let (child, talk) = bench.begin("apply dev --auto-approve --no-progress", "V1__slow: started");
    bench.until("select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'");
    server.restart("fast");
    let (code, said) = ends(child, talk);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("(57P01)") && said.contains("try 2 follows"), "{said}");
    assert_eq!(bench.ask("select count(*) from slow"), "1");
    assert_eq!(bench.ask(VERSIONS), "1,2");
    bench.expect(0, "plan dev --detailed-exitcode");
}

#[test]
fn within_the_commit_it_is_settled() {
    let server = Server::start(&[], |_| {});
    let slow = "create table slow (a int);\n\
        create function nap() returns trigger language plpgsql as $$ begin perform pg_sleep(3); return null; end $$;\n\
        create constraint trigger nap after insert on slow deferrable initially deferred for each row execute function nap();\n\
        insert into slow values (1);\n";
    let down = "drop table slow;\ndrop function nap;\n";
    let files = [("V1__slow.sql", slow), ("V1__slow.down.sql", down), AFTER[0], AFTER[1]];
    let bench = Bench::at(server.url("postgres"), &server.password_file(), &files);
    let (child, talk) = bench.begin("apply dev --auto-approve --no-progress", "V1__slow: started");
    bench.until("select from pg_stat_activity where query = 'commit' and wait_event = 'PgSleep'");
    server.restart("immediate");
    let (code, said) = ends(child, talk);
    // Whether the server was back when it was asked decides: it goes on, or a person is told what to type.
    assert!(code == 0 || (code == 13 && said.contains("switchback resume dev")), "{code}\n{said}");
    bench.expect(0, "resume dev --auto-approve --no-progress");
    assert_eq!(bench.ask("select count(*) from slow"), "1");
    assert_eq!(bench.ask(VERSIONS), "1,2");
    bench.expect(0, "plan dev --detailed-exitcode");
}
