//! Setting a table aside. Pure: text for the server.
//!
//! Invariant: nothing outside of the table is bound by it while it is aside, and every name that it had is free.

use super::super::derive::{last, quoted};
use super::names::{Parts, Place, block, literal};
use super::taking::TakenTable;

/// The table that holds what is to be done when the thing comes back.
pub const NOTE: &str = "switchback_note";

/// Does what was noted, and ends the place where it was.
pub fn give_back(place: Place) -> String {
    let schema = quoted(&place.schema());
    format!(
        "  IF pg_catalog.to_regclass({}) IS NOT NULL THEN\n    \
           EXECUTE {} INTO notes;\n    \
           FOREACH note IN ARRAY notes LOOP EXECUTE note; END LOOP;\n    \
           DROP TABLE {schema}.{NOTE};\n    \
           DROP SCHEMA {schema};\n  \
         END IF;\n",
        literal(&format!("{schema}.{NOTE}")),
        literal(&format!("SELECT pg_catalog.array_agg(statement ORDER BY place) FROM {schema}.{NOTE}"))
    )
}

/// Ends the place with everything in it.
pub fn forget(place: Place) -> String {
    let schema = place.schema();
    format!(
        "  FOR o IN SELECT r.oid::pg_catalog.regclass AS name FROM pg_catalog.pg_class r\n    \
           JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace\n    \
           WHERE s.nspname = {} AND r.relkind IN ('r', 'p')\n  \
         LOOP\n    \
           EXECUTE pg_catalog.format('DROP TABLE %s', o.name);\n  \
         END LOOP;\n  \
         DROP SCHEMA IF EXISTS {};\n",
        literal(&schema),
        quoted(&schema)
    )
}

/// Says so, when what was written since is in the way.
pub fn in_the_way(what: &str, named: &str, hint: &str) -> String {
    format!(
        "EXCEPTION\n  \
         WHEN not_null_violation OR check_violation OR foreign_key_violation OR unique_violation OR exclusion_violation THEN\n    \
           RAISE EXCEPTION 'what was written since does not fit {what} as it was: %', {named}, SQLERRM\n      \
             USING ERRCODE = SQLSTATE, HINT = {hint};\n"
    )
}

/// What depends on the table stands in the way, as it does of `DROP TABLE`.
const REFUSE: &str = r"  SELECT r.relkind, r.relispartition, pg_catalog.quote_ident(s.nspname), pg_catalog.quote_ident(r.relname), r.reltype
    INTO kind, is_part, home, own, row_type
    FROM pg_catalog.pg_class r JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace WHERE r.oid = t;
  IF kind = 'p' THEN
    RAISE EXCEPTION 'table % cannot be kept: it is partitioned', t USING ERRCODE = '0A000',
      HINT = 'drop its partitions by statements of their own first, or let it go with `-- switchback: keep 0s`';
  END IF;
  SELECT pg_catalog.string_agg(pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), ', ') INTO others
    FROM pg_catalog.pg_depend d
    WHERE d.deptype = 'n'
      AND (d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = t
        OR d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.refobjid IN (
          SELECT y.oid FROM pg_catalog.pg_type y WHERE y.oid = row_type OR y.typelem = row_type))
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
        AND k.oid = d.objid AND (cascades OR k.conrelid = t OR k.conrelid = ANY (together)))
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_attrdef f WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
        AND f.oid = d.objid AND f.adrelid = t)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
        AND g.oid = d.objid AND g.tgrelid = t)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
        AND p.oid = d.objid AND p.polrelid = t)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite w WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
        AND w.oid = d.objid AND w.ev_class = t);
  IF others IS NOT NULL THEN
    RAISE EXCEPTION 'cannot drop table % because other objects depend on it', t
      USING ERRCODE = '2BP01', DETAIL = others, HINT = 'drop or change what depends on it first';
  END IF;
";

/// Foreign keys bind both ends, and a partition is read with its table.
const RELAX: &str = r"  IF is_part THEN
    SELECT i.inhparent::pg_catalog.regclass AS parent, pg_catalog.pg_get_expr(r.relpartbound, r.oid) AS bound INTO o
      FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class r ON r.oid = i.inhrelid WHERE i.inhrelid = t;
    notes := notes || pg_catalog.format('ALTER TABLE %s ATTACH PARTITION %s.%s %s', o.parent, home, own, o.bound);
    EXECUTE pg_catalog.format('ALTER TABLE %s DETACH PARTITION %s', o.parent, t);
  END IF;
  FOR o IN SELECT k.conrelid::pg_catalog.regclass AS of, k.conname, pg_catalog.pg_get_constraintdef(k.oid) AS definition,
      pg_catalog.obj_description(k.oid, 'pg_constraint') AS words
    FROM pg_catalog.pg_constraint k
    WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = t) <> (k.confrelid = t)
      AND (k.conrelid = t OR cascades) ORDER BY k.conname
  LOOP
    notes := notes || pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', o.of, o.conname, o.definition);
    IF o.words IS NOT NULL THEN
      notes := notes || pg_catalog.format('COMMENT ON CONSTRAINT %I ON %s IS %L', o.conname, o.of, o.words);
    END IF;
    EXECUTE pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', o.of, o.conname);
  END LOOP;
";

/// The texts for one table; `together` are all that its statement drops.
pub fn parts(taken: &TakenTable, place: Place, together: &[String]) -> Parts {
    let name = quoted(&taken.name);
    let names = format!("  t pg_catalog.regclass := pg_catalog.to_regclass({});\n", literal(&name));
    Parts {
        up: up(taken, place, &names, together),
        down: down(taken, place),
        purge: block("  o record;\n", &forget(place)),
    }
}

fn up(taken: &TakenTable, place: Place, names: &str, together: &[String]) -> String {
    let absent = match taken.may_be_absent {
        true => "    RETURN;\n".to_owned(),
        false => format!(
            "    RAISE EXCEPTION 'table \"%\" does not exist', {} USING ERRCODE = '42P01';\n",
            literal(&taken.name)
        ),
    };
    let schema = quoted(&place.schema());
    let all: Vec<String> =
        together.iter().map(|name| format!("pg_catalog.to_regclass({})::oid", literal(&quoted(name)))).collect();
    let declared = format!(
        "  kind \"char\";\n  is_part bool;\n  home text;\n  own text;\n  row_type oid;\n  o record;\n  others text;\n  \
         cascades bool := {};\n  together oid[] := ARRAY[{}];\n  notes text[];\n  \
         path text := pg_catalog.current_setting('search_path');\n",
        taken.cascades,
        all.join(", ")
    );
    let body = format!(
        "  IF t IS NULL THEN\n{absent}  END IF;\n  \
         PERFORM pg_catalog.set_config('search_path', '', true);\n\
         {REFUSE}  \
         notes := ARRAY[pg_catalog.format('ALTER TABLE %I.%s SET SCHEMA %s', {}, own, home)];\n\
         {RELAX}  \
         CREATE SCHEMA {schema};\n  \
         CREATE TABLE {schema}.{NOTE} (place int8, statement text);\n  \
         INSERT INTO {schema}.{NOTE} SELECT m.place, m.statement FROM pg_catalog.unnest(notes) WITH ORDINALITY m (statement, place);\n  \
         EXECUTE pg_catalog.format('ALTER TABLE %s SET SCHEMA %I', t, {});\n  \
         PERFORM pg_catalog.set_config('search_path', path, true);\n",
        literal(&place.schema()),
        literal(&place.schema())
    );
    block(&format!("{names}{declared}"), &body)
}

fn down(taken: &TakenTable, place: Place) -> String {
    let name = last(&taken.name);
    let kept = format!("{}.{}", quoted(&place.schema()), super::super::derive::identifier(&name));
    let absent = match taken.may_be_absent {
        true => "    RETURN;\n".to_owned(),
        false => format!(
            "    RAISE EXCEPTION 'what was kept of table \"%\" is not there any more', {} USING ERRCODE = '42P01';\n",
            literal(&taken.name)
        ),
    };
    let hint = "'change or remove the rows that its foreign keys do not fit any more'";
    let body = format!(
        "  IF pg_catalog.to_regclass({}) IS NULL THEN\n{absent}  END IF;\n  \
         PERFORM pg_catalog.set_config('search_path', '', true);\n\
         {}  \
         PERFORM pg_catalog.set_config('search_path', path, true);\n{}",
        literal(&kept),
        give_back(place),
        in_the_way("table %", &literal(&taken.name), hint),
    );
    let declared = "  notes text[];\n  note text;\n  path text := pg_catalog.current_setting('search_path');\n";
    block(declared, &body)
}
