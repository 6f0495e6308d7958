//! Tampered, missing, out-of-order and duplicate versions in each layout: refused by name, with the verb that makes an
//! exception; each exception is recorded, lets the next plan go on, and is taken back by a rollback.

use switchback::migration::layout::Layout;

use super::{WAYS, bench, name, there, tools, versions};
use crate::postgres_project::Bench;

/// The file that holds the text of one of the migrations.
fn file(layout: Layout, at: usize) -> String {
    let direction = switchback::migration::Direction::Up;
    format!("migrations/{}", layout.file_name(versions(layout)[at], &name(at), direction))
}

/// Two of the four applied by ours, and recorded.
fn half(layout: Layout) -> Bench {
    let bench = bench(layout, 2);
    bench.expect(0, "apply dev --auto-approve");
    bench
}

#[test]
fn an_altered_file_is_refused_accepted_and_refused_again() {
    for layout in Layout::ALL {
        let bench = half(layout);
        bench.edit(&file(layout, 1), "values (1)", "values (1) /* one */");
        let said = bench.expect(4, "plan dev");
        assert!(said.contains("is not the text that was applied"), "{layout}: {said}");
        let version = versions(layout)[1];
        assert!(said.contains("migrate rebless dev"), "{layout}: {said}");
        let verb = format!("migrate rebless dev {version} --reason comment --auto-approve");
        let said = bench.expect(0, &verb);
        assert!(said.contains("is accepted as it is now: comment"), "{layout}: {said}");
        bench.expect(0, "plan dev --detailed-exitcode");
        assert!(bench.expect(1, &verb).contains("is not altered"), "{layout}");
        bench.expect(0, "rollback dev --last --auto-approve");
        bench.expect(4, "plan dev");
        bench.expect(0, &verb);
        // What runs back is what was accepted, although the table has the earlier checksum.
        bench.expect(0, "destroy dev --auto-approve");
        assert_eq!((there(&bench), tools::count(layout, &bench)), (String::new(), 0), "{layout}");
    }
}

#[test]
fn a_late_version_is_refused_and_left_out() {
    for layout in Layout::ALL {
        let bench = bench(layout, 4);
        let late = match layout {
            Layout::Dbmate => "-- migrate:up\nselect 1;\n-- migrate:down\nselect 2;\n",
            Layout::Refinery | Layout::Flyway | Layout::Sqlx | Layout::GolangMigrate => "select 1;\n",
        };
        // The second one comes late, and so is another text.
        let original = std::fs::read_to_string(bench.path(&file(layout, 1))).unwrap();
        bench.remove(&file(layout, 1));
        if layout != Layout::Dbmate {
            let down = layout.file_name(versions(layout)[1], &name(1), switchback::migration::Direction::Down);
            bench.remove(&format!("migrations/{down}"));
        }
        bench.edit(&file(layout, 2), "alter table two add column note", "create table two (id int, note");
        bench.edit(&file(layout, 2), "note text;", "note text);");
        bench.expect(0, "apply dev --auto-approve");
        bench.write(&file(layout, 1), late);
        let said = bench.expect(4, "plan dev");
        assert!(said.contains("a migration comes too late") && said.contains("migrate skip dev"), "{layout}: {said}");
        assert!(bench.expect(11, "migrate adopt dev --dry-run").contains("late"), "{layout}");
        assert!(bench.expect(1, "migrate adopt dev --auto-approve").contains("migrate skip dev"), "{layout}");
        let verb = format!("migrate skip dev {} --reason never --auto-approve", versions(layout)[1]);
        assert!(bench.expect(0, &verb).contains("is never run: never"), "{layout}");
        bench.expect(0, "plan dev --detailed-exitcode");
        bench.expect(0, "rollback dev --last --auto-approve");
        bench.expect(4, "plan dev");
        assert!(!original.is_empty());
    }
}

#[test]
fn a_row_without_a_file_is_refused_and_left_out() {
    for layout in Layout::ALL {
        let bench = bench(layout, 2);
        tools::apply_first_two(layout, &bench);
        let direction = switchback::migration::Direction::Down;
        bench.remove(&file(layout, 1));
        if layout != Layout::Dbmate {
            bench.remove(&format!("migrations/{}", layout.file_name(versions(layout)[1], &name(1), direction)));
        }
        let said = bench.expect(4, "plan dev");
        assert!(said.contains("an applied migration has no file"), "{layout}: {said}");
        let version = versions(layout)[1];
        bench.expect(0, &format!("migrate skip dev {version} --reason theirs --auto-approve"));
        bench.expect(0, "plan dev --detailed-exitcode");
        assert_eq!(there(&bench), "one,two", "{layout}");
    }
}

#[test]
fn what_was_made_by_hand_counts_from_a_baseline_on() {
    for layout in Layout::ALL {
        let bench = bench(layout, 4);
        bench.ask(&format!("{}{}", WAYS[0].0, WAYS[1].0));
        let version = versions(layout)[1];
        let said = bench.expect(0, &format!("migrate baseline dev {version} --auto-approve"));
        assert!(said.contains("2 migrations up to"), "{layout}: {said}");
        bench.expect(0, "apply dev --auto-approve");
        assert_eq!(there(&bench), "one,two,note,both_of", "{layout}");
        bench.expect(0, "rollback dev --to 0 --auto-approve --accept-loss all");
        assert_eq!(there(&bench), "one,two", "{layout}: what was there before stays");
    }
}

#[test]
fn two_files_of_one_version_are_refused() {
    for layout in Layout::ALL {
        let bench = bench(layout, 1);
        let version = versions(layout)[0];
        let other = layout.file_name(version, "again", switchback::migration::Direction::Up);
        bench.write(&format!("migrations/{other}"), "-- migrate:up\nselect 1;\n");
        let said = bench.expect(4, "plan dev");
        assert!(said.contains("is given more than once"), "{layout}: {said}");
    }
}

#[test]
fn what_another_tool_left_half_done_is_refused_with_the_way_on() {
    for (layout, half, said) in [
        (Layout::Flyway, "update flyway_schema_history set success = false where version = '1.2'", "delete from"),
        (Layout::Sqlx, "update _sqlx_migrations set success = false", "only partly done"),
        (Layout::GolangMigrate, "update schema_migrations set dirty = true", "it is dirty"),
    ] {
        let bench = bench(layout, 4);
        tools::apply_first_two(layout, &bench);
        bench.ask(half);
        let told = bench.expect(1, "plan dev");
        assert!(told.contains(said), "{layout}: {told}");
    }
    let bench = bench(Layout::Dbmate, 4);
    tools::apply_first_two(Layout::GolangMigrate, &bench);
    assert!(bench.expect(1, "plan dev").contains("set `layout = \"golang-migrate\"`"));
}

#[test]
fn a_layout_that_is_not_named_runs_nothing_again() {
    for layout in [Layout::Flyway, Layout::Sqlx, Layout::Dbmate] {
        let bench = bench(layout, 4);
        tools::apply_first_two(layout, &bench);
        bench.edit("environments/dev.hcl", &format!("layout = \"{layout}\""), "");
        bench.remove("migrations");
        bench.write("migrations/V1__one.sql", WAYS[0].0);
        let said = bench.expect(1, "plan dev");
        assert!(said.contains(&format!("set `layout = \"{layout}\"`")), "{layout}: {said}");
    }
}

#[test]
fn what_has_no_version_runs_again_when_it_changes_and_goes_back_to_its_earlier_text() {
    let bench = half(Layout::Flyway);
    let shown = || bench.ask("select what from shown");
    let ranks = || {
        bench.ask("select string_agg(installed_rank || ' ' || description, ',' order by installed_rank) from flyway_schema_history where version is null")
    };
    bench.write("migrations/R__shown.sql", "create or replace view shown as select 1 as what;\n");
    bench.expect(0, "apply dev --auto-approve");
    assert_eq!((shown(), ranks()), ("1".to_owned(), "3 shown".to_owned()));
    bench.expect(0, "plan dev --detailed-exitcode");
    bench.edit("migrations/R__shown.sql", "select 1", "select 2");
    let said = bench.expect(2, "plan dev --detailed-exitcode");
    assert!(said.contains("R__shown") && said.contains("its earlier text runs again"), "{said}");
    bench.expect(0, "apply dev --auto-approve");
    assert_eq!((shown(), ranks()), ("2".to_owned(), "3 shown,4 shown".to_owned()));
    bench.expect(0, "rollback dev --last --auto-approve");
    assert_eq!((shown(), ranks()), ("1".to_owned(), "3 shown,4 shown,5 shown".to_owned()));
    // A file that goes leaves what it made, as Flyway does.
    bench.edit("migrations/R__shown.sql", "select 2", "select 1");
    bench.expect(0, "plan dev --detailed-exitcode");
    bench.remove("migrations/R__shown.sql");
    bench.expect(0, "plan dev --detailed-exitcode");
}

#[test]
fn what_cannot_run_in_a_transaction_runs_as_the_tool_runs_it() {
    let index = "create index concurrently by_id on one (id);";
    for (layout, file, text) in [
        (Layout::Sqlx, "30000101120000_index.up.sql", format!("-- no-transaction\n{index}")),
        (Layout::GolangMigrate, "000009_index.up.sql", index.to_owned()),
        (Layout::Dbmate, "30000101120000_index.sql", format!("-- migrate:up transaction:false\n{index}\n")),
        (Layout::Flyway, "V9__index.sql", format!("-- switchback: transaction off\n{index}")),
    ] {
        let bench = half(layout);
        bench.write(&format!("migrations/{file}"), &text);
        bench.expect(0, "apply dev --auto-approve");
        assert_eq!(bench.ask("select indisvalid from pg_index where indexrelid = 'by_id'::regclass"), "t", "{layout}");
        bench.expect(0, "plan dev --detailed-exitcode");
    }
}
