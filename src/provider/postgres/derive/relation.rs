//! What a table, an index, a view or a sequence is like now, as the statement that makes it so. Talks to the server.
//!
//! Invariant: what is on by itself comes out as the statement that turns it on.

use tokio_postgres::{Client, Error};

use crate::migration::derive::question::RelationAspect;
use crate::migration::derive::{Answer, identifier, quoted};

/// Leaves the search path of the session, so that every name comes out with its schema; gives what it was.
///
/// # Errors
/// As the server says.
pub async fn leave_path(client: &Client) -> Result<String, Error> {
    let path = client.query_one("select pg_catalog.current_setting('search_path')", &[]).await?.get(0);
    take_path(client, "").await?;
    Ok(path)
}

/// Takes up a search path.
///
/// # Errors
/// As the server says.
pub async fn take_path(client: &Client, path: &str) -> Result<(), Error> {
    client.query_one("select pg_catalog.set_config('search_path', $1, false)", &[&path]).await.map(drop)
}

/// A relation by its object identifier, and the word for it in statements.
async fn find(client: &Client, name: &str) -> Result<Option<(u32, &'static str)>, Error> {
    let statement = "select oid, relkind::text from pg_catalog.pg_class where oid = to_regclass($1)";
    let row = client.query_opt(statement, &[&quoted(name)]).await?;
    Ok(row.map(|row| {
        let word = match row.get::<_, String>(1).as_str() {
            "v" => "VIEW",
            "m" => "MATERIALIZED VIEW",
            "i" | "I" => "INDEX",
            "S" => "SEQUENCE",
            "f" => "FOREIGN TABLE",
            _ => "TABLE",
        };
        (row.get(0), word)
    }))
}

/// What makes this of a relation what it is.
///
/// # Errors
/// As the server says.
pub async fn of(client: &Client, name: &str, aspect: RelationAspect) -> Result<Answer, Error> {
    let Some((oid, word)) = find(client, name).await? else { return Ok(Answer::Absent) };
    let path = leave_path(client).await?;
    let answer = text(client, oid, &format!("ALTER {word} {}", quoted(name)), aspect).await;
    take_path(client, &path).await?;
    Ok(Answer::Text(answer?))
}

async fn one(client: &Client, oid: u32, expression: &str) -> Result<Option<String>, Error> {
    let statement = format!("select ({expression})::text from pg_catalog.pg_class c where c.oid = $1");
    Ok(client.query_one(&statement, &[&oid]).await?.get(0))
}

async fn text(client: &Client, oid: u32, alter: &str, aspect: RelationAspect) -> Result<String, Error> {
    Ok(match aspect {
        RelationAspect::Options => options(client, oid, alter).await?,
        RelationAspect::RowSecurity => {
            let on = one(client, oid, "c.relrowsecurity").await?.as_deref() == Some("true");
            let forced = one(client, oid, "c.relforcerowsecurity").await?.as_deref() == Some("true");
            let (on, forced) = (if on { "ENABLE" } else { "DISABLE" }, if forced { "FORCE" } else { "NO FORCE" });
            format!("{alter} {on} ROW LEVEL SECURITY;\n{alter} {forced} ROW LEVEL SECURITY")
        }
        RelationAspect::ReplicaIdentity => {
            let index = "select i.indexrelid::regclass::text from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisreplident";
            match (one(client, oid, "c.relreplident").await?.as_deref(), one(client, oid, index).await?) {
                (Some("f"), _) => format!("{alter} REPLICA IDENTITY FULL"),
                (Some("n"), _) => format!("{alter} REPLICA IDENTITY NOTHING"),
                (Some("i"), Some(index)) => format!("{alter} REPLICA IDENTITY USING INDEX {}", without_schema(&index)),
                _ => format!("{alter} REPLICA IDENTITY DEFAULT"),
            }
        }
        RelationAspect::Cluster => {
            let index = "select i.indexrelid::regclass::text from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisclustered";
            match one(client, oid, index).await? {
                Some(index) => format!("{alter} CLUSTER ON {}", without_schema(&index)),
                None => format!("{alter} SET WITHOUT CLUSTER"),
            }
        }
        RelationAspect::Persistence => match one(client, oid, "c.relpersistence").await?.as_deref() {
            Some("u") => format!("{alter} SET UNLOGGED"),
            _ => format!("{alter} SET LOGGED"),
        },
        RelationAspect::Tablespace => {
            let space = "select spcname from pg_catalog.pg_tablespace where oid = case c.reltablespace when 0 then \
                (select dattablespace from pg_catalog.pg_database where datname = pg_catalog.current_database()) \
                else c.reltablespace end";
            let space = one(client, oid, space).await?.unwrap_or_else(|| "pg_default".to_owned());
            format!("{alter} SET TABLESPACE {}", identifier(&space))
        }
        RelationAspect::Firing => firing(client, oid, alter).await?,
        RelationAspect::Bound => {
            one(client, oid, "pg_catalog.pg_get_expr(c.relpartbound, c.oid)").await?.unwrap_or_default()
        }
        RelationAspect::Sequence => sequence(client, oid, alter).await?,
    })
}

/// A name that is spoken of beside its table.
fn without_schema(name: &str) -> String {
    identifier(&crate::migration::derive::last(name))
}

async fn options(client: &Client, oid: u32, alter: &str) -> Result<String, Error> {
    let own = "pg_catalog.array_to_string(c.reloptions, ', ')";
    let toast = "select pg_catalog.string_agg('toast.' || o, ', ') from pg_catalog.pg_class t, pg_catalog.unnest(t.reloptions) o \
                 where t.oid = c.reltoastrelid";
    let parts: Vec<String> =
        [one(client, oid, own).await?, one(client, oid, toast).await?].into_iter().flatten().collect();
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Ok(if parts.is_empty() { String::new() } else { format!("{alter} SET ({})", parts.join(", ")) })
}

async fn firing(client: &Client, oid: u32, alter: &str) -> Result<String, Error> {
    let statement = "select 'TRIGGER', tgname::text, tgenabled::text from pg_catalog.pg_trigger where tgrelid = $1 and not tgisinternal \
                     union all select 'RULE', rulename::text, ev_enabled::text from pg_catalog.pg_rewrite \
                     where ev_class = $1 and rulename <> '_RETURN' order by 1, 2";
    let rows = client.query(statement, &[&oid]).await?;
    let lines = rows.iter().map(|row| {
        let (sort, name, state) = (row.get::<_, String>(0), row.get::<_, String>(1), row.get::<_, String>(2));
        let words = match state.as_str() {
            "D" => "DISABLE",
            "R" => "ENABLE REPLICA",
            "A" => "ENABLE ALWAYS",
            _ => "ENABLE",
        };
        format!("{alter} {words} {sort} {}", identifier(&name))
    });
    Ok(lines.collect::<Vec<_>>().join(";\n"))
}

async fn sequence(client: &Client, oid: u32, alter: &str) -> Result<String, Error> {
    let statement = "select pg_catalog.format('AS %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s %s', \
            pg_catalog.format_type(s.seqtypid, null), s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache, \
            case when s.seqcycle then 'CYCLE' else 'NO CYCLE' end), \
        (select pg_catalog.format('%s.%I', d.refobjid::regclass, a.attname) from pg_catalog.pg_depend d \
            join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid \
            where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = s.seqrelid and d.deptype = 'a') \
        from pg_catalog.pg_sequence s where s.seqrelid = $1";
    let row = client.query_one(statement, &[&oid]).await?;
    let owner = row.get::<_, Option<String>>(1).unwrap_or_else(|| "NONE".to_owned());
    Ok(format!("{alter} {} OWNED BY {owner}", row.get::<_, String>(0)))
}
