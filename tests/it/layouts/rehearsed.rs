//! `migrate rehearse` on a folder alone, and on a folder and a URL.

use switchback::migration::layout::Layout;

use super::{bench, tools, versions};

#[test]
fn a_folder_is_rehearsed_without_any_database() {
    for layout in Layout::ALL {
        let bench = bench(layout, 4);
        bench.remove("environments");
        bench.remove("switchback.hcl");
        let said = bench.expect(0, &format!("migrate rehearse --all --postgres 15 --layout {layout}"));
        assert!(said.contains("4 migrations: 4 exact"), "{layout}: {said}");
        assert!(said.contains("rehearsed on PostgreSQL 15") && said.contains("two ACCESS EXCLUSIVE"), "{said}");
        assert!(bench.ask("select to_regclass('one') is null") == "t", "{layout}: the database was left alone");
    }
}

#[test]
fn a_wrong_way_back_is_named_and_ends_with_1() {
    let bench = bench(Layout::Refinery, 4);
    bench.write("migrations/V11__strict.sql", "alter table two alter column id set default 7;\nselect 1;\n");
    bench.write("migrations/V11__strict.down.sql", "select 1;\n");
    bench.write("migrations/V12__label.sql", "comment on table one is 'first';\n");
    let said = bench.expect(1, "migrate rehearse --all --postgres 15");
    assert!(said.contains("table public.two: column id: DEFAULT left behind (7)"), "{said}");
    assert!(said.contains("way back derived"), "what has no file is derived: {said}");
    assert!(said.contains("6 migrations: 5 exact, 1 restores something else"), "{said}");
    let said = bench.command("migrate rehearse --all --postgres 15 --json").output().unwrap();
    let found: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(
        (&found["result"], &found["migrations"][4]["certificate"]["verdict"]["verdict"]),
        (&"failed".into(), &"otherwise".into()),
        "{found}"
    );
    assert_eq!(found["migrations"][0].get("step"), None, "there is no plan here");
}

#[test]
fn what_is_pending_is_rehearsed_on_a_copy_of_the_schema() {
    for layout in [Layout::Flyway, Layout::GolangMigrate] {
        let bench = bench(layout, 4);
        let at = |words: &str| format!("migrate {words} --url {} --layout {layout}", bench.url);
        // Nothing is applied: replayed, and all of it pending.
        let said = bench.expect(0, &at("rehearse"));
        assert!(said.contains("4 migrations: 4 exact"), "{layout}: {said}");
        bench.expect(0, &at(&format!("up --to {} --auto-approve", versions(layout)[1])));
        // What the folder does not explain is in the copy as well: a migration that needs it goes up.
        bench.ask("create table by_hand (id int); comment on table two is 'by hand'");
        let (file, text) = super::files(layout, 3).into_iter().rfind(|(_, text)| text.contains("add column")).unwrap();
        bench.write(&format!("migrations/{file}"), &format!("{text}\nalter table by_hand add column note text;\n"));
        let said = bench.expect(1, &at("rehearse --postgres 15"));
        assert!(said.contains("2 migrations: 1 restores something else, 1 exact"), "{layout}: {said}");
        assert!(said.contains("table public.by_hand: column note: left behind"), "{layout}: {said}");
        assert!(said.contains("by_hand ACCESS EXCLUSIVE"), "{layout}: {said}");
        assert_eq!(tools::count(layout, &bench), 2, "{layout}: the database is only read");
        assert_eq!(bench.ask("select count(*) from pg_attribute where attname = 'note' and attnum > 0"), "0");
    }
}

#[test]
fn what_cannot_be_rehearsed_is_no_pass() {
    let bench = bench(Layout::Refinery, 1);
    bench.write("migrations/V2__grant.sql", "grant select on one to app_reader;\n");
    let said = bench.expect(9, "migrate rehearse --all --postgres 15");
    assert!(said.contains("not rehearsed: ") && said.contains("app_reader"), "{said}");
    let said = bench.expect(0, "migrate rehearse --all --postgres 15 --roles app_reader");
    assert!(said.contains("2 migrations: 2 exact"), "{said}");
    let said = bench.expect(3, "migrate rehearse");
    assert!(said.contains("DATABASE_URL") && said.contains("--all"), "{said}");
}
