//! The five layouts: a folder of each, applied half by the other tool where a registry has it, otherwise by its table
//! as documented; adopted, continued, taken back; and the other tool, or its rule, then finds nothing pending.

mod tools;
mod told;
mod anywhere;
mod rehearsed;
mod proposed;

use switchback::migration::Direction;
use switchback::migration::layout::Layout;

use crate::postgres_project::Bench;

/// What each of the four migrations does, and what takes it back.
const WAYS: [(&str, &str); 4] = [
    ("create table one (id int);\n", "drop table one;\n"),
    ("create table two (id int);\r\ninsert into two values (1);\n", "drop table two;\n"),
    ("alter table two add column note text;\n", "alter table two drop column note;\n"),
    ("create view both_of as select one.id from one join two using (id);\n", "drop view both_of;\n"),
];

/// The version of each of them, as the tool's users write it.
fn versions(layout: Layout) -> [&'static str; 4] {
    match layout {
        Layout::Refinery => ["1", "2", "3", "10"],
        Layout::Flyway => ["1", "1.2", "1.10", "2"],
        Layout::Sqlx | Layout::Dbmate => ["20260101120000", "20260102120000", "20260103120000", "20260104120000"],
        Layout::GolangMigrate => ["000001", "000002", "000003", "000004"],
    }
}

fn name(at: usize) -> String {
    format!("step_{}", at + 1)
}

/// The files of the first so many migrations.
fn files(layout: Layout, count: usize) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for (at, (up, down)) in WAYS.into_iter().enumerate().take(count) {
        let (version, name) = (versions(layout)[at], name(at));
        let file = |direction| layout.file_name(version, &name, direction);
        match layout {
            Layout::Dbmate => {
                files.push((file(Direction::Up), format!("-- migrate:up\n{up}\n-- migrate:down\n{down}")));
            }
            Layout::Refinery | Layout::Flyway | Layout::Sqlx | Layout::GolangMigrate => {
                files.push((file(Direction::Up), up.to_owned()));
                files.push((file(Direction::Down), down.to_owned()));
            }
        }
    }
    files
}

/// A project with the first so many migrations, in the layout.
pub fn bench(layout: Layout, count: usize) -> Bench {
    let files = files(layout, count);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
    let bench = Bench::new("layout", &files);
    bench.edit(
        "environments/dev.hcl",
        "migrations = \"../migrations\"",
        &format!("migrations = \"../migrations\"\n  layout = \"{layout}\""),
    );
    bench
}

/// Which of the things are there: `one,two,note,both_of`.
fn there(bench: &Bench) -> String {
    bench.ask(
        "select concat_ws(',', (select 'one' where to_regclass('one') is not null), \
         (select 'two' where to_regclass('two') is not null), \
         (select 'note' from pg_attribute where attrelid = to_regclass('two') and attname = 'note'), \
         (select 'both_of' where to_regclass('both_of') is not null))",
    )
}

#[test]
fn each_layout_is_adopted_continued_and_taken_back() {
    for layout in Layout::ALL {
        let bench = bench(layout, 4);
        tools::apply_first_two(layout, &bench);
        assert_eq!((there(&bench), tools::pending(layout, &bench)), ("one,two".to_owned(), 2), "{layout}");

        let said = bench.expect(0, "migrate adopt dev --dry-run");
        assert!(said.contains("2 pending"), "{layout}: {said}");
        let said = bench.expect(0, "migrate adopt dev --auto-approve");
        assert!(said.contains(&format!("takes over 2 migrations that {layout} had applied")), "{layout}: {said}");
        assert_eq!(tools::pending(layout, &bench), 2, "{layout}: only the ledger was written");

        bench.expect(0, "apply dev --auto-approve");
        assert_eq!((there(&bench), tools::pending(layout, &bench)), ("one,two,note,both_of".to_owned(), 0), "{layout}");
        bench.expect(0, "plan dev --detailed-exitcode");
        tools::goes_on(layout, &bench);

        // The way back has neither folder nor spec.
        bench.remove("migrations");
        bench.remove("environments");
        bench.expect(0, "rollback dev --last --auto-approve --accept-loss all");
        assert_eq!((there(&bench), tools::count(layout, &bench)), ("one,two".to_owned(), 2), "{layout}");
        // To before the adoption: what the other tool had done stays.
        bench.expect(0, "rollback dev --to 0 --auto-approve");
        assert_eq!((there(&bench), tools::count(layout, &bench)), ("one,two".to_owned(), 2), "{layout}");
        assert!(!bench.expect(0, "state dev list").contains("database.app"), "{layout}: the ledger forgot it");
    }
}

#[test]
fn each_layout_begins_with_nothing_and_its_tool_finds_nothing_pending() {
    for layout in Layout::ALL {
        let bench = bench(layout, 4);
        bench.expect(0, "apply dev --auto-approve");
        assert_eq!((there(&bench), tools::pending(layout, &bench)), ("one,two,note,both_of".to_owned(), 0), "{layout}");
        bench.expect(0, "rollback dev --to 0 --auto-approve --accept-loss all");
        assert_eq!((there(&bench), tools::count(layout, &bench)), (String::new(), 0), "{layout}");
    }
}
