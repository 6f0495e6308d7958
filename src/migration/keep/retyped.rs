//! Copying the values of a column aside that gets another type. Pure: text for the server.
//!
//! Invariant: a value that was changed since is never written over; one that is the same again by its type alone is not
//! copied.

use super::super::derive::{last, quoted};
use super::copying::Retyped;
use super::names::{Place, block, literal};
use super::rows::{self, COPIES, Copied, KEY};
use super::table::NOTE;

const DECLARED: &str = r"  o record;
  g record;
  was record;
  key_columns name[];
  same_row text;
  notes text[];
  note text;
  loud text[];
  quiet text[];
  path text := pg_catalog.current_setting('search_path');
";

/// The type as it was, with all that goes when it is changed.
const BEFORE: &str = r"  SELECT a.attnum, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS preset,
      (@WIDENS@) AS widens, CASE a.attstorage WHEN y.typstorage THEN NULL WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL'
        WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END AS storage,
      CASE pg_catalog.to_jsonb(a) ->> 'attcompression' WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END AS compression,
      (SELECT pg_catalog.format(' COLLATE %I.%I', s.nspname, l.collname) FROM pg_catalog.pg_collation l
        JOIN pg_catalog.pg_namespace s ON s.oid = l.collnamespace WHERE l.oid = a.attcollation AND l.oid <> y.typcollation) AS collation
    INTO was FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated = ''
    WHERE a.attrelid = t AND a.attname = c AND a.attnum > 0 AND NOT a.attisdropped;
  IF was.attnum IS NULL THEN
    PERFORM pg_catalog.set_config('search_path', path, true);
    RETURN;
  END IF;
@REFUSE@  CREATE SCHEMA @PLACE@;
  CREATE TABLE @PLACE@.switchback_copies (number int4, name text, event text, key name[]);
  CREATE TABLE @PLACE@.switchback_note (place int8, statement text);
  notes := ARRAY[pg_catalog.format('ALTER TABLE @ONLY@%s ALTER COLUMN %I TYPE %s%s', t, c, was.type, was.collation)
    || CASE WHEN was.widens THEN '' ELSE pg_catalog.format(' USING %I::%s', c, was.type) END];
  IF was.preset IS NOT NULL THEN
    notes := pg_catalog.format('ALTER TABLE @ONLY@%s ALTER COLUMN %I DROP DEFAULT', t, c) || notes
      || pg_catalog.format('ALTER TABLE @ONLY@%s ALTER COLUMN %I SET DEFAULT %s', t, c, was.preset);
  END IF;
  IF was.storage IS NOT NULL THEN
    notes := notes || pg_catalog.format('ALTER TABLE @ONLY@%s ALTER COLUMN %I SET STORAGE %s', t, c, was.storage);
  END IF;
  IF was.compression IS NOT NULL THEN
    notes := notes || pg_catalog.format('ALTER TABLE @ONLY@%s ALTER COLUMN %I SET COMPRESSION %s', t, c, was.compression);
  END IF;
  INSERT INTO @PLACE@.switchback_note SELECT m.place, m.statement FROM pg_catalog.unnest(notes) WITH ORDINALITY m (statement, place);
  IF NOT was.widens THEN
    @KEY@
    IF key_columns IS NULL THEN
      RAISE EXCEPTION 'the values of column % of table % cannot be kept: the table has no primary key', c, t USING ERRCODE = '0A000',
        HINT = @LET_GO@;
    END IF;
    INSERT INTO @PLACE@.switchback_copies VALUES (1, t::text, 'TYPE', key_columns);
    EXECUTE pg_catalog.format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', t);
    EXECUTE pg_catalog.format('CREATE TABLE @PLACE@.old_1 AS SELECT %s, %I FROM %s',
      (SELECT pg_catalog.string_agg(pg_catalog.format('%I', k), ', ') FROM pg_catalog.unnest(key_columns) k), c, t);
  END IF;
";

const AFTER: &str = r"  FOR o IN SELECT f.name, f.key FROM @PLACE@.switchback_copies f LOOP
    EXECUTE pg_catalog.format('CREATE TABLE @PLACE@.new_1 AS SELECT %s, %I FROM %s',
      (SELECT pg_catalog.string_agg(pg_catalog.format('%I', k), ', ') FROM pg_catalog.unnest(o.key) k), c, o.name);
  END LOOP;
";

const PRUNE: &str = r"  FOR o IN SELECT f.name, f.key FROM @PLACE@.switchback_copies f LOOP
    EXECUTE pg_catalog.format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', o.name);
    SELECT pg_catalog.string_agg(pg_catalog.format('a.%1$I = b.%1$I AND t.%1$I = b.%1$I', k), ' AND ') INTO same_row
      FROM pg_catalog.unnest(o.key) k;
    EXECUTE pg_catalog.format(
      'DELETE FROM @PLACE@.old_1 b USING @PLACE@.new_1 a, %1$s t WHERE %2$s AND t.%3$I::text IS DISTINCT FROM a.%3$I::text',
      o.name, same_row, c);
  END LOOP;
";

const UNDO: &str = r"  SELECT pg_catalog.array_agg(m.statement ORDER BY m.place) INTO notes FROM @PLACE@.switchback_note m;
  FOREACH note IN ARRAY notes LOOP EXECUTE note; END LOOP;
";

const RESTORE: &str = r"  FOR o IN SELECT f.name, f.key FROM @PLACE@.switchback_copies f LOOP
@QUIET@    SELECT pg_catalog.string_agg(pg_catalog.format('t.%1$I = b.%1$I', k), ' AND ') INTO same_row FROM pg_catalog.unnest(o.key) k;
    EXECUTE pg_catalog.format(
      'UPDATE %1$s t SET %2$I = b.%2$I FROM @PLACE@.old_1 b WHERE %3$s AND t.%2$I::text IS DISTINCT FROM b.%2$I::text',
      o.name, c, same_row);
@LOUD@  END LOOP;
";

/// The texts for one column.
pub fn texts(retyped: &Retyped, place: Place) -> Copied {
    let column = last(&retyped.column);
    let beside: Vec<String> = retyped.beside.iter().map(|column| literal(&last(column))).collect();
    let key = KEY.replace("@REL@", "t").replace("@WITHOUT@", &format!("ARRAY[{}]::name[]", beside.join(", ")));
    let only = if retyped.only { "ONLY " } else { "" };
    let before = BEFORE
        .replace("@REFUSE@", rows::REFUSE)
        .replace("@KEY@", &key)
        .replace("@WIDENS@", &retyped.widens)
        .replace("@ONLY@", only);
    let named = format!("  c name := {};\n{DECLARED}", literal(&column));
    let table = format!("  t pg_catalog.regclass := pg_catalog.to_regclass({});\n", literal(&quoted(&retyped.table)));
    let forget = super::table::forget(place);
    let in_the_way = super::table::in_the_way(
        "column % as it was",
        "c",
        "'change or remove the rows that were written since and do not fit'",
    );
    let first = format!("  PERFORM pg_catalog.set_config('search_path', '', true);\n{}", rows::fill(&before, place));
    let last = "  PERFORM pg_catalog.set_config('search_path', path, true);\n";
    debug_assert!(UNDO.contains(NOTE) && BEFORE.contains(COPIES), "the texts name these tables");
    Copied {
        before: block(&format!("{table}{named}"), &format!("{first}{last}")),
        after: block(&named, &rows::where_copied(AFTER, place)),
        prune: block(&named, &rows::where_copied(PRUNE, place)),
        undo: block(&named, &rows::where_copied(UNDO, place)),
        restore: block(&named, &format!("{}{forget}{in_the_way}", rows::where_copied(RESTORE, place))),
        purge: block("  o record;\n", &forget),
    }
}
