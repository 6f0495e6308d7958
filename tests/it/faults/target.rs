//! The PostgreSQL server that is migrated is restarted in mid-apply.
#![expect(clippy::print_stdout, reason = "how it ended is told in the test's own output")]

use std::time::Duration;

use crate::postgres_server::{PASSWORD, Server};
use crate::shop::project::Project;
use crate::shop::world::everything;

/// A shop whose database lives on a server that the test may break.
fn shop_on(server: &Server) -> Project {
    let shop = Project::shop("restart");
    shop.write("password", PASSWORD);
    let file = shop.path("password").display().to_string();
    let url = format!("url           = \"postgres://admin@127.0.0.1:{}/postgres\"", server.port());
    shop.edit("environments/dev.hcl", "url           = local_stack.postgres_url", &url);
    shop.edit("environments/dev.hcl", "user          = local_stack.postgres_user", "user          = \"admin\"");
    let spec = std::fs::read_to_string(shop.path("environments/dev.hcl")).unwrap();
    shop.write("environments/dev.hcl", &spec.replace("local_stack.postgres_password_file", &format!("\"{file}\"")));
    shop.write(
        "migrations/shop/V80__slow.sql",
        "CREATE TABLE slow (id int);\nINSERT INTO slow VALUES (1);\nSELECT pg_sleep(2);\n",
    );
    shop.write("migrations/shop/V80__slow.down.sql", "DROP TABLE slow;\n");
    shop.write("migrations/shop/V81__after.sql", "INSERT INTO slow VALUES (2);\n");
    shop.write("migrations/shop/V81__after.down.sql", "DELETE FROM slow WHERE id = 2;\n");
    shop
}

fn restarted(mode: &str) {
    let server = Server::start(&[], |_| {});
    let shop = shop_on(&server);
    let mut running = shop.follow(&["apply", "dev", "--auto-approve", "--no-progress"]);
    running.wait_for("V80__slow: started");
    std::thread::sleep(Duration::from_millis(500));
    server.restart(mode);
    let (said, took) = running.end();
    println!("{mode}: exit {} after {took:?}\n{}", said.code, said.err);
    match said.code {
        // A lost connection is tried again, after the world was asked.
        0 => assert!(said.err.contains("try 2 follows"), "{}", said.err),
        6 => {
            assert!(said.out.contains("resume dev"), "{}\n{}", said.out, said.err);
            shop.ok(&["resume", "dev", "--auto-approve"]);
        }
        other => panic!("exit {other}\n{}\n{}", said.out, said.err),
    }
    let ask = |sql: &str| shop.stack().psql(&server.url(&shop.database()), sql);
    assert_eq!(ask("SELECT string_agg(id::text, ' ' ORDER BY id) FROM slow"), "1 2", "each migration ran once");
    assert_eq!(ask("SELECT count(*) - count(DISTINCT version) FROM refinery_schema_history"), "0");
    shop.ok(&["plan", "dev", "--detailed-exitcode"]);
    shop.ok(&["rollback", "dev", "--to", "0", "--accept-loss", "all", "--auto-approve"]);
    let left = "SELECT count(*) FROM pg_database WHERE datname = 'NAME'".replace("NAME", &shop.database());
    assert_eq!(shop.stack().psql(&server.url("postgres"), &left), "0");
    assert_eq!(everything(&shop), Vec::<String>::new());
}

#[test]
fn a_server_that_ends_its_sessions_and_comes_back() {
    restarted("fast");
}

#[test]
fn a_server_that_crashes_and_comes_back() {
    restarted("immediate");
}
