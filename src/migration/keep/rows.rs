//! Copying rows aside that a statement writes over or removes. Pure: text for the server.
//!
//! Invariant: what is copied is what the statement took, seen by a trigger on the statement itself (of `TRUNCATE`: all that
//! was there, under its lock); what others wrote since is never written over.

use super::super::derive::{last, quoted};
use super::copying::{Change, Rows};
use super::names::{Place, block, literal};

/// The table that lists the copies of a place.
pub const COPIES: &str = "switchback_copies";

/// The texts that copy aside, and those of the way back.
pub struct Copied {
    /// Before the statement.
    pub before: String,
    /// After it.
    pub after: String,
    /// First on the way back, while everything is as it was written since: forgets what must not come back.
    pub prune: String,
    /// What undoes the statement itself, if nothing else does; may be empty.
    pub undo: String,
    /// Last on the way back: puts back.
    pub restore: String,
    /// Drops the copy.
    pub purge: String,
}

const DECLARED: &str = r"  o record;
  g record;
  column_name name;
  key_columns name[];
  nth int4 := 0;
  is_there bool;
  note text;
  loud text[];
  quiet text[];
  same_row text;
  sets text;
  differs text;
  path text := pg_catalog.current_setting('search_path');
";

/// What cannot be copied is refused by name.
pub const REFUSE: &str = r"  SELECT r.relkind, EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = r.oid) AS has_heirs INTO g
    FROM pg_catalog.pg_class r WHERE r.oid = t;
  IF g.relkind NOT IN ('r', 'p') THEN
    RAISE EXCEPTION 'what was in % cannot be kept: it is no table', t USING ERRCODE = '0A000', HINT = @LET_GO@;
  END IF;
  IF g.relkind = 'r' AND g.has_heirs THEN
    RAISE EXCEPTION 'what was in % cannot be kept: other tables inherit from it', t USING ERRCODE = '0A000', HINT = @LET_GO@;
  END IF;
  IF pg_catalog.row_security_active(t) THEN
    RAISE EXCEPTION 'what was in % cannot be kept: row security hides rows of it', t USING ERRCODE = '0A000', HINT = @LET_GO@;
  END IF;
";

const LET_GO: &str = "'let it go with `-- switchback: keep 0s`'";

/// The columns of a unique index that no row lacks, those of the primary key first.
pub const KEY: &str = r"SELECT pg_catalog.array_agg(a.attname ORDER BY k.place) INTO key_columns
      FROM pg_catalog.pg_index i CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (number, place)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
      WHERE k.place <= i.indnkeyatts AND i.indexrelid = (
        SELECT x.indexrelid FROM pg_catalog.pg_index x
        WHERE x.indrelid = @REL@ AND x.indisunique AND x.indisvalid AND x.indimmediate AND x.indpred IS NULL AND x.indexprs IS NULL
          AND NOT EXISTS (SELECT FROM pg_catalog.unnest(x.indkey::int2[]) m (number) JOIN pg_catalog.pg_attribute z
            ON z.attrelid = x.indrelid AND z.attnum = m.number WHERE NOT z.attnotnull OR z.attname = ANY (@WITHOUT@))
        ORDER BY x.indisprimary DESC, x.indexrelid LIMIT 1);
";

/// Nobody hears that what was there before is there again.
pub const QUIET: &str = r"    SELECT pg_catalog.array_agg(pg_catalog.format('ALTER TABLE %s %s TRIGGER %I', o.name,
        CASE h.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE' END, h.tgname)),
      pg_catalog.array_agg(pg_catalog.format('ALTER TABLE %s DISABLE TRIGGER %I', o.name, h.tgname))
      INTO loud, quiet FROM pg_catalog.pg_trigger h
      WHERE h.tgrelid = o.name::pg_catalog.regclass AND NOT h.tgisinternal AND h.tgenabled <> 'D';
    FOREACH note IN ARRAY COALESCE(quiet, '{}') LOOP EXECUTE note; END LOOP;
";

/// Everybody hears again.
pub const LOUD: &str = r"    SET CONSTRAINTS ALL IMMEDIATE;
    FOREACH note IN ARRAY COALESCE(loud, '{}') LOOP EXECUTE note; END LOOP;
";

/// A trigger takes the rows as they were, and as they are then: of the table, and of those that its foreign keys take along.
const WATCH: &str = r"  FOR o IN WITH RECURSIVE reached (of, event, depth) AS (
      SELECT t::oid, '@EVENT@'::text, 0
      UNION ALL
      SELECT k.conrelid, CASE k.confdeltype WHEN 'c' THEN 'DELETE' ELSE 'UPDATE' END, r.depth + 1
      FROM reached r JOIN pg_catalog.pg_constraint k ON k.confrelid = r.of
      WHERE r.event = 'DELETE' AND r.depth < 8 AND k.contype = 'f' AND k.conparentid = 0
        AND (k.confdeltype IN ('n', 'd') OR k.confdeltype = 'c' AND k.conrelid <> r.of))
    SELECT r.of::pg_catalog.regclass::text AS name, r.event FROM reached r GROUP BY r.of, r.event
    ORDER BY pg_catalog.max(r.depth), r.event
  LOOP
    nth := nth + 1;
    INSERT INTO @PLACE@.switchback_copies VALUES (nth, o.name, o.event);
    EXECUTE pg_catalog.format('CREATE TABLE @PLACE@.old_%s AS SELECT * FROM %s WITH NO DATA', nth, o.name);
    sets := pg_catalog.format('INSERT INTO @PLACE@.old_%s SELECT * FROM old_rows; ', nth);
    IF o.event = 'UPDATE' THEN
      EXECUTE pg_catalog.format('CREATE TABLE @PLACE@.new_%s AS SELECT * FROM %s WITH NO DATA', nth, o.name);
      sets := sets || pg_catalog.format('INSERT INTO @PLACE@.new_%s SELECT * FROM new_rows; ', nth);
    END IF;
    EXECUTE pg_catalog.format(
      'CREATE FUNCTION @PLACE@.take_%s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '''' AS %L',
      nth, 'BEGIN ' || sets || 'RETURN NULL; END');
    EXECUTE pg_catalog.format(
      'CREATE TRIGGER switchback_take_%s AFTER %s ON %s REFERENCING OLD TABLE AS old_rows %s FOR EACH STATEMENT EXECUTE FUNCTION @PLACE@.take_%s()',
      nth, o.event, o.name, CASE o.event WHEN 'UPDATE' THEN 'NEW TABLE AS new_rows' ELSE '' END, nth);
  END LOOP;
";

/// All rows are copied, those that others refer to first.
const COPY_ALL: &str = r"  FOR o IN WITH RECURSIVE refers (of, referred) AS (
      SELECT k.conrelid, k.confrelid FROM pg_catalog.pg_constraint k
        WHERE k.contype = 'f' AND k.conrelid <> k.confrelid AND k.conrelid = ANY (tables) AND k.confrelid = ANY (tables)
      UNION
      SELECT r.of, k.confrelid FROM refers r JOIN pg_catalog.pg_constraint k ON k.conrelid = r.referred
        WHERE k.contype = 'f' AND k.confrelid = ANY (tables))
    SELECT n.of::pg_catalog.regclass::text AS name FROM pg_catalog.unnest(tables) n (of)
    ORDER BY (SELECT pg_catalog.count(*) FROM refers r WHERE r.of = n.of), 1
  LOOP
    nth := nth + 1;
    INSERT INTO @PLACE@.switchback_copies VALUES (nth, o.name, 'TRUNCATE');
    EXECUTE pg_catalog.format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', o.name);
    EXECUTE pg_catalog.format('CREATE TABLE @PLACE@.old_%s AS SELECT * FROM %s', nth, o.name);
  END LOOP;
";

const AFTER: &str = r"  FOR o IN SELECT c.number, c.name, c.event FROM @PLACE@.switchback_copies c ORDER BY c.number LOOP
    IF o.event <> 'TRUNCATE' THEN
      IF EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.condeferred
        AND o.name::pg_catalog.regclass IN (k.conrelid, k.confrelid)) THEN
        SET CONSTRAINTS ALL IMMEDIATE;
      END IF;
      EXECUTE pg_catalog.format('DROP TRIGGER switchback_take_%s ON %s', o.number, o.name);
      EXECUTE pg_catalog.format('DROP FUNCTION @PLACE@.take_%s()', o.number);
    END IF;
    EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM @PLACE@.old_%s)', o.number) INTO is_there;
    IF NOT is_there THEN
      EXECUTE pg_catalog.format('DROP TABLE @PLACE@.old_%s', o.number);
      EXECUTE pg_catalog.format('DROP TABLE IF EXISTS @PLACE@.new_%s', o.number);
      DELETE FROM @PLACE@.switchback_copies c WHERE c.number = o.number;
      CONTINUE;
    END IF;
    @KEY@
    UPDATE @PLACE@.switchback_copies c SET key = key_columns WHERE c.number = o.number;
    CONTINUE WHEN o.event <> 'UPDATE';
    IF key_columns IS NULL THEN
      RAISE EXCEPTION 'the earlier values of % cannot be kept: it has no primary key', o.name USING ERRCODE = '0A000',
        HINT = @LET_GO@;
    END IF;
    SELECT pg_catalog.string_agg(pg_catalog.format('a.%1$I = b.%1$I', c), ' AND ') INTO same_row FROM pg_catalog.unnest(key_columns) c;
    EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM @PLACE@.old_%s b WHERE NOT EXISTS (SELECT FROM @PLACE@.new_%s a WHERE %s))',
      o.number, o.number, same_row) INTO is_there;
    IF is_there THEN
      RAISE EXCEPTION 'the earlier values of % cannot be kept: the key by which its rows are told apart is changed', o.name
        USING ERRCODE = '0A000', HINT = @LET_GO@;
    END IF;
    SELECT pg_catalog.string_agg(pg_catalog.format('%I', c), ', ') INTO sets FROM pg_catalog.unnest(key_columns) c;
    EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM @PLACE@.old_%s GROUP BY %s HAVING pg_catalog.count(*) > 1)', o.number, sets)
      INTO is_there;
    IF is_there THEN
      RAISE EXCEPTION 'the earlier values of % cannot be kept: a row of it is written more than once', o.name
        USING ERRCODE = '0A000', HINT = @LET_GO@;
    END IF;
    FOR g IN SELECT a.attname, a.attnum, a.attgenerated <> '' AS follows FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = o.name::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL (key_columns)
    LOOP
      EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM @PLACE@.old_%s b JOIN @PLACE@.new_%s a ON %s WHERE a.%I::text IS DISTINCT FROM b.%I::text)',
        o.number, o.number, same_row, g.attname, g.attname) INTO is_there;
      -- What the statement sets may be set by the file that takes it back as well, even where it was the same.
      IF (is_there OR g.attname = ANY (@SET@::name[])) AND NOT g.follows THEN
        IF is_there AND EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.confrelid = o.name::pg_catalog.regclass
          AND g.attnum = ANY (k.confkey) AND k.confupdtype IN ('c', 'n', 'd')) THEN
          RAISE EXCEPTION 'the earlier values of % cannot be kept: foreign keys take changes of % along', o.name, g.attname
            USING ERRCODE = '0A000', HINT = @LET_GO@;
        END IF;
        CONTINUE;
      END IF;
      EXECUTE pg_catalog.format('ALTER TABLE @PLACE@.old_%s DROP COLUMN %I', o.number, g.attname);
      EXECUTE pg_catalog.format('ALTER TABLE @PLACE@.new_%s DROP COLUMN %I', o.number, g.attname);
    END LOOP;
    -- The columns of each row that were changed since.
    EXECUTE pg_catalog.format('ALTER TABLE @PLACE@.new_%s ADD COLUMN switchback_since name[] NOT NULL DEFAULT ''{}''', o.number);
  END LOOP;
";

const PRUNE: &str = r"  FOR o IN SELECT c.number, c.name, c.event, c.key FROM @PLACE@.switchback_copies c ORDER BY c.number LOOP
    EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', o.name);
    SELECT pg_catalog.string_agg(pg_catalog.format('t.%1$I = b.%1$I', c), ' AND ') INTO same_row FROM pg_catalog.unnest(o.key) c;
    IF o.event = 'UPDATE' THEN
      SELECT same_row || pg_catalog.string_agg(pg_catalog.format(' AND a.%1$I = b.%1$I', c), '') INTO same_row FROM pg_catalog.unnest(o.key) c;
      FOR column_name IN @COLUMNS@ LOOP
        EXECUTE pg_catalog.format(
          'UPDATE @PLACE@.new_%1$s a SET switchback_since = a.switchback_since || %2$L::name FROM @PLACE@.old_%1$s b, %3$s t
             WHERE %4$s AND t.%2$I::text IS DISTINCT FROM a.%2$I::text',
          o.number, column_name, o.name, same_row);
      END LOOP;
    ELSIF o.key IS NOT NULL THEN
      EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %s t JOIN @PLACE@.old_%s b ON %s)', o.name, o.number, same_row) INTO is_there;
      IF is_there THEN
        RAISE EXCEPTION 'what was written since does not fit the rows of table % as they were: others have their key', o.name
          USING ERRCODE = '23505', HINT = 'change or remove the rows that were written since under these keys';
      END IF;
    END IF;
  END LOOP;
";

/// The columns whose earlier values are in a copy.
const COLUMNS: &str = "SELECT a.attname FROM pg_catalog.pg_attribute a \
    WHERE a.attrelid = pg_catalog.to_regclass('@PLACE@.old_' || o.number) AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL (o.key)";

const RESTORE: &str = r"  FOR o IN SELECT c.number, c.name, c.event, c.key FROM @PLACE@.switchback_copies c ORDER BY c.number LOOP
@QUIET@    SELECT pg_catalog.string_agg(pg_catalog.format('t.%1$I = b.%1$I', c), ' AND ') INTO same_row FROM pg_catalog.unnest(o.key) c;
    IF o.event = 'UPDATE' THEN
      SELECT same_row || pg_catalog.string_agg(pg_catalog.format(' AND a.%1$I = b.%1$I', c), '') INTO same_row FROM pg_catalog.unnest(o.key) c;
      SELECT pg_catalog.string_agg(pg_catalog.format(
          '%1$I = CASE WHEN %1$L = ANY (a.switchback_since) THEN t.%1$I ELSE b.%1$I END', c.attname), ', '),
        pg_catalog.string_agg(pg_catalog.format('%1$L <> ALL (a.switchback_since) AND t.%1$I::text IS DISTINCT FROM b.%1$I::text', c.attname), ' OR ')
        INTO sets, differs FROM (@COLUMNS@) c;
      IF sets IS NOT NULL THEN
        EXECUTE pg_catalog.format('UPDATE %1$s t SET %2$s FROM @PLACE@.old_%3$s b, @PLACE@.new_%3$s a WHERE %4$s AND (%5$s)',
          o.name, sets, o.number, same_row, differs);
      END IF;
    ELSE
      SELECT pg_catalog.string_agg(pg_catalog.format('%I', a.attname), ', ' ORDER BY a.attnum),
        pg_catalog.string_agg(pg_catalog.format('%1$I = excluded.%1$I', a.attname), ', ') FILTER (WHERE a.attidentity <> 'a' AND a.attname <> ALL (o.key))
        INTO sets, differs FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = o.name::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
      EXECUTE pg_catalog.format('INSERT INTO %1$s (%2$s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM @PLACE@.old_%3$s', o.name, sets, o.number)
        || COALESCE((SELECT pg_catalog.format(' ON CONFLICT (%s) DO %s', pg_catalog.string_agg(pg_catalog.format('%I', c), ', '),
          COALESCE('UPDATE SET ' || differs, 'NOTHING')) FROM pg_catalog.unnest(o.key) c HAVING pg_catalog.count(*) > 0), '');
    END IF;
@LOUD@  END LOOP;
";

/// Fills the places of a template.
pub fn fill(template: &str, place: Place) -> String {
    let parts = [("@QUIET@", QUIET), ("@LOUD@", LOUD), ("@COLUMNS@", COLUMNS), ("@LET_GO@", LET_GO)];
    let filled = parts.iter().fold(template.to_owned(), |text, (name, part)| text.replace(name, part));
    filled.replace("@PLACE@", &place.schema())
}

/// A body that runs where a copy was made.
pub fn where_copied(body: &str, place: Place) -> String {
    format!(
        "  IF pg_catalog.to_regclass('{}.{COPIES}') IS NULL THEN\n    RETURN;\n  END IF;\n  \
           PERFORM pg_catalog.set_config('search_path', '', true);\n{}  \
           PERFORM pg_catalog.set_config('search_path', path, true);\n",
        place.schema(),
        fill(body, place)
    )
}

/// The texts for the rows that one statement writes.
pub fn texts(rows: &Rows, place: Place) -> Copied {
    let key = KEY.replace("@REL@", "o.name::pg_catalog.regclass").replace("@WITHOUT@", "'{}'::name[]");
    let set: Vec<String> = rows.columns.iter().map(|column| literal(&last(column))).collect();
    let set = format!("ARRAY[{}]", set.join(", "));
    let in_the_way = super::table::in_the_way(
        "the rows of table %",
        "o.name",
        "'change or remove the rows that were written since and do not fit'",
    );
    let forget = super::table::forget(place);
    Copied {
        before: before(rows, place),
        after: block(DECLARED, &where_copied(&AFTER.replace("@KEY@", &key).replace("@SET@", &set), place)),
        prune: block(DECLARED, &where_copied(PRUNE, place)),
        undo: String::new(),
        restore: block(DECLARED, &format!("{}{forget}{in_the_way}", where_copied(RESTORE, place))),
        purge: block("  o record;\n", &forget),
    }
}

fn before(rows: &Rows, place: Place) -> String {
    let tables: Vec<String> =
        rows.tables.iter().map(|table| format!("pg_catalog.to_regclass({})::oid", literal(&quoted(table)))).collect();
    let (take, event) = match rows.change {
        Change::Update => (WATCH, "UPDATE"),
        Change::Delete => (WATCH, "DELETE"),
        Change::Truncate => (COPY_ALL, "TRUNCATE"),
    };
    // What is not there makes the statement itself fail.
    let body = format!(
        "  IF pg_catalog.array_position(tables, NULL) IS NOT NULL THEN\n    RETURN;\n  END IF;\n  \
           PERFORM pg_catalog.set_config('search_path', '', true);\n  \
           FOREACH t IN ARRAY tables LOOP\n{}  END LOOP;\n  \
           CREATE SCHEMA @PLACE@;\n  \
           CREATE TABLE @PLACE@.{COPIES} (number int4, name text, event text, key name[]);\n\
         {}  \
           PERFORM pg_catalog.set_config('search_path', path, true);\n",
        REFUSE,
        take.replace("@EVENT@", event)
    );
    let declared = format!("  t pg_catalog.regclass;\n  tables oid[] := ARRAY[{}];\n{DECLARED}", tables.join(", "));
    block(&declared, &fill(&body, place))
}
