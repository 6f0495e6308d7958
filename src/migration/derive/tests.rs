//! Ways back that need no catalog, and what is asked where one is needed.

use super::*;

fn derive(sql: &str) -> Derivation {
    inverse_of(&Script::parse(sql).unwrap().statements[0], &Answers::default())
}

#[test]
fn what_the_statement_says_is_enough() {
    for (sql, back) in [
        ("create table app.t (a int)", "DROP TABLE \"app\".\"t\""),
        ("create unique index concurrently i on app.t (a)", "DROP INDEX CONCURRENTLY \"app\".\"i\""),
        ("create view v as select 1 as a", "DROP VIEW \"v\""),
        (
            "create function f(a int, b text default 'x', out c app.mood) language sql as 'select 1'",
            "DROP FUNCTION \"f\"(int, text)",
        ),
        (
            "create trigger g before update of a on app.t for each row execute function f()",
            "DROP TRIGGER \"g\" ON \"app\".\"t\"",
        ),
        ("create policy p on t using (true)", "DROP POLICY \"p\" ON \"t\""),
        ("create type mood as enum ('a')", "DROP TYPE \"mood\""),
        ("create schema other", "DROP SCHEMA \"other\""),
        (
            "alter table t add column a int, add constraint n check (a > 0)",
            "ALTER TABLE \"t\" DROP CONSTRAINT \"n\";\nALTER TABLE \"t\" DROP COLUMN \"a\"",
        ),
        (
            "alter table only app.t add foreign key (a) references x",
            "ALTER TABLE ONLY \"app\".\"t\" DROP CONSTRAINT \"t_a_fkey\"",
        ),
        ("alter table t rename column a to b", "ALTER TABLE \"t\" RENAME COLUMN \"b\" TO \"a\""),
        ("alter table app.t rename to u", "ALTER TABLE \"app\".\"u\" RENAME TO \"t\""),
        ("alter type mood rename value 'a' to 'b'", "ALTER TYPE \"mood\" RENAME VALUE 'b' TO 'a'"),
        ("alter table p attach partition q for values in (1)", "ALTER TABLE \"p\" DETACH PARTITION \"q\""),
        ("set local lock_timeout = '1s'", ""),
        ("create temp table x (a int)", ""),
    ] {
        assert_eq!(derive(sql), Derivation::Whole(back.to_owned()), "{sql}");
    }
}

#[test]
fn what_the_statement_does_not_say_is_asked() {
    for (sql, asked) in [
        ("alter table app.t alter c set default 1", "the previous default of app.t.c"),
        ("alter table t alter column c drop not null", "the previous nullability of t.c"),
        ("alter table t alter c set statistics 5", "the previous statistics target of t.c"),
        ("create or replace view v as select 1 as a", "the definition of view v"),
        (
            "create or replace function f(a int) returns int language sql as 'select 1'",
            "the definition of function f(int)",
        ),
        ("comment on column app.t.c is 'x'", "the previous comment on table column app.t.c"),
        ("grant select, update on app.t to public, me", "what public, me may do with table app.t"),
        ("alter table t disable trigger g", "the previous triggers that fire of t"),
        ("alter table t enable row level security", "the previous row security of t"),
        ("alter table t drop constraint n", "the definition of table constraint t.n"),
        ("drop index concurrently i", "the definition of index i"),
        ("create table if not exists t (a int)", "whether table t is there"),
    ] {
        let Derivation::Asks(questions) = derive(sql) else { panic!("{sql}: {:?}", derive(sql)) };
        assert_eq!(questions.iter().map(ToString::to_string).collect::<Vec<_>>(), [asked], "{sql}");
    }
}

#[test]
fn what_cannot_come_back_says_why() {
    for (sql, part) in [
        ("drop table t", "its rows go with it"),
        ("alter table t drop column a", "its values go with it"),
        ("alter type mood add value 'x'", "a value of an enum cannot be removed"),
        ("update t set a = 1", "may write rows"),
        ("do $$ begin end $$", "does what its code says"),
        ("drop view v cascade", "CASCADE"),
        ("create index on t (a)", "no name"),
        ("create role r", "about the server"),
    ] {
        let Derivation::None(why) = derive(sql) else { panic!("{sql}: {:?}", derive(sql)) };
        assert!(why.contains(part), "{sql}: {why}");
    }
}

#[test]
fn a_part_of_a_way_back_is_found_again() {
    let backs = without_asking("create table a ();\nset lock_timeout = 1;\ncreate table b ()").unwrap();
    let whole = text(&backs, true);
    assert_eq!(
        whole,
        "-- takes back statement 3, line 3\nDROP TABLE \"b\";\n-- takes back statement 1, line 1\nDROP TABLE \"a\";\n"
    );
    assert_eq!(text_of_first(&whole, 2), "-- takes back statement 1, line 1\nDROP TABLE \"a\";\n");
    assert_eq!(text_of_first(&whole, 0), "");
    assert!(text(&backs, false).starts_with("-- switchback: transaction off\n"));
}
