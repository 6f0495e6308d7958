//! Migrations whose statements are committed one by one, in a script: each commit says how far it has got, as the runner's
//! does. Pure.
//!
//! Invariant: whoever stops the script half-way leaves what a run that is cut leaves: a row that `resume` goes on from.

use super::super::super::history::unseen::SCHEMA;
use super::super::super::quoting;
use super::super::job::{Cut, Job};
use super::super::patience::Patience;
use super::super::progress::{Book, Row, TABLE};
use super::{Script, blocks};
use crate::migration::batches::Range;
use crate::migration::outside::{Global, Outside};
use crate::migration::position::Position;
use crate::migration::said::When;
use crate::migration::{Direction, Migration};

/// What stands for a value in a text that is to be a format.
const AFTER: &str = "\u{1}after\u{1}";
const TO: &str = "\u{1}to\u{1}";
const OF_TYPE: &str = "\u{1}type\u{1}";

impl Script<'_> {
    /// A migration whose statements are committed one by one.
    pub(super) fn apart(&mut self, migration: &Migration, direction: Direction, job: &Job) -> Result<(), String> {
        let book = Book { name: format!(":\"{SCHEMA}\".{TABLE}"), exists: true };
        let row = Row {
            chain: self.change_set.chain.clone().unwrap_or_default(),
            migration: migration.clone(),
            direction,
            position: Position::default(),
            from: Position::default(),
            under_way: None,
        };
        self.statement(&book.definition());
        let begun = Begun { book: &book, row: &row, job };
        let count = job.pieces.len();
        for (number, piece) in job.pieces.iter().enumerate() {
            let is_cut = job.filling.as_ref().filter(|cut| cut.number == number);
            self.line("");
            self.comment(&format!("{}: {}", job.place(number), piece.statement.excerpt()));
            match (is_cut, &piece.outside) {
                (Some(cut), _) => self.in_batches(&begun, cut, migration, direction),
                (None, None) => {
                    self.begin(job.lock_timeout);
                    self.first(&begun, number, migration, direction);
                    let spared = job.spared_by(number);
                    self.spare(&spared, true);
                    self.theirs(&piece.statement.text);
                    match number + 1 == count {
                        true => self.last(&begun, migration, direction),
                        false => self.statement(&begun.counted(number)),
                    }
                    self.statement("commit");
                    continue;
                }
                (None, Some(outside)) => self.outside(&begun, number, outside, migration, direction)?,
            }
            if number + 1 == count {
                self.begin(job.lock_timeout);
                self.last(&begun, migration, direction);
                self.statement("commit");
            }
        }
        Ok(())
    }

    /// What comes before the first statement, in its transaction.
    fn first(&mut self, begun: &Begun<'_>, number: usize, migration: &Migration, direction: Direction) {
        if number == 0 {
            self.check_turn(migration, direction);
            self.asked(begun.job, When::Before);
        }
    }

    /// The end: what must be true afterwards, the history row, and nothing is in the middle any more.
    fn last(&mut self, begun: &Begun<'_>, migration: &Migration, direction: Direction) {
        self.asked(begun.job, When::After);
        self.close_history(migration, direction);
        self.statement(&begun.book.remove(migration.version));
    }

    /// A statement outside of any transaction: it is noted beforehand, and counted afterwards.
    fn outside(
        &mut self,
        begun: &Begun<'_>,
        number: usize,
        outside: &Outside,
        migration: &Migration,
        direction: Direction,
    ) -> Result<(), String> {
        let Begun { book, row, job } = begun;
        self.begin(job.lock_timeout);
        self.first(begun, number, migration, direction);
        if let Some(check) = not_invalid(outside) {
            self.statement(&check);
        }
        if number == 0 {
            self.statement(&book.write(row));
        }
        let version = migration.version;
        self.statement(&format!("update {} set under_way = {} where version = {version}", book.name, before(outside)));
        self.statement("commit");
        let spared = job.spared_by(number);
        self.spare(&spared, false);
        let patient = job.lock_timeout.as_millis().max(1) * Patience::default().concurrent_factor;
        self.statement(&format!("set lock_timeout = {patient}"));
        self.theirs(&job.pieces[number].statement.text);
        if let Some(check) = done(outside) {
            self.statement(&check);
        }
        self.begin(job.lock_timeout);
        self.statement(&book.advance(version, &Position::after(number + 1)));
        self.statement("commit");
        Ok(())
    }

    /// A statement that is done batch after batch, each committed with its cursor.
    fn in_batches(&mut self, begun: &Begun<'_>, cut: &Cut, migration: &Migration, direction: Direction) {
        let Begun { book, row, job } = begun;
        let number = cut.number;
        self.begin(job.lock_timeout);
        self.first(begun, number, migration, direction);
        let start = match number {
            0 => book.write(row),
            _ => book.advance(migration.version, &Position::after(number)),
        };
        self.statement(&start);
        self.statement("commit");
        self.comment(
            "The runner also halves a batch that takes longer than the lock time-out, and waits for standbys that",
        );
        self.comment("are far behind; a script does neither.");
        self.statement(&format!("set lock_timeout = {}", job.lock_timeout.as_millis().max(1)));
        self.statement(&batches(cut, migration.version));
        if number + 1 < job.pieces.len() {
            self.begin(job.lock_timeout);
            self.statement(&book.advance(migration.version, &Position::after(number + 1)));
            self.statement("commit");
        }
    }
}

/// A migration that is under way.
struct Begun<'a> {
    book: &'a Book,
    row: &'a Row,
    job: &'a Job,
}

impl Begun<'_> {
    /// What counts a statement in its own commit.
    fn counted(&self, number: usize) -> String {
        let position = Position::after(number + 1);
        match number {
            0 => self.book.write(&Row { position, ..self.row.clone() }),
            _ => self.book.advance(self.row.migration.version, &position),
        }
    }
}

/// What was there before, as the runner notes it: asked when the script runs.
fn before(outside: &Outside) -> String {
    let there = |condition: &str| format!("pg_catalog.json_build_object('there', {condition})::text");
    let indexes = |condition: &str| {
        format!(
            "(select pg_catalog.json_build_object('indexes', coalesce(pg_catalog.json_agg(i.indexrelid::int8), \
             '[]'::json))::text from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid where \
             {condition})"
        )
    };
    match outside {
        Outside::MakeIndex { index, .. } | Outside::DropIndex { index } => {
            there(&format!("exists (select from pg_catalog.pg_index where indexrelid = {})", regclass(index)))
        }
        Outside::Global { list, name, .. } => there(&listed(*list, name)),
        Outside::MakeUnnamed { table } => indexes(&format!("i.indrelid = {}", regclass(&quoting::written(table)))),
        Outside::Reindex => indexes("not i.indisvalid and c.relname ~ '_cc(new|old)[0-9]*$'"),
        Outside::Detach { .. } | Outside::Repeatable | Outside::Untold => "'{}'".to_owned(),
    }
}

fn listed(list: Global, name: &str) -> String {
    format!("({})", list.query().replace("$1", &quoting::literal(name)))
}

fn regclass(name: &str) -> String {
    format!("pg_catalog.to_regclass({})", quoting::literal(name))
}

/// What an interrupted build has left is not taken for an index: the runner drops it, a script says so.
fn not_invalid(outside: &Outside) -> Option<String> {
    let Outside::MakeIndex { index, .. } = outside else { return None };
    let (regclass, name) = (regclass(index), quoting::literal(index));
    let whole = "indisvalid and indisready and indislive";
    Some(blocks::block(
        "",
        &format!(
            "  if exists (select from pg_catalog.pg_index where indexrelid = {regclass} and not ({whole})) then\n    raise \
             exception 'index % is there and INVALID: drop it first', {name};\n  end if;"
        ),
    ))
}

/// Whether a statement that ended without an error did what it says.
fn done(outside: &Outside) -> Option<String> {
    let (index, is_wrong) = match outside {
        Outside::MakeIndex { index, .. } => (index, "not exists"),
        Outside::DropIndex { index } => (index, "exists"),
        Outside::MakeUnnamed { .. }
        | Outside::Detach { .. }
        | Outside::Global { .. }
        | Outside::Reindex
        | Outside::Repeatable
        | Outside::Untold => return None,
    };
    let (regclass, name) = (regclass(index), quoting::literal(index));
    let valid = if is_wrong == "exists" { "" } else { " and indisvalid and indisready and indislive" };
    Some(blocks::block(
        "",
        &format!(
            "  if {is_wrong} (select from pg_catalog.pg_index where indexrelid = {regclass}{valid}) then\n    raise exception \
             'the statement ended without an error, but index % is not as it should be', {name};\n  end if;"
        ),
    ))
}

/// The loop over the batches. Each of them commits with its cursor, as the runner's do.
fn batches(cut: &Cut, version: i64) -> String {
    let (batches, said) = (&cut.batches, &cut.said);
    let rows = said.batch.max(1);
    let begin = formatted(&batches.bound(None, OF_TYPE, rows));
    let go_on = formatted(&batches.bound(Some(AFTER), OF_TYPE, rows));
    let first = formatted(&batches.batch(&Range { after: None, to: TO, of_type: OF_TYPE }));
    let next = formatted(&batches.batch(&Range { after: Some(AFTER), to: TO, of_type: OF_TYPE }));
    let (table, key) = (quoting::literal(batches.table()), quoting::literal(batches.key()));
    let advance = quoting::literal(&format!(
        "update %s set statements = {}, cursor = %L, under_way = null where version = {version}",
        cut.number
    ));
    let pause = match said.pause_milliseconds {
        0 => String::new(),
        pause => format!("    perform pg_catalog.pg_sleep({}.{:03});\n", pause / 1000, pause % 1000),
    };
    let body = format!(
        "  select pg_catalog.format_type(a.atttypid, a.atttypmod) into of_type from pg_catalog.pg_attribute a\n    where \
         a.attrelid = pg_catalog.to_regclass({table}) and a.attname = any (pg_catalog.parse_ident({key})) and not \
         a.attisdropped\n    and a.attnotnull and exists (select from pg_catalog.pg_index i where i.indrelid = a.attrelid \
         and i.indisunique\n    and i.indisvalid and i.indnatts = 1 and i.indkey[0] = a.attnum and i.indpred is null);\n  if \
         of_type is null then\n    raise exception '% of % cannot order the batches: it is not there, may be null, or have a \
         value twice', {key}, {table};\n  end if;\n  loop\n    execute pg_catalog.format(case when last_key is null then \
         {begin} else {go_on} end, last_key, next_key, of_type) into next_key;\n    exit when next_key is null;\n    execute \
         pg_catalog.format(case when last_key is null then {first} else {next} end, last_key, next_key, of_type);\n    get \
         diagnostics written = row_count;\n    batches_done := batches_done + 1;\n    rows_done := rows_done + written;\n    \
         last_key := next_key;\n    execute pg_catalog.format({advance}, pg_catalog.current_setting('switchback.progress'), \
         pg_catalog.json_build_object('key', last_key, 'batches', batches_done, 'rows', rows_done)::text);\n    \
         commit;\n{pause}  end loop;"
    );
    let declared = "  of_type text;\n  last_key text;\n  next_key text;\n  written bigint;\n  batches_done bigint := 0;\n  \
                    rows_done bigint := 0;";
    blocks::block(declared, &body)
}

/// A text of ours as a format of PostgreSQL: the last key is its first value, the next one its second, the type its third.
fn formatted(text: &str) -> String {
    let text = text.replace('%', "%%");
    let text = text.replace(&format!("'{AFTER}'"), "%1$L").replace(&format!("'{TO}'"), "%2$L").replace(OF_TYPE, "%3$s");
    quoting::literal(&text)
}
