//! Migrations that are committed statement by statement: cut, cancelled or ended at every message, then gone on with or
//! taken back; each end is exact.
//!
//! A sample of the messages usually. With `SWITCHBACK_TEST_LONG` every one of them on the installed server, with both
//! ends, and every fourth on throw-away servers of the other versions from 13 to 18.

#![expect(clippy::print_stdout, reason = "how far it came is told in the test's own output")]

mod project;
mod running;
mod wire;

use std::sync::atomic::Ordering;

use switchback::migration::class::{going_on, taking_back};
use switchback::migration::position::Position;
use switchback::migration::{Direction, Migration};
use switchback::provider::postgres::rehearsal::ThrowAway;
use switchback::provider::postgres::{Migrator, fingerprint_text};
use switchback::world::{Databases as _, Settlement, Trace};

use crate::observation::versions::url_of;
use crate::postgres::{Heard, connection, effect, in_database, migration, session, value};
use crate::stack::{self, Quiet};
use wire::{Break, Wire};

const OFF: &str = "-- switchback: transaction off\n";

/// What every kind begins with. An index on `slow` takes long enough to be broken while it is built.
const GROUND: &str = "create function slow(a int) returns int language plpgsql immutable as \
    $$ begin perform pg_sleep(0.02); return a; end $$; \
    create table b (id int primary key, x int not null); insert into b values (1, 10), (2, 20); \
    create index old on b (x); \
    create table whole (id int, at int) partition by range (at); \
    create table part partition of whole for values from (0) to (10); insert into whole values (1, 1);";

const INVALID: &str = "select count(*) from pg_index where not indisvalid";
const LEFT: &str = "select case when to_regclass('switchback_progress') is null then 0 else \
    (xpath('//c/text()', query_to_xml('select count(*) as c from switchback_progress', false, true, '')))[1]::text::int end";
const ROWS: &str = "select coalesce(string_agg(c.relname || query_to_xml(format('select * from %I order by 1', c.relname), \
    true, true, '')::text, '' order by c.relname), '') from pg_class c where c.relnamespace = 'public'::regnamespace \
    and c.relkind = 'r' and c.relname not in ('refinery_schema_history', 'switchback_progress')";

/// Schema and rows.
async fn everything(url: &str) -> (String, String) {
    (fingerprint_text(&connection(url)).await.unwrap(), value(url, ROWS).await)
}

async fn run(url: &str, one: &Migration, direction: Direction, from: Position) {
    let effect = switchback::world::MigrationEffect { from, ..effect(one, direction, "whole") };
    if let Err(error) = Migrator::default().migrate(&connection(url), &effect, &Heard::default()).await {
        panic!("{direction:?}: {error}");
    }
}

/// One kind of migration in a database of its own.
struct Bench {
    url: String,
    /// What the sessions that are broken are called by: of this bench alone, because settling ends all that are called so.
    token: String,
    one: Migration,
    before: (String, String),
    after: (String, String),
}

impl Bench {
    async fn new(server: &str, name: &str, (up, down): (&str, &str)) -> Self {
        let name = stack::unique(name);
        session(server).await.batch_execute(&format!("create database \"{name}\"")).await.unwrap();
        let url = in_database(server, &name);
        session(&url).await.batch_execute(GROUND).await.unwrap();
        let one = migration(1, "broken", up, Some(down));
        // Once there and back, so that our own tables are there.
        run(&url, &one, Direction::Up, Position::default()).await;
        run(&url, &one, Direction::Down, Position::default()).await;
        let before = everything(&url).await;
        run(&url, &one, Direction::Up, Position::default()).await;
        let after = everything(&url).await;
        run(&url, &one, Direction::Down, Position::default()).await;
        assert_eq!(everything(&url).await, before, "the way back of the test itself is exact");
        assert_ne!(after, before);
        Self { url, token: format!("cut_{name}"), one, before, after }
    }

    /// Goes one way and breaks the session at a message; whether it was broken there.
    async fn broken(&self, direction: Direction, at: usize, how: Break) -> Option<Settlement> {
        let wire = Wire::start(&self.url, &self.token, at, how).await;
        let effect = effect(&self.one, direction, &self.token);
        let result = Migrator::default().migrate(&connection(&wire.url), &effect, &Heard::default()).await;
        if !wire.broken.load(Ordering::SeqCst) {
            result.unwrap();
            return None;
        }
        let settled = Migrator::default().settle(&connection(&self.url), &effect).await.unwrap();
        let what = format!("{direction:?}, {how:?} at {at}: {settled:?}, {result:?}");
        assert!(result.is_err() || matches!(settled, Settlement::Done(_)), "{what}");
        assert_eq!(value(&self.url, INVALID).await, "0", "{what}");
        let (left, history) = (value(&self.url, LEFT).await, self.is_applied().await);
        let is_up = direction == Direction::Up;
        match &settled {
            Settlement::Done(_) => assert_eq!((left.as_str(), history), ("0", is_up), "{what}"),
            Settlement::NotDone => {
                assert_eq!((left.as_str(), history), ("0", !is_up), "{what}");
                let wanted = if is_up { &self.before } else { &self.after };
                assert_eq!(&everything(&self.url).await, wanted, "{what}");
            }
            Settlement::Stands(facts, _) => {
                assert_eq!((left.as_str(), history), ("1", !is_up), "{what}");
                assert!(Position::of_facts(facts).is_some_and(|position| !position.is_start()), "{what}");
            }
            Settlement::GoesOn(..) | Settlement::Doubt(_) => panic!("{what}"),
        }
        Some(settled)
    }

    async fn is_applied(&self) -> bool {
        value(&self.url, "select count(*) from refinery_schema_history").await == "1"
    }

    /// Brings it to this end, whatever was left: from where it is, or, where that is not certain, by the whole way.
    async fn bring(&self, wanted: Direction) {
        let history = Migrator::default().history(&connection(&self.url)).await.unwrap().unwrap();
        let is_there = history.rows.len() == 1;
        let Some(partial) = history.partial else {
            if is_there != (wanted == Direction::Up) {
                run(&self.url, &self.one, wanted, Position::default()).await;
            }
            return;
        };
        let from = match (partial.direction, wanted) {
            (Direction::Up, Direction::Up) => Some(partial.position.clone()),
            (Direction::Down, Direction::Down) => Some(partial.from.clone()),
            (Direction::Up, Direction::Down) => {
                taking_back(&self.one, &partial.position, &[]).is_ok().then(|| partial.position.clone())
            }
            (Direction::Down, Direction::Up) => {
                going_on(&self.one, partial.position.statements, &partial.from, &[]).ok()
            }
        };
        match from {
            Some(from) => run(&self.url, &self.one, wanted, from).await,
            None => {
                // What was begun is finished first.
                run(&self.url, &self.one, partial.direction, partial.from.clone()).await;
                run(&self.url, &self.one, wanted, Position::default()).await;
            }
        }
    }

    /// Breaks messages of a way in these ways; each time one of the two ends is reached, in turn, or both are.
    async fn sweep(&self, direction: Direction, hows: &[Break], amount: Amount) {
        let (start, end) = match direction {
            Direction::Up => (Direction::Down, Direction::Up),
            Direction::Down => (Direction::Up, Direction::Down),
        };
        self.bring(start).await;
        let wire = Wire::start(&self.url, &self.token, usize::MAX, Break::CutBefore).await;
        let whole = effect(&self.one, direction, &self.token);
        Migrator::default().migrate(&connection(&wire.url), &whole, &Heard::default()).await.unwrap();
        let count = wire.seen.load(Ordering::SeqCst);
        assert!(count > 5, "the session goes through the wire: {count}");
        for how in hows {
            let turn = BREAKS.iter().position(|one| one == how).unwrap();
            for at in amount.messages(turn, count) {
                let ends = if amount == Amount::All { vec![start, end] } else { vec![[start, end][(at + turn) % 2]] };
                for wanted in ends {
                    self.bring(start).await;
                    self.broken(direction, at, *how).await;
                    self.bring(wanted).await;
                    let exact = if wanted == Direction::Up { &self.after } else { &self.before };
                    let now = everything(&self.url).await;
                    assert_eq!(&now, exact, "{direction:?}, {how:?} at {at} of {count}, then {wanted:?}");
                    assert_eq!(value(&self.url, LEFT).await, "0");
                    assert_eq!(value(&self.url, INVALID).await, "0");
                    assert_eq!(self.is_applied().await, wanted == Direction::Up);
                }
            }
        }
    }
}

const BREAKS: [Break; 4] = [Break::CutBefore, Break::CutAfter, Break::Cancel, Break::Terminate];

/// How many messages are broken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Amount {
    /// Three or so.
    Sample,
    /// Every fourth, another one for each way to break.
    Fourth,
    /// Every one.
    All,
}

impl Amount {
    fn messages(self, turn: usize, count: usize) -> impl Iterator<Item = usize> {
        let (first, stride) = match self {
            Self::Sample => (1 + turn, count.div_ceil(3)),
            Self::Fourth => (1 + turn, 4),
            Self::All => (1, 1),
        };
        (first..=count).step_by(stride)
    }
}

async fn sweep(name: &str, up: &str, down: &str) {
    let installed = stack::shared().postgres_url();
    if std::env::var_os("SWITCHBACK_TEST_LONG").is_none() {
        let bench = Bench::new(&installed, name, (up, down)).await;
        bench.sweep(Direction::Up, &BREAKS, Amount::Sample).await;
        return bench.sweep(Direction::Down, &BREAKS, Amount::Sample).await;
    }
    sweep_side_by_side(&installed, name, (up, down), Amount::All).await;
    println!("{name}: every message on the installed server");
    let major = value(&installed, "current_setting('server_version_num')::int / 10000").await;
    for other in (13..=18).filter(|other| other.to_string() != major) {
        let server = ThrowAway::start(stack::places().cache, other, &Quiet).await.unwrap();
        // Version 13 does not know it yet.
        let up =
            if other < 14 { &up.replace("detach partition part concurrently", "detach partition part") } else { up };
        sweep_side_by_side(&url_of(server.login()), name, (up, down), Amount::Fourth).await;
        println!("{name}: every fourth message on PostgreSQL {other}");
    }
}

/// Most of it is waiting: each way to break, in each direction, has a database of its own.
async fn sweep_side_by_side(server: &str, name: &str, way: (&str, &str), amount: Amount) {
    let all = [Direction::Up, Direction::Down].into_iter().flat_map(|direction| {
        BREAKS.chunks(1).map(move |how| async move {
            let bench = Bench::new(server, name, way).await;
            bench.sweep(direction, how, amount).await;
        })
    });
    futures_util::future::join_all(all).await;
}

/// What is sent at once may all have been heard although the first answer is missing: such an end is never called nothing.
#[tokio::test]
async fn an_answer_that_is_lost_is_not_called_nothing() {
    let bench =
        Bench::new(&stack::shared().postgres_url(), "s_deaf", ("create table a (id int)", "drop table a")).await;
    let mut done = 0;
    for at in 1.. {
        bench.bring(Direction::Down).await;
        let wire = Wire::start(&bench.url, &bench.token, at, Break::Deaf).await;
        let effect = effect(&bench.one, Direction::Up, &bench.token);
        let result = Migrator::default().migrate(&connection(&wire.url), &effect, &Heard::default()).await;
        if !wire.broken.load(Ordering::SeqCst) {
            result.unwrap();
            break;
        }
        let Err(error) = result else { continue };
        let settled = Migrator::default().settle(&connection(&bench.url), &effect).await.unwrap();
        if matches!(settled, Settlement::Done(_)) {
            done += 1;
            assert_eq!(error.trace, Trace::Unknown, "at {at}: {error}");
        }
    }
    assert!(done >= 2, "at the row of the history and at the commit: {done}");
}

#[tokio::test]
async fn one_transaction() {
    let up = "create table a (id int); insert into a values (1); alter table b add column c int default 3";
    sweep("s_together", up, "alter table b drop column c; drop table a").await;
}

#[tokio::test]
async fn tables_columns_and_indexes() {
    let up = format!(
        "{OFF}create table a (id int);\ninsert into a values (1);\ncreate index concurrently i on b (slow(x));\n\
         alter table b add column c int default 3;\nvacuum b;\ncreate unique index concurrently on a (id);"
    );
    let down = format!("{OFF}alter table b drop column c;\ndrop index concurrently i;\ndrop table a;");
    sweep("s_mixed", &up, &down).await;
}

#[tokio::test]
async fn what_cannot_be_turned_is_finished() {
    let up = format!(
        "{OFF}-- switchback: assert before select count(*) = 2 from b\n-- switchback: assert after select min(x) = 11 from b\n\
         set search_path = public;\nupdate b set x = x + 1;\ndrop index concurrently old;\nreindex index concurrently b_pkey"
    );
    let down = format!("{OFF}create index concurrently old on b (x);\nupdate b set x = x - 1");
    sweep("s_once", &up, &down).await;
}

#[tokio::test]
async fn partitions_and_types() {
    let up = format!(
        "{OFF}create type mood as enum ('sad');\nalter type mood add value 'glad';\n\
         alter table whole detach partition part concurrently;\ncreate table c (m mood default 'glad')"
    );
    let down = "drop table c;\nalter table whole attach partition part for values from (0) to (10);\ndrop type mood";
    sweep("s_parts", &up, down).await;
}
