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

#[test]
fn a_derived_way_back_is_shown_with_the_file_that_it_belongs_into() {
    let bench = bench(Layout::Flyway, 1);
    bench.write("migrations/V1.1__names.sql", "alter table one add column name text;\n");
    let at = |words: &str| format!("migrate {words} --url {} --layout flyway", bench.url);
    let said = bench.expect(0, &at("status"));
    assert!(said.contains("V1.1__names  (no file for its way back)"), "{said}");
    bench.expect(0, &at("up --auto-approve"));
    let said = bench.expect(1, &at("down --last --auto-approve"));
    assert!(
        said.contains("V1.1__names has no file for its way back") && said.contains("write U1.1__names.sql"),
        "{said}"
    );
    assert!(said.contains("switchback migrate rehearse --all --layout flyway"), "{said}");
    let rehearse = "migrate rehearse --all --postgres 15 --layout flyway";
    let said = bench.expect(0, rehearse);
    assert!(said.contains("way back derived: exact"), "{said}");
    let (_, derived) = said.split_once("what was derived, for U1.1__names.sql:\n").expect(&said);
    let text: String =
        derived.lines().take_while(|line| line.starts_with("    ")).map(|line| format!("{line}\n")).collect();
    // As it is told: then it is taken back.
    bench.write("migrations/U1.1__names.sql", &text);
    assert!(!bench.expect(0, rehearse).contains("no file takes it back"), "it is in a file now");
    bench.expect(0, &at("down --last --auto-approve"));
    assert_eq!(
        bench.ask("select count(*) from pg_attribute where attrelid = 'one'::regclass and attname = 'name'"),
        "0"
    );
}

#[test]
fn a_folder_without_migrations_leads_to_one_that_has_some() {
    let bench = bench(Layout::Refinery, 0);
    bench.write("migrations/shop/V1__first.sql", "create table a (id int);\n");
    let said = bench.expect(0, "migrate rehearse --all");
    assert!(said.contains("the folder has no migration") && said.contains("`--dir migrations/shop`"), "{said}");
    // Within the folder itself, where no other is below it.
    let said = bench.expect(3, "migrate rehearse --all -C migrations/shop");
    assert!(said.contains("there is no folder `migrations` here") && said.contains("`--dir .`"), "{said}");
    assert!(!said.contains("database block"), "{said}");
    let said = bench.expect(3, "migrate lint -C environments");
    assert!(said.contains("`--dir DIR`"), "{said}");
}
