//! The parts of a script that ask, as blocks that raise where the runner would refuse. Pure.
//!
//! Invariant: nothing of a migration's text ends a block early: the tag of its quotes is in none of it.

use super::super::super::quoting;
use crate::migration::Direction;
use crate::migration::addition::Addition;
use crate::migration::said::{Assertion, When};

/// Text between dollar quotes whose tag it does not hold.
pub fn dollar(text: &str) -> String {
    let tag = (0..).map(|number| format!("$switchback{number}$")).find(|tag| !text.contains(tag.as_str()));
    let tag = tag.unwrap_or_default();
    format!("{tag}{text}{tag}")
}

/// A block with this body.
pub fn block(declared: &str, body: &str) -> String {
    let declared = if declared.is_empty() { String::new() } else { format!("declare\n{declared}\n") };
    format!("do {}", dollar(&format!("\n{declared}begin\n{body}\nend\n")))
}

/// A value of this name for blocks, which psql's variables do not reach into.
const SETTING: &str = "switchback.history";

/// The same for the table that says how far a migration has got.
const PROGRESS: &str = "switchback.progress";

/// The history table's name as found, inside of a block.
fn history() -> String {
    format!("pg_catalog.current_setting('{SETTING}')")
}

/// Takes the turn of migrations in this database, as runs do.
pub fn turn(key: i64) -> String {
    block(
        "",
        &format!(
            "  if not pg_catalog.pg_try_advisory_lock({key}) then\n    raise exception 'another runner of migrations is at \
             work in this database';\n  end if;"
        ),
    )
}

/// Looks where the history is, or will be: into psql's variables, and into a setting for blocks.
pub fn look(table: &str, schema: &str) -> String {
    let name = quoting::literal(table);
    format!(
        "select coalesce((select n.nspname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = \
         c.relnamespace where c.oid = pg_catalog.to_regclass({name})), pg_catalog.current_schema()) as {schema}, \
         pg_catalog.to_regclass({name}) is not null as switchback_there, exists (select from pg_catalog.pg_attribute \
         where attrelid = pg_catalog.to_regclass({name}) and attname = 'version' and atttypid = \
         'pg_catalog.int8'::pg_catalog.regtype) as switchback_wide \\gset\n\
         select pg_catalog.set_config('{SETTING}', pg_catalog.format('%I.%I', :'{schema}', {name}), false) as \
         switchback_history, pg_catalog.set_config('{PROGRESS}', pg_catalog.format('%I.%I', :'{schema}', \
         'switchback_progress'), false) as switchback_progress \\gset"
    )
}

/// Whether a migration was left in the middle.
pub fn nobody_in_the_middle() -> String {
    let progress = format!("pg_catalog.current_setting('{PROGRESS}')");
    block(
        "  left_over text;",
        &format!(
            "  if pg_catalog.to_regclass({progress}) is not null then\n    execute 'select name from ' || {progress} || \
             ' limit 1' into left_over;\n    if left_over is not null then\n      raise exception 'migration % was left in \
             the middle: `switchback resume` or `rollback` it first', left_over;\n    end if;\n  end if;"
        ),
    )
}

/// What the history has to say for a migration to be run.
pub struct Standing<'a> {
    /// What people call it.
    pub label: &'a str,
    /// Which way.
    pub direction: Direction,
    /// Whether it is in the history.
    pub is_there: &'a str,
    /// Whether a later one is.
    pub is_later: &'a str,
    /// Whether another tool left it in the middle.
    pub is_dirty: Option<&'a str>,
}

/// Whether it is a migration's turn.
pub fn standing(standing: &Standing<'_>) -> String {
    let Standing { label, direction, is_there, is_later, is_dirty } = standing;
    let label = quoting::literal(label);
    let ask = |expression: &str| {
        let select = quoting::literal(&format!("select {expression}"));
        format!("    execute pg_catalog.format({select}, {}) into found;\n", history())
    };
    let refuse =
        |when: &str, why: &str| format!("    if {when} then\n      raise exception '% {why}', {label};\n    end if;\n");
    let mut asked = String::new();
    if let Some(is_dirty) = is_dirty {
        asked += &ask(is_dirty);
        asked += &refuse("found", "cannot run: the last one of the other tool is only partly done");
    }
    asked += &ask(is_there);
    match direction {
        Direction::Up => {
            asked += &refuse("found", "is applied already");
            asked += &ask(is_later);
            asked += &refuse("found", "comes before one that is applied already");
        }
        Direction::Down => {
            asked += &refuse("not found", "is not applied");
            asked += &ask(is_later);
            asked += &refuse("found", "is not the newest: take back what came later first");
        }
    }
    let none = match direction {
        Direction::Up => String::new(),
        Direction::Down => format!("  else\n    raise exception '% is not applied: there is no history', {label};\n"),
    };
    block(
        "  found boolean;",
        &format!("  if pg_catalog.to_regclass({}) is not null then\n{asked}{none}  end if;", history()),
    )
}

/// What must be true of the data, as the runner asks it: whatever is not `true` fails.
pub fn assertion(assertion: &Assertion) -> String {
    let when = match assertion.when {
        When::Before => "before",
        When::After => "after",
    };
    let sql = assertion.sql.trim().trim_end_matches(';');
    let said = quoting::literal(&format!("line {}: what must be true {when} it", assertion.line));
    let asked = quoting::literal(sql);
    // Run by `execute`, so that no name in it is taken for a variable of the block.
    let select = quoting::literal(&format!(
        "select pg_catalog.pg_typeof(asked.answer)::text, asked.answer::text::boolean from (select (\n{sql}\n) as answer) \
         as asked"
    ));
    block(
        "  answer boolean;\n  of_type text;",
        &format!(
            "  execute {select} into strict of_type, answer;\n  if of_type <> 'boolean' then\n    raise exception '% gives a \
             `%` instead of a boolean: `%`', {said}, of_type, {asked};\n  end if;\n  if answer is not true then\n    raise \
             exception '% is %: `%`', {said}, coalesce(answer::text, 'null'), {asked};\n  end if;"
        ),
    )
}

/// What is taken away only if nobody has written to it.
pub fn spared(addition: &Addition, locks: bool) -> Vec<String> {
    match addition {
        Addition::Table { name } => {
            let written = quoting::written(name);
            let what = quoting::literal(&format!("table {name}"));
            let lock = locks.then(|| format!("lock table {written} in access exclusive mode"));
            let block = block(
                "",
                &format!(
                    "  if exists (select from {written}) then\n    raise exception '% has been written to since', \
                     {what};\n  end if;"
                ),
            );
            lock.into_iter().chain([block]).collect()
        }
        Addition::Column { table, column } => vec![column_block(table, column)],
        Addition::Sequence { name } => {
            let written = quoting::written(name);
            let what = quoting::literal(&format!("sequence {name}"));
            let regclass = quoting::literal(&written);
            vec![block(
                "  used boolean;",
                &format!(
                    "  select is_called or last_value <> (select seqstart from pg_catalog.pg_sequence where seqrelid = \
                     pg_catalog.to_regclass({regclass})) into used from {written};\n  if used is not false then\n    raise \
                     exception '% has been used since', {what};\n  end if;"
                ),
            )]
        }
    }
}

/// Whether a column holds anything but what its default gave it. What a constant is, is told as the runner tells it.
fn column_block(table: &str, column: &str) -> String {
    let (relation, name) = (quoting::written(table), quoting::written(column));
    let what = quoting::literal(&format!("column {table}.{column}"));
    let (relation_text, name_text) = (quoting::literal(&relation), quoting::literal(&name));
    let constant = quoting::literal(
        r#"^\(?(-?[0-9.]+|'([^'\\]|'')*'|true|false|NULL)\)?(::[a-z_ ".]+(\([0-9, ]+\))?[a-z ]*(\[\])*)*$"#,
    );
    let body = format!(
        "  select a.attgenerated <> '', a.attidentity <> '', pg_catalog.pg_get_expr(d.adbin, d.adrelid),\n      \
         pg_catalog.format_type(a.atttypid, a.atttypmod)\n    into strict computed, numbered, standard, of_type\n    from \
         pg_catalog.pg_attribute a\n    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = \
         a.attnum\n    where a.attrelid = pg_catalog.to_regclass({relation_text}) and a.attnum > 0 and not \
         a.attisdropped\n    and a.attname = (pg_catalog.parse_ident({name_text}))[1];\n  if computed then\n    \
         return;\n  end if;\n  condition := case\n    when numbered then 'true'\n    when standard ~ {constant} and \
         standard !~ '::reg' and pg_catalog.lower(standard) !~ '''(now|today|tomorrow|yesterday)'''\n    then \
         pg_catalog.format('%s::text is distinct from (%s)::%s::text', {name_text}, standard, of_type)\n    else \
         {name_text} || ' is not null'\n  end;\n  execute pg_catalog.format('select exists (select from %s where %s)', \
         {relation_text}, condition) into found;\n  if found then\n    raise exception '% has been written to since', \
         {what};\n  end if;"
    );
    block(
        "  computed boolean;\n  numbered boolean;\n  standard text;\n  of_type text;\n  condition text;\n  found boolean;",
        &body,
    )
}
