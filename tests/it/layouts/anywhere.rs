//! `migrate status|up|down|new` on a URL and a folder, without an environment.

use switchback::migration::layout::Layout;

use super::{bench, files, there, tools, versions};
use crate::postgres_project::Bench;

/// What leads to the database and the folder.
fn at(bench: &Bench, words: &str, layout: Layout) -> String {
    format!("migrate {words} --url {} --dir migrations --layout {layout}", bench.url)
}

#[test]
fn a_folder_and_a_url_are_enough_in_every_layout() {
    for layout in Layout::ALL {
        let bench = bench(layout, 4);
        // Nothing but the folder.
        bench.remove("environments");
        bench.remove("switchback.hcl");
        let said = bench.expect(2, &at(&bench, "status --detailed-exitcode", layout));
        assert!(said.contains("4 pending"), "{layout}: {said}");
        let third = versions(layout)[2];
        bench.expect(9, &at(&bench, "up", layout));
        bench.expect(0, &at(&bench, &format!("up --to {third} --auto-approve"), layout));
        assert_eq!((there(&bench), tools::count(layout, &bench)), ("one,two,note".to_owned(), 3), "{layout}");
        bench.expect(0, &at(&bench, "up --auto-approve", layout));
        assert_eq!(tools::pending(layout, &bench), 0, "{layout}");
        let said = bench.expect(0, &at(&bench, "status --json", layout));
        let status: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(
            (&status["pending"], &status["migrations"][3]["standing"]),
            (&0.into(), &"applied".into()),
            "{said}"
        );

        let said = bench.expect(9, &at(&bench, "down --last", layout));
        assert!(said.contains("drop view both_of"), "{layout}: what runs is shown: {said}");
        bench.expect(3, &at(&bench, "down --auto-approve", layout));
        bench.expect(0, &at(&bench, "down --last --auto-approve", layout));
        let first = versions(layout)[0];
        bench.ask("insert into two values (7)");
        let said = bench.expect(0, &at(&bench, &format!("down --to {first} --auto-approve"), layout));
        assert!(said.contains("loses: ") && said.contains("took 2 migrations back"), "{layout}: {said}");
        assert_eq!((there(&bench), tools::pending(layout, &bench)), ("one".to_owned(), 3), "{layout}");
        bench.expect(0, &at(&bench, "down --to 0 --auto-approve", layout));
        assert_eq!((there(&bench), tools::count(layout, &bench)), (String::new(), 0), "{layout}");
    }
}

#[test]
fn what_does_not_fit_is_named_and_nothing_runs() {
    for layout in Layout::ALL {
        let bench = bench(layout, 4);
        bench.expect(0, &at(&bench, &format!("up --to {} --auto-approve", versions(layout)[1]), layout));
        let (file, text) = files(layout, 1).remove(0);
        bench.write(&format!("migrations/{file}"), &text.replace("id int", "id bigint"));
        let said = bench.expect(11, &at(&bench, "status --detailed-exitcode", layout));
        assert!(said.contains("is not the text that was applied"), "{layout}: {said}");
        for verb in ["up --auto-approve", "down --last --auto-approve"] {
            let said = bench.expect(1, &at(&bench, verb, layout));
            assert!(said.contains("is not the text that was applied") && said.contains("migrate rebless"), "{said}");
        }
        assert_eq!(there(&bench), "one,two", "{layout}");
    }
}

#[test]
fn a_failure_says_how_far_it_came() {
    let bench = bench(Layout::Sqlx, 2);
    bench.write("migrations/30000101120000_bad.sql", "create table three ();\nselect 1 / 0;\n");
    let said = bench.expect(6, &at(&bench, "up --auto-approve", Layout::Sqlx));
    assert!(said.contains("division by zero") && said.contains("2 migrations before it stand"), "{said}");
    assert_eq!((there(&bench), bench.ask("select to_regclass('three')")), ("one,two".to_owned(), String::new()));
    assert!(bench.expect(1, &at(&bench, "up --auto-approve", Layout::Sqlx)).contains("division by zero"));
}

#[test]
fn two_at_once_run_everything_once() {
    for layout in [Layout::Refinery, Layout::GolangMigrate] {
        let bench = bench(layout, 4);
        let begin = || {
            let mut command = bench.command(&at(&bench, "up --auto-approve", layout));
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        };
        let runs = [begin(), begin(), begin()].map(|run| run.wait_with_output().unwrap());
        for run in &runs {
            assert!(run.status.success(), "{layout}: {}", String::from_utf8_lossy(&run.stderr));
        }
        let done: usize =
            runs.iter().map(|run| String::from_utf8_lossy(&run.stderr).matches(": done in ").count()).sum();
        assert_eq!((done, tools::pending(layout, &bench)), (4, 0), "{layout}");
    }
}

#[test]
fn the_password_is_nowhere_and_the_url_may_come_from_the_environment() {
    let bench = bench(Layout::Dbmate, 4);
    let (place, _) = bench.url.rsplit_once('@').unwrap();
    let (_, password) = place.rsplit_once(':').unwrap();
    assert!(password.len() > 3, "the local server has a password");
    let said = bench.command("migrate up --auto-approve -vvv").env("DATABASE_URL", &bench.url).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.contains("ran 4 migrations") && !said.contains(password), "the layout is that of the files: {said}");
    // Wrong in one letter, so that it is refused.
    let wrong = bench.url.replacen(password, &format!("{password}x"), 1);
    let said = bench.expect(1, &format!("migrate status --url {wrong}"));
    assert!(!said.contains(password), "{said}");
    let said = bench.expect(3, "migrate status");
    assert!(said.contains("DATABASE_URL"), "{said}");
    // Without any: there is no spec here whose settings could hold it.
    let without = bench.url.replacen(&format!(":{password}@"), "@", 1);
    let said = bench.expect(1, &format!("migrate status --url {without}"));
    assert!(said.contains("PGPASSWORD") && said.contains("postgres://USER:PASSWORD@HOST"), "{said}");
    assert!(!said.contains("password_file"), "{said}");
    // What is there already tells the layout, whatever the files are called.
    let said = bench.expect(0, &format!("migrate status --url {}", bench.url));
    assert!(said.contains("in dbmate's layout") && said.contains("nothing is pending"), "{said}");
}

#[test]
fn new_files_are_those_of_the_layout() {
    for layout in Layout::ALL {
        let bench = bench(layout, 2);
        let said = bench.expect(0, &format!("migrate new add-email --layout {layout}"));
        assert!(said.contains("add_email"), "{layout}: {said}");
        assert!(said.contains("then prove them:  switchback migrate rehearse --all\n"), "{layout}: {said}");
        let files: Vec<&str> = said.lines().filter(|line| line.ends_with(".sql")).collect();
        assert_eq!(files.len(), said.lines().count() - 1, "{layout}: {said}");
        for file in files {
            assert!(bench.path(file).is_file(), "{layout}: {file}");
        }
        let said = bench.expect(0, "validate dev");
        assert!(!said.contains("error"), "{layout}: {said}");
        bench.expect(0, "apply dev --auto-approve");
        bench.expect(0, "plan dev --detailed-exitcode");
    }
}

#[test]
fn a_folder_below_that_has_migrations_is_named() {
    let bench = bench(Layout::Refinery, 0);
    bench.write("db/shop/V1__first.sql", "create table a (id int);\n");
    bench.write("db/notes/read.me", "nothing\n");
    let said = bench.expect(0, "migrate new more --dir db");
    assert!(said.contains("db had no migration, db/shop has some; to write there: "), "{said}");
    assert!(said.contains("migrate new more --dir db/shop") && !said.contains("notes"), "{said}");
    bench.expect(0, "migrate new other --dir db/shop");
    assert!(bench.path("db/shop/V2__other.sql").exists());
}

/// A project whose environments name these folders of migrations, one each.
fn project(folders: &[(&str, &str)]) -> Bench {
    let bench = bench(Layout::Refinery, 0);
    bench.remove("environments");
    for (environment, folder) in folders {
        let spec = format!(
            "environment \"{environment}\" {{}}\n\ndatabase \"app\" {{\n  url = \"postgres://me@localhost/app\"\n  \
             migrations = \"../{folder}\"\n  layout = \"flyway\"\n}}\n"
        );
        bench.write(&format!("environments/{environment}.hcl"), &spec);
    }
    bench.write("migrations/readme.txt", "nothing to run\n");
    bench
}

#[test]
fn the_only_folder_that_the_spec_names_is_written_to() {
    let bench = project(&[("dev", "sql/shop"), ("prod", "sql/shop")]);
    let said = bench.expect(0, "migrate new more");
    let files = "sql/shop/V1__more.sql\nsql/shop/U1__more.sql\n";
    assert!(said.starts_with(files), "in the spec's folder and layout: {said}");
    let (_, next) = said.split_at(files.len());
    assert!(next.contains("migrate rehearse --all --dir sql/shop") && next.lines().count() == 1, "{said}");
    bench.expect(0, "migrate new another");
    assert!(bench.path("sql/shop/V2__another.sql").exists() && !bench.path("migrations/V1__more.sql").exists());
    // From a folder within the project as well.
    let said = bench.expect(0, "migrate new third -C environments");
    assert!(said.contains("sql/shop/V3__third.sql"), "{said}");
    // What is no word at its end leaves no trace in the name of the file.
    bench.expect(0, "migrate new notes!");
    assert!(bench.path("sql/shop/V4__notes.sql").exists());
    // Who names a folder means it.
    bench.expect(0, "migrate new fourth --dir elsewhere");
    assert!(bench.path("elsewhere/V1__fourth.sql").exists());
}

#[test]
fn where_the_spec_names_several_folders_nothing_is_written() {
    let bench = project(&[("dev", "sql/shop"), ("prod", "sql/stock")]);
    let said = bench.expect(3, "migrate new more");
    for folder in ["sql/shop", "sql/stock"] {
        assert!(said.contains(&format!("switchback migrate new more --dir {folder}")), "{said}");
        assert!(!bench.path(folder).exists());
    }
    assert!(!bench.path("migrations/V1__more.sql").exists());
    bench.expect(0, "migrate new more --dir sql/stock");
}

#[test]
fn without_a_spec_that_names_one_it_is_the_folder_called_migrations() {
    let bench = project(&[]);
    bench.expect(0, "migrate new more");
    assert!(bench.path("migrations/V1__more.sql").exists());
    bench.remove("switchback.hcl");
    bench.expect(0, "migrate new another");
    assert!(bench.path("migrations/V2__another.sql").exists());
}
