//! Differences of small schemas, made by hand as the server would tell them.

use std::collections::{BTreeMap, BTreeSet};

use super::schema::{Class, Facet, Id, Item, Schema};
use super::{Change, difference};

/// A schema of these things.
fn schema(items: Vec<Item>) -> Schema {
    Schema { items: items.into_iter().map(|item| (item.id.clone(), item)).collect() }
}

fn thing(class: Class, name: &str, made: &str) -> Item {
    Item {
        id: Id::of(class, name),
        made: made.to_owned(),
        body: made.to_owned(),
        shape: None,
        dropped: format!("DROP {} {name}", class.name().to_uppercase()),
        parent: None,
        place: 0,
        labels: Vec::new(),
        facets: BTreeMap::new(),
        needs: BTreeSet::new(),
    }
}

impl Item {
    fn needing(mut self, needs: &[(Class, &str)]) -> Self {
        self.needs.extend(needs.iter().map(|(class, name)| Id::of(*class, name)));
        self
    }

    fn with(mut self, name: &str, gives: &str, takes: &str, is_within: bool) -> Self {
        let takes = Some(takes.to_owned()).filter(|takes| !takes.is_empty());
        self.facets.insert(name.to_owned(), Facet { gives: gives.to_owned(), takes, is_within });
        self
    }

    fn within(mut self, class: Class, name: &str) -> Self {
        self.parent = Some(Id::of(class, name));
        self
    }
}

fn table(name: &str) -> Item {
    thing(Class::Table, name, &format!("CREATE TABLE {name} (\u{1})"))
}

fn column(table: &str, name: &str, kind: &str, place: i32) -> Item {
    let id = format!("{table}.{name}");
    let alter = format!("ALTER TABLE {table} ALTER COLUMN {name}");
    let mut item = thing(Class::Column, &id, &format!("{name} {kind}")).within(Class::Table, table).with(
        "type",
        &format!("{alter} TYPE {kind} USING {name}::{kind}"),
        "",
        true,
    );
    item.body = String::new();
    item.dropped = format!("ALTER TABLE {table} DROP COLUMN {name}");
    item.place = place;
    item
}

fn view(name: &str, text: &str, shape: &str, needs: &[(Class, &str)]) -> Item {
    let mut item = thing(Class::View, name, &format!("CREATE VIEW {name} AS {text}")).needing(needs);
    item.shape = Some(shape.to_owned());
    item
}

fn labels(labels: &[&str]) -> Item {
    let list: Vec<String> = labels.iter().map(|label| format!("'{label}'")).collect();
    let mut item = thing(Class::Enum, "app.mood", &format!("CREATE TYPE app.mood AS ENUM ({})", list.join(", ")));
    item.dropped = "DROP TYPE app.mood".to_owned();
    item.body = String::new();
    item.labels = labels.iter().map(|label| (*label).to_owned()).collect();
    item
}

/// The statements alone.
fn said(change: &Change) -> Vec<&str> {
    change.statements.iter().map(|statement| statement.sql.as_str()).collect()
}

fn shop() -> Vec<Item> {
    vec![
        table("t"),
        column("t", "b", "text", 2),
        column("t", "a", "integer", 1),
        view("v", "SELECT a FROM t", "a int,", &[(Class::Column, "t.a")]),
        view("w", "SELECT a FROM v", "a int,", &[(Class::View, "v")]),
        thing(Class::Index, "i", "CREATE INDEX i ON t (b)")
            .within(Class::Table, "t")
            .needing(&[(Class::Column, "t.b")]),
    ]
}

#[test]
fn the_same_needs_nothing_and_all_of_it_comes_and_goes_in_order() {
    let (nothing, shop) = (Schema::default(), schema(shop()));
    assert_eq!(difference(&shop, &shop), Change::default());
    assert_eq!(
        said(&difference(&nothing, &shop)),
        [
            "CREATE TABLE t (\n    a integer,\n    b text\n)",
            "CREATE INDEX i ON t (b)",
            "CREATE VIEW v AS SELECT a FROM t",
            "CREATE VIEW w AS SELECT a FROM v"
        ]
    );
    let back = difference(&shop, &nothing);
    assert_eq!(said(&back), ["DROP VIEW w", "DROP VIEW v", "DROP TABLE t"], "the index goes with its table");
    assert!(back.text().contains("-- drops data: the rows of t\nDROP TABLE t;\n"), "{}", back.text());
}

#[test]
fn a_column_gets_another_type_without_what_rests_on_it() {
    let present = schema(shop());
    let mut wanted = shop();
    wanted[2] = column("t", "a", "bigint", 1).with("default", "SET d2", "DROP d2", true);
    let mut before = present.clone();
    before.items.get_mut(&Id::of(Class::Column, "t.a")).unwrap().facets.insert(
        "default".to_owned(),
        Facet { gives: "SET d2".to_owned(), takes: Some("DROP d2".to_owned()), is_within: true },
    );
    assert_eq!(
        said(&difference(&before, &schema(wanted))),
        [
            "DROP VIEW w",
            "DROP VIEW v",
            "DROP d2",
            "ALTER TABLE t ALTER COLUMN a TYPE bigint USING a::bigint",
            "SET d2",
            "CREATE VIEW v AS SELECT a FROM t",
            "CREATE VIEW w AS SELECT a FROM v"
        ]
    );
}

#[test]
fn a_rename_is_not_guessed_but_spoken_of() {
    let mut wanted = shop();
    wanted[1] = column("t", "c", "text", 2);
    wanted.pop();
    let text = difference(&schema(shop()), &schema(wanted)).text();
    assert_eq!(
        text,
        "DROP INDEX i;\nALTER TABLE t ADD COLUMN c text;\n-- drops data: the values of t.b\n\
         -- if it is only called t.c now, write ALTER TABLE … RENAME COLUMN instead\nALTER TABLE t DROP COLUMN b;\n"
    );
}

#[test]
fn a_view_is_replaced_where_its_columns_only_grow() {
    let change = |text: &str, shape: &str| {
        let mut wanted = shop();
        wanted[3] = view("v", text, shape, &[(Class::Column, "t.a")]);
        difference(&schema(shop()), &schema(wanted)).text()
    };
    assert_eq!(change("SELECT a, b FROM t", "a int,b text,"), "CREATE OR REPLACE VIEW v AS SELECT a, b FROM t;\n");
    assert_eq!(
        change("SELECT b FROM t", "b text,"),
        "DROP VIEW w;\nDROP VIEW v;\nCREATE VIEW v AS SELECT b FROM t;\nCREATE VIEW w AS SELECT a FROM v;\n"
    );
}

#[test]
fn what_would_cost_data_is_named_and_not_done() {
    let with = |made: &str| {
        vec![thing(Class::Type, "y", made), table("t"), column("t", "a", "y", 1).needing(&[(Class::Type, "y")])]
    };
    let change = difference(&schema(with("CREATE TYPE y AS (a int)")), &schema(with("CREATE TYPE y AS (b int)")));
    assert_eq!(said(&change), Vec::<&str>::new());
    assert!(change.unsaid[0].starts_with("type y: ") && change.unsaid[0].contains("column t.a"), "{:?}", change.unsaid);
    let partitioned = thing(Class::Table, "t", "CREATE TABLE t (\u{1}) PARTITION BY RANGE (a)");
    let change = difference(&schema(vec![table("t")]), &schema(vec![partitioned]));
    assert!(change.statements.is_empty() && change.unsaid[0].starts_with("table t: "), "{change:?}");
}

#[test]
fn tables_that_refer_to_each_other_come_and_go() {
    let of = |table: &str, other: &str| {
        let name = format!("{table}.k");
        let mut key = thing(Class::ForeignKey, &name, &format!("ALTER TABLE {table} ADD k -> {other}"));
        key.dropped = format!("ALTER TABLE {table} DROP k");
        key.needing(&[(Class::Table, table), (Class::Table, other)])
    };
    let both = schema(vec![table("a"), table("b"), of("a", "b"), of("b", "a")]);
    let (there, back) = (difference(&Schema::default(), &both), difference(&both, &Schema::default()));
    assert_eq!(
        said(&there),
        ["CREATE TABLE a ()", "CREATE TABLE b ()", "ALTER TABLE a ADD k -> b", "ALTER TABLE b ADD k -> a"]
    );
    assert_eq!(said(&back), ["ALTER TABLE b DROP k", "ALTER TABLE a DROP k", "DROP TABLE b", "DROP TABLE a"]);
}

#[test]
fn an_enum_gets_labels_and_is_made_again_when_it_loses_some() {
    let with = |list: &[&str]| {
        schema(vec![
            labels(list),
            table("t"),
            column("t", "a", "app.mood", 1)
                .needing(&[(Class::Enum, "app.mood")])
                .with("default", "SET d", "DROP d", true),
            view("v", "SELECT a FROM t", "a app.mood,", &[(Class::Column, "t.a")]),
        ])
    };
    let (few, many) = (with(&["ok"]), with(&["bad", "ok", "good"]));
    assert_eq!(
        said(&difference(&few, &many)),
        ["ALTER TYPE app.mood ADD VALUE 'bad' BEFORE 'ok'", "ALTER TYPE app.mood ADD VALUE 'good' AFTER 'ok'"]
    );
    assert_eq!(
        said(&difference(&many, &few)),
        [
            "DROP VIEW v",
            "ALTER TYPE app.mood RENAME TO \"mood__before\"",
            "CREATE TYPE app.mood AS ENUM ('ok')",
            "DROP d",
            "ALTER TABLE t ALTER COLUMN a TYPE app.mood USING a::text::app.mood",
            "SET d",
            "CREATE VIEW v AS SELECT a FROM t",
            "DROP TYPE app.\"mood__before\""
        ]
    );
}

#[test]
fn facets_are_taken_before_they_are_given() {
    let with = |grant: &str, comment: &str| {
        let mut item = table("t").with("grants to r", &format!("GRANT {grant}"), "REVOKE ALL", false);
        if !comment.is_empty() {
            item = item.with("comment", comment, "COMMENT NULL", false);
        }
        schema(vec![item])
    };
    assert_eq!(said(&difference(&with("A", "x"), &with("B", "y"))), ["REVOKE ALL", "y", "GRANT B"]);
    assert_eq!(said(&difference(&with("A", "x"), &with("A", ""))), ["COMMENT NULL"]);
    assert_eq!(said(&difference(&Schema::default(), &with("A", "x"))), ["CREATE TABLE t ()", "x", "GRANT A"]);
}
