//! What happens to rows on a way and on its way back, whatever the schema looks like in the end. Pure.
//!
//! Invariant: only a statement that is known to leave the rows of others alone stakes nothing but the schema.

use std::collections::BTreeSet;

use super::super::cursor::{Cursor, split};
use super::super::statements::{Script, Statement};
use super::super::{Direction, KeptWhen, Migration};

/// What is at stake, the least first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stake {
    /// The schema alone: a rehearsal on empty tables tells it all.
    Schema,
    /// Perhaps rows, by this statement: only a rehearsal with rows can tell.
    Rows(String),
    /// These data certainly: no rehearsal brings them back.
    Lost(String),
}

/// What going this way and back again puts at stake.
pub fn stake(migration: &Migration, direction: Direction) -> Stake {
    let by_file = migration.kept.as_ref().filter(|kept| kept.when == KeptWhen::ThereByFile);
    let text = |direction| match (by_file, direction) {
        (None, direction) => migration.text(direction),
        (Some(_), Direction::Up) => Some(migration.up.as_str()),
        (Some(_), Direction::Down) => migration.down.as_deref(),
    };
    let (forth, back) = (text(direction), text(direction.other()));
    let (forth, back) = match (Script::parse(forth.unwrap_or_default()), Script::parse(back.unwrap_or_default())) {
        (Ok(forth), Ok(back)) => (forth, back),
        (Err(error), _) | (_, Err(error)) => return Stake::Rows(format!("not understood as SQL: {error}")),
    };
    let mut reader = Reader {
        copied: by_file.map(|kept| kept.copied.iter().cloned().collect()).unwrap_or_default(),
        way: direction,
        ..Reader::default()
    };
    if direction == Direction::Down {
        // What the way up made is looked into by itself before it is dropped.
        back.statements.iter().for_each(|statement| drop(reader.read(statement, true)));
    }
    reader.written_elsewhere = written(&back);
    let mut worst = Stake::Schema;
    for statement in &forth.statements {
        worst = worst.max(reader.read(statement, false));
    }
    reader.written_elsewhere = written(&forth);
    reader.way = direction.other();
    for statement in &back.statements {
        worst = worst.max(reader.read(statement, false));
    }
    worst
}

/// The tables that a text writes rows of.
fn written(script: &Script) -> BTreeSet<String> {
    script.statements.iter().filter_map(|statement| written_table(&mut Cursor::of(&statement.tokens))).collect()
}

/// The table whose rows a statement writes; the cursor stands behind its name then.
fn written_table(cursor: &mut Cursor<'_>) -> Option<String> {
    let named = if cursor.word("insert") {
        cursor.word("into")
    } else if cursor.word("delete") {
        cursor.word("from")
    } else {
        cursor.word("update")
    };
    cursor.word("only");
    named.then(|| cursor.name()).flatten()
}

/// Reads the statements of both ways, one after the other.
#[derive(Default)]
struct Reader {
    /// Tables, sequences and extensions that these statements have made themselves.
    things: BTreeSet<String>,
    /// Columns that they have added, as `table.column`.
    columns: BTreeSet<String>,
    /// Tables whose rows the other text writes.
    written_elsewhere: BTreeSet<String>,
    /// Tables of which the way up copies what it writes over.
    copied: BTreeSet<String>,
    /// Which way is read.
    way: Direction,
}

impl Reader {
    /// What one statement stakes; `only_made` when nothing but what it makes is of interest.
    fn read(&mut self, statement: &Statement, only_made: bool) -> Stake {
        let mut cursor = Cursor::of(&statement.tokens);
        if cursor.word("create") {
            self.create(cursor);
            return Stake::Schema;
        }
        if cursor.word("alter") {
            return self.alter(cursor, statement);
        }
        if only_made {
            return Stake::Schema;
        }
        if cursor.word("drop") {
            return self.drop_things(cursor, statement);
        }
        if cursor.word("truncate") {
            cursor.word("table");
            if self.way == Direction::Up && !self.copied.is_empty() {
                // It copies every table that it names.
                return Stake::Schema;
            }
            return self.each_table(cursor.rest(), statement);
        }
        const HARMLESS: [&str; 16] = [
            "comment",
            "grant",
            "revoke",
            "analyze",
            "reindex",
            "vacuum",
            "cluster",
            "refresh",
            "security",
            "set",
            "reset",
            "lock",
            "notify",
            "listen",
            "checkpoint",
            "discard",
        ];
        if HARMLESS.iter().any(|word| cursor.peeks(word)) || sets_a_setting(cursor) {
            return Stake::Schema;
        }
        self.write_rows(cursor, statement)
    }

    fn create(&mut self, mut cursor: Cursor<'_>) {
        for word in ["global", "local", "temporary", "temp", "unlogged"] {
            cursor.word(word);
        }
        let holds = cursor.word("table") || cursor.word("sequence") || cursor.word("extension");
        // What may have been there before is nobody's own.
        if holds && !cursor.peeks("if") {
            self.things.extend(cursor.name());
        }
    }

    fn is_own(&self, table: &str, column: &str) -> bool {
        self.things.contains(table) || self.columns.contains(&format!("{table}.{column}"))
    }

    fn drop_things(&self, mut cursor: Cursor<'_>, statement: &Statement) -> Stake {
        let cascades = statement.tokens.iter().any(|token| token.is("cascade"));
        if cursor.word("table") {
            return self.each_table(cursor.rest(), statement);
        }
        if cursor.word("sequence") {
            return self.each(cursor.rest(), "the position of sequence");
        }
        if cursor.word("extension") {
            return self.each(cursor.rest(), "what is held by extension");
        }
        const WITH_ROWS: [&str; 5] = ["owned", "database", "tablespace", "large", "role"];
        if WITH_ROWS.iter().any(|word| cursor.peeks(word)) || (cursor.peeks("schema") && cascades) {
            return Stake::Lost(format!("everything that `{}` drops", statement.excerpt()));
        }
        // A type, a domain or a function takes columns along.
        if cascades { Stake::Rows(statement.excerpt()) } else { Stake::Schema }
    }

    fn each_table(&self, tokens: &[super::super::statements::Token], statement: &Statement) -> Stake {
        if statement.tokens.iter().any(|token| token.is("cascade")) && statement.starts_with(&["truncate"]) {
            return Stake::Lost(format!("every row that `{}` removes", statement.excerpt()));
        }
        self.each(tokens, "every row of table")
    }

    /// Things that hold something go; those that were made here held nothing before.
    fn each(&self, tokens: &[super::super::statements::Token], what: &str) -> Stake {
        let mut lost = Vec::new();
        for part in split(tokens) {
            let mut cursor = Cursor::of(part);
            if cursor.word("if") {
                cursor.word("exists");
            }
            cursor.word("only");
            match cursor.name() {
                Some(name) if self.things.contains(&name) => {}
                Some(name) => lost.push(format!("{what} {name}")),
                None => lost.push(format!("{what} that is not named")),
            }
        }
        if lost.is_empty() { Stake::Schema } else { Stake::Lost(lost.join(", ")) }
    }

    fn alter(&mut self, mut cursor: Cursor<'_>, statement: &Statement) -> Stake {
        if cursor.word("sequence") {
            let name = name_if_exists(&mut cursor);
            let own = name.is_some_and(|name| self.things.contains(&name));
            let moves = cursor.rest().iter().any(|token| token.is("restart"));
            return match moves && !own {
                true => Stake::Lost(format!("the position that `{}` sets", statement.excerpt())),
                false => Stake::Schema,
            };
        }
        if cursor.word("type") {
            let drops = statement.tokens.windows(2).any(|pair| pair[0].is("drop") && pair[1].is("attribute"));
            let lost = || Stake::Lost(format!("the values of what `{}` drops", statement.excerpt()));
            return if drops { lost() } else { Stake::Schema };
        }
        if !cursor.word("table") {
            return Stake::Schema;
        }
        let Some(table) = name_if_exists(&mut cursor) else {
            return Stake::Rows(statement.excerpt());
        };
        let actions = split(cursor.rest()).into_iter();
        actions.map(|action| self.action(Cursor::of(action), &table, statement)).max().unwrap_or(Stake::Schema)
    }

    fn action(&mut self, mut cursor: Cursor<'_>, table: &str, statement: &Statement) -> Stake {
        const PARTS: [&str; 6] = ["constraint", "primary", "unique", "check", "foreign", "exclude"];
        let is_part = |cursor: &Cursor<'_>| PARTS.iter().any(|word| cursor.peeks(word));
        if cursor.word("add") {
            let explicit = cursor.word("column");
            if (explicit || !is_part(&cursor)) && !cursor.peeks("if") {
                self.columns.extend(cursor.name().map(|column| format!("{table}.{column}")));
            }
            return Stake::Schema;
        }
        if cursor.word("rename") {
            self.rename(cursor, table);
            return Stake::Schema;
        }
        let drops = cursor.word("drop");
        if drops && cursor.peeks("constraint") {
            return Stake::Schema;
        }
        if !drops && !cursor.word("alter") {
            return Stake::Schema;
        }
        cursor.word("column");
        let column = name_if_exists(&mut cursor).unwrap_or_default();
        if self.is_own(table, &column) {
            return Stake::Schema;
        }
        if drops {
            return Stake::Lost(format!("the values of column {table}.{column}"));
        }
        let of_type = cursor.peeks("type") || (cursor.word("set") && cursor.peeks("data"));
        let of_identity = cursor.word("drop") && cursor.peeks("identity");
        match (of_type, of_identity) {
            (true, _) if self.copied.contains(table) => Stake::Schema,
            (true, _) => Stake::Rows(statement.excerpt()),
            (_, true) => Stake::Lost(format!("the position of the identity {table}.{column}")),
            (false, false) => Stake::Schema,
        }
    }

    /// What was made here stays our own under its new name.
    fn rename(&mut self, mut cursor: Cursor<'_>, table: &str) {
        if cursor.word("constraint") {
            return;
        }
        if cursor.word("to") {
            let Some(new) = cursor.name() else { return };
            let new = table.rsplit_once('.').map_or_else(|| new.clone(), |(schema, _)| format!("{schema}.{new}"));
            let before = format!("{table}.");
            let columns = std::mem::take(&mut self.columns).into_iter();
            self.columns = columns
                .map(|column| column.strip_prefix(&before).map(|rest| format!("{new}.{rest}")).unwrap_or(column))
                .collect();
            if self.things.remove(table) {
                self.things.insert(new);
            }
            return;
        }
        cursor.word("column");
        let (Some(from), true) = (cursor.name(), cursor.word("to")) else { return };
        let Some(to) = cursor.name() else { return };
        if self.columns.remove(&format!("{table}.{from}")) {
            self.columns.insert(format!("{table}.{to}"));
        }
    }

    /// Rows are written: into what was made here, with or without a counterpart in the other text, or who knows where.
    fn write_rows(&self, cursor: Cursor<'_>, statement: &Statement) -> Stake {
        let (mut after, adds) = (cursor, cursor.peeks("insert"));
        let Some(table) = written_table(&mut after) else {
            return Stake::Rows(statement.excerpt());
        };
        if self.things.contains(&table) || self.sets_only_own(after, &table) {
            return Stake::Schema;
        }
        // The way back may write them otherwise: what was copied is put back after it.
        if self.copied.contains(&table) && (self.way == Direction::Up || !statement.starts_with(&["delete"])) {
            return Stake::Schema;
        }
        if adds || self.written_elsewhere.contains(&table) {
            return Stake::Rows(statement.excerpt());
        }
        Stake::Lost(format!("what `{}` overwrites or removes", statement.excerpt()))
    }

    /// Whether an update changes no columns but those that were added here.
    fn sets_only_own(&self, mut cursor: Cursor<'_>, table: &str) -> bool {
        if cursor.word("as") || !cursor.peeks("set") {
            cursor.skip(1);
        }
        if !cursor.word("set") {
            return false;
        }
        let ends = |word: &&str| cursor.rest().iter().position(|token| token.is(word));
        let end = ["from", "where", "returning"].iter().filter_map(ends).min();
        split(&cursor.rest()[..end.unwrap_or(cursor.rest().len())]).into_iter().all(|assignment| {
            let mut cursor = Cursor::of(assignment);
            let column = cursor.name();
            column.is_some_and(|column| self.columns.contains(&format!("{table}.{column}"))) && cursor.word("=")
        })
    }
}

fn name_if_exists(cursor: &mut Cursor<'_>) -> Option<String> {
    if cursor.word("if") {
        cursor.word("exists");
    }
    cursor.word("only");
    cursor.name()
}

/// `SELECT set_config(…)`, as dumps have it.
fn sets_a_setting(mut cursor: Cursor<'_>) -> bool {
    cursor.word("select") && cursor.name().is_some_and(|name| name == "set_config" || name == "pg_catalog.set_config")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(up: &str, down: &str) -> Stake {
        stake(&Migration::plain(2, "m", up, Some(down)), Direction::Up)
    }

    #[test]
    fn what_touches_the_schema_alone_is_for_a_rehearsal_to_tell() {
        for (up, down) in [
            ("drop index i", "create index i on t (a)"),
            ("alter table t add constraint c check (a > 0)", "alter table t drop constraint c"),
            ("alter table t alter a set not null", "alter table t alter column a drop not null"),
            ("drop view v; create view v as select 1", "drop view v; create view v as select 2"),
            ("create table t (a int); insert into t values (1)", "drop table if exists t"),
            ("alter table t add a int, add constraint c check (a > 0)", "alter table t drop a"),
            (
                "alter table t add a int; update t set a = b + 1 where b > 0; alter table t alter a set not null",
                "alter table t drop column a",
            ),
            ("alter table t add a int; alter table t rename a to c", "alter table t drop c"),
            ("create table t (); alter table t rename to u", "drop table u"),
            (
                "select pg_catalog.set_config('search_path', '', false); comment on table t is 'x'",
                "comment on table t is null",
            ),
        ] {
            assert_eq!(of(up, down), Stake::Schema, "{up} <- {down}");
        }
    }

    #[test]
    fn what_takes_rows_away_is_lost_whatever_a_rehearsal_says() {
        for (up, down, what) in [
            ("drop table t", "create table t (a int)", "every row of table t"),
            ("alter table t drop column a, add b int", "alter table t drop b, add a int", "the values of column t.a"),
            ("truncate t", "select 1", "every row of table t"),
            ("delete from t where a > 1", "", "delete from t"),
            ("update t set a = 1", "", "update t set a = 1"),
            ("alter table t add a int; update t set a = 1, b = 2", "alter table t drop a", "update t set a = 1, b = 2"),
            ("create index i on t (a)", "drop table t; create table t (a int)", "every row of table t"),
            ("create table if not exists t (a int)", "drop table t", "every row of table t"),
            ("drop schema s cascade", "create schema s", "drop schema s cascade"),
            ("alter sequence s restart with 1", "", "alter sequence s restart"),
            ("drop sequence s", "create sequence s", "the position of sequence s"),
        ] {
            let Stake::Lost(lost) = of(up, down) else { panic!("{up} <- {down}: {:?}", of(up, down)) };
            assert!(lost.contains(what), "{lost}");
        }
    }

    #[test]
    fn what_may_touch_rows_wants_rows() {
        for (up, down) in [
            ("insert into t values (1)", "delete from t where a = 1"),
            ("update t set a = a * 100", "update t set a = a / 100"),
            ("alter table t alter a type bigint", "alter table t alter a type int"),
            ("do $$ begin null; end $$", ""),
            ("select setval('s', 5)", ""),
            ("drop type mood cascade", "create type mood as enum ('a')"),
            ("with gone as (delete from t returning *) insert into u select * from gone", ""),
        ] {
            assert!(matches!(of(up, down), Stake::Rows(_)), "{up} <- {down}: {:?}", of(up, down));
        }
    }

    #[test]
    fn on_the_way_down_what_the_way_up_made_is_looked_into_by_others() {
        let made = Migration::plain(2, "m", "create table t (a int)", Some("drop table t"));
        assert_eq!(stake(&made, Direction::Down), Stake::Schema);
        let dropped = Migration::plain(2, "m", "drop table t", Some("create table t (a int)"));
        assert_eq!(stake(&dropped, Direction::Down), Stake::Schema);
        let other = Migration::plain(2, "m", "create index i on t (a)", Some("drop index i; truncate t"));
        assert!(matches!(stake(&other, Direction::Down), Stake::Lost(_)));
    }
}
