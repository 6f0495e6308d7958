//! Looks into what a migration added: whether rows, grants or comments have come since. Talks to the server.
//!
//! Invariant: it reads only, waits for nobody for long, and says "untold" wherever it did not see everything.

use tokio_postgres::{Client, Error};

use super::super::connection::open;
use super::super::errors::world_error;
use super::super::quoting;
use super::super::settings::Target;
use crate::migration::addition::{Addition, Count, Written};
use crate::world::WorldError;

/// How long one question may take: reading goes on without it.
const LIMITS: &str = "set default_transaction_read_only = on; set row_security = off; set lock_timeout = '2s'; \
                      set statement_timeout = '15s'";

/// Looks into each of these.
///
/// # Errors
/// When no session can be opened.
pub async fn look(target: &Target, additions: &[Addition]) -> Result<Vec<Written>, WorldError> {
    let client = open(target).await?;
    let tried = || format!("look at what migrations added at {target}");
    client.batch_execute(LIMITS).await.map_err(|error| world_error(tried(), &error))?;
    let mut found = Vec::with_capacity(additions.len());
    for addition in additions {
        let written = match addition {
            Addition::Table { name } => of_table(&client, name).await,
            Addition::Column { table, column } => of_column(&client, table, column).await,
            Addition::Sequence { name } => of_sequence(&client, name).await,
        };
        found.push(written.unwrap_or_else(|error| Written::Untold(world_error(tried(), &error).cause)));
    }
    Ok(found)
}

/// Why what a migration added is not taken back, if something was written into it since that was planned. A table is
/// locked first, so that nothing comes in between: it is about to be dropped. A column may have to be read through,
/// which nobody is kept waiting for.
///
/// # Errors
/// As the server says.
pub async fn objection(client: &Client, additions: &[Addition], lock: Lock) -> Result<Option<String>, Error> {
    for addition in additions {
        let (found, what) = match addition {
            Addition::Table { name } => {
                if lock == Lock::Taken {
                    let statement = format!("lock table {} in access exclusive mode", quoting::written(name));
                    client.batch_execute(&statement).await?;
                }
                (of_table(client, name).await?, format!("table {name}"))
            }
            Addition::Column { table, column } => {
                (of_column(client, table, column).await?, format!("column {table}.{column}"))
            }
            Addition::Sequence { name } => (of_sequence(client, name).await?, format!("sequence {name}")),
        };
        match found {
            Written::Nothing | Written::Dressed => {}
            Written::Rows(count) => return Ok(Some(format!("{what} has been written to since ({count})"))),
            Written::Position => return Ok(Some(format!("{what} has been used since"))),
            Written::Untold(why) => return Ok(Some(format!("{what}: {why}"))),
        }
    }
    Ok(None)
}

/// Whether tables are locked before they are looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Until the transaction ends.
    Taken,
    /// There is no transaction that could hold it.
    Impossible,
}

/// Whether grants or comments were given to a relation.
const IS_DRESSED: &str = "c.relacl is not null \
    or exists (select from pg_catalog.pg_description d where d.classoid = 'pg_catalog.pg_class'::regclass and d.objoid = c.oid) \
    or exists (select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attacl is not null)";

fn dressed(is_dressed: bool) -> Written {
    if is_dressed { Written::Dressed } else { Written::Nothing }
}

fn missing(what: &str) -> Written {
    Written::Untold(format!("{what} is not there under this name"))
}

async fn of_table(client: &Client, name: &str) -> Result<Written, Error> {
    let name = quoting::written(name);
    let statement = format!(
        "select {IS_DRESSED} from pg_catalog.pg_class c where c.oid = to_regclass($1) and c.relkind in ('r', 'p')"
    );
    let Some(row) = client.query_opt(&statement, &[&name]).await? else {
        return Ok(missing("a table"));
    };
    let rows = count(client, &name, "true").await?;
    Ok(if rows > 0 { Written::Rows(Count::of(rows)) } else { dressed(row.get(0)) })
}

async fn of_column(client: &Client, table: &str, column: &str) -> Result<Written, Error> {
    let (table, column) = (quoting::written(table), quoting::written(column));
    let statement = "select a.attgenerated <> '', a.attidentity <> '', pg_catalog.pg_get_expr(d.adbin, d.adrelid), \
                     pg_catalog.format_type(a.atttypid, a.atttypmod), \
                     a.attacl is not null or pg_catalog.col_description(a.attrelid, a.attnum) is not null \
                     from pg_catalog.pg_attribute a \
                     left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum \
                     where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped \
                     and a.attname = (parse_ident($2))[1]";
    let Some(row) = client.query_opt(statement, &[&table, &column]).await? else {
        return Ok(missing("a column"));
    };
    if row.get(0) {
        // It is computed from the others.
        return Ok(dressed(row.get(4)));
    }
    let default = row.get::<_, Option<String>>(2);
    let condition = match default {
        _ if row.get(1) => "true".to_owned(),
        Some(default) if is_constant(&default) => {
            format!("{column}::text is distinct from ({default})::{}::text", row.get::<_, String>(3))
        }
        Some(_) | None => format!("{column} is not null"),
    };
    let rows = count(client, &table, &condition).await?;
    Ok(if rows > 0 { Written::Rows(Count::of(rows)) } else { dressed(row.get(4)) })
}

async fn of_sequence(client: &Client, name: &str) -> Result<Written, Error> {
    let name = quoting::written(name);
    let statement = format!(
        "select s.seqstart, {IS_DRESSED} from pg_catalog.pg_sequence s join pg_catalog.pg_class c on c.oid = s.seqrelid \
         where s.seqrelid = to_regclass($1)"
    );
    let Some(row) = client.query_opt(&statement, &[&name]).await? else {
        return Ok(missing("a sequence"));
    };
    let position = client.query_one(&format!("select is_called, last_value from {name}"), &[]).await?;
    let is_used = position.get::<_, bool>(0) || position.get::<_, i64>(1) != row.get::<_, i64>(0);
    Ok(if is_used { Written::Position } else { dressed(row.get(1)) })
}

/// How many rows fulfil a condition, up to as many as are told apart.
async fn count(client: &Client, table: &str, condition: &str) -> Result<u64, Error> {
    let most = Count::MOST;
    let statement = format!("select count(*) from (select from {table} where {condition} limit {most}) as found");
    let count: i64 = client.query_one(&statement, &[]).await?.get(0);
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Whether a default is a literal: asking for any other might change something, or give another value each time.
fn is_constant(expression: &str) -> bool {
    static LITERAL: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
        regex::Regex::new(
            r#"^\(?(-?[0-9.]+|'([^'\\]|'')*'|true|false|NULL)\)?(::[a-z_ ".]+(\([0-9, ]+\))?[a-z ]*(\[\])*)*$"#,
        )
        .expect("the expression is a constant")
    });
    LITERAL.is_match(expression) && !expression.contains("::reg") && !is_of_now(expression)
}

/// `'now'` and its like are other values each time.
fn is_of_now(expression: &str) -> bool {
    let lower = expression.to_lowercase();
    ["now", "today", "tomorrow", "yesterday"].iter().any(|word| lower.contains(&format!("'{word}'")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_literals_are_constants() {
        for text in [
            "5",
            "-1",
            "0.5",
            "'x'::text",
            "'it''s'::character varying(10)",
            "'-1'::integer",
            "(0)::numeric",
            "true",
            "NULL::integer",
            "'{}'::text[]",
            "'cart'::app.order_state",
            "'2026-01-01'::timestamp(3) without time zone",
        ] {
            assert!(super::is_constant(text), "{text}");
        }
        for text in [
            "now()",
            "nextval('s'::regclass)",
            "CURRENT_TIMESTAMP",
            "(1 + 2)",
            "f('a'::text)",
            "gen_random_uuid()",
            "'now'::timestamp",
            "'x'::text || f()",
            "'s'::regclass",
            "E'\\n'",
        ] {
            assert!(!super::is_constant(text), "{text}");
        }
    }
}
