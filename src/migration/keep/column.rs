//! Setting a column aside. Pure: text for the server.
//!
//! Invariant: where `DROP COLUMN` would be refused, setting aside is refused as well, with the same code.

use super::super::derive::quoted;
use super::names::{Parts, Place, block, literal};
use super::taking::TakenColumn;

/// What binds those who write from now on: it is noted, and undone until the column comes back.
const RELAX: &str = r"  is_open := has_default OR EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = t
    AND pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct' = 'true');
  FOR o IN SELECT k.conname, k.contype, pg_catalog.pg_get_constraintdef(k.oid) AS definition,
      pg_catalog.obj_description(k.oid, 'pg_constraint') AS words,
      i.indisclustered AS clusters, i.indisreplident AS identifies
    FROM pg_catalog.pg_constraint k LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
    WHERE k.conrelid = t AND n = ANY (k.conkey) AND (k.contype IN ('p', 'c', 'f')
      OR k.contype IN ('u', 'x') AND (pg_catalog.array_length(k.conkey, 1) > 1 OR is_open))
    ORDER BY pg_catalog.strpos('puxcf', k.contype::text), k.conname
  LOOP
    notes := notes || pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', t, o.conname, o.definition);
    IF o.words IS NOT NULL THEN
      notes := notes || pg_catalog.format('COMMENT ON CONSTRAINT %I ON %s IS %L', o.conname, t, o.words);
    END IF;
    IF o.clusters THEN
      notes := notes || pg_catalog.format('ALTER TABLE %s CLUSTER ON %I', t, o.conname);
    END IF;
    IF o.identifies THEN
      notes := notes || pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', t, o.conname);
    END IF;
    EXECUTE pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', t, o.conname);
  END LOOP;
  FOR o IN SELECT i.indexrelid::pg_catalog.regclass AS name, pg_catalog.pg_get_indexdef(i.indexrelid) AS definition,
      pg_catalog.obj_description(i.indexrelid, 'pg_class') AS words
    FROM pg_catalog.pg_index i WHERE i.indrelid = t AND i.indisunique AND (i.indnkeyatts > 1 OR is_open)
      AND EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.objid = i.indexrelid AND d.refobjid = t AND d.refobjsubid = n)
  LOOP
    notes := notes || o.definition;
    IF o.words IS NOT NULL THEN
      notes := notes || pg_catalog.format('COMMENT ON INDEX %s IS %L', o.name, o.words);
    END IF;
    EXECUTE pg_catalog.format('DROP INDEX %s', o.name);
  END LOOP;
  IF must_have AND NOT has_default THEN
    notes := pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', t, c) || notes;
    EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', t, c);
  END IF;
";

/// What depends on the column stands in the way, as it does of `DROP COLUMN`.
const REFUSE: &str = r"  SELECT pg_catalog.string_agg(pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), ', ') INTO others
    FROM pg_catalog.pg_depend d
    WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = t AND d.refobjsubid = n
      AND (d.deptype = 'n' OR d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_attrdef f WHERE f.oid = d.objid AND f.adrelid = t AND f.adnum = n))
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
        AND k.oid = d.objid AND k.conrelid = t AND n = ANY (k.conkey));
  IF others IS NOT NULL THEN
    RAISE EXCEPTION 'cannot drop column % of table % because other objects depend on it', c, t
      USING ERRCODE = '2BP01', DETAIL = others, HINT = 'drop or change what depends on it first';
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_partitioned_table p WHERE p.partrelid = t AND n = ANY (p.partattrs::int2[])) THEN
    RAISE EXCEPTION 'cannot drop column % of table %: it is named in the partition key', c, t USING ERRCODE = '42P16';
  END IF;
";

const DECLARED: &str = r"  n int2;
  o record;
  others text;
  must_have bool;
  has_default bool;
  is_open bool;
  notes text[] := '{}';
  path text := pg_catalog.current_setting('search_path');
";

/// The texts for one column.
pub fn parts(taken: &TakenColumn, place: Place) -> Parts {
    let column = super::super::derive::last(&taken.column);
    let aside = place.column(&column);
    let names = format!(
        "  t pg_catalog.regclass := pg_catalog.to_regclass({});\n  c name := {};\n  aside name := {};\n",
        literal(&quoted(&taken.table)),
        literal(&column),
        literal(&aside)
    );
    Parts { up: up(taken, place, &names), down: down(taken, place, &names), purge: purge(taken, place, &aside) }
}

fn up(taken: &TakenColumn, place: Place, names: &str) -> String {
    let absent = match taken.may_be_absent {
        true => "    RETURN;\n".to_owned(),
        false => format!(
            "    RAISE EXCEPTION 'column \"%\" of relation \"%\" does not exist', c, {} USING ERRCODE = '42703';\n",
            literal(&taken.table)
        ),
    };
    let only = if taken.only { "ONLY " } else { "" };
    let note = super::table::NOTE;
    let schema = quoted(&place.schema());
    let body = format!(
        "  SELECT a.attnum, a.attnotnull AND a.attidentity = '', a.atthasdef AND a.attgenerated = '' OR a.attidentity <> ''\n    \
           INTO n, must_have, has_default FROM pg_catalog.pg_attribute a\n    \
           WHERE a.attrelid = t AND a.attname = c AND a.attnum > 0 AND NOT a.attisdropped;\n  \
         IF n IS NULL THEN\n{absent}  END IF;\n  \
         PERFORM pg_catalog.set_config('search_path', '', true);\n\
         {REFUSE}{RELAX}  \
         IF notes <> '{{}}' THEN\n    \
           CREATE SCHEMA {schema};\n    \
           CREATE TABLE {schema}.{note} (place int8, statement text);\n    \
           INSERT INTO {schema}.{note} SELECT m.place, m.statement FROM pg_catalog.unnest(notes) WITH ORDINALITY m (statement, place);\n  \
         END IF;\n  \
         EXECUTE pg_catalog.format('ALTER TABLE {only}%s RENAME COLUMN %I TO %I', t, c, aside);\n  \
         PERFORM pg_catalog.set_config('search_path', path, true);\n"
    );
    block(&format!("{names}{DECLARED}"), &body)
}

fn down(taken: &TakenColumn, place: Place, names: &str) -> String {
    let absent = match taken.may_be_absent {
        true => "    RETURN;\n",
        false => {
            "    RAISE EXCEPTION 'what was kept of column \"%\" is not there any more', c USING ERRCODE = '42703';\n"
        }
    };
    let only = if taken.only { "ONLY " } else { "" };
    let hint = "'until then the column is called ' || aside || ': give the rows that were written since a fitting value in it'";
    let body = format!(
        "  IF NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = t AND a.attname = aside AND NOT a.attisdropped) THEN\n\
         {absent}  END IF;\n  \
         PERFORM pg_catalog.set_config('search_path', '', true);\n  \
         EXECUTE pg_catalog.format('ALTER TABLE {only}%s RENAME COLUMN %I TO %I', t, aside, c);\n\
         {}  \
         PERFORM pg_catalog.set_config('search_path', path, true);\n{}",
        super::table::give_back(place),
        super::table::in_the_way("column % of table %", "c, t", hint),
    );
    let declared = "  notes text[];\n  note text;\n  path text := pg_catalog.current_setting('search_path');\n";
    block(&format!("{names}{declared}"), &body)
}

/// The table may be called otherwise by then, or lie aside itself.
fn purge(taken: &TakenColumn, place: Place, aside: &str) -> String {
    let schema = super::super::derive::schema(&taken.table);
    let schema = schema.strip_suffix('.').map(super::super::derive::last).unwrap_or_default();
    let body = format!(
        "  FOR t IN SELECT a.attrelid::pg_catalog.regclass FROM pg_catalog.pg_attribute a\n    \
           JOIN pg_catalog.pg_class r ON r.oid = a.attrelid JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace\n    \
           WHERE a.attname = aside AND NOT a.attisdropped AND a.attinhcount = 0 AND r.relkind IN ('r', 'p')\n      \
             AND (s.nspname = ANY (pg_catalog.current_schemas(false)) OR s.nspname = {} OR s.nspname ~ '^switchback_kept_')\n  \
         LOOP\n    \
           EXECUTE pg_catalog.format('ALTER TABLE %s DROP COLUMN %I', t, aside);\n  \
         END LOOP;\n{}",
        literal(&schema),
        super::table::forget(place)
    );
    block(&format!("  t pg_catalog.regclass;\n  o record;\n  aside name := {};\n", literal(aside)), &body)
}
